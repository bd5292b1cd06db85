/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Command lines of QEMU as documents.
 */
#include "base/error.h"
#include "drivers/qemu/native-parse.h"

#include "tests/unit/check-main.h"

#include <string.h>

static void expect(const char *text, const char *part)
{
        g_autoptr(GError) error = NULL;
        g_autofree char *xml = native_parse(text, "x86_64", &error);

        ck_assert_msg(xml != NULL, "%s", error ? error->message : "no reason");
        ck_assert_msg(strstr(xml, part) != NULL, "%s is not in %s", part, xml);
}

static void expect_not(const char *text, const char *part)
{
        g_autofree char *xml = native_parse(text, "x86_64", NULL);

        ck_assert_ptr_nonnull(xml);
        ck_assert_msg(strstr(xml, part) == NULL, "%s is in %s", part, xml);
}

static void refuse(const char *text, const char *part)
{
        g_autoptr(GError) error = NULL;

        ck_assert_ptr_null(native_parse(text, "x86_64", &error));
        ck_assert(error_is(error, ERROR_INVALID_ARG));
        ck_assert_msg(strstr(error->message, part) != NULL, "%s is not in %s", part, error->message);
}

#define QEMU "qemu-system-x86_64 "

START_TEST(machines)
{
        expect("/usr/bin/qemu-system-aarch64 -M virt", "<emulator>/usr/bin/qemu-system-aarch64</emulator>");
        expect("/usr/bin/qemu-system-aarch64 -M virt", "<type arch='aarch64' machine='virt'>");
        expect("qemu-kvm", "<domain type='kvm'");
        expect(QEMU, "<domain type='qemu'");
        expect(QEMU "-enable-kvm", "<domain type='kvm'");
        expect(QEMU "-machine q35,accel=kvm", "<domain type='kvm'");
        expect(QEMU "-machine pc-q35-7.2,usb=off,smm=on,accel=tcg,x=a,,b", "machine='pc-q35-7.2'>");
        expect(QEMU "-machine pc-q35-7.2,usb=off,smm=on,accel=tcg,x=a,,b",
               "<qemu:arg value='-machine'/><qemu:arg value='smm=on,x=a,,b'/>");
        expect(QEMU "-M type=q35,usb=on", "<qemu:arg value='usb=on'/>");
        expect(QEMU "-machine accel=kvm", "<domain type='kvm'");
        expect_not(QEMU "-machine accel=kvm,usb=off", "qemu:arg");
        expect(QEMU "-machine q35 -machine accel=kvm,smm=on", "<type arch='x86_64' machine='q35'>");
        expect(QEMU "-machine q35 -machine accel=kvm,smm=on", "<qemu:arg value='smm=on'/>");
        expect(QEMU "-name 'my guest'", "<name>my guest</name>");
        expect(QEMU "-m 2G", "<memory unit='KiB'>2097152</memory>");
        expect(QEMU "-m 512", "<memory unit='KiB'>524288</memory>");
        expect(QEMU "-m 1.5G", "<memory unit='KiB'>1572864</memory>");
        expect(QEMU "-m 0.25", "<memory unit='KiB'>256</memory>");
        expect(QEMU "-cpu host,hv_relaxed,hv-vapic=on,hv_spinlocks=0x1fff,hv-vendor-id=abc,+aes",
               "<features><acpi/><apic/><hyperv mode='custom'><relaxed state='on'/><vapic state='on'/>"
               "<spinlocks state='on' retries='8191'/><vendor_id state='on' value='abc'/></hyperv></features>"
               "<cpu mode='host-passthrough'><feature policy='require' name='aes'/></cpu>");
        expect(QEMU "-bios /f/bios.bin", "<loader type='rom'>/f/bios.bin</loader>");
        expect(QEMU "-drive if=pflash,format=raw,unit=0,readonly=on,file=/f/CODE.fd "
                    "-drive if=pflash,format=raw,unit=1,file=/f/VARS.fd",
               "<loader readonly='yes' type='pflash'>/f/CODE.fd</loader><nvram>/f/VARS.fd</nvram>");
        expect(QEMU, "<memory unit='KiB'>131072</memory>");
        expect(QEMU "-smp 2,maxcpus=4", "<vcpu current='2'>4</vcpu>");
        expect(QEMU "-smp cpus=4,sockets=1,cores=2,threads=2",
               "<topology sockets='1' dies='1' cores='2' threads='2'/>");
        expect(QEMU "-smp cores=4,threads=2", "<topology sockets='1' dies='1' cores='4' threads='2'/>");
        expect(QEMU "-smp cores=4,threads=2", "<vcpu current='8'>8</vcpu>");
        expect(QEMU "-smp 8,cores=2", "<topology sockets='4' dies='1' cores='2' threads='1'/>");
        expect(QEMU "-smp 8,sockets=1", "<topology sockets='1' dies='1' cores='8' threads='1'/>");
        expect(QEMU "-smp 2,sockets=1,cores=4,maxcpus=8",
               "<topology sockets='1' dies='1' cores='4' threads='2'/>");
        expect(QEMU "-m 1G,slots=4,maxmem=8G", "<memory unit='KiB'>1048576</memory>");
        expect(QEMU "-m 1G,slots=4,maxmem=8G", "<qemu:arg value='-m'/><qemu:arg value='slots=4,maxmem=8G'/>");
        expect("qemu-system-i386", "<type arch='i686'>hvm</type></os><features><acpi/>");
        expect_not(QEMU "-name a,process=b", "qemu:arg");
        expect(QEMU "-cpu host", "<cpu mode='host-passthrough'></cpu>");
        expect(QEMU "-cpu qemu64,+aes,svm=off", "<feature policy='disable' name='svm'/>");
        expect(QEMU "-rtc base=localtime", "<clock offset='localtime'/>");
        expect(QEMU "-no-reboot", "<on_reboot>destroy</on_reboot>");
        expect("LC_ALL=C " QEMU, "<qemu:env name='LC_ALL' value='C'/>");
        expect(QEMU "\\\n  -m 1G \\\n  -smp 2", "<vcpu current='2'>2</vcpu>");
}
END_TEST

/* Ours stands before what is kept, so it has to be the one that QEMU would take. */
START_TEST(accelerators)
{
        expect(QEMU "-accel kvm", "<domain type='kvm'");
        expect(QEMU "-accel kvm -accel tcg", "<domain type='kvm'");
        expect_not(QEMU "-accel kvm -accel tcg", "qemu:arg");
        expect(QEMU "-accel tcg -accel kvm", "<domain type='qemu'");
        expect("qemu-kvm -accel tcg", "<domain type='qemu'");
        expect(QEMU "-accel kvm,dirty-ring-size=4096", "<domain type='kvm'");
        expect(QEMU "-accel kvm,dirty-ring-size=4096",
               "<kvm><dirty-ring state='on' size='4096'/></kvm></features>");
        expect_not(QEMU "-accel kvm,dirty-ring-size=4096", "qemu:arg");
        expect(QEMU "-accel tcg,tb-size=256",
               "<features><acpi/><apic/><tcg><tb-cache unit='MiB'>256</tb-cache></tcg></features>");
        expect_not(QEMU "-accel tcg,dirty-ring-size=4096", "dirty-ring state");
        expect_not(QEMU "-accel kvm,dirty-ring-size=4096 -machine accel=tcg", "dirty-ring");
        expect(QEMU "-accel accel=kvm -accel tcg,thread=multi", "<domain type='kvm'");
        expect(QEMU "-accel kvm,kernel-irqchip=split",
               "<qemu:arg value='-machine'/><qemu:arg value='kernel-irqchip=split'/>");
        expect(QEMU "-accel hvf -accel tcg", "<qemu:arg value='-accel'/><qemu:arg value='hvf'/>");
}
END_TEST

/* Scripts have defaults, and what they are given behind them: the last one counts. */
START_TEST(twice)
{
        expect(QEMU "-kernel /a -append x -initrd /i -kernel /b -append y -initrd /j",
               "<os><type arch='x86_64'>hvm</type><kernel>/b</kernel><cmdline>y</cmdline>"
               "<initrd>/j</initrd></os>");
        expect(QEMU "-bios /a -bios /b", "hvm</type><loader type='rom'>/b</loader></os>");
        expect(QEMU "-boot menu=off,order=c -boot d",
               "hvm</type><bootmenu enable='no'/><boot dev='cdrom'/></os>");
        expect(QEMU "-boot dc -boot menu=off -boot menu=on",
               "hvm</type><boot dev='cdrom'/><boot dev='hd'/><bootmenu enable='yes'/></os>");
        expect(QEMU "-kernel /a -kernel b", "<kernel>/a</kernel></os>");
        expect(QEMU "-kernel /a -kernel b", "<qemu:arg value='-kernel'/><qemu:arg value='b'/>");
}
END_TEST

START_TEST(devices)
{
        expect(QEMU "-hda /a.raw", "<target dev='hda' bus='ide'/>");
        expect(QEMU "-M q35 -hda /a.raw", "<target dev='sda' bus='sata'/>");
        expect(QEMU "-hda /a.raw -M q35", "<target dev='sda' bus='sata'/>");
        expect(QEMU "-drive file=/a.raw -machine accel=kvm,type=pc-q35-7.2",
               "<target dev='sda' bus='sata'/>");
        expect(QEMU "-M q35 -hda /a.raw --machine pc", "<target dev='hda' bus='ide'/>");
        expect(QEMU "-hda /a.qcow2", "<driver name='qemu' type='qcow2'/>");
        expect(QEMU "-hda /dev/vg/a", "<driver name='qemu' type='raw'/><source dev='/dev/vg/a'/>");
        expect(QEMU "-hdb /a.raw", "<target dev='hdb' bus='ide'/>");
        expect(QEMU "-fda /a.raw", "<target dev='fda' bus='fdc'/>");
        expect(QEMU "-fdb /a.raw", "<target dev='fdb' bus='fdc'/>");
        expect(QEMU "-fdb /b.raw -fda /a.raw", "<source file='/a.raw'/><target dev='fda' bus='fdc'/>");
        expect(QEMU "-cdrom /a.iso -hda /a.raw", "<target dev='hdc' bus='ide'/><readonly/>");
        expect(QEMU "-drive file=/a.qcow2,if=virtio", "<driver name='qemu' type='qcow2'/>");
        expect(QEMU "-drive file=/a.qcow2,index=1,media=disk", "<target dev='hdb' bus='ide'/>");
        expect(QEMU "-drive file=/a.raw,index=1 -drive file=/b.raw", "<target dev='hda' bus='ide'/>");
        expect(QEMU "-drive file=/a,,b.qcow2,format=qcow2,if=virtio", "<source file='/a,b.qcow2'/>");
        expect(QEMU "-drive file=/dev/vg/a,format=raw,if=virtio,cache=none",
               "<driver name='qemu' type='raw' cache='none'/>");
        expect(QEMU "-drive file=/dev/vg/a,format=raw,if=virtio", "<source dev='/dev/vg/a'/>");
        expect(QEMU "-cdrom /a.iso", "<readonly/>");
        expect(QEMU "-boot order=cd,menu=on", "<boot dev='hd'/><boot dev='cdrom'/><bootmenu enable='yes'/>");
        expect(QEMU "-kernel /k -append 'a \"b\" <c>'", "<cmdline>a &quot;b&quot; &lt;c&gt;</cmdline>");
        expect(QEMU "-nic user,model=virtio", "<interface type='user'><model type='virtio'/></interface>");
        expect(QEMU "-device e1000,netdev=n,mac=52:54:00:00:00:01 -netdev bridge,id=n,br=br7",
               "<interface type='bridge'><source bridge='br7'/><mac address='52:54:00:00:00:01'/>"
               "<model type='e1000'/></interface>");
        expect_not(QEMU "-device e1000,netdev=n -netdev user,id=n", "qemu:arg");
        expect(QEMU "-net nic,model=e1000,macaddr=52:54:00:00:00:02 -net bridge,br=br7",
               "<interface type='bridge'><source bridge='br7'/><mac address='52:54:00:00:00:02'/>"
               "<model type='e1000'/></interface>");
        expect_not(QEMU "-net user -net nic", "qemu:arg");
        expect(QEMU "-virtfs local,path=/srv,mount_tag=srv,security_model=mapped-xattr,id=f,readonly=on",
               "<filesystem type='mount' accessmode='mapped'><driver type='path'/><source dir='/srv'/>"
               "<target dir='srv'/><readonly/></filesystem>");
        expect(QEMU "-device vfio-pci,host=0001:02:1f.7",
               "<hostdev mode='subsystem' type='pci' managed='yes'><source><address domain='0x0001' "
               "bus='0x02' slot='0x1f' function='0x7'/></source></hostdev>");
        expect(QEMU "-device vfio-pci,host=02:00.0", "domain='0x0000' bus='0x02' slot='0x00' function='0x0'");
        expect(QEMU "-vnc [::1]:3", "<graphics type='vnc' port='5903' autoport='no' listen='::1'/>");
        expect(QEMU "-cpu host,hv_spinlocks=0x", "<qemu:arg value='host,hv_spinlocks=0x'/>");
        expect(QEMU "-cpu host,hv_spinlocks=0x+5", "<qemu:arg value='host,hv_spinlocks=0x+5'/>");
        expect(QEMU "-vnc 127.0.0.1:3",
               "<graphics type='vnc' port='5903' autoport='no' listen='127.0.0.1'/>");
        expect(QEMU "-serial mon:stdio", "<serial type='pty'/>");
        expect(QEMU "-nographic", "<serial type='pty'/></devices>");
        expect_not(QEMU "-nographic -serial none", "<serial");
        expect(QEMU "-serial file:/tmp/a", "<serial type='file'><source path='/tmp/a'/></serial>");
        expect(QEMU "-vga std", "<model type='vga'/>");
        expect(QEMU "-usb -device usb-tablet", "<input type='tablet' bus='usb'/>");
        expect_not(QEMU "-daemonize -pidfile /run/a -monitor stdio", "qemu:arg");
}
END_TEST

/* What stands around it in scripts is about running it. */
START_TEST(scripts)
{
        expect("sudo -E A=b " QEMU "-m 1G", "<memory unit='KiB'>1048576</memory>");
        expect("sudo -E A=b " QEMU "-m 1G", "<qemu:env name='A' value='b'/>");
        expect("exec env A=b nohup " QEMU, "<qemu:env name='A' value='b'/>");
        expect_not(QEMU "-S &", "qemu:arg");
        expect_not(QEMU "-S >/dev/null 2>&1 &", "qemu:arg");
        expect_not(QEMU "-S 2> log; ", "qemu:arg");
        expect_not(QEMU "-S &> log", "qemu:arg");
        expect_not("#!/bin/sh\n# $A | b\n" QEMU "-S # it's; done\n", "qemu:arg");
        expect(QEMU "-append 'a=$b; c|d' ", "<cmdline>a=$b; c|d</cmdline>");
        expect(QEMU "-append a\\$b", "<cmdline>a$b</cmdline>");
        expect(QEMU "-append \"a;b 5$ >c\"", "<cmdline>a;b 5$ &gt;c</cmdline>");
        refuse(QEMU "-m $MEM -S", "'$MEM' in the command line is for a shell");
        refuse(QEMU "-m \"${MEM:-1G}\"", "'${MEM:-1G}' in");
        refuse(QEMU "-m `cat mem`", "for a shell");
        refuse(QEMU "-S | tee log", "'|' in");
        refuse(QEMU "-hda ~/a.raw", "'~/a.raw' in");
        refuse(QEMU "-drive file=~/a.raw,if=virtio", "'~/a.raw' in");
        refuse("~/bin/" QEMU "-S", "'~/bin/");
        expect(QEMU "-append '~/a =~/b' -hda /a~b.raw", "<cmdline>~/a =~/b</cmdline>");
        refuse(QEMU "-S; echo ended", "';' in");
        refuse(QEMU "-S > $LOG", "'>' in");
        refuse("sudo", "without a program");
}
END_TEST

/* What is not understood, wholly, stands as it is. */
START_TEST(the_rest)
{
        expect(QEMU "-device foo,bar=1", "<qemu:arg value='-device'/><qemu:arg value='foo,bar=1'/>");
        expect(QEMU "-netdev user,id=n,hostfwd=tcp::2222-:22 -device e1000,netdev=n",
               "<qemu:arg value='-device'/><qemu:arg value='e1000,netdev=n'/><qemu:arg value='-netdev'/>");
        expect_not(QEMU "-netdev user,id=n,hostfwd=tcp::2222-:22 -device e1000,netdev=n", "<interface");
        expect(QEMU "-drive file=/a.img,if=virtio", "<qemu:arg value='file=/a.img,if=virtio'/>");
        expect(QEMU "-drive file=a.img,if=virtio,format=raw",
               "<qemu:arg value='file=a.img,if=virtio,format=raw'/>");
        expect_not(QEMU "-drive file=a.img,if=virtio,format=raw", "<disk");
        expect(QEMU "-netdev user,id=a", "<qemu:arg value='user,id=a'/>");
        expect(QEMU "-hda /a.img", "<qemu:arg value='-hda'/><qemu:arg value='/a.img'/>");
        expect_not(QEMU "-hda /a.img", "<disk");
        expect(QEMU "-hda /a.raw -drive file=/b.raw,index=0", "<qemu:arg value='file=/b.raw,index=0'/>");
        expect(QEMU "-drive file=/b.raw,index=26", "<qemu:arg");
        expect(QEMU "-net nic -net user -net user", "<qemu:arg value='-net'/><qemu:arg value='nic'/>");
        expect(QEMU "-net nic -net tap,ifname=a", "<qemu:arg value='nic'/><qemu:arg value='-net'/>");
        expect(QEMU "-net nic,vlan=3 -net user", "<qemu:arg value='nic,vlan=3'/>");
        expect_not(QEMU "-net nic -net user,hostfwd=tcp::2222-:22", "<interface");
        expect(QEMU "-m 1.G", "<qemu:arg value='1.G'/>");
        expect(QEMU "-m 1.0000000001G", "<qemu:arg");
        expect(QEMU "-cpu host,hv_time", "<qemu:arg value='host,hv_time'/>");
        expect(QEMU "-cpu host,hv_relaxed=off", "<qemu:arg");
        expect_not(QEMU "-cpu host,hv_relaxed,hv_time", "<hyperv");
        expect(QEMU "-drive if=pflash,format=raw,unit=1,file=/f/VARS.fd", "<qemu:arg");
        expect(QEMU "-drive if=pflash,format=qcow2,file=/f/CODE.fd", "<qemu:arg");
        expect(QEMU "-bios bios.bin", "<qemu:arg value='-bios'/>");
        expect_not(QEMU "-bios bios.bin", "<loader");
        expect(QEMU "-virtfs local,path=/srv,mount_tag=srv,security_model=mapped-file", "<qemu:arg");
        expect(QEMU "-device vfio-pci,host=02:00.0,x-vga=on", "<qemu:arg");
        expect(QEMU "-device vfio-pci,host=02:00.0f", "<qemu:arg");
        expect(QEMU "-smp 4,threads=2", "<qemu:arg value='4,threads=2'/>");
        expect(QEMU "-smp 8,maxcpus=4", "<qemu:arg value='8,maxcpus=4'/>");
        expect(QEMU "-smp sockets=65536,cores=65536", "<qemu:arg");
        expect(QEMU "-smp 4,cores=3", "<qemu:arg value='4,cores=3'/>");
        expect(QEMU "-vnc :0,password=on", "<qemu:arg value=':0,password=on'/>");
        expect(QEMU "-m", "<qemu:arg value='-m'/>");
        expect(QEMU "image.qcow2", "<qemu:arg value='image.qcow2'/>");
}
END_TEST

START_TEST(no_command_lines)
{
        g_autofree char *large = g_strnfill(NATIVE_TEXT_MAX + 1, 'a');
        g_autoptr(GString) many = g_string_new(QEMU);

        for (unsigned i = 0; i < NATIVE_ARGUMENTS_MAX; i++)
                g_string_append(many, "-S ");
        refuse("", "no command line");
        refuse("'qemu", "quotes");
        refuse("A=b", "without a program");
        refuse("/bin/sh -c qemu", "is no emulator");
        refuse(QEMU "-name 'a\nb'", "control characters");
        refuse(QEMU "-name a\x1d", "control characters");
        refuse(large, "bytes");
        refuse(many->str, "arguments");
}
END_TEST

CHECK_MAIN("qemu-native", machines, accelerators, twice, devices, scripts, the_rest, no_command_lines)
