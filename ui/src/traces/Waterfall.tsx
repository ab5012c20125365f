// The waterfall of a trace. Only the rows in view are in the page, so that 20,000 spans scroll well.

import { useMemo, useState } from 'preact/hooks';
import { paletteColor } from '../dashboard/field/color';
import { Icon } from '../shell/icons';
import { href } from '../shell/router';
import { theme } from '../shell/theme';
import { quote } from '../api/expr';
import { nsText } from './text';
import { criticalPath, type Span, type Trace } from './trace';
import './traces.css';

const ROW = 26;

function matches(s: Span, words: string): boolean {
  const low = words.toLowerCase();
  return s.name.toLowerCase().includes(low) || s.service.toLowerCase().includes(low) || s.id === low || s.attributes.some(([k, v]) => k.toLowerCase().includes(low) || v.toLowerCase().includes(low));
}

function Attributes({ title, list }: { title: string; list: [string, string][] }) {
  if (list.length === 0) return null;
  return (
    <>
      <h3>{title}</h3>
      <table>
        <tbody>
          {list.map(([k, v], i) => (
            <tr key={i}>
              <td class="dim">{k}</td>
              <td>{v}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </>
  );
}

function Details({ s, trace, traceId }: { s: Span; trace: Trace; traceId: string }) {
  const from = String(Math.floor(trace.startMs + s.startNs / 1e6 - 60_000));
  const to = String(Math.ceil(trace.startMs + (s.startNs + s.durationNs) / 1e6 + 60_000));
  const logs = JSON.stringify({ a: { datasource: 'loki', queries: [{ refId: 'A', expr: `{service_name=${quote(s.service)}} |= ${quote(traceId)}` }] } });
  return (
    <div class="tr-details">
      <p>
        <strong>{s.name}</strong> <span class="dim">{s.kind}</span> {s.error && <span class="tag bad">error</span>} {s.statusMessage && <span class="bad">{s.statusMessage}</span>}
      </p>
      <p class="dim num">
        {nsText(s.durationNs)}, {nsText(s.startNs)} after the start, span {s.id}
        {s.orphan && ', its parent is missing'}
      </p>
      <p>
        <a class="btn small" data-link href={href('/logs', { from, to, panes: logs })}>
          <Icon name="logs" size={12} /> Logs of this span
        </a>
      </p>
      <Attributes title="Attributes" list={s.attributes} />
      <Attributes title="Resource" list={s.resource} />
      {s.events.map((e, i) => (
        <Attributes key={i} title={`Event ${e.name}, ${nsText(e.atNs)} after the start`} list={e.attributes} />
      ))}
      {s.links.length > 0 && <h3>Links</h3>}
      {s.links.map((l, i) => (
        <p key={i}>
          <a data-link href={href(`/trace/${l.traceId}`)}>
            {l.traceId}
          </a>
        </p>
      ))}
    </div>
  );
}

export function Waterfall({ trace, traceId, height }: { trace: Trace; traceId: string; height: number }) {
  void theme.value;
  const [closed, setClosed] = useState<Set<string>>(new Set());
  const [open, setOpen] = useState<string | null>(null);
  const [words, setWords] = useState('');
  const [onlyCritical, setOnlyCritical] = useState(false);
  const [top, setTop] = useState(0);
  const critical = useMemo(() => criticalPath(trace), [trace]);
  const colors = useMemo(() => new Map(trace.services.map((s, i) => [s, i])), [trace]);
  const rows = useMemo(() => {
    const out: Span[] = [];
    for (let i = 0; i < trace.spans.length; i++) {
      const s = trace.spans[i]!;
      if (onlyCritical && !critical.has(s.id)) continue;
      if (words && !matches(s, words)) continue;
      out.push(s);
      if (!words && closed.has(s.id)) i += s.below;
    }
    return out;
  }, [trace, closed, words, onlyCritical]);
  const shown = trace.spans.find((s) => s.id === open);
  const from = Math.max(0, Math.floor(top / ROW) - 6);
  const to = Math.min(rows.length, Math.ceil((top + height) / ROW) + 6);
  const total = trace.durationNs || 1;
  const flip = (id: string) => {
    const next = new Set(closed);
    if (!next.delete(id)) next.add(id);
    setClosed(next);
  };
  return (
    <div class="tr">
      <div class="tr-bar">
        <input type="search" placeholder="Spans that contain…" aria-label="Spans that contain" value={words} onInput={(e) => setWords(e.currentTarget.value)} />
        <button type="button" class="btn small" aria-pressed={onlyCritical} onClick={() => setOnlyCritical(!onlyCritical)}>
          Critical path
        </button>
        <button type="button" class="btn small" onClick={() => setClosed(closed.size ? new Set() : new Set(trace.spans.filter((s) => s.depth > 0 && s.below > 0).map((s) => s.id)))}>
          {closed.size ? 'Open all' : 'Close all'}
        </button>
        <span class="grow" />
        {[0, 0.25, 0.5, 0.75, 1].map((f) => (
          <span key={f} class="dim num tr-tick">
            {f === 0 ? '0' : nsText(total * f)}
          </span>
        ))}
      </div>
      <div class="tr-main">
        <div class="tr-rows" style={{ height: `${height}px` }} onScroll={(e) => setTop(e.currentTarget.scrollTop)} tabIndex={0} role="tree" aria-label={`${rows.length} spans`}>
          <div style={{ height: `${rows.length * ROW}px`, position: 'relative' }}>
            {Array.from({ length: Math.max(0, to - from) }, (_, k) => from + k).map((i) => {
              const s = rows[i]!;
              const color = paletteColor(colors.get(s.service) ?? 0);
              const left = (s.startNs / total) * 100;
              const width = Math.max((s.durationNs / total) * 100, 0.15);
              return (
                <div key={`${s.id}${i}`} class={`tr-row${open === s.id ? ' open' : ''}`} style={{ transform: `translateY(${i * ROW}px)` }} role="treeitem" aria-level={s.depth + 1} aria-selected={open === s.id} onClick={() => setOpen(open === s.id ? null : s.id)}>
                  <span class="tr-name" style={{ paddingLeft: `${Math.min(s.depth, 30) * 12}px` }} title={`${s.service}: ${s.name}`}>
                    {s.below > 0 ? (
                      <button
                        type="button"
                        class="tr-flip"
                        aria-label={closed.has(s.id) ? 'Open' : 'Close'}
                        aria-expanded={!closed.has(s.id)}
                        onClick={(e) => {
                          e.stopPropagation();
                          flip(s.id);
                        }}
                      >
                        <Icon name={closed.has(s.id) ? 'right' : 'down'} size={11} />
                      </button>
                    ) : (
                      <i class="tr-flip" />
                    )}
                    <i class="dot" style={{ background: color }} />
                    {s.error && <Icon name="warn" size={12} />}
                    <strong>{s.service}</strong> <span class="dim cut">{s.name}</span>
                    {closed.has(s.id) && <span class="tag">{s.below}</span>}
                  </span>
                  <span class="tr-lane">
                    <i class={critical.has(s.id) ? 'tr-span critical' : 'tr-span'} style={{ left: `${left}%`, width: `${width}%`, background: color }} />
                    {s.events.map((e, k) => (
                      <i key={k} class="tr-event" style={{ left: `${(e.atNs / total) * 100}%` }} title={e.name} />
                    ))}
                    <span class={left + width > 80 && left < 20 ? 'tr-time in num' : 'tr-time num'} style={left + width <= 80 ? { left: `${left + width}%` } : left < 20 ? { left: `${left}%` } : { right: `${100 - left}%` }}>
                      {nsText(s.durationNs)}
                    </span>
                  </span>
                </div>
              );
            })}
          </div>
        </div>
        {shown && (
          <aside class="card" style={{ maxHeight: `${height}px` }}>
            <Details s={shown} trace={trace} traceId={traceId} />
          </aside>
        )}
      </div>
    </div>
  );
}
