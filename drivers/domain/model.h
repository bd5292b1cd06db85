/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Between the files of the domain model. */

#include "base/flags.h"
#include "drivers/domain/domain.h"
#include "drivers/domain/driver.h"

/* Loop: logs "<what> '<name>': <error>" and tells the driver's reporter: for failures without a call. */
void domain_report(struct domain *domain, const GError *error, const char *what);

/*
 * Lane: saves the status of a running domain, publishes state (taken) and announces event (taken, may be
 * NULL).
 */
void domain_publish(struct domain *domain, struct domain_state *state, struct managed_event *event);

/* Loop: guests look after their USB devices when one of the host comes or goes. */
void domain_follow_usb(struct domain_driver *driver);
void domain_unfollow_usb(struct domain_driver *driver);

/* Loop: the host sleeps: pauses a guest that runs, which domain_power_wake() lets go on (lifecycle.c). */
void domain_suspend_for_sleep(struct domain *domain, managed_done done, void *data);
/* Loop: a managed save that the next boot goes on with (save.c). */
void domain_save_for_boot(struct domain *domain, managed_done done, void *data);

/* How guests are asked for statistics (stats-ask.c); nobody is any more. Loop. */
void domain_asking_init(struct domain_driver *driver);
void domain_asking_done(struct domain_driver *driver);
/* What a domain has answered (stats-ask.c). NULL is fine. */
void domain_known_free(struct domain_known *known);

/* Loop, start-up: what guests that were taken over have of others, they have again. */
void domain_restore_takings(struct domain_driver *driver);

/*
 * A text on its way to a definition: parsed, its machine asked for, completed. done gets the definition
 * (taken by it) or an error, and is called before the function returns unless an emulator has to be asked
 * first.
 */
typedef void (*domain_parse_done)(struct domain_def *def, const GError *error, void *data);
void domain_parse(struct domain_driver *driver, const char *xml, bool validate, domain_parse_done done,
                  void *data);
/*
 * The same of a document that an agent has taken before (domain_doc_finish_accepted()): what a guest was
 * saved as, or comes as. before NULL: xml is that document; else the definition (a reference is kept) whose
 * place xml is to have.
 */
void domain_parse_accepted(struct domain_driver *driver, const char *xml, struct domain_def *before,
                           domain_parse_done done, void *data);
/* The same of one that no guest runs by: what would be refused of it is shown, too. */
void domain_parse_shown(struct domain_driver *driver, const char *xml, domain_parse_done done, void *data);
/* The same of xml that is to have the place of domain's own document, of the guest that runs if one does.
 * Loop. */
void domain_parse_replacing(const struct domain *domain, const char *xml, domain_parse_done done, void *data);

/* SetVcpus and GetVcpus by the guest's agent; all: those out of use as well. */
void domain_set_guest_vcpu_count(struct domain *domain, unsigned count, managed_done done, void *data);
void domain_count_guest_vcpus(struct domain *domain, bool all, domain_number_done done, void *data);

/* Loop: which CPUs of the host threads of def may use, of bool, an element for each. Free it. */
GArray *domain_describe_pin(const struct domain *domain, const struct domain_def *def,
                            enum domain_threads who, unsigned id);

/* Lane: pauses a guest that runs for its migration to another host (depart.c). */
bool domain_departure_pause(struct domain *domain, GError **error);
/* Lane: lets a guest that is paused on its way go on here until it is elsewhere; domain->may_run. */
bool domain_departure_let_run(struct domain *domain, GError **error);

/* Lane: fails with ERROR_OPERATION_INVALID, naming it, while an operation works with the guest. */
bool domain_require_idle(const struct domain *domain, GError **error);

static inline struct domain *domain_from(struct managed *object)
{
        return (struct domain *)object;
}

static inline struct domain_def *domain_def_of(struct definition *definition)
{
        return (struct domain_def *)definition;
}
