/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Documents in the terms of the hypervisor itself. Loop. */

#include "drivers/domain/domain.h"

/*
 * What the document means as the hypervisor's own configuration; nothing is defined, made or looked at.
 * format: the driver's ("qemu-argv": a command line), ERROR_INVALID_ARG for another; what such text cannot
 * say is ERROR_CONFIG_UNSUPPORTED. flags: none.
 */
void domain_xml_to_native(struct domain_driver *driver, const char *format, const char *xml, unsigned flags,
                          domain_text_done done, void *data);
/*
 * The other way round: a document, complete as it would be defined. What has no place in it is kept in it all
 * the same, or the text is refused. flags: none.
 */
void domain_xml_from_native(struct domain_driver *driver, const char *format, const char *text,
                            unsigned flags, domain_text_done done, void *data);
