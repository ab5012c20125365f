// The drawings above a search of traces, as panels over TraceQL metrics: rate by status, durations, heat map.

import type { Panel } from '../../dashboard/model/types';

const TEMPO = { type: 'tempo', uid: 'tempo' };

function timeseries(id: number, title: string, targets: { query: string; legend: string; exemplars?: number }[], unit: string, custom: object, colors: [name: string, color: string][], names: Record<string, string> = {}): Panel {
  return {
    id,
    type: 'timeseries',
    title,
    gridPos: { x: 0, y: 0, w: 8, h: 6 },
    datasource: TEMPO,
    targets: targets.map((t, i) => ({ refId: String.fromCharCode(65 + i), query: t.query, queryType: 'traceql', legendFormat: t.legend, datasource: TEMPO, ...(t.exemplars === undefined ? {} : { exemplars: t.exemplars }) })),
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

interface Asked {
  refId: string;
  expr: string;
}

/** The letter of the query before a name, where there are several. */
const mark = (list: Asked[], q: Asked): string => (list.length > 1 ? `${q.refId} ` : '');

function heat(query: string, title: string): Panel {
  return {
    id: 3,
    type: 'heatmap',
    title,
    gridPos: { x: 0, y: 0, w: 8, h: 6 },
    datasource: TEMPO,
    targets: [{ refId: 'A', query: `${query} | histogram_over_time(duration)`, queryType: 'traceql', legendFormat: '{{__bucket}}', datasource: TEMPO }],
    maxDataPoints: 60,
    fieldConfig: { defaults: {}, overrides: [] },
    options: { calculate: false, cellGap: 1, color: { scheme: 'Oranges', mode: 'scheme', steps: 64, exponent: 0.3 }, yAxis: { unit: 's' } },
  } as unknown as Panel;
}

/** Rate and errors, duration, and the heat map of what the queries find; the heat map is that of the first. */
export function redPanels(list: Asked[]): Panel[] {
  const names = Object.fromEntries(list.flatMap((q) => [['0.5', 'p50'], ['0.9', 'p90'], ['0.99', 'p99']].map(([from, to]) => [mark(list, q) + from!, mark(list, q) + to!])));
  return [
    // An exemplar's value is how long its span took, which is no place on an axis of spans a second.
    timeseries(1, 'Spans a second', list.map((q) => ({ query: `${q.expr} | rate() by (status)`, legend: `${mark(list, q)}{{status}}`, exemplars: 0 })), 'suffix: spans/s', BARS, [
      ['(?:[A-Z]+ )?error', 'red'],
      ['(?:[A-Z]+ )?ok', 'green'],
      ['(?:[A-Z]+ )?unset', 'blue'],
    ]),
    timeseries(2, 'Duration', list.map((q) => ({ query: `${q.expr} | quantile_over_time(duration, 0.5, 0.9, 0.99)`, legend: `${mark(list, q)}{{p}}` })), 's', { fillOpacity: 0, lineWidth: 1.5, scaleDistribution: { type: 'log', log: 10 } }, [], names),
    heat(list[0]!.expr, list.length > 1 ? `Durations of ${list[0]!.refId}` : 'Durations'),
  ];
}

/** What a metrics query itself gives. */
export function metricPanel({ expr: q }: Asked, id: number): Panel {
  const histogram = /histogram_over_time\s*\(/.test(q);
  const of = /\|\s*(?:quantile|histogram|min|max|avg|sum)_over_time\s*\(\s*(?:\w+:)?(?:duration|traceDuration)/.test(q);
  if (histogram && !/\bby\s*\(/.test(q)) return { ...heat(q.replace(/\|\s*histogram_over_time[\s\S]*$/, ''), ''), id };
  return timeseries(id, '', [{ query: q, legend: '' }], histogram ? 'short' : of ? 's' : 'short', { fillOpacity: 10 }, []);
}

/** The query with only spans that last longer than `low` and no longer than `high` seconds. */
export function withDuration(q: string, low: number, high: number): string {
  const text = (s: number) => {
    const ns = Math.round(s * 1e9);
    return ns >= 1e9 ? `${ns / 1e9}s` : ns >= 1e6 ? `${ns / 1e6}ms` : ns >= 1e3 ? `${ns / 1e3}us` : `${ns}ns`;
  };
  const limits = [...(low > 0 ? [`duration > ${text(low)}`] : []), ...(Number.isFinite(high) ? [`duration <= ${text(high)}`] : [])].join(' && ');
  if (!limits) return q;
  const found = q.replace(/\|\s*histogram_over_time[\s\S]*$/, '').trim();
  const plain = /^\{((?:"(?:[^"\\]|\\.)*"|`[^`]*`|[^{}"`])*)\}$/.exec(found);
  if (!plain) return `${found} | { ${limits} }`;
  const inside = plain[1]!.trim();
  if (inside === '' || inside === 'true') return `{ ${limits} }`;
  return `{ ${/\|\|/.test(inside) ? `(${inside})` : inside} && ${limits} }`;
}
