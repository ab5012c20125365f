// The old graph panel as a time series (or, by its x axis, a bar chart or histogram).

import type { FieldConfig, FieldConfigSource, Loose, Override, Panel, ThresholdStep } from '../model/types';
import { toRegex } from '../field/mappings';

interface Axis {
  format?: string;
  label?: string | null;
  logBase?: number;
  min?: string | number | null;
  max?: string | number | null;
  show?: boolean;
  decimals?: number | null;
}

interface SeriesOverride extends Loose {
  alias?: string;
}

const num = (v: unknown): number | undefined => (v === null || v === undefined || v === '' || Number.isNaN(Number(v)) ? undefined : Number(v));

const CALCS: [string, string][] = [
  ['min', 'min'],
  ['max', 'max'],
  ['avg', 'mean'],
  ['current', 'lastNotNull'],
  ['total', 'sum'],
];

function matcher(alias: string): Override['matcher'] {
  return toRegex(alias) && alias.startsWith('/') ? { id: 'byRegexp', options: alias } : { id: 'byName', options: alias };
}

function overrideOf(s: SeriesOverride, axes: Axis[]): Override | null {
  if (!s.alias) return null;
  const properties: Override['properties'] = [];
  const push = (id: string, value: unknown) => properties.push({ id, value });
  for (const [k, v] of Object.entries(s)) {
    switch (k) {
      case 'color':
        push('color', { mode: 'fixed', fixedColor: v });
        break;
      case 'bars':
        if (v) push('custom.drawStyle', 'bars');
        break;
      case 'lines':
        if (v) push('custom.drawStyle', 'line');
        else push('custom.lineWidth', 0);
        break;
      case 'points':
        if (v) push('custom.showPoints', 'always');
        break;
      case 'fill':
        push('custom.fillOpacity', Number(v) * 10);
        break;
      case 'linewidth':
        push('custom.lineWidth', v);
        break;
      case 'dashes':
        if (v) push('custom.lineStyle', { fill: 'dash', dash: [10, 10] });
        break;
      case 'transform':
        push('custom.transform', v);
        break;
      case 'fillBelowTo':
        push('custom.fillBelowTo', v);
        break;
      case 'hideTooltip':
        if (v) push('custom.hideFrom', { tooltip: true, viz: false, legend: false });
        break;
      case 'legend':
        if (v === false) push('custom.hideFrom', { tooltip: false, viz: false, legend: true });
        break;
      case 'stack':
        push('custom.stacking', v === false ? { mode: 'none' } : { mode: 'normal', group: typeof v === 'string' ? v : 'A' });
        break;
      case 'nullPointMode':
        push('custom.spanNulls', v === 'connected');
        break;
      case 'yaxis':
        if (v === 2) {
          push('custom.axisPlacement', 'right');
          if (axes[1]?.format) push('unit', axes[1].format);
          if (num(axes[1]?.min) !== undefined) push('min', num(axes[1]?.min));
          if (num(axes[1]?.max) !== undefined) push('max', num(axes[1]?.max));
        }
        break;
      default:
    }
  }
  return properties.length ? { matcher: matcher(s.alias), properties } : null;
}

export function upgradeGraph(p: Panel): Panel {
  const g = p as Loose;
  const axes = (Array.isArray(g['yaxes']) ? g['yaxes'] : []) as Axis[];
  const left = axes[0] ?? {};
  const xMode = (g['xaxis'] as { mode?: string } | undefined)?.mode;
  const bars = g['bars'] === true;
  const lines = g['lines'] !== false;
  const custom: Loose = {
    drawStyle: bars ? 'bars' : lines ? 'line' : g['points'] ? 'points' : 'line',
    lineInterpolation: g['steppedLine'] ? 'stepAfter' : 'linear',
    lineWidth: lines ? (num(g['linewidth']) ?? 1) : 0,
    fillOpacity: Math.min(100, (num(g['fill']) ?? (bars ? 10 : 1)) * 10),
    gradientMode: num(g['fillGradient']) ? 'opacity' : 'none',
    showPoints: g['points'] ? 'always' : 'never',
    pointSize: Math.max(3, (num(g['pointradius']) ?? 2) * 2),
    spanNulls: g['nullPointMode'] === 'connected',
    stacking: { mode: g['stack'] ? (g['percentage'] ? 'percent' : 'normal') : 'none', group: 'A' },
    axisPlacement: left.show === false ? 'hidden' : 'auto',
    axisLabel: left.label ?? '',
    scaleDistribution: left.logBase && left.logBase !== 1 ? { type: 'log', log: left.logBase } : { type: 'linear' },
  };
  if (g['dashes']) custom['lineStyle'] = { fill: 'dash', dash: [num(g['dashLength']) ?? 10, num(g['spaceLength']) ?? 10] };
  const defaults: FieldConfig = { color: { mode: 'palette-classic' }, custom, mappings: [] };
  if (left.format) defaults.unit = left.format;
  const decimals = num(left.decimals) ?? num(g['decimals']);
  if (decimals !== undefined) defaults.decimals = decimals;
  if (num(left.min) !== undefined) defaults.min = num(left.min);
  if (num(left.max) !== undefined) defaults.max = num(left.max);
  if (g['nullPointMode'] === 'null as zero') defaults.noValue = '0';

  const overrides: Override[] = [];
  for (const [name, color] of Object.entries((g['aliasColors'] as Record<string, string>) ?? {})) {
    overrides.push({ matcher: { id: 'byName', options: name }, properties: [{ id: 'color', value: { mode: 'fixed', fixedColor: color } }] });
  }
  for (const s of (Array.isArray(g['seriesOverrides']) ? g['seriesOverrides'] : []) as SeriesOverride[]) {
    const o = overrideOf(s, axes);
    if (o) overrides.push(o);
  }
  const old = (Array.isArray(g['thresholds']) ? g['thresholds'] : []) as { value?: number; op?: string; colorMode?: string; lineColor?: string; fillColor?: string; fill?: boolean; line?: boolean }[];
  if (old.length) {
    const named: Record<string, string> = { critical: 'red', warning: 'orange', ok: 'green' };
    const steps: ThresholdStep[] = [{ value: null, color: old[0]!.op === 'lt' ? (named[old[0]!.colorMode ?? ''] ?? 'red') : 'transparent' }];
    for (const t of old) {
      const c = t.colorMode === 'custom' ? (t.lineColor ?? t.fillColor ?? 'red') : (named[t.colorMode ?? ''] ?? 'red');
      steps.push({ value: Number(t.value), color: t.op === 'lt' ? 'transparent' : c });
    }
    defaults.thresholds = { mode: 'absolute', steps };
    const area = old.some((t) => t.fill);
    const line = old.some((t) => t.line);
    custom['thresholdsStyle'] = { mode: area ? (line ? 'line+area' : 'area') : line ? 'line' : 'off' };
  }

  const legend = (g['legend'] ?? {}) as Loose;
  const tooltip = (g['tooltip'] ?? {}) as Loose;
  const table = legend['alignAsTable'] === true;
  const sort = tooltip['sort'] === 1 ? 'asc' : tooltip['sort'] === 2 ? 'desc' : 'none';
  const options: Loose = {
    legend: {
      showLegend: legend['show'] !== false,
      displayMode: table ? 'table' : 'list',
      placement: legend['rightSide'] ? 'right' : 'bottom',
      calcs: legend['values'] === false || !legend['values'] ? [] : CALCS.filter(([k]) => legend[k]).map(([, c]) => c),
      ...(typeof legend['sort'] === 'string' && table ? { sortBy: legend['sort'], sortDesc: legend['sortDesc'] === true } : {}),
    },
    tooltip: { mode: tooltip['shared'] === false ? 'single' : 'multi', sort },
  };
  const fieldConfig: FieldConfigSource = { defaults, overrides };
  const rest: Loose = { ...p };
  for (const k of [
    'yaxes', 'xaxis', 'yaxis', 'grid', 'bars', 'lines', 'points', 'fill', 'fillGradient', 'linewidth', 'pointradius', 'steppedLine', 'stack',
    'percentage', 'nullPointMode', 'legend', 'tooltip', 'seriesOverrides', 'aliasColors', 'thresholds', 'dashes', 'dashLength', 'spaceLength',
    'renderer', 'timeRegions', 'hiddenSeries',
  ]) {
    delete rest[k];
  }
  const type = xMode === 'series' ? 'barchart' : xMode === 'histogram' ? 'histogram' : 'timeseries';
  if (type === 'barchart') {
    const value = String(((g['xaxis'] as Loose)['values'] as string[] | undefined)?.[0] ?? 'current');
    const calc = CALCS.find(([k]) => k === value)?.[1] ?? 'sum';
    rest['transformations'] = [...(p.transformations ?? []), { id: 'reduce', options: { reducers: [calc] } }];
  }
  return { ...(rest as unknown as Panel), type, fieldConfig, options };
}
