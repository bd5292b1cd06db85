/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Command lines to documents: each option's function says whether it has understood all of the value.
 */
#include "drivers/qemu/native-parse.h"

#include "base/error.h"
#include "drivers/qemu/native-private.h"

#include <string.h>

/* What QEMU gives a machine unless it is told otherwise. */
#define MEMORY_KIB (128 * 1024)

/* ---- the options ---- */

/* How it is run is the agent's business. */
static bool ignore(struct native_parse *parse, const char *value)
{
        return true;
}

static const struct native_option running_options[] = {
        { "daemonize", false, ignore },
        { "pidfile", true, ignore },
        { "monitor", true, ignore },
        { "qmp", true, ignore },
        { "nodefaults", false, ignore },
        { "no-user-config", false, ignore },
        { "no-shutdown", false, ignore },
        { "S", false, ignore },
        { "D", true, ignore },
        { "runas", true, ignore },
        { NULL, false, NULL },
};

static const struct native_option *find_option(const char *argument)
{
        const struct native_option *const tables[] = { native_machine_options, native_device_options,
                                                       running_options };
        const char *name = argument + (g_str_has_prefix(argument, "--") ? 2 : 1);

        for (unsigned i = 0; i < G_N_ELEMENTS(tables); i++) {
                for (const struct native_option *option = tables[i]; option->name; option++) {
                        if (strcmp(option->name, name) == 0)
                                return option;
                }
        }
        return NULL;
}

static void keep(struct native_parse *parse, const char *argument)
{
        native_add(parse->rest, "<qemu:arg value='%s'/>", argument);
}

/* Appends nothing when it is not understood. */
static bool read_option(struct native_parse *parse, const struct native_option *option, const char *value)
{
        gsize devices = parse->devices->len, os = parse->os->len;

        if (option->read(parse, value))
                return true;
        g_string_truncate(parse->devices, devices);
        g_string_truncate(parse->os, os);
        return false;
}

static void read_arguments(struct native_parse *parse, char *const *argv)
{
        while (*argv) {
                const char *argument = *argv++, *value = NULL;
                const struct native_option *option = *argument == '-' ? find_option(argument) : NULL;

                if (option && option->has_value)
                        value = *argv;
                if (option && (value || !option->has_value) && read_option(parse, option, value)) {
                        argv += option->has_value;
                        continue;
                }
                keep(parse, argument);
                if (value) {
                        keep(parse, value);
                        argv++;
                }
        }
}

static bool is_netdev(const char *argument)
{
        return strcmp(argument, "-netdev") == 0 || strcmp(argument, "--netdev") == 0;
}

/* Back ends are looked for by their cards, wherever they stand; of several with one id the first counts. */
static void find_netdevs(struct native_parse *parse, char *const *argv)
{
        for (; argv[0] && argv[1]; argv++) {
                g_autoptr(GPtrArray) parts = is_netdev(argv[0]) ? native_split(argv[1]) : NULL;
                char *id = parts ? native_take(parts, "id") : NULL;

                if (id && !g_hash_table_contains(parse->netdevs, id))
                        g_hash_table_insert(parse->netdevs, id, g_strdup(argv[1]));
                else
                        g_free(id);
        }
}

/* Those that no card has taken. */
static void keep_netdevs(struct native_parse *parse, char *const *argv)
{
        for (; argv[0] && argv[1]; argv++) {
                g_autofree char *id = is_netdev(argv[0]) ? native_find_netdev(parse, argv[1]) : NULL;

                if (!id || g_hash_table_contains(parse->taken, id))
                        continue;
                keep(parse, argv[0]);
                keep(parse, argv[1]);
        }
}

/* ---- the document ---- */

static bool read_program(struct native_parse *parse, const char *program, const char *host_arch,
                         GError **error)
{
        static const char prefix[] = "qemu-system-";
        g_autofree char *base = g_path_get_basename(program), *quoted = error_quote(program);

        if (g_str_has_prefix(base, prefix)) {
                /* Its name is the one of the oldest that it is. */
                parse->arch =
                        g_strdup(strcmp(base, "qemu-system-i386") == 0 ? "i686" : base + strlen(prefix));
        } else if (strcmp(base, "qemu-kvm") == 0 || strcmp(base, "kvm") == 0) {
                parse->arch = g_strdup(host_arch);
                parse->kvm = true;
        } else {
                return error_set(error, ERROR_FROM_QEMU, ERROR_INVALID_ARG,
                                 "'%s' is no emulator: qemu-system-... is", quoted);
        }
        if (*program == '/')
                parse->emulator = g_strdup(program);
        return true;
}

static void write_features(GString *text, const struct native_parse *parse)
{
        bool is_pc = strcmp(parse->arch, "x86_64") == 0 || strcmp(parse->arch, "i686") == 0;
        g_autoptr(GString) features = g_string_new(is_pc && !parse->no_acpi ? "<acpi/><apic/>" : "");

        g_string_append(features, parse->hyperv ? parse->hyperv : "");
        if (parse->kvm && parse->dirty_ring > 0)
                native_add(features, "<kvm><dirty-ring state='on' size='%" G_GUINT64_FORMAT "'/></kvm>",
                           parse->dirty_ring);
        if (!parse->kvm && parse->tb_cache_mib > 0)
                native_add(features, "<tcg><tb-cache unit='MiB'>%" G_GUINT64_FORMAT "</tb-cache></tcg>",
                           parse->tb_cache_mib);
        if (features->len > 0)
                g_string_append_printf(text, "<features>%s</features>", features->str);
}

static char *write_document(const struct native_parse *parse)
{
        GString *text = g_string_new(NULL);

        native_add(text, "<domain type='%s' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>",
                   parse->kvm ? "kvm" : "qemu");
        native_add(text, "<name>%s</name>", parse->name ? parse->name : "unnamed");
        if (parse->uuid)
                native_add(text, "<uuid>%s</uuid>", parse->uuid);
        native_add(text, "<memory unit='KiB'>%" G_GUINT64_FORMAT "</memory>", parse->memory_kib);
        native_add(text, "<vcpu current='%" G_GUINT64_FORMAT "'>%" G_GUINT64_FORMAT "</vcpu>", parse->vcpus,
                   parse->max_vcpus);
        native_add(text, "<os><type arch='%s'", parse->arch);
        if (parse->machine)
                native_add(text, " machine='%s'", parse->machine);
        g_string_append_printf(text, ">hvm</type>%s</os>", parse->os->str);
        write_features(text, parse);
        if (parse->cpu)
                g_string_append_printf(text, "%s%s</cpu>", parse->cpu,
                                       parse->topology ? parse->topology : "");
        else if (parse->topology)
                g_string_append_printf(text, "<cpu>%s</cpu>", parse->topology);
        g_string_append(text, parse->clock ? parse->clock : "");
        g_string_append(text, parse->no_reboot ? "<on_reboot>destroy</on_reboot>" : "");
        g_string_append(text, "<devices>");
        if (parse->emulator)
                native_add(text, "<emulator>%s</emulator>", parse->emulator);
        g_string_append_printf(text, "%s%s</devices>", parse->devices->str,
                               parse->no_graphic && !parse->has_serial ? "<serial type='pty'/>" : "");
        if (parse->rest->len + parse->env->len > 0)
                g_string_append_printf(text, "<qemu:commandline>%s%s</qemu:commandline>", parse->rest->str,
                                       parse->env->str);
        g_string_append(text, "</domain>");
        return g_string_free(text, FALSE);
}

/* "NAME=value" before the program. */
static char **read_environment(struct native_parse *parse, char **argv)
{
        for (; *argv; argv++) {
                char *equals = strchr(*argv, '=');
                g_autofree char *name = equals ? g_strndup(*argv, (gsize)(equals - *argv)) : NULL;

                if (!name || strchr(name, '/'))
                        break;
                native_add(parse->env, "<qemu:env name='%s' value='%s'/>", name, equals + 1);
        }
        return argv;
}

/* Behind what scripts write before it. */
static char **find_program(struct native_parse *parse, char **argv)
{
        static const char *const words[] = {
                "sudo", "doas", "exec", "env", "nohup", "time", "command", NULL
        };
        static const char *const flags[] = { "-E", "-H", "-S", "-b", "-n", "--", NULL };

        for (;;) {
                argv = read_environment(parse, argv);
                if (!*argv || !g_strv_contains(words, *argv))
                        return argv;
                argv++;
                while (*argv && g_strv_contains(flags, *argv))
                        argv++;
        }
}

static void parse_clear(struct native_parse *parse)
{
        GString *const strings[] = { parse->os, parse->devices, parse->rest, parse->env };
        char *const texts[] = { parse->name, parse->uuid,  parse->arch,     parse->machine, parse->emulator,
                                parse->cpu,  parse->clock, parse->topology, parse->hyperv,  parse->board };

        for (unsigned i = 0; i < G_N_ELEMENTS(strings); i++)
                g_string_free(strings[i], TRUE);
        for (unsigned i = 0; i < G_N_ELEMENTS(texts); i++)
                g_free(texts[i]);
        g_hash_table_unref(parse->netdevs);
        g_hash_table_unref(parse->taken);
        g_hash_table_unref(parse->drives);
}

char *native_parse(const char *text, const char *host_arch, GError **error)
{
        struct native_parse parse = { .memory_kib = MEMORY_KIB, .vcpus = 1, .max_vcpus = 1 };
        char **argv = native_split_words(text, error), **program;
        char *document = NULL;

        if (!argv)
                return NULL;
        parse.os = g_string_new(NULL);
        parse.devices = g_string_new(NULL);
        parse.rest = g_string_new(NULL);
        parse.env = g_string_new(NULL);
        parse.netdevs = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
        parse.taken = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
        parse.drives = g_hash_table_new(g_str_hash, g_str_equal);
        program = find_program(&parse, argv);
        if (!*program)
                error_set(error, ERROR_FROM_QEMU, ERROR_INVALID_ARG, "a command line without a program");
        else if (read_program(&parse, *program, host_arch, error)) {
                native_find_board(&parse, program + 1);
                find_netdevs(&parse, program + 1);
                native_read_net_pair(&parse, program + 1);
                read_arguments(&parse, program + 1);
                keep_netdevs(&parse, program + 1);
                document = write_document(&parse);
        }
        parse_clear(&parse);
        g_strfreev(argv);
        return document;
}
