/* The operations of a source, with an end for regular expressions that run over their effort: such
 * a match is no answer, whatever thread it happened on. */
#include "store/event/scan_priv.h"
#include "text/regex.h"

#define GUARDED(call)                                                                              \
    uint64_t overruns = text_regex_overruns();                                                     \
    int err = scan__ops.call;                                                                      \
    return err ? err : text_regex_check(overruns, "a regular expression of the query", diag)

static uint32_t caps(struct store_event_source *src)
{
    return scan__ops.caps(src);
}

static int streams(struct store_event_source *src, const struct store_event_select *req,
                   struct arena *arena, struct store_event_stream **out, size_t *out_count,
                   struct diag *diag)
{
    GUARDED(streams(src, req, arena, out, out_count, diag));
}

static int scan(struct store_event_source *src, const struct store_event_scan *req,
                struct store_event_cursor **out, struct diag *diag)
{
    uint64_t overruns = text_regex_overruns();
    int err = scan__ops.scan(src, req, out, diag);
    if (err || !(err = text_regex_check(overruns, "a regular expression of the query", diag)))
        return err;
    scan__ops.close(*out);
    *out = NULL;
    return err;
}

static int next(struct store_event_cursor *c, struct store_event_chunk *out, struct diag *diag)
{
    GUARDED(next(c, out, diag));
}

static size_t morsel_count(struct store_event_cursor *c)
{
    return scan__ops.morsel_count(c);
}

static void morsel_times(struct store_event_cursor *c, size_t i, int64_t *t_min_ns,
                         int64_t *t_max_ns)
{
    scan__ops.morsel_times(c, i, t_min_ns, t_max_ns);
}

static int morsel_read(struct store_event_cursor *c, size_t i, struct store_event_chunk *out,
                       struct diag *diag)
{
    GUARDED(morsel_read(c, i, out, diag));
}

static void cursor_stats(struct store_event_cursor *c, struct store_event_stats *out)
{
    scan__ops.cursor_stats(c, out);
}

static void close_cursor(struct store_event_cursor *c)
{
    scan__ops.close(c);
}

static int counts(struct store_event_source *src, const struct store_event_select *req,
                  int64_t step_ns, bool by_stream, bool by_level, struct arena *arena,
                  struct store_event_counts *out, struct diag *diag)
{
    GUARDED(counts(src, req, step_ns, by_stream, by_level, arena, out, diag));
}

static int label_names(struct store_event_source *src, const struct store_event_select *req,
                       size_t limit, struct arena *arena, struct slice **out, size_t *out_count,
                       bool *out_cut, struct diag *diag)
{
    GUARDED(label_names(src, req, limit, arena, out, out_count, out_cut, diag));
}

static int label_values(struct store_event_source *src, struct slice name,
                        const struct store_event_select *req, size_t limit, struct arena *arena,
                        struct slice **out, size_t *out_count, bool *out_cut, struct diag *diag)
{
    GUARDED(label_values(src, name, req, limit, arena, out, out_count, out_cut, diag));
}

static int fields(struct store_event_source *src, const struct store_event_select *req,
                  struct arena *arena, struct store_event_field_info **out, size_t *out_count,
                  struct diag *diag)
{
    GUARDED(fields(src, req, arena, out, out_count, diag));
}

static bool may_have(struct store_event_source *src, const struct store_event_select *req,
                     const struct store_event_field *field)
{
    return scan__ops.may_have(src, req, field);
}

static int field_values(struct store_event_source *src, struct store_event_field field,
                        const struct store_event_scan *req, size_t limit, struct arena *arena,
                        struct store_event_field_value **out, size_t *out_count, bool *out_cut,
                        struct diag *diag)
{
    GUARDED(field_values(src, field, req, limit, arena, out, out_count, out_cut, diag));
}

static int traces(struct store_event_source *src, const struct slice *ids, size_t id_count,
                  const struct store_event_scan *req, struct store_event_chunk *out,
                  struct diag *diag)
{
    GUARDED(traces(src, ids, id_count, req, out, diag));
}

static uint64_t position(struct store_event_source *src)
{
    return scan__ops.position(src);
}

static void stats(struct store_event_source *src, struct store_event_source_stats *out)
{
    scan__ops.stats(src, out);
}

const struct store_event_ops store__event_ops = {
    .caps = caps,
    .streams = streams,
    .scan = scan,
    .next = next,
    .morsel_count = morsel_count,
    .morsel_times = morsel_times,
    .morsel_read = morsel_read,
    .cursor_stats = cursor_stats,
    .close = close_cursor,
    .counts = counts,
    .label_names = label_names,
    .label_values = label_values,
    .fields = fields,
    .may_have = may_have,
    .field_values = field_values,
    .traces = traces,
    .position = position,
    .stats = stats,
};
