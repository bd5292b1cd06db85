/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Where a part of the guest's memory comes from on the host: the memory-backend object of the machine, of a
 * NUMA cell or of a memory device, as <memoryBacking>, <numatune> and the device itself want it. Values only;
 * any thread.
 */

#include "drivers/domain/definition.h"

#include <glib.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* All borrowed. */
struct memory_part {
        const char *id;
        const char *dir; /* where files are made for <source type='file'>; NULL: nowhere */
        uint64_t size_kib;
        int cell; /* -1: of none */
        enum domain_switch shared;
        enum domain_switch discard;
        /* of memory devices */
        bool device;
        bool pmem;
        bool sparse;       /* the guest takes what it wants of it */
        bool filled;       /* all of it is made at once */
        bool enclave;      /* pages for enclaves of SGX, by /dev/sgx_vepc */
        const char *path;  /* a file that is its content; NULL: none */
        uint64_t page_kib; /* 0: as the cell has them */
        uint64_t align_kib;
        const struct domain_cpuset *nodes; /* of the host; NULL: as <numatune> says */
};

/* New reference; NULL with ERROR_CONFIG_UNSUPPORTED for what cannot be. */
json_t *memory_backend_new(const struct domain_def *def, const struct memory_part *part, GError **error);

/* What the guest has from the beginning: without its memory devices. */
uint64_t memory_get_initial_kib(const struct domain_def *def);
