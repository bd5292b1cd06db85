/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Guests that go from one agent to another, each on a bus of its own: what they do goes on where it stopped.
 * Ways there, definitions, settings, and what is refused. Who is killed on the way is in migration-deaths.
 */

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/guest.h"
#include "tests/support/harness.h"
#include "tests/support/certificates.h"
#include "tests/support/proxy.h"
#include "tests/support/sides.h"

enum { AUTODESTROY = 2, RUNNING_RESTORED = 3, KEEP_NVRAM = 8 };

START_TEST(test_the_guest_counts_on)
{
        static const unsigned flags[] = { LIVE, 0, LIVE | COMPRESSED, LIVE | PARALLEL | AUTO_CONVERGE };
        g_autofree char *console = harness_path(here.harness, "console");
        g_autofree char *path = guest_start(here.client, sides_make_counting_xml("linux", console));

        guest_wait_console(console, "count 5\r");
        for (unsigned i = 0; i < G_N_ELEMENTS(flags); i++) {
                const struct side *from = i % 2 == 0 ? &here : &there, *to = i % 2 == 0 ? &there : &here;

                client_forget_signals(from->client);
                client_forget_signals(to->client);
                sides_migrate(from, path, to, flags[i]);
                client_wait_event(from->client, path, EVENT_SUSPENDED, SUSPENDED_MIGRATED);
                client_wait_event(from->client, path, EVENT_STOPPED, STOPPED_MIGRATED);
                client_wait_event(to->client, path, EVENT_STARTED, STARTED_MIGRATED);
                client_wait_event(to->client, path, EVENT_RESUMED, RESUMED_MIGRATED);
                guest_expect_state(to->client, path, STATE_RUNNING, RUNNING_MIGRATED);
                if (i == 0)
                        guest_expect_state(from->client, path, STATE_SHUTOFF, SHUTOFF_MIGRATED);
                sides_expect_counting(console);
        }
        guest_do_flags(here.client, path, "Destroy", 0);
        /* Nobody has to remember it. */
        ck_assert(!side_has(&there, path));
}
END_TEST

/* ---- how it is asked for ---- */

START_TEST(test_definitions_go_along)
{
        g_autofree char *path = guest_start(here.client, guest_bare_xml("bare", NULL)), *xml = NULL;

        guest_do(here.client, path, "Suspend");
        client_do(here.client, path, DOMAIN_INTERFACE, "MigrateToURI3", "sa{sv}u", there.uri, 1,
                  "destination_name", "s", "moved", LIVE | PERSIST_DEST | UNDEFINE_SOURCE);
        ck_assert(!side_has(&here, path));
        /* What did not run does not run there. */
        guest_expect_state(there.client, path, STATE_PAUSED, 1);
        xml = client_get_string(there.client, path, DOMAIN_INTERFACE, "Name");
        ck_assert_str_eq(xml, "moved");
        ck_assert(client_get_bool(there.client, path, DOMAIN_INTERFACE, "Persistent"));
        guest_do(there.client, path, "Resume");
        sides_migrate(&there, path, &here, LIVE | PAUSED);
        guest_expect_state(here.client, path, STATE_PAUSED, 1);
        guest_expect_state(there.client, path, STATE_SHUTOFF, SHUTOFF_MIGRATED);
        ck_assert(!client_get_bool(here.client, path, DOMAIN_INTERFACE, "Persistent"));
        /* Somebody else's guest is in the way. */
        guest_do(here.client, path, "Resume");
        guest_do_flags(there.client, path, "Undefine", 0);
        g_free(guest_define(there.client, guest_bare_xml("moved", NULL)));
        client_fails(here.client, LIBVIRT_ERROR, "*'moved' already exists*", path, DOMAIN_INTERFACE,
                     "MigrateToURI3", "sa{sv}u", there.uri, 0, LIVE);
        guest_expect_state(here.client, path, STATE_RUNNING, -1);
}
END_TEST

static void migrate_offline(const struct side *from, const char *path, const char *uri, unsigned flags)
{
        client_do(from->client, path, DOMAIN_INTERFACE, "MigrateToURI3", "sa{sv}u", uri, 1,
                  "destination_name", "s", "moved", OFFLINE | PERSIST_DEST | flags);
}

START_TEST(test_definitions_go_alone)
{
        g_autofree char *path = guest_define(here.client, guest_bare_xml("bare", NULL)), *name = NULL;

        client_fails(here.client, LIBVIRT_ERROR, "*OFFLINE*needs the flag PERSIST_DEST", path,
                     DOMAIN_INTERFACE, "MigrateToURI3", "sa{sv}u", there.uri, 0, OFFLINE);
        client_fails(here.client, LIBVIRT_ERROR, "*OFFLINE and COMPRESSED*do not go together", path,
                     DOMAIN_INTERFACE, "MigrateToURI3", "sa{sv}u", there.uri, 0,
                     OFFLINE | PERSIST_DEST | COMPRESSED);
        client_fails(here.client, LIBVIRT_ERROR, "*'bandwidth' does not go with the flag OFFLINE", path,
                     DOMAIN_INTERFACE, "MigrateToURI3", "sa{sv}u", there.uri, 1, "bandwidth", "t",
                     (uint64_t)1, OFFLINE | PERSIST_DEST);
        client_fails(here.client, LIBVIRT_ERROR, "*'bare' is not running*", path, DOMAIN_INTERFACE,
                     "MigrateToURI3", "sa{sv}u", there.uri, 0, PERSIST_DEST);
        /* Not to where it is, which would undefine it. */
        client_fails(here.client, LIBVIRT_ERROR, "*is busy with 'migration'*", path, DOMAIN_INTERFACE,
                     "MigrateToURI3", "sa{sv}u", here.uri, 0, OFFLINE | PERSIST_DEST | UNDEFINE_SOURCE);
        migrate_offline(&here, path, there.uri, 0);
        client_wait_event(there.client, path, EVENT_DEFINED, 0);
        guest_expect_state(there.client, path, STATE_SHUTOFF, -1);
        name = client_get_string(there.client, path, DOMAIN_INTERFACE, "Name");
        ck_assert_str_eq(name, "moved");
        ck_assert(side_has(&here, path));
        /* Once more, and this time it goes. */
        migrate_offline(&here, path, there.uri, UNDEFINE_SOURCE);
        client_wait_event(here.client, path, EVENT_UNDEFINED, 0);
        ck_assert(!side_has(&here, path));
        guest_do_flags(there.client, path, "Create", 0);
        client_fails(there.client, LIBVIRT_ERROR, "*'moved' runs*", path, DOMAIN_INTERFACE, "MigrateToURI3",
                     "sa{sv}u", here.uri, 0, OFFLINE | PERSIST_DEST);
        /* One that runs there is not replaced. */
        g_free(guest_define(here.client,
                            client_call_string(there.client, path, DOMAIN_INTERFACE, "GetXMLDesc", "u", 2)));
        client_fails(here.client, LIBVIRT_ERROR, "*'moved' is active*", path, DOMAIN_INTERFACE,
                     "MigrateToURI3", "sa{sv}u", there.uri, 0, OFFLINE | PERSIST_DEST | UNDEFINE_SOURCE);
        ck_assert(side_has(&here, path));
        guest_do_flags(there.client, path, "Destroy", 0);
}
END_TEST

static bool is_held(void *proxy)
{
        return proxy_is_held(proxy);
}

/* It would run on both, or be on its way and run. */
START_TEST(test_no_start_of_what_goes)
{
        g_autofree char *path = guest_define(here.client, guest_bare_xml("bare", NULL)), *uri = NULL;
        struct proxy *proxy = sides_new_proxy(&there, &uri);
        struct client_answer answer = { 0 };

        proxy_hold(proxy, "Prepare", false);
        client_send(here.client, &answer, path, DOMAIN_INTERFACE, "MigrateToURI3", "sa{sv}u", uri, 0,
                    OFFLINE | PERSIST_DEST | UNDEFINE_SOURCE);
        harness_wait_until(is_held, proxy, "it is on its way");
        client_fails(here.client, LIBVIRT_ERROR, "*'bare' is busy with 'migration'*", path, DOMAIN_INTERFACE,
                     "Create", "u", 0);
        proxy_release(proxy);
        client_wait_answer(here.client, &answer);
        ck_assert_msg(!answer.error, "%s", answer.error);
        ck_assert(!side_has(&here, path));
        guest_do_flags(there.client, path, "Create", 0);
        guest_do_flags(there.client, path, "Destroy", 0);
        proxy_free(proxy);
}
END_TEST

START_TEST(test_what_is_refused)
{
        static const unsigned flags[] = { 4096, 16384, 1048576 };
        g_autofree char *disk = harness_path(here.harness, "disk.img");
        g_autofree char *devices = g_strdup_printf(
                "<disk type='file'><driver type='raw'/><source file='%s'/><target dev='vda'/></disk>", disk);
        g_autofree char *path = NULL, *own = NULL;

        ck_assert(g_file_set_contents(disk, "", 0, NULL));
        ck_assert_int_eq(truncate(disk, 1 << 20), 0);
        path = guest_start(here.client, guest_bare_xml("bare", devices));
        for (unsigned i = 0; i < G_N_ELEMENTS(flags); i++)
                client_fails(here.client, LIBVIRT_ERROR, "*is not supported*", path, DOMAIN_INTERFACE,
                             "MigrateToURI3", "sa{sv}u", there.uri, 0, flags[i]);
        client_fails(here.client, LIBVIRT_ERROR, "*unsupported flags*", path, DOMAIN_INTERFACE,
                     "MigrateToURI3", "sa{sv}u", there.uri, 0, 1u << 30);
        client_fails(here.client, LIBVIRT_ERROR, "*parameter 'some' is not supported*", path,
                     DOMAIN_INTERFACE, "MigrateToURI3", "sa{sv}u", there.uri, 1, "some", "s", "thing", LIVE);
        client_fails(here.client, LIBVIRT_ERROR, "*'parallel.connections' needs the flag PARALLEL", path,
                     DOMAIN_INTERFACE, "MigrateToURI3", "sa{sv}u", there.uri, 1, "parallel.connections", "i",
                     3, LIVE);
        client_fails(here.client, LIBVIRT_ERROR, "*is no destination*", path, DOMAIN_INTERFACE,
                     "MigrateToURI3", "sa{sv}u", "qemu+unix:///system?bus=unixexec:path=/bin/false", 0, LIVE);
        client_fails(here.client, LIBVIRT_ERROR, "*is no destination*", path, DOMAIN_INTERFACE,
                     "MigrateToURI3", "sa{sv}u", "qemu+ssh://-oProxyCommand=x/system", 0, LIVE);
        client_fails(here.client, LIBVIRT_ERROR, "*does not work*", path, DOMAIN_INTERFACE, "MigrateToURI3",
                     "sa{sv}u", "qemu+unix:///system?bus=unix:path=/nowhere/bus", 0, LIVE | UNSAFE);
        client_fails(here.client, LIBVIRT_ERROR, "*disk 'vda' is not on storage that both hosts share*", path,
                     DOMAIN_INTERFACE, "MigrateToURI3", "sa{sv}u", there.uri, 0, LIVE);
        client_fails(here.client, LIBVIRT_ERROR, "*'tcp:HOST'*", path, DOMAIN_INTERFACE, "MigrateToURI3",
                     "sa{sv}u", there.uri, 1, "migrate_uri", "s", "exec:false", LIVE | UNSAFE);
        /* To itself: it is there already. */
        client_fails(here.client, LIBVIRT_ERROR, "*already active*", path, DOMAIN_INTERFACE, "MigrateToURI3",
                     "sa{sv}u", here.uri, 0, LIVE | UNSAFE);
        guest_expect_state(here.client, path, STATE_RUNNING, -1);
        ck_assert(!side_has(&there, path));
        /* With the flag it goes: its disk is one of both sides here. */
        sides_migrate(&here, path, &there, LIVE | UNSAFE);
        guest_expect_state(there.client, path, STATE_RUNNING, RUNNING_MIGRATED);
        guest_do_flags(there.client, path, "Destroy", 0);
}
END_TEST

/* What the guest wrote to it is here and nowhere else. */
START_TEST(test_a_transient_disk_stays)
{
        g_autofree char *disk = harness_path(here.harness, "disk.img");
        g_autofree char *devices = g_strdup_printf("<disk type='file'><driver type='raw'/><source file='%s'/>"
                                                   "<target dev='vda'/><transient/></disk>",
                                                   disk);
        g_autofree char *path = NULL;

        ck_assert(g_file_set_contents(disk, "", 0, NULL));
        ck_assert_int_eq(truncate(disk, 1 << 20), 0);
        path = guest_start(here.client, guest_bare_xml("bare", devices));
        client_fails(here.client, LIBVIRT_ERROR, "*has transient disks, which cannot go with it*", path,
                     DOMAIN_INTERFACE, "MigrateToURI3", "sa{sv}u", there.uri, 0, LIVE | UNSAFE);
        guest_expect_state(here.client, path, STATE_RUNNING, -1);
}
END_TEST

/* Nobody there would end it when its client leaves here. */
START_TEST(test_one_that_ends_with_its_client_stays)
{
        struct client *other = harness_connect(here.harness);
        g_autofree char *xml = guest_bare_xml("bare", NULL);
        g_autofree char *path = client_call_string(other, QEMU_PATH, CONNECT_INTERFACE, "DomainCreateXML",
                                                   "su", xml, AUTODESTROY);

        client_fails(here.client, LIBVIRT_ERROR, "*(AUTODESTROY)*", path, DOMAIN_INTERFACE, "MigrateToURI3",
                     "sa{sv}u", there.uri, 0, LIVE);
        guest_expect_state(here.client, path, STATE_RUNNING, -1);
        ck_assert(!side_has(&there, path));
        client_free(other);
        client_wait_event(here.client, path, EVENT_STOPPED, STOPPED_DESTROYED);
}
END_TEST

/* What a stranger may know of a migration is not enough to end it, or to begin it before its time. */
START_TEST(test_cookies)
{
        g_autofree char *path = guest_define(there.client, guest_bare_xml("bare", NULL)), *uuid = NULL,
                        *cookie = NULL;
        static const char *const members[] = { "Finish", "Cancel", "Confirm" };

        for (unsigned i = 0; i < G_N_ELEMENTS(members); i++)
                client_fails(there.client, LIBVIRT_ERROR, "*no cookie of a migration", QEMU_PATH,
                             "org.virtbus.Migration", members[i], "sa{sv}u", "../../etc/passwd", 0, 0);
        uuid = client_get_string(there.client, path, DOMAIN_INTERFACE, "UUID");
        cookie = g_strconcat(uuid, ":0123456789abcdef0123456789abcdef", NULL);
        client_fails(there.client, LIBVIRT_ERROR, "*is not on its way here", QEMU_PATH,
                     "org.virtbus.Migration", "Finish", "sa{sv}u", cookie, 0, 0);
        client_do(there.client, QEMU_PATH, "org.virtbus.Migration", "Cancel", "sa{sv}u", cookie, 0, 0);
        client_do(there.client, QEMU_PATH, "org.virtbus.Migration", "Confirm", "sa{sv}u", cookie, 0, 0);
        guest_expect_state(there.client, path, STATE_SHUTOFF, -1);
}
END_TEST

/* ---- TLS ---- */

static bool is_gone_there(void *data)
{
        return !side_has(&there, data);
}

static void expect_refusal(char *path, const char *text)
{
        client_fails(here.client, LIBVIRT_ERROR, text, path, DOMAIN_INTERFACE, "MigrateToURI3", "sa{sv}u",
                     there.uri, 1, "migrate_uri", "s", "tcp:localhost:50124", LIVE | TLS);
        guest_expect_state(here.client, path, STATE_RUNNING, -1);
        harness_wait_until(is_gone_there, path, "what waited for it has ended");
}

/* Who is not whom the certificate names gets nothing of the guest, nor does a stranger give one. */
START_TEST(test_by_tls)
{
        g_autofree char *ours = NULL, *theirs = NULL, *path = NULL;

        path = guest_start(here.client, guest_bare_xml("bare", NULL));
        client_fails(here.client, LIBVIRT_ERROR, "*'tls_destination' needs the flag TLS", path,
                     DOMAIN_INTERFACE, "MigrateToURI3", "sa{sv}u", there.uri, 1, "tls_destination", "s",
                     "localhost", LIVE);
        guest_do_flags(here.client, path, "Destroy", 0);
        theirs = certificates_make_for(there.harness, "elsewhere");
        side_set_certificates(&here, theirs);
        side_set_certificates(&there, theirs);
        guest_do_flags(here.client, path, "Create", 0);
        expect_refusal(path, "*ertificate*localhost*");
        /* That is what it is called. */
        client_do(here.client, path, DOMAIN_INTERFACE, "MigrateToURI3", "sa{sv}u", there.uri, 1,
                  "tls_destination", "s", "elsewhere", LIVE | TLS);
        guest_expect_state(there.client, path, STATE_RUNNING, RUNNING_MIGRATED);
        g_free(certificates_make_for(there.harness, "localhost"));
        sides_migrate(&there, path, &here, LIVE | TLS | PARALLEL);
        /* Nothing of it is left for what comes next. */
        sides_migrate(&here, path, &there, LIVE);
        sides_migrate(&there, path, &here, LIVE);
        /* Of an authority that the other side does not know. */
        ours = certificates_make_for(here.harness, "localhost");
        side_set_certificates(&here, ours);
        expect_refusal(path, "*");
        sides_migrate(&here, path, &there, LIVE);
}
END_TEST

/* A program that is found before ssh, and runs what ssh would run on the other host. */
static void fake_ssh(void)
{
        g_autofree char *dir = harness_path(here.harness, "bin"),
                        *program = g_build_filename(dir, "ssh", NULL);
        g_autofree char *daemon = g_path_get_dirname(g_getenv("VIRTBUSD"));
        g_autofree char *path = g_strconcat(dir, ":", g_getenv("PATH"), NULL);
        g_autofree char *text = g_strdup_printf(
                "#!/bin/sh\nwhile [ \"$1\" != -- ]; do shift; done\nhost=$2; shift 2\n"
                "[ \"$host\" = localhost ] || { echo \"no route to $host\" >&2; exit 255; }\n"
                "case \"$*\" in *--bridge-to=*) [ ! -e %s/closed ] || { echo closed >&2; exit 255; } ;; "
                "esac\n"
                "export DBUS_SYSTEM_BUS_ADDRESS=%s DBUS_SESSION_BUS_ADDRESS=%s PATH=%s:$PATH\nexec sh -c "
                "\"$*\"\n",
                dir, harness_get_address(there.harness), harness_get_address(there.harness), daemon);

        ck_assert_int_eq(mkdir(dir, 0755), 0);
        ck_assert(g_file_set_contents(program, text, -1, NULL));
        ck_assert_int_eq(chmod(program, 0755), 0);
        harness_end_agent(here.harness, SIGTERM);
        harness_set_environment(here.harness, "PATH", path);
        harness_start_agent(here.harness);
}

/* Through ssh's standard input and output, and TCP. */
START_TEST(test_by_ssh)
{
        g_autofree char *path = NULL, *next = NULL;

        fake_ssh();
        path = guest_start(here.client, guest_bare_xml("bare", NULL));
        next = guest_start(here.client, guest_bare_xml("next", NULL));
        client_fails(here.client, LIBVIRT_ERROR,
                     "*'qemu+ssh://root@elsewhere:222/system' does not work: no route to elsewhere", path,
                     DOMAIN_INTERFACE, "MigrateToURI3", "sa{sv}u", "qemu+ssh://root@elsewhere:222/system", 0,
                     LIVE);
        guest_expect_state(here.client, path, STATE_RUNNING, -1);
        client_do(here.client, path, DOMAIN_INTERFACE, "MigrateToURI3", "sa{sv}u",
                  "qemu+ssh://localhost/system", 0, LIVE);
        guest_expect_state(there.client, path, STATE_RUNNING, RUNNING_MIGRATED);
        sides_migrate(&there, path, &here, LIVE);
        /* The port is free again when the guest is there. */
        for (unsigned i = 0; i < 2; i++) {
                const char *guest = i == 0 ? path : next;

                client_do(here.client, guest, DOMAIN_INTERFACE, "MigrateToURI3", "sa{sv}u",
                          "qemu+ssh://localhost/system", 2, "migrate_uri", "s", "tcp://127.0.0.1:50123",
                          "listen_address", "s", "127.0.0.1", LIVE | PARALLEL);
                guest_expect_state(there.client, guest, STATE_RUNNING, RUNNING_MIGRATED);
        }
}
END_TEST

/* By the way on which the agents speak, and no other; when that breaks the guest is where it was. */
START_TEST(test_by_tunnel)
{
        g_autofree char *path = NULL, *closed = harness_path(here.harness, "bin/closed");

        fake_ssh();
        path = guest_start(here.client, guest_bare_xml("bare", NULL));
        ck_assert(g_file_set_contents(closed, "", 0, NULL));
        client_fails(here.client, LIBVIRT_ERROR,
                     "*the tunnel to 'qemu+ssh://localhost/system' does not work: closed*", path,
                     DOMAIN_INTERFACE, "MigrateToURI3", "sa{sv}u", "qemu+ssh://localhost/system", 0,
                     LIVE | TUNNELLED);
        guest_expect_state(here.client, path, STATE_RUNNING, -1);
        ck_assert_int_eq(unlink(closed), 0);
        client_do(here.client, path, DOMAIN_INTERFACE, "MigrateToURI3", "sa{sv}u",
                  "qemu+ssh://localhost/system", 0, LIVE | TUNNELLED);
        guest_expect_state(there.client, path, STATE_RUNNING, RUNNING_MIGRATED);
        sides_migrate(&there, path, &here, LIVE | TUNNELLED);
        guest_expect_state(here.client, path, STATE_RUNNING, RUNNING_MIGRATED);
        client_fails(here.client, LIBVIRT_ERROR, "*TUNNELLED and PARALLEL*", path, DOMAIN_INTERFACE,
                     "MigrateToURI3", "sa{sv}u", there.uri, 0, LIVE | TUNNELLED | PARALLEL);
        client_fails(here.client, LIBVIRT_ERROR, "*'migrate_uri' does not go with the flag TUNNELLED*", path,
                     DOMAIN_INTERFACE, "MigrateToURI3", "sa{sv}u", there.uri, 1, "migrate_uri", "s",
                     "tcp:localhost", LIVE | TUNNELLED);
}
END_TEST

START_TEST(test_aborted)
{
        g_autofree char *console = harness_path(here.harness, "console");
        g_autofree char *path = guest_start(here.client, sides_make_counting_xml("linux", console));
        struct client_answer answer = { 0 };

        guest_wait_console(console, "count 5\r");
        client_send(here.client, &answer, path, DOMAIN_INTERFACE, "MigrateToURI3", "sa{sv}u", there.uri, 1,
                    "bandwidth", "t", (uint64_t)1, LIVE);
        harness_wait_until(sides_are_transferring, path, "some of the guest has gone over");
        client_fails(here.client, LIBVIRT_ERROR, "*is busy with 'migration'", path, DOMAIN_INTERFACE, "Reset",
                     "u", 0);
        client_fails(there.client, LIBVIRT_ERROR, "*is busy with 'migration'", path, DOMAIN_INTERFACE,
                     "Resume", NULL);
        guest_do(here.client, path, "AbortJob");
        client_wait_answer(here.client, &answer);
        ck_assert_ptr_nonnull(answer.error);
        g_free(answer.error);
        guest_expect_state(here.client, path, STATE_RUNNING, -1);
        sides_expect_counting(console);
        /* The limit was of that one. */
        sides_migrate(&here, path, &there, LIVE);
        sides_expect_counting(console);
}
END_TEST

static uint64_t get_setting(const char *path, const char *member)
{
        g_autoptr(sd_bus_message) reply = client_call(here.client, path, DOMAIN_INTERFACE, member, "u", 0);
        uint64_t value;

        ck_assert_int_gt(sd_bus_message_read(reply, "t", &value), 0);
        return value;
}

/* What one migration was asked for is not for the next one; what was set for the guest is, whenever it was.
 */
START_TEST(test_settings_stay)
{
        g_autofree char *path = guest_start(here.client, guest_bare_xml("bare", NULL));
        struct client_answer answer = { 0 };

        client_do(here.client, path, DOMAIN_INTERFACE, "MigrateSetCompressionCache", "tu", UINT64_C(1) << 25,
                  0);
        client_send(here.client, &answer, path, DOMAIN_INTERFACE, "MigrateToURI3", "sa{sv}u", there.uri, 2,
                    "bandwidth", "t", (uint64_t)1, "compression.xbzrle.cache", "t", UINT64_C(1) << 20,
                    LIVE | COMPRESSED);
        harness_wait_until(sides_are_transferring, path, "some of the guest has gone over");
        client_do(here.client, path, DOMAIN_INTERFACE, "MigrateSetMaxSpeed", "tu", UINT64_C(2), 0);
        guest_do(here.client, path, "AbortJob");
        client_wait_answer(here.client, &answer);
        ck_assert_ptr_nonnull(answer.error);
        g_free(answer.error);
        ck_assert_uint_eq(get_setting(path, "MigrateGetMaxSpeed"), 2);
        ck_assert_uint_eq(get_setting(path, "MigrateGetCompressionCache"), 1 << 25);
}
END_TEST

static bool has_save(const struct side *side, const char *path)
{
        g_autoptr(sd_bus_message) reply =
                client_call(side->client, path, DOMAIN_INTERFACE, "HasManagedSaveImage", "u", 0);
        int has;

        ck_assert_int_gt(sd_bus_message_read(reply, "b", &has), 0);
        return has;
}

static bool is_off_there(void *path)
{
        return side_find_state(&there, path) == STATE_SHUTOFF;
}

static void kill_there(const char *path)
{
        side_kill_guest(&there, path);
}

static void abort_here(const char *path)
{
        guest_do(here.client, path, "AbortJob");
}

/* The guest begins to come, and does not. */
static void fail_to_come(char *path, void (*end)(const char *path))
{
        struct client_answer answer = { 0 };

        client_forget_signals(there.client);
        client_send(here.client, &answer, path, DOMAIN_INTERFACE, "MigrateToURI3", "sa{sv}u", there.uri, 1,
                    "bandwidth", "t", (uint64_t)1, LIVE);
        client_wait_event(there.client, path, EVENT_STARTED, STARTED_MIGRATED);
        end(path);
        client_wait_answer(here.client, &answer);
        ck_assert_ptr_nonnull(answer.error);
        g_free(answer.error);
        harness_wait_until(is_off_there, path, "nothing waits for the guest any more");
}

/* Of a dictionary of typed parameters, whose values are variants in variants. Owned. */
static char *find_text(sd_bus_message *dictionary, const char *wanted)
{
        const char *name, *text = NULL;

        ck_assert_int_gt(sd_bus_message_enter_container(dictionary, 'a', "{sv}"), 0);
        while (sd_bus_message_enter_container(dictionary, 'e', "sv") > 0) {
                ck_assert_int_gt(sd_bus_message_read(dictionary, "s", &name), 0);
                if (strcmp(name, wanted) == 0)
                        ck_assert_int_gt(sd_bus_message_read(dictionary, "v", "v", "s", &text), 0);
                else
                        ck_assert_int_ge(sd_bus_message_skip(dictionary, "v"), 0);
                ck_assert_int_ge(sd_bus_message_exit_container(dictionary), 0);
        }
        ck_assert_ptr_nonnull(text);
        return g_strdup(text);
}

/* It is said to have come when nothing has. */
static void finish_early(char *path, const char *xml)
{
        g_autoptr(sd_bus_message) reply = client_call(there.client, QEMU_PATH, "org.virtbus.Migration",
                                                      "Prepare", "sa{sv}u", xml, 0, LIVE);
        g_autofree char *cookie = find_text(reply, "cookie");

        client_fails(there.client, LIBVIRT_ERROR, "*not all of * has come", QEMU_PATH,
                     "org.virtbus.Migration", "Finish", "sa{sv}u", cookie, 0, 0);
        harness_wait_until(is_off_there, path, "nothing waits for the guest any more");
}

/* What is saved there is the guest's until another one has come in its place. */
START_TEST(test_what_was_saved_there)
{
        g_autofree char *path = guest_start(here.client, guest_bare_xml("bare", NULL)), *xml = NULL;
        g_autofree char *saved = NULL;

        xml = client_call_string(here.client, path, DOMAIN_INTERFACE, "GetXMLDesc", "u", 2);
        saved = guest_start(there.client, g_strdup(xml));
        ck_assert_str_eq(saved, path);
        guest_do_flags(there.client, path, "ManagedSave", 0);
        fail_to_come(path, kill_there);
        ck_assert(has_save(&there, path));
        fail_to_come(path, abort_here);
        ck_assert(has_save(&there, path));
        finish_early(path, xml);
        ck_assert(has_save(&there, path));
        guest_do_flags(there.client, path, "Create", 0);
        guest_expect_state(there.client, path, STATE_RUNNING, RUNNING_RESTORED);
        guest_do_flags(there.client, path, "ManagedSave", 0);
        sides_migrate(&here, path, &there, LIVE);
        ck_assert(!has_save(&there, path));
        guest_do_flags(there.client, path, "Destroy", 0);
}
END_TEST

/* Its variable store is on storage that both hosts have: one that it has open here is no obstacle there. */
START_TEST(test_a_store_of_both_hosts)
{
        g_autofree char *code = harness_path(here.harness, "CODE.fd"), *path = NULL, *tail = NULL;
        g_autofree char *vars = harness_path(here.harness, "VARS.fd"), *xml = NULL;
        g_autofree char *bare = guest_bare_xml("bare", NULL);
        g_auto(GStrv) parts = g_strsplit(bare, "</os>", 2), named = NULL;
        g_autofree char *other = NULL;

        ck_assert(g_file_set_contents(code, "", 0, NULL) && truncate(code, 1 << 20) == 0);
        ck_assert(g_file_set_contents(vars, "", 0, NULL) && truncate(vars, 1 << 18) == 0);
        tail = g_strdup_printf("<loader readonly='yes' type='pflash'>%s</loader><nvram>%s</nvram></os>%s",
                               code, vars, parts[1]);
        xml = g_strconcat(parts[0], tail, NULL);
        named = g_strsplit(xml, "<name>bare</name>", 2);
        path = guest_start(here.client, g_steal_pointer(&xml));
        sides_migrate(&here, path, &there, LIVE);
        guest_expect_state(there.client, path, STATE_RUNNING, RUNNING_MIGRATED);
        /* It has come without a claim to it, and has it nevertheless. */
        other = guest_define(there.client, g_strjoin("<name>other</name>", named[0], named[1], NULL));
        client_fails(there.client, LIBVIRT_ERROR, "*VARS.fd' is in use by domain 'bare'*", other,
                     DOMAIN_INTERFACE, "Create", "u", 0);
        guest_do_flags(there.client, other, "Undefine", KEEP_NVRAM);
        guest_do_flags(there.client, path, "Destroy", 0);
        ck_assert_int_eq(access(vars, F_OK), 0);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("guest/migration");
        TCase *moves = tcase_create("moves");

        tcase_set_timeout(moves, 300);
        tcase_add_checked_fixture(moves, sides_set_up, sides_tear_down);
        tcase_add_test(moves, test_the_guest_counts_on);
        tcase_add_test(moves, test_definitions_go_along);
        tcase_add_test(moves, test_definitions_go_alone);
        tcase_add_test(moves, test_no_start_of_what_goes);
        tcase_add_test(moves, test_what_is_refused);
        tcase_add_test(moves, test_a_transient_disk_stays);
        tcase_add_test(moves, test_one_that_ends_with_its_client_stays);
        tcase_add_test(moves, test_cookies);
        tcase_add_test(moves, test_by_tls);
        tcase_add_test(moves, test_by_ssh);
        tcase_add_test(moves, test_by_tunnel);
        tcase_add_test(moves, test_aborted);
        tcase_add_test(moves, test_settings_stay);
        tcase_add_test(moves, test_what_was_saved_there);
        tcase_add_test(moves, test_a_store_of_both_hosts);
        suite_add_tcase(suite, moves);
        return harness_main(suite);
}
