/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Sources of disks that are no files of the host: servers on the network, and programs that serve a disk by
 * vhost-user.
 */
#include "drivers/domain/definition-xml.h"

#include "base/error.h"

#include <string.h>

#define HOST_MAX        255
#define SOURCE_NAME_MAX 4096
#define SOCKET_MAX      107 /* sockaddr_un */
#define COOKIE_MAX      4096

static const char *const protocol_names[] = { "nbd", "rbd",  "sheepdog", "gluster", "iscsi", "http", "https",
                                              "ftp", "ftps", "tftp",     "ssh",     "vxhs",  "nfs",  NULL };
static const char *const transport_names[] = { "tcp", "unix", "rdma", NULL };
static const char *const secret_type_names[] = { "none", "volume", "ceph", "iscsi", "tls", "vtpm", NULL };

static const struct field network_fields[] = {
        NAME("protocol", struct domain_network_source, protocol, protocol_names, .required = true),
        STRING("name", struct domain_network_source, name, .max = SOURCE_NAME_MAX),
        STRING("query", struct domain_network_source, query, .max = SOURCE_NAME_MAX),
        YES_NO("tls", struct domain_network_source, tls),
        STRING("tlsHostname", struct domain_network_source, tls_hostname, .max = HOST_MAX),
        FIELDS_END,
};
static const struct field host_fields[] = {
        STRING("name", struct domain_storage_host, name, .max = HOST_MAX),
        NAME("transport", struct domain_storage_host, transport, transport_names),
        STRING("socket", struct domain_storage_host, socket, .max = SOCKET_MAX),
        UINT("port", struct domain_storage_host, port, .max = UINT16_MAX),
        FIELDS_END,
};
static const struct field snapshot_fields[] = {
        STRING("name", struct domain_network_source, snapshot, .max = SOURCE_NAME_MAX),
        FIELDS_END,
};
static const struct field config_fields[] = { PATH("file", struct domain_network_source, config),
                                              FIELDS_END };
static const struct field iqn_fields[] = {
        STRING("name", struct domain_network_source, initiator, .max = HOST_MAX),
        FIELDS_END,
};
static const struct field ssl_fields[] = { YES_NO("verify", struct domain_network_source, ssl_verify),
                                           FIELDS_END };
static const struct field readahead_fields[] = {
        UINT("size", struct domain_network_source, readahead_bytes, .max = UINT64_C(1) << 30),
        FIELDS_END,
};
static const struct field timeout_fields[] = {
        UINT("seconds", struct domain_network_source, timeout_s, .max = INT32_MAX),
        FIELDS_END,
};
static const struct field reconnect_fields[] = {
        UINT("delay", struct domain_network_source, reconnect_s, .max = INT32_MAX),
        FIELDS_END,
};
static const struct field identity_fields[] = {
        STRING("user", struct domain_network_source, user, .max = HOST_MAX),
        STRING("group", struct domain_network_source, group, .max = HOST_MAX),
        STRING("username", struct domain_network_source, username, .max = HOST_MAX),
        PATH("keyfile", struct domain_network_source, key_file),
        PATH("agentsock", struct domain_network_source, agent_socket),
        FIELDS_END,
};
static const struct field known_hosts_fields[] = { PATH("path", struct domain_network_source, known_hosts),
                                                   FIELDS_END };
static const struct field cookie_fields[] = {
        STRING("name", struct domain_cookie, name, .required = true, .max = HOST_MAX),
        FIELDS_END,
};
static const struct field cookie_text_fields[] = {
        TEXT(NULL, struct domain_cookie, value, .max = COOKIE_MAX),
        FIELDS_END,
};

static const struct field_part host_parts[] = { { NULL, host_fields }, PARTS_END };
static const struct field_part cookie_parts[] = { { NULL, cookie_fields },
                                                  { NULL, cookie_text_fields },
                                                  PARTS_END };

static bool check_host(const xmlNode *node, const struct domain_storage_host *host, GError **error)
{
        bool by_socket = g_strcmp0(host->transport, "unix") == 0;

        if (by_socket && (!host->socket || *host->socket != '/'))
                return xml_error(error, node, "a host of transport 'unix' needs socket=, an absolute path");
        if (!by_socket && host->socket)
                return xml_error(error, node, "a host with socket= is of transport='unix'");
        if (!by_socket && !host->name)
                return xml_error(error, node, "a host of a network source without a name");
        return domain_check_plain(node, "the name of a host", host->name, " /,?#@", error);
}

static bool read_hosts(struct domain_reader *reader, xmlNode *node, struct domain_network_source *source,
                       GError **error)
{
        unsigned i = 0;

        if (!field_read_array(reader, node, "host", host_parts, sizeof(*source->hosts), &source->hosts,
                              &source->n_hosts, error))
                return false;
        for (xmlNode *host = xml_child(node, "host"); host && i < source->n_hosts; host = xml_next(host)) {
                if (!check_host(host, &source->hosts[i++], error))
                        return false;
        }
        return true;
}

/* They become one line of a request. */
static bool read_cookies(struct domain_reader *reader, xmlNode *node, void *target, GError **error)
{
        struct domain_network_source *source = target;

        if (!field_read_array(reader, node, "cookie", cookie_parts, sizeof(*source->cookies),
                              &source->cookies, &source->n_cookies, error))
                return false;
        for (unsigned i = 0; i < source->n_cookies; i++) {
                if (!domain_check_plain(node, "the name of a cookie", source->cookies[i].name, " ;,=\"",
                                        error) ||
                    !domain_check_plain(node, "the value of a cookie", source->cookies[i].value, " ;,\"",
                                        error))
                        return false;
        }
        return true;
}

static const struct field auth_fields[] = {
        STRING("username", struct domain_storage_auth, username, .required = true, .max = HOST_MAX),
        FIELDS_END,
};
static const struct field auth_secret_fields[] = {
        NAME("type", struct domain_storage_auth, secret_type, secret_type_names, .required = true),
        UUID("uuid", struct domain_storage_auth, secret_uuid),
        STRING("usage", struct domain_storage_auth, secret_usage),
        FIELDS_END,
};
static const struct field_part auth_parts[] = {
        { NULL, auth_fields },
        { "secret", auth_secret_fields },
        PARTS_END,
};

static bool read_auth(struct domain_reader *reader, xmlNode *node, void *target, GError **error)
{
        struct domain_storage_auth *auth = domain_arena_alloc(reader->arena, sizeof(*auth));
        struct domain_network_source *source = target;
        const xmlNode *secret = xml_child(node, "secret");

        if (source->auth)
                return xml_error(error, node, "a second <auth>");
        source->auth = auth;
        if (!field_read_parts(reader, node, auth_parts, auth, error))
                return false;
        if (!secret || xml_has_attr(secret, "uuid") == xml_has_attr(secret, "usage"))
                return xml_error(error, node,
                                 "an <auth> needs one <secret>, named either by uuid or by usage");
        return domain_check_plain(node, "username", auth->username, "", error);
}

static const struct field_part network_parts[] = {
        { NULL, network_fields },
        { "snapshot", snapshot_fields },
        { "config", config_fields },
        { "auth", NULL, read_auth },
        { "initiator/iqn", iqn_fields },
        { "ssl", ssl_fields },
        { "cookies", NULL, read_cookies },
        { "readahead", readahead_fields },
        { "timeout", timeout_fields },
        { "reconnect", reconnect_fields },
        { "identity", identity_fields },
        { "knownHosts", known_hosts_fields },
        PARTS_END,
};

/* A drive without a medium may have an empty source. */
bool domain_read_network_source(struct domain_reader *reader, xmlNode *node, struct domain_storage *storage,
                                GError **error)
{
        struct domain_network_source *source;

        if (!xml_has_attr(node, "protocol") && !xml_has_attr(node, "name"))
                return true;
        source = domain_arena_alloc(reader->arena, sizeof(*source));
        storage->network = source;
        if (!field_read_parts(reader, node, network_parts, source, error) ||
            !read_hosts(reader, node, source, error))
                return false;
        if (!source->name && strcmp(source->protocol, "nbd") != 0)
                return xml_error(error, node, "a source of protocol '%s' needs a name", source->protocol);
        return domain_check_plain(node, "name", source->name, "", error) &&
               domain_check_plain(node, "username", source->username, "", error) &&
               domain_check_plain(node, "query", source->query, "", error);
}

bool domain_read_disk_auth(struct domain_reader *reader, xmlNode *disk, struct domain_storage *storage,
                           GError **error)
{
        xmlNode *auth = xml_child(disk, "auth");

        if (!auth)
                return true;
        if (!storage->network)
                return xml_error(error, auth, "an <auth> belongs to a source of type 'network'");
        return read_auth(reader, auth, (void *)storage->network, error);
}

/* ---- vhost-user ---- */

static const char *const socket_types[] = { "unix", NULL };
static const struct field vhost_user_fields[] = {
        NAME("type", struct domain_char_source, protocol, socket_types, .required = true),
        PATH("path", struct domain_char_source, path, .required = true, .max = SOCKET_MAX),
        FIELDS_END,
};
static const struct field again_fields[] = {
        YES_NO("enabled", struct domain_char_source, reconnect, .required = true),
        UINT("timeout", struct domain_char_source, reconnect_timeout_s),
        FIELDS_END,
};
static const struct field_part vhost_user_parts[] = {
        { NULL, vhost_user_fields },
        { "reconnect", again_fields },
        PARTS_END,
};

bool domain_read_vhost_user(struct domain_reader *reader, xmlNode *node, struct domain_storage *storage,
                            GError **error)
{
        struct domain_char_source *source = domain_arena_alloc(reader->arena, sizeof(*source));

        storage->vhost_user = source;
        if (!field_read_parts(reader, node, vhost_user_parts, source, error))
                return false;
        source->type = DOMAIN_CHAR_UNIX;
        source->protocol = NULL;
        return true;
}
