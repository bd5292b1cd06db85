/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Devices that may have come too late, in the status document (status-xml.c): what each is made of, the
 * device itself last, by the names by which QEMU takes it back.
 *
 *     <astray>
 *       <part kind='blockdev' name='libvirt-2-storage'/>
 *       <part kind='device' name='virtio-disk1'/>
 *     </astray>
 *
 * No state; any thread.
 */
#include "drivers/qemu/status-astray-xml.h"

#include "drivers/qemu/device-internal.h"

/* Of what is made while a guest runs: how it is written, and which argument of QEMU's the name is. */
static const struct {
        enum device_kind kind;
        const char *word, *key;
} kinds[] = {
        { DEVICE_OBJECT, "object", "id" },     { DEVICE_BLOCKDEV, "blockdev", "node-name" },
        { DEVICE_CHARDEV, "chardev", "id" },   { DEVICE_NETDEV, "netdev", "id" },
        { DEVICE_DEVICE, "device", "id" },     { DEVICE_FD, "fd", "fdname" },
        { DEVICE_FDSET, "fdset", "fdset-id" },
};

/* ---- writing ---- */

static void add_part(GString *text, const struct device_part *part)
{
        for (unsigned i = 0; i < G_N_ELEMENTS(kinds); i++) {
                const json_t *value = json_object_get(part->arguments, kinds[i].key);
                g_autofree char *name = NULL;

                if (kinds[i].kind != part->kind)
                        continue;
                name = json_is_integer(value)
                               ? g_strdup_printf("%" JSON_INTEGER_FORMAT, json_integer_value(value))
                               : xml_escape(json_string_value(value));
                g_string_append_printf(text, "<part kind='%s' name='%s'/>", kinds[i].word, name);
        }
}

void status_write_astray(GString *text, const GPtrArray *list)
{
        for (unsigned i = 0; i < list->len; i++) {
                const struct device_list *made = g_ptr_array_index(list, i);

                g_string_append(text, "  <astray>");
                for (unsigned j = 0; j < device_list_get_length(made); j++)
                        add_part(text, device_list_get(made, j));
                g_string_append(text, "</astray>\n");
        }
}

/* ---- reading ---- */

static bool read_part(const xmlNode *node, struct device_list *list, GError **error)
{
        g_autofree char *word = xml_attr(node, "kind"), *name = xml_attr(node, "name");
        unsigned number = 0;

        for (unsigned i = 0; name && *name && i < G_N_ELEMENTS(kinds); i++) {
                if (g_strcmp0(kinds[i].word, word) != 0)
                        continue;
                if (kinds[i].kind == DEVICE_FDSET && !xml_get_uint(node, "name", &number, error))
                        return false;
                device_list_add(list, kinds[i].kind,
                                kinds[i].kind == DEVICE_FDSET
                                        ? json_pack("{s:I}", kinds[i].key, (json_int_t)number)
                                        : json_pack("{s:s}", kinds[i].key, name));
                return true;
        }
        return xml_error(error, node, "invalid part of a device");
}

bool status_read_astray(const xmlNode *root, struct status *status, GError **error)
{
        for (const xmlNode *node = xml_child(root, "astray"); node; node = xml_next(node)) {
                CLEANUP(device_list_free) struct device_list *list = device_list_new();
                unsigned length;

                for (const xmlNode *part = xml_child(node, "part"); part; part = xml_next(part)) {
                        if (!read_part(part, list, error))
                                return false;
                }
                length = device_list_get_length(list);
                if (length == 0 || device_list_get(list, length - 1)->kind != DEVICE_DEVICE)
                        return xml_error(error, node, "incomplete device");
                g_ptr_array_add(status->astray, g_steal_pointer(&list));
        }
        return true;
}
