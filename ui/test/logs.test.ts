import { describe, expect, it } from 'vitest';
import { lineLevel, logRows } from '../src/dashboard/query/logs';
import { dedupe } from '../src/logs/LogList';
import { patternRows } from '../src/pages/logs/Patterns';
import { Offsets } from '../src/logs/offsets';
import { lineFields, prettyLine } from '../src/logs/fields';
import { fieldCounts, filterLabel, filterLine, filterParsed, filterPattern, isLogQuery, markedWords, selectorEnd, selectorOf } from '../src/pages/logs/query';

describe('LogQL text', () => {
  it('takes filters in the selector or behind it', () => {
    expect(filterLabel('{app="a"} |= "x"', 'level', 'info', false, true)).toBe('{app="a", level="info"} |= "x"');
    expect(filterLabel('{app="a", level="info"}', 'level', 'info', true, true)).toBe('{app="a", level!="info"}');
    expect(filterLabel('{}', 'a', 'b"c', false, true)).toBe('{a="b\\"c"}');
    expect(filterLabel('', 'a', 'b', false, true)).toBe('{a="b"}');
    expect(filterLabel('{app="a"} | json', 'http.status', '500', false, false)).toBe('{app="a"} | json | http_status="500"');
    expect(filterLabel('{app="a"} | json', '9-x', '5', true, false)).toBe('{app="a"} | json | _9_x!="5"');
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
    const c = fieldCounts([{ stream: { a: '1' }, fields: { f: 'x' }, line: 'n=1 f=y' }, { stream: { a: '2' }, fields: { f: 'x' }, line: '{"n":2}' }]);
    expect(c.map((x) => [x.name, x.lines, x.distinct, x.kind])).toEqual([['a', 2, 2, 'label'], ['f', 2, 1, 'field'], ['n', 2, 2, 'line']]);
    expect(c[1]!.top).toEqual([['x', 2]]);
  });
});

describe('what a line says itself', () => {
  it('is read from JSON and logfmt', () => {
    expect(lineFields('{"a":{"b":1},"c":"x","d":null,"e":[1]}')).toEqual({ format: 'json', fields: { a_b: '1', c: 'x' } });
    expect(lineFields('ts=1 level=info msg="a \\"b\\" c" http.code=200')).toEqual({ format: 'logfmt', fields: { ts: '1', level: 'info', msg: 'a "b" c', http_code: '200' } });
    expect(lineFields('plain words, x=1').format).toBe('');
    expect(lineFields('{broken').format).toBe('');
  });
  it('is laid out', () => {
    expect(prettyLine('{"a":1}')).toBe('{\n  "a": 1\n}');
    expect(prettyLine('12:00 level=info msg="x y" done')).toBe('12:00\nlevel=info\nmsg="x y"\ndone');
    expect(prettyLine('nothing to see')).toBe('nothing to see');
  });
  it('is filtered behind its parser', () => {
    const lines = [{ line: '{"user":"u1"}' }];
    expect(filterParsed('{a="b"}', 'user', 'u1', false, lines)).toBe('{a="b"} | json | user="u1"');
    expect(filterParsed('{a="b"} | json', 'user', 'u1', true, lines)).toBe('{a="b"} | json | user!="u1"');
  });
});

it('patterns of several levels are one', () => {
  const rows = patternRows([{ pattern: 'a', level: 'info', samples: [[10, 2]] }, { pattern: 'b', level: '', samples: [[10, 1], [99, 1]] }, { pattern: 'a', level: 'error', samples: [[20, 3]] }], 1, 3, 10_000);
  expect(rows.map((r) => [r.pattern, r.levels, r.values, r.total])).toEqual([['a', ['error', 'info'], [2, 3, 0], 5], ['b', [], [1, 0, 0], 2]]);
});

it('patterns are kept and left out', () => {
  expect(filterPattern('{a="b"} |= "x" | json', 'order <_> failed', false, false)).toBe('{a="b"} |= "x" |> "order <_> failed" | json');
  expect(filterPattern('{a="b"}', 'order <_> failed', false, true)).toBe('{a="b"} |> "order <_> failed" or "<_>order <_> failed<_>"');
  expect(filterPattern('{a="b"} |> "x" or "y" | json', '<_> "q" <_>', true, true)).toBe('{a="b"} |> "x" or "y" !> "<_> \\"q\\" <_>" | json');
});

describe('rows of different heights', () => {
  it('are found by their place', () => {
    const o = new Offsets(1000, 20);
    expect(o.offset(1000)).toBe(20000);
    expect(o.set(10, 20)).toBe(false);
    expect(o.set(10, 120)).toBe(true);
    expect(o.set(500, 70)).toBe(true);
    expect([o.offset(10), o.offset(11), o.offset(501), o.offset(1000)]).toEqual([200, 320, 10170, 20150]);
    expect([o.find(0), o.find(199), o.find(200), o.find(319), o.find(320), o.find(1e9)]).toEqual([0, 9, 10, 10, 11, 999]);
    for (let i = 0; i < 1000; i += 37) expect(o.find(o.offset(i))).toBe(i);
    o.set(10, 20);
    expect(o.offset(1000)).toBe(20050);
    expect(new Offsets(0, 20).find(5)).toBe(0);
  });
});
