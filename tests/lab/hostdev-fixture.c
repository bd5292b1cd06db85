/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/lab/hostdev-fixture.h"

#include <pwd.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>

struct harness *harness;
struct client *client;

void set_up(void)
{
        harness = harness_new();
        client = harness_get_client(harness);
}

void tear_down(void)
{
        harness_free(harness);
}

char *bare_xml(const char *name, const char *devices)
{
        return g_strdup_printf("<domain type='qemu'><name>%s</name><memory unit='MiB'>64</memory>"
                               "<os><type machine='q35'>hvm</type></os><features><acpi/></features><devices>"
                               "<controller type='pci' index='0' model='pcie-root'/>"
                               "<controller type='pci' index='1' model='pcie-root-port'/>"
                               "<controller type='pci' index='2' model='pcie-root-port'/>"
                               "<controller type='pci' index='3' model='pcie-root-port'/>"
                               "<controller type='usb' model='qemu-xhci'/><memballoon model='none'/>%s"
                               "</devices></domain>",
                               name, devices);
}

char *define(const char *name, const char *devices)
{
        return guest_define(client, bare_xml(name, devices));
}

void create(const char *path)
{
        guest_do_flags(client, path, "Create", 0);
}

void destroy(const char *path)
{
        guest_do_flags(client, path, "Destroy", 0);
}

void refuse_create(const char *path, const char *why)
{
        client_fails(client, LIBVIRT_ERROR, why, path, DOMAIN_INTERFACE, "Create", "u", 0);
}

void attach(const char *path, const char *xml, unsigned flags)
{
        client_do(client, path, DOMAIN_INTERFACE, "AttachDevice", "su", xml, flags);
}

void detach(const char *path, const char *xml, unsigned flags)
{
        client_do(client, path, DOMAIN_INTERFACE, "DetachDevice", "su", xml, flags);
}

bool has(const char *path, unsigned flags, const char *text)
{
        g_autofree char *xml = client_call_string(client, path, DOMAIN_INTERFACE, "GetXMLDesc", "u", flags);

        return strstr(xml, text) != NULL;
}

bool holds(const char *name, const char *file)
{
        return harness_has_open(harness_find_guest(harness, name), file);
}

void expect_owner(const char *file, const char *user)
{
        const struct passwd *passwd = getpwnam(user);
        struct stat st;

        ck_assert_msg(passwd != NULL, "there is no user %s", user);
        ck_assert_msg(stat(file, &st) == 0, "%s is not there", file);
        ck_assert_msg(st.st_uid == passwd->pw_uid, "%s is user %u's, not %s's", file, (unsigned)st.st_uid,
                      user);
}

void expect_guest_user(const char *name)
{
        g_autofree char *process = g_strdup_printf("/proc/%d", harness_find_guest(harness, name));

        expect_owner(process, GUESTS);
}

void end_agent(void)
{
        harness_end_agent(harness, SIGKILL);
        client_wait_name(client, false);
}
