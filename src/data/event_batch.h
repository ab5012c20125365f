/* A batch of events, log lines or spans, on their way in: what decoders build, processors change,
 * and a sink (the store, or an output) takes. A row is a time, a stream, and typed fields; nothing
 * but the stream's labels is an identity, so a field may have any number of values.
 *
 *     struct data_event_batch *b = data_event_batch_new(DATA_EVENT_LOGS, tenant);
 *     uint32_t stream = data_event_batch_add_stream(b, labels);
 *     uint32_t user = data_event_batch_field(b, DATA_SCOPE_ATTRIBUTE, SLICE("user.id"));
 *     data_event_batch_add_row(b, stream, ts_ns);
 *     data_event_put(b, DATA_EVENT_LINE, data_value_string(line));
 *     data_event_put(b, user, data_value_int(42));
 *
 * Built by one thread; read-only once handed to a sink. Texts are not copied: they live in the
 * batch's arena (data_event_batch_copy) or in memory its maker keeps until the batch is freed. */
#ifndef DATA_EVENT_BATCH_H
#define DATA_EVENT_BATCH_H

#include "base/arena.h"
#include "base/hash.h"
#include "base/vec.h"
#include "data/labels.h"
#include "data/value.h"

enum data_event_table { DATA_EVENT_LOGS, DATA_EVENT_SPANS, DATA_EVENT_TABLE_COUNT };

/* Where a field comes from. Names are unique within a scope and keep their dots. */
enum data_event_scope {
    DATA_SCOPE_INTRINSIC, /* what every event has: the fixed numbers below */
    DATA_SCOPE_ATTRIBUTE, /* of the log record (structured metadata) or span */
    DATA_SCOPE_RESOURCE,  /* a resource attribute that is no label of the stream */
    DATA_SCOPE_SCOPE,     /* an instrumentation scope's attribute */
    DATA_SCOPE_STREAM,    /* a label of the stream: only when reading */
    DATA_SCOPE_EVENT,     /* of a span's events, and */
    DATA_SCOPE_LINK,      /* of its links: only when reading */
    DATA_SCOPE_COUNT
};

/* Intrinsic fields: their numbers are the same in every batch, and on disk; never renumber. All may
 * be missing. Kinds other than the one given are refused by the store. */
enum data_event_intrinsic {
    /* logs */
    DATA_EVENT_LINE = 0,          /* string: the line, or the body when it is no string as JSON */
    DATA_EVENT_LEVEL = 1,         /* string: data_event_level_name() of the level found */
    DATA_EVENT_SEVERITY = 2,      /* int 1-24: OTLP's severity number */
    DATA_EVENT_SEVERITY_TEXT = 3, /* string, as it was sent */
    DATA_EVENT_OBSERVED_TIME = 4, /* int: ns since 1970 */
    DATA_EVENT_EVENT_NAME = 5,    /* string */
    DATA_EVENT_BODY_KIND = 6,     /* int: data_value_kind of a body that was no string */
    /* logs and spans */
    DATA_EVENT_TRACE_ID = 8,            /* 16 bytes */
    DATA_EVENT_SPAN_ID = 9,             /* 8 bytes */
    DATA_EVENT_FLAGS = 10,              /* int: 32 bits */
    DATA_EVENT_DROPPED_ATTRIBUTES = 11, /* int */
    DATA_EVENT_SCOPE_NAME = 12,         /* string */
    DATA_EVENT_SCOPE_VERSION = 13,      /* string */
    DATA_EVENT_SCOPE_DROPPED = 14,      /* int: attributes */
    DATA_EVENT_RESOURCE_DROPPED = 15,   /* int: attributes */
    DATA_EVENT_SCOPE_SCHEMA = 16,       /* string: URL */
    DATA_EVENT_RESOURCE_SCHEMA = 17,    /* string: URL */
    /* spans; the row's time is the start */
    DATA_EVENT_PARENT_ID = 20,      /* 8 bytes; missing for a root */
    DATA_EVENT_NAME = 21,           /* string */
    DATA_EVENT_KIND = 22,           /* int 0-5, OTLP's */
    DATA_EVENT_STATUS = 23,         /* int 0 unset, 1 ok, 2 error */
    DATA_EVENT_STATUS_MESSAGE = 24, /* string */
    DATA_EVENT_DURATION = 25,       /* int: ns, not negative */
    DATA_EVENT_TRACE_STATE = 26,    /* string */
    DATA_EVENT_DROPPED_EVENTS = 27, /* int */
    DATA_EVENT_DROPPED_LINKS = 28,  /* int */
    DATA_EVENT_INTRINSIC_COUNT = 32
};
/* "line", "level", "trace_id", ...; NULL for a number that is none. */
const char *data_event_intrinsic_name(uint32_t id);
/* The kind it has to have. */
enum data_value_kind data_event_intrinsic_kind(uint32_t id);

/* Normalised levels, as Loki's detected_level has them. */
enum data_event_level {
    DATA_LEVEL_UNKNOWN,
    DATA_LEVEL_TRACE,
    DATA_LEVEL_DEBUG,
    DATA_LEVEL_INFO,
    DATA_LEVEL_WARN,
    DATA_LEVEL_ERROR,
    DATA_LEVEL_CRITICAL,
    DATA_LEVEL_FATAL,
    DATA_LEVEL_COUNT
};
struct slice data_event_level_name(enum data_event_level level); /* "unknown", "trace", ... */
/* One of those names, exactly; DATA_LEVEL_UNKNOWN for anything else. */
enum data_event_level data_event_level_parse(struct slice name);
/* The level that an abbreviation or spelling in any case stands for: trace trc debug dbg info inf
 * information warn wrn warning err error critical fatal; DATA_LEVEL_UNKNOWN for anything else. */
enum data_event_level data_event_level_guess(struct slice word);
/* Of OTLP's severity numbers 1-24. */
enum data_event_level data_event_level_of_severity(int64_t severity);

struct data_event_stream {
    struct slice key;  /* canonical label key (data/labels.h) */
    struct hash128 id; /* data_labels_key_hash(key) */
};

struct data_event_field {
    enum data_event_scope scope;
    struct slice name;
};

struct data_event_attr {
    uint32_t field; /* an intrinsic's number, or what data_event_batch_field gave */
    struct data_value value;
};

/* Attributes that rows share: a resource's, or a scope's with its name and version. */
struct data_event_set {
    uint32_t first, count; /* in attrs */
};

#define DATA_EVENT_NONE UINT32_MAX

struct data_event_row {
    int64_t ts_ns; /* since 1970 */
    uint32_t stream;
    uint32_t first, count;    /* in attrs. Of a field that is there twice the last one counts */
    uint32_t resource, scope; /* sets, or DATA_EVENT_NONE */
    uint32_t first_child, child_count;
};

enum data_event_child_kind { DATA_CHILD_EVENT, DATA_CHILD_LINK };

/* An event or a link of a span. */
struct data_event_child {
    enum data_event_child_kind kind;
    int64_t ts_ns;                               /* events */
    struct slice name;                           /* events */
    struct slice trace_id, span_id, trace_state; /* links: 16 and 8 bytes, text */
    uint32_t flags;                              /* links */
    uint32_t dropped;                            /* attributes */
    uint32_t first, count;                       /* in child_attrs; scope ATTRIBUTE */
};

/* What events and links have beside attributes: the same numbers on disk; never renumber. */
enum data_event_child_field {
    DATA_CHILD_NAME = 1,        /* string; events */
    DATA_CHILD_TIME = 2,        /* int: ns since the span's start; events */
    DATA_CHILD_TRACE_ID = 3,    /* 16 bytes; links */
    DATA_CHILD_SPAN_ID = 4,     /* 8 bytes; links */
    DATA_CHILD_TRACE_STATE = 5, /* string; links */
    DATA_CHILD_FLAGS = 6,       /* int; links */
    DATA_CHILD_DROPPED = 7,     /* int: attributes */
    DATA_CHILD_FIELD_COUNT
};

/* How far a reader has come, kept with the rows that it read up to there: both are there after a
 * crash, or neither. An empty value forgets the key. */
struct data_event_note {
    struct slice key, value;
};

struct data_event_batch {
    enum data_event_table table;
    struct arena *arena; /* owned */
    struct slice tenant; /* "default" unless said otherwise */
    VEC(struct data_event_stream) streams;
    /* [0, DATA_EVENT_INTRINSIC_COUNT) are the intrinsics. */
    VEC(struct data_event_field) fields;
    VEC(struct data_event_attr) attrs;
    VEC(struct data_event_set) sets;
    VEC(struct data_event_row) rows;
    VEC(struct data_event_child) children;
    VEC(struct data_event_attr) child_attrs;
    VEC(struct data_event_note) notes;
    /* NULL, or its maker's array of rows.len bytes for what the sink says of each row before it
     * returns: 0 taken, else 1 + the reason (enum pipe_refusal). Not when the batch fails whole. */
    uint8_t *row_refusals;
    /* Private: field numbers by scope and name. */
    uint32_t *field_table;
    size_t field_table_size;
    bool in_set; /* data_event_put goes to the set begun last */
};

struct data_event_batch *data_event_batch_new(enum data_event_table table, struct slice tenant);
void data_event_batch_free(struct data_event_batch *b); /* NULL is fine */
/* Empties for reuse, keeping memory and tenant; fields and streams are forgotten too. */
void data_event_batch_reset(struct data_event_batch *b);
/* Text that lives as long as the batch. */
struct slice data_event_batch_copy(struct data_event_batch *b, struct slice text);
/* Adds a stream (copying its key into the arena); returns its index. Same labels twice give two
 * entries: that is allowed. No labels at all are refused by the store. */
uint32_t data_event_batch_add_stream(struct data_event_batch *b, struct data_labels labels);
/* Same with a ready canonical key that lives as long as the batch. */
uint32_t data_event_batch_add_stream_key(struct data_event_batch *b, struct slice key);
/* The number of a field, interned (the name is copied when it is new). Not for INTRINSIC (its
 * numbers are fixed) nor STREAM. */
uint32_t data_event_batch_field(struct data_event_batch *b, enum data_event_scope scope,
                                struct slice name);
/* Begins a set; data_event_put adds to it until a row or set is begun. Returns its index. */
uint32_t data_event_batch_add_set(struct data_event_batch *b);
/* Begins a row; returns its index. `resource` and `scope` may be set in it later. */
uint32_t data_event_batch_add_row(struct data_event_batch *b, uint32_t stream, int64_t ts_ns);
/* Adds a field to the row (or set) begun last. A NULL value adds nothing. */
void data_event_put(struct data_event_batch *b, uint32_t field, struct data_value value);
/* Adds an event or link to the row begun last; its attributes follow by data_event_child_put. May
 * be mixed with data_event_put. first and count are filled in. */
void data_event_batch_add_child(struct data_event_batch *b, const struct data_event_child *child);
void data_event_child_put(struct data_event_batch *b, uint32_t field, struct data_value value);
/* Texts are copied. Of notes with one key the one appended last counts; batches that have one are
 * appended one after the other, each behind the last one's acknowledgement. */
void data_event_batch_note(struct data_event_batch *b, struct slice key, struct slice value);
/* The row's own value of a field, or a NULL value; sets are not looked at. */
struct data_value data_event_get(const struct data_event_batch *b, uint32_t row, uint32_t field);

/* The spelling of a name with nothing but [a-zA-Z0-9_]: anything else becomes '_' (a character of
 * several bytes becomes one), a leading digit gets "_" in front. Appends. */
void data_event_name_sanitize(struct slice name, struct buf *out);
/* `asked` finds a field (or label) named `stored`: they are equal, or one is the other's
 * sanitised spelling. */
bool data_event_name_matches(struct slice stored, struct slice asked);

#endif
