/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A guest with a disk that goes from one agent to the other. */
#include "tests/support/disk-scene.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BLOCK   4096UL
#define DISK    (64 * MIB)
#define PATTERN (32 * MIB) /* from here on; before it the guest writes */

/* ---- images ---- */

static void run_tool(const char *const argv[])
{
        g_autoptr(GError) error = NULL;
        g_autofree char *problem = NULL;
        int status = 0;

        ck_assert(g_spawn_sync(NULL, (char **)argv, NULL, G_SPAWN_SEARCH_PATH | G_SPAWN_STDOUT_TO_DEV_NULL,
                               NULL, NULL, NULL, &problem, &status, &error));
        ck_assert_msg(status == 0, "%s: %s", argv[0], problem);
}

/* Something that is not zeroes, of a disk whose number is seed. */
static char *make_pattern(unsigned seed)
{
        uint32_t *words = g_malloc(SCENE_PATTERNS);

        for (unsigned i = 0; i < SCENE_PATTERNS / sizeof(*words); i++)
                words[i] = (i + seed) * 2654435761U;
        return (char *)words;
}

/* A disk of 64 MiB; base NULL: the image is all of it, with the pattern in it; else it is above that. */
void scene_make_disk(const char *path, const char *format, const char *base)
{
        g_autofree char *raw = g_strconcat(path, ".raw", NULL), *pattern = make_pattern(1);
        const char *convert[] = { "qemu-img", "convert", "-O", format, raw, path, NULL };
        const char *create[] = { "qemu-img", "create", "-f", format, "-b", base, "-F", "qcow2", path, NULL };
        FILE *file;

        if (base) {
                run_tool(create);
                return;
        }
        file = fopen(raw, "w");
        ck_assert_ptr_nonnull(file);
        ck_assert_int_eq(ftruncate(fileno(file), DISK), 0);
        ck_assert_int_eq(fseek(file, PATTERN, SEEK_SET), 0);
        ck_assert_uint_eq(fwrite(pattern, SCENE_PATTERNS, 1, file), 1);
        ck_assert_int_eq(fclose(file), 0);
        run_tool(convert);
        unlink(raw);
}

/* All that the guest told of up to that number is on the disk, and what was there before. */
void scene_check_disk(const char *path, const char *format, unsigned count)
{
        g_autofree char *raw = g_strconcat(path, ".raw", NULL), *pattern = make_pattern(1), *text = NULL;
        const char *convert[] = { "qemu-img", "convert", "-f", format, "-O", "raw", path, raw, NULL };
        gsize length;

        run_tool(convert);
        ck_assert(g_file_get_contents(raw, &text, &length, NULL));
        ck_assert_uint_ge(length, DISK);
        ck_assert_mem_eq(text + PATTERN, pattern, SCENE_PATTERNS);
        for (unsigned n = 1; n <= count; n++) {
                g_autofree char *line = g_strdup_printf("count %u\n", n);

                ck_assert_msg(strncmp(text + n * BLOCK, line, strlen(line)) == 0, "block %u is not there", n);
        }
        unlink(raw);
}

/* ---- guests ---- */

/* xml (taken) with a first disk, at disk. */
static char *add_disk(char *xml, const char *disk, const char *format)
{
        g_autofree char *devices =
                g_strdup_printf("<disk type='file' device='disk'><driver name='qemu' type='%s'/>"
                                "<source file='%s'/><target dev='vda' bus='virtio'/></disk></devices>",
                                format, disk);
        GString *text = g_string_new(xml);

        ck_assert_uint_eq(g_string_replace(text, "</devices>", devices, 1), 1);
        g_free(xml);
        return g_string_free(text, FALSE);
}

char *scene_replace(const char *text, const char *from, const char *to)
{
        g_autoptr(GString) copy = g_string_new(text);

        ck_assert_uint_ge(g_string_replace(copy, from, to, 0), 1);
        return g_strdup(copy->str);
}

/* xml (taken): writes to its first disk what it counts. The other side has folders of its own. */
void scene_init_with(struct scene *scene, char *xml, const char *format, const char *base)
{
        g_autofree char *folder = harness_path(there.harness, "images");

        scene->from = harness_path(here.harness, "disk.img");
        scene->to = g_build_filename(folder, "disk.img", NULL);
        ck_assert_int_eq(mkdir(folder, 0755), 0);
        scene_make_disk(scene->from, format, base);
        scene->path = guest_start(here.client, add_disk(xml, scene->from, format));
        guest_wait_console(scene->console, "virtbus-guest: ready");
        guest_wait_console(scene->console, "count 5\r");
        scene->back = client_call_string(here.client, scene->path, DOMAIN_INTERFACE, "GetXMLDesc", "u", 8);
        scene->xml = scene_replace(scene->back, scene->from, scene->to);
}

void scene_init(struct scene *scene, const char *format, const char *base)
{
        scene->console = harness_path(here.harness, "console");
        scene_init_with(
                scene,
                sides_append_console(guest_linux_xml("linux", scene->console, "record"), scene->console),
                format, base);
}

void scene_clear(struct scene *scene)
{
        g_free(scene->console);
        g_free(scene->from);
        g_free(scene->to);
        g_free(scene->path);
        g_free(scene->xml);
        g_free(scene->back);
}

void scene_migrate(const struct scene *scene, unsigned flags)
{
        client_do(here.client, scene->path, DOMAIN_INTERFACE, "MigrateToURI3", "sa{sv}u", there.uri, 1,
                  "destination_xml", "s", scene->xml, flags);
}

/* It counts on there, and nowhere else. */
void scene_expect_moved(const struct scene *scene, const struct side *from, const struct side *to)
{
        guest_expect_state(to->client, scene->path, STATE_RUNNING, -1);
        ck_assert(!side_runs(from, scene->path));
        sides_expect_counting(scene->console);
}

/* It ends, and its disk is where it is. */
void scene_expect_end(const struct scene *scene, const struct side *side, const char *disk,
                      const char *format)
{
        unsigned count;

        guest_do_flags(side->client, scene->path, "Destroy", 0);
        count = sides_check_count(scene->console);
        ck_assert_uint_lt(count, PATTERN / BLOCK);
        scene_check_disk(disk, format, count);
}

/* It runs here and nothing of it is there: no emulator, no image. */
static bool has_stayed(void *data)
{
        const struct scene *scene = data;

        return side_runs(&here, scene->path) && !side_has(&there, scene->path) &&
               harness_count_guests(here.harness) == 1 && !g_file_test(scene->to, G_FILE_TEST_EXISTS);
}

void scene_expect_stayed(struct scene *scene)
{
        harness_wait_until(has_stayed, scene, "all is as it was before");
        sides_expect_counting(scene->console);
}

void scene_expect_failure(struct client_answer *answer, const char *text)
{
        client_wait_answer(here.client, answer);
        ck_assert_ptr_nonnull(answer->error);
        ck_assert_msg(!text || strstr(answer->error, text), "'%s' is not in '%s'", text, answer->error);
        g_clear_pointer(&answer->error, g_free);
}
