// Dashboards from before the grid: rows of panels whose widths are twelfths.

import type { GridPos, Loose, Panel } from '../model/types';

interface OldRow extends Loose {
  title?: string;
  showTitle?: boolean;
  collapse?: boolean;
  height?: number | string;
  repeat?: string | null;
  panels?: (Panel & { span?: number; minSpan?: number; height?: number | string })[];
}

/** A unit of the grid with the gap below it, in pixels. */
const CELL = 38;
const COLUMNS = 24;

function heightUnits(h: number | string | undefined, fallback: number): number {
  if (h === undefined || h === '') return fallback;
  const px = typeof h === 'number' ? h : parseInt(h, 10);
  return Number.isFinite(px) && px > 0 ? Math.max(1, Math.ceil(Math.max(px, 40) / CELL)) : fallback;
}

/** Lays the rows' panels onto the grid, as wide and high as they were. */
export function rowsToGrid(rows: OldRow[], nextId: () => number): Panel[] {
  const out: Panel[] = [];
  let y = 0;
  const titled = rows.some((r) => r.collapse || r.showTitle || r.repeat);
  for (const row of rows) {
    const rowHeight = heightUnits(row.height, 7);
    const children: Panel[] = [];
    if (titled) {
      out.push({
        id: nextId(),
        type: 'row',
        title: row.title ?? '',
        collapsed: row.collapse === true,
        repeat: row.repeat ?? null,
        panels: row.collapse ? children : [],
        gridPos: { x: 0, y, w: COLUMNS, h: 1 },
      });
      y += 1;
    }
    let x = 0;
    let lineTop = y;
    let lineHeight = 0;
    for (const p of row.panels ?? []) {
      const { span, minSpan, height, ...panel } = p;
      const w = Math.min(COLUMNS, Math.max(1, Math.floor(span ?? 4)) * 2);
      const h = heightUnits(height, rowHeight);
      if (x + w > COLUMNS) {
        x = 0;
        lineTop += lineHeight;
        lineHeight = 0;
      }
      const gridPos: GridPos = { x, y: lineTop, w, h };
      const made: Panel = { ...panel, gridPos } as Panel;
      if (minSpan) made.maxPerRow = Math.max(1, Math.round(COLUMNS / (minSpan * 2)));
      x += w;
      lineHeight = Math.max(lineHeight, h);
      (row.collapse ? children : out).push(made);
    }
    y = row.collapse ? y : lineTop + lineHeight;
  }
  return out;
}
