/* What a query reads of a span, and expressions over it. */
#ifndef LANG_TRACEQL_EVAL_H
#define LANG_TRACEQL_EVAL_H

#include "lang/traceql/ast.h"
#include "store/events.h"

/* Columns that are always read, before those of the query. */
enum {
    TRACEQL_READ_NAME,
    TRACEQL_READ_DURATION,
    TRACEQL_READ_STATUS,
    TRACEQL_READ_TRACE_ID,
    TRACEQL_READ_COUNT
};

struct traceql_reads {
    struct store_event_field *fields; /* READ_..., then the query's (traceql_field.source) */
    size_t count;
    struct store_event_field *child_fields; /* of events and links */
    size_t child_count;
    bool trace; /* something takes the whole trace */
};
/* What the store knows a field of events or links by; false when it is none of theirs. */
bool traceql__child_field(const struct traceql_field *f, struct store_event_field *out);
/* Of all fields of the query; sets their sources. In the query's arena. */
void traceql__reads_make(struct traceql_query *q, struct traceql_reads *out);

/* One trace of a chunk: rows [first, first + count), depth first. */
struct traceql_trace {
    size_t first, count;
    const uint32_t *parent;   /* of each row the one of its parent within the trace, or NONE */
    const uint32_t *children; /* how many each has */
    size_t root;              /* row within the trace, or SIZE_MAX: not there */
    int64_t start_ns, end_ns;
    struct slice root_name, root_service; /* ptr NULL without a root */
};
#define TRACEQL_NO_ROW UINT32_MAX

/* The rows in hand. */
struct traceql_rows {
    const struct traceql_query *query;
    const struct traceql_reads *reads;
    const struct store_event_chunk *chunk;
    size_t offset;                     /* columns of the chunk before those of `reads` */
    const struct traceql_trace *trace; /* NULL: rows alone */
    struct arena *arena;               /* for texts and lists */
};

/* `row` is an index into the chunk. */
const struct data_value *traceql__column(const struct traceql_rows *r, size_t read);
struct traceql_value traceql__field(const struct traceql_rows *r, size_t field, size_t row);
struct traceql_value traceql__eval(const struct traceql_rows *r, const struct traceql_expr *e,
                                   size_t row);
/* The values a field has where it is missing: intrinsics always have one. */
struct traceql_value traceql__missing(enum traceql_intrinsic i);
struct slice traceql__service(const struct store_event_chunk *c, size_t row);
/* Fills in *out for the rows of one trace; in `arena`. NULL parent when it is used up. */
void traceql__trace_make(const struct traceql_rows *r, size_t first, size_t count,
                         struct arena *arena, struct traceql_trace *out);

/* Conditions that a span of every trace in question meets (or every span, for a filter alone): what
 * the store can do. In the query's arena; none is always right. */
void traceql__pushdown(const struct traceql_query *q, const struct traceql_pipeline *p,
                       struct store_event_clause **out, size_t *out_count);

#endif
