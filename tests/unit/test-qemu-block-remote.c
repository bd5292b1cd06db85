/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Images on servers: what the emulator is told of each kind of source, and sources that it cannot have.
 */
#include "base/error.h"
#include "drivers/domain/definition.h"
#include "drivers/qemu/block.h"

#include "tests/unit/check-main.h"

#include <string.h>

#define HOST   "<host name='h' port='7'/>"
#define AUTH   "<auth username='me'><secret type='iscsi' usage='x'/></auth>"
#define SOCKET "<host transport='unix' socket='/s'/>"

static struct domain_def *parse(const char *source, GError **error)
{
        g_autofree char *xml = g_strdup_printf(
                "<domain type='qemu'><name>x</name><uuid>0b4a6c5e-0000-4000-8000-000000000001</uuid>"
                "<memory>65536</memory><os><type>hvm</type></os><devices><disk type='network'>%s"
                "<target dev='vda' bus='virtio'/></disk></devices></domain>",
                source);

        return domain_def_parse_stored(xml, error);
}

/* Compares by meaning. */
static void expect_json(const json_t *value, const char *text)
{
        g_autofree char *quoted = g_strdelimit(g_strdup(text), "'", '"');
        json_t *expected = json_loads(quoted, 0, NULL);
        char *dumped = json_dumps(value, JSON_COMPACT | JSON_SORT_KEYS);

        ck_assert_msg(expected && json_equal((json_t *)value, expected), "%s instead of %s", dumped, text);
        json_decref(expected);
        free(dumped);
}

/* With the properties that libvirt gives QEMU for the same source. */
static const struct {
        const char *source, *properties;
} sources[] = {
        { "<source protocol='nbd' name='e'>" HOST "<reconnect delay='9'/></source>",
          "{'driver':'nbd','server':{'type':'inet','host':'h','port':'7'},'export':'e','reconnect-delay':"
          "9}" },
        { "<source protocol='nbd' name='e' tls='yes' tlsHostname='a.b'>" HOST "</source>",
          "{'driver':'nbd','server':{'type':'inet','host':'h','port':'7'},'export':'e','tls-hostname':'a.b'"
          "}" },
        { "<source protocol='nbd'>" SOCKET "</source>",
          "{'driver':'nbd','server':{'type':'unix','path':'/s'}}" },
        { "<source protocol='https' name='/a.iso' query='b=c&amp;d'>" HOST
          "<ssl verify='no'/><readahead size='65536'/><timeout seconds='5'/></source>",
          "{'driver':'https','url':'https://h:7/"
          "a.iso?b=c&d','sslverify':false,'timeout':5,'readahead':65536}" },
        { "<source protocol='http' name='a'><host name='::1' port='8'/></source>",
          "{'driver':'http','url':'http://[::1]:8/a'}" },
        { "<source protocol='iscsi' name='iqn.2026-01.a:b/3'>" HOST
          "<initiator><iqn name='iqn.me'/></initiator>"
          "<auth username='u'><secret type='iscsi' usage='x'/></auth></source>",
          "{'driver':'iscsi','transport':'tcp','portal':'h:7','target':'iqn.2026-01.a:b','lun':3,"
          "'initiator-name':'iqn.me','user':'u'}" },
        { "<source protocol='rbd' name='p/i'><host name='a' port='1'/><host name='b'/><snapshot name='s'/>"
          "<config file='/c'/></source><auth username='u'><secret type='ceph' usage='x'/></auth>",
          "{'driver':'rbd','pool':'p','image':'i','snapshot':'s','conf':'/c','server':[{'host':'a',"
          "'port':'1'},{'host':'b','port':'0'}],'user':'u','auth-client-required':['cephx','none']}" },
        { "<source protocol='rbd' name='p/n/i'/>",
          "{'driver':'rbd','pool':'p','namespace':'n','image':'i'}" },
        { "<source protocol='gluster' name='v/a/b'>" HOST SOCKET "</source>",
          "{'driver':'gluster','volume':'v','path':'a/b','server':[{'type':'inet','host':'h','port':'7'},"
          "{'type':'unix','path':'/s'}]}" },
        { "<source protocol='ssh' name='/a'>" HOST "</source>",
          "{'driver':'ssh','path':'/a','server':{'host':'h','port':'7'}}" },
        { "<source protocol='ssh' name='/a'>" HOST "<identity username='me'/></source>",
          "{'driver':'ssh','path':'/a','server':{'host':'h','port':'7'},'user':'me'}" },
        { "<source protocol='nfs' name='/a/b'><host name='h'/><identity user='+1' group='2'/></source>",
          "{'driver':'nfs','server':{'type':'inet','host':'h'},'path':'/a/b','user':1,'group':2}" },
        { "<source protocol='ftp' name='x'>" HOST "</source>", "{'driver':'ftp','url':'ftp://h:7/x'}" },
};

START_TEST(test_properties)
{
        CLEANUP(domain_def_unref) struct domain_def *def = parse(sources[_i].source, NULL);
        CLEANUP(block_image_free) struct block_image *image = NULL;
        g_autoptr(GError) error = NULL;

        ck_assert_ptr_nonnull(def);
        ck_assert_int_eq(def->unsupported.count, 0);
        image = block_image_new_remote("disk 'vda'", &def->devices.disks[0].source, &error);
        ck_assert_msg(image, "%s", error ? error->message : "");
        expect_json(image->remote.properties, sources[_i].properties);
        ck_assert_int_eq(image->remote.password_key != NULL, strstr(sources[_i].source, "<auth") != NULL);
}
END_TEST

/* Who logs in by SSH is in <auth> as well as in <identity>, and may be in both. */
START_TEST(test_ssh_user)
{
        static const char *const users[] = {
                AUTH "<source protocol='ssh' name='/a'>" HOST "</source>",
                AUTH "<source protocol='ssh' name='/a'>" HOST "<identity username='me'/></source>",
        };

        for (unsigned i = 0; i < G_N_ELEMENTS(users); i++) {
                CLEANUP(domain_def_unref) struct domain_def *def = parse(users[i], NULL);
                CLEANUP(block_image_free) struct block_image *image = NULL;

                ck_assert_ptr_nonnull(def);
                image = block_image_new_remote("disk 'vda'", &def->devices.disks[0].source, NULL);
                ck_assert_msg(image, "%s", users[i]);
                expect_json(image->remote.properties,
                            "{'driver':'ssh','path':'/a','server':{'host':'h','port':'7'},'user':'me'}");
        }
}
END_TEST

/* Errors of the reader, else of what QEMU would be told. */
static const struct {
        const char *source, *part;
} refusals[] = {
        { "<source protocol='gopher' name='x'>" HOST "</source>", "gopher" },
        { "<source protocol='http'>" HOST "</source>", "needs a name" },
        { "<source protocol='http' name='x'><host name='a/b@c'/></source>", "the name of a host" },
        { "<source protocol='nbd'><host transport='unix'/></source>", "needs socket=" },
        { "<source protocol='nbd'><host transport='unix' socket='s'/></source>", "absolute" },
        { "<source protocol='nbd'><host name='a' port='65536'/></source>", "65536" },
        { "<source protocol='http' name='x'>" HOST
          "<cookies><cookie name='a'>b;c</cookie></cookies></source>",
          "cookie" },
        { "<source protocol='http' name='x'>" HOST "<auth username='u'/></source>", "one <secret>" },
        { "<source protocol='nbd' name='x'/>", "needs one <host>" },
        { "<source protocol='http' name='x'>" SOCKET "</source>", "transport 'unix'" },
        { "<source protocol='gluster' name='v/x'><host name='a' transport='rdma'/></source>", "'rdma'" },
        { "<source protocol='gluster' name='v'>" HOST "</source>", "no volume/path" },
        { "<source protocol='iscsi' name='iqn/x'>" HOST "</source>", "no target/lun" },
        { "<source protocol='iscsi' name='iqn/-1'>" HOST "</source>", "no target/lun" },
        { "<source protocol='rbd' name='p'/>", "no pool/image" },
        { "<source protocol='nfs' name='/x'>" HOST "<identity user='root'/></source>", "no number" },
        { "<source protocol='sheepdog' name='x'>" HOST "</source>", "no driver for it" },
        { "<source protocol='nbd'>" HOST
          "<auth username='u'><secret type='iscsi' usage='x'/></auth></source>",
          "cannot have an <auth>" },
        { "<source protocol='nbd'>" HOST "<cookies><cookie name='a'>b</cookie></cookies></source>",
          "cannot have cookies" },
        { "<source protocol='ssh' name='/a'>" HOST "<identity username='me' keyfile='/k'/></source>",
          "has the keys of the emulator's user and no others" },
        { "<source protocol='ssh' name='/a'>" HOST "<identity username='me' agentsock='/k'/></source>",
          "has the keys of the emulator's user and no others" },
        { "<source protocol='ssh' name='/a'>" HOST "<knownHosts path='/k'/></source>",
          "leave out <knownHosts>" },
        { "<source protocol='nbd' name='a'>" HOST "<identity username='me'/></source>",
          "cannot have <knownHosts>, nor username" },
        { "<auth username='a'><secret type='iscsi' usage='x'/></auth><source protocol='ssh' name='/a'>" HOST
          "<identity username='me'/></source>",
          "has two users" },
};

START_TEST(test_refusals)
{
        g_autoptr(GError) error = NULL;
        CLEANUP(domain_def_unref) struct domain_def *def = parse(refusals[_i].source, &error);

        if (def)
                ck_assert_ptr_null(
                        block_image_new_remote("disk 'vda'", &def->devices.disks[0].source, &error));
        ck_assert_ptr_nonnull(error);
        ck_assert_msg(strstr(error->message, refusals[_i].part), "%s", error->message);
}
END_TEST

/* In a chain: it is not looked at, ends it, and goes on only where the definition does. */
START_TEST(test_chain)
{
        CLEANUP(domain_def_unref)
        struct domain_def *one = parse("<driver type='qcow2'/><source protocol='nbd'>" HOST "</source>",
                                       NULL),
                          *two = parse("<driver type='qcow2'/><source protocol='nbd'>" HOST
                                       "<cookies/></source><backingStore type='network'>"
                                       "<format type='raw'/><source protocol='http' name='b'>" HOST
                                       "<cookies><cookie name='a'>1</cookie><cookie name='c'>2</cookie>"
                                       "</cookies></source></backingStore>",
                                       NULL);
        g_autoptr(GPtrArray) alone = NULL, both = NULL;
        const struct block_image *image;
        g_autofree char *cookies = NULL;
        unsigned next = 1;
        json_t *node;

        ck_assert(one && two);
        alone = block_chain_resolve("vda", &one->devices.disks[0].source, &next, NULL);
        ck_assert_uint_eq(alone->len, 1);
        both = block_chain_resolve("vda", &two->devices.disks[0].source, &next, NULL);
        ck_assert_uint_eq(both->len, 2);
        image = both->pdata[1];
        ck_assert_uint_eq(image->index, 3);
        node = block_storage_node(image, &(struct block_options){ .cache = "none" });
        expect_json(node, "{'driver':'http','url':'http://h:7/b','node-name':'libvirt-3-storage',"
                          "'cookie-secret':'libvirt-3-storage-httpcookie-secret0','auto-read-only':true,"
                          "'discard':'unmap','cache':{'direct':true,'no-flush':false}}");
        json_decref(node);
        cookies = block_format_cookies(two->devices.disks[0].source.backing->network);
        ck_assert_str_eq(cookies, "a=1; c=2");
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("qemu-block-remote");
        TCase *tcase = tcase_create("qemu-block-remote");
        SRunner *runner;
        int failed;

        tcase_add_loop_test(tcase, test_properties, 0, G_N_ELEMENTS(sources));
        tcase_add_loop_test(tcase, test_refusals, 0, G_N_ELEMENTS(refusals));
        tcase_add_test(tcase, test_ssh_user);
        tcase_add_test(tcase, test_chain);
        suite_add_tcase(suite, tcase);
        runner = srunner_create(suite);
        srunner_run_all(runner, CK_NORMAL);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed ? 1 : 0;
}
