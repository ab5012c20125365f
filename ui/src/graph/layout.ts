// Places for the nodes of a directed graph: layers from left to right along the edges, with few
// crossings, or a plain grid. Circles are broken, parts without a connection stand below each other.

export interface LayoutEdge {
  from: number;
  to: number;
}

export interface Point {
  x: number;
  y: number;
}

export interface Layout {
  nodes: Point[];
  /** For each edge the points between its ends that it goes through. */
  bends: Point[][];
  width: number;
  height: number;
}

export interface LayoutGaps {
  /** Between layers and between the nodes of a layer. */
  layer: number;
  node: number;
}

/** More bends than this would cost more than they please. */
const MOST_BENDS = 8000;
const SWEEPS = 8;

/** The nodes of each connected part, in the order in which they came. */
function parts(count: number, edges: LayoutEdge[]): number[][] {
  const root = Array.from({ length: count }, (_, i) => i);
  const find = (i: number): number => {
    while (root[i] !== i) i = root[i] = root[root[i]!]!;
    return i;
  };
  for (const e of edges) root[find(e.from)] = find(e.to);
  const by = new Map<number, number[]>();
  for (let i = 0; i < count; i++) {
    const r = find(i);
    const list = by.get(r);
    if (list) list.push(i);
    else by.set(r, [i]);
  }
  return [...by.values()];
}

/** For each edge whether it closes a circle and has to be read backwards. */
function backEdges(count: number, edges: LayoutEdge[]): boolean[] {
  const out: number[][] = Array.from({ length: count }, () => []);
  const incoming = new Array<number>(count).fill(0);
  edges.forEach((e, i) => {
    out[e.from]!.push(i);
    incoming[e.to]!++;
  });
  const state = new Uint8Array(count);
  const back = edges.map((e) => e.from === e.to);
  // What nothing leads to comes first, so that flows begin where they begin.
  const order = Array.from({ length: count }, (_, i) => i).sort((a, b) => incoming[a]! - incoming[b]! || a - b);
  for (const start of order) {
    if (state[start]) continue;
    const stack: { node: number; at: number }[] = [{ node: start, at: 0 }];
    state[start] = 1;
    while (stack.length) {
      const top = stack[stack.length - 1]!;
      const next = out[top.node]![top.at++];
      if (next === undefined) {
        state[top.node] = 2;
        stack.pop();
        continue;
      }
      const to = edges[next]!.to;
      if (state[to] === 1) back[next] = true;
      else if (state[to] === 0) {
        state[to] = 1;
        stack.push({ node: to, at: 0 });
      }
    }
  }
  return back;
}

/** The layer of each node: one further than the furthest that leads to it. */
function ranks(count: number, edges: LayoutEdge[]): number[] {
  const out: number[][] = Array.from({ length: count }, () => []);
  const open = new Array<number>(count).fill(0);
  for (const e of edges) {
    out[e.from]!.push(e.to);
    open[e.to]!++;
  }
  const rank = new Array<number>(count).fill(0);
  const queue: number[] = [];
  for (let i = 0; i < count; i++) if (open[i] === 0) queue.push(i);
  const order: number[] = [];
  for (let k = 0; k < queue.length; k++) {
    const i = queue[k]!;
    order.push(i);
    for (const to of out[i]!) {
      rank[to] = Math.max(rank[to]!, rank[i]! + 1);
      if (--open[to]! === 0) queue.push(to);
    }
  }
  // Beginnings stand next to what they lead to.
  const incoming = new Set(edges.map((e) => e.to));
  for (const i of order) if (!incoming.has(i) && out[i]!.length) rank[i] = Math.min(...out[i]!.map((to) => rank[to]!)) - 1;
  return rank;
}

interface Slot {
  layer: number;
  order: number;
  y: number;
  before: number[];
  after: number[];
}

function crossings(layers: number[][], slots: Slot[]): number {
  let n = 0;
  for (const layer of layers) {
    const ends: number[] = [];
    for (const i of layer) ends.push(...slots[i]!.after.map((j) => slots[j]!.order).sort((a, b) => a - b));
    if (ends.length > 600) return -1;
    for (let a = 0; a < ends.length; a++) for (let b = a + 1; b < ends.length; b++) if (ends[a]! > ends[b]!) n++;
  }
  return n;
}

/** Orders each layer by the middle of what its nodes are joined to, forwards and backwards. */
function order(layers: number[][], slots: Slot[]): void {
  const number = (layer: number[]) => layer.forEach((i, k) => (slots[i]!.order = k));
  layers.forEach(number);
  let best = layers.map((l) => l.slice());
  let least = crossings(layers, slots);
  for (let sweep = 0; sweep < SWEEPS && least !== 0; sweep++) {
    const forward = sweep % 2 === 0;
    for (let k = 1; k < layers.length; k++) {
      const layer = layers[forward ? k : layers.length - 1 - k]!;
      const middle = new Map(
        layer.map((i): [number, number] => {
          const near = forward ? slots[i]!.before : slots[i]!.after;
          return [i, near.length ? near.reduce((a, j) => a + slots[j]!.order, 0) / near.length : slots[i]!.order];
        }),
      );
      layer.sort((a, b) => middle.get(a)! - middle.get(b)! || slots[a]!.order - slots[b]!.order);
      number(layer);
    }
    const now = crossings(layers, slots);
    if (now < 0 || now < least) {
      least = now;
      best = layers.map((l) => l.slice());
    }
    if (now < 0) break;
  }
  best.forEach((l, k) => {
    layers[k] = l;
    number(l);
  });
}

/**
 * Moves the nodes of a layer as near as can be to where they want to be, keeping their order and their
 * distance: what would come too close shares the mean of the wishes.
 */
function spread(layer: number[], slots: Slot[], want: number[], gap: number): void {
  const blocks: { sum: number; size: number }[] = [];
  for (let k = 0; k < layer.length; k++) {
    let b = { sum: want[k]! - k * gap, size: 1 };
    for (let a = blocks[blocks.length - 1]; a && a.sum / a.size > b.sum / b.size; a = blocks[blocks.length - 1]) {
      blocks.pop();
      b = { sum: a.sum + b.sum, size: a.size + b.size };
    }
    blocks.push(b);
  }
  let k = 0;
  for (const b of blocks) for (let i = 0; i < b.size; i++, k++) slots[layer[k]!]!.y = b.sum / b.size + k * gap;
}

function layoutPart(count: number, edges: LayoutEdge[], gaps: LayoutGaps): Layout {
  const back = backEdges(count, edges);
  const forward = edges.map((e, i): LayoutEdge => (back[i] ? { from: e.to, to: e.from } : e));
  const real = forward.filter((e) => e.from !== e.to);
  const rank = ranks(count, real);
  const lowest = rank.reduce((a, b) => Math.min(a, b), 0);
  const slots: Slot[] = rank.map((r) => ({ layer: r - lowest, order: 0, y: 0, before: [], after: [] }));
  const far = real.reduce((n, e) => n + Math.max(0, Math.abs(rank[e.to]! - rank[e.from]!) - 1), 0);
  const chains: number[][] = forward.map((e) => {
    if (e.from === e.to) return [];
    let at = e.from;
    const chain: number[] = [];
    if (far <= MOST_BENDS) {
      for (let l = slots[e.from]!.layer + 1; l < slots[e.to]!.layer; l++) {
        const i = slots.push({ layer: l, order: 0, y: 0, before: [at], after: [] }) - 1;
        slots[at]!.after.push(i);
        chain.push(i);
        at = i;
      }
    }
    slots[at]!.after.push(e.to);
    slots[e.to]!.before.push(at);
    return chain;
  });
  const layers: number[][] = [];
  slots.forEach((s, i) => (layers[s.layer] ??= []).push(i));
  for (let k = 0; k < layers.length; k++) layers[k] ??= [];
  order(layers, slots);
  for (const layer of layers) layer.forEach((i, k) => (slots[i]!.y = (k - (layer.length - 1) / 2) * gaps.node));
  for (let pass = 0; pass < 10; pass++) {
    const forwards = pass % 2 === 0;
    for (let k = 0; k < layers.length; k++) {
      const layer = layers[forwards ? k : layers.length - 1 - k]!;
      const want = layer.map((i) => {
        const s = slots[i]!;
        const near = pass >= 8 ? [...s.before, ...s.after] : forwards ? s.before : s.after;
        return near.length ? near.reduce((a, j) => a + slots[j]!.y, 0) / near.length : s.y;
      });
      spread(layer, slots, want, gaps.node);
    }
  }
  const top = slots.reduce((a, s) => Math.min(a, s.y), Infinity);
  const at = (s: Slot): Point => ({ x: s.layer * gaps.layer, y: s.y - top });
  return {
    nodes: slots.slice(0, count).map(at),
    bends: chains.map((c, i) => {
      const points = c.map((j) => at(slots[j]!));
      return back[i] ? points.reverse() : points;
    }),
    width: (layers.length - 1) * gaps.layer,
    height: slots.reduce((a, s) => Math.max(a, s.y - top), 0),
  };
}

export function gridLayout(count: number, edges: LayoutEdge[], gaps: LayoutGaps, aspect = 1.6): Layout {
  const columns = Math.max(1, Math.ceil(Math.sqrt(count * aspect)));
  const nodes = Array.from({ length: count }, (_, i) => ({ x: (i % columns) * gaps.layer, y: Math.floor(i / columns) * gaps.node }));
  return { nodes, bends: edges.map(() => []), width: Math.max(0, Math.min(columns, count) - 1) * gaps.layer, height: Math.max(0, Math.ceil(count / columns) - 1) * gaps.node };
}

/** Nodes are numbers from 0; edges to others are left out by the caller. */
export function layeredLayout(count: number, edges: LayoutEdge[], gaps: LayoutGaps): Layout {
  const out: Layout = { nodes: Array.from({ length: count }, () => ({ x: 0, y: 0 })), bends: edges.map(() => []), width: 0, height: 0 };
  const all = parts(count, edges);
  const joined = all.filter((p) => p.length > 1).sort((a, b) => b.length - a.length);
  const lone = all.filter((p) => p.length === 1).map((p) => p[0]!);
  let y = 0;
  const take = (part: number[], of: number[], l: Layout) => {
    part.forEach((i, k) => (out.nodes[i] = { x: l.nodes[k]!.x, y: l.nodes[k]!.y + y }));
    of.forEach((e, k) => (out.bends[e] = l.bends[k]!.map((p) => ({ x: p.x, y: p.y + y }))));
    out.width = Math.max(out.width, l.width);
    out.height = y + l.height;
    y += l.height + gaps.node;
  };
  const home = new Map<number, { part: number[]; of: number[]; local: Map<number, number> }>();
  for (const part of joined) {
    const entry = { part, of: [] as number[], local: new Map(part.map((i, k) => [i, k])) };
    for (const i of part) home.set(i, entry);
  }
  edges.forEach((e, i) => home.get(e.from)?.of.push(i));
  for (const part of joined) {
    const { of, local } = home.get(part[0]!)!;
    take(part, of, layoutPart(part.length, of.map((i) => ({ from: local.get(edges[i]!.from)!, to: local.get(edges[i]!.to)! })), gaps));
  }
  if (lone.length) take(lone, [], gridLayout(lone.length, [], gaps));
  return out;
}
