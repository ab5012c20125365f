/* Regular expressions: the first line is the pattern, the rest a text. Whatever is taken matches or
 * not, within its effort. */
#include "text/regex.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice text = slice_make(data, size), pattern;
    struct text_regex *re;
    if (size > 2000 || !size)
        return 0;
    slice_split(&text, '\n', &pattern);
    for (unsigned flags = 0; flags < 2; flags++) {
        struct diag d;
        struct slice groups[4];
        diag_init(&d);
        if (text_regex_compile(pattern, flags, &re, &d))
            continue;
        text_regex_match(re, text);
        text_regex_groups(re, text, groups, 4);
        text_regex_free(re);
    }
    return 0;
}
