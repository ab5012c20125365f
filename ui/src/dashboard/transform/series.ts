// Transformations between series and tables.

import { matches } from '../field/config';
import { reduce as reduceValues, reducerName } from '../field/reduce';
import { displayName, field, frameOf, guessType, timeField, type Field, type Frame } from '../frame/frame';
import type { Loose } from '../model/types';

/** Each column to one value: a row a series (seriesToRows), or a table of one row (reduceFields). */
export function reduce(frames: Frame[], o: Loose): Frame[] {
  const ids = (Array.isArray(o['reducers']) && o['reducers'].length ? o['reducers'] : ['max']) as string[];
  const withTime = o['includeTimeField'] === true;
  const wanted = o['fields'] as { id: string; options?: unknown } | undefined;
  const picks = (x: Field, f: Frame) => (x.type !== 'time' || withTime) && (!wanted?.id || matches(wanted, x, f, frames));
  if (o['mode'] === 'reduceFields') {
    return frames.map((f) => {
      const fields = f.fields
        .filter((x) => picks(x, f) && (x.type === 'number' || x.type === 'time'))
        .flatMap((x) =>
          ids.map((id) => {
            const v = reduceValues(x.values, id);
            return { ...x, type: guessType([v]), values: [v], name: ids.length > 1 ? `${x.name} ${reducerName(id)}` : x.name };
          }),
        );
      return frameOf(fields, { refId: f.refId, name: f.name, kind: 'table' });
    });
  }
  const labels = o['labelsToFields'] === true;
  const rows: { f: Frame; x: Field }[] = frames.flatMap((f) => f.fields.filter((x) => picks(x, f) && (x.type === 'number' || x.type === 'time' || frames.length === 1)).map((x) => ({ f, x })));
  if (rows.length === 0) return [];
  const keys = labels ? [...new Set(rows.flatMap((r) => Object.keys(r.x.labels ?? {})))] : [];
  const config = rows[0]!.x.config;
  const plain = { ...config, displayName: undefined, displayNameFromDS: undefined };
  return [
    frameOf(
      [
        ...(labels && keys.length ? keys.map((k) => field(k, 'string', rows.map((r) => r.x.labels?.[k] ?? ''))) : []),
        ...(labels && keys.length ? [] : [field('Field', 'string', rows.map((r) => displayName(r.x, r.f, frames)))]),
        ...ids.map((id) => {
          const values = rows.map((r) => reduceValues(r.x.values, id));
          return field(reducerName(id), guessType(values), values, undefined, plain);
        }),
      ],
      { kind: 'table', refId: frames[0]!.refId },
    ),
  ];
}

export function seriesToRows(frames: Frame[]): Frame[] {
  const rows: [number, string, unknown][] = [];
  let config = {};
  for (const f of frames) {
    const t = timeField(f);
    if (!t) continue;
    for (const x of f.fields) {
      if (x.type !== 'number') continue;
      config = x.config;
      const name = displayName(x, f, frames);
      for (let i = 0; i < f.length; i++) if (x.values[i] !== null && x.values[i] !== undefined) rows.push([t.values[i] as number, name, x.values[i]]);
    }
  }
  rows.sort((a, b) => b[0] - a[0]);
  return [
    frameOf(
      [field('Time', 'time', rows.map((r) => r[0])), field('Metric', 'string', rows.map((r) => r[1])), field('Value', 'number', rows.map((r) => r[2]), undefined, { ...config, displayName: undefined, displayNameFromDS: undefined })],
      { kind: 'table' },
    ),
  ];
}

/** A row a series with its last figure; the series itself is in the cell, drawn as a sparkline. */
export function timeSeriesTable(frames: Frame[], o: Loose): Frame[] {
  const out: Frame[] = [];
  const refs = [...new Set(frames.map((f) => f.refId ?? ''))];
  for (const ref of refs) {
    const of = frames.filter((f) => (f.refId ?? '') === ref && timeField(f));
    if (of.length === 0) continue;
    const opt = (o[ref] ?? {}) as { stat?: string };
    const keys = [...new Set(of.flatMap((f) => f.fields.flatMap((x) => Object.keys(x.labels ?? {}))))];
    const rows = of.flatMap((f) => f.fields.filter((x) => x.type === 'number').map((x) => ({ f, x })));
    const trend = field(
      refs.length > 1 ? `Trend #${ref}` : 'Trend',
      'other',
      rows.map((r) => ({ spark: r.x.values as (number | null)[], value: reduceValues(r.x.values, opt.stat ?? 'lastNotNull') })),
      undefined,
      { custom: { cellOptions: { type: 'sparkline' } } },
    );
    out.push(frameOf([...keys.map((k) => field(k, 'string', rows.map((r) => r.x.labels?.[k] ?? ''))), trend], { kind: 'table', refId: ref }));
  }
  return out;
}

/** Series as one wide table on the union of their times. */
export function toWide(frames: Frame[]): Frame[] {
  const of = frames.filter((f) => timeField(f));
  if (of.length === 0) return frames;
  const times = [...new Set(of.flatMap((f) => timeField(f)!.values as number[]))].sort((a, b) => a - b);
  const at = new Map(times.map((t, i) => [t, i]));
  const fields: Field[] = [field('Time', 'time', times)];
  for (const f of of) {
    const t = timeField(f)!.values as number[];
    for (const x of f.fields) {
      if (x.type === 'time') continue;
      const values = new Array<unknown>(times.length).fill(null);
      for (let i = 0; i < f.length; i++) values[at.get(t[i]!)!] = x.values[i];
      fields.push({ ...x, values });
    }
  }
  return [frameOf(fields, { kind: 'table', refId: of[0]!.refId, stepMs: of[0]!.stepMs })];
}

/** A table as one frame a series: the texts of a row are its labels. */
export function toMany(frames: Frame[]): Frame[] {
  return frames.flatMap((f) => {
    const t = timeField(f);
    if (!t) return [f];
    const numbers = f.fields.filter((x) => x.type === 'number');
    const texts = f.fields.filter((x) => x.type === 'string');
    if (texts.length === 0) return numbers.map((x) => frameOf([t, x], { ...f, fields: [t, x], kind: 'timeseries' }));
    const groups = new Map<string, number[]>();
    for (let i = 0; i < f.length; i++) {
      const k = texts.map((x) => String(x.values[i] ?? '')).join('\x01');
      const g = groups.get(k);
      if (g) g.push(i);
      else groups.set(k, [i]);
    }
    return [...groups.values()].flatMap((rows) =>
      numbers.map((x) => {
        const labels = { ...x.labels, ...Object.fromEntries(texts.map((s) => [s.name, String(s.values[rows[0]!] ?? '')])) };
        return frameOf([{ ...t, values: rows.map((i) => t.values[i]) }, { ...x, labels, values: rows.map((i) => x.values[i]) }], { refId: f.refId, kind: 'timeseries', stepMs: f.stepMs });
      }),
    );
  });
}

export function prepareTimeSeries(frames: Frame[], o: Loose): Frame[] {
  if (o['format'] === 'multi' || o['format'] === 'many') return toMany(frames);
  if (o['format'] === 'long') {
    const wide = toMany(frames);
    const rows: { t: number; v: unknown; l: Record<string, string> }[] = [];
    for (const f of wide) {
      const t = timeField(f);
      for (const x of f.fields) if (x.type === 'number') x.values.forEach((v, i) => rows.push({ t: t?.values[i] as number, v, l: x.labels ?? {} }));
    }
    rows.sort((a, b) => a.t - b.t);
    const keys = [...new Set(rows.flatMap((r) => Object.keys(r.l)))];
    return [frameOf([field('Time', 'time', rows.map((r) => r.t)), field('Value', 'number', rows.map((r) => r.v)), ...keys.map((k) => field(k, 'string', rows.map((r) => r.l[k] ?? '')))], { kind: 'table' })];
  }
  return toWide(frames);
}

/** A row for each set of the joining labels; the values of one label are the columns. */
export function joinByLabels(frames: Frame[], o: Loose): Frame[] {
  const valueLabel = String(o['value'] ?? '');
  const cells = frames.flatMap((f) => f.fields.filter((x) => x.labels && x.type === 'number').map((x) => x));
  if (!valueLabel || cells.length === 0) return frames;
  const join = (Array.isArray(o['join']) && o['join'].length ? o['join'] : [...new Set(cells.flatMap((x) => Object.keys(x.labels!)))].filter((k) => k !== valueLabel && k !== '__name__')) as string[];
  const columns = [...new Set(cells.map((x) => x.labels![valueLabel] ?? '').filter(Boolean))];
  const rows = new Map<string, { labels: Record<string, string>; values: Map<string, unknown> }>();
  for (const x of cells) {
    const key = join.map((k) => x.labels![k] ?? '').join('\x01');
    let row = rows.get(key);
    if (!row) rows.set(key, (row = { labels: x.labels!, values: new Map() }));
    row.values.set(x.labels![valueLabel] ?? '', x.values[x.values.length - 1]);
  }
  const list = [...rows.values()];
  return [frameOf([...join.map((k) => field(k, 'string', list.map((r) => r.labels[k] ?? ''))), ...columns.map((c) => field(c, 'number', list.map((r) => r.values.get(c) ?? null)))], { kind: 'table' })];
}
