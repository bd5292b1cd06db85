/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a PCI device says of itself: vital product data (PCI Local Bus 2.2, appendix I), a list of resources
 * that ends in a tag. It comes from the device, so nothing of it is trusted, and no more is read than there
 * is: each word is a question that may take the device milliseconds. The describer's thread.
 */
#include "nodedev/describe-xml.h"

#include "base/cleanup.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* Its addresses have 15 bits. */
#define VPD_BYTES 32768u

#define TAG_NAME  0x82
#define TAG_READ  0x90
#define TAG_WRITE 0x91
#define TAG_END   0x78

/* Their keywords, and elements in the order in which they are written. "V?": a digit or letter behind it. */
struct vpd_field {
        const char *keyword, *element;
};

static const struct vpd_field read_fields[] = {
        { "EC", "change_level" },  { "MN", "manufacture_id" }, { "PN", "part_number" },
        { "SN", "serial_number" }, { "V?", "vendor_field" },
};
static const struct vpd_field write_fields[] = {
        { "YA", "asset_tag" },
        { "V?", "vendor_field" },
        { "Y?", "system_field" },
};

struct vpd_resource {
        uint8_t *bytes; /* owned */
        unsigned length;
};

struct vpd {
        int fd;      /* borrowed */
        unsigned at; /* what has been read */
        uint8_t sum; /* of it */
        struct vpd_resource name, read, write;
};

static bool read_bytes(struct vpd *vpd, uint8_t *bytes, unsigned length)
{
        if (length > VPD_BYTES - vpd->at || pread(vpd->fd, bytes, length, vpd->at) != (ssize_t)length)
                return false;
        vpd->at += length;
        return true;
}

static void add_up(struct vpd *vpd, const uint8_t *bytes, unsigned length)
{
        for (unsigned i = 0; i < length; i++)
                vpd->sum = (uint8_t)(vpd->sum + bytes[i]);
}

/* The value of a keyword among fields; NULL: there is no such, or the fields are malformed before it. */
static const uint8_t *find_field(const struct vpd_resource *resource, const char *keyword, unsigned *length)
{
        for (unsigned at = 0; at + 3 <= resource->length; at += 3 + resource->bytes[at + 2]) {
                *length = resource->bytes[at + 2];
                if (*length > resource->length - at - 3)
                        return NULL;
                if (memcmp(resource->bytes + at, keyword, 2) == 0)
                        return resource->bytes + at + 3;
        }
        return NULL;
}

/* All bytes up to the first one of "RV", that one too, add up to nothing. */
static bool check_sum(struct vpd *vpd)
{
        unsigned length;
        const uint8_t *value = find_field(&vpd->read, "RV", &length);

        if (!value || !length)
                return false;
        add_up(vpd, vpd->read.bytes, (unsigned)(value - vpd->read.bytes) + 1);
        return vpd->sum == 0;
}

/* Takes the place of one that came before. */
static bool read_resource(struct vpd *vpd, struct vpd_resource *resource, unsigned length)
{
        g_free(resource->bytes);
        *resource = (struct vpd_resource){ g_malloc0(length + 1), length };
        return read_bytes(vpd, resource->bytes, length);
}

/* False: it is malformed, or cannot be read. */
static bool read_all(struct vpd *vpd)
{
        uint8_t head[3];
        bool has_read = false;

        while (read_bytes(vpd, head, 1) && head[0] != TAG_END) {
                struct vpd_resource *resource = head[0] == TAG_NAME    ? &vpd->name
                                                : head[0] == TAG_READ  ? &vpd->read
                                                : head[0] == TAG_WRITE ? &vpd->write
                                                                       : NULL;
                unsigned length;

                if (!resource || !read_bytes(vpd, head + 1, 2))
                        return false;
                length = head[1] | (unsigned)head[2] << 8;
                if (!read_resource(vpd, resource, length))
                        return false;
                if (has_read)
                        continue;
                add_up(vpd, head, sizeof(head));
                if (resource != &vpd->read)
                        add_up(vpd, resource->bytes, length);
                else if (!check_sum(vpd))
                        return false;
                has_read = resource == &vpd->read;
        }
        return head[0] == TAG_END && has_read;
}

/* What documents of it may have; NULL: something else is in it. */
static char *make_text(const uint8_t *bytes, unsigned length)
{
        g_autofree char *text = g_strstrip(g_strndup((const char *)bytes, length));

        for (const char *at = text; *at; at++)
                if (!g_ascii_isalnum(*at) && !strchr(" -_,.:;=", *at))
                        return NULL;
        return g_steal_pointer(&text);
}

static bool does_match(const uint8_t *keyword, const char *pattern)
{
        if (keyword[0] != (uint8_t)pattern[0])
                return false;
        /* "YA" has an element of its own. */
        if (pattern[1] == '?')
                return (g_ascii_isdigit(keyword[1]) || g_ascii_isupper(keyword[1])) &&
                       memcmp(keyword, "YA", 2) != 0;
        return keyword[1] == (uint8_t)pattern[1];
}

static void add_field(xmlNode *node, const struct vpd_field *field, const uint8_t *keyword)
{
        g_autofree char *text = make_text(keyword + 3, keyword[2]);
        xmlNode *element = text ? xml_add_text(node, field->element, text) : NULL;

        if (element && field->keyword[1] == '?')
                xml_set_attr_format(element, "index", "%c", keyword[1]);
}

static void add_fields(xmlNode *capability, const char *access, const struct vpd_resource *resource,
                       const struct vpd_field *fields, unsigned count)
{
        xmlNode *node;

        if (!resource->bytes)
                return;
        node = xml_add(capability, "fields");
        xml_set_attr(node, "access", access);
        for (unsigned i = 0; i < count; i++)
                for (unsigned at = 0; at + 3 <= resource->length; at += 3 + resource->bytes[at + 2]) {
                        const uint8_t *keyword = resource->bytes + at;

                        if (keyword[2] > resource->length - at - 3)
                                break;
                        if (does_match(keyword, fields[i].keyword))
                                add_field(node, &fields[i], keyword);
                }
}

static void add_vpd(struct description *description, const struct vpd *vpd)
{
        xmlNode *capability = description_add_capability(description->capability, "vpd");
        g_autofree char *name = vpd->name.bytes ? make_text(vpd->name.bytes, vpd->name.length) : NULL;

        description_set_capability(description, NODE_DEVICE_VPD);
        description_add(capability, "name", name);
        add_fields(capability, "readonly", &vpd->read, read_fields, G_N_ELEMENTS(read_fields));
        add_fields(capability, "readwrite", &vpd->write, write_fields, G_N_ELEMENTS(write_fields));
}

void description_add_vpd(struct description *description)
{
        g_autofree char *path = description_get_path(description, "vpd");
        CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
        struct vpd vpd = { .fd = fd };

        if (fd >= 0 && read_all(&vpd))
                add_vpd(description, &vpd);
        g_free(vpd.name.bytes);
        g_free(vpd.read.bytes);
        g_free(vpd.write.bytes);
}
