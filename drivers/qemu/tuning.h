/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What a guest is to get of its host by control groups and resctrl. Any thread. */

#include "drivers/domain/definition.h"

/*
 * False with ERROR_CONFIG_UNSUPPORTED, naming the element, when the definition has limits or weights that
 * this driver does not set.
 */
bool tuning_require_supported(const struct domain_def *def, GError **error);
