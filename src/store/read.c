/* Samples of one selected series after the other. What was scraped together has the same times: a
 * reader keeps the columns of times it came upon, and decodes only values from then on. */
#include "codec/bytes.h"
#include "codec/column.h"
#include "store/skim.h"

#define CACHE_BYTES ((size_t)16 << 20) /* a reader, and not more than a share of its memory */
#define CACHE_SHARE 16

/* The times of a list of blocks, in a row. */
struct column {
    struct hash128 id;
    int64_t *ts;
    uint32_t *place;          /* among all samples; NULL when none are left out */
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
    struct store_windows windows;
    unsigned wants;
    bool skims;                  /* by these */
    struct store__skim_list now; /* the series at hand */
};

static void column_free(struct column *col)
{
    if (!col)
        return;
    mem_free(col->ts);
    mem_free(col->place);
    mem_free(col);
}

static void forget(struct store_times_cache *c)
{
    for (size_t i = 0; i < c->size; i++)
        column_free(c->table[i]);
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

static size_t column_bytes(const struct column *col)
{
    return sizeof(*col) + col->count * (sizeof(*col->ts) + (col->place ? sizeof(*col->place) : 0));
}

/* For a column more, which is charged then. */
static bool has_room(struct store_times_cache *c, const struct column *col)
{
    size_t bytes = column_bytes(col), most = CACHE_BYTES;
    if (c->memory && c->memory->limit)
        most = MIN(most, (size_t)c->memory->limit / CACHE_SHARE);
    if (c->bytes + bytes > most || (c->memory && !budget_take(c->memory, (int64_t)bytes)))
        return false;
    c->charged += c->memory ? (int64_t)bytes : 0;
    return true;
}

static struct column *column_new(struct hash128 id, size_t count, bool places)
{
    struct column *col = mem_calloc(1, sizeof(*col));
    *col = (struct column){.id = id, .ts = mem_alloc(count * sizeof(*col->ts)), .count = count};
    if (places)
        col->place = mem_alloc(count * sizeof(*col->place));
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
    c->bytes += column_bytes(col);
    col->ascending = ascending(col->ts, col->count);
    col->begin = first_from(col->ts, col->count, c->t_min);
    col->end = MAX(first_behind(col->ts, col->count, c->t_max), col->begin);
}

/* The times of a block that is not left out. */
static int put_block(const struct store__skimmed *s, int64_t *ts)
{
    if (s->how == STORE__DECODE)
        return store_part_times(s->part, &s->block, ts);
    ts[0] = s->block.first_ns;
    ts[1] = s->block.last_ns;
    return 0;
}

/* The column of the cache's blocks; NULL when it cannot be read. */
static const struct column *column_of(struct store_times_cache *c)
{
    struct hash128 id = hash128(c->now.key.items, c->now.key.len * sizeof(*c->now.key.items));
    struct column *col = find(c, id);
    size_t count = 0, at = 0, place = 0;
    if (col)
        return col;
    for (size_t i = 0; i < c->now.blocks.len; i++)
        count += c->now.blocks.items[i].count;
    col = column_new(id, count, c->now.summaries.len > 0);
    for (size_t i = 0; i < c->now.blocks.len; i++) {
        const struct store__skimmed *s = &c->now.blocks.items[i];
        if (s->how == STORE__LEAVE_OUT)
            continue;
        if (place > UINT32_MAX - s->block.count || put_block(s, col->ts + at)) {
            column_free(col);
            return NULL;
        }
        for (size_t k = 0; col->place && k < s->count; k++)
            col->place[at + k] = (uint32_t)(place + k);
        if (col->place && s->how == STORE__SUMMARISE)
            col->place[at + 1] = (uint32_t)(place + s->block.count - 1);
        at += s->count;
        place += s->block.count;
    }
    if (!has_room(c, col))
        forget(c);
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
    size_t count = col->count;
    if (both)
        return both;
    both = column_new(id, run->len, col->place != NULL);
    if (count)
        memcpy(both->ts, col->ts, count * sizeof(*both->ts));
    if (run->len > count)
        memcpy(both->ts + count, run->ts + count, (run->len - count) * sizeof(*both->ts));
    if (both->place) {
        memcpy(both->place, col->place, count * sizeof(*both->place));
        for (size_t i = count; i < run->len; i++)
            both->place[i] = both->place[i - 1] + 1;
    }
    if (!has_room(c, both))
        forget(c);
    insert(c, both);
    return both;
}

/* The values of the series' blocks, and what is known of them. */
static int read_values(struct store_times_cache *c, struct store_run *run, unsigned *facts)
{
    size_t at = 0, summary = 0;
    int err = 0;
    for (size_t i = 0; i < c->now.blocks.len && !err && !run->hist && !run->start; i++) {
        const struct store__skimmed *s = &c->now.blocks.items[i];
        unsigned more = CODEC_DOUBLES_ORDINARY | CODEC_DOUBLES_INTEGERS;
        if (s->how == STORE__DECODE) {
            err = store_part_values(s->part, &s->block, run, at, &more);
        } else if (s->how == STORE__SUMMARISE) {
            const struct store_summary *known = &c->now.summaries.items[summary++];
            run->value[at] = known->first;
            run->value[at + 1] = known->last;
            if (!(known->knows & STORE_KNOWS_INTEGERS))
                more = CODEC_DOUBLES_ORDINARY;
        }
        at += s->count;
        *facts &= more;
    }
    return err;
}

/* Columns that are there are used. False when the series is not of the usual kind, for the general
 * way to read: parts that overlap, histograms, start timestamps, damage. */
static bool read_usual(struct store_selection *sel, const struct store__selected *one,
                       struct store_times_cache *c, struct store_samples *out)
{
    struct store_run run = {.ts = out->own_ts, .value = out->own_value, .cap = out->cap};
    const struct column *col =
        store__skim(sel, one, c->t_min, c->t_max, c->skims ? &c->windows : NULL, c->wants, &c->now)
            ? column_of(c)
            : NULL;
    unsigned facts = CODEC_DOUBLES_ORDINARY | CODEC_DOUBLES_INTEGERS;
    if (!col || !col->ascending)
        return false;
    store_run_reserve(&run, col->count);
    int err = read_values(c, &run, &facts);
    run.len = col->count;
    bool usual = !err && !run.hist && !run.start;
    if (usual && (one->head[0] || one->head[1])) {
        for (size_t k = 0; k < ARRAY_LEN(one->head) && !err; k++) {
            if (one->head[k])
                err = store_tail_read(one->head[k], &run, &facts);
        }
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
    /* What is summarised is within the range. */
    for (size_t i = 0; i < c->now.summaries.len; i++)
        c->now.summaries.items[i].at -= col->begin;
    out->times_id = col->id;
    out->count = col->end - col->begin;
    out->ts = col->ts + col->begin;
    out->value = run.value + col->begin;
    out->summaries = c->now.summaries.items;
    out->summary_count = c->now.summaries.len;
    out->place = col->place ? col->place + col->begin : NULL;
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
    unsigned facts = 0;
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
            err = store_tail_read(one->head[k], &run, &facts);
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
        c->skims = out->windows != NULL;
        if (c->skims)
            c->windows = *out->windows;
        c->wants = out->wants;
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
        store__skim_free(&s->times->now);
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
    s->summaries = NULL;
    s->summary_count = 0;
    s->place = NULL;
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
