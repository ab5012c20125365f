/* Between the files that write an event part. */
#ifndef STORE_EVENT_PART_WRITE_PRIV_H
#define STORE_EVENT_PART_WRITE_PRIV_H

#include "base/hash.h"
#include "store/event/part_priv.h"

struct store__pending_filter {
    size_t group;
    bool twice; /* STORE__EVENTS_IDS_TWICE */
    struct buf bytes;
};

struct store_event_writer {
    struct os *os;
    struct os_file *file;
    enum data_event_table table;
    int zstd_level;
    uint64_t size; /* of the file so far */
    const struct store_part_stream *streams;
    size_t stream_count;
    struct arena *names;
    VEC(struct data_event_field) fields;
    VEC(uint64_t) field_hashes;
    uint64_t child_hashes[DATA_CHILD_FIELD_COUNT];
    bool has_tables, has_twice;
    uint32_t *field_table; /* number + 1 by scope and name */
    size_t field_table_size;
    VEC(struct store_group_entry) groups;
    VEC(struct store__pending_filter) pending;
    size_t pending_bytes;
    VEC(struct store__events_filter_class) classes;
    store_tally_list tallies;
    struct store_filter_builder filter;
};

struct store__group_header_in {
    uint32_t *run_stream, *run_end;
    size_t run_count;
    uint32_t ts_len;
    uint64_t ts_sum;
    struct store_column_info *columns; /* of the rows, then of the tables */
    size_t column_count;
    const struct store_group_table *tables;
    size_t table_count;
};
void store__group_header(const struct store__group_header_in *in, struct buf *out);
/* Writes header and data and enters the group; takes the filter's bytes over. */
int store__writer_put_group(struct store_event_writer *w, struct store_group_entry *e,
                            struct slice header, struct slice data, struct buf *filter,
                            bool ids_twice, struct diag *diag);
void store__tally_add(store_tally_list *list, int64_t ts, uint32_t stream, uint32_t level,
                      uint64_t bytes);

#endif
