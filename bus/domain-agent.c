/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * org.libvirt.Domain: what guests' agents are asked and told. Loop thread.
 */
#include "bus/interface.h"
#include "drivers/domain/guest-agent.h"
#include "introspection/domain.h"

static void reply_nothing(const struct domain_agent_answer *answer, const GError *error, void *data)
{
        struct call *call = data;

        if (error)
                call_fail(call, error);
        else
                call_reply(call, "");
}

static void reply_number(const struct domain_agent_answer *answer, const GError *error, void *data)
{
        struct call *call = data;

        if (error)
                call_fail(call, error);
        else
                call_reply(call, "u", (uint32_t)answer->number);
}

static void reply_text(const struct domain_agent_answer *answer, const GError *error, void *data)
{
        struct call *call = data;

        if (error)
                call_fail(call, error);
        else
                call_reply(call, "s", answer->text);
}

/* ---- file systems ---- */

void on_domain_fs_freeze(struct call *call)
{
        g_autoptr(GPtrArray) mountpoints = marshal_read_strings(&call->args);
        uint32_t flags = call_read_flags(call);

        g_ptr_array_add(mountpoints, NULL);
        domain_freeze_filesystems(call_get_domain(call), (const char *const *)mountpoints->pdata, flags,
                                  reply_number, call);
}

void on_domain_fs_thaw(struct call *call)
{
        g_autoptr(GPtrArray) mountpoints = marshal_read_strings(&call->args);
        uint32_t flags = call_read_flags(call);

        g_ptr_array_add(mountpoints, NULL);
        domain_thaw_filesystems(call_get_domain(call), (const char *const *)mountpoints->pdata, flags,
                                reply_number, call);
}

void on_domain_fs_trim(struct call *call)
{
        const char *mountpoint;
        uint64_t minimum;
        uint32_t flags;

        call_read(call, "stu", &mountpoint, &minimum, &flags);
        domain_trim_filesystems(call_get_domain(call), mountpoint, minimum, flags, reply_nothing, call);
}

static void write_filesystem(DBusMessageIter *array, const struct guest_filesystem *filesystem)
{
        DBusMessageIter entry, names;

        marshal_open_struct(array, &entry);
        marshal_write(&entry, "sss", filesystem->mountpoint, filesystem->name, filesystem->type);
        marshal_open_array(&entry, &names, "s");
        for (unsigned i = 0; i < filesystem->names->len; i++)
                marshal_write(&names, "s", (const char *)g_ptr_array_index(filesystem->names, i));
        marshal_close(&entry, &names);
        marshal_close(array, &entry);
}

static void reply_filesystems(const struct domain_agent_answer *answer, const GError *error, void *data)
{
        struct call *call = data;
        DBusMessageIter iter, array;
        DBusMessage *reply;

        if (!call_may_reply(call, error))
                return;
        reply = call_begin_reply(call, &iter);
        marshal_open_array(&iter, &array, "(sssas)");
        for (unsigned i = 0; i < answer->filesystems->len; i++)
                write_filesystem(&array, g_ptr_array_index(answer->filesystems, i));
        marshal_close(&iter, &array);
        call_send_reply(call, reply);
}

void on_domain_get_fs_info(struct call *call)
{
        domain_get_filesystems(call_get_domain(call), call_read_flags(call), reply_filesystems, call);
}

/* ---- name and time ---- */

void on_domain_get_hostname(struct call *call)
{
        domain_get_hostname(call_get_domain(call), call_read_flags(call), reply_text, call);
}

static void reply_time(const struct domain_agent_answer *answer, const GError *error, void *data)
{
        enum { SECOND_NS = 1000 * 1000 * 1000 };
        struct call *call = data;

        if (error)
                call_fail(call, error);
        else
                call_reply(call, "(tu)", answer->number / SECOND_NS, (uint32_t)(answer->number % SECOND_NS));
}

void on_domain_get_time(struct call *call)
{
        domain_get_time(call_get_domain(call), call_read_flags(call), reply_time, call);
}

void on_domain_set_time(struct call *call)
{
        uint32_t nanoseconds, flags;
        uint64_t seconds;

        call_read(call, "tuu", &seconds, &nanoseconds, &flags);
        domain_set_time(call_get_domain(call), seconds, nanoseconds, flags, reply_nothing, call);
}

/* ---- accounts ---- */

void on_domain_set_user_password(struct call *call)
{
        const char *user, *password;
        uint32_t flags;

        call_read(call, "ssu", &user, &password, &flags);
        domain_set_user_password(call_get_domain(call), user, password, flags, reply_nothing, call);
}

static void reply_texts(const struct domain_agent_answer *answer, const GError *error, void *data)
{
        struct call *call = data;
        DBusMessageIter iter, array;
        DBusMessage *reply;

        if (!call_may_reply(call, error))
                return;
        reply = call_begin_reply(call, &iter);
        marshal_open_array(&iter, &array, "s");
        for (unsigned i = 0; answer->texts[i]; i++)
                marshal_write(&array, "s", answer->texts[i]);
        marshal_close(&iter, &array);
        call_send_reply(call, reply);
}

void on_domain_authorized_ssh_keys_get(struct call *call)
{
        const char *user;
        uint32_t flags;

        call_read(call, "su", &user, &flags);
        domain_get_ssh_keys(call_get_domain(call), user, flags, reply_texts, call);
}

void on_domain_authorized_ssh_keys_set(struct call *call)
{
        g_autoptr(GPtrArray) keys = NULL;
        const char *user;
        uint32_t flags;

        call_read(call, "s", &user);
        keys = marshal_read_strings(&call->args);
        flags = call_read_flags(call);
        g_ptr_array_add(keys, NULL);
        domain_set_ssh_keys(call_get_domain(call), user, (const char *const *)keys->pdata, flags,
                            reply_nothing, call);
}

/* ---- what it is ---- */

static void reply_params(const struct domain_agent_answer *answer, const GError *error, void *data)
{
        struct call *call = data;
        DBusMessageIter iter;
        DBusMessage *reply;

        if (!call_may_reply(call, error))
                return;
        reply = call_begin_reply(call, &iter);
        marshal_write_params(&iter, answer->params);
        call_send_reply(call, reply);
}

void on_domain_get_guest_info(struct call *call)
{
        uint32_t types, flags;

        call_read(call, "uu", &types, &flags);
        domain_get_guest_info(call_get_domain(call), types, flags, reply_params, call);
}
