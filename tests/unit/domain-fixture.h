/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What the tests of the domain model's calls share: a driver that says what it was asked for, one call at a
 * time, and a look at both documents. One case per process.
 */

#include "drivers/domain/domain.h"
#include "tests/unit/check-main.h"
#include "tests/unit/fake-driver.h"

#include <stdbool.h>

enum {
        CURRENT = DOMAIN_AFFECT_CURRENT,
        LIVE = DOMAIN_AFFECT_LIVE,
        CONFIG = DOMAIN_AFFECT_CONFIG,
        BOTH = DOMAIN_AFFECT_LIVE | DOMAIN_AFFECT_CONFIG,
};

extern struct fake_driver *fake;
extern struct fake_outcome outcome; /* of the call that is on its way: give it with fake_driver_done */

void setup_domains(void);
void teardown_domains(void);

/* FAKE_NAME with this in its document; it runs. */
struct domain *make_running(const char *inside);

/* Waits for the call: its error (NULL: it succeeded), what the driver was asked for, what was published. */
void expect(const char *error, const char *calls, const char *journal);

/* Published documents; NULL: it does not run, has no definition. */
const struct domain_def *get_live(const struct domain *domain);
const struct domain_def *get_config(const struct domain *domain);

/* Is text in the document of def? */
void expect_text(const struct domain_def *def, const char *text, bool there);
