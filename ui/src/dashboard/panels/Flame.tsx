// The flame graph panel: a nested set (level, value, self, label), or a trace folded by its paths.

import { useMemo } from 'preact/hooks';
import { flameOf, flameOfTrace, type Flame } from '../../flame/model';
import { FlameGraph } from '../../flame/FlameGraph';
import { format } from '../../format/units';
import { displayer } from '../field/display';
import type { Field, Frame } from '../frame/frame';
import { isTrace, traceOfFrame } from '../query/trace_frames';
import type { PanelView } from './props';

function labelsOf(x: Field): string[] {
  // Profiles name each function once and refer to it by number.
  const names = (x.config as { type?: { enum?: { text?: string[] } } }).type?.enum?.text;
  return x.values.map((v) => (names && typeof v === 'number' ? (names[v] ?? String(v)) : String(v ?? '')));
}

export function frameFlame(f: Frame): Flame | null {
  const col = (n: string) => f.fields.find((x) => x.name.toLowerCase() === n);
  const level = col('level');
  const value = col('value');
  const label = col('label');
  if (!level || !value || !label) return null;
  return flameOf({ labels: labelsOf(label), level: level.values.map(Number), value: value.values.map(Number), self: col('self')?.values as (number | null)[] | undefined });
}

export default function FlamePanel(p: PanelView) {
  const made = useMemo(() => {
    for (const f of p.frames) {
      const flame = frameFlame(f);
      if (flame) {
        const x = f.fields.find((c) => c.name.toLowerCase() === 'value')!;
        const show = displayer(x.config.unit ? x : { ...x, config: { ...x.config, unit: 'short' } });
        return { flame, text: (v: number) => show(v).text };
      }
      const t = isTrace(f) ? traceOfFrame(f) : null;
      const of = t ? flameOfTrace(t.trace) : null;
      if (of) return { flame: of, text: (v: number) => format(v, 'ns') };
    }
    return null;
  }, [p.frames]);
  if (!made) return <div class="empty">The result is no flame graph: it takes columns “level”, “value” and “label” in depth-first order, or one trace.</div>;
  const show = p.panel.options?.['selectedView'];
  return <FlameGraph flame={made.flame} text={made.text} width={p.width} height={p.height} label={p.panel.title || 'Flame graph'} show={show === 'flame' || show === 'top' ? show : 'both'} />;
}
