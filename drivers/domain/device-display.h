/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What people see, hear and touch of a guest, as a definition names it. Part of device.h, which says what
 * holds for all of them.
 */

#include "drivers/domain/address.h"

#include <stdbool.h>
#include <stdint.h>

struct domain_input {
        struct domain_device_info info;
        const char *type;          /* "mouse", "tablet", "keyboard", "passthrough", "evdev" */
        const char *bus;           /* "ps2", "usb", "virtio", "xen" ...; NULL: normalisation fills it in */
        const char *model;         /* "virtio", ... */
        const char *source;        /* passthrough: evdev=; evdev: dev= */
        const char *grab;          /* evdev: "all" */
        const char *grab_toggle;   /* evdev */
        enum domain_switch repeat; /* evdev */
        struct domain_virtio virtio;
};

enum domain_graphics_type {
        DOMAIN_GRAPHICS_SDL,
        DOMAIN_GRAPHICS_VNC,
        DOMAIN_GRAPHICS_RDP,
        DOMAIN_GRAPHICS_DESKTOP,
        DOMAIN_GRAPHICS_SPICE,
        DOMAIN_GRAPHICS_EGL_HEADLESS,
        DOMAIN_GRAPHICS_DBUS,
        DOMAIN_GRAPHICS_LAST,
} __attribute__((packed));

enum domain_listen_type {
        DOMAIN_LISTEN_NONE,
        DOMAIN_LISTEN_ADDRESS,
        DOMAIN_LISTEN_NETWORK,
        DOMAIN_LISTEN_SOCKET,
        DOMAIN_LISTEN_LAST,
} __attribute__((packed));

struct domain_listen {
        enum domain_listen_type type;
        const char *address; /* NULL: the driver's default */
        const char *network;
        const char *socket; /* NULL: the driver chooses a path */
};

/* spice <channel name= mode=> */
struct domain_graphics_channel {
        const char *name;
        const char *mode; /* "secure", "insecure", "any" */
};

struct domain_graphics {
        const char *alias; /* never set by a driver: <graphics> has none in the format */
        enum domain_graphics_type type;
        bool autoport;
        enum domain_switch full_screen;      /* sdl */
        enum domain_switch streaming_filter; /* not ABSENT: <streaming> is given, see streaming */
        enum domain_switch clipboard;        /* <clipboard copypaste=> */
        enum domain_switch filetransfer;     /* <filetransfer enable=> */
        enum domain_switch playback;         /* <playback compression=> */
        enum domain_switch gl;               /* <gl enable=> */
        enum domain_switch power_control;    /* vnc: a client may end and reset the guest */
        enum domain_switch wait;             /* vnc: the guest begins when a client has come */
        enum domain_switch p2p;              /* dbus: a client's connection is handed in */
        const char *bus_address;             /* dbus address= */
        int port;      /* -1 or 0: chosen at start; the value of the document while active */
        int tls_port;  /* spice; likewise */
        int websocket; /* vnc; 0: none, -1: chosen at start */
        int audio_id;  /* vnc <audio id=>; 0: none */
        const char *keymap;
        const char *share_policy;       /* vnc: "allow-exclusive", "force-shared", "ignore" */
        const char *password;           /* secret; NULL: none; "": nobody gets in */
        const char *password_valid_to;  /* "2026-01-01T12:00:00" */
        const char *password_connected; /* spice: "keep", "disconnect", "fail" */
        const char *default_mode;       /* spice defaultMode: "any", "secure", "insecure" */
        const char *image_compression;  /* "auto_glz", ... */
        const char *jpeg_compression;   /* "auto", "never", "always" */
        const char *zlib_compression;
        const char *streaming;  /* "filter", "all", "off" */
        const char *mouse;      /* "server", "client" */
        const char *rendernode; /* <gl rendernode=> */
        const char *display;    /* sdl */
        const char *xauth;      /* sdl */
        const struct domain_listen *listens;
        const struct domain_graphics_channel *channels;
        uint32_t n_listens;
        uint32_t n_channels;
};

struct domain_video {
        struct domain_device_info info;
        const char *model;      /* "virtio", "qxl", "vga", "cirrus", "bochs", "ramfb", "none" ... */
        const char *driver;     /* <driver name=>: "qemu", "vhostuser" */
        const char *rendernode; /* <acceleration rendernode=> */
        uint32_t ram_kib, vram_kib, vram64_kib, vgamem_kib; /* 0: the default */
        uint32_t heads;                                     /* 0: the default */
        uint32_t resolution_x, resolution_y;                /* 0: none */
        bool primary;
        enum domain_switch blob;
        enum domain_switch edid;
        enum domain_switch accel3d;
        enum domain_switch accel2d;
        struct domain_virtio virtio;
};

struct domain_sound {
        struct domain_device_info info;
        const char *model;         /* "ich9", "ich6", "ac97", "es1370", "sb16", "pcspk", "usb", "virtio" */
        const char *const *codecs; /* NULL-terminated: "duplex", "micro", "output"; NULL: none */
        uint32_t audio_id;         /* 0: none */
        enum domain_switch multichannel; /* usb */
        uint8_t streams;                 /* virtio; 0: the default */
};

/* <input> and <output> of an <audio>: how a guest records and plays. */
struct domain_audio_stream {
        enum domain_switch mixing_engine;
        enum domain_switch fixed_settings;
        enum domain_switch try_poll;   /* oss */
        enum domain_switch exact_name; /* jack */
        uint32_t voices;               /* 0: the default, as with those below */
        uint32_t buffer_length_us;
        uint32_t buffer_count; /* coreaudio, oss, sdl */
        uint32_t latency_us;   /* pulseaudio, pipewire */
        uint32_t frequency;    /* <settings> */
        uint32_t channels;
        const char *format;      /* "s16", "f32" ... */
        const char *dev;         /* alsa, oss */
        const char *name;        /* pulseaudio, pipewire: source or sink */
        const char *stream_name; /* pulseaudio, pipewire */
        const char *server_name; /* jack, as with those below */
        const char *client_name;
        const char *connect_ports; /* a regular expression */
};

/* <audio> */
struct domain_audio {
        uint32_t id;                  /* from 1 */
        const char *type;             /* "none", "spice", "pulseaudio", "alsa", "pipewire" ... */
        const char *server;           /* pulseaudio serverName */
        const char *path;             /* file; pipewire: the directory that its socket is in (runtimeDir=) */
        const char *driver;           /* sdl: "esd", "alsa" ... */
        uint32_t timer_period;        /* 0: the default */
        int dsp_policy;               /* oss; -1: the default */
        enum domain_switch try_mmap;  /* oss */
        enum domain_switch exclusive; /* oss */
        struct domain_audio_stream input, output;
};
