/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * org.libvirt.Domain: statistics. Loop thread.
 */
#include "bus/interface.h"
#include "drivers/domain/stats.h"
#include "introspection/domain.h"

/* ---- all together ---- */

static void reply_stats(const GPtrArray *stats, const GError *error, void *data)
{
        struct call *call = data;
        DBusMessageIter iter;
        DBusMessage *reply;

        if (!call_may_reply(call, error))
                return;
        reply = call_begin_reply(call, &iter);
        marshal_write_params(&iter, ((const struct domain_stats *)g_ptr_array_index(stats, 0))->params);
        call_send_reply(call, reply);
}

void on_domain_get_stats(struct call *call)
{
        uint32_t groups, flags;

        call_read(call, "uu", &groups, &flags);
        domain_get_stats(call_get_domain(call), groups, flags, reply_stats, call);
}

/* ---- memory ---- */

static void reply_memory(const GArray *stats, const GError *error, void *data)
{
        struct call *call = data;
        DBusMessageIter iter, array;
        DBusMessage *reply;

        if (!call_may_reply(call, error))
                return;
        reply = call_begin_reply(call, &iter);
        marshal_open_array(&iter, &array, "{it}");
        for (unsigned i = 0; i < stats->len; i++) {
                const struct domain_memory_stat *stat = &g_array_index(stats, struct domain_memory_stat, i);

                marshal_write(&array, "{it}", stat->tag, stat->value);
        }
        marshal_close(&iter, &array);
        call_send_reply(call, reply);
}

void on_domain_memory_stats(struct call *call)
{
        domain_get_memory_stats(call_get_domain(call), call_read_flags(call), reply_memory, call);
}

/* ---- disks ---- */

static void reply_block_stats(const struct domain_image_stats *image, const GError *error, void *data)
{
        struct call *call = data;

        if (error)
                call_fail(call, error);
        else
                call_reply(call, "(xxxxx)", (int64_t)image->requests[DOMAIN_IO_READ],
                           (int64_t)image->bytes[DOMAIN_IO_READ], (int64_t)image->requests[DOMAIN_IO_WRITE],
                           (int64_t)image->bytes[DOMAIN_IO_WRITE],
                           image->has_errors ? (int64_t)image->errors : INT64_C(-1));
}

void on_domain_block_stats(struct call *call)
{
        const char *disk;

        call_read(call, "s", &disk);
        domain_get_block_stats(call_get_domain(call), disk, reply_block_stats, call);
}

/* The guest's highest byte says more than what its image takes, as soon as it has written one. */
static void reply_block_info(const struct domain_image_stats *image, const GError *error, void *data)
{
        struct call *call = data;

        if (error)
                call_fail(call, error);
        else
                call_reply(call, "(ttt)", image->capacity,
                           image->highest ? image->highest : image->allocation, image->length);
}

void on_domain_get_block_info(struct call *call)
{
        const char *disk;
        uint32_t flags;

        call_read(call, "su", &disk, &flags);
        domain_get_block_info(call_get_domain(call), disk, flags, reply_block_info, call);
}

static void reply_disk_errors(const struct domain_answer *answer, const GError *error, void *data)
{
        struct call *call = data;
        DBusMessageIter iter, array;
        DBusMessage *reply;

        if (!call_may_reply(call, error))
                return;
        reply = call_begin_reply(call, &iter);
        marshal_open_array(&iter, &array, "(si)");
        for (unsigned i = 0; i < answer->images->len; i++) {
                const struct domain_image_stats *image =
                        &g_array_index(answer->images, struct domain_image_stats, i);

                if (image->error != DOMAIN_DISK_ERROR_NONE)
                        marshal_write(&array, "(si)", image->target, (int)image->error);
        }
        marshal_close(&iter, &array);
        call_send_reply(call, reply);
}

void on_domain_get_disk_errors(struct call *call)
{
        domain_get_disk_errors(call_get_domain(call), call_read_flags(call), reply_disk_errors, call);
}

/* ---- interfaces ---- */

static void reply_interface(const struct domain_interface_stats *stats, const GError *error, void *data)
{
        struct call *call = data;

        if (error)
                call_fail(call, error);
        else
                call_reply(call, "(xxxxxxxx)", (int64_t)stats->rx_bytes, (int64_t)stats->rx_packets,
                           (int64_t)stats->rx_errors, (int64_t)stats->rx_dropped, (int64_t)stats->tx_bytes,
                           (int64_t)stats->tx_packets, (int64_t)stats->tx_errors, (int64_t)stats->tx_dropped);
}

void on_domain_interface_stats(struct call *call)
{
        const char *device;

        call_read(call, "s", &device);
        domain_get_interface_stats(call_get_domain(call), device, reply_interface, call);
}

/* ---- CPUs ---- */

static void reply_cpus(const GPtrArray *stats, const GError *error, void *data)
{
        struct call *call = data;
        DBusMessageIter iter, array;
        DBusMessage *reply;

        if (!call_may_reply(call, error))
                return;
        reply = call_begin_reply(call, &iter);
        marshal_open_array(&iter, &array, "a{sv}");
        for (unsigned i = 0; i < stats->len; i++)
                marshal_write_params(&array, g_ptr_array_index(stats, i));
        marshal_close(&iter, &array);
        call_send_reply(call, reply);
}

void on_domain_get_cpu_stats(struct call *call)
{
        uint32_t count, flags;
        int32_t start;

        call_read(call, "iuu", &start, &count, &flags);
        domain_get_cpu_stats(call_get_domain(call), start, count, flags, reply_cpus, call);
}

static void write_vcpu(DBusMessageIter *array, const struct domain_vcpu_stats *vcpu)
{
        enum { RUNNING = 1 };
        DBusMessageIter entry, cpus;

        marshal_open_struct(array, &entry);
        marshal_write(&entry, "uiti", vcpu->number, RUNNING, vcpu->time_ns, vcpu->cpu);
        marshal_open_array(&entry, &cpus, "b");
        for (unsigned i = 0; i < vcpu->n_cpus; i++)
                marshal_write(&cpus, "b", vcpu->may_use[i]);
        marshal_close(&entry, &cpus);
        marshal_close(array, &entry);
}

static void reply_vcpus(const struct domain_state *state, const struct domain_measure *measure,
                        const GError *error, void *data)
{
        struct call *call = data;
        DBusMessageIter iter, array;
        DBusMessage *reply;

        if (!call_may_reply(call, error))
                return;
        reply = call_begin_reply(call, &iter);
        marshal_open_array(&iter, &array, "(uitiab)");
        for (unsigned i = 0; measure->vcpus && i < measure->vcpus->len; i++)
                write_vcpu(&array, &g_array_index(measure->vcpus, struct domain_vcpu_stats, i));
        marshal_close(&iter, &array);
        call_send_reply(call, reply);
}

void on_domain_get_vcpu_info(struct call *call)
{
        domain_get_measure(call_get_domain(call), DOMAIN_MEASURE_VCPUS | DOMAIN_MEASURE_AFFINITY, reply_vcpus,
                           call);
}

/* ---- control ---- */

void on_domain_get_control_info(struct call *call)
{
        struct domain_control control;
        g_autoptr(GError) error = NULL;

        if (domain_get_control(call_get_domain(call), call_read_flags(call), &control, &error))
                call_reply(call, "(uut)", (unsigned)control.state, control.details, control.state_time_ms);
        else
                call_fail(call, error);
}
