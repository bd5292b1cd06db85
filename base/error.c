/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Error codes and their standard phrases. No state; any thread.
 */
#include "base/error.h"

#include <string.h>

#define CODE_BITS 16

/* The message of each number, %s being the detail. Part of the wire: clients match on some ("Domain not
 * found"). */
static const char *const formats[] = {
        [ERROR_INTERNAL_ERROR] = "internal error: %s",
        [ERROR_NO_MEMORY] = "out of memory: %s",
        [ERROR_NO_SUPPORT] = "this function is not supported by the connection driver: %s",
        [ERROR_UNKNOWN_HOST] = "unknown host %s",
        [ERROR_NO_CONNECT] = "no connection driver available for %s",
        [ERROR_INVALID_CONN] = "invalid connection pointer in %s",
        [ERROR_INVALID_DOMAIN] = "invalid domain pointer in %s",
        [ERROR_INVALID_ARG] = "invalid argument: %s",
        [ERROR_OPERATION_FAILED] = "operation failed: %s",
        [ERROR_GET_FAILED] = "GET operation failed: %s",
        [ERROR_POST_FAILED] = "POST operation failed: %s",
        [ERROR_HTTP_ERROR] = "got unknown HTTP error code %s",
        [ERROR_SEXPR_SERIAL] = "failed to serialize S-Expr: %s",
        [ERROR_NO_XEN] = "could not use Xen hypervisor entry %s",
        [ERROR_XEN_CALL] = "failed Xen syscall %s",
        [ERROR_OS_TYPE] = "unknown OS type %s",
        [ERROR_NO_KERNEL] = "missing kernel information: %s",
        [ERROR_NO_ROOT] = "missing root device information in %s",
        [ERROR_NO_SOURCE] = "missing source information for device %s",
        [ERROR_NO_TARGET] = "missing target information for device %s",
        [ERROR_NO_NAME] = "missing name information in %s",
        [ERROR_NO_OS] = "missing operating system information for %s",
        [ERROR_NO_DEVICE] = "missing devices information for %s",
        [ERROR_NO_XENSTORE] = "could not connect to Xen Store %s",
        [ERROR_DRIVER_FULL] = "too many drivers registered in %s",
        [ERROR_CALL_FAILED] = "library call failed: %s",
        [ERROR_XML_ERROR] = "XML error: %s",
        [ERROR_DOM_EXIST] = "domain %s exists already",
        [ERROR_OPERATION_DENIED] = "operation forbidden: %s",
        [ERROR_OPEN_FAILED] = "failed to open configuration file %s",
        [ERROR_READ_FAILED] = "failed to read configuration file %s",
        [ERROR_PARSE_FAILED] = "failed to parse configuration file %s",
        [ERROR_CONF_SYNTAX] = "configuration file syntax error: %s",
        [ERROR_WRITE_FAILED] = "failed to write configuration file: %s",
        [ERROR_XML_DETAIL] = "%s",
        [ERROR_INVALID_NETWORK] = "invalid network pointer in %s",
        [ERROR_NETWORK_EXIST] = "network %s exists already",
        [ERROR_SYSTEM_ERROR] = "%s",
        [ERROR_RPC] = "%s",
        [ERROR_GNUTLS_ERROR] = "%s",
        [ERROR_NO_DOMAIN] = "Domain not found: %s",
        [ERROR_NO_NETWORK] = "Network not found: %s",
        [ERROR_INVALID_MAC] = "invalid MAC address: %s",
        [ERROR_AUTH_FAILED] = "authentication failed: %s",
        [ERROR_INVALID_STORAGE_POOL] = "invalid storage pool pointer in %s",
        [ERROR_INVALID_STORAGE_VOL] = "invalid storage volume pointer in %s",
        [ERROR_NO_STORAGE_POOL] = "Storage pool not found: %s",
        [ERROR_NO_STORAGE_VOL] = "Storage volume not found: %s",
        [ERROR_INVALID_NODE_DEVICE] = "invalid node device pointer in %s",
        [ERROR_NO_NODE_DEVICE] = "Node device not found: %s",
        [ERROR_NO_SECURITY_MODEL] = "Security model not found: %s",
        [ERROR_OPERATION_INVALID] = "Requested operation is not valid: %s",
        [ERROR_NO_INTERFACE] = "Interface not found: %s",
        [ERROR_INVALID_INTERFACE] = "invalid interface pointer in %s",
        [ERROR_MULTIPLE_INTERFACES] = "multiple matching interfaces found: %s",
        [ERROR_INVALID_NWFILTER] = "Invalid network filter: %s",
        [ERROR_NO_NWFILTER] = "Network filter not found: %s",
        [ERROR_BUILD_FIREWALL] = "Error while building firewall: %s",
        [ERROR_INVALID_SECRET] = "Invalid secret: %s",
        [ERROR_NO_SECRET] = "Secret not found: %s",
        [ERROR_CONFIG_UNSUPPORTED] = "unsupported configuration: %s",
        [ERROR_OPERATION_TIMEOUT] = "Timed out during operation: %s",
        [ERROR_MIGRATE_PERSIST_FAILED] = "Failed to make domain persistent after migration: %s",
        [ERROR_HOOK_SCRIPT_FAILED] = "Hook script execution failed: %s",
        [ERROR_INVALID_DOMAIN_SNAPSHOT] = "Invalid domain snapshot: %s",
        [ERROR_NO_DOMAIN_SNAPSHOT] = "Domain snapshot not found: %s",
        [ERROR_INVALID_STREAM] = "invalid stream pointer in %s",
        [ERROR_ARGUMENT_UNSUPPORTED] = "argument unsupported: %s",
        [ERROR_STORAGE_PROBE_FAILED] = "Storage pool probe failed: %s",
        [ERROR_STORAGE_POOL_BUILT] = "Storage pool already built: %s",
        [ERROR_SNAPSHOT_REVERT_RISKY] = "revert requires force: %s",
        [ERROR_OPERATION_ABORTED] = "operation aborted: %s",
        [ERROR_AUTH_CANCELLED] = "authentication cancelled: %s",
        [ERROR_NO_DOMAIN_METADATA] = "metadata not found: %s",
        [ERROR_MIGRATE_UNSAFE] = "Unsafe migration: %s",
        [ERROR_OVERFLOW] = "numerical overflow: %s",
        [ERROR_BLOCK_COPY_ACTIVE] = "block copy still active: %s",
        [ERROR_OPERATION_UNSUPPORTED] = "Operation not supported: %s",
        [ERROR_SSH] = "SSH transport error: %s",
        [ERROR_AGENT_UNRESPONSIVE] = "Guest agent is not responding: %s",
        [ERROR_RESOURCE_BUSY] = "resource busy: %s",
        [ERROR_ACCESS_DENIED] = "access denied: %s",
        [ERROR_DBUS_SERVICE] = "error from service: %s",
        [ERROR_STORAGE_VOL_EXIST] = "storage volume %s exists already",
        [ERROR_CPU_INCOMPATIBLE] = "the CPU is incompatible with host CPU: %s",
        [ERROR_XML_INVALID_SCHEMA] = "XML document failed to validate against schema: %s",
        [ERROR_MIGRATE_FINISH_OK] = "migration successfully aborted: %s",
        [ERROR_AUTH_UNAVAILABLE] = "authentication unavailable: %s",
        [ERROR_NO_SERVER] = "Server not found: %s",
        [ERROR_NO_CLIENT] = "Client not found: %s",
        [ERROR_AGENT_UNSYNCED] = "guest agent replied with wrong id to guest-sync command: %s",
        [ERROR_LIBSSH] = "libssh transport error: %s",
        [ERROR_DEVICE_MISSING] = "device not found: %s",
        [ERROR_INVALID_NWFILTER_BINDING] = "Invalid network filter binding: %s",
        [ERROR_NO_NWFILTER_BINDING] = "Network filter binding not found: %s",
        [ERROR_INVALID_DOMAIN_CHECKPOINT] = "Invalid domain checkpoint: %s",
        [ERROR_NO_DOMAIN_CHECKPOINT] = "Domain checkpoint not found: %s",
        [ERROR_NO_DOMAIN_BACKUP] = "Domain backup job id not found: %s",
        [ERROR_INVALID_NETWORK_PORT] = "Invalid network port pointer: %s",
        [ERROR_NETWORK_PORT_EXIST] = "network port %s exists already",
        [ERROR_NO_NETWORK_PORT] = "network port not found: %s",
        [ERROR_NO_HOSTNAME] = "no hostname found: %s",
        [ERROR_CHECKPOINT_INCONSISTENT] = "checkpoint inconsistent: %s",
        [ERROR_MULTIPLE_DOMAINS] = "multiple matching domains found: %s",
        [ERROR_NO_NETWORK_METADATA] = "metadata not found: %s",
};

GQuark error_quark(void)
{
        static gsize quark = 0;

        if (g_once_init_enter(&quark))
                g_once_init_leave(&quark, g_quark_from_static_string("virtbus"));
        return (GQuark)quark;
}

/* Makes text fit for the bus: valid UTF-8, no control characters but newline, at most max bytes. Takes text.
 */
static char *sanitize(char *text, size_t max)
{
        g_autofree char *raw = text;
        g_autofree char *valid = g_utf8_make_valid(raw, -1);
        const char *end;

        for (char *p = valid; *p; p++) {
                if (((unsigned char)*p < 0x20 && *p != '\n') || *p == 0x7f)
                        *p = '?';
        }
        if (strlen(valid) <= max)
                return g_steal_pointer(&valid);
        end = g_utf8_find_prev_char(valid, valid + max - 2);
        return g_strdup_printf("%.*s...", (int)(end - valid), valid);
}

static void set_detail(GError **error, enum error_domain from, enum error_code code, const char *detail)
{
        const char *format = NULL, *hole;
        g_autofree char *message = NULL;

        if ((size_t)code < G_N_ELEMENTS(formats))
                format = formats[code];
        if (!format)
                format = formats[ERROR_INTERNAL_ERROR];
        hole = strstr(format, "%s");
        message = g_strdup_printf("%.*s%s%s", (int)(hole - format), format, detail, hole + 2);
        message = sanitize(g_steal_pointer(&message), ERROR_MESSAGE_MAX);
        g_set_error_literal(error, ERROR_QUARK, ((int)from << CODE_BITS) | (int)code, message);
}

bool error_set(GError **error, enum error_domain from, enum error_code code, const char *format, ...)
{
        g_autofree char *detail = NULL;
        va_list args;

        va_start(args, format);
        detail = g_strdup_vprintf(format, args);
        va_end(args);
        set_detail(error, from, code, detail);
        return false;
}

bool error_set_errno(GError **error, enum error_domain from, int errnum, const char *format, ...)
{
        g_autofree char *what = NULL, *detail = NULL;
        va_list args;

        va_start(args, format);
        what = g_strdup_vprintf(format, args);
        va_end(args);
        detail = g_strdup_printf("%s: %s", what, g_strerror(errnum));
        set_detail(error, from, ERROR_SYSTEM_ERROR, detail);
        return false;
}

enum error_code error_get_code(const GError *error)
{
        if (error->domain != ERROR_QUARK)
                return ERROR_INTERNAL_ERROR;
        return (enum error_code)(error->code & ((1 << CODE_BITS) - 1));
}

enum error_domain error_get_domain(const GError *error)
{
        if (error->domain != ERROR_QUARK)
                return ERROR_FROM_NONE;
        return (enum error_domain)(error->code >> CODE_BITS);
}

bool error_is(const GError *error, enum error_code code)
{
        return error && error_get_code(error) == code;
}

char *error_quote(const char *text)
{
        size_t length = text ? strnlen(text, ERROR_QUOTE_MAX + 1) : 0;
        char *quoted = sanitize(g_strndup(text ? text : "", length), ERROR_QUOTE_MAX);

        return g_strdelimit(quoted, "\n", '?');
}

/* Of what begins with "u" (usb, unix, udp, user) all sound like "you". */
const char *error_article(const char *name)
{
        return *name && strchr("aeio", *name) ? "an" : "a";
}

char *error_list(const char *const names[])
{
        GString *list = g_string_new(names[0]);

        for (unsigned i = 1; names[0] && names[i]; i++)
                g_string_append_printf(list, "%s%s", names[i + 1] ? ", " : " or ", names[i]);
        return g_string_free(list, FALSE);
}
