/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Options of QEMU about the machine and what it boots. The meaning of options is that of qemu-system(1). No
 * state.
 */
#include "drivers/qemu/native-private.h"

#include "base/units.h"

#include <string.h>

#define MIB_KIB 1024

static char *element(const char *format, ...) G_GNUC_PRINTF(1, 2);
static char *element(const char *format, ...)
{
        va_list args;
        char *text;

        va_start(args, format);
        text = g_markup_vprintf_escaped(format, args);
        va_end(args);
        return text;
}

/* ---- the machine ---- */

static bool read_name(struct native_parse *parse, const char *value)
{
        g_autoptr(GPtrArray) parts = native_split(value);
        g_autofree char *name = native_take_first(parts, "guest");

        g_free(native_take(parts, "debug-threads"));
        if (!name || parts->len > 0)
                return false;
        g_free(parse->name);
        parse->name = g_steal_pointer(&name);
        return true;
}

static bool read_uuid(struct native_parse *parse, const char *value)
{
        g_free(parse->uuid);
        parse->uuid = g_strdup(value);
        return true;
}

static bool read_memory(struct native_parse *parse, const char *value)
{
        g_autoptr(GPtrArray) parts = native_split(value);
        g_autofree char *size = native_take_first(parts, "size");
        size_t digits = size ? strspn(size, "0123456789") : 0;
        g_autofree char *number = size ? g_strndup(size, digits) : NULL;
        uint64_t count, bytes;

        if (!number || parts->len > 0 || !native_parse_number(number, INT64_MAX, &count) ||
            strlen(size) > digits + 1)
                return false;
        if (!units_scale(count, size + digits, (uint64_t)MIB_KIB * 1024, INT64_MAX, &bytes, NULL) ||
            bytes < 1024)
                return false;
        parse->memory_kib = bytes / 1024;
        return true;
}

static bool read_smp(struct native_parse *parse, const char *value)
{
        static const char *const keys[] = { "sockets", "dies", "cores", "threads" };
        g_autoptr(GPtrArray) parts = native_split(value);
        g_autofree char *cpus = native_take_first(parts, "cpus"), *max = native_take(parts, "maxcpus");
        uint64_t counts[G_N_ELEMENTS(keys)] = { 1, 1, 1, 1 }, vcpus, most;
        bool has_topology = false;

        for (unsigned i = 0; i < G_N_ELEMENTS(keys); i++) {
                g_autofree char *count = native_take(parts, keys[i]);

                has_topology = has_topology || count;
                if (count && !native_parse_number(count, INT32_MAX, &counts[i]))
                        return false;
        }
        if (!cpus || parts->len > 0 || !native_parse_number(cpus, INT32_MAX, &vcpus) || vcpus == 0)
                return false;
        most = vcpus;
        if (max && (!native_parse_number(max, INT32_MAX, &most) || most < vcpus))
                return false;
        /* QEMU fills in what is missing in ways that differ from version to version. */
        if (has_topology && counts[0] * counts[1] * counts[2] * counts[3] != most)
                return false;
        parse->vcpus = vcpus;
        parse->max_vcpus = most;
        g_free(parse->topology);
        parse->topology = has_topology ? element("<topology sockets='%u' dies='%u' cores='%u' threads='%u'/>",
                                                 (unsigned)counts[0], (unsigned)counts[1],
                                                 (unsigned)counts[2], (unsigned)counts[3])
                                       : NULL;
        return true;
}

static bool set_accel(struct native_parse *parse, const char *accel)
{
        if (strcmp(accel, "kvm") != 0 && strcmp(accel, "tcg") != 0 && strcmp(accel, "kvm:tcg") != 0)
                return false;
        parse->kvm = accel[0] == 'k';
        return true;
}

/* What else is said of the machine: QEMU takes it of a second option, too. */
static void keep_properties(struct native_parse *parse, const GPtrArray *parts)
{
        g_autoptr(GString) text = g_string_new(NULL);

        for (unsigned i = 0; i < parts->len; i += 2) {
                g_autoptr(GString) value = g_string_new(parts->pdata[i + 1]);

                g_string_replace(value, ",", ",,", 0);
                g_string_append_printf(text, "%s%s%s%s", i > 0 ? "," : "", (char *)parts->pdata[i],
                                       parts->pdata[i + 1] ? "=" : "", value->str);
        }
        native_add(parse->rest, "<qemu:arg value='-machine'/><qemu:arg value='%s'/>", text->str);
}

/* The type is told to the document whatever follows it, as all else stands on it. */
static bool read_machine(struct native_parse *parse, const char *value)
{
        g_autoptr(GPtrArray) parts = native_split(value);
        g_autofree char *type = native_take_first(parts, "type"), *accel = native_take(parts, "accel");
        char *usb = native_take(parts, "usb");

        if (usb && strcmp(usb, "off") != 0) {
                g_ptr_array_add(parts, g_strdup("usb"));
                g_ptr_array_add(parts, g_steal_pointer(&usb));
        }
        g_free(usb);
        if (!type || (accel && !set_accel(parse, accel)))
                return false;
        if (parts->len > 0)
                keep_properties(parse, parts);
        g_free(parse->machine);
        parse->machine = g_steal_pointer(&type);
        return true;
}

static bool read_accel(struct native_parse *parse, const char *value)
{
        return set_accel(parse, value);
}

static bool read_enable_kvm(struct native_parse *parse, const char *value)
{
        parse->kvm = true;
        return true;
}

static bool read_no_acpi(struct native_parse *parse, const char *value)
{
        parse->no_acpi = true;
        return true;
}

static bool read_no_reboot(struct native_parse *parse, const char *value)
{
        parse->no_reboot = true;
        return true;
}

/* "+a", "-a", "a=on", "a=off" */
static bool add_feature(GString *cpu, const char *key, const char *value)
{
        bool on = *key == '+' || (value && strcmp(value, "on") == 0);
        bool off = *key == '-' || (value && strcmp(value, "off") == 0);

        if (on == off || (strchr("+-", *key) && value))
                return false;
        native_add(cpu, "<feature policy='%s' name='%s'/>", on ? "require" : "disable",
                   key + (strchr("+-", *key) ? 1 : 0));
        return true;
}

static bool read_cpu(struct native_parse *parse, const char *value)
{
        g_autoptr(GPtrArray) parts = native_split(value);
        g_autofree char *model = native_take_first(parts, "");
        g_autoptr(GString) cpu = g_string_new(NULL);

        if (!model || !*model)
                return false;
        if (strcmp(model, "host") == 0 || strcmp(model, "max") == 0) {
                native_add(cpu, "<cpu mode='%s'>", *model == 'h' ? "host-passthrough" : "maximum");
        } else {
                native_add(
                        cpu,
                        "<cpu mode='custom' match='exact' check='none'><model fallback='forbid'>%s</model>",
                        model);
        }
        for (unsigned i = 0; i < parts->len; i += 2) {
                if (!add_feature(cpu, parts->pdata[i], parts->pdata[i + 1]))
                        return false;
        }
        g_free(parse->cpu);
        parse->cpu = g_strdup(cpu->str);
        return true;
}

static bool read_rtc(struct native_parse *parse, const char *value)
{
        g_autoptr(GPtrArray) parts = native_split(value);
        g_autofree char *base = native_take(parts, "base");

        if (!base || parts->len > 0 || (strcmp(base, "utc") != 0 && strcmp(base, "localtime") != 0))
                return false;
        g_free(parse->clock);
        parse->clock = element("<clock offset='%s'/>", base);
        return true;
}

/* ---- what it boots ---- */

static bool read_kernel(struct native_parse *parse, const char *value)
{
        native_add(parse->os, "<kernel>%s</kernel>", value);
        return *value == '/';
}

static bool read_initrd(struct native_parse *parse, const char *value)
{
        native_add(parse->os, "<initrd>%s</initrd>", value);
        return *value == '/';
}

static bool read_append(struct native_parse *parse, const char *value)
{
        native_add(parse->os, "<cmdline>%s</cmdline>", value);
        return true;
}

static bool read_boot(struct native_parse *parse, const char *value)
{
        static const char letters[] = "acdn";
        static const char *const names[] = { "fd", "hd", "cdrom", "network" };
        g_autoptr(GPtrArray) parts = native_split(value);
        g_autofree char *order = native_take_first(parts, "order"), *menu = native_take(parts, "menu");

        if (parts->len > 0 || (order && strspn(order, letters) != strlen(order)) ||
            (menu && strcmp(menu, "on") != 0 && strcmp(menu, "off") != 0))
                return false;
        for (const char *letter = order; letter && *letter; letter++)
                native_add(parse->os, "<boot dev='%s'/>", names[strchr(letters, *letter) - letters]);
        if (menu)
                native_add(parse->os, "<bootmenu enable='%s'/>", strcmp(menu, "on") == 0 ? "yes" : "no");
        return true;
}

/* ---- the options ---- */

const struct native_option native_machine_options[] = {
        { "name", true, read_name },
        { "uuid", true, read_uuid },
        { "m", true, read_memory },
        { "smp", true, read_smp },
        { "machine", true, read_machine },
        { "M", true, read_machine },
        { "accel", true, read_accel },
        { "enable-kvm", false, read_enable_kvm },
        { "no-acpi", false, read_no_acpi },
        { "no-reboot", false, read_no_reboot },
        { "cpu", true, read_cpu },
        { "rtc", true, read_rtc },
        { "kernel", true, read_kernel },
        { "initrd", true, read_initrd },
        { "append", true, read_append },
        { "boot", true, read_boot },
        { NULL, false, NULL },
};
