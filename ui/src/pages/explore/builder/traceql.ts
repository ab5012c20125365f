// TraceQL as parts: what one span must be, and what is measured of those that are.

import { quote } from '../../../api/expr';
import { Beyond, readAll, type Condition, type Reader } from './lex';

export interface TraceParts {
  conditions: Condition[];
  /** '' lists traces. */
  measure: string;
  /** Quantiles, by commas. */
  quantiles: string;
  by: string[];
}

export const TRACE_OPS = ['=', '!=', '=~', '!~', '>', '>=', '<', '<='];
export const MEASURES: [string, string][] = [
  ['', 'the traces themselves'],
  ['rate', 'spans a second'],
  ['count_over_time', 'number of spans'],
  ['quantile_over_time', 'percentiles of the duration'],
  ['histogram_over_time', 'histogram of the duration'],
  ['avg_over_time', 'average duration'],
  ['max_over_time', 'longest duration'],
];
const OF_DURATION = new Set(['histogram_over_time', 'avg_over_time', 'max_over_time']);
/** Values that are words of the language, by field. */
export const KEYWORDS: Record<string, string[]> = {
  status: ['error', 'ok', 'unset'],
  kind: ['server', 'client', 'internal', 'producer', 'consumer', 'unspecified'],
};
export const INTRINSICS = ['name', 'status', 'kind', 'duration', 'traceDuration', 'rootName', 'rootServiceName', 'statusMessage'];

export function emptyTrace(): TraceParts {
  return { conditions: [], measure: '', quantiles: '0.5, 0.9, 0.99', by: [] };
}

/** How a value is written: words and numbers bare, all else in quotes. */
export function traceValue(name: string, value: string): string {
  if (KEYWORDS[name]?.includes(value)) return value;
  if (/^-?\d+(\.\d+)?(ns|us|µs|ms|s|m|h)?$/.test(value) && !/(^|[.:])(name|version|id|rootName|rootServiceName|statusMessage)$/.test(name)) return value;
  if (/^(true|false|nil)$/.test(value)) return value;
  return quote(value);
}

export function traceText(p: TraceParts): string {
  const list = p.conditions.filter((c) => c.name !== '' && c.value !== '').map((c) => `${c.name} ${c.op} ${c.op.endsWith('~') ? quote(c.value) : traceValue(c.name, c.value)}`);
  const out = list.length ? `{ ${list.join(' && ')} }` : '{}';
  if (!p.measure) return out;
  const args = p.measure === 'quantile_over_time' ? `duration, ${p.quantiles || '0.95'}` : OF_DURATION.has(p.measure) ? 'duration' : '';
  return `${out} | ${p.measure}(${args})${p.by.length ? ` by (${p.by.join(', ')})` : ''}`;
}

/** resource.service.name, .http.route, span:id */
function fieldName(r: Reader): string {
  let name = r.eat('.') ? '.' : '';
  name += r.take('word');
  // Attributes may have dashes; an operator stands apart from what it works on.
  while (r.is('-') && r.peek(1)?.kind === 'word') {
    r.need('-');
    name += `-${r.take('word')}`;
  }
  return name;
}

export function traceParts(text: string): TraceParts | null {
  if (text.trim() === '') return emptyTrace();
  return readAll(text, (r) => {
    const p = emptyTrace();
    r.need('{');
    while (!r.eat('}')) {
      if (r.is('true') && r.is('}', 1)) {
        r.need('true');
        continue;
      }
      const name = fieldName(r);
      const op = r.any().text;
      if (!TRACE_OPS.includes(op)) throw new Beyond(op);
      const minus = r.eat('-') ? '-' : '';
      const v = r.any();
      if (v.kind === 'sign') throw new Beyond('value');
      // A text that looks like a number would turn into one.
      if (v.kind === 'string' && !op.endsWith('~') && traceValue(name, v.text) !== quote(v.text)) throw new Beyond('text');
      p.conditions.push({ name, op, value: minus + v.text });
      if (!r.is('}')) r.need('&&');
    }
    if (!r.eat('|')) return p;
    p.measure = r.take('word');
    if (!MEASURES.some(([m]) => m !== '' && m === p.measure)) throw new Beyond(p.measure);
    r.need('(');
    if (p.measure === 'quantile_over_time' || OF_DURATION.has(p.measure)) {
      if (fieldName(r) !== 'duration') throw new Beyond('field');
      if (p.measure === 'quantile_over_time') {
        const q: string[] = [];
        while (r.eat(',')) q.push(r.eat('.') ? `.${r.take('number')}` : r.take('number'));
        p.quantiles = q.join(', ');
      }
    }
    r.need(')');
    if (r.eat('by')) {
      r.need('(');
      while (!r.eat(')')) {
        p.by.push(fieldName(r));
        if (!r.is(')')) r.need(',');
      }
    }
    return p;
  });
}
