/* What the files of this decoder share. */
#ifndef DECODE_ELASTIC_BULK_PRIV_H
#define DECODE_ELASTIC_BULK_PRIV_H

#include "base/buf.h"
#include "base/map.h"
#include "codec/json_read.h"
#include "decode/elastic/bulk.h"

struct decode__elastic_attr {
    struct slice name; /* dotted; in the batch's arena or static */
    struct data_value value;
};

struct decode__elastic {
    const struct decode_elastic_request *req;
    struct data_event_batch *batch;
    struct decode_elastic_result *out;
    uint64_t made; /* ids */

    /* Of the document in hand. */
    struct buf path;
    VEC(uint32_t) fields; /* with `values`: what is not taken for something else */
    VEC(struct data_value) values;
    struct data_labels_builder labels;
    struct slice line;  /* ptr NULL: none yet */
    unsigned line_rank; /* lower is better */
    struct slice line_name;
    int64_t ts_ns;
    unsigned ts_rank; /* 0 @timestamp, 1 timestamp, 2 received */
    bool bad_time;
    struct slice bad_time_text;
    enum data_event_level level;
    unsigned level_rank;
    struct slice trace_id, span_id;
    struct slice service; /* what service_name is taken from when service.name is missing */
    unsigned service_rank;

    struct map *streams; /* key of a stream -> its number + 1 */
    struct buf key;
};

void decode__elastic_begin(struct decode__elastic *d);
void decode__elastic_end(struct decode__elastic *d);
/* One document into the batch: 0 and *out_row, or ERR_INVALID with `why` and *reason. */
int decode__elastic_row(struct decode__elastic *d, struct slice source, struct slice index,
                        struct slice id, uint32_t *out_row, enum decode_elastic_refusal *reason,
                        struct diag *why);

/* stream.c: the label that a field is, or ptr NULL. *out_only: its name says as much as the
 * field's, which is not kept beside it. */
struct slice decode__elastic_label(struct slice field, bool *out_only);
/* How good a name for the service a field is: 0 best; UINT_MAX none. */
unsigned decode__elastic_service_rank(struct slice field);
/* The index' name without a date at its end: logstash-2024.01.02 is logstash. */
struct slice decode__elastic_index_base(struct slice index);

#endif
