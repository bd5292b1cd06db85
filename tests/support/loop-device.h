/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Loop devices of the host's kernel, over memory: they go with the descriptor that they were opened by. */

#include <fcntl.h>
#include <glib.h>
#include <linux/loop.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

/*
 * A block device over that memory: *path (owned) until the descriptor that is returned is closed. -1: the
 * host has none for us.
 */
static inline int loop_device_open_over(int memory, char **path)
{
        struct loop_config config = { .info.lo_flags = LO_FLAGS_AUTOCLEAR };
        int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
        int fd = -1;

        config.fd = (unsigned)memory;
        *path = NULL;
        /* Another test may be quicker. */
        for (unsigned tries = 0; control >= 0 && tries < 100; tries++) {
                int number = ioctl(control, LOOP_CTL_GET_FREE);

                if (number < 0)
                        break;
                *path = g_strdup_printf("/dev/loop%d", number);
                fd = open(*path, O_RDWR | O_CLOEXEC);
                if (fd >= 0 && ioctl(fd, LOOP_CONFIGURE, &config) == 0)
                        break;
                if (fd >= 0)
                        close(fd);
                fd = -1;
                g_clear_pointer(path, g_free);
        }
        close(control);
        return fd;
}

/* The same of one of that size, free of content. */
static inline int loop_device_open(uint64_t size, char **path)
{
        int memory = memfd_create("disk", MFD_CLOEXEC), fd = -1;

        *path = NULL;
        if (ftruncate(memory, (off_t)size) == 0)
                fd = loop_device_open_over(memory, path);
        close(memory);
        return fd;
}
