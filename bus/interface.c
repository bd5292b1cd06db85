/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Look-ups in the generated tables. No state; any thread.
 */
#include "bus/interface.h"

#include <stdlib.h>
#include <string.h>

static int compare_method(const void *name, const void *method)
{
        return strcmp(name, ((const struct interface_method *)method)->name);
}

static int compare_property(const void *name, const void *property)
{
        return strcmp(name, ((const struct interface_property *)property)->name);
}

const struct interface_method *interface_find_method(const struct interface *interface, const char *name)
{
        if (interface->n_methods == 0)
                return NULL;
        return bsearch(name, interface->methods, interface->n_methods, sizeof(*interface->methods),
                       compare_method);
}

const struct interface_property *interface_find_property(const struct interface *interface, const char *name)
{
        if (interface->n_properties == 0)
                return NULL;
        return bsearch(name, interface->properties, interface->n_properties, sizeof(*interface->properties),
                       compare_property);
}
