/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vCPUs of pseries guests, which come and go as whole cores: at the start, while a guest runs, from a file,
 * and over to another agent. Guests without an operating system: the machine lets a core go at once that
 * nobody has taken into use.
 */
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/support/guest.h"
#include "tests/support/harness.h"
#include "tests/support/sides.h"

#define EMULATOR "/usr/bin/qemu-system-ppc64"

enum {
        VCPUS_LIVE = 1,
        VCPUS_CONFIG = 2,
};

/* QEMU 7.2 emulates no cores with several threads. */
static bool can_run(void)
{
        static const char command[] =
                "printf '{\"execute\":\"qmp_capabilities\"}\\n{\"execute\":\"quit\"}\\n' | exec " EMULATOR
                " -machine pseries,accel=tcg -smp 2,threads=2 -S -nodefaults -display none -qmp stdio "
                ">/dev/null 2>&1";

        if (access(EMULATOR, X_OK) < 0) {
                harness_skip("qemu-system-ppc64 is not installed");
                return false;
        }
        if (system(command) != 0) {
                harness_skip("this qemu-system-ppc64 emulates no cores with several threads");
                return false;
        }
        return true;
}

/* Four cores with two threads each; vcpus is <vcpu> and what is behind it. */
static char *make_xml(const char *name, const char *vcpus)
{
        return g_strdup_printf("<domain type='qemu'><name>%s</name><memory unit='MiB'>256</memory>%s"
                               "<os><type arch='ppc64' machine='pseries'>hvm</type></os>"
                               "<cpu><topology sockets='1' cores='4' threads='2'/></cpu>"
                               "<devices><controller type='usb' model='none'/><memballoon model='none'/>"
                               "</devices></domain>",
                               name, vcpus);
}

static void set_vcpus(struct client *client, const char *path, unsigned count, unsigned flags)
{
        client_do(client, path, DOMAIN_INTERFACE, "SetVcpus", "uu", count, flags);
}

/* "0+s1 ": vCPU 0 is there, stays, and has order 1; "2-h ": vCPU 2 is not, and may come. What of it the
 * document does not say, and the document; NULL: it says all. Owned. */
static char *find_missing(struct client *client, const char *path, const char *list)
{
        g_autofree char *xml = client_call_string(client, path, DOMAIN_INTERFACE, "GetXMLDesc", "u", 0);
        g_auto(GStrv) parts = g_strsplit(list, " ", -1);

        for (unsigned i = 0; parts[i] && *parts[i]; i++) {
                const char *order = parts[i] + 3;
                g_autofree char *wanted =
                        g_strdup_printf("<vcpu id='%c' enabled='%s' hotpluggable='%s'%s%s%s/>", parts[i][0],
                                        parts[i][1] == '+' ? "yes" : "no", parts[i][2] == 'h' ? "yes" : "no",
                                        *order ? " order='" : "", order, *order ? "'" : "");

                if (!strstr(xml, wanted))
                        return g_strdup_printf("%s is not in %s", wanted, xml);
        }
        return NULL;
}

static void expect_list(struct client *client, const char *path, const char *list)
{
        g_autofree char *missing = find_missing(client, path, list);

        ck_assert_msg(!missing, "%s", missing);
}

#define LAST_FIRST                                                                                           \
        "<vcpu>8</vcpu><vcpus><vcpu id='0' enabled='yes' order='1'/><vcpu id='1' enabled='yes' order='1'/>"  \
        "<vcpu id='2' enabled='yes' hotpluggable='yes' order='5'/>"                                          \
        "<vcpu id='3' enabled='yes' hotpluggable='yes' order='5'/>"                                          \
        "<vcpu id='6' enabled='yes' hotpluggable='yes' order='2'/>"                                          \
        "<vcpu id='7' enabled='yes' hotpluggable='yes' order='2'/></vcpus>"
#define LAST_FIRST_LIST "0+s1 1+s1 2+h3 3+h3 4-h 5-h 6+h2 7+h2 "
#define ALL_LIST        "0+s1 1+s1 2+h3 3+h3 4+h4 5+h4 6+h2 7+h2 "
#define TWO_LIST        "0+s1 1+s1 2+h2 3+h2 4-h 5-h 6-h 7-h "

START_TEST(test_they_come_and_go)
{
        struct client *client = here.client;
        g_autofree char *path = NULL;

        if (!can_run())
                return;
        path = guest_start(client, make_xml("cores", "<vcpu current='4'>8</vcpu>"));
        guest_expect_vcpus(client, path, "0 1 2 3 ");
        set_vcpus(client, path, 8, VCPUS_LIVE);
        guest_expect_vcpus(client, path, "0 1 2 3 4 5 6 7 ");
        expect_list(client, path, "0+s1 1+s1 2+s2 3+s2 4+h3 5+h3 6+h4 7+h4 ");
        client_fails(client, LIBVIRT_ERROR, "unsupported configuration: 7 vCPUs of domain 'cores' are not *",
                     path, DOMAIN_INTERFACE, "SetVcpus", "uu", 7, VCPUS_LIVE);
        set_vcpus(client, path, 6, VCPUS_LIVE | VCPUS_CONFIG);
        guest_expect_vcpus(client, path, "0 1 2 3 4 5 ");
        expect_list(client, path, "4+h3 5+h3 6-h 7-h ");
        client_fails(client, LIBVIRT_ERROR, "unsupported configuration: vCPU 3 of domain 'cores' cannot go*",
                     path, DOMAIN_INTERFACE, "SetVcpus", "uu", 2, VCPUS_LIVE);
        guest_do_flags(client, path, "Destroy", 0);
        guest_do_flags(client, path, "Create", 0);
        guest_expect_vcpus(client, path, "0 1 2 3 4 5 ");
}
END_TEST

/*
 * From the start, in their order; from a file, and known to the next agent. They go last: an emulated pseries
 * guest that has let go of a core ends QEMU 7.2 and 10.0 when it is saved, and 10.0 when it gets it back.
 */
START_TEST(test_kept)
{
        g_autofree char *path = NULL;

        if (!can_run())
                return;
        path = guest_start(here.client, make_xml("kept", LAST_FIRST));
        guest_expect_vcpus(here.client, path, "0 1 2 3 6 7 ");
        expect_list(here.client, path, LAST_FIRST_LIST);
        set_vcpus(here.client, path, 8, VCPUS_LIVE);
        guest_do_flags(here.client, path, "ManagedSave", 0);
        guest_do_flags(here.client, path, "Create", 0);
        guest_expect_vcpus(here.client, path, "0 1 2 3 4 5 6 7 ");
        expect_list(here.client, path, ALL_LIST);
        side_restart_agent(&here);
        expect_list(here.client, path, ALL_LIST);
        set_vcpus(here.client, path, 4, VCPUS_LIVE);
        guest_expect_vcpus(here.client, path, "0 1 2 3 ");
        expect_list(here.client, path, TWO_LIST);
}
END_TEST

/* ---- cores that somebody else takes away ---- */

#define OWN_MONITOR "own.sock"

struct shown {
        const char *path, *list;
};

static bool is_shown(void *data)
{
        const struct shown *shown = data;
        g_autofree char *missing = find_missing(here.client, shown->path, shown->list);

        return !missing;
}

/* One while no agent is there, the other while one is. */
START_TEST(test_taken_away)
{
        g_autofree char *own = NULL, *path = NULL, *xml = NULL, *more = NULL;
        g_auto(GStrv) open = NULL;
        struct shown shown;

        if (!can_run())
                return;
        own = harness_path(here.harness, OWN_MONITOR);
        more = g_strdup_printf("<commandline xmlns='http://libvirt.org/schemas/domain/qemu/1.0'>"
                               "<arg value='-qmp'/><arg value='unix:%s,server=on,wait=off'/></commandline>"
                               "</domain>",
                               own);
        xml = make_xml("taken", LAST_FIRST);
        open = g_strsplit(xml, "</domain>", 2);
        path = guest_start(here.client, g_strjoinv(more, open));
        harness_end_agent(here.harness, SIGKILL);
        client_wait_name(here.client, false);
        guest_tell_monitor(own, "{'execute': 'device_del', 'arguments': {'id': 'vcpu6'}}", "DEVICE_DELETED",
                           "\"/machine/peripheral/vcpu6\"");
        harness_start_agent(here.harness);
        shown = (struct shown){ path, TWO_LIST };
        harness_wait_until(is_shown, &shown, "the core that has gone is off");
        guest_tell_monitor(own, "{'execute': 'device_del', 'arguments': {'id': 'vcpu2'}}", "DEVICE_DELETED",
                           "\"/machine/peripheral/vcpu2\"");
        shown.list = "0+s1 1+s1 2-h 3-h 4-h 5-h 6-h 7-h ";
        harness_wait_until(is_shown, &shown, "the second core that has gone is off");
        guest_expect_vcpus(here.client, path, "0 1 ");
}
END_TEST

/* ---- pins ---- */

/* Each thread of a core that comes is where it is pinned. */
START_TEST(test_pinned)
{
        struct client *client = here.client;
        g_autofree char *path = NULL;
        pid_t pid;
        cpu_set_t set;

        if (!can_run())
                return;
        path = guest_start(client, make_xml("pinned", "<vcpu current='2'>8</vcpu><cputune>"
                                                      "<vcpupin vcpu='2' cpuset='0'/>"
                                                      "<vcpupin vcpu='3' cpuset='0'/></cputune>"));
        pid = harness_find_guest(here.harness, "pinned");
        set_vcpus(client, path, 4, VCPUS_LIVE);
        for (unsigned i = 2; i < 4; i++) {
                g_autofree char *name = g_strdup_printf("CPU %u/", i);

                ck_assert_int_eq(sched_getaffinity(guest_wait_thread(pid, name), sizeof(set), &set), 0);
                ck_assert_msg(CPU_COUNT(&set) == 1 && CPU_ISSET(0, &set), "%s may use %d CPUs", name,
                              CPU_COUNT(&set));
        }
}
END_TEST

START_TEST(test_migrated)
{
        g_autofree char *path = NULL;

        if (!can_run())
                return;
        path = guest_start(here.client, make_xml("moved", LAST_FIRST));
        sides_migrate(&here, path, &there, LIVE);
        guest_expect_vcpus(there.client, path, "0 1 2 3 6 7 ");
        expect_list(there.client, path, LAST_FIRST_LIST);
        set_vcpus(there.client, path, 8, VCPUS_LIVE);
        expect_list(there.client, path, ALL_LIST);
        sides_migrate(&there, path, &here, LIVE);
        guest_expect_vcpus(here.client, path, "0 1 2 3 4 5 6 7 ");
        expect_list(here.client, path, ALL_LIST);
        set_vcpus(here.client, path, 4, VCPUS_LIVE);
        guest_expect_vcpus(here.client, path, "0 1 2 3 ");
        expect_list(here.client, path, TWO_LIST);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("vcpu-groups");
        TCase *tcase = tcase_create("vcpu-groups");

        tcase_set_timeout(tcase, 300);
        tcase_add_checked_fixture(tcase, sides_set_up, sides_tear_down);
        tcase_add_test(tcase, test_they_come_and_go);
        tcase_add_test(tcase, test_kept);
        tcase_add_test(tcase, test_taken_away);
        tcase_add_test(tcase, test_pinned);
        tcase_add_test(tcase, test_migrated);
        suite_add_tcase(suite, tcase);
        return harness_main(suite);
}
