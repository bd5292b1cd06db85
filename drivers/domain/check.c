/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Walking the tables of checks, and what they share. No state; any thread.
 */
#include "drivers/domain/check.h"

#include "base/error.h"
#include "drivers/domain/cpuset.h"

#include <string.h>

bool check_refuse(GError **error, const char *format, ...)
{
        g_autofree char *detail = NULL;
        va_list args;

        va_start(args, format);
        detail = g_strdup_vprintf(format, args);
        va_end(args);
        return error_set(error, ERROR_FROM_DOMAIN, ERROR_CONFIG_UNSUPPORTED, "%s", detail);
}

char *check_format_count(unsigned count)
{
        return count > 1 ? g_strdup_printf("0-%u", count - 1) : g_strdup(count == 1 ? "0" : "none");
}

bool check_has_iothread(const struct domain_def *def, uint32_t id)
{
        for (unsigned i = 0; i < def->iothreads; i++) {
                if (def->iothread_list[i].id == id)
                        return true;
        }
        return false;
}

char *check_format_iothreads(const struct domain_def *def)
{
        GString *list = g_string_new(NULL);

        if (def->iothreads == 0)
                g_string_append(list, "it has none (<iothreads>)");
        else
                g_string_append_printf(list, "it has %u", def->iothread_list[0].id);
        for (unsigned i = 1; i < MIN(def->iothreads, 16); i++)
                g_string_append_printf(list, ", %u", def->iothread_list[i].id);
        if (def->iothreads > 16)
                g_string_append(list, " ...");
        return g_string_free(list, FALSE);
}

bool check_is_machine(const struct check *check, const char *family)
{
        return check->machine->machine && g_str_has_prefix(check->machine->machine, family);
}

void check_note(GPtrArray *noted, const GError *error)
{
        const char *detail = strstr(error->message, ": ");

        g_ptr_array_add(noted, g_strdup(detail ? detail + 2 : error->message));
}

static bool run(const check_function *const *tables, const struct check *check, GError **error)
{
        for (; *tables; tables++) {
                for (const check_function *function = *tables; *function; function++) {
                        if (!(*function)(check, error))
                                return false;
                }
        }
        return true;
}

/* Contradictions, what would reach the host or the emulator wrongly, and what would harm a disk. */
static const check_function *const protecting[] = {
        domain_check_cpu,        domain_check_memory, domain_check_tuning,
        domain_check_boot,       domain_check_disks,  domain_check_devices,
        domain_check_interfaces, domain_check_clock,  NULL
};

/* What comes to nothing by the typed view, and by the document; and what the start refuses as well. */
static const check_function *const idle[] = { domain_check_scope, domain_check_parts, domain_check_undriven,
                                              NULL };

bool domain_check(const struct domain_def *def, const struct domain_doc *doc,
                  const struct domain_machine *machine, GError **error)
{
        const struct check check = { def, doc, machine };

        return run(protecting, &check, error) && run(idle, &check, error);
}

bool domain_check_accepted(const struct domain_def *def, const struct domain_doc *doc,
                           const struct domain_machine *machine, GError **error)
{
        const struct check check = { def, doc, machine };

        return run(protecting, &check, error);
}

void domain_check_note_refused(const struct domain_def *def, GPtrArray *noted)
{
        const struct check check = { .def = def };

        for (const check_function *function = domain_check_scope; *function; function++) {
                g_autoptr(GError) error = NULL;

                if (!(*function)(&check, &error))
                        check_note(noted, error);
        }
}
