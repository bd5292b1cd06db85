/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Devices that come and go: an element is put into a document, found in it by what tells it from others, put
 * in the place of another one, or taken out. No state beside the edit; any thread.
 */
#include "base/error.h"
#include "drivers/domain/alias-xml.h"
#include "drivers/domain/definition-xml.h"
#include "drivers/domain/edit-private-xml.h"
#include "drivers/domain/kinds-xml.h"
#include "drivers/domain/normalize-steps-xml.h"
#include "drivers/domain/normalize-xml.h"
#include "drivers/domain/tidy-xml.h"

#include <string.h>

/* ---- what is asked for ---- */

/* An element that names or describes a device, as a document of its own. */
struct request {
        xmlDoc *doc;   /* owned */
        xmlNode *node; /* borrowed from doc */
        const struct domain_kind *row;
        char *alias; /* owned; NULL: none given */
};

static void request_clear(struct request *request)
{
        g_clear_pointer(&request->doc, xmlFreeDoc);
        g_clear_pointer(&request->alias, g_free);
}

static bool refuse_element(const xmlNode *node, GError **error)
{
        if (xml_is(node, "lease"))
                return error_set(error, ERROR_FROM_DOMAIN, ERROR_CONFIG_UNSUPPORTED,
                                 "<lease> is not supported: there is no lock manager to keep it");
        return xml_error(error, node, "this is no device");
}

static bool request_init(struct request *request, const char *xml, GError **error)
{
        enum domain_device_kind kind;

        *request = (struct request){ .doc = xml_parse(xml, NULL, error) };
        if (!request->doc)
                return false;
        request->node = xml_root(request->doc);
        kind = domain_kind_of(request->node);
        if (kind == DOMAIN_DEVICE_KINDS)
                return refuse_element(request->node, error);
        request->row = &domain_kinds[kind];
        request->alias = xml_attr(xml_child(request->node, "alias"), "name");
        /* Devices are often asked for as a running guest shows them. */
        domain_tidy_device(request->node);
        normalize_strip_device(request->node);
        /* It can be nothing else. */
        if (kind == DOMAIN_DEVICE_INPUT && hardware_is(request->node, "type", "tablet"))
                hardware_default(request->node, "bus", "usb");
        return kind != DOMAIN_DEVICE_MEMORY || normalize_scale_memory(request->node, error);
}

/* ---- finding ---- */

/* Facts that are names: they are the same when they are written the same. All others are numbers and words.
 */
static bool is_name(const char *path)
{
        static const char *const names[] = { "target@dev",  "target@dir",  "target@name", "@name",
                                             "source@path", "source@host", "source@dev",  "source@evdev",
                                             "source/path", "server@path", "backend",     NULL };

        return g_strv_contains(names, path);
}

/* As numbers where both are, so that 0x1 is 1; else without regard to case, as MAC addresses are. */
static bool is_same(const char *one, const char *other)
{
        char *one_end, *other_end;
        guint64 left, right;

        if (!one || !other)
                return one == other;
        left = g_ascii_strtoull(one, &one_end, 0);
        right = g_ascii_strtoull(other, &other_end, 0);
        if (*one && *other && !*one_end && !*other_end)
                return left == right;
        return g_ascii_strcasecmp(one, other) == 0;
}

static bool has_same(const xmlNode *one, const xmlNode *other, const char *path)
{
        const char *left = hardware_peek_path(one, path), *right = hardware_peek_path(other, path);

        return is_name(path) ? g_strcmp0(left, right) == 0 : is_same(left, right);
}

/* Facts of an existing device against those that are given. */
struct match {
        const xmlNode *node, *given;
        unsigned compared;
        bool differs;
};

static void compare(struct match *match, const char *path)
{
        const char *given = hardware_peek_path(match->given, path);

        if (!given || !*given)
                return;
        match->compared++;
        match->differs |= !has_same(match->node, match->given, path);
}

static void compare_address(struct match *match)
{
        const xmlNode *given = xml_child(match->given, "address"), *own = xml_child(match->node, "address");

        for (const xmlAttr *attr = given ? given->properties : NULL; attr; attr = attr->next) {
                const char *name = (const char *)attr->name;

                match->compared++;
                /* Where a memory device is in a guest that runs is in no definition. */
                if (strcmp(name, "base") != 0 || xml_has_attr(own, name))
                        match->differs |= !is_same(hardware_peek(own, name), hardware_peek(given, name));
        }
}

/* A generated name is one of the running guest; its stored definition has none. */
static void compare_alias(struct match *match, const char *given)
{
        const char *own = hardware_peek_child(match->node, "alias", "name");

        if (!given || (!own && !normalize_is_user_alias(given)))
                return;
        match->compared++;
        match->differs |= g_strcmp0(own, given) != 0;
}

/* How to look for a device. */
enum by {
        BY_ALL,       /* all that is given */
        BY_ELSEWHERE, /* likewise, wherever it is */
        /* By the label of a kind that has one, or that there is only one of: the facts are to be changed. */
        BY_LABEL,
};

static bool is_match(const struct request *request, const xmlNode *node, enum by by)
{
        struct match match = { .node = node, .given = request->node };

        if (request->row->label)
                compare(&match, request->row->label);
        if (request->row->family)
                compare(&match, request->row->family);
        for (unsigned i = 0; request->row->facts && request->row->facts[i]; i++) {
                if (by != BY_LABEL || !(request->row->label || request->row->single))
                        compare(&match, request->row->facts[i]);
        }
        if (by != BY_ELSEWHERE)
                compare_address(&match);
        compare_alias(&match, request->alias);
        return !match.differs && (match.compared > 0 || request->row->single);
}

/* Nothing that could be given but their places and names tells one from the other. */
static bool are_alike(const struct domain_kind *row, const xmlNode *one, const xmlNode *other)
{
        if ((row->label && !has_same(one, other, row->label)) ||
            (row->family && !has_same(one, other, row->family)))
                return false;
        for (unsigned i = 0; row->facts && row->facts[i]; i++) {
                if (!has_same(one, other, row->facts[i]))
                        return false;
        }
        return true;
}

/* *found: the first that matches; NULL: none does. False with an error when it may be another one. */
static bool find_by(struct domain_edit *edit, const struct request *request, enum by by, xmlNode **found,
                    GError **error)
{
        *found = NULL;
        XML_FOREACH_CHILD (node, xml_child(domain_edit_root(edit), "devices")) {
                g_autofree char *what = NULL;

                if (!xml_is(node, request->row->element) || !is_match(request, node, by))
                        continue;
                if (!*found) {
                        *found = node;
                        continue;
                }
                if (!request->row->alone && are_alike(request->row, *found, node))
                        continue;
                what = hardware_describe(request->node);
                return error_set(error, ERROR_FROM_DOMAIN, ERROR_OPERATION_FAILED,
                                 "more than one device matches %s: an address or alias has to tell which",
                                 what);
        }
        return true;
}

/* Without its address: by what it is called, or by what of the host it is. */
static bool is_named(const struct request *request)
{
        const char *label = request->row->label;

        return label ? hardware_peek_path(request->node, label) != NULL
                     : xml_child(request->node, "source") != NULL;
}

/*
 * Who names a device may have its address from elsewhere: a guest that runs and its stored definition have it
 * at places of their own.
 */
static xmlNode *find(struct domain_edit *edit, const struct request *request, enum by by, GError **error)
{
        g_autofree char *what = NULL;
        xmlNode *found;

        if (!find_by(edit, request, by, &found, error))
                return NULL;
        if (!found && by == BY_ALL && request->row->anywhere && is_named(request) &&
            !find_by(edit, request, BY_ELSEWHERE, &found, error))
                return NULL;
        if (found)
                return found;
        what = hardware_describe(request->node);
        error_set(error, ERROR_FROM_DOMAIN, ERROR_DEVICE_MISSING, "no device of the domain matches %s", what);
        return NULL;
}

static void locate(const xmlNode *node, struct domain_edit_device *device)
{
        *device = (struct domain_edit_device){ .kind = domain_kind_of(node) };
        for (const xmlNode *it = node->prev; it; it = it->prev)
                device->index += xml_is(it, (const char *)node->name);
}

bool domain_edit_find_device(struct domain_edit *edit, const char *xml, struct domain_edit_device *device)
{
        __attribute__((cleanup(request_clear))) struct request request = { 0 };
        GError **error = domain_edit_error(edit);
        const xmlNode *node;

        if (!request_init(&request, xml, error))
                return false;
        node = find(edit, &request, BY_LABEL, error);
        if (node)
                locate(node, device);
        return node != NULL;
}

/* ---- putting in ---- */

char *domain_device_complete(const char *xml, GError **error)
{
        g_autoptr(xmlDoc) doc = xml_parse(xml, NULL, error);
        xmlNode *node;

        if (!doc)
                return NULL;
        node = xml_root(doc);
        if (domain_kind_of(node) == DOMAIN_DEVICE_KINDS) {
                refuse_element(node, error);
                return NULL;
        }
        domain_tidy_device(node);
        if (xml_is(node, "interface") && !normalize_fill_mac(node, error))
                return NULL;
        return xml_write(doc, NULL);
}

static void add_located(GArray *devices, const xmlNode *node)
{
        struct domain_edit_device device;

        locate(node, &device);
        g_array_append_val(devices, device);
}

/*
 * On a machine that runs: the device alone, and what may come along with it. stays: where another one has
 * been.
 */
static bool settle_running(struct domain_edit *edit, xmlNode *node, const struct domain_machine *machine,
                           bool stays, GArray *devices, GError **error)
{
        __attribute__((cleanup(hardware_clear))) struct hardware hardware = { 0 };

        if (!hardware_init(&hardware, domain_edit_root(edit), machine, error))
                return false;
        hardware.fresh = node;
        hardware.fresh_stays = stays;
        if (!normalize_fresh(&hardware, error))
                return false;
        alias_give(&hardware);
        for (unsigned i = 0; i < hardware.added->len; i++)
                add_located(devices, hardware.added->pdata[i]);
        return true;
}

/* A stored definition stays one that could be defined; that of a guest that runs is looked at when it is
 * committed. */
static bool check_definable(struct domain_edit *edit, const struct domain_edit_side *side, GError **error)
{
        g_autoptr(GError) failure = NULL;

        if (side->running || domain_doc_check(edit->doc, side->machine, &failure) ||
            domain_def_was_refused(edit->before, side->machine))
                return true;
        g_propagate_error(error, g_steal_pointer(&failure));
        return false;
}

static bool settle(struct domain_edit *edit, xmlNode *node, const struct domain_edit_side *side, bool stays,
                   GArray *devices, GError **error)
{
        bool settled = side->running ? settle_running(edit, node, side->machine, stays, devices, error)
                                     : domain_normalize(domain_doc_get_xml(edit->doc), side->machine, error);

        if (settled)
                add_located(devices, node);
        return settled;
}

/* Whoever asks twice would have it twice, and the guest could not tell one from the other. */
static bool check_distinct(struct domain_edit *edit, const struct request *request, GError **error)
{
        const char *label = request->row->label;

        if (!request->row->distinct || !hardware_peek_path(request->node, label))
                return true;
        XML_FOREACH_CHILD (node, xml_child(domain_edit_root(edit), "devices")) {
                g_autofree char *what = NULL;

                if (!xml_is(node, request->row->element) || !has_same(node, request->node, label))
                        continue;
                what = hardware_describe(node);
                return error_set(error, ERROR_FROM_DOMAIN, ERROR_OPERATION_INVALID,
                                 "the domain has %s already", what);
        }
        return true;
}

GArray *domain_edit_attach_device(struct domain_edit *edit, const char *xml,
                                  const struct domain_edit_side *side)
{
        __attribute__((cleanup(request_clear))) struct request request = { 0 };
        g_autoptr(GArray) devices = g_array_new(FALSE, FALSE, sizeof(struct domain_edit_device));
        GError **error = domain_edit_error(edit);
        xmlNode *node;

        if (!request_init(&request, xml, error) || !check_distinct(edit, &request, error))
                return NULL;
        node = xml_add_copy(hardware_child(domain_edit_root(edit), "devices"), request.node);
        if (!settle(edit, node, side, false, devices, error))
                return NULL;
        /* Normalising makes the sum where there are NUMA cells. */
        domain_edit_count_memory(edit, node, true,
                                 !side->running &&
                                         xml_child(xml_child(domain_edit_root(edit), "cpu"), "numa"));
        if ((xml_is(node, "memory") && !domain_edit_check_room(edit, error)) ||
            !check_definable(edit, side, error))
                return NULL;
        return g_steal_pointer(&devices);
}

static bool is_drive(const xmlNode *disk)
{
        return hardware_is(disk, "device", "cdrom") || hardware_is(disk, "device", "floppy");
}

bool domain_edit_has_drive(struct domain_edit *edit, const char *xml)
{
        __attribute__((cleanup(request_clear))) struct request request = { 0 };
        xmlNode *found;

        return request_init(&request, xml, NULL) && xml_is(request.node, "disk") && is_drive(request.node) &&
               find_by(edit, &request, BY_LABEL, &found, NULL) && found && is_drive(found);
}

static bool is_on_usb(const struct domain_kind *row, const xmlNode *node)
{
        const struct domain_kind_usb *usb = &row->usb;

        if (usb->turn == 0 || !usb->value)
                return usb->turn != 0;
        return usb->child ? hardware_child_is(node, usb->child, usb->attr, usb->value)
                          : hardware_is(node, usb->attr, usb->value);
}

/* Is it on another bus than the old one, whose address says nothing there, or on none? */
static bool changes_bus(const struct domain_kind *row, const xmlNode *node, const xmlNode *old)
{
        return hardware_is(node, "model", "none") || (row->bus && !has_same(node, old, row->bus)) ||
               is_on_usb(row, node) != is_on_usb(row, old);
}

static void keep(xmlNode *node, const xmlNode *old, const char *child)
{
        if (!xml_child(node, child) && xml_child(old, child))
                xml_add_copy(node, xml_child(old, child));
}

/* Where the device is, and what it is called, stays unless it is said. */
static void inherit(const struct domain_kind *row, xmlNode *node, const xmlNode *old)
{
        /* A disk's would be one that its name stands for. */
        if (xml_is(node, "disk"))
                hardware_default(hardware_child(node, "target"), "bus",
                                 hardware_peek_child(old, "target", "bus"));
        keep(node, old, "alias");
        if (!changes_bus(row, node, old))
                keep(node, old, "address");
}

static void keep_attributes(xmlNode *node, const xmlNode *old)
{
        for (const xmlAttr *attr = old->properties; attr; attr = attr->next)
                hardware_default(node, (const char *)attr->name,
                                 hardware_peek(old, (const char *)attr->name));
}

/* The limits of a drive are there for whatever is in it; they are of one kind or the other. */
static void keep_limits(xmlNode *node, const xmlNode *old)
{
        if (xml_child(node, "iotune") || xml_child(node, "throttlefilters"))
                return;
        keep(node, old, "iotune");
        keep(node, old, "throttlefilters");
}

/* Whoever asks for another medium says no more than that: what it does not belong to stays. */
static void keep_drive(xmlNode *node, const xmlNode *old)
{
        static const char *const others[] = { "driver",     "source", "backingStore",    "auth",
                                              "encryption", "iotune", "throttlefilters", NULL };
        xmlNode *driver = xml_child(old, "driver");
        g_autofree char *type = xml_attr(xml_child(node, "driver"), "type");

        keep_attributes(node, old);
        XML_FOREACH_CHILD (child, old) {
                if (!g_strv_contains(others, (const char *)child->name))
                        keep(node, old, (const char *)child->name);
        }
        keep_limits(node, old);
        if (!driver)
                return;
        keep_attributes(hardware_child(node, "driver"), driver);
        /* The format is the medium's, and raw where that is left open. */
        xml_set_attr(xml_child(node, "driver"), "type", type);
}

/* What a guest that runs has for good, and documents about something else leave out. */
static void keep_running(xmlNode *node, const xmlNode *old)
{
        keep(node, old, "boot");
        if (xml_is(node, "disk") && is_drive(node) && is_drive(old))
                keep_drive(node, old);
}

GArray *domain_edit_update_device(struct domain_edit *edit, const char *xml,
                                  const struct domain_edit_side *side)
{
        __attribute__((cleanup(request_clear))) struct request request = { 0 };
        g_autoptr(GArray) devices = g_array_new(FALSE, FALSE, sizeof(struct domain_edit_device));
        GError **error = domain_edit_error(edit);
        xmlNode *old, *node;

        if (!request_init(&request, xml, error))
                return NULL;
        /* Whoever gives an address names the one that is there. */
        old = find(edit, &request, BY_LABEL, error);
        if (!old)
                return NULL;
        inherit(request.row, request.node, old);
        if (side->running)
                keep_running(request.node, old);
        node = xml_replace(old, request.node);
        if (!settle(edit, node, side, true, devices, error) || !check_definable(edit, side, error))
                return NULL;
        return g_steal_pointer(&devices);
}

/* ---- taking out ---- */

/* What of an address says that a device is on a controller of that type. */
static const struct {
        const char *type, *address, *attr;
        bool drive; /* of all drives, those of that bus */
} places[] = {
        { "pci", "pci", "bus", false },
        { "usb", "usb", "bus", false },
        { "virtio-serial", "virtio-serial", "controller", false },
        { "ccid", "ccid", "controller", false },
        { "scsi", "drive", "controller", true },
        { "sata", "drive", "controller", true },
        { "nvme", "drive", "controller", true },
        { "ide", "drive", "controller", true },
        { "fdc", "drive", "controller", true },
};

static bool is_on(const xmlNode *device, const xmlNode *controller, unsigned place)
{
        const xmlNode *address = xml_child(device, "address");
        const char *bus = xml_is(device, "disk") ? hardware_peek_child(device, "target", "bus") : "scsi";

        return device != controller && hardware_is(address, "type", places[place].address) &&
               (!places[place].drive || g_strcmp0(bus, places[place].type) == 0) &&
               is_same(hardware_peek(address, places[place].attr), hardware_peek(controller, "index"));
}

/* Below a hub: at port "1.2" of the bus when that is at port "1". */
static bool is_below(const xmlNode *device, const xmlNode *hub)
{
        const xmlNode *address = xml_child(device, "address"), *own = xml_child(hub, "address");
        const char *port = hardware_peek(address, "port"), *above = hardware_peek(own, "port");
        size_t length = above ? strlen(above) : 0;

        return port && above && is_same(hardware_peek(address, "bus"), hardware_peek(own, "bus")) &&
               strncmp(port, above, length) == 0 && port[length] == '.';
}

static bool refuse_used(const xmlNode *device, const xmlNode *by, GError **error)
{
        g_autofree char *what = hardware_describe(device), *user = hardware_describe(by);

        return error_set(error, ERROR_FROM_DOMAIN, ERROR_OPERATION_FAILED, "%s is on %s", user, what);
}

static bool check_unused_hub(struct domain_edit *edit, const xmlNode *hub, GError **error)
{
        XML_FOREACH_CHILD (device, xml_child(domain_edit_root(edit), "devices")) {
                if (is_below(device, hub))
                        return refuse_used(hub, device, error);
        }
        return true;
}

static bool check_unused(struct domain_edit *edit, const xmlNode *controller, GError **error)
{
        unsigned place = 0;

        while (place < G_N_ELEMENTS(places) && !hardware_is(controller, "type", places[place].type))
                place++;
        XML_FOREACH_CHILD (device, xml_child(domain_edit_root(edit), "devices")) {
                if (place < G_N_ELEMENTS(places) && is_on(device, controller, place))
                        return refuse_used(controller, device, error);
        }
        return true;
}

/* The first console and the first serial port, where the one stands for the other. */
static xmlNode *paired(struct domain_edit *edit, const char *element)
{
        xmlNode *devices = xml_child(domain_edit_root(edit), "devices"),
                *console = xml_child(devices, "console");

        return hardware_child_is(console, "target", "type", "serial") ? xml_child(devices, element) : NULL;
}

static bool take_out(struct domain_edit *edit, xmlNode *node, struct domain_edit_device *device,
                     GError **error)
{
        xmlNode *serial = paired(edit, "serial"), *console = paired(edit, "console");

        if (node == console && serial)
                node = serial;
        if ((xml_is(node, "controller") && !check_unused(edit, node, error)) ||
            (xml_is(node, "hub") && !check_unused_hub(edit, node, error)))
                return false;
        locate(node, device);
        if (node == serial)
                xml_remove(console);
        domain_edit_count_memory(edit, node, false, false);
        xml_remove(node);
        return true;
}

bool domain_edit_detach_device(struct domain_edit *edit, const char *xml, struct domain_edit_device *device)
{
        __attribute__((cleanup(request_clear))) struct request request = { 0 };
        GError **error = domain_edit_error(edit);
        xmlNode *node;

        if (!request_init(&request, xml, error))
                return false;
        node = find(edit, &request, BY_ALL, error);
        return node && take_out(edit, node, device, error);
}

bool domain_edit_detach_alias(struct domain_edit *edit, const char *alias, struct domain_edit_device *device)
{
        GError **error = domain_edit_error(edit);
        g_autofree char *quoted = error_quote(alias);

        XML_FOREACH_CHILD (node, xml_child(domain_edit_root(edit), "devices")) {
                if (domain_kind_of(node) < DOMAIN_DEVICE_KINDS &&
                    hardware_child_is(node, "alias", "name", alias))
                        return take_out(edit, node, device, error);
        }
        return error_set(error, ERROR_FROM_DOMAIN, ERROR_DEVICE_MISSING, "no device '%s' in the domain",
                         quoted);
}
