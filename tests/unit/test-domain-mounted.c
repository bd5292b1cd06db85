/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * drivers/domain/mounted: which paths are on file systems of servers.
 */
#include "drivers/domain/mounted.h"

#include "tests/unit/check-main.h"

#include <glib/gstdio.h>
#include <unistd.h>

static const char table[] = "/dev/vda / ext4 rw 0 0\n"
                            "proc /proc proc rw 0 0\n"
                            "filer:/images /srv/images nfs4 rw,vers=4.2 0 0\n"
                            "//filer/share /srv/with\\040blank cifs rw 0 0\n"
                            "user@host:/ /srv/images/local/ssh fuse.sshfs rw 0 0\n"
                            "tmpfs /srv/images/local tmpfs rw 0 0\n"
                            "gone:/ /srv/covered nfs rw 0 0\n"
                            "tmpfs /srv/covered tmpfs rw 0 0\n"
                            "/dev/vdb /srv/imagesofmine fuseblk rw 0 0\n"
                            "filer:/images/web /mnt/again nfs4 rw 0 0\n"
                            "[2001:db8::1]:/ /mnt/six nfs4 rw 0 0\n"
                            "user@host: /mnt/home fuse.sshfs rw 0 0\n"
                            "it /mnt/fuse fuse rw 0 0\n"
                            "a:1,b:1:/x /mnt/\\134\\011odd\\012 ceph rw 0 0\n";

static struct mounted *load(void)
{
        g_autofree char *path = NULL;
        struct mounted *mounted;
        int fd = g_file_open_tmp("mounts-XXXXXX", &path, NULL);

        ck_assert_int_ge(fd, 0);
        ck_assert(g_file_set_contents(path, table, -1, NULL));
        mounted = mounted_new(path);
        ck_assert_ptr_nonnull(mounted);
        g_unlink(path);
        close(fd);
        return mounted;
}

START_TEST(test_servers)
{
        static const struct {
                const char *path, *server;
        } rows[] = {
                { "/var/lib/images/a", NULL },
                { "/srv/images", "filer" },
                { "/srv/images/a.qcow2", "filer" },
                { "/srv/imagesofmine/a", NULL },
                { "/srv/with blank/a", "//filer" },
                { "/srv/images/local/a", NULL },
                { "/srv/images/local/ssh/a", "user@host" },
                { "/srv/covered/a", NULL },
                { "/srv", NULL },
                { "/mnt/again/a", "filer" },
                { "/mnt/six/a", "[2001:db8::1]" },
                { "/mnt/home/a", "user@host" },
                { "/mnt/fuse/a", "it" },
                { "/mnt/\\\todd\n/a", "a:1,b:1" },
        };
        CLEANUP(mounted_free) struct mounted *mounted = load();

        for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++)
                ck_assert_msg(g_strcmp0(mounted_find_server(mounted, rows[i].path), rows[i].server) == 0,
                              "%s", rows[i].path);
}
END_TEST

START_TEST(test_this_host)
{
        CLEANUP(mounted_free) struct mounted *mounted = mounted_new("/proc/self/mounts");

        ck_assert_ptr_nonnull(mounted);
        ck_assert_ptr_null(mounted_find_server(mounted, "/proc/self/status"));
        ck_assert_ptr_null(mounted_new("/nowhere/at/all"));
}
END_TEST

CHECK_MAIN("domain-mounted", test_servers, test_this_host)
