/* Events: log lines and spans. Appending to the store, and the scan interface of every source of
 * events (the local store, a test's memory, later ClickHouse or object storage).
 *
 * Times are ns since 1970; every range is [t_min_ns, t_max_ns], both ends included. The order of
 * rows is (time, stream, arrival): it is total and the same in every scan, and newest first is
 * exactly the reverse of oldest first, so that paging by time is stable. (Spans that begin in the
 * same nanosecond in one stream come in an order that may change when parts are merged.) */
#ifndef STORE_EVENTS_H
#define STORE_EVENTS_H

#include "base/task.h"
#include "data/event_batch.h"
#include "store/source.h"
#include "store/store.h"

/* --- appending --- */

/* Takes the batch's content before it returns; what can be accepted is visible to reads at once.
 * `ack` is called exactly once, as store_append_metrics says. Rows are refused one by one, by
 * reason; a row that comes twice is there twice. Thread-safe. */
void store_append_events(struct store *s, const struct data_event_batch *batch,
                         void (*ack)(void *ctx, int err, const struct store_append_result *result),
                         void *ctx);

/* The notes (data_event_batch_note) whose keys begin so, as they are with the rows that are there:
 * for readers that start. Texts are in the arena. ERR_AGAIN while the store is being loaded. */
int store_event_notes(struct store *s, struct slice prefix, struct arena *arena,
                      struct data_event_note **out, size_t *out_count, struct diag *diag);

/* --- fields and predicates --- */

#define STORE_SCOPE_BIT(scope) (1u << (scope))
/* Attributes, then resource, then scope; TraceQL's unscoped ones want DATA_SCOPE_STREAM too. */
#define STORE_SCOPES_FIELDS                                                                        \
    (STORE_SCOPE_BIT(DATA_SCOPE_ATTRIBUTE) | STORE_SCOPE_BIT(DATA_SCOPE_RESOURCE) |                \
     STORE_SCOPE_BIT(DATA_SCOPE_SCOPE))

/* Which field is meant: of a row, or of a span's events or links. A row's value is the first that
 * is there of the scopes asked for, in the order ATTRIBUTE, RESOURCE, SCOPE, STREAM (or STREAM
 * first), exact names before other spellings (data_event_name_matches). */
struct store_event_field {
    uint32_t scopes;    /* STORE_SCOPE_BIT of each; those of INTRINSIC, EVENT and LINK alone */
    uint32_t intrinsic; /* its number; of EVENT and LINK an enum data_event_child_field, or 0 */
    struct slice name;  /* of the others */
    bool stream_first;  /* LogQL: a stream's label hides a field of its name */
};
#define STORE_EVENT_INTRINSIC(id)                                                                  \
    ((struct store_event_field){.scopes = STORE_SCOPE_BIT(DATA_SCOPE_INTRINSIC), .intrinsic = (id)})
/* A field of a span's events or links: a span may have several values of it. A predicate is true
 * when it is for one of them, and `absent` is the answer for a span that has none. They can be
 * asked of may_have and field_values too, but are no columns of a chunk. */
static inline bool store_event_is_of_children(struct store_event_field f)
{
    return f.scopes == STORE_SCOPE_BIT(DATA_SCOPE_EVENT) ||
           f.scopes == STORE_SCOPE_BIT(DATA_SCOPE_LINK);
}

enum store_event_op {
    /* Against `value`, by its kind: INT and DOUBLE with numbers, STRING with strings and JSON (in
     * byte order), BOOL with BOOL, BYTES with BYTES. With `as_text` a STRING is compared with the
     * text of any value, and a number also with strings that are one as a whole. */
    STORE_EVENT_EQ,
    STORE_EVENT_NE,
    STORE_EVENT_LT,
    STORE_EVENT_LE,
    STORE_EVENT_GT,
    STORE_EVENT_GE,
    /* The value's text (store_event_text). CONTAINS value.text anywhere; MATCH finds `regex` (as
     * anchored as it was compiled). */
    STORE_EVENT_CONTAINS,
    STORE_EVENT_NOT_CONTAINS,
    STORE_EVENT_MATCH,
    STORE_EVENT_NOT_MATCH,
    STORE_EVENT_HAS, /* the field is there, or, with `absent`, it is not */
    STORE_EVENT_IN,  /* the text is one of `set` (of trace, span and parent ids: the bytes are) */
};

struct store_event_predicate {
    enum store_event_op op;
    struct store_event_field field;
    struct data_value value;
    const struct text_regex *regex;
    const struct slice *set;
    size_t set_count;
    bool as_text;
    bool absent;    /* the answer for a row without the field */
    bool mismatch;  /* the answer for a value that `value` cannot be compared with */
    uint32_t kinds; /* 1 << data_value_kind of those that can satisfy it at all; 0 = all */
    /* May be left empty: texts of which every match of `regex` contains at least one ("error" for
     * `error: .*`), letter by letter; they let indexes skip. */
    const struct slice *literals;
    size_t literal_count;
};

/* One of the alternatives has to be true. */
struct store_event_clause {
    const struct store_event_predicate *any;
    size_t count;
};

/* The text predicates see: data_value_print, but trace, span and parent ids in lower-case hex. */
void store_event_text(struct store_event_field field, struct data_value v, struct buf *out);
/* Whether a value (kind NULL: the field is missing) satisfies a predicate; what every source's
 * scans agree with, for doubles and residual filters. `scratch` is reused. */
bool store_event_satisfies(const struct store_event_predicate *p, struct data_value v,
                           struct buf *scratch);
struct store_event_children;
/* Of a child of a span that starts at `ts_ns`: kind NULL when it has no such field, or is of the
 * other kind. Of an attribute given twice the last one counts. */
struct data_value store_event_child_value(const struct store_event_children *all,
                                          const struct data_event_child *child, int64_t ts_ns,
                                          struct store_event_field field);
/* The same for a predicate on a field of events or links; `all` may be NULL. */
bool store_event_children_satisfy(const struct store_event_predicate *p,
                                  const struct store_event_children *all, int64_t ts_ns,
                                  struct buf *scratch);

/* --- requests --- */

/* What a query may use. Zero it for no limits. */
struct store_event_limits {
    struct budget *memory;   /* may be NULL; ERR_NOMEM when used up */
    uint64_t scan_rows_max;  /* rows looked at; 0 = unlimited; ERR_LIMIT beyond */
    uint64_t scan_bytes_max; /* bytes read from parts and memory, as stored; ERR_LIMIT */
    const char *scan_rows_setting, *scan_bytes_setting; /* names for the messages; may be NULL */
    int64_t deadline_ns;           /* on the os' monotonic clock; 0 = none; ERR_TIMEOUT */
    const char *deadline_setting;  /* as the others'; may be NULL */
    const _Atomic bool *cancelled; /* may be NULL; ERR_CANCELLED */
};

struct store_event_select {
    struct slice tenant;
    int64_t t_min_ns, t_max_ns; /* both included */
    /* Of the stream's labels; a name finds other spellings too; none = all streams. */
    const struct store_matcher *matchers;
    size_t matcher_count;
    struct store_event_limits limits;
};

/* --- lines told by their shape --- */

/* Lines of one shape: pieces[0], the text of place 0, pieces[1], ..., pieces[places]. */
struct store_event_shape {
    const struct slice *pieces; /* places + 1 */
    uint32_t places;
};

/* What all texts in a place are like. */
enum store_event_texts {
    STORE_TEXTS_ANY,
    STORE_TEXTS_JSON_STRING, /* UTF-8 without quote, backslash and control character */
    STORE_TEXTS_JSON_SCALAR, /* a number, true, false or null of JSON */
    STORE_TEXTS_JSON_VALUE,  /* a number, true or false */
    STORE_TEXTS_WORD,        /* not empty; no blank or control character, no quote, no '=' */
    STORE_TEXTS_QUOTED,      /* no quote and no backslash */
};

#define STORE_EVENT_NO_PLACE UINT32_MAX
struct store_event_told {
    /* One after the other: a text, or what is in a place. None: there is no value. */
    const struct store_event_told_part {
        uint32_t place; /* or STORE_EVENT_NO_PLACE: */
        struct slice text;
    } * parts;
    size_t count;
    bool drop_null; /* "null" is no value, or with null_empty an empty one */
    bool null_empty;
    bool drop_empty; /* nor is an empty text */
};

/* Columns made of lines without putting these together, where their shape is enough. */
struct store_event_derive {
    size_t count; /* columns */
    /* Says what the columns are for lines of the shape, and in `texts`, one a place, what has to be
     * so of all of them for that to hold; both are there, zeroed. When it is not so it is asked
     * again, with the next `attempt` (from 0 on). False: the lines are needed. May be called by any
     * thread; what it allocates is in `arena`. */
    bool (*plan)(void *ctx, const struct store_event_shape *shape, unsigned attempt,
                 struct arena *arena, enum store_event_texts *texts,
                 struct store_event_told *columns);
    void *ctx;
};

struct store_event_chunk;
/* A look at rows before all their fields are read. A source may do without it. */
struct store_event_refine {
    const struct store_event_field *fields;
    size_t field_count;
    const struct store_event_derive *derive; /* may be NULL */
    /* Clears keep[i] for rows that are not wanted; any thread. */
    void (*choose)(void *ctx, const struct store_event_chunk *rows, bool *keep);
    void *ctx;
    _Atomic bool *off; /* no longer worth the while; may be NULL */
};

enum store_event_order { STORE_EVENT_NEWEST_FIRST, STORE_EVENT_OLDEST_FIRST };

struct store_event_scan {
    struct store_event_select select;
    const struct store_event_clause *clauses; /* all must hold; rows delivered satisfy them */
    size_t clause_count;
    enum store_event_order order;
    uint64_t limit; /* rows that will be taken at most, 0 = all: lets the source stop early */
    /* The columns to deliver, in this order; or all that occur. Neither: times and streams only. */
    const struct store_event_field *fields;
    size_t field_count;
    bool all_fields;
    bool children; /* deliver spans' events and links, of each kind in their order */
    /* At least these fields of them; none: whole. */
    const struct store_event_field *child_fields;
    size_t child_field_count;
    /* With `fields`: rows whose lines are told have no line, but these columns; a source may do
     * without it. Both may be NULL. */
    const struct store_event_derive *derive;
    const struct store_event_refine *refine;
    uint64_t after_position; /* only rows that arrived after it, where they are in memory still:
                                for tailing; 0 = all rows */
    /* `next` and `traces` look into several pieces at once on its threads; NULL: the caller alone.
     * The rows are the same either way. */
    struct task_pool *pool;
};

/* --- results --- */

struct store_event_stream {
    struct data_labels labels;
    struct hash128 id; /* data_labels_key_hash of its labels */
};

struct store_event_column {
    enum data_event_scope scope; /* of the field, when all were asked for */
    uint32_t intrinsic;
    struct slice name;
    const struct data_value *values; /* one a row; kind NULL where it is missing */
};

/* A span's events and links. Names are in no order, and may be shared by several spans. */
struct store_event_children {
    const struct data_event_child *items; /* first and count point into attrs */
    size_t count;
    const struct data_event_attr *attrs; /* .field is an index into names */
    const struct slice *names;
};

/* Rows, by column. Zero it before its first use; it is reused from call to call, and what it points
 * to is good until then. */
struct store_event_chunk {
    size_t count;
    const int64_t *ts;                        /* ns */
    const uint32_t *stream;                   /* index into streams */
    const struct store_event_stream *streams; /* of the whole scan; they stay until it is closed */
    size_t stream_count;
    const struct store_event_column *columns; /* as asked for */
    size_t column_count;
    /* Of store_event_scan.derive, which may be left out (NULL): whether the row's line was told,
     * and by column what that gave (strings, kind NULL where there is no value). */
    const bool *told;
    const struct data_value *const *derived;
    const struct store_event_children *children; /* one a row, or NULL */
    /* Traces only: rows are depth first; of each row the number of its descendants, and its depth
     * (0 for roots and for spans whose parent is not there). */
    const uint32_t *descendants, *depth;
    struct arena *arena;
    struct budget *budget; /* what the arena is charged to */
};
void store_event_chunk_free(struct store_event_chunk *c);

struct store_event_stats {
    uint64_t rows_scanned, bytes_scanned; /* predicates were tried on; read as stored */
    uint64_t raw_bytes_scanned;           /* the same bytes unpacked: lines and fields */
    uint64_t rows_delivered;
    uint64_t lines_told;            /* of lines looked at, without putting them together (derive) */
    uint64_t head_rows;             /* of rows_scanned, in memory */
    uint64_t groups, groups_opened; /* row groups in the range, and looked into */
    uint64_t skipped_by_stream, skipped_by_zone, skipped_by_token, skipped_by_limit; /* groups */
};

void store_event_stats_add(struct store_event_stats *to, const struct store_event_stats *more);

/* Rows and bytes of lines, of a stream, level and minute. For spans the level is the status. */
struct store_event_count {
    int64_t ts_ns;               /* begin of the step; of one minute: its rows are those of
                                    (ts, ts + 60 s] */
    uint32_t stream;             /* index, or DATA_EVENT_NONE when not asked for by stream */
    enum data_event_level level; /* UNKNOWN when not asked for by level */
    /* UNKNOWN is told apart by whether it was "unknown", there was none, or it was no level. */
    enum store_event_level_state {
        STORE_LEVEL_NAMED,
        STORE_LEVEL_MISSING,
        STORE_LEVEL_ODD,
    } level_state;
    uint64_t rows, bytes;
};
struct store_event_counts {
    struct store_event_stream *streams;
    size_t stream_count;
    struct store_event_count *items; /* by time, stream, level */
    size_t count;
};

struct store_event_field_info {
    enum data_event_scope scope;
    uint32_t intrinsic;
    struct slice name;
    uint32_t kinds;       /* 1 << data_value_kind of each that occurs */
    uint64_t rows;        /* that have it, about */
    uint64_t cardinality; /* distinct values, about */
};

struct store_event_field_value {
    struct data_value value;
    uint64_t rows; /* about, where `exact` was not asked for */
};

struct store_event_source_stats {
    uint64_t rows, head_rows, streams, parts; /* streams: those in memory */
    uint64_t disk_bytes, raw_bytes, memory_bytes;
    int64_t t_min_ns, t_max_ns; /* t_min > t_max when empty */
};

/* What a source can do by itself; what it cannot, its user does on the rows
 * (store_event_satisfies). The local store can do everything. */
enum store_event_caps {
    STORE_EVENT_CAP_PREDICATES = 1,
    STORE_EVENT_CAP_COUNTS = 2,
    STORE_EVENT_CAP_TRACES = 4,
    STORE_EVENT_CAP_TAIL = 8,
};

struct store_event_source {
    const struct store_event_ops *ops;
};
struct store_event_cursor; /* pins what it reads until closed */

/* All thread-safe, but a cursor's `next` belongs to one thread at a time. Results are in `arena`
 * where one is given. */
struct store_event_ops {
    uint32_t (*caps)(struct store_event_source *src);

    /* The streams that have rows in the range (or near it), sorted by labels. */
    int (*streams)(struct store_event_source *src, const struct store_event_select *req,
                   struct arena *arena, struct store_event_stream **out, size_t *out_count,
                   struct diag *diag);

    /* The request's arrays and texts live until the cursor is closed. */
    int (*scan)(struct store_event_source *src, const struct store_event_scan *req,
                struct store_event_cursor **out, struct diag *diag);
    /* The next rows in order (at most 4,096); count 0 at the end. After an error only stats and
     * close. */
    int (*next)(struct store_event_cursor *c, struct store_event_chunk *out, struct diag *diag);
    /* Instead of `next`, for those who do not need the order: the scan's pieces, each to be read
     * once, by any thread, into a chunk of its own, with its rows (at most 65,536) in any order;
     * but of rows of one stream and time those that arrived later come later, and in pieces of
     * greater numbers. */
    size_t (*morsel_count)(struct store_event_cursor *c);
    /* All its rows lie in [*t_min, *t_max]. */
    void (*morsel_times)(struct store_event_cursor *c, size_t i, int64_t *t_min_ns,
                         int64_t *t_max_ns);
    int (*morsel_read)(struct store_event_cursor *c, size_t i, struct store_event_chunk *out,
                       struct diag *diag);
    void (*cursor_stats)(struct store_event_cursor *c, struct store_event_stats *out);
    void (*close)(struct store_event_cursor *c);

    /* Counts by step (a multiple of a minute; 0 = one step for the whole range) from what is kept
     * per minute, without touching rows: a minute that the range cuts counts whole. Minutes are
     * open where they begin and closed where they end. */
    int (*counts)(struct store_event_source *src, const struct store_event_select *req,
                  int64_t step_ns, bool by_stream, bool by_level, struct arena *arena,
                  struct store_event_counts *out, struct diag *diag);

    /* Names of stream labels and values of one, sorted; at most `limit` when it is not 0. */
    int (*label_names)(struct store_event_source *src, const struct store_event_select *req,
                       size_t limit, struct arena *arena, struct slice **out, size_t *out_count,
                       bool *out_cut, struct diag *diag);
    int (*label_values)(struct store_event_source *src, struct slice name,
                        const struct store_event_select *req, size_t limit, struct arena *arena,
                        struct slice **out, size_t *out_count, bool *out_cut, struct diag *diag);

    /* The fields of the rows of the selected streams, by scope and name. */
    int (*fields)(struct store_event_source *src, const struct store_event_select *req,
                  struct arena *arena, struct store_event_field_info **out, size_t *out_count,
                  struct diag *diag);
    /* False: certainly no row of the range has the field (streams' labels are not looked at). */
    bool (*may_have)(struct store_event_source *src, const struct store_event_select *req,
                     const struct store_event_field *field);
    /* Values of a field of the rows that satisfy the scan (its fields, order and limit are not
     * looked at), most frequent first, at most `limit` when it is not 0. */
    int (*field_values)(struct store_event_source *src, struct store_event_field field,
                        const struct store_event_scan *req, size_t limit, struct arena *arena,
                        struct store_event_field_value **out, size_t *out_count, bool *out_cut,
                        struct diag *diag);

    /* All spans of the traces with these ids (16 bytes each) that the range (of their starts) has,
     * trace by trace in the order asked for, depth first, children by start; of a span (id and
     * kind) that came more than once the one that arrived last; with the fields of
     * `req` (order, limit and clauses are not looked at). The chunk's columns begin with TRACE_ID,
     * SPAN_ID and PARENT_ID. An id with no spans adds no rows. */
    int (*traces)(struct store_event_source *src, const struct slice *ids, size_t id_count,
                  const struct store_event_scan *req, struct store_event_chunk *out,
                  struct diag *diag);

    /* Grows with every append; for store_event_scan.after_position. */
    uint64_t (*position)(struct store_event_source *src);
    void (*stats)(struct store_event_source *src, struct store_event_source_stats *out);
};

/* The local source of a table; lives as long as the store. */
struct store_event_source *store_events(struct store *s, enum data_event_table table);

/* Deletes the rows that the scan selects (streams, range, clauses): flushes, then writes the parts
 * that have any anew without them, one by one. Blocks. After an error some may be left: it can be
 * called again. *out_rows (may be NULL) is how many went. */
int store_delete_events(struct store *s, enum data_event_table table,
                        const struct store_event_scan *what, uint64_t *out_rows, struct diag *diag);

#endif
