/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Storage as tests of the agent use it. */
#include "tests/support/pool.h"

#include <check.h>
#include <string.h>

char *pool_dir_xml(const char *name, const char *folder)
{
        return g_strdup_printf("<pool type='dir'><name>%s</name><target><path>%s</path></target></pool>",
                               name, folder);
}

char *pool_volume_xml(const char *name, const char *format, uint64_t capacity, const char *more)
{
        return g_strdup_printf("<volume><name>%s</name><capacity>%" G_GUINT64_FORMAT "</capacity>"
                               "<allocation>0</allocation><target><format type='%s'/></target>%s</volume>",
                               name, capacity, format, more ? more : "");
}

char *pool_start_dir(struct client *client, const char *name, const char *folder)
{
        g_autofree char *xml = pool_dir_xml(name, folder);
        char *path = client_call_string(client, QEMU_PATH, CONNECT_INTERFACE, "StoragePoolDefineXML", "su",
                                        xml, 0);

        client_do(client, path, POOL_INTERFACE, "Build", "u", 0);
        client_do(client, path, POOL_INTERFACE, "Create", "u", 0);
        return path;
}

char *pool_make_volume(struct client *client, const char *pool, const char *name, const char *format,
                       uint64_t capacity)
{
        g_autofree char *xml = pool_volume_xml(name, format, capacity, NULL);

        return client_call_string(client, pool, POOL_INTERFACE, "StorageVolCreateXML", "su", xml, 0);
}

struct event {
        const char *pool;
        int event;
};

static bool match_event(sd_bus_message *message, const void *data)
{
        const struct event *wanted = data;
        const char *pool;
        int event, detail;

        return sd_bus_message_read(message, "oii", &pool, &event, &detail) > 0 &&
               strcmp(pool, wanted->pool) == 0 && event == wanted->event && detail == 0;
}

static char *get_connection(const char *path)
{
        const char *end = strchr(path + strlen(MANAGER_PATH "/"), '/');

        ck_assert_ptr_nonnull(end);
        return g_strndup(path, end - path);
}

void pool_wait_event(struct client *client, const char *pool, enum pool_event event)
{
        struct event wanted = { pool, event };
        g_autofree char *connection = get_connection(pool);

        sd_bus_message_unref(client_wait_signal(client, connection, CONNECT_INTERFACE, "StoragePoolEvent",
                                                match_event, &wanted));
}

static bool match_path(sd_bus_message *message, const void *data)
{
        const char *path;

        return sd_bus_message_read(message, "o", &path) > 0 && strcmp(path, data) == 0;
}

void pool_wait_added(struct client *client, const char *path)
{
        g_autofree char *connection = get_connection(path);

        sd_bus_message_unref(client_wait_signal(client, connection, MANAGER_OF_OBJECTS, "InterfacesAdded",
                                                match_path, path));
}

void pool_wait_removed(struct client *client, const char *path)
{
        g_autofree char *connection = get_connection(path);

        sd_bus_message_unref(client_wait_signal(client, connection, MANAGER_OF_OBJECTS, "InterfacesRemoved",
                                                match_path, path));
}
