// What an inspector asks of a helper, and the shape of what it shows. Pull with a cursor: every change of a row
// gets the next number (`seq`); a viewer reads "all after N" and is only told *that* there is something.
// The rows themselves are described in `mcp/exchange.ts`.
import type { JsonValue } from '../core/json.ts';
import type { ExchangeDetail, TrafficPage, TrafficWindow } from '../mcp/exchange.ts';
import type { FilterCompletion } from '../mcp/filter/completeFilter.ts';
import type { FilterProblem } from '../mcp/filter/filter.ts';

export type {
  CapturedMessage,
  ExchangeDetail,
  ExchangeRow,
  HeaderList,
  Timings,
  TrafficLine,
  TrafficPage,
  TrafficWindow,
} from '../mcp/exchange.ts';

export type InspectorRequests = {
  'traffic/read': { params: { tunnel?: string; after: number; max: number }; result: TrafficPage };
  /**
   * The rows that match `filter` (`mcp/filter/`), kept in order by the helper. A driver has a few views at a time;
   * the one that was asked for last pushes out the one that was not asked for longest.
   */
  'traffic/view': {
    params: { filter: string; tunnel?: string };
    result: { kind: 'view'; view: number } | FilterProblem;
  };
  /** What is in sight of a view. `NOT_FOUND` for a view that was pushed out, or is another helper's: ask for it again. */
  'traffic/window': {
    params: { view: number; from: number | 'end'; count: number; selected?: string };
    result: TrafficWindow;
  };
  /** What could be typed at the caret. */
  'traffic/complete': { params: { text: string; caret: number }; result: FilterCompletion };
  'traffic/get': { params: { id: string }; result: ExchangeDetail };
  'traffic/clear': { params: { tunnel?: string }; result: null };
  /** Hints (`traffic/changed`) are sent only to those who watch. */
  'traffic/watch': { params: { on: boolean }; result: null };
};

export type InspectorNotifications = {
  /** Something changed; at most every 100 ms. */
  'traffic/changed': { head: number };
};

/** What the inspector's page offers the host that shows it, beyond the above. */
export type InspectorPage = {
  requests: Record<string, never>;
  notifications: InspectorNotifications & {
    'panel/visible': { visible: boolean };
    'panel/select': { tunnel?: string };
    /** Ask `panel/tunnels` again. */
    'panel/tunnelsChanged': object;
  };
};

/** What the host (extension or loopback page) answers to the inspector's page. */
export type InspectorHost = {
  requests: InspectorRequests & {
    /** Tunnels to choose from, for the drop-down. */
    'panel/tunnels': { params: object; result: { id: string; label: string; state: string }[] };
    'panel/copy': { params: { text: string }; result: null };
    /** The words of `inspectorText.ts` in the window's language. */
    'panel/strings': { params: object; result: Record<string, string> };
  };
  notifications: { 'panel/log': { message: string; detail?: JsonValue } };
};
