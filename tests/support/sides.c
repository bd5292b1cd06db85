/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Two agents, and guests that go from one to the other. */
#include "tests/support/sides.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct side here, there;

static void side_init(struct side *side, void (*enter)(void))
{
        side->harness = harness_new_bus();
        harness_set_child_setup(side->harness, enter);
        harness_start_agent(side->harness);
        side->client = harness_get_client(side->harness);
        side->uri = g_strdup_printf("qemu+unix:///system?bus=%s", harness_get_address(side->harness));
}

static void side_clear(struct side *side)
{
        harness_free(side->harness);
        g_free(side->uri);
}

struct proxy *sides_new_proxy(const struct side *to, char **uri)
{
        g_autofree char *socket = harness_path(to->harness, "proxy");
        g_autofree char *address = g_strconcat("unix:path=", socket, NULL);

        *uri = g_strdup_printf("qemu+unix:///system?bus=%s", address);
        return proxy_new(address, harness_get_address(to->harness));
}

/* A case that failed has left agents and guests that would be counted as those of this one. */
void sides_set_up(void)
{
        sides_set_up_in(NULL, NULL);
}

void sides_set_up_in(void (*enter_here)(void), void (*enter_there)(void))
{
        harness_end_leftovers();
        side_init(&here, enter_here);
        side_init(&there, enter_there);
        harness_join(here.harness, there.harness);
}

void sides_tear_down(void)
{
        side_clear(&here);
        side_clear(&there);
}

/* ---- guests ---- */

char *sides_append_console(char *xml, const char *console)
{
        GString *text = g_string_new(xml);
        g_autofree char *source = g_strdup_printf("<source path='%s'/>", console);
        g_autofree char *appending = g_strdup_printf("<source path='%s' append='on'/>", console);

        ck_assert_uint_eq(g_string_replace(text, source, appending, 1), 1);
        g_free(xml);
        return g_string_free(text, FALSE);
}

char *sides_make_counting_xml(const char *name, const char *console)
{
        return sides_append_console(guest_linux_xml(name, console, "count"), console);
}

#define SYSCTL "/proc/sys/vm/unprivileged_userfaultfd"

/* The lab is a machine of its own: nobody minds what it allows. */
static bool is_allowed(void)
{
        g_autofree char *allowed = NULL;

        if (g_getenv("VIRTBUS_LAB") && g_file_test(SYSCTL, G_FILE_TEST_EXISTS))
                ck_assert_int_eq(system("echo 1 >" SYSCTL), 0);
        return g_file_get_contents(SYSCTL, &allowed, NULL, NULL) && *allowed == '1';
}

/* A program that runs the emulator with userfault.c; on either side it is the same one. */
static char *make_emulator(const char *module)
{
        char *file = harness_path(here.harness, "emulator");
        g_autofree char *program = g_find_program_in_path("qemu-system-x86_64");
        g_autofree char *text =
                g_strdup_printf("#!/bin/sh\nLD_PRELOAD=%s exec %s \"$@\"\n", module, program ? program : "");

        ck_assert(g_file_set_contents(file, text, -1, NULL));
        ck_assert_int_eq(chmod(file, 0755), 0);
        return file;
}

char *sides_make_postcopy_xml(const char *name, const char *console)
{
        g_autofree char *xml = sides_make_counting_xml(name, console), *emulator = NULL, *element = NULL;
        const char *module = g_getenv("VIRTBUS_USERFAULT");
        GString *text;

        if (is_allowed())
                return g_steal_pointer(&xml);
        if (!module || !strstr(xml, "type='qemu'")) {
                harness_skip(
                        "there is no post-copy: vm.unprivileged_userfaultfd is not 1, and KVM needs that");
                return NULL;
        }
        emulator = make_emulator(module);
        element = g_strdup_printf("<devices><emulator>%s</emulator>", emulator);
        text = g_string_new(xml);
        ck_assert_uint_eq(g_string_replace(text, "<devices>", element, 1), 1);
        return g_string_free(text, FALSE);
}

unsigned sides_check_count(const char *console)
{
        g_autofree char *text = NULL;

        ck_assert(g_file_get_contents(console, &text, NULL, NULL));
        return guest_check_count(text);
}

/* SysRq and that key (codes of Linux): its kernel says something on its console. */
static void press(const struct side *side, const char *path, unsigned key)
{
        enum { LEFTALT = 56, SYSRQ = 99 };
        g_autofree char *error = client_try(side->client, path, DOMAIN_INTERFACE, "SendKey", "uuauu", 0, 0, 3,
                                            LEFTALT, SYSRQ, key, 0);

        printf("--- SysRq with %u: %s\n", key, error ? error : "sent");
}

/* A guest that does not go on is hung, or not where it should be, or its kernel has died: which? */
static void tell_guests(const struct side *side, const char *name)
{
        enum { KEY_8 = 9, KEY_Q = 16, KEY_W = 17, KEY_L = 38 };
        static const unsigned keys[] = { KEY_8, KEY_W, KEY_L, KEY_Q };
        g_autoptr(sd_bus_message) reply =
                client_call(side->client, QEMU_PATH, CONNECT_INTERFACE, "ListDomains", "u", 0);
        const char *path;

        ck_assert_int_gt(sd_bus_message_enter_container(reply, 'a', "o"), 0);
        while (sd_bus_message_read(reply, "o", &path) > 0) {
                printf("--- %s: '%s' is in state %d\n", name, path, side_find_state(side, path));
                for (unsigned i = 0; i < G_N_ELEMENTS(keys); i++)
                        press(side, path, keys[i]);
        }
        fflush(stdout);
}

void sides_expect_counting(const char *console)
{
        g_autofree char *wanted = g_strdup_printf("count %u\r", sides_check_count(console) + 3);

        if (!guest_try_console(console, wanted)) {
                tell_guests(&here, "here");
                tell_guests(&there, "there");
        }
        guest_wait_console(console, wanted);
        sides_check_count(console);
}

/* ---- moves ---- */

void sides_migrate(const struct side *from, const char *path, const struct side *to, unsigned flags)
{
        client_do(from->client, path, DOMAIN_INTERFACE, "MigrateToURI3", "sa{sv}u", to->uri, 0, flags);
}

void sides_read_job(const char *path, uint64_t numbers[JOB_NUMBERS])
{
        g_autoptr(sd_bus_message) reply =
                client_call(here.client, path, DOMAIN_INTERFACE, "GetJobInfo", NULL);
        int type;

        ck_assert_int_gt(sd_bus_message_read(reply, "(ittttttttttt)", &type, &numbers[0], &numbers[1],
                                             &numbers[2], &numbers[3], &numbers[4], &numbers[5], &numbers[6],
                                             &numbers[7], &numbers[8], &numbers[9], &numbers[10]),
                         0);
}

bool sides_are_transferring(void *data)
{
        uint64_t numbers[JOB_NUMBERS];

        sides_read_job(data, numbers);
        return numbers[JOB_DATA_PROCESSED] > 0;
}

/* ---- one of them ---- */

int side_find_state(const struct side *side, const char *path)
{
        g_autoptr(sd_bus_message) reply = NULL;
        int state, reason;

        if (sd_bus_call_method(client_get_bus(side->client), "org.libvirt", path, DOMAIN_INTERFACE,
                               "GetState", NULL, &reply, "u", 0) < 0)
                return -1;
        ck_assert_int_gt(sd_bus_message_read(reply, "(ii)", &state, &reason), 0);
        return state;
}

bool side_has(const struct side *side, const char *path)
{
        return side_find_state(side, path) >= 0;
}

bool side_runs(const struct side *side, const char *path)
{
        return side_find_state(side, path) == STATE_RUNNING;
}

pid_t side_find_emulator(const struct side *side, const char *path)
{
        g_autofree char *uuid = g_strdup(strrchr(path, '/') + 2), *file = NULL, *name = NULL, *text = NULL;

        g_strdelimit(uuid, "_", '-');
        name = g_build_filename("run/qemu", uuid, "pid", NULL);
        file = harness_path(side->harness, name);
        return g_file_get_contents(file, &text, NULL, NULL) ? atoi(text) : 0;
}

void side_kill_guest(const struct side *side, const char *path)
{
        pid_t pid = side_find_emulator(side, path);

        if (pid > 0) {
                kill(pid, SIGKILL);
                harness_wait_gone(pid);
        }
}

void side_restart_agent(const struct side *side)
{
        harness_end_agent(side->harness, SIGKILL);
        harness_start_agent(side->harness);
}

void side_set_certificates(const struct side *side, const char *folder)
{
        g_autofree char *file = harness_path(side->harness, "virtbusd.conf"),
                        *text = g_strdup_printf("[network]\ndefault=false\n[qemu]\ntls_dir=%s\n", folder);

        ck_assert_int_eq(harness_end_agent(side->harness, SIGTERM), 0);
        ck_assert(g_file_set_contents(file, text, -1, NULL));
        harness_start_agent(side->harness);
}
