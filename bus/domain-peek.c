/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * org.libvirt.Domain: a look into disks and memory, sizes and thresholds of disks. Loop thread.
 */
#include "bus/interface.h"
#include "drivers/domain/peek.h"
#include "introspection/domain.h"

static void reply_bytes(const void *bytes, size_t size, const GError *error, void *data)
{
        struct call *call = data;

        if (error)
                call_fail(call, error);
        else
                call_reply(call, "ay", bytes, size);
}

void on_domain_block_peek(struct call *call)
{
        uint64_t offset, size;
        const char *disk;
        uint32_t flags;

        call_read(call, "sttu", &disk, &offset, &size, &flags);
        domain_peek_block(call_get_domain(call), disk, offset, size, flags, reply_bytes, call);
}

void on_domain_memory_peek(struct call *call)
{
        uint64_t offset, size;
        uint32_t flags;

        call_read(call, "ttu", &offset, &size, &flags);
        domain_peek_memory(call_get_domain(call), offset, size, flags, reply_bytes, call);
}

void on_domain_block_resize(struct call *call)
{
        const char *disk;
        uint64_t size;
        uint32_t flags;

        call_read(call, "stu", &disk, &size, &flags);
        domain_resize_block(call_get_domain(call), disk, size, flags, call_done, call);
}

void on_domain_set_block_threshold(struct call *call)
{
        const char *device;
        uint64_t threshold;
        uint32_t flags;

        call_read(call, "stu", &device, &threshold, &flags);
        domain_set_block_threshold(call_get_domain(call), device, threshold, flags, call_done, call);
}
