/* Columns made of lines that are not put together: for each shape the user says what they are of
 * its places, and how the texts in these have to be for that to be so. */
#include "store/event/scan_priv.h"
#include "store/event/split.h"

struct job {
    const struct scan__derive *what;
    struct store_column *lines;
    uint32_t template;
    /* The values of the template: their numbers in it, and rows of the chunk. */
    const uint32_t *ranks, *rows;
    size_t count;
    struct buf text;
};

static struct data_value value_of(const struct store_event_told *told, struct slice text)
{
    if (told->drop_null && slice_eq_cstr(text, "null")) {
        if (!told->null_empty)
            return (struct data_value){0};
        text = SLICE("");
    }
    if (told->drop_empty && !text.len)
        return (struct data_value){0};
    return data_value_string(text);
}

static int put_text(const struct job *j, const struct store_event_told *told, size_t i,
                    struct slice text, struct data_value *column)
{
    struct slice copy = slice_make(arena_dup(j->what->arena, text.ptr, text.len), text.len);
    column[j->rows[i]] = value_of(told, copy);
    return copy.ptr ? 0 : ERR_NOMEM;
}

/* A place with few different texts: each is copied once. */
static int put_dict(const struct job *j, const struct store_event_told *told,
                    const struct store_column *slot, struct data_value *column)
{
    struct data_value *dict = arena_alloc(j->what->arena, slot->dict_count * sizeof(*dict));
    for (uint32_t i = 0; dict && i < slot->dict_count; i++) {
        struct slice text = slot->dict[i].text;
        struct slice copy = slice_make(arena_dup(j->what->arena, text.ptr, text.len), text.len);
        if (!copy.ptr)
            return ERR_NOMEM;
        dict[i] = value_of(told, copy);
    }
    for (size_t i = 0; dict && i < j->count; i++)
        column[j->rows[i]] = dict[slot->ints ? slot->ints[j->ranks[i]] : 0];
    return dict ? 0 : ERR_NOMEM;
}

static int put_place(struct job *j, const struct store_event_told *told, struct store_column *slot,
                     struct data_value *column)
{
    int err = 0;
    if (slot->form == STORE_COLUMN_DICT)
        return put_dict(j, told, slot, column);
    for (size_t i = 0; i < j->count && !err; i++) {
        char text[STORE_STYLE_TEXT_MAX];
        if (slot->form == STORE_COLUMN_NUMBERS) {
            size_t len = store_style_print(slot->style, slot->param, slot->ints[j->ranks[i]], text);
            err = put_text(j, told, i, slice_make(text, len), column);
            continue;
        }
        buf_clear(&j->text);
        err = store_column_append(slot, j->ranks[i], &j->text);
        if (!err)
            err = put_text(j, told, i, buf_slice(&j->text), column);
    }
    return err;
}

static int put_column(struct job *j, const struct store_event_told *told, struct data_value *column)
{
    struct store_column *slots[STORE_SPLIT_SLOTS_MAX];
    bool fixed = true;
    int err = 0;
    if (!told->count)
        return 0;
    for (size_t k = 0; k < told->count; k++) {
        uint32_t place = told->parts[k].place;
        if (place == STORE_EVENT_NO_PLACE)
            continue;
        fixed = false;
        slots[place] = store__split_slot(j->lines, j->template, place);
        if (!slots[place])
            return ERR_CORRUPT;
    }
    if (told->count == 1 && !fixed)
        return put_place(j, told, slots[told->parts->place], column);
    for (size_t i = 0; i < j->count && !err; i++) {
        if (fixed && i) {
            column[j->rows[i]] = column[j->rows[0]];
            continue;
        }
        buf_clear(&j->text);
        for (size_t k = 0; k < told->count && !err; k++) {
            uint32_t place = told->parts[k].place;
            if (place == STORE_EVENT_NO_PLACE)
                buf_append_slice(&j->text, told->parts[k].text);
            else
                err = store_column_append(slots[place], j->ranks[i], &j->text);
        }
        if (!err)
            err = put_text(j, told, i, buf_slice(&j->text), column);
    }
    return err;
}

static int holds(struct job *j, const enum store_event_texts *texts, bool *out)
{
    uint32_t places = j->lines->split->templates[j->template].slots;
    int err = 0;
    *out = true;
    for (uint32_t k = 0; k < places && *out && !err; k++) {
        if (texts[k] == STORE_TEXTS_ANY)
            continue;
        struct store_column *slot = store__split_slot(j->lines, j->template, k);
        err = slot ? store_column_texts_are(slot, texts[k], out) : ERR_CORRUPT;
    }
    return err;
}

static int derive_template(struct job *j, struct arena *plans)
{
    const struct scan__derive *what = j->what;
    const struct store_split_template *t = &j->lines->split->templates[j->template];
    const struct store_event_shape shape = {t->pieces, t->slots};
    struct store_event_told *told = NULL;
    bool ok = false;
    int err = 0;
    for (unsigned attempt = 0; !ok && !err && t->slots; attempt++) {
        enum store_event_texts *texts = ARENA_ARRAY(plans, enum store_event_texts, t->slots);
        told = ARENA_ARRAY(plans, struct store_event_told, what->derive->count + 1);
        if (!what->derive->plan(what->derive->ctx, &shape, attempt, plans, texts, told))
            break;
        err = holds(j, texts, &ok);
    }
    if (err || !ok)
        return err;
    for (size_t d = 0; d < what->derive->count && !err; d++)
        err = put_column(j, &told[d], what->columns[d]);
    for (size_t i = 0; i < j->count && !err; i++)
        what->told[j->rows[i]] = true;
    return err;
}

int scan__derive(struct store_column *lines, const struct scan__derive *what)
{
    const struct store_split *s = lines->split;
    size_t count = what->count;
    uint32_t *ranks = mem_alloc((count + 1) * sizeof(*ranks)),
             *rows = mem_alloc((count + 1) * sizeof(*rows)),
             *ends = mem_calloc((size_t)s->template_count + 1, sizeof(*ends));
    struct arena *plans = arena_new(0, NULL); /* as small as shapes are */
    for (size_t i = 0; i < count; i++)
        ends[s->code ? s->code[what->values[i]] : 0]++;
    for (uint32_t t = 0, sum = 0; t < s->template_count; t++) {
        uint32_t n = ends[t];
        ends[t] = sum;
        sum += n;
    }
    for (size_t i = 0; i < count; i++) {
        uint32_t value = what->values[i], to = ends[s->code ? s->code[value] : 0]++;
        ranks[to] = s->rank ? s->rank[value] : value;
        rows[to] = what->rows[i];
    }
    int err = 0;
    struct job j = {.what = what, .lines = lines};
    for (uint32_t t = 0, begin = 0; t < s->template_count && !err; t++) {
        j.template = t;
        j.ranks = ranks + begin;
        j.rows = rows + begin;
        j.count = ends[t] - begin;
        if (j.count)
            err = derive_template(&j, plans);
        arena_reset(plans);
        begin = ends[t];
    }
    buf_deinit(&j.text);
    arena_free(plans);
    mem_free(ranks);
    mem_free(rows);
    mem_free(ends);
    return err;
}
