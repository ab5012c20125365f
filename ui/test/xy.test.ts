import { describe, expect, it } from 'vitest';
import { field, frameOf, type Field } from '../src/dashboard/frame/frame';
import type { Panel } from '../src/dashboard/model/types';
import { makeAxis } from '../src/dashboard/panels/xy/scale';
import { xySeries } from '../src/dashboard/panels/xy/series';

const panel = (options: object) => ({ id: 1, type: 'xychart', gridPos: { x: 0, y: 0, w: 1, h: 1 }, options }) as unknown as Panel;
const table = (...more: Field[]) => frameOf([field('Time', 'time', [1, 2]), field('a', 'number', [1, 3]), field('b', 'number', [10, 30]), field('c', 'number', [5, null]), field('name', 'string', ['x', 'y']), ...more], { refId: 'A' });
const pairs = (p: object, ...f: ReturnType<typeof table>[]) => xySeries(panel(p), f).map((s) => `${s.x.name}-${s.y.name}`);

describe('scatter: which columns', () => {
  it('of itself the first number against the others', () => {
    expect(pairs({}, table())).toEqual(['a-b', 'a-c']);
    expect(pairs({}, frameOf([field('Time', 'time', [1]), field('v', 'number', [1])]))).toEqual(['Time-v']);
  });
  it('by the options of today', () => {
    const series = [{ x: { matcher: { id: 'byName', options: 'b' } }, y: { matcher: { id: 'byName', options: 'a' } }, size: { matcher: { id: 'byName', options: 'c' } }, name: { fixed: 'N' } }];
    const [s] = xySeries(panel({ mapping: 'manual', series }), [table()]);
    expect([s!.name, s!.x.name, s!.y.name, s!.sizeField!.name]).toEqual(['N', 'b', 'a', 'c']);
    expect(s!.size(0)).toBeGreaterThan(s!.size(1));
  });
  it('by the options of older versions', () => {
    expect(pairs({ seriesMapping: 'manual', series: [{ x: 'c', y: 'b', pointColor: { fixed: 'red' } }] }, table())).toEqual(['c-b']);
    expect(pairs({ seriesMapping: 'auto', dims: { x: 'b', exclude: ['c'] } }, table())).toEqual(['b-a']);
  });
  it('of one frame when it says so', () => {
    const y = { matcher: { id: 'byName', options: 'b' } };
    expect(pairs({ mapping: 'manual', series: [{ x: { matcher: { id: 'byName', options: 'a' } }, y, frame: { matcher: { id: 'byIndex', options: 1 } } }] }, table(), table())).toHaveLength(1);
  });
  it('a column of colours colours points, whatever else it says', () => {
    const f = table(field('col', 'number', [0, 1]));
    const [s] = xySeries(panel({ mapping: 'manual', series: [{ x: { matcher: { id: 'byName', options: 'a' } }, y: { matcher: { id: 'byName', options: 'b' } }, color: { matcher: { id: 'byName', options: 'col' } } }] }), [f]);
    expect(s!.color(0)).not.toBe(s!.color(1));
  });
});

describe('axes', () => {
  const o = { log: false, time: false, unit: 'short', room: 5 };
  it('have ticks at round values and go there and back', () => {
    const a = makeAxis(3, 97, o);
    expect(a.ticks.map((t) => t.text)).toEqual(['0', '25', '50', '75', '100']);
    expect(a.value(a.at(42))).toBeCloseTo(42);
  });
  it('count in powers of two for bytes, of ten on a logarithm', () => {
    expect(makeAxis(0, 4096, { ...o, unit: 'bytes' }).ticks.map((t) => t.v % 1024)).toEqual([0, 0, 0, 0, 0]);
    expect(makeAxis(2, 3000, { ...o, log: true }).ticks.map((t) => t.v)).toEqual([1, 10, 100, 1000, 10000]);
    expect(makeAxis(0, 0, { ...o, log: true }).ticks.length).toBeGreaterThan(0);
  });
  it('survive one value, none, and no numbers', () => {
    expect(makeAxis(5, 5, o).at(5)).toBeCloseTo(0.5);
    expect(makeAxis(Infinity, -Infinity, o).ticks.length).toBeGreaterThan(1);
  });
});
