// The waterfall of a trace. Only the rows in view are in the page, so that 20,000 spans scroll well.

import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { paletteColor } from '../dashboard/field/color';
import { Icon } from '../shell/icons';
import { theme } from '../shell/theme';
import { Minimap, type View } from './Minimap';
import { SpanDetails } from './SpanDetails';
import { nsText } from './text';
import { criticalPath, type Span, type Trace } from './trace';
import { useTraceLogs } from './trace_logs';
import '../logs/logs.css';
import './traces.css';

const ROW = 26;
/** Services in the legend; the rest is a count. */
const LEGEND = 12;

function matches(s: Span, words: string): boolean {
  const low = words.toLowerCase();
  return (
    s.name.toLowerCase().includes(low) ||
    s.service.toLowerCase().includes(low) ||
    s.id === low ||
    s.statusMessage.toLowerCase().includes(low) ||
    s.attributes.some(([k, v]) => k.toLowerCase().includes(low) || v.toLowerCase().includes(low)) ||
    s.events.some((e) => e.name.toLowerCase().includes(low) || e.attributes.some(([, v]) => v.toLowerCase().includes(low)))
  );
}

/** Rows of what the filters leave, without what is below closed spans. */
export function visibleRows(trace: Trace, closed: ReadonlySet<string>, keep: ((s: Span) => boolean) | null): Span[] {
  const out: Span[] = [];
  for (let i = 0; i < trace.spans.length; i++) {
    const s = trace.spans[i]!;
    if (keep) {
      if (keep(s)) out.push(s);
      continue;
    }
    out.push(s);
    if (closed.has(s.id)) i += s.below;
  }
  return out;
}

export function Waterfall({ trace, traceId, height, focus }: { trace: Trace; traceId: string; height: number; focus?: string }) {
  void theme.value;
  const total = trace.durationNs || 1;
  const [closed, setClosed] = useState<Set<string>>(new Set());
  const [open, setOpen] = useState<string | null>(focus || null);
  const [words, setWords] = useState('');
  const [onlyCritical, setOnlyCritical] = useState(false);
  const [onlyErrors, setOnlyErrors] = useState(false);
  const [service, setService] = useState('');
  const [view, setView] = useState<View>({ from: 0, to: total });
  const [top, setTop] = useState(0);
  const box = useRef<HTMLDivElement>(null);
  const logs = useTraceLogs(trace, traceId);
  const critical = useMemo(() => criticalPath(trace), [trace]);
  const colors = useMemo(() => new Map(trace.services.map((s, i) => [s, i])), [trace]);
  const color = (s: string) => paletteColor(colors.get(s) ?? 0);
  const rows = useMemo(() => {
    const any = words !== '' || onlyCritical || onlyErrors || service !== '';
    return visibleRows(trace, closed, any ? (s) => (!onlyCritical || critical.has(s.id)) && (!onlyErrors || s.error) && (service === '' || s.service === service) && (words === '' || matches(s, words)) : null);
  }, [trace, closed, words, onlyCritical, onlyErrors, service]);
  const shown = useMemo(() => trace.spans.find((s) => s.id === open), [trace, open]);
  useEffect(() => setView({ from: 0, to: total }), [trace]);
  // A link to a span: it is in view and open.
  useEffect(() => {
    const i = focus ? rows.findIndex((s) => s.id === focus) : -1;
    if (i >= 0) box.current?.scrollTo({ top: Math.max(0, i * ROW - height / 3) });
  }, [trace, focus]);
  const from = Math.max(0, Math.floor(top / ROW) - 6);
  const to = Math.min(rows.length, Math.ceil((top + height) / ROW) + 6);
  const span = view.to - view.from || 1;
  const flip = (id: string) => {
    const next = new Set(closed);
    if (!next.delete(id)) next.add(id);
    setClosed(next);
  };
  const moveTo = (i: number) => {
    const s = rows[Math.max(0, Math.min(rows.length - 1, i))];
    if (!s) return;
    setOpen(s.id);
    const el = box.current!;
    const y = rows.indexOf(s) * ROW;
    if (y < el.scrollTop) el.scrollTop = y;
    else if (y + ROW > el.scrollTop + el.clientHeight) el.scrollTop = y + ROW - el.clientHeight;
  };
  const keys = (e: KeyboardEvent) => {
    const at = rows.findIndex((s) => s.id === open);
    const s = rows[at];
    if (e.key === 'ArrowDown') moveTo(at + 1);
    else if (e.key === 'ArrowUp') moveTo(at < 0 ? 0 : at - 1);
    else if (e.key === 'ArrowLeft' && s && s.below > 0 && !closed.has(s.id)) flip(s.id);
    else if (e.key === 'ArrowLeft' && s) moveTo(rows.findIndex((x) => x.id === s.parentId));
    else if (e.key === 'ArrowRight' && s && closed.has(s.id)) flip(s.id);
    else if (e.key === 'Escape') setOpen(null);
    else return;
    e.preventDefault();
  };
  const pct = (ns: number) => ((ns - view.from) / span) * 100;
  return (
    <div class="tr">
      <div class="tr-bar">
        <input type="search" placeholder="Spans that contain…" aria-label="Spans that contain" value={words} onInput={(e) => setWords(e.currentTarget.value)} />
        <button type="button" class="btn small" aria-pressed={onlyCritical} title="Only the spans that the end of the trace waited for" onClick={() => setOnlyCritical(!onlyCritical)}>
          Critical path
        </button>
        {trace.errors > 0 && (
          <button type="button" class="btn small" aria-pressed={onlyErrors} onClick={() => setOnlyErrors(!onlyErrors)}>
            Errors
          </button>
        )}
        <button type="button" class="btn small" onClick={() => setClosed(closed.size ? new Set() : new Set(trace.spans.filter((s) => s.depth > 0 && s.below > 0).map((s) => s.id)))}>
          {closed.size ? 'Open all' : 'Close all'}
        </button>
        <span class="tr-services">
          {trace.services.slice(0, LEGEND).map((s) => (
            <button type="button" key={s} class="chip" aria-pressed={service === s} onClick={() => setService(service === s ? '' : s)}>
              <i class="dot" style={{ background: color(s) }} /> {s}
            </button>
          ))}
          {trace.services.length > LEGEND && <span class="dim">and {trace.services.length - LEGEND} more</span>}
        </span>
        {rows.length !== trace.spans.length && <span class="dim num">{rows.length} rows</span>}
      </div>
      {height > 200 && <Minimap trace={trace} view={view} color={color} onView={setView} />}
      <div class="tr-main">
        <div class="tr-left">
          <div class="tr-scale">
            <span>
              {(view.from > 0 || view.to < total) && (
                <button type="button" class="btn small" onClick={() => setView({ from: 0, to: total })}>
                  Whole trace
                </button>
              )}
            </span>
            <span class="tr-ticks">
              {[0, 0.25, 0.5, 0.75, 1].map((f) => (
                <span key={f} class="dim num">
                  {nsText(view.from + span * f)}
                </span>
              ))}
            </span>
          </div>
          <div class="tr-rows" ref={box} style={{ height: `${height}px` }} onScroll={(e) => setTop(e.currentTarget.scrollTop)} onKeyDown={keys} tabIndex={0} role="tree" aria-label={`${rows.length} spans`}>
            <div style={{ height: `${rows.length * ROW}px`, position: 'relative' }}>
              {Array.from({ length: Math.max(0, to - from) }, (_, k) => from + k).map((i) => {
                const s = rows[i]!;
                const left = pct(s.startNs);
                const right = pct(s.startNs + s.durationNs);
                const [a, b] = [Math.max(left, 0), Math.min(right, 100)];
                const width = Math.max(b - a, 0.15);
                const lines = logs.bySpan?.get(s.id);
                return (
                  <div key={`${s.id}${i}`} class={`tr-row${open === s.id ? ' open' : ''}`} style={{ transform: `translateY(${i * ROW}px)` }} role="treeitem" aria-level={s.depth + 1} aria-selected={open === s.id} data-span={s.id} onClick={() => setOpen(open === s.id ? null : s.id)}>
                    <span class="tr-name" style={{ paddingLeft: `${Math.min(s.depth, 30) * 12}px` }} title={`${s.service}: ${s.name}`}>
                      {s.below > 0 ? (
                        <button
                          type="button"
                          class="tr-flip"
                          tabIndex={-1}
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
                      <i class="dot" style={{ background: color(s.service) }} />
                      {s.error && <Icon name="warn" size={12} />}
                      {s.links.length > 0 && <Icon name="link" size={11} />}
                      <strong>{s.service}</strong> <span class="dim cut">{s.name}</span>
                      {lines && <span class="tag" title={`${lines.length} log lines`}>{lines.length}</span>}
                      {closed.has(s.id) && <span class="tag">+{s.below}</span>}
                    </span>
                    <span class="tr-lane">
                      {b >= 0 && a <= 100 && (
                        <>
                          <i class={`tr-span${critical.has(s.id) ? ' critical' : ''}${s.error ? ' failed' : ''}`} style={{ left: `${a}%`, width: `${width}%`, background: color(s.service) }} />
                          {s.events.map((e, k) => pct(e.atNs) >= 0 && pct(e.atNs) <= 100 && <i key={k} class="tr-event" style={{ left: `${pct(e.atNs)}%` }} title={e.name} />)}
                          {lines?.slice(0, 20).map((l, k) => {
                            const x = pct((l.timeMs - trace.startMs) * 1e6);
                            return x >= 0 && x <= 100 ? <i key={`l${k}`} class={`tr-dot ${l.level}`} style={{ left: `${x}%` }} title={l.line.slice(0, 200)} /> : null;
                          })}
                          <span class={a + width > 80 && a < 20 ? 'tr-time in num' : 'tr-time num'} style={a + width <= 80 ? { left: `${a + width}%` } : a < 20 ? { left: `${a}%` } : { right: `${100 - a}%` }}>
                            {nsText(s.durationNs)}
                          </span>
                        </>
                      )}
                    </span>
                  </div>
                );
              })}
            </div>
            {rows.length === 0 && <div class="empty">No span is like that.</div>}
          </div>
        </div>
        {shown && (
          <aside class="card" style={{ maxHeight: `${height + 22}px` }} aria-label={`Span ${shown.name}`}>
            <SpanDetails key={shown.id} s={shown} trace={trace} traceId={traceId} logs={logs.bySpan ? (logs.bySpan.get(shown.id) ?? []) : null} logsError={logs.error} onClose={() => setOpen(null)} />
          </aside>
        )}
      </div>
    </div>
  );
}
