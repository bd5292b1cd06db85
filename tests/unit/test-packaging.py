#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What is installed beside the agent says what there is: manual pages, completion, units, the RPM's list of files.

usage: test-packaging.py TOP BUILD
"""

import glob
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree as ElementTree

BUILD = sys.argv.pop() if len(sys.argv) > 2 else "build/debug"
TOP = sys.argv.pop() if len(sys.argv) > 1 else "."
# What systemd-analyze security says in tenths: lower is closed better. Guests inherit what their agent is denied.
EXPOSURE_MAX = 84


def read(*path):
    with open(os.path.join(TOP, *path), encoding="utf-8") as file:
        return file.read()


def options():
    """--state-dir ... of the agent"""
    text = subprocess.run([os.path.join(BUILD, "virtbusd"), "--help"], check=True, capture_output=True, text=True).stdout
    return sorted(set(re.findall(r"--[a-z][a-z-]+", text)) - {"--help-all"})


class Texts(unittest.TestCase):
    def test_completion_has_all_options(self):
        text = read("packaging", "completion", "virtbusd")
        self.assertIn("--import-libvirt", options())
        self.assertEqual([option for option in options() if option not in text], [])

    def test_manual_has_all_options(self):
        text = read("packaging", "man", "virtbusd.8").replace("\\-", "-")
        self.assertEqual([option for option in options() if not re.search(rf"^\.[BIR]+ .*{option}\b", text, re.M)], [])

    def test_manual_of_the_api_has_all_members(self):
        with open(os.path.join(BUILD, "packaging", "org.libvirt.7"), encoding="utf-8") as file:
            text = file.read()
        members = 0
        for path in glob.glob(os.path.join(TOP, "introspection", "org.libvirt.*.xml")):
            for interface in ElementTree.parse(path).getroot().iter("interface"):
                self.assertIn(f".SH {interface.get('name')}\n", text)
                for tag in "method", "property", "signal":
                    for node in interface.findall(tag):
                        self.assertIn(f"\n\\fB{node.get('name')}\\fR", text)
                        members += 1
        self.assertGreater(members, 100)

    def test_manuals_are_well_formed(self):
        if not shutil.which("groff"):
            self.skipTest("groff is missing")
        pages = glob.glob(os.path.join(TOP, "packaging", "man", "*.[0-9]"))
        for page in pages + [os.path.join(BUILD, "packaging", "org.libvirt.7")]:
            run = subprocess.run(["groff", "-t", "-man", "-Tutf8", "-ww", "-z", page], capture_output=True, text=True, check=False)
            self.assertEqual((run.returncode, run.stderr), (0, ""), page)

    def test_completion_is_a_script(self):
        subprocess.run(["bash", "-n", os.path.join(TOP, "packaging", "completion", "virtbusd")], check=True)


class Spec(unittest.TestCase):
    """Each installed file is in the list of the RPM, and the other way round."""

    PLACES = {
        "%{_sysconfdir}": "etc",
        "%{_libexecdir}": "libexec",
        "%{_datadir}": "share",
        "%{_mandir}": "share/man",
        "%{_unitdir}": "lib/systemd/system",
        "%{_userunitdir}": "lib/systemd/user",
        "%{_sysusersdir}": "lib/sysusers.d",
        "%{_sysctldir}": "lib/sysctl.d",
        "%{_tmpfilesdir}": "lib/tmpfiles.d",
        "%{_prefix}": "",
    }

    def patterns(self):
        files = read("packaging", "rpm", "virtbus.spec").split("%files\n")[1].split("%changelog")[0]
        for line in files.splitlines():
            line = re.sub(r"^%(config\(noreplace\)|dir) ", "", line)
            match = re.match(r"(%\{\w+\})/(.+)", line)
            if match:
                yield os.path.join(self.PLACES[match[1]], match[2] + ("**" if line.endswith("/") else ""))

    def test_list(self):
        with tempfile.TemporaryDirectory() as root:
            subprocess.run(["cmake", "--install", BUILD], check=True, capture_output=True, env=dict(os.environ, DESTDIR=root))
            prefix = re.search(r"CMAKE_INSTALL_PREFIX:PATH=(.*)", open(os.path.join(BUILD, "CMakeCache.txt"), encoding="utf-8").read())[1]
            base = root + prefix
            # With the prefix /usr the configuration is not below it.
            if prefix == "/usr" and os.path.isdir(root + "/etc"):
                os.rename(root + "/etc", base + "/etc")
            installed = {os.path.join(path, name) for path, _, names in os.walk(base) for name in names}
            listed = set()
            for pattern in self.patterns():
                found = [path for path in glob.glob(os.path.join(base, pattern), recursive=True)]
                self.assertTrue(found, pattern)
                listed.update(found)
            self.assertEqual(sorted(path[len(base) :] for path in installed - listed), [])


@unittest.skipUnless(shutil.which("systemd-analyze"), "systemd-analyze is missing")
class Units(unittest.TestCase):
    def unit(self, directory, name):
        """The unit, with the agent of the build."""
        with open(os.path.join(BUILD, "packaging", "systemd", name), encoding="utf-8") as file:
            text = re.sub(r"(?m)^ExecStart=\S+", "ExecStart=" + os.path.abspath(os.path.join(BUILD, "virtbusd")), file.read())
        path = os.path.join(directory, "virtbusd.service")
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path

    def test_units_are_valid(self):
        for name in "virtbusd.service", "virtbusd-user.service":
            with tempfile.TemporaryDirectory() as directory:
                run = subprocess.run(
                    ["systemd-analyze", "verify", "--man=no", self.unit(directory, name)], capture_output=True, text=True, check=False
                )
                complaints = [line for line in run.stderr.splitlines() if "virtbusd" in line]
                self.assertEqual((run.returncode, complaints), (0, []), run.stderr)

    def test_exposure(self):
        with tempfile.TemporaryDirectory() as directory:
            run = subprocess.run(
                ["systemd-analyze", "security", "--offline=true", f"--threshold={EXPOSURE_MAX}", self.unit(directory, "virtbusd.service")],
                capture_output=True,
                text=True,
                check=False,
            )
        if "unrecognized option" in run.stderr:
            self.skipTest("systemd-analyze is too old")
        self.assertEqual(run.returncode, 0, run.stdout[-200:] + run.stderr)

    def test_what_the_agent_relies_on(self):
        with tempfile.TemporaryDirectory() as directory, open(self.unit(directory, "virtbusd.service"), encoding="utf-8") as file:
            text = file.read()
        for line in "Type=notify", "KillMode=process", "ExecReload=/bin/kill -HUP $MAINPID", "RuntimeDirectoryPreserve=yes":
            self.assertIn(f"\n{line}\n", text)
        self.assertRegex(text, r"\nWatchdogSec=")


if __name__ == "__main__":
    unittest.main()
