/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The capabilities of an emulator: a JSON document, made by the probe or read from its cache, and an index of
 * it. All strings belong to the document. Any thread.
 */

#include "drivers/qemu/qemu-caps.h"
#include "base/error.h"
#include "drivers/host/cpu-models.h"
#include "drivers/qemu/qmp-value.h"

#include <string.h>

/* Sets of strings in the document, by member. */
enum set {
        SET_TYPES,
        SET_PROPERTIES,
        SET_COMMANDS,
        SET_EVENTS,
        SET_ARGUMENTS,
        SET_OPTIONS,
        SET_HYPERV,
        SET_BLOCK_DRIVERS,
        SET_LAST,
};

static const char *const set_names[SET_LAST] = {
        "types", "properties", "commands", "events", "arguments", "options", "hyperv", "block-drivers",
};

static const char *const accel_names[QEMU_ACCEL_LAST] = { "kvm", "tcg" };

struct accel {
        bool available;
        struct qemu_cpu_model *models; /* owned */
        unsigned n_models;
        struct qemu_host_model host;
        GArray *features; /* owned; struct qemu_cpu_feature, of host */
};

struct qemu_caps {
        /* atomic */
        gint refs;
        /* const */
        json_t *document; /* ref */
        const char *path;
        const char *arch;
        uint64_t version;
        struct qemu_machine *machines; /* owned */
        unsigned n_machines;
        struct accel accels[QEMU_ACCEL_LAST];
        GHashTable *cpus;           /* owned; names, special and versioned ones too */
        GHashTable *sets[SET_LAST]; /* owned */
};

const struct qemu_caps *qemu_caps_ref(const struct qemu_caps *caps)
{
        g_atomic_int_inc((gint *)&caps->refs);
        return caps;
}

static void free_models(struct accel *accel)
{
        for (unsigned i = 0; i < accel->n_models; i++)
                g_free((void *)accel->models[i].blockers);
        g_free(accel->models);
        if (accel->features)
                g_array_unref(accel->features);
}

void qemu_caps_unref(const struct qemu_caps *caps)
{
        struct qemu_caps *mine = (struct qemu_caps *)caps;

        if (!caps || !g_atomic_int_dec_and_test(&mine->refs))
                return;
        for (unsigned i = 0; i < SET_LAST; i++)
                g_clear_pointer(&mine->sets[i], g_hash_table_unref);
        g_clear_pointer(&mine->cpus, g_hash_table_unref);
        for (unsigned i = 0; i < QEMU_ACCEL_LAST; i++)
                free_models(&mine->accels[i]);
        g_free(mine->machines);
        json_decref(mine->document);
        g_free(mine);
}

/* QEMU finds models of POWER by family, in whatever case; libvirt's name of "power9_v2.0" is "POWER9". */
static void name_family(char *model)
{
        char *version = strstr(model, "_v");

        if (version && version > model)
                *version = '\0';
        for (; *model; model++)
                *model = g_ascii_toupper(*model);
}

/*
 * The model that the machine's CPU type is of, "qemu64" of "qemu64-x86_64-cpu" (so does every target of QEMU
 * name its types); kept in the document beside it.
 */
static const char *load_default_cpu(json_t *machine, bool ppc)
{
        g_autofree char *model = g_strdup(qmp_get_string(machine, "default-cpu-type"));
        char *target;

        if (!model || !g_str_has_suffix(model, "-cpu"))
                return NULL;
        model[strlen(model) - strlen("-cpu")] = '\0';
        target = strrchr(model, '-');
        if (!target)
                return NULL;
        *target = '\0';
        if (ppc)
                name_family(model);
        json_object_set_new(machine, "default-cpu-model", json_string(model));
        return qmp_get_string(machine, "default-cpu-model");
}

static bool is_ppc(const struct qemu_caps *caps)
{
        return caps->arch && g_str_has_prefix(caps->arch, "ppc");
}

static void load_machines(struct qemu_caps *caps)
{
        const json_t *list = json_object_get(caps->document, "machines");
        size_t count = json_array_size(list);

        caps->machines = g_new0(struct qemu_machine, count + 1);
        for (size_t i = 0; i < count; i++) {
                json_t *one = json_array_get(list, i);
                struct qemu_machine *machine = &caps->machines[caps->n_machines];
                json_int_t max_cpus = json_integer_value(json_object_get(one, "cpu-max"));

                machine->name = qmp_get_string(one, "name");
                /* "none" is for probes. */
                if (!machine->name || g_str_equal(machine->name, "none"))
                        continue;
                machine->alias = qmp_get_string(one, "alias");
                machine->max_cpus = (unsigned)CLAMP(max_cpus, 1, G_MAXINT);
                machine->default_cpu = load_default_cpu(one, is_ppc(caps));
                machine->default_ram_id = qmp_get_string(one, "default-ram-id");
                machine->is_default = json_is_true(json_object_get(one, "is-default"));
                machine->deprecated = json_is_true(json_object_get(one, "deprecated"));
                machine->hotpluggable_cpus = json_is_true(json_object_get(one, "hotpluggable-cpus"));
                machine->numa_mem = json_is_true(json_object_get(one, "numa-mem-supported"));
                caps->n_machines++;
        }
}

/* "Haswell-v4" is another name of a model that has one; "max", "host" and "base" are none. */
static bool is_plain_model(const char *name)
{
        const char *at = strrchr(name, '-');

        if (g_str_equal(name, "max") || g_str_equal(name, "host") || g_str_equal(name, "base"))
                return false;
        return !at || at[1] != 'v' || !at[2] || strspn(at + 2, "0123456789") != strlen(at + 2);
}

static const char *const *load_blockers(const json_t *list)
{
        const char **names = g_new0(const char *, json_array_size(list) + 1);
        unsigned count = 0;

        for (size_t i = 0; i < json_array_size(list); i++) {
                const char *name = json_string_value(json_array_get(list, i));

                if (name)
                        names[count++] = name;
        }
        return names;
}

static void load_models(struct qemu_caps *caps, struct accel *accel, const json_t *list)
{
        accel->models = g_new0(struct qemu_cpu_model, json_array_size(list) + 1);
        for (size_t i = 0; i < json_array_size(list); i++) {
                const json_t *one = json_array_get(list, i);
                const json_t *blockers = json_object_get(one, "unavailable-features");
                const char *name = qmp_get_string(one, "name");
                struct qemu_cpu_model *model = &accel->models[accel->n_models];

                if (!name)
                        continue;
                g_hash_table_add(caps->cpus, (void *)name);
                if (!is_plain_model(name))
                        continue;
                model->name = name;
                model->blockers = load_blockers(blockers);
                model->has_usability = json_is_array(blockers);
                model->usable = model->has_usability && json_array_size(blockers) == 0;
                model->deprecated = json_is_true(json_object_get(one, "deprecated"));
                accel->n_models++;
        }
}

struct collector {
        GArray *features;
        bool enabled;
};

static void collect_feature(const char *name, void *data)
{
        struct collector *collector = data;
        struct qemu_cpu_feature feature = { .name = name, .enabled = collector->enabled };

        g_array_append_val(collector->features, feature);
}

struct offered {
        const struct qemu_caps *caps;
        enum qemu_accel accel;
};

static bool is_offered(const struct cpu_model *model, void *data)
{
        const struct offered *offered = data;

        return qemu_caps_find_cpu_model(offered->caps, offered->accel, model->name) != NULL;
}

/*
 * KVM shows Intel's registers of what a CPU is not vulnerable to on those of AMD, too, where many a kernel
 * then refuses to set them, and QEMU ends. QEMU itself leaves them out there since 10.1.
 */
static void drop_foreign(struct cpu_features *features, const char *vendor)
{
        if (strcmp(vendor, "AuthenticAMD") != 0 && strcmp(vendor, "HygonGenuine") != 0)
                return;
        cpu_features_remove(features, "arch-capabilities");
        cpu_features_drop_msr(features);
}

/* The nearest named model, and the features to add to it and to take from it. */
static void load_host_model(const struct qemu_caps *caps, enum qemu_accel which, struct accel *accel,
                            const json_t *host)
{
        const json_t *list = json_object_get(host, "features");
        struct offered offered = { .caps = caps, .accel = which };
        struct collector collector = { .features = accel->features };
        struct cpu_identity identity = { 0 };
        struct cpu_features features = { 0 }, own, difference;
        const struct cpu_model *model;

        accel->host.features = (const struct qemu_cpu_feature *)accel->features->data;
        if (!json_is_array(list))
                return;
        for (size_t i = 0; i < json_array_size(list); i++)
                cpu_features_add(&features, json_string_value(json_array_get(list, i)));
        g_strlcpy(identity.vendor, qmp_get_string(host, "vendor") ?: "", sizeof(identity.vendor));
        drop_foreign(&features, identity.vendor);
        identity.family = (unsigned)json_integer_value(json_object_get(host, "family"));
        identity.model = (unsigned)json_integer_value(json_object_get(host, "model"));
        model = cpu_model_choose(&identity, &features, true, is_offered, &offered);
        if (!model)
                return;
        cpu_model_get_features(model, &own);
        difference = cpu_features_minus(&features, &own);
        collector.enabled = true;
        cpu_features_foreach(&difference, collect_feature, &collector);
        difference = cpu_features_minus(&own, &features);
        collector.enabled = false;
        cpu_features_foreach(&difference, collect_feature, &collector);
        accel->host.model = model->name;
        accel->host.vendor = cpu_vendor_get_name(identity.vendor);
        accel->host.features = (const struct qemu_cpu_feature *)accel->features->data;
        accel->host.n_features = accel->features->len;
}

static void load_accels(struct qemu_caps *caps)
{
        const json_t *cpus = json_object_get(caps->document, "cpus");

        for (unsigned i = 0; i < QEMU_ACCEL_LAST; i++) {
                const json_t *one = json_object_get(cpus, accel_names[i]);
                struct accel *accel = &caps->accels[i];

                accel->features = g_array_new(FALSE, TRUE, sizeof(struct qemu_cpu_feature));
                accel->available = json_is_object(one);
                load_models(caps, accel, json_object_get(one, "models"));
                load_host_model(caps, i, accel, json_object_get(one, "host"));
        }
}

static json_t *collect_riscv_models(const json_t *types)
{
        static const char suffix[] = "-riscv-cpu";
        json_t *names = json_array();

        for (size_t i = 0; i < json_array_size(types); i++) {
                const char *type = json_string_value(json_array_get(types, i));

                if (type && g_str_has_suffix(type, suffix))
                        json_array_append_new(names, json_stringn(type, strlen(type) - strlen(suffix)));
        }
        return names;
}

/*
 * Emulators of RISC-V before 8.1 are not asked for models; each is a type. The names are kept in the
 * document, once for all capabilities that are made of it.
 */
static void load_riscv_models(struct qemu_caps *caps)
{
        json_t *names = json_object_get(caps->document, "riscv-models");

        if (!names) {
                names = collect_riscv_models(json_object_get(caps->document, "types"));
                json_object_set_new(caps->document, "riscv-models", names);
        }
        for (size_t i = 0; i < json_array_size(names); i++)
                g_hash_table_add(caps->cpus, (void *)json_string_value(json_array_get(names, i)));
}

static GHashTable *load_set(const json_t *list)
{
        GHashTable *set = g_hash_table_new(g_str_hash, g_str_equal);

        for (size_t i = 0; i < json_array_size(list); i++) {
                const char *name = json_string_value(json_array_get(list, i));

                if (name)
                        g_hash_table_add(set, (void *)name);
        }
        return set;
}

const struct qemu_caps *qemu_caps_new(json_t *document, GError **error)
{
        CLEANUP(qemu_caps_unref) const struct qemu_caps *result = NULL;
        struct qemu_caps *caps = g_new0(struct qemu_caps, 1);

        result = caps;
        caps->refs = 1;
        caps->document = json_incref(document);
        caps->path = qmp_get_string(document, "path");
        caps->arch = qmp_get_string(document, "arch");
        caps->version = (uint64_t)json_integer_value(json_object_get(document, "version"));
        caps->cpus = g_hash_table_new(g_str_hash, g_str_equal);
        for (unsigned i = 0; i < SET_LAST; i++)
                caps->sets[i] = load_set(json_object_get(document, set_names[i]));
        load_machines(caps);
        load_accels(caps);
        if (caps->arch && g_str_has_prefix(caps->arch, "riscv") && g_hash_table_size(caps->cpus) == 0)
                load_riscv_models(caps);
        if (!caps->path || !caps->arch || !caps->version || !caps->n_machines ||
            !caps->accels[QEMU_ACCEL_TCG].available) {
                error_set(error, ERROR_FROM_QEMU, ERROR_INTERNAL_ERROR,
                          "the description of an emulator's capabilities lacks path, version or machines");
                return NULL;
        }
        return g_steal_pointer(&result);
}

json_t *qemu_caps_get_document(const struct qemu_caps *caps)
{
        return caps->document;
}

const char *qemu_caps_get_path(const struct qemu_caps *caps)
{
        return caps->path;
}

uint64_t qemu_caps_get_version(const struct qemu_caps *caps)
{
        return caps->version;
}

const char *qemu_caps_get_arch(const struct qemu_caps *caps)
{
        return caps->arch;
}

bool qemu_caps_has_accel(const struct qemu_caps *caps, enum qemu_accel accel)
{
        return caps->accels[accel].available;
}

const struct qemu_machine *qemu_caps_find_machine(const struct qemu_caps *caps, const char *name)
{
        for (unsigned i = 0; i < caps->n_machines; i++) {
                const struct qemu_machine *machine = &caps->machines[i];

                if (name && *name ? g_str_equal(machine->name, name) || g_strcmp0(machine->alias, name) == 0
                                  : machine->is_default)
                        return machine;
        }
        return NULL;
}

const struct qemu_machine *qemu_caps_get_machines(const struct qemu_caps *caps, unsigned *count)
{
        *count = caps->n_machines;
        return caps->machines;
}

const struct qemu_cpu_model *qemu_caps_get_cpu_models(const struct qemu_caps *caps, enum qemu_accel accel,
                                                      unsigned *count)
{
        *count = caps->accels[accel].n_models;
        return caps->accels[accel].models;
}

const struct qemu_cpu_model *qemu_caps_find_cpu_model(const struct qemu_caps *caps, enum qemu_accel accel,
                                                      const char *name)
{
        const struct accel *one = &caps->accels[accel];

        for (unsigned i = 0; i < one->n_models; i++) {
                if (g_str_equal(one->models[i].name, name))
                        return &one->models[i];
        }
        return NULL;
}

const struct qemu_host_model *qemu_caps_get_host_model(const struct qemu_caps *caps, enum qemu_accel accel)
{
        return &caps->accels[accel].host;
}

bool qemu_caps_has_cpu(const struct qemu_caps *caps, const char *name)
{
        g_autofree char *lower = is_ppc(caps) ? g_ascii_strdown(name, -1) : NULL;

        return g_hash_table_contains(caps->cpus, name) || (lower && g_hash_table_contains(caps->cpus, lower));
}

bool qemu_caps_has_hyperv(const struct qemu_caps *caps, const char *feature)
{
        return g_hash_table_contains(caps->sets[SET_HYPERV], feature);
}

bool qemu_caps_has_type(const struct qemu_caps *caps, const char *type)
{
        return g_hash_table_contains(caps->sets[SET_TYPES], type);
}

static bool has_pair(const struct qemu_caps *caps, enum set set, const char *name, const char *member)
{
        g_autofree char *key = g_strconcat(name, ".", member, NULL);

        return g_hash_table_contains(caps->sets[set], key);
}

bool qemu_caps_has_property(const struct qemu_caps *caps, const char *type, const char *property)
{
        return has_pair(caps, SET_PROPERTIES, type, property);
}

bool qemu_caps_has_command(const struct qemu_caps *caps, const char *command)
{
        return g_hash_table_contains(caps->sets[SET_COMMANDS], command);
}

bool qemu_caps_has_event(const struct qemu_caps *caps, const char *event)
{
        return g_hash_table_contains(caps->sets[SET_EVENTS], event);
}

bool qemu_caps_has_argument(const struct qemu_caps *caps, const char *path)
{
        return g_hash_table_contains(caps->sets[SET_ARGUMENTS], path);
}

bool qemu_caps_has_block_driver(const struct qemu_caps *caps, const char *driver)
{
        return g_hash_table_contains(caps->sets[SET_BLOCK_DRIVERS], driver);
}

bool qemu_caps_has_option(const struct qemu_caps *caps, const char *option, const char *parameter)
{
        if (parameter)
                return has_pair(caps, SET_OPTIONS, option, parameter);
        return g_hash_table_contains(caps->sets[SET_OPTIONS], option);
}
