/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The emulators' user, looked up once at start-up: nothing asks the name service after a fork.
 */
#include "drivers/security/account.h"

#include "base/error.h"

#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOOKUP_SIZE 65536

static bool find_user(const char *user, struct account *account, GError **error)
{
        g_autofree char *space = g_malloc(LOOKUP_SIZE);
        struct passwd entry, *found = NULL;

        getpwnam_r(user, &entry, space, LOOKUP_SIZE, &found);
        if (!found)
                return error_set(error, ERROR_FROM_SECURITY, ERROR_CONFIG_UNSUPPORTED,
                                 "the emulators' user '%s' does not exist", user);
        account->uid = entry.pw_uid;
        account->gid = entry.pw_gid;
        return true;
}

static bool find_group(const char *group, struct account *account, GError **error)
{
        g_autofree char *space = g_malloc(LOOKUP_SIZE);
        struct group entry, *found = NULL;

        getgrnam_r(group, &entry, space, LOOKUP_SIZE, &found);
        if (!found)
                return error_set(error, ERROR_FROM_SECURITY, ERROR_CONFIG_UNSUPPORTED,
                                 "the emulators' group '%s' does not exist", group);
        account->gid = entry.gr_gid;
        return true;
}

static void find_groups(const char *user, struct account *account)
{
        int count = 64;

        account->groups = g_new(gid_t, (size_t)count);
        if (getgrouplist(user, account->gid, account->groups, &count) < 0) {
                account->groups = g_renew(gid_t, account->groups, (size_t)count);
                if (getgrouplist(user, account->gid, account->groups, &count) < 0)
                        count = 0;
        }
        account->n_groups = (unsigned)count;
}

static void use_own(struct account *account)
{
        int count = getgroups(0, NULL);

        account->is_own = true;
        account->uid = geteuid();
        account->gid = getegid();
        account->groups = g_new(gid_t, (size_t)MAX(count, 0) + 1);
        count = getgroups(count, account->groups);
        account->n_groups = (unsigned)MAX(count, 0);
}

static bool fill(struct account *account, const char *user, const char *group, GError **error)
{
        if (!user) {
                use_own(account);
                account->name = g_strdup_printf("uid %u", (unsigned)account->uid);
                return true;
        }
        account->name = g_strdup(user);
        if (!find_user(user, account, error) || (group && !find_group(group, account, error)))
                return false;
        if (geteuid() == 0) {
                find_groups(user, account);
                account->is_own = account->uid == 0;
                return true;
        }
        if (account->uid != geteuid())
                return error_set(error, ERROR_FROM_SECURITY, ERROR_CONFIG_UNSUPPORTED,
                                 "only an agent that runs as root can run emulators as user '%s'", user);
        use_own(account);
        return true;
}

const struct account *account_new(const char *user, const char *group, GError **error)
{
        struct account *account = g_new0(struct account, 1);

        account->refs = 1;
        if (fill(account, user, group, error))
                return account;
        account_unref(account);
        return NULL;
}

/* ---- labels ---- */

/* "+1000", "1000" */
static bool read_number(const char *text, unsigned *number)
{
        char *end;
        guint64 value;

        if (*text == '+')
                text++;
        value = g_ascii_strtoull(text, &end, 10);
        *number = (unsigned)value;
        /* All ones means nobody to the kernel. */
        return g_ascii_isdigit(*text) && !*end && value < G_MAXUINT32;
}

static bool read_user(const char *text, struct account *account, GError **error)
{
        unsigned number;

        if (*text != '+' && find_user(text, account, NULL))
                return true;
        if (!read_number(text, &number))
                return find_user(text, account, error);
        account->uid = number;
        return true;
}

static bool read_group(const char *text, struct account *account, GError **error)
{
        unsigned number;

        if (*text != '+' && find_group(text, account, NULL))
                return true;
        if (!read_number(text, &number))
                return find_group(text, account, error);
        account->gid = number;
        return true;
}

/* The user's other groups, where the host has a user of that number. */
static void find_groups_of_uid(struct account *account)
{
        g_autofree char *space = g_malloc(LOOKUP_SIZE);
        struct passwd entry, *found = NULL;

        getpwuid_r(account->uid, &entry, space, LOOKUP_SIZE, &found);
        if (found) {
                find_groups(entry.pw_name, account);
                return;
        }
        account->groups = g_new(gid_t, 1);
        account->groups[0] = account->gid;
        account->n_groups = 1;
}

static bool fill_by_label(struct account *account, const char *label, GError **error)
{
        const char *colon = strchr(label, ':');
        g_autofree char *user = colon ? g_strndup(label, (gsize)(colon - label)) : g_strdup(label);

        if (!*user || (colon && !colon[1]) || strlen(label) > 128)
                return error_set(error, ERROR_FROM_SECURITY, ERROR_CONFIG_UNSUPPORTED,
                                 "'%.128s' is no label of the security model 'dac': expected user:group",
                                 label);
        return read_user(user, account, error) && (!colon || read_group(colon + 1, account, error));
}

const struct account *account_new_label(const char *label, const struct account *like, GError **error)
{
        struct account *account = g_new0(struct account, 1);

        account->refs = 1;
        account->name = g_strdup(label);
        account->gid = like->gid;
        if (!fill_by_label(account, label, error)) {
                account_unref(account);
                return NULL;
        }
        if (account->uid == like->uid && account->gid == like->gid) {
                account_unref(account);
                return account_ref(like);
        }
        if (geteuid() != 0) {
                error_set(error, ERROR_FROM_SECURITY, ERROR_CONFIG_UNSUPPORTED,
                          "only an agent that runs as root can run emulators as '%s'", label);
                account_unref(account);
                return NULL;
        }
        find_groups_of_uid(account);
        account->is_own = account->uid == 0 && account->gid == getegid();
        return account;
}

const struct account *account_ref(const struct account *account)
{
        g_atomic_int_inc(&((struct account *)account)->refs);
        return account;
}

void account_unref(const struct account *account)
{
        struct account *owned = (struct account *)account;

        if (!owned || !g_atomic_int_dec_and_test(&owned->refs))
                return;
        g_free(owned->name);
        g_free(owned->groups);
        g_free(owned);
}

static bool is_member(const struct account *account, gid_t gid)
{
        if (account->gid == gid)
                return true;
        for (unsigned i = 0; i < account->n_groups; i++) {
                if (account->groups[i] == gid)
                        return true;
        }
        return false;
}

bool account_may_open(const struct account *account, uid_t uid, gid_t gid, mode_t mode, bool write)
{
        mode_t want = write ? S_IROTH | S_IWOTH : S_IROTH;

        if (account->uid == uid)
                return (mode >> 6 & want) == want;
        if (is_member(account, gid))
                return (mode >> 3 & want) == want;
        return (mode & want) == want;
}

char *account_format_label(const struct account *account)
{
        return g_strdup_printf("+%u:+%u", (unsigned)account->uid, (unsigned)account->gid);
}
