/* The whole store against a model that is too simple to be wrong: random appends (any order, again
 * and again the same times, odd values, histograms, several tenants), flushes, merges, deletions
 * and new starts, and after each few of them selections with random matchers, compared bit for bit.
 */
#include "os/sim.h"
#include "store/store.h"

#include <math.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/hash.h"
#include "base/mem.h"
#include "text/regex.h"

#define DAY_NS   (86400 * NS_PER_SEC)
#define START_NS (19700 * DAY_NS + DAY_NS / 3)
#define SERIES   60
#define SEEDS    60
#define STEPS    60

static uint64_t rng;
static uint64_t rnd(uint64_t n)
{
    rng = hash_u64(rng + 0x9e3779b97f4a7c15u);
    return rng % n;
}

struct model_sample {
    int64_t ts, start;
    double value;
    struct data_histogram *histogram;
};

struct model_series {
    struct slice tenant;
    struct data_labels labels;
    VEC(struct model_sample) samples; /* by time */
};

struct world {
    struct os_sim *sim;
    struct os *os;
    struct store_config config;
    struct store *store;
    struct arena *arena;
    struct model_series series[SERIES];
    int acks;
};

static const char *const tenants[] = {"default", "default", "default", "acme"};
static const char *const names[] = {"up", "http_requests_total", "temp", "node_cpu_seconds_total"};
static const char *const label_names[] = {"instance", "job", "le", "mode", "z.dots-and ünicode"};
static const char *const label_values[] = {"a",     "b",       "host-1", "host-2", "host-10",
                                           "idle",  "user",    "0.5",    "+Inf",   "multi\nline",
                                           "größe", "host-11", "x.y"};

static bool same_labels(const struct model_series *a, const struct model_series *b)
{
    return slice_eq(a->tenant, b->tenant) && data_labels_eq(a->labels, b->labels);
}

static void make_series(struct world *w)
{
    for (size_t i = 0; i < SERIES; i++) {
        struct model_series *m = &w->series[i];
        bool known;
        do {
            struct data_labels_builder b = {0};
            struct data_labels labels;
            m->tenant = slice_cstr(tenants[rnd(ARRAY_LEN(tenants))]);
            if (rnd(20))
                data_labels_builder_set(&b, SLICE("__name__"),
                                        slice_cstr(names[rnd(ARRAY_LEN(names))]));
            data_labels_builder_set(&b, SLICE("id"), rnd(2) ? SLICE("1") : SLICE("2"));
            for (size_t k = 0; k < ARRAY_LEN(label_names); k++) {
                if (rnd(2))
                    data_labels_builder_set(&b, slice_cstr(label_names[k]),
                                            slice_cstr(label_values[rnd(ARRAY_LEN(label_values))]));
            }
            assert_int_equal(data_labels_builder_finish(&b, &labels, NULL), 0);
            m->labels = data_labels_copy(w->arena, labels);
            data_labels_builder_deinit(&b);
            known = false;
            for (size_t k = 0; k < i && !known; k++)
                known = same_labels(m, &w->series[k]);
        } while (known);
    }
}

static double any_value(double before)
{
    static const uint64_t odd[] = {DATA_STALE_NAN_BITS, DATA_NORMAL_NAN_BITS, 0x8000000000000000u,
                                   0x7ff0000000000000u, 0xfff0000000000000u,  1u,
                                   0xffffffffffffffffu, 0x7fefffffffffffffu};
    union {
        uint64_t bits;
        double value;
    } u;
    switch (rnd(8)) {
    case 0: u.bits = odd[rnd(ARRAY_LEN(odd))]; return u.value;
    case 1: u.bits = rng; return u.value;
    case 2: return (double)rnd(1000000) / 1000;
    case 3: return 1;
    default: return isfinite(before) ? before + (double)rnd(50) : 0;
    }
}

static struct data_histogram *any_histogram(struct arena *arena)
{
    struct data_histogram *h = ARENA_NEW(arena, struct data_histogram);
    h->schema = rnd(4) ? (int32_t)rnd(9) : DATA_HISTOGRAM_SCHEMA_CUSTOM;
    h->reset_hint = (uint8_t)rnd(4);
    h->is_integer = rnd(2);
    h->zero_threshold = 1e-128;
    h->zero_count = (double)rnd(10);
    h->sum = (double)rnd(1000) / 7;
    h->positive_span_count = (uint32_t)rnd(3);
    h->positive_spans = ARENA_ARRAY(arena, struct data_histogram_span, h->positive_span_count);
    for (uint32_t i = 0; i < h->positive_span_count; i++) {
        h->positive_spans[i] = (struct data_histogram_span){
            i ? (int32_t)rnd(4) : (int32_t)rnd(9) - 4, (uint32_t)rnd(5)};
        h->positive_count += h->positive_spans[i].length;
    }
    h->positive = ARENA_ARRAY(arena, double, h->positive_count);
    for (uint32_t i = 0; i < h->positive_count; i++)
        h->positive[i] = (double)rnd(100);
    if (h->schema == DATA_HISTOGRAM_SCHEMA_CUSTOM) {
        h->custom_bound_count = (uint32_t)rnd(5);
        h->custom_bounds = ARENA_ARRAY(arena, double, h->custom_bound_count);
        for (uint32_t i = 0; i < h->custom_bound_count; i++)
            h->custom_bounds[i] = (double)i * 0.1;
    }
    return h;
}

static void model_put(struct model_series *m, struct model_sample s)
{
    size_t at = m->samples.len;
    while (at && m->samples.items[at - 1].ts >= s.ts)
        at--;
    if (at < m->samples.len && m->samples.items[at].ts == s.ts) {
        m->samples.items[at] = s;
        return;
    }
    vec_push(&m->samples, s);
    memmove(m->samples.items + at + 1, m->samples.items + at,
            (m->samples.len - 1 - at) * sizeof(s));
    m->samples.items[at] = s;
}

static int64_t any_time(void)
{
    switch (rnd(12)) {
    case 0: return START_NS - (int64_t)rnd(4) * DAY_NS + (int64_t)rnd(1000) * NS_PER_SEC;
    case 1: return START_NS + (int64_t)rnd(40) * 15 * NS_PER_SEC;
    case 2: return (int64_t)rnd(1000) - 500; /* around 1970 */
    default: return START_NS + (int64_t)rnd(2000) * 15 * NS_PER_SEC;
    }
}

static void on_ack(void *ctx, int err, const struct store_append_result *r)
{
    struct world *w = ctx;
    assert_int_equal(err, 0);
    assert_int_equal(r->first_refusal.code, 0);
    w->acks++;
}

static void append(struct world *w)
{
    struct slice tenant = slice_cstr(tenants[rnd(ARRAY_LEN(tenants))]);
    struct data_metric_batch *b = data_metric_batch_new(tenant);
    size_t count = 1 + rnd(12);
    bool starts = false;
    for (size_t i = 0; i < count; i++) {
        struct model_series *m = &w->series[rnd(SERIES)];
        if (!slice_eq(m->tenant, tenant))
            continue;
        uint32_t index = data_metric_batch_add_series(b, m->labels);
        bool histogram = rnd(25) == 0;
        int64_t ts = any_time(), step = rnd(3) ? 15 * NS_PER_SEC : (int64_t)rnd(NS_PER_SEC);
        double value = any_value(0);
        for (size_t n = rnd(10) ? 1 + rnd(20) : rnd(1500); n; n--) {
            struct model_sample s = {.ts = ts};
            if (histogram) {
                s.histogram = any_histogram(w->arena);
                data_metric_batch_add_histogram(b, index, ts, s.histogram);
            } else {
                s.value = value = any_value(value);
                data_metric_batch_add_sample(b, index, ts, s.value);
            }
            if (starts && rnd(3)) {
                s.start = START_NS - (int64_t)rnd(3) * NS_PER_SEC;
                data_metric_batch_set_start(b, s.start);
            }
            model_put(m, s);
            ts += rnd(50) ? step : -(int64_t)rnd(1000) * NS_PER_SEC;
        }
    }
    int before = w->acks;
    store_append_metrics(w->store, b, on_ack, w);
    data_metric_batch_free(b);
    assert_int_equal(store_sync(w->store), 0);
    assert_int_equal(w->acks, before + 1);
}

#define MATCHERS_MAX 3
struct any_req {
    struct store_select_req req;
    struct store_matcher matchers[MATCHERS_MAX];
    struct text_regex *regex[MATCHERS_MAX];
};

static void any_req(struct any_req *q)
{
    static const char *const patterns[] = {"host-.*",  "host-1|host-2", ".*",  ".+",    "a|b|",
                                           "[a-h].*",  "idle",          "",    ".*e.*", "nothing",
                                           "host-1.?", "(?i)HOST-10",   "g.*e"};
    *q = (struct any_req){0};
    q->req.tenant = slice_cstr(tenants[rnd(ARRAY_LEN(tenants))]);
    q->req.t_min_ns = rnd(3) ? any_time() : INT64_MIN;
    q->req.t_max_ns = rnd(3) ? any_time() : INT64_MAX;
    q->req.matchers = q->matchers;
    q->req.matcher_count = rnd(MATCHERS_MAX + 1);
    for (size_t i = 0; i < q->req.matcher_count; i++) {
        struct store_matcher *m = &q->matchers[i];
        m->op = (enum store_match_op)rnd(4);
        m->name = rnd(3) == 0   ? SLICE("__name__")
                  : rnd(8) == 0 ? SLICE("absent")
                                : slice_cstr(label_names[rnd(ARRAY_LEN(label_names))]);
        if (m->op == STORE_MATCH_EQ || m->op == STORE_MATCH_NE) {
            m->value = rnd(8) == 0 ? SLICE("")
                       : slice_eq_cstr(m->name, "__name__")
                           ? slice_cstr(names[rnd(ARRAY_LEN(names))])
                           : slice_cstr(label_values[rnd(ARRAY_LEN(label_values))]);
            continue;
        }
        m->value = slice_cstr(patterns[rnd(ARRAY_LEN(patterns))]);
        assert_int_equal(text_regex_compile(m->value, TEXT_REGEX_ANCHORED, &q->regex[i], NULL), 0);
        m->regex = q->regex[i];
    }
}

static void free_req(struct any_req *q)
{
    for (size_t i = 0; i < MATCHERS_MAX; i++)
        text_regex_free(q->regex[i]);
}

static bool model_matches(const struct model_series *m, const struct store_select_req *req)
{
    if (!slice_eq(m->tenant, req->tenant))
        return false;
    for (size_t i = 0; i < req->matcher_count; i++) {
        struct slice v = data_labels_get(m->labels, req->matchers[i].name);
        if (!store_matcher_matches(&req->matchers[i], v.ptr ? v : SLICE("")))
            return false;
    }
    return true;
}

/* Samples of the model in the range: [*begin, *begin + result). */
static size_t model_range(const struct model_series *m, int64_t t_min, int64_t t_max, size_t *begin)
{
    size_t end = m->samples.len;
    for (*begin = 0; *begin < end && m->samples.items[*begin].ts < t_min; (*begin)++)
        ;
    while (end > *begin && m->samples.items[end - 1].ts > t_max)
        end--;
    return end - *begin;
}

static struct model_series *find(struct world *w, struct slice tenant, struct data_labels labels)
{
    struct model_series key = {.tenant = tenant, .labels = labels};
    for (size_t i = 0; i < SERIES; i++) {
        if (same_labels(&w->series[i], &key))
            return &w->series[i];
    }
    return NULL;
}

static void check_samples(const struct model_series *m, const struct store_select_req *req,
                          const struct store_samples *got)
{
    size_t begin, count = model_range(m, req->t_min_ns, req->t_max_ns, &begin);
    assert_int_equal(got->count, count);
    for (size_t k = 0; k < count; k++) {
        const struct model_sample *want = &m->samples.items[begin + k];
        assert_int_equal(got->ts[k], want->ts);
        const struct data_histogram *h = got->histogram ? got->histogram[k] : NULL;
        assert_int_equal(h != NULL, want->histogram != NULL);
        if (h)
            assert_true(data_histogram_identical(h, want->histogram));
        else
            assert_memory_equal(&got->value[k], &want->value, sizeof(double));
        assert_int_equal(got->start ? got->start[k] : 0, want->start);
    }
}

/* What a read says of its columns is true. */
static void check_facts(const struct store_samples *got, struct store_samples *before)
{
    for (size_t k = 0; k < got->count && !got->histogram; k++) {
        double v = got->value[k];
        assert_true(!got->ordinary || (isfinite(v) && !(v == 0 && signbit(v))));
        assert_true(!got->integers || v == trunc(v));
    }
    if (!got->times_id.lo && !got->times_id.hi)
        return;
    if (hash128_eq(got->times_id, before->times_id)) {
        assert_int_equal(got->count, before->count);
        assert_memory_equal(got->ts, before->own_ts, got->count * sizeof(*got->ts));
    }
    store_samples_reserve(before, got->count, false, false);
    memcpy(before->own_ts, got->ts, got->count * sizeof(*got->ts));
    before->count = got->count;
    before->times_id = got->times_id;
}

static void check_selection(struct world *w, const struct store_select_req *req)
{
    static unsigned checks;
    struct store_source *src = store_metrics(w->store);
    struct store_selection *sel;
    struct store_samples samples = {.share_times = checks++ % 2}, before = {0};
    bool seen[SERIES] = {0};
    assert_int_equal(src->ops->select(src, req, &sel, NULL), 0);
    for (size_t i = 0; i < src->ops->selection_count(sel); i++) {
        struct data_labels labels = src->ops->selection_labels(sel, i);
        if (i)
            assert_true(data_labels_cmp(src->ops->selection_labels(sel, i - 1), labels) < 0);
        struct model_series *m = find(w, req->tenant, labels);
        assert_non_null(m);
        assert_true(model_matches(m, req));
        seen[m - w->series] = true;
        assert_int_equal(
            src->ops->selection_read(sel, i, req->t_min_ns, req->t_max_ns, &samples, NULL), 0);
        check_samples(m, req, &samples);
        check_facts(&samples, &before);
    }
    for (size_t i = 0; i < SERIES; i++) {
        size_t begin;
        if (!seen[i] && model_matches(&w->series[i], req))
            assert_int_equal(model_range(&w->series[i], req->t_min_ns, req->t_max_ns, &begin), 0);
    }
    store_samples_free(&samples);
    store_samples_free(&before);
    src->ops->selection_free(sel);
}

static bool in_list(const struct slice *list, size_t count, struct slice what)
{
    for (size_t i = 0; i < count; i++) {
        if (slice_eq(list[i], what))
            return true;
    }
    return false;
}

/* What is listed belongs to a matching series of the tenant, and nothing with samples is missing;
 * name.ptr NULL for the names themselves. */
static void check_list(struct world *w, const struct store_select_req *req, struct slice name,
                       const struct slice *list, size_t count)
{
    for (size_t i = 1; i < count; i++)
        assert_true(slice_cmp(list[i - 1], list[i]) < 0);
    for (size_t i = 0; i < count; i++) {
        bool found = false;
        for (size_t k = 0; k < SERIES && !found; k++) {
            const struct model_series *m = &w->series[k];
            struct slice v = data_labels_get(m->labels, name.ptr ? name : list[i]);
            found = model_matches(m, req) && v.ptr && (!name.ptr || slice_eq(v, list[i]));
        }
        assert_true(found);
    }
    for (size_t k = 0; k < SERIES; k++) {
        const struct model_series *m = &w->series[k];
        size_t begin;
        if (!model_matches(m, req) || !model_range(m, req->t_min_ns, req->t_max_ns, &begin))
            continue;
        for (size_t i = 0; i < m->labels.count; i++) {
            if (!name.ptr)
                assert_true(in_list(list, count, m->labels.items[i].name));
            else if (slice_eq(m->labels.items[i].name, name))
                assert_true(in_list(list, count, m->labels.items[i].value));
        }
    }
}

static void check_lists(struct world *w, const struct store_select_req *req)
{
    struct store_source *src = store_metrics(w->store);
    struct arena *arena = arena_new(0, NULL);
    struct slice *list,
        name = rnd(2) ? SLICE("__name__") : slice_cstr(label_names[rnd(ARRAY_LEN(label_names))]);
    size_t count;
    bool cut;
    assert_int_equal(src->ops->label_names(src, req, 0, arena, &list, &count, &cut, NULL), 0);
    assert_false(cut);
    check_list(w, req, (struct slice){NULL, 0}, list, count);
    assert_int_equal(src->ops->label_values(src, name, req, 0, arena, &list, &count, &cut, NULL),
                     0);
    check_list(w, req, name, list, count);
    if (count > 1) {
        struct slice *first = list;
        size_t cut_count;
        assert_int_equal(
            src->ops->label_values(src, name, req, 1, arena, &list, &cut_count, &cut, NULL), 0);
        assert_true(cut);
        assert_int_equal(cut_count, 1);
        assert_true(slice_eq(list[0], first[0]));
    }
    arena_free(arena);
}

static void check(struct world *w)
{
    struct any_req q;
    any_req(&q);
    check_selection(w, &q.req);
    check_lists(w, &q.req);
    free_req(&q);
}

static void delete_some(struct world *w)
{
    struct any_req q;
    any_req(&q);
    if (q.req.matcher_count && q.req.t_min_ns <= q.req.t_max_ns) {
        assert_int_equal(store_delete_metrics(w->store, &q.req, NULL), 0);
        for (size_t i = 0; i < SERIES; i++) {
            struct model_series *m = &w->series[i];
            size_t begin, count = model_range(m, q.req.t_min_ns, q.req.t_max_ns, &begin);
            if (!count || !model_matches(m, &q.req))
                continue;
            memmove(m->samples.items + begin, m->samples.items + begin + count,
                    (m->samples.len - begin - count) * sizeof(m->samples.items[0]));
            m->samples.len -= count;
        }
    }
    free_req(&q);
}

static void reopen(struct world *w, bool crash)
{
    if (crash) {
        os_sim_power_off(w->sim);
        store_close(w->store);
        os_sim_restart(w->sim);
    } else {
        store_close(w->store);
    }
    struct diag d;
    diag_init(&d);
    assert_int_equal(store_open(&w->config, w->os, NULL, &w->store, &d), 0);
}

static void run_seed(uint64_t seed)
{
    struct world w = {.sim = os_sim_new(seed), .arena = arena_new(0, NULL)};
    rng = seed * 7919;
    w.os = os_sim_os(w.sim);
    os_sim_set_now(w.sim, START_NS + DAY_NS);
    store_config_init(&w.config);
    w.config.dir = "data";
    w.config.background = false;
    w.config.shard_count = 1 + rnd(3);
    w.config.retention_ns = INT64_MAX;
    w.config.disk_reserve_bytes = 0;
    make_series(&w);
    assert_int_equal(store_open(&w.config, w.os, NULL, &w.store, NULL), 0);
    for (int step = 0; step < STEPS; step++) {
        switch (rnd(16)) {
        case 0:
        case 1: assert_int_equal(store_maintain(w.store, true, NULL), 0); break;
        case 2: delete_some(&w); break;
        case 3: reopen(&w, rnd(2)); break;
        default: append(&w); break;
        }
        check(&w);
    }
    reopen(&w, true);
    for (int i = 0; i < 10; i++)
        check(&w);
    store_close(w.store);
    for (size_t i = 0; i < SERIES; i++)
        vec_free(&w.series[i].samples);
    arena_free(w.arena);
    os_sim_free(w.sim);
}

static void the_store_is_the_model(void **state)
{
    (void)state;
    const char *one = getenv("PHAROS_TEST_SEED");
    if (one) {
        run_seed(strtoull(one, NULL, 10));
        return;
    }
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        print_message("# seed %d\n", (int)seed);
        run_seed(seed);
    }
}

/* As many matchers as anyone likes to send. */
static void many_matchers_are_fine(void **state)
{
    (void)state;
    struct world w = {.sim = os_sim_new(1), .arena = arena_new(0, NULL)};
    w.os = os_sim_os(w.sim);
    os_sim_set_now(w.sim, START_NS + DAY_NS);
    store_config_init(&w.config);
    w.config.dir = "data";
    w.config.background = false;
    w.config.retention_ns = INT64_MAX;
    w.config.disk_reserve_bytes = 0;
    assert_int_equal(store_open(&w.config, w.os, NULL, &w.store, NULL), 0);
    struct data_metric_batch *b = data_metric_batch_new(SLICE("default"));
    struct data_label l = {SLICE("__name__"), SLICE("m")};
    data_metric_batch_add_sample(b, data_metric_batch_add_series(b, (struct data_labels){&l, 1}),
                                 START_NS, 1);
    store_append_metrics(w.store, b, on_ack, &w);
    data_metric_batch_free(b);
    static struct store_matcher matchers[1000];
    for (size_t i = 0; i < ARRAY_LEN(matchers); i++)
        matchers[i] = (struct store_matcher){.op = i % 2 ? STORE_MATCH_EQ : STORE_MATCH_NE,
                                             .name = SLICE("__name__"),
                                             .value = i % 2 ? SLICE("m") : SLICE("n")};
    struct store_select_req req = {.tenant = SLICE("default"),
                                   .t_min_ns = INT64_MIN,
                                   .t_max_ns = INT64_MAX,
                                   .matchers = matchers,
                                   .matcher_count = ARRAY_LEN(matchers)};
    struct store_source *src = store_metrics(w.store);
    for (int round = 0; round < 2; round++) {
        struct store_selection *sel;
        assert_int_equal(src->ops->select(src, &req, &sel, NULL), 0);
        assert_int_equal(src->ops->selection_count(sel), 1);
        src->ops->selection_free(sel);
        assert_int_equal(store_maintain(w.store, true, NULL), 0);
    }
    store_close(w.store);
    arena_free(w.arena);
    os_sim_free(w.sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_store_is_the_model),
        cmocka_unit_test(many_matchers_are_fine),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
