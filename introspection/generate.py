#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Makes the dispatch table of one D-Bus interface from its introspection file.

usage: generate.py INTERFACE.xml OUTPUT.h OUTPUT.c

The header has the prototypes of the handlers, the getters and the setters that bus/ has to write, and a number for each
property and signal; the source has the table. So a member without a handler does not link, a handler without a
member does not compile (-Wmissing-prototypes), and a signal that is not in the file cannot be sent.

Each member says by annotations:

  org.virtbus.Action       what the caller is authorized for: one or more names, all of them needed; one with {FLAG|FLAG} behind
                           it only when the call's flags have one of these (enumerators of the model); of properties,
                           for reading, and the same for all of an interface
  org.virtbus.Flags        the argument that these flags are in, when it is not "flags"
  org.virtbus.WriteAction  the same for the writing of a property
  org.virtbus.Getter       of a property that all objects of a sort have: "managed" is get_managed_<property>() of
                           bus/managed-object.h, instead of a getter of the interface's own
  org.virtbus.Run          loop (answered at once) or lane (works in an object's lane, answered later)
"""

import os
import re
import sys
import xml.etree.ElementTree as ElementTree

EMITS = {"true": "CHANGE", "invalidates": "INVALIDATION", "const": "CONST", "false": "NOTHING"}
ACTION = re.compile(r"([a-z][a-z-]*\.[a-z][a-z-]*)(?:\{([A-Z0-9_|]+)\})?")
COMPLETE_TYPE = re.compile(r"[ybnqiuxtdsogvh]")


class ContractError(Exception):
    pass


def snake(name):
    """GetXMLDesc -> get_xml_desc, DomainLookupByUUID -> domain_lookup_by_uuid"""
    name = re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1_\2", name)
    return re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name).lower()


def type_end(signature, at):
    """The index behind the complete type that begins at `at`."""
    if at >= len(signature):
        raise ContractError(f"signature '{signature}' ends early")
    kind = signature[at]
    if kind == "a":
        return type_end(signature, at + 1)
    if kind in "({":
        close = {"(": ")", "{": "}"}[kind]
        at += 1
        while at < len(signature) and signature[at] != close:
            at = type_end(signature, at)
        if at >= len(signature):
            raise ContractError(f"signature '{signature}' lacks '{close}'")
        return at + 1
    if not COMPLETE_TYPE.match(kind):
        raise ContractError(f"signature '{signature}' has the unknown type '{kind}'")
    return at + 1


def check_type(signature):
    if type_end(signature, 0) != len(signature):
        raise ContractError(f"'{signature}' is not one complete type")


class Member:
    def __init__(self, interface, element):
        self.name = element.get("name") or ""
        self.where = f"{interface}.{self.name}"
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", self.name):
            raise ContractError(f"{interface} has a {element.tag} with the bad name '{self.name}'")
        self.annotations = {}
        for annotation in element.findall("annotation"):
            self.annotations[annotation.get("name")] = annotation.get("value")
        self.action = self.need_action("org.virtbus.Action")
        self.snake = snake(self.name)

    def need_action(self, key):
        action = self.annotations.get(key, "")
        if not action:
            raise ContractError(f"{self.where} has no {key}")
        for word in action.split(" "):
            if not ACTION.fullmatch(word):
                raise ContractError(f"{self.where} has the bad action '{word}'")
        return action

    def need_run(self):
        run = self.annotations.get("org.virtbus.Run")
        if run not in ("loop", "lane"):
            raise ContractError(f"{self.where} must run in 'loop' or 'lane'")
        return f"INTERFACE_RUN_{run.upper()}"


class Method(Member):
    def __init__(self, interface, element):
        super().__init__(interface, element)
        self.run = self.need_run()
        self.signature = {"in": "", "out": ""}
        self.flags_at = -1
        arguments = [arg for arg in element.findall("arg") if arg.get("direction", "in") == "in"]
        for arg in element.findall("arg"):
            check_type(arg.get("type"))
            self.signature[arg.get("direction", "in")] += arg.get("type")
        if "{" in self.action:
            wanted = self.annotations.get("org.virtbus.Flags", "flags")
            places = [at for at, arg in enumerate(arguments) if arg.get("name") == wanted and arg.get("type") == "u"]
            if not places:
                raise ContractError(f"{self.where} has an action that depends on flags, but no argument '{wanted}'")
            self.flags_at = places[0]


class Property(Member):
    def __init__(self, interface, element):
        super().__init__(interface, element)
        self.need_run()
        self.type = element.get("type")
        check_type(self.type)
        if "{" in self.action + self.annotations.get("org.virtbus.WriteAction", ""):
            raise ContractError(f"{self.where} has an action that depends on flags, but a property has no flags")
        self.writable = element.get("access") == "readwrite"
        if not self.writable and element.get("access") != "read":
            raise ContractError(f"{self.where} has the bad access '{element.get('access')}'")
        self.write_action = self.need_action("org.virtbus.WriteAction") if self.writable else None
        emits = self.annotations.get("org.freedesktop.DBus.Property.EmitsChangedSignal", "true")
        if emits not in EMITS:
            raise ContractError(f"{self.where} has the bad EmitsChangedSignal '{emits}'")
        self.emits = f"INTERFACE_EMITS_{EMITS[emits]}"
        self.shared = self.annotations.get("org.virtbus.Getter")
        if self.shared not in (None, "managed"):
            raise ContractError(f"{self.where} has the bad getter '{self.shared}'")


class Signal(Member):
    def __init__(self, interface, element):
        super().__init__(interface, element)
        self.signature = ""
        for arg in element.findall("arg"):
            check_type(arg.get("type"))
            self.signature += arg.get("type")


class Interface:
    def __init__(self, element):
        self.name = element.get("name")
        self.snake = snake(self.name.rsplit(".", 1)[1])
        self.methods = self.members(element, "method", Method)
        self.properties = self.members(element, "property", Property)
        self.signals = self.members(element, "signal", Signal)
        self.text = minified(element)
        read_actions = {prop.action for prop in self.properties}
        if len(read_actions) > 1:
            raise ContractError(f"properties of {self.name} have different actions; GetAll asks once")
        self.read_action = read_actions.pop() if read_actions else None

    def members(self, element, tag, make):
        members = sorted((make(self.name, child) for child in element.findall(tag)), key=lambda m: m.name)
        for one, other in zip(members, members[1:]):
            if one.name == other.name:
                raise ContractError(f"{one.where} is there twice")
        return members

    def enum(self, kind, members):
        prefix = f"INTERFACE_{self.snake.upper()}_{kind}"
        lines = [f"        {prefix}_{m.snake.upper()},\n" for m in members]
        return f"enum interface_{self.snake}_{kind.lower()} {{\n{''.join(lines)}}};\n" if lines else ""


def minified(element):
    """The text that Introspect shows: no white space, no comments, none of our own annotations."""
    for parent in list(element.iter()):
        for child in list(parent):
            if child.tag == "annotation" and child.get("name", "").startswith("org.virtbus."):
                parent.remove(child)
        parent.text = None
        parent.tail = None
    return re.sub(r" />", "/>", ElementTree.tostring(element, encoding="unicode"))


def c_string(text):
    if text is None:
        return "NULL"
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def c_text(text, width=90):
    pieces = [c_string(text[at : at + width]) for at in range(0, len(text), width)]
    return "\n                ".join(pieces)


def header(interface, source):
    out = [
        f"/* Generated from {source} by generate.py. */\n#pragma once\n\n",
        '#include "bus/interface.h"\n\n',
        f"extern const struct interface interface_{interface.snake};\n\n",
        interface.enum("PROPERTY", interface.properties),
        interface.enum("SIGNAL", interface.signals),
    ]
    for method in interface.methods:
        out.append(f"void on_{interface.snake}_{method.snake}(struct call *call);\n")
    for prop in interface.properties:
        if not prop.shared:
            out.append(
                f"bool get_{interface.snake}_{prop.snake}(const struct target *target, struct marshal_slot *slot,\n"
                f"        GError **error);\n"
            )
        if prop.writable:
            out.append(f"void set_{interface.snake}_{prop.snake}(struct call *call, DBusMessageIter *value);\n")
    return "".join(out)


def table(kind, members, row):
    if not members:
        return ""
    rows = "".join(f"        {{ {', '.join(row(member))} }},\n" for member in members)
    return f"static const struct interface_{kind} {kind}_table[] = {{\n{rows}}};\n\n"


def access_tables(interface):
    """The lists of actions that the members need: their names by action, and their text."""
    actions = {m.action for m in interface.methods} | {p.write_action for p in interface.properties}
    actions = sorted((actions | {interface.read_action}) - {None})
    names = {action: f"access_{number}" for number, action in enumerate(actions)}
    text = ""
    for action in actions:
        rows = "".join(f"{{ {c_string(word)}, {flags or 0} }}, " for word, flags in ACTION.findall(action))
        text += f"/* {action} */\nstatic const struct access {names[action]}[] = {{ {rows}{{ NULL, 0 }} }};\n"
    return names, text + "\n" if text else ""


def source_text(interface, source):
    access, access_text = access_tables(interface)

    def method_row(m):
        handler = f"on_{interface.snake}_{m.snake}"
        signatures = (c_string(m.signature["in"]), c_string(m.signature["out"]))
        return (c_string(m.name), *signatures, access[m.action], str(m.flags_at), m.run, handler)

    def property_row(p):
        setter = f"set_{interface.snake}_{p.snake}" if p.writable else "NULL"
        getter = f"get_{p.shared or interface.snake}_{p.snake}"
        return (c_string(p.name), c_string(p.type), access.get(p.write_action, "NULL"), p.emits, getter, setter)

    def signal_row(s):
        return (c_string(s.name), c_string(s.signature), c_string(s.action))

    out = [
        f"/* Generated from {source} by generate.py. */\n",
        f'#include "introspection/{interface.snake.replace("_", "-")}.h"\n\n',
        '#include "bus/managed-object.h"\n#include "drivers/authorization.h"\n\n',
        access_text,
        table("method", interface.methods, method_row),
        table("property", interface.properties, property_row),
        table("signal", interface.signals, signal_row),
        f"const struct interface interface_{interface.snake} = {{\n",
        f"        .name = {c_string(interface.name)},\n",
    ]
    counts = (("method", interface.methods, "methods"), ("property", interface.properties, "properties"),
              ("signal", interface.signals, "signals"))
    for kind, members, plural in counts:
        if members:
            out.append(f"        .{plural} = {kind}_table,\n        .n_{plural} = {len(members)},\n")
    if interface.read_action:
        out.append(f"        .read_access = {access[interface.read_action]},\n")
    out.append(f"        .text =\n                {c_text(interface.text)},\n}};\n")
    return "".join(out)


def write_if_changed(path, text):
    if os.path.exists(path):
        with open(path, encoding="utf-8") as old:
            if old.read() == text:
                return
    with open(path, "w", encoding="utf-8") as new:
        new.write(text)


def main():
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    path, header_path, source_path = sys.argv[1:]
    try:
        elements = ElementTree.parse(path).getroot().findall("interface")
        if len(elements) != 1:
            raise ContractError("one file holds one interface")
        interface = Interface(elements[0])
    except (ContractError, ElementTree.ParseError) as error:
        sys.exit(f"{path}: {error}")
    write_if_changed(header_path, header(interface, os.path.basename(path)))
    write_if_changed(source_path, source_text(interface, os.path.basename(path)))


if __name__ == "__main__":
    main()
