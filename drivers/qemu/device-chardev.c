/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Character back ends: the host's end of serial ports, channels, redirections. Described as chardev-add wants
 * it; -chardev of QEMU takes no JSON, so that its key=value form is made from the same description. Values
 * only; any thread.
 */
#include "drivers/qemu/device-internal.h"

#include <string.h>

/* ---- description ---- */

static json_t *inet_address(const char *host, const char *port)
{
        json_t *address = json_object();

        device_set_string(address, "host", host ? host : "");
        device_set_string(address, "port", port ? port : "0");
        return address;
}

static json_t *socket_address(const char *type, json_t *data)
{
        json_t *address = json_object();

        device_set_string(address, "type", type);
        json_object_set_new(address, "data", data);
        return address;
}

static void set_reconnect(json_t *data, const struct domain_char_source *source)
{
        if (!source->listen && source->reconnect == DOMAIN_SWITCH_ON)
                device_set_uint(data, "reconnect", source->reconnect_timeout_s);
}

static void set_server(json_t *data, const struct domain_char_source *source)
{
        device_set_bool(data, "server", source->listen);
        if (source->listen)
                device_set_bool(data, "wait", false);
        set_reconnect(data, source);
}

static bool describe_unix(json_t *data, const struct domain_char_source *source, const char *fd,
                          GError **error)
{
        json_t *place = json_object();

        if (fd) {
                device_set_string(place, "str", fd);
                json_object_set_new(data, "addr", socket_address("fd", place));
        } else {
                device_set_string(place, "path", source->path);
                json_object_set_new(data, "addr", socket_address("unix", place));
                if (!source->path)
                        return device_unsupported(error, "a character device of type 'unix' without a path");
        }
        set_server(data, source);
        return true;
}

static bool describe_tcp(json_t *data, const struct domain_char_source *source, GError **error)
{
        if (source->type == DOMAIN_CHAR_TCP && source->telnet && source->tls == DOMAIN_SWITCH_ON)
                return device_unsupported(error, "tls='yes' of a character device that speaks telnet");
        json_object_set_new(data, "addr",
                            socket_address("inet", inet_address(source->host, source->service)));
        device_set_bool(data, "telnet", source->telnet);
        set_server(data, source);
        return true;
}

static void describe_udp(json_t *data, const struct domain_char_source *source)
{
        json_object_set_new(data, "remote",
                            socket_address("inet", inet_address(source->host, source->service)));
        if (source->bind_host || source->bind_service)
                json_object_set_new(
                        data, "local",
                        socket_address("inet", inet_address(source->bind_host, source->bind_service)));
}

static bool need_path(const struct domain_char_source *source, GError **error)
{
        if (source->path)
                return true;
        return device_unsupported(error, "a character device of type '%s' without a path",
                                  domain_char_type_get_name(source->type));
}

/* Fills in data and returns the name of the back end, or NULL with an error. */
static const char *describe_source(json_t *data, const struct domain_char_source *source, const char *fd,
                                   GError **error)
{
        switch (source->type) {
        case DOMAIN_CHAR_NULL:
                return "null";
        case DOMAIN_CHAR_VC:
                return "vc";
        case DOMAIN_CHAR_PTY:
                return "pty";
        case DOMAIN_CHAR_STDIO:
                return "stdio";
        case DOMAIN_CHAR_DEV:
                device_set_string(data, "device", source->path);
                if (!need_path(source, error))
                        return NULL;
                return strstr(source->path, "parport") ? "parallel" : "serial";
        case DOMAIN_CHAR_FILE:
                device_set_string(data, "out", source->path);
                device_set_switch(data, "append", source->append);
                return need_path(source, error) ? "file" : NULL;
        case DOMAIN_CHAR_PIPE:
                device_set_string(data, "device", source->path);
                return need_path(source, error) ? "pipe" : NULL;
        case DOMAIN_CHAR_UDP:
                describe_udp(data, source);
                return "udp";
        case DOMAIN_CHAR_TCP:
                return describe_tcp(data, source, error) ? "socket" : NULL;
        case DOMAIN_CHAR_UNIX:
                return describe_unix(data, source, fd, error) ? "socket" : NULL;
        case DOMAIN_CHAR_QEMU_VDAGENT:
                device_set_switch(data, "clipboard", source->clipboard);
                if (source->mouse)
                        device_set_bool(data, "mouse", strcmp(source->mouse, "client") == 0);
                return "qemu-vdagent";
        case DOMAIN_CHAR_DBUS:
                device_set_string(data, "name", source->channel);
                return "dbus";
        case DOMAIN_CHAR_SPICEPORT:
                device_set_string(data, "fqdn", source->channel);
                return "spiceport";
        default:
                device_unsupported(error, "character device type '%s' is not supported",
                                   domain_char_type_get_name(source->type));
                return NULL;
        }
}

static json_t *chardev_new(const char *id, const char *type, json_t *data)
{
        json_t *chardev = json_object(), *backend = json_object();

        device_set_string(chardev, "id", id);
        device_set_string(backend, "type", type);
        json_object_set_new(backend, "data", data);
        json_object_set_new(chardev, "backend", backend);
        return chardev;
}

static void set_log(json_t *data, const struct domain_char_source *source)
{
        device_set_string(data, "logfile", source->log_file);
        if (source->log_file)
                device_set_switch(data, "logappend", source->log_append);
}

json_t *device_tls_object(const struct device_context *context, const char *id, const char *endpoint)
{
        json_t *object = device_object("tls-creds-x509", id);

        device_set_string(object, "dir", context->tls_dir);
        device_set_string(object, "endpoint", endpoint);
        device_set_bool(object, "verify-peer", true);
        return object;
}

static void add_tls(struct device_list *list, const struct device_context *context, const char *id,
                    const struct domain_char_source *source, json_t *data)
{
        g_autofree char *object = NULL;

        if (source->type != DOMAIN_CHAR_TCP || source->tls != DOMAIN_SWITCH_ON)
                return;
        object = g_strdup_printf("obj%s_tls0", id);
        device_list_add(list, DEVICE_OBJECT,
                        device_tls_object(context, object, source->listen ? "server" : "client"));
        device_set_string(data, "tls-creds", object);
}

bool device_list_add_chardev(struct device_list *list, const struct device_context *context, const char *id,
                             const struct domain_char_source *source, const char *fd, GError **error)
{
        json_t *data = json_object();
        const char *type = describe_source(data, source, fd, error);

        if (!type) {
                json_decref(data);
                return false;
        }
        set_log(data, source);
        add_tls(list, context, id, source, data);
        device_list_add(list, DEVICE_CHARDEV, chardev_new(id, type, data));
        return true;
}

void device_list_add_spicevmc(struct device_list *list, const char *id,
                              const struct domain_char_source *source, const char *purpose)
{
        json_t *data = json_object();

        device_set_string(data, "type", purpose);
        set_log(data, source);
        device_list_add(list, DEVICE_CHARDEV, chardev_new(id, "spicevmc", data));
}

/* ---- as an option ---- */

/* What chardev-add calls otherwise than -chardev; a NULL type stands for all. */
static const struct {
        const char *type;
        const char *key;
        const char *option;
} keys[] = {
        { "file", "out", "path" },       { NULL, "device", "path" }, { "spicevmc", "type", "name" },
        { "spiceport", "fqdn", "name" }, { "socket", "str", "fd" },
};

static const char *option_key(const char *type, const char *key)
{
        for (unsigned i = 0; i < G_N_ELEMENTS(keys); i++) {
                if (strcmp(keys[i].key, key) == 0 && (!keys[i].type || strcmp(keys[i].type, type) == 0))
                        return keys[i].option;
        }
        return key;
}

static void append_value(GString *option, const char *key, const json_t *value)
{
        g_string_append_printf(option, ",%s=", key);
        if (json_is_string(value))
                device_append_escaped(option, json_string_value(value));
        else if (json_is_boolean(value))
                g_string_append(option, json_is_true(value) ? "on" : "off");
        else
                g_string_append_printf(option, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
}

/* The members of object, with those of the addresses in it in their place. */
static void append_members(GString *option, const char *type, const char *prefix, const json_t *object)
{
        const char *key;
        json_t *value;

        json_object_foreach((json_t *)object, key, value)
        {
                g_autofree char *name = g_strconcat(prefix, option_key(type, key), NULL);

                if (json_is_object(value))
                        append_members(option, type, strcmp(key, "local") == 0 ? "local" : "",
                                       json_object_get(value, "data"));
                else if (strcmp(name, "localhost") == 0)
                        append_value(option, "localaddr", value);
                else
                        append_value(option, name, value);
        }
}

char *device_chardev_option(const json_t *chardev)
{
        const json_t *backend = json_object_get(chardev, "backend");
        const char *type = json_string_value(json_object_get(backend, "type"));
        GString *option = g_string_new(type);

        append_value(option, "id", json_object_get(chardev, "id"));
        append_members(option, type, "", json_object_get(backend, "data"));
        return g_string_free(option, FALSE);
}
