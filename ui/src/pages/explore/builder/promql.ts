// PromQL as parts: one metric, its label filters, and what is done to it, from the inside out.

import { quote, selector, type Matcher } from '../../../api/expr';
import { Beyond, readAll, type Condition, type Reader } from './lex';

export interface Operation {
  /** A function, an aggregation or an operator. */
  name: string;
  /** The number it takes, or the window. */
  arg?: string;
  /** Of aggregations. */
  by?: string[];
  without?: boolean;
}

export interface PromParts {
  metric: string;
  matchers: Condition[];
  operations: Operation[];
}

export const RANGE_FUNCTIONS = ['rate', 'increase', 'irate', 'delta', 'deriv', 'avg_over_time', 'min_over_time', 'max_over_time', 'sum_over_time', 'count_over_time', 'last_over_time', 'changes', 'resets'];
export const AGGREGATIONS = ['sum', 'avg', 'min', 'max', 'count', 'stddev', 'group'];
export const RANKED = ['topk', 'bottomk', 'quantile'];
export const FUNCTIONS = ['abs', 'ceil', 'floor', 'round', 'sqrt', 'ln', 'log2', 'log10', 'exp', 'sort', 'sort_desc', 'absent', 'timestamp'];
export const OPERATORS = ['*', '/', '+', '-', '%', '^', '>', '<', '>=', '<=', '==', '!='];
export const QUANTILE = 'histogram_quantile';
export const WINDOW = '$__rate_interval';

export function isAggregation(name: string): boolean {
  return AGGREGATIONS.includes(name) || RANKED.includes(name);
}

/** An operation with what it needs to make sense. */
export function newOperation(name: string): Operation {
  if (RANGE_FUNCTIONS.includes(name)) return { name, arg: WINDOW };
  if (name === 'topk' || name === 'bottomk') return { name, arg: '5', by: [] };
  if (name === 'quantile' || name === QUANTILE) return { name, arg: '0.95', ...(name === QUANTILE ? {} : { by: [] }) };
  if (AGGREGATIONS.includes(name)) return { name, by: [] };
  if (OPERATORS.includes(name)) return { name, arg: name === '>' || name === '<' ? '0' : '1' };
  return { name };
}

function grouping(o: Operation): string {
  const names = (o.by ?? []).map((n) => (/^[a-zA-Z_]\w*$/.test(n) ? n : quote(n)));
  return names.length || o.without ? ` ${o.without ? 'without' : 'by'} (${names.join(', ')}) ` : '';
}

export function promText(p: PromParts): string {
  let out = p.metric === '' && p.matchers.length === 0 ? '' : selector(p.metric, p.matchers.filter((m) => m.name !== '').map((m): Matcher => [m.name, m.op as Matcher[1], m.value]));
  if (out === '') return '';
  for (const o of p.operations) {
    if (RANGE_FUNCTIONS.includes(o.name)) out = `${o.name}(${out}[${o.arg || WINDOW}])`;
    else if (isAggregation(o.name)) out = `${o.name}${grouping(o)}(${RANKED.includes(o.name) ? `${o.arg || '5'}, ` : ''}${out})`;
    else if (o.name === QUANTILE) out = `${o.name}(${o.arg || '0.95'}, ${out})`;
    else if (OPERATORS.includes(o.name)) out = `${/^[\w:{"]/.test(out) && !/ [-*/+%^<>=!]+ /.test(out) ? out : `(${out})`} ${o.name} ${o.arg || '0'}`;
    else out = `${o.name}(${out})`;
  }
  return out;
}

const OPS = new Set(['=', '!=', '=~', '!~']);

export function readMatchers(r: Reader): Condition[] {
  const out: Condition[] = [];
  r.need('{');
  while (!r.eat('}')) {
    const name = r.any();
    if (name.kind !== 'word' && name.kind !== 'string') throw new Beyond('label expected');
    // {"metric name"}
    if (name.kind === 'string' && (r.is(',') || r.is('}'))) out.push({ name: '__name__', op: '=', value: name.text });
    else {
      const op = r.any().text;
      if (!OPS.has(op)) throw new Beyond('matcher expected');
      out.push({ name: name.text, op, value: r.take('string') });
    }
    if (!r.is('}')) r.need(',');
  }
  return out;
}

function number(r: Reader): string {
  return (r.eat('-') ? '-' : '') + r.take('number');
}

function one(r: Reader): PromParts {
  if (r.eat('(')) {
    const p = binary(r);
    r.need(')');
    return p;
  }
  if (r.is('{')) {
    const matchers = readMatchers(r);
    const name = matchers.findIndex((m) => m.name === '__name__' && m.op === '=');
    const metric = name < 0 ? '' : matchers.splice(name, 1)[0]!.value;
    return { metric, matchers, operations: [] };
  }
  const word = r.take('word');
  if (word.includes('$')) throw new Beyond('variable');
  if (isAggregation(word) && (r.is('(') || r.is('by') || r.is('without'))) {
    let by: string[] = [];
    let without = false;
    let read = false;
    const group = () => {
      if (!read && (r.is('by') || r.is('without'))) {
        without = r.any().text === 'without';
        by = r.names();
        read = true;
      }
    };
    group();
    r.need('(');
    const arg = RANKED.includes(word) ? number(r) : undefined;
    if (arg !== undefined) r.need(',');
    const p = binary(r);
    r.need(')');
    group();
    p.operations.push({ name: word, ...(arg !== undefined ? { arg } : {}), by, ...(without ? { without } : {}) });
    return p;
  }
  if (r.is('(')) {
    r.need('(');
    if (word === QUANTILE) {
      const arg = number(r);
      r.need(',');
      const p = binary(r);
      r.need(')');
      p.operations.push({ name: word, arg });
      return p;
    }
    const range = RANGE_FUNCTIONS.includes(word);
    if (!range && !FUNCTIONS.includes(word)) throw new Beyond(word);
    const p = range ? one(r) : binary(r);
    if (range) {
      if (p.operations.length) throw new Beyond('subquery');
      r.need('[');
      const arg = r.take('word');
      if (arg.includes(':')) throw new Beyond('subquery');
      r.need(']');
      p.operations.push({ name: word, arg });
    } else p.operations.push({ name: word });
    r.need(')');
    return p;
  }
  return { metric: word, matchers: r.is('{') ? readMatchers(r) : [], operations: [] };
}

function binary(r: Reader): PromParts {
  const p = one(r);
  // From left to right: a second operator of higher rank would belong inside.
  for (let n = 0; OPERATORS.includes(r.peek()?.text ?? '') && r.peek()?.kind === 'sign'; n++) {
    if (n > 0) throw new Beyond('several operators');
    const name = r.any().text;
    p.operations.push({ name, arg: number(r) });
  }
  return p;
}

/** null when the text is beyond the builder. */
export function promParts(text: string): PromParts | null {
  if (text.trim() === '') return { metric: '', matchers: [], operations: [] };
  return readAll(text, binary);
}
