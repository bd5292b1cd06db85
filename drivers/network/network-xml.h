/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the files that read and write documents of networks share. Any thread. */

#include "base/xml.h"
#include "drivers/network/network-def.h"

#define NETWORK_DNSMASQ_NAMESPACE "http://libvirt.org/schemas/network/dnsmasq/1.0"

/* A definition of a document, which is changed on the way. */
struct network_def *network_def_from(xmlDoc *doc, GError **error);

/* ---- the form of the document (schema-xml.c) ---- */

/*
 * Drops what the format does not know and puts the rest in libvirt's order: elements, and their attributes.
 * Refuses control characters in values, elements that may be there once and are there twice, more than the
 * bounds allow.
 */
bool network_schema_tidy(xmlNode *root, GError **error);
/* Its text; owned. Some elements are not closed in place when they are empty, as with libvirt. */
char *network_schema_write(const xmlDoc *doc);

/* ---- parts (address-xml.c, ip-xml.c, dns-xml.c) ---- */

/* The attribute as an address, AF_UNSPEC when it is absent. */
bool network_xml_get_address(const xmlNode *node, const char *attr, struct network_address *address,
                             GError **error);
/* Writes it in its usual form. */
void network_xml_set_address(xmlNode *node, const char *attr, const struct network_address *address);
/* Of <ip> and <route>: family, address, netmask or prefix; fills in what is not given. */
bool network_xml_get_network(xmlNode *node, struct network_address *address, unsigned *prefix,
                             GError **error);
/* Has to be there, and not empty; owned. */
char *network_xml_need_attr(const xmlNode *node, const char *attr, GError **error);
/* "52:54:00:..", of one station; NULL is none, and is fine. */
bool network_xml_check_mac(const xmlNode *node, const char *mac, GError **error);
/* Of an interface; NULL is none, and is fine. */
bool network_xml_check_device(const xmlNode *node, const char *name, GError **error);

/* <dnsmasq:options> (options-xml.c) */
bool network_options_read(struct network_def *def, xmlNode *root, GError **error);
bool network_ips_read(struct network_def *def, xmlNode *root, GError **error);
bool network_dns_read(struct network_dns *dns, xmlNode *node, GError **error);

/* Of a document that nothing has been dropped of yet: addresses that are left out (subnets-xml.c). */
bool network_xml_choose_subnets(xmlNode *root, const struct network_chooser *chooser, GError **error);

/* Does it say anything? */
bool network_dns_is_used(const struct network_dns *dns);
void network_dns_clear(struct network_dns *dns);
void network_ip_free(void *ip);

/* ---- what has to fit together (check.c) ---- */

bool network_def_check(const struct network_def *def, GError **error);
