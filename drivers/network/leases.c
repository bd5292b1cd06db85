/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a network has lent: a table that begins with the file of its dnsmasq and goes on with dnsmasq's
 * messages. What the file does not say, the MAC addresses of IPv6, is written down. In the network's lane,
 * but for the call and its end.
 */
#include "base/error.h"
#include "base/lane.h"
#include "base/log.h"
#include "drivers/network/model.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A DUID of types 1 and 3 (RFC 8415) ends in an address of the link layer; hardware type 1 is Ethernet. */
#define DUID_LLT   "00:01:00:01:"
#define DUID_LL    "00:03:00:01:"
#define MAC_LENGTH 17
#define LLT_LENGTH 41
#define LL_LENGTH  29

/* dnsmasq writes its file in place, in some milliseconds: one that was changed a second ago is whole, one
 * that is younger when it is the same a moment later. */
#define SETTLED_US  G_TIME_SPAN_SECOND
#define PAUSE_MS    20
#define PATIENCE_MS 2000

/* ---- descriptions ---- */

void network_lease_free(void *data)
{
        struct network_lease *lease = data;

        if (!lease)
                return;
        g_free(lease->mac);
        g_free(lease->iaid);
        g_free(lease->client_id);
        g_free(lease->hostname);
        g_free(lease);
}

/* Whose it is and what it is called; when it ends is another matter. */
static bool is_same(const struct network_lease *a, const struct network_lease *b)
{
        return g_strcmp0(a->mac, b->mac) == 0 && g_strcmp0(a->iaid, b->iaid) == 0 &&
               g_strcmp0(a->client_id, b->client_id) == 0 && g_strcmp0(a->hostname, b->hostname) == 0;
}

static char *find_mac_in_duid(const char *duid)
{
        size_t length = duid ? strlen(duid) : 0;

        if ((length == LLT_LENGTH && g_str_has_prefix(duid, DUID_LLT)) ||
            (length == LL_LENGTH && g_str_has_prefix(duid, DUID_LL)))
                return g_ascii_strdown(duid + length - MAC_LENGTH, -1);
        return NULL;
}

static bool find_prefix(const struct network_def *def, struct network_lease *lease)
{
        for (unsigned i = 0; i < def->ips->len; i++) {
                const struct network_ip *ip = g_ptr_array_index(def->ips, i);

                lease->prefix = ip->prefix;
                if (network_address_is_within(&lease->address, &ip->address, ip->prefix))
                        return true;
        }
        return false;
}

/* ---- the file ---- */

/* "expiry mac address hostname client-id"; behind "duid ..." it is an iaid in the place of the MAC address.
 */
static struct network_lease *parse_lease(const char *line, bool is_ipv6)
{
        g_auto(GStrv) words = g_strsplit(line, " ", 6);
        struct network_lease *lease;
        struct network_address address;

        if (g_strv_length(words) != 5 || !network_address_parse(words[2], &address))
                return NULL;
        lease = g_new0(struct network_lease, 1);
        lease->address = address;
        lease->expiry = g_ascii_strtoll(words[0], NULL, 10);
        lease->hostname = strcmp(words[3], "*") == 0 ? NULL : g_strdup(words[3]);
        lease->client_id = strcmp(words[4], "*") == 0 ? NULL : g_strdup(words[4]);
        if (is_ipv6) {
                lease->iaid = g_strdup(words[1]);
                lease->mac = find_mac_in_duid(lease->client_id);
        } else {
                lease->mac = g_strdup(words[1]);
        }
        return lease;
}

GPtrArray *network_leases_parse(const char *text, const struct network_def *def)
{
        GPtrArray *leases = g_ptr_array_new_with_free_func(network_lease_free);
        g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
        bool is_ipv6 = false;

        for (unsigned i = 0; lines[i]; i++) {
                struct network_lease *lease = parse_lease(lines[i], is_ipv6);

                is_ipv6 |= g_str_has_prefix(lines[i], "duid ");
                if (lease && find_prefix(def, lease))
                        g_ptr_array_add(leases, lease);
                else
                        network_lease_free(lease);
        }
        return leases;
}

static gint64 get_change_us(const struct stat *info)
{
        return (gint64)info->st_mtim.tv_sec * G_USEC_PER_SEC + info->st_mtim.tv_nsec / 1000;
}

static bool is_same_file(const struct stat *a, const struct stat *b)
{
        return a->st_ino == b->st_ino && a->st_size == b->st_size && get_change_us(a) == get_change_us(b);
}

static bool is_settled(const struct stat *info)
{
        gint64 age = g_get_real_time() - get_change_us(info);

        return age > SETTLED_US;
}

/* What it says when nobody is writing it. Owned; NULL with an error. */
static char *read_whole(struct lane *lane, const char *path, GError **error)
{
        lane_deadline deadline = lane_deadline_in(PATIENCE_MS);
        struct stat before, after;

        while (stat(path, &before) == 0) {
                g_autofree char *text = NULL;

                if (!is_settled(&before))
                        lane_wait(lane, -1, 0, NULL, lane_deadline_in(PAUSE_MS));
                text = store_read(path, error);
                if (!text)
                        return NULL;
                if (stat(path, &after) == 0 && is_same_file(&before, &after))
                        return g_steal_pointer(&text);
                if (lane_is_interrupted(lane) || g_get_monotonic_time() / 1000 > deadline) {
                        error_set(error, ERROR_FROM_NETWORK, ERROR_OPERATION_TIMEOUT,
                                  "%s is being written; try again", path);
                        return NULL;
                }
        }
        return g_strdup("");
}

/* Owned; NULL with an error. is_live: a dnsmasq may be writing the file. */
static GPtrArray *read_file(const struct network *network, const struct network_def *def, bool is_live,
                            GError **error)
{
        g_autofree char *text = NULL;
        struct network_files files;

        if (!network->networks->runtime_dir)
                return network_leases_parse("", def);
        network_files_init(&files, network);
        if (is_live)
                text = read_whole(network->base.lane, files.leases, error);
        else
                text = g_file_test(files.leases, G_FILE_TEST_EXISTS) ? store_read(files.leases, error)
                                                                     : g_strdup("");
        network_files_clear(&files);
        return text ? network_leases_parse(text, def) : NULL;
}

/* ---- the table ---- */

static struct network_lease *find_known(const struct network *network, const struct network_address *address)
{
        char text[NETWORK_ADDRESS_TEXT_MAX];

        return network->leases ? g_hash_table_lookup(network->leases, network_address_format(address, text))
                               : NULL;
}

/* Takes lease. */
static void remember(struct network *network, struct network_lease *lease)
{
        char text[NETWORK_ADDRESS_TEXT_MAX];

        g_hash_table_replace(network->leases, g_strdup(network_address_format(&lease->address, text)), lease);
}

static void forget(struct network *network, const struct network_address *address)
{
        char text[NETWORK_ADDRESS_TEXT_MAX];

        g_hash_table_remove(network->leases, network_address_format(address, text));
}

/* ---- MAC addresses of IPv6: "address mac" ---- */

static void write_macs(const struct network *network)
{
        g_autofree char *name = g_strconcat(network->base.uuid_text, NETWORK_MACS_SUFFIX, NULL);
        GString *text = g_string_new(NULL);
        g_autoptr(GError) error = NULL;
        GHashTableIter iter;
        void *address, *value;

        g_hash_table_iter_init(&iter, network->leases);
        while (g_hash_table_iter_next(&iter, &address, &value)) {
                const struct network_lease *lease = value;

                if (lease->address.family == AF_INET6 && lease->mac)
                        g_string_append_printf(text, "%s %s\n", (const char *)address, lease->mac);
        }
        if (!store_write(network->networks->lease_dir, name, text->str, false, &error))
                log_gerror(LOG_LEVEL_WARNING, error, "MAC addresses of leases of network '%s' are not kept",
                           managed_get_current_name(&network->base));
        g_string_free(text, TRUE);
}

static void read_macs(struct network *network)
{
        g_autofree char *name = g_strconcat(network->base.uuid_text, NETWORK_MACS_SUFFIX, NULL),
                        *path = g_build_filename(network->networks->lease_dir, name, NULL),
                        *text = g_file_test(path, G_FILE_TEST_EXISTS) ? store_read(path, NULL) : NULL;
        g_auto(GStrv) lines = g_strsplit(text ? text : "", "\n", -1);

        for (unsigned i = 0; lines[i]; i++) {
                g_auto(GStrv) words = g_strsplit(lines[i], " ", 2);
                struct network_lease *lease =
                        g_strv_length(words) == 2 ? g_hash_table_lookup(network->leases, words[0]) : NULL;

                if (!lease || lease->address.family != AF_INET6)
                        continue;
                g_free(lease->mac);
                lease->mac = g_strdup(words[1]);
        }
}

void network_leases_load(struct network *network, const struct network_def *def, bool is_live)
{
        g_autoptr(GError) error = NULL;
        GPtrArray *leases = read_file(network, def, is_live, &error);

        network_leases_forget(network);
        network->leases = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, network_lease_free);
        if (!leases) {
                log_gerror(LOG_LEVEL_WARNING, error, "the leases of network '%s' cannot be read",
                           def->base.name);
                return;
        }
        while (leases->len > 0)
                remember(network, g_ptr_array_steal_index_fast(leases, leases->len - 1));
        g_ptr_array_unref(leases);
        read_macs(network);
}

void network_leases_forget(struct network *network)
{
        g_clear_pointer(&network->leases, g_hash_table_unref);
}

void network_leases_remove(struct network *network)
{
        g_autofree char *macs = NULL;
        struct network_files files;

        network_leases_forget(network);
        if (!network->networks->runtime_dir)
                return;
        network_files_init(&files, network);
        macs = g_strconcat(files.leases, NETWORK_MACS_SUFFIX, NULL);
        unlink(files.leases);
        unlink(macs);
        network_files_clear(&files);
}

/* ---- what dnsmasq says ---- */

/* Takes lease. */
static void announce(struct network *network, enum network_lease_change change, struct network_lease *lease)
{
        struct network_event *event = g_new0(struct network_event, 1);

        event->base.id = NETWORK_EVENT_LEASE;
        event->base.type = change;
        event->lease = lease;
        managed_emit(&network->base, &event->base);
}

static struct network_lease *lease_copy(const struct network_lease *lease)
{
        struct network_lease *copy = g_memdup2(lease, sizeof(*lease));

        copy->mac = g_strdup(lease->mac);
        copy->iaid = g_strdup(lease->iaid);
        copy->client_id = g_strdup(lease->client_id);
        copy->hostname = g_strdup(lease->hostname);
        return copy;
}

static void take_removed(struct network *network, const struct network_lease *lease)
{
        const struct network_lease *known = find_known(network, &lease->address);

        if (!known)
                return;
        announce(network, NETWORK_LEASE_REMOVED, lease_copy(known));
        forget(network, &lease->address);
}

static void take_present(struct network *network, const struct network_lease *lease)
{
        struct network_lease *known = find_known(network, &lease->address);
        struct network_lease *taken = lease_copy(lease);

        /* A dnsmasq that was started again has forgotten what it knew. */
        if (!taken->mac && known && g_strcmp0(taken->client_id, known->client_id) == 0)
                taken->mac = g_strdup(known->mac);
        if (known && is_same(known, taken)) {
                known->expiry = taken->expiry;
                network_lease_free(taken);
                return;
        }
        announce(network, known ? NETWORK_LEASE_CHANGED : NETWORK_LEASE_ADDED, lease_copy(taken));
        remember(network, taken);
        if (taken->address.family == AF_INET6)
                write_macs(network);
}

static bool has_address(const GPtrArray *leases, const struct network_address *address)
{
        for (unsigned i = 0; i < leases->len; i++) {
                const struct network_lease *lease = g_ptr_array_index(leases, i);

                if (network_address_compare(&lease->address, address) == 0)
                        return true;
        }
        return false;
}

void network_leases_drop_lost(struct network *network, const struct network_def *def)
{
        g_autoptr(GPtrArray) leases = read_file(network, def, false, NULL);
        GHashTableIter iter;
        void *value;

        if (!leases)
                return;
        g_hash_table_iter_init(&iter, network->leases);
        while (g_hash_table_iter_next(&iter, NULL, &value)) {
                const struct network_lease *lease = value;

                if (has_address(leases, &lease->address))
                        continue;
                announce(network, NETWORK_LEASE_REMOVED, lease_copy(lease));
                g_hash_table_iter_remove(&iter);
        }
}

bool network_leases_take(struct managed *object, void *data, GError **error)
{
        struct network *network = network_from(object);
        const struct network_lease_message *message = data;
        struct network_lease *lease = message->lease;

        if (!object->current || !object->current->active || !network->leases ||
            !find_prefix(network_def_const(object->current->active), lease))
                return true;
        if (!lease->mac)
                lease->mac = find_mac_in_duid(lease->client_id);
        if (message->is_removed)
                take_removed(network, lease);
        else
                take_present(network, lease);
        return true;
}

/* ---- the call ---- */

struct question {
        char *mac;         /* owned */
        GPtrArray *leases; /* owned; the answer */
        network_leases_done done;
        void *data;
};

static bool is_wanted(const struct network_lease *lease, const char *mac, int64_t now)
{
        if (lease->expiry > 0 && lease->expiry < now)
                return false;
        return !*mac || (lease->mac && g_ascii_strcasecmp(lease->mac, mac) == 0);
}

/* Without virtbus-lease nobody has told of any since the start. */
static bool refresh(struct network *network, GError **error)
{
        GPtrArray *leases;

        if (network->networks->lease_program || !network->leases)
                return true;
        leases = read_file(network, network_def_const(network->base.current->active), true, error);
        if (!leases)
                return false;
        g_hash_table_remove_all(network->leases);
        while (leases->len > 0)
                remember(network, g_ptr_array_steal_index_fast(leases, leases->len - 1));
        g_ptr_array_unref(leases);
        return true;
}

static int compare_leases(const void *a, const void *b)
{
        const struct network_lease *first = *(struct network_lease *const *)a,
                                   *second = *(struct network_lease *const *)b;

        return network_address_compare(&first->address, &second->address);
}

static bool leases_work(struct managed *object, void *data, GError **error)
{
        struct question *question = data;
        struct network *network = network_from(object);
        int64_t now = g_get_real_time() / G_USEC_PER_SEC;
        GHashTableIter iter;
        void *lease;

        if (!network_require_active(object, error) || !refresh(network, error))
                return false;
        question->leases = g_ptr_array_new_with_free_func(network_lease_free);
        if (!network->leases)
                return true;
        g_hash_table_iter_init(&iter, network->leases);
        while (g_hash_table_iter_next(&iter, NULL, &lease))
                if (is_wanted(lease, question->mac, now))
                        g_ptr_array_add(question->leases, lease_copy(lease));
        g_ptr_array_sort(question->leases, compare_leases);
        return true;
}

static void leases_done(struct managed *object, const GError *error, void *data)
{
        struct question *question = data;

        question->done(network_from(object), question->leases, error, question->data);
        g_clear_pointer(&question->leases, g_ptr_array_unref);
        g_free(question->mac);
        g_free(question);
}

void network_get_leases(struct network *network, const char *mac, unsigned flags, network_leases_done done,
                        void *data)
{
        g_autoptr(GError) error = NULL;

        if (!network_check_flags(flags, 0, "GetDHCPLeases", &error)) {
                done(network, NULL, error, data);
                return;
        }
        managed_run(&network->base, MANAGED_IN_TURN, leases_work, leases_done,
                    g_memdup2(&(const struct question){ .mac = g_strdup(mac), .done = done, .data = data },
                              sizeof(struct question)));
}
