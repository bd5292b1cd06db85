/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Requests of the model as commands of the guest agent. In its lane.
 */
#include "drivers/qemu/guest-agent.h"

#include "base/error.h"
#include "drivers/domain/input.h"

#include <string.h>

static bool execute(struct guest_agent *agent, const char *command, json_t *arguments, json_t **result,
                    GError **error)
{
        return guest_agent_execute(agent, command, arguments, GUEST_AGENT_TIMEOUT_MS, result, error);
}

static json_t *pack_texts(char *const *texts)
{
        json_t *array = json_array();

        for (; texts && *texts; texts++) {
                /* NULL for what is no UTF-8, which the packing of the whole command finds. */
                json_t *text = json_string(*texts);

                json_array_append_new(array, text ? text : json_null());
        }
        return array;
}

/* ---- file systems ---- */

static bool read_count(const struct guest_agent *agent, const char *command, const json_t *result,
                       uint64_t *number, GError **error)
{
        if (!json_is_integer(result) || json_integer_value(result) < 0 ||
            json_integer_value(result) > INT32_MAX)
                return guest_agent_set_malformed(agent, command, error);
        *number = (uint64_t)json_integer_value(result);
        return true;
}

static bool count(struct guest_agent *agent, const char *command, json_t *arguments, uint64_t *number,
                  GError **error)
{
        CLEANUP(json_decref) json_t *result = NULL;

        return guest_agent_execute(agent, command, arguments, GUEST_AGENT_TIMEOUT_JOB_MS, &result, error) &&
               read_count(agent, command, result, number, error);
}

#define THAW "guest-fsfreeze-thaw"

/* A guest whose freezing was a failure does not stay frozen, for nobody to thaw it. */
static bool freeze(struct guest_agent *agent, const struct domain_agent_request *request,
                   struct domain_agent_answer *answer, GError **error)
{
        const char *command = request->texts ? "guest-fsfreeze-freeze-list" : "guest-fsfreeze-freeze";
        json_t *arguments =
                request->texts ? json_pack("{s:o}", "mountpoints", pack_texts(request->texts)) : NULL;
        CLEANUP(json_decref) json_t *result = NULL;

        return guest_agent_execute_or_undo(agent, command, arguments, THAW, &result, error) &&
               read_count(agent, command, result, &answer->number, error);
}

static bool thaw(struct guest_agent *agent, const struct domain_agent_request *request,
                 struct domain_agent_answer *answer, GError **error)
{
        if (request->texts)
                return error_set(error, ERROR_FROM_QEMU, ERROR_ARGUMENT_UNSUPPORTED,
                                 "mount points: guest agents thaw all file systems at once");
        return count(agent, THAW, NULL, &answer->number, error);
}

static bool trim(struct guest_agent *agent, const struct domain_agent_request *request,
                 struct domain_agent_answer *answer, GError **error)
{
        json_t *arguments = json_pack("{s:I}", "minimum", (json_int_t)request->number);

        return guest_agent_execute(agent, "guest-fstrim", arguments, GUEST_AGENT_TIMEOUT_JOB_MS, NULL, error);
}

static bool get_filesystems(struct guest_agent *agent, const struct domain_agent_request *request,
                            struct domain_agent_answer *answer, GError **error)
{
        answer->filesystems = guest_agent_get_filesystems(agent, error);
        return answer->filesystems != NULL;
}

/* ---- name and time ---- */

static bool get_hostname(struct guest_agent *agent, const struct domain_agent_request *request,
                         struct domain_agent_answer *answer, GError **error)
{
        static const char command[] = "guest-get-host-name";
        CLEANUP(json_decref) json_t *result = NULL;
        const char *name;

        if (!execute(agent, command, NULL, &result, error))
                return false;
        name = json_string_value(json_object_get(result, "host-name"));
        if (!name)
                return guest_agent_set_malformed(agent, command, error);
        answer->text = g_strdup(name);
        return true;
}

static bool get_time(struct guest_agent *agent, const struct domain_agent_request *request,
                     struct domain_agent_answer *answer, GError **error)
{
        static const char command[] = "guest-get-time";
        CLEANUP(json_decref) json_t *result = NULL;

        if (!execute(agent, command, NULL, &result, error))
                return false;
        if (!json_is_integer(result) || json_integer_value(result) < 0)
                return guest_agent_set_malformed(agent, command, error);
        answer->number = (uint64_t)json_integer_value(result);
        return true;
}

static bool set_time(struct guest_agent *agent, const struct domain_agent_request *request,
                     struct domain_agent_answer *answer, GError **error)
{
        json_t *arguments = NULL;

        if (!(request->flags & DOMAIN_TIME_SYNC))
                arguments = json_pack("{s:I}", "time", (json_int_t)request->number);
        return guest_agent_execute(agent, "guest-set-time", arguments, GUEST_AGENT_TIMEOUT_JOB_MS, NULL,
                                   error);
}

/* ---- accounts ---- */

static bool set_password(struct guest_agent *agent, const struct domain_agent_request *request,
                         struct domain_agent_answer *answer, GError **error)
{
        char *encoded = g_base64_encode((const unsigned char *)request->secret, strlen(request->secret));
        json_t *arguments = json_pack("{s:s, s:s, s:b}", "username", request->user, "password", encoded,
                                      "crypted", (request->flags & DOMAIN_PASSWORD_ENCRYPTED) != 0);

        explicit_bzero(encoded, strlen(encoded));
        g_free(encoded);
        return execute(agent, "guest-set-user-password", arguments, NULL, error);
}

static bool get_keys(struct guest_agent *agent, const struct domain_agent_request *request,
                     struct domain_agent_answer *answer, GError **error)
{
        static const char command[] = "guest-ssh-get-authorized-keys";
        CLEANUP(json_decref) json_t *result = NULL;
        g_autoptr(GPtrArray) keys = g_ptr_array_new_with_free_func(g_free);
        const json_t *list, *key;
        size_t i;

        if (!execute(agent, command, json_pack("{s:s}", "username", request->user), &result, error))
                return false;
        list = json_object_get(result, "keys");
        if (!json_is_array(list))
                return guest_agent_set_malformed(agent, command, error);
        json_array_foreach((json_t *)list, i, key)
        {
                if (!json_is_string(key))
                        return guest_agent_set_malformed(agent, command, error);
                g_ptr_array_add(keys, g_strdup(json_string_value(key)));
        }
        g_ptr_array_add(keys, NULL);
        answer->texts = (char **)g_ptr_array_free(g_steal_pointer(&keys), FALSE);
        return true;
}

static bool set_keys(struct guest_agent *agent, const struct domain_agent_request *request,
                     struct domain_agent_answer *answer, GError **error)
{
        json_t *arguments =
                json_pack("{s:s, s:o}", "username", request->user, "keys", pack_texts(request->texts));

        if (request->flags & DOMAIN_SSH_KEYS_REMOVE)
                return execute(agent, "guest-ssh-remove-authorized-keys", arguments, NULL, error);
        if (arguments)
                json_object_set_new(arguments, "reset",
                                    json_boolean(!(request->flags & DOMAIN_SSH_KEYS_APPEND)));
        return execute(agent, "guest-ssh-add-authorized-keys", arguments, NULL, error);
}

/* ---- what it is ---- */

static bool get_info(struct guest_agent *agent, const struct domain_agent_request *request,
                     struct domain_agent_answer *answer, GError **error)
{
        return guest_agent_get_info(agent, request->flags, answer, error);
}

static bool get_interfaces(struct guest_agent *agent, const struct domain_agent_request *request,
                           struct domain_agent_answer *answer, GError **error)
{
        answer->interfaces = guest_agent_get_interfaces(agent, error);
        return answer->interfaces != NULL;
}

/* ---- vCPUs ---- */

static bool read_vcpu(const json_t *entry, struct domain_guest_vcpu *vcpu)
{
        const json_t *id = json_object_get(entry, "logical-id"), *online = json_object_get(entry, "online");

        if (!json_is_integer(id) || json_integer_value(id) < 0 || json_integer_value(id) > INT32_MAX ||
            !json_is_boolean(online))
                return false;
        vcpu->id = (uint32_t)json_integer_value(id);
        vcpu->online = json_is_true(online);
        vcpu->can_offline = json_is_true(json_object_get(entry, "can-offline"));
        return true;
}

static int compare_vcpus(const void *a, const void *b)
{
        const struct domain_guest_vcpu *one = a, *other = b;

        return one->id < other->id ? -1 : one->id > other->id;
}

static bool get_vcpus(struct guest_agent *agent, const struct domain_agent_request *request,
                      struct domain_agent_answer *answer, GError **error)
{
        static const char command[] = "guest-get-vcpus";
        CLEANUP(json_decref) json_t *result = NULL;
        const json_t *entry;
        size_t i;

        if (!execute(agent, command, NULL, &result, error))
                return false;
        if (!json_is_array(result))
                return guest_agent_set_malformed(agent, command, error);
        answer->vcpus = g_array_new(FALSE, FALSE, sizeof(struct domain_guest_vcpu));
        json_array_foreach(result, i, entry)
        {
                struct domain_guest_vcpu vcpu;

                if (!read_vcpu(entry, &vcpu))
                        return guest_agent_set_malformed(agent, command, error);
                g_array_append_val(answer->vcpus, vcpu);
        }
        g_array_sort(answer->vcpus, compare_vcpus);
        return true;
}

/* The agent does as many as it can and says how many that were, or what is wrong with the first. */
static bool set_vcpus(struct guest_agent *agent, const struct domain_agent_request *request,
                      struct domain_agent_answer *answer, GError **error)
{
        static const char command[] = "guest-set-vcpus";
        unsigned done = 0;

        while (done < request->vcpus->len) {
                json_t *list = json_array();
                uint64_t more;

                for (unsigned i = done; i < request->vcpus->len; i++) {
                        const struct domain_guest_vcpu *vcpu =
                                &g_array_index(request->vcpus, struct domain_guest_vcpu, i);

                        json_array_append_new(list, json_pack("{s:I, s:b}", "logical-id",
                                                              (json_int_t)vcpu->id, "online", vcpu->online));
                }
                if (!count(agent, command, json_pack("{s:o}", "vcpus", list), &more, error))
                        return false;
                if (more == 0 || more > request->vcpus->len - done)
                        return guest_agent_set_malformed(agent, command, error);
                done += (unsigned)more;
        }
        return true;
}

/* ---- sleep and the end ---- */

static bool suspend(struct guest_agent *agent, const struct domain_agent_request *request,
                    struct domain_agent_answer *answer, GError **error)
{
        static const char *const commands[DOMAIN_SUSPEND_TARGETS] = {
                [DOMAIN_SUSPEND_MEMORY] = "guest-suspend-ram",
                [DOMAIN_SUSPEND_DISK] = "guest-suspend-disk",
                [DOMAIN_SUSPEND_HYBRID] = "guest-suspend-hybrid",
        };

        return guest_agent_execute_last(agent, commands[request->number], NULL, error);
}

static bool shut_down(struct guest_agent *agent, const struct domain_agent_request *request,
                      struct domain_agent_answer *answer, GError **error)
{
        const char *mode = request->kind == DOMAIN_AGENT_REBOOT ? "reboot" : "powerdown";

        return guest_agent_execute_last(agent, "guest-shutdown", json_pack("{s:s}", "mode", mode), error);
}

/* ---- */

bool guest_agent_ask(struct domain_agent *agent, const struct domain_agent_request *request,
                     struct domain_agent_answer *answer, GError **error)
{
        static bool (*const functions[DOMAIN_AGENT_REQUESTS])(
                struct guest_agent * agent, const struct domain_agent_request *request,
                struct domain_agent_answer *answer, GError **error) = {
                [DOMAIN_AGENT_FREEZE] = freeze,
                [DOMAIN_AGENT_THAW] = thaw,
                [DOMAIN_AGENT_TRIM] = trim,
                [DOMAIN_AGENT_GET_FILESYSTEMS] = get_filesystems,
                [DOMAIN_AGENT_GET_HOSTNAME] = get_hostname,
                [DOMAIN_AGENT_GET_TIME] = get_time,
                [DOMAIN_AGENT_SET_TIME] = set_time,
                [DOMAIN_AGENT_SET_PASSWORD] = set_password,
                [DOMAIN_AGENT_GET_INFO] = get_info,
                [DOMAIN_AGENT_GET_KEYS] = get_keys,
                [DOMAIN_AGENT_SET_KEYS] = set_keys,
                [DOMAIN_AGENT_GET_VCPUS] = get_vcpus,
                [DOMAIN_AGENT_SET_VCPUS] = set_vcpus,
                [DOMAIN_AGENT_GET_INTERFACES] = get_interfaces,
                [DOMAIN_AGENT_SUSPEND] = suspend,
                [DOMAIN_AGENT_SHUT_DOWN] = shut_down,
                [DOMAIN_AGENT_REBOOT] = shut_down,
        };

        return functions[request->kind](guest_agent_of(agent), request, answer, error);
}
