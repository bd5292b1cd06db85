/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The command line as a whole: what is in it, in which order. Each topic has a file of its own (command-*.c),
 * each device its description (device-*.c). Values only; any thread.
 */
#include "drivers/qemu/command-internal.h"

#include <string.h>

/* Has properties for the helpers of event loops. */
#define POOL_VERSION 7001000

/* ---- building blocks ---- */

void command_append(struct command_builder *builder, const char *option, const char *value)
{
        g_ptr_array_add(builder->command->argv, g_strdup(option));
        if (value)
                g_ptr_array_add(builder->command->argv, g_strdup(value));
}

void command_append_format(struct command_builder *builder, const char *option, const char *format, ...)
{
        g_autofree char *value = NULL;
        va_list args;

        va_start(args, format);
        value = g_strdup_vprintf(format, args);
        va_end(args);
        command_append(builder, option, value);
}

void command_append_list(struct command_builder *builder, const struct device_list *list)
{
        for (unsigned i = 0; i < device_list_get_length(list); i++) {
                if (builder->def->qemu.plain_devices)
                        device_part_append_plain_option(device_list_get(list, i), builder->command->argv);
                else
                        device_part_append_option(device_list_get(list, i), builder->command->argv);
        }
}

void command_append_setup(struct command_builder *builder, const char *command, json_t *arguments)
{
        json_t *object = json_object();

        device_set_string(object, "execute", command);
        json_object_set_new(object, "arguments", arguments);
        json_array_append_new(builder->command->setup, object);
}

bool command_is_kvm(const struct command_builder *builder)
{
        return g_strcmp0(builder->def->type, "kvm") == 0;
}

void command_option_add(GString *option, const char *key, const char *value)
{
        if (!value)
                return;
        g_string_append_printf(option, ",%s=", key);
        device_append_escaped(option, value);
}

void command_option_add_switch(GString *option, const char *key, enum domain_switch value)
{
        if (value != DOMAIN_SWITCH_ABSENT)
                command_option_add(option, key, value == DOMAIN_SWITCH_ON ? "on" : "off");
}

/* ---- topics without a file ---- */

static bool check(const struct command_builder *builder, GError **error)
{
        const struct domain_def *def = builder->def;

        if (!domain_def_require_supported(def, error))
                return false;
        if (!builder->machine)
                return device_unsupported(error, "emulator '%s' has no machine '%s'",
                                          qemu_caps_get_path(builder->caps),
                                          def->os.machine ? def->os.machine : "");
        if (builder->family == MACHINE_UNKNOWN)
                return device_unsupported(error, "machine '%s' of architecture '%s'", builder->machine->name,
                                          def->os.arch);
        return true;
}

static void add_environment(struct command_builder *builder)
{
        GPtrArray *env = builder->command->env;
        const struct domain_qemu_commandline *extra = &builder->def->qemu;
        const char *home = builder->context->home;

        g_ptr_array_add(env, g_strdup("LC_ALL=C"));
        g_ptr_array_add(env, g_strdup("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"));
        if (home) {
                g_ptr_array_add(env, g_strconcat("HOME=", home, NULL));
                g_ptr_array_add(env, g_strconcat("XDG_DATA_HOME=", home, "/.local/share", NULL));
                g_ptr_array_add(env, g_strconcat("XDG_CACHE_HOME=", home, "/.cache", NULL));
                g_ptr_array_add(env, g_strconcat("XDG_CONFIG_HOME=", home, "/.config", NULL));
        }
        for (unsigned i = 0; i < extra->n_env; i++)
                g_ptr_array_add(env, g_strconcat(extra->env[i].name, "=",
                                                 extra->env[i].value ? extra->env[i].value : "", NULL));
}

static void add_identity(struct command_builder *builder)
{
        g_autoptr(GString) name = g_string_new("guest=");
        char uuid[UUID_STRING_LENGTH + 1];

        device_append_escaped(name, builder->def->base.name);
        g_string_append(name, ",debug-threads=on");
        command_append(builder, "-name", name->str);
        command_append(builder, "-S", NULL);
        if (builder->context->incoming)
                command_append(builder, "-incoming", "defer");
        command_append(builder, "-uuid", uuid_format(&builder->def->base.uuid, uuid));
        command_append(builder, "-no-user-config", NULL);
        command_append(builder, "-nodefaults", NULL);
}

static void add_monitor(struct command_builder *builder)
{
        command_append_format(builder, "-chardev", "socket,id=charmonitor,fd=%d,server=on,wait=off",
                              builder->context->monitor_fd);
        command_append(builder, "-mon", "chardev=charmonitor,id=monitor,mode=control");
}

/* <defaultiothread>, <iothread>. */
static bool add_loop(struct command_builder *builder, struct device_list *list, json_t *object,
                     const struct domain_thread_pool *pool, GError **error)
{
        device_list_add(list, DEVICE_OBJECT, object);
        if ((pool->min < 0 && pool->max < 0) || qemu_caps_get_version(builder->caps) >= POOL_VERSION)
                return true;
        return device_unsupported(error,
                                  "emulator '%s' cannot set the helpers of its I/O threads "
                                  "(thread_pool_min, thread_pool_max)",
                                  qemu_caps_get_path(builder->caps));
}

static bool add_iothreads(struct command_builder *builder, GError **error)
{
        CLEANUP(device_list_free) struct device_list *list = device_list_new();
        const struct domain_def *def = builder->def;

        if ((def->default_pool.min >= 0 || def->default_pool.max >= 0) &&
            !add_loop(builder, list, device_loop("main-loop", "main-loop", &def->default_pool),
                      &def->default_pool, error))
                return false;
        for (unsigned i = 0; i < def->iothreads; i++) {
                const struct domain_iothread *thread = &def->iothread_list[i];

                if (!add_loop(builder, list, device_iothread(thread), &thread->pool, error))
                        return false;
        }
        command_append_list(builder, list);
        return true;
}

static void add_actions(struct command_builder *builder)
{
        const char *on_reboot = builder->def->on_reboot;

        command_append(builder, "-no-shutdown", NULL);
        if (on_reboot && strcmp(on_reboot, "restart") != 0)
                command_append(builder, "-action", "reboot=shutdown");
        if (builder->def->features.vmcoreinfo == DOMAIN_SWITCH_ON)
                command_append(builder, "-device", "vmcoreinfo");
}

/* What a guest sees change when it is set back to an earlier state: made new by whoever does that. */
static bool add_genid(struct command_builder *builder, GError **error)
{
        CLEANUP(device_list_free) struct device_list *list = device_list_new();
        json_t *device;

        if (!builder->def->genid)
                return true;
        device = device_new("vmgenid", "vmgenid0");
        device_set_string(device, "guid", builder->def->genid);
        if (!device_list_add_device(list, &builder->device, device, error))
                return false;
        command_append_list(builder, list);
        return true;
}

/* Memory is given back when the emulator has ended: a process that shares it is the last one to go. */
static bool add_teardown(struct command_builder *builder, GError **error)
{
        enum domain_switch wanted = builder->def->features.async_teardown;

        if (qemu_caps_has_option(builder->caps, "run-with", "async-teardown")) {
                if (wanted != DOMAIN_SWITCH_ABSENT)
                        command_append(builder, "-run-with",
                                       wanted == DOMAIN_SWITCH_ON ? "async-teardown=on"
                                                                  : "async-teardown=off");
                return true;
        }
        return wanted != DOMAIN_SWITCH_ON ||
               device_unsupported(error, "emulator '%s' does not know <async-teardown> of <features>",
                                  qemu_caps_get_path(builder->caps));
}

static void add_confinement(struct command_builder *builder)
{
        if (!builder->context->no_sandbox && qemu_caps_has_option(builder->caps, "sandbox", NULL))
                command_append(builder, "-sandbox",
                               "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny");
        command_append(builder, "-msg", "timestamp=on");
}

static void add_deprecation(struct command_builder *builder)
{
        const char *behavior = builder->def->qemu.deprecation;

        if (!behavior || strcmp(behavior, "none") == 0)
                return;
        if (strcmp(behavior, "omit") == 0)
                command_append(builder, "-compat", "deprecated-output=hide");
        else
                command_append_format(builder, "-compat", "deprecated-output=hide,deprecated-input=%s",
                                      behavior);
}

static void add_extra_arguments(struct command_builder *builder)
{
        add_deprecation(builder);
        for (unsigned i = 0; i < builder->def->qemu.n_args; i++)
                command_append(builder, builder->def->qemu.args[i], NULL);
}

/* ---- all of it ---- */

static bool build(struct command_builder *builder, GError **error)
{
        if (!check(builder, error))
                return false;
        command_append(builder, qemu_caps_get_path(builder->caps), NULL);
        add_environment(builder);
        add_identity(builder);
        if (!command_machine_add(builder, error) || !command_protection_add(builder, error) ||
            !command_cpu_add(builder, error) || !command_memory_add(builder, error) ||
            !command_smbios_add(builder, error))
                return false;
        if (!add_iothreads(builder, error))
                return false;
        add_monitor(builder);
        if (!command_clock_add(builder, error))
                return false;
        add_actions(builder);
        if (!add_genid(builder, error) || !add_teardown(builder, error))
                return false;
        if (!command_graphics_add(builder, error) || !command_devices_add(builder, error))
                return false;
        add_confinement(builder);
        add_extra_arguments(builder);
        g_ptr_array_add(builder->command->argv, NULL);
        g_ptr_array_add(builder->command->env, NULL);
        return true;
}

struct qemu_command *qemu_command_build(const struct domain_def *def, const struct qemu_caps *caps,
                                        const struct qemu_command_context *context, GError **error)
{
        CLEANUP(qemu_command_free) struct qemu_command *command = g_new0(struct qemu_command, 1);
        struct command_builder builder = {
                .def = def,
                .caps = caps,
                .context = context,
                .machine = qemu_caps_find_machine(caps, def->os.machine),
                .family = machine_family_of(def),
                .device = { .def = def,
                            .caps = caps,
                            .resources = context->resources,
                            .tls_dir = context->tls_dir },
                .command = command,
        };

        command->argv = g_ptr_array_new_with_free_func(g_free);
        command->env = g_ptr_array_new_with_free_func(g_free);
        command->setup = json_array();
        if (!build(&builder, error))
                return NULL;
        return g_steal_pointer(&command);
}

void qemu_command_free(struct qemu_command *command)
{
        if (!command)
                return;
        g_ptr_array_unref(command->argv);
        g_ptr_array_unref(command->env);
        json_decref(command->setup);
        g_free(command);
}

char *qemu_command_format(const struct qemu_command *command)
{
        GString *text = g_string_new(NULL);

        for (unsigned i = 0; command->argv->pdata[i]; i++) {
                const char *argument = command->argv->pdata[i];
                g_autofree char *quoted = g_shell_quote(argument);
                bool plain =
                        argument[0] && strspn(argument, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                                        "0123456789-_=+,.:/@%") == strlen(argument);

                g_string_append_printf(text, "%s%s", i ? " " : "", plain ? argument : quoted);
        }
        return g_string_free(text, FALSE);
}
