/* Templates beside what Go's text/template gives for the same text. */
#include "text/template/template.h"

#include <setjmp.h>

#include <cmocka.h>

static int shout(struct text_template_call *call, const struct text_template_value *args,
                 size_t count, struct text_template_value *out, struct diag *diag)
{
    (void)count;
    if (!args[0].string.len)
        return diag_set(diag, ERR_INVALID, "nothing to shout");
    *out = text_template_string(arena_printf(call->arena, "%.*s!", SLICE_FMT(args[0].string)));
    return 0;
}

static int half(struct text_template_call *call, const struct text_template_value *args,
                size_t count, struct text_template_value *out, struct diag *diag)
{
    (void)call;
    (void)count;
    (void)diag;
    *out = text_template_float(args[0].number / 2);
    return 0;
}

/* A map that has every key, and a method that joins. */
static bool any_key(struct text_template_call *call, const struct text_template_value *self,
                    struct slice key, struct text_template_value *out)
{
    (void)self;
    *out = text_template_string(arena_printf(call->arena, "<%.*s>", SLICE_FMT(key)));
    return true;
}

static int join(struct text_template_call *call, const struct text_template_value *self,
                struct slice name, const struct text_template_value *args, size_t count,
                struct text_template_value *out, struct diag *diag)
{
    struct buf b = {0};
    (void)self;
    if (!slice_eq_cstr(name, "Join"))
        return ERR_NOT_FOUND;
    if (count < 1)
        return diag_set(diag, ERR_INVALID, "Join wants words");
    for (size_t i = 0; i < count; i++) {
        buf_append_cstr(&b, i ? "+" : "");
        text_template_print(&args[i], &b);
    }
    *out = text_template_string(arena_slice(call->arena, buf_slice(&b)));
    buf_deinit(&b);
    return 0;
}

static const struct text_template_function functions[] = {{"shout", "s", shout},
                                                          {"half", "f", half}};

/* What the text gives, or the message of its error, in `arena`. */
static struct slice render(const char *text, struct arena *arena)
{
    static const struct text_template_type labels_type = {.name = "map[string]string",
                                                          .string_zero = true},
                                           any_type = {.get = any_key, .method = join},
                                           data_type = {.name = "main.Data", .is_struct = true};
    static const struct text_template_value a = {.kind = TEXT_TEMPLATE_STRING, .string = {"x", 1}},
                                            b = {.kind = TEXT_TEMPLATE_STRING,
                                                 .string = {"<y>", 3}},
                                            value = {.kind = TEXT_TEMPLATE_FLOAT, .number = 12.5},
                                            nil = {0},
                                            any = {.kind = TEXT_TEMPLATE_MAP, .type = &any_type},
                                            items[] = {{.kind = TEXT_TEMPLATE_INT, .integer = 3},
                                                       {.kind = TEXT_TEMPLATE_INT, .integer = 5},
                                                       {.kind = TEXT_TEMPLATE_INT, .integer = 8}},
                                            list = {.kind = TEXT_TEMPLATE_LIST,
                                                    .count = 3,
                                                    .items = items},
                                            empty = {.kind = TEXT_TEMPLATE_LIST};
    static const struct text_template_pair pairs[] = {{{"job", 3}, &a}, {{"instance", 8}, &b}};
    static const struct text_template_value labels = {
        .kind = TEXT_TEMPLATE_MAP, .type = &labels_type, .count = 2, .pairs = pairs};
    static const struct text_template_pair fields[] = {
        {{"Labels", 6}, &labels}, {{"Value", 5}, &value}, {{"List", 4}, &list},
        {{"Empty", 5}, &empty},   {{"Nil", 3}, &nil},     {{"Any", 3}, &any}};
    static const struct text_template_value root = {
        .kind = TEXT_TEMPLATE_MAP, .type = &data_type, .count = 6, .pairs = fields};
    struct text_template_env env = {.arena = arena, .output_max = 5000, .steps_max = 20000};
    struct text_template *t;
    struct buf out = {0};
    struct diag d;
    diag_init(&d);
    int err = text_template_new(SLICE("t"), slice_cstr(text), functions, ARRAY_LEN(functions),
                                arena, &t, &d);
    if (!err)
        err = text_template_run(t, &root, &env, &out, &d);
    if (err)
        assert_int_equal(err, d.code);
    struct slice s =
        err ? arena_slice(arena, slice_cstr(d.msg)) : arena_slice(arena, buf_slice(&out));
    buf_deinit(&out);
    return s;
}

struct row {
    const char *text, *want;
};

static void check(const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct arena *arena = arena_new(0, NULL);
        struct slice got = render(rows[i].text, arena);
        if (!slice_eq_cstr(got, rows[i].want))
            fail_msg("%s\n gives  %.*s\n wanted %s", rows[i].text, SLICE_FMT(got), rows[i].want);
        arena_free(arena);
    }
}

static void gives_what_go_gives(void **state)
{
    static const struct row rows[] = {
        {"plain", "plain"},
        {"a {{- 1 -}} b", "a1b"},
        {"a {{-1}} b", "a -1 b"},
        {"a\n{{- /* no */ -}}\n b{{/* x */}}c", "abc"},
        {"{{.Labels.job}} {{.Labels.none}}|{{.Nil}}", "x |<no value>"},
        {"{{.Value}} {{1e6}} {{1e20}} {{0.00001}} {{100000.0}} {{1_000}} {{0x1F}} {{'a'}}",
         "12.5 1e+06 1e+20 1e-05 100000 1000 31 97"},
        {"{{true}} {{\"q\\tq\\u00e9\\x41\\101\"}} {{`r\\n`}}", "true q\tq\xc3\xa9"
                                                               "AA r\\n"},
        {"{{.Labels}} {{.List}} {{len .Labels}} {{len .List}} {{len \"abc\"}}",
         "map[instance:<y> job:x] [3 5 8] 2 3 3"},
        {"{{if .Empty}}a{{else if .List}}b{{else}}c{{end}}", "b"},
        {"{{if and .List .Nil}}a{{else}}c{{end}}{{or 0 \"\" \"z\"}}{{not 0}}", "cztrue"},
        {"{{range .List}}{{.}},{{end}}{{range .Empty}}x{{else}}none{{end}}", "3,5,8,none"},
        {"{{range $i, $e := .List}}{{$i}}={{$e}} {{end}}", "0=3 1=5 2=8 "},
        {"{{range $e := .List}}{{if eq $e 5}}{{continue}}{{end}}{{$e}}{{end}}", "38"},
        {"{{range $e := .List}}{{if eq $e 5}}{{break}}{{end}}{{$e}}{{end}}", "3"},
        {"{{range $k, $v := .Labels}}{{$k}}:{{$v}};{{end}}", "instance:<y>;job:x;"},
        {"{{range 3}}{{.}}{{end}}", "012"},
        {"{{with .Labels}}{{.job}}{{end}}{{with .Empty}}a{{else}}b{{end}}", "xb"},
        {"{{with .Nil}}a{{else with .Value}}{{.}}{{end}}", "12.5"},
        {"{{$x := 1}}{{if true}}{{$x = 2}}{{$x := 3}}{{end}}{{$x}}", "2"},
        {"{{$x := .Labels.job}}{{with .Value}}{{$x}} {{$.Value}}{{end}}", "x 12.5"},
        {"{{define \"a\"}}[{{.}}]{{end}}{{template \"a\" .Value}}{{template \"a\"}}",
         "[12.5][<no value>]"},
        {"{{block \"b\" .List}}{{len .}}{{end}}", "3"},
        {"{{\"a\" | shout | shout}} {{shout (print 1 2 \"c\" \"d\" 3)}}", "a!! 1 2cd3!"},
        {"{{half 3}} {{half 3.0}} {{.Value | half}}", "1.5 1.5 6.25"},
        {"{{.Any.foo}} {{.Any.Join 1 \"b\"}} {{\"z\" | .Any.Join 2}} {{(index .List 1)}}",
         "<foo> 1+b 2+z 5"},
        {"{{index .Labels \"job\"}}{{index .Labels \"none\"}}{{slice \"abcdef\" 1 3}}{{slice .List "
         "1}}",
         "xbc[5 8]"},
        {"{{html .Labels.instance}} {{urlquery \"a b&c\"}} {{println 1 \"a\"}}",
         "&lt;y&gt; a+b%26c 1 a\n"},
        {"{{eq 1 2 1}} {{eq \"a\" \"b\"}} {{ne 1 2}} {{lt 1 2}} {{le 2 2}} {{gt 1.5 1.0}} {{ge "
         "\"b\" \"a\"}}",
         "true false true true true true true"},
        {"{{1 | eq 1}}{{(.Labels).job}}{{(print \"a\")}}", "truexa"},
        {"{{printf \"%d|%5d|%-5d|%05d|%+d|%x|%X|%o|%b|%c|%U|%q\" 42 42 42 -42 42 255 255 8 5 65 65 "
         "65}}",
         "42|   42|42   |-0042|+42|ff|FF|10|101|A|U+0041|'A'"},
        {"{{printf \"%f|%.2f|%8.3f|%e|%g|%v|%6.1f|%-8.1f|%+.1f\" 1.5 1.005 3.14159 1500.0 1e21 2.0 "
         "2.25 2.25 1.0}}",
         "1.500000|1.00|   3.142|1.500000e+03|1e+21|2|   2.2|2.2     |+1.0"},
        {"{{printf \"%s|%10s|%-10s|%.2s|%q|%x|%v|%t|%%\" \"ab\" \"cd\" \"ef\" \"ghi\" \"j\\\"\" "
         "\"kl\" \"m\" true}}",
         "ab|        cd|ef        |gh|\"j\\\"\"|6b6c|m|true|%"},
        {"{{printf \"%d\" \"a\"}} {{printf \"%s\" 5}} {{printf \"%d\"}} {{printf \"x\" 1}} "
         "{{printf \"%z\" 1}} {{printf \"%\"}}",
         "%!d(string=a) %!s(int=5) %!d(MISSING) x%!(EXTRA int=1) %!z(int=1) %!(NOVERB)"},
        {"{{printf \"%[2]d %[1]d %*d\" 1 2 5}}", "2 1  5"},
        {"{{printf \"%v %s %T %T\" .List .Labels .Value 1}}",
         "[3 5 8] map[instance:<y> job:x] float64 int"},
        {"{{printf \"%v\" nil}} {{print nil}}", "<nil> <nil>"},
    };
    check(rows, ARRAY_LEN(rows));
}

static void refuses_as_go_does(void **state)
{
    static const struct row rows[] = {
        {"{{nope 1}}", "template: t:1: function \"nope\" not defined"},
        {"a\n{{$x}}", "template: t:2: undefined variable \"$x\""},
        {"{{if .Value}}", "template: t:1: unexpected EOF"},
        {"{{end}}", "template: t:1: unexpected {{end}}"},
        {"{{.Value", "template: t:1: unclosed action"},
        {"{{}}", "template: t:1: missing value for command"},
        {"{{if}}a{{end}}", "template: t:1: missing value for if"},
        {"{{\"a}}", "template: t:1: unterminated quoted string"},
        {"{{/* a }}", "template: t:1: unclosed comment"},
        {"{{(1}}", "template: t:1: unclosed left paren"},
        {"{{1)}}", "template: t:1: unexpected right paren"},
        {"{{1 | 2}}", "template: t:1: non executable command in pipeline stage 2"},
        {"{{break}}", "template: t:1: {{break}} outside {{range}}"},
        {"{{.Value}{{", "template: t:1: bad character U+007D '}'"},
        {"{{1a}}", "template: t:1: bad number syntax: \"1a\""},
        {"{{if 1}}{{else}}{{else}}{{end}}", "template: t:1: expected end; found {{else}}"},
        {"{{.Nope}}", "template: t:1:2: executing \"t\" at <.Nope>: can't evaluate field Nope in "
                      "type main.Data"},
        {"{{.Value.x}}",
         "template: t:1:8: executing \"t\" at <.Value.x>: can't evaluate field x in type float64"},
        {"\n  {{shout 1}}",
         "template: t:2:4: executing \"t\" at <shout>: expected string; found 1"},
        {"{{shout .Value}}",
         "template: t:1:2: executing \"t\" at <shout>: wrong type for value; expected string; got "
         "float64"},
        {"{{shout}}",
         "template: t:1:2: executing \"t\" at <shout>: wrong number of args for shout: want 1 got "
         "0"},
        {"{{shout \"\"}}",
         "template: t:1:2: executing \"t\" at <shout>: error calling shout: nothing to shout"},
        {"{{lt 1 1.5}}",
         "template: t:1:2: executing \"t\" at <lt>: error calling lt: incompatible types for "
         "comparison"},
        {"{{template \"x\"}}",
         "template: t:1:2: executing \"t\" at <template>: template \"x\" not defined"},
        {"{{range .Value}}{{end}}",
         "template: t:1:8: executing \"t\" at <.Value>: range can't iterate over 12.5"},
        {"{{index .List 9}}", "template: t:1:2: executing \"t\" at <index>: error calling index: "
                              "index out of range: 9"},
        {"{{define \"r\"}}{{template \"r\"}}{{end}}{{template \"r\"}}",
         "template: t:1:16: executing \"r\" at <template>: exceeded maximum template depth (100)"},
        {"{{range 1000}}{{range 1000}}{{end}}{{end}}",
         "template: t:1:16: executing \"t\" at <range>: the template takes more than 20000 steps"},
        {"{{range 100}}{{printf \"%100d\" 1}}{{end}}",
         "template: t:1:15: executing \"t\" at <printf>: the template writes more than 5000 bytes"},
    };
    check(rows, ARRAY_LEN(rows));
}

static void errors_have_a_place(void **state)
{
    struct arena *arena = arena_new(0, NULL);
    struct text_template *t;
    struct diag d;
    diag_init(&d);
    assert_int_equal(
        text_template_new(SLICE("t"), SLICE("ab\n c {{ nope }}"), NULL, 0, arena, &t, &d),
        ERR_INVALID);
    assert_int_equal(d.line, 2);
    assert_int_equal(d.col, 7);
    assert_null(t);
    arena_free(arena);
}

static void a_set_grows(void **state)
{
    struct arena *arena = arena_new(0, NULL);
    struct text_template_env env = {.arena = arena};
    struct text_template_value data = text_template_int(7);
    struct text_template *t;
    struct buf out = {0};
    assert_int_equal(
        text_template_new(SLICE("a"), SLICE("{{define \"x\"}}1{{end}}"), NULL, 0, arena, &t, NULL),
        0);
    assert_int_equal(text_template_add(t, SLICE("b"), SLICE("{{define \"x\"}}2{{.}}{{end}}"), NULL),
                     0);
    assert_true(text_template_has(t, SLICE("x")));
    assert_false(text_template_has(t, SLICE("y")));
    assert_int_equal(text_template_run_named(t, SLICE("x"), &data, &env, 0, &out, NULL), 0);
    assert_true(slice_eq_cstr(buf_slice(&out), "27"));
    assert_int_equal(text_template_run_named(t, SLICE("y"), &data, &env, 0, &out, NULL),
                     ERR_NOT_FOUND);
    buf_deinit(&out);
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gives_what_go_gives),
        cmocka_unit_test(refuses_as_go_does),
        cmocka_unit_test(errors_have_a_place),
        cmocka_unit_test(a_set_grows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
