/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Why KVM cannot be used. Any thread. */

struct account;

#define KVM_DEVICE "/dev/kvm"

/*
 * A finished piece of a sentence when emulators that run as account cannot use device (KVM_DEVICE): it is
 * missing, not to be opened by that user, or no KVM device; NULL when they can. Owned.
 */
char *kvm_explain(const char *device, const struct account *account);
