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

/**
 * What is being typed, which is given up when the value changes. No effect does that: one that runs after the first
 * letters would take them away.
 */
function useDraft(value: string): [string, (text: string) => void] {
  const [draft, set] = useState({ text: value, base: value });
  return [draft.base === value ? draft.text : value, (text) => set({ text, base: value })];
}

/** A text that takes effect when it is left or Enter is pressed. */
export function TextInput({ value, onChange, placeholder, label, list }: { value: string; onChange: (v: string) => void; placeholder?: string; label?: string; list?: string }) {
  const [now, set] = useDraft(value);
  const take = (e: Event) => {
    const t = (e.currentTarget as HTMLInputElement).value;
    if (t !== value) onChange(t);
  };
  return <input type="text" value={now} placeholder={placeholder} aria-label={label} list={list} spellcheck={false} onInput={(e) => set(e.currentTarget.value)} onBlur={take} onKeyDown={(e) => e.key === 'Enter' && (e.preventDefault(), take(e))} />;
}

/** A number or nothing. */
export function NumberInput({ value, onChange, placeholder, label, min, max }: { value: number | undefined; onChange: (v: number | undefined) => void; placeholder?: string; label?: string; min?: number; max?: number }) {
  const [now, set] = useDraft(value === undefined ? '' : String(value));
  const take = (e: Event) => {
    const t = (e.currentTarget as HTMLInputElement).value.trim();
    if (t === '') return value !== undefined && onChange(undefined);
    let n = Number(t);
    if (Number.isNaN(n)) return set(value === undefined ? '' : String(value));
    n = Math.min(max ?? Infinity, Math.max(min ?? -Infinity, n));
    return n !== value && onChange(n);
  };
  return <input type="text" inputMode="decimal" class="opt-num" value={now} placeholder={placeholder} aria-label={label} onInput={(e) => set(e.currentTarget.value)} onBlur={take} onKeyDown={(e) => e.key === 'Enter' && (e.preventDefault(), take(e))} />;
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
