/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Who else manages a link of the host: systemd-networkd and NetworkManager say so in files of theirs
 * (/run/systemd/netif/links/<index>, /run/NetworkManager/devices/<index>). We do not fight them.
 */

/*
 * The manager's name, a constant; NULL: nobody does. runtime_dir is "/run". Reads two small files in memory;
 * a lane.
 */
const char *interface_get_manager(const char *runtime_dir, int index);
