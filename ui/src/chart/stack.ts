// Turning series into what the canvas draws: cumulated stacks and mirrored halves.

export interface StackInput {
  values: (number | null)[];
  hidden?: boolean;
  /** Drawn below zero. */
  negate?: boolean;
}

/**
 * Cumulates the visible series in order; negated ones have a stack of their own below zero.
 * A series that has no value at a point keeps the height of the one below, so that the stack does
 * not fall apart; where no series has a value there is a gap.
 */
export function stackValues(series: StackInput[], count: number): (number | null)[][] {
  const any = new Array<boolean>(count).fill(false);
  for (const s of series) {
    if (s.hidden) continue;
    for (let i = 0; i < count; i++) if (s.values[i] !== null && s.values[i] !== undefined) any[i] = true;
  }
  const up = new Float64Array(count);
  const down = new Float64Array(count);
  return series.map((s) => {
    if (s.hidden) return new Array<number | null>(count).fill(null);
    const acc = s.negate ? down : up;
    const out = new Array<number | null>(count);
    for (let i = 0; i < count; i++) {
      const v = s.values[i] ?? 0;
      acc[i]! += s.negate ? -v : v;
      out[i] = any[i] ? acc[i]! : null;
    }
    return out;
  });
}

export function plainValues(series: StackInput[]): (number | null)[][] {
  return series.map((s) => (s.negate ? s.values.map((v) => (v === null ? null : -v)) : s.values));
}

/** Pairs [upper, lower] of stack neighbours (indexes into `series`), to fill the space between. */
export function stackBands(series: StackInput[]): [number, number][] {
  const out: [number, number][] = [];
  for (const negate of [false, true]) {
    let below = -1;
    series.forEach((s, i) => {
      if (s.hidden || (s.negate ?? false) !== negate) return;
      if (below >= 0) out.push([i, below]);
      below = i;
    });
  }
  return out;
}

export interface Stats {
  last: number | null;
  min: number | null;
  max: number | null;
  avg: number | null;
}

export function stats(values: (number | null)[]): Stats {
  let last: number | null = null;
  let min = Infinity;
  let max = -Infinity;
  let sum = 0;
  let n = 0;
  for (const v of values) {
    if (v === null) continue;
    last = v;
    if (v < min) min = v;
    if (v > max) max = v;
    sum += v;
    n++;
  }
  return n === 0 ? { last: null, min: null, max: null, avg: null } : { last, min, max, avg: sum / n };
}

/** The last value, but only when it is among the last few points: an ended series has no "now". */
export function lastRecent(values: (number | null)[], within = 3): number | null {
  for (let i = values.length - 1; i >= 0 && i >= values.length - within; i--) {
    if (values[i] !== null && values[i] !== undefined) return values[i]!;
  }
  return null;
}
