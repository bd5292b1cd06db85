/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Checks of settings that only some devices of a kind have: on the others nothing would come of them, and
 * what is asked for and not done must be said. No state; any thread.
 */
#include "drivers/domain/check.h"

#include <string.h>

/* One setting of a device: it is given, and the device is of those that have it. */
struct scope {
        bool given, fits;
        const char *what, *where; /* "queues", "controllers of model 'virtio-scsi'" */
};

static bool check_scopes(const struct scope *scopes, size_t count, const char *who, GError **error)
{
        for (size_t i = 0; i < count; i++) {
                if (scopes[i].given && !scopes[i].fits)
                        return check_refuse(error, "%s has %s, which is for %s", who, scopes[i].what,
                                            scopes[i].where);
        }
        return true;
}

static bool is_given(enum domain_switch value)
{
        return value != DOMAIN_SWITCH_ABSENT;
}

static bool has_virtio(const struct domain_virtio *virtio)
{
        return is_given(virtio->iommu) || is_given(virtio->ats) || is_given(virtio->packed) ||
               is_given(virtio->page_per_vq);
}

#define VIRTIO_OPTIONS(device, is_virtio)                                                                    \
        {                                                                                                    \
                has_virtio(&(device)->virtio), is_virtio,                                                    \
                        "a <driver> with iommu, ats, packed or page_per_vq", "virtio devices"                \
        }
#define ACPI_INDEX(device)                                                                                   \
        {                                                                                                    \
                (device)->info.acpi_index > 0, is_pci(&(device)->info), "an <acpi index=>", "PCI devices"    \
        }

/* What has no address yet may get one there. */
static bool is_pci(const struct domain_device_info *info)
{
        return info->address.type == DOMAIN_ADDRESS_PCI || info->address.type == DOMAIN_ADDRESS_NONE;
}

/* What hangs on no PCI bus has no place that the firmware's tables could number. */
static bool check_acpi_index(const struct check *check, GError **error)
{
        for (unsigned kind = 0; kind < DOMAIN_DEVICE_KINDS; kind++) {
                unsigned count = domain_devices_get_count(&check->def->devices, kind);

                for (unsigned i = 0; i < count; i++) {
                        const struct domain_device_info *info = domain_device_get_info(
                                kind, domain_devices_get(&check->def->devices, kind, i));
                        bool pci = info && is_pci(info) && kind != DOMAIN_DEVICE_TPM;

                        if (info && info->acpi_index > 0 && !pci)
                                return check_refuse(error,
                                                    "<%s> number %u has an <acpi index=>, which is for PCI "
                                                    "devices",
                                                    domain_device_kind_get_name(kind), i + 1);
                }
        }
        return true;
}

/* Who is not to label a file has no use for a label. */
static bool check_labels(const struct domain_device_labels *labels, const char *who, GError **error)
{
        for (unsigned i = 0; i < labels->count; i++) {
                if (labels->list[i].label && labels->list[i].relabel == DOMAIN_SWITCH_OFF)
                        return check_refuse(error,
                                            "a <seclabel relabel='no'> of %s has a <label>: its file keeps "
                                            "the one that it has",
                                            who);
        }
        return true;
}

/* Also of what has one at its host's end: disks, redirected devices, smartcards. */
static bool check_source(const struct domain_char_source *source, const char *who, GError **error)
{
        bool is_socket = source->type == DOMAIN_CHAR_TCP || source->type == DOMAIN_CHAR_UNIX;
        bool again = source->reconnect == DOMAIN_SWITCH_ON;
        const struct scope scopes[] = {
                { again && is_socket, !source->listen, "<reconnect>", "sockets with mode='connect'" },
                { again && is_socket, source->reconnect_timeout_s > 0, "<reconnect enabled='yes'>",
                  "those with a timeout, in seconds" },
        };

        return check_scopes(scopes, G_N_ELEMENTS(scopes), who, error) &&
               check_labels(&source->labels, who, error);
}

/* ---- disks and controllers ---- */

static bool check_disk(const struct domain_disk *disk, GError **error)
{
        bool virtio = disk->bus == DOMAIN_BUS_VIRTIO || disk->bus == DOMAIN_BUS_NONE;
        bool removable = disk->device == DOMAIN_DISK_CDROM || disk->device == DOMAIN_DISK_FLOPPY;
        g_autofree char *who = g_strdup_printf("disk '%s'", disk->target);
        const struct scope scopes[] = {
                VIRTIO_OPTIONS(disk, virtio),
                ACPI_INDEX(disk),
                { disk->tray_open, removable, "tray='open'", "CD and floppy drives" },
                { disk->model != NULL, virtio, "a model", "disks on bus 'virtio'" },
        };

        for (const struct domain_storage *source = &disk->source; source; source = source->backing) {
                if (!check_labels(&source->labels, who, error))
                        return false;
        }
        return check_scopes(scopes, G_N_ELEMENTS(scopes), who, error) &&
               (!disk->source.vhost_user || check_source(disk->source.vhost_user, who, error));
}

static bool check_disks(const struct check *check, GError **error)
{
        const struct domain_devices *devices = &check->def->devices;

        for (unsigned i = 0; i < devices->n_disks; i++) {
                if (!check_disk(&devices->disks[i], error))
                        return false;
        }
        return true;
}

static bool check_pci_target(const struct domain_controller *controller, const char *who, GError **error)
{
        const char *model = controller->model ? controller->model : "";
        bool port = strcmp(model, "pcie-root-port") == 0 || strcmp(model, "pcie-switch-downstream-port") == 0;
        bool bridge = strcmp(model, "pci-bridge") == 0;
        bool expander = g_str_has_suffix(model, "-expander-bus");
        bool root = strcmp(model, "pci-root") == 0;
        const struct scope scopes[] = {
                { controller->chassis_nr >= 0, bridge, "<target chassisNr=>", "a 'pci-bridge'" },
                { controller->chassis >= 0, port, "<target chassis=>",
                  "a 'pcie-root-port' or 'pcie-switch-downstream-port'" },
                { controller->port >= 0, port, "<target port=>",
                  "a 'pcie-root-port' or 'pcie-switch-downstream-port'" },
                { is_given(controller->hotplug), port || bridge, "<target hotplug=>",
                  "a 'pcie-root-port', 'pcie-switch-downstream-port' or 'pci-bridge'" },
                { controller->bus_nr >= 0, expander, "<target busNr=>",
                  "a 'pci-expander-bus' or 'pcie-expander-bus'" },
                { controller->target_index >= 0, root, "<target index=>", "a 'pci-root'" },
                { controller->node >= 0, expander || root, "<target><node>",
                  "a 'pci-expander-bus', 'pcie-expander-bus' or 'pci-root'" },
        };

        return check_scopes(scopes, G_N_ELEMENTS(scopes), who, error);
}

static bool check_controller(const struct domain_controller *controller, GError **error)
{
        bool virtio_scsi = controller->type == DOMAIN_CONTROLLER_SCSI &&
                           (!controller->model || g_str_has_prefix(controller->model, "virtio"));
        g_autofree char *who = g_strdup_printf(
                "%s controller %u", domain_controller_type_get_name(controller->type), controller->index);
        const char *where = "SCSI controllers of model 'virtio-scsi'";
        bool xhci = controller->model && g_str_has_suffix(controller->model, "-xhci");
        const struct scope scopes[] = {
                { controller->queues > 0, virtio_scsi, "<driver queues=>", where },
                { controller->cmd_per_lun > 0, virtio_scsi, "<driver cmd_per_lun=>", where },
                { controller->max_sectors > 0, virtio_scsi, "<driver max_sectors=>", where },
                { is_given(controller->ioeventfd), virtio_scsi, "<driver ioeventfd=>", where },
                { controller->iothread > 0, virtio_scsi, "<driver iothread=>", where },
                { controller->iothread_map != NULL, virtio_scsi, "<iothreads>", where },
                { controller->type == DOMAIN_CONTROLLER_USB && controller->ports >= 0, xhci,
                  "ports=", "the models 'qemu-xhci' and 'nec-xhci'" },
        };

        if (!check_scopes(scopes, G_N_ELEMENTS(scopes), who, error))
                return false;
        return controller->type != DOMAIN_CONTROLLER_PCI || check_pci_target(controller, who, error);
}

static bool check_controllers(const struct check *check, GError **error)
{
        const struct domain_devices *devices = &check->def->devices;

        for (unsigned i = 0; i < devices->n_controllers; i++) {
                if (!check_controller(&devices->controllers[i], error))
                        return false;
        }
        return true;
}

/* ---- interfaces and character devices ---- */

static bool check_interface(const struct domain_interface *interface, GError **error)
{
        bool bridged =
                interface->type == DOMAIN_INTERFACE_BRIDGE || interface->type == DOMAIN_INTERFACE_NETWORK;
        bool virtio = !interface->model || g_str_has_prefix(interface->model, "virtio");
        bool hostdev = interface->type == DOMAIN_INTERFACE_HOSTDEV;
        bool queues = bridged || hostdev || interface->type == DOMAIN_INTERFACE_ETHERNET ||
                      interface->type == DOMAIN_INTERFACE_DIRECT ||
                      interface->type == DOMAIN_INTERFACE_VHOSTUSER ||
                      interface->type == DOMAIN_INTERFACE_VDPA;
        bool vfio = g_strcmp0(interface->driver, "vfio") == 0;
        bool foreign = g_strcmp0(interface->driver, "kvm") == 0 || g_strcmp0(interface->driver, "xen") == 0;
        g_autofree char *who = g_strdup_printf("an interface of type '%s' and model '%s'",
                                               domain_interface_type_get_name(interface->type),
                                               interface->model ? interface->model : "default");
        const struct scope scopes[] = {
                VIRTIO_OPTIONS(interface, virtio),
                { interface->isolated == DOMAIN_SWITCH_ON, bridged, "<port isolated='yes'>",
                  "interfaces of type 'network' and 'bridge'" },
                { interface->target_managed == DOMAIN_SWITCH_OFF,
                  interface->type == DOMAIN_INTERFACE_ETHERNET, "<target managed='no'>",
                  "interfaces of type 'ethernet'" },
                { interface->persistent, virtio, "<teaming type='persistent'>",
                  "interfaces of model 'virtio'" },
                { interface->teaming_partner && !interface->persistent, hostdev, "<teaming type='transient'>",
                  "interfaces of type 'hostdev'" },
                { interface->teaming_partner != NULL, !interface->persistent, "<teaming persistent=>",
                  "type='transient', which names the one that stays" },
                { vfio, hostdev, "<driver name='vfio'>", "interfaces of type 'hostdev'" },
                { foreign, false, "a <driver name=> of another hypervisor",
                  hostdev ? "that one: use 'vfio'" : "that one: use 'qemu' or 'vhost'" },
                { interface->queues > 1, queues, "<driver queues=>",
                  "interfaces with a tap, a socket or a device that has several" },
                { interface->reconnect == DOMAIN_SWITCH_ON, interface->reconnect_timeout_s > 0,
                  "<reconnect enabled='yes'>", "those with a timeout, in seconds" },
                { is_given(interface->info.rom_bar) || interface->info.rom_file,
                  interface->info.rom_enabled != DOMAIN_SWITCH_OFF, "bar= or file= in <rom enabled='no'>",
                  "a ROM that is there" },
        };

        return check_scopes(scopes, G_N_ELEMENTS(scopes), who, error);
}

static bool check_interfaces(const struct check *check, GError **error)
{
        const struct domain_devices *devices = &check->def->devices;

        for (unsigned i = 0; i < devices->n_interfaces; i++) {
                if (!check_interface(&devices->interfaces[i], error))
                        return false;
        }
        return true;
}

static bool check_chars(const struct check *check, GError **error)
{
        const struct domain_devices *devices = &check->def->devices;

        for (unsigned i = 0; i < devices->n_chars; i++) {
                if (!check_source(&devices->chars[i].source, "a character device", error))
                        return false;
        }
        for (unsigned i = 0; i < devices->n_redirdevs; i++) {
                if (!check_source(&devices->redirdevs[i].source, "<redirdev>", error))
                        return false;
        }
        return true;
}

/* ---- input, video, audio ---- */

static bool check_input(const struct domain_input *input, GError **error)
{
        bool virtio = g_strcmp0(input->bus, "virtio") == 0;
        g_autofree char *who = g_strdup_printf("an input device '%s' on bus '%s'", input->type,
                                               input->bus ? input->bus : "none");
        const struct scope scopes[] = {
                ACPI_INDEX(input),
                { input->model != NULL, virtio, "a model", "input devices on bus 'virtio'" },
        };

        return check_scopes(scopes, G_N_ELEMENTS(scopes), who, error);
}

static bool is_absent(const struct domain_video *video)
{
        return g_strcmp0(video->model, "none") == 0;
}

static bool check_video(const struct domain_video *video, GError **error)
{
        const char *model = video->model ? video->model : "";
        bool virtio = g_str_has_prefix(model, "virtio"), qxl = strcmp(model, "qxl") == 0;
        g_autofree char *who = g_strdup_printf("<video> of model '%s'", model);
        const struct scope scopes[] = {
                VIRTIO_OPTIONS(video, virtio),
                { video->accel3d == DOMAIN_SWITCH_ON, virtio, "<acceleration accel3d='yes'>",
                  "model 'virtio'" },
                { video->heads > 1, virtio || qxl, "more than one of heads",
                  "the models 'virtio' and 'qxl'" },
                { video->ram_kib > 0, qxl, "ram", "model 'qxl'" },
                { video->vram64_kib > 0, qxl, "vram64", "model 'qxl'" },
                { video->vgamem_kib > 0, qxl, "vgamem", "model 'qxl'" },
                { is_given(video->edid), virtio || strcmp(model, "vga") == 0 || strcmp(model, "bochs") == 0,
                  "edid", "the models 'virtio', 'vga' and 'bochs'" },
        };

        return is_absent(video) || check_scopes(scopes, G_N_ELEMENTS(scopes), who, error);
}

static bool check_stream(const struct domain_audio_stream *stream, const char *name, unsigned id,
                         GError **error)
{
        bool set = stream->frequency || stream->channels || stream->format;
        g_autofree char *who = g_strdup_printf("<%s> of <audio id='%u'>", name, id);
        const struct scope scopes[] = {
                { set, stream->fixed_settings == DOMAIN_SWITCH_ON, "<settings>", "fixedSettings='yes'" },
                { stream->fixed_settings == DOMAIN_SWITCH_ON, stream->mixing_engine != DOMAIN_SWITCH_OFF,
                  "fixedSettings='yes'", "mixingEngine='yes'" },
        };

        return check_scopes(scopes, G_N_ELEMENTS(scopes), who, error);
}

static bool has_spice(const struct domain_devices *devices)
{
        for (unsigned i = 0; i < devices->n_graphics; i++) {
                if (devices->graphics[i].type == DOMAIN_GRAPHICS_SPICE)
                        return true;
        }
        return false;
}

static bool check_audio(const struct domain_audio *audio, const struct domain_devices *devices,
                        GError **error)
{
        if (strcmp(audio->type, "spice") == 0 && !has_spice(devices))
                return check_refuse(error, "<audio id='%u' type='spice'> needs <graphics type='spice'>",
                                    audio->id);
        return check_stream(&audio->input, "input", audio->id, error) &&
               check_stream(&audio->output, "output", audio->id, error);
}

static bool check_displays(const struct check *check, GError **error)
{
        const struct domain_devices *devices = &check->def->devices;

        for (unsigned i = 0; i < devices->n_inputs; i++) {
                if (!check_input(&devices->inputs[i], error))
                        return false;
        }
        for (unsigned i = 0; i < devices->n_videos; i++) {
                if (!check_video(&devices->videos[i], error))
                        return false;
        }
        for (unsigned i = 0; i < devices->n_audios; i++) {
                if (!check_audio(&devices->audios[i], devices, error))
                        return false;
        }
        return true;
}

static bool check_graphics(const struct domain_graphics *graphics, GError **error)
{
        if (graphics->rendernode && graphics->gl == DOMAIN_SWITCH_ABSENT &&
            (graphics->type == DOMAIN_GRAPHICS_SPICE || graphics->type == DOMAIN_GRAPHICS_DBUS))
                return check_refuse(error, "<gl rendernode=> of <graphics type='%s'> needs enable='yes'",
                                    domain_graphics_type_get_name(graphics->type));
        if (graphics->wait != DOMAIN_SWITCH_ON)
                return true;
        return check_refuse(error,
                            "wait='yes' of <graphics type='%s'>: QEMU does not wait for clients; leave it "
                            "out, start the domain paused and resume it",
                            domain_graphics_type_get_name(graphics->type));
}

static bool check_sound(const struct domain_sound *sound, GError **error)
{
        g_autofree char *who = g_strdup_printf("a sound device of model '%s'", sound->model);
        const struct scope scopes[] = {
                { sound->streams > 0, strcmp(sound->model, "virtio") == 0, "streams=", "model 'virtio'" },
        };

        return check_scopes(scopes, G_N_ELEMENTS(scopes), who, error);
}

static bool check_memory(const struct domain_memory *memory, GError **error)
{
        g_autofree char *who = g_strdup_printf("a memory device of model '%s'", memory->model);
        const struct scope scopes[] = {
                { memory->uuid != NULL, strcmp(memory->model, "nvdimm") == 0, "a <uuid>", "model 'nvdimm'" },
                { is_given(memory->dynamic_slots), strcmp(memory->model, "virtio-mem") == 0,
                  "<target dynamicMemslots=>", "model 'virtio-mem'" },
        };

        return check_scopes(scopes, G_N_ELEMENTS(scopes), who, error);
}

static bool check_others(const struct check *check, GError **error)
{
        const struct domain_devices *devices = &check->def->devices;

        for (unsigned i = 0; i < devices->n_graphics; i++) {
                if (!check_graphics(&devices->graphics[i], error))
                        return false;
        }
        for (unsigned i = 0; i < devices->n_sounds; i++) {
                if (!check_sound(&devices->sounds[i], error))
                        return false;
        }
        for (unsigned i = 0; i < devices->n_memories; i++) {
                if (!check_memory(&devices->memories[i], error))
                        return false;
        }
        return true;
}

/* ---- the machine ---- */

static bool check_machine(const struct check *check, GError **error)
{
        const struct domain_def *def = check->def;
        bool whole = def->cpu.mode == DOMAIN_CPU_HOST_PASSTHROUGH || def->cpu.mode == DOMAIN_CPU_MAXIMUM;
        const struct scope cpus[] = {
                { is_given(def->cpu.migratable), whole,
                  "migratable=", "the modes 'host-passthrough' and 'maximum'" },
        };
        const struct domain_hyperv *hyperv = def->features.hyperv;
        const struct scope enlightenments[] = {
                { hyperv && hyperv->vendor_id == DOMAIN_SWITCH_ON, hyperv && hyperv->vendor,
                  "<vendor_id state='on'>", "one with a value" },
        };
        const struct scope firmware[] = {
                { def->os.n_firmware_features > 0, def->os.firmware != NULL, "a <firmware>",
                  "firmware that is chosen by <os firmware=>" },
        };

        return check_scopes(cpus, G_N_ELEMENTS(cpus), "<cpu>", error) &&
               check_scopes(enlightenments, G_N_ELEMENTS(enlightenments), "<hyperv>", error) &&
               check_scopes(firmware, G_N_ELEMENTS(firmware), "<os>", error);
}

/* ---- what is taken and has no effect ---- */

static bool has_medium(const struct domain_storage *source)
{
        return source->path || source->network || source->volume || source->nvme || source->vhost_user;
}

/* Taken as libvirt takes it: settings of what is not there. */
static void note_absent(const struct domain_def *def, GPtrArray *noted)
{
        const struct domain_devices *devices = &def->devices;

        for (unsigned i = 0; i < def->n_seclabels; i++) {
                const struct domain_seclabel *label = &def->seclabels[i];

                if (g_strcmp0(label->type, "none") == 0 &&
                    (label->label || label->base_label || label->image_label))
                        g_ptr_array_add(noted, g_strdup("a <seclabel type='none'> has a label"));
        }
        for (unsigned i = 0; i < devices->n_disks; i++) {
                const struct domain_disk *disk = &devices->disks[i];

                if (disk->source.encryption && !has_medium(&disk->source))
                        g_ptr_array_add(noted, g_strdup_printf("disk '%s' has an <encryption>, and no source",
                                                               disk->target));
        }
}

/* No device of the host's is between the guest and its network, and the emulator chooses the way out. */
static void note_emulated(const struct domain_def *def, GPtrArray *noted)
{
        for (unsigned i = 0; i < def->devices.n_interfaces; i++) {
                const struct domain_interface *interface = &def->devices.interfaces[i];
                const char *type = domain_interface_type_get_name(interface->type);
                bool user = interface->type == DOMAIN_INTERFACE_USER;

                if (interface->filter && domain_interface_is_emulated(interface->type))
                        g_ptr_array_add(noted,
                                        g_strdup_printf("an <interface> has a <filterref>, which is not for "
                                                        "type '%s'",
                                                        type));
                if (user && interface->source && g_strcmp0(interface->backend, "passt") != 0)
                        g_ptr_array_add(noted, g_strdup_printf("an <interface> has a <source dev='%s'>, "
                                                               "which is for <backend type='passt'>",
                                                               interface->source));
        }
}

/* libvirt takes these, and they are left behind where a tablet was on another bus or a video card is taken
 * out. */
void domain_check_note_scope(const struct domain_def *def, GPtrArray *noted)
{
        const struct domain_devices *devices = &def->devices;

        note_absent(def, noted);
        note_emulated(def, noted);
        for (unsigned i = 0; i < devices->n_inputs; i++) {
                const struct domain_input *input = &devices->inputs[i];

                if (has_virtio(&input->virtio) && g_strcmp0(input->bus, "virtio") != 0)
                        g_ptr_array_add(noted,
                                        g_strdup("an <input> is not on bus 'virtio' and has a <driver> with "
                                                 "iommu, ats, packed or page_per_vq"));
        }
        for (unsigned i = 0; i < devices->n_videos; i++) {
                const struct domain_video *video = &devices->videos[i];

                if (is_absent(video) &&
                    (has_virtio(&video->virtio) || video->heads > 1 || video->ram_kib || video->vram64_kib ||
                     video->vgamem_kib || is_given(video->edid) || video->accel3d == DOMAIN_SWITCH_ON))
                        g_ptr_array_add(noted, g_strdup("<video> of model 'none' has settings"));
        }
}

const check_function domain_check_scope[] = {
        check_disks,  check_controllers, check_interfaces, check_chars,        check_displays,
        check_others, check_acpi_index,  check_machine,    check_limit_groups, NULL
};
