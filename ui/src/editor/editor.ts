// The query editor proper: CodeMirror with PromQL colours and completion. Loaded lazily; until it is
// there (or if it cannot be loaded) the plain text area of QueryEditor.tsx does the job.

import { autocompletion, closeBrackets, closeBracketsKeymap, completionKeymap, type CompletionContext } from '@codemirror/autocomplete';
import { defaultKeymap, history, historyKeymap, insertNewlineAndIndent } from '@codemirror/commands';
import { bracketMatching, HighlightStyle, syntaxHighlighting } from '@codemirror/language';
import { setDiagnostics } from '@codemirror/lint';
import { EditorState, Prec } from '@codemirror/state';
import { EditorView, keymap, placeholder } from '@codemirror/view';
import { tags } from '@lezer/highlight';
import { PromQLExtension } from '@prometheus-io/codemirror-promql';
import { completionClient } from './client';
import { languageExtension, type Language } from './languages';

export interface Editor {
  setText(text: string): void;
  getText(): string;
  focus(): void;
  /** Marks a place, or clears the mark. */
  mark(at: { from: number; to: number; message: string } | null): void;
  destroy(): void;
}

const colours = HighlightStyle.define([
  { tag: tags.name, color: 'var(--text)' },
  { tag: tags.number, color: 'var(--syn-number)' },
  { tag: tags.string, color: 'var(--syn-string)' },
  { tag: tags.keyword, color: 'var(--syn-keyword)' },
  { tag: tags.function(tags.variableName), color: 'var(--syn-function)' },
  { tag: tags.labelName, color: 'var(--syn-label)' },
  { tag: tags.operator, color: 'var(--syn-operator)' },
  { tag: tags.modifier, color: 'var(--syn-keyword)' },
  { tag: tags.comment, color: 'var(--text-3)', fontStyle: 'italic' },
]);

const look = EditorView.theme({
  '&': { fontSize: '13px', backgroundColor: 'transparent' },
  '&.cm-focused': { outline: 'none' },
  '.cm-content': { fontFamily: 'var(--mono)', padding: '7px 0', caretColor: 'var(--text)' },
  '.cm-line': { padding: '0 10px' },
  '.cm-placeholder': { color: 'var(--text-3)' },
  '.cm-cursor': { borderLeftColor: 'var(--text)' },
  '&.cm-focused .cm-selectionBackground, .cm-selectionBackground': {
    backgroundColor: 'color-mix(in srgb, var(--focus) 28%, transparent) !important',
  },
  '&.cm-focused .cm-matchingBracket': { backgroundColor: 'color-mix(in srgb, var(--accent) 30%, transparent)' },
  '.cm-tooltip': {
    backgroundColor: 'var(--raise)',
    border: '1px solid var(--line-2)',
    borderRadius: '8px',
    boxShadow: 'var(--shadow)',
    overflow: 'hidden',
  },
  '.cm-tooltip.cm-tooltip-autocomplete > ul': { fontFamily: 'var(--mono)', fontSize: '12.5px', maxHeight: '19em' },
  '.cm-tooltip.cm-tooltip-autocomplete > ul > li': { padding: '3px 10px 3px 6px', lineHeight: '1.5' },
  '.cm-tooltip-autocomplete ul li[aria-selected]': {
    backgroundColor: 'color-mix(in srgb, var(--accent) 20%, transparent)',
    color: 'var(--text)',
  },
  '.cm-completionDetail': { color: 'var(--text-3)', fontStyle: 'normal', marginLeft: '1em' },
  '.cm-completionMatchedText': { textDecoration: 'none', color: 'var(--accent)', fontWeight: '600' },
  '.cm-completionInfo': { padding: '6px 10px', maxWidth: '320px', fontFamily: 'var(--font)', fontSize: '12.5px', color: 'var(--text-2)' },
  '.cm-completionIcon': { display: 'none' },
  '.cm-diagnostic': { padding: '5px 10px', borderLeft: '3px solid var(--bad)', fontSize: '12.5px' },
});

const MACROS = [
  ['$__rate_interval', 'window that suits rate() here'],
  ['$__interval', 'step of the graph'],
  ['$__range', 'the whole time range'],
] as const;

function macros(c: CompletionContext) {
  const w = c.matchBefore(/\$\w*/);
  if (!w) return null;
  return { from: w.from, options: MACROS.map(([label, detail]) => ({ label, detail, type: 'variable' })) };
}

export function createEditor(
  parent: HTMLElement,
  o: { text: string; label: string; hint: string; lang?: Language; variables?: () => string[]; onChange: (text: string) => void; onRun: () => void },
): Editor {
  const lang = o.lang ?? 'promql';
  const promql = lang === 'promql' ? new PromQLExtension().setComplete({ remote: completionClient, maxMetricsMetadata: 20_000 }).activateLinter(false) : null;
  const names = (c: CompletionContext) => {
    const w = c.matchBefore(/\$\w*/);
    const list = o.variables?.() ?? [];
    return w && list.length ? { from: w.from, options: list.map((n) => ({ label: `$${n}`, detail: 'variable', type: 'variable' })) } : null;
  };
  const run = () => {
    o.onRun();
    return true;
  };
  let showing = false; // a text given from outside is no change to tell about
  const view = new EditorView({
    parent,
    state: EditorState.create({
      doc: o.text,
      extensions: [
        history(),
        bracketMatching(),
        closeBrackets(),
        autocompletion({ icons: false, maxRenderedOptions: 100 }),
        promql ? promql.asExtension() : languageExtension(lang as Exclude<Language, 'promql'>),
        ...(lang === 'json' ? [] : [EditorState.languageData.of(() => [{ autocomplete: macros }, { autocomplete: names }])]),
        syntaxHighlighting(colours),
        look,
        EditorView.lineWrapping,
        placeholder(o.hint),
        EditorView.contentAttributes.of({ 'aria-label': o.label, spellcheck: 'false' }),
        // Below the completion's own Enter, above everything else's.
        keymap.of(completionKeymap),
        Prec.high(keymap.of([{ key: 'Shift-Enter', run }, { key: 'Mod-Enter', run }, { key: 'Alt-Enter', run: insertNewlineAndIndent }])),
        keymap.of([...(lang === 'json' ? [] : [{ key: 'Enter', run }]), ...closeBracketsKeymap, ...defaultKeymap, ...historyKeymap]),
        EditorView.updateListener.of((u) => {
          if (u.docChanged && !showing) o.onChange(u.state.doc.toString());
        }),
      ],
    }),
  });
  return {
    setText(text) {
      if (text !== view.state.doc.toString()) {
        showing = true;
        view.dispatch({ changes: { from: 0, to: view.state.doc.length, insert: text }, selection: { anchor: text.length } });
        showing = false;
      }
    },
    getText: () => view.state.doc.toString(),
    focus: () => view.focus(),
    mark(at) {
      const len = view.state.doc.length;
      const list = at
        ? [{ from: Math.min(at.from, Math.max(0, len - 1)), to: Math.min(Math.max(at.to, at.from + 1), len), severity: 'error' as const, message: at.message }]
        : [];
      view.dispatch(setDiagnostics(view.state, list));
    },
    destroy() {
      promql?.destroy();
      view.destroy();
    },
  };
}
