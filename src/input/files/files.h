/* Log files: found by globs, followed over rotation (by rename, by copytruncate), restarts and
 * compression, read into the sink.
 *
 * Where reading is to go on is noted in the batch with the lines (data_event_batch_note), so that a
 * store has both or neither, and then kept in <data>/files/positions: each line is there once, also
 * after a crash. With a sink that keeps no notes some may come twice then. A file is known again by
 * device, inode and birth, and by its first bytes (up to 1,024) and those before the position, so
 * that a renamed, copied or compressed one goes on where it was and one that was written over
 * begins anew.
 *
 * A full disk or a busy store stops the reading; nothing is dropped. One thread reads all files;
 * inotify tells it of changes, and a poll what inotify cannot. Counters: pharos_files_*. */
#ifndef INPUT_FILES_FILES_H
#define INPUT_FILES_FILES_H

#include "input/input.h"
#include "text/yaml.h"

struct input_files_config; /* a parsed list; immutable */
struct input_files;

/* The section inputs.files (NULL or null: an empty list). Texts are copied. ERR_INVALID with line
 * and column of what is wrong. */
int input_files_config_parse(const struct text_yaml *list, struct input_files_config **out,
                             struct diag *diag);
size_t input_files_config_count(const struct input_files_config *config);
void input_files_config_free(struct input_files_config *config); /* NULL is fine */

struct input_files_settings {
    const char *dir;      /* for the positions; made when missing */
    const char *hostname; /* label host_name */
    size_t line_bytes_max;
    int64_t future_ns; /* times further ahead are replaced by the time of reading */
    size_t open_max, files_max;
    bool watch; /* with inotify */
    int64_t poll_ns, scan_ns;
};

/* Takes the configuration over, also on an error. ERR_IO, ERR_CORRUPT...: the positions cannot be
 * read. */
int input_files_start(const struct input_env *env, const struct input_files_settings *settings,
                      struct input_files_config *config, struct input_files **out,
                      struct diag *diag);
/* Waits for what is under way to be durable, saves the positions, frees. NULL is fine. */
void input_files_stop(struct input_files *files);

#endif
