// Whose certificate agents see at a tunnel, as options of a command and as words on a screen.
import { resolve } from 'node:path';
import { TunnelError } from '../core/errors.ts';
import type { CertificateInfo, WantedCertificate } from '../protocol/control.ts';
import type { CommandContext, OptionRow } from './command.ts';
import type { Output } from './output.ts';

export type CertificateOptions = {
  acme?: string | true;
  acmeAgreeTos?: boolean;
  acmeEmail?: string;
  acmeCa?: string;
  cert?: string;
  key?: string;
};

const letsEncrypt = 'https://acme-v02.api.letsencrypt.org/directory';

export const certificateOptions: readonly OptionRow[] = [
  {
    flags: '--acme [directory]',
    help: 'of an edge’s tunnel: a certificate that a public authority issues (default: Let’s Encrypt; else the https URL of its directory)',
    parse: directoryUrl,
  },
  { flags: '--acme-agree-tos', help: 'you have read that authority’s terms of service and agree to them' },
  { flags: '--acme-email <address>', help: 'where that authority may write to' },
  { flags: '--acme-ca <file>', help: 'PEM of the CA that signed a private authority’s own certificate' },
  {
    flags: '--cert <file>',
    help: 'of an edge’s tunnel: your own certificate with its chain, PEM; read again when it changes',
  },
  { flags: '--key <file>', help: 'the private key for --cert, PEM' },
];

/** `undefined` where nothing is asked for: this machine's own authority signs. Throws `USAGE`. */
export function certificateOf(
  { folder }: Pick<CommandContext, 'folder'>,
  { acme, acmeAgreeTos, acmeEmail, acmeCa, cert, key }: CertificateOptions,
): WantedCertificate | undefined {
  if ((cert === undefined) !== (key === undefined)) throw new TunnelError('USAGE', '--cert and --key go together');
  if (cert !== undefined && key !== undefined) {
    if (acme !== undefined) throw new TunnelError('USAGE', 'a certificate comes from --acme or from --cert, not both');
    return { kind: 'own', certificateFile: resolve(folder, cert), keyFile: resolve(folder, key) };
  }
  if (acme === undefined) {
    if (acmeAgreeTos === undefined && acmeEmail === undefined && acmeCa === undefined) return undefined;
    throw new TunnelError('USAGE', '--acme-agree-tos, --acme-email and --acme-ca go with --acme');
  }
  return {
    kind: 'acme',
    directory: acme === true ? letsEncrypt : acme,
    ...(acmeAgreeTos ? { agreedToTerms: true } : {}),
    ...(acmeEmail === undefined ? {} : { email: acmeEmail }),
    ...(acmeCa === undefined ? {} : { caFile: resolve(folder, acmeCa) }),
  };
}

/** For people: what agents see, and what they should know of it; nothing of the usual one. */
export function sayCertificate(output: Output, certificate: CertificateInfo | undefined): void {
  const { kind = 'local', expiresMs = 0, warning, account } = certificate ?? {};
  const until = new Date(expiresMs).toISOString().slice(0, 16).replace('T', ' ');
  if (kind !== 'local') output.line('  Shown     ', `a certificate that is ${signers[kind]}, good until ${until}Z`);
  if (account !== undefined) output.line('            ', `account ${account}  (for CAA: accounturi)`);
  if (warning !== undefined) sayWarning(output, warning);
}

const signers = { acme: 'issued by the authority you asked', own: 'your own' } as const;

function directoryUrl(text: string): string {
  if (URL.canParse(text) && new URL(text).protocol === 'https:') return text;
  throw new TunnelError('USAGE', `--acme takes the https URL of an authority’s directory, or nothing, not “${text}”`);
}

export function sayWarning(output: Output, warning: string): void {
  output.line('  Warning   ', { text: warning, style: 'yellow' });
}
