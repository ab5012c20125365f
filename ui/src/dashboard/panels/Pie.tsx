// Pie and ring.

import { useMemo, useState } from 'preact/hooks';
import { theme } from '../../shell/theme';
import { format } from '../../format/units';
import { paletteColor } from '../field/color';
import type { Loose } from '../model/types';
import { PanelLegend } from './Legend';
import type { PanelView } from './props';
import { useToggle } from './toggle';
import { panelValues } from './values';

function slice(cx: number, cy: number, r: number, hole: number, a: number, b: number): string {
  const p = (rad: number, t: number) => `${(cx + rad * Math.sin(t)).toFixed(2)} ${(cy - rad * Math.cos(t)).toFixed(2)}`;
  const large = b - a > Math.PI ? 1 : 0;
  // A whole circle has no arc from a point to itself.
  const end = b - a >= 2 * Math.PI - 1e-6 ? a + 2 * Math.PI - 1e-4 : b;
  const outer = `M${p(r, a)}A${r} ${r} 0 ${large} 1 ${p(r, end)}`;
  return hole > 0 ? `${outer}L${p(hole, end)}A${hole} ${hole} 0 ${large} 0 ${p(hole, a)}Z` : `${outer}L${cx} ${cy}Z`;
}

export default function Pie(p: PanelView) {
  const dark = theme.value;
  const [hidden, toggle] = useToggle();
  const [focus, setFocus] = useState<string | null>(null);
  const o = p.panel.options ?? {};
  const all = useMemo(() => {
    const vs = panelValues(p.panel, p.frames)
      .filter((v) => v.shown.numeric !== null && v.shown.numeric > 0)
      .map((v, i) => ({ key: `${v.name}#${i}`, name: v.name, n: v.shown.numeric!, text: v.shown.text, color: (v.field.config.color?.mode ?? 'palette-classic').startsWith('palette') ? paletteColor(i) : v.shown.color }));
    const sort = o['sort'] ?? 'desc';
    return sort === 'none' ? vs : vs.sort((a, b) => (b.n - a.n) * (sort === 'asc' ? -1 : 1));
  }, [p.frames, o, dark]);
  const legend = (o['legend'] ?? {}) as Loose;
  const show = legend['showLegend'] !== false;
  const right = legend['placement'] === 'right' && p.width > 280;
  const shown = all.filter((v) => !hidden.has(v.key));
  const total = shown.reduce((s, v) => s + v.n, 0);
  if (all.length === 0) return <div class="empty">No data</div>;
  const values = (Array.isArray(legend['values']) ? legend['values'] : []) as string[];
  const names = [...(values.includes('value') ? ['Value'] : []), ...(values.includes('percent') ? ['Percent'] : [])];
  const labels = (Array.isArray(o['displayLabels']) ? o['displayLabels'] : []) as string[];
  const w = right ? p.width * 0.58 : p.width;
  const h = show && !right ? p.height * 0.68 : p.height;
  const r = Math.max(20, Math.min(w, h) / 2 - 6);
  let at = 0;
  return (
    <div class={right ? 'pie right' : 'pie'}>
      <svg width={w} height={h} viewBox={`0 0 ${w} ${h}`} role="img" aria-label={`${p.panel.title ?? ''}: ${shown.map((v) => `${v.name} ${v.text}`).join(', ')}`}>
        {shown.map((v) => {
          const a = at;
          const b = (at += total > 0 ? (v.n / total) * 2 * Math.PI : 0);
          const mid = (a + b) / 2;
          const lr = o['pieType'] === 'donut' ? r * 0.8 : r * 0.66;
          const parts = [...(labels.includes('name') ? [v.name] : []), ...(labels.includes('value') ? [v.text] : []), ...(labels.includes('percent') ? [format((v.n / total) * 100, 'percent')] : [])];
          return (
            <g key={v.key} opacity={focus && focus !== v.key ? 0.35 : 1}>
              <path d={slice(w / 2, h / 2, r, o['pieType'] === 'donut' ? r * 0.6 : 0, a, b)} fill={v.color} stroke="var(--card)" stroke-width="1">
                <title>{`${v.name}: ${v.text} (${format((v.n / total) * 100, 'percent')})`}</title>
              </path>
              {parts.length > 0 && b - a > 0.25 && (
                <text x={w / 2 + lr * Math.sin(mid)} y={h / 2 - lr * Math.cos(mid)} class="pie-label">
                  {parts.join(' ')}
                </text>
              )}
            </g>
          );
        })}
      </svg>
      {show && (
        <PanelLegend
          items={all.map((v) => ({
            key: v.key,
            label: v.name,
            color: v.color,
            hidden: hidden.has(v.key),
            calcs: [...(values.includes('value') ? [{ text: v.text, value: v.n }] : []), ...(values.includes('percent') ? [{ text: format(total > 0 ? (v.n / total) * 100 : 0, 'percent'), value: v.n }] : [])],
          }))}
          names={names}
          options={{ table: legend['displayMode'] === 'table', right, calcs: [] }}
          onToggle={(k, only) => toggle(k, only, all.map((v) => v.key))}
          onFocus={setFocus}
        />
      )}
    </div>
  );
}
