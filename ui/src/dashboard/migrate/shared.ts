// A dashboard for another server: data sources as inputs to fill in (`__inputs`), library panels along (`__elements`),
// what it needs (`__requires`). Reading such a file is import.ts.

import { libraryUid, type LibraryElement } from '../../api/library';
import type { Dashboard, Loose, Panel } from '../model/types';
import { sourceKind, type SourceKind } from '../query/datasource';

type Element = Pick<LibraryElement, 'uid' | 'name' | 'model'>;

/** Kinds that somebody who imports has to say which one of theirs is meant. */
const INPUTS: Partial<Record<SourceKind, string>> = { prometheus: 'Prometheus', loki: 'Loki', tempo: 'Tempo', graphite: 'Graphite' };

export function toShared(d: Dashboard, elements: Map<string, Element>): Loose {
  const used = new Map<string, string>();
  const panels = new Set<string>();
  const input = (kind: string) => `DS_${kind.toUpperCase()}`;
  /** A reference that names one of our doors becomes an input; variables and what Grafana has itself stay. */
  const reference = (ref: unknown): unknown => {
    const raw = typeof ref === 'string' ? ref : typeof ref === 'object' && ref !== null ? (ref as { uid?: unknown }).uid : undefined;
    if (typeof raw === 'string' && raw.includes('$')) return ref;
    const kind = sourceKind(ref as never);
    const name = kind ? INPUTS[kind] : undefined;
    if (!kind || !name) return ref;
    used.set(kind, name);
    return { type: kind, uid: `\${${input(kind)}}` };
  };
  const walk = (v: unknown, key = ''): unknown => {
    if (key === 'datasource') return reference(v);
    if (Array.isArray(v)) return v.map((x) => walk(x));
    if (typeof v === 'object' && v !== null) return Object.fromEntries(Object.entries(v).map(([k, x]) => [k, walk(x, k)]));
    return v;
  };
  const look = (list: Panel[]): void => {
    for (const p of list) {
      if (p.type !== 'row' && !p.type.startsWith('library-panel')) panels.add(p.type);
      if (p.panels) look(p.panels);
    }
  };
  look(d.panels);
  const out = walk(d) as Loose;
  const kept: Loose = {};
  const want = (list: Panel[]): void => {
    for (const p of list) {
      const uid = libraryUid(p);
      const e = uid ? elements.get(uid) : undefined;
      if (e && !kept[e.uid]) {
        panels.add(String(e.model['type'] ?? ''));
        kept[e.uid] = { uid: e.uid, name: e.name, kind: 1, model: walk(e.model) };
      }
      if (p.panels) want(p.panels);
    }
  };
  want(d.panels);
  delete out['__pharos'];
  return {
    __inputs: [...used].map(([kind, name]) => ({ name: input(kind), label: name, description: '', type: 'datasource', pluginId: kind, pluginName: name })),
    __elements: kept,
    __requires: [
      { type: 'grafana', id: 'grafana', name: 'Grafana', version: '' },
      ...[...used].map(([kind, name]) => ({ type: 'datasource', id: kind, name, version: '' })),
      ...[...panels].filter(Boolean).sort().map((id) => ({ type: 'panel', id, name: id, version: '' })),
    ],
    ...out,
    id: null,
    version: undefined,
  };
}

/** Library panels that a file brings along. */
export function elementsOf(raw: Loose): Element[] {
  const all = raw['__elements'];
  const list = Array.isArray(all) ? all : typeof all === 'object' && all !== null ? Object.values(all) : [];
  return (list as Loose[])
    .filter((e) => typeof e?.['uid'] === 'string' && typeof e['model'] === 'object' && e['model'] !== null)
    .map((e) => ({ uid: String(e['uid']), name: String(e['name'] ?? e['uid']), model: e['model'] as Record<string, unknown> }));
}
