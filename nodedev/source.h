/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The devices of the host as they are now: looked at once, then followed by the events of udev, or by the
 * kernel's own where no udevd runs. They are described in the lane of a collection, which gets whole sets;
 * events are received by a thread of their own (see docs/THREADS.md). When events were dropped everything is
 * looked at again.
 */

#include "base/collection.h"

struct definitions;
struct device_source;

/* Events are taken in so far apart, so that a storm of them costs little; they come that late at most. */
#define DEVICE_SOURCE_PAUSE_MS 5

/* Loop. lane is the collection's; both are borrowed and outlive it. */
struct device_source *device_source_new(struct collection *collection, struct loop *loop, struct lane *lane);
/* Loop. One that was started has to be stopped. NULL is fine. */
void device_source_free(struct device_source *source);

/* Loop, before it starts: what is defined, borrowed. It is read with the first look. */
void device_source_set_definitions(struct device_source *source, struct definitions *definitions);
/* Loop. Looking begins; the first set is published when it is done. */
void device_source_start(struct device_source *source);
/* Loop. Ends the following. */
void device_source_stop(struct device_source *source);
/* Loop. Does something of it run in the lane or beside it? */
bool device_source_is_running(const struct device_source *source);

/* In the lane: looks at the device at a path of sysfs again, and publishes when something differs. */
void device_source_refresh(struct device_source *source, const char *path);
/* In the lane: publishes that the definition of this name came, went or changed. */
void device_source_redefined(struct device_source *source, const char *name);
/* In the lane: is there a device with these names (node_device_join_wwns()) in what was published last? */
bool device_source_has_wwns(const struct device_source *source, const char *wwns);
