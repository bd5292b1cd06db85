/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The command line (GOption). Main thread, at start. */
#include "agent/options.h"

#include "base/error.h"

#include <unistd.h>

#define THREADS_LOWEST 4
#define THREADS_MAX    256

/* A job blocks for moments only (fsync, XML): waiting for a guest holds no slot. */
static int default_threads(void)
{
        long cpus = sysconf(_SC_NPROCESSORS_ONLN);

        return (int)CLAMP(cpus, THREADS_LOWEST, THREADS_MAX);
}

static char *home_dir(const char *variable, const char *fallback)
{
        const char *base = g_getenv(variable);

        if (base && g_path_is_absolute(base))
                return g_build_filename(base, "virtbus", NULL);
        return g_build_filename(g_get_home_dir(), fallback, "virtbus", NULL);
}

static char *session_runtime_dir(void)
{
        const char *base = g_getenv("XDG_RUNTIME_DIR");
        g_autofree char *cache = home_dir("XDG_CACHE_HOME", ".cache");

        if (base && g_path_is_absolute(base))
                return g_build_filename(base, "virtbus", NULL);
        return g_build_filename(cache, "run", NULL);
}

/* Takes fallback; what was given is made absolute. */
static void fill(char **value, char *fallback)
{
        char *chosen = *value ? g_canonicalize_filename(*value, NULL) : g_steal_pointer(&fallback);

        g_free(*value);
        g_free(fallback);
        *value = chosen;
}

static void fill_directories(struct options *options)
{
        if (options->system) {
                fill(&options->state_dir, g_strdup("/var/lib/virtbus"));
                fill(&options->runtime_dir, g_strdup("/run/virtbus"));
                fill(&options->log_dir, g_strdup("/var/log/virtbus"));
                fill(&options->cache_dir, g_strdup("/var/cache/virtbus"));
                return;
        }
        fill(&options->state_dir, home_dir("XDG_STATE_HOME", ".local/state"));
        fill(&options->runtime_dir, session_runtime_dir());
        fill(&options->log_dir, g_build_filename(options->state_dir, "log", NULL));
        fill(&options->cache_dir, home_dir("XDG_CACHE_HOME", ".cache"));
}

static bool check(const struct options *options, bool system, bool session, GError **error)
{
        if (system && session)
                return error_set(error, ERROR_FROM_CONF, ERROR_INVALID_ARG,
                                 "--system and --session exclude each other");
        if (options->threads < 1 || options->threads > THREADS_MAX)
                return error_set(error, ERROR_FROM_CONF, ERROR_INVALID_ARG, "--threads must be from 1 to %d",
                                 THREADS_MAX);
        return true;
}

bool options_read(struct options *options, int argc, char **argv, GError **error)
{
        gboolean system = FALSE, session = FALSE, version = FALSE, verbose = FALSE, import = FALSE,
                 bridge = FALSE;
        const GOptionEntry entries[] = {
                { "system", 0, 0, G_OPTION_ARG_NONE, &system, "Serve the system bus (default for root)",
                  NULL },
                { "session", 0, 0, G_OPTION_ARG_NONE, &session, "Serve the session bus (default for others)",
                  NULL },
                { "threads", 't', 0, G_OPTION_ARG_INT, &options->threads, "Jobs that run at once", "N" },
                { "config", 0, 0, G_OPTION_ARG_FILENAME, &options->config_file, "Configuration file",
                  "FILE" },
                { "state-dir", 0, 0, G_OPTION_ARG_FILENAME, &options->state_dir, "Definitions", "DIR" },
                { "runtime-dir", 0, 0, G_OPTION_ARG_FILENAME, &options->runtime_dir, "Sockets, status",
                  "DIR" },
                { "log-dir", 0, 0, G_OPTION_ARG_FILENAME, &options->log_dir, "Logs of the guests", "DIR" },
                { "cache-dir", 0, 0, G_OPTION_ARG_FILENAME, &options->cache_dir, "What can be asked again",
                  "DIR" },
                { "data-dir", 0, 0, G_OPTION_ARG_FILENAME, &options->data_dir, "What comes with the agent",
                  "DIR" },
                { "import-libvirt", 0, 0, G_OPTION_ARG_NONE, &import,
                  "Take over what libvirt has in DIR (/etc/libvirt), and end", NULL },
                { "stdio-bridge", 0, 0, G_OPTION_ARG_NONE, &bridge,
                  "Be a connection to the bus, on standard input and output, and nothing else", NULL },
                { "bridge-to", 0, 0, G_OPTION_ARG_FILENAME, &options->bridge_to,
                  "With --stdio-bridge: to that socket, in place of the bus", "PATH" },
                { "verbose", 'v', 0, G_OPTION_ARG_NONE, &verbose, "Log what is done, too", NULL },
                { "version", 'V', 0, G_OPTION_ARG_NONE, &version, "Show the version and end", NULL },
                { 0 },
        };
        g_autoptr(GOptionContext) context = g_option_context_new("[DIR] - virtual machine management agent");
        g_autoptr(GError) failure = NULL;

        options->threads = default_threads();
        g_option_context_add_main_entries(context, entries, NULL);
        if (!g_option_context_parse(context, &argc, &argv, &failure))
                return error_set(error, ERROR_FROM_CONF, ERROR_INVALID_ARG, "%s", failure->message);
        if (argc > (import ? 2 : 1))
                return error_set(error, ERROR_FROM_CONF, ERROR_INVALID_ARG, "unexpected argument '%s'",
                                 argv[argc - 1]);
        if (!check(options, system, session, error))
                return false;
        options->system = system || (!session && geteuid() == 0);
        options->show_version = version;
        options->bridge = bridge || options->bridge_to;
        options->import = import;
        options->import_dir = import ? g_strdup(argv[1]) : NULL;
        options->verbose = verbose;
        options->config_required = options->config_file != NULL;
        fill(&options->config_file, g_strdup(CONFIG_FILE));
        fill(&options->data_dir, g_strdup(DATA_DIR));
        fill_directories(options);
        return true;
}

void options_clear(struct options *options)
{
        g_free(options->state_dir);
        g_free(options->runtime_dir);
        g_free(options->log_dir);
        g_free(options->cache_dir);
        g_free(options->data_dir);
        g_free(options->config_file);
        g_free(options->import_dir);
        g_free(options->bridge_to);
}
