// A list of log lines: coloured by level, searched words marked, details on a click. Long lists are
// windowed; lines that wrap are measured as they come into view.

import { useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks';
import { Icon } from '../shell/icons';
import { copyText } from '../shell/toast';
import { formatInstant } from '../time/grammar';
import { zone } from '../time/state';
import './logs.css';

export interface LogLine {
  timeMs: number;
  ns: string;
  line: string;
  labels: Record<string, string>;
  level: string;
}

export interface LogListProps {
  lines: LogLine[];
  height: number;
  showTime: boolean;
  showLabels: boolean;
  wrap: boolean;
  pretty: boolean;
  details: boolean;
  dedup: string;
  /** Words to mark. */
  marks?: string[];
  /** Adds or removes a label matcher; absent where there is no query to change. */
  onFilter?: (label: string, value: string, out: boolean) => void;
  /** What is added to the details of a line (the way to its trace, its surroundings). */
  actions?: (l: LogLine) => preact.ComponentChildren;
}

const ROW = 22;

/** What of a line counts when duplicates are dropped. */
export function dedupKey(line: string, how: string): string {
  if (how === 'exact') return line.replace(/\d{4}-\d\d-\d\d[T ][\d:.,]+(?:Z|[+-]\d\d:?\d\d)?/g, '');
  if (how === 'numbers') return line.replace(/\d/g, '');
  return line.replace(/\w/g, '');
}

export function dedupe(lines: LogLine[], how: string): { line: LogLine; count: number }[] {
  if (how === 'none') return lines.map((line) => ({ line, count: 0 }));
  const out: { line: LogLine; count: number }[] = [];
  let last = '';
  for (const line of lines) {
    const key = dedupKey(line.line, how);
    if (out.length && key === last) out[out.length - 1]!.count++;
    else out.push({ line, count: 0 });
    last = key;
  }
  return out;
}

/** Escape sequences of terminals are not shown. */
const plain = (t: string): string => t.replace(/\u001b\[[0-9;]*[A-Za-z]/g, '');

function indent(t: string): string {
  const s = t.trim();
  if (!s.startsWith('{') && !s.startsWith('[')) return t;
  try {
    return JSON.stringify(JSON.parse(s), null, 2);
  } catch {
    return t;
  }
}

function Marked({ text, marks }: { text: string; marks: string[] }) {
  const words = marks.filter(Boolean);
  if (words.length === 0) return <>{text}</>;
  const re = new RegExp(`(${words.map((w) => w.replace(/[\\^$.|?*+()[\]{}]/g, '\\$&')).join('|')})`, 'gi');
  return <>{text.split(re).map((part, i) => (i % 2 ? <mark key={i}>{part}</mark> : part))}</>;
}

function Details({ l, p }: { l: LogLine; p: LogListProps }) {
  return (
    <div class="log-details">
      <div class="log-actions">
        <button type="button" class="btn small" onClick={() => void copyText(l.line, 'Line copied')}>
          <Icon name="copy" size={12} /> Copy the line
        </button>
        {p.actions?.(l)}
      </div>
      <table>
        <tbody>
          {Object.entries(l.labels)
            .sort(([a], [b]) => a.localeCompare(b))
            .map(([k, v]) => (
              <tr key={k}>
                {p.onFilter && (
                  <td>
                    <button type="button" class="icon-btn" title={`Only ${k} = ${v}`} aria-label={`Only ${k} = ${v}`} onClick={() => p.onFilter!(k, v, false)}>
                      <Icon name="plus" size={11} />
                    </button>
                    <button type="button" class="icon-btn" title={`Not ${k} = ${v}`} aria-label={`Not ${k} = ${v}`} onClick={() => p.onFilter!(k, v, true)}>
                      <Icon name="close" size={11} />
                    </button>
                  </td>
                )}
                <td class="dim">{k}</td>
                <td>{v}</td>
              </tr>
            ))}
        </tbody>
      </table>
    </div>
  );
}

export function LogList(p: LogListProps) {
  const rows = useMemo(() => dedupe(p.lines, p.dedup), [p.lines, p.dedup]);
  const [open, setOpen] = useState<string | null>(null);
  const [top, setTop] = useState(0);
  const box = useRef<HTMLDivElement>(null);
  const heights = useRef(new Map<string, number>());
  const [, measured] = useState(0);
  const key = (i: number) => `${rows[i]!.line.ns}|${i}`;
  const fixed = !p.wrap && !p.pretty;
  // Where each row begins: known heights where they were measured, a guess elsewhere.
  const offsets = new Float64Array(rows.length + 1);
  for (let i = 0; i < rows.length; i++) offsets[i + 1] = offsets[i]! + (heights.current.get(key(i)) ?? ROW);
  const find = (y: number) => {
    let lo = 0;
    let hi = rows.length;
    while (lo < hi) {
      const m = (lo + hi) >> 1;
      if (offsets[m + 1]! <= y) lo = m + 1;
      else hi = m;
    }
    return lo;
  };
  const from = Math.max(0, find(top) - 8);
  const to = Math.min(rows.length, find(top + p.height) + 10);
  useLayoutEffect(() => {
    let changed = false;
    for (const el of box.current?.querySelectorAll<HTMLElement>('[data-k]') ?? []) {
      const k = el.dataset['k']!;
      const h = el.offsetHeight;
      if (Math.abs((heights.current.get(k) ?? ROW) - h) > 0.5) {
        heights.current.set(k, h);
        changed = true;
      }
    }
    if (changed) measured((n) => n + 1);
  });
  return (
    <div class={`logs${p.wrap || p.pretty ? ' wrap' : ''}`} ref={box} style={{ height: `${p.height}px` }} onScroll={(e) => setTop(e.currentTarget.scrollTop)} tabIndex={0} role="log" aria-label={`${rows.length} log lines`}>
      <div style={{ height: `${offsets[rows.length]}px`, position: 'relative' }}>
        {Array.from({ length: Math.max(0, to - from) }, (_, k) => from + k).map((i) => {
          const { line: l, count } = rows[i]!;
          const id = key(i);
          const text = plain(p.pretty ? indent(l.line) : l.line);
          return (
            <div key={id} data-k={id} class={`log ${l.level}${open === id ? ' open' : ''}${fixed ? '' : ' free'}`} style={{ transform: `translateY(${offsets[i]}px)` }}>
              <div class="log-line" onClick={() => p.details && getSelection()?.isCollapsed !== false && setOpen(open === id ? null : id)}>
                <i class="log-level" title={l.level} />
                {count > 0 && <span class="tag">{count + 1}×</span>}
                {p.showTime && <time class="num">{formatInstant(l.timeMs, zone.value)}</time>}
                {p.showLabels && (
                  <span class="log-labels">
                    {Object.entries(l.labels).map(([k, v]) => (
                      <span class="tag" key={k} title={k}>
                        {v}
                      </span>
                    ))}
                  </span>
                )}
                <span class="log-text">
                  <Marked text={text} marks={p.marks ?? []} />
                </span>
              </div>
              {open === id && <Details l={l} p={p} />}
            </div>
          );
        })}
      </div>
    </div>
  );
}
