// The controls of a running playlist, in a corner; they fade while the pointer rests.

import { useEffect, useState } from 'preact/hooks';
import { Icon } from '../../shell/icons';
import { pause, playing, step, stop } from './player';
import './list.css';

export default function PlayerBar() {
  const p = playing.value;
  const [seen, setSeen] = useState(true);
  useEffect(() => {
    let t = 0;
    const wake = () => {
      setSeen(true);
      clearTimeout(t);
      t = window.setTimeout(() => setSeen(false), 4000);
    };
    wake();
    addEventListener('pointermove', wake);
    addEventListener('keydown', wake);
    return () => {
      clearTimeout(t);
      removeEventListener('pointermove', wake);
      removeEventListener('keydown', wake);
    };
  }, []);
  if (!p) return null;
  return (
    <div class={seen ? 'player' : 'player rest'} role="group" aria-label={`Playlist ${p.name}`}>
      <span class="cut">
        {p.name} <span class="dim num">{`${p.at + 1} of ${p.boards.length}`}</span>
      </span>
      <button type="button" class="icon-btn" aria-label="Previous dashboard" title="Previous" onClick={() => step(-1)}>
        <Icon name="left" size={14} />
      </button>
      <button type="button" class="icon-btn" aria-pressed={p.paused} aria-label={p.paused ? 'Go on' : 'Pause'} title={p.paused ? 'Go on' : 'Pause'} onClick={pause}>
        {p.paused ? <Icon name="play" size={14} /> : '❚❚'}
      </button>
      <button type="button" class="icon-btn" aria-label="Next dashboard" title="Next" onClick={() => step(1)}>
        <Icon name="right" size={14} />
      </button>
      <button type="button" class="icon-btn" aria-label="Stop the playlist" title="Stop" onClick={stop} data-stop>
        <Icon name="close" size={14} />
      </button>
    </div>
  );
}
