/* Selecting rows of a row group: streams and time first, then what indexes and zones rule out, then
 * the cheap columns, texts last. */
#include <stdlib.h>

#include "base/hash.h"
#include "store/event/scan_priv.h"
#include "store/event/split.h"

struct data_event_field scan__group_field(const void *group, uint32_t i)
{
    const struct store_group *g = group;
    return store_event_part_field(g->part, g->columns[i].field);
}

/* Where the values of a field are: exact names before other spellings. */
void scan__resolve(const struct store_event_field *f, size_t count,
                   struct data_event_field (*get)(const void *from, uint32_t i), const void *from,
                   struct scan__field *out)
{
    *out = (struct scan__field){.stream = f->scopes & STORE_SCOPE_BIT(DATA_SCOPE_STREAM),
                                .stream_first = f->stream_first,
                                .name = f->name};
    bool intrinsic = f->scopes & STORE_SCOPE_BIT(DATA_SCOPE_INTRINSIC);
    struct slice name = intrinsic ? slice_cstr(data_event_intrinsic_name(f->intrinsic)) : f->name;
    for (int scope = DATA_SCOPE_INTRINSIC; scope < DATA_SCOPE_STREAM; scope++) {
        if (!(f->scopes & STORE_SCOPE_BIT(scope)))
            continue;
        for (int exact = 1; exact >= 0; exact--) {
            for (uint32_t i = 0; i < count && out->count < SCAN__COLUMNS_MAX; i++) {
                struct data_event_field g = get(from, i);
                if ((int)g.scope != scope || !g.name.len)
                    continue;
                bool same = slice_eq(g.name, name);
                if (exact ? same : !same && !intrinsic && data_event_name_matches(g.name, name))
                    out->columns[out->count++] = i;
            }
        }
    }
}

void scan__close(struct store_event_cursor *c, struct scan__open *o)
{
    if (!o)
        return;
    for (size_t i = 0; o->columns && i < o->group.all_count; i++) {
        if (o->loaded[i])
            store_column_free(&o->columns[i]);
    }
    for (size_t i = 0; o->owners && i < o->group.table_count; i++)
        mem_free(o->owners[i]);
    mem_free(o->owners);
    if (c->req.select.limits.memory)
        budget_give(c->req.select.limits.memory, (int64_t)o->charged);
    if (o->group.part)
        store_group_close(&o->group);
    mem_free(o->columns);
    mem_free(o->loaded);
    mem_free(o->head_rows);
    mem_free(o->hits);
    arena_free(o->texts);
    buf_deinit(&o->scratch);
    mem_free(o);
}

static void count_bytes(struct store_event_cursor *c, uint64_t stored, uint64_t raw)
{
    pthread_mutex_lock(&c->lock);
    c->stats.bytes_scanned += stored;
    c->stats.raw_bytes_scanned += raw;
    pthread_mutex_unlock(&c->lock);
}

int scan__load(struct store_event_cursor *c, struct scan__open *o, size_t column, struct diag *diag)
{
    if (o->loaded[column])
        return 0;
    const struct store_column_info *info = &o->group.columns[column];
    const struct store_column *spans = NULL;
    int err =
        scan__charge(c, o,
                     (size_t)info->meta_raw + info->present * 16u + info->pages_len +
                         (info->form == STORE_COLUMN_SPLIT ? 3 * o->group.entry.raw_bytes / 2 : 0),
                     diag);
    if (!err && info->form == STORE_COLUMN_PARENT) {
        size_t span = store_group_find(&o->group, DATA_EVENT_SPAN_ID);
        if (span == SIZE_MAX)
            return ERR_CORRUPT;
        err = scan__load(c, o, span, diag);
        spans = &o->columns[span];
    }
    if (!err)
        err = store_group_column(&o->group, column, spans, &o->columns[column]);
    o->loaded[column] = !err;
    if (!err) {
        struct store_column *k = &o->columns[column];
        count_bytes(c, store_group_column_bytes(&o->group, column),
                    k->offsets ? k->offsets[k->present]
                    : k->split ? k->split->raw
                               : k->present * UINT64_C(8));
    }
    return err;
}

/* --- one predicate on one column --- */

#define MEMO 4096

/* Streams that were asked for lately, by their ordinal's low bits: the cursor's list has a lock. */
struct memo {
    uint32_t ordinal[MEMO]; /* + 1; 0 = free */
    uint32_t stream[MEMO];
};

struct job {
    struct store_event_cursor *c;
    struct scan__open *o;
    struct scan__part *part;
    struct memo *memo;
    uint32_t *rows; /* selected so far */
    size_t count;
    uint32_t *streams; /* of the rows: ordinals, or NULL: all match, and they are unpacked late */
    struct diag *diag;
};

static int stream_of(struct job *j, uint32_t ordinal, uint32_t *out)
{
    struct memo *memo = j->memo;
    size_t at = ordinal % MEMO;
    if (memo->ordinal[at] != ordinal + 1) {
        int err = scan__part_stream(j->c, j->part, ordinal, &memo->stream[at]);
        if (err)
            return err == ERR_NOMEM ? scan__no_memory(&j->c->req.select, j->diag) : err;
        memo->ordinal[at] = ordinal + 1;
    }
    *out = memo->stream[at];
    return 0;
}

static void keep(struct job *j, const bool *flags)
{
    size_t kept = 0;
    for (size_t i = 0; i < j->count; i++) {
        if (!flags[i])
            continue;
        if (j->streams)
            j->streams[kept] = j->streams[i];
        j->rows[kept++] = j->rows[i];
    }
    j->count = kept;
}

static void by_dict(struct job *j, const struct store_event_predicate *p, struct store_column *k,
                    bool *flags)
{
    bool *truth = mem_alloc(k->dict_count);
    for (uint32_t i = 0; i < k->dict_count; i++)
        truth[i] = store_event_satisfies(p, k->dict[i], &j->o->scratch);
    for (size_t i = 0; i < j->count; i++) {
        uint32_t at = store_column_index(k, j->rows[i]);
        flags[i] = at == UINT32_MAX ? p->absent : truth[k->ints ? k->ints[at] : 0];
    }
    mem_free(truth);
}

/* Texts in pages and split lines are searched without looking at each. */
static int by_search(struct job *j, struct slice needle, bool is, bool absent,
                     struct store_column *k, bool *flags)
{
    uint32_t *values = mem_alloc(j->count * sizeof(*values));
    bool *found = mem_alloc(j->count);
    size_t count = 0;
    for (size_t i = 0; i < j->count; i++) {
        uint32_t at = store_column_index(k, j->rows[i]);
        if (at != UINT32_MAX)
            values[count++] = at;
    }
    memset(found, 1, count);
    int err = scan__check(j->c, j->diag);
    if (!err)
        err = store_column_test(k, STORE_TEXT_CONTAINS, needle, values, count, found);
    count = 0;
    for (size_t i = 0; i < j->count && !err; i++)
        flags[i] = store_column_index(k, j->rows[i]) == UINT32_MAX ? absent : found[count++] == is;
    mem_free(values);
    mem_free(found);
    return err;
}

/* Integers against an integer, without going through values. */
static void by_integer(struct job *j, const struct store_event_predicate *p,
                       const struct store_column *k, bool *flags)
{
    int64_t to = p->value.i;
    bool less = p->op == STORE_EVENT_LT || p->op == STORE_EVENT_LE || p->op == STORE_EVENT_NE;
    bool more = p->op == STORE_EVENT_GT || p->op == STORE_EVENT_GE || p->op == STORE_EVENT_NE;
    bool same = p->op == STORE_EVENT_EQ || p->op == STORE_EVENT_LE || p->op == STORE_EVENT_GE;
    for (size_t i = 0; i < j->count; i++) {
        uint32_t at = store_column_index(k, j->rows[i]);
        int64_t v = at == UINT32_MAX ? 0 : k->ints[at];
        flags[i] = at == UINT32_MAX ? p->absent : v < to ? less : v > to ? more : same;
    }
}

/* Lines that have none of the texts without which the expression cannot match are not put together.
 */
static int by_literals(struct job *j, const struct store_event_predicate *p, struct store_column *k,
                       bool *may)
{
    bool *one = mem_alloc(j->count);
    int err = 0;
    memset(may, 0, j->count);
    for (size_t i = 0; i < p->literal_count && !err; i++) {
        err = by_search(j, p->literals[i], true, true, k, one);
        for (size_t n = 0; n < j->count && !err; n++)
            may[n] |= one[n];
    }
    mem_free(one);
    return err;
}

/* --- one of many texts --- */

struct set {
    const struct slice *items;
    uint32_t *table; /* index + 1; power of two */
    size_t mask;
};

static void set_make(struct set *s, const struct store_event_predicate *p)
{
    size_t size = 16;
    while (size < 2 * p->set_count)
        size *= 2;
    *s = (struct set){p->set, mem_calloc(size, sizeof(*s->table)), size - 1};
    for (size_t i = 0; i < p->set_count; i++) {
        size_t at = hash64(p->set[i].ptr, p->set[i].len, 0) & s->mask;
        while (s->table[at])
            at = (at + 1) & s->mask;
        s->table[at] = (uint32_t)i + 1;
    }
}

static bool set_has(const struct set *s, struct slice text)
{
    size_t at = hash64(text.ptr, text.len, 0) & s->mask;
    while (s->table[at] && !slice_eq(s->items[s->table[at] - 1], text))
        at = (at + 1) & s->mask;
    return s->table[at] != 0;
}

/* Ids: runs of one are looked up once. */
static void by_set(struct job *j, const struct store_event_predicate *p,
                   const struct store_column *k, bool *flags)
{
    struct set set;
    uint32_t last = UINT32_MAX;
    bool is = false;
    set_make(&set, p);
    for (size_t i = 0; i < j->count; i++) {
        uint32_t at = store_column_index(k, j->rows[i]);
        if (at == UINT32_MAX) {
            flags[i] = p->absent;
            continue;
        }
        uint32_t run = k->run_of ? k->run_of[at] : at;
        if (run != last)
            is = set_has(&set, slice_make(k->fixed + (size_t)run * k->width, k->width));
        last = run;
        flags[i] = is;
    }
    mem_free(set.table);
}

static bool is_id_set(const struct store_event_predicate *p, const struct store_column *k)
{
    uint32_t id = p->field.intrinsic;
    return p->op == STORE_EVENT_IN && k->form == STORE_COLUMN_FIXED && !k->style &&
           p->field.scopes == STORE_SCOPE_BIT(DATA_SCOPE_INTRINSIC) &&
           (id == DATA_EVENT_TRACE_ID || id == DATA_EVENT_SPAN_ID);
}

static int by_value(struct job *j, const struct store_event_predicate *p, struct store_column *k,
                    const bool *may, bool *flags)
{
    for (size_t i = 0; i < j->count; i++) {
        struct data_value v;
        if (i % 1024 == 0) {
            arena_reset(j->o->texts);
            int err = scan__check(j->c, j->diag);
            if (err)
                return err;
        }
        if (may && !may[i]) {
            flags[i] = p->op == STORE_EVENT_NOT_MATCH;
            continue;
        }
        int err = store_column_get(k, j->rows[i], j->o->texts, &v);
        if (err)
            return err;
        flags[i] = store_event_satisfies(p, v, &j->o->scratch);
    }
    return 0;
}

static int on_column(struct job *j, const struct store_event_predicate *p, uint32_t column,
                     bool *flags)
{
    int err = scan__load(j->c, j->o, column, j->diag);
    if (err)
        return err;
    struct store_column *k = &j->o->columns[column];
    if (p->kinds && !(p->kinds & j->o->group.columns[column].kinds)) {
        for (size_t i = 0; i < j->count; i++)
            flags[i] = p->absent && store_column_index(k, j->rows[i]) == UINT32_MAX;
        return 0;
    }
    if (k->form == STORE_COLUMN_DICT) {
        by_dict(j, p, k, flags);
        return 0;
    }
    if (k->form == STORE_COLUMN_NUMBERS && !k->style && p->value.kind == DATA_VALUE_INT &&
        p->op <= STORE_EVENT_GE) {
        by_integer(j, p, k, flags);
        return 0;
    }
    if (is_id_set(p, k)) {
        by_set(j, p, k, flags);
        return 0;
    }
    bool searchable = (k->form == STORE_COLUMN_TEXT || k->form == STORE_COLUMN_SPLIT) &&
                      k->kind == DATA_VALUE_STRING;
    if (searchable && p->value.text.len &&
        (p->op == STORE_EVENT_CONTAINS || p->op == STORE_EVENT_NOT_CONTAINS))
        return by_search(j, p->value.text, p->op == STORE_EVENT_CONTAINS, p->absent, k, flags);
    if (!searchable || !p->literal_count ||
        (p->op != STORE_EVENT_MATCH && p->op != STORE_EVENT_NOT_MATCH))
        return by_value(j, p, k, NULL, flags);
    bool *may = mem_alloc(j->count);
    err = by_literals(j, p, k, may);
    if (!err)
        err = by_value(j, p, k, may, flags);
    mem_free(may);
    return err;
}

/* --- in general: several columns, and labels of the stream --- */

/* Rows are in ascending order. */
static int need_streams(struct job *j)
{
    struct store_group *g = &j->o->group;
    if (j->streams)
        return 0;
    int err = store_group_unpack_runs(g);
    if (err)
        return err;
    size_t run = 0;
    j->streams = mem_alloc(MAX(j->count, (size_t)1) * sizeof(*j->streams));
    for (size_t i = 0; i < j->count; i++) {
        while (j->rows[i] >= g->run_end[run])
            run++;
        j->streams[i] = g->run_stream[run];
    }
    return 0;
}

static int label_value(struct job *j, const struct scan__field *f, size_t i, struct data_value *out)
{
    uint32_t stream;
    int err = stream_of(j, j->streams[i], &stream);
    if (err)
        return err;
    /* The list does not move, and what is in it stays. */
    struct slice v = scan__label(j->c->streams[stream].labels, f->name);
    *out = v.ptr ? data_value_string(v) : (struct data_value){0};
    return 0;
}

static int value_of(struct job *j, const struct scan__field *f, size_t i, struct data_value *v)
{
    int err = 0;
    *v = (struct data_value){0};
    if (f->stream && f->stream_first)
        err = label_value(j, f, i, v);
    for (uint32_t k = 0; k < f->count && !v->kind && !err; k++)
        err = store_column_get(&j->o->columns[f->columns[k]], j->rows[i], j->o->texts, v);
    if (!err && !v->kind && f->stream && !f->stream_first)
        err = label_value(j, f, i, v);
    return err;
}

static int in_general(struct job *j, const struct store_event_predicate *p,
                      const struct scan__field *f, bool *flags)
{
    int err = 0;
    for (uint32_t k = 0; k < f->count && !err; k++)
        err = scan__load(j->c, j->o, f->columns[k], j->diag);
    if (!err && f->stream)
        err = need_streams(j);
    for (size_t i = 0; i < j->count && !err; i++) {
        struct data_value v;
        if (i % 1024 == 0)
            arena_reset(j->o->texts);
        err = value_of(j, f, i, &v);
        flags[i] = !err && store_event_satisfies(p, v, &j->o->scratch);
    }
    return err;
}

/* --- events and links: true for a row when it is for one of its own --- */

/* Those of the table that belong to rows of the job: their numbers, and whose they are (index into
 * the job's rows). */
static size_t of_rows(const struct job *j, const uint32_t *owners, uint32_t count, uint32_t *out,
                      uint32_t *out_at)
{
    size_t n = 0;
    uint32_t i = 0;
    for (uint32_t at = 0; at < j->count && i < count; at++) {
        if (owners[i] < j->rows[at])
            i += store_group_first_of(owners + i, count - i, j->rows[at]);
        for (; i < count && owners[i] == j->rows[at]; i++) {
            out[n] = i;
            out_at[n++] = at;
        }
    }
    return n;
}

/* Takes out of the job the children that have a value in the column. */
static void drop_present(struct job *j, const struct store_column *k, uint32_t *at, bool *any)
{
    size_t kept = 0;
    for (size_t i = 0; i < j->count; i++) {
        if (store_column_index(k, j->rows[i]) != UINT32_MAX) {
            any[at[i]] = true;
            continue;
        }
        j->rows[kept] = j->rows[i];
        at[kept++] = at[i];
    }
    j->count = kept;
}

/* any: rows that have a value; flags: of which one satisfies the predicate. */
static int on_table(struct job *j, const struct store_event_predicate *p, size_t table, bool *any,
                    bool *flags)
{
    const struct store_group_table *t = &j->o->group.tables[table];
    struct store_event_predicate one = *p;
    struct scan__field f;
    const uint32_t *owners;
    scan__resolve_child(&j->o->group, t, &p->field, &f);
    if (!f.count)
        return 0;
    int err = scan__owners(j->c, j->o, table, &owners, j->diag);
    if (err)
        return err;
    struct job sub = *j;
    uint32_t *at = mem_alloc(t->rows * sizeof(*at));
    bool *found = mem_alloc(t->rows);
    sub.rows = mem_alloc(t->rows * sizeof(*sub.rows));
    sub.streams = NULL;
    sub.count = of_rows(j, owners, t->rows, sub.rows, at);
    one.absent = false;
    for (uint32_t k = 0; k < f.count && sub.count && !err; k++) {
        if (p->op == STORE_EVENT_HAS && (p->absent || !p->kinds)) {
            err = scan__load(j->c, j->o, f.columns[k], j->diag);
            for (size_t i = 0; i < sub.count && !err; i++)
                found[i] = !p->absent && store_column_index(&j->o->columns[f.columns[k]],
                                                            sub.rows[i]) != UINT32_MAX;
        } else {
            err = on_column(&sub, &one, f.columns[k], found);
        }
        for (size_t i = 0; i < sub.count && !err; i++)
            flags[at[i]] |= found[i];
        if (!err)
            drop_present(&sub, &j->o->columns[f.columns[k]], at, any);
    }
    mem_free(sub.rows);
    mem_free(at);
    mem_free(found);
    return err;
}

/* Parts of earlier versions: row by row. */
static int on_packed(struct job *j, const struct store_event_predicate *p, bool *flags)
{
    int err = 0;
    for (size_t i = 0; i < j->count && !err; i++) {
        struct store_event_children all = {0};
        struct data_value packed;
        if (i % 256 == 0) {
            arena_reset(j->o->texts);
            err = scan__check(j->c, j->diag);
        }
        if (!err)
            err = scan__packed_children(j->c, j->o, j->rows[i], j->o->texts, &packed, j->diag);
        if (!err && packed.kind)
            err = scan__unpack_children(packed.text, 0, j->o->texts, &all);
        flags[i] = !err && store_event_children_satisfy(p, &all, 0, &j->o->scratch);
    }
    return err;
}

static int on_children(struct job *j, const struct store_event_predicate *p, bool *flags)
{
    if (store_group_find(&j->o->group, STORE_FIELD_CHILDREN) != SIZE_MAX)
        return on_packed(j, p, flags);
    bool *any = mem_calloc(j->count + 1, 1);
    int err = 0;
    memset(flags, 0, j->count);
    for (size_t i = 0; i < j->o->group.table_count && !err; i++)
        err = on_table(j, p, i, any, flags);
    for (size_t i = 0; i < j->count && !err; i++)
        flags[i] |= !any[i] && p->absent;
    mem_free(any);
    return err;
}

static int on_rows(struct job *j, const struct store_event_predicate *p, bool *flags)
{
    struct scan__field f;
    if (store_event_is_of_children(p->field))
        return on_children(j, p, flags);
    scan__resolve(&p->field, j->o->group.column_count, scan__group_field, &j->o->group, &f);
    if (!f.stream && !f.count) {
        struct data_value none = {0};
        memset(flags, store_event_satisfies(p, none, &j->o->scratch), j->count);
        return 0;
    }
    return !f.stream && f.count == 1 ? on_column(j, p, f.columns[0], flags)
                                     : in_general(j, p, &f, flags);
}

static int apply(struct job *j, const struct store_event_clause *clause)
{
    bool *flags = mem_alloc(j->count), *any = clause->count > 1 ? mem_calloc(j->count, 1) : flags;
    int err = 0;
    for (size_t k = 0; k < clause->count && !err; k++) {
        err = on_rows(j, &clause->any[k], flags);
        for (size_t i = 0; any != flags && i < j->count && !err; i++)
            any[i] |= flags[i];
    }
    if (!err && clause->count)
        keep(j, any);
    else if (!err)
        j->count = 0; /* nothing can be true */
    if (any != flags)
        mem_free(any);
    mem_free(flags);
    return err;
}

/* --- what needs no columns --- */

/* False: no value in the zone satisfies the predicate. */
static bool zone_may(const struct store_event_predicate *p, const struct store_column_info *info)
{
    double x;
    if (!info->has_zone || p->mismatch || !data_value_number(p->value, false, &x) ||
        (info->kinds & 1u << DATA_VALUE_STRING && !p->as_text))
        return true;
    switch (p->op) {
    case STORE_EVENT_EQ: return x >= info->zone_min && x <= info->zone_max;
    case STORE_EVENT_LT: return info->zone_min < x;
    case STORE_EVENT_LE: return info->zone_min <= x;
    case STORE_EVENT_GT: return info->zone_max > x;
    case STORE_EVENT_GE: return info->zone_max >= x;
    default: return true;
    }
}

static bool kinds_may(const struct store_event_predicate *p, const struct store_column_info *info)
{
    return !p->kinds || p->kinds & info->kinds;
}

static bool tables_may(const struct store_group *g, const struct store_event_predicate *p)
{
    if (p->absent || store_group_find(g, STORE_FIELD_CHILDREN) != SIZE_MAX)
        return true;
    for (size_t i = 0; i < g->table_count; i++) {
        struct scan__field f;
        scan__resolve_child(g, &g->tables[i], &p->field, &f);
        for (uint32_t k = 0; k < f.count; k++) {
            const struct store_column_info *info = &g->columns[f.columns[k]];
            if (kinds_may(p, info) && zone_may(p, info))
                return true;
        }
    }
    return false;
}

/* no_label: no stream has a label that satisfies it. */
static bool predicate_may(const struct scan__open *o, const struct store_event_predicate *p,
                          bool no_label)
{
    struct scan__field f;
    if (store_event_is_of_children(p->field))
        return tables_may(&o->group, p);
    scan__resolve(&p->field, o->group.column_count, scan__group_field, &o->group, &f);
    if ((f.stream && !no_label) || p->absent)
        return true;
    for (uint32_t k = 0; k < f.count; k++) {
        const struct store_column_info *info = &o->group.columns[f.columns[k]];
        if (kinds_may(p, info) && zone_may(p, info))
            return true;
    }
    return p->op == STORE_EVENT_HAS ? p->absent : false;
}

/* The part's filters have what the clause looks for. */
static bool knows(const struct store_event_part *p, const struct scan__clause *clause)
{
    return !clause->of_tables || store_event_part_has_tables(p);
}

/* The group's values are such that the clause's probe says all: texts where numbers were looked for
 * by their text, and nothing of the kinds that it knows nothing of. */
static bool probe_holds(const struct scan__open *o, const struct store_event_clause *clause)
{
    for (size_t i = 0; i < clause->count; i++) {
        const struct store_event_predicate *p = &clause->any[i];
        struct scan__field f;
        if (p->kinds) {
            if (predicate_may(o, p, true))
                return false;
            continue;
        }
        if (!p->as_text && p->op != STORE_EVENT_IN)
            continue;
        if (store_event_is_of_children(p->field))
            return false;
        scan__resolve(&clause->any[i].field, o->group.column_count, scan__group_field, &o->group,
                      &f);
        for (uint32_t k = 0; k < f.count; k++) {
            if (o->group.columns[f.columns[k]].kinds &
                ~(1u << DATA_VALUE_STRING | 1u << DATA_VALUE_JSON))
                return false;
        }
    }
    return true;
}

static bool header_may(struct store_event_cursor *c, struct scan__open *o,
                       const struct scan__part *p, bool *out_damaged)
{
    struct store_event_stats *stats = &c->stats;
    for (size_t i = 0; i < c->req.clause_count; i++) {
        const struct scan__clause *k = &c->clauses[i];
        bool may = false, no_label = k->asks_streams && !p->labels_may[i];
        for (size_t n = 0; n < k->clause->count && !may; n++)
            may = predicate_may(o, &k->clause->any[n], no_label);
        uint64_t *skipped = may ? &stats->skipped_by_token : &stats->skipped_by_zone;
        if (may && k->late_probe && scan__may_probe(c, p, i) && knows(o->group.part, k) &&
            probe_holds(o, k->clause))
            may = store_event_part_may_have(o->group.part, &o->group.entry, &k->probe, out_damaged);
        if (!may) {
            pthread_mutex_lock(&c->lock);
            ++*skipped;
            pthread_mutex_unlock(&c->lock);
            return false;
        }
    }
    return true;
}

static bool streams_in_range(const struct scan__part *p, const struct store_group_entry *e)
{
    for (uint32_t i = e->stream_min; i <= e->stream_max; i++) {
        if (!(i % 64) && !p->match[i / 64]) {
            i += 63;
            continue;
        }
        if (p->match[i / 64] >> i % 64 & 1)
            return true;
    }
    return false;
}

static bool all_streams_match(const struct job *j)
{
    const struct store_group_entry *e = &j->o->group.entry;
    for (uint32_t i = e->stream_min; i <= e->stream_max; i++) {
        if (!(j->part->match[i / 64] >> i % 64 & 1))
            return false;
    }
    return true;
}

/* Rows of the streams and of the time asked for. */
static int select_rows(struct job *j, const int64_t *ts, bool all_times)
{
    struct store_group *g = &j->o->group;
    const struct store_event_select *req = &j->c->req.select;
    uint32_t row = 0;
    j->rows = mem_alloc(g->entry.rows * sizeof(*j->rows));
    if (all_streams_match(j)) {
        for (; row < g->entry.rows; row++) {
            if (all_times || (ts[row] >= req->t_min_ns && ts[row] <= req->t_max_ns))
                j->rows[j->count++] = row;
        }
        return 0;
    }
    int err = store_group_unpack_runs(g);
    j->streams = mem_alloc(g->entry.rows * sizeof(*j->streams));
    for (size_t run = 0; run < g->run_count && !err; run++) {
        uint32_t ordinal = g->run_stream[run];
        bool matches = j->part->match[ordinal / 64] >> ordinal % 64 & 1;
        for (; row < g->run_end[run]; row++) {
            if (!matches || (!all_times && (ts[row] < req->t_min_ns || ts[row] > req->t_max_ns)))
                continue;
            j->rows[j->count] = row;
            j->streams[j->count++] = ordinal;
        }
    }
    return err;
}

/* How dear a clause is: those that need no text first. */
static int cost_of(const struct scan__open *o, const struct store_event_clause *clause)
{
    int cost = 0;
    for (size_t i = 0; i < clause->count; i++) {
        struct scan__field f;
        if (store_event_is_of_children(clause->any[i].field)) {
            cost = MAX(cost, 2);
            continue;
        }
        scan__resolve(&clause->any[i].field, o->group.column_count, scan__group_field, &o->group,
                      &f);
        for (uint32_t k = 0; k < f.count; k++) {
            uint8_t form = o->group.columns[f.columns[k]].form;
            int one = form == STORE_COLUMN_DICT                                 ? 1
                      : form == STORE_COLUMN_TEXT || form == STORE_COLUMN_SPLIT ? 3
                                                                                : 2;
            if (clause->any[i].op == STORE_EVENT_MATCH ||
                clause->any[i].op == STORE_EVENT_NOT_MATCH)
                one += form == STORE_COLUMN_DICT ? 0 : 2;
            cost = MAX(cost, one);
        }
    }
    return cost;
}

static int apply_all(struct job *j)
{
    struct store_event_cursor *c = j->c;
    bool *done = mem_calloc(c->req.clause_count + 1, 1);
    int err = 0;
    for (size_t round = 0; round < c->req.clause_count && j->count && !err; round++) {
        size_t best = SIZE_MAX;
        int least = 0;
        for (size_t i = 0; i < c->req.clause_count; i++) {
            int cost = done[i] ? 0 : cost_of(j->o, &c->req.clauses[i]);
            if (!done[i] && (best == SIZE_MAX || cost < least)) {
                best = i;
                least = cost;
            }
        }
        done[best] = true;
        err = apply(j, &c->req.clauses[best]);
    }
    mem_free(done);
    return err;
}

static int select_group(struct store_event_cursor *c, struct scan__open *o, struct scan__part *p,
                        struct diag *diag)
{
    uint32_t rows = o->group.entry.rows;
    int64_t *ts = mem_alloc(rows * sizeof(*ts));
    struct job j = {.c = c, .o = o, .part = p, .diag = diag};
    j.memo = mem_calloc(1, sizeof(*j.memo));
    const struct store_event_select *req = &c->req.select;
    bool all_times = o->group.entry.t_min >= req->t_min_ns && o->group.entry.t_max <= req->t_max_ns;
    int err = all_times ? 0 : store_group_times(&o->group, ts);
    if (!err)
        err = select_rows(&j, ts, all_times);
    pthread_mutex_lock(&c->lock);
    c->stats.rows_scanned += j.count;
    c->stats.bytes_scanned += o->group.entry.header_len + o->group.ts_len;
    c->stats.groups_opened++;
    pthread_mutex_unlock(&c->lock);
    if (!err)
        err = apply_all(&j);
    if (!err && j.count && all_times)
        err = store_group_times(&o->group, ts);
    if (!err && j.count)
        err = need_streams(&j);
    if (!err && j.count) {
        o->hits = mem_alloc(j.count * sizeof(*o->hits));
        o->count = j.count;
        for (size_t i = 0; i < j.count && !err; i++) {
            o->hits[i] = (struct scan__hit){ts[j.rows[i]], 0, j.rows[i]};
            err = stream_of(&j, j.streams[i], &o->hits[i].stream);
        }
        if (err)
            o->count = 0;
    }
    mem_free(ts);
    mem_free(j.rows);
    mem_free(j.streams);
    mem_free(j.memo);
    return err;
}

int scan__open_group(struct store_event_cursor *c, uint32_t piece, struct scan__open **out,
                     struct diag *diag)
{
    const struct scan__piece *at = &c->pieces.items[piece];
    struct scan__part *p = &c->parts[at->part];
    struct store_group_entry e = store_event_part_group(p->part, at->group);
    bool damaged = false;
    *out = NULL;
    int err = scan__check(c, diag);
    if (err)
        return err;
    if (!streams_in_range(p, &e)) {
        pthread_mutex_lock(&c->lock);
        c->stats.skipped_by_stream++;
        pthread_mutex_unlock(&c->lock);
        return 0;
    }
    for (size_t i = 0; i < c->req.clause_count; i++) {
        if (c->clauses[i].use_probe && scan__may_probe(c, p, i) && knows(p->part, &c->clauses[i]) &&
            !store_event_part_may_have(p->part, &e, &c->clauses[i].probe, &damaged)) {
            pthread_mutex_lock(&c->lock);
            c->stats.skipped_by_token++;
            pthread_mutex_unlock(&c->lock);
            return 0;
        }
    }
    struct scan__open *o = mem_calloc(1, sizeof(*o));
    o->piece = at;
    o->number = piece;
    o->texts = arena_new(0, NULL);
    err = scan__charge(c, o, e.rows * 40u, diag);
    if (!err)
        err = store_group_open_header(p->part, at->group, &o->group);
    if (!err) {
        o->columns = mem_calloc(o->group.all_count, sizeof(*o->columns));
        o->loaded = mem_calloc(o->group.all_count, sizeof(*o->loaded));
        o->owners = mem_calloc(o->group.table_count, sizeof(*o->owners));
        if (header_may(c, o, p, &damaged)) {
            scan__fetch_clauses(c, &o->group);
            err = select_group(c, o, p, diag);
            if (!err && o->count)
                scan__fetch_wanted(c, &o->group);
        }
    }
    if (damaged || err == ERR_CORRUPT) {
        /* The rest goes on being served. */
        store__event_quarantine(c->e, p->part);
        err = err == ERR_CORRUPT ? 0 : err;
    }
    if (err || !o->count) {
        scan__close(c, o);
        return err;
    }
    *out = o;
    return 0;
}
