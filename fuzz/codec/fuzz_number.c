/* Numbers: what is taken is what the C library reads, and it prints back to itself. */
#include <math.h>
#include <stdlib.h>

#include "codec/bytes.h"
#include "codec/number.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    double v, back;
    char text[CODEC_DOUBLE_TEXT_MAX], copy[300];
    if (size >= sizeof(copy) || !codec_text_to_double(slice_make(data, size), &v, NULL))
        return 0;
    memcpy(copy, data, size);
    copy[size] = '\0';
    if (isnan(v))
        return 0;
    if (codec_double_bits(v) != codec_double_bits(strtod(copy, NULL)))
        abort();
    size_t n = codec_double_to_text(v, CODEC_DOUBLE_GENERAL, text);
    if (!codec_text_to_double(slice_make(text, n), &back, NULL) ||
        codec_double_bits(back) != codec_double_bits(v))
        abort();
    return 0;
}
