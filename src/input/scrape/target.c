/* One target: fetch, parse, label, hand over, report. Everything runs on the worker's loop. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/counter.h"
#include "base/log.h"
#include "input/scrape/scrape_priv.h"

/* Ticks this near to the ideal moment carry its time: evenly spaced timestamps pack better. */
#define SNAP_MAX_NS          (2 * NS_PER_MS)
#define BODY_BYTES_MAX       ((size_t)1 << 30) /* when body_size_limit says nothing */
#define REFUSAL_LOG_EVERY_NS (10 * NS_PER_SEC)

enum { SCRAPES, FAILURES, SAMPLES, REFUSED, DUPLICATES, LOST, OVERRUNS };

static struct counter counters[] = {
    [SCRAPES] = {.name = "pharos_input_scrapes_total", .help = "Scrapes of targets."},
    [FAILURES] = {.name = "pharos_input_scrapes_failed_total",
                  .help = "Scrapes that failed: no answer, bad content, or a limit."},
    [SAMPLES] = {.name = "pharos_input_scrape_samples_total",
                 .help = "Samples scraped and handed on, after relabelling."},
    [REFUSED] = {.name = "pharos_input_scrape_samples_refused_total",
                 .help = "Scraped samples that the store refused."},
    [DUPLICATES] = {.name = "pharos_input_scrape_samples_duplicate_total",
                    .help = "Samples given twice in one scrape; the first counts."},
    [LOST] = {.name = "pharos_input_scrape_batches_lost_total",
              .help = "Scrapes that could not be stored as a whole."},
    [OVERRUNS] = {.name = "pharos_input_scrape_relabel_overruns_total",
                  .help = "Scrapes that failed because a regular expression of "
                          "metric_relabel_configs took more steps back than limits.regex_effort."},
};

enum report {
    REPORT_UP,
    REPORT_DURATION,
    REPORT_SCRAPED,
    REPORT_KEPT,
    REPORT_ADDED,
    REPORT_TIMEOUT,
    REPORT_SAMPLE_LIMIT,
    REPORT_BODY,
    REPORT_COUNT
};

static const struct slice report_names[REPORT_COUNT] = {
    SLICE_INIT("up"),
    SLICE_INIT("scrape_duration_seconds"),
    SLICE_INIT("scrape_samples_scraped"),
    SLICE_INIT("scrape_samples_post_metric_relabeling"),
    SLICE_INIT("scrape_series_added"),
    SLICE_INIT("scrape_timeout_seconds"),
    SLICE_INIT("scrape_sample_limit"),
    SLICE_INIT("scrape_body_size_bytes")};

/* What the series cache keeps for us: the stored identity, and when it was seen. */
struct series {
    uint64_t seen;    /* generation of the last body that had it, while alive */
    uint64_t carried; /* the same, when it was alive before that body too */
    bool dropped;     /* by metric relabelling */
    struct slice key;
    char bytes[];
};

static void drop_series(struct decode_text_series *s, void *ctx)
{
    (void)ctx;
    mem_free(s->user);
}

/* --- making --- */

static struct slice make_report_key(struct target *t, struct slice name)
{
    struct data_labels_builder b = {0};
    struct buf key = {0};
    struct data_labels l;
    data_labels_builder_from(&b, t->what.labels);
    data_labels_builder_set(&b, SLICE(DATA_METRIC_NAME), name);
    int err = data_labels_builder_finish(&b, &l, NULL);
    base_assert(!err);
    data_labels_encode(l, &key);
    struct slice done = arena_slice(t->arena, buf_slice(&key));
    buf_deinit(&key);
    data_labels_builder_deinit(&b);
    return done;
}

struct target *input__target_new(struct worker *w, struct input_scrape_config *config,
                                 const struct input__scrape_job *job, const struct populated *what,
                                 struct slice key)
{
    counter_register(counters, ARRAY_LEN(counters));
    struct target *t = mem_calloc(1, sizeof(*t));
    t->worker = w;
    t->config = input__scrape_config_ref(config);
    t->job = job;
    t->arena = arena_new(1024, NULL);
    t->what = (struct populated){.discovered = data_labels_copy(t->arena, what->discovered),
                                 .all = data_labels_copy(t->arena, what->all),
                                 .labels = data_labels_copy(t->arena, what->labels),
                                 .url = arena_slice(t->arena, what->url),
                                 .interval_ns = what->interval_ns,
                                 .timeout_ns = what->timeout_ns};
    t->key = arena_slice(t->arena, key);
    t->cache = decode_text_cache_new(drop_series, NULL);
    t->parser = decode_text_new(t->cache);
    decode_text_set_histograms(t->parser, &job->histograms);
    t->families = map_new();
    for (int i = 0; i < REPORT_COUNT; i++)
        t->report_keys[i] = make_report_key(t, report_names[i]);
    return t;
}

static void free_target(struct target *t)
{
    size_t pos = 0;
    for (struct map_entry *e; (e = map_next(t->families, &pos));) {
        struct family *f = e->value.ptr;
        mem_free(f->help);
        mem_free(f->unit);
        mem_free(f);
    }
    map_free(t->families);
    decode_text_free(t->parser);
    decode_text_cache_free(t->cache);
    arena_free(t->arena);
    input_scrape_config_free(t->config);
    mem_free(t);
}

/* --- what goes into the sink --- */

static void on_stored(void *ctx, int err, const struct pipe_result *result)
{
    (void)ctx;
    static _Atomic int64_t said_ns;
    size_t refused = result ? pipe_result_refused(result) : 0;
    if (!err && !refused)
        return;
    counter_add(&counters[err ? LOST : REFUSED], err ? 1 : (int64_t)refused);
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    int64_t now_ns = (int64_t)now.tv_sec * NS_PER_SEC + now.tv_nsec, said = said_ns;
    if ((said && now_ns - said < REFUSAL_LOG_EVERY_NS) ||
        !atomic_compare_exchange_strong(&said_ns, &said, now_ns))
        return;
    const char *why =
        result && result->first_refusal.code ? result->first_refusal.msg : err_name(err);
    LOG_WARN("input", err ? "a scrape could not be stored" : "scraped samples were refused",
             LOG_INT("refused", refused), LOG_STR("first", why));
}

static void hand_over(struct target *t)
{
    struct pipe_sink *sink = t->worker->scrape->env.sink;
    sink->metrics(sink, t->worker->batch, on_stored, NULL);
    data_metric_batch_reset(t->worker->batch);
    arena_reset(t->worker->arena);
}

static void add_key_sample(struct data_metric_batch *b, struct slice key, int64_t ts, double v)
{
    data_metric_batch_add_sample(b, data_metric_batch_add_series_key(b, key), ts, v);
}

/* Ends the series that were alive and are not in the body of `generation` (0: all of them). */
static void add_markers(struct target *t, uint64_t generation, int64_t ts)
{
    if (!t->live)
        return;
    size_t pos = 0;
    for (struct decode_text_series *s; (s = decode_text_cache_next(t->cache, &pos));) {
        struct series *u = s->user;
        if (!u || u->dropped)
            continue;
        bool was_live = u->seen == t->live || (!generation && u->carried > t->live);
        if (was_live)
            add_key_sample(t->worker->batch, u->key, ts, data_stale_nan());
    }
}

static void add_report(struct target *t, int64_t ts, bool up, double seconds, size_t scraped,
                       size_t kept, size_t added, double body_bytes)
{
    struct data_metric_batch *b = t->worker->batch;
    double values[REPORT_COUNT] = {up,
                                   seconds,
                                   (double)scraped,
                                   (double)kept,
                                   (double)added,
                                   (double)t->what.timeout_ns / (double)NS_PER_SEC,
                                   (double)t->job->sample_limit,
                                   body_bytes};
    int count = t->job->extra_metrics ? REPORT_COUNT : REPORT_TIMEOUT;
    for (int i = 0; i < count; i++)
        add_key_sample(b, t->report_keys[i], ts, values[i]);
}

/* --- parsing --- */

static int check_label_limits(const struct input__scrape_job *job, struct data_labels l,
                              struct diag *diag)
{
    struct slice metric = data_labels_get(l, SLICE(DATA_METRIC_NAME));
    if (job->label_limit && l.count > (size_t)job->label_limit)
        return diag_set(diag, ERR_LIMIT, "%.*s has %zu labels, label_limit is %lld",
                        SLICE_FMT(metric), l.count, (long long)job->label_limit);
    for (size_t i = 0; i < l.count; i++) {
        struct data_label x = l.items[i];
        if (job->label_name_length_limit && x.name.len > (size_t)job->label_name_length_limit)
            return diag_set(diag, ERR_LIMIT,
                            "label name \"%.*s\" of %.*s is %zu bytes long, "
                            "label_name_length_limit is %lld",
                            SLICE_FMT(slice_first(x.name, 50)), SLICE_FMT(metric), x.name.len,
                            (long long)job->label_name_length_limit);
        if (job->label_value_length_limit && x.value.len > (size_t)job->label_value_length_limit)
            return diag_set(diag, ERR_LIMIT,
                            "the value of label \"%.*s\" of %.*s is %zu bytes long, "
                            "label_value_length_limit is %lld",
                            SLICE_FMT(slice_first(x.name, 50)), SLICE_FMT(metric), x.value.len,
                            (long long)job->label_value_length_limit);
    }
    return 0;
}

static int check_names(const struct input__scrape_job *job, struct data_labels l, struct diag *diag)
{
    if (!job->legacy_names)
        return 0;
    for (size_t i = 0; i < l.count; i++) {
        struct slice name = l.items[i].name, value = l.items[i].value;
        bool is_name = slice_eq_cstr(name, DATA_METRIC_NAME);
        if (is_name ? !data_metric_name_is_legacy(value) : !data_label_name_is_legacy(name))
            return diag_set(diag, ERR_INVALID,
                            "invalid %s name \"%.*s\"; metric_name_validation_scheme is legacy",
                            is_name ? "metric" : "label",
                            SLICE_FMT(slice_first(is_name ? value : name, 100)));
    }
    return 0;
}

/* Labels a series seen for the first time. */
static int resolve(struct target *t, struct decode_text_series *s, struct diag *diag)
{
    struct arena *arena = t->worker->arena;
    struct data_labels_builder b = {0};
    struct data_labels l = {0};
    struct buf key = {0};
    int err = 0;
    input__label_sample(s->labels, t->what.labels, t->job->honor_labels, &b, arena);
    enum pipe_relabel_verdict v = pipe_relabel_apply(&t->job->metric_relabel, &b, arena, diag);
    bool keep = v == PIPE_RELABEL_KEPT;
    if (v == PIPE_RELABEL_REFUSED) {
        counter_add(&counters[OVERRUNS], 1);
        err = ERR_LIMIT;
    } else if (keep)
        err = data_labels_builder_finish(&b, &l, diag);
    if (!err && keep && l.count) {
        if (!data_labels_get(l, SLICE(DATA_METRIC_NAME)).len)
            err =
                diag_set(diag, ERR_INVALID, "%.*s has no metric name after metric_relabel_configs",
                         SLICE_FMT(slice_first(s->raw, 200)));
        else if (!(err = check_names(t->job, l, diag)))
            err = check_label_limits(t->job, l, diag);
    }
    if (!err) {
        data_labels_encode(l, &key);
        struct series *u = mem_calloc(1, sizeof(*u) + key.len);
        u->dropped = !keep || !l.count;
        memcpy(u->bytes, buf_cstr(&key), key.len);
        u->key = slice_make(u->bytes, key.len);
        s->user = u;
    }
    buf_deinit(&key);
    data_labels_builder_deinit(&b);
    return err;
}

static void set_text(char **to, size_t *to_len, struct slice from)
{
    mem_free(*to);
    *to = mem_dup(from.ptr ? from.ptr : "", from.len);
    *to_len = from.len;
}

/* Metadata travels when it is new or changed. */
static void note_metadata(struct target *t, const struct decode_text_item *item)
{
    struct map_entry *e = map_get(t->families, item->family);
    struct family *f = e ? e->value.ptr : NULL;
    if (f &&
        (item->kind == DECODE_TEXT_TYPE   ? f->type == item->type
         : item->kind == DECODE_TEXT_HELP ? slice_eq(slice_make(f->help, f->help_len), item->text)
                                          : slice_eq(slice_make(f->unit, f->unit_len), item->text)))
        return;
    struct input_scrape *s = t->worker->scrape;
    pthread_mutex_lock(&s->lock); /* views read it */
    if (!f) {
        f = mem_calloc(1, sizeof(*f));
        map_put(t->families, item->family, NULL)->value.ptr = f;
    }
    if (item->kind == DECODE_TEXT_TYPE)
        f->type = item->type;
    else if (item->kind == DECODE_TEXT_HELP)
        set_text(&f->help, &f->help_len, item->text);
    else
        set_text(&f->unit, &f->unit_len, item->text);
    pthread_mutex_unlock(&s->lock);
    f->dirty = true;
}

static void add_metadata(struct target *t)
{
    size_t pos = 0;
    for (struct map_entry *e; (e = map_next(t->families, &pos));) {
        struct family *f = e->value.ptr;
        if (!f->dirty)
            continue;
        f->dirty = false;
        data_metric_batch_add_metadata(t->worker->batch, e->key, f->type,
                                       slice_make(f->unit, f->unit_len),
                                       slice_make(f->help, f->help_len));
    }
}

struct tally {
    size_t scraped, kept, added, live, carried, families_before;
};

static void add_exemplar(struct target *t, const struct decode_text_item *item, uint32_t series,
                         int64_t at_ns)
{
    data_metric_batch_add_exemplar(t->worker->batch, series,
                                   item->exemplar_has_ts ? item->exemplar_ts_ns : at_ns,
                                   item->exemplar_value, item->exemplar_labels);
}

static int take_sample(struct target *t, const struct decode_text_item *item, int64_t ts,
                       uint64_t generation, struct tally *n, struct diag *diag)
{
    struct data_metric_batch *b = t->worker->batch;
    struct decode_text_series *s = item->series;
    n->scraped++;
    bool is_new = !s->user;
    if (is_new) {
        int err = resolve(t, s, diag);
        if (err)
            return err;
    }
    struct series *u = s->user;
    if (u->dropped)
        return 0;
    bool own_ts = item->has_ts && t->job->honor_timestamps;
    if (u->seen == generation && !own_ts) {
        counter_add(&counters[DUPLICATES], 1);
        return 0;
    }
    n->kept++;
    if (t->job->sample_limit && n->kept > (size_t)t->job->sample_limit)
        return 0; /* counted on, reported at the end */
    if (!own_ts || t->job->track_timestamps_staleness) {
        if (u->seen != generation) {
            bool carried = t->live && u->seen == t->live;
            if (carried) {
                u->carried = generation;
                n->carried++;
            }
            u->seen = generation;
            n->live++;
        }
    } else if (t->live && u->seen == t->live) {
        u->seen = 0; /* it speaks for itself from now on */
        n->carried++;
    }
    n->added += is_new;
    uint32_t series = data_metric_batch_add_series_key(b, u->key);
    int64_t at = own_ts ? item->ts_ns : ts;
    if (item->histogram)
        data_metric_batch_add_histogram(b, series, at, item->histogram);
    else
        data_metric_batch_add_sample(b, series, at, item->value);
    if (item->start_ns)
        data_metric_batch_set_start(b, item->start_ns);
    if (item->has_exemplar)
        add_exemplar(t, item, series, at);
    return 0;
}

static int take_body(struct target *t, const struct net_client_response *resp, int64_t ts,
                     struct tally *n, struct diag *diag)
{
    struct data_metric_batch *b = t->worker->batch;
    enum decode_text_format format;
    int err = decode_text_negotiate(resp->content_type, t->job->fallback_protocol, &format, diag);
    if (err)
        return err;
    struct decode_text_item item;
    size_t group_begin = 0;
    uint64_t group = 0;
    bool metadata = false;
    int got;
    decode_text_begin(t->parser, format, t->job->strict_openmetrics, resp->body);
    uint64_t generation = decode_text_cache_generation(t->cache);
    while ((got = decode_text_next(t->parser, &item, diag)) == 1) {
        if (item.kind == DECODE_TEXT_EXEMPLAR) { /* of the series just taken */
            struct series *u = item.series->user;
            if (u && !u->dropped && b->series.len)
                add_exemplar(t, &item, (uint32_t)b->series.len - 1, ts);
            continue;
        }
        if (item.kind != DECODE_TEXT_SAMPLE) {
            note_metadata(t, &item);
            metadata = true;
            group_begin = b->sample_ts.len;
            continue;
        }
        if (item.group != group) {
            group = item.group;
            group_begin = b->sample_ts.len;
        }
        err = take_sample(t, &item, ts, generation, n, diag);
        if (err)
            return err;
        if (item.is_created && isfinite(item.value) && fabs(item.value) < 9e9)
            data_metric_batch_set_start_from(b, group_begin,
                                             (int64_t)llround(item.value * 1e3) * NS_PER_MS);
    }
    if (got)
        return got;
    if (t->job->sample_limit && n->kept > (size_t)t->job->sample_limit)
        return diag_set(diag, ERR_LIMIT,
                        "%zu samples after metric relabelling, sample_limit is %lld", n->kept,
                        (long long)t->job->sample_limit);
    if (metadata)
        add_metadata(t);
    return 0;
}

static const char *status_text(int status)
{
    static const struct {
        int status;
        const char *text;
    } texts[] = {{204, " No Content"},
                 {301, " Moved Permanently"},
                 {302, " Found"},
                 {307, " Temporary Redirect"},
                 {400, " Bad Request"},
                 {401, " Unauthorized"},
                 {403, " Forbidden"},
                 {404, " Not Found"},
                 {405, " Method Not Allowed"},
                 {406, " Not Acceptable"},
                 {429, " Too Many Requests"},
                 {500, " Internal Server Error"},
                 {502, " Bad Gateway"},
                 {503, " Service Unavailable"},
                 {504, " Gateway Timeout"}};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        if (texts[i].status == status)
            return texts[i].text;
    }
    return "";
}

/* `resp` is NULL when the request could not even be made. */
static void finish(struct target *t, const struct net_client_response *resp, struct diag *diag)
{
    struct input_scrape *s = t->worker->scrape;
    struct os *os = s->env.os;
    int64_t ts = t->scheduled_ns;
    struct tally n = {0};
    double body_bytes = resp ? (double)resp->body.len : 0;
    int err = diag->code;
    if (!err && resp->err == ERR_TOO_LARGE) {
        body_bytes = -1;
        err = diag_set(diag, ERR_TOO_LARGE, "the body is larger than body_size_limit (%lld bytes)",
                       (long long)t->job->body_size_limit);
    } else if (!err && resp->err == ERR_TIMEOUT) {
        err = diag_set(diag, ERR_TIMEOUT,
                       "Get \"%.*s\": context deadline exceeded (no answer "
                       "within scrape_timeout, %g s)",
                       SLICE_FMT(t->what.url), (double)t->what.timeout_ns / (double)NS_PER_SEC);
    } else if (!err && resp->err) {
        err = diag_set(diag, resp->err, "Get \"%.*s\": %s", SLICE_FMT(t->what.url),
                       resp->diag ? resp->diag->msg : err_name(resp->err));
    } else if (!err && resp->status != 200) {
        err = diag_set(diag, ERR_INVALID, "server returned HTTP status %d%s", resp->status,
                       status_text(resp->status));
    }
    if (!err)
        err = take_body(t, resp, ts, &n, diag);
    uint64_t generation = decode_text_cache_generation(t->cache);
    if (err) {
        data_metric_batch_reset(t->worker->batch);
        add_markers(t, 0, ts);
        t->live = 0;
        t->live_count = 0;
    } else {
        if (n.carried < t->live_count)
            add_markers(t, generation, ts);
        t->live = generation;
        t->live_count = n.live;
    }
    /* What was not seen twice in a row is forgotten. */
    if (decode_text_cache_count(t->cache) > n.live && generation > 1)
        decode_text_cache_sweep(t->cache, generation - 1);
    int64_t took = os->ops->monotonic_ns(os) - t->begin_mono_ns;
    add_report(t, ts, !err, (double)took / (double)NS_PER_SEC, n.scraped, n.kept, err ? 0 : n.added,
               body_bytes);
    hand_over(t);
    counter_add(&counters[SCRAPES], 1);
    counter_add(&counters[FAILURES], err ? 1 : 0);
    counter_add(&counters[SAMPLES], err ? 0 : (int64_t)n.kept);

    char text[sizeof(t->last_error)];
    char full[1200];
    snprintf(text, sizeof(text), "%.500s", err ? diag_str(diag, full, sizeof(full)) : "");
    pthread_mutex_lock(&s->lock);
    if (err && t->health != INPUT_SCRAPE_DOWN)
        LOG_DEBUG("input", "scrape failed", LOG_SLICE("url", t->what.url), LOG_STR("error", text));
    t->health = err ? INPUT_SCRAPE_DOWN : INPUT_SCRAPE_UP;
    memcpy(t->last_error, text, sizeof(text));
    t->last_scrape_ns = ts;
    t->last_duration_ns = took;
    t->last_samples = n.scraped;
    pthread_mutex_unlock(&s->lock);
    if (t->waited_for) {
        t->waited_for = false;
        input__scrape_arrived(s);
    }
}

/* --- fetching --- */

static void on_response(const struct net_client_response *resp, void *ctx)
{
    struct target *t = ctx;
    struct diag diag;
    diag_init(&diag);
    t->call = NULL;
    if (resp->err == ERR_CANCELLED) {
        if (t->waited_for) {
            t->waited_for = false;
            input__scrape_arrived(t->worker->scrape);
        }
        return;
    }
    if (!resp->err && resp->status == 401 && t->job->http.oauth2)
        discovery_token_reject(discovery_token_of(t->worker->tokens, t->job->http.oauth2));
    finish(t, resp, &diag);
}

/* `token` is one of OAuth 2, or empty. */
static void fetch(struct target *t, struct slice token)
{
    struct worker *w = t->worker;
    struct input_scrape *s = w->scrape;
    struct os *os = s->env.os;
    const struct input__scrape_job *job = t->job;
    struct net_client_header headers[6];
    struct slice auth;
    struct diag diag;
    diag_init(&diag);
    struct net_client_request req = {
        .url = t->what.url.ptr,
        .accept_compressed = job->compression,
        /* Getting the token took of it. */
        .timeout_ns =
            MAX(t->what.timeout_ns - (os->ops->monotonic_ns(os) - t->begin_mono_ns), NS_PER_MS),
        .response_bytes_max = job->body_size_limit ? (size_t)job->body_size_limit : BODY_BYTES_MAX};
    if (discovery_http_request(os, &job->http, w->arena, &req, &auth, &diag)) {
        finish(t, NULL, &diag);
        return;
    }
    if (token.len)
        auth = arena_printf(w->arena, "Bearer %.*s", SLICE_FMT(token));
    size_t n = 0;
    headers[n++] = (struct net_client_header){SLICE("Accept"), slice_cstr(job->accept)};
    headers[n++] = (struct net_client_header){
        SLICE("User-Agent"),
        arena_printf(w->arena, "Pharos/%s", s->env.version ? s->env.version : "0")};
    headers[n++] = (struct net_client_header){
        SLICE("X-Prometheus-Scrape-Timeout-Seconds"),
        arena_printf(w->arena, "%g", (double)t->what.timeout_ns / (double)NS_PER_SEC)};
    if (!job->compression)
        headers[n++] = (struct net_client_header){SLICE("Accept-Encoding"), SLICE("identity")};
    if (auth.ptr)
        headers[n++] = (struct net_client_header){SLICE("Authorization"), auth};
    struct net_client_header *all =
        arena_alloc(w->arena, (n + job->http.header_count) * sizeof(*all));
    memcpy(all, headers, n * sizeof(*all));
    if (job->http.header_count)
        memcpy(all + n, job->http.headers, job->http.header_count * sizeof(*all));
    req.headers = all;
    req.header_count = n + job->http.header_count;
    t->call = net_client_send(w->client, &req, on_response, t);
    arena_reset(w->arena);
}

static void on_token(void *ctx, struct slice token, const struct diag *diag)
{
    struct target *t = ctx;
    struct diag own;
    if (!diag) {
        fetch(t, token);
        return;
    }
    own = *diag;
    finish(t, NULL, &own);
}

void input__target_scrape(struct target *t, int64_t ts_ns)
{
    struct os *os = t->worker->scrape->env.os;
    struct slice token = SLICE("");
    struct diag diag;
    diag_init(&diag);
    t->scheduled_ns = ts_ns;
    t->begin_mono_ns = os->ops->monotonic_ns(os);
    int err = 0;
    if (t->over_limit)
        err = diag_set(&diag, ERR_LIMIT, "target_limit exceeded (limit: %lld)",
                       (long long)t->job->target_limit);
    else if (t->job->http.oauth2)
        err = discovery_token_get(discovery_token_of(t->worker->tokens, t->job->http.oauth2),
                                  t->what.timeout_ns, &t->token, &token, &diag);
    if (!err)
        fetch(t, token);
    else if (err != ERR_AGAIN)
        finish(t, NULL, &diag);
}

/* --- the clock --- */

static void on_tick(void *ctx);

static void schedule(struct target *t)
{
    int64_t now = input__scrape_now(t->worker->scrape), interval = t->what.interval_ns;
    if (t->next_ns <= now) /* late by whole intervals (a suspended machine): skip them */
        t->next_ns += ((now - t->next_ns) / interval + 1) * interval;
    else if (t->next_ns - now > 2 * interval) /* the clock was set back */
        t->next_ns = now + interval;
    t->timer = net_timer_start(t->worker->loop, t->next_ns - now, 0, on_tick, t);
}

static void on_tick(void *ctx)
{
    struct target *t = ctx;
    net_timer_stop(t->timer);
    t->timer = NULL;
    int64_t now = input__scrape_now(t->worker->scrape), ideal = t->next_ns;
    int64_t tolerance = MIN(SNAP_MAX_NS, t->what.interval_ns / 100), off = now - ideal;
    if (off < -NS_PER_MS) { /* timers round to milliseconds and may be early after a clock change */
        schedule(t);
        return;
    }
    if (!t->call && !t->token.on)
        input__target_scrape(t, off <= tolerance && off >= -tolerance ? ideal : now);
    schedule(t);
}

void input__target_start(struct target *t)
{
    struct worker *w = t->worker;
    t->token.done = on_token;
    t->token.ctx = t;
    t->next = w->targets;
    if (t->next)
        t->next->prev = t;
    w->targets = t;
    if (w->scrape->manual)
        return;
    /* Each target has its own place within the interval, the same after a restart. */
    int64_t now = input__scrape_now(w->scrape), interval = t->what.interval_ns;
    uint64_t hash = hash64(t->key.ptr, t->key.len, 0);
    int64_t offset = (int64_t)(hash % (uint64_t)interval);
    t->next_ns = now - now % interval + offset;
    if (t->next_ns <= now)
        t->next_ns += interval;
    schedule(t);
}

void input__target_end(struct target *t, bool markers)
{
    struct worker *w = t->worker;
    net_timer_stop(t->timer);
    if (t->call)
        net_client_cancel(t->call);
    if (t->token.on) {
        discovery_token_forget(&t->token);
        if (t->waited_for)
            input__scrape_arrived(w->scrape);
        t->waited_for = false;
    }
    if (t->prev)
        t->prev->next = t->next;
    else
        w->targets = t->next;
    if (t->next)
        t->next->prev = t->prev;
    if (markers && t->last_scrape_ns) {
        int64_t ts = MAX(input__scrape_now(w->scrape), t->last_scrape_ns + NS_PER_MS);
        add_markers(t, 0, ts);
        int count = t->job->extra_metrics ? REPORT_COUNT : REPORT_TIMEOUT;
        for (int i = 0; i < count; i++)
            add_key_sample(w->batch, t->report_keys[i], ts, data_stale_nan());
        hand_over(t);
    }
    free_target(t);
}
