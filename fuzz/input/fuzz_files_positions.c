/* The table of positions: any bytes are an error or a table that reads back the same. */
#include "codec/bytes.h"
#include "codec/crc32c.h"
#include "input/files/files_priv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct files_positions p, again;
    struct buf text = {0}, second = {0};
    if (!files__positions_decode(slice_make(data, size), &p, NULL))
        files__positions_free(&p);
    /* Past the checksum. */
    buf_append(&text, "PHFILES\n\0\0\0\0", 12);
    buf_append(&text, data, size);
    codec_store32(text.ptr + 8, codec_crc32c(slice_from(buf_slice(&text), 12)));
    if (!files__positions_decode(buf_slice(&text), &p, NULL)) {
        buf_clear(&text);
        files__positions_encode(&p, &text);
        if (files__positions_decode(buf_slice(&text), &again, NULL))
            __builtin_trap();
        files__positions_encode(&again, &second);
        if (!slice_eq(buf_slice(&text), buf_slice(&second)))
            __builtin_trap();
        files__positions_free(&again);
        files__positions_free(&p);
    }
    buf_deinit(&text);
    buf_deinit(&second);
    return 0;
}
