// Markdown, HTML or code. Whatever the dashboard's author wrote, only harmless elements reach the page.

import { useLayoutEffect, useRef, useState } from 'preact/hooks';
import type { PanelView } from './props';

type Cleaner = (text: string, mode: string) => DocumentFragment;
let cleaner: Cleaner | null = null;

export default function Text(p: PanelView) {
  const ref = useRef<HTMLDivElement>(null);
  const [, bump] = useState(0);
  const o = p.panel.options ?? {};
  const mode = String(o['mode'] ?? 'markdown');
  const content = p.fill(String(o['content'] ?? ''));
  useLayoutEffect(() => {
    if (mode === 'code') return;
    if (!cleaner) {
      void import('./sanitize').then((m) => {
        cleaner = m.cleanText;
        bump((n) => n + 1);
      });
      return;
    }
    ref.current?.replaceChildren(cleaner(content, mode));
  });
  if (mode === 'code') {
    return (
      <pre class="text-code">
        <code>{content}</code>
      </pre>
    );
  }
  return <div class="text-panel" ref={ref} />;
}
