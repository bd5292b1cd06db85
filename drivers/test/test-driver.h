/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The in-memory driver, test:///default: a made-up host with one running domain, on which everything can be
 * done and nothing happens. The embedded default for tools and tests. Loop thread.
 */

#include "drivers/model.h"

struct domain_driver;
struct loop;
struct pool;

struct domain_driver *test_driver_new(struct loop *loop, struct pool *pool, GError **error);
/* The driver of a connection. */
extern const struct model_driver test_model_driver;

void test_driver_free(struct domain_driver *driver);
