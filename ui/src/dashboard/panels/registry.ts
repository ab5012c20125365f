// Panel type to drawing. Each is loaded when the first panel of its type comes into view.

import type { PanelComponent } from './props';

type Load = () => Promise<{ default: PanelComponent }>;

const timeseries: Load = () => import('./timeseries/TimeSeries');

const LOADERS: Record<string, Load> = {
  timeseries,
  trend: timeseries,
  stat: () => import('./Stat'),
  gauge: () => import('./Gauge'),
  bargauge: () => import('./BarGauge'),
  table: () => import('./table/Table'),
  text: () => import('./Text'),
  piechart: () => import('./Pie'),
  heatmap: () => import('./Heatmap'),
  histogram: () => import('./Histogram'),
  barchart: () => import('./BarChart'),
  logs: () => import('./Logs'),
  'state-timeline': () => import('./StateTimeline'),
  'status-history': () => import('./StateTimeline'),
  alertlist: () => import('./AlertList'),
  dashlist: () => import('./DashList'),
  annolist: () => import('./AnnoList'),
  nodeGraph: () => import('./NodeGraph'),
  traces: () => import('./Traces'),
  flamegraph: () => import('./Flame'),
  xychart: () => import('./xy/XyChart'),
};

/** Drawings that ask nothing of a data source. */
export const WITHOUT_QUERY = new Set(['text', 'dashlist', 'alertlist', 'annolist', 'news', 'row']);

const loaded = new Map<string, PanelComponent>();

export function panelComponent(type: string): PanelComponent | null {
  return loaded.get(type) ?? null;
}

/** Loads a drawing; null when there is none of that type. */
export async function loadPanel(type: string): Promise<PanelComponent | null> {
  const load = LOADERS[type];
  if (!load) return null;
  const c = (await load()).default;
  loaded.set(type, c);
  return c;
}

export interface PanelTypeInfo {
  type: string;
  name: string;
}

/** What the editor offers. */
export const PANEL_TYPES: PanelTypeInfo[] = [
  { type: 'timeseries', name: 'Time series' },
  { type: 'stat', name: 'Stat' },
  { type: 'gauge', name: 'Gauge' },
  { type: 'bargauge', name: 'Bar gauge' },
  { type: 'table', name: 'Table' },
  { type: 'text', name: 'Text' },
  { type: 'piechart', name: 'Pie chart' },
  { type: 'heatmap', name: 'Heat map' },
  { type: 'histogram', name: 'Histogram' },
  { type: 'barchart', name: 'Bar chart' },
  { type: 'state-timeline', name: 'State timeline' },
  { type: 'status-history', name: 'Status history' },
  { type: 'logs', name: 'Logs' },
  { type: 'alertlist', name: 'Alert list' },
  { type: 'dashlist', name: 'Dashboard list' },
  { type: 'annolist', name: 'Annotation list' },
  { type: 'xychart', name: 'Scatter' },
  { type: 'nodeGraph', name: 'Node graph' },
  { type: 'traces', name: 'Traces' },
  { type: 'flamegraph', name: 'Flame graph' },
];
