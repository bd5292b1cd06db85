/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The host's memory by cell and by size of page, and what of it can be set: the pools of huge pages, and how
 * the kernel merges equal pages (KSM). What reads does so on each call from small files that never wait, and
 * may be called on the loop; what changes something is a job. Any thread unless said otherwise.
 */

#include "base/params.h"

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

struct host;
struct job_list;

/* Numbers that one call asks for or sets at most: sizes of pages times cells. */
#define HOST_PAGES_MAX 1024

/* Instead of the number of a cell: the host as a whole. */
#define HOST_WHOLE (-1)

/*
 * Free memory in bytes (of uint64_t; free the array) of the cells that there are from number `start` on, up
 * to start + max - 1. ERROR_INVALID_ARG when max is less than 1 or start is past the last cell.
 */
GArray *host_get_cells_free_memory(const struct host *host, int start, int max, GError **error);

/* Which pools of pages a call is about. All borrowed. */
struct host_pages {
        const uint32_t *sizes_kib;
        unsigned n_sizes;
        int start;        /* the first cell, or HOST_WHOLE */
        unsigned n_cells; /* as many as there are from there on; does not matter for the whole host */
        unsigned flags;
};

/*
 * Free pages, cell by cell and in each in the order of sizes_kib; of the system's own page size those that
 * fit into free memory. Of uint64_t; free the array. Errors: ERROR_INVALID_ARG for cells or sizes that are
 * none or too many, ERROR_OPERATION_FAILED for a size that the cell does not have.
 */
GArray *host_get_free_pages(const struct host *host, const struct host_pages *pages, GError **error);

enum host_alloc_flags {
        HOST_ALLOC_ADD = 0,      /* to what there is */
        HOST_ALLOC_SET = 1 << 0, /* so many altogether */
};

/* pools: how many have the pages that were asked for, 0 with an error. On the loop, once. */
typedef void (*host_alloc_done)(unsigned pools, const GError *error, void *data);

/*
 * Loop: adds counts (one for each of sizes_kib, borrowed during the call) to each pool of huge pages, or sets
 * it to them. All or nothing: when the kernel does not find that many, the pools get back to what they were.
 * Errors beside those of host_get_free_pages(): ERROR_OPERATION_UNSUPPORTED for the system's own page size,
 * ERROR_OPERATION_FAILED naming how many pages there would be, ERROR_NO_SUPPORT for the test host. Finding
 * pages may take the kernel seconds: a job of jobs.
 */
void host_alloc_pages(const struct host *host, struct job_list *jobs, const struct host_pages *pages,
                      const uint64_t *counts, host_alloc_done done, void *data);

/* ---- merging of equal pages ---- */

/* The parameters of virNodeGetMemoryParameters() that this kernel has. NULL with an error. */
struct params *host_get_memory_parameters(const struct host *host, unsigned flags, GError **error);

/* What can be set of them, and what is only told. */
extern const struct param_table host_memory_table;

/* error NULL: it is done. On the loop, once. */
typedef void (*host_done)(const GError *error, void *data);

/*
 * Loop: sets what params (borrowed; checked against host_memory_table) has, all or nothing. Errors:
 * ERROR_INVALID_ARG, ERROR_OPERATION_UNSUPPORTED for one that this kernel does not have, ERROR_SYSTEM_ERROR
 * when it refuses, ERROR_NO_SUPPORT for the test host. A job of jobs, because the kernel may finish a round
 * first.
 */
void host_set_memory_parameters(const struct host *host, struct job_list *jobs, const struct params *params,
                                unsigned flags, host_done done, void *data);
