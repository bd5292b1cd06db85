/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Asking a guest for statistics: commands that nobody waits for (qmp_call()), so that a guest which hangs
 * keeps its lane free. A question is open until QEMU answers, however late, or is let go of; while it is, it
 * is not asked again. Lane of the domain.
 */
#include "drivers/qemu/guest-stats.h"

#include "base/error.h"
#include "base/log.h"
#include "drivers/qemu/balloon.h"
#include "drivers/qemu/device-internal.h"
#include "drivers/qemu/guest.h"
#include "drivers/qemu/perf.h"

#include <string.h>

/* Whoever asked has been told something else long before. */
#define TIMEOUT_MS (24 * 3600 * 1000)
/* As many as a domain may have, and vCPUs (docs of the format). */
#define IOTHREADS_MAX 1024
#define VCPUS_MAX     4096

/*
 * A guest whose statistics are not polled for tells of its memory when its driver begins, and never again; so
 * long, in s, that counts.
 */
#define TOLD_ONCE_S 10

#define ANSWERS_MAX 2

struct guest_question {
        struct guest *guest; /* borrowed */
        enum domain_part part;
        unsigned sent, received;
        json_t *answers[ANSWERS_MAX]; /* owned; NULL: it failed */
        uint64_t ids[ANSWERS_MAX];    /* 0: answered */
        uint64_t vcpus_id;            /* of query-cpus-fast, which is asked behind the others; 0: it is not */
};

/* ---- what the answers mean ---- */

static void read_balloon(struct domain_answer *answer, const json_t *result)
{
        static const struct {
                const char *name;
                bool bytes;
        } stats[DOMAIN_BALLOON_TAGS] = {
                [DOMAIN_BALLOON_SWAP_IN] = { "stat-swap-in", true },
                [DOMAIN_BALLOON_SWAP_OUT] = { "stat-swap-out", true },
                [DOMAIN_BALLOON_MAJOR_FAULTS] = { "stat-major-faults", false },
                [DOMAIN_BALLOON_MINOR_FAULTS] = { "stat-minor-faults", false },
                [DOMAIN_BALLOON_UNUSED] = { "stat-free-memory", true },
                [DOMAIN_BALLOON_AVAILABLE] = { "stat-total-memory", true },
                [DOMAIN_BALLOON_USABLE] = { "stat-available-memory", true },
                [DOMAIN_BALLOON_DISK_CACHES] = { "stat-disk-caches", true },
                [DOMAIN_BALLOON_HUGETLB_PGALLOC] = { "stat-htlb-pgalloc", false },
                [DOMAIN_BALLOON_HUGETLB_PGFAIL] = { "stat-htlb-pgfail", false },
        };
        const json_t *values = json_object_get(result, "stats");
        struct domain_balloon_stats *balloon = &answer->balloon;
        uint64_t updated_s = guest_stats_get_count(result, "last-update");

        balloon->known |= 1u << DOMAIN_BALLOON_LAST_UPDATE;
        balloon->values[DOMAIN_BALLOON_LAST_UPDATE] = updated_s;
        /* A guest that has never told anything. */
        if (updated_s == 0)
                return;
        for (unsigned i = 0; i < DOMAIN_BALLOON_TAGS; i++) {
                const json_t *value = stats[i].name ? json_object_get(values, stats[i].name) : NULL;

                /* QEMU writes -1, or 2^64 - 1 as a real number, for what the guest does not tell. */
                if (!json_is_integer(value) || json_integer_value(value) < 0)
                        continue;
                balloon->known |= 1u << i;
                balloon->values[i] = (uint64_t)json_integer_value(value) / (stats[i].bytes ? 1024 : 1);
        }
}

static void read_iothreads(struct domain_answer *answer, const json_t *result)
{
        static const char prefix[] = "iothread";

        for (size_t i = 0; i < json_array_size(result) && i < IOTHREADS_MAX; i++) {
                const json_t *thread = json_array_get(result, i);
                const char *name = json_string_value(json_object_get(thread, "id"));
                struct domain_iothread_stats stats = { 0 };

                if (!name || !g_str_has_prefix(name, prefix))
                        continue;
                stats.id = (unsigned)g_ascii_strtoull(name + strlen(prefix), NULL, 10);
                stats.poll_max_ns = guest_stats_get_count(thread, "poll-max-ns");
                stats.poll_grow = (unsigned)guest_stats_get_count(thread, "poll-grow");
                stats.poll_shrink = (unsigned)guest_stats_get_count(thread, "poll-shrink");
                if (stats.id > 0)
                        g_array_append_val(answer->iothreads, stats);
        }
}

static void read_vcpu_rates(struct domain_dirty_rate *rate, const json_t *list)
{
        if (!json_is_array(list))
                return;
        rate->vcpus = g_array_new(FALSE, FALSE, sizeof(struct domain_vcpu_dirty_rate));
        for (size_t i = 0; i < json_array_size(list) && i < VCPUS_MAX; i++) {
                const json_t *entry = json_array_get(list, i);
                const struct domain_vcpu_dirty_rate vcpu = {
                        (unsigned)guest_stats_get_count(entry, "id"),
                        guest_stats_get_count(entry, "dirty-rate"),
                };

                g_array_append_val(rate->vcpus, vcpu);
        }
}

static void read_dirty_rate(struct domain_answer *answer, const json_t *result)
{
        static const char *const states[] = { "unstarted", "measuring", "measured" };
        static const char *const modes[] = { "page-sampling", "dirty-bitmap", "dirty-ring" };
        const char *status = json_string_value(json_object_get(result, "status"));
        const char *mode = json_string_value(json_object_get(result, "mode"));
        struct domain_dirty_rate *rate = &answer->dirty_rate;

        for (unsigned i = 0; status && i < G_N_ELEMENTS(states); i++) {
                if (strcmp(states[i], status) == 0)
                        rate->status = (int)i;
        }
        for (unsigned i = 0; mode && i < G_N_ELEMENTS(modes); i++) {
                if (strcmp(modes[i], mode) == 0)
                        rate->mode = g_strdup(modes[i]);
        }
        rate->start_s = (int64_t)guest_stats_get_count(result, "start-time");
        rate->period_s = (int)guest_stats_get_count(result, "calc-time");
        rate->mib_per_s = (int64_t)guest_stats_get_count(result, "dirty-rate");
        read_vcpu_rates(rate, json_object_get(result, "vcpu-dirty-rate"));
}

/*
 * Until when it has nothing newer to tell: the guest tells of its memory every so many seconds, the first
 * time when its driver begins.
 */
static gint64 hold_balloon(const struct domain_answer *answer, const struct domain_def *def)
{
        const struct domain_memballoon *balloon = def->devices.memballoon;
        gint64 now_s = g_get_real_time() / G_USEC_PER_SEC;
        gint64 told_s = (gint64)answer->balloon.values[DOMAIN_BALLOON_LAST_UPDATE];
        gint64 period_s = balloon ? balloon->stats_period_s : 0;

        if (told_s == 0)
                return 0;
        if (period_s == 0)
                return answer->made_us + TOLD_ONCE_S * G_USEC_PER_SEC;
        return answer->made_us + CLAMP(told_s + period_s - now_s, 0, period_s) * G_USEC_PER_SEC;
}

/*
 * A rate is measured when QEMU is told to, which is not done here: by whoever has a monitor of their own, or
 * by who had the guest before us.
 */
static gint64 hold_dirty_rate(const struct domain_answer *answer, const struct domain_def *def)
{
        enum { MEASURING = 1 };

        return answer->dirty_rate.status != MEASURING && def->qemu.n_args == 0 ? G_MAXINT64 : 0;
}

static bool is_of_counters(enum domain_part part)
{
        return part == DOMAIN_PART_COUNTERS || part == DOMAIN_PART_VCPU_COUNTERS;
}

/* What kinds there are does not change while the emulator runs. */
static void read_kinds(struct guest *guest, const json_t *schemas)
{
        if (!guest->counter_kinds)
                guest->counter_kinds = guest_stats_read_kinds(schemas);
}

static void read_counters(const struct guest_question *question, struct domain_answer *answer)
{
        struct guest *guest = question->guest;

        if (question->answers[1])
                read_kinds(guest, question->answers[1]);
        if (!guest->counter_kinds)
                return;
        if (question->part == DOMAIN_PART_COUNTERS)
                guest_stats_read_counters(answer, guest->counter_kinds, question->answers[0]);
        else
                guest_stats_read_vcpu_counters(answer, guest->counter_kinds, question->answers[0],
                                               guest->vcpus);
}

/* NULL: what it has answered says nothing. */
static struct domain_answer *read_answers(const struct guest_question *question)
{
        const struct domain_state *current = domain_get_current(question->guest->domain);
        const json_t *first = question->answers[0];
        const struct domain_def *def;
        struct domain_answer *answer;

        if (!first || !current || !current->base.active)
                return NULL;
        def = domain_state_get_def(current);
        answer = domain_answer_new(question->part, current->id);
        switch (question->part) {
        case DOMAIN_PART_BALLOON:
                read_balloon(answer, first);
                answer->good_until_us = hold_balloon(answer, def);
                break;
        case DOMAIN_PART_BLOCK:
        case DOMAIN_PART_BLOCK_COUNTERS:
                guest_stats_read_images(answer, def, first, question->answers[1]);
                break;
        case DOMAIN_PART_DISK_ERRORS:
                guest_stats_read_errors(answer, def, first);
                break;
        case DOMAIN_PART_IOTHREADS:
                read_iothreads(answer, first);
                break;
        case DOMAIN_PART_DIRTY_RATE:
                read_dirty_rate(answer, first);
                answer->good_until_us = hold_dirty_rate(answer, def);
                break;
        case DOMAIN_PART_COUNTERS:
        case DOMAIN_PART_VCPU_COUNTERS:
                read_counters(question, answer);
                break;
        case DOMAIN_PART_PERF:
        case DOMAIN_PARTS:
                break;
        }
        return answer;
}

/* ---- questions ---- */

static void end_question(struct guest_question *question, struct domain_answer *answer)
{
        struct guest *guest = question->guest;

        guest->questions[question->part] = NULL;
        domain_answered(guest->domain, question->part, answer);
        for (unsigned i = 0; i < ANSWERS_MAX; i++)
                json_decref(question->answers[i]);
        g_free(question);
}

/* Nothing more is heard of it. */
static void forget_calls(struct guest_question *question)
{
        struct qmp *qmp = question->guest->qmp;

        for (unsigned i = 0; i < ANSWERS_MAX && qmp; i++) {
                if (question->ids[i])
                        qmp_forget(qmp, question->ids[i]);
                question->ids[i] = 0;
        }
        if (question->vcpus_id && qmp)
                qmp_forget(qmp, question->vcpus_id);
        question->vcpus_id = 0;
}

void guest_forget_calls(struct guest *guest)
{
        for (unsigned i = 0; i < DOMAIN_PARTS; i++) {
                if (guest->questions[i])
                        forget_calls(guest->questions[i]);
        }
}

void guest_end_questions(struct guest *guest)
{
        guest_forget_calls(guest);
        for (unsigned i = 0; i < DOMAIN_PARTS; i++) {
                if (guest->questions[i])
                        end_question(guest->questions[i], NULL);
        }
}

static void take_vcpus(const json_t *result, const GError *error, void *data)
{
        struct guest_question *question = data;
        struct guest *guest = question->guest;

        question->vcpus_id = 0;
        if (error && qmp_is_broken(guest->qmp))
                return;
        json_decref(guest->vcpus);
        guest->vcpus = json_incref((json_t *)result);
        end_question(question, read_answers(question));
}

/* The emulator's names of vCPUs have numbers, which stay what they are: asked for when there is a new name.
 */
static bool ask_for_vcpus(struct guest_question *question)
{
        struct guest *guest = question->guest;

        if (question->part != DOMAIN_PART_VCPU_COUNTERS ||
            guest_stats_know_vcpus(question->answers[0], guest->vcpus))
                return false;
        question->vcpus_id = qmp_call(guest->qmp, "query-cpus-fast", NULL, TIMEOUT_MS, take_vcpus, question);
        return true;
}

static void take(struct guest_question *question, unsigned index, const json_t *result, const GError *error)
{
        if (error)
                log_debug("%s: %s", question->guest->who, error->message);
        if (error_is(error, ERROR_OPERATION_UNSUPPORTED) && is_of_counters(question->part))
                read_kinds(question->guest, NULL);
        question->answers[index] = json_incref((json_t *)result);
        question->ids[index] = 0;
        /* The guest may be about to end: whoever asks is to be told that, then (guest_end_questions()). */
        if (error && qmp_is_broken(question->guest->qmp))
                return;
        if (++question->received == question->sent && !ask_for_vcpus(question))
                end_question(question, read_answers(question));
}

static void take_first(const json_t *result, const GError *error, void *data)
{
        take(data, 0, result, error);
}

static void take_second(const json_t *result, const GError *error, void *data)
{
        take(data, 1, result, error);
}

static void send(struct guest_question *question, const char *command, json_t *arguments)
{
        static const qmp_reply_fn takers[ANSWERS_MAX] = { take_first, take_second };
        unsigned index = question->sent++;

        question->ids[index] =
                qmp_queue_call(question->guest->qmp, command, arguments, TIMEOUT_MS, takers[index], question);
}

/* Older emulators and kernels count nothing. */
static void ask_for_counters(struct guest_question *question, const char *target)
{
        GHashTable *kinds = question->guest->counter_kinds;

        if (kinds && g_hash_table_size(kinds) == 0)
                return;
        send(question, "query-stats", json_pack("{s:s}", "target", target));
        if (!kinds)
                send(question, "query-stats-schemas", NULL);
}

static json_t *describe_balloon(const struct domain_memballoon *balloon)
{
        json_t *arguments = json_object();

        device_set_format(arguments, "path", "/machine/peripheral/%s", balloon->info.alias);
        device_set_string(arguments, "property", "guest-stats");
        return arguments;
}

/* The kernel is asked, not the emulator. */
static struct domain_answer *read_perf(const struct guest *guest)
{
        struct domain_answer *answer =
                domain_answer_new(DOMAIN_PART_PERF, domain_get_current(guest->domain)->id);

        answer->perf_events = perf_read(guest, answer->perf);
        return answer;
}

static bool has_medium(const struct domain_def *def)
{
        for (unsigned i = 0; i < def->devices.n_disks; i++) {
                if (def->devices.disks[i].source.index > 0)
                        return true;
        }
        return false;
}

static bool has_chain(const struct domain_def *def)
{
        for (unsigned i = 0; i < def->devices.n_disks; i++) {
                if (def->devices.disks[i].source.backing)
                        return true;
        }
        return false;
}

/* Flat answers do not tell of an image again in each that is above it; without such it is the same, and less
 * to read for the emulator. */
static json_t *describe_nodes(const struct domain_def *def)
{
        return has_chain(def) ? json_pack("{s:b}", "flat", 1) : NULL;
}

/* NULL: it is open already. */
static struct guest_question *add_question(struct guest *guest, enum domain_part part)
{
        struct guest_question *question;

        if (guest->questions[part])
                return NULL;
        question = g_new0(struct guest_question, 1);
        question->guest = guest;
        question->part = part;
        guest->questions[part] = question;
        return question;
}

static void ask(struct guest *guest, enum domain_part part)
{
        const struct domain_def *def = domain_state_get_def(domain_get_current(guest->domain));
        struct guest_question *question = add_question(guest, part);

        if (!question)
                return;
        switch (part) {
        case DOMAIN_PART_BALLOON:
                if (def->devices.memballoon && def->devices.memballoon->info.alias)
                        send(question, "qom-get", describe_balloon(def->devices.memballoon));
                break;
        case DOMAIN_PART_BLOCK:
                send(question, "query-blockstats", NULL);
                if (has_medium(def))
                        send(question, "query-named-block-nodes", describe_nodes(def));
                break;
        case DOMAIN_PART_BLOCK_COUNTERS:
                send(question, "query-blockstats", NULL);
                break;
        case DOMAIN_PART_DISK_ERRORS:
                send(question, "query-block", NULL);
                break;
        case DOMAIN_PART_IOTHREADS:
                send(question, "query-iothreads", NULL);
                break;
        case DOMAIN_PART_DIRTY_RATE:
                send(question, "query-dirty-rate", NULL);
                break;
        case DOMAIN_PART_COUNTERS:
                ask_for_counters(question, "vm");
                break;
        case DOMAIN_PART_VCPU_COUNTERS:
                ask_for_counters(question, "vcpu");
                break;
        case DOMAIN_PART_PERF:
                end_question(question, read_perf(guest));
                return;
        case DOMAIN_PARTS:
                break;
        }
        if (question->sent == 0)
                end_question(question, NULL);
}

void guest_ask(struct domain *domain, unsigned parts)
{
        struct guest *guest = guest_of(domain);
        struct qmp *qmp = guest_get_monitor(guest, NULL);

        for (unsigned i = 0; i < DOMAIN_PARTS; i++) {
                if (!(parts & DOMAIN_PART_BIT(i)))
                        continue;
                if (qmp)
                        ask(guest, i);
                else if (guest->closed_timer)
                        add_question(guest, i); /* It may be about to end: as above. */
                else
                        domain_answered(domain, i, NULL);
        }
        if (qmp)
                qmp_flush_calls(qmp);
}
