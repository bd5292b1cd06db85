/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* QEMU's parameters of migration. Lane of the domain. */
#include "drivers/qemu/migration.h"

#include "base/error.h"

#include <inttypes.h>

static const struct {
        const char *name;
        uint64_t unit;
} parameters[] = {
        [DOMAIN_MIGRATION_SPEED] = { "max-bandwidth", 1024 * 1024 },
        [DOMAIN_MIGRATION_POSTCOPY_SPEED] = { "max-postcopy-bandwidth", 1024 * 1024 },
        [DOMAIN_MIGRATION_DOWNTIME] = { "downtime-limit", 1 },
        [DOMAIN_MIGRATION_CACHE] = { "xbzrle-cache-size", 1 },
};

static bool set(struct qmp *qmp, const char *name, uint64_t value, GError **error)
{
        return qmp_execute(qmp, "migrate-set-parameters", json_pack("{s:I}", name, (json_int_t)value),
                           QMP_TIMEOUT_MS, NULL, error);
}

static bool get(struct qmp *qmp, const char *name, uint64_t *value, GError **error)
{
        json_t *answer;
        const json_t *number;

        if (!qmp_execute(qmp, "query-migrate-parameters", NULL, QMP_TIMEOUT_MS, &answer, error))
                return false;
        number = json_object_get(answer, name);
        *value = json_is_integer(number) ? (uint64_t)MAX(json_integer_value(number), 0) : 0;
        if (!number)
                error_set(error, ERROR_FROM_QEMU, ERROR_OPERATION_UNSUPPORTED,
                          "the emulator does not tell its '%s'", name);
        json_decref(answer);
        return number != NULL;
}

bool migration_set_speed(struct qmp *qmp, uint64_t speed, GError **error)
{
        return set(qmp, parameters[DOMAIN_MIGRATION_SPEED].name, speed, error);
}

bool migration_get_speed(struct qmp *qmp, uint64_t *speed, GError **error)
{
        return get(qmp, parameters[DOMAIN_MIGRATION_SPEED].name, speed, error);
}

bool migration_set(struct domain *domain, enum domain_migration_setting setting, uint64_t value,
                   GError **error)
{
        return set(guest_of(domain)->qmp, parameters[setting].name,
                   MIN(value * parameters[setting].unit, (uint64_t)MIGRATION_NO_LIMIT), error);
}

bool migration_get(struct domain *domain, enum domain_migration_setting setting, uint64_t *value,
                   GError **error)
{
        uint64_t number;

        if (!get(guest_of(domain)->qmp, parameters[setting].name, &number, error))
                return false;
        *value = number / parameters[setting].unit;
        return true;
}
