#include <stdio.h>
#include <string.h>

#include "codec/number.h"
#include "decode/remote_write.h"

static void put_header(struct decode_write_answer *out, const char *name, size_t value)
{
    size_t i = out->header_count++;
    out->headers[i].name = name;
    size_t len = codec_uint_to_text(value, out->headers[i].value);
    out->headers[i].value[len] = '\0';
}

static void append(struct decode_write_answer *out, const char *text)
{
    size_t at = strlen(out->body);
    snprintf(out->body + at, sizeof(out->body) - at, "%s", text);
}

static void append_count(struct decode_write_answer *out, const char *before, size_t n,
                         const char *after)
{
    char text[160];
    snprintf(text, sizeof(text), "%s%zu%s", before, n, after);
    append(out, text);
}

static int whole_status(int err)
{
    switch (err) {
    case ERR_UNSUPPORTED: return 415;
    case ERR_TOO_LARGE: return 413;
    case ERR_INVALID:
    case ERR_CORRUPT:
    case ERR_LIMIT: return 400;
    case ERR_NOMEM:
    case ERR_NOSPACE:
    case ERR_AGAIN:
    case ERR_CANCELLED:
    case ERR_CLOSED:
    case ERR_TIMEOUT: return 503;
    default: return 500;
    }
}

/* "2 of 100 samples refused (missing_name 2); first: ..." */
static void describe_refusals(const struct decode_write_result *r,
                              const struct decode_write_stored *s, struct decode_write_answer *out)
{
    size_t refused = r->refused_samples + r->refused_histograms + r->refused_exemplars;
    size_t total = refused + r->samples + r->histograms + r->exemplars;
    append_count(out, "remote write: ", refused + (s ? s->refused : 0), " of ");
    append_count(out, "", total, " samples, histograms and exemplars refused (");
    const char *comma = "";
    for (int i = 0; i < DECODE_WRITE_REFUSED_COUNT; i++) {
        if (!r->refused[i])
            continue;
        append(out, comma);
        append(out, decode_write_refusal_name((enum decode_write_refusal)i));
        append_count(out, " ", r->refused[i], "");
        comma = ", ";
    }
    if (s && s->refused) {
        append(out, comma);
        append_count(out, "by the store ", s->refused, "");
    }
    append(out, "); the rest is written. First: ");
    if (r->first_refusal.code)
        append(out, r->first_refusal.msg);
    else
        append(out, s && s->first_refusal ? s->first_refusal : "");
    append(out, "\n");
}

void decode_write_answer(int decode_err, const struct diag *diag,
                         const struct decode_write_result *result,
                         const struct decode_write_stored *stored, struct decode_write_answer *out)
{
    memset(out, 0, sizeof(*out));
    int err = decode_err ? decode_err : stored ? stored->err : ERR_AGAIN;
    bool written = !err;
    if (result->version == DECODE_WRITE_V2) {
        put_header(out, "X-Prometheus-Remote-Write-Samples-Written", written ? stored->samples : 0);
        put_header(out, "X-Prometheus-Remote-Write-Histograms-Written",
                   written ? stored->histograms : 0);
        put_header(out, "X-Prometheus-Remote-Write-Exemplars-Written",
                   written ? stored->exemplars : 0);
    }
    if (err) {
        out->status = whole_status(err);
        if (out->status == 503)
            put_header(out, "Retry-After", 5);
        append(out, decode_err && diag && diag->code ? diag->msg
                    : stored && stored->first_refusal && stored->first_refusal[0]
                        ? stored->first_refusal
                        : err_name(err));
        append(out, "\n");
        return;
    }
    size_t refused = stored->refused;
    for (int i = 0; i < DECODE_WRITE_REFUSED_COUNT; i++)
        refused += result->refused[i];
    if (!refused) {
        out->status = 204;
        return;
    }
    out->status = 400;
    describe_refusals(result, stored, out);
}
