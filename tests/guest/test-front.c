/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The front of a machine: its keys and buttons, its screen, its consoles and channels.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/support/guest.h"
#include "tests/support/harness.h"

#define CHANNEL "<channel type='unix'><target type='virtio' name='org.virtbus.test'/></channel>"
#define PTY     "<serial type='pty'/>"

static struct harness *harness;
static struct client *client;

static void set_up(void)
{
        harness = harness_new();
        client = harness_get_client(harness);
}

static void tear_down(void)
{
        harness_free(harness);
}

/* The Linux guest with more devices. */
static char *with_devices(const char *console, const char *action, const char *devices)
{
        g_autofree char *xml = guest_linux_xml("linux", console, action);
        g_auto(GStrv) parts = g_strsplit(xml, "</devices>", 2);
        g_autofree char *last = g_strconcat(devices, "</devices>", NULL);

        return g_strjoinv(last, parts);
}

/* The first descriptor of a reply; the caller's to close. */
static int take_fd(sd_bus_message *reply)
{
        int fd = -1, copy;

        ck_assert_int_gt(sd_bus_message_read(reply, "h", &fd), 0);
        copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
        ck_assert_int_ge(copy, 0);
        sd_bus_message_unref(reply);
        return copy;
}

static int open_char(const char *path, const char *member, const char *name, unsigned flags)
{
        return take_fd(client_call(client, path, DOMAIN_INTERFACE, member, "su", name, flags));
}

static void wait_for(int fd, short events)
{
        struct pollfd pollfd = { .fd = fd, .events = events };

        ck_assert_msg(poll(&pollfd, 1, CLIENT_DEADLINE_US / 1000) == 1, "nothing comes from descriptor %d",
                      fd);
}

/* Reads until text has come, or to the end (NULL). */
static void read_until(int fd, const char *text)
{
        g_autoptr(GString) all = g_string_new(NULL);
        char buffer[4096];

        for (;;) {
                ssize_t size;

                wait_for(fd, POLLIN);
                size = read(fd, buffer, sizeof(buffer));
                if (size == 0 && !text)
                        return;
                ck_assert_msg(size > 0, "the end came before '%s', after '%s'", text, all->str);
                g_string_append_len(all, buffer, size);
                if (text && strstr(all->str, text))
                        return;
        }
}

/* ---- keys and buttons ---- */

/* A key in each codeset, and what Linux calls it. */
static const struct {
        unsigned codeset;
        uint32_t code;
        unsigned key;
} keys[] = {
        { 0, 30, 30 },    /* linux: A */
        { 1, 0x30, 48 },  /* xt: B */
        { 2, 0x2e, 46 },  /* atset1: C */
        { 3, 0x23, 32 },  /* atset2: D */
        { 4, 0x24, 18 },  /* atset3: E */
        { 5, 0x03, 33 },  /* os_x: F */
        { 6, 0x22, 34 },  /* xt_kbd: G */
        { 6, 0x11c, 96 }, /* xt_kbd: Enter of the keypad */
        { 7, 0x0b, 35 },  /* usb: H */
        { 8, 0x49, 23 },  /* win32: I */
        { 9, 0xd3, 111 }, /* qnum: Delete */
};

START_TEST(test_keys)
{
        g_autofree char *console = harness_path(harness, "console");
        g_autofree char *path = guest_start(client, guest_linux_xml("linux", console, "keys"));

        guest_wait_console(console, "virtbus-guest: keyboard");
        for (unsigned i = 0; i < G_N_ELEMENTS(keys); i++) {
                g_autofree char *said = g_strdup_printf("virtbus-guest: key %u.", keys[i].key);

                client_do(client, path, DOMAIN_INTERFACE, "SendKey", "uuauu", keys[i].codeset, 50, 1,
                          keys[i].code, 0);
                guest_wait_console(console, said);
        }
        /* Several at once. */
        client_do(client, path, DOMAIN_INTERFACE, "SendKey", "uuauu", 0, 0, 2, 29, 15, 0);
        guest_wait_console(console, "virtbus-guest: key 29.");
        guest_wait_console(console, "virtbus-guest: key 15.");
        client_fails(client, LIBVIRT_ERROR, "*codeset 0 has no key 700*", path, DOMAIN_INTERFACE, "SendKey",
                     "uuauu", 0, 0, 1, 700, 0);
        client_fails(client, LIBVIRT_ERROR, "*from 1 to 16 keys*", path, DOMAIN_INTERFACE, "SendKey", "uuauu",
                     0, 0, 0, 0);
        client_fails(client, LIBVIRT_ERROR, "*unknown codeset 10*", path, DOMAIN_INTERFACE, "SendKey",
                     "uuauu", 10, 0, 1, 30, 0);
        client_fails(client, LIBVIRT_ERROR, "this function is not supported*SendProcessSignal*", path,
                     DOMAIN_INTERFACE, "SendProcessSignal", "xuu", (int64_t)1, 9, 0);
        client_fails(client, LIBVIRT_ERROR, "*wake up*", path, DOMAIN_INTERFACE, "PMWakeup", "u", 0);
        client_fails(client, LIBVIRT_ERROR, "*not configured*", path, DOMAIN_INTERFACE,
                     "PMSuspendForDuration", "utu", 0, (uint64_t)0, 0);
        guest_do_flags(client, path, "Destroy", 0);
        client_fails(client, LIBVIRT_ERROR, "*not running*", path, DOMAIN_INTERFACE, "InjectNMI", "u", 0);
}
END_TEST

START_TEST(test_nmi)
{
        g_autofree char *console = harness_path(harness, "console");
        g_autofree char *path = guest_start(client, guest_linux_xml("linux", console, "idle"));

        guest_wait_console(console, "virtbus-guest: ready");
        guest_do_flags(client, path, "InjectNMI", 0);
        guest_wait_console(console, "NMI");
}
END_TEST

/* ---- displays ---- */

START_TEST(test_displays)
{
        static const char devices[] = "<graphics type='vnc' passwd='sesame'><listen type='none'/></graphics>"
                                      "<video><model type='vga'/></video>";
        g_autofree char *path = guest_start(client, guest_bare_xml("shown", devices));
        g_autoptr(sd_bus_message) reply = NULL;
        const char *mime;
        char head[16] = "";
        int fd = take_fd(client_call(client, path, DOMAIN_INTERFACE, "OpenGraphicsFD", "uu", 0, 0));

        read_until(fd, "RFB 003.008\n");
        close(fd);
        client_fails(client, LIBVIRT_ERROR, "*no display 1*", path, DOMAIN_INTERFACE, "OpenGraphicsFD", "uu",
                     1, 0);
        client_fails(client, LIBVIRT_ERROR, "*unsupported flags (0x2)*", path, DOMAIN_INTERFACE,
                     "OpenGraphicsFD", "uu", 0, 2);

        reply = client_call(client, path, DOMAIN_INTERFACE, "Screenshot", "uu", 0, 0);
        ck_assert_int_gt(sd_bus_message_read(reply, "s", &mime), 0);
        ck_assert_str_eq(mime, "image/x-portable-pixmap");
        fd = take_fd(sd_bus_message_ref(reply));
        ck_assert_int_eq(read(fd, head, 3), 3);
        ck_assert_str_eq(head, "P6\n");
        ck_assert_int_eq(write(fd, head, 1), -1);
        close(fd);
        client_fails(client, LIBVIRT_ERROR, "*no screen 1*", path, DOMAIN_INTERFACE, "Screenshot", "uu", 1,
                     0);
}
END_TEST

/* ---- consoles and channels ---- */

START_TEST(test_channel)
{
        g_autofree char *console = harness_path(harness, "console");
        g_autofree char *path = guest_start(client, with_devices(console, "echo", CHANNEL));
        int first, second;

        guest_wait_console(console, "virtbus-guest: ready");
        first = open_char(path, "OpenChannel", "org.virtbus.test", 0);
        ck_assert_int_eq(write(first, "hello\n", 6), 6);
        read_until(first, "echo hello\n");

        /* One at a time. */
        client_fails(client, LIBVIRT_ERROR, "*open: FORCE*", path, DOMAIN_INTERFACE, "OpenChannel", "su",
                     "channel0", 0);
        second = open_char(path, "OpenChannel", "channel0", 1);
        read_until(first, NULL);
        close(first);
        ck_assert_int_eq(write(second, "again\n", 6), 6);
        read_until(second, "echo again\n");

        client_fails(client, LIBVIRT_ERROR, "*no channel 'org.nobody'*", path, DOMAIN_INTERFACE,
                     "OpenChannel", "su", "org.nobody", 0);
        client_fails(client, LIBVIRT_ERROR, "*type 'file'*", path, DOMAIN_INTERFACE, "OpenConsole", "su",
                     "serial0", 0);
        client_fails(client, LIBVIRT_ERROR, "*unsupported flags (0x2)*", path, DOMAIN_INTERFACE,
                     "OpenChannel", "su", "", 2);
        guest_do_flags(client, path, "Destroy", 0);
        read_until(second, NULL);
        close(second);
}
END_TEST

static bool can_open(void *data)
{
        g_autofree char *failure = client_try(client, data, DOMAIN_INTERFACE, "OpenConsole", "su", "", 2);

        return failure == NULL;
}

/* The guest prints without end: a client that reads sees it, one that does not loses it, and the guest never
 * waits. */
START_TEST(test_console)
{
        g_autofree char *xml = guest_linux_xml("linux", "/dev/null", "noise");
        g_auto(GStrv) parts = g_strsplit(xml, "<serial type='file'><source path='/dev/null'/></serial>", 2);
        g_autofree char *path = guest_start(client, g_strjoinv(PTY, parts));
        int fd = open_char(path, "OpenConsole", "", 2);

        read_until(fd, "virtbus-guest: ready");
        read_until(fd, "noise");
        client_fails(client, LIBVIRT_ERROR, "*open: FORCE*", path, DOMAIN_INTERFACE, "OpenConsole", "su",
                     "serial0", 0);
        /* From here on nobody reads. */
        wait_for(fd, POLLHUP);
        guest_expect_state(client, path, STATE_RUNNING, -1);
        close(fd);
        /* It is free for the next, who leaves, too. */
        harness_wait_until(can_open, path, "the console can be opened again");
        harness_wait_until(can_open, path, "the console can be opened once more");
        guest_do_flags(client, path, "Destroy", 0);
}
END_TEST

/* In the place of the emulator's socket; whoever connects to it is not read before it is let. */
static int replace_socket(const char *path)
{
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

        g_strlcpy(address.sun_path, path, sizeof(address.sun_path));
        ck_assert_int_eq(unlink(path), 0);
        ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
        ck_assert_int_eq(listen(fd, 1), 0);
        return fd;
}

/* Numbered lines, and no fewer bytes than that. */
static GString *write_much(int fd, size_t size)
{
        GString *all = g_string_new(NULL);

        for (unsigned i = 0; all->len < size; i++)
                g_string_append_printf(all, "line %05u\n", i);
        ck_assert_int_eq(write(fd, all->str, all->len), all->len);
        return all;
}

/* To the end, which is another one (ECONNRESET) when what was said here has not been read. */
static GString *read_all(int fd)
{
        GString *all = g_string_new(NULL);
        char buffer[4096];
        ssize_t size;

        do {
                wait_for(fd, POLLIN);
                size = read(fd, buffer, sizeof(buffer));
                ck_assert(size >= 0 || errno == ECONNRESET);
                g_string_append_len(all, buffer, MAX(size, 0));
        } while (size > 0);
        return all;
}

/* What a client has sent reaches the device, although the client has left and the device was slow. */
START_TEST(test_client_that_leaves)
{
        g_autofree char *socket = harness_path(harness, "port");
        g_autofree char *port =
                g_strdup_printf("<serial type='unix'><source mode='bind' path='%s'/></serial>", socket);
        g_autofree char *path = guest_start(client, guest_bare_xml("port", port));
        int listener = replace_socket(socket);

        /* From what is all with the device when the client leaves, to what has not been read from the client.
         */
        for (unsigned i = 1; i <= 24; i++) {
                int fd = open_char(path, "OpenConsole", "", 0), device = accept(listener, NULL, NULL);
                g_autoptr(GString) sent = write_much(fd, (size_t)i * 16 * 1024), came = NULL;

                ck_assert_int_ge(device, 0);
                close(fd);
                /* A guest that says what nobody reads any more. */
                if (i % 2 == 0)
                        send(device, "hello", 5, MSG_NOSIGNAL);
                came = read_all(device);
                ck_assert_msg(g_string_equal(came, sent), "%zu bytes of %zu came", came->len, sent->len);
                close(device);
        }
        close(listener);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("front");
        TCase *tcase = tcase_create("front");

        tcase_add_checked_fixture(tcase, set_up, tear_down);
        tcase_set_timeout(tcase, 300);
        tcase_add_test(tcase, test_keys);
        tcase_add_test(tcase, test_nmi);
        tcase_add_test(tcase, test_displays);
        tcase_add_test(tcase, test_channel);
        tcase_add_test(tcase, test_console);
        tcase_add_test(tcase, test_client_that_leaves);
        suite_add_tcase(suite, tcase);
        return harness_main(suite);
}
