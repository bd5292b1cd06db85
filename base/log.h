/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * One line per message, to the journal when standard error is connected to it ($JOURNAL_STREAM, as
 * systemd.exec(5) has it), to standard error else as "<level>: text". Control characters are escaped and a
 * line is cut at LOG_LINE_MAX bytes: no message can forge another. Any thread. A reader that is gone or stuck
 * and a disk that is full cost the line, never time or the process.
 */

#include <glib.h>
#include <stdbool.h>

/* Longest line in bytes, escaped and with its level; no more than a pipe takes at once (PIPE_BUF). */
#define LOG_LINE_MAX 4096

enum log_level {
        LOG_LEVEL_ERROR,
        LOG_LEVEL_WARNING,
        LOG_LEVEL_NOTICE,
        LOG_LEVEL_INFO,
        LOG_LEVEL_DEBUG,
};

/*
 * Finds out where messages go and sets the highest level that is written. Ignores SIGPIPE for the whole
 * process. Call it once, before there are threads; until then messages go to standard error up to
 * LOG_LEVEL_INFO.
 */
void log_init(enum log_level max);

/* The same with the journal's socket at another path, for tests. */
void log_init_at(enum log_level max, const char *journal_socket);

/* Changes the highest level that is written. */
void log_set_max(enum log_level max);

void log_write(enum log_level level, const char *format, ...) G_GNUC_PRINTF(2, 3);

#define log_error(...)   log_write(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_write(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_notice(...)  log_write(LOG_LEVEL_NOTICE, __VA_ARGS__)
#define log_info(...)    log_write(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...)   log_write(LOG_LEVEL_DEBUG, __VA_ARGS__)

/* A field of a record: its name as the journal takes it (A-Z, 0-9, _), and its value; NULL: it is left out.
 */
struct log_field {
        const char *name, *value;
};

/*
 * A record for the journal with fields of its own, whatever the level is; as it is no news, without a journal
 * it is written as a message of LOG_LEVEL_INFO. Values are escaped and cut as messages are.
 */
void log_record(const struct log_field fields[], unsigned count, const char *message);

/* Logs "what: message" and leaves error to the caller. */
void log_gerror(enum log_level level, const GError *error, const char *format, ...) G_GNUC_PRINTF(3, 4);
