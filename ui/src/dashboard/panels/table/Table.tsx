// The table panel: sorted and filtered columns; only the rows in view are in the page.

import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { theme } from '../../../shell/theme';
import { Icon } from '../../../shell/icons';
import { reduce, reducerName } from '../../field/reduce';
import { displayName, isNested, NESTED, type Frame } from '../../frame/frame';
import type { Loose } from '../../model/types';
import { Offsets } from '../../../logs/offsets';
import { sortRows, takeRows } from '../../transform/rows';
import type { PanelView } from '../props';
import { Cell, cellStyle, columnOf, type Column } from './cells';

const HEIGHTS: Record<string, number> = { sm: 32, md: 40, lg: 48 };
const HEAD = 32;
/** Of the button that unfolds a row. */
const TURN = 32;
/** Rows of a table inside a row that are shown without scrolling in it. */
const INNER_ROWS = 8;

function shownFrames(frames: Frame[]): Frame[] {
  return frames.filter((f) => f.fields.length > 0 && f.name !== 'exemplar');
}

/** Widths: those that are set, the rest of the room for the others by what stands in them. */
function widths(cols: Column[], f: Frame, room: number): number[] {
  const auto = cols.map((c) => {
    if (c.width !== null) return c.width;
    let chars = c.name.length + 2;
    for (let i = 0; i < Math.min(f.length, 30); i++) chars = Math.max(chars, Math.min(48, c.show(c.field.values[i]).text.length));
    const wide = ['gauge', 'sparkline'].includes(String(c.cell['type']));
    return Math.max(c.minWidth, wide ? 160 : chars * 7.4 + 22);
  });
  const total = auto.reduce((a, b) => a + b, 0);
  const free = cols.map((c, i) => (c.width === null ? i : -1)).filter((i) => i >= 0);
  if (total < room && free.length) {
    const flexible = free.reduce((s, i) => s + auto[i]!, 0);
    for (const i of free) auto[i]! += ((room - total) * auto[i]!) / flexible;
  }
  return auto.map(Math.floor);
}

interface Sort {
  name: string;
  desc: boolean;
}

function firstSort(o: Loose, cols: string[]): Sort | null {
  const s = (Array.isArray(o['sortBy']) ? o['sortBy'][0] : undefined) as { displayName?: string; desc?: boolean } | undefined;
  if (s?.displayName) return { name: s.displayName, desc: s.desc === true };
  const by = o['sortIndex'] as { index: number; desc: boolean } | undefined;
  return by && cols[by.index] ? { name: cols[by.index]!, desc: by.desc } : null;
}

export default function Table(p: PanelView) {
  const dark = theme.value;
  const list = shownFrames(p.frames);
  const [at, setAt] = useState(Number(p.panel.options?.['frameIndex'] ?? 0));
  const [sort, setSort] = useState<Sort | null | undefined>(undefined);
  const [filters, setFilters] = useState<Record<string, string>>({});
  const [filtering, setFiltering] = useState<string | null>(null);
  const [top, setTop] = useState(0);
  const [unfolded, setUnfolded] = useState<Set<string>>(new Set());
  const box = useRef<HTMLDivElement>(null);
  const o = p.panel.options ?? {};
  const base = list[Math.min(at, list.length - 1)];
  const cols = useMemo(
    () => (base ? base.fields.filter((f) => f.name !== NESTED && f.config.custom?.['hidden'] !== true && (f.config.custom?.['hideFrom'] as Loose | undefined)?.['viz'] !== true).map((f, i) => columnOf(f, displayName(f, base, list), i)) : []),
    [base, dark],
  );
  const order = sort === undefined ? firstSort(o, cols.map((c) => c.name)) : sort;
  const frame = useMemo(() => {
    if (!base) return null;
    let f = base;
    const active = Object.entries(filters).filter(([, t]) => t !== '');
    if (active.length) {
      const rows: number[] = [];
      for (let i = 0; i < f.length; i++) {
        if (active.every(([name, t]) => (cols.find((c) => c.name === name)?.show(cols.find((c) => c.name === name)!.field.values[i]).text ?? '').toLowerCase().includes(t.toLowerCase()))) rows.push(i);
      }
      f = takeRows(f, rows);
    }
    const by = order ? f.fields.find((x) => displayName(x, f, list) === order.name) : undefined;
    return by ? sortRows(f, by, order!.desc) : f;
  }, [base, order?.name, order?.desc, filters, cols]);
  useEffect(() => setTop(0), [base]);
  const rowH = HEIGHTS[String(o['cellHeight'] ?? 'sm')] ?? 32;
  const nested = frame?.fields.find((f) => f.name === NESTED);
  const inner = nested?.config.custom?.['noHeader'] === true ? 0 : HEAD;
  /** A row goes by what stands in it: another refresh brings other rows. */
  const rowKey = (i: number) => JSON.stringify(frame!.fields.filter((f) => f !== nested && f.type === 'string').map((f) => f.values[i]));
  const offsets = useMemo(() => {
    const at = new Offsets(frame?.length ?? 0, rowH);
    if (frame && nested && unfolded.size) {
      for (let i = 0; i < frame.length; i++) {
        const v = nested.values[i];
        if (isNested(v) && unfolded.has(rowKey(i))) at.set(i, rowH + inner + 12 + Math.min(INNER_ROWS, v[0]!.length) * rowH);
      }
    }
    return at;
  }, [frame, unfolded, rowH]);
  if (!frame || cols.length === 0) return <div class="empty">No data in this time range.</div>;
  const shown = cols.map((c) => ({ ...c, field: frame.fields.find((f) => f.name === c.field.name && displayName(f, frame, list) === c.name) ?? c.field }));
  const w = widths(shown, frame, p.width - 12 - (nested ? TURN : 0));
  const template = `${nested ? `${TURN}px ` : ''}${w.map((x) => `${x}px`).join(' ')}`;
  const headH = o['showHeader'] === false ? 0 : HEAD;
  const footer = footerOf(o, shown);
  const bodyH = p.height - headH - (footer ? HEAD : 0) - (list.length > 1 ? 34 : 0);
  const from = Math.max(0, offsets.find(top) - 4);
  const to = Math.min(frame.length, offsets.find(top + bodyH) + 5);
  const turn = (i: number) => {
    const next = new Set(unfolded);
    if (!next.delete(rowKey(i))) next.add(rowKey(i));
    setUnfolded(next);
  };
  const colored = shown.find((c) => c.cell['applyToRow'] === true);
  const next = (name: string) => setSort(order?.name !== name ? { name, desc: false } : order.desc ? null : { name, desc: true });
  return (
    <div class="tbl">
      <div class="tbl-scroll" ref={box} onScroll={(e) => setTop(e.currentTarget.scrollTop)} role="table" aria-rowcount={frame.length} tabIndex={0}>
        {headH > 0 && (
          <div class="tbl-row tbl-head" role="row" style={{ gridTemplateColumns: template, height: `${headH}px` }}>
            {nested && <div role="columnheader" class="tbl-cell" aria-label="Unfold" />}
            {shown.map((c) => (
              <div key={c.name} role="columnheader" class={`tbl-cell ${c.align}`} aria-sort={order?.name === c.name ? (order.desc ? 'descending' : 'ascending') : undefined} title={c.field.config.description ?? c.name}>
                <button type="button" class="cut" onClick={() => next(c.name)}>
                  {c.name}
                  {order?.name === c.name ? (order.desc ? ' ↓' : ' ↑') : ''}
                </button>
                {c.field.config.filterable && c.field.config.custom?.['filterable'] !== false && (
                  <button type="button" class={filters[c.name] ? 'tbl-filter on' : 'tbl-filter'} aria-label={`Filter ${c.name}`} onClick={() => setFiltering(filtering === c.name ? null : c.name)}>
                    <Icon name="search" size={12} />
                  </button>
                )}
                {filtering === c.name && (
                  <input
                    class="tbl-find"
                    type="search"
                    autofocus
                    aria-label={`Rows whose ${c.name} contains`}
                    placeholder="contains…"
                    value={filters[c.name] ?? ''}
                    onInput={(e) => setFilters({ ...filters, [c.name]: e.currentTarget.value })}
                    onKeyDown={(e) => (e.key === 'Escape' || e.key === 'Enter') && setFiltering(null)}
                  />
                )}
              </div>
            ))}
          </div>
        )}
        <div style={{ height: `${offsets.offset(frame.length)}px`, position: 'relative', minWidth: `${w.reduce((a, b) => a + b, nested ? TURN : 0)}px` }}>
          {Array.from({ length: Math.max(0, to - from) }, (_, k) => from + k).map((i) => (
            <div key={i} class="tbl-row" role="row" style={{ gridTemplateColumns: template, height: `${rowH}px`, transform: `translateY(${offsets.offset(i)}px)`, ...(colored ? cellStyle(colored, i) : {}) }}>
              {nested && (
                <div role="cell" class="tbl-cell">
                  {isNested(nested.values[i]) && (
                    <button type="button" class="turn-btn" aria-expanded={unfolded.has(rowKey(i))} aria-label={`Rows of ${shown[0]?.show(shown[0].field.values[i]).text ?? i}`} onClick={() => turn(i)}>
                      <Icon name={unfolded.has(rowKey(i)) ? 'down' : 'right'} size={12} />
                    </button>
                  )}
                </div>
              )}
              {shown.map((c) => (
                <div key={c.name} role="cell" class={`tbl-cell ${c.align}${c.field.type === 'number' ? ' num' : ''}`} style={cellStyle(c, i)} title={c.show(c.field.values[i]).text}>
                  <span class="cut">
                    <Cell c={c} row={i} frame={frame} view={p} />
                  </span>
                </div>
              ))}
            </div>
          ))}
          {nested &&
            unfolded.size > 0 &&
            Array.from({ length: Math.max(0, to - from) }, (_, k) => from + k)
              .filter((i) => offsets.height(i) > rowH)
              .map((i) => (
                <div key={`in${rowKey(i)}`} class="tbl-inner" style={{ transform: `translateY(${offsets.offset(i) + rowH}px)`, height: `${offsets.height(i) - rowH}px`, left: `${TURN}px` }}>
                  <Table {...p} frames={nested.values[i] as Frame[]} panel={{ ...p.panel, options: { cellHeight: o['cellHeight'], showHeader: inner > 0 } }} width={p.width - TURN - 12} height={offsets.height(i) - rowH - 12} />
                </div>
              ))}
        </div>
        {footer && (
          <div class="tbl-row tbl-foot" role="row" style={{ gridTemplateColumns: template, height: `${HEAD}px` }}>
            {nested && <div role="cell" />}
            {footer.map((t, i) => (
              <div key={i} role="cell" class={`tbl-cell num ${shown[i]!.align}`}>
                {t}
              </div>
            ))}
          </div>
        )}
      </div>
      {list.length > 1 && (
        <div class="tbl-frames">
          <select aria-label="Result" value={String(Math.min(at, list.length - 1))} onChange={(e) => setAt(Number(e.currentTarget.value))}>
            {list.slice(0, 200).map((f, i) => (
              <option key={i} value={String(i)}>
                {f.name || displayName(f.fields.find((x) => x.type !== 'time') ?? f.fields[0]!, f, list)}
              </option>
            ))}
          </select>
        </div>
      )}
    </div>
  );
}

/** Figures under the columns: reducers of the panel, or of each column. */
function footerOf(o: Loose, cols: Column[]): string[] | null {
  const f = o['footer'] as { show?: boolean; reducer?: string[]; fields?: string[] | string; countRows?: boolean } | undefined;
  const panelWide = f?.show === true && f.reducer?.length ? f.reducer : null;
  const each = cols.map((c) => {
    const own = (c.field.config.custom?.['footer'] as { reducers?: string[] } | undefined)?.reducers;
    return own?.length ? own : panelWide && c.field.type === 'number' && (!f?.fields?.length || f.fields.includes(c.name)) ? panelWide : null;
  });
  if (each.every((e) => e === null)) return null;
  return cols.map((c, i) => {
    const r = each[i];
    if (!r) return i === 0 && panelWide ? (f?.countRows ? `Count: ${c.field.values.length}` : reducerName(panelWide[0]!)) : '';
    return r.map((id) => (id.startsWith('count') ? String(reduce(c.field.values, id)) : c.show(reduce(c.field.values, id)).text)).join(' / ');
  });
}
