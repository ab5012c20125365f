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
