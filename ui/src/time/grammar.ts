// Grafana's time range grammar: `now` with chained offsets and roundings (now-6h, now/d,
// now-1d/d, now/fQ, now-5m+30s), epoch milliseconds, ISO instants, and `ISO||math`.
// Everything is resolved to epoch milliseconds against an explicit `now` and zone, so that the
// functions are pure.

/** 'browser', 'utc', or a name of the IANA database (Europe/Berlin). */
export type Zone = string;

export interface RawRange {
  from: string;
  to: string;
}

export interface TimeRange {
  fromMs: number;
  toMs: number;
}

export interface ParseOptions {
  nowMs: number;
  zone?: Zone;
  /** Round up with `/unit` to the last millisecond of the unit: what the end of a range does. */
  roundUp?: boolean;
  /** First month of the fiscal year, 0 = January. */
  fiscalStart?: number;
}

const MAX_DIGITS = 5;
const UNITS = ['fQ', 'fy', 's', 'm', 'h', 'd', 'w', 'M', 'Q', 'y'] as const;
type Unit = (typeof UNITS)[number];

interface Fields {
  y: number;
  mo: number;
  d: number;
  h: number;
  mi: number;
  s: number;
  ms: number;
}

const formatters = new Map<string, Intl.DateTimeFormat>();

function formatter(zone: Zone): Intl.DateTimeFormat {
  let f = formatters.get(zone);
  if (!f) {
    f = new Intl.DateTimeFormat('en-US', {
      timeZone: zone,
      hourCycle: 'h23',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
    });
    formatters.set(zone, f);
  }
  return f;
}

/** Whether the zone is one this browser knows. */
export function isZone(zone: string): boolean {
  if (zone === 'browser' || zone === 'utc') return true;
  try {
    formatter(zone);
    return true;
  } catch {
    return false;
  }
}

/** A date whose local fields are those of the instant in the zone. */
export function dateInZone(ms: number, zone: Zone): Date {
  const f = toFields(ms, zone);
  return new Date(f.y, f.mo, f.d, f.h, f.mi, f.s, f.ms);
}

function toFields(ms: number, zone: Zone): Fields {
  const t = new Date(ms);
  if (zone === 'utc') {
    return {
      y: t.getUTCFullYear(),
      mo: t.getUTCMonth(),
      d: t.getUTCDate(),
      h: t.getUTCHours(),
      mi: t.getUTCMinutes(),
      s: t.getUTCSeconds(),
      ms: t.getUTCMilliseconds(),
    };
  }
  if (zone === 'browser') {
    return {
      y: t.getFullYear(),
      mo: t.getMonth(),
      d: t.getDate(),
      h: t.getHours(),
      mi: t.getMinutes(),
      s: t.getSeconds(),
      ms: t.getMilliseconds(),
    };
  }
  const p: Record<string, number> = {};
  for (const x of formatter(zone).formatToParts(t)) if (x.type !== 'literal') p[x.type] = Number(x.value);
  return { y: p['year']!, mo: p['month']! - 1, d: p['day']!, h: p['hour']!, mi: p['minute']!, s: p['second']!, ms: ((ms % 1000) + 1000) % 1000 };
}

function fromFields(f: Fields, zone: Zone): number {
  const t = new Date(0);
  if (zone === 'browser') {
    t.setFullYear(f.y, f.mo, f.d);
    t.setHours(f.h, f.mi, f.s, f.ms);
    return t.getTime();
  }
  t.setUTCFullYear(f.y, f.mo, f.d);
  t.setUTCHours(f.h, f.mi, f.s, f.ms);
  const wall = t.getTime();
  if (zone === 'utc') return wall;
  // The zone's distance from UTC at that time; twice, because the first guess may lie on the other
  // side of a change of the clock.
  const offset = (at: number) => fromFields(toFields(at, zone), 'utc') - at;
  return wall - offset(wall - offset(wall));
}

/** Adds n units; months and years clamp to the last day of the target month. */
function add(ms: number, n: number, unit: Unit, zone: Zone): number {
  switch (unit) {
    case 's':
      return ms + n * 1000;
    case 'm':
      return ms + n * 60_000;
    case 'h':
      return ms + n * 3_600_000;
    case 'd':
    case 'w': {
      const f = toFields(ms, zone);
      f.d += n * (unit === 'w' ? 7 : 1);
      return fromFields(f, zone);
    }
    default: {
      const months = unit === 'M' ? 1 : unit === 'Q' || unit === 'fQ' ? 3 : 12;
      const f = toFields(ms, zone);
      const total = f.y * 12 + f.mo + n * months;
      f.y = Math.floor(total / 12);
      f.mo = total - f.y * 12;
      f.d = Math.min(f.d, new Date(Date.UTC(f.y, f.mo + 1, 0)).getUTCDate());
      return fromFields(f, zone);
    }
  }
}

function startOf(ms: number, unit: Unit, zone: Zone, fiscalStart: number): number {
  const f = toFields(ms, zone);
  f.ms = 0;
  if (unit === 's') return fromFields(f, zone);
  f.s = 0;
  if (unit === 'm') return fromFields(f, zone);
  f.mi = 0;
  if (unit === 'h') return fromFields(f, zone);
  f.h = 0;
  if (unit === 'd') return fromFields(f, zone);
  if (unit === 'w') {
    // Weeks start on Monday (ISO 8601).
    const day = new Date(Date.UTC(f.y, f.mo, f.d)).getUTCDay();
    f.d -= (day + 6) % 7;
    return fromFields(f, zone);
  }
  f.d = 1;
  if (unit === 'Q') f.mo -= f.mo % 3;
  if (unit === 'y') f.mo = 0;
  if (unit === 'fQ') f.mo -= (f.mo - (fiscalStart % 3) + 3) % 3;
  if (unit === 'fy') f.mo -= (f.mo - fiscalStart + 12) % 12;
  return fromFields(f, zone);
}

function applyMath(ms: number, math: string, o: ParseOptions): number | null {
  const zone = o.zone ?? 'browser';
  let i = 0;
  while (i < math.length) {
    const op = math[i++]!;
    if (op === ' ') continue;
    if (op !== '+' && op !== '-' && op !== '/') return null;
    let digits = '';
    while (i < math.length && math[i]! >= '0' && math[i]! <= '9') digits += math[i++];
    if (digits.length > MAX_DIGITS) return null;
    const unit = UNITS.find((u) => math.startsWith(u, i));
    if (!unit) return null;
    i += unit.length;
    const n = digits === '' ? 1 : Number(digits);
    if (op === '/') {
      if (n !== 1) return null;
      const start = startOf(ms, unit, zone, o.fiscalStart ?? 0);
      ms = o.roundUp ? add(start, 1, unit, zone) - 1 : start;
    } else {
      ms = add(ms, op === '+' ? n : -n, unit, zone);
    }
  }
  return ms;
}

function parseInstant(text: string, zone: Zone): number | null {
  if (/^-?\d{1,17}$/.test(text)) return Number(text);
  const m =
    /^(\d{4})-(\d{2})(?:-(\d{2}))?(?:[T ](\d{2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?)?\s*(Z|[+-]\d{2}:?\d{2})?$/i.exec(
      text,
    );
  if (!m) return null;
  const f: Fields = {
    y: Number(m[1]),
    mo: Number(m[2]) - 1,
    d: Number(m[3] ?? 1),
    h: Number(m[4] ?? 0),
    mi: Number(m[5] ?? 0),
    s: Number(m[6] ?? 0),
    ms: Number((m[7] ?? '').slice(0, 3).padEnd(3, '0')),
  };
  if (f.mo > 11 || f.d < 1 || f.d > 31 || f.h > 24 || f.mi > 59 || f.s > 60) return null;
  const off = m[8];
  if (!off) return fromFields(f, zone);
  const utc = fromFields(f, 'utc');
  if (off.toUpperCase() === 'Z') return utc;
  const minutes = Number(off.slice(1, 3)) * 60 + Number(off.slice(-2));
  return utc - (off[0] === '-' ? -1 : 1) * minutes * 60_000;
}

/** Resolves one end of a range to epoch milliseconds; null when the text is not in the grammar. */
export function parseTime(text: string, o: ParseOptions): number | null {
  const t = text.trim();
  const zone = o.zone ?? 'browser';
  let base: number | null;
  let math: string;
  if (t.startsWith('now')) {
    base = o.nowMs;
    math = t.slice(3);
  } else {
    const bar = t.indexOf('||');
    base = parseInstant(bar < 0 ? t : t.slice(0, bar), zone);
    math = bar < 0 ? '' : t.slice(bar + 2);
  }
  if (base === null || !Number.isFinite(base)) return null;
  const ms = applyMath(base, math, { ...o, zone });
  return ms === null || Number.isNaN(ms) ? null : ms;
}

export function isRelative(text: string): boolean {
  return text.trim().startsWith('now');
}

/** Why a range cannot be used, or null. */
export function rangeProblem(raw: RawRange, o: ParseOptions): string | null {
  const hint = 'Use now-6h, now/d, 2026-01-31 08:00:00 or epoch milliseconds.';
  const from = parseTime(raw.from, { ...o, roundUp: false });
  if (from === null) return `“${raw.from}” is not a time. ${hint}`;
  const to = parseTime(raw.to, { ...o, roundUp: true });
  if (to === null) return `“${raw.to}” is not a time. ${hint}`;
  if (from >= to) return 'The range ends before it starts.';
  return null;
}

/** Resolves a range; null when either end is not in the grammar or the range is empty. */
export function resolveRange(raw: RawRange, o: ParseOptions): TimeRange | null {
  const fromMs = parseTime(raw.from, { ...o, roundUp: false });
  const toMs = parseTime(raw.to, { ...o, roundUp: true });
  if (fromMs === null || toMs === null || fromMs >= toMs) return null;
  return { fromMs, toMs };
}

export interface QuickRange extends RawRange {
  label: string;
}

export const QUICK_RANGES: QuickRange[] = [
  { label: 'Last 5 minutes', from: 'now-5m', to: 'now' },
  { label: 'Last 15 minutes', from: 'now-15m', to: 'now' },
  { label: 'Last 30 minutes', from: 'now-30m', to: 'now' },
  { label: 'Last 1 hour', from: 'now-1h', to: 'now' },
  { label: 'Last 3 hours', from: 'now-3h', to: 'now' },
  { label: 'Last 6 hours', from: 'now-6h', to: 'now' },
  { label: 'Last 12 hours', from: 'now-12h', to: 'now' },
  { label: 'Last 24 hours', from: 'now-24h', to: 'now' },
  { label: 'Last 2 days', from: 'now-2d', to: 'now' },
  { label: 'Last 7 days', from: 'now-7d', to: 'now' },
  { label: 'Last 30 days', from: 'now-30d', to: 'now' },
  { label: 'Last 90 days', from: 'now-90d', to: 'now' },
  { label: 'Last 6 months', from: 'now-6M', to: 'now' },
  { label: 'Last 1 year', from: 'now-1y', to: 'now' },
  { label: 'Last 2 years', from: 'now-2y', to: 'now' },
  { label: 'Last 5 years', from: 'now-5y', to: 'now' },
  { label: 'Today', from: 'now/d', to: 'now/d' },
  { label: 'Today so far', from: 'now/d', to: 'now' },
  { label: 'Yesterday', from: 'now-1d/d', to: 'now-1d/d' },
  { label: 'Day before yesterday', from: 'now-2d/d', to: 'now-2d/d' },
  { label: 'This day last week', from: 'now-7d/d', to: 'now-7d/d' },
  { label: 'This week', from: 'now/w', to: 'now/w' },
  { label: 'This week so far', from: 'now/w', to: 'now' },
  { label: 'Previous week', from: 'now-1w/w', to: 'now-1w/w' },
  { label: 'This month', from: 'now/M', to: 'now/M' },
  { label: 'This month so far', from: 'now/M', to: 'now' },
  { label: 'Previous month', from: 'now-1M/M', to: 'now-1M/M' },
  { label: 'This year', from: 'now/y', to: 'now/y' },
  { label: 'This year so far', from: 'now/y', to: 'now' },
  { label: 'Previous year', from: 'now-1y/y', to: 'now-1y/y' },
];

const UNIT_NAMES: Record<string, string> = {
  s: 'second',
  m: 'minute',
  h: 'hour',
  d: 'day',
  w: 'week',
  M: 'month',
  Q: 'quarter',
  y: 'year',
};

/** "2026-01-31 08:00:00" in the zone; milliseconds only when there are any. */
export function formatInstant(ms: number, zone: Zone): string {
  const f = toFields(ms, zone);
  const p = (n: number, w = 2) => String(n).padStart(w, '0');
  const base = `${p(f.y, 4)}-${p(f.mo + 1)}-${p(f.d)} ${p(f.h)}:${p(f.mi)}:${p(f.s)}`;
  return f.ms ? `${base}.${p(f.ms, 3)}` : base;
}

/** How a person would name the range: "Last 6 hours", "Yesterday", or the two instants. */
export function describeRange(raw: RawRange, o: ParseOptions): string {
  const quick = QUICK_RANGES.find((q) => q.from === raw.from && q.to === raw.to);
  if (quick) return quick.label;
  const m = /^now-(\d{1,5})([smhdwMQy])$/.exec(raw.from);
  if (m && raw.to === 'now') {
    const n = Number(m[1]);
    return `Last ${n} ${UNIT_NAMES[m[2]!]}${n === 1 ? '' : 's'}`;
  }
  const one = (text: string, roundUp: boolean) => {
    if (isRelative(text)) return text;
    const ms = parseTime(text, { ...o, roundUp });
    return ms === null ? text : formatInstant(ms, o.zone ?? 'browser');
  };
  const from = one(raw.from, false);
  const to = one(raw.to, true);
  // The same day is not said twice.
  if (from.length >= 19 && to.length >= 19 && from.slice(0, 10) === to.slice(0, 10)) {
    return `${from} to ${to.slice(11)}`;
  }
  return `${from} to ${to}`;
}

/** Moves a range by a fraction of its span (Grafana's half-span shift is ±0.5). */
export function shiftRange(r: TimeRange, fraction: number, nowMs: number): TimeRange {
  const span = r.toMs - r.fromMs;
  const by = Math.round(span * fraction);
  let toMs = r.toMs + by;
  if (fraction > 0 && toMs > nowMs) toMs = Math.max(r.toMs, nowMs);
  return { fromMs: toMs - span, toMs };
}

/** Widens a range around its middle; does not reach further into the future than now. */
export function zoomRange(r: TimeRange, factor: number, nowMs: number): TimeRange {
  const span = Math.max(r.toMs - r.fromMs, 1000);
  const mid = r.fromMs + span / 2;
  let toMs = Math.round(mid + (span * factor) / 2);
  if (toMs > nowMs && r.toMs <= nowMs + 1000) toMs = nowMs;
  return { fromMs: Math.round(toMs - span * factor), toMs };
}

/** "10s", "1m30s", "2h" to milliseconds; null when it is not a duration. */
export function parseDuration(text: string): number | null {
  const t = text.trim();
  if (t === '' || !/^(\d+(?:\.\d+)?(ms|s|m|h|d|w|y))+$/.test(t)) return null;
  const size: Record<string, number> = {
    ms: 1,
    s: 1000,
    m: 60_000,
    h: 3_600_000,
    d: 86_400_000,
    w: 604_800_000,
    y: 31_536_000_000,
  };
  let total = 0;
  for (const m of t.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h|d|w|y)/g)) total += Number(m[1]) * size[m[2]!]!;
  return total;
}

/** Milliseconds as the shortest exact duration: 90000 → "1m30s". */
export function formatDuration(ms: number): string {
  if (ms <= 0) return '0s';
  let out = '';
  for (const [unit, size] of [
    ['d', 86_400_000],
    ['h', 3_600_000],
    ['m', 60_000],
    ['s', 1000],
    ['ms', 1],
  ] as const) {
    const n = Math.floor(ms / size);
    if (n > 0) {
      out += `${n}${unit}`;
      ms -= n * size;
    }
  }
  return out;
}
