// The drawings of the log explorer as panels: the volume by level, and the numbers of a metric query.

import type { Panel } from '../../dashboard/model/types';
import { volumeQuery } from './query';

const LEVEL_COLORS: [string, string][] = [
  ['critical|fatal|emerg|alert', 'purple'],
  ['error|err', 'red'],
  ['warn|warning', 'orange'],
  ['info|notice', 'green'],
  ['debug', 'blue'],
  ['trace', 'light-blue'],
  ['unknown|', 'text'],
];

const SOURCE = { type: 'loki', uid: 'loki' };

interface Asked {
  refId: string;
  expr: string;
}

/** Each bar counts the step before its time. The last one begins before the range's end and ends after it (coversEnd), so that what has just
 * come is counted. */
export function volumePanel(list: Asked[]): Panel {
  return {
    id: 1,
    type: 'timeseries',
    title: 'Lines',
    gridPos: { x: 0, y: 0, w: 24, h: 5 },
    datasource: SOURCE,
    targets: list.map((q) => ({ refId: q.refId, expr: volumeQuery(q.expr), legendFormat: `${list.length > 1 ? `${q.refId} ` : ''}{{detected_level}}`, datasource: SOURCE, coversEnd: true })),
    maxDataPoints: 100,
    fieldConfig: {
      defaults: { unit: 'short', custom: { drawStyle: 'bars', barWidthFactor: 0.9, barAlignment: -1, fillOpacity: 80, lineWidth: 0, stacking: { mode: 'normal', group: 'A' } } },
      overrides: LEVEL_COLORS.map(([re, c]) => ({ matcher: { id: 'byRegexp', options: `/^(?:[A-Z]+ )?(${re})$/i` }, properties: [{ id: 'color', value: { mode: 'fixed', fixedColor: c } }] })),
    },
    options: { legend: { showLegend: true, displayMode: 'list', placement: 'bottom', calcs: ['sum'] }, tooltip: { mode: 'multi', sort: 'desc' } },
  };
}

export function numbersPanel(list: Asked[]): Panel {
  return {
    id: 2,
    type: 'timeseries',
    title: '',
    gridPos: { x: 0, y: 0, w: 24, h: 10 },
    targets: list.map((q) => ({ refId: q.refId, expr: q.expr, legendFormat: '', datasource: SOURCE })),
    fieldConfig: { defaults: { custom: { fillOpacity: 10 } }, overrides: [] },
    options: { legend: { showLegend: true, displayMode: 'table', placement: 'bottom', calcs: ['lastNotNull', 'max'] }, tooltip: { mode: 'multi', sort: 'desc' } },
  };
}

