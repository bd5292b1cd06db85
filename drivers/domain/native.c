/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Documents in the terms of the hypervisor itself. Loop.
 */
#include "drivers/domain/native.h"

#include "drivers/domain/model.h"

#include <string.h>

struct request {
        struct domain_driver *driver; /* borrowed */
        domain_text_done done;
        void *data; /* owned by done */
};

static void answer(const char *text, const GError *error, void *data)
{
        g_autofree struct request *request = data;

        request->done(text, error, request->data);
}

static void parsed(struct domain_def *def, const GError *error, void *data)
{
        struct request *request = data;

        if (def)
                request->driver->ops->to_native(request->driver, def, answer, request);
        else
                answer(NULL, error, request);
}

static bool check(const struct domain_driver *driver, const char *format, unsigned flags,
                  const char *function, GError **error)
{
        const char *known = driver->ops->native_format;

        if (!flags_check(flags, 0, ERROR_FROM_DOMAIN, function, error))
                return false;
        if (!known)
                return error_set(error, ERROR_FROM_DOMAIN, ERROR_NO_SUPPORT,
                                 "%s: this driver has no format of its own", function);
        if (strcmp(format, known) != 0) {
                g_autofree char *quoted = error_quote(format);

                return error_set(error, ERROR_FROM_DOMAIN, ERROR_INVALID_ARG,
                                 "unknown format '%s': this driver has '%s'", quoted, known);
        }
        return true;
}

void domain_xml_to_native(struct domain_driver *driver, const char *format, const char *xml, unsigned flags,
                          domain_text_done done, void *data)
{
        g_autoptr(GError) error = NULL;
        struct request *request;

        if (!check(driver, format, flags, "DomainXMLToNative", &error)) {
                done(NULL, error, data);
                return;
        }
        request = g_new(struct request, 1);
        *request = (struct request){ driver, done, data };
        domain_parse(driver, xml, false, parsed, request);
}

static void completed(struct domain_def *def, const GError *error, void *data)
{
        answer(def ? definition_get_public_xml(&def->base) : NULL, error, data);
        domain_def_unref(def);
}

void domain_xml_from_native(struct domain_driver *driver, const char *format, const char *text,
                            unsigned flags, domain_text_done done, void *data)
{
        g_autoptr(GError) error = NULL;
        g_autofree char *xml = NULL;
        struct request *request;

        if (check(driver, format, flags, "DomainXMLFromNative", &error))
                xml = driver->ops->from_native(driver, text, &error);
        if (!xml) {
                done(NULL, error, data);
                return;
        }
        request = g_new(struct request, 1);
        *request = (struct request){ driver, done, data };
        domain_parse(driver, xml, false, completed, request);
}
