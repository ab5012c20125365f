/* systemd's journal, read through libsystemd into the sink.
 *
 * An entry is a row: MESSAGE is the line, PRIORITY the level, the time that of the entry; labels
 * are host_name (_HOSTNAME), service_name (the unit without .service, else the identifier, else the
 * command) and systemd_unit; all other fields are attributes in lower case without leading
 * underscores, as `pid`, `uid`, `transport`, `code_file`.
 *
 * The cursor behind which reading goes on is kept in <data>/journal/cursor, written only once what
 * is before it is durable: after a crash some entries may come twice, none is missed. A full disk
 * or a busy store stops the reading; nothing is dropped. One thread of its own. Counters:
 * pharos_journal_*. */
#ifndef INPUT_JOURNAL_JOURNAL_H
#define INPUT_JOURNAL_JOURNAL_H

#include "input/input.h"
#include "text/yaml.h"

struct input_journal_config;
struct input_journal;

/* The section inputs.journal: true, or a map. NULL, null or false: *out is NULL. ERR_INVALID with
 * line and column. */
int input_journal_config_parse(const struct text_yaml *node, struct input_journal_config **out,
                               struct diag *diag);
void input_journal_config_free(struct input_journal_config *config); /* NULL is fine */

struct input_journal_settings {
    const char *dir; /* for the cursor; made when missing */
    size_t line_bytes_max, field_bytes_max;
};

/* Takes the configuration over, also on an error. A journal that is not there (yet) is no error: it
 * is looked for again. */
int input_journal_start(const struct input_env *env, const struct input_journal_settings *settings,
                        struct input_journal_config *config, struct input_journal **out,
                        struct diag *diag);
/* Waits for what is under way to be durable, saves the cursor, frees. NULL is fine. */
void input_journal_stop(struct input_journal *journal);

#endif
