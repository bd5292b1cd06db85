/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Changing a definition: what concerns the whole domain. Devices are in edit-device-xml.c. No state beside
 * the edit; any thread.
 */
#include "drivers/domain/edit-xml.h"

#include "base/xml-metadata.h"
#include "base/error.h"
#include "drivers/domain/definition-xml.h"
#include "drivers/domain/edit-private-xml.h"
#include "drivers/domain/hardware-xml.h"

struct domain_edit *domain_edit_new_lazy(const struct domain_def *def)
{
        struct domain_edit *edit = g_new0(struct domain_edit, 1);

        edit->before = domain_def_ref((struct domain_def *)def);
        return edit;
}

struct domain_edit *domain_edit_new(const struct domain_def *def, GError **error)
{
        struct domain_doc *doc = domain_doc_parse(def->base.xml, error);
        struct domain_edit *edit;

        if (!doc)
                return NULL;
        edit = domain_edit_new_lazy(def);
        edit->doc = doc;
        return edit;
}

xmlNode *domain_edit_root(struct domain_edit *edit)
{
        if (!edit->doc)
                edit->doc = domain_doc_parse(edit->before->base.xml, domain_edit_error(edit));
        if (!edit->doc)
                edit->doc = domain_doc_parse("<domain/>", NULL);
        return xml_root(domain_doc_get_xml(edit->doc));
}

void domain_edit_free(struct domain_edit *edit)
{
        if (!edit)
                return;
        domain_def_unref(edit->before);
        domain_doc_free(edit->doc);
        g_clear_error(&edit->error);
        g_free(edit);
}

struct domain_def *domain_edit_commit(struct domain_edit *taken, GError **error)
{
        CLEANUP(domain_edit_free) struct domain_edit *edit = taken;

        if (edit->error) {
                g_propagate_error(error, g_steal_pointer(&edit->error));
                return NULL;
        }
        return edit->doc ? domain_doc_finish(g_steal_pointer(&edit->doc), NULL, error)
                         : domain_def_ref(edit->before);
}

struct domain_def *domain_edit_commit_checked(struct domain_edit *taken, const struct domain_machine *machine,
                                              GError **error)
{
        CLEANUP(domain_edit_free) struct domain_edit *edit = taken;

        if (edit->error) {
                g_propagate_error(error, g_steal_pointer(&edit->error));
                return NULL;
        }
        return edit->doc
                       ? domain_doc_finish_changed(g_steal_pointer(&edit->doc), edit->before, machine, error)
                       : domain_def_ref(edit->before);
}

/* Where to note a failure: the first one counts. */
GError **domain_edit_error(struct domain_edit *edit)
{
        return edit->error ? NULL : &edit->error;
}

static void set_child_text(struct domain_edit *edit, const char *name, const char *text)
{
        if (text && *text)
                xml_set_text(hardware_child(domain_edit_root(edit), name), text);
        else
                xml_remove_children(domain_edit_root(edit), name);
}

void domain_edit_set_name(struct domain_edit *edit, const char *name)
{
        set_child_text(edit, "name", name);
}

void domain_edit_set_title(struct domain_edit *edit, const char *title)
{
        if (title && strpbrk(title, "\r\n"))
                error_set(domain_edit_error(edit), ERROR_FROM_DOMAIN, ERROR_INVALID_ARG,
                          "a title is a single line");
        else
                set_child_text(edit, "title", title);
}

void domain_edit_set_description(struct domain_edit *edit, const char *description)
{
        set_child_text(edit, "description", description);
}

void domain_edit_set_action(struct domain_edit *edit, const char *element, const char *action)
{
        set_child_text(edit, element, action);
}

static void set_kib(struct domain_edit *edit, const char *name, uint64_t kib)
{
        g_autofree char *text = g_strdup_printf("%" G_GUINT64_FORMAT, kib);

        set_child_text(edit, name, text);
        xml_set_attr(xml_child(domain_edit_root(edit), name), "unit", "KiB");
}

void domain_edit_set_memory(struct domain_edit *edit, uint64_t kib)
{
        set_kib(edit, "memory", kib);
}

void domain_edit_set_current_memory(struct domain_edit *edit, uint64_t kib)
{
        set_kib(edit, "currentMemory", kib);
}

void domain_edit_set_vcpus(struct domain_edit *edit, unsigned current, unsigned max)
{
        xmlNode *node = hardware_child(domain_edit_root(edit), "vcpu");
        unsigned count = max, now;

        if (max == 0 && !xml_get_uint(node, NULL, &count, domain_edit_error(edit)))
                return;
        now = count;
        if (current > 0)
                now = current;
        else if (!xml_get_uint(node, "current", &now, domain_edit_error(edit)))
                return;
        if (max > 0) {
                g_autofree char *text = g_strdup_printf("%u", max);

                xml_set_text(node, text);
        }
        xml_set_attr(node, "current", NULL);
        if (now < count)
                xml_set_attr_format(node, "current", "%u", now);
}

void domain_edit_set_id(struct domain_edit *edit, int id)
{
        if (id < 0)
                xml_set_attr(domain_edit_root(edit), "id", NULL);
        else
                xml_set_attr_format(domain_edit_root(edit), "id", "%d", id);
}

void domain_edit_set_cpu(struct domain_edit *edit, const char *cpu_xml)
{
        g_autoptr(xmlDoc) doc = xml_parse(cpu_xml, "cpu", domain_edit_error(edit));

        if (doc)
                xml_replace(hardware_child(domain_edit_root(edit), "cpu"), xml_root(doc));
}

void domain_edit_set_loader(struct domain_edit *edit, const char *path, const char *type, const char *format,
                            bool readonly, bool secure)
{
        xmlNode *loader = hardware_child(hardware_child(domain_edit_root(edit), "os"), "loader");

        xml_set_text(loader, path);
        xml_set_attr(loader, "readonly", readonly ? "yes" : "no");
        if (secure)
                xml_set_attr(loader, "secure", "yes");
        xml_set_attr(loader, "type", type);
        if (format && strcmp(format, "raw") != 0)
                xml_set_attr(loader, "format", format);
}

void domain_edit_set_encryption(struct domain_edit *edit, unsigned cbitpos, unsigned reduced_bits)
{
        xmlNode *launch = hardware_child(domain_edit_root(edit), "launchSecurity");
        g_autofree char *position = g_strdup_printf("%u", cbitpos),
                        *bits = g_strdup_printf("%u", reduced_bits);

        xml_set_text(hardware_child(launch, "cbitpos"), position);
        xml_set_text(hardware_child(launch, "reducedPhysBits"), bits);
}

void domain_edit_set_nvram(struct domain_edit *edit, const char *path, const char *template_path,
                           const char *format)
{
        xmlNode *nvram = hardware_child(hardware_child(domain_edit_root(edit), "os"), "nvram");
        xmlNode *source = xml_child(nvram, "source");

        if (template_path)
                xml_set_attr(nvram, "template", template_path);
        if (format)
                xml_set_attr(nvram, "format", format);
        /* The newer form says what kind of storage it is. */
        if (source)
                xml_set_attr(source, hardware_is(nvram, "type", "block") ? "dev" : "file", path);
        else
                xml_set_text(nvram, path);
}

void domain_edit_set_seclabel(struct domain_edit *edit, const char *model, const char *unnamed,
                              const char *label, const char *image_label)
{
        xmlNode *found = NULL;

        XML_FOREACH_CHILD (node, domain_edit_root(edit)) {
                g_autofree char *other = xml_is(node, "seclabel") ? xml_attr(node, "model") : NULL;

                if (xml_is(node, "seclabel") && g_strcmp0(other ? other : unnamed, model) == 0 &&
                    (other || hardware_is(node, "type", "static") || xml_child(node, "baselabel")))
                        found = node;
        }
        if (found) {
                xml_set_attr(found, "model", model);
        } else {
                found = xml_add(domain_edit_root(edit), "seclabel");
                xml_set_attr(found, "type", "dynamic");
                xml_set_attr(found, "model", model);
                xml_set_attr(found, "relabel", "yes");
        }
        xml_set_text(hardware_child(found, "label"), label);
        if (image_label)
                xml_set_text(hardware_child(found, "imagelabel"), image_label);
}

void domain_edit_set_partition(struct domain_edit *edit, const char *partition)
{
        xml_set_text(hardware_child(hardware_child(domain_edit_root(edit), "resource"), "partition"),
                     partition);
}

/* ---- metadata ---- */

void domain_edit_set_metadata(struct domain_edit *edit, const char *xml, const char *key, const char *uri)
{
        xml_metadata_set(domain_edit_root(edit), ERROR_FROM_DOMAIN, xml, key, uri, domain_edit_error(edit));
}

char *domain_def_get_metadata(const struct domain_def *def, const char *uri, GError **error)
{
        g_autoptr(xmlDoc) doc = xml_parse(def->base.xml, "domain", error);
        g_autofree char *quoted = error_quote(uri);
        char *text = doc ? xml_metadata_get(xml_root(doc), uri) : NULL;

        if (doc && !text)
                error_set(error, ERROR_FROM_DOMAIN, ERROR_NO_DOMAIN_METADATA,
                          "domain '%s' has no metadata in the namespace '%s'", def->base.name, quoted);
        return text;
}
