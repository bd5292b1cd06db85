/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Keys by the codesets of clients, as QEMU knows them. No state; any thread. */

#include "drivers/domain/input.h"

/* QEMU's number ("number" of its KeyValue) of the key; 0: no key has this code. */
unsigned keycodes_translate(enum domain_codeset codeset, unsigned code);
