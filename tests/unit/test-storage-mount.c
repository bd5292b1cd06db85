/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * drivers/storage: pools that are mounted: fs on real file systems, netfs through stand-ins for the tools, as
 * a file server needs a kernel that has one.
 */
#include "drivers/storage/block.h"
#include "drivers/storage/mount.h"
#include "tests/unit/storage-host.h"

#define MIB ((uint64_t)1024 * 1024)

static char *device; /* the test's loop device */
static int device_fd;

static struct backend_context fs_context(const char *format)
{
        g_autofree char *xml =
                g_strdup_printf("<pool type='fs'><name>fs</name><source><device path='%s'/>"
                                "<format type='%s'/></source><target><path>%s/pool</path></target></pool>",
                                device, format, host.dir);

        return host_context(xml);
}

static bool is_active(const struct backend *backend, const struct backend_context *context)
{
        bool active = false;

        ck_assert_ok(backend->check(context, &active, &error));
        return active;
}

static void fs_body(void)
{
        struct backend_context context = fs_context("ext4"), any = fs_context("auto"),
                               xfs = fs_context("xfs");
        g_autofree char *file = g_build_filename(context.def->path, "file", NULL);
        g_autofree char *table = NULL;

        ck_assert_ok(backend_fs.check_def(context.def, &error));
        ck_assert_fails(backend_fs.start(&context, &error), "no file system");
        /* Without a word about the device, only the mount point is made. */
        ck_assert_ok(backend_fs.build(&context, 0, &error));
        ck_assert_fails(backend_fs.start(&context, &error), "no file system");
        ck_assert_fails(backend_fs.build(&any, POOL_BUILD_OVERWRITE, &error), "format 'auto'");
        ck_assert_ok(backend_fs.build(&context, POOL_BUILD_NO_OVERWRITE, &error));
        ck_assert_fails(backend_fs.build(&context, POOL_BUILD_NO_OVERWRITE, &error), "already holds 'ext4'");
        ck_assert_ok(backend_fs.build(&context, POOL_BUILD_OVERWRITE, &error));

        ck_assert_fails(backend_fs.start(&xfs, &error), "holds 'ext4', not the pool's format 'xfs'");
        ck_assert(!is_active(&backend_fs, &context));
        ck_assert_ok(backend_fs.start(&context, &error));
        ck_assert(is_active(&backend_fs, &context));
        ck_assert_ok(g_file_set_contents(file, "content", -1, &error));
        g_file_get_contents("/proc/self/mounts", &table, NULL, NULL);
        ck_assert_ptr_nonnull(strstr(table, "/pool ext4 rw,nosuid,nodev,noexec"));
        /* As after a restart of the agent: it is there, and starting it is nothing. */
        ck_assert_ok(backend_fs.start(&any, &error));
        ck_assert_fails(backend_fs.build(&context, POOL_BUILD_OVERWRITE, &error), "cannot open device");

        ck_assert_ok(backend_fs.stop(&context, &error));
        ck_assert(!is_active(&backend_fs, &context));
        ck_assert_int_ne(access(file, F_OK), 0);
        ck_assert_ok(backend_fs.stop(&context, &error));
        ck_assert_ok(backend_fs.start(&any, &error));
        ck_assert_int_eq(access(file, F_OK), 0);
        ck_assert_ok(backend_fs.stop(&any, &error));
        host_context_clear(&context);
        host_context_clear(&any);
        host_context_clear(&xfs);
}

static bool has_disk(void)
{
        return host_has_tool("mkfs.ext4") && host_loop_device(32 * MIB, &device, &device_fd);
}

START_TEST(test_fs)
{
        if (has_disk())
                host_run(fs_body);
}
END_TEST

static void busy_body(void)
{
        struct backend_context context = fs_context("ext4");
        g_autofree char *file = g_build_filename(context.def->path, "file", NULL);
        CLEANUP_FD int user = -1;

        ck_assert_ok(backend_fs.build(&context, POOL_BUILD_OVERWRITE, &error));
        ck_assert_ok(backend_fs.start(&context, &error));
        user = open(file, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
        ck_assert_int_ge(user, 0);
        ck_assert_fails(backend_fs.stop(&context, &error), "busy");
        ck_assert(is_active(&backend_fs, &context));
        close(fd_steal(&user));

        /* Unmounted by somebody else: not what is below the mount point, but an error. */
        ck_assert_int_eq(umount(context.def->path), 0);
        {
                struct pool_scan scan = { .volumes = g_ptr_array_new() };

                ck_assert_fails(backend_fs.refresh(&context, &scan, &error), "not mounted");
                g_ptr_array_unref(scan.volumes);
        }
        ck_assert(!is_active(&backend_fs, &context));

        /* Something else there. */
        ck_assert_int_eq(mount("other", context.def->path, "tmpfs", 0, NULL), 0);
        ck_assert(!is_active(&backend_fs, &context));
        ck_assert_fails(backend_fs.start(&context, &error), "mount point of 'other'");
        ck_assert_int_eq(umount(context.def->path), 0);

        /* A link that leads elsewhere. */
        ck_assert_int_eq(rmdir(context.def->path), 0);
        ck_assert_int_eq(symlink("/tmp", context.def->path), 0);
        ck_assert_fails(backend_fs.start(&context, &error), "is not a directory");
        host_context_clear(&context);
}

START_TEST(test_busy)
{
        if (has_disk())
                host_run(busy_body);
}
END_TEST

/* ---- netfs ---- */

static struct backend_context netfs_context(const char *source, const char *options)
{
        g_autofree char *xml = g_strdup_printf(
                "<pool type='netfs' xmlns:fs='http://libvirt.org/schemas/storagepool/fs/1.0'><name>net</name>"
                "<source>%s</source><target><path>%s/pool</path></target>"
                "<fs:mount_opts>%s</fs:mount_opts></pool>",
                source, host.dir, options);

        return host_context(xml);
}

#define NFS_SOURCE "<host name='files'/><dir path='/srv/a dir'/><format type='nfs'/>"

/* mount(8) that notes how it is called, keeps the credentials, and mounts something of that name. */
static void stand_in_for_mount(void)
{
        host_stand_in("mount", "echo \"$@\" >>/run/log\n"
                               "case \"$*\" in *credentials=*)\n"
                               "        file=${*#*credentials=}; file=${file%% *}\n"
                               "        stat -c %a \"$file\" >>/run/log; cat \"$file\" >>/run/log;;\n"
                               "esac\n"
                               "for last; do target=$last; source=$before; before=$last; done\n"
                               "exec /bin/mount -t tmpfs -- \"$source\" \"$target\"");
}

/* What is not mounted any more, or whose server is silent, is not touched: below it is somebody else's
 * directory. */
static void touch_nothing(const struct backend_context *context)
{
        static const char *const text = "is not mounted at";
        CLEANUP(volume_unref) struct volume *volume = volume_new();
        struct pool_scan scan = { .volumes = NULL };
        struct pool_numbers numbers;
        struct volume *found;
        uint64_t size;
        bool slow;

        volume->name = g_strdup("v");
        volume->path = g_build_filename(host.dir, "pool/v", NULL);
        volume->format = VOLUME_FORMAT_RAW;
        ck_assert_fails(backend_netfs.refresh(context, &scan, &error), text);
        ck_assert_fails(backend_netfs.prepare(context, volume, 0, &slow, &error), text);
        ck_assert_fails(backend_netfs.destroy(context, volume, 0, &error), text);
        ck_assert_fails(backend_netfs.resize(context, volume, MIB, 0, &error), text);
        ck_assert_fails(backend_netfs.wipe(context, volume, VOLUME_WIPE_ZERO, &error), text);
        ck_assert_fails(backend_netfs.open(context, volume, false, &size, &error) >= 0, text);
        ck_assert_fails(backend_netfs.probe(context, "v", NULL, &found, &error), text);
        ck_assert_fails(backend_netfs.measure(context, &numbers, &error), text);
        ck_assert_fails(backend_netfs.stat(context, volume, &size, &size, &size, &error), text);
}

static void nfs_body(void)
{
        struct backend_context context =
                netfs_context(NFS_SOURCE "<protocol ver='4.1'/>", "<fs:option name='ro'/>");
        g_autofree char *log = NULL;

        ck_assert_ok(backend_netfs.check_def(context.def, &error));
        stand_in_for_mount();
        ck_assert_ok(backend_netfs.build(&context, 0, &error));
        ck_assert(!is_active(&backend_netfs, &context));
        ck_assert_ok(backend_netfs.start(&context, &error));
        log = host_log();
        ck_assert_str_eq(log, "-t nfs -o nodev,nosuid,noexec,ro,nfsvers=4.1 -- files:/srv/a dir /run/pool\n");
        ck_assert(is_active(&backend_netfs, &context));
        ck_assert_ok(backend_netfs.stop(&context, &error));
        ck_assert(!is_active(&backend_netfs, &context));
        touch_nothing(&context);
        host_context_clear(&context);
}

START_TEST(test_nfs)
{
        if (host_has(host.is_private, "root"))
                host_run(nfs_body);
}
END_TEST

static void cifs_body(void)
{
        const char *source = "<host name='::1'/><dir path='share'/><format type='cifs'/>";
        struct backend_context guest = netfs_context(source, ""),
                               user = netfs_context(source,
                                                    "<fs:option name='username=me'/><fs:option name='ro'/>"
                                                    "<fs:option name='password=s3cret'/>");
        g_autofree char *log = NULL, *left = NULL;

        stand_in_for_mount();
        ck_assert_ok(backend_netfs.build(&guest, 0, &error));
        ck_assert_ok(backend_netfs.start(&guest, &error));
        log = host_log();
        ck_assert_str_eq(log, "-t cifs -o nodev,nosuid,noexec,guest -- //::1/share /run/pool\n");
        ck_assert_ok(backend_netfs.stop(&guest, &error));

        /* Credentials go by a file that only root can read and that is gone afterwards. */
        ck_assert_ok(backend_netfs.start(&user, &error));
        g_free(log);
        log = host_log();
        ck_assert_ptr_nonnull(strstr(log, "\n600\nusername=me\npassword=s3cret\n"));
        ck_assert(g_str_has_prefix(log, "-t cifs -o nodev,nosuid,noexec,ro,credentials=/run/"));
        left = g_strdup(strstr(log, "/run/"));
        *strchr(left, ' ') = '\0';
        ck_assert_int_ne(access(left, F_OK), 0);
        ck_assert_ok(backend_netfs.stop(&user, &error));
        host_context_clear(&guest);
        host_context_clear(&user);
}

START_TEST(test_cifs)
{
        if (host_has(host.is_private, "root"))
                host_run(cifs_body);
}
END_TEST

static void failure_body(void)
{
        struct backend_context context = netfs_context(NFS_SOURCE, "");

        ck_assert_ok(backend_netfs.build(&context, 0, &error));
        host_stand_in("mount", "echo 'mount.nfs: Connection timed out' >&2; exit 32");
        ck_assert_fails(backend_netfs.start(&context, &error), "Connection timed out");
        host_stand_in("mount", "echo \"mount: /run/pool: unknown filesystem type 'nfs'.\" >&2;"
                               "echo '       dmesg(1) may have more information' >&2; exit 32");
        ck_assert_fails(backend_netfs.start(&context, &error),
                        access("/sbin/mount.nfs", X_OK) == 0
                                ? "unknown filesystem type 'nfs'."
                                : "the helper program 'mount.nfs' is not installed (package nfs-common");
        /* It has mounted, and fails nevertheless: undone. */
        host_stand_in("mount", "/bin/mount -t tmpfs -- 'files:/srv/a dir' /run/pool; exit 1");
        ck_assert_fails(backend_netfs.start(&context, &error), "mount");
        ck_assert(!is_active(&backend_netfs, &context));
        /* A server that does not answer any more shows before anything else touches the mount. */
        ck_assert_int_eq(mount("files:/srv/a dir", "/run/pool", "tmpfs", 0, NULL), 0);
        host_stand_in("stat", "echo 'Stale file handle' >&2; exit 1");
        {
                struct pool_scan scan = { .volumes = g_ptr_array_new() };

                ck_assert_fails(backend_netfs.refresh(&context, &scan, &error), "Stale file handle");
                g_ptr_array_unref(scan.volumes);
        }
        ck_assert(is_active(&backend_netfs, &context));
        ck_assert_ok(backend_netfs.stop(&context, &error));
        ck_assert(!is_active(&backend_netfs, &context));
        host_context_clear(&context);
}

START_TEST(test_failure)
{
        if (host_has(host.is_private, "root"))
                host_run(failure_body);
}
END_TEST

static void find_body(void)
{
        struct pool_def def = { .type = POOL_NETFS };
        struct backend_context context = { .lane = host.lane, .def = &def };
        g_autoptr(GPtrArray) sources = g_ptr_array_new_with_free_func(g_free);
        g_autofree char *log = NULL;

        ck_assert_fails(backend_netfs.find(&context, false, sources, &error), "no host");
        ck_assert_ok(
                pool_source_parse("<source><host name='files'/></source>", POOL_NETFS, &def.source, &error));
        /* Recorded in the lab from showmount 2.6.2. */
        host_stand_in("showmount", "echo \"$@\" >>/run/log\n"
                                   "echo 'Export list for files:'\n"
                                   "echo '/srv/two words *'\n"
                                   "echo '/srv/nobody    @nobody'\n"
                                   "echo '/srv/images    192.168.0.0/16,10.0.0.1'");
        ck_assert_ok(backend_netfs.find(&context, true, sources, &error));
        log = host_log();
        ck_assert_str_eq(log, "--no-headers --exports files\n");
        ck_assert_uint_eq(sources->len, 3);
        ck_assert_ptr_nonnull(strstr(g_ptr_array_index(sources, 2), "<dir path='/srv/images'/>"));
        ck_assert_ptr_nonnull(strstr(g_ptr_array_index(sources, 0), "<host name='files'/>"));
        ck_assert_ptr_nonnull(strstr(g_ptr_array_index(sources, 0), "<format type='nfs'/>"));
        ck_assert_ptr_nonnull(strstr(g_ptr_array_index(sources, 0), "<dir path='/srv/two words'/>"));
        ck_assert_ptr_nonnull(strstr(g_ptr_array_index(sources, 1), "<dir path='/srv/nobody'/>"));
        host_stand_in("showmount", "echo 'clnt_create: RPC: Program not registered' >&2; exit 1");
        ck_assert_fails(backend_netfs.find(&context, true, sources, &error), "Program not registered");
        ck_assert(g_setenv("PATH", "/nonexistent", TRUE));
        ck_assert_fails(backend_netfs.find(&context, true, sources, &error), "missing tool 'showmount'");
        pool_source_clear(&def.source);
}

START_TEST(test_find)
{
        if (host_has(host.is_private, "root"))
                host_run(find_body);
}
END_TEST

/* What must not become part of a command line. */
static void refused(const char *source, const char *options, const char *text)
{
        struct backend_context context = netfs_context(source, options);

        ck_assert_fails(backend_netfs.check_def(context.def, &error), text);
        host_context_clear(&context);
}

static void refused_body(void)
{
        refused("<host name='a b'/><dir path='/x'/><format type='nfs'/>", "", "host name");
        refused("<host name='files'/><dir path='x'/><format type='nfs'/>", "", "not absolute");
        refused("<host name='files'/><dir path='/x/../y'/><format type='nfs'/>", "", "'..'");
        refused(NFS_SOURCE, "<fs:option name='ro,suid'/>", "','");
        refused(NFS_SOURCE, "<fs:option name='-f'/>", "begins with '-'");
        refused(NFS_SOURCE, "<fs:option name='vers' value='-x'/>", "begins with '-'");
        refused("<host name='a'/><host name='b'/><dir path='/x'/><format type='nfs'/>", "", "one host");
}

START_TEST(test_refused)
{
        host_run(refused_body);
}
END_TEST

CHECK_MAIN_FIXTURE("storage-mount", host_setup, host_teardown, test_fs, test_busy, test_nfs, test_cifs,
                   test_failure, test_find, test_refused)
