/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What resctrl says that there is to be given out. No state; any thread.
 */
#include "drivers/host/resctrl.h"

#include "drivers/host/sysfile.h"

#include <stdio.h>
#include <string.h>

#define INFO_DIR RESCTRL_DIR "/info"

/* Masks of caches have 32 bits at most (cpuid leaf 0x10), and percentages end. */
#define MASK_BITS_MAX 32
#define PERCENT_MAX   100

unsigned resctrl_count_bits(uint64_t mask)
{
        return (unsigned)__builtin_popcountll(mask);
}

static uint64_t read_mask(const char *root, const char *name, const char *file)
{
        g_autofree char *text = sysfile_read(root, INFO_DIR "/%s/%s", name, file);
        uint64_t mask = text ? g_ascii_strtoull(text, NULL, 16) : 0;

        return mask >> MASK_BITS_MAX ? 0 : mask;
}

/* "L3CODE" */
static bool read_cache(const char *root, struct resctrl_resource *resource)
{
        static const char *const types[][2] = { { "", "both" }, { "CODE", "code" }, { "DATA", "data" } };
        int end = 0;

        if (sscanf(resource->name, "L%2u%n", &resource->level, &end) != 1 || resource->level == 0)
                return false;
        for (unsigned i = 0; i < G_N_ELEMENTS(types); i++) {
                if (strcmp(resource->name + end, types[i][0]) == 0)
                        resource->type = types[i][1];
        }
        resource->mask = read_mask(root, resource->name, "cbm_mask");
        resource->shareable = read_mask(root, resource->name, "shareable_bits");
        resource->min_bits =
                MAX(1, sysfile_read_unsigned(root, 1, INFO_DIR "/%s/min_cbm_bits", resource->name));
        return resource->type && resource->mask;
}

static bool read_bandwidth(const char *root, struct resctrl_resource *resource)
{
        unsigned granularity = sysfile_read_unsigned(root, 0, INFO_DIR "/%s/bandwidth_gran", resource->name);
        unsigned minimum = sysfile_read_unsigned(root, 0, INFO_DIR "/%s/min_bandwidth", resource->name);

        resource->granularity = CLAMP(granularity, 1, PERCENT_MAX);
        resource->minimum = CLAMP(minimum, 1, PERCENT_MAX);
        return granularity > 0;
}

static void read_resource(struct resctrl *resctrl, const char *root, const char *name)
{
        struct resctrl_resource resource = { .level = 0 };

        if (strlen(name) >= sizeof(resource.name))
                return;
        strcpy(resource.name, name);
        resource.groups = sysfile_read_unsigned(root, 0, INFO_DIR "/%s/num_closids", name);
        if (resource.groups > 0 &&
            (strcmp(name, "MB") == 0 ? read_bandwidth(root, &resource) : read_cache(root, &resource)))
                g_array_append_val(resctrl->resources, resource);
}

static void read_monitoring(struct resctrl *resctrl, const char *root)
{
        g_autofree char *features = sysfile_read(root, INFO_DIR "/L3_MON/mon_features");

        resctrl->monitors = sysfile_read_unsigned(root, 0, INFO_DIR "/L3_MON/num_rmids");
        resctrl->reuse_threshold = sysfile_read_unsigned(root, 0, INFO_DIR "/L3_MON/max_threshold_occupancy");
        resctrl->features = g_strsplit(features ? features : "", "\n", -1);
}

struct resctrl *resctrl_new(const char *root)
{
        g_autoptr(GPtrArray) names = NULL;
        struct resctrl *resctrl;

        if (!sysfile_exists(root, INFO_DIR))
                return NULL;
        names = sysfile_list(root, INFO_DIR);
        resctrl = g_new0(struct resctrl, 1);
        resctrl->resources = g_array_new(FALSE, TRUE, sizeof(struct resctrl_resource));
        for (unsigned i = 0; i < names->len; i++)
                read_resource(resctrl, root, g_ptr_array_index(names, i));
        read_monitoring(resctrl, root);
        return resctrl;
}

void resctrl_free(struct resctrl *resctrl)
{
        if (!resctrl)
                return;
        g_array_unref(resctrl->resources);
        g_strfreev(resctrl->features);
        g_free(resctrl);
}

const struct resctrl_resource *resctrl_find(const struct resctrl *resctrl, unsigned level, const char *type)
{
        for (unsigned i = 0; i < resctrl->resources->len; i++) {
                const struct resctrl_resource *resource =
                        &g_array_index(resctrl->resources, struct resctrl_resource, i);

                if (resource->level == level && (level == 0 || strcmp(resource->type, type) == 0))
                        return resource;
        }
        return NULL;
}
