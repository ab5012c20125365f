/* The exposition formats that a scraper asks for: text 0.0.4 and 1.0.0, OpenMetrics 1.0, and the
 * delimited protobuf of io.prometheus.client.MetricFamily, chosen by the header Accept.
 *
 * Written metric by metric in the order of names; a family begins when name or type changes. */
#ifndef API_EXPOSITION_H
#define API_EXPOSITION_H

#include "base/buf.h"
#include "data/histogram.h"
#include "data/labels.h"

enum api_exposition_format {
    API_EXPOSITION_TEXT,
    API_EXPOSITION_OPENMETRICS,
    API_EXPOSITION_PROTOBUF
};

/* What becomes of names that older clients cannot read. */
enum api_escaping {
    API_ESCAPE_UNDERSCORES, /* a character that does not fit becomes _ */
    API_ESCAPE_ALLOW_UTF8,  /* nothing: such names are quoted */
    API_ESCAPE_DOTS,        /* . becomes _dot_, _ becomes __ */
    API_ESCAPE_VALUES       /* U__name_2e_x */
};

struct api_exposition {
    enum api_exposition_format format;
    enum api_escaping escaping;
    bool text_1; /* text 1.0.0 */
    /* The family that is open. */
    struct buf name, family;
    bool open, histogram, gauge;
};

struct api_exposition_sample {
    struct slice name;
    const struct data_label *labels; /* without the name; empty values are written too */
    size_t label_count;
    int64_t ts_ns;
    double value;
    const struct data_histogram *histogram; /* NULL: the value counts */
};

/* Picks the format; an Accept that names none gets text 0.0.4. */
void api_exposition_negotiate(struct slice accept, struct api_exposition *out);
/* The header Content-Type, a literal. */
const char *api_exposition_content_type(const struct api_exposition *e);
/* Appends the sample. Floats are untyped. Histograms with custom buckets become classic ones;
 * exponential ones are written in protobuf only and left out elsewhere, as these formats have no
 * word for them. */
void api_exposition_put(struct api_exposition *e, const struct api_exposition_sample *s,
                        struct buf *out);
/* Appends what the end needs. */
void api_exposition_end(struct api_exposition *e, struct buf *out);
void api_exposition_deinit(struct api_exposition *e);

#endif
