/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Between qmp.c, which reads and writes, and qmp-turn.c, which delivers. In the client's lane. */

#include "drivers/qemu/qmp-events.h"
#include "drivers/qemu/qmp-output.h"
#include "drivers/qemu/qmp-stream.h"
#include "drivers/qemu/qmp.h"

/* A command that was sent and is not answered, or whose reply has not been fetched. */
struct qmp_slot {
        uint64_t id;
        unsigned tag;  /* its id on the wire; 0: none, it is answered in its turn */
        char *command; /* owned */
        bool oob;      /* it was sent out of band */
        bool has_fd;
        bool forgotten; /* the reply is to be dropped */
        bool tells;     /* and when it comes, the state is to be asked for */
        bool answered;
        struct qmp_message reply;
        /* qmp_call() */
        qmp_reply_fn fn; /* NULL: somebody receives it */
        void *data;      /* borrowed */
        GError *refused; /* owned; it was never sent */
        lane_deadline deadline;
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
        GPtrArray *slots; /* struct qmp_slot, owned */
        uint64_t last_id, handshake_id;
        unsigned last_tag;
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
        bool paused;              /* somebody waits by himself */
        struct lane_timer *turn;  /* owned; the next delivery, NULL: none is due */
        struct lane_timer *late;  /* owned; at late_at a call may be late; it stays when that is answered */
        lane_deadline late_at;
        qmp_event_fn event_fn;
        qmp_closed_fn closed_fn;
        void *data; /* borrowed by the callbacks */
};

/* ---- qmp.c ---- */

/* NULL: there is none. position, its index, may be NULL. */
struct qmp_slot *qmp_find_slot(const struct qmp *qmp, uint64_t id, unsigned *position);
void qmp_slot_free(void *slot);
/* What QEMU refused; returns false. */
bool qmp_set_reply_error(const struct qmp *qmp, const struct qmp_slot *slot, GError **error);
/* A command too many; returns false. */
bool qmp_set_too_many(const struct qmp *qmp, GError **error);
/* Takes messages from what has arrived, reading more when that is used up. False: there is nothing. */
bool qmp_progress(struct qmp *qmp);
/* Waits for something to read, or for room to write. */
enum lane_wake qmp_wait(struct qmp *qmp, lane_deadline deadline);
/* Behind the last wait of a job, when what has arrived is read. */
void qmp_stop_waiting(struct qmp *qmp);
/* Frees it with the last reference. */
void qmp_release(struct qmp *qmp);

/* ---- qmp-turn.c ---- */

/* Is there something to deliver? */
bool qmp_has_work(struct qmp *qmp);
/* Delivers it in a job of its own. */
void qmp_post_turn(struct qmp *qmp);
