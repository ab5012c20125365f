// Bars of values between their limits: plain, graded, or in cells like an old display.

import { useMemo } from 'preact/hooks';
import { theme } from '../../shell/theme';
import { absoluteSteps, continuousStops, DEFAULT_THRESHOLDS, isContinuous, valueColor, textColor } from '../field/color';
import { Linked } from './Linked';
import type { PanelView } from './props';
import { panelValues, type OneValue } from './values';
import { tint } from './timeseries/marks';

const share = (v: OneValue, x: number): number => (v.max > v.min ? Math.min(Math.max((x - v.min) / (v.max - v.min), 0), 1) : 0);

/** The colours along the bar as a CSS gradient over its whole length. */
function gradient(v: OneValue, dir: string): string {
  const mode = v.field.config.color?.mode ?? 'thresholds';
  if (isContinuous(mode)) return `linear-gradient(${dir}, ${continuousStops(mode).join(', ')})`;
  if (mode !== 'thresholds') return `linear-gradient(${dir}, ${tint(v.shown.color, 0.45)}, ${v.shown.color})`;
  const steps = absoluteSteps(v.field.config.thresholds ?? DEFAULT_THRESHOLDS, v.min, v.max);
  return `linear-gradient(${dir}, ${steps.map((s) => `${s.color} ${(share(v, s.value) * 100).toFixed(1)}%`).join(', ')}${steps.length === 1 ? `, ${steps[0]!.color}` : ''})`;
}

function Lcd({ v, length, vertical }: { v: OneValue; length: number; vertical: boolean }) {
  const cells = Math.max(6, Math.min(60, Math.floor(length / 14)));
  const s = v.shown.numeric === null ? 0 : share(v, v.shown.numeric);
  return (
    <div class={vertical ? 'lcd vertical' : 'lcd'}>
      {Array.from({ length: cells }, (_, i) => {
        const at = v.min + ((i + 0.5) / cells) * (v.max - v.min);
        const c = valueColor(v.field.config, at, 0, v.name, v.min, v.max);
        return <i key={i} style={{ background: i / cells < s ? c : tint(c, 0.13) }} />;
      })}
    </div>
  );
}

function Bar({ v, vertical, mode, unfilled, length }: { v: OneValue; vertical: boolean; mode: string; unfilled: boolean; length: number }) {
  if (mode === 'lcd') return <Lcd v={v} length={length} vertical={vertical} />;
  const s = v.shown.numeric === null ? 0 : share(v, v.shown.numeric);
  const size = `${(s * 100).toFixed(2)}%`;
  const c = v.shown.color;
  const style: Record<string, string> = vertical ? { height: size, width: '100%' } : { width: size, height: '100%' };
  if (mode === 'gradient') {
    style['background'] = gradient(v, vertical ? '0deg' : '90deg');
    // The gradient spans the whole track, whatever the bar covers of it.
    style[vertical ? 'backgroundSize' : 'backgroundSize'] = s > 0 ? (vertical ? `100% ${(100 / s).toFixed(1)}%` : `${(100 / s).toFixed(1)}% 100%`) : '100% 100%';
    if (vertical) style['backgroundPosition'] = '0 100%';
  } else {
    style['background'] = tint(c, 0.35);
    style[vertical ? 'borderTop' : 'borderRight'] = `2px solid ${c}`;
  }
  return (
    <div class={`bg-track${vertical ? ' vertical' : ''}${unfilled ? '' : ' bare'}`}>
      <i style={style} />
    </div>
  );
}

export default function BarGauge(p: PanelView) {
  const dark = theme.value;
  const values = useMemo(() => panelValues(p.panel, p.frames), [p.frames, p.panel.options, dark]);
  if (values.length === 0) return <div class="empty">No data</div>;
  const o = p.panel.options ?? {};
  const mode = String(o['displayMode'] ?? 'gradient');
  let orientation = String(o['orientation'] ?? 'auto');
  if (orientation === 'auto') orientation = p.width > p.height * 1.4 && values.length < 12 && p.height > 120 ? 'vertical' : 'horizontal';
  const vertical = orientation === 'vertical';
  const unfilled = o['showUnfilled'] !== false;
  const valueMode = String(o['valueMode'] ?? 'color');
  const nameSide = o['namePlacement'] === 'left' || (o['namePlacement'] !== 'top' && p.width > 240);
  const hideNames = o['namePlacement'] === 'hidden' || (values.length === 1 && values[0]!.name === '');
  const longest = Math.max(...values.map((v) => v.shown.text.length));
  const nameChars = Math.max(...values.map((v) => v.name.length));
  const rowH = p.height / values.length;
  const inline = nameSide || rowH < 44;
  const nameW = hideNames || vertical || !inline ? 0 : Math.min(p.width * 0.4, nameChars * 8 + 10);
  const valueW = valueMode === 'hidden' ? 0 : Math.min(140, longest * 9 + 14);
  const length = vertical ? p.height - 44 : p.width - nameW - valueW - 8;
  return (
    <div class={vertical ? 'bg vertical' : 'bg'} style={{ '--name-w': `${nameW}px`, '--value-w': `${valueW}px` }}>
      {values.map((v, i) => (
        <Linked key={i} view={p} value={v} class={inline || vertical ? 'bg-item' : 'bg-item stacked'}>
          {!hideNames && (
            <span class="bg-name cut" title={v.name}>
              {v.name}
            </span>
          )}
          <Bar v={v} vertical={vertical} mode={mode} unfilled={unfilled} length={length} />
          {valueMode !== 'hidden' && (
            <span class="bg-value num" style={{ color: valueMode === 'text' ? 'var(--text)' : textColor(v.shown.color) }}>
              {v.shown.text}
            </span>
          )}
        </Linked>
      ))}
    </div>
  );
}
