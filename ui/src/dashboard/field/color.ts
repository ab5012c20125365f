// Colours of values and series: named colours, palettes, thresholds and continuous scales.

import { color as themeColor } from '../../chart/colors';
import { theme } from '../../shell/theme';
import type { FieldConfig, Thresholds } from '../model/types';

/** Base hue, with its shades for dark and light backgrounds: super-light, light, plain, semi-dark, dark. */
const NAMED: Record<string, [string, string, string, string, string]> = {
  red: ['#ffa6b0', '#ff7383', '#f2495c', '#e02f44', '#c4162a'],
  orange: ['#ffcb7d', '#ffb357', '#ff9830', '#ff780a', '#fa6400'],
  yellow: ['#fff899', '#ffee52', '#fade2a', '#f2cc0c', '#e0b400'],
  green: ['#c8f2c2', '#96d98d', '#73bf69', '#56a64b', '#37872d'],
  blue: ['#c0d8ff', '#8ab8ff', '#5794f2', '#3274d9', '#1f60c4'],
  purple: ['#deb6f2', '#ca95e5', '#b877d9', '#a352cc', '#8f3bb8'],
};
const SHADES = ['super-light-', 'light-', '', 'semi-dark-', 'dark-'];

/** A colour as dashboards write it (named, CSS, or "transparent") to a CSS colour of this theme. */
export function resolveColor(name: string | undefined): string {
  if (!name) return themeColor('gray');
  if (name === 'transparent' || name.startsWith('#')) return name;
  if (name === 'text') return theme.value === 'dark' ? '#e4e9f1' : '#18212f';
  if (name === 'panel-bg') return theme.value === 'dark' ? '#141a24' : '#ffffff';
  for (let i = SHADES.length - 1; i >= 0; i--) {
    const prefix = SHADES[i]!;
    const base = prefix !== '' && name.startsWith(prefix) ? name.slice(prefix.length) : prefix === '' ? name : '';
    const shades = NAMED[base];
    // What reads well on dark is too pale on light: take the next darker one there.
    if (shades) return shades[theme.value === 'light' ? Math.min(i + 1, 4) : i]!;
  }
  // Only what is a colour and nothing else may reach a style.
  return /^(rgba?|hsla?)\([\d\s.,%/-]+\)$|^[a-z]{3,24}$/i.test(name) ? name : themeColor('gray');
}

const SCALES: Record<string, string[]> = {
  'continuous-GrYlRd': ['#73bf69', '#f2cc0c', '#f2495c'],
  'continuous-RdYlGr': ['#f2495c', '#f2cc0c', '#73bf69'],
  'continuous-BlYlRd': ['#5794f2', '#f2cc0c', '#f2495c'],
  'continuous-YlRd': ['#fade2a', '#f2495c'],
  'continuous-BlPu': ['#5794f2', '#b877d9'],
  'continuous-YlBl': ['#fade2a', '#5794f2'],
  'continuous-blues': ['#16243d', '#5794f2'],
  'continuous-reds': ['#3b1a1f', '#f2495c'],
  'continuous-greens': ['#182d1c', '#73bf69'],
  'continuous-purples': ['#2a1d38', '#b877d9'],
  'continuous-viridis': ['#440154', '#3b528b', '#21918c', '#5ec962', '#fde725'],
  'continuous-magma': ['#0b0924', '#51127c', '#b73779', '#fc8961', '#fcfdbf'],
  'continuous-plasma': ['#0d0887', '#7e03a8', '#cc4778', '#f89540', '#f0f921'],
  'continuous-inferno': ['#0c0826', '#57106e', '#bc3754', '#f98e09', '#fcffa4'],
  'continuous-cividis': ['#00224e', '#35456c', '#7c7b78', '#bcae6c', '#fee838'],
};

/** Colour schemes of heat maps, by Grafana's names. */
export const HEAT_SCHEMES: Record<string, string[]> = {
  Oranges: ['#fff1e0', '#fdbb84', '#f16913', '#a63603', '#5c1a02'],
  Blues: ['#eaf3fb', '#9ecae1', '#4292c6', '#08519c', '#062a54'],
  Greens: ['#eef8ea', '#a1d99b', '#41ab5d', '#006d2c', '#02381a'],
  Reds: ['#fff0ea', '#fcae91', '#ef3b2c', '#a50f15', '#5b0309'],
  Greys: ['#f5f5f5', '#bdbdbd', '#737373', '#252525', '#000000'],
  Purples: ['#f5f2fa', '#bcbddc', '#807dba', '#54278f', '#2f0a63'],
  Spectral: ['#9e0142', '#f46d43', '#fee08b', '#e6f598', '#66c2a5', '#5e4fa2'],
  RdYlGn: ['#a50026', '#f46d43', '#fee08b', '#a6d96a', '#006837'],
  RdYlBu: ['#a50026', '#f46d43', '#fee090', '#abd9e9', '#313695'],
  Turbo: ['#30123b', '#4686fb', '#1ae4b6', '#a4fc3c', '#fb8022', '#7a0403'],
  Viridis: SCALES['continuous-viridis']!,
  Magma: SCALES['continuous-magma']!,
  Plasma: SCALES['continuous-plasma']!,
  Inferno: SCALES['continuous-inferno']!,
  Cividis: SCALES['continuous-cividis']!,
};

function rgb(hex: string): [number, number, number] {
  const n = parseInt(hex.slice(1, 7), 16);
  return [(n >> 16) & 255, (n >> 8) & 255, n & 255];
}

/** A colour between the stops; t from 0 to 1. */
export function mix(stops: string[], t: number): string {
  const x = Math.min(Math.max(Number.isFinite(t) ? t : 0, 0), 1) * (stops.length - 1);
  const i = Math.min(Math.floor(x), stops.length - 2);
  if (i < 0) return stops[0]!;
  const a = rgb(stops[i]!);
  const b = rgb(stops[i + 1]!);
  const k = x - i;
  return `#${a.map((v, c) => Math.round(v + (b[c]! - v) * k).toString(16).padStart(2, '0')).join('')}`;
}

export function isContinuous(mode: string | undefined): boolean {
  return mode !== undefined && SCALES[mode] !== undefined;
}

export function continuousStops(mode: string): string[] {
  return SCALES[mode] ?? SCALES['continuous-GrYlRd']!;
}

export const DEFAULT_THRESHOLDS: Thresholds = {
  mode: 'absolute',
  steps: [
    { value: null, color: 'green' },
    { value: 80, color: 'red' },
  ],
};

/** The step a value falls into. Percentages are of the way from min to max. */
export function thresholdColor(v: number, t: Thresholds, min: number, max: number): string {
  const at = t.mode === 'percentage' ? (max > min ? ((v - min) / (max - min)) * 100 : 0) : v;
  let pick = t.steps[0]?.color ?? 'green';
  for (const s of t.steps) if (s.value === null || s.value === undefined || at >= s.value) pick = s.color;
  return resolveColor(pick);
}

/** Threshold steps as absolute values, for lines and areas. */
export function absoluteSteps(t: Thresholds, min: number, max: number): { value: number; color: string }[] {
  return t.steps.map((s) => ({
    value: s.value === null || s.value === undefined ? -Infinity : t.mode === 'percentage' ? min + ((max - min) * s.value) / 100 : s.value,
    color: resolveColor(s.color),
  }));
}

/** The n-th colour of the classic palette. */
export function paletteColor(index: number): string {
  return themeColor(index);
}

function hash(text: string): number {
  let h = 0;
  for (let i = 0; i < text.length; i++) h = (h * 31 + text.charCodeAt(i)) | 0;
  return Math.abs(h);
}

function shade(hex: string, index: number): string {
  if (!/^#[0-9a-f]{6}$/i.test(hex)) return hex;
  const k = ((index * 7) % 10) / 10 - 0.45;
  return k < 0 ? mix([hex, '#101010'], -k) : mix([hex, '#ffffff'], k);
}

/** Colour of a whole series: `value` is the figure that thresholds and scales go by. */
export function seriesColor(c: FieldConfig, index: number, name: string, value: number | null, min: number, max: number): string {
  const mode = c.color?.mode ?? 'palette-classic';
  switch (mode) {
    case 'fixed':
      return resolveColor(c.color?.fixedColor ?? 'green');
    case 'shades':
      return shade(resolveColor(c.color?.fixedColor ?? 'green'), index);
    case 'thresholds':
      return thresholdColor(value ?? -Infinity, c.thresholds ?? DEFAULT_THRESHOLDS, min, max);
    case 'palette-classic-by-name':
      return paletteColor(hash(name) % 11);
    default:
      if (isContinuous(mode)) return mix(continuousStops(mode), max > min && value !== null ? (value - min) / (max - min) : 0);
      return paletteColor(index);
  }
}

/** Colour of one value. */
export function valueColor(c: FieldConfig, v: number, index: number, name: string, min: number, max: number): string {
  return seriesColor(c.color ? c : { ...c, color: { mode: 'thresholds' } }, index, name, v, min, max);
}

/** Black or white, whichever reads on the colour. */
export function inkOn(hex: string): string {
  if (!/^#[0-9a-f]{6}/i.test(hex)) return 'var(--text)';
  const [r, g, b] = rgb(hex);
  return 0.299 * r + 0.587 * g + 0.114 * b > 150 ? '#10151d' : '#ffffff';
}

/** A colour of data as the colour of small text: on light ground it is darkened until it can be read. */
export function textColor(css: string): string {
  return theme.value === 'light' && /^#[0-9a-f]{6}$/i.test(css) ? mix([css, '#000000'], 0.35) : css;
}
