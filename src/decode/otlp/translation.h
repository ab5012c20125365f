/* How OpenTelemetry's names become Prometheus': the section `otlp` of prometheus.yml, and the rules
 * for names of metrics, units and labels (Prometheus 3.x, its otlptranslator). */
#ifndef DECODE_OTLP_TRANSLATION_H
#define DECODE_OTLP_TRANSLATION_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/diag.h"
#include "base/slice.h"
#include "text/yaml.h"

enum decode_otlp_metric_kind {
    DECODE_OTLP_KIND_OTHER,   /* also sums that may fall */
    DECODE_OTLP_KIND_GAUGE,   /* of unit 1: a ratio */
    DECODE_OTLP_KIND_COUNTER, /* monotonic sums */
};

struct decode_otlp_translation {
    bool escape;   /* names fit [a-zA-Z_:][a-zA-Z0-9_:]*; else any UTF-8 stays as it is */
    bool suffixes; /* units and _total are appended */
    bool keep_identifying_resource_attributes;
    bool convert_histograms_to_nhcb;
    bool promote_scope_metadata;
    bool promote_all_resource_attributes;
    bool label_name_underscore_sanitization;
    bool label_name_preserve_multiple_underscores;
    const struct slice *promote; /* resource attributes that become labels */
    size_t promote_count;
    const struct slice *ignore; /* not promoted, with promote_all_resource_attributes */
    size_t ignore_count;
    int64_t target_info_interval_ns; /* between samples of target_info within one request */
};

/* Prometheus' defaults: UnderscoreEscapingWithSuffixes, nothing promoted. */
void decode_otlp_translation_defaults(struct decode_otlp_translation *t);
/* Reads the section over the defaults; section may be NULL. Strings are copied into the arena.
 * diag has line and column. */
int decode_otlp_translation_parse(const struct text_yaml *section, struct arena *arena,
                                  struct decode_otlp_translation *out, struct diag *diag);

/* Appends the metric's name. False (and nothing appended) when nothing of it is left. */
bool decode_otlp_metric_name(const struct decode_otlp_translation *t, struct slice name,
                             struct slice unit, enum decode_otlp_metric_kind kind, struct buf *out);
/* Appends the unit's word ("By/s" -> "bytes_per_second"), "" for none. */
void decode_otlp_unit_name(const struct decode_otlp_translation *t, struct slice unit,
                           struct buf *out);
/* The attribute's key is a label name as it stands. */
bool decode_otlp_label_is_plain(const struct decode_otlp_translation *t, struct slice key);
/* Appends the label's name. False when the key is empty or nothing but underscores would be left.
 */
bool decode_otlp_label_name(const struct decode_otlp_translation *t, struct slice key,
                            struct buf *out);

#endif
