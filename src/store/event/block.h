/* A block: the rows of one append as they lie in the log and, until they are in a part, in memory.
 * docs/formats/events.md gives the bytes. */
#ifndef STORE_EVENT_BLOCK_H
#define STORE_EVENT_BLOCK_H

#include <stdatomic.h>

#include "base/buf.h"
#include "data/event_batch.h"
#include "store/event/stream.h"
#include "store/store.h"

/* A span's events and links, packed (block_child.c): an intrinsic field of kind BYTES that only the
 * store sees. */
#define STORE_FIELD_CHILDREN 31

/* Formats: rows alone; rows, of which there may be none, and notes. */
#define STORE_BLOCK_ROWS  1
#define STORE_BLOCK_NOTES 2

/* What may be taken in. */
struct store_event_block_rules {
    int64_t oldest_ns, newest_ns;
    size_t label_count_max, label_bytes_max, line_bytes_max, field_count_max, field_bytes_max;
    size_t streams_max;
    const char *retention_setting;
};

/* Appends the rows that may be taken in to *out, and the notes; the others are told of in *result.
 * Returns how many were taken; with none, and no notes, nothing was appended. */
size_t store_event_block_encode(const struct data_event_batch *b,
                                const struct store_event_block_rules *rules,
                                struct store_streams *streams, struct store_append_result *result,
                                struct buf *out);

/* What counts tell apart: an enum data_event_level, or a span's status, or one of these. */
#define STORE_LEVEL_NONE  ((uint8_t)DATA_LEVEL_COUNT)       /* of logs: there is none */
#define STORE_LEVEL_OTHER ((uint8_t)(DATA_LEVEL_COUNT + 1)) /* it has no level's name */
#define STORE_LEVEL_CODES (DATA_LEVEL_COUNT + 2)
/* Of a LEVEL or STATUS value. */
uint8_t store_event_level_code(enum data_event_table table, struct data_value v);

struct store_event_block_row {
    int64_t ts;
    uint32_t offset, length; /* of its sets and attributes in the payload */
    uint32_t stream;         /* in the block's */
    uint32_t line_bytes;
    uint8_t level; /* store_event_level_code */
};

struct store_event_block {
    _Atomic uint32_t refs;
    uint64_t position; /* of the append: grows */
    struct store_streams *registry;
    char *payload; /* owned */
    size_t payload_len;
    struct slice tenant;
    struct store_stream **streams; /* references */
    uint32_t stream_count;
    struct data_event_field *fields; /* those that are no intrinsics; names in the payload */
    uint32_t field_count;            /* intrinsics counted in: they are the first numbers */
    struct slice *sets;              /* attributes, encoded */
    uint32_t set_count;
    struct store_event_block_row *rows; /* in the order of their sending */
    uint32_t row_count;
    int64_t t_min, t_max; /* t_min > t_max without rows */
    struct data_event_note *notes;
    uint32_t note_count;
    size_t memory; /* bytes of all of it */
};

/* Takes the payload over (mem_free; it may move), whatever the result. NULL when it is damaged. */
struct store_event_block *store_event_block_parse(char *payload, size_t len,
                                                  enum data_event_table table,
                                                  struct store_streams *registry);
struct store_event_block *store_event_block_ref(struct store_event_block *b);
void store_event_block_unref(struct store_event_block *b);

/* Goes over a row's fields: its own, then its resource's and scope's. */
struct store_event_block_fields {
    const struct store_event_block *block;
    struct slice rest[3];
    int at;
};
struct store_event_block_fields store_event_block_row_fields(const struct store_event_block *b,
                                                             uint32_t row);
/* Of a field given twice all values come; the last one counts. Texts lie in the payload. */
bool store_event_block_next_field(struct store_event_block_fields *f, uint32_t *field,
                                  struct data_value *value);

/* One attribute: varint(field << 3 | kind), value. Also within packed children. */
void store_value_encode(uint32_t field, struct data_value v, struct buf *out);
bool store_value_decode(struct slice *in, uint64_t *field, struct data_value *v);

/* Packs the row's children; appends. */
void store_children_encode(const struct data_event_batch *b, const struct data_event_row *row,
                           struct buf *out);
/* Unpacks into the arena (texts stay where they are). False when damaged. */
bool store_children_decode(struct slice in, int64_t row_ts, struct arena *arena,
                           struct data_event_child **out, size_t *out_count,
                           struct data_event_attr **out_attrs, struct slice **out_names,
                           size_t *out_name_count);

#endif
