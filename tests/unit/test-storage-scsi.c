/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * drivers/storage: pools of SCSI units: hosts, virtual adapters, iSCSI targets, multipath devices. /sys and
 * /dev are made up, in a mount namespace of the test's own; iscsiadm keeps real records where it is
 * installed, but logs in nowhere.
 */
#include "drivers/storage/scsi.h"

#include "base/spawn.h"
#include "tests/unit/storage-host.h"

#include <sys/sysmacros.h>

#define MIB ((uint64_t)1024 * 1024)

static bool has_sysfs(void)
{
        if (!host_has(host.is_private, "root"))
                return false;
        ck_assert_int_eq(mount("tests", "/sys", "tmpfs", 0, NULL), 0);
        ck_assert_int_eq(mount("tests", "/dev", "tmpfs", 0, NULL), 0);
        ck_assert_int_eq(mknod("/dev/null", S_IFCHR | 0666, makedev(1, 3)), 0);
        ck_assert_int_eq(g_mkdir_with_parents("/dev/disk/by-path", 0755), 0);
        return true;
}

static void make_link(const char *target, const char *path)
{
        g_autofree char *dir = g_path_get_dirname(path);

        ck_assert_int_eq(g_mkdir_with_parents(dir, 0755), 0);
        ck_assert_int_eq(symlink(target, path), 0);
}

/* A unit with a disk, with what it says it is and a name by path; NULL: without. */
static void make_unit(const char *address, const char *disk, const char *type, const char *wwid,
                      const char *by_path)
{
        g_autofree char *unit = g_build_filename("/sys/bus/scsi/devices", address, NULL);
        g_autofree char *type_file = g_build_filename(unit, "type", NULL);
        g_autofree char *block = g_build_filename(unit, "block", disk, "size", NULL);
        g_autofree char *size = g_build_filename("/sys/class/block", disk, "size", NULL);
        g_autofree char *node = g_build_filename("/dev", disk, NULL);

        host_write(type_file, type);
        host_write(block, "131072\n");
        host_write(size, "131072\n");
        host_write(node, "");
        if (wwid) {
                g_autofree char *file = g_build_filename(unit, "wwid", NULL);

                host_write(file, wwid);
        }
        if (by_path) {
                g_autofree char *link = g_build_filename("/dev/disk/by-path", by_path, NULL);

                make_link(node, link);
        }
}

static void make_units(unsigned number)
{
        g_autofree char *first = g_strdup_printf("%u:0:0:0", number),
                        *second = g_strdup_printf("%u:0:0:1", number),
                        *third = g_strdup_printf("%u:0:1:0", number),
                        *tape = g_strdup_printf("%u:0:0:2", number),
                        *other = g_strdup_printf("%u:0:0:0", number + 1),
                        *scan = g_strdup_printf("/sys/class/scsi_host/host%u/scan", number);

        host_write(scan, "");
        make_unit(first, "sda", "0\n", "naa.600140512345\n", "ip-lun-0");
        make_unit(second, "sdb", "0\n", NULL, "ip-lun-1");
        /* Of two names the first one, always. */
        make_link("/dev/sda", "/dev/disk/by-path/zzz");
        make_link("/dev/sdb", "/dev/disk/by-path/zzz-too");
        make_unit(third, "sdc", "0\n", NULL, NULL);
        make_unit(tape, "st0", "1\n", NULL, "ip-lun-2");
        make_unit(other, "sdd", "0\n", NULL, "other");
}

static void check_units(const struct backend *backend, const struct backend_context *context)
{
        struct pool_numbers numbers;
        g_autoptr(GPtrArray) volumes = host_refresh(backend, context, &numbers);
        const struct volume *volume = host_find(volumes, "unit:0:0:0");

        /* Not the tape, not the other host's, not the one without a name that stays. */
        ck_assert_uint_eq(volumes->len, 2);
        ck_assert_str_eq(volume->path, "/dev/disk/by-path/ip-lun-0");
        ck_assert_str_eq(volume->key, "3600140512345");
        ck_assert_uint_eq(volume->capacity, 64 * MIB);
        ck_assert_int_eq(volume->format, VOLUME_FORMAT_UNKNOWN);
        ck_assert_str_eq(host_find(volumes, "unit:0:0:1")->key, "/dev/disk/by-path/ip-lun-1");
        ck_assert_uint_eq(numbers.capacity, 128 * MIB);
        ck_assert_uint_eq(numbers.available, 0);
}

static bool is_active(const struct backend *backend, const struct backend_context *context)
{
        bool active = false;

        ck_assert_ok(backend->check(context, &active, &error));
        return active;
}

/* ---- hosts ---- */

static struct backend_context scsi_context(const char *adapter)
{
        g_autofree char *xml = g_strdup_printf("<pool type='scsi'><name>scsi</name><source>%s</source>"
                                               "<target><path>/dev/disk/by-path</path></target></pool>",
                                               adapter);

        return host_context(xml);
}

static void scsi_body(void)
{
        struct backend_context context = scsi_context("<adapter name='scsi_host4'/>"),
                               missing = scsi_context("<adapter name='host9'/>"),
                               odd = scsi_context("<adapter name='../host4'/>");
        g_autofree char *scan = NULL;

        ck_assert_ok(backend_scsi.check_def(context.def, &error));
        ck_assert_fails(backend_scsi.check_def(odd.def, &error), "is no SCSI host");
        ck_assert(!is_active(&backend_scsi, &context));
        make_units(4);
        ck_assert_fails(backend_scsi.start(&missing, &error), "no SCSI host 'host9'");
        ck_assert_ok(backend_scsi.start(&context, &error));
        ck_assert(is_active(&backend_scsi, &context));
        scan = scsi_read_text("/sys/class/scsi_host/host4", "scan");
        ck_assert_str_eq(scan, "- - -");
        check_units(&backend_scsi, &context);
        ck_assert_ok(backend_scsi.stop(&context, &error));
        host_context_clear(&context);
        host_context_clear(&missing);
        host_context_clear(&odd);
}

START_TEST(test_scsi)
{
        if (has_sysfs())
                host_run(scsi_body);
}
END_TEST

static void address_body(void)
{
        const char *adapter =
                "<adapter type='scsi_host'><parentaddr unique_id='2'><address domain='0x0000' bus='0x00' "
                "slot='0x1f' function='0x2'/></parentaddr></adapter>";
        struct backend_context context = scsi_context(adapter);

        for (unsigned i = 0; i < 3; i++) {
                g_autofree char *device =
                        g_strdup_printf("/sys/devices/pci0000:00/0000:00:1f.2/host%u", i + 3);
                g_autofree char *unique = g_build_filename(device, "unique_id", NULL);
                g_autofree char *scan = g_build_filename(device, "scan", NULL);
                g_autofree char *link = g_strdup_printf("/sys/class/scsi_host/host%u", i + 3);
                g_autofree char *number = g_strdup_printf("%u\n", i + 1);

                host_write(unique, number);
                host_write(scan, "");
                make_link(device, link);
        }
        make_units(4);
        ck_assert_ok(backend_scsi.start(&context, &error));
        check_units(&backend_scsi, &context);
        host_context_clear(&context);
}

START_TEST(test_address)
{
        if (has_sysfs())
                host_run(address_body);
}
END_TEST

/* ---- virtual adapters ---- */

#define VHBA "<adapter type='fc_host' wwnn='20000000c9831b4b' wwpn='10000000c9831b4b' parent='scsi_host3'/>"

/* tee(8) that writes, and does what a driver does then. */
static void stand_in_for_driver(void)
{
        host_stand_in("tee", "cat >\"$2\"\n"
                             "port=/sys/devices/host3/vport-3:0-0/host4/fc_host/host4\n"
                             "case $2 in\n"
                             "*/vport_create)\n"
                             "        mkdir -p $port /sys/class/scsi_host/host4\n"
                             "        echo 0x20000000c9831b4b >$port/node_name\n"
                             "        echo 0x10000000c9831b4b >$port/port_name\n"
                             "        ln -s ../.. $port/device\n"
                             "        ln -s $port /sys/class/fc_host/host4;;\n"
                             "*/vport_delete)\n"
                             "        rm -r /sys/class/fc_host/host4 $port;;\n"
                             "esac");
        host_write("/sys/class/fc_host/host3/port_name", "0x50\n");
        host_write("/sys/class/fc_host/host3/max_npiv_vports", "8\n");
        host_write("/sys/class/fc_host/host3/npiv_vports_inuse", "0\n");
        host_write("/sys/class/fc_host/host3/vport_create", "");
        host_write("/sys/class/fc_host/host3/vport_delete", "");
}

static void vhba_body(void)
{
        struct backend_context context = scsi_context(VHBA);
        g_autofree char *created = NULL, *deleted = NULL;

        stand_in_for_driver();
        make_units(4);
        ck_assert(!is_active(&backend_scsi, &context));
        ck_assert_ok(backend_scsi.start(&context, &error));
        created = scsi_read_text("/sys/class/fc_host/host3", "vport_create");
        ck_assert_str_eq(created, "10000000c9831b4b:20000000c9831b4b");
        ck_assert(is_active(&backend_scsi, &context));
        check_units(&backend_scsi, &context);
        /* The pool made it, so the pool removes it. */
        ck_assert_ok(backend_scsi.stop(&context, &error));
        deleted = scsi_read_text("/sys/class/fc_host/host3", "vport_delete");
        ck_assert_str_eq(deleted, "10000000c9831b4b:20000000c9831b4b");
        ck_assert(!is_active(&backend_scsi, &context));
        host_context_clear(&context);
}

START_TEST(test_vhba)
{
        if (has_sysfs())
                host_run(vhba_body);
}
END_TEST

static void foreign_body(void)
{
        struct backend_context context = scsi_context("<adapter type='fc_host' wwnn='20000000c9831b4b' "
                                                      "wwpn='10000000c9831b4b'/>");
        const char *file = "/sys/class/fc_host/host3/vport_create";
        g_autofree char *deleted = NULL;

        stand_in_for_driver();
        make_units(4);
        /* Somebody else's: used, and left alone. */
        ck_assert_ok(scsi_write_text(host.lane, file, "x", &error));
        ck_assert_ok(backend_scsi.start(&context, &error));
        ck_assert_ok(backend_scsi.stop(&context, &error));
        deleted = scsi_read_text("/sys/class/fc_host/host3", "vport_delete");
        ck_assert_str_eq(deleted, "");
        ck_assert(is_active(&backend_scsi, &context));
        host_context_clear(&context);
}

START_TEST(test_foreign_vhba)
{
        if (has_sysfs())
                host_run(foreign_body);
}
END_TEST

/* ---- multipath ---- */

static void mpath_body(void)
{
        struct backend_context context = host_context(
                "<pool type='mpath'><name>mpath</name><target><path>/dev/mapper</path></target></pool>");
        g_autoptr(GPtrArray) volumes = NULL;
        const struct volume *volume;

        host_write("/sys/block/dm-0/dm/uuid", "LVM-xyz\n");
        host_write("/sys/block/dm-0/dm/name", "vg-lv\n");
        host_write("/sys/block/dm-1/dm/uuid", "mpath-3600140512345\n");
        host_write("/sys/block/dm-1/dm/name", "mpatha\n");
        host_write("/sys/class/block/dm-1/size", "131072\n");
        host_write("/sys/block/sda/size", "131072\n");
        volumes = host_refresh(&backend_mpath, &context, NULL);
        ck_assert_uint_eq(volumes->len, 1);
        volume = host_find(volumes, "dm-1");
        ck_assert_str_eq(volume->path, "/dev/mapper/mpatha");
        ck_assert_uint_eq(volume->capacity, 64 * MIB);
        host_context_clear(&context);
}

START_TEST(test_mpath)
{
        if (has_sysfs())
                host_run(mpath_body);
}
END_TEST

/* ---- iSCSI ---- */

#define TARGET "iqn.2013-06.com.example:pool"

static struct backend_context iscsi_context(const char *more)
{
        g_autofree char *xml =
                g_strdup_printf("<pool type='iscsi'><name>iscsi</name><source><host name='127.0.0.1'/>"
                                "<device path='" TARGET "'/>%s</source>"
                                "<target><path>/dev/disk/by-path</path></target></pool>",
                                more);

        return host_context(xml);
}

/* iscsiadm that notes its calls, and logs in without a server. */
static void stand_in_for_iscsiadm(const char *rest)
{
        g_autofree char *script =
                g_strconcat("echo \"$@\" >>/run/log\n"
                            "session=/sys/devices/platform/host5/session1\n"
                            "case $* in\n"
                            "*--login)\n"
                            "        mkdir -p $session /sys/class/iscsi_session/session1\n"
                            "        echo " TARGET " >/sys/class/iscsi_session/session1/targetname\n"
                            "        echo LOGGED_IN >/sys/class/iscsi_session/session1/state\n"
                            "        ln -s $session /sys/class/iscsi_session/session1/device;;\n"
                            "*--logout) rm -r /sys/class/iscsi_session/session1;;\n"
                            "*--rescan) ;;\n"
                            "*) ",
                            rest, ";;\nesac", NULL);

        host_stand_in("iscsiadm", script);
}

/* The session is there, and the server is not. */
static void check_lost(const struct backend_context *context)
{
        struct pool_scan scan = { .volumes = g_ptr_array_new() };

        host_write("/sys/class/iscsi_session/session1/state", "FAILED\n");
        ck_assert(is_active(&backend_iscsi, context));
        ck_assert_fails(backend_iscsi.refresh(context, &scan, &error), "does not answer");
        ck_assert_int_eq(backend_iscsi.open(context, NULL, false, NULL, NULL), -1);
        g_ptr_array_unref(scan.volumes);
}

static void iscsi_body(void)
{
        struct backend_context context = iscsi_context("");
        g_autofree char *log = NULL;

        stand_in_for_iscsiadm("true");
        make_units(5);
        ck_assert_ok(backend_iscsi.check_def(context.def, &error));
        ck_assert(!is_active(&backend_iscsi, &context));
        ck_assert_ok(backend_iscsi.start(&context, &error));
        log = host_log();
#define NODE "--mode=node --targetname " TARGET " --portal 127.0.0.1:3260"
        ck_assert_str_eq(log, NODE " --op=new\n" NODE " --op=update --name=node.startup --value=manual\n" NODE
                                   " --login\n");
        ck_assert(is_active(&backend_iscsi, &context));
        check_units(&backend_iscsi, &context);
        check_lost(&context);
        g_free(host_log());
        ck_assert_ok(backend_iscsi.stop(&context, &error));
        g_free(log);
        log = host_log();
        ck_assert_str_eq(log, NODE " --logout\n" NODE " --op=delete\n");
        ck_assert(!is_active(&backend_iscsi, &context));
        {
                struct pool_scan scan = { .volumes = g_ptr_array_new() };

                ck_assert_fails(backend_iscsi.refresh(&context, &scan, &error), "no session with target");
                g_ptr_array_unref(scan.volumes);
        }
        host_context_clear(&context);
}

START_TEST(test_iscsi)
{
        if (has_sysfs())
                host_run(iscsi_body);
}
END_TEST

static void login_fails_body(void)
{
        struct backend_context context = iscsi_context("");
        g_autofree char *log = NULL;

        /* Recorded in the lab from iscsiadm 2.1.8. */
        host_stand_in(
                "iscsiadm",
                "echo \"$@\" >>/run/log\n"
                "case $* in *--login) ;; *) exit;; esac\n"
                "{\n"
                "echo 'iscsiadm: Could not login to [iface: default, target: " TARGET
                ", portal: 127.0.0.1,3260].'\n"
                "echo 'iscsiadm: initiator reported error (24 - iSCSI login failed due to authorization "
                "failure)'\n"
                "echo 'iscsiadm: Could not log into all portals'\n"
                "} >&2\n"
                "exit 24");
        ck_assert_fails(backend_iscsi.start(&context, &error),
                        "iSCSI login failed due to authorization failure)");
        log = host_log();
        ck_assert(g_str_has_suffix(log, " --login\n" NODE " --logout\n" NODE " --op=delete\n"));
        host_context_clear(&context);
}

START_TEST(test_login_fails)
{
        if (has_sysfs())
                host_run(login_fails_body);
}
END_TEST

/* With real records: the password gets into the one that iscsiadm reads, and into no command line. */
static void chap_body(void)
{
        struct backend_context context =
                iscsi_context("<auth type='chap' username='me'><secret usage='x'/></auth>");
        const char *const show[] = { "iscsiadm", "--mode=node", "--targetname", TARGET, "--show", NULL };
        g_autofree char *log = NULL, *record = NULL, *after = NULL;

        ck_assert_int_eq(mount("tests", "/etc/iscsi", "tmpfs", 0, NULL), 0);
        host_write("/etc/iscsi/initiatorname.iscsi", "InitiatorName=iqn.2013-06.com.example:host\n");
        host_write("/etc/iscsi/iscsid.conf", "node.startup = manual\n");
        host_write("/run/lock/here", "");
        stand_in_for_iscsiadm("exec /usr/sbin/iscsiadm \"$@\"");
        ck_assert_fails(backend_iscsi.start(&context, &error), "no password for user 'me'");
        context.secret = g_bytes_new_static("two\nlines", 9);
        ck_assert_fails(backend_iscsi.start(&context, &error), "control character");
        g_bytes_unref(context.secret);
        g_free(host_log());

        context.secret = g_bytes_new_static("s3cret-password", 15);
        ck_assert_ok(backend_iscsi.start(&context, &error));
        log = host_log();
        ck_assert_ptr_null(strstr(log, "s3cret"));
        ck_assert_ptr_nonnull(strstr(log, "--name=node.session.auth.username --value=me\n"));
        ck_assert_ok(spawn_check(host.lane, show, 10000, &record, &error));
        ck_assert_ptr_nonnull(strstr(record, "node.session.auth.authmethod = CHAP\n"));
        ck_assert_ptr_nonnull(strstr(record, "node.session.auth.password = s3cret-password\n"));
        ck_assert_ok(backend_iscsi.stop(&context, &error));
        ck_assert_fails(spawn_check(host.lane, show, 10000, &after, &error), "");
        g_bytes_unref(context.secret);
        host_context_clear(&context);
}

START_TEST(test_chap)
{
        if (host_has(access("/usr/sbin/iscsiadm", X_OK) == 0, "iscsiadm") && has_sysfs())
                host_run(chap_body);
}
END_TEST

static void find_body(void)
{
        struct pool_def def = { .type = POOL_ISCSI };
        struct backend_context context = { .lane = host.lane, .def = &def };
        g_autoptr(GPtrArray) sources = g_ptr_array_new_with_free_func(g_free);
        g_autofree char *log = NULL;

        ck_assert_fails(backend_iscsi.find(&context, false, sources, &error), "no host");
        ck_assert_ok(pool_source_parse("<source><host name='::1' port='3261'/></source>", POOL_ISCSI,
                                       &def.source, &error));
        /* Recorded in the lab from iscsiadm 2.1.8. */
        host_stand_in("iscsiadm", "echo \"$@\" >>/run/log\n"
                                  "echo '127.0.0.1:3260,1 iqn.2026-01.org.virtbus:one'\n"
                                  "echo '[::1]:3261,1 iqn.2026-01.org.virtbus:one'\n"
                                  "echo '127.0.0.1:3261,1 iqn.2026-01.org.virtbus:one'\n"
                                  "echo '127.0.0.1:3260,1 iqn.2026-01.org.virtbus:two'\n"
                                  "echo '[::1]:3261,1 iqn.2026-01.org.virtbus:two'");
        ck_assert_ok(backend_iscsi.find(&context, true, sources, &error));
        log = host_log();
        ck_assert_str_eq(log, "--mode=discovery --type=sendtargets --op=nonpersistent --portal [::1]:3261\n");
        ck_assert_uint_eq(sources->len, 2);
        ck_assert_ptr_nonnull(strstr(g_ptr_array_index(sources, 0), "<host name='::1' port='3261'/>"));
        ck_assert_ptr_nonnull(
                strstr(g_ptr_array_index(sources, 0), "<device path='iqn.2026-01.org.virtbus:one'/>"));
        ck_assert_ptr_nonnull(strstr(g_ptr_array_index(sources, 1), "virtbus:two"));
        ck_assert(g_setenv("PATH", "/nonexistent", TRUE));
        ck_assert_fails(backend_iscsi.find(&context, true, sources, &error), "missing tool 'iscsiadm'");
        pool_source_clear(&def.source);
}

START_TEST(test_find)
{
        if (host_has(host.is_private, "root"))
                host_run(find_body);
}
END_TEST

static void initiator_body(void)
{
        struct backend_context context = iscsi_context(
                                       "<initiator><iqn name='iqn.2013-06.com.example:me'/></initiator>"),
                               odd = iscsi_context("<initiator><iqn name='a b'/></initiator>");
        g_autofree char *log = NULL;

        ck_assert_fails(backend_iscsi.check_def(odd.def, &error), "initiator name 'a b'");
        stand_in_for_iscsiadm("true");
        ck_assert_ok(backend_iscsi.start(&context, &error));
        log = host_log();
        ck_assert_ptr_nonnull(
                strstr(log, "--op=update --name=iface.initiatorname --value iqn.2013-06.com.example:me\n"));
        ck_assert_ptr_nonnull(strstr(log, " --interface virtbus-"));
        host_context_clear(&context);
        host_context_clear(&odd);
}

START_TEST(test_initiator)
{
        if (has_sysfs())
                host_run(initiator_body);
}
END_TEST

CHECK_MAIN_FIXTURE("storage-scsi", host_setup, host_teardown, test_scsi, test_address, test_vhba,
                   test_foreign_vhba, test_mpath, test_iscsi, test_login_fails, test_chap, test_find,
                   test_initiator)
