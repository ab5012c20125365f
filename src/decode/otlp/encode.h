/* Back from rows to OTLP: attributes with their types, and OTLP/JSON. */
#ifndef DECODE_OTLP_ENCODE_H
#define DECODE_OTLP_ENCODE_H

#include "data/value.h"
#include "decode/otlp/otlp.h"

/* Appends a KeyValue as field `number`. JSON becomes lists and maps again: whole numbers are ints
 * there, and texts stay texts (bytes within a list are base64 by then). A NULL value is a key
 * without one. */
void decode_otlp_put_attribute(struct buf *out, uint32_t number, struct slice key,
                               struct data_value value);
/* The same of an AnyValue alone. */
void decode_otlp_put_value(struct buf *out, uint32_t number, struct data_value value);
/* Appends an export request of the signal as OTLP/JSON. ERR_INVALID (and nothing appended) when it
 * is damaged. */
int decode_otlp_print_json(enum decode_otlp_signal signal, struct slice message, struct buf *out);
/* The same in protobuf's own JSON mapping, where ids are base64 and enums names. */
int decode_otlp_print_mapping(enum decode_otlp_signal signal, struct slice message,
                              struct buf *out);

#endif
