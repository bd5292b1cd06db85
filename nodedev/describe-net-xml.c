/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Descriptions of network interfaces; what they can offload is asked of the kernel. The describer's thread.
 */
#include "nodedev/describe-xml.h"

#include "base/cleanup.h"

#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* A feature that has a command of its own, or a bit of those that ETHTOOL_GFLAGS has. */
struct feature {
        const char *name;
        uint32_t command;
        uint32_t mask;
};

static const struct feature features[] = {
        { "rx", ETHTOOL_GRXCSUM, UINT32_MAX },
        { "tx", ETHTOOL_GTXCSUM, UINT32_MAX },
        { "sg", ETHTOOL_GSG, UINT32_MAX },
        { "tso", ETHTOOL_GTSO, UINT32_MAX },
        { "ufo", ETHTOOL_GUFO, UINT32_MAX },
        { "gso", ETHTOOL_GGSO, UINT32_MAX },
        { "gro", ETHTOOL_GGRO, UINT32_MAX },
        { "lro", ETHTOOL_GFLAGS, ETH_FLAG_LRO },
        { "rxvlan", ETHTOOL_GFLAGS, ETH_FLAG_RXVLAN },
        { "txvlan", ETHTOOL_GFLAGS, ETH_FLAG_TXVLAN },
        { "ntuple", ETHTOOL_GFLAGS, ETH_FLAG_NTUPLE },
        { "rxhash", ETHTOOL_GFLAGS, ETH_FLAG_RXHASH },
};

static bool has_feature(int fd, const char *interface, const struct feature *feature)
{
        struct ethtool_value value = { .cmd = feature->command };
        struct ifreq request = { .ifr_data = (void *)&value };

        g_strlcpy(request.ifr_name, interface, sizeof(request.ifr_name));
        return ioctl(fd, SIOCETHTOOL, &request) == 0 && value.data & feature->mask;
}

static void add_feature(const struct description *description, const char *name)
{
        xml_set_attr(xml_add(description->capability, "feature"), "name", name);
}

static void add_features(const struct description *description, const char *interface)
{
        CLEANUP_FD int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        g_autofree char *rdma = description_get_path(description, "device/infiniband");

        for (unsigned i = 0; fd >= 0 && i < G_N_ELEMENTS(features); i++)
                if (has_feature(fd, interface, &features[i]))
                        add_feature(description, features[i].name);
        if (g_file_test(rdma, G_FILE_TEST_IS_DIR))
                add_feature(description, "rdma");
}

static void add_link(const struct description *description)
{
        const char *state = description_get_attribute(description, "operstate");
        int64_t speed = description_get_number(description, "speed");
        xmlNode *link;

        if (!state)
                return;
        link = xml_add(description->capability, "link");
        if (speed > 0)
                xml_set_attr_format(link, "speed", "%" G_GINT64_FORMAT, speed);
        xml_set_attr(link, "state", state);
}

bool describe_net(struct description *description)
{
        const char *interface = udev_device_get_sysname(description->device);
        bool is_wireless = g_strcmp0(udev_device_get_devtype(description->device), "wlan") == 0;

        xml_add_text(description->capability, "interface", interface);
        description_add(description->capability, "address",
                        description_get_attribute(description, "address"));
        add_link(description);
        add_features(description, interface);
        description_add_capability(description->capability, is_wireless ? "80211" : "80203");
        return true;
}
