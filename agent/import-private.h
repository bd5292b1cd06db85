/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Between the files of the import. Main thread. */

#include <glib.h>
#include <stdbool.h>

struct agent;
struct managed;
struct model;

struct import {
        struct agent *agent;     /* borrowed */
        struct model *model;     /* borrowed */
        char *etc, *state, *run; /* owned; libvirt's */
        GHashTable *running;     /* owned; name -> struct running */
        unsigned taken, refused;
};

/* A call of the model on its way; a zeroed one. */
struct import_wait {
        bool done;
        GError *error;          /* owned */
        struct managed *object; /* ref; NULL: none */
};

/* A managed_done for a struct import_wait. */
void import_ended(struct managed *object, const GError *error, void *data);
void import_wait_for(const struct import *import, const struct import_wait *wait);
void import_wait_clear(struct import_wait *wait);

/*
 * What libvirt knows of something that runs gets a name that it does not look for. A libvirtd that came back
 * would believe that it runs it, and end what it cannot talk to.
 */
bool import_put_aside(const char *path, GError **error);

/* A line on standard output: "domain 'web': taken". */
void import_say(const char *noun, const char *name, const char *format, ...) G_GNUC_PRINTF(3, 4);

/* The names in a directory that end so, sorted; none when it is not there. Free it. */
GPtrArray *import_list_names(const char *path, const char *suffix);

/* ---- import-networks.c: networks that libvirt has left running ---- */

/* Behind the definitions, before the guests. */
void import_adopt_networks(struct import *import);

/* ---- import-running.c: guests that libvirt has left running ---- */

/* Which ones run, and whether they can be adopted: before definitions are taken. */
void import_look_at_running(struct import *import);
/* Why the definition of the domain of that name must not be taken; NULL: nothing speaks against it. Free it.
 */
char *import_refuse_running(const struct import *import, const char *name);
/* Behind the definitions: adopts those that can be. */
void import_adopt_running(struct import *import);
