// Processes of one machine that keep a certificate, the double of an authority that they ask, and time that a test moves.
import { onTestFinished } from 'vitest';
import type { Challenge } from '../../src/certs/acmeOrder.ts';
import { AcmeRenewal } from '../../src/certs/acmeRenewal.ts';
import { AcmeStore } from '../../src/certs/acmeStore.ts';
import { makeAcmeRequest } from '../../src/certs/acmeTransport.ts';
import type { PrivateFiles } from '../../src/core/files.ts';
import { chainLocks } from '../../src/helper/chainLocks.ts';
import { privateFiles } from '../../src/helper/privateFiles.ts';
import { AcmeDouble, type Reply } from './acmeDouble.ts';
import { FakeClock } from './fakeClock.ts';
import { expectNothingLeft } from './leaks.ts';
import { temporaryFolder } from './temporaryFolder.ts';
import { until } from './until.ts';

export const hostname = 'mine.edge.example';
export const hourMs = 3_600_000;
export const dayMs = 24 * hourMs;

export type World = { double: AcmeDouble; clock: FakeClock; folder: string };

/** The authority’s clock may be `behindMs`. */
export async function makeWorld(behindMs = 0): Promise<World> {
  expectNothingLeft();
  const clock = new FakeClock(Math.floor(Date.now() / 1000) * 1000);
  const theirs = behindMs === 0 ? clock : new FakeClock(clock.now() - behindMs);
  return { double: await AcmeDouble.start(theirs), clock, folder: await temporaryFolder() };
}

type Options = {
  files?: PrivateFiles;
  agreedToTerms?: boolean;
  mayDial?: (host: string) => void;
  isPublic?: (address: string) => boolean;
  resolve?: (host: string) => Promise<string[]>;
  isUp?: () => boolean;
};

/** A process that keeps the certificate; `run` starts it. */
export async function aProcess({ double, clock, folder }: World, options: Options = {}) {
  const { files = privateFiles, agreedToTerms = false } = options;
  const { directory } = double;
  const shown: Challenge[] = [];
  const transport = {
    directory,
    mayDial: options.mayDial ?? (() => {}),
    isPublic: options.isPublic ?? (() => false),
    resolve: options.resolve ?? (async () => ['127.0.0.1']),
    ca: double.authority.certificatePem,
    clock,
  };
  const renewal = new AcmeRenewal({
    hostname,
    directory,
    agreedToTerms,
    store: new AcmeStore({ files, folder, directory, clock }),
    lock: (path) => chainLocks.take(path),
    makeRequest: (signal) => makeAcmeRequest(transport, signal),
    show: (challenge) => {
      shown.push(challenge);
      return () => {};
    },
    clock,
    random: () => 0,
    log: () => {},
  });
  await renewal.load();
  onTestFinished(() => renewal.close());
  const settle = (condition: () => boolean): Promise<void> =>
    until(condition, 10_000, () => `warning: ${renewal.warning}`);
  return {
    renewal,
    shown,
    run: () => renewal.start(options.isUp ?? (() => true)),
    issued: () => settle(() => renewal.chain !== undefined),
    warned: (words: RegExp) => settle(() => words.test(renewal.warning ?? '')),
  };
}

/** Moves time in steps that each let what is due be done. */
export async function pass({ clock }: World, ms: number, isDone: () => boolean): Promise<void> {
  const end = clock.now() + ms;
  await until(() => {
    if (clock.now() < end && clock.pending > 0) clock.advance(Math.min(10 * 60_000, end - clock.now()));
    return isDone();
  });
}

export const problem = (status: number, type: string, detail: string, headers = {}): Reply => ({
  status,
  json: { type: `urn:ietf:params:acme:error:${type}`, detail },
  headers,
});
