// The whole trace in a strip: all spans as thin lines, the part in view between two shades. Dragging picks a part.

import { useEffect, useRef, useState } from 'preact/hooks';
import { theme } from '../shell/theme';
import { nsText } from './text';
import type { Trace } from './trace';

export interface View {
  /** Nanoseconds since the trace began. */
  from: number;
  to: number;
}

const HEIGHT = 46;

export function Minimap({ trace, view, color, onView }: { trace: Trace; view: View; color: (service: string) => string; onView: (v: View) => void }) {
  const box = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const [drag, setDrag] = useState<[number, number] | null>(null);
  const total = trace.durationNs || 1;
  const dark = theme.value;
  useEffect(() => {
    const el = canvas.current!;
    const draw = () => {
      const dpr = devicePixelRatio || 1;
      const w = (el.width = Math.max(1, Math.round(el.clientWidth * dpr)));
      const h = (el.height = Math.round(HEIGHT * dpr));
      const ctx = el.getContext('2d')!;
      ctx.clearRect(0, 0, w, h);
      const n = trace.spans.length;
      const line = Math.max(1, Math.min(4 * dpr, (h - 4) / n));
      // More spans than lines: those that share one are drawn over each other, errors last.
      for (const bad of [false, true]) {
        for (let i = 0; i < n; i++) {
          const s = trace.spans[i]!;
          if (s.error !== bad) continue;
          ctx.fillStyle = bad ? getComputedStyle(el).getPropertyValue('--bad') : color(s.service);
          ctx.fillRect((s.startNs / total) * w, 2 + (i / n) * (h - 4), Math.max(1, (s.durationNs / total) * w), line);
        }
      }
    };
    draw();
    const ro = new ResizeObserver(draw);
    ro.observe(el);
    return () => ro.disconnect();
  }, [trace, dark]);
  const at = (e: PointerEvent): number => {
    const r = box.current!.getBoundingClientRect();
    return Math.max(0, Math.min(1, (e.clientX - r.left) / r.width)) * total;
  };
  const shown = drag ? { from: Math.min(...drag), to: Math.max(...drag) } : view;
  const whole = view.from <= 0 && view.to >= total;
  return (
    <div
      class="tr-mini"
      ref={box}
      role="img"
      aria-label={whole ? 'The whole trace; drag over a part to look closer' : `In view: ${nsText(view.from)} to ${nsText(view.to)}`}
      onPointerDown={(e) => {
        (e.currentTarget as HTMLElement).setPointerCapture(e.pointerId);
        setDrag([at(e), at(e)]);
      }}
      onPointerMove={(e) => drag && setDrag([drag[0], at(e)])}
      onPointerUp={() => {
        if (drag && Math.abs(drag[1] - drag[0]) > total / 200) onView({ from: Math.min(...drag), to: Math.max(...drag) });
        setDrag(null);
      }}
      onDblClick={() => onView({ from: 0, to: total })}
    >
      <canvas ref={canvas} style={{ height: `${HEIGHT}px` }} />
      <i class="tr-shade" style={{ left: 0, width: `${(shown.from / total) * 100}%` }} />
      <i class="tr-shade" style={{ left: `${(shown.to / total) * 100}%`, right: 0 }} />
    </div>
  );
}
