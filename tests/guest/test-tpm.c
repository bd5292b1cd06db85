/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Guests with a TPM: its state on disk, the passphrase that opens it, its PCR banks, one that somebody else
 * runs. swtpm itself.
 */

#include <glib/gstdio.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/guest.h"
#include "tests/support/harness.h"

#define SECRET           "2b4c4b5e-5a86-4d0b-9b3b-0d0c5b7a1f11"
#define SECRET_INTERFACE "org.libvirt.Secret"
#define SECRET_XML       "<secret><uuid>" SECRET "</uuid><usage type='vtpm'><name>tpm</name></usage></secret>"

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

static bool has_programs(void)
{
        g_autofree char *emulator = g_find_program_in_path("swtpm"),
                        *setup = g_find_program_in_path("swtpm_setup");

        if (emulator && setup)
                return true;
        harness_skip("swtpm or swtpm_setup is not installed");
        return false;
}

/* `backend` is what is inside of <backend>, attributes included. */
static char *tpm_xml(const char *name, const char *backend)
{
        g_autofree char *devices =
                g_strdup_printf("<tpm model='tpm-crb'><backend %s</backend></tpm>", backend);

        return guest_bare_xml(name, devices);
}

static char *get_state(const char *path)
{
        g_autofree char *uuid = client_get_string(client, path, DOMAIN_INTERFACE, "UUID");
        g_autofree char *name = g_strdup_printf("state/qemu/tpm/%s/tpm2-00.permall", uuid);

        return harness_path(harness, name);
}

/* The header that swtpm writes: version, oldest one, size (2 bytes), flags (2 bytes, 1: encrypted). */
static bool is_encrypted(const char *state)
{
        g_autofree char *content = NULL;
        gsize length = 0;

        ck_assert(g_file_get_contents(state, &content, &length, NULL));
        ck_assert_uint_gt(length, 5);
        return content[5] & 1;
}

START_TEST(test_encrypted_state)
{
        g_autofree char *path = NULL, *secret = NULL, *state = NULL, *line = NULL, *file = NULL, *log = NULL;
        gsize length = 0;

        if (!has_programs())
                return;
        path = guest_define(client, tpm_xml("safe", "type='emulator' version='2.0'><encryption "
                                                    "secret='" SECRET "'/>"));
        client_fails(client, LIBVIRT_ERROR, "Secret not found*", path, DOMAIN_INTERFACE, "Create", "u", 0);
        secret = client_call_string(client, QEMU_PATH, CONNECT_INTERFACE, "SecretDefineXML", "su", SECRET_XML,
                                    0);
        client_do(client, secret, SECRET_INTERFACE, "SetValue", "ayu", 6, 's', 'e', 's', 'a', 'm', 'e', 0);
        guest_do_flags(client, path, "Create", 0);
        state = get_state(path);
        ck_assert(is_encrypted(state));
        file = g_strdup_printf("/proc/%d/cmdline", (int)harness_find_guest(harness, "safe"));
        ck_assert(g_file_get_contents(file, &line, &length, NULL));
        ck_assert_ptr_null(memmem(line, length, "sesame", 6));
        guest_expect_same_groups(harness_find_guest(harness, "guest=safe"),
                                 harness_find_guest(harness, "type=unixio,fd="));
        guest_do_flags(client, path, "Destroy", 0);

        /* Another passphrase does not open it; the first one still does. */
        client_do(client, secret, SECRET_INTERFACE, "SetValue", "ayu", 3, 'b', 'a', 'd', 0);
        client_fails(client, LIBVIRT_ERROR, "*swtpm-*", path, DOMAIN_INTERFACE, "Create", "u", 0);
        client_do(client, secret, SECRET_INTERFACE, "SetValue", "ayu", 6, 's', 'e', 's', 'a', 'm', 'e', 0);
        guest_do_flags(client, path, "Create", 0);
        guest_do_flags(client, path, "Destroy", 0);
        log = harness_read_log(harness);
        ck_assert_ptr_null(strstr(log, "sesame"));
}
END_TEST

START_TEST(test_pcr_banks)
{
        g_autofree char *plain = NULL, *banks = NULL, *secret = NULL, *path = NULL, *again = NULL,
                        *state = NULL;
        g_autofree char *before = NULL, *after = NULL;
        gsize n_before = 0, n_after = 0;

        if (!has_programs())
                return;
        /* Of a state that is not there yet, and of one that has been used. */
        path = guest_start(client, tpm_xml("banks", "type='emulator' version='2.0'>"
                                                    "<active_pcr_banks><sha256/></active_pcr_banks>"));
        guest_do_flags(client, path, "Destroy", 0);
        state = get_state(path);
        ck_assert(g_file_get_contents(state, &before, &n_before, NULL));
        banks = client_call_string(client, path, DOMAIN_INTERFACE, "GetXMLDesc", "u", 2);
        plain = g_strdup(strstr(banks, "<sha256/>"));
        ck_assert_ptr_nonnull(plain);
        memcpy(strstr(banks, "<sha256/>"), "<sha384/>", strlen("<sha384/>"));
        again = client_call_string(client, QEMU_PATH, CONNECT_INTERFACE, "DomainDefineXML", "s", banks);
        ck_assert_str_eq(again, path);
        guest_do_flags(client, path, "Create", 0);
        guest_do_flags(client, path, "Destroy", 0);
        ck_assert(g_file_get_contents(state, &after, &n_after, NULL));
        ck_assert(n_before != n_after || memcmp(before, after, n_before) != 0);
        /* With a passphrase, which swtpm_setup needs as well. */
        secret = client_call_string(client, QEMU_PATH, CONNECT_INTERFACE, "SecretDefineXML", "su", SECRET_XML,
                                    0);
        client_do(client, secret, SECRET_INTERFACE, "SetValue", "ayu", 2, 'o', 'k', 0);
        g_free(path);
        path = guest_start(client, tpm_xml("both", "type='emulator' version='2.0'>"
                                                   "<encryption secret='" SECRET "'/>"
                                                   "<active_pcr_banks><sha1/><sha512/></active_pcr_banks>"));
        g_free(state);
        state = get_state(path);
        ck_assert(is_encrypted(state));
}
END_TEST

START_TEST(test_passthrough_without_a_tpm)
{
        g_autofree char *path =
                guest_define(client, tpm_xml("none", "type='passthrough'><device path='/dev/tpm77'/>"));

        client_fails(client, LIBVIRT_ERROR, "*cannot open /dev/tpm77 for the TPM of domain 'none'*", path,
                     DOMAIN_INTERFACE, "Create", "u", 0);
        ck_assert_uint_eq(harness_count_guests(harness), 0);
}
END_TEST

/* What it does is written into its log, as much as is asked for. */
START_TEST(test_debug)
{
        g_autofree char *path = NULL, *uuid = NULL, *name = NULL, *file = NULL, *quiet = NULL, *loud = NULL;

        if (!has_programs())
                return;
        path = guest_define(client, tpm_xml("said", "type='emulator' version='2.0'>"));
        uuid = client_get_string(client, path, DOMAIN_INTERFACE, "UUID");
        name = g_strdup_printf("log/qemu/swtpm-%s.log", uuid);
        file = harness_path(harness, name);
        guest_do_flags(client, path, "Create", 0);
        guest_do_flags(client, path, "Destroy", 0);
        ck_assert_msg(g_file_get_contents(file, &quiet, NULL, NULL), "%s", file);
        ck_assert_ptr_null(strstr(quiet, "Ctrl"));
        guest_do_flags(client, path, "Undefine", 32);
        g_free(path);
        path = guest_start(client, tpm_xml("said2", "type='emulator' version='2.0' debug='20'>"));
        g_free(uuid);
        g_free(name);
        g_free(file);
        uuid = client_get_string(client, path, DOMAIN_INTERFACE, "UUID");
        name = g_strdup_printf("log/qemu/swtpm-%s.log", uuid);
        file = harness_path(harness, name);
        ck_assert(g_file_get_contents(file, &loud, NULL, NULL));
        ck_assert_msg(strstr(loud, "Ctrl"), "%s", loud);
        guest_do_flags(client, path, "Destroy", 0);
}
END_TEST

static bool is_socket(void *path)
{
        struct stat status;

        return stat(path, &status) == 0 && S_ISSOCK(status.st_mode);
}

/* Somebody else's swtpm: the agent neither starts nor ends it. */
START_TEST(test_external)
{
        g_autofree char *socket = harness_path(harness, "tpm.sock"), *dir = harness_path(harness, "tpm");
        g_autofree char *control = g_strdup_printf("type=unixio,path=%s,mode=0666", socket);
        g_autofree char *state = g_strdup_printf("dir=%s", dir);
        g_autofree char *backend =
                g_strdup_printf("type='external'><source type='unix' mode='connect' path='%s'/>", socket);
        const char *argv[] = { "swtpm",      "socket", "--tpm2",  "--ctrl",        control,
                               "--tpmstate", state,    "--flags", "startup-clear", NULL };
        g_autofree char *path = NULL;
        GPid pid = 0;

        if (!has_programs())
                return;
        ck_assert_int_eq(g_mkdir(dir, 0700), 0);
        ck_assert(g_spawn_async(NULL, (char **)argv, NULL,
                                G_SPAWN_SEARCH_PATH | G_SPAWN_STDERR_TO_DEV_NULL | G_SPAWN_DO_NOT_REAP_CHILD,
                                NULL, NULL, &pid, NULL));
        harness_wait_until(is_socket, socket, "the socket of swtpm");
        path = guest_start(client, tpm_xml("other", backend));
        guest_expect_state(client, path, STATE_RUNNING, -1);
        guest_do_flags(client, path, "Destroy", 0);
        kill(pid, SIGKILL);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("tpm");
        TCase *tcase = tcase_create("tpm");

        tcase_add_checked_fixture(tcase, set_up, tear_down);
        tcase_add_test(tcase, test_encrypted_state);
        tcase_add_test(tcase, test_pcr_banks);
        tcase_add_test(tcase, test_passthrough_without_a_tpm);
        tcase_add_test(tcase, test_debug);
        tcase_add_test(tcase, test_external);
        suite_add_tcase(suite, tcase);
        return harness_main(suite);
}
