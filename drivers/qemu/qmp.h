/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * A QMP client for one QEMU, owned by a lane: every function here is called in that lane. Commands are
 * queued, sent in one write as soon as somebody waits, and answered in the order sent, so that a start can
 * pipeline all it has to say:
 *
 *     set = qmp_send(qmp, "set_password", args);
 *     cont = qmp_send(qmp, "cont", NULL);
 *     qmp_handshake(qmp, deadline, error) && qmp_receive(qmp, set, ...) && qmp_receive(qmp, cont, ...)
 *
 * What QEMU sends is bounded (QMP_* below, and in qmp-events.h) and not trusted: whatever is no QMP breaks
 * the connection for good, with an error that says what was wrong; every later call fails with it. A command
 * that runs into its deadline only fails itself, its late reply is dropped.
 */

#include "base/cleanup.h"
#include "base/lane.h"

#include <glib.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#define QMP_TIMEOUT_MS      5000  /* a command that only answers */
#define QMP_TIMEOUT_JOB_MS  30000 /* a command that does something lengthy before it answers */
#define QMP_OUTSTANDING_MAX 64    /* commands sent and not answered, abandoned ones included */
#define QMP_EVENTS_PER_TURN 64    /* events delivered in one job of the lane */
#define QMP_FLOOD_PAUSE_MS  20    /* between such jobs when there are always more */

struct qmp;

/*
 * NULL name: ask for the state; events were lost in a flood, or QEMU has answered the handshake, or a command
 * of qmp_heed_late(), long after it was given up. arguments is borrowed and may be NULL; time is in us since
 * 1970. */
typedef void (*qmp_event_fn)(const char *name, const json_t *arguments, int64_t time_us, void *data);
/* The connection ended or broke. Called once, after all events that came before it. */
typedef void (*qmp_closed_fn)(const GError *error, void *data);

/*
 * Takes fd, a connected stream socket, and queues qmp_capabilities. who names the other side in errors, for
 * instance "domain 'web'"; it is copied.
 */
struct qmp *qmp_new(struct lane *lane, int fd, const char *who);
/* No callback comes after this, which may be called from a callback. NULL is fine. */
void qmp_free(struct qmp *qmp);

DEFINE_CLEANUP(struct qmp, qmp_free);

/*
 * Waits for the greeting and the reply to qmp_capabilities; may be tried again after a timeout. Errors:
 * ERROR_OPERATION_TIMEOUT, ERROR_OPERATION_ABORTED when the lane is interrupted, ERROR_OPERATION_FAILED when
 * QEMU closed the connection, ERROR_INTERNAL_ERROR for what is no QMP.
 */
bool qmp_handshake(struct qmp *qmp, lane_deadline deadline, GError **error);

/* From the greeting: major * 1000000 + minor * 1000 + micro; 0 before the handshake. */
uint64_t qmp_get_version(const struct qmp *qmp);

/*
 * One command and its reply. arguments (taken, NULL: none) is a JSON object. *result, if result is not NULL,
 * gets a new reference to the value returned. Errors: as for qmp_handshake(); and QEMU's own, with its text,
 * as ERROR_OPERATION_FAILED, ERROR_DEVICE_MISSING (DeviceNotFound), ERROR_OPERATION_INVALID
 * (DeviceNotActive), ERROR_OPERATION_UNSUPPORTED (CommandNotFound).
 */
bool qmp_execute(struct qmp *qmp, const char *command, json_t *arguments, unsigned timeout_ms,
                 json_t **result, GError **error);

/*
 * The same for a command that QEMU has out of band (migrate-recover, migrate-pause): it is obeyed although
 * QEMU's main thread hangs, and before whatever waits for that. Not before that thread has answered the
 * handshake.
 */
bool qmp_execute_oob(struct qmp *qmp, const char *command, json_t *arguments, unsigned timeout_ms,
                     json_t **result, GError **error);

/*
 * Asked, in the lane, when a wait for QEMU has come to its deadline: until when it may go on; a time that is
 * past, or 0, ends it with ERROR_OPERATION_TIMEOUT. Without one, or with NULL, every deadline holds.
 */
typedef lane_deadline (*qmp_patience_fn)(void *data);
void qmp_set_patience(struct qmp *qmp, qmp_patience_fn patience, void *data);

/*
 * The two halves of it. Each id is to be received once or forgotten. Nothing is written before the next wait
 * or qmp_flush(). A send cannot fail: on a broken connection, or with too many commands unanswered, its
 * qmp_receive() does.
 */
uint64_t qmp_send(struct qmp *qmp, const char *command, json_t *arguments);
bool qmp_receive(struct qmp *qmp, uint64_t id, lane_deadline deadline, json_t **result, GError **error);
void qmp_forget(struct qmp *qmp, uint64_t id);
/* Of the last command; and the same of all behind that one that were not received. */
uint64_t qmp_get_last_id(const struct qmp *qmp);
void qmp_forget_later(struct qmp *qmp, uint64_t id);
/* qmp_receive() has just given that one up: when the answer comes, the state is to be asked for again. */
void qmp_heed_late(struct qmp *qmp, uint64_t id);

/* Like qmp_send(), with a descriptor along (getfd, add-fd); it is duplicated. */
uint64_t qmp_send_fd(struct qmp *qmp, const char *command, json_t *arguments, int fd);

/*
 * The form that nobody waits for: fn(result, NULL, data) or fn(NULL, error, data) is called once, in a job of
 * the lane of its own, in order with the events; other commands may wait meanwhile. result is borrowed. Sent
 * at once; after timeout_ms, or when the connection has ended, with an error, and a late reply is dropped.
 * Returns an id for qmp_forget(), after which fn is not called. Only after qmp_watch(); qmp_free() calls
 * nobody.
 */
typedef void (*qmp_reply_fn)(const json_t *result, const GError *error, void *data);
uint64_t qmp_call(struct qmp *qmp, const char *command, json_t *arguments, unsigned timeout_ms,
                  qmp_reply_fn fn, void *data);

/*
 * The same of several that go out together, in one write: none is sent before qmp_flush_calls(), which is the
 * last thing that a job does. It stays for answers that come at once, and calls for them, and for events.
 */
uint64_t qmp_queue_call(struct qmp *qmp, const char *command, json_t *arguments, unsigned timeout_ms,
                        qmp_reply_fn fn, void *data);
void qmp_flush_calls(struct qmp *qmp);

/* Writes what is queued as far as it goes without waiting. */
void qmp_flush(struct qmp *qmp);

/*
 * From now on events are delivered, in jobs of the lane of their own: never in the midst of another job, in
 * the order sent. Before it, events are dropped. closed may be NULL.
 */
bool qmp_watch(struct qmp *qmp, qmp_event_fn event, qmp_closed_fn closed, void *data, GError **error);

/*
 * Takes the events of that name which the command of that id caused out of the queue: those that came after
 * it was sent. For a command that was answered just now, when they only say that it was done.
 */
void qmp_claim_events(struct qmp *qmp, uint64_t id, const char *name);

/*
 * Waits for the first event that accept takes, among those that were not delivered yet, and takes it out of
 * the queue; the others are delivered later, as ever. Errors: as for qmp_handshake().
 */
bool qmp_wait_event(struct qmp *qmp, bool (*accept)(const char *name, const json_t *arguments, void *data),
                    void *data, lane_deadline deadline, GError **error);

/* Has the connection ended or broken? */
bool qmp_is_broken(const struct qmp *qmp);
/* ... and have all events been delivered, and its end been told? */
bool qmp_is_closed(const struct qmp *qmp);
