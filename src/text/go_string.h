/* String literals as Go writes them (Go specification, "String literals"; strconv.Quote). */
#ifndef TEXT_GO_STRING_H
#define TEXT_GO_STRING_H

#include "base/buf.h"
#include "base/slice.h"

/* Appends the value of a literal with its quotes: "...", '...' (taken as a string) or `...`.
 * ERR_INVALID when it is none. */
int text_go_unquote(struct slice literal, struct buf *out);
/* Appends "..." as strconv.Quote does: control characters and invalid bytes as escapes. */
void text_go_quote(struct slice s, struct buf *out);

#endif
