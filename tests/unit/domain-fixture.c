/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/unit/domain-fixture.h"

#include <string.h>

struct fake_driver *fake;
struct fake_outcome outcome;

void setup_domains(void)
{
        fake = fake_driver_new();
        outcome = (struct fake_outcome){ 0 };
}

void teardown_domains(void)
{
        fake_driver_free(fake);
}

struct domain *make_running(const char *inside)
{
        struct domain *domain = fake_driver_define(fake, fake_driver_xml(inside));

        fake_driver_start(fake, domain);
        return domain;
}

void expect(const char *error, const char *calls, const char *journal)
{
        fake_driver_expect(fake, &outcome, error);
        ck_assert_str_eq(fake->calls->str, calls);
        ck_assert_str_eq(fake->journal->str, journal);
        fake_driver_forget(fake);
}

const struct domain_def *get_live(const struct domain *domain)
{
        return (const struct domain_def *)domain->base.published->active;
}

const struct domain_def *get_config(const struct domain *domain)
{
        return (const struct domain_def *)domain->base.published->persistent;
}

void expect_text(const struct domain_def *def, const char *text, bool there)
{
        ck_assert_msg((strstr(def->base.xml, text) != NULL) == there, "'%s' in %s", text, def->base.xml);
}
