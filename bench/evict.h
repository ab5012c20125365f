/* Files as if nobody had read them since the machine started. */
#ifndef BENCH_EVICT_H
#define BENCH_EVICT_H

/* Takes all files below dir out of the page cache; nothing may have them mapped. */
void evict(const char *dir);

#endif
