// What stands in a table's cells: text, colours, bars, sparklines, links.

import { sparkPaths } from '../../../chart/Spark';
import { inkOn, textColor } from '../../field/color';
import { displayer, fieldRange, type Shown } from '../../field/display';
import type { Field, Frame } from '../../frame/frame';
import type { Loose } from '../../model/types';
import { LinkAnchor } from '../Linked';
import { readyLinks } from '../links';
import type { PanelView } from '../props';
import { tint } from '../timeseries/marks';

export interface Column {
  field: Field;
  name: string;
  show: (v: unknown) => Shown;
  cell: Loose;
  align: string;
  width: number | null;
  minWidth: number;
  range: { min: number; max: number };
}

export function columnOf(f: Field, name: string, index: number): Column {
  const c = f.config.custom ?? {};
  const range = fieldRange(f);
  const cell = (c['cellOptions'] as Loose | undefined) ?? { type: 'auto' };
  const align = String(c['align'] ?? 'auto');
  return {
    field: f,
    name,
    show: displayer(f, range, index, name),
    cell,
    align: align !== 'auto' && align !== '' ? align : f.type === 'number' ? 'right' : 'left',
    width: typeof c['width'] === 'number' && c['width'] > 0 ? c['width'] : null,
    minWidth: typeof c['minWidth'] === 'number' ? c['minWidth'] : 60,
    range,
  };
}

interface SparkValue {
  spark?: (number | null)[];
  value?: unknown;
}

function Sparkline({ v, c }: { v: SparkValue; c: Column }) {
  const values = v.spark ?? [];
  const known = values.filter((x): x is number => typeof x === 'number' && Number.isFinite(x));
  if (known.length < 2) return null;
  const lo = known.reduce((a, b) => Math.min(a, b), Infinity);
  let hi = known.reduce((a, b) => Math.max(a, b), -Infinity);
  if (hi === lo) hi = lo + 1;
  const { line, area } = sparkPaths(values, 120, 24, lo, hi);
  const last = c.show(v.value);
  return (
    <span class="cell-spark">
      <svg viewBox="0 0 120 24" preserveAspectRatio="none" aria-hidden="true">
        <path d={area} fill="var(--link)" fill-opacity="0.18" />
        <path d={line} fill="none" stroke="var(--link)" stroke-width="1.3" vector-effect="non-scaling-stroke" />
      </svg>
      <span class="num">{typeof v.value === 'number' ? last.text : ''}</span>
    </span>
  );
}

function Gauge({ c, s, mode }: { c: Column; s: Shown; mode: string }) {
  const share = s.numeric === null || !(c.range.max > c.range.min) ? 0 : Math.min(Math.max((s.numeric - c.range.min) / (c.range.max - c.range.min), 0), 1);
  const cells = 24;
  return (
    <span class="cell-gauge">
      {mode === 'lcd' ? (
        <span class="lcd">
          {Array.from({ length: cells }, (_, i) => (
            <i key={i} style={{ background: i / cells < share ? c.show(c.range.min + ((i + 0.5) / cells) * (c.range.max - c.range.min)).color : tint(s.color, 0.13) }} />
          ))}
        </span>
      ) : (
        <span class="bg-track">
          <i style={{ width: `${share * 100}%`, height: '100%', background: mode === 'basic' ? s.color : `linear-gradient(90deg, ${tint(s.color, 0.35)}, ${s.color})` }} />
        </span>
      )}
      <span class="num" style={{ color: textColor(s.color) }}>
        {s.text}
      </span>
    </span>
  );
}

function safeImage(v: unknown): string | null {
  const t = String(v ?? '');
  return /^data:image\/(png|jpeg|gif|webp|svg\+xml);/.test(t) || (/^\/(?![\\/])/.test(t)) ? t : null;
}

export function Cell({ c, row, frame, view }: { c: Column; row: number; frame: Frame; view: PanelView }) {
  const v = c.field.values[row];
  const type = String(c.cell['type'] ?? 'auto');
  if (typeof v === 'object' && v !== null && 'spark' in v) return <Sparkline v={v as SparkValue} c={c} />;
  const s = c.show(v);
  if (type === 'gauge' && s.numeric !== null) return <Gauge c={c} s={s} mode={String(c.cell['mode'] ?? 'gradient')} />;
  if (type === 'image') {
    const src = safeImage(v);
    if (src) return <img class="cell-image" src={src} alt={String(c.cell['alt'] ?? '')} />;
  }
  const links = c.field.config.links?.length ? readyLinks(c.field.config.links, view.fill, { field: c.field, frame, all: view.frames, row, value: v }) : [];
  if (type === 'data-links' && links.length) {
    return (
      <>
        {links.map((l, i) => (
          <LinkAnchor key={i} link={l} class="cell-link">
            {l.title}
          </LinkAnchor>
        ))}
      </>
    );
  }
  if (type === 'pill') {
    const list = Array.isArray(v) ? v : String(v ?? '').split(',');
    return (
      <>
        {list.filter((x) => x !== '').map((x, i) => (
          <span class="tag" key={i} style={s.coloured ? { background: tint(s.color, 0.2), color: textColor(s.color) } : undefined}>
            {String(x).trim()}
          </span>
        ))}
      </>
    );
  }
  const text = type === 'json-view' && typeof v === 'object' ? JSON.stringify(v) : s.text;
  const body = type === 'json-view' ? <code>{text}</code> : text;
  return links.length ? <LinkAnchor link={links[0]!}>{body}</LinkAnchor> : <>{body}</>;
}

/** Background and text colour of a cell. */
export function cellStyle(c: Column, row: number): Record<string, string> | undefined {
  const type = String(c.cell['type'] ?? 'auto');
  const v = c.field.values[row];
  if (type === 'color-background') {
    const s = c.show(v);
    if (s.text === '' && v === null) return undefined;
    const bg = c.cell['mode'] === 'gradient' || c.cell['mode'] === undefined ? `linear-gradient(100deg, ${tint(s.color, 0.82)}, ${s.color})` : s.color;
    return { background: bg, color: inkOn(s.color) };
  }
  if (type === 'color-text') return { color: textColor(c.show(v).color) };
  const s = c.field.config.mappings?.length ? c.show(v) : null;
  return s?.coloured && type === 'auto' && c.field.config.color?.mode !== 'thresholds' ? { color: textColor(s.color) } : undefined;
}
