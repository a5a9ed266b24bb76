// Who this machine is at an edge: the key and certificate from enrolment, and how the edge proves who it is.
// One private file per edge; without one, or with one that time has made useless, the person learns to enroll.
import { X509Certificate } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { Clock } from '../core/clock.ts';
import { systemCode, TunnelError } from '../core/errors.ts';
import type { PrivateFiles } from '../core/files.ts';
import type { HostPort } from '../core/hostname.ts';
import type { CertificateTools } from './edgeDoor.ts';

const schema = z.object({
  version: z.literal(1),
  domain: z.string(),
  port: z.number().int().min(1).max(65_535),
  /** Where to connect when the domain is not in DNS. */
  address: z.string().optional(),
  connector: z.string(),
  /** PEM, as are the next three. */
  key: z.string(),
  certificate: z.string(),
  /** The edge's own CA: it signed `certificate`, and the doors where nobody brought a public certificate. */
  ca: z.string(),
  /** A CA that the person named at enrolment. */
  serverCa: z.string().optional(),
  pin: z.string().optional(),
  expiresMs: z.number(),
});

export type EdgeIdentity = z.infer<typeof schema>;

export type IdentityOptions = { files: PrivateFiles; folder: string; clock: Clock; certs: CertificateTools };

const DOMAIN = /^(?=.{1,253}$)[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*$/;

/** `folder/<domain>.json`. Throws `USAGE` for what is no domain: it becomes the name of a file. */
export function identityPath(folder: string, domain: string): string {
  if (!DOMAIN.test(domain) || /^[\d.]+$/.test(domain)) {
    throw new TunnelError(
      'USAGE',
      `“${domain.slice(0, 80)}” is not the domain of an edge: name it as edge.example.com`,
    );
  }
  return join(folder, `${domain}.json`);
}

/** Throws `NOT_ENROLLED`, `CONFIG_INVALID`, or `CERTIFICATE_INVALID` when it expired or is not valid yet. */
export async function loadEdgeIdentity(domain: string, options: IdentityOptions): Promise<EdgeIdentity> {
  const { files, folder, clock, certs } = options;
  const path = identityPath(folder, domain);
  const text = await files.read(path);
  if (text === undefined) {
    const fix = `run mcp-tunnel enroll ${domain} (with :PORT, where it is not 443) and a token from whoever runs it`;
    throw new TunnelError('NOT_ENROLLED', `this machine has no certificate for the edge ${domain}: ${fix}`);
  }
  const { identity, certificate } = parseEdgeIdentity(text, path, domain);
  const problem = certs.validityProblem(certificate, clock.now(), `this machine's certificate for ${domain}`);
  if (problem) throw problem;
  return identity;
}

export async function saveEdgeIdentity(identity: EdgeIdentity, files: PrivateFiles, folder: string): Promise<void> {
  await files.write(identityPath(folder, identity.domain), printEdgeIdentity(identity));
}

export const printEdgeIdentity = (identity: EdgeIdentity): string => `${JSON.stringify(identity, null, 2)}\n`;

/** The edges that this machine has a file for, readable or not. */
export async function enrolledEdges(files: PrivateFiles, folder: string): Promise<HostPort[]> {
  let names: string[];
  try {
    names = await readdir(folder);
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return [];
    throw new TunnelError('STATE_UNWRITABLE', `${folder} cannot be read: give this user access to it`, {
      cause: error,
      data: { path: folder },
    });
  }
  const domains = names.filter((name) => name.endsWith('.json')).map((name) => name.slice(0, -'.json'.length));
  return Promise.all(
    domains
      .filter((domain) => DOMAIN.test(domain))
      .sort()
      .map(async (domain) => ({ host: domain, port: await portOf(files, folder, domain) })),
  );
}

async function portOf(files: PrivateFiles, folder: string, domain: string): Promise<number> {
  const path = identityPath(folder, domain);
  try {
    return parseEdgeIdentity((await files.read(path)) ?? '', path, domain).identity.port;
  } catch {
    return 443; // A broken file shows in the list all the same; using it tells what is wrong.
  }
}

/** Throws `CONFIG_INVALID`; what time says of it is not looked at. */
export function parseEdgeIdentity(
  text: string,
  path: string,
  domain: string,
): { identity: EdgeIdentity; certificate: X509Certificate } {
  try {
    const identity = schema.parse(JSON.parse(text));
    if (identity.domain !== domain) throw new Error(`it is for ${identity.domain}`);
    return { identity, certificate: new X509Certificate(identity.certificate) };
  } catch (cause) {
    throw new TunnelError('CONFIG_INVALID', `${path} cannot be used: enroll at ${domain} again`, {
      cause,
      data: { file: path },
    });
  }
}
