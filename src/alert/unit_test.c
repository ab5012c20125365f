#include "alert/unit_test.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "alert/group.h"
#include "base/mem.h"
#include "codec/number.h"
#include "data/histogram_notation.h"
#include "lang/promql/series_notation.h"
#include "store/memory.h"
#include "text/duration.h"
#include "text/regex.h"

#define FILE_BYTES_MAX ((size_t)64 << 20)
#define STEPS_MAX      1000000 /* evaluations of one test */

struct input {
    struct data_labels labels;
    struct promql_series_value *values;
    size_t count, next; /* next: the first not loaded */
};

struct unit_test {
    struct arena *arena; /* of the file */
    const struct text_yaml *map;
    int64_t interval_ns, start_ns;
    struct slice name;
    struct input *inputs;
    size_t input_count;
    struct store_memory *memory;
    struct pipe_sink sink; /* results of rules, into memory */
    struct alert_group **groups;
    size_t group_count;
    struct alert_env env;
};

struct runner {
    const char *path;
    char dir[4096];
    const struct alert_unit_test_options *options;
    struct arena *arena;
    struct buf *out;
    size_t failures;
    int64_t interval_ns;
    bool fuzzy;
    struct slice *patterns, *order;
    size_t pattern_count, order_count;
};

static const struct text_yaml *given(const struct text_yaml *map, const char *key)
{
    const struct text_yaml *n = text_yaml_get(map, key);
    return text_yaml_is_null(n) ? NULL : n;
}

static void put_duration(int64_t ns, struct buf *out)
{
    text_duration_print(ns, out);
}

/* --- the sink: what rules give goes into memory --- */

static void take(struct pipe_sink *sink, const struct data_metric_batch *batch, pipe_ack_fn ack,
                 void *ctx)
{
    struct unit_test *t = BASE_CONTAINER_OF(sink, struct unit_test, sink);
    struct arena *arena = arena_new(0, NULL);
    struct pipe_result result = {0};
    for (size_t i = 0; i < batch->sample_ts.len; i++) {
        struct data_labels labels;
        int64_t newest;
        if (data_labels_decode(batch->series.items[batch->sample_series.items[i]].key, arena,
                               &labels))
            continue;
        /* As a store would refuse what is not newer. */
        if (store_memory_newest(t->memory, labels, &newest) && newest >= batch->sample_ts.items[i])
            continue;
        store_memory_add(t->memory, labels, batch->sample_ts.items[i], batch->sample_value.items[i],
                         batch->sample_histogram.len ? batch->sample_histogram.items[i] : NULL);
    }
    arena_free(arena);
    if (ack)
        ack(ctx, 0, &result);
}

/* --- reading the file --- */

static int read_list(const struct text_yaml *map, const char *key, struct arena *arena,
                     struct slice **out, size_t *count, struct diag *diag)
{
    const struct text_yaml *list = given(map, key);
    *count = 0;
    if (!list)
        return 0;
    if (list->kind != TEXT_YAML_LIST)
        return text_yaml_error(list, diag, ERR_INVALID, "%s takes a list", key);
    *out = ARENA_ARRAY(arena, struct slice, list->count + 1);
    for (size_t i = 0; i < list->count; i++) {
        int err = text_yaml_string(list->items[i], &(*out)[i], diag);
        if (err)
            return err;
    }
    *count = list->count;
    return 0;
}

static int read_duration(const struct text_yaml *map, const char *key, int64_t *out_ns,
                         struct diag *diag)
{
    const struct text_yaml *n = given(map, key);
    return n ? text_yaml_duration(n, out_ns, diag) : 0;
}

/* A map of names to texts, as label set; empty values stay. */
static int by_name(const void *a, const void *b)
{
    return slice_cmp(((const struct data_label *)a)->name, ((const struct data_label *)b)->name);
}

static int read_labels(const struct text_yaml *map, const char *key, struct arena *arena,
                       struct data_labels *out, struct diag *diag)
{
    const struct text_yaml *n = given(map, key);
    *out = (struct data_labels){0};
    if (!n)
        return 0;
    if (n->kind != TEXT_YAML_MAP)
        return text_yaml_error(n, diag, ERR_INVALID, "%s is a map of names to values", key);
    struct data_label *labels = ARENA_ARRAY(arena, struct data_label, n->count + 2);
    for (size_t i = 0; i < n->count; i++) {
        int err = text_yaml_string(n->items[i], &labels[i].value, diag);
        if (err)
            return err;
        labels[i].name = n->keys[i]->value;
    }
    qsort(labels, n->count, sizeof(*labels), by_name);
    *out = (struct data_labels){labels, n->count};
    return 0;
}

static int check_list(const struct text_yaml *map, const char *key, const char *const *known,
                      struct diag *diag)
{
    const struct text_yaml *list = given(map, key);
    if (list && list->kind != TEXT_YAML_LIST)
        return text_yaml_error(list, diag, ERR_INVALID, "%s takes a list", key);
    for (size_t i = 0; list && i < list->count; i++) {
        if (list->items[i]->kind != TEXT_YAML_MAP)
            return text_yaml_error(list->items[i], diag, ERR_INVALID, "an entry of %s is a map",
                                   key);
        int err = text_yaml_check_keys(list->items[i], key, known, diag);
        if (err)
            return err;
    }
    return 0;
}

static int read_inputs(struct unit_test *t, struct diag *diag)
{
    static const char *const known[] = {"series", "values", NULL};
    const struct text_yaml *list = given(t->map, "input_series");
    int err = check_list(t->map, "input_series", known, diag);
    if (err || !list)
        return err;
    t->inputs = ARENA_ARRAY(t->arena, struct input, list->count + 1);
    for (size_t i = 0; i < list->count; i++) {
        struct input *in = &t->inputs[i];
        struct slice series = SLICE(""), values = SLICE("");
        struct diag d;
        diag_init(&d);
        const struct text_yaml *s = given(list->items[i], "series"),
                               *v = given(list->items[i], "values");
        if ((s && (err = text_yaml_string(s, &series, diag))) ||
            (v && (err = text_yaml_string(v, &values, diag))))
            return err;
        if (promql_parse_series_labels(&series, t->arena, &in->labels, &d))
            return text_yaml_error(s ? s : list->items[i], diag, ERR_INVALID, "series: %s", d.msg);
        if (values.len && promql_parse_series_values(values, t->arena, &in->values, &in->count, &d))
            return text_yaml_error(v, diag, ERR_INVALID, "values: %s", d.msg);
    }
    t->input_count = list->count;
    return 0;
}

static int check_test(const struct text_yaml *map, struct diag *diag)
{
    static const char *const known[] = {"interval",
                                        "input_series",
                                        "alert_rule_test",
                                        "promql_expr_test",
                                        "external_labels",
                                        "external_url",
                                        "name",
                                        "start_timestamp",
                                        NULL};
    static const char *const alert_known[] = {"eval_time", "alertname", "exp_alerts", NULL};
    static const char *const exp_known[] = {"exp_labels", "exp_annotations", NULL};
    static const char *const expr_known[] = {"expr", "eval_time", "exp_samples", NULL};
    static const char *const sample_known[] = {"labels", "value", "histogram", NULL};
    if (map->kind != TEXT_YAML_MAP)
        return text_yaml_error(map, diag, ERR_INVALID, "a test is a map");
    int err = text_yaml_check_keys(map, "a test", known, diag);
    if (!err)
        err = check_list(map, "alert_rule_test", alert_known, diag);
    if (!err)
        err = check_list(map, "promql_expr_test", expr_known, diag);
    const struct text_yaml *alerts = given(map, "alert_rule_test"),
                           *exprs = given(map, "promql_expr_test");
    for (size_t i = 0; !err && alerts && i < alerts->count; i++)
        err = check_list(alerts->items[i], "exp_alerts", exp_known, diag);
    for (size_t i = 0; !err && exprs && i < exprs->count; i++)
        err = check_list(exprs->items[i], "exp_samples", sample_known, diag);
    return err;
}

static int read_start(const struct text_yaml *map, int64_t *out_ns, struct diag *diag)
{
    const struct text_yaml *n = given(map, "start_timestamp");
    *out_ns = 0;
    if (n && (n->kind != TEXT_YAML_SCALAR || text_time_parse(n->value, out_ns)))
        return text_yaml_error(n, diag, ERR_INVALID,
                               "start_timestamp is seconds since 1970 or a time like "
                               "2024-01-01T00:00:00Z");
    return 0;
}

/* --- rules --- */

static size_t position(const struct runner *r, struct slice group)
{
    for (size_t i = 0; i < r->order_count; i++) {
        if (slice_eq(r->order[i], group))
            return i;
    }
    return 0;
}

/* Groups in the order of the files, those of group_eval_order as it says. */
static void order_groups(const struct runner *r, struct unit_test *t)
{
    for (size_t i = 1; i < t->group_count; i++) {
        struct alert_group *g = t->groups[i];
        size_t k = i, at = position(r, g->def->name);
        for (; k && position(r, t->groups[k - 1]->def->name) > at; k--)
            t->groups[k] = t->groups[k - 1];
        t->groups[k] = g;
    }
}

static int load_rules(struct runner *r, struct unit_test *t, struct diag *diag)
{
    struct alert_rules_options options = {.interval_ns = t->interval_ns,
                                          .promql = r->options->promql};
    struct alert_rules *rules = NULL;
    int err = alert_rules_load(r->patterns, r->pattern_count, r->dir, &options, &rules, diag);
    if (err)
        return err;
    t->groups = ARENA_ARRAY(t->arena, struct alert_group *, rules->group_count + 1);
    for (size_t i = 0; i < rules->group_count; i++) {
        t->groups[i] = alert_group_new(rules, &rules->groups[i]);
        alert_group_set_restored(t->groups[i]);
        t->group_count++;
    }
    alert_rules_free(rules); /* the groups hold on to it */
    order_groups(r, t);
    return 0;
}

/* --- evaluation --- */

static void load_until(struct unit_test *t, int64_t ts_ns)
{
    for (size_t i = 0; i < t->input_count; i++) {
        struct input *in = &t->inputs[i];
        for (; in->next < in->count; in->next++) {
            int64_t at_ns = t->start_ns + (int64_t)in->next * t->interval_ns, newest;
            const struct promql_series_value *v = &in->values[in->next];
            if (at_ns > ts_ns)
                break;
            if (v->missing ||
                (store_memory_newest(t->memory, in->labels, &newest) && newest >= at_ns))
                continue;
            store_memory_add(t->memory, in->labels, at_ns, v->value, v->histogram);
        }
    }
}

/* True when a rule failed. */
static bool eval_groups(struct runner *r, struct unit_test *t, int64_t ts_ns)
{
    bool failed = false;
    for (size_t i = 0; i < t->group_count; i++) {
        const struct alert_group *g = t->groups[i];
        alert_group_eval(t->groups[i], &t->env, ts_ns, NULL, NULL);
        for (size_t k = 0; k < g->def->rule_count; k++) {
            if (!g->states[k].last_error)
                continue;
            struct buf time = {0};
            put_duration(ts_ns - t->start_ns, &time);
            buf_printf(r->out, "    rule: %.*s, time: %s, err: %s\n",
                       SLICE_FMT(g->def->rules[k].name), buf_cstr(&time), g->states[k].last_error);
            buf_deinit(&time);
            failed = true;
        }
    }
    r->failures += failed;
    return failed;
}

/* --- alerts --- */

struct alert_pair {
    struct data_labels labels, annotations;
};
typedef VEC(struct alert_pair) alert_pairs;

static int by_alert(const void *a, const void *b)
{
    const struct alert_pair *x = a, *y = b;
    int c = data_labels_cmp(x->labels, y->labels);
    return c ? c : data_labels_cmp(x->annotations, y->annotations);
}

static void put_labels(struct data_labels labels, struct buf *out)
{
    buf_append_char(out, '{');
    for (size_t i = 0; i < labels.count; i++) {
        buf_printf(out, "%s%.*s=", i ? ", " : "", SLICE_FMT(labels.items[i].name));
        struct text_template_value v = text_template_string(labels.items[i].value);
        text_template_printf(SLICE("%q"), &v, 1, out);
    }
    buf_append_char(out, '}');
}

static void put_alerts(const alert_pairs *list, struct buf *out)
{
    buf_append_char(out, '[');
    for (size_t i = 0; i < list->len; i++) {
        buf_printf(out, "%s\n            %zu:\n              Labels:", i ? "," : "", i);
        put_labels(list->items[i].labels, out);
        buf_append_cstr(out, "\n              Annotations:");
        put_labels(list->items[i].annotations, out);
    }
    buf_append_cstr(out, list->len ? "\n            ]" : "]");
}

static void firing(const struct unit_test *t, struct slice name, alert_pairs *out)
{
    for (size_t i = 0; i < t->group_count; i++) {
        const struct alert_group *g = t->groups[i];
        for (size_t k = 0; k < g->def->rule_count; k++) {
            struct map_entry *entry;
            if (!g->def->rules[k].is_alert || !slice_eq(g->def->rules[k].name, name))
                continue;
            for (size_t pos = 0; (entry = map_next(g->states[k].active, &pos));) {
                const struct alert_active *a = entry->value.ptr;
                struct alert_pair p = {a->labels, a->annotations};
                if (a->state == ALERT_FIRING)
                    vec_push(out, p);
            }
        }
    }
}

static int expected_alerts(struct unit_test *t, const struct text_yaml *map, struct slice name,
                           alert_pairs *out, struct diag *diag)
{
    const struct text_yaml *list = given(map, "exp_alerts");
    for (size_t i = 0; list && i < list->count; i++) {
        struct alert_pair p;
        struct data_labels_builder b = {0};
        int err = read_labels(list->items[i], "exp_labels", t->arena, &p.labels, diag);
        if (!err)
            err = read_labels(list->items[i], "exp_annotations", t->arena, &p.annotations, diag);
        if (err)
            return err;
        data_labels_builder_from(&b, p.labels);
        data_labels_builder_set(&b, SLICE("alertname"), name);
        err = data_labels_builder_finish(&b, &p.labels, diag);
        if (!err)
            p.labels = data_labels_copy(t->arena, p.labels);
        data_labels_builder_deinit(&b);
        if (err)
            return err;
        vec_push(out, p);
    }
    return 0;
}

static bool same_texts(struct data_labels a, struct data_labels b)
{
    if (a.count != b.count)
        return false;
    for (size_t i = 0; i < a.count; i++) {
        if (!slice_eq(a.items[i].name, b.items[i].name) ||
            !slice_eq(a.items[i].value, b.items[i].value))
            return false;
    }
    return true;
}

static int check_alerts(struct runner *r, struct unit_test *t, const struct text_yaml *map,
                        int64_t eval_ns, struct diag *diag)
{
    alert_pairs exp = {0}, got = {0};
    struct slice name = SLICE("");
    const struct text_yaml *n = given(map, "alertname");
    int err = n ? text_yaml_string(n, &name, diag) : 0;
    if (!err)
        err = expected_alerts(t, map, name, &exp, diag);
    if (!err) {
        firing(t, name, &got);
        if (exp.len)
            qsort(exp.items, exp.len, sizeof(*exp.items), by_alert);
        if (got.len)
            qsort(got.items, got.len, sizeof(*got.items), by_alert);
        bool same = exp.len == got.len;
        for (size_t i = 0; same && i < exp.len; i++)
            same = same_texts(exp.items[i].labels, got.items[i].labels) &&
                   same_texts(exp.items[i].annotations, got.items[i].annotations);
        if (!same) {
            struct buf time = {0};
            put_duration(eval_ns, &time);
            buf_append_cstr(r->out, "    ");
            if (t->name.len)
                buf_printf(r->out, "name: %.*s,\n    ", SLICE_FMT(t->name));
            buf_printf(r->out, "alertname: %.*s, time: %s, \n        exp:", SLICE_FMT(name),
                       buf_cstr(&time));
            put_alerts(&exp, r->out);
            buf_append_cstr(r->out, ", \n        got:");
            put_alerts(&got, r->out);
            buf_append_char(r->out, '\n');
            buf_deinit(&time);
            r->failures++;
        }
    }
    vec_free(&exp);
    vec_free(&got);
    return err;
}

/* --- expressions --- */

struct sample {
    struct data_labels labels;
    double value;
    struct slice histogram; /* as text; ptr NULL: a float */
};
typedef VEC(struct sample) sample_list;

static int by_sample(const void *a, const void *b)
{
    return data_labels_cmp(((const struct sample *)a)->labels, ((const struct sample *)b)->labels);
}

static struct slice histogram_text(const struct data_histogram *h, struct arena *arena)
{
    struct buf text = {0};
    data_histogram_print(h, &text);
    struct slice s = arena_slice(arena, buf_slice(&text));
    buf_deinit(&text);
    return s;
}

static int expected_samples(struct unit_test *t, const struct text_yaml *map, sample_list *out,
                            struct diag *diag)
{
    const struct text_yaml *list = given(map, "exp_samples");
    for (size_t i = 0; list && i < list->count; i++) {
        const struct text_yaml *labels = given(list->items[i], "labels"),
                               *value = given(list->items[i], "value"),
                               *histogram = given(list->items[i], "histogram");
        struct sample s = {.histogram = {NULL, 0}};
        struct slice text = SLICE("");
        struct promql_series_value *values;
        size_t count = 0;
        struct diag d;
        diag_init(&d);
        int err = labels ? text_yaml_string(labels, &text, diag) : 0;
        if (err)
            return err;
        if (slice_trim(text).len && promql_parse_series_labels(&text, t->arena, &s.labels, &d))
            return text_yaml_error(labels, diag, ERR_INVALID, "labels: %s", d.msg);
        if (value &&
            (value->kind != TEXT_YAML_SCALAR ||
             !codec_text_to_double(slice_first(value->value, value->value.len), &s.value, NULL))) {
            /* YAML's own spelling of what is no number. */
            if (slice_eq_nocase(value->value, SLICE(".nan")))
                s.value = NAN;
            else if (slice_eq_nocase(value->value, SLICE(".inf")) ||
                     slice_eq_nocase(value->value, SLICE("+.inf")))
                s.value = INFINITY;
            else if (slice_eq_nocase(value->value, SLICE("-.inf")))
                s.value = -INFINITY;
            else
                return text_yaml_error(value, diag, ERR_INVALID, "value: a number is expected");
        }
        if (histogram) {
            if ((err = text_yaml_string(histogram, &text, diag)))
                return err;
            if (promql_parse_series_values(text, t->arena, &values, &count, &d) || count != 1 ||
                !values[0].histogram)
                return text_yaml_error(histogram, diag, ERR_INVALID,
                                       "histogram: {{...}} is expected: %s", d.msg);
            s.histogram = histogram_text(values[0].histogram, t->arena);
        }
        vec_push(out, s);
    }
    return 0;
}

/* At most one step of the last bit apart. */
static bool nearly(double a, double b)
{
    return nextafter(a, -INFINITY) <= b && b <= nextafter(a, INFINITY);
}

static bool same_samples(const struct runner *r, const sample_list *a, const sample_list *b)
{
    if (a->len != b->len)
        return false;
    for (size_t i = 0; i < a->len; i++) {
        const struct sample *x = &a->items[i], *y = &b->items[i];
        if (!data_labels_eq(x->labels, y->labels) ||
            (x->histogram.ptr != NULL) != (y->histogram.ptr != NULL))
            return false;
        if (x->histogram.ptr ? !slice_eq(x->histogram, y->histogram)
                             : !(x->value == y->value || (isnan(x->value) && isnan(y->value)) ||
                                 (r->fuzzy && nearly(x->value, y->value))))
            return false;
    }
    return true;
}

static void put_samples(const sample_list *list, struct buf *out)
{
    if (!list->len)
        buf_append_cstr(out, "nil");
    for (size_t i = 0; i < list->len; i++) {
        const struct sample *s = &list->items[i];
        buf_append_cstr(out, i ? "\n            " : "");
        put_labels(s->labels, out);
        buf_append_char(out, ' ');
        if (s->histogram.ptr)
            buf_append_slice(out, s->histogram);
        else
            codec_append_double(out, s->value, CODEC_DOUBLE_GENERAL);
    }
}

static int check_expr(struct runner *r, struct unit_test *t, const struct text_yaml *map,
                      struct diag *diag)
{
    struct arena *arena = arena_new(0, NULL);
    struct query_result result = {0};
    struct buf time = {0}, quoted = {0};
    sample_list exp = {0}, got = {0};
    struct slice expr = SLICE("");
    int64_t eval_ns = 0;
    struct diag d;
    diag_init(&d);
    const struct text_yaml *n = given(map, "expr");
    int err = n ? text_yaml_string(n, &expr, diag) : 0;
    if (!err)
        err = read_duration(map, "eval_time", &eval_ns, diag);
    if (!err)
        err = expected_samples(t, map, &exp, diag);
    if (err)
        goto out;
    put_duration(eval_ns, &time);
    struct text_template_value v = text_template_string(expr);
    text_template_printf(SLICE("%q"), &v, 1, &quoted);
    const struct alert__room room = {arena, arena, NULL};
    if (alert__query_text(&t->env, &alert_promql, expr, t->start_ns + eval_ns, &room, &result,
                          &d)) {
        buf_printf(r->out, "    expr: %s, time: %s, err: %s\n", buf_cstr(&quoted), buf_cstr(&time),
                   d.msg);
        r->failures++;
        goto out;
    }
    for (size_t i = 0; i < result.series_count; i++) {
        const struct query_series *s = &result.series[i];
        struct sample one = {.labels = s->labels};
        if (!s->count)
            continue;
        one.value = query_point_at(s, 0).value;
        if (query_point_at(s, 0).histogram)
            one.histogram = histogram_text(query_point_at(s, 0).histogram, arena);
        vec_push(&got, one);
    }
    if (exp.len)
        qsort(exp.items, exp.len, sizeof(*exp.items), by_sample);
    if (got.len)
        qsort(got.items, got.len, sizeof(*got.items), by_sample);
    if (!same_samples(r, &exp, &got)) {
        buf_printf(r->out, "    expr: %s, time: %s,\n        exp: ", buf_cstr(&quoted),
                   buf_cstr(&time));
        put_samples(&exp, r->out);
        buf_append_cstr(r->out, "\n        got: ");
        put_samples(&got, r->out);
        buf_append_char(r->out, '\n');
        r->failures++;
    }
out:
    buf_deinit(&time);
    buf_deinit(&quoted);
    vec_free(&exp);
    vec_free(&got);
    arena_free(arena);
    return err;
}

/* --- one test --- */

static int last_time(const struct unit_test *t, int64_t *out_ns, struct diag *diag)
{
    static const char *const keys[] = {"alert_rule_test", "promql_expr_test"};
    *out_ns = 0;
    for (int k = 0; k < 2; k++) {
        const struct text_yaml *list = given(t->map, keys[k]);
        for (size_t i = 0; list && i < list->count; i++) {
            int64_t ns = 0;
            int err = read_duration(list->items[i], "eval_time", &ns, diag);
            if (err)
                return err;
            *out_ns = MAX(*out_ns, ns);
        }
    }
    return 0;
}

static int run_steps(struct runner *r, struct unit_test *t, struct diag *diag)
{
    const struct text_yaml *alerts = given(t->map, "alert_rule_test"),
                           *exprs = given(t->map, "promql_expr_test");
    int64_t last_ns;
    int err = last_time(t, &last_ns, diag);
    if (!err && last_ns / r->interval_ns > STEPS_MAX)
        err = text_yaml_error(t->map, diag, ERR_LIMIT,
                              "more than %d evaluations up to the last eval_time", STEPS_MAX);
    for (int64_t ns = 0; !err && ns <= last_ns; ns += r->interval_ns) {
        load_until(t, t->start_ns + ns);
        if (eval_groups(r, t, t->start_ns + ns))
            return 0;
        for (size_t i = 0; !err && alerts && i < alerts->count; i++) {
            int64_t eval_ns = 0;
            err = read_duration(alerts->items[i], "eval_time", &eval_ns, diag);
            if (!err && ns <= eval_ns && eval_ns < ns + r->interval_ns)
                err = check_alerts(r, t, alerts->items[i], eval_ns, diag);
        }
    }
    if (!err)
        load_until(t, t->start_ns + last_ns);
    for (size_t i = 0; !err && exprs && i < exprs->count; i++)
        err = check_expr(r, t, exprs->items[i], diag);
    return err;
}

static bool chosen(const struct runner *r, struct slice name)
{
    for (size_t i = 0; i < r->options->name_count; i++) {
        if (text_regex_match(r->options->names[i], name))
            return true;
    }
    return r->options->name_count == 0;
}

static int run_test(struct runner *r, const struct text_yaml *map, struct diag *diag)
{
    struct unit_test t = {
        .arena = r->arena, .map = map, .interval_ns = r->interval_ns, .name = SLICE("")};
    const struct text_yaml *name = given(map, "name"), *url = given(map, "external_url");
    struct slice external_url = SLICE("");
    int err = check_test(map, diag);
    if (!err && name)
        err = text_yaml_string(name, &t.name, diag);
    if (err || !chosen(r, t.name))
        return err;
    t.memory = store_memory_new();
    t.sink.metrics = take;
    t.env = (struct alert_env){.source = store_memory_face(t.memory),
                               .sink = &t.sink,
                               .tenant = SLICE("default"),
                               .promql = r->options->promql,
                               .samples_max = 50000000};
    err = read_duration(map, "interval", &t.interval_ns, diag);
    if (!t.interval_ns)
        t.interval_ns = r->interval_ns;
    if (!err)
        err = read_start(map, &t.start_ns, diag);
    if (!err)
        err = read_labels(map, "external_labels", r->arena, &t.env.external_labels, diag);
    if (!err && url)
        err = text_yaml_string(url, &external_url, diag);
    t.env.external_url = arena_slice(r->arena, external_url).ptr;
    if (!err)
        err = read_inputs(&t, diag);
    if (!err)
        err = load_rules(r, &t, diag);
    if (!err)
        err = run_steps(r, &t, diag);
    for (size_t i = 0; i < t.group_count; i++)
        alert_group_free(t.groups[i]);
    store_memory_free(t.memory);
    return err;
}

/* --- one file --- */

static int check_order(const struct runner *r, struct diag *diag)
{
    for (size_t i = 0; i < r->order_count; i++) {
        for (size_t k = 0; k < i; k++) {
            if (slice_eq(r->order[i], r->order[k]))
                return diag_set(diag, ERR_INVALID, "group name repeated in evaluation order: %.*s",
                                SLICE_FMT(r->order[i]));
        }
    }
    return 0;
}

static int run_file(struct runner *r, struct diag *diag)
{
    static const char *const known[] = {"rule_files", "evaluation_interval", "group_eval_order",
                                        "tests",      "fuzzy_compare",       NULL};
    struct text_yaml *root = NULL;
    struct buf text = {0};
    FILE *f = fopen(r->path, "re");
    int err = 0;
    if (!f)
        return diag_set(diag, ERR_NOT_FOUND, "%s cannot be read", r->path);
    for (size_t n = 1; n && text.len <= FILE_BYTES_MAX;) {
        n = fread(buf_reserve(&text, 65536), 1, 65536, f);
        text.len += n;
    }
    fclose(f);
    if (text.len > FILE_BYTES_MAX)
        err = diag_set(diag, ERR_TOO_LARGE, "%s is larger than %zu bytes", r->path, FILE_BYTES_MAX);
    if (!err)
        err = text_yaml_parse(arena_slice(r->arena, buf_slice(&text)), r->arena, &root, diag);
    buf_deinit(&text);
    if (!err)
        err = text_yaml_check_keys(root, "a file of unit tests", known, diag);
    r->interval_ns = 60 * NS_PER_SEC;
    if (!err)
        err = read_duration(root, "evaluation_interval", &r->interval_ns, diag);
    if (!r->interval_ns)
        r->interval_ns = 60 * NS_PER_SEC;
    if (!err)
        err = read_list(root, "rule_files", r->arena, &r->patterns, &r->pattern_count, diag);
    if (!err)
        err = read_list(root, "group_eval_order", r->arena, &r->order, &r->order_count, diag);
    if (!err)
        err = check_order(r, diag);
    if (!err && given(root, "fuzzy_compare"))
        err = text_yaml_bool(given(root, "fuzzy_compare"), &r->fuzzy, diag);
    const struct text_yaml *tests = given(root, "tests");
    if (!err && tests && tests->kind != TEXT_YAML_LIST)
        err = text_yaml_error(tests, diag, ERR_INVALID, "tests takes a list");
    for (size_t i = 0; !err && tests && i < tests->count; i++)
        err = run_test(r, tests->items[i], diag);
    return err;
}

int alert_unit_test_run(const char *path, const struct alert_unit_test_options *options,
                        struct buf *out)
{
    struct buf findings = {0};
    struct runner r = {
        .path = path, .options = options, .arena = arena_new(0, NULL), .out = &findings};
    const char *slash = strrchr(path, '/');
    char text[1200];
    struct diag diag;
    diag_init(&diag);
    if (slash)
        snprintf(r.dir, sizeof(r.dir), "%.*s", (int)(slash - path + 1), path);
    int err = run_file(&r, &diag);
    if (err && !diag.file[0])
        diag_set_file(&diag, path);
    if (!err && r.failures)
        err = ERR_INVALID;
    if (err) {
        buf_append_cstr(out, "  FAILED:\n");
        buf_append_slice(out, buf_slice(&findings));
        if (diag.code)
            buf_printf(out, "    %s\n", diag_str(&diag, text, sizeof(text)));
    } else {
        buf_append_cstr(out, "  SUCCESS\n");
    }
    buf_deinit(&findings);
    arena_free(r.arena);
    return err;
}
