/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The QMP client. All of it runs in its lane and owns the socket. A job that waits for a reply reads whatever
 * comes: replies go to their slots, events to a bounded queue. turn() delivers the queue in jobs of its own,
 * and while it is not empty no more is read: a flood stays in the socket and costs its sender.
 */
#include "drivers/qemu/qmp.h"

#include "base/error.h"
#include "base/log.h"
#include "drivers/qemu/qmp-events.h"
#include "drivers/qemu/qmp-output.h"
#include "drivers/qemu/qmp-stream.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define READ_SIZE   (64 * 1024)
#define FLOOD_STEPS 64 /* of QMP_EVENTS_PER_TURN messages each, in one turn */

/* A command that was sent and is not answered, or whose reply has not been fetched. */
struct slot {
        uint64_t id;
        char *command;  /* owned */
        bool forgotten; /* the reply is to be dropped */
        bool answered;
        struct qmp_message reply;
        /* qmp_call() */
        struct qmp *qmp;          /* borrowed */
        qmp_reply_fn fn;          /* NULL: somebody receives it */
        void *data;               /* borrowed */
        GError *refused;          /* owned; it was never sent */
        struct lane_timer *timer; /* owned; its deadline */
};

struct qmp {
        /* const */
        struct lane *lane; /* ref */
        char *who;         /* owned */
        /* lane */
        unsigned refs; /* the owner and a turn that runs */
        bool freed;
        int fd;         /* owned; -1 when broken */
        GError *broken; /* owned */
        struct qmp_stream stream;
        struct qmp_output output;
        GPtrArray *slots; /* struct slot, owned */
        uint64_t last_id, handshake_id;
        bool greeted, ready; /* qmp_capabilities is answered */
        bool in_handshake;
        uint64_t version;
        qmp_patience_fn patience; /* NULL: none */
        void *patience_data;      /* borrowed by it */
        lane_deadline extended;   /* what it allowed last; 0: nothing */
        struct qmp_events events;
        bool closed_told;
        struct lane_watch *watch; /* owned; NULL before qmp_watch() and in a pause */
        short watched;            /* what it waits for */
        struct lane_timer *turn;  /* owned; the next delivery, NULL: none is due */
        qmp_event_fn event_fn;
        qmp_closed_fn closed_fn;
        void *data; /* borrowed by the callbacks */
};

static void slot_free(void *data)
{
        struct slot *slot = data;

        lane_timer_free(slot->timer);
        g_clear_error(&slot->refused);
        qmp_message_clear(&slot->reply);
        g_free(slot->command);
        g_free(slot);
}

static void release(struct qmp *qmp)
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

static unsigned position_of(const struct qmp *qmp, const struct slot *slot)
{
        unsigned position = 0;

        g_ptr_array_find(qmp->slots, slot, &position);
        return position;
}

static struct slot *find_slot(const struct qmp *qmp, uint64_t id, unsigned *position)
{
        for (unsigned i = 0; i < qmp->slots->len; i++) {
                struct slot *slot = g_ptr_array_index(qmp->slots, i);

                if (slot->id == id) {
                        if (position)
                                *position = i;
                        return slot;
                }
        }
        return NULL;
}

/* ---- receiving ---- */

static void take_greeting(struct qmp *qmp, const struct qmp_message *message)
{
        const json_t *version = json_object_get(json_object_get(message->body, "version"), "qemu");
        json_int_t major = json_integer_value(json_object_get(version, "major"));
        json_int_t minor = json_integer_value(json_object_get(version, "minor"));
        json_int_t micro = json_integer_value(json_object_get(version, "micro"));

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
        struct slot *slot;
        unsigned position;

        if (!qmp->greeted) {
                set_broken(qmp, ERROR_INTERNAL_ERROR, "sent a reply before its greeting");
                return;
        }
        slot = find_slot(qmp, message->id, &position);
        if (!slot || slot->answered) {
                g_autofree char *what =
                        g_strdup_printf("sent a reply to no command (id %" PRIu64 ")", message->id);

                set_broken(qmp, ERROR_INTERNAL_ERROR, what);
                return;
        }
        if (message->id == qmp->handshake_id)
                take_handshake(qmp, message);
        if (slot->forgotten) {
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
        g_autofree char *buffer = g_malloc(READ_SIZE);
        ssize_t size = recv(qmp->fd, buffer, READ_SIZE, MSG_DONTWAIT);

        if (size > 0) {
                qmp_stream_push(&qmp->stream, buffer, (size_t)size);
                return true;
        }
        if (size < 0 && (errno == EAGAIN || errno == EINTR))
                return false;
        set_broken(qmp, ERROR_OPERATION_FAILED, "closed its monitor");
        return true;
}

/* Takes messages from what has arrived, reading more when that is used up. False: there is nothing. */
static bool progress(struct qmp *qmp)
{
        if (!qmp_stream_has_line(&qmp->stream) && !read_some(qmp))
                return false;
        take_messages(qmp);
        return true;
}

/* ---- delivering events ---- */

static bool set_reply_error(const struct qmp *qmp, const struct slot *slot, GError **error)
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

/* Calls back with what a slot got, or with error; the slot is gone before. */
static void call_back(struct qmp *qmp, struct slot *slot, const GError *error)
{
        g_autoptr(GError) refused = g_steal_pointer(&slot->refused);

        g_ptr_array_steal_index(qmp->slots, position_of(qmp, slot));
        if (!error && !refused && slot->reply.kind == QMP_ERROR)
                set_reply_error(qmp, slot, &refused);
        error = error ? error : refused;
        slot->fn(error ? NULL : slot->reply.body, error, slot->data);
        slot_free(slot);
}

static void deliver_reply(struct qmp *qmp, uint64_t id)
{
        struct slot *slot = find_slot(qmp, id, NULL);

        if (slot && slot->fn)
                call_back(qmp, slot, NULL);
}

/* True when there may be more. */
static bool deliver(struct qmp *qmp)
{
        if (qmp->events.lost) {
                qmp->events.lost = false;
                qmp->event_fn(NULL, NULL, g_get_real_time(), qmp->data);
        }
        for (unsigned i = 0; i < QMP_EVENTS_PER_TURN; i++) {
                struct qmp_event *event = qmp->freed ? NULL : qmp_events_pop(&qmp->events);

                if (!event)
                        return false;
                if (event->reply_id)
                        deliver_reply(qmp, event->reply_id);
                else
                        qmp->event_fn(event->name, event->data, event->time_us, qmp->data);
                qmp_events_finish(&qmp->events, event);
        }
        return true;
}

static bool has_events(const struct qmp *qmp)
{
        return qmp->events.queue.length > 0 || qmp->events.lost;
}

static bool has_work(struct qmp *qmp)
{
        if (has_events(qmp))
                return true;
        return qmp->broken ? !qmp->closed_told : qmp_stream_has_line(&qmp->stream);
}

/*
 * Reads what there is to deliver. In a flood, much is read, which will mostly be one event again and again;
 * true when that was not all.
 */
static bool fill_queue(struct qmp *qmp)
{
        unsigned steps = qmp->events.flood ? FLOOD_STEPS : 1;

        for (unsigned i = 0; i < steps; i++) {
                if (qmp->broken || has_events(qmp) || !progress(qmp))
                        return false;
        }
        return qmp->events.flood;
}

/* What nobody will answer any more. */
static void fail_calls(struct qmp *qmp)
{
        for (unsigned i = qmp->slots->len; i-- > 0 && !qmp->freed;) {
                struct slot *slot = g_ptr_array_index(qmp->slots, i);

                if (!slot->fn)
                        continue;
                call_back(qmp, slot, qmp->broken);
                /* It may have forgotten others. */
                i = qmp->slots->len;
        }
}

static void tell_end(struct qmp *qmp)
{
        if (!qmp->broken || qmp->closed_told || has_events(qmp))
                return;
        qmp->closed_told = true;
        fail_calls(qmp);
        if (!qmp->freed && qmp->closed_fn)
                qmp->closed_fn(qmp->broken, qmp->data);
}

static void run_turn(void *data);

/* Waits for what is to be read, and for room for what is to be written. */
static void wait_for_more(struct qmp *qmp)
{
        short events = POLLIN;

        if (!qmp_output_is_empty(&qmp->output))
                events |= POLLOUT;
        if (qmp->watch && qmp->watched == events)
                return;
        g_clear_pointer(&qmp->watch, lane_watch_free);
        qmp->watched = events;
        qmp->watch = lane_watch_new(qmp->lane, qmp->fd, events, run_turn, qmp, NULL);
        if (!qmp->watch && !qmp->turn)
                qmp->turn = lane_timer_new(qmp->lane, QMP_FLOOD_PAUSE_MS, run_turn, qmp);
}

/* Also run by the watch, when there is something to read or room to write. */
static void run_turn(void *data)
{
        struct qmp *qmp = data;
        bool busy;

        qmp->refs++;
        g_clear_pointer(&qmp->turn, lane_timer_free);
        qmp_flush(qmp);
        busy = fill_queue(qmp);
        busy = deliver(qmp) || busy;
        if (!qmp->freed)
                tell_end(qmp);
        if (!qmp->freed) {
                qmp_events_set_flood(&qmp->events, busy);
                if (busy || has_work(qmp)) {
                        /* Without a watch, what is sent meanwhile costs nobody anything. */
                        g_clear_pointer(&qmp->watch, lane_watch_free);
                        g_clear_pointer(&qmp->turn, lane_timer_free);
                        qmp->turn = lane_timer_new(qmp->lane, busy ? QMP_FLOOD_PAUSE_MS : 0, run_turn, qmp);
                } else if (!qmp->broken) {
                        wait_for_more(qmp);
                }
        }
        release(qmp);
}

static void post_turn(struct qmp *qmp)
{
        if (!qmp->turn && qmp->event_fn)
                qmp->turn = lane_timer_new(qmp->lane, 0, run_turn, qmp);
}

/* ---- sending ---- */

void qmp_flush(struct qmp *qmp)
{
        g_assert(in_lane(qmp->lane));
        /* When QEMU is gone, what it said last is still to be read, and the end of that breaks the
         * connection. */
        if (!qmp->broken)
                qmp_output_flush(&qmp->output, qmp->fd);
}

uint64_t qmp_send_fd(struct qmp *qmp, const char *command, json_t *arguments, int fd)
{
        json_t *root = json_pack("{s:s, s:o*, s:I}", "execute", command, "arguments", arguments, "id",
                                 (json_int_t)++qmp->last_id);
        struct slot *slot;
        int copy = -1;

        g_assert(in_lane(qmp->lane));
        g_assert(root);
        if (!qmp->broken && qmp->slots->len < QMP_OUTSTANDING_MAX) {
                char *text = json_dumps(root, JSON_COMPACT);
                size_t length = strlen(text);

                /* Without a descriptor to spare, QEMU answers that it got none. */
                if (fd >= 0)
                        copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
                text[length] = '\n';
                qmp_output_push(&qmp->output, text, length + 1, copy);
                slot = g_new0(struct slot, 1);
                slot->id = qmp->last_id;
                slot->command = g_strdup(command);
                g_ptr_array_add(qmp->slots, slot);
        }
        json_decref(root);
        return qmp->last_id;
}

uint64_t qmp_send(struct qmp *qmp, const char *command, json_t *arguments)
{
        return qmp_send_fd(qmp, command, arguments, -1);
}

static bool set_too_many(const struct qmp *qmp, GError **error)
{
        return error_set(error, ERROR_FROM_QEMU, ERROR_OPERATION_TIMEOUT,
                         "QEMU of %s has %d commands to answer already", qmp->who, QMP_OUTSTANDING_MAX);
}

/* ---- calling back ---- */

static void call_is_late(void *data)
{
        struct slot *slot = data;
        struct qmp *qmp = slot->qmp;
        qmp_reply_fn fn = slot->fn;
        g_autoptr(GError) error = NULL;

        g_clear_pointer(&slot->timer, lane_timer_free);
        if (slot->answered)
                return;
        error_set(&error, ERROR_FROM_QEMU, ERROR_OPERATION_TIMEOUT, "QEMU of %s did not answer %s", qmp->who,
                  slot->command);
        slot->fn = NULL;
        slot->forgotten = true;
        fn(NULL, error, slot->data);
}

/* A slot for what cannot be sent, whose reply is the reason. */
static struct slot *refuse_call(struct qmp *qmp, uint64_t id)
{
        struct slot *slot = g_new0(struct slot, 1);

        slot->id = id;
        slot->answered = true;
        if (qmp->broken)
                slot->refused = g_error_copy(qmp->broken);
        else
                set_too_many(qmp, &slot->refused);
        g_ptr_array_add(qmp->slots, slot);
        qmp_events_push_reply(&qmp->events, id);
        post_turn(qmp);
        return slot;
}

uint64_t qmp_call(struct qmp *qmp, const char *command, json_t *arguments, unsigned timeout_ms,
                  qmp_reply_fn fn, void *data)
{
        uint64_t id = qmp_send(qmp, command, arguments);
        struct slot *slot = find_slot(qmp, id, NULL);

        g_assert(qmp->event_fn);
        if (!slot)
                slot = refuse_call(qmp, id);
        else
                slot->timer = lane_timer_new(qmp->lane, timeout_ms, call_is_late, slot);
        slot->qmp = qmp;
        slot->fn = fn;
        slot->data = data;
        qmp_flush(qmp);
        if (!qmp->broken && !qmp_output_is_empty(&qmp->output))
                wait_for_more(qmp);
        return id;
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

/* One step towards a reply: reads, or waits until there is something to read. */
static bool step(struct qmp *qmp, lane_deadline deadline, const char *what, GError **error)
{
        enum lane_wake wake = LANE_READY;
        short events = POLLIN;

        deadline = MAX(deadline, qmp->extended);
        qmp_flush(qmp);
        if (qmp->broken) {
                g_propagate_error(error, g_error_copy(qmp->broken));
                return false;
        }
        if (lane_is_interrupted(qmp->lane))
                return set_wait_error(qmp, LANE_INTERRUPTED, what, error);
        if (progress(qmp))
                wake = is_past(deadline) ? LANE_TIMEOUT : LANE_READY;
        else {
                if (!qmp_output_is_empty(&qmp->output))
                        events |= POLLOUT;
                wake = lane_wait(qmp->lane, qmp->fd, events, NULL, deadline);
        }
        if (has_work(qmp))
                post_turn(qmp);
        return wake == LANE_READY || may_go_on(qmp, wake) || set_wait_error(qmp, wake, what, error);
}

static bool finish_slot(struct qmp *qmp, struct slot *slot, json_t **result, GError **error)
{
        bool ok = slot->reply.kind == QMP_RETURN || set_reply_error(qmp, slot, error);

        if (ok && result)
                *result = json_incref((json_t *)slot->reply.body);
        g_ptr_array_remove(qmp->slots, slot);
        return ok;
}

bool qmp_receive(struct qmp *qmp, uint64_t id, lane_deadline deadline, json_t **result, GError **error)
{
        struct slot *slot = find_slot(qmp, id, NULL);

        g_assert(in_lane(qmp->lane));
        if (!slot && qmp->broken) {
                g_propagate_error(error, g_error_copy(qmp->broken));
                return false;
        }
        if (!slot)
                return set_too_many(qmp, error);
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

void qmp_forget(struct qmp *qmp, uint64_t id)
{
        unsigned position;
        struct slot *slot = find_slot(qmp, id, &position);

        if (!slot)
                return;
        slot->forgotten = true;
        slot->fn = NULL;
        g_clear_pointer(&slot->timer, lane_timer_free);
        if (slot->answered)
                g_ptr_array_remove_index(qmp->slots, position);
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
        return ok;
}

void qmp_claim_events(struct qmp *qmp, uint64_t id, const char *name)
{
        qmp_events_claim(&qmp->events, name, id);
}

/* ---- */

struct qmp *qmp_new(struct lane *lane, int fd, const char *who)
{
        struct qmp *qmp = g_new0(struct qmp, 1);

        qmp->lane = lane_ref(lane);
        qmp->who = g_strdup(who);
        qmp->refs = 1;
        qmp->fd = fd;
        qmp->slots = g_ptr_array_new_with_free_func(slot_free);
        qmp_stream_init(&qmp->stream);
        qmp->handshake_id = qmp_send(qmp, "qmp_capabilities", NULL);
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
        release(qmp);
}

bool qmp_watch(struct qmp *qmp, qmp_event_fn event, qmp_closed_fn closed, void *data, GError **error)
{
        g_assert(in_lane(qmp->lane) && !qmp->event_fn);
        if (!qmp->broken) {
                qmp->watch = lane_watch_new(qmp->lane, qmp->fd, POLLIN, run_turn, qmp, error);
                qmp->watched = POLLIN;
                if (!qmp->watch)
                        return false;
        }
        qmp->event_fn = event;
        qmp->closed_fn = closed;
        qmp->data = data;
        if (has_work(qmp))
                post_turn(qmp);
        return true;
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
