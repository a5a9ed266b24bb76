// May this be dialled, may this server be exposed: every file must have an entry for it. A refusal says which file
// lacks which entry, and whether adding it to the user's file would help.
import type { JsonObject } from '../core/json.ts';
import { matchesGlob } from './glob.ts';
import { coversHost, coversHostPort } from './hostPattern.ts';
import type { MergedPolicy, PolicyLayer } from './mergedPolicy.ts';
import type { DestinationEntry, Policy } from './policySchema.ts';

export type Verdict =
  | { kind: 'allow'; rule: string }
  /** `entry` is the JSON of what is missing; `mayAllow`: adding it to the user's file is enough; `unreadable`: the file is damaged. */
  | { kind: 'deny'; reason: string; file: string; entry: string; mayAllow: boolean; unreadable?: true };

export type Dialled =
  | { carrier: string; host?: string; pin?: string; publicName?: string }
  | { service: string; host: string };

/** `host:port` of a server's URL, or its command line with the parts joined by spaces. */
export type Runnable = { http: string } | { stdio: string };

export const defaultDestinationPort = 443;

/**
 * Asked before each dial. An entry with a pin allows only a dial that insists on that pin; a public name is compared
 * when the carrier has reported one.
 */
export function mayDial(policy: MergedPolicy, dialled: Dialled): Verdict {
  return judge(policy, {
    section: 'destinations',
    what: describe(dialled),
    entry: dialled,
    find: ({ destinations }) => destinations?.findIndex((entry) => coversDial(entry, dialled, true)),
  });
}

/** Whether any host may be dialled for `service`: without one it is not even offered. */
export function namesService({ layers }: MergedPolicy, service: string): boolean {
  return layers.every(
    (layer) =>
      layer.kind === 'rules' &&
      (layer.policy.destinations === undefined || layer.policy.destinations.some((entry) => entry.service === service)),
  );
}

/** Asked before a tunnel is begun, when nothing is known yet of the key at the other end. */
export function mayPlan(policy: MergedPolicy, dialled: Dialled): Verdict {
  return judge(policy, {
    section: 'destinations',
    what: describe(dialled),
    entry: dialled,
    find: ({ destinations }) => destinations?.findIndex((entry) => coversDial(entry, dialled, false)),
  });
}

export function mayRun(policy: MergedPolicy, upstream: Runnable): Verdict {
  return judge(policy, {
    section: 'upstreams',
    what: 'http' in upstream ? `the server at ${upstream.http}` : `the command ${upstream.stdio}`,
    entry: upstream,
    find: ({ upstreams }) =>
      upstreams?.findIndex((entry) =>
        'http' in upstream
          ? entry.http !== undefined && coversServer(entry.http, upstream.http)
          : entry.stdio !== undefined && matchesGlob(entry.stdio, upstream.stdio),
      ),
  });
}

type Question = {
  section: 'destinations' | 'upstreams';
  what: string;
  entry: JsonObject;
  /** Place of the entry that allows it, -1 without one, `undefined` where the file does not have the section. */
  find: (policy: Policy) => number | undefined;
};

function judge({ layers }: MergedPolicy, { section, what, entry, find }: Question): Verdict {
  const rules: string[] = [];
  const lacking: PolicyLayer[] = [];
  for (const layer of layers) {
    const place = layer.kind === 'broken' ? -1 : find(layer.policy);
    if (place === -1) lacking.push(layer);
    else if (place !== undefined) rules.push(`${layer.origin} ${section}[${place}]`);
  }
  // The user's own file comes last: it is the one that a person can change.
  const first = lacking.find((layer) => layer.origin !== 'user') ?? lacking[0];
  if (!first) return { kind: 'allow', rule: rules.join(', ') || 'no policy file restricts it' };
  const { file, origin } = first;
  const missing = JSON.stringify(entry);
  if (first.kind === 'broken') {
    const reason = `${what} is denied, because a policy file cannot be read: ${first.error.message}`;
    return { kind: 'deny', reason, file, entry: missing, mayAllow: false, unreadable: true };
  }
  const reason = `${what} is not allowed: ${section} in ${file} has no entry ${missing}`;
  return { kind: 'deny', reason, file, entry: missing, mayAllow: origin === 'user' && section === 'destinations' };
}

function coversDial(entry: DestinationEntry, dialled: Dialled, withPin: boolean): boolean {
  if ('service' in dialled) {
    return entry.service === dialled.service && coversHostPort(entry.host ?? '', dialled.host, defaultDestinationPort);
  }
  if (entry.carrier !== dialled.carrier) return false;
  const { host, pin, publicName } = entry;
  if (host !== undefined && !coversHostPort(host, dialled.host ?? '', defaultDestinationPort)) return false;
  if (withPin && pin !== undefined && pin !== dialled.pin) return false;
  return publicName === undefined || dialled.publicName === undefined || coversHost(publicName, dialled.publicName);
}

/** `localhost` is loopback (RFC 6761 §6.3), so an entry for either loopback address covers it too. */
function coversServer(pattern: string, target: string): boolean {
  if (coversHostPort(pattern, target, 80)) return true;
  const port = /^localhost(:\d+)?$/i.exec(target);
  return port !== null && ['127.0.0.1', '[::1]'].some((host) => coversHostPort(pattern, host + (port[1] ?? ''), 80));
}

function describe(dialled: Dialled): string {
  if ('service' in dialled) return `${dialled.service} at ${dialled.host}`;
  const { carrier, host, publicName } = dialled;
  return [`the carrier ${carrier}`, host && `to ${host}`, publicName && `as ${publicName}`].filter(Boolean).join(' ');
}
