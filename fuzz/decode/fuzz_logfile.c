/* Lines of log files under every format, encoding and kind of joining: the place to go on from
 * never goes back below what it was, and ends where the bytes do. The first byte chooses the rules.
 */
#include "decode/logfile/container.h"
#include "decode/logfile/logfile.h"
#include "decode/timestamp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct decode_multiline multiline[4];
    static const char *const presets[] = {"java", "python", "go"};
    if (!size)
        return 0;
    unsigned choice = data[0];
    struct slice bytes = slice_make(data + 1, size - 1);
    struct decode_logfile_rules rules = {.format = choice % DECODE_LOGFILE_FORMAT_COUNT,
                                         .encoding = choice / 8 % 4,
                                         .record_bytes_max = 200,
                                         .fields = choice & 64};
    if (choice & 128) {
        struct decode_multiline *m = &multiline[choice % 3];
        m->lines_max = 5;
        if (!m->regex && decode_multiline_preset(slice_cstr(presets[choice % 3]), m, NULL))
            __builtin_trap();
        rules.multiline = m;
    }
    struct data_label label = {SLICE("service_name"), SLICE("s")};
    struct data_event_batch *b = data_event_batch_new(DATA_EVENT_LOGS, SLICE("default"));
    struct decode_record record = {0};
    struct decode_logfile f = {.labels = {&label, 1}};
    struct decode_logfile_out out = {
        .batch = b, .serial = 1, .record = &record, .now_ns = INT64_C(1704164645000000000)};
    struct decode_container container;
    size_t at = 0, width = decode_logfile_newline_bytes(rules.encoding);
    uint64_t safe = 0;
    decode_container_path(bytes, &container);
    decode_docker_config(bytes, b->arena, &container);
    while (at < bytes.len) {
        struct slice rest = slice_from(bytes, at);
        ptrdiff_t newline = decode_logfile_find_newline(rules.encoding, rest);
        struct slice line = newline < 0 ? rest : slice_first(rest, (size_t)newline);
        size_t end = newline < 0 ? bytes.len : at + line.len + width;
        decode_logfile_line(&f, &rules, &out, line, at, end);
        at = end;
        uint64_t now = decode_logfile_safe(&f, at);
        if (now > at || (now < safe && !decode_logfile_is_ahead(&f, at)))
            __builtin_trap();
        safe = now;
    }
    decode_logfile_flush(&f, &rules, &out, INT64_MAX);
    if (decode_logfile_safe(&f, at) != at || decode_logfile_is_ahead(&f, at))
        __builtin_trap();
    for (size_t i = 0; i < b->rows.len; i++) {
        const struct data_event_attr *a = &b->attrs.items[b->rows.items[i].first];
        if (a->field != DATA_EVENT_LINE || (!rules.fields && a->value.text.len > 200))
            __builtin_trap();
    }
    decode_logfile_deinit(&f);
    decode_record_deinit(&record);
    data_event_batch_free(b);
    return 0;
}
