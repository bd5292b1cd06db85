/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Comparing CPUs, and writing what they have in common. Any thread. */

#include "drivers/host/cpu-compare.h"

#include "base/error.h"
#include "base/flags.h"
#include "base/xml.h"
#include "drivers/host/cpu-spec.h"
#include "drivers/host/host.h"

#include <string.h>

static gint compare_names(gconstpointer a, gconstpointer b)
{
        return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void add_name(const char *name, void *data)
{
        g_ptr_array_add(data, (gpointer)name);
}

/* By name; free the array. */
static GPtrArray *list_names(const struct cpu_features *features)
{
        GPtrArray *names = g_ptr_array_new();

        cpu_features_foreach(features, add_name, names);
        g_ptr_array_sort(names, compare_names);
        return names;
}

static char *join_names(const struct cpu_features *features)
{
        g_autoptr(GPtrArray) names = list_names(features);

        g_ptr_array_add(names, NULL);
        return g_strjoinv(", ", (char **)names->pdata);
}

static struct cpu_features get_common(const struct cpu_features *a, const struct cpu_features *b)
{
        struct cpu_features only_a = cpu_features_minus(a, b);

        return cpu_features_minus(a, &only_a);
}

/* ---- with the host ---- */

static bool differ(GError **why, const char *what, const char *names)
{
        return error_set(why, ERROR_FROM_CPU, ERROR_CPU_INCOMPATIBLE, "%s %s", what, names);
}

static bool compare_features(const struct cpu_spec *spec, const struct cpu_features *host, bool *is_all,
                             GError **why)
{
        struct cpu_features wanted = spec->features, missing, extra, hit;
        g_autofree char *names = NULL;

        cpu_features_drop_msr(&wanted);
        missing = cpu_features_minus(&wanted, host);
        extra = cpu_features_minus(host, &wanted);
        hit = get_common(&spec->forbidden, host);
        *is_all = cpu_features_count(&extra) == 0;
        if (cpu_features_count(&hit)) {
                names = join_names(&hit);
                return differ(why, "Host CPU provides forbidden features:", names);
        }
        if (cpu_features_count(&missing)) {
                names = join_names(&missing);
                return differ(why, "Host CPU does not provide required features:", names);
        }
        if (spec->is_strict && !*is_all) {
                names = join_names(&extra);
                return differ(why, "Host CPU does not strictly match guest CPU: Extra features:", names);
        }
        return true;
}

static bool compare_archs(const char *spec, const char *host, GError **why)
{
        g_autofree char *quoted = NULL;

        if (!spec || strcmp(spec, host) == 0 || (cpu_arch_is_x86(spec) && cpu_arch_is_x86(host)))
                return true;
        quoted = error_quote(spec);
        return differ(why, "CPU architecture does not match that of the host:", quoted);
}

static bool compare_vendors(const char *spec, const struct host_cpu *host, GError **why)
{
        g_autofree char *quoted = NULL;

        if (!spec || g_strcmp0(spec, cpu_vendor_get_name(host->identity.vendor)) == 0)
                return true;
        quoted = error_quote(spec);
        return differ(why, "host CPU vendor does not match required CPU vendor", quoted);
}

/* why: set when it does not fit. */
static enum cpu_comparison compare(const struct host *host, const struct cpu_spec *spec, GError **why)
{
        const struct host_cpu *cpu = host_get_cpu(host);
        struct cpu_features features;
        bool is_all;

        if (!compare_archs(spec->arch, host_get_arch(host), why))
                return CPU_INCOMPATIBLE;
        if (spec->is_any)
                return CPU_SUPERSET;
        if (!cpu) {
                error_set(why, ERROR_FROM_CPU, ERROR_NO_SUPPORT,
                          "CPUs of the architecture '%s' cannot be compared", host_get_arch(host));
                return CPU_COMPARE_ERROR;
        }
        features = cpu->features;
        cpu_features_drop_msr(&features);
        if (!compare_vendors(spec->vendor, cpu, why) || !compare_features(spec, &features, &is_all, why))
                return CPU_INCOMPATIBLE;
        return is_all ? CPU_IDENTICAL : CPU_SUPERSET;
}

enum cpu_comparison host_compare_cpu(const struct host *host, const char *xml, unsigned flags, GError **error)
{
        CLEANUP(cpu_spec_free) struct cpu_spec *spec = NULL;
        g_autoptr(GError) why = NULL;
        enum cpu_comparison result;

        if (!flags_check(flags, CPU_COMPARE_FAIL_INCOMPATIBLE | CPU_COMPARE_VALIDATE_XML, ERROR_FROM_CPU,
                         "ConnectCompareCPU", error))
                return CPU_COMPARE_ERROR;
        if (host_is_test(host)) {
                error_set(error, ERROR_FROM_TEST, ERROR_NO_SUPPORT, "virConnectCompareCPU");
                return CPU_COMPARE_ERROR;
        }
        spec = cpu_spec_parse(xml, error);
        if (!spec)
                return CPU_COMPARE_ERROR;
        result = compare(host, spec, &why);
        if (result == CPU_INCOMPATIBLE && flags & CPU_COMPARE_FAIL_INCOMPATIBLE)
                result = CPU_COMPARE_ERROR;
        if (result == CPU_COMPARE_ERROR)
                g_propagate_error(error, g_steal_pointer(&why));
        return result;
}

/* ---- with each other ---- */

/* What several CPUs have in common. */
struct baseline {
        struct cpu_features features;
        struct cpu_identity identity;  /* the maker's, when all are of one */
        const struct cpu_model *model; /* when all have the same, else NULL */
        const char *vendor;            /* when all documents name it, else NULL; borrowed */
};

static bool check_baseline(const struct cpu_spec *spec, GError **error)
{
        if (spec->has_mode)
                return error_set(error, ERROR_FROM_CPU, ERROR_CONFIG_UNSUPPORTED,
                                 "attribute 'mode' is only for CPUs of guests");
        if (!spec->arch)
                return error_set(error, ERROR_FROM_CPU, ERROR_XML_ERROR, "missing CPU architecture");
        if (!cpu_arch_is_x86(spec->arch))
                return error_set(error, ERROR_FROM_CPU, ERROR_NO_SUPPORT,
                                 "cannot compute the baseline of CPUs of the architecture '%s'", spec->arch);
        return spec->model || error_set(error, ERROR_FROM_CPU, ERROR_XML_ERROR, "missing CPU model name");
}

static const char *get_vendor(const struct cpu_spec *spec)
{
        return spec->vendor ? spec->vendor : cpu_vendor_get_name(spec->model->vendor);
}

static bool check_vendors(const struct cpu_spec *a, const struct cpu_spec *b, GError **error)
{
        return !a->vendor || !b->vendor || strcmp(a->vendor, b->vendor) == 0 ||
               error_set(error, ERROR_FROM_CPU, ERROR_OPERATION_FAILED, "CPU vendors do not match");
}

static bool gather(const GPtrArray *specs, struct baseline *baseline, GError **error)
{
        const struct cpu_spec *first = g_ptr_array_index(specs, 0);
        bool is_of_one_maker = true;

        *baseline = (struct baseline){ .features = first->features,
                                       .model = first->model,
                                       .vendor = first->vendor };
        for (unsigned i = 1; i < specs->len; i++) {
                const struct cpu_spec *spec = g_ptr_array_index(specs, i);

                if (!check_vendors(first, spec, error))
                        return false;
                baseline->features = get_common(&baseline->features, &spec->features);
                baseline->model = baseline->model == spec->model ? baseline->model : NULL;
                baseline->vendor = spec->vendor ? baseline->vendor : NULL;
                is_of_one_maker = is_of_one_maker && g_strcmp0(get_vendor(first), get_vendor(spec)) == 0;
        }
        if (is_of_one_maker && first->model->vendor)
                g_strlcpy(baseline->identity.vendor, first->model->vendor, sizeof(baseline->identity.vendor));
        return true;
}

static void add_feature(xmlNode *cpu, const char *policy, const char *name)
{
        xmlNode *node = xml_add(cpu, "feature");

        xml_set_attr(node, "policy", policy);
        xml_set_attr(node, "name", name);
}

/* Both lists by name, as one. */
static void add_features(xmlNode *cpu, const struct cpu_features *required,
                         const struct cpu_features *disabled)
{
        g_autoptr(GPtrArray) names = list_names(required);

        cpu_features_foreach(disabled, add_name, names);
        g_ptr_array_sort(names, compare_names);
        for (unsigned i = 0; i < names->len; i++) {
                const char *name = g_ptr_array_index(names, i);

                add_feature(cpu, cpu_features_has(required, name) ? "require" : "disable", name);
        }
}

static char *format_baseline(const struct baseline *baseline, const struct cpu_model *model, unsigned flags)
{
        struct cpu_features own, required, disabled;
        g_autoptr(xmlDoc) doc = xml_new("cpu");
        xmlNode *cpu = xml_root(doc);

        cpu_model_get_features(model, &own);
        required = flags & CPU_BASELINE_EXPAND_FEATURES ? baseline->features
                                                        : cpu_features_minus(&baseline->features, &own);
        disabled = cpu_features_minus(&own, &baseline->features);
        xml_set_attr(cpu, "mode", "custom");
        xml_set_attr(cpu, "match", "exact");
        xml_set_attr(xml_add_text(cpu, "model", model->name), "fallback",
                     baseline->model ? "forbid" : "allow");
        if (baseline->vendor)
                xml_add_text(cpu, "vendor", baseline->vendor);
        add_features(cpu, &required, &disabled);
        return xml_write(doc, NULL);
}

static GPtrArray *parse_all(const char *const *xmls, unsigned count, GError **error)
{
        g_autoptr(GPtrArray) specs = g_ptr_array_new_with_free_func((GDestroyNotify)cpu_spec_free);

        for (unsigned i = 0; i < count; i++) {
                struct cpu_spec *spec = cpu_spec_parse(xmls[i], error);

                if (!spec)
                        return NULL;
                g_ptr_array_add(specs, spec);
                if (!check_baseline(spec, error))
                        return NULL;
        }
        return g_steal_pointer(&specs);
}

static bool check_sizes(const char *const *xmls, unsigned count, GError **error)
{
        size_t bytes = 0;

        if (!count)
                return error_set(error, ERROR_FROM_CPU, ERROR_INVALID_ARG, "no CPUs given");
        for (unsigned i = 0; i < count && count <= CPU_BASELINE_MAX; i++)
                bytes += strlen(xmls[i]);
        return (count <= CPU_BASELINE_MAX && bytes <= CPU_BASELINE_BYTES_MAX) ||
               error_set(error, ERROR_FROM_CPU, ERROR_INVALID_ARG,
                         "more than %u CPUs, or than %u bytes of them, given", CPU_BASELINE_MAX,
                         CPU_BASELINE_BYTES_MAX);
}

/* The test driver of the API knows no migration. */
static unsigned get_flags(const struct host *host)
{
        return CPU_BASELINE_EXPAND_FEATURES | (host_is_test(host) ? 0 : CPU_BASELINE_MIGRATABLE);
}

char *host_baseline_cpu(const struct host *host, const char *const *xmls, unsigned count, unsigned flags,
                        GError **error)
{
        g_autoptr(GPtrArray) specs = NULL;
        const struct cpu_model *model;
        struct baseline baseline;

        if (!flags_check(flags, get_flags(host), ERROR_FROM_CPU, "ConnectBaselineCPU", error) ||
            !check_sizes(xmls, count, error))
                return NULL;
        specs = parse_all(xmls, count, error);
        if (!specs || !gather(specs, &baseline, error))
                return NULL;
        if (flags & CPU_BASELINE_MIGRATABLE) {
                cpu_features_remove(&baseline.features, "invtsc");
                cpu_features_remove(&baseline.features, "cmt");
        }
        model = baseline.model ? baseline.model
                               : cpu_model_choose(&baseline.identity, &baseline.features, true, NULL, NULL);
        return format_baseline(&baseline, model, flags);
}

/* ---- models ---- */

GPtrArray *host_list_cpu_models(const char *arch, unsigned flags, GError **error)
{
        /* QEMU has models of these, and documents name them without anybody's help. */
        static const char *const others[] = { "aarch64", "armv6l", "armv7b", "armv7l", "ppc64",
                                              "ppc64le", "s390",   "s390x",  NULL };
        g_autofree char *quoted = NULL;
        const struct cpu_model *model;
        GPtrArray *names;

        if (!flags_check(flags, 0, ERROR_FROM_CPU, "ConnectGetCPUModelNames", error))
                return NULL;
        if (!cpu_arch_is_x86(arch) && !g_strv_contains(others, arch)) {
                quoted = error_quote(arch);
                error_set(error, ERROR_FROM_CPU, ERROR_INVALID_ARG,
                          "cannot find architecture '%s', or models of its CPUs", quoted);
                return NULL;
        }
        names = g_ptr_array_new();
        for (unsigned i = 0; cpu_arch_is_x86(arch) && (model = cpu_model_get(i)); i++)
                g_ptr_array_add(names, (gpointer)model->name);
        return names;
}
