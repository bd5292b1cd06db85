/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * A QMP client in a lane, and the other end of its monitor, at which a test says what QEMU would.
 */
#include "drivers/qemu/qmp.h"

#include "base/error.h"
#include "base/loop.h"
#include "base/pool.h"

#include <check.h>
#include <pthread.h>

#define GREETING                                                                                             \
        "{\"QMP\": {\"version\": {\"qemu\": {\"major\": 7, \"minor\": 2, \"micro\": 22}, \"package\": "      \
        "\"\"}, "                                                                                            \
        "\"capabilities\": []}}\r\n"
#define READY GREETING "{\"return\": {}, \"id\": 100}\r\n"

struct fixture {
        struct loop *loop;
        struct pool *pool;
        struct lane *lane;
        struct qmp *qmp;
        int fd;      /* the peer's end */
        int stop_fd; /* tells the peer to end */
        pthread_t peer;
        GString *seen; /* names of events, each with a comma */
        unsigned count;
        bool closed;
        unsigned quit_after; /* events */
};

extern struct fixture fixture;

/* For each test. */
void setup(void);
void teardown(void);

/* Runs it in the lane, and the loop until quit(). */
void run(lane_fn fn);
/* A loop's function. */
void quit(void *data);

/* Lane: the client, with nothing said. */
void make(void *data);
/* Lane: likewise, and the greeting is over. */
void connect_ready(void);
/* The peer's words can be said before it is asked: the socket holds them. */
void say(const char *text);
/* Of that code, with part in its text, and the domain's name. Freed. */
void check_error(GError *error, enum error_code code, const char *part);

/* For qmp_watch(): notes names in fixture.seen, and ends the loop with the connection. */
void on_event(const char *name, const json_t *arguments, int64_t time_us, void *data);
void on_closed(const GError *error, void *data);

/* A call that notes "command=result," or its error in fixture.seen; "last" ends the loop. */
void on_reply(const json_t *result, const GError *error, void *data);
uint64_t call(const char *command, unsigned timeout_ms);
