/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * An <emulator> that misbehaves. Its fault is the part of the domain's name after "fault-" (fault-exit,
 * fault-deep ...). It stands between the agent and the real QEMU, which it runs as a child with the same
 * command line, and passes the monitor's lines on until its fault's moment has come. Anything else than a
 * guest to start (probing, -version) becomes the real QEMU at once. One thread; uses nothing but libc, so
 * that it works under any user and sandbox.
 */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/support/fake-qemu.h"

#ifndef FAKE_QEMU_REAL
#define FAKE_QEMU_REAL "/usr/bin/qemu-system-x86_64"
#endif

/* --- output
 * --------------------------------------------------------------------------------------------------- */

void send_bytes(int fd, const char *data, size_t length)
{
        while (length > 0) {
                ssize_t n = write(fd, data, length);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n <= 0)
                        exit(1);
                data += n;
                length -= n;
        }
}

/* The first bytes carry the descriptor. */
static void send_with_descriptor(int to, const char *data, size_t length, int descriptor)
{
        union {
                struct cmsghdr head;
                char bytes[CMSG_SPACE(sizeof(int))];
        } control = { .bytes = { 0 } };
        struct iovec part = { (char *)data, length };
        struct msghdr message = { .msg_iov = &part,
                                  .msg_iovlen = 1,
                                  .msg_control = control.bytes,
                                  .msg_controllen = sizeof(control.bytes) };
        ssize_t n;

        control.head.cmsg_level = SOL_SOCKET;
        control.head.cmsg_type = SCM_RIGHTS;
        control.head.cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(&control.head), &descriptor, sizeof(int));
        n = sendmsg(to, &message, 0);
        if (n <= 0)
                exit(1);
        send_bytes(to, data + n, length - (size_t)n);
}

void send_text(int fd, const char *text)
{
        send_bytes(fd, text, strlen(text));
}

/*
 * The value of the last member `key` of a line of JSON, as JSON text; "null" when it has none. Good enough
 * for QMP, where the id of a command or an answer stands at its end.
 */
static void copy_member(const char *line, const char *key, char *value, size_t size)
{
        char quoted[32];
        const char *start = NULL;
        size_t length;

        snprintf(quoted, sizeof(quoted), "\"%s\"", key);
        for (const char *next = line; (next = strstr(next, quoted)); next++)
                start = next;
        snprintf(value, size, "null");
        if (!start)
                return;
        start += strlen(quoted);
        start += strspn(start, ": ");
        length = *start == '"' ? strcspn(start + 1, "\"") + 2 : strcspn(start, ",} \r\n");
        if (length < size)
                snprintf(value, size, "%.*s", (int)length, start);
}

/* --- commands
 * ----------------------------------------------------------------------------------------------------- */

/* The agent may have gone. */
static void tell_agent(struct fake *fake, const char *text)
{
        if (fake->fault->moment != AT_PLUG)
                send_text(fake->agent.fd, text);
        else if (write(fake->agent.fd, text, strlen(text)) < 0)
                return;
}

/* Of the command itself, not of its arguments: one brace follows it. Tests write single quotes. */
static bool has_id(const char *line)
{
        const char *rest = NULL;

        for (const char *next = line; (next = strstr(next, "id")); next += strlen("id")) {
                if (next > line && strchr("'\"", next[-1]) && next[2] == next[-1] && next[3] == ':')
                        rest = strchr(next, '}');
        }
        return rest && strcmp(rest, "}") == 0;
}

/* A command in band that has none gets an id, as JSON text; the line with it is the caller's. */
static char *add_command(struct fake *fake, const char *line, char id[64])
{
        struct command *command = &fake->commands[fake->n_commands];
        size_t size = strlen(line) + 64;
        char *with = malloc(size);

        if (fake->n_commands == COMMANDS_MAX || !with)
                exit(1);
        *command = (struct command){ .answer = NULL };
        snprintf(command->id, sizeof(command->id), "\"f%u\"", ++fake->last_command);
        snprintf(id, 64, "%s", command->id);
        snprintf(with, size, "%.*s,\"id\":%s}", (int)(strlen(line) - strlen("}")), line, id);
        fake->n_commands++;
        return with;
}

/* What is answered before its turn waits. An id of nobody's: QEMU goes on with what an earlier agent sent. */
static void give_answer(struct fake *fake, const char *id, const char *answer)
{
        unsigned i = 0, told = 0;

        while (i < fake->n_commands && strcmp(fake->commands[i].id, id) != 0)
                i++;
        if (i == fake->n_commands) {
                tell_agent(fake, answer);
                return;
        }
        fake->commands[i].answer = strdup(answer);
        for (; told < fake->n_commands && fake->commands[told].answer; told++) {
                tell_agent(fake, fake->commands[told].answer);
                free(fake->commands[told].answer);
        }
        fake->n_commands -= told;
        memmove(fake->commands, fake->commands + told, fake->n_commands * sizeof(*fake->commands));
}

static void forget_commands(struct fake *fake)
{
        while (fake->n_commands > 0)
                free(fake->commands[--fake->n_commands].answer);
}

/* An answer of QEMU's as the agent is to have it; more follows it. */
static void pass_answer(struct fake *fake, const char *line, const char *id, const char *more)
{
        char *answer = malloc(strlen(line) + strlen(more) + 1), member[80], *start;

        if (!answer)
                exit(1);
        strcpy(answer, line);
        snprintf(member, sizeof(member), ", \"id\": %s", id);
        start = strstr(answer, member);
        if (!start) {
                snprintf(member, sizeof(member), "\"id\": %s, ", id);
                start = strstr(answer, member);
        }
        if (!start)
                exit(1);
        memmove(start, start + strlen(member), strlen(start + strlen(member)) + 1);
        strcat(answer, more);
        give_answer(fake, id, answer);
        free(answer);
}

/* --- plugging
 * ------------------------------------------------------------------------------------------------------ */

/*
 * A guest that lets go at once (the machine is reset, and again if need be: QEMU 7.2 can pass over a device
 * at a reset in the first milliseconds of a guest), and commands that come to grief. The file of -D says
 * which: "N refuse", "N deny" and "N hold" let N more of them pass; the next is refused, or answered as if
 * the guest did not let go, or held with all that comes behind it ("held") until the file says "pass" or
 * "drop", or "again N", which is "pass" and then "N hold", or "alone": "pass", and when the next device has
 * gone the agent, which is gone as well, is not heard any more. "N stall" is "N refuse" and then "0 hold".
 * "ask hold" holds the next question for the guest's state, "run hold" the next "cont", "move hold" the next
 * "migrate", "dump hold" the next "dump-guest-memory". A file that is empty lets all pass.
 */

#define RESET_ID "\"fake\""
#define RESET    "{\"execute\": \"system_reset\", \"id\": " RESET_ID "}\r\n"

static bool is_plugging(const char *command)
{
        static const char *const commands[] = { "\"blockdev-add\"",
                                                "\"netdev_add\"",
                                                "\"device_add\"",
                                                "\"device_del\"",
                                                "\"blockdev-del\"",
                                                "\"netdev_del\"",
                                                "\"object-add\"",
                                                "\"object-del\"",
                                                "\"getfd\"",
                                                "\"chardev-add\"",
                                                "\"chardev-remove\"",
                                                "\"qom-set\"",
                                                "\"blockdev-reopen\"",
                                                "\"x-blockdev-set-iothread\"",
                                                "\"blockdev-open-tray\"",
                                                "\"blockdev-remove-medium\"",
                                                "\"blockdev-insert-medium\"",
                                                "\"blockdev-close-tray\"" };

        for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++)
                if (strcmp(command, commands[i]) == 0)
                        return true;
        return false;
}

static void read_word(const struct fake *fake, char word[32])
{
        FILE *file = fake->file ? fopen(fake->file, "re") : NULL;

        word[0] = '\0';
        if (!file)
                return;
        word[fread(word, 1, 31, file)] = '\0';
        fclose(file);
}

static void write_word(const struct fake *fake, const char *word)
{
        int fd = open(fake->file, O_WRONLY | O_TRUNC | O_CLOEXEC);

        if (fd < 0 || write(fd, word, strlen(word)) < 0)
                exit(1);
        close(fd);
}

static bool has_gone(int fd)
{
        struct pollfd agent = { fd, 0, 0 };

        return poll(&agent, 1, 0) == 1 && (agent.revents & POLLHUP);
}

/* True: it goes on to QEMU. What an agent that was killed meanwhile had sent behind it does not. */
static bool hold(struct fake *fake, const char *id)
{
        char word[32] = "held", next[32];
        unsigned later = 0;
        bool again = false;

        write_word(fake, word);
        while (strcmp(word, "pass") != 0 && strcmp(word, "drop") != 0 && !fake->alone && !again) {
                usleep(10000);
                read_word(fake, word);
                again = sscanf(word, "again %u", &later) == 1;
                fake->alone = strcmp(word, "alone") == 0;
        }
        snprintf(next, sizeof(next), "%u hold", later);
        write_word(fake, again ? next : "");
        fake->gone = !again && !fake->alone && has_gone(fake->agent.fd);
        if (strcmp(word, "drop") == 0)
                return false;
        snprintf(fake->held_id, sizeof(fake->held_id), "%.31s", id);
        return true;
}

/* What QEMU tells of the device that a command is about, as JSON text. */
static void format_event(const char *line, const char *event, char *text, size_t size)
{
        const char *id = strstr(line, "\"id\"");
        char device[64] = "";

        if (id)
                sscanf(id, "\"id\":%63[^,}]", device);
        snprintf(text, size,
                 "{\"timestamp\": {\"seconds\": 1, \"microseconds\": 1}, \"event\": \"%s\", "
                 "\"data\": {\"device\": %s, \"path\": \"/x\"}}\r\n",
                 event, device);
}

static void deny(struct fake *fake, const char *line, const char *id)
{
        char text[512], answer[sizeof(text) + 32];

        format_event(line, "DEVICE_UNPLUG_GUEST_ERROR", text, sizeof(text));
        snprintf(answer, sizeof(answer), "{\"return\": {}}\r\n%s", text);
        give_answer(fake, id, answer);
}

/* True: the command goes on to QEMU. */
static bool judge(struct fake *fake, const char *line, const char *id)
{
        char word[32], rest[16] = "";
        unsigned n = 0;

        read_word(fake, word);
        if (sscanf(word, "%u %15s", &n, rest) != 2)
                return true;
        if (n > 0) {
                snprintf(word, sizeof(word), "%u %s", n - 1, rest);
                write_word(fake, word);
                return true;
        }
        if (strcmp(rest, "hold") == 0)
                return hold(fake, id);
        write_word(fake, strcmp(rest, "stall") == 0 ? "0 hold" : "");
        if (strcmp(rest, "late") == 0) {
                snprintf(fake->late_id, sizeof(fake->late_id), "%.31s", id);
                format_event(line, "DEVICE_DELETED", fake->late, sizeof(fake->late));
                return true;
        }
        if (strcmp(rest, "deny") == 0) {
                deny(fake, line, id);
                return false;
        }
        give_answer(fake, id, "{\"error\": {\"class\": \"GenericError\", \"desc\": \"no such luck\"}}\r\n");
        return false;
}

/* Likewise, of any other command. */
static bool judge_question(struct fake *fake, const char *command, const char *id)
{
        char word[32];
        const char *held;

        read_word(fake, word);
        held = strcmp(word, "ask hold") == 0    ? "\"query-status\""
               : strcmp(word, "run hold") == 0  ? "\"cont\""
               : strcmp(word, "move hold") == 0 ? "\"migrate\""
               : strcmp(word, "dump hold") == 0 ? "\"dump-guest-memory\""
                                                : "";
        return strcmp(command, held) != 0 || hold(fake, id);
}

/* The agent has gone, and the next one comes: the real QEMU greets it. */
static void meet_next_agent(struct fake *fake)
{
        forget_commands(fake);
        fake->gone = false;
        close(fake->agent.fd);
        close(fake->qemu.fd);
        fake->agent = (struct stream){ .fd = accept(fake->monitor, NULL, NULL) };
        fake->qemu = (struct stream){ .fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0) };
        if (fake->agent.fd < 0 ||
            connect(fake->qemu.fd, (struct sockaddr *)&fake->address, fake->address_length) < 0)
                exit(1);
}

/* --- between the agent and the real QEMU
 * ------------------------------------------------------------------------ */

static void drop_descriptor(struct fake *fake)
{
        if (fake->descriptor >= 0)
                close(fake->descriptor);
        fake->descriptor = -1;
}

/* Agents send no other command along with one that has a descriptor. */
static void send_to_qemu(struct fake *fake, const char *line, size_t length)
{
        if (fake->descriptor >= 0)
                send_with_descriptor(fake->qemu.fd, line, length, fake->descriptor);
        else
                send_bytes(fake->qemu.fd, line, length);
        drop_descriptor(fake);
}

/* A command in band whose id is ours; line is as QEMU gets it, and told as the agent has said it. */
static void handle_command(struct fake *fake, const char *line, const char *told, const char *id)
{
        char command[64];

        copy_member(told, "execute", command, sizeof(command));
        if (fake->fault->moment == AT_COMMAND) {
                fake->fault->act(fake, NULL);
                return;
        }
        if (fake->fault->moment == AT_PLUG &&
            !(is_plugging(command) ? judge(fake, told, id) : judge_question(fake, command, id))) {
                drop_descriptor(fake);
                return;
        }
        if (strcmp(command, "\"cont\"") == 0)
                snprintf(fake->cont_id, sizeof(fake->cont_id), "%.31s", id);
        if (strcmp(command, "\"stop\"") == 0)
                snprintf(fake->stop_id, sizeof(fake->stop_id), "%.31s", id);
        if (fake->fault->moment == AT_EACH)
                fake->fault->act(fake, told);
        send_to_qemu(fake, line, strlen(line));
        if (fake->fault->moment != AT_PLUG || strcmp(command, "\"device_del\"") != 0)
                return;
        snprintf(fake->leaves_id, sizeof(fake->leaves_id), "%.31s", id);
        send_text(fake->qemu.fd, RESET);
        if (fake->held_id[0])
                strcpy(fake->held_id, RESET_ID);
}

/* The handshake, what is out of band and what tests say have ids of their own. */
static void handle_agent_line(struct fake *fake, const char *line, size_t length)
{
        char id[64], *with;

        if (has_id(line)) {
                send_to_qemu(fake, line, length);
                return;
        }
        with = add_command(fake, line, id);
        handle_command(fake, with, line, id);
        free(with);
}

/* A reset that has left the device where it was is followed by another one. */
static void watch_leaving(struct fake *fake, const char *line, const char *id)
{
        char event[64];

        if (!fake->leaves_id[0])
                return;
        copy_member(line, "event", event, sizeof(event));
        if (strcmp(event, "\"DEVICE_DELETED\"") == 0 ||
            (strncmp(line, "{\"error\"", 8) == 0 && strcmp(fake->leaves_id, id) == 0))
                fake->leaves_id[0] = '\0';
        else if (strcmp(event, "\"RESET\"") == 0)
                send_text(fake->qemu.fd, RESET);
}

static void handle_qemu_line(struct fake *fake, const char *line, size_t length)
{
        bool reply = strncmp(line, "{\"return\"", 9) == 0;
        enum moment moment = fake->fault->moment;
        char id[64];
        bool is_late;

        copy_member(line, "id", id, sizeof(id));
        if (fake->held_id[0] && strcmp(fake->held_id, id) == 0)
                fake->held_id[0] = '\0';
        if (strcmp(id, RESET_ID) == 0)
                return;
        watch_leaving(fake, line, id);
        if (moment == AT_REPLY && reply)
                fake->fault->act(fake, NULL);
        is_late = fake->late_id[0] && strcmp(fake->late_id, id) == 0;
        if (strncmp(id, "\"f", 2) == 0 && !strstr(line, "\"event\":"))
                pass_answer(fake, line, id, is_late ? fake->late : "");
        else
                tell_agent(fake, line);
        if (is_late)
                fake->late_id[0] = '\0';
        if (reply && ((moment == AT_RUNNING && strcmp(fake->cont_id, id) == 0) ||
                      (moment == AT_STOP && strcmp(fake->stop_id, id) == 0)))
                fake->fault->act(fake, NULL);
}

static ssize_t receive(struct fake *fake, const struct stream *stream, void *data, size_t size)
{
        union {
                struct cmsghdr head;
                char bytes[CMSG_SPACE(sizeof(int))];
        } control;
        struct iovec part = { data, size };
        struct msghdr message = { .msg_iov = &part,
                                  .msg_iovlen = 1,
                                  .msg_control = control.bytes,
                                  .msg_controllen = sizeof(control.bytes) };
        ssize_t n = recvmsg(stream->fd, &message, MSG_CMSG_CLOEXEC);
        const struct cmsghdr *head = n > 0 ? CMSG_FIRSTHDR(&message) : NULL;

        if (head && head->cmsg_level == SOL_SOCKET && head->cmsg_type == SCM_RIGHTS) {
                drop_descriptor(fake);
                memcpy(&fake->descriptor, CMSG_DATA(head), sizeof(int));
        }
        return n;
}

/* Where the first object of JSON ends, behind which nothing need follow; NULL: it is not whole. */
static char *find_object_end(char *text)
{
        char quote = '\0';
        unsigned depth = 0;

        for (char *c = text; *c; c++) {
                if (quote && *c == '\\' && c[1])
                        c++;
                else if (quote)
                        quote = *c == quote ? '\0' : quote;
                else if (*c == '"' || *c == '\'')
                        quote = *c;
                else if (*c == '{')
                        depth++;
                else if (*c == '}' && --depth == 0)
                        return c;
        }
        return NULL;
}

static char *find_end(const struct fake *fake, const struct stream *stream, char **start)
{
        if (stream != &fake->agent)
                return strchr(*start, '\n');
        *start += strspn(*start, " \r\n");
        return find_object_end(*start);
}

/*
 * Reads what is there and hands on each whole line of QEMU, or command of the agent; that is a string for the
 * time of the call.
 */
static void read_lines(struct fake *fake, struct stream *stream,
                       void (*handle)(struct fake *fake, const char *line, size_t length))
{
        bool gone = stream == &fake->agent && fake->gone;
        ssize_t n = gone ? 0
                         : receive(fake, stream, stream->buffer + stream->length,
                                   sizeof(stream->buffer) - 1 - stream->length);
        char *start = stream->buffer;
        char *end;

        if (n <= 0 && stream == &fake->agent && fake->fault->moment == AT_PLUG) {
                meet_next_agent(fake);
                return;
        }
        if (n <= 0)
                exit(0);
        stream->length += n;
        stream->buffer[stream->length] = '\0';
        while (!(stream == &fake->agent && fake->gone) && (end = find_end(fake, stream, &start))) {
                char next = end[1];

                end[1] = '\0';
                handle(fake, start, end + 1 - start);
                end[1] = next;
                start = end + 1;
        }
        stream->length -= start - stream->buffer;
        memmove(stream->buffer, start, stream->length);
        /* Not a line of QMP any more, or part of one: pass it on as it is. */
        if (stream->length == sizeof(stream->buffer) - 1)
                exit(1);
}

static void pass_on(struct fake *fake)
{
        for (;;) {
                struct pollfd fds[] = { { fake->agent.fd, POLLIN, 0 }, { fake->qemu.fd, POLLIN, 0 } };
                bool leaves = fake->alone && fake->leaves_id[0];

                if (fake->held_id[0] || leaves)
                        fds[0].fd = -1;
                if (poll(fds, 2, -1) < 0 && errno != EINTR)
                        exit(1);
                if (fds[0].revents)
                        read_lines(fake, &fake->agent, handle_agent_line);
                if (fds[1].revents && fds[1].fd == fake->qemu.fd)
                        read_lines(fake, &fake->qemu, handle_qemu_line);
                if (leaves && !fake->leaves_id[0]) {
                        fake->alone = false;
                        meet_next_agent(fake);
                }
        }
}

/* --- start
 * ---------------------------------------------------------------------------------------------------- */

static const char *find_argument(char **argv, const char *option, const char *part)
{
        for (char **arg = argv + 1; *arg && arg[1]; arg++)
                if (strcmp(*arg, option) == 0 && strstr(arg[1], part))
                        return arg[1];
        return NULL;
}

static const struct fault *find_own_fault(char **argv)
{
        const char *name = find_argument(argv, "-name", "fault-");
        const char *start = name ? strstr(name, "fault-") + strlen("fault-") : NULL;

        return start ? find_fault(start, strcspn(start, ",-\"")) : NULL;
}

/* The monitor's listening socket, handed down by the agent. */
static int find_monitor(char **argv)
{
        for (char **arg = argv + 1; *arg && arg[1]; arg++) {
                const char *fd = strstr(arg[1], "fd=");

                if (strcmp(*arg, "-chardev") == 0 && strstr(arg[1], "mon") && fd)
                        return atoi(fd + 3);
        }
        return -1;
}

/* Runs the real QEMU with a monitor of our own, on the same descriptor number; returns our end. */
static int start_real(struct fake *fake, char **argv, int monitor)
{
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        socklen_t length = sizeof(sa_family_t);
        int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        pid_t parent = getpid();

        /* An address of the kernel's choice, in the abstract namespace. */
        if (bind(listener, (struct sockaddr *)&address, length) < 0 || listen(listener, 1) < 0)
                exit(1);
        length = sizeof(address);
        getsockname(listener, (struct sockaddr *)&address, &length);
        fake->address = address;
        fake->address_length = length;
        fake->real = fork();
        if (fake->real == 0) {
                prctl(PR_SET_PDEATHSIG, SIGKILL);
                /* Died before that? */
                if (getppid() != parent)
                        _exit(1);
                dup2(listener, monitor);
                argv[0] = (char *)FAKE_QEMU_REAL;
                execv(argv[0], argv);
                _exit(127);
        }
        close(listener);
        if (connect(fd, (struct sockaddr *)&address, length) < 0)
                exit(1);
        return fd;
}

int main(int argc, char **argv)
{
        static struct fake fake;
        int monitor = find_monitor(argv);

        fake.descriptor = -1;
        fake.fault = find_own_fault(argv);
        fake.file = find_argument(argv, "-D", "");
        if (!fake.fault || monitor < 0) {
                argv[0] = (char *)FAKE_QEMU_REAL;
                execv(argv[0], argv);
                return 127;
        }
        signal(SIGPIPE, SIG_IGN);
        if (fake.fault->moment == AT_EXEC)
                fake.fault->act(&fake, NULL);
        fake.monitor = monitor;
        fake.qemu.fd = start_real(&fake, argv, monitor);
        fake.agent.fd = accept(monitor, NULL, NULL);
        if (fake.agent.fd < 0)
                return 1;
        if (fake.fault->moment == AT_ACCEPT)
                fake.fault->act(&fake, NULL);
        pass_on(&fake);
        return 0;
}
