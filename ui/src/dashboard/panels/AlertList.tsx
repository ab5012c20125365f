// The alerts that are there now, from the Prometheus door's alerts API.

import { useMemo } from 'preact/hooks';
import type { Alert } from '../../api/alerts';
import { getJson } from '../../api/prom';
import { useLoad } from '../../api/live';
import { Icon } from '../../shell/icons';
import { formatSpan } from '../../format/units';
import type { PanelView } from './props';

/** `{a="b", c=~"d.*"}` as a test on labels; everything passes an empty one. */
export function labelFilter(text: string): (l: Record<string, string>) => boolean {
  const tests: ((l: Record<string, string>) => boolean)[] = [];
  for (const m of text.matchAll(/([\w.]+)\s*(=~|!~|!=|=)\s*"((?:[^"\\]|\\.)*)"/g)) {
    const [, name, op, raw] = m as unknown as [string, string, string, string];
    const value = raw.replace(/\\(.)/g, '$1');
    if (op === '=') tests.push((l) => (l[name] ?? '') === value);
    else if (op === '!=') tests.push((l) => (l[name] ?? '') !== value);
    else {
      let re: RegExp;
      try {
        re = new RegExp(`^(?:${value})$`);
      } catch {
        continue;
      }
      tests.push((l) => re.test(l[name] ?? '') === (op === '=~'));
    }
  }
  return (l) => tests.every((t) => t(l));
}

export default function AlertList(p: PanelView) {
  const o = p.panel.options ?? {};
  const load = useLoad((signal) => getJson<{ data: { alerts: Alert[] } }>('prometheus/api/v1/alerts', { signal }), []);
  const states = (o['stateFilter'] ?? {}) as { firing?: boolean; pending?: boolean };
  const list = useMemo(() => {
    const test = labelFilter(p.fill(String(o['alertInstanceLabelFilter'] ?? '')));
    const name = p.fill(String(o['alertName'] ?? '')).toLowerCase();
    return (load.value?.data.alerts ?? [])
      .filter((a) => a.state !== 'inactive' && (a.state === 'firing' ? states.firing !== false : states.pending !== false))
      .filter((a) => test(a.labels) && (a.labels['alertname'] ?? '').toLowerCase().includes(name))
      .sort((a, b) => Number(a.state !== 'firing') - Number(b.state !== 'firing') || (a.labels['alertname'] ?? '').localeCompare(b.labels['alertname'] ?? ''));
  }, [load.value, JSON.stringify(o)]);
  if (load.error && !load.value) return <div class="failure">{load.error.message}</div>;
  if (o['viewMode'] === 'stat') return <div class="stat center"><span class="stat-value num" style={{ fontSize: '42px', color: list.length ? 'var(--bad)' : 'var(--good)' }}>{list.length}</span></div>;
  if (load.value && list.length === 0) return <div class="empty">No alert is firing.</div>;
  const now = Date.now();
  return (
    <ul class="alertlist">
      {list.slice(0, Number(o['maxItems'] ?? 20) || 20).map((a, i) => (
        <li key={i}>
          <span class={a.state === 'firing' ? 'tag bad' : 'tag warn'}>
            <Icon name="warn" size={11} /> {a.state}
          </span>
          <span class="grow">
            <strong>{a.labels['alertname']}</strong>{' '}
            <span class="dim">
              {Object.entries(a.labels)
                .filter(([k]) => k !== 'alertname')
                .map(([k, v]) => `${k}=${v}`)
                .join(' ')}
            </span>
            {a.annotations['summary'] && <div>{a.annotations['summary']}</div>}
          </span>
          {a.activeAt && <span class="dim num">{formatSpan(Math.floor((now - Date.parse(a.activeAt)) / 1000))}</span>}
        </li>
      ))}
    </ul>
  );
}
