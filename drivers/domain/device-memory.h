/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Memory devices, as a definition names them. Part of device.h, which says what holds for
 * all of them.
 */

#include "drivers/domain/address.h"

#include <stdbool.h>
#include <stdint.h>

struct domain_memory {
        struct domain_device_info info;
        const char *model;         /* "dimm", "nvdimm", "virtio-pmem", "virtio-mem", "sgx-epc" */
        const char *path;          /* nvdimm, virtio-pmem */
        enum domain_switch shared; /* access= */
        enum domain_switch discard;
        bool readonly;
        bool pmem;
        int node; /* <target><node>; -1: none */
        uint64_t size_kib;
        uint64_t block_kib; /* 0: none, as with those below */
        uint64_t requested_kib;
        uint64_t label_kib;
        uint64_t page_size_kib;
        uint64_t align_kib;   /* nvdimm */
        uint64_t current_kib; /* virtio-mem, active: what the guest has taken of requested_kib */
        const char *nodemask;
        const char *uuid;                 /* nvdimm; NULL: none */
        enum domain_switch dynamic_slots; /* virtio-mem: <target dynamicMemslots=> */
};
