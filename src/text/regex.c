#define PCRE2_CODE_UNIT_WIDTH 8
#include "text/regex.h"

#include <pcre2.h>
#include <pthread.h>
#include <stdio.h>

#include "base/mem.h"
#include "base/vec.h"

#define HEAP_KIB_MAX 20000
#define REPEAT_MAX   1000 /* RE2's cap on {n,m}, and on the product of nested ones */
#define GROUPS_MAX   200
#define DEPTH_MAX    250

struct text_regex {
    pcre2_code *code; /* NULL: so many literals that PCRE2 does not take them */
    uint32_t group_count;
    bool is_any, is_any_nonempty;
    VEC(struct slice) literals;
    char *block;         /* the texts of the literals when they are in one block, sorted */
    struct slice prefix; /* owned */
};

/* One match block a thread, large enough for any expression. */
struct block {
    pcre2_match_data *data;
    pcre2_match_context *context;
    uint32_t effort; /* that of the context */
};
static pthread_key_t block_key;
static pthread_once_t block_once = PTHREAD_ONCE_INIT;
static _Atomic uint32_t effort = TEXT_REGEX_EFFORT; /* backtracking steps; RE2 itself is linear */

static void free_block(void *p)
{
    struct block *b = p;
    pcre2_match_data_free(b->data);
    pcre2_match_context_free(b->context);
    mem_free(b);
}

static void make_block_key(void)
{
    pthread_key_create(&block_key, free_block);
}

static struct block *match_block(void)
{
    struct block *b = pthread_getspecific(block_key);
    uint32_t now = effort;
    if (!b) {
        b = mem_calloc(1, sizeof(*b));
        b->data = pcre2_match_data_create(GROUPS_MAX + 1, NULL);
        b->context = pcre2_match_context_create(NULL);
        pcre2_set_heap_limit(b->context, HEAP_KIB_MAX);
        pthread_setspecific(block_key, b);
    }
    if (b->effort != now) {
        pcre2_set_match_limit(b->context, now);
        b->effort = now;
    }
    return b;
}

void text_regex_set_effort(uint32_t steps)
{
    effort = steps;
}

/* --- RE2's syntax, checked before PCRE2 sees the pattern --- */

struct checker {
    struct slice pattern;
    size_t at;
    unsigned depth, groups;
    int64_t repeats[DEPTH_MAX + 1]; /* by depth: the largest product of nested {n,m} so far */
    struct diag *diag;
};

static int refuse(struct checker *c, const char *what, size_t begin, size_t end)
{
    return diag_set_range(c->diag, ERR_INVALID, begin, end, "error parsing regexp: %s: `%.*s`",
                          what, SLICE_FMT(slice_first(slice_from(c->pattern, begin), end - begin)));
}

static int peek(const struct checker *c, size_t ahead)
{
    return c->at + ahead < c->pattern.len ? (unsigned char)c->pattern.ptr[c->at + ahead] : -1;
}

static bool is_word_char(int ch)
{
    return (ch >= '0' && ch <= '9') || (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') ||
           ch == '_';
}

/* An escape outside or inside a class; `at` is on the backslash. */
static int check_escape(struct checker *c, bool in_class)
{
    size_t begin = c->at++;
    int ch = peek(c, 0);
    if (ch < 0)
        return refuse(c, "trailing backslash at end of expression", begin, c->at);
    c->at++;
    if (ch == 'x') {
        if (peek(c, 0) == '{') {
            size_t digits = 0;
            for (c->at++; peek(c, 0) >= 0 && peek(c, 0) != '}'; c->at++, digits++) {
                int h = peek(c, 0);
                if (!((h >= '0' && h <= '9') || (h >= 'a' && h <= 'f') || (h >= 'A' && h <= 'F')))
                    return refuse(c, "invalid escape sequence", begin, c->at + 1);
            }
            if (peek(c, 0) != '}' || !digits || digits > 6)
                return refuse(c, "invalid escape sequence", begin, c->at);
            c->at++;
            return 0;
        }
        for (int i = 0; i < 2; i++, c->at++) {
            int h = peek(c, 0);
            if (!((h >= '0' && h <= '9') || (h >= 'a' && h <= 'f') || (h >= 'A' && h <= 'F')))
                return refuse(c, "invalid escape sequence", begin, MIN(c->at + 1, c->pattern.len));
        }
        return 0;
    }
    if (ch == 'p' || ch == 'P') {
        if (peek(c, 0) == '{') {
            while (peek(c, 0) >= 0 && peek(c, 0) != '}')
                c->at++;
            if (peek(c, 0) < 0)
                return refuse(c, "invalid character class range", begin, c->at);
        }
        c->at++;
        return c->at <= c->pattern.len
                   ? 0
                   : refuse(c, "invalid character class range", begin, c->pattern.len);
    }
    if (ch == 'Q' && !in_class) {
        ptrdiff_t end = slice_find(slice_from(c->pattern, c->at), SLICE("\\E"));
        c->at = end < 0 ? c->pattern.len : c->at + (size_t)end + 2;
        return 0;
    }
    if (ch >= '1' && ch <= '9')
        return refuse(c, "invalid escape sequence", begin, c->at); /* back references */
    if (ch == '0') {
        for (int i = 0; i < 2 && peek(c, 0) >= '0' && peek(c, 0) <= '7'; i++)
            c->at++;
        return 0;
    }
    static const char anywhere[] = "adDfnrsStvwW", outside[] = "AbBCEz";
    if (is_word_char(ch) && !strchr(anywhere, ch) &&
        (in_class || !strchr(outside, ch) || ch == 'C'))
        return refuse(c, "invalid escape sequence", begin, c->at);
    return 0;
}

static int check_class(struct checker *c)
{
    size_t begin = c->at++;
    if (peek(c, 0) == '^')
        c->at++;
    for (bool first = true;; first = false) {
        int ch = peek(c, 0);
        if (ch < 0)
            return refuse(c, "missing closing ]", begin, c->pattern.len);
        if (ch == ']' && !first) {
            c->at++;
            return 0;
        }
        if (ch == '\\') {
            int err = check_escape(c, true);
            if (err)
                return err;
        } else if (ch == '[' && peek(c, 1) == ':') {
            ptrdiff_t end = slice_find(slice_from(c->pattern, c->at), SLICE(":]"));
            c->at += end < 0 ? 1 : (size_t)end + 2;
        } else {
            c->at++;
        }
    }
}

static int check_group(struct checker *c)
{
    size_t begin = c->at++;
    if (peek(c, 0) != '?') {
        c->groups++;
        return 0;
    }
    c->at++;
    size_t name = c->at;
    if (peek(c, 0) == 'P' && peek(c, 1) == '<')
        name = c->at + 2;
    else if (peek(c, 0) == '<' && peek(c, 1) != '=' && peek(c, 1) != '!')
        name = c->at + 1;
    if (name != c->at) {
        c->at = name;
        while (is_word_char(peek(c, 0)))
            c->at++;
        if (peek(c, 0) != '>' || c->at == name)
            return refuse(c, "invalid named capture", begin, MIN(c->at + 1, c->pattern.len));
        c->at++;
        c->groups++;
        return 0;
    }
    /* (?flags) and (?flags:re) */
    for (bool any = false;; c->at++) {
        int ch = peek(c, 0);
        if (ch == 'i' || ch == 'm' || ch == 's' || ch == 'U' || ch == '-') {
            any = true;
            continue;
        }
        if (ch == ':' || (ch == ')' && any)) {
            if (ch == ':')
                c->at++;
            return 0; /* for ")" the caller's loop closes the group */
        }
        return refuse(c, "invalid or unsupported Perl syntax", begin,
                      MIN(c->at + 1, c->pattern.len));
    }
}

/* {n}, {n,}, {n,m}; anything else after '{' is a literal brace. Returns the length or 0. */
static size_t repeat_length(const struct checker *c, int64_t *out_max)
{
    size_t i = 1;
    int64_t low = 0, high = 0;
    size_t digits = 0;
    for (; peek(c, i) >= '0' && peek(c, i) <= '9'; i++, digits++)
        low = MIN(low * 10 + (peek(c, i) - '0'), 100000);
    if (!digits)
        return 0;
    high = low;
    if (peek(c, i) == ',') {
        for (i++; peek(c, i) >= '0' && peek(c, i) <= '9'; i++)
            high = MIN((high == low ? 0 : high) * 10 + (peek(c, i) - '0'), 100000);
    }
    if (peek(c, i) != '}')
        return 0;
    *out_max = MAX(low, high);
    return i + 1;
}

static int check_syntax(struct checker *c)
{
    bool can_repeat = false, repeated = false;
    int64_t inside = 1; /* product of the repeats in what was read last */
    c->repeats[0] = 1;
    while (c->at < c->pattern.len) {
        int ch = peek(c, 0), err = 0;
        size_t begin = c->at;
        int64_t repeat;
        size_t repeat_len;
        if (!strchr("*+?{)", ch))
            inside = 1;
        switch (ch) {
        case '\\':
            err = check_escape(c, false);
            can_repeat = true;
            repeated = false;
            break;
        case '[':
            err = check_class(c);
            can_repeat = true;
            repeated = false;
            break;
        case '(':
            if (++c->depth > DEPTH_MAX)
                return refuse(c, "expression nests too deeply", 0, MIN(c->pattern.len, (size_t)64));
            c->repeats[c->depth] = 1;
            err = check_group(c);
            can_repeat = repeated = false;
            break;
        case ')':
            if (!c->depth)
                return refuse(c, "unexpected )", 0, c->pattern.len);
            inside = c->repeats[c->depth--];
            c->repeats[c->depth] = MAX(c->repeats[c->depth], inside);
            c->at++;
            can_repeat = true;
            repeated = false;
            break;
        case '|':
        case '^':
            c->at++;
            can_repeat = repeated = false;
            if (ch == '^')
                can_repeat = true;
            break;
        case '*':
        case '+':
        case '?':
            if (!can_repeat)
                return refuse(c, "missing argument to repetition operator", begin, begin + 1);
            if (repeated)
                return refuse(c, "invalid nested repetition operator", begin - 1, begin + 1);
            c->at++;
            if (peek(c, 0) == '?')
                c->at++;
            repeated = true;
            break;
        case '{':
            repeat_len = repeat_length(c, &repeat);
            if (!repeat_len) {
                c->at++;
                inside = 1;
                can_repeat = true;
                repeated = false;
                break;
            }
            if (!can_repeat)
                return refuse(c, "missing argument to repetition operator", begin,
                              begin + repeat_len);
            if (repeated)
                return refuse(c, "invalid nested repetition operator", begin - 1,
                              begin + repeat_len);
            if (repeat > REPEAT_MAX || repeat * inside > REPEAT_MAX)
                return refuse(c, "invalid repeat count", begin, begin + repeat_len);
            c->repeats[c->depth] = MAX(c->repeats[c->depth], repeat * inside);
            c->at += repeat_len;
            if (peek(c, 0) == '?')
                c->at++;
            repeated = true;
            break;
        default:
            c->at++;
            can_repeat = true;
            repeated = false;
        }
        if (err)
            return err;
    }
    if (c->depth)
        return refuse(c, "missing closing )", 0, c->pattern.len);
    if (c->groups > GROUPS_MAX)
        return refuse(c, "too many groups", 0, MIN(c->pattern.len, (size_t)64));
    return 0;
}

/* --- what an index wants to know --- */

static bool is_special(char ch)
{
    return strchr("\\.+*?()|[]{}^$", ch) != NULL;
}

static struct slice own(struct slice s)
{
    char *copy = mem_alloc(s.len + 1);
    if (s.len)
        memcpy(copy, s.ptr, s.len);
    copy[s.len] = '\0';
    return (struct slice){copy, s.len};
}

/* Appends one plain or escaped character; false at anything that is not literal. */
static bool take_literal(struct slice *rest, struct buf *out)
{
    char ch = rest->ptr[0];
    size_t n = 1;
    if (ch == '\\') {
        if (rest->len < 2 || is_word_char((unsigned char)rest->ptr[1]))
            return false;
        ch = rest->ptr[1];
        n = 2;
    } else if (is_special(ch)) {
        return false;
    }
    /* A repetition behind it makes the last character optional or plural. */
    if (rest->len > n && strchr("*+?{", rest->ptr[n]))
        return false;
    buf_append_char(out, ch);
    *rest = slice_from(*rest, n);
    return true;
}

static void analyse(struct text_regex *re, struct slice pattern)
{
    re->is_any = slice_eq_cstr(pattern, ".*") || slice_eq_cstr(pattern, "(.*)");
    re->is_any_nonempty = slice_eq_cstr(pattern, ".+") || slice_eq_cstr(pattern, "(.+)");
    struct slice rest = pattern;
    struct buf word = {0};
    while (rest.len && take_literal(&rest, &word)) {
    }
    bool alternatives = slice_find_char(pattern, '|') >= 0;
    if (!alternatives) {
        re->prefix = own(buf_slice(&word));
        if (!rest.len)
            vec_push(&re->literals, own(buf_slice(&word)));
        goto out;
    }
    /* a|b|c, also with one pair of parentheses around */
    rest = pattern;
    if (rest.len > 2 && rest.ptr[0] == '(' && rest.ptr[rest.len - 1] == ')')
        rest = slice_make(rest.ptr + 1, rest.len - 2);
    if (slice_starts_with(rest, SLICE("?:")))
        rest = slice_from(rest, 2);
    buf_clear(&word);
    for (;;) {
        if (!rest.len || rest.ptr[0] == '|') {
            vec_push(&re->literals, own(buf_slice(&word)));
            buf_clear(&word);
            if (!rest.len)
                break;
            rest = slice_from(rest, 1);
        } else if (!take_literal(&rest, &word)) {
            for (size_t i = 0; i < re->literals.len; i++)
                mem_free((void *)(uintptr_t)re->literals.items[i].ptr);
            vec_clear(&re->literals);
            break;
        }
    }
    re->prefix = own(SLICE(""));
out:
    buf_deinit(&word);
}

int text_regex_compile(struct slice pattern, unsigned flags, struct text_regex **out,
                       struct diag *diag)
{
    struct checker c = {.pattern = pattern, .diag = diag};
    int err = check_syntax(&c);
    if (err)
        return err;
    pthread_once(&block_once, make_block_key);
    struct buf full = {0};
    bool anchored = flags & TEXT_REGEX_ANCHORED;
    buf_append_cstr(&full, anchored ? "^(?s:" : "");
    /* (?U) means "swap greediness" in both; \z exists in both; (?<n> and (?P<n> too. */
    buf_append_slice(&full, pattern);
    buf_append_cstr(&full, anchored ? ")\\z" : "");
    int code;
    PCRE2_SIZE offset;
    pcre2_code *re = pcre2_compile((PCRE2_SPTR)buf_cstr(&full), full.len,
                                   PCRE2_UTF | PCRE2_MATCH_INVALID_UTF | PCRE2_NEVER_BACKSLASH_C |
                                       PCRE2_DOLLAR_ENDONLY,
                                   &code, &offset, NULL);
    buf_deinit(&full);
    struct text_regex *r = mem_calloc(1, sizeof(*r));
    if (anchored)
        analyse(r, pattern);
    if (!re && !(code == PCRE2_ERROR_PATTERN_TOO_LARGE && r->literals.len)) {
        PCRE2_UCHAR text[256];
        text_regex_free(r);
        pcre2_get_error_message(code, text, sizeof(text));
        return diag_set(diag, ERR_INVALID, "error parsing regexp: %s: `%.*s`", (const char *)text,
                        SLICE_FMT(pattern));
    }
    r->code = re;
    if (re) {
        pcre2_jit_compile(re, PCRE2_JIT_COMPLETE); /* without JIT the interpreter does the same */
        pcre2_pattern_info(re, PCRE2_INFO_CAPTURECOUNT, &r->group_count);
    } else {
        r->group_count = c.groups;
    }
    r->group_count++;
    *out = r;
    return 0;
}

static int by_text(const void *a, const void *b)
{
    return slice_cmp(*(const struct slice *)a, *(const struct slice *)b);
}

struct text_regex *text_regex_of_texts(const struct slice *texts, size_t count)
{
    struct text_regex *r = mem_calloc(1, sizeof(*r));
    size_t bytes = 0, at = 0;
    for (size_t i = 0; i < count; i++)
        bytes += texts[i].len;
    r->block = mem_alloc(bytes + 1);
    for (size_t i = 0; i < count; i++) {
        if (texts[i].len)
            memcpy(r->block + at, texts[i].ptr, texts[i].len);
        vec_push(&r->literals, slice_make(r->block + at, texts[i].len));
        at += texts[i].len;
    }
    qsort(r->literals.items, count, sizeof(*r->literals.items), by_text);
    r->prefix = own(SLICE(""));
    r->group_count = 1;
    return r;
}

void text_regex_free(struct text_regex *re)
{
    if (!re)
        return;
    pcre2_code_free(re->code);
    for (size_t i = 0; i < re->literals.len && !re->block; i++)
        mem_free((void *)(uintptr_t)re->literals.items[i].ptr);
    vec_free(&re->literals);
    mem_free(re->block);
    mem_free((void *)(uintptr_t)re->prefix.ptr);
    mem_free(re);
}

static _Thread_local uint64_t overruns;

uint64_t text_regex_overruns(void)
{
    return overruns;
}

int text_regex_check(uint64_t before, const char *what, struct diag *diag)
{
    if (overruns == before)
        return 0;
    return diag_set(diag, ERR_LIMIT,
                    "%s takes more than %u steps back on one text (limits.regex_effort): nested "
                    "repetitions like (x+x+)+ do, and one without says the same",
                    what, effort);
}

/* The JIT's stack is small: what does not fit goes the slower way, whose memory is the heap. */
static int match_at(const struct text_regex *re, struct slice text, size_t from, struct block *b)
{
    PCRE2_SPTR base = (PCRE2_SPTR)(text.ptr ? text.ptr : "");
    int n = pcre2_match(re->code, base, text.len, from, 0, b->data, b->context);
    if (n == PCRE2_ERROR_JIT_STACKLIMIT)
        n = pcre2_match(re->code, base, text.len, from, PCRE2_NO_JIT, b->data, b->context);
    overruns += n < 0 && n != PCRE2_ERROR_NOMATCH;
    return n;
}

bool text_regex_match(const struct text_regex *re, struct slice text)
{
    if (re->is_any)
        return true;
    if (re->is_any_nonempty)
        return text.len > 0;
    if (re->block)
        return bsearch(&text, re->literals.items, re->literals.len, sizeof(text), by_text) != NULL;
    for (size_t i = 0; i < re->literals.len; i++) {
        if (slice_eq(re->literals.items[i], text))
            return true;
    }
    if (re->literals.len)
        return false;
    if (re->prefix.len && !slice_starts_with(text, re->prefix))
        return false;
    return match_at(re, text, 0, match_block()) >= 0;
}

size_t text_regex_group_count(const struct text_regex *re)
{
    return re->group_count;
}

struct slice text_regex_group_name(const struct text_regex *re, size_t i)
{
    uint32_t count = 0, size = 0;
    PCRE2_SPTR table = NULL;
    if (!re->code)
        return SLICE("");
    pcre2_pattern_info(re->code, PCRE2_INFO_NAMECOUNT, &count);
    pcre2_pattern_info(re->code, PCRE2_INFO_NAMEENTRYSIZE, &size);
    pcre2_pattern_info(re->code, PCRE2_INFO_NAMETABLE, &table);
    /* An entry is the group's number in two bytes, then the name. */
    for (uint32_t k = 0; k < count; k++, table += size) {
        if ((size_t)(table[0] << 8 | table[1]) == i)
            return slice_cstr((const char *)table + 2);
    }
    return SLICE("");
}

bool text_regex_groups_from(const struct text_regex *re, struct slice text, size_t from,
                            struct slice *groups, size_t group_max)
{
    struct block *m = match_block();
    const char *base = text.ptr ? text.ptr : "";
    if (!re->code) { /* the whole text or nothing, in at most one pair of parentheses */
        for (size_t i = 0; i < group_max; i++)
            groups[i] = i < re->group_count ? text : (struct slice){NULL, 0};
        return !from && text_regex_match(re, text);
    }
    int n = match_at(re, text, from, m);
    if (n < 0)
        return false;
    PCRE2_SIZE *at = pcre2_get_ovector_pointer(m->data);
    for (size_t i = 0; i < group_max; i++) {
        bool set = i < (size_t)n && at[2 * i] != PCRE2_UNSET;
        groups[i] =
            set ? slice_make(base + at[2 * i], at[2 * i + 1] - at[2 * i]) : (struct slice){NULL, 0};
    }
    return true;
}

bool text_regex_groups(const struct text_regex *re, struct slice text, struct slice *groups,
                       size_t group_max)
{
    return text_regex_groups_from(re, text, 0, groups, group_max);
}

void text_regex_replace_all(const struct text_regex *re, struct slice text, struct slice template,
                            size_t output_max, struct buf *out)
{
    struct slice groups[GROUPS_MAX + 1];
    size_t count = MIN(re->group_count, (size_t)GROUPS_MAX + 1), from = 0, copied = 0;
    size_t begun = out->len;
    while (from <= text.len && out->len - begun <= output_max &&
           text_regex_groups_from(re, text, from, groups, count)) {
        size_t begin = (size_t)(groups[0].ptr - (text.ptr ? text.ptr : "")),
               end = begin + groups[0].len;
        buf_append(out, text.ptr + copied, begin - copied);
        /* No empty match right behind another match. */
        if (end > copied || begin == 0)
            text_regex_expand(re, template, groups, count, out);
        copied = end;
        from = end > from ? end : from + 1;
        while (from < text.len && ((unsigned char)text.ptr[from] & 0xc0) == 0x80)
            from++; /* whole characters */
    }
    buf_append_slice(out, slice_from(text, copied));
}

void text_regex_expand(const struct text_regex *re, struct slice template,
                       const struct slice *groups, size_t group_count, struct buf *out)
{
    size_t i = 0;
    while (i < template.len) {
        char ch = template.ptr[i];
        if (ch != '$' || i + 1 >= template.len) {
            buf_append_char(out, ch);
            i++;
            continue;
        }
        if (template.ptr[i + 1] == '$') {
            buf_append_char(out, '$');
            i += 2;
            continue;
        }
        bool braces = template.ptr[i + 1] == '{';
        size_t begin = i + 1 + braces, end = begin;
        while (end < template.len && is_word_char((unsigned char)template.ptr[end]))
            end++;
        if (end == begin || (braces && (end >= template.len || template.ptr[end] != '}'))) {
            buf_append_char(out, '$'); /* malformed: taken as it stands */
            i++;
            continue;
        }
        struct slice name = slice_make(template.ptr + begin, end - begin);
        size_t number = 0;
        bool numeric = true;
        for (size_t k = 0; k < name.len && numeric; k++) {
            numeric = name.ptr[k] >= '0' && name.ptr[k] <= '9';
            number = MIN(number * 10 + (size_t)(name.ptr[k] - '0'), (size_t)1000000);
        }
        if (!numeric) {
            char text[128];
            snprintf(text, sizeof(text), "%.*s", SLICE_FMT(name));
            int found = re->code ? pcre2_substring_number_from_name(re->code, (PCRE2_SPTR)text) : 0;
            number = found > 0 ? (size_t)found : SIZE_MAX;
        }
        if (number < group_count && groups[number].ptr)
            buf_append_slice(out, groups[number]);
        i = end + braces;
    }
}

size_t text_regex_literals(const struct text_regex *re, const struct slice **out)
{
    *out = re->literals.items;
    return re->literals.len;
}

struct slice text_regex_prefix(const struct text_regex *re)
{
    return re->prefix;
}

bool text_regex_is_any(const struct text_regex *re)
{
    return re->is_any;
}

bool text_regex_is_any_nonempty(const struct text_regex *re)
{
    return re->is_any_nonempty;
}

void text_regex_template_from_python(struct slice replacement, struct buf *out)
{
    for (size_t i = 0; i < replacement.len; i++) {
        char c = replacement.ptr[i], next = i + 1 < replacement.len ? replacement.ptr[i + 1] : 0;
        if (c == '$') {
            buf_append_cstr(out, "$$");
        } else if (c == '\\' && next >= '0' && next <= '9') {
            buf_printf(out, "${%c}", next);
            i++;
        } else if (c == '\\' && next == 'g' && i + 2 < replacement.len &&
                   replacement.ptr[i + 2] == '<') {
            ptrdiff_t end = slice_find_char(slice_from(replacement, i + 3), '>');
            if (end < 0)
                continue;
            buf_printf(out, "${%.*s}", (int)end, replacement.ptr + i + 3);
            i += 3 + (size_t)end;
        } else if (c == '\\' && next == '\\') {
            buf_append_char(out, '\\');
            i++;
        } else {
            buf_append_char(out, c);
        }
    }
}
