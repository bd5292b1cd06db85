/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Reading a <cpu> that is to be compared. Any thread. */

#include "base/error.h"
#include "base/xml.h"
#include "drivers/host/cpu-spec.h"

#include <string.h>

bool cpu_arch_is_x86(const char *arch)
{
        return strcmp(arch, "x86_64") == 0 || strcmp(arch, "i686") == 0;
}

static bool unsupported(GError **error, const char *what, const char *text)
{
        g_autofree char *quoted = error_quote(text);

        return error_set(error, ERROR_FROM_CPU, ERROR_CONFIG_UNSUPPORTED, "%s '%s' of the CPU", what, quoted);
}

static bool is_one_of(const char *text, const char *const *names)
{
        return g_strv_contains(names, text);
}

static bool read_mode(struct cpu_spec *spec, const xmlNode *root, GError **error)
{
        static const char *const modes[] = { "custom", "host-model", "host-passthrough", "maximum", NULL };
        static const char *const matches[] = { "minimum", "exact", "strict", NULL };
        g_autofree char *mode = xml_attr(root, "mode"), *match = xml_attr(root, "match");

        if (mode && !is_one_of(mode, modes))
                return unsupported(error, "invalid mode", mode);
        if (match && !is_one_of(match, matches)) {
                g_autofree char *quoted = error_quote(match);

                return xml_error(error, root, "invalid value '%s' of attribute 'match' of element 'cpu'",
                                 quoted);
        }
        spec->has_mode = mode != NULL;
        spec->is_any = mode && strcmp(mode, "custom") != 0;
        spec->is_strict = match && strcmp(match, "strict") == 0;
        return true;
}

/* Is it one that guests or hosts can have? Others are mistakes. */
static bool read_arch(struct cpu_spec *spec, const xmlNode *root, GError **error)
{
        static const char *const archs[] = {
                "aarch64", "alpha",  "armv6l",   "armv7b", "armv7l", "i686",    "loongarch64", "m68k",
                "mips",    "mips64", "mips64el", "mipsel", "ppc",    "ppc64",   "ppc64le",     "riscv32",
                "riscv64", "s390",   "s390x",    "sh4",    "sparc",  "sparc64", "x86_64",      NULL,
        };

        spec->arch = xml_child_text(root, "arch");
        return !spec->arch || is_one_of(spec->arch, archs) ||
               unsupported(error, "unknown architecture", spec->arch);
}

static bool read_model(struct cpu_spec *spec, const xmlNode *root, GError **error)
{
        g_autofree char *name = xml_child_text(root, "model"), *quoted = NULL;

        spec->vendor = xml_child_text(root, "vendor");
        if (!name || !*name) {
                if (spec->vendor)
                        return xml_error(error, root, "CPU vendor specified without CPU model");
                if (spec->arch || xml_child(root, "feature"))
                        return spec->is_any || xml_error(error, root, "missing CPU model name");
                spec->is_any = true;
                return true;
        }
        if (spec->arch && !cpu_arch_is_x86(spec->arch))
                return true;
        spec->model = cpu_model_find(name);
        if (!spec->model) {
                quoted = error_quote(name);
                return error_set(error, ERROR_FROM_CPU, ERROR_INTERNAL_ERROR, "unknown CPU model '%s'",
                                 quoted);
        }
        cpu_model_get_features(spec->model, &spec->features);
        return true;
}

/* What may be there (optional) and what the emulator makes up (force) are nothing to compare. */
static bool apply_feature(struct cpu_spec *spec, const char *name, const char *policy, GError **error)
{
        g_autofree char *quoted = NULL;
        struct cpu_features known = { 0 };

        if (!cpu_features_add(&known, name)) {
                quoted = error_quote(name);
                return error_set(error, ERROR_FROM_CPU, ERROR_INTERNAL_ERROR, "unknown CPU feature '%s'",
                                 quoted);
        }
        if (!policy || strcmp(policy, "require") == 0)
                return cpu_features_add(&spec->features, name);
        if (strcmp(policy, "forbid") == 0)
                cpu_features_add(&spec->forbidden, name);
        else if (strcmp(policy, "force") != 0 && strcmp(policy, "optional") != 0 &&
                 strcmp(policy, "disable") != 0)
                return unsupported(error, "invalid feature policy", policy);
        return cpu_features_remove(&spec->features, name);
}

static bool read_feature(struct cpu_spec *spec, const xmlNode *node, GHashTable *seen, GError **error)
{
        g_autofree char *policy = xml_attr(node, "policy"), *quoted = NULL;
        char *name = xml_attr(node, "name");

        if (!name || !*name) {
                g_free(name);
                return xml_error(error, node, "invalid CPU feature name");
        }
        if (!g_hash_table_add(seen, name)) {
                quoted = error_quote(name);
                return xml_error(error, node, "CPU feature '%s' specified more than once", quoted);
        }
        return apply_feature(spec, name, policy, error);
}

static bool read_features(struct cpu_spec *spec, const xmlNode *root, GError **error)
{
        g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);

        XML_FOREACH_CHILD (node, root)
                if (xml_is(node, "feature") && !read_feature(spec, node, seen, error))
                        return false;
        return true;
}

struct cpu_spec *cpu_spec_parse(const char *xml, GError **error)
{
        g_autoptr(xmlDoc) doc = xml_parse(xml, "cpu", error);
        CLEANUP(cpu_spec_free) struct cpu_spec *spec = NULL;
        const xmlNode *root;

        if (!doc)
                return NULL;
        spec = g_new0(struct cpu_spec, 1);
        root = xml_root(doc);
        if (!read_mode(spec, root, error) || !read_arch(spec, root, error) || !read_model(spec, root, error))
                return NULL;
        /* Of others nothing is known here. */
        if (spec->model && !read_features(spec, root, error))
                return NULL;
        return g_steal_pointer(&spec);
}

void cpu_spec_free(struct cpu_spec *spec)
{
        if (!spec)
                return;
        g_free(spec->arch);
        g_free(spec->vendor);
        g_free(spec);
}
