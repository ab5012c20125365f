// Keys that mean something on a dashboard only; Grafana's. The panel under the pointer is meant.

import { signal } from '@preact/signals';
import { current, setParams } from '../../shell/router';
import type { Session } from '../model/session';
import { allPanels } from '../model/ids';
import { playing, stop } from '../list/player';
import { removePanel } from '../edit/operations';

/** What the menu of the panel under the pointer hears when a key of its items is pressed; `detail` is the key. */
export const PANEL_KEY = 'panel-key';

export const savePrompt = signal(false);

function hovered(): { key: string; el: HTMLElement } | null {
  const el = document.querySelector<HTMLElement>('.dash-cell:hover, .dash-one:hover');
  const id = el?.dataset['panelId'];
  return el && id ? { key: id, el } : null;
}

function typing(t: EventTarget | null): boolean {
  return !!(t as HTMLElement | null)?.closest?.('input, textarea, select, [contenteditable], dialog');
}

let first = '';

export function installDashboardKeys(s: Session): () => void {
  const key = (e: KeyboardEvent) => {
    const mod = e.ctrlKey || e.metaKey;
    if (mod && e.key.toLowerCase() === 's') {
      e.preventDefault();
      if (s.dirty.peek()) savePrompt.value = true;
      return;
    }
    if (typing(e.target) || mod || e.altKey) return;
    const before = first;
    first = '';
    const params = current.peek().params;
    if (before === 'd') {
      if (e.key === 'k') return setParams({ kiosk: params.has('kiosk') ? null : '' });
      if (e.key === 's') return setParams({ editview: 'settings' }, true);
      if (e.key === 'e' || e.key === 'v') {
        s.editing.value = !s.editing.peek();
        return;
      }
    }
    if (before === 'p') {
      const h = hovered();
      if (e.key === 'r' && h) return s.change(removePanel(s.model.peek(), Number(h.key)));
    }
    if (e.key === 'd' || e.key === 'p' || e.key === 'g' || e.key === 't' || e.key === 'c') {
      first = e.key;
      setTimeout(() => (first = first === e.key ? '' : first), 1000);
      return;
    }
    if (before !== '') return;
    if (e.key === 'Escape') {
      if (params.has('editview')) return setParams({ editview: null }, true);
      if (params.has('viewPanel') || params.has('editPanel')) return setParams({ viewPanel: null, editPanel: null }, true);
      if (playing.peek()) return stop();
      if (params.has('kiosk')) return setParams({ kiosk: null });
      return;
    }
    const h = hovered();
    if (e.key === 'v') {
      if (params.has('viewPanel')) return setParams({ viewPanel: null }, true);
      if (h) setParams({ viewPanel: h.key }, true);
    } else if (e.key === 'e' && h && allPanels(s.model.peek().panels).some((p) => String(p.id) === h.key)) {
      setParams({ editPanel: h.key, viewPanel: null }, true);
    } else if ((e.key === 'i' || e.key === 'x') && h) {
      h.el.querySelector('.panel-menu')?.dispatchEvent(new CustomEvent(PANEL_KEY, { detail: e.key }));
    }
  };
  addEventListener('keydown', key);
  return () => removeEventListener('keydown', key);
}
