/* What the files of this input share. Everything but `acked` belongs to the reading thread. */
#ifndef INPUT_FILES_FILES_PRIV_H
#define INPUT_FILES_FILES_PRIV_H

#include <pthread.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "base/counter.h"
#include "base/map.h"
#include "base/vec.h"
#include "codec/unpack.h"
#include "decode/logfile/logfile.h"
#include "input/files/files.h"
#include "pipe/kit.h"

#define FILES_PRINT_MAX 1024 /* first bytes that identify a file */
#define FILES_MARK_MAX  256  /* bytes before a position that show that it is still there */

/* --- config.c --- */

/* An entry of inputs.files. */
struct files_spec {
    struct slice *include, *exclude;
    size_t include_count, exclude_count;
    struct decode_logfile_rules rules;
    struct decode_multiline multiline; /* regex NULL: none */
    struct data_label *labels;
    size_t label_count;
    struct text_regex *path_regex; /* NULL: none; its named groups are labels */
    bool from_end;
    bool zone_is_local;
    int64_t partial_ns; /* 0: a last line without its end waits forever */
    uint64_t id;        /* of its include list: whether it was there before */
};

struct input_files_config {
    struct arena *arena;
    VEC(struct files_spec) specs;
};

bool files__spec_takes(const struct files_spec *spec, struct slice path);

/* --- positions.c --- */

/* The first bytes of a file, or those before a position. */
struct files_print {
    uint32_t len;
    uint64_t hash;
};

struct files_record {
    uint64_t dev, ino;
    int64_t birth_ns; /* 0: not known */
    struct files_print print;
    struct files_print mark; /* before `pos`; len 0: not known */
    uint64_t pos;            /* everything before is durable */
    bool is_gone;            /* the inode is not its any more */
    bool is_done;            /* an archive that was read */
    int64_t seen_ns;
    char *path, *stream_path; /* owned */
    unsigned format;          /* found, or 0 */
    uint64_t version;         /* of two of one file the greater one is right */
};
void files__record_encode(const struct files_record *r, struct buf *out);
bool files__record_decode(struct slice text, struct files_record *out);

struct files_positions {
    VEC(struct files_record) records;
    VEC(uint64_t) specs; /* ids that were there before */
};
void files__positions_free(struct files_positions *p);
void files__positions_encode(const struct files_positions *p, struct buf *out);
/* ERR_CORRUPT: `out` is empty then. */
int files__positions_decode(struct slice text, struct files_positions *out, struct diag *diag);
/* A missing file is an empty table. */
int files__positions_load(struct os *os, const char *dir, struct files_positions *out,
                          struct diag *diag);
int files__positions_save(struct os *os, const char *dir, const struct files_positions *p,
                          struct diag *diag);

/* --- notes.c: positions in the log of the store, with the lines --- */

struct files_tail;
struct input_files;
/* Says in the batch how far the file is read when its rows are durable. */
void files__note(const struct files_tail *t, struct data_event_batch *b, int64_t now_ns);
/* Brings f->old up to date with the sink's notes. ERR_AGAIN: it does not know them yet. */
int files__recall(struct input_files *f);

/* --- tail.c --- */

struct files_tail {
    const struct files_spec *spec;
    char *path;        /* where it was seen last; "" = nowhere */
    char *stream_path; /* what its label says: the name it was first seen by */
    uint64_t dev, ino;
    int64_t birth_ns;
    uint64_t size;
    int fd; /* -1: closed */

    enum codec_archive archive;
    struct codec_unpack *unpack;     /* of an archive that is open */
    struct buf plain;                /* of it, from pos on */
    uint64_t packed_at, unpacked_at; /* unpacked_at: the end of plain */
    bool is_done;                    /* an archive that was read */

    uint64_t pos;                   /* how far lines were taken */
    uint64_t committed;             /* how far they are durable */
    struct files_print print, mark; /* mark: before pos */
    struct files_print committed_mark;
    struct decode_logfile log;
    struct arena *arena; /* labels */

    bool is_listed;   /* waits to be read */
    bool is_busy;     /* a batch with its lines is under way */
    bool is_seen;     /* by the scan under way */
    bool is_detached; /* its path leads elsewhere, or is not included: goes when quiet */
    bool is_deleted;
    bool is_polled;             /* inotify does not tell of it */
    bool skips;                 /* the rest of a line that was cut */
    bool is_new;                /* nothing of it was read yet */
    bool starts_at_end;         /* when nothing is known of it */
    bool is_settled;            /* it is known where to begin */
    bool was_told;              /* that it cannot be read */
    bool is_ended;              /* its last lines are taken: it goes when they are durable */
    int64_t lost_ns;            /* since when it is detached or deleted */
    struct files_tail *copy_of; /* may be a copy that is about to go on with another's lines */
    int64_t waits_until_ns;     /* then it is no copy, or a whole archive */
    uint64_t waits_size;
    int64_t partial_since_ns; /* 0: there is no last line without an end */
    uint64_t partial_size;
    int64_t read_ns; /* last bytes */
    uint64_t safe;   /* while busy: what is committed when the batch is durable */
    struct files_print safe_mark;
    uint64_t version, safe_version; /* of what is committed, and then */

    struct counter lag, bytes; /* registered when label is not NULL */
    char *counter_label;
};

enum files_refusal {
    FILES_TOO_LONG,
    FILES_BAD_TIME,
    FILES_STORE,
    FILES_DAMAGED,
    FILES_REFUSAL_COUNT
};
enum { FILES_LINES, FILES_BYTES, FILES_TRUNCATED, FILES_ROTATED, FILES_ERRORS, FILES_COUNT };

/* A batch on its way to the disk. */
struct files_sent {
    struct input_files *files;
    struct pipe_kit *kit;
    VEC(struct files_tail *) tails;
    size_t rows;
    int err;
    size_t refused[PIPE_REFUSED_COUNT];
    struct files_sent *next;
};

struct input_files {
    struct input_env env;
    struct input_files_settings settings;
    char *dir, *hostname;
    struct input_files_config *config;
    struct files_positions old; /* of files that are not followed now */
    VEC(uint64_t) known_specs;

    pthread_t thread;
    int wake_fd, notify_fd;
    _Atomic bool stopping;

    VEC(struct files_tail *) tails;
    struct map *by_path;  /* -> tail */
    struct map *by_inode; /* dev and ino -> tail */
    VEC(struct files_tail *) listed;
    size_t open_count, counted;
    struct map *watches;    /* directory -> watch */
    VEC(char *) watch_dirs; /* by watch descriptor; owned, NULL where there is none */
    int64_t next_scan_ns, next_poll_ns, last_scan_ns;
    bool scanned; /* once */
    bool watch_failed;
    bool over_limit; /* limits.files.count was told */

    struct pipe_kits *kits;
    uint64_t serial;
    size_t in_flight;
    int64_t retry_ns, backoff_ns;
    bool positions_dirty;
    uint64_t version;     /* the greatest given to a position */
    VEC(char *) recalled; /* keys of notes that the table has now; owned */
    int64_t saved_ns;
    int32_t local_offset_s;

    pthread_mutex_t lock;
    struct files_sent *acked;
};

int64_t files__now(struct input_files *f);   /* since 1970 */
int64_t files__clock(struct input_files *f); /* monotonic */
void files__count_refused(enum files_refusal why, size_t n);
void files__count(int what, int64_t n);

/* A new one at `pos`, closed, in the maps and the list of those to be read. */
struct files_tail *files__tail_new(struct input_files *f, const struct files_spec *spec,
                                   const char *path, const char *stream_path, const struct stat *st,
                                   int64_t birth_ns);
void files__tail_free(struct input_files *f, struct files_tail *t);
/* Its label says another name from now on. Not while rows of it are in a batch. */
void files__tail_relabel(struct input_files *f, struct files_tail *t, const char *stream_path);
void files__tail_set_path(struct input_files *f, struct files_tail *t, const char *path);
/* Opens it, closing others over limits.files.open. False: it cannot be opened now. */
bool files__tail_open(struct input_files *f, struct files_tail *t);
void files__tail_close(struct input_files *f, struct files_tail *t);
/* To be read when its turn comes. */
void files__tail_list(struct input_files *f, struct files_tail *t);
/* Reads up to a share of lines into the batch. `last`: it ends here, so a line without an end is
 * one. True: there may be more. */
bool files__tail_read(struct input_files *f, struct files_tail *t, struct decode_logfile_out *out,
                      bool last);
/* Everything that is there was taken; as of the last look. */
bool files__tail_is_read(const struct files_tail *t);
/* Goes back to what is durable. */
void files__tail_rewind(struct files_tail *t);
/* Goes on at `pos` of a file that is known to hold what was read up to there. */
void files__tail_seek(struct input_files *f, struct files_tail *t, uint64_t pos,
                      struct files_print mark);
void files__tail_show_lag(struct files_tail *t);

/* Reads on over short reads; < 0: errno. */
ssize_t files__read_at(int fd, char *to, size_t len, uint64_t at);
/* First bytes (of an archive: decompressed) of a file; up to FILES_PRINT_MAX into `out`. */
size_t files__begin_of(int fd, enum codec_archive archive, char *out);
struct files_print files__print_of(struct slice bytes);
bool files__print_matches(struct files_print print, struct slice begin);
/* The bytes before `pos` are the mark's. */
bool files__mark_matches(int fd, uint64_t pos, struct files_print mark);
struct files_print files__mark_at(int fd, uint64_t pos);
int64_t files__birth_ns(const char *path, int fd);
/* "/var/log" of "/var/log/a"; "." of "a". */
struct slice files__dir_of(const char *path);

/* --- find.c --- */

/* Looks at all globs and all files: new ones, renamed ones, those that are gone. */
void files__scan(struct input_files *f);
/* What inotify tells. */
void files__take_events(struct input_files *f);
/* The file was written over from its begin: looks for a copy that holds what was not read. */
void files__truncated(struct input_files *f, struct files_tail *t, struct decode_logfile_out *out);
/* Keeps in mind how far a file was read that is not followed any more. */
void files__remember(struct input_files *f, const struct files_tail *t, bool is_gone);

/* --- settle.c --- */

/* Decides where a new file begins (a known one, a copy, an archive of one). False: it waits on. */
bool files__settle(struct input_files *f, struct files_tail *t);
struct files_record files__record_of(const struct files_tail *t, int64_t now_ns);

#endif
