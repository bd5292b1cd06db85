/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Authorization: what is asked in which order, and the rule that is built in. Loop thread. */
#include "drivers/authorization.h"

#include <string.h>
#include <unistd.h>

struct authorization {
        /* const */
        const struct authorizer *hooks;
        void *authorizer; /* owned */
};

bool authorization_is_read(const char *action)
{
        const char *permission = strchr(action, '.');

        if (!permission++)
                return false;
        return strcmp(permission, "read") == 0 || strcmp(permission, "getattr") == 0 ||
               (strncmp(permission, "search-", strlen("search-")) == 0 && permission[strlen("search-")]);
}

/* ---- the rule ---- */

struct rule {
        uid_t own_uid;
};

static enum authorization_answer rule_ask(void *authorizer, const struct authorization_question *question,
                                          authorization_done done, void *data)
{
        const struct identity *identity = question->identity;
        const struct rule *rule = authorizer;

        if (authorization_is_read(question->action))
                return AUTHORIZATION_ALLOWED;
        if (identity->state == IDENTITY_UNKNOWN)
                return AUTHORIZATION_WHO;
        if (identity->state == IDENTITY_KNOWN && (identity->uid == 0 || identity->uid == rule->own_uid))
                return AUTHORIZATION_ALLOWED;
        return AUTHORIZATION_DENIED;
}

static const struct authorizer rule_hooks = { .ask = rule_ask, .free = g_free };

/* ---- asking ---- */

struct authorization *authorization_new(const struct authorizer *hooks, void *authorizer)
{
        struct authorization *authorization = g_new(struct authorization, 1);
        const struct rule rule = { geteuid() };

        authorization->hooks = hooks ? hooks : &rule_hooks;
        authorization->authorizer = hooks ? authorizer : g_memdup2(&rule, sizeof(rule));
        return authorization;
}

void authorization_free(struct authorization *authorization)
{
        if (!authorization)
                return;
        if (authorization->hooks->free)
                authorization->hooks->free(authorization->authorizer);
        g_free(authorization);
}

/* An answer on its way. */
struct pending {
        struct identity *identity; /* ref */
        unsigned *granted;         /* the asker's, whose call lives until it has the answer */
        authorization_done done;
        void *data; /* owned by done */
};

static void answered(enum authorization_answer answer, void *data)
{
        struct pending *pending = data;

        if (pending->identity->gone)
                answer = AUTHORIZATION_DENIED;
        if (answer == AUTHORIZATION_ALLOWED)
                (*pending->granted)++;
        pending->done(answer, pending->data);
        identity_unref(pending->identity);
        g_free(pending);
}

static enum authorization_answer ask_one(const struct authorization *authorization,
                                         const struct authorization_question *question, unsigned *granted,
                                         authorization_done done, void *data)
{
        struct pending *pending;
        enum authorization_answer answer;

        if (identity_is_read_only(question->identity, question->model) &&
            !authorization_is_read(question->action))
                return AUTHORIZATION_READ_ONLY;
        if (authorization->hooks == &rule_hooks)
                return rule_ask(authorization->authorizer, question, NULL, NULL);
        pending = g_new(struct pending, 1);
        *pending = (struct pending){ identity_ref(question->identity), granted, done, data };
        answer = authorization->hooks->ask(authorization->authorizer, question, answered, pending);
        if (answer != AUTHORIZATION_PENDING) {
                identity_unref(pending->identity);
                g_free(pending);
        }
        return answer;
}

enum authorization_answer authorization_ask(const struct authorization *authorization,
                                            const struct authorization_question *question,
                                            const struct access *access, unsigned flags, unsigned *granted,
                                            authorization_done done, void *data)
{
        struct authorization_question next = *question;

        for (; access[*granted].action; (*granted)++) {
                const struct access *needed = &access[*granted];
                enum authorization_answer answer;

                if (needed->flags && !(needed->flags & flags))
                        continue;
                next.action = needed->action;
                answer = ask_one(authorization, &next, granted, done, data);
                if (answer != AUTHORIZATION_ALLOWED)
                        return answer;
        }
        return AUTHORIZATION_ALLOWED;
}

void authorization_forget(const struct authorization *authorization, const struct identity *identity)
{
        if (authorization->hooks->forget)
                authorization->hooks->forget(authorization->authorizer, identity);
}

void authorization_describe(const struct authorization_question *question, model_detail add, void *data)
{
        if (!question->model)
                return;
        add("connect_driver", model_get_name(question->model), data);
        if (question->object)
                model_describe(question->model, question->kind, question->object, add, data);
}
