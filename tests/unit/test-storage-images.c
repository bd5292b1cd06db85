/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Images that lead elsewhere: what their headers name is never opened because of them, and what is copied is
 * what the chain of volumes holds. With real images and qemu-img.
 */
#include "tests/unit/storage-support.h"

#include "drivers/storage/model.h"

#define SECRET "a secret of the host, which no clone may have in it"

static struct storage_pool *pool;

static void set_up(void)
{
        g_autofree char *secret = NULL, *content = NULL;

        setup();
        pool = make_pool("a");
        secret = under_top("secret");
        content = g_strdup_printf("%-65536s", SECRET);
        ck_assert(g_file_set_contents(secret, content, -1, NULL));
}

/* In the pool's directory; the secret is ../secret. */
static void in_pool(const char *format, ...)
{
        g_autofree char *command = NULL, *all = NULL;
        va_list args;

        va_start(args, format);
        command = g_strdup_vprintf(format, args);
        va_end(args);
        all = g_strdup_printf("cd %s/a && %s", top, command);
        ck_assert_msg(system(all) == 0, "%s", command);
}

static void refresh(void)
{
        expect(CALL(storage_pool_refresh, pool, 0));
}

static struct answer clone_to(const char *name, const char *source, const char *format)
{
        g_autofree char *key = volume_path(pool, source);
        g_autofree char *xml = g_strdup_printf(
                "<volume><name>%s</name><target><format type='%s'/></target></volume>", name, format);

        return CALL_VOLUME(storage_volume_create_xml_from, pool, xml, key, 0);
}

static void refuse_clone(const char *source, const char *part)
{
        refuse(clone_to("copy", source, "raw"), part);
        ck_assert_ptr_null(find(pool, "copy"));
}

static void replace(const char *name, const void *old, const void *new, size_t length)
{
        g_autofree char *path = volume_path(pool, name), *data = NULL;
        gsize size;
        char *at;

        ck_assert(g_file_get_contents(path, &data, &size, NULL));
        at = memmem(data, size, old, length);
        ck_assert_ptr_nonnull(at);
        memcpy(at, new, length);
        ck_assert(g_file_set_contents(path, data, (gssize)size, NULL));
}

/* The data of such an image is in any file that its header names. */
START_TEST(test_data_in_another_file)
{
        g_autofree char *secret = under_top("secret"), *content = NULL;

        /* qemu-img empties the data file of a new image. */
        in_pool("cp ../secret ../kept && qemu-img create -q -f qcow2 -o data_file=%s,data_file_raw=on evil "
                "64K "
                "&& "
                "cp ../kept ../secret",
                secret);
        refresh();
        ck_assert_int_eq(find(pool, "evil")->format, VOLUME_FORMAT_QCOW2);
        refuse_clone("evil", "keeps its data in other files");
        refuse(CALL_VOLUME(storage_volume_resize, storage, find(pool, "evil"), 1 << 20, 0),
               "keeps its data in other files");
        ck_assert(g_file_get_contents(secret, &content, NULL, NULL));
        ck_assert_int_eq(strncmp(content, SECRET, strlen(SECRET)), 0);
}
END_TEST

static void put_le(uint8_t *at, uint64_t value, unsigned bytes)
{
        for (unsigned i = 0; i < bytes; i++)
                at[i] = (uint8_t)(value >> (8 * i));
}

/* A vmdk of capacity 0 is a text about extents. */
START_TEST(test_vmdk_of_extents)
{
        g_autofree char *path = volume_path(pool, "evil"), *text = NULL;
        uint8_t image[21 * 512] = "KDMV";

        text = g_strdup_printf("# Disk DescriptorFile\nversion=1\nCID=fffffffe\nparentCID=ffffffff\n"
                               "createType=\"monolithicFlat\"\n\nRW 128 FLAT \"%s/secret\" 0\n",
                               top);
        put_le(image + 4, 1, 4);
        put_le(image + 28, 1, 8);
        put_le(image + 36, 20, 8);
        strcpy((char *)image + 512, text);
        ck_assert(g_file_set_contents(path, (const char *)image, sizeof(image), NULL));
        refresh();
        ck_assert_int_eq(find(pool, "evil")->format, VOLUME_FORMAT_VMDK);
        refuse_clone("evil", "keeps its data in other files");
}
END_TEST

START_TEST(test_vmdk_with_a_parent)
{
        g_autofree char *parent = volume_path(pool, "parent");

        in_pool("qemu-img create -q -f vmdk parent 1M && qemu-io -f vmdk -c 'write -P 7 0 64K' parent "
                ">/dev/null && "
                "qemu-img create -q -f vmdk -b parent -F vmdk child");
        refresh();
        ck_assert_str_eq(find(pool, "child")->backing.path, parent);
        ck_assert_int_eq(find(pool, "child")->backing.format, VOLUME_FORMAT_VMDK);
        expect(clone_to("copy", "child", "raw"));
        in_pool("qemu-img compare -q -f vmdk -F raw child copy");
        in_pool("rm parent");
        refresh();
        refuse(clone_to("copy2", "child", "raw"), "is not a volume of an active storage pool");
}
END_TEST

/* The header extension that says it is another one, which nobody knows. */
static void forget_backing_format(const char *name)
{
        static const uint8_t extension[] = { 0xe2, 0x79, 0x2a, 0xca }, other[] = { 0, 0, 0, 1 };

        replace(name, extension, other, 4);
}

/* qemu-img would look for itself what the lowest image is. */
START_TEST(test_chain_that_does_not_say_its_formats)
{
        in_pool("truncate -s 64K base && qemu-img create -q -f qcow2 -b base -F raw middle && "
                "qemu-img create -q -f qcow2 -b middle -F qcow2 top");
        forget_backing_format("middle");
        refresh();
        ck_assert_int_eq(find(pool, "base")->format, VOLUME_FORMAT_RAW);
        in_pool("qemu-img create -q -u -f qcow2 -b %s/secret -F raw image 64K && dd if=image of=base "
                "conv=notrunc "
                "status=none && rm image",
                top);
        refuse_clone("top", "does not say the format of its backing file");
        refuse_clone("middle", "does not say the format of its backing file");
}
END_TEST

/* What leads nowhere else may be what it looks like. */
START_TEST(test_chain_whose_end_is_told_by_its_beginning)
{
        in_pool("qemu-img create -q -f qcow2 base 1M && qemu-io -f qcow2 -c 'write -P 1 0 64K' base "
                ">/dev/null && head -c 1M /dev/urandom >plain && "
                "qemu-img create -q -f qcow2 -b base -F raw image && "
                "qemu-img create -q -f qcow2 -b plain -F qcow2 -u flat 1M && "
                "qemu-img create -q -f qcow2 -b image -F qcow2 top");
        forget_backing_format("image");
        forget_backing_format("flat");
        refresh();
        expect(clone_to("copy", "image", "raw"));
        in_pool("qemu-img compare -q -f qcow2 -F raw base copy");
        expect(clone_to("copy2", "top", "raw"));
        in_pool("qemu-img compare -q -f qcow2 -F raw base copy2");
        expect(clone_to("copy3", "flat", "raw"));
        in_pool("cmp plain copy3");
}
END_TEST

START_TEST(test_unknown_format_below)
{
        in_pool("truncate -s 64K base && qemu-img create -q -f qcow2 -b base -F raw top");
        replace("top", "raw", "foo", 3);
        refresh();
        refuse_clone("top", "is not in the format that the latter says");
}
END_TEST

/* What the overlay says counts, not what the lower image's guest has written to its beginning. */
START_TEST(test_raw_below_stays_raw)
{
        in_pool("qemu-img create -q -u -f qcow2 -b %s/secret -F raw base 64K && truncate -s 1M base && "
                "qemu-img create -q -f qcow2 -b base -F raw top",
                top);
        refresh();
        ck_assert_int_eq(find(pool, "base")->format, VOLUME_FORMAT_QCOW2);
        expect(clone_to("copy", "top", "raw"));
        in_pool("cmp base copy");
}
END_TEST

START_TEST(test_chain_is_copied_whole)
{
        in_pool("qemu-img create -q -f qcow2 base 1M && qemu-io -f qcow2 -c 'write -P 1 0 64K' base "
                ">/dev/null "
                "&& "
                "qemu-img create -q -f qcow2 -b base -F qcow2 middle && "
                "qemu-io -f qcow2 -c 'write -P 2 128K 64K' middle >/dev/null && "
                "qemu-img create -q -f qcow2 -b middle -F qcow2 top && "
                "qemu-io -f qcow2 -c 'write -P 3 256K 64K' top >/dev/null");
        refresh();
        expect(clone_to("copy", "top", "raw"));
        in_pool("qemu-img compare -q -f qcow2 -F raw top copy");
        expect(clone_to("copy2", "top", "qcow2"));
        in_pool("qemu-img compare -q -f qcow2 -F qcow2 top copy2");
}
END_TEST

/* A header that came after the last look. */
START_TEST(test_header_that_changed)
{
        in_pool("qemu-img create -q -f qcow2 top 64K");
        refresh();
        in_pool("qemu-img create -q -u -f qcow2 -b %s/secret -F raw image 64K && dd if=image of=top "
                "conv=notrunc "
                "status=none && rm image",
                top);
        refuse_clone("top", "is not the image any more that it was");
}
END_TEST

START_TEST(test_pipe_below)
{
        g_autofree char *pipe = under_top("pipe"), *xml = NULL;

        ck_assert_int_eq(mkfifo(pipe, 0600), 0);
        xml = g_strdup_printf(
                "<volume><name>top</name><capacity>65536</capacity><target><format type='qcow2'/></target>"
                "<backingStore><path>%s</path><format type='raw'/></backingStore></volume>",
                pipe);
        refuse(create_volume(pool, xml), "neither a file nor a block device");
}
END_TEST

START_TEST(test_iso)
{
        in_pool("truncate -s 64K cd && printf CD001 | dd of=cd bs=1 seek=32769 conv=notrunc status=none");
        refresh();
        ck_assert_int_eq(find(pool, "cd")->format, VOLUME_FORMAT_ISO);
        expect(clone_to("copy", "cd", "qcow2"));
        in_pool("qemu-img compare -q -f raw -F qcow2 cd copy");
}
END_TEST

CHECK_MAIN_FIXTURE("storage-images", set_up, teardown, test_data_in_another_file, test_vmdk_of_extents,
                   test_vmdk_with_a_parent, test_chain_that_does_not_say_its_formats,
                   test_chain_whose_end_is_told_by_its_beginning, test_unknown_format_below,
                   test_raw_below_stays_raw, test_chain_is_copied_whole, test_header_that_changed,
                   test_pipe_below, test_iso)
