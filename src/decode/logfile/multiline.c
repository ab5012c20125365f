#include "decode/logfile/multiline.h"

/* All are about lines that go on, so they are negated. */
static const struct {
    struct slice name, regex;
} presets[] = {
    {SLICE_INIT("java"),
     SLICE_INIT("^(\\s+at |\\s+\\.\\.\\. \\d+ |\\s*(Caused by|Suppressed): |\\s|"
                "[\\w.$]+(Exception|Error|Throwable)\\b[^ ]*(:|$))")},
    {SLICE_INIT("python"),
     SLICE_INIT("^(\\s|Traceback \\(most recent call last\\):|During handling of the above |"
                "The above exception was the direct cause |"
                "[A-Za-z_][\\w.]*(Error|Exception|Warning|Interrupt|Exit|Group|StopIteration)"
                "\\b[^ ]*(:|$)|$)")},
    {SLICE_INIT("go"),
     SLICE_INIT("^(\\s|goroutine \\d+ \\[|created by |\\[signal |exit status |panic\\(|"
                "[\\w.\\-/]+\\.[\\w.*()]+\\(.*\\)$|[\\w.]+\\(.*0x[0-9a-f]+.*\\)$|$)")},
};

int decode_multiline_preset(struct slice name, struct decode_multiline *out, struct diag *diag)
{
    for (size_t i = 0; i < ARRAY_LEN(presets); i++) {
        if (!slice_eq(name, presets[i].name))
            continue;
        out->negate = true;
        return text_regex_compile(presets[i].regex, 0, &out->regex, diag);
    }
    return diag_set(diag, ERR_NOT_FOUND, "\"%.*s\" is no preset: java, python and go are there",
                    SLICE_FMT(name));
}

bool decode_multiline_begins(const struct decode_multiline *m, struct slice line)
{
    return text_regex_match(m->regex, line) != m->negate;
}

void decode_multiline_deinit(struct decode_multiline *m)
{
    text_regex_free(m->regex);
    m->regex = NULL;
}
