// Series colours. Two sets, because what reads well on dark is too pale on light.

import { theme } from '../shell/theme';

const DARK = {
  blue: '#5b9dff',
  amber: '#f2b347',
  green: '#56c78b',
  red: '#f0706a',
  purple: '#b48cf2',
  teal: '#43c6cf',
  orange: '#f58f4b',
  pink: '#ec7fb8',
  lime: '#a8cf4f',
  gray: '#8b95a5',
  sky: '#8cc8ff',
  brown: '#c39a72',
};
const LIGHT: Record<keyof typeof DARK, string> = {
  blue: '#2563d9',
  amber: '#c98303',
  green: '#1a8f55',
  red: '#d03b35',
  purple: '#7d4fd0',
  teal: '#0b8f9b',
  orange: '#d9640f',
  pink: '#c23a86',
  lime: '#6d9310',
  gray: '#6b7685',
  sky: '#3f9be0',
  brown: '#91653a',
};

export type ColorName = keyof typeof DARK;
const ORDER = Object.keys(DARK).filter((n) => n !== 'gray') as ColorName[];

/** A named colour, the n-th of the palette, or a CSS colour as it is. */
export function color(c: ColorName | number | string): string {
  const set: Record<string, string> = theme.value === 'dark' ? DARK : LIGHT;
  if (typeof c === 'number') return set[ORDER[c % ORDER.length]!]!;
  return set[c] ?? c;
}

export function alpha(hex: string, a: number): string {
  if (!/^#[0-9a-f]{6}$/i.test(hex)) return hex;
  return hex + Math.round(a * 255).toString(16).padStart(2, '0');
}

let frame: { theme: string; colors: { text: string; grid: string; bg: string } } | null = null;

/** Colours of the drawing's frame, from the style sheet's variables; read once a theme. */
export function frameColors(): { text: string; grid: string; bg: string } {
  void theme.value;
  const now = document.documentElement.dataset['theme'] ?? '';
  if (frame?.theme !== now) {
    const s = getComputedStyle(document.documentElement);
    const of = (name: string) => s.getPropertyValue(name).trim();
    frame = { theme: now, colors: { text: of('--text-3'), grid: of('--grid'), bg: of('--card') } };
  }
  return frame.colors;
}
