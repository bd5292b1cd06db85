/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A guest whose variable store is a file of both hosts goes from one to the other, and an agent is killed on
 * the way: exactly one guest runs, and the store is what it was, there or here, and named by who has it.
 */

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/guest.h"
#include "tests/support/harness.h"
#include "tests/support/proxy.h"
#include "tests/support/sides.h"

enum { STORE_BYTES = 1 << 18, FIRST_BYTES = 1 << 16, KEEP_NVRAM = 8 };

/* What is said or done, at which everything stands still for a moment. */
static const struct moment {
        const char *member; /* NULL: part of the guest has gone over */
        bool reply;
} moments[] = {
        { "Prepare", false }, { "Prepare", true }, { NULL }, { "Finish", false }, { "Finish", true },
        { "Confirm", false }, { "Confirm", true },
};

struct scene {
        struct proxy *agents, *emulators; /* owned */
        char *uri;                        /* owned; by which the agents speak */
        char *from, *to;              /* owned; where the emulator's stream comes in, and where it is meant */
        char *store, *element, *path; /* owned */
        char *content;                /* owned; of the store */
        unsigned flags;
        struct client_answer answer;
};

/* ---- the guest ---- */

static void make_file(const char *file, char byte, size_t length)
{
        g_autofree char *content = g_malloc(length);

        memset(content, byte, length);
        ck_assert(g_file_set_contents(file, content, (gssize)length, NULL));
        ck_assert_int_eq(chmod(file, 0666), 0);
}

/* The code does nothing, so the store stays as it is unless somebody makes it again, of its template. */
static char *make_xml(struct scene *scene)
{
        g_autofree char *code = harness_path(here.harness, "CODE.fd");
        g_autofree char *template = harness_path(here.harness, "TEMPLATE.fd");
        g_autofree char *bare = guest_bare_xml("bare", NULL);
        g_auto(GStrv) parts = g_strsplit(bare, "</os>", 2);

        make_file(code, 0, 1 << 20);
        make_file(template, 't', STORE_BYTES);
        make_file(scene->store, 's', STORE_BYTES);
        return g_strdup_printf("%s<loader readonly='yes' type='pflash'>%s</loader>"
                               "<nvram template='%s'>%s</nvram></os>%s",
                               parts[0], code, template, scene->store, parts[1]);
}

static void scene_init(struct scene *scene, unsigned flags)
{
        /* Those of other tests are still there. */
        unsigned port = 51000 + (unsigned)getpid() % 8000;

        *scene = (struct scene){ .flags = flags };
        scene->agents = sides_new_proxy(&there, &scene->uri);
        scene->from = g_strdup_printf("tcp:127.0.0.1:%u", port);
        scene->to = g_strdup_printf("tcp:127.0.0.2:%u", port);
        scene->emulators = proxy_new(scene->from, scene->to);
        scene->store = harness_path(here.harness, "VARS.fd");
        scene->element = g_strconcat(scene->store, "</nvram>", NULL);
        scene->path = guest_define(here.client, make_xml(scene));
        ck_assert(g_file_get_contents(scene->store, &scene->content, NULL, NULL));
        guest_do_flags(here.client, scene->path, "Create", 0);
}

static void scene_clear(struct scene *scene)
{
        proxy_free(scene->agents);
        proxy_free(scene->emulators);
        g_free(scene->uri);
        g_free(scene->from);
        g_free(scene->to);
        g_free(scene->store);
        g_free(scene->element);
        g_free(scene->path);
        g_free(scene->content);
        g_free(scene->answer.error);
}

/* ---- what there is to see ---- */

static void expect_store(const struct scene *scene)
{
        g_autofree char *content = NULL;
        gsize length = 0;

        ck_assert_msg(g_file_get_contents(scene->store, &content, &length, NULL), "the store is gone");
        ck_assert_uint_eq(length, STORE_BYTES);
        ck_assert_msg(memcmp(content, scene->content, length) == 0, "the store is another one");
}

static bool is_persistent(const struct side *side, const char *path)
{
        return side_has(side, path) && client_get_bool(side->client, path, DOMAIN_INTERFACE, "Persistent");
}

/* In what runs, and in what would run the next time (flag 2). */
static void expect_named(const struct scene *scene, const struct side *side, unsigned flags)
{
        g_autofree char *xml =
                client_call_string(side->client, scene->path, DOMAIN_INTERFACE, "GetXMLDesc", "u", flags);

        ck_assert_msg(strstr(xml, scene->element) != NULL, "the store is not named: %s", xml);
}

static bool is_settled(void *data)
{
        const struct scene *scene = data;
        bool is_there = side_runs(&there, scene->path), moves = scene->flags & UNDEFINE_SOURCE;

        return side_runs(&here, scene->path) + is_there == 1 && side_has(&there, scene->path) == is_there &&
               (!moves || side_has(&here, scene->path) == !is_there) &&
               harness_count_guests(here.harness) == 1;
}

static void expect_settled(const struct scene *scene)
{
        const struct side *home;

        harness_wait_until(is_settled, (void *)scene, "exactly one guest runs");
        home = side_runs(&there, scene->path) ? &there : &here;
        expect_store(scene);
        expect_named(scene, home, 0);
        if (!(scene->flags & UNDEFINE_SOURCE))
                home = &here;
        ck_assert_msg(is_persistent(home, scene->path), "nobody has its definition");
        expect_named(scene, home, 2);
}

/* ---- who dies when ---- */

static bool is_held_or_over(void *data)
{
        const struct scene *scene = data;

        client_process(here.client);
        return scene->answer.done || proxy_is_held(scene->agents) || proxy_is_stalled(scene->emulators);
}

static void begin(struct scene *scene, const struct moment *moment)
{
        scene->answer = (struct client_answer){ 0 };
        if (moment->member)
                proxy_hold(scene->agents, moment->member, moment->reply);
        else
                proxy_stall(scene->emulators, 0, FIRST_BYTES);
        client_send(here.client, &scene->answer, scene->path, DOMAIN_INTERFACE, "MigrateToURI3", "sa{sv}u",
                    scene->uri, 2, "migrate_uri", "s", scene->from, "listen_address", "s", "127.0.0.2",
                    scene->flags);
        harness_wait_until(is_held_or_over, scene, "it stands still, or is over");
}

/* What waits there for a guest that does not come, of a scene before, may not have noticed that yet. */
static void begin_when_settled(struct scene *scene, const struct moment *moment)
{
        for (unsigned i = 0; i < 20; i++) {
                begin(scene, moment);
                if (!scene->answer.done)
                        return;
                ck_assert_msg(scene->answer.error && strstr(scene->answer.error, "is already active"),
                              "it ended before its moment: %s", scene->answer.error);
                g_clear_pointer(&scene->answer.error, g_free);
                proxy_release(scene->agents);
                proxy_cut(scene->emulators);
                expect_settled(scene);
        }
        ck_abort_msg("it does not begin");
}

/* An agent that has just come says what was written down, until it has asked: it may have been stopped. */
static bool runs_here(void *data)
{
        const struct scene *scene = data;

        return side_runs(&here, scene->path);
}

static void play(struct scene *scene, const struct moment *moment, const struct side *victim)
{
        begin_when_settled(scene, moment);
        expect_store(scene);
        side_restart_agent(victim);
        proxy_release(scene->agents);
        proxy_cut(scene->emulators);
        client_wait_answer(here.client, &scene->answer);
        g_clear_pointer(&scene->answer.error, g_free);
        expect_settled(scene);
        if (side_runs(&there, scene->path))
                sides_migrate(&there, scene->path, &here, scene->flags);
        expect_settled(scene);
        harness_wait_until(runs_here, scene, "it runs where it did at first");
}

/* Either agent, at each moment, with the definition staying and going along. */
START_TEST(test_an_agent_dies)
{
        struct scene scene;

        scene_init(&scene, _i & 2 ? LIVE | PERSIST_DEST | UNDEFINE_SOURCE : LIVE);
        for (unsigned i = 0; i < G_N_ELEMENTS(moments); i++)
                play(&scene, &moments[i], _i & 1 ? &there : &here);
        /* It is a store like any other, that is kept and goes as one is told. */
        guest_do_flags(here.client, scene.path, "Destroy", 0);
        expect_store(&scene);
        guest_do_flags(here.client, scene.path, "Undefine", KEEP_NVRAM);
        expect_store(&scene);
        scene_clear(&scene);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("guest/migration-nvram");
        TCase *deaths = tcase_create("deaths");

        tcase_set_timeout(deaths, 300);
        tcase_add_checked_fixture(deaths, sides_set_up, sides_tear_down);
        tcase_add_loop_test(deaths, test_an_agent_dies, 0, 4);
        suite_add_tcase(suite, deaths);
        return harness_main(suite);
}
