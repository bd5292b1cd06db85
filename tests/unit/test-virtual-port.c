/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* <virtualport>: what libvirt reads, refuses, completes and merges. */
#include "base/error.h"
#include "base/xml.h"
#include "interfaces/virtual-port-xml.h"
#include "tests/unit/check-main.h"

#include <string.h>

#define ID    "09b11c53-8b5c-4eeb-8f00-d84eaa0aaa4f"
#define OTHER "44798032-e463-4692-9c9a-ce62583cb894"
#define QBG   "managerid='11' typeid='0x123457' typeidversion='2'"
#define ALL   (VIRTUAL_PORT_NEEDS_TYPE | VIRTUAL_PORT_NEEDS_VALUES)

/* type and parameters: attributes. wanted: part of the error; NULL: none. */
static struct virtual_port read_port(const char *type, const char *parameters, unsigned needs,
                                     const char *wanted)
{
        g_autofree char *text =
                g_strdup_printf("<virtualport %s><parameters %s/></virtualport>", type, parameters);
        g_autoptr(xmlDoc) doc = xml_parse(text, NULL, NULL);
        g_autoptr(GError) error = NULL;
        struct virtual_port port;
        bool read = virtual_port_read(xml_root(doc), needs, &port, &error);

        ck_assert_msg(read == !wanted, "%s: %s", text, error ? error->message : "no error");
        ck_assert_msg(!wanted || strstr(error->message, wanted), "%s: %s", text,
                      wanted ? error->message : "");
        return port;
}

static const struct {
        const char *type, *parameters;
        unsigned needs;
        const char *wanted;
} documents[] = {
        { "type='802.1Qbg'", "", ALL, "missing managerid in <virtualport type='802.1Qbg'>" },
        { "type='802.1Qbg'", QBG, ALL, "missing instanceid" },
        { "type='802.1Qbg'", QBG " instanceid='" ID "'", ALL, NULL },
        { "type='802.1Qbg'", "", VIRTUAL_PORT_NEEDS_TYPE, NULL },
        { "type='802.1Qbg'", "managerid='256'", 0, "value of managerid out of range" },
        { "type='802.1Qbg'", "typeid='16777216'", 0, "value for typeid out of range" },
        { "type='802.1Qbg'", "typeidversion='256'", 0, "value of typeidversion out of range" },
        { "type='802.1Qbg'", "managerid='x'", 0, "cannot parse value of managerid parameter" },
        { "type='802.1Qbg'", "managerid='-1'", 0, "cannot parse value of managerid parameter" },
        { "type='802.1Qbg'", "instanceid='x'", 0, "cannot parse instanceid parameter as a uuid" },
        { "type='802.1Qbg'", "interfaceid='" ID "'", 0,
          "extra interfaceid unsupported in <virtualport type='802.1Qbg'>" },
        { "type='802.1Qbh'", "", ALL, "missing profileid in <virtualport type='802.1Qbh'>" },
        { "type='802.1Qbh'", "profileid='0123456789012345678901234567890123456789'", ALL,
          "profileid parameter too long" },
        { "type='802.1Qbh'", "profileid='012345678901234567890123456789012345678'", ALL, NULL },
        { "type='802.1Qbh'", "profileid='a' managerid='1'", ALL, "extra managerid unsupported" },
        { "type='openvswitch'", "interfaceid='" ID "' profileid=''", ALL, NULL },
        { "type='openvswitch'", "interfaceid='x'", ALL, "cannot parse interfaceid parameter as a uuid" },
        { "type='openvswitch'", "instanceid='" ID "'", 0, "extra instanceid unsupported" },
        { "type='midonet'", "", ALL, "missing interfaceid in <virtualport type='midonet'>" },
        { "type='midonet'", "interfaceid='" ID "' profileid='x'", ALL, NULL },
        { "type='foo'", "", 0, "unknown virtualport type foo" },
        { "", "profileid='x' managerid='9'", 0, NULL },
        { "", "profileid='x'", VIRTUAL_PORT_NEEDS_TYPE, "missing required virtualport type" },
};

START_TEST(test_documents)
{
        for (unsigned i = 0; i < G_N_ELEMENTS(documents); i++)
                read_port(documents[i].type, documents[i].parameters, documents[i].needs,
                          documents[i].wanted);
}
END_TEST

/* What is left out is chosen, by type; numbers are written as they always are. */
static void check_filled(const char *type, const char *parameters, const char *has, const char *has_not)
{
        g_autofree char *text =
                g_strdup_printf("<virtualport %s><parameters %s/></virtualport>", type, parameters);
        g_autoptr(xmlDoc) doc = xml_parse(text, NULL, NULL);
        g_autofree char *filled = NULL;

        virtual_port_fill(xml_root(doc));
        filled = xml_write(doc, NULL);
        ck_assert_msg(strstr(filled, has) && !strstr(filled, has_not), "%s", filled);
}

START_TEST(test_filled)
{
        check_filled("type='openvswitch'", "", "interfaceid='", "instanceid");
        check_filled("type='openvswitch'", "interfaceid='" ID "'", "interfaceid='" ID "'", "instanceid");
        check_filled("type='802.1Qbg'", QBG, "instanceid='", "interfaceid");
        check_filled("type='802.1Qbg'", QBG, "typeid='1193047'", "0x");
        check_filled("type='802.1Qbh'", "", "802.1Qbh", "id='");
        check_filled("", "instanceid='" ID "'", "interfaceid='", "profileid");
        check_filled("type='foo'", "", "foo", "id='");
        virtual_port_fill(NULL);
}
END_TEST

static void merge(struct virtual_port *to, struct virtual_port from, const char *wanted)
{
        g_autoptr(GError) error = NULL;
        bool merged = virtual_port_merge(to, &from, &error);

        ck_assert_msg(merged == !wanted, "%s", error ? error->message : "no error");
        ck_assert_msg(!wanted || strcmp(error->message, wanted) == 0, "%s", wanted ? error->message : "");
}

START_TEST(test_merged)
{
        struct virtual_port port = { 0 }, from = { 0 };
        g_autoptr(GError) error = NULL;

        /* Nothing and nothing is nothing. */
        merge(&port, from, NULL);
        ck_assert(!port.is_there && virtual_port_complete(&port, NULL));
        port = read_port("", "profileid='prof'", 0, NULL);
        merge(&port, read_port("type='openvswitch'", "", 0, NULL), NULL);
        merge(&port, read_port("", "interfaceid='" ID "' profileid='prof'", 0, NULL), NULL);
        ck_assert_int_eq(port.type, VIRTUAL_PORT_OPENVSWITCH);
        ck_assert_str_eq(port.values[VIRTUAL_PORT_INTERFACE_ID], ID);
        ck_assert_str_eq(port.values[VIRTUAL_PORT_PROFILE_ID], "prof");
        merge(&port, read_port("", "profileid='other'", 0, NULL),
              "XML error: attempt to merge virtualports with mismatched profileids ('prof' and 'other')");
        merge(&port, read_port("", "interfaceid='" OTHER "'", 0, NULL),
              "XML error: attempt to merge virtualports with mismatched interfaceids ('" ID "' and '" OTHER
              "')");
        merge(&port, read_port("type='midonet'", "", 0, NULL),
              "XML error: attempt to merge virtualports with mismatched types (openvswitch and midonet)");
        ck_assert_str_eq(port.values[VIRTUAL_PORT_PROFILE_ID], "prof");
        /* The network says of which type it is; then the rest is chosen or missing. */
        port = (struct virtual_port){ 0 };
        merge(&port, read_port("type='openvswitch'", "", 0, NULL), NULL);
        ck_assert(virtual_port_complete(&port, NULL));
        ck_assert_uint_eq(strlen(port.values[VIRTUAL_PORT_INTERFACE_ID]), strlen(ID));
        port = read_port("type='802.1Qbh'", "", 0, NULL);
        ck_assert(!virtual_port_complete(&port, &error));
        ck_assert(strstr(error->message, "missing profileid"));
}
END_TEST

CHECK_MAIN("virtual-port", test_documents, test_filled, test_merged)
