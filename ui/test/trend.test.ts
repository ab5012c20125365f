import { describe, expect, it } from 'vitest';
import { field, frameOf, isNested, NESTED, type Frame } from '../src/dashboard/frame/frame';
import { applyTransformations } from '../src/dashboard/transform/apply';
import { cellsOf, countCells } from '../src/dashboard/transform/heatmap';
import { TRANSFORMATIONS } from '../src/dashboard/transform/known';
import { asapWindow, fitPolynomial, smooth } from '../src/dashboard/transform/trend';
import { TRANSFORM_FORMS } from '../src/dashboard/edit/transform_schema';

const apply = (frames: Frame[], id: string, options: object = {}) => applyTransformations(frames, [{ id, options: options as Record<string, unknown> }], (t) => t);
const times = (n: number, step = 1000) => Array.from({ length: n }, (_, i) => 1.7e12 + i * step);
const series = (...values: (number | null)[]) => frameOf([field('Time', 'time', times(values.length)), field('Value', 'number', values)], { refId: 'A', kind: 'timeseries' });

describe('trend lines', () => {
  it('a line through a line is that line, at today’s times too', () => {
    const { frames } = apply([series(1, 3, null, 7, 9)], 'regression', { predictionCount: 5 });
    expect(frames).toHaveLength(2);
    expect(frames[1]!.name).toBe('linear regression');
    expect(frames[1]!.fields[0]!.values).toEqual(times(5));
    (frames[1]!.fields[1]!.values as number[]).forEach((v, i) => expect(v).toBeCloseTo(1 + 2 * i, 9));
  });
  it('a polynomial through a parabola', () => {
    const { frames } = apply([series(...[0, 1, 2, 3, 4, 5].map((x) => x * x - 2))], 'regression', { modelType: 'polynomial', degree: 2, predictionCount: 6 });
    (frames[1]!.fields[1]!.values as number[]).forEach((v, i) => expect(v).toBeCloseTo(i * i - 2, 8));
    expect(fitPolynomial([1, 1, 1], [1, 2, 3], 1)).toBe(null);
  });
  it('over any two columns', () => {
    const t = frameOf([field('x', 'number', [0, 10]), field('y', 'number', [5, 25])], { kind: 'table' });
    const { frames } = apply([t], 'regression', { xFieldName: 'x', yFieldName: 'y', predictionCount: 3 });
    expect(frames[1]!.fields.map((f) => f.values)).toEqual([[0, 5, 10], [expect.closeTo(5, 9), expect.closeTo(15, 9), expect.closeTo(25, 9)]]);
  });
  it('nothing to go by leaves things as they are', () => {
    expect(apply([series(1)], 'regression').frames).toHaveLength(1);
    expect(apply([series(null, null)], 'regression').frames).toHaveLength(1);
  });
});

describe('smoothing', () => {
  const shape = (i: number) => (i >= 180 && i < 230 ? 20 : 0);
  const noisy = Array.from({ length: 400 }, (_, i) => shape(i) + ((i * 7919) % 13) - 6);
  const roughness = (v: number[]) => Math.sqrt(v.slice(1).reduce((s, x, i) => s + (x - v[i]!) ** 2, 0) / v.length);
  it('smooths noise away and keeps what stands out', () => {
    const out = smooth(times(400), noisy, 400) as number[];
    expect(roughness(out)).toBeLessThan(roughness(noisy) / 4);
    expect(out[205]).toBeGreaterThan(14);
    expect(Math.abs(out[60]!)).toBeLessThan(3);
  });
  it('leaves alone what a wider window would flatten', () => {
    const spike = Array.from({ length: 100 }, (_, i) => (i === 50 ? 100 : i % 2 ? 0.1 : 0));
    expect(asapWindow(spike)).toBeLessThanOrEqual(3);
    expect(asapWindow([1, 2])).toBe(1);
  });
  it('adds a column beside each, at the same times', () => {
    const { frames } = apply([series(1, null, 3, 4)], 'smoothing', { resolution: 100 });
    expect(frames[0]!.fields.map((f) => f.config.displayNameFromDS ?? f.name)).toEqual(['Time', 'Value', 'Value (smoothed)']);
    expect(frames[0]!.fields[2]!.values).toHaveLength(4);
    expect(smooth(times(3), [null, null, null], 10)).toEqual([null, null, null]);
  });
});

describe('cells of time and value', () => {
  it('count what lies in them', () => {
    const c = countCells([series(1, 2, 11, 12)], { xBuckets: { mode: 'size', value: '2s' }, yBuckets: { mode: 'size', value: '10' } }, 100)!;
    expect(c.bounds).toEqual([0, 10, 20]);
    expect(c.counts).toEqual([[2, null], [null, 2]]);
  });
  it('rows by powers', () => {
    const c = countCells([series(1, 10, 100)], { yBuckets: { scale: { type: 'log', log: 10 } } }, 100)!;
    expect(c.bounds.map((b) => Math.round(b))).toEqual([1, 10, 100, 1000]);
    expect(c.counts.map((r) => r.reduce<number>((s, v) => s + (v ?? 0), 0))).toEqual([1, 1, 1]);
  });
  it('go through a table and back', () => {
    const { frames } = apply([series(1, 2, 11, 12)], 'heatmap', { xBuckets: { mode: 'size', value: '2s' }, yBuckets: { mode: 'size', value: '10' } });
    expect(frames[0]!.kind).toBe('heatmap-cells');
    expect(frames[0]!.length).toBe(4);
    expect(cellsOf(frames[0]!)).toMatchObject({ stepMs: 2000, bounds: [0, 10, 20], counts: [[2, null], [null, 2]] });
    expect(apply([series(null)], 'heatmap').frames).toEqual([]);
  });
});

describe('nested tables', () => {
  const t = frameOf([field('host', 'string', ['a', 'b', 'a']), field('disk', 'string', ['x', 'y', 'z']), field('Value', 'number', [1, 2, 3])], { kind: 'table', refId: 'A' });
  it('have the rows of each group, without what is grouped by or calculated', () => {
    const { frames } = apply([t], 'groupToNestedTable', { fields: { host: { operation: 'groupby' }, Value: { operation: 'aggregate', aggregations: ['sum'] } } });
    expect(frames[0]!.fields.map((f) => f.name)).toEqual(['host', 'Value (sum)', NESTED]);
    const inner = frames[0]!.fields[2]!.values;
    expect(isNested(inner[0])).toBe(true);
    expect((inner as Frame[][]).map((l) => l[0]!.fields.map((f) => [f.name, f.values]))).toEqual([[['disk', ['x', 'z']]], [['disk', ['y']]]]);
  });
  it('without a group change nothing', () => {
    expect(apply([t], 'groupToNestedTable', { fields: {} }).frames).toEqual([t]);
  });
});

describe('every transformation', () => {
  it('has a form', () => {
    for (const [id] of TRANSFORMATIONS) expect(TRANSFORM_FORMS, id).toHaveProperty(id);
  });
  it('that is passed over says why', () => {
    expect(apply([t0], 'fieldLookup').problems).toEqual(['Transformation “fieldLookup” was passed over: it adds places for maps, which are not drawn here.']);
    expect(apply([t0], 'nonsense').problems).toEqual(['Transformation “nonsense” was passed over: it is not known here.']);
  });
});
const t0 = series(1, 2);
