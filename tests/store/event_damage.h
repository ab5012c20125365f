/* Whatever bit of a part of events flips: rows may be missing, then it is told, by an error or by
 * the file that is kept aside; none comes wrong, and nothing crashes. */
#ifndef TESTS_STORE_EVENT_DAMAGE_H
#define TESTS_STORE_EVENT_DAMAGE_H

#include "os/sim.h"

struct event_damage {
    uint64_t stride; /* every so many bytes one flips */
    size_t rows;     /* that are there undamaged */
    /* A store with the rows in one part, in "data", closed again. */
    void *(*fill)(struct os_sim **out_sim);
    /* Opens the store and reads all; each row that comes is checked. Number of rows, and what
     * reading ended with. */
    size_t (*read)(void *world, int *out_err);
    void (*end)(void *world);
};
void event_damage_check(const struct event_damage *d);

#endif
