// Prometheus and Loki variable queries: label_names(), label_values(), metrics(), query_result().

import { prom, type Labels, type QueryData } from '../../api/prom';
import { seriesText } from '../../api/expr';
import { lokiLabels, lokiLabelValues } from '../query/loki';
import type { SourceKind } from '../query/datasource';
import type { Option } from './options';

/** The text of a variable's query, whichever of its forms it has. */
export function queryText(q: unknown): string {
  if (typeof q === 'string') return q;
  if (typeof q === 'object' && q !== null) {
    const o = q as Record<string, unknown>;
    if (typeof o['query'] === 'string') return o['query'];
    if (typeof o['expr'] === 'string') return o['expr'];
    // The newer structured forms of Loki and Tempo.
    if (typeof o['label'] === 'string' && o['label'] !== '') {
      const stream = typeof o['stream'] === 'string' ? o['stream'] : '';
      return stream ? `label_values(${stream}, ${o['label']})` : `label_values(${o['label']})`;
    }
    if (o['type'] === 0) return 'label_names()';
  }
  return '';
}

const plain = (v: string): Option => ({ text: v, value: v });

function seriesOption(l: Labels): Option {
  return plain(seriesText(l));
}

export type VariableQuery =
  | { kind: 'label_names'; match?: string }
  | { kind: 'label_values'; label: string; match?: string }
  | { kind: 'metrics'; pattern: string }
  | { kind: 'query_result'; expr: string }
  | { kind: 'series'; match: string };

/** Takes a variable query apart; the text after the last comma outside of braces is the label. */
export function parseVariableQuery(text: string): VariableQuery | null {
  const q = text.trim();
  if (q === '') return null;
  const call = /^(label_names|label_values|metrics|query_result)\s*\(([\s\S]*)\)\s*$/.exec(q);
  if (!call) return { kind: 'series', match: q };
  const inner = call[2]!.trim();
  switch (call[1]) {
    case 'label_names':
      return inner ? { kind: 'label_names', match: inner } : { kind: 'label_names' };
    case 'metrics':
      return { kind: 'metrics', pattern: inner };
    case 'query_result':
      return { kind: 'query_result', expr: inner };
    default: {
      const m = /^(?:([\s\S]+),\s*)?([\w.:-]+|"[^"]+")\s*$/.exec(inner);
      if (!m) return null;
      const label = m[2]!.replace(/^"|"$/g, '');
      return m[1] ? { kind: 'label_values', label, match: m[1].trim() } : { kind: 'label_values', label };
    }
  }
}

function resultOptions(d: QueryData): Option[] {
  if (d.resultType === 'vector') {
    return d.result.map((i) => plain(`${seriesText(i.metric)} ${i.value?.[1] ?? ''} ${Math.round((i.value?.[0] ?? 0) * 1000)}`));
  }
  if (d.resultType === 'matrix') {
    return d.result.map((i) => {
      const last = i.values?.[i.values.length - 1];
      return plain(`${seriesText(i.metric)} ${last?.[1] ?? ''} ${Math.round((last?.[0] ?? 0) * 1000)}`);
    });
  }
  return [plain(d.result[1])];
}

/** Runs an interpolated variable query. */
export async function runVariableQuery(kind: SourceKind, text: string, fromMs: number, toMs: number, signal: AbortSignal): Promise<Option[]> {
  const q = parseVariableQuery(text);
  if (!q) throw new Error(`“${text}” is no variable query. Use label_values(selector, label), label_names(), metrics(pattern) or query_result(query).`);
  if (kind === 'loki') {
    if (q.kind === 'label_names') return (await lokiLabels(fromMs, toMs, signal)).map(plain);
    if (q.kind === 'label_values') return (await lokiLabelValues(q.label, q.match, fromMs, toMs, signal)).map(plain);
    throw new Error('A log variable takes label_names() and label_values(selector, label).');
  }
  switch (q.kind) {
    case 'label_names':
      return (await prom.labels(q.match ? [q.match] : [], signal, { fromMs, toMs })).data.map(plain);
    case 'label_values':
      return (await prom.labelValues(q.label, q.match ? [q.match] : [], signal, { fromMs, toMs })).data.map(plain);
    case 'metrics': {
      const names = (await prom.labelValues('__name__', [], signal, { fromMs, toMs })).data;
      let re: RegExp | null = null;
      try {
        re = q.pattern ? new RegExp(q.pattern) : null;
      } catch {
        throw new Error(`“${q.pattern}” is not a regular expression.`);
      }
      return names.filter((n) => !re || re.test(n)).map(plain);
    }
    case 'query_result':
      return resultOptions((await prom.query(q.expr, toMs, signal)).data);
    default:
      return (await prom.series([q.match], fromMs, toMs, signal)).data.map(seriesOption);
  }
}
