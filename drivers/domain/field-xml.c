/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The readers of each type of field, and the walk over a table of parts.
 */
#include "drivers/domain/field-xml.h"

#include "base/error.h"
#include "base/units.h"
#include "base/uuid.h"
#include "drivers/domain/cpuset.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#define BLANKS " \t\r\n"

/* One value on its way from the document to a struct. */
struct value {
        struct domain_reader *reader;
        xmlNode *node;
        const struct field *field;
        const char *text;
        void *member;
};

static const char *const yes_no_names[] = { "yes", "no", NULL };
static const char *const on_off_names[] = { "on", "off", NULL };

const char *field_get_text(struct domain_reader *reader, const xmlNode *node, const char *attr)
{
        const xmlNode *text = node->children;
        g_autofree char *copy = NULL;

        if (attr) {
                const xmlAttr *found = node->properties;

                while (found && (found->ns || strcmp((const char *)found->name, attr) != 0))
                        found = found->next;
                if (!found)
                        return NULL;
                text = found->children;
        }
        if (!text)
                return "";
        if (!text->next && (text->type == XML_TEXT_NODE || text->type == XML_CDATA_SECTION_NODE))
                return (const char *)text->content;
        copy = attr ? xml_attr(node, attr) : xml_text(node);
        return domain_arena_strdup(reader->arena, copy);
}

/* "invalid value 'x' of attribute 'y': <expected>" */
G_GNUC_PRINTF(3, 4)
static bool refuse(const struct value *value, GError **error, const char *expected, ...)
{
        g_autofree char *quoted = error_quote(value->text), *detail = NULL, *where = NULL;
        va_list args;

        va_start(args, expected);
        detail = g_strdup_vprintf(expected, args);
        va_end(args);
        where = value->field->attr ? g_strdup_printf(" of attribute '%s'", value->field->attr) : g_strdup("");
        return xml_error(error, value->node, "invalid value '%s'%s: %s", quoted, where, detail);
}

static void set_text(const struct value *value, const char *text)
{
        if (strcmp(value->text, text) == 0)
                return;
        if (value->field->attr)
                xml_set_attr(value->node, value->field->attr, text);
        else
                xml_set_text(value->node, text);
}

static bool read_text(const struct value *value, GError **error)
{
        const struct field *field = value->field;

        if (field->max && strlen(value->text) > field->max)
                return refuse(value, error, "longer than %u bytes", (unsigned)field->max);
        *(const char **)value->member = domain_arena_strdup(value->reader->arena, value->text);
        return true;
}

static bool read_string(const struct value *value, GError **error)
{
        if (!*value->text && value->field->required)
                return refuse(value, error, "must not be empty");
        return !*value->text || read_text(value, error);
}

static bool read_path(const struct value *value, GError **error)
{
        if (*value->text && *value->text != '/' && !value->field->relative)
                return refuse(value, error, "expected an absolute path");
        if (strlen(value->text) >= PATH_MAX)
                return refuse(value, error, "longer than %d bytes", PATH_MAX - 1);
        return read_string(value, error);
}

static bool read_uuid(const struct value *value, GError **error)
{
        struct uuid uuid;

        if (!uuid_parse(&uuid, value->text, NULL))
                return refuse(value, error, "expected a UUID");
        return read_text(value, error);
}

static bool find_name(const struct value *value, const char *const names[], unsigned *index, GError **error)
{
        const char *const *offered = names + value->field->min;
        g_autofree char *quoted = NULL, *where = NULL, *list = NULL;

        for (*index = (unsigned)value->field->min; names[*index]; ++*index) {
                if (strcmp(names[*index], value->text) == 0)
                        return true;
        }
        quoted = error_quote(value->text);
        where = value->field->attr ? g_strdup_printf(" of attribute '%s'", value->field->attr) : g_strdup("");
        if (!*offered)
                return xml_error(error, value->node,
                                 "unknown value '%s'%s: there are none here, leave it out", quoted, where);
        list = error_list(offered);
        return xml_error(error, value->node, "unknown value '%s'%s: expected %s", quoted, where, list);
}

static bool read_name(const struct value *value, GError **error)
{
        unsigned index;

        if (!find_name(value, value->field->names, &index, error))
                return false;
        *(const char **)value->member = value->field->names[index];
        return true;
}

static bool read_enum(const struct value *value, GError **error)
{
        unsigned index;

        if (!find_name(value, value->field->names, &index, error))
                return false;
        *(uint8_t *)value->member = (uint8_t)index;
        return true;
}

static bool read_bool(const struct value *value, GError **error)
{
        unsigned index;

        if (!find_name(value, value->field->names, &index, error))
                return false;
        *(bool *)value->member = index == 1;
        return true;
}

static bool read_present(const struct value *value, GError **error)
{
        *(bool *)value->member = true;
        return true;
}

static bool read_switch(const struct value *value, GError **error)
{
        bool yes_no = value->field->type == FIELD_YES_NO;
        unsigned index;

        if (!find_name(value, yes_no ? yes_no_names : on_off_names, &index, error))
                return false;
        *(enum domain_switch *)value->member = index == 0 ? DOMAIN_SWITCH_ON : DOMAIN_SWITCH_OFF;
        return true;
}

static uint64_t get_max(const struct field *field)
{
        if (field->max)
                return field->max;
        return field->size == 8 ? UINT64_MAX : (UINT64_C(1) << (8 * field->size)) - 1;
}

static void store_uint(const struct value *value, uint64_t number)
{
        switch (value->field->size) {
        case 1:
                *(uint8_t *)value->member = (uint8_t)number;
                break;
        case 2:
                *(uint16_t *)value->member = (uint16_t)number;
                break;
        case 4:
                *(uint32_t *)value->member = (uint32_t)number;
                break;
        default:
                *(uint64_t *)value->member = number;
        }
}

/* A number of C with or without "0x"; neither sign nor white space nor tail. */
static bool parse_c_number(const char *text, uint64_t max, uint64_t *number)
{
        char *end;

        if (!g_ascii_isdigit(*text))
                return false;
        errno = 0;
        *number = g_ascii_strtoull(text, &end, 0);
        return errno == 0 && *end == '\0' && *number <= max;
}

/* Element text may stand on a line of its own; attributes may not have blanks around them. */
static const char *trim(const struct value *value, char buffer[32])
{
        const char *start = value->text + strspn(value->text, BLANKS);
        size_t length = strlen(start);

        if (value->field->attr)
                return value->text;
        while (length > 0 && strchr(BLANKS, start[length - 1]))
                length--;
        if (length >= 32)
                return value->text;
        memcpy(buffer, start, length);
        buffer[length] = '\0';
        return buffer;
}

static bool read_uint(const struct value *value, GError **error)
{
        uint64_t max = get_max(value->field), number;
        char buffer[32];
        const char *text = trim(value, buffer);
        bool valid = value->field->type == FIELD_HEX ? parse_c_number(text, max, &number)
                                                     : units_parse_uint64(text, "number", max, &number, NULL);

        if (!valid || number < value->field->min)
                return refuse(value, error,
                              "expected a number from %" G_GUINT64_FORMAT " to %" G_GUINT64_FORMAT,
                              value->field->min, max);
        store_uint(value, number);
        return true;
}

static bool read_int(const struct value *value, GError **error)
{
        uint64_t max = value->field->max ? value->field->max : INT_MAX, number;
        char buffer[32];
        const char *text = trim(value, buffer);

        if (strcmp(text, "-1") == 0 && !value->field->min) {
                *(int *)value->member = -1;
                return true;
        }
        if (!units_parse_uint64(text, "number", max, &number, NULL))
                return refuse(value, error, "expected a number up to %" G_GUINT64_FORMAT, max);
        *(int *)value->member = (int)number;
        return true;
}

static bool read_signed(const struct value *value, GError **error)
{
        uint64_t number;
        bool negative;
        char buffer[32];
        const char *text = trim(value, buffer);

        negative = *text == '-';
        if (!units_parse_uint64(text + negative, "number", INT64_MAX, &number, NULL))
                return refuse(value, error, "expected a number");
        *(int64_t *)value->member = negative ? -(int64_t)number : (int64_t)number;
        return true;
}

static bool refuse_unit(const struct value *value, const char *unit, GError **error)
{
        g_autofree char *quoted = error_quote(unit);

        return xml_error(error, value->node, "unknown unit '%s': expected " UNITS_NAMES, quoted);
}

/* How a type of size is kept and written; BYTES stay as they are written. */
struct size_type {
        uint64_t unit; /* bytes; also that of a number without a unit */
        const char *name;
};

static const struct size_type *get_size_type(enum field_type type)
{
        static const struct size_type bytes = { 1, NULL }, kib = { 1024, "KiB" },
                                      mib = { 1024 * 1024, "MiB" };

        return type == FIELD_KIB ? &kib : type == FIELD_MIB ? &mib : &bytes;
}

static void write_size(const struct value *value, uint64_t number, const char *old_unit, const char *unit)
{
        char canonical[32];

        g_snprintf(canonical, sizeof(canonical), "%" G_GUINT64_FORMAT, number);
        set_text(value, canonical);
        if (g_strcmp0(old_unit, unit) != 0)
                xml_set_attr(value->node, "unit", unit);
}

static bool read_size(const struct value *value, GError **error)
{
        const struct size_type *type = get_size_type(value->field->type);
        const char *unit = field_get_text(value->reader, value->node, "unit");
        uint64_t limit = value->field->max ? value->field->max * type->unit
                         : type->unit == 1 ? DOMAIN_MEMORY_KIB_MAX
                                           : DOMAIN_MEMORY_KIB_MAX * 1024;
        uint64_t number, bytes;
        char buffer[32];

        if (!units_parse_uint64(trim(value, buffer), "size", UINT64_MAX, &number, NULL))
                return refuse(value, error, "expected a number");
        if (!units_scale(0, unit, type->unit, limit, &bytes, NULL))
                return refuse_unit(value, unit, error);
        if (!units_scale(number, unit, type->unit, limit, &bytes, NULL))
                return refuse(value, error, "more than %" G_GUINT64_FORMAT " bytes", limit);
        if (value->field->type == FIELD_MIB && bytes % type->unit != 0)
                return refuse(value, error, "expected a multiple of 1 MiB");
        number = bytes / type->unit + (bytes % type->unit != 0);
        if (type->name)
                write_size(value, number, unit, type->name);
        *(uint64_t *)value->member = number;
        return true;
}

static bool read_cpuset(const struct value *value, GError **error)
{
        struct domain_cpuset *set = value->member, all;
        uint64_t words[DOMAIN_CPU_NUMBER_MAX / 64] = { 0 };
        uint64_t *kept;
        g_autofree char *canonical = NULL;

        if (!domain_cpuset_parse(value->text, (unsigned)value->field->max, words))
                return refuse(value, error, "expected a list of numbers and ranges below %u",
                              (unsigned)value->field->max);
        all = (struct domain_cpuset){ words, G_N_ELEMENTS(words) };
        while (all.n_words > 0 && words[all.n_words - 1] == 0)
                all.n_words--;
        if (all.n_words == 0)
                return refuse(value, error, "nothing is in the set");
        canonical = domain_cpuset_format(&all);
        set_text(value, canonical);
        kept = domain_arena_alloc(value->reader->arena, all.n_words * sizeof(uint64_t));
        memcpy(kept, words, all.n_words * sizeof(uint64_t));
        *set = (struct domain_cpuset){ kept, all.n_words };
        return true;
}

static bool (*const readers[])(const struct value *value, GError **error) = {
        [FIELD_STRING] = read_string, [FIELD_TEXT] = read_text,       [FIELD_PATH] = read_path,
        [FIELD_UUID] = read_uuid,     [FIELD_NAME] = read_name,       [FIELD_ENUM] = read_enum,
        [FIELD_BOOL] = read_bool,     [FIELD_PRESENT] = read_present, [FIELD_YES_NO] = read_switch,
        [FIELD_ON_OFF] = read_switch, [FIELD_UINT] = read_uint,       [FIELD_HEX] = read_uint,
        [FIELD_INT] = read_int,       [FIELD_SIGNED] = read_signed,   [FIELD_KIB] = read_size,
        [FIELD_MIB] = read_size,      [FIELD_BYTES] = read_size,      [FIELD_CPUSET] = read_cpuset,
};

bool field_read(struct domain_reader *reader, xmlNode *node, const struct field *fields, void *target,
                GError **error)
{
        for (const struct field *field = fields; field->type != FIELD_END; field++) {
                struct value value = { reader, node, field, field_get_text(reader, node, field->attr),
                                       (char *)target + field->offset };

                if (!value.text && field->required)
                        return xml_error(error, node, "missing attribute '%s'", field->attr);
                if (value.text && !readers[field->type](&value, error))
                        return false;
        }
        return true;
}

static bool read_part(struct domain_reader *reader, xmlNode *node, const struct field_part *part,
                      void *target, GError **error)
{
        void *place = (char *)target + part->offset;

        if (part->fields && !field_read(reader, node, part->fields, place, error))
                return false;
        return !part->read || part->read(reader, node, place, error);
}

/* Does the path of part begin with the element child? rest is what follows of it, NULL: nothing. */
static bool match_part(const struct field_part *part, const xmlNode *child, const char **rest)
{
        size_t length = strlen((const char *)child->name);

        if (!part->element || child->ns || strncmp(part->element, (const char *)child->name, length) != 0)
                return false;
        *rest = part->element[length] == '/' ? part->element + length + 1 : NULL;
        return *rest || part->element[length] == '\0';
}

/* The element at the end of a path below node; NULL: none. */
static xmlNode *find_below(xmlNode *node, const char *path)
{
        g_auto(GStrv) names = g_strsplit(path, "/", -1);

        for (unsigned i = 0; node && names[i]; i++)
                node = xml_child(node, names[i]);
        return node;
}

static bool is_end(const struct field_part *part)
{
        return !part->fields && !part->read;
}

bool field_read_parts(struct domain_reader *reader, xmlNode *node, const struct field_part *parts,
                      void *target, GError **error)
{
        uint64_t seen = 0;

        for (const struct field_part *part = parts; !is_end(part); part++) {
                if (!part->element && !read_part(reader, node, part, target, error))
                        return false;
        }
        XML_FOREACH_CHILD (child, node) {
                for (unsigned i = 0; !is_end(&parts[i]); i++) {
                        const char *rest;
                        xmlNode *match = child;

                        if (seen >> i & 1 || !match_part(&parts[i], child, &rest))
                                continue;
                        seen |= UINT64_C(1) << i;
                        if (rest)
                                match = find_below(child, rest);
                        if (match && !read_part(reader, match, &parts[i], target, error))
                                return false;
                }
        }
        return true;
}

bool field_read_array(struct domain_reader *reader, xmlNode *parent, const char *name,
                      const struct field_part *parts, size_t size, void *array_member, uint32_t *count,
                      GError **error)
{
        uint32_t n = 0;
        char *array;

        for (xmlNode *node = xml_child(parent, name); node; node = xml_next(node))
                n++;
        if (n == 0)
                return true;
        if (n > FIELD_ARRAY_MAX)
                return xml_error(error, parent, "more than %d elements '%s'", FIELD_ARRAY_MAX, name);
        array = domain_arena_alloc(reader->arena, n * size);
        *(void **)array_member = array;
        *count = n;
        for (xmlNode *node = xml_child(parent, name); node; node = xml_next(node), array += size) {
                if (!field_read_parts(reader, node, parts, array, error))
                        return false;
        }
        return true;
}

bool field_check_unique(GHashTable *set, const xmlNode *node, const char *what, const char *text,
                        GError **error)
{
        g_autofree char *quoted = NULL;

        if (g_hash_table_add(set, (gpointer)text))
                return true;
        quoted = error_quote(text);
        return error_set(error, ERROR_FROM_DOMAIN, ERROR_CONFIG_UNSUPPORTED,
                         "%s '%s' is used more than once, at line %u (<%s>)", what, quoted, xml_line(node),
                         (const char *)node->name);
}
