/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What guests' agents are asked, function by function. Entry points run on the loop.
 */
#include "drivers/domain/guest-agent-private.h"

#include "drivers/network/network.h"

#include <string.h>

/* A caller's text that goes to the guest. */
#define TEXT_MAX  (64 * 1024)
#define TEXTS_MAX 1024

static bool check_text(const char *text, const char *what, GError **error)
{
        if (strlen(text) <= TEXT_MAX)
                return true;
        return error_set(error, ERROR_FROM_DOMAIN, ERROR_INVALID_ARG, "%s of more than %d bytes", what,
                         TEXT_MAX);
}

static bool check_texts(const char *const *texts, const char *what, GError **error)
{
        unsigned count = 0;

        for (; texts && texts[count]; count++) {
                if (count >= TEXTS_MAX)
                        return error_set(error, ERROR_FROM_DOMAIN, ERROR_INVALID_ARG, "more than %d times %s",
                                         TEXTS_MAX, what);
                if (!check_text(texts[count], what, error))
                        return false;
        }
        return true;
}

/* Runs call, or refuses it when error is set. */
static void run(struct agent_call *call, GError *error)
{
        if (error)
                agent_call_refuse(call, error);
        else
                agent_call_run(call);
}

/* ---- file systems ---- */

static void run_with_mountpoints(struct agent_call *call, const char *const *mountpoints, unsigned flags,
                                 const char *member)
{
        GError *error = NULL;

        if (flags_check(flags, 0, ERROR_FROM_DOMAIN, member, &error) &&
            check_texts(mountpoints, "a mount point", &error) && mountpoints && mountpoints[0])
                call->request.texts = g_strdupv((char **)mountpoints);
        run(call, error);
}

void domain_freeze_filesystems(struct domain *domain, const char *const *mountpoints, unsigned flags,
                               domain_agent_done done, void *data)
{
        run_with_mountpoints(agent_call_new(domain, DOMAIN_AGENT_FREEZE, done, data), mountpoints, flags,
                             "FSFreeze");
}

void domain_thaw_filesystems(struct domain *domain, const char *const *mountpoints, unsigned flags,
                             domain_agent_done done, void *data)
{
        run_with_mountpoints(agent_call_new(domain, DOMAIN_AGENT_THAW, done, data), mountpoints, flags,
                             "FSThaw");
}

void domain_trim_filesystems(struct domain *domain, const char *mountpoint, uint64_t minimum, unsigned flags,
                             domain_agent_done done, void *data)
{
        struct agent_call *call = agent_call_new(domain, DOMAIN_AGENT_TRIM, done, data);
        GError *error = NULL;

        if (flags_check(flags, 0, ERROR_FROM_DOMAIN, "FSTrim", &error)) {
                if (mountpoint && *mountpoint)
                        error_set(&error, ERROR_FROM_DOMAIN, ERROR_ARGUMENT_UNSUPPORTED,
                                  "a mount point: guest agents trim all file systems");
                else if (minimum > INT64_MAX)
                        error_set(&error, ERROR_FROM_DOMAIN, ERROR_INVALID_ARG,
                                  "minimum of %" G_GUINT64_FORMAT " bytes", minimum);
        }
        call->request.number = minimum;
        run(call, error);
}

static bool has_pci(const struct domain_address *address, const struct guest_disk *disk)
{
        return address->type == DOMAIN_ADDRESS_PCI && address->pci.domain == disk->domain &&
               address->pci.bus == disk->bus && address->pci.slot == disk->slot &&
               address->pci.function == disk->function;
}

static const struct domain_controller *find_controller(const struct domain_def *def,
                                                       const struct domain_disk *disk)
{
        enum domain_controller_type type;

        if (disk->bus == DOMAIN_BUS_IDE)
                type = DOMAIN_CONTROLLER_IDE;
        else if (disk->bus == DOMAIN_BUS_SATA)
                type = DOMAIN_CONTROLLER_SATA;
        else if (disk->bus == DOMAIN_BUS_SCSI)
                type = DOMAIN_CONTROLLER_SCSI;
        else if (disk->bus == DOMAIN_BUS_NVME)
                type = DOMAIN_CONTROLLER_NVME;
        else
                return NULL;
        if (disk->info.address.type != DOMAIN_ADDRESS_DRIVE)
                return NULL;
        for (unsigned i = 0; i < def->devices.n_controllers; i++) {
                const struct domain_controller *controller = &def->devices.controllers[i];

                if (controller->type == type && controller->index == disk->info.address.drive.controller)
                        return controller;
        }
        return NULL;
}

/* The guest tells where it sees its disk: at an address of its own, or at its controller's. */
static bool is_disk(const struct domain_def *def, const struct domain_disk *disk,
                    const struct guest_disk *seen)
{
        const struct domain_address_drive *drive = &disk->info.address.drive;
        const struct domain_controller *controller;

        if (has_pci(&disk->info.address, seen))
                return true;
        controller = find_controller(def, disk);
        return controller && has_pci(&controller->info.address, seen) && drive->bus == seen->drive_bus &&
               drive->target == seen->target && drive->unit == seen->unit;
}

/* Its target; NULL: the definition has none there. */
static const char *find_target(const struct domain_def *def, const struct guest_disk *seen)
{
        for (unsigned i = 0; i < def->devices.n_disks; i++) {
                if (is_disk(def, &def->devices.disks[i], seen))
                        return def->devices.disks[i].target;
        }
        return NULL;
}

static void name_disks(const struct domain_def *def, struct guest_filesystem *filesystem)
{
        for (unsigned i = 0; i < filesystem->disks->len; i++) {
                const char *target =
                        find_target(def, &g_array_index(filesystem->disks, struct guest_disk, i));

                if (target)
                        g_ptr_array_add(filesystem->names, g_strdup(target));
        }
}

/* With the definition as it is now: whoever has changed it since knows. */
static void name_all_disks(struct agent_call *call)
{
        const struct managed_state *state = managed_get_published(&call->domain->base);

        for (unsigned i = 0; state && state->active && i < call->answer.filesystems->len; i++)
                name_disks(domain_def_of(state->active), g_ptr_array_index(call->answer.filesystems, i));
}

static void name_told_disks(struct agent_call *call)
{
        const struct managed_state *state = managed_get_published(&call->domain->base);
        const GArray *disks = call->answer.disks;

        for (unsigned i = 0; state && state->active && disks && i < disks->len; i++) {
                const struct guest_disk *seen = &g_array_index(disks, struct guest_disk, i);
                const char *target = find_target(domain_def_of(state->active), seen);

                params_set_prefix(call->answer.params, "%s", seen->prefix);
                if (target)
                        params_add_string(call->answer.params, "alias", target);
        }
}

void domain_get_filesystems(struct domain *domain, unsigned flags, domain_agent_done done, void *data)
{
        struct agent_call *call = agent_call_new(domain, DOMAIN_AGENT_GET_FILESYSTEMS, done, data);
        GError *error = NULL;

        flags_check(flags, 0, ERROR_FROM_DOMAIN, "GetFSInfo", &error);
        call->complete = name_all_disks;
        run(call, error);
}

/* ---- time ---- */

void domain_get_time(struct domain *domain, unsigned flags, domain_agent_done done, void *data)
{
        GError *error = NULL;

        flags_check(flags, 0, ERROR_FROM_DOMAIN, "GetTime", &error);
        run(agent_call_new(domain, DOMAIN_AGENT_GET_TIME, done, data), error);
}

static bool reset_clock_work(struct managed *object, void *data, GError **error)
{
        struct domain *domain = domain_from(object);

        return managed_require_active(object, error) && domain->driver->ops->forget_ticks(domain, error);
}

void domain_set_time(struct domain *domain, uint64_t seconds, unsigned nanoseconds, unsigned flags,
                     domain_agent_done done, void *data)
{
        enum { SECOND_NS = 1000 * 1000 * 1000 };
        struct agent_call *call = agent_call_new(domain, DOMAIN_AGENT_SET_TIME, done, data);
        GError *error = NULL;

        if (flags_check(flags, DOMAIN_TIME_SYNC, ERROR_FROM_DOMAIN, "SetTime", &error) &&
            !(flags & DOMAIN_TIME_SYNC) &&
            (nanoseconds >= SECOND_NS || seconds > (uint64_t)(INT64_MAX - nanoseconds) / SECOND_NS))
                error_set(&error, ERROR_FROM_DOMAIN, ERROR_OVERFLOW,
                          "time %" G_GUINT64_FORMAT ".%09u is too large for the guest agent", seconds,
                          nanoseconds);
        call->request.flags = flags;
        call->request.number = seconds * SECOND_NS + nanoseconds;
        if (domain->driver->ops->forget_ticks)
                call->then = reset_clock_work;
        run(call, error);
}

/* ---- accounts ---- */

void domain_set_user_password(struct domain *domain, const char *user, const char *password, unsigned flags,
                              domain_agent_done done, void *data)
{
        struct agent_call *call = agent_call_new(domain, DOMAIN_AGENT_SET_PASSWORD, done, data);
        GError *error = NULL;

        if (flags_check(flags, DOMAIN_PASSWORD_ENCRYPTED, ERROR_FROM_DOMAIN, "SetUserPassword", &error) &&
            check_text(user, "a user's name", &error) && check_text(password, "a password", &error)) {
                call->request.user = g_strdup(user);
                call->request.secret = g_strdup(password);
                call->request.flags = flags;
        }
        run(call, error);
}

static bool check_user(const char *user, GError **error)
{
        if (!*user)
                return error_set(error, ERROR_FROM_DOMAIN, ERROR_INVALID_ARG, "a user without a name");
        return check_text(user, "a user's name", error);
}

void domain_get_ssh_keys(struct domain *domain, const char *user, unsigned flags, domain_agent_done done,
                         void *data)
{
        struct agent_call *call = agent_call_new(domain, DOMAIN_AGENT_GET_KEYS, done, data);
        GError *error = NULL;

        if (flags_check(flags, 0, ERROR_FROM_DOMAIN, "AuthorizedSSHKeysGet", &error) &&
            check_user(user, &error))
                call->request.user = g_strdup(user);
        run(call, error);
}

void domain_set_ssh_keys(struct domain *domain, const char *user, const char *const *keys, unsigned flags,
                         domain_agent_done done, void *data)
{
        static const unsigned both = DOMAIN_SSH_KEYS_APPEND | DOMAIN_SSH_KEYS_REMOVE;
        struct agent_call *call = agent_call_new(domain, DOMAIN_AGENT_SET_KEYS, done, data);
        GError *error = NULL;

        if (flags_check(flags, both, ERROR_FROM_DOMAIN, "AuthorizedSSHKeysSet", &error) &&
            flags_check_exclusive(flags, both, ERROR_FROM_DOMAIN, "APPEND and REMOVE", &error) &&
            check_user(user, &error) && check_texts(keys, "a key", &error)) {
                call->request.user = g_strdup(user);
                call->request.texts = g_strdupv((char **)keys);
                call->request.flags = flags;
                if (flags && !keys[0])
                        error_set(&error, ERROR_FROM_DOMAIN, ERROR_INVALID_ARG,
                                  "no keys to be added or removed");
        }
        run(call, error);
}

/* ---- what it is ---- */

void domain_get_guest_info(struct domain *domain, unsigned types, unsigned flags, domain_agent_done done,
                           void *data)
{
        struct agent_call *call = agent_call_new(domain, DOMAIN_AGENT_GET_INFO, done, data);
        GError *error = NULL;

        if (flags_check(flags, 0, ERROR_FROM_DOMAIN, "GetGuestInfo", &error) &&
            (types & ~(unsigned)DOMAIN_GUEST_INFO_ALL))
                error_set(&error, ERROR_FROM_DOMAIN, ERROR_INVALID_ARG, "unknown types of information (0x%x)",
                          types);
        call->request.flags = types;
        call->complete = name_told_disks;
        run(call, error);
}

void domain_get_agent_interfaces(struct domain *domain, domain_agent_done done, void *data)
{
        run(agent_call_new(domain, DOMAIN_AGENT_GET_INTERFACES, done, data), NULL);
}

/* One question to all networks that the guest is plugged into. */
struct lease_question {
        struct agent_call *call;
        unsigned pending;
};

static void settle_leases(struct lease_question *question)
{
        struct agent_call *call = question->call;
        GError *error = NULL;

        if (--question->pending > 0)
                return;
        g_free(question);
        if (!call->answer.text)
                error_set(&error, ERROR_FROM_DOMAIN, ERROR_NO_HOSTNAME, "no lease of domain '%s' has one",
                          call->domain->base.name);
        agent_call_refuse(call, error);
}

static void take_leases(const struct network *network, const GPtrArray *leases, const GError *error,
                        void *data)
{
        struct lease_question *question = data;
        struct domain_agent_answer *answer = &question->call->answer;

        for (unsigned i = 0; leases && i < leases->len; i++) {
                const struct network_lease *lease = g_ptr_array_index(leases, i);

                if (lease->hostname && !answer->text)
                        answer->text = g_strdup(lease->hostname);
        }
        settle_leases(question);
}

static void ask_networks(struct agent_call *call, const struct domain_def *def)
{
        struct networks *networks = call->domain->driver->networks;
        struct lease_question *question = g_new0(struct lease_question, 1);

        *question = (struct lease_question){ call, 1 };
        for (unsigned i = 0; networks && i < def->devices.n_interfaces; i++) {
                const struct domain_interface *interface = &def->devices.interfaces[i];
                const char *name =
                        interface->type == DOMAIN_INTERFACE_NETWORK ? interface->source : interface->network;
                struct network *network = name ? network_lookup_name(networks, name, NULL) : NULL;
                const uint8_t *mac = interface->mac;
                char text[18];

                if (!network)
                        continue;
                g_snprintf(text, sizeof(text), "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2],
                           mac[3], mac[4], mac[5]);
                question->pending++;
                network_get_leases(network, text, 0, take_leases, question);
        }
        settle_leases(question);
}

void domain_get_hostname(struct domain *domain, unsigned flags, domain_agent_done done, void *data)
{
        static const unsigned both = DOMAIN_HOSTNAME_LEASE | DOMAIN_HOSTNAME_AGENT;
        struct agent_call *call = agent_call_new(domain, DOMAIN_AGENT_GET_HOSTNAME, done, data);
        const struct managed_state *state = managed_get_published(&domain->base);
        GError *error = NULL;

        if (flags_check(flags, both, ERROR_FROM_DOMAIN, "GetHostname", &error) &&
            flags_check_exclusive(flags, both, ERROR_FROM_DOMAIN, "LEASE and AGENT", &error) &&
            (flags & DOMAIN_HOSTNAME_LEASE)) {
                if (!state || !state->active)
                        error_set(&error, ERROR_FROM_DOMAIN, ERROR_OPERATION_INVALID,
                                  "domain '%s' is not running", domain->base.name);
                else {
                        ask_networks(call, domain_def_of(state->active));
                        return;
                }
        }
        run(call, error);
}

/* ---- vCPUs, the end ---- */

void domain_get_agent_vcpus(struct domain *domain, domain_agent_done done, void *data)
{
        run(agent_call_new(domain, DOMAIN_AGENT_GET_VCPUS, done, data), NULL);
}

void domain_set_agent_vcpus(struct domain *domain, const struct domain_guest_vcpu *vcpus, unsigned count,
                            domain_agent_done done, void *data)
{
        struct agent_call *call = agent_call_new(domain, DOMAIN_AGENT_SET_VCPUS, done, data);

        call->request.vcpus = g_array_new(FALSE, FALSE, sizeof(*vcpus));
        g_array_append_vals(call->request.vcpus, vcpus, count);
        run(call, NULL);
}

void domain_agent_end_guest(struct domain *domain, struct domain_agent *agent, bool reboot,
                            domain_agent_done done, void *data)
{
        struct agent_call *call =
                agent_call_new(domain, reboot ? DOMAIN_AGENT_REBOOT : DOMAIN_AGENT_SHUT_DOWN, done, data);

        call->agent = agent;
        run(call, NULL);
}
