// Transformations of rows: joining, grouping, sorting, filtering.

import { matches } from '../field/config';
import { toRegex } from '../field/mappings';
import { reduce } from '../field/reduce';
import { displayName, field, frameOf, guessType, timeField, type Field, type Frame } from '../frame/frame';
import type { Loose } from '../model/types';

const named = (f: Frame, name: string, all: Frame[]): Field | undefined => f.fields.find((x) => displayName(x, f, all) === name) ?? f.fields.find((x) => x.name === name);

const keyOf = (v: unknown): string => (typeof v === 'object' && v !== null ? JSON.stringify(v) : `${typeof v}:${String(v)}`);

/** One table of all; rows equal in every column that both have become one. */
export function merge(frames: Frame[]): Frame[] {
  const tables = frames.filter((f) => f.fields.length > 0);
  if (tables.length <= 1) return tables;
  const columns: { name: string; field: Field }[] = [];
  const index = new Map<string, number>();
  const nameOf = (x: Field, f: Frame) => (x.name === 'Value' && x.config.displayNameFromDS && f.kind === 'timeseries' ? x.name : displayName(x, f, tables));
  for (const f of tables) {
    for (const x of f.fields) {
      const n = nameOf(x, f);
      if (!index.has(n)) {
        index.set(n, columns.length);
        columns.push({ name: n, field: x });
      }
    }
  }
  // Columns that not all tables have are values; those that all have are the key.
  const counts = new Map<string, number>();
  for (const f of tables) for (const n of new Set(f.fields.map((x) => nameOf(x, f)))) counts.set(n, (counts.get(n) ?? 0) + 1);
  const keys = columns.filter((c) => counts.get(c.name) === tables.length).map((c) => c.name);
  const rows: unknown[][] = [];
  const byKey = new Map<string, unknown[][]>();
  for (const f of tables) {
    const at = f.fields.map((x) => index.get(nameOf(x, f))!);
    const keyFields = keys.map((k) => f.fields.find((x) => nameOf(x, f) === k)!);
    for (let i = 0; i < f.length; i++) {
      const key = keys.length ? keyFields.map((x) => keyOf(x.values[i])).join('\x01') : `${rows.length}`;
      const list = byKey.get(key) ?? [];
      let row = keys.length ? list.find((r) => at.every((c, k) => r[c] === undefined || r[c] === f.fields[k]!.values[i])) : undefined;
      if (!row) {
        row = new Array<unknown>(columns.length).fill(undefined);
        rows.push(row);
        list.push(row);
        byKey.set(key, list);
      }
      at.forEach((c, k) => (row![c] = f.fields[k]!.values[i]));
    }
  }
  const fields = columns.map((c, k) => ({ ...c.field, name: c.name, values: rows.map((r) => r[k] ?? null) }));
  return [frameOf(fields, { kind: 'table', refId: tables[0]!.refId })];
}

/** Side by side where the column is equal: outer keeps all rows, inner only those of every table. */
export function joinByField(frames: Frame[], o: Loose): Frame[] {
  const by = typeof o['byField'] === 'string' && o['byField'] !== '' ? o['byField'] : null;
  const inner = o['mode'] === 'inner';
  const tables = frames
    .map((f) => ({ f, key: by === null ? (timeField(f) ?? f.fields[0]) : by === 'Time' ? (named(f, by, frames) ?? timeField(f)) : named(f, by, frames) }))
    .filter((t): t is { f: Frame; key: Field } => t.key !== undefined);
  if (tables.length === 0) return frames;
  if (tables.length === 1) {
    const t = tables[0]!;
    return [{ ...t.f, fields: [t.key, ...t.f.fields.filter((x) => x !== t.key)], kind: 'table' }];
  }
  // A key that occurs several times in a table gives a row for each combination with the others.
  const maps = tables.map((t) => {
    const m = new Map<string, number[]>();
    t.key.values.forEach((v, i) => {
      const k = keyOf(v);
      const had = m.get(k);
      if (had) had.push(i);
      else m.set(k, [i]);
    });
    return m;
  });
  const order = new Map<string, unknown>();
  tables.forEach((t) => t.key.values.forEach((v) => order.has(keyOf(v)) || order.set(keyOf(v), v)));
  let keys = [...order.keys()];
  if (inner) keys = keys.filter((k) => maps.every((m) => m.has(k)));
  if (tables[0]!.key.type === 'time' || tables[0]!.key.type === 'number') keys.sort((a, b) => Number(order.get(a)) - Number(order.get(b)));
  const rows: number[][] = [];
  const keyValues: unknown[] = [];
  for (const k of keys) {
    let combos: number[][] = [[]];
    for (const m of maps) {
      const at = m.get(k) ?? [-1];
      combos = combos.flatMap((c) => at.map((i) => [...c, i]));
      if (combos.length > 10_000) combos.length = 10_000;
    }
    for (const c of combos) {
      rows.push(c);
      keyValues.push(order.get(k));
    }
  }
  const fields: Field[] = [{ ...tables[0]!.key, values: keyValues }];
  const counts = new Map<string, number>();
  for (const t of tables) for (const x of t.f.fields) if (x !== t.key) counts.set(x.name, (counts.get(x.name) ?? 0) + 1);
  const given = new Map<string, number>();
  tables.forEach((t, ti) => {
    for (const x of t.f.fields) {
      if (x === t.key) continue;
      // Columns of the same name are told apart by a number, as long as labels do not.
      let name = x.name;
      if ((counts.get(x.name) ?? 0) > 1 && !x.labels && !x.config.displayName) {
        const n = (given.get(x.name) ?? 0) + 1;
        given.set(x.name, n);
        name = `${x.name} ${n}`;
      }
      fields.push({ ...x, name, values: rows.map((r) => (r[ti]! < 0 ? null : (x.values[r[ti]!] ?? null))) });
    }
  });
  return [frameOf(fields, { kind: 'table', refId: tables[0]!.f.refId, stepMs: tables[0]!.f.stepMs })];
}

interface GroupOptions {
  operation?: 'groupby' | 'aggregate' | null;
  aggregations?: string[];
}

export function groupBy(frames: Frame[], o: Loose): Frame[] {
  const spec = (o['fields'] ?? {}) as Record<string, GroupOptions>;
  return frames.flatMap((f) => {
    const of = (x: Field) => spec[displayName(x, f, frames)] ?? spec[x.name];
    const keys = f.fields.filter((x) => of(x)?.operation === 'groupby');
    if (keys.length === 0) return frames.length > 1 ? [] : [f];
    const groups = new Map<string, number[]>();
    for (let i = 0; i < f.length; i++) {
      const k = keys.map((x) => keyOf(x.values[i])).join('\x01');
      const g = groups.get(k);
      if (g) g.push(i);
      else groups.set(k, [i]);
    }
    const lists = [...groups.values()];
    const fields: Field[] = keys.map((x) => ({ ...x, values: lists.map((g) => x.values[g[0]!]) }));
    for (const x of f.fields) {
      const s = of(x);
      if (s?.operation !== 'aggregate') continue;
      for (const a of s.aggregations ?? []) {
        const values = lists.map((g) => reduce(g.map((i) => x.values[i]), a));
        const keepsType = ['last', 'lastNotNull', 'first', 'firstNotNull', 'min', 'max'].includes(a);
        fields.push({ ...x, name: `${displayName(x, f, frames)} (${a})`, type: keepsType ? x.type : guessType(values), values, config: { ...x.config, displayName: undefined, displayNameFromDS: undefined } });
      }
    }
    return [frameOf(fields, { kind: 'table', refId: f.refId })];
  });
}

function compareValues(a: unknown, b: unknown): number {
  if (a === null || a === undefined) return b === null || b === undefined ? 0 : -1;
  if (b === null || b === undefined) return 1;
  if (typeof a === 'number' && typeof b === 'number') return a - b;
  return String(a).localeCompare(String(b), 'en', { numeric: true });
}

/** The frame with its rows in this order. */
export function takeRows(f: Frame, order: number[]): Frame {
  return { ...f, length: order.length, fields: f.fields.map((x) => ({ ...x, values: order.map((i) => x.values[i]) })) };
}

export function sortRows(f: Frame, by: Field, desc: boolean): Frame {
  const order = Array.from({ length: f.length }, (_, i) => i).sort((a, b) => compareValues(by.values[a], by.values[b]) * (desc ? -1 : 1) || a - b);
  return takeRows(f, order);
}

export function sortBy(frames: Frame[], o: Loose): Frame[] {
  const first = (Array.isArray(o['sort']) ? o['sort'][0] : undefined) as { field?: string; desc?: boolean } | undefined;
  if (!first?.field) return frames;
  return frames.map((f) => {
    const by = named(f, first.field!, frames);
    return by ? sortRows(f, by, first.desc === true) : f;
  });
}

export function limit(frames: Frame[], o: Loose): Frame[] {
  const n = Number(o['limitField'] ?? 10);
  return Number.isFinite(n) && n >= 0 ? frames.map((f) => takeRows(f, Array.from({ length: Math.min(f.length, n) }, (_, i) => i))) : frames;
}

interface ValueFilter {
  fieldName?: string;
  config?: { id?: string; options?: Loose };
}

export function valueMatches(v: unknown, id: string, o: Loose): boolean {
  const x = o['value'];
  switch (id) {
    case 'isNull':
      return v === null || v === undefined;
    case 'isNotNull':
      return v !== null && v !== undefined;
    case 'equal':
      return v === x || (v !== null && v !== undefined && String(v) === String(x));
    case 'notEqual':
      return !(v === x || (v !== null && v !== undefined && String(v) === String(x)));
    case 'regex': {
      const re = toRegex(String(x ?? ''));
      return re !== null && re.test(String(v ?? ''));
    }
    case 'substring':
      return String(v ?? '').toLowerCase().includes(String(x ?? '').toLowerCase());
    case 'notSubstring':
      return !String(v ?? '').toLowerCase().includes(String(x ?? '').toLowerCase());
    default: {
      if (v === null || v === undefined || v === '') return false;
      const n = Number(v);
      if (id === 'greater') return n > Number(x);
      if (id === 'greaterOrEqual') return n >= Number(x);
      if (id === 'lower') return n < Number(x);
      if (id === 'lowerOrEqual') return n <= Number(x);
      if (id === 'between') return n > Number(o['from']) && n < Number(o['to']);
      return false;
    }
  }
}

export function filterByValue(frames: Frame[], o: Loose): Frame[] {
  const filters = (Array.isArray(o['filters']) ? o['filters'] : []) as ValueFilter[];
  if (filters.length === 0) return frames;
  const all = o['match'] === 'all';
  const include = o['type'] !== 'exclude';
  return frames.map((f) => {
    const used = filters.map((x) => ({ x, col: x.fieldName ? named(f, x.fieldName, frames) : undefined })).filter((u) => u.col);
    if (used.length === 0) return f;
    const rows: number[] = [];
    for (let i = 0; i < f.length; i++) {
      const hit = (u: (typeof used)[number]) => valueMatches(u.col!.values[i], u.x.config?.id ?? '', u.x.config?.options ?? {});
      if ((all ? used.every(hit) : used.some(hit)) === include) rows.push(i);
    }
    return takeRows(f, rows);
  });
}

export function filterByRefId(frames: Frame[], o: Loose): Frame[] {
  const text = String(o['include'] ?? '');
  const re = toRegex(text.startsWith('/') ? text : `^(?:${text})$`);
  return text && re ? frames.filter((f) => re.test(f.refId ?? '')) : frames;
}

/** A table of row values down, column values across. */
export function groupingToMatrix(frames: Frame[], o: Loose): Frame[] {
  if (frames.length !== 1) return frames;
  const f = frames[0]!;
  const col = named(f, String(o['columnField'] ?? 'Time'), frames);
  const row = named(f, String(o['rowField'] ?? 'Time'), frames);
  const val = named(f, String(o['valueField'] ?? 'Value'), frames);
  if (!col || !row || !val) return frames;
  const empty = o['emptyValue'] === 'zero' ? 0 : o['emptyValue'] === 'empty' ? '' : null;
  const cols = [...new Set(col.values)];
  const rows = [...new Set(row.values)];
  const cell = new Map<string, unknown>();
  for (let i = 0; i < f.length; i++) cell.set(`${keyOf(row.values[i])}\x01${keyOf(col.values[i])}`, val.values[i]);
  return [
    frameOf(
      [field(`${row.name}\\${col.name}`, row.type, rows), ...cols.map((c) => ({ ...val, name: String(c), labels: undefined, config: { ...val.config, displayName: undefined, displayNameFromDS: undefined }, values: rows.map((r) => cell.get(`${keyOf(r)}\x01${keyOf(c)}`) ?? empty) }))],
      { kind: 'table', refId: f.refId },
    ),
  ];
}

export function concatenate(frames: Frame[]): Frame[] {
  if (frames.length < 2) return frames;
  const length = Math.max(...frames.map((f) => f.length));
  const fields = frames.flatMap((f) => f.fields.map((x) => ({ ...x, values: x.values.length === length ? x.values : [...x.values, ...new Array<null>(length - x.values.length).fill(null)] })));
  return [frameOf(fields, { kind: 'table', refId: frames[0]!.refId })];
}

export function transpose(frames: Frame[], o: Loose): Frame[] {
  const f = frames[0];
  if (!f || f.fields.length === 0) return frames;
  const [first, ...rest] = f.fields;
  const names = first!.values.map((v) => String(v ?? ''));
  const head = field(String(o['firstFieldName'] || 'Field'), 'string', rest.map((x) => displayName(x, f, frames)));
  return [frameOf([head, ...names.map((n, i) => {
    const values = rest.map((x) => x.values[i] ?? null);
    return field(n, guessType(values), values);
  })], { kind: 'table', refId: f.refId })];
}

/** Each row a column: one names it, one is its value. */
export function rowsToFields(frames: Frame[], o: Loose): Frame[] {
  const mappings = (Array.isArray(o['mappings']) ? o['mappings'] : []) as { fieldName?: string; handlerKey?: string }[];
  return frames.map((f) => {
    const of = (key: string) => mappings.find((m) => m.handlerKey === key)?.fieldName;
    const name = (of('field.name') && named(f, of('field.name')!, frames)) || f.fields.find((x) => x.type === 'string');
    const value = (of('field.value') && named(f, of('field.value')!, frames)) || f.fields.find((x) => x.type === 'number');
    if (!name || !value) return f;
    const extra = mappings.filter((m) => ['unit', 'min', 'max', 'decimals', 'displayName'].includes(m.handlerKey ?? ''));
    return frameOf(
      name.values.map((n, i) => {
        const config: Loose = { ...value.config };
        for (const m of extra) {
          const v = named(f, m.fieldName ?? '', frames)?.values[i];
          if (v !== undefined && v !== null) config[m.handlerKey!] = v;
        }
        return field(String(n), value.type, [value.values[i]], undefined, config);
      }),
      { kind: 'table', refId: f.refId },
    );
  });
}

export function partitionByValues(frames: Frame[], o: Loose): Frame[] {
  const by = (Array.isArray(o['fields']) ? o['fields'] : []) as string[];
  const f = frames[0];
  if (!f || by.length === 0) return frames;
  const cols = by.map((n) => named(f, n, frames)).filter((x): x is Field => x !== undefined);
  const groups = new Map<string, number[]>();
  for (let i = 0; i < f.length; i++) {
    const k = cols.map((c) => String(c.values[i])).join(' ');
    const g = groups.get(k);
    if (g) g.push(i);
    else groups.set(k, [i]);
  }
  const keep = o['keepFields'] === true;
  return [...groups].map(([name, rows]) => {
    const part = takeRows(f, rows);
    return { ...part, name, fields: part.fields.filter((x) => keep || !cols.some((c) => c.name === x.name)) };
  });
}

/** Limits, units and thresholds of all other columns, read from a result. */
export function configFromData(frames: Frame[], o: Loose): Frame[] {
  const from = frames.find((f) => f.refId === o['configRefId']);
  if (!from) return frames;
  const mappings = (Array.isArray(o['mappings']) ? o['mappings'] : []) as { fieldName?: string; handlerKey?: string; reducerId?: string }[];
  const config: Loose = {};
  for (const x of from.fields) {
    const m = mappings.find((k) => k.fieldName === x.name || k.fieldName === displayName(x, from, frames));
    const key = m?.handlerKey ?? (['unit', 'min', 'max', 'decimals'].includes(x.name.toLowerCase()) ? x.name.toLowerCase() : undefined);
    if (!key || key === '__ignore') continue;
    const v = reduce(x.values, m?.reducerId ?? 'lastNotNull');
    if (key === 'threshold1') config['thresholds'] = { mode: 'absolute', steps: [{ value: null, color: 'green' }, { value: v, color: 'red' }] };
    else config[key] = v;
  }
  const target = o['applyTo'] as { id: string; options?: unknown } | undefined;
  return frames.filter((f) => f !== from).map((f) => ({ ...f, fields: f.fields.map((x) => (x.type === 'number' && (!target?.id || matches(target, x, f, frames)) ? { ...x, config: { ...x.config, ...config } } : x)) }));
}
