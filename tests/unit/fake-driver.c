/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The fake driver. Its operations run in the lanes of the domains, all else on the loop.
 */
#include "tests/unit/fake-driver.h"

#include "base/lane.h"
#include "base/loop.h"
#include "base/pool.h"
#include "drivers/domain/answer.h"
#include "drivers/domain/edit-xml.h"
#include "drivers/domain/live-xml.h"
#include "drivers/domain/save.h"

#include <check.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct fake_driver *fake_of(const struct domain *domain)
{
        return (struct fake_driver *)domain->driver;
}

/* ---- operations ---- */

static void mark(void *data)
{
        *(bool *)data = true;
}

bool fake_driver_call(struct domain *domain, const char *name, GError **error)
{
        struct fake_driver *fake = fake_of(domain);

        g_assert(in_lane(domain->base.lane));
        g_string_append_printf(fake->calls, "%s ", name);
        if (g_strcmp0(fake->block, name) == 0) {
                loop_post(fake->base.loop, mark, &fake->blocked);
                ck_assert_int_eq(lane_wait(domain->base.lane, -1, 0, NULL, LANE_FOREVER), LANE_INTERRUPTED);
                return error_set(error, ERROR_FROM_TEST, ERROR_OPERATION_ABORTED, "%s was interrupted", name);
        }
        if (g_strcmp0(fake->fail, name) == 0)
                return error_set(error, ERROR_FROM_TEST, ERROR_OPERATION_FAILED, "told to fail: %s", name);
        return true;
}

static void prepare(struct domain_driver *driver, const char *type, const char *arch, const char *machine,
                    const char *emulator, domain_driver_prepared done, void *data)
{
        /* Those of the document go while it is normalised. */
        g_autofree char *own_arch = g_strdup(arch ? arch : "x86_64"), *own_machine = g_strdup(machine);
        const struct domain_machine resolved = { .type = "test", .arch = own_arch, .machine = own_machine };

        done(&resolved, NULL, data);
}

static void expand_cpu(struct domain_driver *driver, const struct domain_def *def,
                       domain_driver_text_done done, void *data)
{
        struct fake_driver *fake = (struct fake_driver *)driver;
        g_autoptr(GError) error = NULL;

        if (g_strcmp0(fake->fail, "expand-cpu") == 0)
                error_set(&error, ERROR_FROM_TEST, ERROR_OPERATION_FAILED, "told to fail: expand-cpu");
        done(error ? NULL : "<cpu mode='custom'><model>Host</model></cpu>", error, data);
}

static bool start(struct domain *domain, struct domain_state *state, const struct domain_start *how,
                  GError **error)
{
        struct domain_def *active;

        if (!fake_driver_call(domain, "start", error))
                return false;
        active = domain_def_activate((const struct domain_def *)state->base.active, state->id, error);
        if (!active)
                return false;
        managed_state_take_active(&state->base, &active->base);
        return true;
}

static bool stop(struct domain *domain, bool graceful, GError **error)
{
        return fake_driver_call(domain, graceful ? "stop-gracefully" : "stop", error);
}

static bool suspend(struct domain *domain, GError **error)
{
        return fake_driver_call(domain, "suspend", error);
}

static bool resume(struct domain *domain, GError **error)
{
        return fake_driver_call(domain, "resume", error);
}

static bool reset(struct domain *domain, GError **error)
{
        return fake_driver_call(domain, "reset", error);
}

static bool call_with_mode(struct domain *domain, const char *name, unsigned mode, GError **error)
{
        g_autofree char *text = g_strdup_printf("%s-%u", name, mode);

        return fake_driver_call(domain, text, error);
}

static bool shut_down(struct domain *domain, unsigned mode, GError **error)
{
        return call_with_mode(domain, "shutdown", mode, error);
}

static bool reboot(struct domain *domain, unsigned mode, GError **error)
{
        return call_with_mode(domain, "reboot", mode, error);
}

static bool reach(struct domain *domain, GError **error)
{
        return fake_driver_call(domain, "reach", error);
}

/* A guest that gives back all but what it is told to keep. */
static bool set_memory(struct domain *domain, uint64_t kib, struct domain_def **live, GError **error)
{
        struct domain_edit *edit;

        if (!call_with_mode(domain, "memory", (unsigned)kib, error))
                return false;
        if (fake_of(domain)->slow)
                return true;
        edit = domain_edit_new(*live, error);
        domain_edit_set_current_memory(edit, kib);
        domain_def_unref(*live);
        *live = domain_edit_commit(edit, error);
        return *live != NULL;
}

static bool set_stats_period(struct domain *domain, const struct domain_def *live, GError **error)
{
        return call_with_mode(domain, "period", live->devices.memballoon->stats_period_s, error);
}

static void answer(struct domain *domain, unsigned parts)
{
        for (unsigned part = 0; part < DOMAIN_PARTS; part++) {
                struct domain_answer *answer;

                if (!(parts & DOMAIN_PART_BIT(part)))
                        continue;
                answer = domain_answer_new(part, domain_get_current(domain)->id);
                answer->good_until_us = fake_of(domain)->holds ? G_MAXINT64 : 0;
                answer->balloon.known = 1u << DOMAIN_BALLOON_SWAP_IN;
                domain_answered(domain, part, answer);
        }
}

struct note {
        struct fake_driver *fake; /* borrowed */
        char *text;               /* owned */
};

static void take_note(void *data)
{
        struct note *note = data;

        g_string_append(note->fake->calls, note->text);
        g_free(note->text);
        g_free(note);
}

/* Several guests may be asked at once, so it is noted on the loop. */
static void ask(struct domain *domain, unsigned parts)
{
        const char *name = managed_state_get_name(&domain_get_current(domain)->base);
        struct note *note = g_new(struct note, 1);

        *note = (struct note){ fake_of(domain), g_strdup_printf("ask-%s-%u ", name, parts) };
        loop_post(domain->driver->loop, take_note, note);
        if (!fake_of(domain)->silent)
                answer(domain, parts);
}

static unsigned count_cpus(struct domain_driver *driver)
{
        return 8;
}

static bool set_vcpus(struct domain *domain, struct domain_def **live, GError **error)
{
        return call_with_mode(domain, "vcpus", (*live)->vcpus, error);
}

static bool set_iothread(struct domain *domain, unsigned id, bool there, const struct domain_def *def,
                         GError **error)
{
        return call_with_mode(domain, there ? "iothread-add" : "iothread-del", id, error);
}

static bool tune(struct domain *domain, unsigned parts, const struct domain_def *from,
                 const struct domain_def *to, GError **error)
{
        return call_with_mode(domain, "tune", parts, error);
}

static bool with_machine(struct domain *domain, const struct domain_def *def,
                         void (*use)(const struct domain_machine *machine, void *data), void *data,
                         GError **error)
{
        const struct domain_machine machine = {
                .type = "test", .arch = "x86_64", .machine = def->os.machine, .max_vcpus = 16
        };

        use(&machine, data);
        return true;
}

static bool call_with_device(struct domain *domain, const char *name, const struct domain_def *def,
                             const struct domain_edit_device *device, GError **error)
{
        const struct domain_device_info *info = domain_device_get_info(
                device->kind, domain_devices_get(&def->devices, device->kind, device->index));
        g_autofree char *text = g_strdup_printf("%s-%s", name, info->alias);

        return fake_driver_call(domain, text, error);
}

static bool attach(struct domain *domain, const GArray *devices, const struct domain_takings *takings,
                   struct domain_def **live, GError **error)
{
        for (unsigned i = 0; i < devices->len; i++) {
                if (!call_with_device(domain, "attach", *live,
                                      &g_array_index(devices, struct domain_edit_device, i), error))
                        return false;
        }
        return true;
}

static bool detach(struct domain *domain, const struct domain_edit_device *device, bool *gone, GError **error)
{
        *gone = !fake_of(domain)->slow;
        return call_with_device(domain, "detach", domain_state_get_def(domain_get_current(domain)), device,
                                error);
}

static bool update(struct domain *domain, const struct domain_update *what, struct domain_def **live,
                   GError **error)
{
        return call_with_device(domain, what->force ? "force" : "update", *live, &what->device, error);
}

static struct domain *saved_of(const struct domain_save *save)
{
        return (struct domain *)save->base.object;
}

/* These two are not in the domain's lane, which does nothing else meanwhile that would be noted. */
static bool note_save(const struct domain_save *save, const char *name, GError **error)
{
        struct fake_driver *fake = fake_of(saved_of(save));

        g_string_append_printf(fake->calls, "%s ", name);
        return g_strcmp0(fake->fail, name) != 0 ||
               error_set(error, ERROR_FROM_TEST, ERROR_OPERATION_FAILED, "told to fail: %s", name);
}

static bool save_open(struct domain_save *save, GError **error)
{
        return note_save(save, "save-open", error);
}

static bool save_finish(struct domain_save *save, GError **error)
{
        return note_save(save, "save-finish", error);
}

/* One that is slow ends when it is told to. */
static bool save_begin(struct domain_save *save, GError **error)
{
        if (!fake_driver_call(saved_of(save), "save-begin", error))
                return false;
        if (!fake_of(saved_of(save))->slow)
                operation_complete(&save->base, NULL);
        return true;
}

static void save_cancel(struct domain_save *save)
{
        GError *error = NULL;

        error_set(&error, ERROR_FROM_TEST, ERROR_OPERATION_ABORTED, "told to stop");
        operation_complete(&save->base, error);
}

static bool save_publish(struct domain_save *save, GError **error)
{
        return fake_driver_call(saved_of(save), "save-publish", error);
}

static void save_retract(struct domain_save *save)
{
        fake_driver_call(saved_of(save), "save-retract", NULL);
}

static void save_free(struct domain_save *save)
{
        fake_driver_call(saved_of(save), "save-free", NULL);
}

static void end_crash(struct domain *domain)
{
        fake_driver_call(domain, "end-crash", NULL);
}

static void save_status(struct domain *domain, const struct domain_state *state)
{
        fake_driver_call(domain, "save", NULL);
}

static void live_free(struct domain *domain)
{
}

static bool undefine(struct domain *domain, const struct domain_def *def, unsigned flags, GError **error)
{
        return call_with_mode(domain, "undefine", flags, error);
}

static const struct domain_driver_ops fake_ops = {
        .scheduler = "posix",
        .shutdown_modes = DOMAIN_SHUTDOWN_MODES,
        .lifecycle_actions = { DOMAIN_ACTIONS_ALL, DOMAIN_ACTIONS_ALL, DOMAIN_ACTIONS_ALL },
        .prepare = prepare,
        .expand_cpu = expand_cpu,
        .start = start,
        .stop = stop,
        .suspend = suspend,
        .resume = resume,
        .reset = reset,
        .shutdown = shut_down,
        .reboot = reboot,
        .ask = ask,
        .reach = reach,
        .set_memory = set_memory,
        .count_cpus = count_cpus,
        .set_vcpus = set_vcpus,
        .set_iothread = set_iothread,
        .tune = tune,
        .set_stats_period = set_stats_period,
        .with_machine = with_machine,
        .attach = attach,
        .detach = detach,
        .update = update,
        .save_open = save_open,
        .save_begin = save_begin,
        .save_cancel = save_cancel,
        .save_finish = save_finish,
        .save_publish = save_publish,
        .save_retract = save_retract,
        .save_free = save_free,
        .save_status = save_status,
        .end_crash = end_crash,
        .live_free = live_free,
        .undefine = undefine,
};

struct late_answer {
        struct domain *domain; /* borrowed */
        unsigned parts;
        bool done;
};

static void answer_late(void *data)
{
        struct late_answer *late = data;

        answer(late->domain, late->parts);
        loop_post(late->domain->driver->loop, mark, &late->done);
}

void fake_driver_answer(struct fake_driver *fake, struct domain *domain, unsigned parts)
{
        struct late_answer late = { domain, parts, false };

        lane_post(domain->base.lane, answer_late, &late);
        while (!late.done)
                loop_step(fake->base.loop, true);
}

struct letting_go {
        struct domain *domain; /* borrowed */
        const char *alias;     /* borrowed */
        bool done;
};

static void let_go(void *data)
{
        struct letting_go *letting_go = data;
        struct domain *domain = letting_go->domain;
        struct domain_edit *edit = domain_edit_new(domain_state_get_def(domain_get_current(domain)), NULL);
        struct domain_edit_device device;

        domain_edit_detach_alias(edit, letting_go->alias, &device);
        domain_device_removed(domain, domain_edit_commit(edit, NULL), letting_go->alias);
        loop_post(domain->driver->loop, mark, &letting_go->done);
}

void fake_driver_let_go(struct fake_driver *fake, struct domain *domain, const char *alias)
{
        struct letting_go letting_go = { domain, alias, false };

        lane_post(domain->base.lane, let_go, &letting_go);
        while (!letting_go.done)
                loop_step(fake->base.loop, true);
}

/* ---- what is published ---- */

static void note(const struct registry_change *change, void *data)
{
        const struct managed_state *after = change->after;
        const struct managed_event *event = change->event;
        struct fake_driver *fake = data;

        fake->last = (const struct domain_state *)after;
        g_string_append_printf(fake->journal, "%c%c", after && after->active ? 'A' : '-',
                               after && after->persistent ? 'P' : '-');
        if (event)
                g_string_append_printf(fake->journal, " %s%d:%d.%d", change->before == after ? "+" : "",
                                       event->id, event->type, event->detail);
        g_string_append(fake->journal, "; ");
}

void fake_driver_forget(struct fake_driver *fake)
{
        g_string_truncate(fake->calls, 0);
        g_string_truncate(fake->journal, 0);
}

/* ---- calls ---- */

void fake_driver_done(struct managed *object, const GError *error, void *data)
{
        struct fake_outcome *outcome = data;

        outcome->count++;
        outcome->object = object;
        g_free(outcome->error);
        outcome->error = error ? g_strdup(error->message) : NULL;
}

void fake_driver_expect(struct fake_driver *fake, struct fake_outcome *outcome, const char *error)
{
        while (!outcome->count)
                loop_step(fake->base.loop, true);
        ck_assert_uint_eq(outcome->count, 1);
        ck_assert_pstr_eq(outcome->error, error);
        g_free(outcome->error);
        *outcome = (struct fake_outcome){ .object = outcome->object };
}

static void ignore_queued(void *data)
{
}

char *fake_driver_xml(const char *inside)
{
        return g_strdup_printf("<domain type='test'><name>" FAKE_NAME "</name><uuid>" FAKE_UUID "</uuid>"
                               "<memory unit='MiB'>64</memory><vcpu>1</vcpu><os><type>hvm</type></os>%s"
                               "</domain>",
                               inside);
}

struct domain *fake_driver_define(struct fake_driver *fake, char *xml)
{
        struct fake_outcome outcome = { 0 };

        domain_define_xml(&fake->base, xml, 0, ignore_queued, fake_driver_done, &outcome);
        fake_driver_expect(fake, &outcome, NULL);
        g_free(xml);
        fake_driver_forget(fake);
        return (struct domain *)outcome.object;
}

void fake_driver_start(struct fake_driver *fake, struct domain *domain)
{
        struct fake_outcome outcome = { 0 };

        domain_create(domain, 0, NULL, fake_driver_done, &outcome);
        fake_driver_expect(fake, &outcome, NULL);
        fake_driver_forget(fake);
}

struct domain *fake_driver_create(struct fake_driver *fake, char *xml)
{
        struct fake_outcome outcome = { 0 };

        domain_create_xml(&fake->base, xml, 0, NULL, ignore_queued, fake_driver_done, &outcome);
        fake_driver_expect(fake, &outcome, NULL);
        g_free(xml);
        fake_driver_forget(fake);
        return (struct domain *)outcome.object;
}

/* ---- the store ---- */

static char *path_of(const struct fake_driver *fake, const struct domain *domain, const char *suffix)
{
        return g_strdup_printf("%s/%s.xml%s", fake->directory, domain->base.uuid_text, suffix);
}

/* A file cannot take the place of a directory, not even root's. */
void fake_driver_break_store(struct fake_driver *fake, const struct domain *domain)
{
        g_autofree char *path = path_of(fake, domain, ""), *aside = path_of(fake, domain, ".aside");

        rename(path, aside);
        ck_assert_int_eq(mkdir(path, 0700), 0);
}

void fake_driver_mend_store(struct fake_driver *fake, const struct domain *domain)
{
        g_autofree char *path = path_of(fake, domain, ""), *aside = path_of(fake, domain, ".aside");

        ck_assert_int_eq(rmdir(path), 0);
        rename(aside, path);
}

char *fake_driver_read_file(struct fake_driver *fake, const struct domain *domain)
{
        g_autofree char *path = path_of(fake, domain, "");
        char *text = NULL;

        g_file_get_contents(path, &text, NULL, NULL);
        return text;
}

/* ---- new and free ---- */

struct fake_driver *fake_driver_new(void)
{
        struct fake_driver *fake = g_new0(struct fake_driver, 1);
        struct loop *loop = loop_new(NULL);

        fake->directory = g_dir_make_tmp("fake-driver-XXXXXX", NULL);
        ck_assert_ptr_nonnull(fake->directory);
        fake->calls = g_string_new(NULL);
        fake->journal = g_string_new(NULL);
        domain_driver_init(&fake->base, &fake_ops, loop, pool_new(2, NULL), NULL, fake->directory);
        fake->base.jobs = job_list_new(loop, fake->base.pool);
        ck_assert(registry_load(fake->base.domains, NULL));
        registry_listen(fake->base.domains, note, fake);
        return fake;
}

void fake_driver_free(struct fake_driver *fake)
{
        const char *const argv[] = { "rm", "-rf", fake->directory, NULL };
        struct loop *loop = fake->base.loop;

        pool_free(fake->base.pool);
        while (loop_step(loop, false))
                ;
        job_list_free(fake->base.jobs);
        domain_driver_done(&fake->base);
        loop_free(loop);
        ck_assert(g_spawn_sync(NULL, (char **)argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL, NULL, NULL,
                               NULL));
        g_string_free(fake->calls, TRUE);
        g_string_free(fake->journal, TRUE);
        g_free(fake->directory);
        g_free(fake);
}

void fake_driver_expect_vcpus(const struct domain_def *def, const char *list)
{
        g_autoptr(GString) text = g_string_new(NULL);

        for (unsigned i = 0; i < def->n_vcpu_list; i++) {
                const struct domain_vcpu *vcpu = &def->vcpu_list[i];

                g_string_append_printf(text, "%u%s%s%u ", vcpu->id, vcpu->enabled ? "+" : "-",
                                       vcpu->hotpluggable == DOMAIN_SWITCH_ON ? "h" : "s", vcpu->order);
        }
        ck_assert_str_eq(text->str, list);
}
