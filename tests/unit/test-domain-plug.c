/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Devices that come and go: what AttachDevice, DetachDevice and their kin do to definition and guest, above a
 * driver that fails on demand.
 */
#include "drivers/domain/domain.h"

#include "base/loop.h"
#include "tests/unit/domain-fixture.h"

#include <string.h>

#define RNG     "<rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>"
#define IN      "<devices>" RNG "</devices>"
#define ADDED   "AP 11:0.0; "
#define REMOVED "AP 12:0.0; "

static void attach(struct domain *domain, const char *xml, unsigned flags)
{
        domain_attach_device(domain, xml, flags, fake_driver_done, &outcome);
}

static void detach(struct domain *domain, const char *xml, unsigned flags)
{
        domain_detach_device(domain, xml, flags, fake_driver_done, &outcome);
}

/* The generators of random numbers of the guest, and of the definition. */
static void expect_rngs(const struct domain *domain, unsigned live, unsigned config)
{
        const struct domain_def *active = (const struct domain_def *)domain->base.published->active;
        const struct domain_def *stored = (const struct domain_def *)domain->base.published->persistent;

        ck_assert_uint_eq(active ? active->devices.n_rngs : 0, live);
        ck_assert_uint_eq(stored ? stored->devices.n_rngs : 0, config);
}

START_TEST(to_a_definition)
{
        struct domain *domain = fake_driver_define(fake, fake_driver_xml(""));
        g_autofree char *file = NULL;

        attach(domain, RNG, CURRENT);
        expect(NULL, "", "-P; ");
        expect_rngs(domain, 0, 1);
        file = fake_driver_read_file(fake, domain);
        ck_assert_ptr_nonnull(strstr(file, "<rng "));
        attach(domain, RNG, LIVE);
        expect("Requested operation is not valid: domain 'web' is not running", "", "");
        detach(domain, RNG, CONFIG);
        expect(NULL, "", "-P; ");
        expect_rngs(domain, 0, 0);
        detach(domain, RNG, CONFIG);
        fake_driver_expect(fake, &outcome, "device not found: no device of the domain matches rng 'virtio'");
}
END_TEST

START_TEST(to_a_guest)
{
        struct domain *domain = make_running("");

        attach(domain, RNG, CURRENT);
        expect(NULL, "reach attach-rng0 save ", ADDED);
        expect_rngs(domain, 1, 0);
        attach(domain, RNG, BOTH);
        expect(NULL, "reach attach-rng1 save ", ADDED);
        expect_rngs(domain, 2, 1);
        attach(domain, RNG, CONFIG);
        expect(NULL, "save ", "AP; ");
        expect_rngs(domain, 2, 2);
}
END_TEST

START_TEST(attach_fails)
{
        struct domain *domain = make_running("");

        fake->fail = "attach-rng0";
        attach(domain, RNG, BOTH);
        expect("operation failed: told to fail: attach-rng0", "reach attach-rng0 ", "");
        expect_rngs(domain, 0, 0);
        attach(domain, "<title/>", BOTH);
        fake_driver_expect(fake, &outcome, "XML error: this is no device at line 1 (<title>)");
        attach(domain, RNG, 4);
        expect("invalid argument: unsupported flags (0x4) in function AttachDevice", "", "");
        detach(domain, RNG, 4);
        expect("invalid argument: unsupported flags (0x4) in function DetachDevice", "", "");
}
END_TEST

/* A device that the guest has can only be asked back: what it has is told. */
START_TEST(attach_is_not_stored)
{
        struct domain *domain = make_running("");

        fake_driver_break_store(fake, domain);
        attach(domain, RNG, BOTH);
        while (!outcome.count)
                loop_step(fake->base.loop, true);
        ck_assert_ptr_nonnull(outcome.error);
        ck_assert_str_eq(fake->journal->str, ADDED);
        expect_rngs(domain, 1, 0);
        fake_driver_mend_store(fake, domain);
        g_free(outcome.error);
}
END_TEST

START_TEST(from_a_guest)
{
        struct domain *domain = make_running(IN);

        detach(domain, RNG, BOTH);
        expect(NULL, "reach detach-rng0 save ", REMOVED);
        expect_rngs(domain, 0, 0);
}
END_TEST

START_TEST(by_alias)
{
        struct domain *domain = make_running(IN);

        domain_detach_alias(domain, "rng1", LIVE, fake_driver_done, &outcome);
        expect("device not found: no device 'rng1' in the domain", "reach ", "");
        domain_detach_alias(domain, "rng0", LIVE, fake_driver_done, &outcome);
        expect(NULL, "reach detach-rng0 save ", REMOVED);
        expect_rngs(domain, 0, 1);
}
END_TEST

/* The guest keeps the device, the definition does not; it goes when the guest lets go. */
START_TEST(a_guest_that_takes_its_time)
{
        struct domain *domain = make_running(IN);

        fake->slow = true;
        detach(domain, RNG, BOTH);
        expect(NULL, "reach detach-rng0 save ", "AP; ");
        expect_rngs(domain, 1, 0);
        fake_driver_let_go(fake, domain, "rng0");
        ck_assert_str_eq(fake->journal->str, REMOVED);
        expect_rngs(domain, 0, 0);
}
END_TEST

START_TEST(a_guest_that_refuses)
{
        struct domain *domain = make_running(IN);

        fake->fail = "detach-rng0";
        detach(domain, RNG, BOTH);
        expect("operation failed: told to fail: detach-rng0", "reach detach-rng0 ", "");
        expect_rngs(domain, 1, 1);
}
END_TEST

START_TEST(updates)
{
        const char *const down = "<interface type='user'><mac address='52:54:00:00:00:01'/>"
                                 "<link state='down'/></interface>";
        struct domain *domain = make_running(
                "<devices><interface type='user'><mac address='52:54:00:00:00:01'/></interface></devices>");
        const struct domain_def *def;

        domain_update_device(domain, down, BOTH, fake_driver_done, &outcome);
        expect(NULL, "reach update-net0 save ", "AP; ");
        def = (const struct domain_def *)domain->base.published->active;
        ck_assert_int_eq(def->devices.interfaces[0].link_up, DOMAIN_SWITCH_OFF);
        def = (const struct domain_def *)domain->base.published->persistent;
        ck_assert_int_eq(def->devices.interfaces[0].link_up, DOMAIN_SWITCH_OFF);
        fake->fail = "force-net0";
        domain_update_device(domain, "<interface type='user'><mac address='52:54:00:00:00:01'/></interface>",
                             BOTH | DOMAIN_UPDATE_FORCE, fake_driver_done, &outcome);
        expect("operation failed: told to fail: force-net0", "reach force-net0 ", "");
        def = (const struct domain_def *)domain->base.published->persistent;
        ck_assert_int_eq(def->devices.interfaces[0].link_up, DOMAIN_SWITCH_OFF);
        domain_update_device(domain, down, 8, fake_driver_done, &outcome);
        expect("invalid argument: unsupported flags (0x8) in function UpdateDevice", "", "");
}
END_TEST

/* A Destroy does not wait for a device on its way. */
START_TEST(destroyed_meanwhile)
{
        struct domain *domain = make_running("");
        struct fake_outcome destroyed = { 0 };

        fake->block = "attach-rng0";
        attach(domain, RNG, BOTH);
        while (!fake->blocked)
                loop_step(fake->base.loop, true);
        domain_destroy(domain, 0, fake_driver_done, &destroyed);
        fake_driver_expect(fake, &destroyed, NULL);
        ck_assert_uint_eq(outcome.count, 1);
        ck_assert_ptr_nonnull(outcome.error);
        g_free(outcome.error);
        ck_assert(!domain_is_active(domain));
        expect_rngs(domain, 0, 0);
}
END_TEST

CHECK_MAIN_FIXTURE("domain-plug", setup_domains, teardown_domains, to_a_definition, to_a_guest, attach_fails,
                   attach_is_not_stored, from_a_guest, by_alias, a_guest_that_takes_its_time,
                   a_guest_that_refuses, updates, destroyed_meanwhile)
