/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Values of attributes and variables: reading, and how documents write them. Any thread. */
#include "drivers/nwfilter/protocol.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#define COMMENT_MAX 256
#define SET_MAX     31

/* ---- numbers ---- */

static const struct nwfilter_name *find_name(const struct nwfilter_name *names, const char *text,
                                             uint32_t number)
{
        for (; names && names->name; names++)
                if (text ? g_ascii_strcasecmp(names->name, text) == 0 : names->number == number)
                        return names;
        return NULL;
}

static bool parse_digits(const char *text, unsigned base, uint64_t *number)
{
        char *end;

        if (base == 16 ? !g_ascii_isxdigit(*text) : !g_ascii_isdigit(*text))
                return false;
        *number = g_ascii_strtoull(text, &end, base);
        return *end == '\0';
}

/* A number that has a name is written as that; others stay decimal or hexadecimal. */
static bool parse_number(const struct nwfilter_attribute *attribute, const char *text,
                         struct nwfilter_value *value)
{
        const struct nwfilter_name *name = find_name(attribute->names, text, 0);
        bool is_hex = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
        uint64_t number = 0;

        if (name)
                number = name->number;
        else if (!parse_digits(is_hex ? text + 2 : text, is_hex ? 16 : 10, &number))
                return false;
        if (number < attribute->min || number > attribute->max)
                return false;
        value->number = (uint32_t)number;
        name = find_name(attribute->names, NULL, value->number);
        if (name)
                value->text = g_strdup(name->name);
        else
                value->text = g_strdup_printf(is_hex ? "0x%x" : "%u", value->number);
        return true;
}

static bool parse_bool(const char *text, struct nwfilter_value *value)
{
        static const char *const names[] = { "no", "false", "0", "yes", "true", "1" };

        for (unsigned i = 0; i < G_N_ELEMENTS(names); i++) {
                if (strcmp(text, names[i]) != 0)
                        continue;
                value->number = i >= G_N_ELEMENTS(names) / 2;
                value->text = g_strdup(value->number ? "true" : "false");
                return true;
        }
        return false;
}

/* ---- addresses ---- */

static bool parse_mac(const char *text, struct nwfilter_value *value)
{
        for (unsigned i = 0; i < 6; i++) {
                size_t digits = strspn(text, "0123456789abcdefABCDEF");

                if (digits < 1 || digits > 2 || text[digits] != (i < 5 ? ':' : '\0'))
                        return false;
                value->mac = value->mac << 8 | g_ascii_strtoull(text, NULL, 16);
                text += digits + 1;
        }
        value->text =
                g_strdup_printf("%02x:%02x:%02x:%02x:%02x:%02x", (unsigned)(value->mac >> 40 & 0xff),
                                (unsigned)(value->mac >> 32 & 0xff), (unsigned)(value->mac >> 24 & 0xff),
                                (unsigned)(value->mac >> 16 & 0xff), (unsigned)(value->mac >> 8 & 0xff),
                                (unsigned)(value->mac & 0xff));
        return true;
}

static bool is_mac_mask(uint64_t mac)
{
        uint64_t zeros = ~mac & UINT64_C(0xffffffffffff);

        return (zeros & (zeros + 1)) == 0;
}

static bool parse_ip(int family, const char *text, struct nwfilter_value *value)
{
        char buffer[INET6_ADDRSTRLEN];

        if (inet_pton(family, text, value->address) != 1)
                return false;
        value->text = g_strdup(inet_ntop(family, value->address, buffer, sizeof(buffer)));
        return true;
}

/* Of ones before zeros only. */
static bool count_bits(const uint8_t *bytes, unsigned n_bytes, uint32_t *bits)
{
        unsigned n = 0, total = 0;

        while (n < 8 * n_bytes && bytes[n / 8] & 0x80 >> n % 8)
                n++;
        for (unsigned i = 0; i < n_bytes; i++)
                total += (unsigned)__builtin_popcount(bytes[i]);
        *bits = n;
        return n == total;
}

static bool parse_ip_mask(int family, const char *text, struct nwfilter_value *value)
{
        unsigned n_bytes = family == AF_INET ? 4 : 16;
        uint64_t number;

        if (parse_digits(text, 10, &number) && number <= 8 * n_bytes)
                value->number = (uint32_t)number;
        else if (inet_pton(family, text, value->address) != 1 ||
                 !count_bits(value->address, n_bytes, &value->number))
                return false;
        value->text = g_strdup_printf("%u", value->number);
        return true;
}

/* ---- lists of names ---- */

struct flag {
        const char *name;
        unsigned bit;
};

static const struct flag tcp_flags[] = {
        { "FIN", 0x1 }, { "SYN", 0x2 }, { "RST", 0x4 }, { "PSH", 0x8 }, { "ACK", 0x10 }, { "URG", 0x20 },
};
static const struct flag states[] = {
        { "NEW", 1 }, { "ESTABLISHED", 2 }, { "RELATED", 4 }, { "INVALID", 8 }, { "NONE", 0x100 },
};

static const struct flag *find_flag(const struct flag *flags, unsigned n_flags, const char *name)
{
        for (unsigned i = 0; i < n_flags; i++)
                if (g_ascii_strcasecmp(flags[i].name, name) == 0)
                        return &flags[i];
        return NULL;
}

static bool parse_flags(const struct flag *flags, unsigned n_flags, const char *text, unsigned *bits)
{
        g_auto(GStrv) names = g_strsplit(text, ",", n_flags + 1);

        for (unsigned i = 0; names[i]; i++) {
                const struct flag *flag = find_flag(flags, n_flags, g_strstrip(names[i]));

                if (!flag)
                        return false;
                *bits |= flag->bit;
        }
        return true;
}

static bool parse_tcp_half(const char *text, unsigned *bits)
{
        if (g_ascii_strcasecmp(text, "NONE") == 0)
                return true;
        if (g_ascii_strcasecmp(text, "ALL") == 0) {
                *bits = 0x3f;
                return true;
        }
        return parse_flags(tcp_flags, G_N_ELEMENTS(tcp_flags), text, bits) && *bits;
}

static void append_tcp_half(GString *out, unsigned bits)
{
        size_t before = out->len;

        if (!bits || bits == 0x3f) {
                g_string_append(out, bits ? "ALL" : "NONE");
                return;
        }
        for (unsigned i = 0; i < G_N_ELEMENTS(tcp_flags); i++)
                if (bits & tcp_flags[i].bit)
                        g_string_append_printf(out, "%s%s", out->len > before ? "," : "", tcp_flags[i].name);
}

static bool parse_tcp_flags(const char *text, struct nwfilter_value *value)
{
        g_auto(GStrv) halves = g_strsplit(text, "/", 3);
        unsigned mask = 0, flags = 0;
        GString *out;

        if (g_strv_length(halves) != 2 || !parse_tcp_half(halves[0], &mask) ||
            !parse_tcp_half(halves[1], &flags))
                return false;
        value->number = mask << 8 | flags;
        out = g_string_new(NULL);
        append_tcp_half(out, mask);
        g_string_append_c(out, '/');
        append_tcp_half(out, flags);
        value->text = g_string_free(out, FALSE);
        return true;
}

static bool parse_state(const char *text, struct nwfilter_value *value)
{
        const unsigned none = states[G_N_ELEMENTS(states) - 1].bit;
        GString *out;

        if (!parse_flags(states, G_N_ELEMENTS(states), text, &value->number) || !value->number)
                return false;
        if (value->number & none)
                value->number = none;
        out = g_string_new(NULL);
        for (unsigned i = 0; i < G_N_ELEMENTS(states); i++)
                if (value->number & states[i].bit)
                        g_string_append_printf(out, "%s%s", out->len ? "," : "", states[i].name);
        value->text = g_string_free(out, FALSE);
        return true;
}

static bool parse_set(const char *text, struct nwfilter_value *value)
{
        size_t length = strlen(text);

        for (const char *c = text; *c; c++)
                if (!g_ascii_isalnum(*c) && !strchr("_.:-+ ", *c))
                        return false;
        value->text = g_strdup(text);
        return length > 0 && length <= SET_MAX;
}

static bool parse_set_flags(const char *text, struct nwfilter_value *value)
{
        g_auto(GStrv) names = g_strsplit(text, ",", 8);
        unsigned count = g_strv_length(names);

        for (unsigned i = 0; i < count; i++)
                if (g_ascii_strcasecmp(names[i], "src") != 0 && g_ascii_strcasecmp(names[i], "dst") != 0)
                        return false;
        value->text = g_ascii_strdown(text, -1);
        return count > 0 && count <= 6;
}

static bool parse_comment(const char *text, struct nwfilter_value *value)
{
        value->text = g_strdup(text);
        return strlen(text) <= COMMENT_MAX;
}

/* ---- all of them ---- */

static bool parse(const struct nwfilter_attribute *attribute, const char *text, struct nwfilter_value *value)
{
        switch (attribute->type) {
        case NWFILTER_NUMBER:
                return parse_number(attribute, text, value);
        case NWFILTER_MAC:
                return parse_mac(text, value);
        case NWFILTER_MAC_MASK:
                return parse_mac(text, value) && is_mac_mask(value->mac);
        case NWFILTER_IP:
                return parse_ip(AF_INET, text, value);
        case NWFILTER_IPV6:
                return parse_ip(AF_INET6, text, value);
        case NWFILTER_IP_MASK:
                return parse_ip_mask(AF_INET, text, value);
        case NWFILTER_IPV6_MASK:
                return parse_ip_mask(AF_INET6, text, value);
        case NWFILTER_BOOL:
                return parse_bool(text, value);
        case NWFILTER_TCP_FLAGS:
                return parse_tcp_flags(text, value);
        case NWFILTER_STATE:
                return parse_state(text, value);
        case NWFILTER_IPSET:
                return parse_set(text, value);
        case NWFILTER_IPSET_FLAGS:
                return parse_set_flags(text, value);
        case NWFILTER_COMMENT:
                return parse_comment(text, value);
        }
        return false;
}

bool nwfilter_value_parse(const struct nwfilter_attribute *attribute, const char *text,
                          struct nwfilter_value *value)
{
        *value = (struct nwfilter_value){ 0 };
        if (parse(attribute, text, value))
                return true;
        nwfilter_value_clear(value);
        return false;
}

void nwfilter_value_clear(struct nwfilter_value *value)
{
        g_clear_pointer(&value->text, g_free);
}

/* ---- variables ---- */

bool nwfilter_is_variable_name(const char *name)
{
        size_t length = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");

        return length > 0 && length <= NWFILTER_VARIABLE_MAX && name[length] == '\0';
}

bool nwfilter_attribute_takes_variables(const struct nwfilter_attribute *attribute)
{
        switch (attribute->type) {
        case NWFILTER_BOOL:
        case NWFILTER_TCP_FLAGS:
        case NWFILTER_STATE:
        case NWFILTER_IPSET_FLAGS:
        case NWFILTER_COMMENT:
                return false;
        default:
                return true;
        }
}

/* "[3]", "[ @3 ]" */
static bool parse_access(const char *text, struct nwfilter_variable *variable)
{
        g_autofree char *inner = NULL;
        size_t length = strlen(text);
        uint64_t number;
        char *digits;

        if (length < 3 || text[length - 1] != ']')
                return false;
        inner = g_strndup(text + 1, length - 2);
        digits = g_strstrip(inner);
        variable->has_index = *digits != '@';
        if (!variable->has_index)
                digits++;
        if (!parse_digits(digits, 10, &number) || number >= NWFILTER_ITERATORS_MAX)
                return false;
        variable->number = (unsigned)number;
        return true;
}

bool nwfilter_variable_parse(const char *text, struct nwfilter_variable *variable)
{
        const char *access = strchr(text, '[');

        *variable = (struct nwfilter_variable){ 0 };
        if (!nwfilter_is_variable(text) || (access && !parse_access(access, variable)))
                return false;
        variable->name = access ? g_strndup(text + 1, (gsize)(access - text - 1)) : g_strdup(text + 1);
        if (nwfilter_is_variable_name(variable->name))
                return true;
        nwfilter_variable_clear(variable);
        return false;
}

void nwfilter_variable_clear(struct nwfilter_variable *variable)
{
        g_clear_pointer(&variable->name, g_free);
}

char *nwfilter_variable_format(const struct nwfilter_variable *variable)
{
        if (variable->has_index)
                return g_strdup_printf("$%s[%u]", variable->name, variable->number);
        if (variable->number)
                return g_strdup_printf("$%s[@%u]", variable->name, variable->number);
        return g_strdup_printf("$%s", variable->name);
}
