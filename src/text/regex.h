/* Regular expressions in RE2's syntax (Go's regexp, which Prometheus and Loki use), executed by
 * PCRE2 with JIT. What RE2 does not have (back references, look-around, possessive and atomic
 * groups, recursion) is refused; match effort is bounded. A compiled expression is immutable and
 * may be used by any thread. */
#ifndef TEXT_REGEX_H
#define TEXT_REGEX_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/diag.h"
#include "base/slice.h"

struct text_regex;

enum text_regex_flags {
    TEXT_REGEX_ANCHORED =
        1, /* the whole text must match, and . matches newlines: label matchers, relabelling */
};

/* Error messages read "error parsing regexp: ..." as Go's do. */
int text_regex_compile(struct slice pattern, unsigned flags, struct text_regex **out,
                       struct diag *diag);
/* An anchored expression that matches exactly these texts, however many: no syntax is looked at,
 * and nothing compiled. count > 0. */
struct text_regex *text_regex_of_texts(const struct slice *texts, size_t count);
void text_regex_free(struct text_regex *re); /* NULL is fine */
/* A match that runs over its effort limit counts as none, and as an overrun. */
bool text_regex_match(const struct text_regex *re, struct slice text);
/* How many matches of the calling thread ran over so far: who must not take such a one for an
 * answer compares before and after. */
uint64_t text_regex_overruns(void);
/* 0 when no match of the calling thread ran over since `before` was read, else ERR_LIMIT: "<what>
 * takes more than ...", with the setting. */
int text_regex_check(uint64_t before, const char *what, struct diag *diag);
/* How many steps back one match may take (limits.regex_effort); for all threads, from the next
 * match on. */
#define TEXT_REGEX_EFFORT 1000000
void text_regex_set_effort(uint32_t steps);

/* Capture groups: number of groups, the whole match included. */
size_t text_regex_group_count(const struct text_regex *re);
/* The name of the i-th group, empty when it has none; lives as long as the expression. */
struct slice text_regex_group_name(const struct text_regex *re, size_t i);
/* Like match; groups[i] gets the i-th group (ptr NULL when it took no part), at most group_max. */
bool text_regex_groups(const struct text_regex *re, struct slice text, struct slice *groups,
                       size_t group_max);
/* The same from byte `from` on, which ^, \b and the like see what is before of. */
bool text_regex_groups_from(const struct text_regex *re, struct slice text, size_t from,
                            struct slice *groups, size_t group_max);
/* Expands $1, ${1}, $name, ${name}, $$ of a template with the groups of a match (Go's
 * Regexp.Expand). */
void text_regex_expand(const struct text_regex *re, struct slice template,
                       const struct slice *groups, size_t group_count, struct buf *out);
/* Appends the text with every match replaced by the expanded template (Go's
 * Regexp.ReplaceAllString). Stops replacing when more than output_max bytes are written. */
void text_regex_replace_all(const struct text_regex *re, struct slice text, struct slice template,
                            size_t output_max, struct buf *out);

/* Appends a replacement of Python's re.sub (\1, \g<name>, \\) as a template of those above. */
void text_regex_template_from_python(struct slice replacement, struct buf *out);

/* --- what an index wants to know; anchored expressions only --- */
/* The expression matches exactly these literals ("a", "a|b|c"): *out_count of them, or 0 when it is
 * not of that kind. */
size_t text_regex_literals(const struct text_regex *re, const struct slice **out);
/* Every match begins with this (may be empty). */
struct slice text_regex_prefix(const struct text_regex *re);
/* Matches everything (".*"), or everything but the empty text (".+"). */
bool text_regex_is_any(const struct text_regex *re);
bool text_regex_is_any_nonempty(const struct text_regex *re);

#endif
