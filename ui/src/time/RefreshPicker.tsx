import { useState } from 'preact/hooks';
import { Icon } from '../shell/icons';
import { Popover } from '../shell/popover';
import { pending, refresh, REFRESH_CHOICES, refreshNow, setRefresh, timeRules } from './state';

export function RefreshPicker() {
  const [open, setOpen] = useState(false);
  const now = refresh.value;
  const offered = timeRules.value.refreshChoices ?? REFRESH_CHOICES;
  const choices = offered.includes(now) ? offered : [now, ...offered];
  return (
    <div class="group">
      <button
        type="button"
        class={pending.value > 0 ? 'btn busy' : 'btn'}
        onClick={() => refreshNow()}
        title="Refresh now (d r)"
        aria-label="Refresh now"
      >
        <Icon name="refresh" />
      </button>
      <div class="anchor">
        <button type="button" class="btn" aria-haspopup="dialog" aria-expanded={open} title="How often to refresh" onClick={() => setOpen(!open)}>
          <span class="rf-text">{now || 'Off'}</span>
          <Icon name="down" size={12} />
        </button>
        {open && (
          <Popover onClose={() => setOpen(false)} label="Refresh interval" class="menu right">
            {choices.map((c) => (
              <button
                type="button"
                role="menuitem"
                class="row-btn"
                key={c}
                aria-current={c === now ? 'true' : undefined}
                onClick={() => {
                  setRefresh(c);
                  setOpen(false);
                }}
              >
                {c || 'Off'}
              </button>
            ))}
          </Popover>
        )}
      </div>
    </div>
  );
}
