/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/support/certificates.h"

#include <check.h>
#include <glib.h>
#include <signal.h>
#include <sys/wait.h>

char *certificates_make_for(struct harness *harness, const char *host)
{
        static const char script[] =
                "set -e; cd %s; umask 022; exec 2>/dev/null\n"
                "openssl genpkey -genparam -algorithm DH -pkeyopt group:ffdhe2048 -out dh-params.pem\n"
                "[ -e ca-cert.pem ] || openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj "
                "/CN=authority "
                "-keyout ca-key.pem -out ca-cert.pem -addext basicConstraints=critical,CA:TRUE "
                "-addext keyUsage=critical,keyCertSign\n"
                "for who in server client; do\n"
                "openssl req -newkey rsa:2048 -nodes -subj /CN=%s -keyout $who-key.pem -out $who.csr\n"
                "printf 'subjectAltName=DNS:%s\\nextendedKeyUsage=%%sAuth\\n"
                "keyUsage=critical,digitalSignature,keyEncipherment\\n' $who >$who.ext\n"
                "openssl x509 -req -in $who.csr -CA ca-cert.pem -CAkey ca-key.pem -CAcreateserial -days 30 "
                "-extfile $who.ext -out $who-cert.pem\n"
                "done\n"
                "chmod 644 *.pem\n";
        char *folder = harness_path(harness, "pki");
        g_autofree char *text = g_strdup_printf(script, folder, host, host);
        char *argv[] = { (char *)"/bin/sh", (char *)"-c", text, NULL };
        g_autoptr(GError) error = NULL;
        int status = 0;

        ck_assert_int_eq(g_mkdir_with_parents(folder, 0755), 0);
        ck_assert_msg(g_spawn_sync(NULL, argv, NULL, 0, NULL, NULL, NULL, NULL, &status, &error), "%s",
                      error ? error->message : "");
        ck_assert_msg(status == 0, "openssl makes no certificates");
        return folder;
}

char *certificates_make(struct harness *harness)
{
        return certificates_make_for(harness, "localhost");
}

void certificates_set(struct harness *harness, const char *key, const char *folder)
{
        g_autofree char *file = harness_path(harness, "tls.conf"),
                        *option = g_strconcat("--config=", file, NULL);
        g_autofree char *text = g_strdup_printf("[qemu]\n%s=%s\n", key, folder);

        ck_assert(g_file_set_contents(file, text, -1, NULL));
        ck_assert_int_eq(WEXITSTATUS(harness_end_agent(harness, SIGTERM)), 0);
        harness_add_option(harness, option);
        harness_start_agent(harness);
}
