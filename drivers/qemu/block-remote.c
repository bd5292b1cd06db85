/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Images on servers that the emulator talks to itself: what it is told of server and image, as blockdev-add
 * wants it for the driver of each protocol (qapi/block-core.json). Values only; any thread.
 */
#include "drivers/qemu/block.h"

#include "drivers/qemu/device-internal.h"
#include "nodedev/pci.h"

#include <string.h>

/* A source on its way. */
struct remote {
        const char *who;                            /* borrowed; "disk 'vda'" */
        const struct domain_network_source *source; /* borrowed */
        json_t *node;                               /* borrowed; gets the properties */
};

static bool refuse(const struct remote *remote, const char *what, GError **error)
{
        return device_unsupported(error, "%s: a source of protocol '%s' %s", remote->who,
                                  remote->source->protocol, what);
}

/* ---- servers ---- */

static bool is_unix(const struct domain_storage_host *host)
{
        return g_strcmp0(host->transport, "unix") == 0;
}

static bool check_hosts(const struct remote *remote, unsigned min, unsigned max, bool sockets, GError **error)
{
        const struct domain_network_source *source = remote->source;

        if (source->n_hosts < min || source->n_hosts > max)
                return refuse(remote, max == 1 ? "needs one <host>" : "needs a <host>", error);
        for (unsigned i = 0; i < source->n_hosts; i++) {
                if (g_strcmp0(source->hosts[i].transport, "rdma") == 0)
                        return refuse(remote, "cannot have a host of transport 'rdma'", error);
                if (is_unix(&source->hosts[i]) && !sockets)
                        return refuse(remote, "cannot have a host of transport 'unix'", error);
        }
        return true;
}

/* {"host": ..., "port": "..."}, with the type where the driver takes several. */
static json_t *inet_address(const struct domain_storage_host *host, bool typed)
{
        json_t *address = json_object();

        if (typed)
                device_set_string(address, "type", "inet");
        device_set_string(address, "host", host->name);
        device_set_format(address, "port", "%u", (unsigned)host->port);
        return address;
}

static json_t *socket_address(const struct domain_storage_host *host)
{
        json_t *address;

        if (!is_unix(host))
                return inet_address(host, true);
        address = json_object();
        device_set_string(address, "type", "unix");
        device_set_string(address, "path", host->socket);
        return address;
}

static json_t *list_addresses(const struct domain_network_source *source, bool typed)
{
        json_t *list = json_array();

        for (unsigned i = 0; i < source->n_hosts; i++)
                json_array_append_new(list, typed ? socket_address(&source->hosts[i])
                                                  : inet_address(&source->hosts[i], false));
        return list;
}

/* "host:port", an IPv6 address in brackets. Owned. */
static char *format_authority(const struct domain_storage_host *host)
{
        bool bare = strchr(host->name, ':') && *host->name != '[';

        return g_strdup_printf(bare ? "[%s]:%u" : "%s:%u", host->name, (unsigned)host->port);
}

static const char *get_user(const struct domain_network_source *source)
{
        return source->auth ? source->auth->username : NULL;
}

/* ---- a function for each protocol ---- */

static bool describe_nbd(struct remote *remote, GError **error)
{
        const struct domain_network_source *source = remote->source;

        if (!check_hosts(remote, 1, 1, true, error))
                return false;
        json_object_set_new(remote->node, "server", socket_address(&source->hosts[0]));
        device_set_string(remote->node, "export", source->name);
        device_set_string(remote->node, "tls-hostname", source->tls_hostname);
        device_set_uint(remote->node, "reconnect-delay", source->reconnect_s);
        return true;
}

static bool describe_curl(struct remote *remote, GError **error)
{
        const struct domain_network_source *source = remote->source;
        g_autofree char *authority = NULL;

        if (!check_hosts(remote, 1, 1, false, error))
                return false;
        authority = format_authority(&source->hosts[0]);
        device_set_format(remote->node, "url", "%s://%s%s%s%s%s", source->protocol, authority,
                          *source->name == '/' ? "" : "/", source->name, source->query ? "?" : "",
                          source->query ? source->query : "");
        device_set_string(remote->node, "username", get_user(source));
        device_set_switch(remote->node, "sslverify", source->ssl_verify);
        device_set_uint(remote->node, "timeout", source->timeout_s);
        device_set_uint(remote->node, "readahead", source->readahead_bytes);
        return true;
}

json_t *block_iscsi_properties(const char *portal, const char *target, unsigned lun, const char *initiator,
                               const char *user)
{
        json_t *properties = json_object();

        device_set_string(properties, "driver", "iscsi");
        device_set_string(properties, "transport", "tcp");
        device_set_string(properties, "portal", portal);
        device_set_string(properties, "target", target);
        device_set_int(properties, "lun", lun);
        device_set_string(properties, "initiator-name", initiator);
        device_set_string(properties, "user", user);
        return properties;
}

/* The name is "target" or "target/lun". */
static bool describe_iscsi(struct remote *remote, GError **error)
{
        const struct domain_network_source *source = remote->source;
        const char *slash = strchr(source->name, '/');
        g_autofree char *portal = NULL, *target = NULL;
        json_t *properties;
        guint64 lun = 0;

        if (!check_hosts(remote, 1, 1, false, error))
                return false;
        if (slash && !g_ascii_string_to_unsigned(slash + 1, 10, 0, UINT16_MAX, &lun, NULL))
                return refuse(remote, "has a name that is no target/lun", error);
        portal = format_authority(&source->hosts[0]);
        target = slash ? g_strndup(source->name, (gsize)(slash - source->name)) : g_strdup(source->name);
        properties =
                block_iscsi_properties(portal, target, (unsigned)lun, source->initiator, get_user(source));
        json_object_update(remote->node, properties);
        json_decref(properties);
        return true;
}

/* The name is "pool/image" or "pool/namespace/image"; hosts that are not given are in Ceph's own file. */
static bool describe_rbd(struct remote *remote, GError **error)
{
        const struct domain_network_source *source = remote->source;
        g_auto(GStrv) parts = g_strsplit(source->name, "/", 3);
        unsigned n = g_strv_length(parts);

        if (n < 2 || !*parts[0] || !*parts[n - 1])
                return refuse(remote, "has a name that is no pool/image", error);
        if (!check_hosts(remote, 0, UINT_MAX, false, error))
                return false;
        device_set_string(remote->node, "pool", parts[0]);
        if (n == 3)
                device_set_string(remote->node, "namespace", parts[1]);
        device_set_string(remote->node, "image", parts[n - 1]);
        device_set_string(remote->node, "snapshot", source->snapshot);
        device_set_string(remote->node, "conf", source->config);
        if (source->n_hosts > 0)
                json_object_set_new(remote->node, "server", list_addresses(source, false));
        device_set_string(remote->node, "user", get_user(source));
        if (source->auth)
                json_object_set_new(remote->node, "auth-client-required",
                                    json_pack("[s, s]", "cephx", "none"));
        return true;
}

/* What QEMU's own driver finds out by itself; libvirt leaves all of it to nbdkit. */
static bool check_ssh(const struct remote *remote, GError **error)
{
        const struct domain_network_source *source = remote->source;

        if (source->auth && source->username && strcmp(source->auth->username, source->username) != 0)
                return refuse(remote, "has two users, of <auth> and of <identity>", error);
        if (source->key_file || source->agent_socket)
                return refuse(remote,
                              "has the keys of the emulator's user and no others: leave out keyfile and "
                              "agentsock of <identity>",
                              error);
        if (source->known_hosts)
                return refuse(remote,
                              "is compared with the known hosts of the emulator's user alone: leave out "
                              "<knownHosts>",
                              error);
        return true;
}

static bool describe_ssh(struct remote *remote, GError **error)
{
        const struct domain_network_source *source = remote->source;

        if (!check_hosts(remote, 1, 1, false, error) || !check_ssh(remote, error))
                return false;
        device_set_string(remote->node, "path", source->name);
        json_object_set_new(remote->node, "server", inet_address(&source->hosts[0], false));
        device_set_string(remote->node, "user", source->username ? source->username : get_user(source));
        return true;
}

/* "+1000"; names are not looked up. */
static bool set_number(struct remote *remote, const char *key, const char *text, GError **error)
{
        guint64 number;

        if (!text)
                return true;
        if (!g_ascii_string_to_unsigned(*text == '+' ? text + 1 : text, 10, 0, INT32_MAX, &number, NULL))
                return refuse(remote, "has an <identity> that is no number (user='+1000')", error);
        device_set_int(remote->node, key, (json_int_t)number);
        return true;
}

static bool describe_nfs(struct remote *remote, GError **error)
{
        const struct domain_network_source *source = remote->source;

        if (!check_hosts(remote, 1, 1, false, error))
                return false;
        json_object_set_new(remote->node, "server",
                            json_pack("{s:s, s:s}", "host", source->hosts[0].name, "type", "inet"));
        device_set_string(remote->node, "path", source->name);
        return set_number(remote, "user", source->user, error) &&
               set_number(remote, "group", source->group, error);
}

/* The name is "volume/path". */
static bool describe_gluster(struct remote *remote, GError **error)
{
        const struct domain_network_source *source = remote->source;
        const char *slash = strchr(source->name, '/');
        g_autofree char *volume = NULL;

        if (!slash || slash == source->name || !slash[1])
                return refuse(remote, "has a name that is no volume/path", error);
        if (!check_hosts(remote, 1, UINT_MAX, true, error))
                return false;
        volume = g_strndup(source->name, (gsize)(slash - source->name));
        device_set_string(remote->node, "volume", volume);
        device_set_string(remote->node, "path", slash + 1);
        json_object_set_new(remote->node, "server", list_addresses(source, true));
        return true;
}

/* ---- all of them ---- */

static const struct protocol {
        const char *name; /* of QEMU's driver as well */
        bool (*describe)(struct remote *remote, GError **error);
        const char *password_key; /* NULL: a secret is of no use there */
} protocols[] = {
        { "nbd", describe_nbd, NULL },
        { "http", describe_curl, "password-secret" },
        { "https", describe_curl, "password-secret" },
        { "ftp", describe_curl, "password-secret" },
        { "ftps", describe_curl, "password-secret" },
        { "iscsi", describe_iscsi, "password-secret" },
        { "rbd", describe_rbd, "key-secret" },
        /* Keys are the business of an agent of SSH's. */
        { "ssh", describe_ssh, NULL },
        { "nfs", describe_nfs, NULL },
        { "gluster", describe_gluster, NULL },
};

static const struct protocol *find_protocol(const char *name)
{
        for (unsigned i = 0; i < G_N_ELEMENTS(protocols); i++) {
                if (strcmp(protocols[i].name, name) == 0)
                        return &protocols[i];
        }
        return NULL;
}

static bool describe(struct remote *remote, const struct protocol *protocol, struct block_image *image,
                     GError **error)
{
        const struct domain_network_source *source = remote->source;
        bool is_curl = protocol && protocol->describe == describe_curl;

        if (!protocol)
                return refuse(remote, "is not supported: QEMU has no driver for it", error);
        if (source->tls == DOMAIN_SWITCH_ON && protocol->describe != describe_nbd)
                return refuse(remote, "cannot have tls='yes'", error);
        if (source->n_cookies > 0 && !is_curl)
                return refuse(remote, "cannot have cookies", error);
        if (protocol->describe != describe_ssh &&
            (source->username || source->key_file || source->agent_socket || source->known_hosts))
                return refuse(remote,
                              "cannot have <knownHosts>, nor username, keyfile or agentsock of <identity>",
                              error);
        if (source->auth && !protocol->password_key && strcmp(protocol->name, "ssh") != 0)
                return refuse(remote, "cannot have an <auth>", error);
        device_set_string(remote->node, "driver", protocol->name);
        if (source->auth)
                image->remote.password_key = protocol->password_key;
        if (source->n_cookies > 0)
                image->remote.cookie_key = "cookie-secret";
        image->remote.tls = source->tls == DOMAIN_SWITCH_ON;
        return protocol->describe(remote, error);
}

struct block_image *block_image_new_remote(const char *who, const struct domain_storage *storage,
                                           GError **error)
{
        const struct domain_network_source *source = storage->network;
        g_autofree char *name = g_strdup_printf("%s:%s", source->protocol, source->name ? source->name : "");
        CLEANUP(block_image_free) struct block_image *image = block_image_new(name, storage->format);
        struct remote remote = { who, source, json_object() };

        image->kind = BLOCK_REMOTE;
        image->encryption = storage->encryption;
        image->slice = storage->slice;
        image->cache_bytes = storage->metadata_cache_bytes;
        image->remote.properties = remote.node;
        if (!describe(&remote, find_protocol(source->protocol), image, error))
                return NULL;
        return g_steal_pointer(&image);
}

char *block_format_cookies(const struct domain_network_source *source)
{
        GString *text = g_string_new(NULL);

        for (unsigned i = 0; i < source->n_cookies; i++)
                g_string_append_printf(text, "%s%s=%s", i ? "; " : "", source->cookies[i].name,
                                       source->cookies[i].value ? source->cookies[i].value : "");
        return g_string_free(text, FALSE);
}

/* ---- devices ---- */

static struct block_image *new_nvme(const struct domain_storage *source)
{
        const struct domain_address_pci *pci = &source->nvme->pci;
        g_autofree char *address = pci_format_name(pci->domain, pci->bus, pci->slot, pci->function);
        struct block_image *image = block_image_new(address, source->format);

        image->remote.properties = json_pack("{s:s, s:s, s:I}", "driver", "nvme", "device", address,
                                             "namespace", (json_int_t)source->nvme->namespace);
        return image;
}

struct block_image *block_image_new_driven(const struct domain_storage *source)
{
        struct block_image *image = NULL;

        if (source->type == DOMAIN_STORAGE_NVME && source->nvme)
                image = new_nvme(source);
        if (source->type == DOMAIN_STORAGE_VHOSTVDPA && source->path) {
                image = block_image_new(source->path, source->format);
                image->remote.properties =
                        json_pack("{s:s, s:s}", "driver", "virtio-blk-vhost-vdpa", "path", source->path);
        }
        if (image)
                image->kind = BLOCK_REMOTE;
        return image;
}
