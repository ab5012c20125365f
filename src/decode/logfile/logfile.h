/* Lines of a log file to rows of a batch: formats, container runtimes' parts, records of several
 * lines, times and levels. One struct decode_logfile a file keeps what is not whole yet; the
 * offsets it is given come back as the place from which everything that is in no row yet begins. */
#ifndef DECODE_LOGFILE_LOGFILE_H
#define DECODE_LOGFILE_LOGFILE_H

#include "base/buf.h"
#include "decode/logfile/multiline.h"
#include "decode/record.h"

enum decode_logfile_format {
    DECODE_LOGFILE_AUTO, /* what the file's first line looks like */
    DECODE_LOGFILE_PLAIN,
    DECODE_LOGFILE_JSON,   /* an object a line; other lines are plain */
    DECODE_LOGFILE_DOCKER, /* json-file */
    DECODE_LOGFILE_CRI,
    DECODE_LOGFILE_FORMAT_COUNT
};
extern const char *const decode_logfile_formats[]; /* names, NULL-terminated */

enum decode_logfile_encoding {
    DECODE_LOGFILE_UTF8, /* bytes that are none become U+FFFD */
    DECODE_LOGFILE_LATIN1,
    DECODE_LOGFILE_UTF16LE,
    DECODE_LOGFILE_UTF16BE
};
extern const char *const decode_logfile_encodings[];

/* How files are read; may be shared by any number of them. */
struct decode_logfile_rules {
    enum decode_logfile_format format;
    enum decode_logfile_encoding encoding;
    const struct decode_multiline *multiline; /* NULL: a line is a record */
    size_t record_bytes_max; /* longer lines are cut, longer records go on as another */
    bool fields;             /* of JSON and logfmt become attributes, and their message the line */
    bool received;           /* times in lines are not looked for */
    int32_t offset_s;        /* of times that name no zone */
};

/* Where rows go. */
struct decode_logfile_out {
    struct data_event_batch *batch;
    uint64_t serial;              /* another one for each filling of a batch */
    struct decode_record *record; /* DECODE_RECORD_TIME_ANY; its own state only */
    int64_t now_ns;
    int64_t future_ns;            /* times further ahead are not believed */
    size_t lines, cut, bad_times; /* added to */
};

struct decode_logfile_attribute {
    struct slice name, value;
};

/* A record that is not whole yet. */
struct decode_logfile_pending {
    struct buf text;
    bool is_there;
    bool is_partial; /* a runtime's part: the rest must come */
    size_t lines;
    uint64_t begin, end;
    int64_t ts_ns;    /* the runtime's, else 0 */
    int64_t since_ns; /* when it grew last */
};

struct decode_logfile {
    /* The file's, set by the caller; live as long as this. */
    struct data_labels labels; /* of its stream, without duplicates */
    bool service_is_guess;     /* its service_name gives way to what a record says */
    const struct decode_logfile_attribute *attributes; /* of the resource */
    size_t attribute_count;
    /* Private. */
    enum decode_logfile_format format;        /* AUTO until a line came */
    struct decode_logfile_pending pending[2]; /* stdout, stderr */
    int64_t last_ts_ns;                       /* of a line that had one */
    uint64_t serial; /* of the batch that stream and resource are numbers of */
    uint32_t stream, resource;
    uint64_t emitted_to; /* the end of the last line that became a row */
};

/* A line, without its end, that stands at [begin, end) of the file. */
void decode_logfile_line(struct decode_logfile *f, const struct decode_logfile_rules *rules,
                         struct decode_logfile_out *out, struct slice raw, uint64_t begin,
                         uint64_t end);
/* Makes rows of what waits since before `before_ns` (INT64_MAX: of everything). A runtime's parts
 * wait for their rest unless it is everything. */
void decode_logfile_flush(struct decode_logfile *f, const struct decode_logfile_rules *rules,
                          struct decode_logfile_out *out, int64_t before_ns);
/* Bytes before this offset are all in rows; `at` is how far lines were given. */
uint64_t decode_logfile_safe(const struct decode_logfile *f, uint64_t at);
/* Lines behind the safe offset became rows already: starting there again would double them. */
bool decode_logfile_is_ahead(const struct decode_logfile *f, uint64_t at);
/* When the oldest pending record grew last; INT64_MAX: there is none that a timeout ends. */
int64_t decode_logfile_waits_since(const struct decode_logfile *f);
size_t decode_logfile_pending_bytes(const struct decode_logfile *f);
/* Forgets what is pending. */
void decode_logfile_drop(struct decode_logfile *f);
void decode_logfile_deinit(struct decode_logfile *f);

/* The bytes of a line's end in that encoding, and the offset of the first in `s` that is one (units
 * counted from its begin), or -1. */
size_t decode_logfile_newline_bytes(enum decode_logfile_encoding e);
ptrdiff_t decode_logfile_find_newline(enum decode_logfile_encoding e, struct slice s);

#endif
