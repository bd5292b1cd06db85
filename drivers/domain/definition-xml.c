/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * From a document to a definition: identity, metadata and the small parts of <domain>, the order in which the
 * parts are read, and the two texts.
 */
#include "drivers/domain/definition-xml.h"

#include "base/error.h"
#include "drivers/domain/check.h"
#include "drivers/domain/normalize-xml.h"
#include "drivers/domain/order-xml.h"
#include "drivers/domain/schema.h"
#include "drivers/domain/tidy-xml.h"

#include <string.h>

#define LABEL_MAX 4096

struct domain_doc {
        xmlDoc *xml; /* owned */
};

static const struct managed_kind kind = {
        .noun = "domain",
        .from = ERROR_FROM_DOMAIN,
        .definition_free = domain_def_free,
};

/* ---- identity ---- */

static const char *const type_names[] = { "none", "qemu",      "kvm",   "kqemu",  "xen",    "lxc",
                                          "uml",  "openvz",    "test",  "vmware", "hyperv", "vbox",
                                          "phyp", "parallels", "bhyve", "vz",     "hvf",    NULL };

struct identity {
        const char *name;
        const char *uuid;
};

static const struct field name_fields[] = {
        STRING(NULL, struct identity, name, .required = true, .max = DOMAIN_NAME_MAX),
        FIELDS_END,
};
static const struct field uuid_fields[] = { UUID(NULL, struct identity, uuid), FIELDS_END };
static const struct field_part identity_parts[] = {
        { "name", name_fields },
        { "uuid", uuid_fields },
        PARTS_END,
};

static bool check_name(const xmlNode *node, const char *name, GError **error)
{
        if (strspn(name, " \t\r\n") == strlen(name))
                return xml_error(error, node, "invalid name: only blanks");
        if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
                return xml_error(error, node, "invalid name '%s'", name);
        return domain_check_plain(node, "name", name, "/", error);
}

static bool read_identity(struct domain_reader *reader, xmlNode *root, struct domain_def *def, GError **error)
{
        struct identity identity = { NULL, NULL };
        char text[UUID_STRING_LENGTH + 1];

        if (!field_read_parts(reader, root, identity_parts, &identity, error))
                return false;
        if (!identity.name)
                return xml_error(error, root, "missing element 'name'");
        if (!identity.uuid)
                return xml_error(error, root, "missing element 'uuid'");
        if (!check_name(xml_child(root, "name"), identity.name, error))
                return false;
        def->base.name = g_strdup(identity.name);
        uuid_parse(&def->base.uuid, identity.uuid, NULL);
        uuid_format(&def->base.uuid, text);
        if (strcmp(text, identity.uuid) != 0)
                xml_set_text(xml_child(root, "uuid"), text);
        return true;
}

/* ---- metadata ---- */

/* Applications own elements here, one each, told apart by their namespaces. */
static bool check_metadata(const xmlNode *root, GError **error)
{
        const xmlNode *metadata = xml_child(root, "metadata");
        g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);

        XML_FOREACH_CHILD (node, metadata) {
                if (!node->ns || !node->ns->href)
                        return xml_error(error, node, "an element of <metadata> has no namespace");
                if (!g_hash_table_add(seen, (gpointer)node->ns->href))
                        return xml_error(error, node, "more than one element of <metadata> in one namespace");
        }
        return true;
}

/* ---- small parts of <domain> ---- */

static const char *const event_names[] = { "destroy", "restart", "preserve", "rename-restart", NULL };
static const char *const crash_names[] = {
        "destroy", "restart", "preserve", "rename-restart", "coredump-destroy", "coredump-restart", NULL
};
static const char *const lockfailure_names[] = { "poweroff", "restart", "pause", "ignore", NULL };

static const struct field domain_fields[] = {
        NAME("type", struct domain_def, type, type_names, .required = true),
        INT("id", struct domain_def, id),
        FIELDS_END,
};
static const struct field genid_fields[] = { UUID(NULL, struct domain_def, genid), FIELDS_END };
static const struct field title_fields[] = { STRING(NULL, struct domain_def, title), FIELDS_END };
static const struct field description_fields[] = { STRING(NULL, struct domain_def, description), FIELDS_END };
static const struct field poweroff_fields[] = { NAME(NULL, struct domain_def, on_poweroff, event_names),
                                                FIELDS_END };
static const struct field reboot_fields[] = { NAME(NULL, struct domain_def, on_reboot, event_names),
                                              FIELDS_END };
static const struct field crash_fields[] = { NAME(NULL, struct domain_def, on_crash, crash_names),
                                             FIELDS_END };
static const struct field lockfailure_fields[] = {
        NAME(NULL, struct domain_def, on_lockfailure, lockfailure_names), FIELDS_END
};
static const struct field suspend_mem_fields[] = { YES_NO("enabled", struct domain_def, suspend_to_mem),
                                                   FIELDS_END };
static const struct field suspend_disk_fields[] = { YES_NO("enabled", struct domain_def, suspend_to_disk),
                                                    FIELDS_END };
static const struct field partition_fields[] = { PATH(NULL, struct domain_def, partition), FIELDS_END };

static bool read_pm(struct domain_reader *reader, xmlNode *node, void *target, GError **error)
{
        static const struct field_part pm_parts[] = {
                { "suspend-to-mem", suspend_mem_fields },
                { "suspend-to-disk", suspend_disk_fields },
                PARTS_END,
        };

        return field_read_parts(reader, node, pm_parts, target, error);
}

static const struct field_part parts[] = {
        { NULL, domain_fields },
        { "genid", genid_fields },
        { "title", title_fields },
        { "description", description_fields },
        { "cpu", NULL, domain_read_cpu, offsetof(struct domain_def, cpu) },
        { "resource/partition", partition_fields },
        { "os", NULL, domain_read_os, offsetof(struct domain_def, os) },
        { "features", NULL, domain_read_features, offsetof(struct domain_def, features) },
        { "clock", NULL, domain_read_clock, offsetof(struct domain_def, clock) },
        { "on_poweroff", poweroff_fields },
        { "on_reboot", reboot_fields },
        { "on_crash", crash_fields },
        { "on_lockfailure", lockfailure_fields },
        { "pm", NULL, read_pm },
        { "perf", NULL, domain_read_perf },
        { "devices", NULL, domain_read_devices, offsetof(struct domain_def, devices) },
        { "launchSecurity", NULL, domain_read_launch },
        { "keywrap", NULL, domain_read_keywrap },
        PARTS_END,
};

/* ---- security labels ---- */

static const char *const label_type_names[] = { "none", "dynamic", "static", NULL };

static const struct field label_fields[] = {
        NAME("type", struct domain_seclabel, type, label_type_names),
        STRING("model", struct domain_seclabel, model, .max = 64),
        YES_NO("relabel", struct domain_seclabel, relabel),
        FIELDS_END,
};
static const struct field label_text[] = { STRING(NULL, struct domain_seclabel, label, .max = LABEL_MAX),
                                           FIELDS_END };
static const struct field base_label_text[] = {
        STRING(NULL, struct domain_seclabel, base_label, .max = LABEL_MAX), FIELDS_END
};
static const struct field image_label_text[] = {
        STRING(NULL, struct domain_seclabel, image_label, .max = LABEL_MAX), FIELDS_END
};
static const struct field_part label_parts[] = {
        { NULL, label_fields },
        { "label", label_text },
        { "baselabel", base_label_text },
        { "imagelabel", image_label_text },
        PARTS_END,
};

/* ---- all of it ---- */

static bool check_title(const xmlNode *root, const char *title, GError **error)
{
        if (title && strpbrk(title, "\r\n"))
                return xml_error(error, xml_child(root, "title"), "a title is a single line");
        return true;
}

static bool check_topology(const struct domain_def *def, const xmlNode *root, GError **error)
{
        const struct domain_cpu *cpu = &def->cpu;
        uint64_t places = (uint64_t)cpu->sockets * cpu->dies * cpu->clusters * cpu->cores;

        /* Each factor is at most DOMAIN_VCPUS_MAX, so that four of them and a fifth below do not overflow.
         */
        if (!cpu->sockets || places * cpu->threads == def->max_vcpus)
                return true;
        return error_set(error, ERROR_FROM_DOMAIN, ERROR_CONFIG_UNSUPPORTED,
                         "the CPU topology has %" G_GUINT64_FORMAT
                         " CPUs, but <vcpu> has %u, at line %u (<cpu>)",
                         places * cpu->threads, def->max_vcpus, xml_line(xml_child(root, "cpu")));
}

static bool check_boot(const struct domain_reader *reader, const struct domain_def *def, const xmlNode *root,
                       GError **error)
{
        if (def->os.n_boot == 0 || g_hash_table_size(reader->boot_orders) == 0)
                return true;
        return error_set(error, ERROR_FROM_DOMAIN, ERROR_CONFIG_UNSUPPORTED,
                         "boot devices in <os> cannot be used together with <boot order> of devices, at line "
                         "%u (<os>)",
                         xml_line(xml_child(root, "os")));
}

static bool read_domain(struct domain_reader *reader, xmlNode *root, struct domain_def *def, GError **error)
{
        def->id = -1;
        def->os.bios_reboot_timeout_ms = INT_MIN;
        return read_identity(reader, root, def, error) && check_metadata(root, error) &&
               field_read_parts(reader, root, parts, def, error) && check_title(root, def->title, error) &&
               domain_read_memory(reader, root, def, error) && domain_read_vcpus(reader, root, def, error) &&
               domain_read_sysinfo(reader, root, def, error) &&
               field_read_array(reader, root, "seclabel", label_parts, sizeof(struct domain_seclabel),
                                &def->seclabels, &def->n_seclabels, error) &&
               domain_read_qemu(reader, root, &def->qemu, error) && check_topology(def, root, error) &&
               check_boot(reader, def, root, error);
}

static bool read_with_sets(xmlNode *root, struct domain_def *def, GError **error)
{
        struct domain_reader reader = {
                .arena = def->arena,
                .targets = g_hash_table_new(g_str_hash, g_str_equal),
                .aliases = g_hash_table_new(g_str_hash, g_str_equal),
                .boot_orders = g_hash_table_new(NULL, NULL),
        };
        bool done = read_domain(&reader, root, def, error);

        g_hash_table_unref(reader.targets);
        g_hash_table_unref(reader.aliases);
        g_hash_table_unref(reader.boot_orders);
        return done;
}

static void keep_remarks(struct domain_arena *arena, GPtrArray *remarks, struct domain_remarks *kept)
{
        const char **texts;

        if (remarks->len == 0)
                return;
        texts = domain_arena_alloc(arena, (remarks->len + 1) * sizeof(*texts));
        for (unsigned i = 0; i < remarks->len; i++)
                texts[i] = domain_arena_strdup(arena, remarks->pdata[i]);
        kept->texts = texts;
        kept->count = remarks->len;
}

static void order(xmlDoc *doc, struct domain_def *def)
{
        g_autoptr(GPtrArray) unsupported = g_ptr_array_new_with_free_func(g_free);
        g_autoptr(GPtrArray) unknown = g_ptr_array_new_with_free_func(g_free);

        domain_order(doc, unsupported, unknown);
        keep_remarks(def->arena, unsupported, &def->unsupported);
        keep_remarks(def->arena, unknown, &def->unknown);
}

/* ---- texts ---- */

/* xml_write() without the room to grow. */
static char *write_text(const xmlDoc *doc)
{
        char *text = xml_write(doc, NULL);

        return g_realloc(text, strlen(text) + 1);
}

/* Passwords of consoles, and cookies of images on the web. Returns whether there were any. */
static bool remove_secrets(xmlNode *parent)
{
        bool removed = false;

        for (xmlNode *node = xml_first_element(parent), *next; node; node = next) {
                next = xml_next_element(node);
                if (xml_is(node, "cookies")) {
                        xml_remove(node);
                        removed = true;
                        continue;
                }
                if (xml_is(node, "graphics") && xml_has_attr(node, "passwd")) {
                        xml_set_attr(node, "passwd", NULL);
                        removed = true;
                }
                removed |= remove_secrets(node);
        }
        return removed;
}

/* What has grown beyond what is read again would be lost with the agent. */
static bool write_texts(xmlDoc *doc, struct domain_def *def, GError **error)
{
        size_t length;
        bool removed;

        def->base.xml = write_text(doc);
        length = strlen(def->base.xml);
        if (length > XML_BYTES_MAX)
                return error_set(
                        error, ERROR_FROM_DOMAIN, ERROR_CONFIG_UNSUPPORTED,
                        "domain '%s': with what completes it, its document has %zu bytes, and %d are "
                        "the most",
                        def->base.name, length, XML_BYTES_MAX);
        removed = remove_secrets(xml_child(xml_root(doc), "devices"));
        if (remove_secrets(xml_child(xml_root(doc), "os")) || removed)
                def->base.xml_public = write_text(doc);
        return true;
}

/* ---- documents ---- */

struct domain_doc *domain_doc_parse(const char *xml, GError **error)
{
        xmlDoc *parsed = xml_parse(xml, "domain", error);
        struct domain_doc *doc;

        if (!parsed)
                return NULL;
        domain_tidy(parsed);
        doc = g_new0(struct domain_doc, 1);
        doc->xml = parsed;
        return doc;
}

void domain_doc_free(struct domain_doc *doc)
{
        if (!doc)
                return;
        xmlFreeDoc(doc->xml);
        g_free(doc);
}

xmlDoc *domain_doc_get_xml(const struct domain_doc *doc)
{
        return doc->xml;
}

/* The text of an attribute or element as it stands in the document; NULL when there is none, or nothing in
 * it. */
static const char *peek(const xmlNode *node, const char *attr)
{
        const xmlNode *text = node ? node->children : NULL;

        for (const xmlAttr *found = node && attr ? node->properties : NULL; attr; found = found->next) {
                if (!found)
                        return NULL;
                if (strcmp((const char *)found->name, attr) != 0)
                        continue;
                text = found->children;
                break;
        }
        return text && text->type == XML_TEXT_NODE ? (const char *)text->content : NULL;
}

static const xmlNode *get_os_type(const struct domain_doc *doc)
{
        return xml_child(xml_child(xml_root(doc->xml), "os"), "type");
}

const char *domain_doc_get_type(const struct domain_doc *doc)
{
        return peek(xml_root(doc->xml), "type");
}

const char *domain_doc_get_os_type(const struct domain_doc *doc)
{
        return peek(get_os_type(doc), NULL);
}

const char *domain_doc_get_arch(const struct domain_doc *doc)
{
        return peek(get_os_type(doc), "arch");
}

const char *domain_doc_get_machine(const struct domain_doc *doc)
{
        return peek(get_os_type(doc), "machine");
}

const char *domain_doc_get_emulator(const struct domain_doc *doc)
{
        return peek(xml_child(xml_child(xml_root(doc->xml), "devices"), "emulator"), NULL);
}

static struct domain_def *new_def(void)
{
        struct domain_def *def = g_new0(struct domain_def, 1);

        definition_init(&def->base, &kind);
        def->arena = domain_arena_new();
        return def;
}

bool domain_doc_check(const struct domain_doc *doc, const struct domain_machine *machine, GError **error)
{
        CLEANUP(domain_def_unref) struct domain_def *def = new_def();

        if (!read_with_sets(xml_root(doc->xml), def, error))
                return false;
        order(doc->xml, def);
        return domain_check(def, doc, machine, error);
}

bool domain_def_was_refused(const struct domain_def *def, const struct domain_machine *machine)
{
        CLEANUP(domain_doc_free) struct domain_doc *doc = domain_doc_parse(def->base.xml, NULL);

        return doc && !domain_doc_check(doc, machine, NULL);
}

/* before: what has been changed, and excuses what it had itself; NULL: nothing does. */
static bool check(const struct domain_def *def, const struct domain_doc *doc, const struct domain_def *before,
                  const struct domain_machine *machine, GError **error)
{
        g_autoptr(GError) failure = NULL;

        if (!machine || domain_check(def, doc, machine, &failure) ||
            (before && domain_def_was_refused(before, machine)))
                return true;
        g_propagate_error(error, g_steal_pointer(&failure));
        return false;
}

static bool check_accepted(const struct domain_def *def, const struct domain_doc *doc,
                           const struct domain_def *before, const struct domain_machine *machine,
                           GError **error)
{
        if (before && !domain_def_was_refused(before, machine))
                return domain_check(def, doc, machine, error);
        return domain_check_accepted(def, doc, machine, error);
}

/* What a start would refuse is refused of a guest that runs, unless it was there already. */
static bool require_supported(const struct domain_def *def, const struct domain_def *before, GError **error)
{
        return !before || !domain_def_require_supported(before, NULL) ||
               domain_def_require_supported(def, error);
}

static struct domain_def *finish(struct domain_doc *doc, const struct domain_def *before,
                                 const struct domain_machine *machine, GError **error)
{
        CLEANUP(domain_def_unref) struct domain_def *def = new_def();

        if (!read_with_sets(xml_root(doc->xml), def, error))
                return NULL;
        /* Reading has added units, which have their place as well. */
        order(doc->xml, def);
        return check(def, doc, before, machine, error) && require_supported(def, before, error) &&
                               write_texts(doc->xml, def, error)
                       ? g_steal_pointer(&def)
                       : NULL;
}

struct domain_def *domain_doc_finish(struct domain_doc *taken, const struct domain_machine *machine,
                                     GError **error)
{
        CLEANUP(domain_doc_free) struct domain_doc *doc = taken;

        if (machine && !domain_normalize(doc->xml, machine, error))
                return NULL;
        return finish(doc, NULL, machine, error);
}

struct domain_def *domain_doc_finish_accepted(struct domain_doc *taken, const struct domain_def *before,
                                              const struct domain_machine *machine, GError **error)
{
        CLEANUP(domain_doc_free) struct domain_doc *doc = taken;
        CLEANUP(domain_def_unref) struct domain_def *def = NULL;

        if (domain_normalize(doc->xml, machine, error))
                def = finish(doc, NULL, NULL, error);
        return def && check_accepted(def, doc, before, machine, error) ? g_steal_pointer(&def) : NULL;
}

struct domain_def *domain_doc_finish_shown(struct domain_doc *taken, const struct domain_machine *machine,
                                           GError **error)
{
        CLEANUP(domain_doc_free) struct domain_doc *doc = taken;

        return domain_normalize(doc->xml, machine, error) ? finish(doc, NULL, NULL, error) : NULL;
}

struct domain_def *domain_doc_finish_changed(struct domain_doc *taken, const struct domain_def *before,
                                             const struct domain_machine *machine, GError **error)
{
        CLEANUP(domain_doc_free) struct domain_doc *doc = taken;

        return finish(doc, before, machine, error);
}

struct domain_def *domain_def_parse_stored(const char *xml, GError **error)
{
        struct domain_doc *doc = domain_doc_parse(xml, error);

        return doc ? domain_doc_finish(doc, NULL, error) : NULL;
}
