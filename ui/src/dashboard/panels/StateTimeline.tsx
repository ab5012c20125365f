// State timeline and status history: what value each series had when, as coloured bars or cells.

import { useMemo } from 'preact/hooks';
import type uPlot from 'uplot';
import { theme } from '../../shell/theme';
import { inkOn, paletteColor } from '../field/color';
import { displayer, type Shown } from '../field/display';
import { displayName, timeField } from '../frame/frame';
import { PanelLegend } from './Legend';
import type { PanelView } from './props';
import { TimeCanvas } from './TimeCanvas';
import { tint } from './timeseries/marks';

interface Span {
  fromMs: number;
  toMs: number;
  shown: Shown;
  color: string;
}

interface Row {
  name: string;
  spans: Span[];
}

function rowsOf(p: PanelView, periodic: boolean): Row[] {
  const out: Row[] = [];
  const texts = new Map<string, number>();
  const merge = p.panel.options?.['mergeValues'] !== false && !periodic;
  for (const f of p.frames) {
    const t = timeField(f)?.values as number[] | undefined;
    if (!t || f.name === 'exemplar') continue;
    const gap = f.stepMs ?? (t.length > 1 ? Math.min(...t.slice(1, 50).map((x, i) => x - t[i]!)) : p.data.toMs - p.data.fromMs);
    for (const x of f.fields) {
      if (x.type === 'time') continue;
      const show = displayer(x);
      const spans: Span[] = [];
      for (let i = 0; i < f.length; i++) {
        const v = x.values[i];
        if (v === null || v === undefined) continue;
        const shown = show(v);
        let color = shown.color;
        const scheme = x.config.color?.mode ?? 'thresholds';
        if (!shown.coloured || (typeof v === 'string' && scheme !== 'fixed') || scheme.startsWith('palette')) {
          if (!x.config.mappings?.length || !shown.coloured) {
            if (!texts.has(shown.text)) texts.set(shown.text, texts.size);
            if (scheme.startsWith('palette') || typeof v === 'string') color = paletteColor(texts.get(shown.text)!);
          }
        }
        const last = spans[spans.length - 1];
        const next = i + 1 < f.length ? t[i + 1]! : t[i]! + gap;
        const end = Math.min(next, periodic ? t[i]! + gap : next);
        if (merge && last && last.shown.text === shown.text && t[i]! - last.toMs < gap * 0.5) last.toMs = end;
        else spans.push({ fromMs: t[i]!, toMs: end, shown, color });
      }
      out.push({ name: displayName(x, f, p.frames), spans });
      if (out.length >= 300) return out;
    }
  }
  return out;
}

export default function StateTimeline(p: PanelView) {
  const dark = theme.value;
  const periodic = p.panel.type === 'status-history';
  const o = p.panel.options ?? {};
  const rows = useMemo(() => rowsOf(p, periodic), [p.frames, o, dark]);
  const legend = (o['legend'] ?? {}) as { showLegend?: boolean; displayMode?: string };
  const states = useMemo(() => {
    const m = new Map<string, string>();
    for (const r of rows) for (const s of r.spans) if (s.shown.text !== '' && m.size < 30) m.set(s.shown.text, s.color);
    return [...m];
  }, [rows]);
  const n = rows.length;
  const draw = useMemo(
    () => (ctx: CanvasRenderingContext2D, x: (ms: number) => number, y: (row: number) => number, u: uPlot) => {
      const part = Math.min(1, Math.max(0.1, Number(o['rowHeight'] ?? 0.9)));
      const wide = periodic ? Math.min(1, Math.max(0.1, Number(o['colWidth'] ?? 0.9))) : 1;
      const opacity = Math.min(1, Number(p.panel.fieldConfig?.defaults.custom?.['fillOpacity'] ?? 70) / 100);
      const px = devicePixelRatio;
      ctx.font = `${11 * px}px system-ui, sans-serif`;
      ctx.textBaseline = 'middle';
      ctx.textAlign = 'left';
      rows.forEach((r, i) => {
        const top = y(n - i);
        const h = y(n - i - 1) - top;
        const hh = h * part;
        for (const s of r.spans) {
          const a = x(s.fromMs);
          const b = x(s.toMs);
          const w = Math.max(px, (b - a) * wide - (periodic ? 0 : px));
          const left = a + (b - a - Math.max(px, (b - a) * wide)) / 2;
          ctx.fillStyle = tint(s.color, opacity);
          ctx.fillRect(left, top + (h - hh) / 2, w, hh);
          if (o['showValue'] !== 'never' && hh > 11 * px) {
            const text = s.shown.text;
            const tw = ctx.measureText(text).width;
            if (o['showValue'] === 'always' || tw + 8 * px < w) {
              ctx.fillStyle = opacity > 0.5 ? inkOn(s.color) : dark === 'dark' ? '#e4e9f1' : '#18212f';
              if (ctx.fillStyle.startsWith('var')) ctx.fillStyle = '#888888';
              ctx.fillText(text, Math.max(left, u.bbox.left) + 4 * px, top + h / 2, Math.max(1, w - 6 * px));
            }
          }
        }
      });
    },
    [rows, o, dark],
  );
  if (n === 0) return <div class="empty">No data in this time range.</div>;
  const tip = (ms: number, row: number) => {
    const r = rows[n - 1 - Math.floor(row)];
    const s = r?.spans.find((x) => ms >= x.fromMs && ms < x.toMs);
    return r && s ? [{ color: s.color, label: r.name, text: s.shown.text }] : [];
  };
  return (
    <div class="ts">
      <TimeCanvas view={p} rows={n} labels={rows.map((r, i) => ({ at: n - i - 0.5, text: r.name }))} draw={draw} tip={tip} label={`${p.panel.title ?? ''}: states of ${n} series over time`} />
      {legend.showLegend !== false && states.length > 0 && (
        <PanelLegend items={states.map(([text, color]) => ({ key: text, label: text, color, hidden: false, calcs: [] }))} options={{ table: false, right: false, calcs: [] }} onToggle={() => undefined} onFocus={() => undefined} />
      )}
    </div>
  );
}
