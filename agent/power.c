/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From logind's notices to the models, and what it says of them. Main thread. */
#include "agent/power.h"

#include "agent/agent.h"
#include "base/log.h"
#include "base/logind.h"
#include "base/loop.h"
#include "base/notify.h"

#include <unistd.h>

/* How far ahead systemd's patience is asked for, and how often. */
#define PATIENCE_MS 30000
#define ASK_MS      10000

static const char *const reasons[LOGIND_LOCKS] = {
        [LOGIND_SHUTDOWN] = "Virtual machines are shut down",
        [LOGIND_SLEEP] = "Virtual machines are paused",
};

struct power {
        struct agent *agent;       /* borrowed */
        struct logind *logind;     /* owned */
        bool stops;                /* guests are shutting down */
        bool awake;                /* the host is, or is about to be */
        bool end_waits;            /* the agent ends when they have */
        struct loop_timer *asking; /* owned; NULL: systemd is not asked for patience */
};

static void ask_for_patience(void *data)
{
        struct power *power = data;

        notify_extend(PATIENCE_MS);
        loop_timer_set(power->asking, ASK_MS);
}

static void guests_are_off(void *data)
{
        struct power *power = data;

        power->stops = false;
        logind_let_go(power->logind, LOGIND_SHUTDOWN);
        agent_show_status(power->agent, "the host ends, and its guests are off");
        g_clear_pointer(&power->asking, loop_timer_free);
        if (power->end_waits)
                agent_end(power->agent);
}

static void guests_are_paused(void *data)
{
        struct power *power = data;

        if (!power->awake)
                logind_let_go(power->logind, LOGIND_SLEEP);
}

static void told(enum logind_lock what, bool begins, void *data)
{
        struct power *power = data;
        struct models *models = power->agent->models;

        if (what == LOGIND_SHUTDOWN && begins && !power->stops) {
                power->stops = true;
                agent_show_status(power->agent, "the host ends: guests are shut down or saved");
                models_end_host(models, guests_are_off, power);
        } else if (what == LOGIND_SLEEP && begins) {
                power->awake = false;
                models_sleep_host(models, guests_are_paused, power);
        } else if (what == LOGIND_SLEEP) {
                power->awake = true;
                models_wake_host(models);
        }
}

void power_start(struct agent *agent)
{
        struct power *power;

        if (!agent->options.system || geteuid() != 0)
                return;
        power = g_new0(struct power, 1);
        power->agent = agent;
        power->logind = logind_new(agent->loop, agent->pool, "virtbusd", reasons, told, power);
        agent->power = power;
}

void power_stop(struct agent *agent)
{
        if (agent->power)
                logind_stop(agent->power->logind);
}

bool power_is_busy(const struct agent *agent)
{
        return agent->power && logind_is_busy(agent->power->logind);
}

void power_free(struct agent *agent)
{
        if (!agent->power)
                return;
        loop_timer_free(agent->power->asking);
        logind_free(agent->power->logind);
        g_free(agent->power);
}

bool power_delays_end(struct agent *agent)
{
        struct power *power = agent->power;

        if (!power || !power->stops || power->end_waits)
                return false;
        log_notice("ending when the guests are off: the host ends");
        power->end_waits = true;
        power->asking = loop_timer_new(agent->loop, 0, ask_for_patience, power);
        return true;
}
