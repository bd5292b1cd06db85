/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What an emulator does that misbehaves at its moment; see fake-qemu.c. */

#include "tests/support/fake-qemu.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void send_repeated(int fd, const char *piece, size_t count)
{
        size_t length = strlen(piece);
        size_t fit = 65536 / length;
        char *block = malloc(fit * length);

        for (size_t i = 0; i < fit; i++)
                memcpy(block + i * length, piece, length);
        for (; count >= fit; count -= fit)
                send_bytes(fd, block, fit * length);
        send_bytes(fd, block, count * length);
        free(block);
}

/* Stays alive and deaf, as a QEMU that hangs. */
static void sleep_forever(void)
{
        for (;;)
                pause();
}

static void fault_exit(struct fake *fake, const char *id)
{
        fprintf(stderr, "qemu-system-fake: -device nonsense: no such luck\n");
        exit(1);
}

static void fault_close(struct fake *fake, const char *id)
{
        close(fake->agent.fd);
        sleep_forever();
}

static void fault_text(struct fake *fake, const char *id)
{
        send_text(fake->agent.fd, "this is no JSON at all\r\n");
        sleep_forever();
}

static void fault_deaf(struct fake *fake, const char *id)
{
        sleep_forever();
}

/* Computes, and comes to nothing. */
static void fault_spin(struct fake *fake, const char *id)
{
        for (volatile unsigned turns = 0;; turns++)
                ;
}

/* Does not even end when it is killed, as a QEMU that the kernel keeps busy: the file is on slow-fs. */
static void fault_stuck(struct fake *fake, const char *id)
{
        if (!fake->file || open(fake->file, O_RDONLY | O_CLOEXEC) < 0)
                perror("qemu-system-fake: -D");
        sleep_forever();
}

static void fault_greeting(struct fake *fake, const char *id)
{
        send_text(fake->agent.fd, "{\"QMP\": 42}\r\n{\"return\": {}}\r\n{\"QMP\": []}\r\n");
        sleep_forever();
}

static void fault_wrongid(struct fake *fake, const char *id)
{
        send_text(fake->agent.fd, "{\"return\": {}, \"id\": \"somebody-else\"}\r\n");
}

static void fault_types(struct fake *fake, const char *id)
{
        send_text(fake->agent.fd, "{\"return\": [[], \"x\", -1, null, {\"status\": 4}]}\r\n");
        send_text(fake->agent.fd, "{\"event\": 12, \"data\": \"x\"}\r\n{\"event\": \"STOP\", \"data\": "
                                  "[]}\r\n[]\r\n7\r\n");
}

static void fault_digits(struct fake *fake, const char *id)
{
        send_text(fake->agent.fd, "{\"return\": ");
        send_repeated(fake->agent.fd, "7", 100000);
        send_text(fake->agent.fd, "}\r\n");
}

static void fault_deep(struct fake *fake, const char *id)
{
        send_text(fake->agent.fd, "{\"return\": ");
        send_repeated(fake->agent.fd, "[", 200000);
        send_repeated(fake->agent.fd, "]", 200000);
        send_text(fake->agent.fd, "}\r\n");
}

static void fault_flood(struct fake *fake, const char *id)
{
        send_text(fake->agent.fd, "{\"return\": \"");
        send_repeated(fake->agent.fd, "x", (size_t)400 * 1024 * 1024);
        sleep_forever();
}

static void fault_events(struct fake *fake, const char *id)
{
        send_repeated(
                fake->agent.fd,
                "{\"timestamp\": {\"seconds\": 1, \"microseconds\": 1}, \"event\": \"RTC_CHANGE\", \"data\": "
                "{\"offset\": 7, \"qom-path\": \"/machine\"}}\r\n",
                400000);
}

static void fault_storm(struct fake *fake, const char *id)
{
        send_repeated(
                fake->agent.fd,
                "{\"timestamp\": {\"seconds\": 1, \"microseconds\": 1}, \"event\": \"RESET\", \"data\": "
                "{\"guest\": true, \"reason\": \"guest-reset\"}}\r\n",
                20000);
}

static void fault_shutdown(struct fake *fake, const char *id)
{
        send_text(fake->agent.fd,
                  "{\"timestamp\": {\"seconds\": 1, \"microseconds\": 1}, \"event\": \"SHUTDOWN\", "
                  "\"data\": {\"guest\": true, \"reason\": \"guest-shutdown\"}}\r\n");
        exit(0);
}

/* No fault: what the agent says is in the guest's log. */
static void fault_logged(struct fake *fake, const char *line)
{
        fprintf(stderr, "told: %s\n", line);
}

static void fault_die(struct fake *fake, const char *id)
{
        exit(1);
}

static void fault_slow(struct fake *fake, const char *id)
{
        sleep(3);
}

static const struct fault faults[] = {
        { "exit", AT_EXEC, fault_exit },
        { "unheard", AT_EXEC, fault_deaf },
        { "spin", AT_EXEC, fault_spin },
        { "close", AT_ACCEPT, fault_close },
        { "text", AT_ACCEPT, fault_text },
        { "nogreet", AT_ACCEPT, fault_deaf },
        { "greeting", AT_ACCEPT, fault_greeting },
        { "wrongid", AT_COMMAND, fault_wrongid },
        { "types", AT_COMMAND, fault_types },
        { "digits", AT_COMMAND, fault_digits },
        { "deep", AT_COMMAND, fault_deep },
        { "flood", AT_COMMAND, fault_flood },
        { "runflood", AT_RUNNING, fault_flood },
        { "stuck", AT_EXEC, fault_stuck },
        { "events", AT_RUNNING, fault_events },
        { "storm", AT_RUNNING, fault_storm },
        { "shutdown", AT_RUNNING, fault_shutdown },
        { "die", AT_RUNNING, fault_die },
        { "stopdie", AT_STOP, fault_die },
        { "slow", AT_REPLY, fault_slow },
        { "logged", AT_EACH, fault_logged },
        { "plug", AT_PLUG, NULL },
};

const struct fault *find_fault(const char *name, size_t length)
{
        for (size_t i = 0; i < sizeof(faults) / sizeof(*faults); i++) {
                if (strlen(faults[i].name) == length && strncmp(faults[i].name, name, length) == 0)
                        return &faults[i];
        }
        return NULL;
}
