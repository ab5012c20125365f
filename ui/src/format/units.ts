// Numbers as people read them. Unit ids are Grafana's (bytes, Bps, bps, percent, percentunit, s,
// ms, short, …); an unknown id is shown as a suffix.

import { CURRENCIES, PLAIN, SCALES } from './unit_table';

export type Unit = string;

interface Scaled {
  text: string;
  suffix: string;
}

/** Rounds to about three significant digits without turning 1234 into 1230. */
export function digits(v: number, decimals?: number): string {
  if (decimals !== undefined) return v.toFixed(decimals);
  const a = Math.abs(v);
  if (a === 0) return '0';
  if (a >= 100) return v.toFixed(0);
  if (a >= 10) return trim(v.toFixed(1));
  if (a >= 1) return trim(v.toFixed(2));
  if (a >= 0.001) return trim(v.toFixed(3));
  return v.toExponential(1);
}

function trim(t: string): string {
  return t.includes('.') ? t.replace(/0+$/, '').replace(/\.$/, '') : t;
}

function scale(v: number, base: number, names: string[], first: number, decimals?: number): Scaled {
  let i = first;
  let x = v;
  while (x !== 0 && Math.abs(x) < 1 && i > 0) {
    x *= base;
    i--;
  }
  // 999.95 would otherwise be printed as 1000 of the smaller unit.
  while (Math.abs(x) >= base * 0.9995 && i < names.length - 1) {
    x /= base;
    i++;
  }
  return { text: digits(x, decimals), suffix: names[i]! };
}

const TIME_STEPS: [number, string][] = [
  [1e-9, 'ns'],
  [1e-6, 'µs'],
  [1e-3, 'ms'],
  [1, 's'],
  [60, 'min'],
  [3600, 'hour'],
  [86_400, 'day'],
  [604_800, 'week'],
  [31_536_000, 'year'],
];

function scaleTime(seconds: number, decimals?: number): Scaled {
  const a = Math.abs(seconds);
  if (a === 0) return { text: '0', suffix: ' s' };
  let pick = TIME_STEPS[0]!;
  for (const s of TIME_STEPS) if (a >= s[0] * 0.9995) pick = s;
  const n = seconds / pick[0];
  const text = digits(n, decimals);
  const long = pick[0] >= 3600;
  return { text, suffix: ` ${pick[1]}${long && text !== '1' ? 's' : ''}` };
}

const TIME_UNITS: Record<string, number> = { ns: 1e-9, µs: 1e-6, us: 1e-6, ms: 1e-3, s: 1, m: 60, h: 3600, d: 86_400 };

/** A duration in seconds as its two largest parts: 93784 → "1d 2h". */
export function formatSpan(seconds: number): string {
  if (!Number.isFinite(seconds)) return '–';
  const neg = seconds < 0 ? '-' : '';
  let s = Math.abs(seconds);
  if (s < 1) return `${neg}${digits(s * 1000)} ms`;
  if (s < 60) return `${neg}${digits(s)} s`;
  s = Math.round(s);
  const parts: [number, string][] = [
    [86_400, 'd'],
    [3600, 'h'],
    [60, 'm'],
    [1, 's'],
  ];
  const out: string[] = [];
  for (const [size, name] of parts) {
    const n = Math.floor(s / size);
    s -= n * size;
    if (n > 0) out.push(`${n}${name}`);
    else if (out.length > 0) break;
    if (out.length === 2) break;
  }
  return neg + out.join(' ');
}

function scaled(v: number, unit: Unit, decimals?: number): Scaled {
  const sc = SCALES[unit];
  if (sc) {
    const r = scale(v, sc.base, sc.names, sc.first, decimals);
    const space = r.suffix === '' || r.suffix.startsWith(' ') || r.suffix.startsWith('/');
    return space ? r : { text: r.text, suffix: ` ${r.suffix}` };
  }
  const t = TIME_UNITS[unit];
  if (t !== undefined) return scaleTime(v * t, decimals);
  switch (unit) {
    case '':
    case 'none':
      return { text: plain(v, decimals), suffix: '' };
    case 'percent':
      return { text: digits(v, decimals ?? percentDecimals(v)), suffix: '%' };
    case 'percentunit':
      return { text: digits(v * 100, decimals ?? percentDecimals(v * 100)), suffix: '%' };
    case 'celsius':
      return { text: digits(v, decimals ?? 1), suffix: ' °C' };
    case 'dtdurations':
      return { text: formatSpan(v), suffix: '' };
    case 'dtdurationms':
      return { text: formatSpan(v / 1000), suffix: '' };
    case 'bool':
      return { text: v ? 'True' : 'False', suffix: '' };
    case 'bool_yes_no':
      return { text: v ? 'Yes' : 'No', suffix: '' };
    case 'bool_on_off':
      return { text: v ? 'On' : 'Off', suffix: '' };
    case 'locale':
      return { text: v.toLocaleString('en', { maximumFractionDigits: decimals ?? 3 }), suffix: '' };
    case 'bool_1_0':
      return { text: v ? '1' : '0', suffix: '' };
    case 'dthms':
    case 'dtdhms':
      return { text: clock(v, unit === 'dtdhms'), suffix: '' };
    case 'clockms':
    case 'clocks':
      return { text: formatSpan(unit === 'clockms' ? v / 1000 : v), suffix: '' };
    case 'timeticks':
      return scaleTime(v / 100, decimals);
    case 'sci':
      return { text: v.toExponential(decimals), suffix: '' };
    case 'hex':
    case 'hex0x':
      return { text: (unit === 'hex0x' ? '0x' : '') + Math.round(v).toString(16).toUpperCase(), suffix: '' };
    case 'string':
      return { text: String(v), suffix: '' };
    case 'dateTimeFromNow':
      return { text: formatAgo(v, Date.now()), suffix: '' };
    case 'dateTimeAsIso':
    case 'dateTimeAsIsoNoDateIfToday':
    case 'dateTimeAsSystem':
    case 'dateTimeAsLocal':
    case 'dateTimeAsLocalNoDateIfToday':
    case 'dateTimeAsUS':
    case 'dateTimeAsUSNoDateIfToday':
      return { text: dateText(v, unit.endsWith('NoDateIfToday')), suffix: '' };
    default:
      if (PLAIN[unit] !== undefined) return { text: plain(v, decimals), suffix: PLAIN[unit]! };
      if (CURRENCIES[unit] !== undefined) return money(v, CURRENCIES[unit]!, decimals);
      if (unit.startsWith('currency:')) return money(v, unit.slice(9), decimals);
      if (unit.startsWith('time:')) return { text: dateText(v, false), suffix: '' };
      if (unit.startsWith('si:')) return siText(v, unit.slice(3), decimals);
      if (unit.startsWith('count:')) {
        const r = scale(v, 1000, SCALES['short']!.names, 0, decimals);
        return { text: r.text, suffix: `${r.suffix} ${unit.slice(6)}` };
      }
      if (unit.startsWith('suffix:')) return { text: plain(v, decimals), suffix: unit.slice(7) };
      if (unit.startsWith('prefix:')) return { text: unit.slice(7) + plain(v, decimals), suffix: '' };
      return { text: plain(v, decimals), suffix: ` ${unit}` };
  }
}

/** Seconds as hours, minutes, seconds (and days in front). */
function clock(v: number, days: boolean): string {
  const p = (n: number) => String(n).padStart(2, '0');
  let s = Math.round(Math.abs(v));
  const d = days ? Math.floor(s / 86_400) : 0;
  s -= d * 86_400;
  const hms = `${p(Math.floor(s / 3600))}:${p(Math.floor(s / 60) % 60)}:${p(s % 60)}`;
  return (v < 0 ? '-' : '') + (d ? `${d} d ${hms}` : hms);
}

function dateText(ms: number, shortToday: boolean): string {
  const t = new Date(ms);
  if (Number.isNaN(t.getTime())) return 'Invalid date';
  const p = (n: number) => String(n).padStart(2, '0');
  const time = `${p(t.getHours())}:${p(t.getMinutes())}:${p(t.getSeconds())}`;
  if (shortToday && new Date().toDateString() === t.toDateString()) return time;
  return `${t.getFullYear()}-${p(t.getMonth() + 1)}-${p(t.getDate())} ${time}`;
}

function money(v: number, sign: string, decimals?: number): Scaled {
  const r = scale(Math.abs(v), 1000, ['', 'K', 'M', 'B', 'T'], 0, decimals);
  return { text: (v < 0 ? '-' : '') + sign + r.text, suffix: r.suffix };
}

const SI_SCALES = ['f', 'p', 'n', 'µ', 'm', '', 'k', 'M', 'G', 'T', 'P'];

/** "si:mF" is a value in thousands of a farad, scaled to what reads well. */
function siText(v: number, unit: string, decimals?: number): Scaled {
  const at = unit.length > 1 ? SI_SCALES.indexOf(unit[0]!) : -1;
  const name = at >= 0 ? unit.slice(1) : unit;
  const r = scale(v, 1000, SI_SCALES.map((p) => ` ${p}${name}`), at >= 0 ? at : 5, decimals);
  return r;
}

function percentDecimals(v: number): number {
  const a = Math.abs(v);
  return a === 0 || a >= 99.95 ? 0 : a < 0.1 ? 2 : 1;
}

function plain(v: number, decimals?: number): string {
  if (decimals !== undefined) return v.toFixed(decimals);
  const a = Math.abs(v);
  if (a >= 1e15 || (a > 0 && a < 1e-4)) return v.toExponential(2);
  if (Number.isInteger(v)) return String(v);
  // Three digits that count, and never fewer than the whole number has: Grafana's own choice.
  return String(Number(v.toFixed(Math.max(0, 2 - Math.floor(Math.log10(a))))));
}

/** A value with its unit: format(1536, "bytes") → "1.5 KiB". */
export function format(v: number | null | undefined, unit: Unit = 'none', decimals?: number): string {
  if (v === null || v === undefined || Number.isNaN(v)) return '–';
  if (v === Infinity) return '+Inf';
  if (v === -Infinity) return '-Inf';
  const s = scaled(v, unit, decimals);
  return s.text + s.suffix;
}

/** The same in two parts, for tiles that print the unit smaller. */
export function formatParts(v: number | null | undefined, unit: Unit = 'none'): { value: string; unit: string } {
  if (v === null || v === undefined || !Number.isFinite(v)) return { value: '–', unit: '' };
  const s = scaled(v, unit);
  return { value: s.text, unit: s.suffix.trim() };
}

/** Labels of an axis: all ticks in the same scale and with just enough decimals to differ. */
export function formatTicks(ticks: number[], unit: Unit): string[] {
  const abs = ticks.map(Math.abs);
  const max = Math.max(...abs, 0);
  const gap = ticks.length > 1 ? Math.abs(ticks[1]! - ticks[0]!) : max;
  const decimalsFor = (factor: number) => {
    const g = gap / factor;
    if (!(g > 0)) return 0;
    for (let d = 0; d < 6; d++) {
      const r = g * 10 ** d;
      if (Math.abs(r - Math.round(r)) < 1e-6 * Math.max(1, r)) return d;
    }
    return Math.max(0, Math.min(6, Math.ceil(-Math.log10(g)) + 1));
  };
  const sc = SCALES[unit];
  if (sc) {
    let i = sc.first;
    let f = 1;
    while (max / f >= sc.base && i < sc.names.length - 1) {
      f *= sc.base;
      i++;
    }
    while (max > 0 && max / f < 1 && i > 0) {
      f /= sc.base;
      i--;
    }
    const name = sc.names[i]!;
    const sep = name === '' || name.startsWith(' ') || name.startsWith('/') ? '' : ' ';
    const d = Math.min(decimalsFor(f), 2);
    return ticks.map((t) => (t === 0 ? '0' : (t / f).toFixed(d) + sep + name));
  }
  const tu = TIME_UNITS[unit];
  if (tu !== undefined) {
    let pick = TIME_STEPS[0]!;
    for (const s of TIME_STEPS) if (max * tu >= s[0]) pick = s;
    const f = pick[0] / tu;
    const d = Math.min(decimalsFor(f), 3);
    return ticks.map((t) => (t === 0 ? '0' : `${(t / f).toFixed(d)} ${pick[1]}`));
  }
  if (unit === 'percent') return ticks.map((t) => `${t.toFixed(decimalsFor(1))}%`);
  if (unit === 'percentunit') return ticks.map((t) => `${(t * 100).toFixed(decimalsFor(0.01))}%`);
  if (unit === 'celsius') return ticks.map((t) => `${t.toFixed(decimalsFor(1))} °C`);
  if (unit === 'none' || unit === '') {
    if (max >= 1e5) return formatTicks(ticks, 'sishort');
    return ticks.map((t) => t.toFixed(decimalsFor(1)));
  }
  return ticks.map((t) => format(t, unit));
}

/** How long ago, in words short enough for a table. */
export function formatAgo(thenMs: number, nowMs: number): string {
  const s = (nowMs - thenMs) / 1000;
  if (!Number.isFinite(s) || thenMs <= 0) return 'never';
  if (s < -1) return `in ${formatSpan(-s)}`;
  return s < 1 ? 'just now' : `${formatSpan(Math.floor(s))} ago`;
}
