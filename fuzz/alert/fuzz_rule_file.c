/* Rule files: whatever is taken is evaluated once over nothing. */
#include "alert/group.h"
#include "store/memory.h"

static void drop(struct pipe_sink *sink, const struct data_metric_batch *batch, pipe_ack_fn ack,
                 void *ctx)
{
    (void)sink;
    (void)batch;
    if (ack)
        ack(ctx, 0, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 4000)
        return 0;
    struct alert_rules *rules = mem_calloc(1, sizeof(*rules));
    struct alert_rules_options options = {.promql = {.experimental = true}};
    struct pipe_sink sink = {.metrics = drop};
    struct store_memory *memory = store_memory_new();
    struct alert_env env = {.source = store_memory_face(memory),
                            .sink = &sink,
                            .tenant = SLICE("default"),
                            .samples_max = 1000,
                            .query_memory_bytes = 10 << 20,
                            .external_url = ""};
    alert_group_list groups = {0};
    struct text_yaml *root = NULL;
    rules->arena = arena_new(0, NULL);
    atomic_init(&rules->refs, 1);
    if (!text_yaml_parse(slice_make(data, size), rules->arena, &root, NULL))
        alert_rules_read("f", root, &options, rules->arena, &groups, NULL, NULL);
    rules->groups = arena_dup(rules->arena, groups.items, groups.len * sizeof(*groups.items));
    rules->group_count = groups.len;
    vec_free(&groups);
    for (size_t i = 0; i < rules->group_count; i++) {
        struct alert_group *g = alert_group_new(rules, &rules->groups[i]);
        alert_group_set_restored(g);
        alert_group_eval(g, &env, 1000 * NS_PER_SEC, NULL, NULL);
        alert_group_free(g);
    }
    alert_rules_free(rules);
    store_memory_free(memory);
    return 0;
}
