/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Documents of networks: their canonical form, what is refused, edits of one element. */
#include "base/error.h"
#include "drivers/network/network-def.h"
#include "tests/unit/check-main.h"

#include <string.h>

#define UUID "<uuid>3e3fce45-4f53-4fa7-bb32-11f34168b82b</uuid>"

/* ---- the canonical form ---- */

static char *read_document(const char *name, const char *suffix)
{
        g_autofree char *path = g_strdup_printf("%s/%s%s", DOCUMENTS, name, suffix);
        char *text;

        ck_assert_msg(g_file_get_contents(path, &text, NULL, NULL), "cannot read %s", path);
        return text;
}

static struct network_def *parse(const char *xml)
{
        g_autoptr(GError) error = NULL;
        struct network_def *def = network_def_parse(xml, &error);

        ck_assert_msg(def != NULL, "%s\n%s", error ? error->message : "", xml);
        return def;
}

/* Whole documents are more than a message takes. */
static void check_lines(const char *text, const char *wanted)
{
        g_auto(GStrv) lines = g_strsplit(text, "\n", -1), wanted_lines = g_strsplit(wanted, "\n", -1);

        for (unsigned i = 0; lines[i] && wanted_lines[i]; i++)
                ck_assert_str_eq(lines[i], wanted_lines[i]);
        ck_assert_uint_eq(g_strv_length(lines), g_strv_length(wanted_lines));
}

static void check_document(const char *name)
{
        g_autofree char *xml = read_document(name, ".xml"), *wanted = read_document(name, ".canonical");
        CLEANUP(network_def_unref) struct network_def *def = parse(xml), *again = parse(def->base.xml);

        check_lines(def->base.xml, wanted);
        ck_assert_str_eq(again->base.xml, def->base.xml);
        ck_assert_str_eq(def->base.name, name);
}

/* tests/unit/network-documents: as libvirt 9.0 writes them. */
START_TEST(test_canonical)
{
        static const char *const names[] = { "bridge", "hostdev", "isolated", "nat",
                                             "open",   "private", "rich",     "route" };

        for (unsigned i = 0; i < G_N_ELEMENTS(names); i++)
                check_document(names[i]);
}
END_TEST

START_TEST(test_view)
{
        g_autofree char *xml = read_document("rich", ".xml");
        CLEANUP(network_def_unref) struct network_def *def = parse(xml);
        const struct network_ip *ip = g_ptr_array_index(def->ips, 0);
        const struct network_range *range = g_ptr_array_index(ip->ranges, 0);
        const struct network_host *host = g_ptr_array_index(ip->hosts, 0);

        ck_assert_int_eq(def->forward, NETWORK_FORWARD_NAT);
        ck_assert_str_eq(def->forward_device, "eth0");
        ck_assert_uint_eq(def->nat.port_start, 1024);
        ck_assert_uint_eq(def->nat.port_end, 65535);
        ck_assert_str_eq(def->bridge, "virbr7");
        ck_assert(!def->bridge_stp && def->ipv6 && def->domain_local_only && def->dns.keep_plain_names);
        ck_assert_uint_eq(def->bridge_delay_s, 5);
        ck_assert_uint_eq(def->mtu, 9000);
        ck_assert_uint_eq(ip->prefix, 24);
        ck_assert_int_eq(range->lease_s, 3600);
        ck_assert_int_eq(host->lease_s, 3 * 3600);
        ck_assert_uint_eq(network_address_get_distance(&range->start, &range->end), 101);
        ck_assert_str_eq(ip->bootp_file, "pxe.0");
        ck_assert_str_eq(ip->tftp_root, "/srv/tftp");
        ck_assert_uint_eq(def->dns.forwarders->len, 3);
        ck_assert_uint_eq(def->routes->len, 2);
        ck_assert_uint_eq(def->portgroups->len, 2);
}
END_TEST

START_TEST(test_portgroups)
{
        CLEANUP(network_def_unref)
        struct network_def *def =
                parse("<network><name>a</name><bandwidth><inbound average='7'/></bandwidth>"
                      "<portgroup name='x'><bandwidth><inbound average='1' peak='2' burst='3'/>"
                      "<outbound average='4'/></bandwidth></portgroup>"
                      "<portgroup name='y' default='yes'><virtualport type='openvswitch'/></portgroup>"
                      "<portgroup name='z' trustGuestRxFilters='yes'/></network>");
        const struct network_portgroup *group = network_def_find_portgroup(def, "x");

        ck_assert_uint_eq(def->bandwidth.inbound.average_kbps, 7);
        ck_assert_ptr_null(def->unsupported);
        ck_assert_uint_eq(group->bandwidth.inbound.average_kbps, 1);
        ck_assert_uint_eq(group->bandwidth.inbound.peak_kbps, 2);
        ck_assert_uint_eq(group->bandwidth.inbound.burst_kib, 3);
        ck_assert_uint_eq(group->bandwidth.outbound.average_kbps, 4);
        ck_assert_ptr_null(group->unsupported);
        ck_assert_str_eq(network_def_find_portgroup(def, NULL)->name, "y");
        ck_assert_int_eq(network_def_find_portgroup(def, NULL)->virtual_port.type, VIRTUAL_PORT_OPENVSWITCH);
        ck_assert_int_eq(network_def_find_portgroup(def, NULL)->trust, NETWORK_TRUST_UNSAID);
        ck_assert_int_eq(network_def_find_portgroup(def, "z")->trust, NETWORK_TRUST_YES);
        ck_assert_ptr_null(network_def_find_portgroup(def, "w"));
}
END_TEST

START_TEST(test_completed)
{
        CLEANUP(network_def_unref) struct network_def *def = parse("<network><name>a</name></network>");
        CLEANUP(network_def_unref)
        struct network_def *full = network_def_with_bridge(def, "virbr3", "52:54:00:01:02:03", NULL);
        CLEANUP(network_def_unref)
        struct network_def *kept = network_def_with_bridge(full, "virbr4", "52:54:00:01:02:04", NULL);

        ck_assert(uuid_equal(&def->base.uuid, &full->base.uuid));
        ck_assert_str_eq(full->bridge, "virbr3");
        ck_assert_str_eq(full->mac, "52:54:00:01:02:03");
        ck_assert_str_eq(full->base.xml, kept->base.xml);
}
END_TEST

/* ---- what is refused ---- */

static void refuse(const char *xml, const char *wanted)
{
        g_autoptr(GError) error = NULL;
        CLEANUP(network_def_unref) struct network_def *def = network_def_parse(xml, &error);

        ck_assert_msg(def == NULL, "taken: %s", xml);
        ck_assert_msg(strstr(error->message, wanted) != NULL, "'%s', not '%s': %s", error->message, wanted,
                      xml);
}

#define BODY(body) "<network><name>a</name>" body "</network>"
#define IP(body)   BODY("<ip address='10.0.0.1' prefix='24'>" body "</ip>")
#define DHCP(body) IP("<dhcp>" body "</dhcp>")
#define DNS(body)  BODY("<dns>" body "</dns>")

START_TEST(test_refused_names)
{
        refuse("<network/>", "missing name");
        refuse("<network><name>a/b</name></network>", "cannot contain '/'");
        refuse("<network><name>a&#10;b</name></network>", "control character");
        refuse("<network><name>..</name></network>", "cannot be a network's name");
        refuse(BODY("<uuid>1</uuid>"), "malformed uuid");
        refuse(BODY("<bridge name='abcdefghijklmnop'/>"), "longer than 15 bytes");
        refuse(BODY("<bridge name='a/b'/>"), "cannot be the name of an interface");
        refuse(BODY("<bridge name='a'/><bridge name='b'/>"), "more than one <bridge>");
        refuse(BODY("<mac address='01:00:00:00:00:00'/>"), "multicast");
        refuse(BODY("<mac address='52:54:00'/>"), "no MAC address");
        refuse(BODY("<mtu size='67'/>"), "MTU");
        refuse(BODY("<forward mode='x'/>"), "unknown value 'x'");
        refuse(BODY("<forward mode='hostdev'/><vlan><tag/></vlan>"), "missing attribute 'id'");
        refuse(BODY("<portgroup name='a'><vlan trunk='yes'/></portgroup>"), "missing tag id");
        refuse(BODY("<forward mode='hostdev'><interface dev='eth0'/></forward>"), "lists 'eth0'");
        refuse(BODY("<forward mode='hostdev'><address type='usb' bus='1' slot='2' function='3'/></forward>"),
               "not of type 'pci'");
        refuse(BODY("<forward mode='hostdev'><address type='pci' bus='1' slot='2' function='3'/>"
                    "<address type='pci' bus='0x01' slot='0x02' function='3'/></forward>"),
               "0000:01:02.3 is there twice");
        refuse(BODY("<forward mode='route'><nat><port start='1' end='2'/></nat></forward>"), "<nat> needs");
        refuse(BODY("<forward><nat><port start='9' end='2'/></nat></forward>"), "ports of NAT");
        refuse(BODY("<forward mode='private'/><ip address='10.0.0.1'/>"), "takes no <ip>");
}
END_TEST

START_TEST(test_refused_addresses)
{
        refuse(BODY("<ip/>"), "missing address");
        refuse(BODY("<ip address='10.0.0.256'/>"), "no IP address");
        refuse(BODY("<ip address='10.0.0.1' prefix='33'/>"), "longer than the address");
        refuse(BODY("<ip address='10.0.0.1' netmask='255.0.255.0'/>"), "netmask");
        refuse(BODY("<ip address='10.0.0.1' netmask='255.0.0.0' prefix='8'/>"), "not both");
        refuse(BODY("<ip address='2001:db8::1' prefix='64'/>"), "family 'ipv6'");
        refuse(BODY("<ip address='10.0.0.1' prefix='24'/><ip address='10.0.0.9' prefix='28'/>"), "overlap");
        refuse(BODY("<ip address='10.0.0.1' prefix='24'/>"
                    "<route address='10.1.0.0' prefix='16' gateway='10.2.0.1'/>"),
               "in none of its networks");
        refuse(BODY("<ip address='10.0.0.1' prefix='24'/>"
                    "<route address='10.1.0.1' prefix='16' gateway='10.0.0.2'/>"),
               "not that of a network of 16 bits");
        refuse(BODY("<forward mode='nat'/>"), "nat forwarding requested, but no IP address");
        refuse(BODY("<forward mode='route'/>"), "route forwarding requested, but no IP address");
        refuse(BODY("<forward mode='bridge'/><bridge name='a'/><mtu size='1400'/>"), "takes no <mtu>");
        refuse(BODY("<forward mode='bridge'/><bridge name='a'/><dns enable='no'/>"), "takes no <dns>");
        refuse(DHCP("<host name='a'/>"), "without an IP address needs a name");
}
END_TEST

START_TEST(test_refused_dhcp)
{
        refuse(DHCP("<range start='10.0.0.9' end='10.0.0.5'/>"), "reversed");
        refuse(DHCP("<range start='10.0.0.9' end='10.0.1.5'/>"), "not entirely within network 10.0.0.1/24");
        refuse(DHCP("<range start='10.0.0.0' end='10.0.0.5'/>"), "address of the network");
        refuse(DHCP("<range start='10.0.0.5' end='10.0.0.255'/>"), "address of the network");
        refuse(DHCP("<range start='10.0.0.5' end='10.0.0.9'/><range start='10.0.0.9' end='10.0.0.12'/>"),
               "overlaps");
        refuse(BODY("<ip address='10.0.0.1' prefix='8'><dhcp><range start='10.0.0.5' "
                    "end='10.9.0.9'/></dhcp></ip>"),
               "more than 65536 addresses");
        refuse(DHCP("<range start='10.0.0.5' end='10.0.0.9'><lease expiry='119' unit='seconds'/></range>"),
               "less than two minutes");
        refuse(DHCP("<host mac='52:54:00:00:00:01' ip='10.0.0.5'/><host mac='52:54:00:00:00:01' "
                    "ip='10.0.0.6'/>"),
               "two hosts have the MAC address");
        refuse(DHCP("<host mac='52:54:00:00:00:0a' ip='10.0.0.5'/><host mac='52:54:00:00:00:0A' "
                    "ip='10.0.0.6'/>"),
               "two hosts have the MAC address");
        refuse(DHCP("<host mac='52:54:00:00:00:01' ip='10.0.0.5'/><host mac='52:54:00:00:00:02' "
                    "ip='10.0.0.5'/>"),
               "two hosts have the IP address 10.0.0.5");
        refuse(DHCP("<host mac='52:54:00:00:00:01' ip='10.0.5.5'/>"), "not within network");
        refuse(DHCP("<host mac='52:54:00:00:00:01' name='a,b' ip='10.0.0.5'/>"), "file of dnsmasq");
        refuse(DHCP("<host mac='52:54:00:00:00:01'/>"), "without an IP address needs a name");
        refuse(DHCP("<bootp server='10.0.0.2'/>"), "'file'");
        refuse(BODY("<ip address='10.0.0.1' prefix='24'><dhcp><host name='a' ip='10.0.0.2'/></dhcp></ip>"
                    "<ip address='10.1.0.1' prefix='24'><dhcp><host name='a' ip='10.1.0.2'/></dhcp></ip>"),
               "more than one IPv4 address");
}
END_TEST

#define DNSMASQ "http://libvirt.org/schemas/network/dnsmasq/1.0"
#define OPTIONS(inner)                                                                                       \
        "<network xmlns:d='" DNSMASQ "'><name>n</name><d:options>" inner "</d:options>"                      \
        "<ip address='10.0.0.1' prefix='24'/></network>"

/* Nothing adds a line to the file of dnsmasq, which runs scripts that it names. */
START_TEST(test_refused_lines)
{
        static const char *const documents[] = {
                DNS("<txt name='a' value='b&#10;dhcp-script=/bin/sh'/>"),
                DNS("<txt name='a&#10;b' value='b'/>"),
                DNS("<txt name='a' value='b&#13;c'/>"),
                DNS("<srv service='a&#10;b' protocol='tcp'/>"),
                DNS("<srv service='a' protocol='tcp' domain='a&#10;b'/>"),
                DNS("<srv service='a' protocol='tcp' target='a&#10;b'/>"),
                DNS("<host ip='10.0.0.2'><hostname>a&#10;b</hostname></host>"),
                DNS("<forwarder domain='a&#10;b' addr='1.1.1.1'/>"),
                BODY("<domain name='a&#10;b'/>"),
                BODY("<bridge name='a&#10;b'/>"),
                BODY("<bridge name='a' zone='b&#10;c'/>"),
                IP("<tftp root='/a&#10;b'/>"),
                DHCP("<bootp file='a&#10;b'/>"),
                DHCP("<bootp file='a' server='a&#10;b'/>"),
                DHCP("<host mac='52:54:00:00:00:01' name='a&#10;b' ip='10.0.0.5'/>"),
        };

        for (unsigned i = 0; i < G_N_ELEMENTS(documents); i++)
                refuse(documents[i], "control character");
        refuse(DNS("<txt name='a' value='b&quot;'/>"), "quote");
        refuse(DNS("<forwarder domain='a/b' addr='1.1.1.1'/>"), "name of DNS");
        refuse(DNS("<forwarder/>"), "needs a domain");
        refuse(DNS("<txt name='a'/>"), "'value'");
        refuse(DNS("<srv service='a' protocol='x,y'/>"), "name of DNS");
        refuse("<network><name>n</name><ip family='ipv6' address='fd00::1' prefix='64'><tftp root='/a'/></ip>"
               "</network>",
               "is of IPv4");
        refuse(OPTIONS("<d:option value='a&#10;b'/>"), "control character");
        refuse(OPTIONS("<d:option/>"), "'value'");
        refuse(OPTIONS("<d:option value='a'/></d:options><d:options>"), "more than one");
        refuse("<network xmlns:d='" DNSMASQ "'><name>n</name><forward mode='bridge'/><bridge name='b'/>"
               "<d:options><d:option value='a'/></d:options></network>",
               "takes no <dnsmasq:options>");
        refuse("<network><name>n</name><forward mode='bridge'/><bridge name='b' stp='on'/></network>",
               "takes no stp");
        refuse(DNS("<host ip='10.0.0.2'/>"), "without a name");
        refuse(BODY("<dns enable='no'><txt name='a' value='b'/></dns>"), "not enabled");
        refuse(BODY("<domain name='a/b'/>"), "name of DNS");
}
END_TEST

/* ---- edits ---- */

static struct network_def *def;

static void edit_at(unsigned command, unsigned section, int index, const char *xml, const char *wanted)
{
        struct network_update update = { command, section, index, xml };
        g_autoptr(GError) error = NULL;
        struct network_def *edited = network_def_update(def, &update, &error);

        if (wanted && *wanted == '!') {
                ck_assert_msg(edited == NULL, "taken: %s", xml);
                ck_assert_msg(strstr(error->message, wanted + 1) != NULL, "'%s': %s", error->message, xml);
                return;
        }
        ck_assert_msg(edited != NULL, "%s: %s", error ? error->message : "", xml);
        network_def_unref(def);
        def = edited;
        ck_assert_msg(!wanted || strstr(def->base.xml, wanted) != NULL, "no %s in\n%s", wanted,
                      def->base.xml);
}

static void edit(unsigned command, unsigned section, const char *xml, const char *wanted)
{
        edit_at(command, section, -1, xml, wanted);
}

static void begin(void)
{
        def = parse("<network><name>a</name>" UUID "<forward mode='private'/></network>");
}

static void begin_nat(void)
{
        def = parse("<network><name>a</name>" UUID "<forward/><ip address='10.0.0.1' prefix='24'>"
                    "<dhcp><range start='10.0.0.2' end='10.0.0.99'/></dhcp></ip>"
                    "<ip family='ipv6' address='2001:db8::1' prefix='64'/></network>");
}

#define HOST_A "<host mac='52:54:00:00:00:01' ip='10.0.0.5'/>"
#define HOST_B "<host mac='52:54:00:00:00:02' ip='10.0.0.6'/>"

START_TEST(test_update_hosts)
{
        begin_nat();
        edit(NETWORK_UPDATE_ADD_LAST, NETWORK_SECTION_IP_DHCP_HOST, HOST_A, HOST_A);
        edit(NETWORK_UPDATE_ADD_LAST, NETWORK_SECTION_IP_DHCP_HOST, HOST_A, "!existing dhcp host");
        edit(NETWORK_UPDATE_ADD_LAST, NETWORK_SECTION_IP_DHCP_HOST,
             "<host mac='52:54:00:00:00:09' ip='10.0.0.5'/>", "!existing dhcp host");
        edit(NETWORK_UPDATE_ADD_FIRST, NETWORK_SECTION_IP_DHCP_HOST, HOST_B,
             "      " HOST_B "\n      " HOST_A "\n");
        edit(NETWORK_UPDATE_MODIFY, NETWORK_SECTION_IP_DHCP_HOST,
             "<host mac='52:54:00:00:00:01' ip='10.0.0.7'/>",
             "<host mac='52:54:00:00:00:01' ip='10.0.0.7'/>");
        edit(NETWORK_UPDATE_MODIFY, NETWORK_SECTION_IP_DHCP_HOST,
             "<host mac='52:54:00:00:00:01' ip='10.0.0.6'/>", "!two hosts have the IP address");
        edit(NETWORK_UPDATE_MODIFY, NETWORK_SECTION_IP_DHCP_HOST,
             "<host mac='52:54:00:00:00:08' ip='10.0.0.88'/>", "!couldn't locate");
        edit(NETWORK_UPDATE_DELETE, NETWORK_SECTION_IP_DHCP_HOST,
             "<host mac='52:54:00:00:00:01' ip='10.0.0.6'/>", "!couldn't locate");
        edit(NETWORK_UPDATE_DELETE, NETWORK_SECTION_IP_DHCP_HOST, "<host ip='10.0.0.6'/>", NULL);
        ck_assert(!strstr(def->base.xml, "52:54:00:00:00:02"));
        edit(NETWORK_UPDATE_ADD_LAST, NETWORK_SECTION_IP_DHCP_HOST, "<host name='six' ip='2001:db8::9'/>",
             "<host name='six' ip='2001:db8::9'/>");
        edit(NETWORK_UPDATE_DELETE, NETWORK_SECTION_IP_DHCP_HOST, "<host ip='2001:DB8:0::9'/>", NULL);
        edit_at(NETWORK_UPDATE_ADD_LAST, NETWORK_SECTION_IP_DHCP_HOST, 1, HOST_B, "!no MAC address");
        edit_at(NETWORK_UPDATE_ADD_LAST, NETWORK_SECTION_IP_DHCP_HOST, 2, HOST_B, "!at index 2");
        edit(NETWORK_UPDATE_ADD_LAST, NETWORK_SECTION_IP_DHCP_HOST, "<foo/>", "!unexpected element <foo>");
        network_def_unref(def);
}
END_TEST

START_TEST(test_update_ranges)
{
        static const char range[] = "<range start='10.0.0.110' end='10.0.0.120'/>";

        begin_nat();
        edit(NETWORK_UPDATE_ADD_LAST, NETWORK_SECTION_IP_DHCP_RANGE, range, range);
        edit(NETWORK_UPDATE_ADD_LAST, NETWORK_SECTION_IP_DHCP_RANGE, range, "!existing dhcp range");
        edit(NETWORK_UPDATE_ADD_LAST, NETWORK_SECTION_IP_DHCP_RANGE,
             "<range start='10.0.0.90' end='10.0.0.105'/>", "!overlaps");
        edit(NETWORK_UPDATE_MODIFY, NETWORK_SECTION_IP_DHCP_RANGE, range, "!cannot be modified");
        edit(NETWORK_UPDATE_DELETE, NETWORK_SECTION_IP_DHCP_RANGE, range, NULL);
        edit(NETWORK_UPDATE_DELETE, NETWORK_SECTION_IP_DHCP_RANGE, range, "!couldn't locate");
        edit(NETWORK_UPDATE_DELETE, NETWORK_SECTION_IP_DHCP_RANGE,
             "<range start='10.0.0.2' end='10.0.0.99'/>", NULL);
        ck_assert(!strstr(def->base.xml, "dhcp"));
        network_def_unref(def);
}
END_TEST

START_TEST(test_update_dns)
{
        begin_nat();
        edit(NETWORK_UPDATE_ADD_LAST, NETWORK_SECTION_DNS_TXT, "<txt name='a' value='b'/>",
             "<txt name='a' value='b'/>");
        edit(NETWORK_UPDATE_ADD_LAST, NETWORK_SECTION_DNS_TXT, "<txt name='a' value='c'/>",
             "!existing DNS TXT");
        edit(NETWORK_UPDATE_ADD_LAST, NETWORK_SECTION_DNS_TXT, "<txt name='c' value='a&#10;b'/>",
             "!control character");
        edit(NETWORK_UPDATE_MODIFY, NETWORK_SECTION_DNS_TXT, "<txt name='a' value='c'/>",
             "!cannot be modified");
        edit(NETWORK_UPDATE_DELETE, NETWORK_SECTION_DNS_TXT, "<txt name='a'/>", NULL);
        ck_assert(!strstr(def->base.xml, "dns"));
        edit(NETWORK_UPDATE_ADD_LAST, NETWORK_SECTION_DNS_SRV, "<srv service='a' protocol='tcp'/>", "<srv ");
        edit(NETWORK_UPDATE_DELETE, NETWORK_SECTION_DNS_SRV, "<srv service='b'/>", "!couldn't locate");
        edit(NETWORK_UPDATE_DELETE, NETWORK_SECTION_DNS_SRV, "<srv service='a'/>", NULL);
        edit(NETWORK_UPDATE_ADD_LAST, NETWORK_SECTION_DNS_HOST,
             "<host ip='1.1.1.1'><hostname>x</hostname></host>", "<hostname>x</hostname>");
        edit(NETWORK_UPDATE_ADD_LAST, NETWORK_SECTION_DNS_HOST,
             "<host ip='1.1.1.1'><hostname>y</hostname></host>", "!existing DNS HOST");
        edit(NETWORK_UPDATE_DELETE, NETWORK_SECTION_DNS_HOST, "<host ip='1.1.1.1'/>", NULL);
        network_def_unref(def);
}
END_TEST

START_TEST(test_update_others)
{
        begin();
        edit(NETWORK_UPDATE_ADD_LAST, NETWORK_SECTION_FORWARD_INTERFACE, "<interface dev='e'/>",
             "<forward dev='e' mode='private'>");
        edit(NETWORK_UPDATE_ADD_FIRST, NETWORK_SECTION_FORWARD_INTERFACE, "<interface dev='d'/>",
             "<forward dev='d' mode='private'>");
        edit(NETWORK_UPDATE_ADD_LAST, NETWORK_SECTION_FORWARD_INTERFACE, "<interface dev='e'/>", "!existing");
        edit(NETWORK_UPDATE_DELETE, NETWORK_SECTION_FORWARD_INTERFACE, "<interface dev='d'/>",
             "<forward dev='e' mode='private'>");
        edit(NETWORK_UPDATE_DELETE, NETWORK_SECTION_FORWARD_INTERFACE, "<interface dev='e'/>",
             "<forward mode='private'/>");
        edit(NETWORK_UPDATE_ADD_LAST, NETWORK_SECTION_PORTGROUP, "<portgroup name='z'/>",
             "<portgroup name='z'>\n  </portgroup>");
        edit(NETWORK_UPDATE_MODIFY, NETWORK_SECTION_PORTGROUP, "<portgroup name='z' default='yes'/>",
             "<portgroup name='z' default='yes'>");
        edit(NETWORK_UPDATE_ADD_LAST, NETWORK_SECTION_PORTGROUP, "<portgroup name='y' default='yes'/>",
             "!more than one portgroup");
        edit(NETWORK_UPDATE_DELETE, NETWORK_SECTION_PORTGROUP, "<portgroup name='z'/>", NULL);
        edit(NETWORK_UPDATE_ADD_LAST, NETWORK_SECTION_BRIDGE, "<bridge/>", "!can't update 'bridge' section");
        edit(NETWORK_UPDATE_ADD_LAST, 13, "<bridge/>", "!can't update section 13");
        edit(NETWORK_UPDATE_ADD_LAST, 0, "<bridge/>", "!can't update section 0");
        edit(5, NETWORK_SECTION_PORTGROUP, "<portgroup name='z'/>", "!command code 5");
        edit(0, NETWORK_SECTION_PORTGROUP, "<portgroup name='z'/>", "!command code 0");
        network_def_unref(def);
}
END_TEST

CHECK_MAIN("network-definition", test_canonical, test_view, test_portgroups, test_completed,
           test_refused_names, test_refused_addresses, test_refused_dhcp, test_refused_lines,
           test_update_hosts, test_update_ranges, test_update_dns, test_update_others)
