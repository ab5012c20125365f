import { describe, expect, it } from 'vitest';
import type { Target } from '../src/dashboard/model/types';
import { answerFrames, withReferences } from '../src/dashboard/query/graphite';

describe('targets of Graphite', () => {
  const t = (refId: string, target: string) => ({ refId, target }) as Target;
  it('name each other by their letters', () => {
    const all = [t('A', 'a.b.#count'), t('B', 'scale(#A, 2)'), t('C', 'sumSeries(#A,#B,#Z)')];
    expect(withReferences(all[2]!, all)).toBe('sumSeries(a.b.#count,scale(a.b.#count, 2),#Z)');
    const circle = [t('A', 'f(#B)'), t('B', 'g(#A)')];
    expect(withReferences(circle[0]!, circle).startsWith('f(g(f(')).toBe(true);
  });
  it('answer on a grid, or each with its own times', () => {
    const a = { kind: 'matrix' as const, warnings: [], infos: [], exemplars: [] };
    const [g] = answerFrames({ ...a, grid: { startMs: 0, stepMs: 10, count: 3, endMs: 20 }, series: [{ name: 'x', labels: { host: 'a' }, first: 1, values: [5] }] }, 'A');
    expect(g!.fields.map((f) => f.values)).toEqual([[0, 10, 20], [null, 5, null]]);
    expect(g!.fields[1]!.config.displayNameFromDS).toBe('x');
    const [own] = answerFrames({ ...a, series: [{ name: 'y', labels: {}, first: 0, values: [1, 2], times: [0, 60] }] }, 'A');
    expect([own!.stepMs, own!.fields[0]!.values]).toEqual([60, [0, 60]]);
  });
});
