import { describe, expect, inject, it } from 'vitest';
import { migrateClassic } from '../src/dashboard/migrate/classic';
import { fillInputs, importDashboard, ImportError, toDashboard } from '../src/dashboard/migrate/import';
import { sections } from '../src/dashboard/model/repeat';
import { allPanels } from '../src/dashboard/model/ids';
import type { Dashboard, Panel } from '../src/dashboard/model/types';
import { addPanel, duplicatePanel, place, removePanel, setPlace } from '../src/dashboard/edit/operations';
import { diff } from '../src/dashboard/edit/diff';
import { getAt, setAt } from '../src/dashboard/edit/schema';
import { fillData, readyLinks, safeUrl } from '../src/dashboard/panels/links';
import { field, frameOf } from '../src/dashboard/frame/frame';

declare module 'vitest' {
  interface ProvidedContext {
    dashboards: Record<string, string>;
  }
}
const real = inject('dashboards');
const panel = (p: object): Panel => ({ id: 1, type: 'timeseries', gridPos: { x: 0, y: 0, w: 12, h: 8 }, ...p }) as Panel;
const dash = (panels: object[], more: object = {}): Dashboard => ({ title: 't', schemaVersion: 30, panels: panels as Panel[], ...more }) as Dashboard;

describe('import', () => {
  for (const [name, text] of Object.entries(real)) {
    it(`takes ${name} without a warning`, () => {
      const r = importDashboard(text);
      expect(r.warnings).toEqual([]);
      expect(r.raw).toEqual(JSON.parse(text));
      expect(allPanels(r.dashboard.panels).length).toBe(allPanels(JSON.parse(text).panels).length);
    });
  }
  it('says what it cannot read', () => {
    expect(() => importDashboard('{')).toThrow(ImportError);
    expect(() => importDashboard('[]')).toThrow(/object/);
    expect(() => importDashboard('{"a":1}')).toThrow(/neither panels nor rows/);
  });
  it('names what is not drawn', () => {
    const r = importDashboard(JSON.stringify(dash([panel({ type: 'grafana-polystat-panel' }), panel({ id: 2, transformations: [{ id: 'spatial' }] })])));
    expect(r.warnings.join()).toContain('grafana-polystat-panel');
    expect(r.warnings.join()).toContain('spatial');
  });
  it('fills inputs everywhere', () => {
    const raw = { __inputs: [{ name: 'DS_X', type: 'datasource', pluginId: 'prometheus' }], title: 'x', panels: [panel({ datasource: { uid: '${DS_X}' }, title: '${other}' })] };
    const r = importDashboard(JSON.stringify(raw));
    expect(r.form).toBe('shared export');
    const out = fillInputs(r.raw, r.inputs).dashboard as { panels: Panel[]; __inputs?: unknown };
    expect(out.__inputs).toBeUndefined();
    expect(out.panels[0]!.datasource).toEqual({ uid: 'prometheus' });
    expect(out.panels[0]!.title).toBe('${other}');
  });
  it('reads the v2 resource', () => {
    const v2 = {
      apiVersion: 'dashboard.grafana.app/v2',
      kind: 'Dashboard',
      metadata: { name: 'abc' },
      spec: {
        title: 'Two',
        cursorSync: 'Crosshair',
        timeSettings: { from: 'now-1h', to: 'now', autoRefresh: '10s', timezone: 'utc' },
        variables: [{ kind: 'QueryVariable', spec: { name: 'job', hide: 'hideLabel', refresh: 'onTimeRangeChanged', sort: 'alphabeticalAsc', multi: true, query: { kind: 'DataQuery', group: 'prometheus', spec: { query: 'label_values(up, job)' } } } }],
        elements: { a: { kind: 'Panel', spec: { id: 4, title: 'A', data: { kind: 'QueryGroup', spec: { queries: [{ kind: 'PanelQuery', spec: { refId: 'A', query: { kind: 'DataQuery', group: 'prometheus', spec: { expr: 'up' } } } }], transformations: [] } }, vizConfig: { kind: 'VizConfig', group: 'stat', spec: { options: { colorMode: 'value' }, fieldConfig: { defaults: { unit: 's' }, overrides: [] } } } } } },
        layout: { kind: 'RowsLayout', spec: { rows: [{ kind: 'RowsLayoutRow', spec: { title: 'R', collapse: false, layout: { kind: 'GridLayout', spec: { items: [{ kind: 'GridLayoutItem', spec: { x: 2, y: 1, width: 6, height: 4, element: { name: 'a' } } }] } } } }] } },
      },
    };
    const d = importDashboard(JSON.stringify(v2)).dashboard;
    expect(d).toMatchObject({ title: 'Two', uid: 'abc', graphTooltip: 1, refresh: '10s', timezone: 'utc' });
    expect(d.panels[1]).toMatchObject({ id: 4, type: 'stat', title: 'A', gridPos: { x: 2, y: 2, w: 6, h: 4 }, targets: [{ refId: 'A', expr: 'up' }] });
    expect(d.templating!.list[0]).toMatchObject({ type: 'query', name: 'job', hide: 1, refresh: 2, sort: 1 });
    expect(toDashboard({ apiVersion: 'dashboard.grafana.app/v1', kind: 'Dashboard', metadata: { name: 'n' }, spec: dash([]) } as never).uid).toBe('n');
  });
});

describe('migration', () => {
  it('lays rows of twelfths onto the grid', () => {
    const d = migrateClassic({ title: 'old', schemaVersion: 14, rows: [{ title: 'R', showTitle: true, height: '250px', panels: [{ id: 1, type: 'graph', span: 6 }, { id: 2, type: 'graph', span: 6 }, { id: 3, type: 'graph', span: 12 }] }, { title: 'C', collapse: true, panels: [{ id: 4, type: 'graph', span: 4 }] }] } as never);
    expect(d.panels.map((p) => [p.type, p.gridPos.x, p.gridPos.y, p.gridPos.w])).toEqual([['row', 0, 0, 24], ['timeseries', 0, 1, 12], ['timeseries', 12, 1, 12], ['timeseries', 0, 8, 24], ['row', 0, 15, 24]]);
    expect(d.panels[4]!.panels).toHaveLength(1);
  });
  it('makes time series of graphs', () => {
    const p = migrateClassic(dash([panel({ type: 'graph', yaxes: [{ format: 'bytes', min: '0', logBase: 10 }, { format: 'percent' }], fill: 2, linewidth: 3, stack: true, percentage: true, nullPointMode: 'connected', legend: { show: true, values: true, avg: true, current: true, alignAsTable: true, rightSide: true }, tooltip: { shared: true, sort: 2 }, aliasColors: { a: '#123456' }, seriesOverrides: [{ alias: '/x/', yaxis: 2, dashes: true }], thresholds: [{ value: 5, op: 'gt', colorMode: 'critical', fill: true, line: true }] })])).panels[0]!;
    expect(p.type).toBe('timeseries');
    expect(p.fieldConfig!.defaults).toMatchObject({ unit: 'bytes', min: 0, custom: { fillOpacity: 20, lineWidth: 3, spanNulls: true, stacking: { mode: 'percent' }, scaleDistribution: { type: 'log', log: 10 }, thresholdsStyle: { mode: 'line+area' } } });
    expect(p.fieldConfig!.overrides).toHaveLength(2);
    expect(p.fieldConfig!.overrides[1]).toMatchObject({ matcher: { id: 'byRegexp', options: '/x/' } });
    expect(p.options).toMatchObject({ legend: { displayMode: 'table', placement: 'right', calcs: ['mean', 'lastNotNull'] }, tooltip: { mode: 'multi', sort: 'desc' } });
  });
  it('makes stats, gauges and tables of the old ones', () => {
    const d = migrateClassic(dash([
      panel({ type: 'singlestat', format: 's', valueName: 'current', thresholds: '1,2', colors: ['#111111', '#222222', '#333333'], colorBackground: true, valueMaps: [{ value: 'null', text: 'N/A', op: '=' }, { value: '1', text: 'UP', op: '=' }], mappingType: 1, sparkline: { show: true } }),
      panel({ id: 2, type: 'singlestat', gauge: { show: true, minValue: 0, maxValue: 50 } }),
      panel({ id: 3, type: 'table', styles: [{ pattern: 'Time', type: 'hidden' }, { pattern: '/x/', unit: 'ms', alias: 'X' }], transform: 'timeseries_aggregations', columns: [{ value: 'avg' }] }),
      panel({ id: 4, type: 'stat', options: { fieldOptions: { calcs: ['max'], defaults: { unit: 's', mappings: [] }, thresholds: [{ value: null, color: 'green' }] } } }),
      panel({ id: 5, type: 'table', fieldConfig: { defaults: { custom: { displayMode: 'color-background' } }, overrides: [] } }),
      panel({ id: 6, type: 'text', content: '# hi', mode: 'markdown' }),
    ]));
    const [stat, gauge, table, newer, cells, text] = d.panels as [Panel, Panel, Panel, Panel, Panel, Panel];
    expect(stat).toMatchObject({ type: 'stat', options: { colorMode: 'background', graphMode: 'area', reduceOptions: { calcs: ['lastNotNull'] } } });
    expect(stat.fieldConfig!.defaults.mappings).toEqual([{ type: 'value', options: { 1: { text: 'UP' } } }, { type: 'special', options: { match: 'null', result: { text: 'N/A' } } }]);
    expect(stat.fieldConfig!.defaults.thresholds!.steps.map((s) => s.value)).toEqual([null, 1, 2]);
    expect(gauge).toMatchObject({ type: 'gauge', fieldConfig: { defaults: { max: 50 } } });
    expect(table.transformations![0]).toEqual({ id: 'reduce', options: { reducers: ['mean'] } });
    expect(table.fieldConfig!.overrides[0]!.properties).toEqual([{ id: 'custom.hidden', value: true }]);
    expect(newer).toMatchObject({ options: { reduceOptions: { calcs: ['max'] } }, fieldConfig: { defaults: { unit: 's' } } });
    expect(cells.fieldConfig!.defaults.custom!['cellOptions']).toEqual({ type: 'color-background', mode: 'gradient' });
    expect(text.options).toMatchObject({ content: '# hi', mode: 'markdown' });
  });
  it('keeps what it does not know, and its source', () => {
    const source = dash([panel({ type: 'x-panel', secret: { a: [1] } })], { future: true, templating: { list: [{ type: 'query', name: 'v', refresh: true, multi: true, current: { value: 'a', text: 'a' } }] } });
    const copy = structuredClone(source);
    const d = migrateClassic(source);
    expect(source).toEqual(copy);
    expect(d).toMatchObject({ future: true, panels: [{ type: 'x-panel', secret: { a: [1] } }] });
    expect(d.templating!.list[0]).toMatchObject({ refresh: 1, current: { value: ['a'] } });
  });
  it('survives nonsense', () => {
    for (const bad of [{ panels: [null, 5, {}] }, { panels: 'x' }, { rows: [{}], panels: [] }, { panels: [{ type: 'graph', yaxes: 3, targets: [null] }] }, { templating: { list: [null, {}] }, panels: [] }]) expect(() => migrateClassic(bad as never)).not.toThrow();
  });
});

describe('layout', () => {
  const values = (n: string): [string, string][] | null => (n === 'v' ? [['1', 'one'], ['2', 'two'], ['3', 'three']] : null);
  it('repeats panels across and pushes down what is below', () => {
    const [s] = sections([panel({ repeat: 'v', maxPerRow: 2, gridPos: { x: 0, y: 0, w: 6, h: 4 } }), panel({ id: 2, gridPos: { x: 0, y: 4, w: 24, h: 3 } })], values);
    expect(s!.panels.map((p) => [p.key, p.pos.x, p.pos.y, p.pos.w])).toEqual([['1', 0, 0, 12], ['1~2', 12, 0, 12], ['1~3', 0, 4, 12], ['2', 0, 8, 24]]);
    expect(s!.panels[1]!.scoped['v']).toEqual({ value: '2', text: 'two' });
  });
  it('copies push down what stood beside the panel', () => {
    const [s] = sections([panel({ id: 2, gridPos: { x: 0, y: 0, w: 12, h: 6 } }), panel({ repeat: 'v', gridPos: { x: 12, y: 0, w: 12, h: 3 } })], values);
    const at = s!.panels.map((p) => p.pos);
    const cross = at.flatMap((a, i) => at.slice(i + 1).filter((b) => a.x < b.x + b.w && b.x < a.x + a.w && a.y < b.y + b.h && b.y < a.y + a.h));
    expect(cross).toEqual([]);
    expect(at[0]).toEqual({ x: 0, y: 0, w: 12, h: 6 });
  });
  it('repeats rows with their panels', () => {
    const list = sections([panel({ id: 9, type: 'row', repeat: 'v', title: '$v', gridPos: { x: 0, y: 0, w: 24, h: 1 } }), panel({ gridPos: { x: 0, y: 1, w: 12, h: 4 } })], values);
    expect(list.map((s) => [s.key, s.panels.length, s.panels[0]!.key])).toEqual([['row-9', 1, '1'], ['row-9~2', 1, '9~2/1'], ['row-9~3', 1, '9~3/1']]);
  });
});

describe('editing', () => {
  const two = dash([panel({ gridPos: { x: 0, y: 0, w: 12, h: 8 } }), panel({ id: 2, gridPos: { x: 12, y: 0, w: 12, h: 8 } })]);
  it('adds where there is room', () => {
    const one = dash([panel({ gridPos: { x: 0, y: 0, w: 12, h: 8 } })]);
    expect(addPanel(one).dashboard.panels[1]).toMatchObject({ id: 2, gridPos: { x: 12, y: 0 } });
    expect(addPanel(two).dashboard.panels[2]!.gridPos).toMatchObject({ x: 0, y: 8 });
  });
  it('moves and pushes others down', () => {
    const d = setPlace(two, 1, { x: 12, y: 0, w: 12, h: 8 });
    expect(d.panels.map((p) => [p.id, p.gridPos.x, p.gridPos.y])).toEqual([[1, 12, 0], [2, 12, 8]]);
    expect(two.panels[1]!.gridPos.y).toBe(0);
    expect(place([panel({ gridPos: { x: 0, y: 5, w: 4, h: 2 } })], 1)[0]!.gridPos.y).toBe(5);
  });
  it('copies and removes, rows give their panels back', () => {
    expect(duplicatePanel(dash([panel({})]), 1).panels[1]).toMatchObject({ id: 2, gridPos: { x: 12, y: 0 } });
    expect(removePanel(dash([panel({ id: 5, type: 'row', panels: [panel({ id: 6 })], gridPos: { x: 0, y: 0, w: 24, h: 1 } })]), 5).panels.map((p) => p.id)).toEqual([6]);
  });
  it('tells what changed', () => {
    const c = diff({ a: 1, list: [{ id: 1, t: 'x' }, { id: 2 }] }, { a: 2, list: [{ id: 1, t: 'y' }, { id: 3 }], n: null });
    expect(c.map((x) => [x.path, x.kind])).toEqual([['a', 'changed'], ['list[#1].t', 'changed'], ['list[#2]', 'removed'], ['list[#3]', 'added'], ['n', 'added']]);
    expect(diff({ a: [1] }, { a: [1] })).toEqual([]);
  });
  it('sets options by path without touching the old', () => {
    const o = { a: { b: [1, 2] } };
    expect(setAt(o, 'a.b.0', 9)).toEqual({ a: { b: [9, 2] } });
    expect(o.a.b[0]).toBe(1);
    expect(setAt({}, 'x.y', 1)).toEqual({ x: { y: 1 } });
    expect(getAt(o, 'a.b.1')).toBe(2);
  });
});

describe('links', () => {
  it('never run code or leave for another host in disguise', () => {
    for (const bad of ['javascript:alert(1)', ' JavaScript:alert(1)', 'java\tscript:alert(1)', 'data:text/html,x', 'vbscript:x', '//evil.example', '/\\evil.example', '\\\\evil.example', 'file:///etc/passwd', '\u0001javascript:x']) expect(safeUrl(bad), bad).toBeNull();
    expect(safeUrl('https://example.org/x')).toBe('https://example.org/x');
    expect(safeUrl('/d/abc?x=1')).toMatch(/\/d\/abc\?x=1$/);
  });
  it('are filled from the data and encoded', () => {
    const f = frameOf([field('Time', 'time', [5]), field('v', 'number', [1], { host: 'a b' })]);
    const c = { field: f.fields[1]!, frame: f, all: [f], row: 0, value: 1 };
    expect(fillData('${__field.labels.host}|${__value.raw}|${__value.time}|${__data.fields.v}|${__data.fields[0]}|${__x}', c)).toBe('a b|1|5|1|5|${__x}');
    expect(readyLinks([{ title: '${__field.labels.host}', url: '/d/x?var-host=${__field.labels.host}' }], (t) => t, c)[0]).toMatchObject({ title: 'a b', href: '/d/x?var-host=a%20b' });
    const evil = { ...c, field: field('v', 'string', ['javascript:alert(1)']), value: 'javascript:alert(1)' };
    expect(readyLinks([{ url: '${__value.raw}' }], (t) => t, evil)).toEqual([]);
  });
});
