// Which rows of a long list are drawn. All rows have the same height, so this is arithmetic: it costs the same for
// a hundred rows and for a hundred thousand.

export const rowHeight = 24;
/** Rows drawn beyond each edge, so that scrolling shows no gap. */
const overscan = 10;

export type RowWindow = { first: number; end: number };

/** Rows `first` to `end` (not included) of `count` are in sight or near it. */
export function rowWindow(scrollTop: number, height: number, count: number): RowWindow {
  const first = Math.floor(scrollTop / rowHeight) - overscan;
  const end = Math.ceil((scrollTop + height) / rowHeight) + overscan;
  return { first: Math.max(0, Math.min(first, count)), end: Math.max(0, Math.min(end, count)) };
}

/** Where to scroll so that a row is in sight; the same place when it is already. */
export function scrollToShow(index: number, scrollTop: number, height: number): number {
  const top = index * rowHeight;
  if (top < scrollTop) return top;
  return Math.max(scrollTop, top + rowHeight - height);
}
