/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What becomes of a domain's events and changes on the bus: every event of the model, each with values of its
 * own, and every property, changed alone.
 */
#include "bus/bus.h"

#include "base/lane.h"
#include "base/loop.h"
#include "base/pool.h"
#include "drivers/domain/domain.h"
#include "drivers/model.h"
#include "drivers/test/test-driver.h"
#include "tests/unit/check-main.h"
#include "tests/unit/fake-bus.h"

#include <string.h>

#define PATH "/org/libvirt/Test/domain/_6695eb01_f6a4_8304_79aa_97f2502e193f"

static struct loop *loop;
static struct pool *pool;
static const struct model_driver *const drivers[] = { &test_model_driver };
static struct models *models;
static struct domain_driver *driver;
static struct domain *domain;
static struct fake_bus *fake;
static struct bus *bus;

static void setup(void)
{
        static struct model_environment environment;

        loop = loop_new(NULL);
        pool = pool_new(2, NULL);
        environment = (struct model_environment){ .loop = loop, .pool = pool };
        models = models_new(&environment, drivers, G_N_ELEMENTS(drivers), NULL);
        driver = model_get_domains(models_get_nth(models, 0));
        domain = (struct domain *)registry_find_name(domain_driver_get_registry(driver), "test");
        ck_assert_ptr_nonnull(domain);
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
}

/* ---- signals as text: "Member a 1 'b' (2 [...]); " ---- */

static void print(GString *text, DBusMessageIter *iter)
{
        for (int type; (type = dbus_message_iter_get_arg_type(iter)) != DBUS_TYPE_INVALID;
             dbus_message_iter_next(iter)) {
                DBusMessageIter inner;
                DBusBasicValue value = { 0 };

                if (dbus_type_is_container(type)) {
                        dbus_message_iter_recurse(iter, &inner);
                        g_string_append(text, " (");
                        print(text, &inner);
                        g_string_append(text, " )");
                        continue;
                }
                dbus_message_iter_get_basic(iter, &value);
                if (type == DBUS_TYPE_STRING || type == DBUS_TYPE_OBJECT_PATH)
                        g_string_append_printf(text, " '%s'", value.str);
                else if (type == DBUS_TYPE_INT64 || type == DBUS_TYPE_UINT64)
                        g_string_append_printf(text, " %" G_GINT64_FORMAT, (gint64)value.i64);
                else
                        g_string_append_printf(text, " %d", (int)value.i32);
        }
}

/* The signals of the domain and of its connection since from, in order. */
static char *signals_since(unsigned from)
{
        const GPtrArray *sent = fake_bus_get_sent(fake);
        GString *text = g_string_new(NULL);

        for (unsigned i = from; i < sent->len; i++) {
                DBusMessage *message = g_ptr_array_index(sent, i);
                DBusMessageIter iter;

                if (dbus_message_get_type(message) != DBUS_MESSAGE_TYPE_SIGNAL)
                        continue;
                g_string_append_printf(text, "%s%s", text->len ? "; " : "", dbus_message_get_member(message));
                if (strcmp(dbus_message_get_path(message), PATH) != 0)
                        g_string_append(text, "@connection");
                if (dbus_message_iter_init(message, &iter))
                        print(text, &iter);
        }
        return g_string_free(text, FALSE);
}

struct end {
        bool ended;
};

static void ended(struct managed *object, const GError *error, void *data)
{
        ck_assert_ptr_null(error);
        ((struct end *)data)->ended = true;
}

/* Runs work in the domain's lane; what was sent on the bus meanwhile, and what was sent before an answer. */
static char *signals_of(managed_work work, void *args)
{
        const struct managed_task task = { .work = work, .args = args };
        unsigned from = fake_bus_get_sent(fake)->len;
        struct end end = { false };
        dbus_uint32_t ping;

        managed_run_task(&domain->base, &task, ended, &end);
        while (!end.ended)
                loop_step(loop, true);
        ping = fake_bus_send(fake, ":1.9", fake_bus_call_new(PATH, "org.freedesktop.DBus.Peer", "Ping"));
        fake_bus_await(fake, ping);
        return signals_since(from);
}

/* ---- events ---- */

static const char *const signals[] = {
        [DOMAIN_EVENT_REBOOT] = "Reboot",
        [DOMAIN_EVENT_RTC_CHANGE] = "RTCChange 12884901893",
        [DOMAIN_EVENT_WATCHDOG] = "Watchdog 4",
        [DOMAIN_EVENT_IO_ERROR] = "IOError 'one' 'two' 4 'three'",
        [DOMAIN_EVENT_GRAPHICS] =
                "Graphics 3 ( 0 'here' '5900' ) ( 1 'there' '1234' ) 'vnc' ( ( 'x509' 'CN' ) )",
        [DOMAIN_EVENT_DISK_CHANGE] = "DiskChange 'one' 'two' 'three' 4",
        [DOMAIN_EVENT_TRAY_CHANGE] = "TrayChange 'one' 4",
        [DOMAIN_EVENT_PM_WAKEUP] = "PMWakeup 4",
        [DOMAIN_EVENT_PM_SUSPEND] = "PMSuspend 4",
        [DOMAIN_EVENT_PM_SUSPEND_DISK] = "PMSuspendDisk 4",
        [DOMAIN_EVENT_BALLOON_CHANGE] = "BalloonChange 12884901893",
        [DOMAIN_EVENT_DEVICE_ADDED] = "DeviceAdded 'one'",
        [DOMAIN_EVENT_DEVICE_REMOVED] = "DeviceRemoved 'one'",
        [DOMAIN_EVENT_DEVICE_REMOVAL_FAILED] = "DeviceRemovalFailed 'one'",
        [DOMAIN_EVENT_METADATA_CHANGE] = "MetadataChange 3 'one'; MetadataChanged 3 'one'",
        [DOMAIN_EVENT_AGENT] = "AgentEvent 3 4",
        [DOMAIN_EVENT_MEMORY_FAILURE] = "MemoryFailure 3 4 5",
        [DOMAIN_EVENT_CONTROL_ERROR] =
                "ControlError; ErrorEvent@connection 9 20 'operation failed: the agent cannot control domain "
                "'test' any more' 2 '" PATH "'",
        [DOMAIN_EVENT_BLOCK_THRESHOLD] = "BlockThreshold 'one' 'two' 12884901893 7",
        [DOMAIN_EVENT_MIGRATION_ITERATION] = "MigrationIteration 5",
        [DOMAIN_EVENT_TUNABLE] = "Tunable ( ( 'cputune.shares' ( ( 5 ) ) ) )",
};

static void add_graphics(struct domain_event *event)
{
        struct domain_event_graphics *graphics = g_new0(struct domain_event_graphics, 1);

        graphics->local = (struct domain_event_address){ 0, g_strdup("here"), g_strdup("5900") };
        graphics->remote = (struct domain_event_address){ 1, g_strdup("there"), g_strdup("1234") };
        graphics->auth_scheme = g_strdup("vnc");
        graphics->identities = g_strsplit("x509 CN", " ", -1);
        event->graphics = graphics;
}

static bool emit_work(struct managed *object, void *data, GError **error)
{
        struct domain_event *event = domain_event_new(*(const enum domain_event_id *)data);

        event->base.type = 3;
        event->base.detail = 4;
        event->number = 3 * (INT64_C(1) << 32) + 5;
        event->excess = 7;
        event->text[0] = g_strdup("one");
        event->text[1] = g_strdup("two");
        event->text[2] = g_strdup("three");
        if (event->base.id == DOMAIN_EVENT_TUNABLE) {
                event->params = params_new();
                params_add_ulong(event->params, "cputune.shares", 5);
        }
        if (event->base.id == DOMAIN_EVENT_GRAPHICS)
                add_graphics(event);
        managed_emit(object, &event->base);
        return true;
}

START_TEST(an_event_is_a_signal)
{
        enum domain_event_id id = (enum domain_event_id)_i;
        g_autofree char *sent = signals_of(emit_work, g_memdup2(&id, sizeof(id)));

        ck_assert_msg(signals[id], "no word about event %d", _i);
        ck_assert_str_eq(sent, signals[id]);
}
END_TEST

/* ---- properties ---- */

static void change_autostart(struct domain_state *state)
{
        state->base.autostart = true;
}

static void change_id(struct domain_state *state)
{
        state->id += 10;
}

static void change_updated(struct domain_state *state)
{
        state->updated = !state->updated;
}

static void change_persistent(struct domain_state *state)
{
        managed_state_take_persistent(&state->base, NULL);
}

static void change_active(struct domain_state *state)
{
        managed_state_take_active(&state->base, NULL);
}

static void change_nothing(struct domain_state *state)
{
        state->reason++; /* no property */
}

static const struct {
        void (*change)(struct domain_state *state);
        const char *property; /* NULL: none */
} changes[] = {
        { change_active, "'Active'" },         { change_autostart, "'Autostart'" }, { change_id, "'Id'" },
        { change_persistent, "'Persistent'" }, { change_updated, "'Updated'" },     { change_nothing, NULL },
};

static bool change_work(struct managed *object, void *data, GError **error)
{
        struct domain_state *state = (struct domain_state *)managed_edit(object);

        changes[*(const int *)data].change(state);
        managed_publish(object, &state->base, NULL);
        return true;
}

START_TEST(a_change_is_announced)
{
        static const char *const all[] = { "'Active'", "'Autostart'",  "'Id'",     "'Name'",
                                           "'OSType'", "'Persistent'", "'Updated'" };
        g_autofree char *sent = signals_of(change_work, g_memdup2(&_i, sizeof(_i)));

        if (!changes[_i].property)
                ck_assert_str_eq(sent, "");
        else
                ck_assert(g_str_has_prefix(sent, "PropertiesChanged 'org.libvirt.Domain'"));
        for (unsigned i = 0; i < G_N_ELEMENTS(all); i++) {
                bool expected = g_strcmp0(all[i], changes[_i].property) == 0;

                ck_assert_msg(!strstr(sent, all[i]) == !expected, "%s in: %s", all[i], sent);
        }
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("domain-signals");
        TCase *tcase = tcase_create("domain-signals");
        SRunner *runner = srunner_create(suite);
        int failed;

        tcase_add_checked_fixture(tcase, setup, teardown);
        tcase_set_timeout(tcase, 60);
        tcase_add_loop_test(tcase, an_event_is_a_signal, DOMAIN_EVENT_REBOOT, DOMAIN_EVENT_LAST);
        tcase_add_loop_test(tcase, a_change_is_announced, 0, G_N_ELEMENTS(changes));
        suite_add_tcase(suite, tcase);
        srunner_run_all(runner, CK_NORMAL);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
