/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What a machine's firmware says of it: the structures of SMBIOS (DMTF DSP0134). Nothing of it is trusted:
 * lengths, indexes and texts are checked. Any thread.
 */

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/* A table beyond this is not read. */
#define SMBIOS_BYTES_MAX (1024u * 1024)

enum smbios_type {
        SMBIOS_BIOS = 0,
        SMBIOS_SYSTEM = 1,
        SMBIOS_BASE_BOARD = 2,
        SMBIOS_CHASSIS = 3,
        SMBIOS_PROCESSOR = 4,
        SMBIOS_OEM_STRINGS = 11,
        SMBIOS_MEMORY_DEVICE = 17,
        SMBIOS_END = 127,
};

/* A structure; points into the table, which lives longer. */
struct smbios {
        uint8_t type;
        uint8_t length; /* of the formatted part */
        const uint8_t *at;
        const uint8_t *texts, *end; /* its texts, to the end of the structure */
};

/* The structure at *offset, which moves to the next one. False: there is none (any more). */
bool smbios_next(const uint8_t *table, size_t size, size_t *offset, struct smbios *structure);

/* A number of 1, 2, 4 or 8 bytes at an offset of the structure; 0 where it ends before. */
uint64_t smbios_get(const struct smbios *structure, unsigned offset, unsigned bytes);
bool smbios_has(const struct smbios *structure, unsigned offset, unsigned bytes);

/*
 * The text that the byte at the offset counts (from 1), printable and without blanks at its end; "Not
 * Specified" where there is none. NULL where the structure ends before the offset. Owned.
 */
char *smbios_get_text(const struct smbios *structure, unsigned offset);
/* The same by its number; NULL when there is none. */
char *smbios_get_text_by_number(const struct smbios *structure, unsigned number);

/* ---- names of numbers; NULL: the standard has none that is known here ---- */

const char *smbios_get_processor_type(unsigned type);
const char *smbios_get_processor_family(unsigned family);
/* "Populated, Enabled", owned. */
char *smbios_format_processor_status(unsigned status);
const char *smbios_get_form_factor(unsigned factor);
const char *smbios_get_memory_type(unsigned type);
/* The names of the bits, by blanks; owned. */
char *smbios_format_memory_details(unsigned bits);
