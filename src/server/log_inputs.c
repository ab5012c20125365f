#include "server/log_inputs.h"

#include <stdio.h>

#include "base/log.h"
#include "base/mem.h"
#include "input/files/files.h"
#include "input/forward/forward.h"
#include "input/gelf/gelf.h"
#include "input/journal/journal.h"
#include "input/lumberjack/lumberjack.h"
#include "input/syslog/syslog.h"

struct server_log_inputs {
    struct input_env env;
    char *files_dir, *journal_dir, *hostname;
    struct input_syslog *syslog; /* these: NULL when their door is closed */
    struct input_gelf *gelf;
    struct input_forward *forward;
    struct input_lumberjack *lumberjack;
    struct input_files *files;     /* NULL: there are none to follow */
    struct input_journal *journal; /* NULL: not read */
};

/* --- what reads: files and the journal --- */

struct readers {
    struct input_files_config *files;
    struct input_journal_config *journal;
};

static void free_readers(struct readers *r)
{
    input_files_config_free(r->files);
    input_journal_config_free(r->journal);
    *r = (struct readers){0};
}

static int parse_readers(const struct server_config *config, struct readers *out, struct diag *diag)
{
    *out = (struct readers){0};
    int err = input_files_config_parse(config->log_files, &out->files, diag);
    if (!err)
        err = input_journal_config_parse(config->journal, &out->journal, diag);
    if (err && diag && !diag->file[0] && config->file)
        diag_set_file(diag, config->file);
    if (err)
        free_readers(out);
    return err;
}

/* Takes what `r` holds over. */
static int start_readers(struct server_log_inputs *in, const struct server_config *config,
                         struct readers *r, struct diag *diag)
{
    struct input_files_settings files = {.dir = in->files_dir,
                                         .hostname = in->hostname,
                                         .line_bytes_max = (size_t)config->line_bytes_max,
                                         .future_ns = config->future_ns,
                                         .open_max = (size_t)config->files_open,
                                         .files_max = (size_t)config->files_count,
                                         .watch = config->files_watch,
                                         .poll_ns = config->files_poll_ns,
                                         .scan_ns = config->files_scan_ns};
    struct input_journal_settings journal = {.dir = in->journal_dir,
                                             .line_bytes_max = (size_t)config->line_bytes_max,
                                             .field_bytes_max = (size_t)config->field_bytes_max};
    int err = 0;
    if (input_files_config_count(r->files)) {
        err = input_files_start(&in->env, &files, r->files, &in->files, diag);
        r->files = NULL;
    }
    if (!err && r->journal) {
        err = input_journal_start(&in->env, &journal, r->journal, &in->journal, diag);
        r->journal = NULL;
    }
    free_readers(r);
    return err;
}

static void stop_readers(struct server_log_inputs *in)
{
    input_files_stop(in->files);
    input_journal_stop(in->journal);
    in->files = NULL;
    in->journal = NULL;
}

int server_log_inputs_check(const struct server_config *config, struct diag *diag)
{
    struct readers readers;
    int err = parse_readers(config, &readers, diag);
    free_readers(&readers);
    return err;
}

/* --- what listens --- */

/* A door's own settings; `tls` is used when it has a certificate. */
static const struct net_tls_config *tls_of(const struct server_door_config *door,
                                           struct net_tls_config *tls)
{
    *tls = (struct net_tls_config){door->tls_cert_file, door->tls_key_file,
                                   door->tls_client_ca_file[0] ? door->tls_client_ca_file : NULL};
    return door->tls_cert_file[0] ? tls : NULL;
}

static void opened(struct server_doors *doors, const struct server_config *config,
                   enum server_door_id id, int err, uint16_t port, const struct diag *why)
{
    const char *listen = config->doors[id].listen;
    if (err)
        server_doors_set(doors, id, API_DOOR_FAILED, listen, why->msg);
    else
        server_doors_opened(doors, id, listen, port);
}

static void start_listeners(struct server_log_inputs *in, const struct server_config *config,
                            struct server_doors *doors)
{
    struct net_tls_config tls;
    struct diag why;
    if (server_doors_wants(config, SERVER_DOOR_SYSLOG)) {
        const struct server_door_config *door = &config->doors[SERVER_DOOR_SYSLOG];
        struct input_syslog_config c = {.name = server_doors[SERVER_DOOR_SYSLOG].name,
                                        .listen = door->listen,
                                        .tls = tls_of(door, &tls),
                                        .message_bytes_max = (size_t)config->line_bytes_max,
                                        .zone = config->syslog_zone};
        diag_init(&why);
        int err = input_syslog_start(&in->env, &c, &in->syslog, &why);
        opened(doors, config, SERVER_DOOR_SYSLOG, err, err ? 0 : input_syslog_port(in->syslog),
               &why);
    }
    if (server_doors_wants(config, SERVER_DOOR_GELF)) {
        const struct server_door_config *door = &config->doors[SERVER_DOOR_GELF];
        struct input_gelf_config c = {.name = server_doors[SERVER_DOOR_GELF].name,
                                      .listen = door->listen,
                                      .tls = tls_of(door, &tls),
                                      .message_bytes_max = (size_t)config->gelf_message_bytes,
                                      .chunk_bytes_max = (size_t)config->gelf_chunk_memory};
        diag_init(&why);
        int err = input_gelf_start(&in->env, &c, &in->gelf, &why);
        opened(doors, config, SERVER_DOOR_GELF, err, err ? 0 : input_gelf_port(in->gelf), &why);
    }
    if (server_doors_wants(config, SERVER_DOOR_FORWARD)) {
        const struct server_door_config *door = &config->doors[SERVER_DOOR_FORWARD];
        struct input_forward_config c = {.name = server_doors[SERVER_DOOR_FORWARD].name,
                                         .listen = door->listen,
                                         .tls = tls_of(door, &tls),
                                         .shared_key = config->forward_shared_key,
                                         .hostname = in->hostname,
                                         .message_bytes_max =
                                             (size_t)config->forward_message_bytes};
        diag_init(&why);
        int err = input_forward_start(&in->env, &c, &in->forward, &why);
        opened(doors, config, SERVER_DOOR_FORWARD, err, err ? 0 : input_forward_port(in->forward),
               &why);
    }
    if (server_doors_wants(config, SERVER_DOOR_LUMBERJACK)) {
        const struct server_door_config *door = &config->doors[SERVER_DOOR_LUMBERJACK];
        struct input_lumberjack_config c = {.name = server_doors[SERVER_DOOR_LUMBERJACK].name,
                                            .listen = door->listen,
                                            .tls = tls_of(door, &tls),
                                            .frame_bytes_max =
                                                (size_t)config->lumberjack_frame_bytes};
        diag_init(&why);
        int err = input_lumberjack_start(&in->env, &c, &in->lumberjack, &why);
        opened(doors, config, SERVER_DOOR_LUMBERJACK, err,
               err ? 0 : input_lumberjack_port(in->lumberjack), &why);
    }
}

static void told(enum server_door_id id, int err, const struct diag *why)
{
    if (err)
        LOG_ERROR("server", "certificates not reloaded, the old ones stay in use",
                  LOG_STR("door", server_doors[id].name), LOG_STR("error", why->msg));
}

static void reload_tls(struct server_log_inputs *in, const struct server_config *config)
{
    struct diag why[4];
    for (size_t i = 0; i < ARRAY_LEN(why); i++)
        diag_init(&why[i]);
    if (in->syslog && config->doors[SERVER_DOOR_SYSLOG].tls_cert_file[0])
        told(SERVER_DOOR_SYSLOG, input_syslog_reload_tls(in->syslog, &why[0]), &why[0]);
    if (in->gelf && config->doors[SERVER_DOOR_GELF].tls_cert_file[0])
        told(SERVER_DOOR_GELF, input_gelf_reload_tls(in->gelf, &why[1]), &why[1]);
    if (in->forward && config->doors[SERVER_DOOR_FORWARD].tls_cert_file[0])
        told(SERVER_DOOR_FORWARD, input_forward_reload_tls(in->forward, &why[2]), &why[2]);
    if (in->lumberjack && config->doors[SERVER_DOOR_LUMBERJACK].tls_cert_file[0])
        told(SERVER_DOOR_LUMBERJACK, input_lumberjack_reload_tls(in->lumberjack, &why[3]), &why[3]);
}

/* --- life --- */

int server_log_inputs_start(const struct input_env *env, const struct server_config *config,
                            const char *data_dir, const char *hostname, struct server_doors *doors,
                            struct server_log_inputs **out, struct diag *diag)
{
    struct server_log_inputs *in = mem_calloc(1, sizeof(*in));
    struct readers readers;
    char dir[4200];
    in->env = *env;
    in->hostname = mem_strdup(hostname);
    snprintf(dir, sizeof(dir), "%s/files", data_dir);
    in->files_dir = mem_strdup(dir);
    snprintf(dir, sizeof(dir), "%s/journal", data_dir);
    in->journal_dir = mem_strdup(dir);
    *out = NULL;
    int err = parse_readers(config, &readers, diag);
    if (!err)
        err = start_readers(in, config, &readers, diag);
    if (err) {
        server_log_inputs_stop(in);
        return err;
    }
    start_listeners(in, config, doors);
    *out = in;
    return 0;
}

int server_log_inputs_reload(struct server_log_inputs *in, const struct server_config *config,
                             struct diag *diag)
{
    struct readers readers;
    int err = parse_readers(config, &readers, diag);
    if (err)
        return err;
    reload_tls(in, config);
    /* Positions are kept, so that the new ones go on where the old ones end. */
    stop_readers(in);
    return start_readers(in, config, &readers, diag);
}

void server_log_inputs_stop(struct server_log_inputs *in)
{
    if (!in)
        return;
    input_syslog_stop(in->syslog);
    input_gelf_stop(in->gelf);
    input_forward_stop(in->forward);
    input_lumberjack_stop(in->lumberjack);
    stop_readers(in);
    mem_free(in->files_dir);
    mem_free(in->journal_dir);
    mem_free(in->hostname);
    mem_free(in);
}
