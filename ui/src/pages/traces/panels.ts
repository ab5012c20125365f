// The drawings above a search of traces, as panels over TraceQL metrics: rate by status, durations, heat map.

import type { Panel } from '../../dashboard/model/types';

const TEMPO = { type: 'tempo', uid: 'tempo' };

function timeseries(id: number, title: string, targets: { query: string; legend: string }[], unit: string, custom: object, colors: [name: string, color: string][], names: Record<string, string> = {}): Panel {
  return {
    id,
    type: 'timeseries',
    title,
    gridPos: { x: 0, y: 0, w: 8, h: 6 },
    datasource: TEMPO,
    targets: targets.map((t, i) => ({ refId: String.fromCharCode(65 + i), query: t.query, queryType: 'traceql', legendFormat: t.legend, datasource: TEMPO })),
    maxDataPoints: 100,
    fieldConfig: {
      defaults: { unit, custom },
      overrides: [
        ...colors.map(([re, color]) => ({ matcher: { id: 'byRegexp', options: `/^${re}$/` }, properties: [{ id: 'color', value: { mode: 'fixed', fixedColor: color } }] })),
        ...Object.entries(names).map(([from, to]) => ({ matcher: { id: 'byName', options: from }, properties: [{ id: 'displayName', value: to }] })),
      ],
    },
    options: { legend: { showLegend: true, displayMode: 'list', placement: 'bottom', calcs: [] }, tooltip: { mode: 'multi', sort: 'desc' } },
  } as unknown as Panel;
}

const BARS = { drawStyle: 'bars', barWidthFactor: 0.9, barAlignment: -1, fillOpacity: 80, lineWidth: 0, stacking: { mode: 'normal', group: 'A' } };

/** Rate and errors, duration, and the heat map of what the query finds. */
export function redPanels(q: string): Panel[] {
  return [
    timeseries(1, 'Spans a second', [{ query: `${q} | rate() by (status)`, legend: '{{status}}' }], 'suffix: spans/s', BARS, [
      ['error', 'red'],
      ['ok', 'green'],
      ['unset', 'blue'],
    ]),
    timeseries(2, 'Duration', [{ query: `${q} | quantile_over_time(duration, 0.5, 0.9, 0.99)`, legend: '{{p}}' }], 's', { fillOpacity: 0, lineWidth: 1.5, scaleDistribution: { type: 'log', log: 10 } }, [], { '0.5': 'p50', '0.9': 'p90', '0.99': 'p99' }),
    {
      id: 3,
      type: 'heatmap',
      title: 'Durations',
      gridPos: { x: 0, y: 0, w: 8, h: 6 },
      datasource: TEMPO,
      targets: [{ refId: 'A', query: `${q} | histogram_over_time(duration)`, queryType: 'traceql', legendFormat: '{{__bucket}}', datasource: TEMPO }],
      maxDataPoints: 60,
      fieldConfig: { defaults: {}, overrides: [] },
      options: { calculate: false, cellGap: 1, color: { scheme: 'Oranges', mode: 'scheme', steps: 64, exponent: 0.3 }, yAxis: { unit: 's' } },
    } as unknown as Panel,
  ];
}

/** What a metrics query itself gives. */
export function metricPanel(q: string): Panel {
  const histogram = /histogram_over_time\s*\(/.test(q);
  const of = /\|\s*(?:quantile|histogram|min|max|avg|sum)_over_time\s*\(\s*(?:\w+:)?(?:duration|traceDuration)/.test(q);
  if (histogram && !/\bby\s*\(/.test(q)) return { ...redPanels(q.replace(/\|\s*histogram_over_time[\s\S]*$/, ''))[2]!, title: '' };
  return timeseries(4, '', [{ query: q, legend: '' }], histogram ? 'short' : of ? 's' : 'short', { fillOpacity: 10 }, []);
}
