/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Memory and disks of a guest that runs: functions of struct domain_driver_ops. Lane of the domain. */

#include "drivers/domain/driver.h"

bool peek_memory(struct domain *domain, uint64_t offset, void *bytes, uint64_t size, bool physical,
                 GError **error);
bool peek_resize_block(struct domain *domain, const struct domain_disk *disk, uint64_t bytes, GError **error);
bool peek_set_threshold(struct domain *domain, const struct domain_storage *source, uint64_t bytes,
                        GError **error);
