// Brings one panel to today's form, whatever version it was written by.

import type { FieldConfig, Loose, Panel, Target } from '../model/types';
import { refIdAt } from '../model/ids';
import { upgradeGraph } from './graph';
import { upgradeMappings } from './mappings';
import { upgradeFieldOptions, upgradeSinglestat, upgradeTable } from './stat';

/** Old names and third-party panels that are drawn by one of ours. */
const RENAMED: Record<string, string> = {
  'grafana-piechart-panel': 'piechart',
  'grafana-worldmap-panel': 'geomap',
  'heatmap-new': 'heatmap',
  'flant-statusmap-panel': 'status-history',
  'natel-discrete-panel': 'state-timeline',
  'vonage-status-panel': 'stat',
  'briangann-gauge-panel': 'gauge',
};

const CELL_MODES: Record<string, Loose> = {
  'color-text': { type: 'color-text' },
  'color-background': { type: 'color-background', mode: 'gradient' },
  'color-background-solid': { type: 'color-background', mode: 'basic' },
  'gradient-gauge': { type: 'gauge', mode: 'gradient' },
  'lcd-gauge': { type: 'gauge', mode: 'lcd' },
  basic: { type: 'gauge', mode: 'basic' },
  'json-view': { type: 'json-view' },
  image: { type: 'image' },
  auto: { type: 'auto' },
};

function upgradePie(p: Panel): Panel {
  const o = p as Loose;
  if (p.fieldConfig && p.options?.['pieType']) return { ...p, type: 'piechart' };
  const calc = { current: 'lastNotNull', avg: 'mean', total: 'sum', min: 'min', max: 'max' }[String(o['valueName'] ?? 'current')] ?? 'lastNotNull';
  const legend = (o['legend'] ?? {}) as Loose;
  return {
    ...p,
    type: 'piechart',
    fieldConfig: { defaults: { unit: typeof o['format'] === 'string' ? o['format'] : undefined, color: { mode: 'palette-classic' } }, overrides: [] },
    options: {
      pieType: o['pieType'] === 'donut' ? 'donut' : 'pie',
      reduceOptions: { calcs: [calc], fields: '', values: false },
      legend: {
        showLegend: legend['show'] !== false,
        displayMode: 'table',
        placement: String(o['legendType'] ?? '').includes('Right') ? 'right' : 'bottom',
        values: [...(legend['values'] ? ['value'] : []), ...(legend['percentage'] ? ['percent'] : [])],
      },
    },
  };
}

function upgradeHeatmap(p: Panel): Panel {
  const o = p as Loose;
  if (p.options?.['color'] || !o['color']) return p;
  const c = o['color'] as Loose;
  const y = (o['yAxis'] ?? {}) as Loose;
  const buckets = o['dataFormat'] === 'tsbuckets';
  const scheme = String(c['colorScheme'] ?? 'interpolateOranges').replace(/^interpolate/, '');
  const options: Loose = {
    calculate: !buckets,
    calculation: { xBuckets: { mode: 'size', value: String(o['xBucketSize'] ?? '') }, yBuckets: { mode: o['yBucketNumber'] ? 'count' : 'size', value: String(o['yBucketNumber'] ?? o['yBucketSize'] ?? '') } },
    color: { mode: c['mode'] === 'opacity' ? 'opacity' : 'scheme', fill: c['cardColor'] ?? 'dark-orange', scheme, steps: 64, exponent: Number(c['exponent'] ?? 0.5), reverse: false },
    yAxis: { unit: y['format'], decimals: y['decimals'], axisPlacement: 'left', reverse: o['reverseYBuckets'] === true },
    rowsFrame: { layout: o['yBucketBound'] === 'lower' ? 'ge' : o['yBucketBound'] === 'upper' ? 'le' : 'auto' },
    legend: { show: (o['legend'] as Loose | undefined)?.['show'] !== false },
  };
  return { ...p, options };
}

function upgradeText(p: Panel): Panel {
  const o = p as Loose;
  if (p.options?.['content'] !== undefined || o['content'] === undefined) return p;
  const { content, mode, ...rest } = o;
  return { ...(rest as unknown as Panel), options: { ...p.options, content, mode: mode === 'text' ? 'markdown' : (mode ?? 'markdown') } };
}

function upgradeLegend(p: Panel): Panel {
  const l = p.options?.['legend'] as Loose | undefined;
  if (!l || typeof l !== 'object') return p;
  const legend = { ...l };
  if (legend['displayMode'] === 'hidden' || legend['showLegend'] === false) {
    legend['showLegend'] = false;
    if (legend['displayMode'] === 'hidden') legend['displayMode'] = 'list';
  } else legend['showLegend'] ??= true;
  const options: Loose = { ...p.options, legend };
  if (options['tooltipOptions'] && !options['tooltip']) {
    options['tooltip'] = options['tooltipOptions'];
    delete options['tooltipOptions'];
  }
  return { ...p, options };
}

function upgradeDefaults(c: FieldConfig): FieldConfig {
  const out: FieldConfig = { ...c };
  if (Array.isArray(out.mappings) && out.mappings.length) out.mappings = upgradeMappings(out.mappings);
  const custom = out.custom;
  if (custom && typeof custom['displayMode'] === 'string' && custom['cellOptions'] === undefined) {
    const { displayMode, ...rest } = custom;
    out.custom = { ...rest, cellOptions: CELL_MODES[displayMode as string] ?? { type: 'auto' } };
  }
  if (out.links) out.links = out.links.map((l) => ({ ...l, url: linkVariables(l.url ?? '') }));
  return out;
}

/** Data links of versions 6: $__series_name and friends. */
export function linkVariables(url: string): string {
  return url
    .replace(/__series\.labels/g, '__field.labels')
    .replace(/\$__series_name\b/g, '${__series.name}')
    .replace(/\$__field_name\b/g, '${__field.name}')
    .replace(/\$__value_time\b/g, '${__value.time}')
    .replace(/\$__value\b(?!\.)/g, '${__value.raw}');
}

function upgradeTargets(targets: Target[] | undefined): Target[] {
  const out: Target[] = [];
  const list = (Array.isArray(targets) ? targets : []).filter((t) => typeof t === 'object' && t !== null);
  const taken = new Set(list.map((t) => t.refId).filter(Boolean));
  const next = () => {
    for (let i = 0; ; i++) {
      const id = refIdAt(i);
      if (!taken.has(id)) return taken.add(id), id;
    }
  };
  for (const t of list) {
    out.push(t.refId ? t : { ...t, refId: next() });
  }
  return out;
}

export function upgradePanel(panel: Panel): Panel {
  let p: Panel = { ...panel };
  if (p.type === 'row') return p;
  p.targets = upgradeTargets(p.targets);
  // An Angular table panel was called "table" too; it has styles.
  if (p.type === 'graph' || p.type === 'graph2') p = upgradeGraph(p);
  else if (p.type === 'singlestat' || p.type === 'singlestat2' || p.type === 'grafana-singlestat-panel') p = upgradeSinglestat(p);
  else if (p.type === 'table-old' || (p.type === 'table' && Array.isArray((p as Loose)['styles']) && !p.fieldConfig?.defaults?.custom)) p = upgradeTable(p);
  else if (p.type === 'grafana-piechart-panel' || (p.type === 'piechart' && !p.options)) p = upgradePie(p);
  else if (p.type === 'heatmap') p = upgradeHeatmap(p);
  else if (p.type === 'text') p = upgradeText(p);
  if (RENAMED[p.type]) p.type = RENAMED[p.type]!;
  if (['stat', 'gauge', 'bargauge'].includes(p.type)) p = upgradeFieldOptions(p);
  p = upgradeLegend(p);
  if (p.fieldConfig) {
    p.fieldConfig = {
      defaults: upgradeDefaults(p.fieldConfig.defaults ?? {}),
      overrides: (p.fieldConfig.overrides ?? []).map((o) => ({
        ...o,
        properties: (o.properties ?? []).map((x) => {
          if (x.id === 'custom.displayMode') return { id: 'custom.cellOptions', value: CELL_MODES[String(x.value)] ?? { type: 'auto' } };
          if (x.id === 'mappings') return { ...x, value: upgradeMappings(x.value) };
          return x;
        }),
      })),
    };
  } else p.fieldConfig = { defaults: {}, overrides: [] };
  // Reducing was two transformations once: reduce to a row each series, labels to columns.
  if (p.repeat === '') p.repeat = null;
  return p;
}
