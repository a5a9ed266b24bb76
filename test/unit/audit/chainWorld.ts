// A chain in a folder of its own, and a disk that a test can fill.
import { readdir } from 'node:fs/promises';
import type { AuditLog, AuditLogOptions } from '../../../src/audit/auditLog.ts';
import { openChainFile, type ChainFile } from '../../../src/audit/chainFile.ts';
import { verifyChain, type Verdict } from '../../../src/audit/verify.ts';
import { aSigner, linesIn, openLog, recordsIn, type AnyRecord } from '../../support/audit.ts';
import { FakeClock } from '../../support/fakeClock.ts';
import { temporaryFolder } from '../../support/temporaryFolder.ts';

export class ChainWorld {
  readonly clock = new FakeClock();
  readonly signer = aSigner();
  readonly home: string;
  readonly calls: string[] = [];
  /** Bytes the disk still takes. */
  room = Infinity;
  /** Most bytes that one write takes. */
  atOnce = Infinity;
  fail: 'sync' | 'truncate' | undefined;
  /** Writes wait for this. */
  gate: Promise<void> = Promise.resolve();

  constructor(home: string) {
    this.home = home;
  }

  static async create(): Promise<ChainWorld> {
    return new ChainWorld(`${await temporaryFolder()}/audit`);
  }

  open(more: Partial<AuditLogOptions> = {}): Promise<AuditLog> {
    const openFile = async (folder: string, path: string): Promise<ChainFile> =>
      this.#limited(await openChainFile(folder, path));
    return openLog(this, 'h1', { openFile, ...more });
  }

  get folder(): string {
    return `${this.home}/h1`;
  }

  get path(): string {
    return `${this.folder}/000001.jsonl`;
  }

  async segments(): Promise<string[]> {
    return (await readdir(this.folder)).sort();
  }

  lines(): Promise<string[]> {
    return linesIn(this.folder);
  }

  records(): Promise<AnyRecord[]> {
    return recordsIn(this.folder);
  }

  /** What happened, without what the log says of itself. */
  async exchanges(): Promise<unknown[]> {
    return (await this.records()).flatMap(({ exchange }) => (exchange === undefined ? [] : [exchange]));
  }

  verify(): Promise<Verdict> {
    return verifyChain({ chain: 'h1', folder: this.folder, publicKey: this.signer.publicKey });
  }

  #limited(file: ChainFile): ChainFile {
    return {
      read: (position, length) => file.read(position, length),
      stat: () => file.stat(),
      close: () => file.close(),
      truncate: (size) => {
        this.calls.push('truncate');
        return this.fail === 'truncate' ? Promise.reject(new Error('EIO')) : file.truncate(size);
      },
      sync: () => {
        this.calls.push('sync');
        return this.fail === 'sync' ? Promise.reject(new Error('EIO')) : file.sync();
      },
      write: async (bytes) => {
        await this.gate;
        this.calls.push('write');
        const taken = Math.min(bytes.length, this.room, this.atOnce);
        if (taken === 0) throw Object.assign(new Error('no space'), { code: 'ENOSPC' });
        const written = await file.write(bytes.subarray(0, taken));
        this.room -= written;
        return written;
      },
    };
  }
}
