// The frame around every page: navigation, time range, refresh, theme; and the overlays.

import { Component, type ComponentChildren, type ComponentType } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { RefreshPicker } from '../time/RefreshPicker';
import { TimePicker } from '../time/TimePicker';
import { firing } from '../api/alerts';
import { doors } from '../api/doors';
import { Help } from './Help';
import { Icon } from './icons';
import { shareLink } from './keys';
import { overlay } from './overlays';
import { Palette } from './Palette';
import { PAGES, pageFor, type Page } from './pages';
import { current, href, path } from './router';
import { theme, toggleTheme } from './theme';
import { copyText, Toast } from './toast';

const loaded = new Map<string, ComponentType>();

/** A page that fails must not take the shell with it. */
class Boundary extends Component<{ children: ComponentChildren }, { error: Error | null }> {
  override state = { error: null as Error | null };
  static override getDerivedStateFromError(error: Error) {
    return { error };
  }
  override render() {
    if (!this.state.error) return this.props.children;
    return (
      <div class="page">
        <div class="failure big" role="alert">
          <Icon name="warn" />
          <span>This page failed: {this.state.error.message}</span>
          <button type="button" class="btn" onClick={() => location.reload()}>
            Reload
          </button>
        </div>
      </div>
    );
  }
}

function PageBody({ page }: { page: Page }) {
  const [, bump] = useState(0);
  const [error, setError] = useState<Error | null>(null);
  const name = page.group ?? page.path;
  const ready = page.lazy ? loaded.get(name) : (page.page as ComponentType);
  useEffect(() => {
    document.title = `${page.title} · Pharos`;
    if (ready) return;
    setError(null);
    (page.page as () => Promise<{ default: ComponentType }>)().then(
      (m) => {
        loaded.set(name, m.default);
        bump((n) => n + 1);
      },
      (e: unknown) => setError(e as Error),
    );
  }, [page]);
  if (error) {
    return (
      <div class="page">
        <div class="failure big" role="alert">
          <Icon name="warn" />
          <span>This page could not be loaded. Pharos may have been updated or stopped.</span>
          <button type="button" class="btn" onClick={() => location.reload()}>
            Reload
          </button>
        </div>
      </div>
    );
  }
  if (!ready) return <div class="page" aria-busy="true" />;
  const Body = ready;
  return (
    <Boundary key={page.path === '/d' ? path.value.split('/').slice(0, 3).join('/') : name}>
      <Body />
    </Boundary>
  );
}

function Nav() {
  const here = pageFor(path.value);
  const bar = useRef<HTMLElement>(null);
  // On a narrow screen the page one is on may lie beyond the edge.
  useEffect(() => {
    const el = bar.current;
    const on = el?.querySelector<HTMLElement>('[aria-current]');
    if (el && on) el.scrollLeft = on.offsetLeft - el.offsetLeft - (el.clientWidth - on.offsetWidth) / 2;
  }, [here, doors.value]);
  return (
    <nav class="nav" aria-label="Pages" ref={bar}>
      {PAGES.filter((p) => !p.unlisted && (!p.needs || doors.value.has(p.needs))).map((p) => (
        <a
          key={p.path}
          data-link
          href={href(p.path)}
          aria-current={here === p || here?.below === p.path ? 'page' : undefined}
          title={`${p.title} (g ${p.key})`}
        >
          <Icon name={p.icon} />
          <span>{p.title}</span>
          {p.path === '/alerts' && firing.value > 0 && (
            <b class="badge num" aria-label={`${firing.value} firing`}>
              {firing.value > 999 ? '999+' : firing.value}
            </b>
          )}
        </a>
      ))}
    </nav>
  );
}

/** What a hint says opens towards the middle of the window, so that no edge cuts it. */
function aimHint(e: Event): void {
  const hint = (e.target as Element | null)?.closest?.('.hint');
  if (hint) hint.classList.toggle('leftward', hint.getBoundingClientRect().left > innerWidth / 2);
}

export function App() {
  const page = pageFor(path.value);
  useEffect(() => {
    document.addEventListener('pointerover', aimHint);
    document.addEventListener('focusin', aimHint);
    return () => {
      document.removeEventListener('pointerover', aimHint);
      document.removeEventListener('focusin', aimHint);
    };
  }, []);
  return (
    <>
      <a class="skip" href="#main">
        Skip to the page
      </a>
      <header class="top" data-kiosk={current.value.params.has('kiosk') ? '' : undefined}>
        <a class="brand" data-link href={href('/')} aria-label="Pharos, to the host page">
          <Icon name="logo" size={22} />
          <span>Pharos</span>
        </a>
        <Nav />
        <span class="grow" />
        <button type="button" class="btn search-btn" onClick={() => (overlay.value = 'palette')} title="Palette (Ctrl/⌘+K)" aria-label="Open the palette">
          <Icon name="search" />
          <span>Search</span>
          <kbd>Ctrl K</kbd>
        </button>
        {page?.time && (
          <>
            <TimePicker />
            <RefreshPicker />
          </>
        )}
        <button type="button" class="icon-btn" onClick={() => void copyText(shareLink(), 'Link copied')} title="Copy a link to what you see" aria-label="Copy a link to this view">
          <Icon name="link" />
        </button>
        <button type="button" class="icon-btn" onClick={toggleTheme} title="Light or dark (c t)" aria-label={`Switch to ${theme.value === 'dark' ? 'light' : 'dark'}`}>
          <Icon name={theme.value === 'dark' ? 'sun' : 'moon'} />
        </button>
        <button type="button" class="icon-btn hide-s" onClick={() => (overlay.value = 'help')} title="Keyboard shortcuts (?)" aria-label="Keyboard shortcuts">
          <Icon name="help" />
        </button>
      </header>
      <main id="main" tabIndex={-1}>
        {page ? (
          <PageBody page={page} />
        ) : (
          <div class="page">
            <div class="empty big">
              <h1>There is no page here</h1>
              <p>
                <a data-link href={href('/')}>
                  Go to the host page
                </a>
              </p>
            </div>
          </div>
        )}
      </main>
      {overlay.value === 'help' && <Help />}
      {overlay.value === 'palette' && <Palette />}
      <Toast />
    </>
  );
}
