/* Calls between services: the client's and the server's span of one call brought together (Tempo's
 * service-graphs processor). A side waits for the other for a while; then a client whose peer is
 * named, or a server that begins its trace, makes a call with a virtual node, and others are
 * dropped. A call to a database needs no other side. Thread-safe. */
#ifndef PIPE_SPAN_GRAPH_PRIV_H
#define PIPE_SPAN_GRAPH_PRIV_H

#include "pipe/span_metrics.h"

struct pipe__span_side {
    struct slice tenant;
    bool is_client;    /* CLIENT or PRODUCER; else SERVER or CONSUMER */
    bool is_messaging; /* PRODUCER or CONSUMER */
    bool failed;
    struct slice trace_id; /* 16 bytes */
    struct slice span_id;  /* 8 bytes: its own */
    /* 8 bytes: of the client's span, its own on a client; length 0: a server that begins a trace */
    struct slice call_id;
    int64_t start_ns, duration_ns;
    double weight; /* how many spans it stands for */
    struct slice service;
    struct slice peer;              /* what the other side is called, or length 0 */
    struct slice database;          /* the database that a client calls, or length 0 */
    const struct slice *dimensions; /* as many as configured */
};

struct pipe__span_graph;
struct budget;
/* `dimensions`: label names without client_ and server_. */
struct pipe__span_graph *pipe__span_graph_new(const struct pipe_span_metrics_config *config,
                                              const struct slice *dimensions,
                                              size_t dimension_count, struct budget *series);
void pipe__span_graph_free(struct pipe__span_graph *g); /* NULL is fine */
void pipe__span_graph_take(struct pipe__span_graph *g, const struct pipe__span_side *side,
                           int64_t now_ns);
/* Ends the wait of those whose time is over, and writes all series. */
void pipe__span_graph_write(struct pipe__span_graph *g, struct pipe_sink *sink, int64_t now_ns,
                            bool with_metadata);

/* What became of sides and rows. */
enum pipe__span_count {
    PIPE__SPAN_PAIRED,   /* calls of which both sides came, or a database */
    PIPE__SPAN_VIRTUAL,  /* calls with a virtual node */
    PIPE__SPAN_EXPIRED,  /* sides dropped when their time was over */
    PIPE__SPAN_EVICTED,  /* sides whose wait was cut short */
    PIPE__SPAN_OVERFLOW, /* counted in an overflow series */
    PIPE__SPAN_LOST,     /* not counted: no room even there */
    PIPE__SPAN_FILTERED, /* calls that the filter leaves out */
    PIPE__SPAN_COUNTS
};
void pipe__span_count(enum pipe__span_count what);

#endif
