/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Authorization: what is asked in which order, and the rule that is built in. Loop thread. */
#include "drivers/authorization.h"

#include <string.h>
#include <unistd.h>

struct authorization {
        /* const */
        const struct authorizer *hooks;
        void *authorizer; /* owned */
        uid_t own_uid;
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

static enum authorization_answer check_rule(void *authorizer, const struct authorization_question *question)
{
        if (authorization_is_read(question->action))
                return AUTHORIZATION_ALLOWED;
        return question->identity->state == IDENTITY_UNKNOWN ? AUTHORIZATION_WHO : AUTHORIZATION_DENIED;
}

static const struct authorizer rule_hooks = { .check = check_rule };

/* ---- asking ---- */

struct authorization *authorization_new(const struct authorizer *hooks, void *authorizer)
{
        struct authorization *authorization = g_new(struct authorization, 1);

        authorization->hooks = hooks ? hooks : &rule_hooks;
        authorization->authorizer = authorizer;
        authorization->own_uid = geteuid();
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

void *authorization_get_authorizer(const struct authorization *authorization, const struct authorizer *hooks)
{
        return authorization->hooks == hooks ? authorization->authorizer : NULL;
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
        if (answer == AUTHORIZATION_ALLOWED && pending->granted)
                (*pending->granted)++;
        pending->done(answer, pending->data);
        identity_unref(pending->identity);
        g_free(pending);
}

static bool may_everything(const struct authorization *authorization, const struct identity *identity)
{
        return identity->state == IDENTITY_KNOWN &&
               (identity->uid == 0 || identity->uid == authorization->own_uid);
}

enum authorization_answer authorization_check(const struct authorization *authorization,
                                              const struct authorization_question *question)
{
        if (identity_is_read_only(question->identity, question->model) &&
            !authorization_is_read(question->action))
                return AUTHORIZATION_READ_ONLY;
        if (may_everything(authorization, question->identity))
                return AUTHORIZATION_ALLOWED;
        if (strcmp(question->action, AUTHORIZATION_FREE) == 0)
                return AUTHORIZATION_ALLOWED;
        if (!authorization->hooks->check)
                return AUTHORIZATION_PENDING;
        return authorization->hooks->check(authorization->authorizer, question);
}

static enum authorization_answer begin(const struct authorization *authorization,
                                       const struct authorization_question *question, unsigned *granted,
                                       authorization_done done, void *data)
{
        struct pending *pending = g_new(struct pending, 1);
        enum authorization_answer answer;

        *pending = (struct pending){ identity_ref(question->identity), granted, done, data };
        answer = authorization->hooks->ask(authorization->authorizer, question, answered, pending);
        if (answer != AUTHORIZATION_PENDING) {
                identity_unref(pending->identity);
                g_free(pending);
        }
        return answer;
}

enum authorization_answer authorization_begin(const struct authorization *authorization,
                                              const struct authorization_question *question,
                                              authorization_done done, void *data)
{
        return begin(authorization, question, NULL, done, data);
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
                answer = authorization_check(authorization, &next);
                if (answer == AUTHORIZATION_PENDING)
                        answer = begin(authorization, &next, granted, done, data);
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

/* ---- objects ---- */

bool authorization_tells_apart(const struct authorization *authorization)
{
        return authorization->hooks->tells_apart &&
               authorization->hooks->tells_apart(authorization->authorizer);
}

bool authorization_limits(const struct authorization *authorization, const struct identity *identity)
{
        return authorization_tells_apart(authorization) && !may_everything(authorization, identity);
}

const char *authorization_get_sight(enum model_kind kind)
{
        const char *name = model_get_kind_name(kind);
        g_autofree char *action = name ? g_strconcat(name, ".getattr", NULL) : NULL;

        return g_intern_string(action);
}

void authorization_describe(const struct authorization_question *question, model_detail add, void *data)
{
        if (!question->model)
                return;
        add("connect_driver", model_get_name(question->model), data);
        if (question->object)
                model_describe(question->model, question->kind, question->object, add, data);
}
