/* A disk that lies, under a seed: an in-memory file system whose crash keeps only what was synced
 * plus an arbitrary part of the rest. Writes since the last sync of their file survive a crash
 * whole, torn at 512 bytes, or not at all, each on its own (so later ones may survive earlier
 * ones); creates, renames and unlinks since the last sync of their directory survive or not, in
 * order. One thread. */
#ifndef OS_SIM_H
#define OS_SIM_H

#include "os/os.h"

struct os_sim;

struct os_sim *os_sim_new(uint64_t seed);
void os_sim_free(struct os_sim *sim);
struct os *os_sim_os(struct os_sim *sim);

/* From now on every call fails with ERR_IO, as if the machine were off; files stay open until
 * closed. */
void os_sim_power_off(struct os_sim *sim);
/* Decides by the seed what the disk holds, and turns the machine on again. All files are closed. */
void os_sim_restart(struct os_sim *sim);

/* The machine goes off at the k-th call that changes the disk from now (0 = never). */
void os_sim_crash_at(struct os_sim *sim, uint64_t k);
bool os_sim_is_off(const struct os_sim *sim);
/* The k-th write, sync, create or rename from now fails with `err` once (0 = never). A failed sync
 * drops what it should have made durable, as Linux does. */
void os_sim_fail_at(struct os_sim *sim, uint64_t k, int err);
/* Bytes that all files together may hold; ERR_NOSPACE beyond. 0 = unlimited. */
void os_sim_set_capacity(struct os_sim *sim, uint64_t bytes);
/* Flips one bit of a file's content, durably. False when there is no such byte. */
bool os_sim_flip(struct os_sim *sim, const char *path, uint64_t byte, unsigned bit);
void os_sim_set_now(struct os_sim *sim, int64_t now_ns);
/* Number of calls that changed the disk so far. */
uint64_t os_sim_changes(const struct os_sim *sim);

#endif
