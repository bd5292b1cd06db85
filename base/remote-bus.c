/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The agent of another host, by sd-bus(3). A connection belongs to whoever uses it. */
#include "base/remote-bus.h"

#include "base/error.h"
#include "base/lane.h"
#include "base/remote-way.h"
#include "base/system-call-private.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define SERVICE   "org.libvirt"
#define API_ERROR "org.libvirt.Error"
/* Of an answer: entries, and bytes of a text. */
#define ENTRIES_MAX 64
#define TEXT_MAX    4096
#define CONNECT_S   "10"
#define ALIVE_S     "5"

struct remote_place {
        char *uri;          /* owned */
        char *host;         /* owned; NULL: this one */
        char *address;      /* owned; of the bus; NULL: the command leads there */
        GPtrArray *command; /* owned, of owned strings, NULL-terminated; NULL: none */
};

struct remote_bus {
        char *uri;   /* owned */
        sd_bus *bus; /* ref */
        struct remote_way way;
};

/* ---- places ---- */

static bool refuse(GError **error, const char *uri, const char *what)
{
        g_autofree char *quoted = error_quote(uri);

        return error_set(error, ERROR_FROM_DOMAIN, ERROR_INVALID_ARG, "'%s' is no destination: %s", quoted,
                         what);
}

/* Of a host or a user: what neither ssh nor a shell takes for anything else. */
static bool is_plain(const char *text)
{
        return *text && *text != '-' && strlen(text) <= 255 &&
               strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.:_-%") ==
                       strlen(text);
}

static void add(struct remote_place *place, const char *text)
{
        g_ptr_array_add(place->command, g_strdup(text));
}

static bool make_command(struct remote_place *place, GUri *uri, const char *bus, GError **error)
{
        static const char *const options[] = { "ssh", "-T",
                                               "-x",  "-a",
                                               "-o",  "BatchMode=yes",
                                               "-o",  "ConnectTimeout=" CONNECT_S,
                                               "-o",  "ServerAliveInterval=" ALIVE_S };
        const char *host = g_uri_get_host(uri), *user = g_uri_get_userinfo(uri);
        g_autofree char *port = g_strdup_printf("%d", g_uri_get_port(uri));

        if (!host || !is_plain(host))
                return refuse(error, place->uri, "it names no host");
        if (user && !is_plain(user))
                return refuse(error, place->uri, "that is no user");
        place->host = g_strdup(host);
        place->command = g_ptr_array_new_with_free_func(g_free);
        for (unsigned i = 0; i < G_N_ELEMENTS(options); i++)
                add(place, options[i]);
        if (g_uri_get_port(uri) > 0) {
                add(place, "-p");
                add(place, port);
        }
        if (user) {
                add(place, "-l");
                add(place, user);
        }
        add(place, "--");
        add(place, host);
        /* Where it is installed is that host's matter. */
        add(place, "PATH=$PATH:/usr/libexec:/usr/sbin:/usr/local/libexec:/usr/local/sbin; export PATH;");
        add(place, "exec");
        add(place, "virtbusd");
        add(place, "--stdio-bridge");
        add(place, strcmp(bus, "session") == 0 ? "--session" : "--system");
        g_ptr_array_add(place->command, NULL);
        return true;
}

/* One socket: other transports of an address run programs. */
static bool is_socket(const char *address)
{
        return (g_str_has_prefix(address, "unix:path=") || g_str_has_prefix(address, "unix:abstract=")) &&
               !strpbrk(address, ";,");
}

static bool read_query(struct remote_place *place, const char *query, GError **error)
{
        g_autoptr(GHashTable) entries = NULL;
        GHashTableIter iter;
        const char *name, *value;

        if (!query)
                return true;
        entries = g_uri_parse_params(query, -1, "&", G_URI_PARAMS_NONE, NULL);
        if (!entries)
                return refuse(error, place->uri, "what is behind '?' cannot be read");
        g_hash_table_iter_init(&iter, entries);
        while (g_hash_table_iter_next(&iter, (void **)&name, (void **)&value)) {
                if (strcmp(name, "bus") != 0 || place->command)
                        return refuse(error, place->uri, "there is no such option");
                if (!is_socket(value))
                        return refuse(error, place->uri, "its bus is not 'unix:path=...'");
                place->address = g_strdup(value);
        }
        return true;
}

static bool read_place(struct remote_place *place, GError **error)
{
        g_autoptr(GUri) uri = g_uri_parse(place->uri, G_URI_FLAGS_NON_DNS, NULL);
        const char *path = uri ? g_uri_get_path(uri) : "";
        bool is_ssh = uri && strcmp(g_uri_get_scheme(uri), "qemu+ssh") == 0;

        if (!uri || (!is_ssh && strcmp(g_uri_get_scheme(uri), "qemu+unix") != 0))
                return refuse(error, place->uri, "it is neither 'qemu+ssh://...' nor 'qemu+unix://...'");
        if (strcmp(path, "/system") != 0 && strcmp(path, "/session") != 0)
                return refuse(error, place->uri, "its path is neither '/system' nor '/session'");
        if (!is_ssh && g_uri_get_host(uri) && *g_uri_get_host(uri))
                return refuse(error, place->uri, "a socket is of this host");
        if (is_ssh && !make_command(place, uri, path + 1, error))
                return false;
        return read_query(place, g_uri_get_query(uri), error) &&
               (is_ssh || place->address || refuse(error, place->uri, "'bus=unix:path=...' is missing"));
}

struct remote_place *remote_place_new(const char *uri, GError **error)
{
        CLEANUP(remote_place_free) struct remote_place *place = g_new0(struct remote_place, 1);

        place->uri = g_strdup(uri);
        if (strlen(uri) > REMOTE_URI_MAX) {
                refuse(error, uri, "it is too long");
                return NULL;
        }
        return read_place(place, error) ? g_steal_pointer(&place) : NULL;
}

void remote_place_free(struct remote_place *place)
{
        if (!place)
                return;
        if (place->command)
                g_ptr_array_unref(place->command);
        g_free(place->uri);
        g_free(place->host);
        g_free(place->address);
        g_free(place);
}

const char *remote_place_get_uri(const struct remote_place *place)
{
        return place->uri;
}

const char *remote_place_get_host(const struct remote_place *place)
{
        return place->host;
}

const char *const *remote_place_get_command(const struct remote_place *place)
{
        return place->command ? (const char *const *)place->command->pdata : NULL;
}

/* ---- connections ---- */

static bool fail_way(const struct remote_bus *bus, const char *what, GError **error)
{
        g_autofree char *complaint = remote_way_get_complaint(&bus->way);

        return error_set(error, ERROR_FROM_RPC, ERROR_RPC, "the way to '%s' does not work: %s", bus->uri,
                         complaint ? complaint : what);
}

static bool start(struct remote_bus *bus, const struct remote_place *place, GError **error)
{
        int fd = -1, result = sd_bus_new(&bus->bus);

        if (place->command) {
                fd = remote_way_open(&bus->way, remote_place_get_command(place), place->uri, error);
                if (fd < 0)
                        return false;
                result = result < 0 ? result : sd_bus_set_fd(bus->bus, fd, fd);
                if (result < 0)
                        close(fd);
        } else {
                result = result < 0 ? result : sd_bus_set_address(bus->bus, place->address);
        }
        if (result >= 0)
                result = sd_bus_set_bus_client(bus->bus, true);
        if (result >= 0)
                result = sd_bus_start(bus->bus);
        return result >= 0 || fail_way(bus, g_strerror(-result), error);
}

struct remote_bus *remote_bus_open(const struct remote_place *place, GError **error)
{
        CLEANUP(remote_bus_free) struct remote_bus *bus = g_new0(struct remote_bus, 1);

        bus->uri = g_strdup(place->uri);
        bus->way = REMOTE_WAY_NONE;
        return start(bus, place, error) ? g_steal_pointer(&bus) : NULL;
}

void remote_bus_free(struct remote_bus *bus)
{
        if (!bus)
                return;
        sd_bus_close_unref(bus->bus);
        remote_way_close(&bus->way);
        g_free(bus->uri);
        g_free(bus);
}

/* ---- calls ---- */

static int append_value(sd_bus_message *message, const struct param *param)
{
        switch (param->type) {
        case PARAM_INT:
                return sd_bus_message_append(message, "{sv}", param->name, "i", param->value.i);
        case PARAM_UINT:
                return sd_bus_message_append(message, "{sv}", param->name, "u", param->value.u);
        case PARAM_LONG:
                return sd_bus_message_append(message, "{sv}", param->name, "x", param->value.x);
        case PARAM_ULONG:
                return sd_bus_message_append(message, "{sv}", param->name, "t", param->value.t);
        case PARAM_DOUBLE:
                return sd_bus_message_append(message, "{sv}", param->name, "d", param->value.d);
        case PARAM_BOOL:
                return sd_bus_message_append(message, "{sv}", param->name, "b", (int)param->value.b);
        case PARAM_STRING:
                return sd_bus_message_append(message, "{sv}", param->name, "s", param->value.s);
        }
        return -EINVAL;
}

static sd_bus_message *make_message(sd_bus *bus, const struct remote_call *call)
{
        sd_bus_message *message = NULL;
        int result = sd_bus_message_new_method_call(bus, &message, SERVICE, call->path, call->interface,
                                                    call->member);

        if (result >= 0)
                result = sd_bus_message_append(message, "s", call->text);
        if (result >= 0)
                result = sd_bus_message_open_container(message, SD_BUS_TYPE_ARRAY, "{sv}");
        for (unsigned i = 0; result >= 0 && call->params && i < params_get_count(call->params); i++)
                result = append_value(message, params_get(call->params, i));
        if (result >= 0)
                result = sd_bus_message_close_container(message);
        if (result >= 0)
                result = sd_bus_message_append(message, "u", call->flags);
        if (result >= 0)
                return message;
        sd_bus_message_unref(message);
        return NULL;
}

/* The value stands in one variant or more. */
static bool read_value(sd_bus_message *message, const char *name, struct params *params)
{
        const char *contents, *text;
        uint64_t number;
        int is_true;
        char type;
        bool ok;

        if (sd_bus_message_peek_type(message, &type, &contents) <= 0)
                return false;
        switch (type) {
        case SD_BUS_TYPE_VARIANT:
                return strlen(contents) == 1 &&
                       sd_bus_message_enter_container(message, SD_BUS_TYPE_VARIANT, contents) > 0 &&
                       read_value(message, name, params) && sd_bus_message_exit_container(message) >= 0;
        case SD_BUS_TYPE_STRING:
                ok = sd_bus_message_read_basic(message, type, &text) > 0 && strlen(text) <= TEXT_MAX;
                if (ok)
                        params_add_string(params, name, text);
                return ok;
        case SD_BUS_TYPE_BOOLEAN:
                ok = sd_bus_message_read_basic(message, type, &is_true) > 0;
                if (ok)
                        params_add_bool(params, name, is_true);
                return ok;
        case SD_BUS_TYPE_UINT64:
                ok = sd_bus_message_read_basic(message, type, &number) > 0;
                if (ok)
                        params_add_ulong(params, name, number);
                return ok;
        default:
                /* Of a later agent: not for us. */
                return sd_bus_message_skip(message, NULL) > 0;
        }
}

static struct params *read_answer(sd_bus_message *message)
{
        CLEANUP(params_free) struct params *params = params_new();
        unsigned left = ENTRIES_MAX;
        const char *name;

        if (sd_bus_message_enter_container(message, SD_BUS_TYPE_ARRAY, "{sv}") <= 0)
                return NULL;
        while (sd_bus_message_enter_container(message, SD_BUS_TYPE_DICT_ENTRY, "sv") > 0) {
                if (left-- == 0 || sd_bus_message_read_basic(message, SD_BUS_TYPE_STRING, &name) <= 0 ||
                    strlen(name) > PARAM_NAME_MAX || !read_value(message, name, params) ||
                    sd_bus_message_exit_container(message) < 0)
                        return NULL;
        }
        return g_steal_pointer(&params);
}

struct exchange {
        bool done;
        sd_bus_message *message; /* ref */
};

static int take_answer(sd_bus_message *message, void *data, sd_bus_error *ignored)
{
        struct exchange *exchange = data;

        exchange->done = true;
        exchange->message = sd_bus_message_ref(message);
        return 0;
}

/* The wait for the answer. */
static bool wait_answer(struct remote_bus *bus, struct lane *lane, struct exchange *exchange,
                        lane_deadline deadline, const char *member, GError **error)
{
        g_autoptr(GError) failure = NULL;

        if (system_call_wait(lane, bus->bus, &exchange->done, deadline, SERVICE, member, &failure))
                return true;
        if (error_is(failure, ERROR_OPERATION_TIMEOUT))
                return error_set(error, ERROR_FROM_RPC, ERROR_OPERATION_TIMEOUT, "'%s' does not answer %s",
                                 bus->uri, member);
        if (error_is(failure, ERROR_OPERATION_ABORTED)) {
                g_propagate_error(error, g_steal_pointer(&failure));
                return false;
        }
        return fail_way(bus, failure->message, error);
}

/* Takes the answer apart; errors of the bus itself are the way's. */
static bool judge(struct remote_bus *bus, sd_bus_message *message, const char *member, struct params **answer,
                  bool *refused, GError **error)
{
        const sd_bus_error *failure =
                sd_bus_message_is_method_error(message, NULL) ? sd_bus_message_get_error(message) : NULL;

        if (failure && strcmp(failure->name, API_ERROR) != 0)
                return fail_way(bus, failure->message, error);
        *refused = failure != NULL;
        if (failure)
                return error_set(error, ERROR_FROM_RPC, ERROR_OPERATION_FAILED, "%s at '%s': %s", member,
                                 bus->uri, failure->message);
        *answer = read_answer(message);
        return *answer || fail_way(bus, "its answer cannot be read", error);
}

bool remote_bus_call(struct remote_bus *bus, struct lane *lane, const struct remote_call *call,
                     unsigned timeout_ms, struct params **answer, bool *refused, GError **error)
{
        struct exchange exchange = { 0 };
        sd_bus_message *message = make_message(bus->bus, call);
        sd_bus_slot *slot = NULL;
        int result = message ? sd_bus_call_async(bus->bus, &slot, message, take_answer, &exchange, UINT64_MAX)
                             : -EINVAL;
        bool ok;

        *refused = false;
        *answer = NULL;
        ok = result < 0
                     ? fail_way(bus, g_strerror(-result), error)
                     : wait_answer(bus, lane, &exchange, lane_deadline_in(timeout_ms), call->member, error) &&
                               judge(bus, exchange.message, call->member, answer, refused, error);
        sd_bus_slot_unref(slot);
        sd_bus_message_unref(exchange.message);
        sd_bus_message_unref(message);
        return ok;
}
