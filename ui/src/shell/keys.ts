// Keyboard shortcuts, Grafana's where it has one. Two-key sequences wait a second for the second.

import { go, href } from './router';
import { overlay, timePickerOpen } from './overlays';
import { PAGES } from './pages';
import { toggleTheme } from './theme';
import { copyText, toast } from './toast';
import { makeAbsolute, range, rawRange, refreshNow, setRange, shift, zoomOut } from '../time/state';

export interface Shortcut {
  keys: string[];
  text: string;
  run: () => void;
}

async function pasteRange(): Promise<void> {
  try {
    const t = await navigator.clipboard.readText();
    const r = JSON.parse(t) as { from?: unknown; to?: unknown };
    if (typeof r.from === 'string' && typeof r.to === 'string') return setRange({ from: r.from, to: r.to });
  } catch {
    // Falls through to the message.
  }
  toast('The clipboard holds no time range');
}

export const SHORTCUTS: Shortcut[] = [
  ...PAGES.filter((p) => p.key !== '').map((p) => ({ keys: ['g', p.key], text: `Go to ${p.title}`, run: () => go(href(p.path)) })),
  { keys: ['t', 'p'], text: 'Open the time picker', run: () => (timePickerOpen.value = true) },
  { keys: ['t', 'z'], text: 'Zoom the time range out', run: zoomOut },
  { keys: ['ctrl+z'], text: 'Zoom the time range out', run: zoomOut },
  { keys: ['t', 'ArrowLeft'], text: 'Move the time range back', run: () => shift(-0.5) },
  { keys: ['t', 'ArrowRight'], text: 'Move the time range forward', run: () => shift(0.5) },
  { keys: ['t', 'a'], text: 'Make the time range absolute', run: makeAbsolute },
  { keys: ['t', 'c'], text: 'Copy the time range', run: () => void copyText(JSON.stringify(rawRange.peek()), 'Time range copied') },
  { keys: ['t', 'v'], text: 'Paste a time range', run: () => void pasteRange() },
  { keys: ['d', 'r'], text: 'Refresh now', run: () => refreshNow() },
  { keys: ['c', 't'], text: 'Switch between light and dark', run: toggleTheme },
  { keys: ['mod+k'], text: 'Open the palette', run: () => (overlay.value = overlay.peek() === 'palette' ? null : 'palette') },
  { keys: ['?'], text: 'Show this help', run: () => (overlay.value = overlay.peek() === 'help' ? null : 'help') },
];

function typing(t: EventTarget | null): boolean {
  const el = t as HTMLElement | null;
  return !!el?.closest?.('input, textarea, select, [contenteditable]');
}

let first = '';
let timer = 0;

export function installKeys(): void {
  addEventListener('keydown', (e) => {
    const mod = e.ctrlKey || e.metaKey;
    if (mod && e.key.toLowerCase() === 'k') {
      e.preventDefault();
      overlay.value = overlay.peek() === 'palette' ? null : 'palette';
      return;
    }
    if (typing(e.target) || overlay.peek() === 'palette') return;
    if (mod && e.key === 'z') {
      e.preventDefault();
      zoomOut();
      return;
    }
    if (mod || e.altKey) return;
    if (e.key === 'Escape') first = '';
    const hit = SHORTCUTS.find((s) =>
      first === '' ? s.keys.length === 1 && s.keys[0] === e.key : s.keys.length === 2 && s.keys[0] === first && s.keys[1] === e.key,
    );
    clearTimeout(timer);
    if (hit) {
      first = '';
      e.preventDefault();
      hit.run();
      return;
    }
    first = SHORTCUTS.some((s) => s.keys.length === 2 && s.keys[0] === e.key) ? e.key : '';
    timer = window.setTimeout(() => {
      first = '';
    }, 1000);
  });
}

/** What "copy link" hands out: the instants, so that another reader sees the same. */
export function shareLink(): string {
  const u = new URL(location.href);
  u.searchParams.set('from', String(range.peek().fromMs));
  u.searchParams.set('to', String(range.peek().toMs));
  return u.href;
}
