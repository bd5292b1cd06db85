/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Questions about the host and its emulators. Loop.
 */
#include "drivers/qemu/driver-host.h"

#include "base/error.h"
#include "drivers/host/host-capabilities-xml.h"
#include "drivers/host/host.h"
#include "drivers/qemu/capabilities-xml.h"
#include "drivers/qemu/domain-capabilities-xml.h"
#include "drivers/qemu/emulator.h"
#include "drivers/qemu/firmware.h"
#include "drivers/qemu/host-cpu-xml.h"
#include "drivers/qemu/probe-cache.h"
#include "drivers/qemu/resolve.h"
#include "drivers/security/apparmor.h"

#include <fcntl.h>
#include <linux/kvm.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static struct qemu_driver *qemu_of(struct domain_driver *driver)
{
        return (struct qemu_driver *)driver;
}

struct question {
        struct qemu_driver *driver; /* borrowed */
        domain_driver_prepared prepared;
        domain_driver_text_done text_done;
        const struct domain_def *def; /* borrowed; whose CPU is asked about */
        void *data;                   /* owned by the callback */
};

static struct question *question_new(struct domain_driver *driver, void *data)
{
        struct question *question = g_new0(struct question, 1);

        question->driver = qemu_of(driver);
        question->data = data;
        return question;
}

static void answer_prepare(const struct resolve_result *result, const GError *error, void *data)
{
        g_autofree struct question *question = data;
        struct domain_machine machine;

        if (!result) {
                question->prepared(NULL, error, question->data);
                return;
        }
        resolve_describe(result, &machine);
        question->prepared(&machine, NULL, question->data);
}

void driver_prepare(struct domain_driver *driver, const char *type, const char *arch, const char *machine,
                    const char *emulator, domain_driver_prepared done, void *data)
{
        const struct resolve_request request = { emulator, arch, machine, type, qemu_of(driver)->account };
        struct question *question = question_new(driver, data);

        question->prepared = done;
        resolve_run(question->driver->probes, driver->host, &request, answer_prepare, question);
}

static void answer_capabilities(const GPtrArray *caps, void *data)
{
        g_autofree struct question *question = data;
        const struct account *account = question->driver->account;
        g_autofree char *label = account_format_label(account);
        const char *const labels[] = { "kvm", label, "qemu", label, NULL };
        const struct svirt *svirt = question->driver->svirt;
        const char *const contexts[] = { "kvm", svirt ? svirt->domain : NULL, "qemu",
                                         svirt ? svirt->emulated : NULL, NULL };
        const struct host_secmodel models[] = {
                { .model = svirt ? SVIRT_MODEL : APPARMOR_MODEL,
                  .doi = "0",
                  .baselabels = svirt ? contexts : NULL },
                { .model = "dac", .doi = "0", .baselabels = labels },
        };
        /* They confine nobody where the agent is not root. */
        unsigned first = question->driver->apparmor || svirt ? 0 : 1;
        const struct capabilities_request request = {
                .host = question->driver->base.host,
                .caps = caps,
                .secmodels = models + first,
                .n_secmodels = (account->is_own ? 1 : 2) - first,
        };
        g_autofree char *text = capabilities_format(&request);

        question->text_done(text, NULL, question->data);
}

void driver_get_capabilities(struct domain_driver *driver, domain_driver_text_done done, void *data)
{
        g_autoptr(GPtrArray) paths = capabilities_find_emulators(driver->host);
        struct question *question = question_new(driver, data);

        question->text_done = done;
        probe_cache_ask_all(question->driver->probes, (const char *const *)paths->pdata, answer_capabilities,
                            question);
}

/* Of firmware that is installed, or a program of TPMs, clients may know so late. */
#define ANSWER_LASTS_US (G_USEC_PER_SEC)

void driver_clear_answer(struct qemu_answer *answer)
{
        qemu_caps_unref(answer->caps);
        g_free(answer->arch);
        g_free(answer->text);
        *answer = (struct qemu_answer){ 0 };
}

/* Pages that show guests ask for each of them, and guests are alike: most of what these pages cost. Borrowed.
 */
static const char *describe_domains(struct qemu_driver *driver, const struct resolve_result *target)
{
        struct qemu_answer *answer = &driver->answer;
        CLEANUP(firmware_list_free) struct firmware_list *firmware = NULL;
        gint64 now_us = g_get_monotonic_time();

        if (answer->caps == target->caps && answer->machine == target->machine &&
            answer->accel == target->accel && g_strcmp0(answer->arch, target->arch) == 0 &&
            now_us - answer->made_us < ANSWER_LASTS_US)
                return answer->text;
        driver_clear_answer(answer);
        firmware = firmware_list_load(geteuid() == 0 ? NULL : g_get_user_config_dir());
        *answer = (struct qemu_answer){
                .caps = qemu_caps_ref(target->caps),
                .machine = target->machine,
                .accel = target->accel,
                .arch = g_strdup(target->arch),
                .made_us = now_us,
                .text = domain_capabilities_format(&(struct domain_capabilities_request){
                        .target = target,
                        .host = driver->base.host,
                        .firmware = firmware,
                }),
        };
        return answer->text;
}

static void answer_domain_capabilities(const struct resolve_result *result, const GError *error, void *data)
{
        g_autofree struct question *question = data;

        question->text_done(result ? describe_domains(question->driver, result) : NULL, error,
                            question->data);
}

void driver_get_domain_capabilities(struct domain_driver *driver, const char *emulator, const char *arch,
                                    const char *machine, const char *type, domain_driver_text_done done,
                                    void *data)
{
        const struct resolve_request request = { emulator, arch, machine, type, qemu_of(driver)->account };
        struct question *question = question_new(driver, data);

        question->text_done = done;
        resolve_run(question->driver->probes, driver->host, &request, answer_domain_capabilities, question);
}

static void answer_cpu(const struct qemu_caps *caps, const GError *failure, void *data)
{
        g_autofree struct question *question = data;
        const struct domain_def *def = question->def;
        enum qemu_accel accel = strcmp(def->type, "kvm") == 0 ? QEMU_ACCEL_KVM : QEMU_ACCEL_TCG;
        const struct qemu_host_model *host = caps ? qemu_caps_get_host_model(caps, accel) : NULL;
        g_autofree char *text = NULL;
        g_autoptr(GError) error = NULL;

        if (host && host->model)
                text = host_cpu_expand(def, host, &error);
        else if (caps)
                error_set(&error, ERROR_FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                          "%s of domain '%s': this host's CPU has no name",
                          def->cpu.mode == DOMAIN_CPU_HOST_MODEL ? "CPU mode 'host-model'"
                                                                 : "match='minimum' of the CPU",
                          def->base.name);
        question->text_done(text, caps ? error : failure, question->data);
}

void driver_expand_cpu(struct domain_driver *driver, const struct domain_def *def,
                       domain_driver_text_done done, void *data)
{
        struct question *question = question_new(driver, data);

        question->text_done = done;
        question->def = def;
        probe_cache_ask(question->driver->probes, def->devices.emulator, answer_cpu, question);
}

char *driver_find_emulator(const struct domain_driver *driver)
{
        return emulator_find(host_get_arch(driver->host), host_get_arch(driver->host));
}

uint64_t driver_get_version(struct domain_driver *driver, GError **error)
{
        g_autofree char *path = driver_find_emulator(driver);
        CLEANUP(qemu_caps_unref) const struct qemu_caps *caps = NULL;

        if (path)
                caps = probe_cache_peek(qemu_of(driver)->probes, path);
        if (caps)
                return qemu_caps_get_version(caps);
        error_set(error, ERROR_FROM_QEMU, ERROR_OPERATION_FAILED, "%s",
                  path ? "the emulator has not answered yet" : "no emulator is installed");
        return 0;
}

static unsigned get_kvm_max_vcpus(void)
{
        CLEANUP_FD int fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);
        int count = fd < 0 ? -1 : ioctl(fd, KVM_CHECK_EXTENSION, KVM_CAP_MAX_VCPUS);

        return count > 0 ? (unsigned)count : 0;
}

/* The first that the capabilities have: what the host confines by, or accounts where the agent can change
 * them. */
void driver_get_security_model(struct domain_driver *driver, const char **model, const char **doi)
{
        const struct qemu_driver *qemu = qemu_of(driver);

        if (qemu->apparmor || qemu->svirt)
                *model = qemu->svirt ? SVIRT_MODEL : APPARMOR_MODEL;
        else
                *model = qemu->account->is_own ? "" : "dac";
        *doi = **model ? "0" : "";
}

unsigned driver_get_max_vcpus(struct domain_driver *driver, const char *type, GError **error)
{
        enum { TCG_MAX = 255 };
        unsigned count;

        if (*type && strcmp(type, "kvm") != 0 && strcmp(type, "qemu") != 0) {
                error_set(error, ERROR_FROM_QEMU, ERROR_INVALID_ARG, "unknown domain type '%s'", type);
                return 0;
        }
        if (strcmp(type, "qemu") == 0)
                return TCG_MAX;
        count = get_kvm_max_vcpus();
        if (count > 0 || !*type)
                return count > 0 ? count : TCG_MAX;
        error_set(error, ERROR_FROM_QEMU, ERROR_CONFIG_UNSUPPORTED, "KVM is not available on this host");
        return 0;
}
