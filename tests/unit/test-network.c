/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The model of networks in memory. */
#include "tests/unit/network-fixture.h"

#include "base/error.h"

#include <string.h>

/* ---- in memory ---- */

START_TEST(test_in_memory)
{
        struct network *network, *other;
        GError *error = NULL;

        open_networks(true);
        network = network_lookup_name(networks, "default", NULL);
        ck_assert(network == network_lookup_uuid(networks, "dd8fe884-6c02-601e-7551-cca97df1c5df", NULL));
        ck_assert_str_eq(network_get_bridge_name(network, 0, NULL), "virbr0");
        create_network(network, "already active");
        destroy_network(network, NULL);
        destroy_network(network, "not active");
        create_network(network, NULL);
        undefine_network(network, NULL);
        undefine_network(network, "transient");
        destroy_network(network, NULL);
        ck_assert(network_lookup_name(networks, "default", &error) == NULL);
        ck_assert(error_is(error, ERROR_NO_NETWORK));
        g_clear_error(&error);
        ck_assert_str_eq(events->str, "3213");
        other = create_xml("<network><name>a</name></network>", NULL);
        ck_assert(!network_get_published(other)->persistent);
        ck_assert(network_get_bridge_name(other, 0, &error) == NULL);
        g_clear_error(&error);
        create_xml("<network><name>a</name></network>", "already exists");
        define_network("<network><name>a/</name></network>", "cannot contain '/'");
        destroy_network(other, NULL);
        ck_assert_uint_eq(registry_get_count(networks_get_registry(networks)), 0);
}
END_TEST

START_TEST(test_lists)
{
        static const struct {
                unsigned flags, count;
        } lists[] = { { 0, 3 },
                      { NETWORK_LIST_INACTIVE, 1 },
                      { NETWORK_LIST_ACTIVE, 2 },
                      { NETWORK_LIST_TRANSIENT, 1 },
                      { NETWORK_LIST_PERSISTENT | NETWORK_LIST_ACTIVE, 1 },
                      { NETWORK_LIST_AUTOSTART, 1 } };
        struct outcome outcome = { 0 };
        g_autoptr(GError) error = NULL;

        open_networks(true);
        network_set_autostart(define_network("<network><name>a</name></network>", NULL), true, finish,
                              &outcome);
        expect(&outcome, NULL);
        create_xml("<network><name>b</name></network>", NULL);
        for (unsigned i = 0; i < G_N_ELEMENTS(lists); i++) {
                g_autoptr(GPtrArray) list = network_list(networks, lists[i].flags, NULL);

                ck_assert_uint_eq(list->len, lists[i].count);
        }
        ck_assert(network_list(networks, 64, &error) == NULL);
}
END_TEST

static bool has(const struct network *network, unsigned flags, const char *text)
{
        g_autofree char *xml = network_get_xml(network, flags, NULL);

        return strstr(xml, text) != NULL;
}

START_TEST(test_update)
{
        static const char host[] = "<host mac='52:54:00:00:00:01' ip='192.168.122.9'/>";
        struct network *network;

        open_networks(true);
        network = network_lookup_name(networks, "default", NULL);
        update_network(network, NETWORK_UPDATE_ADD_LAST, NETWORK_SECTION_IP_DHCP_HOST, host, 0, NULL);
        ck_assert(has(network, 0, host));
        ck_assert(!has(network, NETWORK_XML_INACTIVE, host));
        update_network(network, NETWORK_UPDATE_ADD_LAST, NETWORK_SECTION_IP_DHCP_HOST, host, 3,
                       "existing dhcp host");
        update_network(network, NETWORK_UPDATE_ADD_LAST, NETWORK_SECTION_IP_DHCP_HOST, host,
                       NETWORK_UPDATE_CONFIG, NULL);
        ck_assert(has(network, NETWORK_XML_INACTIVE, host));
        update_network(network, NETWORK_UPDATE_DELETE, NETWORK_SECTION_IP_DHCP_HOST, host, 3, NULL);
        ck_assert(!has(network, 0, host));
        update_network(network, NETWORK_UPDATE_ADD_LAST, NETWORK_SECTION_IP_DHCP_HOST, host, 4,
                       "unsupported flags");
        destroy_network(network, NULL);
        update_network(network, NETWORK_UPDATE_ADD_LAST, NETWORK_SECTION_IP_DHCP_HOST, host,
                       NETWORK_UPDATE_LIVE, "not active");
}
END_TEST

CHECK_MAIN_FIXTURE("network", setup_networks, teardown_networks, test_in_memory, test_lists, test_update)
