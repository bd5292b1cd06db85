/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a guest agent tells of its guest: lists, and the parameters of GetGuestInfo. In its lane.
 */
#include "drivers/qemu/guest-agent.h"

#include "base/error.h"
#include "drivers/qemu/qmp-value.h"
#include "interfaces/link.h"

#include <math.h>
#include <string.h>
#include <sys/socket.h>

/* -1: there is no such number, or it makes no sense. */
static int64_t get_number(const json_t *object, const char *name)
{
        const json_t *value = json_object_get(object, name);

        return json_is_integer(value) && json_integer_value(value) >= 0 ? json_integer_value(value) : -1;
}

/* An array; NULL with an error. */
static json_t *ask_list(struct guest_agent *agent, const char *command, GError **error)
{
        json_t *result = NULL;

        if (!guest_agent_execute(agent, command, NULL, GUEST_AGENT_TIMEOUT_MS, &result, error))
                return NULL;
        if (json_is_array(result))
                return result;
        json_decref(result);
        guest_agent_set_malformed(agent, command, error);
        return NULL;
}

/* ---- file systems ---- */

static struct guest_disk read_disk(const json_t *entry)
{
        const json_t *pci = json_object_get(entry, "pci-controller");

        return (struct guest_disk){
                .domain = get_number(pci, "domain"),
                .bus = get_number(pci, "bus"),
                .slot = get_number(pci, "slot"),
                .function = get_number(pci, "function"),
                .drive_bus = get_number(entry, "bus"),
                .target = get_number(entry, "target"),
                .unit = get_number(entry, "unit"),
                .serial = g_strdup(qmp_get_string(entry, "serial")),
                .device = g_strdup(qmp_get_string(entry, "dev")),
        };
}

static bool read_filesystem(const json_t *entry, GPtrArray *filesystems)
{
        const char *name = qmp_get_string(entry, "name"), *mountpoint = qmp_get_string(entry, "mountpoint");
        const char *type = qmp_get_string(entry, "type");
        const json_t *disks = json_object_get(entry, "disk"), *disk;
        int64_t total = get_number(entry, "total-bytes"), used = get_number(entry, "used-bytes");
        struct guest_filesystem *filesystem;
        size_t i;

        if (!name || !mountpoint || !type || !json_is_array(disks))
                return false;
        filesystem = guest_filesystems_add(filesystems);
        filesystem->name = g_strdup(name);
        filesystem->mountpoint = g_strdup(mountpoint);
        filesystem->type = g_strdup(type);
        filesystem->has_size = total >= 0 && used >= 0;
        filesystem->total_bytes = filesystem->has_size ? (uint64_t)total : 0;
        filesystem->used_bytes = filesystem->has_size ? (uint64_t)used : 0;
        json_array_foreach((json_t *)disks, i, disk)
        {
                struct guest_disk found = read_disk(disk);

                g_array_append_val(filesystem->disks, found);
        }
        return true;
}

GPtrArray *guest_agent_get_filesystems(struct guest_agent *agent, GError **error)
{
        static const char command[] = "guest-get-fsinfo";
        CLEANUP(json_decref) json_t *list = ask_list(agent, command, error);
        g_autoptr(GPtrArray) filesystems = guest_filesystems_new();
        const json_t *entry;
        size_t i;

        if (!list)
                return NULL;
        json_array_foreach(list, i, entry)
        {
                if (!read_filesystem(entry, filesystems)) {
                        guest_agent_set_malformed(agent, command, error);
                        return NULL;
                }
        }
        return g_steal_pointer(&filesystems);
}

/* ---- interfaces ---- */

/*
 * A name of old tools' for one more address of the same interface ("eth0:1") counts as that interface.
 * by_name: their own names to interfaces, all borrowed.
 */
static struct domain_interface_addresses *find_interface(GPtrArray *interfaces, GHashTable *by_name,
                                                         const char *name, const char *mac)
{
        g_autofree char *plain = g_strndup(name, strcspn(name, ":"));
        struct domain_interface_addresses *interface = g_hash_table_lookup(by_name, plain);

        if (interface)
                return interface;
        interface = domain_interface_addresses_add(interfaces, plain, mac ? mac : "");
        g_hash_table_insert(by_name, interface->name, interface);
        return interface;
}

/* Addresses that are none are left out, and so are those that are not of the kind they are said to be. */
static void read_addresses(const json_t *list, struct domain_interface_addresses *interface)
{
        const json_t *entry;
        size_t i;

        json_array_foreach((json_t *)list, i, entry)
        {
                const char *text = qmp_get_string(entry, "ip-address"),
                           *type = qmp_get_string(entry, "ip-address-type");
                int64_t prefix = get_number(entry, "prefix");
                struct link_ip ip;

                if (!text || !type || !link_ip_parse(&ip, text) || prefix < 0 || prefix > ip.prefix ||
                    strcmp(type, ip.family == AF_INET6 ? "ipv6" : "ipv4") != 0)
                        continue;
                ip.prefix = (uint8_t)prefix;
                g_array_append_val(interface->ips, ip);
        }
}

GPtrArray *guest_agent_get_interfaces(struct guest_agent *agent, GError **error)
{
        static const char command[] = "guest-network-get-interfaces";
        CLEANUP(json_decref) json_t *list = ask_list(agent, command, error);
        g_autoptr(GPtrArray) interfaces = domain_interface_addresses_new();
        g_autoptr(GHashTable) by_name = g_hash_table_new(g_str_hash, g_str_equal);
        const json_t *entry;
        size_t i;

        if (!list)
                return NULL;
        json_array_foreach(list, i, entry)
        {
                const char *name = qmp_get_string(entry, "name");

                if (!name) {
                        guest_agent_set_malformed(agent, command, error);
                        return NULL;
                }
                read_addresses(
                        json_object_get(entry, "ip-addresses"),
                        find_interface(interfaces, by_name, name, qmp_get_string(entry, "hardware-address")));
        }
        return g_steal_pointer(&interfaces);
}

/* ---- parameters ---- */

static void add_string(struct params *params, const char *name, const char *value)
{
        if (value)
                params_add_string(params, name, value);
}

static bool add_users(struct guest_agent *agent, struct domain_agent_answer *answer, GError **error)
{
        struct params *params = answer->params;
        CLEANUP(json_decref) json_t *list = ask_list(agent, "guest-get-users", error);
        const json_t *entry;
        unsigned count = 0;
        size_t i;

        if (!list)
                return false;
        json_array_foreach(list, i, entry)
        {
                const char *name = qmp_get_string(entry, "user");
                double time_s = json_number_value(json_object_get(entry, "login-time"));

                if (!name)
                        continue;
                params_set_prefix(params, "user.%u.", count++);
                params_add_string(params, "name", name);
                add_string(params, "domain", qmp_get_string(entry, "domain"));
                if (isfinite(time_s) && time_s >= 0 && time_s < 1e15)
                        params_add_ulong(params, "login-time", (uint64_t)(time_s * 1000));
        }
        params_set_prefix(params, "%s", "");
        params_add_uint(params, "user.count", count);
        return true;
}

static bool add_os(struct guest_agent *agent, struct domain_agent_answer *answer, GError **error)
{
        struct params *params = answer->params;
        static const char *const names[] = { "id",         "name",           "pretty-name",    "version",
                                             "version-id", "kernel-release", "kernel-version", "machine",
                                             "variant",    "variant-id" };
        CLEANUP(json_decref) json_t *result = NULL;

        if (!guest_agent_execute(agent, "guest-get-osinfo", NULL, GUEST_AGENT_TIMEOUT_MS, &result, error))
                return false;
        params_set_prefix(params, "%s", "os.");
        for (unsigned i = 0; i < G_N_ELEMENTS(names); i++)
                add_string(params, names[i], qmp_get_string(result, names[i]));
        params_set_prefix(params, "%s", "");
        return true;
}

static bool add_timezone(struct guest_agent *agent, struct domain_agent_answer *answer, GError **error)
{
        struct params *params = answer->params;
        static const char command[] = "guest-get-timezone";
        CLEANUP(json_decref) json_t *result = NULL;
        json_int_t offset;

        if (!guest_agent_execute(agent, command, NULL, GUEST_AGENT_TIMEOUT_MS, &result, error))
                return false;
        offset = json_integer_value(json_object_get(result, "offset"));
        if (!json_is_integer(json_object_get(result, "offset")) || ABS(offset) > INT32_MAX)
                return guest_agent_set_malformed(agent, command, error);
        add_string(params, "timezone.name", qmp_get_string(result, "zone"));
        params_add_int(params, "timezone.offset", (int32_t)offset);
        return true;
}

static bool add_hostname(struct guest_agent *agent, struct domain_agent_answer *answer, GError **error)
{
        struct params *params = answer->params;
        CLEANUP(json_decref) json_t *result = NULL;

        if (!guest_agent_execute(agent, "guest-get-host-name", NULL, GUEST_AGENT_TIMEOUT_MS, &result, error))
                return false;
        add_string(params, "hostname", qmp_get_string(result, "host-name"));
        return true;
}

/* What params say of it is begun. */
static void note_disk(struct domain_agent_answer *answer, struct guest_disk disk, char *prefix)
{
        disk.prefix = prefix;
        params_set_prefix(answer->params, "%s", prefix);
        g_array_append_val(answer->disks, disk);
}

static void add_filesystem(struct domain_agent_answer *answer, unsigned number,
                           const struct guest_filesystem *filesystem)
{
        struct params *params = answer->params;

        params_set_prefix(params, "fs.%u.", number);
        params_add_string(params, "name", filesystem->name);
        params_add_string(params, "mountpoint", filesystem->mountpoint);
        params_add_string(params, "fstype", filesystem->type);
        if (filesystem->has_size) {
                params_add_ulong(params, "total-bytes", filesystem->total_bytes);
                params_add_ulong(params, "used-bytes", filesystem->used_bytes);
        }
        params_add_uint(params, "disk.count", filesystem->disks->len);
        for (unsigned i = 0; i < filesystem->disks->len; i++) {
                struct guest_disk *disk = &g_array_index(filesystem->disks, struct guest_disk, i),
                                  noted = *disk;

                noted.serial = noted.device = NULL;
                note_disk(answer, noted, g_strdup_printf("fs.%u.disk.%u.", number, i));
                add_string(params, "serial", disk->serial);
                add_string(params, "device", disk->device);
        }
}

static bool add_filesystems(struct guest_agent *agent, struct domain_agent_answer *answer, GError **error)
{
        struct params *params = answer->params;
        g_autoptr(GPtrArray) filesystems = guest_agent_get_filesystems(agent, error);

        if (!filesystems)
                return false;
        params_add_uint(params, "fs.count", filesystems->len);
        for (unsigned i = 0; i < filesystems->len; i++)
                add_filesystem(answer, i, g_ptr_array_index(filesystems, i));
        params_set_prefix(params, "%s", "");
        return true;
}

static void add_disk(struct domain_agent_answer *answer, unsigned number, const json_t *entry)
{
        struct params *params = answer->params;
        const json_t *dependencies = json_object_get(entry, "dependencies"), *dependency;
        const json_t *address = json_object_get(entry, "address");
        size_t i;

        note_disk(answer, read_disk(address), g_strdup_printf("disk.%u.", number));
        add_string(params, "name", qmp_get_string(entry, "name"));
        params_add_bool(params, "partition", json_is_true(json_object_get(entry, "partition")));
        if (json_array_size(dependencies) > 0)
                params_add_uint(params, "dependency.count", (uint32_t)json_array_size(dependencies));
        add_string(params, "serial", qmp_get_string(address, "serial"));
        add_string(params, "guest_alias", qmp_get_string(entry, "alias"));
        json_array_foreach((json_t *)dependencies, i, dependency)
        {
                params_set_prefix(params, "disk.%u.dependency.%u.", number, (unsigned)i);
                add_string(params, "name", json_string_value(dependency));
        }
}

static bool add_disks(struct guest_agent *agent, struct domain_agent_answer *answer, GError **error)
{
        struct params *params = answer->params;
        CLEANUP(json_decref) json_t *list = ask_list(agent, "guest-get-disks", error);
        const json_t *entry;
        size_t i;

        if (!list)
                return false;
        params_add_uint(params, "disk.count", (uint32_t)json_array_size(list));
        json_array_foreach(list, i, entry)
        {
                add_disk(answer, (unsigned)i, entry);
        }
        params_set_prefix(params, "%s", "");
        return true;
}

static void add_interface(struct params *params, unsigned number,
                          const struct domain_interface_addresses *interface)
{
        params_set_prefix(params, "if.%u.", number);
        params_add_string(params, "name", interface->name);
        if (*interface->mac)
                params_add_string(params, "hwaddr", interface->mac);
        params_add_uint(params, "addr.count", interface->ips->len);
        for (unsigned i = 0; i < interface->ips->len; i++) {
                const struct link_ip *ip = &g_array_index(interface->ips, struct link_ip, i);
                char text[LINK_IP_SIZE];

                params_set_prefix(params, "if.%u.addr.%u.", number, i);
                params_add_string(params, "type", ip->family == AF_INET6 ? "ipv6" : "ipv4");
                params_add_string(params, "addr", link_ip_format(ip, text));
                params_add_uint(params, "prefix", ip->prefix);
        }
}

static bool add_interfaces(struct guest_agent *agent, struct domain_agent_answer *answer, GError **error)
{
        struct params *params = answer->params;
        g_autoptr(GPtrArray) interfaces = guest_agent_get_interfaces(agent, error);

        if (!interfaces)
                return false;
        params_add_uint(params, "if.count", interfaces->len);
        for (unsigned i = 0; i < interfaces->len; i++)
                add_interface(params, i, g_ptr_array_index(interfaces, i));
        params_set_prefix(params, "%s", "");
        return true;
}

bool guest_agent_get_info(struct guest_agent *agent, unsigned types, struct domain_agent_answer *answer,
                          GError **error)
{
        static const struct {
                unsigned type;
                bool (*add)(struct guest_agent *agent, struct domain_agent_answer *answer, GError **error);
        } parts[] = {
                { DOMAIN_GUEST_INFO_USERS, add_users },
                { DOMAIN_GUEST_INFO_OS, add_os },
                { DOMAIN_GUEST_INFO_TIMEZONE, add_timezone },
                { DOMAIN_GUEST_INFO_HOSTNAME, add_hostname },
                { DOMAIN_GUEST_INFO_FILESYSTEM, add_filesystems },
                { DOMAIN_GUEST_INFO_DISKS, add_disks },
                { DOMAIN_GUEST_INFO_INTERFACES, add_interfaces },
        };

        answer->params = params_new();
        answer->disks = guest_disks_new();
        for (unsigned i = 0; i < G_N_ELEMENTS(parts); i++) {
                g_autoptr(GError) failure = NULL;

                if ((types && !(types & parts[i].type)) || parts[i].add(agent, answer, &failure))
                        continue;
                /* What an agent cannot do is left out of "all". */
                if (!types && (error_is(failure, ERROR_OPERATION_UNSUPPORTED) ||
                               error_is(failure, ERROR_OPERATION_FAILED)))
                        continue;
                g_propagate_error(error, g_steal_pointer(&failure));
                return false;
        }
        return true;
}
