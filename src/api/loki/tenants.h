/* One source over several tenants of another: X-Scope-OrgID: a|b. Streams have the label
 * __tenant_id__ more, which selectors and label filters may ask for; a label of that name that a
 * stream has itself is called original___tenant_id__, as in Loki. */
#ifndef API_LOKI_TENANTS_H
#define API_LOKI_TENANTS_H

#include "store/events.h"

#define LOKI__TENANT_LABEL "__tenant_id__"

/* Reads the names ("a|b"), sorted and each once. *out_source is `of` itself for one name, with
 * *out_tenant that name; else a source in the arena, whose requests' tenant is not looked at, and
 * *out_tenant the text. False: a name breaks the rule for names. */
bool loki__tenants_read(struct slice text, struct store_event_source *of, struct arena *arena,
                        struct store_event_source **out_source, struct slice *out_tenant);

#endif
