#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The policy for PolicyKit declares every action that the contract asks about, and allows by itself what libvirt does.

usage: test-policy.py TOP
"""

import glob
import os
import re
import sys
import unittest
import xml.etree.ElementTree as ElementTree

TOP = sys.argv.pop() if len(sys.argv) > 1 else "."
# Read by the connection's own action where fine checks are on, or never asked about: not libvirt's.
OWN = {"object.read", "manager.read", "peer.read"}
# Reads that libvirt allows nobody by itself.
CLOSED = {"node-device.read", "network.search-ports", "storage-pool.search-storage-vols"}


def actions_of_contract():
    actions = set()
    for path in glob.glob(os.path.join(TOP, "introspection", "*.xml")):
        for annotation in ElementTree.parse(path).getroot().iter("annotation"):
            if annotation.get("name") in ("org.virtbus.Action", "org.virtbus.WriteAction"):
                actions.update(re.sub(r"\{[^}]*\}", "", annotation.get("value")).split(" "))
    return actions


def policy():
    """action -> (description, message, the three defaults)"""
    root = ElementTree.parse(os.path.join(TOP, "packaging", "polkit", "org.libvirt.policy")).getroot()
    return {
        action.get("id"): (
            action.findtext("description"),
            action.findtext("message"),
            [action.findtext(f"defaults/{who}") for who in ("allow_any", "allow_inactive", "allow_active")],
        )
        for action in root.findall("action")
    }


def is_read(action):
    permission = action.rsplit(".", 1)[1]
    return permission in ("read", "getattr") or permission.startswith("search-")


class Policy(unittest.TestCase):
    def test_every_action_is_declared(self):
        actions = actions_of_contract()
        self.assertIn("domain.start", actions)
        declared = policy()
        missing = [action for action in sorted(actions - OWN) if f"org.libvirt.api.{action}" not in declared]
        self.assertEqual(missing, [])

    def test_two_actions_for_all(self):
        self.assertEqual(policy()["org.libvirt.unix.monitor"][2], ["yes"] * 3)
        self.assertEqual(policy()["org.libvirt.unix.manage"][2], ["auth_admin_keep"] * 3)

    def test_what_reads_is_allowed_and_nothing_else(self):
        for name, (_, _, defaults) in policy().items():
            action = name.removeprefix("org.libvirt.api.")
            if action != name:
                allowed = is_read(action) and action not in CLOSED
                self.assertEqual(defaults, ["yes" if allowed else "no"] * 3, name)

    def test_texts(self):
        for name, (description, message, _) in policy().items():
            self.assertTrue(description and message, name)


if __name__ == "__main__":
    unittest.main()
