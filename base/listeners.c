/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Lists of listeners. Loop thread. */
#include "base/listeners.h"

void listeners_add(struct listeners *listeners, listener_fn fn, void *data)
{
        const struct listener entry = { fn, data };

        if (!listeners->entries)
                listeners->entries = g_array_new(FALSE, FALSE, sizeof(entry));
        g_array_append_val(listeners->entries, entry);
}

void listeners_remove(struct listeners *listeners, listener_fn fn, void *data)
{
        for (unsigned i = 0; i < listeners_count(listeners); i++) {
                const struct listener *entry = listeners_get(listeners, i);

                if (entry->fn == fn && entry->data == data) {
                        g_array_remove_index(listeners->entries, i);
                        return;
                }
        }
}

void listeners_done(struct listeners *listeners)
{
        g_clear_pointer(&listeners->entries, g_array_unref);
}
