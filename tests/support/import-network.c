/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/support/import-network.h"

#include "tests/support/import.h"

#define NETWORK                                                                                              \
        "<network><name>lan</name><uuid>31111111-2222-3333-4444-555555555555</uuid><forward mode='nat'/>"    \
        "<bridge name='virbr7' stp='on' delay='0'/><mac address='" IMPORT_BRIDGE_MAC "'/>"                   \
        "<ip address='10.77.7.1' netmask='255.255.255.0'><dhcp>"                                             \
        "<range start='10.77.7.10' end='10.77.7.90'/></dhcp></ip></network>"
#define STATUS "<networkstatus><class_id bitmap='0-2'/><floor sum='0'/>" NETWORK "</networkstatus>"

void import_put_network(void)
{
        g_autofree char *pid = import_path(harness, "run/libvirt/network/lan.pid"),
                        *conf = import_path(harness, "var/lib/libvirt/dnsmasq/lan.conf");
        g_autofree char *text = g_strdup_printf("user=root\npid-file=%s\nexcept-interface=lo\nbind-dynamic\n"
                                                "interface=virbr7\ndhcp-range=10.77.7.10,10.77.7.90\n",
                                                pid);

        g_free(run("ip link add virbr7 address " IMPORT_BRIDGE_MAC " type bridge"));
        g_free(run("ip address add 10.77.7.1/24 dev virbr7"));
        g_free(run("ip link set virbr7 up"));
        import_put(harness, "etc/libvirt/qemu/networks/lan.xml", NETWORK, -1);
        import_put(harness, "etc/libvirt/qemu/networks/autostart/lan.xml", NETWORK, -1);
        import_put(harness, "run/libvirt/network/lan.xml", STATUS, -1);
        import_put(harness, "run/libvirt/network/driver.pid", "1\n", -1);
        import_put(harness, "var/lib/libvirt/dnsmasq/virbr7.status",
                   "[{\"ip-address\":\"10.77.7.55\",\"mac-address\":\"" MAC "\",\"hostname\":\"web\","
                   "\"expiry-time\":4102444800}]",
                   -1);
        import_put(harness, "var/lib/libvirt/dnsmasq/lan.conf", text, -1);
        g_free(run("dnsmasq --conf-file=%s --leasefile-ro", conf));
}
