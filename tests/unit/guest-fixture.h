/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What the tests of guests of the QEMU driver share: a driver with a real QEMU in a folder of the test's own,
 * calls that are waited for, and what was told. One case per process.
 */

#include "base/loop.h"
#include "drivers/domain/domain.h"

#include <check.h>
#include <glib.h>
#include <stdbool.h>
#include <sys/types.h>

#define EMULATOR "/usr/bin/qemu-system-x86_64"
#define UUID     "6695eb01-f6a4-8304-79aa-97f2502e193f"

extern struct loop *loop;
extern struct domain_driver *driver;
extern char *root;            /* state, run and log are below it */
extern char *cache;           /* of what emulators can do; of all cases */
extern GString *events;       /* "type/detail," for lifecycle, "#id," for the others */
extern const char *host_root; /* below which the host is read, before setup(); NULL: this machine's own */
extern const char *user;      /* whom emulators run as; NULL: as the test */

bool has_qemu(void);

void start_driver(void);
void stop_driver(void);
void setup(void);
void teardown(void);
/* Runs cases of one fixture, 60 s each; the exit status. */
int run_guests(TCase *cases, const char *name);

/* ---- calls ---- */

struct result {
        bool done;
        GError *error; /* owned */
        struct domain *domain;
};

/* A managed_done for a struct result. */
void on_done(struct managed *object, const GError *error, void *data);
void on_queued(void *data);
void wait_for(const bool *flag);
/* Waits for it; it is to succeed. */
void check(struct result *result);
/* All that was told since the last look. */
void wait_for_events(const char *expected);

/* A document with UUID and this in it. Free it. */
char *make_xml(const char *name, const char *extra);
struct domain *create(const char *xml, unsigned flags);
/* Its error. Free it. */
GError *fail_to_create(const char *xml);
void destroy(struct domain *domain);
bool is_gone(const char *below_root);
