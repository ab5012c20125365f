// A query's input: a plain text area that turns into the real editor once that has been loaded.

import { useEffect, useRef, useState } from 'preact/hooks';
import type { Editor } from './editor';
import type { Language } from './languages';
import './editor.css';

/** For how long a text that comes back is taken for an echo of typing. */
const ECHO_MS = 1000;

export interface QueryEditorProps {
  text: string;
  label: string;
  onChange: (text: string) => void;
  /** Given the text as it stands in the editor: a render may be a few keystrokes behind. */
  onRun: (text: string) => void;
  onFocus: () => void;
  autofocus: boolean;
  mark: { from: number; to: number; message: string } | null;
  /** PromQL unless said. */
  lang?: Language;
  /** Names of dashboard variables to offer. */
  variables?: () => string[];
}

const HINTS: Record<Language, string> = {
  promql: 'A metric or a PromQL expression, for example rate(node_cpu_seconds_total[$__rate_interval])',
  logql: 'A LogQL query, for example {service_name="api"} |= "error"',
  traceql: 'A TraceQL query, for example { resource.service.name = "api" && duration > 100ms }',
  graphite: 'A target, for example averageSeries(servers.*.cpu.load)',
  json: '',
};

export function QueryEditor(p: QueryEditorProps) {
  const box = useRef<HTMLDivElement>(null);
  const area = useRef<HTMLTextAreaElement>(null);
  const editor = useRef<Editor | null>(null);
  const latest = useRef(p);
  latest.current = p;
  const [ready, setReady] = useState(false);
  // What was typed lately. A render may be a few keystrokes behind: its text is then an echo of the
  // editor's own, not a new one to be shown.
  const typed = useRef(new Map<string, number>());

  useEffect(() => {
    let gone = false;
    setReady(false);
    import('./editor').then(
      ({ createEditor }) => {
        if (gone || !box.current) return;
        const had = document.activeElement === area.current;
        editor.current = createEditor(box.current, {
          text: latest.current.text,
          label: latest.current.label,
          hint: HINTS[latest.current.lang ?? 'promql'],
          lang: latest.current.lang,
          variables: () => latest.current.variables?.() ?? [],
          onChange: (t) => {
            typed.current.set(t, Date.now());
            latest.current.onChange(t);
          },
          onRun: () => latest.current.onRun(editor.current?.getText() ?? latest.current.text),
        });
        setReady(true);
        if (had) editor.current.focus();
      },
      () => undefined, // The text area stays.
    );
    if (p.autofocus) area.current?.focus();
    return () => {
      gone = true;
      editor.current?.destroy();
      editor.current = null;
    };
  }, [p.lang]);

  useEffect(() => {
    const now = Date.now();
    for (const [text, at] of typed.current) if (now - at > ECHO_MS) typed.current.delete(text);
    if (!typed.current.has(p.text)) editor.current?.setText(p.text);
  }, [p.text, ready]);
  useEffect(() => editor.current?.mark(p.mark), [p.mark?.from, p.mark?.message, ready]);

  return (
    <div class={`q-edit${p.mark ? ' bad-edge' : ''}`} ref={box} onFocusIn={p.onFocus} data-ready={ready}>
      {!ready && (
        <textarea
          ref={area}
          rows={Math.max(1, p.text.split('\n').length)}
          value={p.text}
          aria-label={p.label}
          placeholder={HINTS[p.lang ?? 'promql']}
          spellcheck={false}
          autocomplete="off"
          onInput={(e) => p.onChange(e.currentTarget.value)}
          onKeyDown={(e) => {
            if (e.key === 'Enter' && !e.altKey) {
              e.preventDefault();
              p.onRun(e.currentTarget.value);
            }
          }}
        />
      )}
    </div>
  );
}
