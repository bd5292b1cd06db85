/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * One line per message, to the journal when standard error is connected to it (sd_journal_send with PRIORITY and the
 * fields below), to standard error else as "<level>: text". Any thread. Never blocks on a reader that is gone.
 */

#include <glib.h>
#include <stdbool.h>

enum log_level {
        LOG_LEVEL_ERROR,
        LOG_LEVEL_WARNING,
        LOG_LEVEL_NOTICE,
        LOG_LEVEL_INFO,
        LOG_LEVEL_DEBUG,
};

void log_init(enum log_level max);

void log_write(enum log_level level, const char *format, ...) G_GNUC_PRINTF(2, 3);

#define log_error(...)   log_write(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_write(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_notice(...)  log_write(LOG_LEVEL_NOTICE, __VA_ARGS__)
#define log_info(...)    log_write(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...)   log_write(LOG_LEVEL_DEBUG, __VA_ARGS__)

/* Logs "what: message" and leaves error to the caller. */
void log_gerror(enum log_level level, const GError *error, const char *format, ...) G_GNUC_PRINTF(3, 4);
