// Ctrl/Cmd+K: pages, actions, time ranges and metric names in one list.

import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { panesParam } from '../chart/Panel';
import { dashboards, type SearchHit } from '../api/dashboards';
import { doors } from '../api/doors';
import { metricNames, loadCatalogue } from '../api/catalogue';
import { suggestExpr } from '../api/expr';
import { QUICK_RANGES } from '../time/grammar';
import { setRange } from '../time/state';
import { Icon, type IconName } from './icons';
import { overlay } from './overlays';
import { SHORTCUTS } from './keys';
import { PAGES } from './pages';
import { Dialog } from './popover';
import { basePath, go, href } from './router';

interface Item {
  icon: IconName;
  text: string;
  note: string;
  words: string;
  run: () => void;
}

/** All words of the query must occur; earlier and closer to a word's start ranks higher. */
export function rank(text: string, query: string): number {
  const t = text.toLowerCase();
  let score = 0;
  for (const w of query.toLowerCase().split(/\s+/).filter(Boolean)) {
    const i = t.indexOf(w);
    if (i < 0) return -1;
    score += (i === 0 ? 30 : /[\s_:/]/.test(t[i - 1]!) ? 20 : 5) - Math.min(i, 40) / 10;
  }
  return score - t.length / 100;
}

function staticItems(): Item[] {
  return [
    ...PAGES.filter((p) => !p.unlisted && (!p.needs || doors.peek().has(p.needs))).map((p) => ({
      icon: p.icon,
      text: p.title,
      note: 'page',
      words: `${p.title} ${p.words}`,
      run: () => go(href(p.path)),
    })),
    ...SHORTCUTS.filter((s) => s.keys[0] !== 'g' && s.keys[0] !== 'mod+k' && s.keys[0] !== 'ctrl+z').map((s) => ({
      icon: 'play' as const,
      text: s.text,
      note: s.keys.join(' '),
      words: s.text,
      run: s.run,
    })),
    ...QUICK_RANGES.map((q) => ({
      icon: 'clock' as const,
      text: q.label,
      note: 'time range',
      words: `${q.label} ${q.from}`,
      run: () => setRange({ from: q.from, to: q.to }),
    })),
  ];
}

export function Palette() {
  const [query, setQuery] = useState('');
  const [at, setAt] = useState(0);
  const list = useRef<HTMLUListElement>(null);
  const fixed = useMemo(staticItems, []);
  const names = metricNames.value;
  const [boards, setBoards] = useState<SearchHit[]>([]);
  useEffect(() => {
    void loadCatalogue();
    dashboards.search({}).then((h) => setBoards(h.filter((x) => x.type === 'dash-db')), () => undefined);
  }, []);

  const items = useMemo(() => {
    if (query.trim() === '') return fixed.slice(0, 12);
    const scored: { item: Item; score: number }[] = [];
    for (const item of fixed) {
      const score = rank(item.words, query);
      if (score >= 0) scored.push({ item, score: score + 10 });
    }
    for (const b of boards) {
      const score = rank(`${b.title} ${b.tags.join(' ')} ${b.folderTitle ?? ''}`, query);
      if (score >= 0) {
        scored.push({ score: score + 12, item: { icon: 'dashboards', text: b.title, note: b.folderTitle ?? 'dashboard', words: '', run: () => go(basePath + b.url.replace(/^\//, '')) } });
      }
    }
    for (const m of names) {
      const score = rank(m.name, query);
      if (score >= 0) {
        scored.push({
          score,
          item: {
            icon: 'explore',
            text: m.name,
            note: m.type ?? 'metric',
            words: '',
            run: () => go(href('/explore', { panes: panesParam([suggestExpr(m.name, m.type)]) })),
          },
        });
      }
    }
    return scored
      .sort((a, b) => b.score - a.score)
      .slice(0, 30)
      .map((s) => s.item);
  }, [query, names, boards]);

  const pick = Math.min(at, items.length - 1);
  const close = () => (overlay.value = null);
  const run = (item: Item | undefined) => {
    if (!item) return;
    close();
    item.run();
  };
  useEffect(() => {
    list.current?.children[pick]?.scrollIntoView({ block: 'nearest' });
  }, [pick]);

  return (
    <Dialog onClose={close} label="Palette" class="palette">
      <div class="palette-in">
        <Icon name="search" />
        <input
          data-autofocus
          type="text"
          role="combobox"
          aria-expanded="true"
          aria-controls="palette-list"
          aria-activedescendant={items.length ? `palette-${pick}` : undefined}
          placeholder="Go to a page, a dashboard, a time range, a metric…"
          spellcheck={false}
          autocomplete="off"
          value={query}
          onInput={(e) => {
            setQuery(e.currentTarget.value);
            setAt(0);
          }}
          onKeyDown={(e) => {
            if (e.key === 'ArrowDown') setAt((pick + 1) % Math.max(items.length, 1));
            else if (e.key === 'ArrowUp') setAt((pick - 1 + items.length) % Math.max(items.length, 1));
            else if (e.key === 'Enter') run(items[pick]);
            else return;
            e.preventDefault();
          }}
        />
      </div>
      <ul id="palette-list" role="listbox" ref={list}>
        {items.map((it, i) => (
          <li
            key={`${it.note}${it.text}`}
            id={`palette-${i}`}
            role="option"
            aria-selected={i === pick}
            onMouseMove={() => setAt(i)}
            onClick={() => run(it)}
          >
            <Icon name={it.icon} />
            <span class="grow cut">{it.text}</span>
            <span class="dim">{it.note}</span>
          </li>
        ))}
        {items.length === 0 && <li class="dim none">Nothing matches “{query}”.</li>}
      </ul>
    </Dialog>
  );
}
