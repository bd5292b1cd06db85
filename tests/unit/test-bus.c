/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bus/bus.h"

#include "base/job.h"
#include "base/pool.h"
#include "bus/caller.h"
#include "drivers/domain/domain.h"
#include "drivers/domain/model.h"
#include "drivers/model.h"
#include "drivers/test/test-driver.h"
#include "tests/unit/check-main.h"
#include "tests/unit/fake-bus.h"

#include <string.h>
#include <unistd.h>

#define CONNECT "/org/libvirt/Test"
#define DOMAIN  CONNECT "/domain/_6695eb01_f6a4_8304_79aa_97f2502e193f"
#define OTHER   CONNECT "/domain/_00000000_0000_4000_8000_000000000001"

static struct loop *loop;
static struct pool *pool;
static const struct model_driver *const drivers[] = { &test_model_driver };
static struct model_environment environment;
static struct models *models;
static struct domain_driver *driver;
static struct job_list *jobs;
static struct fake_bus *fake;
static struct bus *bus;

static void setup_unstarted(void)
{
        loop = loop_new(NULL);
        pool = pool_new(2, NULL);
        environment = (struct model_environment){ .loop = loop, .pool = pool };
        models = models_new(&environment, drivers, G_N_ELEMENTS(drivers), NULL);
        driver = model_get_domains(models_get_nth(models, 0));
        jobs = model_get_jobs(models_get_nth(models, 0));
        ck_assert(loop && pool && driver);
        fake = fake_bus_new(loop);
        g_setenv("DBUS_SESSION_BUS_ADDRESS", fake_bus_get_address(fake), TRUE);
        bus = bus_new(loop, BUS_SESSION, models);
}

static void setup(void)
{
        setup_unstarted();
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

/* A call with arguments as for dbus_message_append_args(). */
static dbus_uint32_t call(const char *client, const char *path, const char *interface, const char *member,
                          int type, ...)
{
        DBusMessage *message = fake_bus_call_new(path, interface, member);
        va_list args;

        va_start(args, type);
        ck_assert(dbus_message_append_args_valist(message, type, args));
        va_end(args);
        return fake_bus_send(fake, client, message);
}

static dbus_uint32_t call_flags(const char *client, const char *path, const char *interface,
                                const char *member, dbus_uint32_t flags)
{
        return call(client, path, interface, member, DBUS_TYPE_UINT32, &flags, DBUS_TYPE_INVALID);
}

#define DOMAIN_CALL(client, member) call_flags(client, DOMAIN, "org.libvirt.Domain", member, 0)

static void expect_error(dbus_uint32_t serial, const char *name, const char *text)
{
        DBusMessage *reply = fake_bus_await(fake, serial);
        const char *message = NULL;

        ck_assert_int_eq(dbus_message_get_type(reply), DBUS_MESSAGE_TYPE_ERROR);
        ck_assert_str_eq(dbus_message_get_error_name(reply), name);
        ck_assert_str_eq(dbus_message_get_signature(reply), "s");
        dbus_message_get_args(reply, NULL, DBUS_TYPE_STRING, &message, DBUS_TYPE_INVALID);
        ck_assert_msg(strstr(message, text) != NULL, "'%s' lacks '%s'", message, text);
}

static void expect_reply(dbus_uint32_t serial, const char *signature)
{
        DBusMessage *reply = fake_bus_await(fake, serial);

        ck_assert_msg(dbus_message_get_type(reply) == DBUS_MESSAGE_TYPE_METHOD_RETURN, "%s",
                      dbus_message_get_error_name(reply));
        ck_assert_str_eq(dbus_message_get_signature(reply), signature);
}

static dbus_uint32_t define(const char *client, const char *name, unsigned number)
{
        g_autofree char *xml = g_strdup_printf("<domain type='test'><name>%s</name>"
                                               "<uuid>00000000-0000-4000-8000-%012u</uuid>"
                                               "<memory>1024</memory><os><type>hvm</type></os></domain>",
                                               name, number);

        return call(client, CONNECT, "org.libvirt.Connect", "DomainDefineXML", DBUS_TYPE_STRING, &xml,
                    DBUS_TYPE_INVALID);
}

/* ---- the connection ---- */

START_TEST(name_of_another)
{
        g_autoptr(GError) error = NULL;

        fake_bus_set_name_reply(fake, DBUS_REQUEST_NAME_REPLY_EXISTS);
        ck_assert(!bus_start(bus, &error));
        ck_assert(error_is(error, ERROR_RESOURCE_BUSY));
        ck_assert_ptr_nonnull(strstr(error->message, "org.libvirt"));
}
END_TEST

START_TEST(no_bus)
{
        g_autoptr(GError) error = NULL;
        struct bus *lost;

        g_setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nonexistent/bus", TRUE);
        lost = bus_new(loop, BUS_SESSION, models);
        ck_assert(!bus_start(lost, &error));
        ck_assert_ptr_nonnull(strstr(error->message, "/nonexistent/bus"));
        bus_free(lost);
}
END_TEST

START_TEST(bus_goes_and_comes_back)
{
        dbus_uint32_t serial = DOMAIN_CALL(":1.1", "GetState");

        expect_reply(serial, "(ii)");
        fake_bus_disconnect(fake);
        while (fake_bus_get_requests(fake) < 2)
                loop_step(loop, true);
        serial = DOMAIN_CALL(":1.1", "GetState");
        expect_reply(serial, "(ii)");
        ck_assert(domain_is_active(domain_lookup_name(driver, "test", NULL)));
}
END_TEST

/* ---- objects, members, arguments ---- */

static const struct {
        const char *path, *interface, *member, *error, *text;
} refusals[] = {
        { DOMAIN, "org.libvirt.Domain", "Nope", DBUS_ERROR_UNKNOWN_METHOD, "Nope" },
        { DOMAIN, NULL, "Nope", DBUS_ERROR_UNKNOWN_METHOD, "Nope" },
        { DOMAIN, "no.such", "GetState", DBUS_ERROR_UNKNOWN_INTERFACE, "no.such" },
        { DOMAIN, "org.libvirt.Connect", "ListDomains", DBUS_ERROR_UNKNOWN_INTERFACE, "org.libvirt.Connect" },
        { DOMAIN, "org.libvirt.Domain", "GetXMLDesc", DBUS_ERROR_INVALID_ARGS, "'u'" },
        { DOMAIN "/x", "org.libvirt.Domain", "GetInfo", DBUS_ERROR_UNKNOWN_OBJECT, DOMAIN },
        { "/org/libvirt/Tes", "org.libvirt.Connect", "GetCapabilities", DBUS_ERROR_UNKNOWN_OBJECT, "Tes" },
        { "/org/libvirtx", "org.libvirt.Manager", "GetLastError", DBUS_ERROR_UNKNOWN_OBJECT, "libvirtx" },
        { CONNECT "/domainx", "org.libvirt.Domain", "GetInfo", DBUS_ERROR_UNKNOWN_OBJECT, "domainx" },
        { OTHER, "org.libvirt.Domain", "GetInfo", "org.libvirt.Error", "Domain not found: " },
        { CONNECT "/domain/x", "org.libvirt.Domain", "Suspend", "org.libvirt.Error", "Domain not found: " },
        { CONNECT "/domain/_6695EB01_f6a4_8304_79aa_97f2502e193f", "org.libvirt.Domain", "GetInfo",
          "org.libvirt.Error", "Domain not found: " },
};

START_TEST(what_is_not_there)
{
        for (unsigned i = 0; i < G_N_ELEMENTS(refusals); i++)
                expect_error(call(":1.1", refusals[i].path, refusals[i].interface, refusals[i].member,
                                  DBUS_TYPE_INVALID),
                             refusals[i].error, refusals[i].text);
}
END_TEST

START_TEST(peer_is_everywhere)
{
        expect_reply(call(":1.1", "/nowhere", DBUS_INTERFACE_PEER, "Ping", DBUS_TYPE_INVALID), "");
        expect_reply(call(":1.1", "/", NULL, "Ping", DBUS_TYPE_INVALID), "");
        expect_reply(call(":1.1", OTHER, DBUS_INTERFACE_PEER, "GetMachineId", DBUS_TYPE_INVALID), "s");
}
END_TEST

START_TEST(introspection_names_children_relatively)
{
        static const char *const trees[][2] = {
                { "/", "<node name=\"org\"/>" },
                { "/org", "<node name=\"libvirt\"/>" },
                { "/org/libvirt", "<node name=\"Test\"/>" },
                { CONNECT, "<node name=\"domain\"/>" },
                { CONNECT "/domain", "<node name=\"_6695eb01_f6a4_8304_79aa_97f2502e193f\"/>" },
                { DOMAIN, "<method name=\"GetXMLDesc\">" },
        };

        for (unsigned i = 0; i < G_N_ELEMENTS(trees); i++) {
                dbus_uint32_t serial = call(":1.1", trees[i][0], DBUS_INTERFACE_INTROSPECTABLE, "Introspect",
                                            DBUS_TYPE_INVALID);
                const char *text;

                expect_reply(serial, "s");
                dbus_message_get_args(fake_bus_await(fake, serial), NULL, DBUS_TYPE_STRING, &text,
                                      DBUS_TYPE_INVALID);
                ck_assert_msg(strstr(text, trees[i][1]) != NULL, "%s lacks %s", trees[i][0], trees[i][1]);
                /* The annotations of the dispatch tables are not for clients. */
                ck_assert_ptr_null(strstr(text, "annotation name=\"org.virtbus."));
        }
}
END_TEST

static dbus_uint32_t call_property(const char *member, const char *interface, const char *name)
{
        return call(":1.1", DOMAIN, DBUS_INTERFACE_PROPERTIES, member, DBUS_TYPE_STRING, &interface,
                    DBUS_TYPE_STRING, &name, DBUS_TYPE_INVALID);
}

START_TEST(properties_of_objects)
{
        const char *interface = "org.libvirt.Domain";
        DBusMessageIter iter, array, entry, outer, inner;
        dbus_uint32_t serial;

        expect_reply(call_property("Get", interface, "Name"), "v");
        expect_reply(call_property("Get", "", "Name"), "v");
        expect_error(call_property("Get", interface, "Nope"), DBUS_ERROR_INVALID_ARGS, "Nope");
        expect_error(call_property("Get", "no.such", "Name"), DBUS_ERROR_UNKNOWN_INTERFACE, "no.such");
        expect_error(call_property("Get", DBUS_INTERFACE_PEER, "Name"), DBUS_ERROR_INVALID_ARGS, "Name");
        serial = call(":1.1", DOMAIN, DBUS_INTERFACE_PROPERTIES, "GetAll", DBUS_TYPE_STRING, &interface,
                      DBUS_TYPE_INVALID);
        expect_reply(serial, "a{sv}");
        dbus_message_iter_init(fake_bus_await(fake, serial), &iter);
        ck_assert_int_eq(dbus_message_iter_get_element_count(&iter), 9);
        dbus_message_iter_recurse(&iter, &array);
        dbus_message_iter_recurse(&array, &entry);
        dbus_message_iter_next(&entry);
        dbus_message_iter_recurse(&entry, &outer);
        ck_assert_int_eq(dbus_message_iter_get_arg_type(&outer), DBUS_TYPE_VARIANT);
        dbus_message_iter_recurse(&outer, &inner);
        ck_assert_int_eq(dbus_message_iter_get_arg_type(&inner), DBUS_TYPE_BOOLEAN);
}
END_TEST

static dbus_uint32_t set_property(const char *name, const char *type, dbus_uint32_t value)
{
        DBusMessage *message = fake_bus_call_new(DOMAIN, DBUS_INTERFACE_PROPERTIES, "Set");
        const char *interface = "org.libvirt.Domain";
        DBusMessageIter iter, variant;

        dbus_message_append_args(message, DBUS_TYPE_STRING, &interface, DBUS_TYPE_STRING, &name,
                                 DBUS_TYPE_INVALID);
        dbus_message_iter_init_append(message, &iter);
        dbus_message_iter_open_container(&iter, DBUS_TYPE_VARIANT, type, &variant);
        dbus_message_iter_append_basic(&variant, type[0], &value);
        dbus_message_iter_close_container(&iter, &variant);
        return fake_bus_send(fake, ":1.1", message);
}

START_TEST(properties_that_are_set)
{
        expect_reply(set_property("Autostart", "b", 1), "");
        ck_assert(domain_get_published(domain_lookup_name(driver, "test", NULL))->base.autostart);
        expect_error(set_property("Autostart", "u", 1), DBUS_ERROR_INVALID_ARGS, "'b'");
        expect_error(set_property("Active", "b", 0), DBUS_ERROR_INVALID_ARGS, "read-only");
        expect_error(set_property("Nope", "b", 0), DBUS_ERROR_INVALID_ARGS, "Nope");
}
END_TEST

/* ---- who may do what ---- */

START_TEST(readers_are_not_asked_about)
{
        fake_bus_set_uid(fake, geteuid() + 1, true);
        expect_reply(DOMAIN_CALL(":1.1", "GetState"), "(ii)");
        expect_reply(call_flags(":1.1", CONNECT, "org.libvirt.Connect", "ListDomains", 0), "ao");
        ck_assert_uint_eq(fake_bus_get_questions(fake), 0);
}
END_TEST

START_TEST(strangers_may_only_read)
{
        fake_bus_set_uid(fake, geteuid() + 1, true);
        expect_error(DOMAIN_CALL(":1.1", "Destroy"), DBUS_ERROR_ACCESS_DENIED, "domain.stop");
        expect_error(call_flags(":1.1", DOMAIN, "org.libvirt.Domain", "GetXMLDesc", 1),
                     DBUS_ERROR_ACCESS_DENIED, "domain.read-secure");
        expect_error(set_property("Autostart", "b", 1), DBUS_ERROR_ACCESS_DENIED, "domain.write");
        expect_reply(call_flags(":1.1", DOMAIN, "org.libvirt.Domain", "GetXMLDesc", 0), "s");
        ck_assert_uint_eq(fake_bus_get_questions(fake), 1);
        ck_assert(domain_is_active(domain_lookup_name(driver, "test", NULL)));
}
END_TEST

START_TEST(own_user_may_do_everything)
{
        fake_bus_set_uid(fake, geteuid(), true);
        expect_reply(call_flags(":1.1", DOMAIN, "org.libvirt.Domain", "GetXMLDesc", 1), "s");
        expect_reply(DOMAIN_CALL(":1.1", "Destroy"), "");
        expect_reply(DOMAIN_CALL(":1.1", "Create"), "");
        ck_assert_uint_eq(fake_bus_get_questions(fake), 1);
}
END_TEST

START_TEST(who_leaves_unknown_may_nothing)
{
        fake_bus_set_uid(fake, 0, false);
        DOMAIN_CALL(":1.1", "Destroy");
        fake_bus_leave(fake, ":1.1");
        expect_reply(DOMAIN_CALL(":1.2", "GetState"), "(ii)");
        fake_bus_disconnect(fake);
        while (fake_bus_get_requests(fake) < 2)
                loop_step(loop, true);
        ck_assert(domain_is_active(domain_lookup_name(driver, "test", NULL)));
}
END_TEST

static dbus_uint32_t open_connect(const char *client, dbus_uint32_t flags)
{
        const char *uri = "test:///default";

        return call(client, "/org/libvirt", "org.libvirt.Manager", "ConnectOpen", DBUS_TYPE_STRING, &uri,
                    DBUS_TYPE_UINT32, &flags, DBUS_TYPE_INVALID);
}

START_TEST(read_only_opening_restricts)
{
        const char *path = CONNECT;
        dbus_uint32_t serial;

        expect_reply(open_connect(":1.1", 1), "o");
        expect_error(DOMAIN_CALL(":1.1", "Destroy"), "org.libvirt.Error", "operation forbidden: ");
        expect_reply(DOMAIN_CALL(":1.1", "GetState"), "(ii)");
        expect_reply(call(":1.2", DOMAIN, "org.libvirt.Domain", "Suspend", DBUS_TYPE_INVALID), "");
        serial = call(":1.1", "/org/libvirt", "org.libvirt.Manager", "ConnectClose", DBUS_TYPE_OBJECT_PATH,
                      &path, DBUS_TYPE_INVALID);
        expect_reply(serial, "");
        expect_reply(DOMAIN_CALL(":1.1", "Destroy"), "");
}
END_TEST

static int last_error_code(const char *client, const char *path, const char *interface)
{
        dbus_uint32_t serial = call(client, path, interface, "GetLastError", DBUS_TYPE_INVALID);
        DBusMessageIter iter, values;
        dbus_int32_t code;

        expect_reply(serial, "(iisisssii)");
        dbus_message_iter_init(fake_bus_await(fake, serial), &iter);
        dbus_message_iter_recurse(&iter, &values);
        dbus_message_iter_get_basic(&values, &code);
        return code;
}

START_TEST(last_errors_are_the_callers_own)
{
        const char *name = "nope";
        dbus_uint32_t serial = call(":1.1", CONNECT, "org.libvirt.Connect", "DomainLookupByName",
                                    DBUS_TYPE_STRING, &name, DBUS_TYPE_INVALID);

        expect_error(serial, "org.libvirt.Error", "Domain not found: ");
        ck_assert_int_eq(last_error_code(":1.1", CONNECT, "org.libvirt.Connect"), ERROR_NO_DOMAIN);
        ck_assert_int_eq(last_error_code(":1.1", "/org/libvirt", "org.libvirt.Manager"), ERROR_NO_DOMAIN);
        ck_assert_int_eq(last_error_code(":1.2", CONNECT, "org.libvirt.Connect"), ERROR_OK);
        expect_reply(call(":1.1", CONNECT, "org.libvirt.Connect", "ResetLastError", DBUS_TYPE_INVALID), "");
        ck_assert_int_eq(last_error_code(":1.1", CONNECT, "org.libvirt.Connect"), ERROR_OK);
        ck_assert_int_eq(last_error_code(":1.1", "/org/libvirt", "org.libvirt.Manager"), ERROR_NO_DOMAIN);
}
END_TEST

/* ---- order and fairness ---- */

/* An autostart that fails has no caller; whoever listens is told. */
START_TEST(failures_without_a_call_are_signalled)
{
        g_autoptr(GError) error = NULL, failure = NULL;
        struct domain *domain = domain_lookup_name(driver, "test", &error);
        const GPtrArray *sent = fake_bus_get_sent(fake);
        const char *message = NULL, *object = NULL;
        DBusMessage *signal;
        dbus_int32_t code, from, level;

        ck_assert_ptr_nonnull(domain);
        error_set(&failure, ERROR_FROM_TEST, ERROR_OPERATION_FAILED, "no luck");
        domain_report(domain, failure, "cannot autostart domain");
        expect_reply(DOMAIN_CALL(":1.1", "GetState"), "(ii)");
        signal = g_ptr_array_index(sent, 0);
        ck_assert(dbus_message_is_signal(signal, "org.libvirt.Connect", "ErrorEvent"));
        ck_assert(dbus_message_get_args(signal, NULL, DBUS_TYPE_INT32, &code, DBUS_TYPE_INT32, &from,
                                        DBUS_TYPE_STRING, &message, DBUS_TYPE_INT32, &level,
                                        DBUS_TYPE_OBJECT_PATH, &object, DBUS_TYPE_INVALID));
        ck_assert_int_eq(code, ERROR_OPERATION_FAILED);
        ck_assert_int_eq(from, ERROR_FROM_TEST);
        ck_assert_str_eq(message, "operation failed: no luck");
        ck_assert_str_eq(object, DOMAIN);
}
END_TEST

START_TEST(signals_leave_before_the_reply)
{
        dbus_uint32_t serial = call(":1.1", DOMAIN, "org.libvirt.Domain", "Suspend", DBUS_TYPE_INVALID);
        const GPtrArray *sent = fake_bus_get_sent(fake);
        unsigned place, signals = 0;

        expect_reply(serial, "");
        fake_bus_find_reply(fake, serial, &place);
        for (unsigned i = 0; i < place; i++)
                signals += dbus_message_is_signal(g_ptr_array_index(sent, i), "org.libvirt.Connect",
                                                  "DomainEvent");
        ck_assert_uint_eq(signals, 1);
}
END_TEST

/*
 * Each of these pipelined calls needs the one before it, and the first object does not exist when the
 * second is sent.
 */
START_TEST(calls_of_one_caller_act_in_order)
{
        const struct domain *domain;
        dbus_uint32_t serials[] = {
                define(":1.1", "one", 1),
                call_flags(":1.1", OTHER, "org.libvirt.Domain", "Create", 0),
                call(":1.1", OTHER, "org.libvirt.Domain", "Suspend", DBUS_TYPE_INVALID),
                call(":1.1", OTHER, "org.libvirt.Domain", "Resume", DBUS_TYPE_INVALID),
                call(":1.1", OTHER, "org.libvirt.Domain", "Suspend", DBUS_TYPE_INVALID),
                call_flags(":1.1", OTHER, "org.libvirt.Domain", "Undefine", 0),
        };

        for (unsigned i = 0; i < G_N_ELEMENTS(serials); i++)
                expect_reply(serials[i], i == 0 ? "o" : "");
        domain = domain_lookup_name(driver, "one", NULL);
        ck_assert_int_eq(domain_get_published(domain)->state, DOMAIN_PAUSED);
        ck_assert_ptr_null(domain_get_published(domain)->base.persistent);
}
END_TEST

/* It may overtake the others, but none of them happens after it. */
START_TEST(destroy_is_the_last_word)
{
        expect_reply(define(":1.1", "one", 1), "o");
        for (unsigned i = 0; i < 20; i++) {
                dbus_uint32_t serials[] = {
                        call_flags(":1.1", OTHER, "org.libvirt.Domain", "Create", 0),
                        call(":1.1", OTHER, "org.libvirt.Domain", "Suspend", DBUS_TYPE_INVALID),
                        call_flags(":1.1", OTHER, "org.libvirt.Domain", "Destroy", 0),
                };

                expect_reply(serials[2], "");
                fake_bus_await(fake, serials[0]);
                fake_bus_await(fake, serials[1]);
                ck_assert(!domain_is_active(domain_lookup_name(driver, "one", NULL)));
        }
}
END_TEST

START_TEST(a_flood_delays_nobody_else)
{
        enum { FLOOD = 600, DOMAINS = 300 };
        unsigned place, before;
        dbus_uint32_t serial;

        for (unsigned i = 1; i <= DOMAINS; i++) {
                g_autofree char *name = g_strdup_printf("d%u", i);

                expect_reply(define(":1.1", name, i), "o");
        }
        before = fake_bus_get_sent(fake)->len;
        for (unsigned i = 0; i < FLOOD; i++)
                call_flags(":1.1", CONNECT, "org.libvirt.Connect", "ListDomains", 0);
        serial = DOMAIN_CALL(":1.2", "GetState");
        expect_reply(serial, "(ii)");
        fake_bus_find_reply(fake, serial, &place);
        ck_assert_uint_lt(place - before, FLOOD / 2);
}
END_TEST

START_TEST(who_waits_too_much_is_refused)
{
        g_autofree char *text = g_strnfill(1024 * 1024, 'x');
        const unsigned fitting = CALLER_BYTES_MAX / (1024 * 1024);
        dbus_uint32_t serial = 0;

        fake_bus_set_uid(fake, 0, false);
        DOMAIN_CALL(":1.1", "Destroy");
        for (unsigned i = 0; i < fitting; i++)
                serial = call(":1.1", CONNECT, "org.libvirt.Connect", "DomainDefineXML", DBUS_TYPE_STRING,
                              &text, DBUS_TYPE_INVALID);
        expect_error(serial, DBUS_ERROR_LIMITS_EXCEEDED, "too many");
        expect_reply(DOMAIN_CALL(":1.2", "GetState"), "(ii)");
        ck_assert_ptr_null(fake_bus_find_reply(fake, serial - 1, NULL));
}
END_TEST

START_TEST(limits_may_change)
{
        dbus_uint32_t serial = 0;

        fake_bus_set_uid(fake, 0, false);
        bus_set_limits(bus, &(const struct bus_limits){ 16, CALLER_BYTES_MAX });
        DOMAIN_CALL(":1.1", "Destroy");
        for (unsigned i = 0; i < 16; i++)
                serial = DOMAIN_CALL(":1.1", "GetState");
        expect_error(serial, DBUS_ERROR_LIMITS_EXCEEDED, "too many");
        ck_assert_ptr_null(fake_bus_find_reply(fake, serial - 1, NULL));
        bus_set_limits(bus, &(const struct bus_limits){ 17, CALLER_BYTES_MAX });
        serial = DOMAIN_CALL(":1.1", "GetState");
        expect_error(DOMAIN_CALL(":1.1", "GetState"), DBUS_ERROR_LIMITS_EXCEEDED, "too many");
        ck_assert_ptr_null(fake_bus_find_reply(fake, serial, NULL));
}
END_TEST

/* ---- departures ---- */

static void nothing(void *data)
{
}

static void ignore(struct managed *object, const GError *error, void *data)
{
        ck_assert_ptr_null(error);
}

START_TEST(autodestroy_when_the_caller_leaves)
{
        const char *xml =
                "<domain "
                "type='test'><name>short</name><memory>1024</memory><os><type>hvm</type></os></domain>";
        dbus_uint32_t flags = DOMAIN_START_AUTODESTROY;
        dbus_uint32_t serial = call(":1.1", CONNECT, "org.libvirt.Connect", "DomainCreateXML",
                                    DBUS_TYPE_STRING, &xml, DBUS_TYPE_UINT32, &flags, DBUS_TYPE_INVALID);

        expect_reply(serial, "o");
        ck_assert_ptr_nonnull(domain_lookup_name(driver, "short", NULL));
        fake_bus_leave(fake, ":1.2");
        expect_reply(DOMAIN_CALL(":1.2", "GetState"), "(ii)");
        ck_assert_ptr_nonnull(domain_lookup_name(driver, "short", NULL));
        fake_bus_leave(fake, ":1.1");
        while (domain_lookup_name(driver, "short", NULL))
                loop_step(loop, true);
}
END_TEST

/* As after a restart of the agent: nobody saw the owner leave. */
START_TEST(autodestroy_of_an_owner_long_gone)
{
        const char *xml = "<domain type='test'><name>short</name><memory>1024</memory>"
                          "<os><type>hvm</type></os></domain>";
        dbus_uint32_t flags = DOMAIN_START_AUTODESTROY;

        fake_bus_set_owned(fake, false);
        domain_create_xml(driver, xml, flags, ":1.77", nothing, ignore, NULL);
        while (!domain_lookup_name(driver, "short", NULL))
                loop_step(loop, true);
        while (domain_lookup_name(driver, "short", NULL))
                loop_step(loop, true);
}
END_TEST

START_TEST(autodestroy_not_when_the_agent_ends)
{
        const char *xml = "<domain type='test'><name>short</name><memory>1024</memory>"
                          "<os><type>hvm</type></os></domain>";

        domain_create_xml(driver, xml, DOMAIN_START_AUTODESTROY, ":1.77", nothing, ignore, NULL);
        while (!domain_lookup_name(driver, "short", NULL))
                loop_step(loop, true);
        bus_free(bus);
        bus = NULL;
        while (registry_get_pending(domain_driver_get_registry(driver)) > 0)
                loop_step(loop, true);
        ck_assert_ptr_nonnull(domain_lookup_name(driver, "short", NULL));
}
END_TEST

START_TEST(calls_that_the_end_overtakes_are_answered)
{
        dbus_uint32_t serial;

        fake_bus_set_uid(fake, 0, false);
        serial = DOMAIN_CALL(":1.1", "Destroy");
        while (fake_bus_get_questions(fake) == 0)
                loop_step(loop, true);
        bus_stop(bus);
        ck_assert(!bus_is_idle(bus));
        expect_error(DOMAIN_CALL(":1.2", "GetState"), DBUS_ERROR_SERVICE_UNKNOWN, "stopped");
        bus_free(bus);
        bus = NULL;
        expect_error(serial, "org.libvirt.Error", "operation aborted: ");
}
END_TEST

/* Its answer comes when its caller has been told already. */
START_TEST(work_that_ends_behind_the_end)
{
        dbus_uint32_t serial;

        fake_bus_await(fake, DOMAIN_CALL(":1.1", "GetState"));
        serial = DOMAIN_CALL(":1.1", "GetSchedulerParameters");
        while (bus_is_idle(bus))
                loop_step(loop, true);
        bus_free(bus);
        bus = NULL;
        expect_error(serial, "org.libvirt.Error", "operation aborted: ");
        models_quiesce(models);
        while (models_are_busy(models))
                loop_step(loop, true);
}
END_TEST

int main(void)
{
        const TTest *const unstarted[] = { name_of_another, no_bus };
        const TTest *const started[] = {
                bus_goes_and_comes_back,
                what_is_not_there,
                peer_is_everywhere,
                introspection_names_children_relatively,
                properties_of_objects,
                properties_that_are_set,
                readers_are_not_asked_about,
                strangers_may_only_read,
                own_user_may_do_everything,
                who_leaves_unknown_may_nothing,
                read_only_opening_restricts,
                last_errors_are_the_callers_own,
                failures_without_a_call_are_signalled,
                signals_leave_before_the_reply,
                calls_of_one_caller_act_in_order,
                destroy_is_the_last_word,
                a_flood_delays_nobody_else,
                who_waits_too_much_is_refused,
                limits_may_change,
                autodestroy_when_the_caller_leaves,
                autodestroy_of_an_owner_long_gone,
                autodestroy_not_when_the_agent_ends,
                calls_that_the_end_overtakes_are_answered,
                work_that_ends_behind_the_end,
        };
        int failed = check_main("bus-start", setup_unstarted, teardown, unstarted, G_N_ELEMENTS(unstarted));

        return failed | check_main("bus", setup, teardown, started, G_N_ELEMENTS(started));
}
