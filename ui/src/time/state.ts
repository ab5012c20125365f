// The one time range of the application, its refresh rate, and the resolved instants that every
// query on the page uses. A refresh resolves the range anew, so all panels share one "now".

import { computed, effect, signal, untracked } from '@preact/signals';
import { current, setParams } from '../shell/router';
import { safeGet, safeSet } from '../shell/theme';
import {
  isRelative,
  isZone,
  parseDuration,
  resolveRange,
  shiftRange,
  zoomRange,
  type QuickRange,
  type RawRange,
  type TimeRange,
  type Zone,
} from './grammar';

export const DEFAULT_RANGE: RawRange = { from: 'now-30m', to: 'now' };
export const DEFAULT_REFRESH = '10s';
export const REFRESH_CHOICES = ['', '5s', '10s', '30s', '1m', '5m', '15m', '30m', '1h'];
const ZONE_STORE = 'pharos.timezone';

/** What a dashboard brings with it, for where the address says nothing. */
export const defaultZone = signal('');
export const defaultRange = signal<RawRange | null>(null);
export const defaultRefresh = signal<string | null>(null);

/** What else a dashboard says of its times. */
export interface TimeRules {
  /** First month of the fiscal year, 0 = January. */
  fiscalStart: number;
  /** "now" is this far in the past, for data that comes late. */
  nowDelayMs: number;
  quickRanges: QuickRange[] | null;
  refreshChoices: string[] | null;
  /** The range cannot be changed. */
  hidden: boolean;
}

export const NO_RULES: TimeRules = { fiscalStart: 0, nowDelayMs: 0, quickRanges: null, refreshChoices: null, hidden: false };
export const timeRules = signal<TimeRules>(NO_RULES);

/** The present, the zone and the fiscal year that ranges on this page are read with. */
export function timeContext(): { nowMs: number; zone: Zone; fiscalStart: number } {
  const r = timeRules.peek();
  return { nowMs: Date.now() - r.nowDelayMs, zone: zone.peek(), fiscalStart: r.fiscalStart };
}

export const zone = computed<Zone>(() => {
  const z = current.value.params.get('timezone') ?? (defaultZone.value || safeGet(ZONE_STORE) || 'browser');
  if (z.toLowerCase() === 'utc') return 'utc';
  return z !== '' && isZone(z) ? z : 'browser';
});

function paramsRange(): RawRange {
  const p = current.value.params;
  const d = defaultRange.value ?? DEFAULT_RANGE;
  const raw = { from: p.get('from') ?? d.from, to: p.get('to') ?? d.to };
  const { fiscalStart, nowDelayMs } = timeRules.value;
  return resolveRange(raw, { nowMs: Date.now() - nowDelayMs, zone: zone.value, fiscalStart }) ? raw : DEFAULT_RANGE;
}

export const rawRange = signal<RawRange>(paramsRange());

/** Refresh interval as a duration text; '' is off. */
export const refresh = computed<string>(() => {
  const r = current.value.params.get('refresh');
  if (r === null) return defaultRefresh.value ?? DEFAULT_REFRESH;
  return r !== '' && parseDuration(r) !== null ? r : '';
});

export interface ResolvedRange extends TimeRange {
  /** Grows with every refresh. */
  tick: number;
  /** The reader asked for this refresh: fetch everything anew. */
  forced: boolean;
}

function resolveNow(forced: boolean, tick: number): ResolvedRange {
  const r =
    resolveRange(rawRange.peek(), timeContext()) ??
    resolveRange(DEFAULT_RANGE, { nowMs: Date.now() })!;
  return { ...r, tick, forced };
}

export const range = signal<ResolvedRange>(resolveNow(false, 0));

/** Panes with a time of their own that moves on. */
export const movingScopes = signal(0);

/** How many queries are under way; the refresh button shows it. */
export const pending = signal(0);

export function refreshNow(forced = true): void {
  range.value = resolveNow(forced, range.peek().tick + 1);
}

export function setRange(raw: RawRange, push = true): void {
  if (!resolveRange(raw, timeContext())) return;
  const same = raw.from === rawRange.peek().from && raw.to === rawRange.peek().to;
  rawRange.value = raw;
  if (!same) setParams({ from: raw.from, to: raw.to }, push);
  refreshNow(false);
}

export function setAbsolute(fromMs: number, toMs: number): void {
  setRange({ from: String(Math.round(fromMs)), to: String(Math.round(toMs)) });
}

export function setRefresh(text: string): void {
  setParams({ refresh: text });
}

export function setZone(z: Zone): void {
  safeSet(ZONE_STORE, z === 'browser' ? null : z);
  setParams({ timezone: z === 'browser' && defaultZone.peek() === '' ? null : z });
  // Without a parameter the choice lives in storage only, which no signal watches.
  current.value = { ...current.value };
  refreshNow(false);
}

export function zoomOut(): void {
  const r = zoomRange(range.peek(), 2, Date.now());
  setAbsolute(r.fromMs, r.toMs);
}

export function shift(fraction: number): void {
  const r = shiftRange(range.peek(), fraction, Date.now());
  setAbsolute(r.fromMs, r.toMs);
}

export function makeAbsolute(): void {
  const r = range.peek();
  setAbsolute(r.fromMs, r.toMs);
}

// Back and forward change the address without going through setRange().
effect(() => {
  const next = paramsRange();
  const now = untracked(() => rawRange.value);
  if (next.from !== now.from || next.to !== now.to) {
    untracked(() => {
      rawRange.value = next;
      refreshNow(false);
    });
  }
});

// The refresh timer. It rests while nobody looks and catches up on return; a range that does not
// end in the present cannot change, so it is not fetched again.
let timer = 0;
let lastMs = Date.now();

function schedule(): void {
  clearTimeout(timer);
  const every = parseDuration(refresh.peek());
  if (every === null || every < 1000) return;
  const due = Math.max(0, lastMs + every - Date.now());
  timer = window.setTimeout(() => {
    if (document.hidden) return;
    lastMs = Date.now();
    if (movingScopes.peek() > 0 || isRelative(rawRange.peek().to) || isRelative(rawRange.peek().from)) refreshNow(false);
    schedule();
  }, due);
}

effect(() => {
  void refresh.value;
  void rawRange.value;
  lastMs = Date.now();
  schedule();
});
document.addEventListener('visibilitychange', () => {
  if (!document.hidden) schedule();
});
