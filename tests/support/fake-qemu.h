/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the files of fake-qemu share. */

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/un.h>

#define LINE_MAX_BYTES (1024 * 1024)
#define COMMANDS_MAX   256

enum moment {
        AT_EXEC,    /* before anything */
        AT_ACCEPT,  /* the agent has connected */
        AT_COMMAND, /* the agent has sent a command after qmp_capabilities */
        AT_RUNNING, /* the guest runs: the answer to cont has been passed on */
        AT_STOP,    /* the answer to stop has been passed on */
        AT_REPLY,   /* before each reply */
        AT_EACH,    /* each command, which is passed on behind it */
        AT_PLUG,    /* a command that plugs or unplugs; see "plugging" */
};

struct stream {
        int fd;
        char buffer[LINE_MAX_BYTES];
        size_t length;
};

/*
 * A command in band, which the agent sends without an id, and which is answered in its turn. QEMU gets it
 * with one of ours, so that its answer is known.
 */
struct command {
        char id[32];
        char *answer; /* owned; NULL: it has not come */
};

struct fake {
        const struct fault *fault;
        const char *file; /* borrowed from the arguments; of -D, NULL: none */
        pid_t real;
        int monitor;                /* the agents' */
        struct sockaddr_un address; /* of the real QEMU's monitor */
        socklen_t address_length;
        struct stream agent;
        struct stream qemu;
        struct command commands[COMMANDS_MAX];
        unsigned n_commands, last_command;
        /* The agent may send several commands before the first answer: ids of the last of each, as JSON. */
        char cont_id[32];
        char stop_id[32];
        char late_id[32]; /* behind its answer comes news of who had the name before */
        char late[512];
        char held_id[32];   /* has been held, and is answered before anything else is read */
        char leaves_id[32]; /* of the last device_del, until the device has gone; "": none */
        bool alone; /* nothing more is heard from the agent, and when the device has gone the next one comes
                     */
        bool gone;  /* the agent, while a command was held: nothing more is taken from it */
        int descriptor; /* came with the command; -1: none */
};

struct fault {
        const char *name;
        enum moment moment;
        /* At AT_EACH: the command. */
        void (*act)(struct fake *fake, const char *id); /* NULL: the command is held or refused */
};

/* ---- fake-qemu.c ---- */

/* All of it; the program ends when that cannot be. */
void send_bytes(int fd, const char *data, size_t length);
void send_text(int fd, const char *text);

/* ---- fake-qemu-faults.c ---- */

/* The fault of that name; NULL: there is none. */
const struct fault *find_fault(const char *name, size_t length);
