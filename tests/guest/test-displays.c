/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Displays with TLS: a client knows the guest's server by the certificate of the host, and without one the
 * start says what is missing.
 */

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "tests/support/certificates.h"
#include "tests/support/guest.h"
#include "tests/support/harness.h"

/* RFB's security type of VeNCrypt (the IANA registry of RFB). */
#define RFB_VENCRYPT 19

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

/* The number of an attribute of the guest's <graphics>; 0: it has none. */
static int read_port(const char *path, const char *attr)
{
        g_autofree char *xml = client_call_string(client, path, DOMAIN_INTERFACE, "GetXMLDesc", "u", 0);
        g_autofree char *start = g_strdup_printf(" %s='", attr);
        const char *graphics = strstr(xml, "<graphics "), *end, *found;

        ck_assert_ptr_nonnull(graphics);
        end = strchr(graphics, '>');
        found = g_strstr_len(graphics, end - graphics, start);
        return found ? atoi(found + strlen(start)) : 0;
}

/* Does a client that trusts the authority find "localhost" at the port? */
static bool is_known(const char *folder, int port)
{
        g_autofree char *authority = g_build_filename(folder, "ca-cert.pem", NULL);
        g_autofree char *where = g_strdup_printf("127.0.0.1:%d", port);
        const char *argv[] = { "openssl",
                               "s_client",
                               "-connect",
                               where,
                               "-CAfile",
                               authority,
                               "-verify_hostname",
                               "localhost",
                               "-verify_return_error",
                               "-brief",
                               NULL };
        g_autoptr(GError) error = NULL;
        int status = -1;

        ck_assert_msg(
                g_spawn_sync(NULL, (char **)argv, NULL,
                             G_SPAWN_SEARCH_PATH | G_SPAWN_STDOUT_TO_DEV_NULL | G_SPAWN_STDERR_TO_DEV_NULL,
                             NULL, NULL, NULL, NULL, &status, &error),
                "%s", error ? error->message : "");
        return status == 0;
}

START_TEST(test_spice)
{
        g_autofree char *folder = certificates_make(harness), *path = NULL;
        int port, tls_port;

        certificates_set(harness, "spice_tls_dir", folder);
        client = harness_get_client(harness);
        path = guest_start(client,
                           guest_bare_xml("spice", "<graphics type='spice' autoport='yes'>"
                                                   "<channel name='main' mode='secure'/></graphics>"));
        port = read_port(path, "port");
        tls_port = read_port(path, "tlsPort");
        ck_assert_int_gt(port, 0);
        ck_assert_int_gt(tls_port, 0);
        ck_assert(is_known(folder, tls_port));
        ck_assert(!is_known(folder, port));
        guest_do_flags(client, path, "Destroy", 0);

        g_free(path);
        path = guest_start(client, guest_bare_xml("secure", "<graphics type='spice' autoport='yes' "
                                                            "defaultMode='secure'/>"));
        ck_assert_int_eq(read_port(path, "port"), 0);
        ck_assert(is_known(folder, read_port(path, "tlsPort")));
        guest_do_flags(client, path, "Destroy", 0);

        g_free(path);
        path = guest_start(client, guest_bare_xml("plain", "<graphics type='spice' autoport='yes' "
                                                           "defaultMode='insecure'/>"));
        ck_assert_int_gt(read_port(path, "port"), 0);
        ck_assert_int_eq(read_port(path, "tlsPort"), 0);
        guest_do_flags(client, path, "Destroy", 0);
}
END_TEST

static const struct {
        const char *name, *graphics, *message;
} refused[] = {
        { "channel", "<graphics type='spice' autoport='yes'><channel name='main' mode='secure'/></graphics>",
          "unsupported configuration: SPICE with TLS of *spice_tls_dir=*" },
        { "secure", "<graphics type='spice' autoport='yes' defaultMode='secure'/>",
          "unsupported configuration: SPICE with TLS of *spice_tls_dir=*" },
        { "port", "<graphics type='spice' autoport='no' tlsPort='-1'/>",
          "unsupported configuration: SPICE with TLS of *spice_tls_dir=*" },
};

START_TEST(test_no_certificates)
{
        g_autofree char *folder = NULL, *path = NULL;

        for (unsigned i = 0; i < G_N_ELEMENTS(refused); i++) {
                g_autofree char *none =
                        guest_define(client, guest_bare_xml(refused[i].name, refused[i].graphics));

                client_fails(client, LIBVIRT_ERROR, refused[i].message, none, DOMAIN_INTERFACE, "Create", "u",
                             0);
        }
        folder = harness_path(harness, "nothing");
        certificates_set(harness, "spice_tls_dir", folder);
        client = harness_get_client(harness);
        path = guest_define(client, guest_bare_xml("missing", refused[0].graphics));
        client_fails(client, LIBVIRT_ERROR, "*nothing/ca-cert.pem*", path, DOMAIN_INTERFACE, "Create", "u",
                     0);
}
END_TEST

static void read_all(int fd, void *data, size_t size)
{
        ck_assert_int_eq(recv(fd, data, size, MSG_WAITALL), (ssize_t)size);
}

/* VNC asks for TLS from everybody. */
START_TEST(test_vnc)
{
        struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        g_autofree char *folder = certificates_make(harness), *path = NULL;
        CLEANUP_FD int fd = -1;
        char version[12];
        uint8_t count = 0, type = 0;

        certificates_set(harness, "vnc_tls_dir", folder);
        client = harness_get_client(harness);
        path = guest_start(client, guest_bare_xml("vnc", "<graphics type='vnc' autoport='yes'/>"));
        address.sin_port = htons((uint16_t)read_port(path, "port"));
        fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
        read_all(fd, version, sizeof(version));
        ck_assert_int_eq(send(fd, version, sizeof(version), MSG_NOSIGNAL), sizeof(version));
        read_all(fd, &count, 1);
        read_all(fd, &type, 1);
        ck_assert_uint_eq(count, 1);
        ck_assert_uint_eq(type, RFB_VENCRYPT);
        guest_do_flags(client, path, "Destroy", 0);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("displays");
        TCase *tcase = tcase_create("displays");

        tcase_add_checked_fixture(tcase, set_up, tear_down);
        tcase_add_test(tcase, test_spice);
        tcase_add_test(tcase, test_no_certificates);
        tcase_add_test(tcase, test_vnc);
        suite_add_tcase(suite, tcase);
        return harness_main(suite);
}
