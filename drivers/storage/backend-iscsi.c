/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Pools of type iscsi: a target of an iSCSI server; its units are the volumes. Lanes as in backend.h; the
 * record of the target in iscsiadm's database lives as long as the pool is active.
 */
#include "drivers/storage/backend.h"

#include "base/error.h"
#include "base/lane.h"
#include "base/spawn.h"
#include "base/store.h"
#include "drivers/storage/block.h"
#include "drivers/storage/scsi.h"
#include "drivers/storage/tool.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define PORT_DEFAULT 3260

/* Where iscsiadm keeps its records. */
static const char *const databases[] = { "/etc/iscsi/nodes", "/var/lib/iscsi/nodes" };

static const char *target_of(const struct backend_context *context)
{
        return context->def->source.devices[0].path;
}

static bool check_source(const struct pool_source *source, GError **error)
{
        if (source->n_hosts != 1)
                return error_set(error, ERROR_FROM_STORAGE, ERROR_XML_ERROR,
                                 "an iSCSI source has one host, not %u", source->n_hosts);
        return tool_check_word("host name", source->hosts[0].name, ".-_:%[]", error) &&
               (!source->initiator || tool_check_word("initiator name", source->initiator, ".-:", error));
}

static bool check_def(const struct pool_def *def, GError **error)
{
        const struct pool_source *source = &def->source;

        if (source->n_devices != 1)
                return error_set(error, ERROR_FROM_STORAGE, ERROR_XML_ERROR,
                                 "a pool of type 'iscsi' has one target, not %u", source->n_devices);
        if (source->auth.type != POOL_AUTH_NONE && source->auth.type != POOL_AUTH_CHAP)
                return error_set(error, ERROR_FROM_STORAGE, ERROR_CONFIG_UNSUPPORTED,
                                 "iSCSI knows the authentication 'chap' only");
        return check_source(source, error) &&
               tool_check_word("target name", source->devices[0].path, ".-:_", error) &&
               tool_check_names_path("target path", def->path, error);
}

/* ---- sessions, as sysfs shows them ---- */

struct session {
        const struct pool_source *source; /* borrowed */
        unsigned host;
        bool is_logged_in; /* false: the server is away, and what touches the disks waits for it */
};

static bool match_session(const char *dir, const char *name, void *data)
{
        struct session *found = data;
        g_autofree char *target = scsi_read_text(dir, "targetname"),
                        *initiator = scsi_read_text(dir, "initiatorname"),
                        *state = scsi_read_text(dir, "state");
        g_autofree char *device = g_build_filename(dir, "device", NULL);
        char real[PATH_MAX], *session;

        if (g_strcmp0(target, found->source->devices[0].path) != 0)
                return false;
        if (found->source->initiator && g_strcmp0(initiator, found->source->initiator) != 0)
                return false;
        /* .../host5/session1 */
        if (!realpath(device, real) || !(session = strrchr(real, '/')))
                return false;
        *session = '\0';
        session = strrchr(real, '/');
        found->is_logged_in = g_strcmp0(state, "LOGGED_IN") == 0;
        return session && scsi_parse_host(session + 1, &found->host);
}

static bool find_session(const struct backend_context *context, struct session *session)
{
        *session = (struct session){ .source = &context->def->source };
        return scsi_foreach("iscsi_session", match_session, session);
}

/* The session, when the server answers in it. */
static bool get_session(const struct backend_context *context, struct session *session, GError **error)
{
        if (!find_session(context, session))
                return error_set(error, ERROR_FROM_STORAGE, ERROR_OPERATION_FAILED,
                                 "there is no session with target '%s' any more", target_of(context));
        if (!session->is_logged_in)
                return error_set(error, ERROR_FROM_STORAGE, ERROR_OPERATION_FAILED,
                                 "the server of target '%s' does not answer", target_of(context));
        return true;
}

/* ---- iscsiadm ---- */

static char *portal_of(const struct pool_source *source)
{
        const struct pool_host *host = &source->hosts[0];
        bool bare = strchr(host->name, ':') && *host->name != '[';

        return g_strdup_printf(bare ? "[%s]:%u" : "%s:%u", host->name,
                               host->port ? host->port : PORT_DEFAULT);
}

/* An interface per initiator name, as iscsiadm has them. Owned; NULL: the host's own name counts. */
static char *interface_of(const struct pool_source *source)
{
        g_autofree char *sum = NULL;

        if (!source->initiator)
                return NULL;
        sum = g_compute_checksum_for_string(G_CHECKSUM_SHA256, source->initiator, -1);
        return g_strdup_printf("virtbus-%.16s", sum);
}

static bool make_interface(struct lane *lane, const struct pool_source *source, const char *interface,
                           GError **error)
{
        const char *const show[] = { "iscsiadm", "--mode=iface", "--interface", interface, NULL };
        const char *const make[] = { "iscsiadm", "--mode=iface", "--interface", interface, "--op=new", NULL };
        const char *const name[] = { "iscsiadm", "--mode=iface",    "--interface",
                                     interface,  "--op=update",     "--name=iface.initiatorname",
                                     "--value",  source->initiator, NULL };

        if (!interface)
                return true;
        if (!tool_run(lane, show, NULL) && !tool_run(lane, make, error))
                return false;
        return tool_run(lane, name, error);
}

/* iscsiadm on the record of the pool's target, with up to three more arguments. */
static bool run_node(const struct backend_context *context, const char *first, const char *second,
                     const char *third, GError **error)
{
        const struct pool_source *source = &context->def->source;
        g_autofree char *portal = portal_of(source), *interface = interface_of(source);
        const char *argv[12] = { "iscsiadm",         "--mode=node", "--targetname",
                                 target_of(context), "--portal",    portal };
        unsigned n = 6;

        if (interface) {
                argv[n++] = "--interface";
                argv[n++] = interface;
        }
        argv[n++] = first;
        argv[n++] = second;
        argv[n++] = third;
        return tool_run(context->lane, argv, error);
}

static bool set_value(const struct backend_context *context, const char *name, const char *value,
                      GError **error)
{
        g_autofree char *name_option = g_strdup_printf("--name=%s", name);
        g_autofree char *value_option = g_strdup_printf("--value=%s", value);

        return run_node(context, "--op=update", name_option, value_option, error);
}

/* ---- CHAP: the password goes into the record itself, as no command line may show it ---- */

static bool add_password(const char *dir, const char *name, const char *line, GError **error)
{
        g_autofree char *path = g_build_filename(dir, name, NULL), *text = store_read(path, error);
        char *end = text ? strstr(text, "# END RECORD") : NULL;
        g_autofree char *changed = NULL;

        if (!text)
                return false;
        if (!end)
                return error_set(error, ERROR_FROM_STORAGE, ERROR_PARSE_FAILED,
                                 "'%s' is no record of iscsiadm", path);
        changed = g_strdup_printf("%.*s%s%s", (int)(end - text), text, line, end);
        return store_write(dir, name, changed, false, error);
}

/* The record is a file named "<host>,<port>", or files by interface in a directory of that name. */
static bool add_password_to(const char *dir, const char *name, const char *interface, const char *line,
                            GError **error)
{
        g_autofree char *path = g_build_filename(dir, name, NULL);

        if (g_file_test(path, G_FILE_TEST_IS_DIR))
                return add_password(path, interface ? interface : "default", line, error);
        return add_password(dir, name, line, error);
}

/* The directory of a target's records. Owned; NULL when there is none. */
static char *find_records(const char *target)
{
        for (unsigned i = 0; i < G_N_ELEMENTS(databases); i++) {
                g_autofree char *dir = g_build_filename(databases[i], target, NULL);

                if (g_file_test(dir, G_FILE_TEST_IS_DIR))
                        return g_steal_pointer(&dir);
        }
        return NULL;
}

static bool write_password(const struct backend_context *context, const char *password, GError **error)
{
        const struct pool_source *source = &context->def->source;
        const struct pool_host *host = &source->hosts[0];
        g_autofree char *line = g_strdup_printf("node.session.auth.password = %s\n", password);
        g_autofree char *dir = find_records(target_of(context)), *interface = interface_of(source);
        /* "::1,3260", also when it was given as "[::1]". */
        const char *bare = host->name + strspn(host->name, "[");
        g_autofree char *prefix = g_strdup_printf("%.*s,%u", (int)strcspn(bare, "]"), bare,
                                                  host->port ? host->port : PORT_DEFAULT);
        g_autoptr(GDir) names = dir ? g_dir_open(dir, 0, NULL) : NULL;
        const char *name;

        while (names && (name = g_dir_read_name(names))) {
                if (g_str_has_prefix(name, prefix) && strchr(",", name[strlen(prefix)]))
                        return add_password_to(dir, name, interface, line, error);
        }
        return error_set(error, ERROR_FROM_STORAGE, ERROR_OPERATION_FAILED,
                         "iscsiadm keeps no record of target '%s'", target_of(context));
}

static bool set_auth(const struct backend_context *context, GError **error)
{
        const struct pool_auth *auth = &context->def->source.auth;
        g_autofree char *password = NULL;
        gsize size;
        const char *bytes;

        if (auth->type == POOL_AUTH_NONE)
                return true;
        if (!context->secret)
                return error_set(error, ERROR_FROM_STORAGE, ERROR_NO_SECRET,
                                 "there is no password for user '%s' of target '%s'", auth->username,
                                 target_of(context));
        bytes = g_bytes_get_data(context->secret, &size);
        password = g_strndup(bytes, size);
        for (const char *c = password; *c; c++) {
                if (g_ascii_iscntrl(*c))
                        return error_set(error, ERROR_FROM_STORAGE, ERROR_INVALID_SECRET,
                                         "the password for target '%s' has a control character in it",
                                         target_of(context));
        }
        return set_value(context, "node.session.auth.authmethod", "CHAP", error) &&
               set_value(context, "node.session.auth.username", auth->username, error) &&
               write_password(context, password, error);
}

/* ---- life ---- */

static bool check(const struct backend_context *context, bool *active, GError **error)
{
        struct session session;

        *active = find_session(context, &session);
        return true;
}

static bool log_in(const struct backend_context *context, GError **error)
{
        /* The pool decides when it is logged in, not the boot. */
        return set_value(context, "node.startup", "manual", error) && set_auth(context, error) &&
               run_node(context, "--login", NULL, NULL, error);
}

static bool start(const struct backend_context *context, GError **error)
{
        const struct pool_source *source = &context->def->source;
        g_autofree char *interface = interface_of(source);
        struct session session;

        if (find_session(context, &session))
                return true;
        if (!make_interface(context->lane, source, interface, error) ||
            !run_node(context, "--op=new", NULL, NULL, error))
                return false;
        if (log_in(context, error))
                return true;
        lane_shield(context->lane);
        run_node(context, "--logout", NULL, NULL, NULL);
        run_node(context, "--op=delete", NULL, NULL, NULL);
        return false;
}

static bool stop(const struct backend_context *context, GError **error)
{
        struct session session;

        if (find_session(context, &session) && !run_node(context, "--logout", NULL, NULL, error))
                return false;
        /* With the password in it. That there is none is fine. */
        run_node(context, "--op=delete", NULL, NULL, NULL);
        return true;
}

static bool refresh(const struct backend_context *context, struct pool_scan *scan, GError **error)
{
        const char *const rescan[] = { "iscsiadm",         "--mode=node", "--targetname",
                                       target_of(context), "--rescan",    NULL };
        struct session session;

        return get_session(context, &session, error) && tool_run(context->lane, rescan, error) &&
               scsi_read_units(context, session.host, scan, error);
}

/* Not what would hang until the kernel gives the server up, which takes minutes. */
static int open_volume(const struct backend_context *context, const struct volume *volume, bool writable,
                       uint64_t *length, GError **error)
{
        struct session session;

        return get_session(context, &session, error)
                       ? block_volume_open(context, volume, writable, length, error)
                       : -1;
}

/* ---- sources ---- */

/* "192.168.1.2:3260,1 iqn.2013-06.com.example:pool" */
static void add_target(const struct pool_source *asked, const char *line, GPtrArray *sources)
{
        const char *space = strchr(line, ' ');
        struct pool_device device = { .part_separator = -1 };
        struct pool_source source = {
                .hosts = asked->hosts,
                .n_hosts = 1,
                .devices = &device,
                .n_devices = 1,
                .initiator = asked->initiator,
        };
        g_autofree char *target = NULL, *text = NULL;

        if (!space || !space[1])
                return;
        target = g_strstrip(g_strdup(space + 1));
        device.path = target;
        text = pool_source_format(&source);
        /* A target with several portals comes several times. */
        if (!g_ptr_array_find_with_equal_func(sources, text, g_str_equal, NULL))
                g_ptr_array_add(sources, g_steal_pointer(&text));
}

static bool find(const struct backend_context *context, bool has_source, GPtrArray *sources, GError **error)
{
        const struct pool_source *source = &context->def->source;
        g_autofree char *portal = NULL, *interface = interface_of(source), *output = NULL;
        const char *argv[] = { "iscsiadm",
                               "--mode=discovery",
                               "--type=sendtargets",
                               "--op=nonpersistent",
                               "--portal",
                               NULL,
                               NULL,
                               NULL,
                               NULL };
        g_auto(GStrv) lines = NULL;

        if (!source->n_hosts)
                return error_set(error, ERROR_FROM_STORAGE, ERROR_INVALID_ARG,
                                 "the source names no host whose targets could be found");
        if (!check_source(source, error) || !make_interface(context->lane, source, interface, error))
                return false;
        portal = portal_of(source);
        argv[5] = portal;
        if (interface) {
                argv[6] = "--interface";
                argv[7] = interface;
        }
        if (!tool_read(context->lane, argv, &output, error))
                return false;
        lines = g_strsplit(output, "\n", -1);
        for (char **line = lines; *line; line++)
                add_target(source, *line, sources);
        return true;
}

const struct backend backend_iscsi = {
        .type = POOL_ISCSI,
        .check_def = check_def,
        .check = check,
        .start = start,
        .stop = stop,
        .refresh = refresh,
        .find = find,
        .open = open_volume,
        .stat = block_volume_stat,
};
