// The lines of a query over the shared time range: pages of them, newest first, kept while the range moves on.

import { useEffect, useRef, useState } from 'preact/hooks';
import { useRange } from '../../api/live';
import { isAbort } from '../../api/prom';
import { loki } from '../../dashboard/query/loki';
import { logRows, type LogRow } from '../../dashboard/query/logs';
import type { LogLine } from '../../logs/LogList';

const PAGE = 1000;
/** Lines that are kept at most; the address of a page further back is its time range. */
export const MOST = 50_000;
/** What one request may ask for once somebody pages. */
const BIG_PAGE = 5000;

export interface Row extends LogLine {
  stream: Record<string, string>;
  fields: Record<string, string>;
}

export function toRow(r: LogRow): Row {
  return { timeMs: r.timeMs, ns: r.ns, line: r.line, level: r.level, labels: { ...r.labels, ...r.structured }, stream: r.labels, fields: r.structured, ...(r.ref ? { ref: r.ref } : {}) };
}

export interface LogQuery {
  refId: string;
  expr: string;
}

export interface Lines {
  rows: Row[];
  /** Of each query that failed. */
  errors: { refId: string; error: Error }[];
  /** What the answers lack. */
  warnings: string[];
  loading: boolean;
  more: boolean;
  older: () => void;
}

type State = Omit<Lines, 'older'>;

const NOTHING: State = { rows: [], errors: [], warnings: [], loading: false, more: false };
const key = (x: Row) => `${x.ref ?? ''}\x01${x.ns}\x01${x.line}\x01${JSON.stringify(x.stream)}`;
const later = (a: Row, b: Row) => a.ns.length > b.ns.length || (a.ns.length === b.ns.length && a.ns > b.ns);

/**
 * Pages of several queries as one. A query whose page is full has lines beyond it: what the others have from before
 * that page's end waits for the next page, else lines would come in between later.
 */
export function mergePages(pages: { rows: Row[]; full: boolean }[]): Row[] {
  let cut: Row | null = null;
  for (const p of pages) {
    const last = p.rows[p.rows.length - 1];
    if (p.full && last && (!cut || later(last, cut))) cut = last;
  }
  const all = pages.flatMap((p) => (cut ? p.rows.filter((r) => !later(cut!, r)) : p.rows));
  return pages.length > 1 ? all.sort((a, b) => (later(a, b) ? -1 : later(b, a) ? 1 : 0)) : all;
}

export function useLines(queries: LogQuery[]): Lines {
  const r = useRange();
  const [state, set] = useState<State>(NOTHING);
  const abort = useRef<AbortController | null>(null);
  const id = JSON.stringify(queries);
  const shown = useRef({ id: '', fromMs: 0, spanMs: 0 });
  const latest = useRef(state);
  latest.current = state;

  const pages = async (fromMs: number, toMs: number, limit: number, signal: AbortSignal) => {
    const got = await Promise.allSettled(queries.map((q) => loki.queryRange(q.expr, fromMs, toMs, { limit, direction: 'backward' }, signal)));
    const list: { rows: Row[]; full: boolean }[] = [];
    const errors: State['errors'] = [];
    const warnings: string[] = [];
    got.forEach((g, i) => {
      const q = queries[i]!;
      if (g.status === 'rejected') {
        if (!isAbort(g.reason)) errors.push({ refId: q.refId, error: g.reason as Error });
        return;
      }
      warnings.push(...(g.value.warnings ?? []));
      if (g.value.resultType !== 'streams') return;
      const rows = logRows(g.value.result).map(toRow);
      list.push({ rows: queries.length > 1 ? rows.map((x) => ({ ...x, ref: q.refId })) : rows, full: rows.length >= limit });
    });
    return { rows: mergePages(list), full: list.some((p) => p.full), errors, warnings: [...new Set(warnings)] };
  };
  /** A refresh of a moving range asks only for what is newer and keeps the older pages. */
  const newer = async (rows: Row[]) => {
    const mine = (abort.current = new AbortController());
    const got = await pages(Math.max(r.fromMs, rows[0]!.timeMs), r.toMs, PAGE, mine.signal);
    if (mine.signal.aborted) return;
    if (got.full) return ask(r.toMs, []);
    const known = new Set(rows.slice(0, PAGE).map(key));
    const fresh = got.rows.filter((x) => !known.has(key(x)));
    const kept = rows.filter((x) => x.timeMs >= r.fromMs);
    if (fresh.length || kept.length !== rows.length || got.errors.length || latest.current.errors.length) {
      set((s) => ({ ...s, rows: [...fresh, ...kept].slice(0, MOST), errors: got.errors, warnings: got.warnings }));
    }
  };
  const ask = async (toMs: number, before: Row[]) => {
    abort.current?.abort();
    const mine = (abort.current = new AbortController());
    const limit = before.length ? BIG_PAGE : PAGE;
    set((s) => ({ ...s, loading: true }));
    const got = await pages(r.fromMs, toMs, limit, mine.signal);
    if (mine.signal.aborted) return;
    if (got.errors.length === queries.length) return set((s) => ({ ...s, errors: got.errors, loading: false }));
    const known = new Set(before.slice(-BIG_PAGE).map(key));
    const fresh = got.rows.filter((x) => !known.has(key(x)));
    const rows = [...before, ...fresh].slice(0, MOST);
    set({ rows, errors: got.errors, warnings: got.warnings, loading: false, more: got.full && fresh.length > 0 && rows.length < MOST });
  };
  useEffect(() => {
    if (queries.length === 0) {
      abort.current?.abort();
      shown.current = { id: '', fromMs: 0, spanMs: 0 };
      return set(NOTHING);
    }
    const s = shown.current;
    const spanMs = r.toMs - r.fromMs;
    const moved = s.id === id && s.spanMs === spanMs && r.fromMs >= s.fromMs && r.fromMs - s.fromMs < spanMs / 2;
    shown.current = { id, fromMs: r.fromMs, spanMs };
    const { rows, loading } = latest.current;
    if (moved && loading && !r.forced) return;
    abort.current?.abort();
    if (moved && rows.length > 0 && !r.forced) void newer(rows);
    else void ask(r.toMs, []);
  }, [id, r.tick, r.fromMs, r.toMs]);
  useEffect(() => () => abort.current?.abort(), []);
  return { ...state, older: () => state.rows.length > 0 && !state.loading && void ask(state.rows[state.rows.length - 1]!.timeMs + 1, state.rows) };
}
