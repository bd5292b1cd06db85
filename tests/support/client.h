/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * A client of the agent, on sd-bus: an implementation of D-Bus that has nothing in common with the agent's.
 * Every function fails the running libcheck test when something is not as asked for, so tests read as a list
 * of facts. All signals from below /org/libvirt are recorded in the order of their arrival from client_new()
 * on.
 */

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-bus.h>

#define CONNECT_INTERFACE "org.libvirt.Connect"
#define DOMAIN_INTERFACE  "org.libvirt.Domain"
#define MANAGER_INTERFACE "org.libvirt.Manager"
#define MANAGER_PATH      "/org/libvirt"
#define QEMU_PATH         "/org/libvirt/QEMU"
#define TEST_PATH         "/org/libvirt/Test"

#define LIBVIRT_ERROR "org.libvirt.Error"
#define INVALID_ARGS  "org.freedesktop.DBus.Error.InvalidArgs"
#define ACCESS_DENIED "org.freedesktop.DBus.Error.AccessDenied"

/* After this long without what it waits for, a test has failed. Far beyond what a loaded machine needs. */
#define CLIENT_DEADLINE_US (60 * G_USEC_PER_SEC)

struct client;

struct client *client_new(const char *address);
/* Flushes and closes; what was not waited for is dropped. */
void client_free(struct client *client);
sd_bus *client_get_bus(struct client *client);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(sd_bus_message, sd_bus_message_unref)

/* A call to org.libvirt that has to succeed. types and the arguments as in sd_bus_message_append(3). */
sd_bus_message *client_call(struct client *client, const char *path, const char *interface,
                            const char *member, const char *types, ...);
/* The same for a call whose reply is empty, or not of interest. */
void client_do(struct client *client, const char *path, const char *interface, const char *member,
               const char *types, ...);
/* The same for a reply (s) or (o); the caller frees it. */
char *client_call_string(struct client *client, const char *path, const char *interface, const char *member,
                         const char *types, ...);

/*
 * A call that has to fail with an error whose name and text match the globs `name` and `text`; NULL matches
 * any. The text of org.libvirt.Error is checked to be within its bound.
 */
void client_fails(struct client *client, const char *name, const char *text, const char *path,
                  const char *interface, const char *member, const char *types, ...);
/*
 * Any outcome: NULL when it succeeded, else "<error name>: <text>", to be freed. Fails when there is no
 * answer.
 */
char *client_try(struct client *client, const char *path, const char *interface, const char *member,
                 const char *types, ...);
/* What became of a call that was sent without waiting for it. Stays where it is until it is done. */
struct client_answer {
        bool done;
        char *error; /* owned, text of the error; NULL when it succeeded */
};

void client_send(struct client *client, struct client_answer *answer, const char *path, const char *interface,
                 const char *member, const char *types, ...);
void client_wait_answer(struct client *client, const struct client_answer *answer);

/*
 * Asks for the managed objects of the connections, whose InterfacesAdded and InterfacesRemoved come from then
 * on. The harness does it for its own client.
 */
void client_follow(struct client *client);

/* Has the agent still an ear? Fails if not. */
void client_ping(struct client *client);

/* Properties.Get with a type of one letter; strings are to be freed. */
void client_get(struct client *client, const char *path, const char *interface, const char *property,
                char type, void *value);
bool client_get_bool(struct client *client, const char *path, const char *interface, const char *property);
char *client_get_string(struct client *client, const char *path, const char *interface, const char *property);

/* The members of an array of object paths, as a NULL-terminated vector. */
char **client_list(struct client *client, const char *path, const char *interface, const char *member,
                   unsigned flags);

typedef bool (*client_match)(sd_bus_message *message, const void *data);

/*
 * Waits for a signal from path (NULL: any) that match (NULL: any) accepts, takes it from the record and
 * returns it; the ones before it stay recorded.
 */
sd_bus_message *client_wait_signal(struct client *client, const char *path, const char *interface,
                                   const char *member, client_match match, const void *data);
/* The same without waiting, for what has arrived: how many are there? */
unsigned client_count_signals(struct client *client, const char *path, const char *interface,
                              const char *member);
void client_forget_signals(struct client *client);
/* Takes in what the bus has for us now. */
void client_process(struct client *client);

/* Waits for DomainEvent (path, event, detail) from the connection above path; detail -1 matches any. */
void client_wait_event(struct client *client, const char *domain, int event, int detail);
/* Waits for PropertiesChanged of path in which property is a b of this value. */
void client_wait_property(struct client *client, const char *path, const char *interface,
                          const char *property, bool value);

/* Waits until the name is owned (true) or is not (false). */
void client_wait_name(struct client *client, bool owned);
/* Waits until that process owns the name. The bus may see an agent that was killed for a moment longer than
 * its parent does: by a child between fork and exec, or because it reads a new call first. */
void client_wait_owner(struct client *client, pid_t pid);

/* The pid behind org.libvirt, or 0. */
pid_t client_get_owner_pid(struct client *client);
