// Panels kept once and used by several dashboards.

import type { Panel } from '../dashboard/model/types';
import { call } from './dashboards';

export interface LibraryElement {
  uid: string;
  name: string;
  type: string;
  description: string;
  folderUid: string;
  version: number;
  model: Record<string, unknown>;
}

const enc = encodeURIComponent;

/** What of a panel belongs to its dashboard and not to the library. */
const OWN = ['id', 'gridPos', 'libraryPanel', 'repeat', 'repeatDirection', 'maxPerRow'] as const;

export const library = {
  list: async (words = ''): Promise<LibraryElement[]> => (await call<{ result: { elements: LibraryElement[] } }>('GET', `library-elements?kind=1&perPage=500&searchString=${enc(words)}`)).result.elements,
  get: async (uid: string, signal?: AbortSignal): Promise<LibraryElement> => (await call<{ result: LibraryElement }>('GET', `library-elements/${enc(uid)}`, undefined, signal)).result,
  create: async (name: string, panel: Panel): Promise<LibraryElement> => (await call<{ result: LibraryElement }>('POST', 'library-elements', { name, kind: 1, model: modelOf(panel) })).result,
  /** Puts one in under its uid, unless there is one already. */
  keep: async (e: Pick<LibraryElement, 'uid' | 'name' | 'model'>): Promise<void> => {
    if (!(await library.list(e.name)).some((x) => x.uid === e.uid)) await call('POST', 'library-elements', { uid: e.uid, name: e.name, kind: 1, model: e.model });
  },
  change: async (uid: string, version: number, panel: Panel): Promise<LibraryElement> => (await call<{ result: LibraryElement }>('PATCH', `library-elements/${enc(uid)}`, { kind: 1, version, model: modelOf(panel) })).result,
  remove: (uid: string): Promise<unknown> => call('DELETE', `library-elements/${enc(uid)}`),
};

export function modelOf(p: Panel): Record<string, unknown> {
  const out: Record<string, unknown> = { ...p };
  for (const k of OWN) delete out[k];
  return out;
}

export function libraryUid(p: Panel): string | null {
  const ref = p['libraryPanel'] as { uid?: unknown } | undefined;
  return typeof ref?.uid === 'string' && ref.uid !== '' ? ref.uid : null;
}

/** The panel as it is drawn: the library's, in the place that the dashboard gives it. */
export function fromLibrary(p: Panel, e: Pick<LibraryElement, 'uid' | 'name' | 'model'>): Panel {
  const own = Object.fromEntries(OWN.filter((k) => p[k] !== undefined).map((k) => [k, p[k]]));
  return { ...(e.model as unknown as Panel), ...own, id: p.id, gridPos: p.gridPos, libraryPanel: { uid: e.uid, name: e.name } };
}

/** As a dashboard stores it: only what is the dashboard's. */
export function libraryRef(p: Panel): Panel {
  const own = Object.fromEntries(OWN.filter((k) => p[k] !== undefined).map((k) => [k, p[k]]));
  return { ...own, id: p.id, gridPos: p.gridPos, type: 'library-panel-ref', title: p.title ?? '' } as Panel;
}
