/* What the files of this decoder share. */
#ifndef DECODE_ELASTIC_BULK_PRIV_H
#define DECODE_ELASTIC_BULK_PRIV_H

#include "decode/elastic/bulk.h"
#include "decode/record.h"

/* A number, boolean or text of a document of measurements. */
struct decode__elastic_leaf {
    struct slice path, text;
    double value;
    bool is_text;
};

struct decode__elastic {
    const struct decode_elastic_request *req;
    struct data_event_batch *batch;
    struct decode_elastic_result *out;
    uint64_t made;               /* ids */
    struct decode_record record; /* the document in hand */
    struct buf path;             /* the same, of measurements */
    VEC(struct decode__elastic_leaf) leaves;
    struct data_labels_builder labels;
};

/* One document into the batch: 0 and *out_row, or ERR_INVALID with `why` and *reason. */
int decode__elastic_row(struct decode__elastic *d, struct slice source, struct slice index,
                        struct slice id, uint32_t *out_row, enum decode_elastic_refusal *reason,
                        struct diag *why);

/* A document of measurements as samples into the request's batch of them; none of other documents.
 */
int decode__elastic_metricset(struct decode__elastic *d, struct slice source, uint32_t *out_samples,
                              int64_t *out_ts_ns, enum decode_elastic_refusal *reason,
                              struct diag *why);

#endif
