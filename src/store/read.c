/* Samples of one selected series after the other. What was scraped together has the same times: a
 * reader keeps the columns of times it came upon, and decodes only values from then on. */
#include <math.h>

#include "codec/bytes.h"
#include "codec/column.h"
#include "store/selection_priv.h"

#define CACHE_BYTES ((size_t)16 << 20) /* a reader, and not more than a share of its memory */
#define CACHE_SHARE 16

/* The times of a list of blocks, in a row. */
struct column {
    struct hash128 id;
    int64_t *ts;
    size_t count, begin, end; /* [begin, end) is in the range that is read */
    bool ascending;
};

struct store_times_cache {
    uint64_t selection;
    int64_t t_min, t_max;
    struct column **table; /* by id; power of two */
    size_t size, count, bytes;
    struct budget *memory;
    int64_t charged;
    /* The series at hand. */
    store_part_block_list blocks;
    VEC(struct store_part *) part_of; /* one a block */
    VEC(uint64_t) key;
};

static void forget(struct store_times_cache *c)
{
    for (size_t i = 0; i < c->size; i++) {
        if (c->table[i])
            mem_free(c->table[i]->ts);
        mem_free(c->table[i]);
    }
    mem_free(c->table);
    if (c->memory)
        budget_give(c->memory, c->charged);
    c->table = NULL;
    c->size = c->count = c->bytes = 0;
    c->charged = 0;
}

static void grow(struct store_times_cache *c)
{
    size_t size = c->size ? c->size * 2 : 64;
    struct column **table = mem_calloc(size, sizeof(struct column *));
    for (size_t i = 0; i < c->size; i++) {
        size_t at = c->table[i] ? c->table[i]->id.lo & (size - 1) : 0;
        while (c->table[i] && table[at])
            at = (at + 1) & (size - 1);
        if (c->table[i])
            table[at] = c->table[i];
    }
    mem_free(c->table);
    c->table = table;
    c->size = size;
}

/* Each time is behind the one before, as it nearly always is. Times are far from overflow. */
static bool ascending(const int64_t *ts, size_t count)
{
    int64_t wrong = 0;
    for (size_t i = 1; i < count; i++)
        wrong |= ts[i] - ts[i - 1] - 1;
    return wrong >= 0;
}

static size_t first_from(const int64_t *ts, size_t count, int64_t t)
{
    size_t lo = 0, hi = count;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (ts[mid] < t)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

static size_t first_behind(const int64_t *ts, size_t count, int64_t t)
{
    return t == INT64_MAX ? count : first_from(ts, count, t + 1);
}

static struct column *find(const struct store_times_cache *c, struct hash128 id)
{
    size_t at = c->size ? id.lo & (c->size - 1) : 0;
    while (c->size && c->table[at] && !hash128_eq(c->table[at]->id, id))
        at = (at + 1) & (c->size - 1);
    return c->size ? c->table[at] : NULL;
}

/* For a column more, which is charged then. */
static bool has_room(struct store_times_cache *c, size_t count)
{
    size_t bytes = sizeof(struct column) + count * sizeof(int64_t), most = CACHE_BYTES;
    if (c->memory && c->memory->limit)
        most = MIN(most, (size_t)c->memory->limit / CACHE_SHARE);
    if (c->bytes + bytes > most || (c->memory && !budget_take(c->memory, (int64_t)bytes)))
        return false;
    c->charged += c->memory ? (int64_t)bytes : 0;
    return true;
}

static struct column *column_new(struct hash128 id, size_t count)
{
    struct column *col = mem_calloc(1, sizeof(*col));
    *col = (struct column){.id = id, .ts = mem_alloc(count * sizeof(*col->ts)), .count = count};
    return col;
}

/* Filled, and not there yet. */
static void insert(struct store_times_cache *c, struct column *col)
{
    if (c->count * 2 >= c->size)
        grow(c);
    size_t at = col->id.lo & (c->size - 1);
    while (c->table[at])
        at = (at + 1) & (c->size - 1);
    c->table[at] = col;
    c->count++;
    c->bytes += sizeof(*col) + col->count * sizeof(*col->ts);
    col->ascending = ascending(col->ts, col->count);
    col->begin = first_from(col->ts, col->count, c->t_min);
    col->end = MAX(first_behind(col->ts, col->count, c->t_max), col->begin);
}

/* The column of the cache's blocks; NULL when it cannot be read. */
static const struct column *column_of(struct store_times_cache *c)
{
    struct hash128 id = hash128(c->key.items, c->key.len * sizeof(*c->key.items));
    struct column *col = find(c, id);
    size_t count = 0, at = 0;
    if (col)
        return col;
    for (size_t i = 0; i < c->blocks.len; i++)
        count += c->blocks.items[i].count;
    if (!has_room(c, count))
        forget(c);
    col = column_new(id, count);
    for (size_t i = 0; i < c->blocks.len; i++) {
        if (store_part_times(c->part_of.items[i], &c->blocks.items[i], col->ts + at)) {
            mem_free(col->ts);
            mem_free(col);
            return NULL;
        }
        at += c->blocks.items[i].count;
    }
    insert(c, col);
    return col;
}

/* The column of parts and what the head has behind it, which lies at its place in `run`. `col` may
 * be gone then. */
static const struct column *column_behind(struct store_times_cache *c, const struct column *col,
                                          const struct store_run *run)
{
    struct hash128 id = hash128(run->ts + col->count, (run->len - col->count) * sizeof(*run->ts));
    id = (struct hash128){id.hi ^ col->id.lo, id.lo ^ col->id.hi};
    struct column *both = find(c, id);
    if (both)
        return both;
    both = column_new(id, run->len);
    if (col->count)
        memcpy(both->ts, col->ts, col->count * sizeof(*both->ts));
    if (run->len > col->count)
        memcpy(both->ts + col->count, run->ts + col->count,
               (run->len - col->count) * sizeof(*both->ts));
    if (!has_room(c, run->len))
        forget(c);
    insert(c, both);
    return both;
}

/* What codec_doubles_decode_facts tells of a column, of any values. */
static unsigned facts_of(const double *v, size_t count)
{
    bool odd = false, whole = true;
    for (size_t i = 0; i < count; i++) {
        uint64_t bits = codec_double_bits(v[i]);
        odd |= (bits & UINT64_C(0x7ff0000000000000)) == UINT64_C(0x7ff0000000000000) ||
               bits == UINT64_C(1) << 63;
        whole &= v[i] == trunc(v[i]);
    }
    return odd ? 0 : CODEC_DOUBLES_ORDINARY | (whole ? CODEC_DOUBLES_INTEGERS : 0);
}

/* Lists the series' blocks. False when a part contradicts itself. */
static bool find_blocks(struct store_selection *sel, const struct store__selected *one,
                        struct store_times_cache *c)
{
    vec_clear(&c->blocks);
    vec_clear(&c->part_of);
    vec_clear(&c->key);
    for (size_t k = 0; k < one->part_count; k++) {
        uint32_t part = one->parts[k].part;
        if (store_part_blocks(sel->parts.items[part], &one->parts[k].rows, c->t_min, c->t_max,
                              &c->blocks))
            return false;
        while (c->part_of.len < c->blocks.len) {
            vec_push(&c->key, (uint64_t)part << 32 | c->blocks.items[c->part_of.len].times);
            vec_push(&c->part_of, sel->parts.items[part]);
        }
    }
    return true;
}

/* Columns that are there are used. False when the series is not of the usual kind, for the general
 * way to read: parts that overlap, histograms, start timestamps, damage. */
static bool read_usual(struct store_selection *sel, const struct store__selected *one,
                       struct store_times_cache *c, struct store_samples *out)
{
    struct store_run run = {.ts = out->own_ts, .value = out->own_value, .cap = out->cap};
    const struct column *col = find_blocks(sel, one, c) ? column_of(c) : NULL;
    unsigned facts = CODEC_DOUBLES_ORDINARY | CODEC_DOUBLES_INTEGERS, more;
    if (!col || !col->ascending)
        return false;
    store_run_reserve(&run, col->count);
    int err = 0;
    for (size_t i = 0, at = 0; i < c->blocks.len && !err && !run.hist && !run.start; i++) {
        err = store_part_values(c->part_of.items[i], &c->blocks.items[i], &run, at, &more);
        at += c->blocks.items[i].count;
        facts &= more;
    }
    run.len = col->count;
    bool usual = !err && !run.hist && !run.start;
    if (usual && (one->head[0] || one->head[1])) {
        for (size_t k = 0; k < ARRAY_LEN(one->head) && !err; k++) {
            if (one->head[k])
                err = store_tail_read(one->head[k], &run);
        }
        facts &= facts_of(run.value + col->count, run.len - col->count);
        col = err || run.hist || run.start ? NULL : column_behind(c, col, &run);
        usual = col && col->ascending;
    }
    out->own_ts = run.ts;
    out->own_value = run.value;
    out->cap = run.cap;
    mem_free(run.hist);
    mem_free(run.start);
    if (!usual)
        return false;
    out->times_id = col->id;
    out->count = col->end - col->begin;
    out->ts = col->ts + col->begin;
    out->value = run.value + col->begin;
    out->ordinary = facts & CODEC_DOUBLES_ORDINARY;
    out->integers = facts & CODEC_DOUBLES_INTEGERS;
    return true;
}

static int give_histograms(const struct slice *packed, struct store_samples *out)
{
    int err = 0;
    bool any = false;
    for (size_t k = 0; packed && k < out->count && !any; k++)
        any = packed[k].ptr != NULL;
    if (!any)
        return 0;
    out->histogram = mem_calloc(out->count, sizeof(*out->histogram));
    if (out->arena)
        arena_reset(out->arena);
    else
        out->arena = arena_new(0, NULL);
    for (size_t k = 0; k < out->count && !err; k++) {
        struct data_histogram *h = NULL;
        if (packed[k].ptr)
            err = store_histogram_decode(packed[k], out->arena, &h);
        out->histogram[k] = h;
    }
    return err;
}

static int read_any(struct store_selection *sel, const struct store__selected *one, int64_t t_min,
                    int64_t t_max, struct store_samples *out, struct diag *diag)
{
    /* Decoded into the columns of `out` themselves. */
    struct store_run run = {.ts = out->own_ts, .value = out->own_value, .cap = out->cap};
    int err = 0;
    for (size_t k = 0; k < one->part_count; k++) {
        struct store_part *part = sel->parts.items[one->parts[k].part];
        size_t before = run.len;
        if (store_part_read(part, &one->parts[k].rows, t_min, t_max, &run)) {
            /* The rest goes on being served; the damage is reported once, and its file kept aside.
             */
            run.len = before;
            store__quarantine(sel->store, part);
        }
    }
    for (size_t k = 0; k < ARRAY_LEN(one->head) && !err; k++) {
        if (one->head[k])
            err = store_tail_read(one->head[k], &run);
    }
    if (err)
        diag_set(diag, err, "samples in memory are damaged");
    if (!ascending(run.ts, run.len))
        store_run_sort(&run);
    size_t begin = first_from(run.ts, run.len, t_min);
    size_t end = first_behind(run.ts, run.len, t_max);
    out->own_ts = run.ts;
    out->own_value = run.value;
    out->cap = run.cap;
    out->count = MAX(begin, end) - begin;
    out->ts = run.ts + begin;
    out->value = run.value + begin;
    if (!err && run.hist && (err = give_histograms(run.hist + begin, out)))
        diag_set(diag, err, "a stored histogram is damaged");
    mem_free(run.hist);
    if (run.start && begin)
        memmove(run.start, run.start + begin, out->count * sizeof(*run.start));
    out->start = run.start;
    return err;
}

/* Series come in the order of their ids, which is none to the part: the next ones are fetched while
 * this one is read. */
static void prefetch(const struct store_selection *sel, size_t i)
{
    if (i + 8 < sel->series.len)
        __builtin_prefetch(sel->series.items[i + 8]);
    if (i + 4 < sel->series.len) {
        const struct store__selected *one = sel->series.items[i + 4];
        for (size_t k = 0; k < one->part_count; k++)
            store_part_prefetch(sel->parts.items[one->parts[k].part], &one->parts[k].rows);
    }
}

int store__selection_read(struct store_selection *sel, size_t i, int64_t t_min, int64_t t_max,
                          struct store_samples *out, struct diag *diag)
{
    const struct store__selected *one = sel->series.items[i];
    prefetch(sel, i);
    store_samples_reserve(out, 0, false, false);
    if (out->share_times) {
        struct store_times_cache *c = out->times;
        if (!c)
            c = out->times = mem_calloc(1, sizeof(*c));
        if (c->selection != sel->number || c->t_min != t_min || c->t_max != t_max) {
            forget(c);
            c->memory = out->memory;
            c->selection = sel->number;
            c->t_min = t_min;
            c->t_max = t_max;
        }
        if (read_usual(sel, one, c, out))
            return 0;
        store_samples_reserve(out, 0, false, false);
    }
    return read_any(sel, one, t_min, t_max, out, diag);
}

void store_samples_free(struct store_samples *s)
{
    mem_free(s->own_ts);
    mem_free(s->own_value);
    mem_free(s->histogram);
    mem_free(s->start);
    arena_free(s->arena);
    if (s->times) {
        forget(s->times);
        vec_free(&s->times->blocks);
        vec_free(&s->times->part_of);
        vec_free(&s->times->key);
        mem_free(s->times);
    }
    *s = (struct store_samples){0};
}

void store_samples_reserve(struct store_samples *s, size_t count, bool with_histograms,
                           bool with_start)
{
    if (count > s->cap) {
        s->cap = MAX(count, s->cap * 2);
        s->own_ts = mem_realloc(s->own_ts, s->cap * sizeof(*s->own_ts));
        s->own_value = mem_realloc(s->own_value, s->cap * sizeof(*s->own_value));
    }
    s->ts = s->own_ts;
    s->value = s->own_value;
    s->times_id = (struct hash128){0};
    s->ordinary = s->integers = false;
    mem_free(s->histogram);
    mem_free(s->start);
    s->histogram = with_histograms ? mem_calloc(s->cap, sizeof(*s->histogram)) : NULL;
    s->start = with_start ? mem_calloc(s->cap, sizeof(*s->start)) : NULL;
    if (with_histograms) {
        if (s->arena)
            arena_reset(s->arena);
        else
            s->arena = arena_new(0, NULL);
    }
}
