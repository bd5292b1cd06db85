/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Directories of the host that the guest mounts.
 */
#include "drivers/domain/definition-xml.h"

#include <string.h>

#define SOCKET_MAX 107 /* sockaddr_un */
#define TAG_MAX    255
#define MODE_MAX   0777
#define QUEUE_MAX  1024

static const char *const type_names[] = {
        "mount", "block", "file", "template", "ram", "bind", "volume", NULL
};
static const char *const driver_names[] = {
        "path", "handle", "loop", "nbd", "ploop", "virtiofs", "mtp", NULL
};
static const char *const access_mode_names[] = { "passthrough", "mapped", "squash", NULL };
static const char *const model_names[] = { "virtio", "virtio-transitional", "virtio-non-transitional", NULL };
static const char *const multidevs_names[] = { "default", "remap", "forbid", "warn", NULL };
static const char *const policy_names[] = { "default", "immediate", NULL };
static const char *const cache_names[] = { "none", "always", NULL };
static const char *const sandbox_names[] = { "namespace", "chroot", NULL };

static const struct field filesystem_fields[] = {
        NAME("type", struct domain_filesystem, type, type_names),
        NAME("accessmode", struct domain_filesystem, access_mode, access_mode_names),
        NAME("model", struct domain_filesystem, model, model_names),
        NAME("multidevs", struct domain_filesystem, multidevs, multidevs_names),
        FIELDS_END,
};
static const struct field driver_fields[] = {
        NAME("type", struct domain_filesystem, driver, driver_names),
        NAME("wrpolicy", struct domain_filesystem, write_policy, policy_names),
        UINT("queue", struct domain_filesystem, queue_size, .min = 1, .max = QUEUE_MAX),
        FIELDS_END,
};
static const struct field source_fields[] = {
        PATH("dir", struct domain_filesystem, source, .relative = true),
        PATH("socket", struct domain_filesystem, socket, .max = SOCKET_MAX),
        FIELDS_END,
};
static const struct field target_fields[] = {
        STRING("dir", struct domain_filesystem, target, .max = TAG_MAX),
        FIELDS_END,
};
static const struct field readonly_fields[] = { PRESENT(NULL, struct domain_filesystem, readonly),
                                                FIELDS_END };
static const struct field binary_fields[] = {
        PATH("path", struct domain_filesystem, binary),
        ON_OFF("xattr", struct domain_filesystem, xattr),
        FIELDS_END,
};
static const struct field cache_fields[] = { NAME("mode", struct domain_filesystem, cache, cache_names),
                                             FIELDS_END };
static const struct field sandbox_fields[] = { NAME("mode", struct domain_filesystem, sandbox, sandbox_names),
                                               FIELDS_END };
static const struct field lock_fields[] = {
        ON_OFF("posix", struct domain_filesystem, posix_lock),
        ON_OFF("flock", struct domain_filesystem, flock),
        FIELDS_END,
};
static const struct field pool_fields[] = { INT("size", struct domain_filesystem, thread_pool, .max = 65535),
                                            FIELDS_END };

static const struct field open_files_fields[] = {
        UINT("max", struct domain_filesystem, open_files, .required = true, .min = 1),
        FIELDS_END,
};

static const struct field_part parts[] = {
        { NULL, filesystem_fields },           { "driver", driver_fields },
        VIRTIO_PART(struct domain_filesystem), { "source", source_fields },
        { "target", target_fields },           { "readonly", readonly_fields },
        { "binary", binary_fields },           { "binary/cache", cache_fields },
        { "binary/sandbox", sandbox_fields },  { "binary/lock", lock_fields },
        { "binary/thread_pool", pool_fields }, { "binary/openfiles", open_files_fields },
        INFO_PARTS(struct domain_filesystem),  PARTS_END,
};

/* "0644", "644": octal. */
static bool read_mode(const xmlNode *node, const char *attr, uint32_t *mode, GError **error)
{
        g_autofree char *text = xml_attr(node, attr), *quoted = error_quote(text);
        char *end;
        guint64 value;

        if (!text)
                return true;
        value = g_ascii_strtoull(text, &end, 8);
        if (!g_ascii_isdigit(*text) || *end || value > MODE_MAX)
                return xml_error(error, node, "invalid %s '%s': expected an octal number up to 0777", attr,
                                 quoted);
        *mode = (uint32_t)value;
        return true;
}

bool domain_read_filesystem(struct domain_reader *reader, xmlNode *node, void *target, GError **error)
{
        struct domain_filesystem *fs = target;

        fs->thread_pool = -1;
        return field_read_parts(reader, node, parts, fs, error) &&
               read_mode(node, "fmode", &fs->fmode, error) && read_mode(node, "dmode", &fs->dmode, error) &&
               domain_check_plain(node, "the target of a file system", fs->target, "", error);
}
