#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The contract files: what libvirt-dbus serves too has its signatures, and the generator refuses what is incomplete.

usage: test-introspection.py SOURCE-FOLDER
"""

import os
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree as ElementTree

FOLDER = os.path.join(sys.argv[1], "introspection")

# Members that libvirt-dbus 1.4.1 has, as clients know them: interface.name kind signatures ("-" is empty).
KNOWN = """
    Connect.Encrypted property b read
    Connect.Hostname property s read
    Connect.LibVersion property t read
    Connect.Secure property b read
    Connect.Version property t read
    Connect.DomainCreateXML method su o
    Connect.DomainCreateXMLWithFiles method sahu o
    Connect.DomainDefineXML method s o
    Connect.DomainLookupByID method i o
    Connect.DomainLookupByName method s o
    Connect.DomainLookupByUUID method s o
    Connect.GetAllDomainStats method uu a(sa{sv})
    Connect.DomainRestore method ssu -
    Connect.DomainSaveImageDefineXML method ssu -
    Connect.DomainSaveImageGetXMLDesc method su s
    Connect.GetCapabilities method - s
    Connect.GetDomainCapabilities method ssssu s
    Connect.ListDomains method u ao
    Connect.NodeDeviceCreateXML method su o
    Connect.NodeDeviceLookupByName method s o
    Connect.NodeDeviceLookupSCSIHostByWWN method ssu o
    Connect.NodeDeviceEvent signal oii
    Connect.BaselineCPU method asu s
    Connect.CompareCPU method su i
    Connect.GetCPUModelNames method su as
    Connect.GetSysinfo method u s
    Connect.NodeGetCPUMap method u ab
    Connect.NodeGetCPUStats method iu a{st}
    Connect.NodeGetFreeMemory method - t
    Connect.NodeGetMemoryParameters method u a{sv}
    Connect.NodeGetMemoryStats method iu a{st}
    Connect.NodeGetSecurityModel method - (ss)
    Connect.NodeSetMemoryParameters method a{sv}u -
    Connect.DomainEvent signal oii
    Domain.Active property b read
    Domain.Autostart property b readwrite
    Domain.Id property u read
    Domain.Name property s read
    Domain.OSType property s read
    Domain.Persistent property b read
    Domain.SchedulerType property (si) read
    Domain.Updated property b read
    Domain.UUID property s read
    Domain.AttachDevice method su -
    Domain.Create method u -
    Domain.CreateWithFiles method ahu -
    Domain.Destroy method u -
    Domain.GetControlInfo method u (uut)
    Domain.GetDiskErrors method u a(si)
    Domain.GetStats method uu a{sv}
    Domain.MemoryStats method u a{it}
    Domain.DetachDevice method su -
    Domain.GetMetadata method isu s
    Domain.GetSecurityLabelList method - a(sb)
    Domain.GetState method u (ii)
    Domain.GetVcpus method u u
    Domain.GetXMLDesc method u s
    Domain.AbortJob method - -
    Domain.CoreDump method suu -
    Domain.GetJobInfo method - (ittttttttttt)
    Domain.GetJobStats method u (ia{sv})
    Domain.MigrateGetCompressionCache method u t
    Domain.MigrateGetMaxSpeed method u t
    Domain.MigrateSetCompressionCache method tu -
    Domain.MigrateSetMaxDowntime method tu -
    Domain.MigrateSetMaxSpeed method tu -
    Domain.MigrateStartPostCopy method u -
    Domain.MigrateToURI3 method sa{sv}u -
    Domain.JobCompleted signal a{sv}
    Domain.MigrationIteration signal i
    Domain.HasManagedSaveImage method u b
    Domain.ManagedSave method u -
    Domain.ManagedSaveRemove method u -
    Domain.Save method ssu -
    Domain.GetSchedulerParameters method u a{sv}
    Domain.SetSchedulerParameters method a{sv}u -
    Domain.GetMemoryParameters method u a{sv}
    Domain.SetMemoryParameters method a{sv}u -
    Domain.GetNumaParameters method u a{sv}
    Domain.SetNumaParameters method a{sv}u -
    Domain.GetBlockIOParameters method u a{sv}
    Domain.SetBlockIOParameters method a{sv}u -
    Domain.AddIOThread method uu -
    Domain.DelIOThread method uu -
    Domain.GetIOThreadInfo method u a(uab)
    Domain.PinIOThread method uabu -
    Domain.GetBlockIOTune method su a{sv}
    Domain.SetBlockIOTune method sa{sv}u -
    Domain.GetInterfaceParameters method su a{sv}
    Domain.SetInterfaceParameters method sa{sv}u -
    Domain.GetGuestVcpus method u a{sv}
    Domain.SetGuestVcpus method abiu -
    Domain.GetPerfEvents method u a{sv}
    Domain.SetPerfEvents method a{sv}u -
    Domain.GetEmulatorPinInfo method u ab
    Domain.GetVcpuPinInfo method u aab
    Domain.PinEmulator method abu -
    Domain.PinVcpu method uabu -
    Domain.SetVcpus method uu -
    Domain.Tunable signal a{sv}
    Domain.InterfaceAddresses method uu a(ssa(isu))
    Domain.FSFreeze method asu u
    Domain.FSThaw method asu u
    Domain.FSTrim method stu -
    Domain.GetFSInfo method u a(sssas)
    Domain.GetHostname method u s
    Domain.GetTime method u (tu)
    Domain.SetTime method tuu -
    Domain.SetUserPassword method ssu -
    Domain.BlockPeek method sttu ay
    Domain.BlockResize method stu -
    Domain.MemoryPeek method ttu ay
    Domain.SetBlockThreshold method stu -
    Domain.DiskChange signal sssi
    Domain.InjectNMI method u -
    Domain.OpenGraphicsFD method uu h
    Domain.PMWakeup method u -
    Domain.SendKey method uuauu -
    Domain.SendProcessSignal method xuu -
    Domain.Reboot method u -
    Domain.Rename method su -
    Domain.Reset method u -
    Domain.Resume method - -
    Domain.SetMemory method tu -
    Domain.SetMemoryStatsPeriod method iu -
    Domain.SetMetadata method isssu -
    Domain.Shutdown method u -
    Domain.Suspend method - -
    Domain.Undefine method u -
    Domain.UpdateDevice method su -
    Domain.AgentEvent signal ii
    Domain.BalloonChange signal t
    Domain.ControlError signal -
    Domain.DeviceAdded signal s
    Domain.DetachDeviceAlias method su -
    Domain.DeviceRemovalFailed signal s
    Domain.DeviceRemoved signal s
    Domain.Graphics signal i(iss)(iss)sa(ss)
    Domain.IOError signal ssis
    Domain.MetadataChange signal is
    Domain.PMSuspend signal i
    Domain.PMSuspendDisk signal i
    Domain.PMWakeup signal i
    Domain.Reboot signal -
    Domain.RTCChange signal x
    Domain.TrayChange signal si
    Domain.Watchdog signal i
    Domain.BlockThreshold signal sstt
    Connect.FindStoragePoolSources method ssu s
    Connect.ListStoragePools method u ao
    Connect.InterfaceChangeBegin method u -
    Connect.InterfaceChangeCommit method u -
    Connect.InterfaceChangeRollback method u -
    Connect.InterfaceDefineXML method su o
    Connect.InterfaceLookupByMAC method s o
    Connect.InterfaceLookupByName method s o
    Connect.ListInterfaces method u ao
    Interface.Active property b read
    Interface.MAC property s read
    Interface.Name property s read
    Interface.Create method u -
    Interface.Destroy method u -
    Interface.GetXMLDesc method u s
    Interface.Undefine method - -
    Connect.ListNWFilters method u ao
    Connect.ListNetworks method u ao
    Connect.ListNodeDevices method u ao
    Connect.NetworkCreateXML method s o
    Connect.NetworkDefineXML method s o
    Connect.NetworkLookupByName method s o
    Connect.NetworkLookupByUUID method s o
    Connect.NetworkEvent signal oi
    Network.Active property b read
    Network.Autostart property b readwrite
    Network.Name property s read
    Network.Persistent property b read
    Network.UUID property s read
    Network.Create method - -
    Network.Destroy method - -
    Network.GetDHCPLeases method su a(sxisssuss)
    Network.GetXMLDesc method u s
    Network.Undefine method - -
    Network.Update method uuisu -
    Connect.NWFilterDefineXML method s o
    Connect.NWFilterLookupByName method s o
    Connect.NWFilterLookupByUUID method s o
    NWFilter.Name property s read
    NWFilter.UUID property s read
    NWFilter.GetXMLDesc method u s
    NWFilter.Undefine method - -
    Connect.ListSecrets method u ao
    Connect.SecretDefineXML method su o
    Connect.SecretLookupByUUID method s o
    Connect.SecretLookupByUsage method is o
    Connect.SecretEvent signal oii
    Secret.UUID property s read
    Secret.UsageID property s read
    Secret.UsageType property i read
    Secret.GetValue method u ay
    Secret.GetXMLDesc method u s
    Secret.SetValue method ayu -
    Secret.Undefine method - -
    Connect.StoragePoolCreateXML method su o
    Connect.StoragePoolDefineXML method su o
    Connect.StoragePoolLookupByName method s o
    Connect.StoragePoolLookupByUUID method s o
    Connect.StorageVolLookupByKey method s o
    Connect.StorageVolLookupByPath method s o
    Connect.StoragePoolEvent signal oii
    StoragePool.Active property b read
    StoragePool.Autostart property b readwrite
    StoragePool.Name property s read
    StoragePool.Persistent property b read
    StoragePool.UUID property s read
    StoragePool.Build method u -
    StoragePool.Create method u -
    StoragePool.Delete method u -
    StoragePool.Destroy method - -
    StoragePool.GetInfo method - (ittt)
    StoragePool.GetXMLDesc method u s
    StoragePool.ListStorageVolumes method u ao
    StoragePool.Refresh method u -
    StoragePool.StorageVolCreateXML method su o
    StoragePool.StorageVolCreateXMLFrom method ssu o
    StoragePool.StorageVolLookupByName method s o
    StoragePool.Undefine method - -
    StoragePool.Refresh signal -
    StorageVol.Key property s read
    StorageVol.Name property s read
    StorageVol.Path property s read
    StorageVol.Delete method u -
    StorageVol.GetInfo method u (itt)
    StorageVol.GetXMLDesc method u s
    StorageVol.Resize method tu -
    StorageVol.Wipe method uu -
"""

# Members of ours, named as libvirt-dbus would have named them.
OURS = """
    Domain.AbortJobFlags method u -
    Connect.ChangeTimeout property u readwrite
    Connect.ErrorEvent signal iisio
    Connect.InterfaceEvent signal oii
    Connect.GetLastError method - (iisisssii)
    Connect.GetMaxVcpus method s u
    Connect.GetStoragePoolCapabilities method u s
    Connect.NodeAllocPages method auatiuu i
    Connect.NodeGetCellsFreeMemory method ii at
    Connect.NodeGetFreePages method auiuu at
    Connect.NodeDeviceDefineXML method su o
    Connect.NodeGetInfo method - (stuuuuuu)
    Connect.ResetLastError method - -
    Connect.Type property s read
    Connect.URI property s read
    Domain.AuthorizedSSHKeysGet method su as
    Domain.AuthorizedSSHKeysSet method sasu -
    Domain.GetGuestInfo method uu a{sv}
    Connect.DomainXMLFromNative method ssu s
    Connect.DomainXMLToNative method ssu s
    Domain.OpenChannel method su h
    Domain.SetLifecycleAction method uuu -
    Domain.OpenConsole method su h
    Domain.PMSuspendForDuration method utu -
    Domain.Screenshot method uu sh
    Domain.BlockStats method s (xxxxx)
    Domain.GetBlockInfo method su (ttt)
    Domain.GetCPUStats method iuu aa{sv}
    Domain.GetVcpuInfo method - a(uitiab)
    Domain.InterfaceStats method s (xxxxxxxx)
    Domain.GetInfo method - (ittut)
    Domain.GetMaxMemory method u t
    Domain.MemoryFailure signal iiu
    Domain.MetadataChanged signal is
    Manager.ConnectClose method o -
    Manager.ConnectOpen method su o
    Manager.ErrorEvent signal iisio
    Manager.GetLastError method - (iisisssii)
    Manager.GetVersion method s (tt)
    Manager.ResetLastError method - -
    Manager.Version property s read
    NodeDevice.Active property b read
    NodeDevice.Autostart property b readwrite
    NodeDevice.Create method u -
    NodeDevice.Name property s read
    NodeDevice.Persistent property b read
    NodeDevice.Undefine method u -
    NodeDevice.Parent property s read
    NodeDevice.Destroy method - -
    NodeDevice.Detach method su -
    NodeDevice.ReAttach method - -
    NodeDevice.Reset method - -
    NodeDevice.GetXMLDesc method u s
    NodeDevice.ListCaps method - as
    Network.GetBridgeName method u s
    Network.ListPorts method u a(ss)
    Network.GetMetadata method isu s
    Network.SetMetadata method isssu -
    Network.MetadataChange signal is
    Network.Refresh signal -
    Network.Warnings property as read
    Secret.ValueChanged signal -
    Migration.Cancel method sa{sv}u a{sv}
    Migration.Confirm method sa{sv}u a{sv}
    Migration.Finish method sa{sv}u a{sv}
    Migration.Prepare method sa{sv}u a{sv}
    Migration.Recover method sa{sv}u a{sv}
    Statistics.GetMetrics method u s
    Statistics.Subscribe method uu -
    Statistics.Unsubscribe method - -
    Statistics.Statistics signal a(oa{sv})
    StoragePool.Problem property s read
    StoragePool.State property i read
    StorageVol.Allocation property t read
    StorageVol.Capacity property t read
    StorageVol.Download method ttu h
    StorageVol.StoragePoolLookupByVolume method - o
    StorageVol.Upload method ttu h
"""

# The interface that libvirt-dbus has no like of.
JOB = """
    Job.Error property s read
    Job.Object property o read
    Job.Operation property s read
    Job.Processed property t read
    Job.Progress property d read
    Job.Started property t read
    Job.State property s read
    Job.Total property t read
    Job.Cancel method - -
    Job.Completed signal bs
"""

INTERFACE = """<node><interface name="a.b.Some">{}</interface></node>"""
ACTION = '<annotation name="org.virtbus.Action" value="some.read"/>'
RUN = '<annotation name="org.virtbus.Run" value="loop"/>'


def signature(member, direction):
    default = "in" if member.tag == "method" else "out"
    args = [arg.get("type") for arg in member.findall("arg") if arg.get("direction", default) == direction]
    return "".join(args) or "-"


def members():
    for full in ("org.libvirt.Connect", "org.libvirt.Domain", "org.libvirt.Interface", "org.libvirt.Manager",
                 "org.libvirt.NWFilter", "org.libvirt.Network", "org.libvirt.NodeDevice", "org.libvirt.Secret",
                 "org.libvirt.StoragePool", "org.libvirt.StorageVol",
                 "org.virtbus.Job", "org.virtbus.Migration", "org.virtbus.Statistics"):
        name = full.rsplit(".", 1)[1]
        root = ElementTree.parse(os.path.join(FOLDER, f"{full}.xml")).getroot()
        for member in root.find("interface"):
            head = f"{name}.{member.get('name')} {member.tag}"
            if member.tag == "property":
                yield f"{head} {member.get('type')} {member.get('access')}"
            elif member.tag == "signal":
                yield f"{head} {signature(member, 'out')}"
            else:
                yield f"{head} {signature(member, 'in')} {signature(member, 'out')}"


def generate(body):
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "some.xml")
        with open(path, "w", encoding="utf-8") as file:
            file.write(INTERFACE.format(body))
        outputs = [os.path.join(folder, "some.h"), os.path.join(folder, "some.c")]
        command = [sys.executable, os.path.join(FOLDER, "generate.py"), path, *outputs]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            return done.stderr
        return [open(output, encoding="utf-8").read() for output in outputs]


class Contract(unittest.TestCase):
    maxDiff = None

    def test_members_and_signatures(self):
        expected = [line.strip() for line in (KNOWN + OURS + JOB).splitlines() if line.strip()]
        self.assertEqual(sorted(members()), sorted(expected))


class Generator(unittest.TestCase):
    def test_complete_member(self):
        header, source = generate(f'<method name="GetXMLDesc"><arg type="a{{sv}}"/>{ACTION}{RUN}</method>')
        self.assertIn("void on_some_get_xml_desc(struct call *call);", header)
        self.assertIn('{ "GetXMLDesc", "a{sv}", "", access_0, -1, INTERFACE_RUN_LOOP, on_some_get_xml_desc }', source)
        self.assertIn('access access_0[] = { { "some.read", 0 }, { NULL, 0 } };', source)
        self.assertNotIn("org.virtbus", source)

    def test_action_of_flags(self):
        action = ACTION.replace("some.read", "some.read some.read-secure{SOME_SECURE|SOME_MORE}")
        _, source = generate(f'<method name="A"><arg type="s"/><arg name="flags" type="u"/>{action}{RUN}</method>')
        self.assertIn('{ "A", "su", "", access_0, 1, INTERFACE_RUN_LOOP, on_some_a }', source)
        self.assertIn('{ { "some.read", 0 }, { "some.read-secure", SOME_SECURE|SOME_MORE }, { NULL, 0 } };', source)

    def test_action_of_another_argument(self):
        action = ACTION.replace("some.read", "some.read some.write{SOME_BIT}")
        chosen = '<annotation name="org.virtbus.Flags" value="source"/>'
        arguments = '<arg name="source" type="u"/><arg name="flags" type="u"/>'
        _, source = generate(f'<method name="A">{arguments}{action}{chosen}{RUN}</method>')
        self.assertIn('{ "A", "uu", "", access_0, 0, INTERFACE_RUN_LOOP, on_some_a }', source)

    def test_refusals(self):
        flags = ACTION.replace("some.read", "some.read{SOME_FLAG}")
        refused = {
            f'<method name="A"><arg name="flags" type="s"/>{flags}{RUN}</method>': "no argument 'flags'",
            f'<property name="A" type="b" access="read">{flags}{RUN}</property>': "a property has no flags",
            f'<method name="A"><arg name="flags" type="u"/>{flags.replace("}", "")}{RUN}</method>': "bad action",
            f'<method name="A">{RUN}</method>': "a.b.Some.A has no org.virtbus.Action",
            f'<method name="A">{ACTION}</method>': "must run in 'loop' or 'lane'",
            f'<method name="A"><arg type="a{{s"/>{ACTION}{RUN}</method>': "a{s",
            f'<method name="A"><arg type="ss"/>{ACTION}{RUN}</method>': "not one complete type",
            f'<method name="A">{ACTION}{RUN}</method><method name="A">{ACTION}{RUN}</method>': "there twice",
            '<signal name="A"/>': "a.b.Some.A has no org.virtbus.Action",
            f'<property name="A" type="b" access="read">{RUN}</property>': "a.b.Some.A has no org.virtbus.Action",
            f'<property name="A" type="b" access="readwrite">{ACTION}{RUN}</property>': "no org.virtbus.WriteAction",
            f'<property name="A" type="b" access="read">{ACTION}{RUN}</property>'
            f'<property name="B" type="b" access="read">{ACTION.replace("read", "getattr")}{RUN}</property>':
                "different actions",
        }
        for body, message in refused.items():
            with self.subTest(body=body):
                self.assertIn(message, generate(body))


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
