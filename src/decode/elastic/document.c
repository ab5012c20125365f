/* A document: its fields put where they belong. */
#include "decode/elastic/bulk_priv.h"

struct slice decode_elastic_index_base(struct slice index)
{
    /* Digits and separators at the end that begin with a year. */
    size_t at = index.len;
    while (at && ((index.ptr[at - 1] >= '0' && index.ptr[at - 1] <= '9') ||
                  index.ptr[at - 1] == '.' || index.ptr[at - 1] == '-'))
        at--;
    for (; at + 5 <= index.len; at++) {
        struct slice date = slice_from(index, at);
        if ((date.ptr[0] == '-' || date.ptr[0] == '.') && date.len >= 8 &&
            (date.ptr[1] == '1' || date.ptr[1] == '2') &&
            (date.ptr[5] == '.' || date.ptr[5] == '-'))
            return at ? slice_first(index, at) : index;
    }
    return index;
}

int decode__elastic_row(struct decode__elastic *d, struct slice source, struct slice index,
                        struct slice id, uint32_t *out_row, enum decode_elastic_refusal *reason,
                        struct diag *why)
{
    struct decode_record *record = &d->record;
    struct codec_json_reader r = codec_json_reader(source, d->batch->arena, why);
    struct slice base = decode_elastic_index_base(index);
    r.utf8 = CODEC_JSON_UTF8_REPLACE;
    decode_record_begin(record, d->batch, d->req->received_ns);
    if (id.ptr)
        decode_record_keep(record, SLICE("_id"), data_value_string(id));
    decode_record_json(record, &r, SLICE(""));
    if (codec_json_read_end(&r)) {
        *reason = DECODE_ELASTIC_BAD_JSON;
        return r.err;
    }
    if (record->bad_time.ptr) {
        *reason = DECODE_ELASTIC_BAD_TIME;
        return diag_set(why, ERR_INVALID,
                        "failed to parse field [@timestamp] of type [date]: '%.*s' is neither ISO "
                        "8601 nor milliseconds since 1970",
                        SLICE_FMT(slice_first(record->bad_time, 100)));
    }
    data_labels_builder_set(&record->labels, SLICE("index"), base);
    *out_row = decode_record_end(record, slice_trim(source), base);
    return 0;
}

bool decode_elastic_look(const struct decode_elastic_request *req, struct slice source,
                         struct slice index, struct data_event_batch *batch, int64_t *out_ts_ns,
                         struct slice *out_line)
{
    struct decode__elastic d = {.req = req, .batch = batch};
    enum decode_elastic_refusal reason;
    struct diag why;
    uint32_t row;
    diag_init(&why);
    bool good =
        !decode__elastic_row(&d, source, index, (struct slice){NULL, 0}, &row, &reason, &why) &&
        d.record.has_time;
    if (good) {
        *out_ts_ns = batch->rows.items[row].ts_ns;
        *out_line = data_event_get(batch, row, DATA_EVENT_LINE).text;
    }
    decode_record_deinit(&d.record);
    return good;
}
