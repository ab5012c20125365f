/* The messages of OTLP as JSON names them: what rewriting JSON as protobuf and printing protobuf as
 * JSON are driven by. */
#ifndef DECODE_OTLP_SCHEMA_H
#define DECODE_OTLP_SCHEMA_H

#include "codec/proto_json.h"
#include "decode/otlp/otlp.h"

/* That of the signal's export request. */
const struct codec_proto_message *decode__otlp_request_message(enum decode_otlp_signal signal);

#endif
