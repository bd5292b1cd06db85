/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a migration may be asked for. No state; any thread. */
#include "drivers/domain/migrate.h"

#include "base/error.h"
#include "base/flags.h"

#include <string.h>

#define CHANNELS_MAX 255
/* Of names of disks that are given one by one, and of a list of disks in bytes. */
#define DISKS_MAX      256
#define DISKS_TEXT_MAX 65536

static const struct param_rule rules[] = {
        { "auto_converge.increment", PARAM_INT, .min = 1, .max = 99 },
        { "auto_converge.initial", PARAM_INT, .min = 1, .max = 99 },
        { "bandwidth", PARAM_ULONG, .max = INT64_MAX >> 20 },
        { "bandwidth.postcopy", PARAM_ULONG, .max = INT64_MAX >> 20 },
        { "compression", PARAM_STRING },
        { "compression.xbzrle.cache", PARAM_ULONG, .min = 4096, .max = INT64_MAX },
        { "destination_name", PARAM_STRING, .max = 255 },
        { "destination_xml", PARAM_STRING, .max = MIGRATION_XML_MAX },
        { "disks_port", PARAM_INT, .min = 1, .max = 65535 },
        { "disks_uri", PARAM_STRING },
        { "listen_address", PARAM_STRING, .max = 255 },
        { "migrate_disks", PARAM_STRING, PARAM_REPEATED },
        { "migrate_disks_detect_zeroes", PARAM_STRING, PARAM_REPEATED },
        { "migrate_uri", PARAM_STRING },
        { "parallel.connections", PARAM_INT, .min = 1, .max = CHANNELS_MAX },
        { "persistent_xml", PARAM_STRING, .max = MIGRATION_XML_MAX },
        { "tls_destination", PARAM_STRING, .max = 255 },
};

const struct param_table domain_migrate_params = {
        .from = ERROR_FROM_DOMAIN,
        .function = "MigrateToURI3",
        .rules = rules,
        .n_rules = G_N_ELEMENTS(rules),
        .max = G_N_ELEMENTS(rules) + DISKS_MAX,
};

/* What of that the other side is told. */
static const struct param_rule arrival_rules[] = {
        { "compression", PARAM_STRING },
        { "disks", PARAM_STRING, .max = DISKS_TEXT_MAX },
        { "disks_port", PARAM_INT, .min = 1, .max = 65535 },
        { "disks_uri", PARAM_STRING },
        { "listen_address", PARAM_STRING, .max = 255 },
        { "migrate_uri", PARAM_STRING },
        { "parallel.connections", PARAM_INT, .min = 1, .max = CHANNELS_MAX },
        { "persistent_xml", PARAM_STRING, .max = MIGRATION_XML_MAX },
        { "whole_cpu", PARAM_BOOL },
};

const struct param_table domain_arrival_params = {
        .from = ERROR_FROM_DOMAIN,
        .function = "Prepare",
        .rules = arrival_rules,
        .n_rules = G_N_ELEMENTS(arrival_rules),
};

static const struct param_rule finish_rules[] = {
        { "runs", PARAM_BOOL },
};

const struct param_table domain_finish_params = {
        .from = ERROR_FROM_DOMAIN,
        .function = "Finish",
        .rules = finish_rules,
        .n_rules = G_N_ELEMENTS(finish_rules),
};

static const struct param_rule recover_rules[] = {
        { "listen_address", PARAM_STRING, .max = 255 },
        { "migrate_uri", PARAM_STRING },
};

const struct param_table domain_recover_params = {
        .from = ERROR_FROM_DOMAIN,
        .function = "Recover",
        .rules = recover_rules,
        .n_rules = G_N_ELEMENTS(recover_rules),
};

const char *domain_migrate_get_text(const struct params *params, const char *name)
{
        const struct param *param = params_find(params, name);

        return param && *param->value.s ? param->value.s : NULL;
}

uint64_t domain_migrate_get_number(const struct params *params, const char *name)
{
        const struct param *param = params_find(params, name);

        if (!param)
                return 0;
        return param->type == PARAM_INT ? (uint64_t)param->value.i : param->value.t;
}

/* ---- flags ---- */

#define DRIVEN                                                                                               \
        (DOMAIN_MIGRATE_LIVE | DOMAIN_MIGRATE_PEER2PEER | DOMAIN_MIGRATE_TUNNELLED |                         \
         DOMAIN_MIGRATE_PERSIST_DEST | DOMAIN_MIGRATE_UNDEFINE_SOURCE | DOMAIN_MIGRATE_PAUSED |              \
         DOMAIN_MIGRATE_CHANGE_PROTECTION | DOMAIN_MIGRATE_UNSAFE | DOMAIN_MIGRATE_OFFLINE |                 \
         DOMAIN_MIGRATE_COMPRESSED | DOMAIN_MIGRATE_AUTO_CONVERGE | DOMAIN_MIGRATE_POSTCOPY |                \
         DOMAIN_MIGRATE_TLS | DOMAIN_MIGRATE_PARALLEL | DOMAIN_MIGRATE_NON_SHARED_DISK |                     \
         DOMAIN_MIGRATE_NON_SHARED_INC | DOMAIN_MIGRATE_SYNCHRONOUS_WRITES | DOMAIN_MIGRATE_POSTCOPY_RESUME)
#define KNOWN ((DOMAIN_MIGRATE_ZEROCOPY << 1) - 1)

static const char *const names[] = {
        "LIVE",
        "PEER2PEER",
        "TUNNELLED",
        "PERSIST_DEST",
        "UNDEFINE_SOURCE",
        "PAUSED",
        "NON_SHARED_DISK",
        "NON_SHARED_INC",
        "CHANGE_PROTECTION",
        "UNSAFE",
        "OFFLINE",
        "COMPRESSED",
        "ABORT_ON_ERROR",
        "AUTO_CONVERGE",
        "RDMA_PIN_ALL",
        "POSTCOPY",
        "TLS",
        "PARALLEL",
        "NON_SHARED_SYNCHRONOUS_WRITES",
        "POSTCOPY_RESUME",
        "ZEROCOPY",
};

static bool check_driven(unsigned flags, GError **error)
{
        for (unsigned i = 0; i < G_N_ELEMENTS(names); i++) {
                if (flags & (1U << i) & ~(unsigned)DRIVEN)
                        return error_set(error, ERROR_FROM_DOMAIN, ERROR_ARGUMENT_UNSUPPORTED,
                                         "the flag %s (0x%x) of a migration is not supported", names[i],
                                         1U << i);
        }
        return true;
}

static const char *name_flag(unsigned flag)
{
        return flag == DOMAIN_MIGRATE_COPIES ? "NON_SHARED_DISK or NON_SHARED_INC"
                                             : names[g_bit_nth_lsf(flag, -1)];
}

/* A parameter without the flag that it belongs to would do nothing. */
static bool check_needs(unsigned flags, const struct params *params, GError **error)
{
        static const struct {
                const char *param;
                unsigned flag;
        } needs[] = {
                { "auto_converge.increment", DOMAIN_MIGRATE_AUTO_CONVERGE },
                { "auto_converge.initial", DOMAIN_MIGRATE_AUTO_CONVERGE },
                { "bandwidth.postcopy", DOMAIN_MIGRATE_POSTCOPY },
                { "compression", DOMAIN_MIGRATE_COMPRESSED },
                { "compression.xbzrle.cache", DOMAIN_MIGRATE_COMPRESSED },
                { "parallel.connections", DOMAIN_MIGRATE_PARALLEL },
                { "disks", DOMAIN_MIGRATE_COPIES },
                { "disks_port", DOMAIN_MIGRATE_COPIES },
                { "disks_uri", DOMAIN_MIGRATE_COPIES },
                { "migrate_disks", DOMAIN_MIGRATE_COPIES },
                { "migrate_disks_detect_zeroes", DOMAIN_MIGRATE_COPIES },
                { "persistent_xml", DOMAIN_MIGRATE_PERSIST_DEST },
                { "tls_destination", DOMAIN_MIGRATE_TLS },
        };

        for (unsigned i = 0; i < G_N_ELEMENTS(needs); i++) {
                if (params_find(params, needs[i].param) && !(flags & needs[i].flag))
                        return error_set(error, ERROR_FROM_DOMAIN, ERROR_INVALID_ARG,
                                         "parameter '%s' needs the flag %s", needs[i].param,
                                         name_flag(needs[i].flag));
        }
        return true;
}

/* Where no guest moves, what says how one is to move has no meaning. */
static bool check_offline(unsigned flags, const struct params *params, GError **error)
{
        static const char *const known[] = { "destination_name", "persistent_xml", NULL };
        const unsigned others =
                flags & ~(unsigned)(DOMAIN_MIGRATE_OFFLINE | DOMAIN_MIGRATE_LIVE | DOMAIN_MIGRATE_PEER2PEER |
                                    DOMAIN_MIGRATE_PERSIST_DEST | DOMAIN_MIGRATE_UNDEFINE_SOURCE |
                                    DOMAIN_MIGRATE_UNSAFE | DOMAIN_MIGRATE_CHANGE_PROTECTION);

        if (!(flags & DOMAIN_MIGRATE_OFFLINE))
                return true;
        if (!(flags & DOMAIN_MIGRATE_PERSIST_DEST))
                return error_set(error, ERROR_FROM_DOMAIN, ERROR_INVALID_ARG,
                                 "the flag OFFLINE of a migration needs the flag PERSIST_DEST");
        if (others)
                return error_set(error, ERROR_FROM_DOMAIN, ERROR_ARGUMENT_UNSUPPORTED,
                                 "the flags OFFLINE and %s of a migration do not go together",
                                 names[g_bit_nth_lsf(others, -1)]);
        for (unsigned i = 0; i < G_N_ELEMENTS(rules); i++) {
                if (params_find(params, rules[i].name) && !g_strv_contains(known, rules[i].name))
                        return error_set(error, ERROR_FROM_DOMAIN, ERROR_INVALID_ARG,
                                         "parameter '%s' does not go with the flag OFFLINE", rules[i].name);
        }
        return true;
}

/* What goes on has begun; and QEMU has one stream for post-copy. */
static bool check_together(unsigned flags, GError **error)
{
        if (flags & DOMAIN_MIGRATE_POSTCOPY_RESUME && !(flags & DOMAIN_MIGRATE_POSTCOPY))
                return error_set(error, ERROR_FROM_DOMAIN, ERROR_INVALID_ARG,
                                 "the flag POSTCOPY_RESUME of a migration needs the flag POSTCOPY");
        if (!(flags & DOMAIN_MIGRATE_POSTCOPY) || !(flags & DOMAIN_MIGRATE_PARALLEL))
                return true;
        return error_set(error, ERROR_FROM_DOMAIN, ERROR_ARGUMENT_UNSUPPORTED,
                         "the flags POSTCOPY and PARALLEL of a migration do not go together");
}

/* There is one way, and one stream on it in one direction. */
static bool check_tunnel(unsigned flags, const struct params *params, GError **error)
{
        static const char *const places[] = { "listen_address", "migrate_uri" };
        const unsigned excluded = DOMAIN_MIGRATE_POSTCOPY | DOMAIN_MIGRATE_TLS | DOMAIN_MIGRATE_PARALLEL;

        if (!(flags & DOMAIN_MIGRATE_TUNNELLED))
                return true;
        if (flags & excluded)
                return error_set(error, ERROR_FROM_DOMAIN, ERROR_ARGUMENT_UNSUPPORTED,
                                 "the flags TUNNELLED and %s of a migration do not go together",
                                 names[g_bit_nth_lsf(flags & excluded, -1)]);
        for (unsigned i = 0; i < G_N_ELEMENTS(places); i++) {
                if (params_find(params, places[i]))
                        return error_set(error, ERROR_FROM_DOMAIN, ERROR_INVALID_ARG,
                                         "parameter '%s' does not go with the flag TUNNELLED", places[i]);
        }
        return true;
}

static bool check_copies(unsigned flags, GError **error)
{
        const unsigned excluded = DOMAIN_MIGRATE_TUNNELLED | DOMAIN_MIGRATE_OFFLINE;

        if ((flags & DOMAIN_MIGRATE_COPIES) == DOMAIN_MIGRATE_COPIES)
                return error_set(error, ERROR_FROM_DOMAIN, ERROR_INVALID_ARG,
                                 "the flags NON_SHARED_DISK and NON_SHARED_INC exclude each other");
        for (unsigned i = 0; i < G_N_ELEMENTS(names); i++) {
                if (flags & DOMAIN_MIGRATE_COPIES && flags & (1U << i) & excluded)
                        return error_set(error, ERROR_FROM_DOMAIN, ERROR_ARGUMENT_UNSUPPORTED,
                                         "copies of disks with the flag %s are not supported", names[i]);
        }
        return !(flags & DOMAIN_MIGRATE_SYNCHRONOUS_WRITES) || flags & DOMAIN_MIGRATE_COPIES ||
               error_set(error, ERROR_FROM_DOMAIN, ERROR_INVALID_ARG,
                         "the flag NON_SHARED_SYNCHRONOUS_WRITES needs NON_SHARED_DISK or NON_SHARED_INC");
}

/* One stream sends what has changed of a page; several compress what they send. */
static bool check_compression(unsigned flags, const struct params *params, GError **error)
{
        static const char *const one[] = { "xbzrle", NULL }, *const many[] = { "zlib", "zstd", NULL };
        bool is_parallel = flags & DOMAIN_MIGRATE_PARALLEL;
        const char *method = domain_migrate_get_text(params, "compression");
        g_autofree char *quoted = method ? error_quote(method) : NULL;
        g_autofree char *expected = error_list(is_parallel ? many : one);

        if (!(flags & DOMAIN_MIGRATE_COMPRESSED) || (!method && !is_parallel) ||
            (method && g_strv_contains(is_parallel ? many : one, method)))
                return true;
        return error_set(error, ERROR_FROM_DOMAIN, ERROR_ARGUMENT_UNSUPPORTED,
                         "compression '%s' of a migration %s the flag PARALLEL, expected %s",
                         quoted ? quoted : "", is_parallel ? "with" : "without", expected);
}

bool domain_migrate_check_flags(unsigned flags, const struct params *params, GError **error)
{
        return flags_check(flags, KNOWN, ERROR_FROM_DOMAIN, "MigrateToURI3", error) &&
               check_driven(flags, error) && check_needs(flags, params, error) &&
               check_offline(flags, params, error) && check_together(flags, error) &&
               check_tunnel(flags, params, error) && check_copies(flags, error) &&
               check_compression(flags, params, error);
}
