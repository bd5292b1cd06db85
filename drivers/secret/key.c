/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The key of values, and what is made of them with it: "virtbus-secret-1 <base64 of nonce, ciphertext, tag>".
 * Version and name are authenticated with it. The nonce is random: 96 bits are enough for some millions of
 * values under one key.
 */
#include "drivers/secret/key.h"

#include "base/error.h"
#include "base/log.h"
#include "base/secret-memory.h"
#include "base/store.h"
#include "base/systemd.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define KEY_SIZE   32
#define NONCE_SIZE 12
#define TAG_SIZE   16
#define PREFIX     "virtbus-secret-1 "

#define PLAIN  "key"
#define SEALED "key.cred"
#define NAME   "virtbus-secrets"

struct secret_key {
        unsigned char *bytes; /* owned; KEY_SIZE of secret memory */
};

static void wipe(char *text)
{
        if (text)
                explicit_bzero(text, strlen(text));
        g_free(text);
}

/* ---- files ---- */

bool secret_file_check(const char *path, GError **error)
{
        struct stat st;

        if (lstat(path, &st) < 0)
                return errno == ENOENT ||
                       error_set_errno(error, ERROR_FROM_SECRET, errno, "cannot look at '%s'", path);
        if (!S_ISREG(st.st_mode))
                return error_set(error, ERROR_FROM_SECRET, ERROR_OPERATION_FAILED, "'%s' is no regular file",
                                 path);
        if (st.st_uid != geteuid())
                return error_set(error, ERROR_FROM_SECRET, ERROR_OPERATION_FAILED,
                                 "'%s' belongs to uid %u, not to the agent", path, (unsigned)st.st_uid);
        if (st.st_mode & 077)
                return error_set(error, ERROR_FROM_SECRET, ERROR_OPERATION_FAILED,
                                 "'%s' has mode %o, so others may have read or written it: expected 600",
                                 path, (unsigned)(st.st_mode & 07777));
        return true;
}

static bool exists(const char *directory, const char *name)
{
        g_autofree char *path = g_build_filename(directory, name, NULL);
        struct stat st;

        return lstat(path, &st) == 0 || errno != ENOENT;
}

static char *read_file(const char *directory, const char *name, GError **error)
{
        g_autofree char *path = g_build_filename(directory, name, NULL);

        return secret_file_check(path, error) ? store_read(path, error) : NULL;
}

/* ---- systemd-creds ---- */

/* What comes until the other end is closed; false: it is not by then. chunks are wiped. */
static bool read_until(int fd, gint64 end_us, GString *text)
{
        struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
        char chunk[1024];
        ssize_t length = 1;

        while (length > 0 && text->len < STORE_FILE_MAX) {
                gint64 left_ms = (end_us - g_get_monotonic_time()) / 1000;

                if (left_ms <= 0)
                        return false;
                if (poll(&poll_fd, 1, (int)MIN(left_ms, INT_MAX)) <= 0)
                        continue;
                length = read(fd, chunk, sizeof(chunk));
                if (length > 0)
                        g_string_append_len(text, chunk, length);
        }
        explicit_bzero(chunk, sizeof(chunk));
        return true;
}

static bool start_creds(const char *verb, GPid *pid, int *in, int *out, GError **error)
{
        const char *encrypt[] = { "systemd-creds", verb, "--with-key=auto", "--name=" NAME, "-", "-", NULL };
        const char *decrypt[] = { "systemd-creds", verb, "--name=" NAME, "-", "-", NULL };
        bool is_encrypt = strcmp(verb, "encrypt") == 0;
        g_autoptr(GError) failure = NULL;

        return g_spawn_async_with_pipes(NULL, (char **)(is_encrypt ? encrypt : decrypt), NULL,
                                        G_SPAWN_SEARCH_PATH | G_SPAWN_DO_NOT_REAP_CHILD |
                                                G_SPAWN_STDERR_TO_DEV_NULL,
                                        NULL, NULL, pid, in, out, NULL, &failure) ||
               error_set(error, ERROR_FROM_SECRET, ERROR_OPERATION_FAILED, "cannot run systemd-creds: %s",
                         failure->message);
}

/*
 * Runs it with input; what it says, to be wiped, or NULL. At start-up, where nothing else runs: neither side
 * has more to say than a pipe holds.
 */
static char *run_creds(const char *verb, const char *input, unsigned timeout_ms, GError **error)
{
        gint64 end_us = g_get_monotonic_time() + (gint64)timeout_ms * 1000;
        GString *text;
        char *output;
        int in, out, status = -1;
        bool answers;
        GPid pid;

        if (!start_creds(verb, &pid, &in, &out, error))
                return NULL;
        text = g_string_sized_new(4096);
        answers = write(in, input, strlen(input)) >= 0;
        close(in);
        answers = answers && read_until(out, end_us, text);
        close(out);
        if (!answers)
                kill(pid, SIGKILL);
        waitpid(pid, &status, 0);
        g_spawn_close_pid(pid);
        output = g_string_free(text, FALSE);
        if (answers && status == 0 && *output)
                return output;
        wipe(output);
        if (!answers)
                error_set(error, ERROR_FROM_SECRET, ERROR_OPERATION_TIMEOUT,
                          "systemd-creds did not %s the key of secrets within %u ms: does the host's TPM "
                          "answer "
                          "(systemd-creds has-tpm2)?",
                          verb, timeout_ms);
        else
                error_set(error, ERROR_FROM_SECRET, ERROR_OPERATION_FAILED,
                          "systemd-creds cannot %s the key of secrets", verb);
        return NULL;
}

static bool can_seal(void)
{
        g_autofree char *program = NULL;

        if (geteuid() != 0 || !systemd_is_booted())
                return false;
        program = g_find_program_in_path("systemd-creds");
        return program != NULL;
}

/* ---- the key ---- */

/* As the file has it: base64 of the key. */
static struct secret_key *parse(const char *text, const char *what, GError **error)
{
        struct secret_key *key;
        gsize length = 0;
        guchar *bytes = g_base64_decode(text, &length);

        if (length != KEY_SIZE) {
                explicit_bzero(bytes, length);
                g_free(bytes);
                error_set(error, ERROR_FROM_SECRET, ERROR_CONF_SYNTAX, "'%s' holds no key of secrets", what);
                return NULL;
        }
        key = g_new0(struct secret_key, 1);
        key->bytes = secret_memory_new(KEY_SIZE);
        memcpy(key->bytes, bytes, KEY_SIZE);
        explicit_bzero(bytes, length);
        g_free(bytes);
        return key;
}

static struct secret_key *open_sealed(const char *directory, unsigned creds_ms, GError **error)
{
        g_autofree char *sealed = read_file(directory, SEALED, error);
        struct secret_key *key = NULL;
        char *text;

        if (!sealed)
                return NULL;
        text = run_creds("decrypt", sealed, creds_ms, error);
        if (text)
                key = parse(text, SEALED, error);
        wipe(text);
        return key;
}

static struct secret_key *open_plain(const char *directory, GError **error)
{
        char *text = read_file(directory, PLAIN, error);
        struct secret_key *key = text ? parse(text, PLAIN, error) : NULL;

        wipe(text);
        return key;
}

/* The sealed file; without one, for whatever reason, as it is. */
static bool store_new(const char *directory, const char *text, unsigned creds_ms, GError **error)
{
        g_autoptr(GError) failure = NULL;
        g_autofree char *sealed = can_seal() ? run_creds("encrypt", text, creds_ms, &failure) : NULL;

        if (failure)
                log_gerror(LOG_LEVEL_WARNING, failure, "the key of secrets is kept in a file, mode 600");
        return sealed ? store_write(directory, SEALED, sealed, true, error)
                      : store_write(directory, PLAIN, text, true, error);
}

static struct secret_key *make(const char *directory, unsigned creds_ms, GError **error)
{
        struct secret_key *key = NULL;
        unsigned char bytes[KEY_SIZE];
        char *text;

        if (RAND_bytes(bytes, sizeof(bytes)) != 1) {
                error_set(error, ERROR_FROM_SECRET, ERROR_INTERNAL_ERROR,
                          "there are no random numbers for a key");
                return NULL;
        }
        text = g_base64_encode(bytes, sizeof(bytes));
        explicit_bzero(bytes, sizeof(bytes));
        if (store_new(directory, text, creds_ms, error))
                key = parse(text, PLAIN, error);
        wipe(text);
        return key;
}

struct secret_key *secret_key_open(const char *directory, unsigned creds_ms, GError **error)
{
        /* Or libcrypto would clear up at exit what a lane may still work with. */
        OPENSSL_init_crypto(OPENSSL_INIT_NO_ATEXIT, NULL);
        if (exists(directory, SEALED))
                return open_sealed(directory, creds_ms, error);
        if (exists(directory, PLAIN))
                return open_plain(directory, error);
        return make(directory, creds_ms, error);
}

void secret_key_free(struct secret_key *key)
{
        if (!key)
                return;
        secret_memory_free(key->bytes, KEY_SIZE);
        g_free(key);
}

/* ---- values ---- */

DEFINE_CLEANUP(EVP_CIPHER_CTX, EVP_CIPHER_CTX_free);

static bool run_cipher(EVP_CIPHER_CTX *context, const char *name, const void *in, size_t length,
                       unsigned char *out)
{
        int done = 0;

        /* No output: what is authenticated only. */
        return EVP_CipherUpdate(context, NULL, &done, (const unsigned char *)PREFIX, (int)strlen(PREFIX)) ==
                       1 &&
               EVP_CipherUpdate(context, NULL, &done, (const unsigned char *)name, (int)strlen(name)) == 1 &&
               (length == 0 || EVP_CipherUpdate(context, out, &done, in, (int)length) == 1);
}

char *secret_key_seal(const struct secret_key *key, const char *name, GBytes *value, GError **error)
{
        CLEANUP(EVP_CIPHER_CTX_free) EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
        size_t length;
        const void *plain = g_bytes_get_data(value, &length);
        g_autofree unsigned char *bytes = g_malloc(NONCE_SIZE + length + TAG_SIZE);
        g_autofree char *text = NULL;
        int rest = 0;

        if (!context || RAND_bytes(bytes, NONCE_SIZE) != 1 ||
            EVP_CipherInit_ex(context, EVP_aes_256_gcm(), NULL, key->bytes, bytes, 1) != 1 ||
            !run_cipher(context, name, plain, length, bytes + NONCE_SIZE) ||
            EVP_CipherFinal_ex(context, bytes + NONCE_SIZE + length, &rest) != 1 ||
            EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_GET_TAG, TAG_SIZE, bytes + NONCE_SIZE + length) != 1) {
                error_set(error, ERROR_FROM_SECRET, ERROR_INTERNAL_ERROR,
                          "cannot encrypt the value of secret '%s'", name);
                return NULL;
        }
        text = g_base64_encode(bytes, NONCE_SIZE + length + TAG_SIZE);
        return g_strconcat(PREFIX, text, "\n", NULL);
}

GBytes *secret_key_unseal(const struct secret_key *key, const char *name, const char *text, GError **error)
{
        CLEANUP(EVP_CIPHER_CTX_free) EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
        g_autofree unsigned char *bytes = NULL;
        unsigned char *plain;
        gsize size = 0, length;
        int rest = 0;

        if (g_str_has_prefix(text, PREFIX))
                bytes = g_base64_decode(text + strlen(PREFIX), &size);
        if (!context || size < NONCE_SIZE + TAG_SIZE) {
                error_set(error, ERROR_FROM_SECRET, ERROR_CONF_SYNTAX, "it is damaged");
                return NULL;
        }
        length = size - NONCE_SIZE - TAG_SIZE;
        plain = secret_memory_new(length + TAG_SIZE);
        if (EVP_CipherInit_ex(context, EVP_aes_256_gcm(), NULL, key->bytes, bytes, 0) == 1 &&
            run_cipher(context, name, bytes + NONCE_SIZE, length, plain) &&
            EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_SET_TAG, TAG_SIZE, bytes + NONCE_SIZE + length) == 1 &&
            EVP_CipherFinal_ex(context, plain + length, &rest) == 1) {
                GBytes *value = secret_memory_copy(plain, length);

                secret_memory_free(plain, length + TAG_SIZE);
                return value;
        }
        secret_memory_free(plain, length + TAG_SIZE);
        error_set(error, ERROR_FROM_SECRET, ERROR_CONF_SYNTAX,
                  "it is damaged, or was encrypted with another key or for another secret");
        return NULL;
}
