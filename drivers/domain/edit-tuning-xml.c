/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Changing what a domain gets of its host: how many CPUs, which, and how much of what. No state beside the
 * edit; any thread.
 */
#include "base/error.h"
#include "drivers/domain/cpuset.h"
#include "drivers/domain/edit-private-xml.h"
#include "drivers/domain/hardware-xml.h"
#include "drivers/domain/vcpu-list.h"

#include <inttypes.h>

/* What is empty goes. */
static void tidy_up(xmlNode *node)
{
        if (node && !xml_first_element(node))
                xml_remove(node);
}

static xmlNode *find_numbered(const xmlNode *parent, const char *name, const char *attr, unsigned number)
{
        g_autofree char *text = g_strdup_printf("%u", number);

        XML_FOREACH_CHILD (node, parent) {
                if (xml_is(node, name) && hardware_is(node, attr, text))
                        return node;
        }
        return NULL;
}

/* ---- vCPUs ---- */

void domain_edit_set_vcpu_list(struct domain_edit *edit, const struct domain_vcpu *vcpus, unsigned max)
{
        xmlNode *list = hardware_child(domain_edit_root(edit), "vcpus");

        xml_remove_children(list, "vcpu");
        for (unsigned i = 0; i < max; i++) {
                xmlNode *node = xml_add(list, "vcpu");

                xml_set_attr_format(node, "id", "%u", vcpus[i].id);
                xml_set_attr(node, "enabled", vcpus[i].enabled ? "yes" : "no");
                xml_set_attr(node, "hotpluggable", vcpus[i].hotpluggable == DOMAIN_SWITCH_ON ? "yes" : "no");
                if (vcpus[i].order)
                        xml_set_attr_format(node, "order", "%u", vcpus[i].order);
        }
        domain_edit_set_vcpus(edit, domain_vcpu_list_count(vcpus, max), max);
}

static void drop_above(xmlNode *parent, const char *name, const char *attr, unsigned count)
{
        for (xmlNode *node = xml_first_element(parent), *next; node; node = next) {
                unsigned number = 0;

                next = xml_next_element(node);
                if (xml_is(node, name) && xml_get_uint(node, attr, &number, NULL) && number >= count)
                        xml_remove(node);
        }
}

void domain_edit_drop_vcpus(struct domain_edit *edit, unsigned count)
{
        xmlNode *cputune = xml_child(domain_edit_root(edit), "cputune");

        drop_above(cputune, "vcpupin", "vcpu", count);
        tidy_up(cputune);
}

/* ---- where they run ---- */

static const struct {
        const char *element, *attr;
} pins[] = {
        [DOMAIN_THREADS_VCPU] = { "vcpupin", "vcpu" },
        [DOMAIN_THREADS_EMULATOR] = { "emulatorpin", NULL },
        [DOMAIN_THREADS_IOTHREAD] = { "iothreadpin", "iothread" },
};

void domain_edit_set_pin(struct domain_edit *edit, enum domain_threads who, unsigned id,
                         const struct domain_cpuset *cpus)
{
        xmlNode *cputune = hardware_child(domain_edit_root(edit), "cputune");
        xmlNode *node = pins[who].attr ? find_numbered(cputune, pins[who].element, pins[who].attr, id)
                                       : xml_child(cputune, pins[who].element);

        if (cpus) {
                g_autofree char *text = domain_cpuset_format(cpus);

                if (!node)
                        node = xml_add(cputune, pins[who].element);
                if (pins[who].attr)
                        xml_set_attr_format(node, pins[who].attr, "%u", id);
                xml_set_attr(node, "cpuset", text);
        } else if (node) {
                xml_remove(node);
        }
        tidy_up(cputune);
}

/* ---- how much they get ---- */

void domain_edit_set_tuning(struct domain_edit *edit, const char *section, const char *element,
                            const char *text, const char *unit)
{
        xmlNode *parent = hardware_child(domain_edit_root(edit), section), *node;

        if (text) {
                node = hardware_child(parent, element);
                xml_set_text(node, text);
                xml_set_attr(node, "unit", unit);
        } else {
                xml_remove_children(parent, element);
        }
        tidy_up(parent);
}

void domain_edit_set_numatune(struct domain_edit *edit, const char *mode, const char *nodes)
{
        xmlNode *memory = hardware_child(hardware_child(domain_edit_root(edit), "numatune"), "memory");

        xml_set_attr(memory, "mode", mode);
        xml_set_attr(memory, "nodeset", nodes);
        xml_set_attr(memory, "placement", NULL);
}

void domain_edit_place(struct domain_edit *edit, const char *cpus, const char *nodes)
{
        xmlNode *memory;

        if (cpus)
                xml_set_attr(hardware_child(domain_edit_root(edit), "vcpu"), "cpuset", cpus);
        if (!nodes)
                return;
        memory = hardware_child(hardware_child(domain_edit_root(edit), "numatune"), "memory");
        hardware_default(memory, "mode", "strict");
        xml_set_attr(memory, "nodeset", nodes);
        xml_set_attr(memory, "placement", "auto");
}

static xmlNode *find_blkio_device(const xmlNode *parent, const char *path)
{
        XML_FOREACH_CHILD (node, parent) {
                g_autofree char *its = xml_is(node, "device") ? xml_child_text(node, "path") : NULL;

                if (g_strcmp0(its, path) == 0)
                        return node;
        }
        return NULL;
}

void domain_edit_set_blkio_device(struct domain_edit *edit, const char *path, const char *element,
                                  uint64_t value)
{
        xmlNode *parent = hardware_child(domain_edit_root(edit), "blkiotune");
        xmlNode *device = find_blkio_device(parent, path);

        if (!device && value > 0) {
                device = xml_add(parent, "device");
                xml_add_text(device, "path", path);
        }
        if (device)
                xml_remove_children(device, element);
        if (device && value > 0)
                xml_add_text_format(device, element, "%" PRIu64, value);
        /* Only its path is left. */
        if (device && !xml_next_element(xml_first_element(device)))
                xml_remove(device);
        tidy_up(parent);
}

void domain_edit_set_perf_event(struct domain_edit *edit, const char *name, bool enabled)
{
        xmlNode *perf = hardware_child(domain_edit_root(edit), "perf"), *event;

        for (xmlNode *node = xml_first_element(perf), *next; node; node = next) {
                next = xml_next_element(node);
                if (hardware_is(node, "name", name))
                        xml_remove(node);
        }
        if (enabled) {
                event = xml_add(perf, "event");
                xml_set_attr(event, "name", name);
                xml_set_attr(event, "enabled", "yes");
        }
        tidy_up(perf);
}

/* ---- I/O threads ---- */

static void set_iothread_count(struct domain_edit *edit, unsigned count)
{
        g_autofree char *text = g_strdup_printf("%u", count);

        if (count > 0)
                xml_set_text(hardware_child(domain_edit_root(edit), "iothreads"), text);
        else
                xml_remove_children(domain_edit_root(edit), "iothreads");
}

/* Which numbers they have, for those as well that have them without being told. */
static xmlNode *list_iothreads(struct domain_edit *edit, const struct domain_def *def)
{
        xmlNode *list = hardware_child(domain_edit_root(edit), "iothreadids");

        for (unsigned i = 0; i < def->iothreads; i++) {
                if (!find_numbered(list, "iothread", "id", def->iothread_list[i].id))
                        xml_set_attr_format(xml_add(list, "iothread"), "id", "%u",
                                            (unsigned)def->iothread_list[i].id);
        }
        return list;
}

void domain_edit_add_iothread(struct domain_edit *edit, const struct domain_def *def, unsigned id)
{
        xmlNode *list = list_iothreads(edit, def);

        xml_set_attr_format(xml_add(list, "iothread"), "id", "%u", id);
        set_iothread_count(edit, def->iothreads + 1);
}

/* Out of each <iothreadsched>, which goes with its last one. */
static void drop_schedulers(xmlNode *cputune, unsigned id)
{
        for (xmlNode *node = xml_first_element(cputune), *next; node; node = next) {
                uint64_t words[DOMAIN_VCPUS_MAX / 64] = { 0 };
                const struct domain_cpuset set = { words, G_N_ELEMENTS(words) };
                const char *text = hardware_peek(node, "iothreads");
                g_autofree char *left = NULL;

                next = xml_next_element(node);
                if (!xml_is(node, "iothreadsched") || !text || id >= DOMAIN_VCPUS_MAX ||
                    !domain_cpuset_parse(text, DOMAIN_VCPUS_MAX, words))
                        continue;
                words[id / 64] &= ~(UINT64_C(1) << (id % 64));
                left = domain_cpuset_format(&set);
                if (*left)
                        xml_set_attr(node, "iothreads", left);
                else
                        xml_remove(node);
        }
}

void domain_edit_drop_iothread(struct domain_edit *edit, const struct domain_def *def, unsigned id)
{
        xmlNode *list = list_iothreads(edit, def), *cputune;
        xmlNode *node = find_numbered(list, "iothread", "id", id);

        if (node)
                xml_remove(node);
        tidy_up(list);
        set_iothread_count(edit, def->iothreads - 1);
        domain_edit_set_pin(edit, DOMAIN_THREADS_IOTHREAD, id, NULL);
        cputune = xml_child(domain_edit_root(edit), "cputune");
        drop_schedulers(cputune, id);
        tidy_up(cputune);
}

/* ---- devices ---- */

static xmlNode *find_device(struct domain_edit *edit, const char *kind, unsigned index)
{
        unsigned count = 0;

        XML_FOREACH_CHILD (node, xml_child(domain_edit_root(edit), "devices")) {
                if (xml_is(node, kind) && count++ == index)
                        return node;
        }
        return NULL;
}

static void add_limits(xmlNode *node, const struct domain_iotune *tune)
{
        struct domain_iotune limits = *tune;

        for (unsigned i = 0; i < DOMAIN_IOTUNE_LIMITS; i++) {
                uint64_t limit = *domain_iotune_get_limit(&limits, i);

                if (limit > 0)
                        xml_add_text_format(node, domain_iotune_limits[i].name, "%" PRIu64, limit);
        }
}

void domain_edit_set_throttle_group(struct domain_edit *edit, const char *name,
                                    const struct domain_iotune *tune)
{
        XML_FOREACH_CHILD (group, xml_child(domain_edit_root(edit), "throttlegroups")) {
                g_autofree char *text = xml_child_text(group, "group_name");

                if (g_strcmp0(text, name) != 0)
                        continue;
                for (unsigned i = 0; i < DOMAIN_IOTUNE_LIMITS; i++)
                        xml_remove_children(group, domain_iotune_limits[i].name);
                add_limits(group, tune);
                return;
        }
}

void domain_edit_set_disk_iotune(struct domain_edit *edit, unsigned index, const struct domain_iotune *tune)
{
        xmlNode *disk = find_device(edit, "disk", index), *iotune;

        if (!disk)
                return;
        xml_remove_children(disk, "iotune");
        iotune = xml_add(disk, "iotune");
        add_limits(iotune, tune);
        if (tune->group_name)
                xml_add_text(iotune, "group_name", tune->group_name);
        tidy_up(iotune);
}

static void add_rate(xmlNode *bandwidth, const char *direction, const struct traffic_rate *rate)
{
        const struct {
                const char *name;
                uint32_t value;
        } values[] = { { "average", rate->average_kbps },
                       { "peak", rate->peak_kbps },
                       { "burst", rate->burst_kib },
                       { "floor", rate->floor_kbps } };
        xmlNode *node = NULL;

        for (unsigned i = 0; i < G_N_ELEMENTS(values); i++) {
                if (values[i].value == 0)
                        continue;
                if (!node)
                        node = xml_add(bandwidth, direction);
                xml_set_attr_format(node, values[i].name, "%u", (unsigned)values[i].value);
        }
}

void domain_edit_set_interface_bandwidth(struct domain_edit *edit, unsigned index,
                                         const struct traffic *traffic)
{
        xmlNode *interface = find_device(edit, "interface", index), *bandwidth;

        if (!interface)
                return;
        xml_remove_children(interface, "bandwidth");
        bandwidth = xml_add(interface, "bandwidth");
        add_rate(bandwidth, "inbound", &traffic->inbound);
        add_rate(bandwidth, "outbound", &traffic->outbound);
        tidy_up(bandwidth);
}
