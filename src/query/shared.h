/* Rows that several queries of one request have in common: each selector with its function is read
 * once for all of them, by as many threads as come by. */
#ifndef QUERY_SHARED_H
#define QUERY_SHARED_H

#include "query/scan.h"

/* The rows of a scan whose windows are known, when others of the request ask for the same: waits
 * for whoever reads them already, and helps. NULL: the scan has to read for itself. They are the
 * query's until query__shared_release. */
struct query__shared_rows *query__shared_take(const struct query__scan *scan);
/* Lets go of all the run has taken. */
void query__shared_release(struct query_exec *x);

struct store_selection *query__shared_selection(const struct query__shared_rows *rows);
/* One a series of the selection; read only. */
const struct query__slot *query__shared_slots(const struct query__shared_rows *rows);

#endif
