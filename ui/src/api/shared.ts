// What is made of dashboards to be looked at elsewhere: playlists, snapshots, public links.

import { call, dashboards, type SearchHit } from './dashboards';

export interface PlaylistItem {
  type: 'dashboard_by_uid' | 'dashboard_by_tag' | 'dashboard_by_id';
  value: string;
  title?: string;
}

export interface Playlist {
  uid: string;
  name: string;
  interval: string;
  items?: PlaylistItem[];
}

export interface Snapshot {
  key: string;
  name: string;
  created?: string;
  expires?: string;
}

export interface PublicLink {
  uid: string;
  accessToken: string;
  dashboardUid: string;
  title: string;
  isEnabled: boolean;
}

const enc = encodeURIComponent;

export const playlists = {
  list: (): Promise<Playlist[]> => call('GET', 'playlists'),
  get: (uid: string): Promise<Playlist> => call('GET', `playlists/${enc(uid)}`),
  save: (p: Omit<Playlist, 'uid'> & { uid?: string }): Promise<Playlist> => {
    const body = { name: p.name, interval: p.interval, items: p.items ?? [] };
    return p.uid ? call('PUT', `playlists/${enc(p.uid)}`, body) : call('POST', 'playlists', body);
  },
  remove: (uid: string): Promise<unknown> => call('DELETE', `playlists/${enc(uid)}`),
};

export const snapshots = {
  list: (): Promise<Snapshot[]> => call('GET', 'dashboard/snapshots?limit=1000'),
  remove: (key: string): Promise<unknown> => call('DELETE', `snapshots/${enc(key)}`),
};

export const publicLinks = {
  list: async (): Promise<PublicLink[]> => {
    const r = await call<{ publicDashboards?: PublicLink[] } | PublicLink[]>('GET', 'dashboards/public-dashboards');
    return Array.isArray(r) ? r : (r.publicDashboards ?? []);
  },
  change: (p: PublicLink, isEnabled: boolean): Promise<unknown> => call('PATCH', `dashboards/uid/${enc(p.dashboardUid)}/public-dashboards/${enc(p.uid)}`, { isEnabled }),
  remove: (p: PublicLink): Promise<unknown> => call('DELETE', `dashboards/uid/${enc(p.dashboardUid)}/public-dashboards/${enc(p.uid)}`),
};

/** The dashboards a playlist shows, in its order; tags stand for all that have them. */
export async function playlistBoards(p: Playlist): Promise<SearchHit[]> {
  const all = (await dashboards.search({})).filter((h) => h.type === 'dash-db');
  return (p.items ?? []).flatMap((i) => (i.type === 'dashboard_by_tag' ? all.filter((h) => h.tags.includes(i.value)) : all.filter((h) => h.uid === i.value)));
}
