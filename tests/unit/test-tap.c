/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "interfaces/tap.h"
#include "tests/unit/check-main.h"

START_TEST(a_tap_that_cannot_be_is_named)
{
        const struct tap long_name = { .name = "a-name-of-more-than-fifteen", .queues = 1 };
        const struct tap no_bridge = { .queues = 1, .bridge = "nobridge0", .up = true };
        g_autoptr(GArray) fds = g_array_new(FALSE, FALSE, sizeof(int));
        g_autoptr(GError) error = NULL;
        char *name = NULL;

        ck_assert(!tap_open(&long_name, fds, &name, &error));
        ck_assert_int_eq(error_get_code(error), ERROR_CONFIG_UNSUPPORTED);
        g_clear_error(&error);
        ck_assert(!tap_open(&no_bridge, fds, &name, &error));
        ck_assert_ptr_nonnull(error);
        ck_assert_uint_eq(fds->len, 0);
        ck_assert_ptr_null(name);
}
END_TEST

CHECK_MAIN("tap", a_tap_that_cannot_be_is_named)
