// Fills variables into texts: $name, ${name}, ${name.path}, ${name["key"]}, ${name:format} and the
// older [[name]], [[name:format]]. What is not known stays as it is written.

import { escapeExact, escapeRegexInString, formatValue, type Value } from './formats';

export interface VarValue {
  value: Value;
  text?: Value;
  /** The reader can pick several (or all): queries then match by regular expression. */
  multi?: boolean;
  /** Written as it is, whatever the format: a custom "all" value, an interval. */
  verbatim?: boolean;
}

/** Gives a variable's value; `path` is what follows the name (${name.path}). */
export type Lookup = (name: string, path: string | undefined) => VarValue | undefined;

export type DefaultFormat = string | ((v: VarValue, name: string) => string);

const PATTERN = /\$(\w+)|\[\[(\w+?)(?::([^\]]+))?\]\]|\$\{(\w+)(?:\.([^:}]+)|\["([^"\]]+)"\]|\[(\d+)\])?(?::([^}]*))?\}/g;

export function interpolate(text: string, lookup: Lookup, format: DefaultFormat = 'glob'): string {
  if (!text.includes('$') && !text.includes('[[')) return text;
  return text.replace(
    PATTERN,
    (
      all: string,
      plain: string | undefined,
      old: string | undefined,
      oldFormat: string | undefined,
      braced: string | undefined,
      path: string | undefined,
      key: string | undefined,
      index: string | undefined,
      spec: string | undefined,
    ) => {
      const name = plain ?? old ?? braced!;
      const v = lookup(name, path ?? key ?? index);
      if (!v) return all;
      const f = spec ?? oldFormat;
      if (f !== undefined && f !== '') {
        if (v.verbatim && !['text', 'queryparam', 'percentencode'].includes(f)) return Array.isArray(v.value) ? v.value.join(',') : v.value;
        return formatValue(v.value, f, name, v.text ?? v.value);
      }
      if (v.verbatim) return Array.isArray(v.value) ? v.value.join(',') : v.value;
      return typeof format === 'string' ? formatValue(v.value, format, name, v.text ?? v.value) : format(v, name);
    },
  );
}

/** Names of the variables a text refers to. */
export function referenced(text: string): string[] {
  const out = new Set<string>();
  for (const m of text.matchAll(PATTERN)) out.add(m[1] ?? m[2] ?? m[4]!);
  return [...out];
}

/** How queries write a variable without a format: quoted when single, a regular expression when not. */
export function queryFormat(v: VarValue): string {
  if (!v.multi) return Array.isArray(v.value) ? v.value.map(escapeExact).join('|') : escapeExact(v.value);
  if (!Array.isArray(v.value)) return escapeRegexInString(v.value);
  const esc = v.value.map(escapeRegexInString);
  return esc.length === 1 ? esc[0]! : `(${esc.join('|')})`;
}
