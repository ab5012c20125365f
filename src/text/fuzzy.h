/* How well a text fits what somebody types, as Prometheus' search scores it: 1 fits exactly, 0 not
 * at all. Characters are code points; bytes that are no UTF-8 count as one each. */
#ifndef TEXT_FUZZY_H
#define TEXT_FUZZY_H

#include "base/slice.h"

/* A pattern made ready, with room for the texts. One thread at a time. */
struct text_fuzzy;

struct text_fuzzy *text_fuzzy_new(struct slice pattern);
void text_fuzzy_free(struct text_fuzzy *f); /* NULL is fine */

/* The pattern's characters in their order, maybe with others between: long runs count, gaps cost.
 */
double text_fuzzy_subsequence(struct text_fuzzy *f, struct slice text);
/* The Jaro-Winkler similarity of both. */
double text_fuzzy_jaro_winkler(struct text_fuzzy *f, struct slice text);
/* The pattern as it stands: 1 at the begin, less the later it comes, 0 when it does not. */
double text_fuzzy_substring(const struct text_fuzzy *f, struct slice text);

#endif
