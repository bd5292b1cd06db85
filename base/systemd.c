/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Scopes and machines of systemd, by sd-bus(3). In a lane; keeps no connection. */
#include "base/systemd.h"

#include "base/error.h"
#include "base/system-call-private.h"

#include <errno.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <systemd/sd-daemon.h>

#define TIMEOUT_MS 5000
/* Jobs of anybody's units that end while an answer is on its way. */
#define EARLY_MAX 4096

#define SYSTEMD         "org.freedesktop.systemd1"
#define SYSTEMD_PATH    "/org/freedesktop/systemd1"
#define SYSTEMD_MANAGER SYSTEMD ".Manager"
#define MACHINED        "org.freedesktop.machine1"
#define MACHINED_PATH   "/org/freedesktop/machine1"

bool systemd_is_booted(void)
{
        return sd_booted() > 0;
}

static sd_bus *open_bus(enum systemd_manager manager, GError **error)
{
        sd_bus *bus = NULL;
        int result = manager == SYSTEMD_USER ? sd_bus_open_user(&bus) : sd_bus_open_system(&bus);

        if (result < 0)
                error_set(error, ERROR_FROM_DBUS, ERROR_DBUS_SERVICE, "cannot reach the %s bus: %s",
                          manager == SYSTEMD_USER ? "user's" : "system", g_strerror(-result));
        return bus;
}

static sd_bus_message *new_call(sd_bus *bus, const char *member)
{
        sd_bus_message *message = NULL;

        sd_bus_message_new_method_call(bus, &message, SYSTEMD, SYSTEMD_PATH, SYSTEMD_MANAGER, member);
        return message;
}

/* ---- scopes ---- */

/* The job that makes a scope, and how it ended. */
struct job {
        char *name;   /* owned; see name_job(); NULL: not known yet */
        char *result; /* owned; NULL: not over */
        bool done;
        GHashTable *early; /* owned; results by name of jobs that were over before the answer was read */
};

/*
 * Everybody on the bus may send a signal like that to us alone, and sd-bus does not know who owns a name: a
 * job is systemd's by the unique name of whoever tells of it, which is the bus's word. NULL: it is nobody's.
 */
static char *name_job(sd_bus_message *message, const char *path)
{
        const char *sender = sd_bus_message_get_sender(message);

        return sender ? g_strconcat(sender, " ", path, NULL) : NULL;
}

static int on_job_removed(sd_bus_message *message, void *data, sd_bus_error *ignored)
{
        struct job *job = data;
        g_autofree char *name = NULL;
        const char *path, *unit, *result;
        uint32_t id;

        if (job->done || sd_bus_message_read(message, "uoss", &id, &path, &unit, &result) < 0)
                return 0;
        name = name_job(message, path);
        if (!job->name) {
                if (name && g_hash_table_size(job->early) < EARLY_MAX)
                        g_hash_table_replace(job->early, g_steal_pointer(&name), g_strdup(result));
        } else if (g_strcmp0(name, job->name) == 0) {
                job->result = g_strdup(result);
                job->done = true;
        }
        return 0;
}

static sd_bus_message *make_scope_message(sd_bus *bus, const struct systemd_scope *scope)
{
        sd_bus_message *message = new_call(bus, "StartTransientUnit");

        /*
         * KillSignal and timeouts are the defaults: a host that goes down ends what is left then. It stops
         * the agent first, which shuts guests down (see agent/power.c).
         */
        if (message)
                sd_bus_message_append(message, "ssa(sv)a(sa(sv))", scope->name, "fail", 6, "Description", "s",
                                      scope->description, "Slice", "s", scope->slice, "PIDs", "au", 1,
                                      (uint32_t)scope->pid, "Delegate", "b", 1, "CollectMode", "s",
                                      "inactive-or-failed", "Before", "as", 1, "virtbusd.service", 0);
        return message;
}

static bool is_over(struct job *job)
{
        const char *early = g_hash_table_lookup(job->early, job->name);

        if (early) {
                job->result = g_strdup(early);
                job->done = true;
        }
        return job->done;
}

static bool run_job(struct lane *lane, sd_bus *bus, const struct systemd_scope *scope, struct job *job,
                    bool *exists, GError **error)
{
        lane_deadline deadline = lane_deadline_in(TIMEOUT_MS);
        sd_bus_message *reply = NULL;
        g_autofree char *name = NULL;
        const char *path;

        if (!system_call_exchange(lane, bus, make_scope_message(bus, scope), deadline, &reply, &name,
                                  error)) {
                *exists = g_strcmp0(name, SYSTEMD ".UnitExists") == 0;
                return false;
        }
        if (sd_bus_message_read(reply, "o", &path) >= 0)
                job->name = name_job(reply, path);
        sd_bus_message_unref(reply);
        if (!job->name)
                return error_set(error, ERROR_FROM_DBUS, ERROR_DBUS_SERVICE,
                                 SYSTEMD " gives an answer that is none");
        if (!is_over(job) &&
            !system_call_wait(lane, bus, &job->done, deadline, SYSTEMD, "StartTransientUnit", error))
                return false;
        if (strcmp(job->result, "done") == 0)
                return true;
        return error_set(error, ERROR_FROM_DBUS, ERROR_DBUS_SERVICE, "systemd does not start '%s': %s",
                         scope->name, job->result);
}

bool systemd_start_scope(struct lane *lane, enum systemd_manager manager, const struct systemd_scope *scope,
                         bool *exists, GError **error)
{
        struct job job = { .early = NULL };
        sd_bus_slot *slot = NULL;
        sd_bus *bus = open_bus(manager, error);
        bool ok;

        *exists = false;
        if (!bus)
                return false;
        job.early = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
        sd_bus_match_signal_async(bus, &slot, SYSTEMD, SYSTEMD_PATH, SYSTEMD_MANAGER, "JobRemoved",
                                  on_job_removed, NULL, &job);
        ok = run_job(lane, bus, scope, &job, exists, error);
        sd_bus_slot_unref(slot);
        sd_bus_close_unref(bus);
        g_hash_table_unref(job.early);
        g_free(job.name);
        g_free(job.result);
        return ok;
}

/* device: it is a list of devices and numbers, of which one entry is set; NULL: a number. */
static bool set_property(struct lane *lane, enum systemd_manager manager, const char *unit,
                         const char *property, const char *device, uint64_t value, GError **error)
{
        sd_bus *bus = open_bus(manager, error);
        sd_bus_message *message;
        bool ok;

        if (!bus)
                return false;
        message = new_call(bus, "SetUnitProperties");
        if (message && device)
                sd_bus_message_append(message, "sba(sv)", unit, 1, 1, property, "a(st)", 1, device, value);
        else if (message)
                sd_bus_message_append(message, "sba(sv)", unit, 1, 1, property, "t", value);
        ok = system_call_exchange(lane, bus, message, lane_deadline_in(TIMEOUT_MS), NULL, NULL, error);
        sd_bus_close_unref(bus);
        return ok;
}

bool systemd_set_property(struct lane *lane, enum systemd_manager manager, const char *unit,
                          const char *property, uint64_t value, GError **error)
{
        return set_property(lane, manager, unit, property, NULL, value, error);
}

bool systemd_set_device_property(struct lane *lane, enum systemd_manager manager, const char *unit,
                                 const char *property, dev_t device, uint64_t value, GError **error)
{
        g_autofree char *path = g_strdup_printf("/dev/block/%u:%u", major(device), minor(device));

        return set_property(lane, manager, unit, property, path, value, error);
}

/* ---- machines ---- */

static bool is_missing(const char *name)
{
        return g_strcmp0(name, SD_BUS_ERROR_SERVICE_UNKNOWN) == 0 ||
               g_strcmp0(name, SD_BUS_ERROR_NAME_HAS_NO_OWNER) == 0 ||
               g_strcmp0(name, SYSTEMD ".NoSuchUnit") == 0 || g_strcmp0(name, SYSTEMD ".UnitMasked") == 0;
}

bool systemd_register_machine(struct lane *lane, const struct systemd_machine *machine, bool *missing,
                              GError **error)
{
        sd_bus *bus = open_bus(SYSTEMD_HOST, error);
        sd_bus_message *message = NULL;
        g_autofree char *name = NULL;
        bool ok;

        *missing = false;
        if (!bus)
                return false;
        sd_bus_message_new_method_call(bus, &message, MACHINED, MACHINED_PATH, MACHINED ".Manager",
                                       "RegisterMachine");
        if (message) {
                sd_bus_message_append(message, "s", machine->name);
                sd_bus_message_append_array(message, 'y', machine->uuid, 16);
                sd_bus_message_append(message, "ssus", machine->service, "vm", (uint32_t)machine->leader, "");
        }
        ok = system_call_exchange(lane, bus, message, lane_deadline_in(TIMEOUT_MS), NULL, &name, error);
        *missing = is_missing(name);
        sd_bus_close_unref(bus);
        return ok;
}

/* ---- names ---- */

char *systemd_escape(const char *name)
{
        GString *escaped = g_string_new(NULL);

        for (const char *p = name; *p; p++) {
                if (*p == '/')
                        g_string_append_c(escaped, '-');
                else if (g_ascii_isalnum(*p) || *p == ':' || *p == '_' || (*p == '.' && p > name))
                        g_string_append_c(escaped, *p);
                else
                        g_string_append_printf(escaped, "\\x%02x", (unsigned char)*p);
        }
        return g_string_free(escaped, FALSE);
}
