/* Making series: columns that are charged to the request, names, tags. */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "codec/number.h"
#include "lang/graphite/graphite_priv.h"

int graphite__fail(struct graphite_run *x, const char *fmt, ...)
{
    char text[800];
    va_list ap;
    if (x->err)
        return x->err;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    return x->err = diag_set(x->diag, ERR_INVALID, "%s", text);
}

int graphite__check_time(struct graphite_run *x)
{
    const struct graphite_request *req = x->req;
    struct timespec ts;
    if (x->err)
        return x->err;
    if (req->cancelled && *req->cancelled)
        return x->err = diag_set(x->diag, ERR_CANCELLED, "the query was cancelled");
    if (!req->deadline_ns)
        return 0;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    if (ts.tv_sec * NS_PER_SEC + ts.tv_nsec > req->deadline_ns)
        x->err = diag_set(x->diag, ERR_TIMEOUT,
                          "the query took longer than limits.query.timeout allows");
    return x->err;
}

static bool charge(struct graphite_run *x, size_t bytes)
{
    if (x->req->memory && !budget_take(x->req->memory, (int64_t)bytes)) {
        if (!x->err)
            x->err =
                diag_set(x->diag, ERR_NOMEM, "the query needs more memory than %s allows",
                         x->req->memory->setting ? x->req->memory->setting : "limits.query.memory");
        return false;
    }
    x->charged += (int64_t)bytes;
    return true;
}

double *graphite__column(struct graphite_run *x, size_t count)
{
    if (x->err)
        return NULL;
    x->points += (int64_t)count;
    if (x->req->points_max && x->points > x->req->points_max) {
        x->err = diag_set(x->diag, ERR_LIMIT,
                          "the query holds more than %lld points; limits.query.samples moves this "
                          "limit",
                          (long long)x->req->points_max);
        return NULL;
    }
    if (count > SIZE_MAX / 16 || !charge(x, count * sizeof(double)))
        return NULL;
    return arena_alloc(x->arena, (count + 1) * sizeof(double));
}

double *graphite__values(struct graphite_run *x, size_t count)
{
    double *v = graphite__column(x, count);
    for (size_t i = 0; v && i < count; i++)
        v[i] = GRAPHITE__NULL;
    return v;
}

struct slice graphite__text(struct graphite_run *x, const char *fmt, ...)
{
    struct buf b = {0};
    va_list ap;
    va_start(ap, fmt);
    buf_vprintf(&b, fmt, ap);
    va_end(ap);
    struct slice s = {"", 0};
    if (charge(x, b.len))
        s = arena_slice(x->arena, buf_slice(&b));
    buf_deinit(&b);
    return s;
}

void graphite__rename(struct graphite_run *x, struct graphite_series *s, const char *fmt, ...)
{
    struct buf b = {0};
    va_list ap;
    va_start(ap, fmt);
    buf_vprintf(&b, fmt, ap);
    va_end(ap);
    if (charge(x, b.len))
        s->name = s->path = arena_slice(x->arena, buf_slice(&b));
    buf_deinit(&b);
}

void graphite__tag(struct graphite_run *x, struct graphite_series *s, const char *name,
                   struct slice value)
{
    struct slice n = slice_cstr(name);
    for (size_t i = 0; i < s->tag_count; i++) {
        if (slice_eq(s->tags[i].name, n)) {
            s->tags[i].value = value;
            return;
        }
    }
    if (s->tag_count == s->tag_cap) {
        size_t cap = s->tag_cap ? s->tag_cap * 2 : 4;
        if (!charge(x, cap * sizeof(*s->tags)))
            return;
        struct graphite_tag *tags = arena_alloc(x->arena, cap * sizeof(*tags));
        if (s->tag_count)
            memcpy(tags, s->tags, s->tag_count * sizeof(*tags));
        s->tags = tags;
        s->tag_cap = cap;
    }
    s->tags[s->tag_count++] = (struct graphite_tag){arena_slice(x->arena, n), value};
}

void graphite__tags_of(struct graphite_run *x, struct graphite_series *s, struct data_labels labels)
{
    s->tag_count = 0;
    if (!charge(x, labels.count * sizeof(*s->tags)))
        return;
    s->tags = arena_alloc(x->arena, (labels.count + 1) * sizeof(*s->tags));
    s->tag_cap = labels.count;
    for (size_t i = 0; i < labels.count; i++) {
        bool is_name = slice_eq(labels.items[i].name, SLICE(DATA_METRIC_NAME));
        s->tags[s->tag_count++] = (struct graphite_tag){
            is_name ? SLICE("name") : arena_slice(x->arena, labels.items[i].name),
            arena_slice(x->arena, labels.items[i].value)};
    }
}

void graphite__untag(struct graphite_series *s, const char *name)
{
    for (size_t i = 0; i < s->tag_count; i++) {
        if (slice_eq_cstr(s->tags[i].name, name)) {
            s->tags[i] = s->tags[--s->tag_count];
            return;
        }
    }
}

struct slice graphite__tag_of(const struct graphite_series *s, struct slice name)
{
    for (size_t i = 0; i < s->tag_count; i++) {
        if (slice_eq(s->tags[i].name, name))
            return s->tags[i].value;
    }
    return SLICE("");
}

struct graphite_look *graphite__look(struct graphite_run *x, struct graphite_series *s)
{
    if (!s->look)
        s->look = ARENA_NEW(x->arena, struct graphite_look);
    return s->look;
}

static struct graphite_series *new_series(struct graphite_run *x)
{
    if (x->err || !charge(x, sizeof(struct graphite_series)))
        return NULL;
    return ARENA_NEW(x->arena, struct graphite_series);
}

struct graphite_series *graphite__series(struct graphite_run *x, struct slice name, int64_t start,
                                         int64_t end, int64_t step, double *values, size_t count)
{
    struct graphite_series *s = new_series(x);
    if (!s || (!values && !(values = graphite__values(x, count))))
        return NULL;
    s->name = s->path = name;
    s->start = start;
    s->end = end;
    s->step = MAX(step, 1);
    s->values = values;
    s->count = count;
    s->xff = isnan(x->xff) ? 0 : x->xff;
    graphite__tag(x, s, "name", name);
    return s;
}

struct graphite_series *graphite__copy(struct graphite_run *x, const struct graphite_series *s,
                                       struct slice name, int64_t start, int64_t end, int64_t step,
                                       size_t count)
{
    struct graphite_series *c = new_series(x);
    double *values = c ? graphite__values(x, count) : NULL;
    if (!values)
        return NULL;
    *c = *s;
    c->name = c->path = name;
    c->start = start;
    c->end = end;
    c->step = MAX(step, 1);
    c->values = values;
    c->count = count;
    c->tags = arena_dup(x->arena, s->tags, s->tag_count * sizeof(*s->tags));
    c->tag_cap = s->tag_count;
    c->look = s->look ? arena_dup(x->arena, s->look, sizeof(*s->look)) : NULL;
    return c;
}

struct graphite_series *graphite__like(struct graphite_run *x, const struct graphite_series *s,
                                       struct slice name)
{
    return graphite__copy(x, s, name, s->start, s->end, s->step, s->count);
}

void graphite__push(struct graphite_run *x, struct graphite_list *l, struct graphite_series *s)
{
    if (!s)
        return;
    if (l->len == l->cap) {
        size_t cap = l->cap ? l->cap * 2 : 8;
        if (!charge(x, cap * sizeof(*l->items)))
            return;
        struct graphite_series **items = arena_alloc(x->arena, cap * sizeof(*items));
        if (l->len)
            memcpy(items, l->items, l->len * sizeof(*items));
        l->items = items;
        l->cap = cap;
    }
    l->items[l->len++] = s;
}

void graphite__extend(struct graphite_run *x, struct graphite_list *l,
                      const struct graphite_list *from)
{
    for (size_t i = 0; i < from->len; i++)
        graphite__push(x, l, from->items[i]);
}

void graphite_append_double(struct buf *out, double v)
{
    if (isnan(v)) {
        buf_append_cstr(out, "None");
    } else if (isinf(v)) {
        buf_append_cstr(out, v > 0 ? "inf" : "-inf");
    } else if (v == 0) {
        buf_append_cstr(out, signbit(v) ? "-0.0" : "0.0");
    } else if (fabs(v) < 1e15 && v == (double)(int64_t)v) {
        codec_append_int(out, (int64_t)v);
        buf_append_cstr(out, ".0");
    } else if (fabs(v) >= 1e-4 && fabs(v) < 1e16) {
        codec_append_double(out, v, CODEC_DOUBLE_PLAIN);
        if (v == floor(v))
            buf_append_cstr(out, ".0");
    } else {
        codec_append_double(out, v, CODEC_DOUBLE_GENERAL);
    }
}

struct slice graphite__str(struct graphite_run *x, const struct graphite__value *v)
{
    struct buf b = {0};
    struct slice s = v->text;
    if (v->kind == GRAPHITE__NONE)
        return SLICE("None");
    if (v->kind == GRAPHITE__BOOL)
        return v->number != 0 ? SLICE("True") : SLICE("False");
    if (v->kind == GRAPHITE__INT)
        codec_append_int(&b, (int64_t)v->number);
    else if (v->kind == GRAPHITE__FLOAT)
        graphite_append_double(&b, v->number);
    else
        return s;
    s = arena_slice(x->arena, buf_slice(&b));
    buf_deinit(&b);
    return s;
}

int graphite__interval(struct graphite_run *x, struct slice text, int64_t *out_s)
{
    int err = graphite_offset_parse(text, out_s, x->diag);
    if (err)
        x->err = err;
    return err;
}
