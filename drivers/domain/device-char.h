/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Character devices, and what has a character device behind it, as a definition names them. Part of device.h,
 * which says what holds for all of them.
 */

#include "drivers/domain/address.h"
#include "drivers/domain/device-label.h"

#include <stdbool.h>
#include <stdint.h>

/* ---- character devices ---- */

enum domain_char_type {
        DOMAIN_CHAR_NULL,
        DOMAIN_CHAR_VC,
        DOMAIN_CHAR_PTY,
        DOMAIN_CHAR_DEV,
        DOMAIN_CHAR_FILE,
        DOMAIN_CHAR_PIPE,
        DOMAIN_CHAR_STDIO,
        DOMAIN_CHAR_UDP,
        DOMAIN_CHAR_TCP,
        DOMAIN_CHAR_UNIX,
        DOMAIN_CHAR_SPICEVMC,
        DOMAIN_CHAR_SPICEPORT,
        DOMAIN_CHAR_NMDM,
        DOMAIN_CHAR_QEMU_VDAGENT,
        DOMAIN_CHAR_DBUS,
        DOMAIN_CHAR_LAST,
} __attribute__((packed));

/* The host's end of a character device. */
struct domain_char_source {
        enum domain_char_type type;
        bool listen;               /* tcp, unix: mode='bind' */
        bool telnet;               /* tcp: protocol is "telnet" */
        enum domain_switch append; /* file */
        enum domain_switch tls;    /* tcp */
        enum domain_switch log_append;
        enum domain_switch reconnect; /* tcp, unix: try again after reconnect_timeout_s */
        uint32_t reconnect_timeout_s;
        const char *path;    /* pty (active), dev, file, pipe, unix; unix without: normalisation or the driver
                                chooses */
        const char *host;    /* tcp; udp: where to send */
        const char *service; /* tcp; udp: where to send */
        const char *bind_host;        /* udp */
        const char *bind_service;     /* udp */
        const char *protocol;         /* tcp: "raw", "telnet", "telnets", "tls"; NULL: raw */
        const char *channel;          /* spiceport, dbus */
        enum domain_switch clipboard; /* qemu-vdagent */
        const char *mouse;            /* qemu-vdagent: "server", "client" */
        const char *log_file;         /* <log file=> */
        struct domain_device_labels labels;
};

enum domain_char_kind {
        DOMAIN_CHAR_SERIAL,
        DOMAIN_CHAR_PARALLEL,
        DOMAIN_CHAR_CONSOLE,
        DOMAIN_CHAR_CHANNEL,
        DOMAIN_CHAR_KINDS,
} __attribute__((packed));

/* <serial>, <parallel>, <console> and <channel>. */
struct domain_char {
        struct domain_device_info info;
        struct domain_char_source source;
        enum domain_char_kind kind;
        const char *target_type;      /* "isa-serial", "virtio", "serial", "guestfwd" ...; NULL: normalisation
                                         fills it in */
        const char *target_model;     /* <target><model name=>: "isa-serial", "16550a" ... */
        const char *target_name;      /* channel: "org.qemu.guest_agent.0" */
        const char *target_state;     /* active channel: "connected", "disconnected" */
        const char *target_address;   /* guestfwd */
        const char *target_port_text; /* guestfwd */
        int target_port;              /* serial, parallel, console; -1: none */
        bool is_serial_alias; /* a <console> of target type serial that only repeats the first <serial> */
};

/* ---- what may have one behind it ---- */

struct domain_redirdev {
        struct domain_device_info info;
        struct domain_char_source source;
        const char *bus; /* "usb" */
};

/* <redirfilter><usbdev>; -1: any. */
struct domain_redir_rule {
        int usb_class;
        int vendor;
        int product;
        int version; /* BCD: 0x0256 is "2.56" */
        bool allow;
};

struct domain_smartcard {
        struct domain_device_info info;
        const char *mode;                        /* "host", "host-certificates", "passthrough" */
        const char *certificates[3];             /* host-certificates: their names in the database */
        const char *database;                    /* NULL: the system's */
        const struct domain_char_source *source; /* passthrough */
};

enum domain_rng_backend {
        DOMAIN_RNG_RANDOM,
        DOMAIN_RNG_EGD,
        DOMAIN_RNG_BUILTIN,
        DOMAIN_RNG_LAST,
} __attribute__((packed));

struct domain_rng {
        struct domain_device_info info;
        enum domain_rng_backend backend;
        struct domain_virtio virtio;
        const char *model;                       /* "virtio" ... */
        const char *path;                        /* random; NULL: /dev/urandom */
        const struct domain_char_source *source; /* egd */
        uint32_t rate_bytes;                     /* 0: no limit */
        uint32_t rate_period_ms;
};

enum domain_tpm_backend {
        DOMAIN_TPM_PASSTHROUGH,
        DOMAIN_TPM_EMULATOR,
        DOMAIN_TPM_EXTERNAL,
        DOMAIN_TPM_LAST,
} __attribute__((packed));

struct domain_tpm {
        struct domain_device_info info;
        enum domain_tpm_backend backend;
        enum domain_switch persistent_state;
        bool encrypted;                          /* <encryption secret=> */
        const char *model;                       /* "tpm-tis", "tpm-crb", "tpm-spapr" ... */
        const char *version;                     /* "1.2", "2.0"; NULL: the default */
        const char *path;                        /* passthrough: <device path=> */
        const struct domain_char_source *source; /* external */
        const char *secret;                      /* UUID of the secret that the state is encrypted with */
        const char *profile;                     /* emulator: <profile source=>; NULL: none */
        uint32_t debug;     /* emulator: how much is logged; 0: nothing more than errors */
        uint32_t pcr_banks; /* active_pcr_banks: bit 0 sha1, 1 sha256, 2 sha384, 3 sha512; 0: as they are */
};
