// Big figures, each with an optional sparkline.

import { useMemo } from 'preact/hooks';
import { sparkPaths } from '../../chart/Spark';
import { theme } from '../../shell/theme';
import { format } from '../../format/units';
import { inkOn, mix } from '../field/color';
import type { PanelView } from './props';
import { Linked } from './Linked';
import { panelValues, type OneValue } from './values';

/** Rows and columns that leave each of n tiles the most room. */
export function bestGrid(n: number, width: number, height: number, orientation: string): { cols: number; rows: number } {
  if (orientation === 'horizontal') return { cols: 1, rows: n };
  if (orientation === 'vertical') return { cols: n, rows: 1 };
  let best = { cols: n, rows: 1 };
  let score = -1;
  for (let cols = 1; cols <= n; cols++) {
    const rows = Math.ceil(n / cols);
    const w = width / cols;
    const h = height / rows;
    // Figures are about two and a half times as wide as high.
    const s = Math.min(w / 2.5, h);
    if (s > score * 1.02) {
      score = s;
      best = { cols, rows };
    }
  }
  return best;
}

function Spark({ v, color, fill }: { v: OneValue; color: string; fill: boolean }) {
  const values = v.series ?? [];
  const known = values.filter((x): x is number => x !== null && Number.isFinite(x));
  if (known.length < 2) return null;
  const lo = v.field.config.min ?? known.reduce((a, b) => Math.min(a, b), Infinity);
  let hi = v.field.config.max ?? known.reduce((a, b) => Math.max(a, b), -Infinity);
  if (hi === lo) hi = lo + 1;
  const { line, area } = sparkPaths(values, 200, 50, lo, hi);
  return (
    <svg class="stat-spark" viewBox="0 0 200 50" preserveAspectRatio="none" aria-hidden="true">
      {fill && <path d={area} fill={color} fill-opacity="0.22" />}
      <path d={line} fill="none" stroke={color} stroke-width="1.5" vector-effect="non-scaling-stroke" />
    </svg>
  );
}

export default function Stat(p: PanelView) {
  const dark = theme.value;
  const values = useMemo(() => panelValues(p.panel, p.frames), [p.frames, p.panel.options, dark]);
  if (values.length === 0) return <div class="empty">No data</div>;
  const o = p.panel.options ?? {};
  const colorMode = String(o['colorMode'] ?? 'value');
  const graph = String(o['graphMode'] ?? 'area');
  let text = String(o['textMode'] ?? 'auto');
  if (text === 'auto') text = values.length > 1 ? 'value_and_name' : values[0]!.field.config.displayName && values.length === 1 ? 'value' : 'value';
  const { cols, rows } = bestGrid(values.length, p.width, p.height, String(o['orientation'] ?? 'auto'));
  const gap = 4;
  const w = (p.width - gap * (cols - 1)) / cols;
  const h = (p.height - gap * (rows - 1)) / rows;
  const named = text === 'value_and_name' || text === 'name';
  // One size for all, so that the eye compares figures and not letters.
  const longest = Math.max(3, ...values.map((v) => (text === 'name' ? v.name : v.shown.text).length));
  const room = graph !== 'none' && h > 56 && values.some((v) => (v.series?.length ?? 0) > 1) ? 0.55 : 0.75;
  const size = Math.max(12, Math.min(Number((o['text'] as { valueSize?: number } | undefined)?.valueSize) || 58, ((w - 20) / longest) * 1.62, (h - (named ? 18 : 0)) * room));
  const center = o['justifyMode'] === 'center' || (o['justifyMode'] !== 'left' && values.length === 1 && graph === 'none');
  const compact = h < 30;
  return (
    <div class="stat-grid" style={{ gridTemplateColumns: `repeat(${cols}, minmax(0, 1fr))`, gridTemplateRows: `repeat(${rows}, minmax(0, 1fr))`, gap: `${gap}px` }}>
      {values.map((v, i) => {
        const solid = colorMode.startsWith('background');
        const c = v.shown.color;
        const hex = /^#[0-9a-f]{6}$/i.test(c);
        const bg = !solid ? undefined : colorMode === 'background_solid' || !hex ? c : `linear-gradient(120deg, ${mix([c, '#000000'], 0.12)}, ${c})`;
        const ink = solid ? inkOn(c) : colorMode === 'value' && (v.shown.coloured || hex) ? c : 'var(--text)';
        const change = o['showPercentChange'] === true && v.percentChange !== null ? v.percentChange : null;
        return (
          <Linked key={i} view={p} value={v} class={`stat${center ? ' center' : ''}${compact ? ' compact' : ''}`} style={{ background: bg, color: solid ? inkOn(c) : undefined }}>
            {graph !== 'none' && h > 56 && <Spark v={v} color={solid ? (inkOn(c) === '#ffffff' ? '#ffffff' : '#10151d') : c} fill={graph === 'area'} />}
            {named && text !== 'name' && <span class="stat-name cut">{v.name}</span>}
            {text !== 'none' && (
              <span class="stat-value num" style={{ fontSize: `${size}px`, color: ink }} data-value={v.shown.text}>
                {text === 'name' ? v.name : v.shown.text}
              </span>
            )}
            {change !== null && !compact && <span class={change >= 0 ? 'stat-change up' : 'stat-change down'}>{`${change >= 0 ? '+' : ''}${format(change, 'percentunit')}`}</span>}
          </Linked>
        );
      })}
    </div>
  );
}
