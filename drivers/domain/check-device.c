/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Checks of the devices but disks: what they refer to is there, and what a machine has one of is there once.
 * No state; any thread.
 */
#include "drivers/domain/check.h"

#include <inttypes.h>
#include <string.h>

/* Of acpi-erst, unless told otherwise. */
#define PSTORE_RECORD_KIB 8
/* Displays are numbered from there on. */
#define VNC_PORT_BASE 5900

/* ---- audio ---- */

static bool has_audio(const struct domain_devices *devices, unsigned id)
{
        for (unsigned i = 0; i < devices->n_audios; i++) {
                if (devices->audios[i].id == id)
                        return true;
        }
        return false;
}

static bool check_audio_there(const struct domain_devices *devices, const char *what, unsigned id,
                              GError **error)
{
        g_autoptr(GString) ids = NULL;

        if (id == 0 || has_audio(devices, id))
                return true;
        ids = g_string_new(NULL);
        for (unsigned i = 0; i < MIN(devices->n_audios, 16); i++)
                g_string_append_printf(ids, "%s%u", i ? ", " : "", devices->audios[i].id);
        return check_refuse(error, "%s plays on <audio id='%u'>, which is not there: the domain has %s", what,
                            id, ids->len ? ids->str : "none");
}

static bool check_audio(const struct check *check, GError **error)
{
        const struct domain_devices *devices = &check->def->devices;

        for (unsigned i = 0; i < devices->n_audios; i++) {
                for (unsigned j = 0; j < i; j++) {
                        if (devices->audios[j].id == devices->audios[i].id)
                                return check_refuse(error, "there are two <audio id='%u'>",
                                                    devices->audios[i].id);
                }
        }
        for (unsigned i = 0; i < devices->n_sounds; i++) {
                g_autofree char *what = g_strdup_printf("sound device '%s'", devices->sounds[i].model);

                if (!check_audio_there(devices, what, devices->sounds[i].audio_id, error))
                        return false;
        }
        for (unsigned i = 0; i < devices->n_graphics; i++) {
                if (devices->graphics[i].audio_id > 0 &&
                    !check_audio_there(devices, "a VNC server", (unsigned)devices->graphics[i].audio_id,
                                       error))
                        return false;
        }
        return true;
}

/* ---- character devices ---- */

static char *describe_char(const struct domain_char *chr)
{
        static const char *const kinds[DOMAIN_CHAR_KINDS] = { "serial port", "parallel port", "console",
                                                              "channel" };

        if (chr->kind == DOMAIN_CHAR_CHANNEL && chr->target_name)
                return g_strdup_printf("channel '%s'", chr->target_name);
        if (chr->target_port >= 0)
                return g_strdup_printf("%s %d", kinds[chr->kind], chr->target_port);
        return g_strdup(kinds[chr->kind]);
}

static bool has_graphics(const struct domain_devices *devices, enum domain_graphics_type type)
{
        for (unsigned i = 0; i < devices->n_graphics; i++) {
                if (devices->graphics[i].type == type)
                        return true;
        }
        return false;
}

/* named: the agent finds a path for the socket (a channel's, or one to listen on). */
static bool check_source(const struct domain_char_source *source, bool named, const char *what,
                         GError **error)
{
        if (source->type == DOMAIN_CHAR_TCP && !source->host)
                return check_refuse(error,
                                    "the tcp source of %s says no host: <source mode='%s' host='...' "
                                    "service='%s'/>",
                                    what, source->listen ? "bind" : "connect",
                                    source->service ? source->service : "...");
        if (source->type == DOMAIN_CHAR_UNIX && !named && !source->listen && !source->path)
                return check_refuse(error,
                                    "the unix source of %s says no path of the socket to connect to: <source "
                                    "mode='connect' path='...'/>",
                                    what);
        return true;
}

static bool check_chars(const struct check *check, GError **error)
{
        const struct domain_devices *devices = &check->def->devices;

        for (unsigned i = 0; i < devices->n_chars; i++) {
                const struct domain_char *chr = &devices->chars[i];
                g_autofree char *what = describe_char(chr);

                if (!check_source(&chr->source, chr->kind == DOMAIN_CHAR_CHANNEL, what, error))
                        return false;
                if (chr->source.type == DOMAIN_CHAR_SPICEVMC && !has_graphics(devices, DOMAIN_GRAPHICS_SPICE))
                        return check_refuse(error,
                                            "%s is of type 'spicevmc', which needs <graphics type='spice'/>",
                                            what);
        }
        for (unsigned i = 0; i < devices->n_rngs; i++) {
                const struct domain_char_source *source = devices->rngs[i].source;

                if (source && !check_source(source, false, "a random number generator", error))
                        return false;
        }
        return true;
}

/* Does the guest know it by what describe_char() calls it? */
static bool is_known_so(const struct domain_char *chr)
{
        if (chr->kind == DOMAIN_CHAR_CHANNEL)
                return chr->target_name && g_strcmp0(chr->target_type, "virtio") == 0;
        return chr->kind == DOMAIN_CHAR_SERIAL && chr->target_port >= 0;
}

static bool check_chars_apart(const struct check *check, GError **error)
{
        const struct domain_devices *devices = &check->def->devices;
        g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);

        for (unsigned i = 0; i < devices->n_chars; i++) {
                g_autofree char *what =
                        is_known_so(&devices->chars[i]) ? describe_char(&devices->chars[i]) : NULL;

                if (what && g_hash_table_contains(seen, what))
                        return check_refuse(error, "the domain has %s twice", what);
                if (what)
                        g_hash_table_add(seen, g_steal_pointer(&what));
        }
        return true;
}

/* ISA has the ports ttyS0 to ttyS3, and no address for a fifth. */
static bool check_serials(const struct check *check, GError **error)
{
        enum { PORTS_MAX = 4 };
        const struct domain_devices *devices = &check->def->devices;
        unsigned n = 0;

        for (unsigned i = 0; i < devices->n_chars; i++) {
                const struct domain_char *chr = &devices->chars[i];

                n += chr->kind == DOMAIN_CHAR_SERIAL && g_strcmp0(chr->target_type, "isa-serial") == 0;
        }
        if (n <= PORTS_MAX)
                return true;
        return check_refuse(error,
                            "the machine has %d ISA serial ports, and the domain %u: give the others <target "
                            "type='pci-serial'/> or 'usb-serial', or make them a <console> of target virtio",
                            PORTS_MAX, n);
}

/* ---- controllers ---- */

static bool check_reserve(const struct domain_controller *controller, GError **error)
{
        if (controller->memory_reserve_kib == 0 || (controller->type == DOMAIN_CONTROLLER_PCI &&
                                                    g_strcmp0(controller->model_name, "pcie-root-port") == 0))
                return true;
        return check_refuse(error,
                            "controller %u of model '%s' reserves no memory: <target memReserve=> is for a "
                            "'pcie-root-port' of that <model name=>",
                            controller->index, controller->model ? controller->model : "default");
}

static bool check_controllers(const struct check *check, GError **error)
{
        const struct domain_def *def = check->def;

        for (unsigned i = 0; i < def->devices.n_controllers; i++) {
                const struct domain_controller *controller = &def->devices.controllers[i];
                bool virtio = controller->model && g_str_has_prefix(controller->model, "virtio");
                g_autofree char *there = NULL,
                                *who = g_strdup_printf("scsi controller %u", controller->index);

                if (!check_reserve(controller, error))
                        return false;
                if (controller->type != DOMAIN_CONTROLLER_SCSI ||
                    (controller->iothread == 0 && !controller->iothread_map))
                        continue;
                if (!virtio)
                        return check_refuse(
                                error,
                                "scsi controller %u of model '%s' has no I/O thread: only those of "
                                "model 'virtio-scsi' have",
                                controller->index, controller->model ? controller->model : "auto");
                if (!check_iothread_map(def, controller->iothread_map, who, controller->iothread,
                                        controller->queues, error))
                        return false;
                if (controller->iothread == 0 || check_has_iothread(def, controller->iothread))
                        continue;
                there = check_format_iothreads(def);
                return check_refuse(
                        error,
                        "scsi controller %u asks for I/O thread %u, which the domain does not have: %s",
                        controller->index, controller->iothread, there);
        }
        return true;
}

/* ---- shared memory ---- */

static bool check_shmem(const struct domain_shmem *shmem, GError **error)
{
        bool doorbell = strcmp(shmem->model ? shmem->model : "ivshmem", "ivshmem-doorbell") == 0;

        if (doorbell && (!shmem->has_server || !shmem->server))
                return check_refuse(error,
                                    "<shmem> '%s' of model 'ivshmem-doorbell' needs a <server path=>, which "
                                    "says what the memory is",
                                    shmem->name);
        if (doorbell && shmem->size_bytes)
                return check_refuse(error,
                                    "<shmem> '%s' of model 'ivshmem-doorbell' has no <size>: its server says "
                                    "that",
                                    shmem->name);
        if (doorbell && shmem->msi_off)
                return check_refuse(error,
                                    "<msi enabled='no'> of <shmem> '%s': a server tells of interrupts by MSI",
                                    shmem->name);
        if (!doorbell && (shmem->has_server || shmem->has_msi))
                return check_refuse(error, "<shmem> '%s' has a <%s>, which is for model 'ivshmem-doorbell'",
                                    shmem->name, shmem->has_server ? "server" : "msi");
        return true;
}

static bool check_shmems(const struct check *check, GError **error)
{
        const struct domain_devices *devices = &check->def->devices;

        for (unsigned i = 0; i < devices->n_shmems; i++) {
                if (!check_shmem(&devices->shmems[i], error))
                        return false;
        }
        return true;
}

/* ---- the rest ---- */

static bool check_videos(const struct check *check, GError **error)
{
        const struct domain_devices *devices = &check->def->devices;

        for (unsigned i = 0; i < devices->n_videos; i++) {
                const struct domain_video *video = &devices->videos[i];
                bool served = g_strcmp0(video->driver, "vhostuser") == 0;

                if (served && g_strcmp0(video->model, "virtio") != 0)
                        return check_refuse(error,
                                            "<driver name='vhostuser'> of <video> is for model 'virtio', not "
                                            "'%s'",
                                            video->model);
                if (video->rendernode && !served)
                        return check_refuse(error,
                                            "<acceleration rendernode='%s'> of <video> is for <driver "
                                            "name='vhostuser'>: others draw on that of their <graphics>",
                                            video->rendernode);
                if (devices->videos[i].accel2d == DOMAIN_SWITCH_ON)
                        return check_refuse(error,
                                            "<acceleration accel2d='yes'> of <video>: QEMU accelerates "
                                            "in three dimensions alone (accel3d)");
        }
        return true;
}

static bool check_tpms(const struct check *check, GError **error)
{
        const struct domain_devices *devices = &check->def->devices;
        unsigned n = 0;

        for (unsigned i = 0; i < devices->n_tpms; i++) {
                const struct domain_tpm *tpm = &devices->tpms[i];
                bool old = g_strcmp0(tpm->version, "1.2") == 0;

                n += g_strcmp0(tpm->model, "spapr-tpm-proxy") != 0;
                if (n > 1)
                        return check_refuse(error, "a machine has one TPM, and the domain two");
                if (old && g_strcmp0(tpm->model, "tpm-crb") == 0)
                        return check_refuse(error,
                                            "a TPM of model 'tpm-crb' is of version 2.0, not 1.2: use the "
                                            "model 'tpm-tis' for that");
                if (old && tpm->pcr_banks)
                        return check_refuse(error, "<active_pcr_banks> is for TPMs of version 2.0, not 1.2");
        }
        return true;
}

/* Those that a machine has a fixed place for. */
static bool check_watchdog_place(const struct check *check, unsigned index, GError **error)
{
        const struct domain_watchdog *list = check->def->devices.watchdogs;
        const char *model = list[index].model;

        for (unsigned i = 0; i < index; i++) {
                if (strcmp(list[i].model, model) == 0 && strcmp(model, "i6300esb") != 0)
                        return check_refuse(error, "a machine has one watchdog '%s', and the domain two",
                                            model);
        }
        if (strcmp(model, "itco") == 0 && check->machine->machine && !check_is_machine(check, "pc-q35"))
                return check_refuse(error,
                                    "the watchdog 'itco' is part of machines of type 'q35', not of '%s': use "
                                    "'i6300esb'",
                                    check->machine->machine);
        if (strcmp(model, "diag288") == 0 && check->machine->machine &&
            g_strcmp0(check->def->os.arch, "s390x") != 0)
                return check_refuse(error, "the watchdog 'diag288' is for guests of s390x, not of %s",
                                    check->def->os.arch);
        return true;
}

/* Several watch over a machine, but what happens then is set for the machine as a whole. */
static bool check_watchdogs(const struct check *check, GError **error)
{
        const struct domain_devices *devices = &check->def->devices;

        for (unsigned i = 0; i < devices->n_watchdogs; i++) {
                const struct domain_watchdog *watchdog = &devices->watchdogs[i];

                if (!check_watchdog_place(check, i, error))
                        return false;
                if (g_strcmp0(watchdog->action, devices->watchdogs[0].action) != 0)
                        return check_refuse(
                                error,
                                "all watchdogs of a domain have one action, and the domain has '%s' "
                                "('%s') and '%s' ('%s')",
                                devices->watchdogs[0].action, devices->watchdogs[0].model, watchdog->action,
                                watchdog->model);
        }
        return true;
}

static bool check_panics(const struct check *check, GError **error)
{
        const struct domain_devices *devices = &check->def->devices;

        for (unsigned i = 0; i < devices->n_panics; i++) {
                for (unsigned j = 0; j < i; j++) {
                        if (g_strcmp0(devices->panics[j].model, devices->panics[i].model) == 0)
                                return check_refuse(error, "there are two panic devices of model '%s'",
                                                    devices->panics[i].model ? devices->panics[i].model
                                                                             : "isa");
                }
        }
        return true;
}

/* Which vendor's IOMMU has what the <driver> says. */
static bool check_iommu_driver(const struct domain_iommu *iommu, GError **error)
{
        bool intel = strcmp(iommu->model, "intel") == 0, amd = strcmp(iommu->model, "amd") == 0;
        const struct {
                bool given, fits;
                const char *name;
        } settings[] = {
                { iommu->intremap != DOMAIN_SWITCH_ABSENT, intel || amd, "intremap" },
                { iommu->iotlb != DOMAIN_SWITCH_ABSENT, intel || amd, "iotlb" },
                { iommu->caching_mode != DOMAIN_SWITCH_ABSENT, intel, "caching_mode" },
                { iommu->eim != DOMAIN_SWITCH_ABSENT, intel, "eim" },
                { iommu->dma_translation != DOMAIN_SWITCH_ABSENT, intel, "dma_translation" },
                { iommu->aw_bits > 0, intel, "aw_bits" },
                { iommu->xtsup != DOMAIN_SWITCH_ABSENT, amd, "xtsup" },
                { iommu->passthrough != DOMAIN_SWITCH_ABSENT, amd, "passthrough" },
        };

        for (unsigned i = 0; i < G_N_ELEMENTS(settings); i++) {
                if (settings[i].given && !settings[i].fits)
                        return check_refuse(error, "an IOMMU of model '%s' has no %s= in its <driver>",
                                            iommu->model, settings[i].name);
        }
        return true;
}

static bool check_iommu(const struct check *check, GError **error)
{
        enum { VCPUS_WITHOUT_EIM = 255 };
        const struct domain_iommu *iommu = check->def->devices.iommu;
        bool split = g_strcmp0(check->def->features.ioapic, "qemu") == 0;
        bool q35 = check_is_machine(check, "pc-q35");

        if (check->def->max_vcpus > VCPUS_WITHOUT_EIM && q35 && !(iommu && iommu->eim == DOMAIN_SWITCH_ON))
                return check_refuse(error,
                                    "%u vCPUs are more than %d, which needs <iommu model='intel'><driver "
                                    "intremap='on' eim='on'/></iommu> and <ioapic driver='qemu'/>",
                                    check->def->max_vcpus, VCPUS_WITHOUT_EIM);
        if (!iommu)
                return true;
        if ((strcmp(iommu->model, "intel") == 0 || strcmp(iommu->model, "amd") == 0) &&
            check->machine->machine && !q35)
                return check_refuse(error, "an IOMMU of model '%s' needs a machine of type 'q35', not '%s'",
                                    iommu->model, check->machine->machine);
        if (strcmp(iommu->model, "smmuv3") == 0 && check->machine->machine &&
            !check_is_machine(check, "virt"))
                return check_refuse(
                        error,
                        "an IOMMU of model 'smmuv3' is part of machines of type 'virt' of ARM, not "
                        "of '%s'",
                        check->machine->machine);
        if (!check_iommu_driver(iommu, error))
                return false;
        if (iommu->eim == DOMAIN_SWITCH_ON && iommu->intremap != DOMAIN_SWITCH_ON)
                return check_refuse(error, "eim='on' of <iommu> needs intremap='on'");
        if (iommu->intremap == DOMAIN_SWITCH_ON && !split)
                return check_refuse(error,
                                    "intremap='on' of <iommu> needs <ioapic driver='qemu'/> in <features>");
        return true;
}

static bool check_virtiofs(const struct domain_def *def, const struct domain_filesystem *fs, GError **error)
{
        const char *target = fs->target ? fs->target : "";

        if (!domain_def_shares_memory(def))
                return check_refuse(error,
                                    "file system '%s' of driver 'virtiofs' needs the guest's memory shared: "
                                    "<memoryBacking><source type='memfd'/><access mode='shared'/>",
                                    target);
        if (fs->readonly)
                return check_refuse(error, "file system '%s' of driver 'virtiofs' cannot be read-only",
                                    target);
        if (fs->access_mode && strcmp(fs->access_mode, "passthrough") != 0)
                return check_refuse(
                        error,
                        "file system '%s' of driver 'virtiofs' has accessmode='passthrough', and no "
                        "other",
                        target);
        if (fs->socket && (fs->source || fs->binary || fs->cache || fs->sandbox || fs->xattr ||
                           fs->posix_lock || fs->flock || fs->thread_pool >= 0 || fs->open_files))
                return check_refuse(
                        error,
                        "file system '%s' is served by a program that is there (socket=), which has "
                        "neither <binary> nor dir= here",
                        target);
        return true;
}

static bool check_filesystems(const struct check *check, GError **error)
{
        const struct domain_devices *devices = &check->def->devices;

        for (unsigned i = 0; i < devices->n_filesystems; i++) {
                const struct domain_filesystem *fs = &devices->filesystems[i];

                if (!fs->source && !fs->socket && g_strcmp0(fs->type, "mount") == 0)
                        return check_refuse(error, "file system '%s' has no <source>",
                                            fs->target ? fs->target : "");
                if (g_strcmp0(fs->driver, "virtiofs") == 0 && !check_virtiofs(check->def, fs, error))
                        return false;
        }
        return true;
}

static bool check_vnc(const struct domain_graphics *graphics, GError **error)
{
        const char *connected = graphics->password_connected;
        bool listens = graphics->n_listens == 0 || (graphics->listens[0].type != DOMAIN_LISTEN_NONE &&
                                                    graphics->listens[0].type != DOMAIN_LISTEN_SOCKET);

        /* QEMU ends connections of SPICE alone when the password changes. */
        if (connected && strcmp(connected, "keep") != 0)
                return check_refuse(error,
                                    "connected='%s' of <graphics type='vnc'>: who is connected by VNC "
                                    "stays so (keep) when the password changes",
                                    connected);
        if (listens && !graphics->autoport && graphics->port < VNC_PORT_BASE)
                return check_refuse(error, "VNC port %d is below %d", graphics->port, VNC_PORT_BASE);
        return true;
}

static bool check_graphics(const struct check *check, GError **error)
{
        const struct domain_devices *devices = &check->def->devices;

        for (unsigned i = 0; i < devices->n_graphics; i++) {
                const struct domain_graphics *graphics = &devices->graphics[i];

                if (graphics->type == DOMAIN_GRAPHICS_VNC && !check_vnc(graphics, error))
                        return false;
        }
        return true;
}

/* The guest finds it by a table of ACPI. */
static bool check_pstore(const struct check *check, GError **error)
{
        const struct domain_pstore *pstore = check->def->devices.pstore;

        if (!pstore)
                return true;
        if (check->def->features.acpi != DOMAIN_SWITCH_ON)
                return check_refuse(error, "<pstore backend='acpi-erst'> needs <acpi/> in <features>");
        /* QEMU's own record is the first. */
        return (pstore->size_kib > PSTORE_RECORD_KIB && pstore->size_kib % PSTORE_RECORD_KIB == 0) ||
               check_refuse(error,
                            "a <pstore> of %" PRIu64 " KiB: it has records of %d KiB, and two at least",
                            pstore->size_kib, PSTORE_RECORD_KIB);
}

static bool check_hostdevs(const struct check *check, GError **error)
{
        for (unsigned i = 0; i < check->def->devices.n_hostdevs; i++) {
                const struct domain_hostdev *hostdev = &check->def->devices.hostdevs[i];

                if (hostdev->info.raw_io != DOMAIN_SWITCH_ABSENT && hostdev->type != DOMAIN_HOSTDEV_SCSI)
                        return check_refuse(error, "<hostdev> has rawio, which is for those of type 'scsi'");
        }
        return true;
}

const check_function domain_check_devices[] = {
        check_audio,       check_chars,       check_chars_apart, check_serials,
        check_controllers, check_tpms,        check_watchdogs,   check_panics,
        check_iommu,       check_filesystems, check_shmems,      check_videos,
        check_graphics,    check_pstore,      check_hostdevs,    NULL,
};
