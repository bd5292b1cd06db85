/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Errors of the agent: a GError whose code carries libvirt's error number and the number of the part of the
 * agent it comes from (virErrorNumber and virErrorDomain of libvirt's API), and whose message is a finished
 * sentence that begins with the standard phrase of that number.
 *
 *     return error_set(error, ERROR_FROM_QEMU, ERROR_OPERATION_INVALID, "domain '%s' is not running", name);
 *
 * gives "Requested operation is not valid: domain 'web' is not running". The sentence is made once, where the
 * failure happens; nobody re-words it on the way up. Any thread.
 */

#include <glib.h>
#include <stdbool.h>

/* Longest message in bytes; a longer one is cut at a character boundary and ends in "...". */
#define ERROR_MESSAGE_MAX 1024
/* Longest piece of foreign input quoted in a message, in bytes; see error_quote(). */
#define ERROR_QUOTE_MAX 80

/* Numbers of virErrorNumber (libvirt API reference, libvirt-virterror). */
enum error_code {
        ERROR_OK = 0,
        ERROR_INTERNAL_ERROR = 1,
        ERROR_NO_MEMORY = 2,
        ERROR_NO_SUPPORT = 3,
        ERROR_UNKNOWN_HOST = 4,
        ERROR_NO_CONNECT = 5,
        ERROR_INVALID_CONN = 6,
        ERROR_INVALID_DOMAIN = 7,
        ERROR_INVALID_ARG = 8,
        ERROR_OPERATION_FAILED = 9,
        ERROR_GET_FAILED = 10,
        ERROR_POST_FAILED = 11,
        ERROR_HTTP_ERROR = 12,
        ERROR_SEXPR_SERIAL = 13,
        ERROR_NO_XEN = 14,
        ERROR_XEN_CALL = 15,
        ERROR_OS_TYPE = 16,
        ERROR_NO_KERNEL = 17,
        ERROR_NO_ROOT = 18,
        ERROR_NO_SOURCE = 19,
        ERROR_NO_TARGET = 20,
        ERROR_NO_NAME = 21,
        ERROR_NO_OS = 22,
        ERROR_NO_DEVICE = 23,
        ERROR_NO_XENSTORE = 24,
        ERROR_DRIVER_FULL = 25,
        ERROR_CALL_FAILED = 26,
        ERROR_XML_ERROR = 27,
        ERROR_DOM_EXIST = 28,
        ERROR_OPERATION_DENIED = 29,
        ERROR_OPEN_FAILED = 30,
        ERROR_READ_FAILED = 31,
        ERROR_PARSE_FAILED = 32,
        ERROR_CONF_SYNTAX = 33,
        ERROR_WRITE_FAILED = 34,
        ERROR_XML_DETAIL = 35,
        ERROR_INVALID_NETWORK = 36,
        ERROR_NETWORK_EXIST = 37,
        ERROR_SYSTEM_ERROR = 38,
        ERROR_RPC = 39,
        ERROR_GNUTLS_ERROR = 40,
        ERROR_NO_DOMAIN = 42,
        ERROR_NO_NETWORK = 43,
        ERROR_INVALID_MAC = 44,
        ERROR_AUTH_FAILED = 45,
        ERROR_INVALID_STORAGE_POOL = 46,
        ERROR_INVALID_STORAGE_VOL = 47,
        ERROR_NO_STORAGE_POOL = 49,
        ERROR_NO_STORAGE_VOL = 50,
        ERROR_INVALID_NODE_DEVICE = 52,
        ERROR_NO_NODE_DEVICE = 53,
        ERROR_NO_SECURITY_MODEL = 54,
        ERROR_OPERATION_INVALID = 55,
        ERROR_NO_INTERFACE = 57,
        ERROR_INVALID_INTERFACE = 58,
        ERROR_MULTIPLE_INTERFACES = 59,
        ERROR_INVALID_NWFILTER = 61,
        ERROR_NO_NWFILTER = 62,
        ERROR_BUILD_FIREWALL = 63,
        ERROR_INVALID_SECRET = 65,
        ERROR_NO_SECRET = 66,
        ERROR_CONFIG_UNSUPPORTED = 67,
        ERROR_OPERATION_TIMEOUT = 68,
        ERROR_MIGRATE_PERSIST_FAILED = 69,
        ERROR_HOOK_SCRIPT_FAILED = 70,
        ERROR_INVALID_DOMAIN_SNAPSHOT = 71,
        ERROR_NO_DOMAIN_SNAPSHOT = 72,
        ERROR_INVALID_STREAM = 73,
        ERROR_ARGUMENT_UNSUPPORTED = 74,
        ERROR_STORAGE_PROBE_FAILED = 75,
        ERROR_STORAGE_POOL_BUILT = 76,
        ERROR_SNAPSHOT_REVERT_RISKY = 77,
        ERROR_OPERATION_ABORTED = 78,
        ERROR_AUTH_CANCELLED = 79,
        ERROR_NO_DOMAIN_METADATA = 80,
        ERROR_MIGRATE_UNSAFE = 81,
        ERROR_OVERFLOW = 82,
        ERROR_BLOCK_COPY_ACTIVE = 83,
        ERROR_OPERATION_UNSUPPORTED = 84,
        ERROR_SSH = 85,
        ERROR_AGENT_UNRESPONSIVE = 86,
        ERROR_RESOURCE_BUSY = 87,
        ERROR_ACCESS_DENIED = 88,
        ERROR_DBUS_SERVICE = 89,
        ERROR_STORAGE_VOL_EXIST = 90,
        ERROR_CPU_INCOMPATIBLE = 91,
        ERROR_XML_INVALID_SCHEMA = 92,
        ERROR_MIGRATE_FINISH_OK = 93,
        ERROR_AUTH_UNAVAILABLE = 94,
        ERROR_NO_SERVER = 95,
        ERROR_NO_CLIENT = 96,
        ERROR_AGENT_UNSYNCED = 97,
        ERROR_LIBSSH = 98,
        ERROR_DEVICE_MISSING = 99,
        ERROR_INVALID_NWFILTER_BINDING = 100,
        ERROR_NO_NWFILTER_BINDING = 101,
        ERROR_INVALID_DOMAIN_CHECKPOINT = 102,
        ERROR_NO_DOMAIN_CHECKPOINT = 103,
        ERROR_NO_DOMAIN_BACKUP = 104,
        ERROR_INVALID_NETWORK_PORT = 105,
        ERROR_NETWORK_PORT_EXIST = 106,
        ERROR_NO_NETWORK_PORT = 107,
        ERROR_NO_HOSTNAME = 108,
        ERROR_CHECKPOINT_INCONSISTENT = 109,
        ERROR_MULTIPLE_DOMAINS = 110,
        ERROR_NO_NETWORK_METADATA = 111,
};

/* Numbers of virErrorDomain: the part of the agent that an error comes from. */
enum error_domain {
        ERROR_FROM_NONE = 0,
        ERROR_FROM_XEN = 1,
        ERROR_FROM_XEND = 2,
        ERROR_FROM_XENSTORE = 3,
        ERROR_FROM_SEXPR = 4,
        ERROR_FROM_XML = 5,
        ERROR_FROM_DOM = 6,
        ERROR_FROM_RPC = 7,
        ERROR_FROM_PROXY = 8,
        ERROR_FROM_CONF = 9,
        ERROR_FROM_QEMU = 10,
        ERROR_FROM_NET = 11,
        ERROR_FROM_TEST = 12,
        ERROR_FROM_REMOTE = 13,
        ERROR_FROM_OPENVZ = 14,
        ERROR_FROM_XENXM = 15,
        ERROR_FROM_STATS_LINUX = 16,
        ERROR_FROM_LXC = 17,
        ERROR_FROM_STORAGE = 18,
        ERROR_FROM_NETWORK = 19,
        ERROR_FROM_DOMAIN = 20,
        ERROR_FROM_UML = 21,
        ERROR_FROM_NODEDEV = 22,
        ERROR_FROM_XEN_INOTIFY = 23,
        ERROR_FROM_SECURITY = 24,
        ERROR_FROM_VBOX = 25,
        ERROR_FROM_INTERFACE = 26,
        ERROR_FROM_ONE = 27,
        ERROR_FROM_ESX = 28,
        ERROR_FROM_PHYP = 29,
        ERROR_FROM_SECRET = 30,
        ERROR_FROM_CPU = 31,
        ERROR_FROM_XENAPI = 32,
        ERROR_FROM_NWFILTER = 33,
        ERROR_FROM_HOOK = 34,
        ERROR_FROM_DOMAIN_SNAPSHOT = 35,
        ERROR_FROM_AUDIT = 36,
        ERROR_FROM_SYSINFO = 37,
        ERROR_FROM_STREAMS = 38,
        ERROR_FROM_VMWARE = 39,
        ERROR_FROM_EVENT = 40,
        ERROR_FROM_LIBXL = 41,
        ERROR_FROM_LOCKING = 42,
        ERROR_FROM_HYPERV = 43,
        ERROR_FROM_CAPABILITIES = 44,
        ERROR_FROM_URI = 45,
        ERROR_FROM_AUTH = 46,
        ERROR_FROM_DBUS = 47,
        ERROR_FROM_PARALLELS = 48,
        ERROR_FROM_DEVICE = 49,
        ERROR_FROM_SSH = 50,
        ERROR_FROM_LOCKSPACE = 51,
        ERROR_FROM_INITCTL = 52,
        ERROR_FROM_IDENTITY = 53,
        ERROR_FROM_CGROUP = 54,
        ERROR_FROM_ACCESS = 55,
        ERROR_FROM_SYSTEMD = 56,
        ERROR_FROM_BHYVE = 57,
        ERROR_FROM_CRYPTO = 58,
        ERROR_FROM_FIREWALL = 59,
        ERROR_FROM_POLKIT = 60,
        ERROR_FROM_THREAD = 61,
        ERROR_FROM_ADMIN = 62,
        ERROR_FROM_LOGGING = 63,
        ERROR_FROM_XENXL = 64,
        ERROR_FROM_PERF = 65,
        ERROR_FROM_LIBSSH = 66,
        ERROR_FROM_RESCTRL = 67,
        ERROR_FROM_FIREWALLD = 68,
        ERROR_FROM_DOMAIN_CHECKPOINT = 69,
        ERROR_FROM_TPM = 70,
        ERROR_FROM_BPF = 71,
        ERROR_FROM_CH = 72,
};

GQuark error_quark(void);
#define ERROR_QUARK error_quark()

/*
 * Sets *error (which may be NULL) and returns false, so that a failing function can end in `return
 * error_set(...)`. The format describes what failed, with the object's name in it, and does not repeat the
 * standard phrase. Control characters are replaced by '?' and invalid UTF-8 is repaired: the result can
 * always travel on the bus.
 */
bool error_set(GError **error, enum error_domain from, enum error_code code, const char *format, ...)
        G_GNUC_PRINTF(4, 5);

/*
 * The same for a failed system call: "<what failed>: <strerror(errnum)>", as ERROR_SYSTEM_ERROR; errnum as in
 * errno.
 */
bool error_set_errno(GError **error, enum error_domain from, int errnum, const char *format, ...)
        G_GNUC_PRINTF(4, 5);

/* The two halves of the code of an error made here; a GError from elsewhere counts as an internal error. */
enum error_code error_get_code(const GError *error);
enum error_domain error_get_domain(const GError *error);
bool error_is(const GError *error, enum error_code code);

/*
 * A printable copy of foreign text for a message: at most ERROR_QUOTE_MAX bytes, cut with "..."; NULL gives
 * "".
 */
char *error_quote(const char *text) G_GNUC_WARN_UNUSED_RESULT;
/* "a" or "an", for a sentence that puts it before a name of the format: "interface", "ide". */
const char *error_article(const char *name);
/* "a, b or c" of a NULL-terminated list, for what was expected; free it. */
char *error_list(const char *const names[]) G_GNUC_WARN_UNUSED_RESULT;
