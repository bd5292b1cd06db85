/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the files of the agent itself share. Main thread, which becomes the loop thread. */

#include "agent/config.h"
#include "agent/options.h"
#include "agent/view.h"
#include "bus/polkit.h"
#include "drivers/model.h"

struct power;
struct reload;

#define AGENT_VIEWS 1

extern const struct view agent_views[AGENT_VIEWS];

struct agent {
        struct options options;
        struct config *start_config; /* owned; what it was started with */
        struct config *config;       /* owned, or start_config; what holds now */
        struct reload *reload;       /* owned */
        struct loop *loop;           /* owned */
        struct pool *pool;           /* owned */
        const struct host *host;     /* ref */
        struct model_environment environment;
        struct polkit *polkit;       /* owned by models; NULL: it is not asked */
        struct models *models;       /* owned */
        void *views[AGENT_VIEWS];    /* owned; NULL: not made yet */
        int lock_fd;                 /* owned; -1 none */
        struct power *power;         /* owned; NULL: the host's end is not its business */
        struct loop_timer *watchdog; /* owned; NULL: nobody waits for a sign of life */
        char *lease_program;         /* owned; NULL: it is not there */
        char *hooks_dir;             /* owned; beside the configuration file */
        bool ending;
};

/* The end begins: what main() waits for. */
void agent_end(struct agent *agent);

/* ---- settings.c: what the configuration says, at start and when it is read again ---- */

/* Steps of the start-up table. */
bool agent_start_config(struct agent *agent, GError **error);
void agent_stop_config(struct agent *agent);
/* The configuration is read again (SIGHUP). */
void agent_reload(struct agent *agent);

/* Hands on what takes effect at once, to what there is of the agent. */
void agent_configure(struct agent *agent);
struct polkit_settings agent_get_polkit_settings(const struct config *config);
/* Whom guests run as; NULL: the agent's own user. Borrowed. */
const char *agent_choose_user(const struct config *config);
void agent_warn_of_root(const struct agent *agent);

/* One line for people that ask the service manager; more: something to add, or NULL. */
void agent_show_status(const struct agent *agent, const char *more);
