// Figures of interleaved rounds: medians with quartiles, and ratios of medians. Nothing here is ever asserted.

export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((left, right) => left - right);
  return sorted[Math.round(share * (sorted.length - 1))] ?? Number.NaN;
}

/** `median (lower quartile to upper quartile)`, with as many digits as help. */
export function spread(values: readonly number[], digits = 2): string {
  const shown = [0.5, 0.25, 0.75].map((share) => quantile(values, share).toFixed(digits));
  return `${shown[0]} (${shown[1]} to ${shown[2]})`;
}

/** Of each round's pair: what the one was of the other, so that a noisy minute disturbs both sides alike. */
export function ratios(values: readonly number[], of: readonly number[]): number[] {
  return values.map((value, round) => value / (of[round] ?? Number.NaN));
}

export function print(line = ''): void {
  process.stdout.write(`${line}\n`);
}

/** Columns of equal width, the first one to the left. */
export function printTable(rows: readonly (readonly string[])[]): void {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => (row[column] ?? '').length)));
  for (const row of rows) {
    print(
      `  ${row.map((cell, column) => (column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0))).join('  ')}`,
    );
  }
}
