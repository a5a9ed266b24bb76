// Enrolment as this machine does it: the policy is asked before anything is dialled, and the certificate is kept in
// the state folder.
import { readFile } from 'node:fs/promises';
import { checkedProxy } from '../carriers/outbound.ts';
import { certificateTools } from '../certs/certificateTools.ts';
import type { Clock } from '../core/clock.ts';
import type { PrivateFiles } from '../core/files.ts';
import { systemCode, TunnelError } from '../core/errors.ts';
import { parseHostPort } from '../core/hostname.ts';
import { PolicyStore } from '../policy/policyStore.ts';
import { enroll } from '../tunnel/enroll.ts';
import { makeDialCheck } from './dialCheck.ts';
import { makeOutbound } from './outbound.ts';
import type { StatePaths } from './statePaths.ts';

export type EnrolAtOptions = {
  /** `host` or `host:port`. */
  edge: string;
  token: string;
  pin?: string;
  /** File with the PEM of the CA that signed the edge's certificate. */
  caFile?: string;
  /** Where to connect when the domain is not in DNS. */
  address?: string;
  /** Says which proxy and which further authorities. */
  env: NodeJS.ProcessEnv;
  paths: StatePaths;
  files: PrivateFiles;
  clock: Clock;
  signal: AbortSignal;
};

export type Enrolled = { domain: string; connector: string; expiresMs: number };

/** Throws `DESTINATION_DENIED`, `EDGE_UNREACHABLE`, `EDGE_IDENTITY`, `CERTIFICATE_INVALID`, `ENROLMENT_REFUSED`. */
export async function enrolAt(options: EnrolAtOptions): Promise<Enrolled> {
  const { token, pin, caFile, address, env, paths, files, clock, signal } = options;
  const outbound = makeOutbound({ env, clock });
  const ca = caFile === undefined ? undefined : await readCa(caFile);
  const policy = new PolicyStore({
    files,
    clock,
    locations: { managed: paths.managedPolicy, user: paths.userPolicy, workspaces: [] },
  });
  try {
    await policy.load();
    const { domain, connector, expiresMs } = await enroll({
      edge: parseHostPort(options.edge, 443),
      token,
      ...(pin === undefined ? {} : { pin }),
      ...(ca === undefined ? {} : { ca }),
      ...(address === undefined ? {} : { address }),
      mayDial: (dialled) => makeDialCheck(policy).mayDial(dialled),
      proxyFor: checkedProxy(outbound, (dialled) => makeDialCheck(policy).mayDial(dialled)),
      authorities: outbound.authorities,
      certs: certificateTools,
      files,
      folder: paths.edgesFolder,
      clock,
      signal,
    });
    return { domain, connector, expiresMs };
  } finally {
    policy.close();
  }
}

async function readCa(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    throw new TunnelError('USAGE', `${file} cannot be read (${systemCode(cause) ?? 'unknown error'})`, { cause });
  }
}
