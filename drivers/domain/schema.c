/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The tables of <domain> without its devices, from the leaves up, and the look-up of attributes.
 */
#include "drivers/domain/schema.h"

#include <string.h>

#define MANY     DOMAIN_SCHEMA_MANY
#define UNDRIVEN DOMAIN_SCHEMA_UNDRIVEN
#define QEMU     DOMAIN_SCHEMA_QEMU
#define VOID     DOMAIN_SCHEMA_VOID
#define MERGED   DOMAIN_SCHEMA_MERGED

#define TABLE static const struct domain_schema

/* ---- resources ---- */

TABLE blkiotune_device[] = { { "path" },
                             { "weight", .flags = VOID },
                             { "read_iops_sec" },
                             { "write_iops_sec" },
                             { "read_bytes_sec" },
                             { "write_bytes_sec" },
                             {} };
TABLE throttlegroups[] = { { "throttlegroup", NULL, domain_schema_iotune, MANY }, {} }; /* of 11.2 */
TABLE blkiotune[] = { { "weight", .flags = VOID }, { "device", NULL, blkiotune_device, MANY }, {} };

TABLE memtune[] = {
        { "hard_limit", "?unit", .flags = VOID },
        { "soft_limit", "?unit", .flags = VOID },
        { "min_guarantee", "?unit", .flags = VOID },
        { "swap_hard_limit", "?unit", .flags = VOID },
        {},
};

TABLE hugepages[] = { { "page", "size ?unit nodeset", .flags = MANY }, {} };
TABLE memory_backing[] = {
        { "hugepages", NULL, hugepages },
        { "nosharepages" },
        { "locked" },
        { "source", "?type", .flags = VOID },
        { "access", "?mode", .flags = VOID },
        { "allocation", "?mode ?threads", .flags = VOID },
        { "discard" },
        {},
};

TABLE vcpus[] = { { "vcpu", "id enabled hotpluggable order", .flags = MANY }, {} };
TABLE iothread[] = { { "poll", "max grow shrink", .flags = VOID }, {} };
TABLE iothreadids[] = { { "iothread", "id thread_pool_min thread_pool_max", iothread, MANY }, {} };

TABLE cache_monitor[] = { { "cache", "id level type size unit", .flags = MANY },
                          { "monitor", "level vcpus", .flags = MANY },
                          {} };
TABLE memory_bandwidth[] = { { "node", "id bandwidth", .flags = MANY },
                             { "monitor", "vcpus", .flags = MANY },
                             {} };

TABLE cputune[] = {
        { "shares", .flags = VOID },
        { "period", .flags = VOID },
        { "quota", .flags = VOID },
        { "global_period", .flags = VOID },
        { "global_quota", .flags = VOID },
        { "emulator_period", .flags = VOID },
        { "emulator_quota", .flags = VOID },
        { "iothread_period", .flags = VOID },
        { "iothread_quota", .flags = VOID },
        { "vcpupin", "vcpu cpuset", .flags = MANY },
        { "emulatorpin", "cpuset" },
        { "iothreadpin", "iothread cpuset", .flags = MANY },
        { "emulatorsched", "scheduler priority" },
        { "vcpusched", "vcpus scheduler priority", .flags = MANY },
        { "iothreadsched", "iothreads scheduler priority", .flags = MANY },
        { "cachetune", "vcpus id", cache_monitor, MANY },
        { "memorytune", "vcpus id", memory_bandwidth, MANY },
        {},
};

TABLE numatune[] = {
        { "memory", "mode nodeset placement", .flags = VOID },
        { "memnode", "cellid mode nodeset", .flags = MANY },
        {},
};

TABLE resource[] = { { "partition", .flags = VOID }, { "fibrechannel", "appid", .flags = UNDRIVEN }, {} };

TABLE idmap[] = {
        { "uid", "start target count", .flags = MANY },
        { "gid", "start target count", .flags = MANY },
        {},
};

/* ---- sysinfo, os, features ---- */

TABLE named_entries[] = { { "entry", "name", .flags = MANY | DOMAIN_SCHEMA_TEXT }, {} };
TABLE plain_entries[] = { { "entry", .flags = MANY }, {} };
TABLE sysinfo[] = {
        { "bios", NULL, named_entries, VOID },
        { "system", NULL, named_entries, VOID },
        { "baseBoard", NULL, named_entries, VOID | MANY },
        { "chassis", NULL, named_entries, VOID },
        { "oemStrings", NULL, plain_entries, VOID },
        { "entry", "name file", .flags = MANY },
        {},
};

TABLE firmware[] = { { "feature", "enabled name", .flags = MANY }, {} };
TABLE nvram_secret[] = { { "secret", "type uuid usage" }, {} };
TABLE nvram_iqn[] = { { "iqn", "?name", .flags = VOID }, {} };
TABLE nvram_cookies[] = { { "cookie", "name", .flags = MANY }, {} };
TABLE nvram_label[] = { { "label" }, {} };
TABLE nvram_disk_source[] = {
        { "host", "name port socket transport", .flags = MANY },
        { "snapshot", "?name", .flags = VOID },
        { "config", "?file", .flags = VOID },
        { "auth", "username", nvram_secret },
        { "slices", .flags = UNDRIVEN | DOMAIN_SCHEMA_OPAQUE },
        { "seclabel", "model relabel labelskip", nvram_label, VOID | MANY },
        { "encryption", .flags = UNDRIVEN | DOMAIN_SCHEMA_OPAQUE },
        { "reservations", .flags = UNDRIVEN | DOMAIN_SCHEMA_OPAQUE },
        { "initiator", NULL, nvram_iqn, VOID },
        { "ssl", "verify", .flags = VOID },
        { "cookies", NULL, nvram_cookies, VOID },
        { "readahead", "?size", .flags = VOID },
        { "timeout", "?seconds", .flags = VOID },
        { "reconnect", "delay" },
        { "identity", "user group" },
        {},
};
TABLE nvram_source[] = {
        { "source",
          "protocol name query tls tlsHostname file dev !dir !index !mode !path !pool !startupPolicy !type "
          "!volume !fdgroup !managed !namespace",
          nvram_disk_source },
        {},
};
TABLE acpi_table[] = { { "table", "type" }, {} };

TABLE os[] = {
        { "type", "?arch ?machine" },
        { "firmware", NULL, firmware },
        { "init", .flags = UNDRIVEN },
        { "initarg", .flags = MANY | UNDRIVEN },
        { "initenv", "name", .flags = MANY | UNDRIVEN },
        { "initdir", .flags = UNDRIVEN },
        { "inituser", .flags = UNDRIVEN },
        { "initgroup", .flags = UNDRIVEN },
        { "loader", "readonly secure type stateless format" },
        { "nvram", "template templateFormat type format", nvram_source },
        { "kernel", .flags = VOID },
        { "initrd", .flags = VOID },
        { "cmdline", .flags = VOID },
        { "root", .flags = UNDRIVEN },
        { "dtb", .flags = VOID },
        { "acpi", NULL, acpi_table, VOID },
        { "boot", "dev", .flags = MANY },
        { "bootmenu", "enable timeout", .flags = VOID },
        { "bios", "useserial rebootTimeout", .flags = VOID },
        { "smbios", "?mode", .flags = VOID },
        {},
};

TABLE stimer[] = { { "direct", "state" }, {} };
TABLE tlbflush[] = { { "direct", "state" }, { "extended", "state" }, {} };
TABLE hyperv[] = {
        { "relaxed", "state" },
        { "vapic", "state" },
        { "spinlocks", "state retries" },
        { "vpindex", "state" },
        { "runtime", "state" },
        { "synic", "state" },
        { "stimer", "state", stimer },
        { "reset", "state" },
        { "vendor_id", "state value" },
        { "frequencies", "state" },
        { "reenlightenment", "state" },
        { "tlbflush", "state", tlbflush },
        { "ipi", "state" },
        { "evmcs", "state" },
        { "avic", "state" },
        { "emsr_bitmap", "state" },
        { "xmm_input", "state" },
        {},
};
TABLE kvm[] = {
        { "hidden", "state" }, { "hint-dedicated", "state" },  { "poll-control", "state" },
        { "pv-ipi", "state" }, { "dirty-ring", "state size" }, {},
};
TABLE xen[] = { { "e820_host", "state" }, { "passthrough", "state mode" }, {} };
TABLE tseg[] = { { "tseg", "?unit", .flags = VOID }, {} };
TABLE max_page_size[] = { { "maxpagesize", "unit" }, {} };
TABLE tcg[] = { { "tb-cache", "?unit", .flags = VOID }, {} };

TABLE features[] = {
        { "acpi" },
        { "apic", "eoi" },
        { "pae" },
        { "hap", "state" },
        { "viridian" },
        { "privnet" },
        { "hyperv", "mode", hyperv, MERGED },
        { "kvm", NULL, kvm, MERGED },
        { "xen", NULL, xen, UNDRIVEN },
        { "pvspinlock", "state" },
        { "pmu", "state" },
        { "vmport", "state" },
        { "gic", "version" },
        { "smm", "state", tseg },
        { "ioapic", "driver", .flags = VOID },
        { "hpt", "resizing", max_page_size, UNDRIVEN },
        { "vmcoreinfo", "state" },
        { "htm", "state", .flags = UNDRIVEN },
        { "nested-hv", "state", .flags = UNDRIVEN },
        { "msrs", "unknown", .flags = UNDRIVEN },
        { "ccf-assist", "state", .flags = UNDRIVEN },
        { "cfpc", "value", .flags = UNDRIVEN },
        { "sbbc", "value", .flags = UNDRIVEN },
        { "ibs", "value", .flags = UNDRIVEN },
        { "tcg", NULL, tcg, VOID },
        { "ps2", "state" },
        { "async-teardown", "enabled" },
        { "capabilities", "policy", .flags = UNDRIVEN | DOMAIN_SCHEMA_OPAQUE },
        {},
};

/* ---- cpu, clock, power ---- */

TABLE distances[] = { { "sibling", "id value", .flags = MANY }, {} };
TABLE cell_cache[] = { { "size", "value unit" }, { "line", "value unit" }, {} };
TABLE numa_cell[] = {
        { "distances", NULL, distances },
        { "cache", "level associativity policy", cell_cache, MANY },
        {},
};
TABLE interconnects[] = {
        { "latency", "initiator target cache type value unit", .flags = MANY },
        { "bandwidth", "initiator target cache type value unit", .flags = MANY },
        {},
};
TABLE numa[] = {
        { "cell", "id cpus memory ?unit memAccess discard", numa_cell, MANY },
        { "interconnects", NULL, interconnects },
        {},
};
TABLE cpu[] = {
        { "model", "?fallback ?vendor_id", .flags = VOID },
        { "vendor", .flags = VOID },
        { "topology", "sockets dies clusters cores threads" },
        { "cache", "level mode" },
        { "maxphysaddr", "mode bits limit" },
        { "feature", "policy name", .flags = MANY },
        { "numa", NULL, numa },
        {},
};

TABLE catchup[] = { { "catchup", "threshold slew limit", .flags = VOID }, {} };
TABLE clock_timers[] = { { "timer", "name present tickpolicy track mode frequency", catchup, MANY }, {} };

TABLE pm[] = { { "suspend-to-mem", "enabled", .flags = VOID },
               { "suspend-to-disk", "enabled", .flags = VOID },
               {} };
TABLE perf[] = { { "event", "name enabled", .flags = MANY }, {} };

/* ---- security, extensions ---- */

TABLE seclabel[] = { { "label" }, { "imagelabel" }, { "baselabel", .flags = VOID }, {} };
TABLE keywrap[] = { { "cipher", "name state", .flags = MANY }, {} };
TABLE launch_security[] = {
        { "cbitpos" },
        { "reducedPhysBits" },
        { "policy" },
        { "dhCert" },
        { "session" },
        { "guestVisibleWorkarounds" },
        { "idBlock" },
        { "idAuth" },
        { "hostData" },
        { "mrConfigId" },
        { "mrOwner" },
        { "mrOwnerConfig" },
        { "quoteGenerationService", "path", .flags = UNDRIVEN },
        {},
};

TABLE sharing[] = {
        { "sharenet", "type value" },
        { "shareipc", "type value" },
        { "shareuts", "type value" },
        {},
};

TABLE commandline[] = {
        { "arg", "value", .flags = MANY | QEMU },
        { "env", "name value", .flags = MANY | QEMU },
        {},
};
TABLE capabilities[] = {
        { "add", "capability", .flags = MANY | QEMU },
        { "del", "capability", .flags = MANY | QEMU },
        {},
};
TABLE property[] = { { "property", "name type value", .flags = MANY | QEMU }, {} };
TABLE frontend[] = { { "frontend", NULL, property, QEMU }, {} };
TABLE override[] = { { "device", "alias", frontend, MANY | QEMU }, {} };

TABLE domain[] = {
        { "name" },
        { "uuid", .flags = VOID },
        { "genid" },
        { "title", .flags = VOID },
        { "description", .flags = VOID },
        { "metadata", .flags = MERGED | DOMAIN_SCHEMA_OPAQUE },
        { "maxMemory", "slots ?unit", .flags = VOID },
        { "memory", "dumpCore ?unit" },
        { "currentMemory", "?unit", .flags = VOID },
        { "blkiotune", NULL, blkiotune, VOID | MERGED },
        { "memtune", NULL, memtune, VOID | MERGED },
        { "memoryBacking", NULL, memory_backing, VOID | MERGED },
        { "vcpu", "placement cpuset current" },
        { "vcpus", NULL, vcpus, VOID | MERGED },
        { "iothreads", .flags = VOID },
        { "iothreadids", NULL, iothreadids, VOID | MERGED },
        { "defaultiothread", "thread_pool_min thread_pool_max", .flags = VOID },
        { "throttlegroups", NULL, throttlegroups, VOID },
        { "cputune", NULL, cputune, VOID | MERGED },
        { "numatune", NULL, numatune, VOID },
        { "resource", NULL, resource, VOID | MERGED },
        { "sysinfo", "type", sysinfo, MANY },
        { "bootloader", .flags = UNDRIVEN },
        { "bootloader_args", .flags = UNDRIVEN },
        { "os", "?firmware", os, MERGED },
        { "idmap", NULL, idmap, UNDRIVEN },
        { "features", NULL, features, VOID | MERGED },
        { "cpu", "mode match check migratable", cpu, VOID },
        { "clock", "?offset ?adjustment ?basis timezone start", clock_timers, VOID | MERGED },
        { "on_poweroff", .flags = VOID },
        { "on_reboot", .flags = VOID },
        { "on_crash", .flags = VOID },
        { "on_lockfailure", .flags = VOID },
        { "pm", NULL, pm, VOID | MERGED },
        { "perf", NULL, perf, VOID },
        { "devices", NULL, domain_schema_devices, MERGED },
        { "seclabel", "type model relabel", seclabel, MANY },
        { "namespace", NULL, sharing, UNDRIVEN },
        { "keywrap", NULL, keywrap },
        { "launchSecurity", "type kernelHashes authorKey vcek", launch_security },
        { "commandline", NULL, commandline, VOID | MERGED | QEMU },
        { "capabilities", NULL, capabilities, VOID | MERGED | QEMU },
        { "deprecation", "behavior", .flags = QEMU },
        { "override", NULL, override, QEMU },
        {},
};

const struct domain_schema domain_schema = { "domain", "type id", domain };

/* The attribute's entry in the list, behind its marks; NULL: it is not there. */
static const char *find_entry(const struct domain_schema *schema, const char *name, const char **marks)
{
        const char *list = schema->attributes ? schema->attributes : "";
        size_t length = strlen(name);

        while (*list) {
                size_t token = strcspn(list, " "), prefix = strspn(list, "!?-");

                if (token - prefix == length && strncmp(list + prefix, name, length) == 0) {
                        *marks = list;
                        return list + prefix;
                }
                list += token;
                list += *list == ' ';
        }
        *marks = list;
        return NULL;
}

enum domain_schema_attribute domain_schema_find_attribute(const struct domain_schema *schema,
                                                          const char *name, unsigned *place)
{
        const char *marks, *entry = find_entry(schema, name, &marks);

        if (place)
                *place = schema->attributes ? (unsigned)(marks - schema->attributes) : 0;
        if (!entry)
                return DOMAIN_ATTRIBUTE_UNKNOWN;
        return memchr(marks, '!', (size_t)(entry - marks)) ? DOMAIN_ATTRIBUTE_UNDRIVEN
                                                           : DOMAIN_ATTRIBUTE_DRIVEN;
}

bool domain_schema_takes_empty(const struct domain_schema *schema, const char *name)
{
        const char *marks, *entry = find_entry(schema, name, &marks);

        return entry && memchr(marks, '?', (size_t)(entry - marks));
}

bool domain_schema_drops(const struct domain_schema *schema, const char *name)
{
        const char *marks, *entry = find_entry(schema, name, &marks);

        return entry && memchr(marks, '-', (size_t)(entry - marks));
}

bool domain_schema_matches(const struct domain_schema *row, const char *uri, const char *name)
{
        const char *own = row->flags & DOMAIN_SCHEMA_QEMU ? DOMAIN_QEMU_NAMESPACE : NULL;

        if (strcmp(row->name, name) != 0)
                return false;
        return own && uri ? strcmp(own, uri) == 0 : own == uri;
}

const struct domain_schema *domain_schema_find(const struct domain_schema *table, const char *uri,
                                               const char *name)
{
        while (table->name && !domain_schema_matches(table, uri, name))
                table++;
        return table->name ? table : NULL;
}
