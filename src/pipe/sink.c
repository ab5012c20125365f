#include "pipe/sink.h"

#include "base/assert.h"

const char *pipe_refusal_name(enum pipe_refusal reason)
{
    static const char *const names[PIPE_REFUSED_COUNT] = {
        "invalid",     "too_old",      "too_new",   "series_limit",
        "label_limit", "stream_limit", "line_size", "field_limit"};
    base_assert(reason < PIPE_REFUSED_COUNT);
    return names[reason];
}

size_t pipe_result_refused(const struct pipe_result *r)
{
    size_t sum = 0;
    for (size_t i = 0; i < PIPE_REFUSED_COUNT; i++)
        sum += r->refused[i];
    return sum;
}
