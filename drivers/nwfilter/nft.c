/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Running nft(8): what it reads is text that people can read, too. In the lane of whoever asks.
 */
#include "base/error.h"
#include "base/spawn.h"
#include "drivers/nwfilter/model.h"

#include <string.h>
#include <sys/wait.h>

/* A transaction that another one overtakes begins again: many guests that start at once take their time. */
#define NFT_TIMEOUT_MS 60000

/* What the kernel says when it has no part that looks at connections of bridges. */
static bool lacks_connections(const char *text, const struct spawn_result *result)
{
        return strstr(text, " ct ") && result->errors && strstr(result->errors, "Protocol error");
}

bool nwfilter_nft_run(struct lane *lane, const char *text, GError **error)
{
        static const char *const argv[] = { "nft", "-f", "-", NULL };
        struct spawn_result result = { 0 };
        bool done = spawn_run(lane, argv, text, NFT_TIMEOUT_MS, &result, error);

        if (done && result.status && lacks_connections(text, &result))
                done = error_set(
                        error, ERROR_FROM_NWFILTER, ERROR_CONFIG_UNSUPPORTED,
                        "the kernel of this host does not follow connections through bridges "
                        "(nf_conntrack_bridge), which rules of a filter are about; statematch='false' "
                        "makes rules that need it not");
        else if (done)
                done = spawn_result_check("nft", &result, error);
        spawn_result_clear(&result);
        return done;
}

GPtrArray *nwfilter_nft_list(struct lane *lane)
{
        static const char *const argv[] = { "nft",      "list", "map", "bridge", "virtbus_nwfilter",
                                            "out_link", NULL };
        GPtrArray *devices = g_ptr_array_new_with_free_func(g_free);
        struct spawn_result result = { 0 };

        /* Quotes are around names of devices only. */
        if (spawn_run(lane, argv, NULL, NFT_TIMEOUT_MS, &result, NULL) && result.status == 0) {
                g_auto(GStrv) pieces = g_strsplit(result.output, "\"", -1);

                for (unsigned i = 1; pieces[i] && pieces[i + 1]; i += 2)
                        g_ptr_array_add(devices, g_strdup(pieces[i]));
        }
        spawn_result_clear(&result);
        return devices;
}
