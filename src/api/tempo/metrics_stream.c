/* Series over a range that are told in parts, from the newest steps to the oldest. All messages
 * together are what the answer of HTTP is. */
#include "api/tempo/metrics_priv.h"

#define PARTS 8 /* of a range, if it takes long; one more by rounding */

void tempo__stream_open(struct tempo__metrics *st)
{
    struct tempo__stream *s = &st->stream;
    int64_t least_ns = traceql_range_min_ns(st->parsed, &s->zeros);
    s->left_ns = st->end_ns;
    s->window_ns = MAX((st->end_ns - st->start_ns) / PARTS, least_ns);
    s->ids = map_new();
}

void tempo__stream_free(struct tempo__stream *s)
{
    vec_free(&s->parts);
    vec_free(&s->series);
    map_free(s->ids);
    s->ids = NULL;
}

/* --- what is 0 in parts without it --- */

/* NULL: out of memory. */
static struct tempo__part_series *series_of(struct api_job *job, struct data_labels labels)
{
    struct tempo__stream *s = &((struct tempo__metrics *)job->state)->stream;
    struct buf key = {0};
    bool added;
    for (size_t i = 0; i < labels.count; i++) {
        const struct slice parts[] = {labels.items[i].name, labels.items[i].value};
        for (size_t k = 0; k < ARRAY_LEN(parts); k++) {
            buf_append(&key, &parts[k].len, sizeof(parts[k].len));
            buf_append_slice(&key, parts[k]);
        }
    }
    struct map_entry *e = map_put(s->ids, buf_slice(&key), &added);
    buf_deinit(&key);
    if (added) {
        struct tempo__part_series it = {.labels = data_labels_copy(job->arena, labels)};
        e->value.u64 = s->series.len;
        vec_push(&s->series, it);
    }
    struct tempo__part_series *out = &s->series.items[e->value.u64];
    return out->labels.count == labels.count ? out : NULL;
}

static void put_zeros(const struct tempo__metrics *st, const struct tempo__part_series *series,
                      bool more, struct buf *out)
{
    const struct tempo__stream *s = &st->stream;
    for (size_t i = s->parts.len; i-- > 0;) {
        const struct tempo__part *p = &s->parts.items[i];
        for (int64_t k = 0; k < p->count && !(series->parts >> i & 1); k++) {
            buf_printf(out, "%s{\"timestampMs\":\"%lld\",\"value\":0}", more ? "," : "",
                       (long long)((p->first_ns + k * st->step_ns) / NS_PER_MS));
            more = true;
        }
    }
}

static void put_series(const struct tempo__metrics *st, struct data_labels labels,
                       const struct query_series *found, const struct tempo__part_series *known,
                       struct buf *out)
{
    buf_append_cstr(out, out->ptr[out->len - 1] == '[' ? "" : ",");
    buf_append_cstr(out, "{\"labels\":");
    tempo__put_labels(st->parsed, labels, out);
    buf_append_cstr(out, ",\"samples\":[");
    if (found)
        tempo__put_samples(found, out);
    if (known)
        put_zeros(st, known, found && found->count, out);
    buf_append_char(out, ']');
    if (found)
        tempo__put_exemplars(&st->exemplars, (size_t)(found - st->result.series), out);
    buf_append_char(out, '}');
}

/* --- messages --- */

static int put_part(struct api_job *job, bool last, struct diag *diag)
{
    struct tempo__metrics *st = job->state;
    struct tempo__stream *s = &st->stream;
    const uint64_t all = ((uint64_t)2 << (s->parts.len - 1)) - 1, now = all ^ (all >> 1);
    const struct tempo__part *part = &s->parts.items[s->parts.len - 1];
    struct traceql_stats stats = st->stats;
    struct buf json = {0};
    /* How far it is: steps. */
    stats.pieces = (uint64_t)((st->end_ns - st->start_ns) / st->step_ns);
    stats.pieces_done = (uint64_t)((st->end_ns - part->first_ns) / st->step_ns) + 1;
    buf_append_cstr(&json, "{\"series\":[");
    for (size_t i = 0; i < st->result.series_count; i++) {
        const struct query_series *found = &st->result.series[i];
        struct tempo__part_series *known = NULL;
        if (s->zeros && !(known = series_of(job, found->labels))) {
            buf_deinit(&json);
            return diag_set(diag, ERR_NOMEM,
                            "the query needs more memory than it may use "
                            "(limits.query.memory)");
        }
        if (known)
            known->parts |= now;
        put_series(st, found->labels, found, last ? known : NULL, &json);
    }
    for (size_t i = 0; i < s->series.len && last; i++) {
        const struct tempo__part_series *known = &s->series.items[i];
        if (!(known->parts & now))
            put_series(st, known->labels, NULL, known, &json);
    }
    buf_append_cstr(&json, "],");
    tempo__put_stats(&stats, &json);
    buf_append_char(&json, '}');
    tempo__put_message(buf_slice(&json), tempo__range_answer, &job->out);
    buf_deinit(&json);
    return 0;
}

/* The first parts are short, so that something is seen soon; where that costs little, the next one
 * is longer. */
bool tempo__stream_produce(struct api_job *job)
{
    struct tempo__metrics *st = job->state;
    struct tempo__stream *s = &st->stream;
    const struct traceql_exemplars all = st->exemplars;
    int64_t begin_ns = api__monotonic_ns(), first_ns = st->start_ns + st->step_ns;
    int64_t left = (s->left_ns - first_ns) / st->step_ns + 1;
    int64_t count = MIN(left, MAX(s->window_ns / st->step_ns, 1));
    const struct query_steps steps = {.start_ns = s->left_ns - (count - 1) * st->step_ns,
                                      .end_ns = s->left_ns,
                                      .step_ns = st->step_ns};
    struct tempo__part part = {steps.start_ns, count};
    struct arena *arena = arena_new(0, &job->memory);
    struct diag diag;
    diag_init(&diag);
    vec_push(&s->parts, part);
    if (all.max) /* of those that are left, by steps */
        st->exemplars.max = MAX(all.max * (size_t)count / (size_t)left, (size_t)1);
    int err = tempo__metrics_eval(job, &steps, arena, &diag);
    if (!err)
        err = put_part(job, count == left, &diag);
    if (err)
        api__plain_job_fail(job, err, &diag);
    arena_free(arena);
    size_t told = st->exemplars.count;
    st->exemplars = all;
    st->exemplars.max -= MIN(told, all.max);
    s->left_ns -= count * st->step_ns;
    if (api__monotonic_ns() - begin_ns < TEMPO__TELL_NS && s->window_ns < INT64_MAX / 2)
        s->window_ns *= 2;
    job->flush = true;
    return err || count == left;
}
