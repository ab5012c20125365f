// The log lines that carry the id of a trace, by the span they belong to.

import { useEffect, useState } from 'preact/hooks';
import { doors } from '../api/doors';
import { quote } from '../api/expr';
import { loki } from '../dashboard/query/loki';
import { logRows, type LogRow } from '../dashboard/query/logs';
import type { Trace } from './trace';

const MOST = 2000;
/** Lines may come somewhat before or after their span. */
const SLACK_MS = 60_000;

/** Oldest first; lines without the id of a span are under ''. */
export function bySpan(rows: LogRow[]): Map<string, LogRow[]> {
  const out = new Map<string, LogRow[]>();
  for (const r of rows) {
    const id = (r.structured['span_id'] ?? r.labels['span_id'] ?? '').toLowerCase();
    const list = out.get(id);
    if (list) list.push(r);
    else out.set(id, [r]);
  }
  return out;
}

export interface TraceLogs {
  bySpan: Map<string, LogRow[]> | null;
  error: string;
}

export function useTraceLogs(trace: Trace, traceId: string): TraceLogs {
  const [state, set] = useState<TraceLogs>({ bySpan: null, error: '' });
  const there = doors.value.has('loki');
  useEffect(() => {
    set({ bySpan: null, error: '' });
    if (!there) return;
    const abort = new AbortController();
    const from = trace.startMs - SLACK_MS;
    const to = trace.startMs + trace.durationNs / 1e6 + SLACK_MS;
    // One trace's services, so that the others' lines need not be looked at.
    const services = trace.services.filter((s) => s !== 'unknown').slice(0, 50);
    const re = services.map((s) => s.replace(/[\\^$.|?*+()[\]{}]/g, '\\$&')).join('|');
    const query = `{service_name=~${quote(re || '.+')}} | trace_id=${quote(traceId.padStart(32, '0'))}`;
    loki.queryRange(query, from, to, { limit: MOST, direction: 'forward' }, abort.signal).then(
      (d) => set({ bySpan: bySpan(d.resultType === 'streams' ? logRows(d.result).reverse() : []), error: '' }),
      (e: Error) => !abort.signal.aborted && set({ bySpan: null, error: e.message }),
    );
    return () => abort.abort();
  }, [trace, traceId, there]);
  return state;
}
