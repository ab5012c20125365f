// A flame graph: how much of something (time, bytes) was spent where, by call path. Bars lie in levels,
// depth first, each as wide as its value; children begin where their parent begins.

import type { Trace } from '../traces/trace';

export interface Flame {
  labels: string[];
  /** 0 is the root. */
  level: number[];
  value: number[];
  /** What the bar spent itself, not in what it called. */
  self: number[];
  /** Where it begins, in units of the value. */
  start: number[];
  parent: number[];
  depth: number;
  total: number;
}

/** More bars than this cannot be told apart on any screen; the rest of the rows is left out. */
export const MOST_BARS = 200_000;

/**
 * From rows in depth-first order (a nested set, as profiles are sent). Levels that jump are closed up,
 * several roots stand side by side, missing selfs are what the children leave.
 */
export function flameOf(rows: { labels: string[]; level: number[]; value: number[]; self?: (number | null)[] }): Flame | null {
  const n = Math.min(MOST_BARS, rows.labels.length, rows.level.length, rows.value.length);
  if (n === 0) return null;
  const f: Flame = { labels: rows.labels.slice(0, n), level: [], value: [], self: [], start: [], parent: [], depth: 0, total: 0 };
  const path: number[] = [];
  const used = new Array<number>(n).fill(0);
  for (let i = 0; i < n; i++) {
    const v = Number.isFinite(rows.value[i]) ? Math.max(0, rows.value[i]!) : 0;
    const level = Math.min(Math.max(0, Math.floor(rows.level[i]!) || 0), path.length);
    path.length = level;
    const parent = level > 0 ? path[level - 1]! : -1;
    f.parent.push(parent);
    f.level.push(level);
    f.value.push(v);
    f.start.push(parent < 0 ? f.total : f.start[parent]! + used[parent]!);
    if (parent < 0) f.total += v;
    else used[parent]! += v;
    path.push(i);
    f.depth = Math.max(f.depth, level + 1);
  }
  for (let i = 0; i < n; i++) {
    const s = rows.self?.[i];
    f.self.push(typeof s === 'number' && Number.isFinite(s) ? s : Math.max(0, f.value[i]! - used[i]!));
  }
  return f;
}

interface Node {
  label: string;
  self: number;
  children: Map<string, Node>;
}

/** Length of what the pieces cover together, within bounds. */
function covered(pieces: [number, number][], from: number, to: number): number {
  let sum = 0;
  let at = from;
  for (const [a, b] of pieces.sort((x, y) => x[0] - y[0])) {
    const start = Math.max(a, at);
    const end = Math.min(b, to);
    if (end > start) {
      sum += end - start;
      at = end;
    }
  }
  return sum;
}

/** The spans of a trace folded by path: how long each was busy itself, added up over its repetitions. */
export function flameOfTrace(t: Trace): Flame | null {
  const root: Node = { label: 'trace', self: 0, children: new Map() };
  const path: Node[] = [root];
  const { spans } = t;
  for (let i = 0; i < spans.length; i++) {
    const s = spans[i]!;
    path.length = s.depth + 1;
    const up = path[s.depth] ?? root;
    const label = `${s.service}: ${s.name}`;
    let node = up.children.get(label);
    if (!node) up.children.set(label, (node = { label, self: 0, children: new Map() }));
    const below: [number, number][] = [];
    for (let k = i + 1; k <= i + s.below; k += spans[k]!.below + 1) below.push([spans[k]!.startNs, spans[k]!.startNs + spans[k]!.durationNs]);
    node.self += s.durationNs - covered(below, s.startNs, s.startNs + s.durationNs);
    path.push(node);
  }
  const rows = { labels: [] as string[], level: [] as number[], value: [] as number[], self: [] as number[] };
  // Without recursion: a trace may be very deep. Values are filled in from the leaves.
  const stack: { node: Node; level: number }[] = [{ node: root, level: 0 }];
  while (stack.length) {
    const { node, level } = stack.pop()!;
    rows.labels.push(node.label);
    rows.level.push(level);
    rows.value.push(node.self);
    rows.self.push(node.self);
    for (const c of [...node.children.values()].reverse()) stack.push({ node: c, level: level + 1 });
  }
  const open: number[] = [];
  for (let i = 0; i <= rows.labels.length; i++) {
    const level = rows.level[i] ?? 0;
    while (open.length > (i < rows.labels.length ? level : 0)) {
      const done = open.pop()!;
      const up = open[open.length - 1];
      if (up !== undefined) rows.value[up]! += rows.value[done]!;
    }
    if (i < rows.labels.length) open.push(i);
  }
  return rows.labels.length > 1 ? flameOf(rows) : null;
}

export interface TopRow {
  label: string;
  self: number;
  total: number;
  count: number;
}

/** By label: what it spent itself, and with all it called (recursion counted once). */
export function topOf(f: Flame): TopRow[] {
  const rows = new Map<string, TopRow>();
  const open = new Map<string, number>();
  const path: string[] = [];
  for (let i = 0; i < f.labels.length; i++) {
    while (path.length > f.level[i]!) {
      const done = path.pop()!;
      open.set(done, open.get(done)! - 1);
    }
    const label = f.labels[i]!;
    let r = rows.get(label);
    if (!r) rows.set(label, (r = { label, self: 0, total: 0, count: 0 }));
    r.self += f.self[i]!;
    r.count++;
    const inside = open.get(label) ?? 0;
    if (inside === 0) r.total += f.value[i]!;
    open.set(label, inside + 1);
    path.push(label);
  }
  return [...rows.values()].sort((a, b) => b.self - a.self || b.total - a.total);
}

/** The bar at a place: `at` in units of the value. */
export function barAt(f: Flame, level: number, at: number): number {
  for (let i = 0; i < f.level.length; i++) if (f.level[i] === level && at >= f.start[i]! && at < f.start[i]! + f.value[i]!) return i;
  return -1;
}

/** The bar and everything that led to it, root first. */
export function pathTo(f: Flame, i: number): number[] {
  const out: number[] = [];
  for (let k = i; k >= 0; k = f.parent[k]!) out.unshift(k);
  return out;
}
