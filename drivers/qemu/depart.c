/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A guest goes to another host: QEMU's migration to where the emulator there listens. Where each function
 * runs says struct domain_driver_ops.
 */
#include "drivers/qemu/depart.h"

#include "base/error.h"
#include "base/log.h"
#include "base/remote-bus.h"
#include "base/remote-tunnel.h"
#include "drivers/qemu/depart-disks.h"
#include "drivers/qemu/guest-job.h"
#include "drivers/qemu/migration.h"

#include <string.h>

struct work {
        struct guest_job job;
        struct remote_tunnel *tunnel; /* owned; NULL: QEMU goes there by itself */
};

static struct domain *domain_of(const struct domain_departure *departure)
{
        return (struct domain *)departure->base.object;
}

/* QEMU knows best what it cannot move. */
bool depart_check(struct domain *domain, bool *whole_cpu, GError **error)
{
        struct guest *guest = guest_of(domain);
        struct qmp *qmp = guest_get_monitor(guest, error);
        json_t *answer = NULL;
        const char *reason;

        if (!qmp || !qmp_execute(qmp, "query-migrate", NULL, QMP_TIMEOUT_MS, &answer, error))
                return false;
        reason = json_string_value(json_array_get(json_object_get(answer, "blocked-reasons"), 0));
        if (reason) {
                g_autofree char *quoted = error_quote(reason);

                error_set(error, ERROR_FROM_QEMU, ERROR_OPERATION_INVALID, "%s cannot be migrated: %s",
                          guest->who, quoted);
        }
        json_decref(answer);
        *whole_cpu = arrive_check_cpu(guest, domain_state_get_def(domain_get_current(domain)), NULL);
        return !reason;
}

static bool set_up(const struct domain_departure *departure, GError **error)
{
        struct guest *guest = guest_of(domain_of(departure));

        return migration_set_parameters(guest, departure->flags, departure->params, true, error) &&
               migration_begin_tls(guest, departure->flags, departure->params, true, error);
}

/* ---- tunnels ---- */

/* QEMU writes into it by itself: nothing of that goes through the agent. */
static bool open_tunnel(struct work *work, const struct domain_departure *departure, GError **error)
{
        struct guest *guest = guest_of(domain_of(departure));
        bool ok;

        if (!(departure->flags & DOMAIN_MIGRATE_TUNNELLED))
                return true;
        if (!guest_begin_sockets(guest, error))
                return false;
        work->tunnel = remote_tunnel_open(departure->place, departure->uri + strlen("unix:"), error);
        guest_end_sockets(guest);
        ok = work->tunnel && migration_hand_fd(guest, remote_tunnel_get_fd(work->tunnel), error);
        if (work->tunnel)
                remote_tunnel_close_fd(work->tunnel);
        return ok;
}

/* QEMU only knows that it is broken. */
static void explain(struct guest_job *job, GError **error)
{
        const struct domain_departure *departure = (const struct domain_departure *)job->op;
        const struct work *work = departure->work;
        g_autofree char *complaint = work && work->tunnel ? remote_tunnel_get_complaint(work->tunnel) : NULL;

        if (!complaint)
                return;
        g_clear_error(error);
        error_set(error, ERROR_FROM_QEMU, ERROR_OPERATION_FAILED, "the tunnel to '%s' does not work: %s",
                  remote_place_get_uri(departure->place), complaint);
}

static void work_free(struct work *work)
{
        if (work)
                remote_tunnel_free(work->tunnel);
        g_free(work);
}

/* A guest that stays has the limits that it had; half of one goes on leaving as it has begun. */
static void drop_work(struct domain_departure *departure)
{
        struct guest *guest = guest_of(domain_of(departure));

        work_free(g_steal_pointer(&departure->work));
        if (guest && domain_get_current(domain_of(departure))->id == departure->id &&
            departure->whereabouts != DOMAIN_HAS_LEFT)
                migration_give_back(guest);
}

static struct domain_departure *departure_of(const struct guest_job *job)
{
        return (struct domain_departure *)job->op;
}

static void finish_disks(struct guest_job *job)
{
        depart_disks_finish(departure_of(job));
}

static struct job_amount get_disks(struct guest_job *job)
{
        return depart_disks_get_amount(departure_of(job));
}

/* All disks are there, or one of them cannot be. */
static void heed_disks(GError *error, void *data)
{
        struct work *work = data;

        if (error)
                guest_job_fail(&work->job, error);
        else
                guest_job_switch(&work->job);
}

bool depart_begin(struct domain_departure *departure, GError **error)
{
        struct work *work = g_new0(struct work, 1);
        struct qmp *qmp = guest_get_monitor(guest_of(domain_of(departure)), error);
        unsigned flags = departure->flags;

        departure->work = work;
        if (!departure->disks)
                flags &= ~(unsigned)DOMAIN_MIGRATE_COPIES;
        if (!qmp || !set_up(departure, error) || !open_tunnel(work, departure, error) ||
            (departure->disks && !depart_disks_follow(departure, heed_disks, work, error)) ||
            !guest_job_begin_migration(&work->job, &departure->base,
                                       work->tunnel ? "fd:" MIGRATION_FD : departure->uri,
                                       migration_make_capabilities(flags), error)) {
                if (departure->disks)
                        depart_disks_follow(departure, NULL, NULL, NULL);
                drop_work(departure);
                return false;
        }
        work->job.departs = true;
        work->job.explain = explain;
        if (departure->disks) {
                work->job.before_switch = finish_disks;
                work->job.get_disks = get_disks;
        }
        return true;
}

bool depart_switch(struct domain_departure *departure, GError **error)
{
        struct work *work = departure->work;

        return guest_job_start_postcopy(&work->job, error);
}

bool depart_let_run(struct domain_departure *departure, GError **error)
{
        struct work *work = departure->work;

        return guest_get_monitor(guest_of(domain_of(departure)), error) &&
               guest_job_let_run(&work->job, error);
}

/* Also by an agent that finds it so. */
bool depart_follow_on(struct domain_departure *departure, GError **error)
{
        struct work *work;

        if (!departure->work)
                departure->work = g_new0(struct work, 1);
        work = departure->work;
        if (!guest_job_begin_following(&work->job, &departure->base, error))
                return false;
        /* They are there, and count as before. */
        if (departure->disks)
                work->job.get_disks = get_disks;
        return true;
}

/* By what it was begun with; QEMU remembers the rest. */
bool depart_resume(struct domain_departure *departure, GError **error)
{
        struct work *work = g_new0(struct work, 1);
        struct qmp *qmp = guest_get_monitor(guest_of(domain_of(departure)), error);

        departure->work = work;
        if (qmp && set_up(departure, error) &&
            guest_job_begin_resuming(&work->job, &departure->base, departure->uri, error))
                return true;
        drop_work(departure);
        return false;
}

/* Out of band, as it is for ways that hang. */
bool depart_cut(struct domain *domain, GError **error)
{
        struct qmp *qmp = guest_get_monitor(guest_of(domain), error);

        return qmp && qmp_execute_oob(qmp, "migrate-pause", NULL, QMP_TIMEOUT_MS, NULL, error);
}

void depart_cancel(struct domain_departure *departure)
{
        struct work *work = departure->work;

        guest_job_cancel(&work->job);
}

void depart_free(struct domain_departure *departure)
{
        struct domain *domain = domain_of(departure);
        struct guest *guest = guest_of(domain);

        drop_work(departure);
        depart_disks_free(departure);
        if (guest && domain_get_current(domain)->id == departure->id)
                migration_end_tls(guest);
}

bool depart_note(struct domain *domain, const struct domain_departure_note *note, GError **error)
{
        struct guest *guest = guest_of(domain);
        struct domain_departure_note *noted = &guest->status->departure, before = *noted;
        bool saved;

        *noted = note ? domain_departure_note_copy(note) : (struct domain_departure_note){ 0 };
        guest->changed = true;
        saved = guest_save(guest, domain_get_current(domain), error);
        if (!saved && note) {
                domain_departure_note_clear(noted);
                *noted = before;
        } else {
                domain_departure_note_clear(&before);
        }
        return saved;
}

const struct domain_departure_note *depart_get_note(struct domain *domain)
{
        const struct guest *guest = guest_of(domain);

        return guest && guest->status->departure.cookie ? &guest->status->departure : NULL;
}

static bool is_written(const struct domain_def *def, const char *alias)
{
        for (unsigned i = 0; i < def->devices.n_disks; i++) {
                const struct domain_disk *disk = &def->devices.disks[i];

                if (g_strcmp0(disk->info.alias, alias) == 0)
                        return !disk->readonly;
        }
        return false;
}

/* A server of files asks whose they are at each write: they stay whose they are, as the guest has them there.
 */
static void leave_images(struct guest *guest, const struct domain_def *def)
{
        GPtrArray *images = guest->status->images;

        for (unsigned i = images->len; i-- > 0;) {
                if (is_written(def, ((const struct status_image *)g_ptr_array_index(images, i))->alias))
                        g_ptr_array_remove_index(images, i);
        }
}

void depart_leave(struct domain *domain)
{
        struct guest *guest = guest_of(domain);
        const struct domain_departure_note *note = &guest->status->departure;

        /* On this host they are counted. */
        if (note->destination && g_str_has_prefix(note->destination, "qemu+ssh:"))
                leave_images(guest, domain_state_get_def(domain_get_current(domain)));
        guest->status->undefine_flags &= ~(unsigned)(DOMAIN_UNDEFINE_NVRAM | DOMAIN_UNDEFINE_TPM);
        guest->status->undefine_flags |= DOMAIN_UNDEFINE_KEEP_NVRAM | DOMAIN_UNDEFINE_KEEP_TPM;
}
