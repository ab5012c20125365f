// Light, dark, or whatever the system says. index.html sets the attribute before the first paint.

import { computed, effect, signal } from '@preact/signals';
import { current, setParams } from './router';

export type ThemeChoice = 'system' | 'light' | 'dark';

const STORE = 'pharos.theme';
const media = matchMedia('(prefers-color-scheme: dark)');
const systemDark = signal(media.matches);
media.addEventListener('change', () => {
  systemDark.value = media.matches;
});

function initial(): ThemeChoice {
  const asked = current.value.params.get('theme') ?? safeGet(STORE);
  return asked === 'light' || asked === 'dark' ? asked : 'system';
}

/** localStorage may be forbidden; then choices last as long as the page. */
export function safeGet(key: string): string | null {
  try {
    return localStorage.getItem(key);
  } catch {
    return null;
  }
}

export function safeSet(key: string, value: string | null): void {
  try {
    if (value === null) localStorage.removeItem(key);
    else localStorage.setItem(key, value);
  } catch {
    // Nothing to keep it in.
  }
}

export const choice = signal<ThemeChoice>(initial());
export const theme = computed<'light' | 'dark'>(() =>
  choice.value === 'system' ? (systemDark.value ? 'dark' : 'light') : choice.value,
);

effect(() => {
  document.documentElement.dataset.theme = theme.value;
  document
    .querySelector('meta[name="theme-color"]')
    ?.setAttribute('content', theme.value === 'dark' ? '#0d1117' : '#f6f7f9');
});

export function setTheme(c: ThemeChoice): void {
  choice.value = c;
  safeSet(STORE, c === 'system' ? null : c);
  if (current.value.params.has('theme')) setParams({ theme: c === 'system' ? null : c });
}

export function toggleTheme(): void {
  setTheme(theme.value === 'dark' ? 'light' : 'dark');
}
