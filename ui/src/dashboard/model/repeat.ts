// From the stored panels to what stands on the page: rows as sections, panels and rows repeated for
// each value of their variable.

import { settle } from './grid';
import type { GridPos, Panel } from './types';
import type { VarValue } from '../variables/interpolate';

export type Scoped = Record<string, VarValue>;

export interface Placed {
  /** Unique on the page. */
  key: string;
  panel: Panel;
  /** Place within its section. */
  pos: GridPos;
  scoped: Scoped;
  /** A copy made by repeating; edits go to the first. */
  copy: boolean;
}

export interface Section {
  key: string;
  row: Panel | null;
  scoped: Scoped;
  copy: boolean;
  panels: Placed[];
}

/** The values of a variable that panels are repeated by: [value, text] pairs. */
export type RepeatValues = (name: string) => [value: string, text: string][] | null;

const COLUMNS = 24;

function byPlace(a: Panel, b: Panel): number {
  return a.gridPos.y - b.gridPos.y || a.gridPos.x - b.gridPos.x;
}

function expandPanels(panels: Panel[], values: RepeatValues, scoped: Scoped, prefix: string, copy: boolean): Placed[] {
  const top = panels.length ? Math.min(...panels.map((p) => p.gridPos.y)) : 0;
  const out: Placed[] = [];
  // How far what stands below has been pushed down by repeated panels.
  let pushed = 0;
  const shifts: { below: number; by: number }[] = [];
  for (const p of panels.slice().sort(byPlace)) {
    const at = { ...p.gridPos, y: p.gridPos.y - top };
    pushed = shifts.reduce((s, x) => s + (at.y >= x.below ? x.by : 0), 0);
    const vs = p.repeat ? values(p.repeat) : null;
    if (!vs || vs.length === 0) {
      out.push({ key: `${prefix}${p.id}`, panel: p, pos: { ...at, y: at.y + pushed }, scoped, copy });
      continue;
    }
    const vertical = p.repeatDirection === 'v';
    const per = vertical ? 1 : Math.max(1, Math.min(vs.length, p.maxPerRow || 4));
    const w = vertical ? at.w : Math.max(1, Math.floor(COLUMNS / per));
    vs.forEach(([value, text], i) => {
      out.push({
        key: `${prefix}${p.id}${i === 0 ? '' : `~${value}`}`,
        panel: p,
        pos: { x: vertical ? at.x : (i % per) * w, y: at.y + pushed + Math.floor(i / per) * at.h, w, h: at.h },
        scoped: { ...scoped, [p.repeat!]: { value, text } },
        copy: copy || i > 0,
      });
    });
    const lines = vertical ? vs.length : Math.ceil(vs.length / per);
    if (lines > 1) shifts.push({ below: at.y + 1, by: (lines - 1) * at.h });
  }
  // Copies take the whole width, also where something stood beside the panel.
  settle(out);
  return out;
}

export function sections(panels: Panel[], values: RepeatValues): Section[] {
  const groups: { row: Panel | null; children: Panel[] }[] = [{ row: null, children: [] }];
  for (const p of panels.slice().sort(byPlace)) {
    if (p.type === 'row') groups.push({ row: p, children: [...(p.panels ?? [])] });
    else groups[groups.length - 1]!.children.push(p);
  }
  const out: Section[] = [];
  for (const g of groups) {
    if (!g.row) {
      if (g.children.length) out.push({ key: 'top', row: null, scoped: {}, copy: false, panels: expandPanels(g.children, values, {}, '', false) });
      continue;
    }
    const vs = g.row.repeat ? values(g.row.repeat) : null;
    const runs: { scoped: Scoped; suffix: string }[] = vs?.length
      ? vs.map(([value, text], i) => ({ scoped: { [g.row!.repeat!]: { value, text } }, suffix: i === 0 ? '' : `~${value}` }))
      : [{ scoped: {}, suffix: '' }];
    for (const r of runs) {
      const prefix = r.suffix ? `${g.row.id}${r.suffix}/` : '';
      out.push({ key: `row-${g.row.id}${r.suffix}`, row: g.row, scoped: r.scoped, copy: r.suffix !== '', panels: expandPanels(g.children, values, r.scoped, prefix, r.suffix !== '') });
    }
  }
  return out;
}
