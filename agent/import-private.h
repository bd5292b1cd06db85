/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Between the files of the import. Main thread. */

#include <glib.h>

struct agent;
struct model;

struct import {
        struct agent *agent;     /* borrowed */
        struct model *model;     /* borrowed */
        char *etc, *state, *run; /* owned; libvirt's */
        GHashTable *running;     /* owned; name -> struct running */
        unsigned taken, refused;
};

/* The names in a directory that end so, sorted; none when it is not there. Free it. */
GPtrArray *import_list_names(const char *path, const char *suffix);

/* ---- import-running.c: guests that libvirt has left running ---- */

/* Which ones run, and whether they can be adopted: before definitions are taken. */
void import_look_at_running(struct import *import);
/* Why the definition of the domain of that name must not be taken; NULL: nothing speaks against it. Free it.
 */
char *import_refuse_running(const struct import *import, const char *name);
/* Behind the definitions: adopts those that can be. */
void import_adopt_running(struct import *import);
