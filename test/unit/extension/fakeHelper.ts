// A helper of the test's own behind a HelperChild: a real Peer on the other end, and an exit the test decides on.
import type { HelperChild, Runtime } from '../../../src/extension/helperLink.ts';
import {
  controlVersion,
  type DriverContract,
  type HelperContract,
  type HelperRequests,
} from '../../../src/protocol/control.ts';
import { Peer } from '../../../src/protocol/peer.ts';
import { portPair } from '../../../src/protocol/portPair.ts';

export type FakeHelper = {
  runtime: Runtime;
  peer: Peer<HelperContract, DriverContract>;
  child: HelperChild;
  /** What the driver asked for, in order. */
  asked: string[];
  exit(code: number | null): void;
  killed: boolean;
};

export type Answers = {
  [M in keyof HelperRequests]?: (params: HelperRequests[M]['params']) => HelperRequests[M]['result'];
};

export function fakeHelper(runtime: Runtime, answers: Answers = {}): FakeHelper {
  const [mine, theirs] = portPair();
  const peer = new Peer<HelperContract, DriverContract>(theirs);
  let exited!: (code: number | null) => void;
  const exit = new Promise<number | null>((resolve) => (exited = resolve));
  const helper: FakeHelper = {
    runtime,
    peer,
    asked: [],
    killed: false,
    exit(code) {
      exited(code);
      theirs.close();
    },
    child: {
      port: mine,
      exited: exit,
      kill() {
        helper.killed = true;
        helper.exit(null);
      },
    },
  };
  const all: Answers = {
    hello: () => ({ version: controlVersion, helperId: 'h', product: '1.0.0', pid: 1, home: '/home' }),
    'servers/list': () => ({ servers: [], problems: [] }),
    'tunnel/list': () => ({ tunnels: [] }),
    'grants/list': () => ({ grants: [] }),
    'traffic/watch': () => null,
    ...answers,
  };
  for (const [method, answer] of Object.entries(all)) {
    peer.handle(method as 'servers/list', (params) => {
      helper.asked.push(method);
      return (answer as (params: unknown) => never)(params);
    });
  }
  peer.onClose(() => exited(0)); // As the real one: its stdin closed.
  peer.start();
  return helper;
}
