/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The domain model: the document of a domain as its callers ask for it. Loop thread.
 */
#include "drivers/domain/domain.h"

#include "drivers/domain/live-xml.h"
#include "drivers/domain/model.h"

/* The definition that flags ask for; a reference. */
static struct domain_def *choose(const struct domain *domain, unsigned flags, GError **error)
{
        const struct managed_state *state = domain->base.published;
        struct definition *definition = managed_state_get_definition(state);

        if ((flags & DOMAIN_XML_INACTIVE) && state->persistent)
                definition = state->persistent;
        if (definition == state->active && (flags & (DOMAIN_XML_INACTIVE | DOMAIN_XML_MIGRATABLE)))
                return domain_def_make_migratable(domain_def_of(definition), error);
        return domain_def_of(definition_ref(definition));
}

struct question {
        struct domain_def *def; /* ref */
        bool secure;
        domain_text_done done;
        void *data; /* owned by done */
};

static void answer(const struct question *question, const struct domain_def *def)
{
        question->done(question->secure ? def->base.xml : definition_get_public_xml(&def->base), NULL,
                       question->data);
}

static void expanded(const char *cpu_xml, const GError *failure, void *data)
{
        g_autofree struct question *question = data;
        CLEANUP(domain_def_unref) struct domain_def *before = question->def;
        CLEANUP(domain_def_unref) struct domain_def *def = NULL;
        g_autoptr(GError) error = NULL;

        if (cpu_xml)
                def = domain_def_expand_cpu(before, cpu_xml, &error);
        if (def)
                answer(question, def);
        else
                question->done(NULL, cpu_xml ? error : failure, question->data);
}

void domain_get_xml(const struct domain *domain, unsigned flags, domain_text_done done, void *data)
{
        struct domain_driver *driver = domain->driver;
        const struct question question = { NULL, flags & DOMAIN_XML_SECURE, done, data };
        CLEANUP(domain_def_unref) struct domain_def *def = NULL;
        g_autoptr(GError) error = NULL;
        struct question *asked;

        if (flags_check(flags,
                        DOMAIN_XML_SECURE | DOMAIN_XML_INACTIVE | DOMAIN_XML_UPDATE_CPU |
                                DOMAIN_XML_MIGRATABLE,
                        ERROR_FROM_DOMAIN, "GetXMLDesc", &error))
                def = choose(domain, flags, &error);
        if (!def) {
                done(NULL, error, data);
        } else if (!(flags & DOMAIN_XML_UPDATE_CPU) || !domain_cpu_follows_host(&def->cpu) ||
                   !driver->ops->expand_cpu) {
                answer(&question, def);
        } else {
                asked = g_memdup2(&question, sizeof(question));
                asked->def = g_steal_pointer(&def);
                driver->ops->expand_cpu(driver, asked->def, expanded, asked);
        }
}
