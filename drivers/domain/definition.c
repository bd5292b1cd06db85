/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What can be done with a finished definition; how one is made is in definition-xml.c.
 */
#include "drivers/domain/definition.h"

#include "base/error.h"
#include "drivers/domain/arena.h"
#include "drivers/domain/names.h"

#include <string.h>
#include <unistd.h>

struct domain_def *domain_def_ref(struct domain_def *def)
{
        definition_ref(&def->base);
        return def;
}

void domain_def_unref(struct domain_def *def)
{
        definition_unref(def ? &def->base : NULL);
}

void domain_def_free(struct definition *definition)
{
        struct domain_def *def = domain_def_from(definition);

        domain_arena_free(def->arena);
        definition_clear(definition);
        g_free(def);
}

bool domain_cpu_follows_host(const struct domain_cpu *cpu)
{
        return cpu->mode == DOMAIN_CPU_HOST_MODEL ||
               (cpu->mode == DOMAIN_CPU_CUSTOM && cpu->model && g_strcmp0(cpu->match, "minimum") == 0);
}

bool domain_def_get_hugepage(const struct domain_def *def, int cell, uint64_t *page_kib)
{
        const struct domain_memory_backing *backing = &def->memory_backing;
        const struct domain_hugepage *found = NULL;

        for (unsigned i = 0; i < backing->n_hugepages; i++) {
                const struct domain_hugepage *page = &backing->hugepages[i];
                bool named = domain_cpuset_has(&page->nodes, cell < 0 ? 0 : (unsigned)cell);

                if (named || (!page->nodes.words && !found))
                        found = page;
                if (named)
                        break;
        }
        *page_kib = found ? found->size_kib : 0;
        if (found && *page_kib * 1024 == (uint64_t)sysconf(_SC_PAGESIZE))
                return false;
        return backing->has_hugepages && (found || backing->n_hugepages == 0);
}

bool domain_def_shares_memory(const struct domain_def *def)
{
        bool cells = def->cpu.n_cells > 0;

        for (unsigned i = 0; i < def->cpu.n_cells; i++)
                cells = cells && def->cpu.cells[i].shared == DOMAIN_SWITCH_ON;
        return def->memory_backing.shared == DOMAIN_SWITCH_ON || cells;
}

bool domain_def_wants_raw_io(const struct domain_def *def)
{
        for (unsigned i = 0; i < def->devices.n_disks; i++)
                if (def->devices.disks[i].info.raw_io == DOMAIN_SWITCH_ON)
                        return true;
        for (unsigned i = 0; i < def->devices.n_hostdevs; i++)
                if (def->devices.hostdevs[i].info.raw_io == DOMAIN_SWITCH_ON)
                        return true;
        return false;
}

bool domain_def_validate_schema(const struct domain_def *def, GError **error)
{
        if (def->unknown.count == 0)
                return true;
        return error_set(error, ERROR_FROM_DOMAIN, ERROR_XML_INVALID_SCHEMA,
                         "domain '%s': the format of domains does not know %s", def->base.name,
                         def->unknown.texts[0]);
}

bool domain_def_require_supported(const struct domain_def *def, GError **error)
{
        const struct domain_remarks *remarks = def->unsupported.count ? &def->unsupported : &def->unknown;

        if (remarks->count == 0)
                return true;
        return error_set(error, ERROR_FROM_DOMAIN, ERROR_CONFIG_UNSUPPORTED,
                         "domain '%s': %s is not supported", def->base.name, remarks->texts[0]);
}

/* A list is complete and sorted, unless somebody else has stored it. */
static const struct domain_vcpu *find_vcpu(const struct domain_def *def, unsigned id)
{
        if (id < def->n_vcpu_list && def->vcpu_list[id].id == id)
                return &def->vcpu_list[id];
        for (unsigned i = 0; i < def->n_vcpu_list; i++) {
                if (def->vcpu_list[i].id == id)
                        return &def->vcpu_list[i];
        }
        return NULL;
}

bool domain_vcpu_is_enabled(const struct domain_def *def, unsigned id)
{
        const struct domain_vcpu *vcpu = find_vcpu(def, id);

        return def->n_vcpu_list == 0 ? id < def->vcpus : vcpu && vcpu->enabled;
}

bool domain_vcpu_is_hotpluggable(const struct domain_def *def, unsigned id)
{
        const struct domain_vcpu *vcpu = find_vcpu(def, id);

        return vcpu ? vcpu->hotpluggable == DOMAIN_SWITCH_ON || !vcpu->enabled
                    : def->n_vcpu_list > 0 || id >= def->vcpus;
}

const struct domain_disk *domain_def_find_disk(const struct domain_def *def, const char *target_or_path)
{
        for (unsigned i = 0; i < def->devices.n_disks; i++) {
                const struct domain_disk *disk = &def->devices.disks[i];

                if (strcmp(disk->target, target_or_path) == 0 ||
                    (*target_or_path == '/' && g_strcmp0(disk->source.path, target_or_path) == 0))
                        return disk;
        }
        return NULL;
}

const struct domain_interface *domain_def_find_interface(const struct domain_def *def,
                                                         const char *mac_or_target)
{
        for (unsigned i = 0; i < def->devices.n_interfaces; i++) {
                const struct domain_interface *interface = &def->devices.interfaces[i];
                const uint8_t *mac = interface->mac;
                char text[18];

                g_snprintf(text, sizeof(text), "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2],
                           mac[3], mac[4], mac[5]);
                if (g_strcmp0(interface->target, mac_or_target) == 0 ||
                    (interface->has_mac && g_ascii_strcasecmp(text, mac_or_target) == 0))
                        return interface;
        }
        return NULL;
}

const char *domain_bus_get_name(enum domain_bus bus)
{
        return domain_bus_names[bus];
}

const char *domain_disk_get_cache(const struct domain_disk *disk)
{
        if (disk->cache && strcmp(disk->cache, "default") != 0)
                return disk->cache;
        return disk->shareable && !disk->readonly && disk->device != DOMAIN_DISK_CDROM ? "none" : NULL;
}

const char *domain_disk_device_get_name(enum domain_disk_device device)
{
        return domain_disk_device_names[device];
}

const char *domain_controller_type_get_name(enum domain_controller_type type)
{
        return domain_controller_type_names[type];
}

const char *domain_interface_type_get_name(enum domain_interface_type type)
{
        return domain_interface_type_names[type];
}

bool domain_interface_is_emulated(enum domain_interface_type type)
{
        return type == DOMAIN_INTERFACE_USER || type == DOMAIN_INTERFACE_MCAST ||
               type == DOMAIN_INTERFACE_SERVER || type == DOMAIN_INTERFACE_CLIENT ||
               type == DOMAIN_INTERFACE_UDP;
}

const char *domain_char_kind_get_name(enum domain_char_kind kind)
{
        return domain_char_kind_names[kind];
}

const char *domain_char_type_get_name(enum domain_char_type type)
{
        return domain_char_type_names[type];
}

const char *domain_graphics_type_get_name(enum domain_graphics_type type)
{
        return domain_graphics_type_names[type];
}

const char *domain_timer_get_name(enum domain_timer_name name)
{
        return domain_timer_names[name];
}

static const struct {
        const char *period, *quota;
} quota_names[DOMAIN_QUOTA_SCOPES] = {
        [DOMAIN_QUOTA_VCPU] = { "period", "quota" },
        [DOMAIN_QUOTA_GLOBAL] = { "global_period", "global_quota" },
        [DOMAIN_QUOTA_EMULATOR] = { "emulator_period", "emulator_quota" },
        [DOMAIN_QUOTA_IOTHREAD] = { "iothread_period", "iothread_quota" },
};

const char *domain_quota_get_period_name(enum domain_quota_scope scope)
{
        return quota_names[scope].period;
}

const char *domain_quota_get_quota_name(enum domain_quota_scope scope)
{
        return quota_names[scope].quota;
}

const char *domain_hostdev_type_get_name(enum domain_hostdev_type type)
{
        return domain_hostdev_type_names[type];
}

const struct domain_network_source *domain_nvram_get_server(const struct domain_nvram *nvram)
{
        return nvram->source ? nvram->source->network : NULL;
}

bool domain_nvram_is_device(const struct domain_nvram *nvram)
{
        return nvram->source && nvram->source->type == DOMAIN_STORAGE_BLOCK;
}
