/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The client of a guest agent. Everything but making and ending it runs in its own lane, which owns the
 * socket.
 */
#include "drivers/qemu/guest-agent.h"

#include "base/error.h"
#include "base/lane.h"
#include "base/log.h"
#include "drivers/qemu/console.h"
#include "drivers/qemu/guest.h"
#include "drivers/qemu/qmp-stream.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define READ_SIZE (64 * 1024)
#define DELIMITER '\xff' /* of an answer to guest-sync-delimited; no byte of JSON */

struct guest_agent {
        struct domain_agent base;
        /* const */
        char *path; /* owned */
        char *who;  /* owned */
        uid_t user;
        /* atomic */
        gint gone;
        /* lane */
        int fd; /* owned; -1: not connected */
        struct qmp_stream stream;
        uint32_t last_id;
};

static void forget_input(struct guest_agent *agent)
{
        qmp_stream_done(&agent->stream);
        qmp_stream_init(&agent->stream);
}

static void disconnect(struct guest_agent *agent)
{
        if (agent->fd >= 0)
                close(fd_steal(&agent->fd));
        forget_input(agent);
}

/* ---- connecting ---- */

static bool connect_to(struct guest_agent *agent, GError **error)
{
        g_autofree char *what = g_strdup_printf("the guest agent of %s", agent->who);

        agent->fd = console_connect(agent->path, agent->user, what, error);
        return agent->fd >= 0;
}

static bool set_gone(const struct guest_agent *agent, GError **error)
{
        return error_set(error, ERROR_FROM_QEMU, ERROR_AGENT_UNRESPONSIVE,
                         "the guest agent of %s has disconnected", agent->who);
}

static bool ensure_connected(struct guest_agent *agent, GError **error)
{
        if (g_atomic_int_get(&agent->gone))
                return set_gone(agent, error);
        return agent->fd >= 0 || connect_to(agent, error);
}

/* ---- bytes ---- */

/* Waits until the socket is ready for events; what: what is not answered. */
static bool wait_for(struct guest_agent *agent, short events, const char *what, lane_deadline deadline,
                     GError **error)
{
        switch (lane_wait(agent->base.lane, agent->fd, events, NULL, deadline)) {
        case LANE_READY:
                return true;
        case LANE_INTERRUPTED:
                if (g_atomic_int_get(&agent->gone))
                        return set_gone(agent, error);
                return error_set(error, ERROR_FROM_QEMU, ERROR_OPERATION_ABORTED,
                                 "waiting for the guest agent of %s was interrupted", agent->who);
        default:
                return error_set(error, ERROR_FROM_QEMU, ERROR_AGENT_UNRESPONSIVE,
                                 "the guest agent of %s has not answered %s in time", agent->who, what);
        }
}

static bool write_all(struct guest_agent *agent, const char *text, size_t size, const char *what,
                      lane_deadline deadline, GError **error)
{
        while (size > 0) {
                ssize_t written = send(agent->fd, text, size, MSG_NOSIGNAL | MSG_DONTWAIT);

                if (written > 0) {
                        text += written;
                        size -= (size_t)written;
                } else if (errno == EAGAIN || errno == EINTR) {
                        if (!wait_for(agent, POLLOUT, what, deadline, error))
                                return false;
                } else {
                        disconnect(agent);
                        return set_gone(agent, error);
                }
        }
        return true;
}

/* Reads what there is into buffer, at least one byte; 0 with an error. */
static size_t read_some(struct guest_agent *agent, char buffer[static READ_SIZE], const char *what,
                        lane_deadline deadline, GError **error)
{
        for (;;) {
                ssize_t size;

                /* Whoever sends without end does not get more time than others. */
                if (g_get_monotonic_time() / 1000 >= deadline || lane_is_interrupted(agent->base.lane)) {
                        if (!wait_for(agent, POLLPRI, what, 0, error))
                                return 0;
                }
                size = recv(agent->fd, buffer, READ_SIZE, MSG_DONTWAIT);
                if (size > 0)
                        return (size_t)size;
                if (size == 0 || (errno != EAGAIN && errno != EINTR)) {
                        disconnect(agent);
                        set_gone(agent, error);
                        return 0;
                }
                if (!wait_for(agent, POLLIN, what, deadline, error))
                        return 0;
        }
}

/* ---- lines ---- */

static bool send_command(struct guest_agent *agent, const char *before, const char *command,
                         json_t *arguments, lane_deadline deadline, GError **error)
{
        json_t *root = json_pack("{s:s, s:O*}", "execute", command, "arguments", arguments);
        char *text = root ? json_dumps(root, JSON_COMPACT) : NULL;
        g_autofree char *line = text ? g_strconcat(before, text, "\n", NULL) : NULL;
        bool ok;

        if (line)
                ok = write_all(agent, line, strlen(line), command, deadline, error);
        else
                ok = error_set(error, ERROR_FROM_QEMU, ERROR_INVALID_ARG, "arguments of %s are not UTF-8",
                               command);
        /* There may have been a password in it. */
        if (line)
                explicit_bzero(line, strlen(line));
        if (text)
                explicit_bzero(text, strlen(text));
        free(text);
        json_decref(root);
        return ok;
}

/* The part of bytes behind the last delimiter goes into the stream; before the first one nothing does. */
static void take_delimited(struct guest_agent *agent, bool *delimited, const char *bytes, size_t size)
{
        const char *last = memrchr(bytes, DELIMITER, size);

        if (last) {
                forget_input(agent);
                *delimited = true;
                size -= (size_t)(last + 1 - bytes);
                bytes = last + 1;
        }
        if (*delimited && size > 0)
                qmp_stream_push(&agent->stream, bytes, size);
}

/* Is there an answer with that id? One that is something else counts as never sent. */
static bool is_in_step(struct guest_agent *agent, bool *delimited, uint32_t id)
{
        struct qmp_message message = { 0 };
        g_autofree char *reason = NULL;
        bool found;

        switch (qmp_stream_next(&agent->stream, QMP_LINE_MAX, &message, &reason)) {
        case QMP_STREAM_MORE:
                return false;
        case QMP_STREAM_BROKEN:
                *delimited = false;
                return false;
        case QMP_STREAM_MESSAGE:
                break;
        }
        found = message.kind == QMP_RETURN && json_is_integer(message.body) &&
                json_integer_value(message.body) == id;
        qmp_message_clear(&message);
        *delimited = false;
        return found;
}

static bool get_in_step(struct guest_agent *agent, GError **error)
{
        lane_deadline deadline = lane_deadline_in(GUEST_AGENT_TIMEOUT_MS);
        g_autofree char *buffer = g_malloc(READ_SIZE);
        uint32_t id = ++agent->last_id;
        json_t *arguments = json_pack("{s:I}", "id", (json_int_t)id);
        bool delimited = false, ok;
        size_t taken = 0, size;

        forget_input(agent);
        ok = send_command(agent, "\xff", "guest-sync-delimited", arguments, deadline, error);
        json_decref(arguments);
        if (!ok)
                return false;
        do {
                size = read_some(agent, buffer, "guest-sync-delimited", deadline, error);
                if (size == 0)
                        return false;
                taken += size;
                if (taken > GUEST_AGENT_SYNC_MAX) {
                        disconnect(agent);
                        return error_set(error, ERROR_FROM_QEMU, ERROR_AGENT_UNSYNCED,
                                         "the guest agent of %s sent more than %d bytes instead", agent->who,
                                         GUEST_AGENT_SYNC_MAX);
                }
                take_delimited(agent, &delimited, buffer, size);
        } while (!delimited || !is_in_step(agent, &delimited, id));
        /* Whatever came along is no answer to what has not been asked yet. */
        forget_input(agent);
        return true;
}

static bool set_bad_line(const struct guest_agent *agent, const char *command, const char *reason,
                         GError **error)
{
        return error_set(error, ERROR_FROM_QEMU, ERROR_INTERNAL_ERROR,
                         "the guest agent of %s answered %s with %s", agent->who, command, reason);
}

bool guest_agent_set_malformed(const struct guest_agent *agent, const char *command, GError **error)
{
        return set_bad_line(agent, command, "what is not as it has to be", error);
}

static bool set_refused(const struct guest_agent *agent, const char *command, const json_t *body,
                        GError **error)
{
        const char *name = json_string_value(json_object_get(body, "class"));
        g_autofree char *text = error_quote(json_string_value(json_object_get(body, "desc")));
        enum error_code code = ERROR_OPERATION_FAILED;

        if (g_strcmp0(name, "CommandNotFound") == 0 || g_strcmp0(name, "CommandDisabled") == 0 ||
            strstr(text, "has been disabled"))
                code = ERROR_OPERATION_UNSUPPORTED;
        return error_set(error, ERROR_FROM_QEMU, code, "the guest agent of %s refused %s: %s", agent->who,
                         command, text);
}

static bool receive(struct guest_agent *agent, const char *command, lane_deadline deadline, json_t **result,
                    GError **error)
{
        g_autofree char *buffer = g_malloc(READ_SIZE), *reason = NULL;
        struct qmp_message message = { 0 };
        bool ok;

        for (;;) {
                enum qmp_stream_result found =
                        qmp_stream_next(&agent->stream, QMP_LINE_MAX, &message, &reason);
                size_t size;

                if (found == QMP_STREAM_BROKEN) {
                        disconnect(agent);
                        return set_bad_line(agent, command, reason, error);
                }
                if (found == QMP_STREAM_MESSAGE)
                        break;
                size = read_some(agent, buffer, command, deadline, error);
                if (size == 0)
                        return false;
                qmp_stream_push(&agent->stream, buffer, size);
        }
        if (message.kind == QMP_ERROR)
                ok = set_refused(agent, command, message.body, error);
        else
                ok = message.kind == QMP_RETURN || guest_agent_set_malformed(agent, command, error);
        if (ok && result)
                *result = json_incref((json_t *)message.body);
        qmp_message_clear(&message);
        return ok;
}

/* arguments is taken. */
static bool begin(struct guest_agent *agent, const char *command, json_t *arguments, lane_deadline *deadline,
                  unsigned timeout_ms, GError **error)
{
        CLEANUP(json_decref) json_t *owned = arguments;

        g_assert(in_lane(agent->base.lane));
        if (!ensure_connected(agent, error) || !get_in_step(agent, error))
                return false;
        *deadline = lane_deadline_in(timeout_ms);
        return send_command(agent, "", command, owned, *deadline, error);
}

bool guest_agent_execute(struct guest_agent *agent, const char *command, json_t *arguments,
                         unsigned timeout_ms, json_t **result, GError **error)
{
        lane_deadline deadline;

        return begin(agent, command, arguments, &deadline, timeout_ms, error) &&
               receive(agent, command, deadline, result, error);
}

bool guest_agent_execute_or_undo(struct guest_agent *agent, const char *command, json_t *arguments,
                                 const char *undo, json_t **result, GError **error)
{
        g_autoptr(GError) failure = NULL;
        lane_deadline deadline;

        if (!begin(agent, command, arguments, &deadline, GUEST_AGENT_TIMEOUT_JOB_MS, error))
                return false;
        if (receive(agent, command, deadline, result, &failure))
                return true;
        /* An agent does one thing after the other. What it answers is dropped when it is next asked. */
        if (agent->fd >= 0 &&
            (error_is(failure, ERROR_AGENT_UNRESPONSIVE) || error_is(failure, ERROR_OPERATION_ABORTED)))
                send_command(agent, "", undo, NULL, 0, NULL);
        g_propagate_error(error, g_steal_pointer(&failure));
        return false;
}

bool guest_agent_execute_last(struct guest_agent *agent, const char *command, json_t *arguments,
                              GError **error)
{
        g_autoptr(GError) failure = NULL;
        lane_deadline deadline;

        if (!begin(agent, command, arguments, &deadline, GUEST_AGENT_TIMEOUT_MS, error))
                return false;
        if (receive(agent, command, deadline, NULL, &failure) || error_is(failure, ERROR_AGENT_UNRESPONSIVE))
                return true;
        g_propagate_error(error, g_steal_pointer(&failure));
        return false;
}

/* ---- making and ending ---- */

static void agent_free(struct domain_agent *base)
{
        struct guest_agent *agent = guest_agent_of(base);

        if (agent->fd >= 0)
                close(agent->fd);
        qmp_stream_done(&agent->stream);
        g_free(agent->path);
        g_free(agent->who);
        g_free(agent);
}

struct guest_agent *guest_agent_new(struct pool *pool, struct loop *loop, const char *path, uid_t user,
                                    const char *who)
{
        struct guest_agent *agent = g_new0(struct guest_agent, 1);
        g_autofree char *name = g_strdup_printf("guest agent of %s", who);

        agent->base.refs = 1;
        agent->base.lane = lane_new(pool, loop, name);
        agent->base.free = agent_free;
        agent->base.ask = guest_agent_ask;
        agent->path = g_strdup(path);
        agent->who = g_strdup(who);
        agent->user = user;
        agent->fd = -1;
        agent->last_id = g_random_int() / 2;
        qmp_stream_init(&agent->stream);
        return agent;
}

static void connect_job(void *data)
{
        struct guest_agent *agent = data;
        g_autoptr(GError) error = NULL;

        if (!ensure_connected(agent, &error))
                log_debug("%s", error->message);
        domain_agent_unref(&agent->base);
}

void guest_agent_connect(struct guest_agent *agent)
{
        domain_agent_ref(&agent->base);
        lane_post(agent->base.lane, connect_job, agent);
}

static void end_job(void *data)
{
        struct guest_agent *agent = data;

        disconnect(agent);
        domain_agent_unref(&agent->base);
}

void guest_agent_end(struct guest_agent *agent)
{
        g_atomic_int_set(&agent->gone, 1);
        lane_post_urgent(agent->base.lane, end_job, agent);
}

/* ---- of a guest ---- */

static const struct domain_char *find_channel(const struct guest *guest)
{
        const struct domain_def *def = domain_state_get_def(domain_get_current(guest->domain));

        for (unsigned i = 0; i < def->devices.n_chars; i++) {
                const struct domain_char *chr = &def->devices.chars[i];

                if (chr->kind == DOMAIN_CHAR_CHANNEL &&
                    g_strcmp0(chr->target_name, GUEST_AGENT_CHANNEL) == 0 &&
                    chr->source.type == DOMAIN_CHAR_UNIX && chr->source.listen && chr->source.path)
                        return chr;
        }
        return NULL;
}

void guest_agent_set_present(struct guest *guest, bool present)
{
        const struct domain_char *channel = present && !guest->agent ? find_channel(guest) : NULL;
        const struct domain_driver *driver = &guest->driver->base;

        if (!present)
                g_clear_pointer(&guest->agent, guest_agent_end);
        if (!channel)
                return;
        guest->agent = guest_agent_new(driver->pool, driver->loop, channel->source.path, guest->account->uid,
                                       guest->who);
        guest_agent_connect(guest->agent);
}

void guest_agent_forget(struct guest *guest, const char *alias)
{
        const struct domain_char *channel = guest->agent ? find_channel(guest) : NULL;

        if (channel && g_strcmp0(channel->info.alias, alias) == 0)
                guest_agent_set_present(guest, false);
}

struct domain_agent *guest_agent_get(struct domain *domain, GError **error)
{
        struct guest *guest = guest_of(domain);
        const struct domain_char *channel = find_channel(guest);

        if (!channel) {
                error_set(error, ERROR_FROM_QEMU, ERROR_ARGUMENT_UNSUPPORTED,
                          "QEMU guest agent is not configured for %s: it needs a channel '%s'", guest->who,
                          GUEST_AGENT_CHANNEL);
                return NULL;
        }
        if (domain_get_current(domain)->state != DOMAIN_RUNNING) {
                error_set(error, ERROR_FROM_QEMU, ERROR_OPERATION_INVALID,
                          "the CPUs of %s do not run, and so does no guest agent", guest->who);
                return NULL;
        }
        if (!guest->agent) {
                error_set(error, ERROR_FROM_QEMU, ERROR_AGENT_UNRESPONSIVE,
                          "QEMU guest agent of %s is not connected", guest->who);
                return NULL;
        }
        return domain_agent_ref((struct domain_agent *)guest->agent);
}
