/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Descriptions of PCI devices: from sysfs and from their configuration space (PCI Local Bus 3.0, chapter 6;
 * PCI Express Base 3.0, section 7.8). The describer's thread.
 */
#include "nodedev/describe-xml.h"

#include "base/cleanup.h"

#include <fcntl.h>
#include <linux/pci_regs.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* Beyond is what PCI Express alone has. */
#define CONFIG_SIZE 256
/* A list of capabilities in 192 bytes has no more; one that goes round ends. */
#define CAPABILITIES_MAX 48

/* Read as far as it is asked for: each word is a question to the device, and a slow one in virtual machines.
 */
struct config {
        int fd; /* owned; -1: it cannot be read */
        bool is_extended;
};

static void config_open(struct config *config, const struct description *description)
{
        g_autofree char *path = description_get_path(description, "config");
        struct stat status;

        config->fd = open(path, O_RDONLY | O_CLOEXEC);
        config->is_extended =
                config->fd >= 0 && fstat(config->fd, &status) == 0 && status.st_size > CONFIG_SIZE;
}

/* What cannot be read is 0. Who is not root reads the first 64 bytes. */
static unsigned get_byte(const struct config *config, unsigned at)
{
        uint8_t byte;

        return config->fd >= 0 && at < CONFIG_SIZE && pread(config->fd, &byte, 1, at) == 1 ? byte : 0;
}

static unsigned get_word(const struct config *config, unsigned at)
{
        uint8_t bytes[2];

        if (config->fd < 0 || at + 1 >= CONFIG_SIZE ||
            pread(config->fd, bytes, sizeof(bytes), at) != sizeof(bytes))
                return 0;
        return bytes[0] | (unsigned)bytes[1] << 8;
}

/* 0: the device has no such capability. */
static unsigned find_capability(const struct config *config, unsigned id)
{
        unsigned at;

        if (!(get_word(config, PCI_STATUS) & PCI_STATUS_CAP_LIST))
                return 0;
        at = get_byte(config, PCI_CAPABILITY_LIST) & ~3u;
        for (unsigned i = 0; at && i < CAPABILITIES_MAX; i++) {
                if (get_byte(config, at + PCI_CAP_LIST_ID) == id)
                        return at;
                at = get_byte(config, at + PCI_CAP_LIST_NEXT) & ~3u;
        }
        return 0;
}

/* ---- addresses ---- */

static bool parse_address(const char *name, unsigned address[4])
{
        int end = 0;

        return sscanf(name, "%x:%x:%x.%x%n", &address[0], &address[1], &address[2], &address[3], &end) == 4 &&
               name[end] == '\0';
}

static void add_address(xmlNode *parent, const char *name)
{
        unsigned address[4];
        xmlNode *node;

        if (!parse_address(name, address))
                return;
        node = xml_add(parent, "address");
        xml_set_attr_format(node, "domain", "0x%04x", address[0]);
        xml_set_attr_format(node, "bus", "0x%02x", address[1]);
        xml_set_attr_format(node, "slot", "0x%02x", address[2]);
        xml_set_attr_format(node, "function", "0x%x", address[3]);
}

static bool add_own_address(const struct description *description)
{
        static const char *const names[] = { "domain", "bus", "slot", "function" };
        unsigned address[4];

        if (!parse_address(udev_device_get_sysname(description->device), address))
                return false;
        for (unsigned i = 0; i < G_N_ELEMENTS(names); i++)
                xml_add_text_format(description->capability, names[i], "%u", address[i]);
        return true;
}

/* ---- parts ---- */

static void add_class(const struct description *description)
{
        int64_t class = description_get_number(description, "class");

        if (class >= 0)
                xml_add_text_format(description->capability, "class", "0x%06x", (unsigned)class);
}

/* <product id='0x..'>as the hardware database has it</product> */
static void add_id(const struct description *description, const char *name, const char *attribute,
                   const char *property)
{
        const char *id = description_get_attribute(description, attribute);
        const char *text = description_get_property(description, property);
        xmlNode *node;

        if (!id)
                return;
        if (!text)
                text = description_ask_hwdb(description, description_get_attribute(description, "modalias"),
                                            property);
        node = text ? xml_add_text(description->capability, name, text)
                    : xml_add(description->capability, name);
        xml_set_attr(node, "id", id);
}

static void add_physical_function(const struct description *description)
{
        g_autofree char *function = description_get_link(description, "physfn");

        if (function)
                add_address(description_add_capability(description->capability, "phys_function"), function);
}

static void add_virtual_functions(const struct description *description)
{
        int64_t max = description_get_number(description, "sriov_totalvfs");
        xmlNode *capability = NULL;

        if (max > 0) {
                capability = description_add_capability(description->capability, "virt_functions");
                xml_set_attr_format(capability, "maxCount", "%u", (unsigned)max);
        }
        for (unsigned i = 0;; i++) {
                g_autofree char *name = g_strdup_printf("virtfn%u", i);
                g_autofree char *function = description_get_link(description, name);

                if (!function)
                        return;
                if (!capability)
                        capability = description_add_capability(description->capability, "virt_functions");
                add_address(capability, function);
        }
}

static void add_bridge(const struct description *description, const struct config *config)
{
        unsigned type = get_byte(config, PCI_HEADER_TYPE) & 0x7f;

        if (type == PCI_HEADER_TYPE_BRIDGE)
                description_add_capability(description->capability, "pci-bridge");
        else if (type == PCI_HEADER_TYPE_CARDBUS)
                description_add_capability(description->capability, "cardbus-bridge");
}

static void add_iommu_group(const struct description *description)
{
        g_autofree char *group = description_get_link(description, "iommu_group");
        g_autoptr(GPtrArray) devices = NULL;
        xmlNode *node;

        if (!group)
                return;
        devices = description_list(description, "iommu_group/devices");
        node = xml_add(description->capability, "iommuGroup");
        xml_set_attr(node, "number", group);
        for (unsigned i = 0; i < devices->len; i++)
                add_address(node, g_ptr_array_index(devices, i));
        g_ptr_array_add(devices, NULL);
        description->result->iommu_group = (char **)g_ptr_array_steal(devices, NULL);
}

static void add_numa(const struct description *description)
{
        int64_t node = description_get_number(description, "numa_node");

        if (node >= 0)
                xml_set_attr_format(xml_add(description->capability, "numa"), "node", "%u", (unsigned)node);
}

/* In GT/s, by the encoding of Link Speeds. */
static void set_link(xmlNode *link, unsigned value)
{
        static const char *const speeds[] = { NULL, "2.5", "5", "8", "16", "32", "64" };
        unsigned speed = value & PCI_EXP_LNKCAP_SLS;

        if (speed < G_N_ELEMENTS(speeds) && speeds[speed])
                xml_set_attr(link, "speed", speeds[speed]);
        xml_set_attr_format(link, "width", "%u", (value & PCI_EXP_LNKCAP_MLW) >> 4);
}

static void add_express(const struct description *description, const struct config *config)
{
        unsigned at = find_capability(config, PCI_CAP_ID_EXP), type, can;
        xmlNode *express, *link;

        if (!at && !config->is_extended)
                return;
        express = xml_add(description->capability, "pci-express");
        if (!at)
                return;
        type = (get_word(config, at + PCI_EXP_FLAGS) & PCI_EXP_FLAGS_TYPE) >> 4;
        /* What is part of the root complex is on no link. */
        if (type == PCI_EXP_TYPE_RC_END || type == PCI_EXP_TYPE_RC_EC)
                return;
        can = get_word(config, at + PCI_EXP_LNKCAP) | get_word(config, at + PCI_EXP_LNKCAP + 2) << 16;
        link = xml_add(express, "link");
        xml_set_attr(link, "validity", "cap");
        xml_set_attr_format(link, "port", "%u", can >> 24);
        set_link(link, can);
        link = xml_add(express, "link");
        xml_set_attr(link, "validity", "sta");
        set_link(link, get_word(config, at + PCI_EXP_LNKSTA));
}

bool describe_pci(struct description *description)
{
        struct config config;

        description->result->pci = g_strdup(udev_device_get_sysname(description->device));
        add_class(description);
        if (!add_own_address(description))
                return false;
        add_id(description, "product", "device", "ID_MODEL_FROM_DATABASE");
        add_id(description, "vendor", "vendor", "ID_VENDOR_FROM_DATABASE");
        add_physical_function(description);
        add_virtual_functions(description);
        config_open(&config, description);
        add_bridge(description, &config);
        description_add_mdev_types(description);
        description_add_vpd(description);
        add_iommu_group(description);
        add_numa(description);
        add_express(description, &config);
        fd_cleanup(&config.fd);
        return true;
}
