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
        g_free(native_take(parts, "process"));
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

/* What else is said: QEMU takes it of a second option, too. */
static void keep_properties(struct native_parse *parse, const char *option, const GPtrArray *parts)
{
        g_autofree char *text = native_join(parts);

        if (*text)
                native_add(parse->rest, "<qemu:arg value='%s'/><qemu:arg value='%s'/>", option, text);
}

/* "1.5G", of MiB when it has no unit; as many decimals as are worth something. */
static bool parse_size(const char *size, uint64_t *bytes)
{
        enum { DECIMALS_MAX = 9 };
        size_t digits = strspn(size, "0123456789"), decimals = 0;
        g_autofree char *number = g_strndup(size, digits);
        const char *unit = size + digits;
        uint64_t count, one, part = 0, ten = 1;

        if (*unit == '.') {
                decimals = strspn(++unit, "0123456789");
                for (size_t i = 0; i < decimals; i++, ten *= 10)
                        part = part * 10 + (uint64_t)(unit[i] - '0');
                unit += decimals;
                if (decimals == 0 || decimals > DECIMALS_MAX)
                        return false;
        }
        if (!native_parse_number(number, INT64_MAX, &count) || strlen(unit) > 1 ||
            !units_scale(1, unit, (uint64_t)MIB_KIB * 1024, INT64_MAX, &one, NULL) ||
            !units_scale(count, unit, (uint64_t)MIB_KIB * 1024, INT64_MAX / 2, bytes, NULL) ||
            (part > 0 && one > UINT64_MAX / part))
                return false;
        *bytes += one * part / ten;
        return true;
}

static bool read_memory(struct native_parse *parse, const char *value)
{
        g_autoptr(GPtrArray) parts = native_split(value);
        g_autofree char *size = native_take_first(parts, "size");
        uint64_t bytes;

        if (!size || !parse_size(size, &bytes) || bytes < 1024)
                return false;
        /* slots and maxmem are of what may come later. */
        keep_properties(parse, "-m", parts);
        parse->memory_kib = bytes / 1024;
        return true;
}

enum { SOCKETS, DIES, CORES, THREADS, LEVELS };

/*
 * The counts that are not said (0) follow from most (0: not said, either), where all versions of QEMU fill
 * them in alike: they agree as long as sockets or cores are said, or nothing but these.
 */
static bool complete_topology(uint64_t counts[static LEVELS], uint64_t most)
{
        bool has_some = counts[SOCKETS] > 0 || counts[CORES] > 0;
        unsigned open = counts[SOCKETS] == 0 ? SOCKETS : counts[CORES] == 0 ? CORES : THREADS;
        uint64_t rest = 1;

        if (most > 0 && !has_some)
                return false;
        for (unsigned i = 0; i < LEVELS; i++) {
                if (counts[i] == 0 && (most == 0 || i != open))
                        counts[i] = 1;
                rest *= counts[i] > 0 ? counts[i] : 1;
                if (rest > INT32_MAX)
                        return false;
        }
        if (counts[open] == 0)
                counts[open] = most / rest;
        return counts[open] > 0;
}

static bool read_smp(struct native_parse *parse, const char *value)
{
        static const char *const keys[] = { "sockets", "dies", "cores", "threads" };
        g_autoptr(GPtrArray) parts = native_split(value);
        g_autofree char *cpus = native_take_first(parts, "cpus"), *max = native_take(parts, "maxcpus");
        uint64_t counts[LEVELS] = { 0 }, vcpus = 0, most = 0;
        bool has_topology = false;

        for (unsigned i = 0; i < G_N_ELEMENTS(keys); i++) {
                g_autofree char *count = native_take(parts, keys[i]);

                has_topology = has_topology || count;
                if (count && (!native_parse_number(count, INT32_MAX, &counts[i]) || counts[i] == 0))
                        return false;
        }
        if (parts->len > 0 || (!cpus && !has_topology) ||
            (cpus && (!native_parse_number(cpus, INT32_MAX, &vcpus) || vcpus == 0)) ||
            (max && (!native_parse_number(max, INT32_MAX, &most) || most == 0)))
                return false;
        if (!max)
                most = vcpus;
        if (has_topology && !complete_topology(counts, most))
                return false;
        if (most == 0)
                most = counts[SOCKETS] * counts[DIES] * counts[CORES] * counts[THREADS];
        if (!cpus)
                vcpus = most;
        if (most < vcpus ||
            (has_topology && counts[SOCKETS] * counts[DIES] * counts[CORES] * counts[THREADS] != most))
                return false;
        parse->vcpus = vcpus;
        parse->max_vcpus = most;
        g_free(parse->topology);
        parse->topology = has_topology ? element("<topology sockets='%u' dies='%u' cores='%u' threads='%u'/>",
                                                 (unsigned)counts[SOCKETS], (unsigned)counts[DIES],
                                                 (unsigned)counts[CORES], (unsigned)counts[THREADS])
                                       : NULL;
        return true;
}

static bool is_accel(const char *accel)
{
        return strcmp(accel, "kvm") == 0 || strcmp(accel, "tcg") == 0 || strcmp(accel, "kvm:tcg") == 0;
}

static bool set_accel(struct native_parse *parse, const char *accel)
{
        if (!is_accel(accel))
                return false;
        parse->kvm = accel[0] == 'k';
        return true;
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
        if (accel && !set_accel(parse, accel))
                return false;
        keep_properties(parse, "-machine", parts);
        if (!type)
                return true;
        g_free(parse->machine);
        parse->machine = g_steal_pointer(&type);
        return true;
}

static bool is_machine(const char *argument)
{
        static const char *const names[] = { "-machine", "--machine", "-M", "--M", NULL };

        return g_strv_contains(names, argument);
}

void native_find_board(struct native_parse *parse, char *const *argv)
{
        for (; argv[0] && argv[1]; argv++) {
                g_autoptr(GPtrArray) parts = is_machine(argv[0]) ? native_split(argv[1]) : NULL;
                char *type = parts ? native_take_first(parts, "type") : NULL;

                if (!type)
                        continue;
                g_free(parse->board);
                parse->board = type;
        }
}

/* What documents can say of an accelerator is taken out of parts. */
static void read_accel_features(struct native_parse *parse, GPtrArray *parts)
{
        const char *key = parse->kvm ? "dirty-ring-size" : "tb-size";
        uint64_t *size = parse->kvm ? &parse->dirty_ring : &parse->tb_cache_mib;
        g_autofree char *text = native_take(parts, key);

        if (!text || native_parse_number(text, UINT32_MAX, size))
                return;
        g_ptr_array_add(parts, g_strdup(key));
        g_ptr_array_add(parts, g_steal_pointer(&text));
}

/*
 * Of several QEMU takes the first one that works, so what the document says, which stands before what is
 * kept, has to be that one. What else is said of it stays, but for what a machine says as well.
 */
static bool read_accel(struct native_parse *parse, const char *value)
{
        g_autoptr(GPtrArray) parts = native_split(value);
        g_autofree char *name = native_take_first(parts, "accel"), *irqchip = NULL;

        if (!name || (parse->has_accel ? !is_accel(name) : !set_accel(parse, name)))
                return false;
        if (!parse->has_accel)
                read_accel_features(parse, parts);
        parse->has_accel = true;
        irqchip = native_take(parts, "kernel-irqchip");
        if (!irqchip || parts->len > 0)
                return parts->len == 0;
        native_add(parse->rest, "<qemu:arg value='-machine'/><qemu:arg value='kernel-irqchip=%s'/>", irqchip);
        return true;
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

/*
 * What Hyper-V has, "hv_relaxed", "hv-relaxed=on"; *known: it is one of those. False: it is said in a way
 * that documents have not.
 */
static bool add_hyperv(GString *hyperv, const char *key, const char *value, bool *known)
{
        static const char *const names[] = { "relaxed", "vapic", "vpindex",     "runtime",         "synic",
                                             "stimer",  "reset", "frequencies", "reenlightenment", "tlbflush",
                                             "ipi",     "evmcs", NULL };
        const char *name = key + strlen("hv-");
        uint64_t retries;

        *known = g_str_has_prefix(key, "hv_") || g_str_has_prefix(key, "hv-");
        if (!*known)
                return true;
        if (strcmp(name, "spinlocks") == 0 && value && g_str_has_prefix(value, "0x")) {
                char *end;

                retries = g_ascii_strtoull(value + 2, &end, 16);
                if (!g_ascii_isxdigit(value[2]) || *end || retries > UINT32_MAX)
                        return false;
                native_add(hyperv, "<spinlocks state='on' retries='%u'/>", (unsigned)retries);
                return true;
        }
        if (strcmp(name, "spinlocks") == 0 && value && native_parse_number(value, UINT32_MAX, &retries)) {
                native_add(hyperv, "<spinlocks state='on' retries='%u'/>", (unsigned)retries);
                return true;
        }
        if ((strcmp(name, "vendor-id") == 0 || strcmp(name, "vendor_id") == 0) && value) {
                native_add(hyperv, "<vendor_id state='on' value='%s'/>", value);
                return true;
        }
        if (!g_strv_contains(names, name) || (value && strcmp(value, "on") != 0))
                return false;
        native_add(hyperv, "<%s state='on'/>", name);
        return true;
}

static bool read_cpu(struct native_parse *parse, const char *value)
{
        g_autoptr(GPtrArray) parts = native_split(value);
        g_autofree char *model = native_take_first(parts, "");
        g_autoptr(GString) cpu = g_string_new(NULL), hyperv = g_string_new(NULL);

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
                bool known;

                if (!add_hyperv(hyperv, parts->pdata[i], parts->pdata[i + 1], &known) ||
                    (!known && !add_feature(cpu, parts->pdata[i], parts->pdata[i + 1])))
                        return false;
        }
        g_free(parse->cpu);
        parse->cpu = g_strdup(cpu->str);
        g_free(parse->hyperv);
        parse->hyperv =
                hyperv->len > 0 ? g_strdup_printf("<hyperv mode='custom'>%s</hyperv>", hyperv->str) : NULL;
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

/* What an option before this one has said; in values there is no "<". */
static void drop(GString *os, const char *begin, const char *end)
{
        for (;;) {
                char *from = strstr(os->str, begin), *to = from ? strstr(from, end) : NULL;

                if (!to)
                        return;
                g_string_erase(os, from - os->str, to + strlen(end) - from);
        }
}

static bool read_kernel(struct native_parse *parse, const char *value)
{
        if (*value != '/')
                return false;
        drop(parse->os, "<kernel>", "</kernel>");
        native_add(parse->os, "<kernel>%s</kernel>", value);
        return true;
}

static bool read_initrd(struct native_parse *parse, const char *value)
{
        if (*value != '/')
                return false;
        drop(parse->os, "<initrd>", "</initrd>");
        native_add(parse->os, "<initrd>%s</initrd>", value);
        return true;
}

static bool read_append(struct native_parse *parse, const char *value)
{
        drop(parse->os, "<cmdline>", "</cmdline>");
        native_add(parse->os, "<cmdline>%s</cmdline>", value);
        return true;
}

static bool read_bios(struct native_parse *parse, const char *value)
{
        if (*value != '/' || parse->flashes > 0)
                return false;
        drop(parse->os, "<loader ", "</loader>");
        native_add(parse->os, "<loader type='rom'>%s</loader>", value);
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
        if (order)
                drop(parse->os, "<boot ", "/>");
        if (menu)
                drop(parse->os, "<bootmenu ", "/>");
        for (const char *letter = order; letter && *letter; letter++)
                native_add(parse->os, "<boot dev='%s'/>", names[strchr(letters, *letter) - letters]);
        if (menu)
                native_add(parse->os, "<bootmenu enable='%s'/>", strcmp(menu, "on") == 0 ? "yes" : "no");
        return true;
}

/* ---- the options ---- */

const struct native_option native_machine_options[] = {
        { "name", true, read_name },        { "uuid", true, read_uuid },
        { "m", true, read_memory },         { "smp", true, read_smp },
        { "machine", true, read_machine },  { "M", true, read_machine },
        { "accel", true, read_accel },      { "enable-kvm", false, read_enable_kvm },
        { "no-acpi", false, read_no_acpi }, { "no-reboot", false, read_no_reboot },
        { "cpu", true, read_cpu },          { "rtc", true, read_rtc },
        { "kernel", true, read_kernel },    { "initrd", true, read_initrd },
        { "append", true, read_append },    { "bios", true, read_bios },
        { "boot", true, read_boot },        { NULL, false, NULL },
};
