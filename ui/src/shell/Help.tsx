import { overlay } from './overlays';
import { SHORTCUTS } from './keys';
import { Dialog } from './popover';
import { Icon } from './icons';

const SHOWN: Record<string, string> = { ArrowLeft: '←', ArrowRight: '→', 'ctrl+z': 'Ctrl+Z', 'mod+k': 'Ctrl/⌘+K' };

const MOUSE: [string, string][] = [
  ['Drag in a graph', 'Zoom into that time'],
  ['Double-click a graph', 'Zoom out'],
  ['Ctrl+click a graph', 'Write an annotation (on dashboards)'],
  ['Click a legend entry', 'Show it alone, again for all'],
  ['Ctrl+click a legend entry', 'Hide or show it'],
  ['Shift+Enter in the query', 'Run it'],
];

const ON_DASHBOARDS: [string[], string][] = [
  [['v'], 'View the panel under the pointer alone'],
  [['e'], 'Edit the panel under the pointer'],
  [['x'], 'Open the panel under the pointer in Explore'],
  [['i'], 'Inspect the panel under the pointer'],
  [['p', 'r'], 'Remove the panel under the pointer'],
  [['d', 'e'], 'Edit the dashboard'],
  [['d', 's'], 'Settings of the dashboard'],
  [['d', 'k'], 'Kiosk'],
  [['Ctrl/⌘+S'], 'Save the dashboard'],
  [['Esc'], 'Back'],
];

export function Help() {
  const close = () => (overlay.value = null);
  return (
    <Dialog onClose={close} label="Keyboard shortcuts" class="help">
      <header class="dialog-head">
        <h2>Keyboard and mouse</h2>
        <button type="button" class="icon-btn" onClick={close} aria-label="Close" data-autofocus>
          <Icon name="close" />
        </button>
      </header>
      <div class="help-cols">
        <dl>
          {SHORTCUTS.map((s) => (
            <div key={s.keys.join(' ')}>
              <dt>
                {s.keys.map((k) => (
                  <kbd key={k}>{SHOWN[k] ?? k}</kbd>
                ))}
              </dt>
              <dd>{s.text}</dd>
            </div>
          ))}
        </dl>
        <dl>
          <h3>On a dashboard</h3>
          {ON_DASHBOARDS.map(([k, t]) => (
            <div key={t}>
              <dt>
                {k.map((x) => (
                  <kbd key={x}>{x}</kbd>
                ))}
              </dt>
              <dd>{t}</dd>
            </div>
          ))}
          <h3>With the pointer</h3>
          {MOUSE.map(([k, t]) => (
            <div key={k}>
              <dt>
                <kbd>{k}</kbd>
              </dt>
              <dd>{t}</dd>
            </div>
          ))}
        </dl>
      </div>
    </Dialog>
  );
}
