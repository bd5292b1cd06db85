/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Virtual functions of SR-IOV, below a root of our own: no machine for tests has such.
 */
#include "nodedev/sriov.h"
#include "tests/unit/check-main.h"
#include "tests/unit/host-root.h"

#define DEVICES "/sys/devices/pci0000:00/"
#define PF      "0000:03:00.0"

/* Virtual functions of a card with one interface, 12 of them, so that text does not sort as numbers do. */
#define FUNCTIONS 12

static void make_function(unsigned number)
{
        g_autofree char *name = g_strdup_printf("0000:03:%02x.%u", 0x10 + number / 8, number % 8);
        g_autofree char *physical = g_strdup_printf(DEVICES "%s/physfn", name),
                        *virtual = g_strdup_printf(DEVICES PF "/virtfn%u", number),
                        *target = g_strdup_printf("../%s", name);
        g_autofree char *entry = g_strdup_printf("/sys/bus/pci/devices/%s", name),
                        *device = g_strdup_printf("../../.."
                                                  "/devices/pci0000:00/%s",
                                                  name);

        put("0x8086\n", DEVICES "%s/vendor", name);
        put_link("../" PF, physical);
        put_link(target, virtual);
        put_link(device, entry);
}

static void set_up(void)
{
        make_root();
        put("", "/sys/bus/pci/devices/.keep");
        put("", "/sys/class/net/.keep");
        put("52:54:00:00:00:01\n", DEVICES PF "/net/eth7/address");
        put("", DEVICES PF "/virtfn_other");
        put("", DEVICES "0000:04:00.0/vendor");
        put_link("../../../devices/pci0000:00/" PF, "/sys/bus/pci/devices/" PF);
        put_link("../../../devices/pci0000:00/0000:04:00.0", "/sys/bus/pci/devices/0000:04:00.0");
        put("", "/sys/devices/virtual/net/br0/address");
        for (unsigned i = 0; i < FUNCTIONS; i++)
                make_function(i);
        put_link("../../devices/virtual/net/br0", "/sys/class/net/br0");
        put_link("../../devices/pci0000:00/" PF "/net/eth7", "/sys/class/net/eth7");
        put_link("../../", DEVICES PF "/net/eth7/device");
}

START_TEST(test_interface_of_a_card)
{
        g_autofree char *eth7 = sriov_get_interface(root, PF),
                        *none = sriov_get_interface(root, "0000:04:00.0"),
                        *gone = sriov_get_interface(root, "0000:05:00.0");

        ck_assert_str_eq(eth7, "eth7");
        ck_assert(!none && !gone);
}
END_TEST

START_TEST(test_physical_function)
{
        unsigned number = 99;
        g_autofree char *first = sriov_get_physical(root, "0000:03:10.0", &number), *last = NULL;

        ck_assert_str_eq(first, PF);
        ck_assert_uint_eq(number, 0);
        last = sriov_get_physical(root, "0000:03:11.3", &number);
        ck_assert_str_eq(last, PF);
        ck_assert_uint_eq(number, FUNCTIONS - 1);
        ck_assert_ptr_null(sriov_get_physical(root, PF, &number));
        ck_assert_ptr_null(sriov_get_physical(root, "0000:05:00.0", &number));
}
END_TEST

START_TEST(test_virtual_functions)
{
        g_auto(GStrv) functions = sriov_list_virtual(root, "eth7"), none = sriov_list_virtual(root, "br0"),
                      gone = sriov_list_virtual(root, "eth8");

        ck_assert_uint_eq(g_strv_length(functions), FUNCTIONS);
        ck_assert_str_eq(functions[0], "0000:03:10.0");
        ck_assert_str_eq(functions[2], "0000:03:10.2");
        ck_assert_str_eq(functions[11], "0000:03:11.3");
        ck_assert_uint_eq(g_strv_length(none), 0);
        ck_assert_uint_eq(g_strv_length(gone), 0);
}
END_TEST

CHECK_MAIN_FIXTURE("sriov", set_up, remove_root, test_interface_of_a_card, test_physical_function,
                   test_virtual_functions)
