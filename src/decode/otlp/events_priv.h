/* What logs and spans share: resources, scopes, attributes. */
#ifndef DECODE_OTLP_EVENTS_PRIV_H
#define DECODE_OTLP_EVENTS_PRIV_H

#include "decode/otlp/otlp_priv.h"

struct decode__otlp_events {
    struct decode__otlp_walk w;
    struct data_event_batch *batch;
    int64_t received_ns;
    uint32_t stream, resource_set, scope_set;
    /* One record of the signal: 0, also when it was refused, or a fatal error. */
    int (*record)(struct decode__otlp_events *e, struct slice message);
};

/* Walks ResourceX -> ScopeX -> record of a request. */
int decode__otlp_events_walk(struct decode__otlp_events *e);
/* The value for a batch. ERR_LIMIT: nested too deep; ERR_INVALID: damaged. */
int decode__otlp_data_value(struct decode__otlp_walk *w, const struct decode__otlp_value *v,
                            struct data_value *out);
/* The attribute in a KeyValue message as one of the batch, appended to w.scratch->attrs.
 * ERR_INVALID is fatal; ERR_LIMIT and ERR_UNSUPPORTED (no key) refuse the record. */
int decode__otlp_take_event_attribute(struct decode__otlp_events *e, struct slice message);
/* Counts the refusal that an error of the function above asks for. */
void decode__otlp_refuse_attribute(struct decode__otlp_events *e, int err, const char *of);
/* All of `size` bytes, not all zero. */
bool decode__otlp_is_id(struct slice id, size_t size);
/* Puts a number that is not 0, a text that is not empty. */
void decode__otlp_put_int(struct data_event_batch *b, uint32_t field, int64_t v);
void decode__otlp_put_text(struct decode__otlp_events *e, uint32_t field, struct slice s);

#endif
