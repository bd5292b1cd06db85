/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What is said of a host's devices: beside host.umockdev stands what is to be said of each. Whoever listens
 * hears of what comes, changes and goes.
 */
#include "tests/unit/node-devices-fixture.h"

#include "base/cleanup.h"
#include "tests/unit/check-main.h"

#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#define FC_HOST "/sys/devices/pci0000:00/0000:00:03.0/host3"
#define NIC     "/sys/devices/pci0000:00/0000:00:01.0/0000:01:00.0"

static void wait_for(const char *what)
{
        while (!strstr(heard->str, what))
                loop_step(loop, true);
}

/* ---- documents ---- */

static void expect_xml(const char *name)
{
        g_autofree char *path = g_strdup_printf(DATA "/%s.xml", name), *expected = NULL;
        g_autofree char *again = get_device_xml(name);

        if (g_getenv("VIRTBUS_WRITE_DOCUMENTS"))
                ck_assert(g_file_set_contents(path, find_device(name)->xml, -1, NULL));
        ck_assert_msg(g_file_get_contents(path, &expected, NULL, NULL), "%s:\n%s", name,
                      find_device(name)->xml);
        ck_assert_str_eq(find_device(name)->xml, expected);
        ck_assert_str_eq(again, expected);
}

/* The list says what each is, and that there are no others. */
START_TEST(test_documents)
{
        g_autoptr(GPtrArray) all = node_device_list(devices, 0, NULL);
        g_autoptr(GDir) dir = g_dir_open(DATA, 0, NULL);
        unsigned documents = 0;
        const char *name;

        for (unsigned i = 0; i < all->len; i++)
                expect_xml(((const struct node_device *)g_ptr_array_index(all, i))->name);
        while ((name = g_dir_read_name(dir)))
                documents += g_str_has_suffix(name, ".xml");
        ck_assert_uint_eq(all->len, documents);
}
END_TEST

START_TEST(test_parents)
{
        static const char *const parents[][2] = {
                { "net_ens1_00_27_13_6a_fe_00", "pci_0000_01_00_0" },
                { "pci_0000_01_00_0", "pci_0000_00_01_0" },
                { "pci_0000_00_01_0", "computer" },
                { "block_sda_SAMSUNG_MZ7LN256_S2X8NX0H", "scsi_0_0_0_0" },
                { "scsi_3_0_0_9223372036854775809", "scsi_target3_0_0" },
                { "usb_1_5_1_0", "usb_1_5" },
                { "drm_card0", "pci_0000_00_02_0" },
        };
        g_autoptr(GError) error = NULL;

        for (unsigned i = 0; i < G_N_ELEMENTS(parents); i++)
                ck_assert_str_eq(node_device_get_parent(find_device(parents[i][0]), NULL), parents[i][1]);
        ck_assert_ptr_null(node_device_get_parent(find_device("computer"), &error));
        ck_assert(error_is(error, ERROR_INTERNAL_ERROR));
}
END_TEST

static void expect_list(unsigned flags, const char *names)
{
        g_autoptr(GPtrArray) list = node_device_list(devices, flags, NULL);
        g_autoptr(GString) is = g_string_new(NULL);

        for (unsigned i = 0; i < list->len; i++)
                g_string_append_printf(is, "%s%s", i ? " " : "",
                                       ((const struct node_device *)g_ptr_array_index(list, i))->name);
        ck_assert_str_eq(is->str, names);
}

/* Each capability selects its own, nested ones included; bits are alternatives. */
START_TEST(test_filters)
{
        static const struct {
                unsigned bit;
                const char *names;
        } filters[] = {
                { 0, "computer" },
                { 2, "usb_1_5 usb_usb1" },
                { 3, "usb_1_5_1_0" },
                { 4, "net_ens1_00_27_13_6a_fe_00 net_lo_00_00_00_00_00_00 net_wlan0_00_27_13_6a_fe_01" },
                { 5, "scsi_host0 scsi_host1 scsi_host3" },
                { 6, "scsi_target0_0_0 scsi_target1_0_0 scsi_target3_0_0" },
                { 7, "scsi_0_0_0_0 scsi_1_0_0_0 scsi_3_0_0_9223372036854775809" },
                { 8, "block_sda_SAMSUNG_MZ7LN256_S2X8NX0H block_sr0" },
                { 9, "scsi_host3" },
                { 10, "scsi_host3" },
                { 11, "scsi_generic_sg0" },
                { 12, "drm_card0 drm_renderD128" },
                { 13, "ap_matrix pci_0000_00_02_0" },
                { 14, "mdev_4b20d080_1b54_4048_85b3_a6a62d165c01_0000_00_02_0" },
                { 15, "ccw_0_0_2b10" },
                { 16, "css_0_0_0070" },
                { 17, "vdpa_vdpa0" },
                { 18, "ap_card05" },
                { 19, "ap_05_0015" },
                { 20, "ap_matrix" },
                { 21, "" },
                { 30, "" },
        };
        g_autoptr(GPtrArray) all = node_device_list(devices, 0, NULL);
        g_autoptr(GPtrArray) active = node_device_list(devices, 1u << 31, NULL);
        g_autoptr(GError) error = NULL;

        for (unsigned i = 0; i < G_N_ELEMENTS(filters); i++)
                expect_list(1u << filters[i].bit, filters[i].names);
        expect_list(1u << 31 | 1u << 0 | 1u << 17, "computer vdpa_vdpa0");
        expect_list(1u << 30 | 1u << 0, "");
        ck_assert_uint_eq(active->len, all->len);
        ck_assert_ptr_null(node_device_list(devices, 1u << 22, &error));
        ck_assert(error_is(error, ERROR_INVALID_ARG));
}
END_TEST

START_TEST(test_capabilities)
{
        g_autoptr(GPtrArray) host = node_device_list_capabilities(find_device("scsi_host3"));
        g_autoptr(GPtrArray) gpu = node_device_list_capabilities(find_device("pci_0000_00_02_0"));

        ck_assert_uint_eq(host->len, 3);
        ck_assert_str_eq(g_ptr_array_index(host, 0), "scsi_host");
        ck_assert_str_eq(g_ptr_array_index(host, 1), "fc_host");
        ck_assert_str_eq(g_ptr_array_index(host, 2), "vports");
        ck_assert_uint_eq(gpu->len, 2);
        ck_assert_str_eq(g_ptr_array_index(gpu, 1), "mdev_types");
}
END_TEST

START_TEST(test_lookups)
{
        static const char *const names[][2] = {
                { "20000024ff2b4e5f", "21000024ff2b4e5f" },
                { "0x20000024FF2B4E5F", "0x21000024ff2b4e5f" },
        };
        static const char *const wrong[][2] = {
                { "21000024ff2b4e5f", "20000024ff2b4e5f" },
                { "", "" },
                { "2000", "zz\n" },
        };

        for (unsigned i = 0; i < G_N_ELEMENTS(names); i++)
                ck_assert_ptr_eq(node_device_lookup_wwns(devices, names[i][0], names[i][1], 0, NULL),
                                 find_device("scsi_host3"));
        for (unsigned i = 0; i < G_N_ELEMENTS(wrong); i++) {
                g_autoptr(GError) error = NULL;

                ck_assert_ptr_null(node_device_lookup_wwns(devices, wrong[i][0], wrong[i][1], 0, &error));
                ck_assert(error_is(error, ERROR_NO_NODE_DEVICE));
        }
        ck_assert_ptr_null(node_device_lookup_wwns(devices, names[0][0], names[0][1], 1, NULL));
        ck_assert_ptr_null(node_device_lookup_name(devices, "pci_0000_00_1f_7", NULL));
}
END_TEST

/* ---- events ---- */

static char *add_usb(const char *name, const char *product)
{
        return umockdev_testbed_add_device(testbed, "usb", name, "/sys/devices/pci0000:00/0000:00:14.0/usb1",
                                           "busnum", "1", "devnum", "9", "idVendor", "0781", "idProduct",
                                           product, NULL, "DEVTYPE", "usb_device", NULL);
}

static void expect_heard(const char *what)
{
        ck_assert_str_eq(heard->str, what);
        g_string_truncate(heard, 0);
}

START_TEST(test_added_changed_removed)
{
        g_autofree char *path = add_usb("1-7", "5567");

        wait_for("+usb_1_7 ");
        ck_assert(strstr(find_device("usb_1_7")->xml, "<product id='0x5567'/>"));
        ck_assert_str_eq(find_device("usb_1_7")->parent, "usb_usb1");
        umockdev_testbed_set_attribute(testbed, path, "product", "Stick");
        umockdev_testbed_uevent(testbed, path, "change");
        wait_for("*usb_1_7 ");
        ck_assert(strstr(find_device("usb_1_7")->xml, "<product id='0x5567'>Stick</product>"));
        umockdev_testbed_uevent(testbed, path, "remove");
        umockdev_testbed_remove_device(testbed, path);
        wait_for("-usb_1_7 ");
        ck_assert_ptr_null(node_device_lookup_name(devices, "usb_1_7", NULL));
        expect_heard("+usb_1_7 *usb_1_7 -usb_1_7 ");
}
END_TEST

/* An event that says nothing new is none for listeners. */
START_TEST(test_change_of_nothing)
{
        g_autofree char *path = NULL;

        umockdev_testbed_uevent(testbed, NIC, "change");
        path = add_usb("1-8", "5567");
        wait_for("+usb_1_8 ");
        expect_heard("+usb_1_8 ");
}
END_TEST

/* It was there when the kernel told of it and is not when we look: the tree goes without it. */
START_TEST(test_gone_before_it_was_read)
{
        g_autofree char *root = umockdev_testbed_get_root_dir(testbed);
        g_autofree char *host = g_build_filename(root, FC_HOST, NULL),
                        *away = g_strconcat(host, "-away", NULL);
        g_autoptr(GError) error = NULL;

        ck_assert_int_eq(g_rename(host, away), 0);
        umockdev_testbed_uevent(testbed, NIC, "change");
        ck_assert_ptr_null(read_device_xml("scsi_host3", &error));
        ck_assert(error_is(error, ERROR_NO_NODE_DEVICE));
        expect_heard("-scsi_host3 ");
        ck_assert_int_eq(g_rename(away, host), 0);
}
END_TEST

/* What no event tells is seen when a document is asked for, and listeners hear of it. */
START_TEST(test_documents_are_fresh)
{
        g_autofree char *before = get_device_xml("net_ens1_00_27_13_6a_fe_00"), *after = NULL;

        ck_assert(strstr(before, "<link speed='1000' state='up'/>"));
        umockdev_testbed_set_attribute(testbed, NIC "/net/ens1", "operstate", "down");
        umockdev_testbed_set_attribute(testbed, NIC "/net/ens1", "speed", "-1");
        after = get_device_xml("net_ens1_00_27_13_6a_fe_00");
        ck_assert(strstr(after, "<link state='down'/>"));
        expect_heard("*net_ens1_00_27_13_6a_fe_00 ");
}
END_TEST

START_TEST(test_strange_attributes)
{
        static guint8 binary[] = { 0xff, 0xfe, 'x', 0x01, '<' };
        g_autofree char *path = add_usb("1-9", "0001");

        wait_for("+usb_1_9 ");
        umockdev_testbed_set_attribute_binary(testbed, path, "product", binary, sizeof(binary));
        umockdev_testbed_set_attribute(testbed, path, "idVendor", "");
        umockdev_testbed_uevent(testbed, path, "change");
        wait_for("*usb_1_9 ");
        ck_assert(g_utf8_validate(find_device("usb_1_9")->xml, -1, NULL));
        ck_assert(strstr(find_device("usb_1_9")->xml, "x?&lt;</product>"));
        ck_assert(!strstr(find_device("usb_1_9")->xml, "<vendor"));
        umockdev_testbed_set_attribute(testbed, path, "devnum", "");
        umockdev_testbed_uevent(testbed, path, "change");
        wait_for("-usb_1_9 ");
}
END_TEST

/* ---- vital product data ---- */

/* A resource: tag, length, content; strings may have zeros, so sizes are counted by the compiler. */
static void append_resource(GByteArray *vpd, uint8_t tag, const char *content, unsigned length)
{
        const uint8_t head[] = { tag, (uint8_t)length, (uint8_t)(length >> 8) };

        g_byte_array_append(vpd, head, sizeof(head));
        g_byte_array_append(vpd, (const uint8_t *)content, length);
}

#define APPEND(vpd, tag, content) append_resource(vpd, tag, content, sizeof(content) - 1)

/* Ends the read-only part of vpd with "RV", so that all adds up to `sum`. */
static GByteArray *make_vpd(const char *fields, unsigned length, uint8_t sum)
{
        GByteArray *vpd = g_byte_array_new();
        g_autofree char *content = g_malloc0(length + 4);
        uint8_t is = 0;

        APPEND(vpd, 0x82, "Ethernet Adapter, 2x10G ");
        memcpy(content, fields, length);
        memcpy(content + length, "RV\1", 3);
        append_resource(vpd, 0x90, content, length + 4);
        for (unsigned i = 0; i < vpd->len; i++)
                is = (uint8_t)(is + vpd->data[i]);
        vpd->data[vpd->len - 1] = (uint8_t)(sum - is);
        APPEND(vpd, 0x91, "V1\4abcdYA\3A-1Y0\2xyRW\1\0");
        g_byte_array_append(vpd, (const uint8_t *)"\x78", 1);
        return vpd;
}

#define MAKE_VPD(fields, sum) make_vpd(fields, sizeof(fields) - 1, sum)

/* The document of the card with this in its file. */
static char *describe_vpd(const GByteArray *vpd)
{
        umockdev_testbed_set_attribute_binary(testbed, NIC, "vpd", vpd->data, vpd->len);
        return get_device_xml("pci_0000_01_00_0");
}

START_TEST(test_vital_product_data)
{
        g_autoptr(GByteArray) vpd = MAKE_VPD("SN\6 S-1  PN\3P_1V0\1aV1\4bad<EC\2B1MN\4 MN ZZ\1x", 0);
        g_autofree char *xml = describe_vpd(vpd);

        ck_assert_msg(strstr(xml, "    </capability>\n    <capability type='vpd'>\n"
                                  "      <name>Ethernet Adapter, 2x10G</name>\n"
                                  "      <fields access='readonly'>\n"
                                  "        <change_level>B1</change_level>\n"
                                  "        <manufacture_id>MN</manufacture_id>\n"
                                  "        <part_number>P_1</part_number>\n"
                                  "        <serial_number>S-1</serial_number>\n"
                                  "        <vendor_field index='0'>a</vendor_field>\n"
                                  "      </fields>\n"
                                  "      <fields access='readwrite'>\n"
                                  "        <asset_tag>A-1</asset_tag>\n"
                                  "        <vendor_field index='1'>abcd</vendor_field>\n"
                                  "        <system_field index='0'>xy</system_field>\n"
                                  "      </fields>\n    </capability>\n    <iommuGroup number='12'>\n"),
                      "%s", xml);
        ck_assert(find_device("pci_0000_01_00_0")->capabilities & 1u << NODE_DEVICE_VPD);
}
END_TEST

/* Data that do not add up, or end anywhere: the device is there, and they are not. */
START_TEST(test_broken_product_data)
{
        g_autoptr(GByteArray) wrong = MAKE_VPD("SN\1x", 1), whole = MAKE_VPD("SN\1x", 0);
        g_autofree char *xml = describe_vpd(wrong);
        unsigned count;

        ck_assert(strstr(xml, "0x10c9") && !strstr(xml, "vpd"));
        for (count = 0; count < whole->len; count++) {
                g_autoptr(GByteArray) part = g_byte_array_new();
                g_autofree char *document = NULL;

                g_byte_array_append(part, whole->data, count);
                document = describe_vpd(part);
                ck_assert_msg(!strstr(document, "vpd"), "%u bytes: %s", count, document);
        }
        g_free(xml);
        xml = describe_vpd(whole);
        ck_assert(strstr(xml, "<serial_number>x</serial_number>"));
        /* A length that leads out of its resource. */
        whole->data[3 + 24 + 3 + 2] = 200;
        g_free(xml);
        xml = describe_vpd(whole);
        ck_assert(!strstr(xml, "vpd"));
}
END_TEST

/* The names of a SCSI host come with an object of their own. */
START_TEST(test_names_of_a_host_come_late)
{
        umockdev_testbed_set_attribute(testbed, FC_HOST, "fc_host/host3/port_name", "0x2100000000000001");
        g_free(umockdev_testbed_add_device(testbed, "fc_host", "fc_host/host3", FC_HOST, NULL, NULL));
        wait_for("*scsi_host3 ");
        ck_assert(node_device_lookup_wwns(devices, "20000024ff2b4e5f", "2100000000000001", 0, NULL) != NULL);
}
END_TEST

/* What the play of events takes at once. */
#define BURST 4

/* Came once, then went once. */
static void expect_came_and_went(unsigned number)
{
        g_autofree char *came = g_strdup_printf("+usb_1_7_%u ", number);
        g_autofree char *went = g_strdup_printf("-usb_1_7_%u ", number);
        const char *first = strstr(heard->str, came), *second = strstr(heard->str, went);

        ck_assert_msg(first && second && first < second && !strstr(first + 1, came) &&
                              !strstr(second + 1, went),
                      "%s", heard->str);
}

/* Devices that come and go within one look at the events: each is heard of coming and going. */
START_TEST(test_storm)
{
        unsigned before = collection_get_count(node_devices_get_collection(devices));

        for (unsigned i = 0; i < 500 / BURST; i++) {
                char *paths[BURST];

                for (unsigned j = 0; j < BURST; j++) {
                        g_autofree char *name = g_strdup_printf("1-7.%u", j);

                        paths[j] = add_usb(name, "0001");
                }
                for (unsigned j = 0; j < BURST; j++)
                        umockdev_testbed_uevent(testbed, paths[j], "remove");
                while (heard->len < BURST * strlen("+usb_1_7_0 -usb_1_7_0 "))
                        loop_step(loop, true);
                for (unsigned j = 0; j < BURST; j++) {
                        expect_came_and_went(j);
                        umockdev_testbed_remove_device(testbed, paths[j]);
                        g_free(paths[j]);
                }
                g_string_truncate(heard, 0);
        }
        ck_assert_uint_eq(collection_get_count(node_devices_get_collection(devices)), before);
}
END_TEST

CHECK_MAIN_FIXTURE("node-devices", set_up_devices, tear_down_devices, test_documents, test_parents,
                   test_filters, test_capabilities, test_lookups, test_added_changed_removed,
                   test_change_of_nothing, test_gone_before_it_was_read, test_documents_are_fresh,
                   test_strange_attributes, test_vital_product_data, test_broken_product_data,
                   test_names_of_a_host_come_late, test_storm)
