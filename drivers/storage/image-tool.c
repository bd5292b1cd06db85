/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The command lines of qemu-img. A file is passed as /proc/<pid>/fd/<n>, which leads to what was opened, not
 * to what has its name now; so is a passphrase, which is in no command line. Lanes.
 */
#include "drivers/storage/image-tool.h"

#include "base/error.h"
#include "base/job.h"
#include "base/spawn.h"
#include "drivers/secret/secret.h"
#include "drivers/storage/image-source.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CREATE_TIMEOUT_MS (60 * 1000)

/* Percentages of -p count in these. */
#define PROGRESS_TOTAL 10000

/* What the size of an image is a multiple of. */
#define SECTOR_BYTES 512

/* Ids of the passphrases of the image that is made or changed, and of the one that is copied. */
#define OWN_SECRET    "secret0"
#define SOURCE_SECRET "secret1"

struct command {
        const char *name;  /* borrowed; of the volume, for errors */
        char *path;        /* owned; what it is called on the command line */
        GPtrArray *argv;   /* owned strings */
        GString *options;  /* owned; of -o */
        int secret_fds[2]; /* owned; n_secrets of them */
        unsigned n_secrets;
};

static void add(struct command *command, const char *argument)
{
        g_ptr_array_add(command->argv, g_strdup(argument));
}

static void add_take(struct command *command, char *argument)
{
        g_ptr_array_add(command->argv, argument);
}

static char *path_of(int fd)
{
        return g_strdup_printf("/proc/%d/fd/%d", (int)getpid(), fd);
}

static void command_init(struct command *command, const char *verb, int fd, const char *name)
{
        command->name = name;
        command->path = path_of(fd);
        command->argv = g_ptr_array_new_with_free_func(g_free);
        command->options = g_string_new(NULL);
        command->n_secrets = 0;
        add(command, "qemu-img");
        add(command, verb);
}

static void command_clear(struct command *command)
{
        while (command->n_secrets > 0)
                close(command->secret_fds[--command->n_secrets]);
        g_ptr_array_unref(command->argv);
        g_string_free(command->options, TRUE);
        g_free(command->path);
}

/* An option's value: commas doubled. */
static void append_value(GString *options, const char *key, const char *value)
{
        g_string_append_printf(options, "%s%s=", options->len ? "," : "", key);
        for (; *value; value++) {
                if (*value == ',')
                        g_string_append_c(options, ',');
                g_string_append_c(options, *value);
        }
}

bool image_tool_can_create(enum volume_format format)
{
        switch (format) {
        case VOLUME_FORMAT_QCOW:
        case VOLUME_FORMAT_QCOW2:
        case VOLUME_FORMAT_QED:
        case VOLUME_FORMAT_VDI:
        case VOLUME_FORMAT_VHDX:
        case VOLUME_FORMAT_VMDK:
        case VOLUME_FORMAT_VPC:
                return true;
        default:
                return false;
        }
}

/* qemu-img's name of what volume is made in. */
static const char *format_of(const struct volume *volume)
{
        if (volume->format == VOLUME_FORMAT_RAW && volume->encryption.format)
                return "luks";
        return volume_format_get_name(volume->format);
}

static void add_qcow2_options(struct command *command, const struct volume *volume, const char *preallocation)
{
        GString *options = command->options;
        g_autofree char *size = g_strdup_printf("%" G_GUINT64_FORMAT, volume->cluster_size);

        if (volume->compat)
                append_value(options, "compat", volume->compat);
        if (volume->cluster_size)
                append_value(options, "cluster_size", size);
        if (volume->lazy_refcounts)
                append_value(options, "lazy_refcounts", "on");
        if (volume->extended_l2)
                append_value(options, "extended_l2", "on");
        if (strcmp(preallocation, "off") != 0)
                append_value(options, "preallocation", preallocation);
}

static void add_encryption(struct command *command, const struct volume_encryption *encryption,
                           const char *prefix)
{
        const struct {
                const char *key;
                const char *value;
        } values[] = {
                { "cipher-mode", encryption->cipher_mode },
                { "hash-alg", encryption->cipher_hash },
                { "ivgen-alg", encryption->ivgen_name },
                { "ivgen-hash-alg", encryption->ivgen_hash },
        };
        g_autofree char *key = g_strconcat(prefix, "key-secret", NULL);

        append_value(command->options, key, OWN_SECRET);
        if (encryption->cipher_name) {
                g_autofree char *name = g_strconcat(prefix, "cipher-alg", NULL);
                g_autofree char *value =
                        g_strdup_printf("%s-%u", encryption->cipher_name, encryption->cipher_size);

                append_value(command->options, name, value);
        }
        for (unsigned i = 0; i < G_N_ELEMENTS(values); i++) {
                g_autofree char *name = g_strconcat(prefix, values[i].key, NULL);

                if (values[i].value)
                        append_value(command->options, name, values[i].value);
        }
}

/* Only LUKS has a passphrase that qemu-img takes. */
static bool is_luks(const struct volume *volume)
{
        return g_strcmp0(volume->encryption.format, "luks") == 0;
}

/* Makes the passphrase of volume, if it has one, known by that id. */
static bool add_secret(struct command *command, const char *id, GBytes *value, const struct volume *volume,
                       GError **error)
{
        g_autofree char *path = NULL;
        int fd;

        if (!volume->encryption.format)
                return true;
        if (!is_luks(volume))
                return error_set(error, ERROR_FROM_STORAGE, ERROR_CONFIG_UNSUPPORTED,
                                 "volume '%s' is encrypted in another way than with LUKS", volume->name);
        if (!value)
                return error_set(error, ERROR_FROM_STORAGE, ERROR_NO_SECRET,
                                 "there is no passphrase for volume '%s'", volume->name);
        fd = secret_value_to_fd(value, error);
        if (fd < 0)
                return false;
        command->secret_fds[command->n_secrets++] = fd;
        path = path_of(fd);
        add(command, "--object");
        add_take(command, g_strdup_printf("secret,id=%s,file=%s", id, path));
        return true;
}

/* The same for an image that is made: with what it is to be encrypted. */
static bool add_new_encryption(struct command *command, const struct backend_context *context,
                               const struct volume *volume, GError **error)
{
        if (!add_secret(command, OWN_SECRET, context->secret, volume, error))
                return false;
        if (!volume->encryption.format)
                return true;
        if (volume->format == VOLUME_FORMAT_RAW) {
                add_encryption(command, &volume->encryption, "");
                return true;
        }
        append_value(command->options, "encrypt.format", "luks");
        add_encryption(command, &volume->encryption, "encrypt.");
        return true;
}

static void add_options(struct command *command)
{
        if (!command->options->len)
                return;
        add(command, "-o");
        add(command, command->options->str);
}

static void take_percentage(const char *chunk, size_t length, void *data)
{
        g_autofree char *text = g_strndup(chunk, length);
        const char *last = strrchr(text, '(');

        if (last && data)
                job_set_progress(data, (uint64_t)(g_ascii_strtod(last + 1, NULL) * (PROGRESS_TOTAL / 100.0)),
                                 PROGRESS_TOTAL);
}

/* qemu-img knows the number of a descriptor only. */
static void name_volume(const struct command *command, GError *error)
{
        g_auto(GStrv) parts = g_strsplit(error->message, command->path, -1);
        g_autofree char *text = g_strjoinv(command->name, parts);

        g_free(error->message);
        error->message = g_strdup_printf("%s (volume '%s')", text, command->name);
}

static bool run(struct command *command, const struct backend_context *context, unsigned timeout_ms,
                GError **error)
{
        g_autoptr(GError) failure = NULL;

        g_ptr_array_add(command->argv, NULL);
        if (spawn_follow(context->lane, (const char *const *)command->argv->pdata, NULL, timeout_ms,
                         take_percentage, context->job, &failure))
                return true;
        name_volume(command, failure);
        g_propagate_error(error, g_steal_pointer(&failure));
        return false;
}

/* An ISO image is raw to QEMU. */
static const char *backing_driver(const struct volume_backing *backing)
{
        return volume_format_get_name(backing->format == VOLUME_FORMAT_ISO ? VOLUME_FORMAT_RAW
                                                                           : backing->format);
}

static void add_backing(struct command *command, const char *option, const struct volume_backing *backing)
{
        add(command, option);
        add(command, backing->path);
        add(command, "-F");
        add(command, backing_driver(backing));
}

bool image_tool_create(const struct backend_context *context, int fd, const struct volume *volume,
                       const char *preallocation, GError **error)
{
        struct command command;
        bool good;

        command_init(&command, "create", fd, volume->name);
        add(&command, "-q");
        add(&command, "-f");
        add(&command, format_of(volume));
        if (volume->format == VOLUME_FORMAT_QCOW2)
                add_qcow2_options(&command, volume, preallocation);
        good = add_new_encryption(&command, context, volume, error);
        add_options(&command);
        if (volume->backing.path)
                add_backing(&command, "-b", &volume->backing);
        add(&command, command.path);
        /* Without one it is that of the backing file. */
        if (volume->capacity || !volume->backing.path)
                add_take(&command, g_strdup_printf("%" G_GUINT64_FORMAT, volume->capacity));
        good = good && run(&command, context, context->job ? UINT_MAX : CREATE_TIMEOUT_MS, error);
        command_clear(&command);
        return good;
}

static bool is_device(int fd)
{
        struct stat st;

        return fstat(fd, &st) == 0 && S_ISBLK(st.st_mode);
}

/* An image that exists, with its format and that of its backing file: nothing is left to be found out. */
static char *image_options(int fd, const struct volume *volume, const char *secret)
{
        g_autoptr(GString) options = g_string_new(NULL);
        g_autofree char *path = path_of(fd);
        const char *driver = image_source_get_driver(volume);

        append_value(options, "driver", driver);
        append_value(options, "file.driver", is_device(fd) ? "host_device" : "file");
        append_value(options, "file.filename", path);
        if (is_luks(volume) && strcmp(driver, "luks") == 0) {
                append_value(options, "key-secret", secret);
        } else if (is_luks(volume)) {
                append_value(options, "encrypt.format", "luks");
                append_value(options, "encrypt.key-secret", secret);
        }
        /* What a device is a snapshot of is not qemu-img's business. */
        if (volume->backing.path && volume->type != VOLUME_BLOCK) {
                append_value(options, "backing.driver", backing_driver(&volume->backing));
                append_value(options, "backing.file.driver",
                             g_str_has_prefix(volume->backing.path, "/dev/") ? "host_device" : "file");
                append_value(options, "backing.file.filename", volume->backing.path);
        }
        return g_strdup(options->str);
}

static bool convert(const struct backend_context *context, int fd, const struct volume *volume,
                    const struct image_source *source, GError **error)
{
        struct command command;
        bool good;

        command_init(&command, "convert", fd, volume->name);
        add(&command, "-p");
        if (is_device(fd))
                add(&command, "-n");
        add(&command, "-O");
        add(&command, format_of(volume));
        if (volume->format == VOLUME_FORMAT_QCOW2)
                add_qcow2_options(&command, volume, "off");
        good = add_new_encryption(&command, context, volume, error) &&
               add_secret(&command, SOURCE_SECRET, context->source_secret,
                          g_ptr_array_index(context->chain, 0), error);
        add_options(&command);
        if (volume->backing.path)
                add_backing(&command, "-B", &volume->backing);
        add(&command, source->description);
        add(&command, command.path);
        good = good && run(&command, context, UINT_MAX, error);
        command_clear(&command);
        return good;
}

bool image_tool_convert(const struct backend_context *context, int fd, const struct volume *volume,
                        GError **error)
{
        struct image_source source;
        bool good = image_source_open(&source, context->chain, SOURCE_SECRET, error) &&
                    convert(context, fd, volume, &source, error);

        image_source_close(&source);
        return good;
}

/* Formats that qemu-img 7.2 resizes. */
static bool is_resizable(const struct volume *volume)
{
        static const char *const drivers[] = { "raw", "qcow2", "qed", "parallels", "luks", NULL };
        const char *driver = image_source_get_driver(volume);

        return driver && g_strv_contains(drivers, driver);
}

/* New images it rounds up by itself. */
static uint64_t round_up(uint64_t capacity)
{
        return capacity + (SECTOR_BYTES - capacity % SECTOR_BYTES) % SECTOR_BYTES;
}

bool image_tool_resize(const struct backend_context *context, int fd, const struct volume *volume,
                       uint64_t capacity, bool shrink, bool allocate, GError **error)
{
        struct command command;
        bool good;

        if (!is_resizable(volume))
                return error_set(
                        error, ERROR_FROM_STORAGE, ERROR_CONFIG_UNSUPPORTED,
                        "volume '%s' cannot be resized, because its format '%s' cannot: make a copy of "
                        "it in format 'qcow2'",
                        volume->name, format_of(volume));
        command_init(&command, "resize", fd, volume->name);
        add(&command, "-q");
        good = add_secret(&command, OWN_SECRET, context->secret, volume, error);
        if (shrink)
                add(&command, "--shrink");
        if (allocate)
                add(&command, "--preallocation=falloc");
        add(&command, "--image-opts");
        add_take(&command, image_options(fd, volume, OWN_SECRET));
        add_take(&command, g_strdup_printf("%" G_GUINT64_FORMAT, round_up(capacity)));
        good = good && run(&command, context, UINT_MAX, error);
        command_clear(&command);
        return good;
}
