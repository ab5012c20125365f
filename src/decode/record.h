/* Events that come as named fields (Elasticsearch's documents, JSON lines, GELF, Fluentd's records,
 * Beats' events, journal entries) to rows of a batch: which field is the line, the time, the level,
 * which are labels of the stream, and which stay attributes.
 *
 *     decode_record_begin(&r, batch, now_ns);
 *     decode_record_put(&r, SLICE("message"), data_value_string(text), text);
 *     decode_record_json(&r, &reader);            // or a whole object
 *     row = decode_record_end(&r, raw, SLICE("my-service"));
 *
 * - Line: the first text of message, event.original, log.original, log, msg, short_message.
 * - Level: log.level, log.syslog.severity.name, event.severity_name, level, severity, lvl, as a
 * word; else looked for in the line.
 * - trace.id (trace_id) and span.id (span_id) in hexadecimal are the row's.
 * - Labels: what decode/record_names.c maps, in the names that the OTLP and Loki doors give them.
 * - service_name is service.name, else the best of other fields that name one, else the caller's.
 * - Everything else is an attribute with a dotted name; arrays are JSON text. What is below
 * @metadata is about the sending, and left out. */
#ifndef DECODE_RECORD_H
#define DECODE_RECORD_H

#include "base/buf.h"
#include "base/map.h"
#include "base/vec.h"
#include "codec/json_read.h"
#include "data/event_batch.h"

enum decode_record_times {
    /* @timestamp, in ISO 8601 or milliseconds since 1970, whose other contents are an error;
     * `timestamp` where it can be read */
    DECODE_RECORD_TIME_ELASTIC,
    /* the first that can be read of @timestamp, timestamp, time, ts, t, datetime, date: ISO 8601,
     * or since 1970 in a unit that its size tells */
    DECODE_RECORD_TIME_ANY,
    DECODE_RECORD_TIME_NONE /* the caller knows it */
};

/* Zero it, set `times` and `text_only`, free with decode_record_deinit. May be used for any number
 * of batches, one after the other. */
struct decode_record {
    enum decode_record_times times;
    bool keeps_none;  /* fields that have no other meaning are left out */
    int32_t offset_s; /* of times that name no zone, in TIME_ANY */

    /* What the fields said so far; the caller may look, and change it. */
    struct data_labels_builder labels; /* of the stream; texts live as long as the batch */
    int64_t ts_ns;
    unsigned ts_rank;      /* lower is better */
    bool has_time;         /* a field said it */
    struct slice bad_time; /* ptr not NULL: an @timestamp that is none */
    struct slice line;     /* ptr NULL: none yet */
    enum data_event_level level;
    unsigned level_rank; /* UINT_MAX: no field said it */

    /* Private. */
    struct data_event_batch *batch;
    struct buf path, key;
    VEC(uint32_t) fields; /* with `values`: what is not taken for something else */
    VEC(struct data_value) values;
    unsigned line_rank;
    struct slice line_name;
    struct slice trace_id, span_id, service;
    unsigned service_rank;
    struct map *streams; /* key of a stream -> its number + 1 */
    size_t streams_seen;
};

/* `ts_ns`: of the row when no field says it. */
void decode_record_begin(struct decode_record *r, struct data_event_batch *batch, int64_t ts_ns);
/* A field; `text` is the value as it is written (of numbers) or means (of strings). The name may
 * go after the call, the texts must live as long as the batch. */
void decode_record_put(struct decode_record *r, struct slice name, struct data_value value,
                       struct slice text);
/* An attribute, whatever its name means. */
void decode_record_keep(struct decode_record *r, struct slice name, struct data_value value);
/* All fields of the object that stands next, nested ones with dotted names (below `prefix` when it
 * is not empty). Errors are the reader's; its texts must live as long as the batch. */
void decode_record_json(struct decode_record *r, struct codec_json_reader *json,
                        struct slice prefix);
/* Adds the row. `line` when no field was one; `service` when none named one. Texts live as long as
 * the batch. */
uint32_t decode_record_end(struct decode_record *r, struct slice line, struct slice service);
void decode_record_deinit(struct decode_record *r);

/* record_names.c: the label that a field is, or ptr NULL. *out_only: its name says as much as the
 * field's, which is not kept beside it. */
struct slice decode__record_label(struct slice field, bool *out_only);
/* How good a name for the service a field is: 0 best; UINT_MAX none. */
unsigned decode__record_service_rank(struct slice field);

#endif
