// Ad-hoc filters: label matchers put into every selector of a PromQL or LogQL query.

import { escapeRegex, quote } from '../../api/expr';
import type { Filter } from './store';

/** A filter as matchers; the "one of" operators become regular expressions. */
export function matcherText(f: Filter): string | null {
  if (f.key === '' || f.operator === '') return null;
  const name = /^[a-zA-Z_]\w*$/.test(f.key) ? f.key : quote(f.key);
  switch (f.operator) {
    case '=|':
      return `${name}=~${quote(f.value.split(',').map(escapeRegex).join('|'))}`;
    case '!=|':
      return `${name}!~${quote(f.value.split(',').map(escapeRegex).join('|'))}`;
    case '=':
    case '!=':
    case '=~':
    case '!~':
      return `${name}${f.operator}${quote(f.value)}`;
    default:
      return null;
  }
}

const WORDS = new Set(['by', 'without', 'on', 'ignoring', 'group_left', 'group_right', 'bool', 'offset', 'and', 'or', 'unless', 'atan2', 'inf', 'nan', 'start', 'end', 'fill', 'fill_left', 'fill_right']);
const GROUPING = new Set(['by', 'without', 'on', 'ignoring', 'group_left', 'group_right']);

/**
 * Adds the matchers to every selector; strings, durations, functions and label lists stay. In PromQL
 * a bare name is a selector too; in LogQL (`bare` false) only braces are.
 */
export function addMatchers(expr: string, matchers: string[], bare = true): string {
  if (matchers.length === 0) return expr;
  const more = matchers.join(',');
  let out = '';
  let i = 0;
  let grouping = false;
  const token = /("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|`[^`]*`)|(#[^\n]*)|(\{)|(\[)|([a-zA-Z_:][\w:.]*)|(\d[\w.]*)|([\s\S])/g;
  while (i < expr.length) {
    token.lastIndex = i;
    const m = token.exec(expr)!;
    i = token.lastIndex;
    if (m[3]) {
      // A selector in braces: up to the closing one.
      let end = i;
      const inner = /"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|`[^`]*`|\}|[\s\S]/g;
      let closed = false;
      while (end < expr.length) {
        inner.lastIndex = end;
        const t = inner.exec(expr)!;
        end = inner.lastIndex;
        if (t[0] === '}') {
          closed = true;
          break;
        }
      }
      if (!closed) return expr;
      const body = expr.slice(i, end - 1).trim().replace(/,$/, '');
      out += `{${body}${body ? ',' : ''}${more}}`;
      i = end;
    } else if (m[4]) {
      const end = expr.indexOf(']', i);
      if (end < 0) return expr;
      out += expr.slice(i - 1, end + 1);
      i = end + 1;
    } else if (m[5]) {
      const word = m[5];
      const rest = /^\s*(.)/.exec(expr.slice(i))?.[1] ?? '';
      const low = word.toLowerCase();
      out += word;
      if (GROUPING.has(low)) grouping = rest === '(';
      else if (bare && !grouping && rest !== '(' && rest !== '{' && !WORDS.has(low) && !/^\s*(by|without)\b/i.test(expr.slice(i))) out += `{${more}}`;
    } else {
      if (m[7] === ')' && grouping) grouping = false;
      out += m[0];
    }
  }
  return out;
}

const AGGREGATES = new Set(['sum', 'avg', 'min', 'max', 'count', 'group', 'stddev', 'stdvar', 'topk', 'bottomk', 'quantile', 'count_values', 'limitk', 'limit_ratio']);

const labelText = (k: string) => (/^[a-zA-Z_]\w*$/.test(k) ? k : quote(k));

/** Index behind the bracket that closes the one at `open`; strings are skipped. -1 when there is none. */
function closing(expr: string, open: number): number {
  const token = /"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|`[^`]*`|[()]|[\s\S]/g;
  let depth = 0;
  token.lastIndex = open;
  for (let m = token.exec(expr); m; m = token.exec(expr)) {
    if (m[0] === '(') depth++;
    else if (m[0] === ')' && --depth === 0) return token.lastIndex;
  }
  return -1;
}

/** Adds labels to what every aggregation groups by. Aggregations "without" labels stay as they are. */
export function addGroupBy(expr: string, keys: string[]): string {
  if (keys.length === 0) return expr;
  const token = /("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|`[^`]*`)|(#[^\n]*)|(\{[^}]*\})|([a-zA-Z_:][\w:]*)|([\s\S])/g;
  const edits: { at: number; text: string }[] = [];
  const join = (from: number, to: number) => {
    const had = expr.slice(from, to).split(',').map((t) => t.trim()).filter(Boolean);
    const more = keys.filter((k) => !had.includes(k) && !had.includes(labelText(k))).map(labelText);
    if (more.length) edits.push({ at: to, text: `${had.length ? ', ' : ''}${more.join(', ')}` });
  };
  for (let m = token.exec(expr); m; m = token.exec(expr)) {
    if (!m[4] || !AGGREGATES.has(m[4].toLowerCase())) continue;
    const end = token.lastIndex;
    const rest = expr.slice(end);
    const before = /^\s*(by|without)\s*\(/i.exec(rest);
    if (before) {
      const open = end + before[0].length - 1;
      const close = closing(expr, open);
      if (close > 0 && before[1]!.toLowerCase() === 'by') join(open + 1, close - 1);
      continue;
    }
    const body = /^\s*\(/.exec(rest);
    if (!body) continue;
    const close = closing(expr, end + body[0].length - 1);
    if (close < 0) continue;
    const after = /^\s*(by|without)\s*\(/i.exec(expr.slice(close));
    if (after) {
      const open = close + after[0].length - 1;
      const last = closing(expr, open);
      if (last > 0 && after[1]!.toLowerCase() === 'by') join(open + 1, last - 1);
    } else edits.push({ at: end, text: ` by (${keys.map(labelText).join(', ')}) ` });
  }
  let out = expr;
  for (const e of edits.sort((a, b) => b.at - a.at)) out = out.slice(0, e.at) + e.text + out.slice(e.at).replace(/^ /, e.text.endsWith(' ') ? '' : ' ');
  return out;
}
