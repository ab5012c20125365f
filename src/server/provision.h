/* Dashboards that are not made in the UI: those that come with the program, those in the folders of
 * Grafana's provisioning files, and those of the folder `dashboards.path`, which goes both ways:
 * what changes there appears within seconds, what is saved in the UI is written there. One thread
 * looks at everything every two seconds. */
#ifndef SERVER_PROVISION_H
#define SERVER_PROVISION_H

#include "store/catalog.h"
#include "store/source.h"

struct api_source_alias;
struct os;
struct server_config;
struct server_provision;

struct server_provision_env {
    struct os *os;
    struct store_catalog *catalog;
    struct store_source *metrics; /* for what is shipped: whether its metrics exist */
};

/* Reads the provisioning files; ERR_INVALID with file and line when one is bad. */
int server_provision_new(const struct server_provision_env *env, const struct server_config *config,
                         struct server_provision **out, struct diag *diag);
/* The data sources of provisioned files that are other names of Pharos' doors; they live as long as
 * the provision. */
size_t server_provision_sources(const struct server_provision *p,
                                const struct api_source_alias **out);
/* Starts the thread. */
void server_provision_start(struct server_provision *p);
/* Ends the thread; the hook goes on answering. NULL is fine. */
void server_provision_stop(struct server_provision *p);
void server_provision_free(struct server_provision *p); /* stops it; NULL is fine */
/* A store_dashboard_hook: writes and removes the files of dashboards.path. ctx is the provision. */
int server_provision_changes(void *ctx, const struct store_dashboard *before,
                             struct store_dashboard *after, struct diag *diag);

#endif
