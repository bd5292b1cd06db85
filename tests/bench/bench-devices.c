/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Devices: many of them in one guest, against the bare QEMU command line; coming and going, against the same
 * commands at QEMU's own monitor in the same guest; and the largest document that there may be.
 */

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/bench/bench.h"
#include "tests/support/guest.h"

#define DISKS      500
#define INTERFACES 100
#define STARTS     5
#define PLUGS      21
#define DEFINES    15

/* With what completes it, it is just below 1 MiB, which is the bound. */
#define CONFIG_BYTES (900 * 1024)
#define LIVE         1

/* ---- one document ---- */

/* Of nearly 1 MiB, out of disks with long names. */
static char *large_xml(void)
{
        g_autofree char *bare = guest_bare_xml("large", "@"), *name = g_strnfill(900, 'x');
        g_auto(GStrv) parts = g_strsplit(bare, "@", 2);
        g_auto(GStrv) named = g_strsplit(parts[0], "</name>", 2);
        GString *text = g_string_new(named[0]);

        g_string_append(text, "</name><uuid>0b6c9a90-0e40-406c-8073-ceb7b714a0e7</uuid>");
        g_string_append(text, named[1]);
        for (unsigned i = 0; text->len + strlen(parts[1]) < CONFIG_BYTES && i < 800; i++)
                g_string_append_printf(text,
                                       "<disk type='file' device='disk'><driver name='qemu' type='qcow2'/>"
                                       "<source file='/images/%s/%s'/><target dev='sd%c%c%c' bus='scsi'/>"
                                       "<serial>%u</serial></disk>",
                                       name, name, 'a' + i / 676, 'a' + i / 26 % 26, 'a' + i % 26, i);
        g_string_append(text, parts[1]);
        return g_string_free(text, FALSE);
}

static void measure_define(struct bench *bench)
{
        g_autofree char *xml = large_xml(), *path = NULL;
        const struct bench_call define = { QEMU_PATH, CONNECT_INTERFACE, "DomainDefineXML", "s", xml, NULL };
        int64_t ns[DEFINES] = { 0 };

        path = guest_define(bench->client, g_strdup(xml));
        for (unsigned i = 0; i < DEFINES; i++)
                sd_bus_message_unref(bench_time_call(bench->client, "org.libvirt", &define, &ns[i]));
        bench_print_value("define of a document that becomes one of 1 MiB", bench_median(ns, DEFINES) / 1e6,
                          "ms", 20);
        client_do(bench->client, path, DOMAIN_INTERFACE, "Undefine", "u", 0);
}

/* ---- one guest ---- */

static char *crowded_xml(struct bench *bench)
{
        GString *devices = g_string_new(NULL);
        char *xml;

        for (unsigned i = 0; i < DISKS; i++) {
                g_autofree char *name = g_strdup_printf("disk-%u.raw", i),
                                *image = harness_path(bench->harness, name);

                ck_assert(g_file_set_contents(image, "", 0, NULL));
                ck_assert_int_eq(truncate(image, 1024 * 1024), 0);
                g_string_append_printf(devices,
                                       "<disk type='file' device='disk'><driver name='qemu' type='raw'/>"
                                       "<source file='%s'/><target dev='sd%c%c%c' bus='scsi'/></disk>",
                                       image, 'a' + i / 676, 'a' + i / 26 % 26, 'a' + i % 26);
        }
        for (unsigned i = 0; i < INTERFACES; i++)
                g_string_append(devices, "<interface type='user'><model type='virtio'/></interface>");
        xml = guest_bare_xml("crowded", devices->str);
        g_string_free(devices, TRUE);
        return xml;
}

static void measure_crowd(struct bench *bench)
{
        g_autofree char *path = guest_define(bench->client, crowded_xml(bench));
        const struct bench_call create = { path, DOMAIN_INTERFACE, "Create", "u", NULL, NULL };
        const struct bench_call destroy = { path, DOMAIN_INTERFACE, "Destroy", "u", NULL, NULL };
        int64_t ours[STARTS] = { 0 }, hand[STARTS] = { 0 }, ignored = 0;

        for (unsigned i = 0; i < STARTS; i++) {
                g_auto(GStrv) command = NULL;

                sd_bus_message_unref(bench_time_call(bench->client, "org.libvirt", &create, &ours[i]));
                command = bench_read_command(harness_find_guest(bench->harness, "guest=crowded"));
                sd_bus_message_unref(bench_time_call(bench->client, "org.libvirt", &destroy, &ignored));
                bench_start_by_hand(command, &hand[i], &ignored);
        }
        bench_print("start with 500 disks and 100 interfaces, against bare QEMU",
                    bench_median(ours, STARTS) / 1e6, bench_median(hand, STARTS) / 1e6, "ms", 1.2);
        client_do(bench->client, path, DOMAIN_INTERFACE, "Undefine", "u", 0);
}

/* ---- coming and going ---- */

/* A guest with Linux, and a monitor of our own beside the agent's. */
struct plugged {
        struct bench *bench;
        char *path, *console, *image;
        FILE *monitor;
        unsigned seen; /* devices that the guest has told of */
};

/* What comes: for the agent, and as commands; %s is the bus. */
struct kind {
        const char *name, *alias, *device;
        const char *xml; /* %s: an image */
        const char *back_ends[2], *plug, *unplug, *back_ends_go[2];
};

static const struct kind kinds[] = {
        { .name = "disk",
          .alias = "virtio-disk0",
          .device = "vda",
          .xml = "<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='%s'/>"
                 "<target dev='vda' bus='virtio'/></disk>",
          .back_ends = { "{\"execute\":\"blockdev-add\",\"arguments\":{\"driver\":\"file\",\"node-name\":"
                         "\"s\","
                         "\"filename\":\"%s\"}}",
                         "{\"execute\":\"blockdev-add\",\"arguments\":{\"driver\":\"raw\",\"node-name\":"
                         "\"f\","
                         "\"file\":\"s\"}}" },
          .plug = "{\"execute\":\"device_add\",\"arguments\":{\"driver\":\"virtio-blk-pci\",\"drive\":\"f\","
                  "\"id\":\"by-hand\",\"bus\":\"pci.%u\",\"addr\":\"0x0\"}}",
          .back_ends_go = { "{\"execute\":\"blockdev-del\",\"arguments\":{\"node-name\":\"f\"}}",
                            "{\"execute\":\"blockdev-del\",\"arguments\":{\"node-name\":\"s\"}}" } },
        { .name = "interface",
          .alias = "net0",
          .device = "eth0",
          .xml = "<interface type='user'><model type='virtio'/></interface><!--%s-->",
          .back_ends = { "{\"execute\":\"netdev_add\",\"arguments\":{\"type\":\"user\",\"id\":\"n\"}}" },
          .plug = "{\"execute\":\"device_add\",\"arguments\":{\"driver\":\"virtio-net-pci\",\"netdev\":\"n\","
                  "\"id\":\"by-hand\",\"bus\":\"pci.%u\",\"addr\":\"0x0\"}}",
          .back_ends_go = { "{\"execute\":\"netdev_del\",\"arguments\":{\"id\":\"n\"}}" } },
};

static void expect(struct plugged *plugged, const char *text)
{
        char line[4096];

        do {
                ck_assert_ptr_nonnull(fgets(line, sizeof(line), plugged->monitor));
                ck_assert_msg(!strstr(line, "\"error\""), "%s", line);
        } while (!strstr(line, text));
}

G_GNUC_PRINTF(2, 3) static void say(struct plugged *plugged, const char *format, ...)
{
        va_list args;

        va_start(args, format);
        ck_assert_int_gt(vdprintf(fileno(plugged->monitor), format, args), 0);
        va_end(args);
        expect(plugged, "\"return\"");
}

static void open_monitor(struct plugged *plugged, const char *path)
{
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

        g_strlcpy(address.sun_path, path, sizeof(address.sun_path));
        ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
        plugged->monitor = fdopen(fd, "r+");
        expect(plugged, "\"QMP\"");
        say(plugged, "{\"execute\":\"qmp_capabilities\"}\n");
}

static void wait_guest(struct plugged *plugged, const char *verb, const char *device)
{
        g_autofree char *line = g_strdup_printf("virtbus-guest: %u %s %s", ++plugged->seen, verb, device);

        guest_wait_console(plugged->console, line);
}

/* The number of the root port that the agent has chosen. */
static unsigned find_port(struct plugged *plugged, const char *alias)
{
        g_autofree char *xml = client_call_string(plugged->bench->client, plugged->path, DOMAIN_INTERFACE,
                                                  "GetXMLDesc", "u", 0);
        g_autofree char *name = g_strdup_printf("<alias name='%s'/>", alias);
        const char *place = strstr(xml, name);
        unsigned bus = 0;

        ck_assert_ptr_nonnull(place);
        place = strstr(place, "bus='0x");
        ck_assert(place && sscanf(place, "bus='0x%x'", &bus) == 1);
        return bus;
}

static void by_hand(struct plugged *plugged, const struct kind *kind, unsigned port, int64_t ns[2])
{
        int64_t start = bench_now_ns();

        for (unsigned i = 0; i < 2 && kind->back_ends[i]; i++) {
                g_autofree char *command = NULL;
                g_auto(GStrv) parts = g_strsplit(kind->back_ends[i], "%s", 2);

                command = g_strjoinv(plugged->image, parts);
                say(plugged, "%s\n", command);
        }
        {
                g_autofree char *number = g_strdup_printf("%u", port), *command = NULL;
                g_auto(GStrv) parts = g_strsplit(kind->plug, "%u", 2);

                command = g_strjoinv(number, parts);
                say(plugged, "%s\n", command);
        }
        ns[0] += bench_now_ns() - start;
        wait_guest(plugged, "has", kind->device);
        start = bench_now_ns();
        say(plugged, "{\"execute\":\"device_del\",\"arguments\":{\"id\":\"by-hand\"}}\n");
        expect(plugged, "\"device\": \"by-hand\"");
        for (unsigned i = 0; i < 2 && kind->back_ends_go[i]; i++)
                say(plugged, "%s\n", kind->back_ends_go[i]);
        ns[1] += bench_now_ns() - start;
        wait_guest(plugged, "lost", kind->device);
}

/* attach and detach; the port that was used. */
static unsigned by_agent(struct plugged *plugged, const struct kind *kind, const char *xml, int64_t ns[2])
{
        struct client *client = plugged->bench->client;
        int64_t start = bench_now_ns();
        unsigned port;

        client_do(client, plugged->path, DOMAIN_INTERFACE, "AttachDevice", "su", xml, LIVE);
        ns[0] += bench_now_ns() - start;
        port = find_port(plugged, kind->alias);
        wait_guest(plugged, "has", kind->device);
        start = bench_now_ns();
        client_do(client, plugged->path, DOMAIN_INTERFACE, "DetachDeviceAlias", "su", kind->alias, LIVE);
        ns[1] += bench_now_ns() - start;
        wait_guest(plugged, "lost", kind->device);
        return port;
}

static void measure_kind(struct plugged *plugged, const struct kind *kind)
{
        g_auto(GStrv) parts = g_strsplit(kind->xml, "%s", 2);
        g_autofree char *xml = g_strjoinv(plugged->image, parts), *attach = NULL, *detach = NULL;
        int64_t ours[2][PLUGS] = { 0 }, hand[2][PLUGS] = { 0 };

        for (unsigned i = 0; i < PLUGS; i++) {
                int64_t ns[2][2] = { 0 };
                unsigned port = by_agent(plugged, kind, xml, ns[0]);

                by_hand(plugged, kind, port, ns[1]);
                for (unsigned j = 0; j < 2; j++) {
                        ours[j][i] = ns[0][j];
                        hand[j][i] = ns[1][j];
                }
        }
        attach = g_strdup_printf("attach of a virtio %s, against QEMU's monitor", kind->name);
        detach = g_strdup_printf("detach of it, with the guest's answer");
        bench_print(attach, bench_median(ours[0], PLUGS) / 1e6, bench_median(hand[0], PLUGS) / 1e6, "ms",
                    1.5);
        bench_print(detach, bench_median(ours[1], PLUGS) / 1e6, bench_median(hand[1], PLUGS) / 1e6, "ms",
                    1.5);
}

static char *watching_xml(const char *console, const char *monitor)
{
        g_autofree char *xml = guest_linux_xml("plugged", console, "watch");
        g_auto(GStrv) front = g_strsplit(xml, "<devices>", 2), back = g_strsplit(front[1], "</devices>", 2);

        return g_strdup_printf(
                "%s<devices><controller type='pci' index='0' model='pcie-root'/>"
                "<controller type='pci' index='1' model='pcie-root-port'/>"
                "<controller type='pci' index='2' model='pcie-root-port'/>"
                "<controller type='pci' index='3' model='pcie-root-port'/>%s</devices>"
                "<commandline xmlns='http://libvirt.org/schemas/domain/qemu/1.0'><arg value='-qmp'/>"
                "<arg value='unix:%s,server=on,wait=off'/></commandline>%s",
                front[0], back[0], monitor, back[1]);
}

static void measure_plugs(struct bench *bench)
{
        struct plugged plugged = { .bench = bench,
                                   .console = harness_path(bench->harness, "console"),
                                   .image = harness_path(bench->harness, "plugged.raw") };
        g_autofree char *monitor = harness_path(bench->harness, "monitor");

        ck_assert(g_file_set_contents(plugged.image, "", 0, NULL));
        ck_assert_int_eq(truncate(plugged.image, 1024 * 1024), 0);
        plugged.path = guest_start(bench->client, watching_xml(plugged.console, monitor));
        guest_wait_console(plugged.console, "virtbus-guest: watching");
        open_monitor(&plugged, monitor);
        for (unsigned i = 0; i < G_N_ELEMENTS(kinds); i++)
                measure_kind(&plugged, &kinds[i]);
        fclose(plugged.monitor);
        client_do(bench->client, plugged.path, DOMAIN_INTERFACE, "Destroy", "u", 0);
        client_do(bench->client, plugged.path, DOMAIN_INTERFACE, "Undefine", "u", 0);
        g_free(plugged.path);
        g_free(plugged.console);
        g_free(plugged.image);
}

void bench_devices(struct bench *bench)
{
        measure_define(bench);
        measure_crowd(bench);
}

void bench_plugs(struct bench *bench)
{
        measure_plugs(bench);
}
