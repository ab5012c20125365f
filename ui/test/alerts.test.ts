import { describe, expect, it } from 'vitest';
import type { Alert, Rule, RuleGroup } from '../src/api/alerts';
import { count, linkify, parseStates, select, timeMs } from '../src/pages/alerts/model';

const rule = (name: string, more: Partial<Rule> = {}): Rule => ({ type: 'alerting', name, query: `${name}_q`, health: 'ok', evaluationTime: 0, lastEvaluation: '', state: 'inactive', alerts: [], ...more });
const alert = (instance: string, state: Alert['state'], activeAt = '2026-01-01T00:00:00Z'): Alert => ({ labels: { alertname: 'A', instance }, annotations: { summary: `${instance} is away` }, state, activeAt });
const group = (name: string, ...rules: Rule[]): RuleGroup => ({ name, language: 'promql', file: `/etc/${name}.yml`, interval: 60, evaluationTime: 0, lastEvaluation: '', rules });

const groups = [
  group('one', rule('Away', { state: 'firing', alerts: [alert('b', 'pending'), alert('a', 'firing'), alert('c', 'firing', '2026-02-01T00:00:00Z')] }), rule('Quiet')),
  group('two', rule('Quiet', { health: 'err', lastError: 'no such function' }), { ...rule('job:x', { type: 'recording' }), state: undefined }),
  group('two', rule('Quiet', { state: 'pending', alerts: [alert('z', 'pending')] })),
];
const names = (states: string | null, text = '') => select(groups, parseStates(states), text).map((g) => [g.group.name, ...g.rules.map((r) => r.key)]);

describe('the alerts page', () => {
  it('counts rules by state, and alerts', () => {
    expect(count(groups)).toEqual({ rules: { firing: 1, pending: 1, inactive: 2, recording: 1, failing: 1 }, firing: 2, pending: 2 });
    expect(count([]).rules.failing).toBe(0);
  });
  it('filters by states', () => {
    expect(names(null)).toEqual([['one', 'one/Away', 'one/Quiet'], ['two', 'two/Quiet', 'two/job:x'], ['two', 'two/Quiet#2']]);
    expect(names('firing,pending')).toEqual([['one', 'one/Away'], ['two', 'two/Quiet#2']]);
    expect(names('failing')).toEqual([['two', 'two/Quiet']]);
    expect(names('recording,nonsense')).toEqual([['two', 'two/job:x']]);
  });
  it('finds words in rules, files and single alerts', () => {
    expect(names(null, 'NO SUCH')).toEqual([['two', 'two/Quiet']]);
    expect(names(null, '/etc/one quiet')).toEqual([['one', 'one/Quiet']]);
    const [only] = select(groups, new Set(), 'away instance=c')[0]!.rules;
    expect(only!.alerts.map((a) => a.labels['instance'])).toEqual(['c']);
    expect(names(null, 'nowhere')).toEqual([]);
  });
  it('puts firing alerts first, the latest before', () => {
    expect(select(groups, new Set(), '')[0]!.rules[0]!.alerts.map((a) => a.labels['instance'])).toEqual(['c', 'a', 'b']);
  });
  it("takes Go's zero time for none", () => {
    expect(timeMs('0001-01-01T00:00:00Z')).toBe(0);
    expect(timeMs(undefined)).toBe(0);
    expect(timeMs('1970-01-01T00:00:01Z')).toBe(1000);
  });
});

describe('links in annotations', () => {
  const links = (t: string) => linkify(t).filter((p) => p.href).map((p) => p.href);
  it('are http and https only', () => {
    expect(links('see https://runbooks.example/x?y=1#z.')).toEqual(['https://runbooks.example/x?y=1#z']);
    expect(links('javascript:alert(1) data:text/html,x ftp://a.example file:///etc //b.example')).toEqual([]);
    expect(links('xhttp://a.example http:// https://')).toEqual([]);
    expect(links('"HTTP://A.example/b"')).toEqual(['HTTP://A.example/b']);
  });
  it('end where the sentence or the bracket does', () => {
    expect(links('(https://a.example/b_(c)), https://d.example/e!')).toEqual(['https://a.example/b_(c)', 'https://d.example/e']);
  });
  it('lose no text', () => {
    for (const t of ['', 'plain', 'a https://b.example c', '<img src=x onerror=y> http://a.example/<b>'])
      expect(linkify(t).map((p) => p.text).join('')).toBe(t);
  });
});
