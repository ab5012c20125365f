// Numbers as people read them. Unit ids are Grafana's (bytes, Bps, bps, percent, percentunit, s,
// ms, short, …); an unknown id is shown as a suffix.

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

function scale(v: number, base: number, names: string[], decimals?: number): Scaled {
  let i = 0;
  let x = v;
  // 999.95 would otherwise be printed as 1000 of the smaller unit.
  while (Math.abs(x) >= base * 0.9995 && i < names.length - 1) {
    x /= base;
    i++;
  }
  return { text: digits(x, decimals), suffix: names[i]! };
}

const IEC = ['', 'Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei'];
const SI = ['', 'k', 'M', 'G', 'T', 'P', 'E'];
const with_ = (prefixes: string[], unit: string) => prefixes.map((p) => p + unit);

const SCALES: Record<string, [number, string[]]> = {
  bytes: [1024, with_(IEC, 'B')],
  bits: [1024, with_(IEC, 'b')],
  binBps: [1024, with_(IEC, 'B/s')],
  binbps: [1024, with_(IEC, 'b/s')],
  decbytes: [1000, with_(SI, 'B')],
  decbits: [1000, with_(SI, 'b')],
  Bps: [1000, with_(SI, 'B/s')],
  bps: [1000, with_(SI, 'b/s')],
  short: [1000, ['', ' K', ' Mil', ' Bil', ' Tri', ' Quadr', ' Quint']],
  sishort: [1000, SI],
  hertz: [1000, with_(SI, 'Hz')],
  watt: [1000, with_(SI, 'W')],
  volt: [1000, with_(SI, 'V')],
  amp: [1000, with_(SI, 'A')],
  ops: [1000, with_(['', 'K', 'M', 'G'], ' ops/s')],
  reqps: [1000, with_(['', 'K', 'M', 'G'], ' req/s')],
  rps: [1000, with_(['', 'K', 'M', 'G'], ' rd/s')],
  wps: [1000, with_(['', 'K', 'M', 'G'], ' wr/s')],
  iops: [1000, with_(['', 'K', 'M', 'G'], ' io/s')],
  pps: [1000, with_(['', 'k', 'M', 'G'], ' p/s')],
  cps: [1000, with_(['', 'k', 'M', 'G'], '/s')],
  eps: [1000, with_(['', 'K', 'M', 'G'], ' evt/s')],
};

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
    const r = scale(v, sc[0], sc[1], decimals);
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
    default:
      if (unit.startsWith('suffix:')) return { text: plain(v, decimals), suffix: unit.slice(7) };
      if (unit.startsWith('prefix:')) return { text: unit.slice(7) + plain(v, decimals), suffix: '' };
      return { text: plain(v, decimals), suffix: ` ${unit}` };
  }
}

function percentDecimals(v: number): number {
  const a = Math.abs(v);
  return a === 0 || a >= 99.95 ? 0 : a < 0.1 ? 2 : 1;
}

function plain(v: number, decimals?: number): string {
  if (decimals !== undefined) return v.toFixed(decimals);
  const a = Math.abs(v);
  if (a >= 1e15 || (a > 0 && a < 1e-4)) return v.toExponential(2);
  return Number.isInteger(v) ? String(v) : String(Number(v.toPrecision(a >= 1 ? 6 : 4)));
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
    let i = 0;
    let f = 1;
    while (max / f >= sc[0] && i < sc[1].length - 1) {
      f *= sc[0];
      i++;
    }
    const name = sc[1][i]!;
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
