// Answers of the doors as frames.

import type { MultiAnswer } from '../../api/multi';
import type { RangeResult } from '../../api/ranges';
import type { Labels } from '../../api/prom';
import type { Grid } from '../../time/step';
import { field, frameOf, type Field, type Frame } from '../frame/frame';
import { seriesNames } from './legend';

export function gridTimes(grid: Grid): number[] {
  const out = new Array<number>(grid.count);
  for (let i = 0; i < grid.count; i++) out[i] = grid.startMs + i * grid.stepMs;
  return out;
}

interface Series {
  labels: Labels;
  times: number[];
  values: (number | null)[];
}

/** One frame a series; all share the times when they lie on one grid. */
export function seriesFrames(series: Series[], refId: string, legend: string | undefined, expr: string, stepMs?: number): Frame[] {
  const names = seriesNames(legend, expr, series.map((s) => s.labels));
  return series.map((s, i) =>
    frameOf([field('Time', 'time', s.times), field('Value', 'number', s.values, s.labels, { displayNameFromDS: names[i]! })], {
      refId,
      name: names[i]!,
      kind: 'timeseries',
      stepMs,
    }),
  );
}

/** One table of all series: time, every label, value. */
export function tableFrame(series: Series[], refId: string, valueName: string, skipNull = true): Frame {
  const keys = [...new Set(series.flatMap((s) => Object.keys(s.labels)))].sort();
  const rows: [number, Labels, number | null][] = [];
  for (const s of series) for (let i = 0; i < s.values.length; i++) if (!skipNull || s.values[i] !== null) rows.push([s.times[i]!, s.labels, s.values[i]!]);
  rows.sort((a, b) => a[0] - b[0]);
  const fields: Field[] = [
    field('Time', 'time', rows.map((r) => r[0])),
    ...keys.map((k) => field(k, 'string', rows.map((r) => r[1][k] ?? ''), undefined, { filterable: true })),
    field(valueName, 'number', rows.map((r) => r[2])),
  ];
  return frameOf(fields, { refId, kind: 'table' });
}

const bound = (le: string | undefined): number => (le === undefined ? NaN : le === '+Inf' ? Infinity : Number(le));

/**
 * Cumulative `le` series to the count of each bucket, lowest bucket first: one frame with a column
 * a bucket, named by its upper bound.
 */
export function heatmapFrames(r: RangeResult, refId: string): Frame[] {
  if (r.native.length > 0) return nativeHeatmap(r, refId);
  const times = gridTimes(r.grid);
  // Series of several instances are added up.
  const byLe = new Map<string, (number | null)[]>();
  for (const s of r.series) {
    const le = s.labels['le'];
    if (le === undefined) continue;
    const had = byLe.get(le);
    if (!had) byLe.set(le, s.values.slice());
    else for (let i = 0; i < had.length; i++) had[i] = had[i] === null ? s.values[i]! : had[i]! + (s.values[i] ?? 0);
  }
  if (byLe.size === 0) {
    // Already buckets: each series is a row by the name it has.
    return [frameOf([field('Time', 'time', times), ...r.series.map((s) => field(Object.values(s.labels).join(' '), 'number', s.values))], { refId, kind: 'heatmap-rows', stepMs: r.grid.stepMs })];
  }
  const sorted = [...byLe].sort((a, b) => bound(a[0]) - bound(b[0]));
  const fields = sorted.map(([le, values], k) => {
    const below = k > 0 ? sorted[k - 1]![1] : null;
    return field(le, 'number', values.map((v, i) => (v === null ? null : Math.max(0, v - (below?.[i] ?? 0)))), { le });
  });
  return [frameOf([field('Time', 'time', times), ...fields], { refId, kind: 'heatmap-rows', stepMs: r.grid.stepMs })];
}

/** Native histograms: their buckets are the rows. */
function nativeHeatmap(r: RangeResult, refId: string): Frame[] {
  const rows = new Map<string, { lo: number; values: (number | null)[] }>();
  for (const h of r.native) {
    for (const [i, point] of h.points) {
      if (i < 0 || i >= r.grid.count) continue;
      for (const [, lo, hi, n] of point.buckets ?? []) {
        let row = rows.get(hi);
        if (!row) rows.set(hi, (row = { lo: Number(lo), values: new Array<number | null>(r.grid.count).fill(null) }));
        row.values[i] = (row.values[i] ?? 0) + Number(n);
      }
    }
  }
  const sorted = [...rows].sort((a, b) => bound(a[0]) - bound(b[0]));
  const times = gridTimes(r.grid);
  return [frameOf([field('Time', 'time', times), ...sorted.map(([hi, row]) => field(Number(hi).toPrecision(3), 'number', row.values, { le: hi }))], { refId, kind: 'heatmap-rows', stepMs: r.grid.stepMs })];
}

/** The series of an answer: over its grid, at times of their own, or of an instant. */
export function answerSeries(a: MultiAnswer, atMs = 0): Series[] {
  const grid = a.grid ? gridTimes(a.grid) : null;
  return a.series.map((s) => {
    if (!grid || s.times) return { labels: s.labels, times: s.times ?? s.values.map(() => a.timeMs ?? atMs), values: s.values };
    const values = new Array<number | null>(grid.length).fill(null);
    s.values.forEach((v, i) => (values[s.first + i] = v));
    return { labels: s.labels, times: grid, values };
  });
}

/** What an expression has come to: a frame a series or number, called as its query. */
export function expressionFrames(a: MultiAnswer, refId: string): Frame[] {
  const numbers = a.kind !== 'matrix';
  return answerSeries(a).map(({ labels: { __name__: _, ...labels }, times, values }) => {
    const value = field(refId, 'number', values, labels);
    return numbers ? frameOf([value], { refId, kind: 'table' }) : frameOf([field('Time', 'time', times), value], { refId, kind: 'timeseries', stepMs: a.grid?.stepMs });
  });
}

export function stringFrame(text: string, atMs: number, refId: string): Frame {
  return frameOf([field('Time', 'time', [atMs]), field('Value', 'string', [text])], { refId, kind: 'table' });
}

/** Named `exemplar`, so that drawings tell it from series. */
export function exemplarFrame(list: { labels: Record<string, string>; series: Record<string, string>; value: number; timeMs: number }[], refId: string): Frame {
  return {
    refId,
    name: 'exemplar',
    kind: undefined,
    length: list.length,
    fields: [
      { name: 'Time', type: 'time', values: list.map((e) => e.timeMs), config: {} },
      { name: 'Value', type: 'number', values: list.map((e) => e.value), config: {} },
      { name: 'labels', type: 'other', values: list.map((e) => ({ ...e.series, ...e.labels })), config: {} },
    ],
  };
}
