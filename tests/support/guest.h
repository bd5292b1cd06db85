/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Domain documents for tests, in the form in which people write them, and what this host can run. All
 * documents are the caller's to free.
 */

#include <glib.h>

#include "tests/support/client.h"

struct harness;

/* virDomainEventType, and the details that the tests name */
enum {
        EVENT_DEFINED = 0,
        EVENT_UNDEFINED = 1,
        EVENT_STARTED = 2,
        EVENT_SUSPENDED = 3,
        EVENT_RESUMED = 4,
        EVENT_STOPPED = 5,
        EVENT_SHUTDOWN = 6,
        EVENT_CRASHED = 8,
        STARTED_BOOTED = 0,
        STOPPED_SHUTDOWN = 0,
        STOPPED_DESTROYED = 1,
        STOPPED_CRASHED = 2,
        STOPPED_FAILED = 5,
};

/* virDomainState */
enum {
        STATE_RUNNING = 1,
        STATE_PAUSED = 3,
        STATE_SHUTDOWN = 4,
        STATE_SHUTOFF = 5,
        STATE_CRASHED = 6,
        STATE_PMSUSPENDED = 7,
};

/* virDomainShutoffReason */
enum { SHUTOFF_FAILED = 6 };

/* The domain type of guests without an operating system, "kvm" or "qemu"; see tests/support/kvm-probe. */
const char *guest_get_type(void);

/* A domain of the test driver; uuid may be NULL. */
char *guest_test_xml(const char *name, const char *uuid);
/* A QEMU guest of 64 MiB whose firmware finds nothing to boot; `devices` (NULL: none) goes into <devices>. */
char *guest_bare_xml(const char *name, const char *devices);
/*
 * The same run by fake-qemu, with the fault of that name; one fault serves several domains through `suffix`.
 */
char *guest_fault_xml(const char *fault, const char *suffix);
/* The same of fault "logged", which is none, with devices. Free it. */
char *guest_logged_xml(const char *suffix, const char *devices);
/* How often its QEMU has been told something with that text in it, by now. */
unsigned guest_count_told(const struct harness *harness, const char *suffix, const char *text);
/*
 * The line of the Linux guest's kernel, and its action behind it. Without random addresses an emulator need
 * not translate each program anew; the others are work that takes an emulated processor most of a second.
 */
#define GUEST_LINE                                                                                           \
        "console=ttyS0 quiet no_timer_check norandmaps mitigations=off cryptomgr.notests "                   \
        "sysrq_always_enabled virtbus.action="
/*
 * The Linux guest: its serial console is written to the file `console`, and it does `action` (idle, watch,
 * count, write, sleep, poweroff, reboot, panic) once it has printed "virtbus-guest: ready" there.
 */
char *guest_linux_xml(const char *name, const char *console, const char *action);

/* A root bus with three ports for devices that come. */
#define GUEST_PORTS                                                                                          \
        "<controller type='pci' index='0' model='pcie-root'/>"                                               \
        "<controller type='pci' index='1' model='pcie-root-port'/>"                                          \
        "<controller type='pci' index='2' model='pcie-root-port'/>"                                          \
        "<controller type='pci' index='3' model='pcie-root-port'/>"
/* The same Linux guest with those, and with devices. */
char *guest_linux_with_xml(const char *name, const char *console, const char *action, const char *devices);

/* Defines the domain on the QEMU connection and returns its path. Takes xml. */
char *guest_define(struct client *client, char *xml);
/* The same, and starts it. */
char *guest_start(struct client *client, char *xml);
/* Calls the member of org.libvirt.Domain, without arguments or with flags; it has to succeed. */
void guest_do(struct client *client, const char *path, const char *member);
void guest_do_flags(struct client *client, const char *path, const char *member, unsigned flags);
/* Where the agent writes down what it does to the guest. New string. */
char *guest_status_path(const struct harness *harness, struct client *client, const char *path);
/* A connection to a monitor of QEMU's, to be closed. */
int guest_open_monitor(const char *socket_path);
/* Gives a command there, and reads until a line has each of two texts. */
void guest_tell_open_monitor(int fd, const char *command, const char *awaited, const char *too);
/* All of that. */
void guest_tell_monitor(const char *socket_path, const char *command, const char *awaited, const char *too);
/* Waits for that signal of the domain's ("DeviceAdded", "DeviceRemoved") about the device of that alias. */
void guest_wait_device(struct client *client, const char *path, const char *signal, const char *alias);
/* Its state now; reason may be NULL. */
int guest_get_state(struct client *client, const char *path, int *reason);
/* Fails unless it is in this state, for this reason; -1 is any. */
void guest_expect_state(struct client *client, const char *path, int state, int reason);
/* Fails unless its emulator has threads of just these vCPUs: "0 2 " */
void guest_expect_vcpus(struct client *client, const char *path, const char *numbers);
/* Waits for a thread of that process whose name begins so. */
pid_t guest_wait_thread(pid_t pid, const char *name);

/* Fails unless that process, which works for the guest of that emulator, is in the control groups of it. */
void guest_expect_same_groups(pid_t emulator, pid_t process);

/* Waits until the file contains the text. */
void guest_wait_console(const char *console, const char *text);
/* The same; false: it has not printed it, and the test goes on. */
bool guest_try_console(const char *console, const char *text);
/* "count 1", "count 2" ... in what a console has said: each number once and in order. The last whole one. */
unsigned guest_check_count(const char *text);
