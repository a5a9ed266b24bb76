// Numbers and strangers' words as short text. What a stranger wrote never breaks a line or turns the reading direction.

/** `14:03:07.123`, local time. */
export function clockTime(ms: number): string {
  const date = new Date(ms);
  const part = (value: number, width = 2): string => String(value).padStart(width, '0');
  const seconds = `${part(date.getSeconds())}.${part(date.getMilliseconds(), 3)}`;
  return `${part(date.getHours())}:${part(date.getMinutes())}:${seconds}`;
}

/** `0.4 ms`, `12 ms`, `1.25 s`, `2 min 5 s`. */
export function milliseconds(ms: number): string {
  if (ms < 9.95) return `${ms.toFixed(1)} ms`;
  if (ms < 999.5) return `${Math.round(ms)} ms`;
  if (ms < 59_995) return `${(ms / 1000).toFixed(2)} s`;
  const seconds = Math.round(ms / 1000);
  return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}

/** `812 B`, `3.4 KiB`, `1.2 MiB`. */
export function byteSize(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`;
  const kib = bytes / 1024;
  return kib < 1024 ? `${kib.toFixed(1)} KiB` : `${(kib / 1024).toFixed(1)} MiB`;
}

/** Longest text of a cell. */
export const maxCellCharacters = 300;

/** One line without control and direction characters, cut at `max`. */
export function oneLine(text: string, max = maxCellCharacters): string {
  const cut = text.length > max ? `${text.slice(0, max)}…` : text;
  return cut.replace(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, ' ').replace(/\p{Cf}/gu, '');
}

/** Puts `values` into the places `{0}`, `{1}`, … */
export function fill(text: string, ...values: (string | number)[]): string {
  return text.replace(/\{(\d)\}/g, (place, index: string) => String(values[Number(index)] ?? place));
}
