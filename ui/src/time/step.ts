// Step and interval arithmetic for range queries.

/** What Prometheus refuses to exceed in one range query. */
export const MAX_POINTS = 11_000;

// Steps a person can read off an axis, in milliseconds.
const NICE_MS = [
  1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 15_000, 20_000, 30_000, 60_000,
  120_000, 300_000, 600_000, 900_000, 1_200_000, 1_800_000, 3_600_000, 7_200_000, 10_800_000,
  21_600_000, 43_200_000, 86_400_000, 172_800_000, 604_800_000, 2_592_000_000, 31_536_000_000,
];

/** The smallest nice step that is not below ms. */
export function niceStep(ms: number): number {
  for (const n of NICE_MS) if (n >= ms) return n;
  return NICE_MS[NICE_MS.length - 1]!;
}

/**
 * Step of a range query: at most `maxPoints` points, never finer than the interval the data is
 * collected at, never more than Prometheus' 11,000 points.
 */
export function stepFor(spanMs: number, maxPoints: number, minMs: number): number {
  const points = Math.max(2, Math.min(maxPoints, MAX_POINTS - 1));
  const raw = spanMs / points;
  if (raw <= minMs) return Math.max(minMs, 1);
  return Math.max(niceStep(raw), minMs);
}

/** The window rate() needs so that it always holds two samples: Grafana's $__rate_interval. */
export function rateWindow(stepMs: number, scrapeMs: number): number {
  return Math.max(stepMs + scrapeMs, 4 * scrapeMs);
}

export interface Grid {
  /** First and last point in milliseconds, both multiples of the step. */
  startMs: number;
  endMs: number;
  stepMs: number;
  count: number;
}

/** Aligns a range to multiples of the step, so that neighbouring refreshes share their points. */
export function gridFor(fromMs: number, toMs: number, stepMs: number): Grid {
  const startMs = Math.ceil(fromMs / stepMs) * stepMs;
  const endMs = Math.max(startMs, Math.floor(toMs / stepMs) * stepMs);
  return { startMs, endMs, stepMs, count: Math.round((endMs - startMs) / stepMs) + 1 };
}
