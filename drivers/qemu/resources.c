/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The frame of preparing a guest's host side, and the devices that need little. Lane of the domain.
 */
#include "drivers/qemu/resources.h"
#include "drivers/secret/secret.h"

#include "base/error.h"
#include "base/log.h"
#include "drivers/qemu/device-rows.h"
#include "drivers/qemu/kvm.h"
#include "drivers/security/ownership.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/vhost.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

/* Room for what QEMU and vfio lock beside the guest's memory. */
#define LOCK_EXTRA (UINT64_C(1) << 30)

#define VSOCK_CID_FIRST 3

static void close_fd(void *fd)
{
        close(*(int *)fd);
}

static void free_device_resources(void *data)
{
        device_resources_free(data);
}

void resources_init(struct resources *resources, struct guest *guest, const struct domain_def *def,
                    struct domain_edit *edit, const struct domain_start *start)
{
        *resources = (struct resources){
                .guest = guest, .def = def, .edit = edit, .start = start, .next_image = 1
        };
        resources->by_alias = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, free_device_resources);
        resources->fds = g_array_new(FALSE, FALSE, sizeof(int));
        g_array_set_clear_func(resources->fds, close_fd);
        resources->made_files = g_ptr_array_new_with_free_func(g_free);
        resources->checks = g_array_new(FALSE, FALSE, sizeof(struct launch_check));
        g_array_set_clear_func(resources->checks, launch_check_clear);
}

void resources_done(struct resources *resources)
{
        g_hash_table_unref(resources->by_alias);
        g_array_unref(resources->fds);
        g_array_unref(resources->checks);
        g_ptr_array_unref(resources->made_files);
        g_free(resources->made_store);
        g_free(resources->made_pstore);
}

/* What the emulator has written before it failed may say why. */
static void remove_empty(const char *path)
{
        struct stat st;

        if (lstat(path, &st) == 0 && S_ISREG(st.st_mode) && st.st_size == 0)
                unlink(path);
}

void resources_undo(struct resources *resources)
{
        const struct guest *guest = resources->guest;
        g_autofree char *tpm = g_build_filename(guest->driver->tpm_dir, guest->domain->base.uuid_text, NULL);

        if (resources->made_store)
                unlink(resources->made_store);
        if (resources->made_pstore)
                unlink(resources->made_pstore);
        for (unsigned i = 0; i < resources->made_files->len; i++)
                remove_empty(resources->made_files->pdata[i]);
        /* Only when it is empty. */
        rmdir(tpm);
}

struct device_resources *resources_get(struct resources *resources, const char *alias)
{
        struct device_resources *device = g_hash_table_lookup(resources->by_alias, alias);

        if (!device) {
                device = device_resources_new();
                g_hash_table_insert(resources->by_alias, g_strdup(alias), device);
        }
        return device;
}

/* Of what is not there yet, the directory's. */
static char *follow_links(const char *path)
{
        char *real = realpath(path, NULL);
        g_autofree char *dir = NULL, *base = NULL, *real_dir = NULL;

        if (real)
                return real;
        dir = g_path_get_dirname(path);
        base = g_path_get_basename(path);
        real_dir = realpath(dir, NULL);
        return real_dir ? g_build_filename(real_dir, base, NULL) : g_strdup(path);
}

static void allow_device_nodes(struct resources *resources, const char *path, bool write)
{
        GDir *dir = g_dir_open(path, 0, NULL);
        const char *name;

        while (dir && (name = g_dir_read_name(dir))) {
                g_autofree char *node = g_build_filename(path, name, NULL);
                struct stat st;

                if (lstat(node, &st) == 0 && (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode)))
                        resources_allow(resources, node, write, false);
        }
        if (dir)
                g_dir_close(dir);
}

void resources_allow(struct resources *resources, const char *path, bool write, bool tree)
{
        struct status_file file = { .alias = (char *)resources->alias, .write = write, .tree = tree };
        struct stat st;

        if (*path != '/')
                return;
        file.path = follow_links(path);
        if (stat(file.path, &st) == 0 && (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode))) {
                file.type = st.st_mode & S_IFMT;
                file.device = st.st_rdev;
        }
        status_add_file(resources->guest->status, &file);
        if (tree && g_str_has_prefix(file.path, "/dev/"))
                allow_device_nodes(resources, file.path, write);
        g_free(file.path);
}

/* What the emulator is given open is still looked at by its profile. */
static void allow_fd(struct resources *resources, int fd)
{
        g_autofree char *path = guest_find_fd_path(fd);

        const struct status_file file = { .alias = (char *)resources->alias,
                                          .path = path,
                                          .write = (fcntl(fd, F_GETFL) & O_ACCMODE) != O_RDONLY };

        if (path)
                status_add_file(resources->guest->status, &file);
}

/* Files without a name, in memory or not, are nobody's but the guest's. */
static void label_nameless(const struct guest *guest, int fd)
{
        g_autoptr(GError) failure = NULL;
        struct stat st;

        if (guest->image_context && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_nlink == 0 &&
            !relabel_fd(fd, guest->image_context, NULL, &failure))
                log_gerror(LOG_LEVEL_WARNING, failure, "%s may not be able to read it", guest->who);
}

void resources_add_fd(struct resources *resources, int fd)
{
        g_array_append_val(resources->fds, fd);
        label_nameless(resources->guest, fd);
        allow_fd(resources, fd);
}

bool resources_add_value(struct resources *resources, GBytes *value, int *fd, GError **error)
{
        *fd = secret_value_to_fd(value, error);
        if (*fd < 0)
                return false;
        resources_add_fd(resources, *fd);
        return true;
}

bool resources_get_secret(const struct resources *resources, const struct secret_ref *ref, int *fd,
                          GError **error)
{
        GBytes *value = takings_find_secret(resources->start->takings, ref, error);

        if (!value)
                return false;
        *fd = secret_value_to_fd(value, error);
        g_bytes_unref(value);
        return *fd >= 0;
}

bool resources_add_secret(struct resources *resources, const struct secret_ref *ref, int *fd, GError **error)
{
        if (!resources_get_secret(resources, ref, fd, error))
                return false;
        resources_add_fd(resources, *fd);
        return true;
}

static void add_check(struct resources *resources, const char *path, bool write, char *what)
{
        struct launch_check check = { g_strdup(path), write ? O_RDWR : O_RDONLY, what };

        resources_allow(resources, path, write, false);
        g_array_append_val(resources->checks, check);
}

void resources_add_check(struct resources *resources, const char *path, bool write, const char *what_format,
                         ...)
{
        va_list args;

        va_start(args, what_format);
        add_check(resources, path, write, g_strdup_vprintf(what_format, args));
        va_end(args);
}

void resources_add_tls_check(struct resources *resources, const char *dir, bool server)
{
        static const char *const names[][2] = { { "client-cert.pem", "client-key.pem" },
                                                { "server-cert.pem", "server-key.pem" } };
        const char *const files[] = { "ca-cert.pem", names[server][0], names[server][1] };

        /* There may be lists of those that are revoked, too. */
        resources_allow(resources, dir, false, true);
        for (unsigned i = 0; i < G_N_ELEMENTS(files); i++) {
                g_autofree char *path = g_build_filename(dir, files[i], NULL);

                /* A client may be anybody. */
                if (server || i == 0 || access(path, F_OK) == 0)
                        resources_add_check(resources, path, false, "certificate '%s' for TLS", path);
        }
}

void resources_add_file(struct resources *resources, const char *path, bool write, const char *what_format,
                        ...)
{
        struct guest *guest = resources->guest;
        struct ownership ownership;
        va_list args;

        if (!resources->no_relabel && !resources->keeps_owner &&
            ownership_is_needed(guest->account, path, write, &ownership))
                status_add_image(guest->status, resources->alias, path, &ownership)->pending = true;
        resources_label_file(resources, path, write);
        va_start(args, what_format);
        add_check(resources, path, write, g_strdup_vprintf(what_format, args));
        va_end(args);
}

bool resources_is_taken_for(const struct resources *resources, const char *alias)
{
        return !resources->alias || g_strcmp0(resources->alias, alias) == 0;
}

bool resources_take_files(struct resources *resources, GError **error)
{
        struct guest *guest = resources->guest;

        for (unsigned i = 0; i < guest->status->images->len; i++) {
                struct status_image *image = g_ptr_array_index(guest->status->images, i);

                if (image->pending && resources_is_taken_for(resources, image->alias))
                        image->pending = !ownership_take(guest->account, image->path, &image->ownership);
        }
        return guest_take_labels(guest, resources->alias, error);
}

/* ---- devices that need little ---- */

static bool prepare_acceleration(struct resources *resources, GError **error)
{
        g_autofree char *why = NULL;

        if (g_strcmp0(resources->def->type, "kvm") != 0)
                return true;
        why = kvm_explain(KVM_DEVICE, resources->guest->account);
        if (why)
                return error_set(error, ERROR_FROM_QEMU, ERROR_OPERATION_FAILED, "%s cannot run by KVM: %s",
                                 resources->guest->who, why);
        resources_add_check(resources, KVM_DEVICE, true, KVM_DEVICE);
        return true;
}

bool resources_prepare_rng(struct resources *resources, const void *device, GError **error)
{
        const struct domain_rng *rng = device;

        if (rng->backend == DOMAIN_RNG_RANDOM && rng->path)
                resources_add_check(resources, rng->path, false, "'%s' of the random number generator",
                                    rng->path);
        return true;
}

bool resources_prepare_input(struct resources *resources, const void *device, GError **error)
{
        const struct domain_input *input = device;

        if (input->source)
                resources_add_file(resources, input->source, true, "input device '%s'", input->source);
        return true;
}

static bool set_cid(int fd, uint32_t cid)
{
        uint64_t value = cid;

        return ioctl(fd, VHOST_VSOCK_SET_GUEST_CID, &value) == 0;
}

/* The kernel knows which numbers are taken. */
static uint32_t choose_cid(int fd, const struct domain_vsock *vsock)
{
        uint32_t first =
                vsock->auto_cid == DOMAIN_SWITCH_ON || vsock->cid == 0 ? VSOCK_CID_FIRST : vsock->cid;

        for (uint32_t cid = first; cid < UINT32_MAX; cid++) {
                if (set_cid(fd, cid))
                        return cid;
                if (errno != EADDRINUSE || first == vsock->cid)
                        break;
        }
        return 0;
}

bool resources_prepare_vsock(struct resources *resources, const void *data, GError **error)
{
        const struct domain_vsock *vsock = data;
        struct device_resources *device;
        uint32_t cid;
        int fd;

        fd = open("/dev/vhost-vsock", O_RDWR | O_CLOEXEC);
        if (fd < 0)
                return error_set_errno(error, ERROR_FROM_QEMU, errno,
                                       "cannot open /dev/vhost-vsock for the vsock device");
        resources_add_fd(resources, fd);
        cid = choose_cid(fd, vsock);
        if (cid == 0)
                return error_set_errno(error, ERROR_FROM_QEMU, errno,
                                       "cannot set the CID of the vsock device");
        device = resources_get(resources, vsock->info.alias);
        device->fds = g_array_new(FALSE, FALSE, sizeof(int));
        g_array_append_val(device->fds, fd);
        domain_edit_set_vsock_cid(resources->edit, cid);
        return true;
}

/* Does a device of the host read and write the guest's memory by itself? */
static bool has_direct_access(const struct domain_def *def)
{
        for (unsigned i = 0; i < def->devices.n_hostdevs; i++) {
                enum domain_hostdev_type type = def->devices.hostdevs[i].type;

                if (type == DOMAIN_HOSTDEV_PCI || type == DOMAIN_HOSTDEV_MDEV)
                        return true;
        }
        for (unsigned i = 0; i < def->devices.n_interfaces; i++)
                if (def->devices.interfaces[i].type == DOMAIN_INTERFACE_HOSTDEV)
                        return true;
        for (unsigned i = 0; i < def->devices.n_disks; i++)
                if (def->devices.disks[i].source.nvme)
                        return true;
        return false;
}

uint64_t resources_get_lock_bytes(const struct domain_def *def)
{
        if (def->memory_backing.locked)
                return RLIM_INFINITY;
        return has_direct_access(def) ? MAX(def->memory_kib, def->max_memory_kib) * 1024 + LOCK_EXTRA : 0;
}

/* Of the device before. */
static void forget_labels(struct resources *resources)
{
        resources->keeps_owner = resources->keeps_label = resources->shared = false;
        resources->label = NULL;
}

bool resources_prepare_device(struct resources *resources, enum domain_device_kind kind, const void *device,
                              GError **error)
{
        const struct device_row *row = device_row_get(kind);
        const struct domain_device_info *info = domain_device_get_info(kind, device);

        resources->alias = info ? info->alias : NULL;
        resources_allow_device(resources, kind, device);
        if (!row || !row->prepare)
                return true;
        resources->opened = kind == DOMAIN_DEVICE_DISK && resources->checks->len == 0;
        forget_labels(resources);
        return row->prepare(resources, device, error);
}

bool resources_resume(struct resources *resources, GError **error)
{
        resources_skip_images(resources);
        return resources_prepare_labels(resources, true, error);
}

static bool check_raw_io(const struct domain_def *def, GError **error)
{
        return !domain_def_wants_raw_io(def) || geteuid() == 0 ||
               error_set(error, ERROR_FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                         "rawio='yes' is not supported: CAP_SYS_RAWIO is for an agent that is root to give");
}

bool resources_prepare(struct resources *resources, GError **error)
{
        if (!check_raw_io(resources->def, error))
                return false;
        if (!resources_prepare_labels(resources, false, error))
                return false;
        resources_allow_guest(resources);
        if (!prepare_acceleration(resources, error) || !resources_prepare_memory(resources, error) ||
            !resources_prepare_boot(resources, error) || !resources_prepare_protection(resources, error) ||
            !device_prepare_all(resources, error))
                return false;
        /* From here on it is the whole guest again. */
        resources->alias = NULL;
        forget_labels(resources);
        return true;
}
