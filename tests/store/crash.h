/* The store on a disk that lies: work at random with crashes, failing calls and a full disk at
 * random, and the same work with every single call of the disk failing in turn. After each recovery
 * the caller's model says what must be there. Everything follows from the seed. */
#ifndef TESTS_STORE_CRASH_H
#define TESTS_STORE_CRASH_H

#include "os/sim.h"
#include "store/store.h"

struct crash_world {
    const struct crash_work *work;
    void *model; /* the caller's */
    struct os_sim *sim;
    struct store *store;
    struct store_config config;
    uint64_t random, seed;
    int64_t now_ns;
    size_t acked;  /* appends; work->append counts them */
    bool may_fail; /* opening */
};

struct crash_work {
    void *(*begin)(struct crash_world *w); /* the model; sets now_ns and changes the config */
    void (*end)(void *model);
    /* Appends something, and does not come back before it is acknowledged, refused or forgotten. */
    void (*append)(struct crash_world *w);
    void (*check)(struct crash_world *w);
    /* A turn of random work, `what` out of 0 to 19, and the i-th turn of the work that a single
     * fault meets. */
    void (*step)(struct crash_world *w, uint64_t what);
    void (*fixed_step)(struct crash_world *w, int i);
    int steps, fixed_steps;
    uint64_t step_seconds;    /* a random step's most */
    uint64_t capacity_spread; /* of a disk that is too small, bytes */
    /* Files below `dir` that end in `suffix` are the parts that the store knows. */
    const char *dir, *suffix;
    size_t (*parts)(struct store *store);
};

enum crash_fault { CRASH_OFF, CRASH_IO, CRASH_NOSPACE, CRASH_FAULTS };

uint64_t crash_rnd(struct crash_world *w);
void crash_begin(struct crash_world *w, const struct crash_work *work, uint64_t seed,
                 uint64_t random);
void crash_end(struct crash_world *w); /* the store is closed */
/* Fails the test when the store does not open, unless the disk is off or may_fail. */
int crash_open(struct crash_world *w);

/* PHAROS_SEEDS=n runs n seeds, PHAROS_SEED=k only k. */
void crash_run_seeds(const struct crash_work *work, uint64_t seeds_default);
/* The k-th change of the disk fails, for every k there is. */
void crash_sweep(const struct crash_work *work, enum crash_fault fault);
/* Recovery has much to say about a thousand crashes: nothing is logged, unless it is one seed. */
void crash_be_quiet(void);

#endif
