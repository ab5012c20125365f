/* Who waits for whom: which queries are the same, what expressions are made of, what is wanted of
 * all that, and what goes in circles. */
#include "api/query_multi_priv.h"
#include "base/map.h"
#include "base/vec.h"

/* Which ones are the same but for their id. Expressions are not compared. */
static void find_twins(struct multi *m)
{
    struct map *seen = map_new();
    struct buf key = {0};
    for (size_t i = 0; i < m->count; i++) {
        struct multi_item *it = &m->items[i];
        bool added;
        if (it->expression)
            continue;
        buf_clear(&key);
        buf_printf(&key, "%lld %lld %lld %lld %zu %d%d%d%d%d%d %.*s ", (long long)it->from_ns,
                   (long long)it->to_ns, (long long)it->step_ns, (long long)it->timeout_ns,
                   it->limit, it->instant, it->exemplars, it->explain, it->stats, it->align,
                   it->partial, SLICE_FMT(it->lang));
        buf_append_slice(&key, it->text);
        struct map_entry *e = map_put(seen, buf_slice(&key), &added);
        if (added)
            e->value.u64 = i;
        else
            it->same_as = (size_t)e->value.u64;
    }
    map_free(seen);
    buf_deinit(&key);
}

static size_t run_for(const struct multi *m, size_t i)
{
    return m->items[i].same_as == NOBODY ? i : m->items[i].same_as;
}

/* --- what expressions are made of --- */

struct finder {
    struct multi *m;
    const struct map *names;
    const struct multi_item *of;
    struct buf key;
    VEC(struct multi_input) found;
};

static void put_name(struct slice scope, struct slice ref, struct buf *out)
{
    buf_clear(out);
    buf_append(out, &scope.len, sizeof(scope.len));
    buf_append_slice(out, scope);
    buf_append_slice(out, ref);
}

/* Names that nothing has are for the expression to say. */
static void add_input(void *ctx, struct slice ref_id)
{
    struct finder *f = ctx;
    for (size_t i = 0; i < f->found.len; i++) {
        if (slice_eq(f->found.items[i].name, ref_id))
            return;
    }
    put_name(f->of->scope, ref_id, &f->key);
    struct map_entry *e = map_get(f->names, buf_slice(&f->key));
    if (e)
        vec_push(&f->found, ((struct multi_input){arena_slice(f->m->arena, ref_id),
                                                  run_for(f->m, (size_t)e->value.u64)}));
}

static void find_inputs(struct multi *m)
{
    struct map *names = map_new();
    struct finder f = {.m = m, .names = names};
    for (size_t i = 0; i < m->count; i++) {
        bool added;
        put_name(m->items[i].scope, m->items[i].ref, &f.key);
        struct map_entry *e = map_put(names, buf_slice(&f.key), &added);
        if (added) /* of several the first one */
            e->value.u64 = i;
    }
    for (size_t i = 0; i < m->count; i++) {
        struct multi_item *it = &m->items[i];
        if (!it->expression)
            continue;
        f.of = it;
        vec_clear(&f.found);
        expr_each_input(it->expression, add_input, &f);
        it->inputs = ARENA_ARRAY(m->arena, struct multi_input, f.found.len + 1);
        it->input_count = f.found.len;
        if (f.found.len)
            memcpy(it->inputs, f.found.items, f.found.len * sizeof(*it->inputs));
    }
    vec_free(&f.found);
    buf_deinit(&f.key);
    map_free(names);
}

/* --- circles --- */

/* What is still to be put in order: items of which something is. */
struct order {
    struct multi *m;
    bool *open;
    VEC(size_t) path;
};

static bool has_open_input(const struct order *o, size_t i, size_t *out)
{
    const struct multi_item *it = &o->m->items[i];
    for (size_t k = 0; k < it->input_count; k++) {
        *out = it->inputs[k].item;
        if (o->open[*out])
            return true;
    }
    return false;
}

/* Closes what has no open inputs until nothing does; false when all are closed. */
static bool close_all(struct order *o, size_t *out_open)
{
    bool any = true;
    size_t input;
    *out_open = NOBODY;
    while (any) {
        any = false;
        *out_open = NOBODY;
        for (size_t i = 0; i < o->m->count; i++) {
            if (!o->open[i])
                continue;
            if (has_open_input(o, i, &input)) {
                *out_open = i;
            } else {
                o->open[i] = false;
                any = true;
            }
        }
    }
    return *out_open != NOBODY;
}

/* The items of the path from `begin` on are a circle. */
static void put_circle(struct order *o, size_t begin)
{
    struct multi *m = o->m;
    size_t n = o->path.len - begin;
    for (size_t i = 0; i < n; i++) {
        struct multi_item *it = &m->items[o->path.items[begin + i]];
        struct buf words = {0};
        buf_printf(&words, "expression %.*s refers to itself", SLICE_FMT(it->ref));
        for (size_t k = 1; k < n; k++)
            buf_printf(&words, k == 1 ? " by way of %.*s" : ", %.*s",
                       SLICE_FMT(m->items[o->path.items[begin + (i + k) % n]].ref));
        it->circle = arena_slice(m->arena, buf_slice(&words));
        buf_deinit(&words);
    }
    for (size_t i = 0; i < n; i++)
        m->items[o->path.items[begin + i]].input_count = 0;
}

/* From any open item along open inputs: that comes to an item twice. */
static void find_circles(struct multi *m)
{
    struct order o = {.m = m, .open = ARENA_ARRAY(m->arena, bool, m->count + 1)};
    size_t at;
    for (size_t i = 0; i < m->count; i++)
        o.open[i] = m->items[i].input_count != 0;
    while (close_all(&o, &at)) {
        size_t begin = NOBODY;
        vec_clear(&o.path);
        do {
            vec_push(&o.path, at);
            (void)has_open_input(&o, at, &at); /* it has one, else it would be closed */
            for (size_t i = 0; i < o.path.len && begin == NOBODY; i++)
                begin = o.path.items[i] == at ? i : NOBODY;
        } while (begin == NOBODY);
        put_circle(&o, begin);
    }
    vec_free(&o.path);
}

/* --- what is wanted, and when --- */

static void want(struct multi *m)
{
    VEC(size_t) todo = {0};
    for (size_t i = 0; i < m->count; i++) {
        if (!m->items[i].hide)
            vec_push(&todo, run_for(m, i));
    }
    while (todo.len) {
        struct multi_item *it = &m->items[vec_pop(&todo)];
        if (it->wanted)
            continue;
        it->wanted = true;
        for (size_t k = 0; k < it->input_count; k++)
            vec_push(&todo, it->inputs[k].item);
    }
    vec_free(&todo);
}

static void find_users(struct multi *m)
{
    for (int pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < m->count; i++) {
            struct multi_item *it = &m->items[i];
            for (size_t k = 0; it->wanted && k < it->input_count; k++) {
                struct multi_item *input = &m->items[it->inputs[k].item];
                if (pass)
                    input->users[input->user_count] = i;
                input->user_count++;
            }
        }
        for (size_t i = 0; i < m->count && !pass; i++) {
            struct multi_item *it = &m->items[i];
            it->users = it->user_count ? ARENA_ARRAY(m->arena, size_t, it->user_count) : NULL;
            it->user_count = 0;
        }
    }
    for (size_t i = 0; i < m->count; i++) {
        m->items[i].waits = m->items[i].input_count;
        m->items[i].users_left = m->items[i].user_count;
    }
}

/* What waits is put before the others when it can run: there is room for it in front. */
static void queue(struct multi *m)
{
    m->ready = ARENA_ARRAY(m->arena, size_t, m->count + 1);
    for (size_t i = 0; i < m->count; i++) {
        bool runs = m->items[i].wanted && m->items[i].same_as == NOBODY;
        m->left += runs;
        m->next += runs && m->items[i].waits;
    }
    m->ready_end = m->next;
    for (size_t i = 0; i < m->count; i++) {
        if (m->items[i].wanted && m->items[i].same_as == NOBODY && !m->items[i].waits)
            m->ready[m->ready_end++] = i;
    }
}

void multi__link(struct multi *m)
{
    find_twins(m);
    find_inputs(m);
    find_circles(m);
    want(m);
    find_users(m);
    queue(m);
}
