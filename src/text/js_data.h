/* Configuration files that are a JavaScript value (StatsD's config.js, which is evaluated there),
 * as far as they are plain data: objects, lists, strings, numbers, true, false, null. Comments,
 * keys without quotes, single quotes, hexadecimal numbers and commas behind the last item are fine;
 * so is "module.exports =" before and a semicolon behind the value. Whatever would have to be
 * computed (a call, a variable, arithmetic) is refused with its place. Specification: ECMA-262, the
 * grammar of literals. */
#ifndef TEXT_JS_DATA_H
#define TEXT_JS_DATA_H

#include "text/yaml.h"

/* As the tree that YAML gives: strings are quoted scalars, numbers are in decimal. A key that
 * stands twice has its last value, as in JavaScript. All in `arena`. ERR_INVALID with line and
 * column. */
int text_js_parse(struct slice text, struct arena *arena, struct text_yaml **out,
                  struct diag *diag);

#endif
