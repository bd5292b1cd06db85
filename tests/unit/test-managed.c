/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Managed objects and their registry, with a kind of the test's own: define, update, transient life, names,
 * files, order of publication and answer, and start-up with damaged files.
 */
#include "base/registry.h"

#include "base/lane.h"
#include "base/loop.h"
#include "base/pool.h"
#include "base/store.h"

#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void thing_free(struct definition *definition)
{
        definition_clear(definition);
        g_free(definition);
}

/* The text of a definition of this kind is "<uuid> <name>"; the context is the kind itself. */
static struct definition *thing_parse(void *context, const char *xml, GError **error)
{
        struct definition *definition = g_new0(struct definition, 1);
        g_autofree char *id = g_strndup(xml, UUID_STRING_LENGTH);

        definition_init(definition, context);
        definition->xml = g_strdup(xml);
        if (strlen(xml) > UUID_STRING_LENGTH + 1)
                definition->name = g_strdup(xml + UUID_STRING_LENGTH + 1);
        if (!definition->name || !uuid_parse(&definition->uuid, id, NULL)) {
                definition_unref(definition);
                error_set(error, ERROR_FROM_NETWORK, ERROR_XML_ERROR, "not a thing");
                return NULL;
        }
        return definition;
}

static const struct managed_kind thing_kind = {
        .noun = "thing",
        .from = ERROR_FROM_NETWORK,
        .missing = ERROR_NO_NETWORK,
        .exists = ERROR_OPERATION_FAILED,
        .object_size = sizeof(struct managed),
        .state_size = sizeof(struct managed_state),
        .parse = thing_parse,
        .definition_free = thing_free,
};

#define ID_A "aaaaaaaa-0000-4000-8000-000000000001"
#define ID_B "bbbbbbbb-0000-4000-8000-000000000002"

static struct loop *loop;
static struct pool *pool;
static struct registry *registry;
static char directory[64];
static GString *journal;

static void note(const struct registry_change *change, void *data)
{
        g_string_append_printf(journal, "%s%s%s;", change->before ? "x" : "-", change->after ? "x" : "-",
                               change->event ? (change->event->type == MANAGED_EVENT_DEFINED ? "D" : "U")
                                             : "");
}

static struct registry *open_registry(void)
{
        struct registry *made = registry_new(&thing_kind, (void *)&thing_kind, loop, pool, directory);

        ck_assert(registry_load(made, NULL));
        registry_listen(made, note, NULL);
        return made;
}

static void setup(void)
{
        loop = loop_new(NULL);
        pool = pool_new(2, NULL);
        strcpy(directory, "/tmp/test-managed.XXXXXX");
        ck_assert_ptr_nonnull(mkdtemp(directory));
        journal = g_string_new(NULL);
        registry = open_registry();
}

static void remove_directory(void)
{
        const char *const argv[] = { "rm", "-rf", directory, NULL };

        ck_assert(g_spawn_sync(NULL, (char **)argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL, NULL, NULL,
                               NULL));
}

static void teardown(void)
{
        pool_free(pool);
        while (loop_step(loop, false))
                ;
        registry_free(registry);
        loop_free(loop);
        g_string_free(journal, TRUE);
        remove_directory();
}

/* ---- calls that wait for their end ---- */

struct outcome {
        unsigned running;
        char *error; /* of the last that failed; owned */
        struct managed *object;
};

static void finished(struct managed *object, const GError *error, void *data)
{
        struct outcome *outcome = data;

        g_string_append(journal, error ? "!" : ".");
        outcome->object = object;
        if (error) {
                g_free(outcome->error);
                outcome->error = g_strdup(error->message);
        }
        outcome->running--;
}

static void wait_for(struct outcome *outcome)
{
        while (outcome->running)
                loop_step(loop, true);
}

static void define(struct outcome *outcome, const char *text)
{
        struct definition *definition = thing_parse((void *)&thing_kind, text, NULL);

        ck_assert_ptr_nonnull(definition);
        outcome->running++;
        registry_define(registry, definition, finished, outcome);
}

static struct managed *find(const char *id)
{
        struct uuid uuid;

        ck_assert(uuid_parse(&uuid, id, NULL));
        return registry_find_uuid(registry, &uuid);
}

static bool has_file(const char *id)
{
        g_autofree char *path = g_strdup_printf("%s/%s.xml", directory, id);

        return access(path, F_OK) == 0;
}

static bool erase_work(struct managed *object, void *data, GError **error)
{
        struct managed_state *state;

        if (!managed_require_persistent(object, error) || !registry_erase(object, error))
                return false;
        state = managed_edit(object);
        managed_state_take_persistent(state, NULL);
        managed_publish(object, state, managed_event_new(MANAGED_EVENT_UNDEFINED, 0));
        return true;
}

static void erase(struct outcome *outcome, struct managed *object)
{
        outcome->running++;
        managed_run(object, MANAGED_IN_TURN, erase_work, finished, outcome);
}

/* ---- tests ---- */

START_TEST(define_publishes_before_it_answers)
{
        struct outcome outcome = { 0 };

        define(&outcome, ID_A " one");
        ck_assert_ptr_null(find(ID_A));
        wait_for(&outcome);
        ck_assert_str_eq(journal->str, "-xD;.");
        ck_assert_ptr_eq(outcome.object, find(ID_A));
        ck_assert_ptr_eq(registry_find_name(registry, "one"), find(ID_A));
        ck_assert_uint_eq(registry_get_count(registry), 1);
        ck_assert(has_file(ID_A));
}
END_TEST

START_TEST(redefine_is_an_update_and_acts_in_order)
{
        struct outcome outcome = { 0 };

        for (unsigned i = 0; i < 20; i++)
                define(&outcome, ID_A " one");
        wait_for(&outcome);
        ck_assert_ptr_null(outcome.error);
        ck_assert(g_str_has_prefix(journal->str, "-xD;."));
        ck_assert_ptr_nonnull(strstr(journal->str, "xxD;.xxD;."));
        ck_assert_uint_eq(registry_get_count(registry), 1);
}
END_TEST

START_TEST(names_and_uuids_are_unique)
{
        struct outcome outcome = { 0 };

        define(&outcome, ID_A " one");
        define(&outcome, ID_B " one");
        wait_for(&outcome);
        ck_assert_str_eq(outcome.error, "operation failed: thing 'one' already exists with uuid " ID_A);
        define(&outcome, ID_A " two");
        wait_for(&outcome);
        ck_assert_str_eq(outcome.error, "operation failed: thing 'one' is already defined with uuid " ID_A);
        ck_assert_uint_eq(registry_get_count(registry), 1);
        g_free(outcome.error);
}
END_TEST

START_TEST(undefine_forgets_the_object)
{
        struct outcome outcome = { 0 };

        define(&outcome, ID_A " one");
        wait_for(&outcome);
        erase(&outcome, find(ID_A));
        wait_for(&outcome);
        ck_assert_str_eq(journal->str, "-xD;.x-U;.");
        ck_assert_ptr_null(find(ID_A));
        ck_assert_ptr_null(registry_find_name(registry, "one"));
        ck_assert(!has_file(ID_A));
        define(&outcome, ID_B " one");
        wait_for(&outcome);
        ck_assert_ptr_nonnull(find(ID_B));
}
END_TEST

START_TEST(define_behind_undefine_keeps_the_object)
{
        struct outcome outcome = { 0 };

        define(&outcome, ID_A " one");
        wait_for(&outcome);
        erase(&outcome, find(ID_A));
        define(&outcome, ID_A " one");
        wait_for(&outcome);
        ck_assert_str_eq(journal->str, "-xD;.x-U;.-xD;.");
        ck_assert_ptr_nonnull(find(ID_A));
        ck_assert_ptr_nonnull(registry_find_name(registry, "one"));
        ck_assert(has_file(ID_A));
}
END_TEST

START_TEST(failed_work_leaves_nothing)
{
        struct outcome outcome = { 0 };
        struct definition *definition = thing_parse((void *)&thing_kind, ID_A " one", NULL);
        struct managed *object = registry_reserve(registry, definition, NULL);

        definition_unref(definition);
        erase(&outcome, object);
        wait_for(&outcome);
        ck_assert_str_eq(outcome.error, "Network not found: no thing with matching uuid '" ID_A "'");
        define(&outcome, ID_B " one");
        wait_for(&outcome);
        ck_assert_ptr_nonnull(find(ID_B));
        g_free(outcome.error);
}
END_TEST

START_TEST(autostart_is_kept)
{
        struct outcome outcome = { 0 };

        define(&outcome, ID_A " one");
        wait_for(&outcome);
        outcome.running = 1;
        registry_set_autostart(find(ID_A), true, finished, &outcome);
        wait_for(&outcome);
        ck_assert(find(ID_A)->published->autostart);
        registry_free(registry);
        registry = open_registry();
        ck_assert(find(ID_A)->published->autostart);
}
END_TEST

START_TEST(new_name_is_reserved_until_it_is_given_up)
{
        struct outcome outcome = { 0 };

        define(&outcome, ID_A " one");
        wait_for(&outcome);
        ck_assert(registry_reserve_name(find(ID_A), "two", NULL));
        ck_assert_ptr_null(registry_find_name(registry, "two"));
        define(&outcome, ID_B " two");
        wait_for(&outcome);
        ck_assert_ptr_null(find(ID_B));
        registry_release_name(find(ID_A), "two");
        define(&outcome, ID_B " two");
        wait_for(&outcome);
        ck_assert_ptr_nonnull(find(ID_B));
        g_free(outcome.error);
}
END_TEST

static void put(const char *name, const char *text)
{
        ck_assert(store_write(directory, name, text, false, NULL));
}

START_TEST(damaged_files_are_left_out)
{
        put(ID_A ".xml", ID_A " one");
        put(ID_B ".xml", ID_A " two");
        put("cccccccc-0000-4000-8000-000000000003.xml", "");
        put("dddddddd-0000-4000-8000-000000000004.xml", "rubbish");
        put("eeeeeeee-0000-4000-8000-000000000005.xml", "eeeeeeee-0000-4000-8000-000000000005 one");
        registry_free(registry);
        registry = open_registry();
        ck_assert_uint_eq(registry_get_count(registry), 1);
        ck_assert_str_eq(managed_state_get_name(find(ID_A)->published), "one");
        ck_assert(has_file(ID_B));
        ck_assert(has_file("dddddddd-0000-4000-8000-000000000004"));
}
END_TEST

START_TEST(store_failure_keeps_the_old_definition)
{
        struct outcome outcome = { 0 };
        g_autofree char *blocked = NULL;

        define(&outcome, ID_A " one");
        wait_for(&outcome);
        /* A directory in the file's place cannot be renamed over. */
        blocked = g_strdup_printf("%s/%s.xml", directory, ID_B);
        ck_assert_int_eq(mkdir(blocked, 0700), 0);
        define(&outcome, ID_B " two");
        wait_for(&outcome);
        ck_assert_ptr_nonnull(outcome.error);
        ck_assert_ptr_null(find(ID_B));
        ck_assert_ptr_null(registry_find_name(registry, "two"));
        ck_assert_uint_eq(registry_get_count(registry), 1);
        g_free(outcome.error);
}
END_TEST

/* ---- a listener that has much to tell ---- */

static void hold_what_is_new(const struct registry_change *change, void *data)
{
        struct managed **held = data;

        if (change->before)
                return;
        managed_hold(change->object);
        *held = change->object;
}

static void set_flag(void *data)
{
        *(bool *)data = true;
}

static void send_flag(void *data)
{
        loop_post(loop, set_flag, data);
}

/* Until all that the lane has sent is here. */
static void wait_for_lane(const struct managed *object)
{
        bool arrived = false;

        lane_post(object->lane, send_flag, &arrived);
        while (!arrived)
                loop_step(loop, true);
}

START_TEST(what_follows_waits_for_a_listener_that_holds)
{
        struct outcome outcome = { 0 };
        struct managed *held = NULL;

        registry_unlisten(registry, note, NULL);
        registry_listen(registry, hold_what_is_new, &held);
        registry_listen(registry, note, NULL);
        define(&outcome, ID_A " one");
        while (!held)
                loop_step(loop, true);
        define(&outcome, ID_A " one");
        erase(&outcome, held);
        wait_for_lane(held);
        ck_assert_str_eq(journal->str, "");
        ck_assert_ptr_eq(find(ID_A), held);
        managed_release(held);
        ck_assert_str_eq(journal->str, "-xD;.xxD;.x-U;.");
        ck_assert_uint_eq(outcome.running, 0);
        ck_assert_ptr_null(find(ID_A));
}
END_TEST

START_TEST(each_of_several_holds_counts)
{
        struct managed *first = NULL, *second = NULL;
        struct outcome outcome = { 0 };

        registry_listen(registry, hold_what_is_new, &first);
        registry_listen(registry, hold_what_is_new, &second);
        define(&outcome, ID_A " one");
        while (!first)
                loop_step(loop, true);
        wait_for_lane(first);
        ck_assert_str_eq(journal->str, "-xD;");
        ck_assert_ptr_null(second);
        managed_release(first);
        ck_assert_ptr_eq(second, first);
        managed_hold(first);
        managed_release(first);
        ck_assert_str_eq(journal->str, "-xD;");
        managed_release(second);
        ck_assert_str_eq(journal->str, "-xD;.");
}
END_TEST

/* Nobody knows it any more, but its end has not been told. */
START_TEST(an_object_that_ended_stays_while_it_is_held)
{
        struct outcome outcome = { 0 };
        struct managed *object;
        struct uuid uuid;

        define(&outcome, ID_A " one");
        wait_for(&outcome);
        object = find(ID_A);
        erase(&outcome, object);
        managed_hold(object);
        wait_for_lane(object);
        ck_assert(uuid_parse(&uuid, ID_A, NULL));
        ck_assert_ptr_eq(registry_find_pending(registry, &uuid), object);
        managed_release(object);
        ck_assert_ptr_null(registry_find_pending(registry, &uuid));
        ck_assert_str_eq(journal->str, "-xD;.x-U;.");
}
END_TEST

/* ---- the wrong place ---- */

static void keep_state(struct managed *object)
{
        managed_get_current(object);
}

static void keep_file(struct managed *object)
{
        registry_erase(object, NULL);
}

static void require(struct managed *object)
{
        managed_require_active(object, NULL);
}

static void publish_at(struct managed *object)
{
        managed_emit(object, managed_event_new(MANAGED_EVENT_UNDEFINED, 0));
}

static void look_up(struct managed *object)
{
        registry_find_name(object->registry, "a");
}

static void list(struct managed *object)
{
        g_ptr_array_unref(registry_list(object->registry));
}

static void read_published(struct managed *object)
{
        managed_get_published(object);
}

static void run_again(struct managed *object)
{
        managed_run(object, MANAGED_IN_TURN, erase_work, NULL, NULL);
}

static void rename_at(struct managed *object)
{
        registry_reserve_name(object, "b", NULL);
}

/* What belongs to a lane and is done on the loop, and the other way round. */
static void (*const on_the_loop[])(struct managed *object) = { keep_state, keep_file, require, publish_at };
static void (*const in_a_lane[])(struct managed *object) = { look_up, list, read_published, run_again,
                                                             rename_at };

static bool misplaced_work(struct managed *object, void *data, GError **error)
{
        in_a_lane[*(const int *)data](object);
        return true;
}

/* What follows ends the program, and nobody cleans up behind it. */
static struct managed *define_one(struct outcome *outcome)
{
        define(outcome, ID_A " a");
        wait_for(outcome);
        remove_directory();
        return find(ID_A);
}

START_TEST(what_belongs_to_a_lane_ends_the_loop)
{
        struct outcome outcome = { 0 };

        on_the_loop[_i](define_one(&outcome));
}
END_TEST

START_TEST(what_belongs_to_the_loop_ends_a_lane)
{
        struct outcome outcome = { 0 };
        struct managed *object = define_one(&outcome);

        outcome.running++;
        managed_run(object, MANAGED_IN_TURN, misplaced_work, finished, &_i);
        wait_for(&outcome);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("managed");
        TCase *tests = tcase_create("managed");
        SRunner *runner = srunner_create(suite);
        int failed;

        tcase_add_checked_fixture(tests, setup, teardown);
        tcase_set_timeout(tests, 60);
        tcase_add_test(tests, define_publishes_before_it_answers);
        tcase_add_test(tests, redefine_is_an_update_and_acts_in_order);
        tcase_add_test(tests, names_and_uuids_are_unique);
        tcase_add_test(tests, undefine_forgets_the_object);
        tcase_add_test(tests, define_behind_undefine_keeps_the_object);
        tcase_add_test(tests, failed_work_leaves_nothing);
        tcase_add_test(tests, autostart_is_kept);
        tcase_add_test(tests, new_name_is_reserved_until_it_is_given_up);
        tcase_add_test(tests, damaged_files_are_left_out);
        tcase_add_test(tests, store_failure_keeps_the_old_definition);
        tcase_add_test(tests, what_follows_waits_for_a_listener_that_holds);
        tcase_add_test(tests, each_of_several_holds_counts);
        tcase_add_test(tests, an_object_that_ended_stays_while_it_is_held);
        tcase_add_loop_test_raise_signal(tests, what_belongs_to_a_lane_ends_the_loop, SIGABRT, 0,
                                         G_N_ELEMENTS(on_the_loop));
        tcase_add_loop_test_raise_signal(tests, what_belongs_to_the_loop_ends_a_lane, SIGABRT, 0,
                                         G_N_ELEMENTS(in_a_lane));
        suite_add_tcase(suite, tests);
        srunner_run_all(runner, CK_NORMAL);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
