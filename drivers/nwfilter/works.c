/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The queue of what changes filters and the rules of interfaces that are there. Loop thread. */
#include "drivers/nwfilter/model.h"

static void begin_first(struct nwfilters *nwfilters)
{
        struct nwfilter_work *work = g_queue_peek_head(&nwfilters->works);

        if (work)
                work->begin(work);
}

void nwfilter_work_run(struct nwfilter_work *work)
{
        struct nwfilters *nwfilters = work->nwfilters;

        g_queue_push_tail(&nwfilters->works, work);
        if (g_queue_get_length(&nwfilters->works) == 1)
                begin_first(nwfilters);
}

static void go_on(void *data)
{
        struct nwfilters *nwfilters = data;
        struct nwfilter_work *work = g_queue_pop_head(&nwfilters->works);

        if (work->clear)
                work->clear(work);
        g_free(work);
        begin_first(nwfilters);
}

/* By the loop: a queue of works that fail at once is no deeper than one. */
void nwfilter_work_end(struct nwfilter_work *work)
{
        loop_post(work->nwfilters->loop, go_on, work->nwfilters);
}
