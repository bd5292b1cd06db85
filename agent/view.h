/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What the agent knows of a view of its models: D-Bus, later libvirt's RPC. A view is a row in main.c. Main
 * thread.
 */

#include <glib.h>
#include <stdbool.h>

struct config;
struct loop;
struct models;
struct options;

struct view {
        const char *name;
        /* Nobody can reach it before start(). models is borrowed and outlives it. */
        void *(*new)(struct loop *loop, struct models *models, const struct options *options);
        /* Takes over what may change while the agent runs; the first time before start(). */
        void (*configure)(void *view, const struct config *config);
        bool (*start)(void *view, GError **error);
        /* Takes no more calls; those that are here are still served while the loop runs. */
        void (*stop)(void *view);
        /* Is every call answered, and everything written? */
        bool (*is_idle)(const void *view);
        /* Answers what remains with an error. */
        void (*free)(void *view);
};
