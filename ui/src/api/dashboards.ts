// Stored dashboards, folders, stars, versions and annotations: the Grafana HTTP API of the main
// door. Without that API (an older server) dashboards live in this browser only.

import { safeGet, safeSet } from '../shell/theme';
import { ApiError } from './prom';
import * as local from './dashboards_local';

export type Json = Record<string, unknown>;

export interface DashboardMeta {
  slug: string;
  url: string;
  version: number;
  folderUid: string;
  folderTitle: string;
  isStarred: boolean;
  canSave: boolean;
  provisioned: boolean;
  provisionedExternalId?: string;
  updated?: string;
  updatedBy?: string;
}

export interface Stored {
  dashboard: Json;
  meta: DashboardMeta;
}

export interface SearchHit {
  uid: string;
  title: string;
  url: string;
  type: 'dash-db' | 'dash-folder';
  tags: string[];
  isStarred: boolean;
  folderUid?: string;
  folderTitle?: string;
}

export interface Saved {
  uid: string;
  url: string;
  version: number;
  slug: string;
}

export interface Folder {
  uid: string;
  title: string;
  version?: number;
  parentUid?: string;
  /** Titles from the outermost folder down. */
  path?: string;
}

export interface Version {
  version: number;
  created: string;
  createdBy: string;
  message: string;
  restoredFrom?: number;
}

export interface Annotation {
  id: number;
  time: number;
  timeEnd?: number;
  text: string;
  tags: string[];
  dashboardUID?: string | null;
  panelId?: number;
}

/** Someone saved meanwhile, or there is one of that name. */
export class ConflictError extends ApiError {
  constructor(
    message: string,
    readonly reason: 'version-mismatch' | 'name-exists',
  ) {
    super(message, 'conflict', 412);
  }
}

export async function call<T>(method: string, path: string, body?: unknown, signal?: AbortSignal): Promise<T> {
  let res: Response;
  try {
    res = await fetch(new URL(`api/${path}`, document.baseURI), {
      method,
      signal,
      ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { 'Content-Type': 'application/json' } }),
    });
  } catch (e) {
    if (e instanceof DOMException && e.name === 'AbortError') throw e;
    throw new ApiError('Pharos does not answer. Is it still running?', 'network', 0);
  }
  const text = await res.text();
  let data: unknown = null;
  try {
    data = text === '' ? null : JSON.parse(text);
  } catch {
    if (res.ok) throw new ApiError(`The answer to ${path} is not JSON.`, 'http', res.status);
  }
  if (!res.ok) {
    const e = (data ?? {}) as { message?: string; status?: string; error?: string };
    const message = e.message ?? e.error ?? `${res.status} ${res.statusText}`;
    if (res.status === 412) throw new ConflictError(message, e.status === 'name-exists' ? 'name-exists' : 'version-mismatch');
    throw new ApiError(message, 'http', res.status);
  }
  return data as T;
}

let probing: Promise<boolean> | null = null;

/** Whether the server keeps dashboards; asked once. */
export function serverKeeps(): Promise<boolean> {
  probing ??= call('GET', 'search?limit=1').then(
    () => true,
    (e: unknown) => !(e instanceof ApiError && (e.status === 404 || e.status === 405)),
  );
  return probing;
}

async function either<T>(remote: () => Promise<T>, here: () => T | Promise<T>): Promise<T> {
  return (await serverKeeps()) ? remote() : here();
}

const enc = encodeURIComponent;

export const dashboards = {
  get: (uid: string, signal?: AbortSignal): Promise<Stored> =>
    either(
      () => call<Stored>('GET', `dashboards/uid/${enc(uid)}`, undefined, signal),
      () => local.get(uid),
    ),

  save: (dashboard: Json, o: { folderUid?: string; message?: string; overwrite?: boolean }): Promise<Saved> =>
    either(
      () => call<Saved>('POST', 'dashboards/db', { dashboard, folderUid: o.folderUid ?? '', message: o.message ?? '', overwrite: o.overwrite ?? false }),
      () => local.save(dashboard, o),
    ),

  remove: (uid: string): Promise<unknown> =>
    either<unknown>(
      () => call('DELETE', `dashboards/uid/${enc(uid)}`),
      () => local.remove(uid),
    ),

  search: (o: { query?: string; tags?: string[]; folderUid?: string; starred?: boolean; limit?: number }, signal?: AbortSignal): Promise<SearchHit[]> => {
    const q = new URLSearchParams();
    if (o.query) q.set('query', o.query);
    for (const t of o.tags ?? []) q.append('tag', t);
    if (o.folderUid) q.set('folderUIDs', o.folderUid);
    if (o.starred) q.set('starred', 'true');
    q.set('limit', String(o.limit ?? 1000));
    return either(
      () => call<SearchHit[]>('GET', `search?${q}`, undefined, signal),
      () => local.search(o),
    );
  },

  star: (uid: string, on: boolean): Promise<unknown> =>
    either<unknown>(
      () => call(on ? 'POST' : 'DELETE', `user/stars/dashboard/uid/${enc(uid)}`),
      () => local.star(uid, on),
    ),

  /** All folders, also those in others. */
  folders: (): Promise<Folder[]> =>
    either(
      async () => {
        const hits = await call<SearchHit[]>('GET', 'search?type=dash-folder&limit=5000');
        const by = new Map(hits.map((h) => [h.uid, h]));
        const path = (h: SearchHit, depth = 0): string => {
          const up = h.folderUid && depth < 10 ? by.get(h.folderUid) : undefined;
          return up ? `${path(up, depth + 1)} / ${h.title}` : h.title;
        };
        return hits.map((h) => ({ uid: h.uid, title: h.title, parentUid: h.folderUid, path: path(h) })).sort((a, b) => (a.path < b.path ? -1 : 1));
      },
      () => [],
    ),

  makeFolder: (title: string, parentUid?: string): Promise<Folder> => call('POST', 'folders', { title, ...(parentUid ? { parentUid } : {}) }),
  renameFolder: (f: Folder, title: string): Promise<Folder> => call('PUT', `folders/${enc(f.uid)}`, { title, version: f.version, overwrite: true }),
  moveFolder: (uid: string, parentUid: string): Promise<Folder> => call('POST', `folders/${enc(uid)}/move`, { parentUid }),
  removeFolder: (uid: string): Promise<unknown> => call('DELETE', `folders/${enc(uid)}`),

  versions: (uid: string): Promise<Version[]> =>
    either(
      async () => {
        const r = await call<{ versions?: Version[] } | Version[]>('GET', `dashboards/uid/${enc(uid)}/versions?limit=100`);
        return Array.isArray(r) ? r : (r.versions ?? []);
      },
      () => [],
    ),
  version: async (uid: string, version: number): Promise<Json> => (await call<{ data: Json }>('GET', `dashboards/uid/${enc(uid)}/versions/${version}`)).data,
  restore: (uid: string, version: number): Promise<Saved> => call('POST', `dashboards/uid/${enc(uid)}/restore`, { version }),

  annotations: (o: { fromMs: number; toMs: number; dashboardUid?: string; tags?: string[]; matchAny?: boolean; limit?: number }, signal?: AbortSignal): Promise<Annotation[]> => {
    const q = new URLSearchParams({ from: String(Math.round(o.fromMs)), to: String(Math.round(o.toMs)), limit: String(o.limit ?? 100) });
    if (o.dashboardUid) q.set('dashboardUID', o.dashboardUid);
    for (const t of o.tags ?? []) q.append('tags', t);
    if (o.matchAny) q.set('matchAny', 'true');
    return either(
      () => call<Annotation[]>('GET', `annotations?${q}`, undefined, signal),
      () => [],
    );
  },
  annotate: (a: { dashboardUID?: string; panelId?: number; time: number; timeEnd?: number; tags: string[]; text: string }): Promise<{ id: number }> => call('POST', 'annotations', a),
  changeAnnotation: (id: number, a: { time: number; timeEnd: number; tags: string[]; text: string }): Promise<unknown> => call('PUT', `annotations/${id}`, a),
  removeAnnotation: (id: number): Promise<unknown> => call('DELETE', `annotations/${id}`),

  share: (uid: string): Promise<{ accessToken: string }> =>
    call('POST', `dashboards/uid/${enc(uid)}/public-dashboards`, { isEnabled: true, timeSelectionEnabled: true, annotationsEnabled: true, share: 'public' }),
  snapshot: (dashboard: Json, name: string, expires: number): Promise<{ key: string; url: string }> => call('POST', 'snapshots', { dashboard, name, expires }),
};

const RECENT = 'pharos.recent';

/** Dashboards opened lately, newest first; kept in this browser. */
export function recentDashboards(): { uid: string; title: string }[] {
  try {
    const list = JSON.parse(safeGet(RECENT) ?? '[]') as { uid: string; title: string }[];
    return Array.isArray(list) ? list.filter((x) => typeof x?.uid === 'string' && typeof x.title === 'string') : [];
  } catch {
    return [];
  }
}

export function rememberOpened(uid: string, title: string): void {
  safeSet(RECENT, JSON.stringify([{ uid, title }, ...recentDashboards().filter((r) => r.uid !== uid)].slice(0, 12)));
}
