/* Inside of a scan: pieces (row groups, and runs of blocks in memory), what is selected of them,
 * and the chunks they become. */
#ifndef STORE_EVENT_SCAN_PRIV_H
#define STORE_EVENT_SCAN_PRIV_H

#include "store/event/events_priv.h"

/* A part as one scan sees it. */
struct scan__part {
    struct store_event_part *part;
    uint64_t *match; /* bit per stream; NULL = none was looked at yet */
    size_t matched;
    uint32_t *index;     /* ordinal -> the cursor's stream + 1; 0 = not asked for yet */
    int64_t cached_page; /* of streams, in `page` */
    struct store_part_stream *page;
    struct arena *page_arena;
    /* Of each clause that may be met by a label of the stream (scan__clause.asks_streams): whether
     * one of the selected streams has such a label. */
    bool *labels_may;
};

/* Read as a whole: a morsel. */
struct scan__piece {
    int64_t t_min, t_max;
    uint32_t part, group;            /* or part UINT32_MAX: */
    uint32_t block_begin, block_end; /* of the view */
};

struct scan__clause {
    const struct store_event_clause *clause;
    struct store_filter_probe probe;
    bool use_probe;  /* on every group */
    bool late_probe; /* on groups whose columns have nothing that it says nothing of */
    bool of_tables;  /* it knows nothing of packed events and links */
    /* Both only in parts none of whose selected streams can meet it by a label. */
    bool asks_streams;
};

struct store_event_cursor {
    struct store__events *e;
    struct store_event_scan req;
    struct store__event_view view;
    struct scan__part *parts;
    VEC(struct scan__piece) pieces; /* in the order of arrival */
    struct scan__clause *clauses;

    pthread_mutex_t lock; /* guards what follows while morsels are read */
    struct store_event_stream *streams;
    size_t stream_count, stream_max;
    uint32_t *stream_table; /* index + 1 by id; power of two */
    size_t stream_table_size;
    struct arena *arena; /* their labels */
    struct store_event_stats stats;

    /* next() only */
    uint32_t *order; /* pieces by time */
    size_t opened;   /* of order */
    VEC(struct scan__open *) open;
    uint64_t delivered;
};

/* One value of a field may be in several columns and in the stream's labels. */
#define SCAN__COLUMNS_MAX 8
struct scan__field {
    uint32_t columns[SCAN__COLUMNS_MAX]; /* of the group; or fields of a block */
    uint32_t count;
    bool stream, stream_first;
    struct slice name;
};

struct scan__hit {
    int64_t ts;
    uint32_t stream; /* the cursor's */
    uint32_t row;    /* of the group, or index into head_rows */
};

struct scan__head_row {
    uint32_t block, row;
};

/* A piece that is being read: its selected rows. */
struct scan__open {
    const struct scan__piece *piece;
    uint32_t number; /* of the piece */
    struct store_group group;
    struct store_column *columns;
    bool *loaded;
    uint32_t **owners; /* of each table, once asked for */
    struct scan__head_row *head_rows;
    struct scan__hit *hits; /* in the scan's order once sorted */
    size_t count, next;
    size_t charged;
    struct arena *texts; /* printed values, while predicates are tried */
    struct buf scratch;
};

/* scan_open.c */
int scan__check(struct store_event_cursor *c, struct diag *diag);
/* ERR_NOMEM with the setting that moves the limit. */
int scan__no_memory(const struct store_event_select *req, struct diag *diag);
/* Charges the query's memory. */
int scan__charge(struct store_event_cursor *c, struct scan__open *o, size_t bytes,
                 struct diag *diag);
/* The row's stream in the cursor's list. */
int scan__part_stream(struct store_event_cursor *c, struct scan__part *p, uint32_t ordinal,
                      uint32_t *out);
int scan__live_stream(struct store_event_cursor *c, const struct store_stream *s, uint32_t *out);
bool scan__labels_match(struct data_labels labels, const struct store_matcher *matchers,
                        size_t count);
/* ptr NULL when there is none; exact names first. */
struct slice scan__label(struct data_labels labels, struct slice name);

/* Whether the filters of the part's groups may be asked for the clause. */
static inline bool scan__may_probe(const struct store_event_cursor *c, const struct scan__part *p,
                                   size_t clause)
{
    return !c->clauses[clause].asks_streams || !p->labels_may[clause];
}

/* scan_part.c, scan_head.c: selects the piece's rows. *out NULL when it has none. */
int scan__open_group(struct store_event_cursor *c, uint32_t piece, struct scan__open **out,
                     struct diag *diag);
int scan__open_blocks(struct store_event_cursor *c, uint32_t piece, struct scan__open **out,
                      struct diag *diag);
/* scan.c: pieces [first, first + count), or order's of these numbers, on the scan's threads. out[i]
 * NULL when it has no rows; after an error the others are to be closed too. */
int scan__open_pieces(struct store_event_cursor *c, const uint32_t *order, size_t first,
                      size_t count, struct scan__open **out, struct diag *diag);
void scan__close(struct store_event_cursor *c, struct scan__open *o);
int scan__load(struct store_event_cursor *c, struct scan__open *o, size_t column,
               struct diag *diag);
void scan__resolve(const struct store_event_field *f, size_t count,
                   struct data_event_field (*get)(const void *from, uint32_t i), const void *from,
                   struct scan__field *out);
struct data_event_field scan__group_field(const void *group, uint32_t i);
struct data_event_field scan__block_field(const void *block, uint32_t i);

/* scan_ahead.c: hints what of a group will be read next: for the clauses, and of rows that are
 * delivered; and the headers of all groups that the filters do not rule out. */
void scan__fetch_clauses(struct store_event_cursor *c, const struct store_group *g);
void scan__fetch_wanted(struct store_event_cursor *c, const struct store_group *g);
void scan__fetch_headers(struct store_event_cursor *c);

/* scan_children.c: events and links */
/* Columns of the table that may have the field, exact names before other spellings. */
void scan__resolve_child(const struct store_group *g, const struct store_group_table *t,
                         const struct store_event_field *f, struct scan__field *out);
/* The owners of the table's. */
int scan__owners(struct store_event_cursor *c, struct scan__open *o, size_t table,
                 const uint32_t **out, struct diag *diag);
/* Unpacked of the form that rows in memory and parts of earlier versions have. ERR_CORRUPT. */
int scan__unpack_children(struct slice packed, int64_t ts_ns, struct arena *arena,
                          struct store_event_children *out);
/* The packed form; kind NULL when the row has none. */
int scan__packed_children(struct store_event_cursor *c, struct scan__open *o, uint32_t hit_row,
                          struct arena *arena, struct data_value *out, struct diag *diag);

/* scan_chunk.c: rows into chunks */
struct scan__pick {
    struct scan__open *open;
    uint32_t hit; /* index into its hits */
};
/* What is delivered of them. */
struct scan__want {
    const struct store_event_field *fields;
    size_t field_count;
    bool all_fields, children;
    const struct store_event_derive *derive;
};
int scan__fill(struct store_event_cursor *c, const struct scan__pick *picks, size_t count,
               struct store_event_chunk *out, struct diag *diag);
/* A chunk being filled. */
struct scan__filling {
    struct store_event_cursor *c;
    struct store_event_chunk *out;
    const struct scan__pick *picks;
    size_t count;
    VEC(struct store_event_column) columns;
    const struct scan__want *want;
    struct data_value **derived;
    bool *told;
    struct diag *diag;
};
/* Picks of one piece that lie side by side are filled together. */
struct scan__share {
    struct scan__open *open;
    size_t begin, end; /* picks */
};
int scan__fill_no_memory(const struct scan__filling *f);
/* A copy in the chunk. */
bool scan__fill_value(struct scan__filling *f, struct data_value v, struct data_value *out);
/* One column of a group into `values`, of these rows of it; with `only_missing` where there is
 * nothing yet. */
int scan__fill_rows(struct scan__filling *f, struct scan__open *o, size_t column,
                    const uint32_t *rows, size_t count, struct data_value *values,
                    bool only_missing);
int scan__fill_children(struct scan__filling *f);
int scan__fill_want(struct store_event_cursor *c, const struct scan__want *want,
                    const struct scan__pick *picks, size_t count, struct store_event_chunk *out,
                    struct diag *diag);
/* scan_derive.c: fills columns[d][rows[i]] of the value values[i] of a column of split lines, and
 * sets told[rows[i]], where that can be done without the line. */
struct scan__derive {
    const struct store_event_derive *derive;
    struct arena *arena; /* of the values */
    struct data_value **columns;
    bool *told;
    const uint32_t *values, *rows;
    size_t count;
};
int scan__derive(struct store_column *lines, const struct scan__derive *what);
/* Row i of the chunk becomes what was row at[i]; at most as many as there were. */
int scan__permute(struct store_event_chunk *c, size_t derived_count, const uint32_t *at,
                  size_t count);

/* lists.c, traces.c */
/* The operations without their guard (guard.c). */
extern const struct store_event_ops scan__ops;
int scan__open_cursor(struct store_event_source *src, const struct store_event_scan *req,
                      struct store_event_cursor **out, struct diag *diag);
int scan__streams(struct store_event_source *src, const struct store_event_select *req,
                  struct arena *arena, struct store_event_stream **out, size_t *out_count,
                  struct diag *diag);
int scan__counts(struct store_event_source *src, const struct store_event_select *req,
                 int64_t step_ns, bool by_stream, bool by_level, struct arena *arena,
                 struct store_event_counts *out, struct diag *diag);
int scan__label_names(struct store_event_source *src, const struct store_event_select *req,
                      size_t limit, struct arena *arena, struct slice **out, size_t *out_count,
                      bool *out_cut, struct diag *diag);
int scan__label_values(struct store_event_source *src, struct slice name,
                       const struct store_event_select *req, size_t limit, struct arena *arena,
                       struct slice **out, size_t *out_count, bool *out_cut, struct diag *diag);
int scan__fields(struct store_event_source *src, const struct store_event_select *req,
                 struct arena *arena, struct store_event_field_info **out, size_t *out_count,
                 struct diag *diag);
bool scan__may_have(struct store_event_source *src, const struct store_event_select *req,
                    const struct store_event_field *field);
int scan__field_values(struct store_event_source *src, struct store_event_field field,
                       const struct store_event_scan *req, size_t limit, struct arena *arena,
                       struct store_event_field_value **out, size_t *out_count, bool *out_cut,
                       struct diag *diag);
int scan__traces(struct store_event_source *src, const struct slice *ids, size_t id_count,
                 const struct store_event_scan *req, struct store_event_chunk *out,
                 struct diag *diag);
size_t scan__morsel_count(struct store_event_cursor *c);
int scan__morsel_read(struct store_event_cursor *c, size_t i, struct store_event_chunk *out,
                      struct diag *diag);
void scan__close_cursor(struct store_event_cursor *c);

#endif
