/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * A driver of domains that does nothing but say what it was asked for and fail when it is told to: for tests
 * of the model above the drivers. A test's own thread is the loop; the lanes are real.
 */

#include "drivers/domain/domain.h"
#include "drivers/domain/driver.h"

#include <glib.h>
#include <stdbool.h>

#define FAKE_NAME "web"
#define FAKE_UUID "11111111-2222-3333-4444-555555555555"

struct fake_driver {
        struct domain_driver base;
        char *directory; /* owned; of the definitions */
        /*
         * Written in lanes while calls are on their way, to be read and set between them.
         * calls: "start stop ", the operations that were asked for, with what distinguishes them.
         */
        GString *calls;
        const char *fail;  /* the operation that fails with "operation failed: told to fail: <name>" */
        const char *block; /* the operation that waits until an urgent job interrupts it, and fails then */
        bool blocked;      /* it waits */
        bool holds;        /* what a guest tells of itself is good until something changes it */
        bool silent;       /* guests that are asked say nothing, until fake_driver_answer() */
        bool slow;         /* a guest does not do at once what its balloon tells it, or let go of a device */
        /*
         * What was published since fake_driver_forget(): "AP 0:2.0; " is an active and persistent domain with
         * the event of id 0, type 2 and detail 0; "-P; " one that is off, without an event, "--" the end of
         * one. "AP +4:0.0; " is an event without a new state.
         */
        GString *journal;
        const struct domain_state *last; /* borrowed; the state that was published last */
};

struct fake_driver *fake_driver_new(void);
void fake_driver_free(struct fake_driver *fake);

/* A document of the fake's: FAKE_NAME and FAKE_UUID, 64 MiB, and this in it. Free it. */
char *fake_driver_xml(const char *inside) G_GNUC_WARN_UNUSED_RESULT;

/* How a call ended: give it with fake_driver_done as its done. */
struct fake_outcome {
        unsigned count; /* of ends */
        char *error;    /* owned; NULL: it succeeded */
        struct managed *object;
};
void fake_driver_done(struct managed *object, const GError *error, void *outcome);
/* Runs the loop until it has ended; fails the test unless that was so: error NULL is a success. */
void fake_driver_expect(struct fake_driver *fake, struct fake_outcome *outcome, const char *error);

/*
 * Defines the domain of xml (taken), starts it; makes one that is active and transient. Whole, no failures.
 */
struct domain *fake_driver_define(struct fake_driver *fake, char *xml);
void fake_driver_start(struct fake_driver *fake, struct domain *domain);
struct domain *fake_driver_create(struct fake_driver *fake, char *xml);

/* The guest answers late what it was asked (enum domain_part bits), and that has arrived. */
void fake_driver_answer(struct fake_driver *fake, struct domain *domain, unsigned parts);

/* The guest lets go of a device, late. */
void fake_driver_let_go(struct fake_driver *fake, struct domain *domain, const char *alias);

/* Empties calls and journal. */
void fake_driver_forget(struct fake_driver *fake);
/* From a lane: notes the call of that name; false with an error when it is the one to fail. */
bool fake_driver_call(struct domain *domain, const char *name, GError **error);
/* The next writes of the domain's definition fail; and succeed again. */
void fake_driver_break_store(struct fake_driver *fake, const struct domain *domain);
void fake_driver_mend_store(struct fake_driver *fake, const struct domain *domain);
/* What the definition's file holds; NULL: there is none. Free it. */
char *fake_driver_read_file(struct fake_driver *fake, const struct domain *domain);
/* Fails unless <vcpus> is this: of each its number, on or off, may it go or stays it, its order: "0+s1 2-h0 "
 */
void fake_driver_expect_vcpus(const struct domain_def *def, const char *list);
