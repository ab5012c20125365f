import { describe, expect, it } from 'vitest';
import { field, frameOf, type Frame } from '../src/dashboard/frame/frame';
import { applyTransformations } from '../src/dashboard/transform/apply';

const run = (frames: Frame[], id: string, options: object) => applyTransformations(frames, [{ id, options: options as Record<string, unknown> }], (t) => t).frames;
const table = (f: Frame | undefined) => Object.fromEntries(f?.fields.map((x) => [x.config.displayName ?? x.name, x.values]) ?? []);

const hosts = () => frameOf([field('host', 'string', ['a', 'b', 'a']), field('Value', 'number', [1, 2, 3])], { refId: 'A', kind: 'table' });
const other = () => frameOf([field('host', 'string', ['b', 'c']), field('Value', 'number', [20, 30])], { refId: 'B', kind: 'table' });
const series = (name: string, ...values: number[]) => frameOf([field('Time', 'time', values.map((_, i) => i * 1000)), field('Value', 'number', values, { host: name }, { displayNameFromDS: name })], { name, refId: 'A', kind: 'timeseries' });

describe('transformations', () => {
  it('organize hides, renames and orders', () => {
    const [f] = run([hosts()], 'organize', { excludeByName: {}, renameByName: { host: 'Host' }, indexByName: { Value: 0, host: 1 } });
    expect(f!.fields.map((x) => x.name)).toEqual(['Value', 'Host']);
    expect(run([hosts()], 'organize', { excludeByName: { Value: true } })[0]!.fields.map((x) => x.name)).toEqual(['host']);
  });
  it('merge joins rows on what the tables share', () => {
    const a = frameOf([field('host', 'string', ['a', 'b']), field('Value #A', 'number', [1, 2])], { refId: 'A' });
    const b = frameOf([field('host', 'string', ['b', 'c']), field('Value #B', 'number', [5, 6])], { refId: 'B' });
    expect(table(run([a, b], 'merge', {})[0])).toEqual({ host: ['a', 'b', 'c'], 'Value #A': [1, 2, null], 'Value #B': [null, 5, 6] });
  });
  it('joinByField keeps all rows or only the common ones', () => {
    const a = () => frameOf([field('host', 'string', ['a', 'b']), field('x', 'number', [1, 2])]);
    const b = () => frameOf([field('host', 'string', ['b', 'c']), field('y', 'number', [5, 6])]);
    expect(table(run([a(), b()], 'joinByField', { byField: 'host', mode: 'outer' })[0])).toEqual({ host: ['a', 'b', 'c'], x: [1, 2, null], y: [null, 5, 6] });
    expect(table(run([a(), b()], 'joinByField', { byField: 'host', mode: 'inner' })[0])).toEqual({ host: ['b'], x: [2], y: [5] });
    expect(run([a(), b()], 'seriesToColumns', { byField: 'host' })[0]!.fields).toHaveLength(3);
    expect(run([hosts(), other()], 'joinByField', { byField: 'host' })[0]!.fields.map((f) => f.name)).toEqual(['host', 'Value 1', 'Value 2']);
  });
  it('groupBy aggregates', () => {
    const [f] = run([hosts()], 'groupBy', { fields: { host: { operation: 'groupby' }, Value: { operation: 'aggregate', aggregations: ['sum', 'count'] } } });
    expect(table(f)).toEqual({ host: ['a', 'b'], 'Value (sum)': [4, 2], 'Value (count)': [2, 1] });
  });
  it('filterFieldsByName and renameByRegex go by the names shown', () => {
    expect(run([series('cpu', 1), series('mem', 2)], 'filterFieldsByName', { include: { pattern: '/^(Time|c.*)$/' } }).flatMap((f) => f.fields.map((x) => x.config.displayNameFromDS ?? x.name))).toEqual(['Time', 'cpu', 'Time']);
    expect(run([series('node-1', 1)], 'renameByRegex', { regex: 'node-(.*)', renamePattern: 'n$1' })[0]!.fields[1]!.config.displayName).toBe('n1');
  });
  it('calculateField works along rows, between columns and down a column', () => {
    const t = () => frameOf([field('a', 'number', [1, 2]), field('b', 'number', [3, 5])]);
    expect(table(run([t()], 'calculateField', { mode: 'reduceRow', reduce: { reducer: 'sum' } })[0])['Total']).toEqual([4, 7]);
    expect(table(run([t()], 'calculateField', { mode: 'binary', binary: { left: 'b', operator: '-', right: 'a' }, alias: 'd' })[0])['d']).toEqual([2, 3]);
    expect(table(run([t()], 'calculateField', { mode: 'binary', binary: { left: { matcher: { id: 'byName', options: 'b' } }, operator: '*', right: { fixed: '2' } }, alias: 'd', replaceFields: true })[0])).toEqual({ d: [6, 10] });
    expect(table(run([t()], 'calculateField', { mode: 'cumulativeFunctions', cumulative: { field: 'a', reducer: 'sum' }, alias: 'c' })[0])['c']).toEqual([1, 3]);
    expect(table(run([t()], 'calculateField', { mode: 'index', alias: 'i' })[0])['i']).toEqual([0, 1]);
    const [wide] = run([series('a', 1, 2), series('b', 10, 20)], 'calculateField', { mode: 'reduceRow', reduce: { reducer: 'sum' } });
    expect(table(wide)['Total']).toEqual([11, 22]);
  });
  it('reduce gives a row a series', () => {
    expect(table(run([series('a', 1, 3), series('b', 5)], 'reduce', { reducers: ['max', 'mean'] })[0])).toEqual({ Field: ['a', 'b'], Max: [3, 5], Mean: [2, 5] });
    expect(table(run([series('a', 1, 3)], 'reduce', { reducers: ['last'], labelsToFields: true })[0])).toEqual({ host: ['a'], Last: [3] });
    expect(table(run([series('a', 1, 3)], 'reduce', { mode: 'reduceFields', reducers: ['sum'] })[0])).toEqual({ Value: [4] });
  });
  it('sortBy, limit and filterByValue choose rows', () => {
    expect(table(run([hosts()], 'sortBy', { sort: [{ field: 'Value', desc: true }] })[0])['Value']).toEqual([3, 2, 1]);
    expect(run([hosts()], 'limit', { limitField: '2' })[0]!.length).toBe(2);
    expect(table(run([hosts()], 'filterByValue', { type: 'include', match: 'any', filters: [{ fieldName: 'Value', config: { id: 'greater', options: { value: 1 } } }] })[0])['Value']).toEqual([2, 3]);
    expect(table(run([hosts()], 'filterByValue', { type: 'exclude', match: 'all', filters: [{ fieldName: 'host', config: { id: 'regex', options: { value: '^a' } } }] })[0])['host']).toEqual(['b']);
  });
  it('labelsToFields, extractFields and convertFieldType make columns', () => {
    expect(table(run([series('a', 1, 2)], 'labelsToFields', {})[0])).toEqual({ Time: [0, 1000], host: ['a', 'a'], Value: [1, 2] });
    const logs = frameOf([field('line', 'string', ['{"a":1,"b":{"c":"x"}}', '{"a":2}'])]);
    expect(table(run([logs], 'extractFields', { source: 'line', format: 'json', jsonPaths: [{ path: 'a' }, { path: 'b.c', alias: 'c' }], replace: true })[0])).toEqual({ a: [1, 2], c: ['x', null] });
    expect(table(run([frameOf([field('l', 'string', ['k=v n="a b"'])])], 'extractFields', { source: 'l', replace: true })[0])).toEqual({ k: ['v'], n: ['a b'] });
    expect(table(run([frameOf([field('n', 'string', ['1', 'x'])])], 'convertFieldType', { conversions: [{ targetField: 'n', destinationType: 'number' }] })[0])).toEqual({ n: [1, null] });
  });
  it('the others keep their promise', () => {
    expect(table(run([hosts()], 'groupingToMatrix', { rowField: 'host', columnField: 'Value', valueField: 'Value' })[0])['host\\Value']).toEqual(['a', 'b']);
    expect(table(run([series('a', 1), series('b', 2)], 'seriesToRows', {})[0])).toEqual({ Time: [0, 0], Metric: ['a', 'b'], Value: [1, 2] });
    expect(table(run([series('a', 1, 4)], 'timeSeriesTable', {})[0])['Trend']).toEqual([{ spark: [1, 4], value: 4 }]);
    expect(run([series('a', 1), series('b', 2)], 'prepareTimeSeries', { format: 'wide' })).toHaveLength(1);
    expect(run([hosts(), other()], 'filterByRefId', { include: 'B' }).map((f) => f.refId)).toEqual(['B']);
    expect(table(run([series('a', 1), series('b', 2)], 'joinByLabels', { value: 'host' })[0])).toEqual({ a: [1], b: [2] });
    expect(table(run([hosts()], 'rowsToFields', {})[0])).toMatchObject({ b: [2] });
    expect(table(run([frameOf([field('x', 'string', ['m', 'n']), field('v', 'number', [1, 2])])], 'transpose', {})[0])).toEqual({ Field: ['v'], m: [1], n: [2] });
  });
  it('what is not known or fails is passed over and said', () => {
    const r = applyTransformations([hosts()], [{ id: 'fromTheFuture', options: {} }, { id: 'limit', options: { limitField: 1 }, disabled: true }], (t) => t);
    expect(r.frames[0]!.length).toBe(3);
    expect(r.problems[0]).toContain('fromTheFuture');
  });
});
