// Moving and resizing panels with the pointer. While it is held a shadow shows where the panel will
// be; letting go changes the dashboard, Escape leaves it.

import type { Placed } from '../model/repeat';
import type { Session } from '../model/session';
import type { GridPos } from '../model/types';
import { setPlace } from './operations';

const ROW_PX = 38;

export function startDrag(e: PointerEvent, kind: 'move' | 'size', s: Session, placed: Placed, section: Placed[], grid: HTMLElement): void {
  if (e.button !== 0 || (e.target as Element).closest('button, a, input, .popover')) return;
  e.preventDefault();
  const column = grid.clientWidth / 24;
  const start = placed.pos;
  let now: GridPos = start;
  const ghost = document.createElement('div');
  ghost.className = 'dash-ghost';
  const show = () => {
    ghost.style.setProperty('--x', String(now.x + 1));
    ghost.style.setProperty('--y', String(now.y + 1));
    ghost.style.setProperty('--w', String(now.w));
    ghost.style.setProperty('--h', String(now.h));
  };
  show();
  grid.append(ghost);
  document.body.classList.add('dragging');
  const move = (m: PointerEvent) => {
    const dx = Math.round((m.clientX - e.clientX) / column);
    const dy = Math.round((m.clientY - e.clientY) / ROW_PX);
    now =
      kind === 'move'
        ? { ...start, x: Math.min(Math.max(0, start.x + dx), 24 - start.w), y: Math.max(0, start.y + dy) }
        : { ...start, w: Math.min(Math.max(2, start.w + dx), 24 - start.x), h: Math.max(2, start.h + dy) };
    show();
  };
  const finish = (keep: boolean) => {
    removeEventListener('pointermove', move);
    removeEventListener('pointerup', up);
    removeEventListener('keydown', key);
    document.body.classList.remove('dragging');
    ghost.remove();
    if (!keep || (now.x === start.x && now.y === start.y && now.w === start.w && now.h === start.h)) return;
    // Sections are drawn from their own top: back to the dashboard's rows.
    const top = Math.min(...section.map((p) => p.panel.gridPos.y));
    const at = kind === 'move' ? { ...now, y: now.y + top } : { ...placed.panel.gridPos, w: now.w, h: now.h };
    s.change(setPlace(s.model.peek(), placed.panel.id, at));
  };
  const up = () => finish(true);
  const key = (k: KeyboardEvent) => {
    if (k.key === 'Escape') finish(false);
  };
  addEventListener('pointermove', move);
  addEventListener('pointerup', up);
  addEventListener('keydown', key);
}
