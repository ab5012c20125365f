// Transformations of columns: which there are, what they are called, what type they have.

import { toRegex } from '../field/mappings';
import { displayName, field, frameOf, guessType, timeField, type Field, type FieldType, type Frame } from '../frame/frame';
import type { Loose } from '../model/types';

const set = (v: unknown): Loose => (typeof v === 'object' && v !== null ? (v as Loose) : {});

export function organize(frames: Frame[], o: Loose): Frame[] {
  const out = set(o['excludeByName']);
  const only = set(o['includeByName']);
  const order = set(o['indexByName']);
  const names = set(o['renameByName']);
  const hasOnly = Object.values(only).some((v) => v === true);
  // With several tables the panel draws the first; they are organized alike.
  return frames.map((f) => {
    let fields = f.fields.filter((x) => {
      const n = displayName(x, f, frames);
      if (hasOnly && !(only[n] === true || only[x.name] === true)) return false;
      return !(out[n] === true || out[x.name] === true);
    });
    const at = (x: Field) => {
      const i = order[displayName(x, f, frames)] ?? order[x.name];
      return typeof i === 'number' ? i : Number.MAX_SAFE_INTEGER;
    };
    if (Object.keys(order).length) fields = fields.map((x, i) => ({ x, i })).sort((a, b) => at(a.x) - at(b.x) || a.i - b.i).map((e) => e.x);
    fields = fields.map((x) => {
      const to = names[displayName(x, f, frames)] ?? names[x.name];
      return typeof to === 'string' && to !== '' ? { ...x, name: to, config: { ...x.config, displayName: to } } : x;
    });
    return frameOf(fields, { ...f, fields, length: f.length });
  });
}

function nameMatcher(m: unknown): ((n: string) => boolean) | null {
  if (typeof m !== 'object' || m === null) return null;
  const o = m as { names?: string[]; pattern?: string };
  const re = o.pattern ? toRegex(o.pattern) : null;
  if (!re && !o.names?.length) return null;
  return (n) => (o.names?.includes(n) ?? false) || (re !== null && ((re.lastIndex = 0), re.test(n)));
}

export function filterFieldsByName(frames: Frame[], o: Loose): Frame[] {
  const include = nameMatcher(o['include']);
  const exclude = nameMatcher(o['exclude']);
  if (!include && !exclude) return frames;
  return frames
    .map((f) => {
      const fields = f.fields.filter((x) => {
        const ns = [displayName(x, f, frames), x.name];
        return (!include || ns.some(include)) && (!exclude || !ns.some(exclude));
      });
      return { ...f, fields };
    })
    .filter((f) => f.fields.length > 0);
}

export function renameByRegex(frames: Frame[], o: Loose): Frame[] {
  const re = toRegex(String(o['regex'] ?? ''));
  const to = String(o['renamePattern'] ?? '');
  if (!re || o['regex'] === '') return frames;
  return frames.map((f) => ({
    ...f,
    fields: f.fields.map((x) => {
      if (x.type === 'time' && !x.labels && x.name === 'Time') return x;
      const now = displayName(x, f, frames);
      re.lastIndex = 0;
      const next = now.replace(re, to);
      return next === now ? x : { ...x, config: { ...x.config, displayName: next } };
    }),
  }));
}

function toTime(v: unknown): number | null {
  if (typeof v === 'number') return v;
  if (typeof v !== 'string' || v === '') return null;
  const n = Number(v);
  const ms = Number.isFinite(n) ? n : Date.parse(v);
  return Number.isNaN(ms) ? null : ms;
}

export function convertTo(v: unknown, type: string): unknown {
  if (v === null || v === undefined) return null;
  switch (type) {
    case 'number': {
      const n = typeof v === 'string' ? (v.trim() === '' ? NaN : Number(v.replace(/,/g, ''))) : Number(v);
      return Number.isNaN(n) ? null : n;
    }
    case 'time':
      return toTime(v);
    case 'boolean':
      return v === true || v === 1 || (typeof v === 'string' && v !== '' && v !== '0' && v.toLowerCase() !== 'false');
    case 'json':
    case 'other':
      if (typeof v !== 'string') return v;
      try {
        return JSON.parse(v) as unknown;
      } catch {
        return v;
      }
    default:
      return typeof v === 'object' ? JSON.stringify(v) : String(v);
  }
}

export function convertFieldType(frames: Frame[], o: Loose): Frame[] {
  const list = (Array.isArray(o['conversions']) ? o['conversions'] : []) as { targetField?: string; destinationType?: string }[];
  return frames.map((f) => ({
    ...f,
    fields: f.fields.map((x) => {
      const c = list.find((k) => k.targetField === x.name || k.targetField === displayName(x, f, frames));
      if (!c?.destinationType) return x;
      const type = (['number', 'string', 'time', 'boolean'].includes(c.destinationType) ? c.destinationType : c.destinationType === 'enum' ? 'string' : 'other') as FieldType;
      return { ...x, type, values: x.values.map((v) => convertTo(v, c.destinationType!)) };
    }),
  }));
}

/** Labels become columns of one table (mode columns) or rows (mode rows). */
export function labelsToFields(frames: Frame[], o: Loose): Frame[] {
  const keep = Array.isArray(o['keepLabels']) && o['keepLabels'].length ? (o['keepLabels'] as string[]) : null;
  const valueLabel = typeof o['valueLabel'] === 'string' ? o['valueLabel'] : '';
  if (o['mode'] === 'rows') {
    return frames.map((f) => {
      const rows: [string, string][] = f.fields.flatMap((x) => Object.entries(x.labels ?? {}).filter(([k]) => !keep || keep.includes(k)));
      return frameOf([field('label', 'string', rows.map((r) => r[0])), field('value', 'string', rows.map((r) => r[1]))], { refId: f.refId, name: f.name, kind: 'table' });
    });
  }
  return frames.map((f) => {
    const fields: Field[] = [];
    const added = new Map<string, Field>();
    for (const x of f.fields) {
      if (!x.labels || Object.keys(x.labels).length === 0) {
        fields.push(x);
        continue;
      }
      let name = x.name;
      for (const [k, v] of Object.entries(x.labels)) {
        if (keep && !keep.includes(k) && k !== valueLabel) continue;
        if (k === valueLabel) {
          name = v;
          continue;
        }
        if (!added.has(k)) added.set(k, field(k, 'string', new Array<string>(f.length).fill(v)));
      }
      const { labels: _l, ...plain } = x;
      fields.push({ ...plain, name, config: { ...x.config, displayNameFromDS: undefined } });
    }
    const at = fields.findIndex((x) => x.type !== 'time');
    fields.splice(at < 0 ? fields.length : at, 0, ...added.values());
    return { ...f, fields, kind: 'table' as const };
  });
}

function parseText(v: unknown, format: string): Loose {
  if (typeof v === 'object' && v !== null) return v as Loose;
  const text = String(v ?? '');
  if (format === 'json' || format === 'auto' || format === '') {
    try {
      const o = JSON.parse(text) as unknown;
      if (typeof o === 'object' && o !== null) return o as Loose;
    } catch {
      if (format === 'json') return {};
    }
  }
  const out: Loose = {};
  for (const m of text.matchAll(/([\w.-]+)\s*[=:]\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,;}]+))/g)) out[m[1]!] = m[2] ?? m[3] ?? '';
  return out;
}

function pathOf(o: unknown, path: string): unknown {
  let at: unknown = o;
  for (const k of path.split(/[.[\]]+/).filter(Boolean)) {
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, k)) return null;
    at = (at as Loose)[k];
  }
  return at ?? null;
}

export function extractFields(frames: Frame[], o: Loose): Frame[] {
  const source = String(o['source'] ?? '');
  const format = String(o['format'] ?? 'auto');
  const paths = (Array.isArray(o['jsonPaths']) ? o['jsonPaths'] : []) as { path: string; alias?: string }[];
  const re = format === 'regexp' ? toRegex(String(o['regExp'] ?? '')) : null;
  return frames.map((f) => {
    const from = f.fields.find((x) => x.name === source || displayName(x, f, frames) === source) ?? f.fields.find((x) => x.type === 'other');
    if (!from) return f;
    const rows = from.values.map((v): Loose => {
      if (re) return { ...(re.exec(String(v ?? ''))?.groups ?? {}) };
      if (format === 'delimiter') return Object.fromEntries(String(v ?? '').split(String(o['delimiter'] ?? ',')).map((t) => [t.trim(), 1]));
      const parsed = parseText(v, format);
      return paths.length ? Object.fromEntries(paths.filter((p) => p.path).map((p) => [p.alias || p.path, pathOf(parsed, p.path)])) : parsed;
    });
    const keys = [...new Set(rows.flatMap((r) => Object.keys(r)))];
    const made = keys.map((k) => {
      const values = rows.map((r) => r[k] ?? null);
      return field(k, guessType(values), values);
    });
    const time = timeField(f);
    const base = o['replace'] ? (o['keepTime'] && time ? [time] : []) : f.fields;
    return { ...f, fields: [...base, ...made], kind: 'table' as const };
  });
}

const CASES: Record<string, (t: string) => string> = {
  'Upper Case': (t) => t.toUpperCase(),
  'Lower Case': (t) => t.toLowerCase(),
  'Sentence Case': (t) => t.charAt(0).toUpperCase() + t.slice(1),
  'Title Case': (t) => t.replace(/\w\S*/g, (w) => w.charAt(0).toUpperCase() + w.slice(1).toLowerCase()),
  'Pascal Case': (t) => t.replace(/(?:^|[\s_-]+)(\w)/g, (_, c: string) => c.toUpperCase()),
  'Camel Case': (t) => t.replace(/[\s_-]+(\w)/g, (_, c: string) => c.toUpperCase()).replace(/^\w/, (c) => c.toLowerCase()),
  'Snake Case': (t) => t.trim().replace(/[\s-]+/g, '_').toLowerCase(),
  'Kebab Case': (t) => t.trim().replace(/[\s_]+/g, '-').toLowerCase(),
  Trim: (t) => t.trim(),
};

export function formatString(frames: Frame[], o: Loose): Frame[] {
  const kind = String(o['outputFormat'] ?? 'Upper Case');
  const change = kind === 'Substring' ? (t: string) => t.substring(Number(o['substringStart'] ?? 0), Number(o['substringEnd'] ?? 100)) : (CASES[kind] ?? ((t: string) => t));
  return frames.map((f) => ({
    ...f,
    fields: f.fields.map((x) => (x.name === o['stringField'] || displayName(x, f, frames) === o['stringField'] ? { ...x, values: x.values.map((v) => (v === null ? null : change(String(v)))) } : x)),
  }));
}
