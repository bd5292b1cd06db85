/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What is known of a domain by asking: a guest that runs tells it of itself, and the disks of one that is off
 * are looked at. Asked part by part, because each costs something and a guest may answer none of it. An
 * answer is immutable and counted, for any thread, and stays with its domain (drivers/domain/stats.h) until
 * the next takes its place.
 */

#include "base/cleanup.h"
#include "drivers/domain/tuning.h"

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

struct domain;

enum domain_part {
        DOMAIN_PART_BALLOON,
        DOMAIN_PART_BLOCK,
        DOMAIN_PART_BLOCK_COUNTERS, /* of it: what guests have done, without sizes */
        DOMAIN_PART_DISK_ERRORS,
        DOMAIN_PART_IOTHREADS,
        DOMAIN_PART_DIRTY_RATE,
        DOMAIN_PART_PERF,
        DOMAIN_PART_COUNTERS,      /* of the guest as a whole */
        DOMAIN_PART_VCPU_COUNTERS, /* of its vCPUs */
        DOMAIN_PARTS,
};
/* In a set of parts. */
#define DOMAIN_PART_BIT(part) (1u << (part))

/* What a guest's own driver tells the balloon (virtio 1.1, 5.5.6.3), in the order of virDomainMemoryStatTags.
 */
enum domain_balloon_tag {
        DOMAIN_BALLOON_SWAP_IN, /* KiB, as all without another unit */
        DOMAIN_BALLOON_SWAP_OUT,
        DOMAIN_BALLOON_MAJOR_FAULTS, /* number */
        DOMAIN_BALLOON_MINOR_FAULTS, /* number */
        DOMAIN_BALLOON_UNUSED,
        DOMAIN_BALLOON_AVAILABLE,
        DOMAIN_BALLOON_USABLE,
        DOMAIN_BALLOON_LAST_UPDATE, /* seconds since 1970 */
        DOMAIN_BALLOON_DISK_CACHES,
        DOMAIN_BALLOON_HUGETLB_PGALLOC, /* number */
        DOMAIN_BALLOON_HUGETLB_PGFAIL,  /* number */
        DOMAIN_BALLOON_TAGS,
};

struct domain_balloon_stats {
        unsigned known; /* bits 1 << enum domain_balloon_tag */
        uint64_t values[DOMAIN_BALLOON_TAGS];
};

enum domain_io {
        DOMAIN_IO_READ,
        DOMAIN_IO_WRITE,
        DOMAIN_IO_FLUSH,
        DOMAIN_IO_KINDS,
};

/* virDomainDiskErrorCode */
enum domain_disk_error {
        DOMAIN_DISK_ERROR_NONE = 0,
        DOMAIN_DISK_ERROR_UNSPEC = 1,
        DOMAIN_DISK_ERROR_NO_SPACE = 2,
};

/* One image: of a disk, or below one. */
struct domain_image_stats {
        char *target;      /* owned; of its disk */
        char *path;        /* owned; of a file or device; NULL: it is elsewhere, or there is no medium */
        unsigned index;    /* as in the definition of a guest that runs; 0: none */
        unsigned depth;    /* 0: the disk's own; how many images are above it */
        bool has_counters; /* what the guest has done since it started */
        bool has_size;     /* capacity and those behind it */
        bool has_errors;   /* errors: QEMU counts none */
        uint64_t errors;
        enum domain_disk_error error; /* that it has met, of DOMAIN_PART_DISK_ERRORS */
        uint64_t requests[DOMAIN_IO_KINDS], times_ns[DOMAIN_IO_KINDS];
        uint64_t bytes[DOMAIN_IO_KINDS]; /* none of flushes */
        uint64_t capacity;               /* bytes that the guest sees */
        uint64_t highest;                /* end of the highest byte that was written since it was opened */
        uint64_t allocation;             /* bytes that it takes of the storage */
        uint64_t length;                 /* of the file or device; a running guest's in whole sectors */
        uint64_t threshold;              /* of an event; 0: none */
};

struct domain_iothread_stats {
        unsigned id;
        uint64_t poll_max_ns;
        unsigned poll_grow, poll_shrink;
};

/* virDomainDirtyRateStatus, virDomainDirtyRateCalcFlags by name */
struct domain_dirty_rate {
        int status;      /* 0 not begun, 1 being measured, 2 measured */
        int64_t start_s; /* on the clock of the host since it was started */
        int period_s;
        int64_t mib_per_s;
        char *mode;    /* owned */
        GArray *vcpus; /* owned; struct domain_vcpu_dirty_rate; NULL: the mode does not tell */
};

struct domain_vcpu_dirty_rate {
        unsigned vcpu;
        uint64_t mib_per_s;
};

/* What a number of the hypervisor's is. */
enum domain_counter_kind {
        DOMAIN_COUNTER_SUM, /* counted since the guest started */
        DOMAIN_COUNTER_NOW,
        DOMAIN_COUNTER_PEAK,
        DOMAIN_COUNTER_KINDS,
};

#define DOMAIN_COUNTER_NAME_MAX 47

/* One number that the hypervisor has of a guest; names and meaning are its own (KVM's: docs of the kernel).
 */
struct domain_counter {
        int vcpu;                               /* by number; -1: of the guest as a whole */
        char name[DOMAIN_COUNTER_NAME_MAX + 1]; /* letters, digits, '_', '-' */
        enum domain_counter_kind kind;
        bool is_bool;
        uint64_t value;
};

struct domain_answer {
        /* atomic */
        gint refs;
        /* const */
        enum domain_part part;
        int id;                              /* of the domain while that guest runs; 0: it was off */
        gint64 made_us;                      /* when it came, on the monotonic clock */
        gint64 good_until_us;                /* before that nobody can know anything newer; 0: at any time */
        struct domain_balloon_stats balloon; /* DOMAIN_PART_BALLOON */
        GArray *images;    /* owned; struct domain_image_stats by disk, then depth; of disks */
        GArray *iothreads; /* owned; struct domain_iothread_stats; DOMAIN_PART_IOTHREADS */
        struct domain_dirty_rate dirty_rate; /* DOMAIN_PART_DIRTY_RATE */
        uint32_t perf_events;                /* bits by enum domain_perf_event; DOMAIN_PART_PERF */
        uint64_t perf[DOMAIN_PERF_EVENTS];   /* of these */
        GArray *counters; /* owned; struct domain_counter, of a vCPU one behind the other; of either _COUNTERS
                           */
};

/* With one reference, and empty, to be filled in. */
struct domain_answer *domain_answer_new(enum domain_part part, int id);
/* Any thread; NULL is fine. */
struct domain_answer *domain_answer_ref(struct domain_answer *answer);
void domain_answer_unref(struct domain_answer *answer);

/* One more image, to be filled in; the strings are copied. Good until the next. */
struct domain_image_stats *domain_answer_add_image(struct domain_answer *answer, const char *target,
                                                   const char *path);
/* That of the disk with this target itself; NULL: there is none. */
const struct domain_image_stats *domain_answer_find_disk(const struct domain_answer *answer,
                                                         const char *target);

/*
 * Lane, by the driver: the answer (taken) to one of the parts that it was asked for; NULL: there is none.
 * Once for each (struct domain_driver_ops.ask).
 */
void domain_answered(struct domain *domain, enum domain_part part, struct domain_answer *answer);

DEFINE_CLEANUP(struct domain_answer, domain_answer_unref);
