/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Another host that says nothing any more while a disk goes there: bounds end the wait, the guest goes on,
 * and no other guest notices.
 */

#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/support/disk-scene.h"
#include "tests/support/proxy.h"

/* Where its disk and its memory go by on their way: to the emulator, which listens at another address. */
#define DISK   "50221"
#define MEMORY "50222"
#define HERE   "127.0.0.1"
#define LISTEN "127.0.0.2"

enum { LOOKS = 1 }; /* connections before the emulator's */

struct silence {
        struct scene scene;
        struct proxy *proxy;  /* of its disk */
        struct proxy *memory; /* and of its memory */
        struct client_answer answer;
};

static void make_proxies(struct silence *silence)
{
        silence->proxy = proxy_new("tcp:" HERE ":" DISK, "tcp:" LISTEN ":" DISK);
        silence->memory = proxy_new("tcp:" HERE ":" MEMORY, "tcp:" LISTEN ":" MEMORY);
}

static void silence_init(struct silence *silence)
{
        scene_init(&silence->scene, "raw", NULL);
        make_proxies(silence);
        silence->answer = (struct client_answer){ 0 };
}

static void silence_clear(struct silence *silence)
{
        proxy_free(silence->proxy);
        proxy_free(silence->memory);
        scene_clear(&silence->scene);
}

static void send_by_proxy(struct silence *silence, unsigned flags)
{
        const struct scene *scene = &silence->scene;

        silence->answer = (struct client_answer){ 0 };
        client_send(here.client, &silence->answer, scene->path, DOMAIN_INTERFACE, "MigrateToURI3", "sa{sv}u",
                    there.uri, 5, "destination_xml", "s", scene->xml, "bandwidth", "t", (uint64_t)100,
                    "disks_uri", "s", "tcp:" HERE ":" DISK, "migrate_uri", "s", "tcp:" HERE ":" MEMORY,
                    "listen_address", "s", LISTEN, NON_SHARED_DISK | flags);
}

static bool is_silent(void *data)
{
        struct silence *silence = data;

        client_process(here.client);
        return proxy_is_stalled(silence->proxy) || silence->answer.done;
}

static void wait_for_silence(struct silence *silence)
{
        harness_wait_until(is_silent, silence, "nothing of its disk is taken any more");
        ck_assert_msg(!silence->answer.done, "%s", silence->answer.error);
}

/* The program that looks at it has a bound, and so has the emulator. */
START_TEST(test_silent_at_first)
{
        struct silence silence;

        silence_init(&silence);
        proxy_stall(silence.proxy, 0, 0);
        send_by_proxy(&silence, LIVE);
        scene_expect_failure(&silence.answer, "'qemu-img'");
        scene_expect_stayed(&silence.scene);
        proxy_cut(silence.proxy);
        proxy_stall(silence.proxy, 2 * LOOKS, 0);
        send_by_proxy(&silence, LIVE);
        scene_expect_failure(&silence.answer, "disk 'vda'");
        ck_assert(proxy_is_stalled(silence.proxy));
        scene_expect_stayed(&silence.scene);
        silence_clear(&silence);
}
END_TEST

/* It runs on, and nothing is left of it for the next one, although nobody hangs up. */
START_TEST(test_silent_in_the_middle)
{
        struct silence silence;

        silence_init(&silence);
        proxy_stall(silence.proxy, LOOKS, 8 * MIB);
        send_by_proxy(&silence, LIVE);
        wait_for_silence(&silence);
        sides_expect_counting(silence.scene.console);
        guest_do(here.client, silence.scene.path, "AbortJob");
        scene_expect_failure(&silence.answer, "are not copied any further");
        scene_expect_stayed(&silence.scene);
        scene_migrate(&silence.scene, LIVE | NON_SHARED_DISK);
        scene_expect_moved(&silence.scene, &here, &there);
        scene_expect_end(&silence.scene, &there, silence.scene.to, "raw");
        silence_clear(&silence);
}
END_TEST

static bool is_moving(void *data)
{
        struct silence *silence = data;

        client_process(here.client);
        return proxy_is_stalled(silence->memory) || silence->answer.done;
}

/* All of its disk is there and some of its memory, and no more of that goes over until it is let go on. */
static void send_some(struct silence *silence, unsigned flags)
{
        proxy_stall(silence->memory, 0, MIB);
        send_by_proxy(silence, flags);
        harness_wait_until(is_moving, silence, "some of its memory has gone over");
        ck_assert_msg(!silence->answer.done, "%s", silence->answer.error);
}

static void pause_and_go_on(const char *path)
{
        guest_do(here.client, path, "Suspend");
        guest_do(here.client, path, "Resume");
}

/* It stops for the last of its disk, and cannot go. No other guest notices. */
static void check_silence_at_the_end(unsigned flags)
{
        g_autofree char *other = NULL;
        struct silence silence;

        silence_init(&silence);
        other = guest_start(here.client, guest_bare_xml("other", NULL));
        send_some(&silence, flags);
        proxy_stall(silence.proxy, LOOKS, 0);
        proxy_go_on(silence.memory);
        wait_for_silence(&silence);
        pause_and_go_on(other);
        ck_assert(!silence.answer.done);
        scene_expect_failure(&silence.answer, "are not taken by the other host any more");
        pause_and_go_on(silence.scene.path);
        guest_do_flags(here.client, other, "Destroy", 0);
        scene_expect_stayed(&silence.scene);
        silence_clear(&silence);
}

START_TEST(test_silent_at_last)
{
        check_silence_at_the_end(LIVE);
}
END_TEST

START_TEST(test_silent_at_last_without_writes)
{
        check_silence_at_the_end(0);
}
END_TEST

/* A guest of which is written down what its emulator is told. */
static void silence_init_logged(struct silence *silence)
{
        struct scene *scene = &silence->scene;
        g_autofree char *console = harness_path(here.harness, "console");
        g_autofree char *emulator =
                g_strdup_printf("<devices><emulator>%s</emulator>", g_getenv("VIRTBUS_FAKE_QEMU"));
        g_autofree char *xml =
                sides_append_console(guest_linux_xml("fault-logged-linux", console, "record"), console);

        scene->console = g_steal_pointer(&console);
        scene_init_with(scene, scene_replace(xml, "<devices>", emulator), "raw", NULL);
        make_proxies(silence);
}

static bool is_gone_there(void *data)
{
        const struct silence *silence = data;

        return !side_has(&there, silence->scene.path) && !g_file_test(silence->scene.to, G_FILE_TEST_EXISTS);
}

/*
 * QEMU 7.2 waits for good when it is told to cancel at the moment in which it begins to wait for the last of
 * the disks, which no test can make it do: it is told to go on each time, by an agent that finds it so as
 * well.
 */
START_TEST(test_cancelled_for_good)
{
        static const char cancelled[] = "{\"state\":\"cancelling\"}";
        struct silence silence;

        silence_init_logged(&silence);
        send_some(&silence, LIVE);
        guest_do(here.client, silence.scene.path, "AbortJob");
        proxy_cut(silence.memory);
        scene_expect_failure(&silence.answer, "was cancelled");
        ck_assert_uint_eq(guest_count_told(here.harness, "linux", cancelled), 1);
        sides_expect_counting(silence.scene.console);
        /* What it was told in vain it has forgotten: the next one waits for its disk. */
        harness_wait_until(is_gone_there, &silence, "nothing of it is there");
        scene_migrate(&silence.scene, LIVE | NON_SHARED_DISK);
        scene_expect_moved(&silence.scene, &here, &there);
        scene_expect_end(&silence.scene, &there, silence.scene.to, "raw");
        silence_clear(&silence);
}
END_TEST

/* ---- in post-copy ---- */

/* False: there is no post-copy, and the case is skipped. */
static bool postcopy_init(struct silence *silence)
{
        struct scene *scene = &silence->scene;
        g_autofree char *console = harness_path(here.harness, "console"),
                        *xml = sides_make_postcopy_xml("linux", console);

        if (!xml)
                return false;
        scene->console = g_steal_pointer(&console);
        scene_init_with(scene, scene_replace(xml, "action=count", "action=record"), "raw", NULL);
        make_proxies(silence);
        return true;
}

/* While its memory is held: it cannot all go over before. */
static void start_postcopy(struct silence *silence)
{
        client_do(here.client, silence->scene.path, DOMAIN_INTERFACE, "MigrateStartPostCopy", "u", 0);
        proxy_go_on(silence->memory);
}

/* Whoever has the disk has it alone: the guest, once it runs. */
static void expect_no_server(void)
{
        struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(DISK)) };
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

        ck_assert_int_eq(inet_pton(AF_INET, LISTEN, &address.sin_addr), 1);
        ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, sizeof(address)), -1);
        ck_assert_int_eq(errno, ECONNREFUSED);
        close(fd);
}

/* It runs there before all of its memory is there, and with all of its disk. */
START_TEST(test_before_its_memory)
{
        struct silence silence;

        if (!postcopy_init(&silence))
                return;
        send_some(&silence, LIVE | POSTCOPY);
        start_postcopy(&silence);
        client_wait_event(there.client, silence.scene.path, EVENT_RESUMED, RESUMED_POSTCOPY);
        expect_no_server();
        client_wait_event(there.client, silence.scene.path, EVENT_RESUMED, RESUMED_MIGRATED);
        client_wait_answer(here.client, &silence.answer);
        ck_assert_ptr_null(silence.answer.error);
        scene_expect_moved(&silence.scene, &here, &there);
        scene_expect_end(&silence.scene, &there, silence.scene.to, "raw");
        silence_clear(&silence);
}
END_TEST

/* Where it would have begun the other host is silent: it has not, so the guest goes on here. */
START_TEST(test_silent_before_postcopy)
{
        struct silence silence;

        if (!postcopy_init(&silence))
                return;
        send_some(&silence, LIVE | POSTCOPY);
        proxy_stall(silence.proxy, LOOKS, 0);
        start_postcopy(&silence);
        scene_expect_failure(&silence.answer, "are not taken by the other host any more");
        scene_expect_stayed(&silence.scene);
        silence_clear(&silence);
}
END_TEST

/* The agent after it finds a guest that waits for a word that nobody will say. */
START_TEST(test_the_agent_dies_before_postcopy)
{
        struct silence silence;

        if (!postcopy_init(&silence))
                return;
        send_some(&silence, LIVE | POSTCOPY);
        proxy_stall(silence.proxy, LOOKS, 0);
        start_postcopy(&silence);
        wait_for_silence(&silence);
        harness_end_agent(here.harness, SIGKILL);
        proxy_cut(silence.proxy);
        harness_start_agent(here.harness);
        scene_expect_failure(&silence.answer, NULL);
        scene_expect_stayed(&silence.scene);
        silence_clear(&silence);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("guest/migration-silence");
        TCase *silence = tcase_create("silence"), *postcopy = tcase_create("postcopy");

        tcase_set_timeout(silence, 600);
        tcase_add_checked_fixture(silence, sides_set_up, sides_tear_down);
        tcase_add_test(silence, test_silent_at_first);
        tcase_add_test(silence, test_silent_in_the_middle);
        tcase_add_test(silence, test_silent_at_last);
        tcase_add_test(silence, test_silent_at_last_without_writes);
        tcase_add_test(silence, test_cancelled_for_good);
        suite_add_tcase(suite, silence);
        tcase_set_timeout(postcopy, 600);
        tcase_add_checked_fixture(postcopy, sides_set_up, sides_tear_down);
        tcase_add_test(postcopy, test_before_its_memory);
        tcase_add_test(postcopy, test_silent_before_postcopy);
        tcase_add_test(postcopy, test_the_agent_dies_before_postcopy);
        suite_add_tcase(suite, postcopy);
        return harness_main(suite);
}
