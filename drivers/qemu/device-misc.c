/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Small devices: random numbers, balloon, watchdog, panic notifier, USB hub, IOMMU,
 * pstore. Values only; any thread.
 */
#include "drivers/qemu/device-internal.h"
#include "drivers/qemu/device-rows.h"
#include "drivers/qemu/machine.h"
#include "drivers/qemu/qemu-caps.h"

#include <string.h>

/* ---- rng ---- */

static bool add_rng_backend(struct device_list *list, const struct device_context *context,
                            const struct domain_rng *rng, const char *id, GError **error)
{
        g_autofree char *chardev = g_strconcat("char", rng->info.alias, NULL);
        json_t *object;

        switch (rng->backend) {
        case DOMAIN_RNG_RANDOM:
                object = device_object("rng-random", id);
                device_set_string(object, "filename", rng->path ? rng->path : "/dev/urandom");
                break;
        case DOMAIN_RNG_BUILTIN:
                object = device_object("rng-builtin", id);
                break;
        default:
                if (!rng->source)
                        return device_unsupported(error, "<rng> with an EGD back end without a source");
                if (!device_list_add_chardev(list, context, chardev, rng->source, NULL, error))
                        return false;
                object = device_object("rng-egd", id);
                device_set_string(object, "chardev", chardev);
                break;
        }
        device_list_add(list, DEVICE_OBJECT, object);
        return true;
}

bool device_describe_rng(struct device_list *list, const struct device_context *context, const void *data,
                         GError **error)
{
        const struct domain_rng *rng = data;
        g_autofree char *driver = device_virtio_driver("virtio-rng", rng->model, &rng->info);
        g_autofree char *id = g_strconcat("obj", rng->info.alias, NULL);
        json_t *device;

        if (!add_rng_backend(list, context, rng, id, error))
                return false;
        device = device_new(driver, rng->info.alias);
        device_set_virtio(device, &rng->virtio);
        device_set_string(device, "rng", id);
        if (rng->rate_bytes) {
                device_set_uint(device, "max-bytes", rng->rate_bytes);
                device_set_int(device, "period", rng->rate_period_ms ? rng->rate_period_ms : 1000);
        }
        return device_list_add_at(list, context, device, &rng->info, error);
}

/* ---- balloon ---- */

bool device_describe_memballoon(struct device_list *list, const struct device_context *context,
                                const void *data, GError **error)
{
        const struct domain_memballoon *balloon = data;
        g_autofree char *driver = device_virtio_driver("virtio-balloon", balloon->model, &balloon->info);
        json_t *device;

        if (g_strcmp0(balloon->model, "none") == 0)
                return true;
        device = device_new(driver, balloon->info.alias);
        device_set_virtio(device, &balloon->virtio);
        device_set_switch(device, "deflate-on-oom", balloon->autodeflate);
        device_set_switch(device, "free-page-reporting", balloon->free_page_reporting);
        return device_list_add_at(list, context, device, &balloon->info, error);
}

/* ---- watchdog ---- */

bool device_describe_watchdog(struct device_list *list, const struct device_context *context,
                              const void *data, GError **error)
{
        const struct domain_watchdog *watchdog = data;

        if (g_strcmp0(watchdog->model, "itco") == 0 && device_machine_is_q35(context->def))
                return true; /* built into the machine */
        if (g_strcmp0(watchdog->model, "i6300esb") != 0 && g_strcmp0(watchdog->model, "ib700") != 0 &&
            g_strcmp0(watchdog->model, "diag288") != 0)
                return device_unsupported(error, "watchdog model '%s' is not supported", watchdog->model);
        return device_list_add_at(list, context, device_new(watchdog->model, watchdog->info.alias),
                                  &watchdog->info, error);
}

/* A dump is made by the agent when the event comes; the guest waits for it. */
const char *device_get_watchdog_action(const struct domain_watchdog *watchdog)
{
        return strcmp(watchdog->action, "dump") == 0 ? "pause" : watchdog->action;
}

/* ---- panic ---- */

/* Guests of these machines tell their hypervisor of panics by a call that is always there. */
static bool is_built_in(const struct domain_def *def, const char *model)
{
        enum machine_family family = machine_family_of(def);

        return (family == MACHINE_PSERIES && g_strcmp0(model, "pseries") == 0) ||
               (family == MACHINE_S390 && g_strcmp0(model, "s390") == 0);
}

bool device_describe_panic(struct device_list *list, const struct device_context *context, const void *data,
                           GError **error)
{
        const struct domain_panic *panic = data;
        json_t *device;

        if (g_strcmp0(panic->model, "hyperv") == 0)
                return true; /* a feature of the CPU */
        if (is_built_in(context->def, panic->model))
                return true;
        if (g_strcmp0(panic->model, "pvpanic") == 0)
                return device_list_add_at(list, context, device_new("pvpanic-pci", panic->info.alias),
                                          &panic->info, error);
        if (panic->model && strcmp(panic->model, "isa") != 0)
                return device_unsupported(error, "panic model '%s' is not supported", panic->model);
        device = device_new("pvpanic", panic->info.alias);
        if (panic->info.address.type == DOMAIN_ADDRESS_ISA)
                device_set_uint(device, "ioport", panic->info.address.isa.iobase);
        return device_list_add_device(list, context, device, error);
}

/* ---- USB hub ---- */

bool device_describe_hub(struct device_list *list, const struct device_context *context, const void *data,
                         GError **error)
{
        const struct domain_hub *hub = data;

        return device_list_add_at(list, context, device_new("usb-hub", hub->info.alias), &hub->info, error);
}

/* ---- IOMMU ---- */

bool device_describe_iommu(struct device_list *list, const struct device_context *context, const void *data,
                           GError **error)
{
        const struct domain_iommu *iommu = data;
        json_t *device;

        if (g_strcmp0(iommu->model, "virtio") == 0)
                return device_list_add_at(list, context, device_new("virtio-iommu-pci", iommu->info.alias),
                                          &iommu->info, error);
        if (g_strcmp0(iommu->model, "smmuv3") == 0 && machine_family_of(context->def) == MACHINE_VIRT_ARM)
                return true; /* built into the machine: command-machine.c */
        if (g_strcmp0(iommu->model, "amd") == 0)
                return true; /* behind the other devices: device_describe_amd_iommu() */
        if (g_strcmp0(iommu->model, "intel") != 0)
                return device_unsupported(error, "IOMMU model '%s' is not supported", iommu->model);
        device = device_new("intel-iommu", iommu->info.alias ? iommu->info.alias : "iommu0");
        device_set_on_off(device, "intremap", iommu->intremap);
        device_set_switch(device, "caching-mode", iommu->caching_mode);
        device_set_on_off(device, "eim", iommu->eim);
        device_set_switch(device, "device-iotlb", iommu->iotlb);
        device_set_uint(device, "aw-bits", iommu->aw_bits);
        device_set_switch(device, "dma-translation", iommu->dma_translation);
        return device_list_add_device(list, context, device, error);
}

bool device_describe_amd_iommu(struct device_list *list, const struct device_context *context, GError **error)
{
        const struct domain_iommu *iommu = context->def->devices.iommu;
        json_t *device;

        if (!iommu || strcmp(iommu->model, "amd") != 0)
                return true;
        if (iommu->xtsup != DOMAIN_SWITCH_ABSENT &&
            !qemu_caps_has_property(context->caps, "amd-iommu", "xtsup"))
                return device_unsupported(error,
                                          "xtsup= of <iommu model='amd'>, which QEMU has from version 9.2 on "
                                          "and emulator '%s' has not",
                                          qemu_caps_get_path(context->caps));
        device = device_new("amd-iommu", iommu->info.alias ? iommu->info.alias : "iommu0");
        device_set_on_off(device, "intremap", iommu->intremap);
        device_set_switch(device, "device-iotlb", iommu->iotlb);
        device_set_switch(device, "pt", iommu->passthrough);
        device_set_switch(device, "xtsup", iommu->xtsup);
        return device_list_add_device(list, context, device, error);
}

/* ---- pstore ---- */

bool device_describe_pstore(struct device_list *list, const struct device_context *context, const void *data,
                            GError **error)
{
        const struct domain_pstore *pstore = data;
        const struct device_resources *resources = device_get_resources(context, pstore->info.alias);
        g_autofree char *id = g_strconcat("mem", pstore->info.alias, NULL);
        json_t *object, *device;

        if (!qemu_caps_has_type(context->caps, "acpi-erst"))
                return device_unsupported(error, "emulator '%s' has no device 'acpi-erst' for <pstore>",
                                          qemu_caps_get_path(context->caps));
        object = device_object("memory-backend-file", id);
        device_set_string(object, "mem-path", resources && resources->path ? resources->path : pstore->path);
        device_set_uint(object, "size", pstore->size_kib * 1024);
        device_set_bool(object, "share", true);
        device_list_add(list, DEVICE_OBJECT, object);
        device = device_new("acpi-erst", pstore->info.alias);
        device_set_string(device, "memdev", id);
        return device_list_add_at(list, context, device, &pstore->info, error);
}

/* ---- NVRAM ---- */

bool device_describe_nvram(struct device_list *list, const struct device_context *context, const void *data,
                           GError **error)
{
        if (machine_family_of(context->def) == MACHINE_PSERIES)
                return true; /* built into the machine: command-machine.c says where */
        return device_unsupported(error, "<nvram> among the devices of machine '%s'",
                                  context->def->os.machine);
}

/* ---- loops ---- */

json_t *device_loop(const char *type, const char *id, const struct domain_thread_pool *pool)
{
        json_t *object = device_object(type, id);

        if (pool->min >= 0)
                device_set_int(object, "thread-pool-min", pool->min);
        if (pool->max >= 0)
                device_set_int(object, "thread-pool-max", pool->max);
        return object;
}

json_t *device_iothread(const struct domain_iothread *thread)
{
        g_autofree char *id = g_strdup_printf("iothread%u", (unsigned)thread->id);
        json_t *object = device_loop("iothread", id, &thread->pool);
        const struct domain_poll *poll = &thread->poll;

        if (poll->max >= 0)
                device_set_int(object, "poll-max-ns", poll->max);
        if (poll->grow >= 0)
                device_set_int(object, "poll-grow", poll->grow);
        if (poll->shrink >= 0)
                device_set_int(object, "poll-shrink", poll->shrink);
        return object;
}
