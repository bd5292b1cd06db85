/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the files of the root of the model share: a connection, and the table of its parts. Loop thread. */

#include "base/listeners.h"
#include "drivers/model.h"

struct model_part {
        const char *name; /* of its objects, as actions name them: "storage-pool" */
        /* Makes the part and loads what there is; earlier parts are there. */
        void *(*new)(struct model *model, GError **error);
        void (*free)(struct model *model, void *part); /* NULL: it came with another */
        /* All parts of all connections are there: begins to follow what the host has. NULL: nothing to do. */
        void (*start)(struct model *model, void *part);
        /* Takes over what may change while the agent runs; soon after it is made. NULL: nothing does. */
        void (*configure)(void *part, const struct model_settings *settings);
        /* Does it know what there is? NULL: it did from the beginning. */
        bool (*is_ready)(const void *part);
        /* The agent ends: interrupts what may last, lets go. NULL: nothing to do. */
        void (*quiesce)(void *part);
        /* Is something on its way, beside what registry and collection know of? NULL: no. */
        bool (*is_busy)(const void *part);
        /*
         * After boot: starts what is marked so; done(data) when the next parts may begin. NULL: nothing to
         * do.
         */
        void (*autostart)(void *part, loop_fn done, void *data);
        /* What holds its objects: one of them at most. NULL: neither. */
        struct registry *(*get_registry)(const void *part);
        struct collection *(*get_collection)(const void *part);
        /* The details of an object of it. NULL: it has none. */
        void (*describe)(const void *part, void *object, model_detail add, void *data);
};

/* By kind; earlier ones are there when a later one is made. */
extern const struct model_part model_parts[MODEL_KIND_COUNT];

struct model {
        /* const */
        const struct model_driver *driver;
        const struct model_environment *environment; /* borrowed */
        unsigned index;
        const char *uri;               /* borrowed from driver */
        void *parts[MODEL_KIND_COUNT]; /* owned, by the table */
        /* loop */
        unsigned autostarted;      /* parts that have begun */
        bool ending;               /* what was to begin does not */
        struct listeners failures; /* model_failure_listener */
};
