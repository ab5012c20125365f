/* What the metrics from spans need to know of each span of a batch: attributes are found by their
 * numbers, what a resource says is read once. */
#ifndef PIPE_SPAN_FIELDS_PRIV_H
#define PIPE_SPAN_FIELDS_PRIV_H

#include "pipe/span_metrics.h"

/* Attributes that are looked for, each with a number. */
#define PIPE__SPAN_SLOTS   128
#define PIPE__SPAN_SOURCES 4 /* attributes of a mapping */

struct pipe__span_filter;

struct pipe__span_names {
    struct arena *arena;
    struct map *slots; /* attribute name -> number; also the sanitised name */
    size_t slot_count;
    /* Numbers, and the labels they become. */
    uint8_t dimensions[PIPE_SPAN_DIMENSIONS], graph_dimensions[PIPE_SPAN_DIMENSIONS],
        peers[PIPE_SPAN_DIMENSIONS];
    struct slice dimension_labels[PIPE_SPAN_DIMENSIONS], graph_labels[PIPE_SPAN_DIMENSIONS];
    size_t dimension_count, graph_dimension_count, peer_count;
    /* Of dimensions from `mapped` on: several attributes. */
    uint8_t sources[PIPE_SPAN_DIMENSIONS][PIPE__SPAN_SOURCES];
    size_t source_count[PIPE_SPAN_DIMENSIONS], mapped;
    unsigned intrinsics; /* 1 << enum pipe__span_intrinsic */
    uint8_t sampling;    /* 1 + number, or 0 */
    bool tracestate;
    struct pipe__span_filter *filter; /* NULL: all */
};

enum pipe__span_intrinsic {
    PIPE__SPAN_SERVICE,
    PIPE__SPAN_NAME,
    PIPE__SPAN_KIND,
    PIPE__SPAN_STATUS,
    PIPE__SPAN_STATUS_MESSAGE,
    PIPE__SPAN_INTRINSICS
};

/* The number of an attribute, the same for the same one. ERR_INVALID: too many. */
int pipe__span_slot(struct pipe__span_names *n, const char *setting, struct slice name,
                    uint8_t *out, struct diag *diag);
/* ERR_INVALID naming the setting. */
int pipe__span_names_new(const struct pipe_span_metrics_config *config,
                         struct pipe__span_names **out, struct diag *diag);
void pipe__span_names_free(struct pipe__span_names *names); /* NULL is fine */

struct pipe__span_fields {
    struct slice tenant, service, job, instance, name, status_message, trace_state;
    int kind, status; /* OTLP's, 0-5 and 0-2 */
    double weight;    /* how many spans it stands for: what sampling left out counted in */
    int64_t start_ns, duration_ns;
    size_t size;                               /* bytes as OTLP in protobuf, nearly */
    struct slice trace_id, span_id, parent_id; /* 16 and 8 bytes; parent may be empty */
    bool is_shared; /* Zipkin's: the span's id is that of the client's span too */
    struct slice dimensions[PIPE_SPAN_DIMENSIONS], graph_dimensions[PIPE_SPAN_DIMENSIONS];
    struct slice peer, database;
    const struct slice *of_resource, *of_span; /* attributes by their numbers */
};

/* span_filter.c: sets of conditions, `;` between sets and `,` between conditions: `kind`, `status`,
 * `name`, `span.x`, `resource.x` or `x`, then = and a value, or =~ and an expression that matches
 * it as a whole. `include`: all conditions hold; `include_any`: of each set one does; `exclude`: of
 * no set all do. *out NULL when everything passes. */
int pipe__span_filter_new(const struct pipe_span_metrics_config *config, struct pipe__span_names *n,
                          struct pipe__span_filter **out, struct diag *diag);
void pipe__span_filter_free(struct pipe__span_filter *f); /* NULL is fine */
bool pipe__span_filter_passes(const struct pipe__span_filter *f,
                              const struct pipe__span_fields *span);
/* How many spans one with this trace state stands for (OpenTelemetry's `ot=th:...`, the threshold
 * of 56 bits below which spans were left out); 0 when it does not say. */
double pipe__span_adjusted_count(struct slice trace_state);

struct pipe__span_walk;
struct pipe__span_walk *pipe__span_walk_new(const struct pipe__span_names *names,
                                            const struct data_event_batch *batch);
void pipe__span_walk_free(struct pipe__span_walk *walk);
/* The row's fields, valid until the next call; false when it is no proper span. *out_new_resource:
 * the resource is another one than that of the row before. */
bool pipe__span_walk_read(struct pipe__span_walk *walk, size_t row, struct pipe__span_fields *out,
                          bool *out_new_resource);
/* Labels of traces_target_info for the row read last, valid as its fields are. */
struct data_labels pipe__span_walk_target(struct pipe__span_walk *walk,
                                          const struct pipe__span_fields *fields);

#endif
