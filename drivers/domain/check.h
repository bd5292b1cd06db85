/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What a new definition must be beyond well-formed: what its parts say of each other. Checked when a document
 * is defined or created, never when a stored one is read, so that what an earlier agent took still loads. Of
 * a document that an agent has taken, and that comes from outside again (the file that a guest was saved to,
 * another host), only what protects is checked. Plain functions, any thread.
 */

#include "drivers/domain/definition.h"

#include <glib.h>
#include <stdbool.h>

/*
 * def is finished and doc what it was read from, for what the typed view has no place for.
 * False with an error (mostly ERROR_CONFIG_UNSUPPORTED) that names the thing at fault and what it could be
 * instead.
 */
bool domain_check(const struct domain_def *def, const struct domain_doc *doc,
                  const struct domain_machine *machine, GError **error);

/*
 * The same of a document that was taken before, by whatever agent: what contradicts itself is refused still,
 * or would harm a disk or a guest; not what only has no effect, and not what the start refuses by itself.
 */
bool domain_check_accepted(const struct domain_def *def, const struct domain_doc *doc,
                           const struct domain_machine *machine, GError **error);

/*
 * What def has that was taken and has no effect, as sentences ("a <graphics> has tlsPort=, which is not for
 * type 'vnc'") for whoever starts it. Owned; empty: nothing.
 */
GPtrArray *domain_def_find_leftovers(const struct domain_def *def);
/* The same, to the log. who: "domain 'web'" */
void domain_def_tell_leftovers(const struct domain_def *def, const char *who);

/* ---- between the files check*.c ---- */

struct check {
        const struct domain_def *def;         /* borrowed */
        const struct domain_doc *doc;         /* borrowed; for the *-xml.c files */
        const struct domain_machine *machine; /* borrowed */
};

/* Tables of checks, made in the order given; the last is NULL. */
typedef bool (*check_function)(const struct check *check, GError **error);

/* check-limits.c: have all of a group of disks the same limits? */
bool check_limit_groups(const struct check *check, GError **error);

extern const check_function domain_check_clock[];
extern const check_function domain_check_cpu[];
extern const check_function domain_check_memory[];
extern const check_function domain_check_disks[];
extern const check_function domain_check_devices[];
extern const check_function domain_check_interfaces[];
extern const check_function domain_check_boot[];
extern const check_function domain_check_tuning[];
extern const check_function domain_check_scope[];
extern const check_function domain_check_parts[];
extern const check_function domain_check_undriven[];

/* For domain_def_find_leftovers(): of those that the typed view shows. */
void domain_check_note_scope(const struct domain_def *def, GPtrArray *noted);
/* Likewise: what would be refused of a new document, the first of each check. */
void domain_check_note_refused(const struct domain_def *def, GPtrArray *noted);
/* Notes what check_refuse() has said, without what all of its errors begin with. */
void check_note(GPtrArray *noted, const GError *error);

/* "unsupported configuration: <sentence>"; false. */
bool check_refuse(GError **error, const char *format, ...) G_GNUC_PRINTF(2, 3);
/* What there is of something counted from 0: "0", "0-3". Owned. */
char *check_format_count(unsigned count);
/* The I/O threads that there are: "1, 2 and 5", or "<iothreads> has none". Owned. */
char *check_format_iothreads(const struct domain_def *def);
/* What stands in <cputune> once stands there once. */
bool check_tuning_once(const struct check *check, GError **error);
bool check_has_iothread(const struct domain_def *def, uint32_t id);
/*
 * Can the device have its I/O threads so? map NULL: it names none; who: "disk 'vda'"; iothread: the single
 * one that it asks for as well, 0: none; queues: how many it has, 0: QEMU says.
 */
bool check_iothread_map(const struct domain_def *def, const struct domain_iothread_map *map, const char *who,
                        uint32_t iothread, uint32_t queues, GError **error);
/* Is the machine type of that family ("pc-q35")? False where it is not known. */
bool check_is_machine(const struct check *check, const char *family);
