/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Guests that go to another agent with their disks: what they have written is there, whoever dies on the way
 * exactly one of them runs, and what was made for one that did not come is gone.
 */

#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/certificates.h"
#include "tests/support/proxy.h"
#include "tests/support/sides.h"

enum {
        NON_SHARED_DISK = 64,
        NON_SHARED_INC = 128,
        SYNCHRONOUS_WRITES = 262144,
        STATS_COMPLETED = 1,
};

#define BLOCK    4096UL
#define MIB      (1024UL * 1024)
#define DISK     (64 * MIB)
#define PATTERN  (32 * MIB) /* from here on; before it the guest writes */
#define PATTERNS (16 * MIB)

/* ---- images ---- */

static void run_tool(const char *const argv[])
{
        g_autoptr(GError) error = NULL;
        g_autofree char *problem = NULL;
        int status = 0;

        ck_assert(g_spawn_sync(NULL, (char **)argv, NULL, G_SPAWN_SEARCH_PATH | G_SPAWN_STDOUT_TO_DEV_NULL,
                               NULL, NULL, NULL, &problem, &status, &error));
        ck_assert_msg(status == 0, "%s: %s", argv[0], problem);
}

/* Something that is not zeroes, of a disk whose number is seed. */
static char *make_pattern(unsigned seed)
{
        uint32_t *words = g_malloc(PATTERNS);

        for (unsigned i = 0; i < PATTERNS / sizeof(*words); i++)
                words[i] = (i + seed) * 2654435761U;
        return (char *)words;
}

/* A disk of 64 MiB; base NULL: the image is all of it, with the pattern in it; else it is above that. */
static void make_disk(const char *path, const char *format, const char *base)
{
        g_autofree char *raw = g_strconcat(path, ".raw", NULL), *pattern = make_pattern(1);
        const char *convert[] = { "qemu-img", "convert", "-O", format, raw, path, NULL };
        const char *create[] = { "qemu-img", "create", "-f", format, "-b", base, "-F", "qcow2", path, NULL };
        FILE *file;

        if (base) {
                run_tool(create);
                return;
        }
        file = fopen(raw, "w");
        ck_assert_ptr_nonnull(file);
        ck_assert_int_eq(ftruncate(fileno(file), DISK), 0);
        ck_assert_int_eq(fseek(file, PATTERN, SEEK_SET), 0);
        ck_assert_uint_eq(fwrite(pattern, PATTERNS, 1, file), 1);
        ck_assert_int_eq(fclose(file), 0);
        run_tool(convert);
        unlink(raw);
}

/* All that the guest told of up to that number is on the disk, and what was there before. */
static void check_disk(const char *path, const char *format, unsigned count)
{
        g_autofree char *raw = g_strconcat(path, ".raw", NULL), *pattern = make_pattern(1), *text = NULL;
        const char *convert[] = { "qemu-img", "convert", "-f", format, "-O", "raw", path, raw, NULL };
        gsize length;

        run_tool(convert);
        ck_assert(g_file_get_contents(raw, &text, &length, NULL));
        ck_assert_uint_ge(length, DISK);
        ck_assert_mem_eq(text + PATTERN, pattern, PATTERNS);
        for (unsigned n = 1; n <= count; n++) {
                g_autofree char *line = g_strdup_printf("count %u\n", n);

                ck_assert_msg(strncmp(text + n * BLOCK, line, strlen(line)) == 0, "block %u is not there", n);
        }
        unlink(raw);
}

/* ---- guests ---- */

/* xml (taken) with a first disk, at disk. */
static char *add_disk(char *xml, const char *disk, const char *format)
{
        g_autofree char *devices =
                g_strdup_printf("<disk type='file' device='disk'><driver name='qemu' type='%s'/>"
                                "<source file='%s'/><target dev='vda' bus='virtio'/></disk></devices>",
                                format, disk);
        GString *text = g_string_new(xml);

        ck_assert_uint_eq(g_string_replace(text, "</devices>", devices, 1), 1);
        g_free(xml);
        return g_string_free(text, FALSE);
}

struct scene {
        char *console, *from, *to, *path;
        char *xml, *back; /* as it is to be on the other side, and as it is at first */
};

static char *replace(const char *text, const char *from, const char *to)
{
        g_autoptr(GString) copy = g_string_new(text);

        ck_assert_uint_ge(g_string_replace(copy, from, to, 0), 1);
        return g_strdup(copy->str);
}

/* xml (taken): writes to its first disk what it counts. The other side has folders of its own. */
static void scene_init_with(struct scene *scene, char *xml, const char *format, const char *base)
{
        g_autofree char *folder = harness_path(there.harness, "images");

        scene->from = harness_path(here.harness, "disk.img");
        scene->to = g_build_filename(folder, "disk.img", NULL);
        ck_assert_int_eq(mkdir(folder, 0755), 0);
        make_disk(scene->from, format, base);
        scene->path = guest_start(here.client, add_disk(xml, scene->from, format));
        guest_wait_console(scene->console, "virtbus-guest: ready");
        guest_wait_console(scene->console, "count 5\r");
        scene->back = client_call_string(here.client, scene->path, DOMAIN_INTERFACE, "GetXMLDesc", "u", 8);
        scene->xml = replace(scene->back, scene->from, scene->to);
}

static void scene_init(struct scene *scene, const char *format, const char *base)
{
        scene->console = harness_path(here.harness, "console");
        scene_init_with(
                scene,
                sides_append_console(guest_linux_xml("linux", scene->console, "record"), scene->console),
                format, base);
}

static void scene_clear(struct scene *scene)
{
        g_free(scene->console);
        g_free(scene->from);
        g_free(scene->to);
        g_free(scene->path);
        g_free(scene->xml);
        g_free(scene->back);
}

static void migrate(const struct scene *scene, unsigned flags)
{
        client_do(here.client, scene->path, DOMAIN_INTERFACE, "MigrateToURI3", "sa{sv}u", there.uri, 1,
                  "destination_xml", "s", scene->xml, flags);
}

/* It counts on there, and nowhere else. */
static void check_moved(const struct scene *scene, const struct side *from, const struct side *to)
{
        guest_expect_state(to->client, scene->path, STATE_RUNNING, -1);
        ck_assert(!side_runs(from, scene->path));
        sides_expect_counting(scene->console);
}

/* It ends, and its disk is where it is. */
static void check_end(const struct scene *scene, const struct side *side, const char *disk,
                      const char *format)
{
        unsigned count;

        guest_do_flags(side->client, scene->path, "Destroy", 0);
        count = sides_check_count(scene->console);
        ck_assert_uint_lt(count, PATTERN / BLOCK);
        check_disk(disk, format, count);
}

/* What the last job of the source says of disks, which it says once. */
static void get_disk_stats(const struct scene *scene, uint64_t *total, uint64_t *processed,
                           uint64_t *remaining)
{
        g_autoptr(sd_bus_message) reply =
                client_call(here.client, scene->path, DOMAIN_INTERFACE, "GetJobStats", "u", STATS_COMPLETED);
        const struct {
                const char *name;
                uint64_t *value;
        } wanted[] = { { "disk_total", total },
                       { "disk_processed", processed },
                       { "disk_remaining", remaining } };
        const char *key;
        int type;

        ck_assert_int_gt(sd_bus_message_enter_container(reply, 'r', "ia{sv}"), 0);
        ck_assert_int_gt(sd_bus_message_read(reply, "i", &type), 0);
        ck_assert_int_gt(sd_bus_message_enter_container(reply, 'a', "{sv}"), 0);
        while (sd_bus_message_enter_container(reply, 'e', "sv") > 0) {
                bool is_wanted = false;

                ck_assert_int_gt(sd_bus_message_read(reply, "s", &key), 0);
                for (unsigned i = 0; i < G_N_ELEMENTS(wanted); i++) {
                        if (strcmp(key, wanted[i].name) != 0)
                                continue;
                        is_wanted = true;
                        ck_assert_int_gt(sd_bus_message_read(reply, "v", "v", "t", wanted[i].value), 0);
                }
                if (!is_wanted)
                        ck_assert_int_ge(sd_bus_message_skip(reply, "v"), 0);
                ck_assert_int_ge(sd_bus_message_exit_container(reply), 0);
        }
}

/* ---- they go along ---- */

/* There, where an image is made for it, and back by TCP, paused, into the one that is there still. */
START_TEST(test_its_disk_comes_along)
{
        uint64_t total = 0, processed = 0, remaining = 1;
        struct scene scene;

        scene_init(&scene, "raw", NULL);
        migrate(&scene, LIVE | NON_SHARED_DISK);
        get_disk_stats(&scene, &total, &processed, &remaining);
        ck_assert_uint_ge(total, PATTERNS);
        ck_assert_uint_eq(processed, total);
        ck_assert_uint_eq(remaining, 0);
        check_moved(&scene, &here, &there);
        client_do(there.client, scene.path, DOMAIN_INTERFACE, "MigrateToURI3", "sa{sv}u", here.uri, 6,
                  "destination_xml", "s", scene.back, "migrate_uri", "s", "tcp://127.0.0.1", "listen_address",
                  "s", "127.0.0.1", "disks_port", "i", 50125, "migrate_disks", "as", 1, "vda",
                  "migrate_disks_detect_zeroes", "s", "vda", NON_SHARED_DISK | SYNCHRONOUS_WRITES);
        check_moved(&scene, &there, &here);
        /* Nobody takes it away, now that it has been somebody's. */
        check_disk(scene.to, "raw", 5);
        check_end(&scene, &here, scene.from, "raw");
        scene_clear(&scene);
}
END_TEST

/* What is below its image is there already, and on the way back all goes into one. */
START_TEST(test_what_is_above_comes_along)
{
        g_autofree char *base = harness_path(here.harness, "base.img"),
                        *whole = harness_path(here.harness, "whole.img"), *back = NULL;
        struct scene scene;
        struct stat st;

        make_disk(base, "qcow2", NULL);
        scene_init(&scene, "qcow2", base);
        migrate(&scene, LIVE | NON_SHARED_INC);
        check_moved(&scene, &here, &there);
        ck_assert_int_eq(stat(scene.to, &st), 0);
        ck_assert_uint_lt((uint64_t)st.st_blocks * 512, PATTERNS);
        back = replace(scene.back, scene.from, whole);
        client_do(there.client, scene.path, DOMAIN_INTERFACE, "MigrateToURI3", "sa{sv}u", here.uri, 1,
                  "destination_xml", "s", back, LIVE | NON_SHARED_DISK);
        check_moved(&scene, &there, &here);
        unlink(base);
        check_end(&scene, &here, whole, "qcow2");
        scene_clear(&scene);
}
END_TEST

/* ---- they do not ---- */

static bool is_copying(void *data)
{
        g_autoptr(sd_bus_message) reply =
                client_call(here.client, data, DOMAIN_INTERFACE, "GetJobInfo", NULL);
        uint64_t numbers[11];
        int type;

        ck_assert_int_gt(sd_bus_message_read(reply, "(ittttttttttt)", &type, &numbers[0], &numbers[1],
                                             &numbers[2], &numbers[3], &numbers[4], &numbers[5], &numbers[6],
                                             &numbers[7], &numbers[8], &numbers[9], &numbers[10]),
                         0);
        return numbers[9] > 0; /* fileProcessed */
}

/* At a pace that is over before the test is, and not before it has seen it. */
static void begin(const struct scene *scene, struct client_answer *answer)
{
        *answer = (struct client_answer){ 0 };
        client_send(here.client, answer, scene->path, DOMAIN_INTERFACE, "MigrateToURI3", "sa{sv}u", there.uri,
                    2, "destination_xml", "s", scene->xml, "bandwidth", "t", (uint64_t)2,
                    LIVE | NON_SHARED_DISK);
        harness_wait_until(is_copying, scene->path, "some of its disk has gone over");
        ck_assert(g_file_test(scene->to, G_FILE_TEST_EXISTS));
}

static void expect_failure(struct client_answer *answer, const char *text)
{
        client_wait_answer(here.client, answer);
        ck_assert_ptr_nonnull(answer->error);
        ck_assert_msg(!text || strstr(answer->error, text), "'%s' is not in '%s'", text, answer->error);
        g_clear_pointer(&answer->error, g_free);
}

/* It runs here and nothing of it is there: no emulator, no image. */
static bool has_stayed(void *data)
{
        const struct scene *scene = data;

        return side_runs(&here, scene->path) && !side_has(&there, scene->path) &&
               harness_count_guests(here.harness) == 1 && !g_file_test(scene->to, G_FILE_TEST_EXISTS);
}

static void expect_stayed(struct scene *scene)
{
        harness_wait_until(has_stayed, scene, "all is as it was before");
        sides_expect_counting(scene->console);
}

/*
 * An agent that has just been started may not be through with what the one before has left. Its guest pauses
 * on the way: without KVM, QEMU 7.2 loses pages that a running guest writes behind a look at which ones
 * have changed, and now and then its kernel does not survive that.
 */
static bool has_moved(void *data)
{
        const struct scene *scene = data;
        g_autofree char *error =
                client_try(here.client, scene->path, DOMAIN_INTERFACE, "MigrateToURI3", "sa{sv}u", there.uri,
                           1, "destination_xml", "s", scene->xml, NON_SHARED_DISK);

        return !error;
}

/* Each time the next one begins with the same names of jobs and nodes: nothing is left of the one before. */
START_TEST(test_whoever_dies_while_it_is_copied)
{
        struct client_answer answer;
        struct scene scene;

        scene_init(&scene, "qcow2", NULL);
        begin(&scene, &answer);
        guest_do(here.client, scene.path, "AbortJob");
        expect_failure(&answer, "are not copied any further");
        expect_stayed(&scene);
        begin(&scene, &answer);
        side_kill_guest(&there, scene.path);
        expect_failure(&answer, "disk 'vda' of domain 'linux' cannot be copied");
        expect_stayed(&scene);
        begin(&scene, &answer);
        side_restart_agent(&there);
        expect_failure(&answer, NULL);
        expect_stayed(&scene);
        begin(&scene, &answer);
        side_restart_agent(&here);
        expect_failure(&answer, NULL);
        expect_stayed(&scene);
        harness_wait_until(has_moved, &scene, "nothing is left of what the agent before it had begun");
        check_moved(&scene, &here, &there);
        check_end(&scene, &there, scene.to, "qcow2");
        scene_clear(&scene);
}
END_TEST

static bool is_lost(void *data)
{
        const struct scene *scene = data;

        return !side_runs(&here, scene->path) && !side_has(&there, scene->path) &&
               harness_count_guests(here.harness) == 0 && !g_file_test(scene->to, G_FILE_TEST_EXISTS);
}

/* Nothing of it is anywhere but the disk that it had. */
START_TEST(test_it_dies_while_it_is_copied)
{
        struct client_answer answer;
        struct scene scene;

        scene_init(&scene, "raw", NULL);
        begin(&scene, &answer);
        side_kill_guest(&here, scene.path);
        expect_failure(&answer, NULL);
        harness_wait_until(is_lost, &scene, "nothing is left of the guest");
        check_disk(scene.from, "raw", sides_check_count(scene.console));
        scene_clear(&scene);
}
END_TEST

/* ---- another host that says nothing any more ---- */

/* Where its disk goes by on its way: to the emulator, which listens at another address. */
#define BY_HERE  "127.0.0.1:50221"
#define LISTEN   "127.0.0.2"
#define TO_THERE "tcp:" LISTEN ":50221"

enum { LOOKS = 1 }; /* connections before the emulator's */

struct silence {
        struct scene scene;
        struct proxy *proxy;
        struct client_answer answer;
};

static void silence_init(struct silence *silence)
{
        scene_init(&silence->scene, "raw", NULL);
        silence->proxy = proxy_new("tcp:" BY_HERE, TO_THERE);
        silence->answer = (struct client_answer){ 0 };
}

static void silence_clear(struct silence *silence)
{
        proxy_free(silence->proxy);
        scene_clear(&silence->scene);
}

static void send_by_proxy(struct silence *silence, unsigned speed, unsigned flags)
{
        const struct scene *scene = &silence->scene;

        silence->answer = (struct client_answer){ 0 };
        client_send(here.client, &silence->answer, scene->path, DOMAIN_INTERFACE, "MigrateToURI3", "sa{sv}u",
                    there.uri, 5, "destination_xml", "s", scene->xml, "bandwidth", "t", (uint64_t)speed,
                    "disks_uri", "s", "tcp:" BY_HERE, "migrate_uri", "s", "tcp:" LISTEN ":50222",
                    "listen_address", "s", LISTEN, NON_SHARED_DISK | flags);
}

static bool is_silent(void *data)
{
        struct silence *silence = data;

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
        send_by_proxy(&silence, 100, LIVE);
        expect_failure(&silence.answer, "'qemu-img'");
        expect_stayed(&silence.scene);
        proxy_cut(silence.proxy);
        proxy_stall(silence.proxy, 2 * LOOKS, 0);
        send_by_proxy(&silence, 100, LIVE);
        expect_failure(&silence.answer, "disk 'vda'");
        ck_assert(proxy_is_stalled(silence.proxy));
        expect_stayed(&silence.scene);
        silence_clear(&silence);
}
END_TEST

/* It runs on, and nothing is left of it for the next one, although nobody hangs up. */
START_TEST(test_silent_in_the_middle)
{
        struct silence silence;

        silence_init(&silence);
        proxy_stall(silence.proxy, LOOKS, 8 * MIB);
        send_by_proxy(&silence, 100, LIVE);
        wait_for_silence(&silence);
        sides_expect_counting(silence.scene.console);
        guest_do(here.client, silence.scene.path, "AbortJob");
        expect_failure(&silence.answer, "are not copied any further");
        expect_stayed(&silence.scene);
        migrate(&silence.scene, LIVE | NON_SHARED_DISK);
        check_moved(&silence.scene, &here, &there);
        check_end(&silence.scene, &there, silence.scene.to, "raw");
        silence_clear(&silence);
}
END_TEST

static bool is_moving(void *data)
{
        struct silence *silence = data;
        g_autoptr(sd_bus_message) reply =
                client_call(here.client, silence->scene.path, DOMAIN_INTERFACE, "GetJobInfo", NULL);
        uint64_t numbers[11];
        int type;

        ck_assert_int_gt(sd_bus_message_read(reply, "(ittttttttttt)", &type, &numbers[0], &numbers[1],
                                             &numbers[2], &numbers[3], &numbers[4], &numbers[5], &numbers[6],
                                             &numbers[7], &numbers[8], &numbers[9], &numbers[10]),
                         0);
        return numbers[6] > 0 || silence->answer.done; /* memProcessed */
}

static void pause_and_go_on(const char *path)
{
        guest_do(here.client, path, "Suspend");
        guest_do(here.client, path, "Resume");
}

/* All of its disk is there, and some of its memory: it stops, and cannot go. No other guest notices. */
static void check_silence_at_the_end(unsigned flags)
{
        g_autofree char *other = NULL;
        struct silence silence;

        silence_init(&silence);
        other = guest_start(here.client, guest_bare_xml("other", NULL));
        send_by_proxy(&silence, 8, flags);
        harness_wait_until(is_moving, &silence, "some of its memory has gone over");
        proxy_stall(silence.proxy, LOOKS, 0);
        wait_for_silence(&silence);
        pause_and_go_on(other);
        ck_assert(!silence.answer.done);
        expect_failure(&silence.answer, "are not taken by the other host any more");
        pause_and_go_on(silence.scene.path);
        guest_do_flags(here.client, other, "Destroy", 0);
        expect_stayed(&silence.scene);
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
        scene_init_with(scene, replace(xml, "action=count", "action=record"), "raw", NULL);
        silence->proxy = proxy_new("tcp:" BY_HERE, TO_THERE);
        return true;
}

static void start_postcopy(struct silence *silence)
{
        harness_wait_until(is_moving, silence, "some of its memory has gone over");
        ck_assert_msg(!silence->answer.done, "%s", silence->answer.error);
        client_do(here.client, silence->scene.path, DOMAIN_INTERFACE, "MigrateStartPostCopy", "u", 0);
}

/* Whoever has the disk has it alone: the guest, once it runs. */
static void expect_no_server(void)
{
        struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(50221) };
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
        send_by_proxy(&silence, 8, LIVE | POSTCOPY);
        start_postcopy(&silence);
        client_wait_event(there.client, silence.scene.path, EVENT_RESUMED, RESUMED_POSTCOPY);
        expect_no_server();
        client_wait_event(there.client, silence.scene.path, EVENT_RESUMED, RESUMED_MIGRATED);
        client_wait_answer(here.client, &silence.answer);
        ck_assert_ptr_null(silence.answer.error);
        check_moved(&silence.scene, &here, &there);
        check_end(&silence.scene, &there, silence.scene.to, "raw");
        silence_clear(&silence);
}
END_TEST

/* Where it would have begun the other host is silent: it has not, so the guest goes on here. */
START_TEST(test_silent_before_postcopy)
{
        struct silence silence;

        if (!postcopy_init(&silence))
                return;
        send_by_proxy(&silence, 8, LIVE | POSTCOPY);
        harness_wait_until(is_moving, &silence, "some of its memory has gone over");
        proxy_stall(silence.proxy, LOOKS, 0);
        start_postcopy(&silence);
        expect_failure(&silence.answer, "are not taken by the other host any more");
        expect_stayed(&silence.scene);
        silence_clear(&silence);
}
END_TEST

/* The agent after it finds a guest that waits for a word that nobody will say. */
START_TEST(test_the_agent_dies_before_postcopy)
{
        struct silence silence;

        if (!postcopy_init(&silence))
                return;
        send_by_proxy(&silence, 8, LIVE | POSTCOPY);
        harness_wait_until(is_moving, &silence, "some of its memory has gone over");
        proxy_stall(silence.proxy, LOOKS, 0);
        start_postcopy(&silence);
        wait_for_silence(&silence);
        harness_end_agent(here.harness, SIGKILL);
        proxy_cut(silence.proxy);
        harness_start_agent(here.harness);
        expect_failure(&silence.answer, NULL);
        expect_stayed(&silence.scene);
        silence_clear(&silence);
}
END_TEST

/* ---- by TLS ---- */

static void expect_stranger(struct scene *scene, const char *text)
{
        client_fails(here.client, LIBVIRT_ERROR, text, scene->path, DOMAIN_INTERFACE, "MigrateToURI3",
                     "sa{sv}u", there.uri, 1, "destination_xml", "s", scene->xml,
                     LIVE | TLS | NON_SHARED_DISK);
        expect_stayed(scene);
}

/* Who is not whom the certificate names gets nothing of its disk. */
START_TEST(test_by_tls)
{
        g_autofree char *theirs = certificates_make_for(there.harness, "elsewhere");
        struct scene scene;

        side_set_certificates(&here, theirs);
        side_set_certificates(&there, theirs);
        scene_init(&scene, "qcow2", NULL);
        expect_stranger(&scene, "*disk 'vda' *ertificate*localhost*");
        client_do(here.client, scene.path, DOMAIN_INTERFACE, "MigrateToURI3", "sa{sv}u", there.uri, 2,
                  "destination_xml", "s", scene.xml, "tls_destination", "s", "elsewhere",
                  LIVE | TLS | NON_SHARED_DISK);
        check_moved(&scene, &here, &there);
        check_end(&scene, &there, scene.to, "qcow2");
        scene_clear(&scene);
}
END_TEST

/* Nor does one of an authority that the other side does not know; it knows whom it gives it to. */
START_TEST(test_strangers)
{
        g_autofree char *ours = certificates_make(here.harness), *theirs = certificates_make(there.harness);
        struct scene scene;

        side_set_certificates(&here, ours);
        side_set_certificates(&there, theirs);
        scene_init(&scene, "raw", NULL);
        expect_stranger(&scene, "*disk 'vda' *");
        side_set_certificates(&there, ours);
        migrate(&scene, LIVE | TLS | NON_SHARED_DISK);
        check_moved(&scene, &here, &there);
        check_end(&scene, &there, scene.to, "raw");
        scene_clear(&scene);
}
END_TEST

static void refuse(const char *path, const char *text, const char *name, const char *value, unsigned flags)
{
        client_fails(here.client, LIBVIRT_ERROR, text, path, DOMAIN_INTERFACE, "MigrateToURI3", "sa{sv}u",
                     there.uri, 1, name, "s", value, flags);
        guest_expect_state(here.client, path, STATE_RUNNING, -1);
        ck_assert(!side_has(&there, path));
}

START_TEST(test_what_is_refused)
{
        g_autofree char
                *disk = harness_path(here.harness, "disk.img"),
                *other = harness_path(here.harness, "other.img"),
                *small = harness_path(there.harness, "small.img"),
                *devices = g_strdup_printf(
                        "<disk type='file'><driver type='raw'/><source file='%s'/><target dev='vda'/></disk>"
                        "<disk type='file'><driver type='raw'/><source file='%s'/><target dev='vdb'/>"
                        "<readonly/></disk><disk type='file' device='cdrom'><target dev='sda' bus='sata'/>"
                        "</disk>",
                        disk, other);
        g_autofree char *path = NULL, *xml = NULL, *nowhere = NULL, *less = NULL;

        ck_assert(g_file_set_contents(disk, "", 0, NULL));
        ck_assert_int_eq(truncate(disk, MIB), 0);
        ck_assert(g_file_set_contents(other, "", 0, NULL));
        ck_assert_int_eq(truncate(other, MIB), 0);
        ck_assert(g_file_set_contents(small, "", 0, NULL));
        ck_assert_int_eq(truncate(small, MIB / 2), 0);
        path = guest_start(here.client, guest_bare_xml("bare", devices));
        xml = client_call_string(here.client, path, DOMAIN_INTERFACE, "GetXMLDesc", "u", 8);
        refuse(path, "*exclude each other", "destination_xml", xml, LIVE | NON_SHARED_DISK | NON_SHARED_INC);
        refuse(path, "*needs NON_SHARED_DISK or NON_SHARED_INC", "destination_xml", xml,
               LIVE | SYNCHRONOUS_WRITES);
        refuse(path, "*'migrate_disks' needs the flag NON_SHARED_DISK or NON_SHARED_INC", "migrate_disks",
               "vda", LIVE);
        refuse(path, "*'migrate_disks' names disk 'vdz', which domain 'bare' does not have", "migrate_disks",
               "vdz", LIVE | NON_SHARED_DISK);
        refuse(path, "*disk 'vdb' cannot be copied to another host: it is read-only", "migrate_disks", "vdb",
               LIVE | NON_SHARED_DISK);
        refuse(path, "*disk 'sda' cannot be copied to another host: it has no medium", "migrate_disks", "sda",
               LIVE | NON_SHARED_DISK);
        refuse(path, "*'tcp:HOST'*", "disks_uri", "exec:false", LIVE | NON_SHARED_DISK);
        nowhere = replace(xml, disk, "/nowhere/disk.img");
        refuse(path, "*'/nowhere'*", "destination_xml", nowhere, LIVE | NON_SHARED_DISK);
        less = replace(xml, disk, small);
        refuse(path, "*disk 'vda' has 524288 bytes here, which is less than the 1048576 of the disk",
               "destination_xml", less, LIVE | NON_SHARED_DISK);
        /* The same file on the same host: its guest has it. */
        refuse(path, "*lock*", "destination_xml", xml, LIVE | NON_SHARED_DISK);
        ck_assert(g_file_test(small, G_FILE_TEST_EXISTS) && g_file_test(disk, G_FILE_TEST_EXISTS));
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("guest/migration-disks");
        TCase *moves = tcase_create("moves"), *deaths = tcase_create("deaths"), *tls = tcase_create("tls"),
              *silence = tcase_create("silence"), *postcopy = tcase_create("postcopy"),
              *refusals = tcase_create("refusals");

        tcase_set_timeout(moves, 600);
        tcase_add_checked_fixture(moves, sides_set_up, sides_tear_down);
        tcase_add_test(moves, test_its_disk_comes_along);
        tcase_add_test(moves, test_what_is_above_comes_along);
        suite_add_tcase(suite, moves);
        tcase_set_timeout(deaths, 600);
        tcase_add_checked_fixture(deaths, sides_set_up, sides_tear_down);
        tcase_add_test(deaths, test_whoever_dies_while_it_is_copied);
        tcase_add_test(deaths, test_it_dies_while_it_is_copied);
        suite_add_tcase(suite, deaths);
        tcase_set_timeout(silence, 600);
        tcase_add_checked_fixture(silence, sides_set_up, sides_tear_down);
        tcase_add_test(silence, test_silent_at_first);
        tcase_add_test(silence, test_silent_in_the_middle);
        tcase_add_test(silence, test_silent_at_last);
        tcase_add_test(silence, test_silent_at_last_without_writes);
        suite_add_tcase(suite, silence);
        tcase_set_timeout(postcopy, 600);
        tcase_add_checked_fixture(postcopy, sides_set_up, sides_tear_down);
        tcase_add_test(postcopy, test_before_its_memory);
        tcase_add_test(postcopy, test_silent_before_postcopy);
        tcase_add_test(postcopy, test_the_agent_dies_before_postcopy);
        suite_add_tcase(suite, postcopy);
        tcase_set_timeout(tls, 600);
        tcase_add_checked_fixture(tls, sides_set_up, sides_tear_down);
        tcase_add_test(tls, test_by_tls);
        tcase_add_test(tls, test_strangers);
        suite_add_tcase(suite, tls);
        tcase_set_timeout(refusals, 300);
        tcase_add_checked_fixture(refusals, sides_set_up, sides_tear_down);
        tcase_add_test(refusals, test_what_is_refused);
        suite_add_tcase(suite, refusals);
        return harness_main(suite);
}
