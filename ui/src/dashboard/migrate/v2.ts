// The v2 resource (elements and layouts) as a classic dashboard to draw. The resource itself stays
// stored as it is; tabs and rows become rows.

import type { AnnotationQuery, Dashboard, DataSourceRef, GridPos, Loose, Panel, Target, Transformation, VariableModel } from '../model/types';

interface Kind<T = Loose> {
  kind: string;
  group?: string;
  spec: T;
}

const obj = (v: unknown): Loose => (typeof v === 'object' && v !== null ? (v as Loose) : {});
const list = <T = Loose>(v: unknown): T[] => (Array.isArray(v) ? (v as T[]) : []);

export function isV2(v: unknown): boolean {
  const o = obj(v);
  return typeof o['apiVersion'] === 'string' && o['apiVersion'].startsWith('dashboard.grafana.app/v2') && typeof o['spec'] === 'object';
}

/** The v1 resource wraps a classic dashboard. */
export function isV1Resource(v: unknown): boolean {
  const o = obj(v);
  return typeof o['apiVersion'] === 'string' && /^dashboard\.grafana\.app\/v[01]/.test(o['apiVersion']) && typeof o['spec'] === 'object';
}

function source(q: Loose): DataSourceRef | undefined {
  const ds = obj(q['datasource']);
  const type = typeof q['group'] === 'string' ? q['group'] : typeof ds['type'] === 'string' ? ds['type'] : undefined;
  const uid = typeof ds['name'] === 'string' ? ds['name'] : typeof ds['uid'] === 'string' ? ds['uid'] : undefined;
  return type || uid ? { type, uid } : undefined;
}

function target(q: Kind): Target {
  const s = obj(q.spec);
  const inner = obj(s['query']);
  // v2alpha1 has the type in `kind`, later ones in `group`.
  const body = obj(inner['spec']);
  const ds = source(inner) ?? (inner['kind'] && inner['kind'] !== 'DataQuery' ? { type: String(inner['kind']), uid: (obj(s['datasource'])['uid'] as string) ?? undefined } : undefined);
  return { ...body, refId: String(s['refId'] ?? 'A'), hide: s['hidden'] === true, datasource: ds };
}

function panel(e: Kind, gridPos: GridPos): Panel {
  const s = obj(e.spec);
  if (e.kind === 'LibraryPanel') {
    return { id: Number(s['id'] ?? 0), type: 'library', title: String(s['title'] ?? ''), gridPos, libraryPanel: s['libraryPanel'] };
  }
  const viz = obj(s['vizConfig']);
  const vizSpec = obj(viz['spec']);
  const data = obj(obj(s['data'])['spec']);
  const options = obj(data['queryOptions']);
  const targets = list<Kind>(data['queries']).map(target);
  return {
    id: Number(s['id'] ?? 0),
    type: String(viz['group'] ?? viz['kind'] ?? 'text'),
    title: String(s['title'] ?? ''),
    description: typeof s['description'] === 'string' ? s['description'] : '',
    transparent: s['transparent'] === true,
    links: list(s['links']),
    gridPos,
    targets,
    datasource: targets[0]?.datasource ?? null,
    transformations: list<Loose>(data['transformations']).map((t) => {
      const spec = obj(t['spec']);
      return { id: String(t['group'] ?? spec['id'] ?? t['kind'] ?? ''), options: obj(spec['options']), disabled: spec['disabled'] === true } as Transformation;
    }),
    fieldConfig: (vizSpec['fieldConfig'] as Panel['fieldConfig']) ?? { defaults: {}, overrides: [] },
    options: obj(vizSpec['options']),
    interval: options['interval'] as string | undefined,
    maxDataPoints: (options['maxDataPoints'] as number | undefined) ?? null,
    timeFrom: (options['timeFrom'] as string | undefined) ?? null,
    timeShift: (options['timeShift'] as string | undefined) ?? null,
    hideTimeOverride: options['hideTimeOverride'] === true,
  };
}

const WIDTHS: Record<string, number> = { narrow: 6, standard: 8, wide: 12 };
const HEIGHTS: Record<string, number> = { short: 5, standard: 8, tall: 13 };

interface Placed {
  panels: Panel[];
  height: number;
}

function place(layout: Kind, elements: Record<string, Kind>, top: number): Placed {
  const s = obj(layout.spec);
  const out: Panel[] = [];
  let bottom = top;
  const repeatOf = (r: unknown): Partial<Panel> => {
    const o = obj(r);
    return o['value'] ? { repeat: String(o['value']), repeatDirection: o['direction'] === 'v' ? 'v' : 'h', maxPerRow: o['maxPerRow'] as number | undefined } : {};
  };
  const element = (item: Loose, pos: GridPos) => {
    const name = String(obj(item['element'])['name'] ?? '');
    const e = elements[name];
    if (!e) return;
    out.push({ ...panel(e, pos), ...repeatOf(item['repeat']) });
    bottom = Math.max(bottom, pos.y + pos.h);
  };
  switch (layout.kind) {
    case 'GridLayout':
      for (const i of list<Kind>(s['items'])) {
        const p = obj(i.spec);
        element(p, { x: Number(p['x'] ?? 0), y: top + Number(p['y'] ?? 0), w: Number(p['width'] ?? 12), h: Number(p['height'] ?? 8) });
      }
      break;
    case 'AutoGridLayout': {
      const w = Math.max(WIDTHS[String(s['columnWidthMode'] ?? 'standard')] ?? 8, Math.ceil(24 / Math.max(1, Number(s['maxColumnCount'] ?? 3))));
      const h = HEIGHTS[String(s['rowHeightMode'] ?? 'standard')] ?? 8;
      list<Kind>(s['items']).forEach((i, n) => {
        const per = Math.max(1, Math.floor(24 / w));
        element(obj(i.spec), { x: (n % per) * w, y: top + Math.floor(n / per) * h, w, h });
      });
      break;
    }
    case 'RowsLayout':
    case 'TabsLayout': {
      const items = list<Kind>(s['rows'] ?? s['tabs']);
      items.forEach((r, n) => {
        const spec = obj(r.spec);
        // The first tab is open, the others are closed rows.
        const collapsed = layout.kind === 'TabsLayout' ? n > 0 : spec['collapse'] === true;
        const head: Panel = { id: -1000 - bottom * 50 - n, type: 'row', title: String(spec['title'] ?? ''), collapsed, panels: [], gridPos: { x: 0, y: bottom, w: 24, h: 1 }, ...repeatOf(spec['repeat']) };
        const hidden = spec['hideHeader'] === true && !collapsed;
        if (!hidden) out.push(head);
        const inner = place(spec['layout'] as Kind, elements, bottom + (hidden ? 0 : 1));
        if (collapsed) {
          head.panels = inner.panels.filter((p) => p.type !== 'row').concat(inner.panels.filter((p) => p.type === 'row').flatMap((p) => p.panels ?? []));
          bottom += 1;
        } else {
          out.push(...inner.panels);
          bottom = inner.height;
        }
      });
      break;
    }
    default:
  }
  return { panels: out, height: bottom };
}

const HIDE: Record<string, number> = { dontHide: 0, hideLabel: 1, hideVariable: 2, inControlsMenu: 3 };
const REFRESH: Record<string, number> = { never: 0, onDashboardLoad: 1, onTimeRangeChanged: 2 };
const SORT: Record<string, number> = {
  disabled: 0, alphabeticalAsc: 1, alphabeticalDesc: 2, numericalAsc: 3, numericalDesc: 4,
  alphabeticalCaseInsensitiveAsc: 5, alphabeticalCaseInsensitiveDesc: 6, naturalAsc: 7, naturalDesc: 8,
};
const TYPES: Record<string, string> = {
  QueryVariable: 'query', TextVariable: 'textbox', ConstantVariable: 'constant', DatasourceVariable: 'datasource', IntervalVariable: 'interval',
  CustomVariable: 'custom', GroupByVariable: 'groupby', AdhocVariable: 'adhoc', SwitchVariable: 'switch',
};

function variable(v: Kind): VariableModel {
  const s = obj(v.spec);
  const q = obj(s['query']);
  const out: VariableModel = {
    ...s,
    type: TYPES[v.kind] ?? 'custom',
    name: String(s['name'] ?? ''),
    hide: HIDE[String(s['hide'])] ?? 0,
    refresh: REFRESH[String(s['refresh'])] ?? 1,
    sort: typeof s['sort'] === 'number' ? s['sort'] : (SORT[String(s['sort'])] ?? 0),
    query: v.kind === 'QueryVariable' ? q['spec'] : v.kind === 'DatasourceVariable' ? s['pluginId'] : s['query'],
    datasource: v.kind === 'QueryVariable' ? source(q) : undefined,
  };
  if (v.kind === 'ConstantVariable' && out.hide === 0) out.hide = 2;
  if (v.kind === 'AdhocVariable') out.filters = s['filters'];
  return out;
}

function annotation(a: Kind): AnnotationQuery {
  const s = obj(a.spec);
  const q = obj(s['query']);
  return { ...obj(s['legacyOptions']), ...obj(q['spec']), name: String(s['name'] ?? ''), enable: s['enable'] !== false, hide: s['hide'] === true, iconColor: s['iconColor'] as string, builtIn: s['builtIn'] ? 1 : 0, datasource: source(q) };
}

export function v2ToClassic(resource: Loose): Dashboard {
  const s = obj(resource['spec']);
  const meta = obj(resource['metadata']);
  const time = obj(s['timeSettings']);
  const elements = obj(s['elements']) as Record<string, Kind>;
  const layout = s['layout'] as Kind | undefined;
  const sync = { Off: 0, Crosshair: 1, Tooltip: 2 }[String(s['cursorSync'] ?? 'Off')] ?? 0;
  return {
    uid: typeof meta['name'] === 'string' ? meta['name'] : null,
    title: String(s['title'] ?? 'Untitled'),
    description: typeof s['description'] === 'string' ? s['description'] : '',
    tags: list<string>(s['tags']),
    editable: s['editable'] !== false,
    graphTooltip: sync,
    time: { from: String(time['from'] ?? 'now-6h'), to: String(time['to'] ?? 'now') },
    timezone: String(time['timezone'] ?? 'browser'),
    timepicker: { refresh_intervals: time['autoRefreshIntervals'], hidden: time['hideTimepicker'] },
    refresh: String(time['autoRefresh'] ?? ''),
    fiscalYearStartMonth: Number(time['fiscalYearStartMonth'] ?? 0),
    links: list(s['links']),
    templating: { list: list<Kind>(s['variables']).map(variable) },
    annotations: { list: list<Kind>(s['annotations']).map(annotation) },
    panels: layout ? place(layout, elements, 0).panels : [],
    schemaVersion: 41,
  };
}
