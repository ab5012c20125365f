import { describe, expect, it } from 'vitest';
import { formatDuration, parseDuration, parseTime, QUICK_RANGES, rangeProblem, resolveRange } from '../src/time/grammar';
import { gridFor, MAX_POINTS, niceStep, rateWindow, stepFor } from '../src/time/step';

const nowMs = Date.UTC(2026, 10, 24, 12, 34, 56, 789);
const utc = { nowMs, zone: 'utc' as const };

describe('time grammar', () => {
  it('reads what Grafana writes', () => {
    expect(parseTime('now', utc)).toBe(nowMs);
    expect(parseTime('now-6h', utc)).toBe(nowMs - 6 * 3600e3);
    expect(parseTime('now/d', utc)).toBe(Date.UTC(2026, 10, 24));
    expect(parseTime('now/d', { ...utc, roundUp: true })).toBe(Date.UTC(2026, 10, 25) - 1);
    expect(parseTime('now-1d/d', utc)).toBe(Date.UTC(2026, 10, 23));
    expect(parseTime('now-1M/M', utc)).toBe(Date.UTC(2026, 9, 1));
    expect(parseTime('1700000000000', utc)).toBe(1700000000000);
    expect(parseTime('2026-11-24T00:00:00Z', utc)).toBe(Date.UTC(2026, 10, 24));
  });
  it('chains, rounds and counts in every unit', () => {
    const at = (t: string, o: object = {}) => parseTime(t, { ...utc, ...o });
    const D = Date.UTC;
    expect(at('now-5m+30s')).toBe(nowMs - 270e3);
    expect(at('now-1d-2h')).toBe(nowMs - 26 * 3600e3);
    expect(at('now-1w')).toBe(nowMs - 7 * 86400e3);
    expect(at('now/h')).toBe(D(2026, 10, 24, 12));
    expect(at('now/m', { roundUp: true })).toBe(D(2026, 10, 24, 12, 35) - 1);
    expect(at('now/M')).toBe(D(2026, 10, 1));
    expect(at('now/M', { roundUp: true })).toBe(D(2026, 11, 1) - 1);
    expect(at('now/y')).toBe(D(2026, 0, 1));
    expect(at('now/Q')).toBe(D(2026, 9, 1));
    expect(at('now-1Q/Q')).toBe(D(2026, 6, 1));
    expect(at('now-1y')).toBe(D(2025, 10, 24, 12, 34, 56, 789));
    expect(at('now-1y/y+1d')).toBe(D(2025, 0, 2));
    expect(at('2026-11-24T10:00:00Z||-1h')).toBe(D(2026, 10, 24, 9));
    expect(at('2026-11-24T10:11:12Z||/d')).toBe(D(2026, 10, 24));
  });
  it('knows the fiscal year, wherever it begins', () => {
    const fiscal = { ...utc, fiscalStart: 3 };
    expect(parseTime('now/fy', fiscal)).toBe(Date.UTC(2026, 3, 1));
    expect(parseTime('now/fy', { ...fiscal, roundUp: true })).toBe(Date.UTC(2027, 3, 1) - 1);
    expect(parseTime('now/fQ', fiscal)).toBe(Date.UTC(2026, 9, 1));
    expect(parseTime('now-1fy/fy', fiscal)).toBe(Date.UTC(2025, 3, 1));
  });
  it('reads every quick range, the past before the present', () => {
    for (const q of QUICK_RANGES) {
      const r = resolveRange({ from: q.from, to: q.to }, utc);
      expect(r, q.label).not.toBeNull();
      expect(r!.fromMs, q.label).toBeLessThan(r!.toMs);
    }
  });
  it('refuses what is no time', () => {
    for (const text of ['', 'yesterday', 'now-', 'now-5', 'now-5x', 'now/', 'later-5m']) expect(parseTime(text, utc), text).toBeNull();
  });
  it('resolves ranges and names their problem', () => {
    expect(resolveRange({ from: 'now-1h', to: 'now' }, utc)).toEqual({ fromMs: nowMs - 3600e3, toMs: nowMs });
    expect(rangeProblem({ from: 'now-1h', to: 'now' }, utc)).toBeNull();
    expect(rangeProblem({ from: 'now', to: 'now-1h' }, utc)).not.toBeNull();
  });
  it('knows durations both ways', () => {
    expect(parseDuration('1h30m')).toBe(5400e3);
    expect(parseDuration('soon')).toBeNull();
    expect(parseDuration(formatDuration(5400e3))).toBe(5400e3);
  });
});

describe('steps', () => {
  it('stay readable and below what a server takes', () => {
    expect(niceStep(11_000)).toBe(15_000);
    for (const span of [60e3, 3600e3, 86400e3, 90 * 86400e3]) {
      const step = stepFor(span, 400, 10e3);
      expect(step).toBeGreaterThanOrEqual(10e3);
      expect(span / step).toBeLessThanOrEqual(MAX_POINTS);
    }
  });
  it('let a rate always see two samples', () => {
    expect(rateWindow(15e3, 10e3)).toBe(40e3);
    expect(rateWindow(300e3, 10e3)).toBe(310e3);
  });
  it('lie on multiples of themselves', () => {
    const g = gridFor(1_700_000_003_000, 1_700_000_063_000, 10_000);
    expect(g.startMs % 10_000).toBe(0);
    expect(g.endMs % 10_000).toBe(0);
    expect(g.count).toBe((g.endMs - g.startMs) / 10_000 + 1);
  });
});
