/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * How the kernel merges equal pages (KSM): /sys/kernel/mm/ksm, see admin-guide/mm/ksm.rst of the kernel. Any
 * thread, but where a job begins.
 */

#include "base/error.h"
#include "base/flags.h"
#include "base/job.h"
#include "drivers/host/host-memory.h"
#include "drivers/host/host-private.h"
#include "drivers/host/sysfile.h"

#include <string.h>

/* The names of the API are those of the kernel behind this. */
#define PREFIX "shm_"

static const struct param_rule rules[] = {
        { "shm_pages_to_scan", PARAM_UINT },
        { "shm_sleep_millisecs", PARAM_UINT },
        { "shm_pages_shared", PARAM_ULONG, PARAM_READ_ONLY },
        { "shm_pages_sharing", PARAM_ULONG, PARAM_READ_ONLY },
        { "shm_pages_unshared", PARAM_ULONG, PARAM_READ_ONLY },
        { "shm_pages_volatile", PARAM_ULONG, PARAM_READ_ONLY },
        { "shm_full_scans", PARAM_ULONG, PARAM_READ_ONLY },
        { "shm_merge_across_nodes", PARAM_UINT, .max = 1 },
};

const struct param_table host_memory_table = {
        .from = ERROR_FROM_NONE,
        .function = "virNodeSetMemoryParameters",
        .rules = rules,
        .n_rules = G_N_ELEMENTS(rules),
};

static char *get_file(const char *parameter)
{
        return g_strconcat("/sys/kernel/mm/ksm/", parameter + strlen(PREFIX), NULL);
}

struct params *host_get_memory_parameters(const struct host *host, unsigned flags, GError **error)
{
        struct params *params;

        if (!flags_check(flags, 0, ERROR_FROM_NONE, "NodeGetMemoryParameters", error))
                return NULL;
        if (host->fixed) {
                error_set(error, ERROR_FROM_TEST, ERROR_NO_SUPPORT, "virNodeGetMemoryParameters");
                return NULL;
        }
        params = params_new();
        for (unsigned i = 0; i < G_N_ELEMENTS(rules); i++) {
                g_autofree char *file = get_file(rules[i].name);
                g_autofree char *text = sysfile_read(host->root, "%s", file);
                guint64 value = text ? g_ascii_strtoull(text, NULL, 10) : 0;

                if (text && rules[i].type == PARAM_UINT)
                        params_add_uint(params, rules[i].name, (uint32_t)value);
                else if (text)
                        params_add_ulong(params, rules[i].name, value);
        }
        return params;
}

/* ---- changes ---- */

struct setting {
        char *file, *text, *before; /* owned */
};

struct change {
        const struct host *host; /* ref */
        GArray *settings;        /* owned; of struct setting */
        host_done done;
        void *data; /* owned by done */
};

static void clear_setting(gpointer data)
{
        struct setting *setting = data;

        g_free(setting->file);
        g_free(setting->text);
        g_free(setting->before);
}

static void change_free(struct change *change)
{
        g_array_unref(change->settings);
        host_unref(change->host);
        g_free(change);
}

static bool work(struct job *job, void *data, GError **error)
{
        const struct change *change = data;

        for (unsigned i = 0; i < change->settings->len; i++) {
                const struct setting *setting = &g_array_index(change->settings, struct setting, i);

                if (sysfile_write(change->host->root, setting->file, setting->text, error))
                        continue;
                while (i-- > 0) {
                        setting = &g_array_index(change->settings, struct setting, i);
                        sysfile_write(change->host->root, setting->file, setting->before, NULL);
                }
                return false;
        }
        return true;
}

static void end(struct job *job, const GError *error, void *data)
{
        struct change *change = data;

        change->done(error, change->data);
        change_free(change);
}

static bool read_settings(const struct host *host, const struct params *params, GArray *settings,
                          GError **error)
{
        for (unsigned i = 0; i < params_get_count(params); i++) {
                const struct param *param = params_get(params, i);
                struct setting setting = { .file = get_file(param->name),
                                           .text = g_strdup_printf("%u", param->value.u) };

                setting.before = sysfile_read(host->root, "%s", setting.file);
                g_array_append_val(settings, setting);
                if (!setting.before)
                        return error_set(error, ERROR_FROM_NONE, ERROR_OPERATION_UNSUPPORTED,
                                         "this kernel has no parameter '%s'", param->name);
        }
        return true;
}

static bool prepare(const struct host *host, const struct params *params, unsigned flags, GArray *settings,
                    GError **error)
{
        if (!flags_check(flags, 0, ERROR_FROM_NONE, "NodeSetMemoryParameters", error))
                return false;
        if (host->fixed)
                return error_set(error, ERROR_FROM_TEST, ERROR_NO_SUPPORT, "virNodeSetMemoryParameters");
        return read_settings(host, params, settings, error);
}

void host_set_memory_parameters(const struct host *host, struct job_list *jobs, const struct params *params,
                                unsigned flags, host_done done, void *data)
{
        struct change *change = g_new0(struct change, 1);
        g_autoptr(GError) error = NULL;

        change->host = host_ref(host);
        change->done = done;
        change->data = data;
        change->settings = g_array_new(FALSE, FALSE, sizeof(struct setting));
        g_array_set_clear_func(change->settings, clear_setting);
        if (prepare(host, params, flags, change->settings, &error) &&
            job_run(jobs, "memory", NULL, work, end, change, &error))
                return;
        done(error, data);
        change_free(change);
}
