#include "text/zone.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "text/go_time.h"

#define FILE_MAX (1 << 20)

struct kind {
    int32_t offset_s;
    bool is_dst;
    uint8_t name;
};

struct text_zone {
    int64_t *at; /* when kind[to[i]] begins, ascending */
    uint8_t *to;
    size_t count;
    struct kind *kinds; /* the first one holds before all changes */
    size_t kind_count;
    char names[256]; /* NUL-terminated ones, at kind.name */
};

void text_zone_free(struct text_zone *z)
{
    if (!z)
        return;
    mem_free(z->at);
    mem_free(z->to);
    mem_free(z->kinds);
    mem_free(z);
}

static uint64_t big_endian(const char *p, size_t bytes)
{
    uint64_t v = 0;
    for (size_t i = 0; i < bytes; i++)
        v = v << 8 | (unsigned char)p[i];
    return v;
}

struct header {
    uint32_t utc, std, leap, times, kinds, chars;
    char version;
};

static bool read_header(struct slice s, struct header *h)
{
    if (s.len < 44 || memcmp(s.ptr, "TZif", 4) != 0)
        return false;
    h->version = s.ptr[4];
    uint32_t *fields[] = {&h->utc, &h->std, &h->leap, &h->times, &h->kinds, &h->chars};
    for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
        *fields[i] = (uint32_t)big_endian(s.ptr + 20 + 4 * i, 4);
        if (*fields[i] > FILE_MAX)
            return false;
    }
    return true;
}

static size_t body_size(const struct header *h, size_t time)
{
    return h->times * time + h->times + h->kinds * 6 + h->chars + h->leap * (time + 4) + h->std +
           h->utc;
}

static bool read_body(struct slice s, const struct header *h, size_t time, struct text_zone *z)
{
    if (s.len < body_size(h, time) || !h->kinds || h->kinds > 255)
        return false;
    const char *times = s.ptr, *to = times + h->times * time, *kinds = to + h->times;
    const char *chars = kinds + h->kinds * 6;
    z->count = h->times;
    z->kind_count = h->kinds;
    z->at = mem_alloc((h->times + 1) * sizeof(*z->at));
    z->to = mem_alloc(h->times + 1);
    z->kinds = mem_calloc(h->kinds, sizeof(*z->kinds));
    memcpy(z->names, chars, MIN(h->chars, sizeof(z->names) - 1));
    for (size_t i = 0; i < h->times; i++) {
        z->at[i] = time == 8 ? (int64_t)big_endian(times + i * 8, 8)
                             : (int32_t)big_endian(times + i * 4, 4);
        z->to[i] = (uint8_t)to[i];
        if (z->to[i] >= h->kinds || (i && z->at[i] < z->at[i - 1]))
            return false;
    }
    for (size_t i = 0; i < h->kinds; i++) {
        z->kinds[i] = (struct kind){.offset_s = (int32_t)big_endian(kinds + i * 6, 4),
                                    .is_dst = kinds[i * 6 + 4] != 0,
                                    .name = (uint8_t)kinds[i * 6 + 5]};
        if (z->kinds[i].offset_s < -93600 || z->kinds[i].offset_s > 93600 ||
            z->kinds[i].name >= MIN(h->chars, sizeof(z->names) - 1))
            return false;
    }
    return true;
}

int text_zone_parse(struct slice bytes, struct text_zone **out)
{
    struct header h;
    size_t time = 4;
    *out = NULL;
    if (!read_header(bytes, &h))
        return ERR_CORRUPT;
    if (h.version >= '2') { /* a second block with 64-bit times follows */
        bytes = slice_from(bytes, 44 + body_size(&h, 4));
        if (!read_header(bytes, &h))
            return ERR_CORRUPT;
        time = 8;
    }
    struct text_zone *z = mem_calloc(1, sizeof(*z));
    if (!read_body(slice_from(bytes, 44), &h, time, z)) {
        text_zone_free(z);
        return ERR_CORRUPT;
    }
    *out = z;
    return 0;
}

static struct text_zone *fixed(struct slice name, int32_t offset_s)
{
    struct text_zone *z = mem_calloc(1, sizeof(*z));
    z->at = mem_alloc(sizeof(*z->at));
    z->to = mem_alloc(1);
    z->kinds = mem_calloc(1, sizeof(*z->kinds));
    z->kinds[0].offset_s = offset_s;
    z->kind_count = 1;
    snprintf(z->names, sizeof(z->names), "%.*s", SLICE_FMT(offset_s ? name : SLICE("UTC")));
    return z;
}

static bool name_is_safe(struct slice name)
{
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        if (!((c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') ||
              strchr("/_+-", c)))
            return false;
    }
    return name.len && name.len < 100 && name.ptr[0] != '/' && name.ptr[0] != '-';
}

int text_zone_load(struct slice name, struct text_zone **out, struct diag *diag)
{
    int32_t offset_s;
    char path[512];
    const char *dir = getenv("TZDIR");
    *out = NULL;
    if (text_go_zone_parse(name, &offset_s)) {
        *out = fixed(name, offset_s);
        return 0;
    }
    FILE *f = NULL;
    if (name_is_safe(name)) {
        snprintf(path, sizeof(path), "%s/%.*s", dir && dir[0] ? dir : "/usr/share/zoneinfo",
                 SLICE_FMT(name));
        f = fopen(path, "re");
    }
    int err = ERR_NOT_FOUND;
    if (f) {
        struct buf b = {0};
        size_t n = fread(buf_reserve(&b, 1 << 16), 1, 1 << 16, f);
        err = text_zone_parse(slice_make(b.ptr, n), out);
        buf_deinit(&b);
        fclose(f);
    }
    return err ? diag_set(diag, ERR_INVALID,
                          "unknown time zone \"%.*s\": UTC, an offset like +02:00 or a name of the "
                          "tz database like Europe/Berlin (in the package tzdata) is expected",
                          SLICE_FMT(slice_first(name, 60)))
               : 0;
}

struct text_zone_local text_zone_at(const struct text_zone *z, int64_t utc_s)
{
    if (!z)
        return (struct text_zone_local){.name = "UTC"};
    size_t lo = 0, hi = z->count;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (z->at[mid] <= utc_s)
            lo = mid + 1;
        else
            hi = mid;
    }
    const struct kind *k = &z->kinds[lo ? z->to[lo - 1] : 0];
    return (struct text_zone_local){k->offset_s, k->is_dst, z->names + k->name};
}

int64_t text_zone_to_utc(const struct text_zone *z, int64_t local_s)
{
    struct text_zone_local before = text_zone_at(z, local_s - 86400),
                           after = text_zone_at(z, local_s + 86400);
    int64_t a = local_s - before.offset_s, b = local_s - after.offset_s;
    bool a_is = text_zone_at(z, a).offset_s == before.offset_s;
    bool b_is = text_zone_at(z, b).offset_s == after.offset_s;
    if (a_is != b_is)
        return a_is ? a : b;
    return before.is_dst ? b : a;
}
