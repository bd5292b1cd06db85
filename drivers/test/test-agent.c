/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Guest agents that answer at once, in the lane of their domain. Numbers and names are those of
 * test:///default, derived from its answers.
 */
#include "drivers/test/test-agent.h"

#include "base/lane.h"
#include "drivers/domain/guest-agent.h"
#include "interfaces/link.h"

#include <string.h>

/* The time in all guests that have not been told another, in ns since 1970. */
#define GUEST_TIME_NS (UINT64_C(627319920) * 1000 * 1000 * 1000)

static const struct {
        const char *mountpoint, *name;
} filesystems[] = {
        { "/", "vda1" },
        { "/boot", "vda2" },
};

/* domain->live; NULL: nothing has been frozen, nor set. */
struct test_guest {
        bool frozen[G_N_ELEMENTS(filesystems)];
        uint64_t time_ns; /* which stands still */
};

struct test_agent {
        struct domain_agent base;
        struct domain *domain; /* ref */
};

static struct test_agent *agent_of(struct domain_agent *agent)
{
        return (struct test_agent *)agent;
}

static struct test_guest *get_guest(struct domain *domain)
{
        struct test_guest *guest = domain->live;

        if (!guest) {
                guest = domain->live = g_new0(struct test_guest, 1);
                guest->time_ns = GUEST_TIME_NS;
        }
        return guest;
}

void test_agent_forget(struct domain *domain)
{
        g_clear_pointer(&domain->live, g_free);
}

static bool check_mountpoints(char **mountpoints, GError **error)
{
        for (; mountpoints && *mountpoints; mountpoints++) {
                bool found = false;

                for (unsigned i = 0; i < G_N_ELEMENTS(filesystems); i++)
                        found = found || strcmp(filesystems[i].mountpoint, *mountpoints) == 0;
                if (!found) {
                        g_autofree char *quoted = error_quote(*mountpoints);

                        return error_set(error, ERROR_FROM_TEST, ERROR_OPERATION_INVALID,
                                         "mount point not found: %s", quoted);
                }
        }
        return true;
}

static uint64_t set_frozen(struct domain *domain, char **mountpoints, bool frozen)
{
        struct test_guest *guest = get_guest(domain);
        uint64_t count = 0;

        for (unsigned i = 0; i < G_N_ELEMENTS(filesystems); i++) {
                if ((mountpoints &&
                     !g_strv_contains((const char *const *)mountpoints, filesystems[i].mountpoint)) ||
                    guest->frozen[i] == frozen)
                        continue;
                guest->frozen[i] = frozen;
                count++;
        }
        return count;
}

/* On the first disk. */
static GPtrArray *list_filesystems(const struct domain_def *def)
{
        GPtrArray *list = guest_filesystems_new();
        const char *target = NULL;

        for (unsigned i = def->devices.n_disks; i-- > 0;) {
                if (def->devices.disks[i].device == DOMAIN_DISK_DISK)
                        target = def->devices.disks[i].target;
        }
        for (unsigned i = 0; target && i < G_N_ELEMENTS(filesystems); i++) {
                struct guest_filesystem *filesystem = guest_filesystems_add(list);

                filesystem->name = g_strdup(filesystems[i].name);
                filesystem->mountpoint = g_strdup(filesystems[i].mountpoint);
                filesystem->type = g_strdup("ext4");
                g_ptr_array_add(filesystem->names, g_strdup(target));
        }
        return list;
}

/* The address is made of the domain's number, in the network that all have. */
static GPtrArray *list_interfaces(const struct domain_def *def, int id)
{
        GPtrArray *list = domain_interface_addresses_new();

        for (unsigned i = 0; i < def->devices.n_interfaces; i++) {
                const struct domain_interface *interface = &def->devices.interfaces[i];
                const uint8_t *mac = interface->mac;
                g_autofree char *text = g_strdup_printf("%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1],
                                                        mac[2], mac[3], mac[4], mac[5]);
                g_autofree char *address = g_strdup_printf("192.168.122.%d", 2 + id % 250);
                struct link_ip ip;

                link_ip_parse(&ip, address);
                ip.prefix = 24;
                g_array_append_val(
                        domain_interface_addresses_add(list, interface->target ? interface->target : "", text)
                                ->ips,
                        ip);
        }
        return list;
}

static bool ask(struct domain_agent *agent, const struct domain_agent_request *request,
                struct domain_agent_answer *answer, GError **error)
{
        struct domain *domain = agent_of(agent)->domain;
        const struct domain_state *state = domain_get_current(domain);
        const struct domain_def *def;

        /* It may have ended since it was asked for its agent. */
        if (!managed_require_active(&domain->base, error))
                return false;
        def = domain_state_get_def(state);
        switch (request->kind) {
        case DOMAIN_AGENT_FREEZE:
                if (!check_mountpoints(request->texts, error))
                        return false;
                answer->number = set_frozen(domain, request->texts, true);
                return true;
        case DOMAIN_AGENT_THAW:
                if (!check_mountpoints(request->texts, error))
                        return false;
                answer->number = set_frozen(domain, request->texts, false);
                return true;
        case DOMAIN_AGENT_GET_FILESYSTEMS:
                answer->filesystems = list_filesystems(def);
                return true;
        case DOMAIN_AGENT_GET_HOSTNAME:
                answer->text = g_strconcat(def->base.name, "host", NULL);
                return true;
        case DOMAIN_AGENT_GET_TIME:
                answer->number = get_guest(domain)->time_ns;
                return true;
        case DOMAIN_AGENT_SET_TIME:
                if (!(request->flags & DOMAIN_TIME_SYNC))
                        get_guest(domain)->time_ns = request->number;
                return true;
        case DOMAIN_AGENT_GET_INTERFACES:
                answer->interfaces = list_interfaces(def, state->id);
                return true;
        case DOMAIN_AGENT_TRIM:
        case DOMAIN_AGENT_SET_PASSWORD:
                return true;
        default:
                return error_set(error, ERROR_FROM_TEST, ERROR_NO_SUPPORT,
                                 "agents of guests that are in memory");
        }
}

static void agent_free(struct domain_agent *agent)
{
        managed_unref(&agent_of(agent)->domain->base);
        g_free(agent);
}

struct domain_agent *test_agent_get(struct domain *domain, GError **error)
{
        struct test_agent *agent = g_new0(struct test_agent, 1);

        *agent = (struct test_agent){
                .base = { .refs = 1, .lane = lane_ref(domain->base.lane), .free = agent_free, .ask = ask },
                .domain = (struct domain *)managed_ref(&domain->base),
        };
        return &agent->base;
}
