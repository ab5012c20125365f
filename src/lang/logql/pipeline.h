/* A pipeline compiled: what the store can do by itself (predicates, which fields to deliver), and
 * what is done with each row it delivers. Immutable; any number of threads may run it, each with a
 * line of its own. */
#ifndef LANG_LOGQL_PIPELINE_H
#define LANG_LOGQL_PIPELINE_H

#include "lang/logql/ast.h"
#include "lang/logql/derive.h"
#include "lang/logql/extract.h"
#include "lang/logql/ip.h"
#include "lang/logql/line.h"
#include "store/events.h"
#include "text/template/template.h"

struct logql_formatted {
    struct slice name;   /* label_format: the label; else empty */
    struct slice source; /* a rename's */
    struct text_template *template;
    bool whole; /* it may look at labels that it does not name */
};

struct logql_step {
    const struct logql_stage *stage;
    struct logql_pattern *patterns; /* LINE: of each needle; PATTERN: one */
    struct logql_ip_range *ips;     /* LINE: of each needle */
    struct logql_path *paths;       /* JSON */
    struct logql_formatted *formats;
    size_t format_count;
};

struct logql_pipeline {
    struct logql_step *steps; /* what the store does not do */
    size_t step_count;
    const struct logql_unwrap *unwrap;
    struct slice unwrap_name;
    struct logql_step *unwrap_steps;
    size_t unwrap_step_count;

    /* For the scan. */
    struct store_event_clause *clauses;
    size_t clause_count;
    struct store_event_field *fields;
    struct slice *field_names; /* the label each becomes; the line's is empty */
    size_t field_count;
    bool all_fields; /* `fields` is not looked at */
    bool reads_line;

    /* Which labels matter in the end; for parsers. all_labels: every one. */
    struct logql_wanted wanted;
    bool all_labels;
    /* Nothing is done with a row: its stream and the fields asked for are its labels. */
    bool plain;
    /* What the parser finds may be told by the shapes of lines; NULL: not for this pipeline. */
    struct logql_derive *derive;
};

struct logql_pipeline_options {
    bool counts; /* what is asked for are numbers: the line itself is not delivered */
    bool bytes;  /* ... but its length */
    /* With `counts`: what comes out is not looked at, only whether the line is dropped; and that
     * has to be as without. */
    bool only_drops;
    bool all_labels;
    const struct slice *labels; /* the ones that are needed in the end, unless all are */
    size_t label_count;
};

/* ERR_INVALID: a template or path that is none. The pipeline refers to the expression. */
int logql_pipeline_new(const struct logql_expr *log, const struct logql_unwrap *unwrap,
                       const struct logql_pipeline_options *options, struct arena *arena,
                       struct logql_pipeline **out, struct diag *diag);
/* Some lines are dropped for labels that a parser has to find first: worth trying with only these
 * (only_drops) before all labels are made. */
bool logql_pipeline_is_picky(const struct logql_pipeline *p);
/* Takes the line, with its stream's labels and metadata, through the stages; false when it is
 * dropped. */
bool logql_pipeline_run(const struct logql_pipeline *p, struct logql_line *l);
/* The value of a line for unwrap; false when it has none. */
bool logql_pipeline_unwrap(const struct logql_pipeline *p, struct logql_line *l, double *out);
/* The same of a text, without the line; false when it is no value. */
bool logql_pipeline_convert(const struct logql_pipeline *p, struct slice text, double *out);

/* What the name is in a store: a field of fixed number, or UINT32_MAX. detected_level, trace_id */
uint32_t logql_intrinsic_of(struct slice name);
/* The reverse: the name Loki has for an intrinsic field; empty for those that are no label. */
struct slice logql_intrinsic_label(uint32_t intrinsic);

/* --- for the files of the pipeline --- */
bool logql__filter_passes(const struct logql_filter *f, struct logql_line *l);
/* A label's value as a number: of bytes, of nanoseconds. False when it is none. */
bool logql__convert(enum logql_convert how, struct slice text, double *out);
/* What is wrong with one, as Loki words it; in the arena. */
struct slice logql__convert_problem(enum logql_convert how, struct slice text, struct arena *arena);
int logql__format_new(struct slice name, struct slice text, struct arena *arena,
                      struct logql_formatted *out, struct diag *diag);
/* What the template makes of the line; false, and the line has an error, when it fails. */
bool logql__format_run(const struct logql_formatted *f, struct logql_line *l, struct slice *out);
/* Calls `each` for every label that the template names; false when it may look at any. */
bool logql__format_names(struct slice text, void (*each)(void *ctx, struct slice name), void *ctx);
/* The predicates a pipeline's first stages are. Stages that the store does whole are marked in
 * `done`, one a stage. */
void logql__push_down(const struct logql_expr *log, struct arena *arena, bool *done,
                      struct store_event_clause **out, size_t *out_count);

#endif
