/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Post-copy whose way was cut, on the side to which the guest has come: its emulator listens for another one.
 * Lane of the domain.
 *
 * The emulator's main thread may hang on a page that does not come, so what it is told goes out of band, and
 * it waits for the connection in its monitor's thread.
 */
#include "base/error.h"
#include "drivers/qemu/depart.h"
#include "drivers/qemu/guest-job-private.h"
#include "drivers/qemu/migration.h"
#include "drivers/qemu/qmp-value.h"

/* For QEMU to see that the old way is cut: so long by itself, and so long in all. */
#define SEE_MS   1000
#define PAUSE_MS 10000
#define ASK_MS   10

static bool waits_for_memory(const struct guest *guest)
{
        const struct domain_state *state = domain_get_current(guest->domain);

        return guest->rest ||
               (state->state == DOMAIN_RUNNING && (state->reason == DOMAIN_RUNNING_POSTCOPY ||
                                                   state->reason == DOMAIN_RUNNING_POSTCOPY_FAILED));
}

/*
 * What the source has given up may be a connection here that nobody has closed. QEMU 7.2 that is told so
 * (migrate-pause) while it sees the end of one itself can crash: it has forgotten its file already, and not
 * yet its state. So it is told only when it does not see any.
 */
static bool listen_anew(struct guest *guest, const char *uri, GError **error)
{
        lane_deadline deadline = lane_deadline_in(PAUSE_MS), see = lane_deadline_in(SEE_MS);
        bool told = false;

        for (;;) {
                g_autoptr(GError) failure = NULL;

                if (qmp_execute_oob(guest->qmp, "migrate-recover", json_pack("{s:s}", "uri", uri),
                                    QMP_TIMEOUT_MS, NULL, &failure))
                        return true;
                /* Refused until its threads have let go of the old way. */
                if (!error_is(failure, ERROR_OPERATION_FAILED) || qmp_is_broken(guest->qmp) ||
                    deadline < lane_deadline_in(0) ||
                    lane_wait(guest->domain->base.lane, -1, 0, NULL, lane_deadline_in(ASK_MS)) !=
                            LANE_TIMEOUT) {
                        g_propagate_error(error, g_steal_pointer(&failure));
                        return false;
                }
                if (told || see >= lane_deadline_in(0))
                        continue;
                qmp_execute_oob(guest->qmp, "migrate-pause", NULL, QMP_TIMEOUT_MS, NULL, NULL);
                told = true;
        }
}

/*
 * Of a guest that stands still the state does not say so, and what an agent before this one has known the
 * emulator has to say again: that nothing is missing is what the other half is ended by.
 */
static bool find_missing(struct guest *guest, bool *missing, GError **error)
{
        json_t *info = NULL;

        *missing = waits_for_memory(guest);
        if (*missing || !guest->inherited)
                return true;
        if (!qmp_execute(guest->qmp, "query-migrate", NULL, QMP_TIMEOUT_MS, &info, error))
                return false;
        *missing = guest_job_is_postcopy(qmp_get_text(info, "status"));
        json_decref(info);
        return true;
}

static bool recover(struct guest *guest, const struct params *params, unsigned flags, char **uri,
                    GError **error)
{
        __attribute__((cleanup(arrive_place_clear))) struct arrive_place place = { 0 };
        g_autofree char *where = NULL;
        bool missing;

        if (!guest_get_monitor(guest, error) || !find_missing(guest, &missing, error))
                return false;
        if (!missing)
                return true;
        arrive_release_port(guest, &guest->arrival_port);
        if (!arrive_choose_place(guest, params, domain_migrate_get_text(params, "migrate_uri"), 0,
                                 ARRIVE_SOCKET, &place, error))
                return false;
        guest->arrival_port = place.port;
        where = arrive_format_place(&place);
        if (!migration_begin_tls(guest, flags, params, false, error) || !listen_anew(guest, where, error)) {
                arrive_release_port(guest, &guest->arrival_port);
                return false;
        }
        *uri = g_strdup(place.uri);
        return true;
}

/* Whoever is not answered is told what there is to do. */
bool arrive_recover(struct domain *domain, const struct params *params, unsigned flags, char **uri,
                    GError **error)
{
        struct guest *guest = guest_of(domain);
        g_autoptr(GError) failure = NULL;

        if (recover(guest, params, flags, uri, &failure))
                return true;
        if (!guest->inherited || !error_is(failure, ERROR_OPERATION_TIMEOUT)) {
                g_propagate_error(error, g_steal_pointer(&failure));
                return false;
        }
        return error_set(
                error, ERROR_FROM_QEMU, ERROR_OPERATION_TIMEOUT,
                "the emulator of %s does not answer this agent, which is new to it, and only it knows "
                "what of the guest's memory is missing: both halves stay; repeat this, and if it "
                "never answers destroy both",
                guest->who);
}
