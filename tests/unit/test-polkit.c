/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* PolicyKit as no daemon of its own plays it: odd, late and missing answers, in an order that the test says.
 */
#include "bus/polkit.h"

#include "base/pool.h"
#include "bus/bus.h"
#include "bus/polkit-wire.h"
#include "drivers/domain/domain.h"
#include "drivers/domain/model.h"
#include "drivers/model.h"
#include "drivers/test/test-driver.h"
#include "tests/unit/check-main.h"
#include "tests/unit/fake-bus.h"

#include <string.h>
#include <unistd.h>

#define CONNECT  "/org/libvirt/Test"
#define DOMAIN   CONNECT "/domain/_6695eb01_f6a4_8304_79aa_97f2502e193f"
#define POLKIT   ":1.99"
#define STRANGER 4242

static struct loop *loop;
static struct pool *pool;
static const struct model_driver *const drivers[] = { &test_model_driver };
static struct model_environment environment;
static struct models *models;
static struct fake_bus *fake;
static struct bus *bus;

/* Longer than any test; what is set from then on is the test's. */
#define DEADLINE_MS 60000

static void set_deadline(unsigned deadline_ms)
{
        const struct polkit_settings settings = { false, deadline_ms, 256 };

        polkit_configure(environment.authorizer_data, &settings);
}

static void setup_with(bool fine)
{
        const struct polkit_settings settings = { fine, DEADLINE_MS, 256 };

        loop = loop_new(NULL);
        pool = pool_new(2, NULL);
        environment = (struct model_environment){ .loop = loop,
                                                  .pool = pool,
                                                  .authorizer = &polkit_authorizer,
                                                  .authorizer_data = polkit_new(loop, &settings) };
        models = models_new(&environment, drivers, G_N_ELEMENTS(drivers), NULL);
        fake = fake_bus_new(loop);
        fake_bus_set_uid(fake, STRANGER, true);
        g_setenv("DBUS_SESSION_BUS_ADDRESS", fake_bus_get_address(fake), TRUE);
        bus = bus_new(loop, BUS_SESSION, models);
        ck_assert(bus_start(bus, NULL));
}

static void setup(void)
{
        setup_with(false);
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

/* ---- clients ---- */

static dbus_uint32_t call(const char *client, const char *member, bool interactive)
{
        DBusMessage *message = fake_bus_call_new(DOMAIN, "org.libvirt.Domain", member);
        const dbus_uint32_t flags = 0;

        if (strcmp(member, "Suspend") != 0)
                dbus_message_append_args(message, DBUS_TYPE_UINT32, &flags, DBUS_TYPE_INVALID);
        dbus_message_set_allow_interactive_authorization(message, interactive);
        return fake_bus_send(fake, client, message);
}

static void expect_error(dbus_uint32_t serial, const char *name, const char *text)
{
        DBusMessage *reply = fake_bus_await(fake, serial);
        const char *message = NULL;

        ck_assert_int_eq(dbus_message_get_type(reply), DBUS_MESSAGE_TYPE_ERROR);
        ck_assert_str_eq(dbus_message_get_error_name(reply), name);
        dbus_message_get_args(reply, NULL, DBUS_TYPE_STRING, &message, DBUS_TYPE_INVALID);
        ck_assert_msg(strstr(message, text) != NULL, "'%s' lacks '%s'", message, text);
}

static void expect_reply(dbus_uint32_t serial)
{
        DBusMessage *reply = fake_bus_await(fake, serial);

        ck_assert_msg(dbus_message_get_type(reply) == DBUS_MESSAGE_TYPE_METHOD_RETURN, "%s",
                      dbus_message_get_error_name(reply));
}

static bool is_suspended(void)
{
        struct domain_driver *driver = model_get_domains(models_get_nth(models, 0));
        struct domain *domain = domain_lookup_name(driver, "test", NULL);

        return domain_get_published(domain)->state == DOMAIN_PAUSED;
}

/* ---- PolicyKit ---- */

/* The n-th message to it of that member, from 0 on; NULL: there is none yet. */
static DBusMessage *find(const char *member, unsigned n)
{
        const GPtrArray *sent = fake_bus_get_sent(fake);

        for (unsigned i = 0; i < sent->len; i++) {
                DBusMessage *message = g_ptr_array_index(sent, i);

                if (dbus_message_is_method_call(message, POLKIT_INTERFACE, member) && n-- == 0)
                        return message;
        }
        return NULL;
}

static DBusMessage *await(const char *member, unsigned n)
{
        while (!find(member, n))
                loop_step(loop, true);
        return find(member, n);
}

#define AWAIT(n) await("CheckAuthorization", n)

static unsigned count_questions(void)
{
        unsigned count = 0;

        while (find("CheckAuthorization", count))
                count++;
        return count;
}

static void answer(DBusMessage *question, dbus_bool_t allowed, dbus_bool_t challenge)
{
        DBusMessage *reply = dbus_message_new_method_return(question);
        DBusMessageIter iter, parts, array;

        dbus_message_iter_init_append(reply, &iter);
        dbus_message_iter_open_container(&iter, DBUS_TYPE_STRUCT, NULL, &parts);
        dbus_message_iter_append_basic(&parts, DBUS_TYPE_BOOLEAN, &allowed);
        dbus_message_iter_append_basic(&parts, DBUS_TYPE_BOOLEAN, &challenge);
        dbus_message_iter_open_container(&parts, DBUS_TYPE_ARRAY, "{ss}", &array);
        dbus_message_iter_close_container(&parts, &array);
        dbus_message_iter_close_container(&iter, &parts);
        fake_bus_send(fake, POLKIT, reply);
}

static void answer_error(DBusMessage *question, const char *name)
{
        fake_bus_send(fake, POLKIT, dbus_message_new_error(question, name, "the text"));
}

static void change(const char *sender)
{
        fake_bus_send(fake, sender, dbus_message_new_signal(POLKIT_PATH, POLKIT_INTERFACE, "Changed"));
}

/* The flags and the cancellation id of a question. */
static dbus_uint32_t get_flags(DBusMessage *question, const char **cancellation_id)
{
        DBusMessageIter iter;
        dbus_uint32_t flags;

        dbus_message_iter_init(question, &iter);
        for (unsigned i = 0; i < 3; i++)
                dbus_message_iter_next(&iter);
        dbus_message_iter_get_basic(&iter, &flags);
        dbus_message_iter_next(&iter);
        dbus_message_iter_get_basic(&iter, cancellation_id);
        return flags;
}

/* ---- tests ---- */

START_TEST(question_is_about_the_name)
{
        dbus_uint32_t serial = call(":1.5", "GetState", true);
        DBusMessage *question = AWAIT(0);
        DBusMessageIter iter, subject, array, entry, value;
        const char *kind, *key, *name, *action, *cancellation_id;

        ck_assert_str_eq(dbus_message_get_signature(question), "(sa{sv})sa{ss}us");
        dbus_message_iter_init(question, &iter);
        dbus_message_iter_recurse(&iter, &subject);
        dbus_message_iter_get_basic(&subject, &kind);
        dbus_message_iter_next(&subject);
        dbus_message_iter_recurse(&subject, &array);
        dbus_message_iter_recurse(&array, &entry);
        dbus_message_iter_get_basic(&entry, &key);
        dbus_message_iter_next(&entry);
        dbus_message_iter_recurse(&entry, &value);
        dbus_message_iter_get_basic(&value, &name);
        dbus_message_iter_next(&iter);
        dbus_message_iter_get_basic(&iter, &action);
        ck_assert_str_eq(kind, "system-bus-name");
        ck_assert_str_eq(key, "name");
        ck_assert_str_eq(name, ":1.5");
        ck_assert(!dbus_message_iter_has_next(&array));
        ck_assert_str_eq(action, "org.libvirt.unix.monitor");
        /* Without a dialog first. */
        ck_assert_uint_eq(get_flags(question, &cancellation_id), 0);
        answer(question, TRUE, FALSE);
        expect_reply(serial);
}
END_TEST

START_TEST(dialog_comes_second)
{
        const char *cancellation_id;
        dbus_uint32_t serial = call(":1.5", "Suspend", true);

        answer(AWAIT(0), FALSE, TRUE);
        ck_assert_uint_eq(get_flags(AWAIT(1), &cancellation_id), 1);
        answer(AWAIT(1), TRUE, FALSE);
        expect_reply(serial);
        /* That was for once: what comes next is asked anew. */
        serial = call(":1.5", "Suspend", true);
        answer(AWAIT(2), FALSE, FALSE);
        expect_error(serial, DBUS_ERROR_ACCESS_DENIED, "authentication failed: ");
}
END_TEST

START_TEST(no_dialog_for_who_does_not_allow_it)
{
        dbus_uint32_t serial = call(":1.5", "Suspend", false);

        answer(AWAIT(0), FALSE, TRUE);
        expect_error(serial, DBUS_ERROR_INTERACTIVE_AUTHORIZATION_REQUIRED, "authentication unavailable: ");
        ck_assert_uint_eq(count_questions(), 1);
}
END_TEST

START_TEST(answers_that_are_none)
{
        dbus_uint32_t serial = call(":1.5", "Suspend", false);

        fake_bus_send(fake, POLKIT, dbus_message_new_method_return(AWAIT(0)));
        expect_error(serial, DBUS_ERROR_ACCESS_DENIED, "authentication unavailable: ");
        serial = call(":1.5", "Suspend", false);
        answer_error(AWAIT(1), "org.freedesktop.PolicyKit1.Error.Failed");
        expect_error(serial, DBUS_ERROR_ACCESS_DENIED, "authentication unavailable: ");
        serial = call(":1.5", "Suspend", false);
        answer_error(AWAIT(2), DBUS_ERROR_SERVICE_UNKNOWN);
        expect_error(serial, DBUS_ERROR_ACCESS_DENIED, "authentication unavailable: ");
        ck_assert(!is_suspended());
}
END_TEST

/* Yes for who has left is no, and PolicyKit is told to ask no more. */
START_TEST(client_leaves)
{
        const char *cancellation_id, *cancelled;
        dbus_uint32_t serial = call(":1.5", "Suspend", true);
        DBusMessage *question;

        answer(AWAIT(0), FALSE, TRUE);
        question = AWAIT(1);
        fake_bus_leave(fake, ":1.5");
        ck_assert(dbus_message_get_args(await("CancelCheckAuthorization", 0), NULL, DBUS_TYPE_STRING,
                                        &cancelled, DBUS_TYPE_INVALID));
        get_flags(question, &cancellation_id);
        ck_assert_str_eq(cancelled, cancellation_id);
        answer(question, TRUE, FALSE);
        /* Somebody else's call is served behind it. */
        serial = call(":1.6", "GetState", false);
        answer(AWAIT(2), TRUE, FALSE);
        expect_reply(serial);
        ck_assert(!is_suspended());
}
END_TEST

/* A name that was another's is not that one's. */
START_TEST(name_of_another)
{
        dbus_uint32_t serial = call(":1.5", "Suspend", false);

        answer(AWAIT(0), TRUE, FALSE);
        expect_reply(serial);
        fake_bus_leave(fake, ":1.5");
        serial = call(":1.5", "GetState", false);
        answer(AWAIT(1), FALSE, FALSE);
        expect_error(serial, DBUS_ERROR_ACCESS_DENIED, "authentication failed: ");
}
END_TEST

START_TEST(changes)
{
        dbus_uint32_t serial = call(":1.5", "GetState", false);

        answer(AWAIT(0), TRUE, FALSE);
        expect_reply(serial);
        /* Anybody can send that; it counts from PolicyKit alone. */
        change(":1.66");
        serial = call(":1.5", "GetState", false);
        expect_reply(serial);
        ck_assert_uint_eq(count_questions(), 1);
        change(POLKIT);
        serial = call(":1.5", "GetState", false);
        /* By the old rules or by the new ones: good for this call, and not remembered. */
        AWAIT(1);
        change(POLKIT);
        answer(AWAIT(1), TRUE, FALSE);
        expect_reply(serial);
        serial = call(":1.5", "GetState", false);
        answer(AWAIT(2), FALSE, FALSE);
        expect_error(serial, DBUS_ERROR_ACCESS_DENIED, "authentication failed: ");
}
END_TEST

START_TEST(asked_again_some_times)
{
        dbus_uint32_t serial = call(":1.5", "GetState", false);

        for (unsigned i = 0; i < POLKIT_RETRIES; i++)
                answer_error(AWAIT(i), DBUS_ERROR_NO_REPLY);
        answer(AWAIT(POLKIT_RETRIES), TRUE, FALSE);
        expect_reply(serial);
        serial = call(":1.6", "GetState", false);
        for (unsigned i = 0; i <= POLKIT_RETRIES; i++)
                answer_error(AWAIT(POLKIT_RETRIES + 1 + i), DBUS_ERROR_NO_REPLY);
        expect_error(serial, DBUS_ERROR_ACCESS_DENIED, "authentication unavailable: ");
}
END_TEST

/* It went with a question, and is not there for a while. */
START_TEST(waits_for_its_return)
{
        DBusMessage *signal =
                dbus_message_new_signal(DBUS_PATH_DBUS, DBUS_INTERFACE_DBUS, "NameOwnerChanged");
        const char *name = POLKIT_NAME, *nobody = "", *owner = ":1.100";
        dbus_uint32_t serial = call(":1.5", "GetState", false), other;

        answer_error(AWAIT(0), DBUS_ERROR_NO_REPLY);
        answer_error(AWAIT(1), DBUS_ERROR_SERVICE_UNKNOWN);
        other = call(":1.6", "GetState", false);
        answer_error(AWAIT(2), DBUS_ERROR_SERVICE_UNKNOWN);
        expect_error(other, DBUS_ERROR_ACCESS_DENIED, "authentication unavailable: ");
        ck_assert_ptr_null(fake_bus_find_reply(fake, serial, NULL));
        dbus_message_append_args(signal, DBUS_TYPE_STRING, &name, DBUS_TYPE_STRING, &nobody, DBUS_TYPE_STRING,
                                 &owner, DBUS_TYPE_INVALID);
        fake_bus_send(fake, DBUS_SERVICE_DBUS, signal);
        answer(AWAIT(3), TRUE, FALSE);
        expect_reply(serial);
}
END_TEST

static void ask_many(dbus_uint32_t *serials, unsigned n)
{
        for (unsigned i = 0; i < n; i++) {
                g_autofree char *client = g_strdup_printf(":1.%u", 10 + i);

                serials[i] = call(client, "GetState", false);
        }
        AWAIT(POLKIT_USER_AHEAD - 1);
        while (fake_bus_get_questions(fake) < n)
                loop_step(loop, true);
}

/* What is behind others does not wait for PolicyKit. */
START_TEST(deadline_of_what_is_sent)
{
        dbus_uint32_t serials[POLKIT_USER_AHEAD + 2], last;

        ask_many(serials, G_N_ELEMENTS(serials));
        set_deadline(1);
        last = call(":1.5", "GetState", false);
        while (fake_bus_get_questions(fake) < G_N_ELEMENTS(serials) + 1)
                loop_step(loop, true);
        /* That is seen by one of another user. */
        fake_bus_set_uid(fake, STRANGER + 1, true);
        expect_error(call(":1.6", "GetState", false), DBUS_ERROR_ACCESS_DENIED,
                     "authentication unavailable: ");
        set_deadline(DEADLINE_MS);
        for (unsigned i = 0; i < POLKIT_USER_AHEAD; i++)
                answer(AWAIT(i), TRUE, FALSE);
        for (unsigned i = 0; i < 3; i++)
                answer(AWAIT(POLKIT_USER_AHEAD + 1 + i), TRUE, FALSE);
        for (unsigned i = 0; i < G_N_ELEMENTS(serials); i++)
                expect_reply(serials[i]);
        expect_reply(last);
}
END_TEST

/* Nothing of that user was answered for so long: his others do not wait for it one behind the other. */
START_TEST(silence_ends_what_waits)
{
        dbus_uint32_t serials[2 * POLKIT_USER_AHEAD];

        ask_many(serials, G_N_ELEMENTS(serials));
        set_deadline(20);
        answer(AWAIT(0), TRUE, FALSE);
        for (unsigned i = POLKIT_USER_AHEAD; i < G_N_ELEMENTS(serials); i++)
                expect_error(serials[i], DBUS_ERROR_ACCESS_DENIED, "authentication unavailable: ");
        ck_assert_uint_eq(count_questions(), POLKIT_USER_AHEAD + 1);
        for (unsigned i = 1; i < POLKIT_USER_AHEAD; i++)
                answer(AWAIT(i), TRUE, FALSE);
        for (unsigned i = 0; i < POLKIT_USER_AHEAD; i++)
                expect_reply(serials[i]);
        /* One that comes behind it is asked about. */
        serials[0] = call(":1.5", "GetState", false);
        answer(AWAIT(POLKIT_USER_AHEAD + 1), TRUE, FALSE);
        expect_reply(serials[0]);
}
END_TEST

/* The same when it went away with them, and does not come back. */
START_TEST(absence_ends_what_waits)
{
        dbus_uint32_t serials[2 * POLKIT_USER_AHEAD];

        ask_many(serials, G_N_ELEMENTS(serials));
        for (unsigned i = 0; i < POLKIT_USER_AHEAD; i++)
                answer_error(AWAIT(i), DBUS_ERROR_NO_REPLY);
        for (unsigned i = 0; i < POLKIT_USER_AHEAD; i++) {
                AWAIT(POLKIT_USER_AHEAD + i);
                if (i + 1 == POLKIT_USER_AHEAD)
                        set_deadline(20);
                answer_error(AWAIT(POLKIT_USER_AHEAD + i), DBUS_ERROR_SERVICE_UNKNOWN);
        }
        for (unsigned i = POLKIT_USER_AHEAD; i < G_N_ELEMENTS(serials); i++)
                expect_error(serials[i], DBUS_ERROR_ACCESS_DENIED, "authentication unavailable: ");
        ck_assert_uint_eq(count_questions(), 2 * POLKIT_USER_AHEAD);
}
END_TEST

/* Another was answered meanwhile: that one alone gets no answer. */
START_TEST(one_without_an_answer)
{
        dbus_uint32_t serials[POLKIT_USER_AHEAD + 3];

        ask_many(serials, G_N_ELEMENTS(serials));
        set_deadline(2000);
        answer(AWAIT(0), TRUE, FALSE);
        AWAIT(POLKIT_USER_AHEAD);
        set_deadline(DEADLINE_MS);
        answer(AWAIT(1), TRUE, FALSE);
        AWAIT(POLKIT_USER_AHEAD + 1);
        expect_error(serials[POLKIT_USER_AHEAD], DBUS_ERROR_ACCESS_DENIED, "authentication unavailable: ");
        answer(AWAIT(POLKIT_USER_AHEAD + 2), TRUE, FALSE);
        expect_reply(serials[POLKIT_USER_AHEAD + 2]);
}
END_TEST

/* A user may take his time, also when PolicyKit went away with the dialog. */
START_TEST(dialog_has_no_deadline)
{
        dbus_uint32_t serial = call(":1.5", "Suspend", true);
        const char *cancellation_id;

        answer(AWAIT(0), FALSE, TRUE);
        AWAIT(1);
        set_deadline(1);
        answer_error(AWAIT(1), DBUS_ERROR_NO_REPLY);
        ck_assert_uint_eq(get_flags(AWAIT(2), &cancellation_id), 1);
        expect_error(call(":1.6", "GetState", false), DBUS_ERROR_ACCESS_DENIED,
                     "authentication unavailable: ");
        answer(AWAIT(2), TRUE, FALSE);
        expect_reply(serial);
}
END_TEST

/* PolicyKit gets a few questions of one user at a time, so that the first of another user is not behind all.
 */
START_TEST(users_take_turns)
{
        dbus_uint32_t serials[20], other;

        ask_many(serials, G_N_ELEMENTS(serials));
        fake_bus_set_uid(fake, STRANGER + 1, true);
        other = call(":1.50", "GetState", false);
        answer(AWAIT(POLKIT_USER_AHEAD), TRUE, FALSE);
        expect_reply(other);
        ck_assert_uint_eq(count_questions(), POLKIT_USER_AHEAD + 1);
        for (unsigned i = 0; i < POLKIT_USER_AHEAD; i++)
                answer(AWAIT(i), TRUE, FALSE);
        for (unsigned i = POLKIT_USER_AHEAD; i < G_N_ELEMENTS(serials); i++)
                answer(AWAIT(i + 1), TRUE, FALSE);
        for (unsigned i = 0; i < G_N_ELEMENTS(serials); i++)
                expect_reply(serials[i]);
}
END_TEST

/* ---- fine checks ---- */

static void use_fine(void)
{
        teardown();
        setup_with(true);
}

static dbus_uint32_t define(const char *client)
{
        const char *xml =
                "<domain type='test'><name>new</name><uuid>00000000-0000-4000-8000-000000000001</uuid>"
                "<memory>1024</memory><os><type>hvm</type></os></domain>";
        DBusMessage *message = fake_bus_call_new(CONNECT, "org.libvirt.Connect", "DomainDefineXML");

        dbus_message_append_args(message, DBUS_TYPE_STRING, &xml, DBUS_TYPE_INVALID);
        return fake_bus_send(fake, client, message);
}

static const char *get_action(DBusMessage *question)
{
        DBusMessageIter iter;
        const char *action;

        dbus_message_iter_init(question, &iter);
        dbus_message_iter_next(&iter);
        dbus_message_iter_get_basic(&iter, &action);
        return action;
}

/* What PolicyKit has not been asked yet is not asked for somebody who is not there. */
START_TEST(client_leaves_its_list)
{
        const dbus_uint32_t flags = 0;
        DBusMessage *list;

        use_fine();
        fake_bus_set_uid(fake, 0, true);
        for (unsigned i = 0; i < 2 * POLKIT_USER_AHEAD; i++) {
                g_autofree char *xml = g_strdup_printf(
                        "<domain "
                        "type='test'><name>d%u</name><uuid>00000000-0000-4000-8000-0000000001%02u</uuid>"
                        "<memory>1024</memory><os><type>hvm</type></os></domain>",
                        i, i);
                DBusMessage *message = fake_bus_call_new(CONNECT, "org.libvirt.Connect", "DomainDefineXML");

                dbus_message_append_args(message, DBUS_TYPE_STRING, &xml, DBUS_TYPE_INVALID);
                expect_reply(fake_bus_send(fake, ":1.4", message));
        }
        fake_bus_set_uid(fake, STRANGER, true);
        list = fake_bus_call_new(CONNECT, "org.libvirt.Connect", "ListDomains");
        dbus_message_append_args(list, DBUS_TYPE_UINT32, &flags, DBUS_TYPE_INVALID);
        fake_bus_send(fake, ":1.5", list);
        answer(AWAIT(0), TRUE, FALSE);
        AWAIT(POLKIT_USER_AHEAD);
        fake_bus_leave(fake, ":1.5");
        await("CancelCheckAuthorization", POLKIT_USER_AHEAD - 1);
        call(":1.6", "GetState", false);
        AWAIT(POLKIT_USER_AHEAD + 1);
        ck_assert_uint_eq(count_questions(), POLKIT_USER_AHEAD + 2);
        ck_assert_ptr_null(find("CancelCheckAuthorization", POLKIT_USER_AHEAD));
}
END_TEST

/* Where in what was sent stands the signal of that member to client? */
static unsigned find_signal(const char *client, const char *member)
{
        const GPtrArray *sent = fake_bus_get_sent(fake);

        for (unsigned i = 0; i < sent->len; i++) {
                DBusMessage *message = g_ptr_array_index(sent, i);

                if (dbus_message_get_type(message) == DBUS_MESSAGE_TYPE_SIGNAL &&
                    dbus_message_has_member(message, member) && dbus_message_has_destination(message, client))
                        return i;
        }
        return G_MAXUINT;
}

/* Whoever gets the reply has seen the signal, though it has to be asked whether it may. */
START_TEST(reply_stays_behind_its_signal)
{
        dbus_uint32_t serial;
        unsigned place;

        use_fine();
        serial = define(":1.5");
        ck_assert_str_eq(get_action(AWAIT(0)), "org.libvirt.api.domain.write");
        answer(AWAIT(0), TRUE, FALSE);
        ck_assert_str_eq(get_action(AWAIT(1)), "org.libvirt.api.domain.save");
        answer(AWAIT(1), TRUE, FALSE);
        ck_assert_str_eq(get_action(AWAIT(2)), "org.libvirt.api.domain.getattr");
        while (registry_get_pending(model_get_registry(models_get_nth(models, 0), MODEL_DOMAINS)) > 0)
                loop_step(loop, true);
        ck_assert_ptr_null(fake_bus_find_reply(fake, serial, NULL));
        ck_assert_uint_eq(find_signal(":1.5", "DomainEvent"), G_MAXUINT);
        answer(AWAIT(2), TRUE, FALSE);
        expect_reply(serial);
        fake_bus_find_reply(fake, serial, &place);
        ck_assert_uint_lt(find_signal(":1.5", "DomainEvent"), place);
}
END_TEST

START_TEST(no_signal_for_who_may_not_see)
{
        dbus_uint32_t serial;

        use_fine();
        serial = define(":1.5");
        answer(AWAIT(0), TRUE, FALSE);
        answer(AWAIT(1), TRUE, FALSE);
        answer(AWAIT(2), FALSE, FALSE);
        expect_reply(serial);
        ck_assert_uint_eq(find_signal(":1.5", "DomainEvent"), G_MAXUINT);
}
END_TEST

/* What waits for an answer when its client leaves goes with it. */
START_TEST(client_leaves_its_signals)
{
        dbus_uint32_t serial;

        use_fine();
        define(":1.5");
        answer(AWAIT(0), TRUE, FALSE);
        answer(AWAIT(1), TRUE, FALSE);
        AWAIT(2);
        fake_bus_leave(fake, ":1.5");
        await("CancelCheckAuthorization", 0);
        serial = call(":1.6", "GetState", false);
        answer(AWAIT(3), FALSE, FALSE);
        expect_error(serial, DBUS_ERROR_ACCESS_DENIED, "authentication failed: ");
        ck_assert_uint_eq(find_signal(":1.5", "DomainEvent"), G_MAXUINT);
}
END_TEST

CHECK_MAIN_FIXTURE("polkit", setup, teardown, question_is_about_the_name, client_leaves_its_list,
                   dialog_comes_second, no_dialog_for_who_does_not_allow_it, answers_that_are_none,
                   client_leaves, name_of_another, changes, asked_again_some_times, waits_for_its_return,
                   deadline_of_what_is_sent, silence_ends_what_waits, absence_ends_what_waits,
                   one_without_an_answer, dialog_has_no_deadline, users_take_turns,
                   reply_stays_behind_its_signal, no_signal_for_who_may_not_see, client_leaves_its_signals)
