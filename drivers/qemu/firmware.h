/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The firmware images that are installed for guests, as their packages describe them (QEMU's
 * docs/interop/firmware.json), and the choice among them for <os firmware='efi'>. A list is immutable; any
 * thread. Loading reads a handful of files: lanes and start-up.
 */

#include "base/cleanup.h"
#include "drivers/domain/address.h"

#include <glib.h>
#include <stdbool.h>

enum firmware_interface {
        FIRMWARE_UEFI = 1 << 0,
        FIRMWARE_BIOS = 1 << 1,
};

enum firmware_device {
        FIRMWARE_FLASH,           /* two pflash chips: executable, and variables made from nvram_template */
        FIRMWARE_FLASH_STATELESS, /* one pflash chip, read-only */
        FIRMWARE_FLASH_COMBINED,  /* one pflash chip that keeps the variables, too */
        FIRMWARE_KERNEL,          /* -kernel */
        FIRMWARE_MEMORY,          /* -bios */
};

struct firmware {
        char *description;   /* owned: the descriptor's path, for messages */
        unsigned interfaces; /* enum firmware_interface */
        enum firmware_device device;
        char *loader;         /* owned; absolute path */
        char *loader_format;  /* owned; "raw", "qcow2" */
        char *nvram_template; /* owned; NULL: none */
        char *nvram_format;   /* owned; NULL: none */
        GPtrArray *targets;   /* owned; "arch machine-pattern" */
        bool secure_boot;
        bool enrolled_keys; /* keys of common systems are in the template, Secure Boot is on from the start */
        bool requires_smm; /* the guest must have <smm state='on'/>, and its flash is for SMM only (secure=on)
                            */
};

struct firmware_list;

/*
 * All descriptors, in the order of their file names; those in home (NULL: none, else like ~/.config) hide
 * those of the same name in /etc, and these those of /usr/share. What cannot be read or understood is logged
 * and left out.
 */
struct firmware_list *firmware_list_load(const char *home);
/* The same below a directory other than "/". */
struct firmware_list *firmware_list_load_at(const char *root, const char *home);
void firmware_list_free(struct firmware_list *list);

struct firmware_request {
        const char *arch;
        const char *machine; /* canonical */
        enum firmware_interface interface;
        enum domain_switch secure_boot;   /* <feature name='secure-boot'> or <loader secure=> */
        enum domain_switch enrolled_keys; /* <feature name='enrolled-keys'> */
        enum domain_switch smm;           /* <smm state=> */
        enum domain_switch stateless;     /* <loader stateless=> */
        const char *loader;               /* NULL: any */
        const char *loader_type;          /* "pflash", "rom"; NULL: any */
        const char *format;               /* of the loader, "raw", "qcow2"; NULL: raw if there is one */
};

/* The first that fits, borrowed from list. None: ERROR_CONFIG_UNSUPPORTED, saying what was asked for. */
const struct firmware *firmware_list_choose(const struct firmware_list *list,
                                            const struct firmware_request *request, GError **error);

/* The first that has this loader, whatever it is for; NULL: none. For the template of its variables. */
const struct firmware *firmware_list_find(const struct firmware_list *list, const char *loader);

/*
 * The variables that stand beside a loader which no descriptor names: OVMF_CODE.fd has OVMF_VARS.fd,
 * edk2-x86_64-code.fd edk2-x86_64-vars.fd, X_CODE.secboot.fd X_VARS.secboot.fd or X_VARS.fd. Owned; NULL:
 * there are none.
 */
char *firmware_find_template(const char *loader);

/*
 * Is path, by whatever name, one of the files that the descriptors name, or in a folder of the distribution's
 * (/usr)? Those are no guest's. Blocks on the disk.
 */
bool firmware_list_has_file(const struct firmware_list *list, const char *path);

/* All of them that are for the architecture and machine. Borrowed elements; free the array. */
GPtrArray *firmware_list_filter(const struct firmware_list *list, const char *arch, const char *machine);

DEFINE_CLEANUP(struct firmware_list, firmware_list_free);
