import { describe, expect, it } from 'vitest';
import { formatValue } from '../src/dashboard/variables/formats';
import { interpolate, queryFormat, referenced, type DefaultFormat, type Lookup, type VarValue } from '../src/dashboard/variables/interpolate';
import { intervalMs, intervalText, parseInterval, queryStepMs, rateIntervalMs, snap } from '../src/dashboard/variables/interval';
import { applyRegex, customOptions, sortOptions, unique } from '../src/dashboard/variables/options';
import { parseVariableQuery, queryText } from '../src/dashboard/variables/prom_query';
import { addMatchers, matcherText } from '../src/dashboard/variables/filters';
import { builtin } from '../src/dashboard/variables/builtin';

const vars: Record<string, VarValue> = {
  one: { value: 'a', text: 'A' },
  two: { value: ['a', 'b'], text: ['A', 'B'], multi: true },
  odd: { value: 'x.y"z\\', text: 'odd' },
  all: { value: '.*', text: 'All', multi: true, verbatim: true },
  single: { value: ['a.b'], text: ['a.b'], multi: true },
};
const lookup: Lookup = (n) => vars[n];
const fill = (t: string, f: DefaultFormat = 'glob') => interpolate(t, lookup, f);

describe('interpolation', () => {
  it('knows every way to write a variable', () => {
    expect(fill('$one ${one} [[one]] ${one:raw} [[one:raw]]')).toBe('a a a a a');
    expect(fill('$one-x $oneX ${one}X')).toBe('a-x $oneX aX');
    expect(fill('$nothing ${nothing:csv} [[nothing]] 5$')).toBe('$nothing ${nothing:csv} [[nothing]] 5$');
  });
  it('writes lists in every format', () => {
    const cases: [string, string][] = [
      ['csv', 'a,b'],
      ['raw', 'a,b'],
      ['pipe', 'a|b'],
      ['regex', '(a|b)'],
      ['glob', '{a,b}'],
      ['json', '["a","b"]'],
      ['join:;', 'a;b'],
      ['distributed', 'a,two=b'],
      ['lucene', '("a" OR "b")'],
      ['singlequote', "'a','b'"],
      ['doublequote', '"a","b"'],
      ['sqlstring', "'a','b'"],
      ['html', 'a, b'],
      ['percentencode', '%7Ba%2Cb%7D'],
      ['queryparam', 'var-two=a&var-two=b'],
      ['customqueryparam:v:p-', 'v=p-a&v=p-b'],
      ['text', 'A + B'],
    ];
    for (const [format, want] of cases) expect(fill(`\${two:${format}}`), format).toBe(want);
  });
  it('writes single values in every format', () => {
    expect(formatValue('a.b', 'regex', 'n', 'a.b')).toBe('a\\.b');
    expect(formatValue('a', 'glob', 'n', 'a')).toBe('a');
    expect(formatValue('a', 'json', 'n', 'a')).toBe('a');
    expect(formatValue([], 'lucene', 'n', [])).toBe('__empty__');
    expect(formatValue("it's", 'sqlstring', 'n', '')).toBe("'it''s'");
    expect(formatValue('<b>', 'html', 'n', '')).toBe('&lt;b&gt;');
    expect(formatValue('1700000000000', 'date:iso', 'n', '')).toBe('2023-11-14T22:13:20.000Z');
    expect(formatValue('1700000000000', 'date:seconds', 'n', '')).toBe('1700000000');
  });
  it('quotes single values and matches lists in queries', () => {
    const q = queryFormat as DefaultFormat;
    expect(fill('up{x="$odd"}', q)).toBe('up{x="x.y\\"z\\\\"}');
    expect(fill('up{x=~"$two"}', q)).toBe('up{x=~"(a|b)"}');
    expect(fill('up{x=~"$single"}', q)).toBe('up{x=~"a\\\\.b"}');
    expect(fill('up{x=~"$all"}', q)).toBe('up{x=~".*"}');
  });
  it('finds what a text refers to', () => {
    expect(referenced('label_values(up{job="$job", x="[[x]]"}, ${y:csv})').sort()).toEqual(['job', 'x', 'y']);
  });
  it('has the built-in ones', () => {
    const c = { fromMs: 1_700_000_000_000, toMs: 1_700_003_600_000, intervalMs: 15_000, rateIntervalMs: 60_000 };
    const b = (t: string) => interpolate(t, (n, p) => builtin(n, p, c));
    expect(b('$__interval $__interval_ms $__rate_interval $__range $__range_s $__range_ms')).toBe('15s 15000 1m 3600s 3600 3600000');
    expect(b('${__from} ${__to:date:seconds}')).toBe('1700000000000 1700003600');
  });
});

describe('intervals', () => {
  it('are snapped as Grafana snaps them', () => {
    for (const [ms, want] of [[9, 1], [14, 10], [34, 20], [1499, 1000], [3499, 2000], [7499, 5000], [12_499, 10_000], [17_499, 15_000], [24_999, 20_000], [44_999, 30_000], [89_999, 60_000], [5_399_999, 3_600_000], [86_399_999, 43_200_000], [604_799_999, 86_400_000]] as const) expect(snap(ms), String(ms)).toBe(want);
    expect(snap(50 * 86_400_000)).toBe(365 * 86_400_000);
  });
  it('give steps and windows', () => {
    expect(intervalMs(6 * 3_600_000, 1000, 0)).toBe(20_000);
    expect(intervalMs(300_000, 1000, 15_000)).toBe(15_000);
    expect(queryStepMs(1000, 30 * 86_400_000)).toBeGreaterThanOrEqual((30 * 86_400_000) / 11_000);
    expect(rateIntervalMs(15_000, 15_000)).toBe(60_000);
    expect(rateIntervalMs(300_000, 15_000)).toBe(315_000);
    expect(intervalText(90_000)).toBe('90s');
    expect(intervalText(3_600_000)).toBe('1h');
    expect(parseInterval('>30s')).toBe(30_000);
    expect(parseInterval('15')).toBe(15_000);
    expect(parseInterval('')).toBeNull();
  });
});

describe('options', () => {
  const o = (...v: string[]) => v.map((x) => ({ text: x, value: x }));
  it('are cut by regular expressions', () => {
    expect(applyRegex(o('a-1', 'b-2', 'x'), '/(.*)-\\d/')).toEqual(o('a', 'b'));
    expect(applyRegex(o('node1:9100'), '/(?<text>\\w+):(?<value>\\d+)/')).toEqual([{ text: 'node1', value: '9100' }]);
    expect(applyRegex(o('a1b2'), '/(\\d)/g')).toEqual(o('1', '2'));
    expect(applyRegex(o('keep', 'drop'), '/^k/')).toEqual(o('k'));
    expect(applyRegex(o('a'), '')).toEqual(o('a'));
  });
  it('are sorted and unique', () => {
    const v = o('b', 'A', 'a10', 'a9');
    expect(sortOptions(v, 1).map((x) => x.text)).toEqual(['A', 'a10', 'a9', 'b']);
    expect(sortOptions(v, 7).map((x) => x.text)).toEqual(['A', 'a9', 'a10', 'b']);
    expect(sortOptions(o('x10', 'x9'), 3).map((x) => x.text)).toEqual(['x9', 'x10']);
    expect(sortOptions(v, 2)[0]!.text).toBe('b');
    expect(sortOptions(v, 0)).toBe(v);
    expect(unique([...o('a', 'b'), ...o('a')])).toEqual(o('a', 'b'));
  });
  it('are read from lists', () => {
    expect(customOptions('1s, 15s,  Five minutes : 5m, a\\,b')).toEqual([
      { text: '1s', value: '1s' },
      { text: '15s', value: '15s' },
      { text: 'Five minutes', value: '5m' },
      { text: 'a,b', value: 'a,b' },
    ]);
    expect(customOptions('[{"text":"A","value":"1"}]')).toEqual([{ text: 'A', value: '1' }]);
  });
  it('come from variable queries', () => {
    expect(parseVariableQuery('label_values(node_uname_info{job="$job", a="b,c"}, nodename)')).toEqual({ kind: 'label_values', label: 'nodename', match: 'node_uname_info{job="$job", a="b,c"}' });
    expect(parseVariableQuery('label_values(job)')).toEqual({ kind: 'label_values', label: 'job' });
    expect(parseVariableQuery('label_names()')).toEqual({ kind: 'label_names' });
    expect(parseVariableQuery('metrics(node_.*)')).toEqual({ kind: 'metrics', pattern: 'node_.*' });
    expect(parseVariableQuery('query_result(topk(3, up))')).toEqual({ kind: 'query_result', expr: 'topk(3, up)' });
    expect(parseVariableQuery('up{a="b"}')).toEqual({ kind: 'series', match: 'up{a="b"}' });
    expect(parseVariableQuery('')).toBeNull();
    expect(queryText({ query: 'label_values(up, job)', refId: 'x' })).toBe('label_values(up, job)');
    expect(queryText({ label: 'app', stream: '{a="b"}', type: 1 })).toBe('label_values({a="b"}, app)');
  });
});

describe('ad-hoc filters', () => {
  it('go into every selector and nowhere else', () => {
    const m = ['a="b"'];
    expect(addMatchers('up', m)).toBe('up{a="b"}');
    expect(addMatchers('rate(x{y="{z}"}[5m])', m)).toBe('rate(x{y="{z}",a="b"}[5m])');
    expect(addMatchers('sum by (job) (rate(x_total[$__rate_interval])) / on(job) group_left(v) y{}', m)).toBe('sum by (job) (rate(x_total{a="b"}[$__rate_interval])) / on(job) group_left(v) y{a="b"}');
    expect(addMatchers('sum(x) by (le) > bool 1e3 and "up"', m)).toBe('sum(x{a="b"}) by (le) > bool 1e3 and "up"');
    expect(addMatchers('{a="b"} |= "x" | json', m, false)).toBe('{a="b",a="b"} |= "x" | json');
  });
  it('are matchers', () => {
    expect(matcherText({ key: 'a', operator: '=|', value: 'x.y,z' })).toBe('a=~"x\\\\.y|z"');
    expect(matcherText({ key: 'a b', operator: '!=', value: 'q"' })).toBe('"a b"!="q\\""');
    expect(matcherText({ key: '', operator: '=', value: '' })).toBeNull();
  });
});
