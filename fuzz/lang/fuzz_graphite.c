/* Graphite: any text is a target that ends in series or an error within its budget; as a time and
 * as rules it ends in a value or an error. */
#include <stdlib.h>

#include "lang/graphite/graphite.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SERIES 6

struct fake {
    struct store_source source;
    struct data_label label[SERIES][2];
};

static struct fake fake;

struct store_selection {
    size_t count;
    size_t at[SERIES];
};

static struct data_labels labels_of(size_t i)
{
    return (struct data_labels){fake.label[i], i < 4 ? 1 : 2};
}

static int fake_select(struct store_source *src, const struct store_select_req *req,
                       struct store_selection **out, struct diag *diag)
{
    struct store_selection *s = mem_calloc(1, sizeof(*s));
    for (size_t i = 0; i < SERIES; i++) {
        bool keep = true;
        for (size_t m = 0; m < req->matcher_count && keep; m++) {
            struct slice v = data_labels_get(labels_of(i), req->matchers[m].name);
            keep = store_matcher_matches(&req->matchers[m], v.ptr ? v : SLICE(""));
        }
        if (keep)
            s->at[s->count++] = i;
    }
    (void)src;
    (void)diag;
    *out = s;
    return 0;
}

static size_t fake_count(const struct store_selection *s)
{
    return s->count;
}

static struct data_labels fake_labels(const struct store_selection *s, size_t i)
{
    return labels_of(s->at[i]);
}

static int fake_read(struct store_selection *s, size_t i, int64_t from_ns, int64_t to_ns,
                     struct store_samples *out, struct diag *diag)
{
    (void)diag;
    store_samples_reserve(out, 100, false, false);
    out->count = 0;
    out->histogram = NULL;
    for (int64_t k = 0; k < 100; k++) {
        int64_t t = (1700000000 + k * (s->at[i] == 2 ? 30 : 10)) * NS_PER_SEC;
        if (t < from_ns || t > to_ns || (k % 7 == 3 && s->at[i] == 1))
            continue;
        out->ts[out->count] = t;
        out->value[out->count++] = (double)(k * (int64_t)(s->at[i] + 1) % 17);
    }
    return 0;
}

static void fake_free(struct store_selection *s)
{
    mem_free(s);
}

static const struct store_source_ops ops = {.select = fake_select,
                                            .selection_count = fake_count,
                                            .selection_labels = fake_labels,
                                            .selection_read = fake_read,
                                            .selection_free = fake_free};

static struct graphite_index *start(void)
{
    static const char *const names[SERIES] = {"a.b.c", "a.b.d", "a.x.c", "one", "up", "up"};
    struct graphite_index *index = graphite_index_new();
    fake.source.ops = &ops;
    for (size_t i = 0; i < SERIES; i++) {
        fake.label[i][0] = (struct data_label){SLICE(DATA_METRIC_NAME), slice_cstr(names[i])};
        fake.label[i][1] = (struct data_label){SLICE("job"), i == 4 ? SLICE("p") : SLICE("q.r")};
    }
    if (graphite_index_refresh(index, &fake.source, SLICE("default"), NULL, NULL))
        abort();
    return index;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct graphite_index *index;
    struct slice text = slice_make(data, size);
    struct graphite_schemas *schemas;
    struct graphite_run *run;
    struct graphite_list list;
    struct budget memory;
    struct diag d;
    int64_t t;
    if (!index)
        index = start();
    diag_init(&d);
    budget_init(&memory, NULL, 8 << 20, "limits.query.memory");
    struct graphite_request req = {.source = &fake.source,
                                   .tenant = SLICE("default"),
                                   .index = index,
                                   .start_s = 1700000100,
                                   .end_s = 1700000400,
                                   .now_s = 1700001000,
                                   .xff = __builtin_nan(""),
                                   .points_max = 1000000,
                                   .memory = &memory};
    if (!graphite_run_targets(&req, &text, 1, &run, &list, &d)) {
        struct arena *arena = arena_new(0, NULL);
        for (size_t i = 0; i < list.len; i++) {
            struct graphite_series s = *list.items[i];
            graphite_consolidate(&s, s.start, s.end, 7, arena);
        }
        arena_free(arena);
    } else if (!d.code) {
        abort();
    }
    graphite_run_free(run);
    if (memory.used)
        abort();
    (void)graphite_time_parse(text, 1700001000, NULL, &t, NULL);
    if (!graphite_schemas_parse(text, "s", text, "a", &schemas, NULL))
        graphite_schemas_unref(schemas);
    return 0;
}
