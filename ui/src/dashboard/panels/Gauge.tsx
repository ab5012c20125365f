// A dial: where a value stands between its limits.

import { useMemo } from 'preact/hooks';
import { theme } from '../../shell/theme';
import { absoluteSteps, DEFAULT_THRESHOLDS } from '../field/color';
import { displayer } from '../field/display';
import { Linked } from './Linked';
import type { PanelView } from './props';
import { bestGrid } from './Stat';
import { panelValues, type OneValue } from './values';

const SWEEP = 240;
const START = 150;

function point(cx: number, cy: number, r: number, deg: number): string {
  const a = (deg * Math.PI) / 180;
  return `${(cx + r * Math.cos(a)).toFixed(2)} ${(cy + r * Math.sin(a)).toFixed(2)}`;
}

/** A ring segment between two shares of the dial. */
export function arc(cx: number, cy: number, r: number, thick: number, from: number, to: number): string {
  const a = START + from * SWEEP;
  const b = START + to * SWEEP;
  const large = b - a > 180 ? 1 : 0;
  return `M${point(cx, cy, r, a)}A${r} ${r} 0 ${large} 1 ${point(cx, cy, r, b)}L${point(cx, cy, r - thick, b)}A${r - thick} ${r - thick} 0 ${large} 0 ${point(cx, cy, r - thick, a)}Z`;
}

function Dial({ v, w, h, named, markers, labels }: { v: OneValue; w: number; h: number; named: boolean; markers: boolean; labels: boolean }) {
  const { min, max } = v;
  const n = v.shown.numeric;
  const share = n === null || !(max > min) ? 0 : Math.min(Math.max((n - min) / (max - min), 0), 1);
  const title = named ? 18 : 0;
  const r = Math.max(18, Math.min(w / 2 - 8, (h - title - 6) / 1.52));
  const cx = w / 2;
  const cy = r + 4;
  const ring = markers ? Math.max(2, r * 0.045) : 0;
  const outer = r - (markers ? ring + Math.max(2, r * 0.03) : 0);
  const thick = Math.max(5, r * 0.2);
  const steps = absoluteSteps(v.field.config.thresholds ?? DEFAULT_THRESHOLDS, min, max);
  const at = (x: number) => (max > min ? Math.min(Math.max((x - min) / (max - min), 0), 1) : 0);
  const size = Math.max(11, Math.min(outer * 0.42, ((outer - thick) * 2 * 1.2) / Math.max(3, v.shown.text.length)));
  const show = displayer(v.field, { min, max });
  return (
    <svg width={w} height={h} viewBox={`0 0 ${w} ${h}`} role="img" aria-label={`${v.name}: ${v.shown.text}`}>
      <path d={arc(cx, cy, outer, thick, 0, 1)} class="gauge-track" />
      {share > 0 && <path d={arc(cx, cy, outer, thick, 0, share)} fill={v.shown.color} />}
      {markers &&
        steps.map((s, i) => {
          const a = at(s.value);
          const b = at(steps[i + 1]?.value ?? Infinity);
          return b > a && s.color !== 'transparent' ? <path key={i} d={arc(cx, cy, r, ring, a, b)} fill={s.color} /> : null;
        })}
      {labels &&
        steps.slice(1).map((s, i) => {
          const [x, y] = point(cx, cy, outer - thick - 10, START + at(s.value) * SWEEP).split(' ');
          return (
            <text key={i} x={x} y={y} class="gauge-label">
              {show(s.value).text}
            </text>
          );
        })}
      <text x={cx} y={cy + size * 0.34} class="gauge-value num" style={{ fontSize: `${size}px`, fill: v.shown.color }}>
        {v.shown.text}
      </text>
      {named && (
        <text x={cx} y={Math.min(h - 5, cy + outer * 0.62 + 14)} class="gauge-name">
          {v.name.length > w / 6.6 ? `${v.name.slice(0, Math.max(3, Math.floor(w / 6.6)))}…` : v.name}
        </text>
      )}
    </svg>
  );
}

export default function Gauge(p: PanelView) {
  const dark = theme.value;
  const values = useMemo(() => panelValues(p.panel, p.frames), [p.frames, p.panel.options, dark]);
  if (values.length === 0) return <div class="empty">No data</div>;
  const o = p.panel.options ?? {};
  const { cols, rows } = bestGrid(values.length, p.width, p.height, String(o['orientation'] ?? 'auto') === 'horizontal' ? 'auto' : String(o['orientation'] ?? 'auto'));
  const w = Math.floor(p.width / cols);
  const h = Math.floor(p.height / rows);
  return (
    <div class="gauge-grid" style={{ gridTemplateColumns: `repeat(${cols}, ${w}px)` }}>
      {values.map((v, i) => (
        <Linked key={i} view={p} value={v} class="gauge">
          <Dial v={v} w={w} h={h} named={values.length > 1} markers={o['showThresholdMarkers'] !== false} labels={o['showThresholdLabels'] === true} />
        </Linked>
      ))}
    </div>
  );
}
