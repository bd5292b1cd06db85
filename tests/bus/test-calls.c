/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Calls with arguments that nobody sane would send: wrong signatures, random values for every member that
 * introspection promises, mutated documents, descriptors nobody asked for, oversized strings. The agent
 * answers each and stays the same process. The random numbers are the same in every run.
 */

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "tests/support/guest.h"
#include "tests/support/harness.h"
#include "tests/support/pool.h"

static struct harness *harness;
static struct client *client;

static void set_up(void)
{
        harness = harness_new();
        client = harness_get_client(harness);
}

static void tear_down(void)
{
        harness_free(harness);
}

#define DOMAIN "/domain/_6695eb01_f6a4_8304_79aa_97f2502e193f"
#define GHOST  "/domain/_00000000_0000_0000_0000_000000000001"
#define POOL   "/storagepool/_dfe224cb_28fb_8dd0_c4b2_64eb3f0f4566"
#define VOLUME "/storagevol/_2fdefault_2dpool_2fv"
#define SECRET "/secret/_00000000_0000_0000_0000_000000000002"

#define SEED      20240501
#define CALLS     4000
#define MUTATIONS 1500

struct method {
        char *interface;    /* owned */
        char *name;         /* owned */
        GString *signature; /* owned */
};

struct reading {
        GPtrArray *methods;    /* of struct method */
        char *interface;       /* owned */
        struct method *method; /* borrowed from methods */
};

static void free_method(void *data)
{
        struct method *method = data;

        g_free(method->interface);
        g_free(method->name);
        g_string_free(method->signature, TRUE);
        g_free(method);
}

static const char *attribute(const char **names, const char **values, const char *name)
{
        for (; *names; names++, values++)
                if (strcmp(*names, name) == 0)
                        return *values;
        return NULL;
}

static void start_element(GMarkupParseContext *context, const char *element, const char **names,
                          const char **values, void *data, GError **error)
{
        struct reading *reading = data;
        const char *direction = attribute(names, values, "direction");

        if (strcmp(element, "interface") == 0) {
                g_free(reading->interface);
                reading->interface = g_strdup(attribute(names, values, "name"));
        } else if (strcmp(element, "method") == 0) {
                reading->method = g_new0(struct method, 1);
                reading->method->interface = g_strdup(reading->interface);
                reading->method->name = g_strdup(attribute(names, values, "name"));
                reading->method->signature = g_string_new("");
                g_ptr_array_add(reading->methods, reading->method);
        } else if (strcmp(element, "arg") == 0 && reading->method &&
                   (!direction || strcmp(direction, "in") == 0)) {
                g_string_append(reading->method->signature, attribute(names, values, "type"));
        }
}

static void end_element(GMarkupParseContext *context, const char *element, void *data, GError **error)
{
        struct reading *reading = data;

        if (strcmp(element, "method") == 0)
                reading->method = NULL;
}

/* What introspection promises at this path. */
static GPtrArray *read_methods(const char *path)
{
        const GMarkupParser parser = { .start_element = start_element, .end_element = end_element };
        struct reading reading = { .methods = g_ptr_array_new_with_free_func(free_method) };
        g_autofree char *xml =
                client_call_string(client, path, "org.freedesktop.DBus.Introspectable", "Introspect", NULL);
        GMarkupParseContext *context = g_markup_parse_context_new(&parser, 0, &reading, NULL);

        ck_assert(g_markup_parse_context_parse(context, xml, -1, NULL));
        ck_assert(g_markup_parse_context_end_parse(context, NULL));
        g_markup_parse_context_free(context);
        g_free(reading.interface);
        ck_assert_uint_gt(reading.methods->len, 0);
        return reading.methods;
}

static const char *random_string(GRand *rand)
{
        static const char *const strings[] = {
                "",
                " ",
                "test",
                "x",
                "../../x",
                "/",
                "%s%n%x",
                "\x01\x02",
                "näme",
                "\xf4\x8f\xbf\xbd",
                "-1",
                "4294967296",
                "6695eb01-f6a4-8304-79aa-97f2502e193f",
                "00000000-0000-0000-0000-000000000000",
                "<domain/>",
                "<domain type='test'><name>a</name></domain>",
                "<",
                "org.libvirt.Connect",
                "org.libvirt.Domain",
                "Autostart",
                "test:///default",
                "qemu:///system",
                "file:///etc/passwd",
                "qemu",
                "kvm",
                "pc",
                "q35",
                "x86_64",
                "/usr/bin/qemu-system-x86_64",
                "/etc/passwd",
                "\n",
        };

        return strings[g_rand_int_range(rand, 0, G_N_ELEMENTS(strings))];
}

static uint64_t random_number(GRand *rand)
{
        static const uint64_t numbers[] = { 0,
                                            1,
                                            2,
                                            3,
                                            4,
                                            8,
                                            16,
                                            255,
                                            4096,
                                            0x7fffffff,
                                            0x80000000,
                                            0xffffffff,
                                            0x100000000,
                                            0x7fffffffffffffff,
                                            0x8000000000000000,
                                            0xffffffffffffffff };

        return numbers[g_rand_int_range(rand, 0, G_N_ELEMENTS(numbers))];
}

/* Appends a random value of the single complete type. */
static void append_random(GRand *rand, sd_bus_message *message, const char *type)
{
        const char *const variants[] = { "i", "u", "x", "t", "b", "s", "as", "d" };
        g_autofree char *contents = NULL;
        uint64_t number = random_number(rand);
        int zero = 0;
        int r = 0;

        switch (*type) {
        case 's':
                r = sd_bus_message_append_basic(message, 's', random_string(rand));
                break;
        case 'o':
                r = sd_bus_message_append_basic(message, 'o', number & 1 ? "/" : TEST_PATH DOMAIN);
                break;
        case 'g':
                r = sd_bus_message_append_basic(message, 'g', "a{sv}");
                break;
        case 'b':
                zero = number & 1;
                r = sd_bus_message_append_basic(message, 'b', &zero);
                break;
        case 'h':
                r = sd_bus_message_append_basic(message, 'h', &zero);
                break;
        case 'v':
                type = variants[g_rand_int_range(rand, 0, G_N_ELEMENTS(variants))];
                sd_bus_message_open_container(message, 'v', type);
                append_random(rand, message, type);
                r = sd_bus_message_close_container(message);
                break;
        case 'a':
                sd_bus_message_open_container(message, 'a', type + 1);
                for (int i = g_rand_int_range(rand, 0, 4); i > 0; i--)
                        append_random(rand, message, type + 1);
                r = sd_bus_message_close_container(message);
                break;
        case '{':
                contents = g_strndup(type + 1, strlen(type) - 2);
                sd_bus_message_open_container(message, 'e', contents);
                sd_bus_message_append_basic(message, 's', random_string(rand));
                append_random(rand, message, contents + 1);
                r = sd_bus_message_close_container(message);
                break;
        default:
                r = sd_bus_message_append_basic(message, *type, &number);
        }
        ck_assert_int_ge(r, 0);
}

/* The length of the first single complete type of a signature without structs. */
static size_t type_length(const char *signature)
{
        if (*signature == 'a')
                return 1 + type_length(signature + 1);
        return *signature == '{' ? strcspn(signature, "}") + 1 : 1;
}

static void append_all_random(GRand *rand, sd_bus_message *message, const char *signature)
{
        while (*signature) {
                g_autofree char *type = g_strndup(signature, type_length(signature));

                append_random(rand, message, type);
                signature += strlen(type);
        }
}

/* Sends the call and takes any answer, but there has to be one. */
static void expect_answer(sd_bus_message *call)
{
        sd_bus_error error = SD_BUS_ERROR_NULL;
        int r = sd_bus_call(client_get_bus(client), call, CLIENT_DEADLINE_US, &error, NULL);

        if (r < 0 && (!error.name || sd_bus_error_has_name(&error, SD_BUS_ERROR_NO_REPLY) ||
                      sd_bus_error_has_name(&error, SD_BUS_ERROR_TIMEOUT) ||
                      sd_bus_error_has_name(&error, SD_BUS_ERROR_SERVICE_UNKNOWN)))
                ck_abort_msg("%s.%s on %s got no answer: %s", sd_bus_message_get_interface(call),
                             sd_bus_message_get_member(call), sd_bus_message_get_path(call),
                             error.name ? error.name : g_strerror(-r));
        ck_assert(!error.message || strlen(error.message) <= 2048);
        sd_bus_error_free(&error);
}

static sd_bus_message *new_call(const char *path, const struct method *method)
{
        sd_bus_message *call = NULL;

        ck_assert_int_ge(sd_bus_message_new_method_call(client_get_bus(client), &call, "org.libvirt", path,
                                                        method->interface, method->name),
                         0);
        return call;
}

static const char *const paths[] = { MANAGER_PATH,    TEST_PATH,      QEMU_PATH,        TEST_PATH DOMAIN,
                                     TEST_PATH GHOST, TEST_PATH POOL, TEST_PATH VOLUME, TEST_PATH SECRET };

/* What is not there by itself. */
static void make_objects(void)
{
        g_autofree char *volume =
                client_call_string(client, TEST_PATH POOL, POOL_INTERFACE, "StorageVolCreateXML", "su",
                                   "<volume><name>v</name><capacity>1048576</capacity></volume>", 0);
        g_autofree char *secret =
                client_call_string(client, TEST_PATH, CONNECT_INTERFACE, "SecretDefineXML", "su",
                                   "<secret><uuid>00000000-0000-0000-0000-000000000002</uuid></secret>", 0);

        ck_assert_str_eq(volume, TEST_PATH VOLUME);
        ck_assert_str_eq(secret, TEST_PATH SECRET);
}

/* The GHOST has the members of a domain. */
static const char *introspectable(const char *path)
{
        return strcmp(path, TEST_PATH GHOST) == 0 ? TEST_PATH DOMAIN : path;
}

START_TEST(test_random_arguments)
{
        g_autoptr(GRand) rand = g_rand_new_with_seed(SEED);
        pid_t pid = client_get_owner_pid(client);
        GPtrArray *methods[G_N_ELEMENTS(paths)];

        make_objects();
        /* Beforehand, because the domain may not outlive what is done to it. */
        for (unsigned i = 0; i < G_N_ELEMENTS(paths); i++)
                methods[i] = read_methods(introspectable(paths[i]));
        for (unsigned i = 0; i < CALLS; i++) {
                unsigned at = i % G_N_ELEMENTS(paths);
                const struct method *method = methods[at]->pdata[g_rand_int_range(rand, 0, methods[at]->len)];
                g_autoptr(sd_bus_message) call = new_call(paths[at], method);

                append_all_random(rand, call, method->signature->str);
                expect_answer(call);
        }
        for (unsigned i = 0; i < G_N_ELEMENTS(paths); i++)
                g_ptr_array_unref(methods[i]);
        client_ping(client);
        ck_assert_int_eq(client_get_owner_pid(client), pid);
}
END_TEST

START_TEST(test_wrong_signatures)
{
        const char *const signatures[] = { "",      "s",        "u",  "i", "su",    "us", "ss",
                                           "a{sv}", "as",       "ay", "v", "sssss", "t",  "b",
                                           "o",     "uuuuuuuu", "ah", "g", "d",     "aau" };
        g_autoptr(GRand) rand = g_rand_new_with_seed(SEED);

        make_objects();
        for (unsigned i = 0; i < G_N_ELEMENTS(paths); i++) {
                g_autoptr(GPtrArray) methods = read_methods(introspectable(paths[i]));

                for (unsigned j = 0; j < methods->len; j++) {
                        const struct method *method = methods->pdata[j];

                        for (unsigned k = 0; k < G_N_ELEMENTS(signatures); k++) {
                                g_autoptr(sd_bus_message) call = NULL;
                                g_autofree char *outcome = NULL;

                                if (strcmp(signatures[k], method->signature->str) == 0)
                                        continue;
                                call = new_call(paths[i], method);
                                append_all_random(rand, call, signatures[k]);
                                expect_answer(call);
                        }
                }
        }
        client_ping(client);
}
END_TEST

START_TEST(test_the_answer_to_a_wrong_signature)
{
        g_autoptr(GPtrArray) methods = read_methods(TEST_PATH DOMAIN);

        for (unsigned i = 0; i < methods->len; i++) {
                const struct method *method = methods->pdata[i];

                client_fails(client, INVALID_ARGS, "*", TEST_PATH DOMAIN, method->interface, method->name,
                             "gd", "as", 1.5);
        }
}
END_TEST

/* One random change of the text: a byte, a piece cut out, doubled or moved. */
static char *mutate(GRand *rand, const char *text)
{
        GString *result = g_string_new(text);
        unsigned changes = g_rand_int_range(rand, 1, 4);

        while (changes-- > 0 && result->len > 2) {
                size_t start = g_rand_int_range(rand, 0, result->len - 1);
                size_t length = g_rand_int_range(rand, 1, MIN(40, result->len - start) + 1);
                g_autofree char *piece = g_strndup(result->str + start, length);

                switch (g_rand_int_range(rand, 0, 4)) {
                case 0:
                        result->str[start] = "<>/'\"&= \n0x-9"[g_rand_int_range(rand, 0, 13)];
                        break;
                case 1:
                        g_string_erase(result, start, length);
                        break;
                case 2:
                        g_string_insert(result, start, piece);
                        break;
                default:
                        g_string_erase(result, start, length);
                        g_string_insert(result, g_rand_int_range(rand, 0, result->len + 1), piece);
                }
        }
        return g_string_free(result, FALSE);
}

static void offer_mutations(const char *path, const char *document)
{
        g_autoptr(GRand) rand = g_rand_new_with_seed(SEED);

        for (unsigned i = 0; i < MUTATIONS; i++) {
                g_autofree char *xml = mutate(rand, document);
                g_autofree char *outcome = NULL;

                if (!g_utf8_validate(xml, -1, NULL))
                        continue;
                outcome = client_try(client, path, CONNECT_INTERFACE, "DomainDefineXML", "s", xml);
                if (outcome && !g_str_has_prefix(outcome, LIBVIRT_ERROR ": "))
                        ck_abort_msg("%s for %s", outcome, xml);
        }
        client_ping(client);
}

/* Every device that a guest of today has. */
static const char rich[] =
        "<domain "
        "type='qemu'><name>rich</name><uuid>11111111-2222-3333-4444-555555555555</uuid><title>t</title>"
        "<description>d</description><metadata><a:b xmlns:a='http://example.org/'/></metadata>"
        "<memory unit='MiB'>64</memory><currentMemory unit='MiB'>32</currentMemory><vcpu current='1'>2</vcpu>"
        "<os><type arch='x86_64' machine='q35'>hvm</type><boot dev='hd'/><bootmenu enable='yes'/></os>"
        "<features><acpi/><apic/><hyperv><relaxed state='on'/></hyperv></features><cpu mode='custom' "
        "match='exact'>"
        "<model>qemu64</model><topology sockets='1' dies='1' cores='2' threads='1'/><feature "
        "policy='require' "
        "name='aes'/></cpu><clock offset='utc'><timer name='rtc' tickpolicy='catchup'/></clock>"
        "<on_poweroff>destroy</on_poweroff><pm><suspend-to-mem enabled='no'/></pm><devices>"
        "<disk type='file' device='disk'><driver name='qemu' type='qcow2' cache='none' io='native'/>"
        "<source file='/x.qcow2'/><backingStore type='file'><format type='raw'/><source "
        "file='/y'/></backingStore>"
        "<target dev='vda' bus='virtio'/></disk><disk type='file' device='cdrom'><target dev='sda' "
        "bus='sata'/>"
        "<readonly/></disk><controller type='pci' model='pcie-root'/><controller type='usb' "
        "model='qemu-xhci'/>"
        "<interface type='user'><mac address='52:54:00:11:22:33'/><model type='virtio'/></interface>"
        "<interface type='bridge'><source bridge='br0'/><model type='e1000e'/></interface>"
        "<serial type='pty'><target port='0'/></serial><console type='pty'><target type='virtio'/></console>"
        "<channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>"
        "<input type='tablet' bus='usb'/><graphics type='vnc' port='-1' autoport='yes' passwd='x'>"
        "<listen type='address' address='127.0.0.1'/></graphics><video><model type='virtio' "
        "heads='1'/></video>"
        "<sound model='ich9'/><watchdog model='itco' action='reset'/><memballoon model='virtio'/>"
        "<rng model='virtio'><backend model='random'>/dev/urandom</backend></rng><tpm model='tpm-crb'>"
        "<backend type='emulator' version='2.0'/></tpm><panic model='pvpanic'/><vsock model='virtio'>"
        "<cid auto='yes'/></vsock><hostdev mode='subsystem' type='pci' managed='yes'><source><address "
        "domain='0' "
        "bus='0' slot='3' function='0'/></source></hostdev></devices></domain>";

START_TEST(test_mutated_documents)
{
        g_autofree char *plain = guest_test_xml("plain", "11111111-2222-3333-4444-555555555556");

        offer_mutations(TEST_PATH, plain);
}
END_TEST

START_TEST(test_mutated_rich_documents)
{
        offer_mutations(TEST_PATH, rich);
        offer_mutations(QEMU_PATH, rich);
}
END_TEST

static unsigned count_agent_fds(void)
{
        g_autofree char *path = g_strdup_printf("/proc/%d/fd", harness_get_agent_pid(harness));
        g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
        unsigned count = 0;

        while (g_dir_read_name(dir))
                count++;
        return count;
}

START_TEST(test_descriptors_nobody_asked_for_are_closed)
{
        const struct method ping = { (char *)"org.freedesktop.DBus.Peer", (char *)"Ping", NULL };
        const struct method define = { (char *)CONNECT_INTERFACE, (char *)"DomainDefineXML", NULL };
        unsigned before = count_agent_fds();

        for (unsigned i = 0; i < 50; i++) {
                g_autoptr(sd_bus_message) call = new_call(TEST_PATH, i & 1 ? &ping : &define);

                for (unsigned j = 0; j < 4; j++)
                        ck_assert_int_ge(sd_bus_message_append(call, "h", 0), 0);
                expect_answer(call);
        }
        /* Of the 200 none. A worker has one, and there may be more of those by now. */
        ck_assert_uint_le(count_agent_fds(), before + 20);
}
END_TEST

START_TEST(test_oversized_arguments)
{
        g_autofree char *text = g_strnfill((gsize)16 * 1024 * 1024, 'x');

        client_fails(client, LIBVIRT_ERROR, "*", TEST_PATH, CONNECT_INTERFACE, "DomainDefineXML", "s", text);
        client_fails(client, LIBVIRT_ERROR, "*", TEST_PATH, CONNECT_INTERFACE, "DomainLookupByName", "s",
                     text);
        client_fails(client, LIBVIRT_ERROR, "*", TEST_PATH, CONNECT_INTERFACE, "DomainLookupByUUID", "s",
                     text);
        client_fails(client, LIBVIRT_ERROR, "*", TEST_PATH DOMAIN, DOMAIN_INTERFACE, "Rename", "su", text, 0);
        client_fails(client, LIBVIRT_ERROR, "*", TEST_PATH DOMAIN, DOMAIN_INTERFACE, "SetMetadata", "isssu",
                     2, text, text, text, 0);
        client_fails(client, "org.freedesktop.DBus.Error.*", "*", TEST_PATH DOMAIN,
                     "org.freedesktop.DBus.Properties", "Get", "ss", text, text);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("calls");
        TCase *tcase = tcase_create("calls");

        tcase_add_checked_fixture(tcase, set_up, tear_down);
        tcase_add_test(tcase, test_random_arguments);
        tcase_add_test(tcase, test_wrong_signatures);
        tcase_add_test(tcase, test_the_answer_to_a_wrong_signature);
        tcase_add_test(tcase, test_mutated_documents);
        tcase_add_test(tcase, test_mutated_rich_documents);
        tcase_add_test(tcase, test_descriptors_nobody_asked_for_are_closed);
        tcase_add_test(tcase, test_oversized_arguments);
        suite_add_tcase(suite, tcase);
        return harness_main(suite);
}
