/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What goes to a monitor when: no more than QEMU reads on with, what is out of band before all else, and one
 * descriptor at a time.
 */
#include "drivers/qemu/qmp-output.h"

#include "tests/unit/check-main.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct qmp_output output;
static int fds[2];

static void set_up(void)
{
        output = (struct qmp_output){ 0 };
        ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
}

static void tear_down(void)
{
        qmp_output_done(&output);
        close(fds[0]);
        close(fds[1]);
}

static void push(const char *text)
{
        qmp_output_push(&output, g_strdup(text), strlen(text), -1);
}

static void push_fd(const char *text)
{
        qmp_output_push(&output, g_strdup(text), strlen(text), dup(fds[0]));
}

/* Whatever goes by now is that, and some more of it is to go later only if there is. */
static void expect(const char *expected, bool is_ready)
{
        char text[1000] = { 0 };
        ssize_t size = 0, part;

        qmp_output_flush(&output, fds[0]);
        while ((part = recv(fds[1], text + size, sizeof(text) - 1 - (size_t)size, MSG_DONTWAIT)) > 0)
                size += part;
        ck_assert_str_eq(text, expected);
        ck_assert_int_eq(qmp_output_is_ready(&output), is_ready);
}

START_TEST(the_rest_waits_for_answers)
{
        for (char name[] = "a"; *name < 'a' + 2 * QMP_IN_BAND_MAX; ++*name)
                push(name);
        expect("abcdefg", false);
        qmp_output_heed_answer(&output, false);
        ck_assert(qmp_output_is_ready(&output));
        expect("h", false);
        for (unsigned i = 0; i < 3; i++)
                qmp_output_heed_answer(&output, false);
        expect("ijk", false);
}
END_TEST

START_TEST(out_of_band_goes_first)
{
        for (char name[] = "a"; *name < 'a' + 2 * QMP_IN_BAND_MAX; ++*name)
                push(name);
        qmp_output_push_oob(&output, g_strdup("X"), 1);
        qmp_output_push_oob(&output, g_strdup("Y"), 1);
        expect("XYabcdefg", false);
        qmp_output_push_oob(&output, g_strdup("Z"), 1);
        ck_assert(qmp_output_is_ready(&output));
        expect("Z", false);
        /* It takes nobody's place. */
        qmp_output_heed_answer(&output, false);
        expect("h", false);
}
END_TEST

/* In the midst of a command there is no room for another. */
START_TEST(what_is_begun_is_ended_first)
{
        size_t size = 4 * 1024 * 1024;
        char *text = g_malloc(size);
        g_autofree char *all = g_malloc0(size + 2);
        ssize_t part, taken = 0;

        memset(text, 'a', size);
        qmp_output_push(&output, text, size, -1);
        qmp_output_flush(&output, fds[0]);
        ck_assert(qmp_output_is_ready(&output));
        qmp_output_push_oob(&output, g_strdup("X"), 1);
        while ((part = recv(fds[1], all + taken, size + 1 - (size_t)taken, MSG_DONTWAIT)) > 0) {
                taken += part;
                qmp_output_flush(&output, fds[0]);
        }
        ck_assert_int_eq(taken, (ssize_t)size + 1);
        ck_assert_ptr_eq(strchr(all, 'X'), all + size);
}
END_TEST

START_TEST(one_descriptor_at_a_time)
{
        push_fd("a");
        push_fd("b");
        push("c");
        expect("a", false);
        qmp_output_heed_answer(&output, true);
        expect("bc", false);
        push_fd("d");
        /* The answer to another one is none to that of the descriptor. */
        qmp_output_heed_answer(&output, false);
        expect("", false);
        qmp_output_heed_answer(&output, true);
        expect("d", false);
}
END_TEST

CHECK_MAIN_FIXTURE("qmp-output", set_up, tear_down, the_rest_waits_for_answers, out_of_band_goes_first,
                   what_is_begun_is_ended_first, one_descriptor_at_a_time)
