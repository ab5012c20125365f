/* Times in templates. A time is a map without keys: what it is lies behind `opaque`. */
#include "codec/number.h"
#include "lang/logql/template_functions.h"
#include "text/go_time.h"

static int time_method(struct text_template_call *call, const struct text_template_value *self,
                       struct slice name, const struct text_template_value *args, size_t count,
                       struct text_template_value *out, struct diag *diag);

/* What a time prints as is kept in its type, which is therefore its own. */
static int give_time(struct text_template_call *call, struct text_go_time t,
                     struct text_template_value *out)
{
    struct text_go_time *copy = arena_dup(call->arena, &t, sizeof(t));
    struct text_template_type *type = ARENA_NEW(call->arena, struct text_template_type);
    struct buf text = {0};
    text_go_time_format(t, SLICE("2006-01-02 15:04:05.999999999 -0700 MST"), &text);
    *type = (struct text_template_type){.name = "time.Time",
                                        .is_struct = true,
                                        .print = arena_strdup(call->arena, buf_cstr(&text)),
                                        .method = time_method};
    buf_deinit(&text);
    *out = (struct text_template_value){.kind = TEXT_TEMPLATE_MAP, .type = type, .opaque = copy};
    return 0;
}

static bool is_time(const struct text_template_value *v)
{
    return v->kind == TEXT_TEMPLATE_MAP && v->type && v->type->method == time_method;
}

static int give_text(struct text_template_call *call, struct buf *text,
                     struct text_template_value *out)
{
    *out = text_template_string(arena_slice(call->arena, buf_slice(text)));
    buf_deinit(text);
    return 0;
}

static int time_method(struct text_template_call *call, const struct text_template_value *self,
                       struct slice name, const struct text_template_value *args, size_t count,
                       struct text_template_value *out, struct diag *diag)
{
    const struct text_go_time *t = self->opaque;
    struct text_go_date d;
    struct buf text = {0};
    text_go_time_date(*t, &d);
    const struct {
        const char *name;
        int64_t value;
    } numbers[] = {{"Unix", (t->ns - d.nanosecond) / NS_PER_SEC},
                   {"UnixMilli", (t->ns - d.nanosecond) / NS_PER_MS + d.nanosecond / NS_PER_MS},
                   {"UnixMicro", (t->ns - d.nanosecond) / NS_PER_US + d.nanosecond / NS_PER_US},
                   {"UnixNano", t->ns},
                   {"Year", d.year},
                   {"Day", d.day},
                   {"Hour", d.hour},
                   {"Minute", d.minute},
                   {"Second", d.second},
                   {"Nanosecond", d.nanosecond},
                   {"YearDay", d.yearday}};
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
        if (slice_eq_cstr(name, numbers[i].name)) {
            *out = text_template_int(numbers[i].value);
            return 0;
        }
    }
    if (slice_eq_cstr(name, "UTC") || slice_eq_cstr(name, "Local"))
        return give_time(call, (struct text_go_time){t->ns, 0}, out);
    const char *layout = slice_eq_cstr(name, "Month")     ? "January"
                         : slice_eq_cstr(name, "Weekday") ? "Monday"
                         : slice_eq_cstr(name, "String") ? "2006-01-02 15:04:05.999999999 -0700 MST"
                                                         : NULL;
    if (layout) {
        text_go_time_format(*t, slice_cstr(layout), &text);
        return give_text(call, &text, out);
    }
    if (!slice_eq_cstr(name, "Format"))
        return ERR_NOT_FOUND;
    if (count != 1 || args[0].kind != TEXT_TEMPLATE_STRING)
        return diag_set(diag, ERR_INVALID, "wrong number of args for Format: want 1 got %zu",
                        count);
    text_go_time_format(*t, args[0].string, &text);
    return give_text(call, &text, out);
}

/* A time, or seconds since 1970. */
static struct text_go_time time_of(const struct text_template_value *v)
{
    if (is_time(v))
        return *(const struct text_go_time *)v->opaque;
    int64_t s = logql__to_int(v);
    return (struct text_go_time){CLAMP(s, -9000000000, 9000000000) * NS_PER_SEC, 0};
}

static int give_number_text(struct text_template_call *call, int64_t v,
                            struct text_template_value *out)
{
    struct buf text = {0};
    codec_append_int(&text, v);
    return give_text(call, &text, out);
}

static int64_t floor_div(int64_t v, int64_t by)
{
    return v / by - (v % by < 0);
}

LOGQL__FUNCTION(logql__unix_epoch)
{
    return give_number_text(call, floor_div(time_of(a).ns, NS_PER_SEC), out);
}

LOGQL__FUNCTION(logql__unix_epoch_millis)
{
    return give_number_text(call, floor_div(time_of(a).ns, NS_PER_MS), out);
}

LOGQL__FUNCTION(logql__unix_epoch_nanos)
{
    return give_number_text(call, time_of(a).ns, out);
}

/* Days, seconds, ms, us or ns since 1970, told apart by how many digits there are. */
LOGQL__FUNCTION(logql__unix_to_time)
{
    static const struct {
        size_t digits;
        int64_t unit_ns;
    } kinds[] = {
        {5, 86400 * NS_PER_SEC}, {10, NS_PER_SEC}, {13, NS_PER_MS}, {16, NS_PER_US}, {19, 1}};
    int64_t v = 0, ns;
    if (codec_text_to_int(a->string, &v)) {
        for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
            if (a->string.len == kinds[i].digits &&
                !__builtin_mul_overflow(v, kinds[i].unit_ns, &ns))
                return give_time(call, (struct text_go_time){ns, 0}, out);
        }
    }
    return diag_set(diag, ERR_INVALID, "unable to parse time '%.*s'", SLICE_FMT(a->string));
}

LOGQL__FUNCTION(logql__to_date)
{
    struct text_go_time t;
    if (text_go_time_parse(a[0].string, a[1].string, 0, &t, NULL))
        t = (struct text_go_time){0, 0}; /* sprig's toDate has no errors */
    return give_time(call, t, out);
}

LOGQL__FUNCTION(logql__to_date_in_zone)
{
    struct text_go_time t, other;
    const struct text_zone *zone;
    int32_t offset;
    int err = 0;
    if (text_go_zone_parse(a[1].string, &offset)) {
        err = text_go_time_parse(a[0].string, a[2].string, offset, &t, diag);
        return err ? err : give_time(call, t, out);
    }
    if (logql_line_zone(call->ctx, a[1].string, &zone, NULL))
        return diag_set(diag, ERR_INVALID, "unknown time zone %.*s", SLICE_FMT(a[1].string));
    if ((err = text_go_time_parse(a[0].string, a[2].string, 0, &t, diag)) ||
        (err = text_go_time_parse(a[0].string, a[2].string, 3600, &other, diag)))
        return err;
    if (t.ns != other.ns) { /* the text names no zone itself */
        int64_t local_s = floor_div(t.ns, NS_PER_SEC), utc_s = text_zone_to_utc(zone, local_s);
        t.offset_s = text_zone_at(zone, utc_s).offset_s;
        t.ns -= (local_s - utc_s) * NS_PER_SEC;
    }
    return give_time(call, t, out);
}

LOGQL__FUNCTION(logql__date)
{
    struct buf text = {0};
    text_go_time_format(time_of(&a[1]), a[0].string, &text);
    return give_text(call, &text, out);
}

LOGQL__FUNCTION(logql__now)
{
    const struct logql_line *l = call->ctx;
    return give_time(call, (struct text_go_time){l->now_ns, 0}, out);
}

LOGQL__FUNCTION(logql__timestamp)
{
    const struct logql_line *l = call->ctx;
    return give_time(call, (struct text_go_time){l->ts_ns, 0}, out);
}
