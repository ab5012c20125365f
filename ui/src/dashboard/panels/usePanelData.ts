// Keeps a panel's data in step with the time range, the refresh, the variables and its own JSON.

import { useSignalEffect } from '@preact/signals';
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { scrapeMs } from '../../api/interval';
import { isAbort } from '../../api/prom';
import { useRange } from '../../api/live';
import { applyFieldConfig } from '../field/config';
import type { Frame } from '../frame/frame';
import type { Scoped } from '../model/repeat';
import type { Session } from '../model/session';
import type { Panel } from '../model/types';
import { runPanel, type PanelData } from '../query/run';
import { runPublic } from '../query/public';
import { fromWire } from '../query/wire';
import { applyTransformations } from '../transform/apply';
import { WITHOUT_QUERY } from './registry';

export interface PanelState {
  data: PanelData | null;
  frames: Frame[];
  /** Of transformations. */
  problems: string[];
  loading: boolean;
  error: Error | null;
}

/** The version of the variables as plain state. */
export function useVars(s: Session): { version: number; ready: boolean } {
  const [v, set] = useState({ version: s.vars.version.peek(), ready: s.vars.ready.peek() });
  useSignalEffect(() => set({ version: s.vars.version.value, ready: s.vars.ready.value }));
  return v;
}

export const EMPTY: PanelData = { frames: [], errors: [], warnings: [], fromMs: 0, toMs: 0, intervalMs: 0, ran: [] };

/** What of a panel its queries depend on. */
function queryKey(p: Panel): string {
  return JSON.stringify([p.targets, p.datasource, p.interval, p.maxDataPoints, p.timeFrom, p.timeShift]);
}

export function usePanelData(s: Session, panel: Panel, scoped: Scoped, enabled: boolean, width: number): PanelState {
  const r = useRange();
  const vars = useVars(s);
  const [state, set] = useState<{ data: PanelData | null; loading: boolean; error: Error | null }>({ data: null, loading: true, error: null });
  const flight = useRef<{ key: string; abort: AbortController; done: boolean } | null>(null);
  const shown = useRef('');
  const key = queryKey(panel);
  const kept = panel['snapshotData'];
  const plain = WITHOUT_QUERY.has(panel.type) || !panel.targets?.some((t) => !t.hide);
  // Steps only change when the width does by much.
  const points = Math.max(100, Math.ceil(width / 100) * 100);

  useEffect(() => {
    if (!enabled || !vars.ready || width < 1) return;
    if (Array.isArray(kept)) return set({ data: { ...EMPTY, frames: fromWire(kept), fromMs: r.fromMs, toMs: r.toMs }, loading: false, error: null });
    if (plain) return set({ data: { ...EMPTY, fromMs: r.fromMs, toMs: r.toMs }, loading: false, error: null });
    const id = `${key}|${vars.version}|${points}|${JSON.stringify(scoped)}`;
    const want = `${id}|${r.fromMs}|${r.toMs}`;
    if (shown.current === want && !r.forced) return;
    const f = flight.current;
    if (f && !f.done) {
      // A mere refresh lets what is under way finish.
      if (f.key === `${id}|${r.toMs - r.fromMs}` && !r.forced) return;
      f.abort.abort();
    }
    const mine = { key: `${id}|${r.toMs - r.fromMs}`, abort: new AbortController(), done: false };
    flight.current = mine;
    set((x) => (x.loading ? x : { ...x, loading: true }));
    const token = s.publicToken;
    const run = token ? (p: Panel, c: { fromMs: number; toMs: number; maxDataPoints: number }, signal: AbortSignal) => runPublic(token, p, c, signal) : runPanel;
    run(
      panel,
      {
        fromMs: r.fromMs,
        toMs: r.toMs,
        forced: r.forced,
        maxDataPoints: points,
        scrapeMs: scrapeMs.peek(),
        lookup: s.vars.lookup(scoped),
        title: s.model.peek().title,
        uid: String(s.model.peek().uid ?? ''),
        panel: (n) => s.panel(n),
        filters: s.filters(),
      },
      mine.abort.signal,
    )
      .then((data) => {
        mine.done = true;
        if (mine.abort.signal.aborted) return;
        shown.current = want;
        // What failed entirely keeps the last picture, with the error over it.
        set((x) => ({ data: data.frames.length === 0 && data.errors.length > 0 && x.data ? { ...x.data, errors: data.errors, warnings: data.warnings, ran: data.ran } : data, loading: false, error: null }));
      })
      .catch((e: unknown) => {
        mine.done = true;
        if (!mine.abort.signal.aborted && !isAbort(e)) set((x) => ({ data: x.data, loading: false, error: e as Error }));
      });
  }, [enabled, vars.ready, vars.version, r.tick, r.fromMs, r.toMs, key, points, plain]);
  useEffect(() => () => flight.current?.abort.abort(), []);

  const looks = JSON.stringify([panel.fieldConfig, panel.transformations]);
  const shaped = useMemo(() => {
    if (!state.data) return { frames: [], problems: [] };
    const fill = (t: string) => s.vars.fill(t, scoped);
    const exemplars = state.data.frames.filter((f) => f.name === 'exemplar');
    const t = applyTransformations(state.data.frames.filter((f) => f.name !== 'exemplar'), panel.transformations, fill);
    return { frames: [...applyFieldConfig(t.frames, panel.fieldConfig, fill), ...exemplars], problems: t.problems };
  }, [state.data, looks]);
  return { ...state, ...shaped };
}
