/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Storage tools: what may become one of their arguments, and their JSON reports. Any lane.
 */

#include "base/cleanup.h"
#include "base/spawn.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* How long a tool that only looks or writes some metadata may take, and one that writes a whole disk. */
#define TOOL_TIMEOUT_MS      60000u
#define TOOL_LONG_TIMEOUT_MS (24u * 3600 * 1000)

DEFINE_CLEANUP(json_t, json_decref);
/* A local of this type is cleared at its end. */
#define TOOL_RESULT __attribute__((cleanup(spawn_result_clear))) struct spawn_result

/*
 * May value be an argument of a program: there, not an option, without control characters, in UTF-8?
 * Otherwise ERROR_XML_ERROR, naming what ("host name") it is.
 */
bool tool_check_argument(const char *what, const char *value, GError **error);
/* The same, and nothing but letters, digits and the characters in more. */
bool tool_check_word(const char *what, const char *value, const char *more, GError **error);
/* The same for an absolute path without ".." in it. */
bool tool_check_path(const char *what, const char *path, GError **error);
/* The same of a directory of names of devices, which may be relative: then there are no names. */
bool tool_check_names_path(const char *what, const char *path, GError **error);

/* spawn_check() with TOOL_TIMEOUT_MS; the error quotes the line with the reason. output may be NULL. */
bool tool_read(struct lane *lane, const char *const argv[], char **output, GError **error);
/* The same, its output not wanted. */
bool tool_run(struct lane *lane, const char *const argv[], GError **error);
/* Waits until udev has named what has come up. Without udev there is nothing to wait for; never an error. */
void tool_settle(struct lane *lane);
/* tool_run() with text on its standard input (which may be NULL). */
bool tool_run_input(struct lane *lane, const char *const argv[], const char *input, unsigned timeout_ms,
                    GError **error);
/* The same; its standard output as JSON, an object or an array. Owned. */
json_t *tool_run_json(struct lane *lane, const char *const argv[], GError **error);

/* Digits and nothing else, below 2^64. */
bool tool_parse_uint64(const char *text, uint64_t *value);

/* Members of an object: NULL or false when absent or of another type. Numbers may be strings ("4194304"). */
const char *tool_json_string(const json_t *object, const char *key);
bool tool_json_uint64(const json_t *object, const char *key, uint64_t *value);
