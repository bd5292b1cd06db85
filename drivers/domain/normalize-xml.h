/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Normalisation of a domain's document: everything that a definition leaves open and that a guest could
 * notice is decided once and written down (identity, units, defaults of the machine, controllers, addresses),
 * and what only describes a running guest (aliases, ports chosen at start, the paths of terminals) is taken
 * out. Any thread; the document belongs to the caller.
 */

#include "base/xml.h"

#include <stdbool.h>

struct domain_machine;

/*
 * Edits doc, whose root is <domain>, in place; machine is what the driver made of its type, architecture,
 * machine and emulator. The order of elements is left to the caller. A document that is normal already is not
 * changed. What cannot be (a bus that the machine lacks, two devices at one address, more vCPUs than the
 * machine takes, no free slot) is refused with an error that names the element or both devices and the line;
 * the document is then of no further use. Errors: ERROR_XML_ERROR, ERROR_CONFIG_UNSUPPORTED.
 */
bool domain_normalize(xmlDoc *doc, const struct domain_machine *machine, GError **error);
