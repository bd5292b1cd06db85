/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * By what guests of s390x know their PCI devices: they see no bus, but for each device the number that a user
 * gave it (uid) and that of its function (fid), <zpci> in its address. Numbers that the document gives are
 * kept and checked; the rest gets the lowest that are free. No state; any thread.
 */
#include "base/error.h"
#include "drivers/domain/kinds-xml.h"
#include "drivers/domain/normalize-steps-xml.h"

#define UID_MAX 0xffff
#define FID_MAX 0xffffffff

/* Numbers of one sort. */
struct numbers {
        const char *attr;
        int digits;
        unsigned max;
        unsigned next;    /* from here on one may be free */
        GHashTable *used; /* owned */
};

enum { UID, FID, SORTS };

static bool is_on_pci(const xmlNode *node)
{
        return hardware_is(xml_child(node, "address"), "type", "pci");
}

static xmlNode *find_zpci(const xmlNode *node)
{
        const xmlNode *address = xml_child(node, "address");

        return address ? xml_child(address, "zpci") : NULL;
}

static bool check_place(const struct hardware *hardware, const xmlNode *node, GError **error)
{
        const struct domain_machine *machine = hardware->machine;
        g_autofree char *what = NULL;

        if (find_zpci(node) && !machine->ccw)
                return hardware_unsupported(error, find_zpci(node),
                                            "<zpci> is for PCI devices of s390x, not of %s", machine->arch);
        if (find_zpci(node) && !is_on_pci(node))
                return hardware_unsupported(error, find_zpci(node),
                                            "<zpci> needs an <address> of type 'pci' around it");
        if (!machine->ccw || !is_on_pci(node) || !hardware_child_is(node, "address", "multifunction", "on"))
                return true;
        what = hardware_describe(node);
        return hardware_unsupported(error, node,
                                    "%s is one of several functions of a slot, and a PCI device of s390x is "
                                    "alone: choose another slot, and leave multifunction='on' out",
                                    what);
}

static bool check_places(const struct hardware *hardware, GError **error)
{
        for (unsigned kind = 0; kind < DOMAIN_DEVICE_KINDS; kind++) {
                HARDWARE_FOREACH (node, hardware, kind) {
                        if (!check_place(hardware, node, error))
                                return false;
                }
        }
        return true;
}

static bool take_given(struct numbers *numbers, xmlNode *zpci, GError **error)
{
        unsigned number = 0;

        if (!zpci || !xml_has_attr(zpci, numbers->attr))
                return true;
        if (!hardware_get_uint(zpci, numbers->attr, numbers->max, &number, error))
                return false;
        if (number < numbers->next)
                return xml_error(error, zpci, "attribute '%s' is 0 and must be at least 1", numbers->attr);
        if (!g_hash_table_add(numbers->used, GUINT_TO_POINTER(number)))
                return xml_error(error, zpci, "two devices have the %s 0x%x", numbers->attr, number);
        hardware_set(zpci, numbers->attr, "0x%0*x", numbers->digits, number);
        return true;
}

static void give(struct numbers *numbers, xmlNode *zpci)
{
        if (xml_has_attr(zpci, numbers->attr))
                return;
        /* There are fewer devices than numbers (DOMAIN_DEVICES_MAX). */
        while (!g_hash_table_add(numbers->used, GUINT_TO_POINTER(numbers->next)))
                numbers->next++;
        hardware_set(zpci, numbers->attr, "0x%0*x", numbers->digits, numbers->next);
}

static bool was_added(const struct hardware *hardware, const xmlNode *node)
{
        return g_ptr_array_find(hardware->added, node, NULL);
}

/* Who has <zpci> goes first, and bridges that came for the others last. */
enum turn { WRITTEN, MISSING, ADDED, TURNS };

static enum turn turn_of(const struct hardware *hardware, const xmlNode *node)
{
        if (find_zpci(node))
                return WRITTEN;
        return xml_is(node, "controller") && hardware_is(node, "type", "pci") && was_added(hardware, node)
                       ? ADDED
                       : MISSING;
}

static GPtrArray *list_devices(const struct hardware *hardware)
{
        GPtrArray *devices = g_ptr_array_new();

        for (enum turn turn = WRITTEN; turn < TURNS; turn++) {
                for (unsigned i = 0; address_number_order[i] != DOMAIN_DEVICE_KINDS; i++) {
                        HARDWARE_FOREACH (node, hardware, address_number_order[i]) {
                                if (is_on_pci(node) && turn_of(hardware, node) == turn)
                                        g_ptr_array_add(devices, node);
                        }
                }
        }
        return devices;
}

static bool number_devices(const struct hardware *hardware, struct numbers numbers[SORTS], GError **error)
{
        g_autoptr(GPtrArray) devices = list_devices(hardware);

        for (unsigned i = 0; i < devices->len; i++) {
                for (unsigned sort = 0; sort < SORTS; sort++) {
                        if (!take_given(&numbers[sort], find_zpci(devices->pdata[i]), error))
                                return false;
                }
        }
        for (unsigned i = 0; i < devices->len; i++) {
                xmlNode *zpci = hardware_child(xml_child(devices->pdata[i], "address"), "zpci");

                for (unsigned sort = 0; sort < SORTS; sort++)
                        give(&numbers[sort], zpci);
        }
        return true;
}

bool address_zpci(struct hardware *hardware, GError **error)
{
        g_autoptr(GHashTable) uids = g_hash_table_new(NULL, NULL), fids = g_hash_table_new(NULL, NULL);
        struct numbers numbers[SORTS] = {
                [UID] = { "uid", 4, UID_MAX, 1, uids },
                [FID] = { "fid", 8, FID_MAX, 0, fids },
        };

        if (!check_places(hardware, error))
                return false;
        return !hardware->machine->ccw || number_devices(hardware, numbers, error);
}
