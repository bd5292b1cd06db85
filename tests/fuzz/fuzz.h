/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * One parser of foreign input per program. With clang (cmake --preset fuzz) libFuzzer drives it; without,
 * mutate.c does, for a bounded number of rounds, as a test.
 */

#include <stddef.h>
#include <stdint.h>

/* libFuzzer's entry; returns 0. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
