/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What the command-*.c files share: the command line in the making. Each of their functions appends its
 * options; false with an error when something is not supported.
 */

#include "drivers/qemu/command.h"
#include "drivers/qemu/device-internal.h"
#include "drivers/qemu/machine.h"
#include "drivers/qemu/qemu-caps.h"

struct command_builder {
        const struct domain_def *def;               /* borrowed */
        const struct qemu_caps *caps;               /* borrowed */
        const struct qemu_command_context *context; /* borrowed */
        const struct qemu_machine *machine;         /* borrowed from caps */
        enum machine_family family;
        struct device_context device;
        struct qemu_command *command; /* borrowed; being filled in */
};

/* Appends option and value (NULL: none) to the command line. */
void command_append(struct command_builder *builder, const char *option, const char *value);
void command_append_format(struct command_builder *builder, const char *option, const char *format, ...)
        G_GNUC_PRINTF(3, 4);
/* Appends all parts of list. */
void command_append_list(struct command_builder *builder, const struct device_list *list);
/* Adds {"execute": command, "arguments": arguments} to the set-up; takes arguments. */
void command_append_setup(struct command_builder *builder, const char *command, json_t *arguments);

bool command_is_kvm(const struct command_builder *builder);

/* Option strings of the form "a=b,c=d": ",key=value" with the value's commas doubled. value NULL: nothing. */
void command_option_add(GString *option, const char *key, const char *value);
void command_option_add_switch(GString *option, const char *key, enum domain_switch value);

bool command_machine_add(struct command_builder *builder, GError **error);
bool command_cpu_add(struct command_builder *builder, GError **error);
bool command_memory_add(struct command_builder *builder, GError **error);
/*
 * The memory-backend property of the machine, NULL: the nodes have the memory. Borrowed from caps or
 * constant.
 */
const char *command_memory_get_default(const struct command_builder *builder);
/* Does the document say how fast its cells' memory is (ACPI's table of memory attributes)? */
bool command_hmat_is_there(const struct domain_def *def);
/* Which cell with CPUs is nearest to the memory of a cell: itself where it has some. */
unsigned command_hmat_find_initiator(const struct domain_cpu *cpu, const struct domain_numa_cell *cell);
/* Latencies, bandwidths and caches, behind the cells. */
bool command_hmat_add(struct command_builder *builder, GError **error);
/* The object of <launchSecurity>, which the machine names. */
#define COMMAND_PROTECTION_ID "lsec0"
bool command_protection_add(struct command_builder *builder, GError **error);
bool command_smbios_add(struct command_builder *builder, GError **error);
bool command_clock_add(struct command_builder *builder, GError **error);
bool command_audio_add(struct command_builder *builder, GError **error);
bool command_graphics_add(struct command_builder *builder, GError **error);
bool command_devices_add(struct command_builder *builder, GError **error);
