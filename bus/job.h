/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Jobs as the bus shows them, as org.virtbus.Job. Loop thread. */

#include "base/job.h"
#include "bus/tree.h"

extern const struct object_kind job_object_kind;

/* Tells the bus about a change of a job (job_listener); data is the struct branch. */
void job_follow(struct job *job, enum job_change change, void *data);
