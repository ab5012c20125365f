// The address bar is the state: pages read parameters as signals and write them back here.
// Parameter names are Grafana's (from, to, refresh, timezone, theme, var-<name>, panes).

import { computed, signal } from '@preact/signals';

/** Path of the application's root, with a trailing slash (a reverse proxy may set a prefix). */
export const basePath = new URL(document.baseURI).pathname.replace(/[^/]*$/, '');

interface Location {
  path: string;
  params: URLSearchParams;
}

function read(): Location {
  let path = location.pathname;
  if (path.startsWith(basePath)) path = `/${path.slice(basePath.length)}`;
  if (path.length > 1) path = path.replace(/\/+$/, '');
  return { path, params: new URLSearchParams(location.search) };
}

export const current = signal<Location>(read());
export const path = computed(() => current.value.path);

addEventListener('popstate', () => {
  current.value = read();
});

/** Parameters that travel with the reader from page to page. */
const STICKY = ['from', 'to', 'refresh', 'timezone', 'theme'];

export function href(to: string, params: Record<string, string> = {}): string {
  const q = new URLSearchParams();
  for (const name of STICKY) {
    const v = current.value.params.get(name);
    if (v !== null) q.set(name, v);
  }
  for (const [k, v] of Object.entries(params)) q.set(k, v);
  const text = pretty(q);
  return basePath + to.replace(/^\//, '') + (text ? `?${text}` : '');
}

/** Query strings with the characters people read left as they are. */
function pretty(q: URLSearchParams): string {
  return q.toString().replace(/%2F/g, '/').replace(/%3A/g, ':').replace(/%2C/g, ',');
}

export function go(url: string, replace = false): void {
  if (url === location.pathname + location.search) return;
  if (replace) history.replaceState(null, '', url);
  else history.pushState(null, '', url);
  current.value = read();
  if (!replace) scrollTo(0, 0);
}

export function setParams(patch: Record<string, string | string[] | null>, push = false): void {
  const q = new URLSearchParams(location.search);
  for (const [k, v] of Object.entries(patch)) {
    q.delete(k);
    if (Array.isArray(v)) for (const one of v) q.append(k, one);
    else if (v !== null) q.set(k, v);
  }
  const text = pretty(q);
  const url = location.pathname + (text ? `?${text}` : '');
  if (url === location.pathname + location.search) return;
  if (push) history.pushState(null, '', url);
  else history.replaceState(null, '', url);
  current.value = read();
}

/** Follows plain left clicks on links of our own without loading the page anew. */
export function interceptLinks(root: HTMLElement): void {
  root.addEventListener('click', (e) => {
    if (e.defaultPrevented || e.button !== 0 || e.metaKey || e.ctrlKey || e.shiftKey || e.altKey) return;
    const a = (e.target as Element | null)?.closest('a');
    if (!a || a.target || a.hasAttribute('download') || a.origin !== location.origin) return;
    if (!a.hasAttribute('data-link')) return;
    e.preventDefault();
    go(a.pathname + a.search);
  });
}
