/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Profiles of AppArmor as text, and into and out of the kernel. No state.
 */
#include "drivers/security/apparmor.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "base/lane.h"
#include "base/log.h"
#include "base/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define KERNEL_DIR "/sys/kernel/security/apparmor"
#define PARSER     "apparmor_parser"
#define LOAD_MS    30000
#define NAMES_MAX  (4 * 1024 * 1024)

/*
 * What any emulator needs: libraries, what packages install for it (firmware, keyboards, ROMs), what the
 * kernel tells everybody, terminals, and the descriptors that it is given of taps and the like. There is no
 * capability in it (the only one that an emulator may have is added) and no program to run. Whose signal ends
 * it, it would like to know by name, and is refused without a record.
 */
static const char common_rules[] =
        "  network,\n"
        "  unix,\n"
        "  signal (receive),\n"
        "  signal (send) peer=@{profile_name},\n"
        "  ptrace (readby),\n"
        "  /{,usr/}lib{,32,64}/** mr,\n"
        "  /usr/libexec/** mr,\n"
        "  /usr/local/lib{,32,64}/** mr,\n"
        "  /usr/share/** r,\n"
        "  /usr/local/share/** r,\n"
        "  /etc/{ld.so.cache,ld.so.preload,localtime,nsswitch.conf,resolv.conf,host.conf,hosts,gai.conf} r,\n"
        "  /etc/{passwd,group,services} r,\n"
        "  /etc/{qemu,gnutls,pki,ssl,crypto-policies,sasl2,ceph,glvnd}/{,**} r,\n"
        "  /usr/share/ca-certificates/** r,\n"
        "  /run/systemd/resolve/*resolv.conf r,\n"
        "  owner /proc/[0-9]*/{auxv,maps,stat,status,fd/,task/,task/[0-9]*/stat} r,\n"
        "  owner /proc/[0-9]*/{,task/[0-9]*/}comm rw,\n"
        "  deny /proc/[0-9]*/cmdline r,\n"
        "  /proc/{cpuinfo,filesystems,meminfo,stat,version} r,\n"
        "  /proc/sys/kernel/{cap_last_cap,ngroups_max,osrelease,random/boot_id} r,\n"
        "  /proc/sys/{vm/overcommit_memory,crypto/fips_enabled,net/core/somaxconn} r,\n"
        "  /sys/devices/system/{cpu,node}/{,**} r,\n"
        "  /sys/devices/**/{queue/{,**},size,partition,hidden} r,\n"
        "  /sys/{bus,class,dev}/{,*/,*/*/} r,\n"
        "  /sys/kernel/mm/{hugepages,transparent_hugepage}/{,**} r,\n"
        "  /sys/module/{kvm,kvm_intel,kvm_amd,vhost,vhost_net}/parameters/* r,\n"
        "  /dev/{null,zero,full,ptmx} rw,\n"
        "  /dev/{random,urandom} r,\n"
        "  /dev/pts/{,[0-9]*} rw,\n"
        "  /dev/tap[0-9]* rw,\n";

static const char host_device_rules[] = "  /sys/** r,\n"
                                        "  /run/udev/data/* r,\n"
                                        "  /dev/bus/usb/{,[0-9]*/} r,\n"
                                        "  /dev/vfio/{,vfio} rw,\n";

static const char sound_rules[] = "  /dev/snd/{,*} rw,\n"
                                  "  /dev/{dsp,mixer,audio}* rw,\n"
                                  "  /etc/{asound.conf,alsa/{,**},pulse/{,**}} r,\n"
                                  "  /{dev,run}/shm/ r,\n";

/* ---- what there is ---- */

static bool has_file(const char *root, const char *path)
{
        g_autofree char *full = g_strconcat(root, path, NULL);

        return access(full, F_OK) == 0;
}

bool apparmor_is_active(const char *root)
{
        g_autofree char *path = g_strconcat(root, "/sys/module/apparmor/parameters/enabled", NULL);
        g_autofree char *enabled = NULL, *parser = NULL;

        if (!g_file_get_contents(path, &enabled, NULL, NULL) || *enabled != 'Y' ||
            !has_file(root, KERNEL_DIR "/.remove") || geteuid() != 0)
                return false;
        parser = g_find_program_in_path(PARSER);
        if (!parser)
                log_warning("guests are not confined by AppArmor, which this host has: the program '" PARSER
                            "' is missing");
        return parser != NULL;
}

/* ---- text ---- */

/* In quotes; what has a meaning in patterns is escaped. False: it cannot be written. */
static bool add_quoted(GString *text, const char *path)
{
        g_string_append_c(text, '"');
        for (const char *p = path; *p; p++) {
                if ((unsigned char)*p < ' ' || *p == 0x7f)
                        return false;
                if (strchr("\\\"*?[]{}^@", *p))
                        g_string_append_c(text, '\\');
                g_string_append_c(text, *p);
        }
        g_string_append_c(text, '"');
        return true;
}

static bool add_rule(GString *text, const char *path, const char *below, const char *access)
{
        g_string_append(text, "  ");
        if (!add_quoted(text, path))
                return false;
        /* Behind the path, before the closing quote. */
        g_string_insert(text, (gssize)text->len - 1, below);
        g_string_append_printf(text, " %s,\n", access);
        return true;
}

static bool refuse_path(const char *path, GError **error)
{
        g_autofree char *quoted = error_quote(path);

        return error_set(error, ERROR_FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                         "the path '%s' has characters that no profile of AppArmor can have", quoted);
}

static bool add_rules(GString *text, const struct apparmor_profile *profile, GError **error)
{
        for (unsigned i = 0; i < profile->n_rules; i++) {
                const struct apparmor_rule *rule = &profile->rules[i];

                /* Whoever reads an image locks it, too. */
                if (!add_rule(text, rule->path, "", rule->write ? "rwk" : "rk") ||
                    (rule->tree && !add_rule(text, rule->path, "/{,**}", rule->write ? "rwkl" : "rk")))
                        return refuse_path(rule->path, error);
        }
        return true;
}

char *apparmor_format(const struct apparmor_profile *profile, GError **error)
{
        g_autoptr(GString) text = g_string_new("include if exists <tunables/global>\n\nprofile ");
        g_autofree char *emulator = realpath(profile->emulator, NULL);

        if (!add_quoted(text, profile->name)) {
                refuse_path(profile->name, error);
                return NULL;
        }
        g_string_append_printf(text, " flags=(attach_disconnected,mediate_deleted) {\n%s%s%s%s", common_rules,
                               profile->raw_io ? "  capability sys_rawio,\n" : "",
                               profile->host_devices ? host_device_rules : "",
                               profile->sound ? sound_rules : "");
        if (!add_rule(text, emulator ? emulator : profile->emulator, "", "mr")) {
                refuse_path(profile->emulator, error);
                return NULL;
        }
        if (!add_rules(text, profile, error))
                return NULL;
        g_string_append(text, "\n  include if exists <local/abstractions/libvirt-qemu>\n}\n");
        return g_string_free(g_steal_pointer(&text), FALSE);
}

/* ---- the kernel ---- */

bool apparmor_load(struct lane *lane, const char *text, GError **error)
{
        const char *const argv[] = { PARSER, "--replace", "--skip-cache", "--quiet", NULL };
        struct spawn_result result = { 0 };
        bool ok = spawn_run(lane, argv, text, LOAD_MS, &result, error) &&
                  spawn_result_check(PARSER, &result, error);

        spawn_result_clear(&result);
        return ok;
}

void apparmor_remove(const char *name)
{
        CLEANUP_FD int fd = open(KERNEL_DIR "/.remove", O_WRONLY | O_CLOEXEC);
        size_t length = strlen(name);

        if (fd >= 0 && write(fd, name, length) == (ssize_t)length)
                return;
        if (errno != ENOENT)
                log_warning("cannot remove the profile '%s' of AppArmor: %s", name, g_strerror(errno));
}

/* "libvirt-... (enforce)", a profile a line. */
bool apparmor_is_loaded(const char *name)
{
        CLEANUP_FD int fd = open(KERNEL_DIR "/profiles", O_RDONLY | O_CLOEXEC);
        g_autofree char *start = g_strconcat(name, " (", NULL);
        g_autoptr(GString) text = g_string_new("\n");
        g_autofree char *line = g_strconcat("\n", start, NULL);
        char buffer[4096];
        ssize_t length;

        while (fd >= 0 && text->len < NAMES_MAX && (length = read(fd, buffer, sizeof(buffer))) > 0)
                g_string_append_len(text, buffer, length);
        return strstr(text->str, line) != NULL;
}

bool apparmor_is_enforcing(int pid)
{
        g_autofree char *path = g_strdup_printf("/proc/%d/attr/apparmor/current", pid), *label = NULL;

        return g_file_get_contents(path, &label, NULL, NULL) && strstr(label, " (enforce)") != NULL;
}
