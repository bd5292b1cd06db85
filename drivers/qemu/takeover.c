/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Taking over what an earlier agent started. What is found is judged by what can be known without anybody's
 * help: the status document, the pid file, /proc. Guests enter the registry so; their monitors are connected
 * afterwards, each in its own lane, and a guest that hangs delays nobody. Nothing that runs is ended because
 * a file cannot be read; what was never announced (STATUS_STARTING) is.
 */
#include "drivers/qemu/guest.h"
#include "drivers/qemu/save-file.h"
#include "drivers/qemu/save-image.h"

#include "base/error.h"
#include "base/loop.h"
#include "base/log.h"
#include "base/registry.h"
#include "base/store.h"
#include "drivers/domain/live-xml.h"
#include "drivers/qemu/arrive-disks.h"
#include "drivers/qemu/helper.h"
#include "drivers/qemu/hooks.h"
#include "drivers/qemu/migration.h"
#include "drivers/qemu/perf.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

/* One directory that was found. */
struct find {
        struct qemu_driver *driver; /* borrowed */
        char *dir;                  /* owned */
        struct status *status;      /* owned */
        struct domain_def *def;     /* ref; the active one */
};

static void find_free(struct find *find)
{
        if (!find)
                return;
        status_free(find->status);
        domain_def_unref(find->def);
        g_free(find->dir);
        g_free(find);
}

DEFINE_CLEANUP(struct find, find_free);
DEFINE_CLEANUP(DIR, closedir);

/* ---- without a status document that can be read ---- */

/* The argument behind option on the command line of a process; NULL: none. */
static char *read_argument(pid_t pid, const char *option)
{
        g_autofree char *path = g_strdup_printf("/proc/%d/cmdline", (int)pid);
        g_autofree char *text = NULL;
        gsize length;

        if (!g_file_get_contents(path, &text, &length, NULL))
                return NULL;
        for (const char *p = text; p < text + length; p += strlen(p) + 1) {
                const char *next = p + strlen(p) + 1;

                if (strcmp(p, option) == 0 && next < text + length)
                        return g_strdup(next);
        }
        return NULL;
}

/* "guest=web,debug-threads=on", a comma in the name being doubled. */
static char *read_name(pid_t pid)
{
        g_autofree char *argument = read_argument(pid, "-name");
        GString *name;

        if (!argument || !g_str_has_prefix(argument, "guest="))
                return NULL;
        name = g_string_new(NULL);
        for (const char *p = argument + strlen("guest="); *p; p++) {
                if (*p == ',' && *++p != ',')
                        break;
                g_string_append_c(name, *p);
        }
        return g_string_free(name, FALSE);
}

/* A transient guest whose document is lost: what its process says is all there is. */
static struct domain_def *make_least_def(const char *uuid, pid_t pid, GError **error)
{
        g_autofree char *name = read_name(pid), *quoted = NULL, *xml = NULL;

        if (!name) {
                error_set(error, ERROR_FROM_QEMU, ERROR_INTERNAL_ERROR,
                          "process %d does not tell its guest's name", (int)pid);
                return NULL;
        }
        quoted = g_markup_escape_text(name, -1);
        xml = g_strdup_printf("<domain type='kvm'>\n  <name>%s</name>\n  <uuid>%s</uuid>\n"
                              "  <memory unit='KiB'>1024</memory>\n  <vcpu>1</vcpu>\n"
                              "  <os>\n    <type>hvm</type>\n  </os>\n</domain>\n",
                              quoted, uuid);
        return domain_def_parse_stored(xml, error);
}

/* The persistent definition is the best guess at what runs. */
static struct domain_def *guess_def(struct qemu_driver *driver, const struct uuid *uuid,
                                    const char *uuid_text, int id, pid_t pid, GError **error)
{
        struct managed *object = registry_find_uuid(driver->base.domains, uuid);
        CLEANUP(domain_def_unref) struct domain_def *least = NULL;
        const struct domain_def *def;

        if (object && object->published->persistent) {
                def = (const struct domain_def *)object->published->persistent;
        } else {
                least = make_least_def(uuid_text, pid, error);
                if (!least)
                        return NULL;
                def = least;
        }
        return domain_def_activate(def, id, error);
}

static struct status *guess_status(const struct domain_def *def, const struct status_process *emulator,
                                   int id)
{
        struct status *status = status_new();

        status->phase = STATUS_RUNNING;
        status->uuid = def->base.uuid;
        status->name = g_strdup(def->base.name);
        status->id = id;
        status->state = DOMAIN_RUNNING;
        status->reason = DOMAIN_RUNNING_UNKNOWN;
        status->emulator = *emulator;
        return status;
}

/* ---- finding ---- */

static bool is_alive(const struct status_process *known)
{
        uint64_t start_time;
        char state;

        return known->pid > 0 && process_read_stat(known->pid, &start_time, &state) &&
               start_time == known->start_time && state != 'Z';
}

/* A helper of the whole guest's that was started and not written down any more. */
static void read_helper(struct find *find, const char *program, const char *file)
{
        struct status_process process = { 0 };

        for (unsigned i = 0; i < find->status->helpers->len; i++) {
                const struct status_helper *noted = g_ptr_array_index(find->status->helpers, i);

                if (strcmp(noted->program, program) == 0)
                        return;
        }
        if (status_read_pid(find->dir, file, &process) && is_alive(&process))
                status_add_helper(find->status, program, program, &process);
}

/* Fills in what can be read; false when there is nothing to be made of the directory. */
static bool read_status(struct find *find, GError **error)
{
        find->status = status_read(find->dir, error);
        if (!find->status)
                return false;
        if (find->status->emulator.pid == 0)
                status_read_pid(find->dir, STATUS_PID_FILE, &find->status->emulator);
        if (find->status->tpm.pid == 0)
                status_read_pid(find->dir, STATUS_TPM_PID_FILE, &find->status->tpm);
        read_helper(find, HELPER_BUS, STATUS_BUS_PID_FILE);
        read_helper(find, HELPER_RESERVATIONS, STATUS_RESERVATIONS_PID_FILE);
        find->def = domain_def_parse_stored(find->status->xml, error);
        return find->def != NULL;
}

static bool guess(struct find *find, const char *uuid_text, const GError *reason, GError **error)
{
        struct status_process emulator;
        struct uuid uuid;
        int id = g_atomic_int_add(&find->driver->base.last_id, 1) + 1;

        g_clear_pointer(&find->status, status_free);
        if (!uuid_parse(&uuid, uuid_text, error))
                return false;
        if (!status_read_pid(find->dir, STATUS_PID_FILE, &emulator) || !is_alive(&emulator)) {
                log_gerror(LOG_LEVEL_WARNING, reason, "'%s' is left as it is: nothing runs there", find->dir);
                return false;
        }
        log_gerror(LOG_LEVEL_ERROR, reason, "the emulator with pid %d runs, but its status cannot be read",
                   (int)emulator.pid);
        find->def = guess_def(find->driver, &uuid, uuid_text, id, emulator.pid, error);
        if (!find->def)
                return false;
        find->status = guess_status(find->def, &emulator, id);
        status_read_pid(find->dir, STATUS_TPM_PID_FILE, &find->status->tpm);
        return true;
}

/* An agent that is killed while it starts a guest has a directory first, and writes in it what it makes next.
 */
static bool is_unbegun(const char *dir, const char *name)
{
        static const char *const files[] = { STATUS_FILE, STATUS_PID_FILE, STATUS_TPM_PID_FILE };
        struct uuid uuid;

        for (unsigned i = 0; i < G_N_ELEMENTS(files); i++) {
                g_autofree char *path = g_build_filename(dir, files[i], NULL);

                if (access(path, F_OK) == 0 || errno != ENOENT)
                        return false;
        }
        return uuid_parse(&uuid, name, NULL);
}

static void remove_unbegun(const char *dir)
{
        g_autofree char *io = g_build_filename(dir, STATUS_IO_DIR, NULL);

        guest_remove_files(io);
        guest_remove_files(dir);
}

static struct find *look_at(struct qemu_driver *driver, const char *name)
{
        CLEANUP(find_free) struct find *find = g_new0(struct find, 1);
        g_autoptr(GError) reason = NULL, error = NULL;

        find->driver = driver;
        find->dir = g_build_filename(driver->runtime_dir, name, NULL);
        if (is_unbegun(find->dir, name)) {
                remove_unbegun(find->dir);
                return NULL;
        }
        if (read_status(find, &reason) || guess(find, name, reason, &error))
                return g_steal_pointer(&find);
        if (error)
                log_gerror(LOG_LEVEL_ERROR, error, "cannot take over what is in '%s'", find->dir);
        return NULL;
}

/* ---- taking over; lane ---- */

static void reconnect(void *data)
{
        struct domain *domain = data;

        if (domain->live)
                guest_reconnect(domain->live);
        /* It may have been found to be gone. */
        if (domain->live)
                hooks_reconnect(domain->live);
        managed_unref(&domain->base);
}

static void claim_ports(struct guest *guest, const struct domain_def *def)
{
        for (unsigned i = 0; i < def->devices.n_graphics; i++) {
                const struct domain_graphics *graphics = &def->devices.graphics[i];
                const int ports[] = { graphics->port, graphics->tls_port, graphics->websocket };

                for (unsigned j = 0; j < G_N_ELEMENTS(ports); j++) {
                        if (ports[j] > 0 && ports_claim(&guest->driver->ports, ports[j]))
                                g_array_append_val(guest->ports, ports[j]);
                }
        }
}

/* Sockets outside of the guest's own directory, to be removed at the end. */
static void note_sockets(struct guest *guest, const struct domain_def *def)
{
        if (guest->status->monitor)
                guest_add_socket(guest, NULL, guest->status->monitor);
        for (unsigned i = 0; i < def->devices.n_chars; i++) {
                const struct domain_char_source *source = &def->devices.chars[i].source;

                if (source->type == DOMAIN_CHAR_UNIX && source->listen && source->path &&
                    !g_str_has_prefix(source->path, guest->dir))
                        guest_add_socket(guest, def->devices.chars[i].info.alias, source->path);
        }
}

static void adopt(struct guest *guest, struct domain_def *def)
{
        struct domain *domain = guest->domain;
        const struct status *status = guest->status;
        struct domain_state *state = (struct domain_state *)managed_edit(&domain->base);
        g_autoptr(GError) error = NULL;

        guest->inherited = true;
        claim_ports(guest, def);
        note_sockets(guest, def);
        helper_take_over(guest);
        migration_take_over(guest);
        managed_state_take_active(&state->base, &domain_def_ref(def)->base);
        state->id = status->id;
        state->state = status->state;
        state->reason = status->reason;
        state->sleeps = status->sleeps && status->state == DOMAIN_PAUSED;
        state->pid = guest->emulator.pid;
        state->owner = g_strdup(status->owner);
        domain->live = guest;
        /* A full disk does not harm the guest; the old document still says the same. */
        if (!guest_save(guest, state, &error))
                log_gerror(LOG_LEVEL_ERROR, error, "cannot write down the state of %s", guest->who);
        domain_adopt(domain, state);
        lane_post(domain->base.lane, reconnect, managed_ref(&domain->base));
}

/* What had ended, or had not got far enough to be shown, is cleared away; a persistent domain says how it
 * ended. */
static void clear_away(struct guest *guest)
{
        struct domain *domain = guest->domain;
        bool was_running = guest->status->phase == STATUS_RUNNING;
        int reason = guest->status->shutdown_seen ? DOMAIN_SHUTOFF_SHUTDOWN : DOMAIN_SHUTOFF_CRASHED;
        struct domain_state *state;

        /* Not all of them end by themselves. */
        helper_take_over(guest);
        if (guest->status->saved.path) {
                reason = DOMAIN_SHUTOFF_SAVED;
                log_notice("%s was saved to '%s', and is ended", guest->who, guest->status->saved.path);
        } else if (was_running)
                log_notice("%s ended while there was no agent", guest->who);
        else
                log_notice("the start of %s was cut short; it is undone", guest->who);
        lane_shield(domain->base.lane);
        process_signal(&guest->emulator, SIGKILL);
        guest_release(guest);
        if (!was_running || !domain->base.current)
                return;
        state = (struct domain_state *)managed_edit(&domain->base);
        state->state = DOMAIN_SHUTOFF;
        state->reason = reason;
        managed_publish(&domain->base, &state->base, NULL);
}

/* The agent before this one had only to end it. */
static bool was_saved(struct guest *guest)
{
        struct status *status = guest->status;

        if (!status->saved.path)
                return false;
        /* A device is there all the time. */
        if (save_file_is(status->saved.path, status->saved.device, status->saved.inode) &&
            save_image_is_sealed(status->saved.path))
                return true;
        g_clear_pointer(&status->saved.path, g_free);
        return false;
}

/* A guest that comes from another host is ours once that was written down; until then it is still there. */
static bool has_arrived(struct guest *guest)
{
        if (!guest->status->arrival ||
            !domain_arrival_is_accepted(&guest->driver->base, guest->status->arrival))
                return false;
        guest->status->phase = STATUS_RUNNING;
        arrive_keep_disks(guest);
        g_clear_pointer(&guest->status->owner, g_free);
        return true;
}

static bool is_no_guest(struct guest *guest)
{
        const struct status *status = guest->status;

        return status->phase == STATUS_STARTING || (status->phase == STATUS_INCOMING && !has_arrived(guest));
}

static bool take_work(struct managed *object, void *data, GError **error)
{
        struct find *find = data;
        struct guest *guest = guest_new((struct domain *)object, g_steal_pointer(&find->status));
        const struct status *status = guest->status;
        g_autoptr(GError) failure = NULL;
        bool alive =
                process_open(&guest->emulator, status->emulator.pid, status->emulator.start_time, &failure);

        process_open(&guest->tpm, status->tpm.pid, status->tpm.start_time, NULL);
        guest_find_cgroup(guest);
        if (!guest_choose_account(guest, find->def, &failure)) {
                /* Its files are not its user's then, which is all that is lost. */
                log_gerror(LOG_LEVEL_WARNING, failure, "the account of %s is not known", guest->who);
                g_clear_error(&failure);
        }
        if (!failure)
                guest_choose_profile(guest, find->def, true, NULL);
        if (!failure && !guest_choose_context(guest, find->def, true, &failure)) {
                log_gerror(LOG_LEVEL_WARNING, failure, "the context of %s is not known", guest->who);
                g_clear_error(&failure);
        }
        if (failure) {
                /* It lives, and cannot be held: it stays as it is. */
                guest_free(guest);
                g_propagate_error(error, g_steal_pointer(&failure));
                return false;
        }
        if (alive && was_saved(guest)) {
                clear_away(guest);
                return true;
        }
        if (!alive || process_has_ended(&guest->emulator) || is_no_guest(guest)) {
                clear_away(guest);
                return true;
        }
        if (!guest_watch(guest, error)) {
                guest_free(guest);
                return false;
        }
        if (!perf_set(guest, find->def->perf_events, &failure))
                log_gerror(LOG_LEVEL_WARNING, failure, "nothing is counted for %s any more", guest->who);
        guest->status->shutdown_seen = false;
        guest_confine_found(guest, find->def);
        adopt(guest, find->def);
        return true;
}

static void take_done(struct managed *object, const GError *error, void *data)
{
        struct find *find = data;

        if (error)
                log_gerror(LOG_LEVEL_ERROR, error, "cannot take over what is in '%s'", find->dir);
        find_free(find);
}

/* ---- loop ---- */

static void take(struct qemu_driver *driver, const char *name)
{
        CLEANUP(find_free) struct find *find = look_at(driver, name);
        g_autoptr(GError) error = NULL;
        struct domain *domain;

        if (!find)
                return;
        if (find->status->id > driver->base.last_id)
                driver->base.last_id = find->status->id;
        domain = domain_driver_reserve(&driver->base, find->def, &error);
        if (domain)
                managed_run(&domain->base, MANAGED_IN_TURN, take_work, take_done, g_steal_pointer(&find));
        else
                log_gerror(LOG_LEVEL_ERROR, error, "cannot take over what is in '%s'", find->dir);
}

void takeover_run(struct qemu_driver *driver)
{
        CLEANUP(closedir) DIR *dir = opendir(driver->runtime_dir);
        struct dirent *entry;
        struct uuid uuid;

        cgroup_sweep();
        while (dir && (entry = readdir(dir))) {
                if (strlen(entry->d_name) == UUID_STRING_LENGTH && uuid_parse(&uuid, entry->d_name, NULL))
                        take(driver, entry->d_name);
        }
        while (registry_get_pending(driver->base.domains) > 0)
                loop_step(driver->base.loop, true);
}
