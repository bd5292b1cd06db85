/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a <cpu> that follows the host stands for on this one. Values only; any thread.
 */
#include "drivers/qemu/host-cpu-xml.h"

#include "base/xml.h"

#include <string.h>

static bool names(const struct domain_cpu *cpu, const char *feature)
{
        for (unsigned i = 0; i < cpu->n_features; i++) {
                if (strcmp(cpu->features[i].name, feature) == 0)
                        return true;
        }
        return false;
}

static void set_model(xmlNode *cpu, const struct qemu_host_model *host)
{
        xmlNode *model = xml_child(cpu, "model");

        if (!model)
                model = xml_add(cpu, "model");
        xml_set_text(model, host->model);
        if (!xml_has_attr(model, "fallback"))
                xml_set_attr(model, "fallback", "allow");
        if (host->vendor && !xml_child(cpu, "vendor"))
                xml_add_text(cpu, "vendor", host->vendor);
}

char *host_cpu_expand(const struct domain_def *def, const struct qemu_host_model *host, GError **error)
{
        static const char *const order[] = { "model",       "vendor",  "topology", "cache",
                                             "maxphysaddr", "feature", "numa",     NULL };
        g_autoptr(xmlDoc) doc = xml_parse(def->base.xml, "domain", error);
        xmlNode *cpu = doc ? xml_child(xml_root(doc), "cpu") : NULL;

        if (!cpu)
                return NULL;
        xml_set_attr(cpu, "mode", "custom");
        xml_set_attr(cpu, "match", "exact");
        xml_set_attr(cpu, "check", "partial");
        set_model(cpu, host);
        for (unsigned i = 0; i < host->n_features; i++) {
                xmlNode *feature;

                if (names(&def->cpu, host->features[i].name))
                        continue;
                feature = xml_add(cpu, "feature");
                xml_set_attr(feature, "policy", host->features[i].enabled ? "require" : "disable");
                xml_set_attr(feature, "name", host->features[i].name);
        }
        xml_order_children(cpu, order);
        return xml_write(doc, cpu);
}
