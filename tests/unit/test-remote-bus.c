/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where another agent is, and how one gets there. */
#include "base/remote-bus.h"

#include "base/error.h"
#include "base/remote-tunnel.h"
#include "tests/unit/check-main.h"

#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

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

/* The other side says where it leads, and a shell there reads that. */
START_TEST(tunnels_lead_to_sockets)
{
        static const char *const wrong[] = { "", "here", "/a b", "/a;reboot", "/a'b", "/$HOME", "/a\n" };
        g_autofree char *dir = g_dir_make_tmp("virtbus-tunnel-XXXXXX", NULL),
                        *path = g_build_filename(dir, "sock-et.1", NULL), *far = g_strnfill(200, 'x');
        CLEANUP(remote_place_free)
        struct remote_place *place = remote_place_new("qemu+unix:///system?bus=unix:path=/run/bus", NULL);
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        struct remote_tunnel *tunnel;
        char text[8] = "";
        int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), fd;

        far[0] = '/';
        ck_assert_ptr_null(remote_tunnel_open(place, far, NULL));
        for (unsigned i = 0; i < G_N_ELEMENTS(wrong); i++) {
                g_autoptr(GError) error = NULL;

                ck_assert_ptr_null(remote_tunnel_open(place, wrong[i], &error));
                ck_assert_ptr_nonnull(strstr(error->message, "is no socket that a tunnel can lead to"));
        }
        ck_assert_ptr_null(remote_tunnel_open(place, path, NULL));
        g_strlcpy(address.sun_path, path, sizeof(address.sun_path));
        ck_assert_int_eq(bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
        ck_assert_int_eq(listen(listener, 1), 0);
        tunnel = remote_tunnel_open(place, path, NULL);
        ck_assert_ptr_nonnull(tunnel);
        ck_assert_int_eq(write(remote_tunnel_get_fd(tunnel), "hello", 5), 5);
        remote_tunnel_close_fd(tunnel);
        fd = accept(listener, NULL, NULL);
        ck_assert_int_eq(read(fd, text, sizeof(text)), 5);
        ck_assert_str_eq(text, "hello");
        ck_assert_int_eq(read(fd, text, sizeof(text)), 0);
        ck_assert_ptr_null(remote_tunnel_get_complaint(tunnel));
        remote_tunnel_free(tunnel);
        close(fd);
        close(listener);
        unlink(path);
        rmdir(dir);
}
END_TEST

/* A program in the place of ssh that complains without end: what it says is bounded, and it is ended. */
START_TEST(a_way_that_complains_without_end)
{
        g_autofree char *dir = g_dir_make_tmp("virtbus-tunnel-XXXXXX", NULL),
                        *program = g_build_filename(dir, "ssh", NULL),
                        *search = g_strconcat(dir, ":", g_getenv("PATH"), NULL), *complaint = NULL;
        CLEANUP(remote_place_free) struct remote_place *place = remote_place_new("qemu+ssh://b/system", NULL);
        struct remote_tunnel *tunnel;
        char end;

        /* yes(1) ends when it cannot write any more. */
        ck_assert(g_file_set_contents(program, "#!/bin/sh\necho closed >&2\nyes >&2\n", -1, NULL));
        ck_assert_int_eq(chmod(program, 0755), 0);
        g_setenv("PATH", search, TRUE);
        tunnel = remote_tunnel_open(place, "/run/socket", NULL);
        ck_assert_ptr_nonnull(tunnel);
        ck_assert_int_eq(read(remote_tunnel_get_fd(tunnel), &end, 1), 0);
        complaint = remote_tunnel_get_complaint(tunnel);
        ck_assert_str_eq(complaint, "closed");
        remote_tunnel_free(tunnel);
        unlink(program);
        rmdir(dir);
}
END_TEST

CHECK_MAIN("remote-bus", a_way_that_complains_without_end, tunnels_lead_to_sockets, test_by_ssh,
           test_by_socket, test_no_place)
