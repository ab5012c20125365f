#include "net/dns.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <resolv.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/vec.h"

#define ANSWER_BYTES 65536
#define RECORDS_MAX  4096
#define WAIT_S       2 /* for one server, three times */

struct net_dns_query {
    struct net_loop *loop;
    net_dns_fn fn;
    void *ctx;
    int type;
    char name[256], server[32];
    /* Of the thread, then of the loop: */
    struct diag diag;
    int err;
    VEC(struct net_dns_record) records;
    pthread_mutex_t lock; /* of what follows */
    bool cancelled, done;
};

static void free_query(struct net_dns_query *q)
{
    for (size_t i = 0; i < q->records.len; i++)
        mem_free((void *)(uintptr_t)q->records.items[i].target.ptr);
    vec_free(&q->records);
    pthread_mutex_destroy(&q->lock);
    mem_free(q);
}

static bool read_server(const char *text, struct sockaddr_in *out)
{
    char host[32];
    const char *colon = strchr(text, ':');
    char *end = NULL;
    long port = colon ? strtol(colon + 1, &end, 10) : 0;
    if (!colon || colon - text >= (ptrdiff_t)sizeof(host) || end == colon + 1 || *end || port < 1 ||
        port > 65535)
        return false;
    snprintf(host, sizeof(host), "%.*s", (int)(colon - text), text);
    *out = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    return inet_pton(AF_INET, host, &out->sin_addr) == 1;
}

bool net_dns_server_ok(const char *server)
{
    struct sockaddr_in to;
    return read_server(server, &to);
}

static void add_record(struct net_dns_query *q, const char *target, int port)
{
    struct net_dns_record r = {.target = slice_cstr(mem_strdup(target)), .port = port};
    vec_push(&q->records, r);
}

/* A record of the answer that is of the type asked for; false when it is damaged. */
static bool take(struct net_dns_query *q, const ns_msg *msg, const ns_rr *rr)
{
    const unsigned char *data = ns_rr_rdata(*rr);
    size_t len = ns_rr_rdlen(*rr), skip = q->type == NET_DNS_SRV  ? 6
                                          : q->type == NET_DNS_MX ? 2
                                                                  : 0;
    char text[NS_MAXDNAME + 2];
    if (q->type == NET_DNS_A || q->type == NET_DNS_AAAA) {
        bool four = q->type == NET_DNS_A;
        if (len != (four ? 4u : 16u) ||
            !inet_ntop(four ? AF_INET : AF_INET6, data, text, sizeof(text)))
            return false;
        add_record(q, text, 0);
        return true;
    }
    if (len <= skip ||
        dn_expand(ns_msg_base(*msg), ns_msg_end(*msg), data + skip, text, NS_MAXDNAME) < 0)
        return false;
    char dotted[NS_MAXDNAME + 2]; /* as the records have it */
    snprintf(dotted, sizeof(dotted), "%s.", text);
    add_record(q, dotted, skip == 6 ? data[4] << 8 | data[5] : 0);
    return true;
}

static int ask(struct net_dns_query *q, unsigned char *answer)
{
    struct __res_state state = {0};
    struct sockaddr_in server;
    ns_msg msg;
    if (res_ninit(&state))
        return diag_set(&q->diag, ERR_IO, "the system's configuration of DNS cannot be read");
    state.retrans = WAIT_S;
    state.retry = 3;
    if (q->server[0] && read_server(q->server, &server)) {
        state.nscount = 1;
        state.nsaddr_list[0] = server;
    }
    int len = res_nsearch(&state, q->name, ns_c_in, q->type, answer, ANSWER_BYTES);
    int why = state.res_h_errno;
    res_nclose(&state);
    if (len < 0 && (why == HOST_NOT_FOUND || why == NO_DATA))
        return 0;
    if (len < 0)
        return diag_set(&q->diag, ERR_IO, "could not resolve \"%s\": %s", q->name, hstrerror(why));
    if (ns_initparse(answer, MIN(len, ANSWER_BYTES), &msg))
        return diag_set(&q->diag, ERR_IO, "the answer for \"%s\" is damaged", q->name);
    int count = MIN((int)ns_msg_count(msg, ns_s_an), RECORDS_MAX);
    for (int i = 0; i < count; i++) {
        ns_rr rr;
        if (ns_parserr(&msg, ns_s_an, i, &rr) ||
            ((int)ns_rr_type(rr) == q->type && !take(q, &msg, &rr)))
            return diag_set(&q->diag, ERR_IO, "the answer for \"%s\" is damaged", q->name);
    }
    return 0;
}

static void on_loop(void *ctx)
{
    struct net_dns_query *q = ctx;
    pthread_mutex_lock(&q->lock);
    bool cancelled = q->cancelled;
    pthread_mutex_unlock(&q->lock);
    const struct net_dns_answer answer = {
        .err = q->err, .diag = &q->diag, .records = q->records.items, .count = q->records.len};
    if (!cancelled)
        q->fn(&answer, q->ctx);
    free_query(q);
}

static void *work(void *arg)
{
    struct net_dns_query *q = arg;
    unsigned char *answer = mem_alloc(ANSWER_BYTES);
    q->err = ask(q, answer);
    mem_free(answer);
    pthread_mutex_lock(&q->lock);
    bool cancelled = q->cancelled;
    q->done = true;
    if (!cancelled) /* the loop lives: who ends it cancels first */
        net_loop_post(q->loop, on_loop, q);
    pthread_mutex_unlock(&q->lock);
    if (cancelled)
        free_query(q);
    return NULL;
}

struct net_dns_query *net_dns_ask(struct net_loop *loop, const char *server, struct slice name,
                                  int type, net_dns_fn fn, void *ctx)
{
    struct net_dns_query *q = mem_calloc(1, sizeof(*q));
    pthread_attr_t attr;
    pthread_t thread;
    q->loop = loop;
    q->fn = fn;
    q->ctx = ctx;
    q->type = type;
    diag_init(&q->diag);
    snprintf(q->name, sizeof(q->name), "%.*s", SLICE_FMT(slice_first(name, 255)));
    snprintf(q->server, sizeof(q->server), "%s", server ? server : "");
    pthread_mutex_init(&q->lock, NULL);
    pthread_attr_init(&attr);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    if (pthread_create(&thread, &attr, work, q)) {
        q->err = diag_set(&q->diag, ERR_IO, "no thread can be started");
        q->done = true;
        net_loop_post(loop, on_loop, q);
    }
    pthread_attr_destroy(&attr);
    return q;
}

void net_dns_cancel(struct net_dns_query *q)
{
    pthread_mutex_lock(&q->lock);
    q->cancelled = true;
    pthread_mutex_unlock(&q->lock);
    /* Its thread, or the message that waits on the loop, frees it. */
}
