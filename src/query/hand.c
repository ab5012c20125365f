#include "query/hand.h"

#include "base/mem.h"
#include "query/plain.h"

struct query__hand {
    struct query_exec x; /* the run, but for what is written */
    struct diag diag;
};

struct query__hand *query__hand_new(const struct query_exec *x)
{
    struct query__hand *h = mem_calloc(1, sizeof(*h));
    h->x = (struct query_exec){.plan = x->plan,
                               .env = x->env,
                               .arena = arena_new(0, x->env->memory),
                               .diag = &h->diag,
                               .steps = x->steps,
                               .step_count = x->step_count};
    return h;
}

void query__hand_free(struct query__hand *h)
{
    if (!h)
        return;
    vec_free(&h->x.warnings);
    vec_free(&h->x.infos);
    arena_free(h->x.arena);
    mem_free(h);
}

size_t query__hand_bytes(const struct query__hand *h)
{
    return arena_size(h->x.arena);
}

void query__hand_forget(struct query__hand *h)
{
    arena_reset(h->x.arena);
}

int query__hand_leave(struct query__hand *h, struct query_exec *x)
{
    if (!arena_join(x->arena, h->x.arena))
        return query__no_memory(x);
    h->x.arena = arena_new(0, x->env->memory);
    return 0;
}

/* What was said since the last row. */
static int take_notes(struct query__hand *h, struct query__slot *slot)
{
    struct query_exec *x = &h->x;
    slot->notes = NULL;
    if (!x->warnings.len && !x->infos.len)
        return 0;
    struct query__notes *notes = ARENA_NEW(x->arena, struct query__notes);
    if (!notes)
        return query__no_memory(x);
    *notes = (struct query__notes){
        .warnings =
            arena_dup(x->arena, x->warnings.items, x->warnings.len * sizeof(*x->warnings.items)),
        .infos = arena_dup(x->arena, x->infos.items, x->infos.len * sizeof(*x->infos.items)),
        .warning_count = x->warnings.len,
        .info_count = x->infos.len};
    vec_clear(&x->warnings);
    vec_clear(&x->infos);
    slot->notes = notes;
    return notes->warnings && notes->infos ? 0 : query__no_memory(x);
}

int query__hand_row(struct query__hand *h, const struct query__scan *s,
                    struct store_samples *samples, struct query__slot *slot, struct diag *diag)
{
    const struct query_node *n = s->node;
    struct query_exec *x = &h->x;
    struct query_row row = {.labels =
                                x->env->source->ops->selection_labels(s->selection, slot->series),
                            .value = slot->row.value,
                            .has = slot->row.has};
    memset(row.has, 0, x->step_count);
    diag_init(&h->diag);
    int err = query__plain_row(x, n, s->params, samples, &row, &slot->samples);
    if (!err)
        err = take_notes(h, slot);
    if (err)
        *diag = h->diag;
    slot->histogram = row.histogram;
    slot->row.lo = 0;
    slot->row.hi = x->step_count;
    slot->row.all = false;
    return err;
}

void query__notes_tell(struct query_exec *x, const struct query__notes *notes)
{
    for (size_t i = 0; notes && i < notes->warning_count; i++)
        query__note(x, true, notes->warnings[i]);
    for (size_t i = 0; notes && i < notes->info_count; i++)
        query__note(x, false, notes->infos[i]);
}
