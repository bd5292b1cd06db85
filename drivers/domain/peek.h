/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A look into a domain's disks and memory, and what is changed at a disk while its guest runs. Loop, as
 * domain.h has it. */

#include "drivers/domain/domain.h"

/* Of one answer, in bytes. */
#define DOMAIN_PEEK_MAX (1024 * 1024)

/* bytes are borrowed during the call; NULL with an error. */
typedef void (*domain_bytes_done)(const void *bytes, size_t size, const GError *error, void *data);

/*
 * What is in the image of a disk, found by its target or the path of its source, of a domain that may be off;
 * the image is raw and a file or device of this host. size 0: only whether it can be read. flags: none.
 */
void domain_peek_block(struct domain *domain, const char *disk, uint64_t offset, uint64_t size,
                       unsigned flags, domain_bytes_done done, void *data);

/* virDomainMemoryFlags; one of them */
enum domain_memory_peek_flags {
        DOMAIN_PEEK_VIRTUAL = 1, /* as the first vCPU sees it at this moment */
        DOMAIN_PEEK_PHYSICAL = 2,
};
/* Of a guest that runs. size 0: only whether there is such a place to ask. */
void domain_peek_memory(struct domain *domain, uint64_t offset, uint64_t size, unsigned flags,
                        domain_bytes_done done, void *data);

enum domain_resize_flags {
        DOMAIN_RESIZE_BYTES = 1,    /* size is in bytes, not KiB */
        DOMAIN_RESIZE_CAPACITY = 2, /* it is the size that the host's device has by now */
};
/*
 * The image of a disk of a guest that runs, which sees the new size. disk: its target or source. With
 * DOMAIN_RESIZE_CAPACITY, for raw disks of type 'block', size is 0, or what the device's has to be.
 */
void domain_resize_block(struct domain *domain, const char *disk, uint64_t size, unsigned flags,
                         managed_done done, void *data);
/*
 * DOMAIN_EVENT_BLOCK_THRESHOLD comes once, when the guest writes beyond threshold bytes of the image: "vda",
 * or "vda[2]" for the one of its chain with that index. flags: none.
 */
void domain_set_block_threshold(struct domain *domain, const char *device, uint64_t threshold, unsigned flags,
                                managed_done done, void *data);
