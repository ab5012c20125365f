// Hooks that keep a component's data in step with the shared time range.

import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { followRange, useTime } from '../time/scope';
import type { ResolvedRange } from '../time/state';
import { gridFor, MAX_POINTS, rateWindow, stepFor, type Grid } from '../time/step';
import { expandMacros } from './expr';
import { scrapeMs } from './interval';
import { isAbort } from './prom';
import { cached, fetchRange, type RangeResult } from './ranges';

/** True once the element has been near the viewport, false again while it is far away. */
export function useVisible(ref: { current: Element | null }): boolean {
  const [visible, set] = useState(false);
  useEffect(() => {
    const el = ref.current;
    if (!el) return;
    const io = new IntersectionObserver((es) => set(es[es.length - 1]!.isIntersecting), { rootMargin: '200px' });
    io.observe(el);
    return () => io.disconnect();
  }, []);
  return visible;
}

/** The range of the page, or of the pane, as plain state; re-renders on every refresh. */
export function useRange(): ResolvedRange {
  const time = useTime();
  const [r, set] = useState(time.range.peek());
  useEffect(() => followRange(time, set), [time]);
  return r;
}

export interface LiveRanges {
  /** One entry an expression; undefined until its first answer. */
  results: (RangeResult | undefined)[];
  errors: (Error | undefined)[];
  /** The grid the results lie on. */
  grid: Grid | undefined;
  /** Nothing has been shown yet. */
  first: boolean;
  loading: boolean;
}

export interface LiveOptions {
  maxPoints: number;
  enabled?: boolean;
  minStepMs?: number;
  /** A step asked for; coarsened when the range would exceed Prometheus' 11,000 points. */
  stepMs?: number;
  limit?: number;
  exemplars?: boolean;
}

/**
 * Runs range queries over the shared time range and again on every refresh. Old results stay until
 * all new ones are there, so that nothing flickers; a change of the range or of the expressions
 * aborts what is under way, a mere refresh lets it finish.
 */
export function useRanges(exprs: string[], o: LiveOptions): LiveRanges {
  const r = useRange();
  const scrape = scrapeMs.value;
  const enabled = o.enabled ?? true;
  const spanMs = r.toMs - r.fromMs;
  const step = o.stepMs
    ? stepFor(spanMs, MAX_POINTS, o.stepMs)
    : stepFor(spanMs, o.maxPoints, Math.max(o.minStepMs ?? 0, scrape));
  const ids = useMemo(() => {
    const values = { stepMs: step, rateMs: rateWindow(step, scrape), rangeMs: spanMs };
    return exprs.map((e) => expandMacros(e, values));
    // Expressions with $__range change with every span; the span of a moving range stays.
  }, [exprs.join('\n'), step, scrape, Math.round(spanMs / 1000)]);

  const grid = gridFor(r.fromMs, r.toMs, step);
  const [state, setState] = useState<LiveRanges>(() => {
    const hit = ids.map((e) => cached(e, step));
    const all = hit.length > 0 && hit.every((h) => h !== undefined);
    return {
      results: all ? hit : ids.map(() => undefined),
      errors: ids.map(() => undefined),
      grid: all ? hit[0]!.grid : undefined,
      first: !all,
      loading: enabled,
    };
  });

  const flight = useRef<{ id: string; startMs: number; endMs: number; abort: AbortController; done: boolean } | null>(null);
  const doneTick = useRef('');

  useEffect(() => {
    if (!enabled) return;
    const id = `${o.exemplars ? 'x' : ''}${ids.join('\n')}`;
    const want = `${id}|${grid.startMs}|${grid.endMs}|${step}`;
    if (doneTick.current === want && !r.forced) return;
    const f = flight.current;
    if (f && !f.done) {
      const moved = grid.startMs - f.startMs;
      const refreshOnly = f.id === id && moved >= 0 && moved <= 10 * 60_000 && grid.endMs - f.endMs === moved && !r.forced;
      if (refreshOnly) return;
      f.abort.abort();
    }
    const abort = new AbortController();
    const mine = { id, startMs: grid.startMs, endMs: grid.endMs, abort, done: false };
    flight.current = mine;
    setState((s) => (s.loading ? s : { ...s, loading: true }));
    void Promise.allSettled(
      ids.map((e) => fetchRange(e, grid, { signal: abort.signal, forced: r.forced, limit: o.limit, exemplars: o.exemplars })),
    ).then((rs) => {
      mine.done = true;
      if (abort.signal.aborted) return;
      doneTick.current = want;
      setState((s) => {
        const same = s.results.length === rs.length;
        const errors = rs.map((x) =>
          x.status === 'rejected' && !isAbort(x.reason) ? (x.reason as Error) : undefined,
        );
        return {
          results: rs.map((x, i) => (x.status === 'fulfilled' ? x.value : same ? s.results[i] : undefined)),
          errors,
          grid: rs.some((x) => x.status === 'fulfilled') ? grid : s.grid,
          first: s.first && !rs.some((x) => x.status === 'fulfilled'),
          loading: false,
        };
      });
    });
  }, [enabled, r.tick, ids, grid.startMs, grid.endMs, step, o.exemplars]);

  useEffect(() => () => flight.current?.abort.abort(), []);
  return state;
}

/** Runs an async loader on every refresh (and when deps change); keeps the old value meanwhile. */
export function useLoad<T>(
  load: (signal: AbortSignal, r: ResolvedRange) => Promise<T>,
  deps: unknown[],
  enabled = true,
): { value: T | undefined; error: Error | undefined; loading: boolean } {
  const r = useRange();
  const [state, set] = useState<{ value: T | undefined; error: Error | undefined; loading: boolean }>({
    value: undefined,
    error: undefined,
    loading: true,
  });
  const last = useRef<{ deps: string; abort: AbortController; done: boolean } | null>(null);
  useEffect(() => {
    if (!enabled) return;
    const key = JSON.stringify(deps);
    const f = last.current;
    if (f && !f.done) {
      if (f.deps === key && !r.forced) return;
      f.abort.abort();
    }
    const mine = { deps: key, abort: new AbortController(), done: false };
    last.current = mine;
    load(mine.abort.signal, r)
      .then((value) => {
        if (!mine.abort.signal.aborted) set({ value, error: undefined, loading: false });
      })
      .catch((e: unknown) => {
        if (!mine.abort.signal.aborted && !isAbort(e)) set((s) => ({ value: s.value, error: e as Error, loading: false }));
      })
      .finally(() => {
        mine.done = true;
      });
  }, [enabled, r.tick, ...deps]);
  useEffect(() => () => last.current?.abort.abort(), []);
  return state;
}
