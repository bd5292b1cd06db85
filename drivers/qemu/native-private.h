/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Between the files that read command lines. Values only. */

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

struct native_parse {
        GString *os, *devices, *rest, *env;            /* owned; elements */
        char *name, *uuid, *arch, *machine, *emulator; /* owned; NULL: not said */
        char *cpu, *clock, *topology, *hyperv;         /* owned; elements; NULL: not said */
        char *board;                                   /* owned; the machine that counts; NULL: not said */
        GHashTable *netdevs;                           /* owned; id -> value, both owned */
        GHashTable *taken;                             /* owned; ids of those that a card has, owned */
        GHashTable *drives; /* owned; "vd" ... -> a bit for each letter that has one */
        uint64_t memory_kib, vcpus, max_vcpus;
        uint64_t dirty_ring;   /* of KVM; 0: not said */
        uint64_t tb_cache_mib; /* of what emulates; 0: not said */
        unsigned flashes;      /* how many firmware images there have been */
        bool has_net_pair;     /* the one card of -net is in devices, with its one back end */
        bool has_accel;        /* an -accel has been taken: those that follow are for when it does not work */
        bool kvm, no_acpi, no_reboot, no_graphic, has_serial;
};

/* An option, and what reads it: false when anything of the value is not understood. value is NULL where it
 * has none. */
struct native_option {
        const char *name;
        bool has_value;
        bool (*read)(struct native_parse *parse, const char *value);
};

/* ---- native-shell.c ---- */

/* The words of text, to be freed; NULL with ERROR_INVALID_ARG: it is none, too much, or a shell's. */
char **native_split_words(const char *text, GError **error);

/* ---- native-values.c ---- */

/* "<format>" with texts that are escaped for a document. */
void native_add(GString *to, const char *format, ...) G_GNUC_PRINTF(2, 3);
bool native_parse_number(const char *text, uint64_t max, uint64_t *number);
/* The parts of "a,b=c,d=e,,f": keys and values by turns, the value of a part without "=" is NULL. Free the
 * array. */
GPtrArray *native_split(const char *text);
/* What is left of parts, as it was; "" without any. Free it. */
char *native_join(const GPtrArray *parts);
/* Takes a part out: its value, owned; NULL: it is not there. */
char *native_take(GPtrArray *parts, const char *key);
/* The first part when it has no key, likewise. */
char *native_take_first(GPtrArray *parts, const char *key);

/* ---- native-machine.c, native-devices.c ---- */

/* Up to one without a name. */
extern const struct native_option native_machine_options[], native_device_options[];

/* The type of the machine, which disks hang on wherever it stands: the last one counts. */
void native_find_board(struct native_parse *parse, char *const *argv);

/*
 * -net is a hub of all cards and back ends: one of each is an interface, which is added. What cannot be one
 * stays in the command line, all of it.
 */
void native_read_net_pair(struct native_parse *parse, char *const *argv);

/* The id of a back end that is found by it, owned; NULL: it has none, or another has it. */
char *native_find_netdev(const struct native_parse *parse, const char *value);
