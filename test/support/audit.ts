// A machine that writes audit logs: its key, its clock, a folder of its own.
import { generateKeyPairSync } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { onTestFinished } from 'vitest';
import type { AuditEvent } from '../../src/audit/auditEvent.ts';
import { AuditLog, type AuditLogOptions } from '../../src/audit/auditLog.ts';
import { makeSigner, type Signer } from '../../src/audit/signedRecord.ts';
import { FakeClock } from './fakeClock.ts';
import { temporaryFolder } from './temporaryFolder.ts';

export function aSigner(): Signer {
  return makeSigner(generateKeyPairSync('ed25519').privateKey);
}

export type Writing = {
  readonly clock: FakeClock;
  readonly signer: Signer;
  /** The folder of the chains. */
  readonly home: string;
};

export async function aWritingMachine(): Promise<Writing> {
  return { clock: new FakeClock(), signer: aSigner(), home: await temporaryFolder() };
}

/** A log in the chain of that id; it is closed with the test. */
export async function openLog(
  { clock, signer, home }: Writing,
  chain: string,
  more: Partial<AuditLogOptions> = {},
): Promise<AuditLog> {
  const log = await AuditLog.open({
    chain,
    folder: `${home}/${chain}`,
    helper: `helper-of-${chain}`,
    others: [],
    clock,
    signer,
    ...more,
  });
  onTestFinished(() => log.close().catch(() => {}));
  return log;
}

/** An event that a test can tell from others. */
export const outcome = (exchange: string): AuditEvent => ({ kind: 'outcome', exchange, status: 'ok' });

/** The lines of all segments, in their order. */
export async function linesIn(folder: string): Promise<string[]> {
  const names = (await readdir(folder)).sort();
  const texts = await Promise.all(names.map((name) => readFile(`${folder}/${name}`, 'utf8')));
  return texts.flatMap((text) => text.split('\n').filter((line) => line !== ''));
}

export type AnyRecord = { seq: number; at: string; prev: string; kind: string; [field: string]: unknown };

export async function recordsIn(folder: string): Promise<AnyRecord[]> {
  return (await linesIn(folder)).map((line) => JSON.parse(line) as AnyRecord);
}
