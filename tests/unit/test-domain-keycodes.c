/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Keys by codeset. The numbers are those of the standards, not of the table: USB usages, virtual keys, scan
 * codes.
 */
#include "drivers/domain/keycodes.h"

#include "tests/unit/check-main.h"

/* Some keys in each codeset; 0: it has none. */
static const struct {
        const char *name;
        unsigned codes[DOMAIN_CODESETS];
} keys[] = {
        /*            linux xt      set 1   set 2   set 3 mac   xt   usb   win   qnum */
        { "Escape", { 1, 0x01, 0x01, 0x76, 0x08, 0x35, 0x01, 0x29, 0x1b, 0x01 } },
        { "A", { 30, 0x1e, 0x1e, 0x1c, 0x1c, 0x00, 0x1e, 0x04, 0x41, 0x1e } },
        { "Enter", { 28, 0x1c, 0x1c, 0x5a, 0x5a, 0x24, 0x1c, 0x28, 0x0d, 0x1c } },
        { "F1", { 59, 0x3b, 0x3b, 0x05, 0x07, 0x7a, 0x3b, 0x3a, 0x70, 0x3b } },
        { "Delete", { 111, 0xe053, 0xe053, 0xe071, 0x64, 0x75, 0x153, 0x4c, 0x2e, 0xd3 } },
        { "Up", { 103, 0xe048, 0xe048, 0xe075, 0x63, 0x7e, 0x148, 0x52, 0x26, 0xc8 } },
        { "left Control", { 29, 0x1d, 0x1d, 0x14, 0x11, 0x3b, 0x1d, 0xe0, 0x11, 0x1d } },
};

START_TEST(a_key_has_a_number_in_each_codeset)
{
        for (unsigned i = 0; i < G_N_ELEMENTS(keys); i++) {
                for (unsigned set = 0; set < DOMAIN_CODESETS; set++) {
                        unsigned found = keycodes_translate(set, keys[i].codes[set]);

                        /* The Macintosh has a key 0. */
                        if (keys[i].codes[set] || set == DOMAIN_CODESET_OSX)
                                ck_assert_msg(found == keys[i].codes[DOMAIN_CODESET_QNUM],
                                              "%s in codeset %u is %u", keys[i].name, set, found);
                }
        }
}
END_TEST

START_TEST(what_is_no_key_has_none)
{
        for (unsigned i = 0; i < DOMAIN_CODESETS; i++) {
                ck_assert_uint_eq(keycodes_translate(i, 0xffff), 0);
                ck_assert_uint_eq(keycodes_translate(i, 0x10000 + 30), 0);
                ck_assert_uint_eq(keycodes_translate(i, UINT32_MAX), 0);
        }
        ck_assert_uint_eq(keycodes_translate(DOMAIN_CODESET_LINUX, 0), 0);
        ck_assert_uint_eq(keycodes_translate(DOMAIN_CODESET_LINUX, 700), 0);
        ck_assert_uint_eq(keycodes_translate(DOMAIN_CODESET_XT, 0x80), 0);
        ck_assert_uint_eq(keycodes_translate(DOMAIN_CODESET_XT, 0x153), 0);
        ck_assert_uint_eq(keycodes_translate(DOMAIN_CODESET_XT_KBD, 0x80), 0);
        ck_assert_uint_eq(keycodes_translate(DOMAIN_CODESET_XT_KBD, 0xe053), 0);
        ck_assert_uint_eq(keycodes_translate(DOMAIN_CODESET_XT_KBD, 0x160), 0);
        ck_assert_uint_eq(keycodes_translate(DOMAIN_CODESET_XT_KBD, 0x253), 0);
        ck_assert_uint_eq(keycodes_translate(DOMAIN_CODESET_QNUM, 256), 0);
}
END_TEST

CHECK_MAIN("domain-keycodes", a_key_has_a_number_in_each_codeset, what_is_no_key_has_none)
