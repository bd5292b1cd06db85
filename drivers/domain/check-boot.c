/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Checks of the firmware, what the machine tells the guest of itself, and its security labels. No state; any
 * thread.
 */
#include "drivers/domain/check.h"

#include "base/error.h"
#include "base/uuid.h"

#include <stdio.h>
#include <string.h>

static enum domain_switch get_feature(const struct domain_os *os, const char *name)
{
        for (unsigned i = 0; i < os->n_firmware_features; i++) {
                if (strcmp(os->firmware_features[i].name, name) == 0)
                        return os->firmware_features[i].enabled ? DOMAIN_SWITCH_ON : DOMAIN_SWITCH_OFF;
        }
        return DOMAIN_SWITCH_ABSENT;
}

/* A variable store that the guest's operating system could write to past the firmware would protect nothing.
 */
static bool check_secure_boot(const struct check *check, GError **error)
{
        const struct domain_os *os = &check->def->os;
        enum domain_switch feature = get_feature(os, "secure-boot");
        enum domain_switch smm = check->def->features.smm;
        bool secure = os->loader.secure == DOMAIN_SWITCH_ON || feature == DOMAIN_SWITCH_ON;
        bool given = os->loader.path != NULL;

        if (feature != DOMAIN_SWITCH_ABSENT && os->loader.secure != DOMAIN_SWITCH_ABSENT &&
            feature != os->loader.secure)
                return check_refuse(error,
                                    "the firmware feature 'secure-boot' and <loader secure='%s'> contradict "
                                    "each other",
                                    os->loader.secure == DOMAIN_SWITCH_ON ? "yes" : "no");
        if (feature == DOMAIN_SWITCH_OFF && get_feature(os, "enrolled-keys") == DOMAIN_SWITCH_ON)
                return check_refuse(error,
                                    "the firmware feature 'enrolled-keys' is nothing without 'secure-boot', "
                                    "which is off");
        if (!secure || !check->machine->isa)
                return true;
        if (!check_is_machine(check, "pc-q35"))
                return check_refuse(error, "secure boot needs a machine of type 'q35', not '%s'",
                                    check->machine->machine);
        /* A firmware that the agent chooses brings SMM along unless that is switched off. */
        if (smm == DOMAIN_SWITCH_OFF || (given && smm == DOMAIN_SWITCH_ABSENT))
                return check_refuse(error, "secure boot needs <smm state='on'/> in <features>%s",
                                    smm == DOMAIN_SWITCH_OFF ? ", which is off" : "");
        return true;
}

static bool check_loader(const struct check *check, GError **error)
{
        const struct domain_os *os = &check->def->os;
        bool rom = g_strcmp0(os->loader.type, "rom") == 0;

        if (!os->loader.path && !os->firmware &&
            (os->loader.secure == DOMAIN_SWITCH_ON || os->loader.stateless == DOMAIN_SWITCH_ON ||
             g_strcmp0(os->loader.type, "pflash") == 0))
                return check_refuse(
                        error, "<loader> says how a firmware is loaded and not which: give it a path, or "
                               "choose one by <os firmware=>");
        if (os->loader.secure == DOMAIN_SWITCH_ON && rom)
                return check_refuse(error, "secure boot needs a <loader> of type 'pflash', not 'rom'");
        if (os->loader.readonly == DOMAIN_SWITCH_OFF && os->has_nvram)
                return check_refuse(error,
                                    "a <loader readonly='no'> keeps its variables itself: <nvram> goes with "
                                    "readonly='yes'");
        if (os->loader.stateless == DOMAIN_SWITCH_ON && os->has_nvram)
                return check_refuse(error,
                                    "a <loader stateless='yes'> keeps no variables: drop the <nvram>, or "
                                    "stateless");
        return true;
}

/* Where the variables are kept. */
static bool check_nvram(const struct check *check, GError **error)
{
        const struct domain_nvram *nvram = &check->def->os.nvram;

        if (!nvram->type || strcmp(nvram->type, "file") == 0)
                return true;
        if (strcmp(nvram->type, "block") == 0)
                return nvram->path || check_refuse(error, "<nvram type='block'> needs a <source dev=>");
        if (strcmp(nvram->type, "network") == 0)
                return domain_nvram_get_server(nvram) ||
                       check_refuse(error, "<nvram type='network'> needs a <source protocol=>");
        return check_refuse(error, "<nvram type='%s'>: it is 'file', 'block' or 'network'", nvram->type);
}

static bool check_smm(const struct check *check, GError **error)
{
        const struct domain_features *features = &check->def->features;

        if (features->tseg_mib && check->machine->isa && !check_is_machine(check, "pc-q35"))
                return check_refuse(error, "<tseg> is for machines of type 'q35', not '%s'",
                                    check->machine->machine);
        return true;
}

static bool check_acpi(const struct check *check, GError **error)
{
        const struct domain_os *os = &check->def->os;
        const struct domain_machine *machine = check->machine;
        bool uefi = g_strcmp0(os->firmware, "efi") == 0 || g_strcmp0(os->loader.type, "pflash") == 0;

        if (check->def->features.acpi != DOMAIN_SWITCH_ON || !machine->machine)
                return true;
        if (!machine->acpi && !machine->isa)
                return check_refuse(error, "machine '%s' has no ACPI", machine->machine);
        if (machine->acpi_needs_uefi && !uefi)
                return check_refuse(
                        error,
                        "ACPI comes from UEFI firmware on machine '%s': say <os firmware='efi'>, or "
                        "leave out <acpi/>",
                        machine->machine);
        return true;
}

/* ---- what SMBIOS shows ---- */

static bool check_sysinfo_uuid(const struct domain_def *def, const char *text, GError **error)
{
        g_autofree char *quoted = error_quote(text);
        char own[UUID_STRING_LENGTH + 1];
        struct uuid uuid;

        if (!uuid_parse(&uuid, text, NULL))
                return check_refuse(error, "the <entry name='uuid'> of <sysinfo> is no UUID: '%s'", quoted);
        if (uuid_equal(&uuid, &def->base.uuid))
                return true;
        uuid_format(&def->base.uuid, own);
        return check_refuse(
                error,
                "<uuid> is %s and the <entry name='uuid'> of <sysinfo> %s: they are one, leave one of "
                "them out",
                own, quoted);
}

/* "mm/dd/yy" or "mm/dd/yyyy" (SMBIOS specification, BIOS release date) */
static bool is_date(const char *text)
{
        unsigned month, day, year;
        int end = 0;

        return sscanf(text, "%2u/%2u/%4u%n", &month, &day, &year, &end) == 3 && text[end] == '\0' &&
               month >= 1 && month <= 12 && day >= 1 && day <= 31 && (year < 100 || year >= 1900);
}

static bool check_sysinfo(const struct check *check, GError **error)
{
        const struct domain_def *def = check->def;

        for (unsigned i = 0; i < def->n_sysinfo; i++) {
                const struct domain_sysinfo_entry *entry = &def->sysinfo[i];
                g_autofree char *quoted = error_quote(entry->value);

                if (strcmp(entry->block, "system") == 0 && g_strcmp0(entry->name, "uuid") == 0 &&
                    !check_sysinfo_uuid(def, entry->value, error))
                        return false;
                if (strcmp(entry->block, "bios") == 0 && g_strcmp0(entry->name, "date") == 0 &&
                    !is_date(entry->value))
                        return check_refuse(error,
                                            "the <entry name='date'> of <bios> is '%s': expected mm/dd/yyyy",
                                            quoted);
        }
        return true;
}

static bool check_fwcfg(const struct check *check, GError **error)
{
        for (unsigned i = 0; i < check->def->n_fwcfg; i++) {
                const struct domain_fwcfg_entry *entry = &check->def->fwcfg[i];
                g_autofree char *quoted = error_quote(entry->name);

                if (!entry->file && (!entry->value || !*entry->value))
                        return check_refuse(error,
                                            "the <entry name='%s'> of <sysinfo type='fwcfg'> has neither a "
                                            "text nor a file",
                                            quoted);
        }
        return true;
}

static bool check_labels(const struct check *check, GError **error)
{
        const struct domain_def *def = check->def;

        for (unsigned i = 0; i < def->n_seclabels; i++) {
                const struct domain_seclabel *label = &def->seclabels[i];

                if (g_strcmp0(label->type, "static") == 0 && !label->label)
                        return check_refuse(error, "the <seclabel type='static'> has no <label>");
                if (g_strcmp0(label->type, "dynamic") == 0 && label->relabel == DOMAIN_SWITCH_OFF)
                        return check_refuse(error,
                                            "a <seclabel type='dynamic'> has to relabel the guest's files");
                for (unsigned j = 0; j < i; j++) {
                        if (g_strcmp0(def->seclabels[j].model, def->seclabels[i].model) == 0)
                                return check_refuse(error, "there are two <seclabel> of model '%s'",
                                                    def->seclabels[i].model ? def->seclabels[i].model : "");
                }
        }
        return true;
}

const check_function domain_check_boot[] = {
        check_secure_boot, check_loader, check_nvram,  check_smm, check_acpi,
        check_sysinfo,     check_fwcfg,  check_labels, NULL,
};
