/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What keeps a guest's memory and keys from its host: <launchSecurity> and <keywrap>. Values that hardware
 * makes of them (certificates, blobs in base64) are kept as they are.
 */
#include "drivers/domain/definition-xml.h"

#include "base/error.h"
#include "drivers/domain/arena.h"

#define BLOB_MAX (64 * 1024) /* certificates and sessions of SEV, in base64, are some KiB */

static const char *const type_names[] = {
        [DOMAIN_LAUNCH_SEV] = "sev",
        [DOMAIN_LAUNCH_SEV_SNP] = "sev-snp",
        [DOMAIN_LAUNCH_S390_PV] = "s390-pv",
        [DOMAIN_LAUNCH_TDX] = "tdx",
        NULL,
};

const char *domain_launch_get_name(enum domain_launch_type type)
{
        return type_names[type];
}

static const struct field launch_fields[] = {
        ENUM("type", struct domain_launch, type, type_names, .required = true),
        YES_NO("kernelHashes", struct domain_launch, kernel_hashes),
        YES_NO("authorKey", struct domain_launch, author_key),
        YES_NO("vcek", struct domain_launch, vcek),
        FIELDS_END,
};
static const struct field cbitpos_fields[] = { INT(NULL, struct domain_launch, cbitpos, .max = 63),
                                               FIELDS_END };
static const struct field reduced_fields[] = { INT(NULL, struct domain_launch, reduced_bits, .max = 63),
                                               FIELDS_END };
static const struct field policy_fields[] = { HEX(NULL, struct domain_launch, policy), FIELDS_END };

#define BLOB(name, member)                                                                                   \
        static const struct field name[] = { STRING(NULL, struct domain_launch, member, .max = BLOB_MAX),    \
                                             FIELDS_END }
BLOB(dh_fields, dh_cert);
BLOB(session_fields, session);
BLOB(workarounds_fields, workarounds);
BLOB(id_block_fields, id_block);
BLOB(id_auth_fields, id_auth);
BLOB(host_data_fields, host_data);
BLOB(config_fields, mr_config_id);
BLOB(owner_fields, mr_owner);
BLOB(owner_config_fields, mr_owner_config);

static const struct field_part launch_parts[] = {
        { NULL, launch_fields },
        { "cbitpos", cbitpos_fields },
        { "reducedPhysBits", reduced_fields },
        { "policy", policy_fields },
        { "dhCert", dh_fields },
        { "session", session_fields },
        { "guestVisibleWorkarounds", workarounds_fields },
        { "idBlock", id_block_fields },
        { "idAuth", id_auth_fields },
        { "hostData", host_data_fields },
        { "mrConfigId", config_fields },
        { "mrOwner", owner_fields },
        { "mrOwnerConfig", owner_config_fields },
        PARTS_END,
};

bool domain_read_launch(struct domain_reader *reader, xmlNode *node, void *target, GError **error)
{
        struct domain_launch *launch = domain_arena_alloc(reader->arena, sizeof(*launch));
        struct domain_def *def = target;

        def->launch = launch;
        launch->cbitpos = launch->reduced_bits = -1;
        if (!field_read_parts(reader, node, launch_parts, launch, error))
                return false;
        if ((launch->type == DOMAIN_LAUNCH_SEV || launch->type == DOMAIN_LAUNCH_SEV_SNP) &&
            !xml_child(node, "policy"))
                return xml_error(error, node, "missing element 'policy'");
        return true;
}

/* ---- <keywrap> ---- */

static const char *const cipher_names[] = { "aes", "dea", NULL };

struct cipher {
        const char *name;
        enum domain_switch state;
};
static const struct field cipher_fields[] = {
        NAME("name", struct cipher, name, cipher_names, .required = true),
        ON_OFF("state", struct cipher, state, .required = true),
        FIELDS_END,
};

bool domain_read_keywrap(struct domain_reader *reader, xmlNode *node, void *target, GError **error)
{
        struct domain_def *def = target;

        XML_FOREACH_CHILD (child, node) {
                struct cipher cipher = { 0 };
                enum domain_switch *state;

                if (!xml_is(child, "cipher"))
                        continue;
                if (!field_read(reader, child, cipher_fields, &cipher, error))
                        return false;
                state = g_str_equal(cipher.name, "aes") ? &def->aes_wrap : &def->dea_wrap;
                if (*state != DOMAIN_SWITCH_ABSENT)
                        return xml_error(error, child, "cipher '%s' is there twice", cipher.name);
                *state = cipher.state;
        }
        return true;
}
