// Histogram: how often values fall into each bucket.

import { useMemo } from 'preact/hooks';
import { theme } from '../../shell/theme';
import { formatTicks } from '../../format/units';
import { paletteColor } from '../field/color';
import { bucketize } from '../transform/histogram';
import { Bars } from './bars';
import { PanelLegend } from './Legend';
import type { PanelView } from './props';
import { useToggle } from './toggle';

export default function Histogram(p: PanelView) {
  const dark = theme.value;
  const [hidden, toggle] = useToggle();
  const o = p.panel.options ?? {};
  const h = useMemo(() => {
    // The transformation of the same name may have counted already.
    const f = p.frames.find((x) => x.fields[0]?.name === 'xMin' && x.fields[1]?.name === 'xMax');
    if (f) return { lo: f.fields[0]!.values as number[], hi: f.fields[1]!.values as number[], counts: f.fields.slice(2).map((x) => ({ name: x.name, values: x.values as number[] })) };
    return bucketize(p.frames, { size: Number(o['bucketSize']) || 0, count: Number(o['bucketCount']) || 30, offset: Number(o['bucketOffset']) || 0, combine: o['combine'] === true });
  }, [p.frames, o, dark]);
  if (!h) return <div class="empty">No data in this time range.</div>;
  const unit = p.panel.fieldConfig?.defaults.unit ?? 'short';
  const series = h.counts.map((c, i) => ({ key: `${c.name}#${i}`, name: c.name, color: paletteColor(i), values: c.values.map((v) => (v > 0 ? v : null)), text: String, hidden: hidden.has(`${c.name}#${i}`) }));
  const legend = (o['legend'] ?? {}) as { showLegend?: boolean };
  return (
    <div class="ts">
      <Bars names={formatTicks(h.lo, unit)} series={series} unit="short" stack="none" horizontal={false} dense groupWidth={1} barWidth={1} showValue="never" label={`${p.panel.title ?? ''}: histogram`} />
      {legend.showLegend !== false && series.length > 1 && (
        <PanelLegend items={series.map((s) => ({ key: s.key, label: s.name, color: s.color, hidden: s.hidden, calcs: [] }))} options={{ table: false, right: false, calcs: [] }} onToggle={(k, only) => toggle(k, only, series.map((s) => s.key))} onFocus={() => undefined} />
      )}
    </div>
  );
}
