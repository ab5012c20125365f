import { describe, expect, it } from 'vitest';
import { field, frameOf, type Frame } from '../src/dashboard/frame/frame';
import { valueAxis } from '../src/chart/plot';
import type { FieldConfig, Panel } from '../src/dashboard/model/types';
import { plotKey, plotOptions, valueRange, type Live } from '../src/dashboard/panels/timeseries/options';
import { toLines } from '../src/dashboard/panels/timeseries/series';

const panel = { id: 1, type: 'timeseries', gridPos: { x: 0, y: 0, w: 1, h: 1 }, options: {} } as unknown as Panel;
const series = (name: string, values: (number | null)[], custom: object = {}, more: FieldConfig = {}): Frame =>
  frameOf([field('Time', 'time', values.map((_, i) => i * 1000)), field('Value', 'number', values, undefined, { displayNameFromDS: name, ...more, custom: custom as Record<string, unknown> })], { kind: 'timeseries' });
const stacked = { stacking: { mode: 'normal', group: 'A' } };
const lines = (...frames: Frame[]) => toLines(panel, frames, new Set())!;
const options = (...frames: Frame[]) => plotOptions(lines(...frames), { width: 400, height: 200 }, false, () => ({}) as Live);

describe('stacks', () => {
  it('lie on each other, gaps as nothing', () => {
    const l = lines(series('a', [1, 2, null], stacked), series('b', [10, null, 30], stacked));
    expect(l.lines.map((x) => x.drawn)).toEqual([[1, 2, 0], [11, 2, 30]]);
    expect(l.bands).toEqual([[1, 0]]);
  });
  it('leave out what is hidden, and keep groups apart', () => {
    const frames = [series('a', [1], stacked), series('b', [2], stacked), series('c', [4], { stacking: { mode: 'normal', group: 'B' } }), series('d', [8])];
    const l = toLines(panel, frames, new Set(['a']))!;
    expect(l.lines.map((x) => x.drawn[0])).toEqual([null, 2, 4, 8]);
  });
  it('go down where they are negative', () => {
    const l = lines(series('in', [1], stacked), series('out', [5], { ...stacked, transform: 'negative-Y' }), series('out too', [2], { ...stacked, transform: 'negative-Y' }));
    expect(l.lines.map((x) => x.drawn[0])).toEqual([1, -5, -7]);
  });
  it('to one hundred percent', () => {
    const percent = { stacking: { mode: 'percent', group: 'A' } };
    const l = lines(series('a', [1, 0], percent), series('b', [3, 0], percent));
    expect(l.percent).toBe(true);
    expect(l.lines.map((x) => x.drawn)).toEqual([[0.25, 0], [1, 0]]);
  });
});

describe('axes', () => {
  it('of low drawings still have room for two lines', () => {
    const space = valueAxis().space as (u: unknown, axis: number, min: number, max: number, height: number) => number;
    expect(space(null, 1, 0, 600, 50)).toBeLessThanOrEqual(25);
    expect(space(null, 1, 0, 600, 300)).toBe(34);
  });
  it('one for each unit: the second stands on the right', () => {
    const o = options(series('a', [1], {}, { unit: 'bytes' }), series('b', [2], {}, { unit: 'percent' }), series('c', [3], {}, { unit: 'bytes' }));
    expect(o.axes!.slice(1).map((a) => a.side)).toEqual([3, 1]);
    expect(new Set(o.series.slice(1).map((s) => s.scale)).size).toBe(2);
    // Only the first draws lines over the whole plot.
    expect(o.axes!.slice(1).map((a) => a.grid?.show !== false)).toEqual([true, false]);
  });
  it('where the panel says, hidden ones not at all', () => {
    const o = options(series('a', [1], { axisPlacement: 'right' }, { unit: 'bytes' }), series('b', [2], { axisPlacement: 'hidden' }, { unit: 'percent' }));
    expect(o.axes!.slice(1).map((a) => a.side)).toEqual([1]);
  });
  it('the same unit on both sides makes two scales', () => {
    const o = options(series('a', [1]), series('b', [1000], { axisPlacement: 'right' }));
    expect(o.axes!.slice(1).map((a) => a.side)).toEqual([3, 1]);
  });
  it('ends: fixed, soft, zero under filled drawings', () => {
    const plain = { centered: false, bars: false };
    expect(valueRange(5, 10, { ...plain, bars: true })[0]).toBe(0);
    expect(valueRange(5, 10, { ...plain, min: 2, max: 20 })).toEqual([2, 20]);
    expect(valueRange(5, 10, { ...plain, softMax: 50 })[1]).toBe(50);
    expect(valueRange(5, 100, { ...plain, softMax: 50 })[1]).toBeGreaterThan(100);
    expect(valueRange(-1, 3, { ...plain, centered: true })).toEqual([expect.closeTo(-3.24, 5), expect.closeTo(3.24, 5)]);
  });
  it('new values alone make no new plot', () => {
    expect(plotKey(lines(series('a', [1, 2])), panel, false)).toBe(plotKey(lines(series('a', [3, 4])), panel, false));
    expect(plotKey(lines(series('a', [1])), panel, false)).not.toBe(plotKey(lines(series('b', [1])), panel, false));
  });
});
