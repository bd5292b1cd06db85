/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a guest leaves behind: the variables of its firmware, the state of its TPM, what its kernel said as it
 * died. What was to be kept stays, also when the next guest of that uuid has no definition.
 */
#include <glib.h>
#include <string.h>
#include <unistd.h>

#include "tests/support/guest.h"
#include "tests/support/harness.h"

#define UUID "0b8cf5e3-6f7f-4f0e-9d6e-5b1d4bb1f0aa"

enum { KEEP_NVRAM = 8, KEEP_TPM = 64 };

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

static bool has_program(const char *name)
{
        g_autofree char *path = g_find_program_in_path(name);

        return path != NULL;
}

/* A guest with all of that; the agent finds the places. There is no code in its firmware. */
static char *make_xml(void)
{
        g_autofree char *code = harness_path(harness, "CODE.fd"), *vars = harness_path(harness, "VARS.fd");
        g_autofree char *bare =
                guest_bare_xml("web", "<pstore backend='acpi-erst'><size unit='KiB'>64</size>"
                                      "</pstore><tpm model='tpm-crb'><backend type='emulator' "
                                      "version='2.0'/></tpm>");
        g_autofree char *loader = NULL;
        GString *xml = g_string_new(bare);

        ck_assert(g_file_set_contents(code, "", 0, NULL) && truncate(code, 1 << 20) == 0);
        ck_assert(g_file_set_contents(vars, "", 0, NULL) && truncate(vars, 1 << 18) == 0);
        loader = g_strdup_printf(
                "<loader readonly='yes' type='pflash'>%s</loader><nvram template='%s'/></os>", code, vars);
        g_string_replace(xml, "</os>", loader, 1);
        g_string_replace(xml, "</name>", "</name><uuid>" UUID "</uuid>", 1);
        return g_string_free(xml, FALSE);
}

static const char *const places[] = {
        "state/qemu/nvram/" UUID "_VARS.fd",
        "state/qemu/nvram/" UUID "_PSTORE.raw",
        "state/qemu/tpm/" UUID "/tpm2-00.permall",
};
enum { NVRAM, PSTORE, TPM };

static bool is_there(unsigned what)
{
        g_autofree char *path = harness_path(harness, places[what]);

        return access(path, F_OK) == 0;
}

static void run_transient(const char *xml)
{
        g_autofree char *path =
                client_call_string(client, QEMU_PATH, CONNECT_INTERFACE, "DomainCreateXML", "su", xml, 0);

        for (unsigned i = 0; i < G_N_ELEMENTS(places); i++)
                ck_assert_msg(is_there(i), "'%s' is not there", places[i]);
        guest_do_flags(client, path, "Destroy", 0);
}

START_TEST(test_kept)
{
        g_autofree char *xml = make_xml(), *path = NULL;

        if (!has_program("swtpm") || !has_program("swtpm_setup")) {
                harness_skip("swtpm or swtpm_setup is not installed");
                return;
        }
        path = guest_start(client, g_strdup(xml));
        guest_do_flags(client, path, "Destroy", 0);
        guest_do_flags(client, path, "Undefine", KEEP_NVRAM | KEEP_TPM);
        for (unsigned i = 0; i < 2; i++) {
                run_transient(xml);
                for (unsigned what = 0; what < G_N_ELEMENTS(places); what++)
                        ck_assert_msg(is_there(what), "'%s' is lost", places[what]);
        }
}
END_TEST

/* Nobody has asked for it: its variables stay nevertheless, as with libvirt 9.0. */
START_TEST(test_of_a_transient_guest)
{
        g_autofree char *xml = make_xml(), *store = harness_path(harness, places[NVRAM]), *content = NULL;

        if (!has_program("swtpm") || !has_program("swtpm_setup")) {
                harness_skip("swtpm or swtpm_setup is not installed");
                return;
        }
        run_transient(xml);
        ck_assert(is_there(NVRAM));
        ck_assert(!is_there(PSTORE));
        ck_assert(!is_there(TPM));
        /* ... and are the next one's. */
        ck_assert(g_file_set_contents(store, "mine", -1, NULL) && truncate(store, 1 << 18) == 0);
        run_transient(xml);
        ck_assert(g_file_get_contents(store, &content, NULL, NULL));
        ck_assert_str_eq(content, "mine");
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("state-kept");
        TCase *tcase = tcase_create("state-kept");

        tcase_add_checked_fixture(tcase, set_up, tear_down);
        tcase_add_test(tcase, test_kept);
        tcase_add_test(tcase, test_of_a_transient_guest);
        suite_add_tcase(suite, tcase);
        return harness_main(suite);
}
