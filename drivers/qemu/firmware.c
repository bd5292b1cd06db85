/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Reading firmware descriptors and choosing among them. Lanes and start-up. */

#include "drivers/qemu/firmware.h"
#include "base/error.h"
#include "base/log.h"
#include "drivers/qemu/descriptors.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct firmware_list {
        GPtrArray *all; /* owned; struct firmware */
};

static void firmware_free(void *data)
{
        struct firmware *firmware = data;

        g_free(firmware->description);
        g_free(firmware->loader);
        g_free(firmware->loader_format);
        g_free(firmware->nvram_template);
        g_free(firmware->nvram_format);
        g_ptr_array_unref(firmware->targets);
        g_free(firmware);
}

static const char *get_string(const json_t *object, const char *key)
{
        return json_string_value(json_object_get(object, key));
}

static bool has_string(const json_t *list, const char *text)
{
        for (size_t i = 0; i < json_array_size(list); i++) {
                if (g_strcmp0(json_string_value(json_array_get(list, i)), text) == 0)
                        return true;
        }
        return false;
}

/* { "filename": ..., "format": ... }; format may be left out of kernels and memory images. */
static bool read_file_part(const json_t *part, char **path, char **format)
{
        const char *name = get_string(part, "filename");
        const char *kind = get_string(part, "format");

        if (!name || !g_path_is_absolute(name))
                return false;
        *path = g_strdup(name);
        *format = g_strdup(kind ? kind : "raw");
        return true;
}

static bool read_mapping(struct firmware *firmware, const json_t *mapping)
{
        const char *device = get_string(mapping, "device");
        const char *mode = get_string(mapping, "mode");

        if (g_strcmp0(device, "kernel") == 0 || g_strcmp0(device, "memory") == 0) {
                firmware->device = g_str_equal(device, "kernel") ? FIRMWARE_KERNEL : FIRMWARE_MEMORY;
                return read_file_part(mapping, &firmware->loader, &firmware->loader_format);
        }
        if (g_strcmp0(device, "flash") != 0 || !read_file_part(json_object_get(mapping, "executable"),
                                                               &firmware->loader, &firmware->loader_format))
                return false;
        if (g_strcmp0(mode, "stateless") == 0) {
                firmware->device = FIRMWARE_FLASH_STATELESS;
                return true;
        }
        if (g_strcmp0(mode, "combined") == 0) {
                firmware->device = FIRMWARE_FLASH_COMBINED;
                return true;
        }
        firmware->device = FIRMWARE_FLASH;
        return (!mode || g_str_equal(mode, "split")) &&
               read_file_part(json_object_get(mapping, "nvram-template"), &firmware->nvram_template,
                              &firmware->nvram_format);
}

static void read_targets(struct firmware *firmware, const json_t *targets)
{
        for (size_t i = 0; i < json_array_size(targets); i++) {
                const json_t *target = json_array_get(targets, i);
                const json_t *machines = json_object_get(target, "machines");
                const char *arch = get_string(target, "architecture");

                for (size_t j = 0; arch && j < json_array_size(machines); j++) {
                        const char *pattern = json_string_value(json_array_get(machines, j));

                        if (pattern)
                                g_ptr_array_add(firmware->targets, g_strdup_printf("%s %s", arch, pattern));
                }
        }
}

static struct firmware *parse(const char *path, const char *text)
{
        json_t *root = json_loads(text, 0, NULL);
        const json_t *features = json_object_get(root, "features");
        const json_t *interfaces = json_object_get(root, "interface-types");
        struct firmware *firmware = g_new0(struct firmware, 1);
        bool ok;

        firmware->description = g_strdup(path);
        firmware->targets = g_ptr_array_new_with_free_func(g_free);
        firmware->interfaces = (has_string(interfaces, "uefi") ? FIRMWARE_UEFI : 0u) |
                               (has_string(interfaces, "bios") ? FIRMWARE_BIOS : 0u);
        firmware->secure_boot = has_string(features, "secure-boot");
        firmware->enrolled_keys = has_string(features, "enrolled-keys");
        firmware->requires_smm = has_string(features, "requires-smm");
        read_targets(firmware, json_object_get(root, "targets"));
        ok = read_mapping(firmware, json_object_get(root, "mapping"));
        json_decref(root);
        if (ok)
                return firmware;
        firmware_free(firmware);
        return NULL;
}

static void load_one(struct firmware_list *list, const char *path)
{
        g_autofree char *text = descriptor_read(path);
        struct firmware *firmware = text ? parse(path, text) : NULL;

        if (firmware)
                g_ptr_array_add(list->all, firmware);
        else if (text)
                log_warning("firmware descriptor '%s' is not understood, and left out", path);
}

struct firmware_list *firmware_list_load_at(const char *root, const char *home)
{
        struct firmware_list *list = g_new0(struct firmware_list, 1);
        g_autoptr(GPtrArray) paths = descriptors_list(root, home, "firmware");

        list->all = g_ptr_array_new_with_free_func(firmware_free);
        for (unsigned i = 0; i < paths->len; i++)
                load_one(list, g_ptr_array_index(paths, i));
        return list;
}

struct firmware_list *firmware_list_load(const char *home)
{
        return firmware_list_load_at("/", home);
}

void firmware_list_free(struct firmware_list *list)
{
        if (!list)
                return;
        g_ptr_array_unref(list->all);
        g_free(list);
}

/* ---- choosing ---- */

static bool is_for(const struct firmware *firmware, const char *arch, const char *machine)
{
        /* Descriptors use QEMU's name. */
        const char *name = g_str_equal(arch, "i686") ? "i386" : g_str_equal(arch, "armv7l") ? "arm" : arch;
        g_autofree char *own = g_strdup_printf("%s %s", name, machine);

        for (unsigned i = 0; i < firmware->targets->len; i++) {
                if (g_pattern_match_simple(g_ptr_array_index(firmware->targets, i), own))
                        return true;
        }
        return false;
}

static bool agrees(enum domain_switch wanted, bool is)
{
        return wanted == DOMAIN_SWITCH_ABSENT || (wanted == DOMAIN_SWITCH_ON) == is;
}

static bool fits(const struct firmware *firmware, const struct firmware_request *request)
{
        bool flash = firmware->device <= FIRMWARE_FLASH_COMBINED;

        if (!(firmware->interfaces & request->interface) ||
            !is_for(firmware, request->arch, request->machine))
                return false;
        if (!agrees(request->secure_boot, firmware->secure_boot) ||
            !agrees(request->enrolled_keys, firmware->enrolled_keys))
                return false;
        if (firmware->requires_smm && request->smm == DOMAIN_SWITCH_OFF)
                return false;
        if (request->stateless == DOMAIN_SWITCH_ON && firmware->device == FIRMWARE_FLASH)
                return false;
        if (request->stateless == DOMAIN_SWITCH_OFF && firmware->device == FIRMWARE_FLASH_STATELESS)
                return false;
        if (request->loader && !g_str_equal(request->loader, firmware->loader))
                return false;
        if (request->format && !g_str_equal(request->format, firmware->loader_format))
                return false;
        return !request->loader_type || flash == g_str_equal(request->loader_type, "pflash");
}

static void describe_switch(GString *text, const char *name, enum domain_switch wanted)
{
        if (wanted != DOMAIN_SWITCH_ABSENT)
                g_string_append_printf(text, ", %s %s", name, wanted == DOMAIN_SWITCH_ON ? "on" : "off");
}

/* Stores of guests that are there are raw, if their documents do not say so: another is for want of such. */
static const struct firmware *find(const struct firmware_list *list, const struct firmware_request *request)
{
        const struct firmware *found = NULL;

        for (unsigned i = 0; i < list->all->len; i++) {
                const struct firmware *firmware = g_ptr_array_index(list->all, i);

                if (!fits(firmware, request))
                        continue;
                if (request->format || g_str_equal(firmware->loader_format, "raw"))
                        return firmware;
                if (!found)
                        found = firmware;
        }
        return found;
}

const struct firmware *firmware_list_choose(const struct firmware_list *list,
                                            const struct firmware_request *request, GError **error)
{
        const struct firmware *found = find(list, request);
        g_autoptr(GString) text = NULL;

        if (found)
                return found;
        text = g_string_new(NULL);
        describe_switch(text, "secure-boot", request->secure_boot);
        describe_switch(text, "enrolled-keys", request->enrolled_keys);
        describe_switch(text, "SMM", request->smm);
        describe_switch(text, "stateless", request->stateless);
        if (request->format)
                g_string_append_printf(text, ", format '%s'", request->format);
        error_set(error, ERROR_FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                  "no firmware is installed (/usr/share/qemu/firmware) for firmware='%s' on machine '%s' of "
                  "architecture '%s'%s",
                  request->interface == FIRMWARE_UEFI ? "efi" : "bios", request->machine, request->arch,
                  text->str);
        return NULL;
}

const struct firmware *firmware_list_find(const struct firmware_list *list, const char *loader)
{
        for (unsigned i = 0; i < list->all->len; i++) {
                const struct firmware *firmware = g_ptr_array_index(list->all, i);

                if (g_str_equal(firmware->loader, loader))
                        return firmware;
        }
        return NULL;
}

/* The loader's path with the last `code` in its name replaced by `vars`, behind which `left_out` does not
 * stand. */
static char *rename_code(const char *loader, const char *code, const char *vars, const char *left_out)
{
        const char *name = strrchr(loader, '/'), *found = g_strrstr(name ? name : loader, code);
        const char *rest = found ? found + strlen(code) : NULL;

        if (!found)
                return NULL;
        if (g_str_has_prefix(rest, left_out))
                rest += strlen(left_out);
        return g_strdup_printf("%.*s%s%s", (int)(found - loader), loader, vars, rest);
}

char *firmware_find_template(const char *loader)
{
        static const char *const names[][3] = {
                { "CODE", "VARS", "" },
                { "code", "vars", "" },
                { "CODE", "VARS", ".secboot" },
                { "x86_64-code", "i386-vars", "" },
                { "x86_64-secure-code", "i386-vars", "" },
                { "aarch64-code", "arm-vars", "" },
        };

        for (unsigned i = 0; i < G_N_ELEMENTS(names); i++) {
                g_autofree char *path = rename_code(loader, names[i][0], names[i][1], names[i][2]);

                if (path && g_file_test(path, G_FILE_TEST_IS_REGULAR))
                        return g_steal_pointer(&path);
        }
        return NULL;
}

static bool is_same_file(const struct stat *st, const char *path)
{
        struct stat other;

        return path && stat(path, &other) == 0 && other.st_dev == st->st_dev && other.st_ino == st->st_ino;
}

bool firmware_list_has_file(const struct firmware_list *list, const char *path)
{
        g_autofree char *real = realpath(path, NULL);
        struct stat st;

        if (!real || stat(real, &st) < 0)
                return false;
        for (unsigned i = 0; i < list->all->len; i++) {
                const struct firmware *firmware = g_ptr_array_index(list->all, i);

                if (is_same_file(&st, firmware->nvram_template) || is_same_file(&st, firmware->loader))
                        return true;
        }
        return g_str_has_prefix(real, "/usr/");
}

GPtrArray *firmware_list_filter(const struct firmware_list *list, const char *arch, const char *machine)
{
        GPtrArray *found = g_ptr_array_new();

        for (unsigned i = 0; i < list->all->len; i++) {
                if (is_for(g_ptr_array_index(list->all, i), arch, machine))
                        g_ptr_array_add(found, g_ptr_array_index(list->all, i));
        }
        return found;
}
