import { describe, expect, it } from 'vitest';
import { tableWidth } from '../src/dashboard/panels/Legend';
import { cutText } from '../src/dashboard/panels/TimeCanvas';
import { format } from '../src/format/units';

const item = (label: string, ...calcs: string[]) => ({ key: label, label, color: '', hidden: false, calcs: calcs.map((text) => ({ text, value: 0 })) });

describe('a legend beside the drawing', () => {
  it('wants room for its names and all its figures', () => {
    const plain = tableWidth([item('a')], []);
    expect(tableWidth([item('a', '12.3 GiB')], ['Max'])).toBeGreaterThan(plain + 8 * 6);
    expect(tableWidth([item('x'.repeat(500))], [])).toBeLessThan(260);
  });
});

describe('names beside rows of a drawing', () => {
  it('keep their beginning', () => {
    expect(cutText('{instance="vm"}', 6)).toBe('{inst…');
    expect(cutText('short', 6)).toBe('short');
  });
});

describe('numbers without a unit', () => {
  it.each([[2.85372, '2.85'], [12.5817, '12.6'], [123.456, '123'], [1234567.8, '1234568'], [0.0123456, '0.0123'], [3, '3'], [2.5, '2.5'], [-2.85372, '-2.85']])('%d has three digits that count', (v, text) => expect(format(v, 'none')).toBe(text));
});
