// How often the host's metrics are collected. Steps and rate windows follow it.

import { signal } from '@preact/signals';

export const scrapeMs = signal(10_000);

/** Median distance of raw samples, snapped to whole seconds; null when there are too few. */
export function medianGapMs(timesS: number[]): number | null {
  const gaps = timesS.slice(1).map((t, i) => t - timesS[i]!).filter((g) => g > 0);
  if (gaps.length < 2) return null;
  gaps.sort((a, b) => a - b);
  const m = gaps[Math.floor(gaps.length / 2)]!;
  return Math.min(Math.max(Math.round(m), 1), 300) * 1000;
}
