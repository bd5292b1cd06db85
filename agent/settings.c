/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the configuration says, handed to those whom it concerns: at start, and when it is read again. What
 * takes effect at a restart only is compared with what the agent was started with. Main thread.
 */
#include "agent/agent.h"

#include "agent/reload.h"
#include "base/error.h"
#include "base/log.h"
#include "base/notify.h"

#include <pwd.h>
#include <unistd.h>

/* Whom guests run as unless the configuration file says otherwise; see packaging/systemd/sysusers.conf. */
#define QEMU_USER "virtbus-qemu"

/*
 * Guests get a user of their own where root runs the agent and there is one; "user=" in the file forbids it.
 * NULL: the agent's own.
 */
const char *agent_choose_user(const struct config *config)
{
        if (geteuid() != 0)
                return NULL;
        if (config->qemu_user)
                return *config->qemu_user ? config->qemu_user : NULL;
        return getpwnam(QEMU_USER) ? QEMU_USER : NULL;
}

void agent_warn_of_root(const struct agent *agent)
{
        const char *file = agent->options.config_file;

        if (geteuid() != 0 || agent->environment.user)
                return;
        if (agent->config->qemu_user)
                log_warning("guests run as root, as %s says", file);
        else
                log_error("GUESTS RUN AS ROOT: this host has no user '%s' for them; make it "
                          "(systemd-sysusers), "
                          "or name another one in %s ([qemu] user=), and restart the agent",
                          QEMU_USER, file);
}

struct polkit_settings agent_get_polkit_settings(const struct config *config)
{
        return (struct polkit_settings){
                .fine = config->fine_access,
                .deadline_ms = config->access_timeout * 1000,
                .user_max = config->access_questions,
        };
}

static struct model_settings get_model_settings(const struct config *config)
{
        return (struct model_settings){
                .start_networks = config->start_networks,
                .audit = config->audit_changes,
                .power = {
                        .start_parallel = config->start_parallel,
                        .start_delay_ms = config->start_delay * 1000,
                        .start_first = config->start_first,
                        .shut_down = config->stop_guests == CONFIG_STOP_SHUTDOWN,
                        .save = config->stop_guests == CONFIG_STOP_SAVE,
                        .stop_parallel = config->stop_parallel,
                        .stop_timeout_ms = config->stop_timeout * 1000,
                        .destroy = config->stop_late == CONFIG_LATE_DESTROY,
                        .pause = config->sleep_guests == CONFIG_SLEEP_PAUSE,
                },
        };
}

/* What takes effect at once, of the configuration that holds now. */
void agent_configure(struct agent *agent)
{
        const struct config *config = agent->config;
        const struct polkit_settings polkit = agent_get_polkit_settings(config);
        const struct model_settings models = get_model_settings(config);

        log_set_max(agent->options.verbose ? MAX(config->log_level, LOG_LEVEL_INFO) : config->log_level);
        if (agent->polkit)
                polkit_configure(agent->polkit, &polkit);
        if (agent->models)
                models_configure(agent->models, &models);
        for (unsigned i = 0; i < AGENT_VIEWS; i++)
                if (agent->views[i])
                        agent_views[i].configure(agent->views[i], config);
}

void agent_show_status(const struct agent *agent, const char *more)
{
        notify_status("Serving the %s bus%s%s", agent->options.system ? "system" : "session",
                      more ? "; " : "", more ? more : "");
}

/* A file with a mistake changes nothing. */
static void reject_config(const struct agent *agent, const GError *error)
{
        log_gerror(LOG_LEVEL_ERROR, error, "the configuration stays as it was");
        agent_show_status(agent, "the configuration file has a mistake, see the log");
}

/* What needs a restart is said by name each time until it is restarted. */
static void take_config(struct agent *agent, struct config *config)
{
        g_autofree char *now = config_list_changes(agent->config, config, true);
        g_autofree char *later = config_list_changes(agent->start_config, config, false);
        g_autofree char *waiting = later ? g_strconcat("needs a restart for ", later, NULL) : NULL;

        if (agent->config != agent->start_config)
                config_free(agent->config);
        agent->config = config;
        agent_configure(agent);
        log_notice("the configuration was read again; changed: %s", now ? now : "nothing");
        if (later)
                log_warning("changed in the configuration, and taken over when the agent is restarted "
                            "(guests run on): %s",
                            later);
        agent_show_status(agent, waiting);
}

static void config_was_read(struct config *config, const GError *error, void *data)
{
        struct agent *agent = data;

        if (config)
                take_config(agent, config);
        else
                reject_config(agent, error);
        if (!agent->ending)
                notify_ready();
}

bool agent_start_config(struct agent *agent, GError **error)
{
        const struct options *options = &agent->options;

        agent->start_config = config_read(options->config_file, options->config_required, error);
        if (!agent->start_config)
                return false;
        agent->config = agent->start_config;
        agent->reload = reload_new(agent->loop, agent->pool, options->config_file, options->config_required,
                                   config_was_read, agent);
        return true;
}

void agent_stop_config(struct agent *agent)
{
        reload_free(agent->reload);
        if (agent->config != agent->start_config)
                config_free(agent->config);
        config_free(agent->start_config);
}

void agent_reload(struct agent *agent)
{
        if (!agent->reload || agent->ending)
                return;
        notify_reloading();
        reload_ask(agent->reload);
}
