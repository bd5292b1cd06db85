/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reading the configuration again: from the loop to a lane and back. */
#include "agent/reload.h"

#include "base/lane.h"
#include "base/loop.h"

struct reload {
        /* const */
        struct loop *loop; /* borrowed */
        struct lane *lane; /* owned */
        const char *path;  /* borrowed */
        bool required;
        reload_done done;
        void *data; /* owned by done */
        /* loop */
        unsigned readings; /* on their way */
};

struct reading {
        struct reload *reload; /* borrowed */
        struct config *config; /* owned */
        GError *error;         /* owned */
};

struct reload *reload_new(struct loop *loop, struct pool *pool, const char *path, bool required,
                          reload_done done, void *data)
{
        struct reload *reload = g_new0(struct reload, 1);

        reload->loop = loop;
        reload->lane = lane_new(pool, loop, "configuration");
        reload->path = path;
        reload->required = required;
        reload->done = done;
        reload->data = data;
        return reload;
}

void reload_free(struct reload *reload)
{
        if (!reload)
                return;
        lane_unref(reload->lane);
        g_free(reload);
}

static void tell(void *data)
{
        struct reading *reading = data;
        struct reload *reload = reading->reload;

        reload->readings--;
        reload->done(reading->config, reading->error, reload->data);
        g_clear_error(&reading->error);
        g_free(reading);
}

static void read_file(void *data)
{
        struct reading *reading = data;
        const struct reload *reload = reading->reload;

        reading->config = config_read(reload->path, reload->required, &reading->error);
        loop_post(reload->loop, tell, reading);
}

void reload_ask(struct reload *reload)
{
        struct reading *reading = g_new0(struct reading, 1);

        reading->reload = reload;
        reload->readings++;
        lane_post(reload->lane, read_file, reading);
}

bool reload_is_busy(const struct reload *reload)
{
        return reload->readings > 0;
}
