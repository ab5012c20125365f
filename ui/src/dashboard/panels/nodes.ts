// Frames to a graph, by Grafana's conventions for the node graph panel: a frame of nodes (id, title,
// subtitle, mainstat, secondarystat, arc__*, detail__*, color) and a frame of edges (id, source, target).

import type { GraphEdge, GraphNode } from '../../graph/NodeGraph';
import { resolveColor } from '../field/color';
import { displayer } from '../field/display';
import type { Field, Frame } from '../frame/frame';
import { readyLinks } from './links';

/** Column names are compared without regard to case, as Grafana does. */
const column = (f: Frame, name: string): Field | undefined => f.fields.find((x) => x.name.toLowerCase() === name);

export function isEdges(f: Frame): boolean {
  return f.kind === 'edges' || (column(f, 'source') !== undefined && column(f, 'target') !== undefined);
}

export function isNodes(f: Frame): boolean {
  return f.kind === 'nodes' || (column(f, 'id') !== undefined && !isEdges(f));
}

const ARC_COLORS: Record<string, string> = { arc__success: 'green', arc__failed: 'red', arc__errors: 'red', arc__faults: 'dark-red', arc__throttled: 'purple', arc__error: 'red' };

const DETAIL = 'detail__';
const ARC = 'arc__';

function text(x: Field | undefined, row: number): string | undefined {
  if (!x) return undefined;
  const v = x.values[row];
  if (v === null || v === undefined || v === '') return undefined;
  return typeof v === 'number' ? displayer(x)(v).text : String(v);
}

function details(f: Frame, row: number): [string, string][] {
  return f.fields
    .filter((x) => x.name.startsWith(DETAIL))
    .map((x): [string, string | undefined] => [x.config.displayName ?? x.name.slice(DETAIL.length), text(x, row)])
    .filter((d): d is [string, string] => d[1] !== undefined);
}

function links(f: Frame, all: Frame[], row: number, fill: (t: string) => string) {
  return f.fields.flatMap((x) => readyLinks(x.config.links, fill, { field: x, frame: f, all, row, value: x.values[row] }));
}

function colorOf(x: Field | undefined, row: number): string | undefined {
  if (!x) return undefined;
  const v = x.values[row];
  if (typeof v === 'string' && v !== '') return resolveColor(v);
  return typeof v === 'number' ? displayer(x)(v).color : undefined;
}

export function toGraph(frames: Frame[], fill: (t: string) => string): { nodes: GraphNode[]; edges: GraphEdge[] } {
  const nodes = new Map<string, GraphNode>();
  const edges: GraphEdge[] = [];
  for (const f of frames) {
    if (!isNodes(f)) continue;
    const id = column(f, 'id');
    if (!id) continue;
    const arcs = f.fields.filter((x) => x.name.startsWith(ARC));
    const title = column(f, 'title') ?? column(f, 'name');
    const subtitle = column(f, 'subtitle');
    const main = column(f, 'mainstat');
    const second = column(f, 'secondarystat');
    const color = column(f, 'color');
    const radius = column(f, 'noderadius');
    for (let i = 0; i < f.length; i++) {
      const key = String(id.values[i] ?? '');
      if (key === '' || nodes.has(key)) continue;
      const r = Number(radius?.values[i]);
      nodes.set(key, {
        id: key,
        title: text(title, i) ?? key,
        subtitle: text(subtitle, i),
        mainStat: text(main, i),
        secondaryStat: text(second, i),
        color: colorOf(color, i),
        arcs: arcs.map((x) => ({ label: x.config.displayName ?? x.name.slice(ARC.length), share: Math.min(1, Math.max(0, Number(x.values[i]) || 0)), color: resolveColor(x.config.color?.fixedColor ?? ARC_COLORS[x.name] ?? 'blue') })),
        radius: r > 0 ? Math.min(100, Math.max(10, r)) : undefined,
        details: details(f, i),
        links: links(f, frames, i, fill),
        faint: column(f, 'isinstrumented')?.values[i] === false,
      });
    }
  }
  for (const f of frames) {
    if (!isEdges(f)) continue;
    const source = column(f, 'source')!;
    const target = column(f, 'target')!;
    const id = column(f, 'id');
    const main = column(f, 'mainstat') ?? f.fields.find((x) => x.type === 'number' && /^value/i.test(x.name));
    const second = column(f, 'secondarystat');
    const thickness = column(f, 'thickness');
    const dash = column(f, 'strokedasharray');
    const color = column(f, 'color');
    for (let i = 0; i < f.length; i++) {
      const a = String(source.values[i] ?? '');
      const b = String(target.values[i] ?? '');
      if (a === '' || b === '') continue;
      // Nodes that only edges name are drawn as well.
      for (const n of [a, b]) if (!nodes.has(n)) nodes.set(n, { id: n, title: n });
      const t = Number(thickness?.values[i]);
      const d = String(dash?.values[i] ?? '');
      edges.push({
        id: `${String(id?.values[i] ?? '')}|${edges.length}`,
        source: a,
        target: b,
        mainStat: text(main, i),
        secondaryStat: text(second, i),
        color: colorOf(color, i),
        thickness: t > 0 ? Math.min(12, t) : undefined,
        dash: /^[\d\s,.]+$/.test(d) ? d : undefined,
        details: details(f, i),
        links: links(f, frames, i, fill),
      });
    }
  }
  return { nodes: [...nodes.values()], edges };
}
