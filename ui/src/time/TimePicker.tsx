// The time range control of the top bar: quick ranges, free text in Grafana's grammar, zone.

import { useRef, useState } from 'preact/hooks';
import { Icon } from '../shell/icons';
import { timePickerOpen } from '../shell/overlays';
import { Popover } from '../shell/popover';
import { safeGet, safeSet } from '../shell/theme';
import { describeRange, formatInstant, isRelative, isZone, parseTime, QUICK_RANGES, rangeProblem, type RawRange } from './grammar';
import { pageTime, shiftIn, zoomOutIn, type TimeScope } from './scope';
import { setZone, timeContext, timeRules, zone } from './state';

const RECENT = 'pharos.ranges';

function recent(): RawRange[] {
  try {
    const r = JSON.parse(safeGet(RECENT) ?? '[]') as RawRange[];
    return Array.isArray(r) ? r.filter((x) => typeof x.from === 'string' && typeof x.to === 'string').slice(0, 4) : [];
  } catch {
    return [];
  }
}

function editable(text: string): string {
  return /^\d{9,17}$/.test(text) ? formatInstant(Number(text), zone.peek()) : text;
}

/** Any zone of the IANA database; what is not one is marked and not taken. */
function ZoneInput() {
  const other = zone.value !== 'browser' && zone.value !== 'utc' ? zone.value : '';
  const [text, setText] = useState(other);
  const bad = text !== '' && !isZone(text);
  const names = typeof Intl.supportedValuesOf === 'function' ? Intl.supportedValuesOf('timeZone') : [];
  const take = () => text !== other && !bad && setZone(text === '' ? 'browser' : text);
  return (
    <>
      <input type="text" class="tp-zone" list="tp-zones" placeholder="Europe/Berlin" aria-label="Other time zone" aria-invalid={bad} value={text} onInput={(e) => setText(e.currentTarget.value)} onChange={take} onKeyDown={(e) => e.key === 'Enter' && (e.preventDefault(), take())} />
      <datalist id="tp-zones">
        {names.map((n) => (
          <option key={n} value={n} />
        ))}
      </datalist>
    </>
  );
}

/** One end of the range: text in the grammar, or a day and a time of the browser's own calendar in the zone that is shown. */
function End({ name, text, up, take }: { name: string; text: string; up: boolean; take: (text: string) => void }) {
  const calendar = useRef<HTMLInputElement>(null);
  const at = parseTime(text, { ...timeContext(), roundUp: up });
  return (
    <div class="tp-end">
      <label>
        {name}
        <input type="text" value={text} spellcheck={false} autocomplete="off" onInput={(e) => take(e.currentTarget.value)} />
      </label>
      <span class="tp-cal">
        <input ref={calendar} type="datetime-local" step={1} tabIndex={-1} aria-hidden="true" value={at === null ? '' : formatInstant(at, zone.value).slice(0, 19).replace(' ', 'T')} onInput={(e) => e.currentTarget.value && take(e.currentTarget.value.replace('T', ' '))} />
        <button type="button" class="icon-btn" title="Choose a day" aria-label={`${name}: choose a day`} onClick={() => calendar.current?.showPicker()}>
          <Icon name="calendar" size={15} />
        </button>
      </span>
    </div>
  );
}

function PickerBody({ time, onClose }: { time: TimeScope; onClose: () => void }) {
  const raw = time.raw.value;
  const [from, setFrom] = useState(editable(raw.from));
  const [to, setTo] = useState(editable(raw.to));
  const [find, setFind] = useState('');
  void zone.value;
  const opts = timeContext();
  const problem = rangeProblem({ from, to }, opts);
  const apply = (e: Event) => {
    e.preventDefault();
    if (problem) return;
    const next = { from: from.trim(), to: to.trim() };
    const kept = [next, ...recent().filter((r) => r.from !== next.from || r.to !== next.to)];
    safeSet(RECENT, JSON.stringify(kept.slice(0, 4)));
    time.set(next);
    onClose();
  };
  const quick = (timeRules.value.quickRanges ?? QUICK_RANGES).filter((q) => q.label.toLowerCase().includes(find.toLowerCase()));
  const past = recent();
  return (
    <>
      <form class="tp-abs" onSubmit={apply}>
        <End name="From" text={from} up={false} take={setFrom} />
        <End name="To" text={to} up take={setTo} />
        <p class={problem ? 'tp-say bad' : 'tp-say dim'} role="status">
          {problem ?? 'Relative: now-6h, now/d, now-1d/d. Absolute: 2026-01-31 08:00.'}
        </p>
        <button type="submit" class="btn primary" disabled={problem !== null}>
          Apply
        </button>
        {past.length > 0 && (
          <div class="tp-past">
            <h3>Used before</h3>
            {past.map((r) => (
              <button
                type="button"
                class="row-btn"
                key={r.from + r.to}
                onClick={() => {
                  time.set(r);
                  onClose();
                }}
              >
                {describeRange(r, opts)}
              </button>
            ))}
          </div>
        )}
        <fieldset class="seg" aria-label="Time zone">
          <button type="button" aria-pressed={zone.value === 'browser'} title={Intl.DateTimeFormat().resolvedOptions().timeZone} onClick={() => setZone('browser')}>
            Local
          </button>
          <button type="button" aria-pressed={zone.value === 'utc'} onClick={() => setZone('utc')}>
            UTC
          </button>
          <ZoneInput />
        </fieldset>
      </form>
      <div class="tp-quick">
        <input type="search" placeholder="Search quick ranges" aria-label="Search quick ranges" data-autofocus value={find}
          onInput={(e) => setFind(e.currentTarget.value)}
          onKeyDown={(e) => {
            if (e.key === 'Enter' && quick[0]) {
              time.set({ from: quick[0].from, to: quick[0].to });
              onClose();
            }
          }}
        />
        <div class="tp-list">
          {quick.map((q) => (
            <button
              type="button"
              role="menuitem"
              class="row-btn"
              key={q.label}
              aria-current={q.from === raw.from && q.to === raw.to ? 'true' : undefined}
              onClick={() => {
                time.set({ from: q.from, to: q.to });
                onClose();
              }}
            >
              {q.label}
            </button>
          ))}
        </div>
      </div>
    </>
  );
}

/** The page's, which keys open as well. */
export function TimePicker() {
  if (timeRules.value.hidden) return null;
  return <Picker time={pageTime} open={timePickerOpen.value} show={(on) => (timePickerOpen.value = on)} />;
}

/** That of a pane. */
export function RangePicker({ time, small }: { time: TimeScope; small?: boolean }) {
  const [open, show] = useState(false);
  return <Picker time={time} open={open} show={show} small={small} />;
}

function Picker({ time, open, show, small }: { time: TimeScope; open: boolean; show: (on: boolean) => void; small?: boolean }) {
  const close = () => show(false);
  const raw = time.raw.value;
  const range = time.range.value;
  const text = describeRange(raw, { nowMs: range.toMs, zone: zone.value });
  const moving = isRelative(raw.to);
  return (
    <div class={small ? 'tp group small' : 'tp group'}>
      <button type="button" class="btn tp-step" onClick={() => shiftIn(time, -0.5)} title="Move back (t ←)" aria-label="Move the time range back">
        <Icon name="left" />
      </button>
      <div class="anchor">
        <button
          type="button"
          class="btn tp-main"
          aria-haspopup="dialog"
          aria-expanded={open}
          title={`${formatInstant(range.fromMs, zone.value)} to ${formatInstant(range.toMs, zone.value)}`}
          onClick={() => show(!open)}
        >
          <Icon name="clock" />
          <span class="tp-text">{text}</span>
          {zone.value !== 'browser' && <span class="tag">{zone.value === 'utc' ? 'UTC' : zone.value}</span>}
        </button>
        {open && (
          <Popover onClose={close} label="Time range" class="tp-pop">
            <PickerBody time={time} onClose={close} />
          </Popover>
        )}
      </div>
      <button type="button" class="btn tp-step" disabled={moving} onClick={() => shiftIn(time, 0.5)} title="Move forward (t →)" aria-label="Move the time range forward">
        <Icon name="right" />
      </button>
      <button type="button" class="btn tp-zoom" onClick={() => zoomOutIn(time)} title="Zoom out (t z)" aria-label="Zoom the time range out">
        <Icon name="zoomout" />
      </button>
    </div>
  );
}
