/* Runs PromQL test scripts in Prometheus' format over the engine: load, clear, eval instant, eval
 * range, with their expectations. Prints one line a failing case with PROMQLTEST_VERBOSE=1.
 *
 *     promqltest FOLDER EXPECTED   EXPECTED: lines "<file> <passes>", the least that must pass
 */
#include <dirent.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/vec.h"
#include "codec/number.h"
#include "data/histogram_math.h"
#include "data/histogram_notation.h"
#include "lang/promql/promql.h"
#include "lang/promql/series_notation.h"
#include "nhcb.h"
#include "store/memory.h"
#include "text/duration.h"
#include "text/regex.h"

static const struct promql_options options = {.experimental = true, .delayed_name_removal = true};

struct expected_series {
    struct data_labels labels;
    struct promql_series_value *values;
    size_t count;
    bool hinted; /* hints are written, so they must be right */
};

struct test {
    const char *file;
    struct store_memory *source;
    struct arena *arena; /* of the case in hand */
    struct slice text;
    unsigned line;
    size_t passed, failed;
    bool load_failed; /* something in the current load could not be read */
};

static bool next_line(struct test *t, struct slice *out)
{
    if (!t->text.len)
        return false;
    slice_split(&t->text, '\n', out);
    t->line++;
    *out = slice_trim(*out);
    if (out->len && out->ptr[0] == '#')
        return next_line(t, out);
    return true;
}

static struct slice peek_line(const struct test *t)
{
    struct test copy = *t;
    struct slice line = {NULL, 0};
    return next_line(&copy, &line) ? line : (struct slice){NULL, 0};
}

static bool word(struct slice *line, struct slice *out)
{
    *line = slice_trim(*line);
    size_t i = 0;
    while (i < line->len && line->ptr[i] != ' ' && line->ptr[i] != '\t')
        i++;
    *out = slice_first(*line, i);
    *line = slice_trim(slice_from(*line, i));
    return out->len > 0;
}

/* 5m, or a number of seconds, possibly negative. */
static bool time_of(struct slice w, int64_t *out)
{
    bool negative = w.len && w.ptr[0] == '-';
    double v;
    if (negative)
        w = slice_from(w, 1);
    if (text_duration_parse(w, out)) {
        if (!codec_text_to_double(w, &v, NULL))
            return false;
        *out = (int64_t)llround(v * 1000) * NS_PER_MS;
    }
    if (negative)
        *out = -*out;
    return true;
}

/* "-30s-1mx2 _ 0": when samples began, from their own times on. */
struct starts {
    VEC(int64_t) offset;
    VEC(bool) given;
};

static bool read_starts(struct slice line, struct starts *out)
{
    struct slice item;
    vec_clear(&out->offset);
    vec_clear(&out->given);
    while (word(&line, &item)) {
        uint64_t times = 0;
        ptrdiff_t x = slice_find(item, SLICE("x"));
        int64_t at = 0, by = 0;
        if (x >= 0 && !codec_text_to_uint(slice_from(item, (size_t)x + 1), &times))
            return false;
        item = x >= 0 ? slice_first(item, (size_t)x) : item;
        bool missing = slice_eq_cstr(item, "_");
        size_t cut = item.len;
        for (size_t i = 1; i < item.len; i++) {
            if (item.ptr[i] == '-' || item.ptr[i] == '+')
                cut = i;
        }
        struct slice first = slice_first(item, cut), rest = slice_from(item, cut);
        if (first.len && first.ptr[0] == '+')
            first = slice_from(first, 1);
        if (rest.len && rest.ptr[0] == '+')
            rest = slice_from(rest, 1);
        if (!missing && (!time_of(first, &at) || (rest.len && !time_of(rest, &by))))
            return false;
        for (uint64_t i = 0; i <= times; i++) {
            vec_push(&out->offset, at + (int64_t)i * by);
            vec_push(&out->given, !missing);
        }
    }
    return true;
}

static void load(struct test *t, struct slice line, bool with_nhcb)
{
    struct starts starts = {0};
    struct slice step_word, series;
    int64_t step;
    struct nhcb *nhcb = with_nhcb ? nhcb_new() : NULL;
    word(&line, &step_word);
    if (!time_of(step_word, &step))
        t->load_failed = true;
    while (next_line(t, &series) && series.len) {
        struct data_labels labels;
        struct promql_series_value *values;
        size_t count;
        ptrdiff_t at = slice_find(series, SLICE("@st"));
        if (at >= 0) { /* of the series on the next line */
            t->load_failed |= !read_starts(slice_from(series, (size_t)at + 3), &starts);
            continue;
        }
        if (promql_parse_series_labels(&series, t->arena, &labels, NULL) ||
            promql_parse_series_values(series, t->arena, &values, &count, NULL)) {
            t->load_failed = true;
            continue;
        }
        for (size_t i = 0; i < count; i++) {
            if (!values[i].missing)
                store_memory_add(t->source, labels, (int64_t)i * step, values[i].value,
                                 values[i].histogram);
            if (!values[i].missing && i < starts.given.len && starts.given.items[i])
                store_memory_set_start(t->source, labels,
                                       (int64_t)i * step + starts.offset.items[i]);
        }
        vec_clear(&starts.given);
        if (nhcb)
            nhcb_take(nhcb, labels, values, count);
    }
    vec_free(&starts.offset);
    vec_free(&starts.given);
    if (nhcb) {
        nhcb_add(nhcb, t->source, step);
        nhcb_free(nhcb);
    }
}

static bool nearly(double a, double b)
{
    if (isnan(a) || isnan(b))
        return isnan(a) && isnan(b);
    if (a == b)
        return true;
    if (isinf(a) || isinf(b))
        return false;
    double diff = fabs(a - b), sum = fabs(a) + fabs(b);
    return sum == 0 || diff / sum < 1e-6 || diff < 2.3e-308 * 1e-6;
}

static bool same_buckets(const struct data_histogram *a, const struct data_histogram *b)
{
    data_histogram_bucket_list p = {0}, q = {0};
    size_t i = 0, k = 0;
    bool same = true;
    data_histogram_buckets(a, &p);
    data_histogram_buckets(b, &q);
    for (; same; i++, k++) {
        while (i < p.len && p.items[i].count == 0)
            i++;
        while (k < q.len && q.items[k].count == 0)
            k++;
        if (i == p.len || k == q.len)
            break;
        same = p.items[i].lower == q.items[k].lower && p.items[i].upper == q.items[k].upper &&
               nearly(p.items[i].count, q.items[k].count);
    }
    same = same && i == p.len && k == q.len;
    vec_free(&p);
    vec_free(&q);
    return same;
}

static bool same_value(const struct query_point *p, const struct promql_series_value *v,
                       bool hinted)
{
    const struct data_histogram *a = p->histogram, *b = v->histogram;
    if (!a || !b)
        return !a && !b && nearly(p->value, v->value);
    bool same = a->schema == b->schema && nearly(a->sum, b->sum) && nearly(a->count, b->count) &&
                nearly(a->zero_threshold, b->zero_threshold) &&
                a->custom_bound_count == b->custom_bound_count &&
                (!hinted || a->reset_hint == b->reset_hint);
    for (uint32_t i = 0; same && i < a->custom_bound_count; i++)
        same = nearly(a->custom_bounds[i], b->custom_bounds[i]);
    return same && same_buckets(a, b);
}

static void print_value(double v, const struct data_histogram *h, struct buf *out)
{
    static const char *const hints[] = {"unknown", "reset", "not reset", "gauge"};
    if (!h) {
        codec_append_double(out, v, CODEC_DOUBLE_GENERAL);
        return;
    }
    data_histogram_print(h, out);
    buf_printf(out, " schema %d, zero %g, %s", h->schema, h->zero_threshold,
               hints[h->reset_hint & 3]);
}

struct expectation {
    bool ordered, fail, warn, info, no_warn, no_info, is_string, is_scalar, unreadable;
    struct slice fail_msg, fail_regex, string;
    double scalar;
    bool range_vector;
    int64_t from, to, step;
    VEC(struct expected_series *) series;
    VEC(struct slice) warn_msgs, info_msgs;
};

static struct slice unquote(struct slice s)
{
    return s.len >= 2 && (s.ptr[0] == '"' || s.ptr[0] == '`') ? slice_make(s.ptr + 1, s.len - 2)
                                                              : s;
}

static void read_expectations(struct test *t, struct expectation *e)
{
    for (;;) {
        struct slice line = peek_line(t), first, rest;
        if (!line.len) {
            if (line.ptr)
                next_line(t, &line);
            return;
        }
        if (slice_starts_with(line, SLICE("eval")) || slice_starts_with(line, SLICE("load")) ||
            slice_eq_cstr(line, "clear"))
            return;
        next_line(t, &line);
        rest = line;
        word(&rest, &first);
        if (slice_eq_cstr(first, "expect")) {
            struct slice what;
            word(&rest, &what);
            struct slice msg = slice_starts_with(rest, SLICE("msg:"))
                                   ? slice_trim(slice_from(rest, 4))
                                   : (struct slice){NULL, 0};
            struct slice regex = slice_starts_with(rest, SLICE("regex:"))
                                     ? slice_trim(slice_from(rest, 6))
                                     : (struct slice){NULL, 0};
            if (slice_eq_cstr(what, "ordered")) {
                e->ordered = true;
            } else if (slice_eq_cstr(what, "fail")) {
                e->fail = true;
                e->fail_msg = msg;
                e->fail_regex = regex;
            } else if (slice_eq_cstr(what, "warn")) {
                e->warn = true;
                if (msg.len)
                    vec_push(&e->warn_msgs, msg);
            } else if (slice_eq_cstr(what, "info")) {
                e->info = true;
                if (msg.len)
                    vec_push(&e->info_msgs, msg);
            } else if (slice_eq_cstr(what, "no_warn")) {
                e->no_warn = true;
            } else if (slice_eq_cstr(what, "no_info")) {
                e->no_info = true;
            } else if (slice_eq_cstr(what, "string")) {
                e->is_string = true;
                e->string = unquote(rest);
            } else if (slice_eq_cstr(what, "range")) {
                struct slice w[7];
                for (int i = 0; i < 7; i++)
                    word(&rest, &w[i]);
                e->range_vector =
                    time_of(w[2], &e->from) && time_of(w[4], &e->to) && time_of(w[6], &e->step);
            } else {
                e->unreadable = true;
            }
            continue;
        }
        if (slice_eq_cstr(first, "expected_fail_message")) {
            e->fail_msg = rest;
            continue;
        }
        if (slice_eq_cstr(first, "expected_fail_regexp")) {
            e->fail_regex = rest;
            continue;
        }
        if (!rest.len && codec_text_to_double(first, &e->scalar, NULL)) {
            e->is_scalar = true;
            continue;
        }
        struct expected_series *s = ARENA_NEW(t->arena, struct expected_series);
        rest = line;
        if (promql_parse_series_labels(&rest, t->arena, &s->labels, NULL) ||
            promql_parse_series_values(rest, t->arena, &s->values, &s->count, NULL)) {
            e->unreadable = true;
            continue;
        }
        s->hinted = slice_find(rest, SLICE("counter_reset_hint:")) >= 0;
        vec_push(&e->series, s);
    }
}

static void complain(struct test *t, struct slice expr, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
static void complain(struct test *t, struct slice expr, const char *fmt, ...)
{
    if (!getenv("PROMQLTEST_VERBOSE"))
        return;
    va_list ap;
    va_start(ap, fmt);
    printf("# %s:%u: %.*s: ", t->file, t->line, SLICE_FMT(expr));
    vprintf(fmt, ap);
    printf("\n");
    va_end(ap);
}

static bool check_message(struct slice expected, const struct slice *given, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (slice_eq(given[i], expected) || slice_starts_with(given[i], expected))
            return true;
    }
    return false;
}

static bool check_series(struct test *t, struct slice expr, const struct expectation *e,
                         const struct query_result *r, int64_t start, int64_t step)
{
    size_t wanted = 0;
    for (size_t i = 0; i < e->series.len; i++) {
        const struct expected_series *s = e->series.items[i];
        size_t values = 0;
        for (size_t k = 0; k < s->count; k++)
            values += !s->values[k].missing;
        wanted += values > 0;
        const struct query_series *found = NULL;
        for (size_t k = 0; k < r->series_count && !found; k++) {
            if (data_labels_eq(r->series[k].labels, s->labels) && (!e->ordered || k == i))
                found = &r->series[k];
        }
        struct buf name = {0};
        data_labels_print(s->labels, &name);
        bool ok = found ? found->count == values : values == 0;
        if (!ok)
            complain(t, expr, "%s %s, want %zu values, got %zu", buf_cstr(&name),
                     found ? "differs" : "is missing", values, found ? found->count : (size_t)0);
        for (size_t k = 0, at = 0; ok && k < s->count; k++) {
            if (s->values[k].missing)
                continue;
            struct query_point p = query_point_at(found, at++);
            bool at_time = step == 0 || p.ts_ns == start + (int64_t)k * step;
            if (!at_time || !same_value(&p, &s->values[k], s->hinted)) {
                struct buf got = {0}, want = {0};
                print_value(p.value, p.histogram, &got);
                print_value(s->values[k].value, s->values[k].histogram, &want);
                complain(t, expr, "%s is %s at %lld, want %s", buf_cstr(&name), buf_cstr(&got),
                         (long long)(p.ts_ns / NS_PER_MS), buf_cstr(&want));
                buf_deinit(&got);
                buf_deinit(&want);
                ok = false;
            }
        }
        buf_deinit(&name);
        if (!ok)
            return false;
    }
    if (r->series_count != wanted) {
        complain(t, expr, "%zu series, want %zu", r->series_count, wanted);
        return false;
    }
    return true;
}

/* Runs it with ever more memory until that is enough: where it ends, the query has to end with
 * ERR_NOMEM and the setting's name, and give everything back. */
static bool survives_any_budget(struct test *t, struct slice expr, const struct query_plan *plan,
                                struct query_env env)
{
    int err = ERR_NOMEM;
    for (int64_t limit = 200; err == ERR_NOMEM && limit < (1 << 24); limit += limit / 2) {
        struct budget memory;
        struct query_result r = {0};
        struct diag d;
        diag_init(&d);
        budget_init(&memory, NULL, limit, "limits.query.memory");
        struct arena *arena = arena_new(256, &memory);
        env.memory = &memory;
        err = query_run(plan, &env, arena, &r, &d);
        arena_free(arena);
        if (err == ERR_NOMEM && slice_find(slice_cstr(d.msg), SLICE("limits.query.memory")) < 0) {
            complain(t, expr, "with %lld bytes: %s", (long long)limit, d.msg);
            return false;
        }
        if (memory.used) {
            complain(t, expr, "with %lld bytes: %lld are still charged", (long long)limit,
                     (long long)memory.used);
            return false;
        }
    }
    return true;
}

static bool run_case(struct test *t, struct slice expr, struct query_steps steps,
                     const struct expectation *e)
{
    struct promql_expr *ast = NULL;
    struct query_plan *plan;
    struct query_result r = {0};
    struct diag d;
    bool ok = true;
    diag_init(&d);
    int err = promql_parse(expr, &options, t->arena, &ast, &d);
    if (!err)
        err = promql_plan(ast, &steps, &options, t->arena, &plan, &d);
    struct query_env env = {
        .source = store_memory_face(t->source), .tenant = SLICE("default"), .samples_max = 10000};
    if (!err)
        ok = survives_any_budget(t, expr, plan, env);
    if (!err)
        err = query_run(plan, &env, t->arena, &r, &d);
    if (!ok) {
        promql_expr_free(ast);
        return false;
    }
    if (err || e->fail) {
        ok = err && e->fail;
        if (ok && e->fail_msg.len && slice_find(slice_cstr(d.msg), e->fail_msg) < 0)
            ok = false;
        if (ok && e->fail_regex.len) {
            struct text_regex *re;
            struct slice whole[1];
            if (!text_regex_compile(e->fail_regex, 0, &re, NULL)) {
                ok = text_regex_groups(re, slice_cstr(d.msg), whole, 1);
                text_regex_free(re);
            }
        }
        if (!ok)
            complain(t, expr, err ? "fails: %s" : "does not fail%s", err ? d.msg : "");
    } else if (e->is_string) {
        ok = r.kind == QUERY_STRING && slice_eq(r.string, e->string);
        if (!ok)
            complain(t, expr, "string is %.*s", SLICE_FMT(r.string));
    } else if (e->is_scalar) {
        ok = r.kind == QUERY_SCALAR && nearly(r.scalar.value, e->scalar);
        if (!ok)
            complain(t, expr, "scalar is %.17g, want %.17g", r.scalar.value, e->scalar);
    } else {
        ok = check_series(t, expr, e, &r, e->range_vector ? e->from : steps.start_ns,
                          e->range_vector ? e->step
                          : steps.instant ? 0
                                          : steps.step_ns);
    }
    if (ok && !e->fail) {
        if ((e->warn && !r.warning_count) || (e->no_warn && r.warning_count) ||
            (e->info && !r.info_count) || (e->no_info && r.info_count)) {
            complain(t, expr, "annotations: %zu warnings, %zu infos %.*s", r.warning_count,
                     r.info_count,
                     SLICE_FMT(r.warning_count ? r.warnings[0]
                               : r.info_count  ? r.infos[0]
                                               : SLICE("")));
            ok = false;
        }
        for (size_t i = 0; ok && i < e->warn_msgs.len; i++)
            ok = check_message(e->warn_msgs.items[i], r.warnings, r.warning_count);
        for (size_t i = 0; ok && i < e->info_msgs.len; i++)
            ok = check_message(e->info_msgs.items[i], r.infos, r.info_count);
        if (!ok && (e->warn_msgs.len || e->info_msgs.len))
            complain(t, expr, "annotation texts differ, got %.*s",
                     SLICE_FMT(r.warning_count ? r.warnings[0]
                               : r.info_count  ? r.infos[0]
                                               : SLICE("none")));
    }
    promql_expr_free(ast);
    return ok;
}

static void eval(struct test *t, struct slice command, struct slice line)
{
    struct expectation e = {0};
    struct slice what, w;
    struct query_steps steps = {.instant = true};
    bool readable = true;
    e.fail = slice_eq_cstr(command, "eval_fail");
    e.warn = slice_eq_cstr(command, "eval_warn");
    e.info = slice_eq_cstr(command, "eval_info");
    e.ordered = slice_eq_cstr(command, "eval_ordered");
    word(&line, &what);
    if (slice_eq_cstr(what, "instant")) {
        readable = word(&line, &w) && word(&line, &w) && time_of(w, &steps.start_ns);
        steps.end_ns = steps.start_ns;
        steps.step_ns = 1;
    } else {
        steps.instant = false;
        readable = word(&line, &w) && word(&line, &w) && time_of(w, &steps.start_ns) &&
                   word(&line, &w) && word(&line, &w) && time_of(w, &steps.end_ns) &&
                   word(&line, &w) && word(&line, &w) && time_of(w, &steps.step_ns);
    }
    struct slice expr = line;
    read_expectations(t, &e);
    bool ok = readable && !e.unreadable && run_case(t, expr, steps, &e);
    if (e.unreadable)
        complain(t, expr, "expectations could not be read");
    if (ok)
        t->passed++;
    else
        t->failed++;
    vec_free(&e.series);
    vec_free(&e.warn_msgs);
    vec_free(&e.info_msgs);
}

static void run_file(struct test *t)
{
    struct slice line;
    t->arena = arena_new(0, NULL);
    while (next_line(t, &line)) {
        struct slice command;
        if (!word(&line, &command))
            continue;
        arena_reset(t->arena);
        if (slice_eq_cstr(command, "clear"))
            store_memory_clear(t->source);
        else if (slice_starts_with(command, SLICE("load")))
            load(t, line, slice_eq_cstr(command, "load_with_nhcb"));
        else if (slice_starts_with(command, SLICE("eval")))
            eval(t, command, line);
    }
    arena_free(t->arena);
}

static struct buf read_all(const char *path)
{
    struct buf b = {0};
    FILE *f = fopen(path, "rb");
    for (size_t n = 1; f && n; b.len += n)
        n = fread(buf_reserve(&b, 65536), 1, 65536, f);
    if (f)
        fclose(f);
    return b;
}

int main(int argc, char **argv)
{
    if (argc < 3)
        return 2;
    DIR *dir = opendir(argv[1]);
    if (!dir) {
        printf("1..1\nok 1 # SKIP no PromQL test scripts at %s (PHAROS_CONFORMANCE names their "
               "parent)\n",
               argv[1]);
        return 0;
    }
    closedir(dir);
    struct buf expected = read_all(argv[2]);
    struct slice rest = buf_slice(&expected), line;
    unsigned number = 0;
    size_t total = 0, all = 0;
    int bad = 0;
    while (rest.len && slice_split(&rest, '\n', &line)) {
        struct slice name, least_text;
        uint64_t least = 0;
        if (!line.len || line.ptr[0] == '#' || !word(&line, &name) || !word(&line, &least_text) ||
            !codec_text_to_uint(least_text, &least))
            continue;
        char path[1024], file[256];
        snprintf(file, sizeof(file), "%.*s", SLICE_FMT(name));
        snprintf(path, sizeof(path), "%s/%s", argv[1], file);
        struct buf text = read_all(path);
        struct test t = {.file = file, .source = store_memory_new(), .text = buf_slice(&text)};
        run_file(&t);
        store_memory_free(t.source);
        buf_deinit(&text);
        bool ok = t.passed >= least;
        printf("%s %u - %s: %zu of %zu pass, at least %llu must\n", ok ? "ok" : "not ok", ++number,
               file, t.passed, t.passed + t.failed, (unsigned long long)least);
        bad += !ok;
        total += t.passed;
        all += t.passed + t.failed;
    }
    printf("1..%u\n# %zu of %zu evaluations pass\n", number, total, all);
    buf_deinit(&expected);
    return bad ? 1 : 0;
}
