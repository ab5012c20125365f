/* Pickles that carbon's senders make: lists of (name, (timestamp, value)), protocols 0 to 5. A
 * machine with a stack of values that knows the opcodes of plain data and refuses all others.
 *
 * Values are nodes in one vector; lists and tuples are ranges copied out of the stack when they are
 * made, so each opcode adds at most what it pops. A memo bomb (the same list put into itself over
 * and over) cannot grow: a reference copies an index, never a tree, and the walk over the result
 * looks at each pair once, to a depth of two. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "codec/bytes.h"
#include "codec/number.h"
#include "decode/carbon/carbon.h"

enum kind { NONE, NUMBER, TEXT, SEQUENCE, MARK };

struct node {
    enum kind kind;
    double number;
    struct slice text;
    uint32_t *items; /* of a sequence: nodes; owned by the machine */
    uint32_t count, cap;
};

struct machine {
    struct decode_carbon *d;
    const unsigned char *p, *end;
    VEC(struct node) nodes;
    VEC(uint32_t) stack;
    VEC(uint32_t) memo; /* node + 1; 0 = nothing there */
    size_t work, work_max;
    bool failed;
};

static bool need(struct machine *m, size_t n)
{
    if ((size_t)(m->end - m->p) < n)
        m->failed = true;
    return !m->failed;
}

static uint32_t add(struct machine *m, struct node n)
{
    vec_push(&m->nodes, n);
    return (uint32_t)(m->nodes.len - 1);
}

static void push(struct machine *m, struct node n)
{
    uint32_t i = add(m, n);
    vec_push(&m->stack, i);
}

static void push_number(struct machine *m, double v)
{
    push(m, (struct node){.kind = NUMBER, .number = v});
}

/* Up to the newline, which is taken too. */
static struct slice line(struct machine *m)
{
    const unsigned char *nl = memchr(m->p, '\n', (size_t)(m->end - m->p));
    if (!nl) {
        m->failed = true;
        return (struct slice){NULL, 0};
    }
    struct slice s = slice_make(m->p, (size_t)(nl - m->p));
    m->p = nl + 1;
    return s;
}

static void push_text(struct machine *m, size_t len)
{
    if (!need(m, len))
        return;
    push(m, (struct node){.kind = TEXT, .text = slice_make(m->p, len)});
    m->p += len;
}

static uint64_t little(struct machine *m, unsigned bytes)
{
    uint64_t v = 0;
    if (!need(m, bytes))
        return 0;
    for (unsigned i = 0; i < bytes; i++)
        v |= (uint64_t)m->p[i] << 8 * i;
    m->p += bytes;
    return v;
}

/* Index of the topmost mark in the stack. */
static size_t mark(struct machine *m)
{
    for (size_t i = m->stack.len; i-- > 0;) {
        if (m->nodes.items[m->stack.items[i]].kind == MARK)
            return i;
    }
    m->failed = true;
    return 0;
}

/* Adds stack[from..] to the sequence and drops them from the stack. */
static void extend(struct machine *m, uint32_t node, size_t from)
{
    struct node *n = &m->nodes.items[node];
    size_t more = m->stack.len - from;
    m->work += more + 1;
    if (n->kind != SEQUENCE || m->work > m->work_max) {
        m->failed = true;
        return;
    }
    if (n->count + more > n->cap) {
        n->cap = (uint32_t)MAX(n->count + more, (size_t)n->cap * 2);
        n->items = mem_realloc(n->items, n->cap * sizeof(*n->items));
    }
    if (more)
        memcpy(n->items + n->count, m->stack.items + from, more * sizeof(*n->items));
    n->count += (uint32_t)more;
    m->stack.len = from;
}

static void sequence(struct machine *m, size_t from, size_t drop)
{
    if (m->failed || m->stack.len < from) {
        m->failed = true;
        return;
    }
    uint32_t n = add(m, (struct node){.kind = SEQUENCE});
    extend(m, n, from);
    m->stack.len -= drop;
    vec_push(&m->stack, n);
}

static void tuple(struct machine *m, size_t n)
{
    if (m->stack.len < n)
        m->failed = true;
    else
        sequence(m, m->stack.len - n, 0);
}

static void append(struct machine *m, size_t from, size_t list)
{
    if (!m->failed)
        extend(m, m->stack.items[list], from);
}

static void memo_put(struct machine *m, uint64_t i)
{
    if (!m->stack.len || i > (uint64_t)(m->end - m->p) + m->nodes.len + 65536) {
        m->failed = true;
        return;
    }
    while (m->memo.len <= i)
        vec_push(&m->memo, 0);
    m->memo.items[i] = m->stack.items[m->stack.len - 1] + 1;
}

static void memo_get(struct machine *m, uint64_t i)
{
    if (i >= m->memo.len || !m->memo.items[i])
        m->failed = true;
    else
        vec_push(&m->stack, m->memo.items[i] - 1);
}

static void push_line_number(struct machine *m, bool is_long)
{
    struct slice s = line(m);
    double v;
    if (slice_eq_cstr(s, "00") || slice_eq_cstr(s, "01")) { /* protocol 0's booleans */
        push_number(m, s.ptr[1] - '0');
        return;
    }
    if (is_long && s.len && s.ptr[s.len - 1] == 'L')
        s.len--;
    if (codec_text_to_double(s, &v, NULL))
        push_number(m, v);
    else
        m->failed = true;
}

static void push_long(struct machine *m, size_t len)
{
    double v = 0;
    if (len > 128 || !need(m, len)) {
        m->failed = true;
        return;
    }
    for (size_t i = len; i-- > 0;)
        v = v * 256 + m->p[i];
    if (len && m->p[len - 1] & 0x80)
        v -= ldexp(1, (int)(8 * len));
    m->p += len;
    push_number(m, v);
}

static void push_double(struct machine *m)
{
    uint64_t bits = 0;
    if (!need(m, 8))
        return;
    for (int i = 0; i < 8; i++)
        bits = bits << 8 | m->p[i];
    m->p += 8;
    push_number(m, codec_bits_double(bits));
}

/* 'text' with quotes; escapes do not occur in names and are kept as they are. */
static void push_quoted(struct machine *m)
{
    struct slice s = line(m);
    if (s.len < 2 || s.ptr[0] != s.ptr[s.len - 1] || !strchr("'\"", s.ptr[0]))
        m->failed = true;
    else
        push(m, (struct node){.kind = TEXT, .text = slice_make(s.ptr + 1, s.len - 2)});
}

static void pop(struct machine *m)
{
    if (m->stack.len)
        m->stack.len--;
    else
        m->failed = true;
}

static void index_line(struct machine *m, void (*fn)(struct machine *m, uint64_t i))
{
    uint64_t i;
    if (codec_text_to_uint(line(m), &i))
        fn(m, i);
    else
        m->failed = true;
}

static void at_mark(struct machine *m, bool list)
{
    size_t at = mark(m);
    (void)list;
    if (!m->failed)
        sequence(m, at + 1, 1);
}

static void appends(struct machine *m)
{
    size_t at = mark(m);
    if (m->failed || !at) {
        m->failed = true;
        return;
    }
    append(m, at + 1, at - 1);
    if (!m->failed)
        m->stack.len--; /* the mark */
}

static void append_one(struct machine *m)
{
    if (m->stack.len < 2)
        m->failed = true;
    else
        append(m, m->stack.len - 1, m->stack.len - 2);
}

/* One opcode; true at STOP. */
static bool step(struct machine *m)
{
    switch (*m->p++) {
    case '.': return true;
    case '(': push(m, (struct node){.kind = MARK}); break;
    case '0': pop(m); break;
    case '1': {
        size_t at = mark(m);
        if (!m->failed)
            m->stack.len = at;
        break;
    }
    case 'I': push_line_number(m, false); break;
    case 'L': push_line_number(m, true); break;
    case 'F': push_line_number(m, false); break;
    case 'J': push_number(m, (int32_t)little(m, 4)); break;
    case 'K': push_number(m, (double)little(m, 1)); break;
    case 'M': push_number(m, (double)little(m, 2)); break;
    case 0x8a: push_long(m, little(m, 1)); break;
    case 0x8b: push_long(m, little(m, 4)); break;
    case 'G': push_double(m); break;
    case 'S': push_quoted(m); break;
    case 'V': push(m, (struct node){.kind = TEXT, .text = line(m)}); break;
    case 'U':
    case 'C':
    case 0x8c: push_text(m, little(m, 1)); break;
    case 'T':
    case 'B':
    case 'X': push_text(m, little(m, 4)); break;
    case 0x8d:
    case 0x8e: push_text(m, little(m, 8)); break;
    case 'N': push(m, (struct node){.kind = NONE}); break;
    case 0x88: push_number(m, 1); break;
    case 0x89: push_number(m, 0); break;
    case ']':
    case ')': tuple(m, 0); break;
    case 'l': at_mark(m, true); break;
    case 't': at_mark(m, false); break;
    case 0x85: tuple(m, 1); break;
    case 0x86: tuple(m, 2); break;
    case 0x87: tuple(m, 3); break;
    case 'a': append_one(m); break;
    case 'e': appends(m); break;
    case 'p': index_line(m, memo_put); break;
    case 'g': index_line(m, memo_get); break;
    case 'q': memo_put(m, little(m, 1)); break;
    case 'r': memo_put(m, little(m, 4)); break;
    case 'h': memo_get(m, little(m, 1)); break;
    case 'j': memo_get(m, little(m, 4)); break;
    case 0x94: memo_put(m, m->memo.len); break;
    case 0x80: (void)little(m, 1); break;
    case 0x95: (void)little(m, 8); break;
    default: /* names of code, calls, persistent ids, sets, dictionaries: nothing that carbon sends
              */
        m->failed = true;
    }
    return false;
}

static bool as_number(const struct node *n, double *out)
{
    if (n->kind == TEXT)
        return codec_text_to_double(n->text, out, NULL);
    *out = n->number;
    return n->kind == NUMBER;
}

static void take_point(struct machine *m, uint32_t at, struct data_metric_batch *out)
{
    const struct node *n = m->nodes.items;
    const struct node *pair = &n[at], *inner;
    struct decode_carbon *d = m->d;
    double ts, value;
    if (pair->kind != SEQUENCE || pair->count != 2 || n[pair->items[0]].kind != TEXT ||
        (inner = &n[pair->items[1]])->kind != SEQUENCE || inner->count != 2) {
        decode_carbon__refuse(d, DECODE_CARBON_FIELDS,
                              SLICE("a pickled item that is no (name, "
                                    "(timestamp, value))"));
        return;
    }
    struct slice name = n[pair->items[0]].text;
    if (!as_number(&n[inner->items[1]], &value))
        decode_carbon__refuse(d, DECODE_CARBON_VALUE, name);
    else if (!as_number(&n[inner->items[0]], &ts))
        decode_carbon__refuse(d, DECODE_CARBON_TIMESTAMP, name);
    else
        decode_carbon__take(d, name, ts, value, out);
}

int decode_carbon_pickle(struct decode_carbon *d, struct slice frame, struct data_metric_batch *out)
{
    struct machine m = {.d = d,
                        .p = (const unsigned char *)frame.ptr,
                        .end = (const unsigned char *)frame.ptr + frame.len,
                        .work_max = frame.len * 2 + 64};
    bool stopped = false;
    while (!m.failed && !stopped && m.p < m.end)
        stopped = step(&m);
    const struct node *top =
        stopped && !m.failed && m.stack.len ? &m.nodes.items[m.stack.items[m.stack.len - 1]] : NULL;
    int err = 0;
    if (!top || top->kind != SEQUENCE) {
        decode_carbon__refuse(d, DECODE_CARBON_PICKLE, frame);
        err = ERR_INVALID;
    }
    for (uint32_t i = 0; !err && i < top->count; i++)
        take_point(&m, top->items[i], out);
    for (size_t i = 0; i < m.nodes.len; i++)
        mem_free(m.nodes.items[i].items);
    vec_free(&m.nodes);
    vec_free(&m.stack);
    vec_free(&m.memo);
    return err;
}
