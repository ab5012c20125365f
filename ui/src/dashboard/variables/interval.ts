// Grafana's interval arithmetic: $__interval, the step of a query, $__rate_interval, $__range.

import { parseDuration } from '../../time/grammar';
import { MAX_POINTS } from '../../time/step';

const D = 86_400_000;
/** Below the first, snapped to the second. */
const SNAP: [number, number][] = [
  [10, 1], [15, 10], [35, 20], [75, 50], [150, 100], [350, 200], [750, 500], [1500, 1000], [3500, 2000],
  [7500, 5000], [12_500, 10_000], [17_500, 15_000], [25_000, 20_000], [45_000, 30_000], [90_000, 60_000],
  [210_000, 120_000], [450_000, 300_000], [750_000, 600_000], [1_050_000, 900_000], [1_500_000, 1_200_000],
  [2_700_000, 1_800_000], [5_400_000, 3_600_000], [9_000_000, 7_200_000], [16_200_000, 10_800_000],
  [32_400_000, 21_600_000], [D, 43_200_000], [7 * D, D], [21 * D, 7 * D], [42 * D, 30 * D],
];

/** A round interval near the given one. */
export function snap(ms: number): number {
  for (const [below, to] of SNAP) if (ms < below) return to;
  return 365 * D;
}

/** $__interval: the range over the points, snapped, not below the smallest interval. */
export function intervalMs(spanMs: number, maxDataPoints: number, minMs: number): number {
  return Math.max(snap(Math.round(spanMs / Math.max(1, maxDataPoints))), minMs);
}

/** Step of a query, such that a range never has more than Prometheus' 11,000 points. */
export function queryStepMs(interval: number, spanMs: number, factor = 1): number {
  return Math.max(interval * Math.max(factor, 1), spanMs / MAX_POINTS > interval ? snap(spanMs / MAX_POINTS) : 0, 1);
}

export function rateIntervalMs(interval: number, scrapeMs: number): number {
  return Math.max(interval + scrapeMs, 4 * scrapeMs);
}

/** "15s" of 15000: the largest unit that divides it, as Grafana writes intervals. */
export function intervalText(ms: number): string {
  for (const [unit, size] of [['y', 365 * D], ['w', 7 * D], ['d', D], ['h', 3_600_000], ['m', 60_000], ['s', 1000]] as const) {
    if (ms >= size && ms % size === 0) return `${ms / size}${unit}`;
  }
  return `${Math.max(1, Math.round(ms))}ms`;
}

/** A minimal interval as panels write it: "30s", ">1m", or a bare number of seconds. */
export function parseInterval(text: string | undefined | null): number | null {
  if (!text) return null;
  const t = text.trim().replace(/^>=?/, '');
  if (/^\d+(\.\d+)?$/.test(t)) return Number(t) * 1000;
  const m = /^(\d+(?:\.\d+)?)M$/.exec(t);
  return m ? Number(m[1]) * 30 * D : parseDuration(t);
}
