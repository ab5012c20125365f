// A list of dashboards: starred, opened lately, found by words or tags.

import { useEffect, useState } from 'preact/hooks';
import { dashboards, recentDashboards, type SearchHit } from '../../api/dashboards';
import { basePath } from '../../shell/router';
import type { PanelView } from './props';

export default function DashList(p: PanelView) {
  const o = p.panel.options ?? {};
  const [lists, setLists] = useState<{ title: string; hits: { title: string; url: string }[] }[] | null>(null);
  const most = Number(o['maxItems'] ?? 10) || 10;
  const key = JSON.stringify(o);
  useEffect(() => {
    const abort = new AbortController();
    const cut = (hits: SearchHit[]) => hits.filter((h) => h.type === 'dash-db').slice(0, most);
    void (async () => {
      const out: { title: string; hits: { title: string; url: string }[] }[] = [];
      try {
        if (o['showStarred'] !== false) out.push({ title: 'Starred', hits: cut(await dashboards.search({ starred: true }, abort.signal)) });
        if (o['showRecentlyViewed'] === true) out.push({ title: 'Opened lately', hits: recentDashboards().slice(0, most).map((r) => ({ title: r.title, url: `/d/${encodeURIComponent(r.uid)}` })) });
        if (o['showSearch'] === true) {
          out.push({ title: 'Found', hits: cut(await dashboards.search({ query: p.fill(String(o['query'] ?? '')), tags: Array.isArray(o['tags']) ? (o['tags'] as string[]) : [], folderUid: typeof o['folderUID'] === 'string' ? o['folderUID'] : undefined }, abort.signal)) });
        }
      } catch {
        if (abort.signal.aborted) return;
      }
      if (!abort.signal.aborted) setLists(out);
    })();
    return () => abort.abort();
  }, [key]);
  const parts = [...(o['keepTime'] ? ['${__url_time_range}'] : []), ...(o['includeVars'] ? ['${__all_variables}'] : [])];
  const tail = parts.length ? `?${p.fill(parts.join('&'))}` : '';
  return (
    <div class="dashlist">
      {lists?.map((l) => (
        <section key={l.title}>
          {o['showHeadings'] !== false && lists.length > 0 && <h3>{l.title}</h3>}
          <ul>
            {l.hits.map((h) => (
              <li key={h.url}>
                <a data-link href={basePath + h.url.replace(/^\//, '') + tail}>
                  {h.title}
                </a>
              </li>
            ))}
            {l.hits.length === 0 && <li class="dim">None</li>}
          </ul>
        </section>
      ))}
    </div>
  );
}
