/* OTLP/JSON rewritten as protobuf, driven by a table of the messages. The rules that differ from
 * protobuf's own JSON mapping: trace and span ids are hexadecimal, enums are numbers. */
#include "decode/otlp/otlp_priv.h"
#include "decode/otlp/schema.h"

int decode__otlp_json(enum decode_otlp_signal signal, struct slice text, struct arena *arena,
                      struct buf *out, struct diag *diag)
{
    struct codec_json_reader r = codec_json_reader(text, arena, diag);
    r.utf8 = CODEC_JSON_UTF8_KEEP; /* repaired and counted with protobuf's */
    codec_proto_from_json(decode__otlp_request_message(signal), &r, out);
    int err = codec_json_read_end(&r);
    if (err && diag)
        diag_wrap(diag, "OTLP/JSON");
    return err;
}
