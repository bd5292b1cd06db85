/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Virtual networks that a libvirtd has left running, adopted: bridge and ports stay as they are, the document
 * as it runs becomes the active one, libvirt's dnsmasq makes room for ours, which knows what that one had
 * lent, and libvirt's rules go when ours are there. What is done already is left alone, so whatever ends an
 * adoption half way, another one finishes it. libvirt's note that the network runs is its caller's to take
 * away, behind that.
 */

#include "drivers/network/network.h"

/* Any thread until it is adopted; then it is that call's until its done function. */
struct network_adoption {
        /* const */
        struct network_def *def; /* ref; as it runs */
        char *run, *state;       /* owned; libvirt's directories */
        /* found out by network_adopt() */
        bool is_here;     /* it was active here before */
        bool has_ended;   /* its bridge is gone: nothing is done */
        GPtrArray *left;  /* owned; sentences: what is left of libvirt's, or lost */
        char **arguments; /* owned; of libvirt's dnsmasq; NULL: none was found */
};

/*
 * text: libvirt's <networkstatus>. run, state: its directories, of a system /run/libvirt and
 * /var/lib/libvirt. NULL with an error, bounds as those of xml_parse().
 */
struct network_adoption *network_adoption_new(const char *text, const char *run, const char *state,
                                              GError **error);
/* NULL is fine. */
void network_adoption_free(struct network_adoption *adoption);

/*
 * Loop. After an error all of it is still libvirt's, its dnsmasq too, or it is active here and the error says
 * what of libvirt's is in the way.
 */
void network_adopt(struct networks *networks, struct network_adoption *adoption, managed_done done,
                   void *data);

/* ---- between the files of the adoption ---- */

/* The document in libvirt's (adopt-xml.c). NULL with an error. */
struct network_def *network_adoption_parse(const char *text, GError **error);

/* What is lent, as libvirt writes it down and as dnsmasq does (adopt-leases.c); owned. */
struct network_adopted_leases {
        char *leases; /* of dhcp-leasefile */
        char *macs;   /* "address mac": of IPv6 */
        unsigned count, lost;
};

/* Of JSON. What cannot be one is counted as lost. False with an error. */
bool network_adopted_leases_parse(struct network_adopted_leases *leases, const char *text, GError **error);
void network_adopted_leases_clear(struct network_adopted_leases *leases);

/* Lane: takes libvirt's rules of the network away (adopt-rules.c); left gets what stays. */
bool network_adoption_remove_rules(struct network *network, const struct network_def *def, GPtrArray *left,
                                   GError **error);
/*
 * Of what iptables -S lists of a table, libvirt's rules of that network: what iptables-restore takes to
 * remove them. Owned; NULL: there are none.
 */
char *network_adoption_choose_rules(const char *list, const char *table, const struct network_def *def);

DEFINE_CLEANUP(struct network_adoption, network_adoption_free);
