#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Makes the manual page org.libvirt(7) from the introspection files: every interface, method, property and signal.

usage: generate.py OUTPUT INTERFACE.xml...
"""

import re
import sys
import xml.etree.ElementTree as ElementTree

HEAD = r"""'\" t
.\" SPDX-License-Identifier: LGPL-2.1-or-later
.\" Made from introspection/.
.TH ORG.LIBVIRT 7 "" "virtbus" "D-Bus Interfaces"
.SH NAME
org.libvirt \- the D-Bus interfaces of virtbusd
.SH DESCRIPTION
.BR virtbusd (8)
owns the name org.libvirt on the system bus, or on the bus of a user's session. Its objects are
.PP
.TS
tab(;);
l l.
/org/libvirt;the agent
/org/libvirt/QEMU;the host's guests, pools, networks ...
/org/libvirt/Test;a host in memory, for tools and tests
/org/libvirt/QEMU/\fIkind\fR/\fIobject\fR;one of them
.TE
.PP
Flags, numbers of states and events, and documents are those of the libvirt API function of the same name: virDomainSetMetadata is
SetMetadata of org.libvirt.Domain. Memory is in KiB, times are in ns. Errors are org.libvirt.Error, whose text begins with libvirt's
standard phrase.
.PP
Behind each member stands what it needs, an action of PolicyKit without org.libvirt.api; see WHO MAY DO WHAT in
.BR virtbusd (8).
An action with flags behind it is needed only when the call has one of them.
"""

TAIL = r""".SH SEE ALSO
.BR busctl (1),
.BR virtbusd (8)
"""


def escape(text):
    text = text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq")
    return re.sub(r"^\.", r"\\&.", text)


def annotation(node, name):
    for child in node.findall("annotation"):
        if child.get("name") == name:
            return child.get("value")
    return None


def arguments(node, direction):
    """'s xml, u flags' of a method or a signal."""
    return ", ".join(
        escape(f"{arg.get('type')} {arg.get('name') or ''}".strip())
        for arg in node.findall("arg")
        if arg.get("direction", "in" if node.tag == "method" else "out") == direction
    )


def write_method(node):
    answer = arguments(node, "out")
    yield ".TP"
    yield f"\\fB{escape(node.get('name'))}\\fR({arguments(node, 'in')})" + (f" \\(-> {answer}" if answer else "")
    yield escape(annotation(node, "org.virtbus.Action") or "")


def write_property(node):
    emits = annotation(node, "org.freedesktop.DBus.Property.EmitsChangedSignal") or "true"
    changes = {"true": "signals changes", "invalidates": "signals changes", "const": "never changes", "false": ""}[emits]
    parts = [annotation(node, "org.virtbus.Action") or ""]
    if node.get("access") != "read":
        parts.append("written with " + (annotation(node, "org.virtbus.WriteAction") or ""))
    if changes:
        parts.append(changes)
    yield ".TP"
    yield f"\\fB{escape(node.get('name'))}\\fR: {escape(node.get('type'))}"
    yield escape("; ".join(part for part in parts if part))


def write_signal(node):
    yield ".TP"
    yield f"\\fB{escape(node.get('name'))}\\fR({arguments(node, 'out')})"
    yield escape(annotation(node, "org.virtbus.Action") or "to all")


SECTIONS = (("method", "Methods", write_method), ("property", "Properties", write_property), ("signal", "Signals", write_signal))


def write_interface(interface):
    yield f".SH {escape(interface.get('name'))}"
    for tag, title, write in SECTIONS:
        nodes = sorted(interface.findall(tag), key=lambda node: node.get("name"))
        if not nodes:
            continue
        yield f".SS {title}"
        for node in nodes:
            yield from write(node)


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    interfaces = [interface for path in sys.argv[2:] for interface in ElementTree.parse(path).getroot().iter("interface")]
    interfaces.sort(key=lambda interface: interface.get("name"))
    with open(sys.argv[1], "w", encoding="utf-8") as page:
        page.write(HEAD)
        for interface in interfaces:
            page.writelines(line + "\n" for line in write_interface(interface))
        page.write(TAIL)


if __name__ == "__main__":
    main()
