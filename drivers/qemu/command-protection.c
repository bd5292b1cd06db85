/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Guests whose memory is the hardware's secret (<launchSecurity>): the object that QEMU has for it. Values
 * only; any thread.
 */
#include "drivers/qemu/command-internal.h"

static const char *const objects[] = {
        [DOMAIN_LAUNCH_SEV] = "sev-guest",
        [DOMAIN_LAUNCH_SEV_SNP] = "sev-snp-guest",
        [DOMAIN_LAUNCH_S390_PV] = "s390-pv-guest",
        [DOMAIN_LAUNCH_TDX] = "tdx-guest",
};

char *command_protection_path(const char *home, const char *name)
{
        return g_strdup_printf("%s/%s.base64", home, name);
}

static void set_file(const struct command_builder *builder, json_t *object, const char *property,
                     const char *name, const char *content)
{
        g_autofree char *path = command_protection_path(builder->context->home, name);

        if (content)
                device_set_string(object, property, path);
}

static void set_place(json_t *object, const struct domain_launch *launch)
{
        if (launch->cbitpos >= 0)
                device_set_int(object, "cbitpos", launch->cbitpos);
        if (launch->reduced_bits >= 0)
                device_set_int(object, "reduced-phys-bits", launch->reduced_bits);
        device_set_int(object, "policy", (json_int_t)launch->policy);
        device_set_switch(object, "kernel-hashes", launch->kernel_hashes);
}

static void set_snp(json_t *object, const struct domain_launch *launch)
{
        device_set_string(object, "guest-visible-workarounds", launch->workarounds);
        device_set_string(object, "id-block", launch->id_block);
        device_set_string(object, "id-auth", launch->id_auth);
        device_set_string(object, "host-data", launch->host_data);
        device_set_switch(object, "author-key-enabled", launch->author_key);
        if (launch->vcek != DOMAIN_SWITCH_ABSENT)
                device_set_bool(object, "vcek-disabled", launch->vcek == DOMAIN_SWITCH_OFF);
}

static void set_tdx(json_t *object, const struct domain_launch *launch)
{
        device_set_uint(object, "attributes", launch->policy);
        device_set_string(object, "mrconfigid", launch->mr_config_id);
        device_set_string(object, "mrowner", launch->mr_owner);
        device_set_string(object, "mrownerconfig", launch->mr_owner_config);
}

static bool check(const struct command_builder *builder, GError **error)
{
        const struct domain_launch *launch = builder->def->launch;
        const char *type = domain_launch_get_name(launch->type);
        bool s390 = launch->type == DOMAIN_LAUNCH_S390_PV;

        if (s390 != (builder->family == MACHINE_S390) || (!s390 && !machine_is_x86(builder->family)))
                return device_unsupported(error, "<launchSecurity type='%s'> on machine '%s'", type,
                                          builder->machine->name);
        if (!command_is_kvm(builder))
                return device_unsupported(error,
                                          "<launchSecurity type='%s'> without KVM: what is emulated has "
                                          "no secrets from its host",
                                          type);
        if (!qemu_caps_has_type(builder->caps, objects[launch->type]))
                return device_unsupported(error,
                                          "emulator '%s' has no object '%s' for <launchSecurity "
                                          "type='%s'>",
                                          qemu_caps_get_path(builder->caps), objects[launch->type], type);
        return true;
}

bool command_protection_add(struct command_builder *builder, GError **error)
{
        const struct domain_launch *launch = builder->def->launch;
        CLEANUP(device_list_free) struct device_list *list = NULL;
        json_t *object;

        if (!launch)
                return true;
        if (!check(builder, error))
                return false;
        list = device_list_new();
        object = device_object(objects[launch->type], COMMAND_PROTECTION_ID);
        if (launch->type == DOMAIN_LAUNCH_SEV || launch->type == DOMAIN_LAUNCH_SEV_SNP)
                set_place(object, launch);
        if (launch->type == DOMAIN_LAUNCH_SEV) {
                set_file(builder, object, "dh-cert-file", "dh_cert", launch->dh_cert);
                set_file(builder, object, "session-file", "session", launch->session);
        }
        if (launch->type == DOMAIN_LAUNCH_SEV_SNP)
                set_snp(object, launch);
        if (launch->type == DOMAIN_LAUNCH_TDX)
                set_tdx(object, launch);
        device_list_add(list, DEVICE_OBJECT, object);
        command_append_list(builder, list);
        return true;
}
