/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The devices of a domain as its definition names them, one struct per kind of element below <devices>.
 * Plain, immutable data, any thread. Every pointer is borrowed from the definition that the device belongs
 * to; NULL and DOMAIN_SWITCH_ABSENT say that the element or attribute is not there. Enumerations that are
 * passed on by name are strings, checked against the names that the format allows.
 */

#include "drivers/domain/address.h"
#include "interfaces/traffic.h"

#include <stddef.h>

/* ---- kinds ---- */

/* Every kind of element below <devices> that is a device, in the order of the format. */
enum domain_device_kind {
        DOMAIN_DEVICE_DISK,
        DOMAIN_DEVICE_CONTROLLER,
        DOMAIN_DEVICE_FILESYSTEM,
        DOMAIN_DEVICE_INTERFACE,
        DOMAIN_DEVICE_SMARTCARD,
        DOMAIN_DEVICE_SERIAL,
        DOMAIN_DEVICE_PARALLEL,
        DOMAIN_DEVICE_CONSOLE,
        DOMAIN_DEVICE_CHANNEL,
        DOMAIN_DEVICE_INPUT,
        DOMAIN_DEVICE_TPM,
        DOMAIN_DEVICE_GRAPHICS,
        DOMAIN_DEVICE_SOUND,
        DOMAIN_DEVICE_AUDIO,
        DOMAIN_DEVICE_VIDEO,
        DOMAIN_DEVICE_HOSTDEV,
        DOMAIN_DEVICE_REDIRDEV,
        DOMAIN_DEVICE_HUB,
        DOMAIN_DEVICE_WATCHDOG,
        DOMAIN_DEVICE_MEMBALLOON,
        DOMAIN_DEVICE_RNG,
        DOMAIN_DEVICE_PANIC,
        DOMAIN_DEVICE_SHMEM,
        DOMAIN_DEVICE_MEMORY,
        DOMAIN_DEVICE_IOMMU,
        DOMAIN_DEVICE_VSOCK,
        DOMAIN_DEVICE_CRYPTO,
        DOMAIN_DEVICE_NVRAM,
        DOMAIN_DEVICE_KINDS,
};

/* ---- disks ---- */

enum domain_storage_type {
        DOMAIN_STORAGE_FILE,
        DOMAIN_STORAGE_BLOCK,
        DOMAIN_STORAGE_DIR,
        DOMAIN_STORAGE_NETWORK,
        DOMAIN_STORAGE_VOLUME,
        DOMAIN_STORAGE_NVME,
        DOMAIN_STORAGE_VHOSTUSER,
        DOMAIN_STORAGE_LAST,
} __attribute__((packed));

/* <encryption>; its <cipher> and <ivgen> are what the image's header says. */
struct domain_encryption {
        const char *format;      /* "luks", "luks2", "luks-any", "qcow", "default" */
        const char *engine;      /* "qemu", "librbd"; NULL: not said */
        const char *secret_uuid; /* of the passphrase; NULL: named by usage, or not at all */
        const char *secret_usage;
        uint32_t n_secrets;
};

/* One image: a disk's <source>, or one <backingStore> of its chain. */
struct domain_storage {
        enum domain_storage_type type;
        bool ends; /* an empty <backingStore/> below: the image has no backing file, whatever its header says
                    */
        const char *path;           /* file, device or directory; NULL: no medium */
        const char *format;         /* "raw", "qcow2" ...: of <driver type=> or <format type=> */
        const char *pool;           /* volume */
        const char *volume;         /* volume */
        const char *mode;           /* volume: "host", "direct" */
        const char *protocol;       /* network: "nbd", "https" ... */
        const char *startup_policy; /* "mandatory", "requisite", "optional" */
        uint32_t index;             /* 0: none; the number in the block node's name while active */
        const struct domain_encryption *encryption; /* NULL: none */
        const struct domain_storage *backing;       /* NULL: not spelled out (see ends) */
};

enum domain_disk_device {
        DOMAIN_DISK_DISK,
        DOMAIN_DISK_CDROM,
        DOMAIN_DISK_FLOPPY,
        DOMAIN_DISK_LUN,
        DOMAIN_DISK_LAST,
} __attribute__((packed));

enum domain_bus {
        DOMAIN_BUS_NONE, /* not said: normalisation fills it in */
        DOMAIN_BUS_IDE,
        DOMAIN_BUS_FDC,
        DOMAIN_BUS_SCSI,
        DOMAIN_BUS_VIRTIO,
        DOMAIN_BUS_XEN,
        DOMAIN_BUS_USB,
        DOMAIN_BUS_UML,
        DOMAIN_BUS_SATA,
        DOMAIN_BUS_SD,
        DOMAIN_BUS_LAST,
} __attribute__((packed));

/* <iotune>; 0: no limit. */
struct domain_iotune {
        uint64_t total_bytes_sec, read_bytes_sec, write_bytes_sec;
        uint64_t total_iops_sec, read_iops_sec, write_iops_sec;
        uint64_t total_bytes_sec_max, read_bytes_sec_max, write_bytes_sec_max;
        uint64_t total_iops_sec_max, read_iops_sec_max, write_iops_sec_max;
        uint64_t total_bytes_sec_max_length, read_bytes_sec_max_length, write_bytes_sec_max_length;
        uint64_t total_iops_sec_max_length, read_iops_sec_max_length, write_iops_sec_max_length;
        uint64_t size_iops_sec;
        const char *group_name;
};

struct domain_disk {
        struct domain_device_info info;
        struct domain_storage source;
        enum domain_disk_device device;
        enum domain_bus bus;
        bool readonly;
        bool shareable;
        bool transient;
        bool tray_open;
        enum domain_switch removable; /* usb */
        enum domain_switch copy_on_read;
        enum domain_switch ioeventfd;
        enum domain_switch event_idx;
        struct domain_virtio virtio;
        const char *target;  /* "vda"; never NULL, unique in the domain */
        const char *model;   /* "virtio", "virtio-transitional", "virtio-non-transitional" */
        const char *cache;   /* "none", "writethrough", "writeback", "directsync", "unsafe", "default" */
        const char *io;      /* "native", "threads", "io_uring" */
        const char *discard; /* "unmap", "ignore" */
        const char *detect_zeroes; /* "off", "on", "unmap" */
        const char *error_policy;  /* "stop", "report", "ignore", "enospace" */
        const char *rerror_policy; /* "stop", "report", "ignore" */
        const char *snapshot;      /* "no", "internal", "external", "manual" */
        const char *serial;
        const char *wwn;     /* 16 hexadecimal digits */
        const char *vendor;  /* at most 8 bytes */
        const char *product; /* at most 16 bytes */
        const struct domain_iotune *iotune;
        uint32_t iothread;            /* 0: none */
        uint32_t queues;              /* 0: the default */
        uint32_t queue_size;          /* 0: the default */
        uint32_t logical_block_size;  /* 0: the default */
        uint32_t physical_block_size; /* 0: the default */
        uint32_t rotation_rate;       /* 0: none; 1: not rotating */
};

/* ---- controllers ---- */

enum domain_controller_type {
        DOMAIN_CONTROLLER_IDE,
        DOMAIN_CONTROLLER_FDC,
        DOMAIN_CONTROLLER_SCSI,
        DOMAIN_CONTROLLER_SATA,
        DOMAIN_CONTROLLER_VIRTIO_SERIAL,
        DOMAIN_CONTROLLER_CCID,
        DOMAIN_CONTROLLER_USB,
        DOMAIN_CONTROLLER_PCI,
        DOMAIN_CONTROLLER_XENBUS,
        DOMAIN_CONTROLLER_ISA,
        DOMAIN_CONTROLLER_LAST,
} __attribute__((packed));

struct domain_controller {
        struct domain_device_info info;
        enum domain_controller_type type;
        enum domain_switch ioeventfd; /* scsi */
        enum domain_switch hotplug;   /* pci <target hotplug=> */
        struct domain_virtio virtio;
        uint32_t index;
        const char *model;      /* "pcie-root-port", "qemu-xhci", "virtio-scsi", "none" ... */
        const char *model_name; /* pci <model name=>, "pcie-root-port", "pci-bridge" ... */
        int ports;              /* usb, virtio-serial; -1: the default */
        int vectors;            /* virtio-serial; -1: the default */
        int master_port;        /* usb companion: <master startport=>; -1: none */
        int chassis_nr;         /* pci <target>; -1: none, as with those below */
        int chassis;
        int port;
        int bus_nr;
        int node;
        uint32_t queues; /* scsi; 0: the default, as with those below */
        uint32_t cmd_per_lun;
        uint32_t max_sectors;
        uint32_t iothread;
        uint64_t pcihole64_kib; /* 0: the machine's own */
};

/* ---- file systems ---- */

struct domain_filesystem {
        struct domain_device_info info;
        const char *type;        /* "mount", "block", "file" ... */
        const char *driver;      /* <driver type=>: "path", "handle", "virtiofs", ... */
        const char *access_mode; /* "passthrough", "mapped", "squash" */
        const char *source;
        const char *target;
        bool readonly;
};

/* ---- network interfaces ---- */

enum domain_interface_type {
        DOMAIN_INTERFACE_USER,
        DOMAIN_INTERFACE_ETHERNET,
        DOMAIN_INTERFACE_VHOSTUSER,
        DOMAIN_INTERFACE_SERVER,
        DOMAIN_INTERFACE_CLIENT,
        DOMAIN_INTERFACE_MCAST,
        DOMAIN_INTERFACE_NETWORK,
        DOMAIN_INTERFACE_BRIDGE,
        DOMAIN_INTERFACE_INTERNAL,
        DOMAIN_INTERFACE_DIRECT,
        DOMAIN_INTERFACE_HOSTDEV,
        DOMAIN_INTERFACE_UDP,
        DOMAIN_INTERFACE_VDPA,
        DOMAIN_INTERFACE_NULL,
        DOMAIN_INTERFACE_VDS,
        DOMAIN_INTERFACE_LAST,
} __attribute__((packed));

/* <ip family= address= prefix=> */
struct domain_ip {
        const char *family; /* "ipv4", "ipv6" */
        const char *address;
        const char *peer;
        uint32_t prefix; /* 0: none */
};

/* <portForward>: ports of the host that lead to the guest, of the user network. */
struct domain_port_range {
        uint32_t start, end;        /* end 0: start alone */
        uint32_t to;                /* the guest's, for start; 0: the same */
        enum domain_switch exclude; /* these do not */
};
struct domain_port_forward {
        const char *proto;   /* "tcp", "udp" */
        const char *address; /* where the host listens; NULL: everywhere */
        const char *dev;     /* on which device of the host; NULL: on all */
        const struct domain_port_range *ranges;
        uint32_t n_ranges; /* 0: all ports */
};

/* A value for a variable of the filter; several of one name are a list. */
struct domain_filter_param {
        const char *name;
        const char *value;
};

struct domain_interface {
        struct domain_device_info info;
        enum domain_interface_type type;
        bool has_mac;
        uint8_t mac[6];
        enum domain_switch link_up;        /* <link state='up|down'> */
        enum domain_switch target_managed; /* ethernet */
        enum domain_switch ioeventfd;
        enum domain_switch event_idx;
        enum domain_switch isolated; /* <port isolated=> */
        enum domain_switch trust_guest_rx_filters;
        struct domain_virtio virtio;
        const char *source;      /* bridge, network or device, as the type says */
        const char *source_mode; /* direct: "bridge", "vepa", "private", "passthrough" */
        const char *portgroup;
        const char *network;        /* active, type bridge or direct: the network that has led there */
        const char *network_bridge; /* active, type network: the bridge in use */
        const char *port_id;        /* active: that of the network */
        const char *model;          /* "virtio", "e1000e" ...; NULL: normalisation fills it in */
        const char *target;         /* <target dev=>: the tap's name on the host */
        const char *script;
        const char *driver; /* <driver name=>: "qemu", "vhost" */
        const char *txmode; /* "iothread", "timer" */
        const struct domain_ip *ips;
        const struct domain_port_forward *forwards;
        uint32_t n_ips;
        uint32_t n_forwards;
        const char *filter; /* <filterref filter=>: what it may send and receive; NULL: everything */
        const struct domain_filter_param *filter_params;
        uint32_t n_filter_params;
        uint32_t mtu; /* 0: the default, as with those below */
        uint32_t queues;
        uint32_t rx_queue_size;
        uint32_t tx_queue_size;
        uint32_t sndbuf;
        struct traffic bandwidth;
};

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
        const char *bind_host;    /* udp */
        const char *bind_service; /* udp */
        const char *protocol;     /* tcp: "raw", "telnet", "telnets", "tls"; NULL: raw */
        const char *channel;      /* spiceport, dbus */
        const char *log_file;     /* <log file=> */
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

/* ---- input, graphics, video, sound ---- */

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
        enum domain_switch accel3d;
        enum domain_switch accel2d;
        struct domain_virtio virtio;
};

struct domain_sound {
        struct domain_device_info info;
        const char *model;               /* "ich9", "ich6", "ac97", "es1370", "sb16", "pcspk", "usb" */
        const char *const *codecs;       /* NULL-terminated: "duplex", "micro", "output"; NULL: none */
        uint32_t audio_id;               /* 0: none */
        enum domain_switch multichannel; /* usb */
};

/* <audio>; what <input> and <output> tune is not in the typed view. */
struct domain_audio {
        uint32_t id;           /* from 1 */
        const char *type;      /* "none", "spice", "pulseaudio", "alsa", "pipewire" ... */
        const char *server;    /* pulseaudio serverName */
        const char *path;      /* file */
        uint32_t timer_period; /* 0: the default */
};

/* ---- the rest ---- */

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

struct domain_memballoon {
        struct domain_device_info info;
        const char *model; /* "virtio" ..., "none" */
        enum domain_switch autodeflate;
        enum domain_switch free_page_reporting;
        struct domain_virtio virtio;
        uint32_t stats_period_s; /* 0: off */
};

struct domain_watchdog {
        struct domain_device_info info;
        const char *model;  /* "i6300esb", "ib700", "diag288", "itco" */
        const char *action; /* "reset" ... "inject-nmi" */
};

struct domain_panic {
        struct domain_device_info info;
        const char *model; /* "isa", "pseries", "hyperv", "s390", "pvpanic"; NULL: the machine's own */
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
        uint32_t pcr_banks; /* active_pcr_banks: bit 0 sha1, 1 sha256, 2 sha384, 3 sha512; 0: as they are */
};

struct domain_vsock {
        struct domain_device_info info;
        const char *model; /* "virtio" ... */
        enum domain_switch auto_cid;
        struct domain_virtio virtio;
        uint32_t cid; /* 0: none given */
};

enum domain_hostdev_type {
        DOMAIN_HOSTDEV_USB,
        DOMAIN_HOSTDEV_PCI,
        DOMAIN_HOSTDEV_SCSI,
        DOMAIN_HOSTDEV_SCSI_HOST,
        DOMAIN_HOSTDEV_MDEV,
        DOMAIN_HOSTDEV_STORAGE, /* mode='capabilities', as with those below */
        DOMAIN_HOSTDEV_MISC,
        DOMAIN_HOSTDEV_NET,
        DOMAIN_HOSTDEV_LAST,
} __attribute__((packed));

struct domain_hostdev {
        struct domain_device_info info;
        enum domain_hostdev_type type;
        bool managed;
        bool usb_missing; /* active: left out because startupPolicy allowed it (<source missing='yes'>) */
        enum domain_switch display; /* mdev */
        enum domain_switch ramfb;   /* mdev */
        int usb_vendor;             /* -1: not given */
        int usb_product;
        uint32_t usb_bus; /* 0: not given */
        uint32_t usb_device;
        const char *usb_port;       /* usb: where it is plugged in on its bus, "4.2" */
        const char *startup_policy; /* usb: "mandatory", "requisite", "optional" */
        const char *guest_reset;    /* usb: "off", "uninitialized", "on" */
        const char *driver;         /* pci <driver name=>: "vfio", "kvm" ... */
        const char *model;          /* mdev: "vfio-pci", "vfio-ccw", "vfio-ap" */
        const char *mdev_uuid;
        struct domain_address_pci pci;  /* the device on the host */
        const char *teaming_persistent; /* <teaming type='transient' persistent=> */
        const char *adapter;            /* scsi: "scsi_host2" */
        uint32_t scsi_bus, scsi_target; /* scsi: the device on the host */
        uint64_t scsi_unit;
        const char *protocol;     /* scsi: "iscsi" or NULL; scsi_host: "vhost" */
        const char *wwpn;         /* scsi_host: "naa.5001405..." */
        bool readonly, shareable; /* scsi */
};

struct domain_redirdev {
        struct domain_device_info info;
        struct domain_char_source source;
        const char *bus; /* "usb" */
};

struct domain_smartcard {
        struct domain_device_info info;
        const char *mode;                        /* "host", "host-certificates", "passthrough" */
        const struct domain_char_source *source; /* passthrough */
};

struct domain_hub {
        struct domain_device_info info;
        const char *type; /* "usb" */
};

struct domain_shmem {
        struct domain_device_info info;
        const char *name;
        const char *model;  /* "ivshmem", "ivshmem-plain", "ivshmem-doorbell" */
        const char *role;   /* "master", "peer" */
        const char *server; /* <server path=> */
        bool has_server;
        uint64_t size_bytes; /* 0: not given */
        uint32_t vectors;    /* <msi>; 0: the default */
        bool msi;
        enum domain_switch ioeventfd;
};

struct domain_memory {
        struct domain_device_info info;
        const char *model;         /* "dimm", "nvdimm", "virtio-pmem", "virtio-mem", "sgx-epc" */
        const char *path;          /* nvdimm, virtio-pmem */
        enum domain_switch shared; /* access= */
        enum domain_switch discard;
        bool readonly;
        bool pmem;
        int node; /* <target><node>; -1: none */
        uint64_t size_kib;
        uint64_t block_kib; /* 0: none, as with those below */
        uint64_t requested_kib;
        uint64_t label_kib;
        uint64_t page_size_kib;
        const char *nodemask;
};

struct domain_iommu {
        struct domain_device_info info;
        const char *model; /* "intel", "smmuv3", "virtio" */
        enum domain_switch intremap;
        enum domain_switch caching_mode;
        enum domain_switch eim;
        enum domain_switch iotlb;
        uint32_t aw_bits; /* 0: the default */
};

enum domain_crypto_backend {
        DOMAIN_CRYPTO_BUILTIN,
        DOMAIN_CRYPTO_LKCF, /* the host's kernel */
        DOMAIN_CRYPTO_LAST,
} __attribute__((packed));

struct domain_crypto {
        struct domain_device_info info;
        const char *model; /* "virtio" */
        const char *type;  /* "qemu" */
        enum domain_crypto_backend backend;
        uint32_t queues; /* 0: the default */
        struct domain_virtio virtio;
};

struct domain_nvram_device {
        struct domain_device_info info;
};

/* Every kind of element below <devices> but <emulator>, each an array in struct domain_def. */
struct domain_devices {
        const char *emulator; /* NULL: not said (normalisation fills it in) */
        const struct domain_disk *disks;
        const struct domain_controller *controllers;
        const struct domain_filesystem *filesystems;
        const struct domain_interface *interfaces;
        const struct domain_smartcard *smartcards;
        const struct domain_char *chars; /* serial, parallel, console, channel, in this order */
        const struct domain_input *inputs;
        const struct domain_tpm *tpms;
        const struct domain_graphics *graphics;
        const struct domain_sound *sounds;
        const struct domain_audio *audios;
        const struct domain_video *videos;
        const struct domain_hostdev *hostdevs;
        const struct domain_redirdev *redirdevs;
        const struct domain_hub *hubs;
        const struct domain_watchdog *watchdogs;
        const struct domain_memballoon *memballoon; /* NULL: none */
        const struct domain_rng *rngs;
        const struct domain_nvram_device *nvram; /* NULL: none */
        const struct domain_panic *panics;
        const struct domain_shmem *shmems;
        const struct domain_memory *memories;
        const struct domain_iommu *iommu; /* NULL: none */
        const struct domain_vsock *vsock; /* NULL: none */
        const struct domain_crypto *cryptos;
        uint16_t n_disks, n_controllers, n_filesystems, n_interfaces, n_smartcards, n_chars, n_inputs, n_tpms;
        uint16_t n_graphics, n_sounds, n_audios, n_videos, n_hostdevs, n_redirdevs, n_hubs, n_watchdogs;
        uint16_t n_rngs, n_panics, n_shmems, n_memories, n_cryptos;
        uint16_t n_serials, n_parallels, n_consoles, n_channels; /* together n_chars */
};

/* ---- all kinds alike ---- */

/* The name of the element: "disk". */
const char *domain_device_kind_get_name(enum domain_device_kind kind);
/* How many of a kind there are; 0 for kinds that the typed view does not have. */
unsigned domain_devices_get_count(const struct domain_devices *devices, enum domain_device_kind kind);
/* One of them, below that count: the struct of its kind. */
const void *domain_devices_get(const struct domain_devices *devices, enum domain_device_kind kind,
                               unsigned index);
/* What it shares with all others; NULL for kinds without (graphics, audio). */
const struct domain_device_info *domain_device_get_info(enum domain_device_kind kind, const void *device);
