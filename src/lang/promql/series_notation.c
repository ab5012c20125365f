#include "lang/promql/series_notation.h"

#include "base/vec.h"
#include "codec/number.h"
#include "data/histogram_math.h"
#include "data/histogram_notation.h"
#include "data/metric_batch.h"
#include "lang/promql/promql.h"

#define VALUES_MAX 1000000

int promql_parse_series_labels(struct slice *line, struct arena *arena, struct data_labels *out,
                               struct diag *diag)
{
    size_t i = 0;
    bool quoted = false, braces = false;
    *line = slice_trim(*line);
    for (; i < line->len; i++) {
        char c = line->ptr[i];
        if (c == '\\' && quoted)
            i++;
        else if (c == '"')
            quoted = !quoted;
        else if (!quoted && (c == '{' || c == '}'))
            braces = c == '{';
        else if (!quoted && !braces && (c == ' ' || c == '\t'))
            break;
    }
    i = MIN(i, line->len);
    struct slice metric = slice_first(*line, i);
    *line = slice_trim(slice_from(*line, i));
    struct data_labels_builder b = {0};
    struct data_labels labels = {NULL, 0};
    int err = 0;
    if (!slice_eq_cstr(metric, "{}")) {
        struct store_matcher *m;
        size_t count = 0;
        err = promql_parse_selector(metric, arena, &m, &count, diag);
        for (size_t k = 0; !err && k < count; k++) {
            if (m[k].op != STORE_MATCH_EQ)
                err = diag_set(diag, ERR_INVALID, "a series' labels are given with =: \"%.*s\"",
                               SLICE_FMT(metric));
            data_labels_builder_set(&b, m[k].name, m[k].value);
        }
        if (!err)
            promql_matchers_free(m, count);
    }
    if (!err)
        err = data_labels_builder_finish(&b, &labels, diag);
    if (!err)
        *out = data_labels_copy(arena, labels);
    data_labels_builder_deinit(&b);
    return err;
}

struct values {
    VEC(struct promql_series_value) list;
    struct arena *arena;
    struct diag *diag;
};

static int bad(struct values *v, struct slice item)
{
    return diag_set(v->diag, ERR_INVALID, "not a value of a series: \"%.*s\"", SLICE_FMT(item));
}

static int put(struct values *v, struct promql_series_value one)
{
    if (v->list.len >= VALUES_MAX)
        return diag_set(v->diag, ERR_LIMIT, "more than %d values in a series", VALUES_MAX);
    vec_push(&v->list, one);
    return 0;
}

/* {{...}} at the front of *text. */
static int take_histogram(struct values *v, struct slice *text, struct data_histogram **out)
{
    ptrdiff_t end = slice_find(*text, SLICE("}}"));
    if (end < 0)
        return bad(v, *text);
    int err = data_histogram_parse(slice_first(*text, (size_t)end + 2), v->arena, out, v->diag);
    *text = slice_from(*text, (size_t)end + 2);
    return err;
}

/* The rest of an item: nothing, or xN. */
static int take_times(struct values *v, struct slice *text, uint64_t *times)
{
    struct slice item = *text;
    size_t i = 0;
    *times = 0;
    while (i < text->len && text->ptr[i] != ' ' && text->ptr[i] != '\t')
        i++;
    struct slice word = slice_first(*text, i);
    *text = slice_from(*text, i);
    if (!word.len)
        return 0;
    if (word.ptr[0] != 'x' || !codec_text_to_uint(slice_from(word, 1), times) ||
        *times > VALUES_MAX)
        return bad(v, item);
    return 0;
}

static int read_histograms(struct values *v, struct slice *text)
{
    struct data_histogram *h, *by = NULL;
    uint64_t times;
    double sign = 1;
    int err = take_histogram(v, text, &h);
    if (!err && text->len && (text->ptr[0] == '+' || text->ptr[0] == '-')) {
        sign = text->ptr[0] == '+' ? 1 : -1;
        *text = slice_from(*text, 1);
        err = take_histogram(v, text, &by);
    }
    if (!err)
        err = take_times(v, text, &times);
    for (uint64_t i = 0; !err && i <= times; i++) {
        if (i && by) {
            struct data_histogram_sum sum = {0};
            data_histogram_sum_start(&sum, h);
            if (data_histogram_sum_add(&sum, by, sign, NULL))
                err = diag_set(v->diag, ERR_INVALID,
                               "exponential and custom buckets cannot be added");
            h = data_histogram_sum_finish(&sum, v->arena);
            data_histogram_sum_free(&sum);
        }
        if (!err)
            err = put(v, (struct promql_series_value){.histogram = h});
    }
    return err;
}

static int read_floats(struct values *v, struct slice *text)
{
    size_t i = 0, x = 0;
    while (i < text->len && text->ptr[i] != ' ' && text->ptr[i] != '\t') {
        if (text->ptr[i] == 'x' && i)
            x = i;
        i++;
    }
    struct slice item = slice_first(*text, i), head = x ? slice_first(item, x) : item;
    *text = slice_from(*text, i);
    uint64_t times = 0;
    double first = 0, by = 0;
    bool missing = slice_eq_cstr(head, "_");
    if (x && (!codec_text_to_uint(slice_from(item, x + 1), &times) || times > VALUES_MAX))
        return bad(v, item);
    if (missing) {
        if (x)
            times--; /* N of it, not N more */
        if (x && times == UINT64_MAX)
            return 0;
    } else if (slice_eq_cstr(head, "stale")) {
        first = data_stale_nan();
    } else {
        /* a+b, a-b with the sign not that of an exponent */
        size_t cut = head.len;
        for (size_t k = 1; k < head.len; k++) {
            if ((head.ptr[k] == '+' || head.ptr[k] == '-') && (head.ptr[k - 1] | 32) != 'e')
                cut = k;
        }
        if (!codec_text_to_double(slice_first(head, cut), &first, NULL) ||
            (cut < head.len && !codec_text_to_double(slice_from(head, cut), &by, NULL)))
            return bad(v, item);
    }
    int err = 0;
    for (uint64_t k = 0; k <= times && !err; k++) {
        /* Adding, even nothing, would change a staleness marker's bits. */
        err =
            put(v, (struct promql_series_value){
                       .missing = missing, .value = k && by != 0 ? first + (double)k * by : first});
    }
    return err;
}

int promql_parse_series_values(struct slice line, struct arena *arena,
                               struct promql_series_value **out, size_t *out_count,
                               struct diag *diag)
{
    struct values v = {.arena = arena, .diag = diag};
    int err = 0;
    while (!err && (line = slice_trim(line)).len)
        err = slice_starts_with(line, SLICE("{{")) ? read_histograms(&v, &line)
                                                   : read_floats(&v, &line);
    *out_count = v.list.len;
    *out = arena_dup(arena, v.list.items, v.list.len * sizeof(**out));
    vec_free(&v.list);
    return err;
}
