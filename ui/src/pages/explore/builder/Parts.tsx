// What all builders are made of: rows of conditions whose names and values the server suggests, chosen names, and
// the query as text below.

import type { ComponentChildren } from 'preact';
import { useId, useRef, useState } from 'preact/hooks';
import { Icon } from '../../../shell/icons';
import type { Condition } from './lex';

/** A text with suggestions, asked for when it is first entered and again when what they depend on has changed. */
export function Suggest(p: { value: string; label: string; placeholder?: string; class?: string; load: () => Promise<string[]>; dep?: string; onChange: (v: string) => void; onDone?: () => void }) {
  const id = useId();
  const [list, setList] = useState<string[]>([]);
  const had = useRef<string | null>(null);
  const load = () => {
    const dep = p.dep ?? '';
    if (had.current === dep) return;
    had.current = dep;
    p.load().then(setList, () => (had.current = null));
  };
  return (
    <>
      <input
        type="text"
        class={p.class}
        list={id}
        value={p.value}
        aria-label={p.label}
        placeholder={p.placeholder}
        spellcheck={false}
        autocomplete="off"
        onFocus={load}
        onInput={(e) => p.onChange(e.currentTarget.value)}
        onChange={p.onDone}
        onKeyDown={(e) => e.key === 'Enter' && p.onDone?.()}
      />
      <datalist id={id}>
        {list.slice(0, 1000).map((v) => (
          <option key={v} value={v} />
        ))}
      </datalist>
    </>
  );
}

export function Conditions(p: { list: Condition[]; ops: string[]; what: string; firstOp?: string; names: () => Promise<string[]>; values: (name: string) => Promise<string[]>; dep: string; onChange: (list: Condition[]) => void; onDone: () => void }) {
  const put = (i: number, patch: Partial<Condition>) => p.onChange(p.list.map((c, k) => (k === i ? { ...c, ...patch } : c)));
  return (
    <>
      {p.list.map((c, i) => (
        <span class="bl-cond" key={i}>
          <Suggest value={c.name} label={`${p.what} ${i + 1}, name`} placeholder={p.what.toLowerCase()} load={p.names} dep={p.dep} onChange={(name) => put(i, { name })} />
          <select
            value={c.op}
            aria-label={`${p.what} ${i + 1}, operator`}
            onChange={(e) => {
              put(i, { op: e.currentTarget.value });
              p.onDone();
            }}
          >
            {p.ops.map((o) => (
              <option key={o} value={o}>
                {o}
              </option>
            ))}
          </select>
          <Suggest value={c.value} label={`${p.what} ${i + 1}, value`} placeholder="value" load={() => p.values(c.name)} dep={`${p.dep}|${c.name}`} onChange={(value) => put(i, { value })} onDone={p.onDone} />
          <button
            type="button"
            class="icon-btn"
            aria-label={`Remove ${p.what.toLowerCase()} ${i + 1}`}
            onClick={() => {
              p.onChange(p.list.filter((_, k) => k !== i));
              p.onDone();
            }}
          >
            <Icon name="close" size={12} />
          </button>
        </span>
      ))}
      <button type="button" class="btn small" onClick={() => p.onChange([...p.list, { name: '', op: p.firstOp ?? '=', value: '' }])}>
        <Icon name="plus" size={12} /> {p.what}
      </button>
    </>
  );
}

/** Names as chips, one more from the server's. */
export function Names(p: { list: string[]; label: string; names: () => Promise<string[]>; dep: string; onChange: (list: string[]) => void }) {
  const [text, setText] = useState('');
  const add = () => {
    const t = text.trim();
    setText('');
    if (t && !p.list.includes(t)) p.onChange([...p.list, t]);
  };
  return (
    <span class="bl-names">
      {p.list.map((n) => (
        <button type="button" class="chip" key={n} title="Remove" aria-label={`Remove ${n}`} onClick={() => p.onChange(p.list.filter((x) => x !== n))}>
          {n} ×
        </button>
      ))}
      <Suggest value={text} label={p.label} placeholder="by label" class="bl-by" load={p.names} dep={p.dep} onChange={setText} onDone={add} />
    </span>
  );
}

export function BuilderFrame(p: { text: string; known: boolean; onCode: () => void; onFocus: () => void; children: ComponentChildren }) {
  if (!p.known) {
    return (
      <div class="bl beyond" onFocusIn={p.onFocus}>
        <code>{p.text}</code>
        <span class="dim">This query says more than the builder can show.</span>
        <button type="button" class="btn small" onClick={p.onCode}>
          Edit as code
        </button>
      </div>
    );
  }
  return (
    <div class="bl" onFocusIn={p.onFocus}>
      {p.children}
      {p.text && <code class="bl-text">{p.text}</code>}
    </div>
  );
}

export function Row(p: { name: string; children: ComponentChildren }) {
  return (
    <div class="bl-row">
      <span class="bl-name dim">{p.name}</span>
      <span class="bl-parts">{p.children}</span>
    </div>
  );
}

/** Keeps parts that are not text yet (a condition without a value) while they are filled in. */
export function useParts<T>(expr: string, read: (t: string) => T | null, write: (p: T) => string, onChange: (expr: string) => void): { parts: T | null; put: (p: T) => void; latest: () => string } {
  const [held, setHeld] = useState<{ text: string; parts: T } | null>(null);
  const text = useRef(expr);
  const mine = held && held.text === expr ? held.parts : null;
  const parts = mine ?? read(expr);
  text.current = expr;
  return {
    parts,
    put: (p: T) => {
      const t = write(p);
      setHeld({ text: t, parts: p });
      text.current = t;
      onChange(t);
    },
    latest: () => text.current,
  };
}
