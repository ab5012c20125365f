// Where the rows of a long list begin when some are higher than the rest: heights that differ from the guess are
// kept in a binary indexed tree, so that neither a scroll nor a newly measured row walks over all rows.

export class Offsets {
  private readonly tree: Float64Array;
  private readonly known = new Map<number, number>();

  constructor(
    readonly count: number,
    private readonly guess: number,
  ) {
    this.tree = new Float64Array(count + 1);
  }

  height(i: number): number {
    return this.known.get(i) ?? this.guess;
  }

  /** True when that is news. */
  set(i: number, height: number): boolean {
    const more = height - this.height(i);
    if (Math.abs(more) < 0.5) return false;
    this.known.set(i, height);
    for (let k = i + 1; k <= this.count; k += k & -k) this.tree[k]! += more;
    return true;
  }

  /** Where row i begins; of `count`, the height of all. */
  offset(i: number): number {
    let sum = i * this.guess;
    for (let k = i; k > 0; k -= k & -k) sum += this.tree[k]!;
    return sum;
  }

  /** The row that covers y. */
  find(y: number): number {
    let at = 0;
    let left = y;
    let step = 1;
    while (step * 2 <= this.count) step *= 2;
    for (; step > 0; step >>= 1) {
      const next = at + step;
      if (next > this.count) continue;
      const size = step * this.guess + this.tree[next]!;
      if (size <= left) {
        at = next;
        left -= size;
      }
    }
    return Math.min(at, Math.max(0, this.count - 1));
  }
}
