/* Parts of events: the file's bytes as they are. Checksums match when fuzzing, so that everything
 * behind them is read: streams, fields, groups, columns, values, counts, filters. */
#include <stdint.h>
#include <stdlib.h>

#include "base/hash.h"
#include "os/sim.h"
#include "store/event/part.h"
#include "store/event/split.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t seen;

static void read_column(const struct store_group *g, size_t i, const struct store_column *spans,
                        struct arena *arena)
{
    struct store_column c;
    if (store_group_column(g, i, spans, &c))
        return;
    for (uint32_t row = 0; row < c.total; row++) {
        struct data_value v;
        if (row % 64 == 0)
            arena_reset(arena);
        if (store_column_get(&c, row, arena, &v))
            break;
        /* Every byte of it can be read. */
        if (data_value_has_text(v.kind))
            seen += hash64(v.text.ptr, v.text.len, 0);
    }
    if (c.form == STORE_COLUMN_SPLIT) {
        uint32_t *values = mem_alloc(c.present * sizeof(*values));
        bool *found = mem_calloc(c.present, sizeof(*found));
        for (uint32_t k = 0; k < c.present; k++)
            values[k] = k;
        store_split_find(&c, SLICE("lv\":\"info"), values, c.present, found);
        store_split_find(&c, SLICE("0"), values, c.present, found);
        mem_free(values);
        mem_free(found);
    }
    store_column_free(&c);
}

static void read_group(const struct store_event_part *p, size_t i, struct arena *arena)
{
    struct store_group g;
    if (store_group_open(p, i, &g))
        return;
    int64_t *ts = mem_alloc(g.entry.rows * sizeof(*ts));
    store_group_times(&g, ts);
    mem_free(ts);
    struct store_column spans = {0};
    size_t span = store_group_find(&g, DATA_EVENT_SPAN_ID);
    if (span != SIZE_MAX && store_group_column(&g, span, NULL, &spans))
        spans = (struct store_column){0};
    for (size_t k = 0; k < g.all_count; k++)
        read_column(&g, k, spans.total ? &spans : NULL, arena);
    store_column_free(&spans);
    for (size_t k = 0; k < g.table_count; k++) {
        uint32_t *owners = mem_alloc(g.tables[k].rows * sizeof(*owners));
        if (!store_group_owners(&g, &g.tables[k], owners))
            seen += store_group_first_of(owners, g.tables[k].rows, 3);
        mem_free(owners);
        for (size_t c = g.tables[k].first; c < g.tables[k].end; c++) {
            uint32_t intrinsic;
            seen += store_group_child_field(&g, &g.tables[k], c, &intrinsic).name.len;
        }
    }
    store_tally_list tallies = {0};
    store_group_tally(&g, &tallies);
    vec_free(&tallies);
    struct store_filter_probe probe = {0};
    bool damaged;
    store_filter_probe_contains(&probe, SLICE("a needle 0123456789abcdef"));
    store_filter_probe_id(&probe, store_filter_field(SLICE("trace_id")), SLICE("0123456789abcdef"));
    store_event_part_may_have(p, &g.entry, &probe, &damaged);
    store_filter_probe_deinit(&probe);
    store_group_close(&g);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct os_sim *sim = os_sim_new(1);
    struct os *os = os_sim_os(sim);
    struct os_file *f;
    if (os->ops->open(os, "d/p", OS_READ | OS_WRITE | OS_CREATE, &f, NULL))
        abort();
    os->ops->write_at(f, 0, data, size, NULL);
    os->ops->close(f);
    struct store_event_part *p;
    struct store_event_part_info info = {.table = size > 40 && data[8] & 1 ? DATA_EVENT_SPANS
                                                                           : DATA_EVENT_LOGS};
    if (!store_event_part_open(os, "d/p", &info, &p, NULL)) {
        struct arena *arena = arena_new(0, NULL);
        for (size_t i = 0; i * STORE_STREAM_PAGE < store_event_part_stream_count(p) && i < 100;
             i++) {
            struct store_part_stream *s;
            size_t n;
            arena_reset(arena);
            if (store_event_part_streams(p, i, arena, &s, &n))
                break;
        }
        for (size_t i = 0; i < store_event_part_group_count(p) && i < 100; i++)
            read_group(p, i, arena);
        for (int by_stream = 0; by_stream < 2; by_stream++) {
            store_tally_list list = {0};
            bool known;
            store_event_part_tallies(p, by_stream, &list, &known);
            vec_free(&list);
        }
        arena_free(arena);
        store_event_part_unref(p);
    }
    os_sim_free(sim);
    return 0;
}
