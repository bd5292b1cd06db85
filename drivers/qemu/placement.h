/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Which NUMA nodes of the host a guest is put on whose definition leaves that to the host (placement='auto'
 * of <vcpu> and of the <memory> of <numatune>, which follows it unless it says otherwise): numad(8) is asked.
 * Lane of the domain.
 */

#include "drivers/domain/edit-xml.h"
#include "drivers/qemu/guest.h"

/*
 * Puts CPUs and nodes into edit, made from def; nothing where def says where all is to be.
 * ERROR_CONFIG_UNSUPPORTED where there is no numad; ERROR_OPERATION_FAILED when it fails or says no nodes.
 */
bool placement_choose(struct guest *guest, const struct domain_def *def, struct domain_edit *edit,
                      GError **error);
