/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who has a port. Any thread. */
#include "drivers/network/port-holder.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TCP_LISTENS 0x0a

/* ---- sockets ---- */

/* "0100007F": the bytes of an address as words of this machine. */
static bool parse_address(const char *hex, struct network_address *address)
{
        size_t length = strspn(hex, "0123456789ABCDEF");

        *address = (struct network_address){ .family = length == 32 ? AF_INET6 : AF_INET };
        if (length != 8 && length != 32)
                return false;
        for (size_t i = 0; i < length / 8; i++) {
                uint32_t word = 0;

                if (sscanf(hex + i * 8, "%8" SCNx32, &word) != 1)
                        return false;
                memcpy(address->bytes + i * 4, &word, 4);
        }
        return true;
}

static bool is_for(const struct network_address *bound, const struct network_address *wanted)
{
        static const uint8_t any[16];

        return memcmp(bound->bytes, any, sizeof(any)) == 0 || network_address_compare(bound, wanted) == 0;
}

/* The inode of the socket of that line; 0: another one. */
static uint64_t match_line(const char *line, const struct network_address *wanted, unsigned wanted_port)
{
        char local[40];
        unsigned port, state;
        struct network_address bound;
        uint64_t inode;

        if (sscanf(line, " %*[0-9]: %39[0-9A-F]:%x %*s %x %*s %*s %*s %*s %*s %" SCNu64, local, &port, &state,
                   &inode) != 4)
                return 0;
        return port == wanted_port && parse_address(local, &bound) && is_for(&bound, wanted) ? inode : 0;
}

static uint64_t find_socket(const char *protocol, bool listens, const struct network_address *address,
                            unsigned port)
{
        g_autofree char *path = g_strconcat("/proc/thread-self/net/", protocol, NULL), *text = NULL;
        g_auto(GStrv) lines = NULL;

        if (!g_file_get_contents(path, &text, NULL, NULL))
                return 0;
        lines = g_strsplit(text, "\n", -1);
        for (unsigned i = 0; lines[i]; i++) {
                uint64_t inode = match_line(lines[i], address, port);
                unsigned state = 0;

                sscanf(lines[i], " %*[0-9]: %*s %*s %x", &state);
                if (inode && (!listens || state == TCP_LISTENS))
                        return inode;
        }
        return 0;
}

/* ---- processes ---- */

static bool has_socket(const char *pid, const char *wanted)
{
        g_autofree char *path = g_strconcat("/proc/", pid, "/fd", NULL);
        DIR *directory = opendir(path);
        bool found = false;

        for (const struct dirent *entry; directory && !found && (entry = readdir(directory));) {
                char target[64];
                ssize_t length = readlinkat(dirfd(directory), entry->d_name, target, sizeof(target) - 1);

                target[MAX(length, 0)] = '\0';
                found = strcmp(target, wanted) == 0;
        }
        if (directory)
                closedir(directory);
        return found;
}

static void name(struct port_holder *holder)
{
        g_autofree char *path = g_strdup_printf("/proc/%d/comm", holder->pid), *text = NULL;

        if (g_file_get_contents(path, &text, NULL, NULL))
                g_strlcpy(holder->name, g_strchomp(text), sizeof(holder->name));
}

static void find_process(uint64_t inode, struct port_holder *holder)
{
        g_autofree char *wanted = g_strdup_printf("socket:[%" PRIu64 "]", inode);
        DIR *directory = opendir("/proc");

        for (const struct dirent *entry; directory && !holder->pid && (entry = readdir(directory));)
                if (g_ascii_isdigit(entry->d_name[0]) && has_socket(entry->d_name, wanted))
                        holder->pid = atoi(entry->d_name);
        if (directory)
                closedir(directory);
        if (holder->pid)
                name(holder);
}

bool port_holder_find(const struct network_address *address, unsigned port, struct port_holder *holder)
{
        static const struct {
                const char *protocol;
                bool listens;
        } tables[] = { { "udp", false }, { "tcp", true }, { "udp6", false }, { "tcp6", true } };

        *holder = (struct port_holder){ 0 };
        for (unsigned i = 0; i < G_N_ELEMENTS(tables); i++) {
                uint64_t inode = find_socket(tables[i].protocol, tables[i].listens, address, port);

                if (!inode)
                        continue;
                find_process(inode, holder);
                return true;
        }
        return false;
}
