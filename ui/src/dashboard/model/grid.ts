// Places on the grid of a dashboard.

import type { GridPos } from './types';

export const overlaps = (a: GridPos, b: GridPos): boolean => a.x < b.x + b.w && b.x < a.x + a.w && a.y < b.y + b.h && b.y < a.y + a.h;

/** Pushes down what would lie on another, in the order of their places; what overlaps nothing stays. */
export function settle(list: { pos: GridPos }[]): void {
  const done: GridPos[] = [];
  for (const p of list.slice().sort((a, b) => a.pos.y - b.pos.y || a.pos.x - b.pos.x)) {
    for (let hit = done.find((o) => overlaps(p.pos, o)); hit; hit = done.find((o) => overlaps(p.pos, o))) p.pos.y = hit.y + hit.h;
    done.push(p.pos);
  }
}
