/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The status document:
 *
 *     <virtbus-status phase='running' state='1' reason='1' id='3'>
 *       <name>web</name>
 *       <uuid>...</uuid>
 *       <owner>:1.7</owner>
 *       <emulator pid='812' start='3342'/>
 *       <tpm pid='811' start='3341'/>
 *       <monitor path='/var/lib/libvirt/qemu/domain-3-web/monitor.sock'/>
 *       <cgroup path='/machine.slice/machine-qemu\x2d3\x2dweb.scope' unit='machine-qemu\x2d3\x2dweb.scope'
 *           devices='limited'/>
 *       <image alias='virtio-disk0' path='/images/web.qcow2' uid='0' gid='0'/>
 *       <file alias='virtio-disk0' path='/images/web.qcow2' write='yes'/>
 *       <file alias='virtio-disk1' path='/dev/dm-3' write='yes' device='b253:3'/>
 *       <pci alias='hostdev0'>0000:3b:00.0</pci>
 *       <link alias='net0' name='macvtap0' lower='eth0' mac='52:54:00:12:34:56'/>
 *       <switch alias='net2' name='vnet3' bridge='ovs0' interfaceid='...'/>
 *       <usb alias='hostdev1' bus='1' device='4' port='4.2' vendor='1133' product='50475' found='yes'/>
 *       <vf alias='hostdev0' physical='eth1' number='3' mac='00:00:00:00:00:00' vlan='0' qos='0'/>
 *       <resctrl path='qemu-3-web-vcpus_0-1'/>
 *       <helper program='passt' alias='net1' pid='813' start='3343'/>
 *       <ips alias='net3' link='tap6'><ip address='10.9.0.1' prefix='24'/></ips>
 *       <saved path='/saves/web' device='2049' inode='12'/>
 *       <made path='/images/web.qcow2' device='2049' inode='13'/>
 *       <astray><part kind='device' name='virtio-disk1'/></astray>
 *       <medium>sata0-0-1</medium>
 *       <limits>virtio-disk1</limits>
 *       <host-sleep/>
 *       <arrival>COOKIE</arrival>
 *       <departure destination='qemu+ssh://b/system' cookie='...' boot='...' flags='1' runs='yes'/>
 *                  (postcopy='yes': its memory may be on both sides)
 *       <borrowed>{"max-bandwidth": 8388608}</borrowed>
 *       <fake-reboot/>
 *       <shutdown-seen/>
 *       <undefined flags='4'/>
 *       <domain id='3' type='kvm'>...</domain>
 *     </virtbus-status>
 *
 * state and reason are numbers of libvirt's API. Without an alias it is the guest as a whole that took it;
 * older agents told none. No state of its own; any thread.
 */
#include "drivers/qemu/status.h"

#include "base/xml.h"
#include "drivers/qemu/status-astray-xml.h"
#include "drivers/qemu/status-ips-xml.h"

#include <limits.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#define ROOT "virtbus-status"

static const char *const phase_names[STATUS_PHASES] = {
        [STATUS_STARTING] = "starting",
        [STATUS_INCOMING] = "incoming",
        [STATUS_RUNNING] = "running",
};

/* ---- writing ---- */

static void add_process(GString *text, const char *name, const struct status_process *process)
{
        if (process->pid > 0)
                g_string_append_printf(text, "  <%s pid='%d' start='%" G_GUINT64_FORMAT "'/>\n", name,
                                       (int)process->pid, process->start_time);
}

static void add_text(GString *text, const char *name, const char *value)
{
        g_autofree char *escaped = value ? xml_escape(value) : NULL;

        if (escaped)
                g_string_append_printf(text, "  <%s>%s</%s>\n", name, escaped, name);
}

static void add_alias(GString *text, const char *alias)
{
        g_autofree char *escaped = alias ? xml_escape(alias) : NULL;

        if (escaped)
                g_string_append_printf(text, " alias='%s'", escaped);
}

static void add_link(GString *text, const struct status_link *link)
{
        g_autofree char *name = xml_escape(link->name), *lower = xml_escape(link->lower);

        g_string_append(text, "  <link");
        add_alias(text, link->alias);
        g_string_append_printf(text, " name='%s' lower='%s'", name, lower);
        if (link->mac)
                g_string_append_printf(text, " mac='%s'", link->mac);
        g_string_append(text, "/>\n");
}

static void add_switch(GString *text, const struct status_switch *port)
{
        g_autofree char *name = xml_escape(port->name), *bridge = xml_escape(port->bridge),
                        *id = xml_escape(port->interface_id);

        g_string_append(text, "  <switch");
        add_alias(text, port->alias);
        g_string_append_printf(text, " name='%s' bridge='%s' interfaceid='%s'/>\n", name, bridge, id);
}

static void add_cgroup(GString *text, const struct status *status)
{
        g_autofree char *path = status->cgroup ? xml_escape(status->cgroup) : NULL;
        g_autofree char *unit = status->unit ? xml_escape(status->unit) : NULL;

        if (path)
                g_string_append_printf(text, "  <cgroup path='%s'%s", path,
                                       status->limits_devices ? " devices='limited'" : "");
        if (path && unit)
                g_string_append_printf(text, " unit='%s'", unit);
        if (path)
                g_string_append(text, "/>\n");
}

static void add_shares(GString *text, const GPtrArray *paths)
{
        for (unsigned i = 0; i < paths->len; i++) {
                g_autofree char *path = xml_escape(g_ptr_array_index(paths, i));

                g_string_append_printf(text, "  <resctrl path='%s'/>\n", path);
        }
}

static void add_monitor(GString *text, const char *path)
{
        g_autofree char *escaped = path ? xml_escape(path) : NULL;

        if (escaped)
                g_string_append_printf(text, "  <monitor path='%s'/>\n", escaped);
}

static void add_usb(GString *text, const GPtrArray *list)
{
        for (unsigned i = 0; i < list->len; i++) {
                const struct status_usb *noted = g_ptr_array_index(list, i);
                const struct usb_device *usb = &noted->usb;
                g_autofree char *port = xml_escape(usb->port);

                g_string_append(text, "  <usb");
                add_alias(text, noted->alias);
                g_string_append_printf(
                        text, " bus='%u' device='%u' port='%s' vendor='%u' product='%u' found='%s'/>\n",
                        usb->bus, usb->device, port, usb->vendor, usb->product, noted->found ? "yes" : "no");
        }
}

static void add_vfs(GString *text, const GPtrArray *list)
{
        for (unsigned i = 0; i < list->len; i++) {
                const struct status_vf *vf = g_ptr_array_index(list, i);
                g_autofree char *physical = xml_escape(vf->physical);
                const uint8_t *mac = vf->before.mac;

                g_string_append(text, "  <vf");
                add_alias(text, vf->alias);
                g_string_append_printf(text,
                                       " physical='%s' number='%u' mac='%02x:%02x:%02x:%02x:%02x:%02x' "
                                       "vlan='%u' qos='%u'/>\n",
                                       physical, vf->number, mac[0], mac[1], mac[2], mac[3], mac[4], mac[5],
                                       vf->before.vlan, vf->before.qos);
        }
}

static void add_helpers(GString *text, const GPtrArray *list)
{
        for (unsigned i = 0; i < list->len; i++) {
                const struct status_helper *noted = g_ptr_array_index(list, i);

                g_string_append_printf(text, "  <helper program='%s'", noted->program);
                add_alias(text, noted->alias);
                g_string_append_printf(text, " pid='%d' start='%" G_GUINT64_FORMAT "'/>\n",
                                       (int)noted->process.pid, noted->process.start_time);
        }
}

static void add_departure(GString *text, const struct domain_departure_note *note)
{
        g_autofree char *destination = note->cookie ? xml_escape(note->destination) : NULL;
        g_autofree char *cookie = note->cookie ? xml_escape(note->cookie) : NULL;
        g_autofree char *boot = note->cookie ? xml_escape(note->boot) : NULL;

        if (cookie)
                g_string_append_printf(
                        text,
                        "  <departure destination='%s' cookie='%s' boot='%s' flags='%u' runs='%s'%s/>\n",
                        destination, cookie, boot, note->flags, note->runs ? "yes" : "no",
                        note->postcopy ? " postcopy='yes'" : "");
}

static void add_scripts(GString *text, const GPtrArray *list)
{
        for (unsigned i = 0; i < list->len; i++) {
                const struct status_script *noted = g_ptr_array_index(list, i);
                g_autofree char *path = xml_escape(noted->path), *name = xml_escape(noted->link);

                g_string_append(text, "  <downscript");
                add_alias(text, noted->alias);
                g_string_append_printf(text, " path='%s' link='%s'/>\n", path, name);
        }
}

/* By hand: the <domain> in it is a string that exists. */
static void add_file(GString *text, const struct status_file *file)
{
        g_autofree char *path = xml_escape(file->path);

        g_string_append(text, "  <file");
        add_alias(text, file->alias);
        g_string_append_printf(text, " path='%s'%s%s", path, file->write ? " write='yes'" : "",
                               file->tree ? " tree='yes'" : "");
        if (file->type)
                g_string_append_printf(text, " device='%c%u:%u'", file->type == S_IFBLK ? 'b' : 'c',
                                       major(file->device), minor(file->device));
        g_string_append(text, "/>\n");
}

static void add_label(GString *text, const struct status_label *label)
{
        g_autofree char *path = xml_escape(label->path), *own = xml_escape(label->label);
        g_autofree char *before = label->relabel.before ? xml_escape(label->relabel.before) : NULL;

        g_string_append(text, "  <label");
        add_alias(text, label->alias);
        g_string_append_printf(text, " path='%s' label='%s'", path, own);
        if (before)
                g_string_append_printf(text, " before='%s'", before);
        g_string_append(text, label->taken ? " taken='yes'/>\n" : "/>\n");
}

char *status_format(const struct status *status)
{
        GString *text = g_string_new(NULL);
        char uuid[UUID_STRING_LENGTH + 1];

        g_string_append_printf(text, "<" ROOT " phase='%s' state='%d' reason='%d' id='%d'>\n",
                               phase_names[status->phase], (int)status->state, status->reason, status->id);
        add_text(text, "name", status->name);
        add_text(text, "uuid", uuid_format(&status->uuid, uuid));
        add_text(text, "owner", status->owner);
        add_process(text, "emulator", &status->emulator);
        add_process(text, "tpm", &status->tpm);
        add_monitor(text, status->monitor);
        add_cgroup(text, status);
        add_shares(text, status->shares);
        for (unsigned i = 0; i < status->images->len; i++) {
                const struct status_image *image = g_ptr_array_index(status->images, i);
                g_autofree char *path = xml_escape(image->path);

                g_string_append(text, "  <image");
                add_alias(text, image->alias);
                g_string_append_printf(text, " path='%s' uid='%u' gid='%u'/>\n", path,
                                       (unsigned)image->ownership.uid, (unsigned)image->ownership.gid);
        }
        for (unsigned i = 0; i < status->labels->len; i++)
                add_label(text, g_ptr_array_index(status->labels, i));
        for (unsigned i = 0; i < status->files->len; i++)
                add_file(text, g_ptr_array_index(status->files, i));
        for (unsigned i = 0; i < status->pci->len; i++) {
                const struct status_pci *pci = g_ptr_array_index(status->pci, i);

                g_string_append(text, "  <pci");
                add_alias(text, pci->alias);
                g_string_append_printf(text, ">%s</pci>\n", pci->address);
        }
        for (unsigned i = 0; i < status->links->len; i++)
                add_link(text, g_ptr_array_index(status->links, i));
        for (unsigned i = 0; i < status->switches->len; i++)
                add_switch(text, g_ptr_array_index(status->switches, i));
        add_usb(text, status->usb);
        add_vfs(text, status->vfs);
        add_helpers(text, status->helpers);
        add_scripts(text, status->scripts);
        status_write_ips(text, status->ips);
        if (status->saved.path) {
                g_autofree char *path = xml_escape(status->saved.path);

                g_string_append_printf(text,
                                       "  <saved path='%s' device='%" PRIu64 "' inode='%" PRIu64 "'/>\n",
                                       path, status->saved.device, status->saved.inode);
        }
        for (unsigned i = 0; i < status->made->len; i++) {
                const struct status_made *made = g_ptr_array_index(status->made, i);
                g_autofree char *path = xml_escape(made->path);

                g_string_append_printf(text, "  <made path='%s' device='%" PRIu64 "' inode='%" PRIu64 "'/>\n",
                                       path, made->device, made->inode);
        }
        status_write_astray(text, status->astray);
        add_text(text, "medium", status->medium);
        add_text(text, "limits", status->limits);
        if (status->sleeps)
                g_string_append(text, "  <host-sleep/>\n");
        add_text(text, "arrival", status->arrival);
        add_departure(text, &status->departure);
        add_text(text, "borrowed", status->borrowed);
        if (status->fake_reboot)
                g_string_append(text, "  <fake-reboot/>\n");
        if (status->shutdown_seen)
                g_string_append(text, "  <shutdown-seen/>\n");
        if (status->undefine_flags)
                g_string_append_printf(text, "  <undefined flags='%u'/>\n", status->undefine_flags);
        g_string_append(text, status->xml);
        g_string_append(text, "</" ROOT ">\n");
        return g_string_free(text, FALSE);
}

/* ---- reading ---- */

static bool read_head(const xmlNode *root, struct status *status, GError **error)
{
        int phase = -1, state = -1;

        if (!xml_get_enum(root, "phase", phase_names, STATUS_PHASES, &phase, error) ||
            !xml_get_int(root, "state", &state, error) ||
            !xml_get_int(root, "reason", &status->reason, error) ||
            !xml_get_int(root, "id", &status->id, error))
                return false;
        if (phase < 0 || state < DOMAIN_NOSTATE || state > DOMAIN_PMSUSPENDED || status->reason < 0 ||
            status->id <= 0)
                return xml_error(error, root, "invalid status");
        status->phase = (enum status_phase)phase;
        status->state = (enum domain_run_state)state;
        return true;
}

static bool read_identity(const xmlNode *root, struct status *status, GError **error)
{
        g_autofree char *uuid = xml_child_text(root, "uuid");

        status->name = xml_child_text(root, "name");
        status->owner = xml_child_text(root, "owner");
        if (!status->name || !uuid)
                return xml_error(error, root, "missing name or uuid");
        return uuid_parse(&status->uuid, uuid, error);
}

static bool read_pid(const xmlNode *node, struct status_process *process, GError **error)
{
        int pid = 0;

        if (!xml_get_int(node, "pid", &pid, error) ||
            !xml_get_uint64(node, "start", &process->start_time, error))
                return false;
        if (pid <= 1)
                return xml_error(error, node, "invalid pid");
        process->pid = pid;
        return true;
}

static bool read_process(const xmlNode *root, const char *name, struct status_process *process,
                         GError **error)
{
        const xmlNode *node = xml_child(root, name);

        return !node || read_pid(node, process, error);
}

static bool read_monitor(const xmlNode *root, struct status *status, GError **error)
{
        const xmlNode *node = xml_child(root, "monitor");

        status->monitor = xml_attr(node, "path");
        return !node || (status->monitor && *status->monitor == '/') ||
               xml_error(error, node, "invalid monitor");
}

/* Names of directories, which are removed. */
static bool read_cgroup(const xmlNode *root, struct status *status, GError **error)
{
        const xmlNode *node = xml_child(root, "cgroup");
        g_autofree char *devices = NULL;

        if (!node)
                return true;
        status->cgroup = xml_attr(node, "path");
        status->unit = xml_attr(node, "unit");
        devices = xml_attr(node, "devices");
        status->limits_devices = g_strcmp0(devices, "limited") == 0;
        if (!status->cgroup || status->cgroup[0] != '/' || strstr(status->cgroup, "/.."))
                return xml_error(error, node, "invalid control group");
        return true;
}

/* Likewise: below resctrl's own directory. */
static bool read_shares(const xmlNode *root, struct status *status, GError **error)
{
        for (const xmlNode *node = xml_child(root, "resctrl"); node; node = xml_next(node)) {
                g_autofree char *path = xml_attr(node, "path");

                if (!path || !*path || *path == '/' || g_str_has_prefix(path, "..") || strstr(path, "/.."))
                        return xml_error(error, node, "invalid group of resctrl");
                g_ptr_array_add(status->shares, g_steal_pointer(&path));
        }
        return true;
}

static bool read_images(const xmlNode *root, struct status *status, GError **error)
{
        for (const xmlNode *node = xml_child(root, "image"); node; node = xml_next(node)) {
                g_autofree char *path = xml_attr(node, "path"), *alias = xml_attr(node, "alias");
                unsigned uid = UINT_MAX, gid = UINT_MAX;

                if (!xml_get_uint(node, "uid", &uid, error) || !xml_get_uint(node, "gid", &gid, error))
                        return false;
                if (!path || uid == UINT_MAX || gid == UINT_MAX)
                        return xml_error(error, node, "incomplete image");
                status_add_image(status, alias, path, &(struct ownership){ .uid = uid, .gid = gid });
        }
        return true;
}

static bool read_labels(const xmlNode *root, struct status *status, GError **error)
{
        for (const xmlNode *node = xml_child(root, "label"); node; node = xml_next(node)) {
                g_autofree char *alias = xml_attr(node, "alias"), *path = xml_attr(node, "path"),
                                *own = xml_attr(node, "label"), *before = xml_attr(node, "before"),
                                *taken = xml_attr(node, "taken");
                const struct status_label label = { .alias = alias,
                                                    .path = path,
                                                    .label = own,
                                                    .taken = g_strcmp0(taken, "yes") == 0,
                                                    .unsure = g_strcmp0(taken, "yes") != 0,
                                                    .relabel = { .before = before } };

                if (!path || *path != '/' || !own)
                        return xml_error(error, node, "incomplete label");
                status_add_label(status, &label);
        }
        return true;
}

/* "b8:0" */
static bool read_device(const char *text, struct status_file *file)
{
        unsigned major_number, minor_number;
        char type, end;

        if (sscanf(text, "%c%u:%u%c", &type, &major_number, &minor_number, &end) != 3)
                return false;
        file->type = type == 'b' ? S_IFBLK : S_IFCHR;
        file->device = makedev(major_number, minor_number);
        return type == 'b' || type == 'c';
}

static bool read_files(const xmlNode *root, struct status *status, GError **error)
{
        for (const xmlNode *node = xml_child(root, "file"); node; node = xml_next(node)) {
                g_autofree char *path = xml_attr(node, "path"), *alias = xml_attr(node, "alias");
                g_autofree char *write = xml_attr(node, "write"), *tree = xml_attr(node, "tree"),
                                *device = xml_attr(node, "device");
                struct status_file file = { .alias = alias,
                                            .path = path,
                                            .write = g_strcmp0(write, "yes") == 0,
                                            .tree = g_strcmp0(tree, "yes") == 0 };

                if (!path || *path != '/' || (device && !read_device(device, &file)))
                        return xml_error(error, node, "incomplete file");
                status_add_file(status, &file);
        }
        return true;
}

/* Names of files below /sys: nothing else will do. */
static bool read_pci(const xmlNode *root, struct status *status, GError **error)
{
        for (const xmlNode *node = xml_child(root, "pci"); node; node = xml_next(node)) {
                g_autofree char *address = xml_text(node), *alias = xml_attr(node, "alias");

                if (!address || strlen(address) < strlen("0000:00:00.0") || strlen(address) > 31 ||
                    strspn(address, "0123456789abcdef:.") != strlen(address) || strstr(address, ".."))
                        return xml_error(error, node, "invalid PCI address");
                status_add_pci(status, alias, address);
        }
        return true;
}

static bool read_links(const xmlNode *root, struct status *status, GError **error)
{
        for (const xmlNode *node = xml_child(root, "link"); node; node = xml_next(node)) {
                g_autofree char *alias = xml_attr(node, "alias"), *name = xml_attr(node, "name");
                g_autofree char *lower = xml_attr(node, "lower"), *mac = xml_attr(node, "mac");

                if (!name || !lower || (mac && strspn(mac, "0123456789abcdef:") != strlen(mac)))
                        return xml_error(error, node, "invalid link");
                status_add_link(status, &(const struct status_link){ alias, name, lower, mac });
        }
        return true;
}

static bool read_switches(const xmlNode *root, struct status *status, GError **error)
{
        for (const xmlNode *node = xml_child(root, "switch"); node; node = xml_next(node)) {
                g_autofree char *alias = xml_attr(node, "alias"), *name = xml_attr(node, "name");
                g_autofree char *bridge = xml_attr(node, "bridge"), *id = xml_attr(node, "interfaceid");

                if (!name || !*name || *name == '-' || !bridge || *bridge == '-' || !id || !*id)
                        return xml_error(error, node, "invalid port of a switch");
                status_add_switch(status, &(const struct status_switch){ alias, name, bridge, id });
        }
        return true;
}

static bool read_usb(const xmlNode *root, struct status *status, GError **error)
{
        for (const xmlNode *node = xml_child(root, "usb"); node; node = xml_next(node)) {
                g_autofree char *alias = xml_attr(node, "alias"), *port = xml_attr(node, "port"),
                                *found = xml_attr(node, "found");
                struct usb_device usb = { 0 };

                if (!xml_get_uint(node, "bus", &usb.bus, error) ||
                    !xml_get_uint(node, "device", &usb.device, error) ||
                    !xml_get_uint(node, "vendor", &usb.vendor, error) ||
                    !xml_get_uint(node, "product", &usb.product, error))
                        return false;
                if (!alias || !port || strlen(port) >= sizeof(usb.port))
                        return xml_error(error, node, "incomplete USB device");
                g_strlcpy(usb.port, port, sizeof(usb.port));
                status_set_usb(status, alias, &usb, g_strcmp0(found, "yes") == 0);
        }
        return true;
}

static bool read_vfs(const xmlNode *root, struct status *status, GError **error)
{
        for (const xmlNode *node = xml_child(root, "vf"); node; node = xml_next(node)) {
                g_autofree char *alias = xml_attr(node, "alias"), *physical = xml_attr(node, "physical"),
                                *mac = xml_attr(node, "mac");
                struct status_vf vf = { .alias = alias, .physical = physical };
                uint8_t *bytes = vf.before.mac;
                char end;

                if (!xml_get_uint(node, "number", &vf.number, error) ||
                    !xml_get_uint(node, "vlan", &vf.before.vlan, error) ||
                    !xml_get_uint(node, "qos", &vf.before.qos, error))
                        return false;
                if (!alias || !physical || !mac ||
                    sscanf(mac, "%2hhx:%2hhx:%2hhx:%2hhx:%2hhx:%2hhx%c", &bytes[0], &bytes[1], &bytes[2],
                           &bytes[3], &bytes[4], &bytes[5], &end) != 6)
                        return xml_error(error, node, "incomplete virtual function");
                status_add_vf(status, &vf);
        }
        return true;
}

static bool read_helpers(const xmlNode *root, struct status *status, GError **error)
{
        for (const xmlNode *node = xml_child(root, "helper"); node; node = xml_next(node)) {
                g_autofree char *alias = xml_attr(node, "alias"), *program = xml_attr(node, "program");
                struct status_process process;

                if (!read_pid(node, &process, error))
                        return false;
                if (!alias || !program)
                        return xml_error(error, node, "missing alias or program");
                status_add_helper(status, program, alias, &process);
        }
        return true;
}

static bool read_scripts(const xmlNode *root, struct status *status, GError **error)
{
        for (const xmlNode *node = xml_child(root, "downscript"); node; node = xml_next(node)) {
                g_autofree char *alias = xml_attr(node, "alias"), *path = xml_attr(node, "path"),
                                *name = xml_attr(node, "link");

                if (!alias || !path || !name)
                        return xml_error(error, node, "missing alias, path or link");
                status_add_script(status, alias, path, name);
        }
        return true;
}

static bool read_saved(const xmlNode *root, struct status *status, GError **error)
{
        const xmlNode *node = xml_child(root, "saved");

        status->saved.path = xml_attr(node, "path");
        return xml_get_uint64(node, "device", &status->saved.device, error) &&
               xml_get_uint64(node, "inode", &status->saved.inode, error);
}

static bool read_made(const xmlNode *root, struct status *status, GError **error)
{
        for (const xmlNode *node = xml_child(root, "made"); node; node = xml_next(node)) {
                g_autofree char *path = xml_attr(node, "path");
                uint64_t device = 0, inode = 0;

                if (!xml_get_uint64(node, "device", &device, error) ||
                    !xml_get_uint64(node, "inode", &inode, error))
                        return false;
                if (!path || *path != '/')
                        return xml_error(error, node, "incomplete image");
                status_add_made(status, path, device, inode);
        }
        return true;
}

static bool read_departure(const xmlNode *root, struct domain_departure_note *note, GError **error)
{
        const xmlNode *node = xml_child(root, "departure");
        g_autofree char *runs = xml_attr(node, "runs"), *postcopy = xml_attr(node, "postcopy");

        if (!node)
                return true;
        note->destination = xml_attr(node, "destination");
        note->cookie = xml_attr(node, "cookie");
        note->boot = xml_attr(node, "boot");
        note->runs = g_strcmp0(runs, "yes") == 0;
        note->postcopy = g_strcmp0(postcopy, "yes") == 0;
        if (!note->destination || !note->cookie || !note->boot)
                return xml_error(error, node, "incomplete departure");
        return xml_get_uint(node, "flags", &note->flags, error);
}

struct status *status_parse(const char *text, GError **error)
{
        g_autoptr(xmlDoc) doc = xml_parse(text, ROOT, error);
        CLEANUP(status_free) struct status *status = status_new();
        const xmlNode *root, *domain;

        if (!doc)
                return NULL;
        root = xml_root(doc);
        domain = xml_child(root, "domain");
        if (!domain) {
                xml_error(error, root, "missing <domain>");
                return NULL;
        }
        if (!read_head(root, status, error) || !read_identity(root, status, error) ||
            !read_process(root, "emulator", &status->emulator, error) ||
            !read_process(root, "tpm", &status->tpm, error) || !read_monitor(root, status, error) ||
            !read_cgroup(root, status, error) || !read_shares(root, status, error) ||
            !read_images(root, status, error) || !read_labels(root, status, error) ||
            !read_files(root, status, error) || !read_pci(root, status, error) ||
            !read_links(root, status, error) || !read_switches(root, status, error) ||
            !read_usb(root, status, error) || !read_helpers(root, status, error) ||
            !read_vfs(root, status, error) || !read_scripts(root, status, error) ||
            !status_read_ips(root, status, error) || !read_saved(root, status, error) ||
            !read_made(root, status, error) || !status_read_astray(root, status, error) ||
            !read_departure(root, &status->departure, error))
                return NULL;
        status->medium = xml_child_text(root, "medium");
        status->limits = xml_child_text(root, "limits");
        status->sleeps = xml_child(root, "host-sleep");
        status->arrival = xml_child_text(root, "arrival");
        status->borrowed = xml_child_text(root, "borrowed");
        status->fake_reboot = xml_child(root, "fake-reboot");
        status->shutdown_seen = xml_child(root, "shutdown-seen");
        if (!xml_get_uint(xml_child(root, "undefined"), "flags", &status->undefine_flags, error))
                return NULL;
        status->xml = xml_write(doc, domain);
        return g_steal_pointer(&status);
}
