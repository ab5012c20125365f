/* A part of an event table: one immutable file with row groups of one UTC day.
 * docs/formats/events.md gives the bytes.
 *
 * A group holds up to 65,536 rows of many streams, and tables of their events and links. Groups lie
 * in the order of arrival; their rows in the order of stream, then time, then arrival (spans: trace
 * by trace, depth first). */
#ifndef STORE_EVENT_PART_H
#define STORE_EVENT_PART_H

#include "base/vec.h"
#include "data/event_batch.h"
#include "os/os.h"
#include "store/event/column.h"
#include "store/event/filter.h"

struct store_event_part;

/* What the manifest remembers of a part. */
struct store_event_part_info {
    uint64_t id; /* file <id:016x>.events */
    enum data_event_table table;
    uint64_t order; /* of two parts of a day the one with the greater order holds later appends */
    uint32_t level; /* 0 flushed, then merged */
    int64_t day;    /* UTC days since 1970 */
    int64_t t_min_ns, t_max_ns;
    uint64_t rows, raw_bytes, bytes;
    uint64_t footer_sum; /* of the file, checked when it is opened */
};

/* A stream in a part's table, which is sorted by tenant and labels; ordinals count from 0. */
struct store_part_stream {
    struct slice tenant, key;
    uint64_t rows, line_bytes;
    int64_t t_min, t_max; /* of its rows; t_min > t_max when it has none left */
};
int store_part_stream_cmp(const struct store_part_stream *a, const struct store_part_stream *b);

/* As it lies in the file. */
struct store_group_entry {
    uint64_t header_at, header_sum, data_at, data_len, raw_bytes;
    int64_t t_min, t_max;
    uint32_t header_len, rows;
    uint32_t stream_min, stream_max; /* ordinals */
    uint32_t filter_class, filter_slot;
};

/* Rows and line bytes of one minute, stream and level. */
struct store_event_tally {
    int64_t minute;         /* since 1970: the rows of (minute, minute + 1] */
    uint32_t stream, level; /* store_event_level_code */
    uint64_t rows, bytes;
};
typedef VEC(struct store_event_tally) store_tally_list;
/* Sorts and adds up equal ones. */
void store_tally_sort(store_tally_list *list);

/* --- writing --- */

struct store_group_columns {
    struct store_group_values {
        VEC(uint32_t) rows;
        VEC(struct data_value) values;
    } * items; /* by the part's fields */
    size_t count;
};

/* One group being put together, column by column. */
struct store_group_builder {
    VEC(int64_t) ts;
    VEC(uint32_t) stream;
    struct store_group_columns columns;
    /* By enum data_event_child_kind. Fields are enum data_event_child_field, or the part's. */
    struct store_group_children {
        VEC(uint32_t) owners; /* the row of each */
        struct store_group_columns columns;
    } children[2];
    uint64_t raw_bytes;
};
void store_group_builder_deinit(struct store_group_builder *g);
void store_group_clear(struct store_group_builder *g);
/* Rows of one field come in ascending order; the last value of a row counts. Texts are not copied.
 */
void store_group_add(struct store_group_builder *g, uint32_t field, uint32_t row,
                     struct data_value value);
/* An event or link of the row; owners come in ascending order. Returns its number within its kind,
 * for store_group_add_child_value. */
uint32_t store_group_add_child(struct store_group_builder *g, uint32_t row,
                               enum data_event_child_kind kind);
void store_group_add_child_value(struct store_group_builder *g, enum data_event_child_kind kind,
                                 uint32_t field, uint32_t child, struct data_value value);

struct store_event_writer;
/* `streams` are sorted and outlive the writer. The file is created. */
int store_event_part_create(struct os *os, const char *path, enum data_event_table table,
                            const struct store_part_stream *streams, size_t stream_count,
                            int zstd_level, struct store_event_writer **out, struct diag *diag);
/* Number of a field. Intrinsics are their numbers. */
uint32_t store_event_writer_field(struct store_event_writer *w, enum data_event_scope scope,
                                  struct slice name);
int store_event_writer_group(struct store_event_writer *w, struct store_group_builder *g,
                             struct diag *diag);
/* Adds a row's packed events and links (block.h). ERR_CORRUPT when they are damaged. */
int store_event_writer_children(struct store_event_writer *w, struct store_group_builder *g,
                                uint32_t row, struct slice packed);
/* Copies a group without unpacking it; stream_map gives the new ordinals. ERR_CORRUPT when it is
 * damaged (nothing was written then). */
int store_event_writer_copy(struct store_event_writer *w, struct store_event_part *p, size_t group,
                            const uint32_t *stream_map, struct diag *diag);
/* Index, footer, sync. Fills table, times, counts, bytes and sum of info. Frees the writer. */
int store_event_writer_finish(struct store_event_writer *w, struct store_event_part_info *info,
                              struct diag *diag);
void store_event_writer_abandon(struct store_event_writer *w);

/* --- reading; thread-safe, counted references --- */

/* ERR_CORRUPT when header, footer or index do not check, ERR_UNSUPPORTED for another version. */
int store_event_part_open(struct os *os, const char *path, const struct store_event_part_info *info,
                          struct store_event_part **out, struct diag *diag);
struct store_event_part *store_event_part_ref(struct store_event_part *p);
void store_event_part_unref(struct store_event_part *p);
const struct store_event_part_info *store_event_part_info(const struct store_event_part *p);
/* The file is removed when the last reference goes. */
void store_event_part_doom(struct store_event_part *p);

size_t store_event_part_group_count(const struct store_event_part *p);
struct store_group_entry store_event_part_group(const struct store_event_part *p, size_t i);
/* False: its groups may have spans whose events and links are packed in one column, which is in no
 * filter (parts of earlier versions). */
bool store_event_part_has_tables(const struct store_event_part *p);
size_t store_event_part_field_count(const struct store_event_part *p);
/* Intrinsics first; names lie in the mapping. */
struct data_event_field store_event_part_field(const struct store_event_part *p, uint32_t field);
size_t store_event_part_stream_count(const struct store_event_part *p);
#define STORE_STREAM_PAGE 256
/* The streams [page * STORE_STREAM_PAGE, ...) of the table; texts in the arena. */
int store_event_part_streams(const struct store_event_part *p, size_t page, struct arena *arena,
                             struct store_part_stream **out, size_t *out_count);
/* False: no row of the group can have it. ERR_CORRUPT counts as true, and is told. */
bool store_event_part_may_have(const struct store_event_part *p,
                               const struct store_group_entry *entry,
                               const struct store_filter_probe *probe, bool *out_damaged);
/* Has what may_have will most likely look at fetched, side by side instead of one by one. */
void store_event_part_prefetch(const struct store_event_part *p,
                               const struct store_filter_probe *probe);
/* The same of the first page of streams. */
void store_event_part_prefetch_streams(const struct store_event_part *p);
/* Appends the counts by minute and level (stream 0), or by stream too; *out_known false when the
 * latter are not kept (too many). */
int store_event_part_tallies(const struct store_event_part *p, bool by_stream,
                             store_tally_list *out, bool *out_known);

/* Events or links of a group's rows, at most STORE_GROUP_ROWS_MAX: tables of one kind follow each
 * other, in the order of their owners. */
struct store_group_table {
    enum data_event_child_kind kind;
    uint32_t rows;
    uint32_t owners_len;
    uint64_t owners_sum, owners_at; /* in the group's data */
    size_t first, end;              /* of the group's columns */
};

/* A group's header, unpacked. */
struct store_group {
    const struct store_event_part *part;
    struct store_group_entry entry;
    uint32_t *run_stream, *run_end; /* rows up to run_end[i] are of stream run_stream[i] */
    size_t run_count;
    struct slice runs; /* as stored; while run_stream is NULL they are not unpacked */
    struct store_column_info *columns; /* of the rows, then of the tables */
    uint64_t *column_at;               /* offsets in the group's data */
    size_t column_count;               /* of the rows */
    size_t all_count;
    struct store_group_table *tables;
    size_t table_count;
    uint32_t ts_len;
    uint64_t ts_sum;
};
int store_group_open(const struct store_event_part *p, size_t i, struct store_group *out);
/* The same without the runs: of spans there are nearly as many as rows. */
int store_group_open_header(const struct store_event_part *p, size_t i, struct store_group *out);
int store_group_unpack_runs(struct store_group *g);
void store_group_close(struct store_group *g);
/* All rows' times; *out has room for entry.rows. */
int store_group_times(const struct store_group *g, int64_t *out);
/* Index into columns of the part's field, or SIZE_MAX. */
size_t store_group_find(const struct store_group *g, uint32_t field);
/* The row of each of the table's; ascending. *out has room for table->rows. */
int store_group_owners(const struct store_group *g, const struct store_group_table *table,
                       uint32_t *out);
/* The first of the owner's: index into `owners`, or more when it has none. */
static inline uint32_t store_group_first_of(const uint32_t *owners, uint32_t count, uint32_t row)
{
    uint32_t lo = 0, hi = count;
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        if (owners[mid] < row)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}
/* Of an enum data_event_child_field, as filters know it. */
const char *store_child_field_name(uint32_t field);
/* What a column of a table is called: its scope, and its name or its enum data_event_child_field.
 */
struct data_event_field store_group_child_field(const struct store_group *g,
                                                const struct store_group_table *table,
                                                size_t column, uint32_t *out_intrinsic);
int store_group_column(const struct store_group *g, size_t column, const struct store_column *spans,
                       struct store_column *out);
/* The stored bytes of a column, or of everything but the header. */
size_t store_group_column_bytes(const struct store_group *g, size_t column);
/* Adds the group's counts. */
int store_group_tally(const struct store_group *g, store_tally_list *out);

#endif
