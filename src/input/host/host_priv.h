/* What the collector files share: reading kernel files, cutting them into words, emitting samples.
 */
#ifndef INPUT_HOST_HOST_PRIV_H
#define INPUT_HOST_HOST_PRIV_H

#include "base/buf.h"
#include "base/map.h"
#include "input/host/host.h"

struct host_metric {
    const char *name;
    enum data_metric_type type;
    const char *help;
};

#define HOST_COUNTER(n, h)                                                                         \
    {                                                                                              \
        .name = (n), .type = DATA_METRIC_COUNTER, .help = (h)                                      \
    }
#define HOST_GAUGE(n, h)                                                                           \
    {                                                                                              \
        .name = (n), .type = DATA_METRIC_GAUGE, .help = (h)                                        \
    }

/* State a collector keeps from one collection to the next. */
struct host_process_state;

struct host__ctx {
    struct input_host_config config; /* strings owned */
    struct data_metric_batch *batch; /* of the collection in hand */
    int64_t now_ns;
    struct data_labels_builder labels; /* reused for each sample */
    struct buf file;                   /* content of the file read last */
    struct buf path, name;
    struct map *described; /* metrics whose metadata was sent in this period */
    struct host_process_state *processes;
    struct map *users; /* uid as text -> name */
};

/* The whole file <root>/<printf path> in ctx->file, NUL-terminated; ptr NULL when it cannot be
 * read. Valid until the next read. */
struct slice host__read(struct host__ctx *ctx, const char *root, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* Same, white space trimmed, into `out` (a copy), false when unreadable or empty. */
bool host__read_line(struct host__ctx *ctx, char *out, size_t out_size, const char *root,
                     const char *fmt, ...) __attribute__((format(printf, 5, 6)));
/* Same, a decimal or 0x number. */
bool host__read_number(struct host__ctx *ctx, double *out, const char *root, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
/* Calls fn for each name in the directory, sorted. */
void host__each_entry(struct host__ctx *ctx,
                      void (*fn)(struct host__ctx *ctx, const char *name, void *arg), void *arg,
                      const char *root, const char *fmt, ...) __attribute__((format(printf, 5, 6)));

/* Cuts the next line off *rest; false at the end. */
bool host__line(struct slice *rest, struct slice *line);
/* Cuts the next white-space separated word off *line; false at the end. */
bool host__word(struct slice *line, struct slice *word);
/* Unsigned decimal at the start of the word; 0 when there is none. */
uint64_t host__u64(struct slice word);
double host__double(struct slice word);
/* Copies into a NUL-terminated field, cutting what does not fit. */
void host__text(char *out, size_t out_size, struct slice s);

/* One sample now, with label name and value pairs up to a NULL: host__put(ctx, &m, v, "cpu", "0",
 * NULL). */
void host__put(struct host__ctx *ctx, const struct host_metric *m, double value, ...)
    __attribute__((sentinel));
/* Same for a metric whose name is only known at run time; `help` and the name are copied. */
void host__put_named(struct host__ctx *ctx, const char *name, enum data_metric_type type,
                     const char *help, double value, ...) __attribute__((sentinel));

/* The collectors, in the order they run. */
void host__collect_cpu(struct host__ctx *ctx);
void host__collect_memory(struct host__ctx *ctx);
void host__collect_disk(struct host__ctx *ctx);
void host__collect_filesystem(struct host__ctx *ctx);
void host__collect_netdev(struct host__ctx *ctx);
void host__collect_netstat(struct host__ctx *ctx);
void host__collect_sensors(struct host__ctx *ctx);
void host__collect_system(struct host__ctx *ctx);
void host__collect_processes(struct host__ctx *ctx);
void host__collect_cgroups(struct host__ctx *ctx);
void host__processes_free(struct host_process_state *state);

#endif
