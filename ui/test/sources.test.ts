import { afterEach, describe, expect, it } from 'vitest';
import { sourceTypes } from '../src/api/doors';
import { sourceKind } from '../src/dashboard/query/datasource';

describe('data sources', () => {
  afterEach(() => {
    sourceTypes.value = new Map();
  });

  it('go by their type, whatever uid they have', () => {
    expect(sourceKind({ type: 'loki', uid: 'PBFA97CFB590B2093' })).toBe('loki');
    expect(sourceKind({ type: 'mysql', uid: 'x' })).toBe('unknown');
    expect(sourceKind('-- Mixed --')).toBe('mixed');
    expect(sourceKind(null)).toBeNull();
  });

  it('are known by the names and uids the server has', () => {
    expect(sourceKind('Company')).toBe('prometheus');
    sourceTypes.value = new Map([['Company', 'loki'], ['abc', 'tempo'], ['Other', 'mysql']]);
    expect(sourceKind('Company')).toBe('loki');
    expect(sourceKind({ uid: 'abc' })).toBe('tempo');
    expect(sourceKind('$ds', (t) => (t === '$ds' ? 'Company' : t))).toBe('loki');
    expect(sourceKind({ type: 'prometheus', uid: 'abc' })).toBe('prometheus');
    expect(sourceKind('Other')).toBe('prometheus');
  });
});
