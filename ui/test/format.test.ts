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
  it('are those that dashboards use most', () => {
    const cases: [number, string, RegExp][] = [
      [1234567, 'short', /^1\.23 Mil$/],
      [1234567, 'none', /^1,?234,?567$/],
      [1e9, 'bytes', /^954 MiB$|^953\.\d MiB$/],
      [1e9, 'decbytes', /^1 GB$/],
      [1500, 'Bps', /^1\.5 kB\/s$/],
      [2048, 'binBps', /^2 KiB\/s$/],
      [1500, 'bps', /^1\.5 kb\/s$/],
      [90, 's', /^1\.5 mins?$/],
      [0.0015, 's', /^1\.5 ms$/],
      [1500, 'ms', /^1\.5 s$/],
      [2500, 'µs', /^2\.5 ms$/],
      [2500, 'ns', /^2\.5 µs$/],
      [0.256, 'percentunit', /^25\.6%$/],
      [12.34, 'ops', /^12\.3\d? ops\/s$/],
      [1200, 'reqps', /^1\.2 K req\/s$/],
      [12, 'pps', /^12 p\/s$/],
      [5, 'iops', /^5 io\/s$/],
      [3661, 'dtdhms', /01:01:01/],
      [3661, 'dtdurations', /^1h 1m$/],
      [1, 'bool_yes_no', /^Yes$/],
      [0, 'bool_on_off', /^Off$/],
      [1, 'bool', /^True$/],
      [21.5, 'celsius', /^21\.5 ?°C$/],
      [50, 'hertz', /^50 Hz$/],
      [1500, 'watt', /^1\.5 kW$/],
      [9.5, 'currencyUSD', /^\$9\.50?$/],
      [3, 'suffix: cores', /^3 cores$/],
      [3, 'prefix:about ', /^about ?3$/],
      [3, 'req/s', /^3 req\/s$/],
      [1500, 'si:kW', /1\.5 MW|1500 kW/],
    ];
    const wrong = cases.map(([v, unit, want]) => [unit, format(v, unit), want] as const).filter(([, got, want]) => !want.test(got));
    expect(wrong).toEqual([]);
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
