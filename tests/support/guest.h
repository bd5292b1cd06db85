/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Domain documents for tests, in the form in which people write them, and what this host can run. All
 * documents are the caller's to free.
 */

#include <glib.h>
#include <stdbool.h>

/* The domain type of guests without an operating system, "kvm" or "qemu"; see tests/support/kvm-probe. */
const char *guest_get_type(void);
/* Is there a QEMU on this host, and the answer of kvm-probe? */
bool guest_has_qemu(void);

/* A domain of the test driver; uuid may be NULL. */
char *guest_test_xml(const char *name, const char *uuid);
/* A QEMU guest of 64 MiB whose firmware finds nothing to boot; `devices` (NULL: none) goes into <devices>. */
char *guest_bare_xml(const char *name, const char *devices);
/* The same run by fake-qemu, with the fault of that name; one fault serves several domains through `suffix`.
 */
char *guest_fault_xml(const char *fault, const char *suffix);
/*
 * The Linux guest: its serial console is written to the file `console`, and it does `action` (idle, poweroff,
 * reboot, panic) once it has printed "virtbus-guest: ready" there.
 */
char *guest_linux_xml(const char *name, const char *console, const char *action);

/* Waits until the file contains the text. */
void guest_wait_console(const char *console, const char *text);
