/* Templates of alerts: Prometheus' functions and variables over text/template.
 * Specification: prometheus.io/docs/prometheus/latest/configuration/template_reference/. */
#ifndef ALERT_EXPAND_H
#define ALERT_EXPAND_H

#include "data/labels.h"
#include "query/query.h"
#include "text/template/template.h"

/* What the functions of a running template ask. */
struct alert__expand {
    /* The vector of an expression at `ts_ns`; in `arena`. */
    int (*query)(void *ctx, struct slice expr, int64_t ts_ns, struct arena *arena,
                 struct query_result *out, struct diag *diag);
    void *ctx;
    int64_t ts_ns;
    const char *external_url;
};

/* What a text is about. */
struct alert__subject {
    struct data_labels labels, external_labels;
    double value;
    const struct data_histogram *histogram; /* NULL: a float */
};

const struct text_template_function *alert__functions(size_t *out_count);
/* A label's or annotation's text, with $labels and its like declared; named __alert_NAME. */
int alert__template_parse(struct slice alert, struct slice text,
                          const struct text_template_function *functions, size_t function_count,
                          struct arena *arena, struct text_template **out, struct diag *diag);
/* The text for a subject; a failure becomes the text "<error expanding template: ...>" and true in
 * *failed (may be NULL). */
struct slice alert__template_expand(const struct text_template *t, struct slice alert,
                                    const struct alert__expand *expand,
                                    const struct alert__subject *subject, struct arena *arena,
                                    bool *failed);

#endif
