// File systems as a table: how full, how many inodes, and where it is going.

import { useRef } from 'preact/hooks';
import { useRanges, useVisible } from '../../api/live';
import type { Labels } from '../../api/prom';
import type { RangeResult } from '../../api/ranges';
import { Card, exploreLink, Failure } from '../../chart/Panel';
import { Spark } from '../../chart/Spark';
import { lastRecent } from '../../chart/stack';
import { format, formatSpan } from '../../format/units';
import { Icon } from '../../shell/icons';
import type { HostQueries } from './queries';

export interface FsRow {
  key: string;
  mount: string;
  device: string;
  type: string;
  size: number;
  avail: number;
  usedPct: number;
  inodesPct: number | null;
  trend: (number | null)[];
  /** Bytes a second by which it fills; negative when it empties. */
  slope: number | null;
}

const PSEUDO = /^(tmpfs|devtmpfs|ramfs|squashfs|iso9660|nsfs|overlay|proc|sysfs|cgroup2?|autofs|fuse\.lxcfs)$/;

const fsKey = (l: Labels) => `${l['device'] ?? ''}|${l['mountpoint'] ?? ''}`;

/** Slope of a line through the points (least squares), per point. */
export function slopePerPoint(values: (number | null)[]): number | null {
  let n = 0;
  let sx = 0;
  let sy = 0;
  let sxx = 0;
  let sxy = 0;
  values.forEach((y, x) => {
    if (y === null) return;
    n++;
    sx += x;
    sy += y;
    sxx += x * x;
    sxy += x * y;
  });
  const d = n * sxx - sx * sx;
  return n < 10 || d === 0 ? null : (n * sxy - sx * sy) / d;
}

export function fsRows(
  size: RangeResult | undefined,
  avail: RangeResult | undefined,
  files: RangeResult | undefined,
  filesFree: RangeResult | undefined,
): FsRow[] {
  const by = (r: RangeResult | undefined) => new Map((r?.series ?? []).map((s) => [fsKey(s.labels), s]));
  const avails = by(avail);
  const inodes = by(files);
  const inodesFree = by(filesFree);
  const rows: FsRow[] = [];
  for (const s of size?.series ?? []) {
    const l = s.labels;
    const key = fsKey(l);
    const mount = l['mountpoint'] ?? '';
    if (PSEUDO.test(l['fstype'] ?? '') && mount !== '/') continue;
    const total = lastRecent(s.values, 8);
    const a = avails.get(key);
    const free = a ? lastRecent(a.values, 8) : null;
    if (!total || free === null) continue;
    const n = lastRecent(inodes.get(key)?.values ?? [], 8);
    const nf = lastRecent(inodesFree.get(key)?.values ?? [], 8);
    const trend = a!.values.map((v) => (v === null ? null : (1 - v / total) * 100));
    const slope = slopePerPoint(a!.values);
    rows.push({
      key,
      mount,
      device: l['device'] ?? '',
      type: l['fstype'] ?? '',
      size: total,
      avail: free,
      usedPct: (1 - free / total) * 100,
      inodesPct: n && nf !== null ? (1 - nf / n) * 100 : null,
      trend,
      slope: slope === null || !size ? null : -slope / (size.grid.stepMs / 1000),
    });
  }
  // One device mounted at many places is one file system: its shortest mount point stands for it.
  rows.sort((x, y) => x.mount.length - y.mount.length || x.mount.localeCompare(y.mount));
  const seen = new Set<string>();
  return rows
    .filter((r) => {
      if (!r.device.startsWith('/dev/')) return true;
      const id = `${r.device}|${r.size}`;
      return !seen.has(id) && seen.add(id);
    })
    .sort((x, y) => y.usedPct - x.usedPct);
}

function Forecast({ r, spanS }: { r: FsRow; spanS: number }) {
  if (r.slope === null) return <span class="dim">–</span>;
  const change = r.slope * spanS;
  if (Math.abs(change) < Math.max(r.size * 0.0005, 1 << 20)) return <span class="dim">steady</span>;
  const left = r.slope > 0 ? r.avail / r.slope : Infinity;
  // A forecast reaches no further than a hundred times what was seen.
  const say = left < spanS * 100 && left < 365 * 86_400;
  return (
    <>
      <span class="num">
        {change > 0 ? '+' : '−'}
        {format(Math.abs(change), 'bytes')}
      </span>
      {say && <span class={left < 3 * 86_400 ? 'bad' : 'dim'}> · full in {formatSpan(left)}</span>}
    </>
  );
}

export function Filesystems({ q }: { q: HostQueries }) {
  const ref = useRef<HTMLDivElement>(null);
  const visible = useVisible(ref);
  const live = useRanges([q.fsSize, q.fsAvail, q.fsFiles, q.fsFilesFree], { maxPoints: 90, enabled: visible });
  const [size, avail, files, filesFree] = live.results;
  const rows = fsRows(size, avail, files, filesFree);
  const error = live.errors.find(Boolean);
  const spanS = live.grid ? (live.grid.endMs - live.grid.startMs) / 1000 : 0;
  return (
    <Card
      title="File systems"
      class="w12"
      actions={
        <a class="icon-btn quiet" data-link href={exploreLink([q.fsAvail])} title="Open in Explore" aria-label="Open file systems in Explore">
          <Icon name="explore" />
        </a>
      }
    >
      <div ref={ref} style={{ minHeight: '90px' }}>
        {error && <Failure error={error} />}
        {rows.length > 0 ? (
          <div class="table-scroll">
            <table class="table fs">
              <thead>
                <tr>
                  <th>Mounted on</th>
                  <th class="hide-s">Device</th>
                  <th class="hide-s">Type</th>
                  <th style={{ width: '22%' }}>Used</th>
                  <th class="num" />
                  <th class="num">Free</th>
                  <th class="num hide-s">Size</th>
                  <th class="num hide-s">Inodes</th>
                  <th style={{ width: '14%' }}>In this range</th>
                  <th class="hide-s">Change</th>
                </tr>
              </thead>
              <tbody>
                {rows.map((r) => (
                  <tr key={r.key}>
                    <td class="mono">{r.mount}</td>
                    <td class="mono dim hide-s cut fs-dev">{r.device}</td>
                    <td class="dim hide-s">{r.type}</td>
                    <td>
                      <div class={`bar ${r.usedPct >= 95 ? 'bad' : r.usedPct >= 85 ? 'warn' : ''}`}>
                        <i style={{ width: `${r.usedPct}%` }} />
                      </div>
                    </td>
                    <td class="num">{format(r.usedPct, 'percent')}</td>
                    <td class="num">{format(r.avail, 'bytes')}</td>
                    <td class="num hide-s">{format(r.size, 'bytes')}</td>
                    <td class="num hide-s dim">{r.inodesPct === null ? '–' : format(r.inodesPct, 'percent')}</td>
                    <td>
                      <Spark values={r.trend} color="amber" height={20} />
                    </td>
                    <td class="hide-s">
                      <Forecast r={r} spanS={spanS} />
                    </td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        ) : (
          !error && (live.first ? <div class="skeleton" style={{ height: '80px' }} /> : <div class="empty">No file systems were reported in this time range.</div>)
        )}
      </div>
    </Card>
  );
}
