// dist/helper.js as a process: JSON-RPC lines over stdin and stdout with whoever started it. When stdin closes, every
// tunnel is closed and the process ends.
import { homedir } from 'node:os';
import { systemClock } from '../core/clock.ts';
import type { DriverContract, HelperContract } from '../protocol/control.ts';
import { Peer } from '../protocol/peer.ts';
import { linePort } from '../wire/linePort.ts';
import { controlLimits } from './controlSocket.ts';
import { HelperHost } from './helperHost.ts';
import { missingFromRuntime, unfitRuntimeExitCode } from './selfTest.ts';
import { statePaths } from './statePaths.ts';

/** How long the stop of everything may take; servers that ignore everything are ended within 3 s of it. */
export const stopWithinMs = 10_000;

/** Exit code of a helper that had to leave with something still open; its guardian ends the servers then. */
export const hungExitCode = 70;

export function runHelper(limits: { stopWithinMs: number } = { stopWithinMs }): void {
  const missing = missingFromRuntime();
  if (missing.length > 0) {
    process.stderr.write(`this runtime lacks ${missing.join(', ')}\n`);
    process.exit(unfitRuntimeExitCode);
  }
  const host = new HelperHost({
    paths: statePaths(process.env, process.platform, homedir()),
    env: process.env,
    clock: systemClock,
    random: Math.random,
  });
  const port = linePort({ readable: process.stdin, writable: process.stdout }, controlLimits);
  const peer = new Peer<HelperContract, DriverContract>(port);
  host.serve(peer);
  peer.onClose(() => {
    // Nobody is left who could end it: a stop that hangs must not keep the process.
    systemClock.after(limits.stopWithinMs, () => process.exit(hungExitCode));
    void host.stop().finally(() => process.exit(0));
  });
  peer.start();
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => peer.close());
}
