/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * PolicyKit's own daemon on the bus of a harness, with the policy that is installed and with rules of the
 * test: in a mount namespace of its own, where its folders are the test's. And the agent that shows its
 * dialogs, whose user is the test.
 */

#include "tests/support/harness.h"

/* What nobody has an account of its own for. */
#define POLKITD_NOBODY 65534
#define POLKITD_DAEMON 1 /* a second one */

struct polkitd;

/* Started with these rules (JavaScript); NULL after harness_skip() where it cannot run. */
struct polkitd *polkitd_new(struct harness *harness, const char *rules);
void polkitd_free(struct polkitd *polkitd);

/* Kills it; starts it again, without or with waiting until it owns its name. */
void polkitd_kill(struct polkitd *polkitd);
void polkitd_spawn(struct polkitd *polkitd);
void polkitd_start(struct polkitd *polkitd);
/* SIGSTOP: it answers nothing; SIGCONT. */
void polkitd_signal(struct polkitd *polkitd, int signal);
/* Other rules. It notices by itself, some time later. */
void polkitd_set_rules(struct polkitd *polkitd, const char *rules);
/* How many lines that it has logged (polkit.log() of the rules) have the text. */
unsigned polkitd_count_log(struct polkitd *polkitd, const char *text);

/* A client that the bus takes for that user's; the caller's to free. */
struct client *polkitd_connect_as(struct harness *harness, uid_t uid);

/* ---- dialogs ---- */

/* From now on dialogs for clients of this test are shown to the functions below. */
void polkitd_show_dialogs(struct polkitd *polkitd);
/* Waits until there are so many open dialogs. */
void polkitd_wait_dialogs(struct polkitd *polkitd, unsigned count);
/* The administrator authenticates in the dialog that is open longest; or closes it. */
void polkitd_authenticate(struct polkitd *polkitd);
void polkitd_dismiss(struct polkitd *polkitd);
/* Takes in what the daemon has to say. How many dialogs did it close by itself? */
unsigned polkitd_count_cancelled(struct polkitd *polkitd);
