/* What the metrics from spans need to know of each span of a batch: attributes are found by their
 * numbers, what a resource says is read once. */
#ifndef PIPE_SPAN_FIELDS_PRIV_H
#define PIPE_SPAN_FIELDS_PRIV_H

#include "pipe/span_metrics.h"

/* Attributes that are looked for, each with a number. */
#define PIPE__SPAN_SLOTS 48

struct pipe__span_names {
    struct arena *arena;
    struct map *slots; /* attribute name -> number; also the sanitised name */
    size_t slot_count;
    /* Numbers, and the labels they become. */
    uint8_t dimensions[PIPE_SPAN_DIMENSIONS], graph_dimensions[PIPE_SPAN_DIMENSIONS],
        peers[PIPE_SPAN_DIMENSIONS];
    struct slice dimension_labels[PIPE_SPAN_DIMENSIONS], graph_labels[PIPE_SPAN_DIMENSIONS];
    size_t dimension_count, graph_dimension_count, peer_count;
};

/* ERR_INVALID naming the setting. */
int pipe__span_names_new(const struct pipe_span_metrics_config *config,
                         struct pipe__span_names **out, struct diag *diag);
void pipe__span_names_free(struct pipe__span_names *names); /* NULL is fine */

struct pipe__span_fields {
    struct slice tenant, service, job, instance, name;
    int kind, status; /* OTLP's, 0-5 and 0-2 */
    int64_t start_ns, duration_ns;
    size_t size;                               /* bytes as OTLP in protobuf, nearly */
    struct slice trace_id, span_id, parent_id; /* 16 and 8 bytes; parent may be empty */
    bool is_shared; /* Zipkin's: the span's id is that of the client's span too */
    struct slice dimensions[PIPE_SPAN_DIMENSIONS], graph_dimensions[PIPE_SPAN_DIMENSIONS];
    struct slice peer, database;
};

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
