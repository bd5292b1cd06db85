/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Definitions of storage pools: comparing and freeing. Any thread. */
#include "drivers/storage/pool-def.h"

#include <string.h>

static void adapter_clear(struct pool_adapter *adapter)
{
        g_free(adapter->name);
        g_free(adapter->parent);
        g_free(adapter->parent_wwnn);
        g_free(adapter->parent_wwpn);
        g_free(adapter->parent_fabric);
        g_free(adapter->wwnn);
        g_free(adapter->wwpn);
        g_free(adapter->parent_address);
}

void pool_source_clear(struct pool_source *source)
{
        for (unsigned i = 0; i < source->n_hosts; i++)
                g_free(source->hosts[i].name);
        g_free(source->hosts);
        for (unsigned i = 0; i < source->n_devices; i++)
                g_free(source->devices[i].path);
        g_free(source->devices);
        g_free(source->dir);
        g_free(source->name);
        g_free(source->initiator);
        g_free(source->vendor);
        g_free(source->product);
        g_free(source->format);
        g_free(source->protocol);
        adapter_clear(&source->adapter);
        g_free(source->auth.username);
        secret_ref_clear(&source->auth.secret);
        *source = (struct pool_source){ 0 };
}

static void free_options(struct pool_option *options, unsigned count)
{
        for (unsigned i = 0; i < count; i++) {
                g_free(options[i].name);
                g_free(options[i].value);
        }
        g_free(options);
}

void pool_def_free(struct definition *definition)
{
        struct pool_def *def = pool_def_of(definition);

        pool_source_clear(&def->source);
        g_free(def->path);
        g_free(def->directory);
        g_free(def->permissions.label);
        free_options(def->mount_options, def->n_mount_options);
        free_options(def->config_options, def->n_config_options);
        definition_clear(definition);
        g_free(def);
}

char *pool_def_format(const struct pool_def *def, const struct pool_numbers *numbers)
{
        const char *rest = def->base.xml + def->numbers;

        /* Behind the three lines with zeros. */
        for (unsigned i = 0; i < 3; i++)
                rest = strchr(rest, '\n') + 1;
        return g_strdup_printf("%.*s  <capacity unit='bytes'>%" G_GUINT64_FORMAT "</capacity>\n"
                               "  <allocation unit='bytes'>%" G_GUINT64_FORMAT "</allocation>\n"
                               "  <available unit='bytes'>%" G_GUINT64_FORMAT "</available>\n%s",
                               (int)def->numbers, def->base.xml, numbers->capacity, numbers->allocation,
                               numbers->available, rest);
}

/* ---- the same storage? ---- */

static bool shares_host(const struct pool_source *a, const struct pool_source *b)
{
        for (unsigned i = 0; i < a->n_hosts; i++) {
                for (unsigned j = 0; j < b->n_hosts; j++) {
                        if (strcmp(a->hosts[i].name, b->hosts[j].name) == 0)
                                return true;
                }
        }
        return a->n_hosts == 0 && b->n_hosts == 0;
}

static bool shares_device(const struct pool_source *a, const struct pool_source *b)
{
        for (unsigned i = 0; i < a->n_devices; i++) {
                for (unsigned j = 0; j < b->n_devices; j++) {
                        if (strcmp(a->devices[i].path, b->devices[j].path) == 0)
                                return true;
                }
        }
        return false;
}

static bool is_same_adapter(const struct pool_adapter *a, const struct pool_adapter *b)
{
        if (a->type != b->type)
                return false;
        if (a->type == POOL_ADAPTER_FC_HOST)
                return strcmp(a->wwnn, b->wwnn) == 0 && strcmp(a->wwpn, b->wwpn) == 0;
        return g_strcmp0(a->name, b->name) == 0 && g_strcmp0(a->parent_address, b->parent_address) == 0 &&
               a->unique_id == b->unique_id;
}

static bool is_on_device(enum pool_type type)
{
        return type == POOL_FS || type == POOL_LOGICAL || type == POOL_DISK || type == POOL_ZFS;
}

static bool is_directory(enum pool_type type)
{
        return type == POOL_DIR || type == POOL_FS || type == POOL_NETFS;
}

bool pool_def_is_same_storage(const struct pool_def *a, const struct pool_def *b)
{
        const struct pool_source *left = &a->source, *right = &b->source;

        /* A disk belongs to one pool, whatever its type. */
        if (is_on_device(a->type) && is_on_device(b->type) && shares_device(left, right))
                return true;
        /* So does a directory: its files would be volumes of both, with the same keys. */
        if (is_directory(a->type) && is_directory(b->type) && strcmp(a->path, b->path) == 0)
                return true;
        if (a->type != b->type)
                return false;
        switch (a->type) {
        case POOL_NETFS:
                return shares_host(left, right) && strcmp(left->dir, right->dir) == 0;
        case POOL_LOGICAL:
        case POOL_ZFS:
        case POOL_VSTORAGE:
                return strcmp(left->name, right->name) == 0;
        case POOL_RBD:
        case POOL_SHEEPDOG:
                return shares_host(left, right) && strcmp(left->name, right->name) == 0;
        case POOL_GLUSTER:
                return shares_host(left, right) && strcmp(left->name, right->name) == 0 &&
                       g_strcmp0(left->dir, right->dir) == 0;
        case POOL_ISCSI:
        case POOL_ISCSI_DIRECT:
                return shares_host(left, right) && shares_device(left, right) &&
                       g_strcmp0(left->initiator, right->initiator) == 0;
        case POOL_SCSI:
                return is_same_adapter(&left->adapter, &right->adapter);
        case POOL_MPATH:
                return true; /* there is one per host */
        case POOL_DIR:
        case POOL_FS:
        case POOL_DISK:
        case POOL_TYPE_COUNT:
                break;
        }
        return false;
}
