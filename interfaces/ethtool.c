/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ethtool's ioctl. No state.
 */
#include "interfaces/ethtool.h"

#include <glib.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>

/* Words of a bitmap of link modes, at most (the kernel's __ETHTOOL_LINK_MODE_MASK_NBITS is below 128 today).
 */
#define WORDS_MAX 32

struct settings {
        struct ethtool_link_settings head;
        uint32_t masks[3 * WORDS_MAX];
};

static bool ask(int fd, const char *name, struct settings *settings)
{
        struct ifreq request = { .ifr_data = (void *)settings };

        g_strlcpy(request.ifr_name, name, sizeof(request.ifr_name));
        settings->head.cmd = ETHTOOL_GLINKSETTINGS;
        return ioctl(fd, SIOCETHTOOL, &request) == 0;
}

/* The first answer says, as a negative number, how many words the masks have. */
unsigned ethtool_get_speed(int fd, const char *name)
{
        struct settings settings = { 0 };
        int words;

        if (!ask(fd, name, &settings))
                return 0;
        words = -settings.head.link_mode_masks_nwords;
        if (words <= 0 || words > WORDS_MAX)
                return 0;
        settings.head.link_mode_masks_nwords = (int8_t)words;
        if (!ask(fd, name, &settings) || settings.head.speed == (uint32_t)SPEED_UNKNOWN)
                return 0;
        return settings.head.speed;
}

bool ethtool_set_coalesce(int fd, const char *name, unsigned frames)
{
        struct ethtool_coalesce coalesce = { .cmd = ETHTOOL_GCOALESCE };
        struct ifreq request = { .ifr_data = (void *)&coalesce };

        g_strlcpy(request.ifr_name, name, sizeof(request.ifr_name));
        if (ioctl(fd, SIOCETHTOOL, &request) < 0)
                return false;
        coalesce.cmd = ETHTOOL_SCOALESCE;
        coalesce.rx_max_coalesced_frames = frames;
        return ioctl(fd, SIOCETHTOOL, &request) == 0;
}
