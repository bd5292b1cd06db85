/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bus/authorize.h"

#include "tests/unit/check-main.h"

START_TEST(reads)
{
        ck_assert(authorize_is_read("domain.read"));
        ck_assert(authorize_is_read("domain.getattr"));
        ck_assert(authorize_is_read("connect.search-domains"));
        ck_assert(authorize_is_read("domain.read domain.getattr"));
}
END_TEST

START_TEST(more_than_reads)
{
        ck_assert(!authorize_is_read("domain.read-secure"));
        ck_assert(!authorize_is_read("domain.write"));
        ck_assert(!authorize_is_read("domain.read domain.write"));
        ck_assert(!authorize_is_read("domain.write domain.read"));
        ck_assert(!authorize_is_read("connect.search-"));
        ck_assert(!authorize_is_read("domain.get"));
        ck_assert(!authorize_is_read("read"));
        ck_assert(!authorize_is_read(""));
}
END_TEST

CHECK_MAIN("authorize", reads, more_than_reads)
