/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Saving and restoring on the Test connection: states, events, flags, documents, managed saves, and files
 * that are no saves.
 */

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/guest.h"
#include "tests/support/harness.h"

#define UUID "11111111-2222-3333-4444-555555555555"
#define WEB  TEST_PATH "/domain/_11111111_2222_3333_4444_555555555555"

enum {
        BYPASS_CACHE = 1,
        SAVE_RUNNING = 2,
        SAVE_PAUSED = 4,
        STARTED_RESTORED = 2,
        STOPPED_SAVED = 4,
        SUSPENDED_RESTORED = 4,
        SHUTOFF_SAVED = 5,
        RUNNING_RESTORED = 3,
        FORCE_BOOT = 8,
        UNDEFINE_MANAGED_SAVE = 1,
        LIST_MANAGED_SAVE = 1 << 8,
        LIST_NO_MANAGED_SAVE = 1 << 9,
};

static struct harness *harness;
static struct client *client;
static char *file;

static char *make_xml(const char *inside)
{
        return g_strdup_printf("<domain type='test'><name>web</name><uuid>" UUID
                               "</uuid><memory>65536</memory>"
                               "<os><type>hvm</type></os>%s</domain>",
                               inside);
}

static void set_up(void)
{
        g_autofree char *xml = make_xml(""), *path = NULL;

        harness = harness_new();
        client = harness_get_client(harness);
        file = harness_path(harness, "web.save");
        path = client_call_string(client, TEST_PATH, CONNECT_INTERFACE, "DomainDefineXML", "s", xml);
        ck_assert_str_eq(path, WEB);
        guest_do_flags(client, WEB, "Create", 0);
        client_forget_signals(client);
}

static void tear_down(void)
{
        g_free(file);
        harness_free(harness);
}

static void save(const char *xml, unsigned flags)
{
        client_do(client, WEB, DOMAIN_INTERFACE, "Save", "ssu", file, xml, flags);
}

static void refuse_save(const char *text, const char *path, const char *xml, unsigned flags)
{
        client_fails(client, LIBVIRT_ERROR, text, WEB, DOMAIN_INTERFACE, "Save", "ssu", path, xml, flags);
}

static void restore(const char *xml, unsigned flags)
{
        client_do(client, TEST_PATH, CONNECT_INTERFACE, "DomainRestore", "ssu", file, xml, flags);
}

static void refuse_restore(const char *text, const char *path, const char *xml)
{
        client_fails(client, LIBVIRT_ERROR, text, TEST_PATH, CONNECT_INTERFACE, "DomainRestore", "ssu", path,
                     xml, 0);
}

static bool has_managed(void)
{
        g_autoptr(sd_bus_message) reply =
                client_call(client, WEB, DOMAIN_INTERFACE, "HasManagedSaveImage", "u", 0);
        int has;

        ck_assert_int_gt(sd_bus_message_read(reply, "b", &has), 0);
        return has;
}

START_TEST(test_save_and_restore)
{
        struct stat status;

        save("", 0);
        client_wait_event(client, WEB, EVENT_STOPPED, STOPPED_SAVED);
        guest_expect_state(client, WEB, STATE_SHUTOFF, SHUTOFF_SAVED);
        ck_assert_int_eq(stat(file, &status), 0);
        ck_assert_uint_eq(status.st_mode & 0777, 0600);
        restore("", 0);
        client_wait_event(client, WEB, EVENT_STARTED, STARTED_RESTORED);
        guest_expect_state(client, WEB, STATE_RUNNING, RUNNING_RESTORED);
        /* The file stays, and is good for one guest at a time. */
        refuse_restore("*already active*", file, "");
        ck_assert_int_eq(access(file, F_OK), 0);
}
END_TEST

/* As with QEMU's guests: links stay, and somebody else's are not followed. */
START_TEST(test_through_links)
{
        g_autofree char *target = g_strdup(file), *link = harness_path(harness, "link"),
                        *foreign = harness_path(harness, "foreign");

        ck_assert_int_eq(symlink("web.save", link), 0);
        for (unsigned i = 0; i < 2; i++) {
                g_free(file);
                file = g_strdup(link);
                save("", 0);
                ck_assert(g_file_test(link, G_FILE_TEST_IS_SYMLINK));
                ck_assert(!g_file_test(target, G_FILE_TEST_IS_SYMLINK));
                restore("", 0);
        }
        client_do(client, WEB, DOMAIN_INTERFACE, "CoreDump", "suu", link, 0, 0);
        ck_assert(g_file_test(link, G_FILE_TEST_IS_SYMLINK));
        if (geteuid() != 0)
                return;
        ck_assert_int_eq(symlink("web.save", foreign), 0);
        ck_assert_int_eq(lchown(foreign, 12345, 12345), 0);
        refuse_save("*'*/foreign' is a symbolic link of user 12345*", foreign, "", 0);
        guest_expect_state(client, WEB, STATE_RUNNING, -1);
}
END_TEST

START_TEST(test_what_the_guest_does)
{
        save("", 0);
        restore("", SAVE_PAUSED);
        client_wait_event(client, WEB, EVENT_SUSPENDED, SUSPENDED_RESTORED);
        guest_expect_state(client, WEB, STATE_PAUSED, 1);
        guest_do(client, WEB, "Resume");
        guest_do_flags(client, WEB, "ManagedSave", SAVE_PAUSED);
        guest_do_flags(client, WEB, "Create", 0);
        guest_expect_state(client, WEB, STATE_PAUSED, 1);
        guest_do_flags(client, WEB, "ManagedSave", SAVE_RUNNING);
        guest_do_flags(client, WEB, "Create", 0);
        guest_expect_state(client, WEB, STATE_RUNNING, RUNNING_RESTORED);
        refuse_save("*runs and is paused*", file, "", SAVE_RUNNING | SAVE_PAUSED);
        refuse_save("*unsupported flags (0x8)*", file, "", 8);
}
END_TEST

START_TEST(test_a_document_takes_the_place_of_the_guests)
{
        g_autofree char *other = make_xml("<description>later</description>");
        g_autofree char *more = make_xml("<vcpu>2</vcpu>"), *text = NULL, *in_file = NULL;

        refuse_save("unsupported configuration: <vcpu> is not as*", file, more, 0);
        refuse_save("*not well formed*", file, "<domain", 0);
        guest_expect_state(client, WEB, STATE_RUNNING, -1);
        ck_assert_int_ne(access(file, F_OK), 0);
        save(other, 0);
        in_file = client_call_string(client, TEST_PATH, CONNECT_INTERFACE, "DomainSaveImageGetXMLDesc", "su",
                                     file, 0);
        ck_assert_ptr_nonnull(strstr(in_file, "<description>later</description>"));
        refuse_restore("unsupported configuration: <vcpu> is not as*", file, more);
        restore("", 0);
        text = client_call_string(client, WEB, DOMAIN_INTERFACE, "GetXMLDesc", "u", 0);
        ck_assert_ptr_nonnull(strstr(text, "<description>later</description>"));
}
END_TEST

START_TEST(test_the_document_of_a_file_is_replaced)
{
        g_autofree char *other = make_xml("<title>Web</title>"), *more = make_xml("<vcpu>2</vcpu>");
        g_autofree char *text = NULL;

        save("", 0);
        client_fails(client, LIBVIRT_ERROR, "unsupported configuration: <vcpu>*", TEST_PATH,
                     CONNECT_INTERFACE, "DomainSaveImageDefineXML", "ssu", file, more, 0);
        client_do(client, TEST_PATH, CONNECT_INTERFACE, "DomainSaveImageDefineXML", "ssu", file, other, 0);
        text = client_call_string(client, TEST_PATH, CONNECT_INTERFACE, "DomainSaveImageGetXMLDesc", "su",
                                  file, 0);
        ck_assert_ptr_nonnull(strstr(text, "<title>Web</title>"));
}
END_TEST

static void refuse_document(const char *text, const char *inside)
{
        g_autofree char *xml = make_xml(inside);

        client_fails(client, LIBVIRT_ERROR, text, TEST_PATH, CONNECT_INTERFACE, "DomainSaveImageDefineXML",
                     "ssu", file, xml, 0);
}

static char *make_devices(const char *driver, const char *backend)
{
        return g_strdup_printf("<devices><disk type='file'><driver %s/><source file='/a'/>"
                               "<target dev='vda' bus='virtio'/></disk><tpm model='tpm-tis'><backend %s/>"
                               "</tpm></devices>",
                               driver, backend);
}

/* How its image is read is the host's, how many queues it has is not. */
START_TEST(test_what_the_guest_sees_of_a_back_end)
{
        static const struct {
                const char *text, *driver, *backend;
        } refused[] = {
                { "*<disk> is not as*", "queues='4' packed='on'", "type='emulator' version='2.0'" },
                { "*<disk> is not as*", "packed='on'", "type='emulator' version='2.0'" },
                { "*<disk> is not as*", "queues='2'", "type='emulator' version='2.0'" },
                { "*<tpm> is not as*", "queues='2' packed='on'", "type='emulator' version='1.2'" },
        };
        g_autofree char *before = make_devices("name='qemu' queues='2' packed='on' cache='none'",
                                               "type='emulator' version='2.0'");
        g_autofree char *after = make_devices("io='threads' packed='on' type='raw' queues='2'",
                                              "type='emulator' version='2.0' persistent_state='yes'");
        g_autofree char *xml = make_xml(before), *other = make_xml(after), *path = NULL;

        guest_do_flags(client, WEB, "Destroy", 0);
        path = client_call_string(client, TEST_PATH, CONNECT_INTERFACE, "DomainDefineXML", "s", xml);
        guest_do_flags(client, WEB, "Create", 0);
        save("", 0);
        for (unsigned i = 0; i < G_N_ELEMENTS(refused); i++) {
                g_autofree char *inside = make_devices(refused[i].driver, refused[i].backend);

                refuse_document(refused[i].text, inside);
        }
        client_do(client, TEST_PATH, CONNECT_INTERFACE, "DomainSaveImageDefineXML", "ssu", file, other, 0);
}
END_TEST

START_TEST(test_managed_save)
{
        g_auto(GStrv) with = NULL, without = NULL;

        guest_do_flags(client, WEB, "ManagedSave", 0);
        client_wait_event(client, WEB, EVENT_STOPPED, STOPPED_SAVED);
        ck_assert(has_managed());
        with = client_list(client, TEST_PATH, CONNECT_INTERFACE, "ListDomains", LIST_MANAGED_SAVE);
        ck_assert_uint_eq(g_strv_length(with), 1);
        ck_assert_str_eq(with[0], WEB);
        without = client_list(client, TEST_PATH, CONNECT_INTERFACE, "ListDomains", LIST_NO_MANAGED_SAVE);
        ck_assert_uint_eq(g_strv_length(without), 1);
        client_fails(client, LIBVIRT_ERROR, "*managed save*", WEB, DOMAIN_INTERFACE, "Undefine", "u", 0);
        client_fails(client, LIBVIRT_ERROR, "*managed save*", WEB, DOMAIN_INTERFACE, "Rename", "su", "x", 0);
        guest_do_flags(client, WEB, "Create", 0);
        client_wait_event(client, WEB, EVENT_STARTED, STARTED_RESTORED);
        ck_assert(!has_managed());

        guest_do_flags(client, WEB, "ManagedSave", 0);
        client_forget_signals(client);
        guest_do_flags(client, WEB, "Create", FORCE_BOOT);
        client_wait_event(client, WEB, EVENT_STARTED, STARTED_BOOTED);
        ck_assert(!has_managed());

        guest_do_flags(client, WEB, "ManagedSave", 0);
        guest_do_flags(client, WEB, "ManagedSaveRemove", 0);
        ck_assert(!has_managed());
        guest_do_flags(client, WEB, "ManagedSaveRemove", 0);

        guest_do_flags(client, WEB, "Create", 0);
        guest_do_flags(client, WEB, "ManagedSave", 0);
        guest_do_flags(client, WEB, "Undefine", UNDEFINE_MANAGED_SAVE);
        client_wait_event(client, WEB, EVENT_UNDEFINED, 0);
}
END_TEST

START_TEST(test_what_cannot_be_saved)
{
        g_autofree char *dir = harness_path(harness, "state"), *xml = guest_test_xml("gone", NULL);
        g_autofree char *path =
                client_call_string(client, TEST_PATH, CONNECT_INTERFACE, "DomainCreateXML", "su", xml, 0);

        refuse_save("*'web.save' is not*", "web.save", "", 0);
        refuse_save("*no regular file*", dir, "", 0);
        guest_expect_state(client, WEB, STATE_RUNNING, -1);
        client_fails(client, LIBVIRT_ERROR, "*transient*", path, DOMAIN_INTERFACE, "ManagedSave", "u", 0);
        guest_do_flags(client, WEB, "Destroy", 0);
        refuse_save("*not running*", file, "", 0);
}
END_TEST

/* Every length that is not the whole one, and what is none at all. */
START_TEST(test_damaged_files)
{
        g_autofree char *data = NULL;
        gsize length;

        save("", 0);
        ck_assert(g_file_get_contents(file, &data, &length, NULL));
        for (gsize i = 0; i < length; i += i < 32 ? 1 : 97) {
                ck_assert(g_file_set_contents(file, data, (gssize)i, NULL));
                refuse_restore("operation failed: '*' *", file, "");
        }
        data[0] = 'X';
        ck_assert(g_file_set_contents(file, data, (gssize)length, NULL));
        refuse_restore("*is not a guest that was saved", file, "");
        refuse_restore("*cannot read*", "/nonexistent/file", "");
        guest_expect_state(client, WEB, STATE_SHUTOFF, SHUTOFF_SAVED);
}
END_TEST

/* The number or text of a dictionary whose variants hold variants; false: it is not in there. */
static bool find_param(sd_bus_message *message, const char *name, const char *type, void *value)
{
        bool found = false;
        const char *key;

        ck_assert_int_gt(sd_bus_message_enter_container(message, 'a', "{sv}"), 0);
        while (sd_bus_message_enter_container(message, 'e', "sv") > 0) {
                ck_assert_int_gt(sd_bus_message_read(message, "s", &key), 0);
                if (strcmp(key, name) == 0) {
                        ck_assert_int_gt(sd_bus_message_enter_container(message, 'v', "v"), 0);
                        ck_assert_int_gt(sd_bus_message_read(message, "v", type, value), 0);
                        sd_bus_message_exit_container(message);
                        found = true;
                } else {
                        sd_bus_message_skip(message, "v");
                }
                sd_bus_message_exit_container(message);
        }
        sd_bus_message_exit_container(message);
        return found;
}

/* What GetJobStats says: the type, and the operation if there is one. */
static int get_stats(unsigned flags, int *operation)
{
        g_autoptr(sd_bus_message) reply =
                client_call(client, WEB, DOMAIN_INTERFACE, "GetJobStats", "u", flags);
        int type;

        *operation = 0;
        ck_assert_int_gt(sd_bus_message_enter_container(reply, 'r', "ia{sv}"), 0);
        ck_assert_int_gt(sd_bus_message_read(reply, "i", &type), 0);
        find_param(reply, "operation", "i", operation);
        return type;
}

START_TEST(test_jobs)
{
        enum { NONE = 0, COMPLETED = 3, SAVE = 2, LAST = 1, KEEP = 2 };
        g_autoptr(sd_bus_message) signal = NULL;
        g_autoptr(sd_bus_message) info = NULL;
        int operation, success = false, type;

        client_fails(client, LIBVIRT_ERROR, "*no job is active*", WEB, DOMAIN_INTERFACE, "AbortJob", NULL);
        ck_assert_int_eq(get_stats(0, &operation), NONE);
        ck_assert_int_eq(get_stats(LAST, &operation), NONE);
        save("", 0);
        signal = client_wait_signal(client, WEB, DOMAIN_INTERFACE, "JobCompleted", NULL, NULL);
        ck_assert(find_param(signal, "success", "b", &success));
        ck_assert(success);
        client_fails(client, LIBVIRT_ERROR, "*domain 'web' is not running", WEB, DOMAIN_INTERFACE,
                     "GetJobStats", "u", 0);
        client_fails(client, LIBVIRT_ERROR, "*domain 'web' is not running", WEB, DOMAIN_INTERFACE,
                     "GetJobInfo", NULL);
        ck_assert_int_eq(get_stats(LAST | KEEP, &operation), COMPLETED);
        ck_assert_int_eq(operation, SAVE);
        ck_assert_int_eq(get_stats(LAST, &operation), COMPLETED);
        /* It was told once. */
        ck_assert_int_eq(get_stats(LAST, &operation), NONE);
        guest_do_flags(client, WEB, "Create", 0);
        ck_assert_int_eq(get_stats(0, &operation), NONE);
        info = client_call(client, WEB, DOMAIN_INTERFACE, "GetJobInfo", NULL);
        ck_assert_int_gt(sd_bus_message_enter_container(info, 'r', "ittttttttttt"), 0);
        ck_assert_int_gt(sd_bus_message_read(info, "i", &type), 0);
        ck_assert_int_eq(type, NONE);
        client_fails(client, LIBVIRT_ERROR, "invalid argument: flag KEEP_COMPLETED*", WEB, DOMAIN_INTERFACE,
                     "GetJobStats", "u", 2);
        client_fails(client, LIBVIRT_ERROR, "*unsupported flags (0x4)*", WEB, DOMAIN_INTERFACE, "GetJobStats",
                     "u", 4);
}
END_TEST

static void refuse_dump(const char *text, unsigned format, unsigned flags)
{
        client_fails(client, LIBVIRT_ERROR, text, WEB, DOMAIN_INTERFACE, "CoreDump", "suu", file, format,
                     flags);
}

START_TEST(test_dump)
{
        enum { CRASH = 1, LIVE = 2, RESET = 8, MEMORY_ONLY = 16 };
        g_autofree char *data = NULL;

        client_do(client, WEB, DOMAIN_INTERFACE, "CoreDump", "suu", file, 0, 0);
        ck_assert(g_file_get_contents(file, &data, NULL, NULL));
        ck_assert(g_str_has_prefix(data, "TestGuestMagic"));
        guest_expect_state(client, WEB, STATE_RUNNING, -1);
        refuse_dump("*more than one of crash, live and reset*", 0, CRASH | LIVE);
        refuse_dump("*format 5 of a dump*", 5, MEMORY_ONLY);
        refuse_dump("*are for dumps of memory only*", 1, 0);
        refuse_dump("*are for dumps of memory only*", 4, 0);
        refuse_dump("*unsupported flags (0x20)*", 0, 32);
        client_do(client, WEB, DOMAIN_INTERFACE, "CoreDump", "suu", file, 0, MEMORY_ONLY | RESET);
        guest_expect_state(client, WEB, STATE_RUNNING, -1);
        client_do(client, WEB, DOMAIN_INTERFACE, "CoreDump", "suu", file, 0, CRASH);
        client_wait_event(client, WEB, EVENT_STOPPED, STOPPED_CRASHED);
        guest_expect_state(client, WEB, STATE_SHUTOFF, 3);
}
END_TEST

START_TEST(test_migration_is_not_of_this_driver)
{
        client_fails(client, LIBVIRT_ERROR, "*not supported*MigrateSetMaxSpeed*", WEB, DOMAIN_INTERFACE,
                     "MigrateSetMaxSpeed", "tu", UINT64_C(1), 0);
        client_fails(client, LIBVIRT_ERROR, "*not supported*MigrateGetMaxSpeed*", WEB, DOMAIN_INTERFACE,
                     "MigrateGetMaxSpeed", "u", 0);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("save");
        TCase *tcase = tcase_create("save");

        tcase_add_checked_fixture(tcase, set_up, tear_down);
        tcase_add_test(tcase, test_save_and_restore);
        tcase_add_test(tcase, test_through_links);
        tcase_add_test(tcase, test_what_the_guest_does);
        tcase_add_test(tcase, test_a_document_takes_the_place_of_the_guests);
        tcase_add_test(tcase, test_the_document_of_a_file_is_replaced);
        tcase_add_test(tcase, test_what_the_guest_sees_of_a_back_end);
        tcase_add_test(tcase, test_managed_save);
        tcase_add_test(tcase, test_what_cannot_be_saved);
        tcase_add_test(tcase, test_damaged_files);
        tcase_add_test(tcase, test_jobs);
        tcase_add_test(tcase, test_dump);
        tcase_add_test(tcase, test_migration_is_not_of_this_driver);
        suite_add_tcase(suite, tcase);
        return harness_main(suite);
}
