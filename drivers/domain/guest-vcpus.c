/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The domain model: vCPUs that a guest takes out of use, or into it, by its agent. It is asked for all of
 * them first, and told then; both on the loop, with the agent's lane in between.
 */
#include "drivers/domain/cpuset.h"
#include "drivers/domain/guest-agent.h"
#include "drivers/domain/model.h"

struct change {
        struct domain *domain; /* ref */
        unsigned count;        /* how many are to be in use; 0: those of map */
        bool online;           /* what becomes of those of map */
        GArray *map;           /* owned; of bool; NULL: count */
        managed_done done;
        void *data; /* owned by done */
};

static void change_end(struct change *change, const GError *error)
{
        change->done(error ? NULL : &change->domain->base, error, change->data);
        if (change->map)
                g_array_unref(change->map);
        managed_unref(&change->domain->base);
        g_free(change);
}

static void was_set(const struct domain_agent_answer *answer, const GError *error, void *data)
{
        change_end(data, error);
}

/* ---- which ---- */

static struct domain_guest_vcpu *get(const GArray *vcpus, unsigned i)
{
        return &g_array_index(vcpus, struct domain_guest_vcpu, i);
}

static void choose(GArray *chosen, const struct domain_guest_vcpu *vcpu, bool online)
{
        struct domain_guest_vcpu wanted = *vcpu;

        wanted.online = online;
        g_array_append_val(chosen, wanted);
}

static const struct domain_guest_vcpu *find(const GArray *vcpus, unsigned id)
{
        for (unsigned i = 0; i < vcpus->len; i++) {
                if (get(vcpus, i)->id == id)
                        return get(vcpus, i);
        }
        return NULL;
}

static bool choose_map(const struct change *change, const GArray *vcpus, GArray *chosen, GError **error)
{
        for (unsigned i = 0; i < change->map->len; i++) {
                const struct domain_guest_vcpu *vcpu = find(vcpus, i);

                if (!g_array_index(change->map, bool, i))
                        continue;
                if (!vcpu)
                        return error_set(error, ERROR_FROM_DOMAIN, ERROR_INVALID_ARG,
                                         "the guest of domain '%s' does not have vCPU %u",
                                         change->domain->base.name, i);
                if (!change->online && !vcpu->can_offline)
                        return error_set(error, ERROR_FROM_DOMAIN, ERROR_INVALID_ARG,
                                         "the guest of domain '%s' cannot do without vCPU %u",
                                         change->domain->base.name, i);
                choose(chosen, vcpu, change->online);
        }
        return true;
}

/* The first ones come, the last ones go. */
static bool choose_count(const struct change *change, const GArray *vcpus, GArray *chosen, GError **error)
{
        unsigned online = 0;

        for (unsigned i = 0; i < vcpus->len; i++)
                online += get(vcpus, i)->online;
        for (unsigned i = 0; i < vcpus->len && online < change->count; i++) {
                if (get(vcpus, i)->online)
                        continue;
                choose(chosen, get(vcpus, i), true);
                online++;
        }
        for (unsigned i = vcpus->len; i-- > 0 && online > change->count;) {
                if (!get(vcpus, i)->online || !get(vcpus, i)->can_offline)
                        continue;
                choose(chosen, get(vcpus, i), false);
                online--;
        }
        if (online == change->count)
                return true;
        return error_set(error, ERROR_FROM_DOMAIN, ERROR_INVALID_ARG,
                         "the guest of domain '%s' has %u vCPUs, and can use %s than %u of them",
                         change->domain->base.name, vcpus->len,
                         online < change->count ? "no more" : "no fewer", online);
}

static void set(const struct domain_agent_answer *answer, const GError *failure, void *data)
{
        struct change *change = data;
        g_autoptr(GArray) chosen = g_array_new(FALSE, FALSE, sizeof(struct domain_guest_vcpu));
        g_autoptr(GError) error = NULL;

        if (failure) {
                change_end(change, failure);
                return;
        }
        if (!(change->map ? choose_map : choose_count)(change, answer->vcpus, chosen, &error) ||
            chosen->len == 0)
                change_end(change, error);
        else
                domain_set_agent_vcpus(change->domain, get(chosen, 0), chosen->len, was_set, change);
}

static void begin(struct domain *domain, const struct change *how)
{
        struct change *change = g_memdup2(how, sizeof(*how));

        change->domain = (struct domain *)managed_ref(&domain->base);
        domain_get_agent_vcpus(domain, set, change);
}

void domain_set_guest_vcpu_count(struct domain *domain, unsigned count, managed_done done, void *data)
{
        begin(domain, &(struct change){ .count = count, .done = done, .data = data });
}

void domain_set_guest_vcpus(struct domain *domain, const GArray *map, int state, unsigned flags,
                            managed_done done, void *data)
{
        GError *error = NULL;
        bool any = false;

        for (unsigned i = 0; i < map->len; i++)
                any |= g_array_index(map, bool, i);
        if (flags_check(flags, 0, ERROR_FROM_DOMAIN, "SetGuestVcpus", &error)) {
                if (state != 0 && state != 1)
                        error_set(&error, ERROR_FROM_DOMAIN, ERROR_INVALID_ARG,
                                  "a vCPU is out of use (0) or in use (1), and not %d", state);
                else if (!any || map->len > DOMAIN_VCPUS_MAX)
                        error_set(&error, ERROR_FROM_DOMAIN, ERROR_INVALID_ARG,
                                  "a map of %u vCPUs, none of which is chosen, or more than %d", map->len,
                                  DOMAIN_VCPUS_MAX);
        }
        if (error) {
                managed_fail(error, done, data);
                return;
        }
        begin(domain,
              &(struct change){
                      .online = state == 1, .map = g_array_copy((GArray *)map), .done = done, .data = data });
}

/* ---- what it says ---- */

struct question {
        bool all;
        domain_number_done number_done; /* NULL: params_done */
        domain_params_done params_done;
        void *data; /* owned by them */
};

static void count(const struct domain_agent_answer *answer, const GError *error, void *data)
{
        g_autofree struct question *question = data;
        unsigned number = 0;

        for (unsigned i = 0; answer && i < answer->vcpus->len; i++)
                number += question->all || get(answer->vcpus, i)->online;
        question->number_done(number, error, question->data);
}

void domain_count_guest_vcpus(struct domain *domain, bool all, domain_number_done done, void *data)
{
        struct question *question = g_new(struct question, 1);

        *question = (struct question){ all, done, NULL, data };
        domain_get_agent_vcpus(domain, count, question);
}

/* As documents write sets of them: "0-2,5"; a guest may say any number. */
static void add_set(struct params *params, const char *name, const GArray *vcpus,
                    bool (*is_in)(const struct domain_guest_vcpu *vcpu))
{
        uint64_t words[DOMAIN_VCPUS_MAX / 64] = { 0 };
        const struct domain_cpuset set = { words, G_N_ELEMENTS(words) };
        g_autofree char *text = NULL;

        for (unsigned i = 0; i < vcpus->len; i++) {
                const struct domain_guest_vcpu *vcpu = get(vcpus, i);

                if (vcpu->id < DOMAIN_VCPUS_MAX && is_in(vcpu))
                        words[vcpu->id / 64] |= UINT64_C(1) << (vcpu->id % 64);
        }
        text = domain_cpuset_format(&set);
        params_add_string(params, name, text);
}

static bool is_there(const struct domain_guest_vcpu *vcpu)
{
        return true;
}

static bool is_online(const struct domain_guest_vcpu *vcpu)
{
        return vcpu->online;
}

static bool can_offline(const struct domain_guest_vcpu *vcpu)
{
        return vcpu->can_offline;
}

static void tell(const struct domain_agent_answer *answer, const GError *error, void *data)
{
        g_autofree struct question *question = data;
        CLEANUP(params_free) struct params *params = params_new();

        if (answer) {
                add_set(params, "vcpus", answer->vcpus, is_there);
                add_set(params, "online", answer->vcpus, is_online);
                add_set(params, "offlinable", answer->vcpus, can_offline);
        }
        question->params_done(error ? NULL : params, error, question->data);
}

void domain_get_guest_vcpus(struct domain *domain, unsigned flags, domain_params_done done, void *data)
{
        struct question *question;
        g_autoptr(GError) error = NULL;

        if (!flags_check(flags, 0, ERROR_FROM_DOMAIN, "GetGuestVcpus", &error)) {
                done(NULL, error, data);
                return;
        }
        question = g_new(struct question, 1);
        *question = (struct question){ false, NULL, done, data };
        domain_get_agent_vcpus(domain, tell, question);
}
