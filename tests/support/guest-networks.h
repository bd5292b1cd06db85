/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What tests of guests in networks share: a fixture, the host as ip(8), tc(8) and nft(8) see it, networks and
 * their ports. In the network namespace of the test.
 */

#include "tests/support/guest.h"
#include "tests/support/harness.h"

#include <glib.h>
#include <stdbool.h>

#define NETWORK_INTERFACE "org.libvirt.Network"

#define LIVE   1
#define CONFIG 2

#define MAC "52:54:00:00:0a:01"
#define LAN                                                                                                  \
        "<interface type='network'><mac address='" MAC                                                       \
        "'/><source network='lan'/><model type='virtio'/></interface>"

extern struct harness *harness;
extern struct client *client;

void set_up_networks(void);
void tear_down_networks(void);
/* Else the case is skipped. */
bool can_run(void);

/* ---- what the host has ---- */

/* What the command prints; owned. */
G_GNUC_PRINTF(1, 2) G_GNUC_WARN_UNUSED_RESULT char *run(const char *format, ...);
/* Is there such a text in what `ip -d link` says of it? */
bool link_has(const char *name, const char *text);
bool has_link(const char *name);
/* All that a start may leave behind; owned. */
char *look_at_host(void);

/* ---- networks and guests ---- */

/* 10.77.<number>.0/24, with DHCP; its path, owned. */
char *define_network(const char *name, const char *bridge, unsigned number);
void network_do(const char *path, const char *member);
bool is_active(const char *path);
/* GetXMLDesc of a domain; owned. */
char *dump(const char *path, unsigned flags);
bool has(const char *path, unsigned flags, const char *text);
/* The value of the first attribute of that name behind `after`, in a text or a domain's document; owned. */
char *get_attr_of(const char *xml, const char *after, const char *attr);
char *get_attr(const char *path, const char *after, const char *attr);
/* Of the interface with MAC; owned. */
char *get_tap(const char *path);
/* Documents of the network's ports; owned. */
char *get_ports(const char *network, unsigned *count);
unsigned count_ports(const char *network);
void wait_ports(const char *network, unsigned ports);
/* A Linux that sees what is plugged in, and has free ports for it; its path, owned. */
char *start_watcher(const char *console);
