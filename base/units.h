/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Numbers with units and strict number parsing. Any thread. */

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * Strict decimal parsing of a whole string: no sign, no white space, no tail, no overflow. What names the
 * value in the error ("vcpu count"). Errors: ERROR_INVALID_ARG, and *value is left alone.
 */
bool units_parse_uint64(const char *text, const char *what, uint64_t max, uint64_t *value, GError **error);

/* The units that units_scale() takes, for messages. */
#define UNITS_NAMES "bytes, KB, KiB, MB, MiB, GB, GiB, TB, TiB, PB, PiB, EB or EiB"

/*
 * Scales value by a size unit as libvirt's XML formats define it ("b" or "bytes", "KB" = 1000, "k"/"KiB" =
 * 1024, "M"/"MiB", "MB", "G"/"GiB", "GB", ... "E"/"EiB"; in either case). unit NULL or "" means default_unit
 * bytes. *bytes gets the product; overflow beyond limit is ERROR_OVERFLOW, an unknown unit ERROR_INVALID_ARG.
 */
bool units_scale(uint64_t value, const char *unit, uint64_t default_unit, uint64_t limit, uint64_t *bytes,
                 GError **error);
