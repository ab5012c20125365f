// Completion for TraceQL: attributes and their values are the server's, narrowed by the rest of the query.

import type { CompletionContext, CompletionResult } from '@codemirror/autocomplete';
import { traceTags, traceValues } from '../api/tempo';
import { range } from '../time/state';

const INTRINSICS: [string, string][] = [
  ['name', 'of the span'],
  ['duration', 'of the span'],
  ['status', 'error, ok or unset'],
  ['statusMessage', ''],
  ['kind', 'server, client, …'],
  ['rootName', 'name of the first span'],
  ['rootServiceName', 'service of the first span'],
  ['traceDuration', 'of the whole trace'],
  ['trace:id', ''],
  ['span:id', ''],
  ['span:parentID', ''],
  ['span:childCount', ''],
  ['event:name', ''],
  ['event:timeSinceStart', ''],
  ['link:traceID', ''],
  ['instrumentation:name', ''],
  ['nestedSetParent', 'below 0 of root spans'],
];
const WORDS: Record<string, string[]> = {
  status: ['error', 'ok', 'unset'],
  kind: ['server', 'client', 'internal', 'producer', 'consumer', 'unspecified'],
};
const STAGES = ['rate()', 'count_over_time()', 'quantile_over_time(duration, 0.5, 0.9, 0.99)', 'histogram_over_time(duration)', 'avg_over_time(duration)', 'min_over_time(duration)', 'max_over_time(duration)', 'sum_over_time(duration)', 'compare({ status = error })', 'by(resource.service.name)', 'select(resource.service.name)', 'count() > 2', 'avg(duration) > 100ms', 'max(duration) > 1s', 'coalesce()', 'topk(5)', 'bottomk(5)'];

const KEEP_MS = 30_000;
let tags: { atMs: number; list: Promise<string[]> } | null = null;

function names(): Promise<string[]> {
  if (!tags || Date.now() - tags.atMs > KEEP_MS) {
    const r = range.peek();
    tags = { atMs: Date.now(), list: traceTags(r.fromMs, r.toMs).catch(() => ((tags = null), [])) };
  }
  return tags.list;
}

export interface Place {
  what: 'name' | 'value' | 'stage' | '';
  /** What is there already. */
  typed: string;
  /** Of a value: its field; whether its quote stands already. */
  field?: string;
  quoted?: boolean;
  /** Of a value: the conditions before it, to ask which values there are with them. */
  before?: string;
}

/** What would fit at the end of the text. */
export function placeOf(text: string): Place {
  const open = text.lastIndexOf('{');
  const inside = open > text.lastIndexOf('}');
  if (!inside) {
    const by = /\b(?:by|select)\s*\(([^)]*)$/.exec(text);
    if (by) return { what: 'name', typed: /[\w.:\-/]*$/.exec(by[1]!)![0] };
    const stage = /\|\s*([\w]*)$/.exec(text);
    return stage ? { what: 'stage', typed: stage[1]! } : { what: '', typed: '' };
  }
  const body = text.slice(open + 1);
  const value = /([\w.:\-/]+)\s*(=~|!~|!=|>=|<=|=|>|<)\s*(?:"((?:[^"\\]|\\.)*)|([\w.]*))$/.exec(body);
  if (value) {
    const conditions = body.slice(0, value.index).replace(/(&&|\|\|)\s*$/, '').trim();
    return { what: 'value', field: value[1]!, typed: value[3] ?? value[4] ?? '', quoted: value[3] !== undefined, before: `{ ${conditions} }` };
  }
  return { what: 'name', typed: /[\w.:\-/]*$/.exec(body)![0] };
}

export async function traceqlComplete(c: CompletionContext): Promise<CompletionResult | null> {
  const p = placeOf(c.state.sliceDoc(0, c.pos));
  const from = c.pos - p.typed.length;
  if (p.what === 'stage') return { from, options: STAGES.map((label) => ({ label, type: 'function' })), validFor: /^\w*$/ };
  if (p.what === 'name') {
    if (!p.typed && !c.explicit && !/[{&|(,]\s*$/.test(c.state.sliceDoc(0, c.pos))) return null;
    const list = await names();
    return { from, options: [...list.map((label) => ({ label, type: 'property', boost: label.startsWith('resource.service') ? 2 : 0 })), ...INTRINSICS.map(([label, detail]) => ({ label, detail, type: 'keyword' }))], validFor: /^[\w.:\-/]*$/ };
  }
  if (p.what === 'value') {
    if (WORDS[p.field!]) return { from, options: WORDS[p.field!]!.map((label) => ({ label, type: 'constant' })), validFor: /^\w*$/ };
    const r = range.peek();
    const values = await traceValues(p.field!, p.before, r.fromMs, r.toMs).catch(() => [] as string[]);
    const options = values.slice(0, 300).map((v) => {
      const bare = /^-?\d+(\.\d+)?$|^(true|false)$/.test(v);
      return { label: v, apply: p.quoted ? v.replace(/["\\]/g, '\\$&') : bare ? v : JSON.stringify(v), type: 'constant' };
    });
    return { from, options, validFor: p.quoted ? /^[^"]*$/ : /^[\w.]*$/ };
  }
  return null;
}
