/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The definition of a domain: its canonical XML text and a typed view of it, immutable, ref-counted, any
 * thread.
 *
 *     text -- domain_doc_parse --> tidied document, whose machine the driver resolves
 *          -- domain_doc_finish --> normalised, read and checked, put in order: struct domain_def
 *
 * The document keeps all that the text holds; what the typed view has no place for is named in `unsupported`
 * or `unknown`, so that a driver can refuse to start such a domain and never ignores a setting. Every pointer
 * in the view is borrowed from the definition. Malformed values are refused with an error of
 * ERROR_FROM_DOMAIN or ERROR_FROM_XML that names element and line.
 */

#include "base/cleanup.h"
#include "base/managed.h"
#include "drivers/domain/device.h"
#include "drivers/domain/tuning.h"

#include <glib.h>

/* Bounds; more is refused by name. */
#define DOMAIN_NAME_MAX         250 /* bytes */
#define DOMAIN_VCPUS_MAX        4096
#define DOMAIN_IOTHREADS_MAX    1024
#define DOMAIN_DEVICES_MAX      1024
#define DOMAIN_POOL_THREADS_MAX 65536
#define DOMAIN_CPU_NUMBER_MAX   16384 /* host CPUs and nodes in a cpuset are below it */
#define DOMAIN_MEMORY_KIB_MAX   (UINT64_C(1) << 52)

/* ---- parts of the typed view ---- */

struct domain_vcpu {
        uint32_t id;
        uint32_t order; /* 0: none */
        bool enabled;
        enum domain_switch hotpluggable;
};

/* Helpers of the emulator's event loops; -1: the default. */
struct domain_thread_pool {
        int min;
        int max;
};

/* How long an event loop looks for work before it sleeps; -1: the emulator's default. */
struct domain_poll {
        int64_t max; /* ns; 0: not at all */
        int64_t grow, shrink;
};

struct domain_iothread {
        uint32_t id;
        struct domain_thread_pool pool;
        struct domain_poll poll;
};

struct domain_hugepage {
        uint64_t size_kib;          /* 0: the default size */
        struct domain_cpuset nodes; /* of the guest; empty: all */
};

struct domain_memory_backing {
        const struct domain_hugepage *hugepages;
        uint32_t n_hugepages;
        bool has_hugepages; /* <hugepages/>, with or without pages */
        bool nosharepages;
        bool locked;
        bool discard;
        enum domain_switch shared;   /* <access mode='shared|private'> */
        const char *source;          /* "file", "anonymous", "memfd" */
        const char *allocation;      /* "immediate", "ondemand" */
        uint32_t allocation_threads; /* 0: the default */
};

struct domain_cpu_feature {
        const char *name;
        const char *policy; /* "force", "require", "optional", "disable", "forbid"; NULL: require */
};

struct domain_numa_distance {
        uint32_t cell;
        uint32_t value; /* 10..255 */
};

/* A cache in front of a cell's memory. */
struct domain_numa_cache {
        uint32_t level;            /* 1..3 */
        const char *associativity; /* "none", "direct", "full" */
        const char *policy;        /* "none", "writeback", "writethrough" */
        uint64_t size_kib;
        uint64_t line_bytes;
};

/* How far a cell's CPUs are from a cell's memory, or from a cache in front of it. */
struct domain_numa_link {
        uint32_t initiator, target; /* cells */
        uint32_t cache;             /* level; 0: the memory itself */
        const char *type;           /* "access", "read", "write" */
        uint64_t value;             /* latency: ns; bandwidth: KiB/s */
};

struct domain_numa_cell {
        uint32_t id;
        struct domain_cpuset cpus; /* of the guest */
        uint64_t memory_kib;
        enum domain_switch shared; /* memAccess= */
        enum domain_switch discard;
        const struct domain_numa_distance *distances;
        const struct domain_numa_cache *caches;
        uint32_t n_distances;
        uint32_t n_caches;
};

/* <launchSecurity> */
enum domain_launch_type {
        DOMAIN_LAUNCH_SEV,
        DOMAIN_LAUNCH_SEV_SNP,
        DOMAIN_LAUNCH_S390_PV,
        DOMAIN_LAUNCH_TDX,
} __attribute__((packed));

struct domain_launch {
        enum domain_launch_type type;
        enum domain_switch kernel_hashes, author_key, vcek; /* sev: the first; sev-snp */
        int cbitpos, reduced_bits;     /* sev, sev-snp; -1: as the host's processor has it */
        uint64_t policy;               /* tdx: attributes */
        const char *dh_cert, *session; /* sev; base64, NULL: none, as those below */
        const char *workarounds, *id_block, *id_auth, *host_data; /* sev-snp */
        const char *mr_config_id, *mr_owner, *mr_owner_config;    /* tdx */
};

/* "sev-snp" */
const char *domain_launch_get_name(enum domain_launch_type type);

enum domain_cpu_mode {
        DOMAIN_CPU_NONE, /* no <cpu>, or one with topology or numa alone */
        DOMAIN_CPU_CUSTOM,
        DOMAIN_CPU_HOST_MODEL,
        DOMAIN_CPU_HOST_PASSTHROUGH,
        DOMAIN_CPU_MAXIMUM,
        DOMAIN_CPU_LAST,
} __attribute__((packed));

/* As the document says it; see domain_cpu_follows_host(). */
struct domain_cpu {
        enum domain_cpu_mode mode;
        enum domain_switch migratable;
        const char *match; /* "minimum", "exact", "strict" */
        const char *check; /* "none", "partial", "full" */
        const char *model;
        const char *fallback; /* "allow", "forbid" */
        const char *vendor;
        const char *vendor_id;                            /* 12 bytes */
        uint32_t sockets, dies, clusters, cores, threads; /* sockets 0: no <topology> */
        const char *cache_mode;                           /* "emulate", "passthrough", "disable" */
        int cache_level;                                  /* -1: none */
        const char *maxphysaddr_mode;                     /* "emulate", "passthrough" */
        uint32_t maxphysaddr_bits;                        /* emulate; 0: none */
        uint32_t maxphysaddr_limit;                       /* passthrough: at most so many; 0: none */
        const struct domain_cpu_feature *features;
        const struct domain_numa_cell *cells;
        const struct domain_numa_link *latencies, *bandwidths;
        uint32_t n_features;
        uint32_t n_cells;
        uint32_t n_latencies, n_bandwidths;
};

enum domain_boot {
        DOMAIN_BOOT_FD,
        DOMAIN_BOOT_CDROM,
        DOMAIN_BOOT_HD,
        DOMAIN_BOOT_NETWORK,
        DOMAIN_BOOT_LAST,
} __attribute__((packed));

struct domain_firmware_feature {
        const char *name; /* "secure-boot", "enrolled-keys" */
        bool enabled;
};

struct domain_loader {
        const char *path;
        const char *type;   /* "rom", "pflash" */
        const char *format; /* "raw", "qcow2" */
        enum domain_switch readonly;
        enum domain_switch secure;
        enum domain_switch stateless;
};

struct domain_nvram {
        const char *path; /* of the file or the device; NULL: not given, or on the network */
        const char *template;
        const char *template_format; /* "raw", "qcow2"; NULL: not given */
        const char *format;
        const char *type; /* source type: NULL for the old form, "file", "block", "network" */
        const struct domain_storage *source; /* in the form with a type; NULL: none is given */
};

struct domain_os {
        const char *type; /* "hvm" */
        const char *arch;
        const char *machine;
        const char *firmware; /* "efi", "bios" */
        const struct domain_firmware_feature *firmware_features;
        uint32_t n_firmware_features;
        uint32_t n_boot;
        enum domain_boot boot[DOMAIN_BOOT_LAST];
        enum domain_switch boot_menu;
        enum domain_switch bios_useserial;
        bool has_loader;
        bool has_nvram;
        struct domain_loader loader;
        struct domain_nvram nvram;
        const char *kernel;
        const char *initrd;
        const char *cmdline;
        const char *dtb;
        const char *acpi_table;        /* <acpi><table type='slic'> */
        const char *smbios_mode;       /* "emulate", "host", "sysinfo" */
        uint32_t boot_menu_timeout_ms; /* 0: none */
        int bios_reboot_timeout_ms;    /* INT_MIN: none; -1: no reboot */
};

/* <sysinfo type='smbios'>: one <entry name=> of a block. */
struct domain_sysinfo_entry {
        const char *block; /* "bios", "system", "baseBoard", "chassis", "oemStrings" */
        const char *name;  /* NULL for oemStrings */
        const char *value;
        uint32_t group; /* counts the blocks of one kind (baseBoard) from 0 */
};

/* <sysinfo type='fwcfg'> */
struct domain_fwcfg_entry {
        const char *name;
        const char *value; /* or */
        const char *file;
};

struct domain_hyperv {
        const char *mode; /* "custom", "passthrough", "host-model" */
        enum domain_switch relaxed, vapic, spinlocks, vpindex, runtime, synic, stimer, stimer_direct, reset,
                vendor_id, frequencies, reenlightenment, tlbflush, tlbflush_direct, tlbflush_extended, ipi,
                evmcs, avic, emsr_bitmap, xmm_input;
        uint32_t spinlock_retries; /* 0: none */
        const char *vendor;        /* vendor_id value, at most 12 bytes */
};

struct domain_features {
        enum domain_switch ps2; /* the controller of keyboard and mouse */
        enum domain_switch acpi, apic, apic_eoi, pae, hap, viridian, privnet, pvspinlock, pmu, vmport, smm,
                vmcoreinfo, gic, async_teardown;
        enum domain_switch kvm_hidden, kvm_hint_dedicated, kvm_poll_control, kvm_pv_ipi;
        const char *gic_version; /* "2", "3", "host" */
        const char *ioapic;      /* <ioapic driver=>: "kvm", "qemu" */
        uint64_t tseg_mib;       /* 0: the default */
        uint64_t tb_cache_mib;   /* tcg: translated code; 0: the default */
        enum domain_switch kvm_dirty_ring;
        uint32_t kvm_dirty_ring_entries;    /* 0: not given */
        const struct domain_hyperv *hyperv; /* NULL: none */
};

enum domain_clock_offset {
        DOMAIN_CLOCK_UTC,
        DOMAIN_CLOCK_LOCALTIME,
        DOMAIN_CLOCK_VARIABLE,
        DOMAIN_CLOCK_TIMEZONE,
        DOMAIN_CLOCK_ABSOLUTE,
        DOMAIN_CLOCK_LAST,
} __attribute__((packed));

enum domain_timer_name {
        DOMAIN_TIMER_PLATFORM,
        DOMAIN_TIMER_PIT,
        DOMAIN_TIMER_RTC,
        DOMAIN_TIMER_HPET,
        DOMAIN_TIMER_TSC,
        DOMAIN_TIMER_KVMCLOCK,
        DOMAIN_TIMER_HYPERVCLOCK,
        DOMAIN_TIMER_ARMVTIMER,
        DOMAIN_TIMER_LAST,
} __attribute__((packed));

struct domain_timer {
        enum domain_timer_name name;
        enum domain_switch present;
        const char *tickpolicy; /* "delay", "catchup", "merge", "discard" */
        const char *track;      /* "boot", "guest", "wall", "realtime" */
        const char *mode;       /* tsc: "auto", "native", "emulate", "paravirt", "smpsafe" */
        uint64_t frequency;     /* 0: none */
        uint32_t catchup_threshold, catchup_slew, catchup_limit; /* 0: none */
};

struct domain_clock {
        enum domain_clock_offset offset;
        bool basis_localtime;  /* variable */
        bool adjustment_reset; /* utc, localtime: adjustment='reset' */
        int64_t adjustment_s;
        int64_t start_s; /* absolute: seconds since the epoch */
        const char *timezone;
        const struct domain_timer *timers;
        uint32_t n_timers;
};

struct domain_seclabel {
        const char *type;  /* "dynamic", "static", "none" */
        const char *model; /* "selinux", "apparmor", "dac"; NULL: the host's first */
        enum domain_switch relabel;
        const char *label;
        const char *base_label;
        const char *image_label;
};

struct domain_env {
        const char *name;
        const char *value; /* NULL: "" */
};

enum domain_property_type {
        DOMAIN_PROPERTY_STRING,
        DOMAIN_PROPERTY_SIGNED,
        DOMAIN_PROPERTY_UNSIGNED,
        DOMAIN_PROPERTY_BOOL,
        DOMAIN_PROPERTY_REMOVE, /* as if it were not set */
        DOMAIN_PROPERTY_TYPES,
} __attribute__((packed));

/* <qemu:override>: a property of the device of that name. */
struct domain_qemu_property {
        const char *alias;
        const char *name;
        const char *text; /* the value as it stands there; NULL: removed */
        enum domain_property_type type;
        bool flag; /* the value as the type has it, one of these three */
        int64_t number;
        uint64_t unsigned_number;
};

/* <qemu:commandline>, <qemu:override> and <qemu:deprecation>, namespace
 * http://libvirt.org/schemas/domain/qemu/1.0 */
struct domain_qemu_commandline {
        const char *const *args; /* NULL-terminated; NULL: none */
        const struct domain_env *env;
        uint32_t n_args;
        uint32_t n_env;
        const struct domain_qemu_property *properties;
        uint32_t n_properties;
        bool plain_devices;      /* devices are to be options that -set and -device of args can refer to */
        const char *deprecation; /* what to do about interfaces that QEMU gives up: "none", "omit", "reject",
                                    "crash" */
};

/*
 * What the document asks for and the view does not hold; each a piece of a sentence, "<memtune>", "attribute
 * sgio of <disk>".
 */
struct domain_remarks {
        const char *const *texts; /* NULL-terminated; NULL: none */
        uint32_t count;
};

struct domain_def {
        struct definition base; /* uuid, name, texts */
        int id;                 /* of an active definition; -1: none */
        const char *type;       /* "kvm", "qemu", "test" */
        const char *genid;      /* UUID of what the guest sees change when it is set back; NULL: none */
        const char *title;
        const char *description;
        uint64_t memory_kib; /* <memory>: without the memory devices' part only if the document says so */
        uint64_t current_memory_kib; /* never 0; at most memory_kib; of an active one what its balloon leaves
                                        it */
        uint64_t max_memory_kib;     /* <maxMemory>; 0: none */
        uint32_t memory_slots;
        enum domain_switch dump_core; /* <memory dumpCore=> */
        struct domain_memory_backing memory_backing;
        uint32_t vcpus;             /* at start; those that are on in vcpu_list, if it is there */
        uint32_t max_vcpus;         /* 1..DOMAIN_VCPUS_MAX */
        const char *vcpu_placement; /* "static", "auto" */
        struct domain_cpuset cpuset;
        const struct domain_vcpu *
                vcpu_list; /* <vcpus>; NULL: the first `vcpus` ones are enabled; one that it has not is off */
        uint32_t n_vcpu_list;
        uint32_t iothreads;
        const struct domain_iothread *iothread_list; /* as many as iothreads */
        struct domain_thread_pool default_pool;      /* <defaultiothread> */
        const struct domain_pin *vcpu_pins;
        const struct domain_pin *iothread_pins;
        uint32_t n_vcpu_pins;
        uint32_t n_iothread_pins;
        struct domain_cpuset emulator_pin;
        struct domain_cputune cputune;
        struct domain_memtune memtune;
        struct domain_blkiotune blkiotune;
        struct domain_numatune numatune;
        const struct domain_iotune *throttle_groups; /* the first <throttlegroup>; NULL: there is none */
        uint32_t perf_events;                        /* bits by enum domain_perf_event */
        const char
                *partition; /* <resource><partition>: of the host's resources, absolute; NULL: the default */
        struct domain_cpu cpu;
        struct domain_os os;
        const struct domain_sysinfo_entry *sysinfo;
        const struct domain_fwcfg_entry *fwcfg;
        uint32_t n_sysinfo;
        uint32_t n_fwcfg;
        struct domain_features features;
        struct domain_clock clock;
        const char *on_poweroff; /* "destroy", "restart", "preserve", "rename-restart"; NULL: destroy */
        const char *on_reboot;   /* NULL: restart */
        const char *on_crash;    /* those and "coredump-destroy", "coredump-restart"; NULL: destroy */
        const char *on_lockfailure;
        enum domain_switch suspend_to_mem;
        enum domain_switch suspend_to_disk;
        const struct domain_seclabel *seclabels;
        uint32_t n_seclabels;
        const struct domain_launch *launch;    /* NULL: no <launchSecurity> */
        enum domain_switch aes_wrap, dea_wrap; /* <keywrap> */
        struct domain_qemu_commandline qemu;
        struct domain_devices devices;
        struct domain_remarks unsupported; /* libvirt's format knows it, we do not drive it */
        struct domain_remarks unknown;     /* no part of the format */
        struct domain_arena *arena;        /* owned; what all pointers but base's point into */
};

/* Is it the host's at each start? Of mode host-model, and of match='minimum' what is more than the
 * document's. */
bool domain_cpu_follows_host(const struct domain_cpu *cpu);
/*
 * Is the memory of a NUMA cell (-1: that of a guest without cells) to be in huge pages? *page_kib is their
 * size, 0: the host's default one. Pages of the size that all memory has are none.
 */
bool domain_def_get_hugepage(const struct domain_def *def, int cell, uint64_t *page_kib);

/* ---- making one ---- */

struct domain_doc;

/*
 * What the driver found out about the guest's machine, for normalisation. Borrowed during domain_doc_finish()
 * only.
 */
struct domain_machine {
        const char *type;        /* "kvm", "qemu", "test" */
        const char *arch;        /* "x86_64" */
        const char *machine;     /* canonical: "pc-q35-7.2"; NULL: the driver has none (test) */
        const char *emulator;    /* absolute path; NULL: the driver has none (test) */
        unsigned max_vcpus;      /* of the machine type; 0: no limit but ours */
        bool pcie_root;          /* the root bus is PCI Express (q35, virt) */
        bool pci_root;           /* the root bus is conventional PCI (i440fx, pseries) */
        bool ccw;                /* virtio devices are on channels (s390x) */
        bool spapr;              /* has a bus of its hypervisor's own devices (pseries) */
        bool isa;                /* has an ISA bus: serial ports, floppy, ... (x86) */
        bool ps2;                /* keyboard and mouse are built in */
        bool usb_input;          /* a keyboard and a mouse on USB come with graphics */
        bool no_balloon;         /* has none unless the document says so */
        bool acpi;               /* can offer ACPI */
        bool acpi_needs_uefi;    /* and only a UEFI firmware hands it on */
        bool assign_addresses;   /* give every device its place (not in the test driver) */
        const char *usb_model;   /* default USB controller, "qemu-xhci"; NULL: none is added */
        const char *net_model;   /* default interface model, "e1000e" */
        const char *video_model; /* default video model, "vga"; NULL: none is added */
        const char *cpu_model;   /* of a guest without <cpu>, "qemu64"; NULL: none is written */
        /* Of what a document leaves open; NULL: what a PC has. */
        const char *serial_type, *serial_model; /* its own serial ports: "system-serial", "pl011" */
        const char *scsi_model;                 /* "virtio-scsi" */
        const char *tpm_model;                  /* "tpm-spapr" */
        const char *panic_model; /* how it tells of panics in any case, "s390"; NULL: it does not */
        const char *gic_version; /* its interrupt controller, "2"; NULL: there is no choice */
        /* Does the emulator know this CPU feature? NULL: it does not say which it knows. */
        bool (*has_cpu_feature)(const struct domain_machine *machine, const char *name);
        const void *caps; /* the driver's own, for has_cpu_feature */
};

/* Parses text with the root <domain>, within the bounds of base/xml, and tidies it (tidy-xml.h). */
struct domain_doc *domain_doc_parse(const char *xml, GError **error);
void domain_doc_free(struct domain_doc *doc);

/* What the document says itself, for choosing the machine; borrowed from doc, NULL: absent. */
const char *domain_doc_get_type(const struct domain_doc *doc);
const char *domain_doc_get_os_type(const struct domain_doc *doc);
const char *domain_doc_get_arch(const struct domain_doc *doc);
const char *domain_doc_get_machine(const struct domain_doc *doc);
const char *domain_doc_get_emulator(const struct domain_doc *doc);

/*
 * Normalises (machine NULL: the text is complete already and taken as it is), reads,
 * checks and puts in canonical order. doc is taken, also on failure.
 */
struct domain_def *domain_doc_finish(struct domain_doc *doc, const struct domain_machine *machine,
                                     GError **error);

/*
 * domain_doc_finish() of a document that an agent has taken, maybe another one, and that is no text of our
 * own: what has no effect is no reason to refuse it any more (check.h). before NULL: that is doc itself; else
 * what was taken is before, whose place doc is to have, and doc is excused only if before would be refused
 * today.
 */
struct domain_def *domain_doc_finish_accepted(struct domain_doc *doc, const struct domain_def *before,
                                              const struct domain_machine *machine, GError **error);

/* The same of one that is only shown and compared: nothing but what it says by itself is checked. */
struct domain_def *domain_doc_finish_shown(struct domain_doc *doc, const struct domain_machine *machine,
                                           GError **error);

/* domain_doc_parse() and domain_doc_finish() without normalisation: text that we wrote. */
struct domain_def *domain_def_parse_stored(const char *xml, GError **error);

struct domain_def *domain_def_ref(struct domain_def *def);
/* NULL is fine. */
void domain_def_unref(struct domain_def *def);

DEFINE_CLEANUP(struct domain_doc, domain_doc_free);
DEFINE_CLEANUP(struct domain_def, domain_def_unref);

/* ---- asking it ---- */

/*
 * definition_free of every domain driver's kind. A new definition carries a kind of this module with nothing
 * else in it; a driver that wants its own there sets base.kind before it hands the definition on.
 */
void domain_def_free(struct definition *definition);

static inline struct domain_def *domain_def_from(struct definition *definition)
{
        return (struct domain_def *)definition;
}

/*
 * False, with ERROR_XML_INVALID_SCHEMA naming the first, when the document holds what the format does not
 * know.
 */
bool domain_def_validate_schema(const struct domain_def *def, GError **error);

/* Is that vCPU there, or to be there at the start? */
bool domain_vcpu_is_enabled(const struct domain_def *def, unsigned id);
/* May that vCPU go while the guest runs, or come? Those that a guest starts with stay unless <vcpus> says
 * otherwise. */
bool domain_vcpu_is_hotpluggable(const struct domain_def *def, unsigned id);

/* Has it a device whose guest may send it any command (rawio='yes')? */
bool domain_def_wants_raw_io(const struct domain_def *def);
/* Can other processes be given all of the guest's memory, as those behind vhost-user devices have to be? */
bool domain_def_shares_memory(const struct domain_def *def);

/*
 * False, with ERROR_CONFIG_UNSUPPORTED naming the first, when the document asks for something that no driver
 * does.
 */
bool domain_def_require_supported(const struct domain_def *def, GError **error);

/* The disk with that target or, absolute, that source path; NULL: none. */
const struct domain_disk *domain_def_find_disk(const struct domain_def *def, const char *target_or_path);
/* The interface with that MAC address (text) or target device; NULL: none. */
const struct domain_interface *domain_def_find_interface(const struct domain_def *def,
                                                         const char *mac_or_target);

/*
 * How QEMU is to cache the disk: what the document says, else "none" for one that guests share and may write
 * to, each of which would read what its own host has cached otherwise; NULL: QEMU's default. Borrowed.
 */
const char *domain_disk_get_cache(const struct domain_disk *disk);

/* Names of the enumerations, for messages and maps. */
const char *domain_bus_get_name(enum domain_bus bus);
const char *domain_disk_device_get_name(enum domain_disk_device device);
const char *domain_controller_type_get_name(enum domain_controller_type type);
const char *domain_interface_type_get_name(enum domain_interface_type type);
/* Are its packets the emulator's own sockets' (user, mcast, server, client, udp), and no device's of the
 * host? */
bool domain_interface_is_emulated(enum domain_interface_type type);
const char *domain_char_kind_get_name(enum domain_char_kind kind);
const char *domain_char_type_get_name(enum domain_char_type type);
const char *domain_graphics_type_get_name(enum domain_graphics_type type);
/* Where a variable store on the network is to be had; NULL: it is none. */
const struct domain_network_source *domain_nvram_get_server(const struct domain_nvram *nvram);
/* Is it a device of the host? */
bool domain_nvram_is_device(const struct domain_nvram *nvram);
const char *domain_timer_get_name(enum domain_timer_name name);
const char *domain_hostdev_type_get_name(enum domain_hostdev_type type);
