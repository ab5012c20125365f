// From what a query answered to the options of a variable: the regular expression, sorting,
// de-duplication.

import { toRegex } from '../field/mappings';

export interface Option {
  text: string;
  value: string;
}

function natural(a: string, b: string): number {
  return a.localeCompare(b, 'en', { numeric: true, sensitivity: 'base' });
}

function leadingNumber(t: string): number {
  const m = /-?\d+(?:\.\d+)?/.exec(t);
  return m ? Number(m[0]) : -1;
}

/** 0 as it comes, 1/2 alphabetical, 3/4 numerical, 5/6 ignoring case, 7/8 natural; even ones fall. */
export function sortOptions(options: Option[], sort: number): Option[] {
  if (!sort) return options;
  const out = options.slice();
  const kind = Math.ceil(sort / 2);
  out.sort((a, b) => {
    if (kind === 1) return a.text < b.text ? -1 : a.text > b.text ? 1 : 0;
    if (kind === 2) return leadingNumber(a.text) - leadingNumber(b.text);
    if (kind === 3) return a.text.toLowerCase().localeCompare(b.text.toLowerCase(), 'en');
    return natural(a.text, b.text);
  });
  return sort % 2 === 0 ? out.reverse() : out;
}

/**
 * Applies `/…/flags`: named groups `text` and `value`, else the first group, else the whole match;
 * a global expression gives an option for each match. What does not match is left out.
 */
export function applyRegex(items: Option[], regex: string | undefined, applyTo?: string): Option[] {
  const re = regex ? toRegex(regex) : null;
  if (!re) return items;
  const out: Option[] = [];
  const take = (m: RegExpMatchArray | RegExpExecArray) => {
    const g = m.groups ?? {};
    if (g['value'] !== undefined || g['text'] !== undefined) {
      const value = g['value'] ?? g['text']!;
      out.push({ value, text: g['text'] ?? value });
    } else {
      const v = m[1] ?? m[0];
      out.push({ value: v, text: v });
    }
  };
  for (const it of items) {
    const subject = applyTo === 'text' ? it.text : it.value;
    if (re.global) for (const m of subject.matchAll(re)) take(m);
    else {
      const m = re.exec(subject);
      if (m && m.length === 1) out.push(it.value === m[0] || m[0] === '' ? it : { value: m[0], text: m[0] });
      else if (m) take(m);
    }
  }
  return out;
}

export function unique(options: Option[]): Option[] {
  const seen = new Set<string>();
  return options.filter((o) => !seen.has(o.value) && (seen.add(o.value), true));
}

/** Options of a custom variable: "a, b, Text : value", commas escaped by a backslash; or JSON. */
export function customOptions(query: string): Option[] {
  const t = query.trim();
  if (t.startsWith('[')) {
    try {
      const list = JSON.parse(t) as unknown[];
      if (Array.isArray(list)) {
        return list.map((x) => {
          if (typeof x === 'object' && x !== null) {
            const o = x as { text?: unknown; label?: unknown; value?: unknown };
            const value = String(o.value ?? o.text ?? '');
            return { value, text: String(o.text ?? o.label ?? value) };
          }
          return { value: String(x), text: String(x) };
        });
      }
    } catch {
      // A list that only looks like JSON.
    }
  }
  const parts = query.match(/(?:\\,|[^,])+/g) ?? [];
  return parts
    .map((p) => p.trim().replace(/\\,/g, ','))
    .filter((p) => p !== '')
    .map((p) => {
      const m = /^(.+?)\s:\s(.+)$/s.exec(p);
      return m ? { text: m[1]!.trim(), value: m[2]!.trim() } : { text: p, value: p };
    });
}
