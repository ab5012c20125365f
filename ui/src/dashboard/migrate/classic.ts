// Brings a classic dashboard of any schema version to today's form. What it does not know it keeps.

import { allPanels } from '../model/ids';
import type { Dashboard, Loose, Panel, VariableModel } from '../model/types';
import { upgradePanel } from './panels';
import { rowsToGrid } from './rows';

export const SCHEMA_VERSION = 42;

function upgradeVariable(v: VariableModel): VariableModel {
  const out: VariableModel = { ...v };
  const refresh = v.refresh as unknown;
  if (refresh === true) out.refresh = 1;
  else if (refresh === false) out.refresh = v.type === 'query' ? 1 : 0;
  if (out.type === 'query' && !out.refresh && !(out.options && out.options.length)) out.refresh = 1;
  if (typeof out.hide === 'string') out.hide = out.hide === 'hideLabel' ? 1 : out.hide === 'hideVariable' ? 2 : 0;
  if ((v as Loose)['hideVariable']) out.hide = 2;
  else if ((v as Loose)['hideLabel']) out.hide = 1;
  if (out.type === 'constant' && out.hide === undefined) out.hide = 2;
  const c = out.current;
  if (c && out.multi && c.value !== undefined && !Array.isArray(c.value)) out.current = { ...c, value: [c.value], text: Array.isArray(c.text) ? c.text : [c.text ?? c.value] };
  if (c && !out.multi && Array.isArray(c.value) && !(c.value.length === 1 && c.value[0] === '$__all' && out.includeAll)) {
    out.current = { ...c, value: c.value[0] ?? '', text: Array.isArray(c.text) ? (c.text[0] ?? '') : (c.text ?? '') };
  }
  delete (out as Loose)['tags'];
  delete (out as Loose)['tagsQuery'];
  delete (out as Loose)['tagValuesQuery'];
  delete (out as Loose)['useTags'];
  return out;
}

export function migrateClassic(source: Dashboard): Dashboard {
  const d = structuredClone(source) as Dashboard;
  let max = 0;
  const isObject = (p: unknown) => typeof p === 'object' && p !== null;
  const panels = (Array.isArray(d.panels) ? d.panels : []).filter(isObject);
  const rows = (Array.isArray(d['rows']) ? (d['rows'] as Loose[]) : []).filter(isObject);
  for (const p of [...allPanels(panels), ...rows.flatMap((r) => (r['panels'] as Panel[]) ?? [])]) max = Math.max(max, Number(p.id) || 0);
  const nextId = () => ++max;

  let list = panels;
  if (rows.length && list.length === 0) list = rowsToGrid(rows, nextId);
  delete d['rows'];

  const seen = new Set<number>();
  const upgrade = (p: Panel): Panel => {
    const out = upgradePanel(p);
    if (typeof out.id !== 'number' || seen.has(out.id)) out.id = nextId();
    seen.add(out.id);
    const g = out.gridPos ?? { x: 0, y: 0, w: 12, h: 9 };
    const w = Math.min(24, Math.max(1, Number(g.w) || 12));
    out.gridPos = { ...g, x: Math.min(Math.max(0, Number(g.x) || 0), 24 - w), y: Math.max(0, Number(g.y) || 0), w, h: Math.max(1, Number(g.h) || 8) };
    if (out.type === 'row') {
      out.gridPos = { ...out.gridPos, x: 0, w: 24, h: 1 };
      out.panels = (out.panels ?? []).map(upgrade);
    }
    return out;
  };
  // Copies that an earlier program made of repeated panels are made anew.
  d.panels = list.filter((p) => (p as Loose)['repeatPanelId'] === undefined || p.repeat).map(upgrade);

  const t = (d.templating ?? { list: [] }) as { list?: VariableModel[] };
  d.templating = { ...t, list: (t.list ?? []).filter((v) => typeof v?.name === 'string').map(upgradeVariable) };
  const a = (d.annotations ?? { list: [] }) as { list?: unknown };
  d.annotations = { ...a, list: Array.isArray(a.list) ? a.list : [] } as Dashboard['annotations'];
  d.links = Array.isArray(d.links) ? d.links : [];
  d.tags = Array.isArray(d.tags) ? d.tags : [];
  if (d['sharedCrosshair'] !== undefined && d.graphTooltip === undefined) d.graphTooltip = d['sharedCrosshair'] ? 1 : 0;
  delete d['sharedCrosshair'];
  if (typeof d.title !== 'string' || d.title === '') d.title = 'Untitled';
  if (d.time === undefined || typeof d.time?.from !== 'string' || typeof d.time?.to !== 'string') d.time = { from: 'now-6h', to: 'now' };
  d.schemaVersion = Math.max(SCHEMA_VERSION, Number(d.schemaVersion) || 0);
  return d;
}
