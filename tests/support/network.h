/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * A network of the tests' own: loopback alone. An agent run as root, which may change the host's interfaces,
 * has none of the host's; and what the host has or lacks makes no difference. The second address counts as
 * one of a network where names are looked up (AI_ADDRCONFIG). Does nothing without the privilege. Before the
 * process has threads.
 */
void network_leave(void);
