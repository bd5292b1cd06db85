/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Walking the structures of SMBIOS (DSP0134, clause 6.1). Any thread. */

#include "drivers/host/smbios.h"

#include <string.h>

#define HEADER_BYTES 4
#define NO_TEXT      "Not Specified"

/* Behind the two zeros that end the texts; NULL when there are none. */
static const uint8_t *find_end(const uint8_t *texts, const uint8_t *limit)
{
        for (const uint8_t *at = texts; at + 1 < limit; at++)
                if (at[0] == 0 && at[1] == 0)
                        return at + 2;
        return NULL;
}

bool smbios_next(const uint8_t *table, size_t size, size_t *offset, struct smbios *structure)
{
        const uint8_t *at = table + *offset, *limit = table + size, *end;

        if (*offset >= size || size - *offset < HEADER_BYTES || at[1] < HEADER_BYTES ||
            size - *offset < at[1] || at[0] == SMBIOS_END)
                return false;
        end = find_end(at + at[1], limit);
        if (!end)
                return false;
        *structure = (struct smbios){ at[0], at[1], at, at + at[1], end };
        *offset = (size_t)(end - table);
        return true;
}

bool smbios_has(const struct smbios *structure, unsigned offset, unsigned bytes)
{
        return offset + bytes <= structure->length;
}

uint64_t smbios_get(const struct smbios *structure, unsigned offset, unsigned bytes)
{
        uint64_t value = 0;

        for (unsigned i = bytes; smbios_has(structure, offset, bytes) && i-- > 0;)
                value = value << 8 | structure->at[offset + i];
        return value;
}

char *smbios_get_text_by_number(const struct smbios *structure, unsigned number)
{
        const uint8_t *at = structure->texts;
        char *text;

        for (unsigned i = 1; i < number && at < structure->end && *at; i++)
                at += strlen((const char *)at) + 1;
        if (!number || at >= structure->end || !*at)
                return NULL;
        text = g_strchomp(g_strdup((const char *)at));
        for (char *byte = text; *byte; byte++)
                if (!g_ascii_isprint(*byte))
                        *byte = '.';
        return text;
}

char *smbios_get_text(const struct smbios *structure, unsigned offset)
{
        char *text;

        if (!smbios_has(structure, offset, 1))
                return NULL;
        text = smbios_get_text_by_number(structure, structure->at[offset]);
        return text ? text : g_strdup(NO_TEXT);
}
