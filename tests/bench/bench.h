/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Measurements of the agent as ratios within one run: against an echo service on the same bus, against the
 * bare disk, against the bare QEMU command line. Nothing here passes or fails by time; the table says what
 * was reached.
 */

#include <glib.h>
#include <stdint.h>

#include "tests/support/harness.h"

#define BENCH_ROUNDS 2000

struct bench {
        struct harness *harness;
        struct client *client;
        pid_t echo;
};

/* A call without arguments (types ""), with one or two numbers of 0 ("u", "uu"), or with strings ("s", "ss").
 */
struct bench_call {
        const char *path;
        const char *interface;
        const char *member;
        const char *types;
        const char *first;
        const char *second;
};

/* One line of the table: what was measured, the limit it is held against, the ratio that is to be reached. */
void bench_print(const char *what, double ours, double limit, const char *unit, double goal_ratio);
/* The same for a bare value with an upper bound. */
void bench_print_value(const char *what, double value, const char *unit, double goal);
void bench_print_note(const char *what, const char *text);

int64_t bench_now_ns(void);
double bench_median(int64_t *values, unsigned count);

/* Sends the call to `destination`, waits for the answer (the caller's) and adds the time to *ns. */
sd_bus_message *bench_time_call(struct client *client, const char *destination, const struct bench_call *call,
                                int64_t *ns);
/* Makes the echo service answer from now on with what the agent answers to this call. */
void bench_store(struct bench *bench, const struct bench_call *call);
/* Medians of the call at the agent and at the echo service, taken in turns, in us. */
void bench_compare(struct bench *bench, const struct bench_call *call, unsigned rounds, double *ours_us,
                   double *echo_us);

/*
 * Puts client and bus on one CPU, agent and echo service on another, or all back on all: left alone, the
 * kernel settles each service on a CPU of its own liking, and the ratio tells more of that than of the work.
 */
void bench_pin(struct bench *bench, bool pinned);

/* The command line of a running guest, NULL-terminated; the caller's. */
char **bench_read_command(pid_t pid);
/* Starts it by hand: adds nothing, tells how long it took until its CPU runs, and from SIGTERM until it is
 * gone. */
void bench_start_by_hand(char **command, int64_t *start_ns, int64_t *destroy_ns);

/* Firmware that halts at once, so that guests run and leave the host alone: its path. Free it. */
char *bench_make_firmware(struct bench *bench);
/* The document bare (taken) with that firmware and a monitor for us, a socket at that path. Free it. */
char *bench_halted_xml(char *bare, const char *firmware, const char *monitor);
/* A connection to it that is ready; close it. */
int bench_connect_monitor(const char *path);
/* Waits for something to read: how many answers have come, whole or not; events are none, errors fail. */
unsigned bench_count_answers(int fd);
/* One command, a line, and its answer. */
void bench_ask_monitor(int fd, const char *command);

/* Kilobytes of the agent (Pss). */
double bench_agent_kib(struct bench *bench);

/* The parts, in the order of the table. */
void bench_reads(struct bench *bench);
void bench_clients(struct bench *bench);
void bench_domains(struct bench *bench);
void bench_guests(struct bench *bench);
void bench_hung(struct bench *bench);
void bench_storage(struct bench *bench);
void bench_interfaces(struct bench *bench);
void bench_polkit(struct bench *bench);
void bench_nodedev(struct bench *bench);
void bench_networks(struct bench *bench);
void bench_stats(struct bench *bench);
void bench_devices(struct bench *bench);
void bench_plugs(struct bench *bench);
void bench_migration(struct bench *bench);
void bench_operations(struct bench *bench);
