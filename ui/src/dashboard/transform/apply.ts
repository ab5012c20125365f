// Runs a panel's transformations, one after the other.

import { toRegex } from '../field/mappings';
import { field, frameOf, type Frame } from '../frame/frame';
import type { Loose, Transformation } from '../model/types';
import { formatInstant } from '../../time/grammar';
import { zone } from '../../time/state';
import { dateFormat } from '../variables/formats';
import { calculateField } from './calculate';
import * as columns from './columns';
import { bucketize } from './histogram';
import { heatmap } from './heatmap';
import { ALIASES, PASSED_OVER } from './known';
import { groupToNestedTable } from './nested';
import * as rows from './rows';
import * as series from './series';
import { regression, smoothing } from './trend';

type Step = (frames: Frame[], o: Loose) => Frame[];

function formatTime(frames: Frame[], o: Loose): Frame[] {
  return frames.map((f) => ({
    ...f,
    fields: f.fields.map((x) =>
      x.type === 'time' && (x.name === o['timeField'] || !o['timeField'])
        ? { ...x, type: 'string' as const, values: x.values.map((v) => (typeof v === 'number' ? (o['outputFormat'] ? dateFormat(v, String(o['outputFormat'])) : formatInstant(v, zone.peek())) : null)) }
        : x,
    ),
  }));
}

function histogram(frames: Frame[], o: Loose): Frame[] {
  const size = Number(o['bucketSize']) || 0;
  const h = bucketize(frames, { size, count: Number(o['bucketCount']) || 30, offset: Number(o['bucketOffset']) || 0, combine: o['combine'] === true });
  if (!h) return [];
  return [frameOf([field('xMin', 'number', h.lo), field('xMax', 'number', h.hi), ...h.counts.map((c) => field(c.name, 'number', c.values))], { kind: 'table' })];
}

const STEPS: Record<string, Step> = {
  organize: columns.organize,
  filterFieldsByName: columns.filterFieldsByName,
  renameByRegex: columns.renameByRegex,
  convertFieldType: columns.convertFieldType,
  labelsToFields: columns.labelsToFields,
  extractFields: columns.extractFields,
  formatString: columns.formatString,
  formatTime,
  merge: rows.merge,
  joinByField: rows.joinByField,
  groupBy: rows.groupBy,
  sortBy: rows.sortBy,
  limit: rows.limit,
  filterByValue: rows.filterByValue,
  filterByRefId: rows.filterByRefId,
  groupingToMatrix: rows.groupingToMatrix,
  concatenate: rows.concatenate,
  transpose: rows.transpose,
  rowsToFields: rows.rowsToFields,
  partitionByValues: rows.partitionByValues,
  configFromData: rows.configFromData,
  reduce: series.reduce,
  seriesToRows: series.seriesToRows,
  timeSeriesTable: series.timeSeriesTable,
  prepareTimeSeries: series.prepareTimeSeries,
  joinByLabels: series.joinByLabels,
  calculateField,
  histogram,
  heatmap,
  regression,
  smoothing,
  groupToNestedTable,
  noop: (f) => f,
};

/** `fill` interpolates variables in texts of the options. Unknown and failing ones are passed over. */
export function applyTransformations(frames: Frame[], list: Transformation[] | undefined, fill: (t: string) => string): { frames: Frame[]; problems: string[] } {
  const problems: string[] = [];
  let now = frames;
  for (const t of list ?? []) {
    if (t.disabled) continue;
    const step = STEPS[ALIASES[t.id] ?? t.id];
    if (!step) {
      problems.push(`Transformation “${t.id}” was passed over: ${PASSED_OVER[t.id] ?? 'it is not known here.'}`);
      continue;
    }
    try {
      const options = fillAll(t.options ?? {}, fill) as Loose;
      const only = t.filter?.id === 'byRefId' ? toRegex(`^(?:${String(t.filter.options ?? '')})$`) : null;
      if (only) {
        const inside = now.filter((f) => only.test(f.refId ?? ''));
        now = [...step(inside, options), ...now.filter((f) => !inside.includes(f))];
      } else now = step(now, options);
    } catch (e) {
      problems.push(`Transformation “${t.id}” failed: ${(e as Error).message}`);
    }
  }
  return { frames: now, problems };
}

function fillAll(v: unknown, fill: (t: string) => string): unknown {
  if (typeof v === 'string') return v.includes('$') ? fill(v) : v;
  if (Array.isArray(v)) return v.map((x) => fillAll(x, fill));
  if (typeof v === 'object' && v !== null) return Object.fromEntries(Object.entries(v).map(([k, x]) => [k, fillAll(x, fill)]));
  return v;
}
