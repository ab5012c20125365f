// A directed graph: nodes as circles with a ring of shares, edges as arrows. Dragging moves it, Ctrl with
// the wheel (or the buttons, or + and -) zooms, a click on a node or an edge tells about it.

import type { ComponentChildren } from 'preact';
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { Icon } from '../shell/icons';
import { Popover } from '../shell/popover';
import { gridLayout, layeredLayout, type Layout, type Point } from './layout';
import './graph.css';

export interface GraphLink {
  title: string;
  href: string;
  newTab?: boolean;
  /** Inside Pharos: opened without loading the page anew. */
  inside?: boolean;
}

export interface GraphNode {
  id: string;
  title: string;
  subtitle?: string;
  /** Inside the circle, already with their units. */
  mainStat?: string;
  secondaryStat?: string;
  /** Of the ring when there are no arcs; a CSS colour. */
  color?: string;
  /** Shares of the ring, 0 to 1. */
  arcs?: { color: string; share: number; label: string }[];
  radius?: number;
  /** What the menu lists beside the figures. */
  details?: [string, string][];
  links?: GraphLink[];
  /** Drawn dashed: known only from what calls it. */
  faint?: boolean;
}

export interface GraphEdge {
  id: string;
  source: string;
  target: string;
  mainStat?: string;
  secondaryStat?: string;
  color?: string;
  /** In pixels. */
  thickness?: number;
  dash?: string;
  details?: [string, string][];
  links?: GraphLink[];
}

export interface NodeGraphProps {
  nodes: GraphNode[];
  /** Edges whose ends are not among the nodes are left out. */
  edges: GraphEdge[];
  width: number;
  height: number;
  /** What the drawing shows, for screen readers. */
  label: string;
  arrangement?: 'layered' | 'grid';
  /** Instead of the menu. */
  onNode?: (n: GraphNode) => void;
  /** Beside the zoom buttons. */
  tools?: ComponentChildren;
}

export const MOST_NODES = 1000;
const RADIUS = 34;
const GAPS = { layer: 210, node: 124 };
const MARGIN = 70;

interface Placed {
  nodes: GraphNode[];
  at: Map<string, Point>;
  edges: { e: GraphEdge; from: Point; to: Point; bends: Point[]; loop: boolean; lane: number }[];
  layout: Layout;
  near: Map<string, Set<string>>;
}

/** Keeps the first nodes and what joins them, and finds places. */
export function placeGraph(all: GraphNode[], edges: GraphEdge[], arrangement: 'layered' | 'grid', aspect: number): Placed {
  const nodes = all.slice(0, MOST_NODES);
  const index = new Map(nodes.map((n, i) => [n.id, i]));
  const kept = edges.filter((e) => index.has(e.source) && index.has(e.target));
  const pairs = kept.map((e) => ({ from: index.get(e.source)!, to: index.get(e.target)! }));
  const layout = arrangement === 'grid' ? gridLayout(nodes.length, pairs, { layer: 150, node: 140 }, aspect) : layeredLayout(nodes.length, pairs, GAPS);
  const near = new Map<string, Set<string>>(nodes.map((n) => [n.id, new Set([n.id])]));
  const lanes = new Map<string, number>();
  const placed = kept.map((e, i) => {
    near.get(e.source)!.add(e.target);
    near.get(e.target)!.add(e.source);
    // Two between the same nodes, in whatever direction, bend apart.
    const key = [e.source, e.target].sort().join('\x01');
    const lane = lanes.get(key) ?? 0;
    lanes.set(key, lane + 1);
    return { e, from: layout.nodes[pairs[i]!.from]!, to: layout.nodes[pairs[i]!.to]!, bends: layout.bends[i]!, loop: e.source === e.target, lane };
  });
  return { nodes, at: new Map(nodes.map((n, i) => [n.id, layout.nodes[i]!])), edges: placed, layout, near };
}

/** The point on a circle's edge (and a little before it) on the way to another point. */
function rim(from: Point, to: Point, r: number): Point {
  const dx = to.x - from.x;
  const dy = to.y - from.y;
  const d = Math.hypot(dx, dy) || 1;
  return { x: from.x + (dx / d) * r, y: from.y + (dy / d) * r };
}

const n1 = (v: number) => v.toFixed(1);

/** The line of an edge as a path, and the point on it where its figures stand. */
export function edgePath(p: Placed['edges'][number], r0: number, r1: number): { d: string; mid: Point } {
  if (p.loop) {
    const { x, y } = p.from;
    const r = r0;
    return { d: `M${n1(x - r * 0.5)} ${n1(y - r * 0.86)}C${n1(x - r * 1.3)} ${n1(y - r * 2.4)} ${n1(x + r * 1.3)} ${n1(y - r * 2.4)} ${n1(x + r * 0.55)} ${n1(y - r * 0.95)}`, mid: { x, y: y - r * 2.1 } };
  }
  const points = [p.from, ...p.bends, p.to];
  if (p.lane > 0 && p.bends.length === 0) {
    const dx = p.to.x - p.from.x;
    const dy = p.to.y - p.from.y;
    const d = Math.hypot(dx, dy) || 1;
    const by = 26 * Math.ceil(p.lane / 2) * (p.lane % 2 ? 1 : -1);
    points.splice(1, 0, { x: (p.from.x + p.to.x) / 2 - (dy / d) * by, y: (p.from.y + p.to.y) / 2 + (dx / d) * by });
  }
  const a = rim(p.from, points[1]!, r0 + 1);
  const b = rim(p.to, points[points.length - 2]!, r1 + 6);
  points[0] = a;
  points[points.length - 1] = b;
  if (points.length === 2) return { d: `M${n1(a.x)} ${n1(a.y)}L${n1(b.x)} ${n1(b.y)}`, mid: { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 } };
  // A round line through every bend: the layout kept its place free of nodes.
  let d = `M${n1(a.x)} ${n1(a.y)}`;
  let mid = points[points.length >> 1]!;
  for (let i = 0; i + 1 < points.length; i++) {
    const p0 = points[i]!;
    const p1 = points[i + 1]!;
    const before = points[i - 1] ?? p0;
    const after = points[i + 2] ?? p1;
    const c0 = { x: p0.x + (p1.x - before.x) / 6, y: p0.y + (p1.y - before.y) / 6 };
    const c1 = { x: p1.x - (after.x - p0.x) / 6, y: p1.y - (after.y - p0.y) / 6 };
    d += `C${n1(c0.x)} ${n1(c0.y)} ${n1(c1.x)} ${n1(c1.y)} ${n1(p1.x)} ${n1(p1.y)}`;
    if (points.length % 2 === 0 && i === points.length / 2 - 1) mid = { x: (p0.x + 3 * (c0.x + c1.x) + p1.x) / 8, y: (p0.y + 3 * (c0.y + c1.y) + p1.y) / 8 };
  }
  return { d, mid };
}

/** A piece of the ring, from and to as shares of the circle, beginning on top. */
function arcPath(r: number, from: number, to: number): string {
  const at = (t: number) => `${n1(Math.sin(t * 2 * Math.PI) * r)} ${n1(-Math.cos(t * 2 * Math.PI) * r)}`;
  // A whole circle has no beginning and end to draw between.
  if (to - from >= 0.9999) return `M${at(0)}A${r} ${r} 0 1 1 ${at(0.5)}A${r} ${r} 0 1 1 ${at(0)}`;
  return `M${at(from)}A${r} ${r} 0 ${to - from > 0.5 ? 1 : 0} 1 ${at(to)}`;
}

/** About as wide as figures of an edge are, in the drawing's own pixels. */
const statWidth = (t: string) => t.length * 6 + 8;

const cut = (t: string, most: number) => (t.length > most ? `${t.slice(0, most - 1)}…` : t);

function Node({ n, at, dim, near, onEnter, onLeave, onOpen }: { n: GraphNode; at: Point; dim: boolean; near: boolean; onEnter: () => void; onLeave: () => void; onOpen: (el: Element) => void }) {
  const r = n.radius ?? RADIUS;
  let from = 0;
  const arcs = (n.arcs ?? []).filter((a) => a.share > 0);
  const said = [n.title, n.subtitle, n.mainStat, n.secondaryStat, ...arcs.map((a) => `${a.label} ${Math.round(a.share * 100)} %`)].filter(Boolean).join(', ');
  return (
    <g
      class={`ng-node${dim ? ' dim' : ''}${near ? ' near' : ''}${n.faint ? ' faint' : ''}`}
      transform={`translate(${n1(at.x)} ${n1(at.y)})`}
      tabIndex={0}
      role="button"
      data-node={n.id}
      onPointerEnter={onEnter}
      onPointerLeave={onLeave}
      onFocus={onEnter}
      onBlur={onLeave}
      onClick={(e) => onOpen(e.currentTarget)}
      onKeyDown={(e) => {
        if (e.key !== 'Enter' && e.key !== ' ') return;
        e.preventDefault();
        onOpen(e.currentTarget);
      }}
    >
      <title>{said}</title>
      <circle class="ng-disc" r={r} />
      {arcs.length ? (
        arcs.map((a, i) => {
          const d = arcPath(r, from, Math.min(1, from + a.share));
          from += a.share;
          return <path key={i} class="ng-arc" d={d} stroke={a.color} />;
        })
      ) : (
        <circle class="ng-arc" r={r} stroke={n.color ?? 'var(--link)'} />
      )}
      {n.mainStat && (
        <text class="ng-main" y={n.secondaryStat ? -3 : 4}>
          {cut(n.mainStat, 11)}
        </text>
      )}
      {n.secondaryStat && (
        <text class={n.secondaryStat.length > 9 ? 'ng-second long' : 'ng-second'} y={n.mainStat ? 12 : 4}>
          {cut(n.secondaryStat, 12)}
        </text>
      )}
      <text class="ng-title" y={r + 17}>
        {cut(n.title, 24)}
      </text>
      {n.subtitle && (
        <text class="ng-sub" y={r + 31}>
          {cut(n.subtitle, 28)}
        </text>
      )}
    </g>
  );
}

interface Open {
  x: number;
  y: number;
  title: string;
  rows: [string, string][];
  links: GraphLink[];
}

interface View {
  x: number;
  y: number;
  k: number;
}

export function NodeGraph(p: NodeGraphProps) {
  const arrangement = p.arrangement ?? 'layered';
  const aspect = p.width / Math.max(1, p.height);
  const graph = useMemo(() => placeGraph(p.nodes, p.edges, arrangement, aspect), [p.nodes, p.edges, arrangement]);
  const radius = useMemo(() => new Map(graph.nodes.map((n) => [n.id, n.radius ?? RADIUS])), [graph]);
  const box = useRef<HTMLDivElement>(null);
  const [hover, setHover] = useState<string | null>(null);
  const [edge, setEdge] = useState<string | null>(null);
  const [open, setOpen] = useState<Open | null>(null);
  const w = graph.layout.width + 2 * MARGIN;
  const h = graph.layout.height + 2 * MARGIN + 20;
  const fit = (): View => {
    const k = Math.min(1.15, p.width / w, p.height / h);
    return { k, x: (p.width - w * k) / 2 + MARGIN * k, y: (p.height - h * k) / 2 + MARGIN * k };
  };
  const [view, setView] = useState<View>(fit);
  const moved = useRef(false);
  // A refresh with the same nodes leaves the view where the reader put it.
  const shape = `${p.width}x${p.height}|${graph.nodes.map((n) => n.id).join('\x01')}|${arrangement}`;
  useEffect(() => {
    if (!moved.current) setView(fit());
  }, [shape]);
  const zoom = (f: number, at?: { x: number; y: number }) => {
    moved.current = true;
    const c = at ?? { x: p.width / 2, y: p.height / 2 };
    setView((v) => {
      const k = Math.min(4, Math.max(0.05, v.k * f));
      return { k, x: c.x - ((c.x - v.x) / v.k) * k, y: c.y - ((c.y - v.y) / v.k) * k };
    });
  };
  const shift = (dx: number, dy: number) => {
    moved.current = true;
    setView((v) => ({ ...v, x: v.x + dx, y: v.y + dy }));
  };
  useEffect(() => {
    const el = box.current!;
    // Without Ctrl the wheel belongs to the page.
    const wheel = (e: WheelEvent) => {
      if (!e.ctrlKey && !e.metaKey) return;
      e.preventDefault();
      const r = el.getBoundingClientRect();
      zoom(Math.exp(-e.deltaY / 300), { x: e.clientX - r.left, y: e.clientY - r.top });
    };
    el.addEventListener('wheel', wheel, { passive: false });
    return () => el.removeEventListener('wheel', wheel);
  }, []);
  const fingers = useRef(new Map<number, Point>());
  const dragged = useRef(false);
  const down = (e: PointerEvent) => {
    if (e.button !== 0) return;
    fingers.current.set(e.pointerId, { x: e.clientX, y: e.clientY });
    dragged.current = false;
  };
  const move = (e: PointerEvent) => {
    const was = fingers.current.get(e.pointerId);
    if (!was) return;
    const now = { x: e.clientX, y: e.clientY };
    if (!dragged.current && Math.hypot(now.x - was.x, now.y - was.y) < 4) return;
    if (!dragged.current) {
      dragged.current = true;
      box.current!.setPointerCapture(e.pointerId);
    }
    const other = [...fingers.current].find(([id]) => id !== e.pointerId)?.[1];
    if (other) {
      const r = box.current!.getBoundingClientRect();
      const before = Math.hypot(was.x - other.x, was.y - other.y) || 1;
      zoom(Math.hypot(now.x - other.x, now.y - other.y) / before, { x: (now.x + other.x) / 2 - r.left, y: (now.y + other.y) / 2 - r.top });
    } else shift(now.x - was.x, now.y - was.y);
    fingers.current.set(e.pointerId, now);
  };
  const up = (e: PointerEvent) => void fingers.current.delete(e.pointerId);
  const keys = (e: KeyboardEvent) => {
    const step = 60;
    if (e.key === '+' || e.key === '=') zoom(1.25);
    else if (e.key === '-') zoom(0.8);
    else if (e.key === '0') reset();
    else if (e.key === 'ArrowLeft') shift(step, 0);
    else if (e.key === 'ArrowRight') shift(-step, 0);
    else if (e.key === 'ArrowUp') shift(0, step);
    else if (e.key === 'ArrowDown') shift(0, -step);
    else return;
    e.preventDefault();
    e.stopPropagation();
  };
  const reset = () => {
    moved.current = false;
    setView(fit());
  };
  const show = (el: Element, title: string, rows: ([string, string] | null)[], links: GraphLink[]) => {
    const r = el.getBoundingClientRect();
    const b = box.current!.getBoundingClientRect();
    const x = Math.min(Math.max(r.left + r.width / 2 - b.left, 8), Math.max(8, p.width - 250));
    const y = Math.min(Math.max(r.top + r.height / 2 - b.top, 8), Math.max(8, p.height - 120));
    setOpen({ x, y, title, rows: rows.filter((x): x is [string, string] => x !== null), links });
  };
  const openNode = (n: GraphNode, el: Element) => {
    if (dragged.current) return;
    if (p.onNode) return p.onNode(n);
    show(el, n.title, [n.subtitle ? ['', n.subtitle] : null, n.mainStat ? ['', n.mainStat] : null, n.secondaryStat ? ['', n.secondaryStat] : null, ...(n.arcs ?? []).map((a): [string, string] => [a.label, `${(a.share * 100).toFixed(1)} %`]), ...(n.details ?? [])], n.links ?? []);
  };
  const openEdge = (e: GraphEdge, el: Element) => {
    if (dragged.current) return;
    const title = (id: string) => p.nodes.find((n) => n.id === id)?.title ?? id;
    show(el, `${title(e.source)} → ${title(e.target)}`, [e.mainStat ? ['', e.mainStat] : null, e.secondaryStat ? ['', e.secondaryStat] : null, ...(e.details ?? [])], e.links ?? []);
  };
  const near = hover === null ? null : graph.near.get(hover);
  // Figures on all edges are readable only when there are few.
  const labels = graph.edges.length <= 24;
  return (
    <div class="ng" ref={box} style={{ height: `${p.height}px` }} role="group" aria-label={`${p.label}: ${graph.nodes.length} nodes, ${graph.edges.length} edges`} onPointerDown={down} onPointerMove={move} onPointerUp={up} onPointerCancel={up} onKeyDown={keys}>
      <svg width={p.width} height={p.height} class={near ? 'focus' : ''} data-zoom={view.k.toFixed(3)}>
        <defs>
          <marker id="ng-tip" viewBox="0 0 8 8" refX="6" refY="4" markerWidth="8" markerHeight="8" markerUnits="userSpaceOnUse" orient="auto-start-reverse">
            <path d="M0 0.5 7 4 0 7.5z" class="ng-tip" />
          </marker>
        </defs>
        <g transform={`translate(${view.x.toFixed(1)} ${view.y.toFixed(1)}) scale(${view.k.toFixed(4)})`}>
          {graph.edges.map((x) => {
            const { d, mid } = edgePath(x, radius.get(x.e.source)!, radius.get(x.e.target)!);
            const lit = edge === x.e.id || (hover !== null && (x.e.source === hover || x.e.target === hover));
            const stat = cut([x.e.mainStat, x.e.secondaryStat].filter(Boolean).join(' · '), 30);
            return (
              <g key={x.e.id} class={`ng-edge${near && !lit ? ' dim' : ''}${lit ? ' lit' : ''}`} data-edge={x.e.id} onPointerEnter={() => setEdge(x.e.id)} onPointerLeave={() => setEdge(null)} onClick={(e) => openEdge(x.e, e.currentTarget)}>
                <path class="ng-hit" d={d} />
                <path class="ng-line" d={d} marker-end="url(#ng-tip)" stroke-dasharray={x.e.dash} style={{ stroke: lit ? undefined : x.e.color, strokeWidth: x.e.thickness ? `${x.e.thickness}px` : undefined }} />
                {stat && (lit || (labels && view.k > 0.55)) && (
                  <>
                    <rect class="ng-plate" x={mid.x - statWidth(stat) / 2} y={mid.y - 8} width={statWidth(stat)} height={16} rx={4} />
                    <text class="ng-stat" x={mid.x} y={mid.y + 4}>
                      {stat}
                    </text>
                  </>
                )}
              </g>
            );
          })}
          {graph.nodes.map((n) => (
            <Node key={n.id} n={n} at={graph.at.get(n.id)!} near={hover === n.id} dim={near !== null && near !== undefined && !near.has(n.id)} onEnter={() => setHover(n.id)} onLeave={() => setHover(null)} onOpen={(el) => openNode(n, el)} />
          ))}
        </g>
      </svg>
      {p.nodes.length > MOST_NODES && <p class="ng-more note">{`The first ${MOST_NODES} of ${p.nodes.length} nodes.`}</p>}
      <div class="ng-tools">
        {p.tools}
        <button type="button" class="icon-btn" title="Closer (+)" aria-label="Closer" onClick={() => zoom(1.25)}>
          <Icon name="plus" size={14} />
        </button>
        <button type="button" class="icon-btn" title="Further away (-)" aria-label="Further away" onClick={() => zoom(0.8)}>
          <Icon name="zoomout" size={14} />
        </button>
        <button type="button" class="icon-btn" title="Show all (0)" aria-label="Show all" onClick={reset}>
          <Icon name="expand" size={14} />
        </button>
      </div>
      {open && (
        <div class="ng-open anchor" style={{ left: `${open.x}px`, top: `${open.y}px` }} onPointerDown={(e) => e.stopPropagation()}>
          <Popover onClose={() => setOpen(null)} label={open.title} class="menu">
            <strong class="ng-open-title">{open.title}</strong>
            <dl>
              {open.rows.map(([k, v], i) => (
                <div key={i}>
                  {k && <dt>{k}</dt>}
                  <dd class="num">{v}</dd>
                </div>
              ))}
            </dl>
            {open.links.map((l, i) => (
              <a key={i} class="row-btn" href={l.href} {...(l.newTab ? { target: '_blank', rel: 'noopener noreferrer' } : {})} {...(l.inside ? { 'data-link': '' } : {})}>
                {l.title}
              </a>
            ))}
          </Popover>
        </div>
      )}
    </div>
  );
}
