import { describe, expect, it } from 'vitest';
import { flameOf, flameOfTrace, barAt, pathTo, topOf } from '../src/flame/model';
import { field, frameOf } from '../src/dashboard/frame/frame';
import { isTrace, traceFrame, traceOfFrame } from '../src/dashboard/query/trace_frames';
import { parseTrace } from '../src/traces/trace';

const rows = { labels: ['all', 'a', 'x', 'b', 'a'], level: [0, 1, 2, 1, 2], value: [10, 6, 4, 3, 1] };

describe('flame graphs', () => {
  it('lay children from where their parent begins', () => {
    const f = flameOf(rows)!;
    expect(f.start).toEqual([0, 0, 0, 6, 6]);
    expect(f.parent).toEqual([-1, 0, 1, 0, 3]);
    expect(f.self).toEqual([1, 2, 4, 2, 1]);
    expect([f.depth, f.total]).toEqual([3, 10]);
  });
  it('find the bar at a place and what led to it', () => {
    const f = flameOf(rows)!;
    expect(barAt(f, 1, 6.5)).toBe(3);
    expect(barAt(f, 1, 9.5)).toBe(-1);
    expect(pathTo(f, 2).map((i) => f.labels[i])).toEqual(['all', 'a', 'x']);
  });
  it('count recursion once in totals', () => {
    const f = flameOf({ labels: ['f', 'f', 'g'], level: [0, 1, 2], value: [5, 4, 3] })!;
    expect(topOf(f).find((r) => r.label === 'f')).toEqual({ label: 'f', self: 2, total: 5, count: 2 });
  });
  it('bear levels that jump, bad numbers and several roots', () => {
    const f = flameOf({ labels: ['a', 'b', 'c'], level: [0, 7, 0], value: [NaN, -3, 2] })!;
    expect(f.level).toEqual([0, 1, 0]);
    expect(f.value).toEqual([0, 0, 2]);
    expect(f.total).toBe(2);
    expect(flameOf({ labels: [], level: [], value: [] })).toBeNull();
  });
});

const at = (n: number) => String(1700000000000000000n + BigInt(n));
const kv = (key: string, stringValue: string) => ({ key, value: { stringValue } });
const wire = {
  trace: {
    resourceSpans: [
      {
        resource: { attributes: [kv('service.name', 's')] },
        scopeSpans: [
          {
            scope: { name: 'lib' },
            spans: [
              { traceId: 'ab'.repeat(16), spanId: '1'.repeat(16), name: 'root', kind: 2, startTimeUnixNano: at(0), endTimeUnixNano: at(100_000) },
              { traceId: 'ab'.repeat(16), spanId: '2'.repeat(16), parentSpanId: '1'.repeat(16), name: 'q', startTimeUnixNano: at(10_000), endTimeUnixNano: at(50_000), status: { code: 'STATUS_CODE_ERROR', message: 'no' }, attributes: [kv('k', 'v')], events: [{ timeUnixNano: at(20_000), name: 'e', attributes: [kv('a', 'b')] }], links: [{ traceId: 'cd'.repeat(16), spanId: '9'.repeat(16) }] },
              { traceId: 'ab'.repeat(16), spanId: '3'.repeat(16), parentSpanId: '1'.repeat(16), name: 'q', startTimeUnixNano: at(40_000), endTimeUnixNano: at(70_000) },
            ],
          },
        ],
      },
    ],
  },
};

describe('traces as frames', () => {
  it('come back as they were', () => {
    const f = traceFrame(wire, 'A')!;
    expect(isTrace(f)).toBe(true);
    const back = traceOfFrame({ ...f, kind: undefined })!;
    const plain = parseTrace(wire)!;
    expect(back.id).toBe('ab'.repeat(16));
    expect(back.trace.spans.map((s) => [s.name, s.depth, s.error, s.attributes, s.events.length, s.links])).toEqual(plain.spans.map((s) => [s.name, s.depth, s.error, s.attributes, s.events.length, s.links]));
    back.trace.spans.forEach((s, i) => expect(Math.abs(s.startNs - plain.spans[i]!.startNs)).toBeLessThanOrEqual(1000));
  });
  it('survive being kept as JSON', () => {
    const f = traceFrame(wire, 'A')!;
    expect(traceOfFrame(JSON.parse(JSON.stringify(f)))!.trace.errors).toBe(1);
  });
  it('fold by path: overlapping children are not taken off twice', () => {
    const f = flameOfTrace(parseTrace(wire)!)!;
    expect(f.labels).toEqual(['trace', 's: root', 's: q']);
    // 10 to 70 of the 100 µs are covered.
    expect(f.self).toEqual([0, 40_000, 70_000]);
    expect(f.value).toEqual([110_000, 110_000, 70_000]);
  });
  it('other tables are none', () => {
    expect(isTrace(frameOf([field('traceID', 'string', ['x'])]))).toBe(false);
  });
});
