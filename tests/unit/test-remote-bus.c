/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where another agent is, and how one gets there. */
#include "base/remote-bus.h"

#include "base/error.h"
#include "tests/unit/check-main.h"

#include <string.h>

static char *get_command(const char *uri)
{
        CLEANUP(remote_place_free) struct remote_place *place = remote_place_new(uri, NULL);

        ck_assert_ptr_nonnull(place);
        ck_assert_str_eq(remote_place_get_uri(place), uri);
        return g_strjoinv(" ", (char **)remote_place_get_command(place));
}

START_TEST(test_by_ssh)
{
        g_autofree char *plain = get_command("qemu+ssh://b/system"),
                        *all = get_command("qemu+ssh://me@b:222/session");
        CLEANUP(remote_place_free)
        struct remote_place *six = remote_place_new("qemu+ssh://[fe80::1]/system", NULL);

        ck_assert_ptr_nonnull(strstr(plain, "ssh -T "));
        ck_assert_ptr_nonnull(strstr(plain, " BatchMode=yes "));
        ck_assert_ptr_nonnull(strstr(plain, " -- b PATH="));
        ck_assert(g_str_has_suffix(plain, " virtbusd --stdio-bridge --system"));
        ck_assert_ptr_nonnull(strstr(all, " -p 222 -l me -- b "));
        ck_assert(g_str_has_suffix(all, " --session"));
        ck_assert_str_eq(remote_place_get_host(six), "fe80::1");
}
END_TEST

START_TEST(test_by_socket)
{
        CLEANUP(remote_place_free)
        struct remote_place *place = remote_place_new("qemu+unix:///system?bus=unix:path=/run/bus", NULL);

        ck_assert_ptr_nonnull(place);
        ck_assert_ptr_null(remote_place_get_host(place));
        ck_assert_ptr_null(remote_place_get_command(place));
}
END_TEST

/* What would run a program, or be taken for an option of ssh, is none. */
START_TEST(test_no_place)
{
        static const char *const uris[] = {
                "",
                "host",
                "qemu:///system",
                "qemu+tcp://b/system",
                "qemu+ssh:///system",
                "qemu+ssh://b/",
                "qemu+ssh://b/other",
                "qemu+ssh://-oProxyCommand=x/system",
                "qemu+ssh://-l@b/system",
                "qemu+ssh://a;b@b/system",
                "qemu+ssh://b$(id)/system",
                "qemu+ssh://b/system?command=/bin/false",
                "qemu+ssh://b/system?bus=unix:path=/run/bus",
                "qemu+unix:///system",
                "qemu+unix://b/system?bus=unix:path=/run/bus",
                "qemu+unix:///system?bus=unixexec:path=/bin/false",
                "qemu+unix:///system?bus=unix:path=/x;unixexec:path=/bin/false",
                "qemu+unix:///system?bus=tcp:host=b,port=1",
                "qemu+unix:///system?other=1",
        };
        g_autofree char *host = g_strnfill(REMOTE_URI_MAX, 'b'),
                        *longest = g_strdup_printf("qemu+ssh://%s/system", host);

        for (unsigned i = 0; i <= G_N_ELEMENTS(uris); i++) {
                const char *uri = i < G_N_ELEMENTS(uris) ? uris[i] : longest;
                g_autoptr(GError) error = NULL;

                ck_assert_msg(!remote_place_new(uri, &error), "%s", uri);
                ck_assert(error_is(error, ERROR_INVALID_ARG));
        }
}
END_TEST

CHECK_MAIN("remote-bus", test_by_ssh, test_by_socket, test_no_place)
