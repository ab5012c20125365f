/* The values of one field in one row group: the cheapest of several forms that gives every value
 * back exactly. docs/formats/events.md gives the bytes. */
#ifndef STORE_EVENT_COLUMN_H
#define STORE_EVENT_COLUMN_H

#include "base/arena.h"
#include "base/buf.h"
#include "codec/column.h"
#include "data/value.h"
#include "store/event/style.h"

#define STORE_GROUP_ROWS_MAX CODEC_COLUMN_MAX

struct store_split;

/* On disk: never renumber. */
enum store_column_form {
    STORE_COLUMN_DICT = 1,    /* distinct values, and a code a value (none when there is one) */
    STORE_COLUMN_NUMBERS = 2, /* integers, or texts of a style */
    STORE_COLUMN_DOUBLES = 3,
    STORE_COLUMN_FIXED = 4,  /* byte strings of one length, or texts of a style */
    STORE_COLUMN_TEXT = 5,   /* in compressed pages */
    STORE_COLUMN_MIXED = 6,  /* of several kinds */
    STORE_COLUMN_PARENT = 7, /* span ids of earlier rows, by distance */
    STORE_COLUMN_SPLIT = 8,  /* lines as columns: split.h */
};
/* No form of a column: what the forms of a part with tables of events and links count up to. */
#define STORE_COLUMN_TABLES 9
/* The same, and filters may have trace ids twice. */
#define STORE_COLUMN_IDS_TWICE 10

/* Of a column of times (style TIME or CLF): they are by how many units they are off the row's. */
#define STORE_PARAM_RELATIVE 0x80

static inline int64_t store_floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

/* What the group's header says of a column. */
struct store_column_info {
    uint32_t field; /* of the part */
    uint8_t form;
    uint8_t kinds; /* 1 << data_value_kind of those that occur */
    uint32_t present;
    uint8_t style;               /* of texts that are numbers or bytes; 0 also when not told */
    bool packed;                 /* meta is a zstd frame */
    uint32_t meta_len, meta_raw; /* bytes stored, unpacked */
    uint64_t meta_sum;
    uint64_t pages_len; /* behind meta */
    bool has_zone;      /* numbers, or texts of them, lie in [zone_min, zone_max]; others none */
    double zone_min, zone_max;
};

struct store_column_in {
    uint32_t total;                  /* rows of the group */
    size_t count;                    /* of them with a value */
    const uint32_t *rows;            /* which; ascending */
    const struct data_value *values; /* none of them NULL */
    int level;                       /* of zstd */
    /* For parent ids: span ids of all rows (8 bytes each), or NULL. */
    const char *span_ids;
    /* Lines: may be split, so many times more. Then also the times of all rows, ns, which the times
     * in lines mostly are; or NULL. */
    unsigned split;
    const int64_t *times;
    bool place; /* of split lines: times may be kept by how much they are off */
};
/* Appends meta and pages to *out; fills all of info but its field. */
void store_column_encode(const struct store_column_in *in, struct buf *out,
                         struct store_column_info *info);

struct store_column_page {
    uint32_t first, end; /* values */
    uint64_t raw_at, stored_at;
    uint32_t raw_len, stored_len;
    uint64_t sum;
    char *raw; /* unpacked, when it was needed */
};

/* Unpacked, but for its pages. Zero it before decoding. */
struct store_column {
    enum store_column_form form;
    enum data_value_kind kind;
    enum store_style style;
    unsigned param;
    uint32_t total, present;
    unsigned depth;  /* of columns within columns */
    uint32_t *index; /* row -> value, UINT32_MAX = none; NULL when all rows have one */
    struct data_value *dict;
    uint32_t dict_count;
    int64_t *ints; /* NUMBERS, codes of DICT, distances of PARENT */
    double *doubles;
    uint32_t width;    /* FIXED, PARENT */
    const char *fixed; /* FIXED: width bytes a value or run */
    uint32_t *run_of;  /* FIXED: value -> run, or NULL */
    uint8_t *kinds;    /* MIXED */
    uint64_t *offsets; /* TEXT, MIXED: of values in the unpacked text, present + 1 of them */
    struct store_column_page *pages;
    size_t page_count;
    struct slice stored;              /* pages */
    char *meta;                       /* unpacked, owned; dictionary texts lie in it */
    const struct store_column *spans; /* PARENT: the column of span ids */
    struct store_split *split;        /* SPLIT */
    const int64_t *times;             /* SPLIT: of the rows */
    int64_t *own_times;
    size_t page_memory; /* of unpacked pages */
    /* Bits by enum store_event_texts: what is known of all texts, and whether it is so. */
    uint8_t texts_known, texts_are;
};
/* What else a form needs; zero for none. */
struct store_column_context {
    const struct store_column *spans; /* PARENT */
    const int64_t *times;             /* SPLIT: of all rows; outlive the column */
    unsigned depth;                   /* of columns within columns */
};
/* meta and pages as stored. They outlive the column. ERR_CORRUPT; any bytes are safe. */
int store_column_decode(const struct store_column_info *info, uint32_t total, struct slice meta,
                        struct slice pages, const struct store_column_context *context,
                        struct store_column *out);
/* What the header says, but the field. */
void store_column_info_put(const struct store_column_info *info, struct buf *out);
bool store_column_info_take(struct slice *in, struct store_column_info *out);
/* Unpacks everything: ERR_CORRUPT when something is damaged. With check nothing is kept. */
int store_column_unpack(struct store_column *c);
int store_column_check(struct store_column *c);
/* Lengths of all values (of texts; others are 0). */
int store_column_lengths(struct store_column *c, uint32_t *out);
void store_column_free(struct store_column *c);
/* Number of the row's value, or UINT32_MAX. */
static inline uint32_t store_column_index(const struct store_column *c, uint32_t row)
{
    return c->index ? c->index[row] : row;
}
/* The row's value; kind NULL when there is none. Text lies in the column, or in `arena` when it had
 * to be printed. ERR_CORRUPT for a damaged page, ERR_NOMEM when the arena's budget is used up. */
int store_column_get(struct store_column *c, uint32_t row, struct arena *arena,
                     struct data_value *out);
/* The page that holds value `i`, unpacked. NULL when damaged. */
const struct store_column_page *store_column_page_of(struct store_column *c, uint32_t i);
/* Forgets unpacked pages: texts given from them are gone. */
void store_column_drop_pages(struct store_column *c);

#endif
