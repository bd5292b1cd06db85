/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Between managed.c, operation.c and operation-turns.c. Loop thread. */

#include "base/operation.h"

/*
 * Calls fn(data) at the object's turn: now, or when no operation keeps the object to itself any more and what
 * was asked before has had its turn. What is urgent cancels the operations before it.
 */
void operation_take_turn(struct managed *object, bool urgent, void (*fn)(void *data), void *data);

/* The operation that keeps the object has ended: whose turn it is goes on, in order. */
void operation_open_object(struct managed *object);

/* NULL is fine. */
void operation_report_free(struct operation_report *report);
