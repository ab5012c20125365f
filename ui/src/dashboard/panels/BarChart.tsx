// Bar chart of a table: one column names the places, the numbers are the bars.

import { useMemo, useState } from 'preact/hooks';
import { theme } from '../../shell/theme';
import { seriesColor } from '../field/color';
import { displayer, fieldRange } from '../field/display';
import { reduce } from '../field/reduce';
import { displayName, timeField } from '../frame/frame';
import type { Loose } from '../model/types';
import { toWide } from '../transform/series';
import { Bars, type BarSeries } from './bars';
import { PanelLegend } from './Legend';
import type { PanelView } from './props';
import { useToggle } from './toggle';

const MOST = 400;

export default function BarChart(p: PanelView) {
  const dark = theme.value;
  const [hidden, toggle] = useToggle();
  const [, setFocus] = useState<string | null>(null);
  const o = p.panel.options ?? {};
  const data = useMemo(() => {
    const list = p.frames.filter((f) => f.name !== 'exemplar');
    const frame = list.length > 1 && list.every((f) => timeField(f)) ? toWide(list)[0] : list.find((f) => f.fields.some((x) => x.type === 'number'));
    if (!frame) return null;
    const want = o['xField'];
    const x = frame.fields.find((f) => f.name === want || displayName(f, frame) === want) ?? frame.fields.find((f) => f.type === 'string') ?? timeField(frame);
    const names = x ? x.values.slice(0, MOST).map((v) => displayer(x)(v).text) : Array.from({ length: Math.min(frame.length, MOST) }, (_, i) => String(i + 1));
    const numbers = frame.fields.filter((f) => f.type === 'number' && f !== x && (f.config.custom?.['hideFrom'] as Loose | undefined)?.['viz'] !== true);
    return { names, numbers, frame };
  }, [p.frames, o['xField'], dark]);
  if (!data || data.numbers.length === 0) return <div class="empty">The result has no numbers to draw.</div>;
  const series = data.numbers.map((f, i): BarSeries => {
    const name = displayName(f, data.frame, [data.frame]);
    const r = fieldRange(f);
    const show = displayer({ ...f, config: { ...f.config, mappings: undefined } });
    return { key: `${name}#${i}`, name, color: seriesColor(f.config, i, name, reduce(f.values, 'lastNotNull') as number | null, r.min, r.max), values: f.values.slice(0, MOST).map((v) => (typeof v === 'number' && Number.isFinite(v) ? v : null)), text: (v) => show(v).text, hidden: hidden.has(`${name}#${i}`) };
  });
  const first = data.numbers[0]!.config;
  const legend = (o['legend'] ?? {}) as { showLegend?: boolean; displayMode?: string; placement?: string };
  const right = legend.placement === 'right' && p.width > 420;
  const orientation = String(o['orientation'] ?? 'auto');
  const stack = String(o['stacking'] ?? 'none');
  return (
    <div class={right ? 'ts ts-right' : 'ts'}>
      <Bars
        names={data.names}
        series={series}
        unit={first.unit ?? 'short'}
        stack={stack === 'normal' || stack === 'percent' ? stack : 'none'}
        horizontal={orientation === 'horizontal'}
        dense={false}
        groupWidth={Number(o['groupWidth'] ?? 0.7) || 0.7}
        barWidth={Number(o['barWidth'] ?? 0.97) || 0.97}
        showValue={String(o['showValue'] ?? 'auto')}
        min={first.min ?? undefined}
        max={first.max ?? undefined}
        label={`${p.panel.title ?? ''}: ${series.length} kinds of bars over ${data.names.length} places`}
      />
      {legend.showLegend !== false && series.length > 1 && (
        <PanelLegend items={series.map((s) => ({ key: s.key, label: s.name, color: s.color, hidden: s.hidden, calcs: [] }))} options={{ table: legend.displayMode === 'table', right, calcs: [] }} onToggle={(k, only) => toggle(k, only, series.map((s) => s.key))} onFocus={setFocus} />
      )}
    </div>
  );
}
