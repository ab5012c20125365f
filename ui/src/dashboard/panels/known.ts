// Panel types that are drawn. The drawings themselves are loaded when first needed.

export const DRAWN = [
  'timeseries', 'stat', 'gauge', 'bargauge', 'table', 'text', 'row', 'trend', 'piechart', 'heatmap', 'histogram', 'barchart', 'logs',
  'state-timeline', 'status-history', 'alertlist', 'dashlist', 'annolist', 'nodeGraph', 'traces', 'flamegraph', 'xychart',
] as const;

export function isDrawn(type: string): boolean {
  return (DRAWN as readonly string[]).includes(type);
}
