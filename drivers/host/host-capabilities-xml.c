/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Writing the <capabilities> document. Any thread. */

#include "drivers/host/host-capabilities-xml.h"
#include "drivers/host/host.h"
#include "drivers/host/resctrl.h"

static void add_feature(const char *name, void *data)
{
        xml_set_attr(xml_add(data, "feature"), "name", name);
}

static void add_counts(xmlNode *parent, const struct host *host)
{
        xmlNode *node = xml_add(parent, "topology");
        struct host_node_info info;

        host_get_node_info(host, &info);
        xml_set_attr_format(node, "sockets", "%u", info.counts.sockets);
        xml_set_attr(node, "dies", "1");
        xml_set_attr_format(node, "cores", "%u", info.counts.cores);
        xml_set_attr_format(node, "threads", "%u", info.counts.threads);
}

static void add_cpu_details(xmlNode *parent, const struct host *host, const struct host_cpu *cpu)
{
        const char *vendor = cpu_vendor_get_name(cpu->identity.vendor);
        struct cpu_features extra = cpu->features;
        xmlNode *node;

        if (cpu->model) {
                struct cpu_features own;

                cpu_model_get_features(cpu->model, &own);
                extra = cpu_features_minus(&cpu->features, &own);
                xml_add_text(parent, "model", cpu->model->name);
        }
        if (vendor)
                xml_add_text(parent, "vendor", vendor);
        if (cpu->microcode)
                xml_set_attr_format(xml_add(parent, "microcode"), "version", "%" G_GUINT64_FORMAT,
                                    cpu->microcode);
        node = xml_add(parent, "signature");
        xml_set_attr_format(node, "family", "%u", cpu->identity.family);
        xml_set_attr_format(node, "model", "%u", cpu->identity.model);
        xml_set_attr_format(node, "stepping", "%u", cpu->identity.stepping);
        add_counts(parent, host);
        if (cpu->physical_bits) {
                node = xml_add(parent, "maxphysaddr");
                xml_set_attr(node, "mode", "emulate");
                xml_set_attr_format(node, "bits", "%u", cpu->physical_bits);
        }
        if (cpu->model)
                cpu_features_foreach(&extra, add_feature, parent);
}

static void add_cpu(xmlNode *parent, const struct host *host, const struct host_capabilities_options *options,
                    const struct topology *topology)
{
        const struct host_cpu *cpu = host_get_cpu(host);
        xmlNode *node = xml_add(parent, "cpu");

        xml_add_text(node, "arch", host_get_arch(host));
        if (options->cpu_flags) {
                xmlNode *flags = xml_add(node, "features");

                for (unsigned i = 0; options->cpu_flags[i]; i++)
                        xml_add(flags, options->cpu_flags[i]);
        }
        if (cpu)
                add_cpu_details(node, host, cpu);
        for (unsigned i = 0; i < topology->page_sizes->len; i++) {
                xmlNode *pages = xml_add(node, "pages");

                xml_set_attr(pages, "unit", "KiB");
                xml_set_attr_format(pages, "size", "%u", g_array_index(topology->page_sizes, unsigned, i));
        }
}

static void add_power(xmlNode *parent, const struct host *host)
{
        xmlNode *node = xml_add(parent, "power_management");
        struct host_power power;

        host_get_power(host, &power);
        if (power.suspend_mem)
                xml_add(node, "suspend_mem");
        if (power.suspend_disk)
                xml_add(node, "suspend_disk");
        if (power.suspend_hybrid)
                xml_add(node, "suspend_hybrid");
}

static void add_migration(xmlNode *parent, const char *const *transports)
{
        xmlNode *node, *uris;

        if (!transports)
                return;
        node = xml_add(parent, "migration_features");
        xml_add(node, "live");
        uris = xml_add(node, "uri_transports");
        for (unsigned i = 0; transports[i]; i++)
                xml_add_text(uris, "uri_transport", transports[i]);
}

static void add_cell_pages(xmlNode *parent, const GArray *pages)
{
        for (unsigned i = 0; i < pages->len; i++) {
                const struct topology_pages *one = &g_array_index(pages, struct topology_pages, i);
                xmlNode *node = xml_add_text_format(parent, "pages", "%" G_GUINT64_FORMAT, one->count);

                xml_set_attr(node, "unit", "KiB");
                xml_set_attr_format(node, "size", "%u", one->size_kib);
        }
}

static void add_cell_distances(xmlNode *parent, const GArray *distances)
{
        xmlNode *node;

        if (!distances->len)
                return;
        node = xml_add(parent, "distances");
        for (unsigned i = 0; i < distances->len; i++) {
                const struct topology_distance *distance =
                        &g_array_index(distances, struct topology_distance, i);
                xmlNode *sibling = xml_add(node, "sibling");

                xml_set_attr_format(sibling, "id", "%u", distance->cell);
                xml_set_attr_format(sibling, "value", "%u", distance->value);
        }
}

static void add_cell_cpus(xmlNode *parent, const GArray *cpus)
{
        xmlNode *node = xml_add(parent, "cpus");

        xml_set_attr_format(node, "num", "%u", cpus->len);
        for (unsigned i = 0; i < cpus->len; i++) {
                const struct topology_cpu *cpu = &g_array_index(cpus, struct topology_cpu, i);
                xmlNode *element = xml_add(node, "cpu");

                xml_set_attr_format(element, "id", "%u", cpu->id);
                xml_set_attr_format(element, "socket_id", "%u", cpu->socket);
                xml_set_attr_format(element, "die_id", "%u", cpu->die);
                xml_set_attr_format(element, "core_id", "%u", cpu->core);
                xml_set_attr(element, "siblings", cpu->siblings);
        }
}

static void add_topology(xmlNode *parent, const struct topology *topology)
{
        xmlNode *cells = xml_add(xml_add(parent, "topology"), "cells");

        xml_set_attr_format(cells, "num", "%u", topology->cells->len);
        for (unsigned i = 0; i < topology->cells->len; i++) {
                const struct topology_cell *cell = g_ptr_array_index(topology->cells, i);
                xmlNode *node = xml_add(cells, "cell");
                xmlNode *memory;

                xml_set_attr_format(node, "id", "%u", cell->id);
                memory = xml_add_text_format(node, "memory", "%" G_GUINT64_FORMAT, cell->memory_kib);
                xml_set_attr(memory, "unit", "KiB");
                add_cell_pages(node, cell->pages);
                add_cell_distances(node, cell->distances);
                add_cell_cpus(node, cell->cpus);
        }
}

/* In which parts a cache is given out, in the largest unit that divides them. */
static void add_control(xmlNode *bank, const struct resctrl_resource *resource, uint64_t size_kib)
{
        static const char *const units[] = { "B", "KiB", "MiB" };
        uint64_t granularity = size_kib * 1024 / resctrl_count_bits(resource->mask);
        xmlNode *node = xml_add(bank, "control");
        unsigned unit = 0;

        while (unit + 1 < G_N_ELEMENTS(units) && granularity > 0 && granularity % 1024 == 0) {
                granularity /= 1024;
                unit++;
        }
        xml_set_attr_format(node, "granularity", "%" G_GUINT64_FORMAT, granularity);
        if (resource->min_bits > 1)
                xml_set_attr_format(node, "min", "%" G_GUINT64_FORMAT, granularity * resource->min_bits);
        xml_set_attr(node, "unit", units[unit]);
        xml_set_attr(node, "type", resource->type);
        xml_set_attr_format(node, "maxAllocs", "%u", resource->groups);
}

static void add_controls(xmlNode *bank, const struct resctrl *resctrl, const struct topology_cache *cache)
{
        static const char *const types[] = { "both", "code", "data" };

        for (unsigned i = 0; resctrl && i < G_N_ELEMENTS(types); i++) {
                const struct resctrl_resource *resource = resctrl_find(resctrl, cache->level, types[i]);

                if (resource)
                        add_control(bank, resource, cache->size_kib);
        }
}

/* What is counted of groups: of the last cache ("llc_"), or of memory bandwidth ("mbm_"). */
static void add_monitor(xmlNode *parent, const struct resctrl *resctrl, unsigned level, const char *prefix)
{
        xmlNode *node = NULL;

        if (!resctrl || resctrl->monitors == 0)
                return;
        for (unsigned i = 0; resctrl->features[i]; i++) {
                if (!g_str_has_prefix(resctrl->features[i], prefix))
                        continue;
                if (!node)
                        node = xml_add(parent, "monitor");
                xml_set_attr(xml_add(node, "feature"), "name", resctrl->features[i]);
        }
        if (!node)
                return;
        if (level > 0) {
                xml_set_attr_format(node, "level", "%u", level);
                xml_set_attr_format(node, "reuseThreshold", "%" G_GUINT64_FORMAT, resctrl->reuse_threshold);
        }
        xml_set_attr_format(node, "maxMonitors", "%u", resctrl->monitors);
}

static void add_caches(xmlNode *parent, const struct topology *topology, const struct resctrl *resctrl)
{
        xmlNode *node;

        if (!topology->caches->len)
                return;
        node = xml_add(parent, "cache");
        for (unsigned i = 0; i < topology->caches->len; i++) {
                const struct topology_cache *cache = g_ptr_array_index(topology->caches, i);
                bool mib = cache->size_kib && cache->size_kib % 1024 == 0;
                xmlNode *bank = xml_add(node, "bank");

                xml_set_attr_format(bank, "id", "%u", cache->id);
                xml_set_attr_format(bank, "level", "%u", cache->level);
                xml_set_attr(bank, "type", cache->type);
                xml_set_attr_format(bank, "size", "%" G_GUINT64_FORMAT,
                                    mib ? cache->size_kib / 1024 : cache->size_kib);
                xml_set_attr(bank, "unit", mib ? "MiB" : "KiB");
                xml_set_attr(bank, "cpus", cache->cpus ? cache->cpus : "");
                add_controls(bank, resctrl, cache);
        }
        add_monitor(node, resctrl, RESCTRL_MONITOR_LEVEL, "llc_");
}

/* Memory is told apart by the last cache before it. */
static void add_bandwidth(xmlNode *parent, const struct topology *topology, const struct resctrl *resctrl)
{
        const struct resctrl_resource *resource = resctrl ? resctrl_find(resctrl, 0, NULL) : NULL;
        const struct topology_cache *last = NULL;
        xmlNode *node = NULL;

        if (topology->caches->len > 0)
                last = g_ptr_array_index(topology->caches, topology->caches->len - 1);
        if (resource && last)
                node = xml_add(parent, "memory_bandwidth");
        for (unsigned i = 0; node && i < topology->caches->len; i++) {
                const struct topology_cache *cache = g_ptr_array_index(topology->caches, i);
                xmlNode *bank, *control;

                if (cache->level != last->level)
                        continue;
                bank = xml_add(node, "node");
                xml_set_attr_format(bank, "id", "%u", cache->id);
                xml_set_attr(bank, "cpus", cache->cpus ? cache->cpus : "");
                control = xml_add(bank, "control");
                xml_set_attr_format(control, "granularity", "%u", resource->granularity);
                xml_set_attr_format(control, "min", "%u", resource->minimum);
                xml_set_attr_format(control, "maxAllocs", "%u", resource->groups);
        }
        if (node)
                add_monitor(node, resctrl, 0, "mbm_");
}

static void add_secmodel(xmlNode *parent, const struct host_secmodel *secmodel)
{
        xmlNode *node = xml_add(parent, "secmodel");
        const char *const *labels = secmodel->baselabels;

        xml_add_text(node, "model", secmodel->model);
        xml_add_text(node, "doi", secmodel->doi);
        for (unsigned i = 0; labels && labels[i]; i += 2)
                xml_set_attr(xml_add_text(node, "baselabel", labels[i + 1]), "type", labels[i]);
}

xmlDoc *host_capabilities_new(const struct host *host, const struct host_capabilities_options *options)
{
        CLEANUP(topology_free) struct topology *topology = host_get_topology(host);
        CLEANUP(resctrl_free)
        struct resctrl *resctrl = host_get_root(host) ? resctrl_new(host_get_root(host)) : NULL;
        xmlDoc *doc = xml_new("capabilities");
        xmlNode *node = xml_add(xml_root(doc), "host");
        char uuid[UUID_STRING_LENGTH + 1];

        if (host_get_uuid(host))
                xml_add_text(node, "uuid", uuid_format(host_get_uuid(host), uuid));
        add_cpu(node, host, options, topology);
        add_power(node, host);
        xml_set_attr(xml_add(node, "iommu"), "support", host_has_iommu(host) ? "yes" : "no");
        add_migration(node, options->migration_transports);
        add_topology(node, topology);
        add_caches(node, topology, resctrl);
        add_bandwidth(node, topology, resctrl);
        for (unsigned i = 0; i < options->n_secmodels; i++)
                add_secmodel(node, &options->secmodels[i]);
        return doc;
}

xmlNode *host_capabilities_add_guest(xmlDoc *doc, const struct host_capabilities_guest *guest,
                                     void (*add_machines)(xmlNode *arch, void *data), void *data)
{
        xmlNode *node = xml_add(xml_root(doc), "guest");
        xmlNode *arch;

        xml_add_text(node, "os_type", guest->os_type);
        arch = xml_add(node, "arch");
        xml_set_attr(arch, "name", guest->arch);
        xml_add_text_format(arch, "wordsize", "%u", guest->wordsize);
        xml_add_text(arch, "emulator", guest->emulator);
        if (add_machines)
                add_machines(arch, data);
        for (unsigned i = 0; guest->domain_types[i]; i++)
                xml_set_attr(xml_add(arch, "domain"), "type", guest->domain_types[i]);
        return xml_add(node, "features");
}

char *host_capabilities_format_test(const struct host *host)
{
        static const struct host_secmodel secmodel = { .model = "testSecurity", .doi = "" };
        static const char *const flags[] = { "pae", "nonpae", NULL };
        static const char *const domain_types[] = { "test", NULL };
        static const char *const os_types[] = { "hvm", "xen" };
        struct host_capabilities_options options = { .secmodels = &secmodel,
                                                     .n_secmodels = 1,
                                                     .cpu_flags = flags };
        g_autoptr(xmlDoc) doc = host_capabilities_new(host, &options);

        for (unsigned i = 0; i < G_N_ELEMENTS(os_types); i++) {
                struct host_capabilities_guest guest = {
                        .os_type = os_types[i],
                        .arch = "i686",
                        .wordsize = 32,
                        .emulator = "/usr/bin/test-hv",
                        .domain_types = domain_types,
                };
                xmlNode *features = host_capabilities_add_guest(doc, &guest, NULL, NULL);

                for (unsigned j = 0; flags[j]; j++)
                        xml_add(features, flags[j]);
        }
        return xml_write(doc, NULL);
}
