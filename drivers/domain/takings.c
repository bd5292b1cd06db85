/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a guest has of other objects. Each part is made in the lane that its function is marked with, and
 * constant from then on.
 */
#include "drivers/domain/takings-private.h"

#include "drivers/domain/driver.h"
#include "drivers/nwfilter/nwfilter.h"
#include "drivers/secret/secret.h"
#include "drivers/storage/storage.h"

#include <string.h>

static void named_free(void *data)
{
        struct taken_volume *named = data;

        g_free(named->pool);
        g_free(named->volume);
        g_clear_error(&named->problem);
        g_free(named);
}

static void secret_free(void *data)
{
        struct taken_secret *secret = data;

        secret_ref_clear(&secret->ref);
        g_clear_pointer(&secret->value, g_bytes_unref);
        g_clear_error(&secret->problem);
        g_free(secret);
}

static void use_free(void *data)
{
        struct taken_use *taken = data;

        storage_use_free(taken->use);
        g_free(taken->target);
        g_free(taken);
}

static struct storage_use *use_at(const struct domain_takings *takings, unsigned index)
{
        return ((struct taken_use *)g_ptr_array_index(takings->uses, index))->use;
}

/* ---- volumes ---- */

/* use is taken. */
static void add_use(struct domain_takings *takings, const char *target, struct storage_use *use)
{
        struct taken_use *taken = g_new(struct taken_use, 1);

        *taken = (struct taken_use){ g_strdup(target), use };
        g_ptr_array_add(takings->uses, taken);
}

static struct storage_use *add_named(struct domain_takings *takings, struct storage *storage,
                                     const struct domain_storage *source, const char *user)
{
        struct taken_volume *named = g_new0(struct taken_volume, 1);

        named->pool = g_strdup(source->pool);
        named->volume = g_strdup(source->volume);
        named->use = storage_use_new(storage, source->pool, source->volume, user, &named->problem);
        g_ptr_array_add(takings->named, named);
        return named->use;
}

static void add_disk(struct domain_takings *takings, struct storage *storage, const struct domain_disk *disk,
                     const char *user)
{
        for (const struct domain_storage *source = &disk->source; source; source = source->backing) {
                const struct domain_storage *data = source->data;
                struct storage_use *use =
                        data && data->path ? storage_use_new_path(storage, data->path, user) : NULL;

                if (use)
                        add_use(takings, disk->target, use);
                use = NULL;
                if (source->type == DOMAIN_STORAGE_VOLUME && source->pool && source->volume)
                        use = add_named(takings, storage, source, user);
                else if (source->path &&
                         (source->type == DOMAIN_STORAGE_FILE || source->type == DOMAIN_STORAGE_BLOCK))
                        use = storage_use_new_path(storage, source->path, user);
                if (use)
                        add_use(takings, disk->target, use);
        }
}

struct domain_takings *takings_new_empty(void)
{
        struct domain_takings *takings = g_new0(struct domain_takings, 1);

        takings->uses = g_ptr_array_new_with_free_func(use_free);
        takings->named = g_ptr_array_new_with_free_func(named_free);
        takings->secrets = g_ptr_array_new_with_free_func(secret_free);
        takings->ports = g_ptr_array_new_with_free_func(taken_port_free);
        takings->addresses = g_ptr_array_new_with_free_func(taken_address_free);
        takings->devices = taken_devices_new();
        takings->filters = g_ptr_array_new_with_free_func(taken_filter_free);
        return takings;
}

struct domain_takings *takings_new_disk(struct domain_driver *driver, const struct domain_def *def,
                                        const struct domain_disk *disk)
{
        struct domain_takings *takings = takings_new_empty();
        g_autofree char *user = g_strdup_printf("domain '%s'", def->base.name);

        if (driver->storage)
                add_disk(takings, driver->storage, disk, user);
        return takings;
}

/* ---- all of them ---- */

struct domain_takings *takings_new(struct domain_driver *driver, const struct domain_def *def)
{
        struct domain_takings *takings = takings_new_empty();
        g_autofree char *user = g_strdup_printf("domain '%s'", def->base.name);

        for (unsigned i = 0; driver->storage && i < def->devices.n_disks; i++)
                add_disk(takings, driver->storage, &def->devices.disks[i], user);
        for (unsigned i = 0; driver->networks && i < def->devices.n_interfaces; i++)
                takings_add_port(takings, driver, def, i);
        takings_add_filters(takings, driver->nwfilters, def);
        return takings;
}

void takings_free(struct domain_takings *takings)
{
        if (!takings)
                return;
        g_ptr_array_unref(takings->uses);
        g_ptr_array_unref(takings->named);
        g_ptr_array_unref(takings->secrets);
        g_ptr_array_unref(takings->ports);
        g_ptr_array_unref(takings->addresses);
        g_ptr_array_unref(takings->devices);
        g_ptr_array_unref(takings->filters);
        nwfilter_snapshot_unref(takings->snapshot);
        g_free(takings);
}

/* Volumes come first. NULL: there is no port of that index, counted behind them. */
static struct network_use *get_port_use(const struct domain_takings *takings, unsigned index)
{
        index -= takings->uses->len;
        return index < takings->ports->len ? takings_get_port(takings, index)->use : NULL;
}

struct managed *takings_get_owner(const struct domain_takings *takings, unsigned index)
{
        struct network_use *port;

        if (index < takings->uses->len)
                return storage_use_get_pool(use_at(takings, index));
        port = get_port_use(takings, index);
        return port ? network_use_get_network(port) : NULL;
}

bool takings_take(struct domain_takings *takings, unsigned index, GError **error)
{
        if (index < takings->uses->len)
                return storage_use_take(use_at(takings, index), error);
        index -= takings->uses->len;
        return takings_take_port(takings_get_port(takings, index), error);
}

void takings_drop(struct domain_takings *takings, unsigned index)
{
        if (index < takings->uses->len)
                storage_use_drop(use_at(takings, index));
        else
                network_use_drop(get_port_use(takings, index));
}

/* What frees taken has no more to do with the use then. */
static void give_back(struct taken_use *taken)
{
        storage_use_give_back(g_steal_pointer(&taken->use));
}

void takings_give_back(struct domain_takings *takings)
{
        if (!takings)
                return;
        for (unsigned i = 0; i < takings->uses->len; i++)
                give_back(g_ptr_array_index(takings->uses, i));
        for (unsigned i = 0; i < takings->ports->len; i++)
                network_use_give_back(g_steal_pointer(&takings_get_port(takings, i)->use));
        taken_devices_give_back(takings->devices);
        takings_drop_filter(takings, NULL);
        takings_free(takings);
}

void takings_join(struct domain_takings **takings, struct domain_takings **more)
{
        struct domain_takings *from = g_steal_pointer(more);

        if (!*takings || !from) {
                *takings = *takings ? *takings : from;
                return;
        }
        g_ptr_array_extend_and_steal((*takings)->uses, g_steal_pointer(&from->uses));
        g_ptr_array_extend_and_steal((*takings)->named, g_steal_pointer(&from->named));
        g_ptr_array_extend_and_steal((*takings)->secrets, g_steal_pointer(&from->secrets));
        g_ptr_array_extend_and_steal((*takings)->ports, g_steal_pointer(&from->ports));
        g_ptr_array_unref(from->addresses);
        g_ptr_array_extend_and_steal((*takings)->devices, g_steal_pointer(&from->devices));
        takings_join_filters(*takings, from);
        g_free(from);
}

static void forget_named(struct domain_takings *takings, const struct storage_use *use)
{
        for (unsigned i = takings->named->len; i-- > 0;) {
                if (((struct taken_volume *)g_ptr_array_index(takings->named, i))->use == use)
                        g_ptr_array_remove_index(takings->named, i);
        }
}

void takings_give_back_disk(struct domain_takings *takings, const char *target)
{
        for (unsigned i = takings ? takings->uses->len : 0; i-- > 0;) {
                struct taken_use *taken = g_ptr_array_index(takings->uses, i);

                if (strcmp(taken->target, target) != 0)
                        continue;
                forget_named(takings, taken->use);
                give_back(taken);
                g_ptr_array_remove_index(takings->uses, i);
        }
}

void takings_give_back_hostdev(struct domain_takings *takings, const struct domain_hostdev *hostdev)
{
        if (takings)
                taken_devices_give_back_one(takings->devices, hostdev);
}

void takings_give_back_pci(struct domain_takings *takings, const struct domain_address_pci *address)
{
        const struct domain_hostdev hostdev = { .type = DOMAIN_HOSTDEV_PCI, .pci = *address };

        takings_give_back_hostdev(takings, &hostdev);
}

void takings_restore(struct domain_takings *takings, GPtrArray *looked)
{
        if (looked) {
                taken_devices_restore(looked);
                g_ptr_array_extend_and_steal(takings->devices, looked);
        }
        for (unsigned i = 0; i < takings->uses->len; i++)
                storage_use_restore(use_at(takings, i));
        for (unsigned i = 0; i < takings->ports->len; i++)
                if (takings_get_port(takings, i)->use)
                        network_use_restore(takings_get_port(takings, i)->use);
}

const struct volume *takings_find_volume(const struct domain_takings *takings, const char *pool,
                                         const char *volume, const struct pool_def **def, GError **error)
{
        for (unsigned i = 0; takings && i < takings->named->len; i++) {
                const struct taken_volume *named = g_ptr_array_index(takings->named, i);

                if (strcmp(named->pool, pool) != 0 || strcmp(named->volume, volume) != 0)
                        continue;
                if (named->use)
                        return storage_use_get_volume(named->use, def, error);
                g_propagate_error(error, g_error_copy(named->problem));
                return NULL;
        }
        error_set(error, ERROR_FROM_DOMAIN, ERROR_CONFIG_UNSUPPORTED,
                  "volume '%s' of pool '%s' cannot be had: there is no storage here", volume, pool);
        return NULL;
}

/* ---- devices of the host ---- */

static bool is_meant(const struct domain_edit_device *one, enum domain_device_kind kind, unsigned index)
{
        return !one || (one->kind == kind && one->index == index);
}

GPtrArray *takings_look(struct domain_driver *driver, const struct domain_def *def,
                        const struct domain_edit_device *one)
{
        g_autofree char *user = g_strdup_printf("domain '%s'", def->base.name);
        g_autoptr(GPtrArray) looked = taken_devices_new();

        for (unsigned i = 0; driver->node_devices && i < def->devices.n_hostdevs; i++)
                if (is_meant(one, DOMAIN_DEVICE_HOSTDEV, i))
                        taken_devices_look(looked, driver->node_devices, &def->devices.hostdevs[i], user);
        for (unsigned i = 0; driver->node_devices && i < def->devices.n_interfaces; i++)
                if (is_meant(one, DOMAIN_DEVICE_INTERFACE, i) &&
                    def->devices.interfaces[i].type == DOMAIN_INTERFACE_HOSTDEV)
                        taken_devices_look_pci(looked, driver->node_devices,
                                               &def->devices.interfaces[i].host_pci, user);
        for (unsigned i = 0; driver->node_devices && i < def->devices.n_disks; i++)
                if (is_meant(one, DOMAIN_DEVICE_DISK, i) && def->devices.disks[i].source.nvme)
                        taken_devices_look_pci(looked, driver->node_devices,
                                               &def->devices.disks[i].source.nvme->pci, user);
        return looked->len > 0 ? g_steal_pointer(&looked) : NULL;
}

bool takings_take_devices(struct domain_takings *takings, GPtrArray *looked, GError **error)
{
        if (!looked)
                return true;
        if (!taken_devices_take(looked, error)) {
                g_ptr_array_unref(looked);
                return false;
        }
        g_ptr_array_extend_and_steal(takings->devices, looked);
        return true;
}

void takings_drop_devices(struct domain_takings *takings)
{
        taken_devices_give_back(takings->devices);
}

bool takings_take_usb(struct domain_takings *takings, const struct domain *domain,
                      const struct usb_device *usb, GError **error)
{
        g_autofree char *user = g_strdup_printf("domain '%s'", domain->base.name);

        return taken_devices_take_usb(takings->devices, domain->driver->node_devices, usb, user, error);
}

void takings_give_back_usb(struct domain_takings *takings, const struct usb_device *usb)
{
        const struct domain_hostdev hostdev = { .type = DOMAIN_HOSTDEV_USB,
                                                .usb_bus = usb->bus,
                                                .usb_device = usb->device };

        takings_give_back_hostdev(takings, &hostdev);
}

const struct usb_device *takings_find_usb(const struct domain_takings *takings,
                                          const struct domain_hostdev *hostdev, GError **error)
{
        if (takings)
                return taken_devices_find_usb(takings->devices, hostdev, error);
        error_set(error, ERROR_FROM_DOMAIN, ERROR_CONFIG_UNSUPPORTED,
                  "there are no devices of the host here");
        return NULL;
}

/* ---- secrets ---- */

static const struct taken_secret *find_secret(const struct domain_takings *takings,
                                              const struct secret_ref *ref)
{
        for (unsigned i = 0; takings && i < takings->secrets->len; i++) {
                const struct taken_secret *secret = g_ptr_array_index(takings->secrets, i);

                if (secret_ref_equal(&secret->ref, ref))
                        return secret;
        }
        return NULL;
}

static void add_secret(struct domain_takings *takings, struct domain_driver *driver,
                       const struct secret_ref *ref)
{
        struct taken_secret *secret;

        if (!driver->secrets || !secret_ref_is_given(ref) || find_secret(takings, ref))
                return;
        secret = g_new0(struct taken_secret, 1);
        secret_ref_copy(&secret->ref, ref);
        secret->value = secret_find_value(driver->secrets, ref, &secret->problem);
        g_ptr_array_add(takings->secrets, secret);
}

struct secret_ref takings_auth_secret(const struct domain_storage_auth *auth)
{
        struct secret_ref ref = { .uuid = (char *)auth->secret_uuid, .usage = (char *)auth->secret_usage };

        for (unsigned usage = 0; usage < SECRET_USAGE_COUNT; usage++) {
                if (strcmp(secret_usage_get_name(usage), auth->secret_type) == 0)
                        ref.usage_type = usage;
        }
        return ref;
}

static void add_passphrases(struct domain_takings *takings, struct domain_driver *driver,
                            const struct domain_storage *top)
{
        for (const struct domain_storage *source = top; source; source = source->backing) {
                const struct domain_encryption *encryption = source->encryption;

                if (source->network && source->network->auth) {
                        const struct secret_ref ref = takings_auth_secret(source->network->auth);

                        add_secret(takings, driver, &ref);
                }
                if (encryption)
                        add_secret(takings, driver,
                                   &(struct secret_ref){ SECRET_USAGE_VOLUME, (char *)encryption->secret_uuid,
                                                         (char *)encryption->secret_usage });
        }
}

void takings_take_secrets(struct domain_takings *takings, struct domain_driver *driver,
                          const struct domain_def *def)
{
        for (unsigned i = 0; i < def->devices.n_disks; i++)
                add_passphrases(takings, driver, &def->devices.disks[i].source);
        add_passphrases(takings, driver, def->os.nvram.source);
        for (unsigned i = 0; i < def->devices.n_tpms; i++)
                add_secret(
                        takings, driver,
                        &(struct secret_ref){ SECRET_USAGE_VTPM, (char *)def->devices.tpms[i].secret, NULL });
        for (unsigned i = 0; i < takings->uses->len; i++) {
                const struct pool_def *pool = NULL;

                if (storage_use_get_volume(use_at(takings, i), &pool, NULL))
                        add_secret(takings, driver, &pool->source.auth.secret);
        }
}

GBytes *takings_find_secret(const struct domain_takings *takings, const struct secret_ref *ref,
                            GError **error)
{
        const struct taken_secret *secret = find_secret(takings, ref);

        if (secret && secret->value)
                return g_bytes_ref(secret->value);
        if (secret)
                g_propagate_error(error, g_error_copy(secret->problem));
        else
                error_set(error, ERROR_FROM_DOMAIN, ERROR_CONFIG_UNSUPPORTED, "there are no secrets here");
        return NULL;
}
