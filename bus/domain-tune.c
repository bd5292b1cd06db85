/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * org.libvirt.Domain: what a domain gets of its host's CPUs. The work of those that change something runs in
 * the domain's lane, whose end replies. Loop thread.
 */
#include "bus/interface.h"
#include "drivers/domain/domain.h"
#include "introspection/domain.h"

/* An array of booleans. */
static GArray *read_cpus(struct call *call)
{
        GArray *cpus = g_array_new(FALSE, FALSE, sizeof(bool));
        const void *numbers;
        unsigned count;

        marshal_read_numbers(&call->args, &numbers, &count);
        for (unsigned i = 0; i < count; i++) {
                bool is_in = ((const dbus_bool_t *)numbers)[i];

                g_array_append_val(cpus, is_in);
        }
        return cpus;
}

static void write_cpus(DBusMessageIter *iter, const GArray *cpus)
{
        DBusMessageIter array;

        marshal_open_array(iter, &array, "b");
        for (unsigned i = 0; i < cpus->len; i++)
                marshal_write(&array, "b", g_array_index(cpus, bool, i));
        marshal_close(iter, &array);
}

static void set_pin(struct call *call, enum domain_threads who, unsigned id)
{
        g_autoptr(GArray) cpus = read_cpus(call);

        domain_set_pin(call_get_domain(call), who, id, cpus, call_read_flags(call), call_done, call);
}

void on_domain_pin_emulator(struct call *call)
{
        set_pin(call, DOMAIN_THREADS_EMULATOR, 0);
}

void on_domain_pin_io_thread(struct call *call)
{
        uint32_t id;

        call_read(call, "u", &id);
        set_pin(call, DOMAIN_THREADS_IOTHREAD, id);
}

void on_domain_pin_vcpu(struct call *call)
{
        uint32_t vcpu;

        call_read(call, "u", &vcpu);
        set_pin(call, DOMAIN_THREADS_VCPU, vcpu);
}

void on_domain_get_emulator_pin_info(struct call *call)
{
        g_autoptr(GError) error = NULL;
        g_autoptr(GArray) cpus =
                domain_get_emulator_pin(call_get_domain(call), call_read_flags(call), &error);
        DBusMessageIter iter;
        DBusMessage *reply;

        if (!cpus) {
                call_fail(call, error);
                return;
        }
        reply = call_begin_reply(call, &iter);
        write_cpus(&iter, cpus);
        call_send_reply(call, reply);
}

void on_domain_get_vcpu_pin_info(struct call *call)
{
        g_autoptr(GError) error = NULL;
        g_autoptr(GPtrArray) pins =
                domain_get_vcpu_pins(call_get_domain(call), call_read_flags(call), &error);
        DBusMessageIter iter, array;
        DBusMessage *reply;

        if (!pins) {
                call_fail(call, error);
                return;
        }
        reply = call_begin_reply(call, &iter);
        marshal_open_array(&iter, &array, "ab");
        for (unsigned i = 0; i < pins->len; i++)
                write_cpus(&array, g_ptr_array_index(pins, i));
        marshal_close(&iter, &array);
        call_send_reply(call, reply);
}

/* ---- I/O threads ---- */

void on_domain_add_io_thread(struct call *call)
{
        uint32_t id, flags;

        call_read(call, "uu", &id, &flags);
        domain_add_iothread(call_get_domain(call), id, flags, call_done, call);
}

void on_domain_del_io_thread(struct call *call)
{
        uint32_t id, flags;

        call_read(call, "uu", &id, &flags);
        domain_delete_iothread(call_get_domain(call), id, flags, call_done, call);
}

void on_domain_get_io_thread_info(struct call *call)
{
        g_autoptr(GError) error = NULL;
        g_autoptr(GArray) list = domain_get_iothreads(call_get_domain(call), call_read_flags(call), &error);
        DBusMessageIter iter, array;
        DBusMessage *reply;

        if (!list) {
                call_fail(call, error);
                return;
        }
        reply = call_begin_reply(call, &iter);
        marshal_open_array(&iter, &array, "(uab)");
        for (unsigned i = 0; i < list->len; i++) {
                const struct domain_iothread_info *info =
                        &g_array_index(list, struct domain_iothread_info, i);
                DBusMessageIter entry;

                marshal_open_struct(&array, &entry);
                marshal_write(&entry, "u", info->id);
                write_cpus(&entry, info->cpus);
                marshal_close(&array, &entry);
        }
        marshal_close(&iter, &array);
        call_send_reply(call, reply);
}

/* ---- typed parameters ---- */

static void reply_params(const struct params *params, const GError *error, void *data)
{
        struct call *call = data;
        DBusMessageIter iter;
        DBusMessage *reply;

        if (!call_may_reply(call, error))
                return;
        reply = call_begin_reply(call, &iter);
        marshal_write_params(&iter, params);
        call_send_reply(call, reply);
}

static void get_params(struct call *call, enum domain_parameters which)
{
        domain_get_parameters(call_get_domain(call), which, NULL, call_read_flags(call), reply_params, call);
}

static void set_params(struct call *call, enum domain_parameters which, const char *device)
{
        struct domain *domain = call_get_domain(call);
        struct params *params = params_new();
        g_autoptr(GError) error = NULL;

        if (marshal_read_params(&call->args, domain_get_param_table(domain, which), params, &error)) {
                domain_set_parameters(domain, which, device, params, call_read_flags(call), call_done, call);
                return;
        }
        params_free(params);
        call_fail(call, error);
}

void on_domain_get_scheduler_parameters(struct call *call)
{
        get_params(call, DOMAIN_PARAMETERS_SCHEDULER);
}

void on_domain_set_scheduler_parameters(struct call *call)
{
        set_params(call, DOMAIN_PARAMETERS_SCHEDULER, NULL);
}

void on_domain_get_memory_parameters(struct call *call)
{
        get_params(call, DOMAIN_PARAMETERS_MEMORY);
}

void on_domain_set_memory_parameters(struct call *call)
{
        set_params(call, DOMAIN_PARAMETERS_MEMORY, NULL);
}

void on_domain_get_numa_parameters(struct call *call)
{
        get_params(call, DOMAIN_PARAMETERS_NUMA);
}

void on_domain_set_numa_parameters(struct call *call)
{
        set_params(call, DOMAIN_PARAMETERS_NUMA, NULL);
}

void on_domain_get_block_io_parameters(struct call *call)
{
        get_params(call, DOMAIN_PARAMETERS_BLKIO);
}

void on_domain_set_block_io_parameters(struct call *call)
{
        set_params(call, DOMAIN_PARAMETERS_BLKIO, NULL);
}

void on_domain_get_perf_events(struct call *call)
{
        get_params(call, DOMAIN_PARAMETERS_PERF);
}

void on_domain_set_perf_events(struct call *call)
{
        set_params(call, DOMAIN_PARAMETERS_PERF, NULL);
}

/* Of a device. */
static void get_device_params(struct call *call, enum domain_parameters which)
{
        const char *device;
        uint32_t flags;

        call_read(call, "su", &device, &flags);
        domain_get_parameters(call_get_domain(call), which, device, flags, reply_params, call);
}

static void set_device_params(struct call *call, enum domain_parameters which)
{
        const char *device;

        call_read(call, "s", &device);
        set_params(call, which, device);
}

void on_domain_get_block_io_tune(struct call *call)
{
        get_device_params(call, DOMAIN_PARAMETERS_DISK);
}

void on_domain_set_block_io_tune(struct call *call)
{
        set_device_params(call, DOMAIN_PARAMETERS_DISK);
}

void on_domain_get_interface_parameters(struct call *call)
{
        get_device_params(call, DOMAIN_PARAMETERS_INTERFACE);
}

void on_domain_set_interface_parameters(struct call *call)
{
        set_device_params(call, DOMAIN_PARAMETERS_INTERFACE);
}

/* ---- vCPUs ---- */

static void reply_count(uint64_t count, const GError *error, void *data)
{
        if (error)
                call_fail(data, error);
        else
                call_reply(data, "u", (uint32_t)count);
}

void on_domain_get_vcpus(struct call *call)
{
        domain_get_vcpus(call_get_domain(call), call_read_flags(call), reply_count, call);
}

void on_domain_get_guest_vcpus(struct call *call)
{
        domain_get_guest_vcpus(call_get_domain(call), call_read_flags(call), reply_params, call);
}

void on_domain_set_guest_vcpus(struct call *call)
{
        g_autoptr(GArray) map = read_cpus(call);
        uint32_t flags;
        int32_t state;

        call_read(call, "iu", &state, &flags);
        domain_set_guest_vcpus(call_get_domain(call), map, state, flags, call_done, call);
}

void on_domain_set_vcpus(struct call *call)
{
        uint32_t count, flags;

        call_read(call, "uu", &count, &flags);
        domain_set_vcpus(call_get_domain(call), count, flags, call_done, call);
}
