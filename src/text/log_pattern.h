/* What log lines have in common: groups of lines that differ only in some of their words, found one
 * line after the other (P. He et al., "Drain: An Online Log Parsing Approach with Fixed Depth
 * Tree", 2017). A pattern reads "<_> took <_> ms" and matches its lines with LogQL's |>. Not
 * thread-safe. */
#ifndef TEXT_LOG_PATTERN_H
#define TEXT_LOG_PATTERN_H

#include "base/buf.h"
#include "base/slice.h"
#include "base/types.h"

struct text_log_patterns;

/* Holds at most `max` patterns; lines that fit none of them are not grouped then. */
struct text_log_patterns *text_log_patterns_new(size_t max);
void text_log_patterns_free(struct text_log_patterns *p); /* NULL is fine */
/* The number of the pattern that the line belongs to, from 0; SIZE_MAX: the line is too short, too
 * long, nothing but numbers, or there are too many patterns. */
size_t text_log_patterns_add(struct text_log_patterns *p, struct slice line);
size_t text_log_patterns_count(const struct text_log_patterns *p);
/* Appends the pattern as it is now. Different ones may read the same: neighbouring words that
 * differ are one <_>, however many they are. */
void text_log_patterns_print(const struct text_log_patterns *p, size_t i, struct buf *out);

#endif
