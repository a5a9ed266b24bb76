// What the page needs of whoever shows it: a way to talk, and a small memory that outlives a reload of the page.
import type { Port } from '../protocol/port.ts';

export type PageState = {
  tunnel?: string;
  filter?: string;
  /** Filters kept for another time, newest first. */
  kept?: string[];
  selected?: string;
  open?: boolean;
  follow?: boolean;
};

export type PageHost = {
  port: Port;
  load(): PageState;
  save(state: PageState): void;
};
