/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Events of a domain, as the driver announces them and every view translates them. Numbers are those of
 * libvirt's API (libvirt-domain: virDomainEventType, virDomainEventDefinedDetailType ... and the arguments of
 * the callbacks).
 */

#include "base/managed.h"
#include "base/params.h"

/* Types and details of MANAGED_EVENT_LIFECYCLE (virDomainEventType). */
enum domain_event_type {
        DOMAIN_EVENT_DEFINED = 0,
        DOMAIN_EVENT_UNDEFINED = 1,
        DOMAIN_EVENT_STARTED = 2,
        DOMAIN_EVENT_SUSPENDED = 3,
        DOMAIN_EVENT_RESUMED = 4,
        DOMAIN_EVENT_STOPPED = 5,
        DOMAIN_EVENT_SHUTDOWN = 6,
        DOMAIN_EVENT_PMSUSPENDED = 7,
        DOMAIN_EVENT_CRASHED = 8,
};

enum domain_event_detail {
        DOMAIN_EVENT_DEFINED_ADDED = 0,
        DOMAIN_EVENT_DEFINED_UPDATED = 1,
        DOMAIN_EVENT_DEFINED_RENAMED = 2,
        DOMAIN_EVENT_UNDEFINED_REMOVED = 0,
        DOMAIN_EVENT_UNDEFINED_RENAMED = 1,
        DOMAIN_EVENT_STARTED_BOOTED = 0,
        DOMAIN_EVENT_STARTED_MIGRATED = 1,
        DOMAIN_EVENT_STARTED_RESTORED = 2,
        DOMAIN_EVENT_STARTED_WAKEUP = 4,
        DOMAIN_EVENT_SUSPENDED_PAUSED = 0,
        DOMAIN_EVENT_SUSPENDED_MIGRATED = 1,
        DOMAIN_EVENT_SUSPENDED_IOERROR = 2,
        DOMAIN_EVENT_SUSPENDED_WATCHDOG = 3,
        DOMAIN_EVENT_SUSPENDED_RESTORED = 4,
        DOMAIN_EVENT_SUSPENDED_API_ERROR = 6,
        DOMAIN_EVENT_SUSPENDED_POSTCOPY = 7,
        DOMAIN_EVENT_SUSPENDED_POSTCOPY_FAILED = 8,
        DOMAIN_EVENT_RESUMED_UNPAUSED = 0,
        DOMAIN_EVENT_RESUMED_MIGRATED = 1,
        DOMAIN_EVENT_RESUMED_POSTCOPY = 3,
        DOMAIN_EVENT_RESUMED_POSTCOPY_FAILED = 4,
        DOMAIN_EVENT_STOPPED_SHUTDOWN = 0,
        DOMAIN_EVENT_STOPPED_DESTROYED = 1,
        DOMAIN_EVENT_STOPPED_CRASHED = 2,
        DOMAIN_EVENT_STOPPED_MIGRATED = 3,
        DOMAIN_EVENT_STOPPED_SAVED = 4,
        DOMAIN_EVENT_STOPPED_FAILED = 5,
        DOMAIN_EVENT_SHUTDOWN_FINISHED = 0,
        DOMAIN_EVENT_SHUTDOWN_GUEST = 1,
        DOMAIN_EVENT_SHUTDOWN_HOST = 2,
        DOMAIN_EVENT_PMSUSPENDED_MEMORY = 0,
        DOMAIN_EVENT_PMSUSPENDED_DISK = 1,
        DOMAIN_EVENT_CRASHED_PANICKED = 0,
        DOMAIN_EVENT_CRASHED_CRASHLOADED = 1,
};

/*
 * managed_event.id of what is not a lifecycle event; the comment gives the fields of struct domain_event in
 * use.
 */
enum domain_event_id {
        DOMAIN_EVENT_REBOOT = 1,
        DOMAIN_EVENT_RTC_CHANGE,      /* number: UTC offset in seconds */
        DOMAIN_EVENT_WATCHDOG,        /* base.detail: virDomainEventWatchdogAction */
        DOMAIN_EVENT_IO_ERROR,        /* text[0] source path, text[1] alias, text[2] reason; base.detail:
                                         virDomainEventIOErrorAction */
        DOMAIN_EVENT_GRAPHICS,        /* base.type: phase; graphics */
        DOMAIN_EVENT_TRAY_CHANGE,     /* text[0] alias; base.detail: 0 open, 1 closed */
        DOMAIN_EVENT_PM_WAKEUP,       /* base.detail: reason, 0 */
        DOMAIN_EVENT_PM_SUSPEND,      /* base.detail: reason, 0 */
        DOMAIN_EVENT_PM_SUSPEND_DISK, /* base.detail: reason, 0 */
        DOMAIN_EVENT_BALLOON_CHANGE,  /* number: KiB */
        DOMAIN_EVENT_DEVICE_ADDED,    /* text[0] alias */
        DOMAIN_EVENT_DEVICE_REMOVED,  /* text[0] alias */
        DOMAIN_EVENT_DEVICE_REMOVAL_FAILED, /* text[0] alias */
        DOMAIN_EVENT_METADATA_CHANGE,       /* base.type: virDomainMetadataType; text[0] uri or NULL */
        DOMAIN_EVENT_AGENT,                 /* base.type: state, base.detail: reason */
        DOMAIN_EVENT_MEMORY_FAILURE,        /* base.type: recipient, base.detail: action; number: flags */
        DOMAIN_EVENT_CONTROL_ERROR,
        DOMAIN_EVENT_BLOCK_THRESHOLD,     /* text[0] device, text[1] path; number threshold, excess */
        DOMAIN_EVENT_MIGRATION_ITERATION, /* number: how often memory was gone through */
        DOMAIN_EVENT_TUNABLE,             /* params: what was tuned, by its names in libvirt's event */
        DOMAIN_EVENT_DISK_CHANGE,         /* text[0] source before, text[1] after (NULL: none), text[2] alias;
                                             base.detail: virConnectDomainEventDiskChangeReason */
        DOMAIN_EVENT_LAST,
};

struct domain_event_address {
        int family;    /* virDomainEventGraphicsAddressType: 0 IPv4, 1 IPv6, 2 unix */
        char *node;    /* owned */
        char *service; /* owned */
};

struct domain_event_graphics {
        struct domain_event_address local, remote;
        char *auth_scheme; /* owned */
        char **identities; /* owned; type, name, type, name ..., NULL */
};

struct domain_event {
        struct managed_event base;
        char *text[3]; /* owned */
        int64_t number, excess;
        struct domain_event_graphics *graphics; /* owned */
        struct params *params;                  /* owned */
};

/* An event of the given id, all else zero, to be filled in. */
struct domain_event *domain_event_new(enum domain_event_id id);
void domain_event_free(struct managed_event *event);
