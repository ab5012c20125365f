// LogQL as parts: stream filters, words that lines contain, a parser, filters of fields, and what is counted.

import { quote } from '../../../api/expr';
import { Beyond, readAll, type Condition, type Reader } from './lex';
import { readMatchers } from './promql';

export interface LineFilter {
  op: string;
  text: string;
}

export interface LogParts {
  matchers: Condition[];
  lines: LineFilter[];
  /** json, logfmt, unpack, or none. */
  parser: string;
  fields: Condition[];
  /** What is made of the lines; '' shows the lines. */
  count: string;
  /** What is added up, by which labels. */
  aggregation: string;
  by: string[];
}

export const LINE_OPS: [string, string][] = [
  ['|=', 'contain'],
  ['!=', 'do not contain'],
  ['|~', 'match'],
  ['!~', 'do not match'],
];
export const PARSERS = ['json', 'logfmt', 'unpack'];
export const FIELD_OPS = ['=', '!=', '=~', '!~', '>', '>=', '<', '<='];
export const COUNTS: [string, string][] = [
  ['', 'the lines themselves'],
  ['count_over_time', 'number of lines'],
  ['rate', 'lines a second'],
  ['bytes_over_time', 'bytes'],
  ['bytes_rate', 'bytes a second'],
];
export const LOG_AGGREGATIONS = ['sum', 'avg', 'min', 'max', 'count'];

const NAME = /^[a-zA-Z_]\w*$/;
const label = (n: string): string => (NAME.test(n) ? n : quote(n));

export function emptyLog(): LogParts {
  return { matchers: [], lines: [], parser: '', fields: [], count: '', aggregation: '', by: [] };
}

function fieldText(f: Condition): string {
  // Numbers, durations and sizes are compared as what they are.
  const bare = /^[<>]/.test(f.op) && /^[\d.]+[a-zA-Zµ]*$/.test(f.value);
  return ` | ${f.name.replace(/\W/g, '_')} ${f.op} ${bare ? f.value : quote(f.value)}`;
}

export function logText(p: LogParts): string {
  const matchers = p.matchers.filter((m) => m.name !== '');
  if (matchers.length === 0) return '';
  let out = `{${matchers.map((m) => `${label(m.name)}${m.op}${quote(m.value)}`).join(', ')}}`;
  for (const l of p.lines) if (l.text !== '') out += ` ${l.op} ${quote(l.text)}`;
  if (p.parser) out += ` | ${p.parser}`;
  for (const f of p.fields) if (f.name !== '') out += fieldText(f);
  if (!p.count) return out;
  out = `${p.count}(${out} [$__auto])`;
  return p.aggregation ? `${p.aggregation}${p.by.length ? ` by (${p.by.map(label).join(', ')})` : ''} (${out})` : out;
}

const lineOps = new Set(LINE_OPS.map(([op]) => op));

function pipeline(r: Reader, p: LogParts): void {
  p.matchers = readMatchers(r);
  while (lineOps.has(r.peek()?.text ?? '') && r.peek()?.kind === 'sign') {
    const op = r.any().text;
    p.lines.push({ op, text: r.take('string') });
  }
  while (r.eat('|')) {
    const name = r.take('word');
    if (PARSERS.includes(name) && !FIELD_OPS.includes(r.peek()?.text ?? '')) {
      if (p.parser || p.fields.length) throw new Beyond('parser behind filters');
      p.parser = name;
      continue;
    }
    const op = r.any().text;
    if (!FIELD_OPS.includes(op)) throw new Beyond(name);
    const v = r.any();
    if (v.kind === 'sign') throw new Beyond('value expected');
    p.fields.push({ name, op, value: v.text });
  }
}

function range(r: Reader, p: LogParts): void {
  const name = r.take('word');
  if (!COUNTS.some(([c]) => c === name)) throw new Beyond(name);
  p.count = name;
  r.need('(');
  pipeline(r, p);
  r.need('[');
  // Another window than the automatic one would be lost.
  if (r.take('word') !== '$__auto') throw new Beyond('window');
  r.need(']');
  r.need(')');
}

export function logParts(text: string): LogParts | null {
  if (text.trim() === '') return emptyLog();
  return readAll(text, (r) => {
    const p = emptyLog();
    if (r.is('{')) pipeline(r, p);
    else if (LOG_AGGREGATIONS.includes(r.peek()?.text ?? '')) {
      p.aggregation = r.take('word');
      if (r.eat('by')) p.by = r.names();
      r.need('(');
      range(r, p);
      r.need(')');
      if (r.eat('by')) p.by = r.names();
    } else range(r, p);
    return p;
  });
}
