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

#define ANSWERS_MAX 4

struct guest_question {
        struct guest *guest; /* borrowed */
        enum domain_part part;
        unsigned sent, received;
        json_t *answers[ANSWERS_MAX]; /* owned; NULL: it failed */
        uint64_t ids[ANSWERS_MAX];    /* 0: answered */
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

/* What kinds there are does not change while the emulator runs. */
static void read_counters(const struct guest_question *question, struct domain_answer *answer)
{
        struct guest *guest = question->guest;

        if (question->answers[3] && !guest->counter_kinds)
                guest->counter_kinds = guest_stats_read_kinds(question->answers[3]);
        if (guest->counter_kinds)
                guest_stats_read_counters(answer, guest->counter_kinds, question->answers[0],
                                          question->answers[1], question->answers[2]);
}

/* NULL: what it has answered says nothing. */
static struct domain_answer *read_answers(const struct guest_question *question)
{
        const struct domain_state *current = domain_get_current(question->guest->domain);
        const json_t *first = question->answers[0];
        struct domain_answer *answer;

        if (!first || !current || !current->base.active)
                return NULL;
        answer = domain_answer_new(question->part, current->id);
        switch (question->part) {
        case DOMAIN_PART_BALLOON:
                read_balloon(answer, first);
                break;
        case DOMAIN_PART_BLOCK:
                guest_stats_read_images(answer, domain_state_get_def(current), first, question->answers[1]);
                break;
        case DOMAIN_PART_DISK_ERRORS:
                guest_stats_read_errors(answer, domain_state_get_def(current), first);
                break;
        case DOMAIN_PART_IOTHREADS:
                read_iothreads(answer, first);
                break;
        case DOMAIN_PART_DIRTY_RATE:
                read_dirty_rate(answer, first);
                break;
        case DOMAIN_PART_COUNTERS:
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

void guest_end_questions(struct guest *guest)
{
        for (unsigned i = 0; i < DOMAIN_PARTS; i++) {
                struct guest_question *question = guest->questions[i];

                if (!question)
                        continue;
                for (unsigned j = 0; j < ANSWERS_MAX; j++) {
                        if (question->ids[j] && guest->qmp)
                                qmp_forget(guest->qmp, question->ids[j]);
                }
                end_question(question, NULL);
        }
}

static void take(struct guest_question *question, unsigned index, const json_t *result, const GError *error)
{
        if (error)
                log_debug("%s: %s", question->guest->who, error->message);
        question->answers[index] = json_incref((json_t *)result);
        question->ids[index] = 0;
        /* The guest may be about to end: whoever asks is to be told that, then (guest_end_questions()). */
        if (error && qmp_is_broken(question->guest->qmp))
                return;
        if (++question->received == question->sent)
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

static void take_third(const json_t *result, const GError *error, void *data)
{
        take(data, 2, result, error);
}

static void take_fourth(const json_t *result, const GError *error, void *data)
{
        take(data, 3, result, error);
}

static void send(struct guest_question *question, const char *command, json_t *arguments)
{
        static const qmp_reply_fn takers[ANSWERS_MAX] = { take_first, take_second, take_third, take_fourth };
        unsigned index = question->sent++;

        question->ids[index] =
                qmp_call(question->guest->qmp, command, arguments, TIMEOUT_MS, takers[index], question);
}

static void ask_for_counters(struct guest_question *question)
{
        send(question, "query-stats", json_pack("{s:s}", "target", "vm"));
        send(question, "query-stats", json_pack("{s:s}", "target", "vcpu"));
        send(question, "query-cpus-fast", NULL);
        if (!question->guest->counter_kinds)
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

static void ask(struct guest *guest, enum domain_part part)
{
        const struct domain_def *def = domain_state_get_def(domain_get_current(guest->domain));
        struct guest_question *question;

        if (guest->questions[part])
                return;
        question = g_new0(struct guest_question, 1);
        question->guest = guest;
        question->part = part;
        guest->questions[part] = question;
        switch (part) {
        case DOMAIN_PART_BALLOON:
                if (def->devices.memballoon && def->devices.memballoon->info.alias)
                        send(question, "qom-get", describe_balloon(def->devices.memballoon));
                break;
        case DOMAIN_PART_BLOCK:
                send(question, "query-blockstats", NULL);
                send(question, "query-named-block-nodes", json_pack("{s:b}", "flat", 1));
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
                ask_for_counters(question);
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
                else
                        domain_answered(domain, i, NULL);
        }
}
