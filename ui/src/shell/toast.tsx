// One short message at the foot of the page ("Link copied").

import { signal } from '@preact/signals';

const message = signal<string | null>(null);
let timer = 0;

export function toast(text: string): void {
  message.value = text;
  clearTimeout(timer);
  timer = window.setTimeout(() => {
    message.value = null;
  }, 2500);
}

/** Copies a text and says so; works on plain http, where the clipboard API is not there. */
export async function copyText(text: string, said = 'Copied'): Promise<void> {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = document.createElement('textarea');
    area.value = text;
    area.style.cssText = 'position:fixed;opacity:0';
    document.body.append(area);
    area.select();
    document.execCommand('copy');
    area.remove();
  }
  toast(said);
}

export function Toast() {
  return (
    <div class="toast-box" role="status" aria-live="polite">
      {message.value && <div class="toast">{message.value}</div>}
    </div>
  );
}
