/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Media and limits of disks that change while QEMU takes its time and then hangs, or while the agent is
 * killed, at each of the commands: the call ends when it is due and says at what, and afterwards the document
 * says what QEMU has, for whoever comes next. Between the agent and QEMU stands tests/support/fake-qemu.
 */

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/guest.h"
#include "tests/support/harness.h"
#include "tests/support/script.h"

enum { LIVE = 1, FIRST_S = 12, CALL_S = 30, LOADED_S = 10, BYTES = 2000000 };

#define DISK(device, image, target, bus, more)                                                               \
        "<disk type='file' device='" device "'><driver name='qemu' type='raw'/><source file='" image "'/>"   \
        "<target dev='" target "' bus='" bus "'/>" more "</disk>"
#define DISKS                                                                                                \
        DISK("cdrom", "@old.img", "sda", "sata", "")                                                         \
        DISK("disk", "@a.img", "vda", "virtio", "")                                                          \
        DISK("disk", "@b.img", "vdb", "virtio",                                                              \
             "<iotune><total_bytes_sec>1000000</total_bytes_sec><group_name>one</group_name></iotune>")

/* What is to change, and the command at which QEMU hangs, so many behind the first and those that pass. */
static const struct change {
        const char *name, *command;
        unsigned passes;
        const char *disk, *group; /* NULL: a medium; the limits' group, "": their own */
        bool comes;               /* what is missing then is not worth a failure */
        bool ends;                /* no limits any more */
        int commands, until;      /* that it takes; behind so many it has come about, answered or not */
} changes[] = {
        { "open", "blockdev-open-tray", 1, NULL },
        { "remove", "blockdev-remove-medium", 2, NULL },
        { "insert", "blockdev-insert-medium", 3, NULL },
        { "close", "blockdev-close-tray", 4, NULL, NULL, true },
        { "limit", "qom-set", 1, "vda", "" },
        { "group", "blockdev-reopen", 0, "vdb", "two" },
        { "numbers", "qom-set", 0, "vda", "one" },
};

/* All that a change takes, one command after another. */
static const struct change kinds[] = {
        { "medium", .commands = 8, .until = 6 },
        { "own", .disk = "vda", .group = "", .commands = 3, .until = 4 },
        { "other", .disk = "vdb", .group = "two", .commands = 3, .until = 4 },
        { "none", .disk = "vdb", .group = "", .ends = true, .commands = 3, .until = 4 },
        { "joined", .disk = "vda", .group = "one", .commands = 3, .until = 4 },
};

enum { N = G_N_ELEMENTS(changes), KINDS = G_N_ELEMENTS(kinds), COMMANDS_MAX = 8 };

struct scene {
        const struct change *change;
        char *script, *monitor, *path; /* owned */
        char *status;                  /* owned; the path of its status document */
        char *xml, *before, *has;      /* owned; the new drive, the document before, and what QEMU had then */
        struct client_answer answer;
};

static struct harness *harness;
static struct client *client;

/* ---- the guests ---- */

/* With the files of that guest. */
static char *put_files(const char *text, const char *name)
{
        g_autofree char *below = g_strconcat(name, "-", NULL), *prefix = harness_path(harness, below);
        GString *xml = g_string_new(text);

        g_string_replace(xml, "@", prefix, 0);
        return g_string_free(xml, FALSE);
}

static void make_images(const char *name)
{
        static const char *const files[] = { "@old.img", "@new.img", "@a.img", "@b.img" };

        for (unsigned i = 0; i < G_N_ELEMENTS(files); i++) {
                g_autofree char *image = put_files(files[i], name);

                ck_assert(g_file_set_contents(image, "", 0, NULL));
                ck_assert_int_eq(truncate(image, 1024 * 1024), 0);
                ck_assert_int_eq(chmod(image, 0666), 0);
        }
}

static char *get_xml(const struct scene *scene)
{
        return client_call_string(client, scene->path, DOMAIN_INTERFACE, "GetXMLDesc", "u", 0);
}

/* Of the answers to these questions, one per line, by a monitor of the test's own. */
static char *ask_qemu(const struct scene *scene)
{
        static const char questions[] = "{'execute': 'query-block'}\n{'execute': 'query-named-block-nodes'}\n"
                                        "{'execute': 'qom-list', 'arguments': {'path': '/objects'}}\n";
        int fd = guest_open_monitor(scene->monitor);
        FILE *stream = fdopen(fd, "r");
        GString *answers = g_string_new(NULL);
        g_autofree char *line = NULL;
        size_t size = 0;

        ck_assert_int_eq(write(fd, questions, strlen(questions)), (ssize_t)strlen(questions));
        for (unsigned i = 0; i < 3;) {
                ck_assert_int_gt(getline(&line, &size, stream), 0);
                ck_assert_ptr_null(strstr(line, "\"error\""));
                if (!g_str_has_prefix(line, "{\"return\": ["))
                        continue;
                g_string_append(answers, line);
                i++;
        }
        fclose(stream);
        /* The firmware turns it on when it comes to the disk. */
        g_string_replace(answers, "\"writeback\": false", "\"writeback\": true", 0);
        return g_string_free(answers, FALSE);
}

/* No change is open, and nothing is kept for a medium that was to come or to go. */
static bool is_settled(const struct scene *scene)
{
        g_autofree char *text = NULL;

        return g_file_get_contents(scene->status, &text, NULL, NULL) && !strstr(text, "<medium>") &&
               !strstr(text, "<limits>") && !strstr(text, "/before'");
}

static void scene_init(struct scene *scene, const struct change *change)
{
        g_autofree char *script = g_strconcat(change->name, ".script", NULL);
        g_autofree char *monitor = g_strconcat(change->name, ".sock", NULL);
        g_autofree char *disks = put_files(DISKS, change->name);
        g_autofree char *bare = guest_fault_xml("plug", change->name);
        g_auto(GStrv) front = g_strsplit(bare, "</devices>", 2);

        *scene = (struct scene){ .change = change };
        scene->script = script_new(harness, script);
        scene->monitor = harness_path(harness, monitor);
        make_images(change->name);
        scene->path = guest_start(
                client, g_strdup_printf("%s%s</devices><commandline "
                                        "xmlns='http://libvirt.org/schemas/domain/qemu/1.0'>"
                                        "<arg value='-D'/><arg value='%s'/><arg value='-qmp'/>"
                                        "<arg value='unix:%s,server=on,wait=off'/><arg value='-object'/>"
                                        "<arg value='throttle-group,id=own'/></commandline></domain>",
                                        front[0], disks, scene->script, scene->monitor));
        scene->xml = put_files(DISK("cdrom", "@new.img", "sda", "sata", ""), change->name);
        scene->status = guest_status_path(harness, client, scene->path);
        scene->before = get_xml(scene);
        scene->has = ask_qemu(scene);
}

static void scene_clear(struct scene *scene)
{
        g_free(scene->script);
        g_free(scene->monitor);
        g_free(scene->path);
        g_free(scene->status);
        g_free(scene->xml);
        g_free(scene->before);
        g_free(scene->has);
        g_free(scene->answer.error);
}

/* ---- what changes ---- */

static void send_change(struct scene *scene)
{
        const struct change *change = scene->change;

        g_clear_pointer(&scene->answer.error, g_free);
        scene->answer.done = false;
        if (!change->disk)
                client_send(client, &scene->answer, scene->path, DOMAIN_INTERFACE, "UpdateDevice", "su",
                            scene->xml, LIVE);
        else if (!*change->group)
                client_send(client, &scene->answer, scene->path, DOMAIN_INTERFACE, "SetBlockIOTune",
                            "sa{sv}u", change->disk, 1, "total_bytes_sec", "t",
                            change->ends ? (uint64_t)0 : (uint64_t)BYTES, LIVE);
        else
                client_send(client, &scene->answer, scene->path, DOMAIN_INTERFACE, "SetBlockIOTune",
                            "sa{sv}u", change->disk, 2, "group_name", "s", change->group, "total_bytes_sec",
                            "t", (uint64_t)BYTES, LIVE);
}

static bool has_changed(void *data)
{
        const struct scene *scene = data;
        g_autofree char *xml = get_xml(scene), *has = ask_qemu(scene);

        if (!is_settled(scene))
                return false;
        if (!scene->change->disk)
                return strstr(xml, "new.img") && !strstr(xml, "old.img") && strstr(has, "new.img") &&
                       !strstr(has, "old.img") && !strstr(has, "\"tray_open\": true") &&
                       !strstr(xml, "tray='open'");
        if (strcmp(has, scene->has) == 0)
                return false;
        if (scene->change->ends)
                return !strstr(xml, "<iotune>");
        return strstr(xml, "<total_bytes_sec>2000000</total_bytes_sec>");
}

static bool is_as_before(void *data)
{
        const struct scene *scene = data;
        g_autofree char *xml = get_xml(scene), *has = ask_qemu(scene);

        return is_settled(scene) && strcmp(xml, scene->before) == 0 && strcmp(has, scene->has) == 0;
}

static void expect_truth(struct scene *scene, bool changed)
{
        g_autofree char *what = g_strdup_printf("%s: the document and QEMU have what was %s",
                                                scene->change->name, changed ? "to come" : "there before");

        harness_wait_until(changed ? has_changed : is_as_before, scene, what);
}

/* ---- QEMU hangs ---- */

static bool is_time(void *when_us)
{
        return g_get_monotonic_time() >= *(int64_t *)when_us;
}

/* The first command takes most of the time, and one behind it is not answered. */
static void hang(struct scene *scenes)
{
        int64_t start_us = g_get_monotonic_time(), later_us = start_us + FIRST_S * G_USEC_PER_SEC;

        for (unsigned i = 0; i < N; i++) {
                script_tell(scenes[i].script, "0 hold");
                send_change(&scenes[i]);
        }
        for (unsigned i = 0; i < N; i++)
                harness_wait_until(script_is_held, scenes[i].script, "the first command is held");
        harness_wait_until(is_time, &later_us, "some of the time is over");
        for (unsigned i = 0; i < N; i++) {
                g_autofree char *word = g_strdup_printf("again %u", scenes[i].change->passes);

                script_tell(scenes[i].script, word);
        }
        for (unsigned i = 0; i < N; i++) {
                const char *command = scenes[i].change->command, *error;

                client_wait_answer(client, &scenes[i].answer);
                error = scenes[i].answer.error;
                ck_assert(script_is_held(scenes[i].script));
                ck_assert_int_lt(g_get_monotonic_time() - start_us, (CALL_S + LOADED_S) * G_USEC_PER_SEC);
                if (scenes[i].change->comes)
                        ck_assert_msg(!error, "%s: %s", scenes[i].change->name, error);
                else
                        ck_assert_msg(error && strstr(error, "did not answer ") && strstr(error, command),
                                      "%s: %s", scenes[i].change->name, error ? error : "success");
        }
}

/* _i: an agent that is killed then, and the next one, have to do with it. */
START_TEST(test_it_hangs)
{
        struct scene scenes[N];

        for (unsigned i = 0; i < N; i++)
                scene_init(&scenes[i], &changes[i]);
        hang(scenes);
        if (_i) {
                harness_end_agent(harness, SIGKILL);
                client_wait_name(client, false);
        }
        for (unsigned i = 0; i < N; i++)
                script_tell(scenes[i].script, "pass");
        if (_i)
                harness_start_agent(harness);
        for (unsigned i = 0; i < N; i++)
                expect_truth(&scenes[i], changes[i].comes);
        /* Whoever wants it then has it. */
        for (unsigned i = 0; i < N; i++) {
                send_change(&scenes[i]);
                client_wait_answer(client, &scenes[i].answer);
                ck_assert_msg(!scenes[i].answer.error, "%s: %s", changes[i].name, scenes[i].answer.error);
                expect_truth(&scenes[i], true);
                scene_clear(&scenes[i]);
        }
}
END_TEST

/* Nobody waits until it has been seen what became of the one before. */
START_TEST(test_it_is_repeated_at_once)
{
        struct scene scenes[N];

        for (unsigned i = 0; i < N; i++)
                scene_init(&scenes[i], &changes[i]);
        hang(scenes);
        for (unsigned i = 0; i < N; i++) {
                script_tell(scenes[i].script, "pass");
                send_change(&scenes[i]);
        }
        for (unsigned i = 0; i < N; i++) {
                client_wait_answer(client, &scenes[i].answer);
                ck_assert_msg(!scenes[i].answer.error, "%s: %s", changes[i].name, scenes[i].answer.error);
                expect_truth(&scenes[i], true);
                scene_clear(&scenes[i]);
        }
}
END_TEST

/* ---- the agent is killed ---- */

static bool is_held_or_over(void *data)
{
        struct scene *scene = data;

        client_process(client);
        return scene->answer.done || script_is_held(scene->script);
}

/* _i: so many commands have passed. Of those that are over at the last, nothing is held. */
START_TEST(test_the_agent_is_killed)
{
        g_autofree char *word = g_strdup_printf("%d hold", _i);
        struct scene scenes[KINDS];
        bool over[KINDS];
        unsigned n = 0;

        for (unsigned i = 0; i < KINDS; i++) {
                if (kinds[i].commands >= _i)
                        scene_init(&scenes[n++], &kinds[i]);
        }
        for (unsigned i = 0; i < n; i++) {
                script_tell(scenes[i].script, word);
                send_change(&scenes[i]);
        }
        for (unsigned i = 0; i < n; i++) {
                harness_wait_until(is_held_or_over, &scenes[i], "a command is held");
                over[i] = scenes[i].answer.done;
                ck_assert_msg(!over[i] || !scenes[i].answer.error, "%s: %s", scenes[i].change->name,
                              scenes[i].answer.error);
                ck_assert_msg(script_is_held(scenes[i].script) == (_i < scenes[i].change->commands), "%s",
                              scenes[i].change->name);
        }
        harness_end_agent(harness, SIGKILL);
        client_wait_name(client, false);
        for (unsigned i = 0; i < n; i++)
                script_tell(scenes[i].script, "pass");
        harness_start_agent(harness);
        for (unsigned i = 0; i < n; i++) {
                expect_truth(&scenes[i], over[i] || _i >= scenes[i].change->until);
                scene_clear(&scenes[i]);
        }
}
END_TEST

static void set_up(void)
{
        harness = harness_new();
        client = harness_get_client(harness);
}

static void tear_down(void)
{
        harness_free(harness);
}

static TCase *case_new(const char *name)
{
        TCase *tcase = tcase_create(name);

        tcase_add_checked_fixture(tcase, set_up, tear_down);
        tcase_set_timeout(tcase, 300);
        return tcase;
}

int main(void)
{
        Suite *suite = suite_create("guest/media-faults");
        TCase *hangs = case_new("hangs"), *killed = case_new("killed");

        tcase_add_loop_test(hangs, test_it_hangs, 0, 2);
        tcase_add_test(hangs, test_it_is_repeated_at_once);
        suite_add_tcase(suite, hangs);
        tcase_add_loop_test(killed, test_the_agent_is_killed, 0, COMMANDS_MAX + 1);
        suite_add_tcase(suite, killed);
        return harness_main(suite);
}
