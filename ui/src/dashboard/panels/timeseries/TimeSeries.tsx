// The time series panel.

import { useEffect, useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks';
import uPlot from 'uplot';
import { format } from '../../../format/units';
import { followTheme, followTouch } from '../../../chart/plot';
import { Tooltip, type TipRow } from '../../../chart/tooltip';
import { theme } from '../../../shell/theme';
import { formatInstant } from '../../../time/grammar';
import { useTime } from '../../../time/scope';
import { zone } from '../../../time/state';
import { reduce } from '../../field/reduce';
import { displayer } from '../../field/display';
import { PanelLegend, type LegendItem } from '../Legend';
import { readyLinks, type ReadyLink } from '../links';
import type { PanelView } from '../props';
import { useToggle } from '../toggle';
import { EventTip, eventsAt } from './EventTip';
import { drawAnnotations, drawExemplars, drawThresholds, exemplarAt, type ExemplarPoint } from './marks';
import { ExemplarTip, LinksTip } from './PointTip';
import { plotKey, plotOptions, type Live } from './options';
import { toLines, type Line, type Lines } from './series';

interface TipOptions {
  mode: 'single' | 'multi' | 'none';
  sort: 'asc' | 'desc' | 'none';
  hideZeros: boolean;
}

function tipOptions(p: PanelView): TipOptions {
  const o = (p.panel.options?.['tooltip'] ?? {}) as Partial<TipOptions>;
  return { mode: o.mode ?? 'single', sort: o.sort ?? 'none', hideZeros: o.hideZeros === true };
}

/** The line that is nearest to the pointer at a point of the axis. */
function nearLine(u: uPlot, l: Lines, i: number, top: number): { line: Line; distance: number } | null {
  let best: { line: Line; distance: number } | null = null;
  for (const x of l.lines) {
    const at = x.drawn[i];
    if (x.hidden || at === null || at === undefined) continue;
    const distance = Math.abs(u.valToPos(at, x.scale) - top);
    if (!best || distance < best.distance) best = { line: x, distance };
  }
  return best;
}

const exemplarRows = (p: ExemplarPoint): TipRow[] => Object.entries(p.labels).filter(([k]) => k !== '__name__').slice(0, 10).map(([k, v]) => ({ color: '#8ab8ff', label: k, text: v.length > 48 ? `${v.slice(0, 47)}…` : v }));

function exemplarText(l: Lines, p: ExemplarPoint): string {
  const of = l.lines.find((x) => x.scale === p.scale);
  return of ? displayer({ ...of.field, config: { ...of.field.config, mappings: undefined } })(p.value).text : String(p.value);
}

type Pinned = { x: number } & ({ events: PanelView['annotations'] } | { exemplar: ExemplarPoint; text: string } | { links: ReadyLink[]; name: string });

const NONE: ExemplarPoint[] = [];

/** Within this many pixels of a line a click means the line. */
const LINE_REACH = 24;

function tipRows(u: uPlot, l: Lines, i: number, o: TipOptions): TipRow[] {
  const top = u.cursor.top ?? 0;
  const rows = l.lines
    .filter((x) => !x.hidden && x.inTooltip && x.values[i] !== null && x.values[i] !== undefined && !(o.hideZeros && x.values[i] === 0))
    .map((x) => {
      const at = x.drawn[i];
      return { x, v: x.values[i]!, d: at === null || at === undefined ? Infinity : Math.abs(u.valToPos(at, x.scale) - top) };
    });
  if (rows.length === 0) return [];
  let near = rows[0]!;
  for (const r of rows) if (r.d < near.d) near = r;
  if (o.sort !== 'none') rows.sort((a, b) => (a.v - b.v) * (o.sort === 'asc' ? 1 : -1));
  const shown = o.mode === 'single' ? [near] : rows;
  return shown.map((r) => ({ color: r.x.color, label: r.x.name, text: displayer(r.x.field)(r.v).text, near: r === near }));
}

function legendItems(l: Lines, calcs: string[]): LegendItem[] {
  return l.lines
    .filter((x) => x.inLegend)
    .map((x) => ({
      key: x.key,
      label: x.name,
      color: x.color,
      hidden: x.hidden,
      right: x.side === 'right',
      calcs: calcs.map((c) => {
        const v = reduce(x.values as unknown[], c);
        const n = typeof v === 'number' ? v : null;
        const plain = c === 'count' || c === 'countAll' || c === 'distinctCount' || c === 'changeCount';
        return { value: n, text: n === null ? '–' : plain ? String(n) : c === 'diffperc' ? format(n, 'percentunit') : displayer({ ...x.field, config: { ...x.field.config, mappings: undefined } })(n).text };
      }),
    }));
}

export default function TimeSeries(p: PanelView) {
  const [hidden, toggle] = useToggle();
  const [focus, setFocus] = useState<string | null>(null);
  const dark = theme.value;
  const lines = useMemo(() => toLines(p.panel, p.frames, hidden), [p.frames, hidden, dark]);
  const legend = (p.panel.options?.['legend'] ?? {}) as { showLegend?: boolean; displayMode?: string; placement?: string; calcs?: string[]; sortBy?: string; sortDesc?: boolean };
  const show = legend.showLegend !== false;
  const right = legend.placement === 'right' && p.width > 420;
  const calcs = legend.calcs ?? [];
  const items = useMemo(() => (lines && show ? legendItems(lines, calcs) : []), [lines, show, calcs.join()]);
  if (!lines) return <div class="empty">{p.frames.length ? 'The result has no column of times with numbers.' : 'No data in this time range.'}</div>;
  return (
    <div class={right ? 'ts ts-right' : 'ts'}>
      <Plot view={p} lines={lines} focus={focus} />
      {items.length > 0 && (
        <PanelLegend
          items={items}
          options={{ table: legend.displayMode === 'table', right, calcs, sortBy: legend.sortBy, sortDesc: legend.sortDesc }}
          onToggle={(key, only) => toggle(key, only, lines.lines.map((x) => x.key))}
          onFocus={setFocus}
        />
      )}
    </div>
  );
}

function Plot({ view, lines, focus }: { view: PanelView; lines: Lines; focus: string | null }) {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const time = useTime();
  const latest = useRef({ view, lines, time });
  const [pinned, setPinned] = useState<Pinned | null>(null);
  const lit = useRef<ExemplarPoint | null>(null);
  const stretch = useRef(false);
  latest.current = { view, lines, time };
  const shared = view.session.shared.value > 0;
  const key = plotKey(lines, view.panel, shared);
  const exemplars = useMemo((): ExemplarPoint[] => {
    const out: ExemplarPoint[] = [];
    for (const f of view.frames) {
      if (f.name !== 'exemplar') continue;
      const of = lines.lines.find((x) => x.frame.refId === f.refId && !x.hidden) ?? lines.lines[0];
      if (!of) continue;
      for (let i = 0; i < f.length; i++) out.push({ timeMs: f.fields[0]!.values[i] as number, value: f.fields[1]!.values[i] as number, labels: f.fields[2]!.values[i] as Record<string, string>, scale: of.scale });
    }
    // One and the same when there are none: a change is drawn.
    return out.length ? out : NONE;
  }, [view.frames, lines]);
  const marks = useRef(exemplars);
  marks.current = exemplars;

  useLayoutEffect(() => {
    const el = box.current!;
    const tip = new Tooltip();
    const live = (): Live => {
      const { view: v, lines: l } = latest.current;
      return {
        time: latest.current.time,
        fromMs: v.data.fromMs,
        toMs: v.data.toMs,
        // A drag with Ctrl is a stretch of time to annotate.
        onSelect: (u) => {
          if (!stretch.current || u.select.width < 4) return false;
          const at = (px: number) => u.posToVal(px, 'x') * 1000;
          v.session.annotating.value = { fromMs: at(u.select.left), toMs: at(u.select.left + u.select.width), panelId: v.panel.id };
          u.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false);
          return true;
        },
        onCursor: (u) => {
          const i = u.cursor.idx;
          const inside = u.cursor.left !== undefined && u.cursor.left >= 0;
          const o = tipOptions(v);
          const hit = inside && u.cursor.event ? exemplarAt(u, marks.current, u.cursor.left!, u.cursor.top!) : null;
          if (hit !== lit.current) {
            lit.current = hit;
            u.over.style.cursor = hit ? 'pointer' : '';
            u.redraw(false);
          }
          if (hit) return tip.show(u, `Exemplar ${exemplarText(l, hit)}, ${formatInstant(Math.round(hit.timeMs), zone.peek())}`, exemplarRows(hit));
          // `event` is only set where the pointer really is.
          if (!inside || i === null || i === undefined || o.mode === 'none' || (!u.cursor.event && v.session.shared.peek() < 2)) return tip.hide();
          tip.show(u, formatInstant(Math.round(l.times[i]! * 1000), zone.peek()), tipRows(u, l, i, o));
        },
        draw: (u, over) => {
          const seen = new Set<string>();
          for (const x of l.lines) {
            if (x.hidden || seen.has(x.scale)) continue;
            const style = (x.custom['thresholdsStyle'] as { mode?: string } | undefined)?.mode;
            if (!style || style === 'off') continue;
            seen.add(x.scale);
            drawThresholds(u, x, over);
          }
          if (over) {
            drawAnnotations(u, v.annotations);
            if (marks.current.length) drawExemplars(u, marks.current, lit.current);
          }
        },
      };
    };
    const size = () => ({ width: Math.max(60, el.clientWidth), height: Math.max(50, el.clientHeight) });
    const data = (l: Lines) => [l.times, ...l.lines.map((x: Line) => x.drawn)] as uPlot.AlignedData;
    const u = new uPlot(plotOptions(latest.current.lines, size(), shared, live), data(latest.current.lines), el);
    plot.current = u;
    tip.mount(u.over);
    followTouch(u);
    const ro = new ResizeObserver(() => {
      const s = size();
      if (s.width !== u.width || s.height !== u.height) u.setSize(s);
    });
    ro.observe(el);
    const click = (e: MouseEvent) => {
      const r = u.over.getBoundingClientRect();
      const { view: v } = latest.current;
      // The end of a drag is a click as well.
      if (v.session.annotating.peek()) return;
      if ((e.ctrlKey || e.metaKey) && v.session.meta.peek() && !v.session.publicToken) {
        const ms = u.posToVal(e.clientX - r.left, 'x') * 1000;
        v.session.annotating.value = { fromMs: ms, toMs: ms, panelId: v.panel.id };
        return;
      }
      const x = e.clientX - el.getBoundingClientRect().left;
      const left = e.clientX - r.left;
      const top = e.clientY - r.top;
      const { lines: l } = latest.current;
      const exemplar = exemplarAt(u, marks.current, left, top);
      if (exemplar) return setPinned({ x, exemplar, text: exemplarText(l, exemplar) });
      const events = eventsAt(v.annotations, u, left);
      if (events.length) return setPinned({ x, events });
      const i = u.cursor.idx;
      const near = i === null || i === undefined ? null : nearLine(u, l, i, top);
      if (!near || near.distance > LINE_REACH || !near.line.field.config.links?.length) return setPinned(null);
      const { field: f, frame } = near.line;
      // Series of different times share an axis: the row is found by its time.
      const row = (frame.fields.find((c) => c.type === 'time')?.values as number[] | undefined)?.indexOf(l.times[i!]! * 1000) ?? -1;
      const links = readyLinks(f.config.links, v.fill, { field: f, frame, all: v.frames, row: row < 0 ? null : row, value: near.line.values[i!] });
      setPinned(links.length ? { x, links, name: near.line.name } : null);
    };
    const mayAnnotate = () => latest.current.view.session.meta.peek() !== null && !latest.current.view.session.publicToken;
    u.over.addEventListener('mousedown', (e) => (stretch.current = (e.ctrlKey || e.metaKey) && mayAnnotate()));
    u.over.addEventListener('click', click);
    const stop = followTheme(() => (plot.current === u ? u : null));
    return () => {
      stop();
      ro.disconnect();
      tip.remove();
      u.destroy();
      plot.current = null;
    };
  }, [key]);

  useEffect(() => {
    const u = plot.current;
    if (!u) return;
    u.batch(() => {
      u.setData([lines.times, ...lines.lines.map((x) => x.drawn)] as uPlot.AlignedData, false);
      u.setScale('x', { min: view.data.fromMs / 1000, max: view.data.toMs / 1000 });
    });
  }, [lines, view.data.fromMs, view.data.toMs, key]);

  useEffect(() => {
    plot.current?.redraw(false);
  }, [view.annotations, exemplars]);

  useEffect(() => {
    const u = plot.current;
    if (!u) return;
    const i = focus ? lines.lines.findIndex((x) => x.key === focus) : -1;
    u.setSeries(i < 0 ? (null as unknown as number) : i + 1, { focus: i >= 0 });
    if (i < 0) u.redraw(false);
  }, [focus, key]);

  return (
    <div class="ts-plot" ref={box} role="img" aria-label={`${view.panel.title ?? ''}: ${lines.lines.length} series drawn over time`}>
      {pinned && 'events' in pinned && <EventTip x={pinned.x} events={pinned.events} session={view.session} onClose={() => setPinned(null)} />}
      {pinned && 'exemplar' in pinned && <ExemplarTip x={pinned.x} point={pinned.exemplar} text={pinned.text} onClose={() => setPinned(null)} />}
      {pinned && 'links' in pinned && <LinksTip x={pinned.x} links={pinned.links} name={pinned.name} onClose={() => setPinned(null)} />}
    </div>
  );
}
