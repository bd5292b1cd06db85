/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reader of what limits a disk: its <iotune>, or the groups of the domain that its <throttlefilters> name. No
 * state; any thread.
 */
#include "drivers/domain/definition-xml.h"

#include "base/error.h"

#include <string.h>

struct limit {
        uint64_t value;
};
static const struct field limit_field[] = { UINT(NULL, struct limit, value), FIELDS_END };

#define LIMIT(m)                                                                                             \
        {                                                                                                    \
                .element = #m, limit_field, NULL, offsetof(struct domain_iotune, m)                          \
        }

static const struct field group_name_field[] = {
        STRING(NULL, struct domain_iotune, group_name, .max = 255),
        FIELDS_END,
};
#define NUMBER(m)                                                                                            \
        {                                                                                                    \
#m, offsetof(struct domain_iotune, m)                                                        \
        }
const struct domain_iotune_limit domain_iotune_limits[] = {
        NUMBER(total_bytes_sec),
        NUMBER(read_bytes_sec),
        NUMBER(write_bytes_sec),
        NUMBER(total_iops_sec),
        NUMBER(read_iops_sec),
        NUMBER(write_iops_sec),
        NUMBER(total_bytes_sec_max),
        NUMBER(read_bytes_sec_max),
        NUMBER(write_bytes_sec_max),
        NUMBER(total_iops_sec_max),
        NUMBER(read_iops_sec_max),
        NUMBER(write_iops_sec_max),
        NUMBER(size_iops_sec),
        NUMBER(total_bytes_sec_max_length),
        NUMBER(read_bytes_sec_max_length),
        NUMBER(write_bytes_sec_max_length),
        NUMBER(total_iops_sec_max_length),
        NUMBER(read_iops_sec_max_length),
        NUMBER(write_iops_sec_max_length),
};

bool domain_iotune_has_same_limits(const struct domain_iotune *one, const struct domain_iotune *other)
{
        struct domain_iotune left = *one, right = *other;

        for (unsigned i = 0; i < DOMAIN_IOTUNE_LIMITS; i++) {
                if (*domain_iotune_get_limit(&left, i) != *domain_iotune_get_limit(&right, i))
                        return false;
        }
        return true;
}

bool domain_iotune_is_empty(const struct domain_iotune *tune)
{
        return domain_iotune_has_same_limits(tune, &(struct domain_iotune){ 0 });
}

static const struct field_part iotune_parts[] = {
        LIMIT(total_bytes_sec),
        LIMIT(read_bytes_sec),
        LIMIT(write_bytes_sec),
        LIMIT(total_iops_sec),
        LIMIT(read_iops_sec),
        LIMIT(write_iops_sec),
        LIMIT(total_bytes_sec_max),
        LIMIT(read_bytes_sec_max),
        LIMIT(write_bytes_sec_max),
        LIMIT(total_iops_sec_max),
        LIMIT(read_iops_sec_max),
        LIMIT(write_iops_sec_max),
        LIMIT(size_iops_sec),
        LIMIT(total_bytes_sec_max_length),
        LIMIT(read_bytes_sec_max_length),
        LIMIT(write_bytes_sec_max_length),
        LIMIT(total_iops_sec_max_length),
        LIMIT(read_iops_sec_max_length),
        LIMIT(write_iops_sec_max_length),
        { "group_name", group_name_field },
        PARTS_END,
};

bool domain_read_iotune(struct domain_reader *reader, xmlNode *node, void *target, GError **error)
{
        const struct domain_iotune **place = target;
        struct domain_iotune *iotune;

        if (!xml_first_element(node))
                return true;
        iotune = domain_arena_alloc(reader->arena, sizeof(*iotune));
        *place = iotune;
        return field_read_parts(reader, node, iotune_parts, iotune, error);
}

bool domain_read_throttle_groups(struct domain_reader *reader, xmlNode *node, void *target, GError **error)
{
        const struct domain_iotune **place = target;

        XML_FOREACH_CHILD (group, node) {
                struct domain_iotune *tune;

                if (!xml_is(group, "throttlegroup"))
                        continue;
                tune = domain_arena_alloc(reader->arena, sizeof(*tune));
                if (!field_read_parts(reader, group, iotune_parts, tune, error))
                        return false;
                *place = tune;
                place = &tune->next;
        }
        return true;
}

/* The group's own element, anywhere in the document that node is in; NULL: there is none. */
static xmlNode *find_throttle_group(const xmlNode *node, const char *name)
{
        xmlNode *group =
                xml_child(xml_child(xmlDocGetRootElement(node->doc), "throttlegroups"), "throttlegroup");

        for (; group; group = xml_next(group)) {
                xmlNode *named = xml_child(group, "group_name");
                g_autofree char *text = named ? xml_text(named) : NULL;

                if (g_strcmp0(text, name) == 0)
                        return group;
        }
        return NULL;
}

/* A disk behind a group is limited as one whose <iotune> names that group. */
static bool read_throttle_filter(struct domain_reader *reader, xmlNode *filter,
                                 const struct domain_iotune *first, struct domain_iotune **tune,
                                 GError **error)
{
        g_autofree char *name = xml_attr(filter, "group"), *quoted = NULL;
        xmlNode *group;

        if (!name || !*name)
                return xml_error(error, filter, "missing attribute 'group'");
        quoted = error_quote(name);
        for (; first; first = first->next) {
                if (strcmp(first->group_name, name) == 0)
                        return xml_error(error, filter, "a disk is behind <throttlegroup> '%s' twice",
                                         quoted);
        }
        group = find_throttle_group(filter, name);
        if (!group)
                return error_set(
                        error, ERROR_FROM_DOMAIN, ERROR_CONFIG_UNSUPPORTED,
                        "<throttlefilter group='%s'>, at line %u: the domain has no <throttlegroup> of "
                        "that name",
                        quoted, xml_line(filter));
        *tune = domain_arena_alloc(reader->arena, sizeof(**tune));
        (*tune)->is_filter = true;
        return field_read_parts(reader, group, iotune_parts, *tune, error);
}

bool domain_read_throttle_filters(struct domain_reader *reader, xmlNode *node, void *target, GError **error)
{
        const struct domain_iotune **first = target, **place = first;
        unsigned count = 0;

        /* A disk with an <iotune> as well is refused when all of it has been read. */
        *first = NULL;
        XML_FOREACH_CHILD (filter, node) {
                struct domain_iotune *tune = NULL;

                if (!xml_is(filter, "throttlefilter"))
                        continue;
                if (++count > DOMAIN_THROTTLE_FILTERS_MAX)
                        return xml_error(error, filter, "a disk has more than %d <throttlefilter>",
                                         DOMAIN_THROTTLE_FILTERS_MAX);
                if (!read_throttle_filter(reader, filter, *first, &tune, error))
                        return false;
                *place = tune;
                place = &tune->next;
        }
        return true;
}
