/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* org.libvirt.NWFilter. Loop thread. */
#include "bus/nwfilter.h"

#include "bus/call.h"
#include "bus/interface.h"
#include "bus/managed-object.h"
#include "drivers/nwfilter/nwfilter.h"
#include "introspection/nw-filter.h"

static struct nwfilter *call_get_nwfilter(const struct call *call)
{
        return call->target.object;
}

/* ---- the kind ---- */

/* All properties are constant. */
static uint64_t get_changed(const struct registry_change *change)
{
        return 0;
}

/* Neither libvirt nor libvirt-dbus has events of them; ObjectManager tells which there are. */
static void announce(const struct branch *branch, const char *path, const struct registry_change *change)
{
}

const struct object_kind nwfilter_object_kind = {
        .branch = "nwfilter",
        .model = MODEL_NWFILTERS,
        .interface = &interface_nw_filter,
        MANAGED_OBJECT_HOOKS,
        .get_changed = get_changed,
        .announce = announce,
};

/* ---- methods ---- */

void on_nw_filter_get_xml_desc(struct call *call)
{
        g_autoptr(GError) error = NULL;
        const char *text = nwfilter_get_xml(call_get_nwfilter(call), call_read_flags(call), &error);

        call_done_with_text(text, error, call);
}

void on_nw_filter_undefine(struct call *call)
{
        nwfilter_undefine(call_get_nwfilter(call), call_done, call);
}
