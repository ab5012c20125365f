// The row of figures on top: what is going on, at a glance, each with its recent past.

import { useRanges } from '../../api/live';
import type { ColorName } from '../../chart/colors';
import { Spark } from '../../chart/Spark';
import { lastRecent } from '../../chart/stack';
import { format, formatParts, formatSpan, type Unit } from '../../format/units';
import type { HostQueries } from './queries';

type Level = 'ok' | 'warn' | 'bad';

interface Tile {
  label: string;
  value: number | null;
  unit: Unit;
  text?: string;
  note?: string;
  spark: (number | null)[];
  color: ColorName;
  min?: number;
  max?: number;
  level?: Level;
  to: string;
}

function level(v: number | null, warn: number, bad: number): Level {
  return v === null || v < warn ? 'ok' : v < bad ? 'warn' : 'bad';
}

const LEVEL_WORD = { ok: '', warn: 'high', bad: 'very high' };

function TileCard({ t }: { t: Tile }) {
  const parts = t.text !== undefined ? { value: t.text, unit: '' } : formatParts(t.value, t.unit);
  return (
    <a
      class={`tile ${t.level && t.level !== 'ok' ? `tile-${t.level}` : ''}`}
      href={`#${t.to}`}
      data-tile={t.label}
      onClick={(e) => {
        e.preventDefault();
        document.getElementById(t.to)?.scrollIntoView({ behavior: 'smooth', block: 'start' });
      }}
    >
      <span class="tile-label">
        {t.label}
        {t.level && t.level !== 'ok' && <span class={`tag ${t.level}`}>{LEVEL_WORD[t.level]}</span>}
      </span>
      <span class="tile-value num">
        {parts.value}
        <small>{parts.unit}</small>
      </span>
      <span class="tile-note cut">{t.note ?? ''}</span>
      <Spark values={t.spark} color={t.level === 'bad' ? 'red' : t.level === 'warn' ? 'amber' : t.color} min={t.min} max={t.max} height={34} />
    </a>
  );
}

export function Tiles({ q }: { q: HostQueries }) {
  const names = [
    'cpuBusy', 'load1', 'cores', 'memUsedPct', 'memTotal', 'memAvailable', 'swapUsed', 'swapTotal',
    'rootUsedPct', 'rootSize', 'rootAvail', 'netInSum', 'netOutSum', 'uptime', 'tempMax',
  ] as const;
  const live = useRanges(names.map((n) => q[n]), { maxPoints: 120 });
  const none: (number | null)[] = [];
  const v = (n: (typeof names)[number]) => live.results[names.indexOf(n)]?.series[0]?.values ?? none;
  const last = (n: (typeof names)[number]) => lastRecent(v(n), 8);

  const cores = last('cores');
  const load = last('load1');
  const mem = last('memUsedPct');
  const total = last('memTotal');
  const swapTotal = last('swapTotal');
  const swap = last('swapUsed');
  const root = last('rootUsedPct');
  const temp = last('tempMax');
  const up = last('uptime');
  const swapPct = swapTotal ? ((swap ?? 0) / swapTotal) * 100 : null;

  const tiles: Tile[] = [
    {
      label: 'CPU', value: last('cpuBusy'), unit: 'percent', spark: v('cpuBusy'), color: 'blue', min: 0, max: 100,
      note: cores ? `${cores} core${cores === 1 ? '' : 's'}` : '', level: level(last('cpuBusy'), 80, 95), to: 'cpu',
    },
    {
      label: 'Load', value: load, unit: 'none', spark: v('load1'), color: 'teal', min: 0, max: cores ?? undefined,
      note: load !== null && cores ? `${format(load / cores, 'none', 2)} per core` : '',
      level: load !== null && cores ? level(load / cores, 1.5, 3) : 'ok', to: 'cpu',
    },
    {
      label: 'Memory', value: mem, unit: 'percent', spark: v('memUsedPct'), color: 'purple', min: 0, max: 100,
      note: total ? `${format(total - (last('memAvailable') ?? 0), 'bytes')} of ${format(total, 'bytes')}` : '',
      level: level(mem, 85, 95), to: 'memory',
    },
    {
      label: 'Swap', value: swapPct, unit: 'percent', text: swapTotal === 0 ? 'None' : undefined,
      spark: swapTotal ? v('swapUsed') : none, color: 'pink', min: 0, max: swapTotal ?? undefined,
      note: swapTotal ? `${format(swap, 'bytes')} of ${format(swapTotal, 'bytes')}` : swapTotal === 0 ? 'no swap space' : '',
      level: level(swapPct, 50, 85), to: 'memory',
    },
    {
      label: 'Root disk', value: root, unit: 'percent', spark: v('rootUsedPct'), color: 'amber', min: 0, max: 100,
      note: last('rootSize') ? `${format(last('rootAvail'), 'bytes')} free of ${format(last('rootSize'), 'bytes')}` : '',
      level: level(root, 85, 95), to: 'disk',
    },
    { label: 'Network in', value: last('netInSum'), unit: 'bps', spark: v('netInSum'), color: 'green', min: 0, note: 'all devices', to: 'network' },
    { label: 'Network out', value: last('netOutSum'), unit: 'bps', spark: v('netOutSum'), color: 'orange', min: 0, note: 'all devices', to: 'network' },
  ];
  if (temp !== null) {
    tiles.push({
      label: 'Temperature', value: temp, unit: 'celsius', spark: v('tempMax'), color: 'red', note: 'hottest sensor',
      level: level(temp, 80, 95), to: 'system',
    });
  }
  tiles.push({
    label: 'Uptime', value: up, unit: 's', text: up === null ? '–' : formatSpan(up), spark: none, color: 'gray',
    note: up === null ? '' : `since ${new Date(Date.now() - up * 1000).toLocaleDateString('en-GB', { day: 'numeric', month: 'short', year: 'numeric' })}`,
    to: 'system',
  });
  return (
    <div class="tiles" aria-label="Summary">
      {tiles.map((t) => (
        <TileCard key={t.label} t={t} />
      ))}
    </div>
  );
}
