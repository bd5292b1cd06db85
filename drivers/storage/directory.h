/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Volumes that are files in a directory: the parts of the dir backend, which fs and netfs use on what they
 * mount. Whatever is in the directory is not trusted: no links are followed, nothing but regular files is
 * opened. Lanes as in backend.h.
 */

#include "drivers/storage/backend.h"

#include <sys/stat.h>

/* The pool's directory; -1 with an error. */
int directory_open(const struct backend_context *context, GError **error);
/* A regular file in it, with O_RDONLY or O_RDWR; -1 with an error and, where it cannot be opened, errno. */
int directory_open_file(int directory_fd, const char *name, int flags, GError **error);

/* ---- directory-scan.c ---- */

bool directory_refresh(const struct backend_context *context, struct pool_scan *scan, GError **error);
bool directory_probe(const struct backend_context *context, const char *name, const struct volume *before,
                     struct volume **volume, GError **error);
bool directory_measure(const struct backend_context *context, struct pool_numbers *numbers, GError **error);
bool directory_stat(const struct backend_context *context, const struct volume *volume, uint64_t *capacity,
                    uint64_t *allocation, uint64_t *physical, GError **error);

/* ---- directory-volume.c ---- */

/* What volumes that are files know, for struct backend_flags. */
#define DIRECTORY_FLAGS                                                                                      \
        .create = VOLUME_CREATE_PREALLOC_METADATA,                                                           \
        .clone = VOLUME_CREATE_PREALLOC_METADATA | VOLUME_CREATE_REFLINK,                                    \
        .resize = VOLUME_RESIZE_ALLOCATE | VOLUME_RESIZE_SHRINK

bool directory_prepare(const struct backend_context *context, struct volume *volume, unsigned flags,
                       bool *slow, GError **error);
bool directory_create(const struct backend_context *context, struct volume *volume, unsigned flags,
                      GError **error);
bool directory_clone(const struct backend_context *context, struct volume *volume,
                     const struct volume *source, unsigned flags, GError **error);
bool directory_destroy(const struct backend_context *context, const struct volume *volume, unsigned flags,
                       GError **error);
bool directory_resize(const struct backend_context *context, const struct volume *volume, uint64_t capacity,
                      unsigned flags, GError **error);
bool directory_wipe(const struct backend_context *context, const struct volume *volume,
                    enum volume_wipe_algorithm algorithm, GError **error);
int directory_open_volume(const struct backend_context *context, const struct volume *volume, bool writable,
                          uint64_t *length, GError **error);

/* ---- directory-watch.c ---- */

/* Follows changes; what cannot be followed is not an error. Sets *context->live. */
void directory_watch(const struct backend_context *context, int directory_fd);
/* Follows what has the directory's name now, if that is another one by now. */
void directory_rewatch(const struct backend_context *context);
void directory_unwatch(const struct backend_context *context);
