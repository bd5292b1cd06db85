/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The steps of a save, above the fake driver: their order, their ways back, and what must not be asked. */
#include "tests/unit/fake-driver.h"

#include "base/job.h"
#include "base/operation.h"
#include "base/loop.h"
#include "drivers/domain/save.h"
#include "tests/unit/check-main.h"

static struct fake_driver *fake;
static struct domain *web;

static void setup(void)
{
        fake = fake_driver_new();
        web = fake_driver_define(fake, fake_driver_xml("<devices><memballoon model='virtio'/></devices>"));
        fake_driver_start(fake, web);
}

static void teardown(void)
{
        fake_driver_free(fake);
}

static void save(const char *error)
{
        struct fake_outcome outcome = { 0 };

        domain_save(web, "/saves/web", NULL, 0, fake_driver_done, &outcome);
        fake_driver_expect(fake, &outcome, error);
}

START_TEST(all_steps)
{
        save(NULL);
        ck_assert_str_eq(fake->calls->str,
                         "save-open save suspend save save-begin save-finish save-publish stop save-free ");
        /* Paused and stopped: 5.4. */
        ck_assert_str_eq(fake->journal->str, "AP 0:3.0; -P 0:5.4; ");
        ck_assert_int_eq(fake->last->reason, DOMAIN_SHUTOFF_SAVED);
}
END_TEST

static struct domain_def *make_def(const char *type, const char *devices)
{
        g_autofree char *xml = g_strdup_printf(
                "<domain type='%s'><name>a</name><uuid>" FAKE_UUID
                "</uuid><maxMemory slots='4'>1048576</maxMemory><memory>524288</memory><vcpu>1</vcpu>"
                "<os><type arch='x86_64' machine='q35'>hvm</type></os>"
                "<cpu><numa><cell id='0' cpus='0' memory='65536'/></numa></cpu>"
                "<devices>%s</devices></domain>",
                type, devices);
        g_autoptr(GError) error = NULL;
        struct domain_def *def = domain_def_parse_stored(xml, &error);

        ck_assert_msg(def != NULL, "%s", error ? error->message : "");
        return def;
}

/* It has a clock of KVM's, which nothing else can go on with. */
START_TEST(a_guest_of_kvm)
{
        CLEANUP(domain_def_unref) struct domain_def *kvm = make_def("kvm", ""), *qemu = make_def("qemu", "");
        g_autoptr(GError) error = NULL;

        ck_assert(domain_def_check_same_guest(qemu, kvm, NULL));
        ck_assert(domain_def_check_same_guest(kvm, kvm, NULL));
        ck_assert(!domain_def_check_same_guest(kvm, qemu, &error));
        ck_assert_str_eq(error->message, "unsupported configuration: the saved guest of domain 'a' is one of "
                                         "type 'kvm', and cannot go on as type 'qemu'");
}
END_TEST

#define NVDIMM(source)                                                                                       \
        "<memory model='nvdimm'><uuid>2a6ba5b4-2d9f-4d2c-b7bb-6f4a2c5b7f11</uuid><source>" source            \
        "</source><target><size>262144</size><node>0</node></target></memory>"
#define DISK(driver)                                                                                         \
        "<disk type='file'><driver name='qemu' type='raw' " driver "/><source file='/d'/>"                   \
        "<target dev='vda' bus='virtio'/></disk>"

/* Documents of the same guest, one after the other, and one of another. */
static const struct {
        const char *devices, *same, *other;
} documents[] = {
        { DISK("queues='4' cache='none'"), DISK("cache='writeback' queues='4'"), DISK("queues='2'") },
        { NVDIMM("<path>/x</path>"), NVDIMM("<path>/y</path>"),
          NVDIMM("<path>/x</path><alignsize>2048</alignsize>") },
        { NVDIMM("<path>/x</path><alignsize>2048</alignsize><pmem/>"),
          NVDIMM("<pmem/><path>/y</path><alignsize unit='MiB'>2</alignsize>"),
          NVDIMM("<path>/x</path><alignsize>4096</alignsize><pmem/>") },
        { NVDIMM("<path>/x</path><pmem/>"), NVDIMM("<pmem/><path>/y</path>"), NVDIMM("<path>/x</path>") },
};

START_TEST(what_the_guest_sees)
{
        CLEANUP(domain_def_unref) struct domain_def *def = make_def("qemu", documents[_i].devices);
        CLEANUP(domain_def_unref) struct domain_def *same = make_def("qemu", documents[_i].same);
        CLEANUP(domain_def_unref) struct domain_def *other = make_def("qemu", documents[_i].other);
        g_autoptr(GError) error = NULL;

        ck_assert_msg(domain_def_check_same_guest(def, same, &error), "%s", error ? error->message : "");
        ck_assert(!domain_def_check_same_guest(def, other, &error));
        ck_assert_ptr_nonnull(strstr(error->message, "is not as the saved guest of domain 'a' sees it"));
}
END_TEST

/* Whatever fails, the guest that ran runs on, and nothing has a name. */
START_TEST(each_failure)
{
        static const struct {
                const char *fail, *calls;
        } failures[] = {
                { "save-open", "save-open " },
                { "suspend", "save-open save suspend save save-free " },
                { "save-begin", "save-open save suspend save save-begin resume save save-free " },
                { "save-finish",
                  "save-open save suspend save save-begin save-finish resume save save-free " },
                { "save-publish",
                  "save-open save suspend save save-begin save-finish save-publish resume save save-free " },
        };
        g_autofree char *error = g_strdup_printf("operation failed: told to fail: %s", failures[_i].fail);

        fake->fail = failures[_i].fail;
        save(error);
        ck_assert_str_eq(fake->calls->str, failures[_i].calls);
        ck_assert_int_eq(fake->last ? fake->last->state : DOMAIN_RUNNING, DOMAIN_RUNNING);
        /* And it can be saved then. */
        fake->fail = NULL;
        save(NULL);
}
END_TEST

/* Its file is there, and the guest goes on: nothing may begin from it. */
START_TEST(a_guest_that_does_not_end)
{
        fake->fail = "stop";
        save("operation failed: told to fail: stop");
        ck_assert_str_eq(fake->calls->str,
                         "save-open save suspend save save-begin save-finish save-publish stop "
                         "save-retract resume save save-free ");
        ck_assert_int_eq(fake->last->state, DOMAIN_RUNNING);
}
END_TEST

static void wait_for_step(const char *name)
{
        while (!strstr(fake->calls->str, name))
                loop_step(fake->base.loop, true);
}

/* It is under way when others ask. */
START_TEST(meanwhile)
{
        struct fake_outcome saved = { 0 }, outcome = { 0 };

        fake->slow = true;
        domain_save(web, "/saves/web", NULL, 0, fake_driver_done, &saved);
        wait_for_step("save-begin ");
        domain_resume(web, fake_driver_done, &outcome);
        fake_driver_expect(fake, &outcome,
                           "Requested operation is not valid: domain 'web' is busy with 'save': call Resume "
                           "when that is over; AbortJob ends it where it can");
        domain_suspend(web, fake_driver_done, &outcome);
        fake_driver_expect(fake, &outcome,
                           "Requested operation is not valid: domain 'web' is busy with 'save': call Suspend "
                           "when that is over; AbortJob ends it where it can");
        domain_set_memory(web, 32768, DOMAIN_AFFECT_LIVE, fake_driver_done, &outcome);
        fake_driver_expect(fake, &outcome,
                           "Requested operation is not valid: domain 'web' is busy with 'save'");
        domain_save(web, "/saves/web", NULL, 0, fake_driver_done, &outcome);
        fake_driver_expect(fake, &outcome,
                           "Requested operation is not valid: domain 'web' is busy with 'save'");
        operation_cancel(operation_get(&web->base));
        fake_driver_expect(fake, &saved, "operation aborted: told to stop");
        ck_assert_int_eq(domain_get_published(web)->state, DOMAIN_RUNNING);
        domain_set_memory(web, 32768, DOMAIN_AFFECT_LIVE, fake_driver_done, &outcome);
        fake_driver_expect(fake, &outcome, NULL);
}
END_TEST

/* A Destroy needs no answer from whoever saves, and the guest that is started then is another one. */
START_TEST(destroyed_meanwhile)
{
        struct fake_outcome saved = { 0 }, outcome = { 0 };

        fake->slow = true;
        domain_save(web, "/saves/web", NULL, 0, fake_driver_done, &saved);
        wait_for_step("save-begin ");
        domain_destroy(web, 0, fake_driver_done, &outcome);
        fake_driver_expect(fake, &outcome, NULL);
        domain_create(web, 0, NULL, fake_driver_done, &outcome);
        fake_driver_expect(fake, &outcome, NULL);
        fake_driver_forget(fake);
        operation_cancel(operation_get(&web->base));
        fake_driver_expect(fake, &saved, "operation aborted: told to stop");
        ck_assert_str_eq(fake->calls->str, "save-free ");
        domain_suspend(web, fake_driver_done, &outcome);
        fake_driver_expect(fake, &outcome, NULL);
}
END_TEST

static bool crash(struct managed *object, void *data, GError **error)
{
        domain_set_state((struct domain *)object, DOMAIN_CRASHED, 1, -1, 0);
        domain_dump_crash((struct domain *)object);
        return true;
}

static bool nothing(struct managed *object, void *data, GError **error)
{
        return true;
}

/* It crashes while somebody dumps it: the agent's own dump comes behind that, and what becomes of it behind
 * both. */
START_TEST(crashed_meanwhile)
{
        struct fake_outcome dumped = { 0 }, crashed = { 0 };

        fake->base.dump_dir = g_build_filename(fake->directory, "dump", NULL);
        fake->slow = true;
        domain_core_dump(web, "/dumps/web", 0, DOMAIN_DUMP_LIVE, fake_driver_done, &dumped);
        wait_for_step("save-begin ");
        managed_run(&web->base, MANAGED_IN_TURN, crash, fake_driver_done, &crashed);
        fake_driver_expect(fake, &crashed, NULL);
        /* What is asked now is done behind what that has begun. */
        managed_run(&web->base, MANAGED_IN_TURN, nothing, fake_driver_done, &crashed);
        fake_driver_expect(fake, &crashed, NULL);
        ck_assert_str_eq(fake->calls->str, "save-open save-begin save ");
        fake->slow = false;
        operation_cancel(operation_get(&web->base));
        fake_driver_expect(fake, &dumped, "operation aborted: told to stop");
        wait_for_step("end-crash ");
        ck_assert_str_eq(fake->calls->str,
                         "save-open save-begin save save-free save-open save-begin save-finish save-publish "
                         "save-free end-crash ");
}
END_TEST

/* Somebody lets it go on before its dump has its turn: it is not paused for one, and is not to end. */
START_TEST(resumed_before_its_dump)
{
        struct fake_outcome crashed = { 0 }, resumed = { 0 };

        fake->base.dump_dir = g_build_filename(fake->directory, "dump", NULL);
        managed_run(&web->base, MANAGED_IN_TURN, crash, fake_driver_done, &crashed);
        domain_resume(web, fake_driver_done, &resumed);
        fake_driver_expect(fake, &crashed, NULL);
        fake_driver_expect(fake, &resumed, NULL);
        wait_for_step("end-crash ");
        ck_assert_str_eq(fake->calls->str, "save resume save end-crash ");
        ck_assert_int_eq(domain_get_published(web)->state, DOMAIN_RUNNING);
}
END_TEST

/* An agent that starts finds it so, and has nothing yet on which to show that it is dumped. */
START_TEST(found_crashed)
{
        struct job_list *jobs = g_steal_pointer(&fake->base.jobs);
        struct fake_outcome crashed = { 0 };

        fake->base.dump_dir = g_build_filename(fake->directory, "dump", NULL);
        managed_run(&web->base, MANAGED_IN_TURN, crash, fake_driver_done, &crashed);
        fake_driver_expect(fake, &crashed, NULL);
        for (unsigned i = 0; i < 2; i++) {
                managed_run(&web->base, MANAGED_IN_TURN, nothing, fake_driver_done, &crashed);
                fake_driver_expect(fake, &crashed, NULL);
        }
        ck_assert_str_eq(fake->calls->str, "save ");
        fake->base.jobs = jobs;
        domain_dump_crashes(&fake->base);
        wait_for_step("end-crash ");
        ck_assert_str_eq(fake->calls->str,
                         "save save-open save-begin save-finish save-publish save-free end-crash ");
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("domain-save");
        TCase *tests = tcase_create("domain-save");
        SRunner *runner = srunner_create(suite);
        int failed;

        tcase_add_checked_fixture(tests, setup, teardown);
        tcase_add_test(tests, all_steps);
        tcase_add_loop_test(tests, each_failure, 0, 5);
        tcase_add_test(tests, a_guest_of_kvm);
        tcase_add_loop_test(tests, what_the_guest_sees, 0, G_N_ELEMENTS(documents));
        tcase_add_test(tests, a_guest_that_does_not_end);
        tcase_add_test(tests, meanwhile);
        tcase_add_test(tests, destroyed_meanwhile);
        tcase_add_test(tests, crashed_meanwhile);
        tcase_add_test(tests, resumed_before_its_dump);
        tcase_add_test(tests, found_crashed);
        suite_add_tcase(suite, tests);
        srunner_run_all(runner, CK_NORMAL);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
