/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The names of SMBIOS's numbers (DSP0134, clauses 7.5 and 7.18). Constant data; any thread. */

#include "drivers/host/smbios.h"

static const char *get(const char *const *names, unsigned count, unsigned index)
{
        return index < count ? names[index] : NULL;
}

const char *smbios_get_processor_type(unsigned type)
{
        static const char *const names[] = { NULL,
                                             "Other",
                                             "Unknown",
                                             "Central Processor",
                                             "Math Processor",
                                             "DSP Processor",
                                             "Video Processor" };

        return get(names, G_N_ELEMENTS(names), type);
}

/* Those that hosts of guests can be. */
const char *smbios_get_processor_family(unsigned family)
{
        static const struct {
                unsigned family;
                const char *name;
        } names[] = {
                { 0x01, "Other" },
                { 0x02, "Unknown" },
                { 0x0b, "Pentium" },
                { 0x0c, "Pentium Pro" },
                { 0x0d, "Pentium II" },
                { 0x0f, "Celeron" },
                { 0x11, "Pentium III" },
                { 0x14, "Celeron M" },
                { 0x1d, "Athlon" },
                { 0x20, "Power PC" },
                { 0x28, "Core Duo" },
                { 0x29, "Core Duo Mobile" },
                { 0x2a, "Core Solo Mobile" },
                { 0x2b, "Atom" },
                { 0x2c, "Core M" },
                { 0x2d, "Core m3" },
                { 0x2e, "Core m5" },
                { 0x2f, "Core m7" },
                { 0x3d, "Opteron 6100" },
                { 0x3e, "Opteron 4100" },
                { 0x3f, "Opteron 6200" },
                { 0x40, "Opteron 4200" },
                { 0x41, "FX" },
                { 0x48, "A-Series" },
                { 0x4c, "Opteron 4300" },
                { 0x4d, "Opteron 6300" },
                { 0x4e, "Opteron 3300" },
                { 0x66, "Athlon X4" },
                { 0x67, "Opteron X1000" },
                { 0x68, "Opteron X2000" },
                { 0x69, "Opteron A-Series" },
                { 0x6a, "Opteron X3000" },
                { 0x6b, "Zen" },
                { 0x83, "Athlon 64" },
                { 0x84, "Opteron" },
                { 0x85, "Sempron" },
                { 0x86, "Turion 64" },
                { 0x87, "Dual-Core Opteron" },
                { 0x88, "Athlon 64 X2" },
                { 0x89, "Turion 64 X2" },
                { 0x8a, "Quad-Core Opteron" },
                { 0x8b, "Third-Generation Opteron" },
                { 0x8c, "Phenom FX" },
                { 0x8d, "Phenom X4" },
                { 0x8e, "Phenom X2" },
                { 0x8f, "Athlon X2" },
                { 0xb0, "Pentium III Xeon" },
                { 0xb2, "Pentium 4" },
                { 0xb3, "Xeon" },
                { 0xb5, "Xeon MP" },
                { 0xb6, "Athlon XP" },
                { 0xb8, "Itanium 2" },
                { 0xb9, "Pentium M" },
                { 0xba, "Celeron D" },
                { 0xbb, "Pentium D" },
                { 0xbd, "Core Solo" },
                { 0xbf, "Core 2 Duo" },
                { 0xc0, "Core 2 Solo" },
                { 0xc1, "Core 2 Extreme" },
                { 0xc2, "Core 2 Quad" },
                { 0xc4, "Core 2 Duo Mobile" },
                { 0xc6, "Core i7" },
                { 0xc7, "Dual-Core Celeron" },
                { 0xc8, "IBM390" },
                { 0xcc, "z/Architecture" },
                { 0xcd, "Core i5" },
                { 0xce, "Core i3" },
                { 0xcf, "Core i9" },
                { 0xd6, "Multi-Core Xeon" },
                { 0xd7, "Dual-Core Xeon 3xxx" },
                { 0xd8, "Quad-Core Xeon 3xxx" },
                { 0x100, "ARMv7" },
                { 0x101, "ARMv8" },
                { 0x102, "ARMv9" },
                { 0x118, "ARM" },
                { 0x119, "StrongARM" },
                { 0x200, "RV32" },
                { 0x201, "RV64" },
                { 0x202, "RV128" },
        };

        for (unsigned i = 0; i < G_N_ELEMENTS(names); i++)
                if (names[i].family == family)
                        return names[i].name;
        return NULL;
}

char *smbios_format_processor_status(unsigned status)
{
        static const char *const names[] = {
                "Unknown", "Enabled", "Disabled By User", "Disabled By BIOS", "Idle", NULL, NULL, "Other"
        };
        const char *name = names[status & 7];

        if (!(status & 1 << 6))
                return g_strdup("Unpopulated");
        return name ? g_strdup_printf("Populated, %s", name) : g_strdup("Populated");
}

const char *smbios_get_form_factor(unsigned factor)
{
        static const char *const names[] = {
                NULL,      "Other",  "Unknown",
                "SIMM",    "SIP",    "Chip",
                "DIP",     "ZIP",    "Proprietary Card",
                "DIMM",    "TSOP",   "Row Of Chips",
                "RIMM",    "SODIMM", "SRIMM",
                "FB-DIMM", "Die",
        };

        return get(names, G_N_ELEMENTS(names), factor);
}

const char *smbios_get_memory_type(unsigned type)
{
        static const char *const names[] = {
                [0x01] = "Other",
                "Unknown",
                "DRAM",
                "EDRAM",
                "VRAM",
                "SRAM",
                "RAM",
                "ROM",
                "Flash",
                "EEPROM",
                "FEPROM",
                "EPROM",
                "CDRAM",
                "3DRAM",
                "SDRAM",
                "SGRAM",
                "RDRAM",
                "DDR",
                "DDR2",
                "DDR2 FB-DIMM",
                [0x18] = "DDR3",
                "FBD2",
                "DDR4",
                "LPDDR",
                "LPDDR2",
                "LPDDR3",
                "LPDDR4",
                "Logical non-volatile device",
                "HBM",
                "HBM2",
                "DDR5",
                "LPDDR5",
                "HBM3",
        };

        return get(names, G_N_ELEMENTS(names), type);
}

char *smbios_format_memory_details(unsigned bits)
{
        static const char *const names[] = {
                [1] = "Other",
                "Unknown",
                "Fast-paged",
                "Static Column",
                "Pseudo-static",
                "RAMBus",
                "Synchronous",
                "CMOS",
                "EDO",
                "Window DRAM",
                "Cache DRAM",
                "Non-Volatile",
                "Registered (Buffered)",
                "Unbuffered (Unregistered)",
                "LRDIMM",
        };
        GString *text = g_string_new(NULL);

        for (unsigned i = 1; i < G_N_ELEMENTS(names); i++)
                if (bits & 1u << i)
                        g_string_append_printf(text, "%s%s", text->len ? " " : "", names[i]);
        if (!text->len)
                g_string_append(text, "None");
        return g_string_free(text, FALSE);
}
