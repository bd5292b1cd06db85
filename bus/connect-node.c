/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * org.libvirt.Connect: how the host's processors and memory are doing. Small files of /proc and /sys, read on
 * the loop: none of them waits. Changes are jobs. Loop thread.
 */
#include "bus/call.h"
#include "bus/interface.h"
#include "drivers/domain/domain.h"
#include "drivers/host/host-memory.h"
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

/* ---- memory by cells and by pages ---- */

static void reply_numbers(struct call *call, const GArray *numbers, const GError *error)
{
        DBusMessageIter iter, array;
        DBusMessage *reply;

        if (!numbers) {
                call_fail(call, error);
                return;
        }
        reply = call_begin_reply(call, &iter);
        marshal_open_array(&iter, &array, "t");
        for (unsigned i = 0; i < numbers->len; i++)
                marshal_write(&array, "t", g_array_index(numbers, uint64_t, i));
        marshal_close(&iter, &array);
        call_send_reply(call, reply);
}

void on_connect_node_get_cells_free_memory(struct call *call)
{
        g_autoptr(GArray) numbers = NULL;
        g_autoptr(GError) error = NULL;
        int32_t start, max;

        call_read(call, "ii", &start, &max);
        numbers = host_get_cells_free_memory(get_host(call), start, max, &error);
        reply_numbers(call, numbers, error);
}

void on_connect_node_get_free_pages(struct call *call)
{
        g_autoptr(GArray) numbers = NULL;
        g_autoptr(GError) error = NULL;
        struct host_pages pages;

        marshal_read_numbers(&call->args, (const void **)&pages.sizes_kib, &pages.n_sizes);
        call_read(call, "iuu", &pages.start, &pages.n_cells, &pages.flags);
        numbers = host_get_free_pages(get_host(call), &pages, &error);
        reply_numbers(call, numbers, error);
}

static void allocated(unsigned pools, const GError *error, void *data)
{
        struct call *call = data;

        if (error)
                call_fail(call, error);
        else
                call_reply(call, "i", pools);
}

void on_connect_node_alloc_pages(struct call *call)
{
        const uint64_t *counts;
        struct host_pages pages;
        unsigned n_counts;

        marshal_read_numbers(&call->args, (const void **)&pages.sizes_kib, &pages.n_sizes);
        marshal_read_numbers(&call->args, (const void **)&counts, &n_counts);
        call_read(call, "iuu", &pages.start, &pages.n_cells, &pages.flags);
        if (n_counts == pages.n_sizes)
                host_alloc_pages(get_host(call), model_get_jobs(call->target.connect->model), &pages, counts,
                                 allocated, call);
        else
                call_fail_with(call, ERROR_FROM_DBUS, ERROR_INVALID_ARG, "%u page sizes and %u counts",
                               pages.n_sizes, n_counts);
}

/* ---- parameters of memory ---- */

void on_connect_node_get_memory_parameters(struct call *call)
{
        CLEANUP(params_free) struct params *params = NULL;
        g_autoptr(GError) error = NULL;
        DBusMessageIter iter;
        DBusMessage *reply;

        params = host_get_memory_parameters(get_host(call), call_read_flags(call), &error);
        if (!params) {
                call_fail(call, error);
                return;
        }
        reply = call_begin_reply(call, &iter);
        marshal_write_params(&iter, params);
        call_send_reply(call, reply);
}

static void was_set(const GError *error, void *data)
{
        struct call *call = data;

        if (error)
                call_fail(call, error);
        else
                call_reply(call, "");
}

void on_connect_node_set_memory_parameters(struct call *call)
{
        CLEANUP(params_free) struct params *params = params_new();
        g_autoptr(GError) error = NULL;

        if (!marshal_read_params(&call->args, &host_memory_table, params, &error)) {
                call_fail(call, error);
                return;
        }
        call_hold(call);
        host_set_memory_parameters(get_host(call), model_get_jobs(call->target.connect->model), params,
                                   call_read_flags(call), was_set, call);
}
