/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What QEMU is told of a disk that goes along (depart-disks.h): a node, which is the other side's disk as it
 * serves it by NBD, and a job that mirrors the guest's there. Lane of the domain.
 */

#include "drivers/domain/migrate.h"

#include <jansson.h>

/*
 * Arguments of blockdev-add, for a node of that name. With the flag TLS, QEMU has the credentials
 * (migration_add_credentials()). NULL with ERROR_RPC: departure->disks_uri is no place.
 */
json_t *depart_make_node(const struct domain_departure *departure, const struct domain_disk *disk,
                         const char *name, GError **error);
/* Arguments of blockdev-mirror, for a job of that name to the node of the same name. */
json_t *depart_make_mirror(const struct domain_departure *departure, const struct domain_disk *disk,
                           const char *name);
/*
 * Does the other side serve it, to us, and is it whom it should be? Another program (qemu-img) asks that,
 * because the emulator would keep its guest waiting until it knows. False with ERROR_OPERATION_FAILED, saying
 * what is wrong, ERROR_OPERATION_TIMEOUT or ERROR_OPERATION_ABORTED.
 */
bool depart_try_node(const struct domain_departure *departure, const struct domain_disk *disk,
                     GError **error);
