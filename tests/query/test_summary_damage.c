/* Whatever bit of a part with summaries flips: where it is one of the summaries, long windows have
 * the very answers they had before; where it is another, series may be missing. Either way it is
 * told, and no number is wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "../store/quiet.h"
#include "answers.h"
#include "base/counter.h"
#include "base/log.h"
#include "base/mem.h"
#include "codec/bytes.h"
#include "os/sim.h"
#include "store/manifest.h"
#include "store/store.h"

#define DAY_NS        (86400 * NS_PER_SEC)
#define T0            (19700 * DAY_NS)
#define SERIES        18 /* two groups of summaries */
#define SAMPLES       2600
#define STEP_NS       (30 * NS_PER_SEC)
#define MANIFEST_KEPT "data/manifest.kept"
#define END_NS        (T0 + SAMPLES * STEP_NS)

/* Of docs/formats/part.md. */
#define HEADER            16
#define TRAILER           32
#define ENTRY             32
#define SECTION_SUMMARIES 10

static const char *const texts[] = {
    "sum_over_time(m[12h])", "increase(m[20h])",      "changes(m[9h])",
    "resets(m[21h])",        "min_over_time(m[18h])", "max_over_time(m[10h])",
};
enum { TEXTS = ARRAY_LEN(texts) };

struct world {
    struct os_sim *sim;
    struct os *os;
    struct store *store;
    char path[128], aside[144];
    char *bytes; /* the part as it was */
    size_t size;
    size_t footer, entry;        /* of the footer; of the section of summaries in it */
    size_t section, section_len; /* of the summaries */
    size_t summaries;            /* their pages begin, and end where the sections do */
    size_t body_end;
    struct answer want[TEXTS];
};

static void count_damaged(const struct counter *c, void *ctx)
{
    if (slice_eq_cstr(slice_cstr(c->name), "pharos_store_parts_damaged_total"))
        *(int64_t *)ctx += counter_get(c);
}

static int64_t damaged(void)
{
    int64_t n = 0;
    counter_each(count_damaged, &n);
    return n;
}

static void open_store(struct world *w)
{
    struct store_config config;
    struct diag diag;
    diag_init(&diag);
    store_config_init(&config);
    config.dir = "data";
    config.background = false;
    config.retention_ns = INT64_MAX;
    config.disk_reserve_bytes = 0;
    if (store_open(&config, os_sim_os(w->sim), NULL, &w->store, &diag))
        fail_msg("%s", diag.msg);
}

/* Counters, counters that begin anew, integers and decimals. */
static double value_of(uint32_t series, uint32_t i)
{
    switch (series % 4) {
    case 0: return i * (series + 1.0);
    case 1: return i % (900 + series) * 3.0;
    case 2: return (double)(hash_u64(i * 100 + series) % 1000);
    default: return (double)(hash_u64(i * 100 + series) % 1000) / 100;
    }
}

static void fill(struct world *w)
{
    struct data_metric_batch *b = data_metric_batch_new(SLICE("default"));
    for (uint32_t s = 0; s < SERIES; s++) {
        char number[16];
        snprintf(number, sizeof(number), "%u", s);
        const struct data_label l[] = {{SLICE("__name__"), SLICE("m")},
                                       {SLICE("n"), slice_cstr(number)}};
        uint32_t ref = data_metric_batch_add_series(
            b, (struct data_labels){(struct data_label *)(uintptr_t)l, 2});
        for (uint32_t i = 0; i < SAMPLES; i++)
            data_metric_batch_add_sample(b, ref, T0 + i * STEP_NS, value_of(s, i));
    }
    store_append_metrics(w->store, b, NULL, NULL);
    data_metric_batch_free(b);
    assert_int_equal(store_sync(w->store), 0);
    assert_int_equal(store_maintain(w->store, true, NULL), 0);
}

static void ask(struct world *w, size_t i, bool plain, struct answer *a)
{
    const struct query_steps steps = {
        .start_ns = END_NS - 4 * 3600 * NS_PER_SEC, .end_ns = END_NS, .step_ns = 3601 * NS_PER_SEC};
    const struct query_env env = {
        .source = store_metrics(w->store), .tenant = SLICE("default"), .plain = plain};
    answer_ask(a, texts[i], &steps, &env);
}

static void on_file(const char *name, void *ctx)
{
    struct world *w = ctx;
    if (!slice_ends_with(slice_cstr(name), SLICE(".part")))
        return;
    assert_int_equal(w->path[0], 0);
    snprintf(w->path, sizeof(w->path), "data/parts/%s", name);
    snprintf(w->aside, sizeof(w->aside), "%s.corrupt", w->path);
}

/* What lies where in the one part there is. */
static void look(struct world *w)
{
    struct os_file *f;
    uint64_t size;
    assert_int_equal(w->os->ops->list(w->os, "data/parts", on_file, w, NULL), 0);
    assert_int_equal(w->os->ops->open(w->os, w->path, OS_READ, &f, NULL), 0);
    assert_int_equal(w->os->ops->size(f, &size, NULL), 0);
    w->size = (size_t)size;
    w->bytes = mem_alloc(w->size);
    assert_int_equal(w->os->ops->read_at(f, 0, w->bytes, w->size, NULL), 0);
    w->os->ops->close(f);
    w->footer = codec_load64(w->bytes + w->size - TRAILER);
    w->body_end = w->footer;
    for (size_t at = w->footer; at < w->size - TRAILER; at += ENTRY) {
        size_t offset = codec_load64(w->bytes + at + 8);
        w->body_end = MIN(w->body_end, offset);
        if ((codec_load32(w->bytes + at) & 0xffff) == SECTION_SUMMARIES) {
            w->entry = at;
            w->section = offset;
            w->section_len = codec_load64(w->bytes + at + 16);
        }
    }
    assert_int_equal(w->section_len, 16);
    w->summaries = codec_load64(w->bytes + w->section);
    assert_true(w->summaries < w->body_end);
}

static struct world *begin(void)
{
    struct world *w = mem_calloc(1, sizeof(*w));
    w->sim = os_sim_new(3);
    w->os = os_sim_os(w->sim);
    os_sim_set_now(w->sim, END_NS);
    open_store(w);
    fill(w);
    for (size_t i = 0; i < TEXTS; i++) {
        struct answer fast;
        ask(w, i, true, &w->want[i]);
        ask(w, i, false, &fast);
        assert_int_equal(w->want[i].result.series_count, SERIES);
        answer_compare(&w->want[i], &fast, 0);
        answer_free(&fast);
    }
    store_close(w->store);
    assert_int_equal(w->os->ops->link(w->os, "data/MANIFEST", MANIFEST_KEPT, NULL), 0);
    look(w);
    return w;
}

static void end(struct world *w)
{
    for (size_t i = 0; i < TEXTS; i++)
        answer_free(&w->want[i]);
    os_sim_free(w->sim);
    mem_free(w->bytes);
    mem_free(w);
}

/* The store as it is now, asked everything. Gives how many series were missing. */
static size_t ask_all(struct world *w, unsigned also, int64_t *at_open, int64_t *told)
{
    struct os_stat st;
    size_t missing = 0;
    int64_t before = damaged();
    open_store(w);
    *at_open = damaged() - before;
    for (size_t i = 0; i < TEXTS; i++) {
        struct answer got;
        ask(w, i, false, &got);
        answer_compare(&w->want[i], &got, also);
        missing += SERIES - got.result.series_count;
        answer_free(&got);
    }
    *told = damaged() - before;
    assert_int_equal(!w->os->ops->stat(w->os, w->aside, &st, NULL), *told > 0);
    store_close(w->store);
    /* As if it had not been found. */
    if (w->os->ops->stat(w->os, w->path, &st, NULL))
        assert_int_equal(w->os->ops->rename(w->os, w->aside, w->path, NULL), 0);
    else if (*told)
        assert_int_equal(w->os->ops->unlink(w->os, w->aside, NULL), 0);
    assert_int_equal(w->os->ops->unlink(w->os, "data/MANIFEST", NULL), 0);
    assert_int_equal(w->os->ops->link(w->os, MANIFEST_KEPT, "data/MANIFEST", NULL), 0);
    return missing;
}

enum place { SAMPLES_PAGE, SUMMARIES_PAGE, SUMMARIES_SECTION, DIRECTORY, PLACES };

static enum place place_of(const struct world *w, size_t at)
{
    if (at >= HEADER && at < w->body_end)
        return at < w->summaries ? SAMPLES_PAGE : SUMMARIES_PAGE;
    return at >= w->section && at < w->section + w->section_len ? SUMMARIES_SECTION : DIRECTORY;
}

static void any_bit_may_flip(void **state)
{
    (void)state;
    struct world *w = begin();
    int64_t at_open, told;
    size_t flips[PLACES] = {0};
    assert_int_equal(ask_all(w, 0, &at_open, &told), 0);
    assert_int_equal(told, 0);
    for (size_t at = 0; at<w->size; at += at> HEADER && at + 499 < w->summaries ? 499 : 1) {
        enum place place = place_of(w, at);
        bool whole = place == SUMMARIES_PAGE || place == SUMMARIES_SECTION;
        assert_true(os_sim_flip(w->sim, w->path, at, at % 8));
        size_t missing = ask_all(w, whole ? 0 : ANSWER_MAY_MISS, &at_open, &told);
        assert_true(os_sim_flip(w->sim, w->path, at, at % 8));
        bool looked_at_first = place == SUMMARIES_SECTION || place == DIRECTORY;
        if (told != 1 || at_open != looked_at_first || (missing > 0) == whole)
            fail_msg("byte %zu: %zu series are missing, told %d times, %d of them at the start", at,
                     missing, (int)told, (int)at_open);
        flips[place]++;
    }
    assert_int_equal(ask_all(w, 0, &at_open, &told), 0);
    assert_int_equal(told, 0);
    assert_int_equal(flips[SUMMARIES_SECTION], 16);
    assert_true(flips[SAMPLES_PAGE] > 20 && flips[SUMMARIES_PAGE] > 200 && flips[DIRECTORY] > 100);
    end(w);
}

/* Writes the part as `bytes` are, with the checksums that make it whole, and names it so. */
static void put_part(struct world *w, char *bytes)
{
    struct store_manifest m = {0};
    struct os_file *f;
    uint64_t seed = codec_load64(bytes + 8);
    char *entry = bytes + w->entry, *trailer = bytes + w->size - TRAILER;
    codec_store64(entry + 24, hash64(bytes + codec_load64(entry + 8), codec_load64(entry + 16),
                                     seed ^ SECTION_SUMMARIES));
    uint64_t sum =
        hash64(bytes + w->footer, w->size - TRAILER - w->footer, seed ^ (uint64_t)w->footer);
    codec_store64(trailer + 16, sum);
    assert_int_equal(w->os->ops->open(w->os, w->path, OS_WRITE, &f, NULL), 0);
    assert_int_equal(w->os->ops->write_at(f, 0, bytes, w->size, NULL), 0);
    w->os->ops->close(f);
    assert_int_equal(store_manifest_load(w->os, "data", &m, NULL), 0);
    assert_int_equal(m.parts.len, 1);
    m.parts.items[0].footer_sum = sum;
    assert_int_equal(store_manifest_save(w->os, "data", &m, NULL), 0);
    store_manifest_free(&m);
}

/* Sound as to its checksum, and yet not what the series need: cut short, or pointing elsewhere. */
static void a_section_may_lie(void **state)
{
    (void)state;
    struct world *w = begin();
    char *bytes = mem_alloc(w->size);
    int64_t at_open, told;
    for (size_t len = 1; len < w->section_len; len++) {
        memcpy(bytes, w->bytes, w->size);
        codec_store64(bytes + w->entry + 16, len);
        put_part(w, bytes);
        assert_int_equal(ask_all(w, 0, &at_open, &told), 0);
        assert_true(at_open == 1 && told == 1);
    }
    const uint64_t elsewhere[] = {0, HEADER - 1, w->body_end, w->size, UINT64_MAX};
    for (size_t i = 0; i < ARRAY_LEN(elsewhere) * 2; i++) {
        memcpy(bytes, w->bytes, w->size);
        codec_store64(bytes + w->section + i % 2 * 8, elsewhere[i / 2]);
        put_part(w, bytes);
        assert_int_equal(ask_all(w, 0, &at_open, &told), 0);
        assert_true(at_open == 0 && told == 1);
    }
    mem_free(bytes);
    end(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_bit_may_flip),
        cmocka_unit_test(a_section_may_lie),
    };
    log_set_writer(drop_line, NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
