import { describe, expect, it } from 'vitest';
import { field, frameOf, type Frame } from '../src/dashboard/frame/frame';
import type { Target } from '../src/dashboard/model/types';
import { parseMath } from '../src/dashboard/query/expr_math';
import { answerFrames, withReferences } from '../src/dashboard/query/graphite';
import { breaks, expressionRefs, inOrder, runExpression } from '../src/dashboard/query/expression';

const series = (labels: Record<string, string>, ...values: (number | null)[]) => frameOf([field('Time', 'time', values.map((_, i) => i * 1000)), field('Value', 'number', values, labels)], { kind: 'timeseries', refId: 'A' });
const one = (labels: Record<string, string>, v: number | null) => frameOf([field('Time', 'time', [5000]), field('Value', 'number', [v], labels)], { kind: 'timeseries' });
const run = (t: Partial<Target>, inputs: Record<string, Frame[]>, instant: string[] = []) =>
  runExpression({ refId: 'X', ...t } as Target, { frames: new Map(Object.entries(inputs)), instant: new Set(instant), fromMs: 0, toMs: 4000 }).map((f) => ({ labels: f.fields[f.fields.length - 1]!.labels, values: f.fields[f.fields.length - 1]!.values }));
const math = (expression: string, inputs: Record<string, Frame[]> = {}, instant: string[] = []) => run({ type: 'math', expression }, inputs, instant);
const value = (expression: string) => math(expression)[0]!.values[0];

describe('arithmetic of expressions', () => {
  it('binds as in Grafana', () => {
    expect(value('1 + 2 * 3 ** 2')).toBe(19);
    expect(value('-2 ** 2')).toBe(4);
    expect(value('10 % 4 + 7 / 2')).toBe(5.5);
    expect(value('(1 + 2) * 3 > 8 && !0')).toBe(1);
    expect(value('1 > 2 || 2 == 2.0')).toBe(1);
    expect(value('0x10 + 1e1')).toBe(26);
  });
  it('has its functions and constants', () => {
    expect(value('abs(-3) + ceil(1.2) + floor(1.8) + round(2.5)')).toBe(9);
    expect(value('log(1)')).toBe(0);
    expect(value('is_inf(inf()) + is_inf(infn()) + is_nan(nan()) + is_null(null()) + is_number(1)')).toBe(5);
    expect(value('null() + 1')).toBe(null);
  });
  it('says where it is not understood', () => {
    expect(() => parseMath('')).toThrow('empty');
    expect(() => parseMath('$A +')).toThrow('A value is missing at the end');
    expect(() => parseMath('($A')).toThrow('“)” is missing');
    expect(() => parseMath('$A # 2')).toThrow('character 3');
    expect(() => parseMath('sqrtt(1)')).toThrow('There is no function “sqrtt”');
    expect(() => parseMath('1 2')).toThrow('Something else');
    expect(() => math('$B')).toThrow('There is no query B');
  });
});

describe('how series meet', () => {
  const a = [series({ host: 'a' }, 1, 2, null), series({ host: 'b' }, 10, 20, 30)];
  it('numbers go with every series', () => {
    expect(math('$A * 2', { A: a })).toEqual([
      { labels: { host: 'a' }, values: [2, 4, null] },
      { labels: { host: 'b' }, values: [20, 40, 60] },
    ]);
  });
  it('equal labels, or labels among the other’s', () => {
    expect(math('$A / $B', { A: a, B: [series({ host: 'b' }, 2, 2, 2)] })).toEqual([{ labels: { host: 'b' }, values: [5, 10, 15] }]);
    expect(math('$A - $B', { A: a, B: [series({}, 1, 1, 1)] }).map((x) => x.values)).toEqual([[0, 1, null], [9, 19, 29]]);
    expect(math('$B + $A', { A: [series({ host: 'a', dc: 'x' }, 1, 1, 1)], B: [series({ host: 'a' }, 1, 1, 1)] })[0]!.labels).toEqual({ host: 'a', dc: 'x' });
  });
  it('two alone meet whatever their labels', () => {
    expect(math('${A} + $B', { A: [series({ x: '1' }, 1)], B: [series({ y: '2' }, 2)] })).toEqual([{ labels: { x: '1' }, values: [3] }]);
    expect(math('$A + $B', { A: a, B: [series({ y: '2' }, 2)] })).toEqual([]);
  });
  it('only at times that both have', () => {
    expect(math('$A + $B', { A: [series({}, 1, 2, 3)], B: [series({}, 10, 20)] })[0]!.values).toEqual([11, 22]);
  });
  it('instants are numbers, and tables by their texts', () => {
    expect(math('$A > 5', { A: [one({ host: 'a' }, 7), one({ host: 'b' }, 3)] }, ['A'])).toEqual([
      { labels: { host: 'a' }, values: [1] },
      { labels: { host: 'b' }, values: [0] },
    ]);
    const table = frameOf([field('host', 'string', ['a', 'b']), field('Value', 'number', [1, 2])], { kind: 'table' });
    expect(math('$A * 10', { A: [table] })).toEqual([
      { labels: { host: 'a' }, values: [10] },
      { labels: { host: 'b' }, values: [20] },
    ]);
  });
});

describe('other kinds of expressions', () => {
  const a = [series({ h: 'a' }, 1, null, 3)];
  it('reduce, by what becomes of what is no number', () => {
    const r = (reducer: string, mode = '') => run({ type: 'reduce', expression: 'A', reducer, settings: { mode, replaceWithValue: 5 } }, { A: a })[0]!.values[0];
    expect(r('mean')).toBeNaN();
    expect(r('mean', 'dropNN')).toBe(2);
    expect(r('sum', 'replaceNN')).toBe(9);
    expect(r('count')).toBe(3);
    expect(r('last')).toBe(3);
    expect(run({ type: 'reduce', expression: '$A', reducer: 'max', settings: { mode: 'dropNN' } }, { A: a })[0]).toEqual({ labels: { h: 'a' }, values: [3] });
  });
  it('resample, up and down', () => {
    const r = (window: string, upsampler: string) => run({ type: 'resample', expression: 'A', window, downsampler: 'max', upsampler }, { A: [series({}, 1, 2, 3)] })[0]!.values;
    expect(r('2s', 'pad')).toEqual([1, 3, 3]);
    expect(r('500ms', 'pad').slice(0, 5)).toEqual([1, 1, 2, 2, 3]);
    expect(r('500ms', 'backfilling').slice(0, 5)).toEqual([1, 2, 2, 3, 3]);
    expect(r('500ms', 'fillna').slice(0, 5)).toEqual([1, null, 2, null, 3]);
    expect(() => r('0', 'pad')).toThrow('is no duration');
  });
  it('threshold, in both its forms of ranges', () => {
    const t = (type: string, params: number[]) => run({ type: 'threshold', expression: 'A', conditions: [{ evaluator: { type, params } }] }, { A: a })[0]!.values;
    expect(t('gt', [1])).toEqual([0, null, 1]);
    expect(t('within_range', [0, 2])).toEqual([1, null, 0]);
    expect(t('outside_range', [0, 2])).toEqual([0, null, 1]);
    expect([breaks(2, { type: 'gte', params: [2] }), breaks(2, { type: 'lte', params: [1] }), breaks(2, { type: 'eq', params: [2] }), breaks(2, { type: 'ne', params: [2] }), breaks(null, { type: 'no_value' }), breaks(2, { type: 'within_range_included', params: [2, 3] })]).toEqual([true, false, true, false, true, true]);
  });
  it('classic conditions, joined from left to right', () => {
    const c = (ref: string, limit: number, operator = 'and') => ({ query: { params: [ref] }, reducer: { type: 'avg' }, evaluator: { type: 'gt', params: [limit] }, operator: { type: operator } });
    const t = (...conditions: object[]) => run({ type: 'classic_conditions', conditions }, { A: a })[0]!.values[0];
    expect(t(c('A', 1))).toBe(1);
    expect(t(c('A', 1), c('A', 5))).toBe(0);
    expect(t(c('A', 5), c('A', 1, 'or'))).toBe(1);
  });
  it('run behind what they are made of; a circle is found', () => {
    const x = (refId: string, expression: string) => ({ refId, type: 'math', expression }) as Target;
    expect(expressionRefs(x('C', '$A + ${B} * $A'))).toEqual(['A', 'B']);
    const { order, circle } = inOrder([x('D', '$C'), x('C', '$A'), x('E', '$F'), x('F', '$E')]);
    expect(order.map((t) => t.refId)).toEqual(['C', 'D']);
    expect(circle.map((t) => t.refId)).toEqual(['E', 'F']);
  });
  it('a kind that is not evaluated says which are', () => {
    expect(() => run({ type: 'sql', expression: 'A' }, { A: a })).toThrow('“sql” are not evaluated');
  });
});

describe('targets of Graphite', () => {
  const t = (refId: string, target: string) => ({ refId, target }) as Target;
  it('name each other by their letters', () => {
    const all = [t('A', 'a.b.#count'), t('B', 'scale(#A, 2)'), t('C', 'sumSeries(#A,#B,#Z)')];
    expect(withReferences(all[2]!, all)).toBe('sumSeries(a.b.#count,scale(a.b.#count, 2),#Z)');
    const circle = [t('A', 'f(#B)'), t('B', 'g(#A)')];
    expect(withReferences(circle[0]!, circle).startsWith('f(g(f(')).toBe(true);
  });
  it('answer on a grid, or each with its own times', () => {
    const a = { kind: 'matrix' as const, warnings: [], infos: [], exemplars: [] };
    const [g] = answerFrames({ ...a, grid: { startMs: 0, stepMs: 10, count: 3, endMs: 20 }, series: [{ name: 'x', labels: { host: 'a' }, first: 1, values: [5] }] }, 'A');
    expect(g!.fields.map((f) => f.values)).toEqual([[0, 10, 20], [null, 5, null]]);
    expect(g!.fields[1]!.config.displayNameFromDS).toBe('x');
    const [own] = answerFrames({ ...a, series: [{ name: 'y', labels: {}, first: 0, values: [1, 2], times: [0, 60] }] }, 'A');
    expect([own!.stepMs, own!.fields[0]!.values]).toEqual([60, [0, 60]]);
  });
});
