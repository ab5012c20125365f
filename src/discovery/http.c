/* Target groups from HTTP answers. */
#include <stdio.h>

#include "discovery/provider.h"

#define HTTP_TIMEOUT_NS (30 * NS_PER_SEC)

static void on_answer(const struct net_client_response *resp, void *ctx)
{
    struct discovery_provider *pr = ctx;
    struct discovery_env *env = &pr->discovery->env;
    struct discovery_set set = {.arena = arena_new(0, NULL)};
    struct diag diag;
    diag_init(&diag);
    pr->call = NULL;
    if (resp->err == ERR_CANCELLED) {
        arena_free(set.arena);
        if (env->ended)
            env->ended(env->ctx);
        return;
    }
    int err = resp->err;
    if (err)
        diag_set(&diag, err, "%s", resp->diag ? resp->diag->msg : err_name(err));
    else if (resp->status != 200)
        err = diag_set(&diag, ERR_INVALID, "server returned HTTP status %d", resp->status);
    else if (!slice_eq_nocase(
                 slice_trim(slice_first(resp->content_type,
                                        slice_find_char(resp->content_type, ';') < 0
                                            ? resp->content_type.len
                                            : (size_t)slice_find_char(resp->content_type, ';'))),
                 SLICE("application/json")))
        err = diag_set(&diag, ERR_INVALID, "unsupported content type \"%.*s\"",
                       SLICE_FMT(slice_first(resp->content_type, 100)));
    else
        err = discovery_groups_json(arena_slice(set.arena, resp->body), set.arena,
                                    slice_cstr(pr->http_sd->url), &set.groups, &set.count, &diag);
    if (err) {
        discovery__give(pr, &set, pr->http_sd->url, &diag);
    } else {
        discovery_set_add_label(&set, SLICE("__meta_url"), slice_cstr(pr->http_sd->url));
        discovery__give(pr, &set, pr->http_sd->url, NULL);
    }
    if (env->ended)
        env->ended(env->ctx);
}

void discovery__ask_http(struct discovery_provider *pr)
{
    struct discovery_env *env = &pr->discovery->env;
    const struct discovery_http_sd *sd = pr->http_sd;
    if (pr->call)
        return;
    struct arena *arena = arena_new(0, NULL);
    struct diag diag;
    diag_init(&diag);
    const struct net_client_header headers[] = {
        {SLICE("Accept"), SLICE("application/json")},
        {SLICE("X-Prometheus-Refresh-Interval-Seconds"),
         arena_printf(arena, "%g", (double)sd->refresh_ns / (double)NS_PER_SEC)},
        {SLICE("User-Agent"), arena_printf(arena, "Pharos/%s", env->version ? env->version : "0")}};
    const struct net_client_request req = {.url = sd->url,
                                           .headers = headers,
                                           .header_count = ARRAY_LEN(headers),
                                           .accept_compressed = true,
                                           .timeout_ns = MIN(HTTP_TIMEOUT_NS, sd->refresh_ns)};
    if (env->begun)
        env->begun(env->ctx);
    if (discovery_client_send(pr->discovery->client, &sd->http, &req, on_answer, pr, &pr->call,
                              &diag)) {
        discovery__give(pr, &(struct discovery_set){0}, sd->url, &diag);
        if (env->ended)
            env->ended(env->ctx);
    }
    arena_free(arena);
}
