/* patterns: what the lines of a range have in common, found when it is asked for. */
#include <stdlib.h>

#include "api/loki/door_priv.h"
#include "base/map.h"
#include "base/mem.h"
#include "codec/json_read.h"
#include "text/log_pattern.h"

#define SINCE        (3600 * NS_PER_SEC)
#define PATTERNS_MAX 1000 /* found; of these */
#define SHOWN_MAX    300  /* the most frequent are told */
#define LINES_MAX    200000
#define STEPS_MAX    11000

struct patterns_state {
    struct loki__scope scope;
    int64_t step_ns;
    bool may_be_partial;
    struct logql_partial partial;
};

/* JSON is told by its message alone: its patterns are apart from those of whole lines. */
enum kind { OF_LINES, OF_MESSAGES, KIND_COUNT };

/* A pattern at a level. */
struct found {
    enum kind kind;
    size_t pattern; /* the first of those that read the same */
    enum data_event_level level;
    uint64_t total;
    uint32_t *counts; /* one a step */
};

struct mining {
    struct api_job *job;
    struct text_log_patterns *patterns[KIND_COUNT];
    VEC(struct found) all;
    uint32_t *of[KIND_COUNT]; /* pattern * DATA_LEVEL_COUNT + level -> index of all + 1 */
    int64_t first_ns, step_ns;
    size_t steps;
    int64_t read_ns; /* the oldest line so far */
    bool any;
};

/* As it stands in the line, so that the pattern finds it there; empty when there is none. */
static struct slice message_of(struct slice line, struct arena *scratch)
{
    static const char *const names[] = {"log", "message", "msg", "msg_", "_msg", "content"};
    struct slice key, value;
    arena_reset(scratch);
    struct codec_json_reader r = codec_json_reader(line, scratch, NULL);
    r.utf8 = CODEC_JSON_UTF8_KEEP;
    codec_json_read_object(&r);
    while (codec_json_next_key(&r, &key)) {
        enum codec_json_kind kind;
        for (size_t i = 0; i < ARRAY_LEN(names); i++) {
            if (slice_eq_cstr(key, names[i]) && codec_json_peek(&r, &kind) &&
                kind == CODEC_JSON_STRING && codec_json_read_raw(&r, &value) && value.len >= 2)
                return slice_make(value.ptr + 1, value.len - 2); /* without the quotes */
        }
    }
    return SLICE("");
}

static int count(struct mining *m, enum kind kind, size_t pattern, enum data_event_level level,
                 int64_t ts_ns)
{
    uint32_t *slot = &m->of[kind][pattern * DATA_LEVEL_COUNT + level];
    if (!*slot) {
        struct found f = {.kind = kind,
                          .pattern = pattern,
                          .level = level,
                          .counts = ARENA_ARRAY(m->job->arena, uint32_t, m->steps)};
        if (!f.counts)
            return ERR_NOMEM;
        vec_push(&m->all, f);
        *slot = (uint32_t)m->all.len;
    }
    struct found *f = &m->all.items[*slot - 1];
    size_t step = (size_t)((ts_ns - m->first_ns) / m->step_ns);
    f->total++;
    f->counts[MIN(step, m->steps - 1)]++;
    return 0;
}

static int mine(struct mining *m, struct store_event_cursor *c, struct diag *diag)
{
    const struct store_event_ops *ops = m->job->logs->ops;
    struct store_event_chunk chunk = {0};
    struct arena *scratch = arena_new(0, NULL);
    int err;
    while (!(err = ops->next(c, &chunk, diag)) && chunk.count) {
        m->read_ns = chunk.ts[chunk.count - 1];
        m->any = true;
        for (size_t i = 0; i < chunk.count && !err; i++) {
            struct data_value line = chunk.columns[0].values[i], level = chunk.columns[1].values[i];
            if (line.kind != DATA_VALUE_STRING)
                continue;
            enum kind kind = line.text.len && line.text.ptr[0] == '{' ? OF_MESSAGES : OF_LINES;
            size_t p = text_log_patterns_add(m->patterns[kind], kind == OF_MESSAGES
                                                                    ? message_of(line.text, scratch)
                                                                    : line.text);
            if (p == SIZE_MAX)
                continue;
            if (count(m, kind, p,
                      level.kind == DATA_VALUE_STRING ? data_event_level_parse(level.text)
                                                      : DATA_LEVEL_UNKNOWN,
                      chunk.ts[i]))
                err = diag_set(diag, ERR_NOMEM,
                               "the patterns need more memory than limits.query.memory allows");
        }
        if (err)
            break;
    }
    store_event_chunk_free(&chunk);
    arena_free(scratch);
    return err;
}

static int by_total(const void *a, const void *b)
{
    const struct found *x = a, *y = b;
    if (x->total != y->total)
        return x->total > y->total ? -1 : 1;
    if (x->kind != y->kind)
        return (int)x->kind - (int)y->kind;
    return x->pattern != y->pattern ? (x->pattern < y->pattern ? -1 : 1)
                                    : (int)x->level - (int)y->level;
}

static void print(const struct mining *m, const struct found *f, struct buf *out)
{
    size_t begin = out->len;
    text_log_patterns_print(m->patterns[f->kind], f->pattern, out);
    if (f->kind == OF_LINES)
        return;
    struct slice text = slice_from(buf_slice(out), begin), any = SLICE("<_>");
    bool before = !slice_starts_with(text, any), behind = !slice_ends_with(text, any);
    if (before) {
        buf_append_slice(out, any); /* room for it */
        memmove(out->ptr + begin + any.len, out->ptr + begin, text.len);
        memcpy(out->ptr + begin, any.ptr, any.len);
    }
    if (behind)
        buf_append_slice(out, any);
}

/* Those that read the same become one: the lines that `|>` finds with it. */
static void join_alike(struct mining *m)
{
    struct map *readings = map_new();
    struct buf text = {0};
    size_t kept = 0;
    for (size_t i = 0; i < m->all.len; i++) {
        struct found f = m->all.items[i];
        bool is_new;
        buf_clear(&text);
        buf_printf(&text, "%d ", f.level);
        print(m, &f, &text);
        struct map_entry *entry = map_put(readings, buf_slice(&text), &is_new);
        if (is_new) {
            entry->value.u64 = kept;
            m->all.items[kept++] = f;
            continue;
        }
        struct found *first = &m->all.items[entry->value.u64];
        first->total += f.total;
        for (size_t k = 0; k < m->steps; k++)
            first->counts[k] += f.counts[k];
    }
    m->all.len = kept;
    buf_deinit(&text);
    map_free(readings);
}

static void put_patterns(struct mining *m, const struct logql_partial *partial)
{
    struct codec_json_writer w;
    struct buf text = {0};
    api__begin(&w, &m->job->out);
    codec_json_begin_array(&w);
    join_alike(m);
    if (m->all.len)
        qsort(m->all.items, m->all.len, sizeof(*m->all.items), by_total);
    for (size_t i = 0; i < m->all.len && i < SHOWN_MAX; i++) {
        const struct found *f = &m->all.items[i];
        buf_clear(&text);
        print(m, f, &text);
        codec_json_begin_object(&w);
        codec_json_put_string(&w, "pattern", buf_slice(&text));
        codec_json_put_string(&w, "level", data_event_level_name(f->level));
        codec_json_key(&w, SLICE("samples"));
        codec_json_begin_array(&w);
        for (size_t k = 0; k < m->steps; k++) {
            if (!f->counts[k])
                continue;
            codec_json_begin_array(&w);
            codec_json_int(&w, (m->first_ns + (int64_t)k * m->step_ns) / NS_PER_SEC);
            codec_json_int(&w, f->counts[k]);
            codec_json_end_array(&w);
        }
        codec_json_end_array(&w);
        codec_json_end_object(&w);
    }
    codec_json_end_array(&w);
    if (partial->cut)
        loki__put_warning(&w, partial);
    codec_json_end_object(&w);
    buf_deinit(&text);
}

static void patterns_work(struct api_job *job)
{
    struct patterns_state *st = job->state;
    const struct store_event_ops *ops = job->logs->ops;
    const struct store_event_field fields[] = {STORE_EVENT_INTRINSIC(DATA_EVENT_LINE),
                                               STORE_EVENT_INTRINSIC(DATA_EVENT_LEVEL)};
    struct store_event_scan scan = {.order = STORE_EVENT_NEWEST_FIRST,
                                    .limit = LINES_MAX,
                                    .fields = fields,
                                    .field_count = ARRAY_LEN(fields)};
    struct store_event_cursor *c = NULL;
    struct diag diag;
    diag_init(&diag);
    if (!loki__scope_select(job, &st->scope, true, &scan.select))
        return;
    int64_t first = st->scope.start_ns / st->step_ns * st->step_ns;
    struct mining m = {
        .job = job,
        .first_ns = first,
        .step_ns = st->step_ns,
        .steps = (size_t)((uint64_t)(st->scope.end_ns - first) / (uint64_t)st->step_ns) + 1};
    for (int k = 0; k < KIND_COUNT; k++) {
        m.patterns[k] = text_log_patterns_new(PATTERNS_MAX);
        m.of[k] = mem_calloc(PATTERNS_MAX * DATA_LEVEL_COUNT, sizeof(uint32_t));
    }
    int err = ops->scan(job->logs, &scan, &c, &diag);
    if (!err)
        err = mine(&m, c, &diag);
    if (c)
        ops->close(c);
    if (st->may_be_partial && (err == ERR_LIMIT || err == ERR_TIMEOUT || err == ERR_NOMEM)) {
        st->partial = (struct logql_partial){
            .cut = true, .lines = true, .why = diag, .has_edge = m.any, .edge_ns = m.read_ns};
        err = 0;
    }
    if (err)
        api__plain_job_fail(job, err, &diag);
    else
        put_patterns(&m, &st->partial);
    for (int k = 0; k < KIND_COUNT; k++) {
        text_log_patterns_free(m.patterns[k]);
        mem_free(m.of[k]);
    }
    vec_free(&m.all);
}

void loki__patterns(struct api_call *call)
{
    struct patterns_state *st = ARENA_NEW(net_request_arena(call->req), struct patterns_state);
    struct api_job *job;
    struct diag diag;
    diag_init(&diag);
    if (!loki__scope_read(call, SINCE, &st->scope))
        return;
    /* Loki samples every ten seconds. */
    if (loki__param_partial(call->req, &st->may_be_partial, &diag) ||
        loki__param_duration(call->req, "step", 10 * NS_PER_SEC, &st->step_ns, &diag)) {
        api__plain_error(call->req, 400, "%s", diag.msg);
        return;
    }
    st->step_ns = MAX((st->step_ns + 9 * NS_PER_SEC) / (10 * NS_PER_SEC), 1) * 10 * NS_PER_SEC;
    uint64_t length = (uint64_t)st->scope.end_ns - (uint64_t)st->scope.start_ns;
    if (length / (uint64_t)st->step_ns >= STEPS_MAX) {
        api__plain_error(call->req, 400, "the step is too small: at most 11,000 steps");
        return;
    }
    if (!(job = loki__job_new(call, patterns_work)))
        return;
    job->state = st;
    job->cleanup = loki__scope_cleanup;
    api_job_start(job, true);
}
