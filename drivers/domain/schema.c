/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The tables of <domain> without its devices, from the leaves up, and the look-up of attributes.
 */
#include "drivers/domain/schema.h"

#include <string.h>

#define MANY     DOMAIN_SCHEMA_MANY
#define UNDRIVEN DOMAIN_SCHEMA_UNDRIVEN
#define QEMU     DOMAIN_SCHEMA_QEMU

#define TABLE static const struct domain_schema

/* ---- resources ---- */

TABLE blkiotune_device[] = { { "path" },
                             { "weight" },
                             { "read_iops_sec" },
                             { "write_iops_sec" },
                             { "read_bytes_sec" },
                             { "write_bytes_sec" },
                             {} };
TABLE blkiotune[] = { { "weight" }, { "device", NULL, blkiotune_device, MANY }, {} };

TABLE memtune[] = {
        { "hard_limit", "unit" },
        { "soft_limit", "unit" },
        { "min_guarantee", "unit" },
        { "swap_hard_limit", "unit" },
        {},
};

TABLE hugepages[] = { { "page", "size unit nodeset", .flags = MANY }, {} };
TABLE memory_backing[] = {
        { "hugepages", NULL, hugepages },
        { "nosharepages" },
        { "locked" },
        { "source", "type" },
        { "access", "mode" },
        { "allocation", "mode threads" },
        { "discard" },
        {},
};

TABLE vcpus[] = { { "vcpu", "id enabled hotpluggable order", .flags = MANY }, {} };
TABLE iothreadids[] = { { "iothread", "id !thread_pool_min !thread_pool_max", .flags = MANY }, {} };

TABLE cache_monitor[] = { { "cache", "id level type size unit", .flags = MANY },
                          { "monitor", "level vcpus", .flags = MANY },
                          {} };
TABLE memory_bandwidth[] = { { "node", "id bandwidth", .flags = MANY },
                             { "monitor", "vcpus", .flags = MANY },
                             {} };

TABLE cputune[] = {
        { "shares", .flags = UNDRIVEN },
        { "period", .flags = UNDRIVEN },
        { "quota", .flags = UNDRIVEN },
        { "global_period", .flags = UNDRIVEN },
        { "global_quota", .flags = UNDRIVEN },
        { "emulator_period", .flags = UNDRIVEN },
        { "emulator_quota", .flags = UNDRIVEN },
        { "iothread_period", .flags = UNDRIVEN },
        { "iothread_quota", .flags = UNDRIVEN },
        { "vcpupin", "vcpu cpuset", .flags = MANY },
        { "emulatorpin", "cpuset" },
        { "iothreadpin", "iothread cpuset", .flags = MANY },
        { "emulatorsched", "scheduler priority", .flags = UNDRIVEN },
        { "vcpusched", "vcpus scheduler priority", .flags = MANY | UNDRIVEN },
        { "iothreadsched", "iothreads scheduler priority", .flags = MANY | UNDRIVEN },
        { "cachetune", "vcpus id", cache_monitor, MANY | UNDRIVEN },
        { "memorytune", "vcpus", memory_bandwidth, MANY | UNDRIVEN },
        {},
};

TABLE numatune[] = {
        { "memory", "mode nodeset placement" },
        { "memnode", "cellid mode nodeset", .flags = MANY },
        {},
};

TABLE resource[] = { { "partition" }, { "fibrechannel", "appid" }, {} };

TABLE idmap[] = {
        { "uid", "start target count", .flags = MANY },
        { "gid", "start target count", .flags = MANY },
        {},
};

/* ---- sysinfo, os, features ---- */

TABLE named_entries[] = { { "entry", "name", .flags = MANY }, {} };
TABLE plain_entries[] = { { "entry", .flags = MANY }, {} };
TABLE sysinfo[] = {
        { "bios", NULL, named_entries },
        { "system", NULL, named_entries },
        { "baseBoard", NULL, named_entries, MANY },
        { "chassis", NULL, named_entries },
        { "oemStrings", NULL, plain_entries },
        { "entry", "name file", .flags = MANY },
        {},
};

TABLE firmware[] = { { "feature", "enabled name", .flags = MANY }, {} };
TABLE nvram_source[] = {
        { "source", "file dev !dir !index !mode !name !path !pool !protocol !query !startupPolicy !tls "
                    "!tlsHostname !type "
                    "!volume !fdgroup !managed !namespace" },
        {},
};
TABLE acpi_table[] = { { "table", "type" }, {} };

TABLE os[] = {
        { "type", "arch machine" },
        { "firmware", NULL, firmware },
        { "init", .flags = UNDRIVEN },
        { "initarg", .flags = MANY | UNDRIVEN },
        { "initenv", "name", .flags = MANY | UNDRIVEN },
        { "initdir", .flags = UNDRIVEN },
        { "inituser", .flags = UNDRIVEN },
        { "initgroup", .flags = UNDRIVEN },
        { "loader", "readonly secure type stateless format" },
        { "nvram", "template type format", nvram_source },
        { "kernel" },
        { "initrd" },
        { "cmdline" },
        { "root", .flags = UNDRIVEN },
        { "dtb" },
        { "acpi", NULL, acpi_table },
        { "boot", "dev", .flags = MANY },
        { "bootmenu", "enable timeout" },
        { "bios", "useserial rebootTimeout" },
        { "smbios", "mode" },
        {},
};

TABLE stimer[] = { { "direct", "state" }, {} };
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
        { "tlbflush", "state" },
        { "ipi", "state" },
        { "evmcs", "state" },
        { "avic", "state" },
        {},
};
TABLE kvm[] = {
        { "hidden", "state" }, { "hint-dedicated", "state" },  { "poll-control", "state" },
        { "pv-ipi", "state" }, { "dirty-ring", "state size" }, {},
};
TABLE xen[] = { { "e820_host", "state" }, { "passthrough", "state mode" }, {} };
TABLE tseg[] = { { "tseg", "unit" }, {} };
TABLE max_page_size[] = { { "maxpagesize", "unit" }, {} };
TABLE tcg[] = { { "tb-cache", "unit" }, {} };

TABLE features[] = {
        { "acpi" },
        { "apic", "eoi" },
        { "pae" },
        { "hap", "state" },
        { "viridian" },
        { "privnet" },
        { "hyperv", "mode", hyperv },
        { "kvm", NULL, kvm },
        { "xen", NULL, xen, UNDRIVEN },
        { "pvspinlock", "state" },
        { "pmu", "state" },
        { "vmport", "state" },
        { "gic", "version" },
        { "smm", "state", tseg },
        { "ioapic", "driver" },
        { "hpt", "resizing", max_page_size, UNDRIVEN },
        { "vmcoreinfo", "state" },
        { "htm", "state", .flags = UNDRIVEN },
        { "nested-hv", "state", .flags = UNDRIVEN },
        { "msrs", "unknown", .flags = UNDRIVEN },
        { "ccf-assist", "state", .flags = UNDRIVEN },
        { "cfpc", "value", .flags = UNDRIVEN },
        { "sbbc", "value", .flags = UNDRIVEN },
        { "ibs", "value", .flags = UNDRIVEN },
        { "tcg", NULL, tcg, UNDRIVEN },
        { "capabilities", "policy", .flags = UNDRIVEN | DOMAIN_SCHEMA_OPAQUE },
        {},
};

/* ---- cpu, clock, power ---- */

TABLE distances[] = { { "sibling", "id value", .flags = MANY }, {} };
TABLE cell_cache[] = { { "size", "value unit" }, { "line", "value unit" }, {} };
TABLE numa_cell[] = {
        { "distances", NULL, distances },
        { "cache", "level associativity policy", cell_cache, MANY | UNDRIVEN },
        {},
};
TABLE numa[] = {
        { "cell", "id cpus memory unit memAccess discard", numa_cell, MANY },
        { "interconnects", .flags = UNDRIVEN | DOMAIN_SCHEMA_OPAQUE },
        {},
};
TABLE cpu[] = {
        { "model", "fallback vendor_id" },
        { "vendor" },
        { "topology", "sockets dies cores threads" },
        { "cache", "level mode" },
        { "maxphysaddr", "mode bits" },
        { "feature", "policy name", .flags = MANY },
        { "numa", NULL, numa },
        {},
};

TABLE catchup[] = { { "catchup", "threshold slew limit" }, {} };
TABLE clock_timers[] = { { "timer", "name present tickpolicy track mode frequency", catchup, MANY }, {} };

TABLE pm[] = { { "suspend-to-mem", "enabled" }, { "suspend-to-disk", "enabled" }, {} };
TABLE perf[] = { { "event", "name enabled", .flags = MANY }, {} };

/* ---- security, extensions ---- */

TABLE seclabel[] = { { "label" }, { "imagelabel" }, { "baselabel" }, {} };
TABLE keywrap[] = { { "cipher", "name state", .flags = MANY }, {} };
TABLE launch_security[] = {
        { "cbitpos" }, { "reducedPhysBits" }, { "policy" }, { "dhCert" }, { "session" }, {},
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
        { "uuid" },
        { "genid", .flags = UNDRIVEN },
        { "title" },
        { "description" },
        { "metadata", .flags = DOMAIN_SCHEMA_OPAQUE },
        { "maxMemory", "slots unit" },
        { "memory", "dumpCore unit" },
        { "currentMemory", "unit" },
        { "blkiotune", NULL, blkiotune, UNDRIVEN },
        { "memtune", NULL, memtune, UNDRIVEN },
        { "memoryBacking", NULL, memory_backing },
        { "vcpu", "placement cpuset current" },
        { "vcpus", NULL, vcpus },
        { "iothreads" },
        { "iothreadids", NULL, iothreadids },
        { "defaultiothread", "thread_pool_min thread_pool_max", .flags = UNDRIVEN },
        { "cputune", NULL, cputune },
        { "numatune", NULL, numatune },
        { "resource", NULL, resource, UNDRIVEN },
        { "sysinfo", "type", sysinfo, MANY },
        { "bootloader", .flags = UNDRIVEN },
        { "bootloader_args", .flags = UNDRIVEN },
        { "os", "firmware", os },
        { "idmap", NULL, idmap, UNDRIVEN },
        { "features", NULL, features },
        { "cpu", "mode match check migratable", cpu },
        { "clock", "offset adjustment basis timezone start", clock_timers },
        { "on_poweroff" },
        { "on_reboot" },
        { "on_crash" },
        { "on_lockfailure" },
        { "pm", NULL, pm },
        { "perf", NULL, perf, UNDRIVEN },
        { "devices", NULL, domain_schema_devices },
        { "seclabel", "type model relabel", seclabel, MANY },
        { "namespace", NULL, sharing, UNDRIVEN },
        { "keywrap", NULL, keywrap, UNDRIVEN },
        { "launchSecurity", "type kernelHashes", launch_security, UNDRIVEN },
        { "commandline", NULL, commandline, QEMU },
        { "capabilities", NULL, capabilities, QEMU | UNDRIVEN },
        { "deprecation", "behavior", .flags = QEMU | UNDRIVEN },
        { "override", NULL, override, QEMU | UNDRIVEN },
        {},
};

const struct domain_schema domain_schema = { "domain", "type id", domain };

enum domain_schema_attribute domain_schema_find_attribute(const struct domain_schema *schema,
                                                          const char *name, unsigned *place)
{
        const char *start = schema->attributes ? schema->attributes : "", *list = start;
        enum domain_schema_attribute known = DOMAIN_ATTRIBUTE_UNKNOWN;
        size_t length = strlen(name);

        while (*list) {
                size_t token = strcspn(list, " ");
                bool undriven = *list == '!';

                if (token - undriven == length && strncmp(list + undriven, name, length) == 0) {
                        known = undriven ? DOMAIN_ATTRIBUTE_UNDRIVEN : DOMAIN_ATTRIBUTE_DRIVEN;
                        break;
                }
                list += token;
                list += *list == ' ';
        }
        if (place)
                *place = (unsigned)(list - start);
        return known;
}
