/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Records of calls that change something, as the journal gets them: a socket of the test stands where the
 * journal's is, in a mount namespace of the agent. Needs root.
 */

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "drivers/audit.h"
#include "tests/support/guest.h"
#include "tests/support/harness.h"
#include "tests/support/polkitd.h"

#define DEADLINE_MS 60000
#define UUID        "11111111-2222-3333-4444-555555555555"
#define WEB         TEST_PATH "/domain/_11111111_2222_3333_4444_555555555555"
#define SECRET_UUID "21111111-2222-3333-4444-555555555555"
#define SECRET      TEST_PATH "/secret/_21111111_2222_3333_4444_555555555555"
#define PROPERTIES  "org.freedesktop.DBus.Properties"
#define DENIED      "org.freedesktop.DBus.Error.AccessDenied"

static struct harness *harness;
static struct client *client;
static int journal = -1;
static GPtrArray *records; /* what came, as texts */
static struct {
        char *dir; /* of the journal's socket */
        int stream;
} setup_data;

/* In the agent's process, before it is executed: the journal is where it is on a host with systemd. */
static void enter_journal(void)
{
        if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
            (mkdir("/run/systemd", 0755) < 0 && access("/run/systemd", F_OK) < 0) ||
            mount("none", "/run/systemd", "tmpfs", 0, NULL) < 0 || mkdir("/run/systemd/journal", 0755) < 0 ||
            mount(setup_data.dir, "/run/systemd/journal", NULL, MS_BIND, NULL) < 0 ||
            dup2(setup_data.stream, STDERR_FILENO) < 0)
                _exit(99);
}

static void tear_down(void)
{
        if (harness)
                harness_free(harness);
        if (journal >= 0)
                close(journal);
}

/* ---- records ---- */

static char *get_field(const char *record, const char *name)
{
        g_auto(GStrv) lines = g_strsplit(record, "\n", -1);
        g_autofree char *prefix = g_strconcat(name, "=", NULL);

        for (unsigned i = 0; lines[i]; i++)
                if (g_str_has_prefix(lines[i], prefix))
                        return g_strdup(lines[i] + strlen(prefix));
        return NULL;
}

static bool is_audit(const char *record)
{
        g_autofree char *id = get_field(record, "MESSAGE_ID");

        return g_strcmp0(id, AUDIT_MESSAGE_ID) == 0;
}

/* Takes in what the journal has got; all that was written before an answer is there when the answer is. */
static void read_journal(int timeout_ms)
{
        struct pollfd poll_journal = { .fd = journal, .events = POLLIN };

        while (poll(&poll_journal, 1, timeout_ms) > 0) {
                static char text[256 * 1024];
                ssize_t length = recv(journal, text, sizeof(text) - 1, 0);

                ck_assert_int_gt(length, 0);
                text[length] = '\0';
                g_ptr_array_add(records, g_strdup(text));
                timeout_ms = 0;
        }
}

static bool set_up(const char *config)
{
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        const int size = 4 * 1024 * 1024;
        g_autofree char *path = NULL, *stream_path = NULL, *stream = NULL, *config_path = NULL;
        struct stat st;

        if (geteuid() != 0) {
                harness_skip("a journal of its own takes root");
                return false;
        }
        harness = harness_new_bus();
        client = harness_get_client(harness);
        setup_data.dir = harness_path(harness, "j");
        path = g_build_filename(setup_data.dir, "socket", NULL);
        stream_path = harness_path(harness, "stream");
        config_path = harness_path(harness, "virtbusd.conf");
        ck_assert_int_eq(mkdir(setup_data.dir, 0755), 0);
        ck_assert(g_file_set_contents(config_path, config, -1, NULL));
        g_strlcpy(address.sun_path, path, sizeof(address.sun_path));
        journal = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        ck_assert_int_eq(setsockopt(journal, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size)), 0);
        ck_assert_int_eq(bind(journal, (struct sockaddr *)&address, sizeof(address)), 0);
        setup_data.stream = open(stream_path, O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0600);
        ck_assert_int_eq(fstat(setup_data.stream, &st), 0);
        stream = g_strdup_printf("%lu:%lu", (unsigned long)st.st_dev, (unsigned long)st.st_ino);
        harness_set_environment(harness, "JOURNAL_STREAM", stream);
        harness_set_child_setup(harness, enter_journal);
        records = g_ptr_array_new_with_free_func(g_free);
        harness_start_agent(harness);
        read_journal(0);
        g_ptr_array_set_size(records, 0);
        return true;
}

/*
 * The socket holds few messages, so it is read often. The record is written behind the answer; so the answer
 * to a later call of the same client comes after it.
 */
static void settle(void)
{
        client_ping(client);
        read_journal(0);
}

static unsigned count_audits(void)
{
        unsigned count = 0;

        for (unsigned i = 0; i < records->len; i++)
                count += is_audit(g_ptr_array_index(records, i));
        return count;
}

/* The one record since the last look. */
static char *take_record(void)
{
        char *record = NULL;

        settle();
        ck_assert_uint_eq(count_audits(), 1);
        for (unsigned i = 0; i < records->len; i++)
                if (is_audit(g_ptr_array_index(records, i)))
                        record = g_strdup(g_ptr_array_index(records, i));
        g_ptr_array_set_size(records, 0);
        return record;
}

static void expect_fields(const char *record, ...)
{
        const char *name;
        va_list args;

        va_start(args, record);
        while ((name = va_arg(args, const char *))) {
                const char *expected = va_arg(args, const char *);
                g_autofree char *value = get_field(record, name);

                ck_assert_msg(g_strcmp0(value, expected) == 0, "%s is %s, not %s, in:\n%s", name,
                              value ? value : "absent", expected ? expected : "absent", record);
        }
        va_end(args);
}

static void define_web(void)
{
        g_autofree char *xml = guest_test_xml("web", UUID);

        client_do(client, TEST_PATH, CONNECT_INTERFACE, "DomainDefineXML", "s", xml);
}

/* ---- tests ---- */

START_TEST(test_one_record_per_change)
{
        g_autofree char *define = NULL, *create = NULL, *again = NULL, *set = NULL, *undefine = NULL;
        g_autofree char *pid = g_strdup_printf("%d", (int)getpid());
        const char *me = NULL;

        if (!set_up(""))
                return;
        sd_bus_get_unique_name(client_get_bus(client), &me);
        settle();
        g_ptr_array_set_size(records, 0);
        define_web();
        define = take_record();
        expect_fields(define, "CALLER_UID", "0", "CALLER_PID", pid, "CALLER_BUS_NAME", me, "MEMBER",
                      "org.libvirt.Connect.DomainDefineXML", "OBJECT", TEST_PATH, "RESULT", WEB, "CONNECTION",
                      "test:///default", "ANSWER", "ok", "ERROR_NUMBER", NULL, "OBJECT_UUID", NULL,
                      "PRIORITY", "6", NULL);
        client_do(client, WEB, DOMAIN_INTERFACE, "Create", "u", 0);
        create = take_record();
        expect_fields(create, "MEMBER", "org.libvirt.Domain.Create", "OBJECT", WEB, "OBJECT_UUID", UUID,
                      "DOMAIN_NAME", "web", "DOMAIN_UUID", UUID, "ACTION", "domain.start", "ANSWER", "ok",
                      NULL);
        client_fails(client, LIBVIRT_ERROR, NULL, WEB, DOMAIN_INTERFACE, "Create", "u", 0);
        again = take_record();
        expect_fields(again, "MEMBER", "org.libvirt.Domain.Create", "ANSWER", LIBVIRT_ERROR, "ERROR_NUMBER",
                      "55", NULL);
        client_do(client, WEB, PROPERTIES, "Set", "ssv", DOMAIN_INTERFACE, "Autostart", "b", 1);
        set = take_record();
        expect_fields(set, "MEMBER", PROPERTIES ".Set", "ACTION", "domain.write", "DOMAIN_NAME", "web",
                      "ANSWER", "ok", NULL);
        client_do(client, WEB, DOMAIN_INTERFACE, "Destroy", "u", 0);
        g_free(take_record());
        client_do(client, WEB, DOMAIN_INTERFACE, "Undefine", "u", 0);
        undefine = take_record();
        expect_fields(undefine, "DOMAIN_NAME", "web", "OBJECT_UUID", UUID, "ANSWER", "ok", NULL);
}
END_TEST

START_TEST(test_reads_leave_none)
{
        if (!set_up(""))
                return;
        define_web();
        g_free(take_record());
        for (unsigned i = 0; i < 100; i++)
                client_do(client, WEB, DOMAIN_INTERFACE, "GetState", "u", 0);
        client_do(client, WEB, DOMAIN_INTERFACE, "GetXMLDesc", "u", 0);
        client_do(client, WEB, PROPERTIES, "GetAll", "s", DOMAIN_INTERFACE);
        client_follow(client);
        settle();
        ck_assert_uint_eq(count_audits(), 0);
}
END_TEST

/* Nobody is there to ask, so that only root may. */
START_TEST(test_denials)
{
        g_autofree char *record = NULL;
        struct client *nobody;

        if (!set_up(""))
                return;
        define_web();
        g_free(take_record());
        nobody = polkitd_connect_as(harness, POLKITD_NOBODY);
        client_fails(nobody, DENIED, NULL, WEB, DOMAIN_INTERFACE, "Destroy", "u", 0);
        g_free(client_try(nobody, WEB, DOMAIN_INTERFACE, "GetState", "u", 0));
        record = take_record();
        expect_fields(record, "CALLER_UID", "65534", "MEMBER", "org.libvirt.Domain.Destroy", "DOMAIN_NAME",
                      "web", "OBJECT_UUID", UUID, "ANSWER", DENIED, "ERROR_NUMBER", NULL, NULL);
        client_free(nobody);
}
END_TEST

START_TEST(test_no_secrets)
{
        const char *xml = "<secret><uuid>" SECRET_UUID "</uuid></secret>";
        const char *domain =
                "<domain type='test'><name>sesame</name><memory>1024</memory><os><type>hvm</type></os>"
                "<metadata><x:y xmlns:x='urn:x'>opensesame</x:y></metadata><bad></domain>";
        const uint8_t value[] = "opensesame";
        sd_bus *bus = NULL;
        g_autofree char *refused = NULL;

        if (!set_up("[log]\nlevel=debug\n"))
                return;
        bus = client_get_bus(client);
        client_do(client, TEST_PATH, CONNECT_INTERFACE, "SecretDefineXML", "su", xml, 0);
        settle();
        refused = client_try(client, TEST_PATH, CONNECT_INTERFACE, "DomainDefineXML", "s", domain);
        ck_assert_ptr_nonnull(refused);
        settle();
        {
                sd_bus_message *call = NULL, *reply = NULL;

                ck_assert_int_ge(sd_bus_message_new_method_call(bus, &call, "org.libvirt", SECRET,
                                                                "org.libvirt.Secret", "SetValue"),
                                 0);
                ck_assert_int_ge(sd_bus_message_append_array(call, 'y', value, sizeof(value)), 0);
                ck_assert_int_ge(sd_bus_message_append(call, "u", 0), 0);
                ck_assert_int_ge(sd_bus_call(bus, call, 0, NULL, &reply), 0);
                sd_bus_message_unref(call);
                sd_bus_message_unref(reply);
        }
        settle();
        /* To be told a value is more than to read. */
        client_do(client, SECRET, "org.libvirt.Secret", "GetValue", "u", 0);
        settle();
        ck_assert_uint_eq(count_audits(), 4);
        for (unsigned i = 0; i < records->len; i++)
                ck_assert_ptr_null(strstr(g_ptr_array_index(records, i), "opensesame"));
}
END_TEST

START_TEST(test_a_flood_is_counted)
{
        enum { FLOOD = 1000 };
        struct client *nobody;
        unsigned summaries = 0;

        if (!set_up(""))
                return;
        define_web();
        g_free(take_record());
        nobody = polkitd_connect_as(harness, POLKITD_NOBODY);
        for (unsigned i = 0; i < FLOOD; i++) {
                client_fails(nobody, DENIED, NULL, WEB, DOMAIN_INTERFACE, "Destroy", "u", 0);
                read_journal(0);
        }
        /* Somebody else's are recorded nevertheless, and so is what succeeds. */
        client_fails(client, LIBVIRT_ERROR, NULL, WEB, DOMAIN_INTERFACE, "Destroy", "u", 0);
        client_do(client, WEB, DOMAIN_INTERFACE, "Create", "u", 0);
        settle();
        /* A window may have ended meanwhile. */
        ck_assert_uint_ge(count_audits(), AUDIT_FAILURES_MAX + 2);
        ck_assert_uint_lt(count_audits(), FLOOD);
        ck_assert_int_eq(harness_end_agent(harness, SIGTERM), 0);
        read_journal(0);
        for (unsigned i = 0; i < records->len; i++)
                summaries +=
                        strstr(g_ptr_array_index(records, i), "more calls of the user 65534 failed") != NULL;
        ck_assert_uint_ge(summaries, 1);
        client_free(nobody);
}
END_TEST

START_TEST(test_switched_off_and_on)
{
        g_autofree char *config = NULL;

        if (!set_up("[audit]\nchanges=false\n"))
                return;
        define_web();
        settle();
        ck_assert_uint_eq(count_audits(), 0);
        config = harness_path(harness, "virtbusd.conf");
        ck_assert(g_file_set_contents(config, "[audit]\nchanges=true\n", -1, NULL));
        ck_assert_int_eq(kill(harness_get_agent_pid(harness), SIGHUP), 0);
        for (bool changed = false; !changed;) {
                read_journal(DEADLINE_MS);
                ck_assert_uint_gt(records->len, 0);
                for (unsigned i = 0; i < records->len; i++)
                        changed |= strstr(g_ptr_array_index(records, i), "changed: [audit] changes") != NULL;
        }
        g_ptr_array_set_size(records, 0);
        client_do(client, WEB, DOMAIN_INTERFACE, "Create", "u", 0);
        g_free(take_record());
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("audit");
        TCase *tcase = tcase_create("audit");

        tcase_add_checked_fixture(tcase, NULL, tear_down);
        tcase_add_test(tcase, test_one_record_per_change);
        tcase_add_test(tcase, test_reads_leave_none);
        tcase_add_test(tcase, test_denials);
        tcase_add_test(tcase, test_no_secrets);
        tcase_add_test(tcase, test_a_flood_is_counted);
        tcase_add_test(tcase, test_switched_off_and_on);
        suite_add_tcase(suite, tcase);
        return harness_main(suite);
}
