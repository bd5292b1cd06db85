/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The small devices: balloon, random numbers, watchdog, panic, TPM, vsock, shared memory, memory, IOMMU, hub.
 */
#include "drivers/domain/definition-xml.h"

#include "base/error.h"

#include <string.h>

/* ---- hub, nvram, pstore, panic, watchdog ---- */

static const char *const hub_names[] = { "usb", NULL };
static const struct field hub_fields[] = {
        NAME("type", struct domain_hub, type, hub_names, .required = true),
        FIELDS_END,
};
static const struct field_part hub_parts[] = { { NULL, hub_fields },
                                               INFO_PARTS(struct domain_hub),
                                               PARTS_END };

bool domain_read_hub(struct domain_reader *reader, xmlNode *node, void *target, GError **error)
{
        return field_read_parts(reader, node, hub_parts, target, error);
}

static const struct field_part nvram_parts[] = { INFO_PARTS(struct domain_nvram_device), PARTS_END };

bool domain_read_nvram_device(struct domain_reader *reader, xmlNode *node, void *target, GError **error)
{
        return field_read_parts(reader, node, nvram_parts, target, error);
}

static const char *const pstore_names[] = { "acpi-erst", NULL };
static const struct field pstore_fields[] = {
        NAME("backend", struct domain_pstore, backend, pstore_names, .required = true),
        FIELDS_END,
};
static const struct field pstore_path_fields[] = { PATH(NULL, struct domain_pstore, path), FIELDS_END };
static const struct field pstore_size_fields[] = {
        KIB(NULL, struct domain_pstore, size_kib, .required = true, .min = 1), FIELDS_END
};
static const struct field_part pstore_parts[] = {
        { NULL, pstore_fields },
        { "path", pstore_path_fields },
        { "size", pstore_size_fields },
        INFO_PARTS(struct domain_pstore),
        PARTS_END,
};

bool domain_read_pstore(struct domain_reader *reader, xmlNode *node, void *target, GError **error)
{
        if (!xml_child(node, "size"))
                return xml_error(error, node, "a <pstore> without a <size>");
        return field_read_parts(reader, node, pstore_parts, target, error);
}

static const char *const panic_names[] = { "isa", "pseries", "hyperv", "s390", "pvpanic", NULL };
static const struct field panic_fields[] = {
        NAME("model", struct domain_panic, model, panic_names),
        FIELDS_END,
};
static const struct field_part panic_parts[] = { { NULL, panic_fields },
                                                 INFO_PARTS(struct domain_panic),
                                                 PARTS_END };

bool domain_read_panic(struct domain_reader *reader, xmlNode *node, void *target, GError **error)
{
        return field_read_parts(reader, node, panic_parts, target, error);
}

static const char *const watchdog_names[] = { "i6300esb", "ib700", "diag288", "itco", NULL };
static const char *const action_names[] = { "reset", "shutdown", "poweroff",   "pause",
                                            "dump",  "none",     "inject-nmi", NULL };
static const struct field watchdog_fields[] = {
        NAME("model", struct domain_watchdog, model, watchdog_names, .required = true),
        NAME("action", struct domain_watchdog, action, action_names),
        FIELDS_END,
};
static const struct field_part watchdog_parts[] = {
        { NULL, watchdog_fields },
        INFO_PARTS(struct domain_watchdog),
        PARTS_END,
};

bool domain_read_watchdog(struct domain_reader *reader, xmlNode *node, void *target, GError **error)
{
        return field_read_parts(reader, node, watchdog_parts, target, error);
}

/* ---- memory balloon ---- */

static const char *const balloon_names[] = {
        "virtio", "virtio-transitional", "virtio-non-transitional", "xen", "none", NULL
};
static const struct field balloon_fields[] = {
        NAME("model", struct domain_memballoon, model, balloon_names, .required = true),
        ON_OFF("autodeflate", struct domain_memballoon, autodeflate),
        ON_OFF("freePageReporting", struct domain_memballoon, free_page_reporting),
        FIELDS_END,
};
static const struct field stats_fields[] = {
        UINT("period", struct domain_memballoon, stats_period_s, .max = INT32_MAX), FIELDS_END
};
static const struct field_part balloon_parts[] = {
        { NULL, balloon_fields },
        { "stats", stats_fields },
        VIRTIO_PART(struct domain_memballoon),
        INFO_PARTS(struct domain_memballoon),
        PARTS_END,
};

bool domain_read_memballoon(struct domain_reader *reader, xmlNode *node, void *target, GError **error)
{
        return field_read_parts(reader, node, balloon_parts, target, error);
}

/* ---- random numbers ---- */

static const char *const backend_names[] = {
        [DOMAIN_RNG_RANDOM] = "random",
        [DOMAIN_RNG_EGD] = "egd",
        [DOMAIN_RNG_BUILTIN] = "builtin",
        [DOMAIN_RNG_LAST] = NULL,
};
static const struct field rng_fields[] = {
        NAME("model", struct domain_rng, model, domain_virtio_model_names, .required = true),
        FIELDS_END,
};
static const struct field rate_fields[] = {
        UINT("bytes", struct domain_rng, rate_bytes, .required = true, .min = 1),
        UINT("period", struct domain_rng, rate_period_ms),
        FIELDS_END,
};
static const struct field backend_fields[] = {
        ENUM("model", struct domain_rng, backend, backend_names, .required = true),
        FIELDS_END,
};
static const struct field random_fields[] = { PATH(NULL, struct domain_rng, path), FIELDS_END };

static bool read_backend(struct domain_reader *reader, xmlNode *node, void *target, GError **error)
{
        struct domain_rng *rng = target;
        struct domain_char_source *source;

        if (rng->backend == DOMAIN_RNG_RANDOM)
                return field_read(reader, node, random_fields, rng, error);
        if (rng->backend != DOMAIN_RNG_EGD)
                return true;
        source = domain_arena_alloc(reader->arena, sizeof(*source));
        rng->source = source;
        return domain_read_char_source(reader, node, source, error);
}

static const struct field_part rng_parts[] = {
        { NULL, rng_fields },
        { "rate", rate_fields },
        { "backend", backend_fields, read_backend },
        VIRTIO_PART(struct domain_rng),
        INFO_PARTS(struct domain_rng),
        PARTS_END,
};

bool domain_read_rng(struct domain_reader *reader, xmlNode *node, void *target, GError **error)
{
        if (!xml_child(node, "backend"))
                return xml_error(error, node, "missing element 'backend'");
        return field_read_parts(reader, node, rng_parts, target, error);
}

/* ---- TPM ---- */

static const char *const tpm_names[] = { "tpm-tis", "tpm-crb", "tpm-spapr", "spapr-tpm-proxy", NULL };
static const char *const tpm_backend_names[] = {
        [DOMAIN_TPM_PASSTHROUGH] = "passthrough",
        [DOMAIN_TPM_EMULATOR] = "emulator",
        [DOMAIN_TPM_EXTERNAL] = "external",
        [DOMAIN_TPM_LAST] = NULL,
};
static const char *const tpm_version_names[] = { "1.2", "2.0", NULL };
static const char *const bank_names[] = { "sha1", "sha256", "sha384", "sha512" };

static const struct field tpm_fields[] = { NAME("model", struct domain_tpm, model, tpm_names), FIELDS_END };
static const struct field tpm_backend_fields[] = {
        ENUM("type", struct domain_tpm, backend, tpm_backend_names, .required = true),
        NAME("version", struct domain_tpm, version, tpm_version_names),
        YES_NO("persistent_state", struct domain_tpm, persistent_state),
        UINT("debug", struct domain_tpm, debug),
        FIELDS_END,
};
static const struct field tpm_device_fields[] = { PATH("path", struct domain_tpm, path), FIELDS_END };
static const struct field tpm_profile_fields[] = {
        STRING("source", struct domain_tpm, profile, .required = true),
        FIELDS_END,
};
static const struct field tpm_encryption_fields[] = {
        PRESENT(NULL, struct domain_tpm, encrypted),
        UUID("secret", struct domain_tpm, secret, .required = true),
        FIELDS_END,
};

static bool read_banks(struct domain_reader *reader, xmlNode *node, void *target, GError **error)
{
        struct domain_tpm *tpm = target;

        for (unsigned i = 0; i < G_N_ELEMENTS(bank_names); i++) {
                if (xml_child(node, bank_names[i]))
                        tpm->pcr_banks |= 1U << i;
        }
        return true;
}

/* <backend type='external'><source type='unix' path= mode=/></backend> */
static const struct field external_fields[] = {
        PATH("path", struct domain_char_source, path, .required = true),
        FIELDS_END,
};

static bool read_external(struct domain_reader *reader, xmlNode *node, void *target, GError **error)
{
        struct domain_tpm *tpm = target;
        struct domain_char_source *source = domain_arena_alloc(reader->arena, sizeof(*source));

        source->type = DOMAIN_CHAR_UNIX;
        tpm->source = source;
        return field_read(reader, node, external_fields, source, error);
}

static const struct field_part tpm_parts[] = {
        { NULL, tpm_fields },
        { "backend", tpm_backend_fields },
        { "backend/device", tpm_device_fields },
        { "backend/encryption", tpm_encryption_fields },
        { "backend/profile", tpm_profile_fields },
        { "backend/active_pcr_banks", NULL, read_banks },
        { "backend/source", NULL, read_external },
        INFO_PARTS(struct domain_tpm),
        PARTS_END,
};

bool domain_read_tpm(struct domain_reader *reader, xmlNode *node, void *target, GError **error)
{
        if (!xml_child(node, "backend"))
                return xml_error(error, node, "missing element 'backend'");
        return field_read_parts(reader, node, tpm_parts, target, error);
}

/* ---- vsock ---- */

static const struct field vsock_fields[] = {
        NAME("model", struct domain_vsock, model, domain_virtio_model_names),
        FIELDS_END,
};
static const struct field cid_fields[] = {
        YES_NO("auto", struct domain_vsock, auto_cid),
        UINT("address", struct domain_vsock, cid, .min = 3, .max = UINT32_MAX - 1),
        FIELDS_END,
};
static const struct field_part vsock_parts[] = {
        { NULL, vsock_fields },
        { "cid", cid_fields },
        VIRTIO_PART(struct domain_vsock),
        INFO_PARTS(struct domain_vsock),
        PARTS_END,
};

bool domain_read_vsock(struct domain_reader *reader, xmlNode *node, void *target, GError **error)
{
        return field_read_parts(reader, node, vsock_parts, target, error);
}

/* ---- shared memory ---- */

static const char *const shmem_names[] = { "ivshmem", "ivshmem-plain", "ivshmem-doorbell", NULL };
static const char *const role_names[] = { "master", "peer", NULL };

static const struct field shmem_fields[] = {
        STRING("name", struct domain_shmem, name, .required = true, .max = 255),
        NAME("role", struct domain_shmem, role, role_names),
        FIELDS_END,
};
static const struct field shmem_model_fields[] = { NAME("type", struct domain_shmem, model, shmem_names),
                                                   FIELDS_END };
static const struct field shmem_size_fields[] = { BYTES(NULL, struct domain_shmem, size_bytes), FIELDS_END };
static const struct field server_fields[] = {
        PRESENT(NULL, struct domain_shmem, has_server),
        PATH("path", struct domain_shmem, server),
        FIELDS_END,
};
static const char *const msi_names[] = { "yes", "no", NULL };
static const struct field msi_fields[] = {
        PRESENT(NULL, struct domain_shmem, has_msi),
        BOOL("enabled", struct domain_shmem, msi_off, msi_names),
        UINT("vectors", struct domain_shmem, vectors),
        ON_OFF("ioeventfd", struct domain_shmem, ioeventfd),
        FIELDS_END,
};
static const struct field_part shmem_parts[] = {
        { NULL, shmem_fields },
        { "model", shmem_model_fields },
        { "size", shmem_size_fields },
        { "server", server_fields },
        { "msi", msi_fields },
        INFO_PARTS(struct domain_shmem),
        PARTS_END,
};

bool domain_read_shmem(struct domain_reader *reader, xmlNode *node, void *target, GError **error)
{
        struct domain_shmem *shmem = target;

        return field_read_parts(reader, node, shmem_parts, shmem, error) &&
               domain_check_plain(node, "shared memory name", shmem->name, "/", error);
}

/* ---- memory ---- */

static const char *const memory_names[] = { "dimm", "nvdimm", "virtio-pmem", "virtio-mem", "sgx-epc", NULL };

static const struct field memory_fields[] = {
        NAME("model", struct domain_memory, model, memory_names, .required = true),
        YES_NO("discard", struct domain_memory, discard),
        FIELDS_END,
};
static const struct field uuid_fields[] = { UUID(NULL, struct domain_memory, uuid), FIELDS_END };
static const struct field slots_fields[] = { YES_NO("dynamicMemslots", struct domain_memory, dynamic_slots),
                                             FIELDS_END };
static const struct field path_fields[] = { PATH(NULL, struct domain_memory, path), FIELDS_END };
static const struct field pagesize_fields[] = { KIB(NULL, struct domain_memory, page_size_kib), FIELDS_END };
static const struct field align_fields[] = { KIB(NULL, struct domain_memory, align_kib), FIELDS_END };
static const struct field current_fields[] = { KIB(NULL, struct domain_memory, current_kib), FIELDS_END };
static const struct field nodemask_fields[] = { STRING(NULL, struct domain_memory, nodemask, .max = 255),
                                                FIELDS_END };
static const struct field pmem_fields[] = { PRESENT(NULL, struct domain_memory, pmem), FIELDS_END };
static const struct field size_fields[] = { KIB(NULL, struct domain_memory, size_kib), FIELDS_END };
static const struct field node_fields[] = { INT(NULL, struct domain_memory, node, .min = 1), FIELDS_END };
static const struct field block_fields[] = { KIB(NULL, struct domain_memory, block_kib), FIELDS_END };
static const struct field requested_fields[] = { KIB(NULL, struct domain_memory, requested_kib), FIELDS_END };
static const struct field label_fields[] = { KIB(NULL, struct domain_memory, label_kib), FIELDS_END };
static const struct field readonly_fields[] = { PRESENT(NULL, struct domain_memory, readonly), FIELDS_END };
static const struct field_part label_parts[] = { { "size", label_fields }, PARTS_END };

static bool read_label(struct domain_reader *reader, xmlNode *node, void *target, GError **error)
{
        return field_read_parts(reader, node, label_parts, target, error);
}

static const struct field_part target_parts[] = {
        { "size", size_fields },         { "node", node_fields },
        { "block", block_fields },       { "requested", requested_fields },
        { "current", current_fields },   { "label", NULL, read_label },
        { "readonly", readonly_fields }, PARTS_END,
};

static bool read_target(struct domain_reader *reader, xmlNode *node, void *target, GError **error)
{
        return field_read_parts(reader, node, target_parts, target, error);
}

static const struct field_part source_parts[] = {
        { "path", path_fields },       { "pagesize", pagesize_fields }, { "nodemask", nodemask_fields },
        { "alignsize", align_fields }, { "pmem", pmem_fields },         PARTS_END,
};

static bool read_source(struct domain_reader *reader, xmlNode *node, void *target, GError **error)
{
        return field_read_parts(reader, node, source_parts, target, error);
}

static bool read_access(struct domain_reader *reader, xmlNode *node, struct domain_memory *memory,
                        GError **error)
{
        static const char *const access_names[] = { "private", "shared", NULL };
        struct {
                bool shared;
        } access = { false };
        const struct field fields[] = { BOOL("access", __typeof__(access), shared, access_names),
                                        FIELDS_END };

        if (!field_read(reader, node, fields, &access, error))
                return false;
        if (xml_has_attr(node, "access"))
                memory->shared = access.shared ? DOMAIN_SWITCH_ON : DOMAIN_SWITCH_OFF;
        return true;
}

static const struct field_part memory_parts[] = {
        { NULL, memory_fields },          { "uuid", uuid_fields },
        { "source", NULL, read_source },  { "target", slots_fields, read_target },
        INFO_PARTS(struct domain_memory), PARTS_END,
};

bool domain_read_memory_device(struct domain_reader *reader, xmlNode *node, void *target, GError **error)
{
        struct domain_memory *memory = target;

        memory->node = -1;
        if (!field_read_parts(reader, node, memory_parts, memory, error) ||
            !read_access(reader, node, memory, error))
                return false;
        return memory->size_kib > 0 || xml_error(error, node, "missing size of a memory device");
}

/* ---- IOMMU ---- */

static const char *const iommu_names[] = { "intel", "amd", "smmuv3", "virtio", NULL };

static const struct field iommu_fields[] = {
        NAME("model", struct domain_iommu, model, iommu_names, .required = true),
        FIELDS_END,
};
static const struct field iommu_driver_fields[] = {
        ON_OFF("intremap", struct domain_iommu, intremap),
        ON_OFF("caching_mode", struct domain_iommu, caching_mode),
        ON_OFF("eim", struct domain_iommu, eim),
        ON_OFF("iotlb", struct domain_iommu, iotlb),
        UINT("aw_bits", struct domain_iommu, aw_bits, .max = 64),
        ON_OFF("dma_translation", struct domain_iommu, dma_translation),
        ON_OFF("xtsup", struct domain_iommu, xtsup),
        ON_OFF("passthrough", struct domain_iommu, passthrough),
        FIELDS_END,
};
static const struct field_part iommu_parts[] = {
        { NULL, iommu_fields },
        { "driver", iommu_driver_fields },
        INFO_PARTS(struct domain_iommu),
        PARTS_END,
};

bool domain_read_iommu(struct domain_reader *reader, xmlNode *node, void *target, GError **error)
{
        return field_read_parts(reader, node, iommu_parts, target, error);
}
