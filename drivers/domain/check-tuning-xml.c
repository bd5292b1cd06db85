/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Checks of <cputune>: what it schedules, gives cache or pins is there, and is there once. Works on the
 * document, because most of this has no place in the typed view. No state; any thread.
 */
#include "drivers/domain/check.h"

#include "base/error.h"
#include "drivers/domain/cpuset.h"
#include "drivers/domain/definition-xml.h"

#include <string.h>

#define BITS 64

/* A set of vCPUs or I/O threads that has room for all numbers. */
struct numbers {
        uint64_t words[DOMAIN_VCPUS_MAX / BITS];
};

static const xmlNode *get_root(const struct check *check)
{
        return xml_root(domain_doc_get_xml(check->doc));
}

static bool has(const struct numbers *numbers, unsigned number)
{
        return numbers->words[number / BITS] >> (number % BITS) & 1;
}

static bool read_numbers(const xmlNode *node, const char *attr, struct numbers *numbers, GError **error)
{
        g_autofree char *text = xml_attr(node, attr);
        g_autofree char *quoted = error_quote(text);

        *numbers = (struct numbers){ 0 };
        if (text && domain_cpuset_parse(text, DOMAIN_VCPUS_MAX, numbers->words))
                return true;
        return xml_error(error, node,
                         "invalid value '%s' of attribute '%s': expected a list of numbers and ranges",
                         quoted, attr);
}

/* What one element of <cputune> is about. */
struct subject {
        const char *element;
        const char *attr;
        const char *noun;
        bool iothreads;
};

static bool is_there(const struct check *check, const struct subject *subject, unsigned number)
{
        return subject->iothreads ? check_has_iothread(check->def, number) : number < check->def->max_vcpus;
}

static bool check_numbers(const struct check *check, const struct subject *subject,
                          const struct numbers *numbers, struct numbers *seen, GError **error)
{
        for (unsigned i = 0; i < DOMAIN_VCPUS_MAX; i++) {
                g_autofree char *there = NULL;

                if (!has(numbers, i))
                        continue;
                if (has(seen, i))
                        return check_refuse(error, "%s %u is in two <%s>", subject->noun, i,
                                            subject->element);
                seen->words[i / BITS] |= UINT64_C(1) << (i % BITS);
                if (is_there(check, subject, i))
                        continue;
                there = subject->iothreads ? check_format_iothreads(check->def)
                                           : check_format_count(check->def->max_vcpus);
                return check_refuse(error, "<%s %s=> names %s %u, which the domain does not have (%s)",
                                    subject->element, subject->attr, subject->noun, i, there);
        }
        return true;
}

/* Each <cache> of one <cachetune>: a level of one cache is given out once. */
static bool check_caches(const xmlNode *tune, GError **error)
{
        g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);

        XML_FOREACH_CHILD (cache, tune) {
                g_autofree char *level = xml_attr(cache, "level"), *id = xml_attr(cache, "id"),
                                *type = xml_attr(cache, "type");

                if (!xml_is(cache, "cache"))
                        continue;
                if (!g_hash_table_add(seen, g_strdup_printf("%s %s %s", level, id, type)))
                        return check_refuse(
                                error,
                                "a <cachetune> gives out the cache of level '%.16s', id '%.16s' and type "
                                "'%.16s' twice",
                                level ? level : "", id ? id : "", type ? type : "");
        }
        return true;
}

static bool check_subject(const struct check *check, const struct subject *subject, GError **error)
{
        const xmlNode *cputune = xml_child(get_root(check), "cputune");
        struct numbers seen = { 0 }, numbers;

        for (const xmlNode *node = xml_child(cputune, subject->element); node; node = xml_next(node)) {
                if (!read_numbers(node, subject->attr, &numbers, error) ||
                    !check_numbers(check, subject, &numbers, &seen, error) || !check_caches(node, error))
                        return false;
        }
        return true;
}

static bool check_subjects(const struct check *check, GError **error)
{
        static const struct subject subjects[] = {
                { "vcpusched", "vcpus", "vCPU", false },
                { "iothreadsched", "iothreads", "I/O thread", true },
                { "cachetune", "vcpus", "vCPU", false },
                { "memorytune", "vcpus", "vCPU", false },
        };

        for (unsigned i = 0; i < G_N_ELEMENTS(subjects); i++) {
                if (!check_subject(check, &subjects[i], error))
                        return false;
        }
        return true;
}

static bool check_emulator(const struct check *check, GError **error)
{
        static const char *const once[] = { "emulatorpin", "emulatorsched" };
        const xmlNode *cputune = xml_child(get_root(check), "cputune");

        for (unsigned i = 0; i < G_N_ELEMENTS(once); i++) {
                const xmlNode *node = xml_child(cputune, once[i]);

                if (node && xml_next(node))
                        return check_refuse(error, "<cputune> has two <%s>", once[i]);
        }
        return true;
}

const check_function domain_check_tuning[] = { check_subjects, check_emulator, NULL };
