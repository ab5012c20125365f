import { describe, expect, it } from 'vitest';
import { placeOf } from '../src/editor/traceql';
import { logParts, logText } from '../src/pages/explore/builder/logql';
import { promParts, promText } from '../src/pages/explore/builder/promql';
import { traceParts, traceText } from '../src/pages/explore/builder/traceql';
import { flatStats } from '../src/pages/explore/inspect';
import { nextRefId, panesText, paneOf, parsePanes } from '../src/pages/explore/panes';
import { serviceOf } from '../src/pages/explore/signals';
import { errorPlace, guessUnit, placeOffset } from '../src/pages/explore/state';

const params = (o: Record<string, string>) => new URLSearchParams(o);

describe('panes', () => {
  it('come back from the address as they went', () => {
    const a = { ...paneOf('metrics', ['up', 'rate(x[5m])']), view: { tab: 'table' as const, builder: true } };
    const b = { ...paneOf('traces', ['{ status = error }'], 'b'), view: {} };
    const c = paneOf('logs', ['{a="b"}']);
    expect(parsePanes(params({ panes: panesText([a, b]) })).panes).toEqual([a, b]);
    expect(parsePanes(params({ panes: panesText([c], { from: '1', to: '2' }) }))).toEqual({ panes: [c], range: { from: '1', to: '2' } });
  });
  it("are read from Grafana's links", () => {
    const link = JSON.stringify({ x1: { datasource: 'P8E80F9AEF21F6940', queries: [{ refId: 'A', query: '{}', queryType: 'traceql', datasource: { type: 'tempo', uid: 'P8' } }], range: { from: 'now-1h', to: 'now' } } });
    const p = parsePanes(params({ panes: link }));
    expect(p.panes[0]).toMatchObject({ id: 'x1', signal: 'traces', queries: [{ expr: '{}' }] });
    expect(p.range).toEqual({ from: 'now-1h', to: 'now' });
    expect(parsePanes(params({ panes: JSON.stringify({ a: { datasource: 'loki', queries: [] } }) })).panes[0]!.signal).toBe('logs');
  });
  it('survive what is mangled', () => {
    for (const t of ['{', '[]', 'null', '{"a":null}', '{"a":{"queries":5}}', '{"a":{"queries":[null,5,{"expr":7}],"view":{"columns":[1],"tab":"x"}}}']) {
      expect(parsePanes(params({ panes: t }), 'logs').panes).toEqual([{ id: 'a', signal: 'logs', queries: [], view: {} }]);
    }
    const three = JSON.stringify({ a: {}, b: {}, c: {} });
    expect(parsePanes(params({ panes: three })).panes).toHaveLength(2);
  });
  it('take plain and older parameters', () => {
    expect(parsePanes(params({ 'g0.expr': 'up', 'g1.expr': 'down' })).panes[0]!.queries.map((q) => [q.refId, q.expr])).toEqual([['A', 'up'], ['B', 'down']]);
    expect(parsePanes(params({ q: '{ status = error }' }), 'traces').panes[0]!.queries[0]!.expr).toBe('{ status = error }');
    expect(nextRefId([{ refId: 'A', expr: '', hide: false }, { refId: 'C', expr: '', hide: false }])).toBe('B');
  });
});

describe('PromQL parts', () => {
  it.each([
    'up',
    'up{job="a", x=~"b|c"}',
    'sum by (mode) (rate(node_cpu_seconds_total{mode!="idle"}[$__rate_interval]))',
    'sum without (cpu) (x)',
    'topk(5, sum by (a, b) (rate(x[5m])))',
    'histogram_quantile(0.95, sum by (le) (rate(h_bucket[5m])))',
    'rate(x_bytes[5m]) * 8',
    'sum(abs(x)) > 0',
    '{"http.requests", a="b"}',
    'x{a="q\\"uote"}',
  ])('%s is read and written', (t) => {
    const p = promParts(t)!;
    expect(p).not.toBeNull();
    expect(promText(promParts(promText(p))!)).toBe(promText(p));
    expect(promText(p).replace(/\s/g, '')).toBe(t.replace(/\s/g, ''));
  });
  it('ends where the builder ends', () => {
    for (const t of ['a + b', 'rate(x[5m:1m])', 'sum(rate(x[5m])) / 2 + 1', 'x offset 5m', 'label_replace(x, "a", "b", "c", "d")', 'up{', '"s"', 'max_over_time(rate(x[5m])[1h:])', 'sum(x) by']) expect(promParts(t), t).toBeNull();
    expect(promParts('')).toEqual({ metric: '', matchers: [], operations: [] });
  });
  it('keeps an operator outside of one that binds stronger', () => {
    expect(promText({ metric: 'x', matchers: [], operations: [{ name: '+', arg: '1' }, { name: '*', arg: '2' }] })).toBe('(x + 1) * 2');
    expect(promText(promParts('(x + 1) * 2')!)).toBe('(x + 1) * 2');
  });
});

describe('LogQL parts', () => {
  it.each([
    '{app="a"}',
    '{app="a", env!~"x"} |= "b" != "c" |~ "d.*" | json | status >= 500 | user = "u 1"',
    'sum by (level) (count_over_time({app="a"} |= "b" [$__auto]))',
    'rate({app="a"} | logfmt | dur > 1s [$__auto])',
  ])('%s is read and written', (t) => expect(logText(logParts(t)!)).toBe(t));
  it('ends where the builder ends', () => {
    for (const t of ['{a="b"} | line_format "x"', 'sum(rate({a="b"}[5m]))', '{a="b"} | json | unwrap x', '{a="b"} | json | x="1" | logfmt', 'topk(5, rate({a="b"}[$__auto]))', '{a="b"} or']) expect(logParts(t), t).toBeNull();
  });
});

describe('TraceQL parts', () => {
  it.each([
    '{}',
    '{ resource.service.name = "front" && duration > 100ms && status = error }',
    '{ span.http.status_code >= 500 && .db.system =~ "post.*" }',
    '{ kind = server } | rate() by (resource.service.name)',
    '{ name = "GET /" } | quantile_over_time(duration, 0.5, 0.99)',
    '{} | histogram_over_time(duration)',
    '{ span:duration > 1s }',
    '{ span.x-y = true }',
  ])('%s is read and written', (t) => expect(traceText(traceParts(t)!)).toBe(t));
  it('ends where the builder ends', () => {
    for (const t of ['{ a = 1 || b = 2 }', '{} >> {}', '{} | count() > 2', '{ span.a = "5" }', '{ .a = .b', '{} | rate() | topk(5)', 'nonsense', '{ !x }']) expect(traceParts(t), t).toBeNull();
  });
});

describe('from one signal to another', () => {
  it('a service is found in what is asked', () => {
    expect(serviceOf('{service_name="cart"} |= "x"')).toBe('cart');
    expect(serviceOf('{ resource.service.name = "cart" && status = error }')).toBe('cart');
    expect(serviceOf('rate(x{job="shop/cart"}[5m])')).toBe('cart');
    expect(serviceOf('{job=~"(.*/)?cart"}')).toBe('cart');
    expect(serviceOf('{service_name=~".+"}')).toBe('');
    expect(serviceOf('{service_name!="cart"}')).toBe('');
    expect(serviceOf('sum(rate(traces_spanmetrics_calls_total{service="cart"}[5m]))')).toBe('cart');
    expect(serviceOf('up')).toBe('');
  });
  it('statistics are laid flat', () => {
    expect(flatStats({ a: { b: 1, c: 0, d: '7' }, e: 'x', f: null })).toEqual([['a.b', 1], ['a.d', 7]]);
  });
});

describe('errors and units', () => {
  it('have a place in the text', () => {
    expect(errorPlace('invalid parameter "query": 1:5: parse error: unexpected )')).toEqual({ line: 1, column: 5, message: 'unexpected )' });
    expect(errorPlace('invalid TraceQL query: parse error at line 2, col 12: syntax error: unexpected }')).toEqual({ line: 2, column: 12, message: 'syntax error: unexpected }' });
    expect(errorPlace('nothing of the kind')).toBeNull();
    expect(placeOffset('ab\nçd', 2, 3)).toBe(4);
  });
  it('are guessed from names', () => {
    expect(guessUnit('rate(x_bytes_total[5m])')).toBe('binBps');
    expect(guessUnit('count(x_bytes)')).toBe('none');
  });
});

describe('where a TraceQL query goes on', () => {
  it.each([
    ['{ ', { what: 'name', typed: '' }],
    ['{ resource.serv', { what: 'name', typed: 'resource.serv' }],
    ['{ status = err', { what: 'value', field: 'status', typed: 'err', quoted: false, before: '{  }' }],
    ['{ kind = server && span.http.route = "/a', { what: 'value', field: 'span.http.route', typed: '/a', quoted: true, before: '{ kind = server }' }],
    ['{ kind = server && ', { what: 'name', typed: '' }],
    ['{} | ra', { what: 'stage', typed: 'ra' }],
    ['{} | rate() by (resource.', { what: 'name', typed: 'resource.' }],
    ['{ a = "x" }', { what: '', typed: '' }],
  ])('%s', (text, place) => expect(placeOf(text)).toEqual(place));
});
