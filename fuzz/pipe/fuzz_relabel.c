/* Rules as YAML, then (behind a NUL) labels as name=value lines: whatever is accepted can be
 * applied and leaves a label set. */
#include "base/assert.h"
#include "pipe/relabel.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice labels = slice_make(data, size), rules, line, name;
    if (!size || !slice_split(&labels, '\0', &rules))
        return 0;
    struct arena *arena = arena_new(0, NULL);
    struct text_yaml *root;
    struct pipe_relabel r;
    struct diag diag;
    diag_init(&diag);
    if (text_yaml_parse(rules, arena, &root, &diag) == 0) {
        int err = pipe_relabel_parse(root, arena, &r, &diag);
        base_assert(err == 0 || diag.code);
        if (!err) {
            struct data_labels_builder b = {0};
            while (slice_split(&labels, '\n', &line)) {
                slice_split(&line, '=', &name);
                if (name.len && line.ptr)
                    data_labels_builder_set(&b, name, line);
            }
            struct data_labels out;
            if (pipe_relabel_apply(&r, &b, arena, NULL) == PIPE_RELABEL_KEPT)
                base_assert(data_labels_builder_finish(&b, &out, &diag) == 0);
            data_labels_builder_deinit(&b);
            pipe_relabel_deinit(&r);
        }
    }
    arena_free(arena);
    return 0;
}
