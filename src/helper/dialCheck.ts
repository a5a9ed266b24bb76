// The policy's word on what may be dialled and what may run, as functions that throw the refusal a person can act on:
// which file lacks which entry.
import { TunnelError, type ErrorCode } from '../core/errors.ts';
import { formatHostPort, parseHostPort } from '../core/hostname.ts';
import { mayDial, mayPlan, mayRun, type Dialled, type Verdict } from '../policy/destinations.ts';
import type { PolicyStore } from '../policy/policyStore.ts';
import type { ServerTransport } from '../core/server.ts';
import type { Destination, DestinationChoice } from '../protocol/control.ts';
import type { ProxyFor } from '../tunnel/edgeDoor.ts';
import { declaredSecrets } from './declaredSecrets.ts';
import { hider } from './hideSecrets.ts';

export type DialCheck = {
  /** Throws `DESTINATION_DENIED`. */
  mayOpen(destination: Destination): void;
  /** Throws `DESTINATION_DENIED`. */
  mayDial(dialled: Dialled): void;
  /** A service of somebody else, by `host:port`. Throws `DESTINATION_DENIED`. */
  mayUse(service: 'acme', host: string): void;
  /** Throws `UPSTREAM_DENIED`. */
  mayRun(transport: ServerTransport): void;
  /** The refusal as data, for showing a locked choice. */
  denied(destination: Destination): DestinationChoice['denied'];
};

export type DialCheckOptions = {
  proxyFor?: ProxyFor;
  /** What must not be shown where it stands in a command: in a refusal, any text stands in its place. */
  secrets?: () => readonly string[];
};

/** With `proxyFor`, a destination is allowed where the proxy on the way to it is allowed as well. */
export function makeDialCheck(policy: PolicyStore, { proxyFor, secrets = () => [] }: DialCheckOptions = {}): DialCheck {
  const verdict = (destination: Destination): Verdict => {
    if (destination.carrier !== 'edge') return mayPlan(policy.current, destination);
    const edge = mayPlan(policy.current, destination);
    const { host, port } = parseHostPort(destination.host, 443);
    const proxy = proxyFor?.([`connect.${host}`, host], port);
    if (edge.kind === 'deny' || !proxy) return edge;
    return mayDial(policy.current, { service: 'proxy', host: formatHostPort(proxy) });
  };
  return {
    mayOpen: (destination) => demand(verdict(destination), 'DESTINATION_DENIED'),
    mayDial: (dialled) => demand(mayDial(policy.current, dialled), 'DESTINATION_DENIED'),
    mayUse: (service, host) => demand(mayDial(policy.current, { service, host }), 'DESTINATION_DENIED'),
    mayRun(transport) {
      const answer = mayRun(policy.current, runnable(transport));
      demand(withoutSecrets(answer, [...declaredSecrets(transport), ...secrets()]), 'UPSTREAM_DENIED');
    },
    denied(destination) {
      const answer = verdictOrNone(() => verdict(destination));
      if (!answer || answer.kind === 'allow') return undefined;
      const { reason, file, entry, mayAllow } = answer;
      return { reason, file, entry, mayAllow };
    },
  };
}

/** A command line goes to screens and to the audit log; the entry that is missing is as good with a `*`. */
function withoutSecrets(verdict: Verdict, secrets: readonly string[]): Verdict {
  if (verdict.kind === 'allow' || secrets.length === 0) return verdict;
  const hide = hider(secrets, '*');
  return { ...verdict, reason: hide(verdict.reason), entry: hide(verdict.entry) };
}

/** A proxy setting that cannot be read is told when it is used, not in a list. */
function verdictOrNone(ask: () => Verdict): Verdict | undefined {
  try {
    return ask();
  } catch (error) {
    if (error instanceof TunnelError && error.code === 'CONFIG_INVALID') return undefined;
    throw error;
  }
}

function demand(verdict: Verdict, code: ErrorCode): void {
  if (verdict.kind === 'allow') return;
  const { reason, file, entry, mayAllow } = verdict;
  if (verdict.unreadable) throw new TunnelError('POLICY_INVALID', reason, { data: { file, entry } });
  throw new TunnelError(code, reason, { data: { file, entry, mayAllow } });
}

function runnable(transport: ServerTransport): { stdio: string } | { http: string } {
  if (transport.kind === 'stdio') return { stdio: [transport.command, ...transport.args].join(' ') };
  const url = parsed(transport.url);
  const { host, port } = parseHostPort(url.host, url.protocol === 'https:' ? 443 : 80);
  return { http: host.includes(':') ? `[${host}]:${port}` : `${host}:${port}` };
}

function parsed(url: string): URL {
  try {
    return new URL(url);
  } catch {
    throw new TunnelError('USAGE', 'the server’s URL is not one; write for example http://127.0.0.1:3000/mcp');
  }
}
