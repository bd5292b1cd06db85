/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What one emulator binary can do, as it said itself when it was probed (probe.h). Immutable and ref-counted,
 * any thread; all that the accessors return is borrowed from it. Names are QEMU's, except for those of CPU
 * features and architectures, which are the ones of domain definitions.
 */

#include "base/cleanup.h"

#include <glib.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct qemu_caps;

struct qemu_machine {
        const char *name;  /* canonical: "pc-q35-7.2" */
        const char *alias; /* "q35"; NULL: none */
        unsigned max_cpus;
        const char *default_cpu;    /* CPU model, "qemu64"; NULL: unknown */
        const char *default_ram_id; /* "pc.ram"; NULL: memory back ends cannot be given */
        bool is_default;
        bool deprecated;
        bool hotpluggable_cpus;
        bool numa_mem; /* -numa node,mem= is still understood */
};

struct qemu_cpu_model {
        const char *name;            /* "Haswell-noTSX" */
        const char *const *blockers; /* features that this host lacks, NULL-terminated */
        bool usable;                 /* without blockers; only known where has_usability */
        bool has_usability;
        bool deprecated;
};

struct qemu_cpu_feature {
        const char *name; /* as in domain definitions */
        bool enabled;     /* policy='require', else 'disable' */
};

/* What <cpu mode='host-model'> stands for on this host. */
struct qemu_host_model {
        const char *model;  /* NULL: the mode is not supported */
        const char *vendor; /* "Intel"; NULL: none to name */
        const struct qemu_cpu_feature *features;
        unsigned n_features;
};

enum qemu_accel {
        QEMU_ACCEL_KVM, /* <domain type='kvm'> */
        QEMU_ACCEL_TCG, /* <domain type='qemu'> */
        QEMU_ACCEL_LAST,
};

const struct qemu_caps *qemu_caps_ref(const struct qemu_caps *caps);
/* NULL is fine. */
void qemu_caps_unref(const struct qemu_caps *caps);

/* ---- the binary ---- */

const char *qemu_caps_get_path(const struct qemu_caps *caps);
/* major * 1000000 + minor * 1000 + micro */
uint64_t qemu_caps_get_version(const struct qemu_caps *caps);
/* "x86_64", "i686", "aarch64" ... */
const char *qemu_caps_get_arch(const struct qemu_caps *caps);
/* TCG always works, KVM where it is compiled in and /dev/kvm could be opened. */
bool qemu_caps_has_accel(const struct qemu_caps *caps, enum qemu_accel accel);

/* ---- machines ---- */

/* By name or alias; NULL or "": the default one. NULL when there is none such. */
const struct qemu_machine *qemu_caps_find_machine(const struct qemu_caps *caps, const char *name);
/* All of them, in QEMU's order. */
const struct qemu_machine *qemu_caps_get_machines(const struct qemu_caps *caps, unsigned *count);

/* ---- CPUs ---- */

/* The named models, without versioned and special ones ("max", "host", "base"). */
const struct qemu_cpu_model *qemu_caps_get_cpu_models(const struct qemu_caps *caps, enum qemu_accel accel,
                                                      unsigned *count);
const struct qemu_cpu_model *qemu_caps_find_cpu_model(const struct qemu_caps *caps, enum qemu_accel accel,
                                                      const char *name);
const struct qemu_host_model *qemu_caps_get_host_model(const struct qemu_caps *caps, enum qemu_accel accel);
/* Has the emulator this CPU: "max", "host", "Haswell-v4" ...? */
bool qemu_caps_has_cpu(const struct qemu_caps *caps, const char *name);

/* An enlightenment for Windows guests that KVM has here, by its name in domain definitions: "vapic". */
bool qemu_caps_has_hyperv(const struct qemu_caps *caps, const char *feature);

/* ---- what else there is ---- */

/* A device or object type: "virtio-blk-pci", "memory-backend-memfd", "tpm-emulator". */
bool qemu_caps_has_type(const struct qemu_caps *caps, const char *type);
/* A property of one of the types in qemu_probe_types (probe.c); false for other types. */
bool qemu_caps_has_property(const struct qemu_caps *caps, const char *type, const char *property);
/* A QMP command ("blockdev-reopen") or event ("MEMORY_FAILURE"). */
bool qemu_caps_has_command(const struct qemu_caps *caps, const char *command);
bool qemu_caps_has_event(const struct qemu_caps *caps, const char *event);
/*
 * An argument, or a value of one, of a command in qemu_probe_commands (probe.c): "blockdev-add/discard",
 * "netdev_add/type=vhost-vdpa", "chardev-add/backend.type=qemu-vdagent".
 */
bool qemu_caps_has_argument(const struct qemu_caps *caps, const char *path);
/* A driver of blockdev-add for servers ("https", "rbd"): compiled in, and its module installed. */
bool qemu_caps_has_block_driver(const struct qemu_caps *caps, const char *driver);
/* A command line option ("sandbox"), or with parameter one of its parameters ("spice", "gl"). */
bool qemu_caps_has_option(const struct qemu_caps *caps, const char *option, const char *parameter);

/* ---- storage ---- */

/*
 * The whole as a JSON object (a reference to what it was made from), and back. qemu_caps_new() takes nothing
 * from document but a reference; NULL with an error when it is not of this module's making.
 */
json_t *qemu_caps_get_document(const struct qemu_caps *caps);
const struct qemu_caps *qemu_caps_new(json_t *document, GError **error);

DEFINE_CLEANUP(const struct qemu_caps, qemu_caps_unref);
