import { describe, expect, it } from 'vitest';
import { expandMacros, quote, selector } from '../src/api/expr';
import { format, formatAgo, formatSpan } from '../src/format/units';

describe('units', () => {
  it('scale to what a person reads', () => {
    expect(format(1536, 'bytes')).toBe('1.5 KiB');
    expect(format(0, 'bytes')).toMatch(/^0/);
    expect(format(NaN, 'bytes')).toBe('–');
    expect(format(Infinity, 'short')).toBe('+Inf');
    expect(format(12.5, 'percent')).toBe('12.5%');
  });
  it('spell spans and ages', () => {
    expect(formatSpan(0.25)).toBe('250 ms');
    expect(formatSpan(90)).toBe('1m 30s');
    expect(formatAgo(1000, 1500)).toBe('just now');
    expect(formatAgo(0, 1500)).toBe('never');
  });
});

describe('queries', () => {
  it('quote what goes into them', () => {
    expect(quote('a"b\\c')).toBe('"a\\"b\\\\c"');
    expect(selector('up', [['job', '=', 'x']])).toBe('up{job="x"}');
    expect(selector('a metric')).toContain('"a metric"');
  });
  it('leave no macro behind', () => {
    const text = expandMacros('rate(x[$__rate_interval]) + y[$__range]', { stepMs: 15000, rateMs: 40000, rangeMs: 3600000 });
    expect(text).not.toContain('$__');
  });
});
