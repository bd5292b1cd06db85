/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Every member of the contract that changes something, tried on every kind of object by somebody who is not
 * authorized: all refuse, and nothing has changed. What members there are is read from introspection/. Needs
 * root, to be somebody else.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/guest.h"
#include "tests/support/harness.h"
#include "tests/support/polkitd.h"

#define OBJECT_MANAGER "org.freedesktop.DBus.ObjectManager"
#define PROPERTIES     "org.freedesktop.DBus.Properties"

/* Objects of a kind that are tried, on each connection. */
#define OBJECTS_MAX 2

struct member {
        char *interface, *name, *types; /* owned; types: of the arguments, "": a property */
        bool property, writes;
        bool writes_by_flag; /* with a certain flag, or another value of an enumeration */
};

static struct harness *harness;
static struct client *root;
static struct polkitd *polkitd;

static void set_up(void)
{
        harness = harness_new_bus();
        root = harness_get_client(harness);
}

static void tear_down(void)
{
        polkitd_free(polkitd);
        harness_free(harness);
}

/* ---- the contract ---- */

struct reader {
        GPtrArray *members; /* of struct member */
        char *interface;    /* owned */
        struct member *member;
};

static const char *get_attribute(const char **names, const char **values, const char *name)
{
        for (; *names; names++, values++)
                if (strcmp(*names, name) == 0)
                        return *values;
        return "";
}

static bool is_read(const char *action)
{
        const char *permission = strchr(action, '.') + 1;

        return strcmp(permission, "read") == 0 || strcmp(permission, "getattr") == 0 ||
               g_str_has_prefix(permission, "search-");
}

/* What is needed without any flag, or with one: "domain.write{DOMAIN_VCPU_GUEST}". */
static bool needs_more_than_reading(const char *actions, bool by_flag)
{
        g_auto(GStrv) words = g_strsplit(actions, " ", -1);

        for (char **word = words; *word; word++) {
                char *flag = strchr(*word, '{');

                if ((flag != NULL) != by_flag)
                        continue;
                if (flag)
                        *flag = '\0';
                if (!is_read(*word))
                        return true;
        }
        return false;
}

static void read_annotation(struct member *member, const char *name, const char *value)
{
        const char *wanted = member->property ? "org.virtbus.WriteAction" : "org.virtbus.Action";

        if (strcmp(name, wanted) != 0)
                return;
        member->writes = needs_more_than_reading(value, false);
        member->writes_by_flag = needs_more_than_reading(value, true);
}

static void start_element(GMarkupParseContext *context, const char *element, const char **names,
                          const char **values, void *data, GError **error)
{
        struct reader *reader = data;
        const char *name = get_attribute(names, values, "name");

        if (strcmp(element, "interface") == 0) {
                g_free(reader->interface);
                reader->interface = g_strdup(name);
        } else if (strcmp(element, "method") == 0 || strcmp(element, "property") == 0) {
                reader->member = g_new0(struct member, 1);
                *reader->member = (struct member){ g_strdup(reader->interface), g_strdup(name), g_strdup(""),
                                                   strcmp(element, "property") == 0 };
        } else if (reader->member && strcmp(element, "annotation") == 0) {
                read_annotation(reader->member, name, get_attribute(names, values, "value"));
        } else if (reader->member && strcmp(element, "arg") == 0 &&
                   strcmp(get_attribute(names, values, "direction"), "out") != 0) {
                char *types = g_strconcat(reader->member->types, get_attribute(names, values, "type"), NULL);

                g_free(reader->member->types);
                reader->member->types = types;
        }
}

static void member_free(void *data)
{
        struct member *member = data;

        g_free(member->interface);
        g_free(member->name);
        g_free(member->types);
        g_free(member);
}

static void end_element(GMarkupParseContext *context, const char *element, void *data, GError **error)
{
        struct reader *reader = data;

        if (strcmp(element, "method") != 0 && strcmp(element, "property") != 0)
                return;
        if (reader->member->writes || reader->member->writes_by_flag)
                g_ptr_array_add(reader->members, reader->member);
        else
                member_free(reader->member);
        reader->member = NULL;
}

static void read_file(struct reader *reader, const char *folder, const char *name)
{
        static const GMarkupParser parser = { .start_element = start_element, .end_element = end_element };
        g_autofree char *path = g_build_filename(folder, name, NULL);
        g_autofree char *text = NULL;
        g_autoptr(GMarkupParseContext) context = g_markup_parse_context_new(&parser, 0, reader, NULL);
        g_autoptr(GError) error = NULL;

        ck_assert(g_file_get_contents(path, &text, NULL, NULL));
        if (!g_markup_parse_context_parse(context, text, -1, &error))
                ck_abort_msg("%s: %s", path, error->message);
}

/* All that change something. */
static GPtrArray *read_contract(void)
{
        g_autofree char *folder = g_build_filename(g_getenv("VIRTBUS_SOURCE_DIR"), "introspection", NULL);
        g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
        struct reader reader = { .members = g_ptr_array_new_with_free_func(member_free) };
        const char *name;

        ck_assert_ptr_nonnull(dir);
        while ((name = g_dir_read_name(dir)))
                if (g_str_has_suffix(name, ".xml"))
                        read_file(&reader, folder, name);
        g_free(reader.interface);
        return reader.members;
}

/* ---- what there is ---- */

static void add_path(GHashTable *objects, const char *interface, const char *path)
{
        GPtrArray *paths = g_hash_table_lookup(objects, interface);

        if (!paths) {
                paths = g_ptr_array_new_with_free_func(g_free);
                g_hash_table_insert(objects, g_strdup(interface), paths);
        }
        g_ptr_array_add(paths, g_strdup(path));
}

/* Adds (interface -> paths) of the objects of one connection. */
static void find_objects(GHashTable *objects, const char *connection)
{
        g_autoptr(sd_bus_message) reply =
                client_call(root, connection, OBJECT_MANAGER, "GetManagedObjects", NULL);
        g_autoptr(GHashTable) counts = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
        const char *path, *interface;

        ck_assert_int_gt(sd_bus_message_enter_container(reply, 'a', "{oa{sa{sv}}}"), 0);
        while (sd_bus_message_enter_container(reply, 'e', "oa{sa{sv}}") > 0) {
                ck_assert_int_gt(sd_bus_message_read(reply, "o", &path), 0);
                ck_assert_int_gt(sd_bus_message_enter_container(reply, 'a', "{sa{sv}}"), 0);
                while (sd_bus_message_enter_container(reply, 'e', "sa{sv}") > 0) {
                        unsigned count;

                        ck_assert_int_gt(sd_bus_message_read(reply, "s", &interface), 0);
                        ck_assert_int_gt(sd_bus_message_skip(reply, "a{sv}"), 0);
                        sd_bus_message_exit_container(reply);
                        count = GPOINTER_TO_UINT(g_hash_table_lookup(counts, interface));
                        g_hash_table_replace(counts, g_strdup(interface), GUINT_TO_POINTER(count + 1));
                        if (count < OBJECTS_MAX)
                                add_path(objects, interface, path);
                }
                sd_bus_message_exit_container(reply);
                sd_bus_message_exit_container(reply);
        }
}

/* Everything that the connection in memory shows, as text. */
static char *describe_all(void)
{
        g_autoptr(sd_bus_message) reply =
                client_call(root, TEST_PATH, OBJECT_MANAGER, "GetManagedObjects", NULL);
        char *text = NULL;
        size_t length = 0;
        FILE *file = open_memstream(&text, &length);

        ck_assert_int_ge(sd_bus_message_dump(reply, file, SD_BUS_MESSAGE_DUMP_SUBTREE_ONLY), 0);
        fclose(file);
        return text;
}

/* The files that the agent keeps, with what is in them; what dnsmasq writes is not the agent's. */
static char *describe_files(void)
{
        g_autofree char *state = harness_path(harness, "state");
        const char *argv[] = {
                "sh", "-c",
                "cd \"$0\" && find . -type f ! -path './network/leases/*' -exec sha256sum {} + | sort", state,
                NULL
        };
        char *text = NULL;

        ck_assert(g_spawn_sync(NULL, (char **)argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, &text, NULL, NULL,
                               NULL));
        return text;
}

/* ---- trying ---- */

/* An array of the type that begins at element; returns where that ends. */
static const char *append_empty(sd_bus_message *call, const char *element)
{
        const char *end = element;
        g_autofree char *type = NULL;

        while (*end == 'a')
                end++;
        if (*end == '{' || *end == '(')
                end = strchr(end, *end == '{' ? '}' : ')');
        type = g_strndup(element, end + 1 - element);
        ck_assert_int_ge(sd_bus_message_open_container(call, 'a', type), 0);
        ck_assert_int_ge(sd_bus_message_close_container(call), 0);
        return end;
}

/* Flags, and all other numbers, are that. */
static void append(sd_bus_message *call, const char *types, uint64_t number)
{
        for (; *types; types++) {
                int result = -1;

                switch (*types) {
                case 's':
                        result = sd_bus_message_append(call, "s", "<domain/>");
                        break;
                case 'o':
                        result = sd_bus_message_append(call, "o", "/");
                        break;
                case 'b':
                case 'i':
                case 'u':
                case 't':
                case 'x':
                case 'd':
                        result = sd_bus_message_append_basic(call, *types, &number);
                        break;
                case 'h':
                        result = sd_bus_message_append(call, "h", 0);
                        break;
                case 'a':
                        types = append_empty(call, types + 1);
                        result = 0;
                        break;
                default:
                        ck_abort_msg("'%s' is new here", types);
                }
                ck_assert_int_ge(result, 0);
        }
}

/* The name of the error; NULL: none. Free it. */
static char *call_as(struct client *nobody, const struct member *member, const char *path, uint64_t number)
{
        g_autoptr(sd_bus_message) call = NULL;
        sd_bus_error error = SD_BUS_ERROR_NULL;
        char *name;

        ck_assert_int_ge(sd_bus_message_new_method_call(client_get_bus(nobody), &call, "org.libvirt", path,
                                                        member->property ? PROPERTIES : member->interface,
                                                        member->property ? "Set" : member->name),
                         0);
        if (member->property)
                ck_assert_int_ge(sd_bus_message_append(call, "ssv", member->interface, member->name, "b", 1),
                                 0);
        else
                append(call, member->types, number);
        sd_bus_call(client_get_bus(nobody), call, CLIENT_DEADLINE_US, &error, NULL);
        name = g_strdup(error.name);
        sd_bus_error_free(&error);
        return name;
}

static void try(struct client *nobody, const struct member *member, const char *path)
{
        g_autofree char *error = call_as(nobody, member, path, 0);

        if (g_strcmp0(error, ACCESS_DENIED) != 0)
                ck_abort_msg("%s.%s of %s is for everybody: %s", member->interface, member->name, path,
                             error ? error : "no error");
}

/* One of its flags, at least, needs more than the others. */
static void try_flags(struct client *nobody, const struct member *member, const char *path)
{
        for (unsigned bit = 0; bit < 32; bit++) {
                g_autofree char *error = call_as(nobody, member, path, UINT64_C(1) << bit);

                if (g_strcmp0(error, ACCESS_DENIED) == 0)
                        return;
        }
        ck_abort_msg("%s.%s of %s is for everybody with all of its flags", member->interface, member->name,
                     path);
}

static void make_objects(void)
{
        g_autofree char *domain = guest_define(root, guest_bare_xml("kept", NULL));
        g_autofree char *pool = client_call_string(root, TEST_PATH, CONNECT_INTERFACE,
                                                   "StoragePoolLookupByName", "s", "default-pool");
        g_autofree char *volume =
                client_call_string(root, pool, "org.libvirt.StoragePool", "StorageVolCreateXML", "su",
                                   "<volume><name>kept</name><capacity>1048576</capacity></volume>", 0);

        client_do(root, TEST_PATH, CONNECT_INTERFACE, "SecretDefineXML", "su",
                  "<secret><usage type='volume'><volume>kept</volume></usage></secret>", 0);
        client_do(root, TEST_PATH, CONNECT_INTERFACE, "NWFilterDefineXML", "s",
                  "<filter name='kept'><rule action='accept' direction='in'/></filter>");
        client_do(root, QEMU_PATH, CONNECT_INTERFACE, "SecretDefineXML", "su",
                  "<secret><usage type='volume'><volume>kept</volume></usage></secret>", 0);
}

/* Of the connections themselves, which their managers do not list. */
static const char *const connection_interfaces[] = {
        CONNECT_INTERFACE,
        "org.virtbus.Migration",
        "org.virtbus.Statistics",
};

static GHashTable *find_all(void)
{
        GHashTable *objects =
                g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)g_ptr_array_unref);

        for (unsigned i = 0; i < G_N_ELEMENTS(connection_interfaces); i++) {
                add_path(objects, connection_interfaces[i], TEST_PATH);
                add_path(objects, connection_interfaces[i], QEMU_PATH);
        }
        find_objects(objects, TEST_PATH);
        find_objects(objects, QEMU_PATH);
        return objects;
}

static void try_all(struct client *nobody)
{
        g_autoptr(GPtrArray) members = read_contract();
        g_autoptr(GHashTable) objects = find_all();
        unsigned tried = 0;

        for (unsigned i = 0; i < members->len; i++) {
                const struct member *member = g_ptr_array_index(members, i);
                const GPtrArray *paths = g_hash_table_lookup(objects, member->interface);

                /* A job is there while it lasts; tests/bus/test-jobs.c has one. */
                if (!paths && strcmp(member->interface, "org.virtbus.Job") == 0)
                        continue;
                ck_assert_msg(paths != NULL, "there is no object with the interface %s to try",
                              member->interface);
                for (unsigned n = 0; n < paths->len; n++, tried++)
                        (member->writes ? try : try_flags)(nobody, member, g_ptr_array_index(paths, n));
        }
        ck_assert_uint_gt(tried, 100);
}

static void check_that_nothing_changes(const char *rules)
{
        g_autofree char *objects = NULL, *objects_after = NULL, *files = NULL, *files_after = NULL;
        struct client *nobody;

        polkitd = polkitd_new(harness, rules);
        if (!polkitd)
                return;
        harness_start_agent(harness);
        make_objects();
        objects = describe_all();
        files = describe_files();
        nobody = polkitd_connect_as(harness, POLKITD_NOBODY);
        try_all(nobody);
        client_free(nobody);
        objects_after = describe_all();
        files_after = describe_files();
        ck_assert_str_eq(objects, objects_after);
        ck_assert_str_eq(files, files_after);
}

START_TEST(test_without_authorization)
{
        check_that_nothing_changes("polkit.addRule(function (action, subject) {"
                                   "    if (action.id == 'org.libvirt.unix.manage') return 'no';"
                                   "});");
}
END_TEST

/* By what the policy allows everybody. */
START_TEST(test_without_fine_authorization)
{
        g_autofree char *config = harness_path(harness, "virtbusd.conf");
        g_autofree char *option = g_strconcat("--config=", config, NULL);

        ck_assert(g_file_set_contents(config, "[access]\nfine=true\n", -1, NULL));
        harness_add_option(harness, option);
        check_that_nothing_changes("");
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("strangers");
        TCase *tcase = tcase_create("strangers");

        tcase_add_checked_fixture(tcase, set_up, tear_down);
        tcase_add_test(tcase, test_without_authorization);
        tcase_add_test(tcase, test_without_fine_authorization);
        suite_add_tcase(suite, tcase);
        return harness_main(suite);
}
