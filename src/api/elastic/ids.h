/* The ids of documents that were taken lately, so that one that a shipper sends again is not there
 * twice. A claim says whether a document is known; what it calls new is the claimant's until it
 * says whether that is stored. Bounded: the oldest half is forgotten when there are too many. What
 * was stored before the process began is put there by restore.c. Thread-safe. */
#ifndef API_ELASTIC_IDS_H
#define API_ELASTIC_IDS_H

#include "base/slice.h"
#include "base/types.h"

struct elastic_ids;

/* A document as it is looked for. */
struct elastic_ids_key {
    struct slice tenant, index, id;
};

enum elastic_ids_answer {
    ELASTIC_IDS_NEW,   /* it is the owner's until elastic_ids_settle */
    ELASTIC_IDS_KNOWN, /* stored, or about to be by the owner */
    ELASTIC_IDS_BUSY,  /* another owner is about to store it: nobody knows yet */
};

struct elastic_ids *elastic_ids_new(size_t count_max);
void elastic_ids_free(struct elastic_ids *ids); /* NULL is fine */

/* `owner` is any address of its own. `again`: what is known with other content is new. */
enum elastic_ids_answer elastic_ids_claim(struct elastic_ids *ids, const void *owner,
                                          struct elastic_ids_key key, struct slice content,
                                          bool again);
/* Once for each claim that was NEW, by its owner: whether it was stored. */
void elastic_ids_settle(struct elastic_ids *ids, struct elastic_ids_key key, bool stored);

/* --- what was stored before the process began ---
 * Of it time and line are known, and the index without a date at its end. */

bool elastic_ids_needs_restore(struct elastic_ids *ids, struct slice tenant);
/* True: the caller puts the tenant's ids there, and then says so; others wait here until then. */
bool elastic_ids_begin_restore(struct elastic_ids *ids, struct slice tenant);
void elastic_ids_end_restore(struct elastic_ids *ids, struct slice tenant);
void elastic_ids_restore(struct elastic_ids *ids, struct elastic_ids_key key, int64_t ts_ns,
                         struct slice line);
/* Whether some document was restored under the key; and whether one of that time and line was. */
bool elastic_ids_may_be_restored(struct elastic_ids *ids, struct elastic_ids_key key);
bool elastic_ids_is_restored(struct elastic_ids *ids, struct elastic_ids_key key, int64_t ts_ns,
                             struct slice line);

#endif
