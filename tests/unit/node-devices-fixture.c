/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/unit/node-devices-fixture.h"

#include <check.h>
#include <dlfcn.h>
#include <string.h>
#include <sys/vfs.h>

UMockdevTestbed *testbed;
struct loop *loop;
struct pool *pool;
struct node_devices *devices;
GString *heard;

/*
 * umockdev 0.17 finds out in buffers that all threads share whether a file is in the /sys that it plays. Two
 * of ours are in libudev at a time, and a device whose file was then taken for another's was never seen. That
 * of a program comes before those of its libraries, umockdev's too; libudev calls no other one.
 */
__attribute__((visibility("default"))) int fstatfs64(int fd, struct statfs64 *status)
{
        static GMutex one_at_a_time;
        int (*next)(int fd, struct statfs64 *status) =
                (int (*)(int, struct statfs64 *))dlsym(RTLD_NEXT, "fstatfs64");
        int result;

        g_mutex_lock(&one_at_a_time);
        result = next(fd, status);
        g_mutex_unlock(&one_at_a_time);
        return result;
}

/* ---- the host ---- */

static void add_group_member(const char *group, const char *pci)
{
        g_autofree char *dir = g_strdup_printf("/sys/kernel/iommu_groups/%s/devices/%s", group, pci);
        g_autofree char *path = host_path(dir);

        ck_assert_int_eq(g_mkdir_with_parents(path, 0755), 0);
}

static void tell(void *before, void *after, void *data)
{
        const struct node_device *device = after ? after : before;

        g_string_append_printf(heard, "%c%s ", !before ? '+' : !after ? '-' : '*', device->name);
}

static const struct collection_listener listener = { .tell = tell };

void set_up_host(void)
{
        testbed = umockdev_testbed_new();
        add_group_member("12", "0000:01:00.0");
        add_group_member("12", "0000:01:00.1");
        loop = loop_new(NULL);
        pool = pool_new(2, NULL);
        heard = g_string_new(NULL);
}

void tear_down_host(void)
{
        pool_free(pool);
        loop_free(loop);
        g_string_free(heard, TRUE);
        g_object_unref(testbed);
}

void start_devices(const char *dir)
{
        devices = node_devices_new(loop, pool);
        if (dir)
                node_devices_set_directory(devices, dir);
        node_devices_start(devices);
        while (!node_devices_are_ready(devices))
                loop_step(loop, true);
        collection_listen(node_devices_get_collection(devices), &listener, NULL);
}

void stop_devices(void)
{
        const struct collection *collection = node_devices_get_collection(devices);

        collection_unlisten(node_devices_get_collection(devices), &listener, NULL);
        node_devices_stop(devices);
        while (node_devices_are_running(devices) || collection_get_pending(collection) > 0)
                loop_step(loop, true);
        node_devices_free(devices);
}

void set_up_devices(void)
{
        g_autoptr(GError) error = NULL;

        set_up_host();
        umockdev_testbed_add_from_file(testbed, DATA "/host.umockdev", &error);
        ck_assert_msg(!error, "%s", error ? error->message : "");
        start_devices(NULL);
}

void tear_down_devices(void)
{
        stop_devices();
        tear_down_host();
}

struct node_device *find_device(const char *name)
{
        g_autoptr(GError) error = NULL;
        struct node_device *device = node_device_lookup_name(devices, name, &error);

        ck_assert_msg(device != NULL, "%s", error ? error->message : "");
        return device;
}

struct document {
        char *xml; /* owned */
        GError *error;
        bool done;
};

static void take_document(const char *xml, const GError *error, void *data)
{
        struct document *document = data;

        document->xml = g_strdup(xml);
        document->error = error ? g_error_copy(error) : NULL;
        document->done = true;
}

char *read_device_xml(const char *name, GError **error)
{
        struct document document = { 0 };

        node_device_get_xml(devices, find_device(name), 0, take_document, &document);
        while (!document.done)
                loop_step(loop, true);
        if (document.error)
                g_propagate_error(error, document.error);
        return document.xml;
}

char *get_device_xml(const char *name)
{
        g_autoptr(GError) error = NULL;
        char *xml = read_device_xml(name, &error);

        ck_assert_msg(xml != NULL, "%s", error ? error->message : "");
        return xml;
}

/* ---- files ---- */

char *host_path(const char *path)
{
        g_autofree char *root = umockdev_testbed_get_root_dir(testbed);

        return g_build_filename(root, path, NULL);
}

void put_file(const char *path, const char *text)
{
        g_autofree char *full = host_path(path), *dir = g_path_get_dirname(full);

        ck_assert_int_eq(g_mkdir_with_parents(dir, 0755), 0);
        ck_assert(g_file_set_contents(full, text, -1, NULL));
}

void expect_file(const char *path, const char *text)
{
        g_autofree char *full = host_path(path), *is = NULL;

        ck_assert(g_file_get_contents(full, &is, NULL, NULL));
        ck_assert_str_eq(is, text);
}

/* ---- outcomes ---- */

void take_outcome(const GError *error, void *data)
{
        struct outcome *outcome = data;

        ck_assert(!outcome->done);
        outcome->done = true;
        outcome->error = error ? g_error_copy(error) : NULL;
}

void take_device(struct node_device *device, const GError *error, void *data)
{
        ((struct outcome *)data)->name = device ? g_strdup(device->name) : NULL;
        take_outcome(error, data);
}

static void clear(struct outcome *outcome)
{
        g_clear_error(&outcome->error);
        g_free(outcome->name);
        *outcome = (struct outcome){ 0 };
}

static void finish(const struct outcome *outcome)
{
        while (!outcome->done)
                loop_step(loop, true);
}

void expect_failure(struct outcome *outcome, enum error_code code, const char *text)
{
        finish(outcome);
        ck_assert_msg(outcome->error && error_is(outcome->error, code) &&
                              strstr(outcome->error->message, text),
                      "%s", outcome->error ? outcome->error->message : "no error");
        clear(outcome);
}

void expect_success(struct outcome *outcome)
{
        finish(outcome);
        ck_assert_msg(!outcome->error, "%s", outcome->error ? outcome->error->message : "");
        clear(outcome);
}

void expect_made(struct outcome *outcome, const char *name)
{
        finish(outcome);
        ck_assert_msg(!outcome->error, "%s", outcome->error ? outcome->error->message : "");
        ck_assert_str_eq(outcome->name, name);
        clear(outcome);
}
