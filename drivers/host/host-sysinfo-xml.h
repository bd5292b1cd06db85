/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The <sysinfo> document of a host: what its firmware says. Any thread. */

/*
 * From the tables of SMBIOS below root, else from what the kernel has of them for everybody
 * (/sys/class/dmi/id), which is less. Owned; NULL when there is neither.
 */
char *host_sysinfo_format(const char *root);
/* That of the in-memory test driver. */
char *host_sysinfo_format_test(void);
