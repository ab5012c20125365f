// Ids inside a dashboard.

import type { Panel } from './types';

/** A, B, … Z, AA, … */
export function refIdAt(i: number): string {
  return i < 26 ? String.fromCharCode(65 + i) : refIdAt(Math.floor(i / 26) - 1) + String.fromCharCode(65 + (i % 26));
}

export function nextRefId(taken: string[]): string {
  for (let i = 0; ; i++) if (!taken.includes(refIdAt(i))) return refIdAt(i);
}

/** All panels, those of collapsed rows too. */
export function allPanels(panels: Panel[]): Panel[] {
  return panels.flatMap((p) => (p.panels?.length ? [p, ...p.panels] : [p]));
}

export function nextPanelId(panels: Panel[]): number {
  return Math.max(0, ...allPanels(panels).map((p) => p.id ?? 0)) + 1;
}
