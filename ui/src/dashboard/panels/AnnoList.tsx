// The latest annotations that people wrote.

import { dashboards } from '../../api/dashboards';
import { useLoad } from '../../api/live';
import { formatInstant } from '../../time/grammar';
import { zone } from '../../time/state';
import type { PanelView } from './props';

export default function AnnoList(p: PanelView) {
  const o = p.panel.options ?? {};
  const load = useLoad(
    (signal, r) =>
      dashboards.annotations(
        {
          fromMs: o['onlyInTimeRange'] === true ? r.fromMs : 0,
          toMs: o['onlyInTimeRange'] === true ? r.toMs : Date.now(),
          dashboardUid: o['onlyFromThisDashboard'] === true ? String(p.session.model.peek().uid ?? '') : undefined,
          tags: Array.isArray(o['tags']) ? (o['tags'] as string[]) : undefined,
          limit: Number(o['limit'] ?? 10) || 10,
        },
        signal,
      ),
    [JSON.stringify(o)],
  );
  if (load.error && !load.value) return <div class="failure">{load.error.message}</div>;
  if (load.value?.length === 0) return <div class="empty">No annotations yet.</div>;
  return (
    <ul class="alertlist">
      {load.value?.map((a) => (
        <li key={a.id}>
          <span class="grow">
            {a.text.replace(/<[^>]*>/g, ' ')}{' '}
            {o['showTags'] !== false &&
              a.tags.map((t) => (
                <span class="tag" key={t}>
                  {t}
                </span>
              ))}
          </span>
          {o['showTime'] !== false && <span class="dim num">{formatInstant(a.time, zone.value)}</span>}
        </li>
      ))}
    </ul>
  );
}
