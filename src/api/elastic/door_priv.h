/* What the files of Elasticsearch's door share. */
#ifndef API_ELASTIC_DOOR_PRIV_H
#define API_ELASTIC_DOOR_PRIV_H

#include "api/api_priv.h"

/* {"error":{"root_cause":[...],"type","reason"},"status"} */
void elastic__respond_error(struct net_request *req, int status, const char *type, const char *fmt,
                            ...) __attribute__((format(printf, 4, 5)));
/* JSON in the media type that the client asked for. */
void elastic__respond(struct net_request *req, int status, struct slice json);

/* bulk.c */
void elastic__bulk(struct api_call *call);
void elastic__bulk_index(struct api_call *call); /* index in the path */
void elastic__doc(struct api_call *call);
void elastic__doc_id(struct api_call *call);
void elastic__create_id(struct api_call *call);
void elastic__init(struct api *api);
void elastic__free(struct api *api);

/* restore.c: once for each tenant, before its ids are claimed. Reads the store: on a worker. */
void elastic__restore_ids(struct api *api, struct slice tenant);

/* Whether a filter_path (patterns with commas between; *, **, and a '-' in front of what is to be
 * left out) shows the field of that dotted path. An empty filter shows everything. */
bool elastic__filter_shows(struct slice filter, struct slice path);

/* handshake.c: what clients ask before they send. Never anything that changes. */
void elastic__info(struct api_call *call);
void elastic__license(struct api_call *call);
void elastic__xpack(struct api_call *call);
void elastic__health(struct api_call *call);
void elastic__nodes(struct api_call *call);
void elastic__cat(struct api_call *call);
void elastic__index_template(struct api_call *call);
void elastic__named(struct api_call *call); /* templates, pipelines: there, and empty */
void elastic__data_stream(struct api_call *call);
void elastic__ack(struct api_call *call);
void elastic__pipeline(struct api_call *call);
/* Clients log this header of whatever they get. */
void elastic__warn_of_pipelines(struct net_request *req);
void elastic__shards(struct api_call *call);
void elastic__monitoring(struct api_call *call);
void elastic__exists(struct api_call *call);
void elastic__search(struct api_call *call);
void elastic__missing(struct api_call *call);

#endif
