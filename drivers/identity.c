/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who calls. Loop thread. */
#include "drivers/identity.h"

#include "drivers/model.h"

struct identity *identity_new(const char *name, unsigned n_models)
{
        struct identity *identity = g_new0(struct identity, 1);

        identity->refs = 1;
        identity->name = g_strdup(name);
        identity->openings = g_new0(struct identity_openings, n_models);
        return identity;
}

struct identity *identity_ref(struct identity *identity)
{
        identity->refs++;
        return identity;
}

void identity_unref(struct identity *identity)
{
        if (!identity || --identity->refs > 0)
                return;
        g_free(identity->openings);
        g_free(identity->name);
        g_free(identity);
}

void identity_set_credentials(struct identity *identity, uid_t uid, pid_t pid)
{
        if (identity->state != IDENTITY_UNKNOWN)
                return;
        identity->uid = uid;
        identity->pid = pid;
        identity->state = IDENTITY_KNOWN;
}

void identity_leave(struct identity *identity)
{
        identity->gone = true;
        if (identity->state == IDENTITY_UNKNOWN)
                identity->state = IDENTITY_UNKNOWABLE;
}

static struct identity_openings *get_openings(const struct identity *identity, const struct model *model)
{
        return &identity->openings[model_get_index(model)];
}

void identity_open(struct identity *identity, const struct model *model, unsigned flags)
{
        struct identity_openings *openings = get_openings(identity, model);

        if (flags & MODEL_OPEN_READ_ONLY)
                openings->read_only++;
        else
                openings->writable++;
}

bool identity_close(struct identity *identity, const struct model *model, GError **error)
{
        struct identity_openings *openings = get_openings(identity, model);

        if (openings->writable > 0)
                openings->writable--;
        else if (openings->read_only > 0)
                openings->read_only--;
        else
                return error_set(error, ERROR_FROM_NONE, ERROR_INVALID_CONN,
                                 "ConnectClose: it was not opened");
        return true;
}

bool identity_is_read_only(const struct identity *identity, const struct model *model)
{
        const struct identity_openings *openings = model ? get_openings(identity, model) : NULL;

        return openings && openings->read_only > 0 && openings->writable == 0;
}
