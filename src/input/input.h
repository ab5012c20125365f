/* The frame every input fits in: a descriptor that says what it is and how it is configured, and
 * the environment it lives in. An input sees nothing else of the program, so that a test can build
 * it with fakes. `inputs.def` lists all of them. */
#ifndef INPUT_INPUT_H
#define INPUT_INPUT_H

#include "base/arena.h"
#include "base/diag.h"
#include "base/task.h"
#include "net/loop.h"
#include "os/os.h"
#include "pipe/sink.h"
#include "text/conf.h"

/* What an input may touch. Lives longer than the inputs; everything in it is thread-safe. */
struct input_env {
    struct net_loops *loops;
    struct task_pool *pool; /* for what blocks or takes long */
    struct os *os;          /* files, clock, randomness */
    struct pipe_sink *sink; /* where batches go */
    const char *version;    /* of Pharos, for User-Agent; may be NULL */
};

struct input; /* one running instance; each input has its own struct behind it */

struct input_def {
    const char *name; /* as in inputs.def and in the configuration */
    const char *help; /* one sentence */
    /* Its settings; they fill a struct of `config_size` bytes. */
    const struct text_conf_field *fields;
    size_t field_count, config_size;
    /* Checks everything that can be checked without touching the world. Strings and nodes in
     * `config` live as long as the call. */
    int (*create)(const struct input_env *env, const void *config, struct input **out,
                  struct diag *diag);
    /* Begins to listen, scrape or poll. */
    int (*start)(struct input *in, struct diag *diag);
    /* Takes a changed configuration, keeping what did not change running; on an error the old one
     * stays in force. NULL: a change means stop and create. */
    int (*reload)(struct input *in, const void *config, struct diag *diag);
    /* Returns when nothing of it runs any more; frees. Not from a loop's thread. */
    void (*stop)(struct input *in);
};

/* All inputs, ordered by inputs.def. */
extern const struct input_def *const input_defs[];
extern const size_t input_def_count;
/* NULL when there is none of that name. */
const struct input_def *input_def_find(struct slice name);

#endif
