// testssl.sh (Debian's) asks each way in everything it knows about protocols, ciphers and vulnerabilities. It takes
// minutes, so it is a command of its own; `test/integration/tlsProfile.test.ts` is its short profile.
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, it } from 'vitest';
import { debianPackages } from '../support/debianPackages.ts';
import { temporaryFolder } from '../support/temporaryFolder.ts';
import { tlsDoors, type Doors } from '../support/tlsDoors.ts';

type Finding = { id: string; severity: string; finding: string };

beforeAll(() => debianPackages('testssl.sh', 'bsdextrautils', 'procps'));

async function scan(name: string, port: number): Promise<Finding[]> {
  const file = join(await temporaryFolder(), 'findings.json');
  const asked = ['--protocols', '--std', '--fs', '--server-preference', '--server-defaults', '--vulnerable'];
  const quiet = ['--quiet', '--warnings', 'off', '--color', '0', '--nodns', 'none', '--ip', '127.0.0.1'];
  // Its exit code counts what it would have liked; what it found is in the file.
  await promisify(execFile)('testssl', [...asked, ...quiet, '--jsonfile', file, `${name}:${port}`]).catch(() => {});
  return JSON.parse(await readFile(file, 'utf8')) as Finding[];
}

/** What it says of every private authority, of short lives, and of itself; each with the reason why it stands. */
const expected: Readonly<Record<string, string>> = {
  cert_chain_of_trust: 'the authority is the edge’s or this machine’s own: pins and --ca are for that',
  cert_revocation: 'of a private authority, whose revocations the edge knows by itself',
  cert_expirationStatus: 'what agents see lives for 30 days and renews itself',
  cert_notAfter: 'the same',
  engine_problem: 'Debian’s OpenSSL has no GOST',
  secure_renego: 'it cannot tell with OpenSSL 3; tlsProfile.test.ts sees that no second handshake is had',
};
const bad = new Set(['MEDIUM', 'HIGH', 'CRITICAL', 'FATAL', 'WARN']);

describe('testssl.sh', () => {
  it.each<keyof Omit<Doors, 'port'>>(['connect', 'enroll', 'tunnel'])(
    'finds nothing at the way in “%s”',
    async (way) => {
      const doors = await tlsDoors();
      const findings = await scan(doors[way], doors.port);
      const found = findings.filter(({ severity }) => bad.has(severity));
      expect(findings.length).toBeGreaterThan(60);
      expect(found.filter(({ id }) => !Object.hasOwn(expected, id))).toEqual([]);
      expect(findings.find(({ id }) => id === 'TLS1_3')?.finding).toContain('offered');
    },
  );
});
