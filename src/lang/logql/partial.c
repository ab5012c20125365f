#include "lang/logql/partial.h"

#include "text/duration.h"

bool logql__partial_takes(const struct logql_partial *p, int err)
{
    return p && (err == ERR_LIMIT || err == ERR_TIMEOUT || err == ERR_NOMEM);
}

void logql__partial_cut(struct logql_partial *p, const struct diag *why)
{
    if (!p->cut) {
        p->why = *why;
        p->read_from_ns = p->exact_from_ns = INT64_MIN;
    }
    p->cut = true;
}

int64_t logql__partial_reserve(const struct logql_partial *p, struct budget *memory)
{
    int64_t half = p && memory ? memory->limit / 2 : 0;
    return half && budget_take(memory, half) ? half : 0;
}

void logql__partial_release(struct budget *memory, int64_t reserved)
{
    if (reserved)
        budget_give(memory, reserved);
}

/* How many of the series' points are before t. */
static size_t points_before(const struct query_series *s, int64_t t_ns)
{
    size_t n = 0;
    while (n < s->count && query_point_at(s, n).ts_ns < t_ns)
        n++;
    return n;
}

void logql_partial_trim(struct logql_partial *p, const struct query_steps *steps,
                        struct query_result *r)
{
    size_t kept = 0;
    int64_t last = steps->start_ns;
    if (steps->step_ns > 0)
        last += (steps->end_ns - steps->start_ns) / steps->step_ns * steps->step_ns;
    if (!p->cut || steps->instant || p->exact_from_ns > last)
        return;
    p->trimmed = p->exact_from_ns > steps->start_ns;
    for (size_t i = 0; i < r->series_count; i++) {
        struct query_series *s = &r->series[i];
        size_t n = points_before(s, p->exact_from_ns);
        s->count -= n;
        if (s->at) {
            s->at += n;
        } else {
            s->value += n;
            s->histogram = s->histogram ? s->histogram + n : NULL;
            s->ts = s->ts ? s->ts + n : NULL;
            s->start_ns += (int64_t)n * s->step_ns;
        }
        if (s->count)
            r->series[kept++] = *s;
    }
    r->series_count = kept;
}

void logql_partial_text(const struct logql_partial *p, struct buf *out)
{
    buf_printf(out, "partial answer: %s; ", p->why.msg);
    if (p->lines) {
        if (!p->has_edge) {
            buf_append_cstr(out, "no line was read before that");
            return;
        }
        buf_append_cstr(out, p->forward ? "lines from " : "lines up to ");
        text_time_print(p->edge_ns, out);
        buf_append_cstr(out, p->forward ? " on may be missing" : " may be missing");
    } else if (p->trimmed) {
        buf_append_cstr(out, "steps before ");
        text_time_print(p->exact_from_ns, out);
        buf_append_cstr(out, " are left out, the others are exact");
    } else if (p->read_from_ns == INT64_MAX) {
        buf_append_cstr(out, "the values are of a part of the lines");
    } else if (p->exact_from_ns == INT64_MIN) {
        buf_append_cstr(out, "all that the steps need was read");
    } else {
        buf_append_cstr(out, "the values lack lines up to ");
        text_time_print(p->read_from_ns, out);
    }
}
