import { describe, expect, it } from 'vitest';
import { lineLevel, logRows } from '../src/dashboard/query/logs';
import { dedupe } from '../src/logs/LogList';
import { fieldCounts, filterLabel, filterLine, isLogQuery, markedWords, selectorEnd, selectorOf } from '../src/pages/logs/query';

describe('LogQL text', () => {
  it('takes filters in the selector or behind it', () => {
    expect(filterLabel('{app="a"} |= "x"', 'level', 'info', false, true)).toBe('{app="a", level="info"} |= "x"');
    expect(filterLabel('{app="a", level="info"}', 'level', 'info', true, true)).toBe('{app="a", level!="info"}');
    expect(filterLabel('{}', 'a', 'b"c', false, true)).toBe('{a="b\\"c"}');
    expect(filterLabel('', 'a', 'b', false, true)).toBe('{a="b"}');
    expect(filterLabel('{app="a"} | json', 'http.status', '500', false, false)).toBe('{app="a"} | json | http_status="500"');
    expect(filterLabel('{app="a"} | json | s="1"', 's', '1', true, false)).toBe('{app="a"} | json | s!="1"');
  });
  it('takes line filters before the parsers', () => {
    expect(filterLine('{a="}"} |= "x" | json', 'y', false)).toBe('{a="}"} |= "x" |= "y" | json');
    expect(filterLine('{a="b"}', 'y', true)).toBe('{a="b"} != "y"');
  });
  it('finds selectors and words', () => {
    expect(selectorEnd('sum(rate({a="}"}[5m]))')).toBe(16);
    expect(selectorOf('sum(rate({a="}"}[5m]))')).toBe('{a="}"}');
    expect(selectorEnd('{a="b')).toBe(-1);
    expect(markedWords('{a="b"} |= "x\\"y" |= `z` != "n"')).toEqual(['x"y', 'z']);
    expect(isLogQuery(' {a="b"}')).toBe(true);
    expect(isLogQuery('rate({a="b"}[1m])')).toBe(false);
  });
});

describe('lines', () => {
  it('have a level', () => {
    expect(lineLevel({ level: 'WARN' }, '')).toBe('warning');
    expect(lineLevel({}, 'ts=1 level=error msg=x')).toBe('error');
    expect(lineLevel({}, '{"severity":"INFO"}')).toBe('info');
    expect(lineLevel({}, '2026 FATAL boom')).toBe('critical');
    expect(lineLevel({}, 'information desk')).toBe('unknown');
  });
  it('are in order of their nanoseconds', () => {
    const rows = logRows([{ stream: { a: '1' }, values: [['1700000000000000001', 'x', { structuredMetadata: { t: 'u' } }], ['1700000000000000003', 'z']] }, { stream: { a: '2' }, values: [['1700000000000000002', 'y']] }]);
    expect(rows.map((r) => r.line)).toEqual(['z', 'y', 'x']);
    expect(rows[2]).toMatchObject({ timeMs: 1700000000000, structured: { t: 'u' }, labels: { a: '1' } });
  });
  it('lose their repeats', () => {
    const l = (line: string) => ({ timeMs: 0, ns: '', line, labels: {}, level: '' });
    expect(dedupe([l('a 1'), l('a 2'), l('b')], 'numbers').map((r) => [r.line.line, r.count])).toEqual([['a 1', 1], ['b', 0]]);
    expect(dedupe([l('a'), l('a')], 'none')).toHaveLength(2);
    expect(dedupe([l('x=1 y'), l('q=2 z')], 'signature')[0]!.count).toBe(1);
  });
  it('are counted by field', () => {
    const c = fieldCounts([{ stream: { a: '1' }, fields: { f: 'x' } }, { stream: { a: '2' }, fields: { f: 'x' } }]);
    expect(c.map((x) => [x.name, x.lines, x.distinct, x.stream])).toEqual([['a', 2, 2, true], ['f', 2, 1, false]]);
    expect(c[1]!.top).toEqual([['x', 2]]);
  });
});
