/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What the agent writes down about a guest that runs, for the agent after it: in the runtime directory, one
 * directory for each guest, named by its uuid.
 *
 *     status.xml    this document, replaced atomically at each change of state
 *     pid           "PID START-TIME": written by the emulator's process itself before the emulator runs in it
 *     tpm.pid       the same of swtpm
 *     bus.pid       the same of dbus-daemon
 *     monitor.sock  where the emulator listens for the agent
 *     io/           the only part that belongs to the emulator's user: sockets that it makes
 *
 * The document is written before the emulator is started (STATUS_STARTING), so at any moment whatever runs
 * can be found, and whatever was taken can be given back. Values; the files are written in the domain's lane
 * and read at start-up.
 */

#include "drivers/domain/migrate.h"
#include "drivers/security/ownership.h"
#include "drivers/security/relabel.h"
#include "interfaces/link-ips.h"
#include "interfaces/vf.h"
#include "nodedev/usb.h"

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum status_phase {
        STATUS_STARTING, /* nobody has been told that it runs */
        STATUS_INCOMING, /* it waits for a guest of another host */
        STATUS_RUNNING,
        STATUS_PHASES,
};

/*
 * What was taken for the device with that alias, so that it can be given back when that device goes. alias
 * NULL: for the guest as a whole, or by an agent that did not tell.
 */

/* A file that changed hands. */
struct status_image {
        char *alias; /* owned */
        char *path;  /* owned */
        struct ownership ownership;
        bool pending; /* it has not, yet; not written: of what a killed agent was doing the worst is assumed
                       */
};

/* A file that was labelled for the guest (SELinux). */
struct status_label {
        char *alias; /* owned */
        char *path;  /* owned */
        char *label; /* owned; what it has meanwhile */
        bool taken;  /* it has */
        bool unsure; /* a killed agent has not written down that it has: only the file itself tells */
        struct relabel relabel;
};

/* What the emulator may open, in the host's names: whatever confines it is made of these. */
struct status_file {
        char *alias; /* owned */
        char *path;  /* owned; without links */
        bool write;
        bool tree;    /* a directory, with all that is in it */
        mode_t type;  /* S_IFCHR, S_IFBLK: a device node; 0: anything else */
        dev_t device; /* which */
};

/* A device of the host that left its driver. */
struct status_pci {
        char *alias;   /* owned */
        char *address; /* owned; "0000:3b:00.0" */
};

/* A macvtap that was made. */
struct status_link {
        char *alias; /* owned */
        char *name;  /* owned */
        char *lower; /* owned; the device of the host below it */
        char *mac;   /* owned; what that had before; NULL: it has it still */
};

/* A tap that was made a port of Open vSwitch. */
struct status_switch {
        char *alias;        /* owned */
        char *name;         /* owned; the tap */
        char *bridge;       /* owned */
        char *interface_id; /* owned */
};

/* A USB device of the host: which one it is, so that it is known when it is back. */
struct status_usb {
        char *alias;           /* owned */
        struct usb_device usb; /* all 0: it has been missing from the beginning */
        bool found;            /* by what it is or where it is plugged in; else by its number */
};

/* A process by pid and start time; pid 0: none. */
struct status_process {
        pid_t pid;
        uint64_t start_time;
};

/* A virtual function that was set up for the guest. */
struct status_vf {
        char *alias;    /* owned */
        char *physical; /* owned; the interface of its physical function */
        unsigned number;
        struct vf_config before; /* what it had */
};

/* A process that works for that device alone. */
struct status_helper {
        char *program; /* owned; "passt" */
        char *alias;   /* owned */
        struct status_process process;
};

/* What is run when the interface's tap has gone. */
struct status_script {
        char *alias; /* owned */
        char *path;  /* owned */
        char *link;  /* owned; the tap, which it is told */
};

/* What a tap that was there before has been given for the guest's time. */
struct status_ips {
        char *alias;          /* owned */
        char *link;           /* owned; the tap */
        struct link_ips *ips; /* owned */
};

/* An image that was made for a guest that is to come from another host. */
struct status_made {
        char *path; /* owned */
        uint64_t device, inode;
};

struct status {
        enum status_phase phase;
        struct uuid uuid;
        char *name; /* owned */
        int id;
        enum domain_run_state state;
        int reason;
        char *owner;                    /* owned; NULL: none (autodestroy) */
        struct status_process emulator; /* may be missing in STATUS_STARTING: see status_read_pid() */
        struct status_process tpm;      /* swtpm */
        char *monitor;                  /* owned; the socket of one that was adopted; NULL: monitor.sock */
        char *cgroup;                   /* owned; below the roots of the hierarchies; NULL: none */
        char *unit;                     /* owned; the scope that it is; NULL: a group of our own */
        GPtrArray *shares;              /* owned, char *: its groups and monitors of resctrl (shares.h) */
        bool limits_devices;            /* its group opens the device nodes of files, and no others */
        GPtrArray *images;              /* owned, struct status_image */
        GPtrArray *labels;              /* owned, struct status_label */
        GPtrArray *files;               /* owned, struct status_file */
        GPtrArray *pci;                 /* owned, struct status_pci */
        GPtrArray *links;               /* owned, struct status_link */
        GPtrArray *switches;            /* owned, struct status_switch */
        GPtrArray *usb;                 /* owned, struct status_usb */
        GPtrArray *vfs;                 /* owned, struct status_vf */
        GPtrArray *helpers;             /* owned, struct status_helper */
        GPtrArray *scripts;             /* owned, struct status_script */
        GPtrArray *ips;                 /* owned, struct status_ips */
        GPtrArray *made;                /* owned, struct status_made */
        GPtrArray *astray; /* owned, struct device_list: of parts that have their names alone, the device
                              last; made when nobody waited any more, maybe (plug_undo_astray()) */
        struct {
                char *path; /* owned; NULL: none */
                uint64_t device, inode;
        } saved;      /* the file that gets that name is what the guest goes on from: it must not by itself */
        char *medium; /* owned; alias of the drive whose medium is being changed, or was by a call that has
                         failed and of which QEMU may do the rest yet; NULL: none */
        char *limits; /* owned; the same of a disk whose limits are */
        bool sleeps;  /* paused for the host's sleep */
        char *arrival; /* owned; the cookie of a guest that comes, or came, from another host; NULL: none */
        struct domain_departure_note departure; /* it may run on another host; cookie NULL: no */
        char *borrowed;                         /* owned; JSON, see migration_borrow(); NULL: nothing */
        bool fake_reboot;                       /* the next shutdown of the guest is a reboot */
        unsigned undefine_flags; /* enum domain_undefine_flags: what is to become of what belongs to it; 0:
                                    nobody has said */
        bool shutdown_seen;      /* the guest has powered off */
        char *xml;               /* owned; the active <domain> document, secrets included */
};

struct status *status_new(void);
/* NULL is fine. */
void status_free(struct status *status);
/* The entry is borrowed. */
struct status_image *status_add_image(struct status *status, const char *alias, const char *path,
                                      const struct ownership *ownership);
/* Strings are copied. */
void status_add_label(struct status *status, const struct status_label *label);
/* Copied; noted once for a device, with all that was asked for. */
void status_add_file(struct status *status, const struct status_file *file);
/* Of that device, in the place of what was noted before. */
void status_set_usb(struct status *status, const char *alias, const struct usb_device *usb, bool found);
/* Borrowed; NULL: nothing is noted. */
const struct status_usb *status_find_usb(const struct status *status, const char *alias);
void status_add_pci(struct status *status, const char *alias, const char *address);
/* vf's strings are copied. */
void status_add_vf(struct status *status, const struct status_vf *vf);
void status_add_script(struct status *status, const char *alias, const char *path, const char *link);
/* ips is taken. */
void status_add_ips(struct status *status, const char *alias, const char *link, struct link_ips *ips);
void status_add_made(struct status *status, const char *path, uint64_t device, uint64_t inode);
void status_add_helper(struct status *status, const char *program, const char *alias,
                       const struct status_process *process);
/* Of that device; NULL: all. */
void status_drop_helper(struct status *status, const char *alias);
/* link's strings are copied. */
void status_add_link(struct status *status, const struct status_link *link);
/* port's strings are copied. */
void status_add_switch(struct status *status, const struct status_switch *port);

DEFINE_CLEANUP(struct status, status_free);

/* status-xml.c: to text, and back with every value checked. */
char *status_format(const struct status *status);
struct status *status_parse(const char *text, GError **error);

/* Atomically, not durably: dir is in memory and does not outlive the guest. */
bool status_write(const char *dir, const struct status *status, GError **error);
struct status *status_read(const char *dir, GError **error);

#define STATUS_IO_DIR "io"

/* The pid files; false when there is none of that name or it is torn. */
#define STATUS_FILE                  "status.xml"
#define STATUS_PID_FILE              "pid"
#define STATUS_TPM_PID_FILE          "tpm.pid"
#define STATUS_BUS_PID_FILE          "bus.pid"
#define STATUS_RESERVATIONS_PID_FILE "pr-helper.pid"
bool status_read_pid(const char *dir, const char *file, struct status_process *process);
