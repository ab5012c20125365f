/* Elasticsearch's bulk and document bodies to a batch of events. Specification: elastic.co's
 * reference of the bulk API; the Elastic Common Schema for what the fields mean.
 *
 * A document is a row. Its time is @timestamp (ISO 8601 or milliseconds since 1970), else
 * `timestamp` where it can be read, else when it was received. Its line is the first text of
 * message, event.original, log.original, log, msg; a document without one is its own line. All
 * other fields are attributes with dotted names; arrays stay JSON. Labels of the stream: what
 * decode/record_names.c maps, `index` (without a date at its end), and service_name, which is
 * always there. A Beat's measurements may be samples instead. trace.id and span.id are the row's
 * when they are ids in hexadecimal; the level is that of log.level, level or severity, else looked
 * for in the line. */
#ifndef DECODE_ELASTIC_BULK_H
#define DECODE_ELASTIC_BULK_H

#include "base/diag.h"
#include "base/vec.h"
#include "data/event_batch.h"
#include "data/metric_batch.h"

enum decode_elastic_action {
    DECODE_ELASTIC_INDEX,
    DECODE_ELASTIC_CREATE,
    DECODE_ELASTIC_UPDATE,
    DECODE_ELASTIC_DELETE
};
const char *decode_elastic_action_name(enum decode_elastic_action action);

enum decode_elastic_refusal {
    DECODE_ELASTIC_BAD_JSON,   /* the source is no JSON object */
    DECODE_ELASTIC_BAD_TIME,   /* @timestamp cannot be read */
    DECODE_ELASTIC_BAD_INDEX,  /* no index, or a name that is none */
    DECODE_ELASTIC_REPEATED,   /* the id is known: to create at all, else with this content */
    DECODE_ELASTIC_BUSY,       /* another request is about to store the id */
    DECODE_ELASTIC_BAD_ACTION, /* delete, and update but of what may not be there: events do not
                                  change */
    DECODE_ELASTIC_REFUSED_COUNT
};
const char *decode_elastic_refusal_name(enum decode_elastic_refusal reason);

struct decode_elastic_item {
    enum decode_elastic_action action;
    int status; /* 201; 200 when it was there before; or 4xx */
    bool has_row;
    uint32_t row;           /* in the batch of events, with has_row */
    uint32_t samples;       /* in the batch of metrics; */
    int64_t samples_ts_ns;  /* their time */
    struct slice index, id; /* id: the sender's or a made one */
    bool is_claimed;        /* by the request's `claim`, as new */
    const char *error_type; /* when refused */
    struct slice reason;
};

enum decode_elastic_claim { DECODE_ELASTIC_NEW, DECODE_ELASTIC_KNOWN, DECODE_ELASTIC_IN_WORK };

struct decode_elastic_request {
    struct slice body;
    struct slice index;  /* of the path; ptr NULL = none */
    int64_t received_ns; /* now */
    uint64_t seed;       /* of the ids that are made; another one each time */
    struct arena *arena; /* of what the result points to */
    /* Measurements (documents with metricset.name) become samples there, decode/elastic/metricset.c
     * says how; NULL: they are rows as all others. */
    struct data_metric_batch *metrics;
    bool metric_rows; /* they are rows as well */
    /* Of documents that come with an id. What is known is left out: a 409 for `create`, and for
     * the others, which replace what has other content, a 200. What is in work is a 429: the sender
     * comes again. May be NULL. */
    enum decode_elastic_claim (*claim)(void *ctx, const struct decode_elastic_item *item,
                                       struct slice source);
    void *claim_ctx;
};

struct decode_elastic_result {
    VEC(struct decode_elastic_item) items; /* in order; vec_free */
    size_t documents, bytes;               /* in the batches */
    size_t metric_documents, samples;      /* of these */
    size_t pipeline_documents;             /* whose action names an ingest pipeline */
    size_t refused[DECODE_ELASTIC_REFUSED_COUNT];
};

/* Appends to `batch`, which points into the body. 0, also when items were refused. ERR_INVALID: an
 * action line is damaged or the body is empty; diag has Elasticsearch's kind of words. */
int decode_elastic_bulk(const struct decode_elastic_request *req, struct data_event_batch *batch,
                        struct decode_elastic_result *out, struct diag *diag);
/* The same for a body that is one document, with the id of the path (ptr NULL: one is made). */
void decode_elastic_document(const struct decode_elastic_request *req,
                             enum decode_elastic_action action, struct slice id,
                             struct data_event_batch *batch, struct decode_elastic_result *out);

/* Time and line of a document whose time it says itself; texts are in the batch, which gets a row.
 * False: it does not, or is none. */
bool decode_elastic_look(const struct decode_elastic_request *req, struct slice source,
                         struct slice index, struct data_event_batch *batch, int64_t *out_ts_ns,
                         struct slice *out_line);
/* The index' name without a date at its end: logstash-2024.01.02 is logstash. */
struct slice decode_elastic_index_base(struct slice index);

#endif
