/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * A private bus with an agent on it, for black-box tests. Each test makes its own in a checked fixture:
 * nothing of one test is seen by another. Run as root, a test program has a network namespace of its own.
 * Functions fail the running libcheck test when something goes wrong. What a test leaves behind (its guests,
 * agent, bus and files) is ended and removed by harness_main().
 *
 * From the environment: VIRTBUSD (the agent), VIRTBUS_SOURCE_DIR (the tree), VIRTBUS_GUEST_DIR (made by
 * guest-image and kvm-probe), VIRTBUS_TEST_CACHE (a cache folder that outlives the test, so that emulators
 * are probed once).
 */

#include <check.h>
#include <glib.h>
#include <stdbool.h>
#include <sys/types.h>

#include "tests/support/client.h"

struct harness;

/*
 * Runs the suite, ends every process that its tests have left, shows the agent's log of the tests that
 * failed, removes their folders. Returns the exit status for main().
 */
int harness_main(Suite *suite);

/* Prints the line by which a case is counted as skipped; the test returns after it. */
void harness_skip(const char *why);
/* A command of the shell, which has to succeed. */
G_GNUC_PRINTF(1, 2) void harness_run(const char *format, ...);

/* A bus without an agent. */
struct harness *harness_new_bus(void);
/* A bus and an agent that owns its name. */
struct harness *harness_new(void);
/*
 * Ends the agent, which has to exit 0, then its guests and the bus, and removes the folders. NULL is fine.
 */
void harness_free(struct harness *harness);
/*
 * Both are of one test: neither's bus or agent is a guest of the other's. Guests are those of both, and end
 * with the one that is freed last.
 */
void harness_join(struct harness *harness, struct harness *peer);

/* At the beginning of a case: ends what cases that failed have left, where that would be counted as of this
 * one. */
void harness_end_leftovers(void);

/* The client that most tests need; connected before the agent was started. */
struct client *harness_get_client(struct harness *harness);
/* One more client, the caller's to free. */
struct client *harness_connect(struct harness *harness);
const char *harness_get_address(const struct harness *harness);

/*
 * The folders of the agent: <root>/state, <root>/run, <root>/log; root is short enough for sockets below it.
 */
const char *harness_get_root(const struct harness *harness);
char *harness_path(const struct harness *harness, const char *below_root) G_GNUC_WARN_UNUSED_RESULT;

/* An option for the agents started from now on. */
void harness_add_option(struct harness *harness, const char *option);
/* Variables that the agents started from now on have. */
void harness_set_environment(struct harness *harness, const char *name, const char *value);
/* Called in the agent's process before it is executed; async-signal-safe functions only. */
void harness_set_child_setup(struct harness *harness, void (*setup)(void));

/* Starts the agent and waits until it owns the name; the harness's client follows its objects. */
void harness_start_agent(struct harness *harness);
/* Starts it and does not wait. */
void harness_spawn_agent(struct harness *harness);
pid_t harness_get_agent_pid(const struct harness *harness);
pid_t harness_get_bus_pid(const struct harness *harness);
/* Sends the signal and waits for the end; returns the status of waitpid(2). */
int harness_end_agent(struct harness *harness, int signal);
/* Waits for the end of an agent that goes by itself. */
int harness_wait_agent(struct harness *harness);
/* What agents have logged so far. */
char *harness_read_log(const struct harness *harness) G_GNUC_WARN_UNUSED_RESULT;

/* From the next harness_start_bus() on the bus has more elements in its configuration. */
void harness_configure_bus(struct harness *harness, const char *more);
/*
 * From the next harness_start_bus() on the bus starts the agent for who calls it, with an empty environment.
 */
void harness_make_activatable(struct harness *harness);
/* The bus daemon dies, and comes back at the same address (without its clients). */
void harness_stop_bus(struct harness *harness);
void harness_start_bus(struct harness *harness);
/* After harness_start_bus(): the harness's client connects again. */
void harness_reconnect(struct harness *harness);

/*
 * The QEMU process of this test (run by the agent, or outliving it) in whose command line `text` appears, or
 * 0; a zombie does not count.
 */
pid_t harness_find_guest(struct harness *harness, const char *text);
unsigned harness_count_guests(struct harness *harness);
/* It has a file open whose path is like that pattern (of "*" and "?"). */
bool harness_has_open(pid_t pid, const char *pattern);
/* How many entries a directory has. */
unsigned harness_count_files(const char *dir);
/* Waits until that process is gone. */
void harness_wait_gone(pid_t pid);

/* Waits with growing pauses until the condition holds; only for what no event announces. */
void harness_wait_until(bool (*condition)(void *data), void *data, const char *what);
/* The same; false when that was in vain. */
bool harness_wait(bool (*condition)(void *data), void *data);
