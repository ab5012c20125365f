/* Globs over paths, as shells and log shippers have them: * and ? (not across a /), [a-z], [!a-z],
 * {a,b}, and ** as a whole component for any number of directories, none included. A backslash
 * takes the next character as it is. */
#ifndef TEXT_GLOB_H
#define TEXT_GLOB_H

#include "base/diag.h"
#include "base/slice.h"

/* ERR_INVALID with what is wrong: a [ or { that is not closed, ** beside other characters, nothing
 * at all. */
int text_glob_check(struct slice pattern, struct diag *diag);
/* Whether the whole path matches a pattern that text_glob_check took. */
bool text_glob_match(struct slice pattern, struct slice path);
/* Whether paths below this directory could match: what a walk asks before it goes in. */
bool text_glob_may_match_below(struct slice pattern, struct slice dir);
/* The directory that everything the pattern matches lies in: the components before the first with
 * something special. "/var/log" of "/var/log/" "*.log", "/" of "/" "*", "" of "*.log". */
struct slice text_glob_base(struct slice pattern);

#endif
