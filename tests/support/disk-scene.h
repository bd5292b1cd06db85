/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * A Linux guest that counts, and writes each number to its disk, on its way from here to there (sides.h) with
 * that disk. Functions fail the running test, as those of harness.h do.
 */

#include "tests/support/client.h"
#include "tests/support/sides.h"

enum {
        NON_SHARED_DISK = 64,
        NON_SHARED_INC = 128,
        SYNCHRONOUS_WRITES = 262144,
};

#define MIB            (1024UL * 1024)
#define SCENE_PATTERNS (16 * MIB) /* what is on the disk beforehand, which is none of the guest's */

struct scene {
        char *console, *from, *to, *path;
        char *xml, *back; /* as it is to be on the other side, and as it is at first */
};

/* An image of 64 MiB; base NULL: it is all of it, with the pattern in it; else it is above that. */
void scene_make_disk(const char *path, const char *format, const char *base);
/* text with all of `from` replaced, which has to be there. Free it. */
char *scene_replace(const char *text, const char *from, const char *to);

/* It runs here. The other side has folders of its own. */
void scene_init(struct scene *scene, const char *format, const char *base);
/* The same with a document of its own (taken), and with its console in scene->console. */
void scene_init_with(struct scene *scene, char *xml, const char *format, const char *base);
void scene_clear(struct scene *scene);

/* By MigrateToURI3, which has to work. */
void scene_migrate(const struct scene *scene, unsigned flags);
/* It counts on there, and nowhere else. */
void scene_expect_moved(const struct scene *scene, const struct side *from, const struct side *to);
/* All is as it was before: it counts on here, and nothing of it is there, neither emulator nor image. */
void scene_expect_stayed(struct scene *scene);
/* The answer to a migration that was sent: an error with that text in it. */
void scene_expect_failure(struct client_answer *answer, const char *text);
/* It is destroyed, and all that it told of is on that disk, with the pattern. */
void scene_expect_end(const struct scene *scene, const struct side *side, const char *disk,
                      const char *format);
/* All that it told of up to that number is on the disk, and what was there before. */
void scene_check_disk(const char *path, const char *format, unsigned count);
