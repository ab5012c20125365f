// Colours and completion for LogQL, TraceQL and JSON: small tokenizers, no grammars. PromQL has its
// own package.

import type { CompletionContext, CompletionResult } from '@codemirror/autocomplete';
import { StreamLanguage, type StreamParser } from '@codemirror/language';
import type { Extension } from '@codemirror/state';
import { EditorState } from '@codemirror/state';
import { lokiDetectedFields, lokiFieldValues, lokiLabels, lokiLabelValues } from '../dashboard/query/loki';
import { getJson } from '../api/prom';
import { range } from '../time/state';
import { traceqlComplete } from './traceql';

const LOGQL = {
  functions: 'rate bytes_rate rate_counter count_over_time bytes_over_time avg_over_time sum_over_time min_over_time max_over_time stddev_over_time stdvar_over_time quantile_over_time first_over_time last_over_time absent_over_time sum avg min max count topk bottomk stddev stdvar sort sort_desc label_replace vector approx_topk duration duration_seconds bytes',
  keywords: 'json logfmt pattern regexp unpack unwrap line_format label_format decolorize drop keep by without on ignoring group_left group_right bool offset and or unless ip',
};
const TRACEQL = {
  functions: 'rate count_over_time min_over_time max_over_time avg_over_time sum_over_time quantile_over_time histogram_over_time compare topk bottomk count avg min max sum select coalesce',
  keywords: 'by with nil true false duration name status kind rootName rootServiceName traceDuration resource span event link instrumentation parent childCount statusMessage error ok unset server client producer consumer internal unspecified',
};

function tokenizer(w: { functions: string; keywords: string }): StreamParser<{ brace: boolean }> {
  const functions = new Set(w.functions.split(' '));
  const keywords = new Set(w.keywords.split(' '));
  return {
    startState: () => ({ brace: false }),
    token(s, state) {
      if (s.eatSpace()) return null;
      if (s.match(/^#.*/)) return 'comment';
      if (s.match(/^"(?:[^"\\]|\\.)*"?/) || s.match(/^`[^`]*`?/) || s.match(/^'(?:[^'\\]|\\.)*'?/)) return 'string';
      if (s.match(/^\d[\w.]*/)) return 'number';
      if (s.match(/^\$\{?\w+\}?/)) return 'modifier';
      if (s.match(/^[a-zA-Z_][\w.:-]*/)) {
        const t = s.current();
        if (s.match(/^\s*\(/, false) && functions.has(t)) return 'variableName.function';
        if (keywords.has(t)) return 'keyword';
        return state.brace || s.match(/^\s*(=|!=|=~|!~)/, false) ? 'labelName' : functions.has(t) ? 'variableName.function' : 'name';
      }
      const c = s.next();
      if (c === '{') state.brace = true;
      if (c === '}') state.brace = false;
      return c && /[=!~|<>+\-*/%^&]/.test(c) ? 'operator' : null;
    },
  };
}

const JSON_PARSER: StreamParser<unknown> = {
  token(s) {
    if (s.eatSpace()) return null;
    if (s.match(/^"(?:[^"\\]|\\.)*"?/)) return s.match(/^\s*:/, false) ? 'labelName' : 'string';
    if (s.match(/^-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/)) return 'number';
    if (s.match(/^(true|false|null)\b/)) return 'keyword';
    s.next();
    return null;
  },
};

async function logqlComplete(c: CompletionContext): Promise<CompletionResult | null> {
  const before = c.state.sliceDoc(0, c.pos);
  const open = before.lastIndexOf('{');
  const inside = open > before.lastIndexOf('}');
  const r = range.peek();
  if (inside) {
    const value = /([\w.]+)\s*(?:=~|!~|!=|=)\s*"([^"]*)$/.exec(before);
    if (value) {
      const values = await lokiLabelValues(value[1]!, undefined, r.fromMs, r.toMs).catch(() => []);
      return { from: c.pos - value[2]!.length, options: values.slice(0, 500).map((label) => ({ label, type: 'constant' })), validFor: /^[^"]*$/ };
    }
    const name = c.matchBefore(/[\w.]*$/);
    const names = await lokiLabels(r.fromMs, r.toMs).catch(() => []);
    return { from: name?.from ?? c.pos, options: names.map((label) => ({ label, type: 'property' })), validFor: /^[\w.]*$/ };
  }
  // Behind the selector: the words of the language, and the fields that the lines of these streams have.
  const selector = /\{(?:"(?:[^"\\]|\\.)*"|`[^`]*`|[^}"`])*\}/.exec(before)?.[0];
  const value = /\|\s*(\w+)\s*(?:=~|!~|!=|==|=)\s*"([^"]*)$/.exec(before);
  if (selector && value) {
    const values = await lokiFieldValues(value[1]!, selector, r.fromMs, r.toMs).catch(() => []);
    return { from: c.pos - value[2]!.length, options: values.slice(0, 300).map((label) => ({ label, type: 'constant' })), validFor: /^[^"]*$/ };
  }
  const known = words(c, LOGQL);
  if (!known || !selector || !/\|\s*\w*$|\b(?:by|without|unwrap)\s*\(?[\w,\s]*$/.test(before)) return known;
  const fields = await lokiDetectedFields(selector, r.fromMs, r.toMs).catch(() => []);
  return { ...known, options: [...fields.map((f) => ({ label: f.label, detail: f.parsers?.join(', ') ?? 'field', type: 'property' })), ...known.options] };
}

function words(c: CompletionContext, w: { functions: string; keywords: string }): CompletionResult | null {
  const m = c.matchBefore(/[a-zA-Z_]\w*$/);
  if (!m && !c.explicit) return null;
  return {
    from: m?.from ?? c.pos,
    options: [...w.functions.split(' ').map((label) => ({ label, type: 'function' })), ...w.keywords.split(' ').map((label) => ({ label, type: 'keyword' }))],
    validFor: /^\w*$/,
  };
}

/** Graphite's targets: functions and paths; the next part of a path is asked of the server. */
const GRAPHITE: StreamParser<unknown> = {
  token(s) {
    if (s.eatSpace()) return null;
    if (s.match(/^"[^"]*"?|^'[^']*'?/)) return 'string';
    if (s.match(/^-?\d+(?:\.\d+)?(?=[,)\s]|$)/)) return 'number';
    if (s.match(/^[a-zA-Z]\w*(?=\()/)) return 'variableName.function';
    if (s.match(/^[^\s,()"']+/)) return 'name';
    s.next();
    return null;
  },
};

async function graphiteComplete(c: CompletionContext): Promise<CompletionResult | null> {
  const path = c.matchBefore(/[\w.*{}[\]:-]*$/);
  if (!path || (path.text === '' && !c.explicit)) return null;
  const last = path.text.lastIndexOf('.') + 1;
  const q = new URLSearchParams({ query: `${path.text.slice(0, last)}*`, format: 'treejson' });
  const found = await getJson<{ text: string; leaf: number }[]>(`graphite/metrics/find?${q}`).catch(() => []);
  return { from: path.from + last, options: found.slice(0, 500).map((f) => ({ label: f.text, type: f.leaf ? 'constant' : 'property' })), validFor: /^[\w-]*$/ };
}

export type Language = 'promql' | 'logql' | 'traceql' | 'graphite' | 'json';

export function languageExtension(lang: Exclude<Language, 'promql'>): Extension {
  if (lang === 'json') return StreamLanguage.define(JSON_PARSER);
  if (lang === 'graphite') return [StreamLanguage.define(GRAPHITE), EditorState.languageData.of(() => [{ autocomplete: graphiteComplete }])];
  const complete = lang === 'logql' ? logqlComplete : traceqlComplete;
  return [StreamLanguage.define(tokenizer(lang === 'logql' ? LOGQL : TRACEQL)), EditorState.languageData.of(() => [{ autocomplete: complete }])];
}
