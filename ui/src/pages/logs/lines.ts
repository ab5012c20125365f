// The lines of a query over the shared time range: pages of them, newest first, kept while the range moves on.

import { useEffect, useRef, useState } from 'preact/hooks';
import { useRange } from '../../api/live';
import { isAbort } from '../../api/prom';
import { loki } from '../../dashboard/query/loki';
import { logRows, type LogRow } from '../../dashboard/query/logs';
import type { LogLine } from '../../logs/LogList';
import { isLogQuery } from './query';

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
  return { timeMs: r.timeMs, ns: r.ns, line: r.line, level: r.level, labels: { ...r.labels, ...r.structured }, stream: r.labels, fields: r.structured };
}

export function useLines(expr: string): { rows: Row[]; error: Error | null; loading: boolean; older: () => void; more: boolean } {
  const r = useRange();
  const [state, set] = useState<{ rows: Row[]; error: Error | null; loading: boolean; more: boolean }>({ rows: [], error: null, loading: false, more: false });
  const abort = useRef<AbortController | null>(null);
  const shown = useRef({ expr: '', fromMs: 0, spanMs: 0 });
  const latest = useRef(state);
  latest.current = state;
  const key = (x: Row) => `${x.ns}\x01${x.line}\x01${JSON.stringify(x.stream)}`;
  /** A refresh of a moving range asks only for what is newer and keeps the older pages. */
  const newer = (rows: Row[]) => {
    const mine = (abort.current = new AbortController());
    const fromMs = Math.max(r.fromMs, rows[0]!.timeMs);
    loki.queryRange(expr, fromMs, r.toMs, { limit: PAGE, direction: 'backward' }, mine.signal).then(
      (d) => {
        if (mine.signal.aborted || d.resultType !== 'streams') return;
        const got = logRows(d.result).map(toRow);
        if (got.length >= PAGE) return ask(r.toMs, []);
        const known = new Set(rows.slice(0, PAGE).map(key));
        const fresh = got.filter((x) => !known.has(key(x)));
        const kept = rows.filter((x) => x.timeMs >= r.fromMs);
        if (fresh.length || kept.length !== rows.length) set((s) => ({ ...s, rows: [...fresh, ...kept].slice(0, MOST), error: null }));
      },
      (e: unknown) => {
        if (!mine.signal.aborted && !isAbort(e)) set((s) => ({ ...s, error: e as Error }));
      },
    );
  };
  const ask = (toMs: number, before: Row[]) => {
    abort.current?.abort();
    const mine = (abort.current = new AbortController());
    const limit = before.length ? BIG_PAGE : PAGE;
    set((s) => ({ ...s, loading: true }));
    loki.queryRange(expr, r.fromMs, toMs, { limit, direction: 'backward' }, mine.signal).then(
      (d) => {
        if (mine.signal.aborted) return;
        const got = d.resultType === 'streams' ? logRows(d.result).map(toRow) : [];
        const known = new Set(before.slice(-BIG_PAGE).map(key));
        const fresh = got.filter((x) => !known.has(key(x)));
        const rows = [...before, ...fresh].slice(0, MOST);
        set({ rows, error: null, loading: false, more: got.length >= limit && fresh.length > 0 && rows.length < MOST });
      },
      (e: unknown) => {
        if (!mine.signal.aborted && !isAbort(e)) set((s) => ({ ...s, error: e as Error, loading: false }));
      },
    );
  };
  useEffect(() => {
    if (!isLogQuery(expr)) {
      abort.current?.abort();
      set({ rows: [], error: null, loading: false, more: false });
      return;
    }
    const s = shown.current;
    const spanMs = r.toMs - r.fromMs;
    const moved = s.expr === expr && s.spanMs === spanMs && r.fromMs >= s.fromMs && r.fromMs - s.fromMs < spanMs / 2;
    shown.current = { expr, fromMs: r.fromMs, spanMs };
    const { rows, loading } = latest.current;
    if (moved && loading && !r.forced) return;
    abort.current?.abort();
    if (moved && rows.length > 0 && !r.forced) newer(rows);
    else ask(r.toMs, []);
  }, [expr, r.tick, r.fromMs, r.toMs]);
  useEffect(() => () => abort.current?.abort(), []);
  return { ...state, older: () => state.rows.length > 0 && !state.loading && ask(state.rows[state.rows.length - 1]!.timeMs + 1, state.rows) };
}

