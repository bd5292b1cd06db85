/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The configuration file: its keys, and the parser of its lines. Any thread; owns nothing.
 */
#include "agent/config.h"

#include "base/error.h"
#include "base/log.h"
#include "base/store.h"
#include "base/units.h"
#include "drivers/model.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* ---- keys ---- */

static const char *const levels[] = {
        [LOG_LEVEL_ERROR] = "error", [LOG_LEVEL_WARNING] = "warning", [LOG_LEVEL_NOTICE] = "notice",
        [LOG_LEVEL_INFO] = "info",   [LOG_LEVEL_DEBUG] = "debug",     NULL,
};

static const char *const stops[] = {
        [CONFIG_STOP_SHUTDOWN] = "shutdown",
        [CONFIG_STOP_LEAVE] = "leave",
        [CONFIG_STOP_SAVE] = "save",
        NULL,
};

static const char *const lates[] = {
        [CONFIG_LATE_DESTROY] = "destroy",
        [CONFIG_LATE_LEAVE] = "leave",
        NULL,
};

static const char *const sleeps[] = {
        [CONFIG_SLEEP_PAUSE] = "pause",
        [CONFIG_SLEEP_LEAVE] = "leave",
        NULL,
};

static const char *const security_drivers[] = {
        [MODEL_SECURITY_AUTO] = "auto",
        [MODEL_SECURITY_NONE] = "none",
        [MODEL_SECURITY_APPARMOR] = "apparmor",
        [MODEL_SECURITY_SELINUX] = "selinux",
        NULL,
};

/* As they are numbered in the files. */
static const char *const save_formats[] = { "raw", "gzip", "bzip2", "xz", "lzop", "zstd", NULL };

#define AT(member) .offset = offsetof(struct config, member)

/* clang-format off: a key a line or two */
const struct config_key config_keys[] = {
        { "qemu", "user", CONFIG_TEXT, AT(qemu_user) },
        { "qemu", "group", CONFIG_TEXT, AT(qemu_group) },
        { "qemu", "memory_dir", CONFIG_PATH, AT(memory_dir) },
        { "qemu", "dump_dir", CONFIG_PATH, AT(dump_dir) },
        { "qemu", "tls_dir", CONFIG_PATH, AT(tls_dir) },
        { "qemu", "spice_tls_dir", CONFIG_PATH, AT(spice_tls_dir) },
        { "qemu", "vnc_tls_dir", CONFIG_PATH, AT(vnc_tls_dir) },
        { "qemu", "save_image_format", CONFIG_CHOICE, .choices = save_formats, .fallback = "raw",
          AT(save_format) },
        { "qemu", "devices", CONFIG_TEXT, AT(devices) },
        { "qemu", "security_driver", CONFIG_CHOICE, .choices = security_drivers, .fallback = "auto",
          AT(security_driver) },
        { "migration", "first_port", CONFIG_NUMBER, .low = 1, .high = 65535, .fallback = "49152",
          AT(migration_first) },
        { "migration", "last_port", CONFIG_NUMBER, .low = 1, .high = 65535, .fallback = "49215",
          AT(migration_last) },
        { "access", "fine", CONFIG_SWITCH, .fallback = "false", AT(fine_access), .at_once = true },
        { "access", "timeout", CONFIG_NUMBER, .low = 1, .high = 60, .fallback = "5", AT(access_timeout),
          .at_once = true },
        { "access", "questions", CONFIG_NUMBER, .low = 1, .high = 900, .fallback = "256",
          AT(access_questions), .at_once = true },
        { "audit", "changes", CONFIG_SWITCH, .fallback = "true", AT(audit_changes), .at_once = true },
        { "network", "start_for_guests", CONFIG_SWITCH, .fallback = "true", AT(start_networks),
          .at_once = true },
        { "network", "default", CONFIG_SWITCH, .fallback = "true", AT(default_network) },
        { "autostart", "parallel", CONFIG_NUMBER, .high = 1000, .fallback = "0", AT(start_parallel),
          .at_once = true },
        { "autostart", "delay", CONFIG_NUMBER, .high = 3600, .fallback = "0", AT(start_delay),
          .at_once = true },
        { "autostart", "first", CONFIG_TEXT, AT(start_first), .at_once = true },
        { "shutdown", "guests", CONFIG_CHOICE, .choices = stops, .fallback = "shutdown", AT(stop_guests),
          .at_once = true },
        { "shutdown", "parallel", CONFIG_NUMBER, .high = 1000, .fallback = "10", AT(stop_parallel),
          .at_once = true },
        { "shutdown", "timeout", CONFIG_NUMBER, .low = 1, .high = 86400, .fallback = "300", AT(stop_timeout),
          .at_once = true },
        { "shutdown", "late", CONFIG_CHOICE, .choices = lates, .fallback = "destroy", AT(stop_late),
          .at_once = true },
        { "sleep", "guests", CONFIG_CHOICE, .choices = sleeps, .fallback = "pause", AT(sleep_guests),
          .at_once = true },
        { "log", "level", CONFIG_CHOICE, .choices = levels, .fallback = "notice", AT(log_level),
          .at_once = true },
        { "limits", "client_calls", CONFIG_NUMBER, .low = 16, .high = 32768, .fallback = "32768",
          AT(client_calls), .at_once = true },
        { "limits", "client_mib", CONFIG_NUMBER, .low = 1, .high = 128, .fallback = "16", AT(client_mib),
          .at_once = true },
};
/* clang-format on */

const unsigned config_n_keys = G_N_ELEMENTS(config_keys);

static void *get_value(const struct config *config, const struct config_key *key)
{
        return (char *)config + key->offset;
}

static const struct config_key *find_key(const char *group, const char *name)
{
        for (unsigned i = 0; i < config_n_keys; i++)
                if (strcmp(config_keys[i].group, group) == 0 && strcmp(config_keys[i].name, name) == 0)
                        return &config_keys[i];
        return NULL;
}

static bool is_group(const char *group)
{
        for (unsigned i = 0; i < config_n_keys; i++)
                if (strcmp(config_keys[i].group, group) == 0)
                        return true;
        return false;
}

/* ---- values ---- */

static bool read_choice(const struct config_key *key, const char *text, unsigned *value)
{
        for (unsigned i = 0; key->choices[i]; i++) {
                if (strcmp(key->choices[i], text) == 0) {
                        *value = i;
                        return true;
                }
        }
        return false;
}

static bool read_switch(const char *text, bool *value)
{
        *value = strcmp(text, "true") == 0;
        return *value || strcmp(text, "false") == 0;
}

static bool read_number(const struct config_key *key, const char *text, unsigned *value)
{
        uint64_t number = 0;

        if (!units_parse_uint64(text, key->name, key->high, &number, NULL) || number < key->low)
                return false;
        *value = (unsigned)number;
        return true;
}

/* False: that is no value of that key. */
static bool set_value(struct config *config, const struct config_key *key, const char *text)
{
        void *value = get_value(config, key);

        switch (key->type) {
        case CONFIG_SWITCH:
                return read_switch(text, value);
        case CONFIG_NUMBER:
                return read_number(key, text, value);
        case CONFIG_CHOICE:
                return read_choice(key, text, value);
        case CONFIG_PATH:
                if (!g_path_is_absolute(text))
                        return false;
                /* fall through */
        default:
                g_free(*(char **)value);
                *(char **)value = g_strdup(text);
                return true;
        }
}

/* What would be one. */
static char *describe_values(const struct config_key *key)
{
        switch (key->type) {
        case CONFIG_SWITCH:
                return g_strdup("true or false");
        case CONFIG_NUMBER:
                return g_strdup_printf("a number from %u to %u", key->low, key->high);
        case CONFIG_CHOICE:
                return error_list(key->choices);
        default:
                return g_strdup("an absolute path");
        }
}

char *config_format(const struct config *config, const struct config_key *key)
{
        const void *value = get_value(config, key);

        switch (key->type) {
        case CONFIG_SWITCH:
                return g_strdup(*(const bool *)value ? "true" : "false");
        case CONFIG_NUMBER:
                return g_strdup_printf("%u", *(const unsigned *)value);
        case CONFIG_CHOICE:
                return g_strdup(key->choices[*(const unsigned *)value]);
        default:
                return g_strdup(*(char *const *)value);
        }
}

static bool is_same(const struct config *one, const struct config *other, const struct config_key *key)
{
        g_autofree char *first = config_format(one, key), *second = config_format(other, key);

        return g_strcmp0(first, second) == 0;
}

char *config_list_changes(const struct config *earlier, const struct config *later, bool at_once)
{
        g_autoptr(GString) list = g_string_new(NULL);

        for (unsigned i = 0; i < config_n_keys; i++) {
                const struct config_key *key = &config_keys[i];

                if (key->at_once != at_once || is_same(earlier, later, key))
                        continue;
                g_string_append_printf(list, "%s[%s] %s", list->len > 0 ? ", " : "", key->group, key->name);
        }
        return list->len > 0 ? g_string_free(g_steal_pointer(&list), FALSE) : NULL;
}

/* ---- lines ---- */

struct parser {
        struct config *config;
        const char *path;
        unsigned line;
        char *group;                                 /* owned; NULL: before the first */
        const char *text;                            /* borrowed; of the line, without what surrounds it */
        unsigned seen_at[G_N_ELEMENTS(config_keys)]; /* by key: the line; 0: not yet */
};

static bool G_GNUC_PRINTF(3, 4) fail(const struct parser *parser, GError **error, const char *format, ...)
{
        g_autofree char *what = NULL;
        va_list args;

        va_start(args, format);
        what = g_strdup_vprintf(format, args);
        va_end(args);
        return error_set(error, ERROR_FROM_CONF, ERROR_CONF_SYNTAX, "%s, line %u: %s", parser->path,
                         parser->line, what);
}

static bool read_group(struct parser *parser, GError **error)
{
        size_t length = strlen(parser->text);
        g_autofree char *quoted = error_quote(parser->text);

        if (parser->text[length - 1] != ']')
                return fail(parser, error, "'%s' has no ']' at its end", quoted);
        g_free(parser->group);
        parser->group = g_strndup(parser->text + 1, length - 2);
        return is_group(parser->group) || fail(parser, error, "there is no group '%s'", quoted);
}

static bool read_entry(struct parser *parser, GError **error)
{
        const char *equals = strchr(parser->text, '=');
        g_autofree char *quoted = error_quote(parser->text);
        g_autofree char *name = NULL, *value = NULL, *values = NULL;
        const struct config_key *key;
        unsigned *seen_at;

        if (!equals)
                return fail(parser, error, "'%s' is neither a [group] nor key=value", quoted);
        if (!parser->group)
                return fail(parser, error, "'%s' stands before the first [group]", quoted);
        name = g_strchomp(g_strndup(parser->text, (size_t)(equals - parser->text)));
        value = g_strchug(g_strdup(equals + 1));
        key = find_key(parser->group, name);
        if (!key)
                return fail(parser, error, "the group [%s] has no key for '%s'", parser->group, quoted);
        seen_at = &parser->seen_at[key - config_keys];
        if (*seen_at)
                return fail(parser, error, "%s of the group [%s] stands in line %u already", key->name,
                            key->group, *seen_at);
        *seen_at = parser->line;
        if (set_value(parser->config, key, value))
                return true;
        values = describe_values(key);
        return fail(parser, error, "%s of the group [%s] must be %s", key->name, key->group, values);
}

static bool read_line(struct parser *parser, char *line, GError **error)
{
        parser->line++;
        if (!g_utf8_validate(line, -1, NULL))
                return fail(parser, error, "it is not in UTF-8");
        parser->text = g_strstrip(line);
        switch (*parser->text) {
        case '\0':
        case '#':
        case ';':
                return true;
        case '[':
                return read_group(parser, error);
        default:
                return read_entry(parser, error);
        }
}

/* ---- files ---- */

static struct config *config_new(void)
{
        struct config *config = g_new0(struct config, 1);

        for (unsigned i = 0; i < config_n_keys; i++) {
                const struct config_key *key = &config_keys[i];
                bool is_set = !key->fallback || set_value(config, key, key->fallback);

                g_assert(is_set);
        }
        return config;
}

struct config *config_parse(const char *path, const char *text, GError **error)
{
        g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
        struct parser parser = { .config = config_new(), .path = path };
        bool ok = true;

        for (unsigned i = 0; ok && lines[i]; i++)
                ok = read_line(&parser, lines[i], error);
        g_free(parser.group);
        if (ok)
                return parser.config;
        config_free(parser.config);
        return NULL;
}

/* The file may be a link: the administrator's, who may write it. */
struct config *config_read(const char *path, bool required, GError **error)
{
        g_autofree char *text = NULL;
        char *real = realpath(path, NULL);

        if (!real && errno == ENOENT && !required)
                return config_new();
        if (real)
                text = store_read(real, error);
        else
                error_set_errno(error, ERROR_FROM_CONF, errno, "cannot read '%s'", path);
        free(real);
        return text ? config_parse(path, text, error) : NULL;
}

void config_free(struct config *config)
{
        if (!config)
                return;
        for (unsigned i = 0; i < config_n_keys; i++)
                if (config_keys[i].type == CONFIG_TEXT || config_keys[i].type == CONFIG_PATH)
                        g_free(*(char **)get_value(config, &config_keys[i]));
        g_free(config);
}
