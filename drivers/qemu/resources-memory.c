/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The host's memory that a guest is to have: are the huge pages there, the nodes, the room for its files? The
 * emulator would only say that it cannot map something. Lane of the domain.
 */
#include "drivers/qemu/resources.h"

#include "base/error.h"
#include "base/store.h"
#include "drivers/domain/cpuset.h"
#include "drivers/host/host.h"
#include "drivers/host/topology.h"
#include "drivers/security/account.h"
#include "drivers/qemu/device.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define SGX_PAGES     "/dev/sgx_vepc"
#define SGX_PROVISION "/dev/sgx_provision"
#define HUGEPAGES_DIR "/sys/kernel/mm/hugepages"

/* ---- huge pages ---- */

/* How many pages of one size the guest wants. */
struct demand {
        uint64_t page_kib;
        uint64_t pages;
};

static uint64_t read_count(const char *dir, const char *name)
{
        g_autofree char *path = g_build_filename(dir, name, NULL), *text = NULL;

        return g_file_get_contents(path, &text, NULL, NULL) ? g_ascii_strtoull(text, NULL, 10) : 0;
}

/* KiB; 0: the kernel has none. */
static uint64_t get_default_page(void)
{
        g_autofree char *text = NULL;
        const char *line;

        if (!g_file_get_contents("/proc/meminfo", &text, NULL, NULL))
                return 0;
        line = strstr(text, "\nHugepagesize:");
        return line ? g_ascii_strtoull(line + strlen("\nHugepagesize:"), NULL, 10) : 0;
}

/* "2048, 1048576"; owned. */
static char *list_sizes(void)
{
        g_autoptr(GString) list = g_string_new(NULL);
        GDir *dir = g_dir_open(HUGEPAGES_DIR, 0, NULL);
        const char *name;

        while (dir && (name = g_dir_read_name(dir))) {
                if (g_str_has_prefix(name, "hugepages-"))
                        g_string_append_printf(list, "%s%" G_GUINT64_FORMAT, list->len ? ", " : "",
                                               g_ascii_strtoull(name + strlen("hugepages-"), NULL, 10));
        }
        if (dir)
                g_dir_close(dir);
        return g_strdup(list->len ? list->str : "none");
}

/* Those that lie ready, and those that the kernel may still make. */
static bool check_pages(const struct guest *guest, const struct demand *demand, GError **error)
{
        g_autofree char *dir =
                g_strdup_printf(HUGEPAGES_DIR "/hugepages-%" G_GUINT64_FORMAT "kB", demand->page_kib);
        g_autofree char *sizes = NULL;
        uint64_t free, more;

        if (!g_file_test(dir, G_FILE_TEST_IS_DIR)) {
                sizes = list_sizes();
                return error_set(error, ERROR_FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                                 "%s wants huge pages of %" G_GUINT64_FORMAT
                                 " KiB, which this host does not have (it has %s)",
                                 guest->who, demand->page_kib, sizes);
        }
        more = read_count(dir, "nr_overcommit_hugepages");
        more -= MIN(more, read_count(dir, "surplus_hugepages"));
        free = read_count(dir, "free_hugepages");
        free -= MIN(free, read_count(dir, "resv_hugepages"));
        if (demand->pages <= free + more)
                return true;
        return error_set(error, ERROR_FROM_QEMU, ERROR_NO_MEMORY,
                         "%s needs %" G_GUINT64_FORMAT " huge pages of %" G_GUINT64_FORMAT
                         " KiB, and %" G_GUINT64_FORMAT " of %" G_GUINT64_FORMAT
                         " are free: reserve more (%s/nr_hugepages)",
                         guest->who, demand->pages, demand->page_kib, free, read_count(dir, "nr_hugepages"),
                         dir);
}

static void add_demand(GArray *demands, uint64_t page_kib, uint64_t pages)
{
        struct demand demand = { page_kib, pages };

        for (unsigned i = 0; i < demands->len; i++) {
                struct demand *known = &g_array_index(demands, struct demand, i);

                if (known->page_kib != page_kib)
                        continue;
                known->pages += pages;
                return;
        }
        g_array_append_val(demands, demand);
}

/* One piece of the guest's memory; cell -1: all of it. */
static bool count_pages(const struct resources *resources, int cell, uint64_t size_kib, GArray *demands,
                        GError **error)
{
        uint64_t page_kib;

        if (!domain_def_get_hugepage(resources->def, cell, &page_kib) || size_kib == 0)
                return true;
        if (page_kib == 0)
                page_kib = get_default_page();
        if (page_kib == 0)
                return error_set(error, ERROR_FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                                 "%s wants huge pages, which this host does not have", resources->guest->who);
        if (size_kib % page_kib)
                return error_set(error, ERROR_FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                                 "memory of %" G_GUINT64_FORMAT
                                 " KiB is no multiple of the huge pages of %" G_GUINT64_FORMAT
                                 " KiB that it is to be in",
                                 size_kib, page_kib);
        add_demand(demands, page_kib, size_kib / page_kib);
        return true;
}

static bool check_hugepages(const struct resources *resources, GError **error)
{
        const struct domain_def *def = resources->def;
        g_autoptr(GArray) demands = g_array_new(FALSE, FALSE, sizeof(struct demand));

        for (unsigned i = 0; i < def->cpu.n_cells; i++) {
                const struct domain_numa_cell *cell = &def->cpu.cells[i];

                if (!count_pages(resources, (int)cell->id, cell->memory_kib, demands, error))
                        return false;
        }
        if (def->cpu.n_cells == 0 && !count_pages(resources, -1, def->memory_kib, demands, error))
                return false;
        for (unsigned i = 0; i < demands->len; i++) {
                if (!check_pages(resources->guest, &g_array_index(demands, struct demand, i), error))
                        return false;
        }
        return true;
}

/* ---- memory in files ---- */

/*
 * The emulators' own: each makes its files there and removes their names at once. Others may make things in
 * the folder that it is in (/var/tmp).
 */
static bool make_dir(const struct guest *guest, GError **error)
{
        const struct account *account = guest->account;
        g_autofree char *path = guest_get_memory_dir(guest);
        struct stat st;

        if (!store_make_dir(path, error))
                return false;
        if (lstat(path, &st) < 0 || !S_ISDIR(st.st_mode) ||
            (st.st_uid != geteuid() && st.st_uid != account->uid))
                return error_set(error, ERROR_FROM_QEMU, ERROR_OPERATION_FAILED,
                                 "'%s', where memory is kept, is not the agent's", path);
        if (st.st_uid != account->uid && chown(path, account->uid, account->gid) < 0)
                return error_set_errno(error, ERROR_FROM_QEMU, errno, "cannot give '%s' to user '%s'", path,
                                       account->name);
        /* The folder is all guests'; what one makes there has its categories. */
        return !guest->context || relabel_set(path, guest->driver->svirt->image, error);
}

static bool prepare_files(const struct resources *resources, GError **error)
{
        const struct domain_def *def = resources->def;
        g_autofree char *dir = guest_get_memory_dir(resources->guest);
        struct statvfs room;
        uint64_t free_kib;

        if (g_strcmp0(def->memory_backing.source, "file") != 0)
                return true;
        if (!make_dir(resources->guest, error))
                return false;
        /* Files that are not filled at once may never be full. */
        if (g_strcmp0(def->memory_backing.allocation, "immediate") != 0)
                return true;
        if (statvfs(dir, &room) < 0)
                return error_set_errno(error, ERROR_FROM_QEMU, errno,
                                       "cannot look at '%s', where memory is kept", dir);
        free_kib = room.f_bavail * (room.f_frsize / 1024);
        if (def->memory_kib <= free_kib)
                return true;
        return error_set(error, ERROR_FROM_QEMU, ERROR_NO_MEMORY,
                         "the memory of %s, %" G_GUINT64_FORMAT
                         " KiB, does not fit into '%s', which has %" G_GUINT64_FORMAT
                         " KiB left (memory_dir in virtbusd.conf is another place)",
                         resources->guest->who, def->memory_kib, dir, free_kib);
}

/* ---- host nodes ---- */

static bool has_node(const struct topology *topology, unsigned node)
{
        for (unsigned i = 0; i < topology->cells->len; i++) {
                const struct topology_cell *cell = g_ptr_array_index(topology->cells, i);

                if (cell->id == node)
                        return true;
        }
        return false;
}

static bool check_set(const struct topology *topology, const struct domain_cpuset *nodes, GError **error)
{
        g_autoptr(GString) list = NULL;

        for (unsigned i = 0; i < nodes->n_words * 64; i++) {
                if (!domain_cpuset_has(nodes, i) || has_node(topology, i))
                        continue;
                list = g_string_new(NULL);
                for (unsigned j = 0; j < topology->cells->len; j++)
                        g_string_append_printf(list, "%s%u", j ? ", " : "",
                                               ((struct topology_cell *)topology->cells->pdata[j])->id);
                return error_set(
                        error, ERROR_FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                        "<numatune> wants memory of NUMA node %u, which this host does not have (it has %s)",
                        i, list->str);
        }
        return true;
}

static bool check_nodes(const struct resources *resources, GError **error)
{
        const struct domain_numatune *tune = &resources->def->numatune;
        CLEANUP(topology_free) struct topology *topology = NULL;

        if (!tune->nodes.words && tune->n_cells == 0)
                return true;
        topology = host_get_topology(resources->guest->driver->base.host);
        if (!check_set(topology, &tune->nodes, error))
                return false;
        for (unsigned i = 0; i < tune->n_cells; i++) {
                if (!check_set(topology, &tune->cells[i].nodes, error))
                        return false;
        }
        return true;
}

bool resources_prepare_memory(struct resources *resources, GError **error)
{
        return check_nodes(resources, error) && check_hugepages(resources, error) &&
               prepare_files(resources, error);
}

/* QEMU opens both of them itself; the second one for enclaves that may say whose host it is. */
static bool prepare_enclaves(struct resources *resources, const struct domain_memory *memory, GError **error)
{
        if (access(SGX_PAGES, F_OK) < 0)
                return error_set(
                        error, ERROR_FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                        "memory device '%s' of model 'sgx-epc' needs " SGX_PAGES
                        ", which this host does not have: it takes a processor with SGX, switched on "
                        "by the firmware, and a kernel with CONFIG_X86_SGX_KVM",
                        memory->info.alias);
        resources_add_file(resources, SGX_PAGES, true, "'%s' of memory device '%s'", SGX_PAGES,
                           memory->info.alias);
        if (access(SGX_PROVISION, F_OK) == 0)
                resources_add_file(resources, SGX_PROVISION, false, "'%s' of memory device '%s'",
                                   SGX_PROVISION, memory->info.alias);
        return true;
}

bool resources_prepare_memory_device(struct resources *resources, const void *device, GError **error)
{
        const struct domain_memory *memory = device;
        const struct guest *guest = resources->guest;

        if (strcmp(memory->model, "sgx-epc") == 0)
                return prepare_enclaves(resources, memory, error);
        if (memory->path)
                resources_add_file(resources, memory->path, true, "file '%s' of memory device '%s'",
                                   memory->path, memory->info.alias);
        else if (g_strcmp0(resources->def->memory_backing.source, "file") == 0)
                resources_get(resources, memory->info.alias)->path = g_strdup(guest->driver->memory_dir);
        return true;
}

/* What is cleared is as fast as the memory is, what is written to a file as its disk. */
unsigned resources_get_start_ms(const struct domain_def *def)
{
        enum { LEAST_S = 600, MEMORY_KIB_PER_S = 64 * 1024, FILE_KIB_PER_S = 16 * 1024, DAY_S = 24 * 3600 };
        bool file = g_strcmp0(def->memory_backing.source, "file") == 0;

        return 1000 *
               (unsigned)MIN(LEAST_S + def->memory_kib / (file ? FILE_KIB_PER_S : MEMORY_KIB_PER_S), DAY_S);
}
