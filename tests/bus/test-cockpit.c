/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What the Machines page of Cockpit does to a bus: its calls in its order and rhythm, as far as they are
 * served. Every row of the page is a chain of calls, and the chains of all rows run at the same time; signals
 * start chains again.
 */

#include <signal.h>
#include <string.h>

#include "tests/support/guest.h"
#include "tests/support/harness.h"
#include "tests/support/pool.h"

#define GUESTS     40
#define PROPERTIES "org.freedesktop.DBus.Properties"

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

/* ---- the page ---- */

/* Like the page: it listens to everything and asks for no objects. */
struct page {
        struct client *client; /* owned */
        sd_bus_slot *slot;     /* owned */
        GHashTable *rows;      /* path of a domain -> name */
        GHashTable *pools;     /* path of a pool -> whether it is shown as active */
        unsigned busy;         /* calls on their way */
        unsigned signals;      /* of ObjectManager, which it never asked for */
};

struct chain {
        struct page *page;
        char *path;
        unsigned step;
        char *arch, *machine, *name;
        int active;
};

static void chain_free(struct chain *chain)
{
        g_free(chain->path);
        g_free(chain->arch);
        g_free(chain->machine);
        g_free(chain->name);
        g_free(chain);
}

static void send(struct chain *chain, sd_bus_message_handler_t next, const char *path, const char *interface,
                 const char *member, const char *types, ...)
{
        sd_bus *bus = client_get_bus(chain->page->client);
        g_autoptr(sd_bus_message) call = NULL;
        va_list arguments;

        ck_assert_int_ge(sd_bus_message_new_method_call(bus, &call, "org.libvirt", path, interface, member),
                         0);
        va_start(arguments, types);
        if (types)
                ck_assert_int_ge(sd_bus_message_appendv(call, types, arguments), 0);
        va_end(arguments);
        ck_assert_int_ge(sd_bus_call_async(bus, NULL, call, next, chain, 0), 0);
        chain->page->busy++;
}

/* The value of an attribute, as the page finds it: the first of that name in the first such element. */
static char *find_attribute(const char *xml, const char *element, const char *attribute)
{
        const char *at = strstr(xml, element), *end;
        g_autofree char *begin = g_strdup_printf(" %s='", attribute);

        ck_assert_ptr_nonnull(at);
        at = strstr(at, begin);
        ck_assert_ptr_nonnull(at);
        at += strlen(begin);
        end = strchr(at, '\'');
        return g_strndup(at, (size_t)(end - at));
}

/* A row: GetXMLDesc, the same of the next start, GetState, GetAll, GetDomainCapabilities. */
static int on_row(sd_bus_message *reply, void *data, sd_bus_error *unused)
{
        struct chain *chain = data;
        struct page *page = chain->page;
        const sd_bus_error *error = sd_bus_message_get_error(reply);
        const char *text;
        int state, reason;

        page->busy--;
        if (error) {
                /* The row goes; whatever the error, the page says nothing. */
                g_hash_table_remove(page->rows, chain->path);
                if (!g_str_has_prefix(error->message, "Domain not found"))
                        ck_abort_msg("a row is lost: %s", error->message);
                chain_free(chain);
                return 0;
        }
        switch (chain->step++) {
        case 0:
                ck_assert_int_gt(sd_bus_message_read(reply, "s", &text), 0);
                chain->arch = find_attribute(text, "<type", "arch");
                chain->machine = find_attribute(text, "<type", "machine");
                send(chain, on_row, chain->path, DOMAIN_INTERFACE, "GetXMLDesc", "u", 1 | 2);
                break;
        case 1:
                send(chain, on_row, chain->path, DOMAIN_INTERFACE, "GetState", "u", 0);
                break;
        case 2:
                ck_assert_int_gt(sd_bus_message_read(reply, "(ii)", &state, &reason), 0);
                send(chain, on_row, chain->path, PROPERTIES, "GetAll", "s", DOMAIN_INTERFACE);
                break;
        case 3:
                send(chain, on_row, QEMU_PATH, CONNECT_INTERFACE, "GetDomainCapabilities", "ssssu", "",
                     chain->arch, chain->machine, "", 0);
                break;
        default:
                ck_assert_int_gt(sd_bus_message_read(reply, "s", &text), 0);
                ck_assert_ptr_nonnull(strstr(text, "<domainCapabilities>"));
                g_hash_table_add(page->rows, g_strdup(chain->path));
                chain_free(chain);
        }
        return 0;
}

static struct chain *chain_new(struct page *page, const char *path)
{
        struct chain *chain = g_new0(struct chain, 1);

        chain->page = page;
        chain->path = g_strdup(path);
        return chain;
}

static void read_row(struct page *page, const char *path)
{
        send(chain_new(page, path), on_row, path, DOMAIN_INTERFACE, "GetXMLDesc", "u", 1);
}

/* A pool: GetXMLDesc, then the properties; a pool that is shown is shown as it was when these were read. */
static int on_pool(sd_bus_message *reply, void *data, sd_bus_error *unused)
{
        struct chain *chain = data;
        struct page *page = chain->page;
        const char *type;
        char kind;

        page->busy--;
        if (sd_bus_message_get_error(reply)) {
                chain_free(chain);
                return 0;
        }
        switch (chain->step++) {
        case 0:
                send(chain, on_pool, chain->path, PROPERTIES, "Get", "ss", POOL_INTERFACE, "Active");
                break;
        case 1:
                ck_assert_int_gt(sd_bus_message_peek_type(reply, &kind, &type), 0);
                ck_assert_int_gt(sd_bus_message_read(reply, "v", "b", &chain->active), 0);
                send(chain, on_pool, chain->path, POOL_INTERFACE, "GetInfo", NULL);
                break;
        default:
                g_hash_table_insert(page->pools, g_strdup(chain->path), GINT_TO_POINTER(chain->active + 1));
                chain_free(chain);
        }
        return 0;
}

static void read_pool(struct page *page, const char *path)
{
        send(chain_new(page, path), on_pool, path, POOL_INTERFACE, "GetXMLDesc", "u", 0);
}

static int on_event(sd_bus_message *message, void *data, sd_bus_error *unused)
{
        struct page *page = data;
        const char *path;
        int event;

        if (sd_bus_message_is_signal(message, MANAGER_OF_OBJECTS, NULL))
                page->signals++;
        if (sd_bus_message_is_signal(message, CONNECT_INTERFACE, "DomainEvent")) {
                ck_assert_int_gt(sd_bus_message_read(message, "oi", &path, &event), 0);
                if (event == EVENT_DEFINED || event == EVENT_UNDEFINED || event == EVENT_STARTED ||
                    event == EVENT_STOPPED)
                        read_row(page, path);
        } else if (sd_bus_message_is_signal(message, CONNECT_INTERFACE, "StoragePoolEvent")) {
                ck_assert_int_gt(sd_bus_message_read(message, "oi", &path, &event), 0);
                if (event == POOL_UNDEFINED)
                        g_hash_table_remove(page->pools, path);
                else
                        read_pool(page, path);
        } else if (sd_bus_message_is_signal(message, POOL_INTERFACE, "Refresh")) {
                read_pool(page, sd_bus_message_get_path(message));
        }
        return 0;
}

static int on_list(sd_bus_message *reply, void *data, sd_bus_error *unused)
{
        struct chain *chain = data;
        struct page *page = chain->page;
        const sd_bus_error *error = sd_bus_message_get_error(reply);
        const char *path;

        page->busy--;
        ck_assert_msg(!error, "a card of the page shows an error: %s", error ? error->message : "");
        if (sd_bus_message_has_signature(reply, "ao")) {
                ck_assert_int_gt(sd_bus_message_enter_container(reply, 'a', "o"), 0);
                while (sd_bus_message_read(reply, "o", &path) > 0) {
                        if (strstr(path, "/domain/"))
                                read_row(page, path);
                        else if (strstr(path, "/storagepool/"))
                                read_pool(page, path);
                }
        }
        chain_free(chain);
        return 0;
}

static void settle(struct page *page)
{
        gint64 deadline = g_get_monotonic_time() + CLIENT_DEADLINE_US;

        while (page->busy > 0) {
                int some = sd_bus_process(client_get_bus(page->client), NULL);

                ck_assert_int_ge(some, 0);
                if (!some)
                        sd_bus_wait(client_get_bus(page->client), CLIENT_DEADLINE_US);
                ck_assert_msg(g_get_monotonic_time() < deadline, "%u calls are not answered", page->busy);
        }
}

/* Opens the page: all lists at once, and what they lead to. */
static struct page *page_open(void)
{
        static const char *const lists[] = { "ListDomains", "ListStoragePools", "ListInterfaces",
                                             "ListNetworks", "ListNodeDevices" };
        struct page *page = g_new0(struct page, 1);

        page->client = harness_connect(harness);
        page->rows = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
        page->pools = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
        ck_assert_int_ge(sd_bus_add_match(client_get_bus(page->client), &page->slot,
                                          "type='signal',path_namespace='/org/libvirt'", on_event, page),
                         0);
        client_do(page->client, QEMU_PATH, PROPERTIES, "Get", "ss", CONNECT_INTERFACE, "LibVersion");
        for (unsigned i = 0; i < G_N_ELEMENTS(lists); i++)
                send(chain_new(page, QEMU_PATH), on_list, QEMU_PATH, CONNECT_INTERFACE, lists[i], "u", 0);
        send(chain_new(page, QEMU_PATH), on_list, QEMU_PATH, CONNECT_INTERFACE, "NodeGetMemoryStats", "iu",
             -1, 0);
        settle(page);
        return page;
}

static void page_close(struct page *page)
{
        ck_assert_uint_eq(page->signals, 0);
        sd_bus_slot_unref(page->slot);
        client_free(page->client);
        g_hash_table_unref(page->rows);
        g_hash_table_unref(page->pools);
        g_free(page);
}

/* Takes in what the agent sent before this, and all that follows from it. */
static void catch_up(struct page *page)
{
        client_ping(page->client);
        client_process(page->client);
        settle(page);
}

/* ---- what happens while it is open ---- */

static char *define(unsigned i)
{
        g_autofree char *name = g_strdup_printf("guest-%u", i);

        return guest_define(client, guest_bare_xml(name, NULL));
}

START_TEST(test_every_guest_is_a_row)
{
        struct page *page;

        for (unsigned i = 0; i < GUESTS; i++)
                g_free(define(i));
        page = page_open();
        ck_assert_uint_eq(g_hash_table_size(page->rows), GUESTS);
        /* In a row and without waiting for the page: none is missed. */
        for (unsigned i = GUESTS; i < 2 * GUESTS; i++)
                g_free(define(i));
        catch_up(page);
        ck_assert_uint_eq(g_hash_table_size(page->rows), 2 * GUESTS);
        page_close(page);
}
END_TEST

START_TEST(test_a_guest_comes_runs_and_goes)
{
        struct page *page = page_open();
        g_autofree char *path = define(0);

        catch_up(page);
        ck_assert(g_hash_table_contains(page->rows, path));
        guest_do_flags(client, path, "Create", 0);
        guest_do_flags(client, path, "Destroy", 0);
        catch_up(page);
        ck_assert(g_hash_table_contains(page->rows, path));
        guest_do_flags(client, path, "Undefine", 0);
        catch_up(page);
        ck_assert_uint_eq(g_hash_table_size(page->rows), 0);
        page_close(page);
}
END_TEST

/* The page removes a pool's volumes, then the pool, without a pause. */
START_TEST(test_a_pool_is_removed_with_its_content)
{
        g_autofree char *folder = harness_path(harness, "images");
        g_autofree char *pool = pool_start_dir(client, "images", folder);
        g_autofree char *volume = pool_make_volume(client, pool, "disk", "raw", 1024);
        struct page *page = page_open();

        ck_assert_int_eq(GPOINTER_TO_INT(g_hash_table_lookup(page->pools, pool)), 2);
        client_do(client, volume, VOLUME_INTERFACE, "Delete", "u", 0);
        catch_up(page);
        client_do(client, pool, POOL_INTERFACE, "Destroy", NULL);
        catch_up(page);
        ck_assert_int_eq(GPOINTER_TO_INT(g_hash_table_lookup(page->pools, pool)), 1);
        client_do(client, pool, POOL_INTERFACE, "Undefine", NULL);
        catch_up(page);
        ck_assert(!g_hash_table_contains(page->pools, pool));
        page_close(page);
}
END_TEST

/*
 * The page asks for all rows at once, more than the system bus lets one client have unanswered by itself:
 * what the package says of it counts. The agent stands still meanwhile, so that all of them are unanswered.
 */
START_TEST(test_many_rows_are_asked_for_at_once)
{
        const char *source = g_getenv("VIRTBUS_SOURCE_DIR");
        g_autofree char *more = g_strdup_printf("<limit name='max_replies_per_connection'>128</limit>"
                                                "<include>%s/packaging/dbus/org.libvirt.conf</include>",
                                                source);
        struct client_answer answers[300] = { 0 };

        harness_end_agent(harness, SIGTERM);
        harness_stop_bus(harness);
        harness_configure_bus(harness, more);
        harness_start_bus(harness);
        harness_reconnect(harness);
        client = harness_get_client(harness);
        harness_start_agent(harness);
        ck_assert_int_eq(kill(harness_get_agent_pid(harness), SIGSTOP), 0);
        for (unsigned i = 0; i < G_N_ELEMENTS(answers); i++)
                client_send(client, &answers[i], QEMU_PATH, CONNECT_INTERFACE, "ListDomains", "u", 0);
        ck_assert_int_ge(sd_bus_flush(client_get_bus(client)), 0);
        ck_assert_int_eq(kill(harness_get_agent_pid(harness), SIGCONT), 0);
        for (unsigned i = 0; i < G_N_ELEMENTS(answers); i++) {
                client_wait_answer(client, &answers[i]);
                ck_assert_msg(!answers[i].error, "call %u: %s", i, answers[i].error);
        }
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("cockpit");
        TCase *tcase = tcase_create("cockpit");

        tcase_add_checked_fixture(tcase, set_up, tear_down);
        tcase_add_test(tcase, test_every_guest_is_a_row);
        tcase_add_test(tcase, test_a_guest_comes_runs_and_goes);
        tcase_add_test(tcase, test_a_pool_is_removed_with_its_content);
        tcase_add_test(tcase, test_many_rows_are_asked_for_at_once);
        suite_add_tcase(suite, tcase);
        return harness_main(suite);
}
