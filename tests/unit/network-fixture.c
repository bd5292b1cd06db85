/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/unit/network-fixture.h"

#include "base/error.h"
#include "base/log.h"
#include "interfaces/nftables-source.h"
#include "interfaces/source.h"

#include <check.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct loop *loop;
struct pool *pool;
struct networks *networks;
struct link_source *links;
static struct nft_source *filter;
bool with_default;
char *top;
GString *events, *lease_events;
static bool has_namespace;

/* "+10.77.0.9 52:54:00:00:00:01 one;" */
static void note_lease(int type, const struct network_lease *lease)
{
        char text[NETWORK_ADDRESS_TEXT_MAX];

        g_string_append_printf(lease_events, "%c%s %s %s;", "+~-"[type],
                               network_address_format(&lease->address, text),
                               lease -> mac ? lease -> mac : "", lease->hostname ? lease->hostname : "");
}

static void note_change(const struct registry_change *change, void *data)
{
        const struct managed_event *event = change->event;

        if (event && event->id == MANAGED_EVENT_LIFECYCLE)
                g_string_append_c(events, (char)('0' + event->type));
        if (event && event->id == NETWORK_EVENT_LEASE)
                note_lease(event->type, ((const struct network_event *)event)->lease);
}

void open_networks(bool in_memory)
{
        g_autofree char *state = g_build_filename(top, "state", NULL),
                        *run = g_build_filename(top, "run", NULL);
        const struct networks_config config = { .state_dir = state,
                                                .runtime_dir = run,
                                                .with_default = with_default,
                                                .lease_program = LEASE_PROGRAM };

        networks = in_memory ? networks_new_test(loop, pool, NULL) : networks_new(loop, pool, &config);
        ck_assert(networks != NULL);
        registry_listen(networks_get_registry(networks), note_change, NULL);
        ck_assert(networks_load(networks, NULL));
        if (in_memory)
                return;
        links = link_source_new(loop, pool);
        link_source_start(links);
        filter = nft_source_new(loop, pool);
        networks_follow(networks, links, filter);
        while (!link_source_get(links) || !networks_are_ready(networks))
                loop_step(loop, true);
}

void settle(void)
{
        while (registry_get_pending(networks_get_registry(networks)))
                loop_step(loop, true);
}

void close_networks(void)
{
        networks_quiesce(networks);
        settle();
        networks_free(networks);
        networks = NULL;
        g_clear_pointer(&filter, nft_source_free);
        g_clear_pointer(&links, link_source_free);
}

void setup_networks(void)
{
        log_init(LOG_LEVEL_ERROR);
        has_namespace = unshare(CLONE_NEWNET) == 0;
        top = g_dir_make_tmp("virtbus-network-XXXXXX", NULL);
        ck_assert_int_eq(chmod(top, 0755), 0);
        events = g_string_new(NULL);
        lease_events = g_string_new(NULL);
        loop = loop_new(NULL);
        pool = pool_new(4, NULL);
}

/* A dnsmasq outlives who started it. */
static void stop_all(void)
{
        g_autoptr(GPtrArray) active = network_list(networks, NETWORK_LIST_ACTIVE, NULL);

        for (unsigned i = 0; i < active->len; i++)
                destroy_network(g_ptr_array_index(active, i), NULL);
}

void teardown_networks(void)
{
        g_autofree char *command = g_strdup_printf("rm -rf %s", top);

        if (networks) {
                settle();
                stop_all();
                close_networks();
        }
        ck_assert_int_eq(system(command), 0);
        pool_free(pool);
        loop_free(loop);
        g_string_free(events, TRUE);
        g_string_free(lease_events, TRUE);
        g_free(top);
}

/* ---- calls ---- */

void finish(struct managed *object, const GError *error, void *data)
{
        struct outcome *outcome = data;

        outcome->done = true;
        outcome->network = (struct network *)object;
        outcome->error = error ? g_error_copy(error) : NULL;
}

/* NULL: it is to succeed. */
struct network *expect(struct outcome *outcome, const char *wanted)
{
        while (!outcome->done)
                loop_step(loop, true);
        ck_assert_msg(!outcome->error == !wanted, "%s",
                      outcome->error ? outcome->error->message : "no error");
        ck_assert_msg(!wanted || strstr(outcome->error->message, wanted), "%s",
                      wanted ? outcome->error->message : "");
        g_clear_error(&outcome->error);
        return outcome->network;
}

struct network *define_network(const char *xml, const char *wanted)
{
        struct outcome outcome = { 0 };

        network_define_xml(networks, xml, finish, &outcome);
        return expect(&outcome, wanted);
}

struct network *create_xml(const char *xml, const char *wanted)
{
        struct outcome outcome = { 0 };

        network_create_xml(networks, xml, finish, &outcome);
        return expect(&outcome, wanted);
}

void create_network(struct network *network, const char *wanted)
{
        struct outcome outcome = { 0 };

        network_create(network, finish, &outcome);
        expect(&outcome, wanted);
}

void destroy_network(struct network *network, const char *wanted)
{
        struct outcome outcome = { 0 };

        network_destroy(network, finish, &outcome);
        expect(&outcome, wanted);
}

void undefine_network(struct network *network, const char *wanted)
{
        struct outcome outcome = { 0 };

        network_undefine(network, finish, &outcome);
        expect(&outcome, wanted);
}

void update_network(struct network *network, unsigned command, unsigned section, const char *xml,
                    unsigned flags, const char *wanted)
{
        struct outcome outcome = { 0 };

        network_update(network, &(const struct network_update){ command, section, -1, xml }, flags, finish,
                       &outcome);
        expect(&outcome, wanted);
}

bool can_run(void)
{
        g_autofree char *dnsmasq = g_find_program_in_path("dnsmasq"), *nft = g_find_program_in_path("nft");
        g_autofree char *busybox = g_find_program_in_path("busybox");

        if (has_namespace && dnsmasq && nft && busybox && system("nft list tables >/dev/null 2>&1") == 0)
                return true;
        check_skip("no network namespace, dnsmasq, nft or busybox");
        return false;
}

G_GNUC_PRINTF(1, 2)
char *shell(const char *format, ...)
{
        g_autofree char *command = NULL;
        char *output = NULL;
        const char *argv[] = { "/bin/sh", "-c", NULL, NULL };
        va_list args;

        va_start(args, format);
        command = g_strdup_vprintf(format, args);
        va_end(args);
        argv[2] = command;
        ck_assert(g_spawn_sync(NULL, (char **)argv, NULL, G_SPAWN_DEFAULT, NULL, NULL, &output, NULL, NULL,
                               NULL));
        g_strchomp(output);
        return output;
}

void check_shell(const char *wanted, const char *command)
{
        g_autofree char *output = shell("%s", command);

        ck_assert_msg(strstr(output, wanted) != NULL, "no '%s' in '%s' of: %s", wanted, output, command);
}

int get_pid(const char *name)
{
        g_autofree char *text = shell("cat %s/run/%s.pid", top, name);

        return atoi(text);
}

/* One that ended and that nobody has waited for has no command line. */
bool runs(int pid)
{
        g_autofree char *path = g_strdup_printf("/proc/%d/cmdline", pid), *line = NULL;
        gsize length = 0;

        return pid > 0 && g_file_get_contents(path, &line, &length, NULL) && length > 0;
}

static void take_leases(const struct network *network, const GPtrArray *leases, const GError *error,
                        void *data)
{
        struct answer *answer = data;

        ck_assert_msg(leases != NULL, "%s", error ? error->message : "");
        answer->done = true;
        answer->count = leases->len;
        if (leases->len == 0)
                return;
        const struct network_lease *lease = g_ptr_array_index(leases, 0);

        g_strlcpy(answer->hostname, lease->hostname ? lease->hostname : "", sizeof(answer->hostname));
        g_strlcpy(answer->mac, lease->mac, sizeof(answer->mac));
        network_address_format(&lease->address, answer->address);
        ck_assert_uint_eq(lease->prefix, 24);
        ck_assert(lease->expiry > 0);
}

struct answer get_leases(struct network *network, const char *mac)
{
        struct answer answer = { 0 };

        network_get_leases(network, mac, 0, take_leases, &answer);
        while (!answer.done)
                loop_step(loop, true);
        return answer;
}

/* A namespace with one end of a cable in it, the other a port of the bridge; it ends with the process. */
int plug(const char *bridge, const char *mac)
{
        g_autofree char *text = shell(
                "unshare -n sleep 600 >/dev/null 2>&1 & pid=$!;"
                "while [ $(readlink /proc/$pid/ns/net) = $(readlink /proc/self/ns/net) ]; do :; done;"
                "ip link add port%d type veth peer name eth0 netns $pid;"
                "ip link set port%d master %s up;"
                "nsenter -t $pid -n ip link set eth0 address %s up; nsenter -t $pid -n ip link set lo up;"
                "echo $pid",
                atoi(mac + 15), atoi(mac + 15), bridge, mac);

        return atoi(text);
}
