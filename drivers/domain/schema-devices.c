/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The tables of what stands below <devices>, from the leaves up.
 */
#include "drivers/domain/schema.h"

#include <stddef.h>

#define MANY     DOMAIN_SCHEMA_MANY
#define UNDRIVEN DOMAIN_SCHEMA_UNDRIVEN
#define VOID     DOMAIN_SCHEMA_VOID

#define TABLE static const struct domain_schema

/* ---- what many devices have ---- */

TABLE zpci[] = { { "zpci", "uid fid" }, {} };

#define BOOT                                                                                                 \
        {                                                                                                    \
                "boot", "order !loadparm"                                                                    \
        }
#define ALIAS                                                                                                \
        {                                                                                                    \
                "alias", "?name", .flags = VOID                                                              \
        }
#define ROM                                                                                                  \
        {                                                                                                    \
                "rom", "enabled bar file", .flags = VOID                                                     \
        }
#define ACPI                                                                                                 \
        {                                                                                                    \
                "acpi", "index", .flags = VOID                                                               \
        }
#define ADDRESS                                                                                              \
        {                                                                                                    \
                "address",                                                                                   \
                        "type domain controller bus slot function multifunction target unit port cssid "     \
                        "ssid devno reg "                                                                    \
                        "iobase irq base",                                                                   \
                        zpci                                                                                 \
        }
#define VIRTIO "iommu ats packed page_per_vq "

TABLE info[] = { ALIAS, ACPI, ADDRESS, {} };

TABLE label[] = { { "label" }, {} };
#define DEVICE_SECLABEL                                                                                      \
        {                                                                                                    \
                "seclabel", "-type model relabel labelskip", label, VOID | MANY                              \
        }

/* ---- disks ---- */

TABLE slices[] = { { "slice", "type offset size", .flags = MANY }, {} };
TABLE encryption[] = { { "secret", "type uuid usage", .flags = MANY },
                       { "cipher", "name size mode hash" },
                       { "ivgen", "name hash" },
                       {} };
TABLE reconnect[] = { { "reconnect", "enabled timeout", .flags = UNDRIVEN }, {} };
TABLE reservations[] = { { "source", "type path mode", reconnect }, {} };
TABLE auth_secret[] = { { "secret", "type uuid usage" }, {} };
TABLE iqn[] = { { "iqn", "?name", .flags = VOID }, {} };
TABLE cookies[] = { { "cookie", "name", .flags = MANY }, {} };

#define SOURCE_ATTRIBUTES                                                                                    \
        "protocol name query tls tlsHostname ?file ?dev dir pool volume mode type managed "                  \
        "namespace "                                                                                         \
        "path !fdgroup startupPolicy index"

/* A file or device of this host, which has nothing more to say. */
TABLE data_source[] = {
        { "slices", .flags = UNDRIVEN | DOMAIN_SCHEMA_OPAQUE },
        DEVICE_SECLABEL,
        { "encryption", .flags = UNDRIVEN | DOMAIN_SCHEMA_OPAQUE },
        { "reservations", .flags = UNDRIVEN | DOMAIN_SCHEMA_OPAQUE },
        {},
};
TABLE data_store[] = {
        { "format", "type" },
        { "source", SOURCE_ATTRIBUTES, data_source },
        {},
};

TABLE disk_source[] = {
        { "host", "name port socket transport", .flags = MANY },
        { "snapshot", "?name", .flags = VOID },
        { "config", "?file", .flags = VOID },
        { "auth", "username", auth_secret },
        { "address", "domain bus slot function multifunction" },
        { "slices", NULL, slices, VOID },
        DEVICE_SECLABEL,
        { "encryption", "format engine", encryption },
        { "reservations", "managed", reservations },
        { "initiator", NULL, iqn, VOID },
        { "ssl", "verify", .flags = VOID },
        { "cookies", NULL, cookies, VOID },
        { "readahead", "?size", .flags = VOID },
        { "timeout", "?seconds", .flags = VOID },
        { "reconnect", "enabled timeout delay" },
        { "identity", "user group username keyfile agentsock" }, /* of SSH: of 9.8 */
        { "knownHosts", "path" },
        { "dataStore", "type", data_store },
        { "privateData", .flags = UNDRIVEN | DOMAIN_SCHEMA_OPAQUE },
        {},
};

TABLE max_size[] = { { "max_size", "?unit", .flags = VOID }, {} };
TABLE metadata_cache[] = { { "metadata_cache", NULL, max_size, VOID }, {} };

/* Of libvirt 10.0; those of a controller of 11.2. */
TABLE mapped_queues[] = { { "queue", "id", .flags = MANY }, {} };
TABLE mapped_iothreads[] = { { "iothread", "id", mapped_queues, MANY }, {} };

TABLE statistics[] = { { "statistic", "interval", .flags = MANY }, {} }; /* of 11.9 */
TABLE disk_driver[] = {
        { "iothreads", NULL, mapped_iothreads, VOID },
        { "statistics", NULL, statistics, VOID | UNDRIVEN },
        { "metadata_cache", NULL, max_size, VOID },
        {},
};

TABLE backing_store[] = {
        { "format", "type", metadata_cache },
        { "source", SOURCE_ATTRIBUTES, disk_source },
        { "backingStore", "type index", backing_store },
        {},
};

TABLE mirror[] = {
        { "format", "type", metadata_cache },
        { "source", SOURCE_ATTRIBUTES, disk_source },
        { "backingStore", "type index", backing_store },
        {},
};

TABLE throttlefilters[] = { { "throttlefilter", "group", .flags = MANY }, {} }; /* of 11.2 */
const struct domain_schema domain_schema_iotune[] = {
        { "total_bytes_sec", .flags = VOID },
        { "read_bytes_sec", .flags = VOID },
        { "write_bytes_sec", .flags = VOID },
        { "total_iops_sec", .flags = VOID },
        { "read_iops_sec", .flags = VOID },
        { "write_iops_sec", .flags = VOID },
        { "total_bytes_sec_max", .flags = VOID },
        { "read_bytes_sec_max", .flags = VOID },
        { "write_bytes_sec_max", .flags = VOID },
        { "total_iops_sec_max", .flags = VOID },
        { "read_iops_sec_max", .flags = VOID },
        { "write_iops_sec_max", .flags = VOID },
        { "size_iops_sec", .flags = VOID },
        { "group_name", .flags = VOID },
        { "total_bytes_sec_max_length", .flags = VOID },
        { "read_bytes_sec_max_length", .flags = VOID },
        { "write_bytes_sec_max_length", .flags = VOID },
        { "total_iops_sec_max_length", .flags = VOID },
        { "read_iops_sec_max_length", .flags = VOID },
        { "write_iops_sec_max_length", .flags = VOID },
        {},
};

TABLE disk[] = {
        { "driver",
          VIRTIO "name type cache error_policy rerror_policy io ioeventfd event_idx copy_on_read discard "
                 "iothread detect_zeroes queues queue_size",
          disk_driver, VOID },
        { "auth", "username", auth_secret },
        { "source", SOURCE_ATTRIBUTES, disk_source },
        { "backingStore", "type index", backing_store },
        { "backenddomain", "name", .flags = UNDRIVEN },
        { "geometry", "cyls heads secs trans" },
        { "blockio", "logical_block_size physical_block_size discard_granularity", .flags = VOID },
        { "mirror", "type file format job ready", mirror, UNDRIVEN },
        { "target", "dev bus tray removable rotation_rate" },
        { "iotune", NULL, domain_schema_iotune, VOID },
        { "throttlefilters", NULL, throttlefilters, VOID },
        { "readonly" },
        { "shareable" },
        { "transient", "shareBacking" },
        { "serial", .flags = VOID },
        { "wwn", .flags = VOID },
        { "vendor", .flags = VOID },
        { "product", .flags = VOID },
        { "encryption", "format engine", encryption },
        BOOT,
        ALIAS,
        ACPI,
        ADDRESS,
        { "privateData", .flags = UNDRIVEN | DOMAIN_SCHEMA_OPAQUE },
        {},
};

/* ---- controllers, file systems, leases ---- */

TABLE pci_target[] = { { "node" }, {} };

TABLE controller_driver[] = { { "iothreads", NULL, mapped_iothreads, VOID }, {} };

TABLE controller[] = {
        { "model", "name", .flags = VOID },
        { "target", "chassisNr chassis port busNr hotplug index memReserve", pci_target, VOID },
        { "driver", VIRTIO "queues cmd_per_lun max_sectors ioeventfd iothread", controller_driver, VOID },
        ALIAS,
        { "master", "startport", .flags = VOID },
        ACPI,
        ADDRESS,
        { "pcihole64", "?unit", .flags = VOID },
        { "serial", .flags = VOID }, /* of 11.5 */
        {},
};

TABLE lease[] = { { "lockspace" }, { "key" }, { "target", "path offset" }, {} };

TABLE virtiofs[] = { { "cache", "mode" },       { "sandbox", "mode" },  { "lock", "posix flock" },
                     { "thread_pool", "size" }, { "openfiles", "max" }, {} };

TABLE filesystem[] = {
        { "driver", VIRTIO "type !format wrpolicy !name queue" },
        { "binary", "path xattr", virtiofs },
        { "source", "dir !dev !file !name !usage !units socket" },
        { "target", "dir" },
        { "readonly" },
        BOOT,
        ALIAS,
        ACPI,
        ADDRESS,
        { "space_hard_limit", "unit", .flags = UNDRIVEN },
        { "space_soft_limit", "unit", .flags = UNDRIVEN },
        {},
};

/* ---- network interfaces ---- */

#define IP                                                                                                   \
        {                                                                                                    \
                "ip", "address family prefix peer", .flags = MANY                                            \
        }
#define ROUTE "route", "family address netmask prefix gateway metric"

TABLE interface_source[] = {
        IP,
        { ROUTE, .flags = MANY },
        { "address", "type domain bus slot function !multifunction !device" },
        { "vendor", "id", .flags = UNDRIVEN },
        { "product", "id", .flags = UNDRIVEN },
        { "local", "address port" },
        { "reconnect", "enabled timeout" },
        {},
};
TABLE vlan[] = { { "tag", "id nativeMode", .flags = MANY }, {} };
TABLE virtualport[] = {
        { "parameters", "managerid typeid typeidversion instanceid profileid interfaceid", .flags = MANY },
        {},
};
TABLE bandwidth[] = { { "inbound", "average peak burst floor" },
                      { "outbound", "average peak burst !floor" },
                      {} };
TABLE interface_driver[] = {
        { "host", "csum gso tso4 tso6 ecn ufo mrg_rxbuf" },
        { "guest", "csum tso4 tso6 ecn ufo" },
        {},
};
TABLE filter_parameters[] = { { "parameter", "name value", .flags = MANY }, {} };
TABLE tune[] = { { "sndbuf" }, {} };
TABLE coalesce_frames[] = { { "frames", "max" }, {} };
TABLE coalesce[] = { { "rx", NULL, coalesce_frames }, {} };
TABLE forward_ranges[] = { { "range", "start end to exclude", .flags = MANY }, {} };

TABLE interface[] = {
        { "mac", "address type check", .flags = VOID },
        { "source",
          "type network portgroup portid bridge dev path mode address port !connectionid !macTableManager "
          "!missing !name !portgroupid !switchid",
          interface_source, VOID },
        { "vlan", "trunk", vlan },
        { "virtualport", "type", virtualport },
        { "bandwidth", "!classID", bandwidth },
        { "port", "isolated" },
        IP,
        { ROUTE, .flags = MANY | UNDRIVEN },
        { "portForward", "proto address dev", forward_ranges, MANY },
        { "script", "?path", .flags = VOID },
        { "downscript", "path" },
        { "backenddomain", "name", .flags = UNDRIVEN },
        { "target", "dev managed", .flags = VOID },
        { "guest", "?dev actual", .flags = VOID | UNDRIVEN },
        { "model", "?type", .flags = VOID },
        { "driver",
          VIRTIO "name txmode ioeventfd event_idx queues rx_queue_size tx_queue_size rss rss_hash_report",
          interface_driver, VOID },
        { "backend", "type tap vhost logFile hostname fqdn" }, /* the names: of 11.1 */
        { "filterref", "filter", filter_parameters },
        { "tune", NULL, tune },
        { "teaming", "type persistent" },
        { "link", "?state", .flags = VOID },
        { "mtu", "?size", .flags = VOID },
        { "coalesce", NULL, coalesce },
        BOOT,
        ALIAS,
        ROM,
        ACPI,
        ADDRESS,
        {},
};

/* ---- character devices ---- */

TABLE char_source[] = {
        { "clipboard", "copypaste" },
        { "mouse", "mode" },
        DEVICE_SECLABEL,
        { "reconnect", "enabled timeout" },
        {},
};
TABLE char_model[] = { { "model", "?name", .flags = VOID }, {} };

#define CHAR_SOURCE                                                                                          \
        { "source", "mode path host service append tls channel !master !slave", char_source, MANY },         \
                { "protocol", "type", .flags = VOID },                                                       \
        {                                                                                                    \
                "log", "file append", .flags = VOID                                                          \
        }

TABLE character[] = {
        CHAR_SOURCE, { "target", "type port", char_model }, ALIAS, ACPI, ADDRESS, {},
};
TABLE channel[] = {
        CHAR_SOURCE, { "target", "type name ?state address port" }, ALIAS, ACPI, ADDRESS, {},
};
TABLE smartcard[] = {
        { "certificate", .flags = MANY },
        { "database" },
        CHAR_SOURCE,
        { "target", "type port", char_model },
        ALIAS,
        ACPI,
        ADDRESS,
        {},
};
TABLE redirdev[] = { CHAR_SOURCE, BOOT, ALIAS, ACPI, ADDRESS, {} };
TABLE redirfilter[] = { { "usbdev", "class vendor product version allow", .flags = MANY }, {} };

/* ---- input, graphics, sound, video ---- */

TABLE input[] = {
        { "driver", VIRTIO, .flags = VOID },
        { "source", "evdev dev grab grabToggle repeat" },
        ALIAS,
        ACPI,
        ADDRESS,
        {},
};

TABLE graphics[] = {
        { "listen", "type address network socket", .flags = MANY },
        { "channel", "name mode", .flags = MANY },
        { "image", "compression" },
        { "jpeg", "compression" },
        { "zlib", "compression" },
        { "playback", "compression" },
        { "streaming", "mode" },
        { "mouse", "mode" },
        { "clipboard", "copypaste" },
        { "filetransfer", "enable" },
        { "gl", "enable rendernode" },
        { "audio", "id" },
        {},
};

TABLE sound[] = { { "codec", "type", .flags = MANY }, { "audio", "id" }, ALIAS, ACPI, ADDRESS, {} };

TABLE audio_settings[] = { { "settings", "frequency channels format", .flags = VOID }, {} };
#define AUDIO_ATTRIBUTES                                                                                     \
        "mixingEngine fixedSettings voices bufferLength bufferCount dev tryPoll name streamName latency "    \
        "serverName clientName connectPorts exactName"
TABLE audio[] = {
        { "input", AUDIO_ATTRIBUTES, audio_settings, VOID },
        { "output", AUDIO_ATTRIBUTES, audio_settings, VOID },
        {},
};

TABLE video_model[] = {
        { "acceleration", "accel2d accel3d rendernode" },
        { "resolution", "x y" },
        {},
};
TABLE video[] = {
        { "driver", VIRTIO "name !vgaconf", .flags = VOID },
        { "model", "?type ?ram ?vram ?vram64 ?vgamem ?heads ?primary blob edid", video_model, VOID },
        ALIAS,
        ACPI,
        ADDRESS,
        {},
};

/* ---- devices of the host ---- */

TABLE scsi_parent[] = { { "address", "domain bus slot function multifunction" }, {} };
TABLE scsi_adapter[] = { { "parentaddr", "unique_id", scsi_parent, UNDRIVEN }, {} };

TABLE hostdev_source[] = {
        { "vendor", "id" },
        { "product", "id" },
        { "adapter", "name !type !parent !parent_wwnn !parent_wwpn !parent_fabric_wwn !wwnn !wwpn !managed",
          scsi_adapter },
        { "address", "domain bus slot function multifunction device port uuid target unit !type" },
        { "host", "name port", .flags = MANY | UNDRIVEN },
        { "auth", "username", auth_secret, UNDRIVEN },
        { "initiator", NULL, iqn, UNDRIVEN },
        { "block", .flags = UNDRIVEN },
        { "char", .flags = UNDRIVEN },
        { "interface", .flags = UNDRIVEN },
        {},
};

TABLE hostdev[] = {
        { "driver", "name iommufd", .flags = VOID },
        { "source", "startupPolicy guestReset missing protocol wwpn !name !writeFiltering", hostdev_source },
        { "ip", "address family prefix peer", .flags = MANY | UNDRIVEN },
        { ROUTE, .flags = MANY | UNDRIVEN },
        { "teaming", "type persistent" },
        { "readonly" },
        { "shareable" },
        BOOT,
        ALIAS,
        ROM,
        ACPI,
        ADDRESS,
        {},
};

/* ---- further devices ---- */

TABLE pcr_banks[] = { { "sha1" }, { "sha256" }, { "sha384" }, { "sha512" }, {} };
TABLE tpm_backend[] = {
        { "device", "?path", .flags = VOID },
        { "encryption", "?secret", .flags = VOID },
        { "active_pcr_banks", NULL, pcr_banks, VOID },
        { "source", "type path mode" },
        { "profile", "source removeDisabled name" }, /* of 10.10 */
        {},
};
TABLE tpm[] = {
        { "backend", "type version persistent_state debug", tpm_backend }, ALIAS, ACPI, ADDRESS, {},
};

TABLE memballoon[] = { { "stats", "period", .flags = VOID }, ALIAS, ACPI, ADDRESS,
                       { "driver", VIRTIO, .flags = VOID },  {} };

TABLE pstore[] = { { "path" }, { "size", "unit" }, ALIAS, ACPI, ADDRESS, {} };
TABLE crypto[] = { { "backend", "model queues" }, { "driver", VIRTIO }, ALIAS, ACPI, ADDRESS, {} };
TABLE rng_backend[] = { CHAR_SOURCE, {} };
TABLE rng[] = {
        { "rate", "?bytes ?period", .flags = VOID },
        { "backend", "model type", rng_backend },
        { "driver", VIRTIO, .flags = VOID },
        ALIAS,
        ACPI,
        ADDRESS,
        {},
};

TABLE shmem[] = {
        { "model", "type" },
        { "size", "?unit", .flags = VOID },
        { "server", "path" },
        { "msi", "enabled vectors ioeventfd" },
        ALIAS,
        ACPI,
        ADDRESS,
        {},
};

TABLE memory_source[] = {
        { "nodemask", .flags = VOID },
        { "pagesize", "?unit", .flags = VOID },
        { "path" },
        { "alignsize", "unit" },
        { "pmem" },
        {},
};
TABLE memory_label[] = { { "size", "unit" }, {} };
TABLE memory_target[] = {
        { "size", "?unit" },   { "node" },
        { "block", "unit" },   { "requested", "unit" },
        { "current", "unit" }, { "label", NULL, memory_label },
        { "readonly" },        {},
};
TABLE memory_device[] = {
        { "uuid" },
        { "source", NULL, memory_source, VOID },
        { "target", "dynamicMemslots", memory_target }, /* of 10.1 */
        ALIAS,
        ACPI,
        ADDRESS,
        {},
};

TABLE iommu[] = {
        { "driver", "intremap caching_mode eim iotlb aw_bits dma_translation xtsup passthrough" },
        ALIAS,
        ACPI,
        ADDRESS,
        {},
};
TABLE vsock[] = { { "cid", "auto address", .flags = VOID }, ALIAS, ACPI, ADDRESS, { "driver", VIRTIO }, {} };

const struct domain_schema domain_schema_devices[] = {
        { "emulator", .flags = VOID },
        { "disk", "type device model snapshot rawio !sgio", disk, MANY },
        { "controller", "type index model ports vectors !maxGrantFrames !maxEventChannels", controller,
          MANY },
        { "lease", NULL, lease, MANY | UNDRIVEN },
        { "filesystem", "type ?accessmode fmode dmode multidevs model", filesystem, MANY },
        { "interface", "type ?managed trustGuestRxFilters", interface, MANY },
        { "smartcard", "mode type", smartcard, MANY },
        { "serial", "type tty", character, MANY },
        { "parallel", "type tty", character, MANY },
        { "console", "type tty", character, MANY },
        { "channel", "type", channel, MANY },
        { "input", "type bus model", input, MANY },
        { "tpm", "model", tpm, MANY },
        { "graphics",
          "type port tlsPort ?autoport websocket listen socket keymap defaultMode sharePolicy passwd "
          "passwdValidTo connected display xauth fullscreen !replaceUser !multiUser powerControl p2p "
          "address wait",
          graphics, MANY },
        { "sound", "model ?multichannel streams", sound, MANY },
        { "audio", "id type serverName path runtimeDir timerPeriod driver tryMMap exclusive dspPolicy", audio,
          MANY },
        { "video", NULL, video, MANY },
        { "hostdev", "mode type ?managed model display ramfb !sgio rawio", hostdev, MANY },
        { "redirdev", "bus type", redirdev, MANY },
        { "redirfilter", NULL, redirfilter, VOID },
        { "hub", "type", info, MANY },
        { "watchdog", "model action", info, MANY },
        { "memballoon", "model autodeflate freePageReporting", memballoon },
        { "rng", "model", rng, MANY },
        { "nvram", NULL, info },
        { "panic", "model", info, MANY },
        { "shmem", "name role", shmem, MANY },
        { "memory", "model access discard", memory_device, MANY },
        { "iommu", "model", iommu },
        { "vsock", "model", vsock },
        { "crypto", "model type", crypto, MANY },
        { "pstore", "backend", pstore },
        { "viosock", "model", .flags = MANY | DOMAIN_SCHEMA_DROPPED }, /* what virt-v2v found in the guest */
        {},
};
