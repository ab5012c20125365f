/* A snapshot of everything that a data directory holds for good: the store's parts, the catalogue,
 * and the rules given over HTTP. What waits in an output's queue is not in it. */
#include <stdio.h>

#include "base/mem.h"
#include "base/vec.h"
#include "server/serve.h"

#define DEPTH_MAX 8 /* of the folders of rules */

typedef VEC(char *) name_list;

static void on_name(const char *name, void *ctx)
{
    name_list *names = ctx;
    if (strcmp(name, ".") != 0 && strcmp(name, "..") != 0)
        vec_push(names, mem_strdup(name));
}

static void free_names(name_list *names)
{
    for (size_t i = 0; i < names->len; i++)
        mem_free(names->items[i]);
    vec_free(names);
}

static void remove_tree(struct os *os, const char *dir, int depth)
{
    name_list names = {0};
    if (depth > DEPTH_MAX || os->ops->list(os, dir, on_name, &names, NULL)) {
        free_names(&names);
        return;
    }
    for (size_t i = 0; i < names.len; i++) {
        char path[4700];
        struct os_stat st;
        snprintf(path, sizeof(path), "%s/%s", dir, names.items[i]);
        if (!os->ops->stat(os, path, &st, NULL) && st.is_dir)
            remove_tree(os, path, depth + 1);
        else
            os->ops->unlink(os, path, NULL);
    }
    free_names(&names);
    os->ops->rmdir(os, dir, NULL);
}

/* Files are replaced as a whole and never written to: a link keeps what was. */
static int link_tree(struct os *os, const char *from, const char *to, int depth, struct diag *diag)
{
    name_list names = {0};
    int err = os->ops->mkdir(os, to, diag);
    if (!err)
        err = os->ops->list(os, from, on_name, &names, diag);
    for (size_t i = 0; i < names.len && !err && depth < DEPTH_MAX; i++) {
        char source[4700], target[4700];
        struct os_stat st;
        snprintf(source, sizeof(source), "%s/%s", from, names.items[i]);
        snprintf(target, sizeof(target), "%s/%s", to, names.items[i]);
        if (os->ops->stat(os, source, &st, NULL))
            continue; /* just replaced or deleted: the snapshot is of before or after */
        err = st.is_dir ? link_tree(os, source, target, depth + 1, diag)
                        : os->ops->link(os, source, target, diag);
        if (err == ERR_NOT_FOUND)
            err = 0;
    }
    free_names(&names);
    return err ? err : os->ops->sync_dir(os, to, diag);
}

static int add(void *ctx, const char *dir, struct diag *diag)
{
    struct server *s = ctx;
    char from[4700], to[4700];
    struct os_stat st;
    snprintf(from, sizeof(from), "%s/rules", s->data_dir);
    snprintf(to, sizeof(to), "%s/rules", dir);
    int err = s->os->ops->stat(s->os, from, &st, NULL) ? 0 : link_tree(s->os, from, to, 0, diag);
    if (!err && s->catalog)
        err = store_catalog_copy(s->catalog, dir, diag);
    if (err)
        remove_tree(s->os, to, 0);
    return err;
}

int server_snapshot(struct server *s, bool with_head, char *out_name, size_t out_size,
                    struct diag *diag)
{
    return store_snapshot_with(s->store, with_head, add, s, out_name, out_size, diag);
}
