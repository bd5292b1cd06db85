/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * qemu-img: making, converting and resizing of image files. Files are given as descriptors, so that no name
 * is looked up twice; formats are always said, never probed. Lanes.
 */

#include "drivers/storage/backend.h"

/* Can volumes of this format be made? */
bool image_tool_can_create(enum volume_format format);

/* Makes the image that volume describes in the empty file fd. preallocation: "off", "metadata", "falloc". */
bool image_tool_create(const struct backend_context *context, int fd, const struct volume *volume,
                       const char *preallocation, GError **error);

/*
 * The same with the content of context->chain; reports progress to context's job. fd may be a device that is
 * large enough; volume is raw then.
 */
bool image_tool_convert(const struct backend_context *context, int fd, const struct volume *volume,
                        GError **error);

/* Of the image fd that volume describes. */
bool image_tool_resize(const struct backend_context *context, int fd, const struct volume *volume,
                       uint64_t capacity, bool shrink, bool allocate, GError **error);
