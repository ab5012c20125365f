import { afterEach, describe, expect, it, vi } from 'vitest';
import { exemplarPoints, traceIdOf } from '../src/api/exemplars';
import type { MultiAnswer } from '../src/api/multi';
import { apart } from '../src/chart/points';
import { refusedBy } from '../src/pages/status/StatusPage';
import { share, tableOf, tracesOf, windowOf, type Call, type Service } from '../src/pages/services/data';
import { sorted } from '../src/pages/services/Figures';
import { callGraph, percent, thickness } from '../src/pages/services/graph';

afterEach(() => vi.restoreAllMocks());

const call = (client: string, server: string, rate: number, more: Partial<Call> = {}): Call => ({ client, server, type: '', rate, failed: 0, seconds: 0.1, p95: 0.2, ...more });
const service = (name: string, rate: number, more: Partial<Service> = {}): Service => ({ name, rate, failed: 0, p50: 0.01, p95: 0.05, p99: 0.1, spans: rate, ...more });
const answer = (series: MultiAnswer['series']): MultiAnswer => ({ kind: 'vector', series, warnings: [], infos: [], exemplars: [] });

describe('metrics of spans', () => {
  it('become tables by their labels', () => {
    const a = answer([
      { labels: { client: 'a', server: 'b', x: '1' }, first: 0, values: [2] },
      { labels: { client: 'a', server: 'c' }, first: 0, values: [NaN] },
      { labels: { server: 'd' }, first: 0, values: [] },
    ]);
    expect([...tableOf(a, 'client', 'server')]).toEqual([['a\x01b', 2]]);
    expect(tableOf(undefined, 'x').size).toBe(0);
  });
  it('are asked over all of the range', () => {
    expect(windowOf(0, 3_600_000)).toBe('3600s');
    expect(windowOf(0, 5000)).toBe('60s');
  });
  it('lead to traces, whatever the names hold', () => {
    expect(tracesOf('a"b')).toBe('{ resource.service.name = "a\\"b" }');
    expect(tracesOf('a', 'GET /', 'status = error')).toBe('{ resource.service.name = "a" && name = "GET /" && status = error }');
  });
});

describe('the service map', () => {
  const links = (name: string, known: boolean) => (known ? [{ title: 't', href: name }] : []);
  it('has a node for each end of a call', () => {
    const g = callGraph([call('user', 'front', 10, { type: 'virtual_node' }), call('front', 'db', 5, { type: 'database', failed: 1 }), call('front', 'queue', 1, { type: 'messaging_system' })], [service('front', 10, { failed: 1 })], links);
    expect(g.nodes.map((n) => [n.id, n.subtitle, n.faint])).toEqual([
      ['user', 'outside', true],
      ['front', '', false],
      ['db', 'database', true],
      ['queue', 'messaging', true],
    ]);
    // A service's own spans say how it does, others are judged by their callers.
    expect(g.nodes[1]!.arcs!.map((a) => a.share)).toEqual([0.9, 0.1]);
    expect(g.nodes[2]!.arcs!.map((a) => a.share)).toEqual([0.8, 0.2]);
    expect(g.nodes[1]!.links).toHaveLength(1);
    expect(g.nodes[0]!.arcs).toBeUndefined();
    expect(g.edges.map((e) => [e.source, e.target, e.color, e.dash])).toEqual([
      ['user', 'front', undefined, undefined],
      ['front', 'db', 'var(--bad)', undefined],
      ['front', 'queue', undefined, '6 4'],
    ]);
  });
  it('keeps services that nobody calls', () => expect(callGraph([], [service('lonely', 1), service('idle', 0)], links).nodes.map((n) => n.id)).toEqual(['lonely']));
  it('draws what is busier thicker', () => {
    expect(thickness(0, 10)).toBe(1);
    expect(thickness(10, 10)).toBe(5);
    expect(thickness(3, 10)).toBeGreaterThan(thickness(1, 10));
    expect(thickness(1, 0)).toBe(1);
  });
  it('says shares of errors', () => {
    expect(share({ rate: 0, failed: 1 })).toBe(0);
    expect(share({ rate: 1, failed: 2 })).toBe(1);
    expect(percent(0.0001)).toBe('<0.1%');
    expect(percent(0.18)).toBe('18%');
  });
});

it('tables sort by figures, names break ties', () => {
  const list = [service('b', 1), service('a', 1), service('c', 3, { p95: null })];
  expect(sorted(list, 'rate', true).map((s) => s.name)).toEqual(['c', 'a', 'b']);
  expect(sorted(list, 'name', false).map((s) => s.name)).toEqual(['a', 'b', 'c']);
  expect(sorted(list, 'p95', true).map((s) => s.name)).toEqual(['a', 'b', 'c']);
});

describe('exemplars', () => {
  const trace = 'ABCDEF0123456789abcdef0123456789';
  it('name their trace', () => {
    expect(traceIdOf({ trace_id: trace })).toBe(trace.toLowerCase());
    expect(traceIdOf({ traceID: 'not hexadecimal' })).toBe('');
    expect(traceIdOf({})).toBe('');
  });
  it('become points once, with a way on', () => {
    const e = { series: { __name__: 'x_bucket', le: '1', job: 'a' }, labels: { trace_id: trace, span_id: '0123456789abcdef' }, value: 0.25, timeMs: 5 };
    const r = { exemplars: [e, { ...e, series: { ...e.series, le: '2' } }, { ...e, value: NaN }] };
    const p = exemplarPoints([r, undefined] as never, 's');
    expect(p).toHaveLength(1);
    expect(p[0]!.href).toContain(`/trace/${trace.toLowerCase()}?`);
    expect(p[0]!.rows[0]).toEqual(['value', '250 ms']);
    expect(p[0]!.rows.map(([k]) => k)).not.toContain('le');
  });
});

it('points that would cover each other are one', () => {
  const at = (x: number, y: number) => ({ x, y });
  expect(apart([at(0, 0), at(1, 1), at(0, 30), at(40, 0), at(41, 1)], 10)).toEqual([at(0, 0), at(0, 30), at(40, 0)]);
});

it('refusals say whose they are', () => {
  expect(refusedBy('pharos_loki_refused_lines_total')).toEqual({ input: 'loki', what: 'lines' });
  expect(refusedBy('pharos_otlp_refused_total')).toEqual({ input: 'otlp', what: '' });
  expect(refusedBy('pharos_ingest_refused_samples_total')).toEqual({ input: 'all inputs', what: 'samples' });
  expect(refusedBy('pharos_input_scrape_samples_refused_total')).toEqual({ input: 'scrape', what: 'samples' });
  expect(refusedBy('odd')).toEqual({ input: 'odd', what: '' });
});
