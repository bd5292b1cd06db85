/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What the driver answers about its host and its emulators, without a guest: operations of struct
 * domain_driver_ops, see drivers/domain/driver.h. Loop.
 */

#include "drivers/qemu/guest.h"

/* What a document without a machine, or with an alias of one, comes to: prepare of the driver. */
void driver_prepare(struct domain_driver *driver, const char *type, const char *arch, const char *machine,
                    const char *emulator, domain_driver_prepared done, void *data);

/* GetCapabilities, of all emulators that are installed. */
void driver_get_capabilities(struct domain_driver *driver, domain_driver_text_done done, void *data);

/* GetDomainCapabilities. */
void driver_get_domain_capabilities(struct domain_driver *driver, const char *emulator, const char *arch,
                                    const char *machine, const char *type, domain_driver_text_done done,
                                    void *data);

/* A <cpu> that follows the host as the one that it stands for here. */
void driver_expand_cpu(struct domain_driver *driver, const struct domain_def *def,
                       domain_driver_text_done done, void *data);

/* The emulator that guests get unless they ask for another; owned. NULL: none is installed. */
char *driver_find_emulator(const struct domain_driver *driver);

/* Of that. 0 with an error. */
uint64_t driver_get_version(struct domain_driver *driver, GError **error);

/* type: of a domain, or "". 0 with an error. */
unsigned driver_get_max_vcpus(struct domain_driver *driver, const char *type, GError **error);

/* The first that the capabilities have; static, "": none. */
void driver_get_security_model(struct domain_driver *driver, const char **model, const char **doi);

/* Forgets the answer that the driver keeps. */
void driver_clear_answer(struct qemu_answer *answer);
