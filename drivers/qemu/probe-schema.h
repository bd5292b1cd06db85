/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Digests of what QEMU says about its own interface. Functions of values, any thread. */

#include <jansson.h>

/* From the reply to query-qmp-schema: a new array of the names of meta-type "command" or "event". */
json_t *probe_schema_names(const json_t *schema, const char *meta_type);

/*
 * A new array of the arguments of the commands named in commands (NULL-terminated) and of the values of those
 * that are enumerations: "command/argument", "command/argument=value"; below an argument that is a structure,
 * and in the variants of a union, after a dot: "chardev-add/backend.type=socket" and
 * "netdev_add/vhost-user.queues". Of queries also what they return, likewise:
 * "query-display-options/type=egl-headless".
 */
json_t *probe_schema_arguments(const json_t *schema, const char *const *commands);

/* From the reply to query-command-line-options: "option" and "option.parameter". */
json_t *probe_schema_options(const json_t *reply);

/* The member "name" of each object in the array. */
json_t *probe_schema_collect(const json_t *reply, const char *member);

/* A CPU feature's name as domain definitions have it, from QEMU's ("tsc-adjust"). */
const char *probe_schema_feature(const char *name);
