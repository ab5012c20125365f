import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ask, newScope, type MultiAnswer, type MultiQuery } from '../src/api/multi';
import { expressionFrames } from '../src/dashboard/query/frames';
import type { Panel } from '../src/dashboard/model/types';
import { runPanel, type RunContext } from '../src/dashboard/query/run';

interface Entry {
  id: string;
  ref?: string;
  scope?: string;
  hide?: boolean;
  query?: string;
  expression?: Record<string, unknown>;
}

/** What was asked, request by request; each entry that is not hidden is answered with its name as a label. */
let asked: Entry[][] = [];
const json = (v: unknown) => new Response(JSON.stringify(v), { headers: { 'Content-Type': 'application/json' } });

beforeEach(() => {
  asked = [];
  vi.stubGlobal('fetch', async (url: URL | string, init?: RequestInit) => {
    if (String(url).includes('languages')) return json(['promql', 'logql', 'traceql', 'graphite'].map((lang) => ({ lang })));
    const { queries } = JSON.parse(String(init?.body)) as { queries: Entry[] };
    asked.push(queries);
    const lines = queries
      .filter((q) => !q.hide)
      .map((q) => (q.query === 'wrong' ? { id: q.id, error: { type: 'bad_data', message: 'it is wrong', status: 400 } } : { id: q.id, kind: 'vector', time: 5000, series: [{ labels: { __name__: 'm', ref: q.ref ?? q.id }, value: 1 }] }));
    return new Response([...lines, { done: true }].map((l) => `${JSON.stringify(l)}\n`).join(''));
  });
});
afterEach(() => vi.unstubAllGlobals());

const signal = () => new AbortController().signal;
const query = (more: Partial<MultiQuery>): MultiQuery => ({ lang: 'promql', type: 'range', query: 'm', fromMs: 0, toMs: 4000, stepMs: 1000, ...more });

describe('many queries in one request', () => {
  it('what is asked in one turn goes together, with the names that expressions use', async () => {
    const scope = newScope();
    const done = await Promise.all([
      ask(query({}), signal()),
      ask(query({ named: { scope, ref: 'A', hide: true } }), signal()),
      ask(query({ lang: 'expression', expression: { type: 'math', expression: '$A' }, named: { scope, ref: 'B', hide: false } }), signal()),
    ]);
    expect(asked.length).toBe(1);
    const [plain, a, b] = asked[0]!;
    expect(plain!.scope).toBe(undefined);
    expect([a!.ref, a!.hide, a!.scope]).toEqual(['A', true, b!.scope]);
    expect([b!.ref, b!.hide, b!.query, b!.expression]).toEqual(['B', false, undefined, { type: 'math', expression: '$A' }]);
    expect(done.map((x) => x.series.length)).toEqual([1, 0, 1]);
  });
  it('a scope is not torn where requests are long', async () => {
    const scopes = Array.from({ length: 300 }, newScope);
    const ref = (scope: number, name: string) => ask(query({ named: { scope, ref: name, hide: false } }), signal());
    // Interleaved, as panels ask that wait for each other.
    await Promise.all(['A', 'B', 'C'].flatMap((name) => scopes.map((s) => ref(s, name))));
    expect(asked.length).toBe(3);
    expect(asked.flat().length).toBe(900);
    const seen = new Map<string, number>();
    asked.forEach((list, i) => list.forEach((e) => expect(seen.get(e.scope!) ?? i).toBe((seen.set(e.scope!, i), i))));
  });
  it('nothing is sent where all is hidden', async () => {
    expect((await ask(query({ named: { scope: newScope(), ref: 'A', hide: true } }), signal())).series).toEqual([]);
    expect(asked).toEqual([]);
  });
});

describe('answers of expressions', () => {
  const answer = (more: Partial<MultiAnswer>): MultiAnswer => ({ kind: 'matrix', series: [], warnings: [], infos: [], exemplars: [], ...more });
  it('series lie on a grid or have times; names of metrics go', () => {
    const [f] = expressionFrames(answer({ grid: { startMs: 0, endMs: 2000, stepMs: 1000, count: 3 }, series: [{ labels: { __name__: 'm', host: 'a' }, first: 1, values: [5, NaN] }] }), 'B');
    expect(f!.fields.map((x) => [x.name, x.values, x.labels])).toEqual([['Time', [0, 1000, 2000], undefined], ['B', [null, 5, NaN], { host: 'a' }]]);
    expect([f!.refId, f!.kind, f!.stepMs]).toEqual(['B', 'timeseries', 1000]);
    const [own] = expressionFrames(answer({ series: [{ labels: {}, first: 0, values: [1, null], times: [0, 700] }] }), 'B');
    expect(own!.fields.map((x) => x.values)).toEqual([[0, 700], [1, null]]);
  });
  it('numbers have no times', () => {
    for (const kind of ['vector', 'scalar'] as const) {
      const [f] = expressionFrames(answer({ kind, timeMs: 5, series: [{ labels: { host: 'a' }, first: 0, values: [null] }] }), 'B');
      expect([f!.kind, f!.fields.map((x) => [x.name, x.values, x.labels])]).toEqual(['table', [['B', [null], { host: 'a' }]]]);
    }
  });
});

describe('a panel with expressions', () => {
  const context: RunContext = { fromMs: 0, toMs: 3_600_000, forced: false, maxDataPoints: 100, scrapeMs: 15_000, lookup: (name) => (name === 'limit' ? { value: '80', text: '80' } : undefined) as never };
  const expr = { type: '__expr__', uid: '__expr__' };
  const panel = (...targets: object[]) => ({ id: 1, type: 'stat', datasource: { type: 'prometheus', uid: 'p' }, targets }) as unknown as Panel;

  it('asks once, its queries by their names, and shows what is not hidden', async () => {
    const d = await runPanel(
      panel(
        { refId: 'A', expr: 'a', hide: true },
        { refId: 'B', expr: 'b', instant: true },
        { refId: 'L', expr: 'sum(rate({x="y"}[1m]))', datasource: { type: 'loki' }, hide: true },
        { refId: 'C', datasource: expr, type: 'math', expression: '$A > ${limit} + $B' },
        { refId: 'D', datasource: expr, type: 'reduce', expression: 'A', hide: true },
      ),
      context,
      signal(),
    );
    expect(asked.length).toBe(1);
    const by = new Map(asked[0]!.map((e) => [e.ref!, e]));
    expect([...by.keys()].sort()).toEqual(['A', 'B', 'C', 'D', 'L']);
    expect(new Set(asked[0]!.map((e) => e.scope)).size).toBe(1);
    expect(asked[0]!.filter((e) => e.hide).map((e) => e.ref).sort()).toEqual(['A', 'D', 'L']);
    expect(by.get('C')!.expression).toMatchObject({ type: 'math', expression: '$A > 80 + $B' });
    // What the editor shows where nothing is set.
    expect(by.get('D')!.expression).toMatchObject({ type: 'reduce', reducer: 'mean', settings: { replaceWithValue: 0 } });
    expect(d.errors).toEqual([]);
    expect(d.frames.map((f) => f.refId)).toEqual(['B', 'C']);
    expect(d.frames[1]!.fields[0]!.labels).toEqual({ ref: 'C' });
    expect(d.ran.map((r) => r.query)).toEqual(['a', 'b', 'sum(rate({x="y"}[1m]))', '$A > 80 + $B', 'A']);
  });
  it('each panel has a scope of its own', async () => {
    const p = panel({ refId: 'A', expr: 'a' }, { refId: 'B', datasource: expr, type: 'math', expression: '$A' });
    await Promise.all([runPanel(p, context, signal()), runPanel(p, context, signal())]);
    expect(asked.length).toBe(1);
    expect(new Set(asked[0]!.map((e) => e.scope)).size).toBe(2);
  });
  it('hidden queries are not asked where no expression is shown', async () => {
    await runPanel(panel({ refId: 'A', expr: 'a', hide: true }, { refId: 'B', expr: 'b' }), context, signal());
    expect(asked.flat().map((e) => [e.query, e.ref])).toEqual([['b', undefined]]);
  });
  it('a source without a door is told by what needs it', async () => {
    const d = await runPanel(panel({ refId: 'A', datasource: { type: 'mysql', uid: 'm' }, hide: true }, { refId: 'B', datasource: expr, type: 'math', expression: '$A' }), context, signal());
    expect(asked[0]!.map((e) => [e.ref, e.hide])).toEqual([['A', true], ['B', false]]);
    expect(d.errors).toEqual([]); // the server says it of B
    const own = await runPanel(panel({ refId: 'A', expr: 'wrong' }, { refId: 'B', datasource: expr, type: 'math', expression: '$A' }), context, signal());
    expect(own.errors).toEqual([{ refId: 'A', message: 'it is wrong', query: 'wrong' }]);
  });
});
