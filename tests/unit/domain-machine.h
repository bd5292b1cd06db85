/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Documents that a client defines, for x86 machines of QEMU, without one that is asked about them. */

#include "drivers/domain/definition.h"

#include <check.h>
#include <string.h>

/* The fields of a struct domain_machine that q35 and i440fx have in common. */
#define DOMAIN_MACHINE_X86                                                                                   \
        .type = "qemu", .arch = "x86_64", .emulator = "/usr/bin/qemu-system-x86_64", .max_vcpus = 288,       \
        .isa = true, .ps2 = true, .acpi = true, .assign_addresses = true, .usb_model = "qemu-xhci",          \
        .video_model = "vga", .cpu_model = "qemu64"

#define DOMAIN_MACHINE_Q35 DOMAIN_MACHINE_X86, .machine = "pc-q35-7.2", .pcie_root = true

/* NULL with an error. */
static inline struct domain_def *define_text(const char *text, const struct domain_machine *machine,
                                             GError **error)
{
        struct domain_doc *doc = domain_doc_parse(text, error);

        return doc ? domain_doc_finish(doc, machine, error) : NULL;
}

/* It is refused with part in the error (NULL: taken), and loads as one that an earlier agent took. */
static inline void check_text(const char *text, const struct domain_machine *machine, const char *part)
{
        CLEANUP(domain_def_unref) struct domain_def *def = NULL, *stored = NULL;
        g_autoptr(GError) error = NULL;

        def = define_text(text, machine, &error);
        ck_assert_msg(!def == !!part, "%s: %s", text, error ? error->message : "taken");
        if (part)
                ck_assert_msg(strstr(error->message, part), "'%s' is not in: %s", part, error->message);
        g_clear_error(&error);
        stored = domain_def_parse_stored(text, &error);
        ck_assert_msg(stored != NULL, "does not load: %s: %s", text, error ? error->message : "");
}
