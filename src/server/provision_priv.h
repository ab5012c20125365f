/* What the files of provisioning share. */
#ifndef SERVER_PROVISION_PRIV_H
#define SERVER_PROVISION_PRIV_H

#include <pthread.h>

#include "api/api.h"
#include "base/map.h"
#include "base/vec.h"
#include "os/os.h"
#include "server/provision.h"

/* A folder of files. */
struct provider {
    char *name, *path, *folder, *folder_uid;
    bool allow_updates; /* changes in the UI are kept in the catalogue */
    bool write;         /* ... and written to the file */
    bool keep;          /* a dashboard whose file is gone stays */
    bool by_structure;  /* subfolders are folders */
    bool warned, scanned;
    struct map *files; /* by path below `path`: struct known_file */
    struct map *dirs;  /* by path below `path`: uid of the folder, a char * */
};

struct known_file {
    char *uid;
    uint64_t hash; /* of the content that was loaded or written */
    uint64_t size;
    int64_t mtime_ns;
    uint64_t round; /* last seen in */
};

struct server_provision {
    struct server_provision_env env;
    struct arena *arena; /* names and paths of providers */
    VEC(struct provider) providers;
    VEC(struct api_source_alias) sources; /* of data sources that Pharos answers for */
    bool shipped;
    pthread_t thread;
    bool started;
    /* Never held while the catalogue is called: its hook takes it. */
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool stop;
    uint64_t round;
    char origin[4200]; /* that the hook gave; valid while the catalogue's lock is held */
};

/* provision_yaml.c: <dir>/dashboards/ *.yaml and *.yml, as Grafana reads them. */
int provision__read_yaml(struct server_provision *p, const char *dir, struct diag *diag);
/* provision_files.c: one look at everything of a provider. */
void provision__scan(struct server_provision *p, struct provider *pr);
/* Whole file; ERR_TOO_LARGE above 64 MiB. */
int provision__read_file(struct os *os, const char *path, struct arena *arena, struct slice *out,
                         struct diag *diag);
/* The folder of that title (and uid, when not "") in `parent`, made when it is not there. */
int provision__folder(struct server_provision *p, struct slice parent, const char *title,
                      const char *uid, struct arena *arena, struct slice *out_uid,
                      struct diag *diag);
/* "file:NAME:PATH" taken apart; NULL when it is none of a provider that is there. */
struct provider *provision__of_origin(struct server_provision *p, struct slice origin,
                                      struct slice *out_path);

#endif
