// Whose time a drawing shows and changes: the page's, or that of a pane that was set apart from it.

import { computed, effect, signal, untracked, type ReadonlySignal } from '@preact/signals';
import { createContext } from 'preact';
import { useContext, useEffect, useMemo } from 'preact/hooks';
import { isRelative, resolveRange, shiftRange, zoomRange, type RawRange } from './grammar';
import { movingScopes, range, rawRange, setRange, timeContext, zone, type ResolvedRange } from './state';

export interface TimeScope {
  raw: ReadonlySignal<RawRange>;
  range: ReadonlySignal<ResolvedRange>;
  set: (raw: RawRange) => void;
}

export const pageTime: TimeScope = { raw: rawRange, range, set: setRange };
export const TimeContext = createContext<TimeScope>(pageTime);
export const useTime = (): TimeScope => useContext(TimeContext);

export function setInstants(t: TimeScope, fromMs: number, toMs: number): void {
  t.set({ from: String(Math.round(fromMs)), to: String(Math.round(toMs)) });
}

export function zoomOutIn(t: TimeScope): void {
  const r = zoomRange(t.range.peek(), 2, Date.now());
  setInstants(t, r.fromMs, r.toMs);
}

export function shiftIn(t: TimeScope, fraction: number): void {
  const r = shiftRange(t.range.peek(), fraction, Date.now());
  setInstants(t, r.fromMs, r.toMs);
}

/** A time of its own while `raw` is given, and the page's otherwise. It is read anew with every refresh of the page. */
export function useOwnTime(raw: RawRange | undefined, change: (raw: RawRange) => void): TimeScope {
  const text = raw ? JSON.stringify([raw.from, raw.to]) : '';
  const made = useMemo(() => (raw ? ownTime(raw) : null), [raw !== undefined]);
  if (made) made.latest.change = change;
  useEffect(() => {
    if (!made || !raw) return;
    made.moveTo(raw);
    if (!isRelative(raw.from) && !isRelative(raw.to)) return;
    movingScopes.value++;
    return () => void movingScopes.value--;
  }, [made, text]);
  return made?.scope ?? pageTime;
}

function ownTime(first: RawRange) {
  const raw = signal(first);
  const moves = signal(0);
  const latest = { change: (_: RawRange) => {} };
  const own = computed<ResolvedRange>(() => {
    const page = range.value;
    void zone.value;
    const r = resolveRange(raw.value, timeContext()) ?? page;
    return { fromMs: r.fromMs, toMs: r.toMs, tick: page.tick + moves.value, forced: page.forced };
  });
  const moveTo = (next: RawRange) => {
    if (next.from === raw.peek().from && next.to === raw.peek().to) return;
    moves.value++;
    raw.value = next;
  };
  const set = (next: RawRange) => {
    if (!resolveRange(next, timeContext())) return;
    moveTo(next);
    latest.change(next);
  };
  const scope: TimeScope = { raw, range: own, set };
  return { scope, moveTo, latest };
}

/** Calls back with the scope's range now and whenever it changes; gives the function that stops it. */
export function followRange(t: TimeScope, on: (r: ResolvedRange) => void): () => void {
  return effect(() => {
    const r = t.range.value;
    untracked(() => on(r));
  });
}
