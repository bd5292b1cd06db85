/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The devices of a host that umockdev plays: node-devices/host.umockdev has their shapes, and beside it
 * stands what is to be said of each.
 */
#include "base/cleanup.h"
#include "base/error.h"
#include "base/loop.h"
#include "base/pool.h"
#include "nodedev/device-use.h"
#include "nodedev/node-devices-private.h"
#include "tests/unit/check-main.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <umockdev.h>
#include <unistd.h>

#define FC_HOST "/sys/devices/pci0000:00/0000:00:03.0/host3"
#define NIC     "/sys/devices/pci0000:00/0000:00:01.0/0000:01:00.0"

static UMockdevTestbed *testbed;
static struct loop *loop;
static struct pool *pool;
static struct node_devices *devices;
/* What listeners heard: "+name", "-name", "*name". */
static GString *heard;

/* ---- the host ---- */

static void add_group_member(const char *root, const char *group, const char *pci)
{
        g_autofree char *dir = g_strdup_printf("%s/sys/kernel/iommu_groups/%s/devices/%s", root, group, pci);

        ck_assert_int_eq(g_mkdir_with_parents(dir, 0755), 0);
}

static void tell(void *before, void *after, void *data)
{
        const struct node_device *device = after ? after : before;

        g_string_append_printf(heard, "%c%s ", !before ? '+' : !after ? '-' : '*', device->name);
}

static const struct collection_listener listener = { .tell = tell };

static void setup_empty(void)
{
        g_autofree char *root = NULL;

        testbed = umockdev_testbed_new();
        root = umockdev_testbed_get_root_dir(testbed);
        add_group_member(root, "12", "0000:01:00.0");
        add_group_member(root, "12", "0000:01:00.1");
        loop = loop_new(NULL);
        pool = pool_new(2, NULL);
        devices = node_devices_new(loop, pool);
        heard = g_string_new(NULL);
}

static void start(void)
{
        node_devices_start(devices);
        while (!node_devices_are_ready(devices))
                loop_step(loop, true);
        collection_listen(node_devices_get_collection(devices), &listener, NULL);
}

static void setup(void)
{
        g_autoptr(GError) error = NULL;

        setup_empty();
        umockdev_testbed_add_from_file(testbed, DATA "/host.umockdev", &error);
        ck_assert_msg(!error, "%s", error ? error->message : "");
        start();
}

static void teardown(void)
{
        const struct collection *collection = node_devices_get_collection(devices);

        collection_unlisten(node_devices_get_collection(devices), &listener, NULL);
        node_devices_stop(devices);
        while (node_devices_are_running(devices) || collection_get_pending(collection) > 0)
                loop_step(loop, true);
        node_devices_free(devices);
        pool_free(pool);
        loop_free(loop);
        g_string_free(heard, TRUE);
        g_object_unref(testbed);
}

static void wait_for(const char *what)
{
        while (!strstr(heard->str, what))
                loop_step(loop, true);
}

static const struct node_device *find(const char *name)
{
        g_autoptr(GError) error = NULL;
        const struct node_device *device = node_device_lookup_name(devices, name, &error);

        ck_assert_msg(device != NULL, "%s", error ? error->message : "");
        return device;
}

/* ---- documents ---- */

struct document {
        char *xml; /* owned */
        GError *error;
        bool done;
};

static void take_document(const char *xml, const GError *error, void *data)
{
        struct document *document = data;

        document->xml = g_strdup(xml);
        document->error = error ? g_error_copy(error) : NULL;
        document->done = true;
}

static char *get_xml(const char *name)
{
        struct document document = { 0 };

        node_device_get_xml(devices, (struct node_device *)find(name), 0, take_document, &document);
        while (!document.done)
                loop_step(loop, true);
        ck_assert_msg(document.xml != NULL, "%s", document.error ? document.error->message : "");
        return document.xml;
}

static void expect_xml(const char *name)
{
        g_autofree char *path = g_strdup_printf(DATA "/%s.xml", name), *expected = NULL;
        g_autofree char *again = get_xml(name);

        if (g_getenv("VIRTBUS_WRITE_DOCUMENTS"))
                ck_assert(g_file_set_contents(path, find(name)->xml, -1, NULL));
        ck_assert_msg(g_file_get_contents(path, &expected, NULL, NULL), "%s:\n%s", name, find(name)->xml);
        ck_assert_str_eq(find(name)->xml, expected);
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
                ck_assert_str_eq(node_device_get_parent(find(parents[i][0]), NULL), parents[i][1]);
        ck_assert_ptr_null(node_device_get_parent(find("computer"), &error));
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
        g_autoptr(GPtrArray) host = node_device_list_capabilities(find("scsi_host3"));
        g_autoptr(GPtrArray) gpu = node_device_list_capabilities(find("pci_0000_00_02_0"));

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
                                 find("scsi_host3"));
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
        ck_assert(strstr(find("usb_1_7")->xml, "<product id='0x5567'/>"));
        ck_assert_str_eq(find("usb_1_7")->parent, "usb_usb1");
        umockdev_testbed_set_attribute(testbed, path, "product", "Stick");
        umockdev_testbed_uevent(testbed, path, "change");
        wait_for("*usb_1_7 ");
        ck_assert(strstr(find("usb_1_7")->xml, "<product id='0x5567'>Stick</product>"));
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

        ck_assert_int_eq(g_rename(host, away), 0);
        umockdev_testbed_uevent(testbed, NIC, "change");
        {
                struct document document = { 0 };

                node_device_get_xml(devices, (struct node_device *)find("scsi_host3"), 0, take_document,
                                    &document);
                while (!document.done)
                        loop_step(loop, true);
                ck_assert_ptr_null(document.xml);
                ck_assert(error_is(document.error, ERROR_NO_NODE_DEVICE));
                g_clear_error(&document.error);
        }
        expect_heard("-scsi_host3 ");
        ck_assert_int_eq(g_rename(away, host), 0);
}
END_TEST

/* What no event tells is seen when a document is asked for, and listeners hear of it. */
START_TEST(test_documents_are_fresh)
{
        g_autofree char *before = get_xml("net_ens1_00_27_13_6a_fe_00"), *after = NULL;

        ck_assert(strstr(before, "<link speed='1000' state='up'/>"));
        umockdev_testbed_set_attribute(testbed, NIC "/net/ens1", "operstate", "down");
        umockdev_testbed_set_attribute(testbed, NIC "/net/ens1", "speed", "-1");
        after = get_xml("net_ens1_00_27_13_6a_fe_00");
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
        ck_assert(g_utf8_validate(find("usb_1_9")->xml, -1, NULL));
        ck_assert(strstr(find("usb_1_9")->xml, "x?&lt;</product>"));
        ck_assert(!strstr(find("usb_1_9")->xml, "<vendor"));
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
        return get_xml("pci_0000_01_00_0");
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
        ck_assert(find("pci_0000_01_00_0")->capabilities & 1u << NODE_DEVICE_VPD);
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

/* ---- changing hands ---- */

struct outcome {
        bool done;
        GError *error; /* owned */
};

static void take_outcome(const GError *error, void *data)
{
        struct outcome *outcome = data;

        ck_assert(!outcome->done);
        outcome->done = true;
        outcome->error = error ? g_error_copy(error) : NULL;
}

static void finish(const struct outcome *outcome)
{
        while (!outcome->done)
                loop_step(loop, true);
}

static void expect_failure(struct outcome *outcome, enum error_code code, const char *text)
{
        finish(outcome);
        ck_assert_msg(outcome->error && error_is(outcome->error, code) &&
                              strstr(outcome->error->message, text),
                      "%s", outcome->error ? outcome->error->message : "no error");
        g_clear_error(&outcome->error);
        *outcome = (struct outcome){ 0 };
}

static void expect_success(struct outcome *outcome)
{
        finish(outcome);
        ck_assert_msg(!outcome->error, "%s", outcome->error ? outcome->error->message : "");
        *outcome = (struct outcome){ 0 };
}

static char *host_path(const char *path)
{
        g_autofree char *root = umockdev_testbed_get_root_dir(testbed);

        return g_build_filename(root, path, NULL);
}

static void put_file(const char *path, const char *text)
{
        g_autofree char *full = host_path(path), *dir = g_path_get_dirname(full);

        ck_assert_int_eq(g_mkdir_with_parents(dir, 0755), 0);
        ck_assert(g_file_set_contents(full, text, -1, NULL));
}

static void expect_file(const char *path, const char *text)
{
        g_autofree char *full = host_path(path), *is = NULL;

        ck_assert(g_file_get_contents(full, &is, NULL, NULL));
        ck_assert_str_eq(is, text);
}

/* What the kernel would do in between is done before: the driver is vfio-pci. */
static void set_driver(const char *driver)
{
        g_autofree char *link = host_path(NIC "/driver");
        g_autofree char *target = g_strconcat("../../../../bus/pci/drivers/", driver, NULL);

        g_unlink(link);
        ck_assert_int_eq(symlink(target, link), 0);
}

static void set_up_vfio(void)
{
        put_file("/sys/bus/pci/drivers/vfio-pci/unbind", "");
        put_file("/sys/bus/pci/drivers/igb/unbind", "");
        put_file("/sys/bus/pci/drivers_probe", "");
        put_file(NIC "/driver_override", "");
}

static void detach(const char *name, struct outcome *outcome)
{
        node_device_detach(devices, find(name), "", 0, take_outcome, outcome);
}

START_TEST(test_detach_and_reattach)
{
        struct outcome outcome = { 0 };

        set_up_vfio();
        set_driver("vfio-pci");
        detach("pci_0000_01_00_0", &outcome);
        expect_success(&outcome);
        expect_file(NIC "/driver_override", "vfio-pci");
        expect_file("/sys/bus/pci/drivers_probe", "0000:01:00.0");
        /* Whoever is answered reads it. */
        ck_assert(strstr(find("pci_0000_01_00_0")->xml, "<name>vfio-pci</name>"));
        put_file(NIC "/driver_override", "");
        node_device_reattach(devices, find("pci_0000_01_00_0"), take_outcome, &outcome);
        expect_success(&outcome);
        expect_file(NIC "/driver_override", "\n");
}
END_TEST

/* The kernel does not do what is asked of it: nothing stays half done. */
START_TEST(test_detach_fails)
{
        struct outcome outcome = { 0 };

        set_up_vfio();
        detach("pci_0000_01_00_0", &outcome);
        expect_failure(&outcome, ERROR_OPERATION_FAILED, "PCI device 0000:01:00.0 is not taken by vfio-pci");
        expect_file(NIC "/driver_override", "\nfio-pci");
        /* Without a group no guest can have it. */
        detach("pci_0000_00_17_0", &outcome);
        expect_failure(&outcome, ERROR_CONFIG_UNSUPPORTED, "0000:00:17.0 is not in an IOMMU group");
        detach("usb_1_5", &outcome);
        expect_failure(&outcome, ERROR_INVALID_ARG, "device usb_1_5 is not a PCI device");
}
END_TEST

START_TEST(test_reset)
{
        struct outcome outcome = { 0 };

        node_device_reset(devices, find("pci_0000_01_00_0"), take_outcome, &outcome);
        expect_failure(&outcome, ERROR_OPERATION_INVALID, "in use by its host (driver igb)");
        set_driver("vfio-pci");
        node_device_reset(devices, find("pci_0000_01_00_0"), take_outcome, &outcome);
        expect_failure(&outcome, ERROR_INTERNAL_ERROR, "no FLR, PM reset or bus reset available");
        put_file(NIC "/reset", "");
        node_device_reset(devices, find("pci_0000_01_00_0"), take_outcome, &outcome);
        expect_success(&outcome);
        expect_file(NIC "/reset", "1");
}
END_TEST

static struct device_use *use(const char *pci, const char *user)
{
        return device_use_new(devices, DEVICE_USE_PCI, pci, user);
}

static void turn(void)
{
        while (loop_step(loop, false))
                ;
}

START_TEST(test_guests_keep_what_they_have)
{
        struct device_use *own = use("0000:01:00.0", "domain 'web'"), *other;
        struct outcome outcome = { 0 };

        set_up_vfio();
        set_driver("vfio-pci");
        ck_assert(device_use_take(own, NULL));
        ck_assert_str_eq(device_use_find_user(devices, DEVICE_USE_PCI, "0000:01:00.0"), "domain 'web'");
        detach("pci_0000_01_00_0", &outcome);
        expect_failure(&outcome, ERROR_OPERATION_INVALID, "0000:01:00.0 is in use by domain 'web'");
        node_device_reset(devices, find("pci_0000_01_00_0"), take_outcome, &outcome);
        expect_failure(&outcome, ERROR_OPERATION_INVALID, "in use by domain 'web'");
        node_device_reattach(devices, find("pci_0000_01_00_0"), take_outcome, &outcome);
        expect_failure(&outcome, ERROR_OPERATION_INVALID, "in use by domain 'web'");
        expect_file(NIC "/driver_override", "");
        device_use_give_back(own);
        turn();
        ck_assert_ptr_null(device_use_find_user(devices, DEVICE_USE_PCI, "0000:01:00.0"));
        other = use("0000:01:00.1", "domain 'web'");
        ck_assert(device_use_take(other, NULL));
        node_device_reattach(devices, find("pci_0000_01_00_0"), take_outcome, &outcome);
        expect_failure(
                &outcome, ERROR_OPERATION_INVALID,
                "0000:01:00.0 is in one IOMMU group with 0000:01:00.1, which is in use by domain 'web'");
        detach("pci_0000_01_00_0", &outcome);
        expect_success(&outcome);
        device_use_give_back(other);
        turn();
}
END_TEST

/* What is on its way from or to the host is nobody's, and of a group there is one user. */
START_TEST(test_one_user_at_a_time)
{
        struct device_use *web = use("0000:01:00.0", "domain 'web'"),
                          *again = use("0000:01:00.0", "domain 'db'");
        struct device_use *usb[] = { device_use_new(devices, DEVICE_USE_USB, "001:004", "domain 'web'"),
                                     device_use_new(devices, DEVICE_USE_USB, "001:004", "domain 'db'") };
        struct device_use *scsi[] = { device_use_new(devices, DEVICE_USE_SCSI, "2:0:0:1", "domain 'web'"),
                                      device_use_new(devices, DEVICE_USE_SCSI, "2:0:0:1", "domain 'db'"),
                                      device_use_new(devices, DEVICE_USE_SCSI, "2:0:0:1", "domain 'ldap'") };
        struct outcome outcome = { 0 };
        g_autoptr(GError) error = NULL;

        set_up_vfio();
        set_driver("vfio-pci");
        node_device_detach(devices, find("pci_0000_01_00_0"), "", 0, take_outcome, &outcome);
        ck_assert(!device_use_take(web, &error));
        ck_assert_ptr_nonnull(strstr(error->message, "0000:01:00.0 is being detached"));
        g_clear_error(&error);
        expect_success(&outcome);
        ck_assert(device_use_take(web, NULL));
        ck_assert(!device_use_take(again, &error));
        ck_assert_ptr_nonnull(strstr(error->message, "PCI device 0000:01:00.0 is in use by domain 'web'"));
        g_clear_error(&error);
        ck_assert(device_use_take(usb[0], NULL));
        ck_assert(!device_use_take(usb[1], &error));
        ck_assert_ptr_nonnull(strstr(error->message, "USB device 001:004 is in use by domain 'web'"));
        g_clear_error(&error);
        device_use_set_shared(scsi[0]);
        device_use_set_shared(scsi[1]);
        ck_assert(device_use_take(scsi[0], NULL) && device_use_take(scsi[1], NULL));
        ck_assert(!device_use_take(scsi[2], NULL));
        device_use_give_back(web);
        device_use_give_back(scsi[0]);
        turn();
        ck_assert(device_use_take(again, NULL));
        ck_assert(!device_use_take(scsi[2], NULL));
        device_use_give_back(again);
        device_use_give_back(scsi[1]);
        turn();
        ck_assert(device_use_take(scsi[2], NULL));
        device_use_free(usb[1]);
        device_use_give_back(scsi[2]);
        device_use_give_back(usb[0]);
        turn();
}
END_TEST

/* A file of sysfs whose writers wait until somebody reads. Returns its other end. */
static int make_stuck_file(const char *path)
{
        static const char filling[65536];
        g_autofree char *fifo = host_path(path);
        int fd;

        ck_assert_int_eq(mkfifo(fifo, 0600), 0);
        fd = open(fifo, O_RDWR | O_NONBLOCK | O_CLOEXEC);
        ck_assert_int_ge(fd, 0);
        while (write(fd, filling, sizeof(filling)) > 0)
                ;
        return fd;
}

/* A driver that does not let go: its caller is told in time, other devices go on, and so does this one then.
 */
START_TEST(test_a_driver_that_hangs)
{
        struct outcome outcome = { 0 }, behind = { 0 };
        g_autofree char *xml = NULL;
        int fd = make_stuck_file(NIC "/reset");
        char buffer[65536];

        set_driver("vfio-pci");
        devices->change_ms = 100;
        node_device_reset(devices, find("pci_0000_01_00_0"), take_outcome, &outcome);
        expect_failure(&outcome, ERROR_OPERATION_TIMEOUT, "PCI device 0000:01:00.0 is not reset yet");
        devices->change_ms = NODE_DEVICE_CHANGE_MS;
        node_device_reset(devices, find("pci_0000_00_17_0"), take_outcome, &outcome);
        expect_failure(&outcome, ERROR_OPERATION_INVALID, "driver ahci");
        xml = get_xml("pci_0000_01_00_0");
        ck_assert_ptr_nonnull(xml);
        node_device_reset(devices, find("pci_0000_01_00_0"), take_outcome, &behind);
        ck_assert_int_gt(read(fd, buffer, sizeof(buffer)), 0);
        expect_success(&behind);
        close(fd);
}
END_TEST

/* ---- making ---- */

struct made {
        struct outcome outcome;
        char *name; /* owned */
};

static void take_made(struct node_device *device, const GError *error, void *data)
{
        struct made *made = data;

        made->name = device ? g_strdup(device->name) : NULL;
        take_outcome(error, &made->outcome);
}

static void create(struct made *made, const char *xml)
{
        *made = (struct made){ 0 };
        node_device_create_xml(devices, xml, 0, take_made, made);
}

#define VHBA                                                                                                 \
        "<device><parent%s/><capability type='scsi_host'><capability type='fc_host'>"                        \
        "<wwnn>20000000000000aa</wwnn><wwpn>20000000000000BB</wwpn></capability></capability></device>"

/* The kernel's part: the port that was asked for comes up. */
START_TEST(test_virtual_adapter)
{
        g_autofree char *by_names = g_strdup_printf(VHBA, " wwnn='20000024ff2b4e5f' wwpn='21000024ff2b4e5f'");
        g_autofree char *classes = host_path("/sys/class/fc_host/host8");
        struct outcome outcome = { 0 };
        struct made made;

        g_autofree char *parent = host_path("/sys/class/fc_host/host3");

        put_file(FC_HOST "/fc_host/host3/vport_create", "");
        put_file(FC_HOST "/fc_host/host3/vport_delete", "");
        put_file("/sys/class/fc_host/host8/node_name", "");
        ck_assert_int_eq(symlink("../../devices/pci0000:00/0000:00:03.0/host3/fc_host/host3", parent), 0);
        create(&made, by_names);
        while (loop_step(loop, false))
                ;
        umockdev_testbed_add_from_string(
                testbed,
                "P: /devices/pci0000:00/0000:00:03.0/host3/vport-3:0-0/host8\nE: SUBSYSTEM=scsi\n"
                "E: DEVTYPE=scsi_host\nA: fc_host/host8/node_name=0x20000000000000aa\n"
                "A: fc_host/host8/port_name=0x20000000000000bb\n",
                NULL);
        put_file("/sys/class/fc_host/host8/port_name", "0x20000000000000bb\n");
        put_file("/sys/class/fc_host/host8/node_name", "0x20000000000000aa\n");
        g_autofree char *link = g_build_filename(classes, "device", NULL);

        ck_assert_int_eq(symlink("../../../devices/pci0000:00/0000:00:03.0/host3/vport-3:0-0/host8", link),
                         0);
        expect_success(&made.outcome);
        ck_assert_str_eq(made.name, "scsi_host8");
        g_free(made.name);
        ck_assert_str_eq(find("scsi_host8")->parent, "scsi_host3");
        expect_file(FC_HOST "/fc_host/host3/vport_create", "20000000000000BB:20000000000000aa");
        node_device_destroy(devices, find("scsi_host8"), take_outcome, &outcome);
        umockdev_testbed_remove_device(testbed, FC_HOST "/vport-3:0-0/host8");
        expect_success(&outcome);
        expect_file(FC_HOST "/fc_host/host3/vport_delete", "20000000000000bb:20000000000000aa");
        ck_assert_ptr_null(node_device_lookup_name(devices, "scsi_host8", NULL));
}
END_TEST

/* The file is gone when there are no instances left, or says so. */
START_TEST(test_mediated_device_fails)
{
        struct made made;

        create(&made, "<device><parent>pci_0000_00_02_0</parent><capability type='mdev'><type id='nix'/>"
                      "</capability></device>");
        expect_failure(&made.outcome, ERROR_SYSTEM_ERROR, "mdev_supported_types/nix/create");
}
END_TEST

CHECK_MAIN_FIXTURE("node-devices", setup, teardown, test_documents, test_parents, test_filters,
                   test_capabilities, test_lookups, test_added_changed_removed, test_change_of_nothing,
                   test_gone_before_it_was_read, test_documents_are_fresh, test_strange_attributes,
                   test_vital_product_data, test_broken_product_data, test_names_of_a_host_come_late,
                   test_storm, test_detach_and_reattach, test_detach_fails, test_one_user_at_a_time,
                   test_reset, test_guests_keep_what_they_have, test_a_driver_that_hangs,
                   test_virtual_adapter, test_mediated_device_fails)
