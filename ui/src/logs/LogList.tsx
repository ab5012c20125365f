// A list of log lines: coloured by level, searched words marked, details on a click. Long lists are
// windowed; lines that wrap are measured as they come into view.

import { useEffect, useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks';
import { Icon } from '../shell/icons';
import { copyText } from '../shell/toast';
import { formatInstant } from '../time/grammar';
import { zone } from '../time/state';
import { lineFields, prettyLine } from './fields';
import { Offsets } from './offsets';
import './logs.css';

export interface LogLine {
  timeMs: number;
  ns: string;
  line: string;
  labels: Record<string, string>;
  level: string;
  /** The query it comes from, where there are several. */
  ref?: string;
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
  /** Labels and fields shown in columns of their own, before the line. */
  columns?: string[];
  onColumn?: (name: string) => void;
  /** Nanoseconds of the line to begin with: in view and open. */
  focus?: string;
  /** The last lines have come near. */
  onEnd?: () => void;
}

/** A label or field of a line, also one that only its text has. */
export function fieldOf(l: LogLine, name: string): string {
  return l.labels[name] ?? lineFields(l.line).fields[name] ?? '';
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

function Marked({ text, marks }: { text: string; marks: string[] }) {
  const words = marks.filter(Boolean);
  if (words.length === 0) return <>{text}</>;
  const re = new RegExp(`(${words.map((w) => w.replace(/[\\^$.|?*+()[\]{}]/g, '\\$&')).join('|')})`, 'gi');
  return <>{text.split(re).map((part, i) => (i % 2 ? <mark key={i}>{part}</mark> : part))}</>;
}

function DetailRows({ title, list, p }: { title: string; list: [string, string][]; p: LogListProps }) {
  if (list.length === 0) return null;
  return (
    <>
      <tr>
        <th colSpan={3}>{title}</th>
      </tr>
      {list.map(([k, v]) => (
        <tr key={k}>
          {p.onFilter && (
            <td class="log-filters">
              <button type="button" class="icon-btn" title={`Only ${k} = ${v}`} aria-label={`Only ${k} = ${v}`} onClick={() => p.onFilter!(k, v, false)}>
                <Icon name="plus" size={11} />
              </button>
              <button type="button" class="icon-btn" title={`Not ${k} = ${v}`} aria-label={`Not ${k} = ${v}`} onClick={() => p.onFilter!(k, v, true)}>
                <Icon name="close" size={11} />
              </button>
              {p.onColumn && (
                <button type="button" class="icon-btn" aria-pressed={p.columns?.includes(k) ?? false} title={`${k} as a column`} aria-label={`${k} as a column`} onClick={() => p.onColumn!(k)}>
                  <Icon name="split" size={11} />
                </button>
              )}
            </td>
          )}
          <td class="dim">{k}</td>
          <td>{v}</td>
        </tr>
      ))}
    </>
  );
}

function Details({ l, p }: { l: LogLine; p: LogListProps }) {
  const sort = (o: Record<string, string>) => Object.entries(o).sort(([a], [b]) => a.localeCompare(b));
  const own = lineFields(l.line);
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
          <DetailRows title="Labels and fields" list={sort(l.labels)} p={p} />
          {own.format && <DetailRows title={`In the line (${own.format})`} list={sort(own.fields).filter(([k]) => l.labels[k] === undefined)} p={p} />}
        </tbody>
      </table>
    </div>
  );
}

export function LogList(p: LogListProps) {
  const rows = useMemo(() => dedupe(p.lines, p.dedup), [p.lines, p.dedup]);
  const [open, setOpen] = useState<LogLine | null>(null);
  const [top, setTop] = useState(0);
  const box = useRef<HTMLDivElement>(null);
  // Heights by line, for the same line stands elsewhere when others come before it.
  const heights = useRef(new WeakMap<LogLine, number>());
  const [, measured] = useState(0);
  const fixed = !p.wrap && !p.pretty;
  const offsets = useMemo(() => {
    const o = new Offsets(rows.length, ROW);
    rows.forEach((r, i) => {
      const h = heights.current.get(r.line);
      if (h !== undefined) o.set(i, h);
    });
    return o;
  }, [rows, fixed]);
  useLayoutEffect(() => {
    // Another way of drawing, other heights.
    heights.current = new WeakMap();
  }, [p.wrap, p.pretty, p.columns?.length]);
  const from = Math.max(0, offsets.find(top) - 8);
  const to = Math.min(rows.length, offsets.find(top + p.height) + 10);
  useLayoutEffect(() => {
    let changed = false;
    for (const el of box.current?.querySelectorAll<HTMLElement>('[data-i]') ?? []) {
      const i = Number(el.dataset['i']);
      const row = rows[i];
      if (!row) continue;
      const h = el.offsetHeight;
      if (offsets.set(i, h)) {
        heights.current.set(row.line, h);
        changed = true;
      }
    }
    if (changed) measured((n) => n + 1);
  });
  useEffect(() => {
    const i = p.focus ? rows.findIndex((r) => r.line.ns === p.focus) : -1;
    if (i < 0) return;
    setOpen(rows[i]!.line);
    box.current?.scrollTo({ top: Math.max(0, offsets.offset(i) - p.height / 3) });
  }, [p.focus, rows.length > 0]);
  useEffect(() => {
    if (rows.length > 0 && to >= rows.length - 20 && top > 0) p.onEnd?.();
  }, [to >= rows.length - 20, rows.length, top > 0]);
  return (
    <div class={`logs${fixed ? '' : ' wrap'}`} ref={box} style={{ height: `${p.height}px` }} onScroll={(e) => setTop(e.currentTarget.scrollTop)} tabIndex={0} role="log" aria-live="off" aria-label={`${rows.length} log lines`}>
      <div style={{ height: `${offsets.offset(rows.length)}px`, position: 'relative' }}>
        {Array.from({ length: Math.max(0, to - from) }, (_, k) => from + k).map((i) => {
          const { line: l, count } = rows[i]!;
          const text = plain(p.pretty ? prettyLine(l.line) : l.line);
          return (
            <div key={`${l.ns}|${i}`} data-i={i} class={`log ${l.level}${open === l ? ' open' : ''}${fixed ? '' : ' free'}${p.focus === l.ns ? ' focus' : ''}`} style={{ transform: `translateY(${offsets.offset(i)}px)` }}>
              <div class="log-line" onClick={() => p.details && getSelection()?.isCollapsed !== false && setOpen(open === l ? null : l)}>
                <i class="log-level" title={l.level} />
                {l.ref && <span class="ref" title={`Query ${l.ref}`}>{l.ref}</span>}
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
                {p.columns?.map((c) => {
                  const v = fieldOf(l, c);
                  return (
                    <span class="log-col cut" key={c} title={`${c}: ${v}`}>
                      {v}
                    </span>
                  );
                })}
                <span class="log-text">
                  <Marked text={text} marks={p.marks ?? []} />
                </span>
              </div>
              {open === l && <Details l={l} p={p} />}
            </div>
          );
        })}
      </div>
    </div>
  );
}
