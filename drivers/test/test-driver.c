/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The operations of the in-memory driver. They run in the lanes of the domains, as those of a hypervisor do;
 * a guest is its state and nothing else.
 */
#include "drivers/test/test-driver.h"

#include "drivers/domain/driver.h"
#include "drivers/domain/edit-xml.h"
#include "drivers/domain/live-xml.h"
#include "drivers/host/host-capabilities-xml.h"
#include "drivers/host/host.h"
#include "drivers/test/test-agent.h"
#include "drivers/test/test-input.h"
#include "drivers/test/test-stats.h"
#include "drivers/test/test-save.h"

#include <string.h>

#define TEST_URI       "test:///default"
#define TEST_VERSION   2 /* 0.0.2 */
#define TEST_VCPUS_MAX 32
#define TEST_ARCH      "i686"

/* The inventory that tools and tests rely on; uuid and numbers are part of the wire (docs/API.md). */
static const char default_domain[] = "<domain type='test'>\n"
                                     "  <name>test</name>\n"
                                     "  <uuid>6695eb01-f6a4-8304-79aa-97f2502e193f</uuid>\n"
                                     "  <memory unit='KiB'>8388608</memory>\n"
                                     "  <currentMemory unit='KiB'>2097152</currentMemory>\n"
                                     "  <vcpu placement='static'>2</vcpu>\n"
                                     "  <os>\n"
                                     "    <type arch='i686'>hvm</type>\n"
                                     "    <boot dev='hd'/>\n"
                                     "  </os>\n"
                                     "  <clock offset='utc'/>\n"
                                     "  <on_poweroff>destroy</on_poweroff>\n"
                                     "  <on_reboot>restart</on_reboot>\n"
                                     "  <on_crash>destroy</on_crash>\n"
                                     "  <devices>\n"
                                     "    <disk type='file' device='disk'>\n"
                                     "      <source file='/guest/diskimage1'/>\n"
                                     "      <target dev='vda' bus='virtio'/>\n"
                                     "    </disk>\n"
                                     "    <interface type='network'>\n"
                                     "      <mac address='aa:bb:cc:dd:ee:ff'/>\n"
                                     "      <source network='default'/>\n"
                                     "      <target dev='testnet0'/>\n"
                                     "    </interface>\n"
                                     "    <memballoon model='virtio'/>\n"
                                     "  </devices>\n"
                                     "</domain>\n";

static struct domain_machine resolve(const char *arch, const char *machine, const char *emulator)
{
        return (struct domain_machine){
                .type = "test",
                .arch = arch ? arch : TEST_ARCH,
                .machine = machine,
                .emulator = emulator,
                .max_vcpus = TEST_VCPUS_MAX,
        };
}

static void prepare(struct domain_driver *driver, const char *type, const char *arch, const char *machine,
                    const char *emulator, domain_driver_prepared done, void *data)
{
        /* What is borrowed is the document's, which is worked on next. */
        g_autofree char *own_arch = g_strdup(arch), *own_machine = g_strdup(machine);
        g_autofree char *own_emulator = g_strdup(emulator);
        const struct domain_machine resolved = resolve(own_arch, own_machine, own_emulator);
        g_autoptr(GError) error = NULL;

        if (!type || strcmp(type, "test") == 0) {
                done(&resolved, NULL, data);
                return;
        }
        error_set(&error, ERROR_FROM_TEST, ERROR_CONFIG_UNSUPPORTED,
                  "domain type '%s' is not one of this driver's, which has 'test' only", type);
        done(NULL, error, data);
}

static void capabilities(struct domain_driver *driver, domain_driver_text_done done, void *data)
{
        g_autofree char *text = host_capabilities_format_test(driver->host);

        done(text, NULL, data);
}

static void domain_capabilities(struct domain_driver *driver, const char *emulator, const char *arch,
                                const char *machine, const char *type, domain_driver_text_done done,
                                void *data)
{
        g_autoptr(GError) error = NULL;

        error_set(&error, ERROR_FROM_TEST, ERROR_NO_SUPPORT, "GetDomainCapabilities");
        done(NULL, error, data);
}

static uint64_t get_version(struct domain_driver *driver, GError **error)
{
        return TEST_VERSION;
}

static void get_security_model(struct domain_driver *driver, const char **model, const char **doi)
{
        *model = host_get_security_model(driver->host);
        *doi = "";
}

static unsigned get_max_vcpus(struct domain_driver *driver, const char *type, GError **error)
{
        if (!*type || strcmp(type, "test") == 0)
                return TEST_VCPUS_MAX;
        error_set(error, ERROR_FROM_TEST, ERROR_INVALID_ARG, "unknown domain type '%s'", type);
        return 0;
}

static bool start(struct domain *domain, struct domain_state *state, const struct domain_start *how,
                  GError **error)
{
        struct domain_def *active =
                domain_def_activate((const struct domain_def *)state->base.active, state->id, error);

        if (!active)
                return false;
        managed_state_take_active(&state->base, &active->base);
        return true;
}

static bool succeed(struct domain *domain, GError **error)
{
        return true;
}

static bool stop(struct domain *domain, bool graceful, GError **error)
{
        test_agent_forget(domain);
        return true;
}

static void restart(struct domain *domain)
{
        struct domain_event *event = domain_event_new(DOMAIN_EVENT_REBOOT);

        managed_emit(&domain->base, &event->base);
}

static bool reset(struct domain *domain, GError **error)
{
        restart(domain);
        return true;
}

/* A guest that obeys at once: what its definition says for that case happens. */
static void obey(struct domain *domain, const char *action, const char *otherwise)
{
        const char *chosen = action ? action : otherwise;

        if (strcmp(chosen, "restart") == 0 || strcmp(chosen, "rename-restart") == 0)
                restart(domain);
        else {
                test_agent_forget(domain);
                domain_stopped(domain, DOMAIN_SHUTOFF_SHUTDOWN, DOMAIN_EVENT_STOPPED_SHUTDOWN);
        }
}

static bool shutdown_guest(struct domain *domain, unsigned mode, GError **error)
{
        obey(domain, domain_state_get_def(domain_get_current(domain))->on_poweroff, "destroy");
        return true;
}

static bool reboot(struct domain *domain, unsigned mode, GError **error)
{
        obey(domain, domain_state_get_def(domain_get_current(domain))->on_reboot, "restart");
        return true;
}

/* A guest that gives back at once what it is asked for. */
static bool set_memory(struct domain *domain, uint64_t kib, struct domain_def **live, GError **error)
{
        struct domain_edit *edit = domain_edit_new(*live, error);
        struct domain_def *def;

        if (!edit)
                return false;
        domain_edit_set_current_memory(edit, kib);
        def = domain_edit_commit(edit, error);
        if (!def)
                return false;
        domain_def_unref(*live);
        *live = def;
        return true;
}

/* There is nothing that it would be asked about. */
static bool set_stats_period(struct domain *domain, const struct domain_def *live, GError **error)
{
        return true;
}

/* As many as are wanted, at once. */
static bool set_vcpus(struct domain *domain, struct domain_def **live, GError **error)
{
        return true;
}

/* A guest is nothing but its definition. */
static bool set_iothread(struct domain *domain, unsigned id, bool there, const struct domain_def *def,
                         GError **error)
{
        return true;
}

static bool tune(struct domain *domain, unsigned parts, const struct domain_def *from,
                 const struct domain_def *to, GError **error)
{
        return true;
}

static bool with_machine(struct domain *domain, const struct domain_def *def,
                         void (*use)(const struct domain_machine *machine, void *data), void *data,
                         GError **error)
{
        const struct domain_machine machine = resolve(def->os.arch, def->os.machine, def->devices.emulator);

        use(&machine, data);
        return true;
}

static bool attach(struct domain *domain, const GArray *devices, const struct domain_takings *takings,
                   struct domain_def **live, GError **error)
{
        return true;
}

/* A guest that lets go of everything at once. */
static bool detach(struct domain *domain, const struct domain_edit_device *device, bool *gone, GError **error)
{
        *gone = true;
        return true;
}

/* A guest that is content with anything. */
static bool update(struct domain *domain, const struct domain_update *what, struct domain_def **live,
                   GError **error)
{
        return true;
}

static void live_free(struct domain *domain)
{
        test_agent_forget(domain);
}

static unsigned count_cpus(struct domain_driver *driver)
{
        unsigned count = host_count_cpus(driver->host);

        return MAX(count, 1);
}

static const struct domain_driver_ops test_ops = {
        .scheduler = "fair",
        .takes_files = true,
        .agents_have_addresses = true,
        .shutdown_modes = DOMAIN_SHUTDOWN_MODES,
        .lifecycle_actions = { DOMAIN_ACTIONS_ALL, DOMAIN_ACTIONS_ALL, DOMAIN_ACTIONS_ALL },
        .prepare = prepare,
        .capabilities = capabilities,
        .domain_capabilities = domain_capabilities,
        .get_version = get_version,
        .get_max_vcpus = get_max_vcpus,
        .count_cpus = count_cpus,
        .get_security_model = get_security_model,
        .measure = test_stats_measure,
        .ask = test_stats_ask,
        .start = start,
        .stop = stop,
        .suspend = succeed,
        .resume = succeed,
        .reset = reset,
        .get_agent = test_agent_get,
        .send_keys = test_send_keys,
        .inject_nmi = succeed,
        .send_signal = test_send_signal,
        .take_screenshot = test_take_screenshot,
        .peek_memory = test_peek_memory,
        .shutdown = shutdown_guest,
        .reboot = reboot,
        .set_memory = set_memory,
        .set_stats_period = set_stats_period,
        .set_vcpus = set_vcpus,
        .all_vcpus_leave = true,
        .set_iothread = set_iothread,
        .tune = tune,
        .with_machine = with_machine,
        .attach = attach,
        .detach = detach,
        .update = update,
        .save_open = test_save_open,
        .save_begin = test_save_begin,
        .save_cancel = test_save_cancel,
        .save_finish = test_save_finish,
        .save_publish = test_save_publish,
        .save_free = test_save_free,
        .image_open = test_image_open,
        .image_write = test_image_write,
        .live_free = live_free,
};

/* The default domain as it is from the first moment: defined and running. */
static bool add_default_domain(struct domain_driver *driver, GError **error)
{
        CLEANUP(domain_def_unref) struct domain_def *def = domain_def_parse_stored(default_domain, error);
        struct domain_state *state;
        struct domain_def *active;

        if (!def)
                return false;
        driver->last_id = 1;
        active = domain_def_activate(def, driver->last_id, error);
        if (!active)
                return false;
        state = (struct domain_state *)managed_state_new(&domain_kind);
        managed_state_take_persistent(&state->base, &g_steal_pointer(&def)->base);
        managed_state_take_active(&state->base, &active->base);
        state->id = driver->last_id;
        state->state = DOMAIN_RUNNING;
        state->reason = DOMAIN_RUNNING_UNKNOWN;
        return registry_install(driver->domains, &state->base, error) != NULL;
}

struct domain_driver *test_driver_new(struct loop *loop, struct pool *pool, GError **error)
{
        struct domain_driver *driver = g_new0(struct domain_driver, 1);

        domain_driver_init(driver, &test_ops, loop, pool, host_new_test(), NULL);
        if (!add_default_domain(driver, error)) {
                test_driver_free(driver);
                return NULL;
        }
        return driver;
}

void test_driver_free(struct domain_driver *driver)
{
        if (!driver)
                return;
        domain_driver_done(driver);
        host_unref(driver->host);
        g_free(driver);
}

static struct domain_driver *new_domains(const struct model_environment *environment, const char *uri,
                                         GError **error)
{
        return test_driver_new(environment->loop, environment->pool, error);
}

const struct model_driver test_model_driver = {
        .name = "Test",
        .type = "TEST",
        .uri = TEST_URI,
        .session_uri = TEST_URI,
        .in_memory = true,
        .new_domains = new_domains,
        .free_domains = test_driver_free,
};
