/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The QMP client. All of it runs in its lane and owns the socket. A job that waits for a reply reads whatever
 * comes: replies go to their slots, events to a bounded queue. Turns (qmp-turn.c) deliver the queue in jobs
 * of their own, and while it is not empty no more is read: a flood stays in the socket and costs its sender.
 */
#include "drivers/qemu/qmp.h"

#include "base/error.h"
#include "base/log.h"
#include "drivers/qemu/qmp-private.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define READ_SIZE (32 * 1024)

/*
 * Ids on the wire. QEMU reads its monitor a byte at a time, and each costs it a turn of its loop (some 3 us),
 * so only those have one who need it. What is in band is answered in the order sent (QMP specification,
 * "Issuing Commands"); what is out of band may be answered before that, and has an id of two digits, of which
 * the one that is due longest is taken again when nobody waits for its reply any more.
 */
#define TAGS 99
/* Of qmp_capabilities, and no other command's; see take_reply(). */
#define HANDSHAKE_TAG (TAGS + 1)
G_STATIC_ASSERT(TAGS > QMP_OUTSTANDING_MAX);

void qmp_slot_free(void *data)
{
        struct qmp_slot *slot = data;

        g_clear_error(&slot->refused);
        qmp_message_clear(&slot->reply);
        g_free(slot->command);
        g_free(slot);
}

void qmp_release(struct qmp *qmp)
{
        if (--qmp->refs > 0)
                return;
        qmp_output_done(&qmp->output);
        qmp_events_done(&qmp->events);
        if (qmp->fd >= 0)
                close(qmp->fd);
        g_clear_error(&qmp->broken);
        g_ptr_array_unref(qmp->slots);
        qmp_stream_done(&qmp->stream);
        lane_unref(qmp->lane);
        g_free(qmp->who);
        g_free(qmp);
}

/* Ends the connection; the first reason stays. */
static void set_broken(struct qmp *qmp, enum error_code code, const char *what)
{
        if (qmp->broken)
                return;
        error_set(&qmp->broken, ERROR_FROM_QEMU, code, "QEMU of %s %s", qmp->who, what);
        g_clear_pointer(&qmp->watch, lane_watch_free);
        close(fd_steal(&qmp->fd));
}

struct qmp_slot *qmp_find_slot(const struct qmp *qmp, uint64_t id, unsigned *position)
{
        for (unsigned i = 0; i < qmp->slots->len; i++) {
                struct qmp_slot *slot = g_ptr_array_index(qmp->slots, i);

                if (slot->id == id) {
                        if (position)
                                *position = i;
                        return slot;
                }
        }
        return NULL;
}

/* The one whose reply has not come, of those without a tag the first; NULL: there is none. */
static struct qmp_slot *find_unanswered(const struct qmp *qmp, uint64_t tag, unsigned *position)
{
        for (unsigned i = 0; i < qmp->slots->len; i++) {
                struct qmp_slot *slot = g_ptr_array_index(qmp->slots, i);

                if (slot->tag == tag && !slot->answered) {
                        *position = i;
                        return slot;
                }
        }
        return NULL;
}

static unsigned choose_tag(struct qmp *qmp)
{
        unsigned position;

        do
                qmp->last_tag = qmp->last_tag % TAGS + 1;
        while (find_unanswered(qmp, qmp->last_tag, &position));
        return qmp->last_tag;
}

/* ---- receiving ---- */

static void take_greeting(struct qmp *qmp, const struct qmp_message *message)
{
        const json_t *version = json_object_get(json_object_get(message->body, "version"), "qemu");
        json_int_t major = json_integer_value(json_object_get(version, "major"));
        json_int_t minor = json_integer_value(json_object_get(version, "minor"));
        json_int_t micro = json_integer_value(json_object_get(version, "micro"));

        /*
         * QEMU whose monitor is set up in one thread while another one takes the connection greets in both.
         * It is one connection still until commands have been accepted.
         */
        if (qmp->greeted && !qmp->ready)
                return;
        if (qmp->greeted) {
                set_broken(qmp, ERROR_INTERNAL_ERROR, "sent a second greeting");
                return;
        }
        if (major <= 0 || major > 1000 || minor < 0 || minor > 999 || micro < 0 || micro > 999) {
                set_broken(qmp, ERROR_INTERNAL_ERROR, "sent a greeting without a version");
                return;
        }
        qmp->greeted = true;
        qmp->version = (uint64_t)(major * 1000000 + minor * 1000 + micro);
}

static void take_handshake(struct qmp *qmp, const struct qmp_message *message)
{
        if (message->kind != QMP_RETURN) {
                set_broken(qmp, ERROR_INTERNAL_ERROR, "refused qmp_capabilities");
                return;
        }
        qmp->ready = true;
        if (!qmp->in_handshake)
                qmp->events.lost = true;
}

static void take_reply(struct qmp *qmp, struct qmp_message *message)
{
        struct qmp_slot *slot;
        unsigned position;

        if (!qmp->greeted) {
                set_broken(qmp, ERROR_INTERNAL_ERROR, "sent a reply before its greeting");
                return;
        }
        slot = find_unanswered(qmp, message->id, &position);
        /*
         * QEMU goes on with what a client that is gone had asked it for, and tells the next one the result:
         * in front of the answer to qmp_capabilities, which waits behind it.
         */
        if (!qmp->ready && (!slot || slot->id != qmp->handshake_id))
                return;
        if (!slot) {
                g_autofree char *what =
                        message->id
                                ? g_strdup_printf("sent a reply to no command (id %" PRIu64 ")", message->id)
                                : g_strdup("sent a reply to no command");

                set_broken(qmp, ERROR_INTERNAL_ERROR, what);
                return;
        }
        if (!slot->oob)
                qmp_output_heed_answer(&qmp->output, slot->has_fd);
        if (slot->id == qmp->handshake_id)
                take_handshake(qmp, message);
        if (slot->forgotten) {
                qmp->events.lost |= slot->tells;
                g_ptr_array_remove_index(qmp->slots, position);
                return;
        }
        slot->answered = true;
        slot->reply = *message;
        *message = (struct qmp_message){ 0 };
        if (slot->fn)
                qmp_events_push_reply(&qmp->events, slot->id);
}

static void take_event(struct qmp *qmp, const struct qmp_message *message)
{
        if (qmp->event_fn && qmp_events_push(&qmp->events, message, qmp->last_id))
                log_warning("QEMU of %s sends events faster than they can be handled; some are lost",
                            qmp->who);
}

static void take_message(struct qmp *qmp, struct qmp_message *message)
{
        switch (message->kind) {
        case QMP_GREETING:
                take_greeting(qmp, message);
                break;
        case QMP_RETURN:
        case QMP_ERROR:
                take_reply(qmp, message);
                break;
        case QMP_EVENT:
                take_event(qmp, message);
                break;
        }
}

static size_t get_line_max(const struct qmp *qmp)
{
        return qmp->slots->len > 0 ? QMP_REPLY_LINE_MAX : QMP_LINE_MAX;
}

/* Takes at most QMP_EVENTS_PER_TURN messages that have arrived. */
static void take_messages(struct qmp *qmp)
{
        for (unsigned i = 0; i < QMP_EVENTS_PER_TURN && !qmp->broken; i++) {
                struct qmp_message message = { 0 };
                g_autofree char *reason = NULL, *what = NULL;

                switch (qmp_stream_next(&qmp->stream, get_line_max(qmp), &message, &reason)) {
                case QMP_STREAM_MORE:
                        return;
                case QMP_STREAM_BROKEN:
                        what = g_strdup_printf("sent %s", reason);
                        set_broken(qmp, ERROR_INTERNAL_ERROR, what);
                        return;
                case QMP_STREAM_MESSAGE:
                        take_message(qmp, &message);
                        qmp_message_clear(&message);
                }
        }
}

/* Reads once without waiting. False: there is nothing to read. */
static bool read_some(struct qmp *qmp)
{
        char buffer[READ_SIZE];
        ssize_t size = recv(qmp->fd, buffer, sizeof(buffer), MSG_DONTWAIT);

        if (size > 0) {
                qmp_stream_push(&qmp->stream, buffer, (size_t)size);
                return true;
        }
        if (size < 0 && (errno == EAGAIN || errno == EINTR))
                return false;
        set_broken(qmp, ERROR_OPERATION_FAILED, "closed its monitor");
        return true;
}

void qmp_flush(struct qmp *qmp)
{
        g_assert(in_lane(qmp->lane));
        /* When QEMU is gone, what it said last is still to be read, and the end of that breaks the
         * connection. */
        if (!qmp->broken)
                qmp_output_flush(&qmp->output, qmp->fd);
}

/* Takes messages from what has arrived, reading more when that is used up. False: there is nothing. */
bool qmp_progress(struct qmp *qmp)
{
        if (!qmp_stream_has_line(&qmp->stream) && !read_some(qmp))
                return false;
        take_messages(qmp);
        /* Answers make room for what waited for them. */
        qmp_flush(qmp);
        return true;
}

/* ---- sending ---- */

/* NULL: it cannot be sent. */
static struct qmp_slot *add_slot(struct qmp *qmp, const char *command, bool oob)
{
        struct qmp_slot *slot;

        g_assert(in_lane(qmp->lane));
        qmp->last_id++;
        if (qmp->broken || qmp->slots->len >= QMP_OUTSTANDING_MAX)
                return NULL;
        slot = g_new0(struct qmp_slot, 1);
        slot->id = qmp->last_id;
        slot->oob = oob;
        if (qmp->last_id == 1)
                slot->tag = HANDSHAKE_TAG;
        else if (oob)
                slot->tag = choose_tag(qmp);
        slot->command = g_strdup(command);
        g_ptr_array_add(qmp->slots, slot);
        return slot;
}

/* With the arguments (taken); how: "execute" or "exec-oob". The last brace ends it: no newline. */
static char *format_command(const struct qmp_slot *slot, const char *how, json_t *arguments, size_t *length)
{
        json_t *id = slot->tag ? json_integer(slot->tag) : NULL;
        json_t *root = json_pack("{s:s, s:o*, s:o*}", how, slot->command, "arguments", arguments, "id", id);
        char *text;

        g_assert(root);
        text = json_dumps(root, JSON_COMPACT);
        *length = strlen(text);
        json_decref(root);
        return text;
}

/* fd: of a command in band; -1: none. */
static uint64_t send_command(struct qmp *qmp, const char *command, json_t *arguments, int fd, bool oob)
{
        struct qmp_slot *slot = add_slot(qmp, command, oob);
        size_t length;
        char *text;

        if (!slot) {
                json_decref(arguments);
                return qmp->last_id;
        }
        /* Without a descriptor to spare, QEMU answers that it got none. */
        if (fd >= 0)
                fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
        slot->has_fd = fd >= 0;
        text = format_command(slot, oob ? "exec-oob" : "execute", arguments, &length);
        if (oob)
                qmp_output_push_oob(&qmp->output, text, length);
        else
                qmp_output_push(&qmp->output, text, length, fd);
        return qmp->last_id;
}

uint64_t qmp_send_fd(struct qmp *qmp, const char *command, json_t *arguments, int fd)
{
        return send_command(qmp, command, arguments, fd, false);
}

uint64_t qmp_send(struct qmp *qmp, const char *command, json_t *arguments)
{
        return send_command(qmp, command, arguments, -1, false);
}

bool qmp_set_too_many(const struct qmp *qmp, GError **error)
{
        return error_set(error, ERROR_FROM_QEMU, ERROR_OPERATION_TIMEOUT,
                         "QEMU of %s has %d commands to answer already", qmp->who, QMP_OUTSTANDING_MAX);
}

/* ---- waiting ---- */

static bool set_wait_error(const struct qmp *qmp, enum lane_wake wake, const char *what, GError **error)
{
        if (wake == LANE_INTERRUPTED)
                return error_set(error, ERROR_FROM_QEMU, ERROR_OPERATION_ABORTED,
                                 "waiting for QEMU of %s was interrupted", qmp->who);
        return error_set(error, ERROR_FROM_QEMU, ERROR_OPERATION_TIMEOUT, "QEMU of %s did not answer %s",
                         qmp->who, what);
}

static bool is_past(lane_deadline deadline)
{
        return deadline != LANE_FOREVER && g_get_monotonic_time() / 1000 >= deadline;
}

/* After a wait that came to its deadline: may there be another? */
static bool may_go_on(struct qmp *qmp, enum lane_wake wake)
{
        if (wake != LANE_TIMEOUT || !qmp->patience)
                return false;
        qmp->extended = qmp->patience(qmp->patience_data);
        return !is_past(qmp->extended);
}

enum lane_wake qmp_wait(struct qmp *qmp, lane_deadline deadline)
{
        short events = qmp_output_is_ready(&qmp->output) ? POLLIN | POLLOUT : POLLIN;

        if (qmp->watch && !qmp->paused) {
                lane_watch_pause(qmp->watch);
                qmp->paused = true;
        }
        return lane_wait(qmp->lane, qmp->fd, events, NULL, deadline);
}

void qmp_stop_waiting(struct qmp *qmp)
{
        if (qmp->watch && qmp->paused)
                lane_watch_resume(qmp->watch);
        qmp->paused = false;
}

/* One step towards a reply: reads, or waits until there is something to read. */
static bool step(struct qmp *qmp, lane_deadline deadline, const char *what, GError **error)
{
        enum lane_wake wake;

        deadline = MAX(deadline, qmp->extended);
        qmp_flush(qmp);
        if (qmp->broken) {
                g_propagate_error(error, g_error_copy(qmp->broken));
                return false;
        }
        if (lane_is_interrupted(qmp->lane))
                return set_wait_error(qmp, LANE_INTERRUPTED, what, error);
        if (qmp_progress(qmp))
                wake = is_past(deadline) ? LANE_TIMEOUT : LANE_READY;
        else
                wake = qmp_wait(qmp, deadline);
        if (qmp_has_work(qmp))
                qmp_post_turn(qmp);
        return wake == LANE_READY || may_go_on(qmp, wake) || set_wait_error(qmp, wake, what, error);
}

bool qmp_set_reply_error(const struct qmp *qmp, const struct qmp_slot *slot, GError **error)
{
        static const struct {
                const char *name;
                enum error_code code;
        } classes[] = {
                { "CommandNotFound", ERROR_OPERATION_UNSUPPORTED },
                { "DeviceNotActive", ERROR_OPERATION_INVALID },
                { "DeviceNotFound", ERROR_DEVICE_MISSING },
        };
        const char *name = json_string_value(json_object_get(slot->reply.body, "class"));
        enum error_code code = ERROR_OPERATION_FAILED;

        for (unsigned i = 0; i < G_N_ELEMENTS(classes); i++) {
                if (g_strcmp0(name, classes[i].name) == 0)
                        code = classes[i].code;
        }
        return error_set(error, ERROR_FROM_QEMU, code, "QEMU of %s refused %s: %s", qmp->who, slot->command,
                         json_string_value(json_object_get(slot->reply.body, "desc")));
}

static bool finish_slot(struct qmp *qmp, struct qmp_slot *slot, json_t **result, GError **error)
{
        bool ok = slot->reply.kind == QMP_RETURN || qmp_set_reply_error(qmp, slot, error);

        if (ok && result)
                *result = json_incref((json_t *)slot->reply.body);
        g_ptr_array_remove(qmp->slots, slot);
        return ok;
}

static bool receive(struct qmp *qmp, uint64_t id, lane_deadline deadline, json_t **result, GError **error)
{
        struct qmp_slot *slot = qmp_find_slot(qmp, id, NULL);

        g_assert(in_lane(qmp->lane));
        if (!slot && qmp->broken) {
                g_propagate_error(error, g_error_copy(qmp->broken));
                return false;
        }
        if (!slot)
                return qmp_set_too_many(qmp, error);
        while (!slot->answered) {
                if (step(qmp, deadline, slot->command, error))
                        continue;
                if (!slot->answered) {
                        slot->forgotten = true;
                        return false;
                }
                g_clear_error(error);
        }
        return finish_slot(qmp, slot, result, error);
}

bool qmp_receive(struct qmp *qmp, uint64_t id, lane_deadline deadline, json_t **result, GError **error)
{
        bool ok = receive(qmp, id, deadline, result, error);

        qmp_stop_waiting(qmp);
        return ok;
}

void qmp_forget(struct qmp *qmp, uint64_t id)
{
        unsigned position;
        struct qmp_slot *slot = qmp_find_slot(qmp, id, &position);

        if (!slot)
                return;
        slot->forgotten = true;
        slot->fn = NULL;
        if (slot->answered)
                g_ptr_array_remove_index(qmp->slots, position);
}

uint64_t qmp_get_last_id(const struct qmp *qmp)
{
        return qmp->last_id;
}

void qmp_forget_later(struct qmp *qmp, uint64_t id)
{
        for (uint64_t later = qmp->last_id; later > id; later--)
                qmp_forget(qmp, later);
}

void qmp_heed_late(struct qmp *qmp, uint64_t id)
{
        struct qmp_slot *slot = qmp_find_slot(qmp, id, NULL);

        if (slot && slot->forgotten)
                slot->tells = true;
}

bool qmp_execute(struct qmp *qmp, const char *command, json_t *arguments, unsigned timeout_ms,
                 json_t **result, GError **error)
{
        uint64_t id = qmp_send(qmp, command, arguments);

        return qmp_receive(qmp, id, lane_deadline_in(timeout_ms), result, error);
}

bool qmp_handshake(struct qmp *qmp, lane_deadline deadline, GError **error)
{
        bool ok = true;

        g_assert(in_lane(qmp->lane));
        qmp->in_handshake = true;
        while (ok && !qmp->ready)
                ok = step(qmp, deadline, qmp->greeted ? "qmp_capabilities" : "with its greeting", error);
        qmp->in_handshake = false;
        qmp_stop_waiting(qmp);
        return ok;
}

bool qmp_execute_oob(struct qmp *qmp, const char *command, json_t *arguments, unsigned timeout_ms,
                     json_t **result, GError **error)
{
        lane_deadline deadline = lane_deadline_in(timeout_ms);

        if (!qmp_handshake(qmp, deadline, error)) {
                json_decref(arguments);
                return false;
        }
        return qmp_receive(qmp, send_command(qmp, command, arguments, -1, true), deadline, result, error);
}

void qmp_claim_events(struct qmp *qmp, uint64_t id, const char *name)
{
        qmp_events_claim(&qmp->events, name, id);
}

bool qmp_wait_event(struct qmp *qmp, qmp_accept_fn accept, void *data, lane_deadline deadline, GError **error)
{
        struct qmp_event *event = NULL;
        bool ok = true;

        g_assert(in_lane(qmp->lane));
        while (ok && !(event = qmp_events_take(&qmp->events, accept, data)))
                ok = step(qmp, deadline, "with an event", error);
        qmp_stop_waiting(qmp);
        if (ok)
                qmp_event_free(event);
        return ok;
}

/* ---- */

struct qmp *qmp_new(struct lane *lane, int fd, const char *who)
{
        struct qmp *qmp = g_new0(struct qmp, 1);

        qmp->lane = lane_ref(lane);
        qmp->who = g_strdup(who);
        qmp->refs = 1;
        qmp->fd = fd;
        qmp->slots = g_ptr_array_new_with_free_func(qmp_slot_free);
        qmp_stream_init(&qmp->stream);
        qmp->handshake_id = qmp_send(qmp, "qmp_capabilities", json_pack("{s:[s]}", "enable", "oob"));
        qmp_forget(qmp, qmp->handshake_id);
        return qmp;
}

void qmp_free(struct qmp *qmp)
{
        if (!qmp)
                return;
        qmp->freed = true;
        g_clear_pointer(&qmp->watch, lane_watch_free);
        g_clear_pointer(&qmp->turn, lane_timer_free);
        g_clear_pointer(&qmp->late, lane_timer_free);
        qmp_release(qmp);
}

void qmp_set_patience(struct qmp *qmp, qmp_patience_fn patience, void *data)
{
        qmp->patience = patience;
        qmp->patience_data = data;
}

uint64_t qmp_get_version(const struct qmp *qmp)
{
        return qmp->version;
}

bool qmp_is_broken(const struct qmp *qmp)
{
        return qmp->broken != NULL;
}

bool qmp_is_closed(const struct qmp *qmp)
{
        return qmp->closed_told;
}
