/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a guest boots from apart from its disks: firmware and its variable store, kernel, initrd. Lane of the
 * domain.
 */
#include "drivers/qemu/resources.h"

#include "base/error.h"
#include "drivers/qemu/block.h"
#include "drivers/qemu/command.h"
#include "drivers/qemu/firmware.h"
#include "drivers/qemu/nvram.h"

#include <string.h>
#include <unistd.h>

/* What the guest's firmware comes down to. */
struct boot {
        const char *loader; /* borrowed */
        char *template;     /* owned; of the variables; NULL: none known */
        const char *format; /* of the template, borrowed; NULL: not known */
        bool wants_store;
};

static void boot_clear(struct boot *boot)
{
        g_free(boot->template);
}

static bool is_flash(const struct domain_os *os)
{
        return os->has_loader && g_strcmp0(os->loader.type, "pflash") == 0;
}

static enum domain_switch get_feature(const struct domain_os *os, const char *name)
{
        for (unsigned i = 0; i < os->n_firmware_features; i++) {
                if (strcmp(os->firmware_features[i].name, name) == 0)
                        return os->firmware_features[i].enabled ? DOMAIN_SWITCH_ON : DOMAIN_SWITCH_OFF;
        }
        return DOMAIN_SWITCH_ABSENT;
}

static const struct firmware *choose(const struct resources *resources, const struct firmware_list *list,
                                     GError **error)
{
        const struct domain_os *os = &resources->def->os;
        struct firmware_request request = {
                .arch = os->arch,
                .machine = os->machine,
                .interface = strcmp(os->firmware, "efi") == 0 ? FIRMWARE_UEFI : FIRMWARE_BIOS,
                .secure_boot = get_feature(os, "secure-boot"),
                .enrolled_keys = get_feature(os, "enrolled-keys"),
                .smm = resources->def->features.smm,
                .stateless = os->loader.stateless,
                .loader_type = os->loader.type,
                .format = os->loader.format ? os->loader.format : os->nvram.format,
        };

        if (request.secure_boot == DOMAIN_SWITCH_ABSENT)
                request.secure_boot = os->loader.secure;
        return firmware_list_choose(list, &request, error);
}

static bool use(struct resources *resources, const struct firmware *firmware, struct boot *boot,
                GError **error)
{
        bool flash = firmware->device == FIRMWARE_FLASH || firmware->device == FIRMWARE_FLASH_STATELESS;

        if (!flash && firmware->device != FIRMWARE_MEMORY)
                return error_set(error, ERROR_FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                                 "firmware described by '%s' is for a device that is not supported",
                                 firmware->description);
        domain_edit_set_loader(resources->edit, firmware->loader, flash ? "pflash" : "rom",
                               firmware->loader_format, flash,
                               firmware->requires_smm && firmware->secure_boot);
        boot->loader = firmware->loader;
        boot->wants_store = firmware->device == FIRMWARE_FLASH;
        boot->template = g_strdup(firmware->nvram_template);
        boot->format = firmware->nvram_format;
        return true;
}

static bool keeps_no_variables(const struct domain_os *os, const struct firmware *known)
{
        return !is_flash(os) || os->loader.readonly == DOMAIN_SWITCH_OFF ||
               os->loader.stateless == DOMAIN_SWITCH_ON || (known && known->device != FIRMWARE_FLASH);
}

/*
 * A loader that is given brings a store where its package says so, where one stands beside it, or the
 * definition does. Flash that is only read is no use without: the guest would forget how it boots.
 */
static bool complete(const struct resources *resources, const struct firmware_list *list, struct boot *boot,
                     GError **error)
{
        const struct domain_os *os = &resources->def->os;
        const struct firmware *known = firmware_list_find(list, os->loader.path);

        boot->loader = os->loader.path;
        if (keeps_no_variables(os, known))
                return true;
        boot->wants_store = true;
        boot->template = known ? g_strdup(known->nvram_template) : firmware_find_template(boot->loader);
        boot->format = known ? known->nvram_format : NULL;
        if (boot->template || os->nvram.path || os->nvram.template || domain_nvram_get_server(&os->nvram))
                return true;
        return error_set(
                error, ERROR_FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                "no variable store is known for the loader '%s': name one in <nvram>, or its template in "
                "<nvram template=>; stateless='yes' at the loader does without, readonly='no' keeps the "
                "variables in the loader's file",
                boot->loader);
}

/* ---- the variable store ---- */

/* May the status document of a guest name that path? Reading one takes much longer than looking. */
static bool may_name(const char *folder, const char *path)
{
        g_autofree char *file = g_build_filename(folder, STATUS_FILE, NULL), *text = NULL;

        return strpbrk(path, "&<>\"'") ||
               (g_file_get_contents(file, &text, NULL, NULL) && strstr(text, path));
}

/* Which other guest that runs has the store. Owned; NULL: none that is known. */
static char *find_holder(const struct guest *guest, const char *path)
{
        const struct qemu_driver *driver = guest->driver;
        GDir *dir = g_dir_open(driver->runtime_dir, 0, NULL);
        g_autofree char *holder = NULL;
        const char *name;

        while (dir && !holder && (name = g_dir_read_name(dir))) {
                g_autofree char *folder = g_build_filename(driver->runtime_dir, name, NULL);
                struct status *status = may_name(folder, path) ? status_read(folder, NULL) : NULL;
                CLEANUP(domain_def_unref)
                struct domain_def *def =
                        status && status->xml ? domain_def_parse_stored(status->xml, NULL) : NULL;

                if (def && g_strcmp0(def->os.nvram.path, path) == 0 &&
                    strcmp(name, guest->domain->base.uuid_text) != 0)
                        holder = g_strdup(status->name);
                status_free(status);
        }
        if (dir)
                g_dir_close(dir);
        return g_steal_pointer(&holder);
}

/*
 * QEMU would let two guests write to one. A guest that has come from another host could not claim its own,
 * which was in use there: so guests of this host are asked for by name as well.
 */
static bool claim(struct resources *resources, const char *path, GError **error)
{
        const struct guest *guest = resources->guest;
        g_autofree char *holder = NULL;
        bool busy;
        int fd = nvram_claim(path, &busy, error);

        if (fd < 0 && !busy)
                return false;
        if (fd >= 0)
                resources_add_fd(resources, fd);
        holder = find_holder(guest, path);
        /* On storage that hosts share, the guest has it there as long as it is not here. */
        if (!holder && (fd >= 0 || resources->start->arrival))
                return true;
        return error_set(
                error, ERROR_FROM_QEMU, ERROR_RESOURCE_BUSY,
                "NVRAM file '%s' is in use by %s%s%s, which runs: each guest needs a store of its own", path,
                holder ? "domain '" : "another guest", holder ? holder : "", holder ? "'" : "");
}

static bool make_store(struct resources *resources, const char *path, const char *template, GError **error)
{
        const struct account *account = resources->guest->account;
        bool reset = resources->start->flags & DOMAIN_START_RESET_NVRAM, there = access(path, F_OK) == 0;

        /* Before it is made anew. */
        if (there && !claim(resources, path, error))
                return false;
        if (!nvram_make(path, template, reset, account, error))
                return false;
        if (!there)
                resources->made_store = g_strdup(path);
        return (there && !reset) || claim(resources, path, error);
}

/* What nobody but its owner can make anew. */
static bool check_reset(const struct resources *resources, GError **error)
{
        const struct domain_nvram *nvram = &resources->def->os.nvram;

        return !(resources->start->flags & DOMAIN_START_RESET_NVRAM) ||
               error_set(error, ERROR_FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                         "the variable store of %s is of type '%s': only a file is made anew (RESET_NVRAM)",
                         resources->guest->who, nvram->type);
}

/* On a server. Who else has it open is for the server to know. */
static bool prepare_remote_store(struct resources *resources, GError **error)
{
        const struct domain_storage *source = resources->def->os.nvram.source;
        struct block_image *image =
                check_reset(resources, error) ? block_image_new_remote("<nvram>", source, error) : NULL;
        GPtrArray *chain;

        if (!image)
                return false;
        image->unit = COMMAND_NVRAM_UNIT;
        chain = g_ptr_array_new_with_free_func((GDestroyNotify)block_image_free);
        g_ptr_array_add(chain, image);
        resources_get(resources, COMMAND_NVRAM_UNIT)->chain = chain;
        return resources_prepare_remote(resources, source->network, image, error);
}

/* What is there, and is nobody else's. */
static bool prepare_device_store(struct resources *resources, GError **error)
{
        const char *path = resources->def->os.nvram.path;

        if (!check_reset(resources, error) || !claim(resources, path, error))
                return false;
        resources_add_file(resources, path, true, "NVRAM device '%s'", path);
        return true;
}

static bool has_own_store(const struct resources *resources, const char *format)
{
        g_autofree char *path =
                guest_get_nvram_path(resources->guest->driver, &resources->def->base.uuid, format);

        return access(path, F_OK) == 0;
}

/*
 * The format of the store: the document's. What the agent finds a place for is in the template's, and its
 * name says so: no guest's raw bytes are ever taken for the header of an image. A store that is there stays
 * the guest's, whatever firmware is installed since.
 */
static const char *choose_format(const struct resources *resources, const char *template_format)
{
        const struct domain_nvram *nvram = &resources->def->os.nvram;
        const char *other;

        if (nvram->format)
                return nvram->format;
        if (nvram->path || !template_format)
                return "raw";
        other = strcmp(template_format, "raw") == 0 ? "qcow2" : "raw";
        return !has_own_store(resources, template_format) && has_own_store(resources, other)
                       ? other
                       : template_format;
}

/* NULL: not known. */
static const char *get_template_format(const struct domain_nvram *nvram, const struct boot *boot)
{
        if (nvram->template_format)
                return nvram->template_format;
        return !nvram->template || g_strcmp0(nvram->template, boot->template) == 0 ? boot->format : NULL;
}

/* A store is a copy. Whoever wants another format makes it: what is there already is as it is. */
static bool check_template(const struct resources *resources, const char *path, const char *format,
                           const char *template, const char *template_format, GError **error)
{
        bool reset = resources->start->flags & DOMAIN_START_RESET_NVRAM;

        if (!template_format || strcmp(template_format, format) == 0 || (!reset && access(path, F_OK) == 0))
                return true;
        return error_set(error, ERROR_FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                         "NVRAM file '%s' is to be of format '%s', and its template '%s' is of format '%s': "
                         "name a template of that format (qemu-img convert makes one)",
                         path, format, template, template_format);
}

static bool prepare_file_store(struct resources *resources, const struct firmware_list *list,
                               const struct boot *boot, GError **error)
{
        const struct domain_nvram *nvram = &resources->def->os.nvram;
        const struct qemu_driver *driver = resources->guest->driver;
        const char *template = nvram->template ? nvram->template : boot->template;
        const char *template_format = get_template_format(nvram, boot);
        const char *format = choose_format(resources, template_format);
        g_autofree char *path = nvram->path
                                        ? g_strdup(nvram->path)
                                        : guest_get_nvram_path(driver, &resources->def->base.uuid, format);

        if (!check_template(resources, path, format, template, template_format, error))
                return false;
        if (firmware_list_has_file(list, path))
                return error_set(
                        error, ERROR_FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                        "'%s' is no guest's: it is what the stores of all guests are made from; say <nvram "
                        "template='%s'/>",
                        path, path);
        if (!make_store(resources, path, template, error))
                return false;
        domain_edit_set_nvram(resources->edit, path, template, strcmp(format, "raw") == 0 ? NULL : format);
        resources_add_file(resources, path, true, "NVRAM file '%s'", path);
        return true;
}

/* A template is what a file is made from that is not there; other stores are there. */
static bool prepare_store(struct resources *resources, const struct firmware_list *list,
                          const struct boot *boot, GError **error)
{
        static const struct domain_device_labels none;
        const struct domain_nvram *nvram = &resources->def->os.nvram;

        if (domain_nvram_get_server(nvram))
                return prepare_remote_store(resources, error);
        /* What the guest has beside it has other labels. */
        return resources_use_labels(resources, nvram->source ? &nvram->source->labels : &none, "<nvram>",
                                    error) &&
               (domain_nvram_is_device(nvram) ? prepare_device_store(resources, error)
                                              : prepare_file_store(resources, list, boot, error)) &&
               resources_use_labels(resources, &none, "<nvram>", error);
}

static bool prepare_firmware(struct resources *resources, GError **error)
{
        const struct domain_os *os = &resources->def->os;
        CLEANUP(firmware_list_free) struct firmware_list *list = NULL;
        bool automatic = os->firmware && !(os->has_loader && os->loader.path);
        const struct firmware *firmware;
        __attribute__((cleanup(boot_clear))) struct boot boot = { 0 };

        if (!automatic && !(os->has_loader && os->loader.path))
                return true;
        list = firmware_list_load(geteuid() == 0 ? NULL : g_get_user_config_dir());
        if (automatic) {
                firmware = choose(resources, list, error);
                if (!firmware || !use(resources, firmware, &boot, error))
                        return false;
        } else if (!complete(resources, list, &boot, error)) {
                return false;
        }
        resources_add_check(resources, boot.loader, false, "firmware '%s'", boot.loader);
        return !boot.wants_store || prepare_store(resources, list, &boot, error);
}

bool resources_prepare_boot(struct resources *resources, GError **error)
{
        const struct domain_os *os = &resources->def->os;
        const struct {
                const char *path;
                const char *what;
        } files[] = {
                { os->kernel, "kernel" },
                { os->initrd, "initrd" },
                { os->dtb, "device tree" },
                { os->acpi_table, "ACPI table" },
        };

        for (unsigned i = 0; i < G_N_ELEMENTS(files); i++) {
                if (files[i].path)
                        resources_add_file(resources, files[i].path, false, "%s '%s'", files[i].what,
                                           files[i].path);
        }
        return prepare_firmware(resources, error);
}
