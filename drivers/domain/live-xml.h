/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The active form of a definition and what is derived from it. Any thread.
 */

#include "drivers/domain/definition.h"

#include <glib.h>

/*
 * The definition that a guest is started from: def with the number of the domain and an alias for every
 * device, such as "virtio-disk0", "net0", "pci.1", "serial0"; aliases of the user's ("ua-...") stay. What is
 * chosen later (ports, terminals, paths) is set through edit-xml.h.
 */
struct domain_def *domain_def_activate(const struct domain_def *def, int id, GError **error);

/*
 * def with the <cpu> element that cpu_xml holds in the place of its own (VIR_DOMAIN_XML_UPDATE_CPU). The
 * texts are in base.xml and base.xml_public of the result.
 */
struct domain_def *domain_def_expand_cpu(const struct domain_def *def, const char *cpu_xml, GError **error);

/* The <cpu> element of def as text; owned. NULL with an error when it has none. */
char *domain_def_copy_cpu(const struct domain_def *def, GError **error);

/*
 * def as another host can take it (VIR_DOMAIN_XML_MIGRATABLE): without number, aliases, and all that was
 * chosen at start on this one.
 */
struct domain_def *domain_def_make_migratable(const struct domain_def *def, GError **error);
