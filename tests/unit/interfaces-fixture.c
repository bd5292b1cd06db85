/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* An agent's interfaces for tests. */
#include "tests/unit/interfaces-fixture.h"

#include <ftw.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct loop *loop;
struct pool *pool;
struct link_source *source;
struct interfaces *interfaces;
char *directory;

/* ---- the host ---- */

void ip(const char *arguments)
{
        g_autofree char *command = g_strdup_printf("ip %s", arguments);

        ck_assert_msg(system(command) == 0, "%s", command);
}

char *ip_says(const char *arguments)
{
        g_autofree char *command = g_strdup_printf("ip %s", arguments);
        char *output = NULL;

        ck_assert(g_spawn_command_line_sync(command, &output, NULL, NULL, NULL));
        return output;
}

void expect(const char *arguments, const char *words)
{
        g_autofree char *output = ip_says(arguments);

        ck_assert_msg(strstr(output, words), "ip %s: '%s' is not in: %s", arguments, words, output);
}

void expect_not(const char *arguments, const char *words)
{
        g_autofree char *output = ip_says(arguments);

        ck_assert_msg(!strstr(output, words), "ip %s: '%s' is in: %s", arguments, words, output);
}

/* ---- an agent ---- */

void begin(bool read_only)
{
        g_autofree char *state = g_build_filename(directory, "state", NULL);
        g_autofree char *runtime = g_build_filename(directory, "runtime", NULL);
        const struct interfaces_config config = { state, runtime, directory, read_only };

        source = link_source_new(loop, pool);
        interfaces = interfaces_new(loop, pool, source, &config);
        interfaces_start(interfaces);
        while (!link_source_get(source) || interfaces_get_pending(interfaces) > 0)
                loop_step(loop, true);
}

void end(void)
{
        interfaces_quiesce(interfaces);
        while (interfaces_get_pending(interfaces) > 0)
                loop_step(loop, true);
        interfaces_free(interfaces);
}

void setup(void)
{
        char template[] = "/tmp/virtbus-interfaces-XXXXXX";

        ck_assert(unshare(CLONE_NEWNET) == 0 || unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0);
        directory = g_strdup(mkdtemp(template));
        loop = loop_new(NULL);
        pool = pool_new(2, NULL);
        ip("link add eth0 type veth peer name peer0");
        ip("link add eth1 type veth peer name peer1");
        begin(false);
}

static int remove_one(const char *path, const struct stat *status, int flag, struct FTW *ftw)
{
        return remove(path);
}

void remove_tree(const char *path)
{
        nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

void teardown(void)
{
        end();
        pool_free(pool);
        loop_free(loop);
        remove_tree(directory);
        g_free(directory);
}

/* ---- calls ---- */

struct result {
        bool done;
        GError *error;
};

static void ended(const GError *error, void *data)
{
        struct result *result = data;

        result->done = true;
        result->error = error ? g_error_copy(error) : NULL;
}

static void defined(const char *name, const GError *error, void *data)
{
        ended(error, data);
}

static GError *wait_for(struct result *result)
{
        while (!result->done)
                loop_step(loop, true);
        return result->error;
}

void good(GError *error)
{
        ck_assert_msg(!error, "%s", error ? error->message : "");
}

void bad(GError *error, const char *words)
{
        ck_assert_msg(error, "expected '%s'", words);
        ck_assert_msg(strstr(error->message, words), "expected '%s', got '%s'", words, error->message);
        g_error_free(error);
}

GError *define(const char *xml)
{
        struct result result = { 0 };

        interfaces_define_xml(interfaces, xml, 0, defined, &result);
        return wait_for(&result);
}

struct host_interface *find(const char *name)
{
        return collection_find(interfaces_get_collection(interfaces), name, NULL);
}

GError *act(action fn, const char *name)
{
        struct result result = { 0 };

        fn(interfaces, find(name), 0, ended, &result);
        return wait_for(&result);
}

GError *undefine(const char *name)
{
        struct result result = { 0 };

        interfaces_undefine(interfaces, find(name), ended, &result);
        return wait_for(&result);
}

GError *transact(change fn)
{
        struct result result = { 0 };

        fn(interfaces, 0, ended, &result);
        return wait_for(&result);
}

void wait_until(bool (*is_so)(void))
{
        while (!is_so())
                loop_step(loop, true);
}

void expect_bridge(void)
{
        expect("-oneline -details link show br0", "mtu 1400");
        expect("-oneline -details link show br0", "forward_delay 400");
        expect("-oneline -details link show br0", "stp_state 1");
        expect("-oneline link show master br0", "eth0");
        expect("-oneline link show master br0", "eth1");
        expect("-oneline address show dev br0", "192.0.2.1/24 brd 192.0.2.255");
        expect("route show default", "via 192.0.2.254 dev br0 proto static");
}

void forget_boot(void)
{
        g_autofree char *path = g_build_filename(directory, "runtime", "interfaces", NULL);

        remove_tree(path);
}
