// Value mappings: particular values, ranges, patterns and special values to a text and a colour.

import type { MappingResult, ValueMapping } from '../model/types';

/** `/pattern/flags` or a bare pattern; null when it is not a regular expression. */
export function toRegex(text: string, flags = ''): RegExp | null {
  const m = /^\/(.*)\/([a-z]*)$/s.exec(text);
  try {
    return m ? new RegExp(m[1]!, m[2]!.replace(/[^gimsuy]/g, '')) : new RegExp(text, flags);
  } catch {
    return null;
  }
}

function special(match: unknown, v: unknown): boolean {
  const nan = typeof v === 'number' && Number.isNaN(v);
  const none = v === null || v === undefined;
  switch (match) {
    case 'null':
      return none;
    case 'nan':
      return nan;
    case 'null+nan':
      return none || nan;
    case 'true':
      return v === true || v === 'true';
    case 'false':
      return v === false || v === 'false';
    case 'empty':
      return v === '';
    default:
      return false;
  }
}

/** The first mapping that holds for the value, or null. */
export function mapValue(mappings: ValueMapping[] | undefined, v: unknown): MappingResult | null {
  for (const m of mappings ?? []) {
    const o = m.options ?? {};
    if (m.type === 'value') {
      if (v === null || v === undefined) continue;
      const hit = o[String(v)] as MappingResult | undefined;
      if (hit && typeof hit === 'object') return hit;
    } else if (m.type === 'range') {
      const n = typeof v === 'number' ? v : v === null || v === undefined || v === '' ? NaN : Number(v);
      if (Number.isNaN(n)) continue;
      const from = o['from'] === null || o['from'] === undefined ? -Infinity : Number(o['from']);
      const to = o['to'] === null || o['to'] === undefined ? Infinity : Number(o['to']);
      if (n >= from && n <= to) return (o['result'] as MappingResult) ?? null;
    } else if (m.type === 'regex') {
      if (v === null || v === undefined) continue;
      const re = toRegex(String(o['pattern'] ?? ''));
      if (!re) continue;
      re.lastIndex = 0;
      const text = String(v);
      if (!re.test(text)) continue;
      const r = (o['result'] as MappingResult) ?? {};
      re.lastIndex = 0;
      return r.text ? { ...r, text: text.replace(re, r.text) } : r;
    } else if (m.type === 'special' && special(o['match'], v)) {
      return (o['result'] as MappingResult) ?? null;
    }
  }
  return null;
}
