/* The ids of documents that were taken lately, so that one that a shipper sends again (`create`) is
 * not there twice. Bounded: the oldest half is forgotten when there are too many; nothing of it
 * outlives the process. Thread-safe. */
#ifndef API_ELASTIC_IDS_H
#define API_ELASTIC_IDS_H

#include "base/slice.h"
#include "base/types.h"

struct elastic_ids;

struct elastic_ids *elastic_ids_new(size_t count_max);
void elastic_ids_free(struct elastic_ids *ids); /* NULL is fine */
/* False: it is known. Else it is from now on. */
bool elastic_ids_claim(struct elastic_ids *ids, struct slice tenant, struct slice index,
                       struct slice id);
/* It was not stored after all. */
void elastic_ids_release(struct elastic_ids *ids, struct slice tenant, struct slice index,
                         struct slice id);

#endif
