/* Prometheus remote read: the request, and the parts of both kinds of answer
 * (prometheus/prompb/remote.proto). A request is snappy around a ReadRequest; the answer is either
 * snappy around a ReadResponse, or a stream of frames, each of them a ChunkedReadResponse behind
 * its length and CRC-32C. */
#ifndef DECODE_REMOTE_READ_H
#define DECODE_REMOTE_READ_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/diag.h"
#include "data/histogram.h"
#include "data/labels.h"

enum decode_read_match { DECODE_READ_EQ, DECODE_READ_NE, DECODE_READ_RE, DECODE_READ_NRE };

struct decode_read_matcher {
    enum decode_read_match type;
    struct slice name, value;
};

struct decode_read_query {
    int64_t start_ms, end_ms; /* inclusive */
    struct decode_read_matcher *matchers;
    size_t matcher_count;
};

struct decode_read_request {
    struct decode_read_query *queries;
    size_t query_count;
    bool streamed; /* the first kind of answer in the client's list that we have is chunks */
};

/* Everything in `arena`, which must live as long as the request. ERR_INVALID for damaged bytes and
 * for a list of answers that holds none of ours, ERR_TOO_LARGE beyond inflated_bytes_max. */
int decode_remote_read(struct slice body, size_t inflated_bytes_max, struct arena *arena,
                       struct decode_read_request *out, struct diag *diag);

/* --- the answer in one piece: ReadResponse { result { timeseries } } --- */
/* Between decode_read_begin_result and _end_result, series by series. */
size_t decode_read_begin_result(struct buf *out);
void decode_read_end_result(size_t mark, struct buf *out);
/* histogram may be NULL; a sample with one is a histogram. */
void decode_read_put_series(struct data_labels labels, const int64_t *ts_ns, const double *value,
                            const struct data_histogram *const *histogram, size_t count,
                            struct buf *out);

/* --- the answer in frames --- */
/* Appends all frames of one series, each about frame_bytes_max at most. */
void decode_read_put_frames(struct data_labels labels, const int64_t *ts_ns, const double *value,
                            const struct data_histogram *const *histogram, size_t count,
                            uint64_t query_index, size_t frame_bytes_max, struct buf *out);

#endif
