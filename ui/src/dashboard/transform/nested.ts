// Groups whose rows unfold into a table of their own.

import { displayName, field, frameOf, NESTED, type Frame } from '../frame/frame';
import type { Loose } from '../model/types';
import { groupBy, takeRows } from './rows';

const key = (v: unknown): string => (typeof v === 'object' && v !== null ? JSON.stringify(v) : `${typeof v}:${String(v)}`);

/** As "group by", with the columns that it neither groups by nor calculates in a table under each group. */
export function groupToNestedTable(frames: Frame[], o: Loose): Frame[] {
  const spec = (o['fields'] ?? {}) as Record<string, { operation?: string | null; aggregations?: string[] }>;
  return frames.flatMap((f) => {
    const of = (i: number) => spec[displayName(f.fields[i]!, f, frames)] ?? spec[f.fields[i]!.name];
    const by = f.fields.filter((_, i) => of(i)?.operation === 'groupby');
    const [outer] = groupBy([f], o);
    if (by.length === 0 || !outer) return [f];
    const inner = f.fields.filter((_, i) => of(i)?.operation !== 'groupby' && !(of(i)?.operation === 'aggregate' && of(i)?.aggregations?.length));
    const groups = new Map<string, number[]>();
    for (let i = 0; i < f.length; i++) {
      const k = by.map((x) => key(x.values[i])).join('\x01');
      const g = groups.get(k);
      if (g) g.push(i);
      else groups.set(k, [i]);
    }
    if (inner.length === 0) return [outer];
    const tables = [...groups.values()].map((rows) => [takeRows({ fields: inner, length: f.length, kind: 'table', refId: f.refId }, rows)]);
    const head = field(NESTED, 'other', tables, undefined, { custom: { noHeader: o['showSubframeHeaders'] === false } });
    return [frameOf([...outer.fields, head], { ...outer, fields: [...outer.fields, head] })];
  });
}
