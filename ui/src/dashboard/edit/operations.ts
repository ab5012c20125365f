// Changes to a dashboard's panels. Each gives a new dashboard and leaves the old one as it was.

import { overlaps } from '../model/grid';
import { nextPanelId } from '../model/ids';
import type { Dashboard, GridPos, Panel } from '../model/types';

const COLUMNS = 24;

function bottom(panels: Panel[]): number {
  return panels.reduce((y, p) => Math.max(y, p.gridPos.y + p.gridPos.h), 0);
}

export function blankPanel(id: number, gridPos: GridPos): Panel {
  return {
    id,
    type: 'timeseries',
    title: 'New panel',
    gridPos,
    datasource: { type: 'prometheus', uid: 'prometheus' },
    targets: [{ refId: 'A', expr: '', datasource: { type: 'prometheus', uid: 'prometheus' }, editorMode: 'code', range: true }],
    fieldConfig: {
      defaults: { color: { mode: 'palette-classic' }, custom: { drawStyle: 'line', lineWidth: 1, fillOpacity: 10, showPoints: 'auto', spanNulls: false }, mappings: [], thresholds: { mode: 'absolute', steps: [{ value: null, color: 'green' }, { value: 80, color: 'red' }] } },
      overrides: [],
    },
    options: { legend: { showLegend: true, displayMode: 'list', placement: 'bottom', calcs: [] }, tooltip: { mode: 'multi', sort: 'desc' } },
  };
}

/** The first place on top that is wide enough, else below everything. */
function freePlace(panels: Panel[], w: number, h: number): GridPos {
  const end = bottom(panels);
  for (let y = 0; y < end; y++) {
    for (let x = 0; x + w <= COLUMNS; x += 1) {
      const at = { x, y, w, h };
      if (!panels.some((p) => overlaps(at, p.gridPos))) return at;
    }
  }
  return { x: 0, y: end, w, h };
}

export function addPanel(d: Dashboard): { dashboard: Dashboard; id: number } {
  const id = nextPanelId(d.panels);
  const hasRows = d.panels.some((p) => p.type === 'row');
  const at = hasRows ? { x: 0, y: bottom(d.panels), w: 12, h: 8 } : freePlace(d.panels, 12, 8);
  return { dashboard: { ...d, panels: [...d.panels, blankPanel(id, at)] }, id };
}

/** Puts in a panel that was copied as JSON. */
export function pastePanel(d: Dashboard, panel: Panel): Dashboard {
  const id = nextPanelId(d.panels);
  const w = Math.min(panel.gridPos?.w ?? 12, COLUMNS);
  return { ...d, panels: [...d.panels, { ...panel, id, gridPos: { x: 0, y: bottom(d.panels), w, h: panel.gridPos?.h ?? 8 } }] };
}

export function addRow(d: Dashboard): Dashboard {
  const id = nextPanelId(d.panels);
  return { ...d, panels: [...d.panels, { id, type: 'row', title: 'New row', collapsed: false, panels: [], gridPos: { x: 0, y: bottom(d.panels), w: COLUMNS, h: 1 } }] };
}

export function removePanel(d: Dashboard, id: number): Dashboard {
  const out: Panel[] = [];
  for (const p of d.panels) {
    if (p.id === id) {
      // A row gives its panels back.
      if (p.type === 'row') out.push(...(p.panels ?? []));
      continue;
    }
    out.push(p.panels?.some((c) => c.id === id) ? { ...p, panels: p.panels.filter((c) => c.id !== id) } : p);
  }
  return { ...d, panels: settle(out) };
}

export function duplicatePanel(d: Dashboard, id: number): Dashboard {
  const nid = nextPanelId(d.panels);
  const copyIn = (list: Panel[]): Panel[] =>
    list.flatMap((p) => {
      if (p.panels?.some((c) => c.id === id)) return [{ ...p, panels: copyIn(p.panels) }];
      if (p.id !== id) return [p];
      const right = p.gridPos.x + p.gridPos.w * 2 <= COLUMNS;
      const at = right ? { ...p.gridPos, x: p.gridPos.x + p.gridPos.w } : { ...p.gridPos, y: p.gridPos.y + p.gridPos.h };
      return [p, { ...structuredClone(p), id: nid, gridPos: at, title: p.title }];
    });
  return { ...d, panels: place(copyIn(d.panels), nid) };
}

/** Pushes down what the panel now lies on, and what that then lies on. */
export function place(panels: Panel[], id: number): Panel[] {
  const list = panels.map((p) => ({ ...p }));
  const moved = list.find((p) => p.id === id);
  if (!moved) return list;
  const queue = [moved];
  let guard = list.length * list.length + 10;
  while (queue.length && guard-- > 0) {
    const p = queue.shift()!;
    for (const o of list) {
      if (o === p || o === moved || !overlaps(p.gridPos, o.gridPos)) continue;
      o.gridPos = { ...o.gridPos, y: p.gridPos.y + p.gridPos.h };
      queue.push(o);
    }
  }
  return settle(list, id);
}

/** Lets panels rise into the room above them, within their row; the one held stays where it is. */
export function settle(panels: Panel[], held?: number): Panel[] {
  const order = panels.slice().sort((a, b) => a.gridPos.y - b.gridPos.y || a.gridPos.x - b.gridPos.x);
  const done: Panel[] = [];
  let floor = 0;
  for (const p of order) {
    if (p.type === 'row') {
      const y = bottom(done);
      done.push({ ...p, gridPos: { ...p.gridPos, y } });
      floor = y + 1;
      continue;
    }
    let y = p.id === held ? Math.max(floor, p.gridPos.y) : floor;
    while (done.some((o) => overlaps({ ...p.gridPos, y }, o.gridPos))) y++;
    done.push({ ...p, gridPos: { ...p.gridPos, y } });
  }
  const by = new Map(done.map((p) => [p.id, p]));
  return panels.map((p) => by.get(p.id)!);
}

/** Moves or resizes one panel on the grid. */
export function setPlace(d: Dashboard, id: number, at: GridPos): Dashboard {
  const fit = { x: Math.max(0, Math.min(at.x, COLUMNS - 1)), y: Math.max(0, at.y), w: Math.max(2, at.w), h: Math.max(2, at.h) };
  fit.w = Math.min(fit.w, COLUMNS - fit.x);
  const row = d.panels.find((p) => p.panels?.some((c) => c.id === id));
  if (row) {
    const children = place(row.panels!.map((p) => (p.id === id ? { ...p, gridPos: fit } : p)), id);
    return { ...d, panels: d.panels.map((p) => (p === row ? { ...row, panels: children } : p)) };
  }
  return { ...d, panels: place(d.panels.map((p) => (p.id === id ? { ...p, gridPos: fit } : p)), id) };
}
