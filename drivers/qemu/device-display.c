/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a person in front of the guest sees, hears and touches: video, sound, input devices. Values only; any
 * thread.
 */
#include "drivers/qemu/device-internal.h"
#include "drivers/qemu/machine.h"
#include "drivers/qemu/qemu-caps.h"

#include <string.h>

/* ---- video ---- */

static const struct {
        const char *model;
        const char *primary;
        const char *secondary; /* NULL: only the first device can be of this model */
} videos[] = {
        { "vga", "VGA", NULL },           { "cirrus", "cirrus-vga", NULL },
        { "vmvga", "vmware-svga", NULL }, { "bochs", "bochs-display", NULL },
        { "ramfb", "ramfb", NULL },       { "qxl", "qxl-vga", "qxl" },
};

static bool is_primary(const struct device_context *context, const struct domain_video *video)
{
        const struct domain_devices *devices = &context->def->devices;

        return video->primary ||
               (devices->n_videos && g_strcmp0(devices->videos[0].info.alias, video->info.alias) == 0);
}

static bool is_served(const struct domain_video *video)
{
        return g_strcmp0(video->driver, "vhostuser") == 0;
}

/* A primary one is a VGA as well where firmware and systems expect one. */
static char *virtio_gpu(const struct device_context *context, const struct domain_video *video, bool primary)
{
        enum machine_family family = machine_family_of(context->def);
        bool served = is_served(video), gl = video->accel3d == DOMAIN_SWITCH_ON;

        if (primary && video->info.address.type != DOMAIN_ADDRESS_VIRTIO_MMIO &&
            (machine_is_x86(family) || family == MACHINE_VIRT_RISCV))
                return g_strdup(served ? "vhost-user-vga" : gl ? "virtio-vga-gl" : "virtio-vga");
        return device_virtio_driver(served ? "vhost-user-gpu"
                                    : gl   ? "virtio-gpu-gl"
                                           : "virtio-gpu",
                                    NULL, &video->info);
}

/* The device's type, or NULL with an error. */
static char *video_driver(const struct device_context *context, const struct domain_video *video,
                          GError **error)
{
        bool primary = is_primary(context, video);

        if (g_strcmp0(video->model, "virtio") == 0)
                return virtio_gpu(context, video, primary);

        for (unsigned i = 0; i < G_N_ELEMENTS(videos); i++) {
                const char *driver = primary ? videos[i].primary : videos[i].secondary;

                if (g_strcmp0(videos[i].model, video->model) != 0)
                        continue;
                if (!driver)
                        device_unsupported(error, "video model '%s' as a second video device", video->model);
                return g_strdup(driver);
        }
        device_unsupported(error, "video model '%s' is not supported", video->model);
        return NULL;
}

static void set_video_memory(json_t *device, const struct domain_video *video)
{
        if (strcmp(video->model, "qxl") == 0) {
                device_set_uint(device, "ram_size", (uint64_t)video->ram_kib * 1024);
                device_set_uint(device, "vram_size", (uint64_t)video->vram_kib * 1024);
                device_set_uint(device, "vram64_size_mb", video->vram64_kib / 1024);
                device_set_uint(device, "vgamem_mb", video->vgamem_kib / 1024);
        } else if (strcmp(video->model, "vga") == 0 || strcmp(video->model, "vmvga") == 0) {
                device_set_uint(device, "vgamem_mb", video->vram_kib / 1024);
        } else if (strcmp(video->model, "bochs") == 0) {
                device_set_uint(device, "vgamem", (uint64_t)video->vram_kib * 1024);
        }
}

static void set_video(json_t *device, const struct domain_video *video)
{
        bool virtio = strcmp(video->model, "virtio") == 0;

        if (virtio) {
                device_set_virtio(device, &video->virtio);
                device_set_switch(device, "blob", video->blob);
        }
        device_set_switch(device, "edid", video->edid);
        if (virtio || strcmp(video->model, "qxl") == 0)
                device_set_uint(device, "max_outputs", video->heads);
        set_video_memory(device, video);
        if (strcmp(video->model, "cirrus") != 0 && strcmp(video->model, "ramfb") != 0) {
                device_set_uint(device, "xres", video->resolution_x);
                device_set_uint(device, "yres", video->resolution_y);
        }
}

/* Another program draws, which sees the guest's memory. */
static bool describe_served(struct device_list *list, const struct device_context *context,
                            const struct domain_video *video, GError **error)
{
        const struct device_resources *resources = device_get_resources(context, video->info.alias);
        const struct domain_char_source source = { .type = DOMAIN_CHAR_UNIX };
        g_autofree char *id = g_strconcat("chr-vu-", video->info.alias, NULL), *fd = NULL,
                        *driver = virtio_gpu(context, video, is_primary(context, video));
        json_t *device;

        if (strcmp(context->def->type, "kvm") != 0)
                return device_unsupported(error, "<driver name='vhostuser'> of <video> without KVM");
        if (!domain_def_shares_memory(context->def))
                return device_unsupported(
                        error, "<driver name='vhostuser'> of <video> needs the guest's memory shared: "
                               "<memoryBacking><source type='memfd'/><access mode='shared'/>");
        if (!resources || !resources->fds)
                return error_set(error, ERROR_FROM_QEMU, ERROR_INTERNAL_ERROR,
                                 "no vhost-user-gpu was started for video device '%s'", video->info.alias);
        fd = device_list_add_fd(list, context, g_array_index(resources->fds, int, 0), "vu-%s",
                                video->info.alias);
        if (!device_list_add_chardev(list, context, id, &source, fd, error))
                return false;
        device = device_new(driver, video->info.alias);
        device_set_string(device, "chardev", id);
        set_video(device, video);
        return device_list_add_at(list, context, device, &video->info, error);
}

bool device_describe_video(struct device_list *list, const struct device_context *context, const void *data,
                           GError **error)
{
        const struct domain_video *video = data;
        g_autofree char *driver = NULL;
        json_t *device;

        if (g_strcmp0(video->model, "none") == 0)
                return true;
        if (is_served(video))
                return describe_served(list, context, video, error);
        driver = video_driver(context, video, error);
        if (!driver)
                return false;
        device = device_new(driver, video->info.alias);
        set_video(device, video);
        return device_list_add_at(list, context, device, &video->info, error);
}

/* ---- sound ---- */

static void set_audiodev(json_t *device, const struct domain_sound *sound)
{
        device_set_format(device, "audiodev", "audio%u", sound->audio_id ? (unsigned)sound->audio_id : 1);
}

static bool add_codec(struct device_list *list, const struct device_context *context,
                      const struct domain_sound *sound, const char *type, unsigned number, GError **error)
{
        g_autofree char *driver = g_strconcat("hda-", type, NULL);
        json_t *codec = device_new(driver, NULL);

        device_set_format(codec, "id", "%s-codec%u", sound->info.alias, number);
        device_set_format(codec, "bus", "%s.0", sound->info.alias);
        device_set_int(codec, "cad", number);
        set_audiodev(codec, sound);
        return device_list_add_device(list, context, codec, error);
}

static bool describe_hda(struct device_list *list, const struct device_context *context,
                         const struct domain_sound *sound, const char *driver, GError **error)
{
        static const char *const usual[] = { "duplex", NULL };
        const char *const *codecs = sound->codecs ? sound->codecs : usual;

        if (!device_list_add_at(list, context, device_new(driver, sound->info.alias), &sound->info, error))
                return false;
        for (unsigned i = 0; codecs[i]; i++) {
                if (!add_codec(list, context, sound, codecs[i], i, error))
                        return false;
        }
        return true;
}

/* From QEMU 8.2 on. */
static bool describe_virtio_sound(struct device_list *list, const struct device_context *context,
                                  const struct domain_sound *sound, GError **error)
{
        json_t *device;

        if (!qemu_caps_has_type(context->caps, "virtio-sound-pci"))
                return device_unsupported(error,
                                          "sound model 'virtio', which QEMU has from version 8.2 on and "
                                          "emulator '%s' has not: use 'ich9'",
                                          qemu_caps_get_path(context->caps));
        device = device_new("virtio-sound-pci", sound->info.alias);
        device_set_uint(device, "streams", sound->streams);
        set_audiodev(device, sound);
        return device_list_add_at(list, context, device, &sound->info, error);
}

bool device_describe_sound(struct device_list *list, const struct device_context *context, const void *data,
                           GError **error)
{
        const struct domain_sound *sound = data;
        static const struct {
                const char *model;
                const char *driver;
        } cards[] = {
                { "ac97", "AC97" }, { "es1370", "ES1370" }, { "sb16", "sb16" }, { "usb", "usb-audio" }
        };
        json_t *device;

        if (g_strcmp0(sound->model, "virtio") == 0)
                return describe_virtio_sound(list, context, sound, error);
        if (g_strcmp0(sound->model, "pcspk") == 0)
                return true; /* a property of the machine */
        if (g_strcmp0(sound->model, "ich9") == 0)
                return describe_hda(list, context, sound, "ich9-intel-hda", error);
        if (g_strcmp0(sound->model, "ich6") == 0)
                return describe_hda(list, context, sound, "intel-hda", error);
        for (unsigned i = 0; i < G_N_ELEMENTS(cards); i++) {
                if (g_strcmp0(cards[i].model, sound->model) != 0)
                        continue;
                device = device_new(cards[i].driver, sound->info.alias);
                device_set_switch(device, "multi", sound->multichannel);
                set_audiodev(device, sound);
                return device_list_add_at(list, context, device, &sound->info, error);
        }
        return device_unsupported(error, "sound model '%s' is not supported", sound->model);
}

/* ---- input ---- */

static bool describe_evdev(struct device_list *list, const struct domain_input *input)
{
        json_t *object = device_object("input-linux", input->info.alias);

        device_set_string(object, "evdev", input->source);
        device_set_switch(object, "repeat", input->repeat);
        if (g_strcmp0(input->grab, "all") == 0)
                device_set_bool(object, "grab_all", true);
        device_set_string(object, "grab-toggle", input->grab_toggle);
        device_list_add(list, DEVICE_OBJECT, object);
        return true;
}

static char *input_driver(const struct domain_input *input)
{
        static const struct {
                const char *type;
                const char *usb;
                const char *virtio;
        } drivers[] = {
                { "mouse", "usb-mouse", "virtio-mouse" },
                { "tablet", "usb-tablet", "virtio-tablet" },
                { "keyboard", "usb-kbd", "virtio-keyboard" },
                { "passthrough", NULL, "virtio-input-host" },
        };

        for (unsigned i = 0; i < G_N_ELEMENTS(drivers); i++) {
                if (g_strcmp0(drivers[i].type, input->type) != 0)
                        continue;
                if (g_strcmp0(input->bus, "usb") == 0)
                        return g_strdup(drivers[i].usb);
                return g_strcmp0(input->bus, "virtio") == 0
                               ? device_virtio_driver(drivers[i].virtio, NULL, &input->info)
                               : NULL;
        }
        return NULL;
}

bool device_describe_input(struct device_list *list, const struct device_context *context, const void *data,
                           GError **error)
{
        const struct domain_input *input = data;
        g_autofree char *driver = input_driver(input);
        json_t *device;

        if (g_strcmp0(input->type, "evdev") == 0)
                return describe_evdev(list, input);
        if (g_strcmp0(input->bus, "ps2") == 0)
                return true; /* built into the machine */
        if (!driver)
                return device_unsupported(error, "input device '%s' on bus '%s' is not supported",
                                          input->type, input->bus);
        device = device_new(driver, input->info.alias);
        if (g_strcmp0(input->type, "passthrough") == 0)
                device_set_string(device, "evdev", input->source);
        if (g_strcmp0(input->bus, "virtio") == 0)
                device_set_virtio(device, &input->virtio);
        return device_list_add_at(list, context, device, &input->info, error);
}
