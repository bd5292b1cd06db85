/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Registers of the devices on the bus that a pseries machine's hypervisor has for its own. Those that the
 * document gives are kept and checked; the rest gets the next free one, from where its kind begins. No state;
 * any thread.
 */
#include "base/error.h"
#include "drivers/domain/kinds-xml.h"
#include "drivers/domain/normalize-steps-xml.h"

#define REG_STEP 0x1000

/* Which devices are there; the value of an attribute, of the device itself when child is NULL. */
static const struct {
        enum domain_device_kind kind;
        const char *child, *attr, *value; /* attr NULL: all of the kind */
        unsigned first;
} kinds[] = {
        { DOMAIN_DEVICE_INTERFACE, "model", "type", "spapr-vlan", 0x1000 },
        { DOMAIN_DEVICE_CONTROLLER, NULL, "model", "ibmvscsi", 0x2000 },
        { DOMAIN_DEVICE_NVRAM, NULL, NULL, NULL, 0x3000 },
        { DOMAIN_DEVICE_TPM, NULL, "model", "tpm-spapr", 0x4000 },
        { DOMAIN_DEVICE_SERIAL, "target", "type", "spapr-vio-serial", 0x30000000 },
};

static bool is_there(unsigned i, const xmlNode *node)
{
        const char *child = kinds[i].child;

        if (!kinds[i].attr)
                return true;
        return child ? hardware_child_is(node, child, kinds[i].attr, kinds[i].value)
                     : hardware_is(node, kinds[i].attr, kinds[i].value);
}

static bool take_given(struct hardware *hardware, GHashTable *used, unsigned i, GError **error)
{
        HARDWARE_FOREACH (node, hardware, kinds[i].kind) {
                const xmlNode *address = xml_child(node, "address");
                unsigned reg = 0;

                if (!is_there(i, node) || !xml_has_attr(address, "reg"))
                        continue;
                if (!hardware_get_uint(address, "reg", UINT_MAX, &reg, error))
                        return false;
                if (!g_hash_table_add(used, GUINT_TO_POINTER(reg)))
                        return xml_error(error, address, "two devices have the register 0x%x", reg);
        }
        return true;
}

static void give_registers(struct hardware *hardware, GHashTable *used, unsigned i)
{
        unsigned next = kinds[i].first;

        HARDWARE_FOREACH (node, hardware, kinds[i].kind) {
                xmlNode *address = xml_child(node, "address");

                if (!is_there(i, node) || xml_has_attr(address, "reg") ||
                    (address && !hardware_is(address, "type", "spapr-vio")))
                        continue;
                while (!g_hash_table_add(used, GUINT_TO_POINTER(next)))
                        next += REG_STEP;
                address = hardware_child(node, "address");
                xml_set_attr(address, "type", "spapr-vio");
                hardware_set(address, "reg", "0x%08x", next);
        }
}

bool address_spapr(struct hardware *hardware, GError **error)
{
        g_autoptr(GHashTable) used = NULL;

        if (!hardware->machine->spapr)
                return true;
        used = g_hash_table_new(NULL, NULL);
        for (unsigned i = 0; i < G_N_ELEMENTS(kinds); i++) {
                if (!take_given(hardware, used, i, error))
                        return false;
        }
        for (unsigned i = 0; i < G_N_ELEMENTS(kinds); i++)
                give_registers(hardware, used, i);
        return true;
}
