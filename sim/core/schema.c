#include "sim/core/schema.h"

#include "storage/base/check.h"

#include <string.h>

static void check_table(const struct attr_table *table)
{
    struct err err = ERR_INIT;

    if (!attr_table_check(table, &err))
        check_failed("attribute table", 0, err.text);
}

void registry_add(struct registry *registry, const struct model *model)
{
    CHECK(registry->count < REGISTRY_MODELS_MAX);
    CHECK(registry_find_model(registry, span_of_text(model->name)) == NULL);
    check_table(&model->schema->state);
    check_table(&model->schema->config);
    registry->models[registry->count++] = model;
}

const struct model *registry_find_model(const struct registry *registry, struct span name)
{
    for (uint32_t i = 0; i < registry->count; i++)
        if (cbor_text_is(name, registry->models[i]->name))
            return registry->models[i];
    return NULL;
}

const struct model *registry_find_schema(const struct registry *registry, struct span name)
{
    for (uint32_t i = 0; i < registry->count; i++)
        if (cbor_text_is(name, registry->models[i]->schema->name))
            return registry->models[i];
    return NULL;
}
