/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The QEMU driver: what the domain model asks of a hypervisor, handed to the files that do it. Operations on
 * guests run in their domains' lanes, the others on the loop.
 */
#include "drivers/qemu/driver.h"

#include "base/error.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/registry.h"
#include "base/store.h"
#include "drivers/host/host.h"
#include "drivers/qemu/balloon.h"
#include "drivers/qemu/depart-disks.h"
#include "drivers/qemu/depart.h"
#include "drivers/qemu/console.h"
#include "drivers/qemu/driver-host.h"
#include "drivers/qemu/guest-agent.h"
#include "drivers/qemu/guest-stats.h"
#include "drivers/qemu/guest.h"
#include "drivers/qemu/hooks.h"
#include "drivers/qemu/hostdev.h"
#include "drivers/qemu/iothread.h"
#include "drivers/qemu/input.h"
#include "drivers/qemu/log-keeper.h"
#include "drivers/qemu/migration.h"
#include "drivers/qemu/native.h"
#include "drivers/qemu/peek.h"
#include "drivers/qemu/plug.h"
#include "drivers/qemu/probe-cache.h"
#include "drivers/qemu/resolve.h"
#include "drivers/qemu/save-image.h"
#include "drivers/qemu/save.h"
#include "drivers/qemu/tune.h"
#include "drivers/qemu/vcpu.h"
#include "drivers/security/apparmor.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#define GRACE_MS 10000

static struct qemu_driver *qemu_of(struct domain_driver *driver)
{
        return (struct qemu_driver *)driver;
}

/* ---- guests; lane ---- */

static bool stop(struct domain *domain, bool graceful, GError **error)
{
        struct guest *guest = guest_of(domain);
        struct lane *lane = domain->base.lane;

        lane_shield(lane);
        if (graceful) {
                process_signal(&guest->emulator, SIGTERM);
                if (process_wait(&guest->emulator, lane, lane_deadline_in(GRACE_MS)) != LANE_READY)
                        return error_set(error, ERROR_FROM_QEMU, ERROR_OPERATION_TIMEOUT,
                                         "the emulator of %s has not ended", guest->who);
        }
        if (!process_end(&guest->emulator, lane))
                return error_set(error, ERROR_FROM_QEMU, ERROR_OPERATION_FAILED,
                                 "the emulator of %s (pid %d) does not end", guest->who,
                                 (int)guest->emulator.pid);
        domain->live = NULL;
        guest_release(guest);
        return true;
}

/* event is the one that only says that command was done. */
static bool execute(struct domain *domain, const char *command, const char *event, GError **error)
{
        struct qmp *qmp = guest_get_monitor(guest_of(domain), error);
        uint64_t id;

        if (!qmp)
                return false;
        id = qmp_send(qmp, command, NULL);
        if (!qmp_receive(qmp, id, lane_deadline_in(QMP_TIMEOUT_MS), NULL, error))
                return false;
        if (event)
                qmp_claim_events(qmp, id, event);
        return true;
}

static bool suspend(struct domain *domain, GError **error)
{
        return execute(domain, "stop", "STOP", error);
}

static bool resume(struct domain *domain, GError **error)
{
        return execute(domain, "cont", "RESUME", error);
}

static bool reset(struct domain *domain, GError **error)
{
        return domain_get_current(domain)->state == DOMAIN_PMSUSPENDED
                       ? monitor_reset_asleep(guest_of(domain), error)
                       : execute(domain, "system_reset", NULL, error);
}

static void end_crash(struct domain *domain)
{
        struct guest *guest = guest_of(domain);

        if (guest)
                monitor_end_crash(guest);
}

/* What is to come after the guest's shutdown. */
static void note_reboot(struct domain *domain, bool reboot)
{
        struct guest *guest = guest_of(domain);
        g_autoptr(GError) error = NULL;

        if (guest->status->fake_reboot == reboot)
                return;
        guest->status->fake_reboot = reboot;
        guest->changed = true;
        if (!guest_save(guest, domain_get_current(domain), &error))
                log_gerror(LOG_LEVEL_ERROR, error, "cannot write down the state of %s", guest->who);
}

/* A guest that reboots at its agent's request resets itself. */
static void forget_reboot(struct domain *domain)
{
        note_reboot(domain, false);
}

/* Only machines with the clock of a PC know the command, and only they make up for ticks. */
static bool adapt(struct domain *domain, const struct domain_def *def, const char *operation, char **text,
                  GError **error)
{
        return hooks_wait_end(domain, error) &&
               hooks_adapt(domain->base.lane, qemu_driver_of(domain)->hooks_dir, def->base.name, operation,
                           def->base.xml, text, error);
}

static bool forget_ticks(struct domain *domain, GError **error)
{
        g_autoptr(GError) failure = NULL;

        if (!execute(domain, "rtc-reset-reinjection", NULL, &failure) &&
            !error_is(failure, ERROR_OPERATION_UNSUPPORTED)) {
                g_propagate_error(error, g_steal_pointer(&failure));
                return false;
        }
        return true;
}

static bool press_power_button(struct domain *domain, bool reboot, GError **error)
{
        note_reboot(domain, reboot);
        return execute(domain, "system_powerdown", NULL, error);
}

static bool shut_down(struct domain *domain, unsigned mode, GError **error)
{
        return press_power_button(domain, false, error);
}

/* A reboot is a shutdown after which the guest starts over, unless its definition says that a reboot is the
 * end. */
static bool reboot(struct domain *domain, unsigned mode, GError **error)
{
        const char *action = domain_state_get_def(domain_get_current(domain))->on_reboot;

        return press_power_button(domain, !action || strcmp(action, "destroy") != 0, error);
}

static bool reach(struct domain *domain, GError **error)
{
        return guest_get_monitor(guest_of(domain), error) != NULL;
}

/* Of a guest that runs, or of what is installed. */
static const struct qemu_caps *get_caps(struct domain *domain, const struct domain_def *def, GError **error)
{
        struct guest *guest = guest_of(domain);

        if (guest && &def->base == domain_get_current(domain)->base.active)
                return guest_get_caps(guest, error);
        return probe_cache_get(qemu_driver_of(domain)->probes, domain->base.lane, def->devices.emulator,
                               error);
}

static bool with_machine(struct domain *domain, const struct domain_def *def,
                         void (*use)(const struct domain_machine *machine, void *data), void *data,
                         GError **error)
{
        struct qemu_driver *driver = qemu_driver_of(domain);
        const struct resolve_request request = { def->devices.emulator, def->os.arch, def->os.machine,
                                                 def->type, driver->account };
        CLEANUP(qemu_caps_unref) const struct qemu_caps *caps = get_caps(domain, def, error);
        struct resolve_result result;
        struct domain_machine machine;

        if (!caps || !resolve_check(caps, &request, &result, error))
                return false;
        resolve_describe(&result, &machine);
        use(&machine, data);
        return true;
}

static void save_status(struct domain *domain, const struct domain_state *state)
{
        struct guest *guest = guest_of(domain);
        g_autoptr(GError) error = NULL;

        if (guest && state->base.active && !guest_save(guest, state, &error))
                log_gerror(LOG_LEVEL_ERROR, error, "cannot write down the state of %s", guest->who);
}

/* qemu_driver_free() has let go of all guests. */
static void live_free(struct domain *domain)
{
        g_assert_not_reached();
}

static unsigned count_cpus(struct domain_driver *driver)
{
        unsigned count = host_count_cpus(driver->host);

        return MAX(count, 1);
}

static const struct domain_driver_ops qemu_ops = {
        .scheduler = "posix",
        .agent_channel = GUEST_AGENT_CHANNEL,
        .shutdown_modes = DOMAIN_SHUTDOWN_BY_ACPI | DOMAIN_SHUTDOWN_BY_AGENT,
        .lifecycle_actions = { DOMAIN_ACTIONS_PLAIN, DOMAIN_ACTIONS_PLAIN, DOMAIN_ACTIONS_CRASH },
        .prepare = driver_prepare,
        .capabilities = driver_get_capabilities,
        .domain_capabilities = driver_get_domain_capabilities,
        .expand_cpu = driver_expand_cpu,
        .native_format = NATIVE_FORMAT,
        .from_native = native_read,
        .to_native = native_format,
        .get_version = driver_get_version,
        .get_max_vcpus = driver_get_max_vcpus,
        .count_cpus = count_cpus,
        .get_security_model = driver_get_security_model,
        .measure = guest_measure,
        .ask = guest_ask,
        .has_files = true,
        .start = guest_start,
        .stop = stop,
        .suspend = suspend,
        .resume = resume,
        .reset = reset,
        .end_crash = end_crash,
        .get_agent = guest_agent_get,
        .send_keys = input_send_keys,
        .inject_nmi = input_inject_nmi,
        .wake_up = input_wake_up,
        .open_graphics = input_open_graphics,
        .open_char = console_open,
        .take_screenshot = input_take_screenshot,
        .peek_memory = peek_memory,
        .resize_block = peek_resize_block,
        .set_block_threshold = peek_set_threshold,
        .adapt = adapt,
        .forget_ticks = forget_ticks,
        .forget_reboot = forget_reboot,
        .shutdown = shut_down,
        .reboot = reboot,
        .reach = reach,
        .set_memory = balloon_set_memory,
        .set_stats_period = balloon_set_period,
        .set_lifecycle_action = guest_set_lifecycle_action,
        .set_vcpus = vcpu_set,
        .set_iothread = iothread_set,
        .tune = tune_guest,
        .read_tuning = tune_read,
        .with_machine = with_machine,
        .attach = plug_attach,
        .detach = plug_detach,
        .update = plug_update,
        .lose_usb = hostdev_lose_usb,
        .return_usb = hostdev_return_usb,
        .save_open = save_open,
        .save_begin = save_begin,
        .save_cancel = save_cancel,
        .save_finish = save_finish,
        .save_publish = save_publish,
        .save_retract = save_retract,
        .save_free = save_free,
        .image_open = save_image_open,
        .image_write = save_image_write,
        .set_migration = migration_set,
        .get_migration = migration_get,
        .depart_check = depart_check,
        .depart_measure = depart_measure,
        .depart_copy = depart_copy,
        .depart_cancel_copy = depart_cancel_copy,
        .depart_uncopy = depart_uncopy,
        .depart_begin = depart_begin,
        .depart_cancel = depart_cancel,
        .depart_switch = depart_switch,
        .depart_let_run = depart_let_run,
        .depart_follow = depart_follow_on,
        .depart_resume = depart_resume,
        .depart_cut = depart_cut,
        .depart_free = depart_free,
        .depart_note = depart_note,
        .depart_get_note = depart_get_note,
        .depart_leave = depart_leave,
        .arrive_wait = arrive_wait,
        .arrive_end = arrive_end,
        .arrive_recover = arrive_recover,
        .save_status = save_status,
        .live_free = live_free,
        .undefine = guest_undefine,
};

/* ---- new and free ---- */

/* A directory below one of the agent's; emulators of another user must be able to pass through it. */
static char *make_dir(const struct qemu_driver *driver, const char *parent, const char *name, GError **error)
{
        g_autofree char *path = g_build_filename(parent, name, NULL);

        if (!store_make_dir(path, error))
                return NULL;
        if (!driver->account->is_own && (chmod(parent, 0711) < 0 || chmod(path, 0711) < 0)) {
                error_set_errno(error, ERROR_FROM_QEMU, errno, "cannot open '%s' to user '%s'", path,
                                driver->account->name);
                return NULL;
        }
        return g_steal_pointer(&path);
}

/*
 * Files there are as good as memory that can be paged out, and not memory once more: where the state
 * directory itself is in memory they go elsewhere. Made when it is needed.
 */
static char *choose_memory_dir(const struct qemu_driver *driver, const char *configured)
{
        struct statfs fs;

        if (configured)
                return g_build_filename(configured, "virtbus-ram", NULL);
        if (statfs(driver->state_dir, &fs) == 0 && (fs.f_type == TMPFS_MAGIC || fs.f_type == RAMFS_MAGIC))
                return g_strdup_printf("/var/tmp/virtbus-ram-%u", (unsigned)geteuid());
        return g_build_filename(driver->state_dir, "ram", NULL);
}

/* Nobody but the agent opens what is in there. */
static bool make_save_dir(const struct qemu_driver *driver, GError **error)
{
        g_autofree char *path = g_build_filename(driver->state_dir, "save", NULL);

        return store_make_dir(path, error);
}

static bool make_dirs(struct qemu_driver *driver, const struct qemu_driver_config *config, GError **error)
{
        driver->state_dir = make_dir(driver, config->state_dir, "qemu", error);
        driver->runtime_dir = driver->state_dir ? make_dir(driver, config->runtime_dir, "qemu", error) : NULL;
        if (!driver->runtime_dir)
                return false;
        driver->nvram_dir = make_dir(driver, driver->state_dir, "nvram", error);
        driver->tpm_dir = driver->nvram_dir ? make_dir(driver, driver->state_dir, "tpm", error) : NULL;
        driver->memory_dir = choose_memory_dir(driver, config->memory_dir);
        driver->tls_dir = g_strdup(config->tls_dir ? config->tls_dir : "/etc/pki/qemu");
        driver->spice_tls_dir = g_strdup(config->spice_tls_dir);
        driver->vnc_tls_dir = g_strdup(config->vnc_tls_dir);
        driver->log_dir = g_build_filename(config->log_dir, "qemu", NULL);
        return driver->tpm_dir && store_make_dir(driver->log_dir, error) && make_save_dir(driver, error);
}

static void ignore_answer(const struct qemu_caps *caps, const GError *error, void *data)
{
        if (error && !error_is(error, ERROR_OPERATION_ABORTED))
                log_gerror(LOG_LEVEL_WARNING, error, "the default emulator does not answer");
}

static void start_services(struct qemu_driver *driver, const char *cache_dir)
{
        g_autofree char *probes = g_build_filename(cache_dir, "qemu", NULL);
        g_autofree char *emulator = driver_find_emulator(&driver->base);
        g_autoptr(GError) error = NULL;

        driver->probes = probe_cache_new(driver->base.loop, driver->base.pool, probes, driver->account);
        if (emulator)
                probe_cache_ask(driver->probes, emulator, ignore_answer, NULL);
        driver->log_keeper = log_keeper_new(driver->base.loop, driver->base.pool, driver->log_dir, &error);
        if (!driver->log_keeper)
                log_gerror(LOG_LEVEL_WARNING, error, "the guests' logs are not kept within bounds");
}

static bool choose_selinux(struct qemu_driver *driver, bool wanted, GError **error)
{
        g_autoptr(GError) reason = NULL;

        if (svirt_is_enabled())
                driver->svirt = svirt_new(&reason);
        else if (wanted)
                return error_set(error, ERROR_FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                                 "security_driver is 'selinux', which this host does not have enabled, or "
                                 "which needs an agent that is root and was built with libselinux");
        if (!reason)
                return true;
        if (wanted) {
                g_propagate_error(error, g_steal_pointer(&reason));
                return false;
        }
        log_gerror(LOG_LEVEL_WARNING, reason, "guests are not confined by SELinux, which this host has");
        return true;
}

/* A kernel enables one of the two. */
static bool choose_security(struct qemu_driver *driver, enum model_security security, GError **error)
{
        if (security == MODEL_SECURITY_NONE)
                return true;
        if (security == MODEL_SECURITY_SELINUX)
                return choose_selinux(driver, true, error);
        driver->apparmor = apparmor_is_active("");
        if (driver->apparmor)
                return true;
        if (security == MODEL_SECURITY_AUTO)
                return choose_selinux(driver, false, error);
        return error_set(
                error, ERROR_FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                "security_driver is 'apparmor', which this host does not have enabled, or which needs its "
                "files below /sys/kernel/security, the program apparmor_parser, and root");
}

static void choose_devices(struct qemu_driver *driver, const char *text)
{
        driver->all_devices = g_strcmp0(text, "any") == 0;
        driver->devices = g_strsplit(text && !driver->all_devices ? text : "", ",", -1);
        for (unsigned i = 0; driver->devices[i]; i++)
                g_strstrip(driver->devices[i]);
}

struct domain_driver *qemu_driver_new(struct loop *loop, struct pool *pool, const struct host *host,
                                      const struct qemu_driver_config *config, GError **error)
{
        struct qemu_driver *driver = g_new0(struct qemu_driver, 1);

        driver->account = account_new(config->user, config->group, error);
        if (!driver->account || !choose_security(driver, config->security, error) ||
            !make_dirs(driver, config, error)) {
                qemu_driver_free(&driver->base);
                return NULL;
        }
        choose_devices(driver, config->devices);
        domain_driver_init(&driver->base, &qemu_ops, loop, pool, host_ref(host), driver->state_dir);
        driver->save_format = config->save_format;
        driver->migration_first = (int)config->migration_first;
        driver->migration_last = (int)config->migration_last;
        driver->base.arrival_dir = g_build_filename(driver->runtime_dir, "arrived", NULL);
        driver->hooks_dir = g_strdup(config->hooks_dir);
        driver->base.save_dir = g_build_filename(driver->state_dir, "save", NULL);
        driver->base.dump_dir = config->dump_dir ? g_strdup(config->dump_dir)
                                                 : g_build_filename(driver->state_dir, "dump", NULL);
        driver->base.boot_mark = g_build_filename(driver->runtime_dir, "autostarted", NULL);
        start_services(driver, config->cache_dir);
        if (!registry_load(driver->base.domains, error)) {
                qemu_driver_free(&driver->base);
                return NULL;
        }
        domain_managed_save_find_all(&driver->base);
        takeover_run(driver);
        return &driver->base;
}

/* ---- letting go ---- */

struct farewell {
        struct domain *domain; /* ref */
        unsigned *left;        /* borrowed */
};

static void count_down(void *data)
{
        struct farewell *farewell = data;

        (*farewell->left)--;
        managed_unref(&farewell->domain->base);
        g_free(farewell);
}

static void say_farewell(void *data)
{
        const struct farewell *farewell = data;

        loop_post(lane_get_loop(farewell->domain->base.lane), count_down, data);
}

static void let_go(void *data)
{
        struct farewell *farewell = data;
        struct domain *domain = farewell->domain;

        guest_free(g_steal_pointer(&domain->live));
        /* Behind what that has left in the lane. */
        lane_post(domain->base.lane, say_farewell, farewell);
}

/* Urgent: whatever waits for a guest is not waited for. */
static void let_go_all(struct domain_driver *driver)
{
        g_autoptr(GPtrArray) domains = registry_list(driver->domains);
        unsigned left = domains->len;

        for (unsigned i = 0; i < domains->len; i++) {
                struct farewell *farewell = g_new(struct farewell, 1);
                struct domain *domain = g_ptr_array_index(domains, i);

                *farewell = (struct farewell){ (struct domain *)managed_ref(&domain->base), &left };
                lane_post_urgent(domain->base.lane, let_go, farewell);
        }
        while (left > 0)
                loop_step(driver->loop, true);
}

void qemu_driver_free(struct domain_driver *driver)
{
        struct qemu_driver *qemu = qemu_of(driver);

        if (!driver)
                return;
        if (driver->domains) {
                let_go_all(driver);
                probe_cache_free(qemu->probes);
                log_keeper_free(qemu->log_keeper);
                domain_driver_done(driver);
                host_unref(driver->host);
        }
        driver_clear_answer(&qemu->answer);
        account_unref(qemu->account);
        g_strfreev(qemu->devices);
        svirt_free(qemu->svirt);
        g_free(qemu->runtime_dir);
        g_free(qemu->state_dir);
        g_free(qemu->nvram_dir);
        g_free(qemu->tpm_dir);
        g_free(qemu->memory_dir);
        g_free(qemu->tls_dir);
        g_free(qemu->spice_tls_dir);
        g_free(qemu->vnc_tls_dir);
        g_free(qemu->log_dir);
        g_free(qemu->hooks_dir);
        g_free(qemu);
}

/* ---- as the driver of a connection ---- */

static struct domain_driver *new_domains(const struct model_environment *environment, const char *uri,
                                         GError **error)
{
        const struct qemu_driver_config config = {
                .state_dir = environment->state_dir,
                .runtime_dir = environment->runtime_dir,
                .log_dir = environment->log_dir,
                .cache_dir = environment->cache_dir,
                .memory_dir = environment->memory_dir,
                .dump_dir = environment->dump_dir,
                .tls_dir = environment->tls_dir,
                .spice_tls_dir = environment->spice_tls_dir,
                .vnc_tls_dir = environment->vnc_tls_dir,
                .hooks_dir = environment->hooks_dir,
                .save_format = environment->save_format,
                .security = environment->security,
                .migration_first = environment->migration_first,
                .migration_last = environment->migration_last,
                .devices = environment->devices,
                .user = environment->user,
                .group = environment->group,
        };

        return qemu_driver_new(environment->loop, environment->pool, environment->host, &config, error);
}

const struct model_driver qemu_model_driver = {
        .name = "QEMU",
        .type = "QEMU",
        .uri = "qemu:///system",
        .session_uri = "qemu:///session",
        .new_domains = new_domains,
        .free_domains = qemu_driver_free,
};
