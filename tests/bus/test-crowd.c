/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Many calls, many clients: order within one sender, fairness between senders, clients that leave, never
 * read, or get in each other's way.
 */

#include <stdlib.h>
#include <string.h>

#include "tests/support/guest.h"
#include "tests/support/harness.h"

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

#define DOMAIN TEST_PATH "/domain/_6695eb01_f6a4_8304_79aa_97f2502e193f"
#define UUID   "11111111-2222-3333-4444-555555555555"
#define WEB    TEST_PATH "/domain/_11111111_2222_3333_4444_555555555555"

/* What became of a batch of calls that nobody waits for one by one. */
struct tally {
        unsigned sent;
        unsigned answered;
        unsigned failed;
        char *strange; /* owned, an error that no ordinary call gets */
};

static int count_answer(sd_bus_message *reply, void *data, sd_bus_error *unused)
{
        struct tally *tally = data;
        const sd_bus_error *error = sd_bus_message_get_error(reply);

        tally->answered++;
        if (!error)
                return 0;
        tally->failed++;
        if (strcmp(error->name, LIBVIRT_ERROR) != 0 && !tally->strange)
                tally->strange = g_strdup_printf("%s: %s", error->name, error->message);
        return 0;
}

static void send_call(struct client *from, struct tally *tally, const char *path, const char *interface,
                      const char *member, const char *types, ...)
{
        sd_bus *bus = client_get_bus(from);
        g_autoptr(sd_bus_message) call = NULL;
        va_list arguments;

        ck_assert_int_ge(sd_bus_message_new_method_call(bus, &call, "org.libvirt", path, interface, member),
                         0);
        va_start(arguments, types);
        if (types)
                ck_assert_int_ge(sd_bus_message_appendv(call, types, arguments), 0);
        va_end(arguments);
        ck_assert_int_ge(sd_bus_call_async(bus, NULL, call, count_answer, tally, CLIENT_DEADLINE_US), 0);
        tally->sent++;
}

static void wait_for_answers(struct client *from, struct tally *tally, unsigned count)
{
        int64_t deadline_us = g_get_monotonic_time() + CLIENT_DEADLINE_US;

        while (tally->answered < count) {
                client_process(from);
                if (tally->answered >= count)
                        break;
                ck_assert_msg(g_get_monotonic_time() < deadline_us, "%u of %u answers", tally->answered,
                              count);
                ck_assert_int_ge(sd_bus_wait(client_get_bus(from), G_USEC_PER_SEC), 0);
        }
        ck_assert_msg(!tally->strange, "%s", tally->strange);
}

static char *versioned_xml(unsigned version)
{
        return g_strdup_printf("<domain type='test'><name>web</name><uuid>" UUID "</uuid><title>v%u</title>"
                               "<memory>65536</memory><os><type>hvm</type></os></domain>",
                               version);
}

START_TEST(test_calls_of_one_sender_act_in_order)
{
        for (unsigned round = 0; round < 5; round++) {
                struct tally tally = { 0 };
                g_autofree char *title = NULL;

                for (unsigned i = 0; i < 100; i++) {
                        g_autofree char *xml = versioned_xml(i);

                        send_call(client, &tally, TEST_PATH, CONNECT_INTERFACE, "DomainDefineXML", "s", xml);
                }
                wait_for_answers(client, &tally, 100);
                ck_assert_uint_eq(tally.failed, 0);
                title = client_call_string(client, WEB, DOMAIN_INTERFACE, "GetMetadata", "isu", 1, "", 0);
                ck_assert_str_eq(title, "v99");
        }
}
END_TEST

START_TEST(test_suspend_and_resume_act_in_order)
{
        g_autofree char *xml = versioned_xml(0);
        struct tally tally = { 0 };

        client_do(client, TEST_PATH, CONNECT_INTERFACE, "DomainCreateXML", "su", xml, 0);
        for (unsigned i = 0; i < 100; i++) {
                send_call(client, &tally, WEB, DOMAIN_INTERFACE, "Suspend", NULL);
                send_call(client, &tally, WEB, DOMAIN_INTERFACE, "Resume", NULL);
        }
        wait_for_answers(client, &tally, 200);
        /* Each fits the state that the one before it has left. */
        ck_assert_uint_eq(tally.failed, 0);
        guest_expect_state(client, WEB, STATE_RUNNING, -1);
}
END_TEST

/* Destroy may overtake what waits, but what was sent before it does not happen after it. */
START_TEST(test_destroy_is_the_last_word)
{
        g_autofree char *xml = versioned_xml(0);

        client_do(client, TEST_PATH, CONNECT_INTERFACE, "DomainDefineXML", "s", xml);
        for (unsigned i = 0; i < 50; i++) {
                struct tally tally = { 0 };

                send_call(client, &tally, WEB, DOMAIN_INTERFACE, "Create", "u", 0);
                send_call(client, &tally, WEB, DOMAIN_INTERFACE, "Suspend", NULL);
                send_call(client, &tally, WEB, DOMAIN_INTERFACE, "Destroy", "u", 0);
                wait_for_answers(client, &tally, 3);
                guest_expect_state(client, WEB, STATE_SHUTOFF, -1);
        }
}
END_TEST

/* A flood by one sender delays another by a small part of the time that the flood takes. */
START_TEST(test_a_flood_delays_nobody_else)
{
        struct client *other = harness_connect(harness);
        struct tally tally = { 0 };
        int64_t start_us = g_get_monotonic_time();
        int64_t waited_us;
        int64_t drained_us;

        for (unsigned i = 0; i < 20000; i++)
                send_call(client, &tally, DOMAIN, DOMAIN_INTERFACE, "GetXMLDesc", "u", 0);
        /* Some answers are there: the agent is in the middle of it. */
        wait_for_answers(client, &tally, 100);
        waited_us = g_get_monotonic_time();
        client_do(other, DOMAIN, DOMAIN_INTERFACE, "GetState", "u", 0);
        waited_us = g_get_monotonic_time() - waited_us;
        wait_for_answers(client, &tally, tally.sent);
        drained_us = g_get_monotonic_time() - start_us;
        ck_assert_msg(waited_us < drained_us / 3, "waited %d ms of %d ms", (int)(waited_us / 1000),
                      (int)(drained_us / 1000));
        client_free(other);
}
END_TEST

START_TEST(test_many_clients_at_once)
{
        enum { CLIENTS = 200, ROUNDS = 10 };
        struct client *clients[CLIENTS];
        struct tally tallies[CLIENTS] = { 0 };

        for (unsigned i = 0; i < CLIENTS; i++)
                clients[i] = harness_connect(harness);
        for (unsigned round = 0; round < ROUNDS; round++)
                for (unsigned i = 0; i < CLIENTS; i++)
                        send_call(clients[i], &tallies[i], DOMAIN, DOMAIN_INTERFACE, "GetState", "u", 0);
        for (unsigned i = 0; i < CLIENTS; i++)
                ck_assert_int_ge(sd_bus_flush(client_get_bus(clients[i])), 0);
        for (unsigned i = 0; i < CLIENTS; i++) {
                wait_for_answers(clients[i], &tallies[i], ROUNDS);
                ck_assert_uint_eq(tallies[i].failed, 0);
                client_free(clients[i]);
        }
}
END_TEST

START_TEST(test_clients_that_leave)
{
        g_autofree char *xml = versioned_xml(0);

        for (unsigned round = 0; round < 30; round++) {
                struct client *other = harness_connect(harness);
                struct tally tally = { 0 };

                for (unsigned i = 0; i < 50; i++) {
                        send_call(other, &tally, TEST_PATH, CONNECT_INTERFACE, "DomainDefineXML", "s", xml);
                        send_call(other, &tally, WEB, DOMAIN_INTERFACE, "GetXMLDesc", "u", 0);
                }
                client_free(other);
        }
        client_ping(client);
        /* The work was done or not done, but whole. */
        client_do(client, TEST_PATH, CONNECT_INTERFACE, "DomainDefineXML", "s", xml);
        client_do(client, WEB, DOMAIN_INTERFACE, "Undefine", "u", 0);
}
END_TEST

START_TEST(test_a_subscriber_that_never_reads)
{
        struct client *deaf = harness_connect(harness);
        g_autofree char *xml = versioned_xml(0);

        for (unsigned i = 0; i < 1000; i++) {
                client_do(client, TEST_PATH, CONNECT_INTERFACE, "DomainDefineXML", "s", xml);
                client_do(client, WEB, DOMAIN_INTERFACE, "Undefine", "u", 0);
        }
        /* One that sends calls and does not read the answers, either. */
        for (unsigned i = 0; i < 2000; i++) {
                g_autoptr(sd_bus_message) call = NULL;

                ck_assert_int_ge(sd_bus_message_new_method_call(client_get_bus(deaf), &call, "org.libvirt",
                                                                DOMAIN, DOMAIN_INTERFACE, "GetXMLDesc"),
                                 0);
                ck_assert_int_ge(sd_bus_message_append(call, "u", 0), 0);
                ck_assert_int_ge(sd_bus_send(client_get_bus(deaf), call, NULL), 0);
        }
        sd_bus_flush(client_get_bus(deaf));
        client_ping(client);
        client_free(deaf);
}
END_TEST

START_TEST(test_clients_on_the_same_domains)
{
        enum { CLIENTS = 8, STEPS = 400 };
        const char *const members[] = { "Create", "Destroy", "Undefine", "GetState", "GetXMLDesc" };
        g_autoptr(GRand) rand = g_rand_new_with_seed(1);
        struct client *clients[CLIENTS];
        struct tally tallies[CLIENTS] = { 0 };

        for (unsigned i = 0; i < CLIENTS; i++)
                clients[i] = harness_connect(harness);
        for (unsigned step = 0; step < STEPS; step++) {
                for (unsigned i = 0; i < CLIENTS; i++) {
                        unsigned choice = g_rand_int_range(rand, 0, G_N_ELEMENTS(members) + 2);
                        g_autofree char *xml = versioned_xml(step);

                        if (choice < G_N_ELEMENTS(members))
                                send_call(clients[i], &tallies[i], WEB, DOMAIN_INTERFACE, members[choice],
                                          "u", 0);
                        else
                                send_call(clients[i], &tallies[i], TEST_PATH, CONNECT_INTERFACE,
                                          "DomainDefineXML", "s", xml);
                }
        }
        for (unsigned i = 0; i < CLIENTS; i++) {
                wait_for_answers(clients[i], &tallies[i], STEPS);
                client_free(clients[i]);
        }
}
END_TEST

static size_t agent_memory_kib(void)
{
        g_autofree char *path = g_strdup_printf("/proc/%d/smaps_rollup", harness_get_agent_pid(harness));
        g_autofree char *text = NULL;
        const char *line;

        ck_assert(g_file_get_contents(path, &text, NULL, NULL));
        line = strstr(text, "\nPss:");
        ck_assert_ptr_nonnull(line);
        return strtoul(line + strlen("\nPss:"), NULL, 10);
}

/* Nothing grows with the number of calls. */
START_TEST(test_memory_stays)
{
        g_autofree char *xml = versioned_xml(0);
        size_t before = 0;
        size_t after;

        if (*g_getenv("VIRTBUS_SANITIZED"))
                return harness_skip("a sanitizer keeps freed memory");
        for (unsigned round = 0; round < 6; round++) {
                if (round == 2)
                        before = agent_memory_kib();
                for (unsigned i = 0; i < 500; i++) {
                        client_do(client, TEST_PATH, CONNECT_INTERFACE, "DomainDefineXML", "s", xml);
                        client_do(client, WEB, DOMAIN_INTERFACE, "GetXMLDesc", "u", 0);
                        client_fails(client, LIBVIRT_ERROR, NULL, TEST_PATH, CONNECT_INTERFACE,
                                     "DomainDefineXML", "s", "<domain>");
                        client_do(client, WEB, DOMAIN_INTERFACE, "Undefine", "u", 0);
                }
        }
        after = agent_memory_kib();
        ck_assert_msg(after < before + 6 * 1024, "grew from %zu to %zu KiB", before, after);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("crowd");
        TCase *tcase = tcase_create("crowd");

        tcase_add_checked_fixture(tcase, set_up, tear_down);
        tcase_add_test(tcase, test_calls_of_one_sender_act_in_order);
        tcase_add_test(tcase, test_suspend_and_resume_act_in_order);
        tcase_add_test(tcase, test_destroy_is_the_last_word);
        tcase_add_test(tcase, test_a_flood_delays_nobody_else);
        tcase_add_test(tcase, test_many_clients_at_once);
        tcase_add_test(tcase, test_clients_that_leave);
        tcase_add_test(tcase, test_a_subscriber_that_never_reads);
        tcase_add_test(tcase, test_clients_on_the_same_domains);
        tcase_add_test(tcase, test_memory_stays);
        suite_add_tcase(suite, tcase);
        return harness_main(suite);
}
