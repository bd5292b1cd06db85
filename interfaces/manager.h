/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Who else manages a link of the host: systemd-networkd and NetworkManager say so in files of theirs
 * (/run/systemd/netif/links/<index>, /run/NetworkManager/devices/<index>). We do not fight them. What others
 * have set up NetworkManager only watches, and says so in /run/NetworkManager/system-connections/.
 */

/*
 * The manager's name, a constant; NULL: nobody does. runtime_dir is "/run". Reads small files in memory;
 * a lane.
 */
const char *interface_get_manager(const char *runtime_dir, int index);
