// A flame graph on a canvas, the root on top, with the list of what cost most beside it. A click on a bar
// makes it as wide as the drawing; words pick out bars.

import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { frameColors } from '../chart/colors';
import { inkOn, mix } from '../dashboard/field/color';
import { theme } from '../shell/theme';
import { barAt, pathTo, topOf, type Flame } from './model';
import './flame.css';

const ROW = 20;
const TOP = 200;

export type FlameShow = 'both' | 'flame' | 'top';

/** A warm colour that stays with the name, so that the same thing looks the same everywhere. */
function colorOf(label: string): string {
  let h = 0;
  // The part before the last dot or colon: what belongs together has a like colour.
  const group = label.slice(0, Math.max(label.lastIndexOf('.'), label.lastIndexOf(': '), 0)) || label;
  for (let i = 0; i < group.length; i++) h = (h * 31 + group.charCodeAt(i)) | 0;
  const hues = theme.value === 'dark' ? ['#e5733d', '#d9a23a', '#b7b04a', '#5fae7d', '#4d9fc4', '#7d8fd6', '#b57fc8', '#d9728f'] : ['#f2925f', '#efbe5c', '#cfc867', '#7fc79b', '#77bde0', '#9fb0ee', '#cfa3de', '#ee9bb2'];
  return hues[Math.abs(h) % hues.length]!;
}

export function FlameGraph({ flame: f, width, height, text, label, show: first = 'both' }: { flame: Flame; width: number; height: number; text: (v: number) => string; label: string; show?: FlameShow }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const [focus, setFocus] = useState(-1);
  const [words, setWords] = useState('');
  const [hover, setHover] = useState<{ i: number; x: number; y: number } | null>(null);
  const narrow = width < 520;
  const [show, setShow] = useState<FlameShow>(narrow && first === 'both' ? 'flame' : first);
  const dark = theme.value;
  useEffect(() => setFocus(-1), [f]);
  const at = focus >= 0 && focus < f.labels.length ? focus : -1;
  const from = at < 0 ? 0 : f.start[at]!;
  const span = (at < 0 ? f.total : f.value[at]!) || 1;
  const both = show === 'both' && !narrow;
  const w = both ? Math.round(width * 0.62) : width;
  const h = f.depth * ROW;
  const low = words.trim().toLowerCase();
  const hits = useMemo(() => (low ? f.labels.map((l) => l.toLowerCase().includes(low)) : null), [f, low]);
  const matched = useMemo(() => {
    if (!hits) return 0;
    // Nested hits are counted once.
    let sum = 0;
    let until = -1;
    for (let i = 0; i < hits.length; i++) {
      if (i > 0 && until >= 0 && f.level[i]! <= until) until = -1;
      if (hits[i] && until < 0) {
        sum += f.value[i]!;
        until = f.level[i]!;
      }
    }
    return sum;
  }, [hits, f]);
  const top = useMemo(() => (show === 'flame' ? [] : topOf(f)), [f, show === 'flame']);
  const listed = low ? top.filter((r) => r.label.toLowerCase().includes(low)) : top;

  useEffect(() => {
    const c = canvas.current;
    if (!c || show === 'top') return;
    const px = devicePixelRatio || 1;
    c.width = Math.round(w * px);
    c.height = Math.round(h * px);
    const g = c.getContext('2d')!;
    g.scale(px, px);
    g.clearRect(0, 0, w, h);
    g.font = '11px system-ui, sans-serif';
    g.textBaseline = 'middle';
    const scale = w / span;
    const colors = new Map<string, string>();
    const over = new Set(at < 0 ? [] : pathTo(f, at));
    const { bg } = frameColors();
    // Bars thinner than a pixel are drawn as one grey piece each level.
    const thin = new Array<number>(f.depth).fill(-1);
    for (let i = 0; i < f.labels.length; i++) {
      const above = over.has(i);
      const x0 = above ? 0 : (f.start[i]! - from) * scale;
      const bw = above ? w : f.value[i]! * scale;
      if (x0 + bw <= 0 || x0 >= w) continue;
      const y = f.level[i]! * ROW;
      if (bw < 0.7) {
        if (thin[f.level[i]!]! >= Math.floor(x0)) continue;
        thin[f.level[i]!] = Math.floor(x0);
        g.fillStyle = '#8888';
        g.fillRect(Math.floor(x0), y, 1, ROW - 1);
        continue;
      }
      let color = colors.get(f.labels[i]!);
      if (!color) colors.set(f.labels[i]!, (color = colorOf(f.labels[i]!)));
      const dimmed = (hits && !hits[i]) || (above && i !== at);
      if (dimmed) color = mix([color, /^#[0-9a-f]{6}$/i.test(bg) ? bg : '#808080'], 0.7);
      g.fillStyle = color;
      const left = Math.max(0, x0);
      const right = Math.min(w, x0 + bw);
      g.fillRect(left, y, Math.max(0.7, right - left - 0.6), ROW - 1);
      if (right - left < 26) continue;
      g.save();
      g.beginPath();
      g.rect(left + 2, y, right - left - 5, ROW);
      g.clip();
      g.fillStyle = dimmed ? frameColors().text : inkOn(color);
      g.fillText(right - left > 110 ? `${f.labels[i]!} (${text(f.value[i]!)})` : f.labels[i]!, left + 4, y + ROW / 2);
      g.restore();
    }
  }, [f, w, h, at, hits, dark, show]);

  const find = (e: MouseEvent) => {
    const r = canvas.current!.getBoundingClientRect();
    const level = Math.floor((e.clientY - r.top) / ROW);
    if (at >= 0 && level < f.level[at]!) return pathTo(f, at)[level] ?? -1;
    return barAt(f, level, from + ((e.clientX - r.left) / w) * span);
  };
  const share = (v: number) => `${((v / (f.total || 1)) * 100).toFixed(1)} %`;
  const pick = (t: string) => setWords(words === t ? '' : t);
  const modes: [FlameShow, string][] = [['flame', 'Flame'], ['top', 'List'], ...(narrow ? [] : ([['both', 'Both']] as [FlameShow, string][]))];
  return (
    <div class="fg" style={{ height: `${height}px` }}>
      <div class="fg-bar">
        <input type="search" placeholder="Names that contain…" aria-label="Names that contain" value={words} onInput={(e) => setWords(e.currentTarget.value)} />
        {low && <span class="dim num">{share(matched)}</span>}
        {at >= 0 && (
          <button type="button" class="btn small" onClick={() => setFocus(-1)}>
            Show all
          </button>
        )}
        <span class="grow" />
        <span class="seg" role="group" aria-label="What is shown">
          {modes.map(([k, t]) => (
            <button type="button" key={k} aria-pressed={show === k} onClick={() => setShow(k)}>
              {t}
            </button>
          ))}
        </span>
      </div>
      <div class={both ? 'fg-main both' : 'fg-main'}>
        {show !== 'flame' && (
          <div class="fg-top">
            <table class="table">
              <thead>
                <tr>
                  <th>Name</th>
                  <th class="num">Self</th>
                  <th class="num">Total</th>
                </tr>
              </thead>
              <tbody>
                {listed.slice(0, TOP).map((r) => (
                  <tr key={r.label}>
                    <td class="fg-name">
                      <button type="button" class="linkish" title={r.label} onClick={() => pick(r.label)}>
                        {r.label}
                      </button>
                    </td>
                    <td class="num">{text(r.self)}</td>
                    <td class="num">{text(r.total)}</td>
                  </tr>
                ))}
              </tbody>
            </table>
            {listed.length > TOP && <p class="note">{`The first ${TOP} of ${listed.length}.`}</p>}
          </div>
        )}
        {show !== 'top' && (
          <div
            class="fg-flame"
            tabIndex={0}
            role="img"
            aria-label={`${label}: ${f.labels.length} bars in ${f.depth} levels, ${text(f.total)} in all${at >= 0 ? `, at ${f.labels[at]}` : ''}`}
            onKeyDown={(e) => {
              if (e.key === 'Escape' && at >= 0) {
                e.stopPropagation();
                setFocus(-1);
              }
              // Down to the widest child, up to the parent, sideways to the siblings.
              const go = (i: number) => {
                if (i < 0) return;
                e.preventDefault();
                setFocus(i);
              };
              const now = at < 0 ? 0 : at;
              const near = f.parent.flatMap((p, i) => (p === f.parent[now] ? [i] : []));
              if (e.key === 'ArrowDown') go(f.parent.reduce((best, p, i) => (p === now && (best < 0 || f.value[i]! > f.value[best]!) ? i : best), -1));
              else if (e.key === 'ArrowUp') go(f.parent[now]!);
              else if (e.key === 'ArrowRight') go(near[near.indexOf(now) + 1] ?? -1);
              else if (e.key === 'ArrowLeft') go(near[near.indexOf(now) - 1] ?? -1);
            }}
          >
            <canvas
              ref={canvas}
              style={{ width: `${w}px`, height: `${h}px` }}
              onMouseMove={(e) => {
                const i = find(e);
                const r = canvas.current!.parentElement!.getBoundingClientRect();
                setHover(i < 0 ? null : { i, x: e.clientX - r.left, y: e.clientY - r.top + canvas.current!.parentElement!.scrollTop });
              }}
              onMouseLeave={() => setHover(null)}
              onClick={(e) => {
                const i = find(e);
                if (i >= 0) setFocus(i === at ? -1 : i);
              }}
            />
            {hover && (
              <div class="tip fg-tip" style={{ left: `${Math.max(0, Math.min(hover.x + 12, w - 260))}px`, top: `${hover.y + 16}px` }}>
                <div class="fg-tip-name">{f.labels[hover.i]}</div>
                <div class="num">
                  {text(f.value[hover.i]!)}, {share(f.value[hover.i]!)}
                </div>
                <div class="num dim">{text(f.self[hover.i]!)} itself</div>
              </div>
            )}
          </div>
        )}
      </div>
    </div>
  );
}
