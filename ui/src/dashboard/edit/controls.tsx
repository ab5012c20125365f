// Small form controls of the editors.

import { useEffect, useState } from 'preact/hooks';
import type { ComponentChildren } from 'preact';

export function Row({ label, children, hint }: { label: string; children: ComponentChildren; hint?: string }) {
  return (
    <label class="opt" title={hint}>
      <span class="opt-label">{label}</span>
      {children}
    </label>
  );
}

/** A text that takes effect when it is left or Enter is pressed. */
export function TextInput({ value, onChange, placeholder, label, list }: { value: string; onChange: (v: string) => void; placeholder?: string; label?: string; list?: string }) {
  const [now, set] = useState(value);
  useEffect(() => set(value), [value]);
  const take = () => now !== value && onChange(now);
  return <input type="text" value={now} placeholder={placeholder} aria-label={label} list={list} spellcheck={false} onInput={(e) => set(e.currentTarget.value)} onBlur={take} onKeyDown={(e) => e.key === 'Enter' && (e.preventDefault(), take())} />;
}

/** A number or nothing. */
export function NumberInput({ value, onChange, placeholder, label, min, max }: { value: number | undefined; onChange: (v: number | undefined) => void; placeholder?: string; label?: string; min?: number; max?: number }) {
  const [now, set] = useState(value === undefined ? '' : String(value));
  useEffect(() => set(value === undefined ? '' : String(value)), [value]);
  const take = () => {
    const t = now.trim();
    if (t === '') return value !== undefined && onChange(undefined);
    let n = Number(t);
    if (Number.isNaN(n)) return set(value === undefined ? '' : String(value));
    n = Math.min(max ?? Infinity, Math.max(min ?? -Infinity, n));
    return n !== value && onChange(n);
  };
  return <input type="text" inputMode="decimal" class="opt-num" value={now} placeholder={placeholder} aria-label={label} onInput={(e) => set(e.currentTarget.value)} onBlur={take} onKeyDown={(e) => e.key === 'Enter' && (e.preventDefault(), take())} />;
}

export function Select({ value, choices, onChange, label }: { value: string; choices: [string, string][]; onChange: (v: string) => void; label?: string }) {
  const known = choices.some(([v]) => v === value);
  return (
    <select value={value} aria-label={label} onChange={(e) => onChange(e.currentTarget.value)}>
      {!known && <option value={value}>{value}</option>}
      {choices.map(([v, t]) => (
        <option key={v} value={v}>
          {t}
        </option>
      ))}
    </select>
  );
}

/** JSON that is taken when it is whole; says what is wrong otherwise. */
export function JsonArea({ value, onChange, rows = 6, label }: { value: unknown; onChange: (v: unknown) => void; rows?: number; label: string }) {
  const text = JSON.stringify(value, null, 2);
  const [now, set] = useState(text);
  const [problem, setProblem] = useState('');
  useEffect(() => {
    set(text);
    setProblem('');
  }, [text]);
  const take = () => {
    if (now === text) return;
    try {
      onChange(JSON.parse(now));
      setProblem('');
    } catch (e) {
      setProblem((e as Error).message);
    }
  };
  return (
    <>
      <textarea class="mono opt-json" rows={rows} value={now} spellcheck={false} aria-label={label} onInput={(e) => set(e.currentTarget.value)} onBlur={take} />
      {problem && <p class="bad note">{problem}</p>}
    </>
  );
}
