/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Why /dev/kvm cannot be used. Any thread. */

struct account;

/*
 * A finished piece of a sentence when emulators that run as account cannot use /dev/kvm: it is missing, not
 * to be opened by that user, or no KVM device; NULL when they can. Owned.
 */
char *kvm_explain(const struct account *account);
