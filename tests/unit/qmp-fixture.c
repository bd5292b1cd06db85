/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/unit/qmp-fixture.h"

#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

struct fixture fixture;

void quit(void *data)
{
        loop_quit(fixture.loop);
}

void setup(void)
{
        fixture = (struct fixture){ .fd = -1 };
        fixture.loop = loop_new(NULL);
        fixture.pool = pool_new(2, NULL);
        fixture.lane = lane_new(fixture.pool, fixture.loop, "qmp");
        fixture.stop_fd = eventfd(0, EFD_CLOEXEC);
        fixture.seen = g_string_new(NULL);
}

void make(void *data)
{
        int fds[2];

        ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
        fixture.fd = fds[1];
        fixture.qmp = qmp_new(fixture.lane, fds[0], "domain 'web'");
}

static void unmake(void *data)
{
        g_clear_pointer(&fixture.qmp, qmp_free);
        loop_post(fixture.loop, quit, NULL);
}

void run(lane_fn fn)
{
        lane_post(fixture.lane, fn, NULL);
        loop_run(fixture.loop);
}

void teardown(void)
{
        run(unmake);
        lane_unref(fixture.lane);
        pool_free(fixture.pool);
        loop_free(fixture.loop);
        g_string_free(fixture.seen, TRUE);
        close(fixture.stop_fd);
        if (fixture.fd >= 0)
                close(fixture.fd);
}

void say(const char *text)
{
        ck_assert_int_eq(write(fixture.fd, text, strlen(text)), (ssize_t)strlen(text));
}

void connect_ready(void)
{
        GError *error = NULL;

        make(NULL);
        say(READY);
        ck_assert_msg(qmp_handshake(fixture.qmp, lane_deadline_in(5000), &error), "%s",
                      error ? error->message : "");
        ck_assert_uint_eq(qmp_get_version(fixture.qmp), 7002022);
}

void check_error(GError *error, enum error_code code, const char *part)
{
        ck_assert_ptr_nonnull(error);
        ck_assert_msg(strstr(error->message, part), "'%s' is not in '%s'", part, error->message);
        ck_assert_int_eq(error_get_code(error), code);
        ck_assert_msg(strstr(error->message, "domain 'web'"), "%s", error->message);
        g_error_free(error);
}

void on_event(const char *name, const json_t *arguments, int64_t time_us, void *data)
{
        ck_assert(in_lane(fixture.lane));
        if (fixture.count < 16)
                g_string_append_printf(fixture.seen, "%s,", name ? name : "ASK");
        if (++fixture.count == fixture.quit_after)
                loop_post(fixture.loop, quit, NULL);
}

void on_closed(const GError *error, void *data)
{
        ck_assert(!fixture.closed);
        ck_assert(error != NULL);
        fixture.closed = true;
        loop_post(fixture.loop, quit, NULL);
}

void on_reply(const json_t *result, const GError *error, void *data)
{
        g_string_append_printf(fixture.seen, "%s=%s,", (const char *)data,
                               error ? error->message : json_string_value(result));
        if (!g_strcmp0(data, "last"))
                loop_post(fixture.loop, quit, NULL);
}

uint64_t call(const char *command, unsigned timeout_ms)
{
        return qmp_call(fixture.qmp, command, NULL, timeout_ms, on_reply, (char *)command);
}
