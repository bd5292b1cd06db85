/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Storage tools: arguments and reports. Nothing is kept; any lane.
 */
#include "drivers/storage/tool.h"

#include "base/error.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static bool argument_error(const char *what, const char *value, const char *why, GError **error)
{
        g_autofree char *quoted = error_quote(value);

        return error_set(error, ERROR_FROM_STORAGE, ERROR_XML_ERROR, "%s '%s' %s", what, quoted, why);
}

bool tool_check_argument(const char *what, const char *value, GError **error)
{
        if (!value || !*value)
                return error_set(error, ERROR_FROM_STORAGE, ERROR_XML_ERROR, "missing %s", what);
        if (*value == '-')
                return argument_error(what, value, "begins with '-'", error);
        if (!g_utf8_validate(value, -1, NULL))
                return argument_error(what, value, "is not UTF-8", error);
        for (const char *c = value; *c; c++) {
                if (g_ascii_iscntrl(*c))
                        return argument_error(what, value, "has a control character in it", error);
        }
        return true;
}

bool tool_check_word(const char *what, const char *value, const char *more, GError **error)
{
        if (!tool_check_argument(what, value, error))
                return false;
        for (const char *c = value; *c; c++) {
                if (!g_ascii_isalnum(*c) && !strchr(more, *c))
                        return argument_error(what, value, "has a character in it that does not belong there",
                                              error);
        }
        return true;
}

bool tool_check_path(const char *what, const char *path, GError **error)
{
        if (!tool_check_argument(what, path, error))
                return false;
        if (*path != '/')
                return argument_error(what, path, "is not absolute", error);
        if (strstr(path, "/../") || g_str_has_suffix(path, "/.."))
                return argument_error(what, path, "has '..' in it", error);
        return true;
}

bool tool_check_names_path(const char *what, const char *path, GError **error)
{
        return *path == '/' ? tool_check_path(what, path, error) : tool_check_argument(what, path, error);
}

bool tool_read(struct lane *lane, const char *const argv[], char **output, GError **error)
{
        return spawn_check(lane, argv, TOOL_TIMEOUT_MS, output, error);
}

bool tool_run(struct lane *lane, const char *const argv[], GError **error)
{
        return tool_read(lane, argv, NULL, error);
}

void tool_settle(struct lane *lane)
{
        const char *const argv[] = { "udevadm", "settle", "--timeout=10", NULL };

        tool_run(lane, argv, NULL);
}

bool tool_run_input(struct lane *lane, const char *const argv[], const char *input, unsigned timeout_ms,
                    GError **error)
{
        TOOL_RESULT result = { 0 };

        return spawn_run(lane, argv, input, timeout_ms, &result, error) &&
               spawn_result_check(argv[0], &result, error);
}

json_t *tool_run_json(struct lane *lane, const char *const argv[], GError **error)
{
        g_autofree char *output = NULL;
        json_error_t problem;
        json_t *json;

        if (!tool_read(lane, argv, &output, error))
                return NULL;
        json = json_loads(output, JSON_REJECT_DUPLICATES, &problem);
        if (!json)
                error_set(error, ERROR_FROM_STORAGE, ERROR_PARSE_FAILED, "the report of '%s', line %d: %s",
                          argv[0], problem.line, problem.text);
        return json;
}

const char *tool_json_string(const json_t *object, const char *key)
{
        return json_string_value(json_object_get(object, key));
}

bool tool_parse_uint64(const char *text, uint64_t *value)
{
        char *end;

        if (!g_ascii_isdigit(*text))
                return false;
        errno = 0;
        *value = strtoull(text, &end, 10);
        return errno == 0 && !*end;
}

bool tool_json_uint64(const json_t *object, const char *key, uint64_t *value)
{
        const json_t *member = json_object_get(object, key);

        if (json_is_integer(member) && json_integer_value(member) >= 0) {
                *value = (uint64_t)json_integer_value(member);
                return true;
        }
        return json_is_string(member) && tool_parse_uint64(json_string_value(member), value);
}
