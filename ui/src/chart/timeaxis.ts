// Labels of the time axis: 24-hour clock, the date where the day changes.

const p2 = (n: number) => String(n).padStart(2, '0');
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/** incr is the distance of two labels in seconds; toDate gives the fields in the chosen zone. */
export function timeTicks(splits: number[], incrS: number, toDate: (ts: number) => Date): string[] {
  let prev = -1;
  return splits.map((ts) => {
    const d = toDate(ts);
    const day = d.getDate();
    const newDay = prev >= 0 && day !== prev;
    prev = day;
    if (incrS >= 28 * 86_400) return d.getMonth() === 0 ? String(d.getFullYear()) : MONTHS[d.getMonth()]!;
    if (incrS >= 86_400) return `${MONTHS[d.getMonth()]} ${day}`;
    const hm = `${p2(d.getHours())}:${p2(d.getMinutes())}`;
    if (newDay && d.getHours() === 0 && d.getMinutes() === 0) return `${MONTHS[d.getMonth()]} ${day}`;
    if (incrS < 1) return `${hm}:${p2(d.getSeconds())}.${String(d.getMilliseconds()).padStart(3, '0')}`;
    return incrS < 60 ? `${hm}:${p2(d.getSeconds())}` : hm;
  });
}
