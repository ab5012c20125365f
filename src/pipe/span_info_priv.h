/* traces_target_info: one series of value 1 for each resource that sends spans. Thread-safe. */
#ifndef PIPE_SPAN_INFO_PRIV_H
#define PIPE_SPAN_INFO_PRIV_H

#include "base/budget.h"
#include "pipe/sink.h"

struct pipe__span_info;
struct pipe__span_info *pipe__span_info_new(struct budget *series, int64_t idle_ns);
void pipe__span_info_free(struct pipe__span_info *info); /* NULL is fine */
/* Without __name__. */
void pipe__span_info_take(struct pipe__span_info *info, struct slice tenant,
                          struct data_labels labels, int64_t now_ns);
void pipe__span_info_write(struct pipe__span_info *info, struct pipe_sink *sink, int64_t now_ns,
                           bool with_metadata);

#endif
