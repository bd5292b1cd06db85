/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Network filters in a network namespace of their own: the model, a bridge with the taps "t0" (the guest's,
 * with its other end "g0") and "t1" ("g1"), and frames that go from one to the other.
 */

#include "base/loop.h"
#include "base/pool.h"
#include "drivers/nwfilter/nwfilter.h"

#include <stdbool.h>
#include <stdint.h>

extern struct loop *loop;
extern struct pool *pool;
extern struct nwfilters *nwfilters;
extern bool has_namespace; /* else what needs the kernel is skipped */

void setup_nwfilters(void);
void teardown_nwfilters(void);
void open_nwfilters(bool stock);
void close_nwfilters(void);
void settle_nwfilters(void);
/* Below the folder of the test, which has state and run; owned. */
char *get_nwfilter_path(const char *name);

/* wanted NULL: it succeeds; else part of the error. */
struct nwfilter *define_filter(const char *xml, const char *wanted);
void undefine_filter(const char *name, const char *wanted);

/* params: "NAME=value ..." or NULL. A reference. */
struct nwfilter_port *make_port(const char *device, const char *filter, const char *params);
void apply_port(struct nwfilter_port *port, const char *wanted);
void remove_port(struct nwfilter_port *port);

/* All of nft's rules, as nft lists them. */
char *list_rules(void);
/* Of the shell; it is to succeed. */
void run_command(const char *command);

/* ---- frames ---- */

#define GUEST_MAC      "\x52\x54\x00\x00\x00\x01"
#define GUEST_MAC_TEXT "52:54:00:00:00:01"
#define OTHER_MAC      "\x52\x54\x00\x00\x00\x02"
#define BROADCAST      "\xff\xff\xff\xff\xff\xff"

struct frame {
        uint8_t bytes[600];
        unsigned length;
};

/* Addresses of IPv4 as text. */
struct frame make_frame(const char *to, const char *from, unsigned ether_type);
struct frame make_arp(const char *from, unsigned ether_type, unsigned operation, const char *sender_mac,
                      const char *sender_ip, const char *target_ip);
struct frame make_udp(const char *from, const char *source, unsigned source_port, const char *target,
                      unsigned target_port);
struct frame make_ipv6(const char *from);
/* A reply of a DHCP server to the guest. */
struct frame make_lease(const char *server, const char *address);

/*
 * Does the frame get from one end to the other? marker is one that does, and is sent behind it. from, to:
 * "g0", "g1".
 */
bool gets_through(const char *from, const char *to, const struct frame *frame, const struct frame *marker);
