/* Which attributes of a resource are labels of its stream, the same for every door that takes
 * OpenTelemetry's data: Loki's default rule (its OTLP ingestion). */
#ifndef DECODE_OTLP_STREAM_H
#define DECODE_OTLP_STREAM_H

#include "base/slice.h"
#include "base/types.h"

/* service.name, k8s.pod.name, ...: the label's name ("service_name"), or ptr NULL. */
struct slice decode_otlp_stream_label(struct slice attribute_key);
/* Back from a label to the attribute's key; any other label's name as it is. */
struct slice decode_otlp_stream_attribute(struct slice label_name);
/* What service_name is taken from when service.name is missing, the first that is there, in this
 * order: sanitised label names, ends with NULL. After that it is DECODE_OTLP_UNKNOWN_SERVICE. */
extern const char *const decode_otlp_service_labels[];
#define DECODE_OTLP_UNKNOWN_SERVICE "unknown_service"

#endif
