/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Are two documents of one and the same guest? A state that was saved fits the hardware that it was saved
 * from, and nothing else. No state; any thread.
 */
#include "drivers/domain/save.h"

#include "drivers/domain/edit-private-xml.h"

#include <string.h>

/* What only concerns the host: "element/child" and "element/@attribute" of what stands below <domain>. */
static const char *const host_parts[] = {
        "metadata",       "title",       "description", "on_poweroff",
        "on_reboot",      "on_crash",    "perf",        "cputune",
        "memtune",        "blkiotune",   "numatune",    "resource",
        "seclabel",       "keywrap",     "iothreadids", "memoryBacking",
        "currentMemory",  "@id",         "@type",       "os/loader",
        "os/nvram",       "os/kernel",   "os/initrd",   "os/cmdline",
        "os/boot",        "os/bootmenu", "os/bios",     "vcpu/@placement",
        "vcpu/@cpuset",   "cpu/@check",  "cpu/@match",  "clock/@basis",
        "throttlegroups", NULL,
};

/* The same below <devices>. */
static const char *const host_device_parts[] = {
        "emulator",
        "graphics",
        "audio",
        "*/alias",
        "disk/source",
        "disk/backingStore",
        "disk/mirror",
        "disk/auth",
        "disk/encryption",
        "disk/iotune",
        "disk/throttlefilters",
        "disk/boot",
        "disk/@type",
        "interface/source",
        "interface/@type",
        "interface/virtualport",
        "interface/bandwidth",
        "interface/filterref",
        "interface/target",
        "interface/backend",
        "interface/link",
        "interface/script",
        "interface/downscript",
        "interface/coalesce",
        "interface/port",
        "interface/boot",
        "interface/ip",
        "interface/route",
        "serial/@type",
        "serial/source",
        "serial/log",
        "serial/protocol",
        "parallel/@type",
        "parallel/source",
        "parallel/log",
        "parallel/protocol",
        "console/@type",
        "console/@tty",
        "console/source",
        "console/log",
        "console/protocol",
        "channel/@type",
        "channel/source",
        "channel/log",
        "channel/protocol",
        "redirdev/@type",
        "redirdev/source",
        "redirdev/protocol",
        "rng/backend",
        "filesystem/source",
        "filesystem/binary",
        "sound/audio",
        "memballoon/stats",
        "serial/@tty",
        NULL,
};

/* What is the host's, but for some attributes and elements. */
static const struct {
        const char *device, *part, *seen[8];
} mixed_parts[] = {
        { "disk",
          "driver",
          { "queues", "queue_size", "event_idx", "iommu", "ats", "packed", "page_per_vq", NULL } },
        { "tpm", "backend", { "type", "version", NULL } },
        { "memory", "source", { "alignsize", "pmem", NULL } },
};

static bool is_part(const char *const parts[], const char *element, const char *part)
{
        for (unsigned i = 0; parts[i]; i++) {
                const char *slash = strchr(parts[i], '/');
                size_t length = slash ? (size_t)(slash - parts[i]) : strlen(parts[i]);

                if (!part && !slash && strcmp(parts[i], element) == 0)
                        return true;
                if (part && slash && strcmp(slash + 1, part) == 0 &&
                    (strncmp(parts[i], "*", length) == 0 ||
                     (strlen(element) == length && strncmp(parts[i], element, length) == 0)))
                        return true;
        }
        return false;
}

static void drop_attributes(const char *const parts[], const char *element, xmlNode *node)
{
        for (xmlAttr *attr = node->properties, *next; attr; attr = next) {
                g_autofree char *part = g_strconcat("@", (const char *)attr->name, NULL);

                next = attr->next;
                if (is_part(parts, element ? element : part, element ? part : NULL))
                        xmlRemoveProp(attr);
        }
}

static void drop_parts(const char *const parts[], xmlNode *parent)
{
        for (xmlNode *node = xml_first_element(parent), *next; node; node = next) {
                const char *name = (const char *)node->name;

                next = xml_next_element(node);
                if (is_part(parts, name, NULL)) {
                        xml_remove(node);
                        continue;
                }
                drop_attributes(parts, name, node);
                for (xmlNode *child = xml_first_element(node), *after; child; child = after) {
                        after = xml_next_element(child);
                        if (is_part(parts, name, (const char *)child->name))
                                xml_remove(child);
                }
        }
}

/* In one order, wherever they stood: documents are compared as texts. */
static void keep_parts(xmlNode *node, const char *const seen[])
{
        xmlNode *kept = xml_add(node->parent, (const char *)node->name);

        for (unsigned i = 0; seen[i]; i++) {
                g_autofree char *value = xml_attr(node, seen[i]);
                xmlNode *child = xml_child(node, seen[i]);

                if (value)
                        xml_set_attr(kept, seen[i], value);
                if (child)
                        xml_add_copy(kept, child);
        }
        if (!kept->properties && !xml_first_element(kept))
                xml_remove(kept);
        xml_remove(node);
}

static void reduce_mixed(xmlNode *devices)
{
        for (xmlNode *node = xml_first_element(devices); node; node = xml_next_element(node)) {
                for (unsigned i = 0; i < G_N_ELEMENTS(mixed_parts); i++) {
                        xmlNode *part = xml_is(node, mixed_parts[i].device)
                                                ? xml_child(node, mixed_parts[i].part)
                                                : NULL;

                        if (part)
                                keep_parts(part, mixed_parts[i].seen);
                }
        }
}

/* What the guest sees is left. */
static struct domain_edit *reduce(const struct domain_def *def, GError **error)
{
        struct domain_edit *edit = domain_edit_new(def, error);

        if (!edit)
                return NULL;
        drop_attributes(host_parts, NULL, domain_edit_root(edit));
        drop_parts(host_parts, domain_edit_root(edit));
        drop_parts(host_device_parts, xml_child(domain_edit_root(edit), "devices"));
        reduce_mixed(xml_child(domain_edit_root(edit), "devices"));
        return edit;
}

static bool is_same(const xmlNode *one, const xmlNode *other)
{
        g_autofree char *before = one ? xml_write(one->doc, one) : NULL;
        g_autofree char *after = other ? xml_write(other->doc, other) : NULL;

        return g_strcmp0(before, after) == 0;
}

/* The first element that is not the same in both; NULL: all are. */
static const xmlNode *find_difference(const xmlNode *before, const xmlNode *after)
{
        const xmlNode *one = xml_first_element(before), *other = xml_first_element(after);

        for (; one || other; one = xml_next_element(one), other = xml_next_element(other)) {
                if (one && other && xml_is(one, "devices") && xml_is(other, "devices")) {
                        const xmlNode *deeper = find_difference(one, other);

                        if (deeper)
                                return deeper;
                } else if (!is_same(one, other)) {
                        return one ? one : other;
                }
                if (!one || !other)
                        break;
        }
        return NULL;
}

/* A guest of KVM has clocks of KVM's, of which nothing else knows; one of another type is nothing special. */
static bool check_type(const struct domain_def *before, const struct domain_def *after, GError **error)
{
        return strcmp(before->type, "kvm") != 0 || strcmp(after->type, "kvm") == 0 ||
               error_set(error, ERROR_FROM_DOMAIN, ERROR_CONFIG_UNSUPPORTED,
                         "the saved guest of domain '%s' is one of type 'kvm', and cannot go on as type '%s'",
                         before->base.name, after->type);
}

bool domain_def_check_same_guest(const struct domain_def *before, const struct domain_def *after,
                                 GError **error)
{
        CLEANUP(domain_edit_free) struct domain_edit *one = reduce(before, error);
        CLEANUP(domain_edit_free) struct domain_edit *other = one ? reduce(after, error) : NULL;
        const xmlNode *difference;

        if (!other || !check_type(before, after, error))
                return false;
        difference = find_difference(domain_edit_root(one), domain_edit_root(other));
        if (!difference)
                return true;
        return error_set(error, ERROR_FROM_DOMAIN, ERROR_CONFIG_UNSUPPORTED,
                         "<%s> is not as the saved guest of domain '%s' sees it",
                         (const char *)difference->name, before->base.name);
}
