/* Who there is and what they may do, to read: users and tokens of the configuration, of whom each
 * may do everything. What would change that is refused with where it is said. */
#include "api/grafana/grafana_priv.h"

#include "api/auth.h"

/* Users first, then tokens, which are what Grafana calls service accounts. */
struct person {
    struct slice name;
    int64_t id;
    bool is_token;
};

typedef VEC(struct person) person_list;

struct listing {
    struct arena *arena;
    person_list *out;
};

static void add(void *ctx, const char *name, bool is_token)
{
    struct listing *l = ctx;
    struct person p = {.name = arena_slice(l->arena, slice_cstr(name)),
                       .id = (int64_t)l->out->len + 1,
                       .is_token = is_token};
    vec_push(l->out, p);
}

/* Where nobody needs a password there is one who does everything. */
static void find_people(struct grafana *g, person_list *out)
{
    struct api *api = g->job->api;
    struct listing l = {g->arena, out};
    pthread_mutex_lock(&api->lock);
    struct api_auth *auth = api_auth_hold(api->auth);
    pthread_mutex_unlock(&api->lock);
    if (auth)
        api_auth_each(auth, add, &l);
    api_auth_free(auth);
    if (!out->len)
        add(&l, "admin", false);
}

static size_t count_of(const person_list *all, bool tokens)
{
    size_t n = 0;
    for (size_t i = 0; i < all->len; i++)
        n += all->items[i].is_token == tokens;
    return n;
}

int64_t grafana__user_id(struct grafana *g)
{
    person_list all = {0};
    int64_t id = 1;
    find_people(g, &all);
    for (size_t i = 0; i < all.len; i++) {
        if (slice_eq(all.items[i].name, g->login))
            id = all.items[i].id;
    }
    vec_free(&all);
    return id;
}

/* --- users --- */

static void put_user(struct grafana *g, const struct person *p)
{
    struct codec_json_writer *w = &g->w;
    codec_json_begin_object(w);
    codec_json_put_int(w, "id", p->id);
    codec_json_put_string(w, "uid", p->name);
    codec_json_put_string(w, "name", p->name);
    codec_json_put_string(w, "login", p->name);
    codec_json_put_string(w, "email", SLICE(""));
    codec_json_put_string(w, "avatarUrl", SLICE(""));
    codec_json_put_bool(w, "isAdmin", true);
    codec_json_put_bool(w, "isGrafanaAdmin", true);
    codec_json_put_bool(w, "isDisabled", false);
    codec_json_put_int(w, "orgId", 1);
    codec_json_end_object(w);
}

static void put_users(struct grafana *g, void (*put)(struct grafana *g, const struct person *p))
{
    person_list all = {0};
    find_people(g, &all);
    codec_json_begin_array(&g->w);
    for (size_t i = 0; i < all.len; i++) {
        struct slice words = grafana__param(g, "query");
        if (!all.items[i].is_token && (!words.len || slice_find(all.items[i].name, words) >= 0))
            put(g, &all.items[i]);
    }
    codec_json_end_array(&g->w);
    vec_free(&all);
}

static void user_list(struct grafana *g)
{
    put_users(g, put_user);
}

static void put_page(struct grafana *g, size_t total)
{
    codec_json_put_int(&g->w, "totalCount", (int64_t)total);
    codec_json_put_int(&g->w, "page", grafana__param_int(g, "page", 1));
    codec_json_put_int(&g->w, "perPage", grafana__param_int(g, "perpage", 1000));
}

static void user_search(struct grafana *g)
{
    person_list all = {0};
    find_people(g, &all);
    codec_json_begin_object(&g->w);
    codec_json_key(&g->w, SLICE("users"));
    put_users(g, put_user);
    put_page(g, count_of(&all, false));
    codec_json_end_object(&g->w);
    vec_free(&all);
}

/* By id, or by loginOrEmail. */
static void user_find(struct grafana *g)
{
    person_list all = {0};
    struct slice wanted = grafana__arg(g, 0);
    bool found = false;
    if (!wanted.len)
        wanted = grafana__param(g, "loginOrEmail");
    find_people(g, &all);
    for (size_t i = 0; i < all.len && !found; i++) {
        const struct person *p = &all.items[i];
        if (p->is_token || !(slice_eq(p->name, wanted) ||
                             slice_eq(arena_printf(g->arena, "%lld", (long long)p->id), wanted)))
            continue;
        put_user(g, p);
        found = true;
    }
    vec_free(&all);
    if (!found)
        grafana__fail(g, 404, NULL, "user not found");
}

static void put_member(struct grafana *g, const struct person *p)
{
    struct codec_json_writer *w = &g->w;
    codec_json_begin_object(w);
    codec_json_put_int(w, "orgId", 1);
    codec_json_put_int(w, "userId", p->id);
    codec_json_put_string(w, "uid", p->name);
    codec_json_put_string(w, "login", p->name);
    codec_json_put_string(w, "name", p->name);
    codec_json_put_string(w, "email", SLICE(""));
    codec_json_put_string(w, "avatarUrl", SLICE(""));
    codec_json_put_string(w, "role", SLICE("Admin"));
    grafana__put_time(g, "lastSeenAt", g->job->api->host->started_ns);
    codec_json_put_string(w, "lastSeenAtAge", SLICE(""));
    codec_json_put_bool(w, "isDisabled", false);
    codec_json_end_object(w);
}

static void org_users(struct grafana *g)
{
    put_users(g, put_member);
}

/* --- teams, tokens --- */

static void nothing(struct grafana *g)
{
    codec_json_begin_array(&g->w);
    codec_json_end_array(&g->w);
}

static void team_search(struct grafana *g)
{
    codec_json_begin_object(&g->w);
    codec_json_key(&g->w, SLICE("teams"));
    nothing(g);
    put_page(g, 0);
    codec_json_end_object(&g->w);
}

static void team_get(struct grafana *g)
{
    grafana__fail(g, 404, NULL, "Team not found");
}

static void user_teams(struct grafana *g)
{
    nothing(g);
}

static void put_token(struct grafana *g, const struct person *p)
{
    struct codec_json_writer *w = &g->w;
    codec_json_begin_object(w);
    codec_json_put_int(w, "id", p->id);
    codec_json_put_string(w, "uid", p->name);
    codec_json_put_string(w, "name", p->name);
    codec_json_put_string(w, "login", arena_printf(g->arena, "sa-%.*s", SLICE_FMT(p->name)));
    codec_json_put_int(w, "orgId", 1);
    codec_json_put_bool(w, "isDisabled", false);
    codec_json_put_string(w, "role", SLICE("Admin"));
    codec_json_put_int(w, "tokens", 1);
    codec_json_put_string(w, "avatarUrl", SLICE(""));
    codec_json_end_object(w);
}

static void account_search(struct grafana *g)
{
    person_list all = {0};
    find_people(g, &all);
    codec_json_begin_object(&g->w);
    codec_json_key(&g->w, SLICE("serviceAccounts"));
    codec_json_begin_array(&g->w);
    for (size_t i = 0; i < all.len; i++) {
        if (all.items[i].is_token)
            put_token(g, &all.items[i]);
    }
    codec_json_end_array(&g->w);
    put_page(g, count_of(&all, true));
    codec_json_end_object(&g->w);
    vec_free(&all);
}

static void account_get(struct grafana *g)
{
    person_list all = {0};
    bool found = false;
    find_people(g, &all);
    for (size_t i = 0; i < all.len && !found; i++) {
        found = all.items[i].is_token &&
                slice_eq(arena_printf(g->arena, "%lld", (long long)all.items[i].id),
                         grafana__arg(g, 0));
        if (found)
            put_token(g, &all.items[i]);
    }
    vec_free(&all);
    if (!found)
        grafana__fail(g, 404, NULL, "service account not found");
}

static void people_fixed(struct grafana *g)
{
    grafana__fail(g, 403, NULL,
                  "users and tokens are those of the settings auth.users and auth.tokens, each of "
                  "whom may do everything; there are no teams, roles and service accounts to make "
                  "or change");
}

/* --- permissions --- */

static bool is_there(struct grafana *g, bool folder)
{
    struct slice uid = grafana__arg(g, 0);
    struct store_folder f;
    struct store_dashboard d;
    if (folder && !grafana__folder_uid(uid).len)
        return true;
    int err = folder ? store_folder_get(g->catalog, uid, 0, g->arena, &f, &g->diag)
                     : store_dashboard_get(g->catalog, uid, 0, g->login, g->arena, &d, &g->diag);
    if (err)
        grafana__fail(g, err == ERR_NOT_FOUND ? 404 : 500, NULL,
                      folder ? "folder not found" : "Dashboard not found");
    return !err;
}

/* Everybody is an administrator, and that is all there is to say of a dashboard or folder. */
static void permissions_list(struct grafana *g)
{
    bool folder = slice_starts_with(g->call->path, SLICE("/api/folders"));
    if (!is_there(g, folder))
        return;
    codec_json_begin_array(&g->w);
    codec_json_begin_object(&g->w);
    codec_json_put_string(&g->w, "uid", grafana__arg(g, 0));
    codec_json_put_int(&g->w, "userId", 0);
    codec_json_put_string(&g->w, "userLogin", SLICE(""));
    codec_json_put_int(&g->w, "teamId", 0);
    codec_json_put_string(&g->w, "team", SLICE(""));
    codec_json_put_string(&g->w, "role", SLICE("Admin"));
    codec_json_put_int(&g->w, "permission", 4);
    codec_json_put_string(&g->w, "permissionName", SLICE("Admin"));
    codec_json_put_bool(&g->w, "inherited", false);
    codec_json_put_bool(&g->w, "isFolder", folder);
    codec_json_end_object(&g->w);
    codec_json_end_array(&g->w);
}

/* One that is kept and has no effect would be worse than none. */
static void permissions_fixed(struct grafana *g)
{
    grafana__fail(g, 403, NULL,
                  "permissions are not given one by one: every user of auth.users and every token "
                  "of auth.tokens may read and change all dashboards, and read the same data at "
                  "every other door; a public dashboard shows one to everybody else");
}

/* What may be done, and to what. */
static const struct {
    const char *action, *scope;
} rights[] = {{"annotations:create", "annotations:*"},
              {"annotations:delete", "annotations:*"},
              {"annotations:read", "annotations:*"},
              {"annotations:write", "annotations:*"},
              {"dashboards:create", "folders:*"},
              {"dashboards:delete", "dashboards:*"},
              {"dashboards:read", "dashboards:*"},
              {"dashboards:write", "dashboards:*"},
              {"dashboards.permissions:read", "dashboards:*"},
              {"dashboards.public:write", "dashboards:*"},
              {"datasources:explore", ""},
              {"datasources:query", "datasources:*"},
              {"datasources:read", "datasources:*"},
              {"folders:create", "folders:*"},
              {"folders:delete", "folders:*"},
              {"folders:read", "folders:*"},
              {"folders:write", "folders:*"},
              {"folders.permissions:read", "folders:*"},
              {"library.panels:create", "folders:*"},
              {"library.panels:delete", "folders:*"},
              {"library.panels:read", "folders:*"},
              {"library.panels:write", "folders:*"},
              {"org.users:read", "users:*"},
              {"orgs:read", ""},
              {"serviceaccounts:read", "serviceaccounts:*"},
              {"snapshots:create", ""},
              {"snapshots:delete", ""},
              {"snapshots:read", ""},
              {"teams:read", "teams:*"},
              {"users:read", "global.users:*"}};

static void user_permissions(struct grafana *g)
{
    codec_json_begin_object(&g->w);
    for (size_t i = 0; i < ARRAY_LEN(rights); i++) {
        codec_json_key(&g->w, slice_cstr(rights[i].action));
        codec_json_begin_array(&g->w);
        codec_json_string(&g->w, slice_cstr(rights[i].scope));
        codec_json_end_array(&g->w);
    }
    codec_json_end_object(&g->w);
}

static void user_actions(struct grafana *g)
{
    codec_json_begin_object(&g->w);
    for (size_t i = 0; i < ARRAY_LEN(rights); i++)
        codec_json_put_bool(&g->w, rights[i].action, true);
    codec_json_end_object(&g->w);
}

/* As a role's managed permission, which is how Terraform's provider reads them. */
static void resource_permissions(struct grafana *g)
{
    bool folder = slice_starts_with(g->call->path, SLICE("/api/access-control/folders"));
    const char *kind = folder ? "folders" : "dashboards";
    if (!is_there(g, folder))
        return;
    codec_json_begin_array(&g->w);
    codec_json_begin_object(&g->w);
    codec_json_put_int(&g->w, "id", 1);
    codec_json_put_string(&g->w, "roleName", SLICE("basic:admin"));
    codec_json_put_bool(&g->w, "isManaged", false);
    codec_json_put_bool(&g->w, "isInherited", false);
    codec_json_put_bool(&g->w, "isServiceAccount", false);
    codec_json_put_string(&g->w, "builtInRole", SLICE("Admin"));
    codec_json_key(&g->w, SLICE("actions"));
    codec_json_begin_array(&g->w);
    for (size_t i = 0; i < ARRAY_LEN(rights); i++) {
        if (slice_starts_with(slice_cstr(rights[i].action), slice_cstr(kind)))
            codec_json_string(&g->w, slice_cstr(rights[i].action));
    }
    codec_json_end_array(&g->w);
    codec_json_put_string(&g->w, "permission", SLICE("Admin"));
    codec_json_end_object(&g->w);
    codec_json_end_array(&g->w);
}

GRAFANA_HANDLER(user_list)
GRAFANA_HANDLER(user_search)
GRAFANA_HANDLER(user_find)
GRAFANA_HANDLER(org_users)
GRAFANA_HANDLER(team_search)
GRAFANA_HANDLER(team_get)
GRAFANA_HANDLER(user_teams)
GRAFANA_HANDLER(account_search)
GRAFANA_HANDLER(account_get)
GRAFANA_HANDLER(people_fixed)
GRAFANA_HANDLER(permissions_list)
GRAFANA_HANDLER(permissions_fixed)
GRAFANA_HANDLER(user_permissions)
GRAFANA_HANDLER(user_actions)
GRAFANA_HANDLER(resource_permissions)
