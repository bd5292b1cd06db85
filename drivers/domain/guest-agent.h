/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What a program inside the guest, its agent (qemu-guest-agent), is asked and told. It may answer late,
 * never, or lie, so it is asked in a lane of its own: nothing else that is done to the domain waits for it. A
 * call goes through the domain's lane first, where it is seen whether there is somebody to ask, and keeps the
 * order of calls with what starts and stops the guest; an agent that is not configured
 * (ERROR_ARGUMENT_UNSUPPORTED) or has not opened its channel (ERROR_AGENT_UNRESPONSIVE) is an error at once.
 *
 * Functions of the model are called on the loop, and call done there once; it owns data.
 */

#include "base/params.h"
#include "drivers/domain/domain.h"

struct domain_agent;
struct lane;

/* A disk as the guest sees it. */
struct guest_disk {
        int64_t domain, bus, slot, function; /* PCI address of its controller; -1: not known */
        int64_t drive_bus, target, unit;
        char *serial, *device; /* owned; NULL: not told */
        char *prefix;          /* owned; of what params say of it ("disk.0."); NULL: they say nothing */
};

struct guest_filesystem {
        char *name, *mountpoint, *type; /* owned */
        uint64_t total_bytes, used_bytes;
        bool has_size;
        GArray *disks;    /* owned; struct guest_disk, those that it is on */
        GPtrArray *names; /* owned; targets of those of the definition; of domain_get_filesystems() */
};

struct domain_guest_vcpu {
        uint32_t id;
        bool online, can_offline;
};

/* Each function fills in what it says; the rest is NULL or 0. Borrowed during the call. */
struct domain_agent_answer {
        uint64_t number;        /* owned by nobody: how many file systems; a time in ns since 1970 */
        char *text;             /* owned */
        char **texts;           /* owned */
        struct params *params;  /* owned */
        GArray *disks;          /* owned; of struct guest_disk, that params tell of; the model adds "alias" */
        GPtrArray *filesystems; /* owned; of struct guest_filesystem */
        GPtrArray *interfaces;  /* owned; of struct domain_interface_addresses */
        GArray *vcpus;          /* owned; of struct domain_guest_vcpu */
};

/* answer is NULL with an error. */
typedef void (*domain_agent_done)(const struct domain_agent_answer *answer, const GError *error, void *data);

/* Freezes file systems, all without mountpoints (NULL or empty; copied): ->number. flags: none. */
void domain_freeze_filesystems(struct domain *domain, const char *const *mountpoints, unsigned flags,
                               domain_agent_done done, void *data);
/* The agent thaws all of them, whatever mountpoints say: ->number. flags: none. */
void domain_thaw_filesystems(struct domain *domain, const char *const *mountpoints, unsigned flags,
                             domain_agent_done done, void *data);
/* Of all mounted file systems; a mountpoint other than "" is refused. minimum: in bytes. flags: none. */
void domain_trim_filesystems(struct domain *domain, const char *mountpoint, uint64_t minimum, unsigned flags,
                             domain_agent_done done, void *data);
/* ->filesystems. flags: none. */
void domain_get_filesystems(struct domain *domain, unsigned flags, domain_agent_done done, void *data);

/* virDomainGetHostnameFlags */
enum domain_hostname_flags {
        DOMAIN_HOSTNAME_LEASE = 1, /* of the leases of its networks */
        DOMAIN_HOSTNAME_AGENT = 2, /* what 0 means as well */
};
/* ->text. */
void domain_get_hostname(struct domain *domain, unsigned flags, domain_agent_done done, void *data);

/* ->number. flags: none. */
void domain_get_time(struct domain *domain, unsigned flags, domain_agent_done done, void *data);
enum domain_time_flags {
        DOMAIN_TIME_SYNC = 1, /* from the guest's hardware clock; the time is not looked at */
};
/* The interrupts of its hardware clock that were missed meanwhile are forgotten. */
void domain_set_time(struct domain *domain, uint64_t seconds, unsigned nanoseconds, unsigned flags,
                     domain_agent_done done, void *data);

enum domain_password_flags {
        DOMAIN_PASSWORD_ENCRYPTED = 1, /* as crypt(3) makes it */
};
void domain_set_user_password(struct domain *domain, const char *user, const char *password, unsigned flags,
                              domain_agent_done done, void *data);

/* virDomainGuestInfoTypes; 0: all that the agent knows */
enum domain_guest_info {
        DOMAIN_GUEST_INFO_USERS = 1 << 0,
        DOMAIN_GUEST_INFO_OS = 1 << 1,
        DOMAIN_GUEST_INFO_TIMEZONE = 1 << 2,
        DOMAIN_GUEST_INFO_HOSTNAME = 1 << 3,
        DOMAIN_GUEST_INFO_FILESYSTEM = 1 << 4,
        DOMAIN_GUEST_INFO_DISKS = 1 << 5,
        DOMAIN_GUEST_INFO_INTERFACES = 1 << 6,
        DOMAIN_GUEST_INFO_ALL = (1 << 7) - 1,
};
/* ->params; names are those of virDomainGetGuestInfo(). flags: none. */
void domain_get_guest_info(struct domain *domain, unsigned types, unsigned flags, domain_agent_done done,
                           void *data);

/* ->texts. flags: none. */
void domain_get_ssh_keys(struct domain *domain, const char *user, unsigned flags, domain_agent_done done,
                         void *data);
/* virDomainAuthorizedSSHKeysSetFlags; 0: these keys and no others */
enum domain_ssh_keys_flags {
        DOMAIN_SSH_KEYS_APPEND = 1,
        DOMAIN_SSH_KEYS_REMOVE = 2,
};
void domain_set_ssh_keys(struct domain *domain, const char *user, const char *const *keys, unsigned flags,
                         domain_agent_done done, void *data);

/* Of a guest that runs: ->vcpus, by number. */
void domain_get_agent_vcpus(struct domain *domain, domain_agent_done done, void *data);
/* vcpus (copied): those that are to be as they say; others stay as they are. */
void domain_set_agent_vcpus(struct domain *domain, const struct domain_guest_vcpu *vcpus, unsigned count,
                            domain_agent_done done, void *data);

/* ---- for the model ---- */

/* What its interfaces have: ->interfaces. */
void domain_get_agent_interfaces(struct domain *domain, domain_agent_done done, void *data);
/* agent (a reference, taken) is asked to end the guest; it has gone when that succeeds. */
void domain_agent_end_guest(struct domain *domain, struct domain_agent *agent, bool reboot,
                            domain_agent_done done, void *data);

/* How many calls are on their way; nobody is waited for any longer. */
unsigned domain_agent_get_pending(const struct domain_driver *driver);
void domain_agent_quiesce(struct domain_driver *driver);

/* ---- for drivers ---- */

enum domain_agent_request_kind {
        DOMAIN_AGENT_FREEZE, /* texts: mountpoints; NULL: all */
        DOMAIN_AGENT_THAW,
        DOMAIN_AGENT_TRIM, /* number: minimum */
        DOMAIN_AGENT_GET_FILESYSTEMS,
        DOMAIN_AGENT_GET_HOSTNAME,
        DOMAIN_AGENT_GET_TIME,
        DOMAIN_AGENT_SET_TIME,     /* number; flags */
        DOMAIN_AGENT_SET_PASSWORD, /* user, secret; flags */
        DOMAIN_AGENT_GET_INFO,     /* flags: types */
        DOMAIN_AGENT_GET_KEYS,     /* user */
        DOMAIN_AGENT_SET_KEYS,     /* user, texts; flags */
        DOMAIN_AGENT_GET_VCPUS,
        DOMAIN_AGENT_SET_VCPUS, /* vcpus */
        DOMAIN_AGENT_GET_INTERFACES,
        DOMAIN_AGENT_SUSPEND, /* number: enum domain_suspend_target */
        DOMAIN_AGENT_SHUT_DOWN,
        DOMAIN_AGENT_REBOOT,
        DOMAIN_AGENT_REQUESTS,
};

struct domain_agent_request {
        enum domain_agent_request_kind kind;
        unsigned flags;
        uint64_t number;
        char *user;    /* owned */
        char *secret;  /* owned; overwritten before it is freed */
        char **texts;  /* owned */
        GArray *vcpus; /* owned; of struct domain_guest_vcpu */
};

/* Who can be asked. Counted; any thread may have a reference. */
struct domain_agent {
        gint refs;         /* atomic */
        struct lane *lane; /* ref; const */
        void (*free)(struct domain_agent *agent);
        /* In its lane: may wait, within bounds, until the lane is interrupted. */
        bool (*ask)(struct domain_agent *agent, const struct domain_agent_request *request,
                    struct domain_agent_answer *answer, GError **error);
};

struct domain_agent *domain_agent_ref(struct domain_agent *agent);
/* NULL is fine. */
void domain_agent_unref(struct domain_agent *agent);

/* Empty, for domain_agent_answer.filesystems, .disks and .interfaces. */
GArray *guest_disks_new(void);
GPtrArray *guest_filesystems_new(void);
struct guest_filesystem *guest_filesystems_add(GPtrArray *filesystems);
GPtrArray *domain_interface_addresses_new(void);
/* Texts are copied. */
struct domain_interface_addresses *domain_interface_addresses_add(GPtrArray *interfaces, const char *name,
                                                                  const char *mac);

DEFINE_CLEANUP(struct domain_agent, domain_agent_unref);
