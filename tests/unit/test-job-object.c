/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Jobs on the bus: announced, watched, cancelled, gone. */
#include "bus/bus.h"

#include "base/job.h"
#include "base/lane.h"
#include "base/loop.h"
#include "base/pool.h"
#include "drivers/domain/domain.h"
#include "drivers/model.h"
#include "drivers/test/test-driver.h"
#include "tests/unit/check-main.h"
#include "tests/unit/fake-bus.h"

#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define CONNECT "/org/libvirt/Test"
#define DOMAIN  CONNECT "/domain/_6695eb01_f6a4_8304_79aa_97f2502e193f"
#define JOB     "org.virtbus.Job"

static struct loop *loop;
static struct pool *pool;
static struct job_list *jobs;
static const struct model_driver *const drivers[] = { &test_model_driver };
static struct model_environment environment;
static struct models *models;
static struct domain_driver *driver;
static struct fake_bus *fake;
static struct bus *bus;
static int shown; /* eventfd */

static void setup(void)
{
        shown = eventfd(0, EFD_CLOEXEC);
        loop = loop_new(NULL);
        pool = pool_new(2, NULL);
        environment = (struct model_environment){ .loop = loop, .pool = pool };
        models = models_new(&environment, drivers, G_N_ELEMENTS(drivers), NULL);
        driver = model_get_domains(models_get_nth(models, 0));
        jobs = model_get_jobs(models_get_nth(models, 0));
        fake = fake_bus_new(loop);
        g_setenv("DBUS_SESSION_BUS_ADDRESS", fake_bus_get_address(fake), TRUE);
        bus = bus_new(loop, BUS_SESSION, models);
        ck_assert(bus_start(bus, NULL));
}

static void teardown(void)
{
        bus_free(bus);
        models_quiesce(models);
        while (models_are_busy(models))
                loop_step(loop, true);
        fake_bus_free(fake);
        models_free(models);
        pool_free(pool);
        loop_free(loop);
        dbus_shutdown();
        close(shown);
}

static bool work_until_cancelled(struct job *job, void *data, GError **error)
{
        job_set_progress(job, 1, 4);
        lane_wait(job_get_lane(job), -1, 0, NULL, LANE_FOREVER);
        return error_set(error, ERROR_FROM_STORAGE, ERROR_OPERATION_ABORTED, "work was cancelled");
}

static bool work_well(struct job *job, void *data, GError **error)
{
        job_set_progress(job, 4, 4);
        return true;
}

/* Until it has been shown, however long that takes. */
static bool work_until_shown(struct job *job, void *data, GError **error)
{
        lane_wait(job_get_lane(job), shown, POLLIN, NULL, LANE_FOREVER);
        job_set_progress(job, 4, 4);
        return true;
}

static struct job *start(job_worker work)
{
        struct job *job = job_run(jobs, "work", &domain_lookup_name(driver, "test", NULL)->base, work, NULL,
                                  NULL, NULL);

        ck_assert_ptr_nonnull(job);
        return job;
}

static DBusMessage *ask(const char *path, const char *interface, const char *member, const char *argument)
{
        DBusMessage *message = fake_bus_call_new(path, interface, member);

        if (argument)
                dbus_message_append_args(message, DBUS_TYPE_STRING, &argument, DBUS_TYPE_INVALID);
        return fake_bus_await(fake, fake_bus_send(fake, ":1.1", message));
}

/* The place of the first signal of that name from path, or -1. */
static int find_signal(const char *path, const char *member)
{
        const GPtrArray *sent = fake_bus_get_sent(fake);

        for (unsigned i = 0; i < sent->len; i++) {
                DBusMessage *message = g_ptr_array_index(sent, i);

                if (dbus_message_get_type(message) == DBUS_MESSAGE_TYPE_SIGNAL &&
                    dbus_message_has_path(message, path) && dbus_message_has_member(message, member))
                        return (int)i;
        }
        return -1;
}

static void await_signal(const char *path, const char *member)
{
        while (find_signal(path, member) < 0)
                loop_step(loop, true);
}

static void await_no_jobs(void)
{
        while (job_list_get_count(jobs))
                loop_step(loop, true);
}

/* The values in a message, in their order, as text. */
static void collect(DBusMessageIter *iter, GString *text)
{
        for (int type; (type = dbus_message_iter_get_arg_type(iter)) != DBUS_TYPE_INVALID;
             dbus_message_iter_next(iter)) {
                DBusMessageIter inner;
                DBusBasicValue value;

                if (dbus_type_is_container(type)) {
                        dbus_message_iter_recurse(iter, &inner);
                        collect(&inner, text);
                        continue;
                }
                dbus_message_iter_get_basic(iter, &value);
                if (type == DBUS_TYPE_DOUBLE)
                        g_string_append_printf(text, "%g ", value.dbl);
                else if (type == DBUS_TYPE_UINT64)
                        g_string_append_printf(text, "%" G_GUINT64_FORMAT " ", value.u64);
                else if (type == DBUS_TYPE_BOOLEAN)
                        g_string_append(text, value.bool_val ? "true " : "false ");
                else if (type == DBUS_TYPE_STRING || type == DBUS_TYPE_OBJECT_PATH)
                        g_string_append_printf(text, "%s ", value.str);
        }
}

static void expect_content(DBusMessage *message, const char *content)
{
        g_autoptr(GString) text = g_string_new(NULL);
        DBusMessageIter iter;

        dbus_message_iter_init(message, &iter);
        collect(&iter, text);
        ck_assert_msg(strstr(text->str, content) != NULL, "no '%s' in: %s", content, text->str);
}

static DBusMessage *signal_at(int place)
{
        ck_assert_int_ge(place, 0);
        return g_ptr_array_index(fake_bus_get_sent(fake), (unsigned)place);
}

START_TEST(what_becomes_of_a_job)
{
        int added, changed, completed, removed;

        ask(CONNECT, "org.freedesktop.DBus.ObjectManager", "GetManagedObjects", NULL);
        start(work_well);
        await_no_jobs();
        ck_assert_int_lt(find_signal(CONNECT, "InterfacesAdded"), 0);
        ck_assert_int_lt(find_signal(CONNECT "/job/1", "Completed"), 0);
        start(work_until_shown);
        await_signal(CONNECT, "InterfacesAdded");
        ck_assert_int_eq(eventfd_write(shown, 1), 0);
        await_signal(CONNECT, "InterfacesRemoved");
        added = find_signal(CONNECT, "InterfacesAdded");
        completed = find_signal(CONNECT "/job/2", "Completed");
        /* The last one: there is another, of progress alone, when the end is slow to follow. */
        changed = completed - 1;
        removed = find_signal(CONNECT, "InterfacesRemoved");
        ck_assert(added < changed && completed < removed);
        ck_assert(dbus_message_has_path(signal_at(changed), CONNECT "/job/2"));
        ck_assert(dbus_message_has_member(signal_at(changed), "PropertiesChanged"));
        ck_assert_str_eq(dbus_message_get_destination(signal_at(added)), ":1.1");
        ck_assert_ptr_null(dbus_message_get_destination(signal_at(changed)));
        expect_content(signal_at(added), CONNECT "/job/2 " JOB " Error  Object " DOMAIN
                                                 " Operation work Processed 0 Progress -1 Started ");
        expect_content(signal_at(added), "State running Total 0 ");
        expect_content(signal_at(changed), JOB " Error  Processed 4 Progress 1 State completed Total 4 ");
        expect_content(signal_at(completed), "true ");
        expect_content(signal_at(removed), CONNECT "/job/2 " JOB);
}
END_TEST

START_TEST(job_that_is_cancelled)
{
        ask(CONNECT, "org.freedesktop.DBus.ObjectManager", "GetManagedObjects", NULL);
        start(work_until_cancelled);
        expect_content(ask(CONNECT "/job/1", JOB, "Cancel", NULL), "there is no job '1'");
        await_signal(CONNECT, "InterfacesAdded");
        await_signal(CONNECT "/job/1", "PropertiesChanged");
        expect_content(signal_at(find_signal(CONNECT "/job/1", "PropertiesChanged")),
                       JOB " Processed 1 Progress 0.25 Total 4 ");
        expect_content(ask(CONNECT "/job/1", DBUS_INTERFACE_PROPERTIES, "GetAll", JOB), "State running");
        expect_content(ask(CONNECT, "org.freedesktop.DBus.ObjectManager", "GetManagedObjects", NULL),
                       CONNECT "/job/1 " JOB);
        expect_content(ask(CONNECT "/job", DBUS_INTERFACE_INTROSPECTABLE, "Introspect", NULL),
                       "<node name=\"1\"/>");
        ck_assert_int_eq(dbus_message_get_type(ask(CONNECT "/job/1", JOB, "Cancel", NULL)),
                         DBUS_MESSAGE_TYPE_METHOD_RETURN);
        await_signal(CONNECT "/job/1", "Completed");
        expect_content(signal_at(find_signal(CONNECT "/job/1", "Completed")),
                       "false operation aborted: work was cancelled");
        expect_content(ask(CONNECT "/job/1", JOB, "Cancel", NULL), "there is no job '1'");
}
END_TEST

START_TEST(numbers_have_one_spelling)
{
        static const char *const wrong[] = { "01", "_1", "0", "4294967297", "one", "1a" };

        ask(CONNECT, "org.freedesktop.DBus.ObjectManager", "GetManagedObjects", NULL);
        start(work_until_cancelled);
        expect_content(ask(CONNECT "/job/1", JOB, "Cancel", NULL), "there is no job '1'");
        await_signal(CONNECT, "InterfacesAdded");
        for (unsigned i = 0; i < G_N_ELEMENTS(wrong); i++) {
                g_autofree char *path = g_strconcat(CONNECT "/job/", wrong[i], NULL);

                expect_content(ask(path, JOB, "Cancel", NULL), "there is no job");
        }
        job_list_cancel_all(jobs);
        await_signal(CONNECT "/job/1", "Completed");
}
END_TEST

/* Who is neither root nor the agent's user sees jobs, and cancels none. */
START_TEST(strangers_do_not_cancel)
{
        fake_bus_set_uid(fake, 12345, true);
        ask(CONNECT, "org.freedesktop.DBus.ObjectManager", "GetManagedObjects", NULL);
        start(work_until_cancelled);
        expect_content(ask(CONNECT "/job/1", JOB, "Cancel", NULL), "there is no job '1'");
        await_signal(CONNECT, "InterfacesAdded");
        expect_content(ask(CONNECT "/job/1", DBUS_INTERFACE_PROPERTIES, "GetAll", JOB), "State running");
        ck_assert_str_eq(dbus_message_get_error_name(ask(CONNECT "/job/1", JOB, "Cancel", NULL)),
                         DBUS_ERROR_ACCESS_DENIED);
        job_list_cancel_all(jobs);
        await_signal(CONNECT "/job/1", "Completed");
}
END_TEST

CHECK_MAIN_FIXTURE("job-object", setup, teardown, what_becomes_of_a_job, job_that_is_cancelled,
                   numbers_have_one_spelling, strangers_do_not_cancel)
