/* The manifest, and what damage to it and to parts does to a store. */
#include "os/sim.h"
#include "store/manifest.h"
#include "store/store.h"

#include <setjmp.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/counter.h"
#include "base/log.h"
#include "quiet.h"

#define START_NS (1700000000 * NS_PER_SEC)
#define SERIES   3
#define SAMPLES  40

static void fill(struct store_manifest *m)
{
    *m = (struct store_manifest){.wal_low_water = 7, .next_id = 9};
    for (uint64_t i = 0; i < 3; i++)
        vec_push(&m->parts, ((struct store_part_info){.id = i,
                                                      .order = i + 10,
                                                      .level = 2,
                                                      .day = -(int64_t)i,
                                                      .t_min_ns = INT64_MIN,
                                                      .t_max_ns = INT64_MAX,
                                                      .series = 5,
                                                      .samples = 6,
                                                      .bytes = 7,
                                                      .footer_sum = UINT64_MAX}));
    buf_append_cstr(&m->metadata, "some words");
}

static void assert_is(const struct store_manifest *m)
{
    struct store_manifest want;
    fill(&want);
    assert_int_equal(m->edit, 1);
    assert_int_equal(m->wal_low_water, want.wal_low_water);
    assert_int_equal(m->next_id, want.next_id);
    assert_int_equal(m->parts.len, want.parts.len);
    for (size_t i = 0; i < want.parts.len; i++) {
        /* Field by field: what lies between them is nobody's. */
        const struct store_part_info *a = &m->parts.items[i], *b = &want.parts.items[i];
        assert_true(a->id == b->id && a->order == b->order && a->level == b->level);
        assert_true(a->day == b->day && a->t_min_ns == b->t_min_ns && a->t_max_ns == b->t_max_ns);
        assert_true(a->series == b->series && a->samples == b->samples && a->bytes == b->bytes);
        assert_true(a->footer_sum == b->footer_sum);
    }
    assert_true(slice_eq(buf_slice(&m->metadata), buf_slice(&want.metadata)));
    store_manifest_free(&want);
}

static void one_damaged_copy_is_survived(void **state)
{
    (void)state;
    struct os_sim *sim = os_sim_new(1);
    struct os *os = os_sim_os(sim);
    struct store_manifest m;
    struct diag d;
    os->ops->mkdir(os, "d", NULL);
    assert_int_equal(store_manifest_load(os, "d", &m, NULL), ERR_NOT_FOUND);
    fill(&m);
    assert_int_equal(store_manifest_save(os, "d", &m, NULL), 0);
    store_manifest_free(&m);
    struct os_stat st;
    assert_int_equal(os->ops->stat(os, "d/MANIFEST", &st, NULL), 0);
    for (uint64_t byte = 0; byte < st.size; byte++) {
        assert_true(os_sim_flip(sim, "d/MANIFEST", byte, byte % 8));
        assert_int_equal(store_manifest_load(os, "d", &m, NULL), 0);
        assert_is(&m);
        store_manifest_free(&m);
        /* The other copy too, elsewhere: refused with words. */
        uint64_t other = (byte + st.size / 2 + 3) % st.size;
        if ((other < st.size / 2) != (byte < st.size / 2)) {
            diag_init(&d);
            os_sim_flip(sim, "d/MANIFEST", other, 1);
            assert_int_equal(store_manifest_load(os, "d", &m, &d), ERR_CORRUPT);
            assert_non_null(strstr(d.msg, "backup"));
            store_manifest_free(&m);
            os_sim_flip(sim, "d/MANIFEST", other, 1);
        }
        os_sim_flip(sim, "d/MANIFEST", byte, byte % 8);
    }
    struct os_file *f;
    assert_int_equal(os->ops->open(os, "d/MANIFEST", OS_READ | OS_WRITE, &f, NULL), 0);
    while (st.size--) {
        os->ops->truncate(f, st.size, NULL);
        assert_int_equal(store_manifest_load(os, "d", &m, NULL), ERR_CORRUPT);
        store_manifest_free(&m);
    }
    os->ops->close(f);
    os_sim_free(sim);
}

/* --- a small store --- */

static int open_store(struct os_sim *sim, struct store **out, struct diag *diag)
{
    struct store_config config;
    diag_init(diag);
    store_config_init(&config);
    config.dir = "data";
    config.background = false;
    config.shard_count = 1;
    config.retention_ns = INT64_MAX;
    config.future_ns = INT64_MAX;
    config.disk_reserve_bytes = 0;
    return store_open(&config, os_sim_os(sim), NULL, out, diag);
}

static double value_of(int series, int sample)
{
    return series * 1000 + sample * sample;
}

static struct os_sim *small_store(void)
{
    struct os_sim *sim = os_sim_new(1);
    struct store *s;
    struct diag d;
    os_sim_set_now(sim, START_NS);
    assert_int_equal(open_store(sim, &s, &d), 0);
    struct data_metric_batch *b = data_metric_batch_new(SLICE("default"));
    for (int i = 0; i < SERIES; i++) {
        char name[] = {(char)('0' + i), '\0'};
        struct data_label labels[] = {{SLICE("__name__"), SLICE("m")},
                                      {SLICE("n"), slice_cstr(name)}};
        uint32_t index = data_metric_batch_add_series(b, (struct data_labels){labels, 2});
        for (int k = 0; k < SAMPLES; k++)
            data_metric_batch_add_sample(b, index, START_NS + k * NS_PER_SEC, value_of(i, k));
    }
    store_append_metrics(s, b, NULL, NULL);
    data_metric_batch_free(b);
    store_close(s); /* flushes */
    return sim;
}

/* Number of samples read; each is as it was written. */
static size_t read_all(struct store *s)
{
    struct store_source *src = store_metrics(s);
    struct store_matcher m = {.op = STORE_MATCH_EQ, .name = SLICE("__name__"), .value = SLICE("m")};
    struct store_select_req req = {.tenant = SLICE("default"),
                                   .t_min_ns = INT64_MIN,
                                   .t_max_ns = INT64_MAX,
                                   .matchers = &m,
                                   .matcher_count = 1};
    struct store_selection *sel;
    struct store_samples samples = {0};
    struct diag d;
    size_t sum = 0;
    diag_init(&d);
    assert_int_equal(src->ops->select(src, &req, &sel, &d), 0);
    for (size_t i = 0; i < src->ops->selection_count(sel); i++) {
        struct slice n = data_labels_get(src->ops->selection_labels(sel, i), SLICE("n"));
        assert_int_equal(src->ops->selection_read(sel, i, INT64_MIN, INT64_MAX, &samples, &d), 0);
        for (size_t k = 0; k < samples.count; k++) {
            int64_t at = (samples.ts[k] - START_NS) / NS_PER_SEC;
            assert_in_range(at, 0, SAMPLES - 1);
            assert_true(samples.value[k] == value_of(n.ptr[0] - '0', (int)at));
        }
        sum += samples.count;
    }
    store_samples_free(&samples);
    src->ops->selection_free(sel);
    return sum;
}

struct found {
    char path[64];
    size_t asides;
};

static void on_name(const char *name, void *ctx)
{
    struct found *f = ctx;
    struct slice s = slice_cstr(name);
    if (slice_ends_with(s, SLICE(".part")))
        snprintf(f->path, sizeof(f->path), "data/parts/%s", name);
    else if (slice_ends_with(s, SLICE(".corrupt")))
        f->asides++;
}

static struct found find_part(struct os_sim *sim)
{
    struct found f = {0};
    struct os *os = os_sim_os(sim);
    assert_int_equal(os->ops->list(os, "data/parts", on_name, &f, NULL), 0);
    return f;
}

/* Every flipped byte of a part: the right samples, or fewer and the part kept aside. */
static void every_flipped_byte_of_a_part_is_noticed(void **state)
{
    (void)state;
    for (uint64_t byte = 0;; byte++) {
        struct os_sim *sim = small_store();
        struct store *s;
        struct diag d;
        bool flipped = os_sim_flip(sim, find_part(sim).path, byte, byte % 8);
        assert_int_equal(open_store(sim, &s, &d), 0);
        size_t n = read_all(s);
        assert_true(n <= SERIES * SAMPLES);
        if (n < SERIES * SAMPLES)
            assert_int_equal(find_part(sim).asides, 1);
        if (!flipped)
            assert_int_equal(n, SERIES * SAMPLES);
        store_close(s);
        os_sim_free(sim);
        if (!flipped)
            break;
    }
}

static void a_missing_manifest_is_no_empty_store(void **state)
{
    (void)state;
    struct os_sim *sim = small_store();
    struct os *os = os_sim_os(sim);
    struct store *s;
    struct diag d;
    assert_int_equal(os->ops->rename(os, "data/MANIFEST", "data/elsewhere", NULL), 0);
    assert_int_equal(open_store(sim, &s, &d), ERR_CORRUPT);
    assert_non_null(strstr(d.msg, "MANIFEST is missing"));
    assert_int_equal(os->ops->rename(os, "data/elsewhere", "data/MANIFEST", NULL), 0);
    assert_int_equal(open_store(sim, &s, &d), 0);
    assert_int_equal(read_all(s), SERIES * SAMPLES);
    store_close(s);
    os_sim_free(sim);
}

/* A part that is gone: the store serves the rest, and says so. */
static void a_missing_part_is_left_out(void **state)
{
    (void)state;
    struct os_sim *sim = small_store();
    struct os *os = os_sim_os(sim);
    struct store *s;
    struct diag d;
    assert_int_equal(os->ops->unlink(os, find_part(sim).path, NULL), 0);
    assert_int_equal(open_store(sim, &s, &d), 0);
    assert_int_equal(read_all(s), 0);
    store_close(s);
    os_sim_free(sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_damaged_copy_is_survived),
        cmocka_unit_test(every_flipped_byte_of_a_part_is_noticed),
        cmocka_unit_test(a_missing_manifest_is_no_empty_store),
        cmocka_unit_test(a_missing_part_is_left_out),
    };
    log_set_writer(drop_line, NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
