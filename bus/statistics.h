/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Who has subscribed to the statistics of a connection's domains (org.virtbus.Statistics). Loop thread. */

struct subscription;

/* NULL is fine. */
void subscription_free(struct subscription *subscription);
