/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Status documents: what is written is read back, what is damaged is refused.
 */
#include "drivers/qemu/status.h"

#include "base/error.h"
#include "drivers/qemu/device-internal.h"
#include "tests/unit/check-main.h"

#include <check.h>
#include <glib/gstdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#define DOMAIN                                                                                               \
        "<domain type='kvm' id='3'>\n  <name>a&lt;b</name>\n  <description>two\nlines</description>\n"       \
        "  <devices>\n    <disk type='file'/>\n  </devices>\n</domain>\n"

static struct link_ips *make_ips(void)
{
        struct link_ips *ips = link_ips_new();
        struct link_point point = { .peer.family = 0 };
        struct link_route route = { .metric = 7, .protocol = 3 };

        link_ip_parse(&point.ip, "10.8.0.1");
        link_ip_parse(&point.peer, "10.8.0.2");
        g_array_append_val(ips->points, point);
        link_ip_parse(&route.destination, "2001:db8::");
        route.destination.prefix = 48;
        link_ip_parse(&route.gateway, "2001:db8:1::2");
        g_array_append_val(ips->routes, route);
        return ips;
}

static void check_ips(const GPtrArray *list)
{
        CLEANUP(link_ips_free) struct link_ips *before = make_ips();
        const struct status_ips *noted;

        ck_assert_uint_eq(list->len, 1);
        noted = g_ptr_array_index(list, 0);
        ck_assert_str_eq(noted->alias, "net3");
        ck_assert_str_eq(noted->link, "tap<3");
        ck_assert_uint_eq(noted->ips->points->len, 1);
        ck_assert_uint_eq(noted->ips->routes->len, 1);
        ck_assert_mem_eq(noted->ips->points->data, before->points->data, sizeof(struct link_point));
        ck_assert_mem_eq(noted->ips->routes->data, before->routes->data, sizeof(struct link_route));
}

static struct device_list *make_astray(void)
{
        struct device_list *list = device_list_new();

        device_list_add(list, DEVICE_FDSET, json_pack("{s:i}", "fdset-id", 7));
        device_list_add(list, DEVICE_BLOCKDEV, json_pack("{s:s}", "node-name", "libvirt-2-<storage>"));
        device_list_add(list, DEVICE_OBJECT, json_pack("{s:s}", "id", "it's & mine"));
        device_list_add(list, DEVICE_DEVICE, json_pack("{s:s}", "id", "ua-disk"));
        return list;
}

static void check_astray(const GPtrArray *lists)
{
        CLEANUP(device_list_free) struct device_list *before = make_astray();
        const struct device_list *list;

        ck_assert_uint_eq(lists->len, 1);
        list = g_ptr_array_index(lists, 0);
        ck_assert_uint_eq(device_list_get_length(list), device_list_get_length(before));
        for (unsigned i = 0; i < device_list_get_length(list); i++) {
                const struct device_part *part = device_list_get(list, i), *was = device_list_get(before, i);

                ck_assert_int_eq(part->kind, was->kind);
                ck_assert(json_equal(part->arguments, was->arguments));
        }
}

static struct status *make(void)
{
        struct status *status = status_new();
        struct status_file file;

        status->phase = STATUS_RUNNING;
        ck_assert(uuid_parse(&status->uuid, "6695eb01-f6a4-8304-79aa-97f2502e193f", NULL));
        status->name = g_strdup("a<b");
        status->id = 3;
        status->state = DOMAIN_PAUSED;
        status->reason = DOMAIN_PAUSED_IOERROR;
        status->owner = g_strdup(":1.7");
        status->cgroup = g_strdup("/machine/<x>");
        g_ptr_array_add(status->shares, g_strdup("qemu-3-web-vcpus_0"));
        g_ptr_array_add(status->shares, g_strdup("mon_groups/<x>"));
        status->limits_devices = true;
        status->emulator = (struct status_process){ 4711, 123456789012 };
        status->tpm = (struct status_process){ 4710, 99 };
        status_add_image(status, "ua-it's", "/images/it's & <mine>.qcow2",
                         &(struct ownership){ .uid = 1000, .gid = 4294967294U });
        file = (struct status_file){ .alias = (char *)"ua-it's", .path = (char *)"/images/<mine>" };
        status_add_file(status, &file);
        file.write = true;
        status_add_file(status, &file);
        file = (struct status_file){ .path = (char *)"/run/io", .tree = true };
        status_add_file(status, &file);
        file = (struct status_file){ .path = (char *)"/dev/x", .type = S_IFBLK, .device = makedev(253, 300) };
        status_add_file(status, &file);
        status_add_pci(status, "hostdev0", "0000:3b:00.0");
        status_set_usb(status, "hostdev1", &(struct usb_device){ 9, 9, 9, 9, "9" }, true);
        status_set_usb(status, "hostdev1", &(struct usb_device){ 1, 4, 0x46d, 0xc52b, "4.2" }, true);
        status_add_link(status, &(const struct status_link){ (char *)"net0", (char *)"macvtap<0",
                                                             (char *)"eth0", (char *)"52:54:00:00:00:01" });
        status_add_vf(status,
                      &(const struct status_vf){
                              (char *)"net3", (char *)"eth<1", 7, { { 0x52, 0x54, 0, 0, 0xab, 1 }, 42, 3 } });
        status_add_helper(status, "passt", "net1", &(struct status_process){ 4712, 98 });
        status_add_helper(status, "passt", "net2", &(struct status_process){ 4713, 97 });
        status_drop_helper(status, "net2");
        status_add_script(status, "net3", "/etc/down&up", "tap3");
        status_add_ips(status, "net3", "tap<3", make_ips());
        g_ptr_array_add(status->astray, make_astray());
        status->fake_reboot = true;
        status->undefine_flags = DOMAIN_UNDEFINE_NVRAM | DOMAIN_UNDEFINE_KEEP_TPM;
        status->xml = g_strdup(DOMAIN);
        return status;
}

START_TEST(a_guest_that_moves)
{
        CLEANUP(status_free) struct status *status = make();
        CLEANUP(status_free) struct status *back = NULL;
        g_autofree char *text = NULL;

        status->phase = STATUS_INCOMING;
        status->arrival = g_strdup("some:cookie");
        status->borrowed = g_strdup("{\"max-bandwidth\":7}");
        status->medium = g_strdup("ua-cd");
        status->limits = g_strdup("ua-disk");
        status->departure = (struct domain_departure_note){ g_strdup("qemu+ssh://b/system?a&b"),
                                                            g_strdup("its<cookie"),
                                                            g_strdup("boot"),
                                                            DOMAIN_MIGRATE_LIVE,
                                                            true,
                                                            true };
        text = status_format(status);
        back = status_parse(text, NULL);
        ck_assert_ptr_nonnull(back);
        ck_assert_int_eq(back->phase, STATUS_INCOMING);
        ck_assert_str_eq(back->arrival, "some:cookie");
        ck_assert_str_eq(back->borrowed, "{\"max-bandwidth\":7}");
        ck_assert_str_eq(back->medium, "ua-cd");
        ck_assert_str_eq(back->limits, "ua-disk");
        ck_assert_str_eq(back->departure.destination, "qemu+ssh://b/system?a&b");
        ck_assert_str_eq(back->departure.cookie, "its<cookie");
        ck_assert_str_eq(back->departure.boot, "boot");
        ck_assert_uint_eq(back->departure.flags, DOMAIN_MIGRATE_LIVE);
        ck_assert(back->departure.runs);
}
END_TEST

START_TEST(what_is_written_is_read)
{
        CLEANUP(status_free) struct status *status = make();
        g_autofree char *text = status_format(status);
        GError *error = NULL;
        CLEANUP(status_free) struct status *back = status_parse(text, &error);
        const struct status_image *image;
        const struct status_file *files[3];
        const struct status_link *link;
        const struct status_pci *pci;
        const struct status_vf *vf;
        const struct status_helper *passt;
        const struct status_script *script;
        const struct status_usb *usb;

        ck_assert_msg(back != NULL, "%s\n%s", error ? error->message : "", text);
        ck_assert_int_eq(back->phase, STATUS_RUNNING);
        ck_assert(uuid_equal(&back->uuid, &status->uuid));
        ck_assert_str_eq(back->name, "a<b");
        ck_assert_int_eq(back->id, 3);
        ck_assert_int_eq(back->state, DOMAIN_PAUSED);
        ck_assert_int_eq(back->reason, DOMAIN_PAUSED_IOERROR);
        ck_assert_str_eq(back->owner, ":1.7");
        ck_assert_str_eq(back->cgroup, "/machine/<x>");
        ck_assert_uint_eq(back->shares->len, 2);
        ck_assert_str_eq(g_ptr_array_index(back->shares, 0), "qemu-3-web-vcpus_0");
        ck_assert_str_eq(g_ptr_array_index(back->shares, 1), "mon_groups/<x>");
        ck_assert(back->limits_devices);
        ck_assert_int_eq(back->emulator.pid, 4711);
        ck_assert_uint_eq(back->emulator.start_time, 123456789012);
        ck_assert_int_eq(back->tpm.pid, 4710);
        ck_assert(back->fake_reboot);
        ck_assert(!back->shutdown_seen);
        ck_assert_uint_eq(back->undefine_flags, DOMAIN_UNDEFINE_NVRAM | DOMAIN_UNDEFINE_KEEP_TPM);
        ck_assert_uint_eq(back->images->len, 1);
        image = g_ptr_array_index(back->images, 0);
        ck_assert_str_eq(image->alias, "ua-it's");
        ck_assert_str_eq(image->path, "/images/it's & <mine>.qcow2");
        ck_assert_uint_eq(image->ownership.uid, 1000);
        ck_assert_uint_eq(image->ownership.gid, 4294967294U);
        ck_assert_uint_eq(back->files->len, 3);
        files[0] = g_ptr_array_index(back->files, 0);
        files[1] = g_ptr_array_index(back->files, 1);
        ck_assert_str_eq(files[0]->alias, "ua-it's");
        ck_assert_str_eq(files[0]->path, "/images/<mine>");
        ck_assert(files[0]->write && !files[0]->tree);
        ck_assert_ptr_null(files[1]->alias);
        ck_assert(!files[1]->write && files[1]->tree && !files[1]->type);
        files[2] = g_ptr_array_index(back->files, 2);
        ck_assert(files[2]->type == S_IFBLK && files[2]->device == makedev(253, 300));
        ck_assert_uint_eq(back->pci->len, 1);
        pci = g_ptr_array_index(back->pci, 0);
        ck_assert_str_eq(pci->alias, "hostdev0");
        ck_assert_str_eq(pci->address, "0000:3b:00.0");
        ck_assert_uint_eq(back->usb->len, 1);
        usb = status_find_usb(back, "hostdev1");
        ck_assert(usb && usb->found && usb->usb.bus == 1 && usb->usb.device == 4);
        ck_assert(usb->usb.vendor == 0x46d && usb->usb.product == 0xc52b);
        ck_assert_str_eq(usb->usb.port, "4.2");
        ck_assert_ptr_null(status_find_usb(back, "hostdev0"));
        ck_assert_uint_eq(back->links->len, 1);
        link = g_ptr_array_index(back->links, 0);
        ck_assert_str_eq(link->alias, "net0");
        ck_assert_str_eq(link->name, "macvtap<0");
        ck_assert_str_eq(link->lower, "eth0");
        ck_assert_str_eq(link->mac, "52:54:00:00:00:01");
        ck_assert_uint_eq(back->scripts->len, 1);
        script = g_ptr_array_index(back->scripts, 0);
        ck_assert_str_eq(script->alias, "net3");
        ck_assert_str_eq(script->path, "/etc/down&up");
        ck_assert_str_eq(script->link, "tap3");
        check_ips(back->ips);
        check_astray(back->astray);
        ck_assert_uint_eq(back->helpers->len, 1);
        passt = g_ptr_array_index(back->helpers, 0);
        ck_assert_str_eq(passt->alias, "net1");
        ck_assert_int_eq(passt->process.pid, 4712);
        ck_assert_uint_eq(passt->process.start_time, 98);
        ck_assert_uint_eq(back->vfs->len, 1);
        vf = g_ptr_array_index(back->vfs, 0);
        ck_assert_str_eq(vf->alias, "net3");
        ck_assert_str_eq(vf->physical, "eth<1");
        ck_assert_uint_eq(vf->number, 7);
        ck_assert(vf->before.mac[0] == 0x52 && vf->before.mac[4] == 0xab && vf->before.mac[5] == 1);
        ck_assert(vf->before.vlan == 42 && vf->before.qos == 3);
        ck_assert_str_eq(back->xml, DOMAIN);
}
END_TEST

/* Agents before this one wrote no aliases; their guests run on. */
START_TEST(the_old_form_is_read)
{
        g_autoptr(GError) error = NULL;
        CLEANUP(status_free)
        struct status *status = status_parse(
                "<virtbus-status phase='running' state='1' reason='1' id='3'>"
                "<name>x</name><uuid>6695eb01-f6a4-8304-79aa-97f2502e193f</uuid>"
                "<image path='/a' uid='0' gid='0'/><pci>0000:3b:00.0</pci>" DOMAIN "</virtbus-status>",
                &error);
        const struct status_image *image;
        const struct status_pci *pci;
        g_autofree char *text = NULL;

        ck_assert_msg(status, "%s", error ? error->message : "");
        image = g_ptr_array_index(status->images, 0);
        pci = g_ptr_array_index(status->pci, 0);
        ck_assert_ptr_null(image->alias);
        ck_assert_str_eq(image->path, "/a");
        ck_assert_ptr_null(pci->alias);
        ck_assert_str_eq(pci->address, "0000:3b:00.0");
        /* And what belongs to no device is written as it was. */
        text = status_format(status);
        ck_assert(strstr(text, "<image path='/a' uid='0' gid='0'/>"));
        ck_assert(strstr(text, "<pci>0000:3b:00.0</pci>"));
}
END_TEST

START_TEST(labels_are_written_with_what_they_were)
{
        CLEANUP(status_free) struct status *status = make();
        const struct status_label set = { .alias = (char *)"usb-disk0",
                                          .path = (char *)"/a&b",
                                          .label = (char *)"u:r:t:s0:c1,c2",
                                          .taken = true,
                                          .relabel = { .before = (char *)"u:r:other:s0" } };
        const struct status_label noted = { .path = (char *)"/b", .label = (char *)"u:r:t:s0" };
        CLEANUP(status_free) struct status *back = NULL;
        g_autofree char *text = NULL;
        const struct status_label *label;

        status_add_label(status, &set);
        status_add_label(status, &noted);
        text = status_format(status);
        back = status_parse(text, NULL);
        ck_assert_msg(back && back->labels->len == 2, "%s", text);
        label = g_ptr_array_index(back->labels, 0);
        ck_assert_str_eq(label->alias, "usb-disk0");
        ck_assert_str_eq(label->path, "/a&b");
        ck_assert_str_eq(label->label, "u:r:t:s0:c1,c2");
        ck_assert_str_eq(label->relabel.before, "u:r:other:s0");
        ck_assert(label->taken);
        label = g_ptr_array_index(back->labels, 1);
        ck_assert_ptr_null(label->alias);
        ck_assert_ptr_null(label->relabel.before);
        ck_assert(!label->taken);
}
END_TEST

START_TEST(a_torn_document_is_refused)
{
        CLEANUP(status_free) struct status *status = make();
        g_autofree char *text = status_format(status);

        for (size_t length = strlen(text) - 2; length > 0; length -= MIN(length, 7)) {
                g_autofree char *torn = g_strndup(text, length);
                g_autoptr(GError) error = NULL;

                ck_assert_ptr_null(status_parse(torn, &error));
                ck_assert_ptr_nonnull(error);
        }
}
END_TEST

static const char *const edits[][2] = {
        { "phase='running'", "phase='x'" },
        { "phase='running'", "" },
        { "state='3'", "state='8'" },
        { "state='3'", "state='-1'" },
        { "id='3'>\n  <name>", "id='0'><name>" },
        { "pid='4711'", "pid='1'" },
        { "pid='4711'", "pid='-4711'" },
        { "pid='4711'", "pid='99999999999999999999'" },
        { "uid='1000'", "uid='4294967295'" },
        { "path=", "pat=" },
        { "kind='blockdev'", "kind='tpmdev'" },
        { "name='ua-disk'", "name=''" },
        { "<part kind='device' name='ua-disk'/>", "" },
        { "kind='fdset' name='7'", "kind='fdset' name='-7'" },
        { "6695eb01", "zz95eb01" },
        { "<uuid>", "<uid>" },
        { "0000:3b:00.0", "../../../../x" },
        { "<domain", "<domai" },
        { "qemu-3-web-vcpus_0", "/machine" },
        { "qemu-3-web-vcpus_0", "../x" },
        { "qemu-3-web-vcpus_0", "a/../x" },
        { "qemu-3-web-vcpus_0", "" },
};

START_TEST(wrong_values_are_refused)
{
        CLEANUP(status_free) struct status *status = make();
        g_autofree char *text = status_format(status);
        g_auto(GStrv) parts = g_strsplit(text, edits[_i][0], 2);
        g_autofree char *edited = g_strjoinv(edits[_i][1], parts);
        g_autoptr(GError) error = NULL;

        ck_assert_uint_eq(g_strv_length(parts), 2);
        ck_assert_ptr_null(status_parse(edited, &error));
        ck_assert_ptr_nonnull(error);
}
END_TEST

static const struct {
        const char *text;
        bool good;
} pids[] = {
        { "4711 99\n", true }, { "4711 99", false }, { "4711", false },  { "", false },
        { "1 5\n", false },    { "-5 5\n", false },  { "x 5\n", false },
};

START_TEST(a_torn_pid_file_is_none)
{
        g_autofree char *dir = g_dir_make_tmp("virtbus-status-XXXXXX", NULL);
        g_autofree char *path = g_build_filename(dir, "pid", NULL);
        struct status_process process;

        ck_assert(!status_read_pid(dir, STATUS_PID_FILE, &process));
        ck_assert(g_file_set_contents(path, pids[_i].text, -1, NULL));
        ck_assert_int_eq(status_read_pid(dir, STATUS_PID_FILE, &process), pids[_i].good);
        ck_assert_int_eq(process.pid, pids[_i].good ? 4711 : 0);
        g_remove(path);
        g_rmdir(dir);
}
END_TEST

START_TEST(files_are_private)
{
        g_autofree char *dir = g_dir_make_tmp("virtbus-status-XXXXXX", NULL);
        g_autofree char *path = g_build_filename(dir, "status.xml", NULL);
        CLEANUP(status_free) struct status *status = make();
        CLEANUP(status_free) struct status *back = NULL;
        GStatBuf st;

        ck_assert(status_write(dir, status, NULL));
        ck_assert_int_eq(g_stat(path, &st), 0);
        ck_assert_uint_eq(st.st_mode & 07777, 0600);
        back = status_read(dir, NULL);
        ck_assert_ptr_nonnull(back);
        ck_assert_str_eq(back->xml, DOMAIN);
        g_remove(path);
        g_rmdir(dir);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("qemu-status");
        TCase *tests = tcase_create("status");

        tcase_add_test(tests, a_guest_that_moves);
        tcase_add_test(tests, what_is_written_is_read);
        tcase_add_test(tests, the_old_form_is_read);
        tcase_add_test(tests, labels_are_written_with_what_they_were);
        tcase_add_test(tests, a_torn_document_is_refused);
        tcase_add_loop_test(tests, wrong_values_are_refused, 0, G_N_ELEMENTS(edits));
        tcase_add_loop_test(tests, a_torn_pid_file_is_none, 0, G_N_ELEMENTS(pids));
        tcase_add_test(tests, files_are_private);
        suite_add_tcase(suite, tests);
        return check_run(suite);
}
