/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Variable stores of UEFI firmware: files that are made from a template and then belong to one guest. Lanes.
 */

#include "drivers/security/account.h"

#include <glib.h>
#include <stdbool.h>

/*
 * Sees to it that the store at path is there: a copy of template (NULL: it must be there already) that
 * belongs to account; made anew if reset. The content is on disk when this returns. Errors:
 * ERROR_SYSTEM_ERROR, ERROR_OPERATION_FAILED naming the file.
 */
bool nvram_make(const char *path, const char *template, bool reset, const struct account *account,
                GError **error);

/*
 * Marks the store as in use, for as long as the descriptor or a copy of it is open: it goes to the emulator.
 * -1 with an error when there is no such file; *busy, and no error, when it is in use already.
 */
int nvram_claim(const char *path, bool *busy, GError **error);
