/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Between the files about guest agents. Loop. */

#include "drivers/domain/guest-agent.h"
#include "drivers/domain/model.h"

struct agent_call {
        struct domain *domain; /* ref */
        GList link;            /* in driver->agent_calls */
        struct domain_agent_request request;
        /* After the agent: in the domain's lane, when it has done what it was asked. NULL: nothing. */
        managed_work then;
        /* After that, on the loop: completes the answer. NULL: nothing. */
        void (*complete)(struct agent_call *call);
        domain_agent_done done;
        void *data; /* owned by done */
        /* loop; the agent's lane reads it */
        struct domain_agent *agent; /* ref; NULL: not found yet */
        /* loop, or whoever has its turn */
        struct domain_agent *found; /* ref; on its way to agent */
        struct domain_agent_answer answer;
        GError *error; /* owned */
};

/* A call to be filled in; agent_call_run() or agent_call_refuse() takes it. */
struct agent_call *agent_call_new(struct domain *domain, enum domain_agent_request_kind kind,
                                  domain_agent_done done, void *data);
/* Finds the agent, unless it has one already, and asks it. */
void agent_call_run(struct agent_call *call);
/* Ends it; error is taken. */
void agent_call_refuse(struct agent_call *call, GError *error);
