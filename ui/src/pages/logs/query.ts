// Changing LogQL text: filters in and out, line filters, the query of the volume.

import { quote } from '../../api/expr';
import { lineFields } from '../../logs/fields';

/** Where the stream selector ends (behind its brace), or -1. Strings may hold braces. */
export function selectorEnd(expr: string): number {
  const start = expr.indexOf('{');
  if (start < 0) return -1;
  const token = /"(?:[^"\\]|\\.)*"|`[^`]*`|\}|[\s\S]/g;
  token.lastIndex = start + 1;
  for (;;) {
    const m = token.exec(expr);
    if (!m) return -1;
    if (m[0] === '}') return token.lastIndex;
  }
}

const NAME = /^[a-zA-Z_]\w*$/;

/**
 * Keeps (or leaves out) the lines whose label has the value: in the selector for labels of the
 * stream, as a filter behind it for fields. The opposite filter is taken away.
 */
export function filterLabel(expr: string, name: string, value: string, out: boolean, stream: boolean): string {
  const end = selectorEnd(expr);
  const key = NAME.test(name) ? name : name.replace(/\W/g, '_').replace(/^\d/, '_$&');
  const op = out ? '!=' : '=';
  if (end < 0) return stream && !out ? `{${key}=${quote(value)}}` : expr;
  const other = new RegExp(`${key}\\s*(?:=|!=)\\s*${quote(value).replace(/[\\^$.|?*+()[\]{}]/g, '\\$&')}`);
  if (stream) {
    const open = expr.indexOf('{');
    const inside = expr
      .slice(open + 1, end - 1)
      .replace(new RegExp(`\\s*,?\\s*${other.source}`), '')
      .trim()
      .replace(/^,\s*/, '');
    return `${expr.slice(0, open)}{${inside}${inside ? ', ' : ''}${key}${op}${quote(value)}}${expr.slice(end)}`;
  }
  const cleaned = expr.replace(new RegExp(`\\s*\\|\\s*${other.source}`), '');
  return `${cleaned.trimEnd()} | ${key}${op}${quote(value)}`;
}

const LINE_FILTERS = /^(?:\s*(?:\|=|!=|\|~|!~|\|>|!>|or\b)\s*(?:"(?:[^"\\]|\\.)*"|`[^`]*`))*/;
const PARSER = /\|\s*(json|logfmt|unpack|regexp|pattern)\b/;

/** The same for a field that only the text of the lines has: the parser of their format goes before it. */
export function filterParsed(expr: string, name: string, value: string, out: boolean, lines: { line: string }[]): string {
  const format = lines.map((l) => lineFields(l.line)).find((f) => f.fields[name] !== undefined)?.format;
  return filterLabel(PARSER.test(expr) || !format ? expr : `${expr.trimEnd()} | ${format}`, name, value, out, false);
}

/** Keeps (or leaves out) the lines of a pattern. JSON lines are told by their message, which stands anywhere in them. */
export function filterPattern(expr: string, pattern: string, out: boolean, json: boolean): string {
  const end = selectorEnd(expr);
  if (end < 0) return expr;
  const inside = `${pattern.startsWith('<_>') ? '' : '<_>'}${pattern}${pattern.endsWith('<_>') ? '' : '<_>'}`;
  const text = json && inside !== pattern ? `${quote(pattern)} or ${quote(inside)}` : quote(pattern);
  const rest = expr.slice(end);
  const lines = LINE_FILTERS.exec(rest)![0];
  return `${expr.slice(0, end)}${lines} ${out ? '!>' : '|>'} ${text}${rest.slice(lines.length)}`;
}

/** Adds a line filter behind the selector and the line filters that are there. */
export function filterLine(expr: string, text: string, out: boolean): string {
  const end = selectorEnd(expr);
  if (end < 0 || text === '') return expr;
  const rest = expr.slice(end);
  const lines = LINE_FILTERS.exec(rest)![0];
  return `${expr.slice(0, end)}${lines} ${out ? '!=' : '|='} ${quote(text)}${rest.slice(lines.length)}`;
}

/** Words that line filters look for, to mark them. */
export function markedWords(expr: string): string[] {
  const out: string[] = [];
  for (const m of expr.matchAll(/\|=\s*(?:"((?:[^"\\]|\\.)*)"|`([^`]*)`)/g)) {
    const t = m[1] !== undefined ? m[1].replace(/\\(.)/g, '$1') : m[2]!;
    if (t) out.push(t);
  }
  return out;
}

/** Whether the query gives lines (and not numbers). */
export function isLogQuery(expr: string): boolean {
  return /^\s*\{/.test(expr);
}

/** How many lines there are in each step, by level: every line has one, found as it came, also where its stream names it. */
export function volumeQuery(expr: string): string {
  return `sum by (detected_level) (count_over_time(${expr} | drop __error__ [$__auto]))`;
}

/** The selector alone. */
export function selectorOf(expr: string): string {
  const end = selectorEnd(expr);
  return end < 0 ? '' : expr.slice(expr.indexOf('{'), end);
}

/** Labels tell streams apart, fields come with a line, and some only its text holds. */
export type FieldKind = 'label' | 'field' | 'line';

export interface FieldCount {
  name: string;
  /** Lines that have it. */
  lines: number;
  distinct: number;
  top: [value: string, count: number][];
  kind: FieldKind;
}

const ORDER: FieldKind[] = ['label', 'field', 'line'];

/** Queries that count a field over the last `seconds` before an instant; lines without it are left out but for `total`. */
export function countQueries(expr: string, f: Pick<FieldCount, 'name' | 'kind'>, seconds: number, top: number, lines: { line: string }[]): Record<'total' | 'lines' | 'distinct' | 'top', string> {
  const name = NAME.test(f.name) ? f.name : f.name.replace(/\W/g, '_');
  const format = f.kind === 'line' && !PARSER.test(expr) ? (lines.map((l) => lineFields(l.line)).find((x) => x.fields[f.name] !== undefined)?.format ?? 'json') : '';
  const over = (q: string) => `count_over_time(${q} | drop __error__ [${seconds}s])`;
  const has = over(`${expr.trimEnd()}${format ? ` | ${format}` : ''} | ${name}!=""`);
  return { total: `sum(${over(expr.trimEnd())})`, lines: `sum(${has})`, distinct: `count(sum by (${name}) (${has}))`, top: `topk(${top}, sum by (${name}) (${has}))` };
}

/** Those that were counted, and behind them those that only the server has found. */
export function withDetected(counts: FieldCount[], detected: FieldCount[]): FieldCount[] {
  const known = new Set(counts.map((c) => c.name.replace(/\W/g, '_')));
  const more = detected.filter((d) => !known.has(d.name));
  return more.length ? [...counts, ...more].sort((a, b) => ORDER.indexOf(a.kind) - ORDER.indexOf(b.kind) || a.name.localeCompare(b.name)) : counts;
}

/** What labels and fields the lines have, with their most frequent values. */
export function fieldCounts(lines: { stream: Record<string, string>; fields: Record<string, string>; line: string }[]): FieldCount[] {
  const all = new Map<string, { n: number; values: Map<string, number>; kind: FieldKind }>();
  const add = (k: string, v: string, kind: FieldKind) => {
    let f = all.get(k);
    if (!f) all.set(k, (f = { n: 0, values: new Map(), kind }));
    f.n++;
    f.values.set(v, (f.values.get(v) ?? 0) + 1);
  };
  for (const l of lines) {
    for (const [k, v] of Object.entries(l.stream)) add(k, v, 'label');
    for (const [k, v] of Object.entries(l.fields)) add(k, v, 'field');
    for (const [k, v] of Object.entries(lineFields(l.line).fields)) if (l.stream[k] === undefined && l.fields[k] === undefined) add(k, v, 'line');
  }
  return [...all]
    .map(([name, f]): FieldCount => ({ name, lines: f.n, distinct: f.values.size, kind: f.kind, top: [...f.values].sort((a, b) => b[1] - a[1]).slice(0, 10) }))
    .sort((a, b) => ORDER.indexOf(a.kind) - ORDER.indexOf(b.kind) || a.name.localeCompare(b.name));
}
