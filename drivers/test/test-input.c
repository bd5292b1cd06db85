/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Keys, signals and screens of machines that have none. No state.
 */
#include "drivers/test/test-input.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* The size of the screen of test:///default. */
#define WIDTH  1120
#define HEIGHT 832

/* virDomainProcessSignal: real-time signals end at 64. */
#define SIGNALS 65

bool test_send_keys(struct domain *domain, unsigned codeset, unsigned hold_ms, const uint32_t *codes,
                    unsigned count, GError **error)
{
        return true;
}

bool test_send_signal(struct domain *domain, int64_t pid, unsigned signal, GError **error)
{
        if (signal >= SIGNALS)
                return error_set(error, ERROR_FROM_TEST, ERROR_INVALID_ARG, "signal %u is out of range",
                                 signal);
        if (pid != 1)
                return error_set(error, ERROR_FROM_TEST, ERROR_INVALID_ARG,
                                 "only sending a signal to pid 1 is supported");
        return true;
}

bool test_peek_memory(struct domain *domain, uint64_t offset, void *bytes, uint64_t size, bool physical,
                      GError **error)
{
        uint8_t *byte = bytes;

        for (uint64_t i = 0; i < size; i++)
                byte[i] = (uint8_t)(offset + i);
        return true;
}

/* One shade of grey per column, from black on the left to white. */
static bool write_image(int fd)
{
        unsigned char row[WIDTH];
        char head[32];
        int size = snprintf(head, sizeof(head), "P5\n%d %d\n255\n", WIDTH, HEIGHT);

        for (unsigned i = 0; i < WIDTH; i++)
                row[i] = (unsigned char)(i * 255 / (WIDTH - 1));
        if (write(fd, head, (size_t)size) != size)
                return false;
        for (unsigned i = 0; i < HEIGHT; i++) {
                if (write(fd, row, sizeof(row)) != sizeof(row))
                        return false;
        }
        return lseek(fd, 0, SEEK_SET) == 0;
}

int test_take_screenshot(struct domain *domain, unsigned screen, const char **mime, GError **error)
{
        CLEANUP_FD int fd = -1;

        if (screen > 0) {
                error_set(error, ERROR_FROM_TEST, ERROR_INVALID_ARG, "domain '%s' has no screen %u",
                          managed_get_current_name(&domain->base), screen);
                return -1;
        }
        fd = memfd_create("screenshot", MFD_CLOEXEC);
        if (fd < 0 || !write_image(fd)) {
                error_set_errno(error, ERROR_FROM_TEST, errno, "cannot make a screenshot");
                return -1;
        }
        *mime = "image/x-portable-graymap";
        return fd_steal(&fd);
}
