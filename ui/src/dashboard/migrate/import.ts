// Reading a file that somebody has: which form it is, what it asks to be filled in, and what of it
// Pharos does not draw. The file's own JSON is what gets stored.

import { allPanels } from '../model/ids';
import { sourceKind } from '../query/datasource';
import type { Dashboard, Loose } from '../model/types';
import { isDrawn } from '../panels/known';
import { isKnownTransformation, PASSED_OVER } from '../transform/known';
import { migrateClassic } from './classic';
import { elementsOf } from './shared';
import { isV1Resource, isV2, v2ToClassic } from './v2';

export interface ImportInput {
  name: string;
  label: string;
  type: string;
  pluginId: string;
  value: string;
}

export interface Imported {
  /** What is stored. */
  raw: Loose;
  /** What is drawn. */
  dashboard: Dashboard;
  form: 'classic' | 'shared export' | 'v1 resource' | 'v2 resource';
  inputs: ImportInput[];
  /** Names of library panels that come along. */
  elements: string[];
  /** One line a thing that will not be as it was. */
  warnings: string[];
}

/** Kinds of server-side expressions that are evaluated. */
export const EXPRESSIONS = new Set(['math', 'reduce', 'resample', 'threshold', 'classic_conditions']);

export class ImportError extends Error {}

/** Answers of Grafana's API and ConfigMaps wrap the dashboard. */
function unwrap(v: unknown): Loose {
  if (typeof v !== 'object' || v === null || Array.isArray(v)) throw new ImportError('A dashboard is a JSON object; this is something else.');
  const o = v as Loose;
  if (isV2(o) || isV1Resource(o)) return o;
  if (typeof o['dashboard'] === 'object' && o['dashboard'] !== null && !o['panels']) return unwrap(o['dashboard']);
  if (o['kind'] === 'ConfigMap' && typeof o['data'] === 'object') {
    for (const text of Object.values(o['data'] as Loose)) {
      if (typeof text !== 'string') continue;
      try {
        return unwrap(JSON.parse(text));
      } catch {
        // The next entry may be one.
      }
    }
  }
  return o;
}

export function parseDashboard(text: string): Loose {
  let v: unknown;
  try {
    v = JSON.parse(text);
  } catch (e) {
    throw new ImportError(`This is not JSON: ${(e as Error).message}`);
  }
  return unwrap(v);
}

/** The dashboard to draw of whatever is stored. */
export function toDashboard(raw: Loose): Dashboard {
  if (isV2(raw)) return migrateClassic(v2ToClassic(raw));
  if (isV1Resource(raw)) {
    const spec = raw['spec'] as Dashboard;
    const name = (raw['metadata'] as Loose | undefined)?.['name'];
    return migrateClassic({ ...spec, uid: spec.uid ?? (typeof name === 'string' ? name : null) });
  }
  return migrateClassic(raw as unknown as Dashboard);
}

function warningsOf(d: Dashboard): string[] {
  const counts = new Map<string, number>();
  const say = (text: string) => counts.set(text, (counts.get(text) ?? 0) + 1);
  for (const p of allPanels(d.panels)) {
    if (!isDrawn(p.type)) say(`Panel type “${p.type}” is not drawn; its place and its JSON are kept.`);
    for (const t of p.transformations ?? []) if (!isKnownTransformation(t.id)) say(`Transformation “${t.id}” is not applied: ${PASSED_OVER[t.id] ?? 'it is not known here.'}`);
    for (const t of p.targets ?? []) {
      const kind = sourceKind(t.datasource ?? p.datasource);
      if (kind === 'unknown') say(`Queries to ${typeof t.datasource === 'object' ? (t.datasource?.type ?? 'another source') : String(t.datasource)} have no door here.`);
      if (kind === 'expression' && !EXPRESSIONS.has(String(t['type'] ?? 'math'))) say(`Expressions of the kind “${String(t['type'])}” are not evaluated.`);
    }
  }
  return [...counts].map(([text, n]) => (n > 1 ? `${text} (${n}×)` : text));
}

export function importDashboard(text: string): Imported {
  const raw = parseDashboard(text);
  const v2 = isV2(raw);
  const v1 = !v2 && isV1Resource(raw);
  if (!v2 && !v1 && !Array.isArray(raw['panels']) && !Array.isArray(raw['rows'])) {
    throw new ImportError('This JSON has neither panels nor rows: it is no dashboard.');
  }
  const declared = Array.isArray(raw['__inputs']) ? (raw['__inputs'] as Loose[]) : [];
  const inputs = declared
    .filter((i) => typeof i?.['name'] === 'string')
    .map((i): ImportInput => {
      const type = String(i['type'] ?? 'datasource');
      const pluginId = String(i['pluginId'] ?? '');
      return { name: String(i['name']), label: String(i['label'] ?? i['name']), type, pluginId, value: type === 'constant' ? String(i['value'] ?? '') : pluginId || 'prometheus' };
    });
  const dashboard = toDashboard(raw);
  return { raw, dashboard, form: v2 ? 'v2 resource' : v1 ? 'v1 resource' : declared.length ? 'shared export' : 'classic', inputs, elements: elementsOf(raw).map((e) => e.name), warnings: warningsOf(dashboard) };
}

/** Fills `${NAME}` of the inputs in every text, and drops what only the file needed; the library panels it brings are apart. */
export function fillInputs(raw: Loose, inputs: ImportInput[]): { dashboard: Loose; elements: ReturnType<typeof elementsOf> } {
  const map = new Map(inputs.map((i) => [i.name, i.value]));
  const walk = (v: unknown): unknown => {
    if (typeof v === 'string') return v.includes('${') ? v.replace(/\$\{([A-Za-z_]\w*)\}/g, (all, n: string) => map.get(n) ?? all) : v;
    if (Array.isArray(v)) return v.map(walk);
    if (typeof v === 'object' && v !== null) return Object.fromEntries(Object.entries(v).map(([k, x]) => [k, walk(x)]));
    return v;
  };
  const out = walk(raw) as Loose;
  const elements = elementsOf(out);
  delete out['__inputs'];
  delete out['__requires'];
  delete out['__elements'];
  return { dashboard: out, elements };
}
