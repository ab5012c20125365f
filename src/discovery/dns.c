/* Target groups from the domain name system: a group a record, whose labels say what it said. */
#include <stdio.h>

#include "base/mem.h"
#include "discovery/provider.h"

static const char *type_name(int type)
{
    return type == NET_DNS_SRV    ? "SRV"
           : type == NET_DNS_A    ? "A"
           : type == NET_DNS_AAAA ? "AAAA"
           : type == NET_DNS_MX   ? "MX"
                                  : "NS";
}

static void fill(struct discovery_group *g, const struct discovery_provider *pr,
                 const struct net_dns_record *r, struct arena *arena)
{
    struct data_labels_builder b = {0};
    struct data_labels labels;
    struct slice target = slice_make(r->target.ptr, r->target.len);
    int type = pr->dns_sd->type, port = type == NET_DNS_SRV ? r->port : pr->dns_sd->port;
    data_labels_builder_set(&b, SLICE("__meta_dns_name"), pr->name);
    if (type == NET_DNS_SRV) {
        data_labels_builder_set(&b, SLICE("__meta_dns_srv_record_target"), target);
        data_labels_builder_set(&b, SLICE("__meta_dns_srv_record_port"),
                                arena_printf(arena, "%d", r->port));
    } else if (type == NET_DNS_MX) {
        data_labels_builder_set(&b, SLICE("__meta_dns_mx_record_target"), target);
    } else if (type == NET_DNS_NS) {
        data_labels_builder_set(&b, SLICE("__meta_dns_ns_record_target"), target);
    }
    if (!data_labels_builder_finish(&b, &labels, NULL))
        g->labels = data_labels_copy(arena, labels);
    data_labels_builder_deinit(&b);
    struct slice host = target;
    while (host.len && host.ptr[host.len - 1] == '.')
        host.len--;
    struct slice *address = ARENA_NEW(arena, struct slice);
    *address =
        arena_printf(arena, type == NET_DNS_AAAA ? "[%.*s]:%d" : "%.*s:%d", SLICE_FMT(host), port);
    g->targets = address;
    g->target_count = 1;
    g->source = arena_slice(arena, pr->name);
}

static void on_records(const struct net_dns_answer *answer, void *ctx)
{
    struct discovery_provider *pr = ctx;
    struct discovery_env *env = &pr->discovery->env;
    struct discovery_set set = {.arena = arena_new(0, NULL)};
    struct slice where = arena_printf(set.arena, "%s records of %.*s", type_name(pr->dns_sd->type),
                                      SLICE_FMT(pr->name));
    pr->query = NULL;
    if (answer->err) {
        char text[300];
        snprintf(text, sizeof(text), "%.*s", SLICE_FMT(where));
        discovery__give(pr, &set, text, answer->diag);
    } else {
        struct discovery_group *groups =
            ARENA_ARRAY(set.arena, struct discovery_group, answer->count);
        for (size_t i = 0; i < answer->count; i++)
            fill(&groups[i], pr, &answer->records[i], set.arena);
        set.groups = groups;
        set.count = answer->count;
        discovery__give(pr, &set, "", NULL);
    }
    if (env->ended)
        env->ended(env->ctx);
}

void discovery__ask_dns(struct discovery_provider *pr)
{
    struct discovery_env *env = &pr->discovery->env;
    if (pr->query)
        return;
    if (env->begun)
        env->begun(env->ctx);
    pr->query =
        net_dns_ask(env->loop, pr->dns_sd->server, pr->name, pr->dns_sd->type, on_records, pr);
}
