/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What is done at the front of a machine that runs: keys, the button for NMIs, its power state; what it shows
 * and what is plugged into its ports. Loop, as domain.h has it.
 */

#include "drivers/domain/domain.h"

/* virKeycodeSet */
enum domain_codeset {
        DOMAIN_CODESET_LINUX = 0,
        DOMAIN_CODESET_XT = 1,
        DOMAIN_CODESET_ATSET1 = 2,
        DOMAIN_CODESET_ATSET2 = 3,
        DOMAIN_CODESET_ATSET3 = 4,
        DOMAIN_CODESET_OSX = 5,
        DOMAIN_CODESET_XT_KBD = 6,
        DOMAIN_CODESET_USB = 7,
        DOMAIN_CODESET_WIN32 = 8,
        DOMAIN_CODESET_QNUM = 9,
        DOMAIN_CODESETS,
};

/* VIR_DOMAIN_SEND_KEY_MAX_KEYS */
#define DOMAIN_KEYS_MAX 16

/* Keys that are pressed together, for hold_ms (0: the driver's choice); codes are copied. flags: none. */
void domain_send_keys(struct domain *domain, unsigned codeset, unsigned hold_ms, const uint32_t *codes,
                      unsigned count, unsigned flags, managed_done done, void *data);
/* flags: none. */
void domain_inject_nmi(struct domain *domain, unsigned flags, managed_done done, void *data);
/* A signal (virDomainProcessSignal) to a process inside the guest. flags: none. */
void domain_send_signal(struct domain *domain, int64_t pid, unsigned signal, unsigned flags,
                        managed_done done, void *data);

/* virNodeSuspendTarget */
enum domain_suspend_target {
        DOMAIN_SUSPEND_MEMORY = 0,
        DOMAIN_SUSPEND_DISK = 1,
        DOMAIN_SUSPEND_HYBRID = 2,
        DOMAIN_SUSPEND_TARGETS,
};
/* The guest's agent is asked to suspend it; duration: 0, as nothing wakes it up. flags: none. */
void domain_suspend_guest(struct domain *domain, unsigned target, uint64_t duration_s, unsigned flags,
                          managed_done done, void *data);
/* flags: none. */
void domain_wake_up(struct domain *domain, unsigned flags, managed_done done, void *data);

/*
 * One end of a connection; -1 with an error. It is the callee's to keep (dup()) during the call. mime: what a
 * screenshot is, else NULL.
 */
typedef void (*domain_fd_done)(int fd, const char *mime, const GError *error, void *data);

enum domain_graphics_flags {
        DOMAIN_GRAPHICS_SKIP_AUTH = 1,
};
/* The display with that index, as if a client had connected to it. */
void domain_open_graphics(struct domain *domain, unsigned index, unsigned flags, domain_fd_done done,
                          void *data);

/* virDomainConsoleFlags */
enum domain_console_flags {
        DOMAIN_CONSOLE_FORCE = 1, /* whoever has it open loses it */
        DOMAIN_CONSOLE_SAFE = 2,  /* only where nobody else can have it open: always so here */
};
/*
 * A serial or parallel port or a console, by alias ("": the first console, else the first port). One client
 * has it at a time, and one that does not read loses it rather than hold up the guest.
 */
void domain_open_console(struct domain *domain, const char *alias, unsigned flags, domain_fd_done done,
                         void *data);
/* The same of a channel, by alias or by the name that the guest sees; "": the first. flags: FORCE. */
void domain_open_channel(struct domain *domain, const char *name, unsigned flags, domain_fd_done done,
                         void *data);
/* What a screen shows: a file to be read from its beginning. flags: none. */
void domain_take_screenshot(struct domain *domain, unsigned screen, unsigned flags, domain_fd_done done,
                            void *data);
