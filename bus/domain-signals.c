/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Domains: from changes and events of the model to signals. Loop thread.
 */
#include "base/registry.h"
#include "bus/bus-private.h"
#include "bus/domain.h"
#include "bus/interface.h"
#include "bus/signal.h"
#include "drivers/domain/domain.h"
#include "introspection/connect.h"
#include "introspection/domain.h"

#include <string.h>

static uint64_t bit_if(bool changed, enum interface_domain_property property)
{
        return changed ? UINT64_C(1) << property : 0;
}

uint64_t domain_signals_get_changed(const struct registry_change *change)
{
        const struct domain_state *before = (const struct domain_state *)change->before;
        const struct domain_state *after = (const struct domain_state *)change->after;
        const char *old_type = domain_state_get_def(before)->os.type,
                   *new_type = domain_state_get_def(after)->os.type;

        return bit_if(!before->base.active != !after->base.active, INTERFACE_DOMAIN_PROPERTY_ACTIVE) |
               bit_if(before->base.autostart != after->base.autostart, INTERFACE_DOMAIN_PROPERTY_AUTOSTART) |
               bit_if(before->id != after->id, INTERFACE_DOMAIN_PROPERTY_ID) |
               bit_if(strcmp(managed_state_get_name(change->before), managed_state_get_name(change->after)) !=
                              0,
                      INTERFACE_DOMAIN_PROPERTY_NAME) |
               bit_if(g_strcmp0(old_type, new_type) != 0, INTERFACE_DOMAIN_PROPERTY_OS_TYPE) |
               bit_if(!before->base.persistent != !after->base.persistent,
                      INTERFACE_DOMAIN_PROPERTY_PERSISTENT) |
               bit_if(before->updated != after->updated, INTERFACE_DOMAIN_PROPERTY_UPDATED);
}

static void announce_graphics(struct bus *bus, const char *path, const struct domain_event *event)
{
        const struct domain_event_graphics *graphics = event->graphics;
        char **identity = graphics->identities;
        DBusMessageIter iter, array;
        DBusMessage *message = signal_begin(path, &interface_domain, INTERFACE_DOMAIN_SIGNAL_GRAPHICS, &iter);

        marshal_write(&iter, "i(iss)(iss)s", event->base.type, graphics->local.family, graphics->local.node,
                      graphics->local.service, graphics->remote.family, graphics->remote.node,
                      graphics->remote.service, graphics->auth_scheme);
        marshal_open_array(&iter, &array, "(ss)");
        for (; identity && identity[0] && identity[1]; identity += 2)
                marshal_write(&array, "(ss)", identity[0], identity[1]);
        marshal_close(&iter, &array);
        signal_end(bus, message);
}

/* Under both of its names: libvirt-dbus's, and the one under which Cockpit listens. */
static void announce_metadata(struct bus *bus, const char *path, const struct domain_event *event)
{
        signal_send(bus, path, &interface_domain, INTERFACE_DOMAIN_SIGNAL_METADATA_CHANGE, "is",
                    event->base.type, event->text[0]);
        signal_send(bus, path, &interface_domain, INTERFACE_DOMAIN_SIGNAL_METADATA_CHANGED, "is",
                    event->base.type, event->text[0]);
}

static void announce_tuning(struct bus *bus, const char *path, const struct domain_event *event)
{
        DBusMessageIter iter;
        DBusMessage *message = signal_begin(path, &interface_domain, INTERFACE_DOMAIN_SIGNAL_TUNABLE, &iter);

        marshal_write_params(&iter, event->params);
        signal_end(bus, message);
}

/* The agent lost touch with a guest: nobody called, so it is an error event of the connection as well. */
static void announce_control_error(const struct branch *branch, const char *path,
                                   const struct registry_change *change)
{
        g_autoptr(GError) error = NULL;

        signal_send(branch->connect->bus, path, &interface_domain, INTERFACE_DOMAIN_SIGNAL_CONTROL_ERROR, "");
        domain_event_make_error(change, &error);
        signal_error(branch->connect->bus, branch->connect, path, error);
}

#define SEND(name, ...)                                                                                      \
        signal_send(branch->connect->bus, path, &interface_domain, INTERFACE_DOMAIN_SIGNAL_##name,           \
                    __VA_ARGS__)

static void announce_event(const struct branch *branch, const char *path, const struct domain_event *event)
{
        const struct managed_event *base = &event->base;

        switch ((enum domain_event_id)base->id) {
        case DOMAIN_EVENT_REBOOT:
                SEND(REBOOT, "");
                break;
        case DOMAIN_EVENT_RTC_CHANGE:
                SEND(RTC_CHANGE, "x", event->number);
                break;
        case DOMAIN_EVENT_WATCHDOG:
                SEND(WATCHDOG, "i", base->detail);
                break;
        case DOMAIN_EVENT_IO_ERROR:
                SEND(IO_ERROR, "ssis", event->text[0], event->text[1], base->detail, event->text[2]);
                break;
        case DOMAIN_EVENT_GRAPHICS:
                announce_graphics(branch->connect->bus, path, event);
                break;
        case DOMAIN_EVENT_DISK_CHANGE:
                SEND(DISK_CHANGE, "sssi", event->text[0], event->text[1], event->text[2], base->detail);
                break;
        case DOMAIN_EVENT_TRAY_CHANGE:
                SEND(TRAY_CHANGE, "si", event->text[0], base->detail);
                break;
        case DOMAIN_EVENT_PM_WAKEUP:
                SEND(PM_WAKEUP, "i", base->detail);
                break;
        case DOMAIN_EVENT_PM_SUSPEND:
                SEND(PM_SUSPEND, "i", base->detail);
                break;
        case DOMAIN_EVENT_PM_SUSPEND_DISK:
                SEND(PM_SUSPEND_DISK, "i", base->detail);
                break;
        case DOMAIN_EVENT_BALLOON_CHANGE:
                SEND(BALLOON_CHANGE, "t", (uint64_t)event->number);
                break;
        case DOMAIN_EVENT_DEVICE_ADDED:
                SEND(DEVICE_ADDED, "s", event->text[0]);
                break;
        case DOMAIN_EVENT_DEVICE_REMOVED:
                SEND(DEVICE_REMOVED, "s", event->text[0]);
                break;
        case DOMAIN_EVENT_DEVICE_REMOVAL_FAILED:
                SEND(DEVICE_REMOVAL_FAILED, "s", event->text[0]);
                break;
        case DOMAIN_EVENT_METADATA_CHANGE:
                announce_metadata(branch->connect->bus, path, event);
                break;
        case DOMAIN_EVENT_AGENT:
                SEND(AGENT_EVENT, "ii", base->type, base->detail);
                break;
        case DOMAIN_EVENT_MEMORY_FAILURE:
                SEND(MEMORY_FAILURE, "iiu", base->type, base->detail, (uint32_t)event->number);
                break;
        case DOMAIN_EVENT_BLOCK_THRESHOLD:
                SEND(BLOCK_THRESHOLD, "sstt", event->text[0], event->text[1], (uint64_t)event->number,
                     (uint64_t)event->excess);
                break;
        case DOMAIN_EVENT_MIGRATION_ITERATION:
                SEND(MIGRATION_ITERATION, "i", (int)event->number);
                break;
        case DOMAIN_EVENT_TUNABLE:
                announce_tuning(branch->connect->bus, path, event);
                break;
        case DOMAIN_EVENT_CONTROL_ERROR:
        case DOMAIN_EVENT_LAST:
                break;
        }
}

void domain_signals_announce(const struct branch *branch, const char *path,
                             const struct registry_change *change)
{
        const struct managed_event *event = change->event;

        if (event->id == MANAGED_EVENT_LIFECYCLE)
                signal_send(branch->connect->bus, branch->connect->path, &interface_connect,
                            INTERFACE_CONNECT_SIGNAL_DOMAIN_EVENT, "oii", path, event->type, event->detail);
        else if (event->id == DOMAIN_EVENT_CONTROL_ERROR)
                announce_control_error(branch, path, change);
        else
                announce_event(branch, path, (const struct domain_event *)event);
}
