// Log lines, newest first, with level, labels and details. Only the lines in view are in the page.

import { useMemo } from 'preact/hooks';
import { timeField } from '../frame/frame';
import { LogList, type LogLine } from '../../logs/LogList';
import type { PanelView } from './props';

export default function Logs(p: PanelView) {
  const o = p.panel.options ?? {};
  const lines = useMemo(() => {
    const out: LogLine[] = [];
    for (const f of p.frames) {
      const t = timeField(f);
      const line = f.fields.find((x) => x.name === 'Line' || x.name === 'body') ?? f.fields.find((x) => x.type === 'string' && x.name !== 'tsNs' && x.name !== 'level');
      if (!t || !line) continue;
      const labels = f.fields.find((x) => x.name === 'labels' && x.type === 'other');
      const ns = f.fields.find((x) => x.name === 'tsNs');
      const level = f.fields.find((x) => x.name === 'level');
      for (let i = 0; i < f.length; i++) {
        out.push({ timeMs: t.values[i] as number, ns: String(ns?.values[i] ?? `${t.values[i] as number}000000`), line: String(line.values[i] ?? ''), labels: (labels?.values[i] ?? line.labels ?? {}) as Record<string, string>, level: String(level?.values[i] ?? 'unknown') });
      }
    }
    const up = o['sortOrder'] === 'Ascending';
    return out.sort((a, b) => (a.ns < b.ns ? -1 : a.ns > b.ns ? 1 : 0) * (up ? 1 : -1));
  }, [p.frames, o['sortOrder']]);
  if (lines.length === 0) return <div class="empty">No lines in this time range.</div>;
  return (
    <LogList
      lines={lines}
      height={p.height}
      showTime={o['showTime'] !== false}
      showLabels={o['showLabels'] === true}
      wrap={o['wrapLogMessage'] === true}
      pretty={o['prettifyLogMessage'] === true}
      details={o['enableLogDetails'] !== false}
      dedup={String(o['dedupStrategy'] ?? 'none')}
    />
  );
}
