/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * A guest's state in a file: what goes there (struct domain_save), and what is there (struct domain_image).
 * Between the model and its drivers; a view never includes this.
 */

#include "base/cleanup.h"
#include "base/operation.h"
#include "drivers/domain/domain.h"

/* An opened file. In memory (Test): no path and no descriptor. */
struct domain_image {
        char *path;        /* owned; NULL: in memory */
        char *xml;         /* owned; the document, secrets included */
        bool runs;         /* what the guest is to do */
        bool bypass_cache; /* as asked for: it is read without the host's cache */
        int fd;            /* owned; at the beginning of the guest's state; -1: none */
        unsigned format;   /* the driver's */
        uint64_t offset;   /* of the state in the file, in bytes */
        uint64_t length;   /* of the state, when something else may be behind it; 0: all that is there */
};

/* Of a file that a caller names. Any thread. */
bool domain_check_file(const char *path, GError **error);
/* NULL is fine. Any thread. */
void domain_image_free(struct domain_image *image);
DEFINE_CLEANUP(struct domain_image, domain_image_free);

/* A save on its way; what its steps write is read by the steps after it. */
struct domain_save {
        struct operation base;
        /* const */
        char *path;        /* owned; NULL: in memory. What links lead to, once the file is open */
        GPtrArray *guests; /* owned; see domain_save_list_guests(). NULL: path is not a caller's */
        unsigned flags;    /* enum domain_save_flags, or domain_dump_flags */
        bool bypass_cache, is_dump, memory_only;
        unsigned dump_format; /* enum domain_dump_format */
        bool managed;
        bool resumes; /* managed, at the host's end: the next boot starts it */
        managed_done done;
        void *data;                /* owned by done */
        struct domain_def *wanted; /* ref; whose document goes there, NULL: the guest's own */
        /* between the steps */
        char *xml;        /* owned; that document */
        bool was_running; /* and paused for it */
        bool runs;        /* what the guest is to do when it is restored */
        int id;           /* of the domain that is saved; another one is another guest */
        void *file;       /* the driver's, see save_free */
};

/*
 * Two definitions of one guest: does it see the same hardware with both? An error of
 * ERROR_CONFIG_UNSUPPORTED names the first element that differs. What only concerns the host (sources of
 * devices, graphics, tuning, descriptions) may. Any thread.
 */
bool domain_def_check_same_guest(const struct domain_def *before, const struct domain_def *after,
                                 GError **error);

/*
 * The definitions (a ref each) of all guests that are there now, on whose disks no caller may have something
 * written. Loop.
 */
GPtrArray *domain_save_list_guests(const struct domain_driver *driver);
/*
 * Follows the links at save->path, of root and of the agent's user only (ERROR_OPERATION_DENIED: somebody
 * else's, in a directory that all may write to, could lead anywhere), and refuses
 * what is a disk of one of save->guests, a part of it, or what it is a part of (ERROR_OPERATION_INVALID). In
 * the lane of the save's job.
 */
bool domain_save_find_target(struct domain_save *save, GError **error);

/* ---- steps of save.c that dumps have, too; each where its kind of step runs ---- */

bool domain_save_check_state(const struct domain *domain, GError **error);
/* Before the guest is paused: a successor that finds it so is to know that nobody but us has asked for it. */
void domain_save_write_down(struct domain *domain, int reason);
/* The guest of the beginning, and not another one that was started meanwhile. */
bool domain_save_require_there(const struct domain_save *save, GError **error);
bool domain_save_open_file(struct operation *op, GError **error);
void domain_save_close_file(struct operation *op);
bool domain_save_pause(struct operation *op, GError **error);
void domain_save_go_on(struct operation *op);
bool domain_save_write(struct operation *op, GError **error);
void domain_save_cancel(struct operation *op);
bool domain_save_finish_file(struct operation *op, GError **error);
void domain_save_leave(struct operation *op);

/* ---- managed saves; lane of the domain ---- */

/* Opens it; NULL with an error. */
struct domain_image *domain_managed_save_open(const struct domain *domain, GError **error);
/* Removes it, and publishes that unless state (to be published) is given. No error when there is none. */
bool domain_managed_save_drop(struct domain *domain, GError **error);
/* Writes down, durably, whether it is one that the next boot starts; before it gets its name. */
bool domain_managed_save_mark(struct domain *domain, bool resumes, GError **error);
/* The path of its file; free it. NULL: it is kept in memory. Any thread. */
char *domain_managed_save_get_path(const struct domain *domain);
/* Loop, start-up, before guests are taken over: what managed saves there are. Returns when it is known. */
void domain_managed_save_find_all(struct domain_driver *driver);

/* ---- start.c ---- */

/*
 * Loop: the guest of image (taken) goes on as def (taken). owner NULL; flags: enum domain_start_flags.
 */
void domain_start_image(struct managed *object, struct domain_def *def, struct domain_image *image,
                        unsigned flags, managed_done done, void *data);
