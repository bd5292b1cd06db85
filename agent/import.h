/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What a libvirtd of this host has left behind, taken over: definitions of domains, networks, pools, secrets
 * with their values and network filters, autostart links, the state of TPMs, and networks and guests that
 * run. Its files are only read, but for what it knows of those that are adopted, which it must not find
 * again. What virtbus has already is never changed, so that it can be run twice; each thing that is taken,
 * here already, or not taken and why, is a line on standard output. Files are not trusted: no links are
 * followed, and what is too large or malformed is a line, too. Main thread, which is the loop thread; without
 * views, under the agent's lock.
 */

#include <glib.h>
#include <stdbool.h>

struct agent;

/* What stands in a document about its object. */
struct import_document {
        char *name, *uuid;  /* owned; NULL: not there */
        char *nvram;        /* owned; the path of a domain's variables; NULL: none */
        bool has_tpm_state; /* of an emulated TPM */
};

/* root: the name of its element. False with an error; errors and bounds as those of xml_parse(). */
bool import_document_read(struct import_document *document, const char *text, const char *root,
                          GError **error);
void import_document_clear(struct import_document *document);

/* A step of the start-up table. False when DIR cannot be read, or something that could be taken was not. */
bool import_run(struct agent *agent, GError **error);
