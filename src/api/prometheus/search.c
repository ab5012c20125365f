/* search/metric_names, label_names and label_values: names for who types, as lines of JSON: batches
 * of results, then a line that says how it ended. */
#include <stdlib.h>

#include "api/job.h"
#include "api/params.h"
#include "api/prometheus/door_priv.h"
#include "codec/number.h"
#include "data/metric_batch.h"
#include "lang/promql/promql.h"
#include "text/fuzzy.h"

#define TERMS_MAX     32
#define COUNT_DEFAULT 100
#define RANGE_NS      (3600 * NS_PER_SEC)

enum search_kind { SEARCH_METRICS, SEARCH_NAMES, SEARCH_VALUES };
enum search_order { ORDER_UP, ORDER_DOWN, ORDER_SCORE };

struct matcher_set {
    struct store_matcher *items;
    size_t count;
};

struct found {
    struct slice text;
    double score;
};

struct search_state {
    enum search_kind kind;
    enum search_order order;
    struct slice label; /* whose values are searched */
    bool ignore_case, jaro_winkler, with_score, with_metadata;
    double threshold;
    int64_t t_min_ns, t_max_ns;
    size_t limit, batch;
    struct slice *selectors;
    size_t selector_count, set_count;
    struct matcher_set *sets;
    struct text_fuzzy *terms[TERMS_MAX];
    size_t term_count;

    struct found *found;
    size_t count, next;
    bool more, begun;
    struct store_metadata *metadata; /* sorted by metric */
    size_t metadata_count;
};

static void cleanup(struct api_job *job)
{
    struct search_state *st = job->state;
    for (size_t i = 0; i < st->term_count; i++)
        text_fuzzy_free(st->terms[i]);
    for (size_t i = 0; i < st->set_count; i++)
        promql_matchers_free(st->sets[i].items, st->sets[i].count);
    st->term_count = st->set_count = 0;
}

/* --- parameters --- */

static int read_whole(struct net_request *req, const char *name, const char *rule, int64_t min,
                      int64_t max, int64_t fallback, int64_t *out, struct diag *diag)
{
    struct slice text = net_request_param(req, name);
    *out = fallback;
    if (!text.len || (codec_text_to_int(text, out) && *out >= min && *out <= max))
        return 0;
    return diag_set(diag, ERR_INVALID, "invalid %s \"%.*s\": %s", name,
                    SLICE_FMT(slice_first(text, 100)), rule);
}

/* As Go's ParseBool has it. */
static int read_bool(struct net_request *req, const char *name, bool fallback, bool *out,
                     struct diag *diag)
{
    static const char *const yes[] = {"1", "t", "T", "true", "TRUE", "True"}, *const no[] = {
                                                                                  "0",     "f",
                                                                                  "F",     "false",
                                                                                  "FALSE", "False"};
    struct slice text = net_request_param(req, name);
    *out = fallback;
    if (!text.len)
        return 0;
    for (size_t i = 0; i < ARRAY_LEN(yes); i++) {
        if (slice_eq_cstr(text, yes[i]) || slice_eq_cstr(text, no[i])) {
            *out = slice_eq_cstr(text, yes[i]);
            return 0;
        }
    }
    return diag_set(diag, ERR_INVALID, "invalid %s \"%.*s\": must be boolean", name,
                    SLICE_FMT(slice_first(text, 100)));
}

static struct slice lower(struct slice s, struct arena *arena)
{
    char *out = arena_dup(arena, s.ptr, s.len);
    for (size_t i = 0; out && i < s.len; i++)
        out[i] = out[i] >= 'A' && out[i] <= 'Z' ? (char)(out[i] | 32) : out[i];
    return out ? slice_make(out, s.len) : s;
}

static int read_terms(struct net_request *req, struct search_state *st, size_t *out_given,
                      struct diag *diag)
{
    struct arena *arena = net_request_arena(req);
    struct slice term, alg = net_request_param(req, "fuzz_alg");
    int64_t threshold;
    int err = read_whole(req, "fuzz_threshold", "must be 0-100", 0, 100, 0, &threshold, diag);
    if (err)
        return err;
    st->threshold = (double)threshold / 100;
    st->jaro_winkler = slice_eq_cstr(alg, "jarowinkler");
    if (alg.len && !st->jaro_winkler && !slice_eq_cstr(alg, "subsequence"))
        return diag_set(diag, ERR_INVALID,
                        "unsupported fuzz_alg \"%.*s\": must be one of [subsequence jarowinkler]",
                        SLICE_FMT(slice_first(alg, 100)));
    bool sensitive;
    if ((err = read_bool(req, "case_sensitive", true, &sensitive, diag)) ||
        (err = read_bool(req, "include_score", false, &st->with_score, diag)))
        return err;
    st->ignore_case = !sensitive;
    for (size_t i = 0; (term = net_request_param_at(req, "search[]", i)).ptr; i++) {
        *out_given = i + 1;
        if (i < TERMS_MAX && term.len)
            st->terms[st->term_count++] =
                text_fuzzy_new(st->ignore_case ? lower(term, arena) : term);
    }
    if (*out_given > TERMS_MAX)
        return diag_set(diag, ERR_INVALID, "too many search[] terms: got %zu, maximum is %d",
                        *out_given, TERMS_MAX);
    return 0;
}

static int read_order(struct net_request *req, struct search_state *st, size_t terms,
                      const char *endpoint, struct diag *diag)
{
    struct slice by = net_request_param(req, "sort_by"), dir = net_request_param(req, "sort_dir");
    bool score = slice_eq_cstr(by, "score");
    if (dir.len && !by.len)
        return diag_set(diag, ERR_INVALID, "sort_dir is only valid when sort_by is set");
    if (dir.len && score)
        return diag_set(diag, ERR_INVALID, "sort_dir is not supported for sort_by=score");
    if (dir.len && !slice_eq_cstr(dir, "asc") && !slice_eq_cstr(dir, "dsc"))
        return diag_set(diag, ERR_INVALID, "invalid sort_dir \"%.*s\": must be \"asc\" or \"dsc\"",
                        SLICE_FMT(slice_first(dir, 100)));
    if (score && !terms)
        return diag_set(diag, ERR_INVALID, "sort_by=score requires search[] to be set");
    if (by.len && !score && !slice_eq_cstr(by, "alpha"))
        return diag_set(diag, ERR_INVALID,
                        "invalid sort_by \"%.*s\" for %s: must be \"alpha\" or \"score\"",
                        SLICE_FMT(slice_first(by, 100)), endpoint);
    st->order = score ? ORDER_SCORE : slice_eq_cstr(dir, "dsc") ? ORDER_DOWN : ORDER_UP;
    return 0;
}

static int read_all(struct api_call *call, struct search_state *st, const char *endpoint,
                    struct diag *diag)
{
    struct net_request *req = call->req;
    struct api_host *host = call->api->host;
    int64_t now = host->now_ns(host->ctx), limit, batch;
    size_t terms = 0, count = 0;
    int err = api_param_time(req, "start", false, now - RANGE_NS, &st->t_min_ns, diag);
    if (!err)
        err = api_param_time(req, "end", false, now, &st->t_max_ns, diag);
    if (!err && st->t_max_ns < st->t_min_ns)
        err = diag_set(diag, ERR_INVALID, "end timestamp must not be before start timestamp");
    if (!err)
        err = read_terms(req, st, &terms, diag);
    if (!err)
        err = read_order(req, st, terms, endpoint, diag);
    if (!err)
        err = read_whole(req, "limit", "must be a positive integer", 1, INT32_MAX, COUNT_DEFAULT,
                         &limit, diag);
    if (!err)
        err = read_whole(req, "batch_size", "must be a positive integer", 1, INT32_MAX,
                         COUNT_DEFAULT, &batch, diag);
    if (!err && st->kind == SEARCH_METRICS)
        err = read_bool(req, "include_metadata", false, &st->with_metadata, diag);
    if (!err && st->kind == SEARCH_VALUES && !st->label.len)
        err = diag_set(diag, ERR_INVALID, "missing required parameter \"label\"");
    if (err)
        return err;
    st->limit = (size_t)limit;
    st->batch = (size_t)batch;
    while (net_request_param_at(req, "match[]", count).ptr)
        count++;
    st->selectors = ARENA_ARRAY(net_request_arena(req), struct slice, count + 1);
    for (; st->selector_count < count; st->selector_count++)
        st->selectors[st->selector_count] =
            net_request_param_at(req, "match[]", st->selector_count);
    return 0;
}

/* --- the work --- */

static double score_of(const struct search_state *st, struct slice text)
{
    double best = st->term_count ? 0 : 1;
    for (size_t i = 0; i < st->term_count && best < 1; i++) {
        struct text_fuzzy *f = st->terms[i];
        double score;
        if (!st->jaro_winkler) {
            score = text_fuzzy_subsequence(f, text);
            score = score >= st->threshold ? score : 0;
        } else {
            score = text_fuzzy_substring(f, text);
            if (!(score > 0) && st->threshold > 0) {
                score = text_fuzzy_jaro_winkler(f, text);
                score = score >= st->threshold ? score : 0;
            }
        }
        best = MAX(best, score);
    }
    return best;
}

static int by_text(const void *a, const void *b)
{
    return slice_cmp(((const struct found *)a)->text, ((const struct found *)b)->text);
}

static int by_text_down(const void *a, const void *b)
{
    return by_text(b, a);
}

static int by_score(const void *a, const void *b)
{
    double x = ((const struct found *)a)->score, y = ((const struct found *)b)->score;
    return x != y ? (x < y ? 1 : -1) : by_text(a, b);
}

static bool parse_selectors(struct api_job *job)
{
    struct search_state *st = job->state;
    st->sets = ARENA_ARRAY(job->call_arena, struct matcher_set, st->selector_count + 1);
    for (size_t i = 0; i < st->selector_count; i++) {
        struct matcher_set *set = &st->sets[i];
        struct diag diag;
        diag_init(&diag);
        if (promql_parse_selector(st->selectors[i], job->call_arena, &set->items, &set->count,
                                  &diag)) {
            struct buf text = {0};
            promql_error_text(&diag, &text);
            api_job_error(job, API_BAD_DATA, "%s", buf_cstr(&text));
            buf_deinit(&text);
            return false;
        }
        st->set_count++;
        bool narrow = false;
        for (size_t k = 0; k < set->count && !narrow; k++)
            narrow = !store_matcher_matches(&set->items[k], SLICE(""));
        if (!narrow) {
            api_job_error(job, API_BAD_DATA, "match[] must contain at least one non-empty matcher");
            return false;
        }
    }
    return true;
}

/* Adds what one selector's series have and the terms fit. */
static int search_set(struct api_job *job, size_t set, struct arena *scratch, struct diag *diag)
{
    struct search_state *st = job->state;
    struct store_source *src = job->api->source;
    struct store_select_req req = {.tenant = job->tenant,
                                   .t_min_ns = st->t_min_ns,
                                   .t_max_ns = st->t_max_ns,
                                   .matchers = st->sets[set].items,
                                   .matcher_count = st->sets[set].count,
                                   .series_max = (size_t)job->limits.query_series,
                                   .memory = &job->memory,
                                   .cancelled = &job->cancelled};
    struct slice *texts;
    size_t count;
    bool cut;
    int err = st->kind == SEARCH_NAMES
                  ? src->ops->label_names(src, &req, 0, job->arena, &texts, &count, &cut, diag)
                  : src->ops->label_values(src, st->label, &req, 0, job->arena, &texts, &count,
                                           &cut, diag);
    if (err)
        return err;
    struct found *all = arena_alloc(job->arena, (st->count + count + 1) * sizeof(*all));
    if (!all)
        return diag_set(diag, ERR_NOMEM, "the list of names is larger than limits.query.memory");
    if (st->count)
        memcpy(all, st->found, st->count * sizeof(*all));
    st->found = all;
    for (size_t i = 0; i < count; i++) {
        double score = score_of(st, st->ignore_case ? lower(texts[i], scratch) : texts[i]);
        if (score > 0)
            all[st->count++] = (struct found){texts[i], score};
        if (i % 4096 == 0) {
            arena_reset(scratch);
            if (job->cancelled)
                return diag_set(diag, ERR_CANCELLED, "query was canceled");
        }
    }
    return 0;
}

static const struct store_metadata *metadata_of(const struct search_state *st, struct slice metric)
{
    size_t lo = 0, hi = st->metadata_count;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (slice_cmp(st->metadata[mid].metric, metric) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < st->metadata_count && slice_eq(st->metadata[lo].metric, metric) ? &st->metadata[lo]
                                                                                : NULL;
}

static void put_result(const struct search_state *st, const struct found *f,
                       struct codec_json_writer *w)
{
    const struct store_metadata *m = st->with_metadata ? metadata_of(st, f->text) : NULL;
    codec_json_begin_object(w);
    codec_json_put_string(w, st->kind == SEARCH_VALUES ? "value" : "name", f->text);
    if (st->with_score) {
        codec_json_key(w, SLICE("score"));
        codec_json_double(w, f->score);
    }
    if (m) {
        api__put_text(w, "type", data_metric_type_name(m->type));
        if (m->help.len)
            codec_json_put_string(w, "help", m->help);
        if (m->unit.len)
            codec_json_put_string(w, "unit", m->unit);
    }
    codec_json_end_object(w);
}

static bool produce(struct api_job *job)
{
    struct search_state *st = job->state;
    struct codec_json_writer w;
    size_t end = MIN(st->next + MIN(st->batch, (size_t)4096), st->count);
    codec_json_init(&w, &job->out);
    codec_json_begin_object(&w);
    if (st->begun && st->next == st->count) {
        codec_json_put_string(&w, "status", SLICE("success"));
        codec_json_put_bool(&w, "has_more", st->more);
        codec_json_end_object(&w);
        buf_append_char(&job->out, '\n');
        return true;
    }
    codec_json_key(&w, SLICE("results"));
    codec_json_begin_array(&w);
    for (; st->next < end; st->next++)
        put_result(st, &st->found[st->next], &w);
    codec_json_end_array(&w);
    codec_json_end_object(&w);
    buf_append_char(&job->out, '\n');
    st->begun = true;
    job->flush = true;
    return false;
}

static void search_work(struct api_job *job)
{
    struct search_state *st = job->state;
    struct store_source *src = job->api->source;
    struct arena *scratch = arena_new(0, NULL);
    struct diag diag;
    diag_init(&diag);
    bool good = parse_selectors(job);
    int err = 0;
    for (size_t i = 0; good && !err && i < MAX(st->set_count, (size_t)1); i++)
        err = search_set(job, i, scratch, &diag);
    arena_free(scratch);
    if (good && !err && st->with_metadata && st->count)
        err = src->ops->metadata(src, job->tenant, (struct slice){NULL, 0}, job->arena,
                                 &st->metadata, &st->metadata_count, &diag);
    if (err)
        api_job_fail(job, err, &diag);
    if (!good || err)
        return;
    if (st->count) {
        size_t kept = 1;
        qsort(st->found, st->count, sizeof(*st->found), by_text);
        for (size_t i = 1; i < st->count; i++) {
            if (!slice_eq(st->found[i].text, st->found[kept - 1].text))
                st->found[kept++] = st->found[i];
        }
        st->count = kept;
        if (st->order != ORDER_UP)
            qsort(st->found, st->count, sizeof(*st->found),
                  st->order == ORDER_SCORE ? by_score : by_text_down);
    }
    st->more = st->count > st->limit;
    st->count = MIN(st->count, st->limit);
    job->content_type = "application/x-ndjson; charset=utf-8";
    job->produce = produce;
}

static void start(struct api_call *call, enum search_kind kind, const char *endpoint,
                  struct slice label)
{
    struct search_state *st = ARENA_NEW(net_request_arena(call->req), struct search_state);
    struct slice tenant = api__tenant(call->req);
    struct diag diag;
    diag_init(&diag);
    if (!tenant.ptr)
        return;
    st->kind = kind;
    st->label = label;
    struct api_job *job = NULL;
    if (read_all(call, st, endpoint, &diag))
        api__respond_error(call->req, API_BAD_DATA, "%s", diag.msg);
    else
        job = api_job_new(call, search_work);
    if (!job) {
        for (size_t i = 0; i < st->term_count; i++)
            text_fuzzy_free(st->terms[i]);
        return;
    }
    job->tenant = tenant;
    job->state = st;
    job->cleanup = cleanup;
    api_job_start(job, true);
}

void api__prom_search_metric_names(struct api_call *call)
{
    start(call, SEARCH_METRICS, "metric_names", SLICE(DATA_METRIC_NAME));
}

void api__prom_search_label_names(struct api_call *call)
{
    start(call, SEARCH_NAMES, "label_names", SLICE(""));
}

void api__prom_search_label_values(struct api_call *call)
{
    start(call, SEARCH_VALUES, "label_values", net_request_param(call->req, "label"));
}
