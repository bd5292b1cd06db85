/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * org.libvirt.Connect: the host. Small files of /proc and /sys, read on the loop: none of them waits. Loop
 * thread.
 */
#include "bus/call.h"
#include "bus/interface.h"
#include "drivers/domain/domain.h"
#include "drivers/host/host.h"
#include "introspection/connect.h"

static const struct host *get_host(struct call *call)
{
        return domain_driver_get_host(call_get_driver(call));
}

void on_connect_node_get_info(struct call *call)
{
        struct host_node_info info;

        host_get_node_info(get_host(call), &info);
        call_reply(call, "(stuuuuuu)", info.model, info.memory_kib, info.counts.cpus, info.mhz,
                   info.counts.nodes, info.counts.sockets, info.counts.cores, info.counts.threads);
}

void on_connect_node_get_free_memory(struct call *call)
{
        call_reply(call, "t", host_get_free_memory(get_host(call)));
}

void on_connect_node_get_cpu_map(struct call *call)
{
        g_autoptr(GArray) map = NULL;
        g_autoptr(GError) error = NULL;
        DBusMessageIter iter, array;
        DBusMessage *reply;

        map = host_get_cpu_map(get_host(call), call_read_flags(call), &error);
        if (!map) {
                call_fail(call, error);
                return;
        }
        reply = call_begin_reply(call, &iter);
        marshal_open_array(&iter, &array, "b");
        for (unsigned i = 0; i < map->len; i++)
                marshal_write(&array, "b", g_array_index(map, bool, i));
        marshal_close(&iter, &array);
        call_send_reply(call, reply);
}

static void reply_counters(struct call *call, const struct params *params)
{
        DBusMessageIter iter;
        DBusMessage *reply = call_begin_reply(call, &iter);

        marshal_write_counters(&iter, params);
        call_send_reply(call, reply);
}

void on_connect_node_get_cpu_stats(struct call *call)
{
        CLEANUP(params_free) struct params *params = params_new();
        g_autoptr(GError) error = NULL;
        struct host_cpu_stats stats;
        uint32_t flags;
        int32_t cpu;

        call_read(call, "iu", &cpu, &flags);
        if (!host_get_cpu_stats(get_host(call), cpu, flags, &stats, &error)) {
                call_fail(call, error);
                return;
        }
        host_cpu_stats_tell(&stats, params);
        reply_counters(call, params);
}

void on_connect_node_get_memory_stats(struct call *call)
{
        CLEANUP(params_free) struct params *params = params_new();
        g_autoptr(GError) error = NULL;
        struct host_memory_stats stats;
        uint32_t flags;
        int32_t cell;

        call_read(call, "iu", &cell, &flags);
        if (!host_get_memory_stats(get_host(call), cell, flags, &stats, &error)) {
                call_fail(call, error);
                return;
        }
        host_memory_stats_tell(&stats, params);
        reply_counters(call, params);
}
