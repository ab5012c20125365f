import { describe, expect, it } from 'vitest';
import { properties } from '../src/dashboard/edit/fields';
import { mappingRows, mappingsOf } from '../src/dashboard/edit/values';
import { optionGroups } from '../src/dashboard/edit/schema';
import { TRANSFORM_FORMS } from '../src/dashboard/edit/transform_schema';
import { mapValue } from '../src/dashboard/field/mappings';
import type { ValueMapping } from '../src/dashboard/model/types';
import { PANEL_TYPES } from '../src/dashboard/panels/registry';
import { marksPanel } from '../src/dashboard/query/annotations';
import { TRANSFORMATIONS } from '../src/dashboard/transform/known';
import { addGroupBy } from '../src/dashboard/variables/filters';
import { breakAfter } from '../src/dashboard/panels/timeseries/series';
import { exemplarTrace } from '../src/dashboard/panels/timeseries/PointTip';

describe('forms', () => {
  it('every transformation that is applied has one', () => {
    expect(TRANSFORMATIONS.map(([id]) => id).filter((id) => TRANSFORM_FORMS[id] === undefined)).toEqual([]);
  });
  it('rows of mappings become the JSON they came from', () => {
    const list: ValueMapping[] = [
      { type: 'value', options: { 0: { text: 'down', color: 'red', index: 0 }, 1: { text: 'up', index: 1 } } },
      { type: 'range', options: { from: null, to: 5, result: { text: 'low', index: 2 } } },
      { type: 'regex', options: { pattern: '/(.*)x/', result: { text: '$1', index: 3 } } },
      { type: 'special', options: { match: 'null', result: { text: 'none', index: 4 } } },
    ];
    expect(mappingsOf(mappingRows(list))).toEqual(list);
    // In another order they hold in that order.
    const turned = mappingsOf(mappingRows(list).reverse());
    expect(turned.map((m) => m.type)).toEqual(['special', 'regex', 'range', 'value']);
    expect(mapValue(turned, null)!.text).toBe('none');
  });
  it('one value twice does not lose the first', () => {
    const rows = mappingRows([{ type: 'value', options: { 1: { text: 'a' } } }]);
    expect(mappingsOf([...rows, { type: 'value', value: '1', result: { text: 'b' } }])).toHaveLength(2);
  });
  it('overrides write objects whole', () => {
    const ids = properties('timeseries');
    const stack = ids.find((p) => p.id === 'custom.stacking')!;
    expect(stack.rows!.map((r) => r.path)).toEqual(['mode', 'group']);
    expect(stack.start).toEqual({ mode: 'none' });
    expect(ids.map((p) => p.id)).toContain('custom.hideFrom');
    expect(new Set(ids.map((p) => p.id)).size).toBe(ids.length);
  });
  it('every panel type that has options names them once', () => {
    for (const t of PANEL_TYPES) {
      const paths = optionGroups(t.type).flatMap((g) => g.rows.map((r) => r.path));
      expect(new Set(paths).size, t.type).toBe(paths.length);
    }
  });
});

describe('grouping by more', () => {
  const by = (q: string) => addGroupBy(q, ['k']);
  it('is added to every aggregation', () => {
    expect(by('sum(rate(x[5m]))')).toBe('sum by (k) (rate(x[5m]))');
    expect(by('sum by (a) (x)')).toBe('sum by (a, k) (x)');
    expect(by('sum(x) by (a) / count(y)')).toBe('sum(x) by (a, k) / count by (k) (y)');
    expect(by('max(sum by () (x))')).toBe('max by (k) (sum by (k) (x))');
    expect(by('topk(3, sum(x))')).toBe('topk by (k) (3, sum by (k) (x))');
  });
  it('is not where it must not be', () => {
    expect(by('sum without (a) (x)')).toBe('sum without (a) (x)');
    expect(by('sum(x) without (a)')).toBe('sum(x) without (a)');
    expect(by('sum by (k) (x)')).toBe('sum by (k) (x)');
    expect(by('x{a="sum(y)"}')).toBe('x{a="sum(y)"}');
    expect(by('sum_over_time(x[5m]) + min')).toBe('sum_over_time(x[5m]) + min');
    expect(addGroupBy('sum(x)', [])).toBe('sum(x)');
  });
  it('quotes names that are no plain ones', () => {
    expect(addGroupBy('sum(x)', ['service.name'])).toBe('sum by ("service.name") (x)');
  });
});

describe('time series', () => {
  it('lines break where points lie too far apart', () => {
    expect(breakAfter([0, 10, 50, 60], [1, 2, 3, 4], 20)).toEqual({ times: [0, 10, 11, 50, 60], values: [1, 2, null, 3, 4] });
    expect(breakAfter([0, 10, 20], [1, null, 3], 100).values).toEqual([1, null, 3]);
  });
  it('the trace of an exemplar has many names', () => {
    expect(exemplarTrace({ traceID: 'abcdef0123456789' })).toBe('abcdef0123456789');
    expect(exemplarTrace({ trace_id: 'javascript:alert(1)' })).toBeNull();
  });
  it('annotations are marked where they belong', () => {
    const e = { timeMs: 0, title: '', text: '', tags: [], color: '' };
    expect(marksPanel({ ...e, panelId: 3 }, 4)).toBe(false);
    expect(marksPanel({ ...e, panelId: 0, filter: { ids: [3] } }, 3)).toBe(true);
    expect(marksPanel({ ...e, filter: { exclude: true, ids: [3] } }, 3)).toBe(false);
    expect(marksPanel({ ...e, filter: { exclude: true, ids: [3] } }, 4)).toBe(true);
  });
});
