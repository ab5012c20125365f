/* Answers of queries and expressions on their way to Grafana's data frames. Everything is in an
 * arena of the query, which is charged: allocating may fail. */
#ifndef API_GRAFANA_FRAMES_H
#define API_GRAFANA_FRAMES_H

#include "api/query_multi.h"
#include "base/buf.h"
#include "lang/expr/expr.h"

/* What one refId has come to. */
struct grafana_answer {
    struct slice ref_id;
    struct expr_set set; /* its numbers; else `frames` alone */
    bool is_instant;     /* each has one value */
    struct slice frames; /* JSON of the frames, comma between them, of what is no numbers */
    struct slice kind;   /* custom.resultType; ptr NULL = none */
    struct slice executed;
    int64_t interval_ns; /* 0 = none */
    struct slice *notices;
    size_t notice_count;
};

/* The frames of an answer with numbers, or its JSON; a comma between them. */
void grafana__put_answer(const struct grafana_answer *a, struct buf *out);

/* A frame of columns that are written one after the other:
 *     begin; field, field, ...; data; column, column, ...; end */
struct grafana_frame_writer {
    struct buf *out;
    bool any; /* a field, then a value */
};
void grafana__frame_begin(struct grafana_frame_writer *f, struct slice ref_id, const char *meta,
                          struct buf *out);
/* type and typeInfo.frame as Grafana spells them ("string", "time.Time"); config is JSON or NULL.
 */
void grafana__frame_field(struct grafana_frame_writer *f, const char *name, const char *type,
                          const char *frame_type, const char *config);
void grafana__frame_data(struct grafana_frame_writer *f);
void grafana__frame_column(struct grafana_frame_writer *f);
/* Before each value of a column. */
void grafana__frame_next(struct grafana_frame_writer *f);
void grafana__frame_column_end(struct grafana_frame_writer *f);
void grafana__frame_end(struct grafana_frame_writer *f);

#endif
