#include "decode/level.h"

#define WORD_MAX 11 /* "information" */

static const struct slice names[] = {
    SLICE_INIT("level"),    SLICE_INIT("LEVEL"),    SLICE_INIT("Level"),
    SLICE_INIT("severity"), SLICE_INIT("SEVERITY"), SLICE_INIT("Severity"),
    SLICE_INIT("lvl"),      SLICE_INIT("LVL"),      SLICE_INIT("Lvl")};

bool decode_level_is_name(struct slice name)
{
    if (name.len < 3 || name.len > 8)
        return false;
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (slice_eq(name, names[i]))
            return true;
    }
    return false;
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static struct slice word_at(struct slice s, size_t at)
{
    size_t end = at;
    while (end < s.len && is_letter(s.ptr[end]))
        end++;
    return slice_make(s.ptr + at, end - at);
}

static size_t skip_space(struct slice s, size_t at)
{
    while (at < s.len && (s.ptr[at] == ' ' || s.ptr[at] == '\t'))
        at++;
    return at;
}

/* "level" : "info". A quoted name that a colon follows cannot stand inside of a string, whose
 * quotes are escaped. */
static enum data_event_level json_value(struct slice line, size_t at)
{
    at = skip_space(line, at);
    if (at >= line.len || line.ptr[at] != ':')
        return DATA_LEVEL_UNKNOWN;
    at = skip_space(line, at + 1);
    if (at >= line.len || line.ptr[at] != '"')
        return DATA_LEVEL_UNKNOWN;
    struct slice word = word_at(line, at + 1);
    at += 1 + word.len;
    return at < line.len && line.ptr[at] == '"' ? data_event_level_guess(word) : DATA_LEVEL_UNKNOWN;
}

static enum data_event_level logfmt_value(struct slice line, size_t at)
{
    if (at >= line.len || line.ptr[at] != '=')
        return DATA_LEVEL_UNKNOWN;
    at++;
    if (at < line.len && line.ptr[at] == '"')
        at++;
    return data_event_level_guess(word_at(line, at));
}

/* Looks where a name ends: at its last letters, which are few enough to search for. */
static enum data_event_level keyed(struct slice line, bool json)
{
    static const struct slice tails[2][6] = {
        {SLICE_INIT("evel="), SLICE_INIT("EVEL="), SLICE_INIT("everity="), SLICE_INIT("EVERITY="),
         SLICE_INIT("vl="), SLICE_INIT("VL=")},
        {SLICE_INIT("evel\""), SLICE_INIT("EVEL\""), SLICE_INIT("everity\""),
         SLICE_INIT("EVERITY\""), SLICE_INIT("vl\""), SLICE_INIT("VL\"")}};
    for (size_t i = 0; i < ARRAY_LEN(tails[0]); i++) {
        struct slice tail = tails[json][i];
        ptrdiff_t found;
        for (size_t at = 0; (found = slice_find(slice_from(line, at), tail)) >= 0;) {
            size_t end = at + (size_t)found + tail.len - 1, begin = end - tail.len;
            at = end;
            if (begin == SIZE_MAX || begin >= end)
                continue; /* the line begins with the tail */
            char before = begin ? line.ptr[begin - 1] : ' ';
            if (!decode_level_is_name(slice_make(line.ptr + begin, end - begin)) ||
                (json ? before != '"' : before != ' ' && before != '\t'))
                continue;
            enum data_event_level level =
                json ? json_value(line, end + 1) : logfmt_value(line, end);
            if (level)
                return level;
        }
    }
    return DATA_LEVEL_UNKNOWN;
}

/* A letter that a level begins with. */
static bool may_begin(char c)
{
    switch (c | 32) {
    case 't':
    case 'd':
    case 'i':
    case 'w':
    case 'e':
    case 'c':
    case 'f': return true;
    default: return false;
    }
}

static enum data_event_level first_word(struct slice line)
{
    for (size_t i = 0; i < line.len;) {
        if (!is_letter(line.ptr[i])) {
            i++;
            continue;
        }
        struct slice word = word_at(line, i);
        bool whole = (!i || !(line.ptr[i - 1] == '_' ||
                              (line.ptr[i - 1] >= '0' && line.ptr[i - 1] <= '9'))) &&
                     !(i + word.len < line.len && line.ptr[i + word.len] == '_');
        if (whole && word.len >= 3 && word.len <= WORD_MAX && may_begin(word.ptr[0])) {
            enum data_event_level level = data_event_level_guess(word);
            if (level)
                return level;
        }
        i += word.len;
    }
    return DATA_LEVEL_UNKNOWN;
}

enum data_event_level decode_level_of_line(struct slice line)
{
    size_t at = skip_space(line, 0);
    bool json = at < line.len && line.ptr[at] == '{';
    enum data_event_level level = DATA_LEVEL_UNKNOWN;
    if (json || slice_find_char(line, '=') >= 0)
        level = keyed(line, json);
    return level ? level : first_word(line);
}
