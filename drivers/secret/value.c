/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Values of secrets: in memory that is in no dump (base/secret-memory.h), and as files that are encrypted
 * with the key of key.h. Files of older agents, which had values as base64, are taken over when they are
 * read. No state.
 */
#include "base/error.h"
#include "base/log.h"
#include "base/secret-memory.h"
#include "base/store.h"
#include "drivers/secret/model.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* The form of agents that knew no key. */
#define OLD_SUFFIX ".base64"
#define SUFFIX     ".value"

/* ---- memory ---- */

GBytes *secret_value_new(const void *value, size_t length)
{
        return secret_memory_copy(value, length);
}

static void text_free(char *text)
{
        explicit_bzero(text, strlen(text));
        g_free(text);
}

int secret_value_to_fd(GBytes *value, GError **error)
{
        CLEANUP_FD int fd = memfd_create("secret", MFD_CLOEXEC | MFD_ALLOW_SEALING);
        size_t length;
        const void *bytes = g_bytes_get_data(value, &length);

        if (fd >= 0 && write(fd, bytes, length) == (ssize_t)length &&
            fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) == 0 &&
            lseek(fd, 0, SEEK_SET) == 0)
                return fd_steal(&fd);
        error_set_errno(error, ERROR_FROM_SECRET, errno, "cannot pass the value of a secret on");
        return -1;
}

/* ---- files ---- */

static bool require_key(const struct secrets *secrets, GError **error)
{
        return secrets->key ||
               error_set(error, ERROR_FROM_SECRET, ERROR_OPERATION_FAILED,
                         "values of secrets cannot be read or stored: %s", secrets->key_problem);
}

bool secret_value_store(const struct secrets *secrets, const char *uuid_text, GBytes *value, GError **error)
{
        g_autofree char *name = g_strconcat(uuid_text, SUFFIX, NULL);
        g_autofree char *old_name = g_strconcat(uuid_text, OLD_SUFFIX, NULL), *text = NULL;

        if (!secrets->directory)
                return true;
        if (!require_key(secrets, error))
                return false;
        text = secret_key_seal(secrets->key, uuid_text, value, error);
        /* The new file counts as soon as it is there. */
        return text && store_write(secrets->directory, name, text, true, error) &&
               store_remove(secrets->directory, old_name, true, error);
}

bool secret_value_erase(const struct secrets *secrets, const char *uuid_text, GError **error)
{
        g_autofree char *name = g_strconcat(uuid_text, SUFFIX, NULL);
        g_autofree char *old_name = g_strconcat(uuid_text, OLD_SUFFIX, NULL);

        return !secrets->directory || (store_remove(secrets->directory, name, true, error) &&
                                       store_remove(secrets->directory, old_name, true, error));
}

/* g_base64_decode() passes over what does not belong there; a file that was damaged is to be told. */
static bool is_base64(const char *text)
{
        size_t length = strlen(text),
               digits = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                     "0123456789+/");

        return length % 4 == 0 && length - digits <= 2 && strspn(text + digits, "=") == length - digits;
}

static GBytes *decode(char *text, const char *path, GError **error)
{
        guchar *bytes;
        GBytes *value;
        gsize length;

        g_strchomp(text);
        if (!is_base64(text)) {
                error_set(error, ERROR_FROM_SECRET, ERROR_CONF_SYNTAX, "'%s' is not base64", path);
                return NULL;
        }
        bytes = g_base64_decode(text, &length);
        value = secret_value_new(bytes, length);
        explicit_bzero(bytes, length);
        g_free(bytes);
        return value;
}

static bool is_there(const char *path)
{
        struct stat st;

        return lstat(path, &st) == 0 || errno != ENOENT;
}

static GBytes *load(const struct secrets *secrets, const char *uuid_text, const char *path, GError **error)
{
        g_autoptr(GError) reason = NULL;
        g_autofree char *text = NULL;
        GBytes *value;

        if (!require_key(secrets, error) || !secret_file_check(path, error))
                return NULL;
        text = store_read(path, error);
        if (!text)
                return NULL;
        value = secret_key_unseal(secrets->key, uuid_text, text, &reason);
        if (!value)
                error_set(error, ERROR_FROM_SECRET, ERROR_CONF_SYNTAX, "'%s': %s", path, reason->message);
        return value;
}

/* Taken over: the encrypted file is there before the old one goes. */
static GBytes *load_old(const struct secrets *secrets, const char *uuid_text, const char *path,
                        GError **error)
{
        g_autoptr(GError) problem = NULL;
        GBytes *value;
        char *text;

        if (!secret_file_check(path, error))
                return NULL;
        text = store_read(path, error);
        if (!text)
                return NULL;
        value = decode(text, path, error);
        text_free(text);
        if (value && !secret_value_store(secrets, uuid_text, value, &problem))
                log_gerror(LOG_LEVEL_ERROR, problem, "'%s' is not encrypted", path);
        return value;
}

GBytes *secret_value_load(const struct secrets *secrets, const char *uuid_text, GError **error)
{
        g_autofree char *path = g_strconcat(secrets->directory, "/", uuid_text, SUFFIX, NULL);
        g_autofree char *old_path = g_strconcat(secrets->directory, "/", uuid_text, OLD_SUFFIX, NULL);
        GBytes *value;

        if (!is_there(path))
                return is_there(old_path) ? load_old(secrets, uuid_text, old_path, error) : NULL;
        value = load(secrets, uuid_text, path, error);
        /* It was taken over, and the agent ended before it was removed. */
        if (value && is_there(old_path))
                unlink(old_path);
        return value;
}

static void clean(const struct secrets *secrets, const char *suffix)
{
        g_autoptr(GError) error = NULL;
        g_autoptr(GPtrArray) names = store_list(secrets->directory, suffix, &error);

        for (unsigned i = 0; names && i < names->len; i++) {
                const char *name = g_ptr_array_index(names, i);
                g_autofree char *uuid_text = g_strndup(name, strlen(name) - strlen(suffix));
                g_autofree char *definition = g_strconcat(secrets->directory, "/", uuid_text, ".xml", NULL);

                if (!is_there(definition))
                        secret_value_erase(secrets, uuid_text, error ? NULL : &error);
        }
        if (error)
                log_gerror(LOG_LEVEL_WARNING, error, "values of secrets that were undefined stay in %s",
                           secrets->directory);
}

void secret_value_clean(const struct secrets *secrets)
{
        clean(secrets, SUFFIX);
        clean(secrets, OLD_SUFFIX);
}
