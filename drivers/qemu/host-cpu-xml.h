/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "drivers/domain/definition.h"
#include "drivers/qemu/qemu-caps.h"

/*
 * The <cpu> of def, which follows the host, with the named model and the features that it stands for in
 * its place (VIR_DOMAIN_XML_UPDATE_CPU); what def says of single features stays as it is. Free it; NULL with
 * an error when def has no <cpu>. Any thread.
 */
char *host_cpu_expand(const struct domain_def *def, const struct qemu_host_model *host, GError **error);
