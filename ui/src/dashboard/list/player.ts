// A playlist that runs: one dashboard after the other, each for a while.

import { signal } from '@preact/signals';
import { playlistBoards, type Playlist } from '../../api/shared';
import type { SearchHit } from '../../api/dashboards';
import { basePath, current, go, href } from '../../shell/router';
import { parseDuration } from '../../time/grammar';

export interface Playing {
  name: string;
  boards: SearchHit[];
  at: number;
  intervalMs: number;
  paused: boolean;
  /** 'tv' keeps the bar of a dashboard, '1' leaves the panels only, null is the usual view. */
  kiosk: string | null;
}

export const playing = signal<Playing | null>(null);
let timer = 0;

const LEAST_MS = 1000;

function show(p: Playing): void {
  const b = p.boards[p.at]!;
  const q = href(b.url.replace(/^\//, ''), p.kiosk === null ? {} : { kiosk: p.kiosk });
  go(q.startsWith(basePath) ? q : basePath + q);
  schedule();
}

function schedule(): void {
  clearTimeout(timer);
  const p = playing.peek();
  if (!p || p.paused || p.boards.length < 2) return;
  timer = window.setTimeout(() => step(1), p.intervalMs);
}

export async function play(list: Playlist, kiosk: string | null): Promise<void> {
  const boards = await playlistBoards(list);
  if (boards.length === 0) throw new Error(`The playlist ${list.name} has no dashboard that is there.`);
  playing.value = { name: list.name, boards, at: 0, intervalMs: Math.max(LEAST_MS, parseDuration(list.interval) ?? 300_000), paused: false, kiosk };
  show(playing.value);
}

export function step(by: number): void {
  const p = playing.peek();
  if (!p) return;
  playing.value = { ...p, at: (p.at + by + p.boards.length) % p.boards.length };
  show(playing.value);
}

export function pause(): void {
  const p = playing.peek();
  if (!p) return;
  playing.value = { ...p, paused: !p.paused };
  schedule();
}

export function stop(): void {
  clearTimeout(timer);
  playing.value = null;
  const q = new URLSearchParams(current.peek().params);
  if (q.has('kiosk')) {
    q.delete('kiosk');
    go(location.pathname + (q.size ? `?${q}` : ''));
  }
}
