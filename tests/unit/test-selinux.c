/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Contexts of SELinux, categories, and labels of files: text, and an attribute of files that any kernel
 * keeps.
 */
#include "base/error.h"
#include "drivers/qemu/guest.h"
#include "drivers/security/file-note.h"
#include "drivers/security/context.h"
#include "drivers/security/relabel.h"
#include "drivers/security/svirt.h"
#include "tests/unit/check-main.h"

#include <glib/gstdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/xattr.h>
#include <unistd.h>

/* ---- contexts ---- */

START_TEST(a_context_has_four_parts)
{
        static const char *const bad[] = {
                "",
                "svirt_t",
                "user_u:role_r",
                "user_u::type_t:s0",
                ":role_r:type_t",
                "user_u:role_r:type_t:",
                "user_u:role_r:type_t:s0 x",
        };
        struct context context;
        g_autofree char *text = NULL, *range = NULL;

        ck_assert(context_parse(&context, "system_u:system_r:svirt_t:s0-s0:c0.c1023"));
        ck_assert_str_eq(context.type, "svirt_t");
        ck_assert_str_eq(context.range, "s0-s0:c0.c1023");
        text = context_format(&context);
        ck_assert_str_eq(text, "system_u:system_r:svirt_t:s0-s0:c0.c1023");
        context_clear(&context);
        /* A policy without levels has three. */
        ck_assert(context_parse(&context, "user_u:role_r:type_t"));
        ck_assert_ptr_null(context.range);
        context_clear(&context);
        for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++)
                ck_assert_msg(!context_parse(&context, bad[i]), "'%s'", bad[i]);
        range = context_get_range("a:b:c:s0:c1,c2");
        ck_assert_str_eq(range, "s0:c1,c2");
}
END_TEST

START_TEST(a_derived_context_keeps_its_type)
{
        g_autofree char *process = context_derive("system_u:system_r:svirt_t:s0",
                                                  "unconfined_u:unconfined_r:agent_t:s0", true, "s0:c1,c2");
        g_autofree char *image = context_derive("system_u:object_r:svirt_image_t:s0",
                                                "unconfined_u:unconfined_r:agent_t:s0", false, "s0:c1,c2");
        g_autofree char *none = context_derive("svirt_t", "a:b:c", true, NULL);

        ck_assert_str_eq(process, "unconfined_u:unconfined_r:svirt_t:s0:c1,c2");
        ck_assert_str_eq(image, "unconfined_u:object_r:svirt_image_t:s0:c1,c2");
        ck_assert_ptr_null(none);
}
END_TEST

/* ---- categories ---- */

START_TEST(an_agent_gives_what_its_upper_end_has)
{
        static const struct {
                const char *range, *sensitivity;
                unsigned count, first, last;
        } cases[] = {
                { "s0", "s0", 1024, 0, 1023 },
                { "s0-s0", "s0", 1024, 0, 1023 },
                { "s0-s0:c0.c1023", "s0", 1024, 0, 1023 },
                { "s0:c10.c19", "s0", 10, 10, 19 },
                { "s1:c1-s3:c1.c3,c9", "s1", 4, 1, 9 },
                { "s0:c5,c5,c6", "s0", 2, 5, 6 },
        };
        static const char *const bad[] = {
                "",         ":c1",      "s0:",       "s0:x1",           "s0:c1.",
                "s0:c9.c1", "s0:c1024", "s0:c1,,c2", "s0:c99999999999", "s0-",
        };
        struct categories categories;
        char *sensitivity;

        for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
                ck_assert_msg(categories_read(cases[i].range, &sensitivity, &categories), "%s",
                              cases[i].range);
                ck_assert_str_eq(sensitivity, cases[i].sensitivity);
                ck_assert_uint_eq(categories.count, cases[i].count);
                ck_assert(categories_have(&categories, cases[i].first));
                ck_assert(categories_have(&categories, cases[i].last));
                ck_assert(!categories_have(&categories, cases[i].last + 1));
                g_free(sensitivity);
        }
        for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++) {
                ck_assert_msg(!categories_read(bad[i], &sensitivity, &categories), "'%s'", bad[i]);
                ck_assert_ptr_null(sensitivity);
        }
}
END_TEST

START_TEST(a_pair_is_read_as_it_is_written)
{
        static const char *const bad[] = {
                "s0", "s0:c1", "s0:c1,c2,c3", "s0:c0.c1023", "s0-s0:c1,c2", "x:y"
        };
        struct category_pair pair;
        g_autofree char *text = NULL;

        ck_assert(category_pair_read("s0:c802,c17", &pair));
        ck_assert_uint_eq(pair.low, 17);
        ck_assert_uint_eq(pair.high, 802);
        text = category_pair_format("s0", &pair);
        ck_assert_str_eq(text, "s0:c17,c802");
        ck_assert(category_pair_read("s0:c4.c5", &pair));
        for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++)
                ck_assert_msg(!category_pair_read(bad[i], &pair), "%s", bad[i]);
        ck_assert(!category_pair_read(NULL, &pair));
}
END_TEST

/* Of four categories there are six pairs, each given once; what is given back is given again. */
START_TEST(no_pair_is_given_twice)
{
        struct category_claims *claims = g_new0(struct category_claims, 1);
        struct category_pair pair, reserved = { 10, 12 };
        struct categories categories;
        g_autofree char *sensitivity = NULL;
        bool seen[4][4] = { 0 };

        ck_assert(categories_read("s0:c10.c13", &sensitivity, &categories));
        ck_assert(category_claims_take(claims, &reserved));
        ck_assert(!category_claims_take(claims, &reserved));
        for (unsigned i = 0; i < 5; i++) {
                ck_assert(category_claims_choose(claims, &categories, &pair));
                ck_assert_uint_lt(pair.low, pair.high);
                ck_assert_uint_ge(pair.low, 10);
                ck_assert_uint_le(pair.high, 13);
                ck_assert(!(pair.low == 10 && pair.high == 12));
                ck_assert(!seen[pair.low - 10][pair.high - 10]);
                seen[pair.low - 10][pair.high - 10] = true;
        }
        ck_assert(!category_claims_choose(claims, &categories, &pair));
        ck_assert_uint_eq(pair.high, 0);
        category_claims_drop(claims, &pair);
        category_claims_drop(claims, &reserved);
        ck_assert(category_claims_choose(claims, &categories, &pair));
        ck_assert_uint_eq(pair.low, 10);
        ck_assert_uint_eq(pair.high, 12);
        g_free(claims);
}
END_TEST

START_TEST(every_pair_there_is)
{
        struct category_claims *claims = g_new0(struct category_claims, 1);

        for (unsigned high = 1; high < CATEGORIES; high++)
                for (unsigned low = 0; low < high; low++)
                        ck_assert(category_claims_take(claims, &(struct category_pair){ low, high }));
        ck_assert(!category_claims_take(claims, &(struct category_pair){ 5, 5 }));
        ck_assert(!category_claims_take(claims, &(struct category_pair){ 5, CATEGORIES }));
        for (unsigned i = 0; i < G_N_ELEMENTS(claims->words); i++)
                ck_assert_uint_eq(claims->words[i], UINT32_MAX);
        g_free(claims);
}
END_TEST

START_TEST(one_category_is_no_choice)
{
        struct category_claims *claims = g_new0(struct category_claims, 1);
        struct categories categories;
        struct category_pair pair;
        g_autofree char *sensitivity = NULL;

        ck_assert(categories_read("s0:c7", &sensitivity, &categories));
        ck_assert(!category_claims_choose(claims, &categories, &pair));
        g_free(claims);
}
END_TEST

/* ---- labels of guests ---- */

static struct svirt *make_svirt(void)
{
        struct svirt *svirt = g_new0(struct svirt, 1);

        svirt->own = g_strdup("system_u:system_r:virtd_t:s0-s0:c0.c1");
        svirt->domain = g_strdup("policy_u:policy_r:svirt_t:s0");
        svirt->emulated = g_strdup("policy_u:policy_r:svirt_tcg_t:s0");
        svirt->image = g_strdup("policy_u:object_r:svirt_image_t:s0");
        ck_assert(categories_read("s0-s0:c0.c1", &svirt->sensitivity, &svirt->categories));
        return svirt;
}

START_TEST(a_guest_gets_a_label)
{
        CLEANUP(svirt_free) struct svirt *svirt = make_svirt();
        struct category_pair pair;
        g_autoptr(GError) error = NULL;
        g_autofree char *label = svirt_make_label(svirt, NULL, true, &pair, NULL), *image = NULL,
                        *based = NULL;

        ck_assert_str_eq(label, "system_u:system_r:svirt_tcg_t:s0:c0,c1");
        image = svirt_make_image_label(svirt, label);
        ck_assert_str_eq(image, "system_u:object_r:svirt_image_t:s0:c0,c1");
        ck_assert_ptr_null(svirt_make_label(svirt, NULL, false, &(struct category_pair){ 0 }, &error));
        ck_assert_ptr_nonnull(strstr(error->message, "no pair of categories"));
        g_clear_error(&error);
        category_claims_drop(&svirt->claims, &pair);
        /* What is none takes nothing. */
        ck_assert_ptr_null(svirt_make_label(svirt, "nothing", false, &pair, &error));
        ck_assert_ptr_nonnull(strstr(error->message, "'nothing'"));
        based = svirt_make_label(svirt, "a:b:other_t:s0", false, &pair, NULL);
        ck_assert_str_eq(based, "system_u:system_r:other_t:s0:c0,c1");
}
END_TEST

/* One that an earlier agent has started keeps its pair from others until it ends; then it is anybody's. */
START_TEST(a_pair_of_a_guest_that_was_found_is_given_back)
{
        static const char xml[] =
                "<domain type='qemu'><name>web</name><uuid>6695eb01-f6a4-8304-79aa-97f2502e193f</uuid>"
                "<memory>65536</memory><vcpu>1</vcpu><os><type arch='x86_64' machine='q35'>hvm</type></os>"
                "<seclabel type='dynamic' model='selinux' relabel='yes'>"
                "<label>system_u:system_r:svirt_tcg_t:s0:c0,c1</label>"
                "<imagelabel>system_u:object_r:svirt_image_t:s0:c0,c1</imagelabel></seclabel></domain>";
        CLEANUP(svirt_free) struct svirt *svirt = make_svirt();
        struct qemu_driver driver = { .svirt = svirt };
        struct guest guest = { .driver = &driver };
        struct category_pair pair;
        g_autoptr(GError) error = NULL;
        struct domain_def *def = domain_def_parse_stored(xml, &error);

        ck_assert_msg(def != NULL, "%s", error ? error->message : "");
        ck_assert(guest_choose_context(&guest, def, true, &error));
        ck_assert_str_eq(guest.context, "system_u:system_r:svirt_tcg_t:s0:c0,c1");
        ck_assert_str_eq(guest.image_context, "system_u:object_r:svirt_image_t:s0:c0,c1");
        ck_assert(!category_claims_choose(&svirt->claims, &svirt->categories, &pair));
        guest_drop_context(&guest);
        ck_assert(category_claims_choose(&svirt->claims, &svirt->categories, &pair));
        ck_assert(pair.low == 0 && pair.high == 1);
        g_free(guest.context);
        g_free(guest.image_context);
        domain_def_unref(def);
}
END_TEST

/* ---- labels of files ---- */

#define LABEL  "security.selinux"
#define BEFORE "system_u:object_r:virt_image_t:s0"
#define OWN    "system_u:object_r:svirt_image_t:s0:c1,c2"
#define OTHER  "system_u:object_r:svirt_image_t:s0:c3,c4"
#define COMMON "system_u:object_r:virt_content_t:s0"

static char *dir, *file;

static void setup(void)
{
        dir = g_dir_make_tmp("virtbus-selinux-XXXXXX", NULL);
        file = g_build_filename(dir, "image", NULL);
        ck_assert(g_file_set_contents(file, "x", 1, NULL));
}

static void teardown(void)
{
        g_remove(file);
        g_rmdir(dir);
        g_free(dir);
        g_free(file);
}

static bool set_label(const char *label)
{
        return setxattr(file, LABEL, label, strlen(label) + 1, 0) == 0;
}

/* A kernel that enforces its own policy has no such types. */
static bool can_label(void)
{
        if (geteuid() == 0 && setxattr(file, "trusted.virtbus.test", "x", 1, 0) == 0 && set_label(BEFORE))
                return true;
        check_skip("labels of files need root, and a file system that keeps them");
        return false;
}

static void expect_label(const char *expected)
{
        char label[256] = "";

        ck_assert_int_gt(getxattr(file, LABEL, label, sizeof(label) - 1), 0);
        ck_assert_str_eq(label, expected);
}

static void take(const char *label)
{
        g_autoptr(GError) error = NULL;
        struct relabel relabel = { 0 };

        ck_assert(relabel_look(file, &relabel));
        ck_assert_str_eq(relabel.before, BEFORE);
        ck_assert_msg(relabel_take(file, label, &relabel, &error), "%s", error ? error->message : "");
        g_free(relabel.before);
}

static bool has_note(void)
{
        return getxattr(file, "trusted.libvirt.security.selinux", NULL, 0) > 0;
}

START_TEST(a_file_gets_its_label_back)
{
        struct relabel relabel = { 0 };
        g_autofree char *label = NULL;

        if (!can_label())
                return;
        ck_assert(!relabel_is_noted(file, &relabel, &label));
        take(OWN);
        expect_label(OWN);
        ck_assert(relabel_is_noted(file, &relabel, &label));
        ck_assert_str_eq(label, OWN);
        ck_assert_str_eq(relabel.before, BEFORE);
        g_free(relabel.before);
        ck_assert(has_note());
        relabel_return(file, OWN, NULL);
        expect_label(BEFORE);
        ck_assert(!has_note());
        ck_assert_int_lt(getxattr(file, "trusted.virtbus.boot_selinux", NULL, 0), 0);
}
END_TEST

START_TEST(the_last_guest_gives_a_label_back)
{
        if (!can_label())
                return;
        take(COMMON);
        take(COMMON);
        relabel_return(file, COMMON, BEFORE);
        expect_label(COMMON);
        relabel_return(file, COMMON, BEFORE);
        expect_label(BEFORE);
}
END_TEST

/* Two guests cannot write the same file; the second one's end takes nothing of the first one's. */
START_TEST(a_file_that_another_guest_has)
{
        g_autoptr(GError) error = NULL;
        struct relabel relabel = { 0 };

        if (!can_label())
                return;
        take(OWN);
        ck_assert(relabel_look(file, &relabel));
        ck_assert(!relabel_take(file, OTHER, &relabel, &error));
        ck_assert_int_eq(error_get_code(error), ERROR_OPERATION_INVALID);
        ck_assert_ptr_nonnull(strstr(error->message, OWN));
        relabel_return(file, OTHER, relabel.before);
        expect_label(OWN);
        ck_assert(has_note());
        /* One of libvirt's, which does not note who has it. */
        ck_assert_int_eq(removexattr(file, file_note_label.boot), 0);
        relabel_return(file, OTHER, relabel.before);
        expect_label(OWN);
        ck_assert(has_note());
        relabel_return(file, OWN, BEFORE);
        expect_label(BEFORE);
        g_free(relabel.before);
}
END_TEST

START_TEST(somebody_else_knows_better)
{
        if (!can_label())
                return;
        take(OWN);
        ck_assert(set_label(COMMON));
        relabel_return(file, OWN, BEFORE);
        expect_label(COMMON);
        ck_assert(!has_note());
}
END_TEST

/* Whoever noted it is gone with the boot: nobody uses it, and it is known what it was. */
START_TEST(a_note_of_another_boot)
{
        static const char boot[] = "00000000-0000-0000-0000-000000000000 " OWN;

        if (!can_label())
                return;
        take(OWN);
        ck_assert_int_eq(setxattr(file, "trusted.virtbus.boot_selinux", boot, strlen(boot), 0), 0);
        take(OTHER);
        expect_label(OTHER);
        relabel_return(file, OTHER, NULL);
        expect_label(BEFORE);
}
END_TEST

/* Sockets cannot be opened. */
START_TEST(a_socket_is_labelled_as_well)
{
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

        if (!can_label())
                return;
        g_remove(file);
        g_strlcpy(address.sun_path, file, sizeof(address.sun_path));
        ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
        ck_assert(relabel_set(file, OWN, NULL));
        expect_label(OWN);
        close(fd);
}
END_TEST

START_TEST(a_file_that_came_in_its_place)
{
        struct relabel relabel = { 0 };

        if (!can_label())
                return;
        ck_assert(relabel_look(file, &relabel));
        relabel.inode++;
        ck_assert(relabel_take(file, OWN, &relabel, NULL));
        expect_label(BEFORE);
        g_free(relabel.before);
}
END_TEST

/* /proc keeps no labels of files. */
START_TEST(a_file_system_without_labels)
{
        struct relabel relabel = { 0 };
        g_autoptr(GError) error = NULL;

        if (!can_label())
                return;
        ck_assert(relabel_look("/proc/self/status", &relabel));
        ck_assert_msg(relabel_take("/proc/self/status", OWN, &relabel, &error), "%s",
                      error ? error->message : "");
        relabel_return("/proc/self/status", OWN, relabel.before);
        g_free(relabel.before);
}
END_TEST

CHECK_MAIN_FIXTURE("selinux", setup, teardown, a_context_has_four_parts, a_derived_context_keeps_its_type,
                   an_agent_gives_what_its_upper_end_has, a_pair_is_read_as_it_is_written,
                   no_pair_is_given_twice, every_pair_there_is, one_category_is_no_choice,
                   a_guest_gets_a_label, a_pair_of_a_guest_that_was_found_is_given_back,
                   a_file_gets_its_label_back, the_last_guest_gives_a_label_back,
                   a_file_that_another_guest_has, somebody_else_knows_better, a_note_of_another_boot,
                   a_socket_is_labelled_as_well, a_file_that_came_in_its_place, a_file_system_without_labels)
