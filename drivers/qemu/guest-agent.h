/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The guest agent of one guest, qemu-guest-agent (docs/interop/qemu-ga.rst of QEMU has the protocol), behind
 * the channel "org.qemu.guest_agent.0". It has a lane of its own, which owns the socket; from the domain's
 * lane it is made when the guest has opened the port, and ended when it closes the port or goes. What comes
 * from it is the guest's: bytes, lines, nesting and types are bounded and checked. Before each command the
 * two sides are brought in step, so that an answer is never that of an earlier command.
 */

#include "drivers/domain/guest-agent.h"

#include <jansson.h>
#include <stdbool.h>
#include <sys/types.h>

struct guest;
struct loop;
struct pool;

#define GUEST_AGENT_CHANNEL "org.qemu.guest_agent.0"

#define GUEST_AGENT_TIMEOUT_MS     5000              /* a command that only answers */
#define GUEST_AGENT_TIMEOUT_JOB_MS 30000             /* one that does something lengthy */
#define GUEST_AGENT_SYNC_MAX       (4 * 1024 * 1024) /* bytes that may come before the two sides are in step */

struct guest_agent;

/*
 * path: the socket that QEMU listens on, whose owner has to be user; who: "domain 'web'"; both are copied.
 * With one reference. Any thread.
 */
struct guest_agent *guest_agent_new(struct pool *pool, struct loop *loop, const char *path, uid_t user,
                                    const char *who);
/* Connects, in its lane, so that the guest sees that somebody is there. Any thread. */
void guest_agent_connect(struct guest_agent *agent);
/* It has gone: what waits for it fails now, and so does all that comes after. Gives back a reference. Any
 * thread. */
void guest_agent_end(struct guest_agent *agent);

/*
 * Its lane: one command. arguments is taken, NULL: none. *result, unless result is NULL, gets a new
 * reference. Errors: ERROR_AGENT_UNRESPONSIVE, ERROR_AGENT_UNSYNCED; of the agent's own
 * ERROR_OPERATION_FAILED, or ERROR_OPERATION_UNSUPPORTED for a command that it does not know or has been told
 * not to run.
 */
bool guest_agent_execute(struct guest_agent *agent, const char *command, json_t *arguments,
                         unsigned timeout_ms, json_t **result, GError **error);
/*
 * The same with thirty seconds for a command that must not come about later: when there is no answer in time,
 * or nobody waits for it any more, the agent is told to undo it behind it.
 */
bool guest_agent_execute_or_undo(struct guest_agent *agent, const char *command, json_t *arguments,
                                 const char *undo, json_t **result, GError **error);
/*
 * Its lane: a command that ends the guest and is not answered: true when the agent has gone, or when it was
 * sent and is not refused within five seconds.
 */
bool guest_agent_execute_last(struct guest_agent *agent, const char *command, json_t *arguments,
                              GError **error);
/* ERROR_INTERNAL_ERROR for an answer that is not as it has to be; returns false. */
bool guest_agent_set_malformed(const struct guest_agent *agent, const char *command, GError **error);

static inline struct guest_agent *guest_agent_of(struct domain_agent *agent)
{
        return (struct guest_agent *)agent;
}

/* ---- guest-agent-calls.c: struct domain_agent.ask ---- */

bool guest_agent_ask(struct domain_agent *agent, const struct domain_agent_request *request,
                     struct domain_agent_answer *answer, GError **error);

/* ---- guest-agent-info.c; its lane ---- */

/* GET_INFO, params and disks; types as in domain_get_guest_info(). */
bool guest_agent_get_info(struct guest_agent *agent, unsigned types, struct domain_agent_answer *answer,
                          GError **error);
/* Free the arrays; NULL with an error. */
GPtrArray *guest_agent_get_filesystems(struct guest_agent *agent, GError **error);
GPtrArray *guest_agent_get_interfaces(struct guest_agent *agent, GError **error);

/* ---- of a guest; the domain's lane ---- */

/* The agent's port has been opened or closed. */
void guest_agent_set_present(struct guest *guest, bool present);
/* A device goes, of which QEMU tells no more; it may be the agent's channel. */
void guest_agent_forget(struct guest *guest, const char *alias);
/* struct domain_driver_ops.get_agent */
struct domain_agent *guest_agent_get(struct domain *domain, GError **error);

DEFINE_CLEANUP(json_t, json_decref);
