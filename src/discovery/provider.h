/* One entry of a discovery, for the files of this folder. */
#ifndef DISCOVERY_PROVIDER_H
#define DISCOVERY_PROVIDER_H

#include <pthread.h>

#include "base/vec.h"
#include "discovery/client.h"
#include "discovery/discovery.h"
#include "net/dns.h"

enum discovery_kind { DISCOVERY_STATIC, DISCOVERY_FILE, DISCOVERY_HTTP, DISCOVERY_DNS };

struct discovery_sd_file {
    char *path;
    int64_t mtime_ns;
    uint64_t size;
    bool seen, failed;
    struct discovery_set set;
};

struct discovery_provider {
    struct discovery *discovery;
    enum discovery_kind kind;
    const struct discovery_file_sd *file_sd;
    const struct discovery_http_sd *http_sd;
    const struct discovery_dns_sd *dns_sd;
    struct slice name; /* dns: the one of them that is asked for */
    VEC(struct discovery_sd_file) files;
    struct net_timer *timer;
    struct discovery_call *call; /* http, in flight */
    struct net_dns_query *query; /* dns, in flight */
    /* Under the discovery's lock: */
    struct discovery_set set; /* all but files */
    char last_error[512];
};

struct discovery {
    struct discovery_env env;
    struct discovery_client *client;
    VEC(struct discovery_provider *) providers;
    pthread_mutex_t lock;
};

/* Asks (http.c, dns.c); what comes is given to discovery__give. */
void discovery__ask_http(struct discovery_provider *pr);
void discovery__ask_dns(struct discovery_provider *pr);
/* Takes the set over in place of the one before and tells, or (with words) notes what went wrong
 * and frees it. */
void discovery__give(struct discovery_provider *pr, struct discovery_set *set, const char *where,
                     const struct diag *diag);

#endif
