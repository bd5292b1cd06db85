/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The memory of a domain on the Test connection: what is set of the guest, of its definition, of both, and
 * what is told of it.
 */

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "tests/support/guest.h"
#include "tests/support/harness.h"

#define UUID "11111111-2222-3333-4444-555555555555"
#define WEB  TEST_PATH "/domain/_11111111_2222_3333_4444_555555555555"

enum {
        LIVE = 1,
        CONFIG = 2,
        MAXIMUM = 4,
};

static struct harness *harness;
static struct client *client;

static void set_up(void)
{
        const char *xml = "<domain type='test'><name>web</name><uuid>" UUID "</uuid><memory>65536</memory>"
                          "<os><type>hvm</type></os><devices><memballoon model='virtio'/></devices></domain>";
        g_autofree char *path = NULL;

        harness = harness_new();
        client = harness_get_client(harness);
        path = client_call_string(client, TEST_PATH, CONNECT_INTERFACE, "DomainDefineXML", "s", xml);
        ck_assert_str_eq(path, WEB);
}

static void tear_down(void)
{
        harness_free(harness);
}

static void set_memory(uint64_t kib, unsigned flags)
{
        client_do(client, WEB, DOMAIN_INTERFACE, "SetMemory", "tu", kib, flags);
}

static void refuse_memory(const char *text, uint64_t kib, unsigned flags)
{
        client_fails(client, LIBVIRT_ERROR, text, WEB, DOMAIN_INTERFACE, "SetMemory", "tu", kib, flags);
}

static void set_period(int seconds, unsigned flags)
{
        client_do(client, WEB, DOMAIN_INTERFACE, "SetMemoryStatsPeriod", "iu", seconds, flags);
}

/* The document for flags of GetXMLDesc has (or has not) a piece. */
static void expect(unsigned flags, const char *piece, bool there)
{
        g_autofree char *xml = client_call_string(client, WEB, DOMAIN_INTERFACE, "GetXMLDesc", "u", flags);

        ck_assert_msg((strstr(xml, piece) != NULL) == there, "%s in %s", piece, xml);
}

static void expect_memory(unsigned flags, uint64_t maximum, uint64_t current)
{
        g_autofree char *piece = g_strdup_printf("<memory unit='KiB'>%" PRIu64 "</memory>\n"
                                                 "  <currentMemory unit='KiB'>%" PRIu64 "</currentMemory>",
                                                 maximum, current);

        expect(flags, piece, true);
}

START_TEST(test_of_a_definition)
{
        set_memory(32768, 0);
        expect_memory(0, 65536, 32768);
        set_memory(131072, MAXIMUM);
        expect_memory(0, 131072, 32768);
        set_memory(16384, CONFIG | MAXIMUM);
        expect_memory(0, 16384, 16384);
        refuse_memory("invalid argument*", 0, 0);
        refuse_memory("invalid argument*16384 KiB", 16385, 0);
        refuse_memory("numerical overflow*", UINT64_MAX, MAXIMUM);
        refuse_memory("*unsupported flags (0x8)*SetMemory", 8192, 8);
        refuse_memory("Requested operation is not valid*not running", 8192, LIVE);
        expect_memory(0, 16384, 16384);
        ck_assert_uint_eq(client_count_signals(client, WEB, DOMAIN_INTERFACE, "BalloonChange"), 0);
}
END_TEST

START_TEST(test_of_a_guest)
{
        g_autoptr(sd_bus_message) signal = NULL;
        uint64_t kib;

        client_do(client, WEB, DOMAIN_INTERFACE, "Create", "u", 0);
        set_memory(32768, 0);
        /* The signal was before the answer. */
        ck_assert_uint_eq(client_count_signals(client, WEB, DOMAIN_INTERFACE, "BalloonChange"), 1);
        signal = client_wait_signal(client, WEB, DOMAIN_INTERFACE, "BalloonChange", NULL, NULL);
        ck_assert_int_gt(sd_bus_message_read(signal, "t", &kib), 0);
        ck_assert_uint_eq(kib, 32768);
        expect_memory(0, 65536, 32768);
        expect_memory(2, 65536, 65536);
        set_memory(49152, LIVE | CONFIG);
        expect_memory(0, 65536, 49152);
        expect_memory(2, 65536, 49152);
        refuse_memory("Requested operation is not valid*", 131072, MAXIMUM);
        refuse_memory("invalid argument*", 131072, LIVE);
        set_memory(131072, CONFIG | MAXIMUM);
        expect_memory(0, 65536, 49152);
        expect_memory(2, 131072, 49152);
}
END_TEST

START_TEST(test_period)
{
        set_period(5, 0);
        expect(0, "<stats period='5'/>", true);
        client_do(client, WEB, DOMAIN_INTERFACE, "Create", "u", 0);
        set_period(7, 0);
        expect(0, "<stats period='7'/>", true);
        expect(2, "<stats period='5'/>", true);
        set_period(0, LIVE | CONFIG);
        expect(0, "<stats", false);
        expect(2, "<stats", false);
        client_fails(client, LIBVIRT_ERROR, "invalid argument*", WEB, DOMAIN_INTERFACE,
                     "SetMemoryStatsPeriod", "iu", -1, 0);
        client_fails(client, LIBVIRT_ERROR, "*unsupported flags (0x4)*", WEB, DOMAIN_INTERFACE,
                     "SetMemoryStatsPeriod", "iu", 1, 4);
}
END_TEST

#define DIMM "<memory model='dimm'><target><size unit='KiB'>65536</size></target></memory>"

static void plug(const char *method, unsigned flags)
{
        client_do(client, WEB, DOMAIN_INTERFACE, method, "su", DIMM, flags);
}

static void refuse_plug(const char *text, unsigned flags)
{
        client_fails(client, LIBVIRT_ERROR, text, WEB, DOMAIN_INTERFACE, "AttachDevice", "su", DIMM, flags);
}

/* <memory> counts them, of the definition as of the guest; they fit into what was made ready for them. */
START_TEST(test_devices)
{
        static const char with_room[] =
                "<domain type='test'><name>web</name><uuid>" UUID "</uuid>"
                "<maxMemory slots='3' unit='KiB'>196608</maxMemory><memory>65536</memory>"
                "<os><type>hvm</type></os></domain>";
        g_autofree char *path = NULL;

        refuse_plug("unsupported configuration: a memory device needs <maxMemory slots=>*", CONFIG);
        path = client_call_string(client, TEST_PATH, CONNECT_INTERFACE, "DomainDefineXML", "s", with_room);
        plug("AttachDevice", CONFIG);
        expect_memory(CONFIG, 131072, 131072);
        guest_do_flags(client, WEB, "Create", 0);
        plug("AttachDevice", LIVE);
        expect_memory(0, 196608, 196608);
        refuse_plug("*would have 262144 KiB of memory, more than its <maxMemory> of 196608 KiB", LIVE);
        plug("DetachDevice", LIVE);
        expect_memory(0, 131072, 131072);
        plug("DetachDevice", CONFIG);
        expect_memory(CONFIG, 65536, 65536);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("memory");
        TCase *tcase = tcase_create("memory");

        tcase_add_checked_fixture(tcase, set_up, tear_down);
        tcase_add_test(tcase, test_of_a_definition);
        tcase_add_test(tcase, test_of_a_guest);
        tcase_add_test(tcase, test_period);
        tcase_add_test(tcase, test_devices);
        suite_add_tcase(suite, tcase);
        return harness_main(suite);
}
