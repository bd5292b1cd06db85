/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The <source> of a storage pool: reading, completing, writing. Any thread. */
#include "drivers/secret/secret-xml.h"
#include "drivers/storage/pool-xml.h"

#include <string.h>

static const char *const adapter_types[] = {
        [POOL_ADAPTER_NONE] = NULL,
        [POOL_ADAPTER_SCSI_HOST] = "scsi_host",
        [POOL_ADAPTER_FC_HOST] = "fc_host",
};

static const char *const auth_types[] = {
        [POOL_AUTH_NONE] = NULL,
        [POOL_AUTH_CHAP] = "chap",
        [POOL_AUTH_CEPH] = "ceph",
};

static unsigned count_children(const xmlNode *parent, const char *name)
{
        unsigned count = 0;

        for (xmlNode *node = xml_child(parent, name); node; node = xml_next(node))
                count++;
        return count;
}

static bool read_hosts(const xmlNode *node, struct pool_source *source, GError **error)
{
        unsigned count = count_children(node, "host");

        if (count > POOL_HOSTS_MAX)
                return xml_error(error, node, "more than %d hosts", POOL_HOSTS_MAX);
        source->hosts = g_new0(struct pool_host, count);
        for (xmlNode *host = xml_child(node, "host"); host; host = xml_next(host)) {
                struct pool_host *entry = &source->hosts[source->n_hosts++];

                entry->name = xml_attr(host, "name");
                if (!entry->name || !*entry->name)
                        return xml_error(error, host, "missing storage pool source host name");
                if (!xml_get_uint(host, "port", &entry->port, error))
                        return false;
                if (entry->port > UINT16_MAX)
                        return xml_error(error, host, "%u is no port", entry->port);
        }
        return true;
}

static bool read_devices(const xmlNode *node, struct pool_source *source, GError **error)
{
        unsigned count = count_children(node, "device");

        if (count > POOL_DEVICES_MAX)
                return xml_error(error, node, "more than %d devices", POOL_DEVICES_MAX);
        source->devices = g_new0(struct pool_device, count);
        for (xmlNode *device = xml_child(node, "device"); device; device = xml_next(device)) {
                struct pool_device *entry = &source->devices[source->n_devices++];
                bool separator = false;

                entry->path = xml_attr(device, "path");
                entry->part_separator = -1;
                if (!entry->path || !*entry->path)
                        return xml_error(error, device, "missing storage pool source device path");
                if (!xml_get_yes_no(device, "part_separator", &separator, error))
                        return false;
                if (xml_has_attr(device, "part_separator"))
                        entry->part_separator = separator;
        }
        return true;
}

static bool is_wwn(const char *text)
{
        return text && strlen(text) == 16 && strspn(text, "0123456789abcdefABCDEF") == 16;
}

static bool read_fc_host(const xmlNode *node, struct pool_adapter *adapter, GError **error)
{
        bool managed = false;

        adapter->parent = xml_attr(node, "parent");
        adapter->parent_wwnn = xml_attr(node, "parent_wwnn");
        adapter->parent_wwpn = xml_attr(node, "parent_wwpn");
        adapter->parent_fabric = xml_attr(node, "parent_fabric_wwn");
        adapter->wwnn = xml_attr(node, "wwnn");
        adapter->wwpn = xml_attr(node, "wwpn");
        if (!xml_get_yes_no(node, "managed", &managed, error))
                return false;
        if (xml_has_attr(node, "managed"))
                adapter->managed = managed;
        if (!is_wwn(adapter->wwnn) || !is_wwn(adapter->wwpn))
                return xml_error(error, node, "'wwnn' and 'wwpn' of 16 hexadecimal digits must be given");
        if ((adapter->parent_wwnn || adapter->parent_wwpn) &&
            !(is_wwn(adapter->parent_wwnn) && is_wwn(adapter->parent_wwpn)))
                return xml_error(error, node,
                                 "'parent_wwnn' and 'parent_wwpn' of 16 hexadecimal digits go together");
        return true;
}

static bool read_parent_address(const xmlNode *node, struct pool_adapter *adapter, GError **error)
{
        const xmlNode *address = xml_child(node, "address");
        unsigned domain = 0, bus = 0, slot = 0, function = 0;

        if (!address)
                return xml_error(error, node, "missing 'address' of the adapter's parent");
        if (!xml_get_uint_hex(address, "domain", &domain, error) ||
            !xml_get_uint_hex(address, "bus", &bus, error) ||
            !xml_get_uint_hex(address, "slot", &slot, error) ||
            !xml_get_uint_hex(address, "function", &function, error) ||
            !xml_get_uint(node, "unique_id", &adapter->unique_id, error))
                return false;
        if (domain > 0xffff || bus > 0xff || slot > 0x1f || function > 7)
                return xml_error(error, address, "no PCI address");
        adapter->has_unique_id = xml_has_attr(node, "unique_id");
        if (!adapter->has_unique_id)
                return xml_error(error, node, "missing 'unique_id' of the adapter's parent address");
        adapter->parent_address = g_strdup_printf("%04x:%02x:%02x.%u", domain, bus, slot, function);
        return true;
}

static bool read_adapter(const xmlNode *node, struct pool_adapter *adapter, GError **error)
{
        const xmlNode *parent = xml_child(node, "parentaddr");
        int type = POOL_ADAPTER_SCSI_HOST;

        adapter->managed = -1;
        if (!node)
                return true;
        if (!xml_get_enum(node, "type", adapter_types, G_N_ELEMENTS(adapter_types), &type, error))
                return false;
        adapter->type = (enum pool_adapter_type)type;
        if (adapter->type == POOL_ADAPTER_FC_HOST)
                return read_fc_host(node, adapter, error);
        adapter->name = xml_attr(node, "name");
        if (parent)
                return read_parent_address(parent, adapter, error);
        if (!adapter->name || !*adapter->name)
                return xml_error(error, node, "missing storage pool source adapter name");
        return true;
}

static bool read_auth(const xmlNode *node, struct pool_auth *auth, GError **error)
{
        int type = POOL_AUTH_NONE;

        if (!node)
                return true;
        auth->username = xml_attr(node, "username");
        if (!auth->username)
                return xml_error(error, node, "missing username for auth");
        if (!xml_get_enum(node, "type", auth_types, G_N_ELEMENTS(auth_types), &type, error))
                return false;
        if (type == POOL_AUTH_NONE)
                return xml_error(error, node, "missing type for auth");
        auth->type = (enum pool_auth_type)type;
        if (!xml_child(node, "secret"))
                return xml_error(error, node, "missing <secret> element in auth");
        return secret_ref_read(xml_child(node, "secret"),
                               auth->type == POOL_AUTH_CHAP ? SECRET_USAGE_ISCSI : SECRET_USAGE_CEPH,
                               &auth->secret, error);
}

static bool read_format(const xmlNode *node, enum pool_type type, struct pool_source *source, GError **error)
{
        const struct pool_type_format *format = pool_type_get_format(type);
        g_autofree char *name = xml_attr(xml_child(node, "format"), "type"), *quoted = NULL;

        if (!format->source_formats)
                return true;
        if (!name || !*name) {
                source->format = g_strdup(format->default_source_format);
                return true;
        }
        quoted = error_quote(name);
        if (!g_strv_contains(format->source_formats, name))
                return error_set(error, ERROR_FROM_STORAGE, ERROR_CONFIG_UNSUPPORTED,
                                 "unknown pool format type %s", quoted);
        source->format = g_steal_pointer(&name);
        return true;
}

static bool read_protocol(const xmlNode *node, struct pool_source *source, GError **error)
{
        const xmlNode *protocol = xml_child(node, "protocol");

        source->protocol = xml_attr(protocol, "ver");
        /* It becomes a mount option. */
        if (source->protocol &&
            (!*source->protocol || strspn(source->protocol, "0123456789.") != strlen(source->protocol)))
                return xml_error(error, protocol, "malformed protocol version");
        return true;
}

/* No control characters: these become arguments and lines of configuration. */
static bool check_text(const char *text, const char *what, GError **error)
{
        for (const char *c = text; c && *c; c++) {
                if (g_ascii_iscntrl(*c))
                        return error_set(error, ERROR_FROM_STORAGE, ERROR_XML_ERROR,
                                         "%s of a storage pool has a control character in it", what);
        }
        if (text && text[0] == '-')
                return error_set(error, ERROR_FROM_STORAGE, ERROR_XML_ERROR,
                                 "%s of a storage pool begins with '-'", what);
        return true;
}

static bool check_texts(const struct pool_source *source, GError **error)
{
        for (unsigned i = 0; i < source->n_hosts; i++) {
                if (!check_text(source->hosts[i].name, "source host name", error))
                        return false;
        }
        for (unsigned i = 0; i < source->n_devices; i++) {
                if (!check_text(source->devices[i].path, "source device path", error))
                        return false;
        }
        return check_text(source->name, "source name", error) &&
               check_text(source->dir, "source path", error) &&
               check_text(source->initiator, "initiator name", error) &&
               check_text(source->adapter.name, "adapter name", error) &&
               check_text(source->adapter.parent, "adapter parent", error) &&
               check_text(source->auth.username, "user name", error);
}

bool pool_source_read(const xmlNode *node, enum pool_type type, struct pool_source *source, GError **error)
{
        g_autofree char *dir = xml_attr(xml_child(node, "dir"), "path");

        source->dir = pool_path_clean(dir);
        source->name = xml_child_text(node, "name");
        source->initiator = xml_attr(xml_child(xml_child(node, "initiator"), "iqn"), "name");
        source->vendor = xml_attr(xml_child(node, "vendor"), "name");
        source->product = xml_attr(xml_child(node, "product"), "name");
        return read_hosts(node, source, error) && read_devices(node, source, error) &&
               read_adapter(xml_child(node, "adapter"), &source->adapter, error) &&
               read_auth(xml_child(node, "auth"), &source->auth, error) &&
               read_format(node, type, source, error) && read_protocol(node, source, error) &&
               check_texts(source, error);
}

static bool missing(const char *what, GError **error)
{
        return error_set(error, ERROR_FROM_STORAGE, ERROR_XML_ERROR, "missing storage pool source %s", what);
}

bool pool_source_check(const struct pool_source *source, enum pool_type type, GError **error)
{
        unsigned needs = pool_type_get_format(type)->needs;

        if ((needs & POOL_NEEDS_HOST) && !source->n_hosts)
                return missing("host name", error);
        if ((needs & POOL_NEEDS_DEVICE) && !source->n_devices)
                return missing("device name", error);
        if ((needs & POOL_NEEDS_DIR) && !source->dir)
                return missing("path", error);
        if ((needs & POOL_NEEDS_ADAPTER) && source->adapter.type == POOL_ADAPTER_NONE)
                return missing("adapter", error);
        if ((needs & POOL_NEEDS_NAME) && (!source->name || !*source->name))
                return missing("name", error);
        if ((needs & POOL_NEEDS_INITIATOR) && !source->initiator)
                return missing("initiator IQN", error);
        return true;
}

/* libvirt's order. */
static const char *const order[] = { "host",   "device", "dir",      "adapter", "name",    "initiator",
                                     "format", "auth",   "protocol", "vendor",  "product", NULL };

static void move_last(xmlNode *node, const char *attr)
{
        g_autofree char *value = xml_attr(node, attr);

        xml_set_attr(node, attr, NULL);
        xml_set_attr(node, attr, value);
}

void pool_source_complete(xmlNode *node, const struct pool_source *source)
{
        xmlNode *dir = xml_child(node, "dir"), *adapter = xml_child(node, "adapter"),
                *auth = xml_child(node, "auth");

        if (auth)
                move_last(auth, "username");

        if (source->name && !xml_child(node, "name"))
                xml_add_text(node, "name", source->name);
        if (source->format) {
                xmlNode *format = xml_child(node, "format");

                xml_set_attr(format ? format : xml_add(node, "format"), "type", source->format);
        }
        if (dir && source->dir)
                xml_set_attr(dir, "path", source->dir);
        if (adapter && !xml_has_attr(adapter, "type")) {
                xml_set_attr(adapter, "type", adapter_types[source->adapter.type]);
                move_last(adapter, "name");
        }
        xml_order_children(node, order);
}

bool pool_source_parse(const char *xml, enum pool_type type, struct pool_source *source, GError **error)
{
        g_autoptr(xmlDoc) doc = NULL;

        *source = (struct pool_source){ .adapter.managed = -1 };
        if (!xml || !*xml)
                return true;
        doc = xml_parse(xml, "source", error);
        if (doc && pool_source_read(xml_root(doc), type, source, error))
                return true;
        pool_source_clear(source);
        return false;
}

/* ---- the answer to FindStoragePoolSources ---- */

static void write_source(xmlNode *node, const struct pool_source *source)
{
        for (unsigned i = 0; i < source->n_hosts; i++) {
                xmlNode *host = xml_add(node, "host");

                xml_set_attr(host, "name", source->hosts[i].name);
                if (source->hosts[i].port)
                        xml_set_attr_format(host, "port", "%u", source->hosts[i].port);
        }
        for (unsigned i = 0; i < source->n_devices; i++)
                xml_set_attr(xml_add(node, "device"), "path", source->devices[i].path);
        if (source->dir)
                xml_set_attr(xml_add(node, "dir"), "path", source->dir);
        if (source->name)
                xml_add_text(node, "name", source->name);
        if (source->initiator)
                xml_set_attr(xml_add(xml_add(node, "initiator"), "iqn"), "name", source->initiator);
        if (source->format)
                xml_set_attr(xml_add(node, "format"), "type", source->format);
        if (source->vendor)
                xml_set_attr(xml_add(node, "vendor"), "name", source->vendor);
        if (source->product)
                xml_set_attr(xml_add(node, "product"), "name", source->product);
}

char *pool_source_format(const struct pool_source *source)
{
        g_autoptr(xmlDoc) doc = xml_new("source");

        write_source(xml_root(doc), source);
        return xml_write(doc, NULL);
}

char *pool_sources_format(const GPtrArray *sources)
{
        g_autoptr(xmlDoc) doc = xml_new("sources");

        for (unsigned i = 0; i < sources->len; i++) {
                g_autoptr(xmlDoc) source = xml_parse(g_ptr_array_index(sources, i), "source", NULL);

                if (source)
                        xml_add_copy(xml_root(doc), xml_root(source));
        }
        return xml_write(doc, NULL);
}
