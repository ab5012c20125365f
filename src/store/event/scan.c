/* The cursor: pieces by time, their rows merged; or piece by piece. */
#include <stdlib.h>

#include "store/event/scan_priv.h"
#include "text/regex.h"

#define CHUNK_ROWS   4096
#define PAGES_CACHED ((size_t)64 << 20) /* unpacked texts of all open groups */

/* Leaves the rows that the scan's user wants. */
static int refine(struct store_event_cursor *c, struct scan__open *o, struct diag *diag)
{
    const struct store_event_refine *r = c->req.refine;
    const struct scan__want want = {
        .fields = r->fields, .field_count = r->field_count, .derive = r->derive};
    struct scan__pick *picks = mem_alloc((o->count + 1) * sizeof(*picks));
    bool *keep = mem_alloc(o->count + 1);
    struct store_event_chunk chunk = {0};
    size_t kept = 0;
    for (uint32_t i = 0; i < o->count; i++)
        picks[i] = (struct scan__pick){o, i};
    memset(keep, 1, o->count);
    int err = scan__fill_want(c, &want, picks, o->count, &chunk, diag);
    if (!err)
        r->choose(r->ctx, &chunk, keep);
    for (size_t i = 0; i < o->count && !err; i++) {
        if (keep[i])
            o->hits[kept++] = o->hits[i];
    }
    o->count = err ? o->count : kept;
    store_event_chunk_free(&chunk);
    mem_free(picks);
    mem_free(keep);
    return err;
}

static int open_piece(struct store_event_cursor *c, uint32_t piece, struct scan__open **out,
                      struct diag *diag)
{
    const struct store_event_refine *r = c->req.refine;
    int err = c->pieces.items[piece].part == UINT32_MAX ? scan__open_blocks(c, piece, out, diag)
                                                        : scan__open_group(c, piece, out, diag);
    if (err || !*out || !r || (r->off && *r->off))
        return err;
    err = refine(c, *out, diag);
    if (err || !(*out)->count) {
        scan__close(c, *out);
        *out = NULL;
    }
    return err;
}

/* --- morsels --- */

size_t scan__morsel_count(struct store_event_cursor *c)
{
    return c->pieces.len;
}

static void morsel_times(struct store_event_cursor *c, size_t i, int64_t *t_min_ns,
                         int64_t *t_max_ns)
{
    *t_min_ns = c->pieces.items[i].t_min;
    *t_max_ns = c->pieces.items[i].t_max;
}

int scan__morsel_read(struct store_event_cursor *c, size_t i, struct store_event_chunk *out,
                      struct diag *diag)
{
    struct scan__open *o;
    int err = open_piece(c, (uint32_t)i, &o, diag);
    size_t count = !err && o ? o->count : 0;
    struct scan__pick *picks = mem_alloc(count * sizeof(*picks));
    for (uint32_t k = 0; k < count; k++)
        picks[k] = (struct scan__pick){o, k};
    if (!err)
        err = scan__fill(c, picks, count, out, diag);
    mem_free(picks);
    scan__close(c, o);
    return err;
}

/* --- in order --- */

/* Oldest first; of one time by stream, then by arrival. */
static int compare(const struct store_event_cursor *c, const struct scan__hit *a, uint32_t a_piece,
                   const struct scan__hit *b, uint32_t b_piece)
{
    if (a->ts != b->ts)
        return a->ts < b->ts ? -1 : 1;
    if (a->stream != b->stream) {
        struct hash128 x = c->streams[a->stream].id, y = c->streams[b->stream].id;
        if (x.hi != y.hi)
            return x.hi < y.hi ? -1 : 1;
        return x.lo < y.lo ? -1 : 1;
    }
    if (a_piece != b_piece)
        return a_piece < b_piece ? -1 : 1;
    return (a->row > b->row) - (a->row < b->row);
}

static int oldest_first(const void *a, const void *b, void *ctx)
{
    return compare(ctx, a, 0, b, 0);
}

static int newest_first(const void *a, const void *b, void *ctx)
{
    return compare(ctx, b, 0, a, 0);
}

static int pieces_oldest(const void *a, const void *b, void *ctx)
{
    const struct store_event_cursor *c = ctx;
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    int64_t tx = c->pieces.items[x].t_min, ty = c->pieces.items[y].t_min;
    return tx != ty ? (tx < ty ? -1 : 1) : (x > y) - (x < y);
}

static int pieces_newest(const void *a, const void *b, void *ctx)
{
    const struct store_event_cursor *c = ctx;
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    int64_t tx = c->pieces.items[x].t_max, ty = c->pieces.items[y].t_max;
    return tx != ty ? (tx > ty ? -1 : 1) : (x < y) - (x > y);
}

static void order_pieces(struct store_event_cursor *c)
{
    if (c->order || !c->pieces.len)
        return;
    c->order = mem_alloc(c->pieces.len * sizeof(*c->order));
    for (uint32_t i = 0; i < c->pieces.len; i++)
        c->order[i] = i;
    qsort_r(c->order, c->pieces.len, sizeof(*c->order),
            c->req.order == STORE_EVENT_NEWEST_FIRST ? pieces_newest : pieces_oldest, c);
}

/* The open piece whose next row comes next; NULL when there is none. */
static struct scan__open *front(const struct store_event_cursor *c)
{
    struct scan__open *best = NULL;
    for (size_t i = 0; i < c->open.len; i++) {
        struct scan__open *o = c->open.items[i];
        if (o->next == o->count)
            continue;
        if (!best) {
            best = o;
            continue;
        }
        int d = compare(c, &o->hits[o->next], o->number, &best->hits[best->next], best->number);
        if (c->req.order == STORE_EVENT_NEWEST_FIRST ? d > 0 : d < 0)
            best = o;
    }
    return best;
}

/* A piece that is not open yet may have a row that comes before (or beside) `o`'s next one. */
static bool must_open(const struct store_event_cursor *c, const struct scan__open *o)
{
    if (c->opened == c->pieces.len)
        return false;
    if (!o)
        return true;
    const struct scan__piece *p = &c->pieces.items[c->order[c->opened]];
    int64_t ts = o->hits[o->next].ts;
    return c->req.order == STORE_EVENT_NEWEST_FIRST ? p->t_max >= ts : p->t_min <= ts;
}

/* Pieces being opened side by side. */
struct opening {
    struct store_event_cursor *c;
    const uint32_t *order; /* or NULL */
    size_t first;
    struct {
        struct scan__open *open;
        struct diag diag;
        int err;
    } * pieces;
};

static void open_one(void *ctx, size_t i)
{
    struct opening *job = ctx;
    struct store_event_cursor *c = job->c;
    struct scan__open *o = NULL;
    struct diag *diag = &job->pieces[i].diag;
    size_t at = job->first + i;
    uint64_t overruns = text_regex_overruns();
    diag_init(diag);
    int err = open_piece(c, job->order ? job->order[at] : (uint32_t)at, &o, diag);
    /* On this thread nobody else looks. */
    if (!err && text_regex_overruns() != overruns) {
        scan__close(c, o);
        o = NULL;
        err = text_regex_check(overruns, "a regular expression of the query", diag);
    }
    job->pieces[i].err = err;
    job->pieces[i].open = err ? NULL : o;
}

int scan__open_pieces(struct store_event_cursor *c, const uint32_t *order, size_t first,
                      size_t count, struct scan__open **out, struct diag *diag)
{
    struct task_pool *pool = c->req.pool;
    struct opening job = {.c = c, .order = order, .first = first};
    int err = 0;
    job.pieces = mem_calloc(count, sizeof(*job.pieces));
    if (count > 1 && pool)
        pool->parallel(pool, TASK_INTERACTIVE, count, pool->width, open_one, &job);
    for (size_t i = 0; i < count && !(count > 1 && pool); i++)
        open_one(&job, i);
    for (size_t i = 0; i < count; i++) {
        out[i] = job.pieces[i].open;
        if (job.pieces[i].err && !err)
            err = diag_set(diag, job.pieces[i].err, "%s", job.pieces[i].diag.msg);
    }
    mem_free(job.pieces);
    return err;
}

/* The next pieces, at most so many. */
static int open_next(struct store_event_cursor *c, size_t count, struct diag *diag)
{
    count = MIN(count, c->pieces.len - c->opened);
    struct scan__open **opened = mem_calloc(count, sizeof(*opened));
    int err = scan__open_pieces(c, c->order, c->opened, count, opened, diag);
    for (size_t i = 0; i < count; i++) {
        struct scan__open *o = opened[i];
        if (!o)
            continue;
        qsort_r(o->hits, o->count, sizeof(*o->hits),
                c->req.order == STORE_EVENT_NEWEST_FIRST ? newest_first : oldest_first, c);
        vec_push(&c->open, o);
    }
    c->opened += count;
    mem_free(opened);
    return err;
}

/* Those that are read to their end; and unpacked texts, when there are too many. */
static void tidy(struct store_event_cursor *c)
{
    size_t kept = 0, cached = 0;
    for (size_t i = 0; i < c->open.len; i++) {
        struct scan__open *o = c->open.items[i];
        if (o->next == o->count) {
            scan__close(c, o);
            continue;
        }
        c->open.items[kept++] = o;
        for (size_t k = 0; o->columns && k < o->group.all_count; k++)
            cached += o->loaded[k] ? o->columns[k].page_memory : 0;
    }
    c->open.len = kept;
    for (size_t i = 0; cached > PAGES_CACHED && i < kept; i++) {
        struct scan__open *o = c->open.items[i];
        for (size_t k = 0; o->columns && k < o->group.all_count; k++) {
            if (o->loaded[k])
                store_column_drop_pages(&o->columns[k]);
        }
    }
}

static int by_open(const void *a, const void *b)
{
    const struct scan__pick *x = a, *y = b;
    if (x->open != y->open)
        return x->open->number < y->open->number ? -1 : 1;
    uint32_t rx = x->open->hits[x->hit].row, ry = y->open->hits[y->hit].row;
    return (rx > ry) - (rx < ry);
}

/* Rows are filled piece by piece, in the order in which they are stored, and then put in theirs. */
static int fill_ordered(struct store_event_cursor *c, const struct scan__pick *picks, size_t count,
                        struct store_event_chunk *out, struct diag *diag)
{
    struct scan__pick *stored = mem_dup(picks, count * sizeof(*picks));
    qsort(stored, count, sizeof(*stored), by_open);
    int err = scan__fill(c, stored, count, out, diag);
    if (!err) {
        /* at[i]: where the i-th in order was filled */
        uint32_t *at = mem_alloc((count + 1) * sizeof(*at));
        for (uint32_t i = 0; i < count; i++) {
            const struct scan__pick *p =
                bsearch(&picks[i], stored, count, sizeof(*stored), by_open);
            at[i] = (uint32_t)(p - stored);
        }
        if (scan__permute(out, out->told ? c->req.derive->count : 0, at, count))
            err = scan__no_memory(&c->req.select, diag);
        mem_free(at);
    }
    mem_free(stored);
    return err;
}

static int next(struct store_event_cursor *c, struct store_event_chunk *out, struct diag *diag)
{
    struct scan__pick *picks = mem_alloc(CHUNK_ROWS * sizeof(*picks));
    size_t count = 0, max = CHUNK_ROWS, batch = 1;
    size_t batch_max = c->req.pool ? MAX(2 * c->req.pool->width, (size_t)1) : 1;
    int err = scan__check(c, diag);
    if (c->req.limit)
        max = MIN(max, c->req.limit - MIN(c->delivered, c->req.limit));
    order_pieces(c);
    while (count < max && !err) {
        struct scan__open *o = front(c);
        while (must_open(c, o) && !err) {
            /* One often has enough; where it had not, many will be needed. */
            err = open_next(c, batch, diag);
            batch = MIN(2 * batch, batch_max);
            o = front(c);
        }
        if (!o || err)
            break;
        picks[count++] = (struct scan__pick){o, (uint32_t)o->next++};
    }
    if (!err)
        err = count ? fill_ordered(c, picks, count, out, diag) : scan__fill(c, picks, 0, out, diag);
    c->delivered += err ? 0 : count;
    tidy(c);
    mem_free(picks);
    return err;
}

static void cursor_stats(struct store_event_cursor *c, struct store_event_stats *out)
{
    pthread_mutex_lock(&c->lock);
    *out = c->stats;
    pthread_mutex_unlock(&c->lock);
    if (c->order)
        out->skipped_by_limit = c->pieces.len - c->opened;
}

static uint32_t caps(struct store_event_source *src)
{
    (void)src;
    return STORE_EVENT_CAP_PREDICATES | STORE_EVENT_CAP_COUNTS | STORE_EVENT_CAP_TRACES |
           STORE_EVENT_CAP_TAIL;
}

static uint64_t position(struct store_event_source *src)
{
    return BASE_CONTAINER_OF(src, struct store__events, source)->position;
}

static void stats(struct store_event_source *src, struct store_event_source_stats *out)
{
    store__event_source_stats(BASE_CONTAINER_OF(src, struct store__events, source), out);
}

const struct store_event_ops scan__ops = {
    .caps = caps,
    .streams = scan__streams,
    .scan = scan__open_cursor,
    .next = next,
    .morsel_count = scan__morsel_count,
    .morsel_times = morsel_times,
    .morsel_read = scan__morsel_read,
    .cursor_stats = cursor_stats,
    .close = scan__close_cursor,
    .counts = scan__counts,
    .label_names = scan__label_names,
    .label_values = scan__label_values,
    .fields = scan__fields,
    .may_have = scan__may_have,
    .field_values = scan__field_values,
    .traces = scan__traces,
    .position = position,
    .stats = stats,
};
