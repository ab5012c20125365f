import { describe, expect, it } from 'vitest';
import { format } from '../src/format/units';
import { applyFieldConfig } from '../src/dashboard/field/config';
import { mix, resolveColor, thresholdColor } from '../src/dashboard/field/color';
import { displayer } from '../src/dashboard/field/display';
import { mapValue } from '../src/dashboard/field/mappings';
import { reduce } from '../src/dashboard/field/reduce';
import { displayName, field, frameOf } from '../src/dashboard/frame/frame';
import { differing, seriesNames } from '../src/dashboard/query/legend';
import { heatmapFrames } from '../src/dashboard/query/frames';

describe('units of dashboards', () => {
  it('scale by 1024 or 1000 as they should', () => {
    const cases: [number, string, string][] = [
      [1024, 'bytes', '1 KiB'],
      [1000, 'decbytes', '1 kB'],
      [1500, 'kbytes', '1.46 MiB'],
      [0.5, 'mbytes', '512 KiB'],
      [2_000_000, 'Bps', '2 MB/s'],
      [2048, 'binBps', '2 KiB/s'],
      [1_000_000, 'bps', '1 Mb/s'],
      [1500, 'short', '1.5 K'],
      [2_500_000, 'short', '2.5 Mil'],
      [0.123, 'percentunit', '12.3%'],
      [90, 's', '1.5 min'],
      [1500, 'ms', '1.5 s'],
      [250, 'µs', '250 µs'],
      [1500, 'reqps', '1.5 K req/s'],
      [12, 'reqps', '12 req/s'],
      [3000, 'rotrpm', '3000 rpm'],
      [21.55, 'celsius', '21.6 °C'],
      [1234, 'currencyUSD', '$1.23K'],
      [93_784, 'dtdurations', '1d 2h'],
      [3661, 'dthms', '01:01:01'],
      [90_061, 'dtdhms', '1 d 01:01:01'],
      [1, 'bool_yes_no', 'Yes'],
      [255, 'hex', 'FF'],
      [3, 'cores', '3 cores'],
      [3, 'suffix:/h', '3/h'],
      [3, 'prefix:#', '#3'],
      [1500, 'si:mF', '1.5 F'],
    ];
    for (const [v, unit, want] of cases) expect(format(v, unit), `${v} ${unit}`).toBe(want);
  });
  it('keep the decimals asked for', () => {
    expect(format(1.23456, 'none', 2)).toBe('1.23');
    expect(format(1536, 'bytes', 0)).toBe('2 KiB');
  });
});

describe('values', () => {
  const f = (config: object, values: unknown[] = [1]) => field('v', 'number', values, undefined, config);
  it('are mapped', () => {
    const maps = [
      { type: 'value' as const, options: { 1: { text: 'up', color: 'green' } } },
      { type: 'range' as const, options: { from: 5, to: 10, result: { text: 'mid' } } },
      { type: 'regex' as const, options: { pattern: '/^err-(.*)$/', result: { text: 'error $1' } } },
      { type: 'special' as const, options: { match: 'null+nan', result: { text: 'none' } } },
    ];
    expect(mapValue(maps, 1)?.text).toBe('up');
    expect(mapValue(maps, '1')?.text).toBe('up');
    expect(mapValue(maps, 7)?.text).toBe('mid');
    expect(mapValue(maps, 'err-42')?.text).toBe('error 42');
    expect(mapValue(maps, null)?.text).toBe('none');
    expect(mapValue(maps, NaN)?.text).toBe('none');
    expect(mapValue(maps, 2)).toBeNull();
  });
  it('take colours of thresholds', () => {
    const t = { mode: 'absolute' as const, steps: [{ value: null, color: '#000001' }, { value: 10, color: '#000002' }] };
    expect(thresholdColor(9, t, 0, 100)).toBe('#000001');
    expect(thresholdColor(10, t, 0, 100)).toBe('#000002');
    expect(thresholdColor(5, { ...t, mode: 'percentage' }, 0, 20)).toBe('#000002');
    expect(displayer(f({ thresholds: t, color: { mode: 'thresholds' }, unit: 'percent' }))(50)).toMatchObject({ text: '50.0%', color: '#000002', numeric: 50 });
  });
  it('have no colour that is not one', () => {
    expect(resolveColor('url(https://x)')).toMatch(/^#/);
    expect(resolveColor('red;position:fixed')).toMatch(/^#/);
    expect(resolveColor('rgba(1, 2, 3, 0.5)')).toBe('rgba(1, 2, 3, 0.5)');
    expect(mix(['#000000', '#ffffff'], 0.5)).toBe('#808080');
  });
  it('are reduced', () => {
    const v = [1, null, 3, 2, null];
    const cases: [string, unknown][] = [['last', null], ['lastNotNull', 2], ['firstNotNull', 1], ['min', 1], ['max', 3], ['mean', 2], ['sum', 6], ['count', 3], ['countAll', 5], ['range', 2], ['diff', 1], ['median', 2], ['changeCount', 2], ['distinctCount', 3], ['allIsNull', false], ['p50', 2]];
    for (const [id, want] of cases) expect(reduce(v, id), id).toBe(want);
    expect(reduce([1, 5, 2, 4], 'delta')).toBe(8);
    expect(reduce([], 'sum')).toBeNull();
  });
});

describe('names', () => {
  it('come from templates, from labels, from what differs', () => {
    const ls = [{ __name__: 'up', job: 'a', i: '1' }, { __name__: 'up', job: 'a', i: '2' }];
    expect(seriesNames('{{job}}/{{ i }}', 'up', ls)).toEqual(['a/1', 'a/2']);
    expect(seriesNames('__auto', 'up', ls)).toEqual(['1', '2']);
    expect(seriesNames('', 'up', [ls[0]!])).toEqual(['up{i="1", job="a"}']);
    expect(seriesNames(undefined, 'sum(up)', [{}])).toEqual(['sum(up)']);
    expect(differing(ls)).toEqual(['i']);
  });
  it('can be configured with the labels of the field', () => {
    const fr = frameOf([field('Value', 'number', [1], { host: 'h' }, { displayName: '${__field.labels.host}!' })]);
    expect(displayName(fr.fields[0]!, fr, [fr])).toBe('h!');
  });
});

describe('overrides', () => {
  const frames = [frameOf([field('Time', 'time', [0]), field('Value', 'number', [1], undefined, { displayNameFromDS: 'cpu' })], { refId: 'A' }), frameOf([field('Time', 'time', [0]), field('Value', 'number', [0], undefined, { displayNameFromDS: 'mem' })], { refId: 'B' })];
  const unitOf = (matcher: { id: string; options?: unknown }) => applyFieldConfig(frames, { defaults: { unit: 'none' }, overrides: [{ matcher, properties: [{ id: 'unit', value: 's' }] }] }, (t) => t).map((f) => f.fields[1]!.config.unit);
  it('match by name, pattern, query, type and value', () => {
    expect(unitOf({ id: 'byName', options: 'cpu' })).toEqual(['s', 'none']);
    expect(unitOf({ id: 'byNames', options: { mode: 'exclude', names: ['cpu'] } })).toEqual(['none', 's']);
    expect(unitOf({ id: 'byRegexp', options: '/^m/' })).toEqual(['none', 's']);
    expect(unitOf({ id: 'byRegexp', options: '([' })).toEqual(['none', 'none']);
    expect(unitOf({ id: 'byFrameRefID', options: 'B' })).toEqual(['none', 's']);
    expect(unitOf({ id: 'byType', options: 'number' })).toEqual(['s', 's']);
    expect(unitOf({ id: 'byValue', options: { reducer: 'allIsZero', op: 'gte', value: 0 } })).toEqual(['none', 's']);
  });
  it('reach into custom settings without touching the defaults', () => {
    const source = { defaults: { custom: { a: { b: 1 } } }, overrides: [{ matcher: { id: 'byName', options: 'cpu' }, properties: [{ id: 'custom.a.b', value: 2 }] }] };
    const out = applyFieldConfig(frames, source, (t) => t);
    expect(out[0]!.fields[1]!.config.custom).toEqual({ a: { b: 2 } });
    expect(out[1]!.fields[1]!.config.custom).toEqual({ a: { b: 1 } });
    expect(source.defaults.custom.a.b).toBe(1);
  });
});

describe('heat maps', () => {
  it('turn cumulative buckets into counts', () => {
    const grid = { startMs: 0, endMs: 1000, stepMs: 1000, count: 2 };
    const s = (le: string, ...values: number[]) => ({ key: le, labels: { le }, values });
    const [f] = heatmapFrames({ grid, series: [s('+Inf', 10, 12), s('0.5', 4, 5), s('1', 7, 5)], warnings: [], infos: [], histograms: 0, native: [], exemplars: [] }, 'A');
    expect(f!.fields.map((x) => x.name)).toEqual(['Time', '0.5', '1', '+Inf']);
    expect(f!.fields.slice(1).map((x) => x.values)).toEqual([[4, 5], [3, 0], [3, 7]]);
  });
});
