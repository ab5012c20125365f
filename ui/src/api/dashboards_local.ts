// Dashboards kept in this browser, for servers that keep none.

import { safeGet, safeSet } from '../shell/theme';
import type { DashboardMeta, Json, Saved, SearchHit, Stored } from './dashboards';
import { ApiError } from './prom';

const STORE = 'pharos.dashboards';

interface Kept {
  dashboard: Json;
  starred: boolean;
}

function all(): Record<string, Kept> {
  try {
    const v = JSON.parse(safeGet(STORE) ?? '{}') as Record<string, Kept>;
    return typeof v === 'object' && v !== null ? v : {};
  } catch {
    return {};
  }
}

function slugOf(title: string): string {
  return title.toLowerCase().replace(/[^a-z0-9]+/g, '-').replace(/^-+|-+$/g, '') || 'dashboard';
}

const titleOf = (d: Json): string => String(d['title'] ?? (d['spec'] as Json | undefined)?.['title'] ?? 'Untitled');

function meta(uid: string, k: Kept): DashboardMeta {
  const slug = slugOf(titleOf(k.dashboard));
  return { slug, url: `/d/${uid}/${slug}`, version: Number(k.dashboard['version'] ?? 1), folderUid: '', folderTitle: '', isStarred: k.starred, canSave: true, provisioned: false };
}

export function get(uid: string): Stored {
  const k = all()[uid];
  if (!k) throw new ApiError('There is no dashboard of this id in this browser.', 'http', 404);
  return { dashboard: k.dashboard, meta: meta(uid, k) };
}

export function save(dashboard: Json, _o: unknown): Saved {
  const kept = all();
  const name = (dashboard['metadata'] as Json | undefined)?.['name'];
  const uid = String(dashboard['uid'] ?? name ?? '') || Math.random().toString(36).slice(2, 12);
  const version = Number(dashboard['version'] ?? 0) + 1;
  const v2 = typeof dashboard['apiVersion'] === 'string';
  kept[uid] = { dashboard: v2 ? dashboard : { ...dashboard, uid, version }, starred: kept[uid]?.starred ?? false };
  safeSet(STORE, JSON.stringify(kept));
  const m = meta(uid, kept[uid]);
  return { uid, url: m.url, version, slug: m.slug };
}

export function remove(uid: string): null {
  const kept = all();
  delete kept[uid];
  safeSet(STORE, JSON.stringify(kept));
  return null;
}

export function star(uid: string, on: boolean): null {
  const kept = all();
  if (kept[uid]) kept[uid].starred = on;
  safeSet(STORE, JSON.stringify(kept));
  return null;
}

export function search(o: { query?: string; tags?: string[]; starred?: boolean }): SearchHit[] {
  return Object.entries(all())
    .map(([uid, k]): SearchHit => {
      const tags = k.dashboard['tags'];
      return { uid, title: titleOf(k.dashboard), url: meta(uid, k).url, type: 'dash-db', tags: Array.isArray(tags) ? tags.map(String) : [], isStarred: k.starred };
    })
    .filter((h) => (!o.query || h.title.toLowerCase().includes(o.query.toLowerCase())) && (!o.starred || h.isStarred) && (o.tags ?? []).every((t) => h.tags.includes(t)))
    .sort((a, b) => a.title.localeCompare(b.title));
}
