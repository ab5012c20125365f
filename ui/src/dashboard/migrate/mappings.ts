// Value mappings of before version 30 (value to text, range to text) in today's form.

import type { Loose, ValueMapping } from '../model/types';

interface OldMapping extends Loose {
  id?: number;
  type?: unknown;
  op?: string;
  value?: unknown;
  text?: string;
  from?: unknown;
  to?: unknown;
  color?: string;
}

export function upgradeMappings(list: unknown, thresholdsColor?: (v: number) => string | undefined): ValueMapping[] {
  if (!Array.isArray(list)) return [];
  const out: ValueMapping[] = [];
  const values: Loose = {};
  for (const m of list as OldMapping[]) {
    if (typeof m !== 'object' || m === null) continue;
    if (typeof m.type === 'string' && m['options']) {
      out.push(m as unknown as ValueMapping);
      continue;
    }
    const isRange = m.type === 2 || (m.from !== undefined && m.from !== '' && m.value === undefined);
    const color = typeof m.color === 'string' ? { color: m.color } : {};
    if (isRange) {
      const from = m.from === 'null' || m.from === '' ? null : Number(m.from);
      const to = m.to === 'null' || m.to === '' ? null : Number(m.to);
      const said = thresholdsColor && from !== null ? thresholdsColor(from) : undefined;
      out.push({ type: 'range', options: { from, to, result: { text: m.text ?? '', ...(said ? { color: said } : {}), ...color } } });
    } else if (m.value === 'null' || m.value === null) {
      out.push({ type: 'special', options: { match: 'null', result: { text: m.text ?? '', ...color } } });
    } else if (m.value !== undefined) {
      const n = Number(m.value);
      const said = thresholdsColor && Number.isFinite(n) ? thresholdsColor(n) : undefined;
      values[String(m.value)] = { text: m.text ?? '', ...(said ? { color: said } : {}), ...color };
    }
  }
  if (Object.keys(values).length) out.unshift({ type: 'value', options: values });
  return out;
}
