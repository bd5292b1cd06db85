/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * vhost-user-gpu, which draws what a guest's virtio GPU is told: a process for each such device, of the
 * emulators' user. It ends when the emulator's end of its connection is closed.
 */

#include "drivers/qemu/resources.h"

/*
 * The program that the first description of that type ("gpu") names and that can be run; owned, NULL: none.
 * root, home: as in descriptors_list().
 */
char *vhost_user_find_program(const char *root, const char *home, const char *type);

bool resources_prepare_video(struct resources *resources, const void *video, GError **error);
