// From the certificate that a tunnel asks for to what agents see: read from the user's files, or issued by an authority
// that the policy has an entry for, `{ "service": "acme", "host": … }`, asked again at every request.
import { AcmeCertificate } from '../carriers/acmeCertificate.ts';
import type { MakeCertificate } from '../carriers/edge.ts';
import { OwnCertificate } from '../carriers/ownCertificate.ts';
import { AcmeStore } from '../certs/acmeStore.ts';
import { makeAcmeRequest } from '../certs/acmeTransport.ts';
import type { Clock, Random } from '../core/clock.ts';
import { TunnelError } from '../core/errors.ts';
import type { PrivateFiles } from '../core/files.ts';
import { formatHostPort } from '../core/hostname.ts';
import { isPublicAddress } from '../identity/publicAddress.ts';
import type { Destination, OpenTunnel, WantedCertificate } from '../protocol/control.ts';
import { chainLocks } from './chainLocks.ts';
import type { DialCheck } from './dialCheck.ts';
import type { StatePaths } from './statePaths.ts';
import type { BookEntry } from './tunnelBook.ts';

export type TunnelCertificatesOptions = {
  files: PrivateFiles;
  paths: StatePaths;
  clock: Clock;
  random: Random;
};

/** What is asked for, or was when this tunnel was last exposed. */
export function wantedCertificate({ certificate }: OpenTunnel, entry: BookEntry): WantedCertificate | undefined {
  return certificate?.kind === 'kept' ? entry.certificate : certificate;
}

/** Throws `USAGE` where it cannot be had, `DESTINATION_DENIED` where the policy has no entry for the authority. */
export function demandCertificate(
  wanted: WantedCertificate | undefined,
  { carrier }: Destination,
  { mayUse }: Pick<DialCheck, 'mayUse'>,
): void {
  if (!wanted) return;
  if (carrier !== 'edge') {
    throw new TunnelError(
      'USAGE',
      'a certificate of another authority needs an edge: its names are not of this machine',
    );
  }
  if (wanted.kind === 'acme') mayUse('acme', hostOf(wanted.directory));
}

export async function makeCertificate(
  { certificate: wanted, dial }: { certificate: WantedCertificate | undefined; dial: Pick<DialCheck, 'mayUse'> },
  { files, paths, clock, random }: TunnelCertificatesOptions,
): Promise<MakeCertificate | undefined> {
  if (!wanted) return undefined;
  if (wanted.kind === 'own') {
    const { certificateFile, keyFile } = wanted;
    return ({ hostname }) => OwnCertificate.create({ certificateFile, keyFile, hostname, files, clock });
  }
  const { directory, agreedToTerms = false, email, caFile } = wanted;
  const ca = caFile === undefined ? undefined : await readAuthority(files, caFile);
  const store = new AcmeStore({ files, folder: paths.acmeFolder, directory, clock });
  const transport = {
    directory,
    mayDial: (host: string) => dial.mayUse('acme', host),
    isPublic: isPublicAddress,
    ...(ca === undefined ? {} : { ca }),
    clock,
  };
  return ({ hostname, local, log }) =>
    AcmeCertificate.create({
      local,
      renewal: {
        hostname,
        directory,
        agreedToTerms,
        ...(email === undefined ? {} : { email }),
        store,
        lock: (path) => chainLocks.take(path),
        makeRequest: (signal) => makeAcmeRequest(transport, signal),
        clock,
        random,
        log,
      },
    });
}

function hostOf(directory: string): string {
  const url = URL.canParse(directory) ? new URL(directory) : undefined;
  if (url?.protocol !== 'https:' || url.username !== '' || url.password !== '') {
    throw new TunnelError('USAGE', `the directory of an authority is an https URL, not “${directory}”`);
  }
  return formatHostPort({ host: url.hostname.replace(/^\[|\]$/g, ''), port: Number(url.port || 443) });
}

async function readAuthority(files: PrivateFiles, file: string): Promise<string> {
  const text = await files.read(file);
  if (text?.includes('-----BEGIN CERTIFICATE-----')) return text;
  throw new TunnelError('USAGE', `${file} ${text === undefined ? 'does not exist' : 'holds no PEM certificate'}`);
}
