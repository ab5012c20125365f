/* Rows of a store's scan as lines for a pipeline. Belongs to one thread. */
#ifndef LANG_LOGQL_ROWS_H
#define LANG_LOGQL_ROWS_H

#include "lang/logql/pipeline.h"

struct logql_rows_column {
    size_t column;
    struct slice name;  /* of the label */
    uint32_t intrinsic; /* or UINT32_MAX */
};

struct logql_rows_stream {
    struct logql_label *labels; /* in underscore spelling */
    size_t count;
    bool made;
};

/* What the last value that a test of the pipeline's `derive` was tried on gave. */
struct logql_rows_test {
    bool known, passes;
    struct data_value value;
    /* Columns of that name, which come before what is found in the line. */
    size_t columns[4], column_count;
    bool off;       /* there are more */
    bool in_stream; /* of the row looked at last */
};

struct logql_rows {
    const struct logql_pipeline *pipeline;
    struct logql_line line;
    const struct store_event_chunk *chunk;
    VEC(struct logql_rows_column) columns; /* of the chunk, those that become labels */
    size_t line_column;                    /* SIZE_MAX: not there */
    VEC(struct logql_rows_stream) streams; /* of the scan */
    struct arena *arena;                   /* of the streams' labels */
    struct arena *names;                   /* of the columns' */
    struct buf scratch;
    struct logql_rows_test *tests;
    struct logql_line tried; /* a line with nothing but the label that is tested */
    uint32_t tests_stream;   /* whose in_stream is; UINT32_MAX: none yet */
};

void logql_rows_init(struct logql_rows *r, const struct logql_pipeline *pipeline, int64_t now_ns);
void logql_rows_deinit(struct logql_rows *r);
/* Chunks of one scan, one after the other. */
void logql_rows_chunk(struct logql_rows *r, const struct store_event_chunk *chunk);
/* Before the chunks of another scan, whose streams are others. */
void logql_rows_forget_streams(struct logql_rows *r);
/* Takes row i through the pipeline; false when it is dropped. What r->line then holds is good until
 * the next row. */
bool logql_rows_run(struct logql_rows *r, size_t i);
/* The labels of the chunk's row's stream, by name. */
const struct logql_rows_stream *logql_rows_stream(struct logql_rows *r, uint32_t stream);

/* What the scan is to be for a pipeline; clauses and fields point into it. */
void logql_rows_scan(const struct logql_pipeline *p, struct store_event_scan *out);

#endif
