/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The capabilities of all emulators of this host, probed when first asked for and then kept: in memory, and
 * on disk so that the next agent need not probe. What is kept holds as long as binary, QEMU's modules, access
 * to /dev/kvm, the account that emulators run as, this agent's version and the kernel's boot stay the same.
 */

#include "base/cleanup.h"
#include "drivers/qemu/qemu-caps.h"

#include <glib.h>

struct account;
struct lane;
struct loop;
struct pool;
struct probe_cache;
struct qmp;

/* directory: NULL, nothing is kept on disk; it is made when needed. account is referenced. Loop. */
struct probe_cache *probe_cache_new(struct loop *loop, struct pool *pool, const char *directory,
                                    const struct account *account);
/* Questions on the way are answered with ERROR_OPERATION_ABORTED. Loop. */
void probe_cache_free(struct probe_cache *cache);

/*
 * In a lane: the capabilities of the emulator at path, which is probed if need be (see probe_run() for the
 * errors). A reference.
 */
const struct qemu_caps *probe_cache_get(struct probe_cache *cache, struct lane *lane, const char *path,
                                        GError **error);

/*
 * In the lane of qmp: those of the emulator that runs a guest there, started from path, which may have
 * another program by now (see probe_ask()). program tells what runs from all others, and how; NULL: nobody
 * knows. Of guests with the same one the first is asked, and the answer kept in memory for as long as the
 * cache is there.
 */
const struct qemu_caps *probe_cache_get_running(struct probe_cache *cache, struct lane *lane, struct qmp *qmp,
                                                const char *path, const char *program, GError **error);

/* Any thread: the same if they are in memory, else NULL without an error. A reference. */
const struct qemu_caps *probe_cache_peek(struct probe_cache *cache, const char *path);

/* caps is borrowed for the call and NULL when there is an error. */
typedef void (*probe_cache_done)(const struct qemu_caps *caps, const GError *error, void *data);

/*
 * On the loop: asks for them, and calls done exactly once: at once when they are in memory, else when a probe
 * in a lane of its own has ended. Who asks for the same path meanwhile waits for the same probe.
 */
void probe_cache_ask(struct probe_cache *cache, const char *path, probe_cache_done done, void *data);

/*
 * Elements are struct qemu_caps, borrowed, in the order of the paths; those that failed are left out and
 * logged.
 */
typedef void (*probe_cache_all_done)(const GPtrArray *caps, void *data);

/* On the loop: asks for several (NULL-terminated) at once. */
void probe_cache_ask_all(struct probe_cache *cache, const char *const *paths, probe_cache_all_done done,
                         void *data);

DEFINE_CLEANUP(struct probe_cache, probe_cache_free);
