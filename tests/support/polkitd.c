/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The real polkitd for tests.
 */

#include "tests/support/polkitd.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define NAME      "org.freedesktop.PolicyKit1"
#define AUTHORITY "/org/freedesktop/PolicyKit1/Authority"
#define INTERFACE "org.freedesktop.PolicyKit1.Authority"
#define AGENT     "/org/virtbus/Agent"

struct dialog {
        sd_bus_message *call; /* ref; BeginAuthentication */
        char *cookie;         /* owned */
};

struct polkitd {
        struct harness *harness;                /* borrowed */
        char *actions, *rules, *no_rules, *log; /* owned */
        pid_t pid;                              /* 0: not running */
        struct client *client;                  /* owned; root's, and the agent of dialogs */
        GQueue dialogs;                         /* of struct dialog, owned */
        unsigned cancelled;
};

static const char *find_program(void)
{
        static const char *const places[] = { "/usr/lib/polkit-1/polkitd", "/usr/libexec/polkitd",
                                              "/usr/lib/policykit-1/polkitd" };

        for (unsigned i = 0; i < G_N_ELEMENTS(places); i++)
                if (access(places[i], X_OK) == 0)
                        return places[i];
        return NULL;
}

static char *make_folder(struct harness *harness, const char *name)
{
        char *path = harness_path(harness, name);

        ck_assert_int_eq(mkdir(path, 0755), 0);
        chmod(path, 0755);
        return path;
}

/* In the child. */
static void enter(void *data)
{
        const struct polkitd *polkitd = data;
        int log = open(polkitd->log, O_WRONLY | O_CREAT | O_APPEND, 0644);

        dup2(log, STDOUT_FILENO);
        dup2(log, STDERR_FILENO);
        if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
            mount(polkitd->rules, "/etc/polkit-1/rules.d", NULL, MS_BIND, NULL) < 0 ||
            mount(polkitd->no_rules, "/usr/share/polkit-1/rules.d", NULL, MS_BIND, NULL) < 0 ||
            mount(polkitd->actions, "/usr/share/polkit-1/actions", NULL, MS_BIND, NULL) < 0)
                _exit(99);
}

void polkitd_spawn(struct polkitd *polkitd)
{
        const char *argv[] = { find_program(), NULL };
        g_auto(GStrv) environment = g_environ_setenv(g_get_environ(), "DBUS_SYSTEM_BUS_ADDRESS",
                                                     harness_get_address(polkitd->harness), TRUE);
        g_autoptr(GError) error = NULL;

        ck_assert_int_eq(polkitd->pid, 0);
        if (!g_spawn_async(NULL, (char **)argv, environment, G_SPAWN_DO_NOT_REAP_CHILD, enter, polkitd,
                           &polkitd->pid, &error))
                ck_abort_msg("%s", error->message);
}

struct start {
        struct polkitd *polkitd;
        bool failed; /* it ended */
};

static bool has_name(struct polkitd *polkitd)
{
        return sd_bus_get_name_creds(client_get_bus(polkitd->client), NAME, 0, NULL) >= 0;
}

static bool is_started(void *data)
{
        struct start *start = data;

        start->failed = waitpid(start->polkitd->pid, NULL, WNOHANG) != 0;
        return start->failed || has_name(start->polkitd);
}

static bool try_start(struct polkitd *polkitd)
{
        struct start start = { .polkitd = polkitd };

        polkitd_spawn(polkitd);
        harness_wait_until(is_started, &start, "polkitd owns its name");
        if (start.failed)
                polkitd->pid = 0;
        return !start.failed;
}

void polkitd_start(struct polkitd *polkitd)
{
        ck_assert(try_start(polkitd));
}

void polkitd_signal(struct polkitd *polkitd, int signal)
{
        ck_assert_int_eq(kill(polkitd->pid, signal), 0);
}

void polkitd_kill(struct polkitd *polkitd)
{
        if (!polkitd->pid)
                return;
        kill(polkitd->pid, SIGKILL);
        ck_assert_int_eq(waitpid(polkitd->pid, NULL, 0), polkitd->pid);
        polkitd->pid = 0;
}

void polkitd_set_rules(struct polkitd *polkitd, const char *rules)
{
        g_autofree char *path = g_build_filename(polkitd->rules, "test.rules", NULL);

        ck_assert(g_file_set_contents(path, rules, -1, NULL));
        chmod(path, 0644);
}

unsigned polkitd_count_log(struct polkitd *polkitd, const char *text)
{
        g_autofree char *log = NULL;
        unsigned count = 0;

        if (!g_file_get_contents(polkitd->log, &log, NULL, NULL))
                return 0;
        for (const char *at = log; (at = strstr(at, text)); at += strlen(text))
                count++;
        return count;
}

static void install_policy(struct polkitd *polkitd)
{
        g_autofree char *from =
                g_build_filename(g_getenv("VIRTBUS_SOURCE_DIR"), "packaging/polkit/org.libvirt.policy", NULL);
        g_autofree char *to = g_build_filename(polkitd->actions, "org.libvirt.policy", NULL);
        g_autofree char *text = NULL;

        ck_assert(g_file_get_contents(from, &text, NULL, NULL));
        ck_assert(g_file_set_contents(to, text, -1, NULL));
        chmod(to, 0644);
}

struct polkitd *polkitd_new(struct harness *harness, const char *rules)
{
        struct polkitd *polkitd;

        if (getuid() != 0 || !find_program()) {
                harness_skip(getuid() != 0 ? "needs root" : "polkitd is not installed");
                return NULL;
        }
        polkitd = g_new0(struct polkitd, 1);
        polkitd->harness = harness;
        polkitd->actions = make_folder(harness, "actions");
        polkitd->rules = make_folder(harness, "rules");
        polkitd->no_rules = make_folder(harness, "no-rules");
        polkitd->log = harness_path(harness, "polkitd.log");
        polkitd->client = harness_connect(harness);
        g_queue_init(&polkitd->dialogs);
        install_policy(polkitd);
        polkitd_set_rules(polkitd, rules);
        if (try_start(polkitd))
                return polkitd;
        polkitd_free(polkitd);
        harness_skip("polkitd cannot run in a mount namespace of its own");
        return NULL;
}

static void free_dialog(struct dialog *dialog)
{
        sd_bus_message_unref(dialog->call);
        g_free(dialog->cookie);
        g_free(dialog);
}

void polkitd_free(struct polkitd *polkitd)
{
        struct dialog *dialog;

        if (!polkitd)
                return;
        polkitd_kill(polkitd);
        while ((dialog = g_queue_pop_head(&polkitd->dialogs)))
                free_dialog(dialog);
        client_free(polkitd->client);
        g_free(polkitd->actions);
        g_free(polkitd->rules);
        g_free(polkitd->no_rules);
        g_free(polkitd->log);
        g_free(polkitd);
}

struct client *polkitd_connect_as(struct harness *harness, uid_t uid)
{
        struct client *client;

        ck_assert_int_eq(seteuid(uid), 0);
        client = harness_connect(harness);
        ck_assert_int_eq(seteuid(0), 0);
        return client;
}

/* --- dialogs
 * ---------------------------------------------------------------------------------------------------- */

static int begin(struct polkitd *polkitd, sd_bus_message *call)
{
        struct dialog *dialog = g_new0(struct dialog, 1);
        const char *cookie;

        ck_assert_int_ge(sd_bus_message_skip(call, "sss"), 0);
        ck_assert_int_ge(sd_bus_message_skip(call, "a{ss}"), 0);
        ck_assert_int_ge(sd_bus_message_read(call, "s", &cookie), 0);
        dialog->call = sd_bus_message_ref(call);
        dialog->cookie = g_strdup(cookie);
        g_queue_push_tail(&polkitd->dialogs, dialog);
        return 1;
}

static int cancel(struct polkitd *polkitd, sd_bus_message *call)
{
        const char *cookie;

        ck_assert_int_ge(sd_bus_message_read(call, "s", &cookie), 0);
        for (GList *link = polkitd->dialogs.head; link; link = link->next) {
                struct dialog *dialog = link->data;

                if (strcmp(dialog->cookie, cookie) != 0)
                        continue;
                g_queue_delete_link(&polkitd->dialogs, link);
                free_dialog(dialog);
                polkitd->cancelled++;
                break;
        }
        return sd_bus_reply_method_return(call, "");
}

static int serve_agent(sd_bus_message *call, void *data, sd_bus_error *error)
{
        if (sd_bus_message_is_method_call(call, NULL, "BeginAuthentication"))
                return begin(data, call);
        if (sd_bus_message_is_method_call(call, NULL, "CancelAuthentication"))
                return cancel(data, call);
        return 0;
}

/* Field 22 of /proc/<pid>/stat. */
static uint64_t get_start_time(void)
{
        g_autofree char *text = NULL;
        const char *at;

        ck_assert(g_file_get_contents("/proc/self/stat", &text, NULL, NULL));
        at = strrchr(text, ')');
        for (unsigned field = 2; field < 22; field++)
                at = strchr(at + 1, ' ');
        return g_ascii_strtoull(at, NULL, 10);
}

void polkitd_show_dialogs(struct polkitd *polkitd)
{
        sd_bus *bus = client_get_bus(polkitd->client);
        sd_bus_error error = SD_BUS_ERROR_NULL;

        sd_bus_add_object(bus, NULL, AGENT, serve_agent, polkitd);
        if (sd_bus_call_method(bus, NAME, AUTHORITY, INTERFACE, "RegisterAuthenticationAgent", &error, NULL,
                               "(sa{sv})ss", "unix-process", 3, "pid", "u", getpid(), "start-time", "t",
                               get_start_time(), "uid", "i", 0, "C", AGENT) < 0)
                ck_abort_msg("%s", error.message);
}

struct wait {
        struct polkitd *polkitd;
        unsigned count;
};

static bool has_dialogs(void *data)
{
        const struct wait *wait = data;

        client_process(wait->polkitd->client);
        return wait->polkitd->dialogs.length >= wait->count;
}

void polkitd_wait_dialogs(struct polkitd *polkitd, unsigned count)
{
        struct wait wait = { polkitd, count };

        harness_wait_until(has_dialogs, &wait, "the dialogs are open");
}

static struct dialog *take_dialog(struct polkitd *polkitd)
{
        polkitd_wait_dialogs(polkitd, 1);
        return g_queue_pop_head(&polkitd->dialogs);
}

void polkitd_authenticate(struct polkitd *polkitd)
{
        struct dialog *dialog = take_dialog(polkitd);
        sd_bus *bus = client_get_bus(polkitd->client);
        sd_bus_error error = SD_BUS_ERROR_NULL;

        if (sd_bus_call_method(bus, NAME, AUTHORITY, INTERFACE, "AuthenticationAgentResponse2", &error, NULL,
                               "us(sa{sv})", 0, dialog->cookie, "unix-user", 1, "uid", "u", 0) < 0)
                ck_abort_msg("%s", error.message);
        ck_assert_int_ge(sd_bus_reply_method_return(dialog->call, ""), 0);
        free_dialog(dialog);
        client_process(polkitd->client);
}

void polkitd_dismiss(struct polkitd *polkitd)
{
        struct dialog *dialog = take_dialog(polkitd);

        ck_assert_int_ge(sd_bus_reply_method_errorf(dialog->call,
                                                    "org.freedesktop.PolicyKit1.Error.Cancelled", "closed"),
                         0);
        free_dialog(dialog);
        client_process(polkitd->client);
}

unsigned polkitd_count_cancelled(struct polkitd *polkitd)
{
        client_process(polkitd->client);
        return polkitd->cancelled;
}
