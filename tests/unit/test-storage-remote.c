/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * drivers/storage: pools of Ceph images and of ZFS volumes, through stand-ins whose answers are written after
 * the manuals of rbd, ceph and zfs, not recorded from a cluster; and tools that hang.
 */
#include "tests/unit/storage-host.h"

#include "base/spawn.h"

#define MIB ((uint64_t)1024 * 1024)

static bool is_active(const struct backend *backend, const struct backend_context *context)
{
        bool active = false;

        ck_assert_ok(backend->check(context, &active, &error));
        return active;
}

/* ---- rbd ---- */

static struct backend_context rbd_context(const char *auth)
{
        g_autofree char *xml = g_strdup_printf(
                "<pool type='rbd' "
                "xmlns:rbd='http://libvirt.org/schemas/storagepool/rbd/1.0'><name>ceph</name>"
                "<uuid>3e3fce45-4f53-4fa7-bb32-11f34168b82b</uuid>"
                "<source><name>images</name><host name='mon1'/><host name='::1' port='6789'/>%s</source>"
                "<rbd:config_opts><rbd:option name='client_mount_timeout' "
                "value='5'/></rbd:config_opts></pool>",
                auth);

        return host_context(xml);
}

#define AUTH   "<auth type='ceph' username='admin'><secret usage='x'/></auth>"
#define CONFIG "/run/3e3fce45-4f53-4fa7-bb32-11f34168b82b.ceph"

static void stand_in_for_ceph(void)
{
        host_stand_in("rbd", "echo \"rbd $*\" >>/run/log\n"
                             "case $* in *' ls '*) cat '" RECORDINGS "/rbd-ls.json';; esac");
        host_stand_in("ceph", "cat '" RECORDINGS "/ceph-df.json'");
}

static void rbd_body(void)
{
        struct backend_context context = rbd_context(AUTH);
        g_autoptr(GPtrArray) volumes = NULL;
        g_autofree char *log = NULL, *config = NULL;
        struct pool_numbers numbers;
        const struct volume *volume;
        struct stat status;

        stand_in_for_ceph();
        ck_assert_ok(backend_rbd.check_def(context.def, &error));
        ck_assert_fails(backend_rbd.start(&context, &error), "no key for user 'admin'");
        ck_assert(!is_active(&backend_rbd, &context));
        context.secret = g_bytes_new_static("\x01\x02\x03", 3);
        ck_assert_ok(backend_rbd.start(&context, &error));
        ck_assert(is_active(&backend_rbd, &context));
        ck_assert_int_eq(stat(CONFIG, &status), 0);
        ck_assert_int_eq(status.st_mode & 0777, 0600);
        ck_assert(g_file_get_contents(CONFIG, &config, NULL, NULL));
        ck_assert_ptr_nonnull(strstr(config, "mon_host = mon1,[::1]:6789\n"));
        ck_assert_ptr_nonnull(strstr(config, "auth_client_required = cephx\n"));
        ck_assert_ptr_nonnull(strstr(config, "client_mount_timeout = 5\n[client.admin]\nkey = AQID\n"));
        g_bytes_unref(g_steal_pointer(&context.secret));

        volumes = host_refresh(&backend_rbd, &context, &numbers);
        ck_assert_uint_eq(volumes->len, 2);
        volume = host_find(volumes, "web");
        ck_assert_str_eq(volume->path, "images/web");
        ck_assert_uint_eq(volume->capacity, 10737418240);
        ck_assert_int_eq(volume->type, VOLUME_NETWORK);
        ck_assert_uint_eq(numbers.capacity, 322122547200);
        ck_assert_uint_eq(numbers.available, 318901321728);
        ck_assert_uint_eq(numbers.allocation, 1073741824);

        g_free(host_log());
        ck_assert_ok(backend_rbd.resize(&context, volume, 5 * MIB, VOLUME_RESIZE_SHRINK, &error));
        ck_assert_ok(backend_rbd.destroy(&context, volume, 2, &error));
        log = host_log();
#define RBD "rbd --conf " CONFIG " --id admin "
        ck_assert_str_eq(log,
                         RBD "resize --no-progress --size=5242880B images/web --allow-shrink\n" RBD
                             "snap purge --no-progress images/web\n" RBD "rm --no-progress images/web\n");
        ck_assert_ok(backend_rbd.stop(&context, &error));
        ck_assert_int_ne(access(CONFIG, F_OK), 0);
        ck_assert(!is_active(&backend_rbd, &context));
        host_context_clear(&context);
}

START_TEST(test_rbd)
{
        if (host_has(host.is_private, "root"))
                host_run(rbd_body);
}
END_TEST

static void rbd_create_body(void)
{
        struct backend_context context = rbd_context("");
        CLEANUP(volume_unref)
        struct volume *volume = host_volume(POOL_RBD, "new", 3 * MIB + 1, "raw"),
                      *snapshot = host_volume(POOL_RBD, "a@b", MIB, "raw"),
                      *source = host_volume(POOL_DIR, "source", MIB, "raw");
        g_autofree char *log = NULL;
        bool slow;

        stand_in_for_ceph();
        ck_assert_ok(backend_rbd.start(&context, &error));
        g_free(host_log());
        ck_assert_fails(backend_rbd.prepare(&context, snapshot, 0, &slow, &error), "volume name 'a@b'");
        ck_assert_ok(backend_rbd.prepare(&context, volume, 0, &slow, &error));
        ck_assert_ok(backend_rbd.create(&context, volume, 0, &error));
        source->path = g_strdup("/srv/source");
        ck_assert_ok(backend_rbd.clone(&context, volume, source, 0, &error));
        log = host_log();
#undef RBD
#define RBD "rbd --conf " CONFIG " "
        ck_assert_str_eq(log, RBD "create --no-progress --size=3145729B images/new\n" RBD
                                  "import --no-progress /srv/source images/new\n" RBD
                                  "resize --no-progress --size=3145729B images/new\n");
        /* A cluster that is away. */
        host_stand_in("rbd", "echo \"rbd: couldn't connect to the cluster!\" >&2; exit 1");
        ck_assert_ok(backend_rbd.stop(&context, &error));
        ck_assert_fails(backend_rbd.start(&context, &error), "couldn't connect to the cluster");
        ck_assert(!is_active(&backend_rbd, &context));
        host_context_clear(&context);
}

START_TEST(test_rbd_create)
{
        if (host_has(host.is_private, "root"))
                host_run(rbd_create_body);
}
END_TEST

/* ---- zfs ---- */

static struct backend_context zfs_context(const char *name)
{
        g_autofree char *xml = g_strdup_printf(
                "<pool type='zfs'><name>zfs</name><source><name>%s</name></source></pool>", name);

        return host_context(xml);
}

static void zfs_body(void)
{
        struct backend_context context = zfs_context("tank/vms"), missing = zfs_context("none"),
                               odd = zfs_context("a b");
        CLEANUP(volume_unref)
        struct volume *volume = host_volume(POOL_ZFS, "new", MIB + 1, "raw"),
                      *sparse = host_volume(POOL_ZFS, "thin", MIB, "raw");
        g_autoptr(GPtrArray) volumes = NULL;
        g_autofree char *log = NULL;
        struct pool_numbers numbers;
        bool slow;

        host_stand_in("udevadm", "");
        host_stand_in("zfs", "echo \"zfs $*\" >>/run/log\n"
                             "case $* in\n"
                             "*none) echo \"cannot open 'none': dataset does not exist\" >&2; exit 1;;\n"
                             "*used,available*) printf '1048576\\t9437184\\n';;\n"
                             "*name,volsize,used*) printf 'tank/vms/web\\t4194304\\t98304\\n"
                             "tank/vms/db\\t8388608\\t8650752\\n';;\n"
                             "esac");
        ck_assert_fails(backend_zfs.check_def(odd.def, &error), "ZFS pool name 'a b'");
        ck_assert_fails(backend_zfs.start(&missing, &error), "dataset does not exist");
        ck_assert(!is_active(&backend_zfs, &missing));
        ck_assert_ok(backend_zfs.start(&context, &error));
        volumes = host_refresh(&backend_zfs, &context, &numbers);
        ck_assert_uint_eq(volumes->len, 2);
        ck_assert_str_eq(host_find(volumes, "web")->path, "/dev/zvol/tank/vms/web");
        ck_assert_str_eq(host_find(volumes, "web")->key, "tank/vms/web");
        ck_assert_uint_eq(host_find(volumes, "web")->capacity, 4 * MIB);
        ck_assert_uint_eq(host_find(volumes, "web")->allocation, 98304);
        ck_assert_uint_eq(numbers.capacity, 10 * MIB);

        ck_assert_ok(backend_zfs.prepare(&context, volume, 0, &slow, &error));
        sparse->allocation = 0;
        ck_assert_ok(backend_zfs.prepare(&context, sparse, 0, &slow, &error));
        g_free(host_log());
        ck_assert_ok(backend_zfs.create(&context, volume, 0, &error));
        ck_assert_ok(backend_zfs.create(&context, sparse, 0, &error));
        ck_assert_ok(backend_zfs.resize(&context, volume, 2 * MIB, 0, &error));
        ck_assert_ok(backend_zfs.destroy(&context, volume, 0, &error));
        log = host_log();
        ck_assert_str_eq(log, "zfs create -V 1179648 tank/vms/new\n"
                              "zfs create -s -V 1048576 tank/vms/thin\n"
                              "zfs set volsize=2097152 tank/vms/new\n"
                              "zfs destroy tank/vms/new\n");
        host_context_clear(&context);
        host_context_clear(&missing);
        host_context_clear(&odd);
}

START_TEST(test_zfs)
{
        if (host_has(host.is_private, "root"))
                host_run(zfs_body);
}
END_TEST

/* ---- a tool that hangs ---- */

static void urgent(void *data)
{
}

/* On the loop, when the tool has begun: what a destroy does. */
static gboolean interrupt(gpointer data)
{
        if (access("/run/begun", F_OK) != 0)
                return G_SOURCE_CONTINUE;
        lane_post_urgent(host.lane, urgent, NULL);
        return G_SOURCE_REMOVE;
}

static void hang_body(void)
{
        struct backend_context context = host_context(
                "<pool type='netfs'><name>net</name><source><host name='files'/><dir path='/srv'/>"
                "<format type='nfs'/></source><target><path>/run/pool</path></target></pool>");

        ck_assert_ok(backend_netfs.build(&context, 0, &error));
        /* It has mounted when it is interrupted: that is undone. */
        host_stand_in("mount", "/bin/mount -t tmpfs files:/srv /run/pool; touch /run/begun; exec sleep 1000");
        ck_assert_fails(backend_netfs.start(&context, &error), "aborted");
        ck_assert(!is_active(&backend_netfs, &context));
        host_context_clear(&context);
}

START_TEST(test_hang)
{
        GSource *source;

        if (!host_has(host.is_private, "root"))
                return;
        source = g_timeout_source_new(10);
        g_source_set_callback(source, interrupt, NULL, NULL);
        g_source_attach(source, loop_get_context(host.loop));
        host_run(hang_body);
        g_source_unref(source);
}
END_TEST

CHECK_MAIN_FIXTURE("storage-remote", host_setup, host_teardown, test_rbd, test_rbd_create, test_zfs,
                   test_hang)
