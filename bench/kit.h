/* What the benchmarks share: clocks, numbers that look random, files that nobody has read yet. */
#ifndef BENCH_KIT_H
#define BENCH_KIT_H

#include <stdint.h>
#include <time.h>

/* Seconds by that clock: CLOCK_MONOTONIC, CLOCK_PROCESS_CPUTIME_ID, CLOCK_THREAD_CPUTIME_ID. */
double bench_clock_s(clockid_t id);

/* The same numbers in every run. One thread only. */
uint64_t bench_rnd(void);

/* Takes all files below dir out of the page cache, as if nobody had read them since the machine
 * started; nothing may have them mapped. */
void bench_evict(const char *dir);

#endif
