/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Documents of pools and volumes: as people write them and what becomes of them
 * (tests/unit/storage-documents/NAME.in.xml and NAME.out.xml, the latter as libvirt 9.0 writes them), and
 * those that are refused.
 */
#include "drivers/storage/pool-def.h"
#include "drivers/storage/volume.h"

#include "base/error.h"
#include "tests/unit/check-main.h"

#include <string.h>

static const char *const documents[] = {
        "dir",   "disk", "features", "fs",      "gluster",  "iscsi",    "iscsi-direct", "logical", "mpath",
        "netfs", "rbd",  "scsi",     "scsi-fc", "scsi-pci", "sheepdog", "vstorage",     "zfs",
};

static char *load(const char *name, const char *suffix)
{
        g_autofree char *path = g_strconcat(DOCUMENTS, "/", name, suffix, NULL);
        char *text = NULL;

        ck_assert_msg(g_file_get_contents(path, &text, NULL, NULL), "%s", path);
        return text;
}

START_TEST(test_canonical)
{
        for (unsigned i = 0; i < G_N_ELEMENTS(documents); i++) {
                g_autofree char *in = load(documents[i], ".in.xml"), *out = load(documents[i], ".out.xml");
                g_autoptr(GError) error = NULL;
                CLEANUP(pool_def_unref) struct pool_def *def = pool_def_parse(in, &error), *again = NULL;

                ck_assert_msg(def, "%s: %s", documents[i], error ? error->message : "");
                ck_assert_msg(strcmp(def->base.xml, out) == 0, "%s\n%s\n%s", documents[i], def->base.xml,
                              out);
                again = pool_def_parse(def->base.xml, NULL);
                ck_assert_str_eq(again->base.xml, def->base.xml);
                ck_assert(pool_def_is_same_storage(def, again));
                ck_assert(pool_def_validate(def->base.xml, NULL));
        }
}
END_TEST

START_TEST(test_numbers)
{
        g_autofree char *in = load("dir", ".in.xml"), *text = NULL;
        CLEANUP(pool_def_unref) struct pool_def *def = pool_def_parse(in, NULL);
        const struct pool_numbers numbers = { 3, 1, 2 };

        text = pool_def_format(def, &numbers);
        ck_assert_ptr_nonnull(strstr(text, "</uuid>\n"
                                           "  <capacity unit='bytes'>3</capacity>\n"
                                           "  <allocation unit='bytes'>1</allocation>\n"
                                           "  <available unit='bytes'>2</available>\n"
                                           "  <source>\n"
                                           "  </source>\n"
                                           "  <target>\n"));
        ck_assert_uint_eq(strlen(text), strlen(def->base.xml));
}
END_TEST

/* What looks like the end of the uuid elsewhere does not lead the numbers astray. */
START_TEST(test_numbers_with_comment)
{
        CLEANUP(pool_def_unref)
        struct pool_def *def = pool_def_parse("<pool type='dir'><!-- </uuid>\n --><name>a&lt;/uuid>\n</name>"
                                              "<target><path>/x</path></target></pool>",
                                              NULL);

        ck_assert_ptr_null(def); /* a name with a line break */
        def = pool_def_parse(
                "<pool type='dir'><!-- </uuid>\n --><name>a</name><target><path>/x</path></target></pool>",
                NULL);
        ck_assert(g_str_has_prefix(def->base.xml + def->numbers, "  <capacity unit='bytes'>0</capacity>\n"));
}
END_TEST

START_TEST(test_kept_and_read)
{
        CLEANUP(pool_def_unref)
        struct pool_def *def = pool_def_parse(
                "<pool type='netfs' xmlns:fs='http://libvirt.org/schemas/storagepool/fs/1.0'><name>n</name>"
                "<source><host name='h' port='2049'/><dir "
                "path='/x'/></source><target><path>/mnt</path></target>"
                "<fs:mount_opts><fs:option name='sync'/><fs:option name='a' value='b'/></fs:mount_opts><own "
                "a='b'/></pool>",
                NULL);

        ck_assert_uint_eq(def->n_mount_options, 2);
        ck_assert_str_eq(def->mount_options[0].name, "sync");
        ck_assert_ptr_null(def->mount_options[0].value);
        ck_assert_str_eq(def->mount_options[1].value, "b");
        ck_assert_uint_eq(def->source.hosts[0].port, 2049);
        ck_assert_str_eq(def->source.format, "auto");
        ck_assert_ptr_nonnull(strstr(def->base.xml, "  <own a='b'/>\n"));
        ck_assert_ptr_nonnull(strstr(def->base.xml, "<fs:option name='sync'/>"));
        ck_assert(!pool_def_validate(def->base.xml, NULL));
}
END_TEST

static const struct {
        const char *xml;
        const char *error;
} refused[] = {
        { "<pool type='dir'><name>x</name></pool>", "XML error: missing storage pool target path" },
        { "<pool type='dir'><name>x</name><target><path>rel</path></target></pool>", "is not absolute" },
        { "<pool type='fs'><name>x</name><target><path>/x</path></target></pool>",
          "XML error: missing storage pool source device name" },
        { "<pool type='netfs'><name>x</name><target><path>/x</path></target></pool>",
          "XML error: missing storage pool source host name" },
        { "<pool type='netfs'><name>x</name><source><host "
          "name='h'/></source><target><path>/x</path></target></pool>",
          "XML error: missing storage pool source path" },
        { "<pool type='scsi'><name>x</name><target><path>/x</path></target></pool>",
          "XML error: missing storage pool source adapter" },
        { "<pool type='foo'><name>x</name></pool>", "XML error: unknown storage pool type 'foo'" },
        { "<pool><name>x</name></pool>", "XML error: missing required attribute 'type'" },
        { "<pool type='dir'><target><path>/x</path></target></pool>",
          "XML error: missing pool source name element" },
        { "<pool type='dir'><name>a/b</name></pool>", "XML error: name a/b cannot contain '/'" },
        { "<pool type='dir'><name> </name></pool>", "cannot be a storage pool's name" },
        { "<pool type='dir'><name>..</name></pool>", "cannot be a storage pool's name" },
        { "<pool type='dir'><name>a&#9;b</name></pool>", "control character" },
        { "<pool type='dir'><name>x</name><uuid>zz</uuid></pool>", "XML error: malformed uuid element" },
        { "<pool "
          "type='dir'><name>x</name><target><path>/x</path><permissions><mode>999</mode></permissions></"
          "target></pool>",
          "XML error: malformed octal mode" },
        { "<pool type='fs'><name>x</name><source><device path='/d'/><format type='foo'/></source>"
          "<target><path>/x</path></target></pool>",
          "unsupported configuration: unknown pool format type foo" },
        { "<pool type='iscsi'><name>x</name><source><host name='a'/><device path='a'/><auth "
          "type='chap'><secret/></auth>"
          "</source><target><path>/x</path></target></pool>",
          "XML error: missing username for auth" },
        { "<pool type='iscsi'><name>x</name><source><host name='a'/><device path='a'/><auth type='chap' "
          "username='u'>"
          "<secret/></auth></source><target><path>/x</path></target></pool>",
          "either by uuid or by usage" },
        { "<pool type='netfs'><name>x</name><source><host name='-oevil'/><dir path='/x'/></source>"
          "<target><path>/x</path></target></pool>",
          "begins with '-'" },
        { "<pool type='logical'><name>x</name><source><name>a&#10;b</name></source></pool>",
          "control character" },
        { "<volume/>", "XML error" },
};

START_TEST(test_refused)
{
        for (unsigned i = 0; i < G_N_ELEMENTS(refused); i++) {
                g_autoptr(GError) error = NULL;
                CLEANUP(pool_def_unref) struct pool_def *def = pool_def_parse(refused[i].xml, &error);

                ck_assert_msg(!def && strstr(error->message, refused[i].error), "%s: %s", refused[i].xml,
                              error ? error->message : "(taken)");
        }
}
END_TEST

static bool is_same(const char *a, const char *b)
{
        g_autofree char *left = load(a, ".in.xml"), *right = load(b, ".in.xml");
        CLEANUP(pool_def_unref)
        struct pool_def *one = pool_def_parse(left, NULL), *two = pool_def_parse(right, NULL);

        return pool_def_is_same_storage(one, two);
}

START_TEST(test_same_storage)
{
        ck_assert(is_same("dir", "dir"));
        ck_assert(!is_same("dir", "features"));
        ck_assert(!is_same("dir", "fs"));
        ck_assert(!is_same("scsi", "scsi-fc"));
        ck_assert(!is_same("disk", "logical"));
}
END_TEST

static bool shares(const char *a, const char *b)
{
        CLEANUP(pool_def_unref)
        struct pool_def *one = pool_def_parse(a, NULL), *two = pool_def_parse(b, NULL);

        return pool_def_is_same_storage(one, two) && pool_def_is_same_storage(two, one);
}

#define TARGET "<target><path>/x</path></target>"

/* One directory is one pool's, whatever is mounted on it. */
START_TEST(test_same_directory)
{
        const char *dir = "<pool type='dir'><name>a</name>" TARGET "</pool>";
        const char *fs =
                "<pool type='fs'><name>b</name><source><device path='/dev/a'/></source>" TARGET "</pool>";
        const char *netfs =
                "<pool type='netfs'><name>c</name><source><host name='h'/><dir path='/d'/></source>"
                "<target><path>/x/</path></target></pool>";
        const char *other = "<pool type='dir'><name>d</name><target><path>/x/y</path></target></pool>";

        ck_assert(shares(dir, fs));
        ck_assert(shares(dir, netfs));
        ck_assert(shares(fs, netfs));
        ck_assert(!shares(dir, other));
}
END_TEST

/* ---- volumes ---- */

static struct volume *volume(const char *name)
{
        struct volume *made = volume_new();

        made->name = g_strdup(name);
        made->key = g_strdup_printf("/p/%s", name);
        return made;
}

/* Which volumes differ, as "before>after ". */
static void walk(const struct object_set *before, const struct object_set *after, GString *text)
{
        struct object_set_walk walk = { .before = before, .after = after };
        void *old, *new;

        while (object_set_walk_next(&walk, &old, &new))
                g_string_append_printf(text, "%s>%s ", old ? ((const struct volume *)old)->name : "",
                                       new ? ((const struct volume *)new)->name : "");
}

static const char *find_name(const struct object_set *set, enum volume_key key, const char *text)
{
        const struct volume *volume = object_set_find_by(set, key, text);

        return volume ? volume->name : NULL;
}

START_TEST(test_sets)
{
        g_autoptr(GPtrArray) list = g_ptr_array_new_with_free_func((GDestroyNotify)volume_unref);
        g_autoptr(GString) text = g_string_new(NULL);
        CLEANUP(object_set_unref)
        struct object_set *set = NULL, *with = NULL, *without = NULL, *replaced = NULL;
        CLEANUP(volume_unref) struct volume *b = volume("b"), *c = volume("c");

        g_ptr_array_add(list, volume("c"));
        g_ptr_array_add(list, volume("a"));
        g_ptr_array_add(list, volume("a"));
        set = object_set_new(&volume_set_kind, list);
        ck_assert_uint_eq(set->count, 2);
        with = object_set_with(&volume_set_kind, set, b);
        ck_assert_ptr_eq(object_set_find(with, "b"), b);
        ck_assert_str_eq(((const struct volume *)with->objects[1])->name, "b");
        replaced = object_set_with(&volume_set_kind, with, c);
        ck_assert_uint_eq(replaced->count, 3);
        ck_assert_ptr_eq(object_set_find(replaced, "c"), c);
        without = object_set_without(&volume_set_kind, replaced, "a");
        ck_assert_ptr_null(object_set_find(without, "a"));
        ck_assert_uint_eq(without->count, 2);
        walk(set, without, text);
        ck_assert_str_eq(text->str, "a> >b c>c ");
        g_string_truncate(text, 0);
        walk(NULL, set, text);
        walk(set, NULL, text);
        walk(set, set, text);
        ck_assert_str_eq(text->str, ">a >c a> c> ");
        ck_assert(volume_equal(object_set_find(set, "c"), c));
}
END_TEST

/* Keys and paths go another way than names; some have no path, some the same. */
START_TEST(test_sets_by_key_and_path)
{
        static const char *const names[] = { "a", "b", "c", "d" }, *const keys[] = { "9", "7", "8", "1" },
                                 *const paths[] = { "/y", NULL, "/x", "/x" };
        g_autoptr(GPtrArray) list = g_ptr_array_new_with_free_func((GDestroyNotify)volume_unref);
        CLEANUP(object_set_unref) struct object_set *set = NULL, *without = NULL, *none = NULL;

        none = object_set_new(&volume_set_kind, list);
        ck_assert_ptr_null(object_set_find_by(none, VOLUME_KEY, "9"));
        for (unsigned i = 0; i < G_N_ELEMENTS(names); i++) {
                struct volume *made = volume(names[i]);

                g_free(made->key);
                made->key = g_strdup(keys[i]);
                made->path = g_strdup(paths[i]);
                g_ptr_array_add(list, made);
        }
        set = object_set_new(&volume_set_kind, list);
        for (unsigned i = 0; i < G_N_ELEMENTS(names); i++)
                ck_assert_str_eq(find_name(set, VOLUME_KEY, keys[i]), names[i]);
        ck_assert_ptr_null(object_set_find_by(set, VOLUME_KEY, "5"));
        ck_assert_str_eq(find_name(set, VOLUME_PATH, "/y"), "a");
        ck_assert_str_eq(find_name(set, VOLUME_PATH, "/x"), "c");
        without = object_set_without(&volume_set_kind, set, "c");
        ck_assert_str_eq(find_name(without, VOLUME_PATH, "/x"), "d");
        ck_assert_ptr_null(object_set_find_by(without, VOLUME_KEY, "8"));
        ck_assert_ptr_null(object_set_find_by(without, VOLUME_PATH, "/z"));
}
END_TEST

START_TEST(test_volume_document)
{
        struct volume_given given;
        CLEANUP(volume_unref)
        struct volume *parsed =
                volume_parse("<volume><name>e</name><capacity unit='KiB'>2</capacity><target>"
                             "<format type='qcow2'/><encryption format='luks'>"
                             "<secret type='passphrase' uuid='00000000-0000-4000-8000-000000000001'/>"
                             "<cipher name='aes' size='256' mode='xts'/></encryption></target></volume>",
                             POOL_DIR, &given, NULL);
        g_autofree char *text = NULL;

        ck_assert(given.capacity && !given.allocation);
        ck_assert_uint_eq(parsed->capacity, 2048);
        ck_assert_uint_eq(parsed->allocation, 2048);
        ck_assert_uint_eq(parsed->encryption.cipher_size, 256);
        parsed->key = g_strdup("k");
        text = volume_format_xml(parsed);
        ck_assert_str_eq(text,
                         "<volume type='file'>\n"
                         "  <name>e</name>\n"
                         "  <key>k</key>\n"
                         "  <capacity unit='bytes'>2048</capacity>\n"
                         "  <allocation unit='bytes'>2048</allocation>\n"
                         "  <target>\n"
                         "    <format type='qcow2'/>\n"
                         "    <encryption format='luks'>\n"
                         "      <secret type='passphrase' uuid='00000000-0000-4000-8000-000000000001'/>\n"
                         "      <cipher name='aes' size='256' mode='xts'/>\n"
                         "    </encryption>\n"
                         "  </target>\n"
                         "</volume>\n");
}
END_TEST

/* ---- as people write them ---- */

#define ISCSI_SOURCE "<source><host name='h'/><device path='iqn.2013-07.com.example:x'/></source>"

/* Pools, and a part of what becomes of them, as libvirt has it. */
static const char *const written_pools[][2] = {
        { "<pool type='dir'><name>p</name><target><path>\n  /tmp/p\n  </path></target></pool>",
          "<path>/tmp/p</path>" },
        { "<pool type='dir'><name>p</name><target><path> /tmp/p </path></target></pool>",
          "<path>/tmp/p</path>" },
        { "<pool type='dir'><name>p</name><uuid></uuid><target><path>/p</path></target></pool>", "<uuid>" },
        { "<pool type='iscsi'><name>p</name>" ISCSI_SOURCE "<target><path>demo-target</path></target></pool>",
          "<path>demo-target</path>" },
        { "<pool type='disk'><name>p</name><source><device "
          "path='/dev/sda'/></source><target><path>dev</path></target>"
          "</pool>",
          "<path>dev</path>" },
        { "<pool type='fs'><name>p</name><source><device path='/d'/><format "
          "type=''/></source><target><path>/p</path>"
          "</target></pool>",
          "<format type='auto'/>" },
        { "<pool type='dir'><name>p</name><target><path>/p</path><permissions><mode>755</mode></permissions>"
          "</target></pool>",
          "<mode>0755</mode>" },
        { "<pool "
          "type='dir'><name>p</name><target><path>/p</path><permissions><mode></mode></permissions></target>"
          "</pool>",
          "<path>/p</path>\n  </target>" },
};

START_TEST(test_written_pools)
{
        for (unsigned i = 0; i < G_N_ELEMENTS(written_pools); i++) {
                g_autoptr(GError) error = NULL;
                CLEANUP(pool_def_unref) struct pool_def *def = pool_def_parse(written_pools[i][0], &error);

                ck_assert_msg(def, "%s: %s", written_pools[i][0], error ? error->message : "");
                ck_assert_msg(strstr(def->base.xml, written_pools[i][1]), "'%s' is not in %s",
                              written_pools[i][1], def->base.xml);
        }
}
END_TEST

#define WRITTEN(target, rest)                                                                                \
        "<volume><name>v</name><capacity>4096</capacity><target>" target "</target>" rest "</volume>"

static const char *const written_volumes[][2] = {
        { "<volume><name>v</name><capacity>4096</capacity><allocation></allocation></volume>",
          "<allocation unit='bytes'>4096</allocation>" },
        { WRITTEN("<format type=''/><compat></compat>", ""), "<target/>" },
        { WRITTEN("<permissions><mode>600</mode><owner>7</owner></permissions>", ""),
          "<mode>0600</mode>\n      <owner>7</owner>" },
        { WRITTEN("<permissions><mode>70</mode></permissions>", ""), "<mode>070</mode>" },
        { WRITTEN("", "<backingStore><path></path><format type=''/></backingStore>"), "</volume>" },
        { WRITTEN("", "<backingStore><path>/b</path><format "
                      "type='qcow2'/><permissions><mode>0640</mode><label>l</label>"
                      "</permissions></backingStore>"),
          "<format type='qcow2'/>\n    <permissions>\n      <mode>0640</mode>\n      <label>l</label>" },
        { WRITTEN("<encryption format='luks'><secret type='passphrase' usage='v'/>"
                  "<cipher name='aes' size='256' mode='cbc' hash='sha256'/><ivgen name='plain64' "
                  "hash='sha256'/>"
                  "</encryption>",
                  ""),
          "<cipher name='aes' size='256' mode='cbc' hash='sha256'/>\n      <ivgen name='plain64' "
          "hash='sha256'/>" },
};

START_TEST(test_written_volumes)
{
        for (unsigned i = 0; i < G_N_ELEMENTS(written_volumes); i++) {
                g_autoptr(GError) error = NULL;
                struct volume_given given;
                CLEANUP(volume_unref)
                struct volume *volume = volume_parse(written_volumes[i][0], POOL_DIR, &given, &error),
                              *copy = NULL;
                g_autofree char *text = NULL;

                ck_assert_msg(volume, "%s: %s", written_volumes[i][0], error ? error->message : "");
                volume->key = g_strdup("k");
                copy = volume_copy(volume);
                ck_assert(volume_equal(volume, copy));
                copy->backing.permissions.mode ^= 07;
                ck_assert(!volume_equal(volume, copy));
                copy->backing.permissions.mode ^= 07;
                text = volume_format_xml(copy);
                ck_assert_msg(strstr(text, written_volumes[i][1]), "'%s' is not in %s", written_volumes[i][1],
                              text);
        }
}
END_TEST

START_TEST(test_sources)
{
        g_autoptr(GPtrArray) sources = g_ptr_array_new_with_free_func(g_free);
        g_autofree char *text = NULL;
        struct pool_source source;

        ck_assert(pool_source_parse("<source><host name='h' port='3'/><name>n</name></source>", POOL_LOGICAL,
                                    &source, NULL));
        g_ptr_array_add(sources, pool_source_format(&source));
        pool_source_clear(&source);
        text = pool_sources_format(sources);
        ck_assert_str_eq(text, "<sources>\n"
                               "  <source>\n"
                               "    <host name='h' port='3'/>\n"
                               "    <name>n</name>\n"
                               "    <format type='lvm2'/>\n"
                               "  </source>\n"
                               "</sources>\n");
        ck_assert(pool_source_parse("", POOL_NETFS, &source, NULL));
        pool_source_clear(&source);
}
END_TEST

CHECK_MAIN("storage-documents", test_canonical, test_numbers, test_numbers_with_comment, test_kept_and_read,
           test_refused, test_same_storage, test_same_directory, test_sets, test_sets_by_key_and_path,
           test_volume_document, test_written_pools, test_written_volumes, test_sources)
