/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/unit/qemu-machine.h"

#include <check.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static struct {
        pid_t qemu;
        FILE *monitor;
        char deleted[64]; /* the device that went last */
} guest;

void machine_tear_down(void)
{
        if (guest.monitor)
                fclose(guest.monitor);
        if (guest.qemu > 0) {
                kill(guest.qemu, SIGKILL);
                waitpid(guest.qemu, NULL, 0);
        }
        fixture_tear_down();
}

/* A listening socket at path, without close-on-exec. */
int machine_listen(const char *path)
{
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        int fd = socket(AF_UNIX, SOCK_STREAM, 0);

        ck_assert_uint_lt(strlen(path), sizeof(address.sun_path));
        strcpy(address.sun_path, path);
        ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
        ck_assert_int_eq(listen(fd, 1), 0);
        return fd;
}

/* ---- QEMU ---- */

static void exec_qemu(const struct qemu_command *command)
{
        g_autofree char *log = g_build_filename(fixture.dir, "log", NULL);
        int fd = open(log, O_CREAT | O_WRONLY | O_APPEND, 0600);

        prctl(PR_SET_PDEATHSIG, SIGKILL);
        dup2(fd, STDOUT_FILENO);
        dup2(fd, STDERR_FILENO);
        execve(command->argv->pdata[0], (char **)command->argv->pdata, (char **)command->env->pdata);
        _exit(127);
}

static const char *read_log(void)
{
        g_autofree char *path = g_build_filename(fixture.dir, "log", NULL);
        char *text = NULL;

        return g_file_get_contents(path, &text, NULL, NULL) ? text : "";
}

static json_t *machine_read(void)
{
        size_t size = 0;
        char *text = NULL;
        json_t *message;

        ck_assert_msg(getline(&text, &size, guest.monitor) > 0, "QEMU ended: %s", read_log());
        message = json_loads(text, 0, NULL);
        free(text);
        ck_assert_ptr_nonnull(message);
        return message;
}

static void note_event(const json_t *message)
{
        const json_t *data = json_object_get(message, "data");
        const char *device = json_string_value(json_object_get(data, "device"));

        if (strcmp(json_string_value(json_object_get(message, "event")), "DEVICE_DELETED") == 0 && device)
                g_strlcpy(guest.deleted, device, sizeof(guest.deleted));
}

/* The next message that is no event. */
static json_t *machine_read_answer(void)
{
        json_t *message;

        for (message = machine_read(); json_object_get(message, "event"); message = machine_read()) {
                note_event(message);
                json_decref(message);
        }
        return message;
}

/* Runs a command; its answer, which is the caller's, or fails. Takes arguments. */
json_t *machine_run(const char *name, json_t *arguments)
{
        json_t *command = json_object(), *message, *answer;
        char *text;

        json_object_set_new(command, "execute", json_string(name));
        if (arguments)
                json_object_set_new(command, "arguments", arguments);
        text = json_dumps(command, JSON_COMPACT);
        fprintf(guest.monitor, "%s\n", text);
        fflush(guest.monitor);
        message = machine_read_answer();
        answer = json_incref(json_object_get(message, "return"));
        if (!answer)
                ck_abort_msg("%s: %s", text, json_dumps(message, 0));
        json_decref(message);
        json_decref(command);
        free(text);
        return answer;
}

static void set_up_guest(const struct qemu_command *command)
{
        size_t index;
        json_t *object;

        json_decref(machine_run("qmp_capabilities", NULL));
        json_array_foreach(command->setup, index, object)
                json_decref(machine_run(json_string_value(json_object_get(object, "execute")),
                                        json_incref(json_object_get(object, "arguments"))));
}

void machine_start(const struct domain_def *def)
{
        g_autoptr(GHashTable) resources = fixture_prepare(def);
        g_autofree char *path = g_build_filename(fixture.dir, "monitor", NULL);
        CLEANUP(qemu_command_free) struct qemu_command *command = NULL;
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        CLEANUP_FD int listener = machine_listen(path);
        g_autoptr(GError) error = NULL;
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

        command = fixture_build(def, resources, listener, &error);
        ck_assert_msg(command != NULL, "%s", error ? error->message : "");
        guest.qemu = fork();
        if (guest.qemu == 0)
                exec_qemu(command);
        strcpy(address.sun_path, path);
        ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
        close(fd_steal(&listener));
        guest.monitor = fdopen(fd, "r+");
        json_decref(machine_read());
        set_up_guest(command);
}

/* Like machine_run(), with a descriptor along. */
void machine_run_fd(const char *name, const json_t *arguments, int fd)
{
        g_autofree char *packed = json_dumps(arguments, JSON_COMPACT);
        g_autofree char *text = g_strdup_printf("{\"execute\":\"%s\",\"arguments\":%s}\n", name, packed);
        char control[CMSG_SPACE(sizeof(int))] = { 0 };
        struct iovec iov = { text, strlen(text) };
        struct msghdr message = {
                .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)
        };
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        json_t *answer;

        *header = (struct cmsghdr){ CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS };
        memcpy(CMSG_DATA(header), &fd, sizeof(fd));
        ck_assert_int_gt(sendmsg(fileno(guest.monitor), &message, 0), 0);
        answer = machine_read_answer();
        ck_assert_msg(json_object_get(answer, "return"), "%s", json_dumps(answer, 0));
        json_decref(answer);
}

/* No guest answers the machine's request; one that starts anew has nothing against it. */
void machine_wait_deleted(const char *alias)
{
        if (strcmp(guest.deleted, alias) != 0)
                json_decref(machine_run("system_reset", NULL));
        while (strcmp(guest.deleted, alias) != 0) {
                json_t *message = machine_read();

                note_event(message);
                json_decref(message);
        }
}
