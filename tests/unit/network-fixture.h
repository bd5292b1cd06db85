/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What the tests of networks share: a model of networks in a network namespace of the test's own, calls that
 * are waited for, and a look at the host. One case per process.
 */

#include "base/loop.h"
#include "base/pool.h"
#include "drivers/network/network.h"
#include "tests/unit/check-main.h"

#include <glib.h>
#include <stdbool.h>

extern struct loop *loop;
extern struct pool *pool;
extern struct networks *networks;
extern struct link_source *links; /* NULL in memory */
extern bool with_default;         /* before open_networks() */
extern char *top;                 /* state and run are below it */
extern GString *events;           /* a digit for each event of a network's life */
extern GString *lease_events;     /* "+10.77.0.9 52:54:00:00:00:01 one;": + added, ~ changed, - removed */

void setup_networks(void);
void teardown_networks(void);
void open_networks(bool in_memory);
/* Until nothing is on the way any more. */
void settle(void);
void close_networks(void);

/* ---- calls ---- */

struct outcome {
        bool done;
        GError *error;
        struct network *network;
};

/* A managed_done for a struct outcome. */
void finish(struct managed *object, const GError *error, void *data);
/* Waits for it. wanted is in the message of its error; NULL: it is to succeed. */
struct network *expect(struct outcome *outcome, const char *wanted);

struct network *define_network(const char *xml, const char *wanted);
struct network *create_xml(const char *xml, const char *wanted);
void create_network(struct network *network, const char *wanted);
void destroy_network(struct network *network, const char *wanted);
void undefine_network(struct network *network, const char *wanted);
void update_network(struct network *network, unsigned command, unsigned section, const char *xml,
                    unsigned flags, const char *wanted);

struct answer {
        bool done;
        unsigned count;
        char hostname[64], address[NETWORK_ADDRESS_TEXT_MAX], mac[32]; /* of the first */
};
struct answer get_leases(struct network *network, const char *mac);

/* ---- the host ---- */

/* Else the case is skipped. */
bool can_run(void);
/* What the command prints; owned. */
G_GNUC_PRINTF(1, 2) char *shell(const char *format, ...);
/* It prints wanted somewhere. */
void check_shell(const char *wanted, const char *command);
/* Of the dnsmasq of the network with that uuid. */
int get_pid(const char *uuid);
bool runs(int pid);
/* A namespace with one end of a cable in it, the other a port of the bridge; it ends with the process. Its
 * pid. */
int plug(const char *bridge, const char *mac);

#define LAN_UUID "3e3fce45-4f53-4fa7-bb32-11f34168b82b"
#define NAT                                                                                                  \
        "<network><name>lan</name><uuid>3e3fce45-4f53-4fa7-bb32-11f34168b82b</uuid><forward/>"               \
        "<bridge stp='off'/><dns><host ip='10.77.0.5'><hostname>gate</hostname></host></dns>"                \
        "<ip address='10.77.0.1' prefix='24'><dhcp><range start='10.77.0.10' end='10.77.0.20'/>"             \
        "<host mac='52:54:00:00:00:01' name='one' ip='10.77.0.9'/></dhcp></ip></network>"
