/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/collection.h"

#include "base/lane.h"
#include "base/pool.h"
#include "tests/unit/check-main.h"

#include <stdatomic.h>
#include <string.h>

#define MANY 1000

/* A description: name and key, which may be NULL. */
struct thing {
        gint refs;
        char *name, *key;
};

static struct thing *thing_new(const char *name, const char *key)
{
        struct thing *thing = g_new(struct thing, 1);

        *thing = (struct thing){ 1, g_strdup(name), g_strdup(key) };
        return thing;
}

static void *thing_ref(void *object)
{
        g_atomic_int_inc(&((struct thing *)object)->refs);
        return object;
}

static void thing_unref(void *object)
{
        struct thing *thing = object;

        if (!g_atomic_int_dec_and_test(&thing->refs))
                return;
        g_free(thing->name);
        g_free(thing->key);
        g_free(thing);
}

static const char *get_name(const void *object)
{
        return ((const struct thing *)object)->name;
}

static const char *get_key(const void *object, unsigned key)
{
        return ((const struct thing *)object)->key;
}

static bool is_same(const void *before, const void *after)
{
        return g_strcmp0(get_key(before, 0), get_key(after, 0)) == 0;
}

static const struct object_set_kind set_kind = {
        .ref = thing_ref,
        .unref = thing_unref,
        .get_name = get_name,
        .n_keys = 1,
        .get_key = get_key,
};

static const struct collection_kind kind = {
        .set = &set_kind,
        .noun = "thing",
        .from = ERROR_FROM_NODEDEV,
        .missing = ERROR_NO_NODE_DEVICE,
        .is_same = is_same,
};

static struct loop *loop;
static struct pool *pool;
static struct lane *lane;
static struct collection *collection;
static GString *told;
static unsigned count;
static bool deaf, busy;

static void setup(void)
{
        loop = loop_new(NULL);
        pool = pool_new(1, NULL);
        lane = lane_new(pool, loop, "things");
        collection = collection_new(&kind, loop, lane);
        told = g_string_new(NULL);
        count = 0;
        deaf = busy = false;
}

static void teardown(void)
{
        while (collection_get_pending(collection))
                loop_step(loop, true);
        collection_free(collection);
        lane_unref(lane);
        pool_free(pool);
        loop_free(loop);
        g_string_free(told, TRUE);
}

/* Of "name=key" texts. */
static struct object_set *make_set(const char *texts)
{
        g_autoptr(GPtrArray) list = g_ptr_array_new_with_free_func(thing_unref);
        g_auto(GStrv) words = g_strsplit(texts, " ", -1);

        for (unsigned i = 0; words[i] && *words[i]; i++) {
                g_auto(GStrv) parts = g_strsplit(words[i], "=", 2);

                g_ptr_array_add(list, thing_new(parts[0], parts[1]));
        }
        return object_set_new(&set_kind, list);
}

static struct object_set *make_many(void)
{
        g_autoptr(GPtrArray) list = g_ptr_array_new_with_free_func(thing_unref);

        for (unsigned i = 0; i < MANY; i++) {
                g_autofree char *name = g_strdup_printf("%06u", i);

                g_ptr_array_add(list, thing_new(name, NULL));
        }
        return object_set_new(&set_kind, list);
}

static void note(void *before, void *after, void *data)
{
        g_string_append_printf(told, "%s>%s ", before ? get_name(before) : "", after ? get_name(after) : "");
        count++;
}

static bool is_deaf(void *data)
{
        return deaf;
}

static bool is_busy(void *data)
{
        return busy;
}

static const struct collection_listener listener = { .tell = note, .is_deaf = is_deaf, .is_busy = is_busy };

static bool publish_many(void *args, GError **error)
{
        collection_publish(collection, make_many());
        return true;
}

static bool publish_text(void *args, GError **error)
{
        collection_publish(collection, make_set(args));
        return true;
}

static bool break_down(void *args, GError **error)
{
        return error_set(error, ERROR_FROM_NODEDEV, ERROR_NO_NODE_DEVICE, "%s", (char *)args);
}

/* How much was told when the run ended. */
static void note_count(const GError *error, void *data)
{
        *(unsigned *)data = count;
}

static void note_error(const GError *error, void *data)
{
        g_string_append_printf(told, "! %s", error->message);
}

static void run(collection_work work, const char *args, collection_done done, void *data)
{
        collection_run(collection, &(const struct collection_task){ .work = work, .args = g_strdup(args) },
                       done, data);
}

static void settle(void)
{
        while (collection_get_pending(collection))
                loop_step(loop, true);
}

START_TEST(what_differs_is_told)
{
        collection_listen(collection, &listener, NULL);
        run(publish_text, "b=2 a=1", NULL, NULL);
        settle();
        ck_assert_str_eq(told->str, ">a >b ");
        g_string_truncate(told, 0);
        run(publish_text, "b=2 c=3", NULL, NULL);
        settle();
        ck_assert_str_eq(told->str, "a> b>b >c ");
        g_string_truncate(told, 0);
        run(publish_text, "b=9 c=3", NULL, NULL);
        settle();
        ck_assert_str_eq(told->str, "b> >b c>c ");
}
END_TEST

START_TEST(what_is_there_is_found)
{
        CLEANUP(object_set_unref) struct object_set *one = make_set("a=1 c"), *other = make_set("b=2 d=4");
        g_autoptr(GError) error = NULL;
        g_autoptr(GPtrArray) all = NULL;
        int first, second;
        void *owner;

        collection_show(collection, &first, one);
        collection_show(collection, &second, other);
        ck_assert_str_eq(get_name(collection_find_by(collection, 0, "4", &owner)), "d");
        ck_assert_ptr_eq(owner, &second);
        ck_assert_str_eq(get_name(collection_find(collection, "c", &owner)), "c");
        ck_assert_ptr_eq(owner, &first);
        all = collection_list(collection);
        ck_assert_uint_eq(all->len, 4);
        collection_show(collection, &second, NULL);
        ck_assert_ptr_null(collection_find_by(collection, 0, "4", NULL));
        ck_assert_uint_eq(collection_get_count(collection), 2);
        ck_assert_ptr_null(collection_lookup(collection, "d", &error));
        ck_assert(error_is(error, ERROR_NO_NODE_DEVICE));
        ck_assert_ptr_nonnull(strstr(error->message, "no thing with matching name 'd'"));
}
END_TEST

static bool note_turn(void *args, GError **error)
{
        **(atomic_bool **)args = true;
        return true;
}

/* In slices, and the end of the run and the next publication come after the last of them. */
START_TEST(many_are_told_before_what_follows)
{
        atomic_bool turned = false, *turn = &turned;
        unsigned at_end = 0;

        busy = true;
        collection_listen(collection, &listener, NULL);
        run(publish_many, NULL, note_count, &at_end);
        run(publish_text, "x", NULL, NULL);
        collection_run(collection,
                       &(const struct collection_task){ note_turn, g_memdup2(&turn, sizeof(turn)), NULL },
                       NULL, NULL);
        while (!turned || count == 0)
                loop_step(loop, true);
        while (loop_step(loop, false))
                ;
        ck_assert_uint_lt(count, MANY);
        ck_assert_uint_eq(at_end, 0);
        ck_assert_uint_eq(collection_get_count(collection), MANY);
        busy = false;
        collection_resume(collection);
        settle();
        ck_assert_uint_eq(at_end, MANY);
        ck_assert_uint_eq(collection_get_count(collection), 1);
        while (count < 2 * MANY + 1)
                loop_step(loop, true);
        ck_assert(g_str_has_suffix(told->str, " >x "));
}
END_TEST

START_TEST(who_is_busy_is_told_slowly)
{
        unsigned told_before;

        busy = true;
        collection_listen(collection, &listener, NULL);
        run(publish_many, NULL, NULL, NULL);
        while (count == 0)
                loop_step(loop, true);
        told_before = count;
        loop_step(loop, false);
        ck_assert_uint_eq(count, told_before);
        /* A slice after a while all the same. */
        while (count == told_before)
                loop_step(loop, true);
        ck_assert_uint_le(count, 2 * told_before);
        busy = false;
        collection_resume(collection);
        while (count < MANY)
                loop_step(loop, true);
}
END_TEST

START_TEST(the_deaf_are_told_nothing)
{
        deaf = true;
        collection_listen(collection, &listener, NULL);
        run(publish_many, NULL, NULL, NULL);
        settle();
        ck_assert_uint_eq(count, 0);
        ck_assert_uint_eq(collection_get_count(collection), MANY);
}
END_TEST

/* What waits for a listener that has left goes on. */
START_TEST(listener_leaves_in_between)
{
        unsigned at_end = 0;

        collection_listen(collection, &listener, NULL);
        run(publish_many, NULL, note_count, &at_end);
        while (count == 0)
                loop_step(loop, true);
        collection_unlisten(collection, &listener, NULL);
        settle();
        ck_assert_uint_gt(at_end, 0);
        ck_assert_uint_lt(at_end, MANY);
        ck_assert_uint_eq(at_end, count);
}
END_TEST

START_TEST(run_that_fails)
{
        run(break_down, "it is broken", note_error, NULL);
        settle();
        ck_assert_ptr_nonnull(strstr(told->str, "it is broken"));
}
END_TEST

CHECK_MAIN_FIXTURE("collection", setup, teardown, what_differs_is_told, what_is_there_is_found,
                   many_are_told_before_what_follows, who_is_busy_is_told_slowly, the_deaf_are_told_nothing,
                   listener_leaves_in_between, run_that_fails)
