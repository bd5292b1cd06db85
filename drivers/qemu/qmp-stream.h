/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The receiving side of QMP without a socket: bytes in, messages out, within bounds that hold before anything
 * is parsed. Owned by whoever made it; no thread of its own.
 */

#include <glib.h>
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define QMP_LINE_MAX       (1024 * 1024)      /* bytes of a line when no reply is expected */
#define QMP_REPLY_LINE_MAX (10 * 1024 * 1024) /* ... and when one is */
#define QMP_DEPTH_MAX      128                /* levels of arrays and objects */
#define QMP_VALUES_MAX     200000             /* JSON values in one line */
#define QMP_VALUE_COST     100                /* bytes of memory that a parsed value takes, about */

struct qmp_stream {
        GByteArray *buffer; /* owned */
        size_t start;       /* of the first line not yet taken */
        size_t searched;    /* there is no newline between start and here */
};

enum qmp_message_kind {
        QMP_GREETING,
        QMP_RETURN,
        QMP_ERROR,
        QMP_EVENT,
};

struct qmp_message {
        enum qmp_message_kind kind;
        json_t *root;       /* ref */
        const json_t *body; /* borrowed from root: the greeting, the value returned, the error, the event's
                               data (may be NULL) */
        const char *name;   /* borrowed from root: the event's name */
        int64_t time_us;    /* of an event */
        uint64_t id;        /* of a reply; 0 when it has none */
        size_t cost;        /* estimated memory in bytes */
};

void qmp_stream_init(struct qmp_stream *stream);
void qmp_stream_done(struct qmp_stream *stream);

/* Adds bytes as they come; at most a few dozen KiB at a time. */
void qmp_stream_push(struct qmp_stream *stream, const void *bytes, size_t size);

enum qmp_stream_result {
        QMP_STREAM_MESSAGE, /* *message is filled in; qmp_message_clear() it */
        QMP_STREAM_MORE,    /* no whole line yet */
        QMP_STREAM_BROKEN,  /* *reason says why */
};

/*
 * The next message. line_max is the bound on the line, in bytes; *reason gets a phrase such as "a line of
 * more than 1048576 bytes" to be put behind "QEMU sent"; it is owned by the caller.
 */
enum qmp_stream_result qmp_stream_next(struct qmp_stream *stream, size_t line_max,
                                       struct qmp_message *message, char **reason);

/* Is there a whole line? */
bool qmp_stream_has_line(struct qmp_stream *stream);

void qmp_message_clear(struct qmp_message *message);
