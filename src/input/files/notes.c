/* How far a file was read is written into the log of the store in one record with the lines read:
 * after a crash none of them is missing and none comes twice. The table of positions follows later.
 */
#include <stdio.h>

#include "base/log.h"
#include "input/files/files_priv.h"

#define PREFIX "files/"

void files__note(const struct files_tail *t, struct data_event_batch *b, int64_t now_ns)
{
    struct files_record r = files__record_of(t, now_ns);
    struct buf value = {0};
    char key[100];
    int len = snprintf(key, sizeof(key), PREFIX "%llx/%llx/%llx", (unsigned long long)t->dev,
                       (unsigned long long)t->ino, (unsigned long long)t->birth_ns);
    r.pos = t->safe;
    r.mark = t->safe_mark;
    r.version = t->safe_version;
    r.is_done = false; /* an archive that is read is said to be once nothing of it is under way */
    files__record_encode(&r, &value);
    data_event_batch_note(b, slice_make(key, (size_t)len), buf_slice(&value));
    buf_deinit(&value);
}

static void free_texts(struct files_record *r)
{
    mem_free(r->path);
    mem_free(r->stream_path);
}

/* The note's record takes the place of an older one of the file. */
static void merge(struct input_files *f, struct files_record *r)
{
    f->version = MAX(f->version, r->version);
    for (size_t i = 0; i < f->old.records.len; i++) {
        struct files_record *o = &f->old.records.items[i];
        if (o->dev != r->dev || o->ino != r->ino || o->birth_ns != r->birth_ns)
            continue;
        if (o->version >= r->version) {
            free_texts(r);
            return;
        }
        r->is_gone = o->is_gone;
        free_texts(o);
        *o = *r;
        return;
    }
    vec_push(&f->old.records, *r);
}

int files__recall(struct input_files *f)
{
    struct arena *arena;
    struct data_event_note *notes;
    size_t count;
    if (!f->env.sink->notes)
        return 0;
    arena = arena_new(0, NULL);
    int err = f->env.sink->notes(f->env.sink, SLICE(PREFIX), arena, &notes, &count);
    for (size_t i = 0; i < count && !err; i++) {
        struct files_record r = {0};
        if (files__record_decode(notes[i].value, &r))
            merge(f, &r);
        else
            free_texts(&r);
        char *key = mem_alloc(notes[i].key.len + 1);
        memcpy(key, notes[i].key.ptr, notes[i].key.len);
        key[notes[i].key.len] = 0;
        vec_push(&f->recalled, key);
    }
    arena_free(arena);
    if (err && err != ERR_AGAIN)
        LOG_ERROR("files", "what the store noted of positions cannot be read: lines may come twice",
                  LOG_STR("error", err_name(err)));
    return err;
}
