import { describe, expect, it } from 'vitest';
import { redPanels } from '../src/pages/traces/panels';
import { traceGraph } from '../src/traces/calls';
import { bySpan } from '../src/traces/trace_logs';
import { visibleRows } from '../src/traces/Waterfall';
import { criticalPath, hexId, parseTrace, valueText } from '../src/traces/trace';

const span = (id: string, parent: string, start: number, end: number, more: object = {}) => ({ spanId: id.repeat(16), parentSpanId: parent && parent.repeat(16), name: id, startTimeUnixNano: `170000000000000${String(start).padStart(4, '0')}`, endTimeUnixNano: `170000000000000${String(end).padStart(4, '0')}`, ...more });
const trace = (...spans: object[]) => ({ batches: [{ resource: { attributes: [{ key: 'service.name', value: { stringValue: 's' } }] }, scopeSpans: [{ scope: { name: 'lib' }, spans }] }] });

describe('drawings over a search', () => {
  it('durations have exemplars, spans a second have none', () => {
    const [rate, duration] = redPanels([{ refId: 'A', expr: '{}' }]);
    expect(rate!.targets!.map((t) => t['exemplars'])).toEqual([0]);
    expect(duration!.targets!.map((t) => t['exemplars'])).toEqual([undefined]);
  });
});

describe('traces', () => {
  it('are laid out depth first, siblings by their start', () => {
    const t = parseTrace(trace(span('c', 'a', 50, 90), span('a', '', 0, 100), span('b', 'a', 10, 40, { status: { code: 2, message: 'no' } }), span('d', 'b', 20, 30)))!;
    expect(t.spans.map((s) => [s.name, s.depth, s.below, s.startNs, s.durationNs])).toEqual([['a', 0, 3, 0, 100], ['b', 1, 1, 10, 30], ['d', 2, 0, 20, 10], ['c', 1, 0, 50, 40]]);
    expect(t).toMatchObject({ durationNs: 100, services: ['s'], errors: 1 });
    expect([...criticalPath(t)].map((id) => id[0]).sort()).toEqual(['a', 'b', 'c', 'd']);
    const beside = parseTrace(trace(span('a', '', 0, 100), span('b', 'a', 10, 80), span('c', 'a', 20, 90)))!;
    expect([...criticalPath(beside)].map((id) => id[0])).toEqual(['a', 'c']);
  });
  it('keep spans without a parent and those in a circle', () => {
    const t = parseTrace(trace(span('b', 'f', 10, 20), span('c', 'd', 0, 5), span('d', 'c', 0, 5)))!;
    expect(t.spans).toHaveLength(3);
    expect(t.spans.find((s) => s.name === 'b')!.orphan).toBe(true);
    expect(parseTrace({})).toBeNull();
  });
  it('survive depth', () => {
    const spans = Array.from({ length: 20_000 }, (_, i) => ({ spanId: i.toString(16).padStart(16, '0'), parentSpanId: i ? (i - 1).toString(16).padStart(16, '0') : '', name: String(i), startTimeUnixNano: '1', endTimeUnixNano: '2' }));
    expect(parseTrace({ resourceSpans: [{ scopeSpans: [{ spans }] }] })!.spans[0]!.below).toBe(19_999);
  });
  it('read ids and values of both spellings', () => {
    expect(hexId('5B8EFFF798038103D269B633813FC60C')).toBe('5b8efff798038103d269b633813fc60c');
    expect(hexId('7uGbfsPBsXQ=')).toBe('eee19b7ec3c1b174');
    expect(valueText({ arrayValue: { values: [{ intValue: '1' }, { boolValue: true }] } })).toBe('[1, true]');
    expect(valueText({ kvlistValue: { values: [{ key: 'a', value: { doubleValue: 1.5 } }] } })).toBe('{a: 1.5}');
  });
});

describe('a trace as rows and calls', () => {
  const wire = {
    resourceSpans: [
      { resource: { attributes: [{ key: 'service.name', value: { stringValue: 'a' } }] }, scopeSpans: [{ spans: [{ spanId: '1'.repeat(16), name: 'r', startTimeUnixNano: '0', endTimeUnixNano: '100' }, { spanId: '2'.repeat(16), parentSpanId: '1'.repeat(16), name: 'c', startTimeUnixNano: '10', endTimeUnixNano: '50' }] }] },
      { resource: { attributes: [{ key: 'service.name', value: { stringValue: 'b' } }] }, scopeSpans: [{ spans: [{ spanId: '3'.repeat(16), parentSpanId: '2'.repeat(16), name: 's', startTimeUnixNano: '20', endTimeUnixNano: '40', status: { code: 2 } }] }] },
    ],
  };
  const t = parseTrace(wire)!;
  it('closed spans hide what is below them, filters do not', () => {
    expect(visibleRows(t, new Set(['2'.repeat(16)]), null).map((s) => s.name)).toEqual(['r', 'c']);
    expect(visibleRows(t, new Set(['2'.repeat(16)]), (s) => s.error).map((s) => s.name)).toEqual(['s']);
  });
  it('services call each other', () => {
    const g = traceGraph(t, (i) => `c${i}`, (n) => `/service/${n}`);
    expect(g.nodes.map((n) => [n.id, n.secondaryStat])).toEqual([['a', '2 spans'], ['b', '1 span']]);
    expect(g.edges.map((e) => [e.source, e.target, e.mainStat, e.color])).toEqual([['a', 'b', '1 call', 'var(--bad)']]);
  });
  it('log lines find their spans', () => {
    const row = (line: string, span?: string) => ({ timeMs: 0, ns: '0', line, labels: {}, structured: span ? { span_id: span } : ({} as Record<string, string>), level: 'info' });
    const m = bySpan([row('x', 'AB'), row('y', 'ab'), row('z')]);
    expect([...m].map(([k, v]) => [k, v.map((r) => r.line)])).toEqual([['ab', ['x', 'y']], ['', ['z']]]);
  });
});
