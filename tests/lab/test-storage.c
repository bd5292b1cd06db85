/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Storage that needs a kernel and servers which hosts of tests do not have: NFS, iSCSI, LVM, SCSI, multipath.
 * Runs in the lab (tests/lab/lab), as a black box like the tests of tests/bus; tests/lab/servers is the
 * storage.
 */

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/harness.h"
#include "tests/support/pool.h"

#define MIB    UINT64_C(1048576)
#define TARGET "iqn.2026-01.org.virtbus:"

static struct harness *harness;
static struct client *client;

static void set_up(void)
{
        harness = harness_new();
        client = harness_get_client(harness);
}

static void tear_down(void)
{
        harness_free(harness);
}

/* Runs a command line; what it prints, to be freed. */
static char *run(const char *format, ...)
{
        g_autofree char *command = NULL, *errors = NULL;
        g_autoptr(GError) error = NULL;
        char *output = NULL;
        int status;
        va_list args;

        va_start(args, format);
        command = g_strdup_vprintf(format, args);
        va_end(args);
        if (!g_spawn_command_line_sync(command, &output, &errors, &status, &error))
                ck_abort_msg("%s: %s", command, error->message);
        if (status != 0)
                ck_abort_msg("%s: %s", command, errors);
        return g_strchomp(output);
}

/* An action of tests/lab/servers. */
static char *serve(const char *action)
{
        return run("%s/tests/lab/servers %s", g_getenv("VIRTBUS_SOURCE_DIR"), action);
}

static void served(const char *action)
{
        g_free(serve(action));
}

/* ---- pools and volumes ---- */

/* A pool of that source, defined; its path, to be freed. */
static char *define(const char *type, const char *source, const char *target)
{
        g_autofree char *xml = g_strdup_printf("<pool type='%s'><name>%s</name><source>%s</source>"
                                               "<target><path>%s</path></target></pool>",
                                               type, type, source, target);

        return client_call_string(client, QEMU_PATH, CONNECT_INTERFACE, "StoragePoolDefineXML", "su", xml, 0);
}

static void pool_do(const char *pool, const char *member)
{
        client_do(client, pool, POOL_INTERFACE, member, "u", 0);
}

static unsigned count_volumes(const char *pool)
{
        g_auto(GStrv) volumes = client_list(client, pool, POOL_INTERFACE, "ListStorageVolumes", 0);

        return g_strv_length(volumes);
}

static char *find(const char *pool, const char *name)
{
        return client_call_string(client, pool, POOL_INTERFACE, "StorageVolLookupByName", "s", name);
}

static char *make(const char *pool, const char *name, uint64_t capacity, uint64_t allocation,
                  const char *more)
{
        g_autofree char *xml =
                g_strdup_printf("<volume><name>%s</name><capacity>%" G_GUINT64_FORMAT "</capacity>"
                                "<allocation>%" G_GUINT64_FORMAT "</allocation>%s</volume>",
                                name, capacity, allocation, more);

        return client_call_string(client, pool, POOL_INTERFACE, "StorageVolCreateXML", "su", xml, 0);
}

static void expect_size(const char *volume, uint64_t capacity, uint64_t allocation)
{
        g_autoptr(sd_bus_message) reply = client_call(client, volume, VOLUME_INTERFACE, "GetInfo", "u", 0);
        uint64_t has_capacity, has_allocation;
        int type;

        ck_assert_int_gt(sd_bus_message_read(reply, "(itt)", &type, &has_capacity, &has_allocation), 0);
        ck_assert_uint_eq(has_capacity, capacity);
        ck_assert_uint_eq(has_allocation, allocation);
}

static void remove_volume(const char *volume)
{
        client_do(client, volume, VOLUME_INTERFACE, "Delete", "u", 0);
}

/* The volume's path in the host, which a shell may have. */
static char *node_of(const char *volume)
{
        return client_get_string(client, volume, VOLUME_INTERFACE, "Path");
}

/* Is what is in the volume all zeros? */
static bool is_wiped(const char *volume)
{
        g_autofree char *node = node_of(volume);
        g_autofree char *left = run("sh -c \"head -c 1048576 '%s' | tr -d '\\\\000' | wc -c\"", node);

        return strcmp(left, "0") == 0;
}

static void wipe(const char *volume)
{
        g_autofree char *node = node_of(volume);

        g_free(run("dd if=/dev/urandom of=%s bs=1M count=1 conv=notrunc,fsync", node));
        ck_assert(!is_wiped(volume));
        client_do(client, volume, VOLUME_INTERFACE, "Wipe", "uu", 0, 0);
        ck_assert(is_wiped(volume));
}

/* An agent that was killed finds the pool as it was. */
static void kill_agent(const char *pool, unsigned volumes)
{
        harness_end_agent(harness, SIGKILL);
        harness_start_agent(harness);
        /* Behind what looks at the pool. */
        pool_do(pool, "Refresh");
        ck_assert(client_get_bool(client, pool, POOL_INTERFACE, "Active"));
        ck_assert_uint_eq(count_volumes(pool), volumes);
}

static char *find_sources(const char *type, const char *source)
{
        return client_call_string(client, QEMU_PATH, CONNECT_INTERFACE, "FindStoragePoolSources", "ssu", type,
                                  source, 0);
}

static void end_pool(const char *pool)
{
        client_do(client, pool, POOL_INTERFACE, "Destroy", NULL);
        client_do(client, pool, POOL_INTERFACE, "Undefine", NULL);
}

/* ---- NFS ---- */

static void expect_inaccessible(const char *pool, const char *problem)
{
        g_autofree char *text = client_get_string(client, pool, POOL_INTERFACE, "Problem");
        int state;

        client_get(client, pool, POOL_INTERFACE, "State", 'i', &state);
        ck_assert_int_eq(state, 4);
        if (!g_pattern_match_simple(problem, text))
                ck_abort_msg("problem: %s", text);
}

/* While the server is away, the pool says so, and nobody else waits. */
static void lose_server(const char *pool)
{
        struct client_answer answer = { 0 };
        g_autofree char *folder = harness_path(harness, "other");
        g_autofree char *other = pool_start_dir(client, "other", folder);
        g_autofree char *volume = NULL;

        served("nfs-away");
        client_send(client, &answer, pool, POOL_INTERFACE, "Refresh", "u", 0);
        volume = pool_make_volume(client, other, "v", "raw", MIB);
        ck_assert_uint_eq(count_volumes(pool), 1);
        ck_assert(!answer.done);
        client_wait_answer(client, &answer);
        ck_assert_ptr_nonnull(answer.error);
        g_free(answer.error);
        expect_inaccessible(pool, "Timed out*");
        served("nfs-back");
        pool_do(pool, "Refresh");
}

static void use_files(const char *pool)
{
        g_autofree char *raw = make(pool, "raw", MIB, MIB, "<target><format type='raw'/></target>");
        g_autofree char *image = make(pool, "image", 64 * MIB, 0, "<target><format type='qcow2'/></target>");
        g_autofree char *key = client_get_string(client, raw, VOLUME_INTERFACE, "Key"), *copy = NULL;
        g_autofree char *node = node_of(raw);

        wipe(raw);
        client_do(client, raw, VOLUME_INTERFACE, "Resize", "tu", 2 * MIB, 0);
        expect_size(raw, 2 * MIB, MIB);
        copy = client_call_string(client, pool, POOL_INTERFACE, "StorageVolCreateXMLFrom", "ssu",
                                  "<volume><name>copy</name><capacity>2097152</capacity>"
                                  "<target><format type='qcow2'/></target></volume>",
                                  key, 0);
        remove_volume(copy);
        remove_volume(image);
}

static void serve_files(const char *version, const char *dir)
{
        g_autofree char *source = g_strdup_printf("<host name='127.0.0.1'/><dir path='%s'/>"
                                                  "<format type='nfs'/><protocol ver='%s'/>",
                                                  dir, version);
        g_autofree char *target = harness_path(harness, "mounted"), *mounts = NULL, *wanted = NULL;
        g_autofree char *pool = define("netfs", source, target);

        pool_do(pool, "Build");
        pool_do(pool, "Create");
        mounts = run("grep ' %s ' /proc/self/mountinfo", target);
        wanted = g_strdup_printf("vers=%s", version);
        ck_assert_ptr_nonnull(strstr(mounts, wanted));
        use_files(pool);
        kill_agent(pool, 1);
        if (strcmp(version, "3") == 0)
                lose_server(pool);
        end_pool(pool);
        ck_assert_int_eq(rmdir(target), 0);
}

START_TEST(test_nfs)
{
        g_autofree char *sources = NULL;

        g_free(run("mount -t tmpfs tmpfs /srv"));
        ck_assert_int_eq(mkdir("/srv/two words", 0755), 0);
        served("nfs /srv '/srv/two words'");
        sources = find_sources("netfs", "<source><host name='127.0.0.1'/></source>");
        ck_assert_ptr_nonnull(strstr(sources, "<dir path='/srv/two words'/>"));
        serve_files("3", "/srv/two words");
        ck_assert_int_eq(unlink("/srv/two words/raw"), 0);
        serve_files("4.2", "/two words");
        served("nfs-away");
}
END_TEST

/* ---- iSCSI ---- */

static char *define_target(const char *name, const char *more)
{
        g_autofree char *source =
                g_strdup_printf("<host name='127.0.0.1'/><device path='" TARGET "%s'/>%s", name, more);

        return define("iscsi", source, "/dev/disk/by-path");
}

static bool is_lost(void *pool)
{
        g_autofree char *error = client_try(client, pool, POOL_INTERFACE, "Refresh", "u", 0);

        return error && strstr(error, "does not answer");
}

START_TEST(test_iscsi)
{
        g_autofree char *sources = NULL, *pool = NULL, *volume = NULL, *node = NULL;

        served("target open 2");
        sources = find_sources("iscsi", "<source><host name='127.0.0.1'/></source>");
        ck_assert_ptr_nonnull(strstr(sources, "<device path='" TARGET "open'/>"));
        pool = define_target("open", "");
        pool_do(pool, "Create");
        ck_assert_uint_eq(count_volumes(pool), 2);
        volume = find(pool, "unit:0:0:0");
        node = node_of(volume);
        ck_assert(g_str_has_prefix(node, "/dev/disk/by-path/ip-127.0.0.1:3260-iscsi-" TARGET "open-lun-"));
        expect_size(volume, 32 * MIB, 32 * MIB);
        wipe(volume);
        kill_agent(pool, 2);
        served("target-away open");
        harness_wait_until(is_lost, pool, "the server is missed");
        expect_inaccessible(pool, "*does not answer");
        client_fails(client, LIBVIRT_ERROR, "*does not answer", volume, VOLUME_INTERFACE, "Wipe", "uu", 0, 0);
        end_pool(pool);
        g_free(run("sh -c '! iscsiadm -m session'"));
}
END_TEST

static void set_password(const char *secret, const char *password)
{
        sd_bus_message *call = NULL;
        sd_bus *bus = client_get_bus(client);

        ck_assert_int_ge(sd_bus_message_new_method_call(bus, &call, "org.libvirt", secret,
                                                        "org.libvirt.Secret", "SetValue"),
                         0);
        ck_assert_int_ge(sd_bus_message_append_array(call, 'y', password, strlen(password)), 0);
        ck_assert_int_ge(sd_bus_message_append(call, "u", 0), 0);
        ck_assert_int_ge(sd_bus_call(bus, call, 0, NULL, NULL), 0);
        sd_bus_message_unref(call);
}

START_TEST(test_iscsi_with_a_password)
{
        g_autofree char *secret = NULL, *pool = NULL;

        served("target chap 1 somebody secretsecret");
        secret = client_call_string(client, QEMU_PATH, CONNECT_INTERFACE, "SecretDefineXML", "su",
                                    "<secret><usage type='iscsi'><target>lab</target></usage></secret>", 0);
        pool = define_target("chap", "<auth type='chap' username='somebody'><secret usage='lab'/></auth>");
        set_password(secret, "anotheranother");
        client_fails(client, LIBVIRT_ERROR, "*authorization failure*", pool, POOL_INTERFACE, "Create", "u",
                     0);
        set_password(secret, "secretsecret");
        pool_do(pool, "Create");
        ck_assert_uint_eq(count_volumes(pool), 1);
        end_pool(pool);
        /* The record had the password. */
        g_free(run("sh -c '! grep -r secretsecret /etc/iscsi'"));
}
END_TEST

/* ---- LVM ---- */

static void use_volumes(const char *pool)
{
        g_autofree char *plain = make(pool, "plain", 10 * MIB, 10 * MIB, ""), *xml = NULL;
        g_autofree char *snapshot = make(pool, "snap", 10 * MIB, 5 * MIB,
                                         "<backingStore><path>/dev/virtbus_lab/plain</path></backingStore>");
        g_autofree char *sparse = make(pool, "sparse", 200 * MIB, 4 * MIB, "");

        /* Extents of 4 MiB. */
        expect_size(plain, 12 * MIB, 12 * MIB);
        expect_size(snapshot, 12 * MIB, 8 * MIB);
        expect_size(sparse, 200 * MIB, 4 * MIB);
        client_fails(client, LIBVIRT_ERROR, "*are reserved*", pool, POOL_INTERFACE, "StorageVolCreateXML",
                     "su", "<volume><name>snapshot</name><capacity>4194304</capacity></volume>", 0);
        xml = client_call_string(client, sparse, VOLUME_INTERFACE, "GetXMLDesc", "u", 0);
        ck_assert_ptr_null(strstr(xml, "backingStore"));
        client_fails(client, LIBVIRT_ERROR, "*is a snapshot of LVM*", sparse, VOLUME_INTERFACE, "Resize",
                     "tu", 300 * MIB, 0);
        client_fails(client, LIBVIRT_ERROR, "*has a snapshot, 'snap'", plain, VOLUME_INTERFACE, "Delete", "u",
                     0);
        wipe(plain);
        remove_volume(sparse);
        remove_volume(snapshot);
        client_do(client, plain, VOLUME_INTERFACE, "Resize", "tu", 16 * MIB, 0);
        expect_size(plain, 16 * MIB, 16 * MIB);
}

static void use_thin_volumes(const char *pool)
{
        g_autofree char *thin = NULL, *snapshot = NULL, *key = NULL, *plain = find(pool, "plain");

        g_free(run("lvcreate --yes --type=thin-pool --size=60M --name=thins virtbus_lab"));
        thin = make(pool, "thin", 400 * MIB, 0, "");
        expect_size(thin, 400 * MIB, 0);
        snapshot = make(pool, "thinsnap", 400 * MIB, 0,
                        "<backingStore><path>/dev/virtbus_lab/thin</path></backingStore>");
        expect_size(snapshot, 400 * MIB, 0);
        /* In spite of its snapshot, and both alone. */
        client_do(client, thin, VOLUME_INTERFACE, "Resize", "tu", 480 * MIB, 0);
        remove_volume(thin);
        expect_size(snapshot, 400 * MIB, 0);
        remove_volume(snapshot);
        g_free(run("dd if=/dev/urandom of=/dev/virtbus_lab/plain bs=1M count=16 conv=fsync"));
        key = client_get_string(client, plain, VOLUME_INTERFACE, "Key");
        g_free(client_call_string(client, pool, POOL_INTERFACE, "StorageVolCreateXMLFrom", "ssu",
                                  "<volume><name>copy</name><capacity>16777216</capacity>"
                                  "<allocation>0</allocation></volume>",
                                  key, 0));
        g_free(run("cmp /dev/virtbus_lab/plain /dev/virtbus_lab/copy"));
}

START_TEST(test_lvm)
{
        g_autofree char *disks = serve("disks 2 per_host_store=1"), *sources = NULL, *source = NULL;
        g_auto(GStrv) nodes = g_strsplit(disks, "\n", -1);
        g_autofree char *pool = NULL;

        ck_assert_uint_eq(g_strv_length(nodes), 2);
        source = g_strdup_printf("<device path='%s'/><device path='%s'/><name>virtbus_lab</name>", nodes[0],
                                 nodes[1]);
        pool = define("logical", source, "/dev/virtbus_lab");
        client_fails(client, LIBVIRT_ERROR, "*\"virtbus_lab\" not found*", pool, POOL_INTERFACE, "Create",
                     "u", 0);
        pool_do(pool, "Build");
        pool_do(pool, "Create");
        sources = find_sources("logical", "");
        ck_assert_ptr_nonnull(strstr(sources, "<name>virtbus_lab</name>"));
        use_volumes(pool);
        use_thin_volumes(pool);
        kill_agent(pool, 2);
        client_do(client, pool, POOL_INTERFACE, "Destroy", NULL);
        ck_assert_int_eq(access("/dev/virtbus_lab/plain", F_OK), -1);
        pool_do(pool, "Create");
        ck_assert_uint_eq(count_volumes(pool), 2);
        client_do(client, pool, POOL_INTERFACE, "Destroy", NULL);
        pool_do(pool, "Delete");
        client_do(client, pool, POOL_INTERFACE, "Undefine", NULL);
        served("no-disks");
}
END_TEST

/* ---- SCSI ---- */

static char *host_of(const char *node)
{
        return run("sh -c \"readlink -f /sys/block/%s/device | grep -o 'host[0-9]*' | head -1\"",
                   node + strlen("/dev/"));
}

START_TEST(test_scsi)
{
        g_autofree char *node = serve("disks 1"), *host = host_of(node), *source = NULL, *pool = NULL;
        g_autofree char *volume = NULL, *key = NULL;

        source = g_strdup_printf("<adapter name='%s'/>", host);
        pool = define("scsi", source, "/dev/disk/by-id");
        pool_do(pool, "Create");
        ck_assert_uint_eq(count_volumes(pool), 1);
        volume = find(pool, "unit:0:0:0");
        expect_size(volume, 96 * MIB, 96 * MIB);
        key = client_get_string(client, volume, VOLUME_INTERFACE, "Key");
        ck_assert(g_str_has_prefix(key, "3333333"));
        kill_agent(pool, 1);
        end_pool(pool);
        served("no-disks");
}
END_TEST

START_TEST(test_multipath)
{
        g_autofree char *pool = NULL, *volume = NULL, *node = NULL;
        g_auto(GStrv) volumes = NULL;

        served("disks 2 vpd_use_hostno=0");
        served("multipath");
        pool = define("mpath", "", "/dev/mapper");
        pool_do(pool, "Create");
        volumes = client_list(client, pool, POOL_INTERFACE, "ListStorageVolumes", 0);
        ck_assert_uint_eq(g_strv_length(volumes), 1);
        node = node_of(volumes[0]);
        ck_assert_str_eq(node, "/dev/mapper/mpatha");
        expect_size(volumes[0], 96 * MIB, 96 * MIB);
        kill_agent(pool, 1);
        served("no-multipath");
        pool_do(pool, "Refresh");
        ck_assert_uint_eq(count_volumes(pool), 0);
        end_pool(pool);
        served("no-disks");
}
END_TEST

static void add_case(Suite *suite, const char *name, const TTest *test)
{
        TCase *tcase = tcase_create(name);

        /* Without KVM, an LVM command takes seconds. */
        tcase_set_timeout(tcase, 300);
        tcase_add_checked_fixture(tcase, set_up, tear_down);
        tcase_add_test(tcase, test);
        suite_add_tcase(suite, tcase);
}

int main(void)
{
        Suite *suite = suite_create("lab");

        add_case(suite, "nfs", test_nfs);
        add_case(suite, "iscsi", test_iscsi);
        add_case(suite, "chap", test_iscsi_with_a_password);
        add_case(suite, "lvm", test_lvm);
        add_case(suite, "scsi", test_scsi);
        add_case(suite, "multipath", test_multipath);
        return harness_main(suite);
}
