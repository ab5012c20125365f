// The old singlestat and table panels, and stat-like panels from before field configuration.

import type { FieldConfig, FieldConfigSource, Loose, Override, Panel, ThresholdStep } from '../model/types';
import { upgradeMappings } from './mappings';

const CALCS: Record<string, string> = {
  avg: 'mean',
  current: 'lastNotNull',
  total: 'sum',
  min: 'min',
  max: 'max',
  first: 'firstNotNull',
  delta: 'delta',
  diff: 'diff',
  diff_perc: 'diffperc',
  range: 'range',
  name: 'lastNotNull',
  last_time: 'lastNotNull',
};

function steps(text: unknown, colors: string[]): ThresholdStep[] | null {
  const limits = String(text ?? '')
    .split(',')
    .map((t) => t.trim())
    .filter((t) => t !== '')
    .map(Number);
  if (limits.some(Number.isNaN) || colors.length === 0) return null;
  return [{ value: null, color: colors[0]! }, ...limits.map((value, i) => ({ value, color: colors[Math.min(i + 1, colors.length - 1)]! }))];
}

const num = (v: unknown): number | undefined => (v === null || v === undefined || v === '' || Number.isNaN(Number(v)) ? undefined : Number(v));

export function upgradeSinglestat(p: Panel): Panel {
  const s = p as Loose;
  const gauge = (s['gauge'] ?? {}) as Loose;
  const isGauge = gauge['show'] === true;
  const colors = Array.isArray(s['colors']) ? (s['colors'] as string[]) : ['#299c46', 'rgba(237, 129, 40, 0.89)', '#d44a3a'];
  const th = steps(s['thresholds'], colors);
  const coloured = s['colorBackground'] === true || s['colorValue'] === true;
  const defaults: FieldConfig = { color: { mode: 'thresholds' }, mappings: [] };
  if (typeof s['format'] === 'string') defaults.unit = s['format'];
  if (num(s['decimals']) !== undefined) defaults.decimals = num(s['decimals']);
  if (th) defaults.thresholds = { mode: 'absolute', steps: th };
  if (isGauge) {
    defaults.min = num(gauge['minValue']) ?? 0;
    defaults.max = num(gauge['maxValue']) ?? 100;
  }
  const maps = s['mappingType'] === 2 ? s['rangeMaps'] : s['valueMaps'];
  defaults.mappings = upgradeMappings(Array.isArray(maps) ? (maps as Loose[]).map((m) => ({ ...m, type: s['mappingType'] === 2 ? 2 : 1 })) : []);
  if (typeof s['nullText'] === 'string') defaults.noValue = s['nullText'];
  const prefix = String(s['prefix'] ?? '').trim();
  const postfix = String(s['postfix'] ?? '').trim();
  if (postfix && (!defaults.unit || defaults.unit === 'none')) defaults.unit = `suffix:${/^\w/.test(postfix) ? ' ' : ''}${postfix}`;
  else if (prefix && (!defaults.unit || defaults.unit === 'none')) defaults.unit = `prefix:${prefix}`;
  const spark = (s['sparkline'] ?? {}) as Loose;
  const options: Loose = {
    reduceOptions: { calcs: [CALCS[String(s['valueName'] ?? 'avg')] ?? 'mean'], fields: s['tableColumn'] ? `/^${String(s['tableColumn'])}$/` : '', values: false },
    orientation: 'horizontal',
    ...(isGauge
      ? { showThresholdLabels: gauge['thresholdLabels'] === true, showThresholdMarkers: gauge['thresholdMarkers'] !== false }
      : {
          colorMode: s['colorBackground'] === true ? 'background' : coloured ? 'value' : 'none',
          graphMode: spark['show'] === true ? 'area' : 'none',
          justifyMode: 'auto',
          textMode: s['valueName'] === 'name' ? 'name' : 'auto',
        }),
  };
  const rest: Loose = { ...p };
  for (const k of [
    'gauge', 'colors', 'thresholds', 'colorBackground', 'colorValue', 'colorPrefix', 'colorPostfix', 'format', 'decimals', 'mappingType', 'mappingTypes',
    'rangeMaps', 'valueMaps', 'nullText', 'nullPointMode', 'prefix', 'postfix', 'prefixFontSize', 'postfixFontSize', 'valueFontSize', 'valueName',
    'sparkline', 'tableColumn',
  ]) {
    delete rest[k];
  }
  return { ...(rest as unknown as Panel), type: isGauge ? 'gauge' : 'stat', fieldConfig: { defaults, overrides: [] }, options };
}

/** The first table panel: styles by column name. */
export function upgradeTable(p: Panel): Panel {
  const t = p as Loose;
  const styles = (Array.isArray(t['styles']) ? t['styles'] : []) as Loose[];
  const defaults: FieldConfig = { custom: {}, mappings: [] };
  const overrides: Override[] = [];
  for (const s of styles) {
    const pattern = String(s['pattern'] ?? '');
    const props: Override['properties'] = [];
    if (s['alias']) props.push({ id: 'displayName', value: s['alias'] });
    if (s['type'] === 'hidden') props.push({ id: 'custom.hidden', value: true });
    if (s['unit']) props.push({ id: 'unit', value: s['unit'] });
    if (num(s['decimals']) !== undefined) props.push({ id: 'decimals', value: num(s['decimals']) });
    if (s['align'] && s['align'] !== 'auto') props.push({ id: 'custom.align', value: s['align'] });
    if (s['link'] && s['linkUrl']) {
      props.push({ id: 'links', value: [{ title: s['linkTooltip'] ?? '', url: String(s['linkUrl']).replace(/\$\{?__cell(?::\w+)?\}?/g, '${__value.text}').replace(/\$\{?__cell_(\d+)\}?/g, '${__data.fields[$1]}'), targetBlank: s['linkTargetBlank'] === true }] });
    }
    const th = steps(Array.isArray(s['thresholds']) ? (s['thresholds'] as unknown[]).join(',') : '', Array.isArray(s['colors']) ? (s['colors'] as string[]) : []);
    if (s['colorMode'] && th) {
      props.push({ id: 'thresholds', value: { mode: 'absolute', steps: th } });
      props.push({ id: 'custom.cellOptions', value: { type: s['colorMode'] === 'value' ? 'color-text' : 'color-background' } });
    }
    const maps = upgradeMappings([...(Array.isArray(s['valueMaps']) ? (s['valueMaps'] as Loose[]) : []), ...(Array.isArray(s['rangeMaps']) ? (s['rangeMaps'] as Loose[]) : [])]);
    if (maps.length) props.push({ id: 'mappings', value: maps });
    if (props.length === 0) continue;
    if (pattern === '/.*/' || pattern === '') {
      for (const x of props) {
        if (x.id === 'unit') defaults.unit = String(x.value);
        else if (x.id === 'decimals') defaults.decimals = Number(x.value);
      }
    } else overrides.push({ matcher: pattern.startsWith('/') ? { id: 'byRegexp', options: pattern } : { id: 'byName', options: pattern }, properties: props });
  }
  const transformations = [...(p.transformations ?? [])];
  const shape = t['transform'];
  if (shape === 'timeseries_to_rows') transformations.push({ id: 'seriesToRows', options: {} });
  else if (shape === 'timeseries_to_columns') transformations.push({ id: 'seriesToColumns', options: {} });
  else if (shape === 'timeseries_aggregations') {
    const columns = (Array.isArray(t['columns']) ? t['columns'] : []) as { value?: string }[];
    transformations.push({ id: 'reduce', options: { reducers: columns.length ? columns.map((c) => CALCS[c.value ?? ''] ?? c.value ?? 'mean') : ['mean'] } });
  } else if (shape === 'table') transformations.push({ id: 'merge', options: {} });
  const sort = (t['sort'] ?? {}) as { col?: number | null; desc?: boolean };
  const rest: Loose = { ...p };
  for (const k of ['styles', 'columns', 'transform', 'fontSize', 'scroll', 'showHeader', 'pageSize', 'sort']) delete rest[k];
  const options: Loose = { showHeader: t['showHeader'] !== false };
  if (typeof sort.col === 'number') options['sortIndex'] = { index: sort.col, desc: sort.desc === true };
  return { ...(rest as unknown as Panel), type: 'table', transformations, fieldConfig: { defaults, overrides }, options };
}

/** stat, gauge and bargauge of versions 6 and 7.0: `options.fieldOptions`. */
export function upgradeFieldOptions(p: Panel): Panel {
  const o = (p.options ?? {}) as Loose;
  const f = o['fieldOptions'] as Loose | undefined;
  if (!f) return p;
  const source: FieldConfigSource = {
    defaults: { ...(p.fieldConfig?.defaults ?? {}), ...((f['defaults'] as FieldConfig) ?? {}) },
    overrides: [...(p.fieldConfig?.overrides ?? [])],
  };
  const old = f['thresholds'] ?? (f['defaults'] as Loose | undefined)?.['thresholds'];
  if (Array.isArray(old)) {
    source.defaults.thresholds = { mode: 'absolute', steps: (old as { value?: number | null; color: string }[]).map((s, i) => ({ value: i === 0 ? null : (s.value ?? null), color: s.color })) };
  }
  if (Array.isArray(f['mappings'])) source.defaults.mappings = upgradeMappings(f['mappings']);
  const { fieldOptions: _old, ...options } = o;
  options['reduceOptions'] = { calcs: (f['calcs'] as string[]) ?? ['mean'], values: f['values'] === true, fields: '' };
  return { ...p, options, fieldConfig: source };
}
