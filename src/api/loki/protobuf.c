#include "api/loki/protobuf.h"

#include "api/plain.h"
#include "codec/json_write.h"
#include "codec/pb.h"

#define PARQUET_TYPE "application/vnd.apache.parquet"

/* QueryResponse.response */
enum { SERIES = 2, LABELS = 3, INDEX_STATS = 4, PROM = 5, STREAMS = 6 };

bool loki__form_read(struct net_request *req, bool *out_protobuf)
{
    struct slice accept = slice_trim(net_request_header(req, "accept"));
    *out_protobuf = slice_eq_nocase(accept, SLICE(LOKI__PROTOBUF_TYPE));
    if (!slice_eq_nocase(accept, SLICE(PARQUET_TYPE)))
        return true;
    api__plain_error(req, 400,
                     "answers as Parquet are not given here: accept application/json "
                     "or " LOKI__PROTOBUF_TYPE);
    return false;
}

/* google.rpc.Status OK, and the answer begun. */
static size_t begin(uint32_t kind, struct buf *out)
{
    codec_pb_put_bytes(out, 1, SLICE(""));
    return codec_pb_begin(out, kind);
}

static void put_pair(uint32_t number, struct slice name, struct slice value, struct buf *out)
{
    size_t mark = codec_pb_begin(out, number);
    codec_pb_put_bytes(out, 1, name);
    codec_pb_put_bytes(out, 2, value);
    codec_pb_end(out, mark);
}

/* --- statistics: stats.Result --- */

static void put_store(uint32_t number, uint64_t groups, uint64_t opened, uint64_t head_lines,
                      const struct store_event_stats *s, struct buf *out)
{
    size_t mark = codec_pb_begin(out, number);
    codec_pb_put_varint_set(out, 1, groups);
    codec_pb_put_varint_set(out, 2, opened);
    size_t chunk = codec_pb_begin(out, 4);
    codec_pb_put_varint_set(out, 5, head_lines);
    if (s) {
        codec_pb_put_varint_set(out, 6, s->raw_bytes_scanned);
        codec_pb_put_varint_set(out, 7, s->rows_scanned - MIN(s->head_rows, s->rows_scanned));
        codec_pb_put_varint_set(out, 8, s->bytes_scanned);
        codec_pb_put_varint_set(out, 10, s->rows_delivered);
    }
    codec_pb_end(out, chunk);
    codec_pb_end(out, mark);
}

static void put_stats(uint32_t number, const struct loki__pb_about *a, struct buf *out)
{
    const struct store_event_stats *s = &a->stats->scan;
    double seconds = MAX((double)a->run_ns / 1e9, 1e-9);
    size_t mark = codec_pb_begin(out, number), part = codec_pb_begin(out, 1);
    codec_pb_put_varint_set(out, 1, (uint64_t)((double)s->raw_bytes_scanned / seconds));
    codec_pb_put_varint_set(out, 2, (uint64_t)((double)s->rows_scanned / seconds));
    codec_pb_put_varint_set(out, 3, s->raw_bytes_scanned);
    codec_pb_put_varint_set(out, 4, s->rows_scanned);
    codec_pb_put_double_set(out, 5, seconds);
    codec_pb_put_double_set(out, 6, (double)a->wait_ns / 1e9);
    codec_pb_put_varint_set(out, 8, a->stats->lines_returned);
    codec_pb_put_varint_set(out, 11, s->rows_delivered);
    codec_pb_end(out, part);
    part = codec_pb_begin(out, 2);
    put_store(1, s->groups, s->groups_opened, 0, s, out);
    codec_pb_put_double_set(out, 2, seconds);
    codec_pb_end(out, part);
    part = codec_pb_begin(out, 3);
    codec_pb_put_varint(out, 1, 1);
    codec_pb_put_varint_set(out, 4, s->head_rows);
    put_store(5, 0, 0, s->head_rows, NULL, out);
    codec_pb_end(out, part);
    part = codec_pb_begin(out, 5);
    codec_pb_put_varint_set(out, 1, s->groups);
    codec_pb_put_varint_set(out, 2, s->groups_opened);
    codec_pb_end(out, part);
    codec_pb_end(out, mark);
}

/* --- labels, series, index --- */

void loki__pb_texts(const struct slice *items, size_t count, struct buf *out)
{
    size_t mark = begin(LABELS, out);
    codec_pb_put_bytes(out, 1, SLICE("success"));
    for (size_t i = 0; i < count; i++)
        codec_pb_put_bytes(out, 2, items[i]);
    codec_pb_put_varint(out, 3, 2); /* the API below /loki/api/v1 */
    codec_pb_end(out, mark);
}

void loki__pb_series(const struct data_labels *items, size_t count, struct buf *out)
{
    size_t mark = begin(SERIES, out);
    codec_pb_put_bytes(out, 1, SLICE("success"));
    for (size_t i = 0; i < count; i++) {
        if (i && data_labels_eq(items[i], items[i - 1]))
            continue;
        size_t one = codec_pb_begin(out, 2);
        for (size_t k = 0; k < items[i].count; k++)
            put_pair(1, items[i].items[k].name, items[i].items[k].value, out);
        codec_pb_end(out, one);
    }
    codec_pb_put_varint(out, 3, 2);
    codec_pb_end(out, mark);
}

void loki__pb_index_stats(uint64_t streams, uint64_t rows, uint64_t bytes, struct buf *out)
{
    size_t mark = begin(INDEX_STATS, out), one = codec_pb_begin(out, 1);
    codec_pb_put_varint_set(out, 1, streams);
    codec_pb_put_varint_set(out, 2, streams);
    codec_pb_put_varint_set(out, 3, bytes);
    codec_pb_put_varint_set(out, 4, rows);
    codec_pb_end(out, one);
    codec_pb_end(out, mark);
}

/* --- lines --- */

/* {a="b", c="d"} */
static void put_label_text(struct data_labels labels, struct buf *text)
{
    buf_clear(text);
    data_labels_print(labels, text);
}

static void put_entry(const struct logql_entry *e, struct buf *out)
{
    size_t mark = codec_pb_begin(out, 2), time = codec_pb_begin(out, 1);
    int64_t seconds = e->ts_ns / NS_PER_SEC, ns = e->ts_ns % NS_PER_SEC;
    if (ns < 0) {
        seconds--;
        ns += NS_PER_SEC;
    }
    codec_pb_put_varint_set(out, 1, (uint64_t)seconds);
    codec_pb_put_varint_set(out, 2, (uint64_t)ns);
    codec_pb_end(out, time);
    codec_pb_put_bytes(out, 2, e->line);
    for (size_t i = 0; i < e->label_count; i++)
        put_pair(e->labels[i].category == LOGQL_PARSED ? 4 : 3, e->labels[i].name,
                 e->labels[i].value, out);
    codec_pb_end(out, mark);
}

void loki__pb_streams(const struct logql_streams *lines, const struct logql_select *select,
                      const struct loki__pb_about *about, struct buf *out)
{
    struct buf text = {0};
    size_t mark = begin(STREAMS, out);
    codec_pb_put_bytes(out, 1, SLICE("success"));
    size_t data = codec_pb_begin(out, 2);
    codec_pb_put_bytes(out, 1, SLICE("streams"));
    for (size_t i = 0; i < lines->count; i++) {
        const struct logql_stream *s = &lines->streams[i];
        size_t stream = codec_pb_begin(out, 2);
        put_label_text(s->labels, &text);
        codec_pb_put_bytes(out, 1, buf_slice(&text));
        for (size_t k = 0; k < s->count; k++)
            put_entry(&s->entries[k], out);
        codec_pb_end(out, stream);
    }
    codec_pb_end(out, data);
    codec_pb_put_varint_set(out, 5, !select->forward);
    codec_pb_put_varint_set(out, 6, select->limit);
    codec_pb_put_varint(out, 7, 2);
    put_stats(8, about, out);
    if (about->warning.ptr)
        codec_pb_put_bytes(out, 10, about->warning);
    codec_pb_end(out, mark);
    buf_deinit(&text);
}

/* --- numbers --- */

void loki__pb_prom_begin(struct loki__pb_prom *p, const char *type, struct buf *out)
{
    p->out = out;
    p->marks[0] = begin(PROM, out);
    p->marks[1] = codec_pb_begin(out, 1);
    codec_pb_put_bytes(out, 1, SLICE("success"));
    p->marks[2] = codec_pb_begin(out, 2);
    codec_pb_put_bytes(out, 1, slice_cstr(type));
}

void loki__pb_prom_series(struct loki__pb_prom *p, struct data_labels labels)
{
    p->marks[3] = codec_pb_begin(p->out, 2);
    for (size_t i = 0; i < labels.count; i++)
        put_pair(1, labels.items[i].name, labels.items[i].value, p->out);
}

void loki__pb_prom_point(struct loki__pb_prom *p, int64_t ts_ns, double value)
{
    size_t mark = codec_pb_begin(p->out, 2);
    codec_pb_put_double_set(p->out, 1, value);
    codec_pb_put_varint_set(p->out, 2, (uint64_t)(ts_ns / NS_PER_MS));
    codec_pb_end(p->out, mark);
}

void loki__pb_prom_series_end(struct loki__pb_prom *p)
{
    codec_pb_end(p->out, p->marks[3]);
}

void loki__pb_prom_end(struct loki__pb_prom *p, const struct loki__pb_about *about)
{
    codec_pb_end(p->out, p->marks[2]);
    if (about->warning.ptr)
        codec_pb_put_bytes(p->out, 6, about->warning);
    codec_pb_end(p->out, p->marks[1]);
    put_stats(2, about, p->out);
    codec_pb_end(p->out, p->marks[0]);
}
