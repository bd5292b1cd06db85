/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The host's identity, established once. How it is doing is in host-stats.c. Any thread. */

#include "base/error.h"
#include "base/flags.h"
#include "drivers/host/host-private.h"
#include "drivers/host/host-sysinfo-xml.h"
#include "drivers/host/sysfile.h"

#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

/* The value of the first "key : value" line of /proc/cpuinfo; free it. */
static char *find_field(const char *cpuinfo, const char *key)
{
        size_t length = strlen(key);

        for (const char *line = cpuinfo; line; line = strchr(line, '\n')) {
                const char *at;

                line += *line == '\n';
                at = line + length;
                if (strncmp(line, key, length) != 0 || !strspn(at, " \t:"))
                        continue;
                at += strspn(at, " \t");
                if (*at == ':')
                        return g_strstrip(g_strndup(at + 1, strcspn(at + 1, "\n")));
        }
        return NULL;
}

static uint64_t find_field_number(const char *cpuinfo, const char *key)
{
        g_autofree char *value = find_field(cpuinfo, key);

        return value ? g_ascii_strtoull(value, NULL, 0) : 0;
}

static void read_cpu(struct host *host, const struct cpu_features *features)
{
        g_autofree char *cpuinfo = sysfile_read(host->root, "/proc/cpuinfo");
        g_autofree char *vendor = cpuinfo ? find_field(cpuinfo, "vendor_id") : NULL;
        struct host_cpu *cpu = &host->cpu;

        host->mhz = cpuinfo ? (unsigned)find_field_number(cpuinfo, "cpu MHz") : 0;
        if (!vendor || !cpu_features_count(features))
                return;
        host->has_cpu = true;
        g_strlcpy(cpu->identity.vendor, vendor, sizeof(cpu->identity.vendor));
        cpu->identity.family = (unsigned)find_field_number(cpuinfo, "cpu family");
        cpu->identity.model = (unsigned)find_field_number(cpuinfo, "model");
        cpu->identity.stepping = (unsigned)find_field_number(cpuinfo, "stepping");
        cpu->microcode = find_field_number(cpuinfo, "microcode");
        cpu->physical_bits = (unsigned)find_field_number(cpuinfo, "address sizes");
        cpu->features = *features;
        cpu->model = cpu_model_choose(&cpu->identity, features, false, NULL, NULL);
}

static bool read_uuid(const struct host *host, const char *path, struct uuid *uuid)
{
        static const uint8_t zeros[16], ones[16] = { [0 ... 15] = 0xff };
        g_autofree char *text = sysfile_read(host->root, "%s", path);

        if (!text || !uuid_parse(uuid, text, NULL))
                return false;
        /* Boards whose maker left it blank. */
        return memcmp(uuid->bytes, zeros, sizeof(zeros)) != 0 && memcmp(uuid->bytes, ones, sizeof(ones)) != 0;
}

static void find_uuid(struct host *host)
{
        host->has_uuid = true;
        if (read_uuid(host, "/sys/class/dmi/id/product_uuid", &host->uuid))
                return;
        if (!read_uuid(host, "/etc/machine-id", &host->uuid))
                uuid_generate(&host->uuid);
}

static const char *find_security_model(const struct host *host)
{
        g_autofree char *apparmor = sysfile_read(host->root, "/sys/module/apparmor/parameters/enabled");

        if (sysfile_exists(host->root, "/sys/fs/selinux/enforce"))
                return "selinux";
        return g_strcmp0(apparmor, "Y") == 0 ? "apparmor" : "none";
}

struct host *host_new_at(const char *root, const struct cpu_features *features)
{
        struct host *host = g_new0(struct host, 1);
        CLEANUP(topology_free) struct topology *topology = topology_scan(root);
        struct utsname name;

        uname(&name);
        host->refs = 1;
        host->root = g_strdup(root);
        g_strlcpy(host->arch, name.machine, sizeof(host->arch));
        host->online = sysfile_read(root, "/sys/devices/system/cpu/online");
        host->security_model = find_security_model(host);
        host->sysinfo = host_sysinfo_format(root);
        topology_count(topology, &host->counts);
        find_uuid(host);
        read_cpu(host, features);
        return host;
}

struct host *host_new_real(void)
{
        struct cpu_features features;

        cpu_features_read(&features);
        return host_new_at("", &features);
}

const struct host *host_ref(const struct host *host)
{
        g_atomic_int_inc((gint *)&host->refs);
        return host;
}

void host_unref(const struct host *host)
{
        struct host *mine = (struct host *)host;

        if (!host || !g_atomic_int_dec_and_test(&mine->refs))
                return;
        g_free(mine->root);
        g_free(mine->online);
        g_free(mine->sysinfo);
        g_free(mine);
}

bool host_is_test(const struct host *host)
{
        return host->fixed != NULL;
}

const char *host_get_root(const struct host *host)
{
        return host->root;
}

const char *host_get_arch(const struct host *host)
{
        return host->arch;
}

const struct uuid *host_get_uuid(const struct host *host)
{
        return host->has_uuid ? &host->uuid : NULL;
}

const struct host_cpu *host_get_cpu(const struct host *host)
{
        return host->has_cpu ? &host->cpu : NULL;
}

const char *host_get_security_model(const struct host *host)
{
        return host->security_model;
}

const char *host_get_sysinfo(const struct host *host, unsigned flags, GError **error)
{
        if (!flags_check(flags, 0, ERROR_FROM_NONE, "ConnectGetSysinfo", error))
                return NULL;
        if (!host->sysinfo)
                error_set(error, ERROR_FROM_NONE, ERROR_CONFIG_UNSUPPORTED,
                          "Host SMBIOS information is not available: neither /sys/firmware/dmi/tables nor "
                          "/sys/class/dmi/id can be read");
        return host->sysinfo;
}
