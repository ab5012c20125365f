// Fields counted by the server over all lines of the range, where the list beside the lines knows the loaded ones only.

import { useEffect, useState } from 'preact/hooks';
import { isAbort } from '../../api/prom';
import { loki, lokiDetectedFields } from '../../dashboard/query/loki';
import { useTime } from '../../time/scope';
import type { LogQuery, Row } from './lines';
import { countQueries, type FieldCount } from './query';

export interface RangeCount {
  /** Lines of the range, and those that have the field. */
  total: number;
  lines: number;
  distinct: number;
  top: [value: string, count: number][];
}

const TOP = 10;

async function count(list: string[], atMs: number, signal: AbortSignal): Promise<Map<string, number>> {
  const out = new Map<string, number>();
  for (const d of await Promise.all(list.map((q) => loki.query(q, atMs, undefined, signal)))) {
    // A part of the lines is no count of all.
    if (d.warnings?.length) throw new Error(d.warnings[0]);
    if (d.resultType !== 'vector') continue;
    for (const x of d.result) {
      const value = Object.values(x.metric)[0] ?? '';
      out.set(value, (out.get(value) ?? 0) + Number(x.value[1]));
    }
  }
  return out;
}

const only = (m: Map<string, number>): number => m.get('') ?? 0;

/** How often a field and its values occur in the whole range; null while that is being asked. */
export function useRangeCount(queries: LogQuery[], field: FieldCount | undefined, rows: Row[]): { value: RangeCount | null; error: string } {
  const time = useTime();
  const raw = time.raw.value;
  const [state, set] = useState<{ value: RangeCount | null; error: string }>({ value: null, error: '' });
  useEffect(() => {
    set({ value: null, error: '' });
    if (!field || queries.length === 0) return;
    const abort = new AbortController();
    const r = time.range.peek();
    const parts = queries.map((q) => countQueries(q.expr, field, Math.max(1, Math.round((r.toMs - r.fromMs) / 1000)), TOP, rows));
    Promise.all((['total', 'lines', 'distinct', 'top'] as const).map((k) => count(parts.map((p) => p[k]), r.toMs, abort.signal))).then(
      ([total, lines, distinct, top]) =>
        set({
          error: '',
          value: { total: only(total!), lines: only(lines!), distinct: only(distinct!), top: [...top!].sort((a, b) => b[1] - a[1]).slice(0, TOP) },
        }),
      (e: unknown) => !isAbort(e) && set({ value: null, error: (e as Error).message }),
    );
    return () => abort.abort();
  }, [field?.name, field?.kind, JSON.stringify(queries), raw.from, raw.to]);
  return state;
}

/** Names of fields that the server finds in more lines than are loaded. */
export function useDetected(queries: LogQuery[], on: boolean): FieldCount[] {
  const time = useTime();
  const raw = time.raw.value;
  const [list, set] = useState<FieldCount[]>([]);
  useEffect(() => {
    set([]);
    if (!on || queries.length === 0) return;
    const abort = new AbortController();
    const r = time.range.peek();
    void Promise.allSettled(queries.map((q) => lokiDetectedFields(q.expr, r.fromMs, r.toMs, abort.signal))).then((all) => {
      if (abort.signal.aborted) return;
      const by = new Map<string, FieldCount>();
      for (const a of all) {
        if (a.status !== 'fulfilled') continue;
        for (const f of a.value) by.set(f.label, { name: f.label, kind: f.parsers?.length ? 'line' : 'field', lines: 0, distinct: Math.max(f.cardinality ?? 0, by.get(f.label)?.distinct ?? 0), top: [] });
      }
      set([...by.values()]);
    });
    return () => abort.abort();
  }, [on, JSON.stringify(queries), raw.from, raw.to]);
  return list;
}
