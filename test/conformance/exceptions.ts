// The only checks whose verdict may differ between a server that is asked directly and the same server through a tunnel,
// each with its reason. One that does not differ any more fails the comparison: this list is never longer than it must be.
import type { UpstreamKind } from './parity.ts';
import { suites } from './suites.ts';

export type Exception = {
  /** As in the table: `scenario / check`. */
  check: string;
  /** Names of the suites in which it differs. */
  suites: readonly string[];
  /** In front of which kind of server. */
  upstream: UpstreamKind;
  reason: string;
};

const ofStreams = (check: string): Exception => ({
  check,
  suites: [suites.all.name, suites.legacy.name],
  upstream: 'stdio',
  reason:
    'In front of a stdio server the HTTP is the tunnel’s own: an answer that comes within a second and alone is one JSON ' +
    'body, so there is no stream to be primed, broken off and resumed; a stdio server cannot break one off, either.',
});

export const exceptions: readonly Exception[] = [
  ofStreams('server-sse-multiple-streams / server-sse-streams-functional'),
  ofStreams('server-sse-polling / server-sse-priming-event'),
  ofStreams('server-sse-polling / server-sse-retry-field'),
  ofStreams('server-sse-polling / server-sse-disconnect-resume'),
  ofStreams('server-sse-polling / server-sse-content-type'),
];
