import { describe, expect, it } from 'vitest';
import { field, frameOf } from '../src/dashboard/frame/frame';
import { toGraph } from '../src/dashboard/panels/nodes';
import { serviceMapFrames, serviceMapQueries } from '../src/dashboard/query/service_map';
import { gridLayout, layeredLayout, type LayoutEdge } from '../src/graph/layout';
import { edgePath, placeGraph } from '../src/graph/NodeGraph';

const GAPS = { layer: 100, node: 50 };
const edges = (...pairs: [number, number][]): LayoutEdge[] => pairs.map(([from, to]) => ({ from, to }));

/** Nodes of one layer that stand closer than they may. */
function tooClose(nodes: { x: number; y: number }[]): number {
  let n = 0;
  nodes.forEach((a, i) => nodes.forEach((b, k) => k > i && a.x === b.x && Math.abs(a.y - b.y) < GAPS.node - 1e-6 && n++));
  return n;
}

describe('layers', () => {
  it('follow the edges from left to right', () => {
    const l = layeredLayout(4, edges([0, 1], [1, 2], [0, 3]), GAPS);
    expect(l.nodes.map((p) => p.x)).toEqual([0, 100, 200, 100]);
    expect(tooClose(l.nodes)).toBe(0);
  });
  it('circles and edges to oneself are broken', () => {
    const l = layeredLayout(3, edges([0, 1], [1, 2], [2, 0], [1, 1]), GAPS);
    expect(l.nodes.map((p) => p.x)).toEqual([0, 100, 200]);
    expect(l.bends[2]).toHaveLength(1);
    expect(l.bends[3]).toEqual([]);
  });
  it('long edges bend through the layers between', () => {
    const l = layeredLayout(4, edges([0, 1], [1, 2], [2, 3], [0, 3]), GAPS);
    expect(l.bends[3]!.map((p) => p.x)).toEqual([100, 200]);
  });
  it('two rows that cross are uncrossed', () => {
    // 0→3 and 1→2 cross as they come.
    const l = layeredLayout(4, edges([0, 3], [1, 2], [0, 2], [1, 3]), GAPS);
    const one = layeredLayout(6, edges([0, 5], [1, 4], [2, 3], [0, 4]), GAPS);
    const order = (a: number, b: number) => Math.sign(one.nodes[a]!.y - one.nodes[b]!.y);
    expect(order(0, 1)).toBe(order(5, 4));
    expect(tooClose(l.nodes) + tooClose(one.nodes)).toBe(0);
  });
  it('parts without a connection do not overlap; lone nodes make a grid', () => {
    const l = layeredLayout(8, edges([0, 1], [2, 3]), GAPS);
    const seen = new Set(l.nodes.map((p) => `${p.x},${p.y}`));
    expect(seen.size).toBe(8);
    expect(l.nodes[2]!.y).toBeGreaterThan(l.nodes[0]!.y);
  });
  it('a thousand nodes are placed, none on another', () => {
    const list: LayoutEdge[] = [];
    for (let i = 1; i < 1000; i++) list.push({ from: (i * 7919) % i, to: i });
    for (let i = 0; i < 500; i++) list.push({ from: (i * 31) % 1000, to: (i * 17 + 3) % 1000 });
    const l = layeredLayout(1000, list, GAPS);
    expect(new Set(l.nodes.map((p) => `${p.x},${p.y.toFixed(3)}`)).size).toBe(1000);
    expect(tooClose(l.nodes)).toBe(0);
    expect(l.nodes.every((p) => Number.isFinite(p.x) && Number.isFinite(p.y) && p.y >= 0)).toBe(true);
  });
  it('a grid is as wide as it is asked to be', () => {
    expect(gridLayout(4, [], GAPS, 1).nodes).toEqual([{ x: 0, y: 0 }, { x: 100, y: 0 }, { x: 0, y: 50 }, { x: 100, y: 50 }]);
  });
});

describe('the line of an edge', () => {
  const e = { id: 'e', source: 'a', target: 'b' };
  const line = (...bends: { x: number; y: number }[]) => edgePath({ e, from: { x: 0, y: 0 }, to: { x: 200, y: 0 }, bends, loop: false, lane: 0 }, 0, 0);
  it('goes through its bends, and its figures stand on it', () => {
    const bent = line({ x: 100, y: -80 });
    expect(bent.d).toContain(' 100.0 -80.0C');
    expect(bent.mid).toEqual({ x: 100, y: -80 });
    const twice = line({ x: 60, y: 40 }, { x: 140, y: 40 });
    expect(twice.d).toContain(' 60.0 40.0C');
    expect(twice.d).toContain(' 140.0 40.0C');
    // Between two bends of the same height the line swings a little beyond them.
    expect(twice.mid.y).toBeGreaterThan(40);
    expect(twice.mid.y).toBeLessThan(50);
  });
  it('is straight without bends', () => {
    expect(line().mid.y).toBe(0);
    expect(line().d).not.toContain('C');
  });
});

describe('frames to a graph', () => {
  const fill = (t: string) => t;
  it('nodes with figures, arcs and details; edges between them', () => {
    const n = frameOf([field('id', 'string', ['a', 'b']), field('title', 'string', ['A', 'B']), field('mainstat', 'number', [0.5, null], undefined, { unit: 's' }), field('arc__failed', 'number', [0.25, 2]), field('detail__zone', 'string', ['x', 'y'])]);
    const e = frameOf([field('id', 'string', ['1']), field('source', 'string', ['a']), field('target', 'string', ['b']), field('mainStat', 'string', ['7 req/s'])]);
    const g = toGraph([n, e], fill);
    expect(g.nodes[0]).toMatchObject({ id: 'a', title: 'A', mainStat: '500 ms', details: [['zone', 'x']] });
    expect(g.nodes[1]!.arcs![0]!.share).toBe(1);
    expect(g.edges[0]).toMatchObject({ source: 'a', target: 'b', mainStat: '7 req/s' });
  });
  it('a table with source and target is a graph by itself', () => {
    const g = toGraph([frameOf([field('source', 'string', ['a', 'b', '']), field('target', 'string', ['b', 'c', 'x']), field('Value', 'number', [1, 2, 3])])], fill);
    expect(g.nodes.map((x) => x.id)).toEqual(['a', 'b', 'c']);
    expect(g.edges.map((x) => x.mainStat)).toEqual(['1', '2']);
  });
  it('edges to what is not there are left out, doubles bend apart', () => {
    const nodes = ['a', 'b'].map((id) => ({ id, title: id }));
    const p = placeGraph(nodes, [{ id: '1', source: 'a', target: 'b' }, { id: '2', source: 'b', target: 'a' }, { id: '3', source: 'a', target: 'gone' }], 'layered', 1);
    expect(p.edges.map((x) => x.lane)).toEqual([0, 1]);
    expect([...p.near.get('a')!].sort()).toEqual(['a', 'b']);
  });
});

describe('the service map', () => {
  it('asks for a window of at least a minute and takes a selector', () => {
    expect(serviceMapQueries('{server="x"}', 10).rate).toBe('sum by (client, server) (rate(traces_service_graph_request_total{server="x"}[60s])) > 0');
    expect(serviceMapQueries('', 3600).failed).toContain('failed_total[3600s]');
  });
  it('adds up what comes into a service', () => {
    const [n] = serviceMapFrames([{ source: 'a', target: 'c', rate: 1, failed: 1, seconds: 2 }, { source: 'b', target: 'c', rate: 3, failed: 0, seconds: 1 }], 'A');
    const at = (name: string) => n!.fields.find((x) => x.name === name)!.values[n!.fields[0]!.values.indexOf('c')];
    expect(at('secondarystat')).toBe(4);
    expect(at('mainstat')).toBe(1.25);
    expect(at('arc__failed')).toBe(0.25);
  });
});
