// Things that open over the page: menus and dialogs. Escape and a click outside close them, and
// the focus goes back to where it came from.

import type { ComponentChildren } from 'preact';
import { useEffect, useRef } from 'preact/hooks';

export function Popover(p: { onClose: () => void; class?: string; label: string; children: ComponentChildren }) {
  const ref = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const before = document.activeElement as HTMLElement | null;
    const el = ref.current!;
    const first = el.querySelector<HTMLElement>('[data-autofocus]') ?? el.querySelector<HTMLElement>('input, button, a');
    first?.focus({ preventScroll: true });
    const down = (e: PointerEvent) => {
      const t = e.target as Node;
      if (!el.contains(t) && !el.parentElement?.contains(t)) p.onClose();
    };
    const key = (e: KeyboardEvent) => {
      if (e.key === 'Escape') {
        e.stopPropagation();
        p.onClose();
        before?.focus({ preventScroll: true });
      }
      if (e.key === 'ArrowDown' || e.key === 'ArrowUp') {
        const items = [...el.querySelectorAll<HTMLElement>('[role="menuitem"], [role="option"]')];
        if (items.length === 0 || (e.target as HTMLElement).tagName === 'INPUT') return;
        const i = items.indexOf(document.activeElement as HTMLElement);
        const n = (i + (e.key === 'ArrowDown' ? 1 : -1) + items.length) % items.length;
        items[n]!.focus();
        e.preventDefault();
      }
    };
    addEventListener('pointerdown', down);
    el.addEventListener('keydown', key);
    return () => {
      removeEventListener('pointerdown', down);
      el.removeEventListener('keydown', key);
    };
  }, []);
  return (
    <div class={`popover ${p.class ?? ''}`} ref={ref} role="dialog" aria-label={p.label}>
      {p.children}
    </div>
  );
}

export function Dialog(p: { onClose: () => void; label: string; class?: string; children: ComponentChildren }) {
  const ref = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const d = ref.current!;
    const before = document.activeElement as HTMLElement | null;
    d.showModal();
    d.querySelector<HTMLElement>('[data-autofocus]')?.focus();
    return () => before?.focus?.({ preventScroll: true });
  }, []);
  return (
    <dialog
      ref={ref}
      class={`dialog ${p.class ?? ''}`}
      aria-label={p.label}
      onClose={p.onClose}
      onClick={(e) => {
        if (e.target === ref.current) p.onClose();
      }}
    >
      {p.children}
    </dialog>
  );
}
