/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Guests that go to another host, and that come from one: the functions of struct domain_driver_ops. */

#include "drivers/domain/migrate.h"
#include "drivers/qemu/guest.h"

bool depart_check(struct domain *domain, bool *whole_cpu, GError **error);
bool depart_begin(struct domain_departure *departure, GError **error);
bool depart_switch(struct domain_departure *departure, GError **error);
bool depart_let_run(struct domain_departure *departure, GError **error);
bool depart_follow_on(struct domain_departure *departure, GError **error);
bool depart_resume(struct domain_departure *departure, GError **error);
bool depart_cut(struct domain *domain, GError **error);
void depart_cancel(struct domain_departure *departure);
void depart_free(struct domain_departure *departure);
bool depart_note(struct domain *domain, const struct domain_departure_note *note, GError **error);
const struct domain_departure_note *depart_get_note(struct domain *domain);
void depart_leave(struct domain *domain);

/*
 * Is this host's CPU able to be the one of def? True of one that is the emulator's to make. Errors name what
 * it lacks: those of host_compare_cpu(). Any thread.
 */
bool arrive_check_cpu(const struct guest *guest, const struct domain_def *def, GError **error);
/* Where an emulator waits for what comes. */
struct arrive_place {
        char *uri;    /* owned; where the source is to go: "unix:/path", "tcp:[HOST]:PORT", "tcp::PORT" */
        char *path;   /* owned; a socket; NULL: TCP */
        char *listen; /* owned; the address, "" any */
        int port;     /* claimed, the guest's; 0: none */
};

/*
 * Lane: wanted is "unix:" (a socket of that name of the guest's), "tcp:HOST", "tcp:HOST:PORT"; NULL: any port
 * of those for migrations. port: unless wanted says it, 0: any. params: those of the arrival.
 */
bool arrive_choose_place(struct guest *guest, const struct params *params, const char *wanted, int port,
                         const char *socket, struct arrive_place *place, GError **error);
void arrive_place_clear(struct arrive_place *place);
/* As QEMU has it. */
char *arrive_format_place(const struct arrive_place *place);
/* The guest's port is free for others; *port is 0 then. */
void arrive_release_port(struct guest *guest, int *port);
/* The name of the socket for "unix:". */
#define ARRIVE_SOCKET "migration.sock"
/* Lane: an emulator that waits is told how the guest comes; arrival->uri and disks_uri say where
 * it listens. def: the active one. */
bool arrive_listen(struct guest *guest, struct domain_arrival *arrival, const struct domain_def *def,
                   GError **error);
bool arrive_wait(struct domain *domain, bool *postcopy, GError **error);
void arrive_end(struct domain *domain, bool postcopy);
/* recover.c */
bool arrive_recover(struct domain *domain, const struct params *params, unsigned flags, char **uri,
                    GError **error);
/* Lane: a guest that has come in post-copy; domain_arrival_tell() is called with what becomes of it. */
void arrive_follow(struct guest *guest);
