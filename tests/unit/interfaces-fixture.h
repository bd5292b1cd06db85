/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The model of the host's interfaces on a real kernel, in a network namespace of the test's own with eth0 and
 * eth1, whose other ends are peer0 and peer1. What others do is done by ip(8), and what we do is compared
 * with it. The loop is the test's own thread. Everything fails the test when it is not as asked for.
 */

#include "interfaces/interfaces.h"
#include "interfaces/source.h"

#include "base/loop.h"
#include "base/pool.h"
#include "tests/unit/check-main.h"

extern struct loop *loop;
extern struct pool *pool;
extern struct link_source *source;
extern struct interfaces *interfaces;
extern char *directory; /* state/ and runtime/ are in it, and what other managers say */

/* ---- the host ---- */

void ip(const char *arguments);
/* What ip prints; owned. */
char *ip_says(const char *arguments);
void expect(const char *arguments, const char *words);
void expect_not(const char *arguments, const char *words);

/* ---- an agent ---- */

void begin(bool read_only);
void end(void);
/* For the next one, the host has booted. */
void forget_boot(void);
/* Fixtures. */
void setup(void);
void teardown(void);
/* rm -r */
void remove_tree(const char *path);

/* ---- calls, until their ends; owned errors ---- */

void good(GError *error);
void bad(GError *error, const char *words);
GError *define(const char *xml);
GError *undefine(const char *name);
/* NULL when there is none. */
struct host_interface *find(const char *name);

typedef void (*action)(struct interfaces *interfaces, const struct host_interface *interface, unsigned flags,
                       collection_done done, void *data);
GError *act(action fn, const char *name);
typedef void (*change)(struct interfaces *interfaces, unsigned flags, collection_done done, void *data);
GError *transact(change fn);

void wait_until(bool (*is_so)(void));

#define BRIDGE                                                                                               \
        "<interface type='bridge' name='br0'><start mode='onboot'/><mtu size='1400'/>"                       \
        "<protocol family='ipv4'><ip address='192.0.2.1' prefix='24'/><route "                               \
        "gateway='192.0.2.254'/></protocol>"                                                                 \
        "<bridge stp='on' delay='4'><interface type='ethernet' name='eth0'/>"                                \
        "<interface type='ethernet' name='eth1'/></bridge></interface>"
/* That one, as ip tells of it. */
void expect_bridge(void);
